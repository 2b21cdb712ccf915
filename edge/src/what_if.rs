//! What-ifs: scenarios side by side, and sweeps; their answers as plain data.

pub mod compare;
pub mod sweep;

use std::collections::BTreeMap;
use std::sync::Arc;

use cardinal_models::application::Application;
use cardinal_models::catalog::Catalog;
use cardinal_solver::what_if::Question;
use cardinal_solver::what_if::choice::{Choice, Moves, Nodes};
use cardinal_solver::what_if::sweep::Break;
use indexmap::IndexMap;
use serde::Serialize;

use crate::answer::{ComponentAnswer, ObjectiveAnswer, finite};
use crate::failure::Exit;

/// Scenarios side by side.
#[derive(Debug, Serialize)]
pub struct ComparisonAnswer {
    /// The name of the application.
    pub application: String,
    /// The code of the money; null for an abstract unit.
    pub currency: Option<String>,
    /// What is best in the model as it is.
    pub objective: ObjectiveAnswer,
    /// The scenarios; the first is the model as it is.
    pub scenarios: Vec<ScenarioAnswer>,
    /// True when something runs and moves begin there; otherwise they begin at the first scenario.
    pub moves_from_current: bool,
    /// False when it was stopped before every scenario was settled.
    pub complete: bool,
}

/// One scenario.
#[derive(Debug, Serialize)]
pub struct ScenarioAnswer {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// The answer.
    #[serde(flatten)]
    pub choice: ChoiceAnswer,
    /// What it takes to get there; null without an answer.
    pub moves: Option<MovesAnswer>,
}

/// An answer.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceAnswer {
    /// `optimal`, `feasible`, `infeasible`, `unknown` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The value of the objective.
    pub utility: Option<f64>,
    /// How far it may be from the best.
    pub gap: Option<f64>,
    /// The price of all nodes.
    pub cost_per_hour: Option<f64>,
    /// What each component gets.
    pub components: IndexMap<String, ComponentAnswer>,
}

/// What it takes to get from one deployment to another.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MovesAnswer {
    /// Nodes to create.
    pub nodes_created: u64,
    /// Nodes to delete.
    pub nodes_deleted: u64,
    /// Instances to start.
    pub instances_started: u64,
    /// Instances to stop.
    pub instances_stopped: u64,
}

/// A sweep.
#[derive(Debug, Serialize)]
pub struct SweepAnswer {
    /// The name of the application.
    pub application: String,
    /// The code of the money; null for an abstract unit.
    pub currency: Option<String>,
    /// What is best.
    pub objective: ObjectiveAnswer,
    /// What is swept.
    pub axes: Vec<AxisAnswer>,
    /// The points of the grid that are known, the first axis fastest.
    pub points: Vec<PointAnswer>,
    /// Where the decision changes along the first axis.
    pub breaks: Vec<BreakAnswer>,
    /// False when it was stopped before everything was known.
    pub complete: bool,
    /// How many solves there were.
    pub solves: usize,
    /// How many threads solved.
    pub jobs: usize,
    /// How long it took.
    pub seconds: f64,
}

/// What is swept.
#[derive(Debug, Serialize)]
pub struct AxisAnswer {
    /// What it is.
    pub name: String,
    /// `absolute`, `factor` or `percent`.
    pub form: &'static str,
    /// True for equal factors.
    pub log: bool,
    /// The values.
    pub values: Vec<f64>,
}

/// A point of a sweep.
#[derive(Debug, Serialize)]
pub struct PointAnswer {
    /// The value of each axis.
    pub values: Vec<f64>,
    /// The answer.
    #[serde(flatten)]
    pub choice: ChoiceAnswer,
}

/// Where the decision changes.
#[derive(Debug, Serialize)]
pub struct BreakAnswer {
    /// The value of the first axis at which it changes.
    pub at: f64,
    /// True when the new decision holds at that value, false when only beyond it.
    pub from: bool,
    /// The same as it would be written.
    pub shown: String,
    /// The value of the second axis.
    pub of: Option<f64>,
    /// What changes, in words.
    pub text: String,
    /// True when it is known to the last digits.
    pub exact: bool,
    /// The decision before.
    pub before: ChoiceAnswer,
    /// The decision from there on.
    pub after: ChoiceAnswer,
}

/// The answer to one question.
pub fn choice(application: &Application, choice: &Choice) -> ChoiceAnswer {
    let components = application.components.iter().zip(&choice.components).map(|(component, chosen)| {
        let offers = chosen.offers.iter().map(|(id, n)| (id.to_string(), *n)).collect();
        let attributes = chosen.attributes.iter().map(|(name, value)| (name.clone(), value.0)).collect();
        let answer = ComponentAnswer { cardinality: chosen.cardinality, offers, configuration: None, attributes };
        (component.name.to_string(), answer)
    });
    ChoiceAnswer {
        status: choice.status.map_or("failed", |status| status.as_str()),
        failure: choice.failure.clone(),
        utility: choice.utility.and_then(finite),
        gap: choice.gap.and_then(finite),
        cost_per_hour: choice.cost.map(|cost| cost.units()),
        components: components.collect(),
    }
}

/// What it takes to get to an answer from other nodes; `None` without an answer.
pub fn moves(choice: &Choice, from: &Nodes) -> Option<MovesAnswer> {
    choice.cost.map(|_| {
        let Moves { nodes_created, nodes_deleted, instances_started, instances_stopped } = choice.moves_from(from);
        MovesAnswer { nodes_created, nodes_deleted, instances_started, instances_stopped }
    })
}

/// The fewest words for each offer: its machine type where all offers of that type among these are in one region, else
/// its id.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<Arc<str>, String>);

impl Names {
    /// Names for the offers of these answers.
    pub fn of<'c>(catalog: &Catalog, choices: impl Iterator<Item = &'c Choice>) -> Names {
        let mut ids: Vec<Arc<str>> = choices
            .flat_map(|choice| choice.components.iter())
            .flat_map(|component| component.offers.keys().cloned())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let kind = |id: &Arc<str>| catalog.find(id).map(|index| catalog[index].machine_type.clone());
        let mut kinds: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        ids.iter().filter_map(kind).for_each(|kind| *kinds.entry(kind).or_default() += 1);
        let name = |id: &Arc<str>| match kind(id) {
            Some(kind) if kinds.get(&kind) == Some(&1) => kind.to_string(),
            _ => id.to_string(),
        };
        Names(ids.iter().map(|id| (id.clone(), name(id))).collect())
    }

    /// The name of an offer.
    pub fn name<'n>(&'n self, id: &'n str) -> &'n str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// What a component gets: `2 x t3.medium + 1 x c5.large`.
    pub fn fleet(&self, component: &ComponentAnswer) -> String {
        if component.offers.is_empty() {
            let attributes = component.attributes.iter().map(|(name, value)| format!(", {name} {value}"));
            return component.cardinality.to_string() + &attributes.collect::<String>();
        }
        let parts = component.offers.iter().map(|(id, n)| format!("{n} x {}", self.name(id)));
        parts.collect::<Vec<_>>().join(" + ")
    }
}

/// A break point with what changes there.
pub fn break_point(
    application: &Application,
    names: &Names,
    found: &Break,
    shown: String,
    of: Option<f64>,
) -> BreakAnswer {
    let (before, after) = (choice(application, &found.before), choice(application, &found.after));
    let mut changes = Vec::new();
    match (before.cost_per_hour, after.cost_per_hour) {
        (Some(_), None) => changes.push("no placement".to_owned()),
        (None, Some(_)) => changes.push("a placement, where there was none".to_owned()),
        _ => {}
    }
    if before.cost_per_hour.is_some() && after.cost_per_hour.is_some() {
        for (name, then) in &after.components {
            let Some(now) = before.components.get(name).filter(|now| **now != *then) else { continue };
            changes.push(format!("{name}: {} -> {}", names.fleet(now), names.fleet(then)));
        }
        if changes.is_empty() {
            changes.push("the same instances are packed on other nodes".to_owned());
        }
    }
    BreakAnswer {
        at: found.at,
        from: found.is_from,
        shown,
        of,
        text: changes.join("; "),
        exact: found.is_exact,
        before,
        after,
    }
}

fn objective(question: &Question) -> ObjectiveAnswer {
    let objective = &question.snapshot.application.objective;
    ObjectiveAnswer {
        direction: objective.direction.as_str(),
        formula: objective.text.clone(),
        is_default: objective.is_default,
    }
}

/// The exit status that answers stand for.
fn exit(choices: &[Choice], is_cancelled: bool) -> Exit {
    if choices.iter().any(|choice| choice.failure.is_some()) {
        Exit::Invalid
    } else if is_cancelled || choices.iter().any(|choice| !choice.is_settled()) {
        Exit::Limit
    } else if choices.iter().all(|choice| choice.cost.is_none()) {
        Exit::Infeasible
    } else {
        Exit::Solved
    }
}
