//! Units in which a table counts room: for bins of like size one table, in units that lose little when demands are
//! rounded down to them.

use super::node::{NodeModel, RESOURCES};
use crate::decimal::divisor;

/// Bins share a table as long as it is at most so many times the room of the smallest of them.
const LIKE: f64 = 8.0;
/// Cells of a table at least and at most.
const CELLS: (usize, usize) = (2_000, 400_000);
/// Demands that units are made from, at most so many for each resource.
const MOST_DEMANDS: usize = 40;
/// Fractions of a demand, and of the whole room, that are tried as units.
const PARTS: [u64; 14] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64];
const STEPS: [u64; 10] = [1, 16, 32, 64, 96, 128, 192, 256, 384, 512];

/// Steps of a resource that is counted finely, and of one that is counted beside it.
const FINE_STEPS: u64 = 12_000;
const FEW_STEPS: u64 = 8;
/// Cells of a fine table at most, over all groups of items: 32 MB at four bytes each, and so 128 MB for the tables of one
/// bin, of which there is at most one for each resource.
pub(super) const FINE_CELLS: usize = 8_000_000;

/// The units of some bins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    pub bins: Vec<usize>,
    /// Of each resource; resources that are not counted have none.
    unit: [Option<u64>; RESOURCES],
    /// Of each resource the number of different amounts.
    pub steps: [usize; RESOURCES],
    /// The room of the largest bins together.
    room: [u64; RESOURCES],
}

/// A unit that may be taken for a resource.
#[derive(Clone, Copy, Debug)]
struct Choice {
    unit: u64,
    steps: usize,
    /// The shares of all demands that are lost.
    loss: f64,
}

impl Scale {
    /// Scales for the bins of a model, each with tables of about so many cells for all items together.
    pub(crate) fn all(model: &NodeModel, cells: usize) -> Vec<Scale> {
        let counted = |r: usize| model.items.iter().any(|i| i.demand[r] > 0);
        let room = |bins: &[usize]| -> [u64; RESOURCES] {
            std::array::from_fn(|r| {
                let limited = bins.iter().map(|b| model.bins[*b].capacity[r]);
                if counted(r) { limited.max().unwrap_or(0) } else { 0 }
            })
        };
        let volume = |room: [u64; RESOURCES]| -> f64 {
            (0..RESOURCES).filter(|r| counted(*r) && room[*r] < u64::MAX).map(|r| room[r].max(1) as f64).product()
        };
        let mut order: Vec<usize> = (0..model.bins.len()).collect();
        order.sort_by(|a, b| volume(room(&[*a])).total_cmp(&volume(room(&[*b]))).then(a.cmp(b)));
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut least = 0.0;
        for bin in order {
            if let Some(last) = groups.last_mut() {
                last.push(bin);
                if volume(room(last)) <= LIKE * least {
                    continue;
                }
                last.pop();
            }
            least = volume(room(&[bin]));
            groups.push(vec![bin]);
        }
        let each = (cells / (model.cliques.len() + 1)).clamp(CELLS.0, CELLS.1);
        groups.into_iter().map(|bins| Scale::of(model, room(&bins), bins, each)).collect()
    }

    /// The units that lose least with at most so many cells.
    fn of(model: &NodeModel, room: [u64; RESOURCES], bins: Vec<usize>, cells: usize) -> Scale {
        let options: [Vec<Choice>; RESOURCES] = std::array::from_fn(|r| choices(model, r, room[r], cells));
        let mut best: Option<([Choice; RESOURCES], f64, usize)> = None;
        let mut stack: Vec<(Vec<Choice>, f64, usize)> = vec![(Vec::new(), 0.0, 1)];
        while let Some((chosen, loss, size)) = stack.pop() {
            if best.as_ref().is_some_and(|(_, least, small)| (loss, size) >= (*least, *small)) {
                continue;
            }
            if let Ok(all) = <[Choice; RESOURCES]>::try_from(chosen.as_slice()) {
                best = Some((all, loss, size));
                continue;
            }
            for choice in &options[chosen.len()] {
                let grown = size.saturating_mul(choice.steps);
                if grown <= cells {
                    let with = chosen.iter().copied().chain([*choice]).collect();
                    stack.push((with, loss + choice.loss, grown));
                }
            }
        }
        let nothing = Choice { unit: u64::MAX, steps: 1, loss: 0.0 };
        let all = best.map_or([nothing; RESOURCES], |(all, _, _)| all);
        let unit = all.map(|c| (c.steps > 1).then_some(c.unit));
        Scale { bins, unit, steps: all.map(|c| c.steps), room }
    }

    /// A scale for one bin that counts one resource finely, and the others only where that takes few steps. The more
    /// groups of items there are, the coarser it is, down to one that is not fine: tables stay within `FINE_CELLS`.
    pub(crate) fn fine(model: &NodeModel, bin: usize, r: usize) -> Scale {
        let mut scale = Scale { bins: vec![bin], unit: [None; RESOURCES], steps: [1; RESOURCES], room: [0; RESOURCES] };
        for each in (0..RESOURCES).filter(|r| model.items.iter().any(|i| i.demand[*r] > 0)) {
            scale.room[each] = model.bins[bin].capacity[each];
            if each != r && scale.room[each] <= FEW_STEPS {
                scale.count(each, 1);
            }
        }
        let room = scale.room[r];
        if room > 0 && room < u64::MAX {
            let cells = (model.cliques.len() + 1).saturating_mul(scale.steps.iter().product());
            let most = (FINE_CELLS / cells).saturating_sub(1).max(1) as u64;
            scale.count(r, (room / FINE_STEPS).max(room.div_ceil(most)));
        }
        scale
    }

    /// Counts a resource in a unit.
    fn count(&mut self, r: usize, unit: u64) {
        self.unit[r] = Some(unit);
        self.steps[r] = (self.room[r] / unit) as usize + 1;
    }

    /// True when a resource is counted with more than a few steps.
    pub(crate) fn is_fine(&self) -> bool {
        self.steps.iter().any(|steps| *steps > FEW_STEPS as usize + 1)
    }

    /// True when tables of the scale count a resource.
    pub(crate) fn counts(&self, r: usize) -> bool {
        self.unit[r].is_some()
    }

    /// Amounts in whole units, rounded down.
    pub(crate) fn cells(&self, amounts: &[u64; RESOURCES]) -> [usize; RESOURCES] {
        std::array::from_fn(|r| self.unit[r].map_or(0, |unit| usize::try_from(amounts[r] / unit).unwrap_or(usize::MAX)))
    }

    /// Resources that are counted, with their units.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.unit.iter().enumerate().filter_map(|(r, unit)| unit.map(|unit| (r, unit)))
    }

    /// The largest share of the room that a demand takes.
    pub(crate) fn share(&self, demand: &[u64; RESOURCES]) -> f64 {
        (0..RESOURCES).filter(|r| self.room[*r] > 0).map(|r| demand[r] as f64 / self.room[r] as f64).fold(0.0, f64::max)
    }
}

/// Units for a resource, fewer steps first; each loses less than those before it.
fn choices(model: &NodeModel, r: usize, room: u64, cells: usize) -> Vec<Choice> {
    let nothing = Choice { unit: u64::MAX, steps: 1, loss: 0.0 };
    let mut demands: Vec<u64> = model.items.iter().map(|i| i.demand[r]).filter(|d| *d > 0 && *d <= room).collect();
    if demands.is_empty() || room == u64::MAX {
        return vec![nothing];
    }
    demands.sort_unstable();
    demands.dedup();
    let stride = demands.len().div_ceil(MOST_DEMANDS);
    let common = demands.iter().fold(0, |a, d| divisor(a, *d));
    let of_demands = demands.iter().step_by(stride).flat_map(|d| PARTS.iter().map(move |part| d / part));
    let of_room = STEPS.iter().map(|steps| room / steps);
    let mut units: Vec<u64> = of_demands.chain(of_room).chain([common]).filter(|unit| *unit > 0).collect();
    units.sort_unstable_by(|a, b| b.cmp(a));
    units.dedup();
    let mut choices: Vec<Choice> = vec![Choice { loss: demands.len() as f64, ..nothing }];
    for unit in units {
        let steps = usize::try_from(room / unit).unwrap_or(usize::MAX).saturating_add(1);
        let loss: f64 = demands.iter().map(|d| (d % unit) as f64 / *d as f64).sum();
        if steps <= cells && choices.last().is_none_or(|last| loss < 0.97 * last.loss || loss == 0.0) {
            choices.push(Choice { unit, steps, loss });
        }
        if loss == 0.0 {
            break;
        }
    }
    choices
}
