//! Why there is no admissible placement: a minimal set of the user's own rules that exclude each other, and the
//! smallest changes of single rules that end the conflict.
//!
//! The minimal set is found by divide and conquer (QuickXplain, U. Junker, AAAI 2004) with the solver as its oracle.

use std::sync::Arc;

use cardinal_models::admissible::admissible;
use cardinal_models::application::{ComponentId, Objective, Requirement, Subject, Test};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::evaluate::{EvaluationError, Evaluator};
use cardinal_models::offer::AttributeValue;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::unit::Unit;

use super::binding::least_relaxation;
use super::clock::{Clock, Found};
use super::limit::{End, Limit, limits, relaxed};
use super::rule::{UserRule, without};
use crate::solve::Settings;

/// Why there is no admissible placement.
#[derive(Clone, Debug, PartialEq)]
pub enum Conflict {
    /// No offer of the catalog satisfies a component.
    NoOffer {
        /// The component.
        component: ComponentId,
        /// Requirements that no offer satisfies together, and of which each is needed for that.
        requirements: Vec<Unsatisfied>,
        /// What would end the conflict, the smallest change first.
        remedies: Vec<Remedy>,
    },
    /// These rules together cannot hold.
    Rules {
        /// The rules.
        rules: Vec<UserRule>,
        /// True when each of them is known to be needed for the conflict.
        is_minimal: bool,
        /// Those of them that lack a value where the others hold: a division by zero and the like.
        undefined: Vec<Undefined>,
        /// What would end the conflict, the smallest change first.
        remedies: Vec<Remedy>,
    },
    /// Even without any rule there is no placement.
    Inherent,
    /// Not found in the time that was left.
    Unknown,
}

/// A constraint that has no value on a placement that all other rules allow.
#[derive(Clone, Debug, PartialEq)]
pub struct Undefined {
    /// The constraint.
    pub rule: UserRule,
    /// Which part of its formula has no value there, and why.
    pub error: EvaluationError,
}

/// A requirement that excludes every offer that the others of a conflict leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsatisfied {
    /// The requirement.
    pub rule: UserRule,
    /// How many offers satisfy the others of the conflict.
    pub offers_of_others: usize,
    /// How many offers the component would have without it.
    pub offers_without: usize,
    /// Of the offers that the others leave, the value of the attribute that comes closest, in the attribute's unit.
    pub nearest: Option<Nearest>,
}

/// What comes closest to a requirement on a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Which end of the requirement it fails.
    pub end: End,
}

/// A change of the user's rules with which a placement is admissible.
#[derive(Clone, Debug, PartialEq)]
pub struct Remedy {
    /// What is changed.
    pub changes: Vec<Change>,
    /// The best placement then.
    pub solution: Solution,
}

/// The change of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The rule.
    pub rule: UserRule,
    /// The limit and by how much it is relaxed, or the rule goes.
    pub relaxed: Option<(Limit, f64)>,
    /// True when it is proven that nothing less is enough.
    pub is_least: bool,
}

/// Finds out why a snapshot has no admissible placement.
pub fn explain_infeasible(snapshot: &Snapshot, settings: &Settings) -> Conflict {
    let rules = UserRule::all(&snapshot.application);
    among(snapshot, &rules, &Clock::start(settings))
}

/// The conflict among these rules; everything else of the model stays.
pub(super) fn among(snapshot: &Snapshot, rules: &[UserRule], clock: &Clock) -> Conflict {
    let application = &snapshot.application;
    for i in 0..application.components.len() {
        let id = ComponentId(i as u32);
        if application[id].cardinality.min() > 0
            && !snapshot.application[id].is_free()
            && offers(snapshot, id).is_empty()
            && let Some(conflict) = no_offer(snapshot, rules, id, clock)
        {
            return conflict;
        }
    }
    let mut search = Search { oracle: feasibility(snapshot), all: rules, clock, is_certain: true };
    // Finding the conflict comes before finding what ends it.
    match search.is_feasible(&[]) {
        Some(true) => {}
        Some(false) => return Conflict::Inherent,
        None => return Conflict::Unknown,
    }
    let found = search.explain(&[], false, rules);
    // What was not known was taken for feasible: the conflict itself must be proven.
    if search.is_feasible(&found) != Some(false) {
        return Conflict::Unknown;
    }
    let is_minimal = search.is_certain;
    let undefined = undefined(&search.oracle, &found, clock);
    let remedies = remedies(snapshot, &found, rules, clock);
    Conflict::Rules { rules: found, is_minimal, undefined, remedies }
}

/// The snapshot with an objective that is never undefined and cheap to optimise: only its rules are of interest.
fn feasibility(snapshot: &Snapshot) -> Snapshot {
    let mut application = cardinal_models::application::Application::clone(&snapshot.application);
    application.objective = Objective::total_cost();
    application.later.clear();
    application.soft.clear();
    Snapshot { application: Arc::new(application), ..snapshot.clone() }
}

/// Any placement will do.
const ANY_GAP: f64 = 1e6;

struct Search<'a> {
    oracle: Snapshot,
    all: &'a [UserRule],
    clock: &'a Clock,
    is_certain: bool,
}

impl Search<'_> {
    /// True when these rules, of all that may go, can hold together.
    fn is_feasible(&self, kept: &[UserRule]) -> Option<bool> {
        let gone: Vec<UserRule> = self.all.iter().filter(|rule| !kept.contains(rule)).copied().collect();
        match self.clock.solve_to(&without(&self.oracle, &gone), ANY_GAP) {
            Found::Best(_) | Found::Undefined => Some(true),
            Found::Nothing => Some(false),
            Found::Unknown => None,
        }
    }

    /// The rules of `among` that are needed for a conflict with `kept`. `is_new` says that `kept` has grown since it was
    /// last found to be feasible.
    fn explain(&mut self, kept: &[UserRule], is_new: bool, among: &[UserRule]) -> Vec<UserRule> {
        if is_new {
            match self.is_feasible(kept) {
                Some(false) => return Vec::new(),
                Some(true) => {}
                None => self.is_certain = false,
            }
        }
        if among.len() <= 1 {
            return among.to_vec();
        }
        let (first, second) = among.split_at(among.len() / 2);
        let with = |kept: &[UserRule], more: &[UserRule]| [kept, more].concat();
        let later = self.explain(&with(kept, first), !first.is_empty(), second);
        let earlier = self.explain(&with(kept, &later), !later.is_empty(), first);
        with(&earlier, &later)
    }

    /// The largest part of `among`, in its order, that can hold together with `kept`.
    fn grow(&self, kept: &mut Vec<UserRule>, among: &[UserRule]) {
        if among.is_empty() {
            return;
        }
        if self.is_feasible(&[kept.as_slice(), among].concat()) == Some(true) {
            kept.extend(among);
        } else if among.len() > 1 {
            let (first, second) = among.split_at(among.len() / 2);
            self.grow(kept, first);
            self.grow(kept, second);
        }
    }
}

/// The constraints of a conflict that lack a value on a placement that all other rules allow.
fn undefined(oracle: &Snapshot, conflict: &[UserRule], clock: &Clock) -> Vec<Undefined> {
    let evaluator = Evaluator::new(oracle);
    let lacking = |rule: &UserRule| {
        let UserRule::Constraint(index) = rule else { return None };
        let formula = &oracle.application.constraints.get(*index)?.formula;
        let Found::Best(solution) = clock.solve_to(&without(oracle, &[*rule]), ANY_GAP) else { return None };
        let error = evaluator.bool(formula, &solution.placement).err()?;
        Some(Undefined { rule: *rule, error })
    };
    conflict.iter().filter_map(lacking).collect()
}

/// The changes of single rules of a conflict that end it; if none does, changes of several rules together.
fn remedies(snapshot: &Snapshot, conflict: &[UserRule], rules: &[UserRule], clock: &Clock) -> Vec<Remedy> {
    let mut found: Vec<Remedy> = Vec::new();
    for rule in conflict {
        found.extend(remedy(snapshot, &[*rule], clock));
    }
    if found.is_empty() && !clock.is_over() {
        let search = Search { oracle: feasibility(snapshot), all: rules, clock, is_certain: true };
        let mut kept = Vec::new();
        search.grow(&mut kept, rules);
        let gone: Vec<UserRule> = rules.iter().filter(|rule| !kept.contains(rule)).copied().collect();
        found.extend(remedy(snapshot, &gone, clock));
    }
    found.sort_by(|a, b| size(a).total_cmp(&size(b)));
    found
}

/// How large a change is: the relative change of limits; a rule that goes is larger than any of them.
fn size(remedy: &Remedy) -> f64 {
    let of = |change: &Change| match &change.relaxed {
        Some((limit, by)) => by / limit.value.unwrap_or(1.0).abs().max(1e-9),
        None => 1e12,
    };
    remedy.changes.iter().map(of).sum()
}

/// The least relaxation of each of these rules, one after the other, with which a placement is admissible.
fn remedy(snapshot: &Snapshot, rules: &[UserRule], clock: &Clock) -> Option<Remedy> {
    let evaluator = Evaluator::new(snapshot);
    let mut changes = Vec::new();
    let mut changed = snapshot.clone();
    let mut solution = None;
    for (i, rule) in rules.iter().enumerate() {
        let rest = without(&changed, &rules[i + 1..]);
        let smallest = limits(snapshot, &evaluator, *rule)
            .into_iter()
            .filter_map(|limit| least_relaxation(&rest, &limit, clock, &|_| true).map(|least| (limit, least)))
            .min_by(|(_, a), (_, b)| a.by.total_cmp(&b.by));
        if let Some((limit, least)) = smallest {
            changed = relaxed(&changed, &limit, least.by);
            changes.push(Change { rule: *rule, relaxed: Some((limit, least.by)), is_least: least.is_least });
            solution = Some(least.solution);
        } else {
            let Found::Best(best) = clock.solve(&without(&rest, &[*rule])) else { return None };
            changed = without(&changed, &[*rule]);
            changes.push(Change { rule: *rule, relaxed: None, is_least: false });
            solution = Some(best);
        }
    }
    solution.map(|solution| Remedy { changes, solution })
}

fn offers(snapshot: &Snapshot, component: ComponentId) -> Vec<OfferIndex> {
    admissible(&snapshot.application, &snapshot.catalog, component)
}

/// The conflict of the requirements of one component: no solving is needed to see that no offer satisfies them.
fn no_offer(snapshot: &Snapshot, rules: &[UserRule], id: ComponentId, clock: &Clock) -> Option<Conflict> {
    let is_about_offers = |rule: &UserRule| match rule {
        UserRule::Requirement(c, _) | UserRule::Demand(c, _) => *c == id,
        UserRule::OfferFilter(_) => true,
        _ => false,
    };
    let mine: Vec<UserRule> = rules.iter().copied().filter(is_about_offers).collect();
    let left_by = |kept: &[UserRule]| {
        let gone: Vec<UserRule> = mine.iter().filter(|rule| !kept.contains(rule)).copied().collect();
        offers(&without(snapshot, &gone), id)
    };
    if left_by(&[]).is_empty() {
        return None;
    }
    // The deletion filter. What people bend last is tried first, so that it leaves the conflict where it can.
    let mut needed = mine.clone();
    needed.reverse();
    for rule in mine.iter().rev() {
        let others: Vec<UserRule> = needed.iter().filter(|r| *r != rule).copied().collect();
        if left_by(&others).is_empty() {
            needed = others;
        }
    }
    needed.reverse();
    let requirements = needed.iter().map(|rule| {
        let others: Vec<UserRule> = needed.iter().filter(|r| *r != rule).copied().collect();
        let left = left_by(&others);
        Unsatisfied {
            rule: *rule,
            offers_of_others: left.len(),
            offers_without: offers(&without(snapshot, &[*rule]), id).len(),
            nearest: nearest(snapshot, *rule, &left),
        }
    });
    let requirements = requirements.collect();
    let remedies = remedies(snapshot, &needed, rules, clock);
    Some(Conflict::NoOffer { component: id, requirements, remedies })
}

/// What comes closest to a requirement on a number among some offers.
fn nearest(snapshot: &Snapshot, rule: UserRule, offers: &[OfferIndex]) -> Option<Nearest> {
    let UserRule::Requirement(c, i) = rule else { return None };
    let Requirement { subject: Subject::Attribute(attribute), test: Test::Number(intervals), .. } =
        &snapshot.application[c].requirements[i]
    else {
        return None;
    };
    let [interval] = intervals.as_slice() else { return None };
    let unit = Unit::of_attribute(attribute);
    let values = offers.iter().filter_map(|o| match snapshot.catalog[*o].attribute(attribute) {
        AttributeValue::Number(value) => Some(value),
        _ => None,
    });
    let away = |value: f64| (interval.low - value).max(value - interval.high).max(0.0);
    let value = values.min_by(|a, b| away(*a).total_cmp(&away(*b)))?;
    let end = if value < interval.low || interval.high.is_infinite() { End::Low } else { End::High };
    Some(Nearest { value, unit, end })
}
