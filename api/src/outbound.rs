//! HTTP calls to others: signed, over TLS with the certificates that the system trusts, and never longer than they may
//! take.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use cardinal_adapter::driver::webhook::{ANSWER_BYTES_MAX, Answer, Request, Transport};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Sends requests with `ureq`. A clone shares its connections.
#[derive(Clone, Debug)]
pub struct Outbound(Agent);

impl Outbound {
    /// Requests that take at most so long each.
    pub fn new(timeout: Duration) -> Self {
        Outbound(agent(Some(timeout), trusted()))
    }
}

/// What sends requests that take at most so long each, and trusts these certificates.
pub fn agent(timeout: Option<Duration>, trusted: Vec<Certificate<'static>>) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&trusted))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .timeout_global(timeout)
        .http_status_as_error(false)
        // A redirect would carry a signed body to where nobody asked for it.
        .max_redirects(0)
        .tls_config(tls)
        .build();
    config.new_agent()
}

/// The certificates that the system trusts; where it has none, no server is trusted.
pub fn trusted() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "certificates of the system cannot be read");
    }
    found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

impl Transport for Outbound {
    fn send(&self, request: &Request) -> Result<Answer, String> {
        let sent = if request.method == "GET" {
            let call =
                request.headers.iter().fold(self.0.get(&request.url), |call, (name, value)| call.header(*name, value));
            call.call()
        } else {
            let call =
                request.headers.iter().fold(self.0.post(&request.url), |call, (name, value)| call.header(*name, value));
            call.send(&request.body)
        };
        let mut response = sent.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut body).map_err(|error| error.to_string())?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}
