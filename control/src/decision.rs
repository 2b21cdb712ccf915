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
    Infeasible,
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
