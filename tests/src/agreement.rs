//! What the solver's answer must have in common with the oracle's.

use cardinal_models::application::Direction;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_models::verify::verify;
use cardinal_models::worth::worth;
use cardinal_solver::formulation::FormulateError;
use cardinal_solver::{Outcome, SolveError};

use crate::oracle::{Best, Key, Verdict, key};
use crate::world::shown;

/// Why a model was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Nonlinear with too many combinations of values.
    Nonlinear,
    /// Nonlinear in the cost or number of shared nodes.
    NonlinearPool,
    /// Something else.
    Other,
}

/// The same number within a relative 1e-7, and 1e-9 around 0.
pub fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-7 * a.abs().max(b.abs()) + 1e-9
}

/// Compares an answer with the oracle's. `Ok(Some(...))` when the model was refused.
///
/// # Errors
///
/// What is wrong with the answer.
pub fn compare(
    snapshot: &Snapshot,
    answer: &Result<Outcome, SolveError>,
    verdict: &Verdict,
) -> Result<Option<Refusal>, String> {
    let outcome = match answer {
        Ok(outcome) => outcome,
        Err(SolveError::Unsupported { error, .. }) => {
            return Ok(Some(match error {
                FormulateError::Nonlinear { .. } => Refusal::Nonlinear,
                FormulateError::NonlinearPool => Refusal::NonlinearPool,
                _ => Refusal::Other,
            }));
        }
        Err(SolveError::Undefined(error)) => {
            return match verdict {
                Verdict::Undefined(_) => Ok(None),
                other => Err(format!("the solver says undefined ({error}), the oracle {}", said(snapshot, other))),
            };
        }
        Err(SolveError::Missing(errors)) => {
            return match verdict {
                Verdict::Undefined(_) | Verdict::Infeasible => Ok(None),
                other => Err(format!("the solver misses {errors:?}, the oracle {}", said(snapshot, other))),
            };
        }
        Err(other) => return Err(format!("the solver fails: {other:?}; the oracle {}", said(snapshot, verdict))),
    };
    match (outcome.status, &outcome.solution, verdict) {
        (Status::Infeasible, None, Verdict::Infeasible) => Ok(None),
        (Status::Optimal, Some(solution), Verdict::Best(best)) => {
            is_sound(snapshot, solution)?;
            is_best(snapshot, outcome, solution, best).map(|()| None)
        }
        (status, solution, verdict) => {
            let placement = solution.as_ref().map_or(String::new(), |s| shown(snapshot, &s.placement));
            Err(format!("the solver says {} {placement}, the oracle {}", status.as_str(), said(snapshot, verdict)))
        }
    }
}

fn said(snapshot: &Snapshot, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Infeasible => "infeasible".to_owned(),
        Verdict::Undefined(error) => format!("undefined ({error})"),
        Verdict::Best(best) => format!("{} with {}", best.utility, shown(snapshot, &best.placement)),
    }
}

/// A solution is admissible, and its figures are those of its placement.
///
/// # Errors
///
/// What is wrong with the solution.
pub fn is_sound(snapshot: &Snapshot, solution: &Solution) -> Result<(), String> {
    let violations = verify(snapshot, &solution.placement);
    if let Some(violation) = violations.first() {
        return Err(format!("the solution breaks {violation}"));
    }
    let objective = &snapshot.application.objective;
    let utility = Evaluator::new(snapshot).number(&objective.formula, &solution.placement);
    if utility.as_ref() != Ok(&solution.utility) {
        return Err(format!("the utility is {utility:?} and not {}", solution.utility));
    }
    if solution.cost != snapshot.paid(&solution.placement) {
        return Err(format!("the cost is not {}", solution.cost));
    }
    match worth(&snapshot.application, &Evaluator::new(snapshot), &solution.placement) {
        Ok(worth) if same(worth.objectives[0], solution.utility) => {
            let values: Vec<f64> = solution.objectives.iter().map(|one| one.value).collect();
            if !values.iter().zip(&worth.objectives).all(|(a, b)| same(*a, *b)) {
                return Err(format!("the objectives are {:?} and not {values:?}", worth.objectives));
            }
        }
        other => return Err(format!("the placement is worth {other:?} and not {}", solution.utility)),
    }
    let sign = sign(objective.direction);
    if sign * solution.bound < sign * solution.utility {
        return Err(format!("the bound {} is worse than the utility {}", solution.bound, solution.utility));
    }
    Ok(())
}

fn sign(direction: Direction) -> f64 {
    match direction {
        Direction::Maximize => 1.0,
        Direction::Minimize => -1.0,
    }
}

fn is_best(snapshot: &Snapshot, outcome: &Outcome, solution: &Solution, best: &Best) -> Result<(), String> {
    let application = &snapshot.application;
    if solution.objectives.len() != best.objectives.len() {
        return Err(format!("there are {} objectives", best.objectives.len()));
    }
    let found = || format!("{:?} with {}", solution.objectives, shown(snapshot, &solution.placement));
    let expected = || format!("{:?} with {}", best.objectives, shown(snapshot, &best.placement));
    let stages = solution.objectives.iter().zip(&best.objectives).zip(&best.blurred).zip(application.objectives());
    for (((reached, exact), blurred), objective) in stages {
        if !same(*exact, *blurred) {
            // What the solver's tolerances let in before decides here: nothing more is certain.
            return Ok(());
        }
        if !same(reached.best, *exact) {
            return Err(format!("the solver finds {}, the oracle {}", found(), expected()));
        }
        if reached.gap > 1e-6 || !same(reached.bound, *exact) {
            return Err(format!("optimal with bound {} and gap {}: {}", reached.bound, reached.gap, found()));
        }
        let sign = sign(objective.direction);
        let limit = exact - sign * objective.tolerance.amount(*exact);
        let keeps = sign * reached.value >= sign * limit || same(reached.value, limit);
        if !keeps || !same(reached.limit, limit) {
            return Err(format!("the limit is {limit}: {}", found()));
        }
    }
    let key = key(snapshot, &solution.placement);
    if !outcome.report.effort.ties_open && !between(&best.loose, &key, &best.strict) {
        return Err(format!(
            "equal in utility: the solver has {key:?} with {}, the oracle {:?} to {:?}",
            found(),
            best.loose,
            best.strict
        ));
    }
    Ok(())
}

fn between(low: &Key, key: &Key, high: &Key) -> bool {
    low <= key && key <= high
}
