//! How persistent the executor is.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::driver::Token;
use crate::plan::ActionKind;

/// The numbers of the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutePolicy {
    /// At most so many actions at once. Default: 32.
    pub parallel_max: u32,
    /// At most so many attempts at one action, and so many at undoing it. Default: 6.
    pub attempts_max: u32,
    /// The first wait between two attempts, in milliseconds; it doubles each time. Default: 1,000.
    pub backoff_ms: u64,
    /// The longest wait between two attempts, in milliseconds. Default: 60,000.
    pub backoff_ms_max: u64,
    /// How long waiting for a node may take, in milliseconds. Default: 15 minutes.
    pub wait_ready_ms_max: u64,
    /// How long waiting for an instance to be healthy or drained may take, in milliseconds. Default: 10 minutes.
    pub wait_instance_ms_max: u64,
    /// How long any other action may take with all its attempts, in milliseconds. Default: 5 minutes.
    pub action_ms_max: u64,
    /// How long the way to the target may take, in milliseconds. Default: 2 hours.
    pub plan_ms_max: u64,
    /// What happens when an action is given up on the way to the target.
    pub on_failure: OnFailure,
}

impl Default for ExecutePolicy {
    fn default() -> Self {
        ExecutePolicy {
            parallel_max: 32,
            attempts_max: 6,
            backoff_ms: 1_000,
            backoff_ms_max: 60_000,
            wait_ready_ms_max: 900_000,
            wait_instance_ms_max: 600_000,
            action_ms_max: 300_000,
            plan_ms_max: 7_200_000,
            on_failure: OnFailure::Unwind,
        }
    }
}

/// What happens when an action is given up on the way to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Everything is undone.
    #[default]
    Unwind,
    /// A person is asked.
    Ask,
}

impl ExecutePolicy {
    /// How long an action of a kind may take, in milliseconds.
    pub(super) fn deadline_ms(&self, kind: ActionKind) -> u64 {
        match kind {
            ActionKind::WaitReady => self.wait_ready_ms_max,
            ActionKind::WaitHealthy | ActionKind::Drain => self.wait_instance_ms_max,
            ActionKind::CreateNode
            | ActionKind::StartInstance
            | ActionKind::Register
            | ActionKind::StopInstance
            | ActionKind::DeleteNode
            | ActionKind::ClearNode
            | ActionKind::ChangeParameters
            | ActionKind::Checkpoint => self.action_ms_max,
        }
    }

    /// The wait after a failed attempt, in milliseconds: doubled each time, and between half and all of that, so that many
    /// actions that failed together do not come back together. Drawn from the token, so that a replay waits as long.
    pub(super) fn backoff_after_ms(&self, token: &Token, attempt: u32) -> u64 {
        let doubled = self.backoff_ms.saturating_mul(1 << attempt.saturating_sub(1).min(20)).min(self.backoff_ms_max);
        let half = doubled / 2;
        half + Digest::of(&(token, attempt)).seed() % (doubled - half + 1)
    }
}
