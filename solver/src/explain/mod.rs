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
mod division;
mod limit;
mod rule;
mod terms;
mod why_not;

use cardinal_models::application::Application;
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
pub use terms::{Input, Of, Term, terms, terms_of};
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

/// What ranks one solution above another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gained {
    /// The objective, as an index in their order: all before it reach the same.
    pub objective: usize,
    /// The best value of it that the other one reaches.
    pub from: f64,
    /// The best value of it that this one reaches.
    pub to: f64,
}

/// What a solution has before another one: the first objective whose best values differ, if it is better here. Both are
/// proven best, of the same objectives under more or fewer rules.
pub fn gained(application: &Application, before: &Solution, then: &Solution) -> Option<Gained> {
    let (objective, from, to) = first_difference(before, then)?;
    let sign = application.objectives().nth(objective)?.direction.sign();
    (sign * to > sign * from).then_some(Gained { objective, from, to })
}

/// The first objective whose best values differ, with the two values.
pub(crate) fn first_difference(a: &Solution, b: &Solution) -> Option<(usize, f64, f64)> {
    let pairs = a.objectives.iter().zip(&b.objectives).map(|(a, b)| (a.best, b.best));
    pairs.enumerate().find(|(_, (a, b))| !tolerance::equal(*a, *b)).map(|(i, (a, b))| (i, a, b))
}

/// True when no objective tells the two apart.
pub fn is_equal(a: &Solution, b: &Solution) -> bool {
    first_difference(a, b).is_none()
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
