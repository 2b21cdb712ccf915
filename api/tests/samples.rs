//! Samples in: OpenTelemetry in protobuf and JSON, remote write, plain JSON; and every way to be refused.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;

use cardinal_control::host::Monitors;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_store::Scope;
use serde_json::{Value, json};
use support::{Reply, Server, start};

const SHOP: &str = "\
application: shop
components:
  web: {cardinality: 2..6, requires: {cores: \">= 1\"}}
metrics:
  requests: {unit: 1/s, source: http.requests, component: web, aggregate: rate, window: 1m, default: 100}
  latency: {unit: ms, source: http.latency, aggregate: p90, window: 5m}
  queue: {per: instance, across: sum}
constraints:
  enough: web.cardinality * 100 >= requests
utility: {minimize: total_cost}
";
const PROTOBUF: &str = "application/x-protobuf";

/// A server that looks after the application.
fn serving() -> Server {
    let server = start();
    server.submit(SHOP).expect(201);
    let (application, ..) = load(&Source::new("model", SHOP)).unwrap();
    server.pings.monitors.watch("shop", &application);
    server
}

/// The values that the samples make now, by metric.
fn values(server: &Server) -> Value {
    let monitors: &Monitors = &server.pings.monitors;
    let readings = monitors.of("shop").unwrap().read(cardinal_adapter::time::UnixMs(server.now()));
    readings.into_iter().map(|r| (r.name.to_string(), json!(r.value))).collect::<serde_json::Map<_, _>>().into()
}

fn send(server: &Server, path: &str, kind: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    server.call("POST", path, Some(&server.operator), headers, Some((kind, body)))
}

/// A message of a field: its number and form, its length, its bytes.
fn message(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = body.len();
    while length > 127 {
        out.push((length & 127) as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend(body);
    out
}

fn fixed(number: u8, bits: u64) -> Vec<u8> {
    [&[number << 3 | 1][..], &bits.to_le_bytes()].concat()
}

fn attribute(number: u8, key: &str, value: &str) -> Vec<u8> {
    message(number, &[message(1, key.as_bytes()), message(2, &message(1, value.as_bytes()))].concat())
}

/// An export of points of the cumulative sum `http.requests`: (milliseconds, value).
fn sums(application: &str, points: &[(i64, f64)]) -> Vec<u8> {
    let points = points
        .iter()
        .flat_map(|(ms, value)| message(1, &[fixed(3, *ms as u64 * 1_000_000), fixed(4, value.to_bits())].concat()));
    let sum = [points.collect(), vec![0x10, 2, 0x18, 1]].concat();
    let metric = [message(1, b"http.requests"), message(3, b"{request}"), message(7, &sum)].concat();
    let resource = [attribute(1, "cardinal.application", application), attribute(1, "service.name", "web")].concat();
    message(1, &[message(1, &resource), message(2, &message(2, &metric))].concat())
}

fn snappy(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

/// A remote write of one series: labels, then (milliseconds, value).
fn written(labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Vec<u8> {
    let label = |(name, value): &(&str, &str)| {
        message(1, &[message(1, name.as_bytes()), message(2, value.as_bytes())].concat())
    };
    let sample = |(ms, value): &(i64, f64)| {
        let mut time = vec![0x10];
        let mut rest = *ms as u64;
        while rest > 127 {
            time.push((rest & 127) as u8 | 128);
            rest >>= 7;
        }
        time.push(rest as u8);
        message(2, &[fixed(1, value.to_bits()), time].concat())
    };
    let series: Vec<u8> = labels.iter().flat_map(label).chain(samples.iter().flat_map(sample)).collect();
    message(1, &series)
}

#[test]
fn opentelemetry_in_protobuf_becomes_values() {
    let server = serving();
    let now = server.now();
    let body = sums("shop", &[(now - 40_000, 1000.0), (now - 20_000, 5000.0), (now, 9000.0)]);
    let reply = send(&server, "/v1/otlp/v1/metrics", PROTOBUF, &[], &body);
    assert_eq!((reply.status, reply.header("content-type")), (200, PROTOBUF));
    assert_eq!(reply.text(), "");
    let rate = values(&server)["requests"].as_f64().unwrap();
    // 200 a second over 40 seconds, extended to when the sum was 0, 5 seconds before, in a window of 60.
    assert!((rate - 200.0 * 45.0 / 60.0).abs() < 1e-9, "{rate}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&sums("shop", &[(now + 10_000, 9500.0)])).unwrap();
    server.advance_ms(10_000);
    let encoding = [("content-encoding", "gzip")];
    let reply = send(&server, "/v1/applications/shop/otlp/v1/metrics", PROTOBUF, &encoding, &gzip.finish().unwrap());
    assert_eq!(reply.status, 200);
    let rate = values(&server)["requests"].as_f64().unwrap();
    assert!((rate - 8500.0 / 50.0 * (50.0 + 50.0 / 8.5) / 60.0).abs() < 1e-9, "{rate}");
    // Of an application that is not there nothing is taken, and the answer says so.
    let reply = send(&server, "/v1/otlp/v1/metrics", PROTOBUF, &[], &sums("nobody", &[(now, 1.0)]));
    assert_eq!(reply.status, 200);
    assert!(String::from_utf8_lossy(&reply.bytes()).contains("cardinal.application"));
}

#[test]
fn opentelemetry_in_json_becomes_values_and_refusals_are_partial_success() {
    let server = serving();
    let nanos = |ms: i64| (ms * 1_000_000).to_string();
    let now = server.now();
    let point = |ms: i64, counts: [u64; 3]| {
        let all: u64 = counts.iter().sum();
        json!({"startTimeUnixNano": nanos(now - 60_000), "timeUnixNano": nanos(ms), "count": all.to_string(),
            "sum": 1.5, "bucketCounts": counts.map(|n| n.to_string()), "explicitBounds": [0.1, 0.2]})
    };
    let metric = json!({"name": "http.latency", "unit": "s", "unknownField": {},
        "histogram": {"aggregationTemporality": 1, "dataPoints": [point(now - 1000, [8, 8, 0]), point(now + 600_000, [1, 0, 0])]}});
    let resource = json!({"attributes": [{"key": "cardinal.application", "value": {"stringValue": "shop"}}]});
    let body = json!({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]});
    let reply = send(&server, "/v1/otlp/v1/metrics", "application/json", &[], body.to_string().as_bytes()).expect(200);
    assert_eq!(reply["partialSuccess"]["rejectedDataPoints"], "1");
    assert!(reply["partialSuccess"]["errorMessage"].as_str().unwrap().contains("future"));
    let p90 = values(&server)["latency"].as_f64().unwrap();
    assert!((p90 - 180.0).abs() < 1e-9, "{p90}");
}

#[test]
fn remote_write_becomes_values_and_its_refusals_are_told() {
    let server = serving();
    let now = server.now();
    let series = |instance: &str, samples: &[(i64, f64)]| {
        written(&[("__name__", "queue"), ("application", "shop"), ("instance", instance)], samples)
    };
    let body = [series("a", &[(now - 2000, 3.0), (now - 1000, 4.0)]), series("b", &[(now - 1000, 5.0)])].concat();
    let headers = [("content-encoding", "snappy"), ("x-prometheus-remote-write-version", "0.1.0")];
    let reply = send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &snappy(&body));
    assert_eq!((reply.status, reply.header("x-prometheus-remote-write-samples-written")), (204, "3"));
    assert_eq!(values(&server)["queue"], json!(9.0));
    // The same once more, as after an answer that was lost.
    assert_eq!(send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &snappy(&body)).status, 204);
    assert_eq!(values(&server)["queue"], json!(9.0));
    let other = snappy(&series("a", &[(now - 1000, 40.0)]));
    let problem = send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &other).expect(400);
    assert!(problem["detail"].as_str().unwrap().contains("another value of the same series and time"));
    // The end of a series.
    let stale = snappy(&series("b", &[(now, f64::from_bits(0x7ff0_0000_0000_0002))]));
    assert_eq!(send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &stale).status, 204);
    assert_eq!(values(&server)["queue"], json!(4.0));
    // Series of no application beside some of one are nobody's mistake; alone they are.
    let foreign = written(&[("__name__", "up")], &[(now, 1.0)]);
    let mixed = snappy(&[foreign.clone(), series("a", &[(now, 6.0)])].concat());
    assert_eq!(send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &mixed).status, 204);
    let problem = send(&server, "/v1/prometheus/write", PROTOBUF, &headers, &snappy(&foreign)).expect(400);
    assert!(problem["detail"].as_str().unwrap().contains("label `application`"));
}

#[test]
fn remote_write_of_version_2_is_read() {
    let server = serving();
    let now = server.now();
    let symbols = ["", "__name__", "queue", "instance", "a"].map(|s| message(4, s.as_bytes())).concat();
    let refs = message(1, &[1, 2, 3, 4]);
    let v1 = written(&[], &[(now, 7.0)]);
    // The samples of both versions have one form: all after the two bytes of the outer field.
    let body = [symbols, message(5, &[&refs[..], &v1[2..]].concat())].concat();
    let kind = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let path = "/v1/applications/shop/prometheus/write";
    let reply = send(&server, path, kind, &[("content-encoding", "snappy")], &snappy(&body));
    assert_eq!((reply.status, reply.header("x-prometheus-remote-write-samples-written")), (204, "1"));
    assert_eq!(values(&server)["queue"], json!(7.0));
    let kind = "application/x-protobuf;proto=other.Request";
    assert_eq!(send(&server, path, kind, &[], &snappy(&body)).status, 415);
}

#[test]
fn plain_json_is_told_what_became_of_it() {
    let server = serving();
    let now = server.now();
    let samples = json!({"samples": [
        {"name": "queue", "value": 3, "labels": {"instance": "a"}},
        {"name": "queue", "value": 4, "at": now - 1000, "labels": {"instance": "b"}},
        {"name": "queue", "value": 4, "at": now + 3_600_000},
        {"name": "nobody", "value": 4},
    ]});
    let told = server.post("/v1/applications/shop/samples", &samples).expect(200);
    assert_eq!(told, json!({"taken": 2, "unused": 1, "repeated": 0, "refused": {"future": 1}}));
    assert_eq!(values(&server)["queue"], json!(7.0));
    let figures = server.get("/metrics").text();
    assert!(figures.contains("cardinal_samples_total{result=\"taken\"} 2"), "{figures}");
    assert!(figures.contains("cardinal_samples_refused_total{reason=\"future\"} 1"));
    assert!(figures.contains("cardinal_series 2"));
}

#[test]
fn what_is_no_message_is_refused_with_the_reason() {
    let server = serving();
    let snap = [("content-encoding", "snappy")];
    for (path, kind, headers, body, status, words) in [
        ("/v1/otlp/v1/metrics", PROTOBUF, &[][..], &b"\x0a\xff"[..], 400, "breaks off"),
        ("/v1/otlp/v1/metrics", "application/json", &[], b"{\"resourceMetrics\": 3}", 400, "OTLP"),
        ("/v1/otlp/v1/metrics", "text/plain", &[], b"", 415, "application/x-protobuf"),
        ("/v1/otlp/v1/metrics", PROTOBUF, &[("content-encoding", "br")], b"", 415, "gzip"),
        ("/v1/otlp/v1/metrics", PROTOBUF, &[("content-encoding", "gzip")], b"plain", 400, "gzip"),
        ("/v1/prometheus/write", PROTOBUF, &snap, b"plain", 400, "snappy"),
        ("/v1/prometheus/write", PROTOBUF, &snap, &[0xff, 0xff, 0xff, 0xff, 0x0f], 413, "larger"),
        ("/v1/applications/else/prometheus/write", PROTOBUF, &snap, b"", 404, "else"),
    ] {
        let reply = send(&server, path, kind, headers, body);
        let found = reply.status;
        let text = reply.text();
        assert!(found == status && text.contains(words), "{path}: {found} {text}");
    }
}

#[test]
fn samples_need_the_scope_of_metric_values_and_a_loop() {
    let server = serving();
    let body = snappy(&written(&[("__name__", "queue"), ("application", "shop")], &[(server.now(), 1.0)]));
    let headers = [("content-encoding", "snappy")];
    let write =
        |token: Option<&str>| server.call("POST", "/v1/prometheus/write", token, &headers, Some((PROTOBUF, &body)));
    assert_eq!(write(None).status, 401);
    assert_eq!(write(Some(&server.viewer)).status, 403);
    // A token for another application reaches nothing here.
    let other = server.token(Scope::Operator, &["else"]);
    assert_eq!(write(Some(&other)).status, 400);
    let own = server.token(Scope::Operator, &["shop"]);
    assert_eq!(write(Some(&own)).status, 204);
    server.pings.monitors.forget("shop");
    let path = "/v1/applications/shop/prometheus/write";
    let reply = send(&server, path, PROTOBUF, &headers, &body);
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"));
}
