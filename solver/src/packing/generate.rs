//! Column generation: nodes are thought of only when they pay.
//!
//! The restricted master over the nodes known so far gives duals, pricing finds nodes that the duals call worth their
//! price, and every pricing gives a bound on what any placement loses. (Gilmore and Gomory, A linear programming approach
//! to the cutting-stock problem, Operations Research 9, 1961; smoothing of the duals after Wentges, Weighted
//! Dantzig-Wolfe decomposition for linear mixed-integer programming, 1997.)

use std::rc::Rc;

use super::bound;
use super::grid::Grid;
use super::master::{Aim, Load, Master};
use super::node::NodeModel;
use super::price::{Effort, KEPT};
use super::pricing::Multipliers;
use super::probe::Probe;
use super::scale::Scale;
use crate::engine::{EngineError, Limits, RunStatus};

/// How far the duals lean towards those of the best bound.
const SMOOTHING: f64 = 0.5;
/// Efforts from attempt to attempt, where there is a grid and where there is none.
const WITH_GRID: [Effort; 3] = [
    Effort { cells: SMALL_GRID, nodes: 0, near: 0.0 },
    Effort { cells: LARGE_GRID, nodes: 0, near: 0.0 },
    Effort { cells: LARGE_GRID, nodes: 15_000, near: 0.0 },
];
const WITHOUT_GRID: [Effort; 3] = [
    Effort { cells: 0, nodes: 1_500, near: 5e-3 },
    Effort { cells: 0, nodes: 15_000, near: 5e-4 },
    Effort { cells: 0, nodes: 100_000, near: 0.0 },
];
/// While a dive generates.
const DIVING: Effort = Effort { cells: 0, nodes: 700, near: f64::INFINITY };
/// Nodes of all search trees together: a limit that keeps the answer reproducible.
const MOST_STEPS: usize = 60_000_000;
/// Cells of the table of pricing by grid, at first and then.
const SMALL_GRID: usize = 700_000;
pub(super) const LARGE_GRID: usize = 6_000_000;
/// Nodes for whole numbers have at most so many of an item, and are generated in so many rounds.
const FEW: u8 = 2;
const MOST_DIVERSE: usize = 40;
/// Generation stalls when in so many rounds the master falls by less than this part.
const STALLED: (usize, f64) = (8, 3e-4);
/// Items that are wanted this often on average are many.
const MANY: f64 = 6.0;
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

/// True when the values of the master hardly fall any more: more effort brings more than more rounds.
fn is_stalled(values: &[f64]) -> bool {
    let last = values.len().saturating_sub(1);
    last >= STALLED.0 && values[last - STALLED.0] - values[last] <= STALLED.1 * values[last].abs()
}

/// True when items are wanted so often that limits on their number hardly matter, which the grid leaves out.
fn are_many(model: &NodeModel) -> bool {
    let most = |item: usize| model.bins.iter().map(|b| f64::from(b.most[item])).fold(0.0, f64::max);
    let free: Vec<f64> = model.cliques.iter().filter(|c| c.len() == 1).map(|c| most(c[0])).collect();
    !free.is_empty() && free.iter().sum::<f64>() >= MANY * free.len() as f64
}

/// Generates nodes for a pool.
pub(crate) struct Generator<'a> {
    pub model: &'a NodeModel,
    pub probe: &'a Probe,
    pub limits: &'a Limits,
    /// No placement has more nodes.
    pub most_nodes: f64,
    pub(super) multipliers: Multipliers,
    /// The units of the tables of pricing, once they are needed.
    pub(super) scales: Option<Rc<Vec<Scale>>>,
    /// Memory of tables from one pricing to the next.
    pub(super) memory: Vec<u32>,
    pub(super) fine: Vec<Vec<u32>>,
    /// Exact pricing of many bins at once, where values are the same on all.
    pub(super) grid: Option<Grid>,
    /// At most so many of an item on a node, which makes nodes that combine well; bounds are not taken then.
    pub(super) limit: Option<u8>,
    /// Nodes of search trees that are left.
    pub(super) steps: usize,
    /// Rounds of generation of one attempt.
    pub(super) rounds: usize,
    /// For tests: called with every bound.
    pub bounds: Vec<f64>,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(model: &'a NodeModel, probe: &'a Probe, limits: &'a Limits, most_nodes: f64) -> Self {
        let multipliers = Multipliers::new(model.bins.len());
        let grid = if probe.is_cover() && are_many(model) { Grid::of(model) } else { None };
        Generator {
            model,
            probe,
            limits,
            most_nodes,
            grid,
            limit: None,
            scales: None,
            memory: Vec::new(),
            fine: Vec::new(),
            multipliers,
            steps: MOST_STEPS,
            rounds: MOST_ROUNDS,
            bounds: Vec::new(),
        }
    }

    /// The largest coefficient of the objective: its unit in the master.
    pub(super) fn unit(&self) -> f64 {
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

    pub(super) fn reduced_cost(&self, load: &Load, duals: &[f64]) -> f64 {
        let column = self.probe.column(load.0, &load.1);
        column.cost - column.entries.iter().map(|(row, x)| x * duals[*row]).sum::<f64>()
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

    /// One attempt with little effort.
    pub(super) fn quick(&mut self, start: Vec<Load>) -> Result<Root, EngineError> {
        let unit = self.unit();
        self.descend(start, Aim::Loss(unit * 1e4), unit, DIVING, None)
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
    pub(super) fn is_tight(&self, root: &Root) -> bool {
        root.value - root.bound <= (0.1 * self.limits.relative_gap).max(1e-9) * root.value.abs()
    }

    /// Generates nodes with searches of a reach; the bound goes on from that of an earlier root.
    pub(super) fn descend(
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
        let mut past = 0;
        if let Some(before) = before {
            (root.bound, root.duals, past) = (before.bound, before.duals, before.rounds);
        }
        let nothing = self.probe.without_costs();
        let mut values: Vec<f64> = Vec::new();
        for round in 0..self.rounds {
            let run = master.solve(self.limits)?;
            if run.status != RunStatus::Optimal {
                break;
            }
            root.rounds = past + round + 1;
            root.value = run.objective;
            root.uses = master.uses(&run).to_vec();
            root.feasible = master.broken(&run) <= 1e-7;
            values.push(run.objective);
            let is_last = effort.nodes >= WITHOUT_GRID[2].nodes || self.grid.is_some();
            if self.limits.reached() || (!is_last && root.feasible && is_stalled(&values)) {
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
}
