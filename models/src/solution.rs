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

/// A verified placement with its value and proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The placement.
    pub placement: Placement,
    /// The exact value of the objective formula.
    pub utility: f64,
    /// No admissible placement has a better value than this.
    pub bound: f64,
    /// `|bound - utility| / max(|utility|, 1e-9)`, 0 when proven optimal.
    pub gap: f64,
    /// What is paid for all nodes per hour, after commitments.
    pub cost: Price,
}
