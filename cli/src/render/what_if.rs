//! Scenarios side by side and sweeps, for people and spreadsheets.

use cardinal_edge::failure::Failure;
use cardinal_edge::what_if::{ChoiceAnswer, ComparisonAnswer, MovesAnswer, Names, SweepAnswer};
use cardinal_solver::what_if::axis::Axis;

use super::diagnostics::clean;
use super::numbers::{count, decimals, number};
use super::style::{BOLD, DIM, YELLOW, lines, paint, table_of};
use super::table::{line, title};

/// A sweep with more points shows those where the decision changes.
const POINTS_SHOWN: usize = 50;
/// So many break points are shown.
const BREAKS_SHOWN: usize = 60;

pub(super) fn money_header(currency: Option<&String>) -> String {
    currency.map_or("Cost/h".to_owned(), |code| format!("Cost {code}/h"))
}

/// Money with as many decimals as all of it needs.
pub(super) fn costs<'a>(choices: impl Iterator<Item = &'a ChoiceAnswer>) -> impl Fn(Option<f64>) -> String {
    let decimals = decimals(choices.filter_map(|c| c.cost_per_hour));
    move |cost| cost.map_or(String::new(), |cost| format!("{cost:.decimals$}"))
}

/// What an answer has to say when it is not proven best.
fn status(choice: &ChoiceAnswer) -> String {
    match (choice.status, &choice.failure) {
        ("optimal", _) => String::new(),
        (_, Some(failure)) => clean(failure),
        ("infeasible", _) => "no placement".to_owned(),
        (other, _) => other.to_owned(),
    }
}

/// Scenarios side by side.
pub fn comparison(answer: &ComparisonAnswer, names: &Names) -> String {
    let mut out = String::new();
    let goal = format!("{} {}", answer.objective.direction, clean(&answer.objective.formula));
    line(&mut out, &format!("{}: {}", paint(BOLD, &clean(&answer.application)), paint(DIM, &goal)));
    let base = answer.scenarios.first();
    let components: Vec<&String> = base.map_or_else(Vec::new, |_| {
        let with = answer.scenarios.iter().find(|s| !s.choice.components.is_empty());
        with.map_or_else(Vec::new, |s| s.choice.components.keys().collect())
    });
    let cost = costs(answer.scenarios.iter().map(|s| &s.choice));
    let cost_header = format!(">{}", money_header(answer.currency.as_ref()));
    let mut headers = vec!["Scenario", &cost_header, ">Change", ">Utility", "Answer"];
    headers.extend(components.iter().map(|name| name.as_str()));
    let moves_header = if answer.moves_from_current { "Moves from what runs" } else { "Moves from base" };
    headers.push(moves_header);
    let rows = answer.scenarios.iter().map(|scenario| {
        let choice = &scenario.choice;
        let change = match (base.and_then(|b| b.choice.cost_per_hour), choice.cost_per_hour) {
            (Some(base), Some(cost)) if base > 0.0 && cost != base => format!("{:+.1} %", (cost - base) / base * 100.0),
            _ => String::new(),
        };
        let mut row = vec![
            clean(&scenario.name),
            cost(choice.cost_per_hour),
            change,
            choice.utility.map_or(String::new(), number),
            status(choice),
        ];
        for name in &components {
            row.push(choice.components.get(*name).map_or(String::new(), |c| clean(&names.fleet(c))));
        }
        row.push(scenario.moves.map_or(String::new(), moves));
        row
    });
    out.push('\n');
    out.push_str(&lines(&table_of(&headers, rows.collect())));
    for scenario in &answer.scenarios {
        if let Some(description) = &scenario.description {
            line(&mut out, &format!("  {}: {}", paint(BOLD, &clean(&scenario.name)), clean(description)));
        }
    }
    if !answer.complete {
        line(&mut out, &paint(YELLOW, "  stopped before every scenario was settled"));
    }
    out
}

fn moves(moves: MovesAnswer) -> String {
    let MovesAnswer { nodes_created, nodes_deleted, .. } = moves;
    if nodes_created == 0 && nodes_deleted == 0 {
        "none".to_owned()
    } else {
        format!("+{nodes_created} -{nodes_deleted} nodes")
    }
}

/// A sweep with its break points.
pub fn sweep(answer: &SweepAnswer, axes: &[Axis], names: &Names) -> String {
    let mut out = String::new();
    let goal = format!("{} {}", answer.objective.direction, clean(&answer.objective.formula));
    line(&mut out, &format!("{}: {}", paint(BOLD, &clean(&answer.application)), paint(DIM, &goal)));
    let components: Vec<&String> = answer
        .points
        .iter()
        .find(|p| !p.choice.components.is_empty())
        .map_or_else(Vec::new, |p| p.choice.components.keys().collect());
    let cost = costs(answer.points.iter().map(|p| &p.choice));
    let cost_header = format!(">{}", money_header(answer.currency.as_ref()));
    let axis_headers: Vec<String> = axes.iter().map(|axis| format!(">{}", axis.label())).collect();
    let mut headers: Vec<&str> = axis_headers.iter().map(String::as_str).collect();
    headers.extend([cost_header.as_str(), ">Utility", "Answer"]);
    headers.extend(components.iter().map(|name| name.as_str()));
    let shows_all = answer.points.len() <= POINTS_SHOWN;
    let columns = answer.axes.first().map_or(1, |axis| axis.values.len());
    let mut rows = Vec::new();
    let mut hidden = 0;
    for (index, point) in answer.points.iter().enumerate() {
        let is_same = |other: Option<&cardinal_edge::what_if::PointAnswer>| {
            other.is_some_and(|o| {
                o.choice.components == point.choice.components && o.choice.status == point.choice.status
            })
        };
        let is_end = index % columns == 0 || index % columns == columns - 1 || index + 1 == answer.points.len();
        let before = index.checked_sub(1).and_then(|i| answer.points.get(i));
        if !shows_all && !is_end && is_same(before) && is_same(answer.points.get(index + 1)) {
            hidden += 1;
            continue;
        }
        let choice = &point.choice;
        let mut row: Vec<String> = axes.iter().zip(&point.values).map(|(axis, value)| axis.show(*value)).collect();
        row.extend([cost(choice.cost_per_hour), choice.utility.map_or(String::new(), number), status(choice)]);
        for name in &components {
            row.push(choice.components.get(*name).map_or(String::new(), |c| clean(&names.fleet(c))));
        }
        rows.push(row);
    }
    out.push('\n');
    out.push_str(&lines(&table_of(&headers, rows)));
    if hidden > 0 {
        let text =
            format!("  {} between equal decisions are not shown; `--output csv` has all", count(hidden, "point"));
        line(&mut out, &paint(DIM, &text));
    }
    break_points(&mut out, answer, axes);
    let rate = answer.solves as f64 / answer.seconds.max(1e-9);
    let solves = count(answer.solves, "solve");
    let text = format!("{solves} in {:.1} s, {rate:.0} a second on {}", answer.seconds, count(answer.jobs, "thread"));
    line(&mut out, &format!("\n{}", paint(DIM, &text)));
    if !answer.complete {
        line(&mut out, &paint(YELLOW, "stopped before everything was known"));
    }
    out
}

fn break_points(out: &mut String, answer: &SweepAnswer, axes: &[Axis]) {
    if answer.breaks.is_empty() {
        return;
    }
    title(out, &format!("Where the decision changes, by {}", clean(&axes[0].label())));
    for found in answer.breaks.iter().take(BREAKS_SHOWN) {
        let of = match (axes.get(1), found.of) {
            (Some(axis), Some(value)) => format!(" at {} {}", clean(&axis.label()), axis.show(value)),
            _ => String::new(),
        };
        let word = match (found.exact, found.from) {
            (true, true) => "from",
            (true, false) => "above",
            (false, _) => "somewhere before",
        };
        line(out, &format!("  {word} {}{of}: {}", paint(BOLD, &found.shown), clean(&found.text)));
    }
    if answer.breaks.len() > BREAKS_SHOWN {
        line(out, &format!("  ... and {} more, in `--output json`", answer.breaks.len() - BREAKS_SHOWN));
    }
}

pub(super) fn csv(rows: Vec<Vec<String>>) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let wrong = |error: String| Failure::internal(format!("cannot write the answer as CSV: {error}"));
    for row in rows {
        writer.write_record(row).map_err(|error| wrong(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| wrong(error.to_string()))
}

/// The columns that every answer has, and those of each component.
pub(super) fn choice_headers(first: Option<&ChoiceAnswer>) -> (Vec<String>, Vec<String>) {
    let names: Vec<String> = first.map_or_else(Vec::new, |c| c.components.keys().cloned().collect());
    let mut headers: Vec<String> = ["status", "utility", "cost_per_hour"].map(str::to_owned).into();
    headers.extend(names.iter().flat_map(|name| [format!("{name}.cardinality"), format!("{name}.offers")]));
    (headers, names)
}

pub(super) fn choice_cells(choice: &ChoiceAnswer, names: &[String]) -> Vec<String> {
    let cell = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
    let mut cells = vec![choice.status.to_owned(), cell(choice.utility), cell(choice.cost_per_hour)];
    for name in names {
        let component = choice.components.get(name);
        cells.push(component.map_or(String::new(), |c| c.cardinality.to_string()));
        let offers = component.map_or_else(Vec::new, |c| c.offers.iter().map(|(id, n)| format!("{id}={n}")).collect());
        cells.push(offers.join(";"));
    }
    cells
}

/// Scenarios as CSV.
pub fn comparison_csv(answer: &ComparisonAnswer) -> Result<Vec<u8>, Failure> {
    let with = answer.scenarios.iter().map(|s| &s.choice).find(|c| !c.components.is_empty());
    let (choice, names) = choice_headers(with);
    let mut headers = vec!["scenario".to_owned()];
    headers.extend(choice);
    headers.extend(["nodes_created", "nodes_deleted", "instances_started", "instances_stopped"].map(str::to_owned));
    let mut rows = vec![headers];
    for scenario in &answer.scenarios {
        let mut row = vec![scenario.name.clone()];
        row.extend(choice_cells(&scenario.choice, &names));
        let moves =
            scenario.moves.map(|m| [m.nodes_created, m.nodes_deleted, m.instances_started, m.instances_stopped]);
        row.extend(moves.map_or_else(|| vec![String::new(); 4], |m| m.iter().map(u64::to_string).collect()));
        rows.push(row);
    }
    csv(rows)
}

/// The points of a sweep as CSV.
pub fn sweep_csv(answer: &SweepAnswer) -> Result<Vec<u8>, Failure> {
    let with = answer.points.iter().map(|p| &p.choice).find(|c| !c.components.is_empty());
    let (choice, names) = choice_headers(with);
    let mut headers: Vec<String> = answer.axes.iter().map(|axis| axis.name.clone()).collect();
    headers.extend(choice);
    let mut rows = vec![headers];
    for point in &answer.points {
        let mut row: Vec<String> = point.values.iter().map(f64::to_string).collect();
        row.extend(choice_cells(&point.choice, &names));
        rows.push(row);
    }
    csv(rows)
}
