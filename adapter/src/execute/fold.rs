//! Takes entries of the journal in: the only code that changes how far actions are, live and after a crash.

use std::collections::BTreeSet;

use super::{ExecutePolicy, Executor, Step};
use crate::driver::{Fault, Token, Way};
use crate::journal::{Choice, Entry, JournalError, Mode, Phase, Record, Transition};
use crate::plan::Plan;
use crate::time::UnixMs;

impl Executor {
    /// An executor that has done nothing.
    pub(super) fn new(plan: Plan, policy: ExecutePolicy) -> Self {
        let count = plan.actions().len();
        let mut successors = vec![Vec::new(); count];
        for (i, action) in plan.actions().iter().enumerate() {
            action.after.iter().for_each(|before| successors[*before as usize].push(i as u32));
        }
        let missing: Vec<u32> = plan.actions().iter().map(|a| a.after.len() as u32).collect();
        let fresh = Step {
            phase: Phase::Waiting,
            attempt: 0,
            begun: UnixMs::default(),
            fault: None,
            not_before: UnixMs::default(),
            in_flight: false,
            unknown: false,
        };
        Executor {
            policy,
            adopted: UnixMs::default(),
            next_sequence: 0,
            mode: Mode::Forward,
            reason: String::new(),
            ending: None,
            steps: vec![fresh; count],
            stuck: BTreeSet::new(),
            ready: (0..count as u32).filter(|i| missing[*i as usize] == 0).collect(),
            active: BTreeSet::new(),
            undoable: BTreeSet::new(),
            holding: vec![0; count],
            successors,
            missing,
            plan,
        }
    }

    /// Takes an entry in.
    pub(super) fn fold(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.next_sequence = entry.sequence + 1;
        match &entry.record {
            Record::Adopted { .. } => self.adopted = entry.at,
            Record::Begun { action, way, step, attempt } => {
                let transition = match way {
                    Way::Do => Transition::Begin,
                    Way::Undo => Transition::BeginUndo(*step),
                };
                self.advance(entry, *action, transition)?;
                let this = &mut self.steps[*action as usize];
                if *attempt <= 1 {
                    this.begun = entry.at;
                }
                this.attempt = *attempt;
                this.not_before = entry.at;
                this.in_flight = true;
                this.unknown = false;
            }
            Record::Ended { action, way, step, attempt, fault } => {
                let transition = self.end_of(*action, *way, *step, fault.is_none());
                self.advance(entry, *action, transition)?;
                self.settle(entry.at, *action, *attempt, fault.as_ref(), (*way, *step));
            }
            Record::Passed { action } => self.advance(entry, *action, Transition::Pass)?,
            Record::Turned { mode, reason } => {
                self.mode = *mode;
                self.reason.clone_from(reason);
                // Nothing that was given up on the way there stands against the way back.
                self.stuck.clear();
            }
            Record::Stuck { action, fault, .. } => {
                self.check(entry, *action)?;
                self.steps[*action as usize].fault = Some(fault.clone());
                self.stuck.insert(*action);
            }
            Record::Resolved { action, choice, .. } => self.resolve(entry, *action, *choice)?,
            Record::Finished { ending } => self.ending = Some(*ending),
        }
        Ok(())
    }

    fn end_of(&self, action: u32, way: Way, step: u8, succeeded: bool) -> Transition {
        let undoing = || self.plan.actions().get(action as usize).map_or(0, |a| a.operation.undo().len());
        match (way, succeeded) {
            (Way::Do, true) => Transition::Succeed,
            (Way::Do, false) => Transition::Fail,
            (Way::Undo, true) if usize::from(step) + 1 < undoing() => Transition::SucceedUndo(step),
            (Way::Undo, true) => Transition::SucceedLastUndo(step),
            (Way::Undo, false) => Transition::FailUndo(step),
        }
    }

    /// What is remembered of an attempt that has ended.
    fn settle(&mut self, at: UnixMs, action: u32, attempt: u32, fault: Option<&Fault>, what: (Way, u8)) {
        let token = Token { plan: self.plan.hash(), action, way: what.0, step: what.1 };
        let wait = self.policy.backoff_after_ms(&token, attempt);
        let this = &mut self.steps[action as usize];
        this.in_flight = false;
        this.unknown = false;
        this.fault = fault.cloned();
        match fault {
            Some(_) => this.not_before = at.plus_ms(wait),
            None => this.attempt = 0,
        }
    }

    fn resolve(&mut self, entry: &Entry, action: u32, choice: Choice) -> Result<(), JournalError> {
        self.check(entry, action)?;
        self.stuck.remove(&action);
        match choice {
            Choice::Skip => self.advance(entry, action, Transition::Skip)?,
            Choice::Retry | Choice::Unwind => {
                let this = &mut self.steps[action as usize];
                this.attempt = 0;
                this.fault = None;
                this.begun = entry.at;
                this.not_before = entry.at;
                if choice == Choice::Unwind && self.mode != Mode::Unwinding {
                    self.mode = Mode::Unwinding;
                    "a person asked for it".clone_into(&mut self.reason);
                    self.stuck.clear();
                }
            }
            Choice::Accept => {}
        }
        Ok(())
    }

    fn check(&self, entry: &Entry, action: u32) -> Result<(), JournalError> {
        if (action as usize) < self.steps.len() {
            return Ok(());
        }
        Err(JournalError::NoAction { sequence: entry.sequence, action })
    }

    /// Makes a transition and keeps the sets of actions true to it.
    fn advance(&mut self, entry: &Entry, action: u32, transition: Transition) -> Result<(), JournalError> {
        self.check(entry, action)?;
        let i = action as usize;
        let old = self.steps[i].phase;
        let new = old.after(transition).map_err(|source| JournalError::Illegal { sequence: entry.sequence, source })?;
        self.steps[i].phase = new;
        if matches!(transition, Transition::BeginUndo(0)) && !matches!(old, Phase::Undoing(_) | Phase::UndoFailed(_)) {
            // The attempts at doing it do not count against undoing it.
            self.steps[i].attempt = 0;
        }
        self.ready.remove(&action);
        match new {
            Phase::Doing | Phase::Failed | Phase::Undoing(_) | Phase::UndoNext(_) | Phase::UndoFailed(_) => {
                self.active.insert(action);
            }
            Phase::Waiting | Phase::Done | Phase::Skipped | Phase::Undone => {
                self.active.remove(&action);
            }
        }
        if new.is_complete() && !old.is_complete() {
            for n in 0..self.successors[i].len() {
                let next = self.successors[i][n];
                self.missing[next as usize] -= 1;
                if self.missing[next as usize] == 0 && self.steps[next as usize].phase == Phase::Waiting {
                    self.ready.insert(next);
                }
            }
        }
        if old.leaves_nothing() != new.leaves_nothing() {
            for n in 0..self.plan.actions()[i].after.len() {
                let before = self.plan.actions()[i].after[n];
                let count = &mut self.holding[before as usize];
                if new.leaves_nothing() {
                    *count -= 1;
                } else {
                    *count += 1;
                }
                self.note_undoable(before);
            }
        }
        self.note_undoable(action);
        Ok(())
    }

    /// An action can be undone when it has something in the world on which nothing else stands.
    fn note_undoable(&mut self, action: u32) {
        let i = action as usize;
        let there = matches!(self.steps[i].phase, Phase::Doing | Phase::Failed | Phase::Done | Phase::Skipped);
        if there && self.holding[i] == 0 {
            self.undoable.insert(action);
        } else {
            self.undoable.remove(&action);
        }
    }
}
