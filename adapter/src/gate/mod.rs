//! Whether a change is worth its disturbance: a pure function of scores, figures, policy, history and time.
//!
//! A repair passes at once. Anything else must gain: net of the cost of changing over the payback horizon, above an
//! absolute and a relative floor, and with a share of gain of at least one k-th of the share of instances that it stops.
//! Then time has its say: stabilisation, cool-down, the flap budget, windows and disruption budgets. Every verdict
//! carries the figures that led to it, also those of gates that passed.
//!
//! Shares are taken of the running score's size, so that a larger fleet is judged like a small one. A running score of
//! zero counts as [`GatePolicy::scale_least`]; a negative one by its size.

use cardinal_models::tolerance;
use serde::{Deserialize, Serialize};

use crate::diff::{Figures, Money};
use crate::digest::Digest;
use crate::time::UnixMs;

pub mod history;
pub mod policy;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod window;

pub use history::{ChangeRecord, Course, GateHistory, Pending, shape_of_running, shape_of_wanted};
pub use policy::{Cooldown, DisruptionBudget, FlapBudget, GatePolicy, Repairs, SmallChange, Stabilisation};
pub use verdict::{Conclusion, GainFigures, GateName, Judgement, Reading, Reason, Verdict};
pub use window::{Window, WindowError};

/// Which way the objective goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sense {
    /// The larger the better.
    Maximize,
    /// The smaller the better.
    Minimize,
}

impl From<cardinal_models::application::Direction> for Sense {
    fn from(direction: cardinal_models::application::Direction) -> Self {
        match direction {
            cardinal_models::application::Direction::Maximize => Sense::Maximize,
            cardinal_models::application::Direction::Minimize => Sense::Minimize,
        }
    }
}

/// Who wants the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The loop, because the time had come or something happened.
    Loop,
    /// A person, who does not ask whether it pays.
    Person,
}

/// The running deployment, scored again with the metrics and prices of the candidate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningScore {
    /// The objective; `None` when it has no value.
    pub value: Option<f64>,
    /// The names of the hard constraints and SLOs that it violates and the candidate does not.
    pub violated: Vec<String>,
}

/// What the gate judges.
#[derive(Clone, Debug)]
pub struct GateInput<'a> {
    /// Which way the objective goes.
    pub sense: Sense,
    /// Who wants the change.
    pub cause: Cause,
    /// What runs; `None` when nothing does.
    pub running: Option<&'a RunningScore>,
    /// The objective of the candidate.
    pub candidate: f64,
    /// How much the change disturbs.
    pub figures: &'a Figures,
    /// The shape that runs.
    pub from: Digest,
    /// The shape of the candidate.
    pub to: Digest,
    /// The numbers.
    pub policy: &'a GatePolicy,
    /// What was before.
    pub history: &'a GateHistory,
    /// The time.
    pub now: UnixMs,
}

/// Judges a change.
pub fn judge(input: &GateInput<'_>) -> Judgement {
    let course = course(input.figures);
    let mut verdict = Verdict {
        conclusion: Conclusion::Apply,
        reason: Reason::NoChange,
        course,
        flap: input.history.would_flap(course, input.to, input.now, input.policy.flaps.within_s),
        small: input.policy.small.admits(input.figures),
        figures: gain(input),
        readings: Vec::new(),
    };
    let mut history = input.history.clone();
    let kind = Kind::of(input);
    verdict.reason = kind.reason(input);
    match kind {
        Kind::Nothing => verdict.conclusion = Conclusion::Nothing,
        Kind::NoValue => verdict.conclusion = Conclusion::Hold,
        Kind::First | Kind::EmptyNodes => {}
        Kind::Gain | Kind::Repair | Kind::Ordered => {
            if kind == Kind::Gain {
                verdict.readings = merit(input, &verdict.figures);
            }
            if verdict.readings.iter().all(|r| r.passed) {
                history.pending = Some(pending(input, course));
                verdict.readings.extend(timing(input, kind, &verdict, history.pending));
            } else {
                history.pending = None;
            }
        }
    }
    let by: Vec<GateName> = verdict.readings.iter().filter(|r| !r.passed).map(|r| r.gate).collect();
    if !by.is_empty() {
        verdict.conclusion = Conclusion::Hold;
        verdict.reason = Reason::Held { by };
    }
    if matches!(kind, Kind::Nothing | Kind::NoValue) {
        history.pending = None;
    }
    Judgement { verdict, history }
}

/// What sort of change it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    NoValue,
    First,
    Repair,
    Ordered,
    EmptyNodes,
    Gain,
}

impl Kind {
    fn of(input: &GateInput<'_>) -> Self {
        if input.figures.is_nothing() {
            return Kind::Nothing;
        }
        if !input.candidate.is_finite() {
            return Kind::NoValue;
        }
        let Some(running) = input.running else { return Kind::First };
        let has_value = running.value.is_some_and(f64::is_finite);
        if !running.violated.is_empty() || input.figures.nodes_lost > 0 || !has_value {
            return Kind::Repair;
        }
        match input.cause {
            Cause::Person => Kind::Ordered,
            Cause::Loop if input.figures.only_empty_nodes_go() => Kind::EmptyNodes,
            Cause::Loop => Kind::Gain,
        }
    }

    fn reason(self, input: &GateInput<'_>) -> Reason {
        match self {
            Kind::Nothing => Reason::NoChange,
            Kind::NoValue => Reason::NoValue,
            Kind::First => Reason::First,
            Kind::Repair => Reason::Repair {
                violated: input.running.map(|r| r.violated.clone()).unwrap_or_default(),
                nodes_lost: input.figures.nodes_lost,
            },
            Kind::Ordered => Reason::Ordered,
            Kind::EmptyNodes => Reason::EmptyNodes,
            Kind::Gain => Reason::Worth,
        }
    }
}

fn course(figures: &Figures) -> Course {
    if figures.components_grown > 0 {
        Course::Up
    } else if figures.components_shrunk > 0 || figures.cost_after_nanos <= figures.cost_before_nanos {
        Course::Down
    } else {
        Course::Up
    }
}

/// Keeps a number inside what JSON can hold.
fn finite(x: f64) -> f64 {
    if x.is_nan() { 0.0 } else { x.clamp(-f64::MAX, f64::MAX) }
}

fn gain(input: &GateInput<'_>) -> GainFigures {
    let GateInput { figures, policy, .. } = input;
    let cost_of_change = figures.double_running
        + Money(policy.cost_per_stop.0.saturating_mul(i64::try_from(figures.instances_stopped).unwrap_or(i64::MAX)));
    let disruption_share = figures.share();
    let candidate = Some(input.candidate).filter(|v| v.is_finite());
    let running = input.running.and_then(|r| r.value).filter(|v| v.is_finite());
    let mut gains = GainFigures { running, candidate, cost_of_change, disruption_share, ..GainFigures::default() };
    let (Some(old), Some(new)) = (running, candidate) else { return gains };
    let scale = old.abs().max(policy.scale_least);
    gains.gain = finite(match input.sense {
        Sense::Maximize => new - old,
        Sense::Minimize => old - new,
    });
    gains.gain_share = finite(gains.gain / scale);
    let dearer = figures.cost_before_nanos.max(figures.cost_after_nanos);
    let over_horizon = Money::of(dearer, policy.payback_horizon_s.saturating_mul(1000));
    if cost_of_change.0 > 0 {
        gains.cost_share = finite(cost_of_change.0 as f64 / over_horizon.0 as f64);
    }
    gains.net_share = finite(gains.gain_share - gains.cost_share);
    gains.net_gain = finite(gains.net_share * scale);
    gains
}

/// Whether it pays.
fn merit(input: &GateInput<'_>, gains: &GainFigures) -> Vec<Reading> {
    let policy = input.policy;
    let at_least = |gate: GateName, measured: f64, required: f64, unit: &str| Reading {
        gate,
        passed: tolerance::at_most(required, measured),
        measured,
        required,
        unit: unit.to_owned(),
        passes_at: None,
    };
    let better = match (gains.running, gains.candidate, input.sense) {
        (Some(old), Some(new), Sense::Maximize) => new > old && !nearly(old, new),
        (Some(old), Some(new), Sense::Minimize) => new < old && !nearly(old, new),
        _ => false,
    };
    let mut readings = vec![
        Reading {
            passed: better && gains.net_gain > 0.0,
            ..at_least(GateName::Gain, gains.net_gain, 0.0, "objective")
        },
        at_least(GateName::AbsoluteFloor, gains.net_gain, policy.floor_absolute, "objective"),
        at_least(GateName::RelativeFloor, gains.net_share, policy.floor_relative, "share"),
    ];
    if gains.disruption_share > 0.0 {
        let ratio = finite(gains.net_share / gains.disruption_share);
        readings.push(at_least(GateName::Disruption, ratio, 1.0 / policy.k, "share of gain per share of disruption"));
    }
    readings
}

/// Equal but for rounding: relative to their own size, because utilities may all be far below one.
fn nearly(a: f64, b: f64) -> bool {
    (a - b).abs() <= tolerance::TOLERANCE * a.abs().max(b.abs())
}

fn pending(input: &GateInput<'_>, course: Course) -> Pending {
    let window_s = input.policy.stabilisation.gap_s.max(stabilisation_s(input.policy, Kind::Gain, course));
    let now = input.now;
    match input.history.pending {
        Some(p) if p.course == course && now.ms_since(p.seen) <= window_s.saturating_mul(1000) => {
            // A clock set back must not make the wish older than it is.
            Pending { since: p.since.min(now), seen: now, course }
        }
        _ => Pending { course, since: now, seen: now },
    }
}

fn stabilisation_s(policy: &GatePolicy, kind: Kind, course: Course) -> u64 {
    match (kind, course) {
        (Kind::Ordered, _) => 0,
        (Kind::Repair, _) => policy.stabilisation.repair_s,
        (_, Course::Up) => policy.stabilisation.up_s,
        (_, Course::Down) => policy.stabilisation.down_s,
    }
}

/// Whether it is time.
fn timing(input: &GateInput<'_>, kind: Kind, verdict: &Verdict, pending: Option<Pending>) -> Vec<Reading> {
    let GateInput { policy, history, now, .. } = *input;
    let mut readings = Vec::new();
    let mut elapsed = |gate: GateName, since: UnixMs, required_s: u64| {
        readings.push(Reading {
            gate,
            passed: now.ms_since(since) >= required_s.saturating_mul(1000),
            measured: now.ms_since(since) as f64 / 1000.0,
            required: required_s as f64,
            unit: "s".to_owned(),
            passes_at: Some(since.plus_s(required_s)).filter(|at| *at > now),
        });
    };
    if let Some(pending) = pending {
        elapsed(GateName::Stabilisation, pending.since, stabilisation_s(policy, kind, verdict.course));
    }
    let cooldown_s = match kind {
        Kind::Ordered => 0,
        Kind::Repair => policy.cooldown.repair_s,
        _ => policy.cooldown.change_s,
    };
    if let Some(last) = history.changes.last() {
        elapsed(GateName::Cooldown, last.ended.unwrap_or(now), cooldown_s);
    }
    if kind == Kind::Gain && verdict.flap {
        readings.push(flaps(input));
    }
    let exempt = kind == Kind::Repair && policy.repairs == Repairs::AtOnce;
    if !exempt {
        readings.extend(window(input));
        readings.extend(policy.budgets.iter().filter_map(|budget| disruption(input, budget)));
    }
    readings
}

fn flaps(input: &GateInput<'_>) -> Reading {
    let GateInput { policy, history, now, .. } = *input;
    let within_ms = policy.flaps.within_s.saturating_mul(1000);
    let recent: Vec<UnixMs> =
        history.changes.iter().filter(|c| c.flap && now.ms_since(c.begun) < within_ms).map(|c| c.begun).collect();
    let most = policy.flaps.most as usize;
    let would_be = recent.len() + 1;
    let passed = would_be <= most;
    // The flap that must be forgotten before there is room for one more.
    let oldest = recent.len().checked_sub(most).and_then(|i| recent.get(i));
    Reading {
        gate: GateName::Flaps,
        passed,
        measured: would_be as f64,
        required: policy.flaps.most.into(),
        unit: "turns".to_owned(),
        passes_at: oldest.filter(|_| !passed).map(|begun| begun.plus_ms(within_ms)),
    }
}

fn window(input: &GateInput<'_>) -> Option<Reading> {
    let GateInput { policy, now, .. } = *input;
    if policy.windows.is_empty() {
        return None;
    }
    let passed = policy.windows.iter().any(|w| w.open_until(now).is_some());
    Some(Reading {
        gate: GateName::Window,
        passed,
        measured: f64::from(u8::from(passed)),
        required: 1.0,
        unit: "open windows".to_owned(),
        passes_at: policy.windows.iter().filter_map(|w| w.next_start(now)).min().filter(|_| !passed),
    })
}

/// What a disruption budget says; `None` when it does not hold now, or when nothing is stopped.
fn disruption(input: &GateInput<'_>, budget: &DisruptionBudget) -> Option<Reading> {
    let GateInput { figures, history, now, .. } = *input;
    let until = match &budget.during {
        Some(window) => Some(window.open_until(now)?),
        None => None,
    };
    if figures.instances_stopped == 0 {
        return None;
    }
    let within_ms = budget.within_s.saturating_mul(1000);
    let recent = || history.changes.iter().filter(|c| now.ms_since(c.begun) < within_ms && c.stops > 0);
    let total = figures.instances_stopped + recent().map(|c| c.stops).sum::<u64>();
    let limit = budget.limit.of_rounded_up(figures.instances_running);
    let passed = total <= limit;
    // Enough must be forgotten for this change to fit, or the window must end.
    let mut left = total;
    let forgotten = recent().find_map(|c| {
        left = left.saturating_sub(c.stops);
        (left <= limit).then(|| c.begun.plus_ms(within_ms))
    });
    Some(Reading {
        gate: GateName::Budget,
        passed,
        measured: total as f64,
        required: limit as f64,
        unit: "stopped instances".to_owned(),
        passes_at: forgotten.into_iter().chain(until).min().filter(|_| !passed),
    })
}
