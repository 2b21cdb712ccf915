//! A better plan from a plan: a few nodes are emptied and what was on them is packed anew, with nodes generated for it.
//! (Shaw, Using constraint programming and local search methods to solve vehicle routing problems, 1998.)

use std::rc::Rc;

use super::cover::Cover;
use super::generate::Generator;
use super::master::Load;
use super::rounding::Plan;
use super::scale::Scale;
use crate::engine::{EngineError, Limits};

/// Nodes that are emptied at once, the rounds of generation for what was on them, and the nodes of the search tree.
const EMPTIED: usize = 10;
const ROUNDS: usize = 25;
/// Tries at most, and in a row without a better plan.
const MOST_TRIES: usize = 400;
const PATIENCE: usize = 40;

impl Cover {
    /// Empties nodes that the duals find dear, each time with other ones, as long as that makes the plan cheaper.
    /// `known` is a bound on the price and a step of which every price is a multiple.
    pub(crate) fn polished(
        &self,
        plan: Plan,
        duals: &[f64],
        scales: Option<&Rc<Vec<Scale>>>,
        known: (f64, i64),
        limits: &Limits,
    ) -> Result<Plan, EngineError> {
        let mut nodes = single(plan);
        let mut since = 0;
        for turn in 0..MOST_TRIES {
            let joined = self.trimmed(nodes.iter().map(|load| (load.clone(), 1)).collect());
            if since >= PATIENCE || limits.reached() || self.is_enough(Some(&joined), known.0, limits) {
                return Ok(joined);
            }
            let chosen = self.dear(&nodes, duals, turn);
            let (emptied, kept): (Vec<usize>, Vec<usize>) = (0..nodes.len()).partition(|i| chosen.contains(i));
            let before: Plan = emptied.iter().map(|i| (nodes[*i].clone(), 1)).collect();
            since += 1;
            if let Some(better) = self.repacked(&before, scales, known.1, limits)? {
                nodes = kept.into_iter().map(|i| nodes[i].clone()).chain(single(better)).collect();
                since = 0;
            }
        }
        Ok(self.trimmed(nodes.into_iter().map(|load| (load, 1)).collect()))
    }

    /// Some nodes: half of those that cost most beyond what is on them is worth, from a place on that moves with the
    /// turn, and some of the others.
    fn dear(&self, nodes: &[Load], duals: &[f64], turn: usize) -> Vec<usize> {
        let beyond = |(bin, counts): &Load| {
            let worth: f64 = counts.iter().zip(duals).map(|(n, y)| f64::from(*n) * y).sum();
            self.prices[*bin] as f64 * self.unit() - worth
        };
        let mut order: Vec<(f64, usize)> = nodes.iter().map(beyond).zip(0..).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (count, half) = (nodes.len(), EMPTIED / 2);
        let first = turn * 3 % count.max(1);
        let mut chosen: Vec<usize> = (0..half).map(|k| order[(first + k) % count].1).collect();
        // The stride differs from turn to turn, so that the same nodes seldom meet again.
        let stride = 1 + (turn * 7 + 3) % count.max(2);
        let mut at = (first + half) % count;
        for _ in 0..2 * EMPTIED {
            if chosen.len() >= EMPTIED.min(count) {
                break;
            }
            if !chosen.contains(&order[at].1) {
                chosen.push(order[at].1);
            }
            at = (at + stride) % count;
        }
        chosen
    }

    /// A cheaper plan for what is on some nodes.
    fn repacked(
        &self,
        before: &Plan,
        scales: Option<&Rc<Vec<Scale>>>,
        step: i64,
        limits: &Limits,
    ) -> Result<Option<Plan>, EngineError> {
        let mut wanted = vec![0u32; self.demand.len()];
        for ((_, counts), n) in before {
            counts.iter().zip(&mut wanted).for_each(|(k, sum)| *sum += k * n);
        }
        wanted.iter_mut().zip(&self.demand).for_each(|(n, most)| *n = (*n).min(*most));
        let rest = self.left(&wanted);
        let probe = rest.probe();
        let mut generator = Generator::new(&rest.model, &probe, limits, f64::from(wanted.iter().sum::<u32>()));
        generator.grid = None;
        generator.scales = scales.cloned();
        let start = before.iter().map(|(load, _)| load.clone()).collect();
        let root = generator.go_on(start, ROUNDS)?;
        let price = self.price(before);
        // Nothing can be gained where the bound is above what is paid less a step.
        if root.bound / self.unit() > (price - i128::from(step)) as f64 + 0.5 {
            return Ok(None);
        }
        let found = rest.finish(&root.loads, &root.uses, &wanted, root.bound / self.unit(), step, limits);
        let found = found.map(|plan| rest.trimmed(plan));
        Ok(found.filter(|plan| self.price(plan) < price))
    }
}

/// The nodes of a plan one by one.
fn single(plan: Plan) -> Vec<Load> {
    plan.into_iter().flat_map(|(load, n)| std::iter::repeat_n(load, n as usize)).collect()
}
