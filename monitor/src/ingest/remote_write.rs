//! Remote write of Prometheus: version 1.0 and the message of version 2.0.
//!
//! Sources: the Prometheus remote write specifications 1.0 and 2.0; numbers of fields are those of
//! `prometheus.WriteRequest` and `io.prometheus.write.v2.Request`. Metadata, exemplars and start times are passed over.

use prost::Message;

use super::wire::{Broken, Field, Fields, each, text, varint};
use super::{Accepted, Malformed, Sink};
use crate::arrival::{Arrival, Point, Refusal, Stream};
use crate::buckets::{Exponential, Histogram, SIDE_MAX, Shape, Side};
use crate::labels::{LABEL_BYTES_MAX, Labels};

/// The bits of the NaN that marks the end of a series.
pub const STALE: u64 = 0x7ff0_0000_0000_0002;

const MESSAGE: &str = "remote write message";
const NAME: &str = "__name__";
/// The most symbols of a message of version 2.0.
const SYMBOLS_MAX: usize = 200_000;
/// The most references to symbols of one series.
const REFERENCES_MAX: usize = 2_000;
/// The most bytes of all labels of a message of version 2.0, written out: eight times the largest message.
const WRITTEN_BYTES_MAX: usize = 128 << 20;
/// The largest native histogram, in bytes.
const LEAF_BYTES_MAX: usize = 64 << 10;

/// The version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

impl Version {
    /// The version that a `Content-Type` names; none when it names neither.
    pub fn of(content_type: &str) -> Option<Version> {
        let mut parts = content_type.split(';').map(str::trim);
        if !parts.next()?.eq_ignore_ascii_case("application/x-protobuf") {
            return None;
        }
        let message = parts.find_map(|part| part.strip_prefix("proto=")).map(|name| name.trim_matches('"'));
        match message {
            None | Some("prometheus.WriteRequest") => Some(Version::V1),
            Some("io.prometheus.write.v2.Request") => Some(Version::V2),
            Some(_) => None,
        }
    }
}

/// Buckets in a row, after a gap.
#[derive(Clone, Copy, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// A native histogram of whole counts. Those of fractions come of recording rules and are refused.
#[derive(Clone, PartialEq, Message)]
struct Native {
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    count_float: Option<f64>,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(sint32, tag = "4")]
    schema: i32,
    #[prost(uint64, optional, tag = "6")]
    zeros: Option<u64>,
    #[prost(message, repeated, tag = "8")]
    negative_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "9")]
    negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "12")]
    positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    timestamp: i64,
    #[prost(double, repeated, tag = "16")]
    custom_values: Vec<f64>,
}

/// Reads a message, unpacked.
///
/// # Errors
/// When it is none. What came before the fault was taken.
pub fn decode(version: Version, body: &[u8], sink: &mut dyn Sink) -> Result<Accepted, Malformed> {
    let mut accepted = Accepted::default();
    let walked = match version {
        Version::V1 => each(body, 1, |series| walk_v1(series, sink, &mut accepted)),
        Version::V2 => walk_v2(body, sink, &mut accepted),
    };
    walked.map_err(|reason| Malformed::message(MESSAGE, reason))?;
    Ok(accepted)
}

fn walk_v1(series: &[u8], sink: &mut dyn Sink, accepted: &mut Accepted) -> Result<(), Broken> {
    let (mut name, mut labels) = ("", Labels::new());
    each(series, 1, |label| {
        let (mut key, mut value) = ("", "");
        let mut fields = Fields(label);
        while let Some((number, field)) = fields.field()? {
            match (number, field) {
                (1, Field::Bytes(bytes)) => key = text(bytes)?,
                (2, Field::Bytes(bytes)) => value = text(bytes)?,
                _ => {}
            }
        }
        if key == NAME {
            name = value;
        } else {
            labels.set(key, value);
        }
        Ok(())
    })?;
    each(series, 2, |sample| point(sample, name, &labels, sink, accepted))?;
    each(series, 4, |histogram| native(histogram, name, &labels, sink, accepted))
}

fn walk_v2(body: &[u8], sink: &mut dyn Sink, accepted: &mut Accepted) -> Result<(), Broken> {
    let mut symbols: Vec<&str> = Vec::new();
    each(body, 4, |symbol| {
        if symbols.len() >= SYMBOLS_MAX {
            return Err("it has more than 200,000 symbols");
        }
        symbols.push(text(symbol)?);
        Ok(())
    })?;
    if symbols.first().is_some_and(|first| !first.is_empty()) {
        return Err("the first symbol is not the empty text");
    }
    let mut written = 0_usize;
    each(body, 5, |series| {
        let (name, pairs) = referred(&references(series)?, &symbols)?;
        let bytes: usize = pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
        // One symbol may be referred to any number of times, so that nothing is copied before its length is known.
        if bytes > LABEL_BYTES_MAX {
            sink.refuse(Refusal::Labels);
            return Ok(());
        }
        written = written.saturating_add(bytes);
        if written > WRITTEN_BYTES_MAX {
            return Err("the labels of its series are longer than 128 MiB in all; send smaller batches");
        }
        let mut labels = Labels::new();
        pairs.iter().for_each(|(key, value)| labels.set(key, value));
        each(series, 2, |sample| point(sample, name, &labels, sink, accepted))?;
        each(series, 3, |histogram| native(histogram, name, &labels, sink, accepted))
    })
}

/// The references of a series to symbols: those of names and values by turns.
fn references(series: &[u8]) -> Result<Vec<u64>, Broken> {
    let mut refs = Vec::new();
    let mut fields = Fields(series);
    while let Some((number, field)) = fields.field()? {
        match (number, field) {
            (1, Field::Varint(reference)) if refs.len() <= REFERENCES_MAX => refs.push(reference),
            (1, Field::Bytes(mut row)) => {
                while !row.is_empty() && refs.len() <= REFERENCES_MAX {
                    refs.push(varint(&mut row)?);
                }
            }
            _ => {}
        }
    }
    if refs.len() > REFERENCES_MAX {
        return Err("a series has more than 1,000 labels");
    }
    if !refs.len().is_multiple_of(2) {
        return Err("a series has a label without value");
    }
    Ok(refs)
}

/// The name of a series and its other labels, not copied.
type Referred<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// What the references of a series stand for.
fn referred<'a>(refs: &[u64], symbols: &[&'a str]) -> Result<Referred<'a>, Broken> {
    let symbol = |reference: u64| {
        let at = usize::try_from(reference).ok();
        at.and_then(|at| symbols.get(at)).copied().ok_or("a series refers to a symbol that is not there")
    };
    let (mut name, mut pairs) = ("", Vec::with_capacity(refs.len() / 2));
    for pair in refs.chunks_exact(2) {
        let (key, value) = (symbol(pair[0])?, symbol(pair[1])?);
        if key == NAME {
            name = value;
        } else {
            pairs.push((key, value));
        }
    }
    Ok((name, pairs))
}

/// A sample: a number and a time.
fn point(
    sample: &[u8],
    name: &str,
    labels: &Labels,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) -> Result<(), Broken> {
    let (mut value, mut at_ms) = (0.0, 0);
    let mut fields = Fields(sample);
    while let Some((number, field)) = fields.field()? {
        match (number, field) {
            (1, Field::Fixed64(bits)) => value = f64::from_bits(bits),
            // Negative numbers of protobuf fill all 64 bits.
            (2, Field::Varint(bits)) => at_ms = bits.cast_signed(),
            _ => {}
        }
    }
    let point = if value.to_bits() == STALE { Point::Stale } else { Point::Number(value) };
    let arrival = Arrival { name, labels, unit: None, at_ms, stream: Stream::Unknown, point };
    accepted.samples += u64::from(sink.point(&arrival).is_ok());
    Ok(())
}

fn native(
    bytes: &[u8],
    name: &str,
    labels: &Labels,
    sink: &mut dyn Sink,
    accepted: &mut Accepted,
) -> Result<(), Broken> {
    if bytes.len() > LEAF_BYTES_MAX {
        return Err("a histogram is larger than 64 KiB");
    }
    let native = Native::decode(bytes).map_err(|_| "a histogram is broken")?;
    let stale = native.sum.to_bits() == STALE;
    let histogram = if stale { None } else { whole(&native) };
    let point = match &histogram {
        _ if stale => Point::Stale,
        Some(histogram) => Point::Histogram(histogram),
        None => {
            let is_float = native.count_float.is_some();
            sink.refuse(if is_float { Refusal::Kind } else { Refusal::Histogram });
            return Ok(());
        }
    };
    let stream = Stream::Cumulative { start_ms: None, is_monotonic: true };
    let arrival = Arrival { name, labels, unit: None, at_ms: native.timestamp, stream, point };
    accepted.histograms += u64::from(sink.point(&arrival).is_ok());
    Ok(())
}

/// A native histogram as it is understood here; none when its parts do not fit.
fn whole(native: &Native) -> Option<Histogram> {
    let count = native.count.or(native.count_float.is_none().then_some(0))?;
    let zeros = native.zeros.unwrap_or(0);
    // Prometheus numbers a bucket by its upper end, OpenTelemetry by its lower.
    let positive = buckets(&native.positive_spans, &native.positive_deltas, -1)?;
    let shape = if native.schema == -53 {
        let bounds = native.custom_values.clone();
        let filled = buckets(&native.positive_spans, &native.positive_deltas, 0)?;
        let mut counts = vec![0; bounds.len() + 1];
        for (index, n) in filled {
            *counts.get_mut(usize::try_from(index).ok()?)? = n;
        }
        Shape::Explicit { bounds, counts }
    } else {
        let negative = buckets(&native.negative_spans, &native.negative_deltas, -1)?;
        Shape::Exponential(Exponential { scale: native.schema, zeros, positive, negative })
    };
    Some(Histogram { count, sum: Some(native.sum), min: None, max: None, shape })
}

/// Counts that are told as differences, over spans with gaps between them.
fn buckets(spans: &[Span], deltas: &[i64], shift: i32) -> Option<Side> {
    let mut side = Side::new();
    let (mut index, mut count) = (shift, 0_i64);
    let mut deltas = deltas.iter();
    for span in spans {
        index = index.checked_add(span.offset)?;
        for _ in 0..span.length {
            count = count.checked_add(*deltas.next()?)?;
            let n = u64::try_from(count).ok()?;
            if n > 0 {
                side.insert(index, n);
            }
            if side.len() > SIDE_MAX {
                return None;
            }
            index = index.checked_add(1)?;
        }
    }
    deltas.next().is_none().then_some(side)
}
