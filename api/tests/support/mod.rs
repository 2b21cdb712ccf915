//! A real server on a port of its own, over a real database, with a clock that the test turns.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use cardinal_api::{Loop, Options, Parts, ServeError, Service, serve};
use cardinal_control::host::Monitors;
use cardinal_store::{NewToken, Scope, Store, StoreOptions, StoreUrl};
use cardinal_worker::{Pool, Program};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use ureq::http::{HeaderMap, Request};
use ureq::{Agent, Body, SendBody};

/// The time at which every test begins.
pub const BEGIN: i64 = 1_700_000_000_000;

/// Counts how often it was told to look.
#[derive(Default)]
pub struct Pings {
    count: AtomicUsize,
    /// The samples of applications that the test has looked after.
    pub monitors: Arc<Monitors>,
}

impl Loop for Pings {
    fn ping(&self, _application: &str) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    fn monitors(&self) -> Option<Arc<Monitors>> {
        Some(self.monitors.clone())
    }
}

pub struct Server {
    pub base: String,
    pub store: Store,
    pub clock: Arc<AtomicI64>,
    pub pings: Arc<Pings>,
    pub viewer: String,
    pub operator: String,
    pub admin: String,
    pub runtime: Runtime,
    agent: Agent,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
    _folder: TempDir,
}

/// A server as it is by default.
pub fn start() -> Server {
    start_with(|_| {})
}

/// A server with other settings. Its workers cannot be started: what solves is tested where the program is.
pub fn start_with(change: impl FnOnce(&mut Options)) -> Server {
    let program = Program { path: "/nowhere/cardinal".into(), arguments: Vec::new() };
    start_solving(program, change)
}

pub fn start_solving(program: Program, change: impl FnOnce(&mut Options)) -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::file(folder.path().join("cardinal.db"));
    let clock = Arc::new(AtomicI64::new(BEGIN));
    let mut options = Options { poll_ms: 10, rate_per_s: 1e6, burst: 1e6, drain_ms: 2_000, ..Options::default() };
    change(&mut options);
    let store = runtime.block_on(Store::open(&url, &StoreOptions::default())).unwrap();
    let token = |scope: Scope, applications: Option<Vec<String>>| make_token(&runtime, &store, scope, applications);
    let (viewer, operator) = (token(Scope::Viewer, None), token(Scope::Operator, None));
    let admin = token(Scope::Admin, None);
    let (pings, time) = (Arc::new(Pings::default()), clock.clone());
    let service = Service::new(Parts {
        store: store.clone(),
        pool: Arc::new(Pool::new(program, 2)),
        host: pings.clone(),
        clock: Arc::new(move || UnixMs(time.load(Ordering::SeqCst))),
        gauges: Arc::new(String::new),
        options,
    });
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = runtime.spawn(serve(service, listener, async move {
        let _ = stopped.await;
    }));
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(120)))
        .max_redirects(0)
        .build()
        .new_agent();
    Server {
        base,
        store,
        clock,
        pings,
        viewer,
        operator,
        admin,
        agent,
        stop: Some(stop),
        serving: Some(serving),
        runtime,
        _folder: folder,
    }
}

fn make_token(runtime: &Runtime, store: &Store, scope: Scope, applications: Option<Vec<String>>) -> String {
    let new = NewToken { name: scope.word().to_owned(), scope, applications, expires_at: None };
    let (_, secret) = runtime.block_on(store.create_token(new, UnixMs(BEGIN))).unwrap();
    secret.expose_text().unwrap().to_owned()
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    body: Body,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(mut self) -> String {
        self.body.read_to_string().unwrap()
    }

    pub fn bytes(mut self) -> Vec<u8> {
        self.body.read_to_vec().unwrap()
    }

    /// The body as JSON; it must say that it is.
    pub fn json(self) -> Value {
        let kind = self.header("content-type").to_owned();
        assert!(kind.ends_with("json"), "{kind}");
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The body of an answer with this status.
    pub fn expect(self, status: u16) -> Value {
        let found = self.status;
        let text = self.text();
        assert_eq!(found, status, "{text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The events of a stream, as they come: id, kind and data.
    pub fn events(self) -> impl Iterator<Item = (String, String, Value)> {
        assert!(self.header("content-type").starts_with("text/event-stream"));
        let mut lines = BufReader::new(self.body.into_reader()).lines();
        std::iter::from_fn(move || {
            let (mut id, mut kind) = (String::new(), String::new());
            let mut data = None;
            for line in lines.by_ref() {
                let line = line.unwrap();
                match line.split_once(": ").or_else(|| line.split_once(':')) {
                    Some(("id", value)) => id = value.to_owned(),
                    Some(("event", value)) => kind = value.to_owned(),
                    Some(("data", value)) => data = Some(serde_json::from_str(value).unwrap()),
                    _ if line.is_empty() => {
                        if let Some(data) = data.take() {
                            return Some((id, kind, data));
                        }
                    }
                    _ => {}
                }
            }
            None
        })
    }
}

impl Server {
    /// Makes a request: `headers` beside the token, and a body with its media type.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: Option<(&str, &[u8])>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match body {
            Some((kind, bytes)) => {
                let request = request
                    .header("content-type", kind)
                    .body(SendBody::from_owned_reader(std::io::Cursor::new(bytes.to_vec())));
                self.agent.run(request.unwrap())
            }
            None => self.agent.run(request.body(()).unwrap()),
        };
        let (parts, body) = response.unwrap_or_else(|error| panic!("{method} {path}: {error}")).into_parts();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Some(&self.viewer), &[], None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, Some(&self.operator), &[], Some(("application/json", body.to_string().as_bytes())))
    }

    pub fn submit(&self, model: &str) -> Reply {
        self.call("POST", "/v1/applications", Some(&self.operator), &[], Some(("application/yaml", model.as_bytes())))
    }

    pub fn token(&self, scope: Scope, applications: &[&str]) -> String {
        let applications = applications.iter().map(ToString::to_string).collect();
        make_token(&self.runtime, &self.store, scope, Some(applications))
    }

    pub fn advance_ms(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn pinged(&self) -> usize {
        self.pings.count.load(Ordering::SeqCst)
    }

    /// Tells the server to stop and waits until it has.
    pub fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            self.runtime.block_on(serving).unwrap().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// A model with two metrics, one of them with a unit.
pub const SHOP: &str = "\
application: shop
components:
  web:
    cardinality: 2..6
    requires: {cores: \">= 1\"}
metrics:
  requests: {unit: 1/s, default: 100}
  rt: {unit: ms}
constraints:
  enough: web.cardinality * 100 >= requests
utility: {minimize: total_cost}
";
