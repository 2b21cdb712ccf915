//! What a deployment is worth: the value of each objective, and what its soft constraints cost.
//!
//! Everything is computed from what the model states: the sides of a constraint, the summands of a weighted objective.
//! The formula that the solver optimises is not looked at, so that a solution can be checked against this.

use crate::application::{Application, Direction, Objective, Soft};
use crate::evaluate::{EvaluationError, Evaluator, Value};
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::placement::Placement;
use crate::unit::{Unit, conversion};

/// What a soft constraint costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paid {
    /// By how much it is violated, in its unit.
    pub violation: f64,
    /// What the first objective loses.
    pub loss: f64,
}

/// What a deployment is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Worth {
    /// The value of each objective; the first after what soft constraints cost.
    pub objectives: Vec<f64>,
    /// The value of the first objective as the model states it.
    pub stated: f64,
    /// What each soft constraint costs.
    pub paid: Vec<Paid>,
}

/// Where the values of formulas come from.
type Values<'v> = &'v dyn Fn(&Expr) -> Result<Value, EvaluationError>;

/// What a placement is worth.
///
/// # Errors
///
/// The first part of an objective or a constraint without a value.
pub fn worth(
    application: &Application,
    evaluator: &Evaluator<'_>,
    placement: &Placement,
) -> Result<Worth, EvaluationError> {
    of(application, &|expr| evaluator.evaluate(expr, placement))
}

/// What the running deployment is worth.
///
/// # Errors
///
/// The first part of an objective or a constraint without a value.
pub fn current(application: &Application, evaluator: &Evaluator<'_>) -> Result<Worth, EvaluationError> {
    of(application, &|expr| evaluator.evaluate_current(expr))
}

fn of(application: &Application, values: Values<'_>) -> Result<Worth, EvaluationError> {
    let paid = application.soft.iter().map(|soft| {
        let violation = violated(&soft.formula, soft, values)?;
        Ok(Paid { violation, loss: soft.penalty * violation })
    });
    let paid = paid.collect::<Result<Vec<Paid>, EvaluationError>>()?;
    let mut objectives =
        application.objectives().map(|objective| stated(objective, values)).collect::<Result<Vec<f64>, _>>()?;
    let stated = objectives.first().copied().unwrap_or(0.0);
    let lost: f64 = paid.iter().map(|paid| paid.loss).sum();
    if let Some(first) = objectives.first_mut() {
        *first -= application.objective.direction.sign() * lost;
    }
    Ok(Worth { objectives, stated, paid })
}

/// The value of an objective without penalties.
fn stated(objective: &Objective, values: Values<'_>) -> Result<f64, EvaluationError> {
    if objective.parts.is_empty() {
        return number(&objective.stated, values);
    }
    let mut sum = 0.0;
    for part in &objective.parts {
        let sign = part.direction.sign() * Direction::sign(objective.direction);
        sum += sign * part.weight * number(&part.formula, values)?;
    }
    Ok(sum)
}

fn number(expr: &Expr, values: Values<'_>) -> Result<f64, EvaluationError> {
    Ok(match values(expr)? {
        Value::Number(n) => n,
        Value::Bool(b) => f64::from(u8::from(b)),
        // No text has the type of a number: the formula was typed.
        Value::Text(_) => 0.0,
    })
}

/// By how much a condition is violated, in the unit of its constraint.
fn violated(condition: &Expr, soft: &Soft, values: Values<'_>) -> Result<f64, EvaluationError> {
    let unit = |x: &Expr| match x.ty {
        Type::Number(unit) => Some(unit),
        Type::Bool | Type::Text => None,
    };
    if let ExprKind::Binary(op, a, b) = &condition.kind {
        if *op == BinaryOp::And {
            return Ok(violated(a, soft, values)? + violated(b, soft, values)?);
        }
        if let (Some(left), Some(right)) = (unit(a), unit(b)) {
            let difference = || Ok(number(a, values)? - number(b, values)?);
            let amount = match op {
                BinaryOp::LessEqual | BinaryOp::Less => Some(difference()?.max(0.0)),
                BinaryOp::GreaterEqual | BinaryOp::Greater => Some((-difference()?).max(0.0)),
                BinaryOp::Equal => Some(difference()?.abs()),
                _ => None,
            };
            if let Some(amount) = amount {
                return Ok(amount * factor(left.or(right), soft.unit));
            }
        }
    }
    Ok(match values(condition)? {
        Value::Bool(holds) => f64::from(u8::from(!holds)),
        // No other value has the type of a condition: the formula was typed.
        Value::Number(_) | Value::Text(_) => 0.0,
    })
}

/// What an amount in one unit is multiplied by to be in another.
fn factor(from: Option<Unit>, to: Option<Unit>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => conversion(from, to).unwrap_or(1.0),
        _ => 1.0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::application::ComponentId;
    use crate::catalog::Catalog;
    use crate::diagnostic::Source;
    use crate::offer::Attribute;
    use crate::placement::{Placement, Setting, SettingValue};
    use crate::snapshot::Snapshot;
    use std::sync::Arc;

    fn snapshot(rules: &str) -> Snapshot {
        let text = format!(
            "application: a\ncomponents: {{k: {{attributes: {{x: 0..20, y: 0..20}}}}}}\n\
             metrics: {{t: {{formula: k.x * 1, unit: ms}}, u: {{formula: k.y * 1, unit: s}}}}\n{rules}\n"
        );
        let (application, ..) =
            crate::resolve::load(&Source::new("a.yaml", text.clone())).unwrap_or_else(|e| panic!("{e}\n{text}"));
        Snapshot::new(Arc::new(application), Arc::new(Catalog::new("", "", "")))
    }

    fn at(x: f64, y: f64) -> Placement {
        let label = |name: &str| Attribute::Label(name.into());
        let set = |attribute, value| Setting { component: ComponentId(0), attribute, value: SettingValue(value) };
        let settings = vec![set(Attribute::Cardinality, 1.0), set(label("x"), x), set(label("y"), y)];
        Placement { groups: Vec::new(), settings }
    }

    fn both(snapshot: &Snapshot, placement: &Placement) -> (Worth, f64) {
        let evaluator = Evaluator::new(snapshot);
        let worth = worth(&snapshot.application, &evaluator, placement).unwrap();
        let optimised = evaluator.number(&snapshot.application.objective.formula, placement).unwrap();
        (worth, optimised)
    }

    #[test]
    fn a_violation_is_what_is_beyond_the_limit() {
        for (formula, x, y, violation) in [
            ("k.x <= 5", 8.0, 0.0, 3.0),
            ("k.x <= 5", 5.0, 0.0, 0.0),
            ("k.x < 5", 7.0, 0.0, 2.0),
            ("5 >= k.x", 8.0, 0.0, 3.0),
            ("k.x > 5", 1.0, 0.0, 4.0),
            ("k.x == 5", 8.0, 0.0, 3.0),
            ("k.x == 5", 3.0, 0.0, 2.0),
            ("k.x != 5", 5.0, 0.0, 1.0),
            ("k.x != 5", 4.0, 0.0, 0.0),
            ("5 <= k.x <= 7", 2.0, 0.0, 3.0),
            ("k.x <= 5 and k.y <= 5", 8.0, 6.0, 4.0),
            ("k.x <= 5 or k.y <= 5", 8.0, 9.0, 1.0),
            ("k.x <= 5 or k.y <= 5", 8.0, 1.0, 0.0),
            ("not (k.x <= 5)", 1.0, 0.0, 1.0),
            ("k.x <= 5 and (k.y == 1 or k.y == 2)", 8.0, 3.0, 4.0),
        ] {
            let snapshot = snapshot(&format!(
                "constraints: {{c: {{formula: '{formula}', penalty: 0.5}}}}\nutility: {{maximize: k.y}}"
            ));
            let (worth, optimised) = both(&snapshot, &at(x, y));
            assert_eq!(worth.paid, [Paid { violation, loss: 0.5 * violation }], "{formula}");
            assert_eq!((worth.stated, worth.objectives[0]), (y, y - 0.5 * violation), "{formula}");
            assert_eq!(optimised, worth.objectives[0], "{formula}");
        }
    }

    #[test]
    fn parts_in_different_units_are_added_in_the_first_one() {
        let snapshot =
            snapshot("constraints: {c: {formula: 't <= 5 ms and u <= 1 s', penalty: 2}}\nutility: {minimize: k.y}");
        let (worth, optimised) = both(&snapshot, &at(8.0, 3.0));
        assert_eq!(worth.paid, [Paid { violation: 2003.0, loss: 4006.0 }]);
        assert_eq!((worth.objectives[0], optimised), (4009.0, 4009.0));
    }

    #[test]
    fn weighted_and_ordered_objectives_have_their_values() {
        let snapshot = snapshot(
            "utility:\n  lexicographic:\n    - weighted: [{maximize: k.x, weight: 3}, {minimize: k.y, weight: 2}]\n    - {minimize: k.x + k.y}",
        );
        let (worth, optimised) = both(&snapshot, &at(5.0, 4.0));
        assert_eq!(worth.objectives, [7.0, 9.0]);
        assert_eq!(optimised, 7.0);
    }
}
