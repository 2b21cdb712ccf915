//! The objective term by term: how much each part of the formula contributes on a placement.
//!
//! A sum is taken apart at its additions and subtractions, also below constant factors, so that the values of the terms
//! add up to the utility. The total cost becomes the cost of each component. Anything else is one term, with the values
//! of what it looks at.

use cardinal_models::application::{Application, ComponentId, Objective};
use cardinal_models::document::Hosting;
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use cardinal_models::formula::words;
use cardinal_models::placement::{Placement, VanishedNodes};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::unit::Unit;

/// A term of the objective.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The part of the formula, in the user's words.
    pub text: String,
    /// The unit of its value; `None` for a bare number.
    pub unit: Option<Unit>,
    what: What,
    factor: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum What {
    Formula(Expr),
    /// The price of the nodes of a dedicated component, or of all shared nodes.
    Cost(Option<ComponentId>),
    /// What commitments take off the price of all nodes.
    Covered,
}

/// Something that a term looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// Its name in formulas.
    pub name: String,
    /// The unit of its value.
    pub unit: Option<Unit>,
    formula: Expr,
}

/// The deployment that a term is valued on.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// A placement.
    Placement(&'a Placement),
    /// What runs now.
    Current,
}

/// So many terms a formula is taken apart into; what is left stays together.
const TERMS_MAX: usize = 64;

/// The terms of the first objective, with what each soft constraint costs.
pub fn terms(snapshot: &Snapshot, evaluator: &Evaluator<'_>) -> Vec<Term> {
    let application = &snapshot.application;
    let mut terms = terms_of(snapshot, evaluator, &application.objective);
    let sign = -application.objective.direction.sign();
    terms.extend(application.soft.iter().map(|soft| Term {
        text: times(sign, &format!("penalty of {}", soft.name)),
        unit: application.objective.unit(),
        what: What::Formula(soft.loss()),
        factor: sign,
    }));
    terms
}

/// The terms of an objective as the model states it.
pub fn terms_of(snapshot: &Snapshot, evaluator: &Evaluator<'_>, objective: &Objective) -> Vec<Term> {
    let mut splitter = Splitter { application: &snapshot.application, objective, evaluator, terms: Vec::new() };
    splitter.split(&objective.stated, 1.0);
    splitter.terms
}

struct Splitter<'a> {
    application: &'a Application,
    objective: &'a Objective,
    evaluator: &'a Evaluator<'a>,
    terms: Vec<Term>,
}

impl Splitter<'_> {
    /// The value of a part that is the same for every placement.
    fn constant(&self, expr: &Expr) -> Option<f64> {
        let is_fixed = !self.evaluator.depends_on_placement(expr);
        is_fixed.then(|| self.evaluator.number(expr, &Placement::default()).ok()).flatten()
    }

    fn split(&mut self, expr: &Expr, factor: f64) {
        if self.terms.len() >= TERMS_MAX {
            return self.push(expr, factor);
        }
        match &expr.kind {
            ExprKind::Binary(BinaryOp::Add, a, b) => {
                self.split(a, factor);
                self.split(b, factor);
            }
            ExprKind::Binary(BinaryOp::Subtract, a, b) => {
                self.split(a, factor);
                self.split(b, -factor);
            }
            ExprKind::Negate(x) => self.split(x, -factor),
            ExprKind::Binary(BinaryOp::Multiply, a, b) if is_sum(a) || is_sum(b) => {
                match (self.constant(a), self.constant(b)) {
                    (Some(times), _) => self.split(b, factor * times),
                    (None, Some(times)) => self.split(a, factor * times),
                    (None, None) => self.push(expr, factor),
                }
            }
            ExprKind::Binary(BinaryOp::Divide, a, b) if is_sum(a) => match self.constant(b).filter(|by| *by != 0.0) {
                Some(by) => self.split(a, factor / by),
                None => self.push(expr, factor),
            },
            ExprKind::TotalCost => {
                let components = self.application.components.iter().enumerate();
                let dedicated = components.filter(|(_, c)| c.hosting == Hosting::Dedicated);
                let mut parts: Vec<Option<ComponentId>> = dedicated.map(|(i, _)| Some(ComponentId(i as u32))).collect();
                parts.extend(self.application.components.iter().any(|c| c.hosting == Hosting::Shared).then_some(None));
                for part in parts {
                    let whose = part.map_or("shared nodes".into(), |id| self.application[id].name.clone());
                    let text = times(factor, &format!("cost of {whose}"));
                    self.terms.push(Term { text, unit: unit_of(expr), what: What::Cost(part), factor });
                }
                if !self.application.commitments.is_empty() {
                    let (text, factor) = (times(-factor, "covered by commitments"), -factor);
                    self.terms.push(Term { text, unit: unit_of(expr), what: What::Covered, factor });
                }
            }
            _ => self.push(expr, factor),
        }
    }

    fn push(&mut self, expr: &Expr, factor: f64) {
        let objective = self.objective;
        let text = times(factor, &words::part(expr, self.application, &objective.text, objective.span));
        self.terms.push(Term { text, unit: unit_of(expr), what: What::Formula(expr.clone()), factor });
    }
}

/// True when taking the factor of a product inside shows more than one term.
fn is_sum(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::TotalCost | ExprKind::Binary(BinaryOp::Add | BinaryOp::Subtract, ..) => true,
        ExprKind::Negate(x) => is_sum(x),
        ExprKind::Binary(BinaryOp::Multiply, a, b) => is_sum(a) || is_sum(b),
        ExprKind::Binary(BinaryOp::Divide, a, _) => is_sum(a),
        _ => false,
    }
}

fn times(factor: f64, text: &str) -> String {
    if factor == 1.0 {
        return text.to_owned();
    }
    let is_simple =
        text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ' ' | '`')) || text.ends_with(')');
    let text = if is_simple { text.to_owned() } else { format!("({text})") };
    if factor == -1.0 { format!("-{text}") } else { format!("{factor} * {text}") }
}

fn unit_of(expr: &Expr) -> Option<Unit> {
    match expr.ty {
        Type::Number(unit) => unit,
        _ => None,
    }
}

impl Term {
    /// The value of the term; `None` where it has none.
    pub fn value(&self, snapshot: &Snapshot, evaluator: &Evaluator<'_>, of: Of<'_>) -> Option<f64> {
        let value = match &self.what {
            What::Formula(expr) => value(evaluator, expr, of).and_then(|value| match value {
                Value::Number(n) => Some(n),
                Value::Bool(b) => Some(f64::from(b)),
                Value::Text(_) => None,
            }),
            What::Cost(whose) => cost(snapshot, *whose, of).map(Price::units),
            What::Covered => covered(snapshot, of).map(Price::units),
        };
        value.map(|value| value * self.factor)
    }

    /// What the term looks at, each once, in the order of the formula.
    pub fn inputs(&self, application: &Application) -> Vec<Input> {
        let mut found: Vec<Input> = Vec::new();
        if let What::Formula(expr) = &self.what {
            collect(expr, application, &mut found);
        }
        found
    }
}

impl Input {
    /// Its value; `None` where it has none.
    pub fn value(&self, evaluator: &Evaluator<'_>, of: Of<'_>) -> Option<Value> {
        value(evaluator, &self.formula, of)
    }
}

fn value(evaluator: &Evaluator<'_>, expr: &Expr, of: Of<'_>) -> Option<Value> {
    match of {
        Of::Placement(placement) => evaluator.evaluate(expr, placement).ok(),
        Of::Current => evaluator.evaluate_current(expr).ok(),
    }
}

fn collect(expr: &Expr, application: &Application, found: &mut Vec<Input>) {
    let is_input = matches!(
        expr.kind,
        ExprKind::Metric(_)
            | ExprKind::Attribute(..)
            | ExprKind::TotalCost
            | ExprKind::NodeCount
            | ExprKind::Fleet { .. }
            | ExprKind::Candidates { .. }
            | ExprKind::Current(..)
    );
    if !is_input {
        expr.children().into_iter().for_each(|child| collect(child, application, found));
        return;
    }
    let name = words::words(expr, application);
    if found.iter().all(|known| known.name != name) {
        found.push(Input { name, unit: unit_of(expr), formula: expr.clone() });
    }
}

fn covered(snapshot: &Snapshot, of: Of<'_>) -> Option<Price> {
    let placement = match of {
        Of::Placement(placement) => placement,
        Of::Current => &snapshot.current.as_ref()?.placement,
    };
    Some(snapshot.bill(placement).covered.iter().map(|c| c.saved).sum())
}

fn cost(snapshot: &Snapshot, whose: Option<ComponentId>, of: Of<'_>) -> Option<Price> {
    let application = &snapshot.application;
    let is_part = |instances: &[(ComponentId, u32)]| {
        instances.first().is_some_and(|(id, _)| match application[*id].hosting {
            Hosting::Dedicated => whose == Some(*id),
            Hosting::Shared => whose.is_none(),
        })
    };
    let (placement, vanished): (&Placement, &[VanishedNodes]) = match of {
        Of::Placement(placement) => (placement, &[]),
        Of::Current => {
            let now = snapshot.current.as_ref()?;
            (&now.placement, &now.vanished)
        }
    };
    let here = placement.groups.iter().filter(|g| is_part(&g.instances));
    let here: Price = here.map(|g| snapshot.catalog[g.offer].price.times(u64::from(g.count))).sum();
    let gone = vanished.iter().filter(|v| is_part(&v.instances));
    let gone: Option<Price> = gone.map(|v| v.price.map(|p| p.times(u64::from(v.count)))).sum();
    gone.map(|gone| here + gone)
}
