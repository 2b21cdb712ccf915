//! Windows: panes of equal length for windows by time, the samples themselves for windows by number.
//!
//! A sliding window of a given length is [`PANES`] panes long and moves by one pane at a time, so that a sample costs the
//! same however long the window is, late samples go where they belong, and memory does not depend on how often is
//! measured. Pane i holds what was measured after `i * length` and no later than `(i + 1) * length`, as a range of
//! Prometheus does.

use std::collections::VecDeque;

use cardinal_models::application::{Fold, Window};

use crate::arrival::Refusal;
use crate::buckets::Histogram;
use crate::stat::Stat;

/// A sliding window has at most so many panes.
pub const PANES: u64 = 60;

/// How a window by time is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// The length of a pane in milliseconds.
    pane_ms: i64,
    /// How many panes belong to the window.
    panes: i64,
    /// How many panes lie between the newest and that of now.
    back: i64,
}

impl Division {
    /// The division of a window; none for one that is not by time.
    pub fn of(window: Window) -> Option<Self> {
        // Windows are at most 35 days long (`Window::MS_MAX`), so that the numbers fit.
        match window {
            Window::Sliding(ms) => {
                let pane_ms = ms.div_ceil(PANES).max(1);
                Some(Division { pane_ms: pane_ms as i64, panes: ms.div_ceil(pane_ms) as i64, back: 0 })
            }
            Window::Tumbling(ms) => Some(Division { pane_ms: ms.max(1) as i64, panes: 1, back: 1 }),
            Window::Latest | Window::SlidingSamples(_) | Window::TumblingSamples(_) => None,
        }
    }

    /// The pane of a time.
    pub fn pane(self, at_ms: i64) -> i64 {
        at_ms.saturating_sub(1).div_euclid(self.pane_ms)
    }

    /// The first and the last pane of the window at a time.
    pub fn window(self, now_ms: i64) -> (i64, i64) {
        let last = self.pane(now_ms) - self.back;
        (last - self.panes + 1, last)
    }

    /// From when (excluded) to when (included) the window at a time holds samples, in Unix milliseconds.
    pub fn range(self, now_ms: i64) -> (i64, i64) {
        let (first, last) = self.window(now_ms);
        (first.saturating_mul(self.pane_ms), (last + 1).saturating_mul(self.pane_ms).min(now_ms))
    }

    /// The length of the whole window in milliseconds.
    pub fn length_ms(self) -> i64 {
        self.pane_ms * self.panes
    }
}

/// Panes that hold something, ascending.
#[derive(Clone, Debug)]
pub struct Panes<T>(VecDeque<(i64, T)>);

impl<T> Default for Panes<T> {
    fn default() -> Self {
        Panes(VecDeque::new())
    }
}

impl<T: Default> Panes<T> {
    /// The pane with an index. New samples are found at once, late ones after a look at the panes behind them.
    pub fn at(&mut self, index: i64) -> &mut T {
        let mut place = self.0.len();
        while place > 0 && self.0[place - 1].0 > index {
            place -= 1;
        }
        if place == 0 || self.0[place - 1].0 < index {
            self.0.insert(place, (index, T::default()));
            return &mut self.0[place].1;
        }
        &mut self.0[place - 1].1
    }

    /// Drops the panes before one.
    pub fn drop_before(&mut self, index: i64) {
        while self.0.front().is_some_and(|(i, _)| *i < index) {
            self.0.pop_front();
        }
    }

    /// The panes from one to another, both included, ascending.
    pub fn between(&self, first: i64, last: i64) -> impl Iterator<Item = &T> {
        self.0.iter().filter(move |(i, _)| (first..=last).contains(i)).map(|(_, pane)| pane)
    }
}

/// The samples of one group of series, as far as their window needs them.
#[derive(Clone, Debug)]
pub enum Samples {
    /// The latest alone: its time and value.
    Latest(Option<(i64, f64)>),
    /// By time.
    Panes {
        /// How the window is divided.
        division: Division,
        /// The panes.
        panes: Panes<Stat>,
        /// True when percentiles are asked for.
        sketches: bool,
    },
    /// The last samples, ascending by time.
    Ring {
        /// How many at most.
        size: usize,
        /// The samples.
        ring: VecDeque<(i64, f64)>,
    },
    /// Groups of samples.
    Batch {
        /// How many make a group.
        size: u64,
        /// The group that is not complete.
        open: Stat,
        /// The last complete one.
        complete: Option<Stat>,
        /// True when percentiles are asked for.
        sketches: bool,
    },
}

impl Samples {
    /// None yet.
    pub fn new(window: Window, fold: Fold) -> Self {
        let sketches = matches!(fold, Fold::Percentile(_));
        match (window, Division::of(window)) {
            (_, Some(division)) => Samples::Panes { division, panes: Panes::default(), sketches },
            (Window::SlidingSamples(size), _) => Samples::Ring { size: size.max(1) as usize, ring: VecDeque::new() },
            (Window::TumblingSamples(size), _) => {
                let size = u64::from(size.max(1));
                Samples::Batch { size, open: Stat::default(), complete: None, sketches }
            }
            _ => Samples::Latest(None),
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, at_ms: i64, value: f64) {
        match self {
            Samples::Latest(latest) => {
                if latest.is_none_or(|(at, _)| at <= at_ms) {
                    *latest = Some((at_ms, value));
                }
            }
            Samples::Panes { division, panes, sketches } => {
                panes.at(division.pane(at_ms)).add(at_ms, value, *sketches);
            }
            Samples::Ring { size, ring } => {
                let place = ring.iter().rposition(|(at, _)| *at <= at_ms).map_or(0, |i| i + 1);
                ring.insert(place, (at_ms, value));
                if ring.len() > *size {
                    ring.pop_front();
                }
            }
            Samples::Batch { size, open, complete, sketches } => {
                open.add(at_ms, value, *sketches);
                if open.count >= *size {
                    *complete = Some(std::mem::take(open));
                }
            }
        }
    }

    /// Adds the measurements behind a histogram.
    ///
    /// # Errors
    /// [`Refusal::Kind`] when the window is one by number: the measurements of a histogram have no order.
    pub fn add_histogram(&mut self, at_ms: i64, histogram: &Histogram) -> Result<(), Refusal> {
        match self {
            Samples::Panes { division, panes, .. } => {
                panes.at(division.pane(at_ms)).add_histogram(at_ms, histogram);
                Ok(())
            }
            _ => Err(Refusal::Kind),
        }
    }

    /// Forgets the latest sample, if it is one by itself, because its series ended.
    pub fn end(&mut self) {
        if let Samples::Latest(latest) = self {
            *latest = None;
        }
    }

    /// What the window at a time holds.
    pub fn read(&self, now_ms: i64) -> Stat {
        let mut all = Stat::default();
        match self {
            Samples::Latest(latest) => {
                latest.iter().for_each(|(at, value)| all.add(*at, *value, false));
            }
            Samples::Panes { division, panes, .. } => {
                let (first, last) = division.window(now_ms);
                panes.between(first, last).for_each(|pane| all.merge(pane));
            }
            Samples::Ring { ring, .. } => ring.iter().for_each(|(at, value)| all.add(*at, *value, true)),
            Samples::Batch { complete, .. } => complete.iter().for_each(|stat| all.merge(stat)),
        }
        all
    }

    /// Forgets what no window will hold any more. What is in no window by time counts for `idle_ms`.
    pub fn expire(&mut self, now_ms: i64, idle_ms: i64) {
        let is_old = |at: i64| at < now_ms.saturating_sub(idle_ms);
        match self {
            Samples::Latest(latest) => *latest = latest.filter(|(at, _)| !is_old(*at)),
            Samples::Panes { division, panes, .. } => panes.drop_before(division.window(now_ms).0),
            // Samples that have not been followed by others for so long are no longer those of now.
            Samples::Ring { ring, .. } => {
                if ring.back().is_some_and(|(at, _)| is_old(*at)) {
                    ring.clear();
                }
            }
            Samples::Batch { open, complete, .. } => {
                if open.newest_ms().is_some_and(is_old) {
                    *open = Stat::default();
                }
                *complete = complete.take().filter(|stat| !stat.newest_ms().is_some_and(is_old));
            }
        }
    }
}
