//! TLS: the certificate and the key of the server.

use std::fs;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::options::Tls;

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Which.
        file: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file has no PEM of that kind.
    #[error("{file} holds no {what} in PEM form")]
    Pem {
        /// Which.
        file: String,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate and key cannot be used together.
    #[error("the certificate and the key cannot be used")]
    Use(#[source] rustls::Error),
}

/// The settings of a server with this certificate.
///
/// # Errors
/// When the files cannot be read or do not fit.
pub fn config(tls: &Tls) -> Result<ServerConfig, TlsError> {
    let name = |path: &std::path::Path| path.display().to_string();
    let read = |path: &std::path::Path| fs::read(path).map_err(|cause| TlsError::Read { file: name(path), cause });
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(&read(&tls.certificate)?).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::Pem { file: name(&tls.certificate), what: "certificate" })?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?)
        .map_err(|_| TlsError::Pem { file: name(&tls.key), what: "private key" })?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsError::Use)?.with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).map_err(TlsError::Use)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
