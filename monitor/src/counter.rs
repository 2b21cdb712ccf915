//! Counters: values that rise until they begin anew. What is kept of the samples in a pane is the first, the last and the
//! rise between them; panes in a row join into that of a window.

use cardinal_models::application::{Fold, Window};

use crate::arrival::Refusal;
use crate::window::{Division, Panes};

/// The samples of one counter in one window.
#[derive(Clone, Debug)]
pub struct Counter {
    division: Division,
    panes: Panes<Option<Run>>,
}

/// Samples in a row.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: (i64, f64),
    last: (i64, f64),
    /// By how much the counter rose from the first to the last.
    rise: f64,
    count: u64,
}

/// By how much a counter rose from one value to the next. A fall is a new beginning at 0.
pub fn rise(from: f64, to: f64) -> f64 {
    if to >= from { to - from } else { to }
}

/// What a window tells of a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    /// By how much it rises per second.
    pub per_second: f64,
    /// By how much it rises in the length of the window.
    pub increase: f64,
    /// The number of samples.
    pub count: u64,
    /// The time of the last one, in Unix milliseconds.
    pub newest_ms: i64,
}

impl Rise {
    /// The value of a fold; none for what is not of counters.
    pub fn value(&self, fold: Fold) -> Option<f64> {
        let value = match fold {
            Fold::Rate => self.per_second,
            Fold::Increase => self.increase,
            _ => return None,
        };
        Some(value).filter(|v| v.is_finite())
    }
}

impl Counter {
    /// No samples yet; none for a window that is not by time.
    pub fn new(window: Window) -> Option<Self> {
        Some(Counter { division: Division::of(window)?, panes: Panes::default() })
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// [`Refusal::OutOfOrder`] when it lies among samples of its pane that are only known by their first and last.
    pub fn add(&mut self, at_ms: i64, value: f64) -> Result<(), Refusal> {
        let sample = (at_ms, value);
        let pane = self.panes.at(self.division.pane(at_ms));
        let Some(run) = pane else {
            *pane = Some(Run { first: sample, last: sample, rise: 0.0, count: 1 });
            return Ok(());
        };
        if at_ms > run.last.0 {
            run.rise += rise(run.last.1, value);
            run.last = sample;
        } else if at_ms < run.first.0 {
            run.rise += rise(value, run.first.1);
            run.first = sample;
        } else {
            return Err(Refusal::OutOfOrder);
        }
        run.count += 1;
        Ok(())
    }

    /// What the window at a time tells; none with fewer than two samples.
    ///
    /// Source: `rate` and `increase` of Prometheus. The rise between the first and the last sample is extended to the ends
    /// of the window, where these are no further away than samples are apart (by 1.1), else by half of that; and never to
    /// before the counter was 0.
    pub fn read(&self, now_ms: i64) -> Option<Rise> {
        let (first_pane, last_pane) = self.division.window(now_ms);
        let mut runs = self.panes.between(first_pane, last_pane).flatten();
        let mut all = *runs.next()?;
        for run in runs {
            all.rise += rise(all.last.1, run.first.1) + run.rise;
            all.last = run.last;
            all.count += run.count;
        }
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let (start_ms, end_ms) = self.division.range(now_ms);
        let sampled = seconds(all.last.0 - all.first.0);
        let range = seconds(end_ms - start_ms);
        if all.count < 2 || sampled <= 0.0 || range <= 0.0 {
            return None;
        }
        let apart = sampled / (all.count - 1) as f64;
        let reach = |gap: f64| if gap >= apart * 1.1 { apart / 2.0 } else { gap };
        let mut before = reach(seconds(all.first.0 - start_ms));
        if all.rise > 0.0 && all.first.1 >= 0.0 {
            before = before.min(sampled * (all.first.1 / all.rise));
        }
        let after = reach(seconds(end_ms - all.last.0).max(0.0));
        let per_second = all.rise * ((sampled + before + after) / sampled) / range;
        let increase = per_second * seconds(self.division.length_ms());
        Some(Rise { per_second, increase, count: all.count, newest_ms: all.last.0 })
    }

    /// Forgets what no window will hold any more.
    pub fn expire(&mut self, now_ms: i64) {
        self.panes.drop_before(self.division.window(now_ms).0);
    }
}
