//! Puts the answer together from what the solver says.

use std::time::Duration;

use cardinal_models::application::{Application, Choice, ComponentId, FreeAttribute};
use cardinal_models::commitment::Capacity;
use cardinal_models::document::Hosting;
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::placement::{CurrentDeployment, Placement, VanishedNodes};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::verify::verify;
use cardinal_solver::Outcome;
use cardinal_solver::explain::UserRule;
use indexmap::IndexMap;

use super::objectives::{objectives, soft};
use super::traffic;
use super::{
    Answer, CatalogAnswer, ChangeAnswer, CommitmentAnswer, ComponentAnswer, CurrentAnswer, MetricAnswer, NodeAnswer,
    ObjectiveAnswer, ProofAnswer, ReductionAnswer, TimingAnswer, WarningAnswer, finite,
};
use crate::date;
use crate::explanation::ExplanationAnswer;
use crate::explanation::compose::rule;
use crate::finding::Finding;
use crate::input::model::Model;

/// What an answer is made of.
pub struct Composition<'a> {
    /// The question.
    pub snapshot: &'a Snapshot,
    /// The model with its text.
    pub model: &'a Model,
    /// What the solver says.
    pub outcome: &'a Outcome,
    /// Why.
    pub explanation: ExplanationAnswer,
    /// What to be careful about.
    pub warnings: &'a [Finding],
    /// Days since 1970-01-01.
    pub today: i64,
    /// The time until the input was read.
    pub load: Duration,
    /// The time for the explanation.
    pub explain: Duration,
    /// The time so far.
    pub total: Duration,
}

/// Puts an answer together.
pub fn compose(parts: Composition<'_>) -> Answer {
    let Composition { snapshot, model, outcome, explanation, warnings, today, load, explain, total } = parts;
    let application = &snapshot.application;
    let catalog = &snapshot.catalog;
    let report = &outcome.report;
    let solution = outcome.solution.as_ref();
    let placement = solution.map(|s| &s.placement);
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let timing = &report.timing;
    let told = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    Answer {
        status: outcome.status.as_str(),
        utility: solution.and_then(|s| finite(s.utility)),
        bound: solution.and_then(|s| finite(s.bound)),
        gap: solution.and_then(|s| finite(s.gap)),
        cost_per_hour: solution.map(|s| s.cost.units()),
        list_cost_per_hour: placement.filter(|_| !application.commitments.is_empty()).map(|p| p.cost(catalog).units()),
        commitments: placement.map_or_else(IndexMap::new, |p| commitments(snapshot, p)),
        cost: placement.and_then(|p| traffic::cost(snapshot, p)),
        egress: placement.map_or_else(Vec::new, |p| traffic::egress(snapshot, p)),
        data: placement.map_or_else(IndexMap::new, |p| traffic::data(snapshot, p)),
        components: placement.map_or_else(IndexMap::new, |p| components(snapshot, p)),
        nodes: placement.map_or_else(Vec::new, |p| nodes(snapshot, p)),
        timing_ms: TimingAnswer {
            load: ms(load),
            reduce: ms(timing.reduce),
            formulate: ms(timing.formulate),
            solve: ms(timing.solve),
            verify: ms(timing.verify),
            explain: ms(explain),
            total: ms(total),
        },
        explanation,
        application: application.name.clone(),
        currency: told(&catalog.currency),
        objective: ObjectiveAnswer {
            direction: application.objective.direction.as_str(),
            formula: application.objective.text.clone(),
            is_default: application.objective.is_default,
        },
        objectives: objectives(snapshot, solution),
        soft: soft(snapshot, &model.source, solution),
        metrics: metrics(snapshot, placement),
        current: snapshot.current.as_ref().map(|now| current(snapshot, now, solution, report.kept_current)),
        violated_slos: report
            .violated_slos
            .iter()
            .map(|i| rule(application, &model.source, UserRule::Constraint(*i)))
            .collect(),
        warnings: warnings.iter().map(warning).collect(),
        catalog: CatalogAnswer {
            used: application.components.iter().any(|c| matches!(c.choice, Choice::Offers)),
            offers: catalog.offers().iter().filter(|o| o.configuration.is_none()).count(),
            date: told(&catalog.date),
            age_days: date::age_days(&catalog.date, today),
            source: told(&catalog.source),
        },
        proof: proof(application, outcome),
    }
}

/// What each commitment covers of a placement, in the order of the model.
fn commitments(snapshot: &Snapshot, placement: &Placement) -> IndexMap<String, CommitmentAnswer> {
    let covered = snapshot.bill(placement).covered;
    let all = snapshot.application.commitments.iter().zip(covered).map(|(commitment, covered)| {
        let capacity = commitment.capacity;
        let answer = CommitmentAnswer {
            unit: match capacity {
                Capacity::Nodes(_) => "nodes",
                Capacity::Cores(_) => "cores",
                Capacity::Cost(_) => "cost",
            },
            used: covered.used,
            of: capacity.total() as f64 / capacity.scale(),
            saved_per_hour: covered.saved.units(),
            until: commitment.until.as_ref().map(ToString::to_string),
        };
        (commitment.name.to_string(), answer)
    });
    all.collect()
}

fn components(snapshot: &Snapshot, placement: &Placement) -> IndexMap<String, ComponentAnswer> {
    let application = &snapshot.application;
    let mut components: IndexMap<String, ComponentAnswer> =
        application.components.iter().map(|c| (c.name.to_string(), ComponentAnswer::default())).collect();
    for group in &placement.groups {
        for (id, on_node) in &group.instances {
            let instances = u64::from(*on_node) * u64::from(group.count);
            let component = components.entry(application[*id].name.to_string()).or_default();
            component.cardinality += instances;
            let offer = &snapshot.catalog[group.offer];
            *component.offers.entry(offer.id.to_string()).or_default() += instances;
            component.configuration = offer.configuration.as_ref().map(|c| c.name.to_string());
        }
    }
    // In the order of the model.
    for (index, described) in application.components.iter().enumerate().filter(|(_, c)| c.is_free()) {
        let id = ComponentId(index as u32);
        let component = components.entry(described.name.to_string()).or_default();
        component.cardinality = placement.cardinality(id);
        for free in described.attributes() {
            let value = placement.setting(id, &free.attribute);
            component.attributes.extend(value.map(|value| (free.attribute.name().to_owned(), value)));
        }
    }
    components
}

fn nodes(snapshot: &Snapshot, placement: &Placement) -> Vec<NodeAnswer> {
    let application = &snapshot.application;
    let nodes = placement.groups.iter().map(|group| {
        let offer = &snapshot.catalog[group.offer];
        let instances = group.instances.iter().map(|(id, n)| (application[*id].name.to_string(), *n));
        NodeAnswer {
            offer: offer.id.to_string(),
            zone: group.zone.and_then(|z| offer.zones.get(usize::from(z))).map(|z| z.to_string()),
            count: group.count,
            price: offer.price.units(),
            instances: instances.collect(),
            provider: offer.provider.to_string(),
            region: offer.region.to_string(),
            machine_type: offer.machine_type.to_string(),
            purchase: offer.purchase.as_str(),
            cores: offer.cores.count(),
            memory_mib: offer.memory.mib(),
            configuration: offer.configuration.as_ref().map(|c| c.name.to_string()),
            shared: group.instances.iter().any(|(id, _)| application[*id].hosting == Hosting::Shared),
        }
    });
    nodes.collect()
}

/// The values that the answer rests on; a metric that has none is left out.
fn metrics(snapshot: &Snapshot, placement: Option<&Placement>) -> IndexMap<String, MetricAnswer> {
    let evaluator = Evaluator::new(snapshot);
    let known = snapshot.application.metrics.iter().zip(&snapshot.metrics).filter_map(|(metric, given)| {
        let (value, source) = match (given, &metric.formula, placement) {
            (Some(value), ..) => (*value, "given"),
            (None, Some(formula), Some(placement)) => (evaluator.number(formula, placement).ok()?, "computed"),
            (None, Some(_), None) => return None,
            (None, None, _) => (metric.default?, "default"),
        };
        let unit = metric.unit.map(|u| u.to_string());
        Some((metric.name.to_string(), MetricAnswer { value, unit, source }))
    });
    known.collect()
}

fn current(snapshot: &Snapshot, now: &CurrentDeployment, solution: Option<&Solution>, kept: bool) -> CurrentAnswer {
    let evaluator = Evaluator::new(snapshot);
    let utility = match evaluator.evaluate_current(&snapshot.application.objective.formula) {
        Ok(Value::Number(utility)) => Some(utility),
        _ => None,
    };
    let gone = now.vanished.iter().map(|v| v.price.map(|p| p.times(u64::from(v.count))));
    let gone: Option<Price> = gone.sum();
    let violations = if now.vanished.is_empty() {
        verify(snapshot, &now.placement).iter().map(ToString::to_string).collect()
    } else {
        // The checker knows only nodes that are in the catalog: it would miss the instances on the others.
        Vec::new()
    };
    CurrentAnswer {
        utility,
        cost_per_hour: gone.zip(traffic::running(snapshot, now)).map(|(gone, now)| (now + gone).units()),
        violations,
        vanished: now.vanished.iter().map(|v| v.offer.to_string()).collect(),
        changes: solution.map_or_else(Vec::new, |s| changes(snapshot, &now.placement, &now.vanished, &s.placement)),
        kept,
    }
}

/// What becomes different for each component between one placement, with nodes on offers that are gone, and another.
pub fn changes(
    snapshot: &Snapshot,
    now: &Placement,
    vanished: &[VanishedNodes],
    then: &Placement,
) -> Vec<ChangeAnswer> {
    let application: &Application = &snapshot.application;
    let mut all = Vec::new();
    for (index, component) in application.components.iter().enumerate() {
        let id = ComponentId(index as u32);
        let mut offers: IndexMap<String, i64> = IndexMap::new();
        let mut add = |offer: &str, instances: &[(ComponentId, u32)], count: u32, sign: i64| {
            let on_node: i64 = instances.iter().filter(|(c, _)| *c == id).map(|(_, n)| i64::from(*n)).sum();
            if on_node > 0 {
                *offers.entry(offer.to_owned()).or_default() += sign * on_node * i64::from(count);
            }
        };
        for group in &now.groups {
            add(&snapshot.catalog[group.offer].id, &group.instances, group.count, -1);
        }
        for nodes in vanished {
            add(&nodes.offer, &nodes.instances, nodes.count, -1);
        }
        for group in &then.groups {
            add(&snapshot.catalog[group.offer].id, &group.instances, group.count, 1);
        }
        offers.retain(|_, n| *n != 0);
        let pair = |free: &FreeAttribute| [now, then].map(|placement| placement.setting(id, &free.attribute));
        let attributes = component.attributes().iter().map(|free| (free.attribute.name().to_owned(), pair(free)));
        let attributes: IndexMap<String, [Option<f64>; 2]> = attributes.filter(|(_, [a, b])| a != b).collect();
        let resized = component.is_free() && now.cardinality(id) != then.cardinality(id);
        if !offers.is_empty() || !attributes.is_empty() || resized {
            let component = component.name.to_string();
            let gone = vanished.iter().map(|v| {
                let on_node: u64 = v.instances.iter().filter(|(c, _)| *c == id).map(|(_, n)| u64::from(*n)).sum();
                on_node * u64::from(v.count)
            });
            let from = now.cardinality(id) + gone.sum::<u64>();
            all.push(ChangeAnswer { component, from, to: then.cardinality(id), offers, attributes });
        }
    }
    all
}

fn warning(finding: &Finding) -> WarningAnswer {
    let diagnostic = &finding.diagnostic;
    let place = finding.source.as_ref().filter(|_| !diagnostic.span.is_none());
    let place = place.map(|source| source.line_column(diagnostic.span.start));
    WarningAnswer {
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
        file: finding.source.as_ref().map(|s| s.name.clone()),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
    }
}

fn proof(application: &Application, outcome: &Outcome) -> ProofAnswer {
    let report = &outcome.report;
    let reductions = report.reductions.iter().filter(|r| !application[r.component].is_free()).map(|r| {
        let answer = ReductionAnswer { admissible: r.admissible, kept: r.kept };
        (application[r.component].name.to_string(), answer)
    });
    ProofAnswer {
        combinations_log10: report.combinations_log10,
        patterns: report.patterns,
        clusters: report.clusters,
        columns: report.effort.columns,
        rows: report.effort.rows,
        nodes: report.effort.nodes,
        undefined: report.effort.undefined,
        reductions: reductions.collect(),
    }
}
