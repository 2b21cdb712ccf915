//! What is kept of samples: moments, the latest, and where percentiles are asked for a sketch or buckets. Two of them
//! merge into that of all their samples, so that a window is the merge of its panes.

use cardinal_models::application::Fold;
use sketches_ddsketch::{Config, DDSketch};

use crate::buckets::{Histogram, Spread};

/// The relative error of percentiles.
const PERCENTILE_ERROR: f64 = 0.005;
/// Bins of a sketch: with the error above they cover nine decimal powers; beyond, the smallest values are joined.
const BINS_MAX: u32 = 2048;
/// Values nearer to 0 count as 0 in percentiles.
const SMALLEST: f64 = 1e-9;

/// What is kept of samples.
#[derive(Clone, Debug, Default)]
pub struct Stat {
    /// The number of samples, or of measurements behind the counts of histograms.
    pub count: u64,
    mean: f64,
    /// The sum of squared deviations from the mean.
    deviation: f64,
    sum: f64,
    min: f64,
    max: f64,
    /// The time and value of the latest sample; of several at that time the last that came.
    last: Option<(i64, f64)>,
    sketch: Option<Box<Sketch>>,
    spread: Option<Box<Spread>>,
}

impl Stat {
    /// Adds a sample. `sketches` is true when percentiles will be asked for.
    pub fn add(&mut self, at_ms: i64, value: f64, sketches: bool) {
        self.merge_moments(1, value, 0.0, value, value, value);
        if self.last.is_none_or(|(at, _)| at <= at_ms) {
            self.last = Some((at_ms, value));
        }
        if sketches {
            self.sketch.get_or_insert_with(Sketch::new).0.add(value);
        }
    }

    /// Adds the measurements behind a histogram.
    pub fn add_histogram(&mut self, at_ms: i64, buckets: &Histogram) {
        if buckets.count == 0 {
            return;
        }
        let count = buckets.count;
        let mean = buckets.total() / count as f64;
        let (min, max) = buckets.ends();
        self.merge_moments(count, mean, buckets.deviation(mean), buckets.total(), min, max);
        if self.last.is_none_or(|(at, _)| at <= at_ms) {
            self.last = Some((at_ms, mean));
        }
        self.spread.get_or_insert_default().add(buckets);
    }

    /// Adds all samples of another.
    pub fn merge(&mut self, other: &Stat) {
        if other.count == 0 {
            return;
        }
        self.merge_moments(other.count, other.mean, other.deviation, other.sum, other.min, other.max);
        if let Some(last) = other.last
            && self.last.is_none_or(|(at, _)| at <= last.0)
        {
            self.last = Some(last);
        }
        if let Some(sketch) = &other.sketch {
            // All sketches have one configuration, so that they merge.
            let _ = self.sketch.get_or_insert_with(Sketch::new).0.merge(&sketch.0);
        }
        if let Some(spread) = &other.spread {
            self.spread.get_or_insert_default().merge(spread);
        }
    }

    /// Chan, Golub and LeVeque: the mean and squared deviations of two groups together (1979).
    fn merge_moments(&mut self, count: u64, mean: f64, deviation: f64, sum: f64, min: f64, max: f64) {
        if self.count == 0 {
            (self.min, self.max) = (min, max);
        } else {
            (self.min, self.max) = (self.min.min(min), self.max.max(max));
        }
        let (a, b) = (self.count as f64, count as f64);
        let (all, delta) = (a + b, mean - self.mean);
        self.mean += delta * (b / all);
        self.deviation += deviation + delta * delta * (a * b / all);
        self.sum += sum;
        self.count = self.count.saturating_add(count);
    }

    /// The time of the latest sample.
    pub fn newest_ms(&self) -> Option<i64> {
        self.last.map(|(at, _)| at)
    }

    /// The value of a fold; none without samples, for what is of counters, and where it is not finite.
    pub fn value(&self, fold: Fold) -> Option<f64> {
        if self.count == 0 {
            return (fold == Fold::Count).then_some(0.0);
        }
        let value = match fold {
            Fold::Last => self.last?.1,
            Fold::Mean => self.mean,
            Fold::Sum => self.sum,
            Fold::Min => self.min,
            Fold::Max => self.max,
            Fold::Count => self.count as f64,
            Fold::Stddev => (self.deviation / self.count as f64).max(0.0).sqrt(),
            Fold::Percentile(percent) => self.percentile(percent)?,
            Fold::Rate | Fold::Increase => return None,
        };
        Some(value).filter(|v| v.is_finite())
    }

    fn percentile(&self, percent: f64) -> Option<f64> {
        let share = percent / 100.0;
        let value = match (&self.spread, &self.sketch) {
            (Some(spread), None) => spread.quantile(share),
            (None, Some(sketch)) => sketch.0.quantile(share).ok().flatten(),
            // Samples and histograms under one name are refused, so that this is no case.
            _ => None,
        };
        // `clamp` would panic if the ends were reversed.
        value.map(|v| v.max(self.min).min(self.max))
    }
}

/// A sketch of the distribution of samples.
#[derive(Clone)]
struct Sketch(DDSketch);

impl Sketch {
    fn new() -> Box<Self> {
        Box::new(Sketch(DDSketch::new(Config::new(PERCENTILE_ERROR, BINS_MAX, SMALLEST))))
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sketch({} samples)", self.0.count())
    }
}

/// Makes one value of the values of parts; none without any.
pub fn across(fold: Fold, values: &[f64]) -> Option<f64> {
    if let Fold::Percentile(percent) = fold {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        // Between the two values around the rank, in proportion.
        let rank = percent / 100.0 * last as f64;
        let below = (rank.floor() as usize).min(last);
        let above = (below + 1).min(last);
        return Some(sorted[below] + (sorted[above] - sorted[below]) * (rank - below as f64));
    }
    let mut all = Stat::default();
    values.iter().for_each(|value| all.add(0, *value, false));
    if values.is_empty() { None } else { all.value(fold) }
}
