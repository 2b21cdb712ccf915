//! Room for the load to come: what the loop is told instead of a load that is measured.
//!
//! For a metric with a forecast the loop sees not the load of now but the load to be ready for when a change that is begun
//! now has landed. Everything after that is as ever: a deployment that cannot hold it is in violation, the solver finds
//! the cheapest that can, the gate asks whether it pays. How much to be ready for is the business of
//! [`cardinal_monitor::forecast`].

use std::collections::BTreeMap;

use cardinal_adapter::time::UnixMs;
use cardinal_models::snapshot::Snapshot;
use cardinal_monitor::forecast::chooser::{Chooser, Kind};
use cardinal_monitor::forecast::replay::Fleet;
use serde::{Deserialize, Serialize};

use crate::capacity::{Capacity, Gauge};
use crate::metrics::{Forecast, MetricReading, Policy};

/// How a metric is forecast.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricForecast {
    /// What an hour in violation costs while one instance would do, in the currency of the catalog; above 0. A larger
    /// deployment's violations weigh more, with the square root of its size.
    pub violation: f64,
    /// From a decision to the moment at which what it adds serves, in milliseconds. Default: 3 minutes.
    #[serde(default = "three_minutes")]
    pub lead_ms: u64,
    /// Values are taken together in steps of this length, in milliseconds. Default: 1 minute.
    #[serde(default = "one_minute")]
    pub step_ms: u64,
    /// Whether days and weeks are looked at. Default: true.
    #[serde(default = "yes")]
    pub seasons: bool,
}

fn three_minutes() -> u64 {
    180_000
}

fn one_minute() -> u64 {
    60_000
}

fn yes() -> bool {
    true
}

impl MetricForecast {
    /// With the defaults of all else.
    pub fn new(violation: f64) -> Self {
        MetricForecast { violation, lead_ms: three_minutes(), step_ms: one_minute(), seasons: yes() }
    }

    /// What is wrong with the numbers, each with the name of the setting.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !(self.violation.is_finite() && self.violation > 0.0) {
            mistakes.push(format!("violation is {}; write a price per hour above 0", self.violation));
        }
        if !(1_000..=3_600_000).contains(&self.step_ms) {
            mistakes.push(format!("step_ms is {}; write from 1000 to 3600000", self.step_ms));
        } else if self.lead_ms == 0 || self.lead_ms.div_ceil(self.step_ms) > LEAD_STEPS_MAX {
            mistakes.push(format!("lead_ms is {}; write from 1 to {LEAD_STEPS_MAX} steps", self.lead_ms));
        }
        mistakes
    }

    fn lead(&self) -> usize {
        self.lead_ms.div_ceil(self.step_ms.max(1)).clamp(1, LEAD_STEPS_MAX) as usize
    }

    fn day(&self) -> usize {
        if self.seasons { (86_400_000 / self.step_ms.max(1)) as usize } else { 0 }
    }
}

/// The longest lead, in steps.
const LEAD_STEPS_MAX: u64 = 240;
/// A gap is passed over in at most so many steps.
const GAP_STEPS_MAX: u64 = 1440;
/// A fleet is looked at in at least so many parts, so that one large machine can become a smaller one.
const PARTS: f64 = 8.0;
/// More parts than this are not held at the start.
const HELD_MAX: f64 = 1e9;
/// The probability of a load above the upper end of the interval that is told.
const TAIL: f64 = 0.05;

/// What is known of the loads of one application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Foresight {
    metrics: BTreeMap<String, Course>,
}

/// What is known of one load.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Course {
    settings: MetricForecast,
    chooser: Chooser,
    /// How many parts one instance is looked at as.
    parts: f64,
    unit: f64,
    /// The values of the step under way.
    sum: f64,
    count: u32,
    /// The end of the last step.
    closed: UnixMs,
    told: Option<(f64, Forecast)>,
}

impl Foresight {
    /// Takes in a value of a metric and says what the loop is to see instead. `capacity` is what runs, or what ran last,
    /// can hold; without one nothing is known of instances, and the value passes as it is.
    pub fn observe(
        &mut self,
        metric: &str,
        settings: &MetricForecast,
        reading: MetricReading,
        capacity: Option<&Capacity>,
    ) -> MetricReading {
        if !reading.value.is_finite() || reading.value < 0.0 {
            return reading;
        }
        if self.metrics.get(metric).is_some_and(|course| course.settings != *settings) {
            self.metrics.remove(metric);
        }
        let course = match (self.metrics.get_mut(metric), capacity) {
            (Some(course), _) => course,
            (None, Some(capacity)) => {
                let fresh = Course::new(settings, capacity, &reading);
                self.metrics.entry(metric.to_owned()).or_insert(fresh)
            }
            (None, None) => return reading,
        };
        course.take(&reading, capacity);
        match course.told {
            Some((value, forecast)) => {
                MetricReading { value, forecast: Some(Forecast { measured: reading.value, ..forecast }), ..reading }
            }
            None => reading,
        }
    }

    /// Forgets the metrics that are not forecast any more.
    pub fn retain(&mut self, settings: &BTreeMap<String, MetricForecast>) {
        self.metrics.retain(|name, _| settings.contains_key(name));
    }
}

/// Foresight with what it needs to know of the deployment, as a host keeps it for each loop.
#[derive(Debug, Default)]
pub struct Outlook {
    foresight: Foresight,
    gauge: Gauge,
}

impl Outlook {
    /// The model or the catalog is another one: what is known of the deployment's capacity no longer counts.
    pub fn renew(&mut self) {
        self.gauge = Gauge::default();
    }

    /// What the loop is told of values that came in. `snapshot` is what runs, with the values of now.
    pub fn pass(
        &mut self,
        settings: &BTreeMap<String, MetricForecast>,
        snapshot: impl FnOnce() -> Snapshot,
        mut readings: Vec<(String, MetricReading)>,
    ) -> Vec<(String, MetricReading)> {
        self.foresight.retain(settings);
        if !readings.iter().any(|(name, _)| settings.contains_key(name)) {
            return readings;
        }
        let snapshot = snapshot();
        for (name, reading) in &mut readings {
            let (Some(settings), Some(metric)) = (settings.get(name), snapshot.application.metric(name)) else {
                continue;
            };
            let capacity = self.gauge.of_current(&snapshot, metric);
            *reading = self.foresight.observe(name, settings, *reading, capacity.as_ref());
        }
        readings
    }
}

impl Course {
    fn new(settings: &MetricForecast, capacity: &Capacity, first: &MetricReading) -> Self {
        let parts = parts(1.0, capacity);
        let fleet = Fleet {
            capacity: capacity.unit / parts,
            limit: 1.0,
            lead: settings.lead(),
            least: 1,
            initial: (capacity.holds * parts / capacity.unit).ceil().clamp(1.0, HELD_MAX) as u64,
        };
        let violation = violation(settings, capacity, parts);
        Course {
            settings: *settings,
            chooser: Chooser::new(fleet, settings.day(), violation, 0.0),
            parts,
            unit: capacity.unit,
            sum: 0.0,
            count: 0,
            closed: UnixMs(first.at.0.saturating_sub_unsigned(settings.step_ms)),
            told: None,
        }
    }

    fn take(&mut self, reading: &MetricReading, capacity: Option<&Capacity>) {
        if reading.at <= self.closed {
            return;
        }
        self.sum += reading.value;
        self.count += 1;
        // A value that comes a little early ends its step all the same: senders are not punctual.
        let step = self.settings.step_ms.max(1);
        let passed = (reading.at.ms_since(self.closed) + step / 10) / step;
        if passed == 0 {
            return;
        }
        if let Some(capacity) = capacity {
            self.parts = parts(self.parts, capacity);
            self.unit = capacity.unit;
            self.chooser.retune(self.unit / self.parts, violation(&self.settings, capacity, self.parts));
        }
        for _ in 1..passed.min(GAP_STEPS_MAX) {
            self.chooser.step(None);
        }
        let load = self.sum / f64::from(self.count);
        let held = self.chooser.step(Some(load));
        (self.sum, self.count, self.closed) = (0.0, 0, reading.at);
        let to_hold = held as f64 * self.unit / self.parts;
        let Some(ahead) = self.chooser.predict() else { return };
        let errors = self.chooser.errors();
        let forecast = Forecast {
            measured: load,
            expected: ahead.centre(),
            low: ahead.quantile_above(1.0 - TAIL),
            high: ahead.quantile_above(TAIL),
            risk: ahead.above(to_hold),
            error: errors.forecast,
            naive_error: errors.naive,
            policy: match self.chooser.followed() {
                Kind::Foresight { .. } => Policy::Forecast,
                Kind::Threshold { .. } => Policy::Threshold,
            },
        };
        self.told = Some((to_hold, forecast));
    }
}

/// In how many parts to look at an instance: small fleets in several, and never changed for a little.
fn parts(now: f64, capacity: &Capacity) -> f64 {
    let instances = (capacity.holds / capacity.unit).max(1e-9);
    let held = instances * now;
    if (PARTS / 2.0..=PARTS * 4.0).contains(&held) || (now == 1.0 && held > PARTS) {
        return now;
    }
    (PARTS / instances).log2().ceil().exp2().clamp(1.0, 4096.0)
}

/// The price of a step of violation, in prices of one part for one step, for a fleet of one part.
fn violation(settings: &MetricForecast, capacity: &Capacity, parts: f64) -> f64 {
    // What costs nothing may be held without end; a thousandth of the price of a violation keeps it finite.
    let price = capacity.unit_price.max(settings.violation / 1000.0) / parts;
    settings.violation / price / parts.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: MetricForecast =
        MetricForecast { violation: 50.0, lead_ms: 120_000, step_ms: 60_000, seasons: false };

    fn capacity(instances: f64, unit: f64) -> Capacity {
        Capacity { holds: instances * unit, unit, unit_price: 1.0 }
    }

    /// Feeds a value a minute and tells what the loop is told at last.
    fn after(
        foresight: &mut Foresight,
        capacity: &Capacity,
        from: i64,
        values: impl Iterator<Item = f64>,
    ) -> MetricReading {
        let mut last = MetricReading::new(f64::NAN, UnixMs(0));
        for (i, value) in values.enumerate() {
            let reading = MetricReading::new(value, UnixMs((from + i as i64) * 60_000));
            last = foresight.observe("load", &SETTINGS, reading, Some(capacity));
        }
        last
    }

    #[test]
    fn the_loop_is_told_what_to_be_ready_for() {
        let mut foresight = Foresight::default();
        let mut random = fastrand::Rng::with_seed(1);
        let told = after(&mut foresight, &capacity(12.0, 100.0), 0, (0..2000).map(|_| 900.0 + 100.0 * random.f64()));
        let forecast = told.forecast.unwrap_or_else(|| panic!("no forecast"));
        assert!(told.value > 1000.0 && told.value < 1400.0, "{told:?}");
        assert!(
            forecast.low < forecast.expected && forecast.expected < forecast.high && forecast.risk < 0.1,
            "{forecast:?}"
        );
        assert!(forecast.measured != told.value && forecast.error < 0.1, "{forecast:?}");
    }

    #[test]
    fn one_large_machine_may_become_a_smaller_one() {
        let mut foresight = Foresight::default();
        let told = after(&mut foresight, &capacity(1.0, 10_000.0), 0, std::iter::repeat_n(1000.0, 3000));
        assert!(told.value > 1000.0 && told.value < 5000.0, "{told:?}");
        // What has shrunk is told in its own instances.
        let told = after(&mut foresight, &capacity(1.0, 2000.0), 3000, std::iter::repeat_n(1000.0, 3000));
        assert!(told.value > 1000.0 && told.value <= 2000.0, "{told:?}");
    }

    #[test]
    fn without_a_capacity_values_pass_as_they_are() {
        let mut foresight = Foresight::default();
        let reading = MetricReading::new(5.0, UnixMs(60_000));
        assert_eq!(foresight.observe("load", &SETTINGS, reading, None), reading);
        let odd = MetricReading::new(-5.0, UnixMs(60_000));
        assert_eq!(foresight.observe("load", &SETTINGS, odd, Some(&capacity(1.0, 1.0))), odd);
    }

    #[test]
    fn late_values_and_long_gaps_do_no_harm() {
        let mut foresight = Foresight::default();
        let room = capacity(12.0, 100.0);
        let before = after(&mut foresight, &room, 0, std::iter::repeat_n(1000.0, 500));
        let late = foresight.observe("load", &SETTINGS, MetricReading::new(9e9, UnixMs(0)), Some(&room));
        assert_eq!(late.value, before.value, "a value from the past changes nothing");
        let years = UnixMs(1_000_000_000_000);
        let long = foresight.observe("load", &SETTINGS, MetricReading::new(1000.0, years), Some(&room));
        assert!(long.value >= 1000.0 && long.value < 3000.0, "{long:?}");
    }

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let odd = MetricForecast { violation: -1.0, step_ms: 1, ..SETTINGS };
        assert_eq!(odd.mistakes().len(), 2);
        assert!(MetricForecast { lead_ms: 0, ..SETTINGS }.mistakes()[0].starts_with("lead_ms"));
        assert!(SETTINGS.mistakes().is_empty());
    }
}
