//! Whole messages of every form become points, and no message, however broken, does any harm.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_monitor::ingest::remote_write::{self, STALE, Version};
use cardinal_monitor::ingest::{Malformed, Sink, otlp};
use cardinal_monitor::{Arrival, Histogram, Labels, Limits, Monitor, Plan, Point, Refusal, Shape, Stream, Taken};
use proptest::prelude::*;

/// The most measurements of a histogram.
const COUNT_MAX: u64 = 1 << 53;
const NOW: i64 = 1_700_000_000_000;

/// Writes points down, and gives them to windows.
struct Seen {
    lines: Vec<String>,
    refused: Vec<Refusal>,
    windows: Monitor,
}

impl Seen {
    fn new() -> Self {
        let model = "application: a\ncomponents: {web: {}}\nmetrics:\n  m: {aggregate: p90, window: 5m}\n  n: {source: m, \
                     aggregate: rate, window: 1m, per: zone}\n  h: {aggregate: p99, window: 1h}\n";
        let (application, ..) = load(&Source::new("model", model)).unwrap();
        let limits = Limits { series_max: 5, ..Limits::default() };
        let windows = Monitor::new(Arc::new(Plan::of(&application)), limits);
        Seen { lines: Vec::new(), refused: Vec::new(), windows }
    }
}

impl Sink for Seen {
    fn point(&mut self, arrival: &Arrival<'_>) -> Result<Taken, Refusal> {
        let labels: Vec<String> = arrival.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let value = match arrival.point {
            Point::Number(value) => value.to_string(),
            Point::Histogram(histogram) => format!("{} measurements", histogram.count),
            Point::Stale => "stale".to_owned(),
        };
        if self.lines.len() < 100 {
            let seconds = arrival.at_ms.saturating_sub(NOW) / 1000;
            self.lines.push(format!("{}{{{}}} {value} at {seconds}", arrival.name, labels.join(",")));
        }
        // Most times that are made up lie beyond all windows.
        let near = Arrival { at_ms: NOW - arrival.at_ms.rem_euclid(300_000), ..*arrival };
        let _ = self.windows.take(&near, NOW);
        self.windows.take(arrival, NOW)
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused.push(refusal);
    }
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while n > 127 {
        out.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// A text or a message in a field.
fn part(number: u8, body: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], varint(body.len() as u64), body.to_vec()].concat()
}

fn fixed(number: u8, bits: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &bits.to_le_bytes()].concat()
}

fn whole(number: u8, n: u64) -> Vec<u8> {
    [vec![number << 3], varint(n)].concat()
}

fn attribute(number: u8, key: &str, value: &str) -> Vec<u8> {
    part(number, &[part(1, key.as_bytes()), part(2, &part(1, value.as_bytes()))].concat())
}

/// An export with a sum, a gauge that says that nothing was recorded, and histograms of both kinds, one of them with as
/// many measurements as there may be.
fn export() -> Vec<u8> {
    let times = [fixed(2, (NOW as u64 - 9000) * 1_000_000), fixed(3, NOW as u64 * 1_000_000)].concat();
    let number = [times.clone(), fixed(4, 5.0_f64.to_bits()), attribute(7, "zone", "b")].concat();
    let unrecorded = [times.clone(), whole(8, 1)].concat();
    let counts: Vec<u8> = [1_u64, 2, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    let bounds: Vec<u8> = [1.0_f64, 2.0].iter().flat_map(|b| b.to_le_bytes()).collect();
    let ends = |first: u8| [fixed(first, 0.5_f64.to_bits()), fixed(first + 1, 3.0_f64.to_bits())].concat();
    let explicit = [times.clone(), fixed(4, 4), part(6, &counts), part(7, &bounds), ends(11)].concat();
    let one = COUNT_MAX.to_le_bytes();
    let large = [times.clone(), fixed(4, COUNT_MAX), part(6, &one), attribute(9, "zone", "c"), ends(11)].concat();
    let buckets = part(8, &[whole(1, 2), part(2, &[1, 3])].concat());
    let exponential = [times, fixed(4, 4), whole(6, 4), buckets, ends(12)].concat();
    let sum = [part(1, &number), whole(2, 2), whole(3, 1)].concat();
    let metric = |name: &str, kind: u8, data: &[u8]| part(2, &[part(1, name.as_bytes()), part(kind, data)].concat());
    let metrics = [
        metric("m", 7, &sum),
        metric("m", 5, &part(1, &unrecorded)),
        metric("h", 9, &[part(1, &explicit), part(1, &large), whole(2, 1)].concat()),
        metric("h", 10, &[part(1, &exponential), whole(2, 2)].concat()),
        metric("h", 11, &part(1, &[])),
    ];
    let resource = [
        attribute(1, "service.instance.id", "i1"),
        attribute(1, "host.name", "n1"),
        attribute(1, "cloud.availability_zone", "a"),
    ];
    part(1, &[part(1, &resource.concat()), part(2, &metrics.concat())].concat())
}

/// A remote write of version 1.0 with a number, a stale marker and a native histogram.
fn written() -> Vec<u8> {
    let label = |name: &str, value: &str| part(1, &[part(1, name.as_bytes()), part(2, value.as_bytes())].concat());
    let sample = |at: i64, bits: u64| part(2, &[fixed(1, bits), whole(2, at as u64)].concat());
    let native = [
        whole(1, 4),
        fixed(3, 6.0_f64.to_bits()),
        whole(4, 4),
        part(11, &[whole(1, 4), whole(2, 2)].concat()),
        part(12, &[2, 4]),
        whole(15, NOW as u64),
    ];
    let m = [label("__name__", "m"), label("zone", "a"), sample(NOW - 1000, 5.0_f64.to_bits()), sample(NOW, STALE)];
    let h = [label("__name__", "h"), part(4, &native.concat())];
    [part(1, &m.concat()), part(1, &h.concat())].concat()
}

/// The same number as a message of version 2.0.
fn written_2() -> Vec<u8> {
    let symbols = ["", "__name__", "m", "zone", "a"].map(|symbol| part(4, symbol.as_bytes())).concat();
    let sample = part(2, &[fixed(1, 5.0_f64.to_bits()), whole(2, NOW as u64)].concat());
    [symbols, part(5, &[part(1, &[1, 2, 3, 4]), sample].concat())].concat()
}

const JSON: &str = r#"{"resourceMetrics": [{"resource": {"attributes": [{"key": "cardinal.zone", "value": {"stringValue": "z"}}]},
  "scopeMetrics": [{"scope": {"name": "lib"}, "metrics": [
    {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": "1700000000000000000", "asInt": "7",
      "attributes": [{"key": "k", "value": {"boolValue": true}}, {"key": "l", "value": {"arrayValue": {"values": []}}}]}]}},
    {"name": "m", "sum": {"aggregationTemporality": 0, "dataPoints": [{"timeUnixNano": "1700000000000000000", "asDouble": 1}]}},
    {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": 1700000000000000000, "asDouble": "NaN"}]}}]}]}]}"#;

#[test]
fn an_export_in_protobuf_is_read() {
    let mut seen = Seen::new();
    let accepted = otlp::decode(&export(), &mut seen).unwrap();
    let of = "cloud.availability_zone=a,host.name=n1,instance=i1,node=n1,service.instance.id=i1,zone";
    let number = format!("m{{{of}=b}} 5 at 0");
    let histogram = format!("h{{{of}=a}} 4 measurements at 0");
    let large = format!("h{{{of}=c}} {COUNT_MAX} measurements at 0");
    assert_eq!(seen.lines, [number, format!("m{{{of}=a}} stale at 0"), histogram.clone(), large, histogram]);
    // Summaries cannot be put together; two kinds of one name at one time are one too many.
    assert_eq!((seen.refused, accepted.samples), (vec![Refusal::Kind], 2));
}

#[test]
fn an_export_in_json_is_read() {
    let mut seen = Seen::new();
    otlp::decode_json(JSON.as_bytes(), &mut seen).unwrap();
    let labels = "cardinal.zone=z,k=true,l={\"values\":[]},otel.scope.name=lib,zone=z";
    assert_eq!(seen.lines[0], format!("m{{{labels}}} 7 at 0"));
    assert_eq!(seen.lines[1], "m{cardinal.zone=z,otel.scope.name=lib,zone=z} NaN at 0");
    // A sum must say its temporality.
    assert_eq!(seen.refused, [Refusal::Kind]);
    let many = format!("[{}]", "{},".repeat(600_000));
    assert!(matches!(otlp::decode_json(many.as_bytes(), &mut seen), Err(Malformed::NoMessage { .. })));
}

#[test]
fn arrays_and_values_in_json_are_counted_before_they_are_read() {
    let mut seen = Seen::new();
    for (part, reason) in [("[],", "objects and arrays"), ("0,", "values")] {
        let row = format!("[{}0]", part.repeat(2_100_000));
        let value = format!(r#"{{"key": "k", "value": {{"arrayValue": {row}}}}}"#);
        let bomb = format!(r#"{{"resourceMetrics": [{{"resource": {{"attributes": [{value}]}}}}]}}"#);
        let Err(error) = otlp::decode_json(bomb.as_bytes(), &mut seen) else { panic!("{part}") };
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_histogram_that_contradicts_itself_is_refused() {
    let labels = Labels::new();
    let stream = Stream::Delta { start_ms: None, is_monotonic: true };
    let mut windows = Seen::new().windows;
    let mut take = |count: u64, (min, max): (f64, f64), before: i64| {
        let shape = Shape::Explicit { bounds: vec![1.0], counts: vec![count, 0] };
        let histogram = Histogram { count, sum: None, min: Some(min), max: Some(max), shape };
        let point = Point::Histogram(&histogram);
        windows.take(&Arrival { name: "h", labels: &labels, unit: None, at_ms: NOW - before, stream, point }, NOW)
    };
    assert_eq!(take(4, (3.0, 1.0), 9), Err(Refusal::Histogram));
    assert_eq!(take(u64::MAX, (0.0, 1.0), 8), Err(Refusal::Histogram));
    assert_eq!(take(COUNT_MAX, (0.0, 1.0), 7), Ok(Taken::Taken));
    assert_eq!(take(COUNT_MAX, (0.0, 1.0), 6), Ok(Taken::Taken));
    let read = windows.read(NOW);
    assert_eq!(read.iter().find(|r| &*r.name == "h").map(|r| r.samples), Some(2 * COUNT_MAX));
}

#[test]
fn symbols_that_are_referred_to_many_times_are_not_copied() {
    let row = |key: u64, n: usize| part(1, &[varint(key), varint(3)].concat().repeat(n));
    let sample = part(2, &[fixed(1, 5.0_f64.to_bits()), whole(2, NOW as u64)].concat());
    let symbols = ["", "k", "l", &"v".repeat(8000)].map(|symbol| part(4, symbol.as_bytes())).concat();
    let mut seen = Seen::new();
    let twice = [symbols.clone(), part(5, &[row(1, 2), sample.clone()].concat())].concat();
    assert!(remote_write::decode(Version::V2, &twice, &mut seen).is_ok());
    assert_eq!((seen.lines.len(), seen.refused), (0, vec![Refusal::Labels]));
    let mut seen = Seen::new();
    let many = [symbols, part(5, &row(2, 1)).repeat(17_000)].concat();
    assert!(many.len() < 1 << 18);
    let Err(error) = remote_write::decode(Version::V2, &many, &mut seen) else { panic!() };
    assert!(error.to_string().contains("128 MiB"), "{error}");
}

#[test]
fn remote_writes_of_both_versions_are_read() {
    let mut seen = Seen::new();
    let accepted = remote_write::decode(Version::V1, &written(), &mut seen).unwrap();
    assert_eq!(seen.lines, ["m{zone=a} 5 at -1", "m{zone=a} stale at 0", "h{} 4 measurements at 0"]);
    assert_eq!((accepted.samples, accepted.histograms), (2, 1));
    let mut seen = Seen::new();
    remote_write::decode(Version::V2, &written_2(), &mut seen).unwrap();
    assert_eq!(seen.lines, ["m{zone=a} 5 at 0"]);
    let lost = [written_2(), part(5, &part(1, &[1, 99]))].concat();
    let Err(error) = remote_write::decode(Version::V2, &lost, &mut seen) else { panic!() };
    assert!(error.to_string().contains("symbol that is not there"), "{error}");
    for (kind, version) in [
        ("application/x-protobuf", Some(Version::V1)),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Some(Version::V2)),
        ("application/x-protobuf; proto=other", None),
        ("text/plain", None),
    ] {
        assert_eq!(Version::of(kind), version, "{kind}");
    }
}

/// A message with some bytes changed, taken out or put in.
fn damaged() -> impl Strategy<Value = (usize, Vec<u8>)> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8);
    (0..4_usize, changes).prop_map(|(form, changes)| {
        let mut bytes = [export(), JSON.as_bytes().to_vec(), written(), written_2()][form].clone();
        for (at, byte, way) in changes {
            let at = at.index(bytes.len());
            match way {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        (form, bytes)
    })
}

fn read(form: usize, bytes: &[u8]) -> Seen {
    let mut seen = Seen::new();
    let read = match form {
        0 => otlp::decode(bytes, &mut seen),
        1 => otlp::decode_json(bytes, &mut seen),
        2 => remote_write::decode(Version::V1, bytes, &mut seen),
        _ => remote_write::decode(Version::V2, bytes, &mut seen),
    };
    if let Err(malformed) = read {
        assert!(!malformed.to_string().is_empty());
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn damaged_messages_do_no_harm((form, bytes) in damaged()) {
        let mut seen = read(form, &bytes);
        prop_assert!(seen.windows.series() <= 5);
        for reading in seen.windows.read(NOW) {
            prop_assert!(reading.value.is_finite() && reading.samples > 0 && reading.at_ms <= NOW, "{reading:?}");
        }
    }

    #[test]
    fn random_bytes_do_no_harm(form in 0..4_usize, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(form, &bytes);
    }
}
