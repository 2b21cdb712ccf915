//! Commitments: capacity that is paid for already, and what it takes off the bill.
//!
//! A commitment covers the list price of nodes on the offers that it matches until it is used up. A node may be covered
//! in part, and by several commitments together. Which nodes are covered is chosen so that most money is saved, as the
//! providers do: that is a linear program over the amounts that each commitment covers of each kind of node
//! ([`cover`]).

mod cover;

use std::sync::Arc;

use crate::application::{Application, Requirement};
use crate::catalog::Catalog;
use crate::offer::Offer;
use crate::placement::Placement;
use crate::quantity::{Cores, Price};
use crate::span::Span;

pub use cover::cover;

/// A resolved commitment.
#[derive(Clone, Debug)]
pub struct Commitment {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// Which offers it covers.
    pub matches: Vec<Requirement>,
    /// How much.
    pub capacity: Capacity,
    /// Until when, as the user wrote it; decisions do not look at it.
    pub until: Option<Arc<str>>,
}

impl Commitment {
    /// True when it covers nodes of the offer. Counted in cores, it covers none that has none.
    pub fn covers(&self, offer: &Offer) -> bool {
        offer.configuration.is_none()
            && !(matches!(self.capacity, Capacity::Cores(_)) && offer.cores == Cores(0))
            && self.matches.iter().all(|requirement| requirement.admits(offer))
    }
}

/// How much a commitment covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// So many nodes.
    Nodes(u64),
    /// Nodes with so many vCPU in all.
    Cores(Cores),
    /// Nodes with this list price per hour in all.
    Cost(Price),
}

impl Capacity {
    /// The whole capacity in its unit: nodes, thousandths of a vCPU, 1e-9 of a currency unit.
    pub fn total(self) -> u64 {
        match self {
            Capacity::Nodes(n) => n,
            Capacity::Cores(cores) => cores.0,
            Capacity::Cost(price) => u64::try_from(price.nanos()).unwrap_or(0),
        }
    }

    /// What one node of the offer takes of it, in its unit.
    pub fn taken_by(self, offer: &Offer) -> u64 {
        match self {
            Capacity::Nodes(_) => 1,
            Capacity::Cores(_) => offer.cores.0,
            Capacity::Cost(_) => u64::try_from(offer.price.nanos()).unwrap_or(0),
        }
    }

    /// How many units of the capacity one of nodes, vCPU or currency units per hour is.
    pub fn scale(self) -> f64 {
        match self {
            Capacity::Nodes(_) => 1.0,
            Capacity::Cores(_) => 1000.0,
            Capacity::Cost(_) => Price::SCALE as f64,
        }
    }
}

/// What a commitment covers of a placement.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Covered {
    /// How much of it is used: nodes, vCPU or currency units per hour.
    pub used: f64,
    /// The list price per hour that it takes off the bill.
    pub saved: Price,
}

/// What a placement costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill {
    /// The price of all nodes per hour.
    pub list: Price,
    /// What each commitment covers of it, in the order of the application.
    pub covered: Vec<Covered>,
}

impl Bill {
    /// What is really paid per hour.
    pub fn paid(&self) -> Price {
        let saved: Price = self.covered.iter().map(|c| c.saved).sum();
        Price::from_nanos(self.list.nanos().saturating_sub(saved.nanos()).max(0))
    }
}

/// The bill of a placement over the offers of a catalog.
pub fn bill(application: &Application, catalog: &Catalog, placement: &Placement) -> Bill {
    let list = placement.cost(catalog);
    if application.commitments.is_empty() {
        return Bill { list, covered: Vec::new() };
    }
    let mut nodes: Vec<(&Offer, u64)> = Vec::new();
    for group in placement.groups.iter().filter(|group| group.count > 0) {
        let offer = &catalog[group.offer];
        match nodes.iter_mut().find(|(known, _)| known.id == offer.id) {
            Some((_, count)) => *count += u64::from(group.count),
            None => nodes.push((offer, u64::from(group.count))),
        }
    }
    Bill { list, covered: cover(&application.commitments, &nodes) }
}
