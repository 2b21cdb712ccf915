//! The offers of the catalog as columns, looked at once for all components.
//!
//! A hundred components over seventy thousand offers ask millions of questions, most of them the same: whether an offer
//! satisfies a requirement that several share, or which quotas count it. Here each is asked once for each offer, or once
//! for each provider and region. The answers are those of [`cardinal_models::admissible`], which stays the definition.
//!
//! Before each component reduces its offers for itself, those are dropped that another one beats for every component:
//! it satisfies at least the same requirements, and is no worse in what any component looks at ([`Sieve::thin`]).

use std::rc::Rc;

use cardinal_models::admissible::admissible;
use cardinal_models::application::{
    Application, Choice, Component, ComponentId, DEFAULT_PURCHASES, Requirement, Subject, Test,
};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::document::Hosting;
use cardinal_models::offer::{Attribute, Offer};
use rustc_hash::FxHashMap;

use crate::range::Trend;

/// A set of offers, by their index.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferSet(Vec<u64>);

impl OfferSet {
    fn of(length: usize, mut has: impl FnMut(usize) -> bool) -> Self {
        let mut words = vec![0u64; length.div_ceil(64)];
        for (at, word) in words.iter_mut().enumerate() {
            for bit in 0..64.min(length - at * 64) {
                *word |= u64::from(has(at * 64 + bit)) << bit;
            }
        }
        OfferSet(words)
    }

    fn keep(&mut self, other: &OfferSet) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    /// True when the offer is in the set.
    pub fn has(&self, offer: OfferIndex) -> bool {
        let at = offer.0 as usize;
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// The offers, ascending.
    pub fn list(&self) -> Vec<OfferIndex> {
        let mut offers = Vec::with_capacity(self.0.iter().map(|w| w.count_ones() as usize).sum());
        for (at, word) in self.0.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                offers.push(OfferIndex(at as u32 * 64 + rest.trailing_zeros()));
                rest &= rest - 1;
            }
        }
        offers
    }
}

/// Which quotas count which offers.
#[derive(Clone, Debug, Default)]
pub struct QuotaMembers {
    /// By offer, the number of the set of quotas that count it.
    class: Vec<u32>,
    /// The sets, as indices into the application's quotas.
    sets: Vec<Vec<usize>>,
}

impl QuotaMembers {
    /// The quotas that count an offer.
    pub fn of(&self, offer: OfferIndex) -> &[usize] {
        self.class.get(offer.0 as usize).map_or(&[], |class| &self.sets[*class as usize])
    }

    /// A number that two offers share when the same quotas count them and no commitment tells them apart.
    pub fn class(&self, offer: OfferIndex) -> u64 {
        self.class.get(offer.0 as usize).map_or(0, |class| u64::from(*class))
    }
}

/// The numbers of all offers, by index.
pub type Column = Rc<Vec<f64>>;

/// What a component compares offers by, apart from what it requires.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// How what is wanted moves with the price: falling, or the prices must be equal.
    pub price: Trend,
    /// Numbers of offers, and how what is wanted moves with them.
    pub columns: Vec<(Column, Trend)>,
}

/// Offers by one of their texts.
#[derive(Clone, Debug, Default)]
struct Groups {
    /// By offer.
    group: Vec<u32>,
    /// One offer of each group.
    first: Vec<OfferIndex>,
}

/// The offers of a catalog as columns.
pub struct Sieve<'a> {
    application: &'a Application,
    catalog: &'a Catalog,
    numbers: FxHashMap<Attribute, Column>,
    groups: FxHashMap<Attribute, Rc<Groups>>,
    verdicts: Vec<(&'a Requirement, Rc<OfferSet>)>,
    default_purchases: Option<Rc<OfferSet>>,
}

impl<'a> Sieve<'a> {
    /// Nothing is looked at before it is asked for.
    pub fn new(application: &'a Application, catalog: &'a Catalog) -> Self {
        Sieve {
            application,
            catalog,
            numbers: FxHashMap::default(),
            groups: FxHashMap::default(),
            verdicts: Vec::new(),
            default_purchases: None,
        }
    }

    /// The offers that may host each component.
    pub fn admissible(&mut self) -> Vec<OfferSet> {
        let application = self.application;
        let mut base = OfferSet::of(self.catalog.len(), |at| self.catalog.offers()[at].configuration.is_none());
        for requirement in &application.offers {
            base.keep(&self.admitted(requirement));
        }
        (0..application.components.len())
            .map(|i| {
                let (id, component) = (ComponentId(i as u32), &application.components[i]);
                match component.choice {
                    Choice::Offers if component.hosting == Hosting::Dedicated => self.dedicated(&base, component),
                    _ => self.one_by_one(id),
                }
            })
            .collect()
    }

    fn dedicated(&mut self, base: &OfferSet, component: &'a Component) -> OfferSet {
        let mut set = base.clone();
        if !self.names_purchase(component) {
            set.keep(&self.bought_by_default());
        }
        for requirement in &component.requirements {
            set.keep(&self.admitted(requirement));
        }
        set
    }

    fn one_by_one(&self, id: ComponentId) -> OfferSet {
        let mut set = OfferSet(vec![0; self.catalog.len().div_ceil(64)]);
        for offer in admissible(self.application, self.catalog, id) {
            set.0[offer.0 as usize / 64] |= 1 << (offer.0 % 64);
        }
        set
    }

    fn names_purchase(&self, component: &Component) -> bool {
        let mut all = self.application.offers.iter().chain(&component.requirements);
        all.any(|r| r.subject == Subject::Attribute(Attribute::Purchase))
    }

    fn bought_by_default(&mut self) -> Rc<OfferSet> {
        let offers = self.catalog.offers();
        let make = || OfferSet::of(offers.len(), |at| DEFAULT_PURCHASES.contains(&offers[at].purchase));
        self.default_purchases.get_or_insert_with(|| Rc::new(make())).clone()
    }

    /// The offers that satisfy a requirement.
    fn admitted(&mut self, requirement: &'a Requirement) -> Rc<OfferSet> {
        let same = |r: &Requirement| r.subject == requirement.subject && r.test == requirement.test;
        if let Some((_, set)) = self.verdicts.iter().find(|(r, _)| same(r)) {
            return set.clone();
        }
        let offers = self.catalog.offers();
        let set = match (&requirement.subject, &requirement.test) {
            (Subject::Attribute(attribute), Test::Number(intervals)) if is_number(attribute) => {
                let numbers = self.numbers(attribute);
                OfferSet::of(offers.len(), |at| intervals.iter().any(|i| i.contains(numbers[at])))
            }
            (Subject::Attribute(attribute), _) if text_of(attribute).is_some() => {
                let groups = self.groups(attribute);
                let admits: Vec<bool> =
                    groups.first.iter().map(|offer| requirement.admits(&self.catalog[*offer])).collect();
                OfferSet::of(offers.len(), |at| admits[groups.group[at] as usize])
            }
            _ => OfferSet::of(offers.len(), |at| requirement.admits(&offers[at])),
        };
        let set = Rc::new(set);
        self.verdicts.push((requirement, set.clone()));
        set
    }

    /// An attribute that every offer has as a number: the price, vCPU, memory in MiB, GPUs.
    pub fn numbers(&mut self, attribute: &Attribute) -> Column {
        let offers = self.catalog.offers();
        let make = || Rc::new(offers.iter().map(|o| number(attribute, o)).collect());
        self.numbers.entry(attribute.clone()).or_insert_with(make).clone()
    }

    fn groups(&mut self, attribute: &Attribute) -> Rc<Groups> {
        let catalog = self.catalog;
        let make = || {
            let mut groups = Groups::default();
            let Some(text) = text_of(attribute) else { return Rc::new(groups) };
            let mut known: FxHashMap<&str, u32> = FxHashMap::default();
            for (index, offer) in catalog.iter() {
                let group = *known.entry(text(offer)).or_insert_with(|| {
                    groups.first.push(index);
                    groups.first.len() as u32 - 1
                });
                groups.group.push(group);
            }
            Rc::new(groups)
        };
        self.groups.entry(attribute.clone()).or_insert_with(make).clone()
    }

    /// Which quotas count which offers; apart from each other those that commitments can tell apart.
    pub fn quota_members(&mut self) -> QuotaMembers {
        if self.application.quotas.is_empty() && self.application.commitments.is_empty() {
            return QuotaMembers::default();
        }
        let mut counted: Vec<Vec<usize>> = vec![Vec::new(); self.catalog.len()];
        for (i, quota) in self.application.quotas.iter().enumerate() {
            let mut set = OfferSet::of(self.catalog.len(), |_| true);
            for requirement in &quota.matches {
                set.keep(&self.admitted(requirement));
            }
            set.list().into_iter().for_each(|offer| counted[offer.0 as usize].push(i));
        }
        let mut members = QuotaMembers::default();
        let mut known: FxHashMap<(Vec<usize>, Vec<u64>), u32> = FxHashMap::default();
        for (set, offer) in counted.into_iter().zip(self.catalog.offers()) {
            let told = (set.clone(), crate::covered::mask(self.application, offer));
            let class = match known.get(&told) {
                Some(class) => *class,
                None => {
                    members.sets.push(set.clone());
                    let class = members.sets.len() as u32 - 1;
                    known.insert(told, class);
                    class
                }
            };
            members.class.push(class);
        }
        members
    }

    /// The offers that no other beats for every one of some dedicated components without spread rules, in the order of
    /// their ids where prices cannot be compared and of their prices otherwise. One offer beats another when it satisfies
    /// every requirement that the other does, is no worse in what any of them compares, and is cheaper or comes first in
    /// the stable order; so each component, reducing what is left for itself, comes to what it would have come to.
    pub fn thin(
        &mut self,
        components: &[(ComponentId, Comparison)],
        quotas: &QuotaMembers,
        candidates: impl Iterator<Item = OfferIndex>,
    ) -> Vec<OfferIndex> {
        let (mut bits, mut trends) = (Vec::new(), Trends::default());
        for (id, comparison) in components {
            let component = &self.application.components[id.index()];
            for requirement in &component.requirements {
                match one_sided(requirement) {
                    Some((attribute, trend)) => trends.add(&self.numbers(attribute), trend),
                    None => add_once(&mut bits, self.admitted(requirement)),
                }
            }
            if !self.names_purchase(component) {
                add_once(&mut bits, self.bought_by_default());
            }
            comparison.columns.iter().for_each(|(column, trend)| trends.add(column, *trend));
        }
        let by_price = components.iter().all(|(_, c)| c.price == Trend::Falling);
        let prices = self.numbers(&Attribute::Price);
        let mut order: Vec<OfferIndex> = candidates.collect();
        let catalog = self.catalog;
        order.sort_unstable_by(|a, b| {
            let price = |o: &OfferIndex| if by_price { prices[o.0 as usize] } else { 0.0 };
            price(a).total_cmp(&price(b)).then_with(|| catalog[*a].id.cmp(&catalog[*b].id))
        });
        let mut fronts: FxHashMap<Vec<u64>, Vec<Vec<f64>>> = FxHashMap::default();
        let (mut key, mut vector) = (Vec::new(), Vec::new());
        order.retain(|offer| {
            let at = offer.0 as usize;
            key.clear();
            vector.clear();
            key.push(quotas.class(*offer));
            for word in bits.chunks(64) {
                key.push(word.iter().enumerate().fold(0, |mask, (i, set)| mask | u64::from(set.has(*offer)) << i));
            }
            if !by_price {
                key.push(catalog[*offer].price.nanos() as u64);
            }
            for (column, trend) in &trends.0 {
                let value = column[at];
                match trend {
                    Trend::Constant => {}
                    Trend::Rising if !value.is_nan() => vector.push(-value),
                    Trend::Falling if !value.is_nan() => vector.push(value),
                    _ => key.push(value.to_bits()),
                }
            }
            let front = match fronts.get_mut(&key) {
                Some(front) => front,
                None => fronts.entry(key.clone()).or_default(),
            };
            // Of equal length: which columns are NaN is part of the key.
            let is_beaten = front.iter().any(|f| f.iter().zip(&vector).all(|(a, b)| a <= b));
            if !is_beaten {
                front.push(vector.clone());
            }
            !is_beaten
        });
        order
    }
}

fn add_once(sets: &mut Vec<Rc<OfferSet>>, set: Rc<OfferSet>) {
    if !sets.iter().any(|known| Rc::ptr_eq(known, &set)) {
        sets.push(set);
    }
}

/// Columns with the trend that all components agree on.
#[derive(Default)]
struct Trends(Vec<(Column, Trend)>);

impl Trends {
    fn add(&mut self, column: &Column, trend: Trend) {
        match self.0.iter_mut().find(|(known, _)| Rc::ptr_eq(known, column)) {
            Some((_, known)) => *known = known.and(trend),
            None => self.0.push((column.clone(), trend)),
        }
    }
}

/// Attributes that every offer has as a number.
fn is_number(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Price | Attribute::Cores | Attribute::Memory | Attribute::Gpus)
}

pub(crate) fn number(attribute: &Attribute, offer: &Offer) -> f64 {
    match attribute {
        Attribute::Cores => offer.cores.count(),
        Attribute::Memory => offer.memory.mib(),
        Attribute::Gpus => f64::from(offer.gpus),
        _ => offer.price.units(),
    }
}

/// Attributes that every offer has as a text, and that few offers differ in.
fn text_of(attribute: &Attribute) -> Option<fn(&Offer) -> &str> {
    Some(match attribute {
        Attribute::Provider => |o| &o.provider,
        Attribute::Region => |o| &o.region,
        Attribute::Family => |o| &o.family,
        Attribute::MachineType => |o| &o.machine_type,
        _ => return None,
    })
}

/// For a requirement that a larger, or a smaller, number always satisfies too: the number and which way.
fn one_sided(requirement: &Requirement) -> Option<(&Attribute, Trend)> {
    let (Subject::Attribute(attribute), Test::Number(intervals)) = (&requirement.subject, &requirement.test) else {
        return None;
    };
    let [interval] = intervals[..] else { return None };
    if !is_number(attribute) {
        return None;
    }
    match (interval.low == f64::NEG_INFINITY, interval.high == f64::INFINITY) {
        (_, true) => Some((attribute, Trend::Rising)),
        (true, _) => Some((attribute, Trend::Falling)),
        _ => None,
    }
}
