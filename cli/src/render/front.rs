//! A Pareto front for people and spreadsheets.

use cardinal_edge::failure::Failure;
use cardinal_edge::front::{FrontAnswer, GoalAnswer};
use cardinal_edge::what_if::Names;

use super::diagnostics::clean;
use super::numbers::{count, number, percent};
use super::style::{BOLD, DIM, YELLOW, lines, paint, table_of};
use super::table::line;
use super::what_if::{choice_cells, choice_headers, costs, money_header};

fn words(goal: &GoalAnswer) -> String {
    format!("{} {}", goal.direction, clean(&goal.formula))
}

/// The formula with its unit, as the head of a column.
fn head(goal: &GoalAnswer) -> String {
    let unit = goal.unit.as_ref().map_or(String::new(), |unit| format!(" ({unit})"));
    clean(&goal.formula) + &unit
}

/// The points with the placement of each.
pub fn table(answer: &FrontAnswer, names: &Names) -> String {
    let mut out = String::new();
    let [first, second] = &answer.objectives;
    let goals = format!("{} against {}", words(first), words(second));
    line(&mut out, &format!("{}: {}", paint(BOLD, &clean(&answer.application)), paint(DIM, &goals)));
    if answer.points.is_empty() {
        let text = if answer.stopped { "stopped before a point was known" } else { "no admissible placement exists" };
        line(&mut out, &format!("  {}", paint(YELLOW, text)));
        return out;
    }
    let is_cost = |goal: &GoalAnswer| goal.formula == "total_cost";
    let shows_cost = !answer.objectives.iter().any(is_cost);
    let components: Vec<&String> = answer.points.iter().take(1).flat_map(|p| p.choice.components.keys()).collect();
    let heads = [format!(">{}", head(first)), format!(">{}", head(second))];
    let cost_head = format!(">{}", money_header(answer.currency.as_ref()));
    let cost = costs(answer.points.iter().map(|p| &p.choice));
    let mut headers: Vec<&str> = heads.iter().map(String::as_str).collect();
    headers.extend(shows_cost.then_some(cost_head.as_str()));
    headers.extend(components.iter().map(|name| name.as_str()));
    let rows = answer.points.iter().map(|point| {
        let mut row: Vec<String> = point.values.iter().map(|value| number(*value)).collect();
        row.extend(shows_cost.then(|| cost(point.choice.cost_per_hour)));
        for name in &components {
            row.push(point.choice.components.get(*name).map_or(String::new(), |c| clean(&names.fleet(c))));
        }
        row
    });
    out.push('\n');
    out.push_str(&lines(&table_of(&headers, rows.collect())));
    let points = count(answer.points.len(), "point");
    let what = match (answer.complete, answer.stopped) {
        (_, true) => format!("{points} of the front; stopped before there were as many as asked for"),
        (true, false) if answer.resolution > 2e-6 => {
            format!("{points}: the whole front, but for points closer than {}", percent(answer.resolution))
        }
        (true, false) => format!("{points}: the whole front"),
        (false, false) => format!("{points} of the front; `--points` gives more"),
    };
    let time = format!("{} in {:.1} s", count(answer.solves, "solve"), answer.seconds);
    line(&mut out, &format!("\n{}", paint(DIM, &format!("{what}; each is proven; {time}"))));
    out
}

/// The points as CSV.
pub fn csv(answer: &FrontAnswer) -> Result<Vec<u8>, Failure> {
    let (choice, names) = choice_headers(answer.points.first().map(|p| &p.choice));
    let mut headers: Vec<String> = answer.objectives.iter().map(|goal| goal.formula.clone()).collect();
    headers.extend(choice);
    let mut rows = vec![headers];
    for point in &answer.points {
        let mut row: Vec<String> = point.values.iter().map(f64::to_string).collect();
        row.extend(choice_cells(&point.choice, &names));
        rows.push(row);
    }
    super::what_if::csv(rows)
}
