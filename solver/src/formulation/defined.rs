//! Placements on which a part of a formula has no value.
//!
//! `a or b` needs a value of `a` even where `b` holds, so it is not enough that one of its sides is enforced: the
//! evaluator goes from left to right and stops at what has no value.

use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;

use super::encode::negated;
use super::{FormulateError, Formulation, Linear};
use crate::bound::{Part, parts_of};
use crate::range;
use crate::term::Term;

/// True for functions that have a value wherever their arguments have one.
fn is_total(function: Function) -> bool {
    matches!(
        function,
        Function::Abs
            | Function::Sin
            | Function::Cos
            | Function::Atan
            | Function::Radians
            | Function::Degrees
            | Function::Floor
            | Function::Ceil
            | Function::Round
            | Function::Sign
            | Function::Min
            | Function::Max
            | Function::Sum
            | Function::Mean
            | Function::Number
    )
}

impl Formulation<'_> {
    /// Excludes the placements on which a term has no value, always or whenever the binary column `under` is 1.
    pub(super) fn require_value(&mut self, term: &Term, under: Option<usize>) -> Result<(), FormulateError> {
        if range::range(term, &self.space.ranges).defined {
            return Ok(());
        }
        if let [part @ (Part::Dedicated(_) | Part::Attribute(..) | Part::Data(_))] =
            parts_of(&self.snapshot.application, term)[..]
            && let Some(encoded) = self.encode_rows(term, part)
        {
            self.require_defined(&encoded.undefined, under);
            return Ok(());
        }
        match term {
            Term::Negate(x) | Term::Not(x) => self.require_value(x, under),
            Term::Call(function, args) if is_total(*function) => {
                args.iter().try_for_each(|arg| self.require_value(arg, under))
            }
            // The right side counts only where the left one leaves the matter open.
            Term::Binary(BinaryOp::Or, a, b) => self.require_right(a, b, a, under),
            Term::Binary(BinaryOp::And | BinaryOp::Implies, a, b) => self.require_right(a, b, &negated(a), under),
            Term::If(c, a, b) => {
                self.require_right(c, a, &negated(c), under)?;
                self.require_right(c, b, c, under)
            }
            Term::Binary(BinaryOp::Divide | BinaryOp::Remainder | BinaryOp::Power, ..) => {
                let encoded = self.encode(term)?;
                self.require_defined(&encoded.undefined, under);
                Ok(())
            }
            Term::Binary(_, a, b) => {
                self.require_value(a, under)?;
                self.require_value(b, under)
            }
            _ => {
                let encoded = self.encode(term)?;
                self.require_defined(&encoded.undefined, under);
                Ok(())
            }
        }
    }

    /// A value of `a`, and one of `b` unless `decided` holds.
    fn require_right(
        &mut self,
        a: &Term,
        b: &Term,
        decided: &Term,
        under: Option<usize>,
    ) -> Result<(), FormulateError> {
        self.require_value(a, under)?;
        if range::range(b, &self.space.ranges).defined {
            return Ok(());
        }
        let (first, second) = (self.milp.add_column(0.0, 1.0, true), self.milp.add_column(0.0, 1.0, true));
        let mut sum = vec![(first, 1.0), (second, 1.0)];
        sum.extend(under.map(|d| (d, -1.0)));
        let least = if under.is_some() { 0.0 } else { 1.0 };
        self.row(Linear { terms: sum, constant: 0.0 }, least, f64::INFINITY);
        self.enforce(decided, Some(first))?;
        self.require_value(b, Some(second))
    }
}
