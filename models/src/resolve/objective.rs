//! Constraints, service level objectives and the utility.

use super::soft::Softened;
use super::{Resolver, shared};
use crate::application::{Constraint, ConstraintKind, Direction, Objective, Soft, Tolerance, Weighted};
use crate::diagnostic::Diagnostic;
use crate::document::{ConstraintDocument, Entries, RankedDocument, Scalar, UtilityDocument, WeightedDocument};
use crate::formula::Expected;
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::requirement::{self, Measure};
use crate::span::{Span, Spanned};
use crate::unit::{Unit, conversion};

impl Resolver<'_> {
    /// The constraints, those of `slo` last, and apart from them those that may be violated at a price.
    pub(super) fn constraints(&mut self) -> (Vec<Constraint>, Vec<Soft>) {
        let document = self.document;
        let mut soft = Vec::new();
        let mut all =
            self.constraint_section("constraints", &document.constraints, ConstraintKind::Constraint, &mut soft);
        all.extend(self.constraint_section("slo", &document.slo, ConstraintKind::Slo, &mut soft));
        all.extend(self.budget());
        (all, soft)
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
        soft: &mut Vec<Soft>,
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
            let hard = Constraint { name: shared(name), kind, formula, text, span: written.span };
            match constraint.penalty() {
                None => constraints.push(hard),
                Some(penalty) => match self.soften(&format!("{section}.{}", name.value), hard, penalty) {
                    Softened::Soft(one) => soft.push(one),
                    Softened::Hard(hard) => constraints.push(hard),
                },
            }
        }
        constraints
    }

    /// The objectives in their order; without a utility the total cost is minimised. The first pays for soft constraints.
    pub(super) fn objectives(&mut self, soft: &mut [Soft]) -> (Objective, Vec<Objective>) {
        let mut all = match &self.document.utility {
            None => Vec::new(),
            Some(UtilityDocument::Maximize { maximize }) => {
                self.plain("utility.maximize", Direction::Maximize, maximize).into_iter().collect()
            }
            Some(UtilityDocument::Minimize { minimize }) => {
                self.plain("utility.minimize", Direction::Minimize, minimize).into_iter().collect()
            }
            Some(UtilityDocument::Weighted { weighted }) => {
                self.weighted("utility.weighted", weighted).into_iter().collect()
            }
            Some(UtilityDocument::Lexicographic { lexicographic }) => self.lexicographic(lexicographic),
        };
        let first = if all.is_empty() { Objective::total_cost() } else { all.remove(0) };
        self.settle_penalties(&first, soft);
        let first = first.paying(soft);
        if !soft.is_empty() {
            let span = first.span;
            self.check_size("utility", &first.formula, span);
        }
        (first, all)
    }

    /// One formula to maximise or minimise.
    fn plain(&mut self, path: &str, direction: Direction, written: &Spanned<Scalar>) -> Option<Objective> {
        let formula = self.formula(path, written, Expected::Number)?;
        if !self.facts(&formula).depends_on_deployment {
            let finding = Diagnostic::warning(written.span, "the utility is the same for every deployment");
            self.report(path, finding.help("mention what should be large or small, such as `total_cost`"));
        }
        Some(Objective {
            direction,
            stated: formula.clone(),
            formula,
            text: written.value.to_string().trim().to_owned(),
            span: written.span,
            is_default: false,
            ..Objective::total_cost()
        })
    }

    /// Several objectives as one: the sum of each times its weight. All to be minimised give one to be minimised;
    /// otherwise those to be minimised are taken from the rest.
    fn weighted(&mut self, path: &str, written: &[WeightedDocument]) -> Option<Objective> {
        let mut parts = Vec::new();
        for (i, part) in written.iter().enumerate() {
            let path = format!("{path}[{i}]");
            let (direction, key, formula) = match (&part.maximize, &part.minimize) {
                (Some(formula), None) => (Direction::Maximize, "maximize", formula),
                (None, Some(formula)) => (Direction::Minimize, "minimize", formula),
                _ => {
                    self.no_single_goal(&path, part.maximize.as_ref().or(part.minimize.as_ref()));
                    continue;
                }
            };
            let objective = self.plain(&format!("{path}.{key}"), direction, formula);
            let weight = part.weight.as_ref().map_or(Some(1.0), |weight| {
                let path = format!("{path}.weight");
                let number = self.bare_constant(&path, weight)?;
                if number < 0.0 {
                    let finding = Diagnostic::error(weight.span, "a weight is not negative");
                    self.report(&path, finding.help("turn `minimize` into `maximize` or the other way round"));
                    return None;
                }
                Some(number)
            });
            if let (Some(Objective { stated: formula, text, .. }), Some(weight)) = (objective, weight) {
                let name = part.name.as_ref().map(shared);
                parts.push(Weighted { name, direction, formula, text, weight });
            }
        }
        if parts.len() < written.len() {
            return None;
        }
        Some(sum_of(parts))
    }

    /// Objectives in the order of their importance.
    fn lexicographic(&mut self, written: &[RankedDocument]) -> Vec<Objective> {
        let mut all: Vec<Objective> = Vec::new();
        for (i, one) in written.iter().enumerate() {
            let path = format!("utility.lexicographic[{i}]");
            let objective = match (&one.maximize, &one.minimize, &one.weighted) {
                (Some(formula), None, None) => self.plain(&format!("{path}.maximize"), Direction::Maximize, formula),
                (None, Some(formula), None) => self.plain(&format!("{path}.minimize"), Direction::Minimize, formula),
                (None, None, Some(parts)) => self.weighted(&format!("{path}.weighted"), parts),
                _ => {
                    self.no_single_goal(&path, one.maximize.as_ref().or(one.minimize.as_ref()));
                    None
                }
            };
            let Some(mut objective) = objective else { continue };
            if let Some(tolerance) = &one.tolerance {
                let path = format!("{path}.tolerance");
                if i + 1 == written.len() {
                    let message = "the tolerance of the last objective has no effect: nothing comes after it";
                    self.report(&path, Diagnostic::warning(tolerance.span, message).help("remove it"));
                }
                objective.tolerance = self.tolerance(&path, tolerance, objective.unit()).unwrap_or(Tolerance::NONE);
            }
            if let Some(name) = &one.name {
                if all.iter().any(|other| other.name.as_deref() == Some(name.value.as_str())) {
                    let message = format!("`{}` is the name of another objective already", name.value);
                    self.report(&format!("{path}.name"), Diagnostic::error(name.span, message).help("rename it"));
                }
                objective.name = Some(shared(name));
            }
            all.push(objective);
        }
        all
    }

    /// A document that a program made may have none or several.
    fn no_single_goal(&mut self, path: &str, place: Option<&Spanned<Scalar>>) {
        let span = place.map_or(Span::NONE, |formula| formula.span);
        let finding = Diagnostic::error(span, "an objective is one of `maximize`, `minimize` and `weighted`");
        self.report(path, finding.help("give exactly one of them"));
    }

    /// What may be given up of an objective: a percentage is a share of its best value, anything else an amount.
    fn tolerance(&mut self, path: &str, written: &Spanned<Scalar>, unit: Option<Unit>) -> Option<Tolerance> {
        let (number, own) = self.constant_value(path, written)?;
        if number < 0.0 {
            let finding = Diagnostic::error(written.span, "a tolerance is not negative");
            self.report(path, finding.help("write a share such as `2 %` or an amount such as `0.05`"));
            return None;
        }
        match (own, unit) {
            (Some(own), _) if own == Unit::PERCENT => Some(Tolerance::Relative(number / 100.0)),
            (None, _) => Some(Tolerance::Absolute(number)),
            (Some(own), Some(unit)) if conversion(own, unit).is_some() => {
                conversion(own, unit).map(|factor| Tolerance::Absolute(number * factor))
            }
            (Some(own), unit) => {
                let of = unit.map_or("a bare number".to_owned(), |unit| format!("in {unit}"));
                let message = format!("the tolerance is in {own}, and the objective is {of}");
                let help = "write a share such as `2 %`, or an amount in the unit of the objective";
                self.report(path, Diagnostic::error(written.span, message).help(help));
                None
            }
        }
    }

    /// A number without a unit, or a formula over constants that is one.
    fn bare_constant(&mut self, path: &str, written: &Spanned<Scalar>) -> Option<f64> {
        let (number, unit) = self.constant_value(path, written)?;
        if let Some(unit) = unit {
            let finding = Diagnostic::error(written.span, format!("a weight is a bare number, and this is in {unit}"));
            self.report(path, finding.help("write it without its unit"));
            return None;
        }
        Some(number)
    }
}

/// The sum of objectives times their weights.
fn sum_of(parts: Vec<Weighted>) -> Objective {
    let direction = match parts.iter().all(|part| part.direction == Direction::Minimize) {
        true => Direction::Minimize,
        false => Direction::Maximize,
    };
    let (mut text, mut sum): (String, Option<Expr>) = (String::new(), None);
    for part in &parts {
        let is_taken = part.direction != direction;
        let bare = |kind| Expr { kind, ty: Type::Number(None), span: part.formula.span };
        let weighted = match part.weight == 1.0 {
            true => bare(part.formula.kind.clone()),
            false => bare(ExprKind::Binary(
                BinaryOp::Multiply,
                Box::new(Expr::number(part.weight)),
                Box::new(part.formula.clone()),
            )),
        };
        let factor = if part.weight == 1.0 { String::new() } else { format!("{} * ", part.weight) };
        let sign = match (text.is_empty(), is_taken) {
            (true, false) => "",
            (true, true) => "-",
            (false, false) => " + ",
            (false, true) => " - ",
        };
        text.push_str(&format!("{sign}{factor}({})", part.text));
        sum = Some(match (sum, is_taken) {
            (None, false) => weighted,
            (None, true) => bare(ExprKind::Negate(Box::new(weighted))),
            (Some(sum), taken) => {
                let op = if taken { BinaryOp::Subtract } else { BinaryOp::Add };
                bare(ExprKind::Binary(op, Box::new(sum), Box::new(weighted)))
            }
        });
    }
    let stated = sum.unwrap_or_else(|| Expr::number(0.0));
    // Findings about the whole point at its first formula.
    let span = parts.first().map_or(Span::NONE, |part| part.formula.span);
    Objective {
        direction,
        formula: stated.clone(),
        stated,
        text,
        span,
        is_default: false,
        parts,
        ..Objective::total_cost()
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

#[cfg(test)]
mod tests;
