//! The immutable input of one decision.

use std::sync::Arc;

use crate::application::{Application, Choice};
use crate::catalog::Catalog;
use crate::commitment::{Bill, bill};
use crate::offer::Offer;
use crate::placement::{CurrentDeployment, Placement};
use crate::quantity::Price;

/// Everything that a decision depends on. Two equal snapshots give the same solution.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The model.
    pub application: Arc<Application>,
    /// The offers.
    pub catalog: Arc<Catalog>,
    /// The value of each metric, by [`crate::application::MetricId`]; `None` when none is given. A value for a computed
    /// metric replaces its formula.
    pub metrics: Vec<Option<f64>>,
    /// What runs now; `None` when nothing does.
    pub current: Option<CurrentDeployment>,
}

impl Snapshot {
    /// A snapshot without metric values and without a running deployment. Its catalog holds the configurations of the
    /// application beside the offers.
    pub fn new(application: Arc<Application>, catalog: Arc<Catalog>) -> Self {
        let metrics = vec![None; application.metrics.len()];
        let catalog = with_configurations(&application, catalog);
        Snapshot { application, catalog, metrics, current: None }
    }

    /// What a placement costs per hour, and what commitments cover of it.
    pub fn bill(&self, placement: &Placement) -> Bill {
        bill(&self.application, &self.catalog, placement)
    }

    /// What is really paid for a placement per hour.
    pub fn paid(&self, placement: &Placement) -> Price {
        self.bill(placement).paid()
    }
}

/// The catalog with the configurations of the application. A configuration whose id is that of an offer gets another.
fn with_configurations(application: &Application, catalog: Arc<Catalog>) -> Arc<Catalog> {
    let configurations = || {
        application.components.iter().flat_map(|c| match &c.choice {
            Choice::Configurations(all) => all.iter(),
            Choice::Offers | Choice::Attributes(_) => [].iter(),
        })
    };
    if configurations().next().is_none() {
        return catalog;
    }
    let mut whole = Catalog::clone(&catalog);
    for configuration in configurations() {
        let mut id = configuration.id.clone();
        while whole.find(&id).is_some_and(|at| whole[at].configuration.is_none()) {
            id = format!("{id}*").into();
        }
        whole.insert(Offer { id, ..configuration.clone() });
    }
    Arc::new(whole)
}
