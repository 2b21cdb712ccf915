//! Requests to a running service.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use cardinal_api::outbound::{agent, trusted};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::{Agent, Body, SendBody};

use crate::arguments::service::Remote;

/// How long a request may take to be answered.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A service somewhere.
pub struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

/// What is sent.
pub struct Sent<'a> {
    /// Its media type.
    pub media: &'a str,
    /// The bytes.
    pub body: &'a [u8],
}

impl Client {
    /// The service that the arguments name.
    pub fn of(remote: &Remote) -> Result<Self, Failure> {
        let base = remote.url.trim_end_matches('/').to_owned();
        if !(base.starts_with("http://") || base.starts_with("https://")) {
            let finding = Finding::error(format!("`{base}` is no address of a service"));
            return Err(finding.help("write one such as http://127.0.0.1:8080, with --url or in CARDINAL_URL").into());
        }
        let token = remote.token.clone().filter(|token| !token.is_empty());
        // To read the certificates of the system takes a while.
        let trusted = if base.starts_with("https://") { trusted() } else { Vec::new() };
        Ok(Client { agent: agent(None, trusted), base, token })
    }

    /// Sends a request and reads the JSON of its answer.
    ///
    /// # Errors
    /// When the service cannot be reached, or refuses: with its reasons.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        sent: Option<Sent<'_>>,
    ) -> Result<Value, Failure> {
        let mut answer = self.send(method, path, headers, sent, Some(TIMEOUT))?;
        let text = answer.body_mut().with_config().limit(256 << 20).read_to_string();
        let text = text.map_err(|error| Failure::internal(format!("the answer of the service broke off: {error}")))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .map_err(|error| Failure::internal(format!("the answer of the service is no JSON: {error}")))
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call("GET", path, &[], None)
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let text = body.to_string();
        self.call("POST", path, &[], Some(Sent { media: "application/json", body: text.as_bytes() }))
    }

    /// Follows a stream of server-sent events from after a number; ends when the stream does.
    ///
    /// # Errors
    /// As [`Client::call`]; what `tell` gives ends it too.
    pub fn follow(
        &self,
        path: &str,
        after: Option<i64>,
        tell: &mut dyn FnMut(i64, &str, &Value) -> Result<(), Failure>,
    ) -> Result<Option<i64>, Failure> {
        let last = after.map(|id| id.to_string());
        let headers: Vec<(&str, &str)> = last.iter().map(|id| ("last-event-id", id.as_str())).collect();
        let answer = self.send("GET", path, &headers, None, None)?;
        let reader = BufReader::new(answer.into_body().into_reader().take(u64::MAX));
        let (mut id, mut kind, mut data) = (after, String::new(), String::new());
        for line in reader.lines() {
            // A stream that breaks is taken up again by the caller.
            let Ok(line) = line else { break };
            match line.split_once(':') {
                Some(("id", value)) => id = value.trim().parse().ok().or(id),
                Some(("event", value)) => value.trim().clone_into(&mut kind),
                Some(("data", value)) => data.push_str(value.trim_start()),
                None if line.is_empty() && !data.is_empty() => {
                    let body = serde_json::from_str(&data).unwrap_or_default();
                    tell(id.unwrap_or_default(), &kind, &body)?;
                    data.clear();
                }
                _ => {}
            }
        }
        Ok(id)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        sent: Option<Sent<'_>>,
        timeout: Option<Duration>,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let wrong = |error: ureq::http::Error| Failure::from(Finding::error(format!("this cannot be asked: {error}")));
        let result = match sent {
            Some(sent) => {
                let request = request
                    .header("content-type", sent.media)
                    .body(SendBody::from_owned_reader(std::io::Cursor::new(sent.body.to_vec())));
                self.run(request.map_err(wrong)?, timeout)
            }
            None => self.run(request.body(SendBody::none()).map_err(wrong)?, timeout),
        };
        let mut answer = result.map_err(|error| {
            let finding = Finding::error(format!("the service at {} does not answer: {error}", self.base));
            Failure { exit: Exit::Internal, findings: vec![finding.help("is it running? `cardinal serve` starts one")] }
        })?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(1 << 20).read_to_string().unwrap_or_default();
        Err(refusal(status, &serde_json::from_str(&text).unwrap_or_default()))
    }

    fn run(
        &self,
        request: Request<SendBody<'static>>,
        timeout: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request).timeout_global(timeout).build();
        self.agent.run(request)
    }
}

/// A problem document (RFC 9457) as findings.
fn refusal(status: u16, problem: &Value) -> Failure {
    let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let (title, detail) = (text("title"), text("detail"));
    let message = match (title.is_empty(), detail.is_empty()) {
        (true, true) => format!("the service answers {status}"),
        (false, true) => title,
        (_, false) => detail,
    };
    let finding = Finding::error(message);
    let help = match status {
        401 => Some("give a token with --token or in CARDINAL_TOKEN; `cardinal token create` makes one"),
        403 => Some("the token does not allow this; `cardinal token list` shows what tokens allow"),
        _ => None,
    };
    let mut findings = vec![match help {
        Some(help) => finding.help(help),
        None => finding,
    }];
    for list in ["errors", "findings"] {
        for wrong in problem[list].as_array().into_iter().flatten() {
            findings.push(told(wrong));
        }
    }
    let exit = if status >= 500 { Exit::Internal } else { Exit::Invalid };
    Failure { exit, findings }
}

/// One of the places that a problem names.
fn told(wrong: &Value) -> Finding {
    let of = |key: &str| wrong[key].as_str().unwrap_or_default().to_owned();
    let place = [of("pointer"), of("parameter")].into_iter().find(|place| !place.is_empty());
    let mut message = if wrong["message"].is_string() { of("message") } else { of("detail") };
    if let (Some(line), Some(column)) = (wrong["line"].as_u64(), wrong["column"].as_u64()) {
        message = format!("line {line}, column {column}: {message}");
    } else if let Some(place) = place {
        message = format!("{place}: {message}");
    }
    let finding = Finding::error(message);
    match wrong["help"].as_str() {
        Some(help) => finding.help(help),
        None => finding,
    }
}
