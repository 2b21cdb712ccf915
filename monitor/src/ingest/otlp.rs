//! OpenTelemetry metrics over HTTP, in protobuf and in JSON.
//!
//! Sources: the OpenTelemetry protocol specification 1.x (encodings, partial success) and its metrics data model
//! (temporality, resets, unrecorded values). Numbers of fields are those of `opentelemetry.proto.metrics.v1`.
//!
//! A point's labels are the attributes of its resource and its own, and the words of this language for what well-known
//! attributes say: `application`, `component`, `instance`, `node`, `zone`, `region`, `provider`.

use prost::Message;
use serde::Deserialize;

use super::otlp_json::{double, doubles, fixed64, fixed64s, integer};
use super::wire::{Broken, Field, Fields, each, text};
use super::{Accepted, Malformed, Sink};
use crate::arrival::{Arrival, Point, Refusal, Stream};
use crate::buckets::{Exponential, Histogram, SIDE_MAX, Shape, Side};
use crate::labels::Labels;

pub use super::otlp_json::decode_json;

const MESSAGE: &str = "OTLP metrics message";
/// The largest point, and the largest resource, in bytes.
const LEAF_BYTES_MAX: usize = 64 << 10;

/// What well-known attributes are called here, the most telling first.
const ALIASES: [(&str, &[&str]); 7] = [
    ("application", &["cardinal.application", "service.namespace"]),
    ("component", &["cardinal.component"]),
    ("instance", &["cardinal.instance", "service.instance.id", "k8s.pod.name", "container.id"]),
    ("node", &["cardinal.node", "k8s.node.name", "host.name", "host.id"]),
    ("zone", &["cardinal.zone", "cloud.availability_zone"]),
    ("region", &["cardinal.region", "cloud.region"]),
    ("provider", &["cardinal.provider", "cloud.provider"]),
];

/// A key with a value.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

/// A value of an attribute. What has parts is taken as it is written.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AnyValue {
    #[prost(string, optional, tag = "1")]
    string_value: Option<String>,
    #[prost(bool, optional, tag = "2")]
    bool_value: Option<bool>,
    #[prost(int64, optional, tag = "3")]
    #[serde(deserialize_with = "integer")]
    int_value: Option<i64>,
    #[prost(double, optional, tag = "4")]
    #[serde(deserialize_with = "double")]
    double_value: Option<f64>,
    #[prost(bytes = "vec", optional, tag = "5")]
    #[serde(deserialize_with = "super::otlp_json::written")]
    array_value: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "6")]
    #[serde(deserialize_with = "super::otlp_json::written")]
    kvlist_value: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "7")]
    #[serde(deserialize_with = "super::otlp_json::written")]
    bytes_value: Option<Vec<u8>>,
}

/// What is measured.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

/// What measures.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Scope {
    #[prost(string, tag = "1")]
    name: String,
}

/// A number.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NumberPoint {
    #[prost(fixed64, tag = "2")]
    #[serde(deserialize_with = "fixed64")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(deserialize_with = "fixed64")]
    time_unix_nano: u64,
    #[prost(double, optional, tag = "4")]
    #[serde(deserialize_with = "double")]
    as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    #[serde(deserialize_with = "integer")]
    as_int: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "8")]
    flags: u32,
}

/// A histogram with bounds of its own.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HistogramPoint {
    #[prost(fixed64, tag = "2")]
    #[serde(deserialize_with = "fixed64")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(deserialize_with = "fixed64")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "fixed64")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "double")]
    sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    #[serde(deserialize_with = "fixed64s")]
    bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    #[serde(deserialize_with = "doubles")]
    explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    flags: u32,
    #[prost(double, optional, tag = "11")]
    #[serde(deserialize_with = "double")]
    min: Option<f64>,
    #[prost(double, optional, tag = "12")]
    #[serde(deserialize_with = "double")]
    max: Option<f64>,
}

/// An exponential histogram.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExponentialPoint {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    #[serde(deserialize_with = "fixed64")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "3")]
    #[serde(deserialize_with = "fixed64")]
    time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "fixed64")]
    count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "double")]
    sum: Option<f64>,
    #[prost(sint32, tag = "6")]
    scale: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(deserialize_with = "fixed64")]
    zero_count: u64,
    #[prost(message, optional, tag = "8")]
    positive: Option<BucketRow>,
    #[prost(message, optional, tag = "9")]
    negative: Option<BucketRow>,
    #[prost(uint32, tag = "10")]
    flags: u32,
    #[prost(double, optional, tag = "12")]
    #[serde(deserialize_with = "double")]
    min: Option<f64>,
    #[prost(double, optional, tag = "13")]
    #[serde(deserialize_with = "double")]
    max: Option<f64>,
}

/// Buckets in a row.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BucketRow {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint64, repeated, tag = "2")]
    #[serde(deserialize_with = "fixed64s")]
    bucket_counts: Vec<u64>,
}

/// What stands above the points of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub name: &'a str,
    pub unit: Option<&'a str>,
    /// 1 is delta, 2 cumulative.
    pub temporality: i64,
    pub is_monotonic: bool,
    pub is_sum: bool,
}

/// Reads a protobuf message of metrics to be exported.
///
/// # Errors
/// When it is none. What came before the fault was taken.
pub fn decode(body: &[u8], sink: &mut dyn Sink) -> Result<Accepted, Malformed> {
    let mut accepted = Accepted::default();
    let walked = each(body, 1, |resource_metrics| {
        let mut base = Labels::new();
        each(resource_metrics, 1, |bytes| {
            base = resource_labels(&leaf::<Resource>(bytes)?);
            Ok(())
        })?;
        each(resource_metrics, 2, |scope_metrics| {
            let mut labels = base.clone();
            each(scope_metrics, 1, |bytes| {
                scope_label(&leaf::<Scope>(bytes)?, &mut labels);
                Ok(())
            })?;
            each(scope_metrics, 2, |metric| walk_metric(metric, &labels, sink, &mut accepted))
        })
    });
    walked.map_err(|reason| Malformed::message(MESSAGE, reason))?;
    Ok(accepted)
}

fn leaf<M: Message + Default>(bytes: &[u8]) -> Result<M, Broken> {
    if bytes.len() > LEAF_BYTES_MAX {
        return Err("a point or resource is larger than 64 KiB");
    }
    M::decode(bytes).map_err(|_| "a point or resource is broken")
}

fn walk_metric(metric: &[u8], base: &Labels, sink: &mut dyn Sink, accepted: &mut Accepted) -> Result<(), Broken> {
    let (mut name, mut unit, mut data) = ("", None, None);
    let mut fields = Fields(metric);
    while let Some((number, field)) = fields.field()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (3, Field::Bytes(bytes)) => unit = Some(text(bytes)?).filter(|u| !u.is_empty()),
            // Of several kinds of data the last counts, as for every choice in protobuf.
            (5 | 7 | 9 | 10 | 11, Field::Bytes(bytes)) => data = Some((number, bytes)),
            _ => {}
        }
    }
    let Some((kind, data)) = data else { return Ok(()) };
    let mut header = Header { name, unit, temporality: 0, is_monotonic: false, is_sum: kind != 5 && kind != 11 };
    let mut fields = Fields(data);
    while let Some((number, field)) = fields.field()? {
        match (number, field) {
            (2, Field::Varint(value)) => header.temporality = i64::try_from(value).unwrap_or(0),
            (3, Field::Varint(value)) => header.is_monotonic = value != 0,
            _ => {}
        }
    }
    each(data, 1, |point| {
        match kind {
            5 | 7 => number(&leaf(point)?, &header, base, sink, accepted),
            9 => histogram(&leaf(point)?, &header, base, sink, accepted),
            10 => exponential(&leaf(point)?, &header, base, sink, accepted),
            // Summaries are quantiles of one process, which nothing can put together.
            _ => sink.refuse(Refusal::Kind),
        }
        Ok(())
    })
}

/// The labels that the attributes of a resource make.
pub(super) fn resource_labels(resource: &Resource) -> Labels {
    let mut labels = with_attributes(&Labels::new(), &resource.attributes);
    for (label, attributes) in ALIASES {
        let said = attributes.iter().find_map(|attribute| labels.get(attribute)).map(str::to_owned);
        said.into_iter().for_each(|value| labels.set_missing(label, &value));
    }
    labels
}

pub(super) fn scope_label(scope: &Scope, labels: &mut Labels) {
    labels.set("otel.scope.name", &scope.name);
}

fn with_attributes(base: &Labels, attributes: &[KeyValue]) -> Labels {
    let mut labels = base.clone();
    for KeyValue { key, value } in attributes {
        let Some(value) = value else { continue };
        if let Some(text) = &value.string_value {
            labels.set(key, text);
        } else if let Some(value) = value.written() {
            labels.set(key, &value);
        }
    }
    labels
}

impl AnyValue {
    fn written(&self) -> Option<String> {
        let parts = [&self.array_value, &self.kvlist_value, &self.bytes_value];
        let bytes = || parts.into_iter().flatten().next().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let truth = self.bool_value.map(|b| b.to_string());
        let number = || self.int_value.map(|n| n.to_string()).or_else(|| self.double_value.map(|n| n.to_string()));
        truth.or_else(number).or_else(bytes)
    }
}

/// True when a point says that nothing was recorded.
fn is_unrecorded(flags: u32) -> bool {
    flags & 1 == 1
}

fn ms(nanos: u64) -> i64 {
    // Nanoseconds of 64 bits are fewer milliseconds than an i64 holds.
    i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX)
}

fn stream(header: &Header<'_>, start_nanos: u64) -> Result<Stream, Refusal> {
    let start_ms = (start_nanos > 0).then(|| ms(start_nanos));
    match header.temporality {
        _ if !header.is_sum => Ok(Stream::Gauge),
        1 => Ok(Stream::Delta { start_ms, is_monotonic: header.is_monotonic }),
        2 => Ok(Stream::Cumulative { start_ms, is_monotonic: header.is_monotonic }),
        _ => Err(Refusal::Kind),
    }
}

pub(super) fn number(
    point: &NumberPoint,
    header: &Header<'_>,
    base: &Labels,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) {
    let stream = match stream(header, point.start_time_unix_nano) {
        Ok(stream) => stream,
        Err(refusal) => return sink.refuse(refusal),
    };
    let value = point.as_double.or(point.as_int.map(|n| n as f64));
    let value = match value {
        _ if is_unrecorded(point.flags) => Point::Stale,
        Some(value) => Point::Number(value),
        None => return sink.refuse(Refusal::NotFinite),
    };
    let labels = with_attributes(base, &point.attributes);
    let at_ms = ms(point.time_unix_nano);
    let arrival = Arrival { name: header.name, labels: &labels, unit: header.unit, at_ms, stream, point: value };
    accepted.samples += u64::from(sink.point(&arrival).is_ok());
}

pub(super) fn histogram(
    point: &HistogramPoint,
    header: &Header<'_>,
    base: &Labels,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) {
    // Without buckets only the number and the sum are known: one bucket holds all.
    let counts = if point.bucket_counts.is_empty() { vec![point.count] } else { point.bucket_counts.clone() };
    let shape = Shape::Explicit { bounds: point.explicit_bounds.clone(), counts };
    let histogram = Histogram { count: point.count, sum: point.sum, min: point.min, max: point.max, shape };
    let place = Place { start: point.start_time_unix_nano, at: point.time_unix_nano, flags: point.flags };
    distribution(&histogram, &place, &with_attributes(base, &point.attributes), header, sink, accepted);
}

pub(super) fn exponential(
    point: &ExponentialPoint,
    header: &Header<'_>,
    base: &Labels,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) {
    let (Some(positive), Some(negative)) = (side(point.positive.as_ref()), side(point.negative.as_ref())) else {
        return sink.refuse(Refusal::Histogram);
    };
    let shape = Exponential { scale: point.scale, zeros: point.zero_count, positive, negative };
    let shape = Shape::Exponential(shape);
    let histogram = Histogram { count: point.count, sum: point.sum, min: point.min, max: point.max, shape };
    let place = Place { start: point.start_time_unix_nano, at: point.time_unix_nano, flags: point.flags };
    distribution(&histogram, &place, &with_attributes(base, &point.attributes), header, sink, accepted);
}

/// The buckets that have measurements; none when there are too many, or beyond all numbers.
fn side(row: Option<&BucketRow>) -> Option<Side> {
    let Some(row) = row else { return Some(Side::new()) };
    let mut side = Side::new();
    for (i, n) in (0_i32..).zip(&row.bucket_counts).filter(|(_, n)| **n > 0) {
        side.insert(row.offset.checked_add(i)?, *n);
    }
    (side.len() <= SIDE_MAX).then_some(side)
}

/// When a distribution was measured.
struct Place {
    start: u64,
    at: u64,
    flags: u32,
}

fn distribution(
    histogram: &Histogram,
    place: &Place,
    labels: &Labels,
    header: &Header<'_>,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) {
    let stream = match stream(header, place.start) {
        Ok(stream) => stream,
        Err(refusal) => return sink.refuse(refusal),
    };
    let point = if is_unrecorded(place.flags) { Point::Stale } else { Point::Histogram(histogram) };
    let at_ms = ms(place.at);
    let arrival = Arrival { name: header.name, labels, unit: header.unit, at_ms, stream, point };
    accepted.histograms += u64::from(sink.point(&arrival).is_ok());
}

/// The answer to an export, in protobuf: empty, or how many points were refused and why.
pub fn answer(refused: u64, message: Option<&str>) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct PartialSuccess {
        #[prost(int64, tag = "1")]
        rejected_data_points: i64,
        #[prost(string, tag = "2")]
        error_message: String,
    }
    #[derive(Clone, PartialEq, Message)]
    struct Answer {
        #[prost(message, optional, tag = "1")]
        partial_success: Option<PartialSuccess>,
    }
    let partial_success = message.map(|message| PartialSuccess {
        rejected_data_points: i64::try_from(refused).unwrap_or(i64::MAX),
        error_message: message.to_owned(),
    });
    Answer { partial_success }.encode_to_vec()
}

/// The answer to an export that failed as a whole, in protobuf: what is wrong.
pub fn status(message: &str) -> Vec<u8> {
    #[derive(Clone, PartialEq, Message)]
    struct Status {
        #[prost(string, tag = "2")]
        message: String,
    }
    Status { message: message.to_owned() }.encode_to_vec()
}
