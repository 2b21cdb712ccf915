//! The Pareto front of two objectives as plain data.

use serde::Serialize;

use crate::what_if::ChoiceAnswer;

/// A front.
#[derive(Debug, Serialize)]
pub struct FrontAnswer {
    /// The name of the application.
    pub application: String,
    /// The code of the money; null for an abstract unit.
    pub currency: Option<String>,
    /// The two objectives.
    pub objectives: [GoalAnswer; 2],
    /// The points, from the best of the first objective to the best of the second; each is proven: no placement is better
    /// in one objective without being worse in the other.
    pub points: Vec<PointAnswer>,
    /// True when no further point lies between these at the resolution.
    pub complete: bool,
    /// True when it was stopped before it had as many points as were asked for.
    pub stopped: bool,
    /// The least distance of two points in the second objective, as a share of its range.
    pub resolution: f64,
    /// How many solves there were.
    pub solves: usize,
    /// How many threads solved.
    pub jobs: usize,
    /// How long it took.
    pub seconds: f64,
}

/// One of the objectives.
#[derive(Clone, Debug, Serialize)]
pub struct GoalAnswer {
    /// `maximize` or `minimize`.
    pub direction: &'static str,
    /// The formula as it was written.
    pub formula: String,
    /// The unit of its value; null for a bare number.
    pub unit: Option<String>,
}

/// A point.
#[derive(Debug, Serialize)]
pub struct PointAnswer {
    /// The values of the two objectives.
    pub values: [f64; 2],
    /// The placement.
    #[serde(flatten)]
    pub choice: ChoiceAnswer,
}
