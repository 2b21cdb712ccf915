//! Placements and deployments: which instances on which nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::application::{ComponentId, DataId};
use crate::catalog::{Catalog, OfferIndex};
use crate::offer::Attribute;
use crate::quantity::Price;

/// A placement over the offers of one catalog: groups of identical nodes, and the settings of components whose
/// attributes are chosen freely.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The groups; no two are alike in offer, zone and instances once [`Placement::normalize`] has run.
    pub groups: Vec<NodeGroup>,
    /// The chosen values of components with free attributes: of each its number of instances and every attribute.
    pub settings: Vec<Setting>,
    /// Where the replicas of data sources are whose places are chosen.
    pub replicas: Vec<Replica>,
}

/// A replica of a data source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// Of which.
    pub data: DataId,
    /// The name of the place, `provider/region`.
    pub place: Arc<str>,
}

/// The value of one free attribute, or of the number of instances, of a component that takes no offer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// Whose.
    pub component: ComponentId,
    /// Which; [`Attribute::Cardinality`] for the number of instances.
    pub attribute: Attribute,
    /// The value.
    pub value: SettingValue,
}

/// A number with a total order, so that placements can be compared and sorted.
#[derive(Clone, Copy, Debug)]
pub struct SettingValue(pub f64);

impl PartialEq for SettingValue {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for SettingValue {}

impl PartialOrd for SettingValue {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SettingValue {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl std::hash::Hash for SettingValue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// A number of identical nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeGroup {
    /// What is bought.
    pub offer: OfferIndex,
    /// The zone, an index into the offer's `zones`; `None` when the offer names none or it does not matter.
    pub zone: Option<u16>,
    /// Instances on each node, ascending by component, each count at least 1.
    pub instances: Vec<(ComponentId, u32)>,
    /// The number of nodes.
    pub count: u32,
}

impl Placement {
    /// A placement of these groups, in an application without free attributes.
    pub fn of(groups: Vec<NodeGroup>) -> Self {
        Placement { groups, ..Placement::default() }
    }

    /// Joins equal groups, drops empty ones and sorts them by offer, zone and instances.
    pub fn normalize(&mut self) {
        self.groups.retain(|g| g.count > 0);
        for group in &mut self.groups {
            group.instances.retain(|(_, n)| *n > 0);
            group.instances.sort_unstable();
        }
        self.groups.sort_unstable();
        self.groups.dedup_by(|later, earlier| {
            let same =
                later.offer == earlier.offer && later.zone == earlier.zone && later.instances == earlier.instances;
            if same {
                earlier.count = earlier.count.saturating_add(later.count);
            }
            same
        });
        self.settings.sort_unstable();
        self.settings.dedup();
        self.replicas.sort_unstable();
    }

    /// The places of the replicas of a data source whose places are chosen.
    pub fn replicas_of(&self, data: DataId) -> impl Iterator<Item = &Arc<str>> {
        self.replicas.iter().filter(move |r| r.data == data).map(|r| &r.place)
    }

    /// The number of instances of a component.
    pub fn cardinality(&self, component: ComponentId) -> u64 {
        let on_nodes: u64 = self
            .groups
            .iter()
            .map(|g| {
                let on_node: u64 =
                    g.instances.iter().filter(|(c, _)| *c == component).map(|(_, n)| u64::from(*n)).sum();
                on_node * u64::from(g.count)
            })
            .sum();
        on_nodes + self.free_instances(component)
    }

    /// The chosen value of a free attribute, or of the number of instances, of a component that takes no offer.
    pub fn setting(&self, component: ComponentId, attribute: &Attribute) -> Option<f64> {
        let of = |s: &&Setting| s.component == component && s.attribute == *attribute;
        self.settings.iter().find(of).map(|s| s.value.0)
    }

    /// The number of instances of a component that takes no offer; 0 for any other.
    fn free_instances(&self, component: ComponentId) -> u64 {
        // A number that is none counts nothing here; the checker refuses it.
        self.setting(component, &Attribute::Cardinality).map_or(0, |n| n.clamp(0.0, f64::from(u32::MAX)) as u64)
    }

    /// The number of nodes.
    pub fn nodes(&self) -> u64 {
        self.groups.iter().map(|g| u64::from(g.count)).sum()
    }

    /// The price of all nodes per hour.
    pub fn cost(&self, catalog: &Catalog) -> Price {
        self.groups.iter().map(|g| catalog[g.offer].price.times(u64::from(g.count))).sum()
    }
}

/// A deployment as a file or an answer gives it: by names, so that it outlives its catalog. The JSON answer of
/// `cardinal solve` has these fields too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deployment {
    /// The groups of identical nodes.
    #[serde(default)]
    pub nodes: Vec<DeployedNodes>,
    /// Components with free attributes, which have no nodes. Of other components nothing is read here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, DeployedComponent>,
    /// Data sources whose places are chosen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, DeployedData>,
}

/// Where a data source is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeployedData {
    /// The places of its replicas, `provider/region`.
    #[serde(default)]
    pub regions: Vec<String>,
}

/// What a component with free attributes is set to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeployedComponent {
    /// The number of instances.
    #[serde(default)]
    pub cardinality: u64,
    /// The values of its attributes; none for a component with nodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, f64>,
}

/// A number of identical nodes of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeployedNodes {
    /// The id of the offer.
    pub offer: String,
    /// The zone, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The number of nodes.
    #[serde(default = "one")]
    pub count: u32,
    /// The price of one node per hour when it was decided; the catalog's price is used where it has the offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// Instances on each node, by component name.
    pub instances: BTreeMap<String, u32>,
}

fn one() -> u32 {
    1
}

/// What runs now, resolved against the application and the catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CurrentDeployment {
    /// The nodes on offers that the catalog still has.
    pub placement: Placement,
    /// Nodes on offers that the catalog no longer has.
    pub vanished: Vec<VanishedNodes>,
}

/// Running nodes whose offer is not in the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct VanishedNodes {
    /// The id of the offer.
    pub offer: Arc<str>,
    /// The number of nodes.
    pub count: u32,
    /// The recorded price of one node per hour.
    pub price: Option<Price>,
    /// Instances on each node.
    pub instances: Vec<(ComponentId, u32)>,
}

impl CurrentDeployment {
    /// The number of running instances of a component, those on vanished offers included.
    pub fn cardinality(&self, component: ComponentId) -> u64 {
        let vanished: u64 = self
            .vanished
            .iter()
            .map(|v| {
                let on_node: u64 =
                    v.instances.iter().filter(|(c, _)| *c == component).map(|(_, n)| u64::from(*n)).sum();
                on_node * u64::from(v.count)
            })
            .sum();
        self.placement.cardinality(component) + vanished
    }
}
