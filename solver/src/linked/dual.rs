//! Multipliers of the linking rows, and the bound that they give.

use super::Linked;
use crate::engine::linear::{Column, LinearProgram};
use crate::engine::{Limits, Milp, RunStatus};

/// After so many linear programs the multipliers are taken as they are.
const ROUNDS_MAX: usize = 300;
/// The columns that a group adds in a round at most.
const COLUMNS_A_ROUND: usize = 2;
/// Subgradient steps at most.
const STEPS_MAX: usize = 400;
/// After so many steps without a better bound the step is halved.
const PATIENCE: usize = 8;

/// Multipliers with what follows from them.
#[derive(Clone, Debug)]
pub(super) struct Dual {
    /// What a unit of each linking row costs.
    pub(super) price: Vec<f64>,
    /// No solution has a smaller objective.
    pub(super) bound: f64,
    /// What taking each column adds to the bound at least; infinite for closed ones.
    pub(super) reduced: Vec<f64>,
    /// What the linear program takes of each column: (column, share), where one was solved.
    pub(super) shares: Vec<(usize, f64)>,
}

/// One look at all columns.
struct Look {
    bound: f64,
    /// By group the cheapest column at the prices.
    cheapest: Vec<usize>,
    least: Vec<f64>,
}

impl Linked {
    fn charged(&self, column: usize, price: &[f64]) -> f64 {
        self.cost[column] + self.entries(column).map(|(row, x)| price[row] * x).sum::<f64>()
    }

    /// The bound at given prices: the least charged cost of each group, less what the limits of the rows are worth. A
    /// price on the side of a row that has no limit would make it minus infinity and is taken as 0.
    fn look(&self, price: &[f64], mut each: impl FnMut(usize, usize, f64)) -> Look {
        let mut look = Look { bound: -self.worth(price), cheapest: Vec::new(), least: Vec::new() };
        for group in 0..self.groups.len() {
            let (mut cheapest, mut least) = (usize::MAX, f64::INFINITY);
            for column in self.columns_of(group) {
                let charged = self.charged(column, price);
                each(group, column, charged);
                if charged < least {
                    (cheapest, least) = (column, charged);
                }
            }
            look.bound += least;
            look.cheapest.push(cheapest);
            look.least.push(least);
        }
        look
    }

    fn worth(&self, price: &[f64]) -> f64 {
        let limit = |row: usize| if price[row] > 0.0 { self.upper[row] } else { self.lower[row] };
        (0..price.len()).filter(|row| price[*row] != 0.0).map(|row| price[row] * limit(row)).sum()
    }

    /// Prices only on sides that have a limit.
    fn allowed(&self, price: &mut [f64]) {
        for (row, p) in price.iter_mut().enumerate() {
            if (*p > 0.0 && self.upper[row].is_infinite()) || (*p < 0.0 && self.lower[row].is_infinite()) {
                *p = 0.0;
            }
        }
    }

    fn conclude(&self, price: Vec<f64>, shares: Vec<(usize, f64)>) -> Dual {
        let mut reduced = vec![f64::INFINITY; self.cost.len()];
        let look = self.look(&price, |_, column, charged| reduced[column] = charged);
        for (group, least) in look.least.iter().enumerate() {
            self.columns_of(group).for_each(|column| reduced[column] -= least);
        }
        // Sums of many terms are off by their last digits.
        let bound = look.bound - 1e-9 * look.bound.abs().max(1.0);
        Dual { price, bound, reduced, shares }
    }

    /// A size of costs above which a row is rather broken.
    fn penalty(&self) -> f64 {
        let spread = |group: usize| {
            let costs = || self.columns_of(group).map(|c| self.cost[c]);
            costs().fold(f64::NEG_INFINITY, f64::max) - costs().fold(f64::INFINITY, f64::min)
        };
        (0..self.groups.len()).map(spread).fold(1.0, f64::max)
    }
}

/// The multipliers of the linear relaxation, by linear programs over more and more columns; `None` when the engine fails.
pub(super) fn sift(linked: &Linked, limits: &Limits) -> Option<Dual> {
    let mut master = Master::new(linked)?;
    let (mut best, mut price) = (f64::NEG_INFINITY, vec![0.0; linked.links()]);
    let mut shares = Vec::new();
    for _ in 0..ROUNDS_MAX {
        if limits.reached() {
            break;
        }
        let run = master.program.solve(limits).ok()?;
        if run.status != RunStatus::Optimal {
            return None;
        }
        let mut now: Vec<f64> = run.duals[..linked.links()].iter().map(|dual| -dual).collect();
        linked.allowed(&mut now);
        let mut offers: Vec<Vec<(f64, usize)>> = vec![Vec::new(); linked.groups.len()];
        let look = linked.look(&now, |group, column, charged| {
            let best = &mut offers[group];
            if best.len() < COLUMNS_A_ROUND || charged < best[best.len() - 1].0 {
                let at = best.partition_point(|(c, _)| *c <= charged);
                best.insert(at, (charged, column));
                best.truncate(COLUMNS_A_ROUND);
            }
        });
        if look.bound > best {
            (best, price) = (look.bound, now);
        }
        shares = master.shares(&run.values);
        let tolerance = 1e-9 * run.objective.abs().max(1e-9);
        if run.objective - look.bound <= tolerance || !master.add(linked, &offers)? {
            break;
        }
    }
    Some(linked.conclude(price, shares))
}

/// The linear program over the columns seen so far.
struct Master {
    program: LinearProgram,
    /// The column of the whole program that each column stands for; `usize::MAX` for those that break a row at a price.
    of: Vec<usize>,
    known: Vec<bool>,
}

impl Master {
    fn new(linked: &Linked) -> Option<Self> {
        let mut milp = Milp::default();
        let penalty = linked.penalty() * 10.0;
        let mut of = Vec::new();
        for row in 0..linked.links() {
            let size = linked.row_size(row);
            let over = milp.add_column(0.0, f64::INFINITY, false);
            let under = milp.add_column(0.0, f64::INFINITY, false);
            (milp.cost[over], milp.cost[under]) = (penalty, penalty);
            milp.add_row(linked.lower[row], linked.upper[row], [(over, -size), (under, size)]);
            of.extend([usize::MAX, usize::MAX]);
        }
        for _ in &linked.groups {
            milp.add_row(1.0, 1.0, []);
        }
        let program = LinearProgram::new(&milp).ok()?;
        let mut master = Master { program, of, known: vec![false; linked.cost.len()] };
        let start = linked.look(&vec![0.0; linked.links()], |_, _, _| {});
        let first: Vec<Vec<(f64, usize)>> = start.cheapest.iter().map(|column| vec![(0.0, *column)]).collect();
        master.add(linked, &first)?;
        Some(master)
    }

    /// Adds columns; false when all of them are known.
    fn add(&mut self, linked: &Linked, offers: &[Vec<(f64, usize)>]) -> Option<bool> {
        let mut columns = Vec::new();
        for (group, offers) in offers.iter().enumerate() {
            for (_, column) in offers {
                if std::mem::replace(&mut self.known[*column], true) {
                    continue;
                }
                let mut entries: Vec<(usize, f64)> = linked.entries(*column).collect();
                entries.push((linked.links() + group, 1.0));
                columns.push(Column { cost: linked.cost[*column], lower: 0.0, upper: f64::INFINITY, entries });
                self.of.push(*column);
            }
        }
        self.program.add(&columns).ok()?;
        Some(!columns.is_empty())
    }

    fn shares(&self, values: &[f64]) -> Vec<(usize, f64)> {
        let taken = self.of.iter().zip(values).filter(|(column, x)| **column != usize::MAX && **x > 1e-9);
        taken.map(|(column, x)| (*column, *x)).collect()
    }
}

impl Linked {
    /// The size of a typical entry of a row.
    fn row_size(&self, row: usize) -> f64 {
        let limit = if self.upper[row].is_finite() { self.upper[row] } else { self.lower[row] };
        (limit.abs() / self.groups.len() as f64).max(1e-6)
    }
}

/// Multipliers by subgradient steps.
pub(super) fn climb(linked: &Linked, limits: &Limits) -> Dual {
    let rows = linked.links();
    let mut price = vec![0.0; rows];
    let (mut best, mut best_price) = (f64::NEG_INFINITY, price.clone());
    let (mut step, mut since) = (1.0, 0);
    let sizes: Vec<f64> = (0..rows).map(|row| linked.row_size(row)).collect();
    let reach = linked.penalty();
    for _ in 0..STEPS_MAX {
        if limits.reached() || rows == 0 {
            break;
        }
        let look = linked.look(&price, |_, _, _| {});
        if look.bound > best + 1e-7 * best.abs() {
            (best, since) = (look.bound, 0);
            best_price.clone_from(&price);
        } else {
            since += 1;
            if since >= PATIENCE {
                (step, since) = (step / 2.0, 0);
                price.clone_from(&best_price);
            }
        }
        let broken = linked.broken_by(&look.cheapest, &price, &sizes);
        let norm: f64 = broken.iter().map(|x| x * x).sum();
        if norm <= 1e-18 || step < 1e-6 {
            break;
        }
        let length = step * reach / norm.sqrt();
        for (row, over) in broken.iter().enumerate() {
            price[row] += length * over / sizes[row];
        }
        linked.allowed(&mut price);
    }
    linked.conclude(best_price, Vec::new())
}

impl Linked {
    /// By how much a choice breaks each row, in typical entries; below 0 when the row has a price and is not used up.
    fn broken_by(&self, choice: &[usize], price: &[f64], sizes: &[f64]) -> Vec<f64> {
        let used = self.usage(choice);
        (0..used.len())
            .map(|row| {
                let (above, below) = (used[row] - self.upper[row], used[row] - self.lower[row]);
                let by = if above > 0.0 || price[row] > 0.0 {
                    above
                } else if below < 0.0 || price[row] < 0.0 {
                    below
                } else {
                    0.0
                };
                by / sizes[row]
            })
            .collect()
    }

    /// What a choice uses of each row.
    pub(super) fn usage(&self, choice: &[usize]) -> Vec<f64> {
        let mut used = vec![0.0; self.links()];
        for column in choice {
            self.entries(*column).for_each(|(row, x)| used[row] += x);
        }
        used
    }
}
