//! The values of metrics with their age, and what a decision makes of them.

use std::collections::BTreeMap;

use cardinal_adapter::time::UnixMs;
use cardinal_models::application::{Application, Metric};
use serde::{Deserialize, Serialize};

/// A value of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricReading {
    /// The value, in the unit of the metric.
    pub value: f64,
    /// When it was measured.
    pub at: UnixMs,
    /// When the value is not what was measured but what to be ready for: how it came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

impl MetricReading {
    /// A value as it was measured.
    pub fn measured(value: f64, at: UnixMs) -> Self {
        MetricReading { value, at, forecast: None }
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

/// What happens when a value can no longer be held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenStale {
    /// The default of the model is used; where it has none, no decision is made.
    #[default]
    FallBack,
    /// No decision is made.
    Refuse,
}

/// How good a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quality {
    /// Measured lately.
    Fresh,
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
    let reading = readings.get(metric.name.as_ref()).filter(|r| r.value.is_finite());
    let age_ms = reading.map(|r| now.ms_since(r.at));
    let without = |quality_of_default: Quality| match (&metric.formula, metric.default) {
        (Some(_), _) => (None, Quality::Computed),
        (None, Some(default)) => (Some(default), quality_of_default),
        (None, None) => (None, Quality::Missing),
    };
    let (value, quality) = match (reading, age_ms) {
        (Some(reading), Some(age)) if age <= policy.max_age_ms => (Some(reading.value), Quality::Fresh),
        (Some(reading), Some(age)) if age <= policy.max_age_ms.saturating_add(policy.hold_ms) => {
            (Some(reading.value), Quality::Held)
        }
        (Some(_), _) if policy.then == WhenStale::Refuse => (None, Quality::Missing),
        (Some(_), _) => without(Quality::FallBack),
        (None, _) => without(Quality::Default),
    };
    let used = matches!(quality, Quality::Fresh | Quality::Held);
    SeenMetric { name, value, age_ms, quality, forecast: reading.and_then(|r| r.forecast).filter(|_| used) }
}

/// The metrics whose values can no longer be held, by name.
pub fn stale(application: &Application, readings: &Readings, policy: &MetricPolicy, now: UnixMs) -> Vec<String> {
    let limit = policy.max_age_ms.saturating_add(policy.hold_ms);
    let known = |name: &str| application.metric(name).is_some();
    let old = readings.iter().filter(|(name, reading)| known(name) && now.ms_since(reading.at) > limit);
    old.map(|(name, _)| name.clone()).collect()
}

/// When the next value becomes too old to be held; `None` when none will.
pub fn next_stale(readings: &Readings, policy: &MetricPolicy, now: UnixMs) -> Option<UnixMs> {
    let limit = policy.max_age_ms.saturating_add(policy.hold_ms).saturating_add(1);
    readings.values().map(|r| r.at.plus_ms(limit)).filter(|at| *at > now).min()
}
