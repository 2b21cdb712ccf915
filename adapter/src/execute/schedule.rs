//! Decides what to do next: begins, repeats, gives up, turns round, ends.

use super::{Command, Executor, OnFailure};
use crate::driver::{Call, Fault, FaultClass, Progress, Token, Way};
use crate::journal::{Ending, Mode, Phase, Record};
use crate::plan::ActionKind;
use crate::time::UnixMs;

impl Executor {
    /// Takes the answer to a call in. Answers that come late or twice find nothing waiting for them.
    pub(super) fn answer(
        &mut self,
        now: UnixMs,
        token: Token,
        attempt: u32,
        result: Result<Progress, Fault>,
        commands: &mut Vec<Command>,
    ) {
        if token.plan != self.plan.hash() || token.action as usize >= self.steps.len() {
            return;
        }
        let step = &self.steps[token.action as usize];
        let expected = matches!(step.phase, Phase::Doing | Phase::Undoing(_))
            && self.token(token.action) == token
            && step.attempt == attempt
            && step.in_flight;
        if !expected {
            return;
        }
        match result {
            Ok(Progress::Pending { check_after_ms }) => {
                let step = &mut self.steps[token.action as usize];
                step.in_flight = false;
                step.not_before = now.plus_ms(check_after_ms.max(1));
            }
            Ok(Progress::Done) => self.end(now, token, attempt, None, commands),
            Err(fault) => self.end(now, token, attempt, Some(fault), commands),
        }
    }

    fn end(&mut self, now: UnixMs, token: Token, attempt: u32, fault: Option<Fault>, commands: &mut Vec<Command>) {
        let Token { plan: _, action, way, step } = token;
        self.write(now, Record::Ended { action, way, step, attempt, fault }, commands);
    }

    /// Everything that can be done now.
    pub(super) fn schedule(&mut self, now: UnixMs, commands: &mut Vec<Command>) {
        while self.ending.is_none() {
            let before = self.next_sequence;
            if self.mode == Mode::Forward && now >= self.adopted.plus_ms(self.policy.plan_ms_max) {
                self.give_up_plan(now, commands);
            }
            for action in self.active.iter().copied().collect::<Vec<_>>() {
                self.attend(now, action, commands);
            }
            if self.stuck.is_empty() {
                self.begin_more(now, commands);
                self.finish(now, commands);
            }
            if self.next_sequence == before {
                break;
            }
        }
        match self.ending {
            Some(ending) => commands.push(Command::Finished { ending, deployment: self.deployment() }),
            None => commands.extend(self.wake_at().map(Command::WakeAt)),
        }
    }

    fn give_up_plan(&mut self, now: UnixMs, commands: &mut Vec<Command>) {
        let reason = "the plan took longer than it may".to_owned();
        match self.policy.on_failure {
            OnFailure::Unwind => self.write(now, Record::Turned { mode: Mode::Unwinding, reason }, commands),
            OnFailure::Ask => {
                // There is an action that keeps it waiting; each fails by its own deadline.
            }
        }
    }

    /// Looks after one action that is being done or undone, or has failed.
    fn attend(&mut self, now: UnixMs, action: u32, commands: &mut Vec<Command>) {
        let step = &self.steps[action as usize];
        match step.phase {
            Phase::Doing | Phase::Undoing(_) => {
                let token = self.token(action);
                let deadline = step.begun.plus_ms(self.policy.deadline_ms(self.operation(action).kind()));
                // On the way back nobody waits for what is going to be undone.
                let abandoned = self.mode == Mode::Unwinding && token.way == Way::Do;
                if now >= deadline && !step.unknown {
                    let fault = Fault::new(FaultClass::Deadline, "it was not done in time");
                    self.end(now, token, step.attempt, Some(fault), commands);
                } else if step.unknown || (!step.in_flight && !abandoned && now >= step.not_before) {
                    self.call(action, commands);
                }
            }
            Phase::Failed | Phase::UndoFailed(_) if !self.stuck.contains(&action) => {
                if self.mode == Mode::Unwinding && step.phase == Phase::Failed {
                    return;
                }
                if self.may_retry(now, action) {
                    if now >= step.not_before && self.stuck.is_empty() {
                        self.begin(now, action, commands);
                    }
                } else {
                    self.give_up(now, action, commands);
                }
            }
            Phase::UndoNext(_) if self.stuck.is_empty() => self.begin(now, action, commands),
            _ => {}
        }
    }

    fn may_retry(&self, now: UnixMs, action: u32) -> bool {
        let step = &self.steps[action as usize];
        let class = step.fault.as_ref().map(|f| f.class);
        let undoing = matches!(step.phase, Phase::UndoFailed(_));
        // An undo is worth more attempts than its class promises: what it leaves would cost money.
        let worth = class.is_none_or(|c| c.is_worth_retrying() || (undoing && c != FaultClass::Deadline));
        let deadline = step.begun.plus_ms(self.policy.deadline_ms(self.operation(action).kind()));
        worth && step.attempt < self.policy.attempts_max && now < deadline
    }

    /// The end of the attempts at an action.
    fn give_up(&mut self, now: UnixMs, action: u32, commands: &mut Vec<Command>) {
        let step = &self.steps[action as usize];
        let fault = step.fault.clone().unwrap_or_else(|| Fault::new(FaultClass::Deadline, "it was not done in time"));
        let way = self.token(action).way;
        if way == Way::Do && self.policy.on_failure == OnFailure::Unwind && self.mode != Mode::Unwinding {
            let reason = format!("{}: {}", self.operation(action), fault.message);
            self.write(now, Record::Turned { mode: Mode::Unwinding, reason }, commands);
        } else {
            self.write(now, Record::Stuck { action, way, fault }, commands);
        }
    }

    /// Begins an attempt: the entry first, then the call.
    fn begin(&mut self, now: UnixMs, action: u32, commands: &mut Vec<Command>) {
        let Token { plan: _, action, way, step } = self.token(action);
        let attempt = self.steps[action as usize].attempt + 1;
        self.write(now, Record::Begun { action, way, step, attempt }, commands);
        if self.operation(action).kind() == ActionKind::Checkpoint {
            let token = self.token(action);
            self.end(now, token, attempt, None, commands);
        } else {
            self.call(action, commands);
        }
    }

    fn call(&mut self, action: u32, commands: &mut Vec<Command>) {
        let (token, operation) = (self.token(action), self.operation(action));
        let step = &mut self.steps[action as usize];
        step.in_flight = true;
        step.unknown = false;
        let application = self.plan.content().application.clone();
        commands.push(Command::Call(Box::new(Call { application, token, attempt: step.attempt, operation })));
    }

    /// Begins what may begin, as far as there is room.
    fn begin_more(&mut self, now: UnixMs, commands: &mut Vec<Command>) {
        let room = (self.policy.parallel_max.max(1) as usize).saturating_sub(self.active.len());
        match self.mode {
            Mode::Forward => {
                let next: Vec<u32> = self.ready.iter().copied().take(room).collect();
                next.into_iter().for_each(|action| self.begin(now, action, commands));
            }
            Mode::Settling => {
                let next: Vec<u32> =
                    self.ready.iter().copied().filter(|a| self.ends_half_done(*a)).take(room).collect();
                next.into_iter().for_each(|action| self.begin(now, action, commands));
            }
            Mode::Unwinding => self.undo_more(now, commands),
        }
    }

    /// True for the action that completes what an earlier one began: without it a node or instance would be in between.
    fn ends_half_done(&self, action: u32) -> bool {
        let action = &self.plan.actions()[action as usize];
        let completes = matches!(
            action.operation.kind(),
            ActionKind::WaitReady | ActionKind::WaitHealthy | ActionKind::Register | ActionKind::StopInstance
        );
        completes && !action.after.is_empty()
    }

    /// Undoes what nothing stands on, the last first. A call that is under way is waited for, so that its effect cannot
    /// come after its undo.
    fn undo_more(&mut self, now: UnixMs, commands: &mut Vec<Command>) {
        for action in self.undoable.iter().rev().copied().collect::<Vec<_>>() {
            let step = &self.steps[action as usize];
            if step.in_flight || step.unknown {
                continue;
            }
            if self.plan.actions()[action as usize].operation.undo().is_empty() {
                self.write(now, Record::Passed { action }, commands);
                continue;
            }
            let undoing = |a: &&u32| matches!(self.steps[**a as usize].phase, Phase::Undoing(_) | Phase::UndoFailed(_));
            if self.active.iter().filter(undoing).count() >= self.policy.parallel_max.max(1) as usize {
                continue;
            }
            self.write(now, Record::Begun { action, way: Way::Undo, step: 0, attempt: 1 }, commands);
            self.call(action, commands);
        }
    }

    fn finish(&mut self, now: UnixMs, commands: &mut Vec<Command>) {
        let ending = match self.mode {
            Mode::Forward if self.active.is_empty() && self.ready.is_empty() => Ending::Reached,
            Mode::Settling if self.active.is_empty() && !self.ready.iter().any(|a| self.ends_half_done(*a)) => {
                Ending::Superseded
            }
            Mode::Unwinding if self.active.is_empty() && self.undoable.is_empty() => Ending::Unwound,
            _ => return,
        };
        // Forward, nothing is ready and nothing is under way: as the edges have no circle, all is done.
        debug_assert!(ending != Ending::Reached || self.steps.iter().all(|s| s.phase.is_complete()));
        self.write(now, Record::Finished { ending }, commands);
    }

    /// The earliest time at which something is due without an answer coming.
    fn wake_at(&self) -> Option<UnixMs> {
        let due = self.active.iter().filter_map(|action| {
            let step = &self.steps[*action as usize];
            let deadline = step.begun.plus_ms(self.policy.deadline_ms(self.operation(*action).kind()));
            // What is given up on the way back is undone as soon as there is room, which an answer makes.
            let abandoned = self.mode == Mode::Unwinding && matches!(step.phase, Phase::Doing | Phase::Failed);
            match step.phase {
                Phase::Doing | Phase::Undoing(_) if step.in_flight || abandoned => Some(deadline),
                Phase::Doing | Phase::Undoing(_) => Some(step.not_before.min(deadline)),
                Phase::Failed | Phase::UndoFailed(_) if self.stuck.is_empty() && !abandoned => Some(step.not_before),
                _ => None,
            }
        });
        let plan = (self.mode == Mode::Forward && self.policy.on_failure == OnFailure::Unwind)
            .then(|| self.adopted.plus_ms(self.policy.plan_ms_max));
        due.chain(plan).min()
    }
}
