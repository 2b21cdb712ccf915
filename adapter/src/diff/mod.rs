//! What must change for a deployment to become a wanted one, and how much that disturbs.
//!
//! A node keeps its identity as long as it keeps its offer: a change of size is a replacement. Which running node
//! becomes which wanted one is a matching that moves the fewest instances, and among those keeps the most nodes.

use std::collections::{BTreeMap, BTreeSet};

use cardinal_models::quantity::Price;
use serde::{Deserialize, Serialize};

use crate::deployment::{
    InstanceId, Node, NodeId, NodePhase, Parameters, RunningDeployment, WantedDeployment, WantedNode,
};
use crate::rules::Rules;

pub mod cost;
mod matching;
#[cfg(test)]
mod tests;

pub use cost::{Money, StartupTime, StartupTimes};

/// What must change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// Nodes that stay as they are.
    pub kept: Vec<NodeId>,
    /// Nodes that stay, with other instances.
    pub changed: Vec<NodeChange>,
    /// Nodes that are bought.
    pub created: Vec<WantedNode>,
    /// Nodes that are given back.
    pub deleted: Vec<NodeId>,
    /// Nodes that are gone already, to be cleared away.
    pub lost: Vec<NodeId>,
    /// Of the deleted and created nodes, which takes the place of which.
    pub replaced: Vec<Replacement>,
    /// Components whose configuration changes.
    pub parameters: BTreeMap<String, ParameterChange>,
    /// How much all this disturbs.
    pub figures: Figures,
}

/// A node that stays, with other instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChange {
    /// The node.
    pub node: NodeId,
    /// How many instances of each component start on it.
    pub start: BTreeMap<String, u32>,
    /// Which instances on it stop, by component.
    pub stop: BTreeMap<String, Vec<InstanceId>>,
}

/// A created node that takes the place of a deleted one, because it hosts the same components on another offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// The node that goes.
    pub old: NodeId,
    /// The node that comes, an index into [`Diff::created`].
    pub new: usize,
}

/// The configuration of a component before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterChange {
    /// Before.
    pub before: Parameters,
    /// After.
    pub after: Parameters,
}

/// How much a change disturbs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Nodes that run, lost ones not counted.
    pub nodes_running: u64,
    /// Nodes that are bought.
    pub nodes_created: u64,
    /// Nodes that are given back.
    pub nodes_deleted: u64,
    /// Of these, nodes that another one takes the place of.
    pub nodes_replaced: u64,
    /// Nodes that stay with other instances.
    pub nodes_changed: u64,
    /// Nodes that were lost.
    pub nodes_lost: u64,
    /// Instances that run, those on lost nodes not counted.
    pub instances_running: u64,
    /// Running instances that are stopped, whether they start elsewhere or not.
    pub instances_stopped: u64,
    /// Instances that are started.
    pub instances_started: u64,
    /// Instances that stop on one node and start on another.
    pub instances_moved: u64,
    /// Components that have more instances afterwards.
    pub components_grown: u64,
    /// Components that have fewer instances afterwards.
    pub components_shrunk: u64,
    /// Components whose configuration changes.
    pub components_reconfigured: u64,
    /// The price of all nodes per hour before, lost ones not counted, in 1e-9 of the currency unit.
    #[serde(with = "cost::price_nanos")]
    pub cost_before_nanos: Price,
    /// The price of all nodes per hour afterwards, in 1e-9 of the currency unit.
    #[serde(with = "cost::price_nanos")]
    pub cost_after_nanos: Price,
    /// What is paid while nodes start and drain and do not yet, or no more, serve.
    pub double_running: Money,
    /// False when the fleet was too varied to prove that no other matching moves fewer instances.
    pub fewest_moves_proven: bool,
}

impl Figures {
    /// The share of the running instances that is stopped: 0 when nothing runs.
    pub fn share(&self) -> f64 {
        if self.instances_running == 0 {
            return 0.0;
        }
        self.instances_stopped as f64 / self.instances_running as f64
    }

    /// True when nothing is started, stopped, bought, given back or configured anew.
    pub fn is_nothing(&self) -> bool {
        self.nodes_created == 0
            && self.nodes_deleted == 0
            && self.nodes_lost == 0
            && self.instances_started == 0
            && self.instances_stopped == 0
            && self.components_reconfigured == 0
    }

    /// True when the change only gives back nodes on which nothing runs.
    pub fn only_empty_nodes_go(&self) -> bool {
        let touched = self.instances_stopped + self.instances_started + self.components_reconfigured;
        self.nodes_deleted > 0 && self.nodes_created == 0 && self.nodes_lost == 0 && touched == 0
    }
}

/// A wanted deployment that cannot be reached from the running one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// An unmoveable component would be moved.
    #[error(
        "{component} is not moveable, but the wanted deployment has no place for its instance {instance} on node \
         {node}; solve again with what runs as the current deployment"
    )]
    Unmoveable {
        /// The component.
        component: String,
        /// One instance that would move.
        instance: InstanceId,
        /// Where it runs.
        node: NodeId,
    },
}

impl Diff {
    /// What must change for `running` to become `wanted`. The same input gives the same answer.
    ///
    /// # Errors
    /// When a component that must not be moved would be.
    pub fn between(
        running: &RunningDeployment,
        wanted: &WantedDeployment,
        rules: &Rules,
        startup: &StartupTimes,
    ) -> Result<Diff, DiffError> {
        let (alive, lost): (Vec<&Node>, Vec<&Node>) = running.nodes.values().partition(|n| n.phase != NodePhase::Lost);
        let matching = matching::fewest_moves(&alive, &wanted.nodes, rules);

        let mut diff = Diff { lost: lost.iter().map(|n| n.id.clone()).collect(), ..Diff::default() };
        for (node, partner) in alive.iter().zip(&matching.partner) {
            match partner {
                None => diff.deleted.push(node.id.clone()),
                Some(wish) => match change(node, &wanted.nodes[*wish]) {
                    None => diff.kept.push(node.id.clone()),
                    Some(change) => diff.changed.push(change),
                },
            }
        }
        let mut taken = vec![false; wanted.nodes.len()];
        matching.partner.iter().flatten().for_each(|wish| taken[*wish] = true);
        diff.created = wanted.nodes.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(n, _)| n.clone()).collect();
        diff.replaced = replacements(running, &diff);
        diff.parameters = parameter_changes(running, wanted);
        diff.figures = figures(&diff, running, wanted, startup, matching.proven);
        refuse_moves_of_unmoveable(&diff, running, rules)?;
        Ok(diff)
    }

    /// The same change, with nodes that would have stayed with other instances replaced by new ones of the same offer.
    pub(crate) fn replacing(
        &self,
        nodes: &BTreeSet<NodeId>,
        running: &RunningDeployment,
        wanted: &WantedDeployment,
        startup: &StartupTimes,
    ) -> Diff {
        let mut diff = self.clone();
        diff.changed.retain(|c| !nodes.contains(&c.node));
        for change in self.changed.iter().filter(|c| nodes.contains(&c.node)) {
            let Some(node) = running.nodes.get(&change.node) else { continue };
            let mut instances = node.counts();
            for (component, stop) in &change.stop {
                let left = instances.get(component).copied().unwrap_or(0);
                instances.insert(component.clone(), left.saturating_sub(stop.len() as u32));
            }
            for (component, n) in &change.start {
                *instances.entry(component.clone()).or_insert(0) += n;
            }
            instances.retain(|_, n| *n > 0);
            diff.replaced.push(Replacement { old: node.id.clone(), new: diff.created.len() });
            diff.created.push(WantedNode { offer: node.offer.clone(), instances });
            diff.deleted.push(node.id.clone());
        }
        diff.deleted.sort_unstable();
        diff.replaced.sort_unstable_by(|a, b| a.old.cmp(&b.old));
        diff.figures = figures(&diff, running, wanted, startup, self.figures.fewest_moves_proven);
        diff
    }

    /// True when nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.figures.is_nothing()
    }

    /// The instances that stop, by component, with their nodes: those of deleted nodes and of changed ones.
    pub fn stops<'a>(
        &'a self,
        running: &'a RunningDeployment,
    ) -> impl Iterator<Item = (&'a str, &'a NodeId, &'a InstanceId)> {
        let deleted = self.deleted.iter().filter_map(|id| running.nodes.get(id));
        let deleted = deleted.flat_map(|node| node.instances.iter().map(move |(c, all)| (c, &node.id, all)));
        let changed = self.changed.iter().flat_map(|n| n.stop.iter().map(move |(c, all)| (c, &n.node, all)));
        deleted.chain(changed).flat_map(|(c, node, all)| all.iter().map(move |i| (c.as_str(), node, i)))
    }

    /// The number of instances that start, by component.
    pub fn starts(&self) -> BTreeMap<&str, u64> {
        let mut starts = BTreeMap::new();
        let created = self.created.iter().map(|n| &n.instances);
        for (component, n) in created.chain(self.changed.iter().map(|n| &n.start)).flatten() {
            *starts.entry(component.as_str()).or_insert(0) += u64::from(*n);
        }
        starts
    }
}

/// What changes on a node that stays; `None` when nothing does. The instances with the highest names stop.
fn change(node: &Node, wish: &WantedNode) -> Option<NodeChange> {
    let mut change = NodeChange { node: node.id.clone(), start: BTreeMap::new(), stop: BTreeMap::new() };
    for (component, instances) in &node.instances {
        let keep = wish.instances.get(component).copied().unwrap_or(0) as usize;
        if instances.len() > keep {
            let mut sorted = instances.clone();
            sorted.sort_unstable();
            change.stop.insert(component.clone(), sorted.split_off(keep));
        }
    }
    for (component, n) in &wish.instances {
        let have = node.instances.get(component).map_or(0, Vec::len);
        let more = (*n as usize).saturating_sub(have);
        if more > 0 {
            change.start.insert(component.clone(), u32::try_from(more).unwrap_or(u32::MAX));
        }
    }
    (!change.start.is_empty() || !change.stop.is_empty()).then_some(change)
}

/// Pairs deleted with created nodes of another offer: first those that host exactly the same, then, while that is few
/// enough to look at, those that share most.
fn replacements(running: &RunningDeployment, diff: &Diff) -> Vec<Replacement> {
    const PAIRS_MAX: usize = 4_000_000;
    let mut by_content: BTreeMap<&BTreeMap<String, u32>, Vec<usize>> = BTreeMap::new();
    for (i, node) in diff.created.iter().enumerate().rev() {
        by_content.entry(&node.instances).or_default().push(i);
    }
    let mut pairs = Vec::new();
    let mut rest = Vec::new();
    for old in diff.deleted.iter().filter_map(|id| running.nodes.get(id)) {
        let counts = old.counts();
        match by_content.get_mut(&counts).and_then(Vec::pop) {
            Some(new) if !counts.is_empty() => pairs.push(Replacement { old: old.id.clone(), new }),
            _ => rest.push((old, counts)),
        }
    }
    let mut free: Vec<usize> = by_content.into_values().flatten().collect();
    free.sort_unstable();
    if rest.len().saturating_mul(free.len()) <= PAIRS_MAX {
        for (old, counts) in rest {
            let shared = |new: usize| matching::overlap(&counts, &diff.created[new].instances);
            let best = (0..free.len()).rev().max_by_key(|i| shared(free[*i]));
            if let Some(best) = best.filter(|i| shared(free[*i]) > 0) {
                pairs.push(Replacement { old: old.id.clone(), new: free.remove(best) });
            }
        }
    }
    pairs.sort_unstable_by(|a, b| a.old.cmp(&b.old));
    pairs
}

fn parameter_changes(running: &RunningDeployment, wanted: &WantedDeployment) -> BTreeMap<String, ParameterChange> {
    let none = Parameters::new();
    let names = running.parameters.keys().chain(wanted.parameters.keys());
    let change = |name: &String| {
        let before = running.parameters.get(name).unwrap_or(&none);
        let after = wanted.parameters.get(name).unwrap_or(&none);
        (before != after).then(|| (name.clone(), ParameterChange { before: before.clone(), after: after.clone() }))
    };
    names.filter_map(change).collect()
}

fn figures(
    diff: &Diff,
    running: &RunningDeployment,
    wanted: &WantedDeployment,
    startup: &StartupTimes,
    fewest_moves_proven: bool,
) -> Figures {
    let alive = running.surviving();
    let (before, after) = (alive.cardinalities(), wanted.cardinalities());
    let starts = diff.starts();
    let mut stops: BTreeMap<&str, u64> = BTreeMap::new();
    diff.stops(running).for_each(|(component, ..)| *stops.entry(component).or_insert(0) += 1);
    let count = |all: &BTreeMap<String, u64>, c: &String| all.get(c).copied().unwrap_or(0);
    Figures {
        nodes_running: alive.nodes.len() as u64,
        nodes_created: diff.created.len() as u64,
        nodes_deleted: diff.deleted.len() as u64,
        nodes_replaced: diff.replaced.len() as u64,
        nodes_changed: diff.changed.len() as u64,
        nodes_lost: diff.lost.len() as u64,
        instances_running: alive.instance_count(),
        instances_stopped: stops.values().sum(),
        instances_started: starts.values().sum(),
        instances_moved: stops.iter().map(|(c, n)| (*n).min(starts.get(c).copied().unwrap_or(0))).sum(),
        components_grown: after.keys().filter(|c| count(&after, c) > count(&before, c)).count() as u64,
        components_shrunk: before.keys().filter(|c| count(&after, c) < count(&before, c)).count() as u64,
        components_reconfigured: diff.parameters.len() as u64,
        cost_before_nanos: alive.cost(),
        cost_after_nanos: wanted.cost(),
        double_running: cost::double_running(diff, running, startup),
        fewest_moves_proven,
    }
}

fn refuse_moves_of_unmoveable(diff: &Diff, running: &RunningDeployment, rules: &Rules) -> Result<(), DiffError> {
    let starts = diff.starts();
    for (component, node, instance) in diff.stops(running) {
        if rules.is_unmoveable(component) && starts.contains_key(component) {
            let (component, instance, node) = (component.to_owned(), instance.clone(), node.clone());
            return Err(DiffError::Unmoveable { component, instance, node });
        }
    }
    Ok(())
}
