//! What came of a simulation, for people.

use cardinal_control::decide::Resources;
use cardinal_control::simulate::compare::Comparison;
use cardinal_control::simulate::{Happening, Moment, Report};
use cardinal_control::state::Notice;

use super::diagnostics::clean;
use super::numbers::number;
use super::style::{BOLD, DIM, RED, lines, paint, table_of};
use super::table::line;

/// So many events are shown; JSON has all.
const EVENTS_SHOWN: usize = 60;
const NANOS: f64 = 1e9;

/// One simulation.
pub fn one(report: &Report, resources: &Resources, currency: &str) -> String {
    let mut out = String::new();
    let name = paint(BOLD, &clean(&resources.application.name));
    line(&mut out, &format!("{name}: {} simulated, seed {}", time(report.simulated_ms), report.seed));
    out.push('\n');
    events(&mut out, &report.timeline);
    let hours = report.simulated_ms as f64 / 3.6e6;
    let paid = report.paid_nanos as f64 / NANOS;
    let mut row = |what: &str, value: String| line(&mut out, &format!("  {what:<14} {value}"));
    row("paid", format!("{paid:.4} {currency}, {:.4} {currency}/h on average", paid / hours.max(1e-9)));
    let peak = peak(report);
    if peak > 0.0 {
        let saved = 100.0 * (1.0 - paid / (peak * hours).max(1e-12));
        row(
            "at its peak",
            format!("{peak:.4} {currency}/h; running that all the time costs {saved:.0} % more than it needed",),
        );
    }
    row(
        "decisions",
        format!(
            "{}: {} proven, {} unchanged, {} held back by the gate, {} without answer; {} replayed alike",
            report.decisions, report.proven, report.unchanged, report.held, report.unanswered, report.replayed
        ),
    );
    if report.denied > 0 {
        row("denied", format!("{} of these changes, by policies", report.denied));
    }
    row(
        "plans",
        format!(
            "{}: {} reached, {} undone, {} superseded, {} stuck; {} instances started, {} stopped, {} turns",
            report.plans,
            report.reached,
            report.unwound,
            report.superseded,
            report.stuck,
            report.starts,
            report.stops,
            report.flaps
        ),
    );
    row("in violation", time(report.violation_ms));
    if report.overload_ms > 0 {
        row("overloaded", format!("{}, by what was measured and what served", time(report.overload_ms)));
    }
    if report.losses + report.crashes > 0 {
        row("trouble", format!("{} nodes lost, {} deaths of the process", report.losses, report.crashes));
    }
    breaches(&mut out, report);
    out
}

/// Many simulations, one line each.
pub fn many(reports: &[Report], currency: &str) -> String {
    let paid = format!(">Paid {currency}");
    let headers = [
        ">Seed",
        ">Decisions",
        ">Held",
        ">Denied",
        ">Plans",
        ">Reached",
        ">Undone",
        ">Turns",
        ">Lost",
        ">Deaths",
        ">In violation",
        &paid,
        ">Breaches",
    ];
    let rows = reports.iter().map(|r| {
        let mut row: Vec<String> =
            [r.seed, r.decisions, r.held, r.denied, r.plans, r.reached, r.unwound, r.flaps, r.losses, r.crashes]
                .iter()
                .map(ToString::to_string)
                .collect();
        row.extend([time(r.violation_ms), format!("{:.4}", r.paid_nanos as f64 / NANOS), r.breaches.len().to_string()]);
        row
    });
    let mut out = lines(&table_of(&headers, rows.collect()));
    reports.iter().for_each(|r| breaches(&mut out, r));
    out
}

/// Ways to serve one load, beside each other.
pub fn versus(comparison: &Comparison, currency: &str) -> String {
    let mut out = String::new();
    let unit = &comparison.unit;
    let offer = clean(&comparison.offer);
    line(
        &mut out,
        &format!(
            "Thresholds, peak and hindsight are counted out on {offer}: {} of {} for {:.4} {currency}/h",
            number(unit.unit),
            clean(&comparison.metric),
            unit.unit_price
        ),
    );
    out.push('\n');
    let paid = format!(">Paid {currency}");
    let headers = ["Way", &paid, ">Minutes in violation", ">Changes", ">Starts", ">Decisions"];
    let rows = comparison.ways.iter().map(|way| {
        vec![
            clean(&way.name),
            format!("{:.4}", way.cost),
            number(way.violation_minutes),
            way.changes.to_string(),
            way.starts.to_string(),
            way.decisions.map_or_else(String::new, |n| n.to_string()),
        ]
    });
    out.push_str(&lines(&table_of(&headers, rows.collect())));
    if comparison.breaches > 0 {
        line(&mut out, &paint(RED, &format!("  {} invariants of the loop did not hold", comparison.breaches)));
    }
    out
}

fn breaches(out: &mut String, report: &Report) {
    if report.breaches.is_empty() {
        return;
    }
    line(
        out,
        &paint(
            RED,
            &format!("  {} invariants did not hold; `--seed {}` repeats the run", report.breaches.len(), report.seed),
        ),
    );
    for breach in report.breaches.iter().take(10) {
        line(out, &format!("    {}  {}", time(breach.elapsed_ms), clean(&breach.message)));
    }
}

fn peak(report: &Report) -> f64 {
    let cost = |m: &Moment| match &m.what {
        Happening::Measured { cost_nanos, .. } => Some(*cost_nanos),
        _ => None,
    };
    report.timeline.iter().filter_map(cost).max().unwrap_or(0) as f64 / NANOS
}

fn events(out: &mut String, timeline: &[Moment]) {
    let mut told = Vec::new();
    let mut sentence = String::new();
    for moment in timeline {
        let text = match &moment.what {
            Happening::Notice(Notice::Decided { sentence: said, .. }) => {
                sentence.clone_from(said);
                continue;
            }
            Happening::Notice(notice) => notice_text(notice, &sentence),
            Happening::Lost { node } => Some(format!("node {node} is lost")),
            Happening::Crash => Some("the process dies and begins again".to_owned()),
            Happening::Measured { .. } => None,
        };
        if let Some(text) = text {
            told.push(format!("  {:>12}  {}", time(moment.elapsed_ms), clean(&text)));
        }
    }
    for text in told.iter().take(EVENTS_SHOWN) {
        line(out, text);
    }
    if told.len() > EVENTS_SHOWN {
        line(out, &paint(DIM, &format!("  {} more events; `--output json` has all", told.len() - EVENTS_SHOWN)));
    }
    if !told.is_empty() {
        out.push('\n');
    }
}

fn notice_text(notice: &Notice, sentence: &str) -> Option<String> {
    Some(match notice {
        Notice::PlanBegan { plan, .. } => format!("plan {} begins. {sentence}", plan.short()),
        Notice::PlanEnded { plan, ending } => format!("plan {} ended: {ending:?}", plan.short()).to_lowercase(),
        Notice::PlanProposed { plan } => format!("plan {} waits for a person. {sentence}", plan.short()),
        Notice::PlanDropped { plan, reason } => format!("plan {} is dropped: {reason}", plan.short()),
        Notice::PlanDenied { reason, .. } => reason.clone(),
        Notice::Stuck { action, fault, .. } => format!("action {action} is stuck: {fault}"),
        Notice::Violated { rules, .. } => format!("violated: {}", rules.join(", ")),
        Notice::Restored { .. } => "all rules hold again".to_owned(),
        Notice::Orphans { names } => format!("nobody owns {}", names.join(", ")),
        Notice::OfferUnavailable { offer, .. } => format!("{offer} is not to be had for a while"),
        Notice::NodesLost { .. } | Notice::Decided { .. } => return None,
        Notice::Paused { by, reason } => format!("paused by {by}: {reason}"),
        Notice::Resumed => "resumed".to_owned(),
        Notice::Refused { by, reason } => format!("{by} was refused: {reason}"),
        Notice::Gone => "everything is taken down".to_owned(),
    })
}

/// A time as `1d 02:03:04`.
fn time(ms: u64) -> String {
    let s = ms / 1000;
    let (d, h, m, s) = (s / 86_400, s / 3600 % 24, s / 60 % 60, s % 60);
    if d > 0 { format!("{d}d {h:02}:{m:02}:{s:02}") } else { format!("{h:02}:{m:02}:{s:02}") }
}
