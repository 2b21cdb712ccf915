//! What the loop sees: broken rules, old metrics, the cloud; and the decisions that follow.

use std::collections::BTreeSet;
use std::sync::Arc;

use cardinal_adapter::authorise::Deed;
use cardinal_adapter::deployment::{NodeId, NodePhase, RunningDeployment};
use cardinal_adapter::driver::Observation;
use cardinal_adapter::driver::drift::Drift;
use cardinal_adapter::gate::Course as ChangeCourse;
use cardinal_adapter::time::UnixMs;
use cardinal_models::application::Application;
use cardinal_models::document::Severity;
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::formula::expr::{Expr, ExprKind};
use cardinal_models::snapshot::Snapshot;
use cardinal_monitor::slo::Sight;

use super::carry::Beginning;
use super::{Act, ApplicationLoop, Course, Evidence, Notice, Step, Write};
use crate::authority::grounds;
use crate::decide::Resources;
use crate::decision::{Answer, Decision, Next};
use crate::input::DecisionInput;
use crate::metrics::{see, stale};
use crate::running;
use crate::trigger::Trigger;

impl ApplicationLoop {
    /// Looks at the rules and the age of the metrics, and wants a decision when something has become worse.
    pub(super) fn watch(&mut self, now: UnixMs, resources: &Resources, step: &mut Step) {
        let old: BTreeSet<String> =
            stale(&resources.application, &self.state.readings, &self.state.settings.metrics, now)
                .into_iter()
                .collect();
        let newly: Vec<String> = old.difference(&self.state.stale).cloned().collect();
        if !newly.is_empty() {
            self.wants(Trigger::MetricsStale { metrics: newly }, now);
        }
        self.state.stale = old;

        if self.state.running.nodes.is_empty() || self.executor.is_some() {
            return;
        }
        let snapshot = self.snapshot(now, resources);
        self.reconsider_wish(&snapshot);
        let broken = self.broken(&snapshot, now);
        let newly: Vec<String> = broken.difference(&self.state.violated).cloned().collect();
        if !newly.is_empty() {
            let evidence: Vec<Evidence> = newly.iter().map(|rule| self.evidence(rule, resources, now)).collect();
            let grave = evidence.iter().filter(|e| e.severity > Severity::Info).map(|e| e.rule.clone());
            let grave: Vec<String> = grave.collect();
            step.writes.push(Write::Notice(Notice::Violated { rules: newly, evidence }));
            if !grave.is_empty() {
                self.wants(Trigger::Violated { rules: grave }, now);
            }
        }
        if !broken.is_empty() && self.state.violated.is_empty() {
            self.state.violated_since = Some(now);
        }
        if broken.is_empty() && !self.state.violated.is_empty() {
            let after_ms = self.state.violated_since.take().map(|since| now.ms_since(since));
            step.writes.push(Write::Notice(Notice::Restored { after_ms }));
        }
        self.state.violated = broken;
    }

    /// The constraints, SLOs and events that count as violated by what runs.
    fn broken(&mut self, snapshot: &Snapshot, now: UnixMs) -> BTreeSet<String> {
        let evaluator = Evaluator::new(snapshot);
        let application = &snapshot.application;
        let book = &mut self.state.book;
        let holds = |formula| match evaluator.evaluate_current(formula) {
            Ok(Value::Bool(holds)) => Some(holds),
            _ => None,
        };
        let mut broken = BTreeSet::new();
        for constraint in &application.constraints {
            let rule = application.slos.iter().find(|rule| rule.name == constraint.name);
            let mut sight = Sight::of(holds(&constraint.formula));
            if let Some(clear) = rule.and_then(|rule| rule.clear.as_ref()) {
                sight.is_clear = holds(clear);
            }
            if book.judge(&constraint.name, rule, sight, now.0) {
                broken.insert(constraint.name.to_string());
            }
        }
        let is_rule = |name: &str| application.constraints.iter().any(|c| *c.name == *name);
        book.forget(is_rule, &application.events, now.0);
        let happened = application.events.iter().filter(|event| book.happened(event, now.0));
        broken.extend(happened.map(|event| event.name.to_string()));
        broken
    }

    /// What is seen of a rule that is violated.
    fn evidence(&self, name: &str, resources: &Resources, now: UnixMs) -> Evidence {
        let application = &resources.application;
        let rule = application.slos.iter().find(|rule| *rule.name == *name).map(|rule| rule.severity);
        let event = application.events.iter().find(|event| *event.name == *name).map(|event| event.severity);
        let constraint = application.constraints.iter().find(|c| *c.name == *name);
        let mut mentioned = BTreeSet::new();
        constraint.iter().for_each(|c| mentions(application, &c.formula, &mut mentioned));
        let seen = see(application, &self.state.readings, &self.state.settings.metrics, now);
        Evidence {
            rule: name.to_owned(),
            severity: rule.or(event).unwrap_or_default(),
            formula: constraint.map(|c| c.text.clone()),
            since: self.state.book.since(name).map(UnixMs),
            metrics: seen.into_iter().enumerate().filter(|(i, _)| mentioned.contains(i)).map(|(_, m)| m).collect(),
        }
    }

    /// A wish for less is given up when the values of now would break a rule on it. A decision sees the values of one
    /// moment; what is wanted for the whole of a window must be right in all of it.
    fn reconsider_wish(&mut self, snapshot: &Snapshot) {
        let Some(wish) = &self.state.wish else { return };
        let Some(placement) = running::wanted(wish, &snapshot.application, &snapshot.catalog) else {
            self.give_up_wish();
            return;
        };
        let evaluator = Evaluator::new(snapshot);
        let constraints = snapshot.application.constraints.iter();
        let mut open = constraints.filter(|c| evaluator.depends_on_placement(&c.formula));
        if open.any(|c| !matches!(evaluator.evaluate(&c.formula, &placement), Ok(Value::Bool(true)))) {
            self.give_up_wish();
        }
    }

    fn give_up_wish(&mut self) {
        self.state.wish = None;
        self.state.history.pending = None;
    }

    /// What runs, with the values of now.
    pub(crate) fn snapshot(&self, now: UnixMs, resources: &Resources) -> Snapshot {
        let application = &resources.application;
        let mut snapshot = Snapshot::new(application.clone(), resources.catalog.clone());
        let seen = see(application, &self.state.readings, &self.state.settings.metrics, now);
        for (slot, seen) in snapshot.metrics.iter_mut().zip(seen) {
            *slot = seen.value;
        }
        snapshot.current = running::current(&self.state.running, application, &snapshot.catalog);
        snapshot
    }

    /// What there is in the cloud, against the record.
    pub(super) fn observed(&mut self, now: UnixMs, observation: &Observation, step: &mut Step) {
        self.state.blind = false;
        let lost: Vec<String> = match &self.executor {
            None => {
                let drift = Drift::between(&self.state.running, observation);
                let orphans = drift.orphaned_nodes.iter().map(ToString::to_string);
                let orphans = orphans.chain(drift.orphaned_instances.iter().map(ToString::to_string));
                let names: Vec<String> = orphans.collect();
                if !names.is_empty() {
                    step.writes.push(Write::Notice(Notice::Orphans { names }));
                }
                if !drift.lost.is_empty() {
                    self.state.running = Arc::new(drift.mark_lost(&self.state.running));
                }
                drift.lost.iter().map(ToString::to_string).collect()
            }
            Some(executor) => {
                let content = executor.plan().content();
                let gone = newly_lost(&content.before, &content.target, observation);
                if executor.mode().0 == cardinal_adapter::journal::Mode::Forward { gone } else { Vec::new() }
            }
        };
        if !lost.is_empty() {
            step.writes.push(Write::Notice(Notice::NodesLost { nodes: lost.clone() }));
            self.drop_proposal("nodes were lost", step);
            self.wants(Trigger::NodesLost { nodes: lost }, now);
        }
    }

    /// Begins a decision when one is due and nothing is under way.
    pub(super) fn begin_decision(&mut self, now: UnixMs, step: &mut Step) {
        if self.state.waiting.is_empty() || !self.is_free() || self.state.blind || self.decision_due() > now {
            return;
        }
        self.drop_proposal("a new decision is made", step);
        self.state.decisions += 1;
        let mut triggers = std::mem::take(&mut self.state.waiting);
        if self.state.leaving && !triggers.iter().any(|t| matches!(t, Trigger::Leave { .. })) {
            // The removal was asked for earlier and is not complete.
            let earlier = || Trigger::Leave { by: "an earlier order".to_owned(), scope: None };
            triggers.insert(0, self.state.removal.clone().unwrap_or_else(earlier));
            triggers.sort_unstable();
        }
        self.plan_regular(now);
        let state = &self.state;
        let input = Arc::new(DecisionInput {
            application: state.application.clone(),
            number: state.decisions,
            at: now,
            triggers,
            model: state.model,
            catalog: state.catalog,
            readings: state.readings.clone(),
            running: state.running.clone(),
            head: state.head.clone(),
            history: state.history.clone(),
            unavailable: state.unavailable.keys().cloned().collect(),
            paused: state.pause.is_some(),
            pending: state.book.pending(),
            settings: state.settings.clone(),
        });
        self.state.course = Course::Deciding { input: input.clone() };
        step.acts.push(Act::Decide(input));
    }

    /// A decision has come back.
    pub(super) fn decided(&mut self, now: UnixMs, decision: Decision, step: &mut Step) {
        let Course::Deciding { input } = &self.state.course else { return };
        if decision.number != input.number {
            return;
        }
        let state = &self.state;
        let overtaken = input.running != state.running
            || input.model != state.model
            || input.head != state.head
            || input.history != state.history
            || input.paused != state.pause.is_some()
            || (state.leaving && !input.is_leaving());
        let (asker, grounds) = (input.asker(), grounds(input, decision.verdict.as_ref()));
        let deed = if input.is_leaving() { Deed::Undeploy } else { Deed::Apply };
        self.state.course = Course::Idle;
        let (number, sentence) = (decision.number, decision.sentence.clone());
        step.writes.push(Write::Decision(Box::new(decision.clone())));
        step.writes.push(Write::Notice(Notice::Decided { decision: number, sentence }));
        if overtaken {
            self.wants(Trigger::Overtaken, now);
            return;
        }
        self.state.history = decision.history;
        let failed = matches!(decision.answer, Answer::Failed { .. } | Answer::Unknown);
        let shrinks = self.state.history.pending.is_some_and(|p| p.course == ChangeCourse::Down);
        self.state.wish = match decision.answer {
            Answer::Solved(solved) if shrinks => Some(solved.placement),
            _ => None,
        };
        self.ask_again_when_the_gate_opens(now, decision.verdict.as_ref());
        self.ask_again_after_a_failure(now, failed);
        if let (Some(ruling), Some(plan)) = (&decision.ruling, &decision.plan) {
            self.tell_of_denial(plan, number, ruling, step);
        }
        match (decision.next, decision.plan) {
            (Next::Apply, Some(plan)) => {
                self.begin_plan(now, Beginning { plan, decision: number, deed, asker, grounds }, step);
            }
            (Next::Approval, Some(plan)) => {
                step.writes.push(Write::Notice(Notice::PlanProposed { plan: plan.hash() }));
                let until = now.plus_ms(self.state.settings.approval_ms);
                self.state.course = Course::Proposed { plan: Arc::new(plan), decision: number, until, grounds };
            }
            _ if self.state.leaving && self.state.running.nodes.is_empty() => self.is_gone(step),
            _ => {}
        }
    }

    /// What failed may work the next time: soon at first, then later and later.
    fn ask_again_after_a_failure(&mut self, now: UnixMs, failed: bool) {
        if !failed {
            self.state.undecided = 0;
            return;
        }
        let settings = &self.state.settings;
        let wait = settings.solve.retry_ms.saturating_mul(1 << self.state.undecided.min(20)).min(settings.retry_ms);
        self.state.regular_at = self.state.regular_at.min(now.plus_ms(wait));
        self.state.undecided = self.state.undecided.saturating_add(1);
    }

    /// A change that only time holds back is looked at again when its time has come, not only at the next regular one.
    fn ask_again_when_the_gate_opens(&mut self, now: UnixMs, verdict: Option<&cardinal_adapter::gate::Verdict>) {
        let Some(verdict) = verdict else { return };
        let held: Vec<_> = verdict.readings.iter().filter(|r| !r.passed).collect();
        let opens: Option<Vec<UnixMs>> = held.iter().map(|r| r.passes_at).collect();
        if let Some(at) = opens.and_then(|all| all.into_iter().max()) {
            self.state.regular_at = self.state.regular_at.min(at.max(now.plus_ms(1)));
        }
    }

    /// Nothing is left.
    pub(super) fn is_gone(&mut self, step: &mut Step) {
        self.state.course = Course::Gone;
        step.writes.push(Write::Notice(Notice::Gone));
    }
}

/// The metrics that a formula mentions, with those in their formulas.
fn mentions(application: &Application, formula: &Expr, into: &mut BTreeSet<usize>) {
    formula.walk(&mut |expr| {
        if let ExprKind::Metric(id) = expr.kind
            && into.insert(id.index())
            && let Some(inner) = &application.metrics[id.index()].formula
        {
            mentions(application, inner, into);
        }
    });
}

/// Nodes that a plan keeps and that are gone.
fn newly_lost(before: &RunningDeployment, target: &RunningDeployment, observation: &Observation) -> Vec<String> {
    let kept = before.nodes.values().filter(|n| n.phase != NodePhase::Lost && target.nodes.contains_key(&n.id));
    let there = |id: &NodeId| observation.nodes.iter().any(|n| n.id == *id && n.phase != NodePhase::Lost);
    kept.filter(|n| !there(&n.id)).map(|n| n.id.to_string()).collect()
}
