//! Tests of configurations and free attributes: what is read, what is refused, what it means on a placement.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crate::application::{Choice, ComponentId, Domain};
use crate::catalog::{Catalog, OfferIndex};
use crate::diagnostic::Source;
use crate::evaluate::Evaluator;
use crate::offer::Attribute;
use crate::placement::{NodeGroup, Placement, Setting, SettingValue};
use crate::resolve::load;
use crate::snapshot::Snapshot;
use crate::verify::{Rule, verify};

const MODEL: &str = "
application: measured
components:
  web:
    configurations:
      - {name: small, cardinality: 2, price: 0.10 USD/h, cores: 2, latency: 31 ms, tier: gold}
      - {name: big, cardinality: 1, price: 0.25, cores: 8.5, latency: 0.02 s, tier: silver}
  db:
    cardinality: 0..2
    configurations:
      columns: [price, memory, speed]
      rows: [[0.1, 4 GiB, 3], [0.3, 16384, -9]]
  knobs:
    cardinality: 1..3
    attributes: {threads: 1..64, load: [0.25, 0.5, 2], memory: 1 GiB..4 GiB}
constraints:
  fast: web.latency <= 25 ms or web.tier == \"Gold\"
utility: {maximize: web.cores * web.cardinality + knobs.threads * knobs.load - number(total_cost)}
";

fn snapshot(text: &str) -> Snapshot {
    let (application, ..) = load(&Source::new("model", text)).unwrap_or_else(|d| panic!("{d}"));
    Snapshot::new(Arc::new(application), Arc::new(Catalog::new("USD", "", "")))
}

fn mistakes(components: &str) -> String {
    let text = format!("application: a\ncomponents:\n{components}");
    match load(&Source::new("model", text)) {
        Ok((_, _, findings)) | Err(findings) => findings.to_string(),
    }
}

fn placement() -> Placement {
    let group = |offer, component, count| NodeGroup {
        offer: OfferIndex(offer),
        zone: None,
        instances: vec![(ComponentId(component), 1)],
        count,
    };
    let set =
        |attribute: Attribute, value| Setting { component: ComponentId(2), attribute, value: SettingValue(value) };
    Placement {
        groups: vec![group(0, 0, 2), group(3, 1, 1)],
        settings: vec![
            set(Attribute::Cardinality, 2.0),
            set(Attribute::Label("threads".into()), 8.0),
            set(Attribute::Label("load".into()), 0.5),
            set(Attribute::Memory, 2048.0),
        ],
        replicas: Vec::new(),
    }
}

#[test]
fn configurations_and_free_attributes_are_read_and_valued() {
    let snapshot = snapshot(MODEL);
    let application = &snapshot.application;
    let web = &application[ComponentId(0)];
    assert_eq!(web.cardinality.ranges(), [(1, 2)]);
    let Choice::Configurations(all) = &web.choice else { panic!("{:?}", web.choice) };
    assert_eq!(all[1].id.as_ref(), "web/big");
    assert_eq!(snapshot.catalog.len(), 4);
    let knobs = &application[ComponentId(2)];
    assert_eq!(knobs.attributes()[0].domain, Domain::new(vec![(1.0, 64.0)]));
    assert_eq!(knobs.attributes()[1].domain.iter().collect::<Vec<_>>(), [0.25, 0.5, 2.0]);
    assert_eq!((knobs.attributes()[2].domain.min(), knobs.attributes()[2].domain.max()), (1024.0, 4096.0));
    let placement = placement();
    assert_eq!(verify(&snapshot, &placement), []);
    let value = Evaluator::new(&snapshot).number(&application.objective.formula, &placement).unwrap();
    assert!((value - (4.0 + 4.0 - 0.5)).abs() < 1e-12, "{value}");
    assert_eq!(placement.cost(&snapshot.catalog).units(), 0.5);
    assert_eq!(placement.cardinality(ComponentId(2)), 2);
}

#[test]
fn the_checker_knows_every_way_to_choose_wrongly() {
    let snapshot = snapshot(MODEL);
    let rules = |change: &dyn Fn(&mut Placement)| {
        let mut placement = placement();
        change(&mut placement);
        let mut rules: Vec<Rule> = verify(&snapshot, &placement).iter().map(|v| v.rule).collect();
        rules.dedup();
        rules
    };
    assert_eq!(rules(&|_| {}), []);
    assert_eq!(rules(&|p| p.groups[0].count = 1), [Rule::Choice]);
    assert_eq!(rules(&|p| p.groups[0].offer = OfferIndex(2)), [Rule::Admissible, Rule::Constraint]);
    assert_eq!(rules(&|p| p.settings[1].value = SettingValue(65.0)), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings[1].value = SettingValue(8.5)), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings[1].value = SettingValue(f64::NAN)), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings[2].value = SettingValue(1.0)), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings[0].value = SettingValue(4.0)), [Rule::Cardinality]);
    assert_eq!(rules(&|p| p.settings[0].value = SettingValue(1.5)), [Rule::Choice]);
    assert_eq!(rules(&|p| drop(p.settings.remove(3))), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings.push(p.settings[2].clone())), [Rule::Choice]);
    assert_eq!(rules(&|p| p.settings[3].attribute = Attribute::Disk), [Rule::WellFormed]);
    assert_eq!(rules(&|p| p.settings[3].component = ComponentId(9)), [Rule::WellFormed]);
    let on_node = NodeGroup { instances: vec![(ComponentId(2), 1)], ..placement().groups[1].clone() };
    assert!(rules(&|p| p.groups.push(on_node.clone())).contains(&Rule::Admissible));
}

#[test]
fn mistakes_have_a_place_and_a_mend() {
    for (components, wanted) in [
        ("  w: {configurations: []}", "an empty table of configurations"),
        ("  w: {configurations: [{name: a}, {name: a}]}", "two configurations have the name `a`"),
        ("  w: {configurations: [{cardinality: 0}]}", "at least 1"),
        ("  w: {configurations: [{price: -1}]}", "must not be negative"),
        ("  w: {configurations: [{cores: many}]}", "`many` is not a quantity"),
        ("  w: {configurations: [{x: 1}, {x: b}]}", "a number in one configuration and a text in another"),
        ("  w: {configurations: [{x: 1}, {y: 2}]}", "`x` stands in 1 of 2 configurations"),
        ("  w: {configurations: [{x: 1 ms}, {x: 2 GB}]}", "does not fit the unit"),
        ("  w: {configurations: [{x: true}]}", "truth value"),
        ("  w: {configurations: {columns: [x, x], rows: [[1, 2]]}}", "two columns are called `x`"),
        ("  w: {configurations: {columns: [x, y], rows: [[1]]}}", "1 values for 2 columns"),
        ("  w: {configurations: {columns: [x], rows: [5]}}", "a row: a list"),
        ("  w: {configurations: {columns: [x]}}", "`rows` is missing"),
        ("  w: {configurations: 5}", "a list of configurations"),
        ("  w: {cardinality: 3, configurations: [{cardinality: 2}]}", "no configuration has an allowed number"),
        ("  w: {fleet: mixed, configurations: [{cores: 2}]}", "`fleet` has no meaning"),
        ("  w: {requires: {cores: 2}, configurations: [{cores: 2}]}", "`requires` has no meaning"),
        ("  w: {attributes: {x: 1}, configurations: [{cores: 2}]}", "`attributes` has no meaning"),
        ("  w: {hosting: shared, attributes: {x: 1}}", "`hosting` has no meaning"),
        ("  w: {attributes: {x: 5..1}}", "the range 5..1 is empty"),
        ("  w: {attributes: {x: 0.5..2}}", "its ends are whole"),
        ("  w: {attributes: {x: 0..1e300}}", "between -2^53 and 2^53"),
        ("  w: {attributes: {x: fast}}", "is not a quantity"),
        ("  w: {attributes: {x: []}}", "the list of choices is empty"),
        ("  w: {attributes: {cardinality: 1..3}}", "stands beside `attributes`"),
        ("  w: {attributes: {price: 1..3}}", "a price is not chosen freely"),
        ("  w: {attributes: {x: 1..3}}\nutility: {maximize: w.y}", "`w` has no attribute `y`"),
        ("  w: {attributes: {cores: 1..3}}\nutility: {maximize: w.core}", "did you mean `w.cores`?"),
        ("  w: {attributes: {x: 1..3}}\nutility: {maximize: sum(w.x)}", "no nodes or offers to aggregate over"),
        ("  w: {attributes: {x: 1..3}}\nutility: {maximize: candidates.max(w.x)}", "no nodes or offers"),
        ("  w: {configurations: [{x: 1}]}\nutility: {maximize: w.region == \"a\"}", "`w` has no attribute `region`"),
    ] {
        let found = mistakes(components);
        assert!(found.contains(wanted), "{components}\n{found}");
    }
}

#[test]
fn a_configuration_never_takes_the_id_of_an_offer() {
    let (application, ..) =
        load(&Source::new("m", "application: a\ncomponents: {w: {configurations: [{cores: 2}]}}")).unwrap();
    let mut catalog = Catalog::new("USD", "", "");
    assert!(catalog.insert(crate::fixtures::offer("w/1", 1, 1, 1.0)).is_none());
    let once = Snapshot::new(Arc::new(application), Arc::new(catalog));
    assert_eq!((once.catalog.len(), once.catalog.find("w/1*")), (2, Some(OfferIndex(1))));
    let again = Snapshot::new(once.application.clone(), once.catalog.clone());
    assert_eq!(again.catalog.len(), 2);
}

proptest::proptest! {
    #[test]
    fn a_domain_is_the_set_of_its_values(pieces in proptest::collection::vec((-8i32..8, 0i32..5, 0u8..2), 0..6)) {
        let piece = |(low, width, half): &(i32, i32, u8)| {
            let low = f64::from(*low) + if *half == 1 { 0.5 } else { 0.0 };
            if *half == 1 { (low, low) } else { (low, low + f64::from(*width)) }
        };
        let pieces: Vec<(f64, f64)> = pieces.iter().map(piece).collect();
        let domain = Domain::new(pieces.clone());
        let mut wanted: Vec<f64> = Vec::new();
        for (low, high) in &pieces {
            wanted.extend((0..=(high - low) as u32).map(|i| low + f64::from(i)));
        }
        if wanted.is_empty() {
            wanted.push(0.0);
        }
        wanted.sort_by(f64::total_cmp);
        wanted.dedup();
        proptest::prop_assert_eq!(domain.iter().collect::<Vec<_>>(), wanted.clone());
        proptest::prop_assert_eq!(domain.count(), wanted.len() as u64);
        proptest::prop_assert_eq!((domain.min(), domain.max()), (wanted[0], wanted[wanted.len() - 1]));
        for i in -40..40 {
            let x = f64::from(i) * 0.25;
            proptest::prop_assert_eq!(domain.contains(x), wanted.contains(&x));
        }
    }
}
