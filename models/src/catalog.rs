//! A catalog: a set of offers with a currency, a date and a source.

use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, OnceLock};

use crate::network::{Network, Place};
use crate::offer::Offer;

/// Index of an offer in its [`Catalog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferIndex(pub u32);

/// A set of offers. Ids are unique.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// ISO 4217 code of every price; empty for prices in an abstract unit.
    pub currency: String,
    /// When the prices were read, `YYYY-MM-DD`; empty when unknown.
    pub date: String,
    /// Where the prices come from.
    pub source: String,
    /// What is known of the network between the places of the offers.
    pub network: Network,
    offers: Vec<Offer>,
    by_id: FxHashMap<Arc<str>, OfferIndex>,
    /// Where the offers are, once it is asked for.
    places: OnceLock<Vec<Place>>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new(currency: impl Into<String>, date: impl Into<String>, source: impl Into<String>) -> Self {
        Catalog { currency: currency.into(), date: date.into(), source: source.into(), ..Catalog::default() }
    }

    /// Adds an offer; an offer with the same id is replaced and given back.
    pub fn insert(&mut self, offer: Offer) -> Option<Offer> {
        self.places.take();
        if let Some(index) = self.by_id.get(&offer.id) {
            return Some(std::mem::replace(&mut self.offers[index.0 as usize], offer));
        }
        let index = OfferIndex(u32::try_from(self.offers.len()).unwrap_or(u32::MAX));
        self.by_id.insert(offer.id.clone(), index);
        self.offers.push(offer);
        None
    }

    /// All offers, in the order in which they were added.
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// All offers with their indices.
    pub fn iter(&self) -> impl Iterator<Item = (OfferIndex, &Offer)> {
        self.offers.iter().enumerate().map(|(i, o)| (OfferIndex(i as u32), o))
    }

    /// The offer with an id.
    pub fn find(&self, id: &str) -> Option<OfferIndex> {
        self.by_id.get(id).copied()
    }

    /// Where the offers are, configurations left out, in the order of the names of places.
    pub fn places(&self) -> &[Place] {
        self.places.get_or_init(|| {
            let mut seen: FxHashSet<(&str, &str, &str)> = FxHashSet::default();
            let offers = self.offers.iter().filter(|o| o.configuration.is_none());
            let new = offers.filter(|o| {
                let country = if o.region.is_empty() { o.country.as_ref() } else { "" };
                seen.insert((&o.provider, &o.region, country))
            });
            let mut places: Vec<Place> = new.map(Place::of).collect();
            // A stable sort: of offers that tell a place differently the first counts.
            places.sort_by(|a, b| a.name.cmp(&b.name));
            places.dedup_by(|a, b| a.name == b.name);
            places
        })
    }

    /// Where an offer is.
    pub fn place_of(&self, offer: &Offer) -> Place {
        let name = crate::network::name_of(offer);
        let places = self.places();
        let known = places.binary_search_by(|p| p.name.cmp(&name)).ok();
        known.map_or_else(|| Place::of(offer), |at| places[at].clone())
    }

    /// The place with a name, `provider/region` or a region: where offers of this name are, else what the name itself
    /// tells.
    pub fn place(&self, name: &str) -> Place {
        let places = self.places();
        let known = places.iter().find(|p| p.name.eq_ignore_ascii_case(name));
        let known = known.or_else(|| {
            let mut same = places.iter().filter(|p| p.region.eq_ignore_ascii_case(name));
            same.next().filter(|_| same.next().is_none())
        });
        known.cloned().unwrap_or_else(|| Place::named(name))
    }

    /// The number of offers.
    pub fn len(&self) -> usize {
        self.offers.len()
    }

    /// True without offers.
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }
}

impl std::ops::Index<OfferIndex> for Catalog {
    type Output = Offer;
    fn index(&self, index: OfferIndex) -> &Offer {
        &self.offers[index.0 as usize]
    }
}
