//! Forgetting what is too old, at an interval.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use cardinal_store::{Pruned, Retention};
use tracing::{info, warn};

use super::Shared;

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionOptions {
    /// Time between two looks for what is too old, in milliseconds. Default: 1 hour.
    pub every_ms: u64,
    /// How long events, ended deliveries, values of metrics that are not renewed and ended tokens are kept, in
    /// milliseconds. Default: 30 days.
    pub events_ms: u64,
    /// How long decisions, ended plans with their journals and orders are kept, in milliseconds. Default: 90 days.
    pub decisions_ms: u64,
    /// So many decisions of each application are kept however old they are. Default: 100.
    pub decisions_min: u32,
}

const DAY_MS: u64 = 86_400_000;

impl Default for RetentionOptions {
    fn default() -> Self {
        RetentionOptions { every_ms: 3_600_000, events_ms: 30 * DAY_MS, decisions_ms: 90 * DAY_MS, decisions_min: 100 }
    }
}

impl RetentionOptions {
    /// What is kept at this time.
    fn at(&self, now: UnixMs) -> Retention {
        let before = |ms: u64| UnixMs(now.0.saturating_sub_unsigned(ms));
        Retention {
            events_before: before(self.events_ms),
            decisions_before: before(self.decisions_ms),
            decisions_min: i64::from(self.decisions_min),
        }
    }
}

/// The first look comes soon after the start, when there are no others.
const FIRST: Duration = Duration::from_secs(60);

/// Forgets until the host stops.
pub(super) async fn run(shared: Arc<Shared>, options: RetentionOptions) {
    let every = Duration::from_millis(options.every_ms.max(10));
    let mut pause = FIRST.min(every);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = every;
        let now = shared.now();
        match shared.store.prune(options.at(now), now).await {
            Ok(pruned) => {
                shared.stats.forgot(&pruned);
                if pruned != Pruned::default() {
                    let Pruned { events, decisions, plans, orders, metrics, others } = pruned;
                    info!(events, decisions, plans, orders, metrics, others, "forgot what was too old");
                }
            }
            Err(error) => {
                shared.stats.forgotten.failures.fetch_add(1, Ordering::Relaxed);
                warn!(error = &error as &dyn std::error::Error, "what is too old is not forgotten");
            }
        }
    }
}
