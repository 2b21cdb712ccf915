//! The checker must accept what is right and reject every mutation, for the rule that it breaks.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::application::{Cardinality, Interval, Spread, StructureRule, Subject, Test};
use crate::division::{Division, DivisionRule, Portion, Share};
use crate::fixtures::{
    add_constraint, add_metric, application, component, group, mixed, offer, requirement, shared, snapshot,
};
use crate::offer::{Attribute, Purchase};
use crate::placement::{CurrentDeployment, VanishedNodes};
use crate::span::Span;

const WEB: u32 = 0;
const WORKER: u32 = 1;
const API: u32 = 2;
const CACHE: u32 = 3;

/// `web` uniform, `worker` mixed, `api` and `cache` shared.
fn model() -> Application {
    application(vec![
        component("web", 1, 4),
        mixed("worker", 0, 5),
        shared("api", 0, 6, 1, 2),
        shared("cache", 0, 6, 1, 2),
    ])
}

/// 0 small, 1 big, 2 zoned, 3 far, 4 spot.
fn offers() -> Vec<Offer> {
    vec![
        offer("small", 2, 4, 0.1),
        offer("big", 8, 16, 0.4),
        Offer { zones: Arc::new(["a".into(), "b".into()]), ..offer("zoned", 2, 4, 0.1) },
        Offer { region: "us".into(), country: "US".into(), provider: "gcp".into(), ..offer("far", 2, 4, 0.1) },
        Offer { purchase: Purchase::Spot, ..offer("spot", 2, 4, 0.01) },
    ]
}

fn good() -> Placement {
    Placement::of(vec![
        group(0, 2, &[(WEB, 1)]),
        group(0, 1, &[(WORKER, 1)]),
        group(1, 1, &[(WORKER, 1)]),
        group(1, 1, &[(API, 2), (CACHE, 2)]),
    ])
}

/// The kinds of rule that are broken, each once.
fn rules(app: &Application, placement: &Placement) -> Vec<Rule> {
    rules_in(&snapshot(app.clone(), offers()), placement)
}

fn rules_in(snapshot: &Snapshot, placement: &Placement) -> Vec<Rule> {
    let mut rules: Vec<Rule> = verify(snapshot, placement).into_iter().map(|violation| violation.rule).collect();
    rules.dedup();
    rules
}

/// The good placement is accepted; after the mutation exactly this rule is broken.
fn rejects(app: &Application, rule: Rule, mutate: impl FnOnce(&mut Placement)) {
    rejects_from(app, good(), rule, mutate);
}

fn rejects_from(app: &Application, mut placement: Placement, rule: Rule, mutate: impl FnOnce(&mut Placement)) {
    assert_eq!(rules(app, &placement), [], "before the mutation for {rule:?}");
    mutate(&mut placement);
    assert_eq!(rules(app, &placement), [rule]);
}

fn structured(rule: Structure) -> Application {
    let mut app = model();
    app.structure.push(StructureRule { name: "the-rule".into(), span: Span::NONE, rule });
    app
}

fn id(component: u32) -> ComponentId {
    ComponentId(component)
}

#[test]
fn cardinality() {
    rejects(&model(), Rule::Cardinality, |p| p.groups[0].count = 5);
    rejects(&model(), Rule::Cardinality, |p| p.groups[0].count = 0);
    rejects(&model(), Rule::Cardinality, |p| drop(p.groups.remove(0)));
    let mut app = model();
    app.components[0].cardinality = Cardinality::new(vec![(2, 2), (4, 4)]);
    rejects(&app, Rule::Cardinality, |p| p.groups[0].count = 3);
}

#[test]
fn admissible_offers() {
    let mut app = model();
    let cores = Interval { low: 4.0, low_open: false, high: f64::INFINITY, high_open: false };
    app.components[WORKER as usize]
        .requirements
        .push(requirement(Subject::Attribute(Attribute::Cores), Test::Number(vec![cores])));
    let mut placement = good();
    placement.groups.remove(1);
    rejects_from(&app, placement.clone(), Rule::Admissible, |p| p.groups[1].offer = OfferIndex(0));
    let mut bad = placement.clone();
    bad.groups[1].offer = OfferIndex(0);
    let violations = verify(&snapshot(app, offers()), &bad);
    assert_eq!(
        violations[0].to_string(),
        "requirement `worker`: the offer `small` may not host it: it does not satisfy `the requirement`"
    );
    // Spot nodes must be asked for, and the application's own filter counts too.
    rejects(&model(), Rule::Admissible, |p| p.groups[0].offer = OfferIndex(4));
    let mut app = model();
    app.offers.push(requirement(Subject::Place, Test::Text(vec!["DE".into()])));
    rejects(&app, Rule::Admissible, |p| p.groups[0].offer = OfferIndex(3));
}

#[test]
fn dedicated_nodes() {
    rejects(&model(), Rule::Dedicated, |p| p.groups[0].instances[0].1 = 2);
    rejects(&model(), Rule::Dedicated, |p| p.groups[1].instances = vec![(id(WEB), 1), (id(WORKER), 1)]);
    rejects(&model(), Rule::Dedicated, |p| p.groups[3].instances.insert(0, (id(WORKER), 1)));
}

#[test]
fn empty_nodes() {
    rejects(&model(), Rule::NotEmpty, |p| p.groups.push(group(0, 1, &[])));
}

#[test]
fn instances_per_node() {
    let mut app = model();
    app.components[API as usize].per_node = Some(2);
    rejects(&app, Rule::PerNode, |p| p.groups[3].instances[0].1 = 3);
}

#[test]
fn capacity_of_shared_nodes() {
    rejects(&model(), Rule::Capacity, |p| p.groups[3].offer = OfferIndex(0));
    rejects(&model(), Rule::Capacity, |p| p.groups[3].instances = vec![(id(API), 5), (id(CACHE), 4)]);
    // Disk counts only where the offer tells it; GPUs always do.
    let mut app = model();
    app.components[API as usize].demand.disk = Bytes(1 << 30);
    let mut with_disk = offers();
    assert_eq!(rules(&app, &good()), []);
    with_disk[1].disk = Some(Bytes(2 << 30));
    assert_eq!(rules_in(&snapshot(app.clone(), with_disk.clone()), &good()), []);
    with_disk[1].disk = Some(Bytes((2 << 30) - 1));
    assert_eq!(rules_in(&snapshot(app, with_disk), &good()), [Rule::Capacity]);
    let mut app = model();
    app.components[API as usize].demand.gpus = 1;
    let mut with_gpu = offers();
    with_gpu[1].gpus = 2;
    assert_eq!(rules_in(&snapshot(app.clone(), with_gpu.clone()), &good()), []);
    with_gpu[1].gpus = 1;
    assert_eq!(rules_in(&snapshot(app, with_gpu), &good()), [Rule::Capacity]);
    // One thousandth of a core too much is too much.
    let mut app = model();
    app.components[API as usize].demand.cores = Cores(3000);
    assert_eq!(rules(&app, &good()), []);
    app.components[API as usize].demand.cores = Cores(3001);
    assert_eq!(rules(&app, &good()), [Rule::Capacity]);
}

#[test]
fn operating_systems_of_shared_nodes() {
    let mut app = model();
    app.components[API as usize].os = vec!["ubuntu".into(), "debian".into()];
    app.components[CACHE as usize].os = vec!["Debian".into()];
    assert_eq!(rules(&app, &good()), []);
    app.components[CACHE as usize].os = vec!["windows".into()];
    assert_eq!(rules(&app, &good()), [Rule::OperatingSystem]);
    app.components[API as usize].os.clear();
    assert_eq!(rules(&app, &good()), []);
}

#[test]
fn uniform_fleets() {
    rejects(&model(), Rule::Uniform, |p| p.groups.push(group(1, 1, &[(WEB, 1)])));
    // Zones may differ.
    let mut split = good();
    split.groups[0] = NodeGroup { zone: Some(0), ..group(2, 1, &[(WEB, 1)]) };
    split.groups.push(NodeGroup { zone: Some(1), ..group(2, 1, &[(WEB, 1)]) });
    assert_eq!(rules(&model(), &split), []);
}

#[test]
fn zones_exist() {
    rejects(&model(), Rule::Zone, |p| p.groups[0].zone = Some(0));
    rejects(&model(), Rule::Zone, |p| (p.groups[0].offer, p.groups[0].zone) = (OfferIndex(2), Some(2)));
}

#[test]
fn instances_are_spread() {
    let spread = |by, at_most, component: u32| {
        let mut app = model();
        app.components[component as usize].spread = vec![Spread { by, at_most }];
        app
    };
    let zoned = |zone, count| NodeGroup { zone, ..group(2, count, &[(WORKER, 1)]) };
    let placed = |groups: Vec<NodeGroup>| {
        let mut placement = good();
        placement.groups.splice(1..3, groups);
        placement
    };
    let app = spread(SpreadBy::Zone, 1, WORKER);
    rejects_from(&app, placed(vec![zoned(Some(0), 1), zoned(Some(1), 1)]), Rule::Spread, |p| {
        p.groups[2].zone = Some(0);
    });
    // Without zones the region counts as one.
    assert_eq!(rules(&app, &placed(vec![zoned(None, 2)])), [Rule::Spread]);
    // A zone that is not told may be any of them.
    assert_eq!(rules(&app, &placed(vec![zoned(None, 1)])), []);
    assert_eq!(rules(&app, &placed(vec![zoned(Some(0), 1), zoned(None, 1)])), [Rule::Spread]);
    assert_eq!(rules(&app, &placed(vec![group(0, 1, &[(WORKER, 1)]), group(1, 1, &[(WORKER, 1)])])), [Rule::Spread]);
    for by in [SpreadBy::Region, SpreadBy::Location, SpreadBy::Country, SpreadBy::Provider] {
        let apart = placed(vec![group(0, 1, &[(WORKER, 1)]), group(3, 1, &[(WORKER, 1)])]);
        rejects_from(&spread(by, 1, WORKER), apart, Rule::Spread, |p| p.groups[2].offer = OfferIndex(1));
    }
    rejects(&spread(SpreadBy::MachineType, 1, WORKER), Rule::Spread, |p| p.groups[2].offer = OfferIndex(0));
    // On shared nodes instances count, not nodes.
    rejects(&spread(SpreadBy::Region, 2, API), Rule::Spread, |p| p.groups[3].instances[0].1 = 3);
}

#[test]
fn instances_of_a_divided_component() {
    let divided = |rule: DivisionRule, component: u32| {
        let mut app = model();
        app.components[component as usize].divisions = vec![Division { rule, span: Span::NONE }];
        app
    };
    let zoned = |zone, count| NodeGroup { zone, ..group(2, count, &[(WORKER, 1)]) };
    let placed = |groups: Vec<NodeGroup>| {
        let mut placement = good();
        placement.groups.splice(1..3, groups);
        placement
    };
    let by = SpreadBy::Zone;
    // The region of the offer has two zones, and other offers in it tell none.
    let skew = |most| divided(DivisionRule::Skew { by, most }, WORKER);
    assert_eq!(rules(&skew(1), &placed(vec![zoned(Some(0), 1), zoned(Some(1), 1)])), []);
    assert_eq!(rules(&skew(1), &placed(vec![zoned(Some(0), 2)])), [Rule::Skew]);
    assert_eq!(rules(&skew(2), &placed(vec![zoned(Some(0), 2)])), []);
    assert_eq!(rules(&skew(1), &placed(vec![zoned(None, 2)])), [Rule::Skew], "they may be in one zone");
    let places = divided(DivisionRule::Places { by, least: 2 }, WORKER);
    rejects_from(&places, placed(vec![zoned(Some(0), 1), zoned(Some(1), 1)]), Rule::Diversify, |p| {
        p.groups[2].zone = Some(0);
    });
    assert_eq!(rules(&places, &placed(vec![zoned(None, 2)])), [Rule::Diversify]);
    let half = Share::from_fraction(0.5);
    let largest = divided(DivisionRule::Largest { by: SpreadBy::MachineType, most: half }, WORKER);
    rejects(&largest, Rule::Diversify, |p| p.groups[2].offer = OfferIndex(0));
    assert_eq!(rules(&divided(DivisionRule::OnDemand { least: Portion::Share(half) }, WORKER), &good()), []);
    assert_eq!(rules(&divided(DivisionRule::OnDemand { least: Portion::Count(9) }, WORKER), &good()), [Rule::Purchase]);
    assert_eq!(rules(&divided(DivisionRule::Spot { most: Portion::Count(0) }, WORKER), &good()), []);
}

#[test]
fn components_that_conflict() {
    let app = structured(Structure::Conflict { component: id(API), with: vec![id(CACHE)] });
    let mut apart = good();
    apart.groups.splice(3..4, [group(1, 1, &[(API, 2)]), group(1, 1, &[(CACHE, 2)])]);
    rejects_from(&app, apart, Rule::Structure, |p| *p = good());
}

#[test]
fn components_side_by_side() {
    let app = structured(Structure::Colocate(vec![id(API), id(CACHE)]));
    rejects(&app, Rule::Structure, |p| p.groups[3].instances[1].1 = 1);
    rejects(&app, Rule::Structure, |p| p.groups.push(group(0, 1, &[(API, 1)])));
}

#[test]
fn a_component_on_every_node() {
    let app = structured(Structure::EveryNode { component: id(API), unless: Vec::new() });
    rejects(&app, Rule::Structure, |p| p.groups.push(group(0, 1, &[(CACHE, 1)])));
    let app = structured(Structure::EveryNode { component: id(API), unless: vec![id(CACHE)] });
    let mut apart = good();
    apart.groups.splice(3..4, [group(1, 1, &[(API, 2)]), group(1, 1, &[(CACHE, 2)])]);
    rejects_from(&app, apart, Rule::Structure, |p| *p = good());
    let mut app = model();
    app.components.push(shared("batch", 0, 6, 1, 2));
    app.structure.push(StructureRule {
        name: "every".into(),
        span: Span::NONE,
        rule: Structure::EveryNode { component: id(4), unless: vec![id(API), id(CACHE)] },
    });
    assert_eq!(rules(&app, &good()), [Rule::Structure], "two exceptions meet");
}

#[test]
fn numbers_of_instances() {
    let total = |low, high| structured(Structure::Total { of: vec![id(API), id(CACHE)], low, high });
    rejects(&total(4, 9), Rule::Structure, |p| p.groups[3].instances[0].1 = 1);
    rejects(&total(0, 4), Rule::Structure, |p| p.groups[3].instances[0].1 = 3);
    let app = structured(Structure::Alternatives(vec![id(API), id(CACHE)]));
    let mut one = good();
    one.groups[3].instances = vec![(id(API), 2)];
    rejects_from(&app, one.clone(), Rule::Structure, |p| *p = good());
    rejects_from(&app, one, Rule::Structure, |p| drop(p.groups.pop()));
    let app = structured(Structure::Require { provider: id(CACHE), count: 2, consumer: id(API), per: 3 });
    rejects(&app, Rule::Structure, |p| (p.groups[3].instances[0].1, p.groups[3].instances[1].1) = (4, 2));
    let mut enough = good();
    (enough.groups[3].instances[0].1, enough.groups[3].instances[1].1) = (3, 2);
    assert_eq!(rules(&app, &enough), []);
}

#[test]
fn quotas_are_kept() {
    let quota = |nodes: Option<u64>, cores: Option<u64>, memory: Option<u64>, cost: Option<f64>| {
        let mut app = model();
        app.quotas.push(Quota {
            gpus: None,
            instances: None,
            name: "limit".into(),
            span: Span::NONE,
            matches: vec![requirement(Subject::Attribute(Attribute::Provider), Test::Text(vec!["aws".into()]))],
            nodes,
            cores: cores.map(|c| Cores(c * 1000)),
            memory: memory.map(|m| Bytes(m << 30)),
            cost: cost.and_then(Price::from_units),
        });
        app
    };
    // Five nodes: three small, two big.
    for app in [
        quota(Some(5), None, None, None),
        quota(None, Some(22), None, None),
        quota(None, None, Some(44), None),
        quota(None, None, None, Some(1.1)),
    ] {
        rejects(&app, Rule::Quota, |p| p.groups[1].count = 2);
        // What does not match does not count.
        let mut far = good();
        far.groups.push(group(3, 1, &[(WORKER, 1)]));
        assert_eq!(rules(&app, &far), []);
    }
}

#[test]
fn constraints_hold() {
    let mut app = model();
    add_metric(&mut app, "load", None, Some(10.0));
    add_constraint(&mut app, "capacity", "web.cardinality * web.cores * 3 >= load");
    rejects(&app, Rule::Constraint, |p| p.groups[0].count = 1);
    let mut bad = good();
    bad.groups[0].count = 1;
    let violations = verify(&snapshot(app, offers()), &bad);
    assert_eq!((violations[0].rule, violations[0].name.as_str()), (Rule::Constraint, "capacity"));
    // What has no value does not hold.
    let mut app = model();
    add_constraint(&mut app, "ratio", "10 / (worker.cardinality - 1) > 0");
    rejects(&app, Rule::Constraint, |p| drop(p.groups.remove(1)));
    let mut bad = good();
    bad.groups.remove(1);
    assert!(verify(&snapshot(app, offers()), &bad)[0].message.contains("division by zero"));
}

#[test]
fn objectives_on_measurements_are_only_judged() {
    let mut app = model();
    add_metric(&mut app, "latency", None, Some(10.0));
    add_constraint(&mut app, "fast", "latency < 5");
    assert_eq!(rules(&app, &good()), [Rule::Constraint]);
    app.constraints[0].kind = ConstraintKind::Slo;
    assert_eq!(rules(&app, &good()), []);
    add_constraint(&mut app, "slo", "latency * worker.cardinality <= 20");
    app.constraints[1].kind = ConstraintKind::Slo;
    rejects(&app, Rule::Constraint, |p| p.groups[2].count = 2);
}

#[test]
fn what_may_not_move_stays() {
    let mut app = model();
    app.components[WORKER as usize].moveable = false;
    let mut world = snapshot(app, offers());
    world.current = Some(CurrentDeployment {
        placement: Placement::of(vec![group(0, 1, &[(WORKER, 1)])]),
        vanished: vec![VanishedNodes { offer: "gone".into(), count: 3, price: None, instances: vec![(id(WORKER), 1)] }],
    });
    assert_eq!(rules_in(&world, &good()), []);
    let mut moved = good();
    moved.groups[1].offer = OfferIndex(3);
    assert_eq!(rules_in(&world, &moved), [Rule::Moveable]);
    // What may move may.
    world.application = Arc::new(model());
    assert_eq!(rules_in(&world, &moved), []);
}

#[test]
fn malformed_placements() {
    rejects(&model(), Rule::WellFormed, |p| p.groups[0].offer = OfferIndex(99));
    rejects(&model(), Rule::WellFormed, |p| p.groups[0].instances[0].0 = id(99));
    rejects(&model(), Rule::WellFormed, |p| p.groups[0].instances[0].1 = 0);
    rejects(&model(), Rule::WellFormed, |p| p.groups[3].instances.push((id(API), 1)));
    rejects(&model(), Rule::WellFormed, |p| {
        p.groups = vec![group(0, u32::MAX, &[(WEB, u32::MAX)]); 3];
    });
}
