//! The integer program of one box: the linear part, a column for each sum and each operator of the graph, and rows that
//! hold the operators between their linear estimators.
//!
//! Logic, comparisons, choices and extremes are exact by binary columns. Products have the four planes of their envelope,
//! convex and concave functions a chord and a few tangents ([`Graph::estimate`]).

use super::Model;
use crate::engine::{self, EngineError, Limits, Milp, Presolve, RunStatus};
use crate::formulation::Linear;
use crate::nonlinear::graph::{Id, Op, Pair};
use crate::nonlinear::interval::{Interval, slack};

/// Where tangents touch, as shares of the interval.
const TANGENTS: [f64; 5] = [0.0, 0.12, 0.35, 0.68, 1.0];
/// Estimators steeper than this tell the engine nothing.
const STEEPEST: f64 = 1e7;
/// Every row and every column of a relaxation is this much looser, relative to its size: room of less than the engine's
/// tolerance of 1e-9 was seen to end in solutions cut off. What the bound loses by it is won back by splitting.
const SLACK: f64 = 1e-8;
/// The engine's objective has values up to about this size.
const GOAL_SIZE: f64 = 1e4;

/// What a box is.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub model: &'a Model,
    /// The intervals of the sums.
    pub sums: &'a [Interval],
    /// The intervals of the nodes of the graph.
    pub boxes: &'a [Interval],
    /// Nodes that are certainly looked at.
    pub active: &'a [bool],
    /// Nodes that may lack a value.
    pub partial: &'a [bool],
    /// What is maximised.
    pub goal: Id,
}

/// The solution of a box.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    /// No solution in the box has a larger goal.
    pub bound: f64,
    /// The columns of the linear part, when a solution was found.
    pub values: Option<Vec<f64>>,
    /// What the relaxation takes each node of the graph to be there.
    pub nodes: Vec<f64>,
    /// True when the bound is not the best that the relaxation gives.
    pub is_cut_short: bool,
}

/// Solves the relaxation of a box; `None` when it has no solution.
pub(super) fn solve(ground: &Ground<'_>, limits: &Limits) -> Result<Option<Solved>, EngineError> {
    let mut relaxation = Relaxation { ground, milp: ground.model.milp.clone(), forms: Vec::new() };
    relaxation.build();
    let unit = relaxation.maximise();
    let run = engine::run(&relaxation.milp, None, limits, Presolve::Automatic)?;
    if run.status == RunStatus::Infeasible {
        return Ok(None);
    }
    let constant = relaxation.forms[ground.goal as usize].constant;
    let top = ground.boxes[ground.goal as usize].high;
    // A goal without an upper end was cut off.
    let bound = if top.is_finite() { (constant - run.bound * unit).min(top) } else { f64::INFINITY };
    let values = run.values.as_ref();
    let nodes = relaxation.forms.iter().map(|form| values.map_or(f64::NAN, |x| form.value(x))).collect();
    let columns = ground.model.milp.columns();
    let values = run.values.map(|mut x| {
        x.truncate(columns);
        x
    });
    Ok(Some(Solved { bound, values, nodes, is_cut_short: run.status == RunStatus::Limit }))
}

struct Relaxation<'a, 'g> {
    ground: &'g Ground<'a>,
    milp: Milp,
    /// Each node of the graph as an expression over the columns.
    forms: Vec<Linear>,
}

/// How much looser something of a size is.
fn loose(size: f64) -> f64 {
    SLACK * size.abs().max(1.0)
}

fn column(column: usize) -> Linear {
    Linear { terms: vec![(column, 1.0)], constant: 0.0 }
}

impl Relaxation<'_, '_> {
    fn build(&mut self) {
        let Ground { model, sums, boxes, .. } = *self.ground;
        let first = self.milp.columns();
        for (sum, range) in model.sums.iter().zip(sums) {
            // Between two steps there is nothing: half of the room makes the engine's tolerances harmless.
            let margin = if sum.step > 0.0 { 0.25 * sum.step } else { loose(range.size()) };
            let own = self.milp.add_column(range.low - margin, range.high + margin, false);
            let mut tie = sum.linear.clone();
            tie.terms.push((own, -1.0));
            self.row(tie, 0.0, 0.0);
        }
        for (i, op) in model.graph.ops.iter().enumerate() {
            let form = match *op {
                Op::Constant(x) => Linear::constant(if x.is_nan() { 0.0 } else { x }),
                Op::Aggregate(j) => column(first + j as usize),
                Op::Linear(constant, from, count) => {
                    let mut form = Linear::constant(constant);
                    for (factor, id) in model.graph.operands(from, count) {
                        form.add(&self.forms[*id as usize], *factor);
                    }
                    form.compact();
                    form
                }
                Op::If(c, a, b) if self.constants(c, a, b).is_some() => {
                    let (yes, no) = self.constants(c, a, b).unwrap_or_default();
                    // A choice between two numbers is linear in the truth value: no large rows beside small margins.
                    let mut form = Linear::constant(no);
                    form.add(&self.forms[c as usize], yes - no);
                    form.compact();
                    form
                }
                _ => {
                    let range = boxes[i];
                    let is_truth = model.graph.is_truth(i as Id);
                    let (low, high) = if range.is_empty() {
                        (0.0, 0.0)
                    } else {
                        let margin = |x: f64| if is_truth { 0.0 } else { loose(x) };
                        (range.low - margin(range.low), range.high + margin(range.high))
                    };
                    column(self.milp.add_column(low, high, is_truth))
                }
            };
            self.forms.push(form);
            match *op {
                _ if boxes[i].is_empty() => {}
                Op::Constant(_) | Op::Aggregate(_) => {}
                Op::Linear(..) => self.hold(i),
                Op::If(c, a, b) if self.constants(c, a, b).is_some() => self.hold(i),
                op => self.estimate(i, op),
            }
        }
    }

    /// The two numbers that a choice is between, when it is one between numbers.
    fn constants(&self, c: Id, a: Id, b: Id) -> Option<(f64, f64)> {
        let Ground { model, boxes, partial, .. } = *self.ground;
        let of = |id: Id| {
            let range = boxes[id as usize];
            (range.low == range.high && range.is_bounded() && !partial[id as usize]).then_some(range.low)
        };
        let is_open = model.graph.is_truth(c) && !partial[c as usize] && !boxes[c as usize].is_empty();
        if is_open { of(a).zip(of(b)) } else { None }
    }

    /// A row, of a size that the engine likes.
    fn row(&mut self, mut linear: Linear, low: f64, high: f64) {
        linear.compact();
        let largest = linear.terms.iter().map(|(_, x)| x.abs()).fold(0.0, f64::max);
        if linear.terms.is_empty() || !largest.is_finite() {
            return;
        }
        let factor = if (1e-4..=1e4).contains(&largest) { 1.0 } else { 1.0 / largest };
        // Large terms that cancel leave the last digits of their sizes: rows of penalties were seen to cut solutions off.
        let slack = if low == high { 0.0 } else { SLACK * self.activity(&linear) };
        let (low, high) = ((low - linear.constant - slack) * factor, (high - linear.constant + slack) * factor);
        self.milp.add_row(low, high, linear.terms.into_iter().map(|(c, x)| (c, x * factor)));
    }

    /// The largest sum of the sizes of the terms that the bounds of the columns allow; 0 when they allow any.
    fn activity(&self, linear: &Linear) -> f64 {
        let size = |column: usize| self.milp.lower[column].abs().max(self.milp.upper[column].abs());
        let sum: f64 = linear.terms.iter().map(|(column, x)| x.abs() * size(*column)).sum();
        if sum.is_finite() { sum } else { 0.0 }
    }

    /// A sum of nodes lies in its interval, where that says more than those of its operands.
    fn hold(&mut self, i: usize) {
        let Ground { model, sums, boxes, active, .. } = *self.ground;
        if !active[i] {
            return;
        }
        let (own, natural) = (boxes[i], model.graph.forward(model.graph.ops[i], sums, boxes));
        let margin = 1e-9 * (if natural.is_bounded() { natural.size() } else { 0.0 }).max(1.0);
        let low = if own.low > natural.low + margin { own.low } else { f64::NEG_INFINITY };
        let high = if own.high < natural.high - margin { own.high } else { f64::INFINITY };
        if low.is_finite() || high.is_finite() {
            self.row(self.forms[i].clone(), low - loose(low), high + loose(high));
        }
    }

    /// `sum of factors * forms + constant >= 0`
    fn at_least_zero(&mut self, terms: &[(f64, Id)], constant: f64) {
        let mut linear = Linear::constant(constant);
        for (factor, id) in terms {
            if !factor.is_finite() {
                return;
            }
            linear.add(&self.forms[*id as usize], *factor);
        }
        if linear.constant.is_finite() {
            let slack = loose(linear.constant);
            self.row(linear, -slack, f64::INFINITY);
        }
    }

    /// The rows of an operator.
    fn estimate(&mut self, i: usize, op: Op) {
        let of = |id: Id| self.ground.boxes[id as usize];
        let own = i as Id;
        match op {
            Op::Abs(a) => self.absolute(own, a),
            Op::Min(a, b) => self.extreme(own, a, b, -1.0),
            Op::Max(a, b) => self.extreme(own, a, b, 1.0),
            Op::If(c, a, b) if !of(c).holds() && !of(c).fails() => self.choice(own, c, a, b),
            Op::AtMost(pair) => self.at_most(own, pair),
            Op::Equal(pair) => self.equal(own, pair),
            _ => self.between(i, op),
        }
    }

    /// A node between its estimators.
    fn between(&mut self, i: usize, op: Op) {
        let Ground { model, boxes, partial, .. } = *self.ground;
        let points: Vec<(f64, f64)> = match (op, model.graph.touched(i)) {
            (_, Some(operand)) => touching(boxes[operand as usize]).into_iter().map(|x| (0.5, x)).collect(),
            _ => vec![(0.0, f64::NAN), (1.0, f64::NAN)],
        };
        for over in [true, false] {
            let sign = if over { 1.0 } else { -1.0 };
            let mut last = None;
            for (mix, point) in &points {
                let e = model.graph.estimate(i, over, *mix, *point, boxes, partial);
                let same = (e.first, e.second, e.constant);
                let is_flat = e.first.1 == 0.0 && e.second.1 == 0.0;
                if is_flat || last == Some(same) || e.first.1.abs().max(e.second.1.abs()) > STEEPEST {
                    continue;
                }
                last = Some(same);
                let terms: Vec<(f64, Id)> = [(sign * e.first.1, e.first.0), (sign * e.second.1, e.second.0)]
                    .into_iter()
                    .filter(|(x, _)| *x != 0.0)
                    .chain([(-sign, i as Id)])
                    .collect();
                self.at_least_zero(&terms, sign * e.constant);
            }
        }
    }

    fn binary_node(&mut self) -> Linear {
        column(self.milp.add_column(0.0, 1.0, true))
    }

    /// `y = abs(a)`: at least `a` and `-a`, and one of them.
    fn absolute(&mut self, y: Id, a: Id) {
        self.at_least_zero(&[(1.0, y), (-1.0, a)], 0.0);
        self.at_least_zero(&[(1.0, y), (1.0, a)], 0.0);
        let x = self.ground.boxes[a as usize];
        if !x.is_bounded() {
            return;
        }
        if x.low >= 0.0 || x.high <= 0.0 {
            self.at_least_zero(&[(-1.0, y), (if x.low >= 0.0 { 1.0 } else { -1.0 }, a)], 0.0);
            return;
        }
        let is_negative = self.binary_node();
        // y <= a + 2 |low| z and y <= -a + 2 high (1 - z)
        for (sign, factor, constant) in [(1.0, -2.0 * x.low, 0.0), (-1.0, -2.0 * x.high, 2.0 * x.high)] {
            let mut row = Linear::constant(constant);
            row.add(&self.forms[a as usize], sign);
            row.add(&self.forms[y as usize], -1.0);
            row.add(&is_negative, factor);
            self.row(row, -loose(factor), f64::INFINITY);
        }
    }

    /// The larger of two (`sign` 1) or the smaller (`sign` -1): at least as extreme as both, and one of them.
    fn extreme(&mut self, y: Id, a: Id, b: Id, sign: f64) {
        for x in [a, b] {
            self.at_least_zero(&[(sign, y), (-sign, x)], 0.0);
        }
        let (x, z) = (self.ground.boxes[a as usize].times(sign), self.ground.boxes[b as usize].times(sign));
        if !x.is_bounded() || !z.is_bounded() {
            return;
        }
        let is_second = self.binary_node();
        // Of larger ones: y <= a + (z.high - x.low) s, y <= b + (x.high - z.low) (1 - s)
        let (first, second) = ((z.high - x.low).max(0.0), (x.high - z.low).max(0.0));
        for (id, factor, constant) in [(a, first, 0.0), (b, -second, second)] {
            let mut row = Linear::constant(constant);
            row.add(&self.forms[id as usize], sign);
            row.add(&self.forms[y as usize], -sign);
            row.add(&is_second, factor);
            self.row(row, -loose(factor), f64::INFINITY);
        }
    }

    /// `y = if(c, a, b)`
    fn choice(&mut self, y: Id, c: Id, a: Id, b: Id) {
        let (own, x, z) = (self.ground.boxes[y as usize], self.ground.boxes[a as usize], self.ground.boxes[b as usize]);
        if !x.is_empty() {
            // y <= a + (own.high - x.low) (1 - c), y >= a - (x.high - own.low) (1 - c)
            let (up, down) = ((own.high - x.low).max(0.0), (x.high - own.low).max(0.0));
            self.at_least_zero(&[(1.0, a), (-1.0, y), (-up, c)], up);
            self.at_least_zero(&[(-1.0, a), (1.0, y), (-down, c)], down);
        }
        if !z.is_empty() {
            let (up, down) = ((own.high - z.low).max(0.0), (z.high - own.low).max(0.0));
            self.at_least_zero(&[(1.0, b), (-1.0, y), (up, c)], 0.0);
            self.at_least_zero(&[(-1.0, b), (1.0, y), (down, c)], 0.0);
        }
    }

    /// `y = [d <= 0]`, where a difference up to the tolerance also counts.
    fn at_most(&mut self, y: Id, pair: Pair) {
        let boxes = self.ground.boxes;
        let d = boxes[pair.difference as usize];
        let most = slack(boxes[pair.left as usize], boxes[pair.right as usize]);
        if most.is_finite() {
            let room = (d.high - most).max(0.0);
            self.at_least_zero(&[(-1.0, pair.difference), (-room, y)], most + room);
        }
        let below = (-d.low).max(0.0);
        self.at_least_zero(&[(1.0, pair.difference), (below, y)], 0.0);
    }

    /// `y = [d = 0]`: where it holds the difference is no larger than the tolerance.
    fn equal(&mut self, y: Id, pair: Pair) {
        let boxes = self.ground.boxes;
        let d = boxes[pair.difference as usize];
        let most = slack(boxes[pair.left as usize], boxes[pair.right as usize]);
        if !most.is_finite() {
            return;
        }
        let (above, below) = ((d.high - most).max(0.0), (-d.low - most).max(0.0));
        self.at_least_zero(&[(-1.0, pair.difference), (-above, y)], most + above);
        self.at_least_zero(&[(1.0, pair.difference), (-below, y)], most + below);
    }

    /// Sets the objective; what one unit of the engine's objective is worth.
    fn maximise(&mut self) -> f64 {
        let goal = self.ground.boxes[self.ground.goal as usize];
        let mut form = self.forms[self.ground.goal as usize].clone();
        form.constant = 0.0;
        if !goal.high.is_finite() {
            // Large enough to lead to good solutions; nothing is proven by it.
            let top = if goal.low.is_finite() { goal.low.abs() } else { 0.0 }.max(1.0) * 1e4;
            let capped = self.milp.add_column(f64::NEG_INFINITY, top, false);
            form.terms.push((capped, -1.0));
            self.row(form, 0.0, f64::INFINITY);
            form = column(capped);
        }
        let size = if goal.is_bounded() { goal.width() } else { 1.0 };
        let unit = (size / GOAL_SIZE).clamp(1e-9, 1e6);
        for (at, x) in &form.terms {
            self.milp.cost[*at] -= x / unit;
        }
        unit
    }
}

/// Points of an interval at which tangents are laid; of a wide one of positive numbers in a geometric row.
fn touching(x: Interval) -> Vec<f64> {
    if !x.is_bounded() {
        return vec![if x.low.is_finite() { x.low } else { x.high.min(0.0) }];
    }
    let is_geometric = x.low > 0.0 && x.high > 4.0 * x.low;
    TANGENTS
        .iter()
        .map(|t| if is_geometric { x.low * (x.high / x.low).powf(*t) } else { x.low + t * x.width() })
        .collect()
}
