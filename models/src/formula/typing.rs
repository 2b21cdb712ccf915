//! The rules of units: what an operation makes of the units of its operands, and the conversions that it needs.

use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::span::Span;
use crate::unit::{Unit, conversion};

/// The unit of a number; `None` for a bare one.
pub(super) fn unit_of(expr: &Expr) -> Option<Unit> {
    match expr.ty {
        Type::Number(unit) => unit,
        Type::Bool | Type::Text => None,
    }
}

/// The expression times a constant, in another unit. A literal is multiplied at once.
pub(super) fn scaled(expr: Expr, factor: f64, unit: Option<Unit>) -> Expr {
    let ty = Type::Number(unit);
    if factor == 1.0 {
        return Expr { ty, ..expr };
    }
    let span = expr.span;
    let kind = match expr.kind {
        ExprKind::Number(value) if (value * factor).is_finite() => ExprKind::Number(value * factor),
        kind => {
            let operand = Expr { kind, ..expr };
            let factor = Expr { kind: ExprKind::Number(factor), ty: Type::Number(None), span };
            ExprKind::Binary(BinaryOp::Multiply, Box::new(operand), Box::new(factor))
        }
    };
    Expr { kind, ty, span }
}

/// The number in another unit; a bare number is taken to be in it already. The units that do not fit, if so.
pub(super) fn converted(expr: Expr, to: Unit) -> Result<Expr, (Unit, Unit)> {
    match unit_of(&expr) {
        None => Ok(expr),
        Some(from) => conversion(from, to).map(|factor| scaled(expr, factor, Some(to))).ok_or((from, to)),
    }
}

/// A number whose dimension is not that of the others.
pub(super) struct Misfit {
    pub span: Span,
    /// The unit of the others.
    pub wanted: Unit,
    /// Its own.
    pub found: Unit,
}

/// Brings numbers that are added or compared to the unit of the first that has one. Gives that unit, or the place of
/// the number that does not fit with the two units.
pub(super) fn unified(numbers: Vec<Expr>) -> Result<(Vec<Expr>, Option<Unit>), Misfit> {
    let Some(unit) = numbers.iter().find_map(unit_of) else { return Ok((numbers, None)) };
    let mut all = Vec::with_capacity(numbers.len());
    for number in numbers {
        let span = number.span;
        all.push(converted(number, unit).map_err(|(found, wanted)| Misfit { span, wanted, found })?);
    }
    Ok((all, Some(unit)))
}

/// The product or quotient of two numbers, with its unit; `None` when the unit leaves its range.
///
/// What cancels leaves a plain unit: GB over MiB is a ratio, and a price times a month is money, not money in units of
/// 730. A percentage beside another unit counts as the ratio that it is.
pub(super) fn product(op: BinaryOp, left: Expr, right: Expr, span: Span) -> Option<Expr> {
    let divide = op == BinaryOp::Divide;
    let (left, right, unit) = match (unit_of(&left), unit_of(&right)) {
        (None, None) => (left, right, None),
        (Some(unit), None) => (left, right, Some(unit)),
        (None, Some(unit)) => (left, right, Some(if divide { unit.inverse()? } else { unit })),
        (Some(a), Some(b)) => {
            let (left, a) = as_ratio(left, a);
            let (right, b) = as_ratio(right, b);
            let unit = if divide { a.over(b)? } else { a.times(b)? };
            let cancels = |x: i8, y: i8| if divide { x.signum() * y.signum() > 0 } else { x.signum() * y.signum() < 0 };
            let any = cancels(a.data, b.data) || cancels(a.time, b.time) || cancels(a.money, b.money);
            let plain = unit.symbol().is_some() && unit.symbol() != Unit::PERCENT.symbol();
            if any && !plain {
                let factor = if divide { 1.0 / unit.factor } else { unit.factor };
                let rest = Some(Unit { factor: 1.0, ..unit });
                (left, scaled(right, tidy(factor), Some(b)), rest)
            } else if any && unit.is_dimensionless() {
                (left, right, Some(Unit::RATIO))
            } else {
                (left, right, Some(unit))
            }
        }
    };
    let kind = ExprKind::Binary(op, Box::new(left), Box::new(right));
    Some(Expr { kind, ty: Type::Number(unit), span })
}

/// A factor that is whole, or one over a whole number, without the rounding of its computation.
fn tidy(factor: f64) -> f64 {
    let unit = |factor| Unit { factor, ..Unit::RATIO };
    conversion(unit(factor), Unit::RATIO).unwrap_or(factor)
}

fn as_ratio(expr: Expr, unit: Unit) -> (Expr, Unit) {
    if unit.is_dimensionless() {
        (scaled(expr, tidy(unit.factor), Some(Unit::RATIO)), Unit::RATIO)
    } else {
        (expr, unit)
    }
}

/// Joins many into one by halves, so that the depth grows with the logarithm of their number only.
pub(super) fn joined(op: BinaryOp, ty: &Type, mut parts: Vec<Expr>) -> Option<Expr> {
    if parts.len() <= 1 {
        return parts.pop();
    }
    let right = parts.split_off(parts.len() / 2);
    let (left, right) = (joined(op, ty, parts)?, joined(op, ty, right)?);
    let span = left.span.to(right.span);
    Some(Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), ty: ty.clone(), span })
}

/// A truth value as the number 1 or 0.
pub(super) fn counted(expr: Expr) -> Expr {
    let span = expr.span;
    let constant = |value| Box::new(Expr { kind: ExprKind::Number(value), ty: Type::Number(None), span });
    let kind = match expr.kind {
        ExprKind::Bool(value) => ExprKind::Number(f64::from(value)),
        kind => {
            let condition = Box::new(Expr { kind, ..expr });
            ExprKind::If(condition, constant(1.0), constant(0.0))
        }
    };
    Expr { kind, ty: Type::Number(None), span }
}
