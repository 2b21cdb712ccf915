//! The settings of the HTTP edge.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::oidc::OidcOptions;

/// How the service is reached, and its limits. Every number has a default.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens. Default: 127.0.0.1:8080.
    pub listen: SocketAddr,
    /// True when requests without a token may do everything; on loopback only. Default: false.
    pub is_dev: bool,
    /// Certificate and key; plain HTTP without them.
    pub tls: Option<Tls>,
    /// Whose tokens are taken beside those of the service.
    pub oidc: Option<OidcOptions>,
    /// The largest body of a request, in bytes. Default: 32 MiB.
    pub body_bytes_max: usize,
    /// The largest body of a catalog, in bytes. Default: 256 MiB.
    pub catalog_bytes_max: usize,
    /// The most open connections; more are refused with 503. Default: 2000.
    pub connections_max: usize,
    /// How long a new connection may take until the head of its first request is there, in milliseconds. Default: 15
    /// seconds.
    pub header_ms: u64,
    /// How long a connection may be quiet while no request is worked on, in milliseconds; it is closed then. Default: 75
    /// seconds.
    pub idle_ms: u64,
    /// The most requests that are worked on at a time; more get 503. Default: 512.
    pub requests_max: usize,
    /// Requests per second of one token, in the long run. Default: 1000.
    pub rate_per_s: f64,
    /// Requests of one token that may come at once. Default: 2000.
    pub burst: f64,
    /// The most messages of samples that are unpacked at a time, each up to 16 MiB; others wait, and get 503 after 2
    /// seconds. Default: 4.
    pub ingest_max: usize,
    /// The most open event streams. Default: 1000.
    pub streams_max: usize,
    /// The longest time limit that a solve may ask for, in milliseconds. Default: 10 minutes.
    pub solve_ms_max: u64,
    /// The longest solve that is answered at once, in milliseconds; longer ones become jobs. Default: 30 seconds.
    pub solve_at_once_ms_max: u64,
    /// How many solves run at a time; others wait. Default: 2.
    pub solves_max: usize,
    /// How many solves may wait; more get 503. Default: 64.
    pub solves_waiting_max: usize,
    /// How long the result of a job is kept, in milliseconds. Default: 1 hour.
    pub job_kept_ms: u64,
    /// The time between two signs of life on an event stream, in milliseconds. Default: 15 seconds.
    pub heartbeat_ms: u64,
    /// How often new events are looked for, in milliseconds. Default: 250.
    pub poll_ms: u64,
    /// How long requests that are under way may take after the service is told to stop, in milliseconds. Default: 20
    /// seconds.
    pub drain_ms: u64,
    /// How often a webhook is tried before its delivery is given up. Default: 12.
    pub webhook_attempts_max: u32,
}

/// Files of a certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            is_dev: false,
            tls: None,
            oidc: None,
            body_bytes_max: 32 << 20,
            catalog_bytes_max: 256 << 20,
            connections_max: 2000,
            header_ms: 15_000,
            idle_ms: 75_000,
            requests_max: 512,
            rate_per_s: 1000.0,
            burst: 2000.0,
            ingest_max: 4,
            streams_max: 1000,
            solve_ms_max: 600_000,
            solve_at_once_ms_max: 30_000,
            solves_max: 2,
            solves_waiting_max: 64,
            job_kept_ms: 3_600_000,
            heartbeat_ms: 15_000,
            poll_ms: 250,
            drain_ms: 20_000,
            webhook_attempts_max: 12,
        }
    }
}

impl Options {
    /// What is wrong with the settings; nothing when all make sense.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if self.is_dev && !self.listen.ip().is_loopback() {
            mistakes.push(format!(
                "dev mode lets everybody do everything, and {} is not a loopback address; listen on 127.0.0.1, or leave \
                 dev mode",
                self.listen
            ));
        }
        if !(self.rate_per_s.is_finite() && self.rate_per_s > 0.0 && self.burst.is_finite() && self.burst >= 1.0) {
            mistakes.push("the rate is a positive number of requests per second, the burst at least 1".to_owned());
        }
        let counts = [
            ("body_bytes_max", self.body_bytes_max as u64),
            ("catalog_bytes_max", self.catalog_bytes_max as u64),
            ("connections_max", self.connections_max as u64),
            ("header_ms", self.header_ms),
            ("idle_ms", self.idle_ms),
            ("requests_max", self.requests_max as u64),
            ("ingest_max", self.ingest_max as u64),
            ("streams_max", self.streams_max as u64),
            ("solve_ms_max", self.solve_ms_max),
            ("solves_max", self.solves_max as u64),
            ("heartbeat_ms", self.heartbeat_ms),
            ("poll_ms", self.poll_ms),
            ("webhook_attempts_max", u64::from(self.webhook_attempts_max)),
        ];
        for (name, value) in counts {
            if value == 0 {
                mistakes.push(format!("{name} is 0; write at least 1"));
            }
        }
        mistakes.extend(self.oidc.iter().flat_map(OidcOptions::mistakes));
        if self.idle_ms <= self.heartbeat_ms {
            mistakes.push(format!(
                "idle_ms is {} and heartbeat_ms {}: quiet event streams would be cut off; write a longer time",
                self.idle_ms, self.heartbeat_ms
            ));
        }
        mistakes
    }
}
