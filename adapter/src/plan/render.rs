//! A plan in the form that people know: `+` create, `~` change in place, `-/+` replace, `-` remove, and the cost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cardinal_models::quantity::Price;

use super::{Operation, Plan};
use crate::deployment::{Node, NodeId, NodePhase};
use crate::diff::Money;

/// How many lines about nodes of one kind are written before the rest is only counted.
const LINES_MAX: usize = 50;

/// The plan as a text of several lines.
pub fn plan(plan: &Plan, currency: &str) -> String {
    let content = plan.content();
    let (before, after) = (&content.before.nodes, &content.target.nodes);
    let mut text =
        format!("Plan {} for {}, generation {}\n", plan.hash().short(), content.application, content.generation);
    let summary = &content.summary;
    let replacing: BTreeMap<&str, &Node> = summary
        .replaced
        .iter()
        .filter_map(|(old, new)| Some((old.as_str(), after.get(&NodeId(new.clone()))?)))
        .collect();
    let stands_in: BTreeSet<&NodeId> = replacing.values().map(|n| &n.id).collect();

    let created = after.values().filter(|n| !before.contains_key(&n.id) && !stands_in.contains(&n.id));
    section(&mut text, created.map(|n| format!("+   {}  {}  {}", n.id, offer(n), instances(n))));
    let changed = after.values().filter_map(|n| {
        let old = before.get(&n.id).filter(|old| old.instances != n.instances)?;
        Some(format!("~   {}  {}  {} -> {}", n.id, offer(n), instances(old), instances(n)))
    });
    section(&mut text, changed);
    let gone = || before.values().filter(|n| !after.contains_key(&n.id) && n.phase != NodePhase::Lost);
    let replaced = gone().filter_map(|old| {
        let new = replacing.get(old.id.0.as_str())?;
        let place = format!("-/+ {} -> {}  {} -> {}", old.id, new.id, offer(old), offer(new));
        Some(format!("{place}  {} -> {}", instances(old), instances(new)))
    });
    section(&mut text, replaced);
    let removed = gone().filter(|n| !replacing.contains_key(n.id.0.as_str()));
    section(&mut text, removed.map(|n| format!("-   {}  {}  {}", n.id, offer(n), instances(n))));
    let lost = before.values().filter(|n| n.phase == NodePhase::Lost);
    section(&mut text, lost.map(|n| format!("-   {}  {}  lost, is cleared away", n.id, offer(n))));
    section(&mut text, parameters(plan));

    let [was, is] = [summary.cost_before_nanos, summary.cost_after_nanos].map(Price::from_nanos);
    let _ = writeln!(text, "Cost: {was} -> {is} {currency}/h ({})", difference(was, is));
    if summary.double_running_nanos > 0 {
        let twice = Money(summary.double_running_nanos);
        let _ = writeln!(text, "Nodes that start or drain cost {twice} {currency} once.");
    }
    let _ = writeln!(
        text,
        "{} to create, {} to replace, {} to remove; {} actions.",
        summary.nodes_created - summary.replaced.len() as u64,
        summary.replaced.len(),
        summary.nodes_deleted - summary.replaced.len() as u64,
        content.actions.len()
    );
    text
}

/// What is written when there is nothing to do.
pub fn no_changes(reason: &str) -> String {
    format!("No changes. {reason}\n")
}

fn section(text: &mut String, mut lines: impl Iterator<Item = String>) {
    for line in lines.by_ref().take(LINES_MAX) {
        let _ = writeln!(text, "  {line}");
    }
    let rest = lines.count();
    if rest > 0 {
        let _ = writeln!(text, "      and {rest} more");
    }
}

fn offer(node: &Node) -> String {
    match &node.offer.zone {
        Some(zone) => format!("{} in {zone}", node.offer.id),
        None => node.offer.id.clone(),
    }
}

fn instances(node: &Node) -> String {
    let counts = node.counts();
    if counts.is_empty() {
        return "empty".to_owned();
    }
    let each: Vec<String> = counts
        .into_iter()
        .map(|(component, n)| if n == 1 { component } else { format!("{n} x {component}") })
        .collect();
    each.join(", ")
}

fn parameters(plan: &Plan) -> impl Iterator<Item = String> {
    let mut changes: BTreeMap<&str, usize> = BTreeMap::new();
    for action in plan.actions() {
        if let Operation::ChangeParameters { component, .. } = &action.operation {
            *changes.entry(component).or_insert(0) += 1;
        }
    }
    changes.into_iter().map(|(component, n)| format!("~   configuration of {component}, in {n} running instances"))
}

fn difference(was: Price, is: Price) -> String {
    let change = is.nanos() - was.nanos();
    let sign = if change < 0 { "-" } else { "+" };
    let amount = Price::from_nanos(change.abs());
    if was.nanos() == 0 {
        return format!("{sign}{amount}");
    }
    format!("{sign}{amount}, {sign}{:.1} %", 100.0 * change.abs() as f64 / was.nanos() as f64)
}
