//! A solution from multipliers: the linear program's largest shares, repaired until every row holds, then improved by
//! moves of one group and of two.

use super::Linked;
use super::dual::Dual;
use crate::engine::Limits;

/// The columns of least reduced cost that are tried in each group, for moves of one.
const CANDIDATES: usize = 400;
/// The same for moves of two groups.
const CANDIDATES_OF_TWO: usize = 24;
/// Moves of a repair at most, as a multiple of the number of groups.
const REPAIRS: usize = 10;
/// Rounds over all pairs of groups at most.
const ROUNDS_OF_TWO: usize = 3;
/// A row holds within this, relative to its limit.
const SLACK: f64 = 1e-9;

/// The best solution found, with its objective; `None` when the repair gave up.
pub(super) fn build(linked: &Linked, dual: &Dual, limits: &Limits) -> Option<(Vec<usize>, f64)> {
    let mut search = Search::new(linked, dual, limits);
    if !search.repair() {
        return None;
    }
    search.improve();
    let value = linked.value_of(&search.choice);
    Some((search.choice, value))
}

struct Search<'a> {
    linked: &'a Linked,
    limits: &'a Limits,
    bound: f64,
    /// By group, columns with their reduced cost, least first.
    candidates: Vec<Vec<(f64, usize)>>,
    choice: Vec<usize>,
    used: Vec<f64>,
    /// What breaking a row by one unit counts.
    weight: Vec<f64>,
    /// Scratch: changes of rows.
    change: Vec<f64>,
    touched: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(linked: &'a Linked, dual: &Dual, limits: &'a Limits) -> Self {
        let candidates: Vec<Vec<(f64, usize)>> = (0..linked.groups.len())
            .map(|group| {
                let mut all: Vec<(f64, usize)> =
                    linked.columns_of(group).map(|column| (dual.reduced[column], column)).collect();
                let order = |a: &(f64, usize), b: &(f64, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
                if all.len() > CANDIDATES {
                    all.select_nth_unstable_by(CANDIDATES, order);
                    all.truncate(CANDIDATES);
                }
                all.sort_unstable_by(order);
                all
            })
            .collect();
        let mut choice: Vec<usize> = candidates.iter().map(|all| all[0].1).collect();
        let mut largest = vec![0.0; choice.len()];
        for (column, share) in &dual.shares {
            let group = linked.groups.partition_point(|(first, _)| first <= column) - 1;
            if *share > largest[group] {
                (largest[group], choice[group]) = (*share, *column);
            }
        }
        let used = linked.usage(&choice);
        let typical = dual.price.iter().fold(0.0f64, |a, p| a.max(p.abs()));
        let weight = dual.price.iter().map(|p| p.abs().max(1e-3 * typical).max(1e-9)).collect();
        let rows = linked.links();
        let bound = dual.bound;
        Search { linked, limits, bound, candidates, choice, used, weight, change: vec![0.0; rows], touched: Vec::new() }
    }

    /// By how much a row would be broken.
    fn broken(&self, row: usize, used: f64) -> f64 {
        let slack = |limit: f64| SLACK * limit.abs().max(1.0);
        let (low, high) = (self.linked.lower[row], self.linked.upper[row]);
        if used > high + slack(high) {
            used - high
        } else if used < low - slack(low) {
            low - used
        } else {
            0.0
        }
    }

    /// Notes in `change` what taking a column instead of the group's present one changes.
    fn note(&mut self, group: usize, column: usize) {
        for (sign, column) in [(-1.0, self.choice[group]), (1.0, column)] {
            for (row, x) in self.linked.entries(column) {
                if self.change[row] == 0.0 {
                    self.touched.push(row);
                }
                self.change[row] += sign * x;
            }
        }
    }

    fn forget(&mut self) {
        for row in self.touched.drain(..) {
            self.change[row] = 0.0;
        }
    }

    /// How much more, weighted, would be broken after what is noted.
    fn harm(&self) -> f64 {
        let more = |row: &usize| {
            let (now, then) = (self.used[*row], self.used[*row] + self.change[*row]);
            self.weight[*row] * (self.broken(*row, then) - self.broken(*row, now))
        };
        // A row may be noted twice when a change cancels out on the way; its change then counts once.
        self.touched.iter().enumerate().filter(|(i, row)| !self.touched[..*i].contains(row)).map(|(_, r)| more(r)).sum()
    }

    /// True when no row is broken after what is noted that holds now.
    fn fits(&self) -> bool {
        self.touched.iter().all(|row| self.broken(*row, self.used[*row] + self.change[*row]) == 0.0)
    }

    fn take(&mut self, group: usize, column: usize) {
        let linked = self.linked;
        linked.entries(self.choice[group]).for_each(|(row, x)| self.used[row] -= x);
        linked.entries(column).for_each(|(row, x)| self.used[row] += x);
        self.choice[group] = column;
    }

    /// Moves that break less, the cheapest first for what they mend; a row that stays broken weighs more and more.
    fn repair(&mut self) -> bool {
        let groups = self.choice.len();
        for _ in 0..REPAIRS * groups {
            let broken: Vec<usize> =
                (0..self.used.len()).filter(|row| self.broken(*row, self.used[*row]) > 0.0).collect();
            if broken.is_empty() {
                return true;
            }
            if self.limits.reached() {
                return false;
            }
            let mut best: Option<(f64, usize, usize)> = None;
            for group in 0..groups {
                let touches = |column: usize| self.linked.entries(column).any(|(row, _)| broken.contains(&row));
                let now = self.choice[group];
                let is_part = touches(now);
                for at in 0..self.candidates[group].len() {
                    let (reduced, column) = self.candidates[group][at];
                    if column == now || (!is_part && !touches(column)) {
                        continue;
                    }
                    self.note(group, column);
                    let harm = self.harm();
                    self.forget();
                    let score = if harm < -1e-12 { (reduced + 1e-12) / -harm } else { f64::INFINITY };
                    if score < best.map_or(f64::INFINITY, |(s, ..)| s) {
                        best = Some((score, group, column));
                    }
                }
            }
            match best {
                Some((_, group, column)) => self.take(group, column),
                // Nothing helps: what is broken now weighs more, so that something else gives way.
                None => {
                    let heaviest = broken.iter().map(|row| self.weight[*row]).fold(0.0, f64::max);
                    if heaviest > 1e15 {
                        return false;
                    }
                    broken.iter().for_each(|row| self.weight[*row] *= 4.0);
                }
            }
        }
        false
    }

    /// Moves to lower costs that keep every row, until there are none.
    fn improve(&mut self) {
        for _ in 0..ROUNDS_OF_TWO {
            while self.move_one() {}
            if self.is_enough() || self.limits.reached() || !self.move_two() {
                return;
            }
        }
    }

    /// True when the solution is as near to the bound as is asked for.
    fn is_enough(&self) -> bool {
        let asked = self.limits.relative_gap / (1.0 + self.limits.relative_gap);
        self.linked.value_of(&self.choice) <= self.bound + asked.max(1e-9) * self.bound.abs()
    }

    fn gain(&self, group: usize, column: usize) -> f64 {
        self.linked.cost[self.choice[group]] - self.linked.cost[column]
    }

    fn move_one(&mut self) -> bool {
        let mut moved = false;
        for group in 0..self.choice.len() {
            let mut best: Option<(f64, usize)> = None;
            for at in 0..self.candidates[group].len() {
                let (_, column) = self.candidates[group][at];
                let gain = self.gain(group, column);
                if gain <= best.map_or(1e-12, |(g, _)| g) {
                    continue;
                }
                self.note(group, column);
                if self.fits() {
                    best = Some((gain, column));
                }
                self.forget();
            }
            if let Some((_, column)) = best {
                self.take(group, column);
                moved = true;
            }
        }
        moved
    }

    /// For each pair of groups the best move of both.
    fn move_two(&mut self) -> bool {
        let mut moved = false;
        for a in 0..self.choice.len() {
            if self.limits.reached() || self.is_enough() {
                return false;
            }
            for b in a + 1..self.choice.len() {
                if let Some((column, other)) = self.best_pair(a, b) {
                    self.take(a, column);
                    self.take(b, other);
                    moved = true;
                }
            }
        }
        moved
    }

    fn best_pair(&mut self, a: usize, b: usize) -> Option<(usize, usize)> {
        let few = |all: &Vec<(f64, usize)>| all.len().min(CANDIDATES_OF_TWO);
        let (in_a, in_b) = (few(&self.candidates[a]), few(&self.candidates[b]));
        let mut best: Option<(f64, usize, usize)> = None;
        for i in 0..in_a {
            let column = self.candidates[a][i].1;
            for j in 0..in_b {
                let other = self.candidates[b][j].1;
                let gain = self.gain(a, column) + self.gain(b, other);
                if gain <= best.map_or(1e-12, |(g, ..)| g) {
                    continue;
                }
                self.note(a, column);
                self.note(b, other);
                if self.fits() {
                    best = Some((gain, column, other));
                }
                self.forget();
            }
        }
        best.map(|(_, column, other)| (column, other))
    }
}
