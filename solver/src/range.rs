//! Interval arithmetic over terms: between which values a term lies on every placement, whether it can be undefined
//! anywhere, and whether it rises or falls with an attribute. (Moore, Interval Analysis, 1966.)

use cardinal_models::application::ComponentId;
use cardinal_models::formula::expr::{Aggregate, BinaryOp};
use cardinal_models::formula::function::Function;

use crate::term::{Slot, Term};

/// A closed interval that holds every value of a term, and whether the term is defined on every placement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// No value is below.
    pub low: f64,
    /// No value is above.
    pub high: f64,
    /// False when the term may be undefined somewhere.
    pub defined: bool,
}

impl Range {
    /// Nothing is known.
    pub const UNKNOWN: Range = Range { low: f64::NEG_INFINITY, high: f64::INFINITY, defined: false };

    /// A defined range.
    pub fn new(low: f64, high: f64) -> Self {
        Range { low, high, defined: true }
    }

    fn with(self, others: &[Range]) -> Self {
        Range { defined: self.defined && others.iter().all(|o| o.defined), ..self }
    }

    /// True when every value is at least 0.
    pub fn is_nonnegative(&self) -> bool {
        self.low >= 0.0
    }

    /// True when every value is above 0.
    pub fn is_positive(&self) -> bool {
        self.low > 0.0
    }

    /// True when every value is below 0.
    pub fn is_negative(&self) -> bool {
        self.high < 0.0
    }

    /// True for a single value.
    pub fn is_point(&self) -> bool {
        self.low == self.high
    }
}

/// The ranges of the leaves of terms.
pub trait Leaves {
    /// The range of an attribute, a cardinality, a cost, a node count or an aggregate.
    fn range(&self, leaf: &Term) -> Range;
}

/// 0 * inf is 0 for bounds: an infinite bound stands for "arbitrarily large", never for infinity itself.
fn product(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 { 0.0 } else { a * b }
}

fn multiply(a: Range, b: Range) -> Range {
    let ends = [product(a.low, b.low), product(a.low, b.high), product(a.high, b.low), product(a.high, b.high)];
    Range::new(
        ends.iter().copied().fold(f64::INFINITY, f64::min),
        ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    )
}

fn reciprocal(a: Range) -> Range {
    if a.low > 0.0 || a.high < 0.0 {
        Range::new(1.0 / a.high, 1.0 / a.low)
    } else if a.low == 0.0 {
        Range { low: if a.high > 0.0 { 1.0 / a.high } else { f64::NEG_INFINITY }, high: f64::INFINITY, defined: false }
    } else if a.high == 0.0 {
        Range { low: f64::NEG_INFINITY, high: 1.0 / a.low, defined: false }
    } else {
        Range::UNKNOWN
    }
}

fn comparison(op: BinaryOp, a: Range, b: Range) -> Range {
    let (always, never) = match op {
        BinaryOp::LessEqual | BinaryOp::Less => (a.high < b.low, a.low > b.high),
        BinaryOp::GreaterEqual | BinaryOp::Greater => (a.low > b.high, a.high < b.low),
        BinaryOp::Equal => (false, a.high < b.low || a.low > b.high),
        BinaryOp::NotEqual => (a.high < b.low || a.low > b.high, false),
        _ => (false, false),
    };
    // Ends that touch are left open here: the tolerance decides them, not the interval.
    let margin = |x: f64, y: f64| (x - y).abs() > 1e-6 * x.abs().max(y.abs()).max(1.0);
    let clear = margin(a.high, b.low) && margin(a.low, b.high);
    match (always && clear, never && clear) {
        (true, _) => Range::new(1.0, 1.0),
        (_, true) => Range::new(0.0, 0.0),
        _ => Range::new(0.0, 1.0),
    }
}

/// The range of a term.
pub fn range(term: &Term, leaves: &impl Leaves) -> Range {
    match term {
        Term::Constant(x) => Range::new(*x, *x),
        Term::Attribute(..)
        | Term::Cardinality(_)
        | Term::Cost(_)
        | Term::Paid(_)
        | Term::Nodes(_)
        | Term::Fleet(_) => leaves.range(term),
        Term::Negate(x) => {
            let x = range(x, leaves);
            Range { low: -x.high, high: -x.low, ..x }
        }
        Term::Not(x) => Range::new(0.0, 1.0).with(&[range(x, leaves)]),
        Term::Binary(op, a, b) => {
            let (a, b) = (range(a, leaves), range(b, leaves));
            let result = match op {
                BinaryOp::Add => Range::new(a.low + b.low, a.high + b.high),
                BinaryOp::Subtract => Range::new(a.low - b.high, a.high - b.low),
                BinaryOp::Multiply => multiply(a, b),
                BinaryOp::Divide => {
                    let inverse = reciprocal(b);
                    multiply(a, inverse).with(&[inverse])
                }
                BinaryOp::Power => power(a, b),
                BinaryOp::Remainder => Range::UNKNOWN,
                op if op.is_comparison() => comparison(*op, a, b),
                _ => Range::new(0.0, 1.0),
            };
            result.with(&[a, b])
        }
        Term::If(c, a, b) => {
            let (c, a, b) = (range(c, leaves), range(a, leaves), range(b, leaves));
            Range::new(a.low.min(b.low), a.high.max(b.high)).with(&[a, b, c])
        }
        Term::Call(function, args) => {
            let args: Vec<Range> = args.iter().map(|a| range(a, leaves)).collect();
            call(*function, &args).with(&args)
        }
    }
}

fn power(a: Range, b: Range) -> Range {
    if !b.is_point() {
        return if a.low >= 1.0 && b.low >= 0.0 {
            Range::new(a.low.powf(b.low), a.high.powf(b.high))
        } else {
            Range::UNKNOWN
        };
    }
    let n = b.low;
    if a.is_nonnegative() && n >= 0.0 {
        return Range::new(a.low.powf(n), a.high.powf(n));
    }
    if a.is_positive() {
        return Range::new(a.high.powf(n), a.low.powf(n));
    }
    if n.fract() != 0.0 || n < 0.0 {
        return Range::UNKNOWN;
    }
    let (low, high) = (a.low.powf(n), a.high.powf(n));
    if n % 2.0 == 0.0 {
        let smallest = if a.low <= 0.0 && a.high >= 0.0 { 0.0 } else { low.min(high) };
        Range::new(smallest, low.max(high))
    } else {
        Range::new(low, high)
    }
}

fn rising(x: Range, f: impl Fn(f64) -> f64) -> Range {
    Range::new(f(x.low), f(x.high))
}

fn call(function: Function, args: &[Range]) -> Range {
    let Some(x) = args.first().copied() else { return Range::UNKNOWN };
    let fold = |f: fn(f64, f64) -> f64| {
        let low = args.iter().map(|a| a.low).reduce(f).unwrap_or(f64::NEG_INFINITY);
        let high = args.iter().map(|a| a.high).reduce(f).unwrap_or(f64::INFINITY);
        Range::new(low, high)
    };
    match function {
        Function::Abs => {
            let high = x.low.abs().max(x.high.abs());
            let low = if x.low <= 0.0 && x.high >= 0.0 { 0.0 } else { x.low.abs().min(x.high.abs()) };
            Range::new(low, high)
        }
        Function::Sqrt if x.is_nonnegative() => rising(x, f64::sqrt),
        Function::Exp => Range { defined: x.high < 700.0, ..rising(x, f64::exp) },
        Function::Ln if x.is_positive() => rising(x, f64::ln),
        Function::Log10 if x.is_positive() => rising(x, f64::log10),
        Function::Log2 if x.is_positive() => rising(x, f64::log2),
        Function::Sin | Function::Cos => Range::new(-1.0, 1.0),
        Function::Atan => rising(x, f64::atan),
        Function::Radians => rising(x, f64::to_radians),
        Function::Degrees => rising(x, f64::to_degrees),
        Function::Floor => rising(x, f64::floor),
        Function::Ceil => rising(x, f64::ceil),
        Function::Round => rising(x, f64::round),
        Function::Sign => Range::new(-1.0, 1.0),
        Function::Min => fold(f64::min),
        Function::Max => fold(f64::max),
        Function::Sum => fold(|a, b| a + b),
        Function::Mean => {
            let n = args.len() as f64;
            let sum = fold(|a, b| a + b);
            Range::new(sum.low / n, sum.high / n)
        }
        Function::Number => x,
        Function::ErlangB | Function::ErlangC => Range { low: 0.0, high: 1.0, defined: false },
        Function::MmcResponseTime | Function::MmcWaitingTime => Range { low: 0.0, high: f64::INFINITY, defined: false },
        _ => Range::UNKNOWN,
    }
}

/// How a term moves when an attribute of a component grows and everything else stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trend {
    /// It does not move.
    Constant,
    /// It does not fall.
    Rising,
    /// It does not rise.
    Falling,
    /// It may do either, or become undefined.
    Unknown,
}

impl Trend {
    /// The trend of the negative.
    pub fn flip(self) -> Self {
        match self {
            Trend::Rising => Trend::Falling,
            Trend::Falling => Trend::Rising,
            other => other,
        }
    }

    /// The trend of a sum.
    pub fn and(self, other: Trend) -> Trend {
        match (self, other) {
            (Trend::Constant, t) | (t, Trend::Constant) => t,
            (a, b) if a == b => a,
            _ => Trend::Unknown,
        }
    }

    /// The trend of a product with a factor of this range.
    fn scaled(self, factor: Range) -> Trend {
        match self {
            Trend::Constant => Trend::Constant,
            _ if factor.is_nonnegative() => self,
            _ if factor.high <= 0.0 => self.flip(),
            _ => Trend::Unknown,
        }
    }
}

/// What grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// An attribute of the offer of a component.
    Attribute(ComponentId, Slot),
    /// The price of the offer of a component, with its slot when a formula looks at it; it also moves the cost.
    Price(ComponentId, Option<Slot>),
    /// The price of shared nodes.
    PoolPrice,
    /// What is paid after commitments, which a cover that is not the best would raise.
    Paid,
}

impl Mover {
    fn moves_attribute(self, component: ComponentId, slot: Slot) -> bool {
        self == Mover::Attribute(component, slot) || self == Mover::Price(component, Some(slot))
    }

    fn moves_cost(self, of: Option<ComponentId>) -> bool {
        match (self, of) {
            (Mover::Price(component, _), Some(of)) => component == of,
            (Mover::PoolPrice, None) => true,
            _ => false,
        }
    }
}

/// How a term moves with an attribute. A term that may lose its value while the attribute moves has an unknown trend: an
/// offer must not be dropped in favour of one on which the objective has no value. What lacks a value whatever the
/// attribute is does not matter: such a placement is out with either offer.
pub fn trend(term: &Term, mover: Mover, leaves: &impl Leaves) -> Trend {
    let moved = movement(term, mover, leaves);
    if moved.defined { moved.trend } else { Trend::Unknown }
}

/// How a term moves.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Movement {
    /// Which way, where it has a value.
    trend: Trend,
    /// True when it does not lose its value on the way.
    defined: bool,
}

impl Movement {
    /// It does not move.
    const NONE: Movement = Movement { trend: Trend::Constant, defined: true };

    fn new(trend: Trend, defined: bool) -> Self {
        Movement { trend, defined: defined || trend == Trend::Constant }
    }
}

/// How a term moves where it is defined. Ranges are asked for only where a sign or a hole in a domain decides: a long
/// sum is followed in one pass.
fn movement(term: &Term, mover: Mover, leaves: &impl Leaves) -> Movement {
    let of = |t: &Term| movement(t, mover, leaves);
    match term {
        Term::Constant(_) | Term::Cardinality(_) | Term::Nodes(_) => Movement::NONE,
        Term::Attribute(c, slot) if mover.moves_attribute(*c, *slot) => {
            Movement::new(Trend::Rising, leaves.range(term).defined)
        }
        // Of offers that the same commitments cover, a cheaper one never makes the bill larger.
        Term::Paid(parts) if mover == Mover::Paid || parts.iter().any(|part| mover.moves_cost(*part)) => {
            Movement::new(Trend::Rising, leaves.range(term).defined)
        }
        Term::Cost(c) if mover.moves_cost(*c) => Movement::new(Trend::Rising, leaves.range(term).defined),
        Term::Attribute(..) | Term::Cost(_) | Term::Paid(_) => Movement::NONE,
        Term::Fleet(fleet) => {
            let sees = fleet.filter.as_ref().is_some_and(|f| of(f).trend != Trend::Constant);
            let trend = if sees { Trend::Unknown } else { of(&fleet.body).trend };
            Movement::new(trend, leaves.range(term).defined)
        }
        Term::Negate(x) | Term::Not(x) => {
            let x = of(x);
            Movement { trend: x.trend.flip(), ..x }
        }
        Term::Binary(op, a, b) => {
            let (x, y) = (of(a), of(b));
            if x.trend == Trend::Constant && y.trend == Trend::Constant {
                return Movement::NONE;
            }
            match op {
                // What decides alone keeps the other side from being looked at: both must have a value.
                BinaryOp::And | BinaryOp::Or | BinaryOp::Implies => {
                    let first = if *op == BinaryOp::Implies { x.trend.flip() } else { x.trend };
                    Movement::new(first.and(y.trend), range(term, leaves).defined)
                }
                _ => {
                    let (trend, defined) = operation(*op, [x.trend, y.trend], [a, b], leaves);
                    Movement::new(trend, x.defined && y.defined && defined)
                }
            }
        }
        Term::If(c, a, b) => {
            let trend = if of(c).trend == Trend::Constant { of(a).trend.and(of(b).trend) } else { Trend::Unknown };
            if trend == Trend::Constant { Movement::NONE } else { Movement::new(trend, range(term, leaves).defined) }
        }
        Term::Call(function, args) => {
            let moved: Vec<Movement> = args.iter().map(of).collect();
            if moved.iter().all(|m| m.trend == Trend::Constant) {
                return Movement::NONE;
            }
            let ranges: Vec<Range> = args.iter().map(|a| range(a, leaves)).collect();
            let trend = if rises(*function) {
                moved.iter().map(|m| m.trend).fold(Trend::Constant, Trend::and)
            } else {
                Trend::Unknown
            };
            Movement::new(trend, moved.iter().all(|m| m.defined) && call(*function, &ranges).defined)
        }
    }
}

/// How an operator on two numbers moves, and whether it has a value wherever both sides have one.
fn operation(op: BinaryOp, [ta, tb]: [Trend; 2], [a, b]: [&Term; 2], leaves: &impl Leaves) -> (Trend, bool) {
    match op {
        BinaryOp::Add => return (ta.and(tb), true),
        BinaryOp::Subtract | BinaryOp::GreaterEqual | BinaryOp::Greater => return (ta.and(tb.flip()), true),
        BinaryOp::LessEqual | BinaryOp::Less => return (ta.flip().and(tb), true),
        _ => {}
    }
    let (ra, rb) = (range(a, leaves), range(b, leaves));
    match op {
        BinaryOp::Multiply => (ta.scaled(rb).and(tb.scaled(ra)), true),
        // a/b: the reciprocal of b falls with b on either side of 0.
        BinaryOp::Divide if rb.is_positive() || rb.is_negative() => (ta.scaled(rb).and(tb.flip().scaled(ra)), true),
        BinaryOp::Power if tb == Trend::Constant && rb.is_point() && ra.is_nonnegative() => {
            let trend = if rb.low >= 0.0 {
                ta
            } else if ra.is_positive() {
                ta.flip()
            } else {
                Trend::Unknown
            };
            (trend, power(ra, rb).defined)
        }
        _ => (Trend::Unknown, false),
    }
}

/// True for functions that do not fall with any of their arguments.
fn rises(function: Function) -> bool {
    matches!(
        function,
        Function::Sqrt
            | Function::Exp
            | Function::Ln
            | Function::Log10
            | Function::Log2
            | Function::Atan
            | Function::Radians
            | Function::Degrees
            | Function::Floor
            | Function::Ceil
            | Function::Round
            | Function::Sign
            | Function::Number
            | Function::Min
            | Function::Max
            | Function::Sum
            | Function::Mean
    )
}

/// The range of an aggregate over between `low` and `high` nodes whose values lie in `body`, of those that satisfy the
/// filter.
pub fn fleet_range(aggregate: Aggregate, body: Range, filter: Option<Range>, low: f64, high: f64) -> Range {
    let filtered = filter.is_some();
    let told = filter.is_none_or(|f| f.defined);
    let range = match aggregate {
        Aggregate::Sum => {
            let least = if filtered { 0.0 } else { low };
            let ends = multiply(body, Range::new(least, high));
            Range { defined: body.defined, ..ends }
        }
        Aggregate::Count => Range::new(if filtered { 0.0 } else { low }, high),
        _ => Range { defined: body.defined && !filtered && low > 0.0, ..body },
    };
    Range { defined: range.defined && told, ..range }
}
