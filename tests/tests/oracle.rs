//! The solver against exhaustive enumeration, on random small models over the whole language.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::{Refusal, compare};
use cardinal_tests::cases::each;
use cardinal_tests::choices;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::{Verdict, best};
use cardinal_tests::shrink::shrink;
use cardinal_tests::world::World;

#[derive(Debug, Default)]
struct Seen {
    infeasible: u64,
    undefined: u64,
    optimal: u64,
    too_large: u64,
    refused: BTreeMap<Refusal, u64>,
}

/// What is wrong with the solver's answer.
fn wrong(world: &World) -> Option<String> {
    let snapshot = world.snapshot();
    let verdict = best(&snapshot).ok()?;
    compare(&snapshot, &solve(&snapshot, &Settings::default()), &verdict).err()
}

#[test]
fn the_answer_is_the_best_of_all_placements() {
    all_agree("the answer is the best of all placements", 4_000, &Size::SMALL);
}

#[test]
fn the_answer_is_the_best_of_all_larger_fleets() {
    let size = Size { components: 2, offers: 4, instances: 8, ..Size::SMALL };
    all_agree("the answer is the best of all larger fleets", 2_000, &size);
}

#[test]
fn the_answer_is_the_best_of_all_where_formulas_mix_components() {
    let size = Size { components: 3, offers: 6, instances: 4, across: true, uniform: true, ..Size::SMALL };
    all_agree("the answer is the best of all where formulas mix components", 4_000, &size);
}

#[test]
fn the_answer_is_the_best_of_all_configurations_and_free_values() {
    agree("the answer is the best of all configurations and free values", 3_000, |seed| choices::world(seed, 3));
}

#[test]
fn the_answer_is_the_best_of_all_where_commitments_cover_nodes() {
    agree("the answer is the best of all where commitments cover nodes", 3_000, |seed| {
        let mut world = world(seed, &Size::SMALL);
        // The cost is what is best, and every model has commitments, most of them several on the same nodes.
        let mut is_utility = false;
        let mut kept: Vec<&str> = Vec::new();
        for line in world.model.lines() {
            is_utility = if line.starts_with(' ') { is_utility } else { line.starts_with("utility:") };
            kept.extend((!is_utility).then_some(line));
        }
        world.model = kept.join("\n") + "\n";
        if !world.model.contains("commitments:") {
            world.model += [
                "commitments:\n  k0: {nodes: 2}\n",
                "commitments:\n  k0: {provider: aws, nodes: 1}\n  k1: {family: fa, nodes: 2}\n  k2: {nodes: 1}\n",
                "commitments:\n  k0: {cores: 5}\n  k1: {provider: aws, cost: 0.15 USD/h}\n",
                "commitments:\n  k0: {location: DE, cores: 4}\n  k1: {machine_type: mt1, nodes: 1}\n  k2: {cost: 0.3}\n",
            ][seed as usize % 4];
        }
        world
    });
}

fn all_agree(name: &str, cases: u64, size: &Size) {
    agree(name, cases, |seed| world(seed, size));
}

fn agree(name: &str, cases: u64, world: impl Fn(u64) -> World + Sync) {
    let seen = Mutex::new(Seen::default());
    each(name, cases, |seed| {
        let world = world(seed);
        let snapshot = world.snapshot();
        let Ok(verdict) = best(&snapshot) else {
            seen.lock().unwrap().too_large += 1;
            return Ok(());
        };
        let answer = solve(&snapshot, &Settings::default());
        let refused = match compare(&snapshot, &answer, &verdict) {
            Ok(refused) => refused,
            Err(what) => {
                let (small, why) = shrink(&world, wrong);
                return Err(format!("{what}\n{world}\nSmaller: {}\n{small}", why.unwrap_or_default()));
            }
        };
        let mut seen = seen.lock().unwrap();
        match (refused, verdict) {
            (Some(refusal), _) => *seen.refused.entry(refusal).or_default() += 1,
            (None, Verdict::Infeasible) => seen.infeasible += 1,
            (None, Verdict::Undefined(_)) => seen.undefined += 1,
            (None, Verdict::Best(_)) => seen.optimal += 1,
        }
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    let refused: u64 = seen.refused.values().sum();
    assert!(refused * 8 <= seen.infeasible + seen.optimal + seen.undefined, "too many models are refused: {seen:?}");
    assert!(seen.too_large * 50 <= seen.optimal, "too many models are too large to be enumerated: {seen:?}");
}
