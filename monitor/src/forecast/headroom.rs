//! How much to hold: the newsvendor's quantile, with a hysteresis in probability.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Predictive, UNITS_MAX, count};

/// However cheap a violation is: never hold so little that one is likelier than this. Without it, giving up is the best
/// answer to a load whose bill is higher than the price of its violations.
const LIKELIEST: f64 = 0.3;

/// Violation prices at which the needs of one step are asked for, in multiples of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Up to what one goes when more is needed at the plain price.
    pub up_to: f64,
    /// What is held must be more than is needed at this price before any of it is released.
    pub release_above: f64,
    /// Down to what one releases.
    pub release_to: f64,
}

impl Default for Band {
    /// Few changes.
    fn default() -> Self {
        Band { up_to: 4.0, release_above: 16.0, release_to: 4.0 }
    }
}

impl Band {
    /// Follows more closely, with about twice the changes.
    pub const CLOSE: Band = Band { up_to: 1.0, release_above: 4.0, release_to: 4.0 };
}

/// What a policy weighs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// The load that one unit of capacity (an instance) serves without violation.
    pub unit: f64,
    /// The price of one step of violation of a fleet of one unit, in prices of one unit for one step. A larger fleet's
    /// violations weigh more, with the square root of its size.
    pub violation: f64,
    /// The fewest units.
    pub least: u64,
}

/// The number of units that is best to hold when `violation` is the price: the sum of what they cost and of what
/// violations are expected to cost is least.
pub fn units(ahead: &Predictive<'_>, prices: &Prices, violation: f64) -> u64 {
    let expected = (ahead.centre() / prices.unit).max(0.0).min(UNITS_MAX as f64);
    let weight = violation * expected.max(1.0).sqrt();
    let mut d = prices.least.max(expected.floor().min(UNITS_MAX as f64) as u64);
    let (mut best, mut best_cost) = (None, f64::INFINITY);
    loop {
        let p = ahead.above(prices.unit * d as f64);
        let cost = d as f64 + weight * p;
        if p <= LIKELIEST && cost < best_cost {
            (best, best_cost) = (Some(d), cost);
        }
        // More than d costs more than d. Loads beyond what a count of instances can be are held at the last number
        // looked at.
        if d as f64 >= best_cost || p <= 0.0 || d >= UNITS_MAX {
            return best.unwrap_or(d);
        }
        d += (d / 1024).max(1);
    }
}

/// The needs of one step, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// At the plain price: less than this is too little.
    pub least: u64,
    /// What one goes up to.
    pub up_to: u64,
    /// What is held beyond this may go.
    pub release_above: u64,
    /// What one releases down to.
    pub release_to: u64,
}

impl Needs {
    fn times(self, ratio: f64) -> Needs {
        let times = |n: u64| count(n as f64 * ratio - 1e-9);
        Needs {
            least: times(self.least),
            up_to: times(self.up_to),
            release_above: times(self.release_above),
            release_to: times(self.release_to),
        }
    }

    fn max(self, other: Needs) -> Needs {
        Needs {
            least: self.least.max(other.least),
            up_to: self.up_to.max(other.up_to),
            release_above: self.release_above.max(other.release_above),
            release_to: self.release_to.max(other.release_to),
        }
    }
}

/// Turns distributions into numbers of units to hold, one step after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Headroom {
    band: Band,
    /// A release must have been right for so many steps: at least the lead, because decisions of that time are still
    /// landing.
    window: usize,
    recent: VecDeque<Needs>,
    guard: Guard,
}

impl Headroom {
    /// A policy for a load that takes `lead` steps to be served.
    pub fn new(band: Band, lead: usize) -> Self {
        Headroom { band, window: lead.max(3), recent: VecDeque::new(), guard: Guard::default() }
    }

    /// Each unit is now so many.
    pub(super) fn convert(&mut self, ratio: f64) {
        self.recent.iter_mut().chain(&mut self.guard.before).for_each(|needs| *needs = needs.times(ratio));
    }

    /// The needs of one step, without deciding anything.
    pub fn needs(&self, ahead: &Predictive<'_>, prices: &Prices) -> Needs {
        let at = |multiple: f64| units(ahead, prices, multiple * prices.violation);
        let least = at(1.0);
        Needs {
            least,
            up_to: at(self.band.up_to).max(least),
            release_above: at(self.band.release_above),
            release_to: at(self.band.release_to),
        }
    }

    /// What to hold after this step, given what is held (serving and starting together). `load` is that of the step and
    /// `calm` what is normal: while the load has fallen far below it, as in an outage of what measures or of what comes
    /// before, the needs of the moment before hold on for a while.
    pub fn step(&mut self, held: u64, needs: Needs, load: f64, calm: f64, unit: f64) -> u64 {
        let needs = self.guard.pass(needs, load, calm, unit);
        self.recent.push_back(needs);
        if self.recent.len() > self.window {
            self.recent.pop_front();
        }
        if needs.least > held {
            return needs.up_to;
        }
        let most = self.recent.iter().copied().fold(needs, Needs::max);
        if most.release_above < held { most.release_to.max(most.least).min(held) } else { held }
    }
}

/// Holds on to what was needed while the load is gone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Guard {
    before: Option<Needs>,
    held_for: usize,
}

/// A load below this part of what is normal is an outage rather than a lull.
const OUTAGE: f64 = 0.25;
/// For at most so many steps.
const OUTAGE_STEPS: usize = 30;
/// Fleets at or below so many units are too small to tell.
const OUTAGE_UNITS: f64 = 2.0;

impl Guard {
    fn pass(&mut self, needs: Needs, load: f64, calm: f64, unit: f64) -> Needs {
        let gone = load < OUTAGE * calm && calm > OUTAGE_UNITS * unit;
        match self.before {
            Some(before) if gone && self.held_for < OUTAGE_STEPS => {
                self.held_for += 1;
                before.max(needs)
            }
            _ => {
                if !gone {
                    self.held_for = 0;
                }
                self.before = Some(needs);
                needs
            }
        }
    }
}

/// Finds the violation price that keeps to a budget of violations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The share of steps that may be in violation, 0..1.
    pub share: f64,
    level: f64,
}

impl Budget {
    /// A budget of so much of the time.
    pub fn new(share: f64) -> Self {
        Budget { share, level: 7.0 }
    }

    /// Takes in whether the last step was in violation.
    pub fn observe(&mut self, violated: bool) {
        let miss = f64::from(u8::from(violated)) - self.share;
        self.level = (self.level + 0.25 * miss).clamp(0.0, 12.0);
    }

    /// The price at which to weigh violations now, in prices of one unit for one step.
    pub fn violation(&self) -> f64 {
        0.6 * self.level.exp2()
    }
}
