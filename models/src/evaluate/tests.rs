//! Tests of the evaluator.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::application::Application;
use crate::fixtures::{add_metric, application, component, formula, group, mixed, offer, shared, snapshot};
use crate::formula::Expected;
use crate::offer::{LabelValue, Offer};

/// `web` on one offer, `worker` on two, `api` shared; metrics `load` (measured), `rate` (with a default), `twice`.
fn model() -> Application {
    let mut app = application(vec![component("web", 0, 9), mixed("worker", 0, 9), shared("api", 0, 9, 1, 2)]);
    add_metric(&mut app, "load", None, None);
    add_metric(&mut app, "rate", None, Some(10.0));
    add_metric(&mut app, "twice", Some("2 * load"), None);
    add_metric(&mut app, "size", Some("web.cardinality * web.cores"), None);
    app
}

fn world() -> Snapshot {
    let labelled = |id: &str, cores, price, tier: LabelValue| Offer {
        labels: Arc::new([("tier".into(), tier)].into_iter().collect()),
        ..offer(id, cores, cores * 2, price)
    };
    let offers = vec![
        labelled("small", 2, 0.10, LabelValue::Text("Gold".into())),
        labelled("big", 8, 0.40, LabelValue::Number(3.0)),
        offer("huge", 64, 128, 5.0),
    ];
    let mut snapshot = snapshot(model(), offers);
    if let Some(load) = snapshot.metrics.first_mut() {
        *load = Some(30.0);
    }
    snapshot
}

/// Two `web` on small; one `worker` on small and two on big; three `api` on one big node.
fn placed() -> Placement {
    let groups = vec![group(0, 2, &[(0, 1)]), group(0, 1, &[(1, 1)]), group(1, 2, &[(1, 1)]), group(1, 1, &[(2, 3)])];
    Placement::of(groups)
}

fn value_in(snapshot: &Snapshot, placement: &Placement, text: &str) -> Result<f64, EvaluationErrorKind> {
    let expr = formula(&snapshot.application, text, Expected::Number);
    let evaluator = Evaluator::new(snapshot);
    let value = evaluator.number(&expr, placement);
    assert_eq!(value, evaluator.number(&expr, placement), "remembered values agree: {text}");
    value.map_err(|error| error.kind)
}

fn value(text: &str) -> f64 {
    value_in(&world(), &placed(), text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn fails(text: &str) -> EvaluationErrorKind {
    value_in(&world(), &placed(), text).expect_err(text)
}

fn near(text: &str, expected: f64) {
    let value = value(text);
    assert!((value - expected).abs() < 1e-9, "{text} is {value}, not {expected}");
}

#[test]
fn attributes_are_of_the_nodes_in_use() {
    near("web.cardinality", 2.0);
    near("web.cores", 2.0);
    near("web.memory / 1 GiB", 4.0);
    near("web.price * web.cardinality", 0.2);
    near("worker.cardinality", 3.0);
    near("api.cores * api.cardinality", 3.0);
    near("number(total_cost)", 0.2 + 0.1 + 0.8 + 0.4);
    near("node_count", 6.0);
    near("web.region == 'EU'", 1.0);
    near("size", 4.0);
}

#[test]
fn fleets_count_every_instance() {
    near("sum(worker.cores)", 18.0);
    near("min(worker.cores)", 2.0);
    near("max(worker.cores)", 8.0);
    near("mean(worker.cores)", 6.0);
    near("count(worker)", 3.0);
    near("count(worker, worker.cores >= 4)", 2.0);
    near("sum(worker.price, worker.cores < 4)", 0.1);
    near("sum(web.cores)", 4.0);
    near("sum(api.cores)", 3.0);
    near("sum(worker.cores, worker.cores > 100)", 0.0);
    near("count(worker, worker.labels.tier == 'gold')", 1.0);
    near("sum(worker.labels.tier, worker.cores > 4)", 6.0);
    near("sum(worker.cores / worker.cardinality)", 6.0);
    assert_eq!(fails("min(worker.cores, worker.cores > 100)"), EvaluationErrorKind::EmptyFleet("worker".into()));
    assert!(matches!(fails("sum(worker.labels.tier)"), EvaluationErrorKind::NotANumber { .. }));
}

#[test]
fn candidates_are_the_admissible_offers() {
    near("candidates.min(worker.price)", 0.1);
    near("candidates.max(worker.cores)", 64.0);
    near("candidates.count(api)", 3.0);
    near("sum(worker.cores / candidates.max(worker.cores))", 18.0 / 64.0);
    let snapshot = snapshot(model(), Vec::new());
    let empty = Placement::default();
    let min = value_in(&snapshot, &empty, "candidates.min(worker.price)");
    assert_eq!(min, Err(EvaluationErrorKind::NoCandidates("worker".into())));
    assert_eq!(value_in(&snapshot, &empty, "candidates.sum(worker.price)"), Ok(0.0));
}

#[test]
fn only_what_is_needed_is_evaluated() {
    near("if(true, 1, 1 / 0)", 1.0);
    near("false and 1 / 0 > 1", 0.0);
    near("true or 1 / 0 > 1", 1.0);
    near("false implies 1 / 0 > 1", 1.0);
    near("if(web.cardinality > 0, web.cores, 0)", 2.0);
    assert_eq!(fails("if(false, 1, 1 / 0)"), EvaluationErrorKind::Arithmetic(ArithmeticError::DivisionByZero));
    assert_eq!(fails("true and 1 / 0 > 1"), EvaluationErrorKind::Arithmetic(ArithmeticError::DivisionByZero));
}

#[test]
fn what_is_undefined_has_a_place() {
    let snapshot = world();
    let text = "3 + load / (2 - web.cardinality)";
    let expr = formula(&snapshot.application, text, Expected::Number);
    let error = Evaluator::new(&snapshot).number(&expr, &placed()).unwrap_err();
    assert_eq!(text.get(error.span.start as usize..error.span.end as usize), Some("load / (2 - web.cardinality)"));
    assert_eq!(error.to_string(), "division by zero");
    assert!(matches!(fails("sqrt(-1)"), EvaluationErrorKind::Domain(_)));
    assert!(matches!(fails("exp(1000)"), EvaluationErrorKind::Domain(_)));
    assert_eq!(fails("10^300 * 10^300"), EvaluationErrorKind::Arithmetic(ArithmeticError::NotFinite));
    assert!(matches!(fails("web.latitude"), EvaluationErrorKind::MissingAttribute { .. }));
    assert!(matches!(fails("web.labels.nope"), EvaluationErrorKind::MissingAttribute { .. }));
    let empty = Placement::default();
    assert_eq!(value_in(&snapshot, &empty, "web.price"), Err(EvaluationErrorKind::EmptyFleet("web".into())));
    assert_eq!(value_in(&snapshot, &empty, "web.cardinality"), Ok(0.0));
    let uneven = Placement::of(vec![group(0, 1, &[(0, 1)]), group(1, 1, &[(0, 1)])]);
    assert!(matches!(value_in(&snapshot, &uneven, "web.cores"), Err(EvaluationErrorKind::NotUniform { .. })));
    // What they do not differ in is known all the same.
    assert_eq!(value_in(&snapshot, &uneven, "web.country == 'DE'"), Ok(1.0));
}

#[test]
fn metrics_have_values_defaults_or_formulas() {
    near("load", 30.0);
    near("rate", 10.0);
    near("twice", 60.0);
    let mut snapshot = world();
    snapshot.metrics = vec![None, Some(3.0), Some(7.0), None];
    assert_eq!(value_in(&snapshot, &placed(), "load"), Err(EvaluationErrorKind::MissingMetric("load".into())));
    assert_eq!(value_in(&snapshot, &placed(), "rate"), Ok(3.0));
    assert_eq!(value_in(&snapshot, &placed(), "twice"), Ok(7.0));
    snapshot.metrics = vec![Some(f64::NAN)];
    assert_eq!(value_in(&snapshot, &placed(), "load"), Err(EvaluationErrorKind::NotFinite));
}

#[test]
fn what_runs_now_is_another_placement() {
    let mut snapshot = world();
    let now = |snapshot: &Snapshot, text: &str| value_in(snapshot, &placed(), text);
    assert_eq!(now(&snapshot, "current(web.cardinality)"), Err(EvaluationErrorKind::NothingRunning));
    assert_eq!(now(&snapshot, "current(web.cardinality, 5)"), Ok(5.0));
    let vanished = |price: Option<f64>| VanishedNodes {
        offer: "gone".into(),
        count: 2,
        price: price.and_then(Price::from_units),
        instances: vec![(ComponentId(0), 1)],
    };
    let placement = Placement::of(vec![group(1, 1, &[(0, 1)])]);
    snapshot.current = Some(CurrentDeployment { placement: placement.clone(), vanished: vec![vanished(Some(0.25))] });
    assert_eq!(now(&snapshot, "current(web.cardinality)"), Ok(3.0));
    assert_eq!(now(&snapshot, "web.cardinality - current(web.cardinality)"), Ok(-1.0));
    assert_eq!(now(&snapshot, "current(number(total_cost))"), Ok(0.9));
    assert_eq!(now(&snapshot, "current(node_count)"), Ok(3.0));
    assert_eq!(now(&snapshot, "current(max(web.price))"), Ok(0.4));
    assert!(matches!(now(&snapshot, "current(web.cores)"), Err(EvaluationErrorKind::MissingAttribute { .. })));
    // A metric is that of the placement it is asked for.
    snapshot.current = Some(CurrentDeployment { placement, vanished: Vec::new() });
    assert_eq!(now(&snapshot, "size + 100 * current(size)"), Ok(804.0));
    snapshot.current = Some(CurrentDeployment { placement: Placement::default(), vanished: vec![vanished(None)] });
    assert!(matches!(now(&snapshot, "current(total_cost)"), Err(EvaluationErrorKind::MissingAttribute { .. })));
}

#[test]
fn a_foreign_placement_is_an_error() {
    let snapshot = world();
    let foreign = Placement::of(vec![group(77, 1, &[(0, 1)])]);
    assert_eq!(value_in(&snapshot, &foreign, "total_cost"), Err(EvaluationErrorKind::Unknown("offer")));
    assert_eq!(value_in(&snapshot, &foreign, "web.cores"), Err(EvaluationErrorKind::Unknown("offer")));
    let many = group(0, u32::MAX, &[(0, u32::MAX), (0, u32::MAX)]);
    let many = Placement::of(vec![many; 2]);
    assert_eq!(value_in(&snapshot, &many, "web.cardinality"), Err(EvaluationErrorKind::TooMany));
}

#[test]
fn metrics_that_mention_each_other_stay_cheap_and_shallow() {
    let mut app = application(vec![component("web", 0, 9)]);
    add_metric(&mut app, "m0", Some("web.cardinality"), None);
    // Twice at each level: without memory this takes 2^60 steps.
    for i in 1..60 {
        add_metric(&mut app, &format!("m{i}"), Some(&format!("m{0} + m{0} * 0", i - 1)), None);
    }
    // A long formula at each level: deeper than the stack should be.
    for i in 60..90 {
        add_metric(&mut app, &format!("m{i}"), Some(&format!("m{}{}", i - 1, "+1".repeat(280))), None);
    }
    let snapshot = snapshot(app, vec![offer("o", 1, 1, 1.0)]);
    let placement = Placement::of(vec![group(0, 2, &[(0, 1)])]);
    assert_eq!(value_in(&snapshot, &placement, "m59"), Ok(2.0));
    assert_eq!(value_in(&snapshot, &placement, "m61"), Ok(2.0 + 2.0 * 280.0));
    assert_eq!(value_in(&snapshot, &placement, "m89"), Err(EvaluationErrorKind::TooDeep));
    let deep = formula(&snapshot.application, "m89", Expected::Number);
    assert!(Evaluator::new(&snapshot).depends_on_placement(&deep));
}

#[test]
fn dependence_on_the_placement_is_known() {
    let mut snapshot = world();
    let depends = |snapshot: &Snapshot, text: &str| {
        Evaluator::new(snapshot).depends_on_placement(&formula(&snapshot.application, text, Expected::Number))
    };
    for text in ["web.price", "sum(worker.cores)", "total_cost", "node_count", "size", "api.cardinality", "load + size"]
    {
        assert!(depends(&snapshot, text), "{text}");
    }
    for text in ["3", "load", "twice", "api.cores", "candidates.min(web.price)", "current(web.price, 3)"] {
        assert!(!depends(&snapshot, text), "{text}");
    }
    snapshot.metrics = vec![None, None, None, Some(4.0)];
    assert!(!depends(&snapshot, "size"));
}
