//! What runs, node by node, by names that outlive every catalog; and what is wanted, node by node.

use std::collections::BTreeMap;
use std::fmt;

use cardinal_models::application::Application;
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::offer::Purchase;
use cardinal_models::placement::{DeployedNodes, Deployment, Placement};
use cardinal_models::quantity::{Bytes, Cores, Price};
use serde::{Deserialize, Serialize};

/// The largest number of nodes of one deployment.
pub const NODES_MAX: u64 = 100_000;

/// The largest number of instances of one deployment.
pub const INSTANCES_MAX: u64 = 1_000_000;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                $name(name.to_owned())
            }
        }
    };
}

name_type! {
    /// The name of a node, unique over all deployments. Plans give it before the node exists, so that a creation whose
    /// answer was lost is found again by its name.
    NodeId
}

name_type! {
    /// The name of an instance, unique over all deployments, given like [`NodeId`].
    InstanceId
}

/// Configuration values of one component, by name.
pub type Parameters = BTreeMap<String, String>;

/// What is known of an offer at the time a node of it was decided. Outlives the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OfferSnapshot {
    /// The id of the offer.
    pub id: String,
    /// The provider.
    pub provider: String,
    /// The region, empty when the offer names none.
    pub region: String,
    /// The zone, `None` when it does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// ISO 3166 alpha-2 code of the country, empty when unknown.
    pub country: String,
    /// The machine type.
    pub machine_type: String,
    /// How it is bought.
    pub purchase: Purchase,
    /// vCPU, in thousandths.
    pub cores: Cores,
    /// Memory, in bytes.
    pub memory: Bytes,
    /// The price of one node per hour, in 1e-9 of the currency unit.
    #[serde(rename = "price_nanos", with = "price_nanos")]
    pub price: Price,
}

mod price_nanos {
    use cardinal_models::quantity::Price;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(price: &Price, serializer: S) -> Result<S::Ok, S::Error> {
        price.nanos().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
        let nanos = i64::deserialize(deserializer)?;
        if (0..=Price::MAX.nanos()).contains(&nanos) {
            return Ok(Price::from_nanos(nanos));
        }
        Err(serde::de::Error::custom(format!("a price of {nanos} nano-units lies outside 0..={}", Price::MAX.nanos())))
    }
}

impl OfferSnapshot {
    /// An offer of a catalog in one of its zones.
    pub fn of(catalog: &Catalog, offer: OfferIndex, zone: Option<u16>) -> Self {
        let offer = &catalog[offer];
        OfferSnapshot {
            id: offer.id.to_string(),
            provider: offer.provider.to_string(),
            region: offer.region.to_string(),
            zone: zone.and_then(|z| offer.zones.get(usize::from(z))).map(ToString::to_string),
            country: offer.country.to_string(),
            machine_type: offer.machine_type.to_string(),
            purchase: offer.purchase,
            cores: offer.cores,
            memory: offer.memory,
            price: offer.price,
        }
    }
}

/// How far a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodePhase {
    /// Asked for, not yet usable.
    Creating,
    /// Usable.
    Ready,
    /// Gone without our doing: taken back by the provider, or failed.
    Lost,
}

/// One machine that runs or is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// What it is.
    pub offer: OfferSnapshot,
    /// The instances on it, by component, ascending by name.
    pub instances: BTreeMap<String, Vec<InstanceId>>,
    /// How far it is.
    pub phase: NodePhase,
    /// The generation of the plan that created it.
    pub generation: u64,
}

impl Node {
    /// The number of instances on the node.
    pub fn instance_count(&self) -> u64 {
        self.instances.values().map(|all| all.len() as u64).sum()
    }

    /// The number of instances of each component that has any.
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.instances
            .iter()
            .filter(|(_, all)| !all.is_empty())
            .map(|(component, all)| (component.clone(), u32::try_from(all.len()).unwrap_or(u32::MAX)))
            .collect()
    }
}

/// What runs of one application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningDeployment {
    /// The generation of the last plan that changed it; only rises.
    pub generation: u64,
    /// The nodes by name.
    pub nodes: BTreeMap<NodeId, Node>,
    /// The configuration of each component that has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameters>,
}

impl RunningDeployment {
    /// The number of instances of each component.
    pub fn cardinalities(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (component, instances) in self.nodes.values().flat_map(|n| &n.instances) {
            if !instances.is_empty() {
                *all.entry(component.clone()).or_insert(0) += instances.len() as u64;
            }
        }
        all
    }

    /// The number of instances of all components.
    pub fn instance_count(&self) -> u64 {
        self.nodes.values().map(Node::instance_count).sum()
    }

    /// The price of all nodes per hour.
    pub fn cost(&self) -> Price {
        self.nodes.values().map(|n| n.offer.price).sum()
    }

    /// Without the nodes that are lost: what a new placement can be built on.
    pub fn surviving(&self) -> RunningDeployment {
        let nodes = self.nodes.iter().filter(|(_, n)| n.phase != NodePhase::Lost);
        RunningDeployment { nodes: nodes.map(|(id, n)| (id.clone(), n.clone())).collect(), ..self.clone() }
    }

    /// The deployment as the solver takes it: groups of identical nodes, by names. Lost nodes are left out; prices are
    /// those at which the nodes were decided.
    pub fn to_deployment(&self) -> Deployment {
        let mut groups: BTreeMap<(&OfferSnapshot, BTreeMap<String, u32>), u32> = BTreeMap::new();
        for node in self.nodes.values().filter(|n| n.phase != NodePhase::Lost) {
            *groups.entry((&node.offer, node.counts())).or_insert(0) += 1;
        }
        let nodes = groups.into_iter().map(|((offer, instances), count)| DeployedNodes {
            offer: offer.id.clone(),
            zone: offer.zone.clone(),
            count,
            price: Some(offer.price.units()),
            instances,
        });
        Deployment { nodes: nodes.collect() }
    }
}

/// One node as it is wanted, not yet named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WantedNode {
    /// What it is to be. A zone of `None` is satisfied by every zone.
    pub offer: OfferSnapshot,
    /// The number of instances of each component on it, each at least 1.
    pub instances: BTreeMap<String, u32>,
}

/// What is wanted: the nodes one by one, and the configuration of the components.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedDeployment {
    /// The nodes, ascending.
    pub nodes: Vec<WantedNode>,
    /// The configuration of each component that has any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameters>,
}

/// A wanted deployment beyond what the adapter carries out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// Too many nodes.
    #[error("the placement has {0} nodes; a deployment has at most {NODES_MAX}")]
    TooManyNodes(u64),
    /// Too many instances.
    #[error("the placement has {0} instances; a deployment has at most {INSTANCES_MAX}")]
    TooManyInstances(u64),
}

impl WantedDeployment {
    /// The nodes of a placement, which may come from a solution.
    ///
    /// # Errors
    /// When there are more than [`NODES_MAX`] nodes or [`INSTANCES_MAX`] instances.
    pub fn from_placement(
        placement: &Placement,
        application: &Application,
        catalog: &Catalog,
    ) -> Result<Self, WantedError> {
        if placement.nodes() > NODES_MAX {
            return Err(WantedError::TooManyNodes(placement.nodes()));
        }
        let mut nodes = Vec::new();
        for group in &placement.groups {
            let offer = OfferSnapshot::of(catalog, group.offer, group.zone);
            let instances = group.instances.iter().filter(|(_, n)| *n > 0);
            let instances = instances.map(|(c, n)| (application[*c].name.to_string(), *n)).collect();
            let node = WantedNode { offer, instances };
            nodes.extend(std::iter::repeat_n(node, group.count as usize));
        }
        nodes.sort_unstable();
        let wanted = WantedDeployment { nodes, parameters: BTreeMap::new() };
        match wanted.instance_count() {
            count if count > INSTANCES_MAX => Err(WantedError::TooManyInstances(count)),
            _ => Ok(wanted),
        }
    }

    /// The number of instances of each component.
    pub fn cardinalities(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for (component, n) in self.nodes.iter().flat_map(|n| &n.instances) {
            *all.entry(component.clone()).or_insert(0) += u64::from(*n);
        }
        all
    }

    /// The number of instances of all components.
    pub fn instance_count(&self) -> u64 {
        self.nodes.iter().flat_map(|n| n.instances.values()).map(|n| u64::from(*n)).sum()
    }

    /// The price of all nodes per hour.
    pub fn cost(&self) -> Price {
        self.nodes.iter().map(|n| n.offer.price).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{node, offer, running};

    #[test]
    fn identical_nodes_are_grouped_and_lost_ones_left_out() {
        let mut deployment = running(vec![
            node("a", &offer("small", 0.1), &[("web", 1)]),
            node("b", &offer("small", 0.1), &[("web", 1)]),
            node("c", &offer("small", 0.1), &[("web", 2)]),
            node("d", &offer("big", 0.2), &[]),
        ]);
        let groups = deployment.to_deployment().nodes;
        assert_eq!(
            groups.iter().map(|g| (g.offer.as_str(), g.count)).collect::<Vec<_>>(),
            [("big", 1), ("small", 2), ("small", 1)]
        );
        assert_eq!(deployment.cardinalities()["web"], 4);
        if let Some(node) = deployment.nodes.get_mut(&"a".into()) {
            node.phase = NodePhase::Lost;
        }
        assert_eq!(deployment.to_deployment().nodes[1].count, 1);
        assert_eq!(deployment.surviving().cardinalities()["web"], 3);
    }

    #[test]
    fn a_deployment_survives_json_and_a_price_out_of_range_does_not() {
        let deployment = running(vec![node("a", &offer("small", 0.1), &[("web", 2)])]);
        let text = serde_json::to_string(&deployment).unwrap_or_default();
        assert_eq!(serde_json::from_str::<RunningDeployment>(&text).ok(), Some(deployment));
        let negative = text.replace("100000000", "-1");
        assert!(serde_json::from_str::<RunningDeployment>(&negative).is_err());
    }
}
