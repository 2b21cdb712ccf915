//! What a placement costs, part by part.

use crate::application::{DataId, LinkId};
use crate::evaluate::{EvaluationError, Evaluator};
use crate::placement::Placement;
use crate::quantity::Price;
use crate::snapshot::Snapshot;

/// The parts of the total cost, each per hour. Egress and storage are rounded to a nano-unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The price of all nodes, less what commitments cover.
    pub machines: Price,
    /// What the traffic of all links costs.
    pub egress: Price,
    /// What storing all replicas costs.
    pub storage: Price,
}

impl Cost {
    /// All parts together.
    pub fn total(&self) -> Price {
        self.machines + self.egress + self.storage
    }
}

fn rounded(units: f64) -> Price {
    // A cast saturates, as sums of prices do.
    Price::from_nanos((units * Price::SCALE as f64).round() as i64)
}

/// What a placement of the snapshot costs.
///
/// # Errors
///
/// When the price of some traffic is not known.
pub fn cost(snapshot: &Snapshot, placement: &Placement) -> Result<Cost, EvaluationError> {
    let application = &snapshot.application;
    let machines = snapshot.paid(placement);
    if application.links.is_empty() && application.data.is_empty() {
        return Ok(Cost { machines, ..Cost::default() });
    }
    let evaluator = Evaluator::new(snapshot);
    let (mut egress, mut storage) = (0.0, 0.0);
    for i in 0..application.links.len() {
        egress += evaluator.link(LinkId(i as u32), placement)?.cost;
    }
    for i in 0..application.data.len() {
        storage += evaluator.storage(DataId(i as u32), placement)?;
    }
    Ok(Cost { machines, egress: rounded(egress), storage: rounded(storage) })
}
