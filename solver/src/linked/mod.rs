//! Large programs that take one column of each group, tied together by few rows: a hundred components, each with
//! thousands of choices of offer and cardinality, under budgets, capacities and quotas.
//!
//! The rows are relaxed with multipliers (Lagrange), which leaves a minimum for each group. The multipliers come from the
//! linear program over the columns seen so far, to which every group adds its cheapest column at the current ones (the
//! "sifting" of Bixby et al. 1992, "Very large-scale linear programming"), or, without an engine, from subgradient steps
//! (Held, Wolfe and Crowder 1974). Their sum of minima is a bound whatever they are. A placement is built from them and
//! improved by moves of one and two groups ([`mod@improve`]). A column whose reduced cost lifts the bound above that
//! placement is in no better one and is closed; what is left is a thousandth of the program.

mod dual;
mod improve;
#[cfg(test)]
mod tests;

use crate::engine::{Limits, Milp};

/// Groups of columns, one of each to be taken, and the rows that link them.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The columns of each group: first and number.
    groups: Vec<(usize, usize)>,
    cost: Vec<f64>,
    /// Columns that may be taken.
    open: Vec<bool>,
    /// Where the entries of each column begin; one more than there are columns.
    start: Vec<u32>,
    row: Vec<u32>,
    value: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// No solution has a smaller objective.
    pub bound: f64,
    /// The best solution found, by group the column that is taken, and its objective.
    pub best: Option<(Vec<usize>, f64)>,
    /// What taking each column adds to the bound at least.
    pub reduced: Vec<f64>,
    /// What the linear relaxation takes of each column: (column, share above 0); empty without an engine.
    pub shares: Vec<(usize, f64)>,
}

impl Found {
    /// How far the two are apart, relative to the solution.
    pub fn gap(&self) -> f64 {
        self.best.as_ref().map_or(f64::INFINITY, |(_, value)| (value - self.bound).max(0.0) / value.abs().max(1e-9))
    }
}

impl Linked {
    /// The structure of a program whose objective is in its costs: `None` when some column is in no group or a group
    /// takes more than one.
    pub fn of(milp: &Milp, groups: &[(usize, usize)]) -> Option<Self> {
        let columns = milp.columns();
        let mut group = vec![u32::MAX; columns];
        for (i, (first, length)) in groups.iter().enumerate() {
            let columns = *first..first + length;
            for (column, own) in columns.clone().zip(group.get_mut(columns)?) {
                let is_choice = milp.integer[column] && milp.lower[column] == 0.0 && milp.upper[column] <= 1.0;
                if !is_choice || *own != u32::MAX {
                    return None;
                }
                *own = i as u32;
            }
        }
        if group.contains(&u32::MAX) {
            return None;
        }
        let links: Vec<usize> = (0..milp.rows()).filter(|row| !is_choice(milp, *row, groups, &group)).collect();
        let mut linked = Linked {
            groups: groups.to_vec(),
            cost: milp.cost.clone(),
            open: milp.upper.iter().map(|upper| *upper > 0.0).collect(),
            start: vec![0; columns + 1],
            row: Vec::new(),
            value: Vec::new(),
            lower: links.iter().map(|row| milp.row_lower[*row]).collect(),
            upper: links.iter().map(|row| milp.row_upper[*row]).collect(),
        };
        linked.turn(milp, &links);
        Some(linked)
    }

    /// Takes the entries of the linking rows over, column by column.
    fn turn(&mut self, milp: &Milp, links: &[usize]) {
        for row in links {
            entries(milp, *row).for_each(|(column, _)| self.start[column + 1] += 1);
        }
        for column in 1..self.start.len() {
            self.start[column] += self.start[column - 1];
        }
        let total = self.start.last().map_or(0, |n| *n as usize);
        (self.row, self.value) = (vec![0; total], vec![0.0; total]);
        let mut next = self.start.clone();
        for (link, row) in links.iter().enumerate() {
            for (column, x) in entries(milp, *row) {
                let at = next[column] as usize;
                (self.row[at], self.value[at]) = (link as u32, x);
                next[column] += 1;
            }
        }
    }

    /// The number of rows that link the groups.
    pub fn links(&self) -> usize {
        self.lower.len()
    }

    /// The rows that a column stands in, with its coefficients.
    fn entries(&self, column: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        let range = self.start[column] as usize..self.start[column + 1] as usize;
        self.row[range.clone()].iter().zip(&self.value[range]).map(|(row, x)| (*row as usize, *x))
    }

    fn columns_of(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        let (first, length) = self.groups[group];
        (first..first + length).filter(|column| self.open[*column])
    }

    /// Finds multipliers, a bound and a solution. Stops when their gap is at most `limits.relative_gap`, or the absolute
    /// one at most `limits.absolute_gap`.
    pub fn solve(&self, limits: &Limits) -> Option<Found> {
        if (0..self.groups.len()).any(|g| self.columns_of(g).next().is_none()) {
            return None;
        }
        let dual = dual::sift(self, limits).unwrap_or_else(|| dual::climb(self, limits));
        let best = improve::build(self, &dual, limits);
        Some(Found { bound: dual.bound, best, reduced: dual.reduced, shares: dual.shares })
    }

    /// What a choice of one column in each group costs.
    fn value_of(&self, choice: &[usize]) -> f64 {
        choice.iter().map(|column| self.cost[*column]).sum()
    }
}

/// The entries of a row.
fn entries(milp: &Milp, row: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
    let begin = milp.row_start[row] as usize;
    let end = milp.row_start.get(row + 1).map_or(milp.index.len(), |e| *e as usize);
    (begin..end).map(|k| (milp.index[k] as usize, milp.value[k]))
}

/// True for the row that says that one column of a group is taken.
fn is_choice(milp: &Milp, row: usize, groups: &[(usize, usize)], group: &[u32]) -> bool {
    if milp.row_lower[row] != 1.0 || milp.row_upper[row] != 1.0 {
        return false;
    }
    let Some((first, _)) = entries(milp, row).next() else { return false };
    let (begin, length) = groups[group[first] as usize];
    let inside = |(column, x): (usize, f64)| x == 1.0 && (begin..begin + length).contains(&column);
    entries(milp, row).count() == length && entries(milp, row).all(inside)
}
