//! The best placement by looking at all of them.
//!
//! Every placement of a small snapshot is built, judged by `cardinal_models::verify` and valued by the exact evaluator.
//! The parts of a placement (the nodes of one dedicated component, or those of the shared pool) are listed apart; a part
//! that breaks a rule which no other part can mend is left out at once, again on the word of the checker alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cardinal_models::application::{ComponentId, Structure};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::evaluate::{EvaluationError, Evaluator};
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{NodeGroup, Placement, Setting, SettingValue};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::verify::{Rule, Violation, verify};
use cardinal_models::worth::worth;

/// The largest number of placements that is looked at.
pub const MOST_PLACEMENTS: usize = 60_000;

/// There are more placements than [`MOST_PLACEMENTS`]: the model is too large for this oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// What decides among placements of equal utility, the smallest first: cost in nano-units, nodes, running nodes kept.
pub type Key = (i64, u64, Reverse<u64>);

/// What enumeration finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// No placement is admissible.
    Infeasible,
    /// Some placements are admissible, and the objective has a value on none of them.
    Undefined(EvaluationError),
    /// The best.
    Best(Best),
}

/// The best utility, and the best of what decides among equals.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// The best value of the first objective.
    pub utility: f64,
    /// The best value of each objective, among the placements that keep to the limits of those before it.
    pub objectives: Vec<f64>,
    /// The same where what a solver's tolerances may blur is within the limits.
    pub blurred: Vec<f64>,
    /// The best key among the placements whose utility is the same to the last digits.
    pub strict: Key,
    /// The best key among those whose utility is the same but for what a solver's tolerances may blur.
    pub loose: Key,
    /// One of the best placements.
    pub placement: Placement,
    /// How many placements are admissible.
    pub admissible: usize,
}

/// How many of the nodes that run now are also wanted.
pub fn kept(snapshot: &Snapshot, placement: &Placement) -> u64 {
    let count = |placement: &Placement| {
        let mut nodes: BTreeMap<(OfferIndex, Vec<(ComponentId, u32)>), u64> = BTreeMap::new();
        for group in &placement.groups {
            let mut instances = group.instances.clone();
            instances.sort_unstable();
            *nodes.entry((group.offer, instances)).or_default() += u64::from(group.count);
        }
        nodes
    };
    let Some(current) = &snapshot.current else { return 0 };
    let wanted = count(placement);
    count(&current.placement).iter().map(|(node, n)| wanted.get(node).map_or(0, |w| *w.min(n))).sum()
}

/// What decides among equals, of one placement.
pub fn key(snapshot: &Snapshot, placement: &Placement) -> Key {
    (snapshot.paid(placement).nanos(), placement.nodes(), Reverse(kept(snapshot, placement)))
}

/// Looks at every placement of a snapshot.
///
/// # Errors
///
/// When there are more than [`MOST_PLACEMENTS`].
pub fn best(snapshot: &Snapshot) -> Result<Verdict, TooLarge> {
    let application = &snapshot.application;
    let evaluator = Evaluator::new(snapshot);
    let mut valued: Vec<(Vec<f64>, Placement)> = Vec::new();
    let mut undefined = None;
    for placement in admissible(snapshot)? {
        match worth(application, &evaluator, &placement) {
            Ok(worth) => valued.push((worth.objectives, placement)),
            Err(error) => undefined = Some(error),
        }
    }
    Ok(judge(snapshot, valued, undefined))
}

/// Every admissible placement of a snapshot, whether or not the objectives have a value on it.
///
/// # Errors
///
/// When there are more than [`MOST_PLACEMENTS`] placements, admissible or not.
pub fn admissible(snapshot: &Snapshot) -> Result<Vec<Placement>, TooLarge> {
    let mut parts: Vec<Vec<Placement>> = Vec::new();
    let application = &snapshot.application;
    for (i, component) in application.components.iter().enumerate() {
        if component.hosting == Hosting::Dedicated {
            parts.push(dedicated(snapshot, ComponentId(i as u32))?);
        }
    }
    if application.components.iter().any(|c| c.hosting == Hosting::Shared) {
        parts.push(pool(snapshot)?);
    }
    let total = parts.iter().try_fold(1usize, |n, part| n.checked_mul(part.len()));
    let total = total.filter(|n| *n <= MOST_PLACEMENTS).ok_or(TooLarge)?;
    let mut found = Vec::new();
    for number in 0..total {
        let mut rest = number;
        let mut placement = Placement::default();
        for part in &parts {
            placement.groups.extend(part[rest % part.len()].groups.iter().cloned());
            placement.settings.extend(part[rest % part.len()].settings.iter().cloned());
            rest /= part.len();
        }
        placement.normalize();
        found.extend(Some(placement).filter(|placement| verify(snapshot, placement).is_empty()));
    }
    Ok(found)
}

fn judge(snapshot: &Snapshot, valued: Vec<(Vec<f64>, Placement)>, undefined: Option<EvaluationError>) -> Verdict {
    let admissible = valued.len();
    if admissible == 0 {
        return undefined.map_or(Verdict::Infeasible, Verdict::Undefined);
    }
    let (objectives, left) = in_order(snapshot, &valued, 1e-13, 0.0);
    let (blurred, more) = in_order(snapshot, &valued, 1e-6, 1e-8);
    let least = |left: &[&(Vec<f64>, Placement)]| left.iter().map(|(_, p)| key(snapshot, p)).min();
    let placement = left.first().map_or_else(Placement::default, |(_, placement)| placement.clone());
    let strict = least(&left).unwrap_or_else(|| key(snapshot, &placement));
    let loose = least(&more).unwrap_or(strict);
    let utility = objectives.first().copied().unwrap_or(f64::NAN);
    Verdict::Best(Best { utility, objectives, blurred, strict, loose, placement, admissible })
}

/// The best value of each objective, one after the other, and the placements that keep to the limits of all of them: a
/// limit is overstepped by no more than a share of its size, or an amount.
fn in_order<'v>(
    snapshot: &Snapshot,
    valued: &'v [(Vec<f64>, Placement)],
    share: f64,
    absolute: f64,
) -> (Vec<f64>, Vec<&'v (Vec<f64>, Placement)>) {
    let mut left: Vec<&(Vec<f64>, Placement)> = valued.iter().collect();
    let mut objectives = Vec::new();
    let count = snapshot.application.objectives().count();
    for (i, objective) in snapshot.application.objectives().enumerate() {
        let sign = objective.direction.sign();
        let best = left.iter().map(|(values, _)| sign * values[i]).fold(f64::NEG_INFINITY, f64::max);
        let given = if i + 1 == count { 0.0 } else { objective.tolerance.amount(best) };
        let limit = best - given;
        let least = limit - (share * limit.abs()).max(absolute);
        left.retain(|(values, _)| sign * values[i] >= least);
        objectives.push(sign * best);
    }
    (objectives, left)
}

/// The rules that no other part of a placement can mend.
fn is_own(snapshot: &Snapshot, violation: &Violation) -> bool {
    match violation.rule {
        Rule::WellFormed
        | Rule::Admissible
        | Rule::Dedicated
        | Rule::NotEmpty
        | Rule::PerNode
        | Rule::Capacity
        | Rule::OperatingSystem
        | Rule::Uniform
        | Rule::Spread
        | Rule::Zone => true,
        Rule::Structure => {
            let rule = snapshot.application.structure.iter().find(|r| r.name.as_ref() == violation.name);
            rule.is_some_and(|r| {
                matches!(
                    r.rule,
                    Structure::Conflict { .. }
                        | Structure::Colocate(_)
                        | Structure::EveryNode { .. }
                        | Structure::Together(_)
                )
            })
        }
        Rule::Cardinality
        | Rule::Choice
        | Rule::Skew
        | Rule::Diversify
        | Rule::Purchase
        | Rule::Quota
        | Rule::Constraint
        | Rule::Moveable
        | Rule::Objective => false,
    }
}

/// True when the part can belong to an admissible placement, as far as the part alone tells.
fn may_stand(snapshot: &Snapshot, part: &Placement, components: &[ComponentId]) -> bool {
    let own_names = |v: &Violation| {
        let is_of_one = matches!(
            v.rule,
            Rule::Cardinality | Rule::Choice | Rule::Skew | Rule::Diversify | Rule::Purchase | Rule::Moveable
        );
        is_of_one && components.iter().any(|c| snapshot.application[*c].name.as_ref() == v.name)
    };
    !verify(snapshot, part).iter().any(|v| is_own(snapshot, v) || own_names(v))
}

/// The zones to choose from on an offer: its own where zones are counted, else none in particular.
fn zones(snapshot: &Snapshot, offer: OfferIndex, by_zone: bool) -> Vec<Option<u16>> {
    let zones = snapshot.catalog[offer].zones.len() as u16;
    if by_zone && zones > 0 { (0..zones).map(Some).collect() } else { vec![None] }
}

fn dedicated(snapshot: &Snapshot, id: ComponentId) -> Result<Vec<Placement>, TooLarge> {
    let component = &snapshot.application[id];
    if component.is_free() {
        return free(snapshot, id);
    }
    let by_zone = component.counts_zones();
    let node = |offer, zone| NodeGroup { offer, zone, instances: vec![(id, 1)], count: 1 };
    let of_offer = |offer: OfferIndex| zones(snapshot, offer, by_zone).into_iter().map(move |z| node(offer, z));
    let offers = || snapshot.catalog.iter().map(|(index, _)| index);
    let kinds: Vec<Vec<NodeGroup>> = match component.fleet {
        Fleet::Uniform => offers().map(|offer| of_offer(offer).collect()).collect(),
        Fleet::Mixed => vec![offers().flat_map(of_offer).collect()],
    };
    let mut found = vec![Placement::default()];
    for kinds in kinds {
        let kinds: Vec<NodeGroup> = kinds.into_iter().filter(|k| node_may_stand(snapshot, k)).collect();
        let mut most = vec![0; snapshot.application.components.len()];
        most[id.index()] = component.cardinality.max();
        multisets(&kinds, &mut most, &mut Vec::new(), &mut found)?;
    }
    found.retain(|part| may_stand(snapshot, part, &[id]));
    Ok(found)
}

/// Every combination of numbers of instances and values of free attributes.
fn free(snapshot: &Snapshot, id: ComponentId) -> Result<Vec<Placement>, TooLarge> {
    let component = &snapshot.application[id];
    let counts = component.cardinality.iter().map(f64::from).collect();
    let mut choices: Vec<(Attribute, Vec<f64>)> = vec![(Attribute::Cardinality, counts)];
    choices.extend(component.attributes().iter().map(|free| (free.attribute.clone(), free.domain.iter().collect())));
    let mut found = vec![Placement::default()];
    for (attribute, values) in choices {
        if found.len().saturating_mul(values.len()) > MOST_PLACEMENTS {
            return Err(TooLarge);
        }
        let with = |placement: &Placement, value: &f64| {
            let mut placement = placement.clone();
            let setting = Setting { component: id, attribute: attribute.clone(), value: SettingValue(*value) };
            placement.settings.push(setting);
            placement
        };
        found = found.iter().flat_map(|p| values.iter().map(|v| with(p, v)).collect::<Vec<_>>()).collect();
    }
    found.retain(|part| may_stand(snapshot, part, &[id]));
    Ok(found)
}

fn node_may_stand(snapshot: &Snapshot, node: &NodeGroup) -> bool {
    let alone = Placement::of(vec![node.clone()]);
    !verify(snapshot, &alone).iter().any(|v| is_own(snapshot, v))
}

fn pool(snapshot: &Snapshot) -> Result<Vec<Placement>, TooLarge> {
    let application = &snapshot.application;
    let ids = (0..application.components.len()).map(|i| ComponentId(i as u32));
    let shared: Vec<ComponentId> = ids.filter(|c| application[*c].hosting == Hosting::Shared).collect();
    let by_zone = application.pool_counts_zones();
    let mut loads: Vec<Vec<(ComponentId, u32)>> = vec![Vec::new()];
    for c in &shared {
        let more = |load: &Vec<(ComponentId, u32)>| {
            let load = load.clone();
            (0..=application[*c].cardinality.max()).map(move |n| {
                let mut load = load.clone();
                load.extend((n > 0).then_some((*c, n)));
                load
            })
        };
        loads = loads.iter().flat_map(more).collect();
    }
    let mut kinds: Vec<NodeGroup> = Vec::new();
    for (offer, _) in snapshot.catalog.iter() {
        for instances in loads.iter().filter(|l| !l.is_empty()) {
            for zone in zones(snapshot, offer, by_zone) {
                let node = NodeGroup { offer, zone, instances: instances.clone(), count: 1 };
                kinds.extend(Some(node).filter(|n| node_may_stand(snapshot, n)));
            }
        }
    }
    let mut most: Vec<u32> = application
        .components
        .iter()
        .map(|c| if c.hosting == Hosting::Shared { c.cardinality.max() } else { 0 })
        .collect();
    let mut found = vec![Placement::default()];
    multisets(&kinds, &mut most, &mut Vec::new(), &mut found)?;
    found.retain(|part| may_stand(snapshot, part, &shared));
    Ok(found)
}

/// Every non-empty multiset of kinds of node with at most so many instances of each component.
fn multisets(
    kinds: &[NodeGroup],
    most: &mut [u32],
    chosen: &mut Vec<NodeGroup>,
    found: &mut Vec<Placement>,
) -> Result<(), TooLarge> {
    let Some((first, rest)) = kinds.split_first() else { return Ok(()) };
    multisets(rest, most, chosen, found)?;
    let mut count = 0;
    while first.instances.iter().all(|(c, n)| most[c.index()] >= *n) {
        first.instances.iter().for_each(|(c, n)| most[c.index()] -= n);
        count += 1;
        chosen.push(NodeGroup { count, ..first.clone() });
        if found.len() >= MOST_PLACEMENTS {
            return Err(TooLarge);
        }
        found.push(Placement::of(chosen.clone()));
        multisets(rest, most, chosen, found)?;
        chosen.pop();
    }
    first.instances.iter().for_each(|(c, n)| most[c.index()] += n * count);
    Ok(())
}
