//! One series: what must be remembered of its last points to make sense of the next.

use crate::arrival::{Arrival, Point, Refusal, Stream};
use crate::buckets::Histogram;
use crate::counter::{Counter, rise};

/// So many times of points are remembered to tell late ones from repeated ones.
const TIMES: usize = 32;

/// One series that at least one metric takes.
#[derive(Clone, Debug)]
pub struct Series {
    kind: Kind,
    /// Times of the latest points, ascending.
    times: Vec<i64>,
    /// The last number.
    last: f64,
    /// The last cumulative histogram.
    histogram: Option<Box<Histogram>>,
    /// The sum of all increments of a series that tells only these.
    sum: f64,
    /// The metrics that take it.
    pub uses: Vec<Use>,
}

/// How a metric takes a series.
#[derive(Clone, Debug)]
pub struct Use {
    /// Which metric of the plan.
    pub metric: usize,
    /// Which of its groups.
    pub group: usize,
    /// What values are multiplied by.
    pub factor: f64,
    /// The samples of a counter, where the metric asks for its rise.
    pub counter: Option<Counter>,
    /// True when the metric wants the value of a sum itself and not what was added to it.
    pub is_whole: bool,
}

/// What a series consists of. It stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers that stand for themselves.
    Plain,
    /// Numbers that add up.
    Sum,
    /// Histograms.
    Histogram,
}

impl Kind {
    /// The kind of the series of a point; none for the end of one.
    pub fn of(arrival: &Arrival<'_>) -> Option<Kind> {
        Some(match (arrival.point, arrival.stream) {
            (Point::Stale, _) => return None,
            (Point::Histogram(_), _) => Kind::Histogram,
            (Point::Number(_), Stream::Unknown | Stream::Gauge) => Kind::Plain,
            (Point::Number(_), Stream::Cumulative { is_monotonic: false, .. }) => Kind::Plain,
            (Point::Number(_), Stream::Delta { .. } | Stream::Cumulative { .. }) => Kind::Sum,
        })
    }
}

/// What a point adds to the windows.
#[derive(Clone, Debug, PartialEq)]
pub enum Addition {
    /// Nothing: it was there already.
    Repeated,
    /// A number.
    Number {
        /// What was added since the point before, or the value of a series that does not add up; none for the first
        /// point of a sum whose start is not known.
        value: Option<f64>,
        /// The value itself, or the sum of all increments.
        whole: f64,
    },
    /// The measurements since the point before; none for the first point of a sum whose start is not known.
    Histogram {
        /// The new ones.
        new: Option<Histogram>,
        /// How many measurements there were in all.
        whole: f64,
    },
}

/// The times at which a sum began anew, for those who follow its rise: it was 0 then.
pub type Begun = Option<i64>;

impl Series {
    /// A series whose first point is about to come.
    pub fn new(kind: Kind, uses: Vec<Use>) -> Self {
        Series { kind, times: Vec::new(), last: 0.0, histogram: None, sum: 0.0, uses }
    }

    /// The kind of its points.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The time of its latest point.
    pub fn newest_ms(&self) -> Option<i64> {
        self.times.last().copied()
    }

    /// What the next point adds, and when its sum began anew if that is told. A start counts when it is not older than
    /// `horizon_ms`: what was counted before is not in any window.
    ///
    /// # Errors
    /// [`Refusal::Duplicate`], [`Refusal::OutOfOrder`], [`Refusal::NotFinite`] and [`Refusal::Histogram`].
    pub fn take(&mut self, arrival: &Arrival<'_>, horizon_ms: i64) -> Result<(Addition, Begun), Refusal> {
        let at = arrival.at_ms;
        let newest = self.newest_ms();
        match arrival.point {
            Point::Stale => Ok((Addition::Repeated, None)),
            Point::Number(value) => {
                if !value.is_finite() {
                    return Err(Refusal::NotFinite);
                }
                if let Some(repeated) =
                    self.repeated(at, newest == Some(at) && value.to_bits() == self.last.to_bits())?
                {
                    return Ok((repeated, None));
                }
                self.number(value, arrival, horizon_ms)
            }
            Point::Histogram(histogram) => {
                if !histogram.is_sound() {
                    return Err(Refusal::Histogram);
                }
                let is_same = newest == Some(at) && self.histogram.as_deref().is_none_or(|last| last == histogram);
                if let Some(repeated) = self.repeated(at, is_same)? {
                    return Ok((repeated, None));
                }
                self.distribution(histogram, arrival, horizon_ms)
            }
        }
    }

    /// Whether a point of this time was there before.
    fn repeated(&self, at: i64, is_last: bool) -> Result<Option<Addition>, Refusal> {
        match self.times.binary_search(&at) {
            // Of earlier points the values are no longer known; senders that repeat themselves repeat them too.
            Ok(place) if place + 1 < self.times.len() || is_last => Ok(Some(Addition::Repeated)),
            Ok(_) => Err(Refusal::Duplicate),
            Err(0) if self.times.len() >= TIMES => Err(Refusal::OutOfOrder),
            Err(_) => Ok(None),
        }
    }

    fn remember(&mut self, at: i64) {
        if let Err(place) = self.times.binary_search(&at) {
            self.times.insert(place, at);
        }
        if self.times.len() > TIMES {
            self.times.remove(0);
        }
    }

    fn number(&mut self, value: f64, arrival: &Arrival<'_>, horizon_ms: i64) -> Result<(Addition, Begun), Refusal> {
        let at = arrival.at_ms;
        let newest = self.newest_ms();
        let is_late = newest.is_some_and(|last| at < last);
        let (addition, begun) = match arrival.stream {
            Stream::Unknown | Stream::Gauge | Stream::Cumulative { is_monotonic: false, .. } => {
                (Addition::Number { value: Some(value), whole: value }, None)
            }
            _ if is_late => return Err(Refusal::OutOfOrder),
            Stream::Delta { start_ms, is_monotonic } => {
                if let (Some(start), Some(last)) = (start_ms, newest)
                    && start < last
                {
                    return Err(Refusal::OutOfOrder);
                }
                let before = self.sum;
                let sum = before + value;
                if !sum.is_finite() {
                    return Err(Refusal::NotFinite);
                }
                self.sum = sum;
                let is_gap = start_ms.is_some_and(|start| newest != Some(start) && start < at);
                let begun = start_ms.filter(|_| is_gap);
                let value = if is_monotonic { value } else { sum };
                (Addition::Number { value: Some(value), whole: sum }, begun)
            }
            Stream::Cumulative { start_ms, .. } => {
                let is_new = start_ms.is_some_and(|start| newest.is_none_or(|last| start >= last) && start < at);
                let added = match newest {
                    _ if is_new => start_ms.filter(|start| *start >= horizon_ms).map(|_| value),
                    Some(_) => Some(rise(self.last, value)),
                    None => None,
                };
                let begun = start_ms.filter(|start| is_new && *start >= horizon_ms);
                (Addition::Number { value: added, whole: value }, begun)
            }
        };
        if !is_late {
            self.last = value;
        }
        self.remember(at);
        Ok((addition, begun))
    }

    fn distribution(
        &mut self,
        histogram: &Histogram,
        arrival: &Arrival<'_>,
        horizon_ms: i64,
    ) -> Result<(Addition, Begun), Refusal> {
        let at = arrival.at_ms;
        let newest = self.newest_ms();
        if newest.is_some_and(|last| at < last) {
            return Err(Refusal::OutOfOrder);
        }
        let count = histogram.count as f64;
        let (new, whole, begun) = match arrival.stream {
            Stream::Delta { start_ms, .. } => {
                if let (Some(start), Some(last)) = (start_ms, newest)
                    && start < last
                {
                    return Err(Refusal::OutOfOrder);
                }
                self.sum += count;
                let begun = start_ms.filter(|start| newest != Some(*start) && *start < at);
                (Some(histogram.clone()), self.sum, begun)
            }
            Stream::Cumulative { start_ms, .. } => {
                let is_new = start_ms.is_some_and(|start| newest.is_none_or(|last| start >= last) && start < at);
                let begun = start_ms.filter(|start| is_new && *start >= horizon_ms);
                let new = match &self.histogram {
                    _ if is_new => begun.map(|_| histogram.clone()),
                    // A fall is a new beginning.
                    Some(last) => Some(histogram.since(last).unwrap_or_else(|| histogram.clone())),
                    None => None,
                };
                self.histogram = Some(Box::new(histogram.clone()));
                (new, count, begun)
            }
            Stream::Unknown | Stream::Gauge => (Some(histogram.clone()), count, None),
        };
        // What extremes a sum has had since its start says nothing of what was added.
        let plain = |h: Histogram| Histogram { min: None, max: None, ..h };
        let is_sum = matches!(arrival.stream, Stream::Cumulative { .. });
        let new = if is_sum { new.map(plain) } else { new };
        self.remember(at);
        Ok((Addition::Histogram { new, whole }, begun))
    }
}
