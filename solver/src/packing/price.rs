//! Pricing of every bin at some duals: by the grid what it serves, beyond it by bounds, and where a bound leaves room for
//! a node that pays, by searches under the tables of [`super::completion`].

use super::bound;
use super::completion::Completion;
use super::generate::{Generator, LARGE_GRID, Root};
use super::master::{Aim, Load};
use super::node::RESOURCES;
use super::pricing::{self, Priced, Reach};
use super::scale::Scale;

/// Where no grid prices bins each is searched at least so far.
const FEWEST_NODES: usize = 1_500;
/// So many new nodes of a round are kept, those worth most for their price.
pub(super) const KEPT: usize = 60;
/// The same where tables find them.
const KEPT_OF_TABLES: usize = 150;
/// Nodes that are sought for a bin beside its best one, without the items of those before.
const BESIDE: usize = 4;
/// Cells of the tables of a scale, over all items.
const TABLE_CELLS: usize = 4_000_000;
/// Nodes of the search tree of the bin that holds the bound down.
const MOST_NODES: usize = 8_000_000;
/// Values of items that differ from bin to bin in more ways than these get no tables.
const MOST_VALUES: usize = 6;

/// How hard pricing tries: cells of the table of the grid, and nodes of the search tree of a bin beyond it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub cells: usize,
    pub nodes: usize,
    /// A bin is searched with finer tables where its bound is not this near to the best node, relative to its price.
    pub near: f64,
}

/// What one pricing of every bin gave.
pub(super) struct Round {
    pub loads: Vec<Load>,
    /// The smallest reduced cost that a node of each bin can have.
    pub reduced: Vec<f64>,
}

/// A bin that may have a node that pays.
struct Open {
    bin: usize,
    /// What it costs before anything is on it, and what items are worth.
    fixed: f64,
    values: Vec<f64>,
}

impl Generator<'_> {
    /// Prices the bins that the grid serves; gives their number.
    pub(super) fn price_by_grid(
        &mut self,
        duals: &[f64],
        cells: usize,
        reduced: &mut [f64],
        found: &mut Vec<(f64, Load)>,
    ) -> usize {
        let Some(grid) = self.grid.as_ref().filter(|_| !self.model.bins.is_empty() && cells > 0) else { return 0 };
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

    /// Prices every bin at some duals: the best nodes, and the least reduced cost that is possible.
    pub(super) fn price(&mut self, duals: &[f64], effort: Effort, aim: Aim) -> Round {
        let mut reduced = vec![0.0; self.model.bins.len()];
        let mut found: Vec<(f64, Load)> = Vec::new();
        let with_grid = aim != Aim::Repair;
        let served = if with_grid { self.price_by_grid(duals, effort.cells, &mut reduced, &mut found) } else { 0 };
        // Beyond the grid bins are bounded, and searched only when the grid has nothing to offer.
        let nodes = match served {
            0 => effort.nodes.max(FEWEST_NODES),
            _ if found.is_empty() => effort.nodes,
            _ => 0,
        };
        let effort = Effort { nodes, ..effort };
        self.price_beyond(duals, effort, aim, 0.0, served, &mut reduced, &mut found);
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        found.dedup_by(|a, b| a.1 == b.1);
        found.truncate(if served > 0 { KEPT } else { KEPT_OF_TABLES });
        Round { loads: found.into_iter().map(|(_, load)| load).collect(), reduced }
    }

    /// Bounds and searches the bins that the grid does not serve, or about which it leaves something open. With a step of
    /// which all values are multiples bounds are rounded.
    #[expect(clippy::too_many_arguments, reason = "what a pricing reads and what it writes")]
    fn price_beyond(
        &mut self,
        duals: &[f64],
        effort: Effort,
        aim: Aim,
        step: f64,
        served: usize,
        reduced: &mut [f64],
        found: &mut Vec<(f64, Load)>,
    ) {
        let mut open: Vec<Open> = Vec::new();
        let nodes = effort.nodes;
        for (bin, reduced) in reduced.iter_mut().enumerate() {
            if bin < served && (nodes == 0 || *reduced == 0.0) {
                continue;
            }
            let (fixed, values) = self.worth(bin, duals, aim);
            let reach = Reach { threshold: fixed, step, nodes: 0, thorough: step > 0.0 };
            let upper = pricing::best(self.model, bin, &values, reach, &mut self.multipliers).upper;
            let before = if bin < served { *reduced } else { f64::NEG_INFINITY };
            *reduced = (fixed - upper).min(0.0).max(before);
            if *reduced < 0.0 && nodes > 0 {
                open.push(Open { bin, fixed, values });
            }
        }
        let take = |this: &mut Self, open: &Open, priced: Priced, reduced: &mut [f64], found: &mut Vec<(f64, Load)>| {
            reduced[open.bin] = reduced[open.bin].max((open.fixed - priced.upper).min(0.0));
            for (value, counts) in priced.found.into_iter().rev().take(2 + BESIDE) {
                let cheapest = if aim == Aim::Repair { open.bin } else { this.model.cheapest(open.bin, &counts) };
                found.push(((value - open.fixed) / open.fixed.abs().max(1e-9), (cheapest, counts)));
            }
        };
        let (by_table, mut others): (Vec<Open>, Vec<Open>) = open.into_iter().partition(|o| self.takes_tables(o));
        let mut groups = alike(by_table);
        if groups.len() > MOST_VALUES {
            others.extend(groups.drain(..).flatten());
        }
        for same in groups {
            for (open, priced) in self.search(&same, effort, step) {
                take(self, open, priced, reduced, found);
            }
        }
        for open in others {
            let nodes = if self.limits.reached() { 0 } else { nodes.min(self.steps) };
            let reach = Reach { threshold: open.fixed, step, nodes, thorough: step > 0.0 };
            let priced = pricing::best(self.model, open.bin, &open.values, reach, &mut self.multipliers);
            self.steps = self.steps.saturating_sub(priced.steps);
            take(self, &open, priced, reduced, found);
        }
    }

    /// Searches bins on which items are worth the same.
    fn search<'o>(&mut self, same: &'o [Open], effort: Effort, step: f64) -> Vec<(&'o Open, Priced)> {
        let scales = self.scales();
        let mut searched = Vec::new();
        let mut memory = std::mem::take(&mut self.memory);
        for scale in scales.iter() {
            let of_scale: Vec<&Open> = same.iter().filter(|o| scale.bins.contains(&o.bin)).collect();
            let Some(first) = of_scale.first().filter(|_| !self.limits.reached()) else { continue };
            let Some(table) = Completion::of(self.model, scale, &first.values, &mut memory) else {
                continue;
            };
            for open in of_scale {
                let reach = Reach { threshold: open.fixed, step, nodes: effort.nodes.min(self.steps), thorough: false };
                let quick = Reach { nodes: reach.nodes.min(FEWEST_NODES), ..reach };
                let mut priced = table.best(open.bin, &[], quick);
                self.steps = self.steps.saturating_sub(priced.steps);
                let best = priced.found.last().map_or(open.fixed, |(value, _)| *value);
                if priced.upper - best > effort.near * open.fixed {
                    let finer = self.search_finely(open, &table, reach);
                    priced.upper = priced.upper.min(finer.upper);
                    priced.found.extend(finer.found.into_iter().filter(|(value, _)| *value > best));
                }
                if step == 0.0 {
                    self.look_beside(&table, open, quick, &mut priced);
                }
                searched.push((open, priced));
            }
            memory = table.into_memory();
        }
        self.memory = memory;
        searched
    }

    /// More nodes that pay, each without the items of those before.
    fn look_beside(&mut self, table: &Completion<'_>, open: &Open, reach: Reach, priced: &mut Priced) {
        let Some(first) = priced.found.last() else { return };
        let mut taken = vec![first.1.clone()];
        for _ in 0..BESIDE {
            let more = table.beside(open.bin, &taken, reach);
            self.steps = self.steps.saturating_sub(more.steps);
            let Some((value, counts)) = more.found.into_iter().next_back() else { return };
            taken.push(counts.clone());
            priced.found.push((value, counts));
        }
    }

    /// Searches a bin with tables of its own too, which count one resource finely each.
    fn search_finely(&mut self, open: &Open, table: &Completion<'_>, reach: Reach) -> Priced {
        let model = self.model;
        let thorough = Reach { nodes: 0, thorough: true, ..reach };
        let upper = pricing::best(model, open.bin, &open.values, thorough, &mut self.multipliers).upper;
        if upper <= open.fixed {
            return Priced { upper, ..Priced::default() };
        }
        let charge = self.multipliers.of_amounts(open.bin, &model.bins[open.bin].capacity);
        let counted = (0..RESOURCES).filter(|r| model.items.iter().any(|i| i.demand[*r] > 0));
        let fine: Vec<Scale> = counted.map(|r| Scale::fine(model, open.bin, r)).filter(Scale::is_fine).collect();
        let mut memories = std::mem::take(&mut self.fine);
        memories.resize_with(fine.len(), Vec::new);
        let tables = fine.iter().zip(&mut memories);
        let tables: Vec<Completion<'_>> =
            tables.filter_map(|(scale, memory)| table.finer(scale, &open.values, charge, memory)).collect();
        let finer: Vec<&Completion<'_>> = tables.iter().collect();
        let mut priced = table.best(open.bin, &finer, reach);
        self.steps = self.steps.saturating_sub(priced.steps);
        priced.upper = priced.upper.min(upper);
        self.fine = tables.into_iter().map(Completion::into_memory).collect();
        priced
    }

    /// Proves more at the duals of the best bound: the bin that holds the bound down is searched further, then the next
    /// one that does, as long as that helps.
    pub(crate) fn sharpen(&mut self, root: &mut Root) {
        let duals = root.duals.clone();
        let effort = Effort { cells: 0, nodes: 15_000, near: 0.0 };
        let mut reduced = vec![0.0; self.model.bins.len()];
        self.price_beyond(&duals, effort, Aim::Loss(0.0), 0.0, 0, &mut reduced, &mut Vec::new());
        let mut nodes = vec![effort.nodes; reduced.len()];
        let scales = self.scales();
        while !self.limits.reached() && self.steps > 0 {
            let lower = bound::lagrangian(self.probe, &duals, &reduced, self.most_nodes);
            self.bounds.push(lower);
            root.bound = root.bound.max(lower);
            let part = |bin: &usize| reduced[*bin] / self.probe.price(*bin).max(f64::MIN_POSITIVE);
            let Some(worst) = (0..reduced.len()).min_by(|a, b| part(a).total_cmp(&part(b))) else { return };
            nodes[worst] *= 8;
            if reduced[worst] >= 0.0 || nodes[worst] > MOST_NODES || self.is_tight(root) {
                return;
            }
            let (fixed, values) = self.worth(worst, &duals, Aim::Loss(0.0));
            let open = Open { bin: worst, fixed, values };
            let Some(scale) = scales.iter().find(|s| s.bins.contains(&worst)) else { return };
            let mut memory = std::mem::take(&mut self.memory);
            let Some(table) = Completion::of(self.model, scale, &open.values, &mut memory) else { return };
            let reach = Reach { threshold: fixed, step: 0.0, nodes: nodes[worst].min(self.steps), thorough: false };
            let priced = self.search_finely(&open, &table, reach);
            self.memory = table.into_memory();
            let best = priced.found.last().map_or(fixed, |(value, _)| *value);
            reduced[worst] = reduced[worst].max((fixed - priced.upper).min(0.0));
            if priced.upper <= best * (1.0 + 1e-6) && best > fixed {
                // Closed: only other duals give more.
                let lower = bound::lagrangian(self.probe, &duals, &reduced, self.most_nodes);
                self.bounds.push(lower);
                root.bound = root.bound.max(lower);
                return;
            }
        }
    }

    /// What a bin costs before anything is on it, and what items are worth on it.
    fn worth(&self, bin: usize, duals: &[f64], aim: Aim) -> (f64, Vec<f64>) {
        let (mut fixed, mut values) = (self.probe.fixed(bin, duals), self.probe.values(bin, duals));
        if aim == Aim::Repair {
            fixed -= self.probe.price(bin);
            let nothing = vec![0.0; duals.len()];
            values.iter_mut().zip(self.probe.values(bin, &nothing)).for_each(|(v, x)| *v -= x);
        }
        (fixed, values)
    }

    /// Tables are for nodes that only have to be filled.
    fn takes_tables(&self, open: &Open) -> bool {
        let is_plain = matches!(&self.model.modes[..], [m] if m.required.is_empty() && m.forbidden.is_empty());
        is_plain && open.fixed >= 0.0
    }

    fn scales(&mut self) -> std::rc::Rc<Vec<Scale>> {
        let model = self.model;
        self.scales.get_or_insert_with(|| std::rc::Rc::new(Scale::all(model, TABLE_CELLS))).clone()
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
            let effort = Effort { cells: LARGE_GRID, nodes: 5_000, near: 0.0 };
            self.price_beyond(&rounded, effort, Aim::Loss(0.0), grain, served, &mut reduced, &mut Vec::new());
            let lower = bound::lagrangian(self.probe, &rounded, &reduced, self.most_nodes);
            self.bounds.push(lower);
            if lower > root.bound {
                (root.bound, root.duals) = (lower, rounded);
            }
        }
    }
}

/// Bins on which items are worth the same, together.
fn alike(open: Vec<Open>) -> Vec<Vec<Open>> {
    let mut groups: Vec<Vec<Open>> = Vec::new();
    for each in open {
        match groups.iter_mut().find(|g| g[0].values == each.values) {
            Some(group) => group.push(each),
            None => groups.push(vec![each]),
        }
    }
    groups
}
