//! One load, many ways to serve it: the loop as it is, the loop with forecasts, a threshold autoscaler, as many instances as
//! the peak needs all the time, and the best that could have been done by who knew the load in advance.
//!
//! The loop runs whole, against the simulated cloud. The others are counted out on the instance that the loop's own answer
//! to a typical load is made of: they could not do better, because nothing goes wrong for them and their instances serve
//! the moment that the start-up time is over.

use cardinal_adapter::driver::Observation;
use cardinal_models::application::MetricId;
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;
use cardinal_monitor::forecast::replay::{AtTarget, Course, Fleet, Instances, Policy, hindsight};
use serde::{Deserialize, Serialize};

use super::{Happening, Report, Scenario, simulate};
use crate::capacity::{Capacity, capacity};
use crate::decide::{Resources, Solver};

/// What to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Rivalry {
    /// The load: a metric of the scenario.
    pub metric: String,
    /// From an order to the moment at which a machine serves, in milliseconds.
    pub start_up_ms: u64,
    /// The part of an instance's capacity at which rules are broken: targets of thresholds are of the whole capacity. 0.85
    /// where a rule says that utilisation is at most 85 %.
    pub limit: f64,
    /// The targets of threshold autoscalers, each of the capacity of an instance.
    pub targets: Vec<f64>,
    /// Their stabilisation downwards, in milliseconds.
    pub stabilisation_ms: u64,
}

/// What came of one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// Which.
    pub name: String,
    /// What was paid, in the currency of the catalog.
    pub cost: f64,
    /// How long rules were broken under the measured load, in minutes.
    pub violation_minutes: f64,
    /// Changes of the deployment.
    pub changes: u64,
    /// Instances started.
    pub starts: u64,
    /// Decisions made; none for what does not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<u64>,
    /// What the load could be and what was paid per hour, over time; empty where nobody asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<Point>,
}

/// A moment of a way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds from the start.
    pub elapsed_ms: u64,
    /// The load.
    pub load: f64,
    /// The load under which what serves keeps the rules; `None` where nothing serves or nothing limits it.
    pub capacity: Option<f64>,
    /// What is paid per hour.
    pub cost: f64,
}

/// All ways beside each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The load.
    pub metric: String,
    /// The instance on which thresholds, peak and hindsight are counted out: its offer.
    pub offer: String,
    /// What it holds and costs.
    pub unit: Capacity,
    /// The ways, the loop first.
    pub ways: Vec<Way>,
    /// Invariants of the loop that did not hold.
    pub breaches: usize,
}

/// Why nothing could be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// No metric of that name, or no load for it.
    #[error("there is no load of a metric `{0}`")]
    NoLoad(String),
    /// The model cannot be solved for a typical load.
    #[error("the model has no placement under a typical load: {0}")]
    NoPlacement(String),
    /// No rule limits the load.
    #[error("no constraint or SLO says how much of `{0}` an instance can serve")]
    NoLimit(String),
}

/// Runs all ways. `tell` is asked before each whether to go on, with its name; when it says no, the ways so far are what
/// there is.
///
/// # Errors
/// When the model says nothing about the load, or cannot be solved under it.
pub fn compare(
    name: &str,
    resources: &Resources,
    solver: &dyn Solver,
    scenario: &Scenario,
    rivalry: &Rivalry,
    tell: &mut dyn FnMut(&str) -> bool,
) -> Result<Comparison, CompareError> {
    let no_load = || CompareError::NoLoad(rivalry.metric.clone());
    let metric = resources.application.metric(&rivalry.metric).ok_or_else(no_load)?;
    let course = scenario.load.iter().find(|load| load.metric == rivalry.metric).ok_or_else(no_load)?;
    let steps = scenario.duration_ms / scenario.measure_ms.max(1);
    // What the loop measures, noise and all: the first time a moment after the start.
    let measure = |i| course.measure(1 + i * scenario.measure_ms, scenario.seed, &Observation::default());
    let loads: Vec<f64> = (0..steps).map(|i| measure(i).unwrap_or(0.0).max(0.0)).collect();
    let reference = reference(resources, solver, metric, &loads, &rivalry.metric)?;
    let mut comparison = Comparison {
        metric: rivalry.metric.clone(),
        offer: reference.offer.clone(),
        unit: reference.unit,
        ways: Vec::new(),
        breaches: 0,
    };
    let tracked = Scenario { track: Some(rivalry.metric.clone()), ..scenario.clone() };
    let mut plain = tracked.clone();
    plain.settings.forecast.clear();
    if tell("Cardinal, reactive") {
        comparison.run("Cardinal, reactive", simulate(name, resources, solver, &plain), scenario);
    }
    if !scenario.settings.forecast.is_empty() && tell("Cardinal, with forecasts") {
        comparison.run("Cardinal, with forecasts", simulate(name, resources, solver, &tracked), scenario);
    }
    comparison.count_out(&loads, &reference, scenario, rivalry, tell);
    Ok(comparison)
}

/// The fleet on which simple ways are counted out.
struct Reference {
    offer: String,
    unit: Capacity,
    /// What is paid per hour beside the instances that carry the load.
    rest: f64,
}

/// The placement under the median load, and what its instances hold.
fn reference(
    resources: &Resources,
    solver: &dyn Solver,
    metric: MetricId,
    loads: &[f64],
    name: &str,
) -> Result<Reference, CompareError> {
    let mut sorted = loads.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let typical = sorted.get(sorted.len() / 2).copied().ok_or_else(|| CompareError::NoLoad(name.to_owned()))?;
    let mut snapshot = Snapshot::new(resources.application.clone(), resources.catalog.clone());
    for (slot, metric) in snapshot.metrics.iter_mut().zip(&resources.application.metrics) {
        *slot = metric.default;
    }
    snapshot.metrics[metric.index()] = Some(typical);
    let outcome = solver.solve(&snapshot, &cardinal_solver::Settings::default()).map_err(CompareError::NoPlacement)?;
    let none = || CompareError::NoPlacement("no placement keeps all rules".to_owned());
    let placement = outcome.solution.ok_or_else(none)?.placement;
    let unit = capacity(&snapshot, &placement, metric).ok_or_else(|| CompareError::NoLimit(name.to_owned()))?;
    let offer = offer_of(&snapshot, &placement, &unit);
    let instances = (unit.holds / unit.unit).round();
    let rest = (placement.cost(&snapshot.catalog).units() - instances * unit.unit_price).max(0.0);
    Ok(Reference { offer, unit, rest })
}

/// The offer whose price is that of the unit.
fn offer_of(snapshot: &Snapshot, placement: &Placement, unit: &Capacity) -> String {
    let price = |offer| snapshot.catalog[offer].price.units();
    let nearest = placement
        .groups
        .iter()
        .min_by(|a, b| (price(a.offer) - unit.unit_price).abs().total_cmp(&(price(b.offer) - unit.unit_price).abs()));
    nearest.map_or_else(String::new, |group| snapshot.catalog[group.offer].id.to_string())
}

impl Comparison {
    fn run(&mut self, name: &str, report: Report, scenario: &Scenario) {
        self.breaches += report.breaches.len();
        let course = report.timeline.iter().filter_map(|moment| match &moment.what {
            Happening::Measured { metrics, cost_nanos, holds, .. } => Some(Point {
                elapsed_ms: moment.elapsed_ms,
                load: metrics.get(&self.metric).copied()?,
                capacity: *holds,
                cost: *cost_nanos as f64 / 1e9,
            }),
            _ => None,
        });
        // After the scenario the loop comes to rest, which costs and does not count.
        let after = report.simulated_ms.saturating_sub(scenario.duration_ms) as f64 / 3.6e6;
        let course: Vec<Point> = course.collect();
        let last = course.last().map_or(0.0, |point| point.cost);
        self.ways.push(Way {
            name: name.to_owned(),
            cost: (report.paid_nanos as f64 / 1e9 - after * last).max(0.0),
            violation_minutes: report.overload_ms as f64 / 60_000.0,
            changes: report.plans,
            starts: report.starts,
            decisions: Some(report.decisions),
            course,
        });
    }

    /// Thresholds, the peak and hindsight.
    fn count_out(
        &mut self,
        loads: &[f64],
        reference: &Reference,
        scenario: &Scenario,
        rivalry: &Rivalry,
        tell: &mut dyn FnMut(&str) -> bool,
    ) {
        let step_ms = scenario.measure_ms.max(1);
        let fleet = Fleet {
            capacity: reference.unit.unit / rivalry.limit,
            limit: rivalry.limit,
            lead: rivalry.start_up_ms.div_ceil(step_ms).max(1) as usize,
            least: 1,
            initial: 1,
        };
        let price = |instance_steps: u64| {
            let hours = step_ms as f64 / 3.6e6;
            hours * (instance_steps as f64 * reference.unit.unit_price + loads.len() as f64 * reference.rest)
        };
        let way = |name: String, course: Course, points: Vec<Point>| Way {
            name,
            cost: price(course.instance_steps),
            violation_minutes: course.violations as f64 * step_ms as f64 / 60_000.0,
            changes: course.changes,
            starts: course.starts,
            decisions: None,
            course: points,
        };
        for target in &rivalry.targets {
            let name = format!("threshold {:.0} %", 100.0 * target);
            if !tell(&name) {
                return;
            }
            let stabilisation = rivalry.stabilisation_ms.div_ceil(step_ms).max(1) as usize;
            let mut policy = AtTarget::new(fleet, *target, stabilisation);
            let mut instances = Instances::new(&fleet);
            let mut points = Vec::with_capacity(loads.len());
            for (i, load) in loads.iter().enumerate() {
                let violated = instances.pass(*load, &fleet);
                points.push(Point {
                    elapsed_ms: i as u64 * step_ms,
                    load: *load,
                    capacity: Some(instances.serving() as f64 * reference.unit.unit),
                    cost: instances.held() as f64 * reference.unit.unit_price + reference.rest,
                });
                let wanted = policy.step(*load, violated, &instances);
                instances.hold(wanted.max(fleet.least));
            }
            self.ways.push(way(name, instances.course, points));
        }
        let peak = loads.iter().copied().fold(0.0, f64::max);
        let most = (peak / reference.unit.unit).ceil().clamp(1.0, 1e9) as u64;
        let course =
            Course { instance_steps: most * loads.len() as u64, starts: most, changes: 1, ..Course::default() };
        self.ways.push(way("the peak, all the time".to_owned(), course, Vec::new()));
        let course = Course { instance_steps: hindsight(loads, &fleet), ..Course::default() };
        self.ways.push(way("in hindsight".to_owned(), course, Vec::new()));
    }
}
