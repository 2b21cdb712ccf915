//! What each component can choose from: its admissible offers, reduced to those that can be part of a best answer.
//!
//! An offer is dropped when another is no worse in everything that the formulas, quotas and spread rules can see.
//! What they can see is found by following each attribute through every formula ([`crate::range::trend`]): an attribute
//! whose growth can only help is compared one way, one that can do either must be equal.

use cardinal_models::admissible::admissible;
use cardinal_models::application::{Application, Component, ComponentId, Domain, FreeAttribute, Quota};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::document::{Fleet, Hosting, SpreadBy};
use cardinal_models::offer::{Attribute, Offer};
use cardinal_models::snapshot::Snapshot;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::bound::BoundModel;
use crate::range::{self, Leaves, Mover, Range, Trend};
use crate::term::{Slot, Term};

/// What one dedicated component, or the shared pool as a whole, can choose from.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The offers that are left, in the stable order of their ids.
    pub offers: Vec<OfferIndex>,
    /// How many offers were admissible before the reduction.
    pub admissible: usize,
    /// The values of the visible attributes, by offer in the order of `offers`.
    pub columns: FxHashMap<Slot, Vec<f64>>,
    /// Uniform fleets: the largest number of instances that the spread rules allow on one offer.
    pub most: Vec<u32>,
    /// The number of instances that each offer stands for, if it is a configuration that tells.
    pub exactly: Vec<Option<u32>>,
}

/// The number of instances that a configuration stands for.
pub fn stands_for(offer: &Offer) -> Option<u32> {
    offer.configuration.as_ref().and_then(|c| c.cardinality)
}

/// The choices of every component and of the shared pool.
#[derive(Clone, Debug)]
pub struct Space {
    /// By component; empty for shared components.
    pub dedicated: Vec<Choices>,
    /// The values of the free attributes that formulas look at, reduced to those that can be part of a best answer.
    pub free: FxHashMap<(ComponentId, Slot), Domain>,
    /// The offers of the shared pool.
    pub pool: Choices,
    /// Which shared components may run on each offer of the pool, by offer and component.
    pub pool_admits: Vec<Vec<bool>>,
    /// True when a cheaper shared node is never worse, all else equal.
    pub pool_price_falls: bool,
    /// The ranges of leaves over everything admissible.
    pub ranges: LeafRanges,
}

/// The ranges of the leaves of terms.
#[derive(Clone, Debug, Default)]
pub struct LeafRanges {
    attributes: FxHashMap<(ComponentId, Slot), Range>,
    price: Vec<Range>,
    cardinality: Vec<Range>,
    pool_cost: Option<Range>,
    pool_nodes: Option<Range>,
}

impl LeafRanges {
    /// Makes the range of an attribute known.
    pub fn set(&mut self, component: ComponentId, slot: Slot, range: Range) {
        self.attributes.insert((component, slot), range);
    }
}

impl Leaves for LeafRanges {
    fn range(&self, leaf: &Term) -> Range {
        match leaf {
            Term::Attribute(c, slot) => self.attributes.get(&(*c, *slot)).copied().unwrap_or(Range::UNKNOWN),
            Term::Cardinality(c) => self.cardinality[c.index()],
            Term::Nodes(Some(c)) => self.cardinality[c.index()],
            Term::Nodes(None) => self.pool_nodes.unwrap_or(Range::new(0.0, 0.0)),
            Term::Cost(Some(c)) => {
                let (price, n) = (self.price[c.index()], self.cardinality[c.index()]);
                Range::new(price.low * n.low, price.high * n.high)
            }
            Term::Cost(None) => self.pool_cost.unwrap_or(Range::new(0.0, 0.0)),
            Term::Fleet(fleet) => {
                let n = self.cardinality[fleet.component.index()];
                let body = range::range(&fleet.body, self);
                let filter = fleet.filter.as_ref().map(|f| range::range(f, self));
                range::fleet_range(fleet.aggregate, body, filter, n.low, n.high)
            }
            _ => Range::UNKNOWN,
        }
    }
}

/// Offers by id: the order that does not depend on how the catalog was put together.
fn stable_order(catalog: &Catalog, offers: &mut [OfferIndex]) {
    offers.sort_unstable_by(|a, b| catalog[*a].id.cmp(&catalog[*b].id));
}

/// Finds what every component can choose from.
pub fn explore(snapshot: &Snapshot, bound: &BoundModel) -> Space {
    let application = &snapshot.application;
    let catalog = &snapshot.catalog;
    let all: Vec<Vec<OfferIndex>> =
        (0..application.components.len()).map(|i| admissible(application, catalog, ComponentId(i as u32))).collect();
    let visible = visible_slots(application, bound);
    let ranges = leaf_ranges(snapshot, bound, &all, &visible);
    let current = offers_in_use(snapshot);
    let reducer = Reducer { snapshot, bound, ranges: &ranges, current: &current };
    let dedicated = application
        .components
        .iter()
        .enumerate()
        .map(|(i, component)| match component.hosting {
            Hosting::Shared => Choices { admissible: all[i].len(), ..Choices::default() },
            Hosting::Dedicated => {
                let id = ComponentId(i as u32);
                let mut choices = Choices { offers: all[i].clone(), admissible: all[i].len(), ..Choices::default() };
                reducer.reduce_dedicated(id, component, &visible[i], &mut choices);
                choices
            }
        })
        .collect();
    let free = reducer.free(&visible);
    let pool_price_falls = reducer.wanted(Mover::PoolPrice).and(Trend::Falling) == Trend::Falling;
    let (pool, pool_admits) = reduce_pool(snapshot, &all, &current, pool_price_falls);
    Space { dedicated, free, pool, pool_admits, pool_price_falls, ranges }
}

/// The attributes of each component that any formula looks at.
fn visible_slots(application: &Application, bound: &BoundModel) -> Vec<Vec<Slot>> {
    let mut seen: Vec<Vec<Slot>> = vec![Vec::new(); application.components.len()];
    fn visit(term: &Term, seen: &mut [Vec<Slot>]) {
        term.leaves(&mut |leaf| match leaf {
            Term::Attribute(c, slot) => seen[c.index()].push(*slot),
            Term::Fleet(fleet) => {
                visit(&fleet.body, seen);
                if let Some(filter) = &fleet.filter {
                    visit(filter, seen);
                }
            }
            _ => {}
        });
    }
    visit(&bound.objective, &mut seen);
    bound.constraints.iter().for_each(|c| visit(&c.term, &mut seen));
    for slots in &mut seen {
        slots.sort_unstable();
        slots.dedup();
    }
    seen
}

/// The offers of the running deployment: always kept, so that doing nothing stays a candidate.
fn offers_in_use(snapshot: &Snapshot) -> FxHashSet<OfferIndex> {
    snapshot.current.iter().flat_map(|c| c.placement.groups.iter().map(|g| g.offer)).collect()
}

fn span_of(values: impl Iterator<Item = f64>) -> Range {
    let mut range = Range { low: f64::INFINITY, high: f64::NEG_INFINITY, defined: true };
    for value in values {
        if value.is_nan() {
            range.defined = false;
        } else {
            range.low = range.low.min(value);
            range.high = range.high.max(value);
        }
    }
    if range.low > range.high { Range { low: 0.0, high: 0.0, defined: range.defined } } else { range }
}

fn leaf_ranges(snapshot: &Snapshot, bound: &BoundModel, all: &[Vec<OfferIndex>], visible: &[Vec<Slot>]) -> LeafRanges {
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    let mut ranges = LeafRanges::default();
    let (mut pool_low, mut pool_high, mut pool_most, mut pool_least) = (0.0f64, 0.0, 0.0, 0.0f64);
    for (i, component) in application.components.iter().enumerate() {
        let id = ComponentId(i as u32);
        let (low, high) = (f64::from(component.cardinality.min()), f64::from(component.cardinality.max()));
        ranges.cardinality.push(Range::new(low, high));
        let price = span_of(all[i].iter().map(|o| catalog[*o].price.units()));
        ranges.price.push(price);
        if component.hosting == Hosting::Shared {
            if low > 0.0 {
                pool_low = pool_low.max(price.low);
                pool_least = 1.0;
            }
            pool_high += price.high * high;
            pool_most += high;
            continue;
        }
        for slot in &visible[i] {
            if let Some(free) = free_attribute(component, bound, *slot) {
                ranges.attributes.insert((id, *slot), Range::new(free.domain.min(), free.domain.max()));
                continue;
            }
            let value = |o: &OfferIndex| bound.slots.value(*slot, &catalog[*o], &bound.interner);
            let mut range = span_of(all[i].iter().map(value));
            // A component without instances has no offer whose attribute could be asked for.
            range.defined &= low > 0.0;
            ranges.attributes.insert((id, *slot), range);
        }
    }
    ranges.pool_cost = Some(Range::new(pool_low, pool_high));
    ranges.pool_nodes = Some(Range::new(pool_least, pool_most));
    ranges
}

/// The free attribute of a component that a slot stands for.
fn free_attribute<'c>(component: &'c Component, bound: &BoundModel, slot: Slot) -> Option<&'c FreeAttribute> {
    let attribute = bound.slots.attribute(slot);
    component.attributes().iter().find(|free| free.attribute == *attribute)
}

/// Adds the quotas that count an offer, as a bit set.
fn quota_mask(quotas: &[Quota], offer: &Offer, key: &mut Vec<u64>) {
    for word in quotas.chunks(64) {
        let bits = word.iter().enumerate().filter(|(_, q)| q.matches.iter().all(|r| r.admits(offer)));
        key.push(bits.fold(0, |mask, (i, _)| mask | 1 << i));
    }
}

/// A name for the place of an offer, of the kind that a spread rule counts by.
pub fn place_of(by: SpreadBy, offer: &Offer) -> String {
    match by {
        SpreadBy::Zone => format!("{}\u{1}{}\u{1}{}", offer.provider, offer.region, offer.zones.join("\u{1}")),
        SpreadBy::Region | SpreadBy::Location => format!("{}\u{1}{}", offer.provider, offer.region),
        SpreadBy::Country => offer.country.to_string(),
        SpreadBy::Provider => offer.provider.to_string(),
        SpreadBy::MachineType => format!("{}\u{1}{}", offer.provider, offer.machine_type),
        SpreadBy::Family => format!("{}\u{1}{}", offer.provider, offer.family),
    }
}

/// The largest number of instances of a uniform fleet on an offer.
fn most_on_one_offer(component: &Component, offer: &Offer) -> u32 {
    component
        .spread
        .iter()
        .map(|s| match s.by {
            SpreadBy::Zone => s.at_most.saturating_mul(offer.zones.len().max(1) as u32),
            _ => s.at_most,
        })
        .min()
        .unwrap_or(u32::MAX)
}

/// One offer as the reduction compares it.
struct Candidate {
    offer: OfferIndex,
    /// Smaller is better.
    vector: Vec<f64>,
    keep: bool,
}

/// The offers that no other one with an equal key dominates, gathered one candidate at a time. Of equals the one in
/// use, then the first in the stable order is kept.
struct Fronts<'a> {
    catalog: &'a Catalog,
    by_key: FxHashMap<Vec<u64>, Vec<Candidate>>,
    kept: Vec<OfferIndex>,
}

impl<'a> Fronts<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Fronts { catalog, by_key: FxHashMap::default(), kept: Vec::new() }
    }

    /// Offers a candidate. Its key and vector are borrowed, so that the many that are dominated cost no allocation.
    fn offer(&mut self, offer: OfferIndex, key: &[u64], vector: &[f64], keep: bool) {
        if keep {
            self.kept.push(offer);
        }
        let id = |o: OfferIndex| &self.catalog[o].id;
        if let Some(front) = self.by_key.get_mut(key) {
            let replaces = |c: &Candidate| {
                let no_worse = vector.iter().zip(&c.vector).all(|(new, old)| new <= old);
                let equal = no_worse && vector == c.vector.as_slice();
                no_worse && (!equal || (!keep, id(offer)) < (!c.keep, id(c.offer)))
            };
            let is_dominated = |c: &Candidate| c.vector.iter().zip(vector).all(|(old, new)| old <= new) && !replaces(c);
            if front.iter().any(is_dominated) {
                return;
            }
            front.retain(|c| !replaces(c));
            front.push(Candidate { offer, vector: vector.to_vec(), keep });
        } else {
            let only = Candidate { offer, vector: vector.to_vec(), keep };
            self.by_key.insert(key.to_vec(), vec![only]);
        }
    }

    /// What is left, in the stable order.
    fn finish(self) -> Vec<OfferIndex> {
        let mut offers = self.kept;
        offers.extend(self.by_key.into_values().flatten().map(|c| c.offer));
        stable_order(self.catalog, &mut offers);
        offers.dedup();
        offers
    }
}

fn hash_text(text: &str) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

struct Reducer<'a> {
    snapshot: &'a Snapshot,
    bound: &'a BoundModel,
    ranges: &'a LeafRanges,
    current: &'a FxHashSet<OfferIndex>,
}

impl Reducer<'_> {
    /// How everything that is wanted moves with an attribute: rising means that more is never worse.
    fn wanted(&self, mover: Mover) -> Trend {
        let objective = range::trend(&self.bound.objective, mover, self.ranges);
        self.bound.constraints.iter().map(|c| range::trend(&c.term, mover, self.ranges)).fold(objective, Trend::and)
    }

    /// The values of each visible free attribute that are worth looking at: one end, where all that is wanted rises or
    /// falls with it.
    fn free(&self, visible: &[Vec<Slot>]) -> FxHashMap<(ComponentId, Slot), Domain> {
        let mut all = FxHashMap::default();
        for (i, component) in self.snapshot.application.components.iter().enumerate() {
            let id = ComponentId(i as u32);
            for slot in &visible[i] {
                let Some(free) = free_attribute(component, self.bound, *slot) else { continue };
                let alone = |x: f64| Domain::new(vec![(x, x)]);
                let domain = match self.wanted(Mover::Attribute(id, *slot)) {
                    Trend::Rising => alone(free.domain.max()),
                    Trend::Falling | Trend::Constant => alone(free.domain.min()),
                    Trend::Unknown => free.domain.clone(),
                };
                all.insert((id, *slot), domain);
            }
        }
        all
    }

    fn reduce_dedicated(&self, id: ComponentId, component: &Component, visible: &[Slot], choices: &mut Choices) {
        let (application, catalog) = (&self.snapshot.application, &self.snapshot.catalog);
        let price_slot = visible.iter().copied().find(|s| *self.bound.slots.attribute(*s) == Attribute::Price);
        let price = self.wanted(Mover::Price(id, price_slot)).and(Trend::Falling);
        let limits_cores = application.quotas.iter().any(|q| q.cores.is_some());
        let limits_memory = application.quotas.iter().any(|q| q.memory.is_some());
        let limits_gpus = application.quotas.iter().any(|q| q.gpus.is_some());
        let trends: Vec<(Slot, Trend)> = visible
            .iter()
            .filter(|s| Some(**s) != price_slot)
            .map(|s| {
                let attribute = self.bound.slots.attribute(*s);
                let wanted = self.wanted(Mover::Attribute(id, *s));
                let limited = (limits_cores && *attribute == Attribute::Cores)
                    || (limits_memory && *attribute == Attribute::Memory)
                    || (limits_gpus && *attribute == Attribute::Gpus);
                (*s, if limited { wanted.and(Trend::Falling) } else { wanted })
            })
            .collect();
        // A quota counts cores, memory and GPUs even where no formula looks at them.
        let is_seen = |a: Attribute| trends.iter().any(|(s, _)| *self.bound.slots.attribute(*s) == a);
        let counts_cores = limits_cores && !is_seen(Attribute::Cores);
        let counts_memory = limits_memory && !is_seen(Attribute::Memory);
        let counts_gpus = limits_gpus && !is_seen(Attribute::Gpus);
        let mut fronts = Fronts::new(catalog);
        let (mut key, mut vector) = (Vec::new(), Vec::new());
        for offer in &choices.offers {
            let o = &catalog[*offer];
            key.clear();
            vector.clear();
            quota_mask(&application.quotas, o, &mut key);
            key.extend(stands_for(o).map(u64::from));
            match price {
                Trend::Falling => vector.push(o.price.units()),
                _ => key.push(o.price.nanos() as u64),
            }
            for (slot, trend) in &trends {
                let value = self.bound.slots.value(*slot, o, &self.bound.interner);
                match trend {
                    Trend::Constant => {}
                    Trend::Rising if !value.is_nan() => vector.push(-value),
                    Trend::Falling if !value.is_nan() => vector.push(value),
                    _ => key.push(value.to_bits()),
                }
            }
            vector.extend(counts_cores.then(|| o.cores.count()));
            vector.extend(counts_memory.then(|| o.memory.mib()));
            vector.extend(counts_gpus.then(|| f64::from(o.gpus)));
            if component.fleet == Fleet::Uniform {
                vector.push(-f64::from(most_on_one_offer(component, o)));
            } else {
                key.extend(component.spread.iter().map(|s| hash_text(&place_of(s.by, o))));
            }
            fronts.offer(*offer, &key, &vector, self.current.contains(offer));
        }
        choices.offers = fronts.finish();
        choices.most = choices.offers.iter().map(|o| most_on_one_offer(component, &catalog[*o])).collect();
        choices.exactly = choices.offers.iter().map(|o| stands_for(&catalog[*o])).collect();
        for slot in visible {
            let value = |o: &OfferIndex| self.bound.slots.value(*slot, &catalog[*o], &self.bound.interner);
            let column = choices.offers.iter().map(value);
            choices.columns.insert(*slot, column.collect());
        }
    }
}

/// The offers of the shared pool: an offer is dropped when another at most as dear has room for at least as much and
/// admits every component that it admits. Where dear may be better, only offers of one price compare.
fn reduce_pool(
    snapshot: &Snapshot,
    all: &[Vec<OfferIndex>],
    current: &FxHashSet<OfferIndex>,
    price_falls: bool,
) -> (Choices, Vec<Vec<bool>>) {
    let (application, catalog) = (&snapshot.application, &snapshot.catalog);
    let shared: Vec<usize> =
        (0..application.components.len()).filter(|i| application.components[*i].hosting == Hosting::Shared).collect();
    let mut admits: FxHashMap<OfferIndex, Vec<bool>> = FxHashMap::default();
    for i in &shared {
        for offer in &all[*i] {
            admits.entry(*offer).or_insert_with(|| vec![false; application.components.len()])[*i] = true;
        }
    }
    let limits_cores = application.quotas.iter().any(|q| q.cores.is_some());
    let limits_memory = application.quotas.iter().any(|q| q.memory.is_some());
    let limits_gpus = application.quotas.iter().any(|q| q.gpus.is_some());
    let mut fronts = Fronts::new(catalog);
    let (mut key, mut vector) = (Vec::new(), Vec::new());
    for (offer, mask) in &admits {
        let o = &catalog[*offer];
        key.clear();
        vector.clear();
        quota_mask(&application.quotas, o, &mut key);
        if price_falls {
            vector.push(o.price.units())
        } else {
            key.push(o.price.nanos() as u64)
        }
        let mut resource = |value: f64, limited: bool| {
            if limited { key.push(value.to_bits()) } else { vector.push(-value) }
        };
        resource(o.cores.count(), limits_cores);
        resource(o.memory.mib(), limits_memory);
        resource(f64::from(o.gpus), limits_gpus);
        vector.push(-o.disk.map_or(f64::INFINITY, |d| d.mib()));
        vector.extend(shared.iter().map(|i| if mask[*i] { 0.0 } else { 1.0 }));
        for i in &shared {
            key.extend(application.components[*i].spread.iter().map(|s| hash_text(&place_of(s.by, o))));
        }
        if application.pool_counts_zones() {
            key.push(hash_text(&place_of(SpreadBy::Zone, o)));
        }
        if application.pool_counts_places() {
            key.push(hash_text(&cardinal_models::network::name_of(o)));
        }
        fronts.offer(*offer, &key, &vector, current.contains(offer));
    }
    let offers = fronts.finish();
    let masks = offers.iter().map(|o| admits.get(o).cloned().unwrap_or_default()).collect();
    (Choices { admissible: admits.len(), offers, ..Choices::default() }, masks)
}
