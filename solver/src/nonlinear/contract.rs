//! Narrowing: what the values that nodes must have say about their operands, from the top of the graph downwards.
//!
//! (Benhamou, Goualard, Granvilliers, Puget, "Revising hull and box consistency", ICLP 1999: the algorithm HC4.) Only
//! nodes that are certainly looked at narrow their operands: the arm of a choice that may not be taken may have no value
//! at all. Every end is moved outwards a little, so that rounding never cuts off a value.

use cardinal_models::formula::function::Function;

use super::graph::{EXP_LIMIT, Graph, Id, Op, Pair, power};
use super::interval::{Interval, product, slack};

/// The intervals of the nodes while they are narrowed.
#[derive(Clone, Debug, Default)]
pub struct Boxes {
    /// The interval of each node.
    pub of: Vec<Interval>,
    /// True for nodes that are looked at on every admissible choice.
    pub active: Vec<bool>,
    /// True when an active node has no value left.
    pub contradiction: bool,
}

impl Boxes {
    /// Narrows a node to an interval, widened by what rounding may be off.
    pub fn narrow(&mut self, id: Id, to: Interval, rounding: f64) {
        if to == Interval::EMPTY {
            self.contradiction = true;
            return;
        }
        let at = &mut self.of[id as usize];
        let margin = |x: f64| 1e-12 * x.abs() + rounding;
        let low = to.low - margin(to.low);
        let high = to.high + margin(to.high);
        if low > at.low {
            at.low = low;
        }
        if high < at.high {
            at.high = high;
        }
        if at.is_empty() {
            // Ends that cross by rounding only are one value.
            let gap = at.low - at.high;
            if gap <= 1e-9 * at.low.abs().max(at.high.abs()) + rounding + 1e-13 {
                let middle = at.low;
                (at.low, at.high) = (at.high, middle);
            } else {
                self.contradiction = true;
            }
        }
    }

    /// Marks a node that every admissible choice looks at: it must have a value.
    pub fn look_at(&mut self, id: Id) {
        self.active[id as usize] = true;
        if self.of[id as usize].is_empty() {
            self.contradiction = true;
        }
    }

    /// Makes a truth value hold or fail.
    pub fn decide(&mut self, id: Id, holds: bool) {
        let at = &mut self.of[id as usize];
        if at.is_empty() || (holds && at.fails()) || (!holds && at.holds()) {
            self.contradiction = true;
        }
        *at = Interval::truth(holds);
    }
}

impl Graph {
    /// Narrows the operands of all active nodes; stops at a contradiction.
    pub fn backward(&self, boxes: &mut Boxes) {
        for (i, op) in self.ops.iter().enumerate().rev() {
            if !boxes.active[i] {
                continue;
            }
            let y = boxes.of[i];
            if boxes.contradiction || y.is_empty() {
                boxes.contradiction = true;
                return;
            }
            self.narrow_operands(*op, y, boxes);
        }
    }

    fn narrow_operands(&self, op: Op, y: Interval, boxes: &mut Boxes) {
        if !matches!(op, Op::And(..) | Op::Or(..) | Op::If(..)) {
            self.children(op, |id| boxes.look_at(id));
        }
        match op {
            Op::Constant(_) | Op::Aggregate(_) | Op::Opaque(..) => {}
            Op::Linear(constant, first, count) => self.narrow_sum(constant, first, count, y, boxes),
            Op::Product(a, b) => {
                narrow_factor(a, b, y, boxes);
                narrow_factor(b, a, y, boxes);
            }
            Op::Power(a, p) => {
                let range = inverse_power(y, p, boxes.of[a as usize]);
                boxes.narrow(a, range, 0.0);
            }
            Op::Exp(a) | Op::Decay(a) => {
                let least = if matches!(op, Op::Decay(_)) { -EXP_LIMIT - 1e-9 } else { f64::NEG_INFINITY };
                let low = if y.low > 0.0 { y.low.ln() } else { f64::NEG_INFINITY };
                let high = if y.high > 0.0 { y.high.ln().min(EXP_LIMIT + 1e-9) } else { f64::NEG_INFINITY };
                boxes.narrow(a, Interval::new(low.max(least), high), 1e-12);
            }
            Op::Log(a) => boxes.narrow(a, Interval::new(y.low.exp(), y.high.exp()), 0.0),
            Op::Abs(a) => {
                let x = boxes.of[a as usize];
                let low = if x.low >= 0.0 { y.low } else { -y.high };
                let high = if x.high <= 0.0 { -y.low } else { y.high };
                boxes.narrow(a, Interval::new(low, high), 0.0);
            }
            Op::Min(a, b) => {
                for (own, other) in [(a, b), (b, a)] {
                    let decides = boxes.of[other as usize].low > y.high;
                    boxes.narrow(own, Interval::new(y.low, if decides { y.high } else { f64::INFINITY }), 0.0);
                }
            }
            Op::Max(a, b) => {
                for (own, other) in [(a, b), (b, a)] {
                    let decides = boxes.of[other as usize].high < y.low;
                    boxes.narrow(own, Interval::new(if decides { y.low } else { f64::NEG_INFINITY }, y.high), 0.0);
                }
            }
            Op::And(a, b) => narrow_either(a, b, y, true, boxes),
            Op::Or(a, b) => narrow_either(a, b, y, false, boxes),
            Op::If(c, a, b) => {
                boxes.look_at(c);
                let fits = |x: Interval| !x.is_empty() && x.low <= y.high + margin(y) && x.high >= y.low - margin(y);
                if !fits(boxes.of[a as usize]) {
                    boxes.decide(c, false);
                }
                if !fits(boxes.of[b as usize]) {
                    boxes.decide(c, true);
                }
                let condition = boxes.of[c as usize];
                if condition.holds() {
                    boxes.look_at(a);
                    boxes.narrow(a, y, 0.0);
                } else if condition.fails() {
                    boxes.look_at(b);
                    boxes.narrow(b, y, 0.0);
                }
            }
            Op::AtMost(pair) => narrow_comparison(pair, y, false, boxes),
            Op::Equal(pair) => narrow_comparison(pair, y, true, boxes),
            Op::Call(function, a) => {
                if let Some((range, rounding)) = inverse_call(function, y) {
                    boxes.narrow(a, range, rounding);
                }
            }
        }
    }

    /// `y = constant + sum of c_i x_i`: each summand is y less the others.
    fn narrow_sum(&self, constant: f64, first: u32, count: u32, y: Interval, boxes: &mut Boxes) {
        let operands = self.operands(first, count);
        let (mut low, mut high) = (constant, constant);
        let (mut open_low, mut open_high, mut size) = (0, 0, constant.abs());
        for (coefficient, id) in operands {
            let x = boxes.of[*id as usize].times(*coefficient);
            if x.low.is_finite() {
                low += x.low
            } else {
                open_low += 1
            }
            if x.high.is_finite() {
                high += x.high
            } else {
                open_high += 1
            }
            size = size.max(if x.is_bounded() { x.size() } else { 0.0 });
        }
        if y.is_bounded() {
            size = size.max(y.size());
        }
        for (coefficient, id) in operands {
            if *coefficient == 0.0 {
                continue;
            }
            let x = boxes.of[*id as usize].times(*coefficient);
            let others = |sum: f64, open: i32, own: f64, none: f64| match (open, own.is_finite()) {
                (0, _) => sum - own,
                (1, false) => sum,
                _ => none,
            };
            let others_low = others(low, open_low, x.low, f64::NEG_INFINITY);
            let others_high = others(high, open_high, x.high, f64::INFINITY);
            let own = Interval::new(y.low - others_high, y.high - others_low).times(1.0 / coefficient);
            boxes.narrow(*id, own, 1e-13 * size / coefficient.abs());
        }
    }
}

fn margin(y: Interval) -> f64 {
    1e-9 * if y.is_bounded() { y.size() } else { 0.0 } + 1e-300
}

/// `a b = y` with a `b` of known sign.
fn narrow_factor(a: Id, b: Id, y: Interval, boxes: &mut Boxes) {
    let divisor = boxes.of[b as usize];
    if divisor.low > 0.0 || divisor.high < 0.0 {
        let inverse = Interval::new(1.0 / divisor.high, 1.0 / divisor.low);
        let quotient = |x: f64, z: f64| if x.is_infinite() && z == 0.0 { x } else { product(x, z) };
        let ends = [
            quotient(y.low, inverse.low),
            quotient(y.low, inverse.high),
            quotient(y.high, inverse.low),
            quotient(y.high, inverse.high),
        ];
        let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
        let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        boxes.narrow(a, Interval::new(low, high), 0.0);
    }
}

/// The bases whose power lies in `y`.
fn inverse_power(y: Interval, p: f64, x: Interval) -> Interval {
    let root = |v: f64, otherwise: f64| {
        if v.is_infinite() {
            return if p > 0.0 { v } else { 0.0 };
        }
        let r = if p == 2.0 {
            v.sqrt()
        } else if p == -1.0 {
            1.0 / v
        } else {
            v.powf(1.0 / p)
        };
        if r.is_nan() || r.is_infinite() { otherwise } else { r }
    };
    let whole = p.fract() == 0.0;
    let positive = |y: Interval| {
        // Roots on the side where the base is not negative.
        let y = y.meet(Interval::new(0.0, f64::INFINITY));
        if y.is_empty() {
            return Interval::EMPTY;
        }
        if p > 0.0 {
            Interval::new(root(y.low, 0.0), root(y.high, f64::INFINITY))
        } else {
            Interval::new(root(y.high, 0.0), root(y.low, f64::INFINITY))
        }
    };
    if !whole {
        return positive(y);
    }
    if p % 2.0 == 0.0 {
        let size = positive(y);
        if size.is_empty() {
            return Interval::EMPTY;
        }
        return if x.low >= 0.0 {
            size
        } else if x.high <= 0.0 {
            Interval::new(-size.high, -size.low)
        } else {
            Interval::new(-size.high, size.high)
        };
    }
    let upper = positive(y);
    let mirrored = positive(Interval::new(-y.high, -y.low));
    let lower = if mirrored.is_empty() { mirrored } else { Interval::new(-mirrored.high, -mirrored.low) };
    upper.hull(lower)
}

/// The arguments whose function value lies in `y`, and how far rounding may be off.
fn inverse_call(function: Function, y: Interval) -> Option<(Interval, f64)> {
    use std::f64::consts::{FRAC_PI_2, PI};
    Some(match function {
        Function::Floor => (Interval::new(y.low, y.high + 1.0), 1e-9),
        Function::Ceil => (Interval::new(y.low - 1.0, y.high), 1e-9),
        Function::Round => (Interval::new(y.low - 0.5, y.high + 0.5), 1e-9),
        Function::Log2 => (Interval::new(y.low.exp2(), y.high.exp2()), 0.0),
        Function::Log10 => (Interval::new(10f64.powf(y.low), 10f64.powf(y.high)), 0.0),
        Function::Atan => {
            let low = if y.low <= -FRAC_PI_2 + 1e-9 { f64::NEG_INFINITY } else { y.low.tan() };
            let high = if y.high >= FRAC_PI_2 - 1e-9 { f64::INFINITY } else { y.high.tan() };
            (Interval::new(low, high), 1e-9)
        }
        Function::Asin => (Interval::new(y.low.max(-FRAC_PI_2).sin(), y.high.min(FRAC_PI_2).sin()), 1e-12),
        Function::Acos => (Interval::new(y.high.min(PI).cos(), y.low.max(0.0).cos()), 1e-12),
        _ => return None,
    })
}

/// `a and b = y`, or for `or` with all truth values turned round.
fn narrow_either(a: Id, b: Id, y: Interval, is_and: bool, boxes: &mut Boxes) {
    boxes.look_at(a);
    let holds = |x: Interval| if is_and { x.holds() } else { x.fails() };
    let fails = |x: Interval| if is_and { x.fails() } else { x.holds() };
    if holds(y) {
        boxes.decide(a, is_and);
    }
    let second = boxes.of[b as usize];
    if second.is_empty() || (fails(y) && holds(second)) {
        boxes.decide(a, !is_and);
    }
    // The second operand is looked at where the first leaves the matter open.
    if holds(boxes.of[a as usize]) {
        boxes.look_at(b);
        if holds(y) {
            boxes.decide(b, is_and);
        } else if fails(y) {
            boxes.decide(b, !is_and);
        }
    }
}

fn narrow_comparison(pair: Pair, y: Interval, is_equality: bool, boxes: &mut Boxes) {
    let most = slack(boxes.of[pair.left as usize], boxes.of[pair.right as usize]);
    if y.holds() {
        let low = if is_equality { -most } else { f64::NEG_INFINITY };
        boxes.narrow(pair.difference, Interval::new(low, most), 0.0);
    } else if y.fails() && !is_equality {
        boxes.narrow(pair.difference, Interval::new(0.0, f64::INFINITY), 0.0);
    }
}

/// True when `x` may be a base that the power accepts at every point of its interval.
pub(crate) fn is_total_power(x: Interval, p: f64) -> bool {
    if p.fract() != 0.0 && x.low < 0.0 {
        return false;
    }
    (p > 0.0 || x.low > 0.0 || x.high < 0.0) && (!x.is_bounded() || !power(x.low, p).is_nan())
}
