//! Intervals that hold every value that a node can have where it has one.
//!
//! An interval is empty when the node has no value anywhere. Infinite ends stand for "arbitrarily large", never for
//! infinity itself. (Moore, *Interval Analysis*, 1966.)

use cardinal_models::formula::function::Function;
use cardinal_models::tolerance::TOLERANCE;

use super::graph::{EXP_LIMIT, Graph, Op, Opaque, Pair, finite, power};

/// A closed interval; empty when `low > high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// No value.
    pub const EMPTY: Interval = Interval { low: f64::INFINITY, high: f64::NEG_INFINITY };
    /// Any value.
    pub const ALL: Interval = Interval { low: f64::NEG_INFINITY, high: f64::INFINITY };
    /// A truth value that is open.
    pub const OPEN: Interval = Interval { low: 0.0, high: 1.0 };

    /// The interval between two ends.
    pub fn new(low: f64, high: f64) -> Self {
        Interval { low, high }
    }

    /// A single value; empty for NaN.
    pub fn point(x: f64) -> Self {
        if x.is_nan() { Interval::EMPTY } else { Interval::new(x, x) }
    }

    /// A truth value.
    pub fn truth(holds: bool) -> Self {
        Interval::point(if holds { 1.0 } else { 0.0 })
    }

    /// True when there is no value.
    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    /// High minus low.
    pub fn width(self) -> f64 {
        self.high - self.low
    }

    /// True when both ends are finite.
    pub fn is_bounded(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }

    /// True for a truth value that certainly holds.
    pub fn holds(self) -> bool {
        self.low > 0.5
    }

    /// True for a truth value that certainly does not hold.
    pub fn fails(self) -> bool {
        self.high < 0.5
    }

    /// The smallest interval around both.
    pub fn hull(self, other: Interval) -> Self {
        Interval::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// What lies in both.
    pub fn meet(self, other: Interval) -> Self {
        Interval::new(self.low.max(other.low), self.high.min(other.high))
    }

    /// The larger absolute value of the ends.
    pub fn size(self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// The sum of two.
    pub fn plus(self, other: Interval) -> Self {
        Interval::new(self.low + other.low, self.high + other.high)
    }

    /// A multiple.
    pub fn times(self, factor: f64) -> Self {
        let (a, b) = (product(self.low, factor), product(self.high, factor));
        Interval::new(a.min(b), a.max(b))
    }

    /// The values nearest to and farthest from 0, as absolute values.
    fn absolute(self) -> Self {
        if self.low >= 0.0 {
            self
        } else if self.high <= 0.0 {
            Interval::new(-self.high, -self.low)
        } else {
            Interval::new(0.0, self.size())
        }
    }
}

/// 0 times "arbitrarily large" is 0: the factor itself is finite wherever it has a value.
pub(crate) fn product(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

/// The product of two intervals.
pub(crate) fn multiply(a: Interval, b: Interval) -> Interval {
    let ends = [product(a.low, b.low), product(a.low, b.high), product(a.high, b.low), product(a.high, b.high)];
    Interval::new(ends[0].min(ends[1]).min(ends[2]).min(ends[3]), ends[0].max(ends[1]).max(ends[2]).max(ends[3]))
}

/// The range of a power with a constant exponent.
pub(crate) fn power_range(x: Interval, p: f64) -> Interval {
    let at = |v: f64, otherwise: f64| if power(v, p).is_nan() { otherwise } else { power(v, p) };
    if p.fract() != 0.0 {
        // Only numbers that are not negative have a value.
        let x = x.meet(Interval::new(0.0, f64::INFINITY));
        if x.is_empty() {
            return Interval::EMPTY;
        }
        return if p > 0.0 {
            Interval::new(at(x.low, 0.0), at(x.high, f64::INFINITY))
        } else {
            Interval::new(at(x.high, 0.0), at(x.low, f64::INFINITY))
        };
    }
    let is_even = p % 2.0 == 0.0;
    if p > 0.0 {
        if is_even {
            let size = x.absolute();
            return Interval::new(at(size.low, 0.0), at(size.high, f64::INFINITY));
        }
        return Interval::new(at(x.low, f64::NEG_INFINITY), at(x.high, f64::INFINITY));
    }
    if is_even {
        let size = x.absolute();
        return Interval::new(at(size.high, 0.0), at(size.low, f64::INFINITY));
    }
    match (x.low < 0.0, x.high > 0.0) {
        (true, true) => Interval::ALL,
        (false, true) => Interval::new(at(x.high, 0.0), at(x.low, f64::INFINITY)),
        (true, false) => Interval::new(at(x.high, f64::NEG_INFINITY), at(x.low, 0.0)),
        (false, false) => Interval::EMPTY,
    }
}

fn exp_range(x: Interval) -> Interval {
    if x.low > EXP_LIMIT {
        return Interval::EMPTY;
    }
    Interval::new(x.low.exp(), if x.high > EXP_LIMIT { f64::INFINITY } else { x.high.exp() })
}

fn log_range(x: Interval) -> Interval {
    if x.high <= 0.0 {
        return Interval::EMPTY;
    }
    let low = if x.low <= 0.0 { f64::NEG_INFINITY } else { x.low.ln() };
    Interval::new(low, if x.high == f64::INFINITY { x.high } else { x.high.ln() })
}

/// How far apart two sides of a comparison that holds may be at most.
pub(crate) fn slack(left: Interval, right: Interval) -> f64 {
    TOLERANCE * left.size().max(right.size()).max(1.0)
}

/// Between the smallest and the largest tolerance that may apply the comparison is left open: rounding decides it.
fn at_most(pair: Pair, boxes: &[Interval]) -> Interval {
    let (left, right) = (boxes[pair.left as usize], boxes[pair.right as usize]);
    let difference = boxes[pair.difference as usize];
    if left.is_empty() || right.is_empty() || difference.is_empty() {
        return Interval::EMPTY;
    }
    if difference.high <= 0.5 * TOLERANCE {
        return Interval::truth(true);
    }
    let slack = slack(left, right);
    if slack.is_finite() && difference.low > 2.0 * slack { Interval::truth(false) } else { Interval::OPEN }
}

fn equal(pair: Pair, boxes: &[Interval]) -> Interval {
    let (left, right) = (boxes[pair.left as usize], boxes[pair.right as usize]);
    let difference = boxes[pair.difference as usize];
    if left.is_empty() || right.is_empty() || difference.is_empty() {
        return Interval::EMPTY;
    }
    let slack = 2.0 * slack(left, right);
    if slack.is_finite() && (difference.low > slack || difference.high < -slack) {
        return Interval::truth(false);
    }
    if difference.size() <= 0.5 * TOLERANCE { Interval::truth(true) } else { Interval::OPEN }
}

/// The range of a function of one number.
fn call_range(function: Function, x: Interval) -> Interval {
    let at = |v: f64| function.apply(&[v]).map_or(f64::NAN, finite);
    let rising = |x: Interval| {
        let low = if x.low.is_finite() { at(x.low) } else { f64::NEG_INFINITY };
        let high = if x.high.is_finite() { at(x.high) } else { f64::INFINITY };
        Interval::new(low, high)
    };
    match function {
        Function::Floor | Function::Ceil | Function::Round | Function::Sign => {
            // The order of summation may put a value on the other side of a step.
            let margin = 1e-12 * if x.is_bounded() { x.size() } else { 0.0 };
            let range = rising(Interval::new(x.low - margin, x.high + margin));
            if function == Function::Sign { range.meet(Interval::new(-1.0, 1.0)) } else { range }
        }
        Function::Log10 | Function::Log2 => {
            if x.high <= 0.0 {
                return Interval::EMPTY;
            }
            let log = |v: f64| if function == Function::Log2 { v.log2() } else { v.log10() };
            Interval::new(if x.low <= 0.0 { f64::NEG_INFINITY } else { log(x.low) }, log(x.high))
        }
        Function::Atan => Interval::new(x.low.atan(), x.high.atan()),
        Function::Asin | Function::Acos => {
            let x = x.meet(Interval::new(-1.0, 1.0));
            if x.is_empty() {
                return Interval::EMPTY;
            }
            let (a, b) = (at(x.low), at(x.high));
            Interval::new(a.min(b), a.max(b))
        }
        Function::Sin => {
            cosine_range(Interval::new(x.low - std::f64::consts::FRAC_PI_2, x.high - std::f64::consts::FRAC_PI_2))
        }
        Function::Cos => cosine_range(x),
        Function::Tan => {
            let branch = |v: f64| ((v + std::f64::consts::FRAC_PI_2) / std::f64::consts::PI).floor();
            if x.is_bounded() && x.size() < 1e6 && branch(x.low - 1e-9) == branch(x.high + 1e-9) {
                rising(x)
            } else {
                Interval::ALL
            }
        }
        _ => Interval::ALL,
    }
}

/// The range of the cosine, a little widened: whether an extreme lies inside is decided with rounding.
fn cosine_range(x: Interval) -> Interval {
    if !x.is_bounded() || x.width() >= std::f64::consts::TAU || x.size() > 1e6 {
        return Interval::new(-1.0, 1.0);
    }
    // Multiples of pi inside: even ones are maxima, odd ones minima.
    let (first, last) = ((x.low / std::f64::consts::PI - 1e-9).ceil(), (x.high / std::f64::consts::PI + 1e-9).floor());
    let (a, b) = (x.low.cos(), x.high.cos());
    let mut range = Interval::new(a.min(b) - 1e-15, a.max(b) + 1e-15);
    let mut k = first;
    while k <= last && k < first + 3.0 {
        if k.rem_euclid(2.0) == 0.0 {
            range.high = 1.0
        } else {
            range.low = -1.0
        }
        k += 1.0;
    }
    range.meet(Interval::new(-1.0, 1.0))
}

/// The range of a function of several numbers.
fn opaque_range(function: Opaque, args: &[Interval]) -> Interval {
    if args.iter().any(|x| x.is_empty()) {
        return Interval::EMPTY;
    }
    if args.iter().all(|x| x.low == x.high) {
        let mut point = [0.0; 4];
        let point = &mut point[..args.len().min(4)];
        point.iter_mut().zip(args).for_each(|(p, x)| *p = x.low);
        return Interval::point(function.apply(point));
    }
    match (function, args) {
        (Opaque::Power, [a, b]) => {
            if a.low < 0.0 || !a.is_bounded() || !b.is_bounded() || (a.low == 0.0 && b.low <= 0.0) {
                return if a.low >= 0.0 { Interval::new(0.0, f64::INFINITY) } else { Interval::ALL };
            }
            // Monotone in each operand, so the extremes are at corners.
            let corners = [(a.low, b.low), (a.low, b.high), (a.high, b.low), (a.high, b.high)];
            corners.iter().map(|(a, b)| a.powf(*b)).fold(Interval::EMPTY, |range, x| range.hull(Interval::new(x, x)))
        }
        (Opaque::Remainder, [a, b]) => {
            let most = b.size().min(a.size());
            Interval::new(if a.low < 0.0 { -most } else { 0.0 }, if a.high > 0.0 { most } else { 0.0 })
        }
        // max(low, min(x, high))
        (Opaque::Call(Function::Clamp), [x, low, high]) => {
            Interval::new(low.low.max(x.low.min(high.low)), low.high.max(x.high.min(high.high)).min(high.high))
        }
        (Opaque::Call(function @ (Function::ErlangB | Function::ErlangC)), [servers, load]) => {
            queueing(function, Interval::new(0.0, 1.0), [*load, Interval::point(0.0), *servers], |l, _, c| vec![c, l])
        }
        (
            Opaque::Call(function @ (Function::MmcResponseTime | Function::MmcWaitingTime)),
            [arrivals, service, servers],
        ) => queueing(function, Interval::new(0.0, f64::INFINITY), [*arrivals, *service, *servers], |l, m, c| {
            vec![l, m, c]
        }),
        _ => Interval::ALL,
    }
}

/// Queueing functions rise with the arrivals and fall with the service rate and the servers. Where the corner of most
/// load has no value the range is that of the function; where that of least load has none, nothing has.
fn queueing(
    function: Function,
    whole: Interval,
    [arrivals, service, servers]: [Interval; 3],
    order: impl Fn(f64, f64, f64) -> Vec<f64>,
) -> Interval {
    // Numbers of servers are whole within a tolerance.
    let servers = Interval::new((servers.low - 1e-3).ceil().max(0.0), (servers.high + 1e-3).floor());
    let arrivals = arrivals.meet(Interval::new(0.0, f64::INFINITY));
    if servers.is_empty() || arrivals.is_empty() {
        return Interval::EMPTY;
    }
    let at = |l: f64, m: f64, c: f64| {
        let args = order(l, m, c);
        if args.iter().all(|x| x.is_finite()) { function.apply(&args).ok() } else { None }
    };
    let margin = |x: f64| 1e-12 * x.abs();
    let is_bounded = arrivals.low.is_finite() && service.high.is_finite() && servers.high.is_finite();
    if is_bounded && at(arrivals.low * (1.0 - 1e-9), service.high, servers.high).is_none() {
        return Interval::EMPTY;
    }
    let low = at(arrivals.low, service.high, servers.high).map_or(whole.low, |x| x - margin(x));
    let high = at(arrivals.high, service.low, servers.low).map_or(whole.high, |x| x + margin(x));
    Interval::new(low.max(whole.low), high.min(whole.high))
}

impl Graph {
    /// The interval of a node from those of its operands; `sums` are those of the aggregates.
    pub fn forward(&self, op: Op, sums: &[Interval], boxes: &[Interval]) -> Interval {
        let of = |id: u32| boxes[id as usize];
        let strict = |ids: &[u32], f: &dyn Fn() -> Interval| {
            if ids.iter().any(|id| of(*id).is_empty()) { Interval::EMPTY } else { f() }
        };
        match op {
            Op::Constant(x) => Interval::point(x),
            Op::Aggregate(j) => sums[j as usize],
            Op::Linear(constant, first, count) => {
                let mut sum = Interval::point(constant);
                for (coefficient, id) in self.operands(first, count) {
                    if of(*id).is_empty() {
                        return Interval::EMPTY;
                    }
                    sum = sum.plus(of(*id).times(*coefficient));
                }
                sum
            }
            Op::Product(a, b) => strict(&[a, b], &|| multiply(of(a), of(b))),
            Op::Power(a, p) => strict(&[a], &|| power_range(of(a), p)),
            Op::Exp(a) => strict(&[a], &|| exp_range(of(a))),
            Op::Decay(a) => strict(&[a], &|| {
                if of(a).high < -EXP_LIMIT { Interval::EMPTY } else { exp_range(of(a)) }
            }),
            Op::Log(a) => strict(&[a], &|| log_range(of(a))),
            Op::Abs(a) => strict(&[a], &|| of(a).absolute()),
            Op::Min(a, b) => strict(&[a, b], &|| Interval::new(of(a).low.min(of(b).low), of(a).high.min(of(b).high))),
            Op::Max(a, b) => strict(&[a, b], &|| Interval::new(of(a).low.max(of(b).low), of(a).high.max(of(b).high))),
            Op::And(a, b) => self.either(of(a), Interval::truth(false), of(b), false),
            Op::Or(a, b) => self.either(of(a), Interval::truth(true), of(b), true),
            Op::If(c, a, b) => match of(c) {
                c if c.is_empty() => Interval::EMPTY,
                c if c.holds() => of(a),
                c if c.fails() => of(b),
                _ => of(a).hull(of(b)),
            },
            Op::AtMost(pair) => at_most(pair, boxes),
            Op::Equal(pair) => equal(pair, boxes),
            Op::Call(function, a) => strict(&[a], &|| call_range(function, of(a))),
            Op::Opaque(function, first, count) => {
                let mut args = [Interval::EMPTY; 4];
                let operands = self.operands(first, count);
                let args = &mut args[..operands.len().min(4)];
                args.iter_mut().zip(operands).for_each(|(x, (_, id))| *x = of(*id));
                opaque_range(function, args)
            }
        }
    }

    /// `and` and `or`: decided by the first operand, else the second.
    fn either(&self, first: Interval, decided: Interval, second: Interval, by: bool) -> Interval {
        if first.is_empty() {
            return Interval::EMPTY;
        }
        let always = if by { first.holds() } else { first.fails() };
        let never = if by { first.fails() } else { first.holds() };
        match (always, never) {
            (true, _) => decided,
            (_, true) => second,
            _ => decided.hull(second),
        }
    }
}
