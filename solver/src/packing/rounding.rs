//! Whole numbers of nodes from a linear program: a part of the nodes is fixed, the rest is an integer program over
//! generated nodes clipped to what is still wanted, and what is too much is taken off.

use rustc_hash::FxHashMap;

use super::cover::Cover;
use super::master::Load;
use crate::engine::{self, Limits, Milp, Presolve};

/// Nodes with their numbers.
pub(crate) type Plan = Vec<(Load, u32)>;

/// Parts of the linear solution that are fixed in turn.
const PARTS: [f64; 5] = [0.8, 0.95, 1.0, 0.5, 0.0];
/// Columns of the integer program.
const MOST_COLUMNS: usize = 3_000;

impl Cover {
    /// The price of a plan in 1e-9 currency units per hour.
    pub(crate) fn price(&self, plan: &Plan) -> i128 {
        plan.iter().map(|((bin, _), n)| i128::from(self.prices[*bin]) * i128::from(*n)).sum()
    }

    /// First fit decreasing with nodes of one bin, the last ones right-sized: for every bin, and the best.
    pub(crate) fn first_fit(&self) -> Option<Plan> {
        self.first_fits().into_iter().min_by_key(|plan| self.price(plan))
    }

    /// First fit decreasing with nodes of one bin, for many bins.
    pub(crate) fn first_fits(&self) -> Vec<Plan> {
        let whole = self.largest_demand();
        let mut order: Vec<usize> = (0..self.model.items.len()).collect();
        let size = |i: usize| {
            let share = |r: usize| self.model.items[i].demand[r] as f64 / whole[r].max(1) as f64;
            (0..whole.len()).map(share).fold(0.0, f64::max)
        };
        order.sort_by(|a, b| size(*b).total_cmp(&size(*a)).then(a.cmp(b)));
        let stride = (self.model.bins.len() / 48).max(1);
        (0..self.model.bins.len()).step_by(stride).filter_map(|bin| self.fill(bin, &order)).collect()
    }

    /// No plan is cheaper, in 1e-9 currency units per hour: a node gives no more of any resource than it has, and no bin
    /// sells a unit of it for less than the cheapest does.
    pub(crate) fn volume_bound(&self) -> f64 {
        let wanted = self.largest_demand();
        let bound = |r: usize| {
            let bins = self.model.bins.iter().zip(&self.prices).filter(|(bin, _)| bin.capacity[r] > 0);
            let least = bins.map(|(bin, price)| *price as f64 / bin.capacity[r] as f64).fold(f64::INFINITY, f64::min);
            if wanted[r] > 0 && least.is_finite() { least * wanted[r] as f64 } else { 0.0 }
        };
        (0..wanted.len()).map(bound).fold(0.0, f64::max) * (1.0 - 1e-9)
    }

    fn largest_demand(&self) -> [u64; super::node::RESOURCES] {
        let mut sum = [0u64; super::node::RESOURCES];
        for (item, n) in self.model.items.iter().zip(&self.demand) {
            (0..sum.len()).for_each(|r| sum[r] = sum[r].saturating_add(item.demand[r].saturating_mul(u64::from(*n))));
        }
        sum
    }

    /// Fills nodes of a bin with items in an order; items that do not fit it get nodes of the cheapest bin that holds
    /// one.
    fn fill(&self, bin: usize, order: &[usize]) -> Option<Plan> {
        let mut left = self.demand.clone();
        let mut plan = Plan::new();
        while let Some(first) = order.iter().copied().find(|i| left[*i] > 0) {
            let mut at = bin;
            if self.model.bins[bin].most[first] == 0 {
                at = (0..self.model.bins.len()).find(|b| self.model.bins[*b].most[first] > 0)?;
            }
            let counts = self.greedy(at, order, &left);
            let times = counts.iter().zip(&left).filter(|(n, _)| **n > 0).map(|(n, l)| l / n).min()?;
            counts.iter().zip(&mut left).for_each(|(n, l)| *l -= n * times);
            let cheapest = self.cheapest(&counts)?;
            plan.push(((cheapest, counts), times));
        }
        Some(plan)
    }

    /// One node of a bin filled in an order with what is left.
    fn greedy(&self, bin: usize, order: &[usize], left: &[u32]) -> Vec<u32> {
        let mut counts = vec![0; left.len()];
        let bin = &self.model.bins[bin];
        let mut room = bin.capacity;
        for item in order {
            if self.model.conflicts[*item].iter().any(|other| counts[*other] > 0) {
                continue;
            }
            let demand = &self.model.items[*item].demand;
            let fits = (0..room.len()).filter(|r| demand[*r] > 0).map(|r| room[r] / demand[r]);
            let n = fits.fold(u64::from(left[*item].min(bin.most[*item])), u64::min) as u32;
            (0..room.len()).for_each(|r| room[r] -= demand[r] * u64::from(n));
            counts[*item] = n;
        }
        counts
    }

    /// The cheapest plan that rounding finds. `lower` is a bound on the price in 1e-9 units; `step` one of which every
    /// price is a multiple.
    /// Begins with the best plan that is known.
    pub(crate) fn round(
        &self,
        (loads, uses): (&[Load], &[f64]),
        mut best: Option<Plan>,
        (lower, step): (f64, i64),
        limits: &Limits,
    ) -> Option<Plan> {
        for part in PARTS {
            if self.is_enough(best.as_ref(), lower, limits) || limits.reached() {
                break;
            }
            let fixed: Vec<(Load, u32)> = loads
                .iter()
                .zip(uses)
                .map(|(load, y)| (load.clone(), (y * part + 1e-6).floor().max(0.0) as u32))
                .filter(|(_, n)| *n > 0)
                .collect();
            let mut left = self.demand.clone();
            for ((_, counts), n) in &fixed {
                counts.iter().zip(&mut left).for_each(|(k, l)| *l = l.saturating_sub(k * n));
            }
            let base = self.price(&fixed);
            let Some(rest) = self.finish(loads, uses, &left, lower - base as f64, step, limits) else { continue };
            let mut plan = fixed;
            plan.extend(rest);
            let plan = self.trimmed(plan);
            if best.as_ref().is_none_or(|b| self.price(&plan) < self.price(b)) {
                best = Some(plan);
            }
        }
        best
    }

    /// True when a plan is as near to a bound on the price as is asked for.
    pub(crate) fn is_enough(&self, plan: Option<&Plan>, lower: f64, limits: &Limits) -> bool {
        let price = plan.map_or(f64::INFINITY, |plan| self.price(plan) as f64);
        price - lower <= limits.relative_gap * price + 0.5
    }

    /// The cheapest way to hold what is left with generated nodes, clipped to it.
    pub(super) fn finish(
        &self,
        loads: &[Load],
        uses: &[f64],
        left: &[u32],
        lower: f64,
        step: i64,
        limits: &Limits,
    ) -> Option<Plan> {
        if left.iter().all(|n| *n == 0) {
            return Some(Plan::new());
        }
        let mut columns: FxHashMap<Vec<u32>, f64> = FxHashMap::default();
        for ((_, counts), y) in loads.iter().zip(uses) {
            let clipped: Vec<u32> = counts.iter().zip(left).map(|(n, l)| *n.min(l)).collect();
            if clipped.iter().any(|n| *n > 0) {
                let weight = columns.entry(clipped).or_insert(0.0);
                *weight = weight.max(*y);
            }
        }
        for item in (0..left.len()).filter(|i| left[*i] > 0) {
            let mut one = vec![0; left.len()];
            one[item] = 1;
            columns.entry(one).or_insert(1.0);
        }
        let mut columns: Vec<(Vec<u32>, f64)> = columns.into_iter().collect();
        columns.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        columns.truncate(MOST_COLUMNS);
        let priced: Vec<Load> =
            columns.into_iter().filter_map(|(counts, _)| Some((self.cheapest(&counts)?, counts))).collect();
        let mut milp = Milp::default();
        for (bin, counts) in &priced {
            let most = counts.iter().zip(left).filter(|(n, _)| **n > 0).map(|(n, l)| l.div_ceil(*n)).max()?;
            let column = milp.add_column(0.0, f64::from(most), true);
            milp.cost[column] = (self.prices[*bin] / step) as f64;
        }
        for item in (0..left.len()).filter(|i| left[*i] > 0) {
            let row = priced.iter().enumerate().map(|(j, (_, counts))| (j, f64::from(counts[item])));
            milp.add_row(f64::from(left[item]), f64::INFINITY, row);
        }
        // Good enough is what closes the gap of the whole.
        let absolute = (limits.relative_gap * lower.max(0.0) / step as f64).max(0.999);
        let limits = Limits { nodes: Some(400), absolute_gap: absolute, relative_gap: 1e-6, ..limits.clone() };
        let run = engine::run(&milp, None, &limits, Presolve::Automatic).ok()?;
        let values = run.values?;
        let plan = priced.into_iter().zip(values).map(|(load, x)| (load, x.round() as u32));
        Some(plan.filter(|(_, n)| *n > 0).collect())
    }

    /// The plan without instances that are not wanted, every node on the cheapest bin that holds it.
    pub(crate) fn trimmed(&self, plan: Plan) -> Plan {
        let mut surplus: Vec<i64> = self.demand.iter().map(|n| -i64::from(*n)).collect();
        for ((_, counts), n) in &plan {
            counts.iter().zip(&mut surplus).for_each(|(k, s)| *s += i64::from(*k) * i64::from(*n));
        }
        let mut result = Plan::new();
        for ((bin, counts), n) in plan {
            if counts.iter().zip(&surplus).all(|(k, s)| *k == 0 || *s <= 0) {
                result.push(((bin, counts), n));
                continue;
            }
            // One node after another: each may lose something else.
            for _ in 0..n {
                let mut kept = counts.clone();
                for (k, s) in kept.iter_mut().zip(&mut surplus) {
                    let off = i64::from(*k).min((*s).max(0));
                    *k -= off as u32;
                    *s -= off;
                }
                if kept.iter().any(|k| *k > 0) {
                    let bin = self.cheapest(&kept).unwrap_or(bin);
                    result.push(((bin, kept), 1));
                }
            }
        }
        result.sort();
        let mut joined = Plan::new();
        for (load, n) in result {
            match joined.last_mut() {
                Some((last, m)) if *last == load => *m += n,
                _ => joined.push((load, n)),
            }
        }
        joined
    }
}
