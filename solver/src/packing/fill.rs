//! The most valuable load of one bin, searched depth first under the tables of [`super::completion`]: the choice that the
//! tables think most of comes first, and what they think too little of is left.

use super::completion::Completion;
use super::node::{Bin, NodeModel, RESOURCES};
use super::pricing::{Priced, Reach};

/// The search for one bin.
pub(super) struct Search<'t> {
    model: &'t NodeModel,
    bin: &'t Bin,
    /// All with the same groups in the same order.
    tables: Vec<&'t Completion<'t>>,
    reach: Reach,
    slack: f64,
    /// By item: how many on the node never meet it.
    blocked: Vec<u32>,
    counts: Vec<u32>,
    best: f64,
    /// The largest bound of what was not searched.
    open: f64,
    steps: usize,
    found: Vec<(f64, Vec<u32>)>,
}

/// A choice of a number of one item.
#[derive(Clone, Copy, Debug)]
struct Choice {
    bound: f64,
    entry: usize,
    number: u32,
}

impl<'t> Search<'t> {
    pub(super) fn new(model: &'t NodeModel, bin: &'t Bin, tables: Vec<&'t Completion<'t>>, reach: Reach) -> Self {
        let items = model.items.len();
        let (blocked, counts) = (vec![0; items], vec![0; items]);
        let (best, open, found) = (reach.threshold, f64::NEG_INFINITY, Vec::new());
        Search { model, bin, tables, reach, slack: 0.0, blocked, counts, best, open, steps: 0, found }
    }

    /// The search without the items of some loads.
    pub(super) fn beside(mut self, loads: &[Vec<u32>]) -> Self {
        for counts in loads {
            counts.iter().zip(&mut self.blocked).filter(|(n, _)| **n > 0).for_each(|(_, blocked)| *blocked += 1);
        }
        self
    }

    pub(super) fn run(mut self) -> Priced {
        let root = self.rest(0, &self.bin.capacity);
        let slack = self.tables.iter().map(|t| t.slack()).fold(0.0, f64::max);
        self.slack = 1e-12 * (root + self.reach.threshold.abs()) + slack;
        self.descend(0, 0.0, self.bin.capacity);
        let upper = self.rounded(root).min(self.best.max(self.open) + 2.0 * self.slack);
        Priced { upper, found: self.found, steps: self.steps }
    }

    fn rest(&self, group: usize, left: &[u64; RESOURCES]) -> f64 {
        self.tables.iter().map(|t| t.rest(group, left)).fold(f64::INFINITY, f64::min)
    }

    fn rounded(&self, bound: f64) -> f64 {
        let bound = bound + self.slack;
        if self.reach.step > 0.0 { (bound / self.reach.step + 1e-6).floor() * self.reach.step } else { bound }
    }

    fn is_hopeless(&self, bound: f64) -> bool {
        self.rounded(bound) <= self.best + 2.0 * self.slack
    }

    fn descend(&mut self, group: usize, value: f64, left: [u64; RESOURCES]) {
        let groups = self.tables[0].groups.len();
        for at in group..groups {
            let Some(mut choices) = self.choices(at, value, &left) else { continue };
            let none = value + self.rest(at + 1, &left);
            if choices.is_empty() {
                if self.is_hopeless(none) {
                    return;
                }
                continue;
            }
            if !self.is_hopeless(none) {
                choices.push(Choice { bound: none, entry: 0, number: 0 });
            }
            choices.sort_by(|a, b| b.bound.total_cmp(&a.bound).then(b.number.cmp(&a.number)));
            self.steps += 1;
            if self.steps > self.reach.nodes {
                self.open = self.open.max(self.rounded(choices[0].bound));
                return;
            }
            for choice in choices {
                if !self.is_hopeless(choice.bound) {
                    self.take(at, choice, value, left);
                }
            }
            return;
        }
        if value > self.best && self.counts.iter().any(|n| *n > 0) {
            self.best = value;
            self.found.push((value, self.counts.clone()));
        }
    }

    /// Every number of every item of a group that may lead to something better; `None` where none has room.
    fn choices(&self, at: usize, value: f64, left: &[u64; RESOURCES]) -> Option<Vec<Choice>> {
        let mut choices = None;
        for (entry, e) in self.tables[0].groups[at].iter().enumerate() {
            let demand = &self.model.items[e.item].demand;
            if self.blocked[e.item] > 0 || (0..RESOURCES).any(|r| demand[r] > left[r]) {
                continue;
            }
            let room = (0..RESOURCES).filter(|r| demand[*r] > 0).map(|r| left[r] / demand[r]);
            let most = room.fold(u64::from(self.bin.most[e.item]), u64::min) as u32;
            let choices: &mut Vec<Choice> = choices.get_or_insert_default();
            for number in 1..=most {
                let rest = std::array::from_fn(|r| left[r] - demand[r] * u64::from(number));
                let bound = value + e.value * f64::from(number) + self.rest(at + 1, &rest);
                if !self.is_hopeless(bound) {
                    choices.push(Choice { bound, entry, number });
                }
            }
        }
        choices
    }

    fn take(&mut self, at: usize, choice: Choice, value: f64, left: [u64; RESOURCES]) {
        if choice.number == 0 {
            self.descend(at + 1, value, left);
            return;
        }
        let entry = self.tables[0].groups[at][choice.entry];
        let model = self.model;
        let demand = model.items[entry.item].demand;
        let rest = std::array::from_fn(|r| left[r] - demand[r] * u64::from(choice.number));
        let others = &model.conflicts[entry.item];
        others.iter().for_each(|other| self.blocked[*other] += 1);
        self.counts[entry.item] = choice.number;
        self.descend(at + 1, value + entry.value * f64::from(choice.number), rest);
        self.counts[entry.item] = 0;
        others.iter().for_each(|other| self.blocked[*other] -= 1);
    }
}
