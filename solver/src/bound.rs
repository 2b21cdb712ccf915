//! The model of a snapshot with every formula bound: what is maximised, what must hold, and what is only judged.

use std::sync::Arc;

use cardinal_models::application::{Application, ComponentId, ConstraintKind, DataId, Direction};
use cardinal_models::document::Hosting;
use cardinal_models::evaluate::{EvaluationError, Evaluator};
use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::snapshot::Snapshot;

use crate::term::{Binder, Interner, Slot, Slots, Term};

/// The index of a constraint that says that what is paid for has a known price.
pub const SPENDING: usize = usize::MAX - 1;

/// A constraint of the user with its bound formula.
#[derive(Clone, Debug)]
pub struct BoundConstraint {
    /// Index in [`Application::constraints`].
    pub index: usize,
    /// The formula; 1 where it holds.
    pub term: Term,
}

/// A bound model.
#[derive(Clone, Debug)]
pub struct BoundModel {
    /// What is maximised: the objective, negated when the model minimises.
    pub objective: Term,
    /// Constraints that depend on the placement, split at their top-level conjunctions.
    pub constraints: Vec<BoundConstraint>,
    /// Constraints that no placement can satisfy, because they do not depend on it and do not hold.
    pub broken: Vec<usize>,
    /// SLOs that do not depend on the placement and do not hold now.
    pub violated_slos: Vec<usize>,
    /// SLOs that do not depend on the placement and whose metrics have no value.
    pub unjudged_slos: Vec<usize>,
    /// The attributes that formulas look at.
    pub slots: Slots,
    /// Texts as numbers.
    pub interner: Interner,
    /// What traffic and storage cost: these, beside the price of nodes, decide among equals.
    pub spending: Vec<Term>,
    /// The sets of places that the replicas of each data source can be in, as names; one set for a fixed source.
    pub replicas: Vec<Vec<Vec<Arc<str>>>>,
}

/// Binds every formula of a snapshot. Errors are values that are missing; all of them are given.
pub fn bind(snapshot: &Snapshot, evaluator: &Evaluator<'_>) -> Result<BoundModel, Vec<EvaluationError>> {
    let application: &Arc<Application> = &snapshot.application;
    let mut binder = Binder::new(snapshot, evaluator);
    binder.list_replicas()?;
    let mut errors = Vec::new();
    let objective = match binder.bind(&application.objective.formula) {
        Ok(term) => term,
        Err(error) => {
            errors.push(error);
            Term::Constant(0.0)
        }
    };
    let objective = match application.objective.direction {
        Direction::Maximize => objective,
        Direction::Minimize => Term::Negate(Box::new(objective)),
    };
    let (mut constraints, mut broken) = (Vec::new(), Vec::new());
    let (mut violated_slos, mut unjudged_slos) = (Vec::new(), Vec::new());
    for (index, constraint) in application.constraints.iter().enumerate() {
        // An SLO that the placement cannot change is only judged, and only when it has been measured.
        let only_judged =
            constraint.kind == ConstraintKind::Slo && !evaluator.depends_on_placement(&constraint.formula);
        match binder.bind(&constraint.formula) {
            Err(_) if only_judged => unjudged_slos.push(index),
            Err(error) => errors.push(error),
            Ok(term) => split_conjunction(term, &mut |term| match term {
                Term::Constant(value) if value != 0.0 => {}
                Term::Constant(_) if only_judged => violated_slos.push(index),
                Term::Constant(_) => broken.push(index),
                // Constants without a value: a division by zero and the like.
                term if parts_of(application, &term).is_empty() && only_judged => unjudged_slos.push(index),
                term if parts_of(application, &term).is_empty() => broken.push(index),
                term => constraints.push(BoundConstraint { index, term }),
            }),
        }
    }
    let spending = binder.spending().unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    // What everything costs has a value on every placement that is an answer.
    constraints.extend(spending.iter().map(|cost| {
        let term = crate::term::binary(BinaryOp::GreaterEqual, cost.clone(), Term::Constant(0.0));
        BoundConstraint { index: SPENDING, term }
    }));
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(BoundModel {
        spending,
        replicas: binder.traffic.into_sets(),
        objective,
        constraints,
        broken,
        violated_slos,
        unjudged_slos,
        slots: binder.slots,
        interner: binder.interner,
    })
}

fn split_conjunction(term: Term, give: &mut impl FnMut(Term)) {
    match term {
        Term::Binary(BinaryOp::And, a, b) => {
            split_conjunction(*a, give);
            split_conjunction(*b, give);
        }
        other => give(other),
    }
}

/// Which part of the placement a leaf depends on: the nodes of one dedicated component, one free attribute, or the
/// shared pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The nodes of a dedicated component.
    Dedicated(ComponentId),
    /// One free attribute of a component; [`Part::Dedicated`] is then its number of instances.
    Attribute(ComponentId, Slot),
    /// The nodes that all shared components use together.
    Pool,
    /// The places of a data source.
    Data(DataId),
}

/// The part of the placement that the component's instances are in.
pub fn part_of(application: &Application, component: ComponentId) -> Part {
    match application[component].hosting {
        Hosting::Dedicated => Part::Dedicated(component),
        Hosting::Shared => Part::Pool,
    }
}

/// The parts that a term depends on, ascending and without repetition.
pub fn parts_of(application: &Application, term: &Term) -> Vec<Part> {
    let mut parts = Vec::new();
    collect_parts(application, term, &mut parts);
    parts.sort_unstable();
    parts.dedup();
    parts
}

fn collect_parts(application: &Application, term: &Term, parts: &mut Vec<Part>) {
    term.leaves(&mut |leaf| match leaf {
        Term::Attribute(c, slot) if application[*c].is_free() => parts.push(Part::Attribute(*c, *slot)),
        Term::Attribute(c, _) | Term::Cardinality(c) => parts.push(part_of(application, *c)),
        Term::Replicas(data) => parts.push(Part::Data(*data)),
        Term::Cost(c) | Term::Nodes(c) => parts.push(c.map_or(Part::Pool, Part::Dedicated)),
        Term::Paid(all) => parts.extend(all.iter().map(|c| c.map_or(Part::Pool, Part::Dedicated))),
        Term::Fleet(fleet) => {
            parts.push(part_of(application, fleet.component));
            collect_parts(application, &fleet.body, parts);
            if let Some(filter) = &fleet.filter {
                collect_parts(application, filter, parts);
            }
        }
        _ => {}
    });
}
