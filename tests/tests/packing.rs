//! Generated node patterns against exhaustive enumeration and against listed ones.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::time::Duration;

use cardinal_models::application::Direction;
use cardinal_models::document::Hosting;
use cardinal_models::solution::Status;
use cardinal_solver::{Packing, Settings, SolveError, solve};
use cardinal_tests::agreement::{compare, is_sound};
use cardinal_tests::cases::each;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::{Verdict, best};
use cardinal_tests::shrink::shrink;
use cardinal_tests::world::World;

const SHARED: Size = Size { offers: 5, constraints: 2, shared: true, ..Size::SMALL };

#[derive(Debug, Default)]
struct Seen {
    judged: u64,
    optimal: u64,
    ties_open: u64,
    refused: u64,
    not_generated: u64,
    too_large: u64,
    iterations: u64,
}

fn generated() -> Settings {
    Settings { packing: Packing::Generated, ..Settings::default() }
}

/// What is wrong with the answer over generated patterns.
fn wrong(world: &World) -> Option<String> {
    judge(world, &mut Seen::default()).err()
}

fn judge(world: &World, seen: &mut Seen) -> Result<(), String> {
    let snapshot = world.snapshot();
    if snapshot.application.components.iter().all(|c| c.hosting == Hosting::Dedicated) {
        return Ok(());
    }
    let Ok(verdict) = best(&snapshot) else {
        seen.too_large += 1;
        return Ok(());
    };
    let answer = solve(&snapshot, &generated());
    if matches!(answer, Err(SolveError::TooManyPatterns)) {
        seen.not_generated += 1;
        return Ok(());
    }
    let refused = compare(&snapshot, &answer, &verdict)?;
    seen.refused += u64::from(refused.is_some());
    seen.judged += u64::from(refused.is_none());
    let Ok(outcome) = answer else { return Ok(()) };
    seen.optimal += u64::from(outcome.status == Status::Optimal);
    seen.ties_open += u64::from(outcome.report.effort.ties_open);
    // Where the total cost alone is minimised, every bound on the way is a bound on the cost.
    if let (Some(generation), Verdict::Best(best)) = (&outcome.report.generation, &verdict)
        && snapshot.application.objective.is_default
        && outcome.report.clusters == 1
    {
        for bound in &generation.bounds {
            seen.iterations += 1;
            if -bound > best.utility + 1e-9 * best.utility.abs() {
                return Err(format!("a bound of {} on the cost, the optimum is {}", -bound, best.utility));
            }
        }
    }
    // Stopped at once, the answer is admissible and the bound holds.
    let hurried = Settings { time_limit: Some(Duration::from_micros(seen.judged % 7 * 150)), ..generated() };
    if let (Ok(hurried), Verdict::Best(best)) = (solve(&snapshot, &hurried), &verdict) {
        if let Some(solution) = &hurried.solution {
            is_sound(&snapshot, solution)?;
            let sign = match snapshot.application.objective.direction {
                Direction::Maximize => 1.0,
                Direction::Minimize => -1.0,
            };
            if sign * solution.bound < sign * best.utility - 1e-7 * best.utility.abs() - 1e-9 {
                return Err(format!("stopped early: bound {}, optimum {}", solution.bound, best.utility));
            }
        }
        if hurried.status == Status::Infeasible {
            return Err("stopped early: called infeasible".to_owned());
        }
    }
    Ok(())
}

fn all_agree(name: &str, cases: u64, size: &Size) {
    let seen = Mutex::new(Seen::default());
    each(name, cases, |seed| {
        let world = world(seed, size);
        let mut mine = Seen::default();
        if let Err(what) = judge(&world, &mut mine) {
            let (small, why) = shrink(&world, wrong);
            return Err(format!("{what}\n{world}\nSmaller: {}\n{small}", why.unwrap_or_default()));
        }
        let mut seen = seen.lock().unwrap();
        seen.judged += mine.judged;
        seen.optimal += mine.optimal;
        seen.ties_open += mine.ties_open;
        seen.refused += mine.refused;
        seen.not_generated += mine.not_generated;
        seen.too_large += mine.too_large;
        seen.iterations += mine.iterations;
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    assert!(seen.refused * 3 <= seen.judged, "too many models are refused: {seen:?}");
    assert!(seen.not_generated * 50 <= seen.judged, "too many models have rules that generation cannot take: {seen:?}");
    assert!(seen.too_large * 8 <= seen.judged, "too many models are too large to be enumerated: {seen:?}");
}

#[test]
fn generated_patterns_give_the_best_of_all_placements() {
    all_agree("generated patterns give the best of all placements", 2_500, &SHARED);
}

#[test]
fn generated_patterns_beside_dedicated_components() {
    all_agree("generated patterns beside dedicated components", 2_500, &Size::SMALL);
}
