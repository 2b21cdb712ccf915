//! What the service counts of itself, in the text form of Prometheus. The number of series is fixed.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cardinal_monitor::Refusal;

use crate::service::Service;

/// Bounds of the histogram of durations, in seconds.
const BOUNDS_S: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "other"];
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// The counters.
#[derive(Debug, Default)]
pub struct Counters {
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    durations: [AtomicU64; BOUNDS_S.len() + 1],
    duration_us: AtomicU64,
    metric_values: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
    samples_shed: AtomicU64,
    samples_malformed: AtomicU64,
    webhooks_delivered: AtomicU64,
    webhooks_failed: AtomicU64,
}

impl Counters {
    /// A request was answered.
    pub fn request(&self, method: &str, status: u16, took: Duration) {
        let method = METHODS.iter().position(|known| *known == method).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status / 100).clamp(2, 5) - 2;
        self.requests[method][class].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BOUNDS_S.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS_S.len());
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.duration_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(0), Ordering::Relaxed);
    }

    /// A connection is open, as long as what this gives lives.
    pub fn connection(&self) -> Open<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Open(self)
    }

    /// A connection was refused.
    pub fn connection_refused(&self) {
        self.connections_refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Values of metrics came in.
    pub fn metric_values(&self, count: u64) {
        self.metric_values.fetch_add(count, Ordering::Relaxed);
    }

    /// A message of samples was not taken, because there was too much to do or nobody to take it.
    pub fn shed(&self) {
        self.samples_shed.fetch_add(1, Ordering::Relaxed);
    }

    /// A message of samples could not be read.
    pub fn malformed(&self) {
        self.samples_malformed.fetch_add(1, Ordering::Relaxed);
    }

    /// A webhook was called.
    pub fn webhook(&self, is_delivered: bool) {
        let counter = if is_delivered { &self.webhooks_delivered } else { &self.webhooks_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All of them as text.
    pub fn text(&self, service: &Service) -> String {
        let mut out = String::new();
        self.requests(&mut out);
        let options = &service.options;
        let single = [
            ("cardinal_metric_values_total", "counter", "Values of metrics that came in.", get(&self.metric_values)),
            ("cardinal_connections", "gauge", "Open connections.", get(&self.connections)),
            (
                "cardinal_connections_refused_total",
                "counter",
                "Connections that were refused because there were too many.",
                get(&self.connections_refused),
            ),
            (
                "cardinal_event_streams",
                "gauge",
                "Open event streams.",
                options.streams_max.saturating_sub(service.streams.available_permits()) as u64,
            ),
            (
                "cardinal_solves_asked",
                "gauge",
                "Solves over HTTP that run or wait.",
                service.solves_asked.load(Ordering::SeqCst) as u64,
            ),
        ];
        for (name, kind, help, value) in single {
            // Writing to a text cannot fail.
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        self.samples(&mut out, service);
        let name = "cardinal_webhook_posts_total";
        let _ = writeln!(out, "# HELP {name} Posts to webhooks.\n# TYPE {name} counter");
        let posts = [("delivered", &self.webhooks_delivered), ("failed", &self.webhooks_failed)];
        for (result, counter) in posts {
            let _ = writeln!(out, "{name}{{result=\"{result}\"}} {}", get(counter));
        }
        out
    }

    fn samples(&self, out: &mut String, service: &Service) {
        let (tally, series) = service.host.monitors().map(|monitors| monitors.figures()).unwrap_or_default();
        let name = "cardinal_samples_total";
        let _ = writeln!(out, "# HELP {name} Samples that came in, by what became of them.\n# TYPE {name} counter");
        for (result, count) in [("taken", tally.taken), ("unused", tally.unused), ("repeated", tally.repeated)] {
            let _ = writeln!(out, "{name}{{result=\"{result}\"}} {count}");
        }
        let name = "cardinal_samples_refused_total";
        let _ = writeln!(out, "# HELP {name} Samples that were refused, by reason.\n# TYPE {name} counter");
        for (refusal, count) in Refusal::ALL.into_iter().zip(tally.refused) {
            let _ = writeln!(out, "{name}{{reason=\"{}\"}} {count}", refusal.word());
        }
        let name = "cardinal_sample_messages_refused_total";
        let _ = writeln!(out, "# HELP {name} Messages of samples that were not taken.\n# TYPE {name} counter");
        for (reason, counter) in [("overload", &self.samples_shed), ("malformed", &self.samples_malformed)] {
            let _ = writeln!(out, "{name}{{reason=\"{reason}\"}} {}", get(counter));
        }
        let name = "cardinal_series";
        let _ = writeln!(out, "# HELP {name} Series that are followed.\n# TYPE {name} gauge\n{name} {series}");
    }

    fn requests(&self, out: &mut String) {
        let name = "cardinal_http_requests_total";
        let _ = writeln!(out, "# HELP {name} Requests by method and class of status.\n# TYPE {name} counter");
        for (method, classes) in METHODS.iter().zip(&self.requests) {
            for (class, counter) in CLASSES.iter().zip(classes) {
                let _ = writeln!(out, "{name}{{method=\"{method}\",status=\"{class}\"}} {}", get(counter));
            }
        }
        let name = "cardinal_http_request_duration_seconds";
        let _ = writeln!(out, "# HELP {name} Time until the head of the answer.\n# TYPE {name} histogram");
        let mut sum = 0;
        for (i, bucket) in self.durations.iter().enumerate() {
            sum += get(bucket);
            let bound = BOUNDS_S.get(i).map_or("+Inf".to_owned(), f64::to_string);
            let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {sum}");
        }
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {sum}", get(&self.duration_us) as f64 / 1e6);
    }
}

/// An open connection.
pub struct Open<'a>(&'a Counters);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
