//! Propagation between the open rows of the groups and the intervals of the expressions.

use std::rc::Rc;

use super::contract::Boxes;
use super::graph::Id;
use super::instance::{Domains, Instance};
use super::interval::Interval;

/// At most so many rounds between rows and intervals.
const ROUNDS: u32 = 6;

/// The buffers of propagation, and what the last one found.
#[derive(Clone, Debug, Default)]
pub struct Propagation {
    /// The intervals of the nodes.
    pub boxes: Boxes,
    /// What the tables of each aggregate allow on the open rows.
    pub natural: Vec<Interval>,
    /// For each group the range of each column over the open rows.
    pub spans: Vec<Vec<Interval>>,
    /// The narrowed intervals of the aggregates.
    sums: Vec<Interval>,
    keep: Vec<u32>,
}

/// An interval that a node must lie in.
pub type Hold = (Id, Interval);

impl Propagation {
    /// Buffers for an instance.
    pub fn new(instance: &Instance) -> Self {
        let nodes = instance.graph.ops.len();
        Propagation {
            boxes: Boxes { of: vec![Interval::EMPTY; nodes], active: vec![false; nodes], contradiction: false },
            natural: vec![Interval::EMPTY; instance.nodes.len()],
            spans: instance.groups.iter().map(|g| vec![Interval::EMPTY; g.columns.len()]).collect(),
            sums: vec![Interval::ALL; instance.nodes.len()],
            keep: Vec::new(),
        }
    }

    /// Drops rows that no admissible choice within `holds` takes and with sums in `ranges`; false when none is left.
    /// Nodes of which all that matters is that they have a value are `wanted`.
    pub fn run(
        &mut self,
        instance: &Instance,
        domains: &mut Domains,
        ranges: &[Interval],
        holds: &[Hold],
        wanted: &[Id],
    ) -> bool {
        let mut dirty: Vec<bool> = vec![true; instance.groups.len()];
        self.sums.copy_from_slice(ranges);
        for _ in 0..ROUNDS {
            if !self.order_classes(instance, domains, &mut dirty) {
                return false;
            }
            for (g, _) in dirty.iter().enumerate().filter(|(_, d)| **d) {
                span(instance, g, &domains[g], &mut self.spans[g]);
            }
            self.naturalise(instance);
            if !self.forward(instance) {
                return false;
            }
            for id in &instance.constraints {
                self.boxes.decide(*id, true);
                self.boxes.look_at(*id);
            }
            for (id, range) in holds {
                self.boxes.narrow(*id, *range, 0.0);
                self.boxes.look_at(*id);
            }
            wanted.iter().for_each(|id| self.boxes.look_at(*id));
            if self.boxes.contradiction {
                return false;
            }
            instance.graph.backward(&mut self.boxes);
            if self.boxes.contradiction {
                return false;
            }
            if !self.round(instance) {
                return false;
            }
            dirty.fill(false);
            let mut changed = false;
            for g in 0..instance.groups.len() {
                match self.filter(instance, g, &domains[g]) {
                    Filtered::Same => {}
                    Filtered::Empty => return false,
                    Filtered::Fewer => {
                        domains[g] = Rc::from(self.keep.as_slice());
                        dirty[g] = true;
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        for (g, _) in dirty.iter().enumerate().filter(|(_, d)| **d) {
            span(instance, g, &domains[g], &mut self.spans[g]);
        }
        self.naturalise(instance);
        true
    }

    /// Exchangeable groups take their rows in ascending order.
    fn order_classes(&mut self, instance: &Instance, domains: &mut Domains, dirty: &mut [bool]) -> bool {
        for class in &instance.classes {
            let mut least = 0;
            for g in class {
                let from = domains[*g].partition_point(|k| *k < least);
                if from > 0 {
                    domains[*g] = Rc::from(&domains[*g][from..]);
                    dirty[*g] = true;
                }
                match domains[*g].first() {
                    Some(first) => least = *first,
                    None => return false,
                }
            }
            let mut most = u32::MAX;
            for g in class.iter().rev() {
                let to = domains[*g].partition_point(|k| *k <= most);
                if to < domains[*g].len() {
                    domains[*g] = Rc::from(&domains[*g][..to]);
                    dirty[*g] = true;
                }
                match domains[*g].last() {
                    Some(last) => most = *last,
                    None => return false,
                }
            }
        }
        true
    }

    /// What the tables allow.
    fn naturalise(&mut self, instance: &Instance) {
        for (natural, members) in self.natural.iter_mut().zip(&instance.members) {
            let mut sum = Interval::point(0.0);
            for (g, c) in members {
                let own = self.spans[*g][*c];
                if own.is_empty() {
                    sum = Interval::EMPTY;
                    break;
                }
                sum = sum.plus(own);
            }
            *natural = sum;
        }
    }

    /// The intervals of all nodes; false when a sum cannot be where it must.
    fn forward(&mut self, instance: &Instance) -> bool {
        for (narrowed, natural) in self.sums.iter_mut().zip(&self.natural) {
            if natural.is_empty() {
                *narrowed = Interval::EMPTY;
            } else {
                let both = narrowed.meet(*natural);
                if both.low - both.high > 1e-6 * (natural.size() + 1e-6) {
                    return false;
                }
                // Ends that cross do so by rounding, or filtering finds the contradiction.
                *narrowed = if both.is_empty() { *natural } else { both };
            }
        }
        self.boxes.contradiction = false;
        self.boxes.active.fill(false);
        for (i, op) in instance.graph.ops.iter().enumerate() {
            self.boxes.of[i] = instance.graph.forward(*op, &self.sums, &self.boxes.of);
        }
        true
    }

    /// Takes over the narrowed intervals of the aggregates, inwards to the next multiple of their step; false when no
    /// multiple is left.
    fn round(&mut self, instance: &Instance) -> bool {
        for (j, aggregate) in instance.graph.aggregates.iter().enumerate() {
            let id = instance.nodes[j] as usize;
            if !self.boxes.active[id] {
                continue;
            }
            let mut narrowed = self.boxes.of[id];
            if aggregate.step > 0.0 {
                let step = aggregate.step;
                let low = ((narrowed.low / step) - 1e-4).ceil() * step;
                let high = ((narrowed.high / step) + 1e-4).floor() * step;
                let margin = |x: f64| 1e-13 * x.abs();
                narrowed.low = narrowed.low.max(low - margin(low));
                narrowed.high = narrowed.high.min(high + margin(high));
                if narrowed.low > narrowed.high + 0.5 * step {
                    return false;
                }
                if narrowed.is_empty() || narrowed.low.is_nan() || narrowed.high.is_nan() {
                    narrowed = self.boxes.of[id];
                }
                self.boxes.of[id] = narrowed;
            }
            self.sums[j] = narrowed;
        }
        true
    }

    /// The rows of a group that the others can complete, into `keep`.
    fn filter(&mut self, instance: &Instance, g: usize, domain: &Rc<[u32]>) -> Filtered {
        let group = &instance.groups[g];
        let spans = &self.spans[g];
        self.keep.clear();
        self.keep.extend_from_slice(domain);
        let width = group.columns.len();
        for (c, j) in group.columns.iter().enumerate() {
            let id = instance.nodes[*j as usize] as usize;
            if !self.boxes.active[id] {
                continue;
            }
            let (sum, natural, own) = (self.sums[*j as usize], self.natural[*j as usize], spans[c]);
            let slack = 1e-9 * (natural.size() + own.size()).min(1.0) + 1e-12 * (natural.size() + own.size());
            // What is left for this group when the others take their most or least.
            let low = sum.low - (natural.high - own.high) - slack;
            let high = sum.high - (natural.low - own.low) + slack;
            if low <= own.low && high >= own.high && !own.is_empty() && !instance.lacks[*j as usize] {
                continue;
            }
            self.keep.retain(|k| {
                let x = group.matrix[*k as usize * width + c];
                x >= low && x <= high
            });
            if self.keep.is_empty() {
                return Filtered::Empty;
            }
        }
        if self.keep.len() == domain.len() { Filtered::Same } else { Filtered::Fewer }
    }
}

enum Filtered {
    Same,
    Fewer,
    Empty,
}

fn span(instance: &Instance, g: usize, domain: &[u32], spans: &mut [Interval]) {
    let group = &instance.groups[g];
    spans.fill(Interval::EMPTY);
    for k in domain {
        for (span, x) in spans.iter_mut().zip(group.row(*k)) {
            // Comparisons with NaN are false: what has no value is left out.
            if *x < span.low {
                span.low = *x;
            }
            if *x > span.high {
                span.high = *x;
            }
        }
    }
}
