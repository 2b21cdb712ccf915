//! A cloud that exists in memory: seeded, as unreliable as asked, in accelerated or real time.
//!
//! The caller passes the time in, so a simulation runs a day in a second and a service runs it by the clock. Whatever is
//! drawn is a function of the seed and of what it is drawn for (a token and its attempt, a node, a tick), never of the
//! order of calls, so that two runs agree even where their calls interleave differently. The state is one value that can
//! be stored: a restarted service finds the cloud as it left it, as it would a real one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cardinal_models::quantity::Price;
use serde::{Deserialize, Serialize};

use super::{Call, Driver, Fault, FaultClass, Observation, ObservedInstance, ObservedNode, Progress};
use crate::deployment::{InstanceId, NodeId, NodePhase, OfferSnapshot, Parameters};
use crate::diff::{Money, StartupTime};
use crate::digest::Digest;
use crate::plan::ActionKind;
use crate::time::UnixMs;

mod effect;
pub mod settings;
#[cfg(test)]
mod tests;

pub use settings::{CloudSettings, FaultRates, Injected, PriceMoves, RegionQuota, ScriptedFault};

/// A cloud in memory.
#[derive(Debug)]
pub struct SimulatedCloud {
    state: Mutex<CloudState>,
}

/// Everything that a simulated cloud is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudState {
    settings: CloudSettings,
    now: UnixMs,
    nodes: BTreeMap<NodeId, SimulatedNode>,
    instances: BTreeMap<InstanceId, SimulatedInstance>,
    /// Tokens whose work is done.
    done: BTreeSet<String>,
    /// How often each token was called.
    calls: BTreeMap<String, u32>,
    effects: Vec<Effect>,
    /// How many calls each scripted fault has seen.
    used: Vec<u32>,
    events: Vec<CloudEvent>,
    /// Events that are on their way, by the time at which they come.
    coming: BTreeMap<UnixMs, Vec<CloudEvent>>,
    next_event: u64,
    /// Price factors by offer, in millionths, where they are not one.
    factors: BTreeMap<String, u64>,
    ticks: u64,
    started: Option<UnixMs>,
    paid: Money,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SimulatedNode {
    application: String,
    offer: OfferSnapshot,
    asked: UnixMs,
    ready_at: UnixMs,
    reclaimed_at: Option<UnixMs>,
    lost: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SimulatedInstance {
    application: String,
    component: String,
    node: NodeId,
    healthy_at: UnixMs,
    registered: bool,
    drained_at: Option<UnixMs>,
    parameters: Parameters,
}

/// Something that a call really changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// When.
    pub at: UnixMs,
    /// By which token.
    pub token: String,
    /// What kind of change.
    pub kind: ActionKind,
    /// The node or instance.
    pub object: String,
}

/// Something that happened in the cloud without our doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// The same when the event comes twice.
    pub id: u64,
    /// When it happened, by the provider's clock.
    pub at: UnixMs,
    /// What.
    #[serde(flatten)]
    pub kind: CloudEventKind,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CloudEventKind {
    /// A spot node was taken back.
    NodeReclaimed {
        /// Whose.
        application: String,
        /// Which.
        node: NodeId,
    },
    /// The price of an offer moved.
    PriceMoved {
        /// Which.
        offer: String,
        /// The new price as a share of the catalog's, in millionths.
        factor_millionths: u64,
    },
}

impl SimulatedCloud {
    /// An empty cloud.
    pub fn new(settings: CloudSettings) -> Self {
        SimulatedCloud::restore(CloudState { settings, ..CloudState::default() })
    }

    /// The cloud of a stored state.
    pub fn restore(state: CloudState) -> Self {
        SimulatedCloud { state: Mutex::new(state) }
    }

    /// The state, to be stored.
    pub fn state(&self) -> CloudState {
        self.lock().clone()
    }

    /// Adds a fault that comes at a certain call.
    pub fn inject(&self, fault: ScriptedFault) {
        self.lock().settings.script.push(fault);
    }

    /// Loses a node, as when its machine fails.
    pub fn lose_node(&self, now: UnixMs, node: &NodeId) {
        let mut state = self.lock();
        state.advance(now);
        state.lose(now, node);
    }

    /// Everything that calls really changed so far, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.lock().effects.clone()
    }

    /// What all nodes have cost until now.
    pub fn paid(&self, now: UnixMs) -> Money {
        let mut state = self.lock();
        state.advance(now);
        let open = state.nodes.values().map(|n| Money::of(n.offer.price, state.now.ms_since(n.asked))).sum::<Money>();
        state.paid + open
    }

    /// The events that have come by now, from position `after` on, and the position to ask from the next time. They come
    /// late, out of order and twice, as asked.
    pub fn events(&self, now: UnixMs, after: usize) -> (Vec<CloudEvent>, usize) {
        let mut state = self.lock();
        state.advance(now);
        (state.events.get(after..).unwrap_or_default().to_vec(), state.events.len())
    }

    /// The price of an offer now, when its price in the catalog is this.
    pub fn price(&self, now: UnixMs, offer: &str, listed: Price) -> Price {
        let mut state = self.lock();
        state.advance(now);
        let factor = state.factors.get(offer).copied().unwrap_or(1_000_000);
        let nanos = i128::from(listed.nanos()) * i128::from(factor) / 1_000_000;
        Price::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX).min(Price::MAX.nanos()))
    }

    /// The state stays usable after a panic elsewhere: every change of it is complete before the next call.
    fn lock(&self) -> MutexGuard<'_, CloudState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for SimulatedCloud {
    fn act(&self, now: UnixMs, call: &Call) -> Result<Progress, Fault> {
        self.lock().act(now, call)
    }

    fn observe(&self, now: UnixMs, application: &str) -> Result<Observation, Fault> {
        let mut state = self.lock();
        state.advance(now);
        Ok(state.observe(application))
    }
}

impl CloudState {
    /// A number in [0, 1) that follows from the seed and what it is for.
    fn draw(&self, purpose: &str, subject: &str, number: u64) -> f64 {
        let digest = Digest::of(&(self.settings.seed, purpose, subject, number));
        (digest.seed() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn chance(&self, rate: f64, purpose: &str, subject: &str, number: u64) -> bool {
        rate > 0.0 && self.draw(purpose, subject, number) < rate
    }

    /// A time in the range, at the speed of the simulation.
    fn span(&self, range: StartupTime, position: f64, slow: f64) -> u64 {
        let wide = range.high_ms.saturating_sub(range.low_ms) as f64;
        let speed = if self.settings.speed > 0.0 { self.settings.speed } else { 1.0 };
        ((range.low_ms as f64 + wide * position) * slow / speed) as u64
    }

    /// Lets time pass until `now`: nodes are taken back, prices move, events arrive. Time never goes back.
    fn advance(&mut self, now: UnixMs) {
        let started = *self.started.get_or_insert(now);
        self.now = self.now.max(now);
        let now = self.now;
        let reclaimed: Vec<(UnixMs, NodeId)> = self
            .nodes
            .iter()
            .filter(|(_, n)| !n.lost)
            .filter_map(|(id, n)| Some((n.reclaimed_at.filter(|at| *at <= now)?, id.clone())))
            .collect();
        for (at, node) in reclaimed {
            self.lose(at, &node);
        }
        self.move_prices(started);
        while let Some(entry) = self.coming.first_entry().filter(|e| *e.key() <= now) {
            self.events.extend(entry.remove());
        }
    }

    fn move_prices(&mut self, started: UnixMs) {
        /// A day of ticks each second would be more than anyone watches.
        const TICKS_MAX: u64 = 100_000;
        let PriceMoves { every_ms, percent } = self.settings.prices;
        if every_ms == 0 {
            return;
        }
        let due = (self.now.ms_since(started) / every_ms).min(self.ticks + TICKS_MAX);
        let offers: BTreeSet<String> = self.nodes.values().map(|n| n.offer.id.clone()).collect();
        while self.ticks < due {
            self.ticks += 1;
            for offer in &offers {
                let wave = 1.0 + percent / 100.0 * (2.0 * self.draw("price", offer, self.ticks) - 1.0);
                let old = self.factors.get(offer).copied().unwrap_or(1_000_000);
                let factor = ((old as f64 * wave) as u64).clamp(100_000, 10_000_000);
                self.factors.insert(offer.clone(), factor);
                let kind = CloudEventKind::PriceMoved { offer: offer.clone(), factor_millionths: factor };
                self.tell(started.plus_ms(self.ticks * every_ms), kind);
            }
        }
    }

    fn lose(&mut self, at: UnixMs, id: &NodeId) {
        let Some(node) = self.nodes.get_mut(id).filter(|n| !n.lost) else { return };
        node.lost = true;
        let application = node.application.clone();
        self.instances.retain(|_, i| i.node != *id);
        self.tell(at, CloudEventKind::NodeReclaimed { application, node: id.clone() });
    }

    /// Sends an event on its way.
    fn tell(&mut self, at: UnixMs, kind: CloudEventKind) {
        let id = self.next_event;
        self.next_event += 1;
        let seen = UnixMs(at.0.saturating_add(self.settings.clock_skew_ms));
        let event = CloudEvent { id, at: seen, kind };
        let delay_max = self.settings.event_delay_ms_max as f64;
        let copies = if self.chance(self.settings.event_duplicates, "duplicate", "", id) { 2 } else { 1 };
        for copy in 0..copies {
            let delay = (self.draw("delay", "event", 2 * id + copy) * delay_max) as u64;
            self.coming.entry(at.plus_ms(delay)).or_default().push(event.clone());
        }
    }

    fn observe(&self, application: &str) -> Observation {
        let phase = |node: &SimulatedNode| match (node.lost, node.ready_at <= self.now) {
            (true, _) => NodePhase::Lost,
            (false, true) => NodePhase::Ready,
            (false, false) => NodePhase::Creating,
        };
        let nodes = self.nodes.iter().filter(|(_, n)| n.application == application);
        let instances = self.instances.iter().filter(|(_, i)| i.application == application);
        Observation {
            at: UnixMs(self.now.0.saturating_add(self.settings.clock_skew_ms)),
            nodes: nodes
                .map(|(id, n)| ObservedNode { id: id.clone(), offer: n.offer.clone(), phase: phase(n) })
                .collect(),
            instances: instances
                .map(|(id, i)| ObservedInstance {
                    id: id.clone(),
                    component: i.component.clone(),
                    node: i.node.clone(),
                    healthy: i.healthy_at <= self.now,
                    registered: i.registered,
                    parameters: i.parameters.clone(),
                })
                .collect(),
        }
    }

    fn act(&mut self, now: UnixMs, call: &Call) -> Result<Progress, Fault> {
        self.advance(now);
        let token = call.token.to_string();
        let number = self.calls.entry(token.clone()).or_insert(0);
        *number += 1;
        let number = u64::from(*number);
        if self.done.contains(&token) {
            return Ok(Progress::Done);
        }
        match self.injected(call, &token, number) {
            None => self.perform(call, &token, number),
            Some(Injected::Before(class)) => Err(Fault::new(class, "the provider refuses, as it was asked to")),
            Some(Injected::After(class)) => {
                let _ = self.perform(call, &token, number)?;
                Err(Fault::new(class, "the provider reports a failure after the work was done"))
            }
            Some(Injected::AnswerLost) => {
                if self.perform(call, &token, number)? == Progress::Done {
                    self.done.insert(token);
                }
                Err(Fault::new(FaultClass::Unanswered, "the provider's answer was lost"))
            }
            Some(Injected::Repeated) => {
                let _ = self.perform(call, &token, number)?;
                self.perform(call, &token, number)
            }
        }
        .inspect(|progress| {
            if *progress == Progress::Done {
                self.done.insert(call.token.to_string());
            }
        })
    }

    /// What goes wrong with this call: the script first, then what is drawn.
    fn injected(&mut self, call: &Call, token: &str, number: u64) -> Option<Injected> {
        self.used.resize(self.settings.script.len().max(self.used.len()), 0);
        let kind = call.operation.kind();
        for (fault, used) in self.settings.script.iter().zip(&mut self.used) {
            if fault.kind == kind && fault.way == call.token.way && *used < fault.skip.saturating_add(fault.times) {
                *used += 1;
                if *used > fault.skip {
                    return Some(fault.injected);
                }
            }
        }
        let rates = self.settings.faults;
        if self.chance(rates.before_effect, "before", token, number) {
            return Some(Injected::Before(FaultClass::Transient));
        }
        if call.operation.kind() == ActionKind::CreateNode && self.chance(rates.capacity, "capacity", token, number) {
            return Some(Injected::Before(FaultClass::Capacity));
        }
        if self.chance(rates.after_effect, "after", token, number) {
            return Some(Injected::After(FaultClass::Transient));
        }
        self.chance(rates.answer_lost, "lost", token, number).then_some(Injected::AnswerLost)
    }
}
