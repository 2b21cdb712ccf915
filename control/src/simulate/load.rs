//! What the metrics of a simulated application do over time.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::Observation;
use serde::{Deserialize, Serialize};

/// One metric over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The metric.
    pub metric: String,
    /// Its course.
    pub shape: Shape,
    /// The value is shared by the serving instances of this component: what is measured is one instance's part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_instance_of: Option<String>,
    /// Each value is multiplied by a factor drawn from 1 - noise to 1 + noise.
    #[serde(default)]
    pub noise: f64,
}

/// The course of a value over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Between two values and back, as a sine: lowest at the start.
    Wave {
        /// The lowest value.
        low: f64,
        /// The highest value.
        high: f64,
        /// From one low to the next, in milliseconds.
        period_ms: u64,
    },
    /// Recorded values with their times from the start, in milliseconds, ascending; each holds until the next. The
    /// record begins anew after its end.
    Recorded(Vec<(u64, f64)>),
}

impl Shape {
    /// The value so many milliseconds after the start.
    pub fn at(&self, elapsed_ms: u64) -> f64 {
        match self {
            Shape::Wave { low, high, period_ms } => {
                let turn = (elapsed_ms % (*period_ms).max(1)) as f64 / (*period_ms).max(1) as f64;
                let height = (1.0 - (std::f64::consts::TAU * turn).cos()) / 2.0;
                low + (high - low) * height
            }
            Shape::Recorded(values) => {
                let Some((last, _)) = values.last() else { return f64::NAN };
                // The last value holds as long as the one before it did.
                let step = values.len().checked_sub(2).map_or(1, |i| last - values[i].0).max(1);
                let within = elapsed_ms % (last + step);
                let index = values.partition_point(|(at, _)| *at <= within);
                values[index.saturating_sub(1)].1
            }
        }
    }
}

impl Load {
    /// What is measured so many milliseconds after the start; `None` while nothing serves that could be measured.
    pub fn measure(&self, elapsed_ms: u64, seed: u64, seen: &Observation) -> Option<f64> {
        let draw = Digest::of(&(seed, "load", &self.metric, elapsed_ms)).seed() >> 11;
        let unit = draw as f64 / (1_u64 << 53) as f64;
        let total = self.shape.at(elapsed_ms) * (1.0 + self.noise * (2.0 * unit - 1.0));
        let Some(component) = &self.per_instance_of else { return Some(total).filter(|x| x.is_finite()) };
        let serving = seen.instances.iter().filter(|i| i.component == *component && i.healthy && i.registered).count();
        (serving > 0).then(|| total / serving as f64).filter(|x| x.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_comes_back_and_a_record_begins_anew() {
        let wave = Shape::Wave { low: 10.0, high: 30.0, period_ms: 1000 };
        assert_eq!((wave.at(0), wave.at(500), wave.at(1000)), (10.0, 30.0, 10.0));
        let record = Shape::Recorded(vec![(0, 1.0), (10, 2.0), (20, 3.0)]);
        assert_eq!([0, 9, 10, 29, 30, 41].map(|at| record.at(at)), [1.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
        assert!(Shape::Recorded(Vec::new()).at(5).is_nan());
    }
}
