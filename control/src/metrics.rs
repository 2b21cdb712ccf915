//! The values of metrics with their age, and what a decision makes of them.

use std::collections::BTreeMap;

use cardinal_adapter::time::UnixMs;
use cardinal_models::application::{Application, Metric};
pub use cardinal_models::document::WhenStale;
use serde::{Deserialize, Serialize};

/// A value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReading {
    /// The value, in the unit of the metric.
    pub value: f64,
    /// When it was measured.
    pub at: UnixMs,
    /// How many samples it is made of; `None` for a value that was given as such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// True when samples came in for less than the length of the window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// When the value is not what was measured but what to be ready for: how it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

impl MetricReading {
    /// A value that was given as such.
    pub fn new(value: f64, at: UnixMs) -> Self {
        MetricReading { value, at, samples: None, partial: false, forecast: None }
    }
}

/// How a value to be ready for came about; see [`crate::foresight`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// What was measured.
    pub measured: f64,
    /// What is expected one lead ahead: the middle of the distribution.
    pub expected: f64,
    /// The load will be below this with a probability of 5 %.
    pub low: f64,
    /// The load will be above this with a probability of 5 %.
    pub high: f64,
    /// The probability that the load will be above the value to be ready for.
    pub risk: f64,
    /// How far forecasts were off lately, as a part of the load.
    pub error: f64,
    /// The same if the load of now had been taken for that one lead ahead.
    pub naive_error: f64,
    /// Which policy did best lately and is followed.
    pub policy: Policy,
}

/// What says how much to be ready for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The distribution of the load to come.
    Forecast,
    /// A target of utilisation, because it would have done better lately.
    Threshold,
}

/// The values by name; names that the model does not know are kept and not used.
pub type Readings = BTreeMap<String, MetricReading>;

/// When a value is too old, and what happens then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricPolicy {
    /// A value is fresh for so long, in milliseconds. Default: 5 minutes.
    pub max_age_ms: u64,
    /// After that the last value is held for so long, in milliseconds. Default: 15 minutes.
    pub hold_ms: u64,
    /// What happens then.
    pub then: WhenStale,
}

impl Default for MetricPolicy {
    fn default() -> Self {
        MetricPolicy { max_age_ms: 300_000, hold_ms: 900_000, then: WhenStale::FallBack }
    }
}

/// How good a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// Measured lately.
    Fresh,
    /// Measured lately, by samples that do not fill the window yet.
    Partial,
    /// Measured some time ago, and held.
    Held,
    /// The default of the model, because nothing was ever measured.
    Default,
    /// The default of the model, because what was measured is too old.
    FallBack,
    /// Computed by the model's formula.
    Computed,
    /// None.
    Missing,
}

/// What a decision saw of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenMetric {
    /// Its name.
    pub name: String,
    /// The value that was used; `None` when it is computed or missing.
    pub value: Option<f64>,
    /// How long ago it was measured, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// How many samples it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// How good it is.
    pub quality: Quality,
    /// When the value is what to be ready for: how it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// What a decision at this time sees of every metric of the model, in the model's order.
pub fn see(application: &Application, readings: &Readings, policy: &MetricPolicy, now: UnixMs) -> Vec<SeenMetric> {
    application.metrics.iter().map(|metric| see_one(metric, readings, policy, now)).collect()
}

fn see_one(metric: &Metric, readings: &Readings, policy: &MetricPolicy, now: UnixMs) -> SeenMetric {
    let name = metric.name.to_string();
    let policy = policy.of(metric);
    let reading = readings.get(metric.name.as_ref()).filter(|r| r.value.is_finite());
    let age_ms = reading.map(|r| now.ms_since(r.at));
    let without = |quality_of_default: Quality| match (&metric.formula, metric.default) {
        (Some(_), _) => (None, Quality::Computed),
        (None, Some(default)) => (Some(default), quality_of_default),
        (None, None) => (None, Quality::Missing),
    };
    let (value, quality) = match (reading, age_ms) {
        (Some(reading), Some(age)) if age <= policy.max_age_ms => {
            (Some(reading.value), if reading.partial { Quality::Partial } else { Quality::Fresh })
        }
        (Some(reading), Some(age)) if age <= policy.end_ms() => (Some(reading.value), Quality::Held),
        (Some(_), _) if policy.then == WhenStale::Refuse => (None, Quality::Missing),
        (Some(_), _) => without(Quality::FallBack),
        (None, _) => without(Quality::Default),
    };
    let used = matches!(quality, Quality::Fresh | Quality::Partial | Quality::Held);
    let samples = reading.and_then(|r| r.samples);
    let forecast = reading.and_then(|r| r.forecast).filter(|_| used);
    SeenMetric { name, value, age_ms, samples, quality, forecast }
}

impl MetricPolicy {
    /// The policy for a metric: what its model says of it, else this.
    pub fn of(&self, metric: &Metric) -> MetricPolicy {
        let own = &metric.ageing;
        MetricPolicy {
            max_age_ms: own.max_age_ms.unwrap_or(self.max_age_ms),
            hold_ms: own.hold_ms.unwrap_or(self.hold_ms),
            then: own.then.unwrap_or(self.then),
        }
    }

    /// The age at which a value can no longer be held, in milliseconds.
    fn end_ms(&self) -> u64 {
        self.max_age_ms.saturating_add(self.hold_ms)
    }
}

/// The metrics whose values can no longer be held, by name.
pub fn stale(application: &Application, readings: &Readings, policy: &MetricPolicy, now: UnixMs) -> Vec<String> {
    let metric = |name: &str| application.metric(name).map(|id| &application.metrics[id.index()]);
    let is_old = |name: &str, reading: &MetricReading| {
        metric(name).is_some_and(|metric| now.ms_since(reading.at) > policy.of(metric).end_ms())
    };
    readings.iter().filter(|(name, reading)| is_old(name, reading)).map(|(name, _)| name.clone()).collect()
}

/// When the next value becomes too old to be held; `None` when none will.
pub fn next_stale(
    application: &Application,
    readings: &Readings,
    policy: &MetricPolicy,
    now: UnixMs,
) -> Option<UnixMs> {
    let ends = readings.iter().map(|(name, reading)| {
        let own = application.metric(name).map(|id| policy.of(&application.metrics[id.index()]));
        reading.at.plus_ms(own.unwrap_or(*policy).end_ms().saturating_add(1))
    });
    ends.filter(|at| *at > now).min()
}
