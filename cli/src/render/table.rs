//! The answer of a solve for people.

use std::fmt::Write;

use cardinal_edge::answer::{Answer, CurrentAnswer, NodeAnswer};
use indexmap::IndexMap;

use super::diagnostics::clean;
use super::numbers::{HOURS_PER_MONTH, count, decimals, milliseconds, number, percent, power_of_ten, price};
use super::style::{BOLD, DIM, GREEN, RED, YELLOW, lines, paint, table, table_of};
use super::{conflict, objectives, traffic, why, why_not};

/// What ended a solve that is not proven to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The search was finished.
    Itself,
    /// The time limit.
    Time,
    /// Ctrl-C.
    Interrupt,
}

/// The whole answer.
pub fn answer(answer: &Answer, ended_by: EndedBy) -> String {
    let mut out = String::new();
    headline(&mut out, answer, ended_by);
    if nodeless(answer) {
        line(&mut out, "\n  Nothing is deployed: every component has no instances, and no node is needed.");
        objectives::section(&mut out, answer);
        objectives::soft(&mut out, answer);
        traffic::sections(&mut out, answer);
        if let Some(current) = &answer.current {
            comparison(&mut out, answer, current);
        }
        why::terms(&mut out, answer);
        why::binding(&mut out, answer);
    } else if answer.components.is_empty() {
        out.push('\n');
        conflict::section(&mut out, answer);
    } else {
        placement(&mut out, answer);
        settings(&mut out, answer);
        shared_nodes(&mut out, answer);
        objectives::section(&mut out, answer);
        objectives::soft(&mut out, answer);
        traffic::sections(&mut out, answer);
        if let Some(current) = &answer.current {
            comparison(&mut out, answer, current);
        }
        why::terms(&mut out, answer);
        why::alternatives(&mut out, answer);
        why::binding(&mut out, answer);
    }
    why_not::section(&mut out, answer);
    slos(&mut out, answer);
    metrics(&mut out, answer);
    catalog(&mut out, answer);
    out
}

/// True for an answer in which no component has an instance: there is no table to show.
fn nodeless(answer: &Answer) -> bool {
    !answer.components.is_empty() && answer.components.values().all(|c| c.cardinality == 0)
}

/// Adds one line.
pub(super) fn line(out: &mut String, text: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{text}");
}

/// Adds the title of a section.
pub(super) fn title(out: &mut String, text: &str) {
    line(out, &format!("\n{}", paint(BOLD, text)));
}

/// Money per hour with its currency.
pub(super) fn money(answer: &Answer, x: f64) -> String {
    format!("{}{}", price(x), unit(answer))
}

/// Money per hour in an explanation: with as many decimals as all the amounts there need, so that they can be compared.
pub(super) fn explained_money(answer: &Answer, x: f64) -> String {
    let decimals = explained_decimals(answer);
    format!("{x:.decimals$}{}", unit(answer))
}

/// With how many decimals the amounts of an explanation are shown.
pub(super) fn explained_decimals(answer: &Answer) -> usize {
    let explanation = &answer.explanation;
    let binding = explanation.binding.iter();
    let binding = binding
        .flat_map(|b| b.relaxed.iter().map(|step| step.cost_per_hour).chain(std::iter::once(b.cost_per_hour_without)));
    let alternatives = explanation.alternatives.iter().flat_map(|group| &group.offers);
    let alternatives = alternatives.filter_map(|other| other.cost_per_hour);
    let why_not = explanation.why_not.iter().filter_map(|asked| asked.cost_per_hour);
    decimals(answer.cost_per_hour.into_iter().chain(binding).chain(alternatives).chain(why_not))
}

fn unit(answer: &Answer) -> String {
    answer.currency.as_ref().map_or("/h".to_owned(), |code| format!(" {code}/h"))
}

fn headline(out: &mut String, answer: &Answer, ended_by: EndedBy) {
    let style = match answer.status {
        "optimal" => GREEN,
        "feasible" => YELLOW,
        _ => RED,
    };
    let name = paint(BOLD, &clean(&answer.application));
    line(out, &format!("{name}: {}", paint(style, answer.status)));
    if let (Some(cost), Some(utility)) = (answer.cost_per_hour, answer.utility) {
        // What brings its own choices and has no nodes has no cost to speak of.
        let has_cost = !answer.nodes.is_empty() || answer.catalog.used;
        let month = answer.currency.as_ref().map_or(String::new(), |code| format!(" {code}"));
        if has_cost {
            line(out, &format!("  cost     {}, {:.2}{month}/month", money(answer, cost), cost * HOURS_PER_MONTH));
        }
        covered(out, answer);
        traffic::split(out, answer);
        let goal = format!("{} {}", answer.objective.direction, clean(&answer.objective.formula));
        if has_cost || !answer.objective.is_default {
            let paid = objectives::paid(answer);
            let goal = match (paid > 0.0, answer.objective.direction) {
                (false, _) => goal,
                (true, "maximize") => format!("{goal}, less {} of penalties", number(paid)),
                (true, _) => format!("{goal}, with {} of penalties", number(paid)),
            };
            line(out, &format!("  utility  {}  {}", number(utility), paint(DIM, &format!("({goal})"))));
        } else {
            line(out, "  goal     none: any assignment that satisfies the constraints");
        }
    }
    line(out, &format!("  proof    {}", proof(answer, ended_by)));
    if answer.proof.undefined > 0 {
        let choices = count(usize::try_from(answer.proof.undefined).unwrap_or(usize::MAX), "choice");
        let text = format!("{choices} cannot be made, because a formula has no value there (an overloaded queue, say)");
        line(out, &format!("  note     {}", paint(DIM, &text)));
    }
}

/// What commitments take off the bill.
fn covered(out: &mut String, answer: &Answer) {
    let Some(list) = answer.list_cost_per_hour else { return };
    let saved: f64 = answer.commitments.values().map(|c| c.saved_per_hour).sum();
    let each = answer.commitments.iter().map(|(name, c)| {
        let used = match c.unit {
            "cost" => format!("{} of {}", price(c.used), money(answer, c.of)),
            unit => format!("{} of {} {unit}", number(c.used), number(c.of)),
        };
        format!("{} {used}", clean(name))
    });
    let each = each.collect::<Vec<_>>().join(", ");
    let text = format!("{} of a list price of {}", money(answer, saved), money(answer, list));
    line(out, &format!("  covered  {text}  {}", paint(DIM, &format!("({each})"))));
}

/// How far the answer is proven, in what time, over how many combinations.
fn proof(answer: &Answer, ended_by: EndedBy) -> String {
    let time = milliseconds(answer.timing_ms.proof());
    let combinations = power_of_ten(answer.proof.combinations_log10);
    let plural = if combinations == "1" { "" } else { "s" };
    let mut over = format!("over {combinations} combination{plural}");
    if answer.proof.patterns > 0 {
        over.push_str(&format!(" and {}", count(answer.proof.patterns, "node pattern")));
    }
    let stop = match ended_by {
        EndedBy::Itself => "at the end of the search",
        EndedBy::Time => "at the time limit",
        EndedBy::Interrupt => "when interrupted",
    };
    match (answer.status, answer.gap) {
        ("optimal", Some(gap)) if gap > 0.0 => {
            format!("within the asked gap: {} open, proven in {time} {over}", percent(gap))
        }
        ("optimal", _) => format!("optimal, proven in {time} {over}"),
        ("feasible", Some(gap)) => format!("feasible: gap {} open {stop}, after {time} {over}", percent(gap)),
        ("feasible", None) => format!("feasible: no bound was proven {stop}, after {time} {over}"),
        ("infeasible", _) => format!("no admissible placement exists, proven in {time} {over}"),
        _ => format!("no placement was found and none excluded {stop}, after {time} {over}"),
    }
}

/// Where the instances of a component run on one offer, whatever the zone.
#[derive(Default)]
struct Fleet<'a> {
    instances: u64,
    zones: Vec<String>,
    node: Option<&'a NodeAnswer>,
}

fn placement(out: &mut String, answer: &Answer) {
    let mut rows: IndexMap<(&str, &str), Fleet<'_>> = IndexMap::new();
    for name in answer.components.keys() {
        for node in &answer.nodes {
            let Some(on_node) = node.instances.get(name) else { continue };
            let fleet = rows.entry((name, &node.offer)).or_default();
            fleet.instances += u64::from(*on_node) * u64::from(node.count);
            fleet.node = Some(node);
            if let Some(zone) = &node.zone {
                fleet.zones.push(format!("{zone} x {}", node.count));
            }
        }
    }
    let headers =
        ["Component", ">Instances", "Offer", "Machine type", "Region", ">Each/h", &format!(">Cost{}", unit(answer))];
    let mut shown = Vec::new();
    let mut last = "";
    let decimals = decimals(rows.values().filter_map(|fleet| fleet.node).filter(|n| !n.shared).map(|n| n.price));
    for ((name, _), fleet) in &rows {
        let Some(node) = fleet.node else { continue };
        let name_cell = if *name == last { String::new() } else { clean(name) };
        last = name;
        let region = if fleet.zones.is_empty() {
            node.region.clone()
        } else {
            format!("{} ({})", node.region, fleet.zones.join(", "))
        };
        let (each, cost) = if node.shared {
            (String::new(), "shared".to_owned())
        } else {
            let cost = node.price * fleet.instances as f64;
            (format!("{:.decimals$}", node.price), format!("{cost:.decimals$}"))
        };
        shown.push(vec![
            name_cell,
            fleet.instances.to_string(),
            offer_name(node),
            machine_type(node),
            clean(&region),
            each,
            cost,
        ]);
    }
    for (name, component) in &answer.components {
        if component.cardinality == 0 && component.attributes.is_empty() {
            shown.push(vec![clean(name), "0".to_owned()]);
        }
    }
    if shown.is_empty() {
        return;
    }
    out.push('\n');
    out.push_str(&lines(&table_of(&headers, shown)));
}

/// The offer; of a configuration its own name, because the component stands beside it.
fn offer_name(node: &NodeAnswer) -> String {
    clean(node.configuration.as_ref().unwrap_or(&node.offer))
}

/// The chosen values of components with free attributes.
fn settings(out: &mut String, answer: &Answer) {
    let free: Vec<_> = answer.components.iter().filter(|(_, c)| !c.attributes.is_empty()).collect();
    if free.is_empty() {
        return;
    }
    let mut shown = table(&["Component", ">Instances", "Attribute", ">Value"]);
    for (name, component) in free {
        let mut first = Some((clean(name), component.cardinality.to_string()));
        for (attribute, value) in &component.attributes {
            let (name, instances) = first.take().unwrap_or_default();
            shown.add_row([name, instances, clean(attribute), number(*value)]);
        }
    }
    out.push('\n');
    out.push_str(&lines(&shown));
}

/// The machine type, unless the offer says it already.
fn machine_type(node: &NodeAnswer) -> String {
    if node.machine_type == node.offer || node.configuration.is_some() {
        String::new()
    } else {
        clean(&node.machine_type)
    }
}

fn shared_nodes(out: &mut String, answer: &Answer) {
    let shared: Vec<&NodeAnswer> = answer.nodes.iter().filter(|n| n.shared).collect();
    if shared.is_empty() {
        return;
    }
    let total: u64 = shared.iter().map(|n| u64::from(n.count)).sum();
    title(out, &format!("Shared nodes: {total}"));
    let headers = [">Nodes", "Offer", "Machine type", "Region", "Hosts", ">Each/h", &format!(">Cost{}", unit(answer))];
    let mut shown = Vec::new();
    let decimals = decimals(shared.iter().map(|n| n.price));
    for node in shared {
        let hosts: Vec<String> = node
            .instances
            .iter()
            .map(|(name, n)| if *n == 1 { clean(name) } else { format!("{n} {}", clean(name)) })
            .collect();
        shown.push(vec![
            node.count.to_string(),
            clean(&node.offer),
            machine_type(node),
            clean(node.zone.as_ref().unwrap_or(&node.region)),
            hosts.join(" + "),
            format!("{:.decimals$}", node.price),
            format!("{:.decimals$}", node.price * f64::from(node.count)),
        ]);
    }
    out.push_str(&lines(&table_of(&headers, shown)));
}

fn comparison(out: &mut String, answer: &Answer, current: &CurrentAnswer) {
    title(out, "Compared with what runs now");
    let show = |x: Option<f64>, f: fn(f64) -> String| x.map_or("none".to_owned(), f);
    let relative = |now: Option<f64>, then: Option<f64>| match (now, then) {
        (Some(now), Some(then)) if now != 0.0 => format!("{:+.1} %", (then - now) / now.abs() * 100.0),
        _ => String::new(),
    };
    let mut shown = table(&["", ">Now", ">Then", ">Change"]);
    let (now, then) = (current.utility, answer.utility);
    shown.add_row(["utility".to_owned(), show(now, number), show(then, number), relative(now, then)]);
    let (now, then) = (current.cost_per_hour, answer.cost_per_hour);
    let decimals = decimals([now, then].into_iter().flatten());
    let money = |x: Option<f64>| x.map_or("none".to_owned(), |x| format!("{x:.decimals$}"));
    shown.add_row([format!("cost{}", unit(answer)), money(now), money(then), relative(now, then)]);
    out.push_str(&lines(&shown));
    if current.kept {
        line(out, "  what runs now is the answer: nothing better was found in time");
    } else if current.changes.is_empty() {
        line(out, "  nothing changes");
    }
    for change in &current.changes {
        let mut parts: Vec<String> =
            change.offers.iter().map(|(offer, n)| format!("{n:+} on {}", clean(offer))).collect();
        let told = |x: &Option<f64>| x.map_or("none".to_owned(), number);
        let values = change.attributes.iter();
        parts.extend(values.map(|(name, [a, b])| format!("{} {} -> {}", clean(name), told(a), told(b))));
        let size = if change.from == change.to {
            count(usize::try_from(change.to).unwrap_or(usize::MAX), "instance")
        } else {
            format!("{} -> {}", change.from, count(usize::try_from(change.to).unwrap_or(usize::MAX), "instance"))
        };
        line(out, &format!("  {}: {size}; {}", paint(BOLD, &clean(&change.component)), parts.join(", ")));
    }
    for offer in &current.vanished {
        line(out, &format!("  {} {}", paint(YELLOW, "no longer in the catalog:"), clean(offer)));
    }
    for violation in &current.violations {
        line(out, &format!("  {} {}", paint(YELLOW, "broken now:"), clean(violation)));
    }
}

fn slos(out: &mut String, answer: &Answer) {
    if answer.violated_slos.is_empty() {
        return;
    }
    title(out, "Objectives that do not hold now, whatever the placement");
    for slo in &answer.violated_slos {
        line(out, &format!("  {} {}", paint(YELLOW, &clean(&slo.name)), why::said(slo)));
    }
}

fn metrics(out: &mut String, answer: &Answer) {
    if answer.metrics.is_empty() {
        return;
    }
    title(out, "Metrics");
    let mut shown = table(&["Name", ">Value", "Unit", "From"]);
    for (name, metric) in &answer.metrics {
        let unit = metric.unit.as_deref().unwrap_or("");
        shown.add_row([clean(name), number(metric.value), unit.to_owned(), metric.source.to_owned()]);
    }
    out.push_str(&lines(&shown));
}

fn catalog(out: &mut String, answer: &Answer) {
    let catalog = &answer.catalog;
    if !catalog.used {
        return;
    }
    let mut text = format!("catalog: {}", count(catalog.offers, "offer"));
    if let Some(date) = &catalog.date {
        text.push_str(&format!(" of {}", clean(date)));
    }
    if let Some(age) = catalog.age_days.and_then(|age| usize::try_from(age).ok()) {
        text.push_str(&format!(" ({} old)", count(age, "day")));
    }
    if let Some(source) = &catalog.source {
        text.push_str(&format!("; {}", clean(source)));
    }
    line(out, &format!("\n{}", paint(DIM, &text)));
}
