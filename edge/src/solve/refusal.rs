//! Why the solver has no answer, in the user's words and with the place in the model.

use std::error::Error;

use cardinal_models::evaluate::{EvaluationError, EvaluationErrorKind};
use cardinal_models::span::Span;
use cardinal_solver::SolveError;
use cardinal_solver::formulation::FormulateError;

use crate::failure::Failure;
use crate::finding::Finding;
use crate::input::model::Model;

/// The failure that a solver's error is: of the input with its places, or of Cardinal itself.
pub fn failure(error: &SolveError, model: &Model) -> Failure {
    match error {
        SolveError::Missing(values) => Failure::invalid(missing(values, model)),
        SolveError::Undefined(value) => {
            let message = format!("the utility has no value on any admissible placement: {value}");
            let help = "look at the metric values and prices that it uses, or guard it with \
                        `if(condition, then, otherwise)`";
            Finding::error(message).help(help).at(&model.source, value.span).into()
        }
        SolveError::Unsupported { constraint, objective, error } => {
            unsupported(*constraint, *objective, error, model).into()
        }
        SolveError::TooManyPatterns => Finding::error(error.to_string())
            .help("bound how many instances one node may host with `per_node`, or narrow the offers with `requires`")
            .into(),
        SolveError::Canary(_) | SolveError::Engine(_) | SolveError::Rejected(_) => Failure::internal(chain(error)),
    }
}

/// Each missing value once, where it is first needed.
fn missing(values: &[EvaluationError], model: &Model) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for value in values {
        let message = value.to_string();
        let is_place = matches!(value.kind, EvaluationErrorKind::Arithmetic(_) | EvaluationErrorKind::Domain(_));
        if !is_place && findings.iter().any(|f| f.diagnostic.message == message) {
            continue;
        }
        let finding = Finding::error(message).at(&model.source, value.span);
        findings.push(match mend(&value.kind) {
            Some(help) => finding.help(help),
            None => finding,
        });
    }
    findings
}

fn mend(kind: &EvaluationErrorKind) -> Option<String> {
    match kind {
        EvaluationErrorKind::MissingMetric(name) => {
            Some(format!("give it one with `--metric {name}=VALUE`, or a `default` in the model"))
        }
        EvaluationErrorKind::NothingRunning => {
            Some("give what runs with `--current FILE`, or write `current(x, fallback)`".to_owned())
        }
        EvaluationErrorKind::NoCandidates(_) => {
            Some("look at its requirements and at the offers: `cardinal catalog show`".to_owned())
        }
        EvaluationErrorKind::TooFewPlaces { .. } | EvaluationErrorKind::NoReplica(_) => {
            Some("widen its `places`, or ask for fewer `replicas`".to_owned())
        }
        EvaluationErrorKind::TooManyWays { .. } => {
            Some("narrow its `places`, or the range of its `replicas`".to_owned())
        }
        EvaluationErrorKind::UnknownPrice { .. } | EvaluationErrorKind::UnknownLatency { .. } => {
            Some("give it with `--network FILE`, or in the `network` section of the catalog".to_owned())
        }
        EvaluationErrorKind::Negative(_) => Some("let it be 0 or more: `max(0, ...)`".to_owned()),
        _ => None,
    }
}

fn unsupported(constraint: Option<usize>, objective: usize, error: &FormulateError, model: &Model) -> Finding {
    let application = &model.application;
    let (what, span) = match (constraint.and_then(|i| application.constraints.get(i)), error) {
        (Some(rule), _) => (format!("the constraint `{}`", rule.name), rule.span),
        (None, FormulateError::TooManyRows { component, .. }) => {
            let id = application.component(component);
            ("the model".to_owned(), id.map_or(Span::NONE, |id| application[id].span))
        }
        (None, _) => match application.objectives().nth(objective) {
            Some(other) if objective > 0 => (format!("the objective `{}`", other.label()), other.span),
            _ if !application.soft.is_empty() => {
                ("the utility with its soft constraints".to_owned(), application.objective.span)
            }
            _ => ("the utility".to_owned(), application.objective.span),
        },
    };
    let help = match error {
        FormulateError::Nonlinear { .. } => {
            "fewer offers or cardinalities make it small enough to be searched; sums of terms that depend on one \
             component each are solved at any size"
        }
        FormulateError::NonlinearPool => "use the cost and the number of nodes of shared components in sums only",
        FormulateError::NonlinearPaid => {
            "use `total_cost` in sums and limits only, or leave the commitments out and subtract what they cover by hand"
        }
        FormulateError::RisingPaid => {
            "what is best and what must hold may only get better as `total_cost` falls: `minimize: total_cost` rather than \
             `maximize: 1 / total_cost`, which has no value where commitments cover everything"
        }
        FormulateError::Entangled => "let each aggregate look at its own component and at most one other",
        FormulateError::TooWide { .. } => "compare logarithms, or bound what the exponential is of",
        FormulateError::TooManyRows { .. } => "narrow its requirements or its cardinality",
    };
    Finding::error(format!("{what} cannot be solved exactly: {error}")).help(help).at(&model.source, span)
}

/// The error with its causes.
fn chain(error: &SolveError) -> String {
    let mut text = format!("internal failure: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
