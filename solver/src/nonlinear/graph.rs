//! Expressions as a directed acyclic graph in which equal sub-expressions are one node.
//!
//! Nodes stand after everything that they depend on, so that one pass upwards evaluates and one pass downwards
//! propagates. NaN is "no value here", as in [`crate::term`].

use std::rc::Rc;

use cardinal_models::formula::function::Function;
use cardinal_models::tolerance;
use rustc_hash::FxHashMap;

use crate::decimal::divisor;

/// Number of a node in its graph.
pub type Id = u32;

/// `exp(x)` is too large for a number above this.
pub(crate) const EXP_LIMIT: f64 = 709.782_712_893_384;

/// What a node computes from its operands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// A number.
    Constant(f64),
    /// The sum of one table entry for each group: an index into [`Graph::aggregates`].
    Aggregate(u32),
    /// A constant plus a run of [`Graph::terms`]: first and number.
    Linear(f64, u32, u32),
    /// `a * b`
    Product(Id, Id),
    /// `a ^ p` with a constant exponent other than 0 and 1; -1 is the reciprocal.
    Power(Id, f64),
    /// `exp(a)`
    Exp(Id),
    /// `1 / exp(-a)`: like `exp(a)`, without a value where `exp(-a)` has none.
    Decay(Id),
    /// `ln(a)`
    Log(Id),
    /// `abs(a)`
    Abs(Id),
    /// The smaller of two.
    Min(Id, Id),
    /// The larger of two.
    Max(Id, Id),
    /// Both hold; the second is not looked at where the first does not.
    And(Id, Id),
    /// One of two holds; the second is not looked at where the first does.
    Or(Id, Id),
    /// The second where the first holds, else the third; the other one is not looked at.
    If(Id, Id, Id),
    /// `left <= right` within the tolerance, with the difference `left - right` as a node of its own.
    AtMost(Pair),
    /// `left = right` within the tolerance.
    Equal(Pair),
    /// A function of one number.
    Call(Function, Id),
    /// A function of several numbers, or a power or remainder: its operands are a run of [`Graph::terms`].
    Opaque(Opaque, u32, u32),
}

/// Two sides of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// `left - right`, which is what bounds are computed from.
    pub difference: Id,
    /// The left side.
    pub left: Id,
    /// The right side.
    pub right: Id,
}

/// Functions of several numbers that are bounded by their values at the corners of a box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opaque {
    /// `a ^ b`
    Power,
    /// `a % b`
    Remainder,
    /// A function.
    Call(Function),
}

/// A sum of tables.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// By group, ascending.
    pub tables: Vec<(usize, Rc<[f64]>)>,
    /// Every value is a multiple of this; 0 when no such step is known.
    pub step: f64,
}

/// The graph of a problem.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The nodes.
    pub ops: Vec<Op>,
    /// Coefficients and operands of nodes with several.
    pub terms: Vec<(f64, Id)>,
    /// The sums of tables.
    pub aggregates: Vec<Aggregate>,
    known: FxHashMap<Vec<u64>, Id>,
}

impl Graph {
    /// The operands of a node with several.
    pub fn operands(&self, first: u32, count: u32) -> &[(f64, Id)] {
        &self.terms[first as usize..(first + count) as usize]
    }

    /// Calls `visit` on each operand of a node.
    pub fn children(&self, op: Op, mut visit: impl FnMut(Id)) {
        match op {
            Op::Constant(_) | Op::Aggregate(_) => {}
            Op::Linear(_, first, count) | Op::Opaque(_, first, count) => {
                self.operands(first, count).iter().for_each(|(_, id)| visit(*id));
            }
            Op::Power(a, _) | Op::Exp(a) | Op::Decay(a) | Op::Log(a) | Op::Abs(a) | Op::Call(_, a) => visit(a),
            Op::Product(a, b) | Op::Min(a, b) | Op::Max(a, b) | Op::And(a, b) | Op::Or(a, b) => {
                visit(a);
                visit(b);
            }
            Op::If(c, a, b) => {
                visit(c);
                visit(a);
                visit(b);
            }
            Op::AtMost(pair) | Op::Equal(pair) => {
                visit(pair.difference);
                visit(pair.left);
                visit(pair.right);
            }
        }
    }

    /// True for a node that is a truth value by its form: logic over comparisons, or the difference of two such.
    pub fn is_truth(&self, id: Id) -> bool {
        match self.ops[id as usize] {
            Op::AtMost(_) | Op::Equal(_) | Op::And(..) | Op::Or(..) => true,
            Op::Abs(a) => match self.ops[a as usize] {
                Op::Linear(_, first, count) => self.operands(first, count).iter().any(|(_, x)| self.is_truth(*x)),
                _ => false,
            },
            Op::Linear(_, first, count) => self.operands(first, count).iter().all(|(_, x)| self.is_truth(*x)),
            _ => false,
        }
    }

    /// The node of an operator without a run of operands.
    pub fn node(&mut self, op: Op) -> Id {
        let key = key(op, &[]);
        self.intern(key, |_| op)
    }

    /// The node of a linear combination; operands ascend and do not repeat.
    pub fn linear(&mut self, constant: f64, terms: &[(f64, Id)]) -> Id {
        if let [(1.0, id)] = terms
            && constant == 0.0
        {
            return *id;
        }
        if terms.is_empty() {
            return self.node(Op::Constant(constant));
        }
        let key = key(Op::Linear(constant, 0, 0), terms);
        let terms = terms.to_vec();
        self.intern(key, |graph| {
            let (first, count) = graph.run(&terms);
            Op::Linear(constant, first, count)
        })
    }

    /// The node of a function of several operands.
    pub fn opaque(&mut self, function: Opaque, operands: &[Id]) -> Id {
        let terms: Vec<(f64, Id)> = operands.iter().map(|id| (1.0, *id)).collect();
        let key = key(Op::Opaque(function, 0, 0), &terms);
        self.intern(key, |graph| {
            let (first, count) = graph.run(&terms);
            Op::Opaque(function, first, count)
        })
    }

    fn run(&mut self, terms: &[(f64, Id)]) -> (u32, u32) {
        let first = self.terms.len() as u32;
        self.terms.extend_from_slice(terms);
        (first, terms.len() as u32)
    }

    fn intern(&mut self, key: Vec<u64>, make: impl FnOnce(&mut Self) -> Op) -> Id {
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let op = make(self);
        let id = self.ops.len() as Id;
        self.ops.push(op);
        self.known.insert(key, id);
        id
    }

    /// A sum of tables as a factor and a node: tables that are multiples of known ones share their node.
    pub fn aggregate(&mut self, tables: &[(usize, Rc<Vec<f64>>)]) -> (f64, Id) {
        for (index, known) in self.aggregates.iter().enumerate() {
            if let Some(factor) = multiple(&known.tables, tables) {
                let id = self.known[&key(Op::Aggregate(index as u32), &[])];
                return (factor, id);
            }
        }
        let step = step(tables);
        let tables = tables.iter().map(|(group, table)| (*group, Rc::from(table.as_slice()))).collect();
        self.aggregates.push(Aggregate { tables, step });
        (1.0, self.node(Op::Aggregate(self.aggregates.len() as u32 - 1)))
    }

    /// The value of every node from those of the aggregates.
    pub fn evaluate(&self, sums: &[f64], values: &mut [f64]) {
        for (i, op) in self.ops.iter().enumerate() {
            let v = |id: Id| values[id as usize];
            values[i] = match *op {
                Op::Constant(x) => x,
                Op::Aggregate(j) => sums[j as usize],
                Op::Linear(constant, first, count) => {
                    finite(self.operands(first, count).iter().fold(constant, |sum, (c, id)| sum + c * v(*id)))
                }
                Op::Product(a, b) => finite(v(a) * v(b)),
                Op::Power(a, p) => power(v(a), p),
                Op::Exp(a) => finite(v(a).exp()),
                Op::Decay(a) if v(a) < -EXP_LIMIT => f64::NAN,
                Op::Decay(a) => finite(v(a).exp()),
                Op::Log(a) => finite(v(a).ln()),
                Op::Abs(a) => v(a).abs(),
                Op::Min(a, b) | Op::Max(a, b) if v(a).is_nan() || v(b).is_nan() => f64::NAN,
                Op::Min(a, b) => v(a).min(v(b)),
                Op::Max(a, b) => v(a).max(v(b)),
                Op::And(a, b) => match v(a) {
                    x if x.is_nan() => x,
                    0.0 => 0.0,
                    _ => v(b),
                },
                Op::Or(a, b) => match v(a) {
                    0.0 => v(b),
                    x => x,
                },
                Op::If(c, a, b) => match v(c) {
                    x if x.is_nan() => x,
                    0.0 => v(b),
                    _ => v(a),
                },
                Op::AtMost(pair) => compare(v(pair.difference), v(pair.left), v(pair.right), tolerance::at_most),
                Op::Equal(pair) => compare(v(pair.difference), v(pair.left), v(pair.right), tolerance::equal),
                Op::Call(function, a) => function.apply(&[v(a)]).map_or(f64::NAN, finite),
                Op::Opaque(function, first, count) => {
                    let mut args = [0.0; 4];
                    let operands = self.operands(first, count);
                    let args = &mut args[..operands.len().min(4)];
                    args.iter_mut().zip(operands).for_each(|(x, (_, id))| *x = v(*id));
                    function.apply(args)
                }
            };
        }
    }
}

impl Op {
    /// True for constants, aggregates and their combinations.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Op::Constant(_) | Op::Aggregate(_) | Op::Linear(..))
    }

    /// The operator with other operands; those with a run of operands are left as they are.
    pub(crate) fn renumbered(self, of: impl Fn(Id) -> Id) -> Op {
        let pair = |p: Pair| Pair { difference: of(p.difference), left: of(p.left), right: of(p.right) };
        match self {
            Op::Constant(_) | Op::Aggregate(_) | Op::Linear(..) | Op::Opaque(..) => self,
            Op::Product(a, b) => Op::Product(of(a), of(b)),
            Op::Power(a, p) => Op::Power(of(a), p),
            Op::Exp(a) => Op::Exp(of(a)),
            Op::Decay(a) => Op::Decay(of(a)),
            Op::Log(a) => Op::Log(of(a)),
            Op::Abs(a) => Op::Abs(of(a)),
            Op::Min(a, b) => Op::Min(of(a), of(b)),
            Op::Max(a, b) => Op::Max(of(a), of(b)),
            Op::And(a, b) => Op::And(of(a), of(b)),
            Op::Or(a, b) => Op::Or(of(a), of(b)),
            Op::If(c, a, b) => Op::If(of(c), of(a), of(b)),
            Op::AtMost(p) => Op::AtMost(pair(p)),
            Op::Equal(p) => Op::Equal(pair(p)),
            Op::Call(function, a) => Op::Call(function, of(a)),
        }
    }
}

impl Opaque {
    /// The value for some operands; NaN where there is none.
    pub fn apply(self, args: &[f64]) -> f64 {
        if args.iter().any(|x| x.is_nan()) {
            return f64::NAN;
        }
        match (self, args) {
            (Opaque::Power, [a, b]) => finite(a.powf(*b)),
            (Opaque::Remainder, [a, b]) => finite(a % b),
            (Opaque::Call(function), args) => function.apply(args).map_or(f64::NAN, finite),
            _ => f64::NAN,
        }
    }
}

/// What is not finite is undefined.
pub(crate) fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::NAN }
}

/// A power with a constant exponent; NaN where there is none.
pub(crate) fn power(x: f64, p: f64) -> f64 {
    finite(if p == 2.0 {
        x * x
    } else if p == -1.0 {
        1.0 / x
    } else if p == 0.5 {
        x.sqrt()
    } else {
        x.powf(p)
    })
}

fn compare(difference: f64, left: f64, right: f64, holds: fn(f64, f64) -> bool) -> f64 {
    // The difference lacks a value where one of its parts does, even where both sides cancel.
    if difference.is_nan() || left.is_nan() || right.is_nan() {
        return f64::NAN;
    }
    if holds(left, right) { 1.0 } else { 0.0 }
}

fn key(op: Op, terms: &[(f64, Id)]) -> Vec<u64> {
    let bits = |x: f64| (x + 0.0).to_bits();
    let two = |a: Id, b: Id| u64::from(a) << 32 | u64::from(b);
    let mut key = match op {
        Op::Constant(x) => vec![0, bits(x)],
        Op::Aggregate(j) => vec![1, u64::from(j)],
        Op::Linear(constant, ..) => vec![2, bits(constant)],
        Op::Product(a, b) => vec![3, two(a, b)],
        Op::Power(a, p) => vec![4, u64::from(a), bits(p)],
        Op::Exp(a) => vec![5, u64::from(a)],
        Op::Decay(a) => vec![6, u64::from(a)],
        Op::Log(a) => vec![7, u64::from(a)],
        Op::Abs(a) => vec![8, u64::from(a)],
        Op::Min(a, b) => vec![9, two(a, b)],
        Op::Max(a, b) => vec![10, two(a, b)],
        Op::And(a, b) => vec![11, two(a, b)],
        Op::Or(a, b) => vec![12, two(a, b)],
        Op::If(c, a, b) => vec![13, u64::from(c), two(a, b)],
        Op::AtMost(p) => vec![14, u64::from(p.difference), two(p.left, p.right)],
        Op::Equal(p) => vec![15, u64::from(p.difference), two(p.left, p.right)],
        Op::Call(function, a) => vec![16, function as u64, u64::from(a)],
        Op::Opaque(Opaque::Power, ..) => vec![17],
        Op::Opaque(Opaque::Remainder, ..) => vec![18],
        Op::Opaque(Opaque::Call(function), ..) => vec![19, function as u64],
    };
    key.extend(terms.iter().flat_map(|(c, id)| [bits(*c), u64::from(*id)]));
    key
}

/// The factor by which `known` must be multiplied to give `tables`, if there is one. Sums in another order differ in
/// the last bits, so equality is relative.
fn multiple(known: &[(usize, Rc<[f64]>)], tables: &[(usize, Rc<Vec<f64>>)]) -> Option<f64> {
    if known.len() != tables.len() || known.iter().zip(tables).any(|(a, b)| a.0 != b.0) {
        return None;
    }
    let pairs = || known.iter().zip(tables).flat_map(|(a, b)| a.1.iter().copied().zip(b.1.iter().copied()));
    let (x, y) = pairs().find(|(x, y)| *x != 0.0 && !x.is_nan() && !y.is_nan())?;
    let mut factor = y / x;
    if (factor - 1.0).abs() <= 1e-13 {
        factor = 1.0;
    }
    let fits = |x: f64, y: f64| {
        let scaled = x * factor;
        if scaled.is_nan() || y.is_nan() {
            return scaled.is_nan() && y.is_nan();
        }
        (scaled - y).abs() <= 1e-13 * scaled.abs().max(y.abs())
    };
    if factor == 0.0 || !factor.is_finite() || !pairs().all(|(x, y)| fits(x, y)) {
        return None;
    }
    // Tables of one or two values are multiples of each other by chance: only factors that round nothing count then.
    let rounds_nothing = factor.to_bits().trailing_zeros() >= 52;
    let mut distinct: Vec<f64> = Vec::new();
    for (x, _) in pairs().filter(|(x, _)| *x != 0.0 && !x.is_nan()) {
        if !distinct.contains(&x) {
            distinct.push(x);
        }
        if distinct.len() > 2 {
            return Some(factor);
        }
    }
    rounds_nothing.then_some(factor)
}

/// The largest decimal step of which every table entry is a multiple, verified for each.
fn step(tables: &[(usize, Rc<Vec<f64>>)]) -> f64 {
    let values = || tables.iter().flat_map(|(_, t)| t.iter().copied()).filter(|x| !x.is_nan());
    let fits = |unit: &f64| {
        values().all(|x| {
            let scaled = x / unit;
            scaled.abs() < 1e8 && (scaled - scaled.round()).abs() <= 1e-14 * scaled.abs().max(1.0)
        })
    };
    // Multiples of 10^-k are written as quotients: 0.1 is no exact number, 10 is.
    let Some(unit) = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5].into_iter().find(fits) else { return 0.0 };
    values().map(|x| (x / unit).round().abs() as u64).fold(0, divisor) as f64 * unit
}
