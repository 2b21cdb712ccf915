//! Every message of samples: OpenTelemetry in protobuf and JSON, remote write in both versions, gzip and snappy; and the
//! windows that they fill.
#![no_main]

use std::sync::{Arc, OnceLock};

use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_monitor::ingest::remote_write::{self, Version};
use cardinal_monitor::ingest::{Malformed, Sink, gunzip, otlp, unsnap};
use cardinal_monitor::{Arrival, Limits, Monitor, Plan, Refusal, Taken};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_700_000_000_000;
/// One metric of every kind, all of them of series that the engine finds easily.
const MODEL: &str = "application: a
components: {web: {cardinality: 1..9}}
metrics:
  m: {aggregate: mean, window: 5m, unit: ms}
  m1: {source: m, aggregate: p90, window: tumbling 1m}
  m2: {source: m, aggregate: rate, window: 1m, per: instance}
  m3: {source: m, window: 10 samples}
  m4: {source: m, window: tumbling 3 samples}
  m5: {source: m, per: zone, across: p50}
  h: {aggregate: p99, window: 5m}
  h1: {source: h, aggregate: stddev, window: 1h}
  h2: {source: h, aggregate: increase, window: 1h}
";

struct Windows(Monitor, u64);

impl Sink for Windows {
    fn point(&mut self, arrival: &Arrival<'_>) -> Result<Taken, Refusal> {
        self.1 += 1;
        // Most times that the engine makes up are beyond all windows.
        let near = Arrival { at_ms: NOW - arrival.at_ms.rem_euclid(300_000), ..*arrival };
        let _ = self.0.take(&near, NOW);
        self.0.take(arrival, NOW)
    }

    fn refuse(&mut self, _: Refusal) {
        self.1 += 1;
    }
}

fuzz_target!(|data: &[u8]| {
    static PLAN: OnceLock<Arc<Plan>> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let Ok((application, ..)) = load(&Source::new("model", MODEL)) else { panic!("the model is wrong") };
        Arc::new(Plan::of(&application))
    });
    let Some((kind, body)) = data.split_first() else { return };
    let limits = Limits { series_max: 20, ..Limits::default() };
    let mut sink = Windows(Monitor::new(plan.clone(), limits), 0);
    let read: Result<_, Malformed> = match kind % 6 {
        0 => otlp::decode(body, &mut sink),
        1 => otlp::decode_json(body, &mut sink),
        2 => remote_write::decode(Version::V1, body, &mut sink),
        3 => remote_write::decode(Version::V2, body, &mut sink),
        4 => unsnap(body, 1 << 16).and_then(|plain| remote_write::decode(Version::V1, &plain, &mut sink)),
        _ => gunzip(body, 1 << 16).and_then(|plain| otlp::decode(&plain, &mut sink)),
    };
    match read {
        Ok(accepted) => assert!(accepted.samples + accepted.histograms <= sink.1),
        Err(malformed) => assert!(!malformed.to_string().is_empty()),
    }
    for reading in sink.0.read(NOW) {
        assert!(reading.value.is_finite() && reading.samples > 0 && reading.at_ms <= NOW, "{reading:?}");
    }
    assert!(sink.0.series() <= 20);
});
