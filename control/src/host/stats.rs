//! What the host counts, for those who watch it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use cardinal_adapter::time::UnixMs;
use cardinal_store::Pruned;

use crate::decision::{Answer, Decision};
use crate::state::{Course, LoopState, Notice, Write};

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

/// The upper ends of the classes of a latency, in seconds.
const LATENCY_S: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// The upper ends of the classes of a time from violation to repair, in seconds.
const REPAIR_S: &[f64] = &[1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
/// The upper ends of the classes of a gap, relative.
const GAPS: &[f64] = &[0.0, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0];

/// How often something was how large.
#[derive(Debug)]
pub struct Histogram {
    ends: &'static [f64],
    classes: Vec<AtomicU64>,
    /// In millionths.
    sum: AtomicU64,
}

impl Histogram {
    fn new(ends: &'static [f64]) -> Self {
        Histogram { ends, classes: (0..=ends.len()).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }

    fn add(&self, value: f64) {
        let class = self.ends.iter().position(|end| value <= *end).unwrap_or(self.ends.len());
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value.max(0.0) * 1e6) as u64, Ordering::Relaxed);
    }

    /// The upper end of each class with the number of values up to it; then the number and the sum of all values.
    pub fn read(&self) -> (Vec<(f64, u64)>, u64, f64) {
        let mut count = 0;
        let mut below = Vec::with_capacity(self.ends.len());
        for (i, class) in self.classes.iter().enumerate() {
            count += class.load(Ordering::Relaxed);
            below.extend(self.ends.get(i).map(|end| (*end, count)));
        }
        (below, count, self.sum.load(Ordering::Relaxed) as f64 / 1e6)
    }
}

/// Rows that were forgotten because they were too old.
#[derive(Debug, Default)]
pub struct Forgotten {
    /// Events.
    pub events: AtomicU64,
    /// Decisions.
    pub decisions: AtomicU64,
    /// Plans with their journals.
    pub plans: AtomicU64,
    /// Values of metrics.
    pub metrics: AtomicU64,
    /// Orders, idempotency keys, deliveries, tokens and replicas.
    pub others: AtomicU64,
    /// Attempts that failed.
    pub failures: AtomicU64,
}

/// Counters since the start of the host.
#[derive(Debug)]
pub struct Stats {
    /// Applications that this host leads now.
    pub led: AtomicI64,
    /// Applications that it cannot look after, because something stored cannot be used.
    pub broken: AtomicI64,
    /// Decisions made.
    pub decisions: AtomicU64,
    /// Of these, those that were proven.
    pub proven: AtomicU64,
    /// Of these, those for which no placement keeps all rules.
    pub infeasible: AtomicU64,
    /// Of these, those that could not be made: a worker or the solver failed, or the time was over.
    pub failed: AtomicU64,
    /// Plans begun.
    pub plans: AtomicU64,
    /// Of these, those that turned an earlier change round, or went back to what ran before.
    pub flaps: AtomicU64,
    /// Plans that wait for a person now or waited when they last changed.
    pub stuck: AtomicU64,
    /// Calls to drivers.
    pub calls: AtomicU64,
    /// Attempts to write that failed.
    pub unwritten: AtomicU64,
    /// Decisions that wait for a worker now.
    pub queued: AtomicI64,
    /// What the plans begun were to save per hour, less what they were to add, in 1e-9 of the currency unit.
    pub predicted_nanos: AtomicI64,
    /// What the plans that ended have saved per hour, less what they added, in 1e-9 of the currency unit.
    pub realised_nanos: AtomicI64,
    /// The relative gap that solved decisions left open.
    pub gap: Histogram,
    /// From the first broken rule until all hold again, in seconds.
    pub repair: Histogram,
    /// From the values of metrics or the order to the stored decision, in seconds.
    pub reaction: Histogram,
    /// From the beginning of a decision to its end, in seconds.
    pub deciding: Histogram,
    /// What was forgotten.
    pub forgotten: Forgotten,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            led: AtomicI64::new(0),
            broken: AtomicI64::new(0),
            decisions: AtomicU64::new(0),
            proven: AtomicU64::new(0),
            infeasible: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            plans: AtomicU64::new(0),
            flaps: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            unwritten: AtomicU64::new(0),
            queued: AtomicI64::new(0),
            predicted_nanos: AtomicI64::new(0),
            realised_nanos: AtomicI64::new(0),
            gap: Histogram::new(GAPS),
            repair: Histogram::new(REPAIR_S),
            reaction: Histogram::new(LATENCY_S),
            deciding: Histogram::new(LATENCY_S),
            forgotten: Forgotten::default(),
        }
    }
}

fn rise(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

impl Stats {
    /// Counts what a step makes durable. `paid_nanos` is the price per hour of what ran before the plan that was under way
    /// when the step began.
    pub(super) fn count(
        &self,
        writes: &[Write],
        state: &LoopState,
        paid_nanos: Option<i64>,
        since: Since,
        now: UnixMs,
    ) {
        for write in writes {
            match write {
                Write::Decision(decision) => {
                    self.count_decision(decision);
                    if let Some(begun) = since.0 {
                        self.reaction.add(now.ms_since(begun) as f64 / 1e3);
                    }
                }
                Write::Notice(notice) => self.count_notice(notice, state, paid_nanos),
                Write::State(_) | Write::Journal { .. } => {}
            }
        }
    }

    fn count_decision(&self, decision: &Decision) {
        rise(&self.decisions, 1);
        match &decision.answer {
            Answer::Solved(solved) => {
                rise(&self.proven, u64::from(solved.proven));
                if let Some(gap) = solved.gap {
                    self.gap.add(gap);
                }
            }
            Answer::Infeasible { .. } => rise(&self.infeasible, 1),
            Answer::Failed { .. } | Answer::Unknown => rise(&self.failed, 1),
            Answer::Refused { .. } | Answer::Leaving => {}
        }
    }

    fn count_notice(&self, notice: &Notice, state: &LoopState, paid_nanos: Option<i64>) {
        match notice {
            Notice::PlanBegan { .. } => {
                rise(&self.plans, 1);
                rise(&self.flaps, u64::from(state.history.changes.last().is_some_and(|change| change.flap)));
                if let Course::Executing { plan, .. } = &state.course {
                    let summary = &plan.content().summary;
                    let saved = summary.cost_before_nanos.saturating_sub(summary.cost_after_nanos);
                    self.predicted_nanos.fetch_add(saved, Ordering::Relaxed);
                }
            }
            Notice::PlanEnded { .. } => {
                if let Some(paid) = paid_nanos {
                    let saved = paid.saturating_sub(state.running.cost().nanos());
                    self.realised_nanos.fetch_add(saved, Ordering::Relaxed);
                }
            }
            Notice::Stuck { .. } => rise(&self.stuck, 1),
            Notice::Restored { after_ms: Some(ms) } => self.repair.add(*ms as f64 / 1e3),
            _ => {}
        }
    }

    pub(super) fn decided(&self, ms: u64) {
        self.deciding.add(ms as f64 / 1e3);
    }

    pub(super) fn called(&self) {
        rise(&self.calls, 1);
    }

    pub(super) fn unwritten(&self) {
        rise(&self.unwritten, 1);
    }

    pub(super) fn forgot(&self, pruned: &Pruned) {
        let Pruned { events, decisions, plans, orders, metrics, others } = *pruned;
        let kept = &self.forgotten;
        for (counter, by) in [
            (&kept.events, events),
            (&kept.decisions, decisions),
            (&kept.plans, plans),
            (&kept.metrics, metrics),
            (&kept.others, orders + others),
        ] {
            rise(counter, by);
        }
    }
}
