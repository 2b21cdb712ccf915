//! Where a node is split: the interval of a sum, or the open rows of a group.

use std::rc::Rc;

use super::Search;
use crate::nonlinear::instance::Domains;
use crate::nonlinear::interval::Interval;

/// Where no group moves a sum by more than this share of its interval, the interval is split and not a group: the bound
/// of many small groups together is good, what makes it loose is how far the estimators reach.
const SMALL_SHARE: f64 = 0.3;

/// A part of a node: its open rows, and what the sums are held in.
type Part = (Domains, Rc<[Interval]>);

impl Search<'_> {
    /// Two parts of a node, split where its bound is least exact.
    pub(super) fn branch(&mut self, domains: &Domains, ranges: &Rc<[Interval]>) -> Vec<Part> {
        self.weigh_aggregates();
        if let Some((j, low, high)) = self.split_range(domains) {
            let part = |range: Interval| {
                let mut ranges = ranges.to_vec();
                ranges[j] = ranges[j].meet(range);
                (domains.clone(), ranges.into())
            };
            return vec![part(Interval::new(f64::NEG_INFINITY, low)), part(Interval::new(high, f64::INFINITY))];
        }
        self.split_group(domains).into_iter().map(|domains| (domains, ranges.clone())).collect()
    }

    /// The sum that blurs the bound most, if every group moves it by little of its interval: the largest value of the
    /// lower part and the smallest of the upper one.
    fn split_range(&self, domains: &Domains) -> Option<(usize, f64, f64)> {
        let narrowed = |j: usize| self.propagation.boxes.of[self.instance.nodes[j] as usize];
        let of = |j: usize| {
            let range = narrowed(j);
            let size = self.propagation.natural[j].size();
            let is_open = range.is_bounded() && range.width() > 1e-7 * size && self.weights[j] > 0.0;
            is_open.then(|| (self.weights[j], j))
        };
        let all = (0..self.instance.nodes.len()).filter_map(of);
        let (_, j) = all.reduce(|best, other| if other.0 > best.0 { other } else { best })?;
        let range = narrowed(j);
        let widths = self.instance.members[j].iter().map(|(g, c)| self.span(*g, *c, &domains[*g]).width());
        if widths.fold(0.0, f64::max) >= SMALL_SHARE * range.width() {
            return None;
        }
        let middle = 0.5 * (range.low + range.high);
        let step = self.instance.graph.aggregates[j].step;
        if step == 0.0 {
            return Some((j, middle, middle));
        }
        let steps = (middle / step).floor();
        Some((j, steps * step, (steps + 1.0) * step))
    }

    /// Two parts of the choices of one group.
    fn split_group(&self, domains: &Domains) -> Vec<Domains> {
        let mut best: Option<(f64, usize, usize)> = None;
        for (g, group) in self.instance.groups.iter().enumerate().filter(|(g, _)| domains[*g].len() > 1) {
            for (c, j) in group.columns.iter().enumerate() {
                let own = self.span(g, c, &domains[g]);
                let width = self.propagation.natural[*j as usize].width();
                if own.width() <= 1e-12 * own.size() || own.is_empty() {
                    continue;
                }
                let share = if width > 0.0 { own.width() / width } else { 0.0 };
                let score = (self.weights[*j as usize] + 1e-30) * share;
                if best.is_none_or(|(s, ..)| score > s) {
                    best = Some((score, g, c));
                }
            }
        }
        if let Some((_, g, c)) = best {
            let own = self.span(g, c, &domains[g]);
            let middle = 0.5 * (own.low + own.high);
            let group = &self.instance.groups[g];
            let (right, left): (Vec<u32>, Vec<u32>) = domains[g].iter().partition(|k| group.row(**k)[c] > middle);
            if !right.is_empty() && !left.is_empty() {
                return [left, right].map(|part| replaced(domains, g, part)).into();
            }
        }
        // Tables that differ by rounding only: the largest domain by position.
        let g = (0..domains.len()).max_by_key(|g| (domains[*g].len(), usize::MAX - g)).unwrap_or(0);
        let (left, right) = domains[g].split_at(domains[g].len() / 2);
        [left, right].map(|part| replaced(domains, g, part.to_vec())).into()
    }

    fn span(&self, g: usize, c: usize, domain: &[u32]) -> Interval {
        let group = &self.instance.groups[g];
        let values = domain.iter().map(|k| group.row(*k)[c]).filter(|x| !x.is_nan());
        values.fold(Interval::EMPTY, |r, x| Interval::new(r.low.min(x), r.high.max(x)))
    }

    /// For each aggregate how much the nonlinear nodes above it blur the bound.
    fn weigh_aggregates(&mut self) {
        self.weights.fill(0.0);
        let graph = &self.instance.graph;
        for (i, op) in graph.ops.iter().enumerate() {
            let w = self.sweep.weights[i].abs();
            if w == 0.0 || op.is_linear() {
                continue;
            }
            let width = self.propagation.boxes.of[i].width();
            let blur = w * if width.is_finite() { width } else { 1e30 };
            for j in &self.instance.below[i] {
                let weight = &mut self.weights[*j as usize];
                *weight = weight.max(blur);
            }
        }
    }
}

fn replaced(domains: &Domains, g: usize, part: Vec<u32>) -> Domains {
    let mut domains = domains.clone();
    domains[g] = part.into();
    domains
}
