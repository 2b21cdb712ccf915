//! The offers that came next, and what ranks them lower.

use std::cmp::Ordering;
use std::sync::Arc;

use cardinal_models::admissible::{admissible, refusal};
use cardinal_models::application::{Application, Component, ComponentId, Direction, Requirement, Subject, Test};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::offer::Offer;
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Solution;
use cardinal_models::span::Span;
use cardinal_models::tolerance;
use cardinal_models::verify::verify;
use cardinal_models::worth::worth;

use super::Depth;
use super::clock::{Clock, Found};
use super::terms::{Of, terms};
use crate::space::stands_for;

/// Why an offer was not chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Loss {
    /// The placement with it is admissible but no better: its utility and cost.
    Worse {
        /// The utility with the offer.
        utility: f64,
        /// The value of every objective with the offer.
        objectives: Vec<f64>,
        /// The cost per hour with the offer.
        cost: Price,
        /// What ranks it lower.
        decisive: Decisive,
    },
    /// The placement with it breaks a rule: what the checker says.
    Breaks(String),
    /// The offer does not satisfy a requirement of the component: the user's words.
    Refused(String),
}

/// What ranks a placement lower than the chosen one.
#[derive(Clone, Debug, PartialEq)]
pub enum Decisive {
    /// The term of the objective that loses most.
    Term {
        /// The term, in the user's words.
        text: String,
        /// Its value on the chosen placement.
        chosen: f64,
        /// Its value on the other.
        with: f64,
    },
    /// An objective after the first that is worse, while all before it keep to their limits.
    Objective {
        /// The objective, as an index in their order.
        number: usize,
        /// Its value on the chosen placement.
        chosen: f64,
        /// Its value on the other.
        with: f64,
    },
    /// The objectives are equal, and the cost is higher.
    Cost,
    /// Objectives and cost are equal: more nodes, more changes, or only the stable order.
    Order,
}

/// An offer that was not chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternative {
    /// The offer.
    pub offer: OfferIndex,
    /// The number of instances that would be best on it.
    pub cardinality: u32,
    /// Why it lost.
    pub loss: Loss,
    /// What the rest of the placement is with it.
    pub rest: Rest,
}

/// What becomes of the rest of a placement when one component moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It stays as it is.
    Kept,
    /// It is optimised anew.
    Optimised,
}

/// The alternatives to the nodes of one group of the solution.
#[derive(Clone, Debug, PartialEq)]
pub struct Alternatives {
    /// The group, as an index into the placement's.
    pub group: usize,
    /// What came next, best first.
    pub offers: Vec<Alternative>,
}

/// How many of the cheapest admissible offers are tried as alternatives.
const TRIED_OFFERS: usize = 16;
/// How many cardinalities are tried on each.
const TRIED_CARDINALITIES: usize = 8;
/// How many alternatives are given for a group of nodes beside every answer.
const SHOWN_BRIEFLY: usize = 3;
/// How many are given to who asks for an explanation.
const SHOWN: usize = 6;

/// The best other offers for one group of nodes.
pub(super) fn alternatives(
    snapshot: &Snapshot,
    evaluator: &Evaluator<'_>,
    solution: &Solution,
    index: usize,
    depth: Depth,
    clock: &Clock,
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
    let is_uniform = component.hosting == Hosting::Dedicated && component.fleet == Fleet::Uniform;
    let judging = Judging { snapshot, evaluator, solution };
    if depth == Depth::Full && is_uniform {
        let mut best = next_best(&judging, first, group.offer, clock);
        best.extend(near_miss(snapshot, group, component));
        return best;
    }
    let mut offers = admissible(application, catalog, first);
    offers.retain(|o| *o != group.offer && can_host(application, group, &catalog[*o]));
    offers.sort_by(|a, b| catalog[*a].price.cmp(&catalog[*b].price).then_with(|| catalog[*a].id.cmp(&catalog[*b].id)));
    offers.truncate(TRIED_OFFERS);
    let mut tried: Vec<Alternative> = offers
        .into_iter()
        .map(|offer| {
            let placements: Vec<(u32, Placement)> = if is_uniform {
                cardinalities(component, group, &solution.placement, first, &catalog[offer])
                    .into_iter()
                    .map(|n| (n, with_uniform(snapshot, &solution.placement, first, offer, n)))
                    .collect()
            } else {
                vec![(group.count, with_group(snapshot, &solution.placement, index, offer))]
            };
            judge(&judging, offer, placements)
        })
        .collect();
    tried.sort_by(|a, b| match (&a.loss, &b.loss) {
        (Loss::Worse { objectives: x, cost: c, .. }, Loss::Worse { objectives: y, cost: d, .. }) => {
            judging.order(x, y).then_with(|| c.cmp(d))
        }
        (Loss::Worse { .. }, _) => Ordering::Less,
        (_, Loss::Worse { .. }) => Ordering::Greater,
        _ => Ordering::Equal,
    });
    tried.truncate(match depth {
        Depth::Brief => SHOWN_BRIEFLY,
        Depth::Full => SHOWN,
    });
    tried.extend(near_miss(snapshot, group, component));
    tried
}

/// True when a node of the offer has room for what a node of the group hosts, and may host each of it.
fn can_host(application: &Application, group: &NodeGroup, offer: &Offer) -> bool {
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
    offer: &Offer,
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
    let by_zone = snapshot.application[id].counts_zones();
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

/// The placement with one group of nodes on another offer, in the same zone where that has it.
fn with_group(snapshot: &Snapshot, placement: &Placement, index: usize, offer: OfferIndex) -> Placement {
    let mut changed = placement.clone();
    let (before, after) = (&snapshot.catalog[placement.groups[index].offer], &snapshot.catalog[offer]);
    let zone = placement.groups[index].zone.and_then(|zone| before.zones.get(usize::from(zone)));
    let same = zone.and_then(|zone| after.zones.iter().position(|other| other == zone));
    changed.groups[index].offer = offer;
    changed.groups[index].zone = same.map(|at| at as u16);
    changed.normalize();
    changed
}

/// What alternatives are compared with.
struct Judging<'a> {
    snapshot: &'a Snapshot,
    evaluator: &'a Evaluator<'a>,
    solution: &'a Solution,
}

impl Judging<'_> {
    fn worse(&self, placement: &Placement, objectives: Vec<f64>, cost: Price) -> Loss {
        let application = &self.snapshot.application;
        let reached = application.objectives().zip(self.solution.objectives.iter().zip(&objectives));
        let lost = reached.enumerate().find_map(|(number, (objective, (reached, with)))| {
            let beyond = match objective.direction {
                Direction::Maximize => tolerance::less(*with, reached.limit),
                Direction::Minimize => tolerance::less(reached.limit, *with),
            };
            beyond.then_some((number, reached.value, *with))
        });
        let decisive = match lost {
            Some((0, ..)) => self.term(placement),
            Some((number, chosen, with)) => Decisive::Objective { number, chosen, with },
            None if cost > self.solution.cost => Decisive::Cost,
            None => Decisive::Order,
        };
        Loss::Worse { utility: objectives.first().copied().unwrap_or(f64::NAN), objectives, cost, decisive }
    }

    /// Which of two placements with these values is better, that one first: by the first objective that tells them
    /// apart, where what keeps to the limit of an objective is equal in it.
    fn order(&self, a: &[f64], b: &[f64]) -> Ordering {
        let objectives = self.snapshot.application.objectives().zip(&self.solution.objectives);
        let pairs = objectives.zip(a.iter().zip(b)).map(|((objective, reached), (x, y))| {
            let sign = objective.direction.sign();
            let worth = |x: &f64| (sign * x).min(sign * reached.limit);
            (worth(x), worth(y))
        });
        let mut differing = pairs.filter(|(x, y)| !tolerance::equal(*x, *y));
        differing.next().map_or(Ordering::Equal, |(x, y)| y.total_cmp(&x))
    }

    /// The term that loses most by another placement.
    fn term(&self, other: &Placement) -> Decisive {
        let application = &self.snapshot.application;
        let lost = |chosen: f64, with: f64| match application.objective.direction {
            Direction::Maximize => chosen - with,
            Direction::Minimize => with - chosen,
        };
        let all = terms(self.snapshot, self.evaluator);
        let valued = all.iter().filter_map(|term| {
            let chosen = term.value(self.snapshot, self.evaluator, Of::Placement(&self.solution.placement))?;
            Some((term, chosen, term.value(self.snapshot, self.evaluator, Of::Placement(other))?))
        });
        let most = valued.max_by(|a, b| lost(a.1, a.2).total_cmp(&lost(b.1, b.2)));
        most.map_or(Decisive::Order, |(term, chosen, with)| Decisive::Term { text: term.text.clone(), chosen, with })
    }
}

/// The best placements without the chosen offer of a uniform component, then without that of the next, and so on;
/// everything else is optimised anew.
fn next_best(judging: &Judging<'_>, id: ComponentId, chosen: OfferIndex, clock: &Clock) -> Vec<Alternative> {
    let Judging { snapshot, .. } = judging;
    let mut found = Vec::new();
    let mut excluded = vec![snapshot.catalog[chosen].id.clone()];
    while found.len() < SHOWN {
        let mut application = Application::clone(&snapshot.application);
        application.components[id.index()].requirements.push(Requirement {
            subject: Subject::OfferId,
            test: Test::NotText(excluded.clone()),
            text: String::new(),
            span: Span::NONE,
        });
        let without = Snapshot { application: Arc::new(application), ..(*snapshot).clone() };
        let Found::Best(best) = clock.solve(&without) else { break };
        let hosts = |g: &&NodeGroup| g.instances.iter().any(|(c, _)| *c == id);
        // The best may be to have none of it.
        let Some(offer) = best.placement.groups.iter().find(hosts).map(|g| g.offer) else { break };
        excluded.push(snapshot.catalog[offer].id.clone());
        let cardinality = u32::try_from(best.placement.cardinality(id)).unwrap_or(u32::MAX);
        let objectives = best.objectives.iter().map(|one| one.value).collect();
        let loss = judging.worse(&best.placement, objectives, best.cost);
        found.push(Alternative { offer, cardinality, loss, rest: Rest::Optimised });
    }
    found
}

/// The best of some placements on an offer, or the first rule that they break.
fn judge(judging: &Judging<'_>, offer: OfferIndex, placements: Vec<(u32, Placement)>) -> Alternative {
    let Judging { snapshot, evaluator, .. } = judging;
    let application = &snapshot.application;
    let mut best: Option<(u32, Vec<f64>, Price, Placement)> = None;
    let mut broken: Option<(u32, String)> = None;
    for (n, placement) in placements {
        if let Some(violation) = verify(snapshot, &placement).into_iter().next() {
            broken.get_or_insert((n, violation.message));
            continue;
        }
        let Ok(worth) = worth(application, evaluator, &placement) else { continue };
        let cost = snapshot.paid(&placement);
        let improves = best
            .as_ref()
            .is_none_or(|(_, known, c, _)| judging.order(&worth.objectives, known).then(cost.cmp(c)).is_lt());
        if improves {
            best = Some((n, worth.objectives, cost, placement));
        }
    }
    let (cardinality, loss) = match (best, broken) {
        (Some((n, objectives, cost, placement)), _) => (n, judging.worse(&placement, objectives, cost)),
        (None, Some((n, message))) => (n, Loss::Breaks(message)),
        (None, None) => (0, Loss::Breaks("the utility has no value with it".to_owned())),
    };
    Alternative { offer, cardinality, loss, rest: Rest::Kept }
}

/// The cheapest offer that is cheaper than the chosen one and fails a single requirement: what is paid for.
fn near_miss(snapshot: &Snapshot, group: &NodeGroup, component: &Component) -> Option<Alternative> {
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    if catalog[group.offer].configuration.is_some() {
        return None;
    }
    let chosen = catalog[group.offer].price;
    let fails_once = |offer: &Offer| {
        application.offers.iter().chain(&component.requirements).filter(|r| !r.admits(offer)).take(2).count() == 1
    };
    let (offer, details) = catalog
        .iter()
        .filter(|(_, o)| o.price < chosen && fails_once(o))
        .min_by(|(_, a), (_, b)| a.price.cmp(&b.price).then_with(|| a.id.cmp(&b.id)))?;
    let reason = refusal(application, component, details)?.to_string();
    Some(Alternative { offer, cardinality: group.count, loss: Loss::Refused(reason), rest: Rest::Kept })
}
