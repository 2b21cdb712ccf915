//! The objectives and the soft constraints of an answer.

use cardinal_models::application::Weighted;
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::worth::{self, Worth};

use super::{ReachedAnswer, SoftAnswer, WeightedAnswer, finite};
use crate::explanation::compose::{soft_rule, unit};

/// Every objective, with how far a solution reaches it.
pub fn objectives(snapshot: &Snapshot, solution: Option<&Solution>) -> Vec<ReachedAnswer> {
    let application = &snapshot.application;
    let evaluator = Evaluator::new(snapshot);
    let now = snapshot.current.as_ref().and_then(|_| worth::current(application, &evaluator).ok());
    let count = application.objectives().count();
    let answers = application.objectives().enumerate().map(|(i, objective)| {
        let reached = solution.and_then(|s| s.objectives.get(i));
        let summand = |part: &Weighted| WeightedAnswer {
            name: part.name.as_ref().map(|name| name.to_string()),
            direction: part.direction.as_str(),
            formula: part.text.clone(),
            weight: part.weight,
            value: solution.and_then(|s| evaluator.number(&part.formula, &s.placement).ok()),
        };
        ReachedAnswer {
            name: objective.name.as_ref().map(|name| name.to_string()),
            direction: objective.direction.as_str(),
            formula: objective.text.clone(),
            unit: unit(snapshot, objective.unit()),
            value: reached.and_then(|r| finite(r.value)),
            best: reached.and_then(|r| finite(r.best)),
            bound: reached.and_then(|r| finite(r.bound)),
            gap: reached.and_then(|r| finite(r.gap)),
            limit: reached.filter(|_| i + 1 < count).and_then(|r| finite(r.limit)),
            current: now.as_ref().and_then(|now| now.objectives.get(i).copied()),
            weighted: objective.parts.iter().map(summand).collect(),
        }
    });
    answers.collect()
}

/// Every soft constraint, with what a solution pays for it.
pub fn soft(snapshot: &Snapshot, source: &Source, solution: Option<&Solution>) -> Vec<SoftAnswer> {
    let application = &snapshot.application;
    let evaluator = Evaluator::new(snapshot);
    let worth: Option<Worth> = solution.and_then(|s| worth::worth(application, &evaluator, &s.placement).ok());
    let answers = application.soft.iter().enumerate().map(|(i, soft)| {
        let paid = worth.as_ref().and_then(|worth| worth.paid.get(i));
        SoftAnswer {
            rule: soft_rule(source, soft),
            penalty: soft.penalty,
            unit: unit(snapshot, soft.unit),
            violation: paid.map(|paid| paid.violation),
            paid: paid.map(|paid| paid.loss),
        }
    });
    answers.collect()
}
