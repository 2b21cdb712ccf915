//! What a decision says when nothing is to be done: which rules conflict, what holds the change, how large it would be.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use cardinal_adapter::digest::Digest;
use cardinal_adapter::gate::GateHistory;
use cardinal_adapter::plan::TargetHead;
use cardinal_adapter::time::UnixMs;

use super::*;
use crate::simulate::tests::resources;
use crate::trigger::Trigger;

const MODEL: &str = "
application: shop
components:
  web: {cardinality: 2..9000, requires: {cores: '>= 2'}, placement: {location: [DE], cloud: public}}
metrics:
  requests: {unit: 1/s, default: 100}
constraints:
  capacity: web.cardinality * web.cores * 40 >= requests
  small: total_cost <= 1
";

fn input(settings: LoopSettings, requests: f64) -> DecisionInput {
    let at = UnixMs(1_790_000_000_000);
    let reading = crate::metrics::MetricReading::new(requests, at);
    DecisionInput {
        application: "shop".to_owned(),
        number: 1,
        at,
        triggers: vec![Trigger::Submitted],
        model: Digest::of_bytes(b"model"),
        catalog: Digest::of_bytes(b"catalog"),
        readings: BTreeMap::from([("requests".to_owned(), reading)]),
        running: Arc::default(),
        pending: BTreeSet::new(),
        head: TargetHead::default(),
        history: GateHistory::default(),
        unavailable: BTreeSet::new(),
        paused: false,
        settings,
    }
}

fn automatic() -> LoopSettings {
    LoopSettings { mode: Mode::Automatic, ..LoopSettings::default() }
}

#[test]
fn a_conflict_is_named_with_its_rules() {
    let decision = decide(&input(automatic(), 50_000.0), &resources(MODEL), &InProcess);
    let Answer::Infeasible { conflict, minimal: true } = &decision.answer else { panic!("{:?}", decision.answer) };
    let names: BTreeSet<&str> = conflict.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["capacity", "small"]));
    assert!(conflict.iter().all(|rule| rule.kind == "constraint"));
    assert!(decision.sentence.contains("small (total_cost <= 1)"), "{}", decision.sentence);
    // A decision of an earlier program, without names, is still read.
    let bare: Answer = serde_json::from_str(r#"{"status": "infeasible"}"#).unwrap();
    assert_eq!(bare, Answer::Infeasible { conflict: Vec::new(), minimal: false });
}

#[test]
fn a_requirement_that_no_offer_satisfies_is_named() {
    let model = MODEL.replace(">= 2", ">= 9999");
    let decision = decide(&input(automatic(), 100.0), &resources(&model), &InProcess);
    assert!(decision.sentence.contains("requirement of web"), "{}", decision.sentence);
}

#[test]
fn a_pause_and_the_mode_observe_are_named_as_what_holds() {
    let resources = resources(MODEL);
    let free = decide(&input(automatic(), 100.0), &resources, &InProcess);
    assert_eq!((free.next, &free.held), (Next::Apply, &None));
    let mut paused = input(automatic(), 100.0);
    paused.paused = true;
    let paused = decide(&paused, &resources, &InProcess);
    assert_eq!((paused.next, &paused.held), (Next::Nothing, &Some(Held::Pause)));
    assert!(paused.sentence.ends_with("The application is paused: nothing is done until it is resumed."));
    assert!(paused.plan.is_some());
    let observing = LoopSettings { mode: Mode::Observe, ..automatic() };
    let observed = decide(&input(observing, 100.0), &resources, &InProcess);
    assert_eq!((observed.next, &observed.held), (Next::Nothing, &Some(Held::Observe)));
}

#[test]
fn a_deployment_beyond_the_limits_is_refused_with_the_setting_that_would_allow_it() {
    let model = MODEL.replace("total_cost <= 1", "total_cost >= 0").replace("2..9000", "60");
    let resources = resources(&model);
    let limited = |nodes_max, instances_max| LoopSettings { nodes_max, instances_max, ..automatic() };
    let told = |settings| {
        let decision = decide(&input(settings, 100.0), &resources, &InProcess);
        assert!(decision.plan.is_none() && decision.next == Next::Nothing);
        assert!(matches!(decision.answer, Answer::Solved(_)));
        decision.sentence
    };
    let nodes = told(limited(59, 60));
    assert!(nodes.contains("60 nodes") && nodes.contains("raise `nodes_max`"), "{nodes}");
    let instances = told(limited(60, 59));
    assert!(instances.contains("60 instances") && instances.contains("raise `instances_max`"), "{instances}");
    let fits = decide(&input(limited(60, 60), 100.0), &resources, &InProcess);
    assert_eq!((fits.next, fits.held), (Next::Apply, None));
    let mistakes = limited(0, 1 << 40).mistakes();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
}
