//! Which nodes commitments cover, so that most money is saved.
//!
//! With `y[k, o]` nodes of offer `o` covered by commitment `k`, `price[o] y[k, o]` is saved; of an offer no more nodes
//! are covered than there are, and of a commitment no more is used than it has. Where no offer is covered by two
//! commitments, each fills itself with what saves most per unit (the fractional knapsack, Dantzig 1957), exactly in
//! whole numbers. Elsewhere the linear program is solved by the simplex method with Bland's rule.

use super::{Capacity, Commitment, Covered};
use crate::offer::Offer;
use crate::quantity::Price;

/// What each commitment covers of some nodes: offers, each once, with their numbers of nodes. Amounts that are no whole
/// 1e-9 of a currency unit are rounded down.
pub fn cover(commitments: &[Commitment], nodes: &[(&Offer, u64)]) -> Vec<Covered> {
    let pays = |offer: &Offer| offer.price > Price::ZERO;
    let covers: Vec<Vec<usize>> = nodes
        .iter()
        .map(|(offer, _)| {
            let matching = commitments.iter().enumerate().filter(|(_, c)| c.capacity.total() > 0 && c.covers(offer));
            if pays(offer) { matching.map(|(k, _)| k).collect() } else { Vec::new() }
        })
        .collect();
    if covers.iter().all(|by| by.len() <= 1) {
        let alone = |k: usize| {
            let own = nodes.iter().zip(&covers).filter(|(_, by)| by.contains(&k)).map(|(node, _)| *node);
            fill(commitments[k].capacity, own.collect())
        };
        return (0..commitments.len()).map(alone).collect();
    }
    let mut program = Program::default();
    let mut columns: Vec<(usize, usize)> = Vec::new();
    for (o, by) in covers.iter().enumerate() {
        columns.extend(by.iter().map(|k| (*k, o)));
    }
    program.worth = columns.iter().map(|(_, o)| nodes[*o].0.price.units()).collect();
    for (k, commitment) in commitments.iter().enumerate() {
        let (capacity, scale) = (commitment.capacity, commitment.capacity.scale());
        let taken =
            |(by, o): &(usize, usize)| if *by == k { capacity.taken_by(nodes[*o].0) as f64 / scale } else { 0.0 };
        program.limit(columns.iter().map(taken).collect(), capacity.total() as f64 / scale);
    }
    for (o, (_, count)) in nodes.iter().enumerate().filter(|(o, _)| !covers[*o].is_empty()) {
        let counted = columns.iter().map(|(_, other)| if *other == o { 1.0 } else { 0.0 });
        program.limit(counted.collect(), *count as f64);
    }
    let amounts = program.solve();
    let mut covered = vec![Covered::default(); commitments.len()];
    let mut saved = vec![0.0; commitments.len()];
    for ((k, o), amount) in columns.iter().zip(amounts) {
        let (capacity, offer) = (commitments[*k].capacity, nodes[*o].0);
        covered[*k].used += amount * capacity.taken_by(offer) as f64 / capacity.scale();
        saved[*k] += amount * offer.price.nanos() as f64;
    }
    // Rounded as running totals, so that the shares of a node that is covered whole add up to its price.
    let (mut sum, mut before) = (0.0, 0);
    for (covered, saved) in covered.iter_mut().zip(saved) {
        sum += saved;
        // A little less than a whole amount is that amount.
        let after = (sum * (1.0 + 1e-12) + 1e-3).floor() as i64;
        covered.saved = Price::from_nanos(after - before);
        before = after;
    }
    covered
}

/// A commitment that shares its offers with no other takes what saves most for each unit of it.
fn fill(capacity: Capacity, mut nodes: Vec<(&Offer, u64)>) -> Covered {
    let rate = |offer: &Offer| (i128::from(offer.price.nanos()), i128::from(capacity.taken_by(offer)));
    nodes.sort_by(|(a, _), (b, _)| {
        let ((price_a, taken_a), (price_b, taken_b)) = (rate(a), rate(b));
        (price_b * taken_a).cmp(&(price_a * taken_b)).then_with(|| a.id.cmp(&b.id))
    });
    let mut left = u128::from(capacity.total());
    let mut saved: u128 = 0;
    for (offer, count) in nodes {
        let (price, taken) = (u128::try_from(offer.price.nanos()).unwrap_or(0), u128::from(capacity.taken_by(offer)));
        let whole = u128::from(count).min(left / taken.max(1));
        saved += whole * price;
        left -= whole * taken;
        if whole < u128::from(count) {
            saved += left * price / taken.max(1);
            left = 0;
        }
    }
    let used = capacity.total() - u64::try_from(left).unwrap_or(0);
    let saved = Price::from_nanos(i64::try_from(saved).unwrap_or(i64::MAX));
    Covered { used: used as f64 / capacity.scale(), saved }
}

/// Maximise `worth x` with `rows x <= limits` and `x >= 0`, for limits that are not negative.
#[derive(Default)]
struct Program {
    worth: Vec<f64>,
    rows: Vec<Vec<f64>>,
    limits: Vec<f64>,
}

/// What is smaller is taken for 0.
const TINY: f64 = 1e-11;
/// Far more exchanges of the basis than any bill needs. After them what was found is a cover, if not the best.
const MOST_PIVOTS: usize = 100_000;

impl Program {
    fn limit(&mut self, row: Vec<f64>, limit: f64) {
        self.rows.push(row);
        self.limits.push(limit);
    }

    /// The values of the columns at an optimum.
    fn solve(mut self) -> Vec<f64> {
        let (columns, rows) = (self.worth.len(), self.rows.len());
        // Slack columns follow the others; at first they are the basis.
        let mut basis: Vec<usize> = (columns..columns + rows).collect();
        for (i, row) in self.rows.iter_mut().enumerate() {
            row.extend((0..rows).map(|j| if i == j { 1.0 } else { 0.0 }));
        }
        self.worth.extend(std::iter::repeat_n(0.0, rows));
        // Bland's rule never repeats a basis; rounding could.
        for _ in 0..MOST_PIVOTS {
            let Some(enters) = self.worth.iter().position(|w| *w > TINY) else { break };
            let ratio = |i: usize| (self.rows[i][enters] > TINY).then(|| self.limits[i] / self.rows[i][enters]);
            let least = (0..rows).filter_map(ratio).fold(f64::INFINITY, f64::min);
            let ties = (0..rows).filter(|i| ratio(*i).is_some_and(|r| r <= least + TINY));
            let Some(leaves) = ties.min_by_key(|i| basis[*i]) else { break };
            self.pivot(leaves, enters);
            basis[leaves] = enters;
        }
        let mut values = vec![0.0; columns];
        for (row, column) in basis.into_iter().enumerate().filter(|(_, column)| *column < columns) {
            values[column] = self.limits[row].max(0.0);
        }
        values
    }

    fn pivot(&mut self, leaves: usize, enters: usize) {
        let by = self.rows[leaves][enters];
        self.rows[leaves].iter_mut().for_each(|x| *x /= by);
        self.limits[leaves] /= by;
        let (row, limit) = (self.rows[leaves].clone(), self.limits[leaves]);
        let subtract = |target: &mut Vec<f64>, factor: f64| {
            target.iter_mut().zip(&row).for_each(|(x, y)| *x -= factor * y);
            target[enters] = 0.0;
        };
        for i in (0..self.rows.len()).filter(|i| *i != leaves) {
            let factor = self.rows[i][enters];
            if factor != 0.0 {
                subtract(&mut self.rows[i], factor);
                self.limits[i] -= factor * limit;
            }
        }
        let factor = self.worth[enters];
        subtract(&mut self.worth, factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::application::{Subject, Test};
    use crate::fixtures::{offer, requirement};
    use crate::quantity::Cores;
    use crate::span::Span;

    fn commitment(offers: &[&str], capacity: Capacity) -> Commitment {
        let ids = offers.iter().map(|id| (*id).into()).collect();
        let matches = vec![requirement(Subject::OfferId, Test::Text(ids))];
        Commitment { name: "c".into(), span: Span::NONE, matches, capacity, until: None }
    }

    fn saved(commitments: &[Commitment], nodes: &[(&Offer, u64)]) -> (f64, Vec<f64>) {
        let covered = cover(commitments, nodes);
        let used = covered.iter().map(|c| (c.used * 1e6).round() / 1e6).collect();
        (covered.iter().map(|c| c.saved).sum::<Price>().units(), used)
    }

    #[test]
    fn the_dearest_nodes_are_covered_first() {
        let (small, big) = (offer("small", 2, 4, 0.1), offer("big", 8, 16, 0.3));
        let nodes = [(&small, 3), (&big, 2)];
        assert_eq!(saved(&[commitment(&["small", "big"], Capacity::Nodes(3))], &nodes), (0.7, vec![3.0]));
        // By the core the small one is dearer; the fourth core of the rest covers a part of a big node.
        let cores = commitment(&["small", "big"], Capacity::Cores(Cores(10_000)));
        assert_eq!(saved(&[cores], &nodes), (0.45, vec![10.0]));
        let cost = commitment(&["big"], Capacity::Cost(Price::from_nanos(450_000_000)));
        assert_eq!(saved(&[cost], &nodes), (0.45, vec![0.45]));
        let roomy = commitment(&["small"], Capacity::Nodes(9));
        assert_eq!(saved(&[roomy], &nodes), (0.3, vec![3.0]));
        assert_eq!(saved(&[commitment(&["other"], Capacity::Nodes(9))], &nodes), (0.0, vec![0.0]));
    }

    #[test]
    fn overlapping_commitments_are_used_together() {
        let (small, big) = (offer("small", 2, 4, 0.1), offer("big", 8, 16, 0.3));
        // The one that covers both has to leave the big node to the other.
        let both = commitment(&["small", "big"], Capacity::Nodes(1));
        let only = commitment(&["big"], Capacity::Nodes(1));
        assert_eq!(saved(&[both.clone(), only.clone()], &[(&small, 1), (&big, 1)]), (0.4, vec![1.0, 1.0]));
        // A node covered in part by each.
        let cores = commitment(&["big"], Capacity::Cores(Cores(6000)));
        let cost = commitment(&["big"], Capacity::Cost(Price::from_nanos(50_000_000)));
        let (total, used) = saved(&[cores, cost], &[(&big, 1)]);
        assert_eq!((total, used), (0.275, vec![6.0, 0.05]));
        let none: [(&Offer, u64); 0] = [];
        assert_eq!(saved(&[both, only], &none), (0.0, vec![0.0, 0.0]));
    }
}
