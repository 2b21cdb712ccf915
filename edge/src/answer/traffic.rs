//! Links and data sources in the answer.

use cardinal_models::application::{DataId, End, Home, LinkId};
use cardinal_models::cost::cost as cost_of;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::placement::{CurrentDeployment, Placement};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use indexmap::IndexMap;

use super::{CostAnswer, DataAnswer, EgressAnswer};

/// The parts of the cost, of a model with links or data sources.
pub(super) fn cost(snapshot: &Snapshot, placement: &Placement) -> Option<CostAnswer> {
    let application = &snapshot.application;
    if application.links.is_empty() && application.data.is_empty() {
        return None;
    }
    let cost = cost_of(snapshot, placement).ok()?;
    let [machines, egress, storage] = [cost.machines, cost.egress, cost.storage].map(Price::units);
    Some(CostAnswer { machines, egress, storage })
}

/// What runs now costs, apart from nodes that have vanished; `None` when it cannot be told.
pub(super) fn running(snapshot: &Snapshot, now: &CurrentDeployment) -> Option<Price> {
    cost_of(snapshot, &now.placement).ok().map(|cost| cost.total())
}

/// What each link does.
pub(super) fn egress(snapshot: &Snapshot, placement: &Placement) -> Vec<EgressAnswer> {
    let application = &snapshot.application;
    let evaluator = Evaluator::new(snapshot);
    let name = |end: End| match end {
        End::Component(c) => application[c].name.to_string(),
        End::Data(d) => application.data[d.index()].name.to_string(),
    };
    let links = application.links.iter().enumerate().filter_map(|(i, link)| {
        let used = evaluator.link(LinkId(i as u32), placement).ok()?;
        Some(EgressAnswer {
            link: link.name.to_string(),
            from: name(link.from),
            to: name(link.to),
            gb_per_hour: used.traffic + used.back,
            crossing_gb_per_hour: used.crossing,
            cost_per_hour: used.cost,
            latency_ms: used.latency_ms,
            latency_limit_ms: link.latency_ms,
        })
    });
    links.collect()
}

/// Where each data source is, and what has to be copied to get there from what runs now.
pub(super) fn data(snapshot: &Snapshot, placement: &Placement) -> IndexMap<String, DataAnswer> {
    let evaluator = Evaluator::new(snapshot);
    let each = snapshot.application.data.iter().enumerate().map(|(i, source)| {
        let id = DataId(i as u32);
        let size_gb = source.size.0 as f64 / 1e9;
        let (chosen, regions): (bool, Vec<String>) = match source.home {
            Home::Fixed(_) => {
                (false, source.candidates(&snapshot.catalog).iter().map(|p| p.name.to_string()).collect())
            }
            Home::Chosen { .. } => (true, placement.replicas_of(id).map(ToString::to_string).collect()),
        };
        // Of data that nobody says where they are nothing can be said to move.
        let now: Option<Vec<&str>> =
            snapshot.current.as_ref().map(|now| now.placement.replicas_of(id).map(AsRef::as_ref).collect());
        let moves_gb = now
            .filter(|now| chosen && !now.is_empty())
            .map(|now| size_gb * regions.iter().filter(|region| !now.contains(&region.as_str())).count() as f64);
        let storage_per_hour = evaluator.storage(id, placement).unwrap_or(0.0);
        (source.name.to_string(), DataAnswer { regions, chosen, size_gb, storage_per_hour, moves_gb })
    });
    each.collect()
}
