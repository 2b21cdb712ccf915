//! A catalog: a set of offers with a currency, a date and a source.

use rustc_hash::FxHashMap;
use std::sync::Arc;

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
    offers: Vec<Offer>,
    by_id: FxHashMap<Arc<str>, OfferIndex>,
}

impl Catalog {
    /// An empty catalog.
    pub fn new(currency: impl Into<String>, date: impl Into<String>, source: impl Into<String>) -> Self {
        Catalog { currency: currency.into(), date: date.into(), source: source.into(), ..Catalog::default() }
    }

    /// Adds an offer; an offer with the same id is replaced and given back.
    pub fn insert(&mut self, offer: Offer) -> Option<Offer> {
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
