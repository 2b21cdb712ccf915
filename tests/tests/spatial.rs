//! Formulas that mix mixed fleets and shared nodes nonlinearly, by branch and bound over boxes of sums: against exhaustive
//! enumeration, and against the program of tables where that is small enough.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use cardinal_models::solution::Status;
use cardinal_solver::{Nonlinear, Outcome, Settings, SolveError, solve};
use cardinal_tests::agreement::{compare, is_sound, same};
use cardinal_tests::cases::each;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::{Verdict, best};
use cardinal_tests::shrink::shrink;
use cardinal_tests::world::World;

#[derive(Debug, Default)]
struct Seen {
    judged: u64,
    infeasible: u64,
    nodes: u64,
    most_nodes: u64,
    ties_open: u64,
    refused: u64,
    too_large: u64,
}

fn spatial() -> Settings {
    Settings { nonlinear: Nonlinear::Spatial, ..Settings::default() }
}

/// What is wrong with the answer.
fn wrong(world: &World) -> Option<String> {
    judge(world, &mut Seen::default()).err()
}

fn judge(world: &World, seen: &mut Seen) -> Result<(), String> {
    let snapshot = world.snapshot();
    let Ok(verdict) = best(&snapshot) else {
        seen.too_large += 1;
        return Ok(());
    };
    let answer = solve(&snapshot, &spatial());
    let refused = compare(&snapshot, &answer, &verdict)?;
    seen.refused += u64::from(refused.is_some());
    seen.judged += u64::from(refused.is_none());
    seen.infeasible += u64::from(verdict == Verdict::Infeasible);
    if let Ok(outcome) = answer {
        seen.nodes += outcome.report.effort.nodes;
        seen.most_nodes = seen.most_nodes.max(outcome.report.effort.nodes);
        seen.ties_open += u64::from(outcome.report.effort.ties_open);
    }
    Ok(())
}

fn agree(name: &str, cases: u64, size: &Size) -> Seen {
    let seen = Mutex::new(Seen::default());
    each(name, cases, |seed| {
        let world = world(seed, size);
        let mut own = Seen::default();
        judge(&world, &mut own).map_err(|what| {
            let (small, why) = shrink(&world, wrong);
            format!("{what}\n{world}\nSmaller: {}\n{small}", why.unwrap_or_default())
        })?;
        let mut seen = seen.lock().unwrap();
        seen.judged += own.judged;
        seen.infeasible += own.infeasible;
        seen.nodes += own.nodes;
        seen.most_nodes = seen.most_nodes.max(own.most_nodes);
        seen.ties_open += own.ties_open;
        seen.refused += own.refused;
        seen.too_large += own.too_large;
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    seen
}

#[test]
fn the_best_of_all_is_found_without_tables() {
    let seen = agree("the best of all is found without tables", 2_000, &Size::SMALL);
    assert!(seen.refused * 50 <= seen.judged, "too many models are refused: {seen:?}");
}

#[test]
fn the_best_of_all_is_found_where_formulas_mix_fleets() {
    let size = Size { across: true, ..Size::SMALL };
    let seen = agree("the best of all is found where formulas mix fleets", 2_000, &size);
    assert!(seen.refused * 50 <= seen.judged, "too many models are refused: {seen:?}");
}

/// Larger than can be enumerated: both ways of formulating agree on the optimum.
#[test]
fn tables_and_boxes_agree() {
    let size = Size { components: 3, offers: 10, instances: 6, across: true, ..Size::SMALL };
    let compared = Mutex::new(0);
    each("tables and boxes agree", 300, |seed| {
        let world = world(seed + 1_000_000, &size);
        let snapshot = world.snapshot();
        let limit = Some(std::time::Duration::from_secs(4));
        let tables = solve(&snapshot, &Settings { time_limit: limit, ..Settings::default() });
        let boxes = solve(&snapshot, &Settings { time_limit: limit, ..spatial() });
        let proven = |x: &Result<Outcome, SolveError>| match x {
            Ok(outcome) if outcome.status == Status::Optimal => outcome.solution.clone(),
            _ => None,
        };
        for outcome in [&tables, &boxes].into_iter().flatten() {
            if let Some(solution) = &outcome.solution {
                is_sound(&snapshot, solution).map_err(|what| format!("{what}\n{world}"))?;
            }
        }
        if let (Some(a), Some(b)) = (proven(&tables), proven(&boxes)) {
            *compared.lock().unwrap() += 1;
            // Of ordered objectives the best of each is the answer; an earlier one may end anywhere in its tolerance.
            if !a.objectives.iter().zip(&b.objectives).all(|(a, b)| same(a.best, b.best)) {
                return Err(format!("tables {}, boxes {}\n{world}", a.utility, b.utility));
            }
        }
        Ok(())
    });
    println!("{} compared", compared.into_inner().unwrap());
}
