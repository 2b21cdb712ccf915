//! A plan: the actions that turn one deployment into another, as data.
//!
//! A plan is immutable and carries its own hash. It names its parent, the plan that was the target when it was made, and
//! becomes the target only by [`TargetHead::adopt`], a compare-and-swap on that parent: planners that race are harmless,
//! and a stale plan never moves the world backwards. It leaves no choice to execution: every name of a node or instance
//! is given here, and every order that matters is an edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::deployment::RunningDeployment;
use crate::diff::{Diff, Figures};
use crate::digest::Digest;
use crate::rules::Rules;

mod build;
mod effect;
pub mod lint;
pub mod operation;
pub mod render;
pub mod rolling;
#[cfg(test)]
mod tests;

pub use build::{PlanError, PlanRequest};
pub use effect::{Misstep, World};
pub use operation::{ActionKind, Operation};
pub use rolling::{Amount, Rolling};

/// The largest number of actions of one plan.
pub const ACTIONS_MAX: usize = 1_000_000;

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What is done.
    #[serde(flatten)]
    pub operation: Operation,
    /// The actions that must be done before this one begins; indices into [`PlanContent::actions`], ascending, all
    /// smaller than its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<u32>,
}

/// What a plan says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanContent {
    /// The application.
    pub application: String,
    /// Larger than that of every plan before it.
    pub generation: u64,
    /// The hash of the plan that was the target when this one was made.
    pub parent: Digest,
    /// What it starts from.
    pub before: RunningDeployment,
    /// What it ends in.
    pub target: RunningDeployment,
    /// The rules of the application that it keeps.
    pub rules: Rules,
    /// The limits that it keeps.
    pub rolling: Rolling,
    /// How much it disturbs, in whole numbers; see [`Figures`] for the meaning.
    pub summary: Summary,
    /// The steps, each after everything that it waits for.
    pub actions: Vec<Action>,
}

/// The figures of a plan that a reader wants at a glance. Whole numbers only, because a plan is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Nodes bought.
    pub nodes_created: u64,
    /// Nodes given back, lost ones not counted.
    pub nodes_deleted: u64,
    /// Of these, nodes that another one takes the place of: old name, new name.
    pub replaced: BTreeMap<String, String>,
    /// Running instances that are stopped.
    pub instances_stopped: u64,
    /// Instances that are started.
    pub instances_started: u64,
    /// Price of all nodes per hour before, in 1e-9 of the currency unit.
    pub cost_before_nanos: i64,
    /// Price of all nodes per hour afterwards, in 1e-9 of the currency unit.
    pub cost_after_nanos: i64,
    /// What is paid while nodes start and drain without serving, in 1e-9 of the currency unit.
    pub double_running_nanos: i64,
}

/// A plan with its hash. Cannot be changed; reading one checks the hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "SealedPlan", into = "SealedPlan")]
pub struct Plan {
    hash: Digest,
    content: Arc<PlanContent>,
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        // The hash is that of the whole content.
        self.hash == other.hash
    }
}

#[derive(Serialize, Deserialize)]
struct SealedPlan {
    hash: Digest,
    #[serde(flatten)]
    content: PlanContent,
}

impl From<Plan> for SealedPlan {
    fn from(plan: Plan) -> Self {
        SealedPlan { hash: plan.hash, content: Arc::unwrap_or_clone(plan.content) }
    }
}

impl TryFrom<SealedPlan> for Plan {
    type Error = String;

    fn try_from(sealed: SealedPlan) -> Result<Self, String> {
        let plan = Plan::seal(sealed.content);
        if plan.hash == sealed.hash {
            return Ok(plan);
        }
        Err(format!("the plan says that its hash is {}, but its content has {}", sealed.hash, plan.hash))
    }
}

impl Plan {
    /// A plan with this content.
    pub fn seal(content: PlanContent) -> Self {
        Plan { hash: Digest::of(&content), content: Arc::new(content) }
    }

    /// Makes the plan for a diff. The plan keeps the limits whatever order execution takes; nodes whose instances would
    /// have to change places with each other are replaced instead, so the diff that the plan carries out is given back
    /// beside it.
    ///
    /// # Errors
    /// When the components need each other in a circle, when the limits leave no room for a step, or when what must not
    /// move stands in the way.
    pub fn make(request: &PlanRequest<'_>, diff: Diff) -> Result<(Plan, Diff), PlanError> {
        build::make(request, diff)
    }

    /// The hash of the content.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// What the plan says.
    pub fn content(&self) -> &PlanContent {
        &self.content
    }

    /// The steps.
    pub fn actions(&self) -> &[Action] {
        &self.content.actions
    }
}

impl Summary {
    fn of(figures: &Figures, replaced: BTreeMap<String, String>) -> Self {
        Summary {
            nodes_created: figures.nodes_created,
            nodes_deleted: figures.nodes_deleted,
            replaced,
            instances_stopped: figures.instances_stopped,
            instances_started: figures.instances_started,
            cost_before_nanos: figures.cost_before_nanos.nanos(),
            cost_after_nanos: figures.cost_after_nanos.nanos(),
            double_running_nanos: figures.double_running.0,
        }
    }
}

/// The plan that is the target of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHead {
    /// Its generation; 0 before the first.
    pub generation: u64,
    /// Its hash; that of no bytes before the first.
    pub plan: Digest,
}

impl Default for TargetHead {
    fn default() -> Self {
        TargetHead { generation: 0, plan: Digest::of_bytes(b"") }
    }
}

/// A plan that was made for a target that is no longer the target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan {plan} of generation {generation} was made upon {parent}, but the target is {head} of generation \
     {head_generation}; decide again"
)]
pub struct StalePlan {
    /// The plan.
    pub plan: String,
    /// Its generation.
    pub generation: u64,
    /// Its parent.
    pub parent: String,
    /// The target.
    pub head: String,
    /// The target's generation.
    pub head_generation: u64,
}

impl TargetHead {
    /// Makes the plan the target if its parent is the target still.
    ///
    /// # Errors
    /// When it is not, or when the generation would not rise; nothing has changed then.
    pub fn adopt(&mut self, plan: &Plan) -> Result<(), StalePlan> {
        let content = plan.content();
        if content.parent != self.plan || content.generation <= self.generation {
            return Err(StalePlan {
                plan: plan.hash().short(),
                generation: content.generation,
                parent: content.parent.short(),
                head: self.plan.short(),
                head_generation: self.generation,
            });
        }
        *self = TargetHead { generation: content.generation, plan: plan.hash() };
        Ok(())
    }
}
