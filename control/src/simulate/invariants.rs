//! What must hold at every moment, judged from the cloud's side and not from the loop's word.

use std::collections::{BTreeMap, BTreeSet};

use cardinal_adapter::deployment::{NodeId, NodePhase, RunningDeployment};
use cardinal_adapter::driver::Driver;
use cardinal_adapter::driver::drift::Drift;
use cardinal_adapter::driver::simulated::SimulatedCloud;
use cardinal_adapter::time::UnixMs;
use serde::{Deserialize, Serialize};

use crate::state::ApplicationLoop;

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// When, in milliseconds from the start.
    pub elapsed_ms: u64,
    /// What.
    pub message: String,
}

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Checks {
    generation: u64,
    effects: usize,
    seen: BTreeSet<(String, String)>,
    lost: BTreeSet<NodeId>,
}

impl Checks {
    /// A node was lost without our doing.
    pub(super) fn lost(&mut self, node: &NodeId) {
        self.lost.insert(node.clone());
    }

    pub(super) fn after_step(
        &mut self,
        application: &ApplicationLoop,
        cloud: &SimulatedCloud,
        name: &str,
        now: UnixMs,
    ) -> Vec<String> {
        let mut found = Vec::new();
        self.generations_rise(application, &mut found);
        self.no_effect_twice(cloud, &mut found);
        if let Ok(seen) = cloud.observe(now, name) {
            self.lost.extend(seen.nodes.iter().filter(|n| n.phase == NodePhase::Lost).map(|n| n.id.clone()));
            let mut serving: BTreeMap<&str, u64> = BTreeMap::new();
            for instance in seen.instances.iter().filter(|i| i.healthy && i.registered) {
                *serving.entry(&instance.component).or_insert(0) += 1;
            }
            self.enough_serve(application, &serving, &mut found);
        }
        found
    }

    fn generations_rise(&mut self, application: &ApplicationLoop, found: &mut Vec<String>) {
        let generation = application.state().head.generation;
        if generation < self.generation {
            found.push(format!("the generation fell from {} to {generation}", self.generation));
        }
        self.generation = generation;
    }

    /// No step of a plan changes the cloud twice in the same way.
    fn no_effect_twice(&mut self, cloud: &SimulatedCloud, found: &mut Vec<String>) {
        let effects = cloud.effects();
        for effect in effects.get(self.effects..).unwrap_or_default() {
            if !self.seen.insert((effect.token.clone(), effect.object.clone())) {
                found.push(format!("{} changed {} twice", effect.token, effect.object));
            }
        }
        self.effects = effects.len();
    }

    /// No component has fewer serving instances than the limits of the plan allow, but for those on lost nodes.
    fn enough_serve(&self, application: &ApplicationLoop, serving: &BTreeMap<&str, u64>, found: &mut Vec<String>) {
        let Some(executor) = application.executor() else { return };
        let content = executor.plan().content();
        let (before, target) = (content.before.surviving().cardinalities(), content.target.cardinalities());
        for (component, was) in &before {
            let becomes = target.get(component).copied().unwrap_or(0);
            let least = content.rolling.bounds(*was, becomes).least;
            let gone = self.on_lost_nodes(&content.before, component) + self.on_lost_nodes(&content.target, component);
            let serve = serving.get(component.as_str()).copied().unwrap_or(0);
            if serve + gone < least {
                found.push(format!("{component} has {serve} serving instances, and {least} are the least allowed"));
            }
        }
    }

    fn on_lost_nodes(&self, deployment: &RunningDeployment, component: &str) -> u64 {
        let lost = deployment.nodes.values().filter(|n| self.lost.contains(&n.id));
        lost.map(|n| n.instances.get(component).map_or(0, |all| all.len() as u64)).sum()
    }

    /// At rest the record and the cloud agree.
    pub(super) fn at_the_end(
        &self,
        application: &ApplicationLoop,
        cloud: &SimulatedCloud,
        name: &str,
        now: UnixMs,
    ) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(executor) = application.executor() {
            if executor.stuck().is_empty() {
                found.push("the loop did not come to rest: a plan is still under way".to_owned());
            }
            return found;
        }
        let Ok(seen) = cloud.observe(now, name) else { return found };
        let drift = Drift::between(&application.state().running, &seen);
        let mut differ = |what: &str, names: Vec<String>| {
            if !names.is_empty() {
                found.push(format!("{what}: {}", names.join(", ")));
            }
        };
        let names = |nodes: &[NodeId]| nodes.iter().map(ToString::to_string).collect();
        // A node that was lost in the last moment may not be known yet.
        let unknown: Vec<NodeId> = drift.lost.iter().filter(|n| !self.lost.contains(*n)).cloned().collect();
        differ("nodes on record that the cloud does not have", names(&unknown));
        let lost = |id: &&NodeId| seen.nodes.iter().any(|n| n.id == **id && n.phase == NodePhase::Lost);
        let orphans: Vec<NodeId> = drift.orphaned_nodes.iter().filter(|id| !lost(id)).cloned().collect();
        differ("nodes that nobody owns", names(&orphans));
        differ("instances on record that do not serve", drift.silent.iter().map(ToString::to_string).collect());
        differ("instances that nobody owns", drift.orphaned_instances.iter().map(ToString::to_string).collect());
        found
    }
}
