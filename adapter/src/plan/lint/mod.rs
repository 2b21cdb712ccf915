//! Judges plans, knowing nothing of how they are made.
//!
//! The linter gets a plan and, apart from it, what runs, what is wanted and which rules hold. It carries the actions out
//! once, in the order of the plan, on a model of the deployment; and it proves from the edges alone that nothing that
//! execution may do in another order breaks a rule: what an action stands on is among the actions that it waits for, and
//! the fewest serving and the most existing instances are computed exactly over all interleavings (see [`bounds`]).

use std::collections::{BTreeMap, BTreeSet};

use super::{Operation, Plan, PlanContent, Rolling, TargetHead, World};
use crate::deployment::{InstanceId, NodeId, NodePhase, RunningDeployment, WantedDeployment};
use crate::rules::Rules;

pub mod bounds;
mod order;
mod reach;

use reach::Reach;

/// What a plan is held against.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// The application.
    pub application: &'a str,
    /// What runs.
    pub running: &'a RunningDeployment,
    /// What is wanted.
    pub wanted: &'a WantedDeployment,
    /// The rules of the application.
    pub rules: &'a Rules,
    /// The limits.
    pub rolling: &'a Rolling,
    /// The plan that is the target now.
    pub head: &'a TargetHead,
}

/// What a plan must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// It belongs to this application, this deployment, these rules and this parent, and the generation rises.
    Identity,
    /// Each action waits for earlier ones only.
    Edges,
    /// Each action fits the state that it meets.
    Effect,
    /// Each action waits for what it stands on.
    Order,
    /// Never fewer serving instances than allowed.
    Availability,
    /// Never more instances than allowed.
    Surge,
    /// A node never holds more than before or after.
    NodeContent,
    /// Components start after those that they need, and end before them.
    Needs,
    /// What must not move does not.
    Unmoveable,
    /// The end is what is wanted, and nothing is left over.
    Target,
}

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// At which action, where one is to blame.
    pub action: Option<u32>,
    /// How.
    pub message: String,
}

/// Everything that a plan breaks; nothing for a good plan.
pub fn lint(plan: &Plan, expectation: &Expectation<'_>) -> Vec<Finding> {
    let content = plan.content();
    let mut report = Report::default();
    identity(content, expectation, &mut report);
    edges(content, &mut report);
    if !report.findings.is_empty() {
        // Without sound edges there is no order to reason about.
        return report.findings;
    }
    let facts = Facts::of(content, expectation.running);
    effect(content, expectation, &mut report);
    target(content, expectation, &mut report);
    let reach = Reach::new(&content.actions);
    order::check(content, expectation, &facts, &reach, &mut report);
    bounds::check(content, expectation, &facts, &reach, &mut report);
    unmoveable(expectation, &facts, &mut report);
    report.findings
}

/// Collects findings.
#[derive(Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    fn add(&mut self, rule: Rule, action: Option<usize>, message: impl Into<String>) {
        let action = action.and_then(|i| u32::try_from(i).ok());
        self.findings.push(Finding { rule, action, message: message.into() });
    }
}

/// Where which step of which node or instance stands in the plan; indices of actions.
#[derive(Default)]
pub(super) struct Facts<'a> {
    created: BTreeMap<&'a NodeId, usize>,
    ready: BTreeMap<&'a NodeId, usize>,
    deleted: BTreeMap<&'a NodeId, usize>,
    starts: BTreeMap<&'a InstanceId, usize>,
    healthy: BTreeMap<&'a InstanceId, usize>,
    registered: BTreeMap<&'a InstanceId, usize>,
    drained: BTreeMap<&'a InstanceId, usize>,
    stops: BTreeMap<&'a InstanceId, usize>,
    /// By component.
    components: BTreeMap<&'a str, Steps>,
    /// Starts and stops by node.
    on_node: BTreeMap<&'a NodeId, (Vec<usize>, Vec<usize>)>,
    /// Instances that run before the plan.
    running: BTreeSet<&'a InstanceId>,
    /// Steps that are there twice.
    doubled: Vec<usize>,
}

/// The steps of one component; indices of actions.
#[derive(Default)]
pub(super) struct Steps {
    starts: Vec<usize>,
    registered: Vec<usize>,
    drained: Vec<usize>,
    stops: Vec<usize>,
    /// Serving instances before the plan.
    before: u64,
}

impl Steps {
    fn after(&self) -> u64 {
        (self.before + self.starts.len() as u64).saturating_sub(self.stops.len() as u64)
    }
}

impl<'a> Facts<'a> {
    fn of(content: &'a PlanContent, running: &'a RunningDeployment) -> Self {
        let mut facts = Facts::default();
        for node in running.nodes.values().filter(|n| n.phase != NodePhase::Lost) {
            for (component, all) in &node.instances {
                facts.components.entry(component).or_default().before += all.len() as u64;
                facts.running.extend(all);
            }
        }
        for (i, action) in content.actions.iter().enumerate() {
            let old = match &action.operation {
                Operation::CreateNode { node, .. } => facts.created.insert(node, i),
                Operation::WaitReady { node } => facts.ready.insert(node, i),
                Operation::DeleteNode { node, .. } | Operation::ClearNode { node } => facts.deleted.insert(node, i),
                Operation::StartInstance { node, component, instance, .. } => {
                    facts.components.entry(component).or_default().starts.push(i);
                    facts.on_node.entry(node).or_default().0.push(i);
                    facts.starts.insert(instance, i)
                }
                Operation::WaitHealthy { instance, .. } => facts.healthy.insert(instance, i),
                Operation::Register { component, instance } => {
                    facts.components.entry(component).or_default().registered.push(i);
                    facts.registered.insert(instance, i)
                }
                Operation::Drain { component, instance } => {
                    facts.components.entry(component).or_default().drained.push(i);
                    facts.drained.insert(instance, i)
                }
                Operation::StopInstance { node, component, instance, .. } => {
                    facts.components.entry(component).or_default().stops.push(i);
                    facts.on_node.entry(node).or_default().1.push(i);
                    facts.stops.insert(instance, i)
                }
                Operation::ChangeParameters { .. } | Operation::Checkpoint { .. } => None,
            };
            if old.is_some() {
                facts.doubled.push(i);
            }
        }
        facts
    }
}

fn identity(content: &PlanContent, expectation: &Expectation<'_>, report: &mut Report) {
    let mut must = |holds: bool, message: &str| {
        if !holds {
            report.add(Rule::Identity, None, message);
        }
    };
    must(content.application == expectation.application, "the plan is for another application");
    must(content.before == *expectation.running, "the plan starts from another deployment than the one that runs");
    must(content.parent == expectation.head.plan, "the plan was made upon another target");
    let generation = expectation.head.generation.max(expectation.running.generation);
    must(content.generation > generation, "the generation does not rise");
    must(content.target.generation == content.generation, "the target is of another generation than the plan");
    must(content.rules == *expectation.rules, "the plan keeps other rules");
    must(content.rolling == *expectation.rolling, "the plan keeps other limits");
}

fn edges(content: &PlanContent, report: &mut Report) {
    for (i, action) in content.actions.iter().enumerate() {
        let ascending = action.after.windows(2).all(|w| w[0] < w[1]);
        if !ascending || action.after.iter().any(|before| *before as usize >= i) {
            report.add(Rule::Edges, Some(i), "the action does not wait for earlier actions only, each named once");
        }
    }
}

/// Carries the actions out in the order of the plan.
fn effect(content: &PlanContent, expectation: &Expectation<'_>, report: &mut Report) {
    let mut world = World::at_rest(expectation.running);
    for (i, action) in content.actions.iter().enumerate() {
        if let Err(misstep) = world.apply(&action.operation, content.generation) {
            report.add(Rule::Effect, Some(i), format!("{}: {misstep}", action.operation));
            return;
        }
    }
    let end = world.settled(content.generation);
    let mut target = content.target.clone();
    target.nodes.values_mut().flat_map(|n| n.instances.values_mut()).for_each(|all| all.sort_unstable());
    if end.nodes != target.nodes {
        report.add(Rule::Target, None, "the actions do not end in the target of the plan");
    }
    for node in end.nodes.values() {
        for (component, instance) in node.instances.iter().flat_map(|(c, all)| all.iter().map(move |i| (c, i))) {
            if !world.registered.contains(instance) {
                report.add(Rule::Target, None, format!("{instance} receives no requests in the end"));
            }
            let wanted = expectation.wanted.parameters.get(component).cloned().unwrap_or_default();
            if world.configured.get(instance) != Some(&wanted) {
                report.add(Rule::Target, None, format!("{instance} ends with another configuration than wanted"));
            }
        }
    }
}

/// The target of the plan is what is wanted, node for node.
fn target(content: &PlanContent, expectation: &Expectation<'_>, report: &mut Report) {
    type Key<'a> = (&'a str, BTreeMap<String, u32>);
    let mut there: BTreeMap<Key<'_>, BTreeMap<Option<&str>, u64>> = BTreeMap::new();
    for node in content.target.nodes.values() {
        let key = (node.offer.id.as_str(), node.counts());
        *there.entry(key).or_default().entry(node.offer.zone.as_deref()).or_insert(0) += 1;
        if node.phase != NodePhase::Ready {
            report.add(Rule::Target, None, format!("{} is not ready in the target", node.id));
        }
    }
    // Wishes for a zone take nodes in that zone; open wishes take what is left.
    let (open, zoned): (Vec<_>, Vec<_>) = expectation.wanted.nodes.iter().partition(|n| n.offer.zone.is_none());
    let mut missing = 0_u64;
    for wish in zoned.into_iter().chain(open) {
        let zones = there.get_mut(&(wish.offer.id.as_str(), wish.instances.clone()));
        let zone = wish.offer.zone.as_deref();
        let found = zones.and_then(|z| match zone {
            Some(_) => z.get_mut(&zone).filter(|n| **n > 0),
            None => z.values_mut().find(|n| **n > 0),
        });
        match found {
            Some(n) => *n -= 1,
            None => missing += 1,
        }
    }
    let surplus: u64 = there.values().flat_map(|z| z.values()).sum();
    if missing > 0 || surplus > 0 {
        let message = format!("{missing} of the wanted nodes are not in the target, {surplus} others are");
        report.add(Rule::Target, None, message);
    }
    if content.target.parameters != expectation.wanted.parameters {
        report.add(Rule::Target, None, "the configuration in the target is not the wanted one");
    }
}

fn unmoveable(expectation: &Expectation<'_>, facts: &Facts<'_>, report: &mut Report) {
    for (component, steps) in &facts.components {
        if expectation.rules.is_unmoveable(component) && !steps.starts.is_empty() && !steps.stops.is_empty() {
            report.add(Rule::Unmoveable, steps.stops.first().copied(), format!("{component} must not be moved"));
        }
    }
}
