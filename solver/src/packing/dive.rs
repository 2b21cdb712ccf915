//! Whole numbers of nodes by diving: the nodes that the linear program is surest of are taken, nodes are generated anew
//! for what is left, and so on. Where most items are wanted once, nodes of the first linear program do not combine to
//! whole ones, and only nodes made for the rest do. (Sadykov, Vanderbeck, Pessoa, Tahiri and Uchoa, Primal heuristics
//! for branch and price: the assets of diving methods, INFORMS Journal on Computing 31, 2019.)

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::cover::Cover;
use super::generate::{Generator, Root};
use super::master::Load;
use super::rounding::Plan;
use super::scale::Scale;
use crate::engine::{EngineError, Limits};

/// How boldly a dive takes nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boldness {
    /// Nodes that the linear program takes less of are left, unless there are no others.
    pub least: f64,
    /// At most this part of the nodes that are still needed is taken at once.
    pub part: f64,
    /// Rounds of generation after each step.
    pub rounds: usize,
}

/// Dives in the order in which they are tried.
pub(crate) const DIVES: [Boldness; 2] =
    [Boldness { least: 0.5, part: 0.15, rounds: 8 }, Boldness { least: 0.7, part: 0.06, rounds: 12 }];
/// So few nodes are left to an integer program over what has been generated.
const FEW_NODES: f64 = 14.0;
/// Columns that a step goes on with, those of least reduced cost.
const MOST_KEPT: usize = 2_500;

impl Cover {
    /// The relaxation of what is still wanted; bins keep their numbers.
    pub(super) fn left(&self, left: &[u32]) -> Cover {
        let mut rest = self.clone();
        rest.demand = left.to_vec();
        for bin in &mut rest.model.bins {
            bin.most.iter_mut().zip(left).for_each(|(most, n)| *most = (*most).min(*n));
        }
        rest
    }

    /// Nodes clipped to what is still wanted, each on the cheapest bin that holds it.
    fn clipped(&self, loads: &[Load], left: &[u32]) -> Vec<Load> {
        let mut known: FxHashSet<Load> = FxHashSet::default();
        let mut clipped = Vec::new();
        for (bin, counts) in loads {
            let is_whole = counts.iter().zip(left).all(|(n, l)| n <= l);
            let load = if is_whole {
                Some((*bin, counts.clone()))
            } else {
                let counts: Vec<u32> = counts.iter().zip(left).map(|(n, l)| *n.min(l)).collect();
                let is_used = counts.iter().any(|n| *n > 0);
                self.cheapest(&counts).filter(|_| is_used).map(|bin| (bin, counts))
            };
            if let Some(load) = load
                && known.insert(load.clone())
            {
                clipped.push(load);
            }
        }
        clipped
    }

    /// A plan found by diving from the solution of the relaxation, and the nodes that were generated on the way. `lower`
    /// and `step` as in [`Cover::round`].
    pub(crate) fn dive(
        &self,
        root: &Root,
        scales: Option<&Rc<Vec<Scale>>>,
        boldness: Boldness,
        (lower, step): (f64, i64),
        limits: &Limits,
    ) -> Result<(Option<Plan>, Vec<Load>), EngineError> {
        let mut left = self.demand.clone();
        let (mut loads, mut uses) = (root.loads.clone(), root.uses.clone());
        let mut plan = Plan::new();
        let mut generated = Vec::new();
        while left.iter().any(|n| *n > 0) {
            if limits.reached() {
                let rest = self.left(&left).first_fit();
                return Ok((rest.map(|rest| self.trimmed(plan.into_iter().chain(rest).collect())), generated));
            }
            let nodes: f64 = uses.iter().sum();
            if nodes <= FEW_NODES {
                break;
            }
            let most = (boldness.part * nodes).ceil() as u32;
            self.take(&loads, &uses, &mut left, &mut plan, boldness.least, most);
            if left.iter().all(|n| *n == 0) {
                break;
            }
            let rest = self.left(&left);
            let probe = rest.probe();
            let start = rest.clipped(&loads, &left);
            let mut generator = Generator::new(&rest.model, &probe, limits, nodes + f64::from(most));
            generator.grid = None;
            generator.scales = scales.cloned();
            let before = start.len();
            let next = generator.go_on(start, boldness.rounds)?;
            generated.extend(next.loads.iter().skip(before).cloned());
            (loads, uses) = generator.promising(next, MOST_KEPT);
        }
        let base = self.price(&plan);
        let rest = self.left(&left);
        if let Some(rest) = rest.finish(&loads, &uses, &left, lower - base as f64, step, limits) {
            plan.extend(rest);
            return Ok((Some(self.trimmed(plan)), generated));
        }
        Ok((None, generated))
    }

    /// Takes nodes in the order in which the linear program uses them, as long as all that is on them is still wanted.
    fn take(&self, loads: &[Load], uses: &[f64], left: &mut [u32], plan: &mut Plan, least: f64, most: u32) {
        let mut order: Vec<usize> = (0..loads.len()).filter(|j| uses[*j] > 1e-6).collect();
        order.sort_by(|a, b| uses[*b].total_cmp(&uses[*a]).then_with(|| loads[*a].cmp(&loads[*b])));
        let mut taken = 0;
        for j in order {
            let (load, y) = (&loads[j], uses[j]);
            if taken >= most || (taken > 0 && y < least) {
                break;
            }
            let room = load.1.iter().zip(left.iter()).filter(|(n, _)| **n > 0).map(|(n, l)| l / n).min().unwrap_or(0);
            let times = ((y + 1e-6).floor().max(1.0) as u32).min(room);
            if times > 0 {
                load.1.iter().zip(left.iter_mut()).for_each(|(n, l)| *l -= n * times);
                plan.push((load.clone(), times));
                taken += times;
            }
        }
        if taken == 0 {
            // Nothing of the linear program fits whole: the first is clipped when nodes are generated anew; here the
            // rarest item gets a node of its own.
            if let Some(item) = (0..left.len()).find(|i| left[*i] > 0) {
                let mut one = vec![0; left.len()];
                one[item] = 1;
                if let Some(bin) = self.cheapest(&one) {
                    left[item] -= 1;
                    plan.push(((bin, one), 1));
                }
            }
        }
    }
}

impl Generator<'_> {
    /// Some rounds of generation from known nodes.
    pub(super) fn go_on(&mut self, start: Vec<Load>, rounds: usize) -> Result<Root, EngineError> {
        self.rounds = rounds;
        let mut start = start;
        start.extend(self.start());
        self.quick(start)
    }

    /// The nodes that are used, and those of least reduced cost.
    fn promising(&self, root: Root, most: usize) -> (Vec<Load>, Vec<f64>) {
        let mut order: Vec<(f64, usize)> = root
            .loads
            .iter()
            .enumerate()
            .map(|(j, load)| {
                (if root.uses[j] > 1e-9 { f64::NEG_INFINITY } else { self.reduced_cost(load, &root.duals) }, j)
            })
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.truncate(most);
        let mut kept: Vec<usize> = order.into_iter().map(|(_, j)| j).collect();
        kept.sort_unstable();
        kept.into_iter().map(|j| (root.loads[j].clone(), root.uses[j])).unzip()
    }
}
