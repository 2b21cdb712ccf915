//! Everything that a decision depends on, as a value that can be stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use cardinal_adapter::authorise::Asker;
use cardinal_adapter::deployment::RunningDeployment;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::gate::GateHistory;
use cardinal_adapter::plan::TargetHead;
use cardinal_adapter::time::UnixMs;
use serde::{Deserialize, Serialize};

use crate::metrics::Readings;
use crate::settings::LoopSettings;
use crate::trigger::Trigger;

/// The immutable input of one decision. Texts of models and catalogs stand elsewhere, under their digests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionInput {
    /// The application.
    pub application: String,
    /// The number of the decision, from 1, for each application.
    pub number: u64,
    /// The time of the decision.
    pub at: UnixMs,
    /// What asked for it, ascending.
    pub triggers: Vec<Trigger>,
    /// The model.
    pub model: Digest,
    /// The offers.
    pub catalog: Digest,
    /// The values of metrics.
    pub readings: Readings,
    /// What runs.
    pub running: Arc<RunningDeployment>,
    /// The plan that is the target.
    pub head: TargetHead,
    /// What the gate remembers.
    pub history: GateHistory,
    /// Offers that are left out, because their provider had none lately. Those that run are not.
    pub unavailable: BTreeSet<String>,
    /// True while a person has paused the application: what is decided is recorded and not done.
    pub paused: bool,
    /// SLOs that do not hold and do not count as violated yet, because it has not lasted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<String>,
    /// The numbers.
    pub settings: LoopSettings,
}

impl DecisionInput {
    /// The digest of the whole input.
    pub fn digest(&self) -> Digest {
        Digest::of(self)
    }

    /// True when everything of the application is to be taken down.
    pub fn is_leaving(&self) -> bool {
        self.triggers.iter().any(|t| matches!(t, Trigger::Leave { .. }))
    }

    /// Who asked for the decision: the person who removes the application, else the first one by name who asked, else the
    /// loop.
    pub fn asker(&self) -> Asker {
        let person = |leaves: bool| {
            self.triggers.iter().find_map(|t| match t {
                Trigger::Leave { by, scope } if leaves => Some((by, scope)),
                Trigger::Person { by, scope } if !leaves => Some((by, scope)),
                _ => None,
            })
        };
        match person(true).or_else(|| person(false)) {
            Some((name, scope)) => Asker::Person { name: name.clone(), scope: scope.clone() },
            None => Asker::Loop,
        }
    }

    /// True when a person asked for the decision.
    pub fn is_ordered(&self) -> bool {
        self.triggers.iter().any(|t| matches!(t, Trigger::Person { .. } | Trigger::Leave { .. }))
    }
}
