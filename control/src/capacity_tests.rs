//! What placements hold.
#![allow(clippy::unwrap_used)]

use cardinal_models::placement::NodeGroup;

use super::*;
use crate::simulate::tests::resources;

const MODEL: &str = r#"
application: pair
components:
  web: {cardinality: 1..9, fleet: mixed}
  db: {cardinality: 1}
metrics:
  requests: {unit: 1/s, default: 1}
  load: {formula: "requests / sum(web.cores)"}
  other: {default: 1}
constraints:
  room: load <= 50
slo:
  beside: other <= 2
"#;

fn snapshot(text: &str) -> Snapshot {
    let resources = resources(text);
    Snapshot::new(resources.application, resources.catalog)
}

fn placed(snapshot: &Snapshot, web: &[(&str, u32)]) -> Placement {
    let id = |name: &str| snapshot.application.component(name).unwrap();
    let group = |offer: &str, component: &str, count| NodeGroup {
        offer: snapshot.catalog.find(offer).unwrap(),
        zone: None,
        instances: vec![(id(component), 1)],
        count,
    };
    let mut groups = vec![group("aws/eu-central-1/m5.large", "db", 1)];
    groups.extend(web.iter().map(|(offer, count)| group(offer, "web", *count)));
    Placement::of(groups)
}

#[test]
fn a_placement_holds_what_its_rules_allow() {
    let snapshot = snapshot(MODEL);
    let metric = snapshot.application.metric("requests").unwrap();
    let mixed = placed(&snapshot, &[("aws/eu-central-1/m5.large", 2), ("aws/eu-central-1/m5.xlarge", 1)]);
    let held = capacity(&snapshot, &mixed, metric).unwrap();
    // Eight cores at 50; the larger machine carries half of it.
    assert!((held.holds - 400.0).abs() < 1e-5 && (held.unit - 200.0).abs() < 1e-5, "{held:?}");
    let offer = snapshot.catalog.find("aws/eu-central-1/m5.xlarge").unwrap();
    assert_eq!(held.unit_price, snapshot.catalog[offer].price.units());
    // A single instance is the unit, with everything that it cannot do without.
    let one = placed(&snapshot, &[("aws/eu-central-1/m5.large", 1)]);
    let alone = capacity(&snapshot, &one, metric).unwrap();
    assert!((alone.unit - 100.0).abs() < 1e-5 && alone.unit_price == one.cost(&snapshot.catalog).units());
}

#[test]
fn what_no_rule_limits_is_not_held() {
    let snapshot = snapshot(MODEL);
    let placement = placed(&snapshot, &[("aws/eu-central-1/m5.large", 1)]);
    let free = snapshot_without_rules();
    let metric = free.application.metric("requests").unwrap();
    assert_eq!(capacity(&free, &placement, metric), None);
    // Nothing of it is too much where the rule is broken already.
    let broken = self::snapshot(&MODEL.replace("load <= 50", "load + 60 <= 50"));
    let metric = broken.application.metric("requests").unwrap();
    assert_eq!(capacity(&broken, &placement, metric), None);
}

fn snapshot_without_rules() -> Snapshot {
    snapshot(&MODEL.replace("room: load <= 50", "room: web.cardinality >= 1"))
}

#[test]
fn a_gauge_answers_anew_when_something_changed() {
    let mut snapshot = snapshot(&MODEL.replace("load <= 50", "load * other <= 50"));
    let (requests, other) =
        (snapshot.application.metric("requests").unwrap(), snapshot.application.metric("other").unwrap());
    let placement = placed(&snapshot, &[("aws/eu-central-1/m5.large", 2)]);
    let mut gauge = Gauge::default();
    let holds =
        |gauge: &mut Gauge, snapshot: &Snapshot| gauge.of(snapshot, &placement, requests).unwrap().holds.round();
    assert_eq!([holds(&mut gauge, &snapshot), holds(&mut gauge, &snapshot)], [200.0, 200.0]);
    snapshot.metrics[requests.index()] = Some(77.0);
    assert_eq!(holds(&mut gauge, &snapshot), 200.0);
    snapshot.metrics[other.index()] = Some(2.0);
    assert_eq!(holds(&mut gauge, &snapshot), 100.0);
}
