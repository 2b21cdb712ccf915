//! What the rest of a node can still be worth: a table over rounded demands, and the search that goes by it.
//!
//! Demands are rounded down to units, so that whatever fits the node fits the table: what the groups from one on are worth
//! in the table is a bound on what they are worth in the room that is left, with limits on the number of an item and with
//! items that never meet. Resources that a table does not count are charged for with multipliers instead, which leaves
//! steps for a finer count of another. A depth-first search under the least of these bounds goes nearly straight to the
//! best load, for any number of resources and for sizes without a common unit. (Kellerer, Pferschy and Pisinger, Knapsack
//! Problems, 2004, sections 2.3 and 9.3; a Lagrangian relaxation of all but one resource as in section 9.2.)

use super::fill::Search;
use super::node::{Bin, NodeModel, RESOURCES};
use super::pricing::{Priced, Reach};
use super::scale::Scale;

/// Values are rounded up to so many steps of all items together, or of what the largest bin may hold, whichever is
/// coarser: no sum in a table comes near 2^32, where it would wrap.
const STEPS_OF_ALL: f64 = (1u32 << 31) as f64;
const STEPS_OF_ONE: f64 = (1u32 << 28) as f64;

/// Amounts in units of the table.
type Cells = [usize; RESOURCES];

/// An item as the table sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub item: usize,
    pub value: f64,
    pub most: u32,
    /// The value less what is charged, in grains.
    whole: u32,
    cells: Cells,
}

/// Multipliers of resources, for each unit of an amount.
pub(crate) type Charge = [f64; RESOURCES];

/// The table of some bins at some values.
pub(crate) struct Completion<'a> {
    model: &'a NodeModel,
    scale: &'a Scale,
    /// Resources that are counted: unit, largest number, stride.
    counted: Vec<(usize, u64, usize, usize)>,
    /// Resources that are charged for, with the charge.
    charged: Vec<(usize, f64)>,
    /// The resource with the most steps: along it cells lie side by side.
    inner: usize,
    stride: Cells,
    /// Items that never meet are a group; the largest items come first.
    pub(super) groups: Vec<Vec<Entry>>,
    /// By group, then by the room that is left: what the group and those after it are worth at most.
    layers: Vec<u32>,
    /// Cells of a layer.
    size: usize,
    grain: f64,
    /// A bin holds at most so many instances.
    instances: f64,
}

/// How many instances a bin holds at most.
fn fitting(model: &NodeModel, bin: &Bin, groups: &[Vec<usize>]) -> f64 {
    let items = || groups.iter().flatten();
    let room = |r: usize| {
        let least = items().map(|i| model.items[*i].demand[r]).min().unwrap_or(0);
        if least > 0 { bin.capacity[r] as f64 / least as f64 } else { f64::INFINITY }
    };
    let all = items().map(|i| f64::from(bin.most[*i])).sum();
    (0..RESOURCES).map(room).fold(all, f64::min)
}

/// How many of an item the bins of a scale hold at most.
fn most(model: &NodeModel, scale: &Scale, item: usize) -> u32 {
    scale.bins.iter().map(|b| model.bins[*b].most[item]).max().unwrap_or(0)
}

/// A piece of an item: so many at once.
struct Piece {
    cells: Cells,
    whole: u32,
}

impl<'a> Completion<'a> {
    /// The table for the bins of a scale, at values that are the same on all of them; `None` when nothing is worth
    /// anything. The memory of an earlier table is taken over.
    pub(crate) fn of(model: &'a NodeModel, scale: &'a Scale, values: &[f64], memory: &mut Vec<u32>) -> Option<Self> {
        let is_worth = |item: &usize| values[*item] > 0.0 && most(model, scale, *item) > 0;
        let mut groups: Vec<Vec<usize>> =
            model.cliques.iter().map(|c| c.iter().copied().filter(is_worth).collect()).collect();
        groups.retain(|g| !g.is_empty());
        let size = |item: usize| scale.share(&model.items[item].demand);
        let largest = |g: &Vec<usize>| g.iter().map(|i| size(*i)).fold(0.0, f64::max);
        groups.sort_by(|a, b| (b.len() > 1).cmp(&(a.len() > 1)).then(largest(b).total_cmp(&largest(a))).then(a.cmp(b)));
        Completion::over(model, scale, values, groups, [0.0; RESOURCES], memory)
    }

    /// Another table for bins of this one, which charges for what it does not count.
    pub(crate) fn finer(
        &self,
        scale: &'a Scale,
        values: &[f64],
        charge: Charge,
        memory: &mut Vec<u32>,
    ) -> Option<Self> {
        let groups = self.groups.iter().map(|g| g.iter().map(|e| e.item).collect()).collect();
        Completion::over(self.model, scale, values, groups, charge, memory)
    }

    fn over(
        model: &'a NodeModel,
        scale: &'a Scale,
        values: &[f64],
        groups: Vec<Vec<usize>>,
        charge: Charge,
        memory: &mut Vec<u32>,
    ) -> Option<Self> {
        let most = |item: usize| most(model, scale, item);
        let total = |g: &Vec<usize>| g.iter().map(|i| values[*i] * f64::from(most(*i))).fold(0.0, f64::max);
        let all = groups.iter().map(total).sum::<f64>();
        let instances = scale.bins.iter().map(|b| fitting(model, &model.bins[*b], &groups)).fold(1.0, f64::max);
        let dearest = groups.iter().flatten().map(|i| values[*i]).fold(0.0, f64::max);
        let grain = (all / STEPS_OF_ALL).max(all.min(dearest * instances) / STEPS_OF_ONE);
        if groups.is_empty() || grain <= 0.0 || !grain.is_finite() {
            return None;
        }
        // What is counted is not charged for.
        let charge = std::array::from_fn(|r| if scale.counts(r) { 0.0 } else { charge[r].max(0.0) });
        let entry = |item: &usize| {
            let demand = &model.items[*item].demand;
            let charged = values[*item] - charged(&charge, demand);
            // The margin is for the rounding of the charge, which is far below the values.
            let whole = ((charged / grain).max(0.0) * (1.0 + 1e-12)).ceil() as u32;
            Entry { item: *item, value: values[*item], whole, cells: scale.cells(demand), most: most(*item) }
        };
        let groups: Vec<Vec<Entry>> = groups.iter().map(|g| g.iter().map(entry).collect()).collect();
        let inner = (0..RESOURCES).max_by_key(|r| scale.steps[*r]).unwrap_or(0);
        let mut stride = [1; RESOURCES];
        let mut cells = scale.steps[inner];
        for r in (0..RESOURCES).filter(|r| *r != inner) {
            stride[r] = cells;
            cells *= scale.steps[r];
        }
        let layers = std::mem::take(memory);
        let counted = scale.counted().map(|(r, unit)| (r, unit, scale.steps[r] - 1, stride[r])).collect();
        let charged = (0..RESOURCES).filter(|r| charge[*r] > 0.0).map(|r| (r, charge[r])).collect();
        let mut completion =
            Completion { model, scale, counted, charged, inner, stride, groups, layers, size: cells, grain, instances };
        completion.fill();
        Some(completion)
    }

    /// The memory of the table, for the next one.
    pub(crate) fn into_memory(self) -> Vec<u32> {
        self.layers
    }

    fn fill(&mut self) {
        let size = self.size;
        let mut layers = std::mem::take(&mut self.layers);
        let cells = (self.groups.len() + 1) * size;
        layers.reserve_exact(cells.saturating_sub(layers.len()));
        layers.resize(cells, 0);
        let mut with = Vec::new();
        layers[self.groups.len() * size..].fill(0);
        for g in (0..self.groups.len()).rev() {
            let (head, below) = layers.split_at_mut((g + 1) * size);
            let (layer, below) = (&mut head[g * size..], &below[..size]);
            if let [entry] = &self.groups[g][..]
                && self.put_one(below, layer, entry)
            {
                continue;
            }
            layer.copy_from_slice(below);
            if let [entry] = &self.groups[g][..] {
                self.add(layer, entry);
                continue;
            }
            for entry in &self.groups[g] {
                with.clear();
                with.extend_from_slice(below);
                self.add(&mut with, entry);
                layer.iter_mut().zip(&with).for_each(|(x, y)| *x = (*x).max(*y));
            }
        }
        self.layers = layers;
    }

    /// Puts up to as many of an item as are allowed into a table.
    fn add(&self, table: &mut [u32], entry: &Entry) {
        if entry.whole == 0 {
            return;
        }
        let room = (0..RESOURCES).filter(|r| entry.cells[*r] > 0).map(|r| (self.scale.steps[r] - 1) / entry.cells[r]);
        let Some(fits) = room.min() else {
            let all = entry.whole.wrapping_mul(entry.most);
            table.iter_mut().for_each(|x| *x = x.wrapping_add(all));
            return;
        };
        let one = |n: usize| Piece { cells: entry.cells.map(|c| c * n), whole: entry.whole.wrapping_mul(n as u32) };
        if entry.most as usize >= fits && fits > 1 {
            self.shift(table, &one(1), true);
            return;
        }
        let (mut left, mut n) = ((entry.most as usize).min(fits), 1);
        while left > 0 {
            n = n.min(left);
            self.shift(table, &one(n), false);
            (left, n) = (left - n, n * 2);
        }
    }

    /// The table above another for an item of which there is one, in one go; false for other items.
    fn put_one(&self, below: &[u32], layer: &mut [u32], entry: &Entry) -> bool {
        if entry.most != 1 || entry.whole == 0 {
            return false;
        }
        let width = self.scale.steps[self.inner];
        let others = || (0..RESOURCES).filter(|r| *r != self.inner);
        let back: usize = others().map(|r| entry.cells[r] * self.stride[r]).sum::<usize>() / width;
        let along = entry.cells[self.inner].min(width);
        for (row, to) in layer.chunks_exact_mut(width).enumerate() {
            let same = &below[row * width..(row + 1) * width];
            let at = |r: usize| row * width / self.stride[r] % self.scale.steps[r];
            if others().any(|r| at(r) < entry.cells[r]) {
                to.copy_from_slice(same);
                continue;
            }
            let from = &below[(row - back) * width..(row - back + 1) * width];
            to[..along].copy_from_slice(&same[..along]);
            for ((to, same), from) in to[along..].iter_mut().zip(&same[along..]).zip(from) {
                *to = (*same).max(from.wrapping_add(entry.whole));
            }
        }
        true
    }

    /// Puts a piece into a table once, or any number of times. Going from full to empty what is looked up does not have
    /// the piece yet; from empty to full it has.
    fn shift(&self, table: &mut [u32], piece: &Piece, any_number: bool) {
        let width = self.scale.steps[self.inner];
        let rows = table.len() / width;
        let others = || (0..RESOURCES).filter(|r| *r != self.inner);
        let back: usize = others().map(|r| piece.cells[r] * self.stride[r]).sum::<usize>() / width;
        let along = piece.cells[self.inner];
        if along >= width {
            return;
        }
        let mut copy = if back == 0 && !any_number { vec![0u32; width] } else { Vec::new() };
        for k in 0..rows {
            let row = if any_number { k } else { rows - 1 - k };
            let at = |r: usize| row * width / self.stride[r] % self.scale.steps[r];
            if others().any(|r| at(r) < piece.cells[r]) {
                continue;
            }
            if back > 0 {
                let (before, rest) = table.split_at_mut(row * width);
                let from = &before[(row - back) * width..(row - back) * width + width - along];
                for (to, x) in rest[along..width].iter_mut().zip(from) {
                    *to = (*to).max(x.wrapping_add(piece.whole));
                }
            } else if any_number {
                for m in along..width {
                    let x = table[row * width + m - along].wrapping_add(piece.whole);
                    let to = &mut table[row * width + m];
                    *to = (*to).max(x);
                }
            } else {
                let row = &mut table[row * width..(row + 1) * width];
                copy.copy_from_slice(row);
                for (to, x) in row[along..].iter_mut().zip(&copy) {
                    *to = (*to).max(x.wrapping_add(piece.whole));
                }
            }
        }
    }

    /// What the groups from one on are worth at most in the room that is left.
    pub(super) fn rest(&self, group: usize, left: &[u64; RESOURCES]) -> f64 {
        let mut at = group * self.size;
        for (r, unit, most, stride) in &self.counted {
            at += ((left[*r] / unit) as usize).min(*most) * stride;
        }
        let charged: f64 = self.charged.iter().map(|(r, charge)| charge * left[*r] as f64).sum();
        f64::from(self.layers[at]) * self.grain + charged
    }

    /// What rounding up adds at most to a bin.
    pub(super) fn slack(&self) -> f64 {
        self.grain * self.instances
    }

    /// The most valuable load of a bin of the scale, under this table and others for the same bin and values.
    pub(crate) fn best(&self, bin: usize, others: &[&Completion<'_>], reach: Reach) -> Priced {
        let tables: Vec<&Completion<'_>> = std::iter::once(self).chain(others.iter().copied()).collect();
        Search::new(self.model, &self.model.bins[bin], tables, reach).run()
    }

    /// Loads of a bin without the items of some others: nodes that can stand beside them.
    pub(crate) fn beside(&self, bin: usize, others: &[Vec<u32>], reach: Reach) -> Priced {
        Search::new(self.model, &self.model.bins[bin], vec![self], reach).beside(others).run()
    }
}

/// What amounts cost at some multipliers.
fn charged(charge: &Charge, amounts: &[u64; RESOURCES]) -> f64 {
    (0..RESOURCES).filter(|r| charge[*r] > 0.0).map(|r| charge[r] * amounts[r] as f64).sum()
}
