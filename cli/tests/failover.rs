//! Replicas over one PostgreSQL server: the one that leads is killed again and again, the other carries on, and nothing is
//! done twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../store/tests/suite/cluster.rs"]
#[allow(dead_code, reason = "the suite of the store uses more of it")]
mod cluster;

/// What the cluster needs of the suite.
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

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cardinal_adapter::driver::Driver;
use cardinal_adapter::driver::simulated::{CloudState, SimulatedCloud};
use cardinal_adapter::time::UnixMs;
use cardinal_store::{Store, StoreOptions};
use serde_json::Value;

const APPLICATIONS: [&str; 2] = ["first", "second"];
const ROUNDS: usize = 6;
const LEASE: &str = "2s";
/// Every change that gains anything begins at once.
const SETTINGS: &str = r#"{"coalesce_ms": 10, "gate": {"stabilisation": {"down_s": 0}, "cooldown": {"change_s": 0},
    "flaps": {"most": 1000000}, "floor_relative": 0}}"#;

/// A replica; killed when it goes out of scope.
struct Replica {
    name: &'static str,
    child: Child,
    url: String,
}

impl Drop for Replica {
    fn drop(&mut self) {
        // At once, in the middle of whatever it does.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn replica(name: &'static str, database: &str) -> Replica {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cardinal"))
        .args(["serve", "--dev", "--listen", "127.0.0.1:0", "--cloud-speed", "200", "--lease", LEASE])
        .args(["--log-form", "json", "--replica", name, "--database", database])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| {
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        said["fields"]["address"].as_str().map(str::to_owned)
    });
    // What is said later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Replica { name, child, url: format!("http://{}", address.expect("the replica serves")) }
}

fn cardinal(replica: &Replica, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cardinal"))
        .args(arguments)
        .args(["--output", "json"])
        .env("CARDINAL_URL", &replica.url)
        .env_remove("CARDINAL_TOKEN")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "not within two minutes: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Which replica leads an application.
fn leader(store: &Store, application: &str) -> Option<String> {
    let lease = site::block_on(store.leader(application, UnixMs(0))).unwrap()?;
    ["a", "b"].into_iter().find(|name| lease.holder.starts_with(&format!("{name}-"))).map(str::to_owned)
}

fn front_ends(replica: &Replica, application: &str) -> Option<u64> {
    let shown = cardinal(replica, &["app", "show", application]);
    let nodes = shown["deployment"]["current"]["deployment"]["nodes"].as_array()?;
    let of = |node: &Value| Some(node["count"].as_u64()? * node["instances"]["smart_design"].as_u64().unwrap_or(0));
    (shown["application"]["course"] == "idle").then(|| nodes.iter().filter_map(of).sum())
}

#[test]
fn a_killed_leader_is_followed_and_nothing_is_done_twice() {
    let Some(cluster) = cluster::cluster() else { return };
    let (_, database) = (cluster.database(), cluster.address("t0"));
    let mut replicas = [replica("a", &database), replica("b", &database)];
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml");
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.json");
    std::fs::write(&settings, SETTINGS).unwrap();
    for name in APPLICATIONS {
        cardinal(&replicas[0], &["app", "submit", model, "--name", name]);
        cardinal(&replicas[0], &["app", "settings", name, "--change", settings.to_str().unwrap()]);
    }
    let store = site::block_on(Store::open(&database.parse().unwrap(), &StoreOptions::default())).unwrap();
    for name in APPLICATIONS {
        wait("it runs", || (front_ends(&replicas[0], name) == Some(2)).then_some(()));
    }
    for round in 0..ROUNDS {
        let is_more = round % 2 == 0;
        let values = ["memory_used=20", if is_more { "requests=260" } else { "requests=80" }];
        let victim = wait("somebody leads", || leader(&store, APPLICATIONS[0]));
        let at = usize::from(victim == "b");
        let before = APPLICATIONS.map(|name| decisions(&store, name));
        for name in APPLICATIONS {
            cardinal(&replicas[1 - at], &[&["metrics", "push", name], &values[..]].concat());
            cardinal(&replicas[1 - at], &["app", "decide", name]);
        }
        // Somewhere between the decision and the end of its plan.
        std::thread::sleep(Duration::from_millis(200 + 250 * round as u64));
        let name = replicas[at].name;
        drop(replicas[at].child.kill());
        let survivor = &replicas[1 - at];
        wait("the other one leads", || (leader(&store, APPLICATIONS[0])? == survivor.name).then_some(()));
        for (name, before) in APPLICATIONS.iter().zip(before) {
            wait("it is decided", || (decisions(&store, name) > before).then_some(()));
            wait("it follows its load", || front_ends(survivor, name).filter(|n| *n > 2 || !is_more));
        }
        replicas[at] = replica(name, &database);
    }
    for name in APPLICATIONS {
        wait("nothing is under way", || front_ends(&replicas[0], name));
        let (doubled, effects) = doubled(&store, name);
        assert!(doubled == 0 && effects > 4 * ROUNDS, "{doubled} of {effects}");
    }
}

/// The number of the last decision.
fn decisions(store: &Store, application: &str) -> u64 {
    let state = site::block_on(store.loop_state(application)).unwrap().unwrap();
    serde_json::from_str::<Value>(&state).unwrap()["decisions"].as_u64().unwrap()
}

/// How many effects in the cloud came about more than once, and how many there were; what is there must also be what is on
/// record.
fn doubled(store: &Store, application: &str) -> (usize, usize) {
    let text = site::block_on(store.cloud(application)).unwrap().unwrap();
    let cloud = SimulatedCloud::restore(serde_json::from_str::<CloudState>(&text).unwrap());
    let effects = cloud.effects();
    let once: BTreeSet<_> = effects.iter().map(|effect| (&effect.token, &effect.object)).collect();
    let state: Value = serde_json::from_str(&site::block_on(store.loop_state(application)).unwrap().unwrap()).unwrap();
    let recorded: BTreeSet<String> = state["running"]["nodes"].as_object().unwrap().keys().cloned().collect();
    let seen = cloud.observe(UnixMs(i64::MAX / 2), application).unwrap();
    let there: BTreeSet<String> = seen.nodes.iter().map(|node| node.id.to_string()).collect();
    assert_eq!(there, recorded);
    (effects.len() - once.len(), effects.len())
}
