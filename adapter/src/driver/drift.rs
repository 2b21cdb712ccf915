//! What is observed against what should be: lost nodes and things that nobody owns.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Observation, ObservedNode};
use crate::deployment::{InstanceId, NodeId, NodePhase, RunningDeployment};

/// Where the world differs from the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// Nodes that the record takes for alive and that are gone or lost.
    pub lost: Vec<NodeId>,
    /// Nodes that are not on record. They cost money and belong to nobody.
    pub orphaned_nodes: Vec<NodeId>,
    /// Instances on record, on nodes that are there, that do not run or do not serve.
    pub silent: Vec<InstanceId>,
    /// Instances that are not on record.
    pub orphaned_instances: Vec<InstanceId>,
}

impl Drift {
    /// What differs. Only sound while no plan is under way.
    pub fn between(record: &RunningDeployment, observation: &Observation) -> Drift {
        let nodes: BTreeMap<&NodeId, &ObservedNode> = observation.nodes.iter().map(|n| (&n.id, n)).collect();
        let is_lost = |id: &NodeId| nodes.get(id).is_none_or(|n| n.phase == NodePhase::Lost);
        let alive = || record.nodes.values().filter(|n| n.phase != NodePhase::Lost);
        let lost: BTreeSet<&NodeId> = alive().map(|n| &n.id).filter(|id| is_lost(id)).collect();
        let on_record: BTreeSet<&InstanceId> =
            record.nodes.values().flat_map(|n| n.instances.values().flatten()).collect();
        let serving: BTreeSet<&InstanceId> =
            observation.instances.iter().filter(|i| i.healthy && i.registered).map(|i| &i.id).collect();
        let expected = alive().filter(|n| !lost.contains(&n.id)).flat_map(|n| n.instances.values().flatten());
        Drift {
            silent: expected.filter(|i| !serving.contains(i)).cloned().collect(),
            orphaned_nodes: nodes.keys().filter(|id| !record.nodes.contains_key(id)).map(|id| (*id).clone()).collect(),
            orphaned_instances: observation
                .instances
                .iter()
                .filter(|i| !on_record.contains(&i.id))
                .map(|i| i.id.clone())
                .collect(),
            lost: lost.into_iter().cloned().collect(),
        }
    }

    /// True when the world is as it should be.
    pub fn is_none(&self) -> bool {
        *self == Drift::default()
    }

    /// The record with the lost nodes marked as such.
    pub fn mark_lost(&self, record: &RunningDeployment) -> RunningDeployment {
        let mut marked = record.clone();
        for id in &self.lost {
            if let Some(node) = marked.nodes.get_mut(id) {
                node.phase = NodePhase::Lost;
            }
        }
        marked
    }
}
