//! Hosts over a real store: submission to running deployment, replay, restart at any moment, two replicas.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use cardinal_adapter::driver::simulated::{CloudState, SimulatedCloud};
use cardinal_store::{Before, MetricRow, NewModel, StoreOptions, StoreUrl};

use super::*;
use crate::decide::{InProcess, decide};
use crate::decision::Held;
use crate::simulate::tests::MODEL;
use crate::state::{Course, LoopState, Order};

/// A cloud two thousand times as fast as a real one.
const SETTINGS: &str = r#"{"driver": {"kind": "simulated", "cloud": {"speed": 2000}}, "coalesce_ms": 10,
    "mode": "automatic"}"#;

fn now() -> UnixMs {
    UnixMs(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

fn clock() -> Clock {
    Arc::new(now)
}

struct Offline;

impl cardinal_adapter::driver::webhook::Transport for Offline {
    fn send(
        &self,
        _: &cardinal_adapter::driver::webhook::Request,
    ) -> Result<cardinal_adapter::driver::webhook::Answer, String> {
        Err("no network in this test".to_owned())
    }
}

async fn store(at: &std::path::Path) -> Store {
    Store::open(&StoreUrl::file(at.join("cardinal.db")), &StoreOptions::default()).await.unwrap()
}

async fn host(store: &Store, lease_ms: u64) -> Host {
    host_with(store, lease_ms, None).await
}

async fn host_with(store: &Store, lease_ms: u64, retention: Option<RetentionOptions>) -> Host {
    let options = HostOptions {
        holder: holder("test", now()),
        lease_ms,
        poll_ms: 20,
        solvers: 2,
        cloud: CloudSettings::default(),
        retention,
    };
    Host::start(store.clone(), Arc::new(InProcess), Arc::new(Offline), clock(), options).await.unwrap()
}

fn model(name: &str) -> NewModel {
    let text = MODEL.replace("application: shop", &format!("application: {name}"));
    NewModel {
        application: name.to_owned(),
        digest: Digest::of_bytes(text.as_bytes()),
        format: "native".to_owned(),
        media_type: "application/yaml".to_owned(),
        text,
        by: "tester".to_owned(),
        at: now(),
    }
}

async fn submit(store: &Store, name: &str) {
    store.submit(&model(name), SETTINGS).await.unwrap();
}

async fn measure(store: &Store, name: &str, requests: f64) {
    let row = MetricRow { name: "requests".to_owned(), value: requests, at: now(), labels: None };
    store.put_metrics(name, &[row], now()).await.unwrap();
}

async fn state(store: &Store, name: &str) -> Option<LoopState> {
    store.loop_state(name).await.unwrap().map(|text| serde_json::from_str(&text).unwrap())
}

/// Waits until the stored state is as wanted.
async fn until(store: &Store, name: &str, what: &str, wanted: impl Fn(&LoopState) -> bool) -> LoopState {
    for _ in 0..1500 {
        if let Some(state) = state(store, name).await
            && wanted(&state)
        {
            return state;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not within half a minute: {what}\n{:#?}", state(store, name).await)
}

fn web(state: &LoopState) -> u64 {
    state.running.cardinalities().get("web").copied().unwrap_or(0)
}

fn at_rest(state: &LoopState) -> bool {
    state.course == Course::Idle && !state.blind && state.waiting.is_empty()
}

/// No token has had its effect twice, and what is on record is what there is.
async fn agrees(store: &Store, name: &str) {
    let state = state(store, name).await.unwrap();
    let cloud: CloudState = serde_json::from_str(&store.cloud(name).await.unwrap().unwrap()).unwrap();
    let cloud = SimulatedCloud::restore(cloud);
    let effects = cloud.effects();
    let once: BTreeSet<_> = effects.iter().map(|e| (&e.token, &e.object)).collect();
    assert_eq!(once.len(), effects.len(), "{effects:#?}");
    let seen = cardinal_adapter::driver::Driver::observe(&cloud, now(), name).unwrap();
    let there: BTreeSet<_> = seen.nodes.iter().map(|n| n.id.to_string()).collect();
    let recorded: BTreeSet<_> = state.running.nodes.values().map(|n| n.id.to_string()).collect();
    assert_eq!(there, recorded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_application_comes_to_run_and_follows_its_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let host = host(&store, 5_000).await;
    submit(&store, "shop").await;
    host.ping();
    let first = until(&store, "shop", "it runs", |s| at_rest(s) && web(s) == 2).await;
    measure(&store, "shop", 900.0).await;
    host.ping();
    let grown = until(&store, "shop", "it grows", |s| at_rest(s) && web(s) > 2).await;
    assert!(grown.head.generation > first.head.generation);
    agrees(&store, "shop").await;

    // Every decision is made again from what is stored, bit for bit.
    let listed = store.decisions("shop", Before { number: None, limit: 100 }, None).await.unwrap();
    assert!(listed.rows.len() >= 2);
    for summary in listed.rows {
        let row = store.decision("shop", summary.number).await.unwrap();
        let input: DecisionInput = serde_json::from_str(&row.input).unwrap();
        let model = store.model_by_digest(input.model).await.unwrap();
        let offers = Library::default().catalog(&store, input.catalog).await.unwrap();
        let meaning = application("shop", &model.version.format, &model.text).unwrap();
        let resources = crate::decide::Resources { application: meaning, catalog: offers.catalog.clone() };
        assert_eq!(decide(&input, &resources, &InProcess).digest(), summary.digest);
    }
    let stats = host.stats();
    assert!(stats.decisions.load(Ordering::Relaxed) >= 2 && stats.plans.load(Ordering::Relaxed) >= 2);
    let (predicted, realised) =
        (stats.predicted_nanos.load(Ordering::Relaxed), stats.realised_nanos.load(Ordering::Relaxed));
    assert_eq!(predicted, -grown.running.cost().nanos(), "from nothing to what runs now");
    assert_eq!(realised, predicted);
    let (_, repairs, seconds) = stats.repair.read();
    assert!(repairs == 1 && seconds > 0.0, "{:?}", stats.repair);
    assert!(stats.gap.read().1 >= 2);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_without_a_driver_is_told_of_once_and_goes_on_when_it_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let host = host(&store, 300).await;
    let lacking = r#"{"driver": {"kind": "webhook", "url": "https://example.com", "secret": "nobody"}}"#;
    let model = model("shop");
    store.submit(&model, lacking).await.unwrap();
    host.ping();
    let told = || async { store.events_after(0, Some("shop"), &["broken"], 10).await.unwrap() };
    for _ in 0..500 {
        if !told().await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told().await[0].event.body.contains("nobody"));
    assert!(store.overview("shop").await.unwrap().broken.unwrap().contains("nobody"));
    // A new model is a reason to try again, and the same reason is not told again.
    store.replace(&model, lacking, None).await.unwrap();
    host.ping();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(told().await.len(), 1);
    store.replace(&model, SETTINGS, None).await.unwrap();
    host.ping();
    until(&store, "shop", "it runs", |s| at_rest(s) && web(s) == 2).await;
    let seen = store.overview("shop").await.unwrap();
    assert_eq!((seen.broken, seen.glance.unwrap().course), (None, "idle".to_owned()));
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_is_too_large_is_refused_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let host = host(&store, 5_000).await;
    let mut huge = model("huge");
    huge.text = huge.text.replace("cardinality: 2..12", "cardinality: 100000");
    huge.digest = Digest::of_bytes(huge.text.as_bytes());
    store.submit(&huge, SETTINGS).await.unwrap();
    submit(&store, "shop").await;
    host.ping();
    until(&store, "shop", "it runs", |s| at_rest(s) && web(s) == 2).await;
    let refused = until(&store, "huge", "it is decided", |s| s.decisions == 1 && s.course == Course::Idle).await;
    assert!(refused.running.nodes.is_empty());
    let row = store.decision("huge", 1).await.unwrap();
    assert!(row.decision.len() < 20_000, "{}", row.decision.len());
    let decision: Decision = serde_json::from_str(&row.decision).unwrap();
    let Some(Held::Size { nodes: 100_001, nodes_max: 5_000, .. }) = decision.held else {
        panic!("{decision:#?}");
    };
    assert!(row.summary.sentence.contains("raise `nodes_max`"), "{}", row.summary.sentence);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_is_forgotten_while_the_host_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let retention = RetentionOptions { every_ms: 50, events_ms: 1, decisions_ms: 1, decisions_min: 1 };
    let host = host_with(&store, 5_000, Some(retention)).await;
    submit(&store, "shop").await;
    host.ping();
    until(&store, "shop", "it runs", |s| at_rest(s) && web(s) == 2).await;
    measure(&store, "shop", 900.0).await;
    host.ping();
    until(&store, "shop", "it grows", |s| at_rest(s) && web(s) > 2).await;
    let stats = host.stats();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for _ in 0..500 {
        if count(&stats.forgotten.decisions) > 0 && count(&stats.forgotten.plans) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(count(&stats.forgotten.events) > 0 && count(&stats.forgotten.plans) > 0, "{stats:?}");
    assert_eq!(count(&stats.forgotten.failures), 0);
    let left = store.decisions("shop", Before { number: None, limit: 10 }, None).await.unwrap().rows;
    assert!(!left.is_empty());
    // What runs is known all the same.
    agrees(&store, "shop").await;
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_carried_out_once_and_an_undeployed_application_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let host = host(&store, 5_000).await;
    submit(&store, "shop").await;
    until(&store, "shop", "it runs", |s| at_rest(s) && web(s) == 2).await;
    let order = |order: &Order| serde_json::to_string(order).unwrap();
    let pause = Order::Pause { reason: "audit".to_owned(), until: None };
    store.order("shop", "ann", &order(&pause), now()).await.unwrap();
    until(&store, "shop", "it is paused", |s| s.pause.is_some()).await;
    measure(&store, "shop", 900.0).await;
    let decided = state(&store, "shop").await.unwrap().decisions;
    until(&store, "shop", "it decides while paused", |s| s.decisions > decided && s.course == Course::Idle).await;
    assert_eq!(web(&state(&store, "shop").await.unwrap()), 2);
    store.order("shop", "ann", &order(&Order::Resume), now()).await.unwrap();
    until(&store, "shop", "it grows", |s| web(s) > 2).await;
    store.order("shop", "ann", &order(&Order::Leave), now()).await.unwrap();
    until(&store, "shop", "it is gone", |s| s.course == Course::Gone).await;
    assert_eq!(store.application("shop").await.unwrap().status, cardinal_store::Status::Gone);
    assert!(store.orders("shop").await.unwrap().is_empty());
    // The name may be used again, and its decisions go on in number.
    let before = store.decisions("shop", Before { number: None, limit: 1 }, None).await.unwrap().rows[0].number;
    submit(&store, "shop").await;
    let again = until(&store, "shop", "it runs again", |s| at_rest(s) && web(s) == 2).await;
    assert!(again.decisions as i64 > before);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_at_any_moment_is_followed_by_another_without_double_action() {
    for round in 0_u64..8 {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        submit(&store, "shop").await;
        // A runtime that is shut down drops every task where it stands, as a crash does; nothing is given back.
        let dying = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        {
            let store = store.clone();
            dying.spawn(async move {
                let _host = host(&store, 300).await;
                std::future::pending::<()>().await;
            });
        }
        tokio::time::sleep(Duration::from_millis(20 + 35 * round)).await;
        dying.shutdown_background();
        let next = host(&store, 300).await;
        until(&store, "shop", "the next host carries on", |s| at_rest(s) && web(s) == 2).await;
        agrees(&store, "shop").await;
        next.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_applications_and_one_takes_over_from_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let names: Vec<String> = (0..6).map(|i| format!("shop{i}")).collect();
    for name in &names {
        submit(&store, name).await;
    }
    let (first, second) = (host(&store, 600).await, host(&store, 600).await);
    for name in &names {
        until(&store, name, "it runs", |s| at_rest(s) && web(s) == 2).await;
    }
    tokio::time::sleep(Duration::from_millis(900)).await;
    let led = |host: &Host| host.stats().led.load(Ordering::Relaxed);
    assert_eq!((led(&first), led(&second)), (3, 3));
    first.stop().await;
    for name in &names {
        measure(&store, name, 900.0).await;
    }
    for name in &names {
        until(&store, name, "it grows under the second", |s| at_rest(s) && web(s) > 2).await;
        agrees(&store, name).await;
    }
    assert_eq!(led(&second), 6);
    second.stop().await;
}
