//! Best-first branch and bound over boxes of sums.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use cardinal_models::tolerance::TOLERANCE;

use super::relax::{self, Ground, Solved};
use super::{Model, Outcome};
use crate::engine::linear::LinearProgram;
use crate::engine::{EngineError, Limits, Milp, RunStatus};
use crate::nonlinear::contract::Boxes;
use crate::nonlinear::estimate::partial;
use crate::nonlinear::graph::{Id, Op};
use crate::nonlinear::interval::Interval;

/// At most so many rounds between sums and nodes of the graph.
const ROUNDS: u32 = 6;
/// At most so many nodes for each order among equals.
const TIE_NODES: u64 = 400;
/// After so many open nodes the search gives up: memory is finite.
const MOST_OPEN: usize = 500_000;
/// A box is split no nearer to its ends than this share.
const EDGE: f64 = 0.15;

/// A box that is still open.
#[derive(Clone, Debug)]
struct Open {
    bound: f64,
    depth: u32,
    serial: u64,
    sums: Vec<Interval>,
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

/// The best solution found for a goal.
#[derive(Clone, Debug)]
struct Incumbent {
    value: f64,
    columns: Vec<f64>,
}

struct Search<'a> {
    model: &'a Model,
    limits: Limits,
    boxes: Boxes,
    partial: Vec<bool>,
    /// The intervals of the sums on everything.
    root: Vec<Interval>,
    incumbent: Option<Incumbent>,
    goal: Id,
    /// What earlier stages have settled.
    holds: Vec<(Id, Interval)>,
    /// The sums that the goal of the stage, constraints and holds look at.
    relevant: Vec<bool>,
    /// The best bound of the boxes on which the engine failed and that could not be split: what they hold is not known.
    lost: f64,
    serial: u64,
    nodes: u64,
}

/// How a stage ended.
struct Ended {
    bound: f64,
    complete: bool,
}

/// Solves a problem to proven optimality, or as far as the limits allow.
pub(super) fn solve(model: &Model, limits: &Limits) -> Result<Outcome, EngineError> {
    let root = match ranges(model, limits)? {
        Some(root) => root,
        None => return Ok(outcome(RunStatus::Infeasible, f64::NEG_INFINITY)),
    };
    let nodes = model.graph.ops.len();
    let mut search = Search {
        model,
        // The gap is a matter of the whole search, not of its nodes.
        limits: Limits { relative_gap: 0.0, absolute_gap: 0.0, nodes: None, ..limits.clone() },
        boxes: Boxes { of: vec![Interval::EMPTY; nodes], active: vec![false; nodes], contradiction: false },
        partial: vec![true; nodes],
        root,
        incumbent: None,
        goal: model.goals[0],
        holds: Vec::new(),
        relevant: Vec::new(),
        lost: f64::NEG_INFINITY,
        serial: 0,
        nodes: 0,
    };
    search.run(limits)
}

fn outcome(status: RunStatus, bound: f64) -> Outcome {
    Outcome { status, values: None, value: f64::NEG_INFINITY, bound, nodes: 0, ties_open: false }
}

/// The interval of each sum by the linear relaxation of the linear part; `None` when that has no solution.
fn ranges(model: &Model, limits: &Limits) -> Result<Option<Vec<Interval>>, EngineError> {
    let relaxed = Milp { cost: vec![0.0; model.milp.columns()], ..model.milp.clone() };
    let mut program = LinearProgram::new(&relaxed)?;
    let mut all = Vec::new();
    for sum in &model.sums {
        let natural = natural(model, &sum.linear.terms);
        let mut ends = [natural.low, natural.high];
        for (end, sign) in ends.iter_mut().zip([1.0, -1.0]) {
            for (column, x) in &sum.linear.terms {
                program.charge(*column, sign * x)?;
            }
            let run = program.solve(limits)?;
            match run.status {
                RunStatus::Infeasible => return Ok(None),
                RunStatus::Optimal if run.objective.is_finite() => {
                    let margin = 1e-8 * run.objective.abs().max(natural.size().min(1.0));
                    *end = (run.objective - margin).max(sign * *end) * sign;
                }
                _ => {}
            }
        }
        for (column, _) in &sum.linear.terms {
            program.charge(*column, 0.0)?;
        }
        let [low, high] = ends;
        all.push(inwards(Interval::new(low.min(high), high.max(low)), sum.step));
    }
    Ok(Some(all))
}

/// What the bounds of the columns allow.
fn natural(model: &Model, terms: &[(usize, f64)]) -> Interval {
    let of = |(column, x): &(usize, f64)| Interval::new(model.milp.lower[*column], model.milp.upper[*column]).times(*x);
    terms.iter().map(of).fold(Interval::point(0.0), Interval::plus)
}

/// An interval with its ends moved inwards to the next multiple of a step.
fn inwards(x: Interval, step: f64) -> Interval {
    if step == 0.0 || !x.is_bounded() {
        return x;
    }
    Interval::new((x.low / step - 1e-4).ceil() * step, (x.high / step + 1e-4).floor() * step)
}

impl Search<'_> {
    fn run(&mut self, asked: &Limits) -> Result<Outcome, EngineError> {
        self.natural_partial();
        let goals = self.model.goals.clone();
        let mut result = outcome(RunStatus::Limit, f64::INFINITY);
        for (stage, goal) in goals.iter().enumerate() {
            self.goal = *goal;
            if let Some(incumbent) = self.incumbent.take() {
                self.offer(&incumbent.columns);
            }
            let limit = if stage == 0 { asked.nodes.map(u64::from) } else { Some(TIE_NODES) };
            let gap = if stage == 0 { asked.relative_gap } else { 0.0 };
            let ended = self.stage(limit, gap)?;
            let Some(incumbent) = &self.incumbent else {
                result.bound = ended.bound;
                result.status = if ended.complete { RunStatus::Infeasible } else { RunStatus::Limit };
                break;
            };
            if stage == 0 {
                result.value = incumbent.value;
                result.bound = ended.bound;
                result.status = if ended.complete { RunStatus::Optimal } else { RunStatus::Limit };
            }
            result.values = Some(incumbent.columns.clone());
            if !ended.complete {
                result.ties_open = true;
                break;
            }
            let margin = TOLERANCE * incumbent.value.abs().max(1.0);
            self.holds.push((*goal, Interval::new(incumbent.value - margin, f64::INFINITY)));
        }
        result.nodes = self.nodes;
        Ok(result)
    }

    /// Which nodes may lack a value, whatever constraints say.
    fn natural_partial(&mut self) {
        let graph = &self.model.graph;
        for (i, op) in graph.ops.iter().enumerate() {
            self.boxes.of[i] = graph.forward(*op, &self.root, &self.boxes.of);
        }
        self.partial = partial(graph, &self.boxes.of);
    }

    /// How much better a goal must be to count as better.
    fn tolerance(&self) -> f64 {
        let goal = self.boxes.of[self.goal as usize];
        let scale = if goal.is_bounded() { goal.width().min(1.0) } else { 1.0 };
        1e-9 * self.incumbent.as_ref().map_or(0.0, |i| i.value.abs()).max(scale)
    }

    /// Goals up to this are of no interest.
    fn cutoff(&self) -> f64 {
        self.incumbent.as_ref().map_or(f64::NEG_INFINITY, |i| i.value + self.tolerance())
    }

    /// Searches for the best goal within what is held.
    fn stage(&mut self, limit: Option<u64>, gap: f64) -> Result<Ended, EngineError> {
        let begun = self.nodes;
        self.lost = f64::NEG_INFINITY;
        self.relevant = vec![false; self.model.sums.len()];
        for id in self.model.constraints.iter().chain(self.holds.iter().map(|(id, _)| id)).chain([&self.goal]) {
            self.model.below[*id as usize].iter().for_each(|j| self.relevant[*j as usize] = true);
        }
        let first = Open { bound: f64::INFINITY, depth: 0, serial: 0, sums: self.root.clone() };
        let mut heap = BinaryHeap::from([first]);
        while let Some(node) = heap.pop() {
            let floor = self.incumbent.as_ref().map_or(f64::NEG_INFINITY, |i| i.value);
            let wanted = self.cutoff().max(floor + gap * floor.abs());
            if node.bound <= wanted {
                return Ok(self.ended(node.bound));
            }
            let spent = limit.is_some_and(|l| self.nodes - begun >= l);
            if spent || heap.len() > MOST_OPEN || self.limits.reached() {
                return Ok(Ended { bound: node.bound, complete: false });
            }
            self.nodes += 1;
            let before = node.bound;
            match self.process(node) {
                Some(parts) => heap.extend(parts),
                None => return Ok(Ended { bound: before, complete: false }),
            }
        }
        Ok(self.ended(f64::NEG_INFINITY))
    }

    /// The end of a stage of which nothing is open that is of interest.
    fn ended(&self, bound: f64) -> Ended {
        let floor = self.incumbent.as_ref().map_or(f64::NEG_INFINITY, |i| i.value);
        Ended { bound: bound.max(floor).max(self.lost), complete: self.lost <= self.cutoff() }
    }

    /// What is left of a box; `None` when time ran out over it.
    fn process(&mut self, node: Open) -> Option<Vec<Open>> {
        let Open { bound: inherited, depth, mut sums, .. } = node;
        if !self.propagate(&mut sums) {
            return Some(Vec::new());
        }
        let ground = Ground {
            model: self.model,
            sums: &sums,
            boxes: &self.boxes.of,
            active: &self.boxes.active,
            partial: &self.partial,
            goal: self.goal,
        };
        let top = self.boxes.of[self.goal as usize].high;
        let (bound, split, is_seen) = match relax::solve(&ground, &self.limits) {
            Ok(None) => return Some(Vec::new()),
            Ok(Some(solved)) => {
                if solved.is_cut_short && self.limits.reached() {
                    return None;
                }
                let exact = solved.values.as_ref().map(|values| self.evaluate(values));
                if let Some(values) = &solved.values {
                    self.offer(values);
                }
                let split = self.split(&sums, &solved, exact.as_deref());
                (inherited.min(solved.bound).min(top), split, exact.is_some())
            }
            // The engine has failed on this box; its parts are others.
            Err(_) => (inherited.min(top), self.widest(&sums, |_| true), false),
        };
        if bound <= self.cutoff() {
            return Some(Vec::new());
        }
        // A box that cannot be split is a point in all that matters: what it holds has the values that were just seen.
        let Some((j, at)) = split else {
            if !is_seen {
                self.lost = self.lost.max(bound);
            }
            return Some(Vec::new());
        };
        let mut part = |range: Interval| {
            self.serial += 1;
            let mut sums = sums.clone();
            sums[j] = range;
            Open { bound, depth: depth + 1, serial: self.serial, sums }
        };
        let (range, step) = (sums[j], self.model.sums[j].step);
        // The next multiple of the step, not a step more: that may be beyond the end by a last digit.
        let next = if step > 0.0 { ((at / step).round() + 1.0) * step } else { at };
        Some(vec![part(Interval::new(range.low, at)), part(Interval::new(next.min(range.high), range.high))])
    }

    /// Narrows the sums to what constraints, holds and the best solution so far leave; false when that is nothing.
    fn propagate(&mut self, sums: &mut [Interval]) -> bool {
        let model = self.model;
        let cutoff = self.cutoff();
        for _ in 0..ROUNDS {
            self.boxes.contradiction = false;
            self.boxes.active.fill(false);
            for (i, op) in model.graph.ops.iter().enumerate() {
                self.boxes.of[i] = model.graph.forward(*op, sums, &self.boxes.of);
            }
            for id in &model.constraints {
                self.boxes.decide(*id, true);
                self.boxes.look_at(*id);
            }
            let better = (self.goal, Interval::new(cutoff, f64::INFINITY));
            for (id, range) in self.holds.iter().chain([&better]) {
                self.boxes.narrow(*id, *range, 0.0);
                self.boxes.look_at(*id);
            }
            model.goals.iter().for_each(|id| self.boxes.look_at(*id));
            if self.boxes.contradiction {
                return false;
            }
            model.graph.backward(&mut self.boxes);
            if self.boxes.contradiction {
                return false;
            }
            let mut gained = 0.0f64;
            for (i, op) in model.graph.ops.iter().enumerate() {
                let Op::Aggregate(j) = *op else { continue };
                let before = sums[j as usize];
                let now = inwards(before.meet(self.boxes.of[i]), model.sums[j as usize].step);
                if now.is_empty() {
                    // Ends that cross by rounding only are one value.
                    if now.low - now.high > 1e-9 * before.size().max(1e-3) {
                        return false;
                    }
                    continue;
                }
                sums[j as usize] = now;
                self.boxes.of[i] = now;
                if before.width() > 0.0 {
                    gained = gained.max(1.0 - now.width() / before.width());
                }
            }
            if gained < 0.05 {
                break;
            }
        }
        true
    }

    /// The exact values of the nodes of the graph at a solution.
    fn evaluate(&self, columns: &[f64]) -> Vec<f64> {
        let sums: Vec<f64> = self.model.sums.iter().map(|sum| sum.linear.value(columns)).collect();
        let mut values = vec![0.0; self.model.graph.ops.len()];
        self.model.graph.evaluate(&sums, &mut values);
        values
    }

    /// Takes a solution when it is admissible and better.
    fn offer(&mut self, columns: &[f64]) {
        let values = self.evaluate(columns);
        let of = |id: &Id| values[*id as usize];
        let holds = self.model.constraints.iter().all(|id| of(id) != 0.0 && !of(id).is_nan())
            && self.model.goals.iter().all(|id| !of(id).is_nan())
            && self.holds.iter().all(|(id, range)| of(id) >= range.low);
        let value = of(&self.goal);
        if holds && self.incumbent.as_ref().is_none_or(|i| value > i.value) {
            self.incumbent = Some(Incumbent { value, columns: columns.to_vec() });
        }
    }

    /// Where a box is split: a sum and the end of its lower part.
    fn split(&self, sums: &[Interval], solved: &Solved, exact: Option<&[f64]>) -> Option<(usize, f64)> {
        let Some(exact) = exact else { return self.widest(sums, |_| true) };
        let weights = self.weights(exact);
        let model = self.model;
        let mut best: Option<(f64, usize)> = None;
        for (i, op) in model.graph.ops.iter().enumerate() {
            if op.is_linear() || weights[i] == 0.0 || !self.is_any_open(sums, &model.below[i]) {
                continue;
            }
            let (taken, value) = (solved.nodes[i], exact[i]);
            let width = self.boxes.of[i].width();
            let error = if value.is_nan() || taken.is_nan() { width.min(1e30) } else { (taken - value).abs() };
            let score = error * weights[i];
            if score > 1e-12 && best.is_none_or(|(s, _)| score > s) {
                best = Some((score, i));
            }
        }
        let below = best.map(|(_, i)| &model.below[i]);
        // Where no estimator is off, only what the goal and broken constraints look at can make a difference.
        let matters = |j: usize| below.is_none_or(|b| b.contains(&(j as u32)));
        let chosen = self.widest(sums, matters)?;
        Some(match solved.values.as_ref() {
            Some(values) => self.at(sums, chosen.0, model.sums[chosen.0].linear.value(values)),
            None => chosen,
        })
    }

    fn is_open(&self, sums: &[Interval], j: usize) -> bool {
        let step = self.model.sums[j].step;
        let least = if step > 0.0 { 0.5 * step } else { 1e-8 * self.root[j].width() + 1e-7 * sums[j].size() };
        sums[j].width() > least
    }

    fn is_any_open(&self, sums: &[Interval], among: &[u32]) -> bool {
        among.iter().any(|j| self.relevant[*j as usize] && self.is_open(sums, *j as usize))
    }

    /// The open sum whose interval is largest against that at the root, and its middle.
    fn widest(&self, sums: &[Interval], among: impl Fn(usize) -> bool) -> Option<(usize, f64)> {
        let share = |j: usize| sums[j].width() / self.root[j].width().max(1e-30);
        let open = (0..sums.len()).filter(|j| self.relevant[*j] && among(*j) && self.is_open(sums, *j));
        let j = open.reduce(|a, b| if share(b) > share(a) { b } else { a })?;
        Some(self.at(sums, j, 0.5 * (sums[j].low + sums[j].high)))
    }

    /// A sum and the end of its lower part near a value.
    fn at(&self, sums: &[Interval], j: usize, value: f64) -> (usize, f64) {
        let (range, step) = (sums[j], self.model.sums[j].step);
        let edge = EDGE * range.width();
        let value = value.clamp(range.low + edge, range.high - edge);
        if step == 0.0 {
            return (j, value);
        }
        // At least one step on either side.
        let last = (range.high / step).round() - 1.0;
        (j, (value / step + 1e-6).floor().clamp((range.low / step).round(), last) * step)
    }

    /// Roughly how much of the goal, or of a constraint that is broken, hangs on each node.
    fn weights(&self, exact: &[f64]) -> Vec<f64> {
        let (graph, boxes) = (&self.model.graph, &self.boxes.of);
        let mut weights = vec![0.0f64; graph.ops.len()];
        let reach = |id: Id| {
            let width = boxes[id as usize].width();
            if width.is_finite() && width > 0.0 { width } else { 1.0 }
        };
        weights[self.goal as usize] = 1.0;
        for (id, _) in &self.holds {
            weights[*id as usize] = reach(self.goal) / reach(*id);
        }
        for id in
            self.model.constraints.iter().filter(|id| exact[**id as usize] == 0.0 || exact[**id as usize].is_nan())
        {
            weights[*id as usize] = reach(self.goal);
        }
        for (i, op) in graph.ops.iter().enumerate().rev() {
            let own = weights[i];
            if own == 0.0 {
                continue;
            }
            if let Op::Linear(_, first, count) = *op {
                for (factor, id) in graph.operands(first, count) {
                    weights[*id as usize] += own * factor.abs();
                }
                continue;
            }
            graph.children(*op, |id| {
                let share = own * reach(i as Id) / reach(id);
                let weight = &mut weights[id as usize];
                *weight = weight.max(if share.is_finite() { share } else { own });
            });
        }
        weights
    }
}
