//! Best-first branch and bound over the open rows of the groups.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

use super::dominance::Dominance;
use super::estimate::partial;
use super::graph::Id;
use super::incumbent::{Incumbent, Judge};
use super::instance::{Domains, Instance};
use super::interval::Interval;
use super::lagrange::{self, Bound, Effort, Ground, Parameters, Row, Sweep};
use super::propagate::{Hold, Propagation};
use super::{Outcome, Problem, Settings};
use crate::engine::RunStatus;
use cardinal_models::tolerance::TOLERANCE;

/// Products of open rows up to this size are enumerated.
const FEW: usize = 64;
/// Sweeps of the bound at the root and at other nodes.
const ROOT_SWEEPS: u32 = 150;
const NODE_SWEEPS: u32 = 20;
/// After so many open nodes the search gives up: memory is finite.
const MOST_OPEN: usize = 2_000_000;
/// Where no group moves a sum by more than this share of its interval, the interval is split and not a group: the bound
/// of many small groups together is good, what makes it loose is how far the estimators reach.
const SMALL_SHARE: f64 = 0.3;
/// Rows of each group that a pair move looks at.
const CANDIDATES: usize = 24;

/// A sub-problem that is still open.
#[derive(Clone, Debug)]
struct Open {
    bound: f64,
    depth: u32,
    serial: u64,
    domains: Domains,
    /// What the sums are held in.
    ranges: Rc<[Interval]>,
    parameters: Rc<Parameters>,
    /// What dominance has been looked at for, by group.
    signatures: Rc<[u64]>,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Open {}
impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Open {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound.total_cmp(&other.bound).then(self.depth.cmp(&other.depth)).then(other.serial.cmp(&self.serial))
    }
}

/// Solves a problem to proven optimality, or as far as the limits allow.
pub fn solve(problem: &Problem, settings: &Settings<'_>) -> Outcome {
    let allowed = problem.allowed();
    if allowed.iter().any(|a| a.is_empty()) {
        return Outcome::infeasible();
    }
    let mut problem = problem.clone();
    let zero = problem.number(0.0);
    if problem.objective.is_none() {
        problem.maximize(&zero);
    }
    let goals: Vec<Id> = problem.objective.iter().chain(&problem.ties).copied().collect();
    let instance = Instance::new(&problem.graph, &allowed, &problem.constraints, &goals);
    Search::new(&instance, settings).run()
}

struct Search<'a> {
    instance: &'a Instance,
    settings: &'a Settings<'a>,
    rows: Vec<Row>,
    partial: Vec<bool>,
    propagation: Propagation,
    dominance: Dominance,
    sweep: Sweep,
    incumbent: Incumbent,
    /// The goal of the stage.
    goal: Id,
    /// What earlier stages have settled.
    holds: Vec<Hold>,
    /// True when choices of equal goal are told apart later: nodes that may hold such are kept.
    keeps_ties: bool,
    ties: Vec<Open>,
    serial: u64,
    nodes: u64,
    /// The smallest change of the goal that counts, besides the relative tolerance.
    scale: f64,
    /// The open rows at the root.
    root: Domains,
    weights: Vec<f64>,
    scratch: Vec<u32>,
}

/// What is left of a node.
enum Left {
    /// Nothing better.
    Nothing,
    /// These parts, with this bound.
    Parts(f64, Vec<Open>),
}

/// How a stage ended.
struct Ended {
    bound: f64,
    complete: bool,
}

impl<'a> Search<'a> {
    fn new(instance: &'a Instance, settings: &'a Settings<'a>) -> Self {
        let rows = lagrange::rows(instance);
        let propagation = Propagation::new(instance);
        let sweep = Sweep::new(instance, &rows);
        Search {
            instance,
            settings,
            partial: vec![true; instance.graph.ops.len()],
            propagation,
            dominance: Dominance::default(),
            sweep,
            incumbent: Incumbent::new(instance),
            goal: instance.goals[0],
            holds: Vec::new(),
            keeps_ties: false,
            ties: Vec::new(),
            serial: 0,
            nodes: 0,
            scale: 1.0,
            root: instance.domains(),
            weights: vec![0.0; instance.nodes.len()],
            scratch: Vec::new(),
            rows,
        }
    }

    fn run(mut self) -> Outcome {
        let domains = self.instance.domains();
        self.natural_partial(&domains);
        if let Some(start) = self.start() {
            let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
            self.incumbent.offer(&judge, &start);
        }
        let parameters = Rc::new(Parameters::new(self.instance, &self.rows));
        let signatures: Rc<[u64]> = vec![0; self.instance.groups.len()].into();
        let ranges: Rc<[Interval]> = vec![Interval::ALL; self.instance.nodes.len()].into();
        let first = Open { bound: f64::INFINITY, depth: 0, serial: 0, domains, ranges, parameters, signatures };
        let mut open = vec![first];
        let mut outcome = Outcome::infeasible();
        let goals = self.instance.goals.clone();
        for (stage, goal) in goals.iter().enumerate() {
            self.goal = *goal;
            self.keeps_ties = stage + 1 < goals.len();
            self.ties.clear();
            if stage > 0 {
                let rows = std::mem::take(&mut self.incumbent.rows);
                self.incumbent = Incumbent::new(self.instance);
                let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
                self.incumbent.offer(&judge, &rows);
            }
            let limit = if stage == 0 { self.settings.nodes } else { Some(self.settings.tie_nodes) };
            let ended = self.stage(std::mem::take(&mut open), limit);
            if stage == 0 {
                outcome.bound = ended.bound;
                outcome.value = self.incumbent.value;
                outcome.status = match (ended.complete, self.incumbent.rows.is_empty()) {
                    (false, _) => RunStatus::Limit,
                    (true, false) => RunStatus::Optimal,
                    (true, true) => RunStatus::Infeasible,
                };
            } else if !ended.complete {
                outcome.ties_open = true;
            }
            if self.incumbent.rows.is_empty() {
                break;
            }
            let choice = |(g, row): (usize, &u32)| self.instance.groups[g].choices[*row as usize];
            outcome.choices = Some(self.incumbent.rows.iter().enumerate().map(choice).collect());
            if !ended.complete {
                outcome.ties_open = stage + 1 < goals.len();
                break;
            }
            self.holds.push((*goal, Interval::new(self.incumbent.value - self.tie_margin(), f64::INFINITY)));
            open = std::mem::take(&mut self.ties);
            open.retain(|o| o.bound >= self.incumbent.value - self.tie_margin());
            open.iter_mut().for_each(|o| o.bound = f64::INFINITY);
        }
        outcome.nodes = self.nodes;
        outcome
    }

    /// The rows of the choices to start from.
    fn start(&self) -> Option<Vec<u32>> {
        let start = self.settings.start.as_ref()?;
        let rows = self.instance.groups.iter().zip(start).map(|(group, choice)| group.row_of.get(choice).copied());
        rows.collect()
    }

    /// Which nodes may lack a value, from all rows.
    fn natural_partial(&mut self, domains: &Domains) {
        let mut all = domains.clone();
        let graph = &self.instance.graph;
        // Without any constraint the intervals are those of the tables.
        let mut sums = vec![Interval::point(0.0); self.instance.nodes.len()];
        for (g, group) in self.instance.groups.iter().enumerate() {
            for (c, j) in group.columns.iter().enumerate() {
                let values = all[g].iter().map(|k| group.row(*k)[c]).filter(|x| !x.is_nan());
                let own = values.fold(Interval::EMPTY, |r, x| r.hull(Interval::point(x)));
                sums[*j as usize] = sums[*j as usize].plus(own);
            }
        }
        all.clear();
        let mut boxes: Vec<Interval> = Vec::with_capacity(graph.ops.len());
        for op in &graph.ops {
            let range = graph.forward(*op, &sums, &boxes);
            boxes.push(range);
        }
        self.partial = partial(graph, &boxes);
    }

    /// Goals that differ by less are equal to the models' comparison.
    fn tie_margin(&self) -> f64 {
        if self.incumbent.value.is_finite() { TOLERANCE * self.incumbent.value.abs().max(1.0) } else { 0.0 }
    }

    /// How much better a goal must be to count as better.
    fn tolerance(&self) -> f64 {
        let value = if self.incumbent.value.is_finite() { self.incumbent.value.abs() } else { 0.0 };
        1e-9 * value.max(self.scale)
    }

    /// Goals below this are of no interest.
    fn cutoff(&self) -> f64 {
        if self.keeps_ties { self.incumbent.value - self.tie_margin() } else { self.incumbent.value + self.tolerance() }
    }

    fn reached(&self) -> bool {
        self.settings.limits.reached()
    }

    /// Searches some open nodes for the best goal.
    fn stage(&mut self, open: Vec<Open>, limit: Option<u64>) -> Ended {
        let begun = self.nodes;
        let mut heap: BinaryHeap<Open> = open.into();
        while let Some(node) = heap.pop() {
            let floor = self.incumbent.value;
            // What is left cannot be better, but it may hold equals.
            let gap = self.settings.limits.relative_gap * floor.abs();
            if node.bound <= floor + self.tolerance().max(gap) && floor.is_finite() {
                if !self.keeps_ties {
                    return Ended { bound: node.bound.max(floor), complete: true };
                }
                if node.bound >= floor - self.tie_margin() {
                    self.ties.push(node);
                }
                continue;
            }
            let spent = limit.is_some_and(|l| self.nodes - begun >= l);
            if spent || heap.len() > MOST_OPEN || self.reached() {
                return Ended { bound: node.bound.max(floor), complete: false };
            }
            self.nodes += 1;
            let before = node.bound;
            match self.process(node) {
                Left::Nothing => {}
                Left::Parts(bound, parts) => {
                    debug_assert!(bound <= before);
                    heap.extend(parts);
                }
            }
            if self.nodes.is_multiple_of(64) {
                self.polish();
            }
        }
        Ended { bound: self.incumbent.value, complete: true }
    }

    /// Local search from the last maximiser; now and then by pairs.
    fn polish(&mut self) {
        let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
        let limits = &self.settings.limits;
        let mut rows = self.sweep.best.clone();
        self.incumbent.descend(&judge, &self.root, &mut rows, &mut || limits.reached());
        if self.nodes.is_multiple_of(1024) || self.nodes == 128 {
            let candidates = self.candidates();
            let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
            self.incumbent.exchange(&judge, &candidates, &self.root, &mut || limits.reached());
        }
    }

    /// Rows of each group that are near the best one of the last sweep.
    fn candidates(&self) -> Vec<Vec<u32>> {
        let of = |(g, domain): (usize, &Rc<[u32]>)| {
            let group = &self.instance.groups[g];
            let weight = |k: u32| -> f64 {
                let pairs = group.columns.iter().zip(group.row(k));
                pairs.map(|(j, x)| self.sweep.beta[*j as usize] * x).sum()
            };
            let mut order: Vec<(f64, u32)> = domain.iter().map(|k| (weight(*k), *k)).collect();
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            order.truncate(CANDIDATES);
            order.into_iter().map(|(_, k)| k).collect()
        };
        self.root.iter().enumerate().map(of).collect()
    }

    fn propagate(&mut self, domains: &mut Domains, ranges: &[Interval]) -> bool {
        let mut holds = self.holds.clone();
        if self.incumbent.value.is_finite() {
            holds.push((self.goal, Interval::new(self.cutoff(), f64::INFINITY)));
        }
        self.propagation.run(self.instance, domains, ranges, &holds, &self.instance.goals)
    }

    fn process(&mut self, node: Open) -> Left {
        let Open { bound: inherited, depth, mut domains, ranges, parameters, mut signatures, .. } = node;
        if !self.propagate(&mut domains, &ranges) {
            return Left::Nothing;
        }
        if self.drop_dominated(&mut domains, &ranges, &mut signatures, depth) && !self.propagate(&mut domains, &ranges)
        {
            return Left::Nothing;
        }
        if self.serial == 0 {
            self.first(&domains);
            if self.incumbent.value.is_finite() && !self.propagate(&mut domains, &ranges) {
                return Left::Nothing;
            }
        }
        let mut bound = inherited;
        let mut from = parameters;
        for round in 0..2 {
            if product(&domains) <= FEW {
                return self.few(Open {
                    bound,
                    depth,
                    serial: self.serial,
                    domains,
                    ranges,
                    parameters: from,
                    signatures,
                });
            }
            let found = self.bound(&domains, &from, depth == 0 && round == 0);
            from = found.parameters.clone();
            bound = bound.min(found.value).min(self.propagation.boxes.of[self.goal as usize].high);
            if self.is_settled(bound) {
                return self.settled(Open {
                    bound,
                    depth,
                    serial: self.serial,
                    domains,
                    ranges,
                    parameters: from,
                    signatures,
                });
            }
            let shrunk = self.reduce(&mut domains, &found);
            match shrunk {
                None => return Left::Nothing,
                Some(share) if share < 0.8 => {
                    if !self.propagate(&mut domains, &ranges) {
                        return Left::Nothing;
                    }
                }
                Some(_) => break,
            }
        }
        if depth == 0 {
            self.root = domains.clone();
        }
        if product(&domains) <= FEW {
            return self.few(Open { bound, depth, serial: self.serial, domains, ranges, parameters: from, signatures });
        }
        let parts = self.branch(&domains, &ranges);
        let mut open = |(domains, ranges): (Domains, Rc<[Interval]>)| {
            self.serial += 1;
            Open {
                bound,
                depth: depth + 1,
                serial: self.serial,
                domains,
                ranges,
                parameters: from.clone(),
                signatures: signatures.clone(),
            }
        };
        let parts = parts.into_iter().map(&mut open).collect();
        Left::Parts(bound, parts)
    }

    /// The first look at a stage: local search.
    fn first(&mut self, domains: &Domains) {
        self.serial += 1;
        self.root = domains.clone();
        let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
        let limits = &self.settings.limits;
        self.incumbent.search(&judge, domains, &mut || limits.reached());
        let goal = self.propagation.boxes.of[self.goal as usize];
        let width = goal.width();
        self.scale = if width.is_finite() && width > 0.0 { width.min(1.0) } else { 1.0 };
    }

    fn is_settled(&self, bound: f64) -> bool {
        self.incumbent.value.is_finite() && bound <= self.incumbent.value + self.tolerance()
    }

    /// Nothing better is in a node, but there may be equals.
    fn settled(&mut self, node: Open) -> Left {
        if self.keeps_ties && node.bound >= self.incumbent.value - self.tie_margin() {
            self.ties.push(node);
        }
        Left::Nothing
    }

    /// Enumerates a node with few choices.
    fn few(&mut self, mut node: Open) -> Left {
        let judge = Judge { instance: self.instance, goal: self.goal, holds: &self.holds };
        match self.incumbent.enumerate(&judge, &node.domains) {
            Some(best) => {
                node.bound = node.bound.min(best);
                self.settled(node)
            }
            None => Left::Nothing,
        }
    }

    fn bound(&mut self, domains: &Domains, from: &Rc<Parameters>, is_root: bool) -> Bound {
        let ground = ground(self.instance, &self.rows, &self.propagation, &self.partial, domains, self.goal);
        let sweeps = if is_root { ROOT_SWEEPS } else { NODE_SWEEPS };
        let target = self.incumbent.value + if self.incumbent.value.is_finite() { self.tolerance() } else { 0.0 };
        let (incumbent, instance, goal, holds) = (&mut self.incumbent, self.instance, self.goal, &self.holds);
        self.sweep.improve(&ground, from, Effort { sweeps, target }, |rows| {
            incumbent.offer(&Judge { instance, goal, holds }, rows)
        })
    }

    /// Drops rows with which the bound falls below what is of interest; the share of rows that is left.
    fn reduce(&mut self, domains: &mut Domains, bound: &Bound) -> Option<f64> {
        if !self.incumbent.value.is_finite() || !bound.value.is_finite() {
            return Some(1.0);
        }
        let ground = ground(self.instance, &self.rows, &self.propagation, &self.partial, domains, self.goal);
        let cutoff = self.cutoff();
        let mut dropped: Vec<(usize, u32)> = Vec::new();
        // The last sweep need not have been the best: its parameters are run again, which also sets the weights that
        // branching looks at.
        let value = self.sweep.value_of(&ground, bound);
        self.sweep.reduced_costs(&ground, |g, row, loss| {
            if value - loss < cutoff || loss.is_nan() {
                dropped.push((g, row));
            }
        });
        let before: usize = domains.iter().map(|d| d.len()).sum();
        let mut at = 0;
        for (g, domain) in domains.iter_mut().enumerate() {
            let end = at + dropped[at..].iter().take_while(|(h, _)| *h == g).count();
            if end > at {
                self.scratch.clear();
                let gone = &dropped[at..end];
                self.scratch.extend(domain.iter().filter(|k| gone.binary_search(&(g, **k)).is_err()));
                if self.scratch.is_empty() {
                    return None;
                }
                *domain = Rc::from(self.scratch.as_slice());
            }
            at = end;
        }
        Some((before - dropped.len()) as f64 / before.max(1) as f64)
    }

    fn drop_dominated(
        &mut self,
        domains: &mut Domains,
        ranges: &[Interval],
        signatures: &mut Rc<[u64]>,
        depth: u32,
    ) -> bool {
        self.dominance.look(self.instance, &self.propagation.natural, ranges, &self.partial);
        let mut changed = false;
        for (g, group) in self.instance.groups.iter().enumerate() {
            let ordered = self.instance.classes.iter().any(|c| c.contains(&g));
            let signature = self.dominance.signature(group);
            if (ordered && depth > 0) || signatures[g] == signature || domains[g].len() < 2 {
                continue;
            }
            let mut known = signatures.to_vec();
            known[g] = signature;
            *signatures = known.into();
            let kept = self.dominance.undominated(group, &domains[g]);
            if kept.len() < domains[g].len() {
                domains[g] = kept.into();
                changed = true;
            }
        }
        changed
    }

    /// Two parts of a node, split where its bound is least exact.
    fn branch(&mut self, domains: &Domains, ranges: &Rc<[Interval]>) -> Vec<(Domains, Rc<[Interval]>)> {
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
        let low = (middle / step).floor() * step;
        Some((j, low, low + step))
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

/// What a sweep is done on, after a propagation.
fn ground<'a>(
    instance: &'a Instance,
    rows: &'a [Row],
    propagation: &'a Propagation,
    partial: &'a [bool],
    domains: &'a Domains,
    goal: Id,
) -> Ground<'a> {
    let boxes = &propagation.boxes;
    Ground {
        instance,
        rows,
        boxes: &boxes.of,
        active: &boxes.active,
        natural: &propagation.natural,
        partial,
        domains,
        goal,
    }
}

fn replaced(domains: &Domains, g: usize, part: Vec<u32>) -> Domains {
    let mut domains = domains.clone();
    domains[g] = part.into();
    domains
}

/// The number of choices, up to a large one.
fn product(domains: &Domains) -> usize {
    domains.iter().fold(1usize, |n, d| n.saturating_mul(d.len()))
}
