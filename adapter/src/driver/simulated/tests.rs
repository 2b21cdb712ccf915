//! The simulated cloud keeps the contract of a driver and is as unreliable as asked.
#![allow(clippy::unwrap_used)]

use cardinal_models::offer::Purchase;

use super::*;
use crate::driver::{Token, Way, conformance};
use crate::fixtures::offer;
use crate::plan::Operation;

fn create(name: &str, offer: &OfferSnapshot, attempt: u32) -> Call {
    let node = NodeId(name.to_owned());
    let token = Token { plan: Digest::of_bytes(name.as_bytes()), action: 0, way: Way::Do, step: 0 };
    Call {
        application: "app".to_owned(),
        token,
        attempt,
        operation: Operation::CreateNode { node, offer: offer.clone() },
    }
}

#[test]
fn it_conforms_also_when_calls_go_wrong() {
    let rates = [0.0, 0.3];
    for (seed, rate) in rates.into_iter().flat_map(|rate| (0..20).map(move |seed| (seed, rate))) {
        let faults =
            FaultRates { before_effect: rate, after_effect: rate, answer_lost: rate, slow: rate, capacity: 0.0 };
        let cloud = SimulatedCloud::new(CloudSettings { seed, faults, ..CloudSettings::default() });
        let mut now = UnixMs(0);
        let report = conformance::check(&cloud, &offer("small", 0.1), &mut |ms| {
            now = now.plus_ms(ms);
            now
        });
        assert_eq!(report.failed, Vec::<String>::new());
        assert!(report.passed.len() > 30, "{:?}", report.passed);
    }
}

/// A driver that forgets what it was told, each in one way; the suite must see it.
struct Forgetful<'a>(&'a SimulatedCloud, ActionKind);

impl Driver for Forgetful<'_> {
    fn act(&self, now: UnixMs, call: &Call) -> Result<Progress, Fault> {
        if call.operation.kind() == self.1 { Ok(Progress::Done) } else { self.0.act(now, call) }
    }

    fn observe(&self, now: UnixMs, application: &str) -> Result<Observation, Fault> {
        self.0.observe(now, application)
    }
}

#[test]
fn the_conformance_suite_sees_what_a_driver_leaves_out() {
    for kind in ActionKind::DRIVEN.into_iter().filter(|kind| *kind != ActionKind::ClearNode) {
        let cloud = SimulatedCloud::new(CloudSettings::default());
        let mut now = UnixMs(0);
        let report = conformance::check(&Forgetful(&cloud, kind), &offer("small", 0.1), &mut |ms| {
            now = now.plus_ms(ms);
            now
        });
        assert!(!report.failed.is_empty(), "{kind:?}");
    }
}

#[test]
fn machine_types_take_their_time_and_the_cloud_survives_being_stored() {
    let cloud = SimulatedCloud::new(CloudSettings::default());
    let small = offer("small", 0.36);
    cloud.act(UnixMs(0), &create("a", &small, 1)).unwrap();
    let wait = |cloud: &SimulatedCloud, now: u64| {
        let mut call = create("a", &small, 1);
        call.operation = Operation::WaitReady { node: "a".into() };
        call.token.action = 1;
        cloud.act(UnixMs(0).plus_ms(now), &call).unwrap()
    };
    let Progress::Pending { check_after_ms } = wait(&cloud, 0) else { panic!("no node starts at once") };
    assert!((45_000..165_000).contains(&check_after_ms), "{check_after_ms}");
    let text = serde_json::to_string(&cloud.state()).unwrap();
    let again = SimulatedCloud::restore(serde_json::from_str(&text).unwrap());
    assert_eq!(again.state(), cloud.state());
    assert_eq!(wait(&again, check_after_ms - 1), Progress::Pending { check_after_ms: 1 });
    assert_eq!(wait(&again, check_after_ms), Progress::Done);
    assert_eq!(again.paid(UnixMs(1_000_000)), Money(100_000_000));
    // Sixty times as fast.
    let fast = SimulatedCloud::new(CloudSettings { speed: 60.0, ..CloudSettings::default() });
    fast.act(UnixMs(0), &create("a", &small, 1)).unwrap();
    assert_eq!(wait(&fast, check_after_ms / 60 + 1), Progress::Done);
}

#[test]
fn quotas_hold_spot_nodes_go_and_events_come_late_and_twice() {
    let quota = RegionQuota { nodes: Some(2), cores_milli: Some(100_000) };
    let cloud = SimulatedCloud::new(CloudSettings {
        quotas: [("eu-central-1".to_owned(), quota)].into(),
        reclaims_per_hour: 6.0,
        event_delay_ms_max: 60_000,
        event_duplicates: 1.0,
        clock_skew_ms: -5_000,
        prices: PriceMoves { every_ms: 600_000, percent: 10.0 },
        ..CloudSettings::default()
    });
    let spot = OfferSnapshot { purchase: Purchase::Spot, ..offer("spot", 0.1) };
    let safe = offer("safe", 0.1);
    assert_eq!(cloud.act(UnixMs(0), &create("a", &spot, 1)), Ok(Progress::Done));
    assert_eq!(cloud.act(UnixMs(0), &create("b", &safe, 1)), Ok(Progress::Done));
    assert_eq!(cloud.act(UnixMs(0), &create("c", &safe, 1)).unwrap_err().class, FaultClass::Quota);
    let later = UnixMs(0).plus_s(6 * 3600);
    let observation = cloud.observe(later, "app").unwrap();
    let phases: Vec<NodePhase> = observation.nodes.iter().map(|n| n.phase).collect();
    assert_eq!(phases, [NodePhase::Lost, NodePhase::Ready]);
    assert_eq!(observation.at, UnixMs(later.0 - 5_000));
    // A lost node does not count against the quota.
    assert_eq!(cloud.act(later, &create("c", &safe, 2)), Ok(Progress::Done));
    let (events, next) = cloud.events(later.plus_s(60), 0);
    let reclaimed: Vec<&CloudEvent> =
        events.iter().filter(|e| matches!(e.kind, CloudEventKind::NodeReclaimed { .. })).collect();
    assert_eq!((reclaimed.len(), reclaimed[0].id), (2, reclaimed[1].id));
    assert!(events.iter().any(|e| matches!(e.kind, CloudEventKind::PriceMoved { .. })));
    assert_eq!(cloud.events(later.plus_s(60), next), (Vec::new(), next));
    let listed = Price::from_units(0.1).unwrap();
    assert_ne!(cloud.price(later, "safe", listed), listed);
    assert_eq!(cloud.price(later, "unknown", listed), listed);
}
