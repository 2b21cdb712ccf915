//! An upper bound on the goal that is separable over the groups.
//!
//! Rows that must hold are priced with multipliers, then one sweep down the graph replaces every node by an affine
//! estimator in its operands, over or under by the sign of its weight, until only aggregates are left. What remains is a
//! constant plus a sum of tables, whose maximum is found group by group. Any multipliers, mixing parameters and tangent
//! points give a true bound, so there is no tolerance to be afraid of; they are improved by a projected subgradient
//! method with Polyak's step. (The sweep: Zhang, Weng, Chen, Hsieh, Daniel, "Efficient neural network robustness
//! certification with general activation functions", 2018.)

use std::rc::Rc;

use super::estimate::Estimate;
use super::graph::{Id, Op};
use super::instance::{Domains, Instance};
use super::interval::Interval;

/// The parameters of a bound.
#[derive(Clone, Debug)]
pub struct Parameters {
    /// Two multipliers for each row: of its upper and of its lower side.
    pub multipliers: Vec<f64>,
    /// The mixing parameter of each node.
    pub mix: Vec<f64>,
    /// The tangent point of each node.
    pub points: Vec<f64>,
}

/// A row: the sides of the interval of a node that must hold.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    node: Id,
    /// True for an aggregate, whose sides count only where they are narrower than what the tables allow.
    is_sum: bool,
}

impl Row {
    /// The least multipliers. A nonlinear row is never without a price: what it is worth shows only in the estimators
    /// that its weight chooses.
    fn least(&self) -> [f64; 2] {
        if self.is_sum { [0.0, 0.0] } else { [2e-12, 1e-12] }
    }
}

/// The buffers of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// The weight of each node in the last sweep.
    pub weights: Vec<f64>,
    estimates: Vec<Estimate>,
    /// The value of each node's estimator at the maximiser.
    pub values: Vec<f64>,
    /// The coefficient of each aggregate.
    pub beta: Vec<f64>,
    /// The row of each group that is best.
    pub best: Vec<u32>,
    /// The value of each group at its best row.
    best_value: Vec<f64>,
    sums: Vec<f64>,
    gradient: Vec<f64>,
    mix_gradient: Vec<f64>,
}

/// What the search keeps of the bound of a node.
#[derive(Clone, Debug)]
pub struct Bound {
    /// No admissible choice has a larger goal.
    pub value: f64,
    /// The parameters that gave it.
    pub parameters: Rc<Parameters>,
}

/// How a bound is to be improved.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Sweeps.
    pub sweeps: u32,
    /// The value that the bound is hoped to reach: it prunes there.
    pub target: f64,
}

/// The rows of an instance: its aggregates, the differences of comparisons that are no aggregates, and truth values that
/// are neither comparisons nor tables.
pub fn rows(instance: &Instance) -> Vec<Row> {
    let graph = &instance.graph;
    let mut rows: Vec<Row> = instance.nodes.iter().map(|id| Row { node: *id, is_sum: true }).collect();
    let mut add = |node: Id| {
        if !rows.iter().any(|r| r.node == node) {
            rows.push(Row { node, is_sum: false });
        }
    };
    for op in &graph.ops {
        if let Op::AtMost(pair) | Op::Equal(pair) = op {
            let is_sum = match graph.ops[pair.difference as usize] {
                Op::Aggregate(_) => true,
                Op::Linear(_, first, 1) => {
                    let (_, id) = graph.operands(first, 1)[0];
                    matches!(graph.ops[id as usize], Op::Aggregate(_))
                }
                _ => false,
            };
            if !is_sum {
                add(pair.difference);
            }
        }
    }
    for id in &instance.constraints {
        if !matches!(graph.ops[*id as usize], Op::AtMost(_) | Op::Equal(_)) {
            add(*id);
        }
    }
    rows
}

impl Parameters {
    /// Parameters that price nothing.
    pub fn new(instance: &Instance, rows: &[Row]) -> Self {
        let nodes = instance.graph.ops.len();
        let multipliers = rows.iter().flat_map(|r| r.least()).collect();
        Parameters { multipliers, mix: vec![0.5; nodes], points: vec![f64::NAN; nodes] }
    }
}

/// What a sweep is done on.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Its rows.
    pub rows: &'a [Row],
    /// The intervals of the nodes.
    pub boxes: &'a [Interval],
    /// Nodes that are certainly looked at.
    pub active: &'a [bool],
    /// What the tables of each aggregate allow on the open rows.
    pub natural: &'a [Interval],
    /// Nodes that may lack a value.
    pub partial: &'a [bool],
    /// The open rows.
    pub domains: &'a Domains,
    /// What is maximised.
    pub goal: Id,
}

impl Ground<'_> {
    /// The finite sides of a row that are worth a price: upper, lower.
    fn sides(&self, row: &Row) -> (Option<f64>, Option<f64>) {
        let x = self.boxes[row.node as usize];
        if !self.active[row.node as usize] || x.width() < 0.0 {
            return (None, None);
        }
        let (mut upper, mut lower) = (x.high.is_finite(), x.low.is_finite());
        if row.is_sum {
            let Op::Aggregate(j) = self.instance.graph.ops[row.node as usize] else { return (None, None) };
            let natural = self.natural[j as usize];
            let margin = 1e-9 * natural.width();
            upper &= x.high < natural.high - margin;
            lower &= x.low > natural.low + margin;
        }
        (upper.then_some(x.high), lower.then_some(x.low))
    }
}

impl Sweep {
    /// Buffers for an instance.
    pub fn new(instance: &Instance, rows: &[Row]) -> Self {
        let nodes = instance.graph.ops.len();
        Sweep {
            weights: vec![0.0; nodes],
            estimates: vec![Estimate::default(); nodes],
            values: vec![0.0; nodes],
            beta: vec![0.0; instance.nodes.len()],
            best: vec![0; instance.groups.len()],
            best_value: vec![0.0; instance.groups.len()],
            sums: vec![0.0; instance.nodes.len()],
            gradient: vec![0.0; 2 * rows.len()],
            mix_gradient: vec![0.0; nodes],
        }
    }

    /// One sweep: the bound that some parameters give. Infinite when a node with a weight is unbounded.
    pub fn run(&mut self, ground: &Ground<'_>, parameters: &Parameters) -> f64 {
        let graph = &ground.instance.graph;
        self.weights.fill(0.0);
        self.beta.fill(0.0);
        let (mut constant, mut size) = (0.0, 0.0f64);
        self.weights[ground.goal as usize] = 1.0;
        for (r, row) in ground.rows.iter().enumerate() {
            let (upper, lower) = ground.sides(row);
            let (u, l) = (parameters.multipliers[2 * r], parameters.multipliers[2 * r + 1]);
            if let Some(high) = upper
                && u > 0.0
            {
                self.weights[row.node as usize] -= u;
                constant += u * high;
                size += (u * high).abs();
            }
            if let Some(low) = lower
                && l > 0.0
            {
                self.weights[row.node as usize] += l;
                constant -= l * low;
                size += (l * low).abs();
            }
        }
        for i in (0..graph.ops.len()).rev() {
            let w = self.weights[i];
            if w == 0.0 {
                continue;
            }
            match graph.ops[i] {
                Op::Constant(x) => {
                    constant += w * x;
                    size += (w * x).abs();
                }
                Op::Aggregate(j) => self.beta[j as usize] = w,
                Op::Linear(x, first, count) => {
                    constant += w * x;
                    size += (w * x).abs();
                    for (coefficient, id) in graph.operands(first, count) {
                        self.weights[*id as usize] += w * coefficient;
                    }
                }
                _ => {
                    let estimate = graph.estimate(
                        i,
                        w > 0.0,
                        parameters.mix[i],
                        parameters.points[i],
                        ground.boxes,
                        ground.partial,
                    );
                    if !estimate.constant.is_finite() {
                        return f64::INFINITY;
                    }
                    self.estimates[i] = estimate;
                    constant += w * estimate.constant;
                    size += (w * estimate.constant).abs();
                    for (id, coefficient) in [estimate.first, estimate.second] {
                        if coefficient != 0.0 {
                            self.weights[id as usize] += w * coefficient;
                        }
                    }
                }
            }
        }
        let mut total = constant;
        for (g, group) in ground.instance.groups.iter().enumerate() {
            let (row, value) = best_row(group.columns.as_slice(), &group.matrix, &ground.domains[g], &self.beta);
            self.best[g] = row;
            self.best_value[g] = value;
            total += value;
            size = size.max(value.abs());
        }
        if total.is_nan() { f64::INFINITY } else { total + 2e-14 * (size + total.abs()) }
    }

    /// The sums at the maximiser and the values of the estimators there.
    fn evaluate(&mut self, ground: &Ground<'_>) {
        let graph = &ground.instance.graph;
        ground.instance.sums(&self.best, &mut self.sums);
        for (i, op) in graph.ops.iter().enumerate() {
            let v = |id: Id| self.values[id as usize];
            self.values[i] = match *op {
                Op::Constant(x) => x,
                Op::Aggregate(j) => self.sums[j as usize],
                Op::Linear(x, first, count) => graph.operands(first, count).iter().fold(x, |s, (c, id)| s + c * v(*id)),
                _ if self.weights[i] == 0.0 => f64::NAN,
                _ => {
                    let e = &self.estimates[i];
                    let mut value = e.constant;
                    for (id, c) in [e.first, e.second] {
                        if c != 0.0 {
                            value += c * v(id);
                        }
                    }
                    value
                }
            };
        }
    }

    /// Improves the bound from some parameters; `visit` sees every maximiser that is new, and gives a better target when
    /// it knows one.
    pub fn improve(
        &mut self,
        ground: &Ground<'_>,
        from: &Rc<Parameters>,
        effort: Effort,
        mut visit: impl FnMut(&[u32]) -> Option<f64>,
    ) -> Bound {
        let graph = &ground.instance.graph;
        let mut parameters = (**from).clone();
        for (i, point) in parameters.points.iter_mut().enumerate() {
            let Some(operand) = graph.touched(i) else { continue };
            let x = ground.boxes[operand as usize];
            if point.is_nan() && x.is_bounded() {
                *point = 0.5 * (x.low + x.high);
            } else if !point.is_nan() {
                *point = point.max(x.low).min(x.high);
            }
        }
        let goal = ground.boxes[ground.goal as usize];
        let mut best = Bound { value: f64::INFINITY, parameters: from.clone() };
        let (mut factor, mut stalled, mut target) = (1.0, 0, effort.target);
        let mut last: Vec<u32> = Vec::new();
        for sweep in 0..effort.sweeps {
            let value = self.run(ground, &parameters);
            if value < best.value {
                let gain = best.value - value;
                best.value = value;
                if gain.is_infinite() || gain > 1e-4 * (value - target).abs() {
                    stalled = 0;
                } else {
                    stalled += 1;
                }
                best.parameters = Rc::new(parameters.clone());
            } else {
                stalled += 1;
            }
            if stalled >= 4 {
                (factor, stalled) = (factor * 0.6, 0);
            }
            if value.is_infinite() {
                break;
            }
            if last != self.best {
                last.clone_from(&self.best);
                if let Some(better) = visit(&last) {
                    target = target.max(better);
                }
            }
            if best.value <= target || sweep + 1 == effort.sweeps || factor < 1e-3 {
                break;
            }
            self.evaluate(ground);
            let hoped = if target.is_finite() { target } else { value - 0.1 * reach(goal, value) };
            self.step(ground, &mut parameters, factor * (value - hoped), reach(goal, value));
        }
        best
    }

    /// One step along the subgradient.
    fn step(&mut self, ground: &Ground<'_>, parameters: &mut Parameters, distance: f64, reach: f64) {
        let graph = &ground.instance.graph;
        let mut norm = 0.0;
        self.gradient.fill(0.0);
        self.mix_gradient.fill(0.0);
        for (r, row) in ground.rows.iter().enumerate() {
            let (upper, lower) = ground.sides(row);
            let v = self.values[row.node as usize];
            if v.is_nan() {
                continue;
            }
            let scale = reach / self.row_width(ground, row);
            for (side, distance) in [(0, upper.map(|high| high - v)), (1, lower.map(|low| v - low))] {
                let at = 2 * r + side;
                // By the multiplier in units of goal per width of the row.
                let g = distance.unwrap_or(0.0) * scale;
                if g < 0.0 || parameters.multipliers[at] > 0.0 {
                    self.gradient[at] = g;
                    norm += g * g;
                }
            }
        }
        for i in 0..graph.ops.len() {
            let w = self.weights[i];
            if w == 0.0 || matches!(graph.ops[i], Op::Constant(_) | Op::Aggregate(_) | Op::Linear(..)) {
                continue;
            }
            let e = &self.estimates[i];
            let (a, b, c) = e.by_mix;
            if a == 0.0 && b == 0.0 && c == 0.0 {
                continue;
            }
            let v = |id: Id, x: f64| if x == 0.0 { 0.0 } else { x * self.values[id as usize] };
            let g = w * (v(e.first.0, a) + v(e.second.0, b) + c);
            let mix = parameters.mix[i];
            if g.is_finite() && !(mix <= 0.0 && g > 0.0) && !(mix >= 1.0 && g < 0.0) {
                self.mix_gradient[i] = g;
                norm += g * g;
            }
        }
        if norm > 0.0 && norm.is_finite() {
            let step = distance / norm;
            for (r, row) in ground.rows.iter().enumerate() {
                let scale = reach / self.row_width(ground, row);
                for (at, least) in [2 * r, 2 * r + 1].into_iter().zip(row.least()) {
                    let moved = parameters.multipliers[at] - step * self.gradient[at] * scale;
                    if moved.is_finite() {
                        parameters.multipliers[at] = moved.max(least);
                    }
                }
            }
            for (mix, g) in parameters.mix.iter_mut().zip(&self.mix_gradient) {
                *mix = (*mix - step * g).clamp(0.0, 1.0);
            }
        }
        for (i, point) in parameters.points.iter_mut().enumerate() {
            if self.weights[i] != 0.0
                && let Some(operand) = graph.touched(i)
            {
                let x = ground.boxes[operand as usize];
                let v = self.values[operand as usize];
                if x.is_bounded() && v.is_finite() && !point.is_nan() {
                    *point += 0.3 * (v.max(x.low).min(x.high) - *point);
                }
            }
        }
    }

    fn row_width(&self, ground: &Ground<'_>, row: &Row) -> f64 {
        let x = match ground.instance.graph.ops[row.node as usize] {
            Op::Aggregate(j) => ground.natural[j as usize],
            _ => ground.boxes[row.node as usize],
        };
        if x.is_bounded() && x.width() > 0.0 { x.width() } else { 1.0 }
    }

    /// Runs the sweep of a bound again.
    pub fn value_of(&mut self, ground: &Ground<'_>, bound: &Bound) -> f64 {
        self.run(ground, &bound.parameters)
    }

    /// What each open row of each group loses against the best one in the last sweep.
    pub fn reduced_costs(&self, ground: &Ground<'_>, mut visit: impl FnMut(usize, u32, f64)) {
        for (g, group) in ground.instance.groups.iter().enumerate() {
            for row in ground.domains[g].iter() {
                visit(g, *row, self.best_value[g] - weigh(&group.columns, group.row(*row), &self.beta));
            }
        }
    }
}

/// The width of the goal, or a guess.
fn reach(goal: Interval, value: f64) -> f64 {
    let width = (value - goal.low).min(goal.width());
    if width.is_finite() && width > 0.0 { width } else { value.abs().max(1e-9) }
}

fn weigh(columns: &[u32], row: &[f64], beta: &[f64]) -> f64 {
    let mut sum = 0.0;
    for (j, x) in columns.iter().zip(row) {
        let b = beta[*j as usize];
        if b != 0.0 {
            sum += b * x;
        }
    }
    sum
}

/// The open row with the largest weight. Rows without a value where one is needed are never best: they are inadmissible.
fn best_row(columns: &[u32], matrix: &[f64], domain: &[u32], beta: &[f64]) -> (u32, f64) {
    let width = columns.len();
    let (mut best, mut value) = (domain.first().copied().unwrap_or(0), f64::NEG_INFINITY);
    for row in domain {
        let at = *row as usize * width;
        let x = weigh(columns, &matrix[at..at + width], beta);
        if x > value {
            (best, value) = (*row, x);
        }
    }
    (best, value)
}
