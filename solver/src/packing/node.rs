//! What one shared node can host, as a knapsack: items, bins, and which items may meet.

use cardinal_models::application::{Application, ComponentId, Demand};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::SpreadBy;
use cardinal_models::offer::Offer;
use cardinal_models::snapshot::Snapshot;

use crate::covered::mask;
use crate::division::told_apart;
use crate::pattern::{NodeRules, Pattern, shared_components};
use crate::space::{Space, place_of};
use rustc_hash::FxHashMap;

/// The number of resources of a node: cores, memory, disk, GPUs.
pub(crate) const RESOURCES: usize = 4;

/// The largest number of ways in which the rules on every node can be kept.
const MOST_MODES: usize = 64;

/// What is put on nodes: one instance of each of some components that always go together, mostly of one.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub components: Vec<ComponentId>,
    /// In milli-cores, bytes, bytes, devices.
    pub demand: [u64; RESOURCES],
}

/// A kind of node: an offer, in a zone where zones are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Bin {
    pub offer: OfferIndex,
    pub zone: Option<u16>,
    pub capacity: [u64; RESOURCES],
    /// At most so many of each item, by its own limit, its admission and its size.
    pub most: Vec<u32>,
    /// Bins of one class are told apart by no row of the program but for their price.
    pub class: u32,
}

/// One way to keep the rules on every node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mode {
    /// Items of which there must be at least one.
    pub required: Vec<usize>,
    /// Items of which there must be none.
    pub forbidden: Vec<usize>,
}

/// Everything about single nodes.
#[derive(Clone, Debug)]
pub(crate) struct NodeModel {
    pub items: Vec<Item>,
    /// Cheapest first, then by the offer's id.
    pub bins: Vec<Bin>,
    /// For each item those that never share a node with it.
    pub conflicts: Vec<Vec<usize>>,
    /// Every item once, in groups of which no two members meet on one node.
    pub cliques: Vec<Vec<usize>>,
    pub modes: Vec<Mode>,
    /// True when removing instances from an admissible node leaves an admissible node.
    pub closed: bool,
}

pub(super) fn amounts(demand: &Demand) -> [u64; RESOURCES] {
    [demand.cores.0, demand.memory.0, demand.disk.0, u64::from(demand.gpus)]
}

fn capacities(offer: &Offer) -> [u64; RESOURCES] {
    [offer.cores.0, offer.memory.0, offer.disk.map_or(u64::MAX, |d| d.0), u64::from(offer.gpus)]
}

impl NodeModel {
    /// The nodes of a pool, of which `wanted` tells how many instances of a component a placement may need at most;
    /// `None` when the rules on every node can be kept in too many ways.
    pub(crate) fn of(snapshot: &Snapshot, space: &Space, wanted: impl Fn(ComponentId) -> u32) -> Option<NodeModel> {
        let application = &snapshot.application;
        let shared: Vec<ComponentId> =
            shared_components(application).into_iter().filter(|c| application[*c].cardinality.max() > 0).collect();
        let rules = NodeRules::of(application, &shared);
        let item_of = joined(shared.len(), &rules.colocate);
        let count = item_of.iter().max().map_or(0, |m| m + 1);
        let mut items = vec![Item { components: Vec::new(), demand: [0; RESOURCES] }; count];
        let mut most = vec![u32::MAX; count];
        for (position, component) in shared.iter().enumerate() {
            let (item, details) = (&mut items[item_of[position]], &application[*component]);
            item.components.push(*component);
            for (sum, x) in item.demand.iter_mut().zip(amounts(&details.demand)) {
                *sum = sum.saturating_add(x);
            }
            let limit = details.per_node.unwrap_or(u32::MAX).min(wanted(*component));
            most[item_of[position]] = most[item_of[position]].min(limit);
        }
        let mut meets = vec![vec![true; count]; count];
        for (a, b) in &rules.conflicts {
            let (a, b) = (item_of[*a], item_of[*b]);
            (meets[a][b], meets[b][a]) = (false, false);
            if a == b {
                most[a] = 0;
            }
        }
        let conflicts: Vec<Vec<usize>> =
            (0..count).map(|a| (0..count).filter(|b| *b != a && !meets[a][*b]).collect()).collect();
        let cliques = cliques(&conflicts, &meets);
        let modes = modes(&rules, &item_of)?;
        // More room than all instances together need is worth nothing.
        let mut total = [0u64; RESOURCES];
        for component in &shared {
            for (sum, x) in total.iter_mut().zip(amounts(&application[*component].demand)) {
                *sum = sum.saturating_add(x.saturating_mul(u64::from(wanted(*component))));
            }
        }
        let bins = without_dominated(bins(snapshot, space, &shared, &items, &most), &total);
        Some(NodeModel { items, bins, conflicts, cliques, modes, closed: rules.closed_under_removal() })
    }

    /// True when the counts are an admissible node of the bin.
    pub(crate) fn allows(&self, bin: &Bin, counts: &[u32]) -> bool {
        let fits = (0..RESOURCES).all(|r| {
            let used = counts
                .iter()
                .zip(&self.items)
                .fold(0u64, |sum, (n, item)| sum.saturating_add(u64::from(*n).saturating_mul(item.demand[r])));
            used <= bin.capacity[r]
        });
        let within = counts.iter().zip(&bin.most).all(|(n, most)| n <= most);
        let apart = (0..counts.len()).all(|i| counts[i] == 0 || self.conflicts[i].iter().all(|j| counts[*j] == 0));
        let holds = |mode: &Mode| {
            mode.required.iter().all(|i| counts[*i] > 0) && mode.forbidden.iter().all(|i| counts[*i] == 0)
        };
        fits && within && apart && counts.iter().any(|n| *n > 0) && self.modes.iter().any(holds)
    }

    /// The pattern of some counts on a bin.
    pub(crate) fn pattern(&self, bin: &Bin, counts: &[u32]) -> Pattern {
        let mut instances: Vec<(ComponentId, u32)> = Vec::new();
        for (n, item) in counts.iter().zip(&self.items).filter(|(n, _)| **n > 0) {
            instances.extend(item.components.iter().map(|c| (*c, *n)));
        }
        instances.sort_unstable();
        Pattern { instances, offer: bin.offer, zone: bin.zone }
    }

    /// The bins of a class that hold the counts, the cheapest first; the bin itself is among them.
    pub(crate) fn cheapest(&self, bin: usize, counts: &[u32]) -> usize {
        let class = self.bins[bin].class;
        let holds = |b: &Bin| b.class == class && self.allows(b, counts);
        self.bins[..bin].iter().position(holds).unwrap_or(bin)
    }
}

/// For each of some positions the number of the set that it is in, when overlapping groups are one set.
fn joined(count: usize, groups: &[Vec<usize>]) -> Vec<usize> {
    let mut set: Vec<usize> = (0..count).collect();
    for group in groups {
        for pair in group.windows(2) {
            let (keep, drop) = (set[pair[0]].min(set[pair[1]]), set[pair[0]].max(set[pair[1]]));
            set.iter_mut().filter(|s| **s == drop).for_each(|s| *s = keep);
        }
    }
    let mut names: Vec<usize> = set.clone();
    names.sort_unstable();
    names.dedup();
    set.iter().map(|s| names.partition_point(|n| n < s)).collect()
}

/// Covers the items by groups of pairwise conflicting ones, greedily.
fn cliques(conflicts: &[Vec<usize>], meets: &[Vec<bool>]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..conflicts.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(conflicts[*i].len()));
    let mut cliques: Vec<Vec<usize>> = Vec::new();
    for item in order {
        let fitting = cliques.iter_mut().find(|clique| clique.iter().all(|other| !meets[item][*other]));
        match fitting {
            Some(clique) => clique.push(item),
            None => cliques.push(vec![item]),
        }
    }
    cliques
}

/// Every combination of what satisfies the rules on every node.
fn modes(rules: &NodeRules, item_of: &[usize]) -> Option<Vec<Mode>> {
    let mut modes = vec![Mode::default()];
    for (component, unless) in &rules.every_node {
        let members: Vec<usize> = std::iter::once(component).chain(unless).map(|c| item_of[*c]).collect();
        let mut next = Vec::new();
        for mode in &modes {
            for chosen in 0..members.len() {
                let mut grown = mode.clone();
                grown.required.push(members[chosen]);
                grown.forbidden.extend((0..members.len()).filter(|i| *i != chosen).map(|i| members[i]));
                for list in [&mut grown.required, &mut grown.forbidden] {
                    list.sort_unstable();
                    list.dedup();
                }
                if !grown.required.iter().any(|i| grown.forbidden.contains(i)) {
                    next.push(grown);
                }
            }
        }
        modes = next;
        if modes.len() > MOST_MODES {
            return None;
        }
    }
    Some(modes)
}

/// The bins of a pool, cheapest first; `class` names what rules can tell of an offer in a zone.
pub(super) fn bins_of(
    snapshot: &Snapshot,
    space: &Space,
    items: &[Item],
    limits: &[u32],
    class: &dyn Fn(&Offer, Option<u16>) -> String,
) -> Vec<Bin> {
    bins_in(snapshot, space, items, limits, class, false)
}

fn bins(snapshot: &Snapshot, space: &Space, shared: &[ComponentId], items: &[Item], limits: &[u32]) -> Vec<Bin> {
    let application = &snapshot.application;
    let by_zone = application.pool_counts_zones();
    let class = |offer: &Offer, zone: Option<u16>| class_key(application, space, shared, offer, zone);
    bins_in(snapshot, space, items, limits, &class, by_zone)
}

fn bins_in(
    snapshot: &Snapshot,
    space: &Space,
    items: &[Item],
    limits: &[u32],
    class: &dyn Fn(&Offer, Option<u16>) -> String,
    by_zone: bool,
) -> Vec<Bin> {
    let catalog = &snapshot.catalog;
    let mut classes: FxHashMap<String, u32> = FxHashMap::default();
    let mut order: Vec<usize> = (0..space.pool.offers.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&catalog[space.pool.offers[*a]], &catalog[space.pool.offers[*b]]);
        a.price.cmp(&b.price).then_with(|| a.id.cmp(&b.id))
    });
    let mut bins = Vec::new();
    for at in order {
        let (index, admits) = (space.pool.offers[at], &space.pool_admits[at]);
        let offer = &catalog[index];
        let capacity = capacities(offer);
        let most: Vec<u32> = items
            .iter()
            .zip(limits)
            .map(|(item, limit)| {
                if !item.components.iter().all(|c| admits[c.index()]) {
                    return 0;
                }
                let room = (0..RESOURCES).filter(|r| item.demand[*r] > 0).map(|r| capacity[r] / item.demand[r]);
                room.fold(u64::from(*limit), u64::min) as u32
            })
            .collect();
        if most.iter().all(|n| *n == 0) {
            continue;
        }
        let zones: Vec<Option<u16>> = match by_zone && !offer.zones.is_empty() {
            true => (0..offer.zones.len() as u16).map(Some).collect(),
            false => vec![None],
        };
        for zone in zones {
            let next = classes.len() as u32;
            let class = *classes.entry(class(offer, zone)).or_insert(next);
            bins.push(Bin { offer: index, zone, capacity, most: most.clone(), class });
        }
    }
    bins
}

/// Drops a bin when an earlier one, which is at most as dear, holds whatever it holds.
pub(super) fn without_dominated(bins: Vec<Bin>, total: &[u64; RESOURCES]) -> Vec<Bin> {
    let mut kept: Vec<Bin> = Vec::new();
    for bin in bins {
        let holds_as_much = |other: &Bin| {
            let room = (0..RESOURCES).all(|r| other.capacity[r] >= bin.capacity[r].min(total[r]));
            other.class == bin.class && room && other.most.iter().zip(&bin.most).all(|(a, b)| a >= b)
        };
        if !kept.iter().any(holds_as_much) {
            kept.push(bin);
        }
    }
    kept
}

/// What quotas, spread rules and formulas can tell of an offer beside its price, and the price too where dear may be
/// better.
fn class_key(
    application: &Application,
    space: &Space,
    shared: &[ComponentId],
    offer: &Offer,
    zone: Option<u16>,
) -> String {
    let mut key = format!("{zone:?}");
    for quota in &application.quotas {
        key.push(if quota.matches.iter().all(|r| r.admits(offer)) { '1' } else { '0' });
    }
    key.push_str(&format!("{:?}", mask(application, offer)));
    if application.quotas.iter().any(|q| q.cores.is_some() || q.memory.is_some() || q.gpus.is_some()) {
        key.push_str(&format!("{:?}{:?}{}", offer.cores, offer.memory, offer.gpus));
    }
    if !space.pool_price_falls {
        key.push_str(&format!("{:?}", offer.price));
    }
    for told in shared.iter().flat_map(|c| told_apart(&application[*c], offer)) {
        key.push('\u{2}');
        key.push_str(&told);
    }
    if application.pool_counts_zones() {
        key.push_str(&place_of(SpreadBy::Zone, offer));
    }
    if shared.iter().any(|c| !application[*c].moveable) {
        key.push_str(&offer.id);
    }
    key
}
