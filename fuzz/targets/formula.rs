//! Formulas: lexer, parser, names, types and units; what compiles is evaluated on a placement.
#![no_main]

use std::sync::{Arc, LazyLock};

use cardinal_fuzz::{check_refusal, source};
use cardinal_interop::catalog::builtin;
use cardinal_models::application::{ComponentId, MetricId};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::formula::{Expected, Scope, ScopeComponent, ScopeMetric, compile, names, parse};
use cardinal_models::placement::{CurrentDeployment, NodeGroup, Placement};
use cardinal_models::resolve::load;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::span::Span;
use cardinal_models::unit::parse_unit;
use libfuzzer_sys::fuzz_target;

/// One component of each kind, metrics with and without a unit and a value.
const MODEL: &str = "
application: fuzz
components:
  web: {cardinality: 1..9}
  worker: {cardinality: 0..9, fleet: mixed}
  api: {cardinality: 1..9, hosting: shared, requires: {cores: 1, memory: 1 GiB}}
metrics:
  requests: {unit: 1/s}
  latency: {unit: ms}
  used: {unit: percent}
  x: {}
  y: {}
";

struct World {
    scope: Scope,
    snapshot: Snapshot,
    placement: Placement,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let (application, ..) = load(&Source::new("model", MODEL)).expect("the model is right");
    let mut scope = Scope::default();
    for (i, component) in application.components.iter().enumerate() {
        let (hosting, fleet): (Hosting, Fleet) = (component.hosting, component.fleet);
        let entry = ScopeComponent { id: ComponentId(i as u32), hosting, fleet };
        scope.components.insert(component.name.clone(), entry);
    }
    for (i, (name, unit)) in
        [("requests", "1/s"), ("latency", "ms"), ("used", "percent"), ("x", ""), ("y", "")].into_iter().enumerate()
    {
        let unit = (!unit.is_empty()).then(|| parse_unit(unit).expect("the unit is right"));
        scope.metrics.insert(name.into(), ScopeMetric { id: MetricId(i as u32), unit });
    }
    scope.constants.insert("limit".into(), (4.0, None));
    let group = |offer, component, count| NodeGroup {
        offer: OfferIndex(offer),
        zone: None,
        instances: vec![(ComponentId(component), 1)],
        count,
    };
    let placement = Placement::of(vec![group(0, 0, 3), group(1, 1, 2), group(2, 1, 1), group(3, 2, 2)]);
    let mut snapshot = Snapshot::new(Arc::new(application), Arc::new(builtin()));
    for (i, value) in [120.0, 40.0, 0.5, 2.0].into_iter().enumerate() {
        snapshot.metrics[i] = Some(value);
    }
    snapshot.current = Some(CurrentDeployment { placement: placement.clone(), vanished: Vec::new() });
    World { scope, snapshot, placement }
});

fuzz_target!(|data: &[u8]| {
    let world = &*WORLD;
    let source = source(data);
    let text = source.text.as_str();
    let whole = Span::new(0, text.len());
    for (name, span) in names(text) {
        assert!(!name.is_empty());
        assert!(text.get(span.start as usize..span.end as usize).is_some(), "{name} is not in the text");
    }
    if let Ok(tree) = parse(text, &|word| world.scope.has_name(word)) {
        let shown = tree.to_string();
        let again = parse(&shown, &|word| world.scope.has_name(word));
        assert_eq!(again.as_ref(), Ok(&tree), "{text:?} is shown as {shown:?}");
    }
    for expected in [Expected::Number, Expected::Bool] {
        match compile(text, whole, &world.scope, expected) {
            Ok(expr) => {
                let evaluator = Evaluator::new(&world.snapshot);
                let _ = evaluator.depends_on_placement(&expr);
                if let Ok(Value::Number(value)) = evaluator.evaluate(&expr, &world.placement) {
                    assert!(value.is_finite(), "{text:?} is {value}");
                }
                let _ = evaluator.evaluate_current(&expr);
            }
            Err(findings) => check_refusal(&source, &Diagnostics(findings)),
        }
    }
});
