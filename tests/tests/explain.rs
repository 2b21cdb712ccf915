//! What explanations promise, on random models: conflicts are minimal, every gain is confirmed by solving with the
//! change, terms add up, and an alternative that is forced is really there.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cardinal_models::application::{Application, ComponentId, Objective};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_models::tolerance;
use cardinal_solver::explain::{
    Change, Conflict, Depth, Of, UserRule, WhyNotAnswer, Wish, explain, explain_infeasible, forced, gained, is_equal,
    relaxed, terms, why_not, without,
};
use cardinal_solver::{Settings, SolveError, solve};
use cardinal_tests::cases;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::world::{World, plain_offer};

enum Answer {
    Best(Box<Solution>),
    Infeasible,
    /// Feasible, but without a utility; or of a kind that is refused.
    Other,
}

fn answer(snapshot: &Snapshot) -> Answer {
    match solve(snapshot, &Settings::default()) {
        Ok(outcome) => match (outcome.status, outcome.solution) {
            (Status::Optimal, Some(solution)) => Answer::Best(Box::new(solution)),
            (Status::Infeasible, _) => Answer::Infeasible,
            _ => Answer::Other,
        },
        Err(_) => Answer::Other,
    }
}

/// True when no placement is admissible, whatever the objective is: it may have no value, or be of a kind that is refused
/// where a rule is missing.
fn is_infeasible(snapshot: &Snapshot) -> bool {
    let mut application = Application::clone(&snapshot.application);
    application.objective = Objective::total_cost();
    application.later.clear();
    application.soft.clear();
    matches!(answer(&Snapshot { application: Arc::new(application), ..snapshot.clone() }), Answer::Infeasible)
}

/// Long runs of other tests take many more seeds than these, of which each solves dozens of times.
const SEEDS_MAX: u64 = 2000;

/// Only these rules of all.
fn only(snapshot: &Snapshot, kept: &[UserRule]) -> Snapshot {
    let all = UserRule::all(&snapshot.application);
    let gone: Vec<UserRule> = all.into_iter().filter(|rule| !kept.contains(rule)).collect();
    without(snapshot, &gone)
}

fn named(snapshot: &Snapshot, rules: &[UserRule]) -> Vec<String> {
    rules.iter().map(|r| format!("{}: {}", r.name(&snapshot.application), r.text(&snapshot.application))).collect()
}

fn changed(snapshot: &Snapshot, changes: &[Change]) -> Snapshot {
    let by_limit = changes.iter().filter_map(|c| c.relaxed.as_ref());
    let relaxed = by_limit.fold(snapshot.clone(), |s, (limit, by)| relaxed(&s, limit, *by));
    let gone: Vec<UserRule> = changes.iter().filter(|c| c.relaxed.is_none()).map(|c| c.rule).collect();
    without(&relaxed, &gone)
}

#[test]
fn conflicts_are_minimal() {
    let seen = AtomicU64::new(0);
    cases::each("conflicts", 80, |seed| {
        let snapshot = world(seed, &Size::SMALL).snapshot();
        if seed > SEEDS_MAX || !is_infeasible(&snapshot) {
            return Ok(());
        }
        let (rules, is_minimal, remedies) = match explain_infeasible(&snapshot, &Settings::default()) {
            Conflict::Rules { rules, is_minimal, remedies, .. } => (rules, is_minimal, remedies),
            Conflict::NoOffer { requirements, remedies, .. } => {
                (requirements.iter().map(|r| r.rule).collect(), true, remedies)
            }
            Conflict::Inherent => return Ok(()),
            Conflict::Unknown => return Err("the conflict was not found".to_owned()),
        };
        seen.fetch_add(1, Ordering::Relaxed);
        let shown = named(&snapshot, &rules);
        if !is_infeasible(&only(&snapshot, &rules)) {
            return Err(format!("these are no conflict: {shown:?}\n{}", world(seed, &Size::SMALL)));
        }
        for (i, rule) in rules.iter().enumerate().filter(|_| is_minimal) {
            let others: Vec<UserRule> = rules.iter().filter(|r| *r != rule).copied().collect();
            if is_infeasible(&only(&snapshot, &others)) {
                return Err(format!("{} is not needed for {shown:?}\n{}", shown[i], world(seed, &Size::SMALL)));
            }
        }
        for remedy in &remedies {
            match answer(&changed(&snapshot, &remedy.changes)) {
                Answer::Best(best) if tolerance::equal(best.utility, remedy.solution.utility) => {}
                _ => return Err(format!("{:?} is no way out of {shown:?}", remedy.changes)),
            }
        }
        Ok(())
    });
    // The run of a single seed need not see one.
    let is_single = std::env::var_os("CARDINAL_SEED").is_some();
    assert!(seen.into_inner() > 0 || is_single, "no random model was infeasible");
}

#[test]
fn gains_are_confirmed_by_solving() {
    cases::each("gains", 40, |seed| {
        if seed > SEEDS_MAX {
            return Ok(());
        }
        let snapshot = world(seed, &Size::SMALL).snapshot();
        let Answer::Best(best) = answer(&snapshot) else { return Ok(()) };
        let found = explain(&snapshot, &best, Depth::Full, &Settings::default());
        let application = &snapshot.application;
        let improves = |other: &Solution| {
            gained(application, &best, other).is_some() || (is_equal(&best, other) && other.cost < best.cost)
        };
        for binding in &found.binding {
            let name = binding.rule.text(&snapshot.application);
            match answer(&without(&snapshot, &[binding.rule])) {
                Answer::Best(free) if tolerance::equal(free.utility, binding.utility_without) => {}
                _ => return Err(format!("without `{name}` the utility is not {}", binding.utility_without)),
            }
            for step in &binding.steps {
                let at = |share: f64| answer(&relaxed(&snapshot, &step.limit, step.by * share));
                match at(1.0) {
                    Answer::Best(then) if tolerance::equal(then.utility, step.utility) && improves(&then) => {}
                    _ => return Err(format!("`{name}` relaxed by {} does not give {}", step.by, step.utility)),
                }
                let less: &[f64] = if step.limit.whole { &[] } else { &[0.5, 0.999] };
                for share in less.iter().filter(|_| step.is_first) {
                    if let Answer::Best(then) = at(*share)
                        && improves(&then)
                    {
                        return Err(format!("`{name}` gains already when relaxed by {share} of {}", step.by));
                    }
                }
                if step.limit.whole && step.is_first && step.by > 1.0 {
                    let before = answer(&relaxed(&snapshot, &step.limit, step.by - 1.0));
                    if matches!(before, Answer::Best(then) if improves(&then)) {
                        return Err(format!("`{name}` gains already when relaxed by {}", step.by - 1.0));
                    }
                }
            }
        }
        let evaluator = Evaluator::new(&snapshot);
        let all = terms(&snapshot, &evaluator);
        let values: Option<Vec<f64>> =
            all.iter().map(|t| t.value(&snapshot, &evaluator, Of::Placement(&best.placement))).collect();
        let sum: f64 = values.unwrap_or_default().iter().sum();
        let size = best.utility.abs().max(1.0) * 1e-6;
        if (sum - best.utility).abs() > size {
            return Err(format!("the terms add up to {sum}, not {}: {all:?}", best.utility));
        }
        Ok(())
    });
}

#[test]
fn alternatives_are_what_was_asked_for() {
    cases::each("alternatives", 30, |seed| {
        if seed > SEEDS_MAX {
            return Ok(());
        }
        let snapshot = world(seed, &Size::SMALL).snapshot();
        let Answer::Best(best) = answer(&snapshot) else { return Ok(()) };
        for (i, component) in snapshot.application.components.iter().enumerate() {
            let id = ComponentId(i as u32);
            for (offer, _) in snapshot.catalog.iter().step_by(2) {
                let count = (seed as u32 + i as u32) % 3;
                let count = (count > 0).then_some(count);
                let wish = Wish { text: "the wish".to_owned(), component: id, offers: Some(vec![offer]), count };
                let asked = format!("{} on {} x {count:?}", component.name, snapshot.catalog[offer].id);
                match why_not(&snapshot, std::slice::from_ref(&wish), &Settings::default()) {
                    WhyNotAnswer::Placement(other) => {
                        let on = |wanted: bool| -> u64 {
                            let groups = other.placement.groups.iter().filter(|g| (g.offer == offer) == wanted);
                            let of = |g: &cardinal_models::placement::NodeGroup| {
                                let here = g.instances.iter().filter(|(c, _)| *c == id);
                                here.map(|(_, n)| u64::from(*n) * u64::from(g.count)).sum::<u64>()
                            };
                            groups.map(of).sum()
                        };
                        if count.is_some_and(|n| on(true) != u64::from(n)) || (count.is_none() && on(false) > 0) {
                            return Err(format!("{asked} gave {} there and {} elsewhere", on(true), on(false)));
                        }
                        let is_better = gained(&snapshot.application, &best, &other).is_some();
                        if is_better {
                            return Err(format!("{asked} is better than the optimum: {}", other.utility));
                        }
                    }
                    WhyNotAnswer::Conflict(_) => {
                        if !is_infeasible(&forced(&snapshot, &[wish])) {
                            return Err(format!("{asked} is possible"));
                        }
                    }
                    WhyNotAnswer::Undefined => {
                        if !matches!(
                            solve(&forced(&snapshot, &[wish]), &Settings::default()),
                            Err(SolveError::Undefined(_))
                        ) {
                            return Err(format!("{asked} has a utility"));
                        }
                    }
                    WhyNotAnswer::Unknown => {}
                }
            }
        }
        Ok(())
    });
}

#[test]
fn a_constraint_without_a_value_is_named() {
    for (components, rule) in [
        ("web: {cardinality: 2}\n  db: {cardinality: 2}", "1 / (web.cardinality - db.cardinality) > 1"),
        ("web: {cardinality: 1..3}\n  db: {cardinality: 2, fleet: mixed}", "ln(web.cardinality - count(db) - 5) <= 1"),
        ("web: {cardinality: 1..3}", "1 / 0 > 1"),
    ] {
        let model = format!("application: a\ncomponents:\n  {components}\nconstraints: {{odd: '{rule}'}}");
        let offers = vec![plain_offer("small", 2, 4, 0.1)];
        let snapshot = World { model, offers, ..World::default() }.snapshot();
        let conflict = explain_infeasible(&snapshot, &Settings::default());
        let Conflict::Rules { rules, undefined, .. } = &conflict else { panic!("{conflict:?}") };
        assert!(rules.contains(&UserRule::Constraint(0)), "{rule}: {conflict:?}");
        assert_eq!(undefined.len(), 1, "{rule}: {conflict:?}");
        assert_eq!(undefined[0].rule, UserRule::Constraint(0));
        assert!(!undefined[0].error.span.is_none(), "{rule}: {conflict:?}");
    }
}
