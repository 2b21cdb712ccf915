//! `cardinal serve`: the service, with the loops of all applications that this replica leads.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cardinal_adapter::driver::simulated::CloudSettings;
use cardinal_api::outbound::Outbound;
use cardinal_api::{Loop, OidcOptions, Options, Parts, Service, Tls};
use cardinal_control::host::{
    Forgotten, Histogram, Host, HostOptions, InWorkers, Monitors, RetentionOptions, Stats, holder,
};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_store::StoreUrl;
use cardinal_worker::{Pool, Program};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::database::{open, refused, runtime};
use crate::arguments::TimeLimit;
use crate::arguments::serve::{LogForm, Serve};
use crate::clock::now;

/// How long a request of a driver may take.
const OUTBOUND: Duration = Duration::from_secs(30);
/// Time between two looks for what other replicas took in, in milliseconds.
const POLL_MS: u64 = 500;

/// Serves until it is asked to stop.
pub fn run(arguments: &Serve) -> Result<Exit, Failure> {
    mistakes(arguments)?;
    log(arguments)?;
    allow_files();
    let runtime = runtime()?;
    let served = runtime.block_on(serve(arguments));
    // Workers and drivers that are still at it are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map(|()| Exit::Solved)
}

/// Each connection takes a file descriptor, and many systems allow a thousand unless asked for what they allow at most.
fn allow_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused there are fewer connections, which is told when they are used up.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// What does not fit together.
pub fn mistakes(arguments: &Serve) -> Result<(), Failure> {
    let mut findings = Vec::new();
    match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(_), None) => findings.push(Finding::error("`tls-certificate` is given, and `tls-key` is not")),
        (None, Some(_)) => findings.push(Finding::error("`tls-key` is given, and `tls-certificate` is not")),
        _ => {}
    }
    findings.extend(options(arguments, 1).mistakes().into_iter().map(Finding::error));
    findings.extend(arguments.database.database.parse::<StoreUrl>().err().map(|e| Finding::error(e.to_string())));
    if tracing_subscriber::EnvFilter::try_new(&arguments.log).is_err() {
        let message = format!("`log` cannot be `{}`", arguments.log);
        findings.push(Finding::error(message).help("write a level such as `info`"));
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::invalid(findings)) }
}

fn log(arguments: &Serve) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        .map_err(|error| Finding::error(format!("--log: {error}")).help("write a level such as `info`"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // What a file or a journal keeps has no colours.
    let log = log.with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    match arguments.log_form {
        LogForm::Text => log.init(),
        LogForm::Json => log.json().init(),
    }
    Ok(())
}

struct Pinged(Option<Host>);

impl Loop for Pinged {
    fn ping(&self, _application: &str) {
        if let Some(host) = &self.0 {
            host.ping();
        }
    }

    fn monitors(&self) -> Option<Arc<Monitors>> {
        self.0.as_ref().map(Host::monitors)
    }

    fn events(&self) -> Option<watch::Receiver<i64>> {
        self.0.as_ref().map(Host::events)
    }
}

async fn serve(arguments: &Serve) -> Result<(), Failure> {
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        Finding::error(format!("cannot listen on {}: {error}", arguments.listen))
            .help("another program may use the port; `--listen 127.0.0.1:0` takes a free one")
    })?;
    let address = listener.local_addr().unwrap_or(arguments.listen);
    let store = open(&arguments.database).await?;
    let solvers = arguments.solvers.map_or_else(processors, usize::from);
    let pool = Arc::new(Pool::new(program(arguments.memory_limit)?, solvers));
    let clock = Arc::new(now);
    let host = if arguments.no_loop {
        None
    } else {
        let replica = arguments.replica.clone().unwrap_or_else(machine);
        let lease = arguments.lease.0.unwrap_or(Duration::from_secs(15));
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX).clamp(1_000, 600_000);
        let cloud = CloudSettings { speed: arguments.cloud_speed, ..CloudSettings::default() };
        let retention = Some(retention(arguments));
        let options =
            HostOptions { holder: holder(&replica, now()), lease_ms, poll_ms: POLL_MS, solvers, cloud, retention };
        let decider = Arc::new(InWorkers::new(pool.clone()));
        let wire = Arc::new(Outbound::new(OUTBOUND));
        Some(Host::start(store.clone(), decider, wire, clock.clone(), options).await.map_err(refused)?)
    };
    let figures = host.as_ref().map(Host::stats);
    let service = Service::new(Parts {
        store: store.clone(),
        pool,
        host: Arc::new(Pinged(host.clone())),
        clock,
        gauges: Arc::new(move || figures.as_ref().map(|stats| text(stats)).unwrap_or_default()),
        options: options(arguments, solvers),
    });
    let scheme = if arguments.tls_certificate.is_some() { "https" } else { "http" };
    tracing::info!(%address, "serving on {scheme}://{address}, pages at {scheme}://{address}/docs");
    let served = cardinal_api::serve(service, listener, stop()).await;
    if let Some(host) = host {
        host.stop().await;
    }
    store.close().await;
    served.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Finding::error(format!("{error}{cause}")).into()
    })
}

fn retention(arguments: &Serve) -> RetentionOptions {
    // Without a limit everything is kept.
    let ms = |time: TimeLimit| {
        time.0.map_or(u64::MAX, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).min(i64::MAX.unsigned_abs())
    };
    RetentionOptions {
        every_ms: ms(arguments.forget_every),
        events_ms: ms(arguments.keep_events),
        decisions_ms: ms(arguments.keep_decisions),
        decisions_min: arguments.keep_decisions_min,
    }
}

fn options(arguments: &Serve, solvers: usize) -> Options {
    let tls = arguments.tls_certificate.clone().zip(arguments.tls_key.clone());
    Options {
        listen: arguments.listen,
        is_dev: arguments.dev,
        oidc: arguments.oidc_issuer.clone().map(|issuer| OidcOptions {
            issuer,
            audience: arguments.oidc_audience.clone().unwrap_or_default(),
            claim: arguments.oidc_claim.clone(),
        }),
        tls: tls.map(|(certificate, key)| Tls { certificate, key }),
        solves_max: solvers,
        connections_max: usize::try_from(arguments.connections).unwrap_or(usize::MAX),
        ..Options::default()
    }
}

/// The worker processes are this program.
fn program(memory_limit: u64) -> Result<Program, Failure> {
    let path = std::env::current_exe()
        .map_err(|error| Failure::internal(format!("the program cannot find itself: {error}")))?;
    let limit = format!("--memory-limit={memory_limit} B");
    Ok(Program { path, arguments: vec![OsString::from("solve-worker"), limit.into()] })
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// The name of the machine.
fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String =
        name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(64).collect();
    if name.is_empty() { "cardinal".to_owned() } else { name }
}

/// Ready when the process is asked to stop.
async fn stop() {
    let interrupted = tokio::signal::ctrl_c();
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = interrupted => {}
        () = terminated => {}
    }
    tracing::info!("stopping");
}

/// The figures of the loops in the text form of Prometheus.
fn text(stats: &Stats) -> String {
    let mut text = String::new();
    let mut one = |name: &str, kind: &str, help: &str, value: i64| {
        text.push_str(&format!(
            "# HELP cardinal_{name} {help}\n# TYPE cardinal_{name} {kind}\ncardinal_{name} {value}\n"
        ));
    };
    let count = |n: &std::sync::atomic::AtomicU64| i64::try_from(n.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
    one("applications_led", "gauge", "Applications that this replica leads.", stats.led.load(Ordering::Relaxed));
    one(
        "applications_broken",
        "gauge",
        "Applications that cannot be looked after.",
        stats.broken.load(Ordering::Relaxed),
    );
    one("decisions_queued", "gauge", "Decisions that wait for a worker.", stats.queued.load(Ordering::Relaxed));
    one("decisions_total", "counter", "Decisions made.", count(&stats.decisions));
    one("decisions_proven_total", "counter", "Decisions with a proof of optimality.", count(&stats.proven));
    one(
        "decisions_infeasible_total",
        "counter",
        "Decisions where no placement keeps all rules.",
        count(&stats.infeasible),
    );
    one("decisions_failed_total", "counter", "Decisions that could not be made.", count(&stats.failed));
    one("plans_total", "counter", "Plans begun.", count(&stats.plans));
    one("flaps_total", "counter", "Plans that turned an earlier change round.", count(&stats.flaps));
    one("plans_stuck_total", "counter", "Times that a plan waited for a person.", count(&stats.stuck));
    one("driver_calls_total", "counter", "Calls to drivers.", count(&stats.calls));
    one("store_failures_total", "counter", "Writes that failed and were tried again.", count(&stats.unwritten));
    savings(&mut text, stats);
    forgotten(&mut text, stats);
    histogram(&mut text, "gap_ratio", "Relative gap that solved decisions left open.", &stats.gap);
    histogram(&mut text, "repair_seconds", "From the first broken rule until all hold again.", &stats.repair);
    histogram(&mut text, "reaction_seconds", "From metric values or an order to the stored decision.", &stats.reaction);
    histogram(&mut text, "deciding_seconds", "From the beginning of a decision to its end.", &stats.deciding);
    text
}

/// What plans save per hour: as they said when they began, and as it was when they ended.
fn savings(text: &mut String, stats: &Stats) {
    let both = [
        ("saving_predicted", "were to save per hour, less what they were to add", &stats.predicted_nanos),
        ("saving_realised", "have saved per hour once ended, less what they added", &stats.realised_nanos),
    ];
    for (name, help, nanos) in both {
        let name = format!("cardinal_{name}_per_hour");
        let value = nanos.load(Ordering::Relaxed) as f64 / 1e9;
        text.push_str(&format!("# HELP {name} What the plans begun {help}.\n# TYPE {name} gauge\n{name} {value}\n"));
    }
}

/// What was forgotten because it was too old.
fn forgotten(text: &mut String, stats: &Stats) {
    let Forgotten { events, decisions, plans, metrics, others, failures } = &stats.forgotten;
    let name = "cardinal_forgotten_total";
    text.push_str(&format!("# HELP {name} Rows that were too old.\n# TYPE {name} counter\n"));
    let kinds =
        [("events", events), ("decisions", decisions), ("plans", plans), ("metrics", metrics), ("others", others)];
    for (kind, count) in kinds {
        text.push_str(&format!("{name}{{kind=\"{kind}\"}} {}\n", count.load(Ordering::Relaxed)));
    }
    let name = "cardinal_forgetting_failures_total";
    let failed = failures.load(Ordering::Relaxed);
    text.push_str(&format!(
        "# HELP {name} Looks for what is too old that failed.\n# TYPE {name} counter\n{name} {failed}\n"
    ));
}

fn histogram(text: &mut String, name: &str, help: &str, histogram: &Histogram) {
    let (below, all, sum) = histogram.read();
    let name = format!("cardinal_{name}");
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} histogram\n"));
    for (end, count) in below {
        text.push_str(&format!("{name}_bucket{{le=\"{end}\"}} {count}\n"));
    }
    text.push_str(&format!("{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {sum}\n{name}_count {all}\n"));
}
