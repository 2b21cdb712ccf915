//! Why there is no placement, for people.

use cardinal_edge::answer::Answer;
use cardinal_edge::explanation::{ConflictAnswer, RemedyAnswer, RequirementAnswer};

use super::diagnostics::clean;
use super::numbers::{count, quantity};
use super::style::{BOLD, paint};
use super::table::{line, money};
use super::why::{limit, said};

/// So many ways out are listed.
const REMEDIES_SHOWN: usize = 8;

/// The reason.
pub fn section(out: &mut String, answer: &Answer) {
    match &answer.explanation.conflict {
        Some(conflict) => reason(out, answer, conflict),
        None if answer.status == "unknown" => line(out, "  Give it more time with `--time-limit`."),
        None => {}
    }
}

/// A conflict with what would end it.
pub fn reason(out: &mut String, answer: &Answer, conflict: &ConflictAnswer) {
    match conflict {
        ConflictAnswer::NoOffer { component, line: place, requirements, remedies: ways } => {
            let place = place.map_or(String::new(), |l| format!(" (line {l})"));
            let offers = count(answer.catalog.offers, "offer");
            let name = paint(BOLD, &clean(component));
            line(out, &format!("None of the {offers} satisfies {name}{place}:"));
            for requirement in requirements {
                line(out, &format!("  {}", unsatisfied(requirement)));
            }
            remedies(out, answer, ways);
        }
        ConflictAnswer::Rules { rules, minimal, undefined, remedies: ways } => {
            line(
                out,
                match (rules.len(), minimal) {
                    (1, true) => "This rule cannot hold:",
                    (_, true) => "These rules exclude each other; without any one of them the others could hold:",
                    (_, false) => "These rules exclude each other; that each is needed for it was not found out:",
                },
            );
            for rule in rules {
                line(out, &format!("  {} {}", paint(BOLD, &clean(&rule.name)), said(rule)));
            }
            for lacking in undefined {
                let place = match (lacking.line, lacking.column) {
                    (Some(line), Some(column)) => format!(" (line {line}, column {column})"),
                    _ => String::new(),
                };
                let (name, reason) = (paint(BOLD, &clean(&lacking.name)), clean(&lacking.reason));
                line(out, &format!("{name} has no value where the others hold: {reason}{place}"));
            }
            remedies(out, answer, ways);
        }
        ConflictAnswer::Inherent => line(
            out,
            "Even without any rule of the model there is no placement: look at the offers of the catalog and at what \
             must exist.",
        ),
        ConflictAnswer::Unknown => line(
            out,
            "Why was not found out in the time for explanations; `cardinal explain --time-limit none` gives it as \
             much as it needs.",
        ),
    }
}

/// One requirement of a conflict: how many offers it excludes, and what comes closest.
fn unsatisfied(requirement: &RequirementAnswer) -> String {
    let text = paint(BOLD, &clean(&requirement.text));
    let place = requirement.line.map_or(String::new(), |l| format!(" (line {l})"));
    let closest = match (requirement.nearest, requirement.end) {
        (Some(value), Some("low")) => format!("; the largest is {}", quantity(value, requirement.unit.as_deref())),
        (Some(value), Some(_)) => format!("; the smallest is {}", quantity(value, requirement.unit.as_deref())),
        _ => String::new(),
    };
    let others = match requirement.offers_of_others {
        1 => "excludes the only offer that the rest leaves".to_owned(),
        n => format!("excludes all {n} offers that the rest leaves"),
    };
    format!("{text}{place} {others}{closest}")
}

fn remedies(out: &mut String, answer: &Answer, remedies: &[RemedyAnswer]) {
    if remedies.is_empty() {
        return;
    }
    let several = remedies.iter().any(|r| r.changes.len() > 1);
    line(out, if several { "\nOnly together these changes end it:" } else { "\nAny one of these changes ends it:" });
    for remedy in remedies.iter().take(REMEDIES_SHOWN) {
        let changes: Vec<String> = remedy
            .changes
            .iter()
            .map(|change| {
                let name = match change.rule.name.strip_prefix("requirement of ") {
                    Some(component) => format!("`{}` of {}", clean(&change.rule.text), clean(component)),
                    None => clean(&change.rule.name),
                };
                match &change.relaxed {
                    Some(relaxed) => {
                        let least = if relaxed.is_least { "" } else { " (less may do)" };
                        format!("{name}: {}{least}", limit(relaxed))
                    }
                    None if change.rule.kind == "requirement" => format!("without {name}"),
                    None => format!("{name} without `{}`", clean(&change.rule.text)),
                }
            })
            .collect();
        line(out, &format!("  {}; cost {}", changes.join(", and "), money(answer, remedy.cost_per_hour)));
    }
    if remedies.len() > REMEDIES_SHOWN {
        line(out, &format!("  ... and {} more, in `--output json`", remedies.len() - REMEDIES_SHOWN));
    }
}
