//! The shape of the errors, as they were: a decayed histogram, for all and for each size of the fleet.

use serde::{Deserialize, Serialize};

/// The least scaled error that is told apart.
pub(super) const LOWEST: f64 = -60.0;
/// The greatest.
pub(super) const HIGHEST: f64 = 60.0;
/// How many sizes of fleets are told apart.
pub(super) const CONTEXTS: usize = 8;
const BINS: usize = 1200;
const WIDTH: f64 = (HIGHEST - LOWEST) / BINS as f64;
/// Two weeks of minutes.
const MEMORY: f64 = 1.0 - 1.0 / 20160.0;
/// How much the shape that is assumed at first weighs, in observations.
const PRIOR: f64 = 30.0;
/// Observations after which the errors of a size count as much as those of all.
const TRUST: f64 = 1000.0;
const REBUILD_EVERY: usize = 30;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Histogram {
    bins: Vec<f64>,
    total: f64,
    /// The share of errors at or above the lower edge of each bin; one more at the end, 0.
    above: Vec<f64>,
}

impl Histogram {
    fn new() -> Self {
        Histogram { bins: vec![0.0; BINS], total: 0.0, above: vec![0.0; BINS + 1] }
    }

    fn rebuild(&mut self) {
        let mut sum = 0.0;
        for i in (0..BINS).rev() {
            sum += self.bins[i];
            self.above[i] = sum;
        }
        self.total = sum;
        if sum > 0.0 {
            for share in &mut self.above {
                *share /= sum;
            }
        }
    }
}

/// All histograms. New errors get growing weights instead of old ones losing theirs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tails {
    pool: Histogram,
    contexts: Vec<Histogram>,
    weight: f64,
    ticks: usize,
}

impl Tails {
    pub(super) fn new() -> Self {
        let mut pool = Histogram::new();
        for (i, bin) in pool.bins.iter_mut().enumerate() {
            let z = LOWEST + (i as f64 + 0.5) * WIDTH;
            *bin = PRIOR * WIDTH * 0.35 * (-0.7 * z.abs()).exp();
        }
        pool.rebuild();
        Tails { pool, contexts: vec![Histogram::new(); CONTEXTS], weight: 1.0, ticks: 0 }
    }

    /// A step has passed.
    pub(super) fn tick(&mut self) {
        self.weight /= MEMORY;
        self.ticks += 1;
        if self.weight > 1e6 {
            for histogram in self.contexts.iter_mut().chain([&mut self.pool]) {
                histogram.bins.iter_mut().for_each(|bin| *bin /= self.weight);
            }
            self.weight = 1.0;
        }
        if self.ticks.is_multiple_of(REBUILD_EVERY) {
            self.contexts.iter_mut().chain([&mut self.pool]).for_each(Histogram::rebuild);
        }
    }

    /// A scaled error, and the size of the fleet for which it was made.
    pub(super) fn learn(&mut self, z: f64, context: usize) {
        let bin = ((z - LOWEST) / WIDTH).floor().clamp(0.0, (BINS - 1) as f64) as usize;
        self.pool.bins[bin] += self.weight;
        self.contexts[context].bins[bin] += self.weight;
    }

    /// The probability of a scaled error above `z`.
    pub(super) fn above(&self, z: f64, context: usize) -> f64 {
        let at = (z - LOWEST) / WIDTH;
        if at.is_nan() || at <= 0.0 {
            return 1.0;
        }
        if at >= BINS as f64 {
            return 0.0;
        }
        let (bin, part) = (at.floor() as usize, at.fract());
        let share = |h: &Histogram| h.above[bin] * (1.0 - part) + h.above[bin + 1] * part;
        let own = &self.contexts[context];
        let count = own.total / self.weight;
        let trust = count / (count + TRUST);
        trust * share(own) + (1.0 - trust) * share(&self.pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_fall_from_one_to_nothing() {
        let mut tails = Tails::new();
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..5000 {
            tails.learn(6.0 * (random.f64() - 0.5), random.usize(0..CONTEXTS));
            tails.tick();
        }
        let mut before = 1.0;
        for i in 0..=2400 {
            let now = tails.above(-60.0 + 0.05 * i as f64, 2);
            assert!(now <= before + 1e-12 && (0.0..=1.0).contains(&now), "at {i}: {now} after {before}");
            before = now;
        }
        assert!((tails.above(0.0, 2) - 0.5).abs() < 0.03);
        assert!(tails.above(2.0, 2) > 0.1 && tails.above(3.2, 2) < 0.02);
    }

    #[test]
    fn growing_weights_are_scaled_back() {
        let mut tails = Tails::new();
        for _ in 0..400_000 {
            tails.learn(1.05, 0);
            tails.tick();
        }
        assert!(tails.weight <= 1e6 / MEMORY);
        assert!(tails.above(0.9, 0) > 0.99 && tails.above(1.2, 0) < 0.01);
    }
}
