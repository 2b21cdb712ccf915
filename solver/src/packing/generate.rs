//! Column generation: nodes are thought of only when they pay.
//!
//! The restricted master over the nodes known so far gives duals, pricing finds nodes that the duals call worth their
//! price, and every pricing gives a bound on what any placement loses. (Gilmore and Gomory, A linear programming approach
//! to the cutting-stock problem, Operations Research 9, 1961; smoothing of the duals after Wentges, Weighted
//! Dantzig-Wolfe decomposition for linear mixed-integer programming, 1997.)

use super::bound;
use super::grid::Grid;
use super::master::{Aim, Load, Master};
use super::node::NodeModel;
use super::pricing::{self, Multipliers, Reach};
use super::probe::Probe;
use crate::engine::{EngineError, Limits, RunStatus};

/// How far the duals lean towards those of the best bound.
const SMOOTHING: f64 = 0.5;
/// How hard pricing tries: cells of the table of the grid, and nodes of the search tree of a bin beyond it.
#[derive(Clone, Copy, Debug)]
struct Effort {
    cells: usize,
    nodes: usize,
}

/// Efforts from attempt to attempt, where there is a grid and where there is none.
const WITH_GRID: [Effort; 3] = [
    Effort { cells: SMALL_GRID, nodes: 0 },
    Effort { cells: LARGE_GRID, nodes: 0 },
    Effort { cells: LARGE_GRID, nodes: 15_000 },
];
const WITHOUT_GRID: [Effort; 3] =
    [Effort { cells: 0, nodes: 1_500 }, Effort { cells: 0, nodes: 15_000 }, Effort { cells: 0, nodes: 150_000 }];
/// Nodes of all search trees together: a limit that keeps the answer reproducible.
const MOST_STEPS: usize = 60_000_000;
/// So many new nodes of a round are kept, those worth most for their price.
const KEPT: usize = 60;
/// Cells of the table of pricing by grid, at first and then.
const SMALL_GRID: usize = 700_000;
const LARGE_GRID: usize = 6_000_000;
/// Nodes for whole numbers have at most so many of an item, and are generated in so many rounds.
const FEW: u8 = 2;
const MOST_DIVERSE: usize = 40;
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
}

/// Generates nodes for a pool.
pub(crate) struct Generator<'a> {
    pub model: &'a NodeModel,
    pub probe: &'a Probe,
    pub limits: &'a Limits,
    /// No placement has more nodes.
    pub most_nodes: f64,
    multipliers: Multipliers,
    /// Exact pricing of many bins at once, where values are the same on all.
    grid: Option<Grid>,
    /// At most so many of an item on a node, which makes nodes that combine well; bounds are not taken then.
    limit: Option<u8>,
    /// Nodes of search trees that are left.
    steps: usize,
    /// For tests: called with every bound.
    pub bounds: Vec<f64>,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(model: &'a NodeModel, probe: &'a Probe, limits: &'a Limits, most_nodes: f64) -> Self {
        let multipliers = Multipliers::new(model.bins.len());
        let grid = if probe.is_cover() { Grid::of(model) } else { None };
        Generator {
            model,
            probe,
            limits,
            most_nodes,
            grid,
            limit: None,
            multipliers,
            steps: MOST_STEPS,
            bounds: Vec::new(),
        }
    }

    /// The largest coefficient of the objective: its unit in the master.
    fn unit(&self) -> f64 {
        let costs = (0..self.model.bins.len()).map(|b| self.probe.price(b).abs().max(self.probe.worth_of_items(b)));
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

    /// Prices the bins that the grid serves; gives their number.
    fn price_by_grid(
        &mut self,
        duals: &[f64],
        cells: usize,
        reduced: &mut [f64],
        found: &mut Vec<(f64, Load)>,
    ) -> usize {
        let Some(grid) = self.grid.as_ref().filter(|_| !self.model.bins.is_empty()) else { return 0 };
        let values = self.probe.values(0, duals);
        let costs: Vec<f64> = (0..self.model.bins.len()).map(|b| self.probe.fixed(b, duals)).collect();
        let priced = grid.price(&values, &costs, cells, self.limit);
        let served = priced.len();
        for (bin, (upper, nodes)) in priced.into_iter().enumerate() {
            reduced[bin] = (costs[bin] - upper).min(0.0);
            for mut counts in nodes {
                counts.iter_mut().zip(&self.model.bins[bin].most).for_each(|(n, most)| *n = (*n).min(*most));
                let value: f64 = counts.iter().zip(&values).map(|(n, v)| f64::from(*n) * v).sum();
                if value > costs[bin] && counts.iter().any(|n| *n > 0) {
                    let excess = (value - costs[bin]) / costs[bin].abs().max(1e-9);
                    found.push((excess, (self.model.cheapest(bin, &counts), counts)));
                }
            }
        }
        served
    }

    /// Prices every bin at some duals: the best node of each, and the best of all of them.
    fn price(&mut self, duals: &[f64], effort: Effort, aim: Aim) -> Round {
        let bins = self.model.bins.len();
        let mut reduced = vec![0.0; bins];
        let mut found: Vec<(f64, Load)> = Vec::new();
        let with_grid = aim != Aim::Repair;
        let served = if with_grid { self.price_by_grid(duals, effort.cells, &mut reduced, &mut found) } else { 0 };
        // Beyond the grid bins are bounded, and searched only when the grid has nothing to offer.
        let nodes = match served {
            0 => effort.nodes.max(WITHOUT_GRID[0].nodes),
            _ if !found.is_empty() => 0,
            _ => effort.nodes,
        };
        for (bin, reduced) in reduced.iter_mut().enumerate().skip(served) {
            let (mut fixed, mut values) = (self.probe.fixed(bin, duals), self.probe.values(bin, duals));
            if aim == Aim::Repair {
                fixed -= self.probe.price(bin);
                let nothing = vec![0.0; duals.len()];
                values.iter_mut().zip(self.probe.values(bin, &nothing)).for_each(|(v, x)| *v -= x);
            }
            let is_late = bin % 16 == 15 && self.limits.reached();
            let reach = Reach {
                threshold: fixed,
                step: 0.0,
                nodes: if is_late { 0 } else { nodes.min(self.steps) },
                thorough: false,
            };
            let priced = pricing::best(self.model, bin, &values, reach, &mut self.multipliers);
            self.steps = self.steps.saturating_sub(priced.steps);
            *reduced = (fixed - priced.upper).min(0.0);
            for (value, counts) in priced.found.into_iter().rev().take(2) {
                let cheapest = if aim == Aim::Repair { bin } else { self.model.cheapest(bin, &counts) };
                found.push(((value - fixed) / fixed.abs().max(1e-9), (cheapest, counts)));
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        found.dedup_by(|a, b| a.1 == b.1);
        found.truncate(KEPT);
        Round { loads: found.into_iter().map(|(_, load)| load).collect(), reduced }
    }

    /// Generates nodes until none pays, a limit is reached or the bound says that there is no solution.
    pub(crate) fn run(&mut self, start: Vec<Load>) -> Result<Root, EngineError> {
        let unit = self.unit();
        // More than a whole deployment of the dearest nodes would make numbers that are no longer told apart.
        let mut charge = unit * 1e4;
        let step = bound::step(self.probe).filter(|_| self.probe.pays_by_node() && self.probe.others.is_empty());
        let efforts = if self.grid.is_some() { WITH_GRID } else { WITHOUT_GRID };
        let mut root = self.descend(start, Aim::Loss(charge), unit, efforts[0], None)?;
        for effort in efforts.into_iter().skip(1) {
            if !root.feasible || self.is_tight(&root) || self.limits.reached() || self.steps == 0 {
                break;
            }
            let loads = root.loads.clone();
            root = self.descend(loads, Aim::Loss(charge), unit, effort, Some(root))?;
            if let Some(step) = step {
                self.certify(&mut root, step);
            }
        }
        while !root.feasible && !root.infeasible && !self.limits.reached() {
            if charge > unit * 1e9 {
                break;
            }
            charge *= 1e3;
            let repair = self.descend(root.loads.clone(), Aim::Repair, unit, WITHOUT_GRID[1], None)?;
            if repair.bound > 1e-6 {
                return Ok(Root { infeasible: true, ..root });
            }
            root = self.descend(repair.loads, Aim::Loss(charge), unit, efforts[1], None)?;
        }
        Ok(root)
    }

    /// More nodes for whole numbers: small ones with few of an item. The optimum of the linear program has other
    /// solutions with nodes that combine badly.
    pub(crate) fn diversify(&mut self, root: &mut Root) -> Result<(), EngineError> {
        if self.grid.is_none() {
            return Ok(());
        }
        let unit = self.unit();
        let few = |load: &Load| load.1.iter().all(|n| *n <= u32::from(FEW));
        let before = (root.value, root.loads.clone(), root.uses.clone());
        let (start, others): (Vec<Load>, Vec<Load>) = root.loads.drain(..).partition(few);
        self.limit = Some(FEW);
        let mut master = Master::new(self.probe, Aim::Loss(unit * 1e4), unit)?;
        master.add(start)?;
        for _ in 0..MOST_DIVERSE {
            let run = master.solve(self.limits)?;
            if run.status != RunStatus::Optimal {
                break;
            }
            (root.value, root.uses) = (run.objective, master.uses(&run).to_vec());
            if run.objective <= root.bound * (1.0 + 1e-7) || self.limits.reached() {
                break;
            }
            let (mut reduced, mut found) = (vec![0.0; self.model.bins.len()], Vec::new());
            self.price_by_grid(&run.duals, SMALL_GRID / 2, &mut reduced, &mut found);
            found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            found.dedup_by(|a, b| a.1 == b.1);
            if master.add(found.into_iter().take(2 * KEPT).map(|(_, load)| load))? == 0 {
                break;
            }
        }
        self.limit = None;
        root.loads = master.loads;
        root.uses.resize(root.loads.len(), 0.0);
        if root.value <= before.0 * (1.0 + 1e-7) {
            root.loads.extend(others);
        } else {
            // Few of an item on a node cost more: the first solution leads.
            let diverse = std::mem::replace(&mut root.loads, before.1);
            (root.value, root.uses) = (before.0, before.2);
            let known: rustc_hash::FxHashSet<Load> = root.loads.iter().cloned().collect();
            root.loads.extend(diverse.into_iter().filter(|load| !known.contains(load)));
        }
        root.uses.resize(root.loads.len(), 0.0);
        Ok(())
    }

    /// True when the linear program over the nodes is as near to the bound as is of use.
    fn is_tight(&self, root: &Root) -> bool {
        root.value - root.bound <= (0.1 * self.limits.relative_gap).max(1e-9) * root.value.abs()
    }

    /// Generates nodes with searches of a reach; the bound goes on from that of an earlier root.
    fn descend(
        &mut self,
        start: Vec<Load>,
        aim: Aim,
        unit: f64,
        effort: Effort,
        before: Option<Root>,
    ) -> Result<Root, EngineError> {
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
        if let Some(before) = before {
            (root.bound, root.duals) = (before.bound, before.duals);
        }
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
            let is_repaired = aim == Aim::Repair && run.objective <= 1e-9;
            if is_repaired || (aim != Aim::Repair && root.feasible && self.is_tight(&root)) {
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
            let mut added = 0;
            for duals in tries {
                let priced = self.price(&duals, effort, aim);
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
            if added == 0 {
                break;
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
            if self.limits.reached() || self.is_tight(root) || self.steps == 0 {
                return;
            }
            let grain = step / parts;
            let rounded: Vec<f64> = duals.iter().map(|y| (y / grain + 1e-6).floor().max(0.0) * grain).collect();
            if bound::without_nodes(self.probe, &rounded) <= root.bound {
                continue;
            }
            let mut reduced = vec![0.0; self.model.bins.len()];
            let served = self.price_by_grid(&rounded, LARGE_GRID, &mut reduced, &mut Vec::new());
            for (bin, reduced) in reduced.iter_mut().enumerate().skip(served) {
                let (fixed, values) = (self.probe.fixed(bin, &rounded), self.probe.values(bin, &rounded));
                let reach = Reach { threshold: fixed, step: grain, nodes: 1_000.min(self.steps), thorough: true };
                let priced = pricing::best(self.model, bin, &values, reach, &mut self.multipliers);
                self.steps = self.steps.saturating_sub(priced.steps);
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
