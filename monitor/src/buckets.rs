//! Distributions that come as counts in buckets: with bounds of one's own, or exponential as OpenTelemetry and Prometheus
//! have them (the bounds are powers of 2^(2^-scale)).

use std::collections::BTreeMap;

/// The most bounds of a histogram.
pub const BOUNDS_MAX: usize = 1024;
/// The most buckets of one side of an exponential histogram, and of what is kept of several.
pub const SIDE_MAX: usize = 1024;
/// The scales that OpenTelemetry and Prometheus use, with room.
const SCALES: std::ops::RangeInclusive<i32> = -11..=20;

/// The most measurements of a histogram: up to here a floating-point number tells each count from the next.
pub const COUNT_MAX: u64 = 1 << 53;

/// Measurements as counts in buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// How many measurements.
    pub count: u64,
    /// Their sum, where it is told.
    pub sum: Option<f64>,
    /// The smallest, where it is told.
    pub min: Option<f64>,
    /// The largest, where it is told.
    pub max: Option<f64>,
    /// The buckets.
    pub shape: Shape,
}

/// The buckets of a histogram.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// With bounds of one's own.
    Explicit {
        /// The upper ends of the buckets, included, ascending; one more bucket is open above.
        bounds: Vec<f64>,
        /// The number of measurements in each, one more than bounds.
        counts: Vec<u64>,
    },
    /// Exponential.
    Exponential(Exponential),
}

/// Exponential buckets: index i holds what is above `base^i` and at most `base^(i+1)`, with base 2^(2^-scale).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exponential {
    /// The scale.
    pub scale: i32,
    /// Measurements that count as 0.
    pub zeros: u64,
    /// The buckets of positive measurements.
    pub positive: Side,
    /// The buckets of the amounts of negative measurements.
    pub negative: Side,
}

/// The buckets of one sign.
pub type Side = BTreeMap<i32, u64>;

impl Histogram {
    /// True when counts, bounds and extremes fit each other, and the counts are not beyond [`COUNT_MAX`].
    pub fn is_sound(&self) -> bool {
        let numbers = [self.sum, self.min, self.max];
        let total = match &self.shape {
            Shape::Explicit { bounds, counts } => {
                let ascending = bounds.windows(2).all(|w| w[0] < w[1]) && bounds.iter().all(|b| b.is_finite());
                let fits = bounds.len() <= BOUNDS_MAX && counts.len() == bounds.len() + 1;
                (ascending && fits).then(|| sum_of(counts.iter())).flatten()
            }
            Shape::Exponential(e) => {
                let fits = e.positive.len() <= SIDE_MAX && e.negative.len() <= SIDE_MAX && SCALES.contains(&e.scale);
                let all = e.positive.values().chain(e.negative.values()).chain([&e.zeros]);
                fits.then(|| sum_of(all)).flatten()
            }
        };
        let counted = total == Some(self.count) && self.count <= COUNT_MAX;
        let ordered = self.min.zip(self.max).is_none_or(|(min, max)| min <= max);
        counted && ordered && numbers.iter().flatten().all(|n| n.is_finite())
    }

    /// What came after an earlier one of the same series; none when this is no continuation of it, because a count fell
    /// or the bounds are others.
    pub fn since(&self, earlier: &Histogram) -> Option<Histogram> {
        let count = self.count.checked_sub(earlier.count)?;
        let shape = match (&self.shape, &earlier.shape) {
            (Shape::Explicit { bounds, counts }, Shape::Explicit { bounds: before, counts: then }) => {
                if bounds != before {
                    return None;
                }
                let counts: Option<Vec<u64>> = counts.iter().zip(then).map(|(a, b)| a.checked_sub(*b)).collect();
                Shape::Explicit { bounds: bounds.clone(), counts: counts? }
            }
            (Shape::Exponential(now), Shape::Exponential(then)) => {
                let scale = now.scale.min(then.scale);
                let (now, then) = (now.clone().at_scale(scale), then.clone().at_scale(scale));
                Shape::Exponential(Exponential {
                    scale,
                    zeros: now.zeros.checked_sub(then.zeros)?,
                    positive: less(now.positive, &then.positive)?,
                    negative: less(now.negative, &then.negative)?,
                })
            }
            _ => return None,
        };
        let sum = self.sum.zip(earlier.sum).map(|(now, then)| now - then);
        Some(Histogram { count, sum, min: None, max: None, shape })
    }

    /// The sum, told or estimated from the middles of the buckets.
    pub fn total(&self) -> f64 {
        self.sum.unwrap_or_else(|| self.middles().map(|(middle, n)| middle * n).sum())
    }

    /// The squared deviations from a mean, estimated from the middles of the buckets.
    pub(crate) fn deviation(&self, mean: f64) -> f64 {
        self.middles().map(|(middle, n)| n * (middle - mean) * (middle - mean)).sum()
    }

    /// The smallest and the largest measurement, told or the ends of the outermost buckets that have any.
    pub(crate) fn ends(&self) -> (f64, f64) {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (a, b, _) in self.ranges() {
            (low, high) = (low.min(a), high.max(b));
        }
        // Of the ends of buckets, one that lies beyond what is told is none of a measurement.
        match (self.min, self.max) {
            (Some(min), Some(max)) => (min, max),
            (Some(min), None) => (min, high.max(min)),
            (None, Some(max)) => (low.min(max), max),
            (None, None) => (low, high),
        }
    }

    fn middles(&self) -> impl Iterator<Item = (f64, f64)> {
        self.ranges().into_iter().map(|(a, b, n)| (a + (b - a) / 2.0, n))
    }

    /// The ends of the buckets that have measurements, ascending, with their numbers.
    fn ranges(&self) -> Vec<(f64, f64, f64)> {
        match &self.shape {
            Shape::Explicit { bounds, counts } => {
                let filled = counts.iter().enumerate().filter(|(_, n)| **n > 0);
                filled.map(|(i, n)| explicit_range(bounds, i, *n as f64)).collect()
            }
            Shape::Exponential(e) => e.ranges(),
        }
    }
}

/// The ends of a bucket. The first begins at 0 unless its end is not above that; the last is taken as its lower end.
fn explicit_range(bounds: &[f64], i: usize, n: f64) -> (f64, f64, f64) {
    let end = |i: usize| bounds.get(i).copied();
    let low = match i.checked_sub(1) {
        Some(below) => end(below).unwrap_or(0.0),
        None => end(0).map_or(0.0, |first| first.min(0.0)),
    };
    (low, end(i).unwrap_or(low), n)
}

fn sum_of<'a>(counts: impl Iterator<Item = &'a u64>) -> Option<u64> {
    counts.copied().try_fold(0_u64, u64::checked_add)
}

fn less(mut now: Side, then: &Side) -> Option<Side> {
    for (index, n) in then.iter().filter(|(_, n)| **n > 0) {
        let here = now.get_mut(index)?;
        *here = here.checked_sub(*n)?;
    }
    now.retain(|_, n| *n > 0);
    Some(now)
}

impl Exponential {
    /// The same with fewer, wider buckets; a scale that is not lower changes nothing.
    fn at_scale(mut self, scale: i32) -> Self {
        let by = self.scale.saturating_sub(scale);
        if by <= 0 {
            return self;
        }
        let widen = |side: Side| {
            let mut wide = Side::new();
            for (index, n) in side {
                // Beyond 31 all indices are -1 or 0.
                let slot: &mut u64 = wide.entry(index >> by.min(31)).or_default();
                *slot = slot.saturating_add(n);
            }
            wide
        };
        (self.positive, self.negative) = (widen(self.positive), widen(self.negative));
        self.scale = scale;
        self
    }

    fn bound(&self, index: i64) -> f64 {
        let bound = (index as f64 * (-f64::from(self.scale)).exp2()).exp2();
        bound.clamp(f64::MIN_POSITIVE, f64::MAX)
    }

    fn ranges(&self) -> Vec<(f64, f64, f64)> {
        let ends = |index: i32| (self.bound(i64::from(index)), self.bound(i64::from(index) + 1));
        let negative = self.negative.iter().rev().filter(|(_, n)| **n > 0).map(|(index, n)| {
            let (near, far) = ends(*index);
            (-far, -near, *n as f64)
        });
        let zeros = (self.zeros > 0).then_some((0.0, 0.0, self.zeros as f64));
        let positive = self.positive.iter().filter(|(_, n)| **n > 0).map(|(index, n)| {
            let (near, far) = ends(*index);
            (near, far, *n as f64)
        });
        negative.chain(zeros).chain(positive).collect()
    }

    fn merge(&mut self, other: &Exponential) {
        let scale = self.scale.min(other.scale);
        let mine = std::mem::take(self).at_scale(scale);
        let theirs = other.clone().at_scale(scale);
        *self = mine;
        self.zeros = self.zeros.saturating_add(theirs.zeros);
        for (side, more) in [(&mut self.positive, theirs.positive), (&mut self.negative, theirs.negative)] {
            for (index, n) in more {
                let slot = side.entry(index).or_default();
                *slot = slot.saturating_add(n);
            }
        }
        while self.positive.len() > SIDE_MAX || self.negative.len() > SIDE_MAX {
            let scale = self.scale - 1;
            *self = std::mem::take(self).at_scale(scale);
        }
    }
}

/// The buckets of several histograms together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spread {
    /// Ascending bounds, and one count more than bounds. Counts are fractions where buckets had to be divided.
    explicit: Option<(Vec<f64>, Vec<f64>)>,
    exponential: Option<Exponential>,
}

impl Spread {
    pub(crate) fn add(&mut self, histogram: &Histogram) {
        match &histogram.shape {
            Shape::Explicit { bounds, counts } => {
                let counts: Vec<f64> = counts.iter().map(|n| *n as f64).collect();
                self.add_explicit(bounds, &counts);
            }
            Shape::Exponential(e) => self.add_exponential(e),
        }
    }

    pub(crate) fn merge(&mut self, other: &Spread) {
        if let Some((bounds, counts)) = &other.explicit {
            self.add_explicit(bounds, counts);
        }
        if let Some(e) = &other.exponential {
            self.add_exponential(e);
        }
    }

    fn add_exponential(&mut self, e: &Exponential) {
        match &mut self.exponential {
            Some(mine) => mine.merge(e),
            none => *none = Some(e.clone()),
        }
    }

    fn add_explicit(&mut self, bounds: &[f64], counts: &[f64]) {
        let Some((mine, sums)) = &mut self.explicit else {
            self.explicit = Some((bounds.to_vec(), counts.to_vec()));
            return;
        };
        if mine.as_slice() != bounds {
            let mut all: Vec<f64> = mine.iter().chain(bounds).copied().collect();
            all.sort_by(f64::total_cmp);
            all.dedup();
            // Above the limit the bounds that came first stay.
            let common = if all.len() <= BOUNDS_MAX { all } else { mine.clone() };
            *sums = divided(mine, sums, &common);
            *mine = common;
        }
        let more = if mine.as_slice() == bounds { counts.to_vec() } else { divided(bounds, counts, mine) };
        for (sum, n) in sums.iter_mut().zip(more) {
            *sum += n;
        }
    }

    /// The value below which a share of the measurements lies.
    ///
    /// Source: `histogram_quantile` of Prometheus: linear within a bucket with bounds of one's own, exponential within an
    /// exponential one; in the open bucket its lower end.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let mut ranges = Vec::new();
        if let Some((bounds, counts)) = &self.explicit {
            let filled = counts.iter().enumerate().filter(|(_, n)| **n > 0.0);
            ranges.extend(filled.map(|(i, n)| (explicit_range(bounds, i, *n), true)));
        }
        if let Some(e) = &self.exponential {
            ranges.extend(e.ranges().into_iter().map(|range| (range, false)));
        }
        if self.explicit.is_some() && self.exponential.is_some() {
            ranges.sort_by(|(a, _), (b, _)| a.1.total_cmp(&b.1));
        }
        let all: f64 = ranges.iter().map(|((_, _, n), _)| n).sum();
        let rank = share * all;
        let mut below = 0.0;
        for ((low, high, n), is_linear) in &ranges {
            if below + n >= rank {
                let part = ((rank - below) / n).clamp(0.0, 1.0);
                return Some(if *is_linear || *low <= 0.0 && *high >= 0.0 {
                    low + (high - low) * part
                } else {
                    low * (high / low).powf(part)
                });
            }
            below += n;
        }
        ranges.last().map(|((_, high, _), _)| *high)
    }
}

/// Counts over other bounds; a bucket that is cut is divided in proportion to the lengths.
fn divided(bounds: &[f64], counts: &[f64], into: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; into.len() + 1];
    for (i, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
        if i == bounds.len() {
            // What is above the last bound stays above it.
            out[into.len()] += n;
            continue;
        }
        let (low, high, _) = explicit_range(bounds, i, *n);
        let from = into.partition_point(|b| *b <= low);
        let upto = into.partition_point(|b| *b < high);
        let mut start = low;
        for (slot, cut) in out.iter_mut().zip(into).take(upto).skip(from) {
            *slot += n * (cut - start) / (high - low);
            start = *cut;
        }
        out[upto] += if high > low { n * (high - start) / (high - low) } else { *n };
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn explicit(bounds: &[f64], counts: &[u64]) -> Histogram {
        let shape = Shape::Explicit { bounds: bounds.to_vec(), counts: counts.to_vec() };
        Histogram { count: counts.iter().sum(), sum: None, min: None, max: None, shape }
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        let mut spread = Spread::default();
        spread.add(&explicit(&[1.0, 2.0, 4.0], &[10, 20, 10, 0]));
        // Rank 20 of 40 lies in the middle of the second bucket.
        assert_eq!(spread.quantile(0.5), Some(1.5));
        assert_eq!(spread.quantile(0.125), Some(0.5));
        assert_eq!(spread.quantile(0.9), Some(3.2));
        spread.add(&explicit(&[1.0, 2.0, 4.0], &[0, 0, 0, 60]));
        assert_eq!(spread.quantile(0.9), Some(4.0));
    }

    #[test]
    fn other_bounds_divide_the_buckets() {
        let mut spread = Spread::default();
        spread.add(&explicit(&[2.0], &[8, 0]));
        spread.add(&explicit(&[1.0, 2.0], &[8, 0, 0]));
        let (bounds, counts) = spread.explicit.clone().unwrap();
        assert_eq!((bounds, counts), (vec![1.0, 2.0], vec![12.0, 4.0, 0.0]));
    }

    #[test]
    fn exponential_buckets_of_two_scales_are_brought_to_the_lower() {
        let side = |pairs: &[(i32, u64)]| pairs.iter().copied().collect::<Side>();
        let fine = Exponential { scale: 1, positive: side(&[(0, 1), (1, 2), (2, 4)]), ..Exponential::default() };
        let mut wide = Exponential { scale: 0, positive: side(&[(0, 10)]), zeros: 1, ..Exponential::default() };
        wide.merge(&fine);
        assert_eq!(wide.positive, side(&[(0, 13), (1, 4)]));
        let mut spread = Spread::default();
        spread.add_exponential(&wide);
        // 1 at 0, 13 in 1..2, 4 in 2..4.
        assert_eq!(spread.quantile(1.0), Some(4.0));
        let middle = spread.quantile((1.0 + 6.5) / 18.0).unwrap();
        assert!((middle - 2_f64.sqrt()).abs() < 1e-12, "{middle}");
    }

    #[test]
    fn what_came_since_is_a_difference_unless_a_count_fell() {
        let (a, b) = (explicit(&[1.0], &[1, 2]), explicit(&[1.0], &[4, 2]));
        assert_eq!(b.since(&a).unwrap().shape, Shape::Explicit { bounds: vec![1.0], counts: vec![3, 0] });
        assert_eq!(a.since(&b), None);
        assert_eq!(explicit(&[2.0], &[4, 2]).since(&a), None);
        assert!(!Histogram { count: 9, ..b }.is_sound());
    }

    #[test]
    fn what_contradicts_itself_or_is_beyond_all_counts_is_not_sound() {
        let plain = explicit(&[1.0], &[1, 2]);
        let between = |min, max| Histogram { min, max, ..plain.clone() };
        assert!(between(Some(0.5), Some(0.5)).is_sound());
        assert!(!between(Some(2.0), Some(1.0)).is_sound());
        assert!(!between(Some(f64::NAN), Some(1.0)).is_sound());
        // The buckets end at 1 and begin at 0.
        assert_eq!(between(Some(5.0), None).ends(), (5.0, 5.0));
        assert_eq!(between(None, Some(-5.0)).ends(), (-5.0, -5.0));
        assert!(explicit(&[1.0], &[COUNT_MAX - 1, 1]).is_sound());
        assert!(!explicit(&[1.0], &[COUNT_MAX, 1]).is_sound());
        let huge = Shape::Explicit { bounds: vec![1.0], counts: vec![u64::MAX, 1] };
        assert!(!Histogram { count: 0, sum: None, min: None, max: None, shape: huge }.is_sound());
        let zeros = Shape::Exponential(Exponential { zeros: u64::MAX, ..Exponential::default() });
        assert!(!Histogram { count: u64::MAX, sum: None, min: None, max: None, shape: zeros }.is_sound());
    }
}
