//! What holds for forecasts and headroom whatever the load.

use super::chooser::{Chooser, Kind};
use super::headroom::{Band, Budget, Headroom, Prices, units};
use super::replay::{AtTarget, Chosen, Fleet, Foresight, Instances, Policy, Weight, hindsight, needed, replay};
use super::{Forecaster, Settings};

const FLEET: Fleet = Fleet { capacity: 100.0, limit: 0.85, lead: 2, least: 1, initial: 2 };

/// A load with a day of 1,440 steps, relative noise, and none of the seasons of a real one.
fn load(steps: usize, noise: f64, seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let wave = |t: usize| 1.0 - (std::f64::consts::TAU * t as f64 / 1440.0).cos();
    (0..steps).map(|t| (200.0 + 600.0 * wave(t)) * (1.0 + noise * (random.f64() + random.f64() - 1.0))).collect()
}

fn forecaster() -> Forecaster {
    Forecaster::new(Settings { lead: 2, offset: 100.0, unit: 85.0, day: 1440 })
}

/// What is held after each step.
struct Told<P>(P, Vec<u64>);

impl<P: Policy> Policy for Told<P> {
    fn step(&mut self, load: f64, violated: bool, instances: &Instances) -> u64 {
        let wanted = self.0.step(load, violated, instances);
        self.1.push(wanted);
        wanted
    }
}

#[test]
fn what_is_held_does_not_depend_on_what_comes() {
    let (one, mut other) = (load(4000, 0.1, 1), load(4000, 0.1, 1));
    let mut random = fastrand::Rng::with_seed(9);
    other[3000..].iter_mut().for_each(|x| *x *= 5.0 * random.f64());
    let held = |loads: &[f64]| {
        let mut told = Told(Foresight::new(FLEET, 1440, Band::default(), Weight::Price(40.0)), Vec::new());
        replay(loads, &FLEET, &mut told);
        told.1
    };
    let (one, other) = (held(&one), held(&other));
    assert_eq!(one[..3000], other[..3000]);
    assert_ne!(one[3000..], other[3000..]);
}

#[test]
fn no_load_is_too_great_to_be_counted() {
    let mut chooser = Chooser::new(FLEET, 1440, 40.0, 1.0);
    for (i, load) in [100.0, 1e30, f64::MAX, 1e-300, 0.0, 1e18, 5.0].into_iter().cycle().take(700).enumerate() {
        if i == 350 {
            chooser.retune(1e-12, 1e12);
        }
        chooser.step(Some(load));
    }
    assert!(chooser.standings().iter().all(|s| s.cost.is_finite()));
    let loads = [1e30, 1.0];
    assert!(hindsight(&loads, &FLEET) >= needed(&[1.0], &FLEET));
}

#[test]
fn probabilities_come_true() {
    let mut forecaster = forecaster();
    let (mut above, mut outcomes) = ([0_u32; 4], 0_u32);
    let (mut error, mut naive) = (0.0, 0.0);
    for (t, x) in load(20_000, 0.2, 2).into_iter().enumerate() {
        let Some(outcome) = forecaster.observe(Some(x)).filter(|_| t > 4000) else { continue };
        outcomes += 1;
        error += outcome.error.powi(2);
        naive += outcome.naive.powi(2);
        for (count, p) in above.iter_mut().zip([0.5, 0.2, 0.05, 0.01]) {
            *count += u32::from(outcome.above <= p);
        }
    }
    for (count, p) in above.into_iter().zip([0.5, 0.2, 0.05, 0.01]) {
        let share = f64::from(count) / f64::from(outcomes);
        assert!((share - p).abs() < 0.01 + 0.1 * p, "{share} of the loads were above what {p} of them should be");
    }
    assert!(error < 0.75 * naive, "noise is smoothed: {error} against {naive}");
}

#[test]
fn quantiles_are_the_other_way_round() {
    let mut forecaster = forecaster();
    for x in load(3000, 0.3, 3) {
        forecaster.observe(Some(x));
    }
    let Some(ahead) = forecaster.predict() else { panic!("nothing was said") };
    for p in [0.4, 0.1, 0.03, 0.01] {
        let level = ahead.quantile_above(p);
        assert!((ahead.above(level) - p).abs() < 1e-6, "{p} is exceeded at {level}");
    }
}

#[test]
fn what_is_unknown_is_not_zero() {
    let (mut gap, mut zero) = (forecaster(), forecaster());
    for x in load(3000, 0.1, 4) {
        gap.observe(Some(x));
        zero.observe(Some(x));
    }
    let before = gap.predict().map(|p| p.centre());
    for missing in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-3.0)] {
        assert_eq!(gap.observe(missing), None);
        zero.observe(Some(0.0));
    }
    let (Some(before), Some(after), Some(gone)) =
        (before, gap.predict().map(|p| p.centre()), zero.predict().map(|p| p.centre()))
    else {
        panic!("nothing was said")
    };
    assert!((after / before - 1.0).abs() < 0.1, "{before} goes on as {after}");
    assert!(gone < 0.5 * before, "zero is believed: {gone}");
}

#[test]
fn a_stored_forecaster_goes_on_as_if_nothing_had_happened() {
    let loads = load(3000, 0.2, 5);
    let mut one = forecaster();
    for x in &loads[..2000] {
        one.observe(Some(*x));
    }
    let text = serde_json::to_string(&one).unwrap_or_default();
    let Ok(mut two) = serde_json::from_str::<Forecaster>(&text) else { panic!("it cannot be read back") };
    for x in &loads[2000..] {
        assert_eq!(one.observe(Some(*x)), two.observe(Some(*x)));
    }
}

#[test]
fn the_best_number_of_units_is_best() {
    let mut forecaster = forecaster();
    let mut random = fastrand::Rng::with_seed(6);
    for x in load(3000, 0.3, 6) {
        forecaster.observe(Some(x));
        let Some(ahead) = forecaster.predict() else { continue };
        let prices = Prices { unit: 20.0 + 80.0 * random.f64(), violation: 0.0, least: random.u64(0..4) };
        let violation = 2.0_f64.powf(10.0 * random.f64() - 1.0);
        let n = ahead.centre() / prices.unit;
        let cost = |d: u64| d as f64 + violation * n.max(1.0).sqrt() * ahead.above(prices.unit * d as f64);
        let allowed = |d: &u64| ahead.above(prices.unit * *d as f64) <= 0.3 && *d as f64 >= n.floor();
        let found = units(&ahead, &prices, violation);
        let best = (prices.least..2000).filter(allowed).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        assert_eq!(Some(found), best);
        assert!(units(&ahead, &prices, 4.0 * violation) >= found, "dearer violations need no less");
    }
}

#[test]
fn headroom_goes_up_at_once_and_down_slowly() {
    let mut forecaster = forecaster();
    let mut headroom = Headroom::new(Band::default(), 2);
    let prices = Prices { unit: 85.0, violation: 20.0, least: 1 };
    let (mut held, mut lowered) = (2, None);
    for (t, x) in [300.0; 200].into_iter().chain([900.0; 60]).chain([300.0; 400]).enumerate() {
        forecaster.observe(Some(x));
        let Some(ahead) = forecaster.predict() else { continue };
        let needs = headroom.needs(&ahead, &prices);
        assert!(needs.least <= needs.up_to && needs.release_to <= needs.release_above);
        let next = headroom.step(held, needs, x, forecaster.calm(), 85.0);
        assert!(next >= held || !(200..260).contains(&t), "released at {t} while the load was up");
        if t == 200 {
            assert!(next >= 11, "{next} units at once");
        }
        if t >= 262 && next < held {
            lowered.get_or_insert(t);
        }
        held = next;
    }
    assert!(lowered.is_some_and(|t| t >= 262) && held <= 8, "{lowered:?}, {held} at the end");
}

#[test]
fn an_outage_is_not_a_lull() {
    let mut policy = Foresight::new(FLEET, 0, Band::default(), Weight::Price(20.0));
    let mut instances = Instances::new(&FLEET);
    let mut least_in_outage = u64::MAX;
    for t in 0..1000 {
        let x = if (600..615).contains(&t) { 0.0 } else { 850.0 };
        let violated = instances.pass(x, &FLEET);
        let wanted = policy.step(x, violated, &instances);
        instances.hold(wanted);
        if (600..616).contains(&t) {
            least_in_outage = least_in_outage.min(instances.held());
        }
    }
    assert!(least_in_outage >= 10, "{least_in_outage} instances were held");
}

#[test]
fn a_budget_is_kept() {
    let loads = load(30_000, 0.3, 7);
    for share in [0.002, 0.02] {
        let policy = &mut Foresight::new(FLEET, 1440, Band::CLOSE, Weight::Budget(Budget::new(share)));
        let course = replay(&loads, &FLEET, policy);
        let kept = course.violations as f64 / course.steps as f64;
        assert!(kept < 1.5 * share && kept > share / 2.5, "{kept} of the steps where {share} were allowed");
    }
}

#[test]
fn the_rule_of_thumb_keeps_its_target() {
    // A tenth above the target is tolerated, more is not; down only after the stabilisation.
    let mut rule = AtTarget::new(FLEET, 0.5, 3);
    let mut instances = Instances::new(&FLEET);
    let mut step = |x: f64| {
        let violated = instances.pass(x, &FLEET);
        let wanted = rule.step(x, violated, &instances);
        instances.hold(wanted);
        instances.held()
    };
    assert_eq!([100.0, 109.0, 111.0].map(&mut step), [2, 2, 3]);
    assert_eq!([60.0, 60.0, 60.0, 60.0].map(&mut step), [3, 3, 2, 2]);
}

#[test]
fn instances_serve_after_the_lead_and_cost_from_the_order_on() {
    let fleet = Fleet { lead: 3, initial: 1, ..FLEET };
    let mut instances = Instances::new(&fleet);
    instances.pass(0.0, &fleet);
    instances.hold(3);
    let mut serving = Vec::new();
    for _ in 0..4 {
        instances.pass(0.0, &fleet);
        serving.push(instances.serving());
    }
    assert_eq!(serving, [1, 1, 3, 3]);
    assert_eq!((instances.course.instance_steps, instances.course.starts), (1 + 4 * 3, 2));
    instances.hold(5);
    instances.hold(4);
    assert_eq!((instances.serving(), instances.held()), (3, 4), "the youngest end first");
}

/// The least instance steps by dynamic programming over what is held: whoever rises to n in step t has paid for what is
/// new in the lead - 1 steps before it, as far as there are any.
fn by_dynamic_programming(loads: &[f64], fleet: &Fleet) -> u64 {
    let unit = fleet.limit * fleet.capacity;
    let needs: Vec<u64> = loads.iter().map(|x| ((x / unit).ceil() as u64).max(fleet.least)).collect();
    let most = needs.iter().copied().max().unwrap_or(0);
    let mut best: Vec<Option<u64>> = (0..=most).map(|n| (n >= needs[0]).then_some(n)).collect();
    for need in &needs[1..] {
        let after = |n: u64| {
            let ways = (0..=most).filter_map(|before| {
                Some(best[before as usize]? + n + n.saturating_sub(before) * (fleet.lead as u64 - 1))
            });
            (n >= *need).then(|| ways.min()).flatten()
        };
        best = (0..=most).map(after).collect();
    }
    best.into_iter().flatten().min().unwrap_or(0)
}

#[test]
fn hindsight_is_a_bound_that_nobody_beats() {
    let mut random = fastrand::Rng::with_seed(8);
    for case in 0..200 {
        let loads: Vec<f64> = (0..40).map(|_| 85.0 * random.u64(0..5) as f64).collect();
        let fleet = Fleet { lead: random.usize(1..5), ..FLEET };
        let known = hindsight(&loads, &fleet);
        assert!(known >= needed(&loads, &fleet));
        assert!(known <= by_dynamic_programming(&loads, &fleet), "case {case}");
    }
    let loads = load(6000, 0.1, 9);
    for target in [0.3, 0.4] {
        let fleet = Fleet { initial: 20, ..FLEET };
        let course = replay(&loads, &fleet, &mut AtTarget::new(fleet, target, 5));
        assert_eq!(course.violations, 0);
        assert!(hindsight(&loads, &FLEET) <= course.instance_steps);
    }
}

#[test]
fn forecasts_beat_the_rule_of_thumb_on_noise() {
    let loads = load(30_000, 0.25, 10);
    let rule = replay(&loads, &FLEET, &mut AtTarget::new(FLEET, 0.6, 5));
    let best = [10.0, 40.0, 160.0, 640.0]
        .map(|price| replay(&loads, &FLEET, &mut Foresight::new(FLEET, 1440, Band::default(), Weight::Price(price))));
    let no_worse = best.iter().filter(|c| c.violations <= rule.violations);
    let cheapest = no_worse.map(|c| c.instance_steps).min();
    assert!(cheapest.is_some_and(|c| (c as f64) < 0.95 * rule.instance_steps as f64), "{best:?} against {rule:?}");
}

#[test]
fn the_chooser_follows_what_does_best() {
    let calm = load(5000, 0.1, 11);
    let mut chooser = Chooser::new(FLEET, 1440, 40.0, 0.0);
    for x in &calm {
        chooser.step(Some(*x));
    }
    assert!(matches!(chooser.followed(), Kind::Foresight { .. }), "{:?}", chooser.standings().first());
    // Jumps that nothing announces: whoever holds much all the time is best.
    let mut random = fastrand::Rng::with_seed(12);
    let fleet = Fleet { lead: 10, ..FLEET };
    let mut chooser = Chooser::new(fleet, 0, 2000.0, 0.0);
    let (mut jump, mut jumps) = (0, Vec::new());
    for _ in 0..8000 {
        jump = if jump > 0 {
            jump - 1
        } else if random.u32(0..60) == 0 {
            4
        } else {
            0
        };
        jumps.push(if jump > 0 { 260.0 } else { 100.0 });
    }
    let chosen = replay(&jumps, &fleet, &mut Chosen::new(chooser.clone()));
    for x in &jumps {
        chooser.step(Some(*x));
    }
    let standings = chooser.standings();
    assert!(standings.windows(2).all(|w| w[0].cost <= w[1].cost));
    let followed = standings.iter().find(|s| s.followed);
    assert!(followed.is_some_and(|f| f.cost <= standings[0].cost * 1.02), "{followed:?} {:?}", standings[0]);
    assert!(chosen.steps == 8000);
}
