//! One point as it comes in, whatever its format was, and what becomes of it.

use std::fmt::{self, Display, Formatter};

use crate::buckets::Histogram;
use crate::labels::Labels;

/// One point of a series.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The name of the series.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// The unit of its values as the sender writes it (UCUM); none when it does not say.
    pub unit: Option<&'a str>,
    /// When it was measured, in Unix milliseconds.
    pub at_ms: i64,
    /// What its values mean.
    pub stream: Stream,
    /// The value.
    pub point: Point<'a>,
}

/// What the values of a series mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Nothing is said: values are taken as they are, by `rate` and `increase` as those of a counter.
    Unknown,
    /// Each value stands for itself.
    Gauge,
    /// Each value is what was added since the point before.
    Delta {
        /// When the adding began, in Unix milliseconds; none when it is not known.
        start_ms: Option<i64>,
        /// True when nothing is ever taken away.
        is_monotonic: bool,
    },
    /// Each value is the sum since a start.
    Cumulative {
        /// When the sum was 0, in Unix milliseconds; none when it is not known. A later one than before is a reset.
        start_ms: Option<i64>,
        /// True when nothing is ever taken away.
        is_monotonic: bool,
    },
}

/// The value of a point.
#[derive(Clone, Copy, Debug)]
pub enum Point<'a> {
    /// A number.
    Number(f64),
    /// A distribution.
    Histogram(&'a Histogram),
    /// Nothing was measured: the series ends here until it goes on.
    Stale,
}

/// Why a point is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Its time lies in the future beyond what clocks may differ.
    Future,
    /// Its time lies before everything that windows still hold.
    TooOld,
    /// It came too long after later points of its series.
    OutOfOrder,
    /// There is another value of the same series and time.
    Duplicate,
    /// It is NaN or infinite.
    NotFinite,
    /// The histogram contradicts itself.
    Histogram,
    /// The series has another kind of values than before, or a kind that the metric cannot take.
    Kind,
    /// The unit does not fit that of the metric.
    Unit,
    /// The application has as many series as it may.
    Series,
    /// The series has more labels than it may, or longer ones.
    Labels,
    /// It names no application, or none that is known here.
    Application,
}

impl Refusal {
    /// All of them, in the order of [`Tally`].
    pub const ALL: [Refusal; 11] = [
        Refusal::Future,
        Refusal::TooOld,
        Refusal::OutOfOrder,
        Refusal::Duplicate,
        Refusal::NotFinite,
        Refusal::Histogram,
        Refusal::Kind,
        Refusal::Unit,
        Refusal::Series,
        Refusal::Labels,
        Refusal::Application,
    ];

    /// A word for it, for labels of figures.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Future => "future",
            Refusal::TooOld => "too_old",
            Refusal::OutOfOrder => "out_of_order",
            Refusal::Duplicate => "duplicate",
            Refusal::NotFinite => "not_finite",
            Refusal::Histogram => "histogram",
            Refusal::Kind => "kind",
            Refusal::Unit => "unit",
            Refusal::Series => "series",
            Refusal::Labels => "labels",
            Refusal::Application => "application",
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Future => "their time lies in the future; look at the clock of the sender",
            Refusal::TooOld => "they are older than the window of their metric",
            Refusal::OutOfOrder => "they came too long after later points of their series",
            Refusal::Duplicate => "there is another value of the same series and time",
            Refusal::NotFinite => "they are NaN or infinite",
            Refusal::Histogram => "the counts and bounds of the histogram contradict each other",
            Refusal::Kind => "the metric cannot take values of this kind",
            Refusal::Unit => "their unit does not fit the unit of the metric",
            Refusal::Series => "the application has as many series as it may; fewer labels make fewer series",
            Refusal::Labels => "the series has more or longer labels than it may",
            Refusal::Application => {
                "they name no application that is looked after here; set the resource attribute \
                 `cardinal.application` or the label `application`"
            }
        })
    }
}

/// How many points were taken, passed over and refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Points that went into a window.
    pub taken: u64,
    /// Points of series that no metric of the model asks for.
    pub unused: u64,
    /// Points that were there already, with the same value.
    pub repeated: u64,
    /// Points that were refused, by [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
}

impl Tally {
    /// Counts what became of a point.
    pub fn count(&mut self, result: Result<Taken, Refusal>) {
        match result {
            Ok(Taken::Taken) => self.taken += 1,
            Ok(Taken::Unused) => self.unused += 1,
            Ok(Taken::Repeated) => self.repeated += 1,
            Err(refusal) => {
                // ALL has every refusal.
                let at = Refusal::ALL.iter().position(|r| *r == refusal).unwrap_or(0);
                self.refused[at] += 1;
            }
        }
    }

    /// How many were refused in all.
    pub fn refused(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// The refusals that happened, with their numbers.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().zip(self.refused).filter(|(_, n)| *n > 0)
    }

    /// Adds another.
    pub fn add(&mut self, other: &Tally) {
        self.taken += other.taken;
        self.unused += other.unused;
        self.repeated += other.repeated;
        for (mine, more) in self.refused.iter_mut().zip(other.refused) {
            *mine += more;
        }
    }

    /// What was refused and why, in a sentence; none when nothing was.
    pub fn sentence(&self) -> Option<String> {
        let parts: Vec<String> = self.refusals().map(|(refusal, n)| format!("{n} refused: {refusal}")).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// What became of a point that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It went into a window.
    Taken,
    /// No metric asks for its series.
    Unused,
    /// It was there already.
    Repeated,
}
