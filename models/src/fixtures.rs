//! Small applications, offers and snapshots for the unit tests of this crate.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crate::application::{
    Ageing, Application, Cardinality, Choice, Component, ComponentId, Constraint, ConstraintKind, Demand, Metric,
    MetricId, Objective, Requirement, Subject, Test,
};
use crate::catalog::{Catalog, OfferIndex};
use crate::document::{Fleet, Hosting};
use crate::formula::expr::{Expr, Type};
use crate::formula::{Expected, Scope, ScopeComponent, ScopeMetric, compile};
use crate::offer::{CloudKind, Offer, OperatingSystem, Purchase};
use crate::placement::NodeGroup;
use crate::quantity::{Bytes, Cores, Price};
use crate::snapshot::Snapshot;
use crate::span::Span;

/// An offer of provider `aws` in region `eu` with so many cores, GiB and currency units per hour.
pub(crate) fn offer(id: &str, cores: u64, gib: u64, price: f64) -> Offer {
    Offer {
        id: id.into(),
        provider: "aws".into(),
        region: "eu".into(),
        zones: Arc::new([]),
        country: "DE".into(),
        places: Arc::new([]),
        coordinates: None,
        machine_type: id.into(),
        family: id.into(),
        cloud: CloudKind::Public,
        purchase: Purchase::OnDemand,
        cores: Cores(cores * 1000),
        memory: Bytes(gib * 1024 * Bytes::MIB),
        disk: None,
        gpus: 0,
        architecture: "amd64".into(),
        os: OperatingSystem::Any,
        price: Price::from_units(price).unwrap(),
        lifecycle: Default::default(),
        labels: Arc::default(),
        configuration: None,
    }
}

/// A dedicated component with a uniform fleet of `low..high` instances.
pub(crate) fn component(name: &str, low: u32, high: u32) -> Component {
    Component {
        name: name.into(),
        span: Span::NONE,
        cardinality: Cardinality::new(vec![(low, high)]),
        hosting: Hosting::Dedicated,
        fleet: Fleet::Uniform,
        per_node: None,
        requirements: Vec::new(),
        demand: Demand::default(),
        os: Vec::new(),
        spread: Vec::new(),
        divisions: Vec::new(),
        needs: Vec::new(),
        moveable: true,
        choice: Choice::Offers,
    }
}

/// A dedicated component with a mixed fleet.
pub(crate) fn mixed(name: &str, low: u32, high: u32) -> Component {
    Component { fleet: Fleet::Mixed, ..component(name, low, high) }
}

/// A component on shared nodes, of which an instance uses so many cores and GiB.
pub(crate) fn shared(name: &str, low: u32, high: u32, cores: u64, gib: u64) -> Component {
    let demand = Demand { cores: Cores(cores * 1000), memory: Bytes(gib * 1024 * Bytes::MIB), ..Demand::default() };
    Component { hosting: Hosting::Shared, demand, ..component(name, low, high) }
}

/// An application of these components and nothing else.
pub(crate) fn application(components: Vec<Component>) -> Application {
    Application {
        name: "test".to_owned(),
        currency: None,
        offers: Vec::new(),
        components,
        metrics: Vec::new(),
        constraints: Vec::new(),
        structure: Vec::new(),
        quotas: Vec::new(),
        commitments: Vec::new(),
        data: Vec::new(),
        links: Vec::new(),
        soft: Vec::new(),
        slos: Vec::new(),
        events: Vec::new(),
        objective: Objective::total_cost(),
        later: Vec::new(),
        every_s: None,
        forecasts: Vec::new(),
        mode: None,
    }
}

/// A requirement on offers.
pub(crate) fn requirement(subject: Subject, test: Test) -> Requirement {
    Requirement { subject, test, text: "the requirement".to_owned(), span: Span::NONE }
}

/// The names of an application for formulas.
pub(crate) fn scope(application: &Application) -> Scope {
    let mut scope = Scope::default();
    for (i, c) in application.components.iter().enumerate() {
        let entry = ScopeComponent { id: ComponentId(i as u32), hosting: c.hosting, fleet: c.fleet };
        scope.components.insert(c.name.clone(), entry);
    }
    for (i, m) in application.metrics.iter().enumerate() {
        scope.metrics.insert(m.name.clone(), ScopeMetric { id: MetricId(i as u32), unit: m.unit });
    }
    scope
}

/// A formula over the names of an application.
pub(crate) fn formula(application: &Application, text: &str, expected: Expected) -> Expr {
    compile(text, Span::new(0, text.len()), &scope(application), expected).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

/// Adds a metric, computed when it has a formula.
pub(crate) fn add_metric(application: &mut Application, name: &str, text: Option<&str>, default: Option<f64>) {
    let formula = text.map(|text| formula(application, text, Expected::Number));
    let unit = match formula.as_ref().map(|f| &f.ty) {
        Some(Type::Number(unit)) => *unit,
        _ => None,
    };
    application.metrics.push(Metric {
        name: name.into(),
        span: Span::NONE,
        formula,
        default,
        unit,
        component: None,
        measure: None,
        ageing: Ageing::default(),
    });
}

/// Adds a constraint.
pub(crate) fn add_constraint(application: &mut Application, name: &str, text: &str) {
    let formula = formula(application, text, Expected::Bool);
    let (text, span) = (text.to_owned(), Span::NONE);
    let kind = ConstraintKind::Constraint;
    application.constraints.push(Constraint { name: name.into(), kind, formula, text, span });
}

/// A snapshot of an application and offers, indexed in this order.
pub(crate) fn snapshot(application: Application, offers: Vec<Offer>) -> Snapshot {
    let mut catalog = Catalog::new("USD", "2026-01-01", "test");
    for offer in offers {
        assert!(catalog.insert(offer).is_none());
    }
    Snapshot::new(Arc::new(application), Arc::new(catalog))
}

/// So many nodes of an offer, with instances by component index.
pub(crate) fn group(offer: u32, count: u32, instances: &[(u32, u32)]) -> NodeGroup {
    let instances = instances.iter().map(|(c, n)| (ComponentId(*c), *n)).collect();
    NodeGroup { offer: OfferIndex(offer), zone: None, instances, count }
}
