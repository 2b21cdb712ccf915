//! Choices whose objective and constraints are nonlinear over several groups, to the proven optimum.
//!
//! A [`Problem`] is a set of groups, of each of which exactly one choice is taken, with expressions over tables of what
//! the choices are worth. [`solve`] is a best-first branch and bound over the groups' open choices. At each node it
//! propagates intervals through the expressions and back to the choices ([`propagate`], [`contract`]), drops choices
//! that another open one beats ([`dominance`]), bounds the objective by a sum of tables ([`lagrange`], [`estimate`]), and
//! drops choices that the bound rules out. It knows nothing of applications.
//!
//! The search is deterministic: it starts from fixed seeds, takes nodes in a total order, and reads the clock only to
//! stop.

pub(crate) mod contract;
mod dominance;
pub(crate) mod estimate;
pub(crate) mod graph;
mod incumbent;
pub(crate) mod instance;
pub(crate) mod interval;
mod lagrange;
mod problem;
mod propagate;
mod search;
#[cfg(test)]
mod tests;

pub use problem::{Expression, Problem};
pub use search::solve;

use crate::engine::{Limits, RunStatus};

/// How to search.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// When to stop; of the gaps only the relative one is looked at.
    pub limits: &'a Limits,
    /// A choice of each group to start from.
    pub start: Option<Vec<u32>>,
    /// At most so many nodes for the objective.
    pub nodes: Option<u64>,
    /// At most so many nodes for each order among equals.
    pub tie_nodes: u64,
}

/// What became of a problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub status: RunStatus,
    /// The best choice of each group that was found.
    pub choices: Option<Vec<u32>>,
    /// Its objective; negative infinity when there is none.
    pub value: f64,
    /// No admissible choice has a larger objective.
    pub bound: f64,
    /// Nodes of the search tree.
    pub nodes: u64,
    /// True when the order among choices of equal objective was not searched to the end.
    pub ties_open: bool,
}

impl Outcome {
    fn infeasible() -> Self {
        Outcome {
            status: RunStatus::Infeasible,
            choices: None,
            value: f64::NEG_INFINITY,
            bound: f64::NEG_INFINITY,
            nodes: 0,
            ties_open: false,
        }
    }
}
