//! Affine over- and underestimators of single nodes on the intervals of their operands.
//!
//! Tangents and chords of convex and concave functions, and the envelopes of a product. (McCormick, "Computability of
//! global solutions to factorable nonconvex programs", 1976.) Where a node has two estimators a parameter between 0 and
//! 1 mixes them; where it has a family of tangents a parameter is the point at which it touches.

use cardinal_models::formula::function::Function;

use super::graph::{Graph, Id, Op, power};
use super::interval::{Interval, slack};

/// `a * first + b * second + c`, and how it moves with the mixing parameter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// The first operand and its coefficient.
    pub first: (Id, f64),
    /// The second operand and its coefficient.
    pub second: (Id, f64),
    /// The constant.
    pub constant: f64,
    /// Derivatives of the two coefficients and the constant by the mixing parameter.
    pub by_mix: (f64, f64, f64),
}

impl Estimate {
    fn constant(constant: f64) -> Self {
        Estimate { constant, ..Estimate::default() }
    }

    fn line(operand: Id, slope: f64, constant: f64) -> Self {
        Estimate { first: (operand, slope), constant, ..Estimate::default() }
    }

    /// Two affine functions mixed: `mix` parts of the first.
    fn mixed(ids: (Id, Id), one: (f64, f64, f64), two: (f64, f64, f64), mix: f64) -> Self {
        let blend = |a: f64, b: f64| mix * a + (1.0 - mix) * b;
        Estimate {
            first: (ids.0, blend(one.0, two.0)),
            second: (ids.1, blend(one.1, two.1)),
            constant: blend(one.2, two.2),
            by_mix: (one.0 - two.0, one.1 - two.1, one.2 - two.2),
        }
    }
}

/// How a function of one number bends on an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bend {
    Convex,
    Concave,
    Neither,
}

/// The operand of a function of one number, and how it bends on the interval of the operand.
fn bend(op: Op, boxes: &[Interval]) -> Option<(Id, Bend)> {
    let signed = |x: Interval, positive: Bend, negative: Bend| {
        if x.low >= 0.0 {
            positive
        } else if x.high <= 0.0 {
            negative
        } else {
            Bend::Neither
        }
    };
    let of = |id: Id| boxes[id as usize];
    Some(match op {
        Op::Power(a, p) => {
            let x = of(a);
            let bend = if p == 2.0 || (p > 0.0 && p % 2.0 == 0.0) {
                Bend::Convex
            } else if p.fract() != 0.0 {
                match x.low >= 0.0 {
                    true if (0.0..1.0).contains(&p) => Bend::Concave,
                    true => Bend::Convex,
                    false => Bend::Neither,
                }
            } else if p > 0.0 || p % 2.0 != 0.0 {
                // Odd powers; of negative exponent only away from 0.
                if p < 0.0 && x.low <= 0.0 && x.high >= 0.0 {
                    Bend::Neither
                } else {
                    signed(x, Bend::Convex, Bend::Concave)
                }
            } else if x.low > 0.0 || x.high < 0.0 {
                Bend::Convex
            } else {
                Bend::Neither
            };
            (a, bend)
        }
        Op::Exp(a) | Op::Decay(a) => (a, Bend::Convex),
        Op::Log(a) => (a, if of(a).low > 0.0 { Bend::Concave } else { Bend::Neither }),
        Op::Abs(a) => (a, Bend::Convex),
        Op::Call(function, a) => {
            let x = of(a);
            let inside = x.low >= -1.0 && x.high <= 1.0;
            let bend = match function {
                Function::Log2 | Function::Log10 if x.low > 0.0 => Bend::Concave,
                Function::Acos if inside => signed(x, Bend::Concave, Bend::Convex),
                Function::Asin if inside => signed(x, Bend::Convex, Bend::Concave),
                Function::Atan => signed(x, Bend::Concave, Bend::Convex),
                _ => Bend::Neither,
            };
            (a, bend)
        }
        _ => return None,
    })
}

/// Value and slope of a function of one number.
fn at(op: Op, x: f64) -> (f64, f64) {
    match op {
        Op::Power(_, 2.0) => (x * x, 2.0 * x),
        Op::Power(_, -1.0) => (1.0 / x, -1.0 / (x * x)),
        Op::Power(_, p) => (power(x, p), p * x.powf(p - 1.0)),
        Op::Exp(_) | Op::Decay(_) => (x.exp(), x.exp()),
        Op::Log(_) => (x.ln(), 1.0 / x),
        Op::Abs(_) => (x.abs(), if x < 0.0 { -1.0 } else { 1.0 }),
        Op::Call(Function::Log2, _) => (x.log2(), 1.0 / (x * std::f64::consts::LN_2)),
        Op::Call(Function::Log10, _) => (x.log10(), 1.0 / (x * std::f64::consts::LN_10)),
        Op::Call(Function::Acos, _) => (x.acos(), -1.0 / (1.0 - x * x).sqrt()),
        Op::Call(Function::Asin, _) => (x.asin(), 1.0 / (1.0 - x * x).sqrt()),
        Op::Call(Function::Atan, _) => (x.atan(), 1.0 / (1.0 + x * x)),
        _ => (f64::NAN, f64::NAN),
    }
}

impl Graph {
    /// An affine function of at most two operands that is at least the node (`over`) or at most the node everywhere in
    /// the boxes of its operands. `own` is the interval of the node; sums are not asked for.
    pub fn estimate(
        &self,
        i: usize,
        over: bool,
        mix: f64,
        point: f64,
        boxes: &[Interval],
        partial: &[bool],
    ) -> Estimate {
        let own = boxes[i];
        let end = Estimate::constant(if over { own.high } else { own.low });
        if own.width() <= 1e-12 * own.size() {
            return end;
        }
        let of = |id: Id| boxes[id as usize];
        let op = self.ops[i];
        match op {
            Op::Product(a, b) => envelope(a, b, of(a), of(b), over, mix).unwrap_or(end),
            Op::Min(a, b) if over => Estimate::mixed((a, b), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), mix),
            Op::Max(a, b) if !over => Estimate::mixed((a, b), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), mix),
            Op::Min(a, b) => hinge(a, b, of(a), of(b), true).unwrap_or(end),
            Op::Max(a, b) => hinge(a, b, of(a), of(b), false).unwrap_or(end),
            Op::And(a, b) if partial[b as usize] => {
                if over {
                    Estimate::line(a, 1.0, 0.0)
                } else {
                    end
                }
            }
            Op::Or(a, b) if partial[b as usize] => {
                if over {
                    end
                } else {
                    Estimate::line(a, 1.0, 0.0)
                }
            }
            Op::And(a, b) if over => Estimate::mixed((a, b), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), mix),
            Op::Or(a, b) if !over => Estimate::mixed((a, b), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), mix),
            Op::And(a, b) => Estimate { first: (a, 1.0), second: (b, 1.0), constant: -1.0, by_mix: (0.0, 0.0, 0.0) },
            Op::Or(a, b) => Estimate { first: (a, 1.0), second: (b, 1.0), constant: 0.0, by_mix: (0.0, 0.0, 0.0) },
            Op::If(c, a, b) => choice(c, of(c), of(a), of(b), a, b, over).unwrap_or(end),
            Op::AtMost(pair) => {
                let d = of(pair.difference);
                let most = slack(of(pair.left), of(pair.right));
                step(pair.difference, d, most, over, mix).unwrap_or(end)
            }
            Op::Call(Function::Floor, a) if own.width() > 2.0 => Estimate::line(a, 1.0, if over { 0.0 } else { -1.0 }),
            Op::Call(Function::Ceil, a) if own.width() > 2.0 => Estimate::line(a, 1.0, if over { 1.0 } else { 0.0 }),
            Op::Call(Function::Round, a) if own.width() > 2.0 => {
                Estimate::line(a, 1.0, if over { 0.5 + 1e-9 } else { -0.5 - 1e-9 })
            }
            _ => match bend(op, boxes) {
                Some((a, Bend::Convex)) if over => chord(op, a, of(a)).unwrap_or(end),
                Some((a, Bend::Concave)) if !over => chord(op, a, of(a)).unwrap_or(end),
                Some((a, Bend::Convex | Bend::Concave)) => tangent(op, a, of(a), point).unwrap_or(end),
                _ => end,
            },
        }
    }

    /// The operand at whose value a tangent of the node may touch it.
    pub fn touched(&self, i: usize) -> Option<Id> {
        match self.ops[i] {
            Op::Power(a, _) | Op::Exp(a) | Op::Decay(a) | Op::Log(a) | Op::Abs(a) | Op::Call(_, a) => Some(a),
            _ => None,
        }
    }
}

fn is_wide(x: Interval) -> bool {
    x.is_bounded() && x.width() > 1e-9 * (x.size() + 1e-12)
}

fn chord(op: Op, a: Id, x: Interval) -> Option<Estimate> {
    if !is_wide(x) {
        return None;
    }
    let (low, high) = (at(op, x.low).0, at(op, x.high).0);
    let slope = (high - low) / x.width();
    let constant = low - slope * x.low;
    (slope.is_finite() && constant.is_finite()).then(|| Estimate::line(a, slope, constant))
}

fn tangent(op: Op, a: Id, x: Interval, point: f64) -> Option<Estimate> {
    let mut t = point.max(x.low).min(x.high);
    if !t.is_finite() {
        t = if x.low.is_finite() { x.low } else { x.high };
    }
    let (mut value, mut slope) = at(op, t);
    if !slope.is_finite() {
        // The slope is infinite at an end of the domain.
        let step = 1e-3 * if x.is_bounded() { x.width() } else { 1.0 };
        t = if t - x.low < x.high - t { t + step } else { t - step };
        (value, slope) = at(op, t);
    }
    let constant = value - slope * t;
    (slope.is_finite() && constant.is_finite()).then(|| Estimate::line(a, slope, constant))
}

fn envelope(a: Id, b: Id, x: Interval, y: Interval, over: bool, mix: f64) -> Option<Estimate> {
    if !x.is_bounded() || !y.is_bounded() {
        return None;
    }
    let (one, two) = if over {
        ((y.low, x.high, -x.high * y.low), (y.high, x.low, -x.low * y.high))
    } else {
        ((y.low, x.low, -x.low * y.low), (y.high, x.high, -x.high * y.high))
    };
    let estimate = Estimate::mixed((a, b), one, two, mix);
    estimate.constant.is_finite().then_some(estimate)
}

/// The hard side of an extreme: `min(a, b) = a - max(0, a - b)` with the chord of the hinge, or the mirror image.
fn hinge(a: Id, b: Id, x: Interval, y: Interval, is_min: bool) -> Option<Estimate> {
    // The difference that the hinge cuts: a - b for a minimum, b - a for a maximum.
    let d = if is_min {
        Interval::new(x.low - y.high, x.high - y.low)
    } else {
        Interval::new(y.low - x.high, y.high - x.low)
    };
    if d.high <= 0.0 {
        return Some(Estimate::line(a, 1.0, 0.0));
    }
    if d.low >= 0.0 {
        return Some(Estimate::line(b, 1.0, 0.0));
    }
    if !is_wide(d) {
        return None;
    }
    let slope = d.high / d.width();
    // max(0, d) <= slope (d - low)
    Some(if is_min {
        Estimate { first: (a, 1.0 - slope), second: (b, slope), constant: slope * d.low, by_mix: (0.0, 0.0, 0.0) }
    } else {
        Estimate { first: (a, 1.0 - slope), second: (b, slope), constant: -slope * d.low, by_mix: (0.0, 0.0, 0.0) }
    })
}

/// A choice by its condition alone: linear between the extremes of the arms; the arm itself once it is certain.
fn choice(c: Id, condition: Interval, x: Interval, y: Interval, a: Id, b: Id, over: bool) -> Option<Estimate> {
    if condition.holds() {
        return Some(Estimate::line(a, 1.0, 0.0));
    }
    if condition.fails() {
        return Some(Estimate::line(b, 1.0, 0.0));
    }
    let (then, otherwise) = if over { (x.high, y.high) } else { (x.low, y.low) };
    // An arm without a value anywhere decides the condition.
    (then.is_finite() && otherwise.is_finite()).then(|| Estimate::line(c, then - otherwise, otherwise))
}

/// The truth value of `d <= 0`, which may also hold up to a difference of `most`.
fn step(d: Id, x: Interval, most: f64, over: bool, mix: f64) -> Option<Estimate> {
    if !x.is_bounded() || !most.is_finite() {
        return None;
    }
    if over {
        // 1 up to `most`, 0 at the upper end.
        let room = x.high - most;
        if room <= 1e-9 * x.size() {
            return None;
        }
        let slope = -1.0 / room;
        return Some(Estimate {
            first: (d, mix * slope),
            second: (0, 0.0),
            constant: 1.0 + mix * most / room,
            by_mix: (slope, 0.0, most / room),
        });
    }
    if x.low >= -1e-9 * x.size() {
        return None;
    }
    // 1 at the lower end, 0 at 0.
    Some(Estimate { first: (d, mix / x.low), second: (0, 0.0), constant: 0.0, by_mix: (1.0 / x.low, 0.0, 0.0) })
}

/// For each node whether it may lack a value somewhere in the boxes of its operands, by the boxes at the root.
pub fn partial(graph: &Graph, boxes: &[Interval]) -> Vec<bool> {
    let mut partial: Vec<bool> = Vec::with_capacity(graph.ops.len());
    for op in &graph.ops {
        let of = |id: Id| boxes[id as usize];
        let mut own = match *op {
            Op::Constant(x) => x.is_nan(),
            Op::Aggregate(j) => graph.aggregates[j as usize].tables.iter().any(|(_, t)| t.iter().any(|x| x.is_nan())),
            Op::Power(a, p) => !super::contract::is_total_power(of(a), p) || !of(a).is_bounded(),
            Op::Exp(a) => of(a).high.is_nan() || of(a).high > 700.0,
            Op::Decay(a) => !(of(a).low >= -700.0 && of(a).high <= 700.0),
            Op::Log(a) | Op::Call(Function::Log2 | Function::Log10, a) => of(a).low.is_nan() || of(a).low <= 0.0,
            Op::Call(Function::Acos | Function::Asin, a) => !(of(a).low >= -1.0 && of(a).high <= 1.0),
            Op::Call(Function::Tan, _) | Op::Opaque(..) => true,
            _ => false,
        };
        graph.children(*op, |id| own |= partial[id as usize]);
        partial.push(own);
    }
    partial
}
