//! Placements changed so that a rule may break, and plain predicates that say when one does.
//!
//! The predicates count by themselves and know nothing of the checker; they look at one rule each and stay silent on
//! what they do not see.

use cardinal_models::application::{Application, Component, ComponentId};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::division::{DivisionRule, Portion};
use cardinal_models::document::{Fleet, Hosting, SpreadBy};
use cardinal_models::offer::Purchase;
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;

use crate::draw::Draw;

/// A placement that differs in one thing.
pub fn mutate(snapshot: &Snapshot, placement: &Placement, draw: &mut Draw) -> Placement {
    let mut changed = placement.clone();
    if changed.groups.is_empty() {
        return changed;
    }
    let at = draw.number(0, changed.groups.len() as u32 - 1) as usize;
    // One node of the group is changed, the others stay.
    let mut node = changed.groups[at].clone();
    node.count = 1;
    changed.groups[at].count -= 1;
    match draw.number(0, 6) {
        0 => node.count = 0,
        1 => node.count = 2,
        2 => node.offer = OfferIndex(draw.number(0, snapshot.catalog.len() as u32 - 1)),
        3 => node.instances[0].1 += draw.number(1, 3),
        4 => node.instances[0].0 = ComponentId(draw.number(0, snapshot.application.components.len() as u32 - 1)),
        5 => node.zone = Some(draw.number(0, 3) as u16),
        _ => node.instances.clear(),
    }
    changed.groups.push(node);
    changed.normalize();
    changed
}

/// A rule that a placement breaks beyond doubt, in words.
pub fn broken(snapshot: &Snapshot, placement: &Placement) -> Option<&'static str> {
    let application: &Application = &snapshot.application;
    for group in &placement.groups {
        let offer = &snapshot.catalog[group.offer];
        if group.instances.is_empty() {
            return Some("a node is empty");
        }
        if group.zone.is_some_and(|z| usize::from(z) >= offer.zones.len()) {
            return Some("there is no such zone");
        }
        let (mut cores, mut memory) = (0u64, 0u64);
        for (c, n) in &group.instances {
            let component = &application[*c];
            if application.offers.iter().chain(&component.requirements).any(|r| !r.admits(offer)) {
                return Some("an offer does not satisfy a requirement");
            }
            if component.hosting == Hosting::Dedicated && (*n != 1 || group.instances.len() != 1) {
                return Some("a dedicated node is shared");
            }
            if component.per_node.is_some_and(|most| *n > most) {
                return Some("too many instances on a node");
            }
            cores += component.demand.cores.0 * u64::from(*n);
            memory += component.demand.memory.0 * u64::from(*n);
        }
        if cores > offer.cores.0 || memory > offer.memory.0 {
            return Some("a node is too small");
        }
    }
    let ids = (0..application.components.len()).map(|i| ComponentId(i as u32));
    ids.zip(&application.components).find_map(|(id, component)| broken_by(snapshot, placement, id, component))
}

fn broken_by(
    snapshot: &Snapshot,
    placement: &Placement,
    id: ComponentId,
    component: &Component,
) -> Option<&'static str> {
    // Every instance with its offer and zone.
    let mut instances: Vec<(OfferIndex, Option<u16>)> = Vec::new();
    for group in &placement.groups {
        for (_, n) in group.instances.iter().filter(|(c, _)| *c == id) {
            instances.extend((0..n * group.count).map(|_| (group.offer, group.zone)));
        }
    }
    if !component.cardinality.iter().any(|n| n as usize == instances.len()) {
        return Some("a number of instances is not allowed");
    }
    let is_uniform = component.hosting == Hosting::Dedicated && component.fleet == Fleet::Uniform;
    if is_uniform && instances.windows(2).any(|pair| pair[0].0 != pair[1].0) {
        return Some("a uniform fleet is on two offers");
    }
    let place_of = |by: SpreadBy, (offer, zone): &(OfferIndex, Option<u16>)| {
        let o = &snapshot.catalog[*offer];
        match by {
            SpreadBy::Provider => o.provider.to_string(),
            SpreadBy::Country => o.country.to_string(),
            SpreadBy::Region | SpreadBy::Location => format!("{} {}", o.provider, o.region),
            SpreadBy::MachineType => format!("{} {}", o.provider, o.machine_type),
            SpreadBy::Family => format!("{} {}", o.provider, o.family),
            SpreadBy::Zone => {
                let zone = zone.and_then(|z| o.zones.get(usize::from(z)));
                format!("{} {} {}", o.provider, o.region, zone.map_or("", |z| z.as_ref()))
            }
        }
    };
    for rule in &component.spread {
        let places: Vec<String> = instances.iter().map(|i| place_of(rule.by, i)).collect();
        if places.iter().any(|p| places.iter().filter(|q| *q == p).count() > rule.at_most as usize) {
            return Some("too many instances in one place");
        }
    }
    let spot = instances.iter().filter(|(o, _)| snapshot.catalog[*o].purchase == Purchase::Spot).count();
    for division in &component.divisions {
        let in_places = |by: SpreadBy| {
            let mut places: Vec<String> = instances.iter().map(|i| place_of(by, i)).collect();
            places.sort();
            let numbers: Vec<usize> = places.chunk_by(|a, b| a == b).map(<[String]>::len).collect();
            numbers
        };
        // Zones that are not told are left to the checker.
        let is_told = instances.iter().all(|(o, z)| z.is_some() || snapshot.catalog[*o].zones.is_empty());
        let all = instances.len() as f64;
        let over = |n: usize, portion: Portion| match portion {
            Portion::Count(most) => n > most as usize,
            Portion::Share(share) => n as f64 > share.fraction() * all + 1e-6,
        };
        let under = |n: usize, portion: Portion| match portion {
            Portion::Count(least) => n < least as usize,
            Portion::Share(share) => (n as f64) < share.fraction() * all - 1e-6,
        };
        let rule = match division.rule {
            _ if instances.is_empty() => None,
            DivisionRule::Spot { most } => over(spot, most).then_some("too many instances on spot offers"),
            DivisionRule::OnDemand { least } => {
                under(instances.len() - spot, least).then_some("too few instances that are not on spot offers")
            }
            _ if !is_told => None,
            DivisionRule::Places { by, least } => {
                (in_places(by).len() < least as usize).then_some("instances in too few places")
            }
            DivisionRule::Largest { by, most } => {
                let most = Portion::Share(most);
                in_places(by).into_iter().any(|n| over(n, most)).then_some("too large a share in one place")
            }
            DivisionRule::Skew { by, most } => {
                let numbers = in_places(by);
                let difference = numbers.iter().max().zip(numbers.iter().min()).map_or(0, |(a, b)| a - b);
                (difference > most as usize).then_some("places with uneven numbers of instances")
            }
        };
        if rule.is_some() {
            return rule;
        }
    }
    None
}
