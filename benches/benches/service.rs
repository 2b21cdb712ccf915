//! The service as a process: start, memory, a thousand applications, requests, and replicas that die.
//!
//! `cargo bench --bench service` starts the command `cardinal` of the same target directory (or the one that
//! `CARDINAL_PROGRAM` names) over SQLite, and over a private PostgreSQL server where one is installed. The load comes from
//! threads of this process, so that on a small machine it shares the processors with what it measures.
#![allow(clippy::print_stdout, reason = "it prints tables")]

#[path = "../../store/tests/suite/cluster.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "made for the suite of the store")]
mod cluster;

/// What the cluster needs of the suite of the store.
#[allow(clippy::unwrap_used, reason = "without a runtime there is nothing to measure")]
mod site {
    use std::sync::OnceLock;

    use tokio::runtime::{Builder, Runtime};

    /// On one runtime, because connections do not outlive theirs.
    pub fn block_on<T>(future: impl Future<Output = T>) -> T {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let made = || Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        RUNTIME.get_or_init(made).block_on(future)
    }
}

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cardinal_adapter::driver::simulated::{CloudState, SimulatedCloud};
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Store, StoreOptions};
use serde_json::{Value, json};
use ureq::Agent;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many applications there are, unless `CARDINAL_APPLICATIONS` says otherwise.
const APPLICATIONS: usize = 1_000;
/// Who sends at a time.
const SENDERS: usize = 8;
/// How long requests of a kind are sent.
const SENDING: Duration = Duration::from_secs(8);
/// How often the leading replica is killed.
const KILLS: usize = 20;
const LEASE_S: u64 = 3;

fn main() {
    if let Err(error) = run() {
        eprintln!("{error}");
    }
}

fn run() -> Outcome<()> {
    let program = program()?;
    let folder = tempfile::tempdir()?;
    println!("| what | figure |\n| --- | ---: |");
    start(&program, folder.path())?;
    let alone = folder.path().join("alone.db").display().to_string();
    submissions(&Service::start(&program, &alone, &["--no-loop"])?)?;
    let service = Service::start(&program, &folder.path().join("load.db").display().to_string(), &[])?;
    thousand(&service)?;
    metric_batches(&service)?;
    drop(service);
    failover(&program)
}

fn row(what: &str, figure: impl std::fmt::Display) {
    println!("| {what} | {figure} |");
}

#[expect(clippy::disallowed_methods, reason = "where the program is, is known to the one who measures")]
fn program() -> Outcome<PathBuf> {
    if let Ok(named) = std::env::var("CARDINAL_PROGRAM") {
        return Ok(named.into());
    }
    let own = std::env::current_exe()?;
    let found = own.ancestors().map(|folder| folder.join("cardinal")).find(|path| path.is_file());
    found.ok_or_else(|| "the command `cardinal` is not built: cargo build --release --workspace --bins".into())
}

#[expect(clippy::disallowed_methods, reason = "how much is measured, is known to the one who measures")]
fn applications() -> usize {
    std::env::var("CARDINAL_APPLICATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(APPLICATIONS)
}

/// A running service; killed when it goes out of scope.
struct Service {
    child: Child,
    url: String,
    started: Duration,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    fn start(program: &Path, database: &str, more: &[&str]) -> Outcome<Self> {
        let begun = Instant::now();
        let mut child = Command::new(program)
            .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--cloud-speed", "100000", "--log-form", "json"])
            .args(["--log", "warn,cardinal::commands::serve=info", "--database", database])
            .args(more)
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(errors).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            said["fields"]["address"].as_str().map(str::to_owned)
        });
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("http://{}", address.ok_or("the service does not start")?);
        let sender = Sender::new();
        while sender.get(&format!("{url}/readyz")).is_err() {
            if begun.elapsed() > Duration::from_secs(30) {
                return Err("the service does not become ready".into());
            }
        }
        Ok(Service { child, url, started: begun.elapsed() })
    }

    /// Resident memory of the process alone, now and at its highest, in MB.
    fn memory_mb(&self) -> Outcome<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let figure = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0 / 1e6)
        };
        Ok((figure("VmRSS:").ok_or("no VmRSS")?, figure("VmHWM:").ok_or("no VmHWM")?))
    }
}

/// Who sends requests, over a connection of its own.
struct Sender {
    agent: Agent,
    /// A token has a rate; without one everybody is the same caller.
    token: Option<String>,
}

impl Sender {
    fn new() -> Self {
        let agent = Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build().new_agent();
        Sender { agent, token: None }
    }

    /// With a token of its own, made by the service in dev mode.
    fn with_token(service: &Service) -> Outcome<Self> {
        let sender = Sender::new();
        let body = json!({"name": "bench", "scope": "operator"}).to_string();
        let answer = sender.post(&format!("{}/v1/tokens", service.url), "application/json", &body)?;
        let token = serde_json::from_str::<Value>(&answer)?["token"].as_str().map(str::to_owned);
        Ok(Sender { token, ..sender })
    }

    fn header(&self) -> String {
        self.token.as_ref().map_or(String::new(), |token| format!("Bearer {token}"))
    }

    fn get(&self, url: &str) -> Outcome<String> {
        let mut request = self.agent.get(url);
        if self.token.is_some() {
            request = request.header("authorization", self.header());
        }
        Ok(request.call()?.body_mut().read_to_string()?)
    }

    fn post(&self, url: &str, kind: &str, body: &str) -> Outcome<String> {
        let mut request = self.agent.post(url).header("content-type", kind);
        if self.token.is_some() {
            request = request.header("authorization", self.header());
        }
        Ok(request.send(body)?.body_mut().read_to_string()?)
    }
}

/// The value below which this share of the sorted values lies, in milliseconds.
fn at_share(sorted: &[Duration], share: f64) -> String {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or("none".to_owned(), |took| format!("{:.1}", took.as_secs_f64() * 1e3))
}

/// From nothing to ready, and what an idle service holds.
fn start(program: &Path, folder: &Path) -> Outcome<()> {
    let mut took = Vec::new();
    for round in 0..10 {
        let database = folder.join(format!("start{round}.db")).display().to_string();
        let service = Service::start(program, &database, &[])?;
        took.push(service.started);
        if round == 9 {
            std::thread::sleep(Duration::from_secs(3));
            row("idle, resident memory, MB", format!("{:.0}", service.memory_mb()?.0));
        }
    }
    took.sort();
    row("start to ready with a new database, median of 10, ms", at_share(&took, 0.5));
    Ok(())
}

/// What each of several senders has done, and how long each took.
fn send(
    service: &Service,
    jobs: impl Fn(&Sender, usize) -> Outcome<String> + Sync,
    until: impl Fn(usize) -> bool + Sync,
) -> Outcome<Vec<Duration>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let all_senders = (0..SENDERS).map(|_| Sender::with_token(service)).collect::<Outcome<Vec<_>>>()?;
    let work = |sender: Sender| {
        let mut took = Vec::new();
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if !until(job) {
                return took;
            }
            let begun = Instant::now();
            match jobs(&sender, job) {
                Ok(_) => took.push(begun.elapsed()),
                Err(error) => {
                    if !failed.swap(true, Ordering::Relaxed) {
                        eprintln!("a request failed: {error}");
                    }
                    return took;
                }
            }
        }
    };
    let work = &work;
    let mut all = std::thread::scope(|scope| {
        let senders: Vec<_> = all_senders.into_iter().map(|sender| scope.spawn(move || work(sender))).collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    if failed.into_inner() {
        return Err("not all requests were answered".into());
    }
    all.sort();
    Ok(all)
}

/// Tells of decisions as the event stream does.
fn decisions(service: &Service) -> Outcome<mpsc::Receiver<(String, Instant)>> {
    let agent = Agent::config_builder().timeout_global(None).build().new_agent();
    let stream = agent.get(format!("{}/v1/events?kinds=decided", service.url)).call()?.into_body();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream.into_reader()).lines().map_while(Result::ok) {
            let Some(data) = line.strip_prefix("data:") else { continue };
            let event: Value = serde_json::from_str(data).unwrap_or_default();
            let Some(name) = event["application"].as_str() else { continue };
            if tell.send((name.to_owned(), Instant::now())).is_err() {
                return;
            }
        }
    });
    Ok(told)
}

fn until_all(
    told: &mpsc::Receiver<(String, Instant)>,
    count: usize,
    most: Duration,
) -> Outcome<HashMap<String, Instant>> {
    let (mut seen, begun) = (HashMap::new(), Instant::now());
    while seen.len() < count {
        let left = most.checked_sub(begun.elapsed()).ok_or_else(|| format!("{} of {count} decided", seen.len()))?;
        let (name, at) = told.recv_timeout(left)?;
        seen.entry(name).or_insert(at);
    }
    Ok(seen)
}

fn submit(service: &Service, count: usize) -> Outcome<Vec<Duration>> {
    let model = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml"))?;
    let place = |job| format!("{}/v1/applications?name=app{job}", service.url);
    send(service, |sender, job| sender.post(&place(job), "application/yaml", &model), |job| job < count)
}

/// Submissions alone: nobody looks after the applications.
fn submissions(service: &Service) -> Outcome<()> {
    let begun = Instant::now();
    let took = submit(service, applications())?;
    let per_s = took.len() as f64 / begun.elapsed().as_secs_f64();
    row(&format!("submissions per second, {SENDERS} senders"), format!("{per_s:.0}"));
    row("submissions, p50 and p99, ms", format!("{} and {}", at_share(&took, 0.5), at_share(&took, 0.99)));
    Ok(())
}

/// Applications of SmartWe's size: submitted, deployed, and then each in need of more.
fn thousand(service: &Service) -> Outcome<()> {
    let count = applications();
    let told = decisions(service)?;
    let begun = Instant::now();
    let took = submit(service, count)?;
    let figures = format!("{} and {}", at_share(&took, 0.5), at_share(&took, 0.99));
    row("submissions while decisions are made, p50 and p99, ms", figures);
    let decided = until_all(&told, count, Duration::from_secs(120))?;
    let last = decided.values().max().copied().unwrap_or(begun);
    let per_s = count as f64 / last.duration_since(begun).as_secs_f64();
    row(&format!("first decisions on {count} applications, per second"), format!("{per_s:.0}"));
    until_quiet(service, count)?;
    let took = begun.elapsed().as_secs_f64();
    row(&format!("until all {count} are deployed (4 to 5 nodes each), s"), format!("{took:.1}"));

    while told.try_recv().is_ok() {}
    reaction(service, &told, count)?;
    let (now, most) = service.memory_mb()?;
    row(&format!("resident memory with {count} applications, now and at most, MB"), format!("{now:.0} and {most:.0}"));
    Ok(())
}

/// Waits until as many plans have begun as there are applications and no call is made any more.
fn until_quiet(service: &Service, count: usize) -> Outcome<()> {
    let (sender, begun, mut before) = (Sender::new(), Instant::now(), None);
    loop {
        let text = sender.get(&format!("{}/metrics", service.url))?;
        let figure = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} ")))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let (plans, calls) = (figure("cardinal_plans_total"), figure("cardinal_driver_calls_total"));
        if plans.is_some_and(|plans| plans >= count as f64) && calls == before {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(120) {
            return Err(format!("{plans:?} plans and {calls:?} calls, and no end").into());
        }
        before = calls;
        std::thread::sleep(Duration::from_millis(1_500));
    }
}

/// From the value of a metric that breaks a rule to the recorded decision: one after the other, then all at once.
fn reaction(service: &Service, told: &mpsc::Receiver<(String, Instant)>, count: usize) -> Outcome<()> {
    let values =
        json!({"values": [{"name": "requests", "value": 260}, {"name": "memory_used", "value": 20}]}).to_string();
    let push = |sender: &Sender, app: usize| {
        sender.post(&format!("{}/v1/applications/app{app}/metrics", service.url), "application/json", &values)
    };
    let alone = (count / 5).min(100);
    let mut took = Vec::new();
    let own = Sender::new();
    for app in 0..alone {
        let begun = Instant::now();
        push(&own, app)?;
        let name = format!("app{app}");
        let left = Duration::from_secs(30);
        let at = std::iter::from_fn(|| told.recv_timeout(left).ok()).find(|(seen, _)| *seen == name);
        took.push(at.ok_or("no decision on a broken rule")?.1.duration_since(begun));
    }
    took.sort();
    let figures = format!("{} and {}", at_share(&took, 0.5), at_share(&took, 0.99));
    row("metric to recorded decision, one application at a time, p50 and p99, ms", figures);
    let begun = Instant::now();
    send(service, |sender, job| push(sender, alone + job), |job| alone + job < count)?;
    let decided = until_all(told, count - alone, Duration::from_secs(120))?;
    let mut took: Vec<Duration> = decided.values().map(|at| at.duration_since(begun)).collect();
    took.sort();
    let last = took.last().copied().unwrap_or_default().as_secs_f64();
    let per_s = took.len() as f64 / last;
    row(&format!("decisions per second, {} applications at once", took.len()), format!("{per_s:.0}"));
    let figures = format!("{} and {}", at_share(&took, 0.5), at_share(&took, 0.99));
    row("metric to recorded decision, all at once, p50 and p99, ms", figures);
    Ok(())
}

/// Batches of values that break nothing.
fn metric_batches(service: &Service) -> Outcome<()> {
    let count = applications();
    let begun = Instant::now();
    let took = send(
        service,
        |sender, job| {
            let values =
                json!({"values": [{"name": "requests", "value": 250 + job % 5}, {"name": "memory_used", "value": 20}]});
            let url = format!("{}/v1/applications/app{}/metrics", service.url, job % count);
            sender.post(&url, "application/json", &values.to_string())
        },
        |_| begun.elapsed() < SENDING,
    )?;
    let per_s = took.len() as f64 / begun.elapsed().as_secs_f64();
    row(&format!("metric batches per second, {SENDERS} senders"), format!("{per_s:.0}"));
    row("metric batches, p50 and p99, ms", format!("{} and {}", at_share(&took, 0.5), at_share(&took, 0.99)));
    let begun = Instant::now();
    let reads = send(
        service,
        |sender, _| sender.get(&format!("{}/v1/applications?limit=500", service.url)),
        |_| begun.elapsed() < SENDING / 2,
    )?;
    let figures = format!("{} and {}", at_share(&reads, 0.5), at_share(&reads, 0.99));
    row("list of 500 applications, p50 and p99, ms", figures);
    Ok(())
}

/// Kills the replica that leads, again and again.
fn failover(program: &Path) -> Outcome<()> {
    let Some(cluster) = cluster::cluster() else { return Ok(()) };
    let (_, database) = (cluster.database(), cluster.address("t0"));
    let lease = format!("{LEASE_S}s");
    let replica = |name: &str| Service::start(program, &database, &["--replica", name, "--lease", &lease]);
    let mut replicas = [replica("a")?, replica("b")?];
    let (own, model) = (Sender::new(), concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml"));
    let model = std::fs::read_to_string(model)?;
    own.post(&format!("{}/v1/applications?name=app", replicas[0].url), "application/yaml", &model)?;
    let store = site::block_on(Store::open(&database.parse()?, &StoreOptions::default()))?;
    let last = || -> Outcome<u64> {
        let state = site::block_on(store.loop_state("app"))?.unwrap_or_default();
        Ok(serde_json::from_str::<Value>(&state).unwrap_or_default()["decisions"].as_u64().unwrap_or(0))
    };
    let mut took = Vec::new();
    for _ in 0..KILLS {
        let holder = loop {
            if let Some(lease) = site::block_on(store.leader("app", UnixMs(0)))? {
                break lease.holder;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let at = usize::from(holder.starts_with("b-"));
        let before = last()?;
        let begun = Instant::now();
        replicas[at].child.kill()?;
        own.post(&format!("{}/v1/applications/app/decide", replicas[1 - at].url), "application/json", "")?;
        while last()? <= before {
            std::thread::sleep(Duration::from_millis(10));
        }
        took.push(begun.elapsed());
        replicas[at] = replica(["a", "b"][at])?;
    }
    took.sort();
    let longest = took.last().copied().unwrap_or_default().as_secs_f64();
    row(
        &format!("fail-over, {KILLS} kills, lease {LEASE_S} s: until the next decision, median and longest, s"),
        format!("{:.1} and {longest:.1}", took[took.len() / 2].as_secs_f64()),
    );
    let text = site::block_on(store.cloud("app"))?.unwrap_or_default();
    let cloud = SimulatedCloud::restore(serde_json::from_str::<CloudState>(&text)?);
    let effects = cloud.effects();
    let once: BTreeSet<_> = effects.iter().map(|effect| (&effect.token, &effect.object)).collect();
    row("fail-over: actions doubled", format!("{} of {}", effects.len() - once.len(), effects.len()));
    Ok(())
}
