//! Why not the placements that were asked for, for people.

use cardinal_edge::answer::Answer;

use super::conflict;
use super::diagnostics::clean;
use super::style::{BOLD, RED, YELLOW, paint};
use super::table::{line, title};
use super::why::{compared, term_rows};

/// One section for each alternative.
pub fn section(out: &mut String, answer: &Answer) {
    for asked in &answer.explanation.why_not {
        title(out, &format!("Why not {}", clean(&asked.alternative)));
        let with = || compared(answer, asked.utility, asked.cost_per_hour);
        match asked.verdict {
            "worse" => line(out, &format!("  It is {}: {}", paint(YELLOW, "worse"), with())),
            "equal" => line(out, "  It is as good: equals are decided by nodes, changes and a stable order."),
            "better" => line(out, &format!("  It is better than what was found in time: {}", with())),
            "conflict" => line(out, &format!("  It is {}.", paint(RED, "impossible"))),
            "undefined" => line(out, "  The utility has no value with it."),
            _ => line(out, "  Not found out in time; `--time-limit` gives it more."),
        }
        if !asked.terms.is_empty() {
            term_rows(out, &asked.terms, &["With it", "Chosen"]);
        }
        for change in &asked.changes {
            let offers: Vec<String> =
                change.offers.iter().map(|(offer, n)| format!("{n:+} on {}", clean(offer))).collect();
            line(out, &format!("  {}: {}", paint(BOLD, &clean(&change.component)), offers.join(", ")));
        }
        if let Some(found) = &asked.conflict {
            conflict::reason(out, answer, found);
        }
    }
}
