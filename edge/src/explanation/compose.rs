//! Puts the explanation together from what the solver finds.

use std::time::Duration;

use cardinal_models::application::{Application, ConstraintKind, Objective, Soft};
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::span::Span;
use cardinal_models::unit::Unit;
use cardinal_solver::Settings;
use cardinal_solver::explain::{
    Alternative, Conflict, Decisive, Depth, End, Gained, Limit, Loss, Of, Remedy, Rest, Step, Term, UserRule,
    WhyNotAnswer as Found, Wish, explain, explain_infeasible, gained as explain_gained, is_equal, terms, terms_of,
    why_not,
};

use super::{
    AlternativeAnswer, AlternativesAnswer, BindingAnswer, ChangeOfRuleAnswer, ConflictAnswer, DecisiveTermAnswer,
    ExplanationAnswer, GainedAnswer, InputAnswer, LaterTermsAnswer, LimitAnswer, RemedyAnswer, RequirementAnswer,
    StepAnswer, TermAnswer, UndefinedAnswer, WhyNotAnswer,
};
use crate::answer::compose::changes;
use crate::answer::{RuleAnswer, finite};

/// Nobody notices less.
const LEAST: Duration = Duration::from_millis(100);
/// Nobody waits for more.
const MOST: Duration = Duration::from_secs(2);

/// How long an explanation that nobody asked for may take: about as long as the solve, so that nobody waits for it, and
/// within the time limit as far as that is left.
pub fn budget(solve: Duration, elapsed: Duration, limit: Option<Duration>) -> Duration {
    let fair = (solve * 2).clamp(LEAST, MOST);
    match limit {
        Some(limit) => fair.min(limit.saturating_sub(elapsed).max(limit / 20)),
        None => fair,
    }
}

/// Explains a solution within the time limit of the settings.
pub fn of_solution(
    snapshot: &Snapshot,
    source: &Source,
    solution: &Solution,
    depth: Depth,
    settings: &Settings,
) -> ExplanationAnswer {
    let found = explain(snapshot, solution, depth, settings);
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    let binding = found.binding.iter().map(|binding| BindingAnswer {
        rule: rule(application, source, binding.rule),
        gained: gained(application, binding.gained),
        utility_without: finite(binding.utility_without),
        cost_per_hour_without: binding.cost_without.units(),
        relaxed: binding.steps.iter().map(|found| step(snapshot, found)).collect(),
    });
    let alternatives = found.alternatives.iter().map(|group| {
        let chosen = &solution.placement.groups[group.group];
        AlternativesAnswer {
            nodes: group.group,
            components: chosen.instances.iter().map(|(id, _)| application[*id].name.to_string()).collect(),
            chosen: catalog[chosen.offer].id.to_string(),
            offers: group.offers.iter().map(|other| alternative(snapshot, other)).collect(),
        }
    });
    ExplanationAnswer {
        terms: term_by_term(
            snapshot,
            Of::Placement(&solution.placement),
            snapshot.current.as_ref().map(|_| Of::Current),
        ),
        binding: binding.collect(),
        binding_complete: found.binding_complete,
        later_terms: later_terms(
            snapshot,
            Of::Placement(&solution.placement),
            snapshot.current.as_ref().map(|_| Of::Current),
        ),
        alternatives: alternatives.collect(),
        conflict: None,
        why_not: Vec::new(),
        is_full: depth == Depth::Full,
    }
}

fn step(snapshot: &Snapshot, step: &Step) -> StepAnswer {
    StepAnswer {
        change: limit(snapshot, &step.limit, step.by, step.is_first),
        utility: finite(step.utility),
        cost_per_hour: step.cost.units(),
        gained: gained(&snapshot.application, step.gained),
        gain: step.gain,
        gain_per_unit: step.gain_per_unit,
    }
}

/// Which objective gains, where there are several.
fn gained(application: &Application, gained: Option<Gained>) -> Option<GainedAnswer> {
    let Gained { objective, from, to } = gained.filter(|_| !application.later.is_empty())?;
    let objective = application.objectives().nth(objective)?.label().to_owned();
    Some(GainedAnswer { objective, from, to })
}

fn limit(snapshot: &Snapshot, limit: &Limit, by: f64, is_least: bool) -> LimitAnswer {
    LimitAnswer {
        limit: limit.value,
        limit_then: limit.after(by),
        by,
        unit: unit(snapshot, limit.unit),
        end: end(limit.end),
        is_least,
    }
}

fn end(end: End) -> &'static str {
    match end {
        End::Low => "low",
        End::High => "high",
    }
}

/// A unit with the money of the catalog; none for a bare number.
pub fn unit(snapshot: &Snapshot, unit: Option<Unit>) -> Option<String> {
    let text = unit.filter(|unit| *unit != Unit::RATIO)?.to_string();
    let code = &snapshot.catalog.currency;
    Some(if code.is_empty() { text } else { text.replace("currency", code) })
}

fn alternative(snapshot: &Snapshot, other: &Alternative) -> AlternativeAnswer {
    let (lost, reason, value) = match &other.loss {
        Loss::Worse { utility, cost, decisive, .. } => ("worse", None, Some((*utility, *cost, decisive))),
        Loss::Breaks(rule) => ("breaks", Some(rule.clone()), None),
        Loss::Refused(why) => ("refused", Some(why.clone()), None),
    };
    let (decided_by, term) = match value.as_ref().map(|(_, _, decisive)| *decisive) {
        Some(Decisive::Term { text, chosen, with }) => {
            let term = DecisiveTermAnswer { term: text.clone(), chosen: *chosen, with: *with };
            (Some("term"), Some(term))
        }
        Some(Decisive::Objective { number, chosen, with }) => {
            let objective = snapshot.application.objectives().nth(*number);
            let term = objective.map_or_else(String::new, |objective| objective.label().to_owned());
            (Some("objective"), Some(DecisiveTermAnswer { term, chosen: *chosen, with: *with }))
        }
        Some(Decisive::Cost) => (Some("cost"), None),
        Some(Decisive::Order) => (Some("order"), None),
        None => (None, None),
    };
    AlternativeAnswer {
        offer: snapshot.catalog[other.offer].id.to_string(),
        price: snapshot.catalog[other.offer].price.units(),
        cardinality: other.cardinality,
        lost,
        reason,
        utility: value.as_ref().and_then(|(utility, ..)| finite(*utility)),
        cost_per_hour: value.as_ref().map(|(_, cost, _)| cost.units()),
        decided_by,
        term,
        rest: match other.rest {
            Rest::Kept => "kept",
            Rest::Optimised => "optimised",
        },
    }
}

/// The objectives after the first term by term on one deployment, beside another.
fn later_terms(snapshot: &Snapshot, of: Of<'_>, beside: Option<Of<'_>>) -> Vec<LaterTermsAnswer> {
    let evaluator = Evaluator::new(snapshot);
    let answer = |objective: &Objective| LaterTermsAnswer {
        objective: objective.label().to_owned(),
        terms: valued(snapshot, &evaluator, &terms_of(snapshot, &evaluator, objective), of, beside),
    };
    snapshot.application.later.iter().map(answer).collect()
}

/// The first objective term by term on one deployment, beside another.
fn term_by_term(snapshot: &Snapshot, of: Of<'_>, beside: Option<Of<'_>>) -> Vec<TermAnswer> {
    let evaluator = Evaluator::new(snapshot);
    valued(snapshot, &evaluator, &terms(snapshot, &evaluator), of, beside)
}

fn valued(
    snapshot: &Snapshot,
    evaluator: &Evaluator<'_>,
    terms: &[Term],
    of: Of<'_>,
    beside: Option<Of<'_>>,
) -> Vec<TermAnswer> {
    let data = |value: Option<Value>| match value {
        Some(Value::Number(n)) => serde_json::Number::from_f64(n).map_or(serde_json::Value::Null, Into::into),
        Some(Value::Bool(b)) => b.into(),
        Some(Value::Text(t)) => t.as_ref().into(),
        None => serde_json::Value::Null,
    };
    let answer = |term: &Term| {
        let inputs = term.inputs(&snapshot.application).into_iter().map(|input| InputAnswer {
            unit: unit(snapshot, input.unit),
            value: data(input.value(evaluator, of)),
            current: data(beside.and_then(|other| input.value(evaluator, other))),
            name: input.name,
        });
        TermAnswer {
            term: term.text.clone(),
            unit: unit(snapshot, term.unit),
            value: term.value(snapshot, evaluator, of),
            current: beside.and_then(|other| term.value(snapshot, evaluator, other)),
            inputs: inputs.collect(),
        }
    };
    terms.iter().map(answer).collect()
}

/// Explains why there is no solution.
pub fn of_conflict(snapshot: &Snapshot, source: &Source, depth: Depth, settings: &Settings) -> ExplanationAnswer {
    let conflict = conflict(snapshot, source, explain_infeasible(snapshot, settings));
    ExplanationAnswer { conflict: Some(conflict), is_full: depth == Depth::Full, ..ExplanationAnswer::default() }
}

fn conflict(snapshot: &Snapshot, source: &Source, conflict: Conflict) -> ConflictAnswer {
    let application = &snapshot.application;
    let remedy = |remedy: &Remedy| RemedyAnswer {
        changes: remedy
            .changes
            .iter()
            .map(|change| ChangeOfRuleAnswer {
                rule: rule(application, source, change.rule),
                relaxed: change.relaxed.as_ref().map(|(of, by)| limit(snapshot, of, *by, change.is_least)),
            })
            .collect(),
        utility: finite(remedy.solution.utility),
        cost_per_hour: remedy.solution.cost.units(),
    };
    match conflict {
        Conflict::NoOffer { component, requirements, remedies } => {
            let component = &application[component];
            let requirements = requirements.iter().map(|missing| RequirementAnswer {
                text: missing.rule.text(application),
                offers_without: missing.offers_without,
                offers_of_others: missing.offers_of_others,
                nearest: missing.nearest.map(|n| n.value),
                unit: missing.nearest.and_then(|n| unit(snapshot, n.unit)),
                end: missing.nearest.map(|n| end(n.end)),
                line: place(source, missing.rule.span(application)).map(|(line, _)| line),
            });
            ConflictAnswer::NoOffer {
                component: component.name.to_string(),
                line: place(source, component.span).map(|(line, _)| line),
                requirements: requirements.collect(),
                remedies: remedies.iter().map(remedy).collect(),
            }
        }
        Conflict::Rules { rules, is_minimal, undefined, remedies } => {
            let undefined = undefined.iter().map(|lacking| {
                let place = place(source, lacking.error.span);
                UndefinedAnswer {
                    name: lacking.rule.name(application),
                    reason: lacking.error.to_string(),
                    line: place.map(|(line, _)| line),
                    column: place.map(|(_, column)| column),
                }
            });
            ConflictAnswer::Rules {
                rules: rules.into_iter().map(|r| rule(application, source, r)).collect(),
                minimal: is_minimal,
                undefined: undefined.collect(),
                remedies: remedies.iter().map(remedy).collect(),
            }
        }
        Conflict::Inherent => ConflictAnswer::Inherent,
        Conflict::Unknown => ConflictAnswer::Unknown,
    }
}

/// Says why the answer is not another placement.
pub fn why_not_this(
    snapshot: &Snapshot,
    source: &Source,
    solution: Option<&Solution>,
    (text, wishes): (&str, &[Wish]),
    settings: &Settings,
) -> WhyNotAnswer {
    let mut answer = WhyNotAnswer {
        alternative: text.to_owned(),
        verdict: "unknown",
        utility: None,
        cost_per_hour: None,
        terms: Vec::new(),
        changes: Vec::new(),
        conflict: None,
    };
    match why_not(snapshot, wishes, settings) {
        Found::Placement(other) => {
            answer.verdict = solution.map_or("better", |chosen| compared(snapshot, chosen, &other));
            answer.utility = finite(other.utility);
            answer.cost_per_hour = Some(other.cost.units());
            let beside = solution.map(|chosen| Of::Placement(&chosen.placement));
            answer.terms = term_by_term(snapshot, Of::Placement(&other.placement), beside);
            let nothing = Placement::default();
            let chosen = solution.map_or(&nothing, |chosen| &chosen.placement);
            answer.changes = changes(snapshot, chosen, &[], &other.placement);
        }
        Found::Conflict(found) => {
            answer.verdict = "conflict";
            answer.conflict = Some(conflict(snapshot, source, found));
        }
        Found::Undefined => answer.verdict = "undefined",
        Found::Unknown => {}
    }
    answer
}

fn compared(snapshot: &Snapshot, chosen: &Solution, other: &Solution) -> &'static str {
    let is_equal = is_equal(chosen, other);
    if is_equal && chosen.cost == other.cost {
        return "equal";
    }
    let is_better = explain_gained(&snapshot.application, chosen, other).is_some();
    if is_better || (is_equal && other.cost < chosen.cost) { "better" } else { "worse" }
}

/// A rule with its words and place.
pub fn rule(application: &Application, source: &Source, rule: UserRule) -> RuleAnswer {
    let place = place(source, rule.span(application));
    RuleAnswer {
        kind: rule.kind(application),
        name: rule.name(application),
        text: rule.text(application),
        file: place.map(|_| source.name.clone()),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

/// A soft constraint with its words and place.
pub fn soft_rule(source: &Source, soft: &Soft) -> RuleAnswer {
    let place = place(source, soft.span);
    RuleAnswer {
        kind: match soft.kind {
            ConstraintKind::Constraint => "constraint",
            ConstraintKind::Slo => "slo",
        },
        name: soft.name.to_string(),
        text: soft.text.clone(),
        file: place.map(|_| source.name.clone()),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

fn place(source: &Source, span: Span) -> Option<(usize, usize)> {
    (!span.is_none()).then(|| source.line_column(span.start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_takes_no_longer_than_is_fair() {
        let ms = Duration::from_millis;
        assert_eq!(budget(ms(1), ms(1), None), LEAST);
        assert_eq!(budget(ms(300), ms(300), None), ms(600));
        assert_eq!(budget(ms(60_000), ms(60_000), None), ms(2000));
        assert_eq!(budget(ms(1000), ms(1000), Some(ms(1000))), ms(50));
        assert_eq!(budget(ms(1000), ms(1000), Some(ms(1500))), ms(500));
    }
}
