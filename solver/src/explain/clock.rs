//! The time that an explanation may take, and solving within it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};

use crate::solve::{Settings, SolveError, solve};

/// What is left of the time, shared by all the solves of one explanation.
#[derive(Clone, Debug)]
pub struct Clock {
    settings: Settings,
    deadline: Option<Instant>,
}

/// What solving a changed model gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The best placement.
    Best(Solution),
    /// No placement is admissible.
    Nothing,
    /// Placements are admissible, and the objective has a value on none of them.
    Undefined,
    /// Not known: out of time, stopped, or of a kind that cannot be solved.
    Unknown,
}

impl Clock {
    /// Starts to run: explaining stops after the settings' time limit, or when they are cancelled.
    pub fn start(settings: &Settings) -> Self {
        let deadline = settings.time_limit.map(|limit| Instant::now() + limit);
        Clock { settings: Settings { gap: 0.0, ..settings.clone() }, deadline }
    }

    /// True when no more may be asked.
    pub fn is_over(&self) -> bool {
        let is_cancelled = self.settings.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::SeqCst));
        is_cancelled || self.left().is_some_and(|left| left.is_zero())
    }

    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// A clock that runs out earlier, after this share of the time that is left.
    pub fn share(&self, share: f64) -> Clock {
        let deadline = self.left().map(|left| Instant::now() + left.mul_f64(share.clamp(0.0, 1.0)));
        Clock { settings: self.settings.clone(), deadline }
    }

    /// Solves to the proven optimum.
    pub fn solve(&self, snapshot: &Snapshot) -> Found {
        self.solve_to(snapshot, 0.0)
    }

    /// Solves until the gap is at most this.
    pub fn solve_to(&self, snapshot: &Snapshot, gap: f64) -> Found {
        if self.is_over() {
            return Found::Unknown;
        }
        let settings = Settings { time_limit: self.left(), gap, ..self.settings.clone() };
        match solve(snapshot, &settings) {
            Ok(outcome) => match (outcome.status, outcome.solution) {
                (Status::Optimal, Some(solution)) => Found::Best(solution),
                (Status::Infeasible, _) => Found::Nothing,
                _ => Found::Unknown,
            },
            Err(SolveError::Undefined(_)) => Found::Undefined,
            Err(_) => Found::Unknown,
        }
    }
}
