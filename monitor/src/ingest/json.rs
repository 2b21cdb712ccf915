//! Samples in plain JSON: `{"samples": [{"name": "requests", "value": 12.5, "at": 1767225600000, "labels": {...}}]}`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Sink;
use crate::arrival::{Arrival, Point, Stream};
use crate::labels::Labels;

/// A sample.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The name of its series.
    pub name: String,
    /// The value.
    pub value: f64,
    /// When it was measured, in Unix milliseconds; when it comes in if it does not say.
    pub at: Option<i64>,
    /// The labels of its series.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The unit of the value; that of the metric if it does not say.
    pub unit: Option<String>,
}

/// Gives samples to a sink.
pub fn give(samples: &[Sample], now_ms: i64, sink: &mut dyn Sink) {
    for Sample { name, value, at, labels, unit } in samples {
        let labels: Labels = labels.iter().collect();
        let (unit, at_ms) = (unit.as_deref(), at.unwrap_or(now_ms));
        // What became of it, the sink knows.
        let _ = sink.point(&Arrival {
            name,
            labels: &labels,
            unit,
            at_ms,
            stream: Stream::Unknown,
            point: Point::Number(*value),
        });
    }
}
