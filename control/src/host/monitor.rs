//! The samples of the applications that this process leads, and the task that hands the values of their metrics on.
//!
//! Samples come in on any thread ([`Monitors::of`] and [`Watched::take`]); once a second each application is read, and
//! what changed goes into the store as values that were pushed do, so that the loop, the other replicas and whoever asks
//! see the same. Samples themselves are in memory alone: after a restart, and when another replica takes over, windows
//! fill anew, and values say so.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use cardinal_models::application::Application;
use cardinal_monitor::{Arrival, Limits, Monitor, Plan, Reading, Refusal, Taken, Tally};
use cardinal_store::{MetricRow, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Time between two readings of an application.
const READ: Duration = Duration::from_secs(1);
/// So many groups of a metric are told beside its value, as far as they fit into what the store takes.
const GROUPS_MAX: usize = 50;
/// The largest text beside a value, in bytes; the store takes no longer one.
const LABEL_BYTES_MAX: usize = 4000;

/// The samples of all applications of this process.
#[derive(Debug, Default)]
pub struct Monitors {
    limits: Limits,
    watched: RwLock<HashMap<String, Arc<Watched>>>,
    /// What became of the points of applications that are no longer led, and of those that belong to none.
    former: Mutex<Tally>,
}

/// The samples of one application.
#[derive(Debug)]
pub struct Watched {
    plan: Arc<Plan>,
    monitor: Mutex<Monitor>,
    /// The values that were handed on last, with their times.
    handed: Mutex<HashMap<Arc<str>, Handed>>,
}

/// What was handed on last of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Handed {
    value: u64,
    at_ms: i64,
}

/// What is known of a value that was made of samples, beside it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How many samples it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// True when samples came in for less than the length of the window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The values of the instances, nodes, zones and so on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, f64>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    /// Takes a point.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn take(&self, arrival: &Arrival<'_>, now: UnixMs) -> Result<Taken, Refusal> {
        open(&self.monitor).take(arrival, now.0)
    }

    /// The values that the samples make.
    pub fn read(&self, now: UnixMs) -> Vec<Reading> {
        open(&self.monitor).read(now.0)
    }

    /// What changed since it was asked last, as the store takes it.
    fn changed(&self, now: UnixMs) -> Vec<MetricRow> {
        let readings = self.read(now);
        let handed = open(&self.handed);
        let is_new = |r: &Reading| handed.get(&r.name) != Some(&Handed::of(r));
        readings.into_iter().filter(is_new).map(|reading| row(&reading)).collect()
    }

    /// What was stored need not be stored again.
    fn handed_on(&self, rows: &[MetricRow]) {
        let mut handed = open(&self.handed);
        for row in rows {
            let last = Handed { value: row.value.to_bits(), at_ms: row.at.0 };
            handed.insert(row.name.as_str().into(), last);
        }
    }
}

impl Handed {
    fn of(reading: &Reading) -> Self {
        Handed { value: reading.value.to_bits(), at_ms: reading.at_ms }
    }
}

impl Monitors {
    /// The samples of an application that is led here.
    pub fn of(&self, application: &str) -> Option<Arc<Watched>> {
        self.watched.read().unwrap_or_else(PoisonError::into_inner).get(application).cloned()
    }

    /// Gathers what a model asks for. Samples of before are kept when it asks for the same.
    pub fn watch(&self, name: &str, application: &Application) {
        let plan = Plan::of(application);
        let mut watched = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        if watched.get(name).is_some_and(|known| *known.plan == plan) {
            return;
        }
        let plan = Arc::new(plan);
        let monitor = Mutex::new(Monitor::new(plan.clone(), self.limits));
        let fresh = Arc::new(Watched { plan, monitor, handed: Mutex::default() });
        if let Some(former) = watched.insert(name.to_owned(), fresh) {
            self.keep_tally(&former);
        }
    }

    /// Forgets an application that is no longer led here.
    pub fn forget(&self, name: &str) {
        let former = self.watched.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        former.iter().for_each(|former| self.keep_tally(former));
    }

    fn keep_tally(&self, former: &Watched) {
        let tally = open(&former.monitor).tally().clone();
        open(&self.former).add(&tally);
    }

    /// Counts a point that belongs to no application here, or that could not be made.
    pub fn refused(&self, refusal: Refusal) {
        open(&self.former).count(Err(refusal));
    }

    /// What became of all points since the process began, and how many series are followed.
    pub fn figures(&self) -> (Tally, usize) {
        let mut all = open(&self.former).clone();
        let mut series = 0;
        for watched in self.all() {
            let monitor = open(&watched.1.monitor);
            all.add(monitor.tally());
            series += monitor.series();
        }
        (all, series)
    }

    fn all(&self) -> Vec<(String, Arc<Watched>)> {
        let watched = self.watched.read().unwrap_or_else(PoisonError::into_inner);
        watched.iter().map(|(name, watched)| (name.clone(), watched.clone())).collect()
    }

    /// Hands the values of all metrics on, until the host stops. `told` is called when there are new ones.
    pub(super) async fn run(
        self: Arc<Self>,
        store: Store,
        clock: super::Clock,
        stop: CancellationToken,
        told: impl Fn() + Send,
    ) {
        let mut beat = tokio::time::interval(READ);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => {}
            }
            for (name, watched) in self.all() {
                let now = clock();
                // What is wrong with the samples of one application is not to stop the others.
                let Ok(rows) = catch_unwind(AssertUnwindSafe(|| watched.changed(now))) else {
                    error!(application = name, "the samples cannot be read; it is tried again");
                    continue;
                };
                if rows.is_empty() {
                    continue;
                }
                match store.put_metrics(&name, &rows, now).await {
                    Ok(_) => {
                        watched.handed_on(&rows);
                        told();
                    }
                    // It is about to be forgotten.
                    Err(StoreError::NotFound { .. }) => {}
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        warn!(application = name, error, "values of metrics are not stored; it is tried again");
                    }
                }
            }
        }
    }
}

fn row(reading: &Reading) -> MetricRow {
    let groups = reading.groups.iter().take(GROUPS_MAX).map(|(name, value)| (name.to_string(), *value));
    let mut evidence =
        Evidence { samples: Some(reading.samples), partial: reading.is_partial, groups: groups.collect() };
    let text = |evidence: &Evidence| serde_json::to_string(evidence).ok().filter(|text| text.len() <= LABEL_BYTES_MAX);
    let labels = text(&evidence).or_else(|| {
        evidence.groups.clear();
        text(&evidence)
    });
    MetricRow { name: reading.name.to_string(), value: reading.value, at: UnixMs(reading.at_ms), labels }
}

/// What a stored text beside a value tells of its samples.
pub fn evidence(labels: Option<&str>) -> Evidence {
    labels.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
