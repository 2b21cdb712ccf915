//! What was done, durably: an entry before and after everything that touches the world.
//!
//! The executor's state is a function of the plan and the journal: live and after a crash the same code folds the same
//! entries. A step that had begun when the process ended is begun again, with the same token.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::driver::{Fault, Way};
use crate::time::UnixMs;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 0, without gaps.
    pub sequence: u64,
    /// When.
    pub at: UnixMs,
    /// What.
    #[serde(flatten)]
    pub record: Record,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The plan begins.
    Adopted {
        /// Its hash.
        plan: Digest,
    },
    /// A call is about to be made.
    Begun {
        /// The action.
        action: u32,
        /// Done or undone.
        way: Way,
        /// Which of the operations that undo it; 0 when it is done.
        step: u8,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// A call has ended.
    Ended {
        /// The action.
        action: u32,
        /// Done or undone.
        way: Way,
        /// Which of the operations that undo it; 0 when it is done.
        step: u8,
        /// The number of the attempt.
        attempt: u32,
        /// Why it failed; `None` when it succeeded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
    },
    /// There is nothing to undo in an action.
    Passed {
        /// The action.
        action: u32,
    },
    /// The executor goes another way.
    Turned {
        /// Which.
        mode: Mode,
        /// Why.
        reason: String,
    },
    /// An action was given up; a person must say what to do.
    Stuck {
        /// The action.
        action: u32,
        /// Whether it was being done or undone.
        way: Way,
        /// Why.
        fault: Fault,
    },
    /// A person said what to do.
    Resolved {
        /// The action.
        action: u32,
        /// What to do.
        choice: Choice,
        /// Who said so.
        by: String,
    },
    /// The plan has ended.
    Finished {
        /// How.
        ending: Ending,
    },
}

/// Which way the executor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Towards the target.
    Forward,
    /// Ends what is half done and begins nothing else, because another target is wanted.
    Settling,
    /// Back to what was before.
    Unwinding,
}

/// What a person can say about an action that is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// Try it again.
    Retry,
    /// Go on as if it had succeeded: it was done by hand.
    Skip,
    /// Go back to what was before.
    Unwind,
    /// End the plan here and take the world as it is.
    Accept,
}

/// How a plan has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The target is reached.
    Reached,
    /// Everything is as it was before.
    Unwound,
    /// Something in between, with nothing half done, because another target is wanted.
    Superseded,
    /// Something in between, by the word of a person.
    Accepted,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// Being done; the call may have been made or not.
    Doing,
    /// The last attempt failed; it may have left something.
    Failed,
    /// Done.
    Done,
    /// Taken as done by the word of a person.
    Skipped,
    /// Being undone, with this of its undoing operations.
    Undoing(u8),
    /// Between two of its undoing operations; this is the next.
    UndoNext(u8),
    /// The last attempt at this undoing operation failed.
    UndoFailed(u8),
    /// Undone, or nothing was to be undone.
    Undone,
}

/// What can happen to an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It is begun, or begun again.
    Begin,
    /// It succeeded.
    Succeed,
    /// It failed.
    Fail,
    /// A person takes it as done, or as undone.
    Skip,
    /// This undoing operation is begun, or begun again.
    BeginUndo(u8),
    /// This undoing operation succeeded, and another one follows.
    SucceedUndo(u8),
    /// This undoing operation succeeded, and it was the last.
    SucceedLastUndo(u8),
    /// This undoing operation failed.
    FailUndo(u8),
    /// There is nothing to undo.
    Pass,
}

/// A transition that an action cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action that is {phase:?} cannot {transition:?}")]
pub struct IllegalTransition {
    /// Where it is.
    pub phase: Phase,
    /// What was to happen.
    pub transition: Transition,
}

impl Phase {
    /// The phase after a transition: the total table. Every pair is either here or an error.
    ///
    /// # Errors
    /// When the action cannot make the transition.
    pub fn after(self, transition: Transition) -> Result<Phase, IllegalTransition> {
        use Transition::{Begin, BeginUndo, Fail, FailUndo, Pass, Skip, Succeed, SucceedLastUndo, SucceedUndo};
        let next = match (self, transition) {
            (Phase::Waiting | Phase::Doing | Phase::Failed, Begin) => Some(Phase::Doing),
            (Phase::Doing, Succeed) => Some(Phase::Done),
            (Phase::Doing, Fail) => Some(Phase::Failed),
            (Phase::Failed, Skip) => Some(Phase::Skipped),
            (Phase::Doing | Phase::Failed | Phase::Done | Phase::Skipped, BeginUndo(0)) => Some(Phase::Undoing(0)),
            (Phase::Doing | Phase::Failed | Phase::Done | Phase::Skipped, Pass) => Some(Phase::Undone),
            (Phase::Undoing(at) | Phase::UndoNext(at) | Phase::UndoFailed(at), BeginUndo(step)) if at == step => {
                Some(Phase::Undoing(step))
            }
            (Phase::Undoing(at), SucceedUndo(step)) if at == step => Some(Phase::UndoNext(step.saturating_add(1))),
            (Phase::Undoing(at), SucceedLastUndo(step)) if at == step => Some(Phase::Undone),
            (Phase::Undoing(at), FailUndo(step)) if at == step => Some(Phase::UndoFailed(step)),
            (Phase::UndoFailed(_), Skip) => Some(Phase::Undone),
            (Phase::Waiting, Succeed | Fail | Skip | BeginUndo(_) | Pass)
            | (Phase::Doing, Skip | BeginUndo(_))
            | (Phase::Failed, Succeed | Fail | BeginUndo(_))
            | (Phase::Done | Phase::Skipped, Begin | Succeed | Fail | Skip | BeginUndo(_))
            | (Phase::Undoing(_) | Phase::UndoNext(_) | Phase::UndoFailed(_), Begin | Succeed | Fail | Pass)
            | (Phase::Undoing(_) | Phase::UndoNext(_) | Phase::UndoFailed(_), BeginUndo(_))
            | (Phase::Undoing(_) | Phase::UndoNext(_), Skip)
            | (Phase::Undone, Begin | Succeed | Fail | Skip | BeginUndo(_) | Pass)
            | (_, SucceedUndo(_) | SucceedLastUndo(_) | FailUndo(_)) => None,
        };
        next.ok_or(IllegalTransition { phase: self, transition })
    }

    /// True when everything that waits for the action may begin.
    pub fn is_complete(self) -> bool {
        matches!(self, Phase::Done | Phase::Skipped)
    }

    /// True when the action has nothing in the world: not begun, or undone.
    pub fn leaves_nothing(self) -> bool {
        matches!(self, Phase::Waiting | Phase::Undone)
    }
}

/// A journal that does not fit its plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It does not begin with the plan.
    #[error("the journal does not begin with the adoption of plan {0}")]
    NotAdopted(String),
    /// An entry is missing or stands twice.
    #[error("entry {expected} of the journal is missing; {found} stands in its place")]
    Gap {
        /// Which should stand there.
        expected: u64,
        /// Which does.
        found: u64,
    },
    /// It tells of an action that the plan does not have.
    #[error("entry {sequence} of the journal tells of action {action}, which the plan does not have")]
    NoAction {
        /// The entry.
        sequence: u64,
        /// The action.
        action: u32,
    },
    /// It tells of something that cannot have happened.
    #[error("entry {sequence} of the journal cannot have happened")]
    Illegal {
        /// The entry.
        sequence: u64,
        /// Why not.
        #[source]
        source: IllegalTransition,
    },
    /// Something stands after the end.
    #[error("entry {0} of the journal stands after the end of the plan")]
    AfterEnd(u64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_allows_what_it_should_and_nothing_else() {
        use Transition::{Begin, BeginUndo, Fail, FailUndo, Pass, Skip, Succeed, SucceedLastUndo, SucceedUndo};
        let phases = [
            Phase::Waiting,
            Phase::Doing,
            Phase::Failed,
            Phase::Done,
            Phase::Skipped,
            Phase::Undoing(0),
            Phase::Undoing(1),
            Phase::UndoNext(1),
            Phase::UndoFailed(0),
            Phase::UndoFailed(1),
            Phase::Undone,
        ];
        let mut transitions = vec![Begin, Succeed, Fail, Skip, Pass];
        for step in 0..3 {
            transitions.extend([BeginUndo(step), SucceedUndo(step), SucceedLastUndo(step), FailUndo(step)]);
        }
        let mut legal = Vec::new();
        for phase in phases {
            for transition in &transitions {
                if let Ok(next) = phase.after(*transition) {
                    legal.push((phase, *transition, next));
                    // What has effects can always end without any.
                    assert!(next != Phase::Waiting);
                }
            }
        }
        assert_eq!(legal.len(), 3 + 2 + 1 + 4 + 4 + 5 + 2 + 2 + 2 + 2, "{legal:#?}");
        assert!(phases.iter().all(|p| Phase::Undone.after(Begin).is_err() && p.after(FailUndo(2)).is_err()));
    }
}
