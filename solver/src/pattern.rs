//! Node patterns of the shared pool: which instances one node can host, on its cheapest offer.
//!
//! Identical nodes are interchangeable, so the solver counts how often a pattern is used and never names a node. This
//! removes the symmetry that defeats assignment models. (The set-covering view of Gilmore and Gomory, A linear
//! programming approach to the cutting-stock problem, Operations Research 9, 1961.)

use cardinal_models::application::{Application, ComponentId, Demand, Quota, Structure};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::document::{Hosting, SpreadBy};
use cardinal_models::offer::Offer;
use cardinal_models::quantity::{Bytes, Cores};
use cardinal_models::snapshot::Snapshot;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::covered::mask;
use crate::division::told_apart;
use crate::space::{Space, place_of};

/// The largest number of patterns that is listed.
pub const MOST_PATTERNS: usize = 60_000;

/// With at most this many patterns all of them are listed, even where the maximal ones would do.
const FEW_PATTERNS: usize = 1_000;

/// The largest number of steps in which patterns are searched: a fraction of a second.
const MOST_STEPS: usize = 3_000_000;

/// The largest number of shared components; the listing recurses once for each.
const MOST_SHARED: usize = 1_000;

/// A node of the shared pool: what it hosts, on what it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    /// Instances by component, ascending, each count at least 1.
    pub instances: Vec<(ComponentId, u32)>,
    /// The offer.
    pub offer: OfferIndex,
    /// The zone, where a spread rule counts by zone.
    pub zone: Option<u16>,
}

impl Pattern {
    /// The number of instances of a component on one such node.
    pub fn count(&self, component: ComponentId) -> u32 {
        self.instances.iter().find(|(c, _)| *c == component).map_or(0, |(_, n)| *n)
    }
}

/// How the patterns stand for nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Every pattern is listed: a node hosts exactly what its pattern says.
    Every,
    /// Only patterns to which nothing can be added are listed: a node hosts at most what its pattern says.
    Maximal,
}

/// The patterns of a pool.
#[derive(Clone, Debug)]
pub struct Patterns {
    /// The patterns, in a stable order.
    pub list: Vec<Pattern>,
    /// What they stand for.
    pub listing: Listing,
}

/// There are more patterns than can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyPatterns;

/// What a node must not host together, and what it must.
#[derive(Debug, Default)]
pub(crate) struct NodeRules {
    /// Unordered pairs that never meet, by position among the shared components.
    pub(crate) conflicts: FxHashSet<(usize, usize)>,
    pub(crate) colocate: Vec<Vec<usize>>,
    pub(crate) every_node: Vec<(usize, Vec<usize>)>,
}

impl NodeRules {
    pub(crate) fn of(application: &Application, shared: &[ComponentId]) -> Self {
        let position: FxHashMap<ComponentId, usize> = shared.iter().enumerate().map(|(i, c)| (*c, i)).collect();
        let places = |list: &[ComponentId]| list.iter().filter_map(|c| position.get(c).copied()).collect::<Vec<_>>();
        let mut rules = NodeRules::default();
        let mut conflict = |a: usize, b: usize| {
            if a != b {
                rules.conflicts.insert((a.min(b), a.max(b)));
            }
        };
        for (a, first) in shared.iter().enumerate() {
            for (b, second) in shared.iter().enumerate().skip(a + 1) {
                let (x, y) = (&application[*first].os, &application[*second].os);
                if !x.is_empty() && !y.is_empty() && !x.iter().any(|os| y.contains(os)) {
                    conflict(a, b);
                }
            }
        }
        for rule in &application.structure {
            if let Structure::Conflict { component, with } = &rule.rule {
                for other in places(with) {
                    places(&[*component]).into_iter().for_each(|c| conflict(c, other));
                }
            }
        }
        for rule in &application.structure {
            match &rule.rule {
                Structure::Colocate(list) => rules.colocate.push(places(list)),
                Structure::EveryNode { component, unless } => {
                    rules.every_node.extend(places(&[*component]).into_iter().map(|c| (c, places(unless))));
                }
                _ => {}
            }
        }
        rules
    }

    /// True when removing instances from an admissible node leaves an admissible node.
    pub(crate) fn closed_under_removal(&self) -> bool {
        self.colocate.is_empty() && self.every_node.is_empty()
    }

    fn allows_beside(&self, counts: &[u32], added: usize) -> bool {
        counts.iter().enumerate().all(|(other, n)| {
            *n == 0 || other == added || !self.conflicts.contains(&(other.min(added), other.max(added)))
        })
    }

    fn allows_node(&self, counts: &[u32]) -> bool {
        let alike = self.colocate.iter().all(|group| group.windows(2).all(|w| counts[w[0]] == counts[w[1]]));
        alike
            && self.every_node.iter().all(|(component, unless)| {
                let exceptions = unless.iter().filter(|u| counts[**u] > 0).count();
                exceptions + usize::from(counts[*component] > 0) == 1
            })
    }
}

/// What is used of a node, in exact units.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    cores: u64,
    memory: u64,
    disk: u64,
    gpus: u64,
}

impl Load {
    fn plus(self, demand: &Demand) -> Load {
        Load {
            cores: self.cores.saturating_add(demand.cores.0),
            memory: self.memory.saturating_add(demand.memory.0),
            disk: self.disk.saturating_add(demand.disk.0),
            gpus: self.gpus.saturating_add(u64::from(demand.gpus)),
        }
    }

    fn fits(&self, offer: &Offer) -> bool {
        Cores(self.cores) <= offer.cores
            && Bytes(self.memory) <= offer.memory
            && offer.disk.is_none_or(|d| Bytes(self.disk) <= d)
            && self.gpus <= u64::from(offer.gpus)
    }
}

/// One group of offers that no rule tells apart, cheapest first.
struct OfferGroup<'a> {
    offers: Vec<(OfferIndex, &'a Offer, &'a [bool])>,
    zones: Vec<Option<u16>>,
}

struct Lister<'a> {
    shared: &'a [ComponentId],
    demands: Vec<Demand>,
    most: Vec<u32>,
    rules: NodeRules,
    found: Vec<Pattern>,
    /// Steps of the search that are left; what needs more is given up like too many patterns.
    steps: usize,
    limit: usize,
    listing: Listing,
}

impl Lister<'_> {
    /// The first offer of the group, from `from` on, that has room for the load and admits every hosted component.
    fn cheapest(&self, group: &OfferGroup<'_>, from: usize, load: &Load, counts: &[u32]) -> Option<usize> {
        (from..group.offers.len()).find(|i| {
            let (_, offer, admits) = &group.offers[*i];
            load.fits(offer) && counts.iter().zip(self.shared).all(|(n, c)| *n == 0 || admits[c.index()])
        })
    }

    fn instances(&self, counts: &[u32]) -> Vec<(ComponentId, u32)> {
        counts.iter().zip(self.shared).filter(|(n, _)| **n > 0).map(|(n, c)| (*c, *n)).collect()
    }

    fn step(&mut self) -> Result<(), TooManyPatterns> {
        self.steps = self.steps.checked_sub(1).ok_or(TooManyPatterns)?;
        Ok(())
    }

    fn add(&mut self, group: &OfferGroup<'_>, at: usize, counts: &[u32]) -> Result<(), TooManyPatterns> {
        let (offer, details, _) = group.offers[at];
        let by_zone = !group.zones.is_empty() && !details.zones.is_empty();
        let zones = if by_zone { &group.zones[..details.zones.len().min(group.zones.len())] } else { &[None] };
        for zone in zones {
            if self.found.len() >= self.limit {
                return Err(TooManyPatterns);
            }
            self.found.push(Pattern { instances: self.instances(counts), offer, zone: *zone });
        }
        Ok(())
    }

    /// Lists every node that a group of offers can host, each on its cheapest offer.
    fn list_every(
        &mut self,
        group: &OfferGroup<'_>,
        at: usize,
        from: usize,
        load: Load,
        counts: &mut Vec<u32>,
    ) -> Result<(), TooManyPatterns> {
        self.step()?;
        if at == self.shared.len() {
            if counts.iter().any(|n| *n > 0) && self.rules.allows_node(counts) {
                self.add(group, from, counts)?;
            }
            return Ok(());
        }
        let (mut load, mut from) = (load, from);
        self.list_every(group, at + 1, from, load, counts)?;
        if self.rules.allows_beside(counts, at) {
            for n in 1..=self.most[at] {
                load = load.plus(&self.demands[at]);
                counts[at] = n;
                // More load never makes a cheaper offer possible, so the search goes on from the last one.
                match self.cheapest(group, from, &load, counts) {
                    Some(found) => from = found,
                    None => break,
                }
                self.list_every(group, at + 1, from, load, counts)?;
            }
        }
        counts[at] = 0;
        Ok(())
    }

    /// Lists the nodes of one offer to which nothing can be added.
    fn list_maximal(
        &mut self,
        group: &OfferGroup<'_>,
        offer: usize,
        at: usize,
        load: Load,
        counts: &mut Vec<u32>,
    ) -> Result<(), TooManyPatterns> {
        let (_, details, admits) = group.offers[offer];
        self.step()?;
        if at == self.shared.len() {
            let can_grow = (0..self.shared.len()).any(|i| {
                counts[i] < self.most[i]
                    && admits[self.shared[i].index()]
                    && self.rules.allows_beside(counts, i)
                    && load.plus(&self.demands[i]).fits(details)
            });
            // A pattern that fits a cheaper offer is listed there.
            let is_cheapest = self.cheapest(group, 0, &load, counts) == Some(offer);
            if !can_grow && is_cheapest && counts.iter().any(|n| *n > 0) {
                self.add(group, offer, counts)?;
            }
            return Ok(());
        }
        let mut load = load;
        let allowed = admits[self.shared[at].index()] && self.rules.allows_beside(counts, at);
        self.list_maximal(group, offer, at + 1, load, counts)?;
        for n in 1..=if allowed { self.most[at] } else { 0 } {
            load = load.plus(&self.demands[at]);
            if !load.fits(details) {
                break;
            }
            counts[at] = n;
            self.list_maximal(group, offer, at + 1, load, counts)?;
        }
        counts[at] = 0;
        Ok(())
    }

    fn list(&mut self, groups: &[OfferGroup<'_>]) -> Result<(), TooManyPatterns> {
        for group in groups {
            let mut counts = vec![0; self.shared.len()];
            match self.listing {
                Listing::Every => self.list_every(group, 0, 0, Load::default(), &mut counts)?,
                Listing::Maximal => {
                    for offer in 0..group.offers.len() {
                        self.list_maximal(group, offer, 0, Load::default(), &mut counts)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The shared components of an application.
pub fn shared_components(application: &Application) -> Vec<ComponentId> {
    (0..application.components.len())
        .map(|i| ComponentId(i as u32))
        .filter(|c| application[*c].hosting == Hosting::Shared)
        .collect()
}

/// Offers that no quota and no spread rule tells apart, cheapest first in each group.
fn groups<'a>(snapshot: &'a Snapshot, space: &'a Space, shared: &[ComponentId]) -> Vec<OfferGroup<'a>> {
    let (application, catalog): (&Application, &Catalog) = (&snapshot.application, &snapshot.catalog);
    let by_zone = application.pool_counts_zones();
    let mut groups: Vec<(String, OfferGroup<'a>)> = Vec::new();
    for (index, admits) in space.pool.offers.iter().zip(&space.pool_admits) {
        let offer = &catalog[*index];
        let mut key = String::new();
        for quota in &application.quotas {
            key.push(if quota.matches.iter().all(|r| r.admits(offer)) { '1' } else { '0' });
        }
        // The cheapest of a group stands for all: what else a quota or a formula counts must not differ.
        let counts = |limit: fn(&Quota) -> bool| application.quotas.iter().any(limit);
        key.push_str(&format!("{:?}", mask(application, offer)));
        let cores = counts(|q| q.cores.is_some()).then_some(offer.cores.0);
        let memory = counts(|q| q.memory.is_some()).then_some(offer.memory.0);
        let gpus = counts(|q| q.gpus.is_some()).then_some(offer.gpus);
        let price = (!space.pool_price_falls).then_some(offer.price.nanos());
        key.push_str(&format!("{cores:?}{memory:?}{gpus:?}{price:?}"));
        for told in shared.iter().flat_map(|c| told_apart(&application[*c], offer)) {
            key.push('\u{2}');
            key.push_str(&told);
        }
        if by_zone {
            key.push_str(&place_of(SpreadBy::Zone, offer));
        }
        let member = (*index, offer, admits.as_slice());
        match groups.iter_mut().find(|(k, _)| *k == key) {
            Some((_, group)) => group.offers.push(member),
            None => {
                let zones = if by_zone { (0..offer.zones.len() as u16).map(Some).collect() } else { Vec::new() };
                groups.push((key, OfferGroup { offers: vec![member], zones }));
            }
        }
    }
    for (_, group) in &mut groups {
        group.offers.sort_by(|a, b| a.1.price.cmp(&b.1.price).then_with(|| a.1.id.cmp(&b.1.id)));
    }
    groups.into_iter().map(|(_, g)| g).collect()
}

/// Lists the patterns of the shared pool. Every pattern when there are few enough; only maximal ones when that is
/// enough to be exact.
pub fn list(snapshot: &Snapshot, space: &Space) -> Result<Patterns, TooManyPatterns> {
    let application = &snapshot.application;
    let shared = shared_components(application);
    if shared.len() > MOST_SHARED {
        return Err(TooManyPatterns);
    }
    let groups = groups(snapshot, space, &shared);
    let mut lister = Lister {
        shared: &shared,
        demands: shared.iter().map(|c| application[*c].demand).collect(),
        most: shared
            .iter()
            .map(|c| application[*c].per_node.unwrap_or(u32::MAX).min(application[*c].cardinality.max()))
            .collect(),
        rules: NodeRules::of(application, &shared),
        found: Vec::new(),
        steps: MOST_STEPS,
        limit: MOST_PATTERNS,
        listing: Listing::Every,
    };
    // With maximal patterns a node may host less than its pattern says, which only rules that are indifferent to
    // removal can bear. What runs now is rarely maximal: to keep it needs every pattern.
    let no_spread = shared.iter().all(|c| !application[*c].is_divided()) && !application.pool_counts_zones();
    let counts_instances = application.quotas.iter().any(|q| q.instances.is_some());
    let all_move = shared.iter().all(|c| application[*c].moveable);
    let may_trim = lister.rules.closed_under_removal() && no_spread && all_move && !counts_instances;
    lister.limit = if may_trim && snapshot.current.is_none() { FEW_PATTERNS } else { MOST_PATTERNS };
    if lister.list(&groups).is_err() {
        if !may_trim {
            return Err(TooManyPatterns);
        }
        lister.limit = MOST_PATTERNS;
        lister.found.clear();
        lister.steps = MOST_STEPS;
        lister.listing = Listing::Maximal;
        lister.list(&groups)?;
    }
    let listing = lister.listing;
    Ok(complete(snapshot, space, lister.found, listing))
}

/// Patterns in their stable order, each once, with the nodes that run now where they can be kept.
pub(crate) fn complete(snapshot: &Snapshot, space: &Space, mut list: Vec<Pattern>, listing: Listing) -> Patterns {
    let application = &snapshot.application;
    if listing == Listing::Every {
        let shared = shared_components(application);
        let rules = NodeRules::of(application, &shared);
        add_running(snapshot, space, &shared, &rules, &mut list);
    }
    list.sort_by(|a, b| {
        a.instances
            .cmp(&b.instances)
            .then_with(|| snapshot.catalog[a.offer].id.cmp(&snapshot.catalog[b.offer].id))
            .then_with(|| a.zone.cmp(&b.zone))
    });
    list.dedup();
    Patterns { list, listing }
}

/// Adds the nodes that run now, so that keeping them is a choice, and for unmoveable components every node that can
/// host them on the offers that they run on.
fn add_running(snapshot: &Snapshot, space: &Space, shared: &[ComponentId], rules: &NodeRules, list: &mut Vec<Pattern>) {
    let Some(current) = &snapshot.current else { return };
    let application = &snapshot.application;
    let position = |c: ComponentId| shared.iter().position(|s| *s == c);
    let by_zone = application.pool_counts_zones();
    let mut pinned: Vec<usize> = Vec::new();
    for group in &current.placement.groups {
        if group.instances.iter().any(|(c, _)| position(*c).is_none()) {
            continue;
        }
        let Some(at) = space.pool.offers.iter().position(|o| *o == group.offer) else { continue };
        if group.instances.iter().any(|(c, _)| !application[*c].moveable) && !pinned.contains(&at) {
            pinned.push(at);
        }
        let mut counts = vec![0; shared.len()];
        let mut load = Load::default();
        for (c, n) in &group.instances {
            if let Some(i) = position(*c) {
                counts[i] = *n;
                (0..*n).for_each(|_| load = load.plus(&application[*c].demand));
            }
        }
        let within = group
            .instances
            .iter()
            .all(|(c, n)| application[*c].per_node.is_none_or(|most| *n <= most) && space.pool_admits[at][c.index()]);
        let apart = (0..shared.len()).all(|i| counts[i] == 0 || rules.allows_beside(&counts, i));
        if within && apart && rules.allows_node(&counts) && load.fits(&snapshot.catalog[group.offer]) {
            // A running node whose zone is not known may be in any.
            let details = &snapshot.catalog[group.offer];
            let zones: Vec<Option<u16>> = match (by_zone && !details.zones.is_empty(), group.zone) {
                (true, None) => (0..details.zones.len() as u16).map(Some).collect(),
                (true, zone) => vec![zone],
                (false, _) => vec![None],
            };
            let (instances, offer) = (&group.instances, group.offer);
            list.extend(zones.into_iter().map(|zone| Pattern { instances: instances.clone(), offer, zone }));
        }
    }
    // What an unmoveable instance shares its node with may change, its offer may not.
    let others: Vec<Pattern> = list.clone();
    for at in pinned {
        let offer = space.pool.offers[at];
        let details = &snapshot.catalog[offer];
        for pattern in &others {
            let mut load = Load::default();
            for (c, n) in &pattern.instances {
                (0..*n).for_each(|_| load = load.plus(&application[*c].demand));
            }
            let admitted = pattern.instances.iter().all(|(c, _)| space.pool_admits[at][c.index()]);
            if admitted && load.fits(details) {
                let zones: Vec<Option<u16>> = match by_zone && !details.zones.is_empty() {
                    true => (0..details.zones.len() as u16).map(Some).collect(),
                    false => vec![None],
                };
                list.extend(zones.into_iter().map(|zone| Pattern {
                    instances: pattern.instances.clone(),
                    offer,
                    zone,
                }));
            }
        }
    }
}
