//! Why the answer is what it is: which rules bind, which offers came close, and which rules exclude each other when
//! there is no answer.
//!
//! Everything said here is found by solving again or by evaluating a changed placement with the exact evaluator, never
//! read off the integer program: duals of an integer program are no prices.

use std::sync::Arc;

use cardinal_models::admissible::{admissible, refusal};
use cardinal_models::application::{Application, Component, ComponentId, Direction};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::{Fleet, Hosting, SpreadBy};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_models::tolerance;
use cardinal_models::verify::verify;

use crate::solve::{Settings, solve};
use crate::space::stands_for;

/// A rule of the user that can be taken out of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRule {
    /// An index into the application's constraints.
    Constraint(usize),
    /// An index into its structural rules.
    Structure(usize),
    /// An index into its quotas.
    Quota(usize),
    /// All spread rules of a component.
    Spread(ComponentId),
}

impl UserRule {
    /// Every rule of an application.
    pub fn all(application: &Application) -> Vec<UserRule> {
        let constraints = (0..application.constraints.len()).map(UserRule::Constraint);
        let structure = (0..application.structure.len()).map(UserRule::Structure);
        let quotas = (0..application.quotas.len()).map(UserRule::Quota);
        let spread = application.components.iter().enumerate().filter(|(_, c)| !c.spread.is_empty());
        let spread = spread.map(|(i, _)| UserRule::Spread(ComponentId(i as u32)));
        constraints.chain(structure).chain(quotas).chain(spread).collect()
    }

    /// The user's name for the rule.
    pub fn name(self, application: &Application) -> String {
        match self {
            UserRule::Constraint(i) => application.constraints[i].name.to_string(),
            UserRule::Structure(i) => application.structure[i].name.to_string(),
            UserRule::Quota(i) => application.quotas[i].name.to_string(),
            UserRule::Spread(c) => format!("spread of {}", application[c].name),
        }
    }

    /// Where the rule stands in the model.
    pub fn span(self, application: &Application) -> cardinal_models::span::Span {
        match self {
            UserRule::Constraint(i) => application.constraints[i].span,
            UserRule::Structure(i) => application.structure[i].span,
            UserRule::Quota(i) => application.quotas[i].span,
            UserRule::Spread(c) => application[c].span,
        }
    }
}

/// The snapshot without some of the rules of its model.
fn without(snapshot: &Snapshot, rules: &[UserRule]) -> Snapshot {
    let mut application = Application::clone(&snapshot.application);
    let keep = |rule: UserRule| !rules.contains(&rule);
    let mut i = 0;
    application.constraints.retain(|_| {
        i += 1;
        keep(UserRule::Constraint(i - 1))
    });
    i = 0;
    application.structure.retain(|_| {
        i += 1;
        keep(UserRule::Structure(i - 1))
    });
    i = 0;
    application.quotas.retain(|_| {
        i += 1;
        keep(UserRule::Quota(i - 1))
    });
    for (i, component) in application.components.iter_mut().enumerate() {
        if !keep(UserRule::Spread(ComponentId(i as u32))) {
            component.spread.clear();
        }
    }
    Snapshot { application: Arc::new(application), ..snapshot.clone() }
}

/// A rule without which a better placement would be possible.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The rule.
    pub rule: UserRule,
    /// The utility without it.
    pub utility_without: f64,
    /// The cost per hour without it.
    pub cost_without: Price,
}

/// Why an offer was not chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// The placement with it is admissible but no better: its utility and cost.
    Worse {
        /// The utility with the offer.
        utility: f64,
        /// The cost per hour with the offer.
        cost: Price,
    },
    /// The placement with it breaks a rule: what the checker says.
    Breaks(String),
    /// The offer does not satisfy a requirement of the component: the user's words.
    Refused(String),
}

/// An offer that was not chosen, with everything else left as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The offer.
    pub offer: OfferIndex,
    /// The number of instances that would be best on it.
    pub cardinality: u32,
    /// Why it lost.
    pub loss: Loss,
}

/// The alternatives to the nodes of one group of the solution.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternatives {
    /// The group, as an index into the placement's.
    pub group: usize,
    /// What came next, best first.
    pub offers: Vec<Alternative>,
}

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

/// How much may be spent on an explanation.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The longest time in all.
    pub time: std::time::Duration,
    /// How many alternatives are given for each group of nodes.
    pub alternatives: usize,
}

/// How many of the cheapest admissible offers are tried as alternatives.
const TRIED_OFFERS: usize = 16;
/// How many cardinalities are tried on each.
const TRIED_CARDINALITIES: usize = 8;
/// For so many groups of nodes alternatives are sought.
const EXPLAINED_GROUPS: usize = 24;

fn better(application: &Application, a: f64, b: f64) -> bool {
    match application.objective.direction {
        Direction::Maximize => tolerance::less(b, a),
        Direction::Minimize => tolerance::less(a, b),
    }
}

/// Explains a solution.
pub fn explain(snapshot: &Snapshot, solution: &Solution, budget: Budget) -> Explanation {
    let begin = std::time::Instant::now();
    let left = || budget.time.saturating_sub(begin.elapsed());
    let mut explanation = Explanation { binding_complete: true, ..Explanation::default() };
    let evaluator = Evaluator::new(snapshot);
    for (index, _) in solution.placement.groups.iter().enumerate().take(EXPLAINED_GROUPS) {
        let found = alternatives(snapshot, &evaluator, solution, index, budget.alternatives);
        if !found.is_empty() {
            explanation.alternatives.push(Alternatives { group: index, offers: found });
        }
    }
    for rule in UserRule::all(&snapshot.application) {
        if left().is_zero() {
            explanation.binding_complete = false;
            break;
        }
        let settings = Settings { time_limit: Some(left()), ..Settings::default() };
        let Ok(outcome) = solve(&without(snapshot, &[rule]), &settings) else { continue };
        let (Status::Optimal, Some(free)) = (outcome.status, outcome.solution) else { continue };
        let gains = better(&snapshot.application, free.utility, solution.utility);
        let saves = tolerance::equal(free.utility, solution.utility) && free.cost < solution.cost;
        if gains || saves {
            explanation.binding.push(Binding { rule, utility_without: free.utility, cost_without: free.cost });
        }
    }
    explanation
}

/// The best other offers for one group of nodes.
fn alternatives(
    snapshot: &Snapshot,
    evaluator: &Evaluator<'_>,
    solution: &Solution,
    index: usize,
    most: usize,
) -> Vec<Alternative> {
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    let group = &solution.placement.groups[index];
    let Some((first, _)) = group.instances.first().copied() else { return Vec::new() };
    let component = &application[first];
    // A uniform fleet over several zones has several groups; they are explained once.
    let earlier = &solution.placement.groups[..index];
    if earlier.iter().any(|g| g.offer == group.offer && g.instances == group.instances) {
        return Vec::new();
    }
    let mut offers = admissible(application, catalog, first);
    offers.retain(|o| *o != group.offer && can_host(application, group, &catalog[*o]));
    offers.sort_by(|a, b| catalog[*a].price.cmp(&catalog[*b].price).then_with(|| catalog[*a].id.cmp(&catalog[*b].id)));
    offers.truncate(TRIED_OFFERS);
    let is_uniform = component.hosting == Hosting::Dedicated && component.fleet == Fleet::Uniform;
    let mut tried: Vec<Alternative> = offers
        .into_iter()
        .map(|offer| {
            let placements: Vec<(u32, Placement)> = if is_uniform {
                cardinalities(component, group, &solution.placement, first, &catalog[offer])
                    .into_iter()
                    .map(|n| (n, with_uniform(snapshot, &solution.placement, first, offer, n)))
                    .collect()
            } else {
                vec![(group.count, with_group(&solution.placement, index, offer))]
            };
            judge(snapshot, evaluator, offer, placements)
        })
        .collect();
    let rank = |a: &Alternative| match &a.loss {
        Loss::Worse { utility, cost } => (0, Some((*utility, *cost))),
        _ => (1, None),
    };
    tried.sort_by(|a, b| {
        let ((x, left), (y, right)) = (rank(a), rank(b));
        x.cmp(&y).then_with(|| match (left, right) {
            (Some((u, c)), Some((v, d))) => {
                if better(application, u, v) {
                    std::cmp::Ordering::Less
                } else if better(application, v, u) {
                    std::cmp::Ordering::Greater
                } else {
                    c.cmp(&d)
                }
            }
            _ => std::cmp::Ordering::Equal,
        })
    });
    tried.truncate(most);
    tried.extend(near_miss(snapshot, group, component));
    tried
}

/// True when a node of the offer has room for what a node of the group hosts, and may host each of it.
fn can_host(application: &Application, group: &NodeGroup, offer: &cardinal_models::offer::Offer) -> bool {
    let hosted = || group.instances.iter().map(|(c, n)| (&application[*c], u64::from(*n)));
    let total = |of: fn(&Component) -> u64| hosted().map(|(c, n)| of(c).saturating_mul(n)).fold(0, u64::saturating_add);
    hosted().all(|(c, _)| refusal(application, c, offer).is_none())
        && total(|c| c.demand.cores.0) <= offer.cores.0
        && total(|c| c.demand.memory.0) <= offer.memory.0
        && offer.disk.is_none_or(|d| total(|c| c.demand.disk.0) <= d.0)
        && total(|c| u64::from(c.demand.gpus)) <= u64::from(offer.gpus)
}

/// The numbers of instances to try: the chosen one first, then its neighbours.
fn cardinalities(
    component: &Component,
    group: &NodeGroup,
    placement: &Placement,
    id: ComponentId,
    offer: &cardinal_models::offer::Offer,
) -> Vec<u32> {
    if let Some(n) = stands_for(offer) {
        return vec![n];
    }
    let chosen = u32::try_from(placement.cardinality(id)).unwrap_or(group.count);
    let mut all: Vec<u32> = component.cardinality.iter().take(10_000).filter(|n| *n > 0).collect();
    all.sort_by_key(|n| n.abs_diff(chosen));
    all.truncate(TRIED_CARDINALITIES);
    all
}

/// The placement with all instances of a uniform component on another offer.
fn with_uniform(snapshot: &Snapshot, placement: &Placement, id: ComponentId, offer: OfferIndex, n: u32) -> Placement {
    let mut changed = placement.clone();
    changed.groups.retain(|g| !g.instances.iter().any(|(c, _)| *c == id));
    let by_zone = snapshot.application[id].spread.iter().any(|s| s.by == SpreadBy::Zone);
    let zones = snapshot.catalog[offer].zones.len() as u32;
    let group = |zone, count| NodeGroup { offer, zone, instances: vec![(id, 1)], count };
    if by_zone && zones > 0 {
        changed.groups.extend((0..zones).map(|z| group(Some(z as u16), n / zones + u32::from(z < n % zones))));
    } else {
        changed.groups.push(group(None, n));
    }
    changed.normalize();
    changed
}

/// The placement with one group of nodes on another offer.
fn with_group(placement: &Placement, index: usize, offer: OfferIndex) -> Placement {
    let mut changed = placement.clone();
    changed.groups[index].offer = offer;
    changed.groups[index].zone = None;
    changed.normalize();
    changed
}

/// The best of some placements on an offer, or the first rule that they break.
fn judge(
    snapshot: &Snapshot,
    evaluator: &Evaluator<'_>,
    offer: OfferIndex,
    placements: Vec<(u32, Placement)>,
) -> Alternative {
    let application = &snapshot.application;
    let mut best: Option<(u32, f64, Price)> = None;
    let mut broken: Option<(u32, String)> = None;
    for (n, placement) in placements {
        if let Some(violation) = verify(snapshot, &placement).into_iter().next() {
            broken.get_or_insert((n, violation.message));
            continue;
        }
        let Ok(utility) = evaluator.number(&application.objective.formula, &placement) else { continue };
        let cost = placement.cost(&snapshot.catalog);
        let improves =
            best.is_none_or(|(_, u, c)| better(application, utility, u) || (tolerance::equal(utility, u) && cost < c));
        if improves {
            best = Some((n, utility, cost));
        }
    }
    match (best, broken) {
        (Some((cardinality, utility, cost)), _) => {
            Alternative { offer, cardinality, loss: Loss::Worse { utility, cost } }
        }
        (None, Some((cardinality, message))) => Alternative { offer, cardinality, loss: Loss::Breaks(message) },
        (None, None) => {
            Alternative { offer, cardinality: 0, loss: Loss::Breaks("the utility has no value with it".to_owned()) }
        }
    }
}

/// The cheapest offer that is cheaper than the chosen one and fails a single requirement: what is paid for.
fn near_miss(snapshot: &Snapshot, group: &NodeGroup, component: &Component) -> Option<Alternative> {
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    if catalog[group.offer].configuration.is_some() {
        return None;
    }
    let chosen = catalog[group.offer].price;
    let fails_once = |offer: &cardinal_models::offer::Offer| {
        application.offers.iter().chain(&component.requirements).filter(|r| !r.admits(offer)).take(2).count() == 1
    };
    let (offer, details) = catalog
        .iter()
        .filter(|(_, o)| o.price < chosen && fails_once(o))
        .min_by(|(_, a), (_, b)| a.price.cmp(&b.price).then_with(|| a.id.cmp(&b.id)))?;
    let reason = refusal(application, component, details)?.to_string();
    Some(Alternative { offer, cardinality: group.count, loss: Loss::Refused(reason) })
}

/// Why there is no admissible placement.
#[derive(Clone, Debug, PartialEq)]
pub enum Conflict {
    /// No offer of the catalog satisfies a component.
    NoOffer {
        /// The component.
        component: ComponentId,
        /// Each requirement with the number of offers that would be admissible if it were dropped; most first.
        without: Vec<(String, usize)>,
    },
    /// These rules together cannot hold; each of them is needed for the conflict.
    Rules(Vec<UserRule>),
    /// Even without any rule there is no placement: cardinalities, room on nodes or instances that must stay.
    Inherent,
    /// Not found in the time that was left.
    Unknown,
}

/// Finds out why a snapshot has no admissible placement.
pub fn explain_infeasible(snapshot: &Snapshot, time: std::time::Duration) -> Conflict {
    let begin = std::time::Instant::now();
    let application = &snapshot.application;
    for (i, component) in application.components.iter().enumerate() {
        let id = ComponentId(i as u32);
        if !component.is_free()
            && component.cardinality.min() > 0
            && admissible(application, &snapshot.catalog, id).is_empty()
        {
            return Conflict::NoOffer { component: id, without: without_each_requirement(snapshot, component) };
        }
    }
    // The deletion filter: a rule that can be left out with the conflict still there is left out for good.
    let has_solution = |removed: &[UserRule]| {
        let left = time.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return None;
        }
        let settings = Settings { time_limit: Some(left), ..Settings::default() };
        match solve(&without(snapshot, removed), &settings) {
            Ok(outcome) => match outcome.status {
                Status::Infeasible => Some(false),
                Status::Unknown => None,
                _ => Some(true),
            },
            // Placements exist, only the objective has no value on them.
            Err(crate::SolveError::Undefined(_)) => Some(true),
            Err(_) => None,
        }
    };
    let all = UserRule::all(application);
    match has_solution(&all) {
        Some(true) => {}
        Some(false) => return Conflict::Inherent,
        None => return Conflict::Unknown,
    }
    let mut removed: Vec<UserRule> = Vec::new();
    let mut needed: Vec<UserRule> = Vec::new();
    for rule in all {
        removed.push(rule);
        match has_solution(&removed) {
            Some(false) => {}
            Some(true) => {
                removed.pop();
                needed.push(rule);
            }
            None => return Conflict::Unknown,
        }
    }
    Conflict::Rules(needed)
}

/// For each requirement how many offers would be admissible without it.
fn without_each_requirement(snapshot: &Snapshot, component: &Component) -> Vec<(String, usize)> {
    let application = &snapshot.application;
    let all: Vec<_> = application.offers.iter().chain(&component.requirements).collect();
    let mut counts: Vec<(String, usize)> = all
        .iter()
        .enumerate()
        .map(|(i, requirement)| {
            let others = |o: &cardinal_models::offer::Offer| all.iter().enumerate().all(|(j, r)| i == j || r.admits(o));
            (requirement.text.clone(), snapshot.catalog.offers().iter().filter(|o| others(o)).count())
        })
        .collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    counts
}
