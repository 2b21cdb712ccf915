//! Pareto fronts against exhaustive enumeration.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use cardinal_models::application::Objective;
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::resolve::load;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::verify::verify;
use cardinal_solver::pareto::{Front, POINTS_MAX, RESOLUTION, read_goals};
use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::same;
use cardinal_tests::cases::each;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::admissible;

/// The two objectives, made to losses: the smaller the better.
fn losses(goals: &[Objective; 2], values: [f64; 2]) -> [f64; 2] {
    [-goals[0].direction.sign() * values[0], -goals[1].direction.sign() * values[1]]
}

/// Every value that no other dominates, by looking at all placements; ascending in the first loss.
fn enumerated(snapshot: &Snapshot, goals: &[Objective; 2]) -> Option<Vec<[f64; 2]>> {
    let evaluator = Evaluator::new(snapshot);
    let mut all: Vec<[f64; 2]> = admissible(snapshot)
        .ok()?
        .iter()
        .filter_map(|placement| {
            let value = |goal: &Objective| evaluator.number(&goal.formula, placement).ok();
            Some(losses(goals, [value(&goals[0])?, value(&goals[1])?]))
        })
        .collect();
    all.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    let mut front: Vec<[f64; 2]> = Vec::new();
    for values in all {
        if front.last().is_none_or(|last| values[1] < last[1] && !same(values[1], last[1])) {
            // What is the same in the first objective and better in the second takes the place of the one before.
            if front.last().is_some_and(|last| same(values[0], last[0])) {
                front.pop();
            }
            front.push(values);
        }
    }
    Some(front)
}

fn solved(snapshot: &Snapshot, goals: &[Objective; 2], points: usize, resolution: f64) -> Front {
    let mut front = Front::new(snapshot, goals.clone(), points, resolution);
    while let Some(task) = front.ask() {
        let answer = solve(&task.snapshot, &Settings::default());
        front.record(&task, answer);
    }
    front
}

#[test]
fn the_front_is_that_of_all_placements() {
    let (judged, points, refused) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    each("fronts", 500, |seed| {
        let world = world(seed, &Size { several: seed % 2 == 0, ..Size::SMALL });
        let snapshot = world.snapshot();
        let (_, document, _) = load(&Source::new("generated", world.model.clone())).unwrap();
        let other = ["minimize node_count", "maximize number(total_cost) * 1", "maximize size", "minimize total_cost"];
        let texts = match seed % 3 {
            0 => vec!["utility".to_owned(), other[(seed / 3) as usize % 4].to_owned()],
            1 => vec!["minimize total_cost".to_owned(), other[(seed / 3) as usize % 3].to_owned()],
            _ => vec!["minimize total_cost".to_owned(), "utility".to_owned()],
        };
        let Ok(goals) = read_goals(&document, &snapshot.application, &texts) else { return Ok(()) };
        let Some(expected) = enumerated(&snapshot, &goals) else { return Ok(()) };
        let front = solved(&snapshot, &goals, POINTS_MAX, RESOLUTION);
        if front.failure().is_some() {
            refused.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let found: Vec<[f64; 2]> = front.points().iter().map(|p| losses(&goals, p.values)).collect();
        for point in front.points() {
            if let Some(violation) = verify(&snapshot, &point.solution.placement).first() {
                return Err(format!("a point breaks {violation}\n{world}"));
            }
        }
        if !front.is_complete() || front.is_infeasible() != expected.is_empty() {
            return Err(format!("not complete: {found:?}, expected {expected:?}\n{texts:?}\n{world}"));
        }
        // Points closer than the resolution are one.
        let range = |goal: usize| expected.last().map_or(0.0, |l| (l[goal] - expected[0][goal]).abs());
        let is_near = |a: &[f64; 2], b: &[f64; 2]| {
            (0..2).all(|goal| same(a[goal], b[goal]) || (a[goal] - b[goal]).abs() <= 3.0 * RESOLUTION * range(goal))
        };
        let misses = expected.iter().find(|e| !found.iter().any(|f| is_near(f, e)));
        let invents = found.iter().find(|f| !expected.iter().any(|e| is_near(f, e)));
        if misses.is_some() || invents.is_some() {
            return Err(format!("{found:?}, expected {expected:?}\n{texts:?}\n{world}"));
        }
        let doubled = found.windows(2).find(|pair| pair[0][0] >= pair[1][0] || pair[0][1] <= pair[1][1]);
        if let Some(pair) = doubled {
            return Err(format!("{pair:?} are no two points of a front\n{texts:?}\n{world}"));
        }
        judged.fetch_add(1, Ordering::Relaxed);
        points.fetch_add(found.len() as u64, Ordering::Relaxed);
        Ok(())
    });
    let (judged, points, refused) = (judged.into_inner(), points.into_inner(), refused.into_inner());
    println!("{judged} fronts with {points} points, {refused} refused or undefined");
    let is_single = std::env::var_os("CARDINAL_SEED").is_some();
    assert!(
        is_single || (points > judged && refused * 4 <= judged),
        "{judged} fronts, {points} points, {refused} refused"
    );
}

#[test]
fn fewer_points_are_points_of_the_whole_front() {
    each("coarse fronts", 200, |seed| {
        let world = world(seed, &Size { several: false, ..Size::SMALL });
        let snapshot = world.snapshot();
        let (_, document, _) = load(&Source::new("generated", world.model.clone())).unwrap();
        let texts = ["minimize total_cost".to_owned(), "maximize size * 3 - node_count".to_owned()];
        let goals = read_goals(&document, &snapshot.application, &texts).map_err(|e| e.to_string())?;
        let Some(expected) = enumerated(&snapshot, &goals) else { return Ok(()) };
        for (points, resolution) in [(3, RESOLUTION), (POINTS_MAX, 0.3)] {
            let front = solved(&snapshot, &goals, points, resolution);
            if front.failure().is_some() {
                return Ok(());
            }
            let found: Vec<[f64; 2]> = front.points().iter().map(|p| losses(&goals, p.values)).collect();
            let is_point = |f: &[f64; 2]| expected.iter().any(|e| same(e[0], f[0]) && same(e[1], f[1]));
            if !found.iter().all(is_point) || found.len() > points || !front.is_settled() {
                return Err(format!("{found:?} of {expected:?}\n{world}"));
            }
            if points == 3 && found.len() != expected.len().min(3) {
                return Err(format!("{} points of {}\n{world}", found.len(), expected.len()));
            }
        }
        Ok(())
    });
}
