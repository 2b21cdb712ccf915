//! Makes plans: creation before destruction, in the order of `needs`, within the limits.
//!
//! For a component with `r` serving instances, `starts` to come and `stops` to go, the i-th start waits for the stop
//! number `r + i - most`, and the j-th drain for the registration number `least - r + j`. Each waiting pairs one step
//! that takes with one that gives, so the limits hold in every order that the edges leave open (Hall's theorem; the
//! linter checks it by a matching). A node that stays and both loses and gains instances gains them last, so that it
//! never holds more than before or after. Where such nodes wait for each other in a circle they are replaced.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use cardinal_models::quantity::Price;

use super::{ACTIONS_MAX, Action, Operation, Plan, PlanContent, Rolling, Summary};
use crate::deployment::{InstanceId, Node, NodeId, NodePhase, Parameters, RunningDeployment, WantedDeployment};
use crate::diff::{Diff, StartupTimes};
use crate::plan::TargetHead;
use crate::rules::Rules;

/// What a plan is made from, beside the diff.
#[derive(Clone, Copy, Debug)]
pub struct PlanRequest<'a> {
    /// The application.
    pub application: &'a str,
    /// What runs.
    pub running: &'a RunningDeployment,
    /// What is wanted; the diff is between these two.
    pub wanted: &'a WantedDeployment,
    /// The rules to keep.
    pub rules: &'a Rules,
    /// The limits to keep.
    pub rolling: &'a Rolling,
    /// The plan that is the target now.
    pub head: &'a TargetHead,
    /// How long nodes take to come and go, for the cost of replacing.
    pub startup: &'a StartupTimes,
}

/// A diff for which there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// `needs` go in a circle.
    #[error("{} need each other in a circle; one of these `needs` must go", .0.join(", "))]
    CyclicNeeds(Vec<String>),
    /// Neither an instance more nor one fewer is allowed.
    #[error(
        "{component} cannot be moved one by one: max_surge and max_unavailable are both 0; allow one instance more or \
         one fewer"
    )]
    NoRoom {
        /// The component.
        component: String,
    },
    /// Nodes that stay would have to swap instances, and hold something that must not move.
    #[error(
        "the nodes {} would have to swap instances, and something that must not move runs on them; allow an instance \
         more or fewer, or a spare node", .0.join(", ")
    )]
    Deadlock(Vec<String>),
    /// More than [`ACTIONS_MAX`] actions.
    #[error("the plan would have {0} actions; a plan has at most {ACTIONS_MAX}")]
    TooLarge(usize),
}

pub(super) fn make(request: &PlanRequest<'_>, mut diff: Diff) -> Result<(Plan, Diff), PlanError> {
    loop {
        let order = needs_order(request, &diff)?;
        let draft = Draft::of(request, &diff, &order)?;
        match draft.sorted() {
            Ok(actions) => return Ok((seal(request, &diff, draft, actions), diff)),
            Err(stuck) => diff = replace_swapping_nodes(request, &diff, &draft, &stuck)?,
        }
    }
}

/// The components in an order in which each comes after what it needs.
fn needs_order(request: &PlanRequest<'_>, diff: &Diff) -> Result<Vec<String>, PlanError> {
    let mut names: BTreeSet<&str> = request.rules.0.keys().map(String::as_str).collect();
    names.extend(request.rules.0.values().flat_map(|r| r.needs.iter().map(String::as_str)));
    names.extend(diff.starts().into_keys());
    names.extend(diff.stops(request.running).map(|(component, ..)| component));
    let mut order: Vec<String> = Vec::new();
    while !names.is_empty() {
        let free = names.iter().find(|name| !request.rules.needs(name).any(|n| names.contains(n))).copied();
        let Some(free) = free else {
            return Err(PlanError::CyclicNeeds(names.into_iter().map(str::to_owned).collect()));
        };
        names.remove(free);
        order.push(free.to_owned());
    }
    Ok(order)
}

/// An instance that comes or goes.
struct Step {
    node: NodeId,
    instance: InstanceId,
    /// True when the node stays and has both: it is the last to gain and the first to lose.
    swaps: bool,
}

/// The actions before they are sorted; `after` holds indices into `actions`.
struct Draft {
    actions: Vec<Operation>,
    after: Vec<Vec<usize>>,
    created: Vec<NodeId>,
}

impl Draft {
    fn push(&mut self, operation: Operation, after: Vec<usize>) -> usize {
        self.actions.push(operation);
        self.after.push(after);
        self.actions.len() - 1
    }

    fn of(request: &PlanRequest<'_>, diff: &Diff, order: &[String]) -> Result<Draft, PlanError> {
        let generation = generation(request);
        let mut draft = Draft { actions: Vec::new(), after: Vec::new(), created: Vec::new() };
        for node in &diff.lost {
            draft.push(Operation::ClearNode { node: node.clone() }, Vec::new());
        }
        let mut ready: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (i, node) in diff.created.iter().enumerate() {
            let id = NodeId(format!("{}-node-{generation}-{}", request.application, i + 1));
            let create = Operation::CreateNode { node: id.clone(), offer: node.offer.clone() };
            let create = draft.push(create, Vec::new());
            ready.insert(id.clone(), draft.push(Operation::WaitReady { node: id.clone() }, vec![create]));
            draft.created.push(id);
        }
        let stays = diff.kept.iter().chain(diff.changed.iter().map(|c| &c.node));
        for node in stays.filter_map(|id| request.running.nodes.get(id)).filter(|n| n.phase == NodePhase::Creating) {
            let wait = draft.push(Operation::WaitReady { node: node.id.clone() }, Vec::new());
            ready.insert(node.id.clone(), wait);
        }

        let mut starts = steps_to_start(request, diff, &draft.created);
        let mut stops = steps_to_stop(request, diff);
        let serving = request.running.surviving().cardinalities();
        let mut lines: BTreeMap<&str, Line> = BTreeMap::new();
        for component in order {
            let starts = starts.remove(component).unwrap_or_default();
            let stops = stops.remove(component).unwrap_or_default();
            let before = serving.get(component).copied().unwrap_or(0);
            let line = draft.line(request, component, before, &starts, &stops, &ready)?;
            lines.insert(component, line);
        }
        draft.tie_needs(request, &lines);
        draft.tie_nodes(request, diff, &lines);
        draft.change_parameters(request, diff);
        if draft.actions.len() > ACTIONS_MAX {
            return Err(PlanError::TooLarge(draft.actions.len()));
        }
        Ok(draft)
    }

    /// The steps of one component, tied to each other by the limits.
    fn line(
        &mut self,
        request: &PlanRequest<'_>,
        component: &str,
        before: u64,
        starts: &[Step],
        stops: &[Step],
        ready: &BTreeMap<NodeId, usize>,
    ) -> Result<Line, PlanError> {
        let after = before + starts.len() as u64 - stops.len() as u64;
        let bounds = request.rolling.bounds(before, after);
        if !starts.is_empty() && !stops.is_empty() && bounds.most == bounds.least {
            return Err(PlanError::NoRoom { component: component.to_owned() });
        }
        let old = request.running.parameters.get(component).cloned().unwrap_or_default();
        let new = request.wanted.parameters.get(component).cloned().unwrap_or_default();
        let component = component.to_owned();
        let mut line = Line { after, ..Line::default() };
        for step in starts {
            let (node, instance) = (step.node.clone(), step.instance.clone());
            let parameters: Parameters = new.clone();
            let wait = ready.get(&node).copied();
            let begin = self.push(
                Operation::StartInstance {
                    node: node.clone(),
                    component: component.clone(),
                    instance: instance.clone(),
                    parameters,
                },
                wait.into_iter().collect(),
            );
            let healthy = Operation::WaitHealthy { component: component.clone(), instance: instance.clone() };
            let healthy = self.push(healthy, vec![begin]);
            let register = self.push(Operation::Register { component: component.clone(), instance }, vec![healthy]);
            line.starts.push((begin, register, node));
        }
        for step in stops {
            let (node, instance) = (step.node.clone(), step.instance.clone());
            let drain = Operation::Drain { component: component.clone(), instance: instance.clone() };
            let drain = self.push(drain, Vec::new());
            let parameters = old.clone();
            let stop =
                Operation::StopInstance { node: node.clone(), component: component.clone(), instance, parameters };
            let stop = self.push(stop, vec![drain]);
            line.stops.push((drain, stop, node));
        }
        for (i, (begin, ..)) in (1..).zip(&line.starts) {
            if let Some(number) = (before + i).checked_sub(bounds.most).filter(|n| *n > 0) {
                self.after[*begin].push(line.stops[number as usize - 1].1);
            }
        }
        for (j, (drain, ..)) in (1..).zip(&line.stops) {
            if let Some(number) = (bounds.least + j).checked_sub(before).filter(|n| *n > 0) {
                self.after[*drain].push(line.starts[number as usize - 1].1);
            }
        }
        Ok(line)
    }

    /// A component starts when those that it needs are complete, and one that ends does so after those that need it.
    fn tie_needs(&mut self, request: &PlanRequest<'_>, lines: &BTreeMap<&str, Line>) {
        for (component, line) in lines {
            for needed in request.rules.needs(component).filter_map(|n| Some((n, lines.get(n)?))) {
                let (name, needed) = needed;
                let registered: Vec<usize> = needed.starts.iter().map(|s| s.1).collect();
                let begins: Vec<usize> = line.starts.iter().map(|s| s.0).collect();
                self.tie(name, &registered, &begins);
                if needed.after == 0 && line.after == 0 {
                    let stopped: Vec<usize> = line.stops.iter().map(|s| s.1).collect();
                    let drains: Vec<usize> = needed.stops.iter().map(|s| s.0).collect();
                    self.tie(component, &stopped, &drains);
                }
            }
        }
    }

    /// All of `later` wait for all of `earlier`, through a checkpoint when both are several.
    fn tie(&mut self, component: &str, earlier: &[usize], later: &[usize]) {
        if earlier.is_empty() || later.is_empty() {
            return;
        }
        if earlier.len() > 1 && later.len() > 1 {
            let point = self.push(Operation::Checkpoint { component: component.to_owned() }, earlier.to_vec());
            later.iter().for_each(|i| self.after[*i].push(point));
        } else {
            later.iter().for_each(|i| self.after[*i].extend(earlier));
        }
    }

    /// A node that stays gains after it has lost; a node that goes does so when it is empty.
    fn tie_nodes(&mut self, request: &PlanRequest<'_>, diff: &Diff, lines: &BTreeMap<&str, Line>) {
        let mut stops: BTreeMap<&NodeId, Vec<usize>> = BTreeMap::new();
        for (_, stop, node) in lines.values().flat_map(|l| &l.stops) {
            stops.entry(node).or_default().push(*stop);
        }
        for (begin, _, node) in lines.values().flat_map(|l| &l.starts) {
            self.after[*begin].extend(stops.get(node).into_iter().flatten());
        }
        for node in diff.deleted.iter().filter_map(|id| request.running.nodes.get(id)) {
            let empty = stops.get(&node.id).cloned().unwrap_or_default();
            self.push(Operation::DeleteNode { node: node.id.clone(), offer: node.offer.clone() }, empty);
        }
    }

    /// Instances that stay change their configuration in place.
    fn change_parameters(&mut self, request: &PlanRequest<'_>, diff: &Diff) {
        let goes: BTreeSet<&InstanceId> = diff.stops(request.running).map(|(.., instance)| instance).collect();
        for node in request.running.nodes.values().filter(|n| n.phase != NodePhase::Lost) {
            for (component, instances) in &node.instances {
                let Some(change) = diff.parameters.get(component) else { continue };
                for instance in instances.iter().filter(|i| !goes.contains(i)) {
                    let (component, instance) = (component.clone(), instance.clone());
                    let (before, after) = (change.before.clone(), change.after.clone());
                    self.push(Operation::ChangeParameters { component, instance, before, after }, Vec::new());
                }
            }
        }
    }

    /// The actions in an order that keeps every edge, those first that were drafted first; or the actions on circles and
    /// between them.
    fn sorted(&self) -> Result<Vec<Action>, Vec<usize>> {
        let mut missing: Vec<usize> = self.after.iter().map(Vec::len).collect();
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); self.actions.len()];
        for (i, after) in self.after.iter().enumerate() {
            after.iter().for_each(|before| next[*before].push(i));
        }
        let mut free: BinaryHeap<Reverse<usize>> =
            (0..missing.len()).filter(|i| missing[*i] == 0).map(Reverse).collect();
        let mut position: Vec<Option<u32>> = vec![None; self.actions.len()];
        let mut actions = Vec::with_capacity(self.actions.len());
        while let Some(Reverse(i)) = free.pop() {
            position[i] = Some(actions.len() as u32);
            let mut after: Vec<u32> = self.after[i].iter().filter_map(|before| position[*before]).collect();
            after.sort_unstable();
            after.dedup();
            actions.push(Action { operation: self.actions[i].clone(), after });
            for later in &next[i] {
                missing[*later] -= 1;
                if missing[*later] == 0 {
                    free.push(Reverse(*later));
                }
            }
        }
        if actions.len() == self.actions.len() {
            return Ok(actions);
        }
        let mut left: BTreeSet<usize> = (0..position.len()).filter(|i| position[*i].is_none()).collect();
        while let Some(end) = left.iter().rev().find(|i| !next[**i].iter().any(|n| left.contains(n))).copied() {
            left.remove(&end);
        }
        Err(left.into_iter().collect())
    }
}

/// The steps of one component: indices of begin and end of each, with its node.
#[derive(Default)]
struct Line {
    after: u64,
    /// Start, registration.
    starts: Vec<(usize, usize, NodeId)>,
    /// Drain, stop.
    stops: Vec<(usize, usize, NodeId)>,
}

fn generation(request: &PlanRequest<'_>) -> u64 {
    request.head.generation.max(request.running.generation).saturating_add(1)
}

/// What starts where, by component: on new nodes first, on nodes that must lose something before at last.
fn steps_to_start(request: &PlanRequest<'_>, diff: &Diff, created: &[NodeId]) -> BTreeMap<String, Vec<Step>> {
    let new = created.iter().zip(&diff.created).map(|(id, node)| (id, &node.instances, false));
    let gain = |swaps: bool| {
        let changed = diff.changed.iter().filter(move |c| c.stop.is_empty() != swaps);
        changed.map(move |c| (&c.node, &c.start, swaps))
    };
    let mut steps: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for (node, instances, swaps) in new.chain(gain(false)).chain(gain(true)) {
        for (component, n) in instances {
            let all = steps.entry(component.clone()).or_default();
            for _ in 0..*n {
                let number = all.len() + 1;
                let name = format!("{}-{component}-{}-{number}", request.application, generation(request));
                all.push(Step { node: node.clone(), instance: InstanceId(name), swaps });
            }
        }
    }
    steps
}

/// What stops where, by component: on nodes that wait to gain something first.
fn steps_to_stop(request: &PlanRequest<'_>, diff: &Diff) -> BTreeMap<String, Vec<Step>> {
    let swapping: BTreeSet<&NodeId> = diff.changed.iter().filter(|c| !c.start.is_empty()).map(|c| &c.node).collect();
    let mut steps: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for (component, node, instance) in diff.stops(request.running) {
        let step = Step { node: node.clone(), instance: instance.clone(), swaps: swapping.contains(node) };
        steps.entry(component.to_owned()).or_default().push(step);
    }
    steps.values_mut().for_each(|all| all.sort_by(|a, b| b.swaps.cmp(&a.swaps).then_with(|| a.node.cmp(&b.node))));
    steps
}

/// Turns the nodes that wait for each other into replacements.
fn replace_swapping_nodes(
    request: &PlanRequest<'_>,
    diff: &Diff,
    draft: &Draft,
    stuck: &[usize],
) -> Result<Diff, PlanError> {
    let touched: BTreeSet<&NodeId> = stuck.iter().filter_map(|i| draft.actions[*i].node()).collect();
    let swapping = diff.changed.iter().filter(|c| !c.start.is_empty() && !c.stop.is_empty());
    let (fixed, free): (Vec<&NodeId>, Vec<&NodeId>) = swapping
        .map(|c| &c.node)
        .filter(|id| touched.contains(id))
        .filter_map(|id| request.running.nodes.get(id))
        .map(|n| (&n.id, n.instances.keys().any(|c| request.rules.is_unmoveable(c))))
        .fold((Vec::new(), Vec::new()), |(mut fixed, mut free), (id, is_fixed)| {
            if is_fixed {
                fixed.push(id)
            } else {
                free.push(id)
            }
            (fixed, free)
        });
    if free.is_empty() {
        return Err(PlanError::Deadlock(fixed.into_iter().map(ToString::to_string).collect()));
    }
    let nodes: BTreeSet<NodeId> = free.into_iter().cloned().collect();
    Ok(diff.replacing(&nodes, request.running, request.wanted, request.startup))
}

fn seal(request: &PlanRequest<'_>, diff: &Diff, draft: Draft, actions: Vec<Action>) -> Plan {
    let generation = generation(request);
    let mut target =
        RunningDeployment { generation, nodes: BTreeMap::new(), parameters: request.wanted.parameters.clone() };
    let deleted: BTreeSet<&NodeId> = diff.deleted.iter().chain(&diff.lost).collect();
    for node in request.running.nodes.values().filter(|n| !deleted.contains(&n.id)) {
        target.nodes.insert(node.id.clone(), Node { phase: NodePhase::Ready, ..node.clone() });
    }
    for action in &actions {
        match &action.operation {
            Operation::CreateNode { node, offer } => {
                let (id, offer) = (node.clone(), offer.clone());
                let new = Node { id, offer, instances: BTreeMap::new(), phase: NodePhase::Ready, generation };
                target.nodes.insert(node.clone(), new);
            }
            Operation::StartInstance { node, component, instance, .. } => {
                if let Some(node) = target.nodes.get_mut(node) {
                    node.instances.entry(component.clone()).or_default().push(instance.clone());
                }
            }
            Operation::StopInstance { node, component, instance, .. } => {
                if let Some(all) = target.nodes.get_mut(node).and_then(|n| n.instances.get_mut(component)) {
                    all.retain(|i| i != instance);
                }
            }
            _ => {}
        }
    }
    for node in target.nodes.values_mut() {
        node.instances.retain(|_, all| !all.is_empty());
        node.instances.values_mut().for_each(|all| all.sort_unstable());
    }
    let replaced = diff.replaced.iter().map(|r| (r.old.to_string(), draft.created[r.new].to_string())).collect();
    let mut summary = Summary::of(&diff.figures, replaced);
    summary.cost_after_nanos = target.nodes.values().map(|n| n.offer.price).sum::<Price>().nanos();
    Plan::seal(PlanContent {
        application: request.application.to_owned(),
        generation,
        parent: request.head.plan,
        before: request.running.clone(),
        target,
        rules: request.rules.clone(),
        rolling: *request.rolling,
        summary,
        actions,
    })
}
