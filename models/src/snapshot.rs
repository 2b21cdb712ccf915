//! The immutable input of one decision.

use std::sync::Arc;

use crate::application::Application;
use crate::catalog::Catalog;
use crate::placement::CurrentDeployment;

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
    /// A snapshot without metric values and without a running deployment.
    pub fn new(application: Arc<Application>, catalog: Arc<Catalog>) -> Self {
        let metrics = vec![None; application.metrics.len()];
        Snapshot { application, catalog, metrics, current: None }
    }
}
