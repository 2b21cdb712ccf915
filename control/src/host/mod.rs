//! The loops of all applications that this process leads, by the clock and over a store.
//!
//! Each application is a task of its own ([`Actor`]), so that one never waits for another; what many want at once, the
//! solver, is handed out in the order of asking. Whatever comes in from outside comes through the store: submissions,
//! values of metrics, orders of people. So any replica may take it in, it survives a crash from the moment it is
//! acknowledged, and the leader finds it there. [`Host::ping`] only makes it look sooner.
//!
//! A replica leads an application as long as it renews its lease; each write is fenced by it, and no call to a driver is
//! begun without it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::simulated::CloudSettings;
use cardinal_adapter::time::UnixMs;
use cardinal_interop::catalog::{builtin, builtin_text};
use cardinal_store::{Catalog, Holding, Lease, NewEvent, Store, StoreError};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

mod actor;
mod decider;
mod driver;
mod monitor;
mod record;
mod resources;
mod stats;
#[cfg(test)]
mod tests;

use actor::Actor;
pub use actor::{ActorError, reading};
use decider::without_answer;
pub use decider::{Decider, InWorkers, answer, job};
pub use driver::{DriverError, Hands, Wire};
pub use monitor::{Evidence, Monitors, Watched, evidence};
pub use resources::{Library, LoadError, Loaded, Offers, application};
pub use stats::{LATENCY_MS, Latency, Since, Stats};

use crate::decision::Decision;
use crate::input::DecisionInput;
use crate::metrics::MetricReading;

/// The time. A service has the system's, a test its own.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// How a host works.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The name of this run of this replica; no other run has it.
    pub holder: String,
    /// How long a lease lasts without being renewed, in milliseconds: after a crash another replica takes over within it.
    pub lease_ms: u64,
    /// Time between two looks for what other replicas have taken in, in milliseconds.
    pub poll_ms: u64,
    /// How many decisions are made at a time.
    pub solvers: usize,
    /// The simulated clouds of applications that ask for none in particular.
    pub cloud: CloudSettings,
}

/// Applications taken over at a time.
const ROUND: usize = 100;

/// After this time an application that could not be looked after is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// What the tasks of a host share.
struct Shared {
    store: Store,
    library: Library,
    wire: Wire,
    cloud: CloudSettings,
    decider: Arc<dyn Decider>,
    solvers: Semaphore,
    clock: Clock,
    stop: CancellationToken,
    stats: Arc<Stats>,
    monitors: Arc<Monitors>,
    /// Leases by application: until when they certainly hold, by this process's monotonic clock, and their epochs.
    holding: Mutex<HashMap<String, (i64, Instant)>>,
    /// The number of the last event that was written here.
    events: watch::Sender<i64>,
    /// The current catalog, and the change that made it so.
    current: Mutex<Option<Digest>>,
    /// Why applications cannot be looked after, as was last told.
    broken: Mutex<HashMap<String, String>>,
}

impl Shared {
    fn now(&self) -> UnixMs {
        (self.clock)()
    }

    /// True while the lease holds for certain.
    fn still_leads(&self, lease: &Lease) -> bool {
        let holding = self.holding.lock().unwrap_or_else(PoisonError::into_inner);
        holding.get(&lease.application).is_some_and(|(epoch, until)| *epoch == lease.epoch && Instant::now() < *until)
    }

    fn written(&self, event: Option<i64>) {
        if let Some(event) = event {
            self.events.send_if_modified(|last| (*last < event).then(|| *last = event).is_some());
        }
    }

    /// Tells that an application cannot be looked after, once for each reason.
    async fn tell_broken(&self, name: &str, error: &ActorError) {
        error!(application = name, error = error as &dyn std::error::Error, "cannot be looked after");
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(deeper) = cause {
            reason = format!("{reason}: {deeper}");
            cause = deeper.source();
        }
        let is_known = {
            let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            broken.insert(name.to_owned(), reason.clone()).is_some_and(|last| last == reason)
        };
        if is_known {
            return;
        }
        let body = serde_json::json!({ "event": "broken", "reason": reason }).to_string();
        let event = NewEvent { application: Some(name.to_owned()), at: self.now(), kind: "broken".to_owned(), body };
        match self.store.announce(&[event]).await {
            Ok(last) => self.written(last),
            Err(error) => warn!(application = name, %error, "that it cannot be looked after is told in the log only"),
        }
    }

    /// The digest of the catalog that counts.
    async fn current_catalog(&self) -> Result<Digest, StoreError> {
        let known = *self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some(digest) => Ok(digest),
            None => self.look_at_current().await,
        }
    }

    async fn look_at_current(&self) -> Result<Digest, StoreError> {
        let digest = match self.store.current_catalog().await? {
            Some(current) => current.digest,
            None => give_builtin(&self.store, self.now()).await?,
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(digest);
        Ok(digest)
    }

    /// Makes a decision when its turn has come, or says why it cannot be made; `None` when the host stops.
    async fn decide(&self, input: DecisionInput, loaded: Result<Loaded, (Loaded, String)>) -> Option<Decision> {
        self.stats.queued.fetch_add(1, Ordering::Relaxed);
        let turn = tokio::select! {
            turn = self.solvers.acquire() => turn.ok(),
            () = self.stop.cancelled() => None,
        };
        self.stats.queued.fetch_add(-1, Ordering::Relaxed);
        let _turn = turn?;
        let begun = Instant::now();
        let decider = self.decider.clone();
        let made = tokio::task::spawn_blocking(move || match loaded {
            Ok(loaded) => decider.decide(&input, &loaded),
            Err((loaded, why)) => without_answer(&input, &loaded, why),
        })
        .await;
        self.stats.decided(begun.elapsed().as_millis() as u64);
        // A panic of the decider would be a fault of this program; the decision is asked for again after a restart.
        made.inspect_err(|error| error!(%error, "a decision failed")).ok()
    }
}

/// Puts the built-in catalog into a store that has none, so that decisions can be replayed with a later program.
async fn give_builtin(store: &Store, now: UnixMs) -> Result<Digest, StoreError> {
    let text = builtin_text();
    let digest = Digest::of_bytes(text.as_bytes());
    let catalog = Catalog {
        digest,
        name: "builtin".to_owned(),
        format: "csv".to_owned(),
        offers: builtin().len() as i64,
        by: "cardinal".to_owned(),
        at: now,
    };
    store.put_catalog(&catalog, text.as_bytes()).await?;
    store.make_current(digest, "cardinal", now).await?;
    Ok(digest)
}

/// The loops of all applications that this process leads. A clone is the same host.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    look: Arc<Notify>,
    tasks: TaskTracker,
}

/// What reaches a loop from outside.
struct Reach {
    poke: Arc<Notify>,
    events: mpsc::UnboundedSender<(crate::state::Event, Since)>,
    stop: CancellationToken,
}

impl Host {
    /// Starts looking after applications.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub async fn start(
        store: Store,
        decider: Arc<dyn Decider>,
        wire: Wire,
        clock: Clock,
        options: HostOptions,
    ) -> Result<Self, StoreError> {
        let last = store.last_event().await?;
        let shared = Arc::new(Shared {
            store,
            library: Library::default(),
            wire,
            cloud: options.cloud.clone(),
            decider,
            solvers: Semaphore::new(options.solvers.max(1)),
            clock,
            stop: CancellationToken::new(),
            stats: Arc::default(),
            monitors: Arc::default(),
            holding: Mutex::default(),
            events: watch::Sender::new(last),
            current: Mutex::default(),
            broken: Mutex::default(),
        });
        shared.look_at_current().await?;
        let host = Host { shared: shared.clone(), look: Arc::new(Notify::new()), tasks: TaskTracker::new() };
        host.watch();
        let manager = Manager {
            shared,
            options,
            look: host.look.clone(),
            tasks: host.tasks.clone(),
            reach: HashMap::new(),
            again: HashMap::new(),
            changes: 0,
            metrics: 0,
        };
        host.tasks.spawn(manager.run());
        Ok(host)
    }

    /// Hands the values of metrics on as samples make them.
    fn watch(&self) {
        let Shared { store, clock, stop, monitors, .. } = &*self.shared;
        let look = self.look.clone();
        let told = move || look.notify_one();
        self.tasks.spawn(monitors.clone().run(store.clone(), clock.clone(), stop.clone(), told));
    }

    /// The samples of the applications that this host leads.
    pub fn monitors(&self) -> Arc<Monitors> {
        self.shared.monitors.clone()
    }

    /// Something changed in the store: look now.
    pub fn ping(&self) {
        self.look.notify_one();
    }

    /// The number of the last event that this host wrote, as it rises.
    pub fn events(&self) -> watch::Receiver<i64> {
        self.shared.events.subscribe()
    }

    /// What the host counts.
    pub fn stats(&self) -> Arc<Stats> {
        self.shared.stats.clone()
    }

    /// Stops all loops where they are, and gives the leases back. What is under way is taken up by whoever leads next.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Takes applications over, renews the leases, and looks for what came in.
struct Manager {
    shared: Arc<Shared>,
    options: HostOptions,
    look: Arc<Notify>,
    tasks: TaskTracker,
    reach: HashMap<String, (i64, Reach)>,
    /// Applications that cannot be looked after, and when to try again.
    again: HashMap<String, Instant>,
    changes: i64,
    metrics: i64,
}

impl Manager {
    async fn run(mut self) {
        let mut renew_at = Instant::now();
        let third = Duration::from_millis((self.options.lease_ms / 3).max(10));
        let poll = Duration::from_millis(self.options.poll_ms.max(10));
        loop {
            if Instant::now() >= renew_at {
                if let Err(error) = self.lead().await {
                    warn!(error = &error as &dyn std::error::Error, "leases cannot be renewed");
                }
                renew_at = Instant::now() + third;
            }
            if let Err(error) = self.look().await {
                warn!(error = &error as &dyn std::error::Error, "the store cannot be read");
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => break,
                () = self.look.notified() => {}
                () = tokio::time::sleep_until(renew_at) => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
        self.leave().await;
    }

    /// Renews what is led, and takes over what nobody leads.
    async fn lead(&mut self) -> Result<(), StoreError> {
        let Manager { options: HostOptions { holder, lease_ms, .. }, .. } = &self;
        let (holder, lease_ms) = (holder.clone(), *lease_ms);
        let store = self.shared.store.clone();
        // The lease is counted from before it was asked for: it never seems longer than it is.
        let begun = Instant::now();
        let holding = store.renew(&holder, self.shared.now(), lease_ms).await?;
        self.hold(&holding.leases, begun);
        let lost: Vec<String> = {
            let held: HashMap<&str, i64> = holding.leases.iter().map(|l| (l.application.as_str(), l.epoch)).collect();
            let is_lost = |(name, (epoch, _)): &(&String, &(i64, Reach))| held.get(name.as_str()) != Some(epoch);
            self.reach.iter().filter(is_lost).map(|(name, _)| name.clone()).collect()
        };
        for name in lost {
            self.drop_reach(&name);
        }
        // Loops that ended for a fault begin again, in a while.
        let ended = self.reach.iter().filter(|(_, (_, reach))| reach.events.is_closed());
        for name in ended.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.reach.remove(&name);
            self.again.insert(name, Instant::now() + AGAIN);
        }
        let held = self.give_back(&store, holding).await?;
        for lease in held {
            let is_due = self.again.get(&lease.application).is_none_or(|at| Instant::now() >= *at);
            if !self.reach.contains_key(&lease.application) && is_due {
                self.begin(lease).await;
            }
        }
        let most = Duration::from_millis(lease_ms / 3);
        loop {
            let asked = Instant::now();
            let taken = store.acquire(&holder, self.shared.now(), lease_ms, ROUND).await?;
            self.hold(&taken, asked);
            let is_full = taken.len() == ROUND;
            for lease in taken {
                self.begin(lease).await;
            }
            // What is led must be renewed in time; the rest is taken over after that.
            if !is_full || begun.elapsed() >= most {
                break;
            }
        }
        self.shared.stats.led.store(self.reach.len() as i64, Ordering::Relaxed);
        self.shared.stats.broken.store(self.again.len() as i64, Ordering::Relaxed);
        Ok(())
    }

    /// Gives back what is more than this replica's share, so that one that has just started gets some.
    async fn give_back(&mut self, store: &Store, holding: Holding) -> Result<Vec<Lease>, StoreError> {
        let Holding { mut leases, share } = holding;
        let surplus = leases.split_off(share.min(leases.len()));
        for lease in &surplus {
            self.drop_reach(&lease.application);
        }
        if !surplus.is_empty() {
            store.release_some(&surplus).await?;
        }
        Ok(leases)
    }

    fn hold(&self, leases: &[Lease], begun: Instant) {
        let until = begun + Duration::from_millis(self.options.lease_ms);
        let mut holding = self.shared.holding.lock().unwrap_or_else(PoisonError::into_inner);
        for lease in leases {
            holding.insert(lease.application.clone(), (lease.epoch, until));
        }
    }

    fn drop_reach(&mut self, name: &str) {
        self.shared.holding.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.again.remove(name);
        self.shared.monitors.forget(name);
        if let Some((_, reach)) = self.reach.remove(name) {
            reach.stop.cancel();
        }
    }

    /// Begins the loop of an application.
    async fn begin(&mut self, lease: Lease) {
        let (name, epoch) = (lease.application.clone(), lease.epoch);
        let (poke, stop) = (Arc::new(Notify::new()), self.shared.stop.child_token());
        match Actor::begin(self.shared.clone(), lease, poke.clone(), stop.clone()).await {
            Ok((actor, events)) => {
                info!(application = name, epoch, "leads");
                self.again.remove(&name);
                self.shared.broken.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
                self.tasks.spawn(actor.run());
                self.reach.insert(name, (epoch, Reach { poke, events, stop }));
            }
            Err(error) => {
                // The lease is kept, so that not all replicas stumble over it in turn; a new model mends it.
                self.shared.tell_broken(&name, &error).await;
                self.again.insert(name, Instant::now() + AGAIN);
            }
        }
    }

    /// What has come in since the last look.
    async fn look(&mut self) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let (changed, upto) = store.inbox_since(self.changes).await?;
        if upto != self.changes {
            let before = *self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
            let catalog = self.shared.look_at_current().await?;
            if before != Some(catalog) {
                self.reach.values().for_each(|(_, reach)| reach.poke.notify_one());
            }
            let (values, values_upto) = store.metrics_since(self.metrics).await?;
            let since = Since::at(self.shared.now());
            let mut batches: HashMap<String, Vec<(String, MetricReading)>> = HashMap::new();
            for value in values {
                batches.entry(value.application).or_default().push(reading(value.metric));
            }
            for (name, batch) in batches {
                if let Some((_, reach)) = self.reach.get(&name) {
                    // A loop that has just ended takes nothing more.
                    let _ = reach.events.send((crate::state::Event::Metrics(batch), since));
                }
            }
            self.metrics = values_upto;
            for name in &changed {
                if let Some((_, reach)) = self.reach.get(name) {
                    reach.poke.notify_one();
                }
            }
            self.changes = upto;
            // What could not be used may have been mended.
            changed.iter().for_each(|name| _ = self.again.remove(name));
            if changed.iter().any(|name| !self.reach.contains_key(name)) {
                self.lead().await?;
            }
        }
        Ok(())
    }

    async fn leave(self) {
        for (_, reach) in self.reach.values() {
            reach.stop.cancel();
        }
        // Loops write what they have before they end; whoever comes next finds it.
        if let Err(error) = self.shared.store.release(&self.options.holder).await {
            warn!(error = &error as &dyn std::error::Error, "leases are not given back; they end by themselves");
        }
    }
}

/// Something that rises, for tests and drivers that must tell runs apart.
static RUNS: AtomicI64 = AtomicI64::new(0);

/// A name for a run of a replica: what the operator calls it, the process, and a number within the process.
pub fn holder(replica: &str, started: UnixMs) -> String {
    format!("{replica}-{}-{}-{}", std::process::id(), started.0, RUNS.fetch_add(1, Ordering::Relaxed))
}
