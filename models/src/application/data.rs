//! Data sources, and the traffic between components and to data.

use std::sync::Arc;

use crate::application::ComponentId;
use crate::catalog::Catalog;
use crate::formula::expr::Expr;
use crate::network::Place;
use crate::quantity::Bytes;
use crate::span::Span;

/// Index of a data source in [`crate::application::Application::data`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataId(pub u32);

/// Index of a link in [`crate::application::Application::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u32);

impl DataId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LinkId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Data that components read and write: an object store, a data lake, a feed.
#[derive(Clone, Debug)]
pub struct DataSource {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name stands.
    pub span: Span,
    /// How large each replica is.
    pub size: Bytes,
    /// Where its replicas are.
    pub home: Home,
    /// What keeping a GB (10^9 bytes) for an hour costs, in currency units, for each replica.
    pub storage_per_gb_hour: f64,
}

/// Where the replicas of a data source are.
#[derive(Clone, Debug, PartialEq)]
pub enum Home {
    /// A replica in each of these places.
    Fixed(Vec<Arc<str>>),
    /// Chosen with the placement.
    Chosen {
        /// Only in these places; anywhere in the catalog when there are none.
        places: Vec<Arc<str>>,
        /// At least so many replicas, one or more.
        least: u32,
        /// At most so many.
        most: u32,
    },
}

impl DataSource {
    /// What a replica costs per hour, in currency units.
    pub fn replica_cost(&self) -> f64 {
        self.storage_per_gb_hour * (self.size.0 as f64 / 1e9)
    }

    /// Where a replica may be: of a fixed source where each one is. In the order of the names of places.
    pub fn candidates(&self, catalog: &Catalog) -> Vec<Place> {
        let mut all = match &self.home {
            Home::Fixed(names) => names.iter().map(|name| catalog.place(name)).collect(),
            Home::Chosen { places, .. } if places.is_empty() => catalog.places().to_vec(),
            Home::Chosen { places, .. } => {
                let known = catalog.places();
                let mut all: Vec<Place> =
                    known.iter().filter(|p| places.iter().any(|name| p.lies_in(name))).cloned().collect();
                // A region that no offer is in can hold data all the same.
                for name in places.iter().filter(|name| !known.iter().any(|p| p.lies_in(name))) {
                    let place = Place::named(name);
                    all.extend(Some(place).filter(|p| !p.provider.is_empty() && !p.region.is_empty()));
                }
                all
            }
        };
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all
    }
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The instances of a component; the traffic is shared evenly among them.
    Component(ComponentId),
    /// A data source; every instance at the other end uses the replica nearest to it.
    Data(DataId),
}

/// Traffic between two ends, of which at least one is a component.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name stands.
    pub span: Span,
    /// Who sends.
    pub from: End,
    /// Who receives.
    pub to: End,
    /// GB per hour from `from` to `to`, all instances together.
    pub traffic: Expr,
    /// GB per hour the other way.
    pub back: Expr,
    /// The largest round-trip time in milliseconds. It is also a constraint of the application.
    pub latency_ms: Option<f64>,
}
