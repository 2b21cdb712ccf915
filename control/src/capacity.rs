//! How much of a load a placement holds, and what a little more of it costs.

use cardinal_models::application::{Application, ComponentId, MetricId};
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::formula::expr::{Expr, ExprKind};
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::snapshot::Snapshot;
use serde::{Deserialize, Serialize};

/// What a placement is worth to one metric.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The greatest value of the metric under which every rule that mentions it holds, in the unit of the metric.
    pub holds: f64,
    /// What one instance of the component that carries the load adds to it.
    pub unit: f64,
    /// What that instance costs per hour, in the currency of the catalog.
    pub unit_price: f64,
}

/// Loads above this are held by whatever does not mind them.
const MOST: f64 = 1e15;
/// How exact the answer is, relatively.
const PRECISION: f64 = 1e-9;

/// What the placement holds of a metric, with all other values as they are in the snapshot. `None` when no rule limits the
/// metric on this placement, or when even nothing of it is too much.
///
/// The greatest value is found by bisection: rules are taken to hold below a value under which they hold.
pub fn capacity(snapshot: &Snapshot, placement: &Placement, metric: MetricId) -> Option<Capacity> {
    let rules = rules_about(&snapshot.application, metric);
    let holds = holds(snapshot, placement, metric, &rules)?;
    let mut best: Option<(f64, f64)> = None;
    for (g, group) in placement.groups.iter().enumerate() {
        for (component, _) in &group.instances {
            if placement.cardinality(*component) < 2 {
                continue;
            }
            let fewer = without_one(placement, g, *component);
            let left = self::holds(snapshot, &fewer, metric, &rules).unwrap_or(0.0);
            let price = snapshot.catalog[group.offer].price.units() * share(group);
            let gives = holds - left;
            if gives > 0.0 && best.is_none_or(|(most, _)| gives > most) {
                best = Some((gives, price));
            }
        }
    }
    // One instance of everything: all of it is the unit.
    let (unit, unit_price) = best.unwrap_or_else(|| (holds, placement.cost(&snapshot.catalog).units()));
    (unit > 0.0).then_some(Capacity { holds, unit, unit_price })
}

/// The part of a node's price that is one instance's.
fn share(group: &NodeGroup) -> f64 {
    let all: u32 = group.instances.iter().map(|(_, n)| n).sum();
    1.0 / f64::from(all.max(1))
}

fn without_one(placement: &Placement, group: usize, component: ComponentId) -> Placement {
    let mut fewer = placement.clone();
    let mut rest = fewer.groups[group].clone();
    fewer.groups[group].count -= 1;
    rest.count = 1;
    for (c, n) in &mut rest.instances {
        if *c == component {
            *n -= 1;
        }
    }
    if rest.instances.iter().any(|(_, n)| *n > 0) {
        fewer.groups.push(rest);
    }
    fewer.normalize();
    fewer
}

fn holds(snapshot: &Snapshot, placement: &Placement, metric: MetricId, rules: &[&Expr]) -> Option<f64> {
    if rules.is_empty() {
        return None;
    }
    let mut probe = snapshot.clone();
    let mut fits = |value: f64| {
        probe.metrics[metric.index()] = Some(value);
        let evaluator = Evaluator::new(&probe);
        rules.iter().all(|rule| matches!(evaluator.evaluate(rule, placement), Ok(Value::Bool(true))))
    };
    if !fits(0.0) {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while fits(high) {
        low = high;
        high *= 2.0;
        if high > MOST {
            return None;
        }
    }
    while high - low > PRECISION * high {
        let middle = low + (high - low) / 2.0;
        if fits(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

/// The constraints and SLO that mention a metric, directly or through computed ones.
fn rules_about(application: &Application, metric: MetricId) -> Vec<&Expr> {
    let rules = application.constraints.iter().map(|c| &c.formula);
    rules.filter(|formula| mentions(application, formula, metric)).collect()
}

fn mentions(application: &Application, formula: &Expr, metric: MetricId) -> bool {
    let (mut seen, mut left): (Vec<MetricId>, Vec<&Expr>) = (Vec::new(), vec![formula]);
    while let Some(expr) = left.pop() {
        match &expr.kind {
            ExprKind::Metric(id) if *id == metric => return true,
            ExprKind::Metric(id) if !seen.contains(id) => {
                seen.push(*id);
                left.extend(application.metrics.get(id.index()).and_then(|m| m.formula.as_ref()));
            }
            _ => left.extend(expr.children()),
        }
    }
    false
}

/// Remembers what a placement holds as long as nothing that it depends on changes.
#[derive(Clone, Debug, Default)]
pub struct Gauge {
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    metric: MetricId,
    placement: Placement,
    others: Vec<Option<f64>>,
    capacity: Option<Capacity>,
}

impl Gauge {
    /// [`capacity`] of what runs; `None` also when nothing does. What depends on it must belong to one model and catalog:
    /// take a new gauge when these change.
    pub fn of_current(&mut self, snapshot: &Snapshot, metric: MetricId) -> Option<Capacity> {
        self.of(snapshot, &snapshot.current.as_ref()?.placement, metric)
    }

    /// [`capacity`] of a placement.
    pub fn of(&mut self, snapshot: &Snapshot, placement: &Placement, metric: MetricId) -> Option<Capacity> {
        let mut others = snapshot.metrics.clone();
        others[metric.index()] = None;
        let same = |known: &&Known| known.metric == metric && known.placement == *placement && known.others == others;
        if let Some(known) = self.known.iter().find(same) {
            return known.capacity;
        }
        let capacity = capacity(snapshot, placement, metric);
        self.known.retain(|known| known.metric != metric);
        self.known.push(Known { metric, placement: placement.clone(), others, capacity });
        capacity
    }
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
