//! Constraints, service level objectives and the utility.

use super::{Resolver, shared};
use crate::application::{Constraint, ConstraintKind, Direction, Link, Objective};
use crate::diagnostic::Diagnostic;
use crate::document::{ConstraintDocument, Entries, UtilityDocument};
use crate::formula::Expected;
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::requirement::{self, Measure};
use crate::span::Span;
use crate::unit::Unit;

impl Resolver<'_> {
    /// The constraints, those of `slo` and then the latency limits of links last.
    pub(super) fn constraints(&mut self, links: &[Link]) -> Vec<Constraint> {
        let document = self.document;
        let mut all = self.constraint_section("constraints", &document.constraints, ConstraintKind::Constraint);
        all.extend(self.constraint_section("slo", &document.slo, ConstraintKind::Slo));
        all.extend(self.budget());
        all.extend(self.latency_limits(links));
        all
    }

    /// `budget: 3000 USD/month` as a constraint on the total cost.
    fn budget(&mut self) -> Option<Constraint> {
        let written = self.document.budget.as_ref()?;
        if let Some((name, _)) = self.document.constraints.iter().find(|(name, _)| name.value == "budget") {
            let message = "the constraint `budget` stands beside the key `budget`";
            let help = "rename the constraint, or keep only one of the two";
            self.report("constraints.budget", Diagnostic::error(name.span, message).help(help));
        }
        let limit = requirement::amount(written, Measure::Price, &self.currency);
        let limit = self.keep("budget", limit)?;
        let cost = Expr { kind: ExprKind::TotalCost, ty: Type::Number(Some(Unit::PRICE)), span: written.span };
        let limit = Expr { kind: ExprKind::Number(limit), ty: Type::Number(Some(Unit::PRICE)), span: written.span };
        let kind = ExprKind::Binary(BinaryOp::LessEqual, Box::new(cost), Box::new(limit));
        let formula = Expr { kind, ty: Type::Bool, span: written.span };
        let text = format!("total_cost <= {}", written.value.to_string().trim());
        Some(Constraint { name: "budget".into(), kind: ConstraintKind::Constraint, formula, text, span: written.span })
    }

    fn constraint_section(
        &mut self,
        section: &str,
        entries: &Entries<ConstraintDocument>,
        kind: ConstraintKind,
    ) -> Vec<Constraint> {
        let mut constraints = Vec::new();
        for (name, constraint) in entries.iter() {
            let path = match constraint {
                ConstraintDocument::Formula(_) => format!("{section}.{}", name.value),
                ConstraintDocument::Full(_) => format!("{section}.{}.formula", name.value),
            };
            let written = constraint.formula();
            let Some(formula) = self.formula(&path, written, Expected::Bool) else { continue };
            if !self.facts(&formula).depends_on_deployment && !mentions_outside(&formula) {
                let message = format!("`{}` depends neither on the deployment nor on a metric", name.value);
                let help = "it always holds or never does; mention what it should limit";
                self.report(&path, Diagnostic::warning(written.span, message).help(help));
            }
            let text = written.value.to_string().trim().to_owned();
            constraints.push(Constraint { name: shared(name), kind, formula, text, span: written.span });
        }
        constraints
    }

    /// The objective; without a utility the total cost is minimised.
    pub(super) fn objective(&mut self) -> Objective {
        let total_cost = || Objective {
            direction: Direction::Minimize,
            formula: Expr { kind: ExprKind::TotalCost, ty: Type::Number(Some(Unit::PRICE)), span: Span::NONE },
            text: "total_cost".to_owned(),
            span: Span::NONE,
            is_default: true,
        };
        let (direction, written, path) = match &self.document.utility {
            None => return total_cost(),
            Some(UtilityDocument::Maximize { maximize }) => (Direction::Maximize, maximize, "utility.maximize"),
            Some(UtilityDocument::Minimize { minimize }) => (Direction::Minimize, minimize, "utility.minimize"),
        };
        let Some(formula) = self.formula(path, written, Expected::Number) else { return total_cost() };
        if !self.facts(&formula).depends_on_deployment {
            let finding = Diagnostic::warning(written.span, "the utility is the same for every deployment");
            self.report(path, finding.help("mention what should be large or small, such as `total_cost`"));
        }
        let text = written.value.to_string().trim().to_owned();
        Objective { direction, formula, text, span: written.span, is_default: false }
    }
}

/// True when the expression mentions what changes from one decision to the next: a metric, what runs, or the offers.
fn mentions_outside(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |part| {
        found |= matches!(part.kind, ExprKind::Metric(_) | ExprKind::Current(..) | ExprKind::Candidates { .. });
    });
    found
}
