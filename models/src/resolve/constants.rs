//! Constants: numbers, quantities, and formulas over earlier constants, evaluated once.

use super::{Resolver, shared};
use crate::diagnostic::Diagnostic;
use crate::document::Scalar;
use crate::formula::expr::{Expr, ExprKind, Type};
use crate::formula::{Expected, compile};
use crate::span::{Span, Spanned};
use crate::unit::{Unit, parse_named_quantity};

impl Resolver<'_> {
    /// Evaluates the constants in the order of the file and puts them into scope.
    pub(super) fn constants(&mut self) {
        let document = self.document;
        for (i, (name, value)) in document.constants.iter().enumerate() {
            let path = format!("constants.{}", name.value);
            // A constant that is wrong stays known, as a number that fits any unit.
            let value = self.constant(&path, i, value).unwrap_or((1.0, None));
            self.scope.constants.insert(shared(name), value);
        }
    }

    /// The value of a number, a quantity or a formula over constants that stands outside of the constants.
    pub(super) fn constant_value(&mut self, path: &str, value: &Spanned<Scalar>) -> Option<(f64, Option<Unit>)> {
        self.constant(path, self.document.constants.0.len(), value)
    }

    fn constant(&mut self, path: &str, index: usize, value: &Spanned<Scalar>) -> Option<(f64, Option<Unit>)> {
        let text = match &value.value {
            Scalar::Number(n) => return Some((*n, None)),
            Scalar::Text(text) => text,
            Scalar::Bool(_) => {
                let finding = Diagnostic::error(value.span, "expected a number, found a truth value");
                self.report(path, finding.help("constants are numbers, quantities or formulas of them"));
                return None;
            }
        };
        // A quantity in other money goes on to the formula compiler, which reports it.
        if let Ok(quantity) = parse_named_quantity(text) {
            let named = quantity.unit.and_then(|u| u.currency);
            if named.is_none_or(|code| self.currency.code.as_deref().is_none_or(|own| own == code)) {
                return Some((quantity.value, quantity.unit.map(|u| u.unit)));
            }
        }
        let mut depends = false;
        for (name, span) in self.mentioned(text) {
            if let Some(finding) = self.not_constant(&name, index, value.span.within(text, span)) {
                self.report(path, finding);
                depends = true;
            }
            self.used.insert(name);
        }
        if depends {
            return None;
        }
        let compiled = compile(text, value.span, &self.scope, Expected::Number);
        let expr = self.keep_all(path, compiled)?;
        let unit = match expr.ty {
            Type::Number(unit) => unit,
            Type::Bool | Type::Text => None,
        };
        let number = evaluate(&expr);
        self.keep(path, number).map(|number| (number, unit))
    }

    /// The finding about a name that has no value yet when the constant is evaluated.
    fn not_constant(&self, name: &str, index: usize, span: Span) -> Option<Diagnostic> {
        let document = self.document;
        let later = document.constants.0.get(index..).unwrap_or(&[]);
        if later.first().is_some_and(|(own, _)| own.value == name) {
            return Some(Diagnostic::error(span, format!("the constant `{name}` depends on itself")));
        }
        if later.iter().any(|(other, _)| other.value == name) {
            let finding = Diagnostic::error(span, format!("the constant `{name}` stands further down"));
            return Some(finding.help(format!("move `{name}` above this one")));
        }
        let kind = if document.metrics.get(name).is_some() {
            "metric"
        } else if document.components.get(name).is_some() {
            "component"
        } else {
            return None;
        };
        // What stands outside of the constants can be no computed metric instead.
        if index == document.constants.0.len() {
            let finding = Diagnostic::error(span, format!("`{name}` is a {kind}, and a fixed number is needed here"));
            return Some(finding.help("write a number, or a formula over constants"));
        }
        let finding = Diagnostic::error(span, format!("`{name}` is a {kind}, and a constant cannot depend on it"));
        Some(finding.help("make it a computed metric: `metrics: {NAME: FORMULA}`"))
    }

    /// Warns about constants that no formula mentions.
    pub(super) fn unused_constants(&mut self) {
        let document = self.document;
        for (name, _) in document.constants.iter() {
            if self.used.contains(&name.value) {
                continue;
            }
            let finding = Diagnostic::warning(name.span, format!("the constant `{}` is never used", name.value));
            self.report(&format!("constants.{}", name.value), finding.help("remove it"));
        }
    }
}

/// The value of an expression that names nothing but constants.
fn evaluate(expr: &Expr) -> Result<f64, Diagnostic> {
    let undefined = |reason: String| Diagnostic::error(expr.span, reason);
    let value = match &expr.kind {
        ExprKind::Number(n) => *n,
        ExprKind::Negate(x) => -evaluate(x)?,
        ExprKind::Binary(op, a, b) if op.is_arithmetic() => {
            op.number(evaluate(a)?, evaluate(b)?).map_err(|e| undefined(e.to_string()))?
        }
        ExprKind::If(condition, then, otherwise) => {
            if holds(condition)? {
                evaluate(then)?
            } else {
                evaluate(otherwise)?
            }
        }
        ExprKind::Call(function, args) => {
            let args = args.iter().map(evaluate).collect::<Result<Vec<_>, _>>()?;
            function.apply(&args).map_err(|e| undefined(e.to_string()))?
        }
        _ => return Err(undefined("a constant depends on numbers and earlier constants alone".to_owned())),
    };
    if value.is_finite() { Ok(value) } else { Err(undefined("the value is not a finite number".to_owned())) }
}

/// The truth of a condition that names nothing but constants.
fn holds(expr: &Expr) -> Result<bool, Diagnostic> {
    use crate::formula::expr::BinaryOp;
    Ok(match &expr.kind {
        ExprKind::Bool(truth) => *truth,
        ExprKind::Not(x) => !holds(x)?,
        ExprKind::Binary(op, a, b) if op.is_comparison() => op.compares(evaluate(a)?, evaluate(b)?),
        ExprKind::Binary(BinaryOp::And, a, b) => holds(a)? && holds(b)?,
        ExprKind::Binary(BinaryOp::Or, a, b) => holds(a)? || holds(b)?,
        ExprKind::Binary(BinaryOp::Xor, a, b) => holds(a)? != holds(b)?,
        ExprKind::Binary(BinaryOp::Implies, a, b) => !holds(a)? || holds(b)?,
        _ => return Err(Diagnostic::error(expr.span, "a constant depends on numbers and earlier constants alone")),
    })
}
