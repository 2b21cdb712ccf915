//! A rolling backtest: many policies run in the shadow, and the one that has done best lately is followed.
//!
//! Forecasts win where load is volatile by degrees, the threshold rule where it jumps without warning, and nobody knows
//! beforehand which load is which. A shadow costs a dozen integers, so that all of them can be asked all the time.

use serde::{Deserialize, Serialize};

use super::headroom::{Band, Headroom, Prices};
use super::replay::{Fleet, Instances};
use super::threshold::Threshold;
use super::{Forecaster, Outcome, Settings, UNITS_MAX};

/// Violation prices of the shadows, in multiples of the user's.
const MULTIPLES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];
/// Targets of the threshold rules, of the capacity of an instance.
const TARGETS: [f64; 9] = [0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8];
/// Their stabilisations, in steps.
const STABILISATIONS: [usize; 2] = [2, 5];
/// A week of minutes.
const MEMORY: f64 = 1.0 - 1.0 / 10080.0;
/// Nothing is judged before half a day of minutes has passed.
const FIRST: usize = 720;
const EVERY: usize = 30;
/// Another shadow is followed when it is cheaper by this part.
const BETTER: f64 = 0.01;

/// What a shadow does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Forecasts and headroom.
    Foresight {
        /// Violation price, in multiples of the user's.
        multiple: f64,
        /// Whether days and weeks are looked at.
        seasons: bool,
    },
    /// A threshold autoscaler.
    Threshold {
        /// Its target of utilisation, of the capacity of an instance.
        target: f64,
        /// Its stabilisation in steps.
        stabilisation: usize,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Mind {
    /// With the index of the forecaster.
    Foresight(usize, f64, Headroom),
    Threshold(Threshold),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shadow {
    kind: Kind,
    mind: Mind,
    instances: Instances,
    /// Decayed cost of capacity, violations and starts, in prices of one instance for one step.
    score: f64,
    /// Decayed violations.
    violations: f64,
}

/// What the choice rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The shadow.
    pub kind: Kind,
    /// Cost of a step on average over the memory, in prices of one instance for one step.
    pub cost: f64,
    /// Part of the steps in violation over the memory.
    pub violated: f64,
    /// Whether it is followed.
    pub followed: bool,
}

/// The shadows and which of them is followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chooser {
    fleet: Fleet,
    violation: f64,
    start: f64,
    forecasters: Vec<Forecaster>,
    shadows: Vec<Shadow>,
    followed: usize,
    steps: usize,
    last: f64,
    weight: f64,
    errors: Errors,
}

/// How far forecasts were off lately (over about a day of minutes), as parts of the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// The mean error of the forecast.
    pub forecast: f64,
    /// That of taking the load of now for the load one lead ahead.
    pub naive: f64,
    seen: u64,
}

impl Errors {
    fn learn(&mut self, outcome: &Outcome) {
        self.seen += 1;
        let gain = (1.0 / self.seen as f64).max(1.0 / 1440.0);
        self.forecast += gain * (outcome.error.abs().exp_m1() - self.forecast);
        self.naive += gain * (outcome.naive.abs().exp_m1() - self.naive);
    }
}

impl Chooser {
    /// For a fleet; a step of violation has the price `violation` and a start the price `start`, both in prices of one
    /// instance for one step. `day` is the number of steps of a day, 0 without seasons.
    pub fn new(fleet: Fleet, day: usize, violation: f64, start: f64) -> Self {
        let mut days = vec![day];
        if day > 0 {
            days.push(0);
        }
        let settings =
            |day| Settings { lead: fleet.lead, offset: fleet.capacity, unit: fleet.capacity * fleet.limit, day };
        let instances = Instances::new(&fleet);
        let shadow = |kind, mind| Shadow { kind, mind, instances: instances.clone(), score: 0.0, violations: 0.0 };
        let mut shadows = Vec::new();
        for (i, day) in days.iter().enumerate() {
            for multiple in MULTIPLES {
                let mind = Mind::Foresight(i, multiple, Headroom::new(Band::default(), fleet.lead));
                shadows.push(shadow(Kind::Foresight { multiple, seasons: *day > 0 }, mind));
            }
        }
        for target in TARGETS {
            for stabilisation in STABILISATIONS {
                let mind = Mind::Threshold(Threshold::new(target, stabilisation));
                shadows.push(shadow(Kind::Threshold { target, stabilisation }, mind));
            }
        }
        let plain = shadows.iter().position(|s| matches!(s.kind, Kind::Foresight { multiple: 1.0, .. }));
        Chooser {
            fleet,
            violation,
            start,
            forecasters: days.iter().map(|day| Forecaster::new(settings(*day))).collect(),
            shadows,
            followed: plain.unwrap_or(0),
            steps: 0,
            last: 0.0,
            weight: 0.0,
            errors: Errors::default(),
        }
    }

    /// What to hold after a step with this load; `None` when the load is not known.
    pub fn step(&mut self, load: Option<f64>) -> u64 {
        let x = load.unwrap_or(self.last);
        self.last = x;
        for (i, forecaster) in self.forecasters.iter_mut().enumerate() {
            let outcome = forecaster.observe(load);
            if let Some(outcome) = outcome.filter(|_| i == 0) {
                self.errors.learn(&outcome);
            }
        }
        let unit = self.fleet.capacity * self.fleet.limit;
        let price = self.violation * (x / unit).clamp(1.0, UNITS_MAX as f64).sqrt();
        self.weight = self.weight * MEMORY + 1.0;
        for shadow in &mut self.shadows {
            let violated = shadow.instances.pass(x, &self.fleet);
            let held = shadow.instances.held();
            let wanted = match &mut shadow.mind {
                Mind::Foresight(i, multiple, headroom) => {
                    let forecaster = &self.forecasters[*i];
                    let prices = Prices { unit, violation: *multiple * self.violation, least: self.fleet.least };
                    match forecaster.predict() {
                        Some(ahead) => {
                            let needs = headroom.needs(&ahead, &prices);
                            headroom.step(held, needs, x, forecaster.calm(), unit)
                        }
                        None => held,
                    }
                }
                Mind::Threshold(rule) => {
                    rule.step(shadow.instances.serving(), held, x, self.fleet.capacity, self.fleet.least)
                }
            };
            let wanted = wanted.max(self.fleet.least);
            let starts = wanted.saturating_sub(held) as f64;
            shadow.instances.hold(wanted);
            let cost = held as f64 + if violated { price } else { 0.0 } + self.start * starts;
            shadow.score = shadow.score * MEMORY + cost;
            shadow.violations = shadow.violations * MEMORY + f64::from(u8::from(violated));
        }
        self.steps += 1;
        if self.steps >= FIRST && self.steps.is_multiple_of(EVERY) {
            self.choose();
        }
        self.shadows[self.followed].instances.held()
    }

    fn choose(&mut self) {
        let best = (0..self.shadows.len()).min_by(|a, b| self.shadows[*a].score.total_cmp(&self.shadows[*b].score));
        if let Some(best) = best
            && self.shadows[best].score < (1.0 - BETTER) * self.shadows[self.followed].score
        {
            self.followed = best;
        }
    }

    /// Another fleet, or another price of violations: what the shadows hold is converted, what they have learned stays.
    pub fn retune(&mut self, capacity: f64, violation: f64) {
        self.violation = violation;
        if capacity != self.fleet.capacity && capacity > 0.0 {
            let ratio = self.fleet.capacity / capacity;
            self.fleet.capacity = capacity;
            for shadow in &mut self.shadows {
                shadow.instances.convert(ratio);
                if let Mind::Foresight(_, _, headroom) = &mut shadow.mind {
                    headroom.convert(ratio);
                }
                // What it cost is told in prices of the new instance.
                shadow.score *= ratio;
            }
        }
    }

    /// The distribution one lead ahead, by the forecaster that knows the seasons; `None` before the first step.
    pub fn predict(&self) -> Option<super::Predictive<'_>> {
        self.forecasters.first().and_then(Forecaster::predict)
    }

    /// The shadow that is followed.
    pub fn followed(&self) -> &Kind {
        &self.shadows[self.followed].kind
    }

    /// How far forecasts were off lately.
    pub fn errors(&self) -> &Errors {
        &self.errors
    }

    /// How all shadows have done lately, the cheapest first.
    pub fn standings(&self) -> Vec<Standing> {
        let weight = self.weight.max(1.0);
        let mut all: Vec<Standing> = self
            .shadows
            .iter()
            .enumerate()
            .map(|(i, shadow)| Standing {
                kind: shadow.kind.clone(),
                cost: shadow.score / weight,
                violated: shadow.violations / weight,
                followed: i == self.followed,
            })
            .collect();
        all.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        all
    }
}
