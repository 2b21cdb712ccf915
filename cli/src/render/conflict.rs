//! Why there is no placement, for people.

use super::diagnostics::clean;
use super::numbers::count;
use super::style::{BOLD, paint};
use super::table::line;
use super::why::said;
use crate::answer::Answer;
use crate::explanation::{ConflictAnswer, RequirementAnswer};

/// So many requirements are listed.
const REQUIREMENTS_SHOWN: usize = 8;

/// The reason.
pub fn section(out: &mut String, answer: &Answer) {
    let Some(conflict) = &answer.explanation.conflict else {
        if answer.status == "unknown" {
            line(out, "  Give it more time with `--time-limit`.");
        }
        return;
    };
    match conflict {
        ConflictAnswer::NoOffer { component, line: place, requirements } => {
            let place = place.map_or(String::new(), |l| format!(" (line {l})"));
            let offers = count(answer.catalog.offers, "offer");
            let name = paint(BOLD, &clean(component));
            line(out, &format!("None of the {offers} satisfies {name}{place}."));
            requirements_section(out, requirements);
        }
        ConflictAnswer::Rules { rules } => {
            line(out, "These rules exclude each other; without any one of them there is a placement:");
            for rule in rules {
                line(out, &format!("  {} {}", paint(BOLD, &clean(&rule.name)), said(rule)));
            }
        }
        ConflictAnswer::Inherent => line(
            out,
            "Even without constraints, quotas, spread and rules of structure there is no placement: look at the \
             cardinalities, at the room on shared nodes and at components that may not be moved.",
        ),
        ConflictAnswer::Unknown => line(
            out,
            "Why was not found out in the time for explanations; `--time-limit none` gives it as much as it needs.",
        ),
    }
}

fn requirements_section(out: &mut String, requirements: &[RequirementAnswer]) {
    let helpful: Vec<&RequirementAnswer> = requirements.iter().filter(|r| r.offers_without > 0).collect();
    if helpful.is_empty() {
        line(out, "It would have none if any one of its requirements were dropped:");
        for requirement in requirements.iter().take(REQUIREMENTS_SHOWN) {
            line(out, &format!("  {}", clean(&requirement.text)));
        }
        return;
    }
    line(out, "It would have offers without one of these requirements:");
    for requirement in helpful.iter().take(REQUIREMENTS_SHOWN) {
        line(out, &format!("  {:<40}  {}", clean(&requirement.text), count(requirement.offers_without, "offer")));
    }
}
