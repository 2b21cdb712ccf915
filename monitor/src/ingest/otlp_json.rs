//! The JSON form of OTLP: names in lowerCamelCase, integers of 64 bits as texts or numbers, unknown names passed over.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::otlp::{
    ExponentialPoint, Header, HistogramPoint, NumberPoint, Resource, Scope, exponential, histogram, number,
    resource_labels, scope_label,
};
use super::{Accepted, Malformed, Sink};
use crate::arrival::Refusal;

const MESSAGE: &str = "OTLP metrics message in JSON";
/// The most objects and arrays in a message: each point and each attribute is one or more, and takes memory while it is
/// read.
const PARTS_MAX: usize = 500_000;
/// The most commas in a message: each is followed by a value, which takes memory too.
const COMMAS_MAX: usize = 2_000_000;

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Request {
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceMetrics {
    resource: Resource,
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScopeMetrics {
    scope: Scope,
    metrics: Vec<Metric>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric {
    name: String,
    unit: String,
    gauge: Option<Data<NumberPoint>>,
    sum: Option<Data<NumberPoint>>,
    histogram: Option<Data<HistogramPoint>>,
    exponential_histogram: Option<Data<ExponentialPoint>>,
    summary: Option<Data<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<P> {
    #[serde(default = "Vec::new")]
    data_points: Vec<P>,
    #[serde(default)]
    aggregation_temporality: Temporality,
    #[serde(default)]
    is_monotonic: bool,
}

/// A number; the names of the protobuf values are understood too.
#[derive(Default)]
struct Temporality(i64);

impl<'de> Deserialize<'de> for Temporality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Temporality(match Value::deserialize(deserializer)? {
            Value::Number(n) => n.as_i64().unwrap_or(0),
            Value::String(name) if name == "AGGREGATION_TEMPORALITY_DELTA" => 1,
            Value::String(name) if name == "AGGREGATION_TEMPORALITY_CUMULATIVE" => 2,
            _ => 0,
        }))
    }
}

/// Reads a JSON message of metrics to be exported.
///
/// # Errors
/// When it is none, or has too many parts; nothing was taken then.
pub fn decode_json(body: &[u8], sink: &mut dyn Sink) -> Result<Accepted, Malformed> {
    let count = |of: fn(&u8) -> bool| body.iter().filter(|byte| of(byte)).count();
    if count(|byte| matches!(byte, b'{' | b'[')) > PARTS_MAX {
        return Err(Malformed::message(MESSAGE, format!("it has more than {PARTS_MAX} objects and arrays")));
    }
    if count(|byte| *byte == b',') > COMMAS_MAX {
        return Err(Malformed::message(MESSAGE, format!("it has more than {COMMAS_MAX} values")));
    }
    let request: Request =
        serde_json::from_slice(body).map_err(|error| Malformed::message(MESSAGE, error.to_string()))?;
    let mut accepted = Accepted::default();
    for ResourceMetrics { resource, scope_metrics } in &request.resource_metrics {
        let base = resource_labels(resource);
        for ScopeMetrics { scope, metrics } in scope_metrics {
            let mut labels = base.clone();
            scope_label(scope, &mut labels);
            for metric in metrics {
                let unit = Some(metric.unit.as_str()).filter(|unit| !unit.is_empty());
                let name = metric.name.as_str();
                let head = |temporality, is_monotonic, is_sum| Header { name, unit, temporality, is_monotonic, is_sum };
                let mut out = |data: &Data<NumberPoint>, is_sum| {
                    let header = head(data.aggregation_temporality.0, data.is_monotonic, is_sum);
                    data.data_points.iter().for_each(|p| number(p, &header, &labels, sink, &mut accepted));
                };
                metric.gauge.iter().for_each(|data| out(data, false));
                metric.sum.iter().for_each(|data| out(data, true));
                if let Some(data) = &metric.histogram {
                    let header = head(data.aggregation_temporality.0, true, true);
                    data.data_points.iter().for_each(|p| histogram(p, &header, &labels, sink, &mut accepted));
                }
                if let Some(data) = &metric.exponential_histogram {
                    let header = head(data.aggregation_temporality.0, true, true);
                    data.data_points.iter().for_each(|p| exponential(p, &header, &labels, sink, &mut accepted));
                }
                if let Some(data) = &metric.summary {
                    data.data_points.iter().for_each(|_| sink.refuse(Refusal::Kind));
                }
            }
        }
    }
    Ok(accepted)
}

/// A whole number as a number or a text.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(n) => n.as_i64().map(Some).ok_or_else(|| D::Error::custom("expected a whole number of 64 bits")),
        Value::String(text) => text.parse().map(Some).map_err(D::Error::custom),
        _ => Err(D::Error::custom("expected a whole number, as a number or a text")),
    }
}

fn natural<E: Error>(value: &Value) -> Result<u64, E> {
    match value {
        Value::Null => Ok(0),
        Value::Number(n) => n.as_u64().ok_or_else(|| E::custom("expected a whole number that is not negative")),
        Value::String(text) => text.parse().map_err(E::custom),
        _ => Err(E::custom("expected a whole number, as a number or a text")),
    }
}

/// A whole number that is not negative, as a number or a text.
pub(super) fn fixed64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    natural(&Value::deserialize(deserializer)?)
}

/// Such numbers in a row.
pub(super) fn fixed64s<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Vec::<Value>::deserialize(deserializer)?.iter().map(natural).collect()
}

fn real<E: Error>(value: &Value) -> Result<f64, E> {
    match value {
        Value::Number(n) => n.as_f64().ok_or_else(|| E::custom("expected a number")),
        Value::String(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text => text.parse().map_err(E::custom),
        },
        _ => Err(E::custom("expected a number")),
    }
}

/// A number, which may be a text.
pub(super) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => real(&value).map(Some),
    }
}

/// Numbers in a row.
pub(super) fn doubles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    Vec::<Value>::deserialize(deserializer)?.iter().map(real).collect()
}

/// Whatever it is, as it is written.
pub(super) fn written<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        value => Ok(Some(value.to_string().into_bytes())),
    }
}
