//! What an action does, and what undoes it.

use serde::{Deserialize, Serialize};

use crate::deployment::{InstanceId, NodeId, OfferSnapshot, Parameters};

/// What an action does. Everything that a driver needs for it is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Operation {
    /// Buys a node under this name.
    CreateNode {
        /// Its name.
        node: NodeId,
        /// What is bought.
        offer: OfferSnapshot,
    },
    /// Waits until the node can be used.
    WaitReady {
        /// The node.
        node: NodeId,
    },
    /// Installs and starts an instance.
    StartInstance {
        /// Where.
        node: NodeId,
        /// Of which component.
        component: String,
        /// Its name.
        instance: InstanceId,
        /// The configuration it starts with.
        #[serde(default, skip_serializing_if = "Parameters::is_empty")]
        parameters: Parameters,
    },
    /// Waits until the instance can serve.
    WaitHealthy {
        /// Of which component.
        component: String,
        /// The instance.
        instance: InstanceId,
    },
    /// Tells the balancer to send requests to the instance.
    Register {
        /// Of which component.
        component: String,
        /// The instance.
        instance: InstanceId,
    },
    /// Tells the balancer to send no more requests, and waits for those under way.
    Drain {
        /// Of which component.
        component: String,
        /// The instance.
        instance: InstanceId,
    },
    /// Stops an instance.
    StopInstance {
        /// Where it runs.
        node: NodeId,
        /// Of which component.
        component: String,
        /// The instance.
        instance: InstanceId,
        /// The configuration it ran with.
        #[serde(default, skip_serializing_if = "Parameters::is_empty")]
        parameters: Parameters,
    },
    /// Gives a node back.
    DeleteNode {
        /// The node.
        node: NodeId,
        /// What it was.
        offer: OfferSnapshot,
    },
    /// Clears away what is left of a node that is lost.
    ClearNode {
        /// The node.
        node: NodeId,
    },
    /// Changes the configuration of a running instance in place.
    ChangeParameters {
        /// Of which component.
        component: String,
        /// The instance.
        instance: InstanceId,
        /// Before.
        before: Parameters,
        /// After.
        after: Parameters,
    },
    /// Nothing is done: a point where many actions wait for many others.
    Checkpoint {
        /// Which component is complete, or gone.
        component: String,
    },
}

/// The kinds of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of `Operation`, which documents them")]
pub enum ActionKind {
    CreateNode,
    WaitReady,
    StartInstance,
    WaitHealthy,
    Register,
    Drain,
    StopInstance,
    DeleteNode,
    ClearNode,
    ChangeParameters,
    Checkpoint,
}

impl ActionKind {
    /// Every kind that a driver carries out.
    pub const DRIVEN: [ActionKind; 10] = [
        ActionKind::CreateNode,
        ActionKind::WaitReady,
        ActionKind::StartInstance,
        ActionKind::WaitHealthy,
        ActionKind::Register,
        ActionKind::Drain,
        ActionKind::StopInstance,
        ActionKind::DeleteNode,
        ActionKind::ClearNode,
        ActionKind::ChangeParameters,
    ];
}

impl Operation {
    /// Its kind.
    pub fn kind(&self) -> ActionKind {
        match self {
            Operation::CreateNode { .. } => ActionKind::CreateNode,
            Operation::WaitReady { .. } => ActionKind::WaitReady,
            Operation::StartInstance { .. } => ActionKind::StartInstance,
            Operation::WaitHealthy { .. } => ActionKind::WaitHealthy,
            Operation::Register { .. } => ActionKind::Register,
            Operation::Drain { .. } => ActionKind::Drain,
            Operation::StopInstance { .. } => ActionKind::StopInstance,
            Operation::DeleteNode { .. } => ActionKind::DeleteNode,
            Operation::ClearNode { .. } => ActionKind::ClearNode,
            Operation::ChangeParameters { .. } => ActionKind::ChangeParameters,
            Operation::Checkpoint { .. } => ActionKind::Checkpoint,
        }
    }

    /// The node that it touches, where it names one.
    pub fn node(&self) -> Option<&NodeId> {
        match self {
            Operation::CreateNode { node, .. }
            | Operation::WaitReady { node }
            | Operation::StartInstance { node, .. }
            | Operation::StopInstance { node, .. }
            | Operation::DeleteNode { node, .. }
            | Operation::ClearNode { node } => Some(node),
            Operation::WaitHealthy { .. }
            | Operation::Register { .. }
            | Operation::Drain { .. }
            | Operation::ChangeParameters { .. }
            | Operation::Checkpoint { .. } => None,
        }
    }

    /// The instance that it touches, with its component.
    pub fn instance(&self) -> Option<(&str, &InstanceId)> {
        match self {
            Operation::StartInstance { component, instance, .. }
            | Operation::WaitHealthy { component, instance }
            | Operation::Register { component, instance }
            | Operation::Drain { component, instance }
            | Operation::StopInstance { component, instance, .. }
            | Operation::ChangeParameters { component, instance, .. } => Some((component, instance)),
            Operation::CreateNode { .. }
            | Operation::WaitReady { .. }
            | Operation::DeleteNode { .. }
            | Operation::ClearNode { .. }
            | Operation::Checkpoint { .. } => None,
        }
    }

    /// What undoes it, one after the other; nothing where there is nothing to undo. Waiting changes nothing, and a lost
    /// node does not come back. Undoing twice, or undoing what was never done, does no harm.
    pub fn undo(&self) -> Vec<Operation> {
        match self.clone() {
            Operation::CreateNode { node, offer } => vec![Operation::DeleteNode { node, offer }],
            Operation::DeleteNode { node, offer } => {
                vec![Operation::CreateNode { node: node.clone(), offer }, Operation::WaitReady { node }]
            }
            Operation::StartInstance { node, component, instance, parameters } => {
                vec![Operation::StopInstance { node, component, instance, parameters }]
            }
            Operation::StopInstance { node, component, instance, parameters } => {
                let healthy = Operation::WaitHealthy { component: component.clone(), instance: instance.clone() };
                vec![Operation::StartInstance { node, component, instance, parameters }, healthy]
            }
            Operation::Register { component, instance } => vec![Operation::Drain { component, instance }],
            Operation::Drain { component, instance } => vec![Operation::Register { component, instance }],
            Operation::ChangeParameters { component, instance, before, after } => {
                vec![Operation::ChangeParameters { component, instance, before: after, after: before }]
            }
            Operation::WaitReady { .. }
            | Operation::WaitHealthy { .. }
            | Operation::ClearNode { .. }
            | Operation::Checkpoint { .. } => Vec::new(),
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Operation::CreateNode { node, offer } => write!(f, "create node {node} ({})", offer.id),
            Operation::WaitReady { node } => write!(f, "wait until node {node} is ready"),
            Operation::StartInstance { node, instance, .. } => write!(f, "start {instance} on {node}"),
            Operation::WaitHealthy { instance, .. } => write!(f, "wait until {instance} is healthy"),
            Operation::Register { instance, .. } => write!(f, "register {instance} with the balancer"),
            Operation::Drain { instance, .. } => write!(f, "drain {instance}"),
            Operation::StopInstance { node, instance, .. } => write!(f, "stop {instance} on {node}"),
            Operation::DeleteNode { node, .. } => write!(f, "delete node {node}"),
            Operation::ClearNode { node } => write!(f, "clear away the lost node {node}"),
            Operation::ChangeParameters { instance, .. } => write!(f, "change the configuration of {instance}"),
            Operation::Checkpoint { component } => write!(f, "{component} is complete"),
        }
    }
}
