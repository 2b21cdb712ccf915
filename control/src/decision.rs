//! What was concluded, and why, also when the conclusion is to do nothing.

use std::collections::BTreeMap;

use cardinal_adapter::authorise::Ruling;
use cardinal_adapter::diff::Figures;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::gate::{Conclusion, GateHistory, RunningScore, Verdict};
use cardinal_adapter::plan::Plan;
use cardinal_adapter::time::UnixMs;
use cardinal_models::placement::Deployment;
use serde::{Deserialize, Serialize};

use crate::metrics::SeenMetric;
use crate::trigger::Trigger;

/// What a decision says. Made by [`crate::decide()`], stored, and made again by a replay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The application.
    pub application: String,
    /// Its number, from 1.
    pub number: u64,
    /// When.
    pub at: UnixMs,
    /// What asked for it.
    pub triggers: Vec<Trigger>,
    /// The digest of everything that it depends on.
    pub input: Digest,
    /// What it saw of the metrics.
    pub saw: Vec<SeenMetric>,
    /// What runs, judged with these values; `None` when nothing does.
    pub running: Option<RunningScore>,
    /// What the solver says.
    pub answer: Answer,
    /// How much the change would disturb; `None` when there is no answer.
    pub figures: Option<Figures>,
    /// What the gate says; `None` when it was not asked.
    pub verdict: Option<Verdict>,
    /// What the gate remembers afterwards.
    pub history: GateHistory,
    /// The plan, when there is something to do.
    pub plan: Option<Plan>,
    /// Whether the policies allow the plan; `None` when there is no plan or no policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Ruling>,
    /// What keeps the change from being done, beside the gate and the policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// What happens next.
    pub next: Next,
    /// All of it in one sentence.
    pub sentence: String,
}

impl Decision {
    /// The identity of everything that was concluded.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// True when the gate let the change pass.
    pub fn passed(&self) -> bool {
        self.verdict.as_ref().is_some_and(|v| v.conclusion == Conclusion::Apply)
    }

    /// True when the policies do not allow the plan.
    pub fn is_denied(&self) -> bool {
        self.ruling.as_ref().is_some_and(|r| !r.allowed)
    }
}

/// What the solver says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Answer {
    /// A placement.
    Solved(Solved),
    /// No placement keeps all rules.
    Infeasible {
        /// The rules of the model that exclude each other; none when they were not found in time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conflict: Vec<ConflictingRule>,
        /// True when each of them is known to be needed for the conflict.
        #[serde(default)]
        minimal: bool,
    },
    /// The time was over before one was found.
    Unknown,
    /// The solver could not work on the model.
    Failed {
        /// Why.
        message: String,
    },
    /// Metrics are too old, and the application wants no decision without them.
    Refused {
        /// Which.
        metrics: Vec<String>,
    },
    /// Nothing was solved: everything is to be taken down.
    Leaving,
}

/// A rule of a conflict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictingRule {
    /// The user's name for it.
    pub name: String,
    /// What kind of rule it is, in a word.
    pub kind: String,
    /// What it says.
    pub text: String,
}

/// What keeps a change from being done, beside the gate and the policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Held {
    /// A person has paused the application.
    Pause,
    /// The mode `observe`.
    Observe,
    /// A deployment may not be as large.
    Size {
        /// Its nodes.
        nodes: u64,
        /// The most that it may have.
        nodes_max: u64,
        /// Its instances.
        instances: u64,
        /// The most that it may have.
        instances_max: u64,
    },
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Held::Pause => f.write_str("The application is paused: nothing is done until it is resumed."),
            Held::Observe => f.write_str("The mode is observe: it is recorded and not done."),
            Held::Size { nodes, nodes_max, .. } if nodes > nodes_max => write!(
                f,
                "Nothing is changed: the placement has {nodes} nodes, and a deployment may have {nodes_max}. Limit the \
                 cardinalities in the model, or raise `nodes_max` in the settings."
            ),
            Held::Size { instances, instances_max, .. } => write!(
                f,
                "Nothing is changed: the placement has {instances} instances, and a deployment may have \
                 {instances_max}. Limit the cardinalities in the model, or raise `instances_max` in the settings."
            ),
        }
    }
}

/// A placement with its proof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Solved {
    /// True when no placement is better than this by more than the gap that was asked for.
    pub proven: bool,
    /// The objective.
    pub utility: f64,
    /// No placement has a better objective; `None` when no bound is known.
    pub bound: Option<f64>,
    /// The relative distance of the two; `None` when no bound is known.
    pub gap: Option<f64>,
    /// The price of all nodes per hour, in 1e-9 of the currency unit.
    pub cost_nanos: i64,
    /// The number of instances of each component.
    pub cardinalities: BTreeMap<String, u64>,
    /// The placement, by names.
    pub placement: Deployment,
    /// SLOs that no placement could change and that do not hold now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violated_slos: Vec<String>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// Nothing.
    Nothing,
    /// The plan waits for a person.
    Approval,
    /// The plan is carried out.
    Apply,
}
