//! Between what the adapter keeps on record and what the solver works on.

use std::collections::BTreeMap;

use cardinal_adapter::deployment::{NodePhase, Parameters, RunningDeployment};
use cardinal_adapter::driver::Observation;
use cardinal_adapter::gate::RunningScore;
use cardinal_models::application::{Application, ComponentId};
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::evaluate::{Evaluator, Value};
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{
    CurrentDeployment, DeployedNodes, Deployment, NodeGroup, Placement, Replica, Setting, SettingValue, VanishedNodes,
};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::verify::verify;

/// The word for the number of instances among the parameters of a component with free attributes.
const CARDINALITY: &str = "cardinality";

/// What runs, as the solver takes it; `None` when nothing does. Lost nodes and components that the model no longer has
/// are left out: what is on record of them is taken down by the plan.
pub fn current(running: &RunningDeployment, application: &Application, catalog: &Catalog) -> Option<CurrentDeployment> {
    let mut current = CurrentDeployment::default();
    for nodes in running.to_deployment().nodes {
        let instances = instances(&nodes, application);
        if instances.is_empty() {
            continue;
        }
        let Some(offer) = catalog.find(&nodes.offer) else {
            let price = nodes.price.and_then(Price::from_units);
            let offer = nodes.offer.as_str().into();
            current.vanished.push(VanishedNodes { offer, count: nodes.count, price, instances });
            continue;
        };
        let zone = zone(&nodes, offer, catalog);
        current.placement.groups.push(NodeGroup { offer, zone, instances, count: nodes.count });
    }
    current.placement.settings = settings(&running.parameters, application);
    current.placement.normalize();
    let is_empty = current.placement.groups.is_empty() && current.placement.settings.is_empty();
    (!is_empty || !current.vanished.is_empty()).then_some(current)
}

/// What serves of what there is in the cloud: healthy instances that get requests, on the nodes where they are.
pub fn serving(seen: &Observation, application: &Application, catalog: &Catalog) -> Placement {
    let mut placement = Placement::default();
    for node in seen.nodes.iter().filter(|n| n.phase == NodePhase::Ready) {
        let Some(offer) = catalog.find(&node.offer.id) else { continue };
        let mut counts: BTreeMap<ComponentId, u32> = BTreeMap::new();
        for instance in seen.instances.iter().filter(|i| i.node == node.id && i.healthy && i.registered) {
            if let Some(id) = application.component(&instance.component) {
                *counts.entry(id).or_insert(0) += 1;
            }
        }
        let zone = node.offer.zone.as_ref().and_then(|name| catalog[offer].zones.iter().position(|z| **z == **name));
        let zone = zone.and_then(|index| u16::try_from(index).ok());
        placement.groups.push(NodeGroup { offer, zone, instances: counts.into_iter().collect(), count: 1 });
    }
    placement.groups.retain(|group| !group.instances.is_empty());
    placement.normalize();
    placement
}

/// The instances on nodes, without those of components that the model does not have.
fn instances(nodes: &DeployedNodes, application: &Application) -> Vec<(ComponentId, u32)> {
    let known = |(name, n): (&String, &u32)| application.component(name).map(|id| (id, *n));
    nodes.instances.iter().filter_map(known).collect()
}

fn zone(nodes: &DeployedNodes, offer: OfferIndex, catalog: &Catalog) -> Option<u16> {
    let zone = nodes.zone.as_ref().and_then(|name| catalog[offer].zones.iter().position(|z| **z == **name));
    zone.and_then(|index| u16::try_from(index).ok())
}

/// What a decision wanted, as the solver takes it; `None` when the model or the catalog no longer has a part of it.
pub fn wanted(deployment: &Deployment, application: &Application, catalog: &Catalog) -> Option<Placement> {
    let mut placement = Placement::default();
    for nodes in &deployment.nodes {
        let offer = catalog.find(&nodes.offer)?;
        let instances = instances(nodes, application);
        if instances.len() != nodes.instances.len() {
            return None;
        }
        placement.groups.push(NodeGroup { offer, zone: zone(nodes, offer, catalog), instances, count: nodes.count });
    }
    for (name, component) in &deployment.components {
        let id = application.component(name)?;
        let mut set = |attribute: Attribute, value: f64| {
            placement.settings.push(Setting { component: id, attribute, value: SettingValue(value) });
        };
        set(Attribute::Cardinality, component.cardinality as f64);
        for (word, value) in &component.attributes {
            let free = application[id].attributes().iter().find(|free| free.attribute.name() == word)?;
            set(free.attribute.clone(), *value);
        }
    }
    for (name, data) in &deployment.data {
        let id = application.data_source(name)?;
        let places = data.regions.iter().map(|region| catalog.place(region).name);
        placement.replicas.extend(places.map(|place| Replica { data: id, place }));
    }
    placement.normalize();
    Some(placement)
}

/// The values of free attributes that stand among the parameters.
fn settings(parameters: &BTreeMap<String, Parameters>, application: &Application) -> Vec<Setting> {
    let mut settings = Vec::new();
    for (name, values) in parameters {
        let Some(id) = application.component(name).filter(|id| application[*id].is_free()) else { continue };
        let free = application[id].attributes().iter().map(|a| a.attribute.clone());
        for attribute in free.chain([Attribute::Cardinality]) {
            let word = if attribute == Attribute::Cardinality { CARDINALITY } else { attribute.name() };
            if let Some(value) = values.get(word).and_then(|text| text.parse::<f64>().ok()) {
                settings.push(Setting { component: id, attribute, value: SettingValue(value) });
            }
        }
    }
    settings
}

/// The parameters of the components with free attributes, as the driver hands them on.
pub fn parameters(placement: &Placement, application: &Application) -> BTreeMap<String, Parameters> {
    let mut parameters: BTreeMap<String, Parameters> = BTreeMap::new();
    for setting in &placement.settings {
        let component = application[setting.component].name.to_string();
        let word = if setting.attribute == Attribute::Cardinality { CARDINALITY } else { setting.attribute.name() };
        parameters.entry(component).or_default().insert(word.to_owned(), setting.value.0.to_string());
    }
    parameters
}

/// What runs, judged with the values of the snapshot; `None` when nothing runs.
pub fn score(snapshot: &Snapshot) -> Option<RunningScore> {
    let current = snapshot.current.as_ref()?;
    let evaluator = Evaluator::new(snapshot);
    let value = match evaluator.evaluate_current(&snapshot.application.objective.formula) {
        Ok(Value::Number(value)) => Some(value),
        _ => None,
    };
    Some(RunningScore { value, violated: broken(snapshot, current, &evaluator) })
}

/// The names of the rules that what runs breaks and a solution would not, ascending.
fn broken(snapshot: &Snapshot, current: &CurrentDeployment, evaluator: &Evaluator<'_>) -> Vec<String> {
    let mut names: Vec<String> = if current.vanished.is_empty() {
        verify(snapshot, &current.placement).into_iter().map(|v| v.name).collect()
    } else {
        // The checker knows only nodes that are in the catalog; the formulas can be asked all the same.
        let constraints = snapshot.application.constraints.iter();
        let open = constraints.filter(|c| evaluator.depends_on_placement(&c.formula));
        let broken = open.filter(|c| matches!(evaluator.evaluate_current(&c.formula), Ok(Value::Bool(false)) | Err(_)));
        broken.map(|c| c.name.to_string()).collect()
    };
    names.sort_unstable();
    names.dedup();
    names
}
