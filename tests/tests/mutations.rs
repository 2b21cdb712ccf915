//! The checker rejects what was changed in a solution whenever the change breaks a rule.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cardinal_models::verify::{verify, verify_utility};
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

#[test]
fn a_utility_that_is_not_that_of_the_placement_is_rejected() {
    let judged = AtomicU64::new(0);
    each("claimed utilities", 500, |seed| {
        let world = world(seed, &Size::SMALL);
        let snapshot = world.snapshot();
        let Some(solution) = solve(&snapshot, &Settings::default()).ok().and_then(|outcome| outcome.solution) else {
            return Ok(());
        };
        let utility = solution.utility;
        if let Some(violation) = verify_utility(&snapshot, &solution.placement, utility) {
            return Err(format!("{violation}\n{world}"));
        }
        // Every unit of a penalty that is not paid is seen.
        for soft in &snapshot.application.soft {
            for claimed in [utility - soft.penalty, utility + soft.penalty] {
                if verify_utility(&snapshot, &solution.placement, claimed).is_none() {
                    return Err(format!("{claimed} is accepted instead of {utility}\n{world}"));
                }
                judged.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    });
    let is_single = std::env::var_os("CARDINAL_SEED").is_some();
    assert!(judged.into_inner() > 0 || is_single, "no model has soft constraints");
}
