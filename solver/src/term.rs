//! Formulas as the solver sees them: the metrics, candidates and running deployment of a snapshot are numbers by now,
//! so what is left depends on the placement alone.
//!
//! Every value is a number: truth values are 0 and 1, texts are interned. NaN stands for "undefined here" and is never
//! compared away: a placement on which the objective or a constraint is undefined is inadmissible.

use std::cell::RefCell;
use std::sync::Arc;

use cardinal_models::application::ComponentId;
use cardinal_models::evaluate::{EvaluationError, EvaluationErrorKind, Evaluator, Value};
use cardinal_models::formula::expr::{Aggregate, BinaryOp, Expr, ExprKind, Type};
use cardinal_models::formula::function::Function;
use cardinal_models::offer::{Attribute, AttributeValue, Offer};
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::tolerance;
use rustc_hash::FxHashMap;

/// A formula over the placement.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A number.
    Constant(f64),
    /// An attribute of the offer of a component's nodes, by its slot in [`Slots`].
    Attribute(ComponentId, Slot),
    /// The number of instances.
    Cardinality(ComponentId),
    /// The price of all nodes that only this component uses, or of the shared pool for `None`.
    Cost(Option<ComponentId>),
    /// What is paid for all nodes of these parts (a component, or the shared pool for `None`) after commitments, which
    /// cover nodes of no other part.
    Paid(Vec<Option<ComponentId>>),
    /// The number of nodes that only this component uses, or of the shared pool for `None`.
    Nodes(Option<ComponentId>),
    /// An aggregate over the nodes of a component.
    Fleet(Box<FleetTerm>),
    /// `-x`
    Negate(Box<Term>),
    /// `not x`
    Not(Box<Term>),
    /// An operator.
    Binary(BinaryOp, Box<Term>, Box<Term>),
    /// `if(c, a, b)`
    If(Box<Term>, Box<Term>, Box<Term>),
    /// A function.
    Call(Function, Vec<Term>),
}

/// An aggregate over the nodes of a component.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetTerm {
    /// Sum, count, min or max; a mean is written as a quotient.
    pub aggregate: Aggregate,
    /// Whose nodes.
    pub component: ComponentId,
    /// The value for one node.
    pub body: Term,
    /// Which nodes count.
    pub filter: Option<Term>,
}

/// Index of an attribute in [`Slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u32);

/// The attributes that formulas look at. A label that one formula takes as a number and another as a text has a slot
/// for each.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    attributes: Vec<(Attribute, Wanted)>,
}

/// What a formula takes an attribute as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A number; of a text the number that it spells.
    Number,
    /// A text; of a number its digits.
    Text,
}

impl Slots {
    /// The slot of an attribute, made when it is new.
    pub fn of(&mut self, attribute: &Attribute, wanted: Wanted) -> Slot {
        let at = self.attributes.iter().position(|(a, w)| a == attribute && *w == wanted).unwrap_or_else(|| {
            self.attributes.push((attribute.clone(), wanted));
            self.attributes.len() - 1
        });
        Slot(at as u32)
    }

    /// The attribute of a slot.
    pub fn attribute(&self, slot: Slot) -> &Attribute {
        &self.attributes[slot.0 as usize].0
    }

    /// The value of an offer in a slot as a number; NaN when the offer does not tell, or tells a text that spells no
    /// number where one is wanted.
    pub fn value(&self, slot: Slot, offer: &Offer, interner: &Interner) -> f64 {
        let (attribute, wanted) = &self.attributes[slot.0 as usize];
        match (offer.attribute(attribute), wanted) {
            (AttributeValue::Missing, _) => f64::NAN,
            (AttributeValue::Number(n), Wanted::Number) => finite(n),
            (AttributeValue::Number(n), Wanted::Text) => interner.number(&n.to_string()),
            (AttributeValue::Text(t), Wanted::Text) => interner.number(&t),
            (AttributeValue::Text(t), Wanted::Number) => t.trim().parse().map_or(f64::NAN, finite),
        }
    }
}

/// Texts as numbers, so that equal texts are equal numbers.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    texts: RefCell<FxHashMap<Arc<str>, u32>>,
}

impl Interner {
    /// The number of a text; texts that differ in ASCII case only are the same word.
    pub fn number(&self, text: &str) -> f64 {
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return self.number(&text.to_ascii_lowercase());
        }
        let mut texts = self.texts.borrow_mut();
        if let Some(id) = texts.get(text) {
            return f64::from(*id);
        }
        let id = texts.len() as u32;
        texts.insert(text.into(), id);
        f64::from(id)
    }
}

/// Turns the formulas of a snapshot into terms.
pub struct Binder<'a> {
    snapshot: &'a Snapshot,
    evaluator: &'a Evaluator<'a>,
    /// The attributes that were met.
    pub slots: Slots,
    /// The texts that were met.
    pub interner: Interner,
    /// How many conditions stand around what is bound: above 0, the evaluator may never look at it.
    conditions: u32,
}

impl<'a> Binder<'a> {
    /// A binder for a snapshot.
    pub fn new(snapshot: &'a Snapshot, evaluator: &'a Evaluator<'a>) -> Self {
        Binder { snapshot, evaluator, slots: Slots::default(), interner: Interner::default(), conditions: 0 }
    }

    /// The term of a formula. An error is a missing metric value or the like: something that no placement mends.
    pub fn bind(&mut self, expr: &Expr) -> Result<Term, EvaluationError> {
        Ok(match &expr.kind {
            ExprKind::Number(x) => Term::Constant(*x),
            ExprKind::Bool(b) => Term::Constant(f64::from(u8::from(*b))),
            ExprKind::Text(t) => Term::Constant(self.interner.number(t)),
            ExprKind::Metric(id) => {
                let metric = &self.snapshot.application.metrics[id.index()];
                let given = self.snapshot.metrics.get(id.index()).copied().flatten();
                match (&metric.formula, given) {
                    (Some(formula), None) => self.bind(formula)?,
                    _ => self.constant(expr)?,
                }
            }
            ExprKind::Attribute(c, Attribute::Cardinality) => Term::Cardinality(*c),
            ExprKind::Attribute(c, attribute) => {
                let wanted = if expr.ty == Type::Text { Wanted::Text } else { Wanted::Number };
                self.attribute(*c, attribute, wanted)
            }
            ExprKind::TotalCost => self.total_cost(),
            ExprKind::NodeCount => self.over_all_nodes(Term::Nodes),
            ExprKind::Negate(x) => fold(Term::Negate(Box::new(self.bind(x)?))),
            ExprKind::Not(x) => fold(Term::Not(Box::new(self.bind(x)?))),
            ExprKind::Binary(op @ (BinaryOp::And | BinaryOp::Or | BinaryOp::Implies), a, b) => {
                let a = self.bind(a)?;
                match (&a, op) {
                    (Term::Constant(x), BinaryOp::And) if *x == 0.0 => return Ok(Term::Constant(0.0)),
                    (Term::Constant(x), BinaryOp::Or) if *x != 0.0 => return Ok(Term::Constant(1.0)),
                    (Term::Constant(x), BinaryOp::Implies) if *x == 0.0 => return Ok(Term::Constant(1.0)),
                    (Term::Constant(_), _) => return self.bind(b),
                    _ => {}
                }
                let b = self.bind_conditional(b)?;
                fold(binary(*op, a, b))
            }
            ExprKind::Binary(op, a, b) => fold(binary(*op, self.bind(a)?, self.bind(b)?)),
            ExprKind::If(c, a, b) => {
                // Only the branch that can be taken is bound: the other may need a metric that is not there.
                match self.bind(c)? {
                    Term::Constant(c) if c != 0.0 => self.bind(a)?,
                    Term::Constant(_) => self.bind(b)?,
                    c => {
                        let (a, b) = (self.bind_conditional(a)?, self.bind_conditional(b)?);
                        Term::If(Box::new(c), Box::new(a), Box::new(b))
                    }
                }
            }
            ExprKind::Call(function, args) => {
                let args = args.iter().map(|a| self.bind(a)).collect::<Result<Vec<_>, _>>()?;
                fold(Term::Call(*function, args))
            }
            ExprKind::Fleet { aggregate, component, body, filter } => {
                let body = self.bind(body)?;
                let filter = filter.as_ref().map(|f| self.bind(f)).transpose()?;
                self.fleet(*aggregate, *component, body, filter)
            }
            // While nothing runs the fallback is a formula over the placement like any other.
            ExprKind::Current(_, Some(fallback)) if self.snapshot.current.is_none() => self.bind(fallback)?,
            ExprKind::Candidates { .. } | ExprKind::Current(..) => self.constant(expr)?,
        })
    }

    /// Binds what is looked at on some placements only.
    fn bind_conditional(&mut self, expr: &Expr) -> Result<Term, EvaluationError> {
        self.conditions += 1;
        let term = self.bind(expr);
        self.conditions -= 1;
        term
    }

    /// The value of an expression that no placement changes.
    fn constant(&self, expr: &Expr) -> Result<Term, EvaluationError> {
        Ok(Term::Constant(match self.evaluator.evaluate(expr, &Placement::default()) {
            Ok(Value::Number(x)) => x,
            Ok(Value::Bool(b)) => f64::from(u8::from(b)),
            Ok(Value::Text(t)) => self.interner.number(&t),
            // Measured values are asked for wherever they are missing; anything else matters where it is looked at.
            Err(error) if self.conditions == 0 || is_input(&error.kind) => return Err(error),
            Err(_) => return Ok(undefined()),
        }))
    }

    fn is_shared(&self, c: ComponentId) -> bool {
        self.snapshot.application[c].hosting == cardinal_models::document::Hosting::Shared
    }

    /// An attribute of a dedicated component's node, or of a shared component's demand, which is a number.
    fn attribute(&mut self, c: ComponentId, attribute: &Attribute, wanted: Wanted) -> Term {
        if !self.is_shared(c) {
            return Term::Attribute(c, self.slots.of(attribute, wanted));
        }
        let demand = &self.snapshot.application[c].demand;
        Term::Constant(match attribute {
            Attribute::Cores => demand.cores.count(),
            Attribute::Memory => demand.memory.mib(),
            Attribute::Disk => demand.disk.mib(),
            Attribute::Gpus => f64::from(demand.gpus),
            _ => f64::NAN,
        })
    }

    fn fleet(&self, aggregate: Aggregate, component: ComponentId, body: Term, filter: Option<Term>) -> Term {
        let make = |aggregate, body: &Term| {
            Term::Fleet(Box::new(FleetTerm { aggregate, component, body: body.clone(), filter: filter.clone() }))
        };
        match aggregate {
            Aggregate::Mean => {
                binary(BinaryOp::Divide, make(Aggregate::Sum, &body), make(Aggregate::Count, &Term::Constant(1.0)))
            }
            Aggregate::Count if filter.is_none() => Term::Cardinality(component),
            _ => make(aggregate, &body),
        }
    }

    /// The price of all nodes, of those that commitments may cover what is left to pay.
    fn total_cost(&self) -> Term {
        let touched = crate::covered::touched(self.snapshot);
        let others = self.over_all_nodes(|part| match touched.contains(&part) {
            true => Term::Constant(0.0),
            false => Term::Cost(part),
        });
        if touched.is_empty() {
            return others;
        }
        let paid = Term::Paid(touched);
        match others {
            Term::Constant(_) => paid,
            others => binary(BinaryOp::Add, paid, others),
        }
    }

    /// The sum over every dedicated component with nodes and the shared pool.
    fn over_all_nodes(&self, part: impl Fn(Option<ComponentId>) -> Term) -> Term {
        let application = &self.snapshot.application;
        let ids = (0..application.components.len()).map(|i| ComponentId(i as u32));
        let ids = ids.filter(|c| !application[*c].is_free());
        let (shared, dedicated): (Vec<_>, Vec<_>) = ids.partition(|c| self.is_shared(*c));
        let mut parts: Vec<Term> = dedicated.into_iter().map(|c| part(Some(c))).collect();
        if !shared.is_empty() {
            parts.push(part(None));
        }
        parts.retain(|part| *part != Term::Constant(0.0));
        parts.into_iter().reduce(|a, b| binary(BinaryOp::Add, a, b)).unwrap_or(Term::Constant(0.0))
    }
}

/// A term that has no value anywhere.
fn undefined() -> Term {
    binary(BinaryOp::Divide, Term::Constant(1.0), Term::Constant(0.0))
}

/// True for a lack that the caller can mend by giving a value.
fn is_input(kind: &EvaluationErrorKind) -> bool {
    matches!(kind, EvaluationErrorKind::MissingMetric(_) | EvaluationErrorKind::NothingRunning)
}

/// An operator applied to two terms.
pub fn binary(op: BinaryOp, a: Term, b: Term) -> Term {
    Term::Binary(op, Box::new(a), Box::new(b))
}

/// Replaces a term over constants by its value, if it has one.
pub fn fold(term: Term) -> Term {
    let constant = match &term {
        Term::Negate(x) | Term::Not(x) => matches!(**x, Term::Constant(_)),
        Term::Binary(op, a, b) => {
            // 0 and x, 1 or x: decided by the left side alone, as the evaluator does.
            if let (BinaryOp::And | BinaryOp::Or | BinaryOp::Implies, Term::Constant(left)) = (op, a.as_ref()) {
                let decided = match op {
                    BinaryOp::And => (*left == 0.0).then_some(0.0),
                    BinaryOp::Or => (*left != 0.0).then_some(1.0),
                    _ => (*left == 0.0).then_some(1.0),
                };
                return match decided {
                    Some(value) => Term::Constant(value),
                    None => b.as_ref().clone(),
                };
            }
            matches!((a.as_ref(), b.as_ref()), (Term::Constant(_), Term::Constant(_)))
        }
        Term::Call(_, args) => args.iter().all(|a| matches!(a, Term::Constant(_))),
        _ => false,
    };
    if constant {
        let value = term.evaluate(&Nothing);
        if value.is_finite() {
            return Term::Constant(value);
        }
    }
    term
}

/// Where the leaves of a term get their values; what a point does not know has none.
pub trait Point {
    /// An attribute of the offer of a component.
    fn attribute(&self, _component: ComponentId, _slot: Slot) -> f64 {
        f64::NAN
    }
    /// The number of instances of a component.
    fn cardinality(&self, _component: ComponentId) -> f64 {
        f64::NAN
    }
    /// The price of the nodes of a component or of the shared pool.
    fn cost(&self, _component: Option<ComponentId>) -> f64 {
        f64::NAN
    }
    /// What is paid for the nodes of some parts after commitments.
    fn paid(&self, _parts: &[Option<ComponentId>]) -> f64 {
        f64::NAN
    }
    /// The number of nodes of a component or of the shared pool.
    fn nodes(&self, _component: Option<ComponentId>) -> f64 {
        f64::NAN
    }
    /// An aggregate over the nodes of a component.
    fn fleet(&self, _fleet: &FleetTerm) -> f64 {
        f64::NAN
    }
}

/// A point that knows nothing: only constants have a value.
pub(crate) struct Nothing;

impl Point for Nothing {}

/// A truth value as a number.
fn truth(b: bool) -> f64 {
    if b { 1.0 } else { 0.0 }
}

/// What is not finite is undefined.
fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::NAN }
}

/// An operator on two defined numbers; NaN where it is undefined.
pub fn apply(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => finite(a + b),
        BinaryOp::Subtract => finite(a - b),
        BinaryOp::Multiply => finite(a * b),
        BinaryOp::Divide => finite(a / b),
        BinaryOp::Remainder => finite(a % b),
        BinaryOp::Power => finite(a.powf(b)),
        BinaryOp::LessEqual => truth(tolerance::at_most(a, b)),
        BinaryOp::Less => truth(tolerance::less(a, b)),
        BinaryOp::GreaterEqual => truth(tolerance::at_most(b, a)),
        BinaryOp::Greater => truth(tolerance::less(b, a)),
        BinaryOp::Equal => truth(tolerance::equal(a, b)),
        BinaryOp::NotEqual => truth(!tolerance::equal(a, b)),
        BinaryOp::And => truth(a != 0.0 && b != 0.0),
        BinaryOp::Or => truth(a != 0.0 || b != 0.0),
        BinaryOp::Xor => truth((a != 0.0) != (b != 0.0)),
        BinaryOp::Implies => truth(a == 0.0 || b != 0.0),
    }
}

impl Term {
    /// The value at a point; NaN where it is undefined.
    pub fn evaluate(&self, point: &impl Point) -> f64 {
        match self {
            Term::Constant(x) => *x,
            Term::Attribute(c, slot) => point.attribute(*c, *slot),
            Term::Cardinality(c) => point.cardinality(*c),
            Term::Cost(c) => point.cost(*c),
            Term::Paid(parts) => point.paid(parts),
            Term::Nodes(c) => point.nodes(*c),
            Term::Fleet(fleet) => point.fleet(fleet),
            Term::Negate(x) => -x.evaluate(point),
            Term::Not(x) => {
                let x = x.evaluate(point);
                if x.is_nan() { x } else { truth(x == 0.0) }
            }
            Term::Binary(op, a, b) => {
                let a = a.evaluate(point);
                match op {
                    _ if a.is_nan() => return a,
                    BinaryOp::And if a == 0.0 => return 0.0,
                    BinaryOp::Or if a != 0.0 => return 1.0,
                    BinaryOp::Implies if a == 0.0 => return 1.0,
                    _ => {}
                }
                let b = b.evaluate(point);
                if b.is_nan() { b } else { apply(*op, a, b) }
            }
            Term::If(c, a, b) => {
                let c = c.evaluate(point);
                if c.is_nan() {
                    c
                } else if c != 0.0 {
                    a.evaluate(point)
                } else {
                    b.evaluate(point)
                }
            }
            Term::Call(function, args) => {
                let mut values = [0.0; 8];
                if args.len() <= values.len() {
                    for (value, arg) in values.iter_mut().zip(args) {
                        *value = arg.evaluate(point);
                    }
                    call(*function, &values[..args.len()])
                } else {
                    call(*function, &args.iter().map(|a| a.evaluate(point)).collect::<Vec<_>>())
                }
            }
        }
    }

    /// The terms directly inside this one, the body and filter of an aggregate excluded.
    pub fn children(&self) -> Vec<&Term> {
        match self {
            Term::Negate(x) | Term::Not(x) => vec![x],
            Term::Binary(_, a, b) => vec![a, b],
            Term::If(c, a, b) => vec![c, a, b],
            Term::Call(_, args) => args.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Calls `visit` on every leaf: attributes, cardinalities, costs, node counts and aggregates.
    pub fn leaves<'t>(&'t self, visit: &mut impl FnMut(&'t Term)) {
        match self {
            Term::Constant(_) => {}
            Term::Attribute(..)
            | Term::Cardinality(_)
            | Term::Cost(_)
            | Term::Paid(_)
            | Term::Nodes(_)
            | Term::Fleet(_) => visit(self),
            _ => self.children().into_iter().for_each(|c| c.leaves(visit)),
        }
    }

    /// True when the term is a truth value.
    pub fn is_truth(&self) -> bool {
        match self {
            Term::Not(_) => true,
            Term::Binary(op, ..) => {
                op.is_comparison() || matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Implies)
            }
            Term::Constant(x) => *x == 0.0 || *x == 1.0,
            Term::If(_, a, b) => a.is_truth() && b.is_truth(),
            _ => false,
        }
    }
}

fn call(function: Function, args: &[f64]) -> f64 {
    if args.iter().any(|a| a.is_nan()) {
        return f64::NAN;
    }
    function.apply(args).map_or(f64::NAN, finite)
}
