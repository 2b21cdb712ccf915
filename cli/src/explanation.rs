//! Why an answer is what it is, as plain data.

use std::time::Duration;

use cardinal_models::application::{Application, ConstraintKind, Quota, Structure};
use cardinal_models::diagnostic::Source;
use cardinal_models::document::SpreadBy;
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_solver::explain::{Budget, Conflict, Loss, UserRule, explain, explain_infeasible};
use serde::Serialize;

use crate::answer::{RuleAnswer, finite};

/// Why.
#[derive(Debug, Default, Serialize)]
pub struct ExplanationAnswer {
    /// Rules without which a better placement would be possible.
    pub binding: Vec<BindingAnswer>,
    /// False when not every rule was tried.
    pub binding_complete: bool,
    /// What came next.
    pub alternatives: Vec<AlternativesAnswer>,
    /// Why there is no placement.
    pub conflict: Option<ConflictAnswer>,
}

/// A rule that binds.
#[derive(Debug, Serialize)]
pub struct BindingAnswer {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleAnswer,
    /// The utility without it.
    pub utility_without: Option<f64>,
    /// The cost without it.
    pub cost_per_hour_without: f64,
}

/// What came next for a group of nodes.
#[derive(Debug, Serialize)]
pub struct AlternativesAnswer {
    /// The group, as an index into `nodes`.
    pub nodes: usize,
    /// What it hosts.
    pub components: Vec<String>,
    /// The chosen offer.
    pub chosen: String,
    /// The others, best first.
    pub offers: Vec<AlternativeAnswer>,
}

/// An offer that was not chosen.
#[derive(Debug, Serialize)]
pub struct AlternativeAnswer {
    /// Its id.
    pub offer: String,
    /// Its price per hour.
    pub price: f64,
    /// The number of instances that would be best on it.
    pub cardinality: u32,
    /// `worse`, `breaks` (a rule) or `refused` (by a requirement).
    pub lost: &'static str,
    /// Why, in words; null for a worse one.
    pub reason: Option<String>,
    /// The utility with it.
    pub utility: Option<f64>,
    /// The cost of all nodes with it.
    pub cost_per_hour: Option<f64>,
}

/// Why there is no placement.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ConflictAnswer {
    /// No offer satisfies a component.
    NoOffer {
        /// The component.
        component: String,
        /// The line of the model where it stands.
        line: Option<usize>,
        /// Its requirements.
        requirements: Vec<RequirementAnswer>,
    },
    /// Rules that exclude each other.
    Rules {
        /// All of them are needed for the conflict.
        rules: Vec<RuleAnswer>,
    },
    /// No rule can be blamed: cardinalities, room on nodes, instances that must stay.
    Inherent,
    /// Not found in the time there was.
    Unknown,
}

/// A requirement and what it costs.
#[derive(Debug, Serialize)]
pub struct RequirementAnswer {
    /// The requirement.
    pub text: String,
    /// How many offers there would be without it.
    pub offers_without: usize,
}

/// Nobody notices less.
const LEAST: Duration = Duration::from_millis(100);
/// Nobody waits for more.
const MOST: Duration = Duration::from_secs(2);

/// How long an explanation may take: about as long as the solve, so that nobody waits for it, and within the time
/// limit as far as that is left.
pub fn budget(solve: Duration, elapsed: Duration, limit: Option<Duration>) -> Duration {
    let fair = (solve * 2).clamp(LEAST, MOST);
    match limit {
        Some(limit) => fair.min(limit.saturating_sub(elapsed).max(limit / 20)),
        None => fair,
    }
}

/// How many alternatives are shown for each group of nodes.
const ALTERNATIVES: usize = 3;

/// Explains a solution.
pub fn of_solution(snapshot: &Snapshot, source: &Source, solution: &Solution, time: Duration) -> ExplanationAnswer {
    let found = explain(snapshot, solution, Budget { time, alternatives: ALTERNATIVES });
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    let binding = found.binding.iter().map(|binding| BindingAnswer {
        rule: rule(application, source, binding.rule),
        utility_without: finite(binding.utility_without),
        cost_per_hour_without: binding.cost_without.units(),
    });
    let alternatives = found.alternatives.iter().map(|group| {
        let chosen = &solution.placement.groups[group.group];
        let offers = group.offers.iter().map(|other| {
            let (lost, reason, value) = match &other.loss {
                Loss::Worse { utility, cost } => ("worse", None, Some((*utility, *cost))),
                Loss::Breaks(rule) => ("breaks", Some(rule.clone()), None),
                Loss::Refused(why) => ("refused", Some(why.clone()), None),
            };
            AlternativeAnswer {
                offer: catalog[other.offer].id.to_string(),
                price: catalog[other.offer].price.units(),
                cardinality: other.cardinality,
                lost,
                reason,
                utility: value.and_then(|(utility, _)| finite(utility)),
                cost_per_hour: value.map(|(_, cost)| cost.units()),
            }
        });
        AlternativesAnswer {
            nodes: group.group,
            components: chosen.instances.iter().map(|(id, _)| application[*id].name.to_string()).collect(),
            chosen: catalog[chosen.offer].id.to_string(),
            offers: offers.collect(),
        }
    });
    ExplanationAnswer {
        binding: binding.collect(),
        binding_complete: found.binding_complete,
        alternatives: alternatives.collect(),
        conflict: None,
    }
}

/// Explains why there is no solution.
pub fn of_conflict(snapshot: &Snapshot, source: &Source, time: Duration) -> ExplanationAnswer {
    let application = &snapshot.application;
    let conflict = match explain_infeasible(snapshot, time) {
        Conflict::NoOffer { component, without } => {
            let component = &application[component];
            let requirements = without.into_iter().map(|(text, n)| RequirementAnswer { text, offers_without: n });
            ConflictAnswer::NoOffer {
                component: component.name.to_string(),
                line: place(source, component.span).map(|(line, _)| line),
                requirements: requirements.collect(),
            }
        }
        Conflict::Rules(rules) => {
            ConflictAnswer::Rules { rules: rules.into_iter().map(|r| rule(application, source, r)).collect() }
        }
        Conflict::Inherent => ConflictAnswer::Inherent,
        Conflict::Unknown => ConflictAnswer::Unknown,
    };
    ExplanationAnswer { conflict: Some(conflict), ..ExplanationAnswer::default() }
}

/// A rule with its words and place.
pub fn rule(application: &Application, source: &Source, rule: UserRule) -> RuleAnswer {
    let (kind, text) = match rule {
        UserRule::Constraint(i) => {
            let constraint = &application.constraints[i];
            let kind = match constraint.kind {
                ConstraintKind::Constraint => "constraint",
                ConstraintKind::Slo => "slo",
            };
            (kind, constraint.text.clone())
        }
        UserRule::Structure(i) => ("structure", structure(application, &application.structure[i].rule)),
        UserRule::Quota(i) => ("quota", quota(&application.quotas[i])),
        UserRule::Spread(id) => {
            let limits = application[id].spread.iter().map(|s| format!("at most {} in one {}", s.at_most, kind(s.by)));
            ("spread", limits.collect::<Vec<_>>().join(", "))
        }
    };
    let place = place(source, rule.span(application));
    RuleAnswer {
        kind,
        name: rule.name(application),
        text,
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

fn place(source: &Source, span: cardinal_models::span::Span) -> Option<(usize, usize)> {
    (!span.is_none()).then(|| source.line_column(span.start))
}

fn kind(by: SpreadBy) -> &'static str {
    match by {
        SpreadBy::Zone => "zone",
        SpreadBy::Region | SpreadBy::Location => "region",
        SpreadBy::Country => "country",
        SpreadBy::Provider => "provider",
        SpreadBy::Family => "family",
        SpreadBy::MachineType => "machine type",
    }
}

fn structure(application: &Application, rule: &Structure) -> String {
    let name = |id: &cardinal_models::application::ComponentId| application[*id].name.clone();
    let names = |ids: &[cardinal_models::application::ComponentId]| {
        ids.iter().map(|id| name(id).to_string()).collect::<Vec<String>>().join(", ")
    };
    match rule {
        Structure::Conflict { component, with } => format!("{} on no node with {}", name(component), names(with)),
        Structure::Colocate(ids) => format!("equally many of {} on every node", names(ids)),
        Structure::EveryNode { component, unless } if unless.is_empty() => format!("{} on every node", name(component)),
        Structure::EveryNode { component, unless } => {
            format!("{} on every node without {}", name(component), names(unless))
        }
        Structure::Total { of, low, high } => match (*low, *high) {
            (low, high) if low == high => format!("exactly {low} of {}", names(of)),
            (0, high) => format!("at most {high} of {}", names(of)),
            (low, u64::MAX) => format!("at least {low} of {}", names(of)),
            (low, high) => format!("{low} to {high} of {}", names(of)),
        },
        Structure::Alternatives(ids) => format!("exactly one of {}", names(ids)),
        Structure::Require { provider, count, consumer, per } => {
            format!("{count} of {} per {per} of {}", name(provider), name(consumer))
        }
    }
}

fn quota(quota: &Quota) -> String {
    let mut limits = Vec::new();
    limits.extend(quota.nodes.map(|n| format!("{n} nodes")));
    limits.extend(quota.cores.map(|n| format!("{n} cores")));
    limits.extend(quota.memory.map(|n| format!("{n} of memory")));
    limits.extend(quota.gpus.map(|n| format!("{n} GPUs")));
    limits.extend(quota.instances.map(|n| format!("{n} instances")));
    limits.extend(quota.cost.map(|n: Price| format!("{n} an hour")));
    let which: Vec<&str> = quota.matches.iter().map(|r| r.text.as_str()).collect();
    let of = if which.is_empty() { String::new() } else { format!(" where {}", which.join(", ")) };
    format!("at most {}{of}", limits.join(", "))
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
