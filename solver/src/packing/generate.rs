//! Column generation: nodes are thought of only when they pay.
//!
//! The restricted master over the nodes known so far gives duals, pricing finds nodes that the duals call worth their
//! price, and every pricing gives a bound on what any placement loses. (Gilmore and Gomory, A linear programming approach
//! to the cutting-stock problem, Operations Research 9, 1961; smoothing of the duals after Wentges, Weighted
//! Dantzig-Wolfe decomposition for linear mixed-integer programming, 1997.)

use super::bound;
use super::master::{Aim, Load, Master};
use super::node::NodeModel;
use super::pricing::{self, Multipliers, Reach};
use super::probe::Probe;
use crate::engine::{EngineError, Limits, RunStatus};

/// How far the duals lean towards those of the best bound.
const SMOOTHING: f64 = 0.5;
/// Nodes of the search tree of one pricing, at first and at most.
const FIRST_REACH: usize = 2_000;
const LAST_REACH: usize = 300_000;
/// After so many new nodes in a round the remaining bins are only bounded.
const ENOUGH: usize = 120;
/// Rounds of generation.
const MOST_ROUNDS: usize = 2_000;

/// What generation ended with.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// No placement loses less, the constant part of the objective left out.
    pub bound: f64,
    /// The duals that prove it.
    pub duals: Vec<f64>,
    /// The nodes, and how often the linear program uses each.
    pub loads: Vec<Load>,
    pub uses: Vec<f64>,
    /// What the linear program over them loses; not below the bound.
    pub value: f64,
    /// The linear program has no solution, proven.
    pub infeasible: bool,
    /// The nodes satisfy the rows without breaking any.
    pub feasible: bool,
    pub rounds: usize,
}

/// What one pricing of every bin gave.
struct Round {
    loads: Vec<Load>,
    /// The smallest reduced cost that a node of each bin can have.
    reduced: Vec<f64>,
    /// True when every search was finished.
    exact: bool,
}

/// Generates nodes for a pool.
pub(crate) struct Generator<'a> {
    pub model: &'a NodeModel,
    pub probe: &'a Probe,
    pub limits: &'a Limits,
    /// No placement has more nodes.
    pub most_nodes: f64,
    multipliers: Multipliers,
    next: usize,
    /// For tests: called with every bound.
    pub bounds: Vec<f64>,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(model: &'a NodeModel, probe: &'a Probe, limits: &'a Limits, most_nodes: f64) -> Self {
        let multipliers = Multipliers::new(model.bins.len());
        Generator { model, probe, limits, most_nodes, multipliers, next: 0, bounds: Vec::new() }
    }

    /// The largest coefficient of the objective: its unit in the master.
    fn unit(&self) -> f64 {
        let costs = (0..self.model.bins.len()).map(|b| self.probe.price(b).abs());
        let others = self.probe.others.iter().map(|c| c.cost.abs());
        let largest = costs.chain(others).fold(0.0, f64::max);
        if largest > 0.0 { largest / 1e3 } else { 1.0 }
    }

    /// Nodes to begin with: of every item one, and as many as the cheapest bins hold.
    pub(crate) fn start(&self) -> Vec<Load> {
        let mut start = Vec::new();
        for mode in &self.model.modes {
            let mut required = vec![0; self.model.items.len()];
            mode.required.iter().for_each(|i| required[*i] = 1);
            for item in 0..self.model.items.len() {
                let holding = (0..self.model.bins.len()).filter(|b| self.model.bins[*b].most[item] > 0);
                for bin in holding.take(12) {
                    let most = self.model.bins[bin].most[item];
                    let mut counts = required.clone();
                    let mut tries = vec![1, most.min(1 + most / 2), most];
                    tries.dedup();
                    for n in tries {
                        counts[item] = n.max(required[item]);
                        if self.model.allows(&self.model.bins[bin], &counts) {
                            start.push((bin, counts.clone()));
                        }
                    }
                }
            }
        }
        start
    }

    fn reduced_cost(&self, load: &Load, duals: &[f64]) -> f64 {
        let column = self.probe.column(load.0, &load.1);
        column.cost - column.entries.iter().map(|(row, x)| x * duals[*row]).sum::<f64>()
    }

    /// Prices every bin at some duals. `charged` is false where the objective does not count, to repair rows.
    fn price(&mut self, duals: &[f64], nodes: usize, aim: Aim) -> Round {
        let bins = self.model.bins.len();
        let mut round = Round { loads: Vec::new(), reduced: vec![0.0; bins], exact: true };
        for k in 0..bins {
            let bin = (self.next + k) % bins;
            let (mut fixed, mut values) = (self.probe.fixed(bin, duals), self.probe.values(bin, duals));
            if aim == Aim::Repair {
                fixed -= self.probe.price(bin);
                let nothing = vec![0.0; duals.len()];
                values.iter_mut().zip(self.probe.values(bin, &nothing)).for_each(|(v, x)| *v -= x);
            }
            let is_enough = round.loads.len() >= ENOUGH || (k % 16 == 15 && self.limits.reached());
            let reach = Reach { threshold: fixed, step: 0.0, nodes: if is_enough { 0 } else { nodes } };
            let priced = pricing::best(self.model, bin, &values, reach, &mut self.multipliers);
            round.reduced[bin] = (fixed - priced.upper).min(0.0);
            round.exact &= priced.upper <= priced.found.last().map_or(fixed, |f| f.0.max(fixed)) + 1e-9 * fixed.abs();
            let keep = priced.found.len().saturating_sub(4);
            round.loads.extend(priced.found.into_iter().skip(keep).map(|(_, counts)| {
                let cheapest = if aim == Aim::Repair { bin } else { self.model.cheapest(bin, &counts) };
                (cheapest, counts)
            }));
        }
        self.next = (self.next + bins / 3 + 1) % bins.max(1);
        round
    }

    /// Generates nodes until none pays, a limit is reached or the bound says that there is no solution.
    pub(crate) fn run(&mut self, start: Vec<Load>) -> Result<Root, EngineError> {
        let unit = self.unit();
        // More than a whole deployment of the dearest nodes would make numbers that are no longer told apart.
        let mut charge = unit * 1e4;
        let mut root = self.descend(start, Aim::Loss(charge), unit)?;
        while !root.feasible && !root.infeasible && !self.limits.reached() {
            if charge > unit * 1e9 {
                break;
            }
            charge *= 1e3;
            let repair = self.descend(root.loads.clone(), Aim::Repair, unit)?;
            if repair.bound > 1e-6 {
                return Ok(Root { infeasible: true, ..root });
            }
            root = self.descend(repair.loads, Aim::Loss(charge), unit)?;
        }
        Ok(root)
    }

    fn descend(&mut self, start: Vec<Load>, aim: Aim, unit: f64) -> Result<Root, EngineError> {
        let unit = if aim == Aim::Repair { 1.0 } else { unit };
        let mut master = Master::new(self.probe, aim, unit)?;
        master.add(start)?;
        let mut root = Root {
            bound: f64::NEG_INFINITY,
            duals: vec![0.0; self.probe.rows.len()],
            loads: Vec::new(),
            uses: Vec::new(),
            value: f64::INFINITY,
            infeasible: false,
            feasible: false,
            rounds: 0,
        };
        let mut nodes = FIRST_REACH;
        let nothing = self.probe.without_costs();
        for round in 0..MOST_ROUNDS {
            let run = master.solve(self.limits)?;
            if run.status != RunStatus::Optimal {
                break;
            }
            root.rounds = round + 1;
            root.value = run.objective;
            root.uses = master.uses(&run).to_vec();
            root.feasible = master.broken(&run) <= 1e-7;
            if self.limits.reached() {
                break;
            }
            let tolerance = 1e-9 * unit.max(run.objective.abs());
            if run.objective - root.bound <= tolerance && (root.feasible || aim == Aim::Repair) {
                break;
            }
            let exact_duals = bound::signed(self.probe, &run.duals);
            let lean = |best: &[f64]| -> Vec<f64> {
                best.iter().zip(&exact_duals).map(|(b, y)| SMOOTHING * b + (1.0 - SMOOTHING) * y).collect()
            };
            let mut tries = vec![exact_duals.clone()];
            if root.bound.is_finite() {
                tries.insert(0, lean(&root.duals));
            }
            let (mut added, mut exact) = (0, true);
            for duals in tries {
                let priced = self.price(&duals, nodes, aim);
                let lower = if aim == Aim::Repair {
                    let worst = priced.reduced.iter().copied().fold(0.0, f64::min);
                    bound::without_nodes(&nothing, &duals) + worst * self.most_nodes
                } else {
                    let lower = bound::lagrangian(self.probe, &duals, &priced.reduced, self.most_nodes);
                    self.bounds.push(lower);
                    lower
                };
                if lower > root.bound {
                    (root.bound, root.duals) = (lower, duals);
                }
                exact = priced.exact;
                let paying: Vec<Load> = priced
                    .loads
                    .into_iter()
                    .filter(|load| {
                        let charged = if aim == Aim::Repair { self.probe.column(load.0, &load.1).cost } else { 0.0 };
                        self.reduced_cost(load, &exact_duals) - charged < -1e-8 * unit
                    })
                    .collect();
                added = master.add(paying)?;
                if added > 0 {
                    break;
                }
            }
            if added == 0 && exact {
                break;
            }
            if added == 0 {
                if nodes >= LAST_REACH {
                    break;
                }
                nodes *= 10;
            }
        }
        root.loads = master.loads;
        root.uses.resize(root.loads.len(), 0.0);
        Ok(root)
    }

    /// Proves more with rounded duals: where all values are multiples of a step, so is what any node is worth, and
    /// bounds of pricing can be rounded down. Any rounded duals are valid.
    pub(crate) fn certify(&mut self, root: &mut Root, step: f64) {
        let duals = root.duals.clone();
        for parts in [1.0, 2.0, 3.0, 4.0, 6.0, 12.0] {
            if self.limits.reached() || root.value - root.bound <= 1e-9 * root.value.abs() {
                return;
            }
            let grain = step / parts;
            let rounded: Vec<f64> = duals.iter().map(|y| (y / grain + 1e-6).floor().max(0.0) * grain).collect();
            let mut reduced = vec![0.0; self.model.bins.len()];
            for (bin, reduced) in reduced.iter_mut().enumerate() {
                let (fixed, values) = (self.probe.fixed(bin, &rounded), self.probe.values(bin, &rounded));
                let reach = Reach { threshold: fixed, step: grain, nodes: 30_000 };
                let priced = pricing::best(self.model, bin, &values, reach, &mut self.multipliers);
                *reduced = (fixed - priced.upper).min(0.0);
            }
            let lower = bound::lagrangian(self.probe, &rounded, &reduced, self.most_nodes);
            self.bounds.push(lower);
            if lower > root.bound {
                (root.bound, root.duals) = (lower, rounded);
            }
        }
    }
}
