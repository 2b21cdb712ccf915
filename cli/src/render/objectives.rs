//! Several objectives and the soft constraints of an answer, for people.

use cardinal_edge::answer::{Answer, ReachedAnswer, SoftAnswer};

use super::diagnostics::clean;
use super::numbers::{number, percent, quantity};
use super::style::{YELLOW, lines, paint, table_of};
use super::table::{line, title};
use super::why::said;

/// What an objective is called.
fn name(objective: &ReachedAnswer) -> String {
    let formula = format!("{} {}", objective.direction, clean(&objective.formula));
    objective.name.as_ref().map_or_else(|| formula.clone(), |name| format!("{} ({formula})", clean(name)))
}

/// The objectives where there are several, and the summands of weighted ones.
pub fn section(out: &mut String, answer: &Answer) {
    let objectives = &answer.objectives;
    let has_several = objectives.len() > 1;
    if answer.utility.is_none() || (!has_several && objectives.iter().all(|one| one.weighted.is_empty())) {
        return;
    }
    title(out, if has_several { "Objectives, the most important first" } else { "The weighted objective" });
    let shown = |value: Option<f64>, unit: Option<&str>| value.map_or(String::new(), |value| quantity(value, unit));
    let has_current = answer.current.is_some();
    let mut headers = vec!["Objective", ">Value"];
    headers.extend(has_several.then_some(">Best"));
    headers.extend(has_several.then_some(">May be"));
    headers.extend(has_current.then_some(">Now"));
    let mut rows = Vec::new();
    for objective in objectives {
        let unit = objective.unit.as_deref();
        let mut row = vec![name(objective), shown(objective.value, unit)];
        if has_several {
            let open =
                objective.gap.filter(|gap| *gap > 1e-6).map_or(String::new(), |gap| format!(" (gap {})", percent(gap)));
            let unproven = if objective.gap.is_none() { " (not proven)" } else { "" };
            row.push(format!("{}{open}{unproven}", shown(objective.best, unit)));
            row.push(shown(objective.limit.filter(|limit| Some(*limit) != objective.best), unit));
        }
        if has_current {
            row.push(shown(objective.current, unit));
        }
        rows.push(row);
        for part in &objective.weighted {
            let formula = format!("{} {}", part.direction, clean(&part.formula));
            let called = part.name.as_ref().map_or(formula.clone(), |name| format!("{} ({formula})", clean(name)));
            rows.push(vec![format!("  {} x {called}", number(part.weight)), part.value.map_or(String::new(), number)]);
        }
    }
    out.push_str(&lines(&table_of(&headers, rows)));
}

/// The soft constraints that are violated.
pub fn soft(out: &mut String, answer: &Answer) {
    // What rounding leaves is no violation.
    let is_violated = |soft: &&SoftAnswer| soft.violation.is_some_and(|by| by > 1e-9);
    let violated: Vec<&SoftAnswer> = answer.soft.iter().filter(is_violated).collect();
    if violated.is_empty() {
        return;
    }
    title(out, "Soft constraints that are violated");
    for soft in violated {
        let (by, paid) = (soft.violation.unwrap_or(0.0), soft.paid.unwrap_or(0.0));
        let by = quantity(by, soft.unit.as_deref());
        line(out, &format!("  {} {}", paint(YELLOW, &clean(&soft.rule.name)), said(&soft.rule)));
        line(out, &format!("    violated by {by}, which costs {}", number(paid)));
    }
}

/// What soft constraints cost altogether.
pub fn paid(answer: &Answer) -> f64 {
    answer.soft.iter().filter_map(|soft| soft.paid).sum()
}
