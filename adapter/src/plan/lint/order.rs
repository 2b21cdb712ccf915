//! Each action waits for what it stands on, and components for each other.

use super::{Expectation, Facts, Reach, Report, Rule};
use crate::deployment::NodePhase;
use crate::plan::{Operation, PlanContent};

pub(super) fn check(
    content: &PlanContent,
    expectation: &Expectation<'_>,
    facts: &Facts<'_>,
    reach: &Reach<'_>,
    report: &mut Report,
) {
    for i in &facts.doubled {
        report.add(
            Rule::Order,
            Some(*i),
            format!("{}: the same step is in the plan twice", content.actions[*i].operation),
        );
    }
    let mut pairs = Vec::new();
    for (i, action) in content.actions.iter().enumerate() {
        match standing_on(&action.operation, expectation, facts) {
            Some(all) => pairs.extend(all.into_iter().map(|before| (before, i))),
            None => report.add(Rule::Order, Some(i), format!("{}: there is nothing to do it to", action.operation)),
        }
    }
    for (before, i) in reach.missing(&pairs) {
        let (this, other) = (&content.actions[i].operation, &content.actions[before].operation);
        report.add(Rule::Order, Some(i), format!("{this}: does not wait for \"{other}\""));
    }
    needs(content, expectation, facts, reach, report);
}

/// The actions that an operation stands on; `None` when neither the plan nor what runs gives it its ground.
fn standing_on(operation: &Operation, expectation: &Expectation<'_>, facts: &Facts<'_>) -> Option<Vec<usize>> {
    let there = |node| expectation.running.nodes.get(node);
    match operation {
        Operation::Checkpoint { .. } => Some(Vec::new()),
        Operation::CreateNode { node, .. } => {
            (there(node).is_none() && !facts.deleted.contains_key(node)).then(Vec::new)
        }
        Operation::WaitReady { node } => match (facts.created.get(node), there(node)) {
            (Some(create), None) => Some(vec![*create]),
            (None, Some(found)) if found.phase == NodePhase::Creating => Some(Vec::new()),
            _ => None,
        },
        Operation::StartInstance { node, instance, .. } => {
            let ready = facts.ready.get(node).copied();
            let usable = ready.is_some() || there(node).is_some_and(|n| n.phase == NodePhase::Ready);
            (usable && !facts.deleted.contains_key(node) && !facts.stops.contains_key(instance))
                .then(|| ready.into_iter().collect())
        }
        Operation::WaitHealthy { instance, .. } => facts.starts.get(instance).map(|i| vec![*i]),
        Operation::Register { instance, .. } => facts.healthy.get(instance).map(|i| vec![*i]),
        Operation::Drain { instance, .. } => {
            (!facts.registered.contains_key(instance) && facts.stops.contains_key(instance)).then(Vec::new)
        }
        Operation::StopInstance { instance, .. } => facts.drained.get(instance).map(|i| vec![*i]),
        Operation::DeleteNode { node, .. } => {
            let stops = facts.on_node.get(node).map(|(_, stops)| stops.clone());
            there(node).map(|_| stops.unwrap_or_default())
        }
        Operation::ClearNode { node } => there(node).filter(|n| n.phase == NodePhase::Lost).map(|_| Vec::new()),
        Operation::ChangeParameters { instance, .. } => {
            (facts.running.contains(instance) && !facts.stops.contains_key(instance)).then(Vec::new)
        }
    }
}

/// Each start waits for every registration of what its component needs; what ends altogether drains after the end of
/// those that need it.
fn needs(
    content: &PlanContent,
    expectation: &Expectation<'_>,
    facts: &Facts<'_>,
    reach: &Reach<'_>,
    report: &mut Report,
) {
    for (component, rules) in &expectation.rules.0 {
        let Some(steps) = facts.components.get(component.as_str()) else { continue };
        for (name, needed) in rules.needs.iter().filter_map(|n| Some((n, facts.components.get(n.as_str())?))) {
            let mut all_after = |later: &[usize], earlier: &[usize], what: &str| {
                let rows = reach.rows(later, earlier);
                for (row, i) in later.iter().enumerate() {
                    if rows.ones(row).count() < earlier.len() {
                        let message = format!("{}: does not wait until {what}", content.actions[*i].operation);
                        report.add(Rule::Needs, Some(*i), message);
                    }
                }
            };
            all_after(&steps.starts, &needed.registered, &format!("{name}, which {component} needs, is complete"));
            if needed.after() == 0 && steps.after() == 0 {
                all_after(&needed.drained, &steps.stops, &format!("{component}, which needs {name}, has ended"));
            }
        }
    }
}
