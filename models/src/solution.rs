//! What the solver answers.

use crate::placement::Placement;
use crate::quantity::Price;

/// How far an answer is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The placement is the best within the asked gap.
    Optimal,
    /// The placement is admissible; the gap tells how much better the best may be.
    Feasible,
    /// No admissible placement exists.
    Infeasible,
    /// Stopped before an admissible placement was found or excluded.
    Unknown,
}

impl Status {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Optimal => "optimal",
            Status::Feasible => "feasible",
            Status::Infeasible => "infeasible",
            Status::Unknown => "unknown",
        }
    }
}

/// How far an objective is reached and proven.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reached {
    /// The exact value on the placement.
    pub value: f64,
    /// The best value that was found for it, among the placements that keep to the limits of the objectives before it.
    /// Objectives after it may have taken the value away from here, up to `limit`.
    pub best: f64,
    /// No such placement has a better value than this; infinite where nothing is proven.
    pub bound: f64,
    /// `|bound - best| / max(|best|, 1e-9)`, 0 when proven optimal.
    pub gap: f64,
    /// The worst value that its tolerance allows.
    pub limit: f64,
}

/// A verified placement with its value and proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The placement.
    pub placement: Placement,
    /// The exact value of the first objective, after what soft constraints cost.
    pub utility: f64,
    /// No admissible placement has a better value than this.
    pub bound: f64,
    /// How far the proof is open: `|bound - utility| / max(|utility|, 1e-9)`, 0 when proven optimal. With several
    /// objectives the largest gap of any of them; what a tolerance allows is none.
    pub gap: f64,
    /// Every objective in its order, at least one.
    pub objectives: Vec<Reached>,
    /// What is paid for all nodes per hour, after commitments.
    pub cost: Price,
}
