//! What every request works with.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use cardinal_adapter::time::UnixMs;
use cardinal_control::host::Monitors;
use cardinal_store::Store;
use cardinal_worker::Pool;
use tokio::sync::{Semaphore, watch};

use crate::counters::Counters;
use crate::jobs::Jobs;
use crate::models::Models;
use crate::oidc::{Oidc, judge};
use crate::options::Options;
use crate::rate::Rate;

/// The loop's host, seen from here: everything goes through the store, and this tells it to look.
pub trait Loop: Send + Sync {
    /// Something of this application has changed in the store; look at it now.
    fn ping(&self, application: &str);

    /// Where samples of the applications go that this process leads; none without loops.
    fn monitors(&self) -> Option<Arc<Monitors>> {
        None
    }

    /// The number of the last event that the loops of this process wrote, as it rises, so that streams need not wait until
    /// the store is looked at.
    fn events(&self) -> Option<watch::Receiver<i64>> {
        None
    }
}

/// No loop in this process: another replica, or nobody, looks at the store.
impl Loop for () {
    fn ping(&self, _application: &str) {}
}

/// What a service is made of.
pub struct Parts {
    /// Where everything is kept.
    pub store: Store,
    /// Who solves.
    pub pool: Arc<Pool>,
    /// The loop's host.
    pub host: Arc<dyn Loop>,
    /// The time.
    pub clock: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    /// Metrics of other rooms in the text form of Prometheus, for `/metrics`.
    pub gauges: Arc<dyn Fn() -> String + Send + Sync>,
    /// The settings.
    pub options: Options,
}

/// The service; a clone is the same service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

/// What a service holds.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) pool: Arc<Pool>,
    pub(crate) host: Arc<dyn Loop>,
    clock: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    pub(crate) gauges: Arc<dyn Fn() -> String + Send + Sync>,
    pub(crate) options: Options,
    pub(crate) rate: Rate,
    pub(crate) oidc: Option<Arc<Oidc>>,
    pub(crate) models: Models,
    pub(crate) jobs: Jobs,
    pub(crate) counters: Counters,
    /// Requests that are worked on.
    pub(crate) requests: Arc<Semaphore>,
    /// Messages of samples that are unpacked.
    pub(crate) ingest: Arc<Semaphore>,
    /// Open event streams.
    pub(crate) streams: Arc<Semaphore>,
    /// Solves that run.
    pub(crate) solves: Arc<Semaphore>,
    /// Solves that run or wait.
    pub(crate) solves_asked: Arc<AtomicUsize>,
    /// When the solver last got a known model right.
    pub(crate) solved_at: tokio::sync::Mutex<Option<UnixMs>>,
    /// When the store was last written on trial, and what was wrong with that.
    pub(crate) probed: tokio::sync::Mutex<Option<(UnixMs, Option<String>)>>,
    /// True when the service is to stop: streams end then.
    pub(crate) stop: watch::Sender<bool>,
    /// The number of the last event.
    pub(crate) last_event: watch::Sender<i64>,
}

impl Service {
    /// A service of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, pool, host, clock, gauges, options } = parts;
        Service(Arc::new(Inner {
            store,
            pool,
            host,
            clock,
            gauges,
            rate: Rate::new(options.rate_per_s, options.burst),
            oidc: judge(options.oidc.as_ref()),
            models: Models::default(),
            jobs: Jobs::default(),
            counters: Counters::default(),
            requests: Arc::new(Semaphore::new(options.requests_max)),
            ingest: Arc::new(Semaphore::new(options.ingest_max)),
            streams: Arc::new(Semaphore::new(options.streams_max)),
            solves: Arc::new(Semaphore::new(options.solves_max)),
            solves_asked: Arc::default(),
            solved_at: tokio::sync::Mutex::new(None),
            probed: tokio::sync::Mutex::new(None),
            stop: watch::Sender::new(false),
            last_event: watch::Sender::new(0),
            options,
        }))
    }

    /// The time.
    pub fn now(&self) -> UnixMs {
        (self.0.clock)()
    }

    /// Days since 1970-01-01.
    pub fn today(&self) -> i64 {
        self.now().0.div_euclid(86_400_000)
    }
}

impl Deref for Service {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
