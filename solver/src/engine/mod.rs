//! The integer programming engine behind a small safe interface.
//!
//! Nothing above this module knows which engine runs, and nothing trusts it: every answer is checked for integrality
//! here and re-evaluated by `cardinal_models::verify` before anyone sees it.

pub mod canary;
mod highs;
pub mod linear;
mod open;

pub use open::run_open;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A mixed integer linear program: minimise `cost x` subject to `row_lower <= A x <= row_upper`, `lower <= x <= upper`.
#[derive(Clone, Debug, Default)]
pub struct Milp {
    /// Objective coefficient of each column.
    pub cost: Vec<f64>,
    /// Lower bound of each column.
    pub lower: Vec<f64>,
    /// Upper bound of each column.
    pub upper: Vec<f64>,
    /// True for each column that must be an integer.
    pub integer: Vec<bool>,
    /// Lower bound of each row.
    pub row_lower: Vec<f64>,
    /// Upper bound of each row.
    pub row_upper: Vec<f64>,
    /// Where the entries of each row begin.
    pub row_start: Vec<i32>,
    /// The column of each entry.
    pub index: Vec<i32>,
    /// The coefficient of each entry.
    pub value: Vec<f64>,
}

impl Milp {
    /// Adds a column without cost and gives its number.
    pub fn add_column(&mut self, lower: f64, upper: f64, integer: bool) -> usize {
        self.cost.push(0.0);
        self.lower.push(lower);
        self.upper.push(upper);
        self.integer.push(integer);
        self.cost.len() - 1
    }

    /// Adds a row; entries with coefficient 0 are left out, entries of one column must not repeat.
    pub fn add_row(&mut self, lower: f64, upper: f64, entries: impl IntoIterator<Item = (usize, f64)>) {
        self.row_start.push(self.index.len() as i32);
        for (column, coefficient) in entries {
            if coefficient != 0.0 {
                self.index.push(column as i32);
                self.value.push(coefficient);
            }
        }
        self.row_lower.push(lower);
        self.row_upper.push(upper);
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.cost.len()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.row_lower.len()
    }

    /// The program with bounds of integers that are integers, as the engine wants them: HiGHS 1.15 calls programs whose
    /// integers have other bounds infeasible that are not. `None` when an integer has no value left.
    fn whole(&self) -> Option<Cow<'_, Milp>> {
        let bounds = |j: usize| {
            let (lower, upper) = ((self.lower[j] - NEARLY).ceil(), (self.upper[j] + NEARLY).floor());
            (self.integer[j] && (lower, upper) != (self.lower[j], self.upper[j])).then_some((j, lower, upper))
        };
        let changes: Vec<(usize, f64, f64)> = (0..self.columns()).filter_map(bounds).collect();
        if changes.is_empty() {
            return Some(Cow::Borrowed(self));
        }
        let mut whole = self.clone();
        for (j, lower, upper) in changes {
            if lower > upper {
                return None;
            }
            (whole.lower[j], whole.upper[j]) = (lower, upper);
        }
        Some(Cow::Owned(whole))
    }

    /// The objective at a point.
    pub fn objective(&self, x: &[f64]) -> f64 {
        self.cost.iter().zip(x).map(|(c, x)| c * x).sum()
    }
}

/// Bounds this near to an integer are meant to be it.
const NEARLY: f64 = 1e-6;

/// Whether the engine may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// As it is made for.
    #[default]
    On,
    /// Every run of it fails: what remains are the methods of this crate alone.
    Off,
}

/// When to stop.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Whether the engine may be asked at all.
    pub engine: Engine,
    /// The instant after which the best answer so far is taken.
    pub deadline: Option<Instant>,
    /// Stop when this becomes true.
    pub cancel: Option<Arc<AtomicBool>>,
    /// Stop when the relative gap is at most this.
    pub relative_gap: f64,
    /// Stop when the absolute gap, in units of the objective, is at most this.
    pub absolute_gap: f64,
    /// Stop when a solution is found whose objective is at most this.
    pub target: Option<f64>,
    /// Stop after so many nodes of the search tree; a limit that, unlike time, keeps the answer reproducible.
    pub nodes: Option<u32>,
}

impl Limits {
    /// True when time is up or the caller has cancelled.
    pub fn reached(&self) -> bool {
        self.cancel.as_ref().is_some_and(|c| c.load(Ordering::Relaxed))
            || self.deadline.is_some_and(|d| Instant::now() >= d)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// The values are optimal within the gaps.
    Optimal,
    /// There is no solution.
    Infeasible,
    /// A limit was reached; there may be values.
    Limit,
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub status: RunStatus,
    /// The best solution found, integers rounded.
    pub values: Option<Vec<f64>>,
    /// A lower bound on the objective.
    pub bound: f64,
    /// Nodes of the search tree.
    pub nodes: u64,
}

/// Why a run gave nothing that can be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum EngineError {
    /// The caller does without the engine.
    #[error("the engine is switched off")]
    SwitchedOff,
    /// The engine refused the model.
    #[error("the engine refused the model ({0})")]
    Refused(&'static str),
    /// The engine ended in a state that says nothing about the model.
    #[error("the engine ended with status {0}")]
    Failed(i32),
    /// The engine calls a solution optimal and has no bound for it.
    #[error("the engine calls a solution optimal without a bound")]
    WithoutProof,
    /// The engine's solution breaks integrality, a bound or a row.
    #[error("the engine's solution breaks {what} by {by:e}")]
    WrongSolution {
        /// What is broken.
        what: &'static str,
        /// By how much.
        by: f64,
    },
}

/// How a model is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presolve {
    /// As the engine likes.
    Automatic,
    /// Without, as a second opinion.
    Off,
}

/// Runs a model from an optional starting point and checks what comes back.
pub fn run(milp: &Milp, start: Option<&[f64]>, limits: &Limits, presolve: Presolve) -> Result<Run, EngineError> {
    if limits.engine == Engine::Off {
        return Err(EngineError::SwitchedOff);
    }
    if milp.columns() == 0 {
        // HiGHS calls a model without columns empty and gives no solution, not even the empty one.
        return Ok(Run { status: RunStatus::Optimal, values: Some(Vec::new()), bound: 0.0, nodes: 0 });
    }
    let Some(whole) = milp.whole() else {
        return Ok(Run { status: RunStatus::Infeasible, values: None, bound: f64::INFINITY, nodes: 0 });
    };
    let milp = whole.as_ref();
    let mut run = highs::run(milp, start, limits, presolve)?;
    if is_unproven(&run) {
        // Seen with a start on models whose presolve ends early: the start comes back as the optimum.
        run = highs::run(milp, None, limits, Presolve::Off)?;
    }
    if run.status == RunStatus::Infeasible && presolve == Presolve::Automatic {
        // Seen on rows that hold within their last digits only: presolve cuts off the solution. Where the second run
        // finds none either, the first word stands.
        if let Ok(again) = highs::run(milp, start, limits, Presolve::Off)
            && again.values.is_some()
        {
            run = again;
        }
    }
    if is_unproven(&run) {
        return Err(EngineError::WithoutProof);
    }
    if let Some(values) = &mut run.values {
        check(milp, values)?;
        // A bound above the value of a checked solution is a wrong bound.
        let objective = milp.objective(values);
        let slack = 1e-6 * objective.abs().max(1.0);
        if run.bound > objective + slack {
            return Err(EngineError::WrongSolution { what: "its own bound", by: run.bound - objective });
        }
        run.bound = run.bound.min(objective);
    }
    Ok(run)
}

/// True for an "optimal" that nothing bounds.
fn is_unproven(run: &Run) -> bool {
    run.status == RunStatus::Optimal && !run.bound.is_finite()
}

/// Rounds the integers of a solution and checks every bound and row.
///
/// # Errors
///
/// [`EngineError::WrongSolution`] with the first thing that is broken.
pub fn check(milp: &Milp, values: &mut [f64]) -> Result<(), EngineError> {
    for (j, value) in values.iter_mut().enumerate() {
        if milp.integer[j] {
            let rounded = value.round();
            if (*value - rounded).abs() > 1e-4 {
                return Err(EngineError::WrongSolution { what: "integrality", by: (*value - rounded).abs() });
            }
            *value = rounded;
        }
        let outside = (milp.lower[j] - *value).max(*value - milp.upper[j]);
        if outside > 1e-6 {
            return Err(EngineError::WrongSolution { what: "a bound", by: outside });
        }
    }
    for i in 0..milp.rows() {
        let begin = milp.row_start[i] as usize;
        let end = milp.row_start.get(i + 1).map_or(milp.index.len(), |e| *e as usize);
        let (mut activity, mut size) = (0.0, 1.0f64);
        for k in begin..end {
            let term = milp.value[k] * values[milp.index[k] as usize];
            activity += term;
            size = size.max(term.abs());
        }
        let outside = (milp.row_lower[i] - activity).max(activity - milp.row_upper[i]);
        if outside > 1e-5 * size {
            return Err(EngineError::WrongSolution { what: "a row", by: outside });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_given_bounds_that_are_integers() {
        let mut milp = Milp::default();
        milp.add_column(0.4, 2.6, true);
        milp.add_column(0.4, 2.6, false);
        milp.add_column(-1e-9, 1.0 - 1e-9, true);
        let whole = milp.whole().map(|m| (m.lower.clone(), m.upper.clone()));
        assert_eq!(whole, Some((vec![1.0, 0.4, 0.0], vec![2.0, 2.6, 1.0])));
        milp.add_column(0.3, 0.6, true);
        assert!(milp.whole().is_none());
        let run = run(&milp, None, &Limits::default(), Presolve::Automatic).map(|r| r.status);
        assert_eq!(run, Ok(RunStatus::Infeasible));
    }
}
