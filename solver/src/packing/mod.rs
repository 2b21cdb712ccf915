//! Shared components with more node patterns than can be listed: column generation with a bound at every step.
//!
//! [`node`] describes what a node can host, [`probe`] what the rows of the program see of a node, [`mod@generate`] thinks of
//! nodes by [`pricing`] under the duals of the [`master`], and [`bound`] says what no placement can beat. An integer
//! program over the nodes that were thought of gives a placement; where every node that could belong to a better one can
//! be listed, it is the optimum.

mod assign;
mod bound;
mod completion;
mod cover;
mod dive;
mod fill;
mod generate;
mod grid;
mod hold;
mod master;
mod node;
mod polish;
mod price;
mod pricing;
mod probe;
mod rounding;
mod scale;
mod seat;
#[cfg(test)]
mod tests;

use std::time::Instant;

use cardinal_models::application::Component;

use crate::engine::{Limits, RunStatus};
use crate::formulation::Cluster;
use crate::pattern::{self, Listing, NodeRules, Pattern, shared_components};
use crate::program::{self, Answer, Effort, Ground, Method, ProgramError};
use crate::range::{Mover, Trend, trend};
use crate::term::Term;
use cover::Cover;
use generate::{Generator, Root};
use master::Load;
use node::NodeModel;
use pricing::Reach;
use probe::{Probe, ProbeError};

/// At most so many patterns are listed to close a gap.
const MOST_LISTED: usize = 20_000;
/// Steps in which they are searched, for each bin.
const LISTING_REACH: usize = 400_000;
/// Nodes of the search tree of the integer program over generated patterns: a limit that keeps the answer reproducible.
const INTEGER_NODES: u32 = 5_000;

/// With at most so many coefficients of bins and items the order among equals is searched too.
const FEW_PROBES: usize = 2_000;
/// At most so many are asked for.
const MOST_PROBES: usize = 40_000;

/// What column generation found on its way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    /// Every bound on the sum of the objective's terms, in the order in which they were found.
    pub bounds: Vec<f64>,
    /// True when the answer is proven by listing every pattern that could belong to a better one.
    pub closed: bool,
    /// Rounds of generation.
    pub rounds: usize,
    /// Patterns that were generated.
    pub generated: usize,
}

/// Nodes may have more room than is used where instances can be taken off a node and nothing asks for more nodes or more
/// cost: then an instance more is only ever a matter of room.
fn listing_of(ground: Ground<'_>) -> Listing {
    let application = &ground.snapshot.application;
    let shared = shared_components(application);
    let rules = NodeRules::of(application, &shared);
    let counts_places = application.pool_counts_zones() || application.pool_counts_places();
    let no_spread = shared.iter().all(|c| !application[*c].is_divided()) && !counts_places;
    let all_move = shared.iter().all(|c| application[*c].moveable);
    let counts_instances = application.quotas.iter().any(|q| q.instances.is_some());
    let is_free = no_spread && all_move && !counts_instances && ground.snapshot.current.is_none();
    let trims = rules.closed_under_removal() && is_free;
    let terms = || ground.bound.constraints.iter().map(|c| &c.term).chain([&ground.bound.objective]);
    let counts_nodes = |term: &Term| {
        let mut counts = false;
        term.leaves(&mut |leaf| counts |= matches!(leaf, Term::Nodes(None)));
        counts
    };
    let wants_cost =
        |term: &Term| !matches!(trend(term, Mover::PoolPrice, &ground.space.ranges), Trend::Constant | Trend::Falling);
    let asks_for_more = terms().any(|t| counts_nodes(t) || wants_cost(t));
    if trims && !asks_for_more { Listing::Maximal } else { Listing::Every }
}

/// How many instances of each component a placement may need: as few as allowed, where nothing counts them.
fn wanted(ground: Ground<'_>, listing: Listing) -> Vec<u32> {
    let application = &ground.snapshot.application;
    let mut counted = vec![listing == Listing::Every; application.components.len()];
    for term in ground.bound.constraints.iter().map(|c| &c.term).chain([&ground.bound.objective]) {
        term.leaves(&mut |leaf| match leaf {
            Term::Cardinality(c) => counted[c.index()] = true,
            Term::Fleet(fleet) => {
                counted[fleet.component.index()] = true;
                for inner in std::iter::once(&fleet.body).chain(&fleet.filter) {
                    inner.leaves(&mut |leaf| {
                        if let Term::Cardinality(c) = leaf {
                            counted[c.index()] = true;
                        }
                    });
                }
            }
            _ => {}
        });
    }
    for rule in &application.structure {
        crate::cluster::counted(&rule.rule).iter().for_each(|c| counted[c.index()] = true);
    }
    let number = |(c, counted): (&Component, &bool)| if *counted { c.cardinality.max() } else { c.cardinality.min() };
    application.components.iter().zip(&counted).map(number).collect()
}

/// Solves a sub-problem whose pool has too many patterns to list.
///
/// # Errors
///
/// [`ProgramError::TooManyPatterns`] when a rule is of a kind that generated patterns cannot take.
pub fn solve(ground: Ground<'_>, cluster: &Cluster, method: &Method) -> Result<Answer, ProgramError> {
    let mut generation = Generation::default();
    let mut answer = generate(ground, cluster, method, &mut generation)?;
    answer.generation = Some(generation);
    Ok(answer)
}

fn generate(
    ground: Ground<'_>,
    cluster: &Cluster,
    method: &Method,
    trace: &mut Generation,
) -> Result<Answer, ProgramError> {
    let begin = Instant::now();
    let snapshot = ground.snapshot;
    let listing = listing_of(ground);
    let wanted = wanted(ground, listing);
    // Where something asks for more instances, the fewest make a relaxation all the same.
    let fewest: Vec<u32> = snapshot.application.components.iter().map(|c| c.cardinality.min()).collect();
    let model = NodeModel::of(snapshot, ground.space, |c| wanted[c.index()]);
    let size = model.as_ref().map_or(usize::MAX, |m| m.bins.len().saturating_mul(m.items.len() + 1));
    // What is followed by all rows to the optimum needs no great effort.
    let is_last = size > FEW_PROBES || method.limits.relative_gap > 0.0;
    let covered = match Cover::of(ground, cluster, &fewest) {
        Some(cover) => hold::hold(ground, method, &cover, is_last, trace)?,
        None => None,
    };
    if let Some(covered) = &covered {
        let is_solved = covered.status == RunStatus::Optimal && is_last;
        if is_solved || size > MOST_PROBES || method.limits.reached() {
            return Ok(covered.clone());
        }
    }
    let Some(model) = model.filter(|_| size <= MOST_PROBES) else { return Err(ProgramError::TooManyPatterns) };
    let answer = expand(ground, cluster, method, (&model, listing), begin, trace)?;
    Ok(match covered {
        Some(covered) => better(answer, covered, method),
        None => answer,
    })
}

/// Of two answers the better one, with the better bound of both.
fn better(a: Answer, b: Answer, method: &Method) -> Answer {
    if a.status == RunStatus::Infeasible {
        return a;
    }
    let bound = a.bound.min(b.bound);
    let is_better = b.placement.is_some() && (a.placement.is_none() || b.value > a.value + 1e-9 * a.value.abs());
    let mut best = if is_better { b } else { a };
    best.bound = bound.max(if best.placement.is_some() { best.value } else { f64::NEG_INFINITY });
    let allowed = method.limits.relative_gap.max(1e-9) * best.value.abs();
    if best.placement.is_some() && best.bound - best.value <= allowed {
        best.status = RunStatus::Optimal;
    }
    best
}

/// Generates nodes for every row of the program.
fn expand(
    ground: Ground<'_>,
    cluster: &Cluster,
    method: &Method,
    (model, listing): (&NodeModel, Listing),
    begin: Instant,
    trace: &mut Generation,
) -> Result<Answer, ProgramError> {
    let snapshot = ground.snapshot;
    let probe = Probe::of(ground, cluster, model, listing, method.margin).map_err(|e| match e {
        ProbeError::Formulate(index, e) => ProgramError::Formulate(index, e),
        ProbeError::NotAffine => ProgramError::TooManyPatterns,
    })?;
    let formulate_s = begin.elapsed().as_secs_f64();
    let effort = Effort { undefined: probe.undefined, ..Effort::default() };
    let infeasible = Answer {
        status: RunStatus::Infeasible,
        placement: None,
        bound: f64::NEG_INFINITY,
        value: f64::NAN,
        formulate_s,
        effort,
        generation: None,
    };
    if probe.contradiction {
        return Ok(infeasible);
    }
    let application = &snapshot.application;
    let most_nodes: f64 =
        shared_components(application).iter().map(|c| f64::from(application[*c].cardinality.max())).sum();
    let mut generator = Generator::new(model, &probe, &method.limits, most_nodes);
    let root = generator.run(generator.start()).map_err(ProgramError::Engine)?;
    trace.bounds.extend(generator.bounds.iter().map(|b| -(b + probe.constant)));
    trace.rounds += root.rounds;
    trace.generated = root.loads.len();
    if root.infeasible {
        return Ok(infeasible);
    }
    let packing = Packing { ground, cluster, method, model, probe: &probe, listing };
    let mut answer = packing.integer(&root, trace)?;
    answer.formulate_s += formulate_s;
    Ok(answer)
}

/// A pool with its generated nodes.
struct Packing<'a> {
    ground: Ground<'a>,
    cluster: &'a Cluster,
    method: &'a Method,
    model: &'a NodeModel,
    probe: &'a Probe,
    listing: Listing,
}

impl Packing<'_> {
    /// The best placement over generated nodes, and then over every node that could belong to a better one.
    fn integer(&self, root: &Root, trace: &mut Generation) -> Result<Answer, ProgramError> {
        let step = bound::step(self.probe);
        let lower = bound::lifted(root.bound, step);
        let limits = Limits { nodes: Some(INTEGER_NODES), ..self.method.limits.clone() };
        let first = Method { limits, ..self.method.clone() };
        let found = self.over(root.loads.clone(), &first)?;
        let value = found.placement.as_ref().map(|_| found.value);
        // In the units of the loss; a placement loses the negative of what it is worth.
        let lost = value.map_or(f64::INFINITY, |v| -v - self.probe.constant);
        let enough = self.method.limits.relative_gap * (lost + self.probe.constant).abs();
        let is_close = lost - lower <= enough.max(1e-9 * lost.abs());
        let open = (lost - root.bound).max(0.0) + 1e-7 * lost.abs().clamp(1.0, 1e12);
        let room = if is_close { MOST_LISTED / 10 } else { MOST_LISTED };
        if (self.method.limits.relative_gap == 0.0 || !is_close)
            && !self.method.limits.reached()
            && let Some(mut all) = self.list(root, open, room)
        {
            trace.closed = true;
            all.extend(root.loads.iter().cloned());
            let mut answer = self.over(all, self.method)?;
            answer.bound = answer.bound.min(-(lower + self.probe.constant));
            if answer.placement.is_some() || answer.status == RunStatus::Infeasible {
                return Ok(answer);
            }
        }
        let mut answer = found;
        answer.bound = -(lower + self.probe.constant);
        answer.status = if is_close && answer.placement.is_some() { RunStatus::Optimal } else { RunStatus::Limit };
        answer.effort.ties_open = true;
        Ok(answer)
    }

    /// Every node whose reduced cost is at most `open`; `None` when there are too many.
    fn list(&self, root: &Root, open: f64, most: usize) -> Option<Vec<Load>> {
        let only_maximal = self.listing == Listing::Maximal;
        let mut loads = Vec::new();
        for bin in 0..self.model.bins.len() {
            if self.method.limits.reached() {
                return None;
            }
            let (fixed, values) = (self.probe.fixed(bin, &root.duals), self.probe.values(bin, &root.duals));
            let threshold = if open.is_finite() { fixed - open } else { f64::NEG_INFINITY };
            let reach = Reach { threshold, step: 0.0, nodes: LISTING_REACH, thorough: false };
            let (found, complete) = pricing::all(self.model, bin, &values, reach, most, only_maximal);
            if !complete {
                return None;
            }
            let cheapest = found.into_iter().filter(|counts| self.model.cheapest(bin, counts) == bin);
            loads.extend(cheapest.map(|counts| (bin, counts)));
            if loads.len() > most {
                return None;
            }
        }
        Some(loads)
    }

    /// The best placement over some nodes.
    fn over(&self, loads: Vec<Load>, method: &Method) -> Result<Answer, ProgramError> {
        let list: Vec<Pattern> =
            loads.iter().map(|(bin, counts)| self.model.pattern(&self.model.bins[*bin], counts)).collect();
        let patterns = pattern::complete(self.ground.snapshot, self.ground.space, list, self.listing);
        let ground = Ground { patterns: Some(&patterns), ..self.ground };
        program::solve_listed(ground, self.cluster, method)
    }
}
