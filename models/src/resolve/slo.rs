//! What is watched over time: how long violations last, events made of them, error budgets.

use std::sync::Arc;

use super::{Resolver, shared};
use crate::application::{
    Ageing, Constraint, ConstraintKind, EventRule, Fold, Measure, Metric, MetricId, Pattern, Severity, SloRule, Window,
};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{BurnDocument, ConstraintDocument, ErrorBudgetDocument, EventDocument, Scalar};
use crate::formula::{Expected, ScopeMetric};
use crate::requirement::{self, Currency};
use crate::span::{Span, Spanned};

/// The time over which an error budget is promised, in seconds, where it does not say.
const BUDGET_S: f64 = 30.0 * 86_400.0;
/// The share of a budget, the seconds and how grave it is, where a budget does not say.
const BURNS: [(f64, f64, Severity); 2] = [(0.02, 3_600.0, Severity::Critical), (0.05, 21_600.0, Severity::Warning)];
/// The shorter window of a burn is so much of the longer one.
const SHORTER: f64 = 12.0;

/// A limit on how fast an error budget is used up.
struct Burn {
    share: f64,
    over_s: f64,
    and_s: f64,
    severity: Severity,
}

impl Resolver<'_> {
    /// How the violations of the SLOs are judged over time.
    pub(super) fn slo_rules(&mut self) -> Vec<SloRule> {
        let document = self.document;
        for (name, constraint) in document.constraints.iter() {
            let ConstraintDocument::Full(full) = constraint else { continue };
            for (key, given) in [
                ("for", full.lasts.is_some()),
                ("clear", full.clear.is_some()),
                ("clear_for", full.clear_for.is_some()),
                ("severity", full.severity.is_some()),
            ] {
                if given {
                    let path = format!("constraints.{}.{key}", name.value);
                    let finding = Diagnostic::error(name.span, format!("`{key}` belongs to an SLO"));
                    self.report(&path, finding.help("a constraint holds at any time: write it under `slo`"));
                }
            }
        }
        let mut rules = Vec::new();
        for (name, constraint) in document.slo.iter() {
            let ConstraintDocument::Full(full) = constraint else { continue };
            let path = format!("slo.{}", name.value);
            let lasts_ms = self.ms(&format!("{path}.for"), full.lasts.as_ref()).unwrap_or(0);
            let clear_ms = self.ms(&format!("{path}.clear_for"), full.clear_for.as_ref()).unwrap_or(0);
            let clear = full.clear.as_ref();
            let clear = clear.and_then(|f| self.formula(&format!("{path}.clear"), f, Expected::Bool));
            let severity = full.severity.unwrap_or_default();
            rules.push(SloRule { name: shared(name), lasts_ms, clear, clear_ms, severity });
        }
        rules
    }

    fn ms(&mut self, path: &str, time: Option<&Spanned<Scalar>>) -> Option<u64> {
        let seconds = requirement::amount(time?, requirement::Measure::Duration, &Currency::default());
        self.keep(path, seconds).map(|s| (s * 1000.0) as u64)
    }

    /// The patterns of violations.
    pub(super) fn events(&mut self, constraints: &[Constraint]) -> Vec<EventRule> {
        let document = self.document;
        let mut rules = Vec::new();
        for (name, event) in document.events.iter() {
            let path = format!("events.{}", name.value);
            let Some(pattern) = self.pattern(&path, name.span, event, constraints) else { continue };
            let within_ms = self.ms(&format!("{path}.within"), event.within.as_ref());
            if within_ms.is_none() && !matches!(pattern, Pattern::Any(_)) {
                let finding = Diagnostic::error(name.span, format!("`{}` does not say within which time", name.value));
                self.report(&path, finding.help("write `within: 10m`"));
                continue;
            }
            let severity = event.severity.unwrap_or_default();
            rules.push(EventRule { name: shared(name), pattern, within_ms: within_ms.unwrap_or(60_000), severity });
        }
        rules
    }

    fn pattern(
        &mut self,
        path: &str,
        span: Span,
        event: &EventDocument,
        constraints: &[Constraint],
    ) -> Option<Pattern> {
        let ways = [!event.all.is_empty(), !event.any.is_empty(), !event.sequence.is_empty(), event.repeats.is_some()];
        if ways.iter().filter(|given| **given).count() != 1 {
            let finding = Diagnostic::error(span, "an event has exactly one of `all`, `any`, `sequence` and `repeats`");
            self.report(path, finding.help("write it like `{sequence: [full, slow], within: 5m}`"));
            return None;
        }
        let known = |resolver: &mut Self, name: &Spanned<String>| -> Option<Arc<str>> {
            if let Some(constraint) = constraints.iter().find(|c| *c.name == *name.value) {
                return Some(constraint.name.clone());
            }
            let finding = Diagnostic::error(name.span, format!("there is no SLO or constraint `{}`", name.value));
            let meant = did_you_mean(&name.value, constraints.iter().map(|c| c.name.as_ref()));
            let help = meant.map_or("name one of `slo` or `constraints` without a penalty".to_owned(), |meant| {
                format!("did you mean `{meant}`?")
            });
            resolver.report(path, finding.help(help));
            None
        };
        let members = |resolver: &mut Self, names: &[Spanned<String>]| -> Option<Vec<Arc<str>>> {
            names.iter().map(|name| known(resolver, name)).collect()
        };
        if let Some(name) = &event.repeats {
            let times = event.times.as_ref().map(|times| requirement::whole(times, 2));
            let times = times.map_or(Some(2), |read| self.keep(&format!("{path}.times"), read))?;
            return Some(Pattern::Repeats(members(self, std::slice::from_ref(name))?.pop()?, times));
        }
        if let Some(times) = &event.times {
            let finding = Diagnostic::error(times.span, "`times` goes with `repeats`");
            self.report(
                &format!("{path}.times"),
                finding.help("write it like `{repeats: slow, times: 3, within: 1h}`"),
            );
        }
        Some(if !event.all.is_empty() {
            Pattern::All(members(self, &event.all)?)
        } else if !event.any.is_empty() {
            Pattern::Any(members(self, &event.any)?)
        } else {
            Pattern::Sequence(members(self, &event.sequence)?)
        })
    }

    /// The metrics and SLOs that error budgets stand for: what went wrong and everything, over a longer and a shorter
    /// window for each limit; and that in both not more went wrong than the limit allows.
    ///
    /// Source: the multiwindow, multi-burn-rate alerts of the Site Reliability Workbook, chapter 5.
    pub(super) fn error_budgets(&mut self, metrics: &mut Vec<Metric>) -> Vec<(Constraint, SloRule)> {
        let document = self.document;
        let mut all = Vec::new();
        for (name, budget) in document.error_budgets.iter() {
            let path = format!("error_budgets.{}", name.value);
            let Some(burns) = self.burns(&path, budget) else { continue };
            let bad = self.counted(&format!("{path}.bad"), &budget.bad, metrics);
            let total = self.counted(&format!("{path}.total"), &budget.total, metrics);
            let target = requirement::amount(&budget.target, requirement::Measure::Share, &Currency::default());
            let Some(target) = self.keep(&format!("{path}.target"), target) else { continue };
            let window_s = match self.ms(&format!("{path}.window"), budget.window.as_ref()) {
                Some(ms) => ms as f64 / 1000.0,
                None => BUDGET_S,
            };
            if !(target > 0.0 && target < 1.0) {
                let finding = Diagnostic::error(budget.target.span, "the target is a share between 0 and 1");
                self.report(&format!("{path}.target"), finding.help("write it like `99.9 %`"));
                continue;
            }
            let (Some(bad), Some(total)) = (bad, total) else { continue };
            for burn in burns {
                // Rounded to what a person would write: 1 - 0.999 is no exact thousandth.
                let limit = (1.0 - target) * burn.share * window_s / burn.over_s;
                let limit = (limit * 1e12).round() / 1e12;
                let spent = [burn.over_s, burn.and_s].map(|seconds| {
                    let wrong = self.over(metrics, bad, seconds);
                    let all = self.over(metrics, total, seconds);
                    format!("`{wrong}` > {limit} * `{all}`")
                });
                let text = format!("not ({} and {})", spent[0], spent[1]);
                let written = Spanned::new(Scalar::Text(text.clone()), name.span);
                let Some(formula) = self.formula(&path, &written, Expected::Bool) else { continue };
                let own: Arc<str> = format!("{} over {}s", name.value, burn.over_s).into();
                let (kind, span) = (ConstraintKind::Slo, name.span);
                let rule =
                    SloRule { name: own.clone(), lasts_ms: 0, clear: None, clear_ms: 0, severity: burn.severity };
                all.push((Constraint { name: own, kind, formula, text, span }, rule));
            }
        }
        all
    }

    fn burns(&mut self, path: &str, budget: &ErrorBudgetDocument) -> Option<Vec<Burn>> {
        if budget.burn.is_empty() {
            let usual =
                BURNS.map(|(share, over_s, severity)| Burn { share, over_s, and_s: over_s / SHORTER, severity });
            return Some(usual.into());
        }
        let mut burns = Vec::new();
        for (i, BurnDocument { share, over, and, severity }) in budget.burn.iter().enumerate() {
            let path = format!("{path}.burn[{i}]");
            let amount = requirement::amount(share, requirement::Measure::Share, &Currency::default());
            let amount = self.keep(&format!("{path}.share"), amount)?;
            let over_s = self.ms(&format!("{path}.over"), Some(over))? as f64 / 1000.0;
            let and_s = match and {
                Some(and) => self.ms(&format!("{path}.and"), Some(and))? as f64 / 1000.0,
                None => over_s / SHORTER,
            };
            if !(amount > 0.0
                && amount <= 1.0
                && and_s >= 1.0
                && over_s > and_s
                && over_s * 1000.0 <= Window::MS_MAX as f64)
            {
                let message =
                    "a limit is a share above 0, over a time of at most 35 days, and a shorter time of at least 1s";
                let finding = Diagnostic::error(share.span, message);
                self.report(&path, finding.help("write it like `{share: 2 %, over: 1h, and: 5m}`"));
                return None;
            }
            burns.push(Burn { share: amount, over_s, and_s, severity: severity.unwrap_or_default() });
        }
        Some(burns)
    }

    /// The metric of a name, when it counts something.
    fn counted(&mut self, path: &str, name: &Spanned<String>, metrics: &[Metric]) -> Option<usize> {
        let at = metrics.iter().position(|m| *m.name == *name.value);
        let fold = at.and_then(|at| metrics[at].measure.as_ref()).map(|m| m.fold);
        if let Some(Fold::Rate | Fold::Increase | Fold::Sum | Fold::Count) = fold {
            return at;
        }
        let message = match at {
            Some(_) => format!("`{}` does not count: its aggregate is none of increase, rate, sum, count", name.value),
            None => format!("there is no metric `{}`", name.value),
        };
        let help = "name a metric such as `errors: {source: http_errors_total, aggregate: rate}`";
        self.report(path, Diagnostic::error(name.span, message).help(help));
        None
    }

    /// The metric that counts the same over a window; 0 as long as nothing was counted.
    fn over(&mut self, metrics: &mut Vec<Metric>, of: usize, seconds: f64) -> Arc<str> {
        let base = metrics[of].clone();
        let name: Arc<str> = format!("{} over {seconds}s", base.name).into();
        if metrics.iter().any(|m| m.name == name) {
            return name;
        }
        let measure = base.measure.map(|measure| Measure {
            source: Some(measure.source.unwrap_or(base.name)),
            fold: if measure.fold.is_of_counter() { Fold::Increase } else { measure.fold },
            // At most 35 days, so that it fits.
            window: Window::Sliding((seconds * 1000.0) as u64),
            min_samples: 1,
            per: crate::document::Level::Global,
            across: Fold::Sum,
            ..measure
        });
        let id = MetricId(metrics.len() as u32);
        self.scope.metrics.insert(name.clone(), ScopeMetric { id, unit: None });
        self.metric_facts.push(super::metrics::Facts::default());
        let metric = Metric {
            name: name.clone(),
            span: base.span,
            formula: None,
            default: Some(0.0),
            unit: None,
            component: base.component,
            measure,
            ageing: Ageing::default(),
        };
        metrics.push(metric);
        name
    }
}
