//! Connections: slow ones are closed, too many are refused politely, and what is under way ends well, also over TLS.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_api::Tls;
use cardinal_api::outbound::agent;
use support::{SHOP, Server, start_with};
use ureq::tls::Certificate;

fn connect(server: &Server) -> TcpStream {
    let address = server.base.split("//").nth(1).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What comes until the server closes the connection.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection is still open: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Asks for a sign of life and reads the answer, without closing the connection.
fn healthy(stream: &mut TcpStream) {
    stream.write_all(HEALTH).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"ok\n") {
        let mut buffer = [0; 1024];
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "{}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..n]);
    }
}

#[test]
fn who_sends_the_head_of_a_request_too_slowly_is_closed() {
    let server = start_with(|options| options.header_ms = 300);
    for begun in [&b""[..], b"P", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut slow = connect(&server);
        slow.write_all(begun).unwrap();
        let since = Instant::now();
        assert!(!rest(&mut slow).contains("200 OK"));
        assert!(since.elapsed() < Duration::from_secs(10));
    }
    // A byte now and then does not help.
    let mut slow = connect(&server);
    let mut told = Ok(());
    for byte in HEALTH.iter().cycle().take(60) {
        told = slow.write_all(&[*byte]);
        if told.is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    assert!(told.is_err() || !rest(&mut slow).contains("200 OK"));
    healthy(&mut connect(&server));
}

#[test]
fn a_quiet_connection_is_closed_and_a_stream_of_events_is_not() {
    let server = start_with(|options| (options.idle_ms, options.heartbeat_ms) = (400, 100));
    let mut quiet = connect(&server);
    healthy(&mut quiet);
    assert_eq!(rest(&mut quiet), "");
    let stream = server.get("/v1/events");
    std::thread::sleep(Duration::from_millis(1_200));
    server.submit(SHOP).expect(201);
    assert_eq!(stream.events().next().unwrap().1, "submitted");
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let server = start_with(|options| (options.idle_ms, options.heartbeat_ms) = (400, 100));
    for (length, key) in [(1_000, ""), (1 << 20, ""), (1 << 20, "idempotency-key: one\r\n")] {
        let mut slow = connect(&server);
        let head = format!(
            "POST /v1/applications HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{key}\
             content-type: application/yaml\r\ncontent-length: {length}\r\n\r\nname: shop\n",
            server.operator
        );
        slow.write_all(head.as_bytes()).unwrap();
        let answer = rest(&mut slow);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("urn:cardinal:problem:timeout"), "{answer}");
    }
    // Who is not known is told so, however long the body is.
    let mut stranger = connect(&server);
    let head = "POST /v1/applications HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nname";
    stranger.write_all(head.as_bytes()).unwrap();
    let answer = rest(&mut stranger);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[test]
fn connections_beyond_the_limit_are_refused_with_a_problem() {
    let server = start_with(|options| options.connections_max = 2);
    let (mut first, mut second) = (connect(&server), connect(&server));
    healthy(&mut first);
    healthy(&mut second);
    let mut third = connect(&server);
    third.write_all(HEALTH).unwrap();
    let answer = rest(&mut third);
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let head = answer.to_ascii_lowercase();
    assert!(head.contains("application/problem+json") && head.contains("retry-after: 1"), "{answer}");
    assert!(head.contains("connection: close"), "{answer}");
    // Those that are open go on, and one that ends makes room.
    healthy(&mut first);
    drop(second);
    for _ in 0..100 {
        let mut next = connect(&server);
        next.write_all(HEALTH).unwrap();
        let mut status = [0; 12];
        if next.read_exact(&mut status).is_ok() && &status == b"HTTP/1.1 200" {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no room was made");
}

/// A server with a certificate of its own, and who trusts that.
fn secure(change: impl FnOnce(&mut cardinal_api::Options)) -> (Server, ureq::Agent, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = start_with(|options| {
        options.tls = Some(Tls { certificate, key });
        change(options);
    });
    let trusted = Certificate::from_der(made.cert.der()).to_owned();
    (server, agent(Some(Duration::from_secs(20)), vec![trusted]), folder)
}

fn address(server: &Server, path: &str) -> String {
    format!("https://localhost:{}{path}", server.base.rsplit(':').next().unwrap())
}

#[test]
fn tls_is_served_with_the_certificate_that_was_given() {
    let (server, agent, _folder) = secure(|_| {});
    let mut answer = agent.get(address(&server, "/healthz")).call().unwrap();
    assert_eq!(answer.body_mut().read_to_string().unwrap(), "ok\n");
    let token = format!("Bearer {}", server.viewer);
    let listed = agent.get(address(&server, "/v1/applications")).header("authorization", token).call().unwrap();
    assert_eq!(listed.status().as_u16(), 200);
    // Who does not know the certificate does not go on, and who speaks plain HTTP gets nothing.
    assert!(cardinal_api::outbound::agent(None, Vec::new()).get(address(&server, "/healthz")).call().is_err());
    let mut plain = connect(&server);
    plain.write_all(HEALTH).unwrap();
    assert!(!rest(&mut plain).contains("200 OK"));
}

#[test]
fn over_tls_slow_connections_are_closed_too_many_refused_and_streams_end_when_it_stops() {
    let (mut server, agent, _folder) = secure(|options| (options.header_ms, options.connections_max) = (500, 1));
    let token = format!("Bearer {}", server.viewer);
    let open = agent.get(address(&server, "/v1/events")).header("authorization", &token).call().unwrap();
    assert_eq!(open.status().as_u16(), 200);
    let refused = agent.get(address(&server, "/healthz")).call().unwrap();
    assert_eq!(refused.status().as_u16(), 503);
    let reading = std::thread::spawn(move || open.into_body().read_to_string());
    let since = Instant::now();
    server.stop();
    assert!(since.elapsed() < Duration::from_millis(1_900), "it waited for what had ended");
    reading.join().unwrap().unwrap();

    let (server, _, _folder) = secure(|options| options.header_ms = 300);
    let mut silent = silent_after_handshake(&server);
    let since = Instant::now();
    let ended = silent.read(&mut [0; 1]);
    let is_closed = match &ended {
        Ok(read) => *read == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof),
    };
    assert!(is_closed, "{ended:?}");
    assert!(since.elapsed() < Duration::from_secs(10), "it was the reader who gave up");
}

/// A connection that says nothing once its handshake is done.
fn silent_after_handshake(server: &Server) -> impl Read {
    let stream = connect(server);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = stream;
    client.complete_io(&mut stream).unwrap();
    rustls::StreamOwned::new(client, stream)
}

/// Trusts every server: here it is this test's own.
#[derive(Debug)]
struct Anyone;

impl rustls::client::danger::ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
