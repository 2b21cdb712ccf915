//! Metrics: measured values with their units, and computed ones in the order of their dependencies.

use super::{Resolver, graph, shared};
use crate::application::{Metric, MetricId};
use crate::diagnostic::Diagnostic;
use crate::document::{MetricDocument, MetricProperties, Scalar};
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::formula::{Expected, ScopeMetric};
use crate::span::{Span, Spanned};
use crate::unit::{Unit, conversion, parse_named_quantity, parse_named_unit};

/// How deep a formula may be once the formulas of its metrics are put in: evaluation follows it down.
const DEPTH_MAX: u32 = 1_000;
/// How many parts a formula may have once the formulas of its metrics are put in. Each metric that is used twice
/// doubles what is behind it; without a bound, 32 of them would be 2^32 parts.
const EXPANDED_MAX: u64 = 1_000_000;

/// What is known of a metric's formula.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// True when its value depends on the deployment that is judged.
    pub depends_on_deployment: bool,
    /// The number of parts with the formulas of other metrics put in.
    pub size: u64,
    /// Its depth with the formulas of other metrics put in.
    pub depth: u32,
}

impl Default for Facts {
    fn default() -> Self {
        Facts { depends_on_deployment: false, size: 1, depth: 1 }
    }
}

impl Resolver<'_> {
    /// Resolves the metrics and puts them into scope.
    pub(super) fn metrics(&mut self) -> Vec<Metric> {
        let document = self.document;
        let bare = MetricProperties::default();
        let mut metrics = Vec::new();
        for (i, (name, metric)) in document.metrics.iter().enumerate() {
            let path = format!("metrics.{}", name.value);
            let full = match metric {
                MetricDocument::Full(full) => full,
                MetricDocument::Formula(_) => &bare,
            };
            let metric = self.measured(&path, name, full, formula_of(metric).is_some());
            self.scope.metrics.insert(shared(name), ScopeMetric { id: MetricId(i as u32), unit: metric.unit });
            metrics.push(metric);
        }
        self.metric_facts = vec![Facts::default(); metrics.len()];
        self.computed(&mut metrics);
        metrics
    }

    /// Everything of a metric but its formula.
    fn measured(&mut self, path: &str, name: &Spanned<String>, full: &MetricProperties, is_computed: bool) -> Metric {
        let unit = full.unit.as_ref().and_then(|unit| {
            let path = format!("{path}.unit");
            let parsed = parse_named_unit(&unit.value).map_err(|message| {
                Diagnostic::error(unit.span, message).help("write it like `ms`, `1/s`, `percent` or `MiB`")
            });
            let named = self.keep(&path, parsed)?;
            if let (Some(code), Some(own)) = (named.currency, self.currency.code.clone())
                && code != own
            {
                let message = format!("{code} stands in a model whose money is {own}");
                self.report(&path, Diagnostic::error(unit.span, message));
            }
            Some(named.unit)
        });
        let component = full.component.as_ref().and_then(|c| self.component(&format!("{path}.component"), c));
        let measure = self.measure(path, full);
        let ageing = self.ageing(path, full);
        // A default cannot be judged by a unit that could not be read.
        let default = full.default.as_ref().filter(|_| unit.is_some() == full.unit.is_some());
        let mut default = default.and_then(|d| self.metric_default(&format!("{path}.default"), d, unit));
        if is_computed {
            for (key, given, span) in [
                ("default", full.default.is_some(), full.default.as_ref().map(|d| d.span)),
                ("aggregate", full.aggregate.is_some(), full.aggregate.as_ref().map(|a| a.span)),
                ("window", full.window.is_some(), full.window.as_ref().map(|w| w.span)),
                ("source", full.source.is_some(), full.source.as_ref().map(|s| s.span)),
                ("labels", !full.labels.is_empty(), full.labels.0.first().map(|(name, _)| name.span)),
                ("per", full.per.is_some(), None),
                ("min_samples", full.min_samples.is_some(), full.min_samples.as_ref().map(|m| m.span)),
            ] {
                if given {
                    let message = format!("`{key}` has no effect: the metric is computed from its formula");
                    let finding = Diagnostic::warning(span.unwrap_or(name.span), message);
                    self.report(&format!("{path}.{key}"), finding.help("remove it"));
                }
            }
            default = None;
        }
        let measure = (!is_computed).then_some(measure);
        Metric { name: shared(name), span: name.span, formula: None, default, unit, component, measure, ageing }
    }

    fn metric_default(&mut self, path: &str, default: &Spanned<Scalar>, unit: Option<Unit>) -> Option<f64> {
        let result = match &default.value {
            Scalar::Number(n) => Ok(*n),
            Scalar::Bool(_) => Err(Diagnostic::error(default.span, "expected a number, found a truth value")),
            Scalar::Text(text) => match parse_named_quantity(text) {
                Err(message) => Err(Diagnostic::error(default.span, message)),
                Ok(quantity) => match (quantity.unit.map(|u| u.unit), unit) {
                    (None, _) => Ok(quantity.value),
                    (Some(written), None) => Err(Diagnostic::error(default.span, "the metric has no unit")
                        .help(format!("add `unit: {written}` to the metric"))),
                    (Some(written), Some(unit)) => {
                        conversion(written, unit).map(|f| quantity.value * f).ok_or_else(|| {
                            let message =
                                format!("a default in `{written}` does not fit the unit `{unit}` of the metric");
                            Diagnostic::error(default.span, message)
                        })
                    }
                },
            },
        };
        self.keep(path, result)
    }

    /// Compiles the formulas, each after those that it mentions, because the unit of a metric is that of its formula.
    fn computed(&mut self, metrics: &mut [Metric]) {
        let document = self.document;
        let formulas: Vec<Option<&Spanned<Scalar>>> =
            document.metrics.iter().map(|(_, metric)| formula_of(metric)).collect();
        let needs: Vec<Vec<usize>> = formulas
            .iter()
            .map(|formula| {
                let mentioned = formula.map(|f| self.mentioned(&f.value.to_string())).unwrap_or_default();
                let ids = mentioned.iter().filter_map(|(name, _)| self.scope.metrics.get(name.as_str()));
                let mut ids: Vec<usize> = ids.map(|m| m.id.index()).filter(|i| formulas[*i].is_some()).collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            })
            .collect();
        let (order, cycles) = graph::order(&needs);
        let mut in_cycle = vec![false; metrics.len()];
        for cycle in &cycles {
            cycle.iter().for_each(|i| in_cycle[*i] = true);
            let first = &metrics[cycle[0]];
            let shown = graph::show(cycle, |i| &metrics[i].name);
            let finding = Diagnostic::error(first.span, format!("metrics depend on each other in a circle: {shown}"));
            let path = format!("metrics.{}", first.name);
            self.report(&path, finding.help("measure one of them, or write its formula without the others"));
        }
        for i in order {
            let Some(formula) = formulas[i].filter(|_| !in_cycle[i]) else { continue };
            let path = match document.metrics.0[i].1 {
                MetricDocument::Full(_) => format!("metrics.{}.formula", metrics[i].name),
                MetricDocument::Formula(_) => format!("metrics.{}", metrics[i].name),
            };
            let Some(expr) = self.formula(&path, formula, Expected::Number) else { continue };
            let Some(expr) = self.in_unit(&path, expr, metrics[i].unit, formula.span) else { continue };
            if let (Type::Number(unit), Some(known)) = (&expr.ty, self.scope.metrics.get_mut(&metrics[i].name)) {
                metrics[i].unit = *unit;
                known.unit = *unit;
            }
            self.metric_facts[i] = self.facts(&expr);
            if self.metric_facts[i].depth > DEPTH_MAX || self.metric_facts[i].size > EXPANDED_MAX {
                // Reported already; what mentions it must not be reported for the same reason.
                self.metric_facts[i] = Facts::default();
            }
            metrics[i].formula = Some(expr);
        }
    }

    /// The expression as a number in the unit that the metric declares.
    fn in_unit(&mut self, path: &str, expr: Expr, declared: Option<Unit>, span: Span) -> Option<Expr> {
        let (Some(declared), Type::Number(own)) = (declared, &expr.ty) else { return Some(expr) };
        let factor = match own {
            None => 1.0,
            Some(own) => match conversion(*own, declared) {
                Some(factor) => factor,
                None => {
                    let message = format!("the formula is in `{own}`, which does not fit the unit `{declared}`");
                    let finding = Diagnostic::error(span, message);
                    self.report(path, finding.help(format!("declare `unit: {own}`, or leave the unit out")));
                    return None;
                }
            },
        };
        let ty = Type::Number(Some(declared));
        if factor == 1.0 {
            return Some(Expr { ty, ..expr });
        }
        let place = expr.span;
        let factor = Expr { kind: ExprKind::Number(factor), ty: Type::Number(None), span: place };
        Some(Expr { kind: ExprKind::Binary(BinaryOp::Multiply, Box::new(factor), Box::new(expr)), ty, span: place })
    }

    /// What is known of an expression from its parts and its metrics.
    pub(super) fn facts(&self, expr: &Expr) -> Facts {
        let children = expr.children();
        let mut facts = Facts::default();
        for child in children {
            let part = self.facts(child);
            facts.size = facts.size.saturating_add(part.size);
            facts.depth = facts.depth.max(part.depth + 1);
            facts.depends_on_deployment |= part.depends_on_deployment;
        }
        match &expr.kind {
            ExprKind::Attribute(..)
            | ExprKind::TotalCost
            | ExprKind::NodeCount
            | ExprKind::LinkCost(_)
            | ExprKind::LinkLatency(_)
            | ExprKind::StorageCost(_)
            | ExprKind::Fleet { .. } => {
                facts.depends_on_deployment = true;
            }
            // What runs now and what could be bought do not change with the deployment that is judged.
            ExprKind::Current(..) | ExprKind::Candidates { .. } => facts.depends_on_deployment = false,
            ExprKind::Metric(id) => {
                let metric = self.metric_facts.get(id.index()).copied().unwrap_or_default();
                facts.depends_on_deployment = metric.depends_on_deployment;
                facts.size = facts.size.saturating_add(metric.size);
                facts.depth = metric.depth + 1;
            }
            _ => {}
        }
        facts
    }

    /// Refuses a formula that is too large or too deep once the formulas of its metrics are put in.
    pub(super) fn check_size(&mut self, path: &str, expr: &Expr, span: Span) {
        let facts = self.facts(expr);
        let message = if facts.size > EXPANDED_MAX {
            format!("with the formulas of its metrics this has more than {EXPANDED_MAX} parts")
        } else if facts.depth > DEPTH_MAX {
            format!("with the formulas of its metrics this is more than {DEPTH_MAX} levels deep")
        } else {
            return;
        };
        self.report(path, Diagnostic::error(span, message).help("let fewer computed metrics depend on each other"));
    }
}

/// The formula of a computed metric.
fn formula_of(metric: &MetricDocument) -> Option<&Spanned<Scalar>> {
    match metric {
        MetricDocument::Formula(formula) => Some(formula),
        MetricDocument::Full(full) => full.formula.as_ref(),
    }
}
