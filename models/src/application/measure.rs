//! How the samples of a measured metric become one value.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use crate::document::{Level, WhenStale};

/// How samples become one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fold {
    /// The latest.
    Last,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are.
    Count,
    /// By how much a counter rises per second.
    Rate,
    /// By how much a counter rises in the window.
    Increase,
    /// The standard deviation of the samples (of the population).
    Stddev,
    /// A percentile, from 0 to 100, both excluded.
    Percentile(f64),
}

impl Fold {
    /// The fold with a name, such as `mean` or `p95`.
    pub fn named(word: &str) -> Option<Fold> {
        Some(match word {
            "last" => Fold::Last,
            "mean" => Fold::Mean,
            "sum" => Fold::Sum,
            "min" => Fold::Min,
            "max" => Fold::Max,
            "count" => Fold::Count,
            "rate" => Fold::Rate,
            "increase" => Fold::Increase,
            "stddev" => Fold::Stddev,
            _ => {
                let percent = word.strip_prefix('p')?.parse::<f64>().ok()?;
                Fold::Percentile(Some(percent).filter(|p| *p > 0.0 && *p < 100.0)?)
            }
        })
    }

    /// True for what is asked of counters, whose values only rise until they begin anew.
    pub fn is_of_counter(self) -> bool {
        matches!(self, Fold::Rate | Fold::Increase)
    }

    /// How the values of parts become one where the model does not say.
    pub fn across(self) -> Fold {
        match self {
            Fold::Sum | Fold::Count | Fold::Rate | Fold::Increase => Fold::Sum,
            Fold::Min => Fold::Min,
            Fold::Max => Fold::Max,
            Fold::Last | Fold::Mean | Fold::Stddev | Fold::Percentile(_) => Fold::Mean,
        }
    }
}

impl Display for Fold {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fold::Last => "last",
            Fold::Mean => "mean",
            Fold::Sum => "sum",
            Fold::Min => "min",
            Fold::Max => "max",
            Fold::Count => "count",
            Fold::Rate => "rate",
            Fold::Increase => "increase",
            Fold::Stddev => "stddev",
            Fold::Percentile(percent) => return write!(f, "p{percent}"),
        })
    }
}

/// Over what samples are aggregated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The latest sample alone.
    Latest,
    /// The samples of the last milliseconds.
    Sliding(u64),
    /// The samples of the last complete window of so many milliseconds; windows begin at multiples of their length.
    Tumbling(u64),
    /// The last so many samples.
    SlidingSamples(u32),
    /// The last complete group of so many samples.
    TumblingSamples(u32),
}

impl Window {
    /// The longest window by time: 35 days, in milliseconds.
    pub const MS_MAX: u64 = 35 * 86_400_000;
    /// The most samples of a window by number.
    pub const SAMPLES_MAX: u32 = 10_000;

    /// Its length in milliseconds, for one by time.
    pub fn ms(self) -> Option<u64> {
        match self {
            Window::Sliding(ms) | Window::Tumbling(ms) => Some(ms),
            Window::Latest | Window::SlidingSamples(_) | Window::TumblingSamples(_) => None,
        }
    }
}

/// How the samples of a measured metric become one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The name of the series; the metric's own when there is none.
    pub source: Option<Arc<str>>,
    /// Only series that have each of these labels with one of the values, in which `*` stands for any characters.
    pub labels: Vec<(Arc<str>, Vec<Arc<str>>)>,
    /// How samples become one value.
    pub fold: Fold,
    /// Which samples.
    pub window: Window,
    /// Whose samples are aggregated together.
    pub per: Level,
    /// How the values of the parts become one.
    pub across: Fold,
    /// With fewer samples there is no value.
    pub min_samples: u64,
}

/// When a value is too old and what happens then, where the model says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ageing {
    /// It is fresh for so long, in milliseconds.
    pub max_age_ms: Option<u64>,
    /// After that it is held for so long, in milliseconds.
    pub hold_ms: Option<u64>,
    /// What happens then.
    pub then: Option<WhenStale>,
}
