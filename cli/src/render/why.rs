//! Why the answer is what it is, for people.

use super::diagnostics::clean;
use super::numbers::{number, price};
use super::style::{BOLD, DIM, lines, paint, table};
use super::table::{line, money, title};
use crate::answer::{Answer, RuleAnswer};

/// So many groups of nodes are shown with what came next.
const GROUPS_SHOWN: usize = 8;

/// The offers that came next and why they lost.
pub fn alternatives(out: &mut String, answer: &Answer) {
    let groups = &answer.explanation.alternatives;
    if groups.is_empty() {
        return;
    }
    title(out, "Next best offers, with everything else as it is");
    let mut shown = table(&["Component", ">Instances", "Instead on", "Why it lost"]);
    for group in groups.iter().take(GROUPS_SHOWN) {
        for (index, other) in group.offers.iter().enumerate() {
            let name = if index == 0 { clean(&group.components.join(" + ")) } else { String::new() };
            let why = match (&other.reason, other.utility, other.cost_per_hour) {
                (Some(reason), ..) if other.lost == "breaks" => format!("breaks a rule: {}", clean(reason)),
                (Some(reason), ..) => format!("cheaper ({} each), but {}", price(other.price), clean(reason)),
                (None, utility, cost) => compared(answer, utility, cost),
            };
            shown.add_row([name, other.cardinality.to_string(), clean(&other.offer), why]);
        }
    }
    out.push_str(&lines(&shown));
    if groups.len() > GROUPS_SHOWN {
        let more = groups.len() - GROUPS_SHOWN;
        line(out, &paint(DIM, &format!("  ... and {more} more groups of nodes, in `--output json`")));
    }
}

/// A utility and cost beside those of the answer.
fn compared(answer: &Answer, utility: Option<f64>, cost: Option<f64>) -> String {
    let mut parts = Vec::new();
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0);
    // Where the cost is the utility it is not said twice.
    let is_cost = matches!((utility, cost), (Some(utility), Some(cost)) if same(utility, cost));
    if let (Some(with), Some(chosen)) = (utility.filter(|_| !is_cost), answer.utility) {
        let equal = same(with, chosen);
        parts.push(if equal { "equal utility".to_owned() } else { format!("utility {}", number(with)) });
    }
    if let (Some(with), Some(chosen)) = (cost, answer.cost_per_hour) {
        let sign = if with < chosen { "-" } else { "+" };
        let equal = same(with, chosen);
        parts.push(if equal {
            "equal cost".to_owned()
        } else {
            format!("cost {} ({sign}{})", money(answer, with), price((with - chosen).abs()))
        });
    }
    parts.join(", ")
}

/// The rules that bind and what would be gained without them.
pub fn binding(out: &mut String, answer: &Answer) {
    let explanation = &answer.explanation;
    if !explanation.binding.is_empty() {
        title(out, "Rules that keep a better placement away");
        for binding in &explanation.binding {
            let cost = Some(binding.cost_per_hour_without);
            let without = compared(answer, binding.utility_without, cost);
            line(out, &format!("  {} {}", paint(BOLD, &clean(&binding.rule.name)), said(&binding.rule)));
            line(out, &format!("    without it: {without}"));
        }
    }
    if !explanation.binding_complete && !explanation.alternatives.is_empty() {
        line(out, &paint(DIM, "  not every rule was tried, to save time"));
    }
}

/// What a rule says and where it stands.
pub fn said(rule: &RuleAnswer) -> String {
    let place = rule.line.map_or(String::new(), |line| format!(", line {line}"));
    format!("{}: {}", paint(DIM, &format!("({}{place})", rule.kind)), clean(&rule.text))
}
