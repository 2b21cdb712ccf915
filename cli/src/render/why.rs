//! Why the answer is what it is, for people.

use cardinal_edge::answer::{Answer, RuleAnswer};
use cardinal_edge::explanation::{AlternativeAnswer, AlternativesAnswer, GainedAnswer, LimitAnswer, TermAnswer};
use serde_json::Value;

use super::diagnostics::clean;
use super::numbers::{number, price, quantity};
use super::style::{BOLD, DIM, lines, paint, table, table_of};
use super::table::{explained_decimals, explained_money, line, title};

/// So many groups of nodes are shown with what came next.
const GROUPS_SHOWN: usize = 8;
/// Of what a term looks at so much is shown.
const INPUTS_SHOWN: usize = 12;

/// The offers that came next and why they lost.
pub fn alternatives(out: &mut String, answer: &Answer) {
    let groups = &answer.explanation.alternatives;
    if groups.is_empty() {
        return;
    }
    let is_optimised = groups.iter().any(|g| g.offers.iter().any(|o| o.rest == "optimised"));
    let rest = if is_optimised { "optimised anew" } else { "as it is" };
    title(out, &format!("Next best offers, with everything else {rest}"));
    let mut shown = table(&["Component", ">Instances", "Instead on", "Why it lost"]);
    for group in groups.iter().take(GROUPS_SHOWN) {
        for (index, other) in group.offers.iter().enumerate() {
            let name = if index == 0 { clean(&group.components.join(" + ")) } else { String::new() };
            let why = match (&other.reason, other.utility, other.cost_per_hour) {
                (Some(reason), ..) if other.lost == "breaks" => format!("breaks a rule: {}", clean(reason)),
                (Some(reason), ..) => format!("cheaper ({} each), but {}", price(other.price), clean(reason)),
                (None, utility, cost) => compared(answer, utility, cost) + &decided(answer, group, other),
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

/// The term that ranks an alternative lower, where there are several that could.
fn decided(answer: &Answer, group: &AlternativesAnswer, other: &AlternativeAnswer) -> String {
    let explanation = &answer.explanation;
    if let (Some("objective"), Some(term)) = (other.decided_by, &other.term) {
        return format!("; {}: {} -> {}", clean(&term.term), number(term.chosen), number(term.with));
    }
    // That another offer changes the cost of its own component needs no words.
    let own = |term: &str| group.components.iter().any(|name| term == format!("cost of {name}"));
    match &other.term {
        Some(term) if explanation.is_full && explanation.terms.len() > 1 && !own(&term.term) => {
            let (chosen, with) = (number(term.chosen), number(term.with));
            format!("; most by {}: {chosen} -> {with}", clean(&term.term))
        }
        _ => String::new(),
    }
}

/// The objective term by term.
pub fn terms(out: &mut String, answer: &Answer) {
    let terms = &answer.explanation.terms;
    if terms.is_empty() || !answer.explanation.is_full {
        return;
    }
    title(out, "The utility term by term");
    let columns: &[&str] = if answer.current.is_some() { &["Then", "Now"] } else { &["Value"] };
    term_rows(out, terms, columns);
    for later in &answer.explanation.later_terms {
        title(out, &format!("{} term by term", clean(&later.objective)));
        term_rows(out, &later.terms, columns);
    }
}

/// Terms with their values under these headings: one or two.
pub fn term_rows(out: &mut String, terms: &[TermAnswer], headings: &[&str]) {
    let mut headers = vec!["Term".to_owned()];
    headers.extend(headings.iter().map(|h| format!(">{h}")));
    headers.push("Unit".to_owned());
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let has_two = headings.len() > 1;
    let cell = |value: Option<f64>| value.map_or("none".to_owned(), number);
    let data = |value: &Value| match value {
        Value::Number(n) => n.as_f64().map_or("none".to_owned(), number),
        Value::String(text) => clean(text),
        Value::Bool(b) => b.to_string(),
        _ => "none".to_owned(),
    };
    let unit = |unit: &Option<String>| unit.clone().unwrap_or_default();
    let mut rows = Vec::new();
    let mut push = |name: String, first: String, second: String, unit: String| {
        rows.push(if has_two { vec![name, first, second, unit] } else { vec![name, first, unit] });
    };
    for term in terms {
        push(clean(&term.term), cell(term.value), cell(term.current), unit(&term.unit));
        // A term that is one name has nothing behind it.
        let is_plain = matches!(term.inputs.as_slice(), [only] if only.name == term.term);
        for input in term.inputs.iter().filter(|_| !is_plain).take(INPUTS_SHOWN) {
            push(format!("  {}", clean(&input.name)), data(&input.value), data(&input.current), unit(&input.unit));
        }
    }
    if terms.len() > 1 {
        let sum = |of: &dyn Fn(&TermAnswer) -> Option<f64>| terms.iter().map(of).sum::<Option<f64>>();
        push("sum".to_owned(), cell(sum(&|t| t.value)), cell(sum(&|t| t.current)), unit(&terms[0].unit));
    }
    out.push_str(&lines(&table_of(&headers, rows)));
}

/// A utility and cost beside those of the answer.
pub fn compared(answer: &Answer, utility: Option<f64>, cost: Option<f64>) -> String {
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
        let decimals = explained_decimals(answer);
        let equal = same(with, chosen);
        parts.push(if equal {
            "equal cost".to_owned()
        } else {
            format!("cost {} ({sign}{:.decimals$})", explained_money(answer, with), (with - chosen).abs())
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
            line(out, &format!("    without it: {without}{}", gained(binding.gained.as_ref())));
            for step in &binding.relaxed {
                let change = limit(&step.change);
                let then = compared(answer, step.utility, Some(step.cost_per_hour));
                let first = if step.change.is_least { "" } else { " (something less may do)" };
                line(out, &format!("    {change}: {then}{}{first}", gained(step.gained.as_ref())));
                if step.gain > 0.0 && answer.explanation.is_full {
                    let (factor, unit) = match step.change.unit.as_deref() {
                        Some("MiB") => (1024.0, "GiB"),
                        Some(unit) => (1.0, unit),
                        None => (1.0, "unit"),
                    };
                    line(out, &format!("      a gain of {} per {unit}", number(step.gain_per_unit * factor)));
                }
            }
        }
    }
    if !explanation.binding_complete && !explanation.alternatives.is_empty() {
        line(out, &paint(DIM, "  not every rule was tried, to save time"));
    }
}

/// Which of several objectives is better.
fn gained(gained: Option<&GainedAnswer>) -> String {
    gained.map_or(String::new(), |gained| {
        format!(", {}: {} -> {}", clean(&gained.objective), number(gained.from), number(gained.to))
    })
}

/// How a limit is relaxed.
pub fn limit(change: &LimitAnswer) -> String {
    let unit = change.unit.as_deref();
    match (change.limit, change.limit_then) {
        (Some(limit), Some(then)) => format!("{} instead of {}", quantity(then, unit), quantity(limit, unit)),
        _ => format!("relaxed by {}", quantity(change.by, unit)),
    }
}

/// What a rule says and where it stands.
pub fn said(rule: &RuleAnswer) -> String {
    let place = match (&rule.file, rule.line) {
        (Some(file), Some(line)) => format!(", {}:{line}", clean(file)),
        _ => String::new(),
    };
    format!("{}: {}", paint(DIM, &format!("({}{place})", rule.kind)), clean(&rule.text))
}
