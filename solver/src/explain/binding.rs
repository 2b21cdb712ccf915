//! Which rules keep a better placement away, and what is gained by relaxing each.
//!
//! Numbers of instances jump, so that a small relaxation mostly gains nothing. What is said is the next break point: the
//! smallest relaxation of a limit with which the answer becomes better, and how much better. It is found by solving
//! with the limit moved, never read off the duals of an integer program, which are no prices.

use cardinal_models::evaluate::Evaluator;
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::tolerance;

use super::clock::{Clock, Found};
use super::limit::{Limit, excess, limits, relaxed};
use super::rule::{UserRule, without};
use super::{Depth, Gained, gained, is_equal};

/// A rule without which a better placement would be possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The rule.
    pub rule: UserRule,
    /// Which objective is better without it; `None` when only the cost is.
    pub gained: Option<Gained>,
    /// The utility without it.
    pub utility_without: f64,
    /// The cost per hour without it.
    pub cost_without: Price,
    /// What relaxing its numbers gains; empty when it has none, or when there was no time.
    pub steps: Vec<Step>,
}

/// The next break point of a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The limit.
    pub limit: Limit,
    /// It must be relaxed by so much.
    pub by: f64,
    /// The utility then.
    pub utility: f64,
    /// The cost per hour then.
    pub cost: Price,
    /// Which objective gains, from what to what; `None` when only the cost falls.
    pub gained: Option<Gained>,
    /// What that objective gains, above zero, or zero when only the cost falls.
    pub gain: f64,
    /// The gain divided by the amount.
    pub gain_per_unit: f64,
    /// True when it is proven that no smaller relaxation gains anything.
    pub is_first: bool,
}

/// How often the model is solved to find one break point.
const TRIES_MAX: usize = 40;
/// How often an amount is made four times as large to find one that is enough.
const GROWTHS_MAX: i32 = 9;

/// A relaxation and the best placement with it.
pub(super) struct Relaxation {
    pub by: f64,
    pub solution: Solution,
    /// True when it is proven that no smaller one is enough.
    pub is_least: bool,
}

/// The smallest relaxation of a limit with which the answer is good enough. `None` when none is, or there is no time.
pub(super) fn least_relaxation(
    snapshot: &Snapshot,
    limit: &Limit,
    clock: &Clock,
    is_enough: &dyn Fn(&Solution) -> bool,
) -> Option<Relaxation> {
    let evaluator = Evaluator::new(snapshot);
    // Without the limit the best placement needs it relaxed by so much, which is certainly enough.
    let Found::Best(free) = clock.solve(&relaxed(snapshot, limit, f64::INFINITY)) else { return None };
    if !is_enough(&free) {
        return None;
    }
    let needs = |solution: &Solution| {
        let by = excess(snapshot, &evaluator, limit, &solution.placement)?;
        let by = if limit.whole { by.round() } else { by };
        (by.is_finite() && by > 0.0).then_some(by)
    };
    let (mut high, solution) = match needs(&free) {
        Some(by) => (by, free),
        // Beyond some point the limit's formula has no value: the amount is found from below.
        None => (0..GROWTHS_MAX).find_map(|k| {
            let by = limit.value.unwrap_or(1.0).abs().max(1e-3) * 4f64.powi(k - 2);
            match clock.solve(&relaxed(snapshot, limit, by)) {
                Found::Best(solution) if is_enough(&solution) => Some((needs(&solution)?, solution)),
                _ => None,
            }
        })?,
    };
    let mut best = Relaxation { by: high, solution, is_least: false };
    let mut low = 0.0;
    // Comparisons hold within a relative tolerance; a relaxation is clearly smaller only beyond it.
    let scale = limit.value.unwrap_or(0.0).abs().max(high).max(1.0);
    let clearly = if limit.whole { 1.0 } else { 100.0 * tolerance::TOLERANCE * scale };
    for attempt in 0..TRIES_MAX {
        let below = high - clearly;
        if below <= low || below <= 0.0 {
            // A relaxation within the tolerance is none.
            best.is_least = low > 0.0 || limit.whole || below <= 0.0;
            break;
        }
        // In turn just below what is known to be enough, which often proves it to be the least, and in the middle.
        let middle = if limit.whole { ((low + high) / 2.0).floor().max(1.0) } else { (low + high) / 2.0 };
        let by = if attempt % 2 == 0 { below } else { middle.min(below) };
        match clock.solve(&relaxed(snapshot, limit, by)) {
            Found::Best(solution) if is_enough(&solution) => {
                high = needs(&solution).unwrap_or(by).min(by);
                best = Relaxation { by: high, solution, is_least: false };
            }
            Found::Best(_) | Found::Nothing | Found::Undefined => {
                low = by;
                if by >= below {
                    best.is_least = true;
                    break;
                }
            }
            Found::Unknown => break,
        }
    }
    Some(best)
}

/// The rules of a model that bind at a solution, in their order; `false` when not all of them were tried.
pub(super) fn binding(snapshot: &Snapshot, solution: &Solution, depth: Depth, clock: &Clock) -> (Vec<Binding>, bool) {
    let application = &snapshot.application;
    let evaluator = Evaluator::new(snapshot);
    let rules = match depth {
        Depth::Brief => UserRule::of_the_whole(application),
        Depth::Full => UserRule::all(application),
    };
    let gains = |other: &Solution| gained(application, solution, other);
    let saves = |other: &Solution| is_equal(other, solution) && other.cost < solution.cost;
    let improves = |other: &Solution| gains(other).is_some() || saves(other);
    let (mut found, mut is_complete) = (Vec::new(), true);
    for rule in rules {
        if clock.is_over() {
            is_complete = false;
            break;
        }
        let free = match clock.solve(&without(snapshot, &[rule])) {
            Found::Best(free) => free,
            Found::Nothing | Found::Undefined => continue,
            Found::Unknown => {
                is_complete = false;
                continue;
            }
        };
        if !improves(&free) {
            continue;
        }
        let mut binding = Binding {
            rule,
            gained: gains(&free),
            utility_without: free.utility,
            cost_without: free.cost,
            steps: Vec::new(),
        };
        for limit in limits(snapshot, &evaluator, rule) {
            let Some(step) = least_relaxation(snapshot, &limit, clock, &improves) else { continue };
            let gained = gains(&step.solution);
            let gain = gained.map_or(0.0, |gained| (gained.to - gained.from).abs());
            binding.steps.push(Step {
                limit,
                by: step.by,
                utility: step.solution.utility,
                cost: step.solution.cost,
                gained,
                gain,
                gain_per_unit: gain / step.by,
                is_first: step.is_least,
            });
        }
        found.push(binding);
    }
    (found, is_complete)
}
