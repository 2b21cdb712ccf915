//! Metamorphic laws on models that are too large to be enumerated: a change whose effect is known has that effect.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Status;
use cardinal_solver::{Settings, SolveError, solve};
use cardinal_tests::agreement::{is_sound, same};
use cardinal_tests::cases::each;
use cardinal_tests::draw::Draw;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::laws;
use cardinal_tests::world::World;

const SIZE: Size = Size { components: 4, offers: 14, instances: 5, constraints: 2, nonlinear: false, ..Size::SMALL };

/// Few models take longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is compared of an answer.
#[derive(Clone, Debug)]
enum Answer {
    Infeasible,
    Undefined,
    Best { utility: f64, best: Vec<f64>, cost: i64, nodes: u64, ties_open: bool },
}

/// The answer; `None` when the model is refused, or not solved in time: laws are about proven answers.
fn answer(snapshot: &Snapshot) -> Result<Option<Answer>, String> {
    match solve(snapshot, &Settings { time_limit: Some(PATIENCE), ..Settings::default() }) {
        Ok(outcome) => match (outcome.status, outcome.solution) {
            (Status::Infeasible, None) => Ok(Some(Answer::Infeasible)),
            (Status::Optimal, Some(solution)) => {
                is_sound(snapshot, &solution)?;
                Ok(Some(Answer::Best {
                    utility: solution.utility,
                    best: solution.objectives.iter().map(|one| one.best).collect(),
                    cost: solution.cost.nanos(),
                    nodes: solution.placement.nodes(),
                    ties_open: outcome.report.effort.ties_open,
                }))
            }
            (Status::Feasible, Some(solution)) => is_sound(snapshot, &solution).map(|()| None),
            (Status::Unknown, None) => Ok(None),
            (status, _) => Err(format!("the status is {}", status.as_str())),
        },
        Err(SolveError::Undefined(_) | SolveError::Missing(_)) => Ok(Some(Answer::Undefined)),
        Err(SolveError::Unsupported { .. } | SolveError::TooManyPatterns) => Ok(None),
        Err(other) => Err(other.to_string()),
    }
}

/// The two answers are equally good.
fn equal(a: &Answer, b: &Answer, cost_factor: i64) -> bool {
    match (a, b) {
        (Answer::Infeasible, Answer::Infeasible) | (Answer::Undefined, Answer::Undefined) => true,
        (
            Answer::Best { utility: u, cost: c, nodes: n, ties_open: x, .. },
            Answer::Best { utility: v, cost: d, nodes: m, ties_open: y, .. },
        ) => {
            let priced = if cost_factor == 1 { *u } else { u * cost_factor as f64 };
            same(priced, *v) && (*x || *y || (c * cost_factor == *d && n == m))
        }
        _ => false,
    }
}

/// Checks a law on every generated world on which it applies and that is not refused.
fn law(name: &str, cases: u64, check: impl Fn(&World, &Answer, &mut Draw) -> Result<bool, String> + Sync) {
    let applied = AtomicU64::new(0);
    each(name, cases, |seed| {
        let world = world(seed, &SIZE);
        let explain = |what: String| format!("{what}\n{world}");
        let Some(first) = answer(&world.snapshot()).map_err(explain)? else { return Ok(()) };
        let mut draw = Draw::new(seed ^ 0x5eed);
        if check(&world, &first, &mut draw).map_err(|what| format!("{what}\n{world}"))? {
            applied.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });
    println!("{name}: applied to {} of {cases} models", applied.into_inner());
}

fn expect_equal(first: &Answer, changed: &World, cost_factor: i64) -> Result<bool, String> {
    let Some(second) = answer(&changed.snapshot())? else { return Ok(false) };
    match equal(first, &second, cost_factor) {
        true => Ok(true),
        false => Err(format!("{first:?}\nbecomes {second:?} with\n{changed}")),
    }
}

#[test]
fn the_order_of_offers_changes_nothing() {
    law("order of offers", 400, |world, first, draw| {
        let shuffled = laws::offers_shuffled(world, draw);
        expect_equal(first, &shuffled, 1)
    });
}

#[test]
fn the_order_of_components_changes_nothing() {
    law("order of components", 400, |world, first, draw| {
        let shuffled = laws::components_shuffled(world, draw);
        expect_equal(first, &shuffled, 1)
    });
}

#[test]
fn prices_scale_the_cost() {
    law("prices", 2_500, |world, first, _| {
        if !laws::is_silent_about_prices(world) {
            return Ok(false);
        }
        expect_equal(first, &laws::prices_times(world, 2), 2)
    });
}

#[test]
fn a_dominated_offer_changes_nothing() {
    law("dominated offer", 2_500, |world, first, draw| {
        if !laws::is_silent_about_prices(world) {
            return Ok(false);
        }
        expect_equal(first, &laws::with_dominated_offer(world, draw), 1)
    });
}

/// The second answer is no worse than the first.
fn expect_no_worse(world: &World, first: &Answer, looser: &World) -> Result<bool, String> {
    let Some(second) = answer(&looser.snapshot())? else { return Ok(false) };
    let application = world.application();
    // The first objective whose best value differs decides.
    let no_worse = |a: &[f64], b: &[f64]| {
        let mut all = application.objectives().zip(a.iter().zip(b));
        let first = all.find(|(_, (u, v))| !same(**u, **v));
        first.is_none_or(|(objective, (u, v))| objective.direction.sign() * (v - u) > 0.0)
    };
    let holds = match (first, &second) {
        (Answer::Best { best: a, .. }, Answer::Best { best: b, .. }) => no_worse(a, b),
        (Answer::Best { .. }, _) => false,
        _ => true,
    };
    if holds { Ok(true) } else { Err(format!("{first:?}\nbecomes {second:?} with\n{looser}")) }
}

#[test]
fn a_rule_less_makes_nothing_worse() {
    law("a rule less", 300, |world, first, _| {
        laws::relaxed(world).iter().try_fold(false, |any, looser| Ok(any | expect_no_worse(world, first, looser)?))
    });
}

#[test]
fn slack_makes_nothing_worse() {
    law("slack", 600, |world, first, _| {
        laws::slackened(world).iter().try_fold(false, |any, looser| Ok(any | expect_no_worse(world, first, looser)?))
    });
}

#[test]
fn the_same_input_gives_the_same_placement() {
    each("determinism", 300, |seed| {
        let snapshot = world(seed, &Size::SMALL).snapshot();
        let placement = || solve(&snapshot, &Settings::default()).ok().map(|o| o.solution.map(|s| s.placement));
        let (first, second) = (placement(), placement());
        if first == second { Ok(()) } else { Err(format!("{first:?}, then {second:?}")) }
    });
}
