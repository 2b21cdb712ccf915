//! Solutions of any integer program without an engine: jumps of single columns, of one choice of a group to another, and
//! of a unit from one column to another, that break less, with weights on the rows that stay broken (after the
//! feasibility jump of Luteberget and Sartor 2022); then the same moves towards a lower objective.
//!
//! It proves nothing but the bound that the columns' own bounds give, finds solutions where they are not rare, and is
//! meant as the net under the engine.

use crate::engine::{Limits, Milp};

/// Moves towards a solution at most.
const REPAIRS_MAX: usize = 4_000;
/// Rounds of improvement at most.
const ROUNDS_MAX: usize = 200;
/// Of a broken row so many columns are tried in a move.
const TRIED_MAX: usize = 300;
/// A row holds within this, relative to its limit.
const SLACK: f64 = 1e-9;

/// A solution with its objective, and a lower bound on the objective. The groups are runs of columns (first and number)
/// of which exactly one is 1.
pub fn solve(milp: &Milp, groups: &[(usize, usize)], limits: &Limits) -> (Option<(Vec<f64>, f64)>, f64) {
    let mut jump = Jump::new(milp, groups);
    let bound = jump.bound(groups);
    if !jump.repair(limits) {
        return (None, bound);
    }
    jump.improve(limits);
    let value = milp.objective(&jump.x);
    (Some((jump.x, value)), bound)
}

/// Changes of columns that belong together.
type Move = [(usize, f64); 2];

struct Jump<'a> {
    milp: &'a Milp,
    /// By column the group that it is in: first column and number.
    group: Vec<Option<(usize, usize)>>,
    /// By column its rows.
    rows: Vec<Vec<(usize, f64)>>,
    x: Vec<f64>,
    activity: Vec<f64>,
    weight: Vec<f64>,
    change: Vec<f64>,
    touched: Vec<usize>,
}

impl<'a> Jump<'a> {
    fn new(milp: &'a Milp, groups: &[(usize, usize)]) -> Self {
        let mut group = vec![None; milp.columns()];
        for (first, length) in groups {
            group[*first..first + length].fill(Some((*first, *length)));
        }
        let mut rows = vec![Vec::new(); milp.columns()];
        for row in 0..milp.rows() {
            entries(milp, row).for_each(|(column, a)| rows[column].push((row, a)));
        }
        let mut x: Vec<f64> = milp.lower.iter().zip(&milp.upper).map(|(low, high)| 0f64.max(*low).min(*high)).collect();
        for (first, length) in groups {
            let open = (*first..first + length).filter(|column| milp.upper[*column] >= 1.0);
            let cheapest = open.min_by(|a, b| milp.cost[*a].total_cmp(&milp.cost[*b]));
            cheapest.into_iter().for_each(|column| x[column] = 1.0);
        }
        let activity = (0..milp.rows()).map(|row| entries(milp, row).map(|(c, a)| a * x[c]).sum()).collect();
        let (weight, change) = (vec![1.0; milp.rows()], vec![0.0; milp.rows()]);
        Jump { milp, group, rows, x, activity, weight, change, touched: Vec::new() }
    }

    /// The least that the objective is over the bounds of the columns and the groups alone.
    fn bound(&self, groups: &[(usize, usize)]) -> f64 {
        let milp = self.milp;
        let of_group = |(first, length): &(usize, usize)| {
            let open = (*first..first + length).filter(|column| milp.upper[*column] >= 1.0);
            open.map(|column| milp.cost[column]).fold(f64::INFINITY, f64::min)
        };
        let alone = (0..milp.columns()).filter(|column| self.group[*column].is_none() && milp.cost[*column] != 0.0);
        let of_column = |c: usize| (milp.cost[c] * milp.lower[c]).min(milp.cost[c] * milp.upper[c]);
        let bound = groups.iter().map(of_group).sum::<f64>() + alone.map(of_column).sum::<f64>();
        bound - 1e-9 * bound.abs()
    }

    /// By how much a row is broken at an activity, relative to its limit.
    fn broken(&self, row: usize, activity: f64) -> f64 {
        let (low, high) = (self.milp.row_lower[row], self.milp.row_upper[row]);
        let size = |limit: f64| limit.abs().max(1.0);
        if activity > high + SLACK * size(high) {
            (activity - high) / size(high)
        } else if activity < low - SLACK * size(low) {
            (low - activity) / size(low)
        } else {
            0.0
        }
    }

    fn note(&mut self, step: &Move) {
        for (column, delta) in step {
            for (row, a) in &self.rows[*column] {
                if !self.touched.contains(row) {
                    self.touched.push(*row);
                }
                self.change[*row] += a * delta;
            }
        }
    }

    fn forget(&mut self) {
        for row in self.touched.drain(..) {
            self.change[row] = 0.0;
        }
    }

    /// How much more is broken after a move, weighted.
    fn harm(&mut self, step: &Move) -> f64 {
        self.note(step);
        let more = |row: &usize| {
            let then = self.broken(*row, self.activity[*row] + self.change[*row]);
            self.weight[*row] * (then - self.broken(*row, self.activity[*row]))
        };
        let harm = self.touched.iter().map(more).sum();
        self.forget();
        harm
    }

    fn take(&mut self, step: &Move) {
        for (column, delta) in step {
            self.x[*column] += delta;
            for (row, a) in &self.rows[*column] {
                self.activity[*row] += a * delta;
            }
        }
    }

    fn cost(&self, step: &Move) -> f64 {
        step.iter().map(|(column, delta)| self.milp.cost[*column] * delta).sum()
    }

    /// The move that changes a column; in a group its column becomes the one that is taken.
    fn step(&self, column: usize, delta: f64) -> Option<Move> {
        let milp = self.milp;
        let delta = if milp.integer[column] { delta.round() } else { delta };
        let value = (self.x[column] + delta).max(milp.lower[column]).min(milp.upper[column]);
        let delta = value - self.x[column];
        if delta == 0.0 {
            return None;
        }
        let Some((first, length)) = self.group[column] else { return Some([(column, delta), (column, 0.0)]) };
        // Another column of the group is taken by a move of its own.
        let taken = (first..first + length).find(|c| self.x[*c] > 0.5)?;
        (delta > 0.0).then_some([(column, 1.0), (taken, -1.0)])
    }

    /// The moves that bring a row nearer to its limits by a column.
    fn helpful(&self, row: usize, column: usize, a: f64, moves: &mut Vec<Move>) {
        let missing = if self.activity[row] < self.milp.row_lower[row] {
            self.milp.row_lower[row] - self.activity[row]
        } else {
            self.milp.row_upper[row] - self.activity[row]
        };
        let exact = missing / a;
        let whole = if exact > 0.0 { exact.ceil() } else { exact.floor() };
        let delta = if self.milp.integer[column] { whole } else { exact };
        moves.extend(self.step(column, delta));
        moves.extend(self.step(column, delta.signum()));
        if self.group[column].is_some() && self.x[column] > 0.5 {
            // The taken column of a group makes way for each of the others.
            let (first, length) = self.group[column].unwrap_or((column, 1));
            let stride = (length / TRIED_MAX).max(1);
            moves.extend((first..first + length).step_by(stride).filter_map(|other| self.step(other, 1.0)));
        }
    }

    /// Moves that break less until nothing is broken; a row that stays broken weighs more and more.
    fn repair(&mut self, limits: &Limits) -> bool {
        let mut moves = Vec::new();
        for turn in 0..REPAIRS_MAX {
            let broken: Vec<usize> =
                (0..self.activity.len()).filter(|row| self.broken(*row, self.activity[*row]) > 0.0).collect();
            let Some(row) = broken.get(turn % broken.len().max(1)).copied() else { return true };
            if limits.reached() {
                return false;
            }
            moves.clear();
            let columns: Vec<(usize, f64)> = entries(self.milp, row).filter(|(_, a)| *a != 0.0).collect();
            let stride = (columns.len() / TRIED_MAX).max(1);
            for (column, a) in columns.iter().skip(turn % stride).step_by(stride) {
                self.helpful(row, *column, *a, &mut moves);
            }
            let mut best: Option<(f64, f64, Move)> = None;
            for step in &moves {
                let (harm, cost) = (self.harm(step), self.cost(step));
                if best.as_ref().is_none_or(|(h, c, _)| harm < h - 1e-12 || (harm <= h + 1e-12 && cost < *c)) {
                    best = Some((harm, cost, *step));
                }
            }
            match best {
                Some((harm, _, step)) if harm < -1e-12 => self.take(&step),
                other => {
                    broken.iter().for_each(|row| self.weight[*row] *= 1.5);
                    // What this row needs most, whatever it breaks: its weight decides later.
                    if let Some((_, _, step)) = other.filter(|_| turn % 3 == 2) {
                        self.take(&step);
                    }
                }
            }
        }
        false
    }

    /// Moves to a lower objective that break nothing.
    fn improve(&mut self, limits: &Limits) {
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for column in 0..self.x.len() {
                if limits.reached() {
                    return;
                }
                let delta = if self.milp.cost[column] > 0.0 && self.group[column].is_none() { -1.0 } else { 1.0 };
                moved |= self.step(column, delta).is_some_and(|step| self.gain(&step));
            }
            // A unit of one column for a unit of another.
            let used: Vec<usize> =
                (0..self.x.len()).filter(|c| self.group[*c].is_none() && self.x[*c] > self.milp.lower[*c]).collect();
            for from in used {
                for to in 0..self.x.len() {
                    let is_cheaper = self.milp.cost[to] < self.milp.cost[from];
                    let has_room =
                        self.x[to] + 1.0 <= self.milp.upper[to] && self.x[from] - 1.0 >= self.milp.lower[from];
                    let both = is_cheaper && has_room && self.group[to].is_none() && to != from;
                    moved |= both && self.gain(&[(from, -1.0), (to, 1.0)]);
                }
                if limits.reached() {
                    return;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Takes a move that lowers the objective and breaks nothing.
    fn gain(&mut self, step: &Move) -> bool {
        let gains = self.cost(step) < -1e-12 && self.harm(step) <= 0.0;
        if gains {
            self.take(step);
        }
        gains
    }
}

/// The entries of a row.
fn entries(milp: &Milp, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let begin = milp.row_start[row] as usize;
    let end = milp.row_start.get(row + 1).map_or(milp.index.len(), |e| *e as usize);
    (begin..end).map(|k| (milp.index[k] as usize, milp.value[k]))
}
