//! The solver against exhaustive enumeration, on random small models over the whole language.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::{Refusal, compare};
use cardinal_tests::cases::each;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::{Verdict, best};

#[derive(Debug, Default)]
struct Seen {
    infeasible: u64,
    undefined: u64,
    optimal: u64,
    too_large: u64,
    refused: BTreeMap<Refusal, u64>,
}

#[test]
fn the_answer_is_the_best_of_all_placements() {
    let seen = Mutex::new(Seen::default());
    each("the answer is the best of all placements", 3_000, |seed| {
        let world = world(seed, &Size::SMALL);
        let snapshot = world.snapshot();
        let Ok(verdict) = best(&snapshot) else {
            seen.lock().unwrap().too_large += 1;
            return Ok(());
        };
        let answer = solve(&snapshot, &Settings::default());
        let refused = compare(&snapshot, &answer, &verdict).map_err(|what| format!("{what}\n{world}"))?;
        let mut seen = seen.lock().unwrap();
        match (refused, verdict) {
            (Some(refusal), _) => *seen.refused.entry(refusal).or_default() += 1,
            (None, Verdict::Infeasible) => seen.infeasible += 1,
            (None, Verdict::Undefined(_)) => seen.undefined += 1,
            (None, Verdict::Best(_)) => seen.optimal += 1,
        }
        Ok(())
    });
    println!("{:?}", seen.into_inner().unwrap());
}
