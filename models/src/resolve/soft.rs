//! Constraints with a penalty: by how much they are violated, as a formula, and what a unit of that costs.

use super::Resolver;
use crate::application::{Constraint, ConstraintKind, Objective, Soft};
use crate::diagnostic::Diagnostic;
use crate::document::Scalar;
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::formula::function::Function;
use crate::span::Spanned;
use crate::unit::{Unit, conversion};

/// What became of a constraint with a penalty.
pub(super) enum Softened {
    /// It may be violated at a price.
    Soft(Soft),
    /// It stays as it is: no placement changes it, or its penalty is wrong and was reported.
    Hard(Constraint),
}

impl Resolver<'_> {
    /// Gives a constraint its penalty.
    pub(super) fn soften(&mut self, path: &str, hard: Constraint, penalty: &Spanned<Scalar>) -> Softened {
        let at = format!("{path}.penalty");
        let value = self.constant_value(&at, penalty);
        let Some((value, unit)) = value else { return Softened::Hard(hard) };
        if value <= 0.0 {
            let finding = Diagnostic::error(penalty.span, "a penalty is above zero");
            let help = "write what the objective loses per unit of the violation, or leave the constraint out";
            self.report(&at, finding.help(help));
            return Softened::Hard(hard);
        }
        if hard.kind == ConstraintKind::Slo && !self.facts(&hard.formula).depends_on_deployment {
            let message = format!("no placement changes `{}`: its penalty is never paid", hard.name);
            let help = "it is judged all the same; remove the penalty";
            self.report(&at, Diagnostic::warning(penalty.span, message).help(help));
            return Softened::Hard(hard);
        }
        let violation = match violation(&hard.formula) {
            Ok(violation) => violation,
            Err(Misfit { first, second }) => {
                let message =
                    format!("its parts are violated by amounts in {first} and in {second}, which do not add up");
                let help = "give each part a constraint and a penalty of its own";
                self.report(path, Diagnostic::error(hard.span, message).help(help));
                return Softened::Hard(hard);
            }
        };
        self.penalty_units.push(unit.map(|unit| (unit, penalty.span, at)));
        let Constraint { name, kind, formula, text, span } = hard;
        let unit = match violation.ty {
            Type::Number(unit) => unit,
            Type::Bool | Type::Text => None,
        };
        Softened::Soft(Soft { name, kind, formula, violation, unit, penalty: value, text, span })
    }

    /// Penalties with a unit are amounts of the objective, which must be in units that can be converted.
    pub(super) fn settle_penalties(&mut self, objective: &Objective, soft: &mut [Soft]) {
        let units = std::mem::take(&mut self.penalty_units);
        for (soft, unit) in soft.iter_mut().zip(units) {
            let Some((own, span, path)) = unit else { continue };
            match objective.unit().and_then(|unit| conversion(own, unit)) {
                Some(factor) => soft.penalty *= factor,
                None => {
                    let of = objective.unit().map_or("a bare number".to_owned(), |unit| format!("in {unit}"));
                    let message = format!("the penalty is in {own}, and the objective is {of}");
                    let help = "a penalty is what the objective loses per unit of the violation: write a bare number";
                    self.report(&path, Diagnostic::error(span, message).help(help));
                }
            }
        }
    }
}

/// Two amounts that do not add up.
struct Misfit {
    first: Unit,
    second: Unit,
}

/// By how much a condition is violated, 0 where it holds.
fn violation(condition: &Expr) -> Result<Expr, Misfit> {
    let mut parts = Vec::new();
    conjuncts(condition, &mut parts);
    let mut amounts: Vec<Expr> = parts.into_iter().map(amount).collect();
    let mut unit: Option<Unit> = None;
    for amount in &mut amounts {
        let Type::Number(Some(own)) = amount.ty else { continue };
        let Some(first) = unit else {
            unit = Some(own);
            continue;
        };
        let factor = conversion(own, first).ok_or(Misfit { first, second: own })?;
        if factor != 1.0 {
            let inner = std::mem::replace(amount, Expr::number(0.0));
            let span = inner.span;
            let kind = ExprKind::Binary(BinaryOp::Multiply, Box::new(inner), Box::new(Expr::number(factor)));
            *amount = Expr { kind, ty: Type::Number(Some(first)), span };
        }
    }
    let ty = Type::Number(unit);
    Ok(match amounts.len() {
        1 => Expr { ty, ..amounts.remove(0) },
        _ => Expr { kind: ExprKind::Call(Function::Sum, amounts), ty, span: condition.span },
    })
}

/// The parts that a condition joins by `and`.
fn conjuncts<'e>(condition: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match &condition.kind {
        ExprKind::Binary(BinaryOp::And, a, b) => {
            conjuncts(a, parts);
            conjuncts(b, parts);
        }
        _ => parts.push(condition),
    }
}

/// By how much a condition that is no conjunction is violated.
fn amount(condition: &Expr) -> Expr {
    let span = condition.span;
    let at = |kind, ty: &Type| Expr { kind, ty: ty.clone(), span };
    let bare = Type::Number(None);
    let zero = || Expr { span, ..Expr::number(0.0) };
    let is_number = |x: &Expr| matches!(x.ty, Type::Number(_));
    match &condition.kind {
        ExprKind::Binary(op, a, b) if is_number(a) && is_number(b) => {
            let unit = if a.ty == bare { &b.ty } else { &a.ty };
            let less = |x: &Expr, y: &Expr| {
                at(ExprKind::Binary(BinaryOp::Subtract, Box::new(x.clone()), Box::new(y.clone())), unit)
            };
            let above = |difference| at(ExprKind::Call(Function::Max, vec![zero(), difference]), unit);
            match op {
                BinaryOp::LessEqual | BinaryOp::Less => return above(less(a, b)),
                BinaryOp::GreaterEqual | BinaryOp::Greater => return above(less(b, a)),
                BinaryOp::Equal => return at(ExprKind::Call(Function::Abs, vec![less(a, b)]), unit),
                _ => {}
            }
        }
        _ => {}
    }
    let one = Expr { span, ..Expr::number(1.0) };
    at(ExprKind::If(Box::new(condition.clone()), Box::new(zero()), Box::new(one)), &bare)
}
