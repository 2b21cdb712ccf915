//! What the host counts, for those who watch it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use cardinal_adapter::time::UnixMs;
use cardinal_store::Commit;

/// When the cause of an event came in, to tell how long its decision took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(Option<UnixMs>);

impl Since {
    /// From this time on.
    pub fn at(time: UnixMs) -> Self {
        Since(Some(time))
    }

    /// Nothing that anybody waits for.
    pub fn none() -> Self {
        Since(None)
    }

    /// The earlier of two.
    pub fn or(self, other: Since) -> Since {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Since(Some(a.min(b))),
            (a, b) => Since(a.or(b)),
        }
    }
}

/// The upper ends of the classes of a latency, in milliseconds; one more is open.
pub const LATENCY_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Latency {
    classes: [AtomicU64; LATENCY_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Latency {
    fn add(&self, ms: u64) {
        let class = LATENCY_MS.iter().position(|end| ms <= *end).unwrap_or(LATENCY_MS.len());
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// The number in each class of [`LATENCY_MS`], then the number beyond, and the sum of all in milliseconds.
    pub fn read(&self) -> ([u64; LATENCY_MS.len() + 1], u64) {
        (std::array::from_fn(|i| self.classes[i].load(Ordering::Relaxed)), self.sum_ms.load(Ordering::Relaxed))
    }
}

/// Counters since the start of the host.
#[derive(Debug, Default)]
pub struct Stats {
    /// Applications that this host leads now.
    pub led: AtomicI64,
    /// Applications that it cannot look after, because something stored cannot be used.
    pub broken: AtomicI64,
    /// Decisions made.
    pub decisions: AtomicU64,
    /// Of these, those that were proven.
    pub proven: AtomicU64,
    /// Plans begun.
    pub plans: AtomicU64,
    /// Plans that wait for a person now or waited when they last changed.
    pub stuck: AtomicU64,
    /// Calls to drivers.
    pub calls: AtomicU64,
    /// Attempts to write that failed.
    pub unwritten: AtomicU64,
    /// Decisions that wait for a worker now.
    pub queued: AtomicI64,
    /// From the values of metrics or the order to the stored decision.
    pub reaction: Latency,
    /// From the beginning of a decision to its end.
    pub deciding: Latency,
}

impl Stats {
    /// Counts what a step writes.
    pub(super) fn count(&self, rows: &Commit, since: Since, now: UnixMs) {
        let add = |counter: &AtomicU64, n: usize| counter.fetch_add(n as u64, Ordering::Relaxed);
        add(&self.decisions, rows.decisions.len());
        add(&self.proven, rows.decisions.iter().filter(|d| d.summary.proven).count());
        let with = |status: &str| rows.plan_statuses.iter().filter(|p| p.status == status).count();
        add(&self.plans, with("executing"));
        add(&self.stuck, with("stuck"));
        if let Some(begun) = since.0.filter(|_| !rows.decisions.is_empty()) {
            self.reaction.add(now.ms_since(begun));
        }
    }

    pub(super) fn decided(&self, ms: u64) {
        self.deciding.add(ms);
    }

    pub(super) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn unwritten(&self) {
        self.unwritten.fetch_add(1, Ordering::Relaxed);
    }
}
