//! The laws of the gate, as properties, and its cases one by one.
#![allow(clippy::unwrap_used)]

use cardinal_models::quantity::Price;
use proptest::prelude::*;

use super::window::parse_instant;
use super::*;
use crate::fixtures::random_cases;
use crate::plan::Amount;

/// Everything that the gate judges, owned.
#[derive(Clone, Debug)]
struct Case {
    sense: Sense,
    cause: Cause,
    running: Option<RunningScore>,
    candidate: f64,
    figures: Figures,
    from: Digest,
    to: Digest,
    policy: GatePolicy,
    history: GateHistory,
    now: UnixMs,
}

impl Case {
    fn judge(&self) -> Judgement {
        judge(&GateInput {
            sense: self.sense,
            cause: self.cause,
            running: self.running.as_ref(),
            candidate: self.candidate,
            figures: &self.figures,
            from: self.from,
            to: self.to,
            policy: &self.policy,
            history: &self.history,
            now: self.now,
        })
    }

    fn passes(&self) -> bool {
        self.judge().verdict.conclusion == Conclusion::Apply
    }

    fn held_by(&self) -> Vec<GateName> {
        match self.judge().verdict.reason {
            Reason::Held { by } => by,
            _ => Vec::new(),
        }
    }

    /// Begins the change, which ends at once.
    fn apply(&mut self, judgement: Judgement) {
        self.history = judgement.history;
        self.history.begin(ChangeRecord {
            begun: self.now,
            ended: None,
            from: self.from,
            to: self.to,
            course: judgement.verdict.course,
            stops: self.figures.instances_stopped,
            flap: judgement.verdict.flap,
        });
        self.history.end(self.now);
    }
}

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

/// Ten instances on ten nodes at 1.00 an hour; the change moves one and saves 20 %. It passes without delays.
fn saving() -> Case {
    let figures = Figures {
        nodes_running: 10,
        nodes_created: 1,
        nodes_deleted: 1,
        nodes_replaced: 1,
        instances_running: 10,
        instances_stopped: 1,
        instances_started: 1,
        instances_moved: 1,
        cost_before_nanos: Price::from_units(1.0).unwrap(),
        cost_after_nanos: Price::from_units(0.8).unwrap(),
        double_running: Money(1_000_000),
        ..Figures::default()
    };
    let policy =
        GatePolicy { stabilisation: Stabilisation { down_s: 0, ..Stabilisation::default() }, ..GatePolicy::default() };
    Case {
        sense: Sense::Minimize,
        cause: Cause::Loop,
        running: Some(RunningScore { value: Some(1.0), violated: Vec::new() }),
        candidate: 0.8,
        figures,
        from: digest("old"),
        to: digest("new"),
        policy,
        history: GateHistory::default(),
        now: UnixMs(1_000_000_000_000),
    }
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), -100.0..100.0_f64, (-12.0..12.0_f64).prop_map(|e| 10_f64.powf(e)), Just(-1e-12), Just(1e300)]
}

fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (1..50_u64, 0..50_u64, 0..20_u64, 0..20_u64, 0..3_u64, 0..3_u64);
    let money = (0..10_000_000_000_i64, 0..10_000_000_000_i64, 0..1_000_000_000_i64);
    let policy = (0.0..0.3_f64, 0.0..0.5_f64, 0.1..5.0_f64, 0..900_u64, 0..900_u64, 1..7200_u64);
    let past = prop::collection::vec((0..7200_u64, any::<bool>(), 0..10_u64), 0..4);
    (score(), score(), any::<bool>(), sizes, money, policy, past).prop_map(
        |(old, new, maximize, sizes, money, policy, past)| {
            let mut case = saving();
            case.sense = if maximize { Sense::Maximize } else { Sense::Minimize };
            case.running = Some(RunningScore { value: Some(old), violated: Vec::new() });
            case.candidate = new;
            let (running, stopped, created, deleted, grown, shrunk) = sizes;
            case.figures = Figures {
                nodes_running: running,
                nodes_created: created,
                nodes_deleted: deleted.min(running),
                instances_running: running,
                instances_stopped: stopped.min(running),
                instances_started: created + 1,
                components_grown: grown,
                components_shrunk: shrunk,
                cost_before_nanos: Price::from_nanos(money.0),
                cost_after_nanos: Price::from_nanos(money.1),
                double_running: Money(money.2),
                ..Figures::default()
            };
            case.policy.floor_relative = policy.0;
            case.policy.floor_absolute = policy.1;
            case.policy.k = policy.2;
            case.policy.stabilisation =
                Stabilisation { up_s: policy.3 / 4, down_s: policy.3, ..Stabilisation::default() };
            case.policy.cooldown.change_s = policy.4;
            case.policy.payback_horizon_s = policy.5;
            case.policy.budgets = vec![DisruptionBudget { limit: Amount::Percent(50), within_s: 3600, during: None }];
            let mut past = past;
            past.sort_by_key(|(ago, ..)| std::cmp::Reverse(*ago));
            for (ago, up, stops) in past {
                let begun = UnixMs(case.now.0 - i64::try_from(ago).unwrap() * 1000);
                let course = if up { Course::Up } else { Course::Down };
                let (from, to) = (digest(if up { "new" } else { "other" }), digest("old"));
                case.history.changes.push(ChangeRecord {
                    begun,
                    ended: Some(begun),
                    from,
                    to,
                    course,
                    stops,
                    flap: up,
                });
            }
            case
        },
    )
}

fn better(case: &Case, by: f64) -> f64 {
    match case.sense {
        Sense::Maximize => case.candidate + by,
        Sense::Minimize => case.candidate - by,
    }
}

proptest! {
    #![proptest_config(random_cases(3000))]

    #[test]
    fn more_gain_never_turns_a_pass_into_a_hold(case in any_case(), by in 0.0..1000.0_f64) {
        let more = Case { candidate: better(&case, by), ..case.clone() };
        prop_assert!(!case.passes() || more.passes(), "{case:#?}\n{:#?}", more.judge());
    }

    #[test]
    fn more_disruption_never_turns_a_hold_into_a_pass(case in any_case(), more in 1..30_u64, paid in 0..1_000_000_i64) {
        let mut worse = case.clone();
        worse.figures.instances_stopped = (case.figures.instances_stopped + more).min(case.figures.instances_running);
        worse.figures.double_running = case.figures.double_running + Money(paid);
        prop_assert!(case.passes() || !worse.passes(), "{case:#?}\n{:#?}", worse.judge());
    }

    #[test]
    fn no_gain_never_passes(case in any_case(), worse in prop_oneof![Just(0.0), 0.0..100.0_f64]) {
        let mut case = case;
        case.candidate = case.running.as_ref().unwrap().value.unwrap();
        case.candidate = better(&case, -worse);
        case.policy = GatePolicy { floor_relative: 0.0, floor_absolute: 0.0, ..case.policy };
        prop_assert!(!case.passes());
        prop_assert!(case.held_by().contains(&GateName::Gain));
    }

    #[test]
    fn an_empty_node_always_goes(case in any_case(), nodes in 1..9_u64) {
        let mut case = case;
        case.figures = Figures { nodes_deleted: nodes, ..Figures::default() };
        case.policy.windows = vec![Window::new("0 0 30 2 *", 60, "UTC").unwrap()];
        prop_assert!(case.passes());
    }

    #[test]
    fn repairs_pass_at_once(case in any_case(), lost in 0..2_u64) {
        let mut case = case;
        case.figures.nodes_lost = lost;
        if lost == 0 {
            case.running.as_mut().unwrap().violated.push("memory".to_owned());
        }
        case.policy.windows = vec![Window::new("0 0 30 2 *", 60, "UTC").unwrap()];
        prop_assert!(case.passes(), "{:#?}", case.judge());
    }

    #[test]
    fn a_fleet_many_times_as_large_is_judged_alike(case in any_case(), times in 2..40_u64) {
        let mut large = case.clone();
        let f = times as f64;
        large.running.as_mut().unwrap().value = Some(case.running.as_ref().unwrap().value.unwrap() * f);
        large.candidate = case.candidate * f;
        large.policy.floor_absolute *= f;
        large.policy.scale_least *= f;
        let figures = &mut large.figures;
        for n in [
            &mut figures.nodes_running, &mut figures.nodes_created, &mut figures.nodes_deleted,
            &mut figures.instances_running, &mut figures.instances_stopped, &mut figures.instances_started,
        ] {
            *n *= times;
        }
        figures.cost_before_nanos = figures.cost_before_nanos.times(times);
        figures.cost_after_nanos = figures.cost_after_nanos.times(times);
        figures.double_running = Money(figures.double_running.0 * times as i64);
        large.history.changes.iter_mut().for_each(|c| c.stops *= times);
        // A share is rounded up to a whole instance, and money to a nano-unit: keep clear of both.
        large.policy.budgets.clear();
        let alone = Case { policy: GatePolicy { budgets: Vec::new(), ..case.policy.clone() }, ..case };
        let close = |j: &Judgement| j.verdict.readings.iter().any(|r| (r.measured - r.required).abs() < 1e-6 * r.required.abs().max(1e-9));
        prop_assume!(!close(&alone.judge()) && !close(&large.judge()));
        prop_assert_eq!(alone.passes(), large.passes(), "{:#?}\n{:#?}", alone.judge(), large.judge());
    }

    #[test]
    fn a_verdict_says_what_holds_and_is_the_same_each_time(case in any_case()) {
        let judgement = case.judge();
        let held: Vec<_> = judgement.verdict.readings.iter().filter(|r| !r.passed).collect();
        prop_assert_eq!(judgement.verdict.conclusion == Conclusion::Hold, !held.is_empty());
        for reading in held {
            prop_assert!(reading.missing() >= 0.0);
            prop_assert!(reading.passes_at.is_none_or(|at| at > case.now), "{reading:?}");
        }
        prop_assert!(!judgement.verdict.sentence().is_empty());
        // Scores like 1e300 come back from text within a rounding, so the texts are compared.
        let text = serde_json::to_string(&judgement.verdict).unwrap();
        prop_assert!(!text.contains("null") || judgement.verdict.figures.running.is_none());
        let read: GateHistory = serde_json::from_str(&serde_json::to_string(&judgement.history).unwrap()).unwrap();
        prop_assert_eq!(&read, &judgement.history);
        prop_assert_eq!(judgement, case.judge());
    }

    /// Two deployments whose true scores never change, measured with noise below `f / (2 + f)`: once B was worth leaving
    /// A for, A is not worth leaving B for.
    #[test]
    fn constant_demand_with_noise_never_goes_back(
        truth in (0.1..10.0_f64, 0.1..10.0_f64), floor in 0.02..0.3_f64, maximize in any::<bool>(),
        noise in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 1..60),
    ) {
        let mut case = saving();
        case.sense = if maximize { Sense::Maximize } else { Sense::Minimize };
        case.policy = GatePolicy {
            floor_relative: floor, cooldown: Cooldown { change_s: 0, repair_s: 0 },
            flaps: FlapBudget { most: 1000, within_s: 3600 }, ..case.policy
        };
        let size = 0.99 * floor / (2.0 + floor);
        let mut on_b = false;
        let mut changes = 0;
        for (a, b) in noise {
            let (a, b) = (truth.0 * (1.0 + size * a), truth.1 * (1.0 + size * b));
            let (now, other) = if on_b { (b, a) } else { (a, b) };
            case.running = Some(RunningScore { value: Some(now), violated: Vec::new() });
            case.candidate = other;
            (case.from, case.to) = if on_b { (digest("b"), digest("a")) } else { (digest("a"), digest("b")) };
            let judgement = case.judge();
            if judgement.verdict.conclusion == Conclusion::Apply {
                case.apply(judgement);
                on_b = !on_b;
                changes += 1;
            } else {
                case.history = judgement.history;
            }
            case.now = case.now.plus_s(300);
        }
        prop_assert!(changes <= 1, "{changes} changes");
    }

    /// Whatever scores an adversary shows, changes that gain keep their distance and turn back seldom.
    #[test]
    fn chains_of_changes_are_bounded(
        steps in prop::collection::vec((score(), score(), 1..400_u64, any::<bool>(), 0..4_u32), 1..150),
        cooldown_s in 1..600_u64, most in 0..4_u32, within_s in 600..4000_u64,
    ) {
        let mut case = saving();
        case.policy.cooldown.change_s = cooldown_s;
        case.policy.flaps = FlapBudget { most, within_s };
        let start = case.now;
        let mut at = 0_u32;
        for (old, new, wait_s, up, to) in steps {
            case.now = case.now.plus_s(wait_s);
            case.running = Some(RunningScore { value: Some(old), violated: Vec::new() });
            case.candidate = new;
            case.figures.components_grown = u64::from(up);
            (case.from, case.to) = (digest(&at.to_string()), digest(&to.to_string()));
            let judgement = case.judge();
            if judgement.verdict.conclusion == Conclusion::Apply {
                case.apply(judgement);
                at = to;
            } else {
                case.history = judgement.history;
            }
        }
        let changes = &case.history.changes;
        prop_assert!(changes.len() as u64 <= case.now.ms_since(start) / 1000 / cooldown_s + 1);
        prop_assert!(changes.windows(2).all(|w| w[1].begun.ms_since(w[0].begun) >= cooldown_s * 1000));
        for change in changes {
            let flaps = changes.iter().filter(|c| c.flap && c.begun <= change.begun && change.begun.ms_since(c.begun) < within_s * 1000);
            prop_assert!(flaps.count() <= most as usize);
        }
    }
}

#[test]
fn a_saving_that_pays_passes_and_each_gate_can_hold_it() {
    let good = saving();
    assert_eq!(good.judge().verdict.reason, Reason::Worth);
    let with = |change: &dyn Fn(&mut Case)| {
        let mut case = saving();
        change(&mut case);
        case.held_by()
    };
    assert_eq!(with(&|c| c.candidate = 1.0).first(), Some(&GateName::Gain));
    assert_eq!(with(&|c| c.policy.floor_absolute = 0.3), [GateName::AbsoluteFloor]);
    assert_eq!(with(&|c| c.policy.floor_relative = 0.3), [GateName::RelativeFloor]);
    assert_eq!(with(&|c| c.figures.instances_stopped = 5), [GateName::Disruption]);
    assert_eq!(with(&|c| c.policy.stabilisation.down_s = 300), [GateName::Stabilisation]);
    assert_eq!(with(&|c| c.policy.windows = vec![Window::new("0 0 30 2 *", 60, "UTC").unwrap()]), [GateName::Window]);
    let frozen = DisruptionBudget { limit: Amount::Count(0), within_s: 3600, during: None };
    assert_eq!(with(&|c| c.policy.budgets = vec![frozen.clone()]), [GateName::Budget]);
    let past = |c: &mut Case| {
        let again = c.judge();
        c.apply(again);
        c.now = c.now.plus_s(60);
        (c.from, c.to) = (c.to, c.from);
    };
    assert_eq!(with(&past), [GateName::Cooldown]);
    let turning = |c: &mut Case| {
        past(c);
        c.now = c.now.plus_s(600);
        c.policy.flaps.most = 0;
    };
    assert_eq!(with(&turning), [GateName::Flaps]);
    assert_eq!(with(&|c| c.figures.double_running = Money(10_000_000_000)).first(), Some(&GateName::Gain));
}

#[test]
fn a_wish_must_last_and_a_break_begins_it_anew() {
    let mut case = saving();
    case.policy.stabilisation.down_s = 300;
    let mut wait = |seconds: u64, candidate: f64| {
        case.now = case.now.plus_s(seconds);
        case.candidate = candidate;
        let judgement = case.judge();
        // A restart in between forgets nothing.
        let text = serde_json::to_string(&judgement.history).unwrap();
        case.history = serde_json::from_str(&text).unwrap();
        judgement.verdict
    };
    let first = wait(0, 0.8);
    assert_eq!(first.first_hold().unwrap().passes_at, Some(UnixMs(1_000_000_300_000)));
    assert_eq!(first.sentence(), "Held back: wanted for 0 of 300 s.");
    assert_eq!(wait(299, 0.8).conclusion, Conclusion::Hold);
    assert_eq!(wait(0, 0.99).conclusion, Conclusion::Hold);
    assert_eq!(wait(2, 0.8).conclusion, Conclusion::Hold);
    assert_eq!(wait(300, 0.8).conclusion, Conclusion::Apply);
    // Not seen for longer than the gap.
    assert_eq!(wait(901, 0.8).conclusion, Conclusion::Hold);
}

#[test]
fn budgets_follow_their_window_and_forget_in_time() {
    let mut case = saving();
    case.now = parse_instant("2026-01-05T12:00:00+01:00").unwrap();
    let during = Some(Window::new("0 8 * * MON-FRI", 9 * 3600, "Europe/Berlin").unwrap());
    case.policy.budgets = vec![DisruptionBudget { limit: Amount::Count(1), within_s: 1800, during }];
    case.policy.cooldown.change_s = 0;
    assert!(case.passes());
    let judgement = case.judge();
    case.apply(judgement);
    case.now = case.now.plus_s(60);
    let held = case.judge().verdict;
    assert_eq!(held.first_hold().unwrap().passes_at, parse_instant("2026-01-05T12:30:00+01:00").ok());
    case.now = parse_instant("2026-01-05T12:30:00+01:00").unwrap();
    assert!(case.passes());
    // A repair is held only when the policy says so.
    case.figures.instances_stopped = 2;
    case.running.as_mut().unwrap().violated.push("memory".to_owned());
    assert!(case.passes());
    case.policy.repairs = Repairs::WithinBudgets;
    assert_eq!(case.held_by(), [GateName::Budget]);
    case.now = parse_instant("2026-01-05T17:00:00+01:00").unwrap();
    assert!(case.passes());
}

#[test]
fn scores_without_value_and_people_are_understood() {
    let mut case = saving();
    case.candidate = f64::NAN;
    assert_eq!(case.judge().verdict.reason, Reason::NoValue);
    case.candidate = 0.8;
    case.running = Some(RunningScore { value: None, violated: Vec::new() });
    assert!(matches!(case.judge().verdict.reason, Reason::Repair { .. }) && case.passes());
    case.running = None;
    assert_eq!(case.judge().verdict.reason, Reason::First);
    let ordered = Case { cause: Cause::Person, candidate: 3.0, ..saving() };
    assert_eq!(ordered.judge().verdict.reason, Reason::Ordered);
    let nothing = Case { figures: Figures::default(), ..saving() };
    assert_eq!(nothing.judge().verdict.conclusion, Conclusion::Nothing);
}

#[test]
fn a_policy_is_read_with_defaults_and_its_mistakes_are_named() {
    let text =
        r#"{"k": 3, "budgets": [{"limit": {"percent": 10}, "during": {"cron": "0 8 * * *", "duration_s": 60}}]}"#;
    let policy: GatePolicy = serde_json::from_str(text).unwrap();
    assert_eq!((policy.k, policy.floor_relative, policy.budgets[0].within_s), (3.0, 0.05, 3600));
    assert!(policy.mistakes().is_empty());
    assert!(serde_json::from_str::<GatePolicy>(r#"{"kk": 3}"#).is_err());
    assert!(
        serde_json::from_str::<GatePolicy>(&text.replace("0 8 * * *", "0 8 * *"))
            .unwrap_err()
            .to_string()
            .contains("five fields")
    );
    let wrong = GatePolicy { k: 0.0, floor_relative: f64::NAN, payback_horizon_s: 0, ..GatePolicy::default() };
    assert_eq!(wrong.mistakes().len(), 3);
}

#[test]
fn small_changes_are_told_from_large_ones() {
    let mut figures = saving().figures;
    assert!(SmallChange::default().admits(&figures));
    figures.instances_stopped = 2;
    assert!(!SmallChange::default().admits(&figures));
    figures.instances_stopped = 1;
    figures.cost_after_nanos = Price::from_units(1.26).unwrap();
    assert!(!SmallChange::default().admits(&figures));
}
