//! The checker rejects what was changed in a solution whenever the change breaks a rule.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use cardinal_models::verify::verify;
use cardinal_solver::{Settings, solve};
use cardinal_tests::cases::each;
use cardinal_tests::draw::Draw;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::mutation::{broken, mutate};
use cardinal_tests::world::shown;

#[test]
fn a_mutation_that_breaks_a_rule_is_rejected() {
    let rejected: Mutex<BTreeMap<&str, u64>> = Mutex::default();
    each("mutations of solutions", 1_000, |seed| {
        let world = world(seed, &Size::SMALL);
        let snapshot = world.snapshot();
        let Some(solution) = solve(&snapshot, &Settings::default()).ok().and_then(|outcome| outcome.solution) else {
            return Ok(());
        };
        if let Some(rule) = broken(&snapshot, &solution.placement) {
            return Err(format!("{rule}: {}\n{world}", shown(&snapshot, &solution.placement)));
        }
        let mut draw = Draw::new(!seed);
        for _ in 0..30 {
            let changed = mutate(&snapshot, &solution.placement, &mut draw);
            let Some(rule) = broken(&snapshot, &changed) else { continue };
            if verify(&snapshot, &changed).is_empty() {
                return Err(format!("accepted although {rule}: {}\n{world}", shown(&snapshot, &changed)));
            }
            *rejected.lock().unwrap().entry(rule).or_default() += 1;
        }
        Ok(())
    });
    let rejected = rejected.into_inner().unwrap();
    println!("{rejected:?}");
    assert!(rejected.len() >= 8, "some rules are never broken: {rejected:?}");
}
