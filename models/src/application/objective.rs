//! What is best: the objectives, and the constraints whose violation they pay for.

use std::sync::Arc;

use super::{Application, ConstraintKind};
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::formula::function::Function;
use crate::span::Span;
use crate::unit::Unit;

/// Which way an objective goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The larger the better.
    Maximize,
    /// The smaller the better.
    Minimize,
}

impl Direction {
    /// The word in models and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Maximize => "maximize",
            Direction::Minimize => "minimize",
        }
    }

    /// 1 to maximise, -1 to minimise: times this, the larger value is the better one.
    pub fn sign(self) -> f64 {
        match self {
            Direction::Maximize => 1.0,
            Direction::Minimize => -1.0,
        }
    }
}

/// How much of an objective may be given up for those after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// A share of the size of its best value.
    Relative(f64),
    /// An amount in its unit.
    Absolute(f64),
}

impl Tolerance {
    /// Nothing.
    pub const NONE: Tolerance = Tolerance::Absolute(0.0);

    /// The amount that may be given up of a best value.
    pub fn amount(self, best: f64) -> f64 {
        match self {
            Tolerance::Relative(share) => share * best.abs(),
            Tolerance::Absolute(amount) => amount,
        }
    }
}

/// An objective.
#[derive(Clone, Debug)]
pub struct Objective {
    /// Its name, when the model gives one.
    pub name: Option<Arc<str>>,
    /// Which way it goes.
    pub direction: Direction,
    /// What is optimised: the stated formula with what soft constraints cost.
    pub formula: Expr,
    /// The formula that the model states; the total cost when the model has none.
    pub stated: Expr,
    /// The stated formula as it was written; `total_cost` when the model has none.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// True when the model has no utility and the total cost is minimised.
    pub is_default: bool,
    /// The summands of a weighted sum; none of any other.
    pub parts: Vec<Weighted>,
    /// How much of it the objectives after it may give up.
    pub tolerance: Tolerance,
}

/// A summand of a weighted objective.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Its name, when the model gives one.
    pub name: Option<Arc<str>>,
    /// Which way it goes.
    pub direction: Direction,
    /// The formula.
    pub formula: Expr,
    /// The formula as it was written.
    pub text: String,
    /// How much one unit of it counts.
    pub weight: f64,
}

/// A constraint that may be violated at a price.
#[derive(Clone, Debug)]
pub struct Soft {
    /// Its name.
    pub name: Arc<str>,
    /// Constraint or SLO.
    pub kind: ConstraintKind,
    /// The formula, a truth value.
    pub formula: Expr,
    /// By how much it is violated; 0 where it holds.
    pub violation: Expr,
    /// The unit of the violation; `None` for a bare number.
    pub unit: Option<Unit>,
    /// What the first objective loses per unit of the violation, above zero.
    pub penalty: f64,
    /// The formula as it was written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

impl Soft {
    /// What the objective loses: the penalty times the violation.
    pub fn loss(&self) -> Expr {
        let penalty = Expr { span: self.span, ..Expr::number(self.penalty) };
        let kind = ExprKind::Binary(BinaryOp::Multiply, Box::new(penalty), Box::new(self.violation.clone()));
        Expr { kind, ty: Type::Number(None), span: self.span }
    }
}

impl Objective {
    /// The objective of a model without a utility: the total cost.
    pub fn total_cost() -> Objective {
        let cost = Expr { kind: ExprKind::TotalCost, ty: Type::Number(Some(Unit::PRICE)), span: Span::NONE };
        Objective {
            name: None,
            direction: Direction::Minimize,
            formula: cost.clone(),
            stated: cost,
            text: "total_cost".to_owned(),
            span: Span::NONE,
            is_default: true,
            parts: Vec::new(),
            tolerance: Tolerance::NONE,
        }
    }

    /// The objective with the losses of soft constraints taken from it.
    pub fn paying(mut self, soft: &[Soft]) -> Objective {
        let op = match self.direction {
            Direction::Maximize => BinaryOp::Subtract,
            Direction::Minimize => BinaryOp::Add,
        };
        let stated = self.stated.clone();
        let mut losses: Vec<Expr> = soft.iter().map(Soft::loss).collect();
        // One sum of all, not one in another: formulas are followed down by recursion.
        let paid = match losses.len() {
            0 | 1 => losses.pop(),
            _ => Some(Expr { kind: ExprKind::Call(Function::Sum, losses), ..Expr::number(0.0) }),
        };
        self.formula = match paid {
            None => stated,
            Some(paid) => {
                let (ty, span) = (stated.ty.clone(), stated.span);
                Expr { kind: ExprKind::Binary(op, Box::new(stated), Box::new(paid)), ty, span }
            }
        };
        self
    }

    /// What answers call it: its name, or its formula.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.text)
    }

    /// The unit of its value; `None` for a bare number.
    pub fn unit(&self) -> Option<Unit> {
        match self.stated.ty {
            Type::Number(unit) => unit,
            Type::Bool | Type::Text => None,
        }
    }
}

impl Application {
    /// Every objective, the most important first.
    pub fn objectives(&self) -> impl Iterator<Item = &Objective> {
        std::iter::once(&self.objective).chain(&self.later)
    }
}
