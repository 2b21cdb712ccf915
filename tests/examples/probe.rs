//! Which constraints of a generated model the solver needs to be wrong.
use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::compare;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::best;

fn main() {
    let seed: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut world = world(seed, &Size::SMALL);
    let wrong = |w: &cardinal_tests::world::World| {
        if cardinal_models::resolve::load(&cardinal_models::diagnostic::Source::new("", w.model.clone())).is_err() {
            return None;
        }
        let snapshot = w.snapshot();
        let verdict = best(&snapshot).ok()?;
        compare(&snapshot, &solve(&snapshot, &Settings::default()), &verdict).err()
    };
    // Greedy: leave out lines and offers while it stays wrong.
    loop {
        let mut smaller = None;
        let lines: Vec<&str> = world.model.lines().collect();
        for i in 1..lines.len() {
            let mut less = lines.clone();
            less.remove(i);
            let candidate = cardinal_tests::world::World { model: less.join("\n"), ..world.clone() };
            if wrong(&candidate).is_some() {
                smaller = Some(candidate);
                break;
            }
        }
        if smaller.is_none() && world.current.is_some() {
            let candidate = cardinal_tests::world::World { current: None, ..world.clone() };
            if wrong(&candidate).is_some() {
                smaller = Some(candidate);
            }
        }
        if smaller.is_none() && world.current.is_none() {
            for i in 0..world.offers.len() {
                let mut candidate = world.clone();
                candidate.offers.remove(i);
                if wrong(&candidate).is_some() {
                    smaller = Some(candidate);
                    break;
                }
            }
        }
        match smaller {
            Some(s) => world = s,
            None => break,
        }
    }
    println!("{}\n{world}", wrong(&world).unwrap_or_default());
}
