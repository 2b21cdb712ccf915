//! How much load there will be when a change that is begun now has landed, and how much room pays.
//!
//! A change takes time to land: machines start, caches fill. Until then what runs has to do. How much more than the load of
//! now to hold is a decision under uncertainty, and this module makes it in three steps, all of them causal, each step of
//! a load one call:
//!
//! 1. [`Forecaster`] gives the distribution of the load one lead ahead: a mean that is learned from smoothed levels and
//!    seasons (`mean.rs`), a scale that follows how volatile the load is now (`scale.rs`), and the errors actually seen,
//!    as a histogram (`tails.rs`), in the spirit of conformal prediction: nothing is assumed about their shape.
//! 2. [`headroom`] turns it into what to hold: the newsvendor's quantile, where the price of one more unit of capacity equals
//!    what it saves in expected violations, with a hysteresis in probability instead of in instances.
//! 3. [`chooser`] keeps simulating that policy, its variants and the plain threshold rule in the shadow, and follows the one
//!    that has done best lately.
//!
//! [`replay`] runs such policies over a recorded load against a fleet with start-up times.
//!
//! All loads are non-negative numbers for each step of fixed length; steps are counted from 0. A day is
//! [`Settings::day`] steps.

mod mean;
mod scale;
mod season;
mod solve;
mod tails;

pub mod chooser;
pub mod headroom;
pub mod replay;
pub mod threshold;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use mean::Mean;
use scale::Scale;
use tails::Tails;

/// More instances than anybody has: counts end here, so that no load makes them overflow.
const UNITS_MAX: u64 = 1_000_000_000;

/// A number of instances, rounded up; 0 for what is none.
fn count(instances: f64) -> u64 {
    instances.ceil().clamp(0.0, UNITS_MAX as f64) as u64
}

/// What a forecaster has to know.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Steps from a decision to the moment at which its capacity serves; at least 1.
    pub lead: usize,
    /// The load at which relative errors end to matter: added before the logarithm, in units of the load, above 0. What one
    /// instance can serve is a good value; the method is not sensitive to it.
    pub offset: f64,
    /// The load that one instance serves without violation: tells small fleets from large ones, whose errors differ.
    pub unit: f64,
    /// Steps of a day: 1,440 for minutes. 0 looks for no seasons.
    pub day: usize,
}

impl Settings {
    /// For steps of a minute, with seasons of a day and a week.
    pub fn minutes(lead: usize, capacity: f64, limit: f64) -> Self {
        Settings { lead, offset: capacity, unit: capacity * limit, day: 1440 }
    }
}

/// The distribution of the load one lead ahead.
#[derive(Clone, Copy, Debug)]
pub struct Predictive<'a> {
    mean: f64,
    sigma: f64,
    offset: f64,
    tails: &'a Tails,
    context: usize,
}

impl Predictive<'_> {
    /// The load that is expected (the centre of the distribution, not its mean), in units of the load.
    pub fn centre(&self) -> f64 {
        (self.mean.exp() - self.offset).max(0.0)
    }

    /// The probability that the load will be above `level`.
    pub fn above(&self, level: f64) -> f64 {
        let z = ((level.max(0.0) + self.offset).ln() - self.mean) / self.sigma;
        self.tails.above(z, self.context)
    }

    /// The load that is exceeded with probability `p` in 0..1, in units of the load.
    pub fn quantile_above(&self, p: f64) -> f64 {
        let (mut low, mut high) = (tails::LOWEST, tails::HIGHEST);
        for _ in 0..50 {
            let middle = (low + high) / 2.0;
            if self.tails.above(middle, self.context) > p { low = middle } else { high = middle }
        }
        ((self.mean + high * self.sigma).exp() - self.offset).max(0.0)
    }
}

/// The distribution of a load one lead ahead, learned while it is observed.
///
/// The method is that of a decayed ridge regression for the mean, a non-negative one for the scale, and a decayed histogram
/// of the scaled errors; the constants were found on per-minute traces of web servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forecaster {
    settings: Settings,
    steps: usize,
    last: Option<f64>,
    mean: Mean,
    scale: Scale,
    tails: Tails,
    /// What was said for the steps to come, the oldest first.
    said: VecDeque<Said>,
}

/// What was forecast for one step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Said {
    mean: f64,
    sigma: f64,
    context: usize,
}

/// How a forecast turned out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What came, less what was said, in logarithms.
    pub error: f64,
    /// The same error if the load of that time had been taken for the load of now.
    pub naive: f64,
    /// The probability that had been given to loads above the one that came: uniform over 0..1 when the forecaster is
    /// calibrated.
    pub above: f64,
}

impl Forecaster {
    /// One that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        let settings = Settings {
            lead: settings.lead.max(1),
            offset: if settings.offset > 0.0 { settings.offset } else { 1.0 },
            unit: if settings.unit > 0.0 { settings.unit } else { 1.0 },
            ..settings
        };
        Forecaster {
            settings,
            steps: 0,
            last: None,
            mean: Mean::new(settings.lead, settings.day),
            scale: Scale::new(settings.lead, settings.day),
            tails: Tails::new(),
            said: VecDeque::new(),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Steps seen.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Takes in the load of the next step; `None` when it is not known, which is not the same as 0: the last one is
    /// taken to go on, and nothing is learned from it. Tells how what was said one lead ago turned out.
    pub fn observe(&mut self, load: Option<f64>) -> Option<Outcome> {
        let known = load.filter(|x| x.is_finite() && *x >= 0.0);
        let y = match known {
            Some(load) => (load + self.settings.offset).ln(),
            None => self.last.unwrap_or_else(|| self.settings.offset.ln()),
        };
        let said = (self.said.len() >= self.settings.lead).then(|| self.said.pop_front()).flatten();
        let learned = said.filter(|_| known.is_some());
        let outcome = learned.map(|said| self.judge(y, said));
        let error = learned.map(|said| y - said.mean);
        self.mean.observe(y, error);
        self.scale.observe(error);
        self.tails.tick();
        self.last = Some(y);
        self.steps += 1;
        let (mean, sigma) = (self.mean.ahead(y), self.scale.ahead());
        self.said.push_back(Said { mean, sigma, context: self.context(mean) });
        outcome
    }

    /// What is normal lately, in units of the load; 0 before the first step.
    pub fn calm(&self) -> f64 {
        self.mean.calm().map_or(0.0, |y| (y.exp() - self.settings.offset).max(0.0))
    }

    /// The distribution one lead ahead of the last step; `None` before the first.
    pub fn predict(&self) -> Option<Predictive<'_>> {
        let Said { mean, sigma, context } = *self.said.back()?;
        Some(Predictive { mean, sigma, offset: self.settings.offset, tails: &self.tails, context })
    }

    fn judge(&mut self, y: f64, said: Said) -> Outcome {
        let z = (y - said.mean) / said.sigma;
        let above = self.tails.above(z, said.context);
        self.tails.learn(z, said.context);
        Outcome { error: y - said.mean, naive: y - self.mean.level_one_lead_ago(), above }
    }

    /// Small fleets err in other ways than large ones: which size of fleet this is.
    fn context(&self, mean: f64) -> usize {
        let instances = (mean.exp() - self.settings.offset).max(0.0) / self.settings.unit;
        let j = (instances / 0.7).log2().floor();
        if j.is_nan() { 0 } else { j.clamp(0.0, (tails::CONTEXTS - 1) as f64) as usize }
    }
}

#[cfg(test)]
mod tests;
