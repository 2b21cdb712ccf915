//! The loop of one application, as a state machine without I/O: `step(now, event) -> what to write, what to do`.
//!
//! The host makes the writes durable, in their order and together, before it does anything of what is to be done; answers
//! come back as events. After a crash [`ApplicationLoop::recover`] goes on from the last [`LoopState`] that was written
//! and the journal of the plan that was under way. Whatever was asked for and not answered is asked for again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cardinal_adapter::authorise::{Asker, Grounds, PolicyName};
use cardinal_adapter::deployment::RunningDeployment;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::{Call, Fault, Observation, Progress, Token};
use cardinal_adapter::execute::Executor;
use cardinal_adapter::gate::GateHistory;
use cardinal_adapter::journal::{Choice, Ending, Entry, JournalError};
use cardinal_adapter::plan::{Plan, TargetHead};
use cardinal_adapter::time::UnixMs;
use cardinal_models::document::Severity;
use cardinal_models::placement::Deployment;
use cardinal_monitor::slo::Book;
use serde::{Deserialize, Serialize};

use crate::decide::Resources;
use crate::decision::Decision;
use crate::input::DecisionInput;
use crate::metrics::{self, MetricReading, Readings, SeenMetric};
use crate::settings::LoopSettings;
use crate::trigger::{Trigger, join};

mod carry;
mod judge;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch_tests;

/// What happens to an application.
#[derive(Clone, Debug)]
pub enum Event {
    /// The time that was asked for has come, or the host has just started.
    Wake,
    /// Values of metrics came in. Older values than those that are known are passed over.
    Metrics(Vec<(String, MetricReading)>),
    /// Another model, with its settings.
    Model {
        /// The digest of the model.
        model: Digest,
        /// The settings.
        settings: Box<LoopSettings>,
    },
    /// Other offers or prices.
    Catalog {
        /// The digest of the catalog.
        catalog: Digest,
    },
    /// What there is in the cloud.
    Observed(Box<Observation>),
    /// A decision is made.
    Decided(Box<Decision>),
    /// The driver answered.
    Answered {
        /// Which call.
        token: Token,
        /// Which attempt.
        attempt: u32,
        /// What.
        result: Result<Progress, Fault>,
    },
    /// A person has something to say.
    Person {
        /// Who.
        by: String,
        /// With which scope, as policies see it: `viewer`, `operator`, `admin`; `None` when it is not known.
        scope: Option<String>,
        /// What.
        order: Order,
    },
}

/// What a person can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum Order {
    /// Decide now.
    Decide,
    /// Carry the proposed plan out.
    Approve {
        /// Which: a stale approval must not let another plan pass.
        plan: Digest,
    },
    /// Do not carry the proposed plan out.
    Reject {
        /// Which.
        plan: Digest,
    },
    /// Change nothing for a time.
    Pause {
        /// Why.
        reason: String,
        /// Until when; until it is resumed when there is none.
        until: Option<UnixMs>,
    },
    /// Go on.
    Resume,
    /// Take everything down.
    Leave,
    /// Undo the plan that is under way.
    Unwind,
    /// Say what to do about a stuck action.
    Resolve {
        /// Which action of the plan.
        action: u32,
        /// What.
        choice: Choice,
    },
}

/// An order as it waits to be carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenOrder {
    /// What.
    #[serde(flatten)]
    pub order: Order,
    /// The scope of whoever gave it, as policies see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// What must be made durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The state of the loop; replaces the one before.
    State(Box<LoopState>),
    /// A decision with everything that it depends on.
    Decision(Box<Decision>),
    /// An entry of the journal of a plan.
    Journal {
        /// The plan.
        plan: Digest,
        /// The entry.
        entry: Entry,
    },
    /// Something that people and other programs want to know.
    Notice(Notice),
}

/// Something that people and other programs want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Notice {
    /// A decision was made.
    Decided {
        /// Its number.
        decision: u64,
        /// What it says.
        sentence: String,
    },
    /// A plan waits for a person.
    PlanProposed {
        /// Which.
        plan: Digest,
    },
    /// A proposed plan will not be carried out.
    PlanDropped {
        /// Which.
        plan: Digest,
        /// Why.
        reason: String,
    },
    /// The policies do not allow a plan. Told once for the same policies.
    PlanDenied {
        /// Which.
        plan: Digest,
        /// The decision that made it.
        decision: u64,
        /// The policies that deny it; none when no policy permits it.
        policies: Vec<PolicyName>,
        /// Why, in a sentence that names them.
        reason: String,
    },
    /// A plan began.
    PlanBegan {
        /// Which.
        plan: Digest,
        /// Who approved it; `None` when nobody had to.
        by: Option<String>,
    },
    /// A plan ended.
    PlanEnded {
        /// Which.
        plan: Digest,
        /// How.
        ending: Ending,
    },
    /// An action waits for a person.
    Stuck {
        /// Of which plan.
        plan: Digest,
        /// Which.
        action: u32,
        /// Why.
        fault: String,
    },
    /// Rules are broken by what runs.
    Violated {
        /// Their names.
        rules: Vec<String>,
        /// What was seen of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        evidence: Vec<Evidence>,
    },
    /// All rules hold again.
    Restored {
        /// How long one of them was broken, in milliseconds; `None` when that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after_ms: Option<u64>,
    },
    /// Nodes are gone without our doing.
    NodesLost {
        /// Their names.
        nodes: Vec<String>,
    },
    /// Something exists in the cloud that is not on record.
    Orphans {
        /// Nodes and instances.
        names: Vec<String>,
    },
    /// The provider has no machine of an offer.
    OfferUnavailable {
        /// Which.
        offer: String,
        /// It is left out until then.
        until: UnixMs,
    },
    /// A person paused the application.
    Paused {
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// The pause is over.
    Resumed,
    /// An order came to nothing.
    Refused {
        /// Who gave it.
        by: String,
        /// Why.
        reason: String,
    },
    /// Everything is taken down.
    Gone,
}

/// What was seen of a rule when it began to be violated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The constraint, SLO or event.
    pub rule: String,
    /// How grave it is.
    pub severity: Severity,
    /// Its formula; none of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    /// Since when it has been violated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UnixMs>,
    /// The metrics that it mentions, with those behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<SeenMetric>,
}

/// What must be done once the writes are durable.
#[derive(Clone, Debug)]
pub enum Act {
    /// Make this decision and bring it back as [`Event::Decided`].
    Decide(Arc<DecisionInput>),
    /// Make this call and bring its answer back as [`Event::Answered`].
    Call(Box<Call>),
    /// Look at what there is and bring it back as [`Event::Observed`].
    Observe,
}

/// What a step comes to.
#[derive(Clone, Debug, Default)]
#[must_use = "writes that are not made durable are lost, and acts that are not done are waited for"]
pub struct Step {
    /// What must be made durable first.
    pub writes: Vec<Write>,
    /// What must be done then.
    pub acts: Vec<Act>,
    /// When to send [`Event::Wake`]; replaces every earlier time.
    pub wake_at: Option<UnixMs>,
}

/// Everything that the loop of an application must remember.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// The application.
    pub application: String,
    /// The digest of its model.
    pub model: Digest,
    /// The digest of the offers.
    pub catalog: Digest,
    /// The numbers.
    pub settings: LoopSettings,
    /// The values of metrics.
    pub readings: Readings,
    /// What runs, as far as is on record.
    pub running: Arc<RunningDeployment>,
    /// The plan that is the target.
    pub head: TargetHead,
    /// What the gate remembers.
    pub history: GateHistory,
    /// Offers that are left out, and until when.
    pub unavailable: BTreeMap<String, UnixMs>,
    /// The number of the last decision.
    pub decisions: u64,
    /// What waits for a decision.
    pub waiting: Vec<Trigger>,
    /// Since when it waits.
    pub waiting_since: UnixMs,
    /// When the next regular decision is due.
    pub regular_at: UnixMs,
    /// When to look at the cloud next.
    pub observe_at: UnixMs,
    /// True when the cloud must be looked at before anything is decided.
    pub blind: bool,
    /// No decision before this time, because plans failed.
    pub not_before: UnixMs,
    /// How many plans failed without one that reached its target.
    pub failures: u32,
    /// How many decisions could not be made without one that could.
    #[serde(default)]
    pub undecided: u32,
    /// Rules that are broken, as was last told.
    pub violated: BTreeSet<String>,
    /// Since when one of them or another is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violated_since: Option<UnixMs>,
    /// How the rules have stood over time.
    #[serde(default, skip_serializing_if = "Book::is_empty")]
    pub book: Book,
    /// Metrics that are too old, as was last told.
    pub stale: BTreeSet<String>,
    /// A person's pause.
    pub pause: Option<Pause>,
    /// What is under way.
    pub course: Course,
    /// True when everything is to be taken down, and afterwards the application is gone.
    pub leaving: bool,
    /// What is wanted and held until the gate's stabilisation window is over, when that is less than what runs. Every value
    /// of the metrics in the window must leave it without a broken rule, or the window begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Deployment>,
    /// The order to take everything down, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removal: Option<Trigger>,
    /// The policies that denied the last plan, as was last told; `None` when it was not denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Vec<PolicyName>>,
}

/// A person's pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when; until it is resumed when there is none.
    pub until: Option<UnixMs>,
}

/// What is under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "course", rename_all = "kebab-case")]
pub enum Course {
    /// Nothing.
    #[default]
    Idle,
    /// A decision is made.
    Deciding {
        /// Its input.
        input: Arc<DecisionInput>,
    },
    /// A plan waits for a person.
    Proposed {
        /// The plan.
        plan: Arc<Plan>,
        /// The decision that made it.
        decision: u64,
        /// It is dropped then.
        until: UnixMs,
        /// Why there is a plan, as policies see it.
        #[serde(default)]
        grounds: Grounds,
    },
    /// A plan is carried out.
    Executing {
        /// The plan.
        plan: Arc<Plan>,
        /// The decision that made it.
        decision: u64,
    },
    /// Everything is taken down, for good.
    Gone,
}

impl Course {
    /// The word for it, as in its stored form.
    pub fn word(&self) -> &'static str {
        match self {
            Course::Idle => "idle",
            Course::Deciding { .. } => "deciding",
            Course::Proposed { .. } => "proposed",
            Course::Executing { .. } => "executing",
            Course::Gone => "gone",
        }
    }
}

/// The loop of one application.
#[derive(Clone, Debug)]
pub struct ApplicationLoop {
    state: LoopState,
    executor: Option<Executor>,
    executor_wake: Option<UnixMs>,
    /// Calls were made and their answers are lost: they must be made again.
    lost_touch: bool,
}

/// Why a loop cannot go on.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecoverError {
    /// The journal does not fit.
    #[error("the journal of the plan under way cannot be read")]
    Journal(#[from] JournalError),
}

impl ApplicationLoop {
    /// The loop of a new application; send it [`Event::Wake`].
    pub fn new(application: &str, model: Digest, catalog: Digest, settings: LoopSettings, now: UnixMs) -> Self {
        let state = LoopState {
            application: application.to_owned(),
            model,
            catalog,
            settings,
            readings: Readings::new(),
            running: Arc::default(),
            head: TargetHead::default(),
            history: GateHistory::default(),
            unavailable: BTreeMap::new(),
            decisions: 0,
            waiting: vec![Trigger::Submitted],
            waiting_since: now,
            regular_at: now,
            observe_at: now,
            blind: false,
            not_before: now,
            failures: 0,
            undecided: 0,
            violated: BTreeSet::new(),
            violated_since: None,
            book: Book::default(),
            stale: BTreeSet::new(),
            pause: None,
            course: Course::Idle,
            leaving: false,
            wish: None,
            removal: None,
            denied: None,
        };
        let mut fresh = ApplicationLoop { state, executor: None, executor_wake: None, lost_touch: false };
        fresh.plan_regular(now);
        fresh
    }

    /// The loop as its last state leaves it, with the journal of the plan that was under way; send it [`Event::Wake`].
    ///
    /// # Errors
    /// When the journal is not one of that plan.
    pub fn recover(state: LoopState, journal: &[Entry]) -> Result<Self, RecoverError> {
        let executor = match &state.course {
            Course::Executing { plan, .. } => {
                Some(Executor::recover(Plan::clone(plan), state.settings.execute, journal)?)
            }
            Course::Idle | Course::Deciding { .. } | Course::Proposed { .. } | Course::Gone => None,
        };
        Ok(ApplicationLoop { state, executor, executor_wake: None, lost_touch: true })
    }

    /// The loop of an application whose name was used before: numbers of decisions and generations of plans go on.
    #[must_use]
    pub fn after(mut self, former: &LoopState) -> Self {
        self.state.decisions = former.decisions;
        self.state.head = former.head.clone();
        self
    }

    /// What the loop remembers.
    pub fn state(&self) -> &LoopState {
        &self.state
    }

    /// The plan that is carried out.
    pub fn executor(&self) -> Option<&Executor> {
        self.executor.as_ref()
    }

    /// What must be written and done because of an event. `resources` are those of the model and catalog in the state;
    /// for [`Event::Model`] and [`Event::Catalog`] those of the event.
    pub fn step(&mut self, now: UnixMs, resources: &Resources, event: Event) -> Step {
        if self.state.course == Course::Gone {
            return Step::default();
        }
        let before = self.state.clone();
        let mut step = Step::default();
        if std::mem::take(&mut self.lost_touch) {
            self.reconnect(now, &mut step);
        }
        match event {
            Event::Wake => {}
            Event::Metrics(readings) => self.take_metrics(readings),
            Event::Model { model, settings } => {
                self.state.settings = *settings;
                self.state.readings.retain(|name, _| resources.application.metric(name).is_some());
                if model == self.state.model {
                    // Other numbers alone take no plan's ground away.
                    self.plan_regular(now);
                    self.wants(Trigger::Regular, now);
                } else {
                    self.state.model = model;
                    self.drop_proposal("the model was replaced", &mut step);
                    self.wants(Trigger::ModelReplaced, now);
                }
            }
            Event::Catalog { catalog } => {
                if catalog != self.state.catalog {
                    self.state.catalog = catalog;
                    self.wants(Trigger::CatalogChanged, now);
                }
            }
            Event::Observed(observation) => self.observed(now, &observation, &mut step),
            Event::Decided(decision) => self.decided(now, *decision, &mut step),
            Event::Answered { token, attempt, result } => self.answered(now, token, attempt, result, &mut step),
            Event::Person { by, scope, order } => self.person(now, by, scope, order, &mut step),
        }
        self.go_on(now, resources, &mut step);
        if self.state != before {
            step.writes.push(Write::State(Box::new(self.state.clone())));
        }
        step.wake_at = Some(self.next_wake(now, resources));
        step
    }

    /// What was asked for before a crash is asked for again.
    fn reconnect(&mut self, now: UnixMs, step: &mut Step) {
        self.state.observe_at = now;
        self.state.blind = true;
        if let Course::Deciding { input } = &self.state.course {
            step.acts.push(Act::Decide(input.clone()));
        }
        if self.executor.is_some() {
            self.executor_wake = Some(now);
        }
    }

    fn take_metrics(&mut self, readings: Vec<(String, MetricReading)>) {
        for (name, reading) in readings {
            if !reading.value.is_finite() {
                continue;
            }
            let known = self.state.readings.get(&name);
            if known.is_none_or(|old| old.at <= reading.at) {
                self.state.readings.insert(name, reading);
            }
        }
    }

    /// Notes that a decision is wanted.
    fn wants(&mut self, trigger: Trigger, now: UnixMs) {
        if self.state.waiting.is_empty() {
            self.state.waiting_since = now;
        }
        join(&mut self.state.waiting, trigger);
    }

    /// The time of the next regular decision: a little later than its period, as drawn from the name and the number.
    fn plan_regular(&mut self, now: UnixMs) {
        let every = self.state.settings.every_ms;
        let most = (every as f64 * self.state.settings.jitter) as u64;
        let drawn = Digest::of(&(&self.state.application, self.state.decisions)).seed();
        self.state.regular_at = now.plus_ms(every).plus_ms(drawn % most.saturating_add(1));
    }

    fn person(&mut self, now: UnixMs, by: String, scope: Option<String>, order: Order, step: &mut Step) {
        match order {
            Order::Decide => {
                self.state.not_before = now;
                self.wants(Trigger::Person { by, scope }, now);
            }
            Order::Leave => {
                self.state.leaving = true;
                self.state.not_before = now;
                self.drop_proposal("the application is removed", step);
                let removal = Trigger::Leave { by, scope };
                self.state.removal = Some(removal.clone());
                self.wants(removal, now);
            }
            Order::Approve { plan } => self.approve(now, plan, Asker::Person { name: by, scope }, step),
            Order::Reject { plan } => match &self.state.course {
                Course::Proposed { plan: proposed, .. } if proposed.hash() == plan => {
                    self.drop_proposal(&format!("rejected by {by}"), step);
                }
                _ => refuse(by, "no such plan is proposed", step),
            },
            Order::Pause { reason, until } => {
                step.writes.push(Write::Notice(Notice::Paused { by: by.clone(), reason: reason.clone() }));
                self.drop_proposal("the application was paused", step);
                self.state.pause = Some(Pause { by, reason, until });
            }
            Order::Resume => self.resume(now, step),
            Order::Unwind | Order::Resolve { .. } if self.executor.is_none() => {
                refuse(by, "no plan is under way", step);
            }
            Order::Unwind => {
                let reason = format!("unwound by {by}");
                self.drive(now, cardinal_adapter::execute::Event::Unwind { reason }, step);
            }
            Order::Resolve { action, choice } => {
                self.drive(now, cardinal_adapter::execute::Event::Resolve { action, choice, by }, step);
            }
        }
    }

    fn resume(&mut self, now: UnixMs, step: &mut Step) {
        if self.state.pause.take().is_some() {
            step.writes.push(Write::Notice(Notice::Resumed));
            self.wants(Trigger::Regular, now);
        }
    }

    /// Everything that is due.
    fn go_on(&mut self, now: UnixMs, resources: &Resources, step: &mut Step) {
        if self.state.pause.as_ref().and_then(|p| p.until).is_some_and(|until| until <= now) {
            self.resume(now, step);
        }
        self.state.unavailable.retain(|_, until| *until > now);
        if let Course::Proposed { until, .. } = &self.state.course
            && *until <= now
        {
            self.drop_proposal("nobody approved it in time", step);
        }
        if self.executor_wake.is_some_and(|at| at <= now) {
            self.executor_wake = None;
            self.drive(now, cardinal_adapter::execute::Event::Wake, step);
        }
        if self.state.observe_at <= now {
            self.state.observe_at = now.plus_ms(self.state.settings.observe_ms);
            step.acts.push(Act::Observe);
        }
        if self.state.regular_at <= now {
            self.plan_regular(now);
            self.wants(Trigger::Regular, now);
        }
        self.watch(now, resources, step);
        self.supersede(now, step);
        self.begin_decision(now, step);
    }

    /// The time at which something is due.
    fn next_wake(&self, now: UnixMs, resources: &Resources) -> UnixMs {
        let state = &self.state;
        let mut next = state.regular_at.min(state.observe_at);
        let mut at_most = |at: Option<UnixMs>| next = next.min(at.unwrap_or(next));
        at_most(self.executor_wake);
        at_most(state.pause.as_ref().and_then(|p| p.until));
        at_most(metrics::next_stale(&resources.application, &state.readings, &state.settings.metrics, now));
        let application = &resources.application;
        at_most(state.book.next_ms(&application.slos, &application.events, now.0).map(UnixMs));
        if let Course::Proposed { until, .. } = &state.course {
            at_most(Some(*until));
        }
        if !state.waiting.is_empty() && self.is_free() && !state.blind {
            at_most(Some(self.decision_due()));
        }
        // A time that has passed would be asked for again and again.
        next.max(now.plus_ms(1))
    }

    /// True when a decision could begin.
    fn is_free(&self) -> bool {
        matches!(self.state.course, Course::Idle | Course::Proposed { .. })
    }

    /// When the waiting triggers are to be answered.
    fn decision_due(&self) -> UnixMs {
        let state = &self.state;
        let urgent = state.waiting.iter().any(Trigger::is_urgent);
        let wait = if urgent { 0 } else { state.settings.coalesce_ms };
        state.waiting_since.plus_ms(wait).max(state.not_before)
    }
}

fn refuse(by: String, reason: &str, step: &mut Step) {
    step.writes.push(Write::Notice(Notice::Refused { by, reason: reason.to_owned() }));
}
