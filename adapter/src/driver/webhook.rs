//! A driver that hands every action to the user's own automation, as signed HTTP calls.
//!
//! | call | meaning | answers |
//! | --- | --- | --- |
//! | `POST {url}/actions` | carry out the [`Call`] in the body | 200 `{"state": "done"}`, 202 `{"state": "pending", "check_after_ms": 5000}` |
//! | `GET {url}/actions/{token}` | how far is it? | the same; 404 when it is not known, and it is posted again |
//! | `GET {url}/observation/{application}` | what is there? | 200 with an [`Observation`] |
//!
//! A refusal has a body `{"class": "capacity", "message": "..."}` with one of the classes of [`FaultClass`]. Without one, 408,
//! 425, 429 and everything from 500 on is transient and anything else permanent.
//!
//! Every request has the header `cardinal-signature: t=<unix milliseconds>,v1=<hexadecimal>`: HMAC-SHA256 under the
//! shared secret of `t`, method, path and body, with a line feed between them. [`verify`] checks it. A `POST` has the
//! token in `idempotency-key` as well.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::Sha256;

use super::{Call, Driver, Fault, FaultClass, Observation, Progress};
use crate::time::UnixMs;

/// The longest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The shortest secret that is taken, in bytes.
pub const SECRET_BYTES_MIN: usize = 16;

/// A secret that signs calls. Never printed.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// When it is shorter than [`SECRET_BYTES_MIN`].
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, String> {
        let bytes = bytes.into();
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(format!("the secret of a webhook has at least {SECRET_BYTES_MIN} bytes"));
        }
        Ok(Secret(bytes))
    }

    fn mac(&self, at: UnixMs, method: &str, path: &str, body: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        for (i, part) in [at.0.to_string().as_str(), method, path, body].into_iter().enumerate() {
            if i > 0 {
                mac.update(b"\n");
            }
            mac.update(part.as_bytes());
        }
        Some(mac)
    }

    /// The value of the header `cardinal-signature` of a request.
    pub fn sign(&self, at: UnixMs, method: &str, path: &str, body: &str) -> String {
        let bytes = self.mac(at, method, path, body).map(|mac| mac.finalize().into_bytes());
        let hex: String = bytes.iter().flatten().map(|b| format!("{b:02x}")).collect();
        format!("t={},v1={hex}", at.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

/// True when the signature header is that of this request and not older, or newer, than `tolerance_ms`.
pub fn verify(secret: &Secret, header: &str, request: (&str, &str, &str), now: UnixMs, tolerance_ms: u64) -> bool {
    let (method, path, body) = request;
    let Some((at, hex)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else { return false };
    let Ok(at) = at.parse().map(UnixMs) else { return false };
    if now.ms_since(at).max(at.ms_since(now)) > tolerance_ms || hex.len() != 64 || !hex.is_ascii() {
        return false;
    }
    let bytes: Result<Vec<u8>, _> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16)).collect();
    let (Ok(bytes), Some(mac)) = (bytes, secret.mac(at, method, path, body)) else { return false };
    // Compares in constant time.
    mac.verify_slice(&bytes).is_ok()
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Names, lower case, and values.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for `GET`.
    pub body: String,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What sends requests. The host gives one, with its own time-outs and certificates.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for the answer.
    ///
    /// # Errors
    /// When no answer came; the text says why, for people.
    fn send(&self, request: &Request) -> Result<Answer, String>;
}

/// The driver.
#[derive(Debug)]
pub struct Webhook<T> {
    base: String,
    path: String,
    secret: Secret,
    transport: T,
    /// Calls that were accepted and are pending. Forgotten by a restart, after which they are posted again.
    accepted: Mutex<BTreeSet<String>>,
}

#[derive(Deserialize)]
struct Refusal {
    class: FaultClass,
    message: String,
}

impl<T: Transport> Webhook<T> {
    /// A driver for the automation at this address, such as `https://automation.example.com/cardinal`.
    ///
    /// # Errors
    /// When the address is no HTTP address, or has a query or fragment.
    pub fn new(url: &str, secret: Secret, transport: T) -> Result<Self, String> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let clean = url.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#');
        let Some(rest) = rest.filter(|rest| clean && !rest.is_empty() && !rest.starts_with('/')) else {
            return Err(format!("`{url}` is no address of a webhook, such as https://automation.example.com/cardinal"));
        };
        let url = url.trim_end_matches('/');
        let path = rest.trim_end_matches('/').find('/').map_or("", |at| &rest.trim_end_matches('/')[at..]);
        let (base, path) = (url[..url.len() - path.len()].to_owned(), path.to_owned());
        Ok(Webhook { base, path, secret, transport, accepted: Mutex::default() })
    }

    fn send(
        &self,
        now: UnixMs,
        method: &'static str,
        path: &str,
        key: Option<&str>,
        body: String,
    ) -> Result<Answer, Fault> {
        let path = format!("{}{path}", self.path);
        let mut headers = vec![("cardinal-signature", self.secret.sign(now, method, &path, &body))];
        if let Some(key) = key {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("idempotency-key", key.to_owned()));
        }
        let request = Request { method, url: format!("{}{path}", self.base), headers, body };
        let answer = self.transport.send(&request);
        let answer = answer.map_err(|why| Fault::new(FaultClass::Unanswered, format!("no answer came: {why}")))?;
        if answer.body.len() > ANSWER_BYTES_MAX {
            return Err(Fault::new(
                FaultClass::Permanent,
                format!("the answer has more than {ANSWER_BYTES_MAX} bytes"),
            ));
        }
        Ok(answer)
    }

    fn progress(&self, token: &str, answer: &Answer) -> Result<Progress, Fault> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let progress = match answer.status {
            200..=299 => serde_json::from_str(&answer.body)
                .map_err(|e| Fault::new(FaultClass::Permanent, format!("the answer is neither done nor pending: {e}"))),
            _ => Err(refusal(answer)),
        };
        match progress {
            Ok(Progress::Pending { .. }) => accepted.insert(token.to_owned()),
            Ok(Progress::Done) | Err(_) => accepted.remove(token),
        };
        progress
    }
}

/// What an answer that is no success means.
fn refusal(answer: &Answer) -> Fault {
    if let Ok(Refusal { class, message }) = serde_json::from_str(&answer.body) {
        return Fault { class, message };
    }
    let class = match answer.status {
        408 | 425 | 429 | 500.. => FaultClass::Transient,
        _ => FaultClass::Permanent,
    };
    Fault::new(class, format!("the answer has the status {}", answer.status))
}

impl<T: Transport> Driver for Webhook<T> {
    fn act(&self, now: UnixMs, call: &Call) -> Result<Progress, Fault> {
        let token = call.token.to_string();
        let known = self.accepted.lock().unwrap_or_else(PoisonError::into_inner).contains(&token);
        if known {
            let answer = self.send(now, "GET", &format!("/actions/{token}"), None, String::new())?;
            if answer.status != 404 {
                return self.progress(&token, &answer);
            }
        }
        let body = serde_json::to_string(call)
            .map_err(|e| Fault::new(FaultClass::Permanent, format!("the call cannot be written as JSON: {e}")))?;
        let answer = self.send(now, "POST", "/actions", Some(&token), body)?;
        self.progress(&token, &answer)
    }

    fn observe(&self, now: UnixMs, application: &str) -> Result<Observation, Fault> {
        let name: String = application.bytes().map(escaped).collect();
        let answer = self.send(now, "GET", &format!("/observation/{name}"), None, String::new())?;
        if !(200..=299).contains(&answer.status) {
            return Err(refusal(&answer));
        }
        serde_json::from_str(&answer.body)
            .map_err(|e| Fault::new(FaultClass::Permanent, format!("the answer is no observation: {e}")))
    }
}

/// A byte as it stands in a path (RFC 3986, unreserved characters as they are).
fn escaped(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use super::*;
    use crate::driver::conformance;
    use crate::driver::simulated::{CloudSettings, SimulatedCloud};
    use crate::fixtures::offer;

    /// Automation that a user might write, over a simulated cloud.
    struct Automation {
        secret: Secret,
        cloud: SimulatedCloud,
        now: AtomicI64,
        calls: Mutex<std::collections::BTreeMap<String, Call>>,
        polls: AtomicU32,
    }

    impl Automation {
        fn new() -> Self {
            Automation {
                secret: secret(),
                cloud: SimulatedCloud::new(CloudSettings::default()),
                now: AtomicI64::new(0),
                calls: Mutex::default(),
                polls: AtomicU32::new(0),
            }
        }

        fn act(&self, now: UnixMs, call: &Call) -> Answer {
            match self.cloud.act(now, call) {
                Ok(Progress::Done) => Answer { status: 200, body: r#"{"state": "done"}"#.to_owned() },
                Ok(pending) => Answer { status: 202, body: serde_json::to_string(&pending).unwrap() },
                Err(fault) => Answer { status: 409, body: serde_json::to_string(&fault).unwrap() },
            }
        }
    }

    impl Transport for &Automation {
        fn send(&self, request: &Request) -> Result<Answer, String> {
            let path = request.url.strip_prefix("https://automation.example.com").unwrap();
            let header = &request.headers.iter().find(|(name, _)| *name == "cardinal-signature").unwrap().1;
            let now = UnixMs(self.now.load(Ordering::Relaxed));
            if !verify(&self.secret, header, (request.method, path, &request.body), now, 1000) {
                return Ok(Answer { status: 401, body: String::new() });
            }
            let path = path.strip_prefix("/hook").unwrap();
            if let Some(application) = path.strip_prefix("/observation/") {
                let observation = self.cloud.observe(now, application).unwrap();
                return Ok(Answer { status: 200, body: serde_json::to_string(&observation).unwrap() });
            }
            if let Some(token) = path.strip_prefix("/actions/") {
                self.polls.fetch_add(1, Ordering::Relaxed);
                let calls = self.calls.lock().unwrap();
                let known = calls.get(token).map(|call| self.act(now, call));
                return Ok(known.unwrap_or(Answer { status: 404, body: String::new() }));
            }
            let call: Call = serde_json::from_str(&request.body).unwrap();
            self.calls.lock().unwrap().insert(call.token.to_string(), call.clone());
            Ok(self.act(now, &call))
        }
    }

    fn secret() -> Secret {
        Secret::new("correct horse battery staple").unwrap()
    }

    #[test]
    fn it_conforms_when_the_automation_does() {
        let automation = Automation::new();
        let driver = Webhook::new("https://automation.example.com/hook/", secret(), &automation).unwrap();
        let report = conformance::check(&driver, &offer("small", 0.1), &mut |ms| {
            let ms = i64::try_from(ms).unwrap();
            UnixMs(automation.now.fetch_add(ms, Ordering::Relaxed) + ms)
        });
        assert_eq!(report.failed, Vec::<String>::new());
        assert!(automation.polls.load(Ordering::Relaxed) > 0);
    }

    #[test]
    fn a_wrong_secret_is_refused_and_none_is_printed() {
        let automation = Automation::new();
        let wrong = Secret::new("wrong horse battery staple").unwrap();
        let driver = Webhook::new("https://automation.example.com/hook", wrong, &automation).unwrap();
        let fault = driver.observe(UnixMs(0), "app").unwrap_err();
        assert_eq!((fault.class, fault.message.as_str()), (FaultClass::Permanent, "the answer has the status 401"));
        assert!(!format!("{:?}", secret()).contains("horse"));
        assert!(Secret::new("short").is_err());
    }

    #[test]
    fn a_signature_is_for_one_request_at_one_time() {
        let header = secret().sign(UnixMs(5_000), "POST", "/actions", "{}");
        let holds = |header: &str, method: &str, path: &str, body: &str, now: i64| {
            verify(&secret(), header, (method, path, body), UnixMs(now), 1_000)
        };
        assert!(holds(&header, "POST", "/actions", "{}", 5_500));
        assert!(holds(&header, "POST", "/actions", "{}", 4_500));
        assert!(!holds(&header, "GET", "/actions", "{}", 5_500));
        assert!(!holds(&header, "POST", "/action", "s{}", 5_500));
        assert!(!holds(&header, "POST", "/actions", "{ }", 5_500));
        assert!(!holds(&header, "POST", "/actions", "{}", 6_001));
        assert!(!holds(&header.replace("t=5000", "t=5001"), "POST", "/actions", "{}", 5_500));
        for broken in ["", "t=1", "t=x,v1=", "t=5000,v1=ä", &header[..header.len() - 1]] {
            assert!(!holds(broken, "POST", "/actions", "{}", 5_000), "{broken}");
        }
        // RFC 4231 has no case with this layout; the construction is that of the crate, pinned here against change.
        assert_eq!(header.len(), "t=5000,v1=".len() + 64);
    }

    struct Fixed(Result<Answer, String>);

    impl Transport for Fixed {
        fn send(&self, _: &Request) -> Result<Answer, String> {
            self.0.clone()
        }
    }

    #[test]
    fn answers_are_understood_as_they_are_meant() {
        let class = |answer: Result<(u16, &str), &str>| {
            let answer = answer.map(|(status, body)| Answer { status, body: body.to_owned() }).map_err(str::to_owned);
            let driver = Webhook::new("http://localhost:8080", secret(), Fixed(answer)).unwrap();
            driver.observe(UnixMs(0), "a/b").unwrap_err().class
        };
        assert_eq!(class(Err("timed out")), FaultClass::Unanswered);
        assert_eq!(class(Ok((503, ""))), FaultClass::Transient);
        assert_eq!(class(Ok((429, "slow down"))), FaultClass::Transient);
        assert_eq!(class(Ok((400, ""))), FaultClass::Permanent);
        assert_eq!(class(Ok((409, r#"{"class": "capacity", "message": "sold out"}"#))), FaultClass::Capacity);
        assert_eq!(class(Ok((200, "<html>"))), FaultClass::Permanent);
        for url in ["", "ftp://x", "https://", "https:///x", "https://x/?a=b", "https://x y"] {
            assert!(Webhook::new(url, secret(), Fixed(Err(String::new()))).is_err(), "{url}");
        }
    }
}
