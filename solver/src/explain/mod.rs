//! Why the answer is what it is: what the objective is made of, which rules bind and what relaxing them gains, which
//! offers came close, why another placement was not chosen, and which rules exclude each other when there is no answer.
//!
//! Everything said here is found by solving again or by evaluating a changed placement with the exact evaluator, never
//! read off the integer program: duals of an integer program are no prices. Each question has its file; this one holds
//! the answer to all of them for a solution, and the offers that came next.

mod alternatives;
mod binding;
mod clock;
mod conflict;
mod limit;
mod rule;
mod terms;
mod why_not;

use cardinal_models::application::{Application, Direction};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::tolerance;

use crate::solve::Settings;

pub use alternatives::{Alternative, Alternatives, Decisive, Loss, Rest};
pub use binding::{Binding, Step};
pub use clock::{Clock, Found};
pub use conflict::{Change, Conflict, Nearest, Remedy, Undefined, Unsatisfied, explain_infeasible};
pub use limit::{End, Limit, Measured, Which, excess, limits, relaxed};
pub use rule::{Resource, UserRule, place, without};
pub use terms::{Input, Of, Term, terms};
pub use why_not::{Answer as WhyNotAnswer, Wish, forced, read as read_wishes, why_not};

/// Why a solution is what it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanation {
    /// The rules that bind.
    pub binding: Vec<Binding>,
    /// False when not every rule was tried, because solving took too long.
    pub binding_complete: bool,
    /// The offers that came next.
    pub alternatives: Vec<Alternatives>,
}

/// How much is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Beside every answer: the rules about the deployment as a whole, and few alternatives.
    Brief,
    /// Because it was asked for: every rule, requirements and cardinalities too, and more alternatives.
    Full,
}

/// For so many groups of nodes alternatives are sought.
const EXPLAINED_GROUPS: usize = 24;

fn better(application: &Application, a: f64, b: f64) -> bool {
    match application.objective.direction {
        Direction::Maximize => tolerance::less(b, a),
        Direction::Minimize => tolerance::less(a, b),
    }
}

/// Explains a solution within the time limit of the settings, and until they are cancelled.
pub fn explain(snapshot: &Snapshot, solution: &Solution, depth: Depth, settings: &Settings) -> Explanation {
    let clock = Clock::start(settings);
    let mut explanation = Explanation::default();
    let evaluator = Evaluator::new(snapshot);
    for (index, _) in solution.placement.groups.iter().enumerate().take(EXPLAINED_GROUPS) {
        if clock.is_over() {
            break;
        }
        let found = alternatives::alternatives(snapshot, &evaluator, solution, index, depth, &clock);
        if !found.is_empty() {
            explanation.alternatives.push(Alternatives { group: index, offers: found });
        }
    }
    (explanation.binding, explanation.binding_complete) = binding::binding(snapshot, solution, depth, &clock);
    explanation
}
