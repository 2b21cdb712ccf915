//! The exact value of a formula on a placement.
//!
//! This is the meaning of the language: tables, bounds and encodings of the solver are right when they agree with it.
//! Every comparison uses [`crate::tolerance`]; what is undefined is an error with its place, and neither NaN nor an
//! infinity ever leaves this module.

mod traffic;

pub use traffic::LinkUse;

use std::cell::RefCell;
use std::fmt::{self, Display, Formatter};
use std::rc::Rc;
use std::sync::Arc;

use crate::admissible::admissible;
use crate::application::{Component, ComponentId, DataId, LinkId, MetricId};
use crate::catalog::OfferIndex;
use crate::document::Hosting;
use crate::formula::expr::{Aggregate, BinaryOp, Expr, ExprKind, Type};
use crate::formula::function::{DomainError, Function};
use crate::formula::operation::{ArithmeticError, same_text};
use crate::offer::{Attribute, AttributeValue};
use crate::placement::{CurrentDeployment, Placement, VanishedNodes};
use crate::quantity::Price;
use crate::snapshot::Snapshot;
use crate::span::Span;

/// The value of a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number in the unit of the formula's type; always finite.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Arc<str>),
}

/// A formula has no value.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluationError {
    /// The part of the formula that has none.
    pub span: Span,
    /// Why.
    pub kind: EvaluationErrorKind,
}

/// Why a formula has no value.
#[derive(Clone, Debug, PartialEq)]
pub enum EvaluationErrorKind {
    /// A division by zero, a power or an overflow.
    Arithmetic(ArithmeticError),
    /// A function outside its domain.
    Domain(DomainError),
    /// A number of the input is not finite.
    NotFinite,
    /// A measured metric has neither a value nor a default.
    MissingMetric(Arc<str>),
    /// The offer does not tell an attribute of the component.
    MissingAttribute {
        /// The component.
        component: Arc<str>,
        /// The attribute.
        attribute: Attribute,
        /// The id of the offer.
        offer: Arc<str>,
    },
    /// A label is a text where the formula needs a number.
    NotANumber {
        /// The label.
        label: Arc<str>,
        /// Its value.
        value: Arc<str>,
    },
    /// An attribute, the smallest, the largest or the mean of a component without instances.
    EmptyFleet(Arc<str>),
    /// No value is chosen for a free attribute.
    NotChosen {
        /// The component.
        component: Arc<str>,
        /// The attribute.
        attribute: Attribute,
    },
    /// The component has no admissible offer, so that no smallest, largest or mean exists.
    NoCandidates(Arc<str>),
    /// An attribute of a uniform fleet whose nodes differ in it.
    NotUniform {
        /// The component.
        component: Arc<str>,
        /// The attribute.
        attribute: Attribute,
    },
    /// `current(...)` without a fallback while nothing runs.
    NothingRunning,
    /// The network tells no price for what goes this way.
    UnknownPrice {
        /// Whence.
        from: Arc<str>,
        /// Whither.
        to: Arc<str>,
    },
    /// The network tells no latency, and the places do not tell where they are.
    UnknownLatency {
        /// Whence.
        from: Arc<str>,
        /// Whither.
        to: Arc<str>,
    },
    /// Nothing says where the replicas of a data source are.
    NoReplica(Arc<str>),
    /// A data source may be in fewer places than it has replicas.
    TooFewPlaces {
        /// The data source.
        data: Arc<str>,
        /// The places.
        places: usize,
        /// The replicas.
        least: u32,
    },
    /// The replicas of a data source can be put in more ways than can be listed.
    TooManyWays {
        /// The data source.
        data: Arc<str>,
        /// How many.
        ways: f64,
        /// How many there may be.
        limit: usize,
    },
    /// The traffic of a link is below 0.
    Negative(Arc<str>),
    /// The placement or the formula names something that does not exist: a fault of the program that made it.
    Unknown(&'static str),
    /// The numbers of instances or nodes are too large to be counted.
    TooMany,
    /// Computed metrics refer to each other more deeply than the evaluator follows.
    TooDeep,
}

impl Display for EvaluationErrorKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            EvaluationErrorKind::Arithmetic(error) => write!(f, "{error}"),
            EvaluationErrorKind::Domain(error) => write!(f, "{error}"),
            EvaluationErrorKind::NotFinite => f.write_str("a number of the input is not finite"),
            EvaluationErrorKind::MissingMetric(name) => write!(f, "the metric `{name}` has no value"),
            EvaluationErrorKind::MissingAttribute { component, attribute, offer } => {
                write!(f, "the offer `{offer}` of `{component}` does not tell its {}", attribute.name())
            }
            EvaluationErrorKind::NotANumber { label, value } => {
                write!(f, "the label `{label}` is the text \"{value}\" where a number is needed")
            }
            EvaluationErrorKind::EmptyFleet(component) => write!(f, "`{component}` has no instances"),
            EvaluationErrorKind::NotChosen { component, attribute } => {
                write!(f, "no value is chosen for `{component}.{}`", attribute.name())
            }
            EvaluationErrorKind::NoCandidates(component) => write!(f, "no offer may host `{component}`"),
            EvaluationErrorKind::NotUniform { component, attribute } => {
                write!(f, "the nodes of `{component}` differ in their {}", attribute.name())
            }
            EvaluationErrorKind::NothingRunning => f.write_str("nothing runs yet, and `current` has no fallback"),
            EvaluationErrorKind::UnknownPrice { from, to } => {
                write!(f, "no price is known for traffic from `{from}` to `{to}`")
            }
            EvaluationErrorKind::UnknownLatency { from, to } => {
                write!(f, "no latency is known between `{from}` and `{to}`")
            }
            EvaluationErrorKind::NoReplica(data) => write!(f, "there is no place for the data source `{data}`"),
            EvaluationErrorKind::TooFewPlaces { data, places, least } => {
                write!(f, "the catalog has {places} places for the {least} replicas of `{data}`")
            }
            EvaluationErrorKind::TooManyWays { data, ways, limit } => {
                write!(f, "the replicas of `{data}` can be put in {ways} ways, more than {limit}")
            }
            EvaluationErrorKind::Negative(link) => write!(f, "the traffic of `{link}` is below 0"),
            EvaluationErrorKind::Unknown(what) => write!(f, "there is no such {what}"),
            EvaluationErrorKind::TooMany => f.write_str("there are too many instances or nodes to count"),
            EvaluationErrorKind::TooDeep => f.write_str("the metrics refer to each other too deeply"),
        }
    }
}

impl Display for EvaluationError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for EvaluationError {}

impl EvaluationError {
    /// True when the value depends on how deep the evaluation already was, so that it must not be remembered.
    fn is_too_deep(&self) -> bool {
        self.kind == EvaluationErrorKind::TooDeep
    }
}

/// How deep the evaluation may recurse: above what one formula can need, low enough for the stack of any thread. The
/// functions on the way are kept out of each other (`inline(never)`), so that a level takes little of the stack.
const DEPTH_LIMIT: u32 = 1500;

type Evaluated<T> = Result<T, EvaluationErrorKind>;

/// The nodes that a formula speaks of.
#[derive(Clone, Copy)]
struct View<'v> {
    placement: &'v Placement,
    vanished: &'v [VanishedNodes],
    /// The node or offer in turn, inside an aggregate.
    item: Option<(ComponentId, Item<'v>)>,
    memo: &'v Memo,
    depth: u32,
}

/// The values of computed metrics on one placement. Without it, metrics that mention each other twice would be computed
/// a number of times that is exponential in their number.
type Memo = RefCell<Vec<(MetricId, Result<f64, EvaluationError>)>>;

/// What an attribute is of.
#[derive(Clone, Copy, PartialEq)]
enum Item<'v> {
    /// A node of an offer, or the offer itself.
    Offer(OfferIndex),
    /// An instance on a shared node.
    Demand,
    /// A running node whose offer is gone.
    Vanished(&'v VanishedNodes),
}

impl View<'_> {
    /// One level deeper.
    fn deeper(self) -> Evaluated<Self> {
        if self.depth >= DEPTH_LIMIT {
            return Err(EvaluationErrorKind::TooDeep);
        }
        Ok(View { depth: self.depth + 1, ..self })
    }
}

/// Evaluates formulas on placements of one snapshot.
#[derive(Debug)]
pub struct Evaluator<'s> {
    snapshot: &'s Snapshot,
    /// The admissible offers of each component, once they are needed.
    admissible: RefCell<Vec<Option<Rc<[OfferIndex]>>>>,
    /// Aggregates over candidates with their values.
    candidates: RefCell<Vec<(Expr, Result<f64, EvaluationError>)>>,
    /// Computed metrics of what runs now.
    current: Memo,
}

impl<'s> Evaluator<'s> {
    /// An evaluator for the placements of a snapshot.
    pub fn new(snapshot: &'s Snapshot) -> Self {
        Evaluator {
            snapshot,
            admissible: RefCell::new(vec![None; snapshot.application.components.len()]),
            candidates: RefCell::new(Vec::new()),
            current: Memo::default(),
        }
    }

    /// The value of a formula on a placement.
    pub fn evaluate(&self, expr: &Expr, placement: &Placement) -> Result<Value, EvaluationError> {
        self.value(expr, View { placement, vanished: &[], item: None, memo: &Memo::default(), depth: 0 })
    }

    /// The value of a numeric formula on a placement; a truth value counts 1 or 0.
    pub fn number(&self, expr: &Expr, placement: &Placement) -> Result<f64, EvaluationError> {
        self.number_of(expr, View { placement, vanished: &[], item: None, memo: &Memo::default(), depth: 0 })
    }

    /// The truth of a condition on a placement; a number other than 0 is true.
    pub fn bool(&self, expr: &Expr, placement: &Placement) -> Result<bool, EvaluationError> {
        self.bool_of(expr, View { placement, vanished: &[], item: None, memo: &Memo::default(), depth: 0 })
    }

    /// The value of a formula on what runs now, nodes on vanished offers included; nothing runs without a deployment.
    pub fn evaluate_current(&self, expr: &Expr) -> Result<Value, EvaluationError> {
        match &self.snapshot.current {
            Some(now) => self.value(expr, self.now(now, 0)),
            None => Err(EvaluationError { span: expr.span, kind: EvaluationErrorKind::NothingRunning }),
        }
    }

    fn now<'v>(&'v self, now: &'v CurrentDeployment, depth: u32) -> View<'v> {
        View { placement: &now.placement, vanished: &now.vanished, item: None, memo: &self.current, depth }
    }

    fn value(&self, expr: &Expr, view: View<'_>) -> Result<Value, EvaluationError> {
        let at = |kind| EvaluationError { span: expr.span, kind };
        let view = view.deeper().map_err(at)?;
        match &expr.kind {
            ExprKind::Number(value) => finite(*value).map_err(at),
            ExprKind::Bool(value) => Ok(Value::Bool(*value)),
            ExprKind::Text(text) => Ok(Value::Text(text.clone())),
            ExprKind::Metric(id) => self.metric(*id, expr, view),
            ExprKind::Attribute(component, attribute) => {
                self.attribute(*component, attribute, &expr.ty, view).map_err(at)
            }
            ExprKind::TotalCost => self.total_cost(expr.span, view),
            ExprKind::NodeCount => Ok(Value::Number(node_count(view))),
            ExprKind::LinkCost(link) => finite(self.link_use(*link, view)?.cost).map_err(at),
            ExprKind::LinkLatency(link) => self.link_latency(*link, view).and_then(finite).map_err(at),
            ExprKind::StorageCost(data) => self.storage_cost(*data, view).and_then(finite).map_err(at),
            ExprKind::Negate(x) => Ok(Value::Number(-self.number_of(x, view)?)),
            ExprKind::Not(x) => Ok(Value::Bool(!self.bool_of(x, view)?)),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, expr.span, view),
            ExprKind::If(condition, then, otherwise) => {
                let chosen = if self.bool_of(condition, view)? { then } else { otherwise };
                self.value(chosen, view)
            }
            ExprKind::Call(function, args) => self.call(*function, args, expr.span, view),
            ExprKind::Fleet { aggregate, component, body, filter } => {
                self.fleet(*aggregate, *component, body, filter.as_deref(), expr.span, view).map(Value::Number)
            }
            ExprKind::Candidates { aggregate, component, body } => {
                self.candidates(expr, *aggregate, *component, body, view).map(Value::Number)
            }
            ExprKind::Current(x, fallback) => match (&self.snapshot.current, fallback) {
                (Some(now), _) => self.value(x, self.now(now, view.depth)),
                (None, Some(fallback)) => self.value(fallback, view),
                (None, None) => Err(at(EvaluationErrorKind::NothingRunning)),
            },
        }
    }

    #[inline(never)]
    fn call(&self, function: Function, args: &[Expr], span: Span, view: View<'_>) -> Result<Value, EvaluationError> {
        let args: Result<Vec<f64>, _> = args.iter().map(|arg| self.number_of(arg, view)).collect();
        let wrong = |error| EvaluationError { span, kind: EvaluationErrorKind::Domain(error) };
        function.apply(&args?).map(Value::Number).map_err(wrong)
    }

    fn number_of(&self, expr: &Expr, view: View<'_>) -> Result<f64, EvaluationError> {
        match self.value(expr, view)? {
            Value::Number(value) => Ok(value),
            Value::Bool(value) => Ok(f64::from(value)),
            Value::Text(_) => Err(EvaluationError { span: expr.span, kind: EvaluationErrorKind::Unknown("number") }),
        }
    }

    fn bool_of(&self, expr: &Expr, view: View<'_>) -> Result<bool, EvaluationError> {
        match self.value(expr, view)? {
            Value::Bool(value) => Ok(value),
            Value::Number(value) => Ok(value != 0.0),
            Value::Text(_) => Err(EvaluationError { span: expr.span, kind: EvaluationErrorKind::Unknown("condition") }),
        }
    }

    #[inline(never)]
    fn binary(&self, op: BinaryOp, a: &Expr, b: &Expr, span: Span, view: View<'_>) -> Result<Value, EvaluationError> {
        match op {
            BinaryOp::And => Ok(Value::Bool(self.bool_of(a, view)? && self.bool_of(b, view)?)),
            BinaryOp::Or => Ok(Value::Bool(self.bool_of(a, view)? || self.bool_of(b, view)?)),
            BinaryOp::Implies => Ok(Value::Bool(!self.bool_of(a, view)? || self.bool_of(b, view)?)),
            BinaryOp::Xor => Ok(Value::Bool(self.bool_of(a, view)? != self.bool_of(b, view)?)),
            BinaryOp::Equal | BinaryOp::NotEqual if a.ty == Type::Text => {
                match (self.value(a, view)?, self.value(b, view)?) {
                    (Value::Text(x), Value::Text(y)) => Ok(Value::Bool(same_text(&x, &y) == (op == BinaryOp::Equal))),
                    _ => Err(EvaluationError { span, kind: EvaluationErrorKind::Unknown("text") }),
                }
            }
            _ if op.is_comparison() => Ok(Value::Bool(op.compares(self.number_of(a, view)?, self.number_of(b, view)?))),
            _ => {
                let value = op.number(self.number_of(a, view)?, self.number_of(b, view)?);
                let wrong = |error| EvaluationError { span, kind: EvaluationErrorKind::Arithmetic(error) };
                value.map(Value::Number).map_err(wrong)
            }
        }
    }

    #[inline(never)]
    fn metric(&self, id: MetricId, expr: &Expr, view: View<'_>) -> Result<Value, EvaluationError> {
        let at = |kind| EvaluationError { span: expr.span, kind };
        let Some(metric) = self.snapshot.application.metrics.get(id.index()) else {
            return Err(at(EvaluationErrorKind::Unknown("metric")));
        };
        if let Some(value) = self.snapshot.metrics.get(id.index()).copied().flatten() {
            return finite(value).map_err(at);
        }
        match (&metric.formula, metric.default) {
            (Some(formula), _) => {
                let known = view.memo.borrow().iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone());
                if let Some(known) = known {
                    return known.map(Value::Number);
                }
                // A metric has its own words: the aggregate that mentions it does not reach inside.
                let value = self.number_of(formula, View { item: None, ..view });
                if !value.as_ref().is_err_and(EvaluationError::is_too_deep) {
                    view.memo.borrow_mut().push((id, value.clone()));
                }
                value.map(Value::Number)
            }
            (None, Some(default)) => finite(default).map_err(at),
            (None, None) => Err(at(EvaluationErrorKind::MissingMetric(metric.name.clone()))),
        }
    }

    fn name(&self, component: ComponentId) -> Arc<str> {
        self.snapshot.application.components.get(component.index()).map_or_else(|| "?".into(), |c| c.name.clone())
    }

    /// The price of all nodes, what the traffic of all links costs, and what storing all replicas does.
    #[inline(never)]
    fn total_cost(&self, span: Span, view: View<'_>) -> Result<Value, EvaluationError> {
        let at = |kind| EvaluationError { span, kind };
        let mut total = self.node_cost(view).map_err(at)?;
        for link in 0..self.snapshot.application.links.len() {
            total += self.link_use(LinkId(link as u32), view)?.cost;
        }
        for data in 0..self.snapshot.application.data.len() {
            total += self.storage_cost(DataId(data as u32), view).map_err(at)?;
        }
        finite(total).map_err(at)
    }

    fn node_cost(&self, view: View<'_>) -> Evaluated<f64> {
        let mut total: i128 = 0;
        for group in &view.placement.groups {
            let offer = self.snapshot.catalog.offers().get(group.offer.0 as usize);
            let offer = offer.ok_or(EvaluationErrorKind::Unknown("offer"))?;
            total += i128::from(offer.price.nanos()) * i128::from(group.count);
        }
        for nodes in view.vanished {
            let price = nodes.price.ok_or_else(|| EvaluationErrorKind::MissingAttribute {
                component: nodes.instances.first().map_or_else(|| "?".into(), |(c, _)| self.name(*c)),
                attribute: Attribute::Price,
                offer: nodes.offer.clone(),
            })?;
            total += i128::from(price.nanos()) * i128::from(nodes.count);
        }
        if !self.snapshot.application.commitments.is_empty() {
            let covered = self.snapshot.bill(view.placement).covered;
            total -= covered.iter().map(|c| i128::from(c.saved.nanos())).sum::<i128>();
        }
        Ok(total as f64 / Price::SCALE as f64)
    }

    /// Every kind of node on which the component has instances, with the number of these instances.
    fn hosts<'v>(&self, component: ComponentId, view: View<'v>) -> Evaluated<Vec<(Item<'v>, u64)>> {
        let Some(described) = self.snapshot.application.components.get(component.index()) else {
            return Err(EvaluationErrorKind::Unknown("component"));
        };
        let shared = described.hosting == Hosting::Shared;
        let mut hosts: Vec<(Item<'v>, u64)> = Vec::new();
        let groups = view.placement.groups.iter().map(|g| (Item::Offer(g.offer), &g.instances, g.count));
        let vanished = view.vanished.iter().map(|v| (Item::Vanished(v), &v.instances, v.count));
        for (item, instances, count) in groups.chain(vanished) {
            let item = if shared { Item::Demand } else { item };
            for (_, n) in instances.iter().filter(|(c, _)| *c == component) {
                let number = u64::from(*n) * u64::from(count);
                match hosts.last_mut().filter(|(known, _)| *known == item) {
                    Some((_, sum)) => *sum = sum.checked_add(number).ok_or(EvaluationErrorKind::TooMany)?,
                    None => hosts.push((item, number)),
                }
            }
        }
        hosts.retain(|(_, number)| *number > 0);
        Ok(hosts)
    }

    #[inline(never)]
    fn attribute(&self, component: ComponentId, attribute: &Attribute, ty: &Type, view: View<'_>) -> Evaluated<Value> {
        if self.snapshot.application.components.get(component.index()).is_some_and(Component::is_free) {
            let missing =
                || EvaluationErrorKind::NotChosen { component: self.name(component), attribute: attribute.clone() };
            return finite(view.placement.setting(component, attribute).ok_or_else(missing)?);
        }
        if *attribute == Attribute::Cardinality {
            let mut total: u64 = 0;
            for (_, number) in self.hosts(component, view)? {
                total = total.checked_add(number).ok_or(EvaluationErrorKind::TooMany)?;
            }
            return Ok(Value::Number(total as f64));
        }
        if let Some((of, item)) = view.item
            && of == component
        {
            return self.attribute_of(component, item, attribute, ty);
        }
        let Some(described) = self.snapshot.application.components.get(component.index()) else {
            return Err(EvaluationErrorKind::Unknown("component"));
        };
        if described.hosting == Hosting::Shared {
            return self.attribute_of(component, Item::Demand, attribute, ty);
        }
        let hosts = self.hosts(component, view)?;
        let mut values = hosts.iter().map(|(item, _)| self.attribute_of(component, *item, attribute, ty));
        let first = values.next().ok_or_else(|| EvaluationErrorKind::EmptyFleet(self.name(component)))??;
        for value in values {
            if value? != first {
                let (component, attribute) = (self.name(component), attribute.clone());
                return Err(EvaluationErrorKind::NotUniform { component, attribute });
            }
        }
        Ok(first)
    }

    fn attribute_of(
        &self,
        component: ComponentId,
        item: Item<'_>,
        attribute: &Attribute,
        ty: &Type,
    ) -> Evaluated<Value> {
        let missing = |offer: Arc<str>| EvaluationErrorKind::MissingAttribute {
            component: self.name(component),
            attribute: attribute.clone(),
            offer,
        };
        let offer = match item {
            Item::Demand => {
                let described = self.snapshot.application.components.get(component.index());
                let demand = described.ok_or(EvaluationErrorKind::Unknown("component"))?.demand;
                return match attribute {
                    Attribute::Cores => finite(demand.cores.count()),
                    Attribute::Memory => finite(demand.memory.mib()),
                    Attribute::Disk => finite(demand.disk.mib()),
                    Attribute::Gpus => finite(f64::from(demand.gpus)),
                    _ => Err(EvaluationErrorKind::Unknown("attribute of an instance on shared nodes")),
                };
            }
            Item::Vanished(nodes) => {
                return match (attribute, nodes.price) {
                    (Attribute::Price, Some(price)) => finite(price.units()),
                    _ => Err(missing(nodes.offer.clone())),
                };
            }
            Item::Offer(index) => {
                let offer = self.snapshot.catalog.offers().get(index.0 as usize);
                offer.ok_or(EvaluationErrorKind::Unknown("offer"))?
            }
        };
        match (offer.attribute(attribute), ty) {
            (AttributeValue::Missing, _) => Err(missing(offer.id.clone())),
            (AttributeValue::Number(value), Type::Text) => Ok(Value::Text(value.to_string().into())),
            (AttributeValue::Number(value), _) => finite(value),
            (AttributeValue::Text(text), Type::Text) => Ok(Value::Text(text)),
            (AttributeValue::Text(text), _) => match text.trim().parse::<f64>() {
                Ok(value) => finite(value),
                Err(_) => Err(EvaluationErrorKind::NotANumber { label: attribute.name().into(), value: text }),
            },
        }
    }

    #[inline(never)]
    fn fleet(
        &self,
        aggregate: Aggregate,
        component: ComponentId,
        body: &Expr,
        filter: Option<&Expr>,
        span: Span,
        view: View<'_>,
    ) -> Result<f64, EvaluationError> {
        let at = |kind| EvaluationError { span, kind };
        let mut tally = Tally::default();
        for (item, number) in self.hosts(component, view).map_err(at)? {
            let view = View { item: Some((component, item)), ..view };
            if let Some(filter) = filter
                && !self.bool_of(filter, view)?
            {
                continue;
            }
            // Counting needs no value, which could be undefined.
            let value = if aggregate == Aggregate::Count { 1.0 } else { self.number_of(body, view)? };
            tally.add(value, number as f64);
        }
        tally.result(aggregate, EvaluationErrorKind::EmptyFleet(self.name(component))).map_err(at)
    }

    #[inline(never)]
    fn candidates(
        &self,
        expr: &Expr,
        aggregate: Aggregate,
        component: ComponentId,
        body: &Expr,
        view: View<'_>,
    ) -> Result<f64, EvaluationError> {
        let known = self.candidates.borrow().iter().find(|(e, _)| e == expr).map(|(_, value)| value.clone());
        if let Some(known) = known {
            return known;
        }
        let at = |kind| EvaluationError { span: expr.span, kind };
        let compute = || {
            let mut tally = Tally::default();
            for offer in self.admissible(component).iter() {
                let item = Some((component, Item::Offer(*offer)));
                let value =
                    if aggregate == Aggregate::Count { 1.0 } else { self.number_of(body, View { item, ..view })? };
                tally.add(value, 1.0);
            }
            tally.result(aggregate, EvaluationErrorKind::NoCandidates(self.name(component))).map_err(at)
        };
        let value = compute();
        if !self.depends_on_placement(expr) && !value.as_ref().is_err_and(EvaluationError::is_too_deep) {
            self.candidates.borrow_mut().push((expr.clone(), value.clone()));
        }
        value
    }

    fn admissible(&self, component: ComponentId) -> Rc<[OfferIndex]> {
        let known = self.admissible.borrow().get(component.index()).cloned().flatten();
        if let Some(known) = known {
            return known;
        }
        let found: Rc<[OfferIndex]> = admissible(&self.snapshot.application, &self.snapshot.catalog, component).into();
        if let Some(slot) = self.admissible.borrow_mut().get_mut(component.index()) {
            *slot = Some(found.clone());
        }
        found
    }

    /// False when the formula has the same value on every placement of this snapshot. The attributes of the component
    /// of a candidates aggregate are those of its offers and depend on nothing.
    pub fn depends_on_placement(&self, expr: &Expr) -> bool {
        let application = &self.snapshot.application;
        let mut seen: Vec<MetricId> = Vec::new();
        // A list of what is left to look at, not recursion: metrics may mention each other in long chains.
        let mut left: Vec<(&Expr, Option<ComponentId>)> = vec![(expr, None)];
        while let Some((expr, candidates)) = left.pop() {
            match &expr.kind {
                ExprKind::TotalCost | ExprKind::NodeCount | ExprKind::Fleet { .. } => return true,
                ExprKind::LinkCost(_) | ExprKind::LinkLatency(_) | ExprKind::StorageCost(_) => return true,
                ExprKind::Attribute(_, Attribute::Cardinality) => return true,
                ExprKind::Attribute(component, _) => {
                    let hosting = application.components.get(component.index()).map(|c| c.hosting);
                    if Some(*component) != candidates && hosting != Some(Hosting::Shared) {
                        return true;
                    }
                }
                ExprKind::Metric(id) => {
                    let given = self.snapshot.metrics.get(id.index()).copied().flatten();
                    if given.is_none() && !seen.contains(id) {
                        seen.push(*id);
                        let formula = application.metrics.get(id.index()).and_then(|metric| metric.formula.as_ref());
                        left.extend(formula.map(|formula| (formula, None)));
                    }
                }
                ExprKind::Candidates { component, body, .. } => left.push((body, Some(*component))),
                ExprKind::Current(..) if self.snapshot.current.is_some() => {}
                ExprKind::Current(_, fallback) => left.extend(fallback.as_deref().map(|f| (f, candidates))),
                _ => left.extend(expr.children().into_iter().map(|child| (child, candidates))),
            }
        }
        false
    }
}

fn node_count(view: View<'_>) -> f64 {
    let placed: u64 = view.placement.groups.iter().map(|g| u64::from(g.count)).sum();
    let vanished: u64 = view.vanished.iter().map(|v| u64::from(v.count)).sum();
    placed as f64 + vanished as f64
}

fn finite(value: f64) -> Evaluated<Value> {
    if value.is_finite() { Ok(Value::Number(value)) } else { Err(EvaluationErrorKind::NotFinite) }
}

/// The running result of an aggregate.
#[derive(Default)]
struct Tally {
    number: f64,
    sum: f64,
    extremes: Option<(f64, f64)>,
}

impl Tally {
    fn add(&mut self, value: f64, times: f64) {
        self.number += times;
        self.sum += value * times;
        let (low, high) = self.extremes.unwrap_or((value, value));
        self.extremes = Some((low.min(value), high.max(value)));
    }

    fn result(&self, aggregate: Aggregate, empty: EvaluationErrorKind) -> Evaluated<f64> {
        let value = match (aggregate, self.extremes) {
            (Aggregate::Sum, _) => self.sum,
            (Aggregate::Count, _) => self.number,
            (_, None) => return Err(empty),
            (Aggregate::Min, Some((low, _))) => low,
            (Aggregate::Max, Some((_, high))) => high,
            (Aggregate::Mean, Some(_)) => self.sum / self.number,
        };
        if value.is_finite() { Ok(value) } else { Err(EvaluationErrorKind::Arithmetic(ArithmeticError::NotFinite)) }
    }
}

#[cfg(test)]
mod tests;
