//! `cardinal serve`: the service, with the loops of all applications that this replica leads.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cardinal_adapter::driver::simulated::CloudSettings;
use cardinal_api::outbound::Outbound;
use cardinal_api::{Loop, Options, Parts, Service, Tls};
use cardinal_control::host::{Host, HostOptions, InWorkers, LATENCY_MS, Latency, Monitors, Stats, holder};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_worker::{Pool, Program};
use tokio::net::TcpListener;

use super::database::{open, refused, runtime};
use crate::arguments::serve::{LogForm, Serve};
use crate::clock::now;

/// How long a request of a driver may take.
const OUTBOUND: Duration = Duration::from_secs(30);
/// Time between two looks for what other replicas took in, in milliseconds.
const POLL_MS: u64 = 500;

/// Serves until it is asked to stop.
pub fn run(arguments: &Serve) -> Result<Exit, Failure> {
    log(arguments)?;
    let runtime = runtime()?;
    let served = runtime.block_on(serve(arguments));
    // Workers and drivers that are still at it are not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served.map(|()| Exit::Solved)
}

fn log(arguments: &Serve) -> Result<(), Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&arguments.log)
        .map_err(|error| Finding::error(format!("--log: {error}")).help("write a level such as `info`"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
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
        let options = HostOptions { holder: holder(&replica, now()), lease_ms, poll_ms: POLL_MS, solvers, cloud };
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

fn options(arguments: &Serve, solvers: usize) -> Options {
    let tls = arguments.tls_certificate.clone().zip(arguments.tls_key.clone());
    Options {
        listen: arguments.listen,
        is_dev: arguments.dev,
        tls: tls.map(|(certificate, key)| Tls { certificate, key }),
        solves_max: solvers,
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
    one("plans_total", "counter", "Plans begun.", count(&stats.plans));
    one("plans_stuck_total", "counter", "Times that a plan waited for a person.", count(&stats.stuck));
    one("driver_calls_total", "counter", "Calls to drivers.", count(&stats.calls));
    one("store_failures_total", "counter", "Writes that failed and were tried again.", count(&stats.unwritten));
    histogram(&mut text, "reaction", "From metric values or an order to the stored decision.", &stats.reaction);
    histogram(&mut text, "deciding", "From the beginning of a decision to its end.", &stats.deciding);
    text
}

fn histogram(text: &mut String, name: &str, help: &str, latency: &Latency) {
    let (classes, sum_ms) = latency.read();
    let name = format!("cardinal_{name}_seconds");
    text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} histogram\n"));
    let mut below = 0;
    for (class, end) in classes.iter().zip(LATENCY_MS) {
        below += class;
        text.push_str(&format!("{name}_bucket{{le=\"{}\"}} {below}\n", end as f64 / 1e3));
    }
    let all: u64 = classes.iter().sum();
    let sum = sum_ms as f64 / 1e3;
    text.push_str(&format!("{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {sum}\n{name}_count {all}\n"));
}
