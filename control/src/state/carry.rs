//! Plans on their way: proposed, approved, carried out, superseded, ended.

use std::sync::Arc;

use cardinal_adapter::authorise::{Asker, Deed, Grounds, Occasion, Ruling};
use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::{Fault, FaultClass, Progress, Token};
use cardinal_adapter::execute::{Command, Event as ExecutorEvent, Executor};
use cardinal_adapter::gate::{ChangeRecord, Course as ChangeCourse, shape_of_running};
use cardinal_adapter::journal::{Ending, Mode, Record};
use cardinal_adapter::plan::{Operation, Plan};
use cardinal_adapter::time::UnixMs;

use super::{Act, ApplicationLoop, Course, Notice, Step, Write, refuse};
use crate::trigger::Trigger;

/// A plan that is to begin, and for whom.
pub(super) struct Beginning {
    pub(super) plan: Plan,
    /// The decision that made it.
    pub(super) decision: u64,
    pub(super) deed: Deed,
    pub(super) asker: Asker,
    pub(super) grounds: Grounds,
}

impl ApplicationLoop {
    /// Lets a proposed plan go.
    pub(super) fn drop_proposal(&mut self, reason: &str, step: &mut Step) {
        if let Course::Proposed { plan, .. } = &self.state.course {
            let dropped = Notice::PlanDropped { plan: plan.hash(), reason: reason.to_owned() };
            step.writes.push(Write::Notice(dropped));
            self.state.course = Course::Idle;
        }
    }

    pub(super) fn approve(&mut self, now: UnixMs, hash: Digest, asker: Asker, step: &mut Step) {
        match &self.state.course {
            Course::Proposed { plan, decision, grounds, .. } if plan.hash() == hash => {
                let (plan, grounds) = (Plan::clone(plan), grounds.clone());
                let beginning = Beginning { plan, decision: *decision, deed: Deed::Approve, asker, grounds };
                self.begin_plan(now, beginning, step);
            }
            _ => refuse(name_of(asker), "no such plan is proposed; it may have been replaced by another", step),
        }
    }

    /// Begins a plan if the policies allow it at this moment. What a decision concluded may be old: the process may have
    /// died between the two, or the policies may have been replaced.
    pub(super) fn begin_plan(&mut self, now: UnixMs, beginning: Beginning, step: &mut Step) {
        let Beginning { plan, decision, deed, asker, grounds } = beginning;
        let mode = self.state.settings.mode.as_str().to_owned();
        let occasion = Occasion { at: now, asker: asker.clone(), deed, mode, grounds };
        if let Some(ruling) = self.state.settings.authorise.judge(&plan, &occasion)
            && !ruling.allowed
        {
            // A proposal stays: another person may approve it, or this one at another time.
            match deed {
                Deed::Approve => refuse(name_of(asker), &ruling.sentence(), step),
                Deed::Apply | Deed::Undeploy | Deed::Propose => self.tell_of_denial(&plan, decision, &ruling, step),
            }
            return;
        }
        let by = (deed == Deed::Approve).then(|| name_of(asker));
        if let Err(stale) = self.state.head.adopt(&plan) {
            let dropped = Notice::PlanDropped { plan: plan.hash(), reason: stale.to_string() };
            step.writes.push(Write::Notice(dropped));
            self.state.course = Course::Idle;
            self.wants(Trigger::Overtaken, now);
            return;
        }
        self.state.wish = None;
        self.state.history.begin(self.change(&plan, now));
        step.writes.push(Write::Notice(Notice::PlanBegan { plan: plan.hash(), by }));
        self.state.course = Course::Executing { plan: Arc::new(plan.clone()), decision };
        let (executor, commands) = Executor::start(plan, self.state.settings.execute, now);
        self.executor = Some(executor);
        self.follow(now, commands, step);
    }

    /// Tells people that the policies do not allow a plan, once for the same policies.
    pub(super) fn tell_of_denial(&mut self, plan: &Plan, decision: u64, ruling: &Ruling, step: &mut Step) {
        let policies: Vec<_> = ruling.denied_by().into_iter().cloned().collect();
        let denied = (!ruling.allowed).then(|| policies.clone());
        if denied.is_some() && denied != self.state.denied {
            let (plan, reason) = (plan.hash(), ruling.sentence());
            step.writes.push(Write::Notice(Notice::PlanDenied { plan, decision, policies, reason }));
        }
        self.state.denied = denied;
    }

    /// What the gate remembers of the change.
    fn change(&self, plan: &Plan, now: UnixMs) -> ChangeRecord {
        let content = plan.content();
        let (before, after) = (content.before.surviving().cardinalities(), content.target.cardinalities());
        let grows = after.iter().any(|(c, n)| before.get(c).copied().unwrap_or(0) < *n);
        let shrinks = before.iter().any(|(c, n)| after.get(c).copied().unwrap_or(0) < *n);
        let cheaper = content.summary.cost_after_nanos <= content.summary.cost_before_nanos;
        let course = if grows || !(shrinks || cheaper) { ChangeCourse::Up } else { ChangeCourse::Down };
        let (from, to) = (shape_of_running(&content.before), shape_of_running(&content.target));
        let recent = || self.state.history.changes.iter().rev();
        let within_ms = self.state.settings.gate.flaps.within_s.saturating_mul(1000);
        let is_recent = |c: &&ChangeRecord| now.ms_since(c.begun) < within_ms;
        let turns = recent().next().filter(is_recent).is_some_and(|last| last.course != course);
        let flap = turns || recent().take_while(is_recent).any(|c| c.from == to);
        ChangeRecord { begun: now, ended: None, from, to, course, stops: content.summary.instances_stopped, flap }
    }

    /// An answer of the driver.
    pub(super) fn answered(
        &mut self,
        now: UnixMs,
        token: Token,
        attempt: u32,
        result: Result<Progress, Fault>,
        step: &mut Step,
    ) {
        if let Err(Fault { class: FaultClass::Capacity | FaultClass::Quota, .. }) = &result {
            self.note_unavailable(now, token, step);
        }
        self.drive(now, ExecutorEvent::Answer { token, attempt, result }, step);
    }

    /// An offer that its provider does not have is left out for a while.
    fn note_unavailable(&mut self, now: UnixMs, token: Token, step: &mut Step) {
        let Course::Executing { plan, .. } = &self.state.course else { return };
        if token.plan != plan.hash() {
            return;
        }
        let action = plan.actions().get(token.action as usize).map(|a| &a.operation);
        if let Some(Operation::CreateNode { offer, .. }) = action {
            let (offer, until) = (offer.id.clone(), now.plus_ms(self.state.settings.unavailable_ms));
            step.writes.push(Write::Notice(Notice::OfferUnavailable { offer: offer.clone(), until }));
            self.state.unavailable.insert(offer, until);
        }
    }

    /// Ends what is half done when a trigger has taken the plan's ground away.
    pub(super) fn supersede(&mut self, now: UnixMs, step: &mut Step) {
        let Some(executor) = &self.executor else { return };
        let Some(trigger) = self.state.waiting.iter().find(|t| t.supersedes()) else { return };
        if executor.mode().0 == Mode::Forward {
            let reason = trigger.to_string();
            self.drive(now, ExecutorEvent::Supersede { reason }, step);
        }
    }

    /// Hands an event to the executor and does what it says.
    pub(super) fn drive(&mut self, now: UnixMs, event: ExecutorEvent, step: &mut Step) {
        let Some(executor) = &mut self.executor else { return };
        let commands = executor.step(now, event);
        self.follow(now, commands, step);
    }

    fn follow(&mut self, now: UnixMs, commands: Vec<Command>, step: &mut Step) {
        let Some(plan) = self.executor.as_ref().map(|e| e.plan().hash()) else { return };
        for command in commands {
            match command {
                Command::Record(entry) => {
                    if let Record::Stuck { action, fault, .. } = &entry.record {
                        let (action, fault) = (*action, fault.message.clone());
                        step.writes.push(Write::Notice(Notice::Stuck { plan, action, fault }));
                    }
                    step.writes.push(Write::Journal { plan, entry });
                }
                Command::Call(call) => step.acts.push(Act::Call(call)),
                Command::WakeAt(at) => self.executor_wake = Some(at),
                Command::Finished { ending, deployment } => {
                    self.executor = None;
                    self.executor_wake = None;
                    self.state.running = Arc::new(deployment);
                    self.finished(now, plan, ending, step);
                }
            }
        }
    }

    fn finished(&mut self, now: UnixMs, plan: Digest, ending: Ending, step: &mut Step) {
        step.writes.push(Write::Notice(Notice::PlanEnded { plan, ending }));
        self.state.history.end(now);
        self.state.course = Course::Idle;
        // What is on record now is what should be there; the cloud has the last word.
        self.state.blind = true;
        self.state.observe_at = now;
        match ending {
            Ending::Reached => {
                self.state.failures = 0;
                self.state.not_before = now;
                if self.state.leaving && self.state.running.nodes.is_empty() {
                    self.is_gone(step);
                }
            }
            Ending::Superseded => self.wants(Trigger::PlanEnded, now),
            Ending::Unwound | Ending::Accepted => {
                let settings = &self.state.settings;
                let wait = settings.retry_ms.saturating_mul(1 << self.state.failures.min(20));
                self.state.not_before = now.plus_ms(wait.min(settings.retry_ms_max));
                self.state.failures = self.state.failures.saturating_add(1);
                self.wants(Trigger::PlanEnded, now);
            }
        }
    }
}

/// The name under which who asked is told of.
fn name_of(asker: Asker) -> String {
    match asker {
        Asker::Loop => "the loop".to_owned(),
        Asker::Person { name, .. } => name,
    }
}
