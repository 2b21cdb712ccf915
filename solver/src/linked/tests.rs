//! Bounds and solutions against enumeration.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::engine::Engine;

/// A stream of small numbers that a seed determines (Park and Miller).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, most: u64) -> f64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        (self.0 % (most + 1)) as f64
    }
}

/// Groups under rows of every kind, and some columns that are closed.
fn random(seed: u64) -> (Milp, Vec<(usize, usize)>) {
    let mut numbers = Numbers(seed * 7919 + 1);
    let (mut milp, mut groups) = (Milp::default(), Vec::new());
    let count = 2 + numbers.next(3) as usize;
    for _ in 0..count {
        let length = 1 + numbers.next(5) as usize;
        groups.push((milp.columns(), length));
        for _ in 0..length {
            let column = milp.add_column(0.0, 1.0, true);
            milp.cost[column] = numbers.next(40) - 8.0;
        }
    }
    for (first, length) in &groups {
        milp.add_row(1.0, 1.0, (*first..first + length).map(|column| (column, 1.0)));
    }
    for kind in 0..1 + numbers.next(3) as usize {
        let entries: Vec<(usize, f64)> = (0..milp.columns())
            .map(|column| (column, numbers.next(9) * (numbers.next(2) > 0.0) as u8 as f64))
            .collect();
        let limit = numbers.next(9 * count as u64);
        let (low, high) = match kind {
            0 => (f64::NEG_INFINITY, limit),
            1 => (limit / 2.0, f64::INFINITY),
            2 => (limit / 3.0, limit + 3.0),
            _ => (limit, limit),
        };
        milp.add_row(low, high, entries);
    }
    if numbers.next(3) == 0.0 && groups[0].1 > 1 {
        milp.upper[0] = 0.0;
    }
    (milp, groups)
}

/// All solutions with their objective.
fn all(milp: &Milp, groups: &[(usize, usize)]) -> Vec<(Vec<usize>, f64)> {
    let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
    for (first, length) in groups {
        let extend = |choice: &Vec<usize>| {
            let each = (*first..first + length).filter(|column| milp.upper[*column] > 0.0);
            each.map(|column| choice.iter().copied().chain([column]).collect()).collect::<Vec<Vec<usize>>>()
        };
        choices = choices.iter().flat_map(extend).collect();
    }
    let valued = choices.into_iter().filter_map(|choice| {
        let mut x = vec![0.0; milp.columns()];
        choice.iter().for_each(|column| x[*column] = 1.0);
        crate::engine::check(milp, &mut x).is_ok().then(|| (choice, milp.objective(&x)))
    });
    valued.collect()
}

#[test]
fn bounds_hold_and_nothing_better_is_closed() {
    let (mut solved, mut solvable, mut optimal) = (0, 0, 0);
    for seed in 0..4_000 {
        let (milp, groups) = random(seed);
        let Some(linked) = Linked::of(&milp, &groups) else { panic!("seed {seed}: the structure is there") };
        let all = all(&milp, &groups);
        let least = all.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        for engine in [Engine::On, Engine::Off] {
            let Some(found) = linked.solve(&Limits { engine, ..Limits::default() }) else {
                assert!(all.is_empty(), "seed {seed}");
                continue;
            };
            assert!(found.bound <= least + 1e-6, "seed {seed}: bound {} above {least}", found.bound);
            for (choice, value) in &all {
                for column in choice {
                    let at_least = found.bound + found.reduced[*column];
                    assert!(at_least <= value + 1e-6, "seed {seed}: column {column}, {at_least} above {value}");
                }
            }
            solvable += usize::from(!all.is_empty());
            let Some((choice, value)) = found.best else { continue };
            let same = all.iter().find(|(known, _)| *known == choice);
            assert!(same.is_some_and(|(_, known)| (known - value).abs() < 1e-9), "seed {seed}: {choice:?} at {value}");
            solved += 1;
            optimal += usize::from(value <= least + 1e-9);
        }
    }
    println!("{solved} of {solvable} solved, {optimal} of them to the optimum");
    assert!(solved * 10 >= solvable * 9, "only {solved} of {solvable} solved");
}

#[test]
fn other_programs_are_left_alone() {
    let (mut milp, groups) = random(1);
    milp.add_column(0.0, 1.0, true);
    assert!(Linked::of(&milp, &groups).is_none());
    let (mut milp, groups) = random(1);
    milp.upper[0] = 2.0;
    assert!(Linked::of(&milp, &groups).is_none());
}
