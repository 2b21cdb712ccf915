//! The whole loop against a simulated cloud, in virtual time: a day passes in a second.
//!
//! Everything that is drawn follows from the seed: noise of the load, faults of the cloud, nodes that are lost, and the
//! moments at which the process is killed, before or after what it wrote. After each step the invariants are checked;
//! a run is repeated by its seed.

use std::collections::BTreeMap;

use cardinal_adapter::deployment::NodePhase;
use cardinal_adapter::diff::Money;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::simulated::{CloudSettings, SimulatedCloud};
use cardinal_adapter::driver::{Driver, Observation};
use cardinal_adapter::journal::{Ending, Entry};
use cardinal_adapter::time::UnixMs;
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

use crate::capacity::Gauge;
use crate::decide::{Resources, Solver, decide};
use crate::decision::{Answer, Decision, Next};
use crate::foresight::Outlook;
use crate::input::DecisionInput;
use crate::metrics::MetricReading;
use crate::running;
use crate::settings::LoopSettings;
use crate::state::{Act, ApplicationLoop, Event, LoopState, Notice, Order, Step, Write};

pub mod compare;
mod invariants;
pub mod load;
#[cfg(test)]
pub(crate) mod tests;

pub use invariants::Breach;
pub use load::{Load, Shape};

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scenario {
    /// Everything that is drawn follows from this.
    pub seed: u64,
    /// How long, in milliseconds.
    pub duration_ms: u64,
    /// The time at which it begins.
    pub start: UnixMs,
    /// How the application is looked after.
    pub settings: LoopSettings,
    /// The cloud; its seed is that of the scenario.
    pub cloud: CloudSettings,
    /// What the metrics do.
    pub load: Vec<Load>,
    /// Time between two values of a metric, in milliseconds.
    pub measure_ms: u64,
    /// How many nodes are lost in an hour, on average.
    pub losses_per_hour: f64,
    /// How many of a thousand steps end in the death of the process.
    pub crashes_per_thousand: f64,
    /// The metric whose greatest value that what serves can hold is told with each measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
}

impl Default for Scenario {
    fn default() -> Self {
        Scenario {
            seed: 0,
            duration_ms: 86_400_000,
            // 2026-01-05, a Monday, at midnight UTC.
            start: UnixMs(1_767_571_200_000),
            settings: LoopSettings::default(),
            cloud: CloudSettings::default(),
            load: Vec::new(),
            measure_ms: 60_000,
            losses_per_hour: 0.0,
            crashes_per_thousand: 0.0,
            track: None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Virtual time that passed, in milliseconds.
    pub simulated_ms: u64,
    /// Decisions made.
    pub decisions: u64,
    /// Of these, decisions that found nothing to change.
    pub unchanged: u64,
    /// Of these, changes that the gate held back.
    pub held: u64,
    /// Of these, changes that the policies denied.
    #[serde(default)]
    pub denied: u64,
    /// Of these, decisions without an answer: infeasible, refused, failed.
    pub unanswered: u64,
    /// Of these, decisions that were proven optimal.
    pub proven: u64,
    /// Decisions that were made again from their input, with the same result.
    pub replayed: u64,
    /// Plans begun.
    pub plans: u64,
    /// Plans that reached their target.
    pub reached: u64,
    /// Plans that were undone.
    pub unwound: u64,
    /// Plans given up for another target.
    pub superseded: u64,
    /// Times at which a person was needed.
    pub stuck: u64,
    /// Changes that turned the direction.
    pub flaps: u64,
    /// Instances that were started.
    pub starts: u64,
    /// Running instances that were stopped.
    pub stops: u64,
    /// Nodes lost.
    pub losses: u64,
    /// Times that the process died.
    pub crashes: u64,
    /// How long a constraint or SLO was broken, in milliseconds.
    pub violation_ms: u64,
    /// How long what served broke a constraint or SLO under what was measured, in milliseconds; measured values count for
    /// the time between two of them.
    #[serde(default)]
    pub overload_ms: u64,
    /// What the cloud charged, in 1e-9 of the currency unit.
    pub paid_nanos: i64,
    /// What happened, in the order of time.
    pub timeline: Vec<Moment>,
    /// Invariants that did not hold; none in a good run.
    pub breaches: Vec<Breach>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// When, in milliseconds from the start.
    pub elapsed_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can be told of a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Happening {
    /// The loop says something.
    Notice(Notice),
    /// A node was lost.
    Lost {
        /// Which.
        node: String,
    },
    /// The process died.
    Crash,
    /// The metrics and what runs.
    Measured {
        /// The values.
        metrics: BTreeMap<String, f64>,
        /// Serving instances by component.
        serving: BTreeMap<String, u64>,
        /// The price of all nodes per hour, in 1e-9 of the currency unit.
        cost_nanos: i64,
        /// Rules that are broken, as far as the loop knows.
        violated: Vec<String>,
        /// The greatest value of the tracked metric under which what serves keeps all rules about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holds: Option<f64>,
    },
}

/// What is due at a time.
#[derive(Debug)]
enum Due {
    Wake,
    Measure,
    Lose,
    Event(Box<Event>),
}

/// How long the host takes to answer, in milliseconds.
const DECISION_MS: u64 = 250;
const CALL_MS: u64 = 120;
const OBSERVATION_MS: u64 = 80;
/// Every so many decisions one is made again from its input.
const REPLAY_EVERY: u64 = 10;
/// After the end of the scenario nothing goes wrong any more, and the loop has this long to come to rest.
const REST_MS: u64 = 4 * 3_600_000;

/// Runs a scenario for one application.
pub fn simulate(name: &str, resources: &Resources, solver: &dyn Solver, scenario: &Scenario) -> Report {
    let cloud = CloudSettings { seed: scenario.seed, ..scenario.cloud.clone() };
    let (model, catalog) = (Digest::of_bytes(b"model"), Digest::of_bytes(b"catalog"));
    let fresh = ApplicationLoop::new(name, model, catalog, scenario.settings.clone(), scenario.start);
    let mut world = World {
        name,
        resources,
        solver,
        scenario,
        cloud: SimulatedCloud::new(cloud),
        durable: Durable { state: fresh.state().clone(), journals: BTreeMap::new() },
        running: fresh,
        due: BTreeMap::new(),
        order: 0,
        now: scenario.start,
        wake: None,
        steps: 0,
        checks: invariants::Checks::default(),
        outlook: Outlook::default(),
        serving_gauge: Gauge::default(),
        has_served: false,
        report: Report { seed: scenario.seed, ..Report::default() },
    };
    world.run();
    world.report
}

/// What survives a crash.
struct Durable {
    state: LoopState,
    journals: BTreeMap<Digest, Vec<Entry>>,
}

struct World<'a> {
    name: &'a str,
    resources: &'a Resources,
    solver: &'a dyn Solver,
    scenario: &'a Scenario,
    cloud: SimulatedCloud,
    durable: Durable,
    running: ApplicationLoop,
    /// What is due, by time and then in the order in which it was put there.
    due: BTreeMap<(UnixMs, u64), Due>,
    order: u64,
    now: UnixMs,
    wake: Option<(UnixMs, u64)>,
    steps: u64,
    checks: invariants::Checks,
    outlook: Outlook,
    serving_gauge: Gauge,
    has_served: bool,
    report: Report,
}

impl World<'_> {
    fn run(&mut self) {
        let end = self.scenario.start.plus_ms(self.scenario.duration_ms);
        self.at(self.now, Due::Wake);
        self.at(self.now.plus_ms(1), Due::Measure);
        self.next_loss();
        while let Some(((at, _), due)) = self.due.pop_first() {
            if at > end {
                break;
            }
            self.pass(at);
            self.happen(due);
        }
        self.rest(end);
    }

    /// Lets the loop come to rest without further trouble, and compares the record with the cloud.
    fn rest(&mut self, end: UnixMs) {
        self.now = self.now.max(end);
        self.due.retain(|_, due| matches!(due, Due::Wake | Due::Event(_)));
        let until = self.now.plus_ms(REST_MS);
        self.at(self.now, Due::Wake);
        while let Some(((at, _), due)) = self.due.pop_first() {
            if at > until {
                break;
            }
            self.pass(at);
            self.calm(due);
            if self.now > end && self.is_at_rest() {
                break;
            }
        }
        self.report.simulated_ms = self.now.ms_since(self.scenario.start);
        self.report.paid_nanos = self.cloud.paid(self.now).0;
        let found = self.checks.at_the_end(&self.running, &self.cloud, self.name, self.now);
        self.breach(found);
    }

    fn is_at_rest(&self) -> bool {
        self.running.executor().is_none() && !self.running.state().blind && self.running.state().waiting.is_empty()
    }

    fn at(&mut self, at: UnixMs, due: Due) {
        self.order += 1;
        self.due.insert((at.max(self.now), self.order), due);
    }

    fn pass(&mut self, at: UnixMs) {
        let passed = at.ms_since(self.now);
        if !self.running.state().violated.is_empty() {
            self.report.violation_ms += passed;
        }
        self.now = self.now.max(at);
    }

    /// A number from 0 to 1 that follows from the seed and what it is for.
    fn draw(&self, purpose: &str, number: u64) -> f64 {
        let seed = Digest::of(&(self.scenario.seed, purpose, number)).seed();
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn elapsed(&self) -> u64 {
        self.now.ms_since(self.scenario.start)
    }

    fn note(&mut self, what: Happening) {
        let elapsed_ms = self.elapsed();
        self.report.timeline.push(Moment { elapsed_ms, what });
    }

    fn breach(&mut self, found: Vec<String>) {
        let elapsed_ms = self.elapsed();
        self.report.breaches.extend(found.into_iter().map(|message| Breach { elapsed_ms, message }));
    }

    fn observe(&self) -> Observation {
        // The simulated cloud never refuses a look.
        self.cloud.observe(self.now, self.name).unwrap_or_default()
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Measure => {
                let event = self.measure();
                self.at(self.now.plus_ms(self.scenario.measure_ms.max(1)), Due::Measure);
                self.step(event, true);
            }
            Due::Lose => {
                self.lose();
                self.next_loss();
            }
            Due::Wake => self.wake_up(true),
            Due::Event(event) => self.step(*event, true),
        }
    }

    /// As [`World::happen`], and nothing goes wrong.
    fn calm(&mut self, due: Due) {
        match due {
            Due::Wake => self.wake_up(false),
            Due::Event(event) => self.step(*event, false),
            Due::Measure | Due::Lose => {}
        }
    }

    fn wake_up(&mut self, trouble: bool) {
        self.wake = None;
        self.step(Event::Wake, trouble);
    }

    fn measure(&mut self) -> Event {
        let seen = self.observe();
        let elapsed = self.elapsed();
        let mut metrics = BTreeMap::new();
        for load in &self.scenario.load {
            if let Some(value) = load.measure(elapsed, self.scenario.seed, &seen) {
                metrics.insert(load.metric.clone(), value);
            }
        }
        let mut serving: BTreeMap<String, u64> = BTreeMap::new();
        for instance in seen.instances.iter().filter(|i| i.healthy && i.registered) {
            *serving.entry(instance.component.clone()).or_insert(0) += 1;
        }
        let alive = seen.nodes.iter().filter(|n| n.phase != NodePhase::Lost);
        let cost_nanos = alive.map(|n| n.offer.price.nanos()).sum();
        let violated = self.running.state().violated.iter().cloned().collect();
        let reading = |(name, value): (&String, &f64)| (name.clone(), MetricReading::new(*value, self.now));
        let readings = metrics.iter().map(reading).collect();
        let holds = self.judge(&seen, &metrics);
        self.note(Happening::Measured { metrics, serving, cost_nanos, violated, holds });
        Event::Metrics(self.foresee(readings))
    }

    /// Whether what serves keeps the rules under what is measured, whatever the loop was told; and what it can hold of the
    /// tracked metric.
    fn judge(&mut self, seen: &Observation, metrics: &BTreeMap<String, f64>) -> Option<f64> {
        let mut snapshot = Snapshot::new(self.resources.application.clone(), self.resources.catalog.clone());
        for (name, value) in metrics {
            if let Some(id) = snapshot.application.metric(name) {
                snapshot.metrics[id.index()] = Some(*value);
            }
        }
        let serves = running::serving(seen, &snapshot.application, &snapshot.catalog);
        if serves.groups.is_empty() && !self.has_served {
            return None;
        }
        self.has_served = true;
        let evaluator = Evaluator::new(&snapshot);
        let mut rules = snapshot.application.constraints.iter().map(|c| &c.formula);
        if rules.any(|rule| !matches!(evaluator.evaluate(rule, &serves), Ok(Value::Bool(true)))) {
            self.report.overload_ms += self.scenario.measure_ms;
        }
        let tracked = self.scenario.track.as_ref().and_then(|name| snapshot.application.metric(name))?;
        self.serving_gauge.of(&snapshot, &serves, tracked).map(|capacity| capacity.holds)
    }

    /// What the loop is told of metrics with a forecast.
    fn foresee(&mut self, readings: Vec<(String, MetricReading)>) -> Vec<(String, MetricReading)> {
        let (loop_, now, resources) = (&self.running, self.now, self.resources);
        self.outlook.pass(&self.scenario.settings.forecast, || loop_.snapshot(now, resources), readings)
    }

    fn next_loss(&mut self) {
        let rate = self.scenario.losses_per_hour;
        if rate > 0.0 {
            let drawn = self.draw("loss", self.report.losses).max(1e-12);
            let wait = -drawn.ln() / rate * 3_600_000.0;
            self.at(self.now.plus_ms(wait as u64 + 1), Due::Lose);
        }
    }

    fn lose(&mut self) {
        self.report.losses += 1;
        let seen = self.observe();
        let alive: Vec<_> = seen.nodes.iter().filter(|n| n.phase == NodePhase::Ready).collect();
        if alive.is_empty() {
            return;
        }
        let index = (self.draw("which", self.report.losses) * alive.len() as f64) as usize;
        let node = alive[index.min(alive.len() - 1)].id.clone();
        self.cloud.lose_node(self.now, &node);
        self.checks.lost(&node);
        self.note(Happening::Lost { node: node.to_string() });
    }

    /// One step of the loop, with what the host does about it; with trouble the process may die on the way.
    fn step(&mut self, event: Event, trouble: bool) {
        self.steps += 1;
        let death = self.draw("death", self.steps) * 1000.0;
        let step = self.running.step(self.now, self.resources, event);
        let rate = self.scenario.crashes_per_thousand;
        if trouble && death < rate {
            self.report.crashes += 1;
            self.note(Happening::Crash);
            // Of three deaths one comes before anything is written, one after that and before anything is done, and
            // one when all is done.
            match (death / rate * 3.0) as u32 {
                0 => {}
                1 => self.write(step.writes),
                _ => {
                    self.write(step.writes);
                    self.act(step.acts);
                    // Answers on their way are lost.
                }
            }
            self.restart();
            return;
        }
        let Step { writes, acts, wake_at } = step;
        self.write(writes);
        self.act(acts);
        if let Some(at) = wake_at {
            if let Some(old) = self.wake.take() {
                self.due.remove(&old);
            }
            self.at(at, Due::Wake);
            self.wake = Some((at.max(self.now), self.order));
        }
        let found = self.checks.after_step(&self.running, &self.cloud, self.name, self.now);
        self.breach(found);
    }

    /// The process begins again with what was written.
    fn restart(&mut self) {
        self.due.retain(|_, due| matches!(due, Due::Measure | Due::Lose));
        self.wake = None;
        let journal = match &self.durable.state.course {
            crate::state::Course::Executing { plan, .. } => self.durable.journals.get(&plan.hash()),
            _ => None,
        };
        let journal = journal.map_or(&[][..], Vec::as_slice);
        match ApplicationLoop::recover(self.durable.state.clone(), journal) {
            Ok(recovered) => self.running = recovered,
            Err(error) => self.breach(vec![format!("a restart failed: {error}")]),
        }
        self.at(self.now.plus_ms(1_000), Due::Wake);
    }

    fn write(&mut self, writes: Vec<Write>) {
        for write in writes {
            match write {
                Write::State(state) => self.durable.state = *state,
                Write::Journal { plan, entry } => self.durable.journals.entry(plan).or_default().push(entry),
                Write::Decision(decision) => self.count(&decision),
                Write::Notice(notice) => {
                    self.tally(&notice);
                    self.note(Happening::Notice(notice));
                }
            }
        }
    }

    fn count(&mut self, decision: &Decision) {
        self.report.decisions += 1;
        match &decision.answer {
            Answer::Solved(solved) => self.report.proven += u64::from(solved.proven),
            Answer::Leaving => {}
            Answer::Infeasible { .. } | Answer::Unknown | Answer::Failed { .. } | Answer::Refused { .. } => {
                self.report.unanswered += 1;
            }
        }
        let nothing = decision.figures.as_ref().is_some_and(cardinal_adapter::diff::Figures::is_nothing);
        self.report.unchanged += u64::from(nothing);
        self.report.held += u64::from(decision.verdict.is_some() && !nothing && !decision.passed());
        self.report.denied += u64::from(decision.is_denied());
        if decision.next == Next::Apply
            && let Some(figures) = &decision.figures
        {
            self.report.starts += figures.instances_started;
            self.report.stops += figures.instances_stopped;
        }
    }

    fn tally(&mut self, notice: &Notice) {
        match notice {
            Notice::PlanBegan { .. } => {
                self.report.plans += 1;
                let last = self.running.state().history.changes.last();
                self.report.flaps += u64::from(last.is_some_and(|change| change.flap));
            }
            Notice::PlanEnded { ending: Ending::Reached, .. } => self.report.reached += 1,
            Notice::PlanEnded { ending: Ending::Unwound, .. } => self.report.unwound += 1,
            Notice::PlanEnded { ending: Ending::Superseded, .. } => self.report.superseded += 1,
            Notice::Stuck { .. } => self.report.stuck += 1,
            _ => {}
        }
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Decide(input) => {
                    let decision = self.decide(&input);
                    let decided = Event::Decided(Box::new(decision));
                    self.at(self.now.plus_ms(DECISION_MS), Due::Event(Box::new(decided)));
                }
                Act::Call(call) => {
                    let result = self.cloud.act(self.now, &call);
                    let answered = Event::Answered { token: call.token, attempt: call.attempt, result };
                    self.at(self.now.plus_ms(CALL_MS), Due::Event(Box::new(answered)));
                }
                Act::Observe => {
                    let observed = Event::Observed(Box::new(self.observe()));
                    self.at(self.now.plus_ms(OBSERVATION_MS), Due::Event(Box::new(observed)));
                }
            }
        }
    }

    fn decide(&mut self, input: &DecisionInput) -> Decision {
        let decision = decide(input, self.resources, self.solver);
        if input.number % REPLAY_EVERY == 1 {
            // As a store would hand it out.
            let text = serde_json::to_string(input).unwrap_or_default();
            match serde_json::from_str::<DecisionInput>(&text) {
                Ok(stored) if decide(&stored, self.resources, self.solver).digest() == decision.digest() => {
                    self.report.replayed += 1;
                }
                Ok(_) => self.breach(vec![format!("decision {} is another one when replayed", input.number)]),
                Err(error) => self.breach(vec![format!("decision {} cannot be read back: {error}", input.number)]),
            }
        }
        decision
    }
}

/// What the operator of a simulation can order at the start, beside what the scenario says.
pub fn order(by: &str, order: Order) -> Event {
    Event::Person { by: by.to_owned(), scope: None, order }
}

/// The money that a report says was paid.
pub fn paid(report: &Report) -> Money {
    Money(report.paid_nanos)
}
