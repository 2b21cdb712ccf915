//! Carries a plan out, as a state machine without I/O: `step(now, event) -> commands`.
//!
//! The host does what the commands say, in their order: an entry of the journal is durable before the next command is
//! carried out; a call goes to the driver and its answer comes back as an event; at the time of the last
//! [`Command::WakeAt`] the host sends [`Event::Wake`]. Time is what the host says it is. A service, a simulation and a
//! test that ends the process at every write drive the same code.
//!
//! After a crash, [`Executor::recover`] folds the journal. Steps that had begun are begun again with their tokens.
//!
//! An action that is given up turns the executor round: everything that was begun is undone, the last first, failed
//! actions too, because a failure may come after the effect. An undo that is given up leaves the plan stuck, for a person
//! to say what to do.

use std::collections::BTreeSet;

use crate::deployment::RunningDeployment;
use crate::driver::{Call, Fault, FaultClass, Progress, Token, Way};
use crate::journal::{Choice, Ending, Entry, JournalError, Mode, Phase, Record};
use crate::plan::{Operation, Plan, World};
use crate::time::UnixMs;

mod fold;
pub mod policy;
mod schedule;
#[cfg(test)]
mod tests;

pub use policy::{ExecutePolicy, OnFailure};

/// What happens to the executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The time that was asked for has come.
    Wake,
    /// The driver answered.
    Answer {
        /// Which call.
        token: Token,
        /// Which attempt.
        attempt: u32,
        /// What.
        result: Result<Progress, Fault>,
    },
    /// Another target is wanted: end what is half done and begin nothing else.
    Supersede {
        /// Why.
        reason: String,
    },
    /// Go back to what was before.
    Unwind {
        /// Why.
        reason: String,
    },
    /// A person says what to do about an action that is stuck. Without effect on one that is not.
    Resolve {
        /// The action.
        action: u32,
        /// What to do.
        choice: Choice,
        /// Who says so.
        by: String,
    },
}

/// What the host must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make this durable before the next command.
    Record(Entry),
    /// Make this call and bring its answer back.
    Call(Box<Call>),
    /// Send [`Event::Wake`] at this time. Replaces every earlier one.
    WakeAt(UnixMs),
    /// The plan has ended; the journal says so already.
    Finished {
        /// How.
        ending: Ending,
        /// What runs now.
        deployment: RunningDeployment,
    },
}

/// An action that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StuckAction {
    /// The action.
    pub action: u32,
    /// What was tried.
    pub operation: Operation,
    /// Why it failed.
    pub fault: Fault,
}

/// How far one action is, with what the journal says of its attempts.
#[derive(Clone, Debug)]
struct Step {
    phase: Phase,
    /// The number of the last attempt; 0 before the first.
    attempt: u32,
    /// When the first attempt began.
    begun: UnixMs,
    /// Why the last attempt failed.
    fault: Option<Fault>,
    /// Not before this time is it tried or asked for again.
    not_before: UnixMs,
    /// A call is under way.
    in_flight: bool,
    /// It had begun when the process ended: what became of the call is unknown.
    unknown: bool,
}

/// A plan being carried out.
#[derive(Clone, Debug)]
pub struct Executor {
    plan: Plan,
    policy: ExecutePolicy,
    adopted: UnixMs,
    next_sequence: u64,
    mode: Mode,
    reason: String,
    ending: Option<Ending>,
    steps: Vec<Step>,
    stuck: BTreeSet<u32>,
    /// For each action, what waits for it.
    successors: Vec<Vec<u32>>,
    /// For each action, how many that it waits for are not complete.
    missing: Vec<u32>,
    /// For each action, how many that wait for it have something in the world.
    holding: Vec<u32>,
    /// Waiting actions whose predecessors are complete.
    ready: BTreeSet<u32>,
    /// Actions that are being done or undone, or have failed.
    active: BTreeSet<u32>,
    /// Actions with something in the world on which nothing else stands.
    undoable: BTreeSet<u32>,
}

impl Executor {
    /// Begins a plan.
    pub fn start(plan: Plan, policy: ExecutePolicy, now: UnixMs) -> (Executor, Vec<Command>) {
        let mut executor = Executor::new(plan, policy);
        let mut commands = Vec::new();
        let adopted = Record::Adopted { plan: executor.plan.hash() };
        executor.write(now, adopted, &mut commands);
        executor.schedule(now, &mut commands);
        (executor, commands)
    }

    /// The executor as its journal leaves it; send it [`Event::Wake`] to go on.
    ///
    /// # Errors
    /// When the journal is not one of this plan.
    pub fn recover(plan: Plan, policy: ExecutePolicy, journal: &[Entry]) -> Result<Executor, JournalError> {
        let mut executor = Executor::new(plan, policy);
        let hash = executor.plan.hash();
        if !matches!(journal.first().map(|e| &e.record), Some(Record::Adopted { plan }) if *plan == hash) {
            return Err(JournalError::NotAdopted(hash.short()));
        }
        for entry in journal {
            if entry.sequence != executor.next_sequence {
                return Err(JournalError::Gap { expected: executor.next_sequence, found: entry.sequence });
            }
            if executor.ending.is_some() {
                return Err(JournalError::AfterEnd(entry.sequence));
            }
            executor.fold(entry)?;
        }
        for step in &mut executor.steps {
            step.in_flight = false;
            step.unknown = matches!(step.phase, Phase::Doing | Phase::Undoing(_));
        }
        Ok(executor)
    }

    /// What must be done because of an event.
    pub fn step(&mut self, now: UnixMs, event: Event) -> Vec<Command> {
        let mut commands = Vec::new();
        if let Some(ending) = self.ending {
            return vec![Command::Finished { ending, deployment: self.deployment() }];
        }
        match event {
            Event::Wake => {}
            Event::Answer { token, attempt, result } => self.answer(now, token, attempt, result, &mut commands),
            Event::Supersede { reason } if self.mode == Mode::Forward => {
                self.write(now, Record::Turned { mode: Mode::Settling, reason }, &mut commands);
            }
            Event::Unwind { reason } if self.mode != Mode::Unwinding => {
                self.write(now, Record::Turned { mode: Mode::Unwinding, reason }, &mut commands);
            }
            Event::Supersede { .. } | Event::Unwind { .. } => {}
            Event::Resolve { action, choice, by } => {
                if self.stuck.contains(&action) {
                    self.write(now, Record::Resolved { action, choice, by }, &mut commands);
                    if choice == Choice::Accept {
                        self.write(now, Record::Finished { ending: Ending::Accepted }, &mut commands);
                    }
                }
            }
        }
        self.schedule(now, &mut commands);
        commands
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Which way it goes, and why it turned.
    pub fn mode(&self) -> (Mode, &str) {
        (self.mode, &self.reason)
    }

    /// How it ended; `None` while it goes on.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// How far each action is, in the order of the plan.
    pub fn phases(&self) -> impl Iterator<Item = Phase> + '_ {
        self.steps.iter().map(|s| s.phase)
    }

    /// The actions that wait for a person.
    pub fn stuck(&self) -> Vec<StuckAction> {
        let stuck = |action: &u32| {
            let step = &self.steps[*action as usize];
            let unknown = || Fault::new(FaultClass::Permanent, "unknown");
            let fault = step.fault.clone().unwrap_or_else(unknown);
            StuckAction { action: *action, operation: self.operation(*action), fault }
        };
        self.stuck.iter().map(stuck).collect()
    }

    /// What runs, as far as is known: what was there before, with everything that is done and not undone.
    pub fn deployment(&self) -> RunningDeployment {
        let content = self.plan.content();
        if self.ending == Some(Ending::Reached) {
            return content.target.clone();
        }
        let mut world = World::at_rest(&content.before);
        for (action, step) in content.actions.iter().zip(&self.steps) {
            if step.phase.is_complete() {
                // A skipped action may have left what follows without ground; what was observed is the better record.
                let _ = world.apply(&action.operation, content.generation);
            }
        }
        world.settled(content.generation)
    }

    /// What is being done, or was tried last, with an action.
    fn operation(&self, action: u32) -> Operation {
        let operation = &self.plan.actions()[action as usize].operation;
        match self.steps[action as usize].phase {
            Phase::Undoing(step) | Phase::UndoFailed(step) | Phase::UndoNext(step) => {
                operation.undo().into_iter().nth(usize::from(step)).unwrap_or_else(|| operation.clone())
            }
            Phase::Waiting | Phase::Doing | Phase::Failed | Phase::Done | Phase::Skipped | Phase::Undone => {
                operation.clone()
            }
        }
    }

    /// The token of what is being done, or was tried last, with an action.
    fn token(&self, action: u32) -> Token {
        let (way, step) = match self.steps[action as usize].phase {
            Phase::Undoing(step) | Phase::UndoFailed(step) | Phase::UndoNext(step) => (Way::Undo, step),
            Phase::Waiting | Phase::Doing | Phase::Failed | Phase::Done | Phase::Skipped | Phase::Undone => {
                (Way::Do, 0)
            }
        };
        Token { plan: self.plan.hash(), action, way, step }
    }

    /// Writes a record and takes it in, as a recovery would.
    fn write(&mut self, now: UnixMs, record: Record, commands: &mut Vec<Command>) {
        let entry = Entry { sequence: self.next_sequence, at: now, record };
        let folded = self.fold(&entry);
        assert!(folded.is_ok(), "the executor wrote what its own table forbids: {folded:?}");
        commands.push(Command::Record(entry));
    }
}
