//! Exact pricing of many bins at once: an unbounded knapsack over a grid of the two resources that are asked for.
//!
//! Demands are multiples of the units of the grid, values whole numbers, so that the table is exact. Of each class of
//! items that stay apart a node has one: all but the last class are layers of the table, the last is looked up for each
//! bin. Limits on the number of an item are left out, which only makes bounds weaker. (Kellerer, Pferschy and Pisinger,
//! Knapsack Problems, 2004, section 8.3.)

use super::node::{NodeModel, RESOURCES};
use crate::decimal::divisor;

/// Values are rounded down to this many steps of the largest price of interest.
const RESOLUTION: f64 = (1u32 << 28) as f64;

/// The grid of a model.
pub(crate) struct Grid {
    /// Demands in units, by item.
    demand: Vec<[usize; 2]>,
    /// Capacities in units, by bin.
    capacity: Vec<[usize; 2]>,
    /// Items of which a node has any number, and the classes of which it has one.
    free: Vec<usize>,
    classes: Vec<Vec<usize>>,
}

/// What pricing by the grid gave for a bin: the bound on the value, and counts worth more than the bin costs.
pub(crate) type Cell = (f64, Vec<Vec<u32>>);

/// Nodes of a bin that are given: with each member of the last class the best, the best of all first.
const GIVEN: usize = 8;

/// The table of the free items, and how to go back through it.
struct Table {
    cells: Vec<i32>,
    /// With a limit on each item: by item, how many the best node of a cell has of it.
    choices: Vec<(usize, Vec<u8>)>,
}

impl Grid {
    /// The grid of a model; `None` where more than two resources are asked for, bins are not open to all items alike or
    /// conflicts are not those of classes.
    pub(crate) fn of(model: &NodeModel) -> Option<Grid> {
        let used: Vec<usize> = (0..RESOURCES).filter(|r| model.items.iter().any(|i| i.demand[*r] > 0)).collect();
        let (first, second) = match used[..] {
            [one] => (one, (one + 1) % RESOURCES),
            [first, second] => (first, second),
            _ => return None,
        };
        let plain = matches!(&model.modes[..], [mode] if mode.required.is_empty() && mode.forbidden.is_empty());
        let in_classes = model.cliques.iter().all(|c| c.iter().all(|i| model.conflicts[*i].len() + 1 == c.len()));
        let is_open = |item: usize| {
            model.bins.iter().all(|b| {
                let fits = (0..RESOURCES).all(|r| model.items[item].demand[r] <= b.capacity[r]);
                b.most[item] > 0 || !fits
            })
        };
        // What needs nothing could be had without end.
        let all_need = model.items.iter().all(|i| i.demand.iter().any(|d| *d > 0));
        if !all_need || !plain || !in_classes || !(0..model.items.len()).all(is_open) {
            return None;
        }
        let unit = |r: usize| model.items.iter().fold(0, |a, i| divisor(a, i.demand[r])).max(1);
        let units = [unit(first), unit(second)];
        let axes = [first, second];
        let scaled = |amounts: &[u64; RESOURCES]| -> [usize; 2] {
            std::array::from_fn(|k| usize::try_from(amounts[axes[k]] / units[k]).unwrap_or(usize::MAX))
        };
        let mut capacity: Vec<[usize; 2]> = model.bins.iter().map(|b| scaled(&b.capacity)).collect();
        if used.len() == 1 {
            capacity.iter_mut().for_each(|c| c[1] = 0);
        }
        let (classes, free): (Vec<Vec<usize>>, Vec<Vec<usize>>) =
            model.cliques.iter().cloned().partition(|c| c.len() > 1);
        let demand = model.items.iter().map(|i| scaled(&i.demand)).collect();
        Some(Grid { demand, capacity, free: free.into_iter().flatten().collect(), classes })
    }

    /// How many of the cheapest bins a table of so many cells serves.
    fn served(&self, cells: usize) -> (usize, [usize; 2]) {
        let mut size = [0usize; 2];
        for (bin, c) in self.capacity.iter().enumerate() {
            let grown = [size[0].max(c[0]), size[1].max(c[1])];
            if grown[0].saturating_add(1).saturating_mul(grown[1].saturating_add(1)) > cells {
                return (bin, size);
            }
            size = grown;
        }
        (self.capacity.len(), size)
    }

    /// Prices the cheapest bins, as many as a table of so many cells serves, at the values of items. `costs` tells what
    /// the bins cost, `limit` how many of an item a node may have; with one the bounds hold only for such nodes.
    pub(crate) fn price(&self, values: &[f64], costs: &[f64], cells: usize, limit: Option<u8>) -> Vec<Cell> {
        let (bins, size) = self.served(cells);
        // A node of two resources is worth at most twice what it is full of its best item; whole numbers stay far inside
        // 32 bits.
        let each = |i: &usize| {
            let fits = (0..2).filter(|k| self.demand[*i][*k] > 0).map(|k| size[k] / self.demand[*i][k]).min();
            values[*i].max(0.0) * fits.unwrap_or(0) as f64
        };
        let free = self.free.iter().map(each).fold(0.0, f64::max) * 2.0;
        let best_of = |c: &Vec<usize>| c.iter().map(|i| values[*i].max(0.0)).fold(0.0, f64::max);
        let most = free + self.classes.iter().map(best_of).sum::<f64>();
        let grain = most / (2.0 * RESOLUTION);
        if grain <= 0.0 || !grain.is_finite() {
            return Vec::new();
        }
        let whole: Vec<i32> = values.iter().map(|v| (v / grain).floor().max(0.0) as i32).collect();
        let width = size[1] + 1;
        let table = match limit {
            None => Table { cells: self.unbounded(&whole, size), choices: Vec::new() },
            Some(limit) => self.bounded(&whole, size, limit),
        };
        let mut layers: Vec<Vec<i32>> = vec![table.cells];
        for class in self.classes.iter().rev().skip(1) {
            let below = &layers[layers.len() - 1];
            let mut layer = below.clone();
            for item in class.iter().filter(|i| whole[**i] > 0) {
                let [a, b] = self.demand[*item];
                for c in a..=size[0] {
                    if b > size[1] {
                        break;
                    }
                    let (to, from) = (c * width + b, (c - a) * width);
                    let source = &below[from..from + width - b];
                    for (to, x) in layer[to..to + width - b].iter_mut().zip(source) {
                        *to = (*to).max(x + whole[*item]);
                    }
                }
            }
            layers.push(layer);
        }
        // What rounding down took off the instances of a node, for bounds on the values as they were given.
        let lost = |bin: &[usize; 2]| {
            let most = (0..self.demand.len())
                .filter_map(|i| (0..2).filter(|k| self.demand[i][*k] > 0).map(|k| bin[k] / self.demand[i][k]).min());
            (most.max().unwrap_or(0) + self.classes.len()) as f64 * grain
        };
        (0..bins)
            .map(|bin| {
                let capacity = self.capacity[bin];
                let (value, found) = self.best(&whole, &layers, &table.choices, width, capacity, costs[bin] / grain);
                (f64::from(value) * grain + lost(&capacity), found)
            })
            .collect()
    }

    /// The table with at most so many of each free item.
    fn bounded(&self, whole: &[i32], size: [usize; 2], limit: u8) -> Table {
        let width = size[1] + 1;
        let mut cells = vec![0i32; (size[0] + 1) * width];
        let mut choices = Vec::new();
        for item in self.free.iter().copied().filter(|i| whole[*i] > 0) {
            let [a, b] = self.demand[item];
            let mut chosen = vec![0u8; cells.len()];
            // From the largest cell down: what is looked up has not been changed for this item yet.
            for c in (0..=size[0]).rev() {
                for m in (0..width).rev() {
                    let at = c * width + m;
                    let old = cells[at];
                    let mut best = old;
                    for n in 1..=usize::from(limit) {
                        if a * n > c || b * n > m {
                            break;
                        }
                        let x = cells[at - a * n * width - b * n] + whole[item] * n as i32;
                        if x > best {
                            (best, chosen[at]) = (x, n as u8);
                        }
                    }
                    cells[at] = best;
                }
            }
            choices.push((item, chosen));
        }
        Table { cells, choices }
    }

    /// The table of the free items.
    fn unbounded(&self, whole: &[i32], size: [usize; 2]) -> Vec<i32> {
        let width = size[1] + 1;
        let mut table = vec![0i32; (size[0] + 1) * width];
        let free: Vec<usize> = self.free.iter().copied().filter(|i| whole[*i] > 0).collect();
        for c in 0..=size[0] {
            let (before, rest) = table.split_at_mut(c * width);
            let row = &mut rest[..width];
            for item in &free {
                let ([a, b], value) = (self.demand[*item], whole[*item]);
                if a == 0 || a > c || b > size[1] {
                    continue;
                }
                let from = &before[(c - a) * width..(c - a) * width + width - b];
                for (to, x) in row[b..].iter_mut().zip(from) {
                    *to = (*to).max(x + value);
                }
            }
            // Items that use the second resource alone.
            for item in free.iter().filter(|i| self.demand[**i][0] == 0 && self.demand[**i][1] > 0) {
                let (b, value) = (self.demand[*item][1], whole[*item]);
                for m in b..width {
                    row[m] = row[m].max(row[m - b] + value);
                }
            }
        }
        table
    }

    /// The largest value on a capacity, and nodes worth more than a cost, found by going back through the tables.
    fn best(
        &self,
        whole: &[i32],
        layers: &[Vec<i32>],
        choices: &[(usize, Vec<u8>)],
        width: usize,
        capacity: [usize; 2],
        cost: f64,
    ) -> (i32, Vec<Vec<u32>>) {
        let top = &layers[layers.len() - 1];
        let value = |at: [usize; 2]| top[at[0] * width + at[1]];
        let mut starts = vec![(value(capacity), None)];
        for item in self.classes.first().into_iter().flatten() {
            if let Some(rest) = self.without(capacity, *item, 1) {
                starts.push((value(rest) + whole[*item], Some(*item)));
            }
        }
        starts.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let worth = |(value, _): &&(i32, Option<usize>)| f64::from(*value) > cost;
        let found = starts.iter().filter(worth).take(GIVEN);
        let found = found.map(|(_, first)| self.back(whole, layers, choices, width, capacity, *first)).collect();
        (starts[0].0, found)
    }

    fn without(&self, at: [usize; 2], item: usize, n: usize) -> Option<[usize; 2]> {
        let [a, b] = self.demand[item];
        Some([at[0].checked_sub(a * n)?, at[1].checked_sub(b * n)?])
    }

    /// The counts of the best node of a capacity that has `first` of the last class.
    fn back(
        &self,
        whole: &[i32],
        layers: &[Vec<i32>],
        choices: &[(usize, Vec<u8>)],
        width: usize,
        capacity: [usize; 2],
        first: Option<usize>,
    ) -> Vec<u32> {
        let mut counts = vec![0u32; whole.len()];
        let mut at = capacity;
        let mut take = |at: &mut [usize; 2], item: usize, n: usize| {
            counts[item] += n as u32;
            *at = self.without(*at, item, n).unwrap_or(*at);
        };
        let value = |layer: &[i32], at: [usize; 2]| layer[at[0] * width + at[1]];
        if let Some(item) = first {
            take(&mut at, item, 1);
        }
        for (depth, class) in self.classes.iter().skip(1).enumerate() {
            let (layer, below) = (&layers[layers.len() - 1 - depth], &layers[layers.len() - 2 - depth]);
            if value(layer, at) == value(below, at) {
                continue;
            }
            let made = |item: usize, at: [usize; 2]| {
                let rest = self.without(at, item, 1);
                rest.is_some_and(|rest| value(below, rest) + whole[item] == value(layer, at))
            };
            if let Some(item) = class.iter().copied().find(|i| made(*i, at)) {
                take(&mut at, item, 1);
            }
        }
        for (item, chosen) in choices.iter().rev() {
            let n = chosen[at[0] * width + at[1]];
            if n > 0 {
                take(&mut at, *item, usize::from(n));
            }
        }
        while choices.is_empty() && value(&layers[0], at) > 0 {
            let made = |item: usize, at: [usize; 2]| {
                let rest = self.without(at, item, 1);
                whole[item] > 0
                    && rest.is_some_and(|rest| value(&layers[0], rest) + whole[item] == value(&layers[0], at))
            };
            let Some(item) = self.free.iter().copied().find(|i| made(*i, at)) else { break };
            take(&mut at, item, 1);
        }
        counts
    }
}
