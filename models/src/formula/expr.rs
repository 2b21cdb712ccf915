//! The typed expression: names resolved, units settled, conversions written out as multiplications.

use std::sync::Arc;

use crate::application::{ComponentId, DataId, LinkId, MetricId};
use crate::formula::function::Function;
use crate::offer::Attribute;
use crate::span::Span;
use crate::unit::Unit;

/// The type of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// A number. `None`: a bare number, which fits any unit.
    Number(Option<Unit>),
    /// A truth value.
    Bool,
    /// A text.
    Text,
}

/// A typed expression. Every number is in the unit of its type.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(Arc<str>),
    /// The value of a metric; of a computed one its formula, unless the snapshot gives a value.
    Metric(MetricId),
    /// An attribute of a component: its cardinality, or an attribute of the offer of a uniform fleet, or (shared
    /// hosting) of the demand of an instance. Inside a fleet or candidates aggregate over the same component: of the
    /// node or offer in turn.
    Attribute(ComponentId, Attribute),
    /// The price of all nodes per hour.
    TotalCost,
    /// The number of all nodes.
    NodeCount,
    /// What the traffic of a link costs per hour.
    LinkCost(LinkId),
    /// The longest round trip in milliseconds between instances that talk over a link; 0 when none do.
    LinkLatency(LinkId),
    /// What storing the replicas of a data source costs per hour.
    StorageCost(DataId),
    /// `-x`.
    Negate(Box<Expr>),
    /// `not x`.
    Not(Box<Expr>),
    /// Arithmetic, comparison and logic of two operands.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `if(condition, then, otherwise)`; only the chosen branch is evaluated.
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    /// A function of numbers.
    Call(Function, Vec<Expr>),
    /// An aggregate over the nodes of a component: `sum(worker.cores)`, `count(worker, worker.cores >= 4)`. The body
    /// is 1 for `count`. Of the nodes that satisfy the filter, or all.
    Fleet {
        /// How the values become one.
        aggregate: Aggregate,
        /// Whose nodes; one entry for each instance.
        component: ComponentId,
        /// The value for one node.
        body: Box<Expr>,
        /// Which nodes count.
        filter: Option<Box<Expr>>,
    },
    /// An aggregate over all offers that a component may use: `candidates.min(worker.price)`.
    Candidates {
        /// How the values become one.
        aggregate: Aggregate,
        /// Whose admissible offers.
        component: ComponentId,
        /// The value for one offer.
        body: Box<Expr>,
    },
    /// The value of the expression for the running deployment; the fallback when nothing runs.
    Current(Box<Expr>, Option<Box<Expr>>),
}

/// How the values over a fleet or over candidates become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The sum; 0 over nothing.
    Sum,
    /// The number; 0 over nothing.
    Count,
    /// The smallest; undefined over nothing.
    Min,
    /// The largest; undefined over nothing.
    Max,
    /// The mean; undefined over nothing.
    Mean,
}

impl Aggregate {
    /// The word in formulas.
    pub fn name(self) -> &'static str {
        match self {
            Aggregate::Sum => "sum",
            Aggregate::Count => "count",
            Aggregate::Min => "min",
            Aggregate::Max => "max",
            Aggregate::Mean => "mean",
        }
    }
}

/// Operators of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`; undefined for b = 0
    Divide,
    /// `a % b`, the remainder with the sign of a; undefined for b = 0
    Remainder,
    /// `a ^ b`; undefined where the result is not a real number
    Power,
    /// `a <= b`
    LessEqual,
    /// `a < b`
    Less,
    /// `a >= b`
    GreaterEqual,
    /// `a > b`
    Greater,
    /// `a == b`, of numbers or texts
    Equal,
    /// `a != b`, of numbers or texts
    NotEqual,
    /// `a and b`; b is evaluated only when a holds
    And,
    /// `a or b`; b is evaluated only when a does not hold
    Or,
    /// `a xor b`
    Xor,
    /// `a implies b`; b is evaluated only when a holds
    Implies,
}

impl BinaryOp {
    /// The operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Power => "^",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Less => "<",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Greater => ">",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::Xor => "xor",
            BinaryOp::Implies => "implies",
        }
    }

    /// True for comparisons.
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, LessEqual | Less | GreaterEqual | Greater | Equal | NotEqual)
    }
}

impl Expr {
    /// A bare number that a program made.
    pub fn number(value: f64) -> Expr {
        Expr { kind: ExprKind::Number(value), ty: Type::Number(None), span: Span::NONE }
    }

    /// A truth value that a program made.
    pub fn bool(value: bool) -> Expr {
        Expr { kind: ExprKind::Bool(value), ty: Type::Bool, span: Span::NONE }
    }

    /// Calls `visit` on this expression and every one inside it, parents first.
    pub fn walk(&self, visit: &mut impl FnMut(&Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// The expression as one that stands in no text.
    #[must_use]
    pub fn without_places(mut self) -> Expr {
        self.forget_places();
        self
    }

    fn forget_places(&mut self) {
        self.span = Span::NONE;
        match &mut self.kind {
            ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Text(_)
            | ExprKind::Metric(_)
            | ExprKind::Attribute(..)
            | ExprKind::TotalCost
            | ExprKind::NodeCount
            | ExprKind::LinkCost(_)
            | ExprKind::LinkLatency(_)
            | ExprKind::StorageCost(_) => {}
            ExprKind::Negate(x) | ExprKind::Not(x) => x.forget_places(),
            ExprKind::Binary(_, a, b) => {
                a.forget_places();
                b.forget_places();
            }
            ExprKind::If(c, a, b) => [c, a, b].into_iter().for_each(|x| x.forget_places()),
            ExprKind::Call(_, args) => args.iter_mut().for_each(Expr::forget_places),
            ExprKind::Fleet { body, filter, .. } => {
                body.forget_places();
                filter.iter_mut().for_each(|x| x.forget_places());
            }
            ExprKind::Candidates { body, .. } => body.forget_places(),
            ExprKind::Current(x, fallback) => {
                x.forget_places();
                fallback.iter_mut().for_each(|x| x.forget_places());
            }
        }
    }

    /// The expressions directly inside this one.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Number(_)
            | ExprKind::Bool(_)
            | ExprKind::Text(_)
            | ExprKind::Metric(_)
            | ExprKind::Attribute(..)
            | ExprKind::TotalCost
            | ExprKind::NodeCount
            | ExprKind::LinkCost(_)
            | ExprKind::LinkLatency(_)
            | ExprKind::StorageCost(_) => Vec::new(),
            ExprKind::Negate(x) | ExprKind::Not(x) => vec![x],
            ExprKind::Binary(_, a, b) => vec![a, b],
            ExprKind::If(c, a, b) => vec![c, a, b],
            ExprKind::Call(_, args) => args.iter().collect(),
            ExprKind::Fleet { body, filter, .. } => {
                let mut all = vec![body.as_ref()];
                all.extend(filter.as_deref());
                all
            }
            ExprKind::Candidates { body, .. } => vec![body],
            ExprKind::Current(x, fallback) => {
                let mut all = vec![x.as_ref()];
                all.extend(fallback.as_deref());
                all
            }
        }
    }
}
