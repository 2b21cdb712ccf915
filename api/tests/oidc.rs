//! Tokens of an OpenID Connect issuer: a real one, as small as can be, with keys made here.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cardinal_api::OidcOptions;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use support::{SHOP, Server, start_with};

/// A key with its public half as the issuer shows it.
struct Key {
    id: String,
    private: EncodingKey,
    public: Value,
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(word >> shift) as usize & 63]));
        text.extend(&digits[..=chunk.len()]);
    }
    text
}

fn key(id: &str) -> Key {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let public = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id,
        "x": base64url(&point[1..33]), "y": base64url(&point[33..])});
    Key { id: id.to_owned(), private: EncodingKey::from_ec_der(document.as_ref()), public }
}

/// The issuer: it shows where its keys are, and its keys.
struct Issuer {
    address: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

fn issuer(keys: &[&Key]) -> Issuer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let keys: Arc<Mutex<Vec<Value>>> = Arc::new(Mutex::new(keys.iter().map(|key| key.public.clone()).collect()));
    let asked = Arc::new(AtomicUsize::new(0));
    let issuer = Issuer { address: address.clone(), keys: keys.clone(), asked: asked.clone() };
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            asked.fetch_add(1, Ordering::SeqCst);
            answer(stream.unwrap(), &address, &keys.lock().unwrap());
        }
    });
    issuer
}

fn answer(mut stream: TcpStream, address: &str, keys: &[Value]) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    let request = lines.next().unwrap_or_default();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let body = match request.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => json!({"issuer": address, "jwks_uri": format!("{address}/keys")}),
        Some("/keys") => json!({ "keys": keys }),
        _ => Value::Null,
    };
    let body = body.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let _ = stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes());
}

fn server(issuer: &str) -> Server {
    let oidc = OidcOptions { issuer: issuer.to_owned(), audience: "cardinal".to_owned(), claim: "roles".to_owned() };
    start_with(|options| options.oidc = Some(oidc))
}

fn token(key: &Key, claims: &Value) -> String {
    let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::ES256) };
    encode(&header, claims, &key.private).unwrap()
}

fn claims(server: &Server, issuer: &Issuer, roles: &[&str]) -> Value {
    let now = server.now() / 1000;
    json!({"iss": issuer.address, "aud": ["cardinal", "other"], "sub": "7", "preferred_username": "ann",
        "exp": now + 300, "nbf": now - 10, "roles": roles})
}

fn status(server: &Server, token: &str, method: &str, path: &str) -> u16 {
    let body = (method == "POST").then_some(("application/yaml", SHOP.as_bytes()));
    server.call(method, path, Some(token), &[], body).status
}

#[test]
fn a_token_of_the_issuer_allows_what_its_claim_says() {
    let key = key("one");
    let issuer = issuer(&[&key]);
    let server = server(&issuer.address);
    let list = |token: &str| status(&server, token, "GET", "/v1/applications");
    let submit = |token: &str| status(&server, token, "POST", "/v1/applications");
    let viewer = token(&key, &claims(&server, &issuer, &["viewer", "something"]));
    assert_eq!((list(&viewer), submit(&viewer)), (200, 403));
    let operator = token(&key, &claims(&server, &issuer, &["operator"]));
    assert_eq!((list(&operator), submit(&operator)), (200, 201));
    let versions = server.get("/v1/applications/shop/versions").expect(200);
    assert_eq!(versions["items"][0]["by"], "ann", "{versions}");
    let nobody = token(&key, &claims(&server, &issuer, &["Admin"]));
    assert_eq!(list(&nobody), 403);
    // Tokens of the service count as before.
    assert_eq!(list(&server.viewer), 200);
    // One look for discovery and one for the keys was enough for all.
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 2);
}

#[test]
fn what_is_wrong_with_a_token_refuses_it() {
    let (key, other) = (key("one"), key("one"));
    let issuer = issuer(&[&key]);
    let server = server(&issuer.address);
    let good = claims(&server, &issuer, &["admin"]);
    let list = |token: &str| status(&server, token, "GET", "/v1/applications");
    assert_eq!(list(&token(&key, &good)), 200);
    let now = server.now() / 1000;
    let wrong = [
        ("iss", json!("http://127.0.0.1:1")),
        ("aud", json!("another")),
        ("exp", json!(now - 120)),
        ("nbf", json!(now + 120)),
        ("sub", Value::Null),
        ("exp", Value::Null),
    ];
    for (claim, value) in wrong {
        let mut claims = good.clone();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(claim)),
            value => claims[claim] = value,
        }
        assert_eq!(list(&token(&key, &claims)), 401, "{claim}");
    }
    assert_eq!(list(&token(&other, &good)), 401, "signed by somebody else");
    let hmac = encode(&Header::default(), &good, &EncodingKey::from_secret(b"guess")).unwrap();
    assert_eq!(list(&hmac), 401, "an algorithm that is not taken");
    let parts = token(&key, &good);
    let unsigned = parts.rsplit_once('.').unwrap().0.to_owned() + ".";
    assert_eq!(list(&unsigned), 401);
    assert_eq!(list("a.b.c"), 401);
    // The clock goes on: a good token ends.
    let ending = token(&key, &good);
    server.advance_ms(300_000 + 61_000);
    assert_eq!(list(&ending), 401);
}

#[test]
fn new_keys_of_the_issuer_are_found_and_an_issuer_that_is_away_is_told() {
    let (old, new) = (key("old"), key("new"));
    let issuer = issuer(&[&old]);
    let server = server(&issuer.address);
    let list = |token: &str| status(&server, token, "GET", "/v1/applications");
    assert_eq!(list(&token(&old, &claims(&server, &issuer, &["viewer"]))), 200);
    *issuer.keys.lock().unwrap() = vec![new.public.clone()];
    // Not asked for again at once: a flood of wrong ids must not become one at the issuer.
    assert_eq!(list(&token(&new, &claims(&server, &issuer, &["viewer"]))), 401);
    server.advance_ms(11_000);
    assert_eq!(list(&token(&new, &claims(&server, &issuer, &["viewer"]))), 200);
    assert_eq!(list(&token(&old, &claims(&server, &issuer, &["viewer"]))), 401);

    let away = self::server("http://127.0.0.1:9");
    let claims = json!({"iss": "http://127.0.0.1:9", "aud": "cardinal", "sub": "7", "exp": away.now() / 1000 + 60});
    assert_eq!(status(&away, &token(&old, &claims), "GET", "/v1/applications"), 503);
}

#[test]
fn an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() {
    let (known, unknown) = (key("known"), key("unknown"));
    let issuer = issuer(&[&known]);
    let server = server(&issuer.address);
    let list = |token: &str| status(&server, token, "GET", "/v1/applications");
    let good = token(&known, &claims(&server, &issuer, &["viewer"]));
    let other = token(&unknown, &claims(&server, &issuer, &["viewer"]));
    assert_eq!(list(&good), 200);
    server.advance_ms(11_000);
    let asked = issuer.asked.load(Ordering::SeqCst);
    // No answer comes while this is held.
    let keys = issuer.keys.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = [0, 1].map(|_| scope.spawn(|| list(&other)));
        while issuer.asked.load(Ordering::SeqCst) == asked {
            std::thread::yield_now();
        }
        assert_eq!(list(&good), 200);
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        assert_eq!(waiting.map(|waiting| waiting.join().unwrap()), [503, 503]);
    });
    assert_eq!(issuer.asked.load(Ordering::SeqCst), asked + 1);
    drop(keys);
}
