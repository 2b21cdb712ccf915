//! Several objectives in the order of their importance: one solve after the other, each among the placements that keep to
//! what the objectives before it have reached, less their tolerance.
//!
//! Every stage is a model of its own with one objective, and its solution is proven and checked as any other: the proof of
//! the whole is that of its stages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_models::application::{Application, Constraint, ConstraintKind, Direction, Objective};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Reached, Solution, Status};
use cardinal_models::span::Span;
use cardinal_models::verify::{Rule, Violation, verify};
use cardinal_models::worth::worth;

use crate::solve::{Outcome, Report, Settings, SolveError, Timing, solve_first};

/// The largest size of a limit: everything keeps to it.
const LIMIT_MAX: f64 = 1e300;

/// Solves a snapshot with several objectives.
pub(crate) fn solve(
    snapshot: &Snapshot,
    settings: &Settings,
    deadline: Option<Instant>,
) -> Result<Outcome, SolveError> {
    let application = &snapshot.application;
    let all: Vec<&Objective> = application.objectives().collect();
    let mut held: Vec<Constraint> = Vec::new();
    let mut reached: Vec<Reached> = Vec::new();
    let mut found: Option<Outcome> = None;
    for (number, objective) in all.iter().enumerate() {
        let stage = stage(snapshot, objective, number == 0, &held, &all[number + 1..]);
        let outcome = match solve_first(&stage, settings, deadline) {
            Ok(outcome) => outcome,
            // A placement is at hand; that the engine fails to improve it is no reason to give it up.
            Err(SolveError::Engine(_) | SolveError::Rejected(_)) if found.is_some() => break,
            Err(error) => return Err(blamed(error, application, number)),
        };
        let Some(solution) = &outcome.solution else {
            // What satisfied the stage before satisfies this one too: nothing at all means that time is up, or that the
            // limits of the stages before are finer than the engine's tolerances.
            if let Some(found) = &mut found {
                found.report = joined(found.report.clone(), outcome.report);
                break;
            }
            if outcome.status == Status::Infeasible {
                blame_the_values(snapshot, settings, deadline)?;
            }
            return Ok(outcome);
        };
        let first = solution.objectives.first();
        let (best, bound, gap) = (solution.utility, solution.bound, first.map_or(solution.gap, |first| first.gap));
        let given_up = objective.tolerance.amount(best);
        // A tolerance may be so large that nothing is held.
        let limit = (best - objective.direction.sign() * given_up).clamp(-LIMIT_MAX, LIMIT_MAX);
        reached.push(Reached { value: best, best, bound, gap, limit });
        held.push(hold(objective, limit));
        let is_proven = outcome.status == Status::Optimal;
        let report = match found.take() {
            Some(before) => joined(before.report, outcome.report.clone()),
            None => outcome.report.clone(),
        };
        found = Some(Outcome { report, ..outcome });
        if !is_proven {
            break;
        }
    }
    match found {
        Some(outcome) => conclude(snapshot, outcome, reached),
        None => Ok(Outcome { status: Status::Unknown, solution: None, report: Report::default() }),
    }
}

/// The snapshot with one of its objectives. Those before are held at their limits, and those after have a value.
fn stage(
    snapshot: &Snapshot,
    objective: &Objective,
    is_first: bool,
    held: &[Constraint],
    after: &[&Objective],
) -> Snapshot {
    let mut application = Application::clone(&snapshot.application);
    application.objective = objective.clone();
    application.later.clear();
    if !is_first {
        // They were paid by the first objective, which is held.
        application.soft.clear();
    }
    application.constraints.extend(held.iter().cloned());
    application.constraints.extend(after.iter().map(|objective| has_value(objective)));
    Snapshot { application: Arc::new(application), ..snapshot.clone() }
}

fn constraint(objective: &Objective, op: BinaryOp, a: Expr, b: Expr) -> Constraint {
    let kind = ExprKind::Binary(op, Box::new(a), Box::new(b));
    Constraint {
        name: objective.label().into(),
        kind: ConstraintKind::Constraint,
        formula: Expr { kind, ty: Type::Bool, span: objective.stated.span },
        text: objective.text.clone(),
        span: objective.span,
    }
}

/// An objective keeps to its limit.
pub(crate) fn hold(objective: &Objective, limit: f64) -> Constraint {
    let op = match objective.direction {
        Direction::Maximize => BinaryOp::GreaterEqual,
        Direction::Minimize => BinaryOp::LessEqual,
    };
    let bare = |kind| Expr { kind, ty: Type::Number(None), span: Span::NONE };
    // Comparisons are within 1e-9 of at least 1: a small value is compared in units in which it is larger.
    let size = limit.abs();
    let (value, limit) = if size > 1e-300 && size < 1.0 {
        let unit = 10f64.powi(-(size.log10().floor() as i32));
        let times =
            ExprKind::Binary(BinaryOp::Multiply, Box::new(Expr::number(unit)), Box::new(objective.formula.clone()));
        (bare(times), limit * unit)
    } else {
        (objective.formula.clone(), limit)
    };
    constraint(objective, op, value, Expr::number(limit))
}

/// An objective has a value: on a placement without one it is inadmissible.
fn has_value(objective: &Objective) -> Constraint {
    constraint(objective, BinaryOp::Equal, objective.formula.clone(), objective.formula.clone())
}

/// Tells a model that has no placement from one on whose placements an objective has no value.
fn blame_the_values(snapshot: &Snapshot, settings: &Settings, deadline: Option<Instant>) -> Result<(), SolveError> {
    let objective = Objective::total_cost();
    let plain = stage(snapshot, &objective, false, &[], &[]);
    let any = Settings { gap: 1e6, ..settings.clone() };
    let Ok(Outcome { solution: Some(solution), .. }) = solve_first(&plain, &any, deadline) else { return Ok(()) };
    match worth(&snapshot.application, &Evaluator::new(snapshot), &solution.placement) {
        Err(error) => Err(SolveError::Undefined(error)),
        Ok(_) => Ok(()),
    }
}

/// The error in terms of the model: constraints of a stage that are none of the user's stand for objectives.
fn blamed(error: SolveError, application: &Application, number: usize) -> SolveError {
    match error {
        SolveError::Unsupported { constraint: Some(index), error, .. } if index >= application.constraints.len() => {
            let beyond = index - application.constraints.len();
            // First those that are held, then those that come after.
            let objective = if beyond < number { beyond } else { beyond + 1 };
            SolveError::Unsupported { constraint: None, objective, error }
        }
        SolveError::Unsupported { constraint: None, error, .. } => {
            SolveError::Unsupported { constraint: None, objective: number, error }
        }
        other => other,
    }
}

/// The reports of two stages as one.
fn joined(before: Report, after: Report) -> Report {
    let sum = |a: Duration, b: Duration| a + b;
    let (a, b) = (before.timing, after.timing);
    let mut effort = before.effort;
    effort.merge(&after.effort);
    // Among equals of a stage the next one decides.
    effort.ties_open = after.effort.ties_open;
    Report {
        timing: Timing {
            reduce: sum(a.reduce, b.reduce),
            formulate: sum(a.formulate, b.formulate),
            solve: sum(a.solve, b.solve),
            verify: sum(a.verify, b.verify),
        },
        patterns: before.patterns.max(after.patterns),
        clusters: before.clusters.max(after.clusters),
        effort,
        second_attempt: before.second_attempt || after.second_attempt,
        kept_current: after.kept_current,
        generation: after.generation.or(before.generation),
        ..before
    }
}

/// The last placement that was found, with every objective as it is there, checked against the model itself.
fn conclude(snapshot: &Snapshot, outcome: Outcome, mut reached: Vec<Reached>) -> Result<Outcome, SolveError> {
    let application = &snapshot.application;
    let Outcome { status, solution: Some(solution), report } = outcome else { return Ok(outcome) };
    let violations = verify(snapshot, &solution.placement);
    if !violations.is_empty() {
        return Err(SolveError::Rejected(violations));
    }
    let evaluator = Evaluator::new(snapshot);
    let values = worth(application, &evaluator, &solution.placement).map_err(SolveError::Undefined)?.objectives;
    let is_proven = status == Status::Optimal && reached.len() == values.len();
    for (i, (objective, value)) in application.objectives().zip(&values).enumerate() {
        let sign = objective.direction.sign();
        match reached.get_mut(i) {
            Some(one) => {
                one.value = *value;
                // Within the tolerance of comparisons a later stage may even gain.
                if sign * one.bound < sign * value {
                    one.bound = *value;
                }
                let given = 1e-8 * one.limit.abs().max(value.abs()).max(1e-3);
                if sign * value < sign * one.limit - given {
                    let message = format!("`{}` is {value}, and was held at {}", objective.label(), one.limit);
                    let name = application.name.clone();
                    return Err(SolveError::Rejected(vec![Violation { rule: Rule::Objective, name, message }]));
                }
            }
            None => {
                let bound = sign * f64::INFINITY;
                reached.push(Reached { value: *value, best: *value, bound, gap: f64::INFINITY, limit: *value });
            }
        }
    }
    let gap = reached.iter().map(|one| one.gap).fold(0.0, f64::max);
    let (utility, bound) = reached.first().map_or((f64::NAN, f64::NAN), |first| (first.value, first.bound));
    let status = if is_proven { Status::Optimal } else { Status::Feasible };
    let solution = Solution { utility, bound, gap, objectives: reached, ..solution };
    Ok(Outcome { status, solution: Some(solution), report })
}
