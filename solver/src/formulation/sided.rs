//! Terms of which only one side matters: what is maximised may be underestimated, the smaller side of `a <= b` may be
//! overestimated, because the program gains nothing by it.
//!
//! The largest of several expressions is then a column that is at least each of them, without a table; so are the losses
//! of soft constraints, `max(0, a - b)`, `abs(a - b)` and `if(holds, 0, 1)`, whatever they range over.

use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;

use super::encode::{in_steps, negated};
use super::{Encoded, FormulateError, Formulation, Linear};
use crate::bound::{Part, parts_of};
use crate::range::range;
use crate::term::Term;

/// On which side of a term its expression may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// At least the term, and equal to it where that is better.
    Above,
    /// At most the term, and equal to it where that is better.
    Below,
    /// Equal to it.
    Exact,
}

impl Side {
    /// The side of the term when the expression counts with this factor.
    fn times(self, factor: f64) -> Side {
        match self {
            Side::Above if factor < 0.0 => Side::Below,
            Side::Below if factor < 0.0 => Side::Above,
            other => other,
        }
    }
}

fn scaled(encoded: Encoded, factor: f64) -> Encoded {
    let mut linear = Linear::default();
    linear.add(&encoded.linear, factor);
    Encoded { linear, ..encoded }
}

impl Formulation<'_> {
    /// A linear expression on a side of a term.
    pub(crate) fn encode_sided(&mut self, term: &Term, side: Side) -> Result<Encoded, FormulateError> {
        let parts = parts_of(&self.snapshot.application, term);
        let is_table = matches!(parts[..], [] | [Part::Attribute(..)]);
        if side == Side::Exact || is_table {
            return self.encode(term);
        }
        if let [part @ Part::Dedicated(_)] = parts[..]
            && let Some(encoded) = self.encode_rows(term, part)
        {
            return Ok(encoded);
        }
        match term {
            Term::Negate(x) => Ok(scaled(self.encode_sided(x, side.times(-1.0))?, -1.0)),
            Term::Binary(op @ (BinaryOp::Add | BinaryOp::Subtract), a, b) => {
                let sign = if *op == BinaryOp::Add { 1.0 } else { -1.0 };
                let (mut a, b) = (self.encode_sided(a, side)?, self.encode_sided(b, side.times(sign))?);
                a.linear.add(&b.linear, sign);
                a.undefined.extend(b.undefined);
                Ok(a)
            }
            Term::Binary(BinaryOp::Multiply, a, b) => match (a.as_ref(), b.as_ref()) {
                (Term::Constant(x), other) | (other, Term::Constant(x)) => {
                    Ok(scaled(self.encode_sided(other, side.times(*x))?, *x))
                }
                _ => self.encode(term),
            },
            Term::Binary(BinaryOp::Divide, a, b) => match b.as_ref() {
                Term::Constant(x) if *x != 0.0 => Ok(scaled(self.encode_sided(a, side.times(*x))?, 1.0 / x)),
                _ => self.encode(term),
            },
            Term::Call(Function::Sum, args) => {
                let mut sum = Encoded::default();
                for arg in args {
                    let encoded = self.encode_sided(arg, side)?;
                    sum.linear.add(&encoded.linear, 1.0);
                    sum.undefined.extend(encoded.undefined);
                }
                Ok(sum)
            }
            Term::Call(Function::Number, args) if args.len() == 1 => self.encode_sided(&args[0], side),
            Term::Call(Function::Max, args) if side == Side::Above => {
                let most = range(term, &self.space.ranges).high;
                let args = args.iter().map(|arg| self.encode_sided(arg, side)).collect::<Result<Vec<_>, _>>()?;
                Ok(self.largest(args, most))
            }
            Term::Call(Function::Min, args) if side == Side::Below => {
                let most = -range(term, &self.space.ranges).low;
                let args = args.iter().map(|arg| self.encode_sided(arg, side)).collect::<Result<Vec<_>, _>>()?;
                let negative = args.into_iter().map(|arg| scaled(arg, -1.0)).collect();
                Ok(scaled(self.largest(negative, most), -1.0))
            }
            Term::Call(Function::Abs, args) if side == Side::Above && args.len() == 1 => {
                let most = range(term, &self.space.ranges).high;
                let x = self.encode(&args[0])?;
                let negative = scaled(x.clone(), -1.0);
                Ok(self.largest(vec![x, negative], most))
            }
            Term::If(condition, a, b) => match (a.as_ref(), b.as_ref()) {
                (Term::Constant(a), Term::Constant(b)) => self.either(condition, *a, *b, side),
                _ => self.encode(term),
            },
            _ => self.encode(term),
        }
    }

    /// A column that is at least each of some expressions, none of which is larger than `most`.
    fn largest(&mut self, args: Vec<Encoded>, most: f64) -> Encoded {
        let mut encoded = Encoded::default();
        let (mut floor, mut open) = (f64::NEG_INFINITY, Vec::new());
        for mut arg in args {
            encoded.undefined.append(&mut arg.undefined);
            arg.linear.compact();
            match arg.linear.terms.is_empty() {
                true => floor = floor.max(arg.linear.constant),
                false => open.push(arg.linear),
            }
        }
        let Some(first) = open.first() else {
            encoded.linear = Linear::constant(floor);
            return encoded;
        };
        // In whole steps above the floor the column is whole wherever it is as small as it may be.
        let steps = if open.len() == 1 && floor.is_finite() {
            let above = Linear { constant: first.constant - floor, ..first.clone() };
            in_steps(&above, |c| self.is_whole(c)).filter(|s| (s.constant - s.constant.round()).abs() < 1e-7)
        } else {
            None
        };
        if let Some(steps) = steps {
            let column = self.milp.add_column(0.0, ((most - floor) / steps.step).ceil().max(0.0) + 1.0, false);
            self.tied.insert(column);
            let mut row = Linear { terms: vec![(column, 1.0)], constant: -steps.constant.round() };
            row.terms.extend(steps.terms.iter().map(|(c, x)| (*c, -x)));
            self.row(row, 0.0, f64::INFINITY);
            encoded.linear = Linear { terms: vec![(column, steps.step)], constant: floor };
            return encoded;
        }
        // With room for what rounding adds to the range.
        let column = self.milp.add_column(floor, most.max(floor) + 1e-6 * most.abs().max(1.0), false);
        for arg in open {
            let mut row = Linear { terms: vec![(column, 1.0)], constant: 0.0 };
            row.add(&arg, -1.0);
            self.row(row, 0.0, f64::INFINITY);
        }
        encoded.linear.terms.push((column, 1.0));
        encoded
    }

    /// `a` where a condition holds and `b` elsewhere, by a binary column that may be 1 only where the better one is the
    /// value.
    fn either(&mut self, condition: &Term, a: f64, b: f64, side: Side) -> Result<Encoded, FormulateError> {
        self.require_value(condition, None)?;
        let a_is_better = (a < b) == (side == Side::Above);
        let (better, worse) = if a_is_better { (a, b) } else { (b, a) };
        let column = self.milp.add_column(0.0, 1.0, true);
        let decides = if a_is_better { condition.clone() } else { negated(condition) };
        self.enforce(&decides, Some(column))?;
        let linear = Linear { terms: vec![(column, better - worse)], constant: worse };
        Ok(Encoded { linear, undefined: Vec::new() })
    }
}
