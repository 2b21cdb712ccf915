//! Days of simulated applications.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cardinal_adapter::authorise::{Authorisation, PolicyText, Zone};
use cardinal_adapter::driver::simulated::FaultRates;
use cardinal_interop::catalog::builtin;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve;

use super::*;
use crate::decide::InProcess;
use crate::settings::Mode;

/// An application of two components, one of which follows its load.
pub(crate) const MODEL: &str = r#"
application: shop
components:
  web:
    cardinality: 2..12
    requires: {cores: ">= 2", memory: ">= 4 GiB"}
    placement: {location: [DE], cloud: public}
    needs: [db]
  db: {cardinality: 1, requires: {cores: ">= 4"}, placement: {location: [DE]}, moveable: false}
metrics:
  requests: {unit: 1/s, default: 100}
slo:
  capacity: web.cardinality * web.cores * 40 >= requests
reconfigure: {every: 5m, mode: automatic}
"#;

pub(crate) fn resources(text: &str) -> Resources {
    let source = Arc::new(Source::new("shop.yaml", text));
    let (application, _, _) = resolve::load(&source).unwrap_or_else(|e| panic!("{e:?}"));
    Resources { application: Arc::new(application), catalog: Arc::new(builtin()) }
}

fn a_day(seed: u64) -> Scenario {
    let requests = Load {
        metric: "requests".to_owned(),
        shape: Shape::Wave { low: 100.0, high: 800.0, period_ms: 86_400_000 },
        per_instance_of: None,
        noise: 0.03,
    };
    let settings = LoopSettings { mode: Mode::Automatic, ..LoopSettings::default() };
    Scenario { seed, settings, load: vec![requests], measure_ms: 120_000, ..Scenario::default() }
}

#[test]
fn a_quiet_day_follows_the_load_and_pays_less_than_the_peak() {
    let resources = resources(MODEL);
    let report = simulate("shop", &resources, &InProcess, &a_day(1));
    assert_eq!(report.breaches, []);
    assert!(report.plans >= 4 && report.reached == report.plans, "{report:?}");
    assert!(report.replayed > 0 && report.proven == report.decisions);
    let dearest = |m: &Moment| match &m.what {
        Happening::Measured { cost_nanos, .. } => Some(*cost_nanos),
        _ => None,
    };
    let peak = report.timeline.iter().filter_map(dearest).max().unwrap();
    let hours = report.simulated_ms as f64 / 3.6e6;
    assert!((report.paid_nanos as f64) < 0.9 * peak as f64 * hours, "the peak is paid for all day");
}

#[test]
fn a_day_of_faults_losses_and_deaths_breaks_nothing() {
    let resources = resources(MODEL);
    let mut crashes = 0;
    for seed in 0..cases(12) {
        let faults =
            FaultRates { before_effect: 0.05, after_effect: 0.03, answer_lost: 0.03, capacity: 0.02, slow: 0.1 };
        let cloud = CloudSettings { faults, ..CloudSettings::default() };
        let trouble = Scenario { cloud, losses_per_hour: 0.3, crashes_per_thousand: 15.0, ..a_day(seed) };
        let report = simulate("shop", &resources, &InProcess, &trouble);
        assert_eq!(report.breaches, [], "seed {seed}");
        assert!(report.decisions > 100 && report.reached > 0, "seed {seed}: {report:?}");
        crashes += report.crashes;
    }
    assert!(crashes > 0);
}

#[test]
fn the_same_seed_gives_the_same_day() {
    let resources = resources(MODEL);
    let trouble = Scenario { losses_per_hour: 0.5, crashes_per_thousand: 10.0, ..a_day(7) };
    let [one, two] = [0, 1].map(|_| simulate("shop", &resources, &InProcess, &trouble));
    assert_eq!(one, two);
}

#[test]
fn noise_around_a_limit_seldom_makes_the_fleet_shrink_and_grow_again() {
    let resources = resources(include_str!("../../../examples/smartwe.yaml"));
    let wave = |metric: &str, low: f64, high: f64, per_instance_of: Option<&str>| Load {
        metric: metric.to_owned(),
        shape: Shape::Wave { low, high, period_ms: 86_400_000 },
        per_instance_of: per_instance_of.map(str::to_owned),
        noise: 0.03,
    };
    let mut turns = 0;
    for seed in 0..4 {
        let load = vec![wave("requests", 80.0, 260.0, None), wave("memory_used", 120.0, 320.0, Some("smart_design"))];
        let scenario = Scenario { load, measure_ms: 60_000, ..a_day(seed) };
        let report = simulate("smartwe", &resources, &InProcess, &scenario);
        assert_eq!(report.breaches, [], "seed {seed}");
        assert!(report.plans >= 4 && report.plans == report.reached, "seed {seed}: {} plans", report.plans);
        turns += report.flaps;
    }
    // Up in the morning and down in the evening are hours apart and no turns. Judged only by the values that decisions
    // happen to see, these days have 14; by all values of the window, all of which noise seldom leaves below the limit, 2.
    assert!(turns <= 2, "{turns} turns");
}

/// The wall clock of Berlin in January, in milliseconds since midnight, and whether it is a working day. The scenario
/// begins on a Monday at midnight UTC.
fn in_berlin(elapsed_ms: u64) -> (u64, bool) {
    let local = elapsed_ms + 3_600_000;
    (local % 86_400_000, local / 86_400_000 % 7 < 5)
}

#[test]
fn under_a_policy_of_working_hours_every_plan_of_a_week_begins_within_them() {
    let resources = resources(MODEL);
    let text = include_str!("../../../examples/policies/working-hours.cedar").into();
    let policies = vec![PolicyText { name: "working-hours.cedar".to_owned(), text }];
    let authorise = Authorisation { time_zone: Zone::named("Europe/Berlin").unwrap(), policies };
    let free = Scenario { duration_ms: 7 * 86_400_000, crashes_per_thousand: 5.0, ..a_day(3) };
    let bound = Scenario { settings: LoopSettings { authorise, ..free.settings.clone() }, ..free.clone() };
    let [free, bound] = [free, bound].map(|s| simulate("shop", &resources, &InProcess, &s));
    let begun_at = |report: &Report| -> Vec<u64> {
        let began = report.timeline.iter().filter(|m| matches!(m.what, Happening::Notice(Notice::PlanBegan { .. })));
        began.map(|m| m.elapsed_ms).collect()
    };
    let within = |elapsed_ms: &u64| {
        let (clock, works) = in_berlin(*elapsed_ms);
        works && (8 * 3_600_000..17 * 3_600_000).contains(&clock)
    };
    assert!(begun_at(&free).iter().any(|at| !within(at)) && free.denied == 0);
    let begun = begun_at(&bound);
    assert!(begun.len() >= 5 && begun.iter().all(within), "{begun:?}");
    assert_eq!(bound.breaches, []);
    assert!(bound.denied > 100 && bound.replayed > 50, "{} denied", bound.denied);
    let told = |m: &&Moment| matches!(&m.what, Happening::Notice(Notice::PlanDenied { policies, .. }) if policies[0].id == "working-hours");
    let told = bound.timeline.iter().filter(told).count() as u64;
    assert!(told >= 5 && told < bound.denied / 3, "{told} of {} were told", bound.denied);
}

/// How many seeds; `CARDINAL_CASES` sets another number.
#[allow(clippy::disallowed_methods, reason = "the setting of a test run")]
fn cases(few: u64) -> u64 {
    std::env::var("CARDINAL_CASES").ok().and_then(|n| n.parse().ok()).map_or(few, |n: u64| n / 20)
}

/// A farm of web servers with room for the load to come.
const FARM: &str = r#"
application: farm
components:
  web:
    cardinality: 1..60
    requires: {cores: 2, memory: ">= 4 GiB", price: "> 0 USD/h"}
    placement: {location: [DE], cloud: public}
metrics:
  requests: {unit: 1/min, default: 1000}
constraints:
  room: requests <= web.cardinality * 850 1/min
reconfigure:
  every: 5m
  mode: automatic
  forecast:
    requests: {violation: 20 USD/h, lead: 3m}
"#;

#[test]
fn forecasts_hold_room_and_every_way_pays_for_what_it_does() {
    let resources = resources(FARM);
    let requests = Load {
        metric: "requests".to_owned(),
        shape: Shape::Wave { low: 3000.0, high: 16_000.0, period_ms: 6 * 3_600_000 },
        per_instance_of: None,
        noise: 0.08,
    };
    let settings = LoopSettings::of(&resources.application);
    let twelve_hours = 12 * 3_600_000;
    let scenario =
        Scenario { seed: 3, settings, load: vec![requests], duration_ms: twelve_hours, ..Scenario::default() };
    let rivalry = compare::Rivalry {
        metric: "requests".to_owned(),
        start_up_ms: 120_000,
        limit: 0.85,
        targets: vec![0.6],
        stabilisation_ms: 300_000,
    };
    let mut names = Vec::new();
    let mut tell = |name: &str| {
        names.push(name.to_owned());
        true
    };
    let found = compare::compare("farm", &resources, &InProcess, &scenario, &rivalry, &mut tell).unwrap();
    assert_eq!(found.breaches, 0);
    assert!((found.unit.unit - 850.0).abs() < 1e-3 && found.unit.unit_price > 0.0, "{:?}", found.unit);
    let [reactive, foresight, threshold, peak, hindsight] = &found.ways[..] else { panic!("{names:?}") };
    assert!(foresight.violation_minutes < reactive.violation_minutes / 2.0, "{foresight:?} against {reactive:?}");
    assert!(threshold.violation_minutes < reactive.violation_minutes);
    assert!(foresight.cost < peak.cost && threshold.cost < peak.cost);
    // The loop itself begins with nothing and may choose other machines, but cannot serve the load for less.
    assert!(hindsight.cost < foresight.cost && hindsight.cost < threshold.cost);
    assert!(foresight.course.iter().any(|p| p.capacity.is_some_and(|c| c > p.load)));
    // A decision tells what it was ready for, and why.
    let mut stop = |_: &str| false;
    let none = compare::compare("farm", &resources, &InProcess, &scenario, &rivalry, &mut stop).unwrap();
    assert!(none.ways.is_empty(), "nothing runs once it is told to stop");
}

#[test]
fn what_cannot_be_compared_is_named() {
    let farm = resources(FARM);
    let rivalry = |metric: &str| compare::Rivalry {
        metric: metric.to_owned(),
        start_up_ms: 120_000,
        limit: 0.85,
        targets: Vec::new(),
        stabilisation_ms: 300_000,
    };
    let run = |resources: &Resources, scenario: &Scenario, metric: &str| {
        compare::compare("farm", resources, &InProcess, scenario, &rivalry(metric), &mut |_| true).err()
    };
    assert_eq!(run(&farm, &a_day(1), "load"), Some(compare::CompareError::NoLoad("load".to_owned())));
    let free = resources(&FARM.replace("requests <= web.cardinality * 850 1/min", "web.cardinality >= 2"));
    assert_eq!(run(&free, &a_day(1), "requests"), Some(compare::CompareError::NoLimit("requests".to_owned())));
}
