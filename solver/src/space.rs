//! What each component can choose from: its admissible offers, reduced to those that can be part of a best answer.
//!
//! An offer is dropped when another is no worse in everything that the formulas, quotas and spread rules can see.
//! What they can see is found by following each attribute through every formula ([`crate::range::trend`]): an attribute
//! whose growth can only help is compared one way, one that can do either must be equal.

use cardinal_models::application::{Application, Choice, Component, ComponentId, Domain, FreeAttribute, Quota};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::document::{Fleet, Hosting, SpreadBy};
use cardinal_models::offer::{Attribute, Offer};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::bound::BoundModel;
use crate::division::told_apart;
use crate::range::{self, Leaves, Mover, Range, Trend};
use crate::sieve::{self, Column, Comparison, OfferSet, QuotaMembers, Sieve};
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
    /// The number of nodes of each offer that commitments cover where they cover no other component; empty without
    /// commitments.
    pub covered: Vec<f64>,
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
    /// Which quotas count which offers.
    pub quotas: QuotaMembers,
}

/// The ranges of the leaves of terms.
#[derive(Clone, Debug, Default)]
pub struct LeafRanges {
    attributes: FxHashMap<(ComponentId, Slot), Range>,
    price: Vec<Range>,
    cardinality: Vec<Range>,
    pool_cost: Option<Range>,
    pool_nodes: Option<Range>,
    /// What commitments cover at most, in currency units per hour.
    covered: f64,
}

impl LeafRanges {
    /// The ranges while a uniform component has instances on offers of which the price lies in a range. `slot` is that
    /// of the price, when a formula looks at it.
    fn on_offers_at(&self, component: ComponentId, slot: Option<Slot>, price: Range) -> LeafRanges {
        let mut ranges = self.clone();
        ranges.price[component.index()] = price;
        let cardinality = &mut ranges.cardinality[component.index()];
        cardinality.low = cardinality.low.max(1.0);
        ranges.attributes.extend(slot.map(|slot| ((component, slot), price)));
        ranges
    }

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
            Term::Paid(parts) => {
                let costs = parts.iter().map(|part| self.range(&Term::Cost(*part)));
                let sum = costs.fold(Range::new(0.0, 0.0), |a, b| Range::new(a.low + b.low, a.high + b.high));
                Range::new((sum.low - self.covered).max(0.0), sum.high)
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

/// With fewer components the catalog is not worth a look for all of them together.
const FEW_COMPONENTS: usize = 3;

/// The numbers of the offers that formulas look at, by slot.
type Columns = FxHashMap<Slot, Column>;

/// Finds what every component can choose from.
pub fn explore(snapshot: &Snapshot, bound: &BoundModel) -> Space {
    let application = &snapshot.application;
    let mut sieve = Sieve::new(application, &snapshot.catalog);
    let sets = sieve.admissible();
    let all: Vec<Vec<OfferIndex>> = sets.iter().map(OfferSet::list).collect();
    let quotas = sieve.quota_members();
    let visible = visible_slots(application, bound);
    let columns = columns(snapshot, bound, &visible);
    let prices = sieve.numbers(&Attribute::Price);
    let ranges = leaf_ranges(snapshot, bound, &all, &visible, (&prices, &columns));
    let current = offers_in_use(snapshot);
    let reducer = Reducer { snapshot, bound, ranges: &ranges, current: &current, quotas: &quotas, columns: &columns };
    let dedicated: Vec<ComponentId> = (0..application.components.len() as u32)
        .map(ComponentId)
        .filter(|id| application[*id].hosting == Hosting::Dedicated)
        .collect();
    let profiles: FxHashMap<ComponentId, Profile> =
        dedicated.iter().map(|id| (*id, reducer.profile(*id, &visible[id.index()], &all[id.index()]))).collect();
    let alike: Vec<ComponentId> = dedicated.iter().copied().filter(|id| is_plain(&application[*id])).collect();
    let thin = (alike.len() >= FEW_COMPONENTS).then(|| {
        let comparisons: Vec<_> = alike.iter().map(|id| (*id, profiles[id].comparison(&mut sieve, &columns))).collect();
        let candidates = snapshot.catalog.iter().map(|(offer, _)| offer);
        let candidates = candidates.filter(|offer| alike.iter().any(|id| sets[id.index()].has(*offer)));
        let mut offers = sieve.thin(&comparisons, &quotas, candidates);
        offers.extend(&current);
        offers
    });
    let mut choices = vec![Choices::default(); application.components.len()];
    for (i, choices) in choices.iter_mut().enumerate() {
        let id = ComponentId(i as u32);
        choices.admissible = all[i].len();
        let Some(profile) = profiles.get(&id) else { continue };
        match &thin {
            Some(thin) if alike.contains(&id) => {
                let own = thin.iter().copied().filter(|offer| sets[i].has(*offer));
                reducer.reduce_dedicated(id, profile, own, &visible[i], choices);
            }
            _ => reducer.reduce_dedicated(id, profile, all[i].iter().copied(), &visible[i], choices),
        }
    }
    let free = reducer.free(&visible);
    let pool_price_falls = reducer.wanted(Mover::PoolPrice).and(Trend::Falling) == Trend::Falling;
    let (pool, pool_admits) = reduce_pool(snapshot, &all, &current, pool_price_falls, &quotas);
    Space { dedicated: choices, free, pool, pool_admits, pool_price_falls, ranges, quotas }
}

/// True for a component on offers of the catalog whose instances no rule divides over places or purchases.
fn is_plain(component: &Component) -> bool {
    matches!(component.choice, Choice::Offers) && !component.is_divided()
}

/// The numbers that formulas look at, of every offer.
fn columns(snapshot: &Snapshot, bound: &BoundModel, visible: &[Vec<Slot>]) -> Columns {
    let mut columns = Columns::default();
    for slot in visible.iter().flatten() {
        let value = |o: &Offer| bound.slots.value(*slot, o, &bound.interner);
        columns.entry(*slot).or_insert_with(|| Column::new(snapshot.catalog.offers().iter().map(value).collect()));
    }
    columns
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

fn leaf_ranges(
    snapshot: &Snapshot,
    bound: &BoundModel,
    all: &[Vec<OfferIndex>],
    visible: &[Vec<Slot>],
    (prices, columns): (&Column, &Columns),
) -> LeafRanges {
    let application = &snapshot.application;
    let mut ranges = LeafRanges { covered: crate::covered::most(snapshot), ..LeafRanges::default() };
    let (mut pool_low, mut pool_high, mut pool_most, mut pool_least) = (0.0f64, 0.0, 0.0, 0.0f64);
    for (i, component) in application.components.iter().enumerate() {
        let id = ComponentId(i as u32);
        let (low, high) = (f64::from(component.cardinality.min()), f64::from(component.cardinality.max()));
        ranges.cardinality.push(Range::new(low, high));
        let price = span_of(all[i].iter().map(|o| prices[o.0 as usize]));
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
            let column = &columns[slot];
            let mut range = span_of(all[i].iter().map(|o| column[o.0 as usize]));
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

/// How everything that is wanted moves with the price and the attributes of an offer.
struct Senses {
    price: Trend,
    attributes: Vec<(Slot, Trend)>,
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
    quotas: &'a QuotaMembers,
    columns: &'a Columns,
}

/// What a dedicated component compares offers by.
struct Profile {
    /// Over all offers.
    everywhere: Senses,
    /// Apart over the offers without a price and those with one, where that tells more.
    apart: Option<[Senses; 2]>,
    /// Amounts that quotas limit and no formula looks at.
    counted: Vec<Attribute>,
}

impl Profile {
    fn comparison(&self, sieve: &mut Sieve<'_>, columns: &Columns) -> Comparison {
        let seen = self.everywhere.attributes.iter().map(|(slot, trend)| (columns[slot].clone(), *trend));
        let counted = self.counted.iter().map(|a| (sieve.numbers(a), Trend::Falling));
        Comparison { price: self.everywhere.price, columns: seen.chain(counted).collect() }
    }
}

impl Reducer<'_> {
    /// How everything that is wanted moves with an attribute: rising means that more is never worse.
    fn wanted(&self, mover: Mover) -> Trend {
        self.wanted_within(mover, self.ranges)
    }

    fn wanted_within(&self, mover: Mover, ranges: &LeafRanges) -> Trend {
        let objective = range::trend(&self.bound.objective, mover, ranges);
        let constraints = self.bound.constraints.iter();
        constraints.map(|c| range::trend(&c.term, mover, ranges)).fold(objective, Trend::and)
    }

    /// What everything that is wanted looks at in an offer of a component, while leaves lie in some ranges.
    fn senses(&self, id: ComponentId, visible: &[Slot], price_slot: Option<Slot>, ranges: &LeafRanges) -> Senses {
        let limited = self.limited();
        let of = |slot: &Slot| {
            let wanted = self.wanted_within(Mover::Attribute(id, *slot), ranges);
            let falls = limited.contains(self.bound.slots.attribute(*slot));
            (*slot, if falls { wanted.and(Trend::Falling) } else { wanted })
        };
        let price = self.wanted_within(Mover::Price(id, price_slot), ranges).and(Trend::Falling);
        let attributes = visible.iter().filter(|s| Some(**s) != price_slot).map(of).collect();
        Senses { price, attributes }
    }

    /// Apart from each other the offers without a price and those with one, where a formula is monotone in the price
    /// only away from 0: `1 / (n * price)`. Of a uniform fleet all nodes are the one or the other.
    fn senses_apart(
        &self,
        id: ComponentId,
        visible: &[Slot],
        price_slot: Option<Slot>,
        offers: &[OfferIndex],
    ) -> Option<[Senses; 2]> {
        let price = |o: &OfferIndex| self.snapshot.catalog[*o].price;
        let paid = span_of(offers.iter().map(price).filter(|p| *p > Price::ZERO).map(|p| p.units()));
        let within = |price| self.senses(id, visible, price_slot, &self.ranges.on_offers_at(id, price_slot, price));
        paid.is_positive().then(|| [within(Range::new(0.0, 0.0)), within(paid)])
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

    fn profile(&self, id: ComponentId, visible: &[Slot], admissible: &[OfferIndex]) -> Profile {
        let price_slot = visible.iter().copied().find(|s| *self.bound.slots.attribute(*s) == Attribute::Price);
        let everywhere = self.senses(id, visible, price_slot, self.ranges);
        let apart = match (self.snapshot.application[id].fleet, everywhere.price) {
            (Fleet::Uniform, Trend::Unknown) => self.senses_apart(id, visible, price_slot, admissible),
            _ => None,
        };
        // A quota counts cores, memory and GPUs even where no formula looks at them.
        let is_seen = |a: &Attribute| visible.iter().any(|s| self.bound.slots.attribute(*s) == a);
        let counted = self.limited().into_iter().filter(|a| !is_seen(a)).collect();
        Profile { everywhere, apart, counted }
    }

    /// The amounts that quotas limit.
    fn limited(&self) -> Vec<Attribute> {
        let quotas = &self.snapshot.application.quotas;
        let all = [Attribute::Cores, Attribute::Memory, Attribute::Gpus];
        all.into_iter().filter(|attribute| quotas.iter().any(|q| limits(q, attribute))).collect()
    }

    fn reduce_dedicated(
        &self,
        id: ComponentId,
        profile: &Profile,
        candidates: impl Iterator<Item = OfferIndex>,
        visible: &[Slot],
        choices: &mut Choices,
    ) {
        let (component, catalog) = (&self.snapshot.application[id], &self.snapshot.catalog);
        let mut fronts = Fronts::new(catalog);
        let (mut key, mut vector) = (Vec::new(), Vec::new());
        for offer in candidates {
            let o = &catalog[offer];
            key.clear();
            vector.clear();
            key.push(self.quotas.class(offer));
            key.extend(stands_for(o).map(u64::from));
            let senses = match &profile.apart {
                Some(apart) => {
                    let is_paid = usize::from(o.price > Price::ZERO);
                    key.push(is_paid as u64);
                    &apart[is_paid]
                }
                None => &profile.everywhere,
            };
            match senses.price {
                Trend::Falling => vector.push(o.price.units()),
                _ => key.push(o.price.nanos() as u64),
            }
            for (slot, trend) in &senses.attributes {
                let value = self.columns[slot][offer.0 as usize];
                match trend {
                    Trend::Constant => {}
                    Trend::Rising if !value.is_nan() => vector.push(-value),
                    Trend::Falling if !value.is_nan() => vector.push(value),
                    _ => key.push(value.to_bits()),
                }
            }
            vector.extend(profile.counted.iter().map(|attribute| sieve::number(attribute, o)));
            if component.fleet == Fleet::Uniform {
                vector.push(-f64::from(most_on_one_offer(component, o)));
                if !component.divisions.is_empty() {
                    key.extend(told_apart(component, o).map(|told| hash_text(&told)));
                }
            } else {
                key.extend(told_apart(component, o).map(|told| hash_text(&told)));
            }
            fronts.offer(offer, &key, &vector, self.current.contains(&offer));
        }
        choices.offers = fronts.finish();
        choices.most = choices.offers.iter().map(|o| most_on_one_offer(component, &catalog[*o])).collect();
        choices.covered =
            choices.offers.iter().map(|o| crate::covered::nodes(&self.snapshot.application, &catalog[*o])).collect();
        choices.exactly = choices.offers.iter().map(|o| stands_for(&catalog[*o])).collect();
        for slot in visible {
            let column = &self.columns[slot];
            choices.columns.insert(*slot, choices.offers.iter().map(|o| column[o.0 as usize]).collect());
        }
    }
}

/// True when a quota limits the amount of an attribute.
fn limits(quota: &Quota, attribute: &Attribute) -> bool {
    match attribute {
        Attribute::Cores => quota.cores.is_some(),
        Attribute::Memory => quota.memory.is_some(),
        Attribute::Gpus => quota.gpus.is_some(),
        _ => false,
    }
}

/// The offers of the shared pool: an offer is dropped when another at most as dear has room for at least as much and
/// admits every component that it admits. Where dear may be better, only offers of one price compare.
fn reduce_pool(
    snapshot: &Snapshot,
    all: &[Vec<OfferIndex>],
    current: &FxHashSet<OfferIndex>,
    price_falls: bool,
    quotas: &QuotaMembers,
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
    for (offer, hosts) in &admits {
        let o = &catalog[*offer];
        key.clear();
        vector.clear();
        key.push(quotas.class(*offer));
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
        vector.extend(shared.iter().map(|i| if hosts[*i] { 0.0 } else { 1.0 }));
        for i in &shared {
            key.extend(told_apart(&application.components[*i], o).map(|told| hash_text(&told)));
        }
        if application.pool_counts_zones() {
            key.push(hash_text(&place_of(SpreadBy::Zone, o)));
        }
        fronts.offer(*offer, &key, &vector, current.contains(offer));
    }
    let offers = fronts.finish();
    let masks = offers.iter().map(|o| admits.get(o).cloned().unwrap_or_default()).collect();
    (Choices { admissible: admits.len(), offers, ..Choices::default() }, masks)
}
