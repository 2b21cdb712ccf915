//! The answer to a question as a small record, and what lies between two of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use cardinal_models::application::ComponentId;
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{Placement, SettingValue};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Status;

use crate::solve::Outcome;

/// What was decided, by the ids of offers, so that it can be compared with answers over other catalogs.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// How far it is proven; `None` when it failed.
    pub status: Option<Status>,
    /// Why it failed.
    pub failure: Option<String>,
    /// The value of the objective.
    pub utility: Option<f64>,
    /// How far that may be from the best, relative.
    pub gap: Option<f64>,
    /// The price of all nodes per hour.
    pub cost: Option<Price>,
    /// By component, in the order of the model.
    pub components: Vec<Chosen>,
    /// Nodes by offer and what each hosts.
    pub nodes: Nodes,
}

/// Nodes by offer and what each hosts.
pub type Nodes = BTreeMap<(Arc<str>, Vec<(ComponentId, u32)>), u64>;

/// What a component gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The number of instances.
    pub cardinality: u64,
    /// Instances by offer, or by configuration.
    pub offers: BTreeMap<Arc<str>, u64>,
    /// The values of attributes that are chosen freely, by name.
    pub attributes: BTreeMap<String, SettingValue>,
}

/// What it takes to get from one deployment to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// Nodes to create.
    pub nodes_created: u64,
    /// Nodes to delete.
    pub nodes_deleted: u64,
    /// Instances to start.
    pub instances_started: u64,
    /// Instances to stop.
    pub instances_stopped: u64,
}

impl Choice {
    /// The record of an outcome.
    pub fn of(snapshot: &Snapshot, outcome: &Outcome) -> Choice {
        let solution = outcome.solution.as_ref();
        let placement = solution.map(|s| &s.placement);
        let components = placement.map_or_else(Vec::new, |p| chosen(snapshot, p));
        Choice {
            status: Some(outcome.status),
            failure: None,
            utility: solution.map(|s| s.utility),
            gap: solution.map(|s| s.gap),
            cost: solution.map(|s| s.cost),
            components,
            nodes: placement.map_or_else(Nodes::new, |p| nodes(snapshot, p)),
        }
    }

    /// A question that has no answer.
    pub fn failed(why: String) -> Choice {
        Choice {
            status: None,
            failure: Some(why),
            utility: None,
            gap: None,
            cost: None,
            components: Vec::new(),
            nodes: Nodes::new(),
        }
    }

    /// True when the same was decided, whatever it is worth.
    pub fn is_same_decision(&self, other: &Choice) -> bool {
        self.cost.is_some() == other.cost.is_some()
            && self.status.is_some() == other.status.is_some()
            && self.components == other.components
            && self.nodes == other.nodes
    }

    /// True when it is known for certain: proven best, or proven impossible.
    pub fn is_settled(&self) -> bool {
        matches!(self.status, Some(Status::Optimal | Status::Infeasible))
    }

    /// What it takes to get here from other nodes.
    pub fn moves_from(&self, nodes: &Nodes) -> Moves {
        let more = |a: &Nodes, b: &Nodes| {
            let surplus = a.iter().map(|(node, n)| n.saturating_sub(b.get(node).copied().unwrap_or(0)));
            surplus.sum::<u64>()
        };
        let instances = |nodes: &Nodes| {
            let mut counts: BTreeMap<(Arc<str>, ComponentId), u64> = BTreeMap::new();
            for ((offer, hosted), n) in nodes {
                for (id, each) in hosted {
                    *counts.entry((offer.clone(), *id)).or_default() += n * u64::from(*each);
                }
            }
            counts
        };
        let (here, there) = (instances(&self.nodes), instances(nodes));
        let surplus = |a: &BTreeMap<_, u64>, b: &BTreeMap<_, u64>| {
            a.iter().map(|(key, n)| n.saturating_sub(b.get(key).copied().unwrap_or(0))).sum::<u64>()
        };
        Moves {
            nodes_created: more(&self.nodes, nodes),
            nodes_deleted: more(nodes, &self.nodes),
            instances_started: surplus(&here, &there),
            instances_stopped: surplus(&there, &here),
        }
    }
}

/// The nodes of what runs now, those on vanished offers included; `None` when nothing runs.
pub fn running(snapshot: &Snapshot) -> Option<Nodes> {
    let current = snapshot.current.as_ref()?;
    let mut all = nodes(snapshot, &current.placement);
    for gone in &current.vanished {
        *all.entry((gone.offer.clone(), gone.instances.clone())).or_default() += u64::from(gone.count);
    }
    Some(all)
}

fn nodes(snapshot: &Snapshot, placement: &Placement) -> Nodes {
    let mut all = Nodes::new();
    for group in &placement.groups {
        let key = (snapshot.catalog[group.offer].id.clone(), group.instances.clone());
        *all.entry(key).or_default() += u64::from(group.count);
    }
    all
}

fn chosen(snapshot: &Snapshot, placement: &Placement) -> Vec<Chosen> {
    let mut all = vec![Chosen::default(); snapshot.application.components.len()];
    for group in &placement.groups {
        for (id, each) in &group.instances {
            let n = u64::from(*each) * u64::from(group.count);
            let component = &mut all[id.index()];
            component.cardinality += n;
            *component.offers.entry(snapshot.catalog[group.offer].id.clone()).or_default() += n;
        }
    }
    for (i, component) in snapshot.application.components.iter().enumerate().filter(|(_, c)| c.is_free()) {
        let id = ComponentId(i as u32);
        all[i].cardinality = placement.cardinality(id);
        let mine = placement.settings.iter().filter(|s| s.component == id && s.attribute != Attribute::Cardinality);
        all[i].attributes = mine.map(|s| (s.attribute.name().to_owned(), s.value)).collect();
        debug_assert!(all[i].attributes.len() <= component.attributes().len());
    }
    all
}
