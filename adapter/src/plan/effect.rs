//! What operations do to a deployment: the model that the linter, the executor and the tests share.

use std::collections::{BTreeMap, BTreeSet};

use crate::deployment::{InstanceId, Node, NodeId, NodePhase, Parameters, RunningDeployment};

use super::operation::Operation;

/// A deployment in the middle of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Nodes and the instances on them.
    pub deployment: RunningDeployment,
    /// Instances that can serve.
    pub healthy: BTreeSet<InstanceId>,
    /// Instances to which the balancer sends requests.
    pub registered: BTreeSet<InstanceId>,
    /// The configuration that each instance runs with.
    pub configured: BTreeMap<InstanceId, Parameters>,
}

/// An operation that does not fit the state it meets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant means")]
pub enum Misstep {
    #[error("node {0} exists already")]
    NodeExists(NodeId),
    #[error("node {0} does not exist")]
    NoNode(NodeId),
    #[error("node {0} is not ready")]
    NotReady(NodeId),
    #[error("node {0} still hosts instances")]
    NotEmpty(NodeId),
    #[error("node {0} is not lost")]
    NotLost(NodeId),
    #[error("instance {0} exists already")]
    InstanceExists(InstanceId),
    #[error("instance {0} does not run there")]
    NoInstance(InstanceId),
    #[error("instance {0} is not healthy")]
    NotHealthy(InstanceId),
    #[error("instance {0} still receives requests")]
    Registered(InstanceId),
    #[error("instance {0} receives no requests")]
    NotRegistered(InstanceId),
    #[error("instance {0} runs with another configuration")]
    OtherParameters(InstanceId),
}

impl World {
    /// A deployment at rest: every instance on a node that is not lost is healthy and registered.
    pub fn at_rest(deployment: &RunningDeployment) -> Self {
        let mut world = World {
            deployment: deployment.clone(),
            healthy: BTreeSet::new(),
            registered: BTreeSet::new(),
            configured: BTreeMap::new(),
        };
        for node in deployment.nodes.values().filter(|n| n.phase != NodePhase::Lost) {
            for (component, instance) in node.instances.iter().flat_map(|(c, all)| all.iter().map(move |i| (c, i))) {
                world.healthy.insert(instance.clone());
                world.registered.insert(instance.clone());
                let parameters = deployment.parameters.get(component).cloned().unwrap_or_default();
                world.configured.insert(instance.clone(), parameters);
            }
        }
        world
    }

    /// Where an instance of a component runs.
    fn host_of(&self, component: &str, instance: &InstanceId) -> Option<&NodeId> {
        let hosts = |n: &&Node| n.instances.get(component).is_some_and(|all| all.contains(instance));
        self.deployment.nodes.values().find(hosts).map(|n| &n.id)
    }

    /// Carries an operation out.
    ///
    /// # Errors
    /// When the state does not allow it; the state is unchanged then.
    pub fn apply(&mut self, operation: &Operation, generation: u64) -> Result<(), Misstep> {
        let nodes = &mut self.deployment.nodes;
        match operation {
            Operation::Checkpoint { .. } => {}
            Operation::CreateNode { node, offer } => {
                if nodes.contains_key(node) {
                    return Err(Misstep::NodeExists(node.clone()));
                }
                let new = Node {
                    id: node.clone(),
                    offer: offer.clone(),
                    instances: BTreeMap::new(),
                    phase: NodePhase::Creating,
                    generation,
                };
                nodes.insert(node.clone(), new);
            }
            Operation::WaitReady { node } => match nodes.get_mut(node) {
                Some(found) if found.phase != NodePhase::Lost => found.phase = NodePhase::Ready,
                Some(_) => return Err(Misstep::NotReady(node.clone())),
                None => return Err(Misstep::NoNode(node.clone())),
            },
            Operation::StartInstance { node, component, instance, parameters } => {
                if self.configured.contains_key(instance) {
                    return Err(Misstep::InstanceExists(instance.clone()));
                }
                let found = nodes.get_mut(node).ok_or_else(|| Misstep::NoNode(node.clone()))?;
                if found.phase != NodePhase::Ready {
                    return Err(Misstep::NotReady(node.clone()));
                }
                found.instances.entry(component.clone()).or_default().push(instance.clone());
                self.configured.insert(instance.clone(), parameters.clone());
            }
            Operation::WaitHealthy { instance, .. } => {
                if !self.configured.contains_key(instance) {
                    return Err(Misstep::NoInstance(instance.clone()));
                }
                self.healthy.insert(instance.clone());
            }
            Operation::Register { instance, .. } => {
                if !self.healthy.contains(instance) {
                    return Err(Misstep::NotHealthy(instance.clone()));
                }
                if !self.registered.insert(instance.clone()) {
                    return Err(Misstep::Registered(instance.clone()));
                }
            }
            Operation::Drain { instance, .. } => {
                if !self.registered.remove(instance) {
                    return Err(Misstep::NotRegistered(instance.clone()));
                }
            }
            Operation::StopInstance { node, component, instance, .. } => {
                if self.registered.contains(instance) {
                    return Err(Misstep::Registered(instance.clone()));
                }
                let all = nodes.get_mut(node).and_then(|n| n.instances.get_mut(component));
                let all = all.filter(|all| all.contains(instance));
                let all = all.ok_or_else(|| Misstep::NoInstance(instance.clone()))?;
                all.retain(|i| i != instance);
                if all.is_empty()
                    && let Some(found) = nodes.get_mut(node)
                {
                    found.instances.remove(component);
                }
                self.healthy.remove(instance);
                self.configured.remove(instance);
            }
            Operation::DeleteNode { node, .. } => {
                let found = nodes.get(node).ok_or_else(|| Misstep::NoNode(node.clone()))?;
                if found.instance_count() > 0 {
                    return Err(Misstep::NotEmpty(node.clone()));
                }
                nodes.remove(node);
            }
            Operation::ClearNode { node } => {
                let found = nodes.get(node).ok_or_else(|| Misstep::NoNode(node.clone()))?;
                if found.phase != NodePhase::Lost {
                    return Err(Misstep::NotLost(node.clone()));
                }
                nodes.remove(node);
            }
            Operation::ChangeParameters { component, instance, before, after } => {
                if self.host_of(component, instance).is_none() {
                    return Err(Misstep::NoInstance(instance.clone()));
                }
                match self.configured.get_mut(instance) {
                    Some(now) if now == before => *now = after.clone(),
                    _ => return Err(Misstep::OtherParameters(instance.clone())),
                }
            }
        }
        Ok(())
    }

    /// The deployment with the instances of each node in order, so that equal ones compare equal. A component whose
    /// instances all run with the same configuration has that one.
    pub fn settled(&self, generation: u64) -> RunningDeployment {
        let mut deployment = self.deployment.clone();
        deployment.generation = generation;
        let mut seen: BTreeMap<&str, Option<&Parameters>> = BTreeMap::new();
        for node in deployment.nodes.values_mut() {
            node.instances.values_mut().for_each(|all| all.sort_unstable());
            node.instances.retain(|_, all| !all.is_empty());
        }
        for node in self.deployment.nodes.values() {
            for (component, instance) in node.instances.iter().flat_map(|(c, all)| all.iter().map(move |i| (c, i))) {
                let Some(now) = self.configured.get(instance) else { continue };
                let known = seen.entry(component.as_str()).or_insert(Some(now));
                if *known != Some(now) {
                    *known = None;
                }
            }
        }
        for (component, agreed) in seen {
            match agreed {
                Some(parameters) if parameters.is_empty() => drop(deployment.parameters.remove(component)),
                Some(parameters) => drop(deployment.parameters.insert(component.to_owned(), parameters.clone())),
                None => {}
            }
        }
        deployment
    }
}
