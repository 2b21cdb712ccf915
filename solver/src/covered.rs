//! What commitments cover, as the reduction and the encodings see it.

use cardinal_models::admissible::admissible;
use cardinal_models::application::{Application, ComponentId};
use cardinal_models::commitment::{Capacity, Commitment};
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::offer::Offer;
use cardinal_models::snapshot::Snapshot;

use crate::bound::BoundModel;
use crate::formulation::FormulateError;
use crate::objective::Objective;
use crate::range::{Leaves, Mover, Trend, trend};
use crate::solve::SolveError;
use crate::term::Term;

/// The commitments that cover an offer, with their indices. One without capacity covers nothing, and a node that is free
/// needs none.
pub(crate) fn covering<'a>(
    application: &'a Application,
    offer: &'a Offer,
) -> impl Iterator<Item = (usize, &'a Commitment)> {
    let all = application.commitments.iter().enumerate();
    all.filter(|(_, c)| c.capacity.total() > 0 && c.capacity.taken_by(offer) > 0 && c.covers(offer))
}

/// What commitments can tell of an offer beside its price: which of them cover it, as a bit set, and its cores where one
/// is counted in cores.
pub(crate) fn mask(application: &Application, offer: &Offer) -> Vec<u64> {
    let mut words = vec![0u64; application.commitments.len().div_ceil(64)];
    for (k, _) in application.commitments.iter().enumerate().filter(|(_, c)| c.covers(offer)) {
        words[k / 64] |= 1 << (k % 64);
    }
    let by_cores = |c: &Commitment| matches!(c.capacity, Capacity::Cores(_)) && c.covers(offer);
    words.extend(application.commitments.iter().any(by_cores).then_some(offer.cores.0));
    words
}

/// The parts of the placement with nodes that commitments may cover: components with nodes of their own, and `None` for
/// the shared pool.
pub(crate) fn touched(snapshot: &Snapshot) -> Vec<Option<ComponentId>> {
    let application = &snapshot.application;
    if application.commitments.is_empty() {
        return Vec::new();
    }
    let mut parts: Vec<Option<ComponentId>> = Vec::new();
    for (i, component) in application.components.iter().enumerate() {
        let id = ComponentId(i as u32);
        let part = (component.hosting == Hosting::Dedicated).then_some(id);
        let offers = || admissible(application, &snapshot.catalog, id);
        let covers = || offers().into_iter().any(|o| covering(application, &snapshot.catalog[o]).next().is_some());
        if !parts.contains(&part) && covers() {
            parts.push(part);
        }
    }
    parts.sort_unstable();
    parts
}

/// How many nodes of one offer alone all commitments together cover.
pub(crate) fn nodes(application: &Application, offer: &Offer) -> f64 {
    covering(application, offer).map(|(_, c)| c.capacity.total() as f64 / c.capacity.taken_by(offer) as f64).sum()
}

/// What all commitments together cover at most, in currency units per hour.
pub(crate) fn most(snapshot: &Snapshot) -> f64 {
    if snapshot.application.commitments.is_empty() {
        return 0.0;
    }
    let mut most = vec![0.0f64; snapshot.application.commitments.len()];
    for offer in snapshot.catalog.offers() {
        for (k, commitment) in covering(&snapshot.application, offer) {
            let nodes = commitment.capacity.total() as f64 / commitment.capacity.taken_by(offer) as f64;
            most[k] = most[k].max(offer.price.units() * nodes);
        }
    }
    most.into_iter().sum()
}

/// What is wrong when something may get better as more is paid. The program chooses what is covered, and chooses the most
/// only where paying less is never worse; of a single uniform component the cover is no choice.
pub(crate) fn check(
    snapshot: &Snapshot,
    bound: &BoundModel,
    objective: &Objective,
    ranges: &impl Leaves,
) -> Result<(), SolveError> {
    let is_uniform = |c: &ComponentId| {
        let component = &snapshot.application[*c];
        component.hosting == Hosting::Dedicated && component.fleet == Fleet::Uniform
    };
    match &touched(snapshot)[..] {
        [] => return Ok(()),
        [Some(only)] if is_uniform(only) => return Ok(()),
        _ => {}
    }
    let falls = |term: &Term| matches!(trend(term, Mover::Paid, ranges), Trend::Falling | Trend::Constant);
    let wrong =
        |constraint| Err(SolveError::Unsupported { constraint, objective: 0, error: FormulateError::RisingPaid });
    if !objective.terms.iter().all(falls) {
        return wrong(None);
    }
    match bound.constraints.iter().find(|c| !falls(&c.term)) {
        Some(found) => wrong(Some(found.index).filter(|i| *i != usize::MAX)),
        None => Ok(()),
    }
}
