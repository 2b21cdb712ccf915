//! Answers of the service for people.

use cardinal_adapter::time::UnixMs;
use serde_json::Value;

use super::diagnostics::clean;
use super::numbers::{number, percent};
use super::style::{BOLD, DIM, GREEN, RED, YELLOW, lines, paint, table_of};
use crate::commands::token::instant;

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => clean(text),
        other => clean(&other.to_string()),
    }
}

fn time(value: &Value) -> String {
    value.as_i64().map_or(String::new(), |ms| instant(UnixMs(ms)))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// An application that was taken in.
pub fn submitted(answer: &Value) -> String {
    let name = text(&answer["name"]);
    format!(
        "{} is taken in, generation {}, mode {}; follow it with `cardinal watch {name}`\n",
        paint(BOLD, &name),
        text(&answer["generation"]),
        text(&answer["mode"]),
    )
}

fn standing(application: &Value) -> String {
    if application["status"] != "active" {
        return text(&application["status"]);
    }
    if let Some(reason) = application["broken"].as_str() {
        return paint(RED, &format!("broken: {}", clean(reason)));
    }
    match application["pause"]["reason"].as_str() {
        Some(reason) => format!("paused: {}", clean(reason)),
        None => text(&application["course"]),
    }
}

/// A list of applications.
pub fn applications(answer: &Value) -> String {
    let row = |a: &Value| {
        let broken: Vec<String> = items(&a["violated"]).map(text).collect();
        vec![text(&a["name"]), text(&a["generation"]), text(&a["mode"]), standing(a), broken.join(", ")]
    };
    let rows: Vec<_> = items(answer).map(row).collect();
    if rows.is_empty() {
        return "no applications; `cardinal app submit MODEL`\n".to_owned();
    }
    lines(&table_of(&["application", ">generation", "mode", "state", "violated"], rows))
}

/// One application.
pub fn application(answer: &Value) -> String {
    let (own, deployment) = (&answer["application"], &answer["deployment"]);
    let mut out = format!(
        "{} {}\n",
        paint(BOLD, &text(&own["name"])),
        paint(DIM, &format!("generation {}, {}, {}", text(&own["generation"]), text(&own["mode"]), standing(own))),
    );
    for rule in items(&own["violated"]) {
        out.push_str(&format!("  {}\n", paint(RED, &format!("violated: {}", text(rule)))));
    }
    let mut rows = Vec::new();
    let nodes = deployment["current"]["deployment"]["nodes"].as_array();
    for node in nodes.into_iter().flatten() {
        let instances = node["instances"]
            .as_object()
            .map(|map| map.iter().map(|(name, n)| format!("{} {}", n, clean(name))).collect::<Vec<_>>().join(", "));
        rows.push(vec![text(&node["count"]), text(&node["offer"]), instances.unwrap_or_default()]);
    }
    if rows.is_empty() {
        out.push_str("  nothing runs\n");
    } else {
        out.push('\n');
        out.push_str(&lines(&table_of(&[">nodes", "offer", "each with"], rows)));
        let cost = |of: &str| deployment[of]["cost_per_hour"].as_f64().unwrap_or_default();
        out.push_str(&format!("  cost per hour {:.4}", cost("current")));
        if deployment["plan"].is_string() {
            out.push_str(&format!(", {:.4} when the plan is done", cost("target")));
        }
        if let Some(paid) = deployment["paid"].as_f64() {
            out.push_str(&format!(", charged so far {paid:.6}"));
        }
        out.push('\n');
    }
    let metrics = metrics(&answer["metrics"]);
    if !metrics.is_empty() {
        out.push('\n');
        out.push_str(&metrics);
    }
    if let Some(last) = items(&answer["decisions"]).next() {
        out.push_str(&format!(
            "\n  decision {} {}: {}\n",
            text(&last["number"]),
            time(&last["at"]),
            text(&last["sentence"])
        ));
    }
    out
}

/// How a value to be ready for came about.
fn foreseen(seen: &Value) -> Option<String> {
    let forecast = &seen["forecast"];
    let of = |key: &str| forecast[key].as_f64();
    Some(format!(
        "{}: measured {}, expected {} ({} to {} nine times of ten), more than {} with {}; forecasts were off by {} lately, \
         the load of now by {}{}\n",
        text(&seen["name"]),
        number(of("measured")?),
        number(of("expected")?),
        number(of("low")?),
        number(of("high")?),
        text(&seen["value"]),
        percent(of("risk")?),
        percent(of("error")?),
        percent(of("naive_error")?),
        if forecast["policy"] == "threshold" { "; the threshold rule is followed" } else { "" }
    ))
}

/// Values of metrics.
pub fn metrics(answer: &Value) -> String {
    let row = |m: &Value| {
        let age = m["age_ms"].as_f64().map_or(String::new(), |ms| format!("{:.0} s", ms / 1e3));
        vec![text(&m["name"]), text(&m["value"]), text(&m["unit"]), age, text(&m["quality"])]
    };
    let rows: Vec<_> = items(&answer["items"]).map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        lines(&table_of(&["metric", ">value", "unit", ">age", "quality"], rows))
    }
}

/// Values that were sent.
pub fn pushed(answer: &Value) -> String {
    format!("{} of {} values are new\n", text(&answer["kept"]), text(&answer["received"]))
}

fn next(value: &Value) -> String {
    match value.as_str() {
        Some("apply") => paint(GREEN, "apply"),
        Some("approval") => paint(YELLOW, "approval"),
        _ => text(value),
    }
}

/// Decisions, the latest last.
pub fn decisions(answer: &Value) -> String {
    let mut rows: Vec<Vec<String>> = items(answer)
        .map(|d| vec![text(&d["number"]), time(&d["at"]), next(&d["next"]), text(&d["sentence"])])
        .collect();
    rows.reverse();
    if rows.is_empty() {
        return "no decision yet\n".to_owned();
    }
    lines(&table_of(&[">decision", "at", "next", "why"], rows))
}

/// One decision with its reasons.
pub fn decision(answer: &Value) -> String {
    let inner = &answer["decision"];
    let mut out = format!(
        "{} {}\n  {}: {}\n",
        paint(BOLD, &format!("decision {}", text(&answer["number"]))),
        paint(DIM, &time(&answer["at"])),
        next(&answer["next"]),
        text(&answer["sentence"]),
    );
    let triggers: Vec<String> = items(&inner["triggers"]).map(|t| text(&t["kind"])).collect();
    out.push_str(&format!("  asked for by: {}\n", triggers.join(", ")));
    let seen = |m: &Value| vec![text(&m["name"]), text(&m["value"]), text(&m["quality"])];
    let rows: Vec<_> = items(&inner["saw"]).map(seen).collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&lines(&table_of(&["metric", ">value", "quality"], rows)));
    }
    items(&inner["saw"]).filter_map(foreseen).for_each(|line| out.push_str(&line));
    let reading = |r: &Value| {
        let verdict = if r["passed"] == true { paint(GREEN, "passed") } else { paint(YELLOW, "held") };
        let mut figures: Vec<String> = Vec::new();
        for (name, value) in r.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "gate" | "check" | "passed" | "name" | "kind") {
                figures.push(format!("{} {}", name.replace('_', " "), text(value)));
            }
        }
        let name = ["gate", "check", "name", "kind"].iter().map(|k| text(&r[*k])).find(|t| !t.is_empty());
        vec![name.unwrap_or_default(), verdict, figures.join(", ")]
    };
    let rows: Vec<_> = items(&inner["verdict"]["readings"]).map(reading).collect();
    if !rows.is_empty() {
        out.push('\n');
        out.push_str(&lines(&table_of(&["gate", "verdict", "figures"], rows)));
    }
    out
}

/// A plan as people know it.
pub fn plan(answer: &Value) -> String {
    let status = format!("{} {}", text(&answer["status"]), paint(DIM, &time(&answer["at"])));
    let shown = answer["shown"].as_str().unwrap_or_default();
    let shown: String = shown.lines().map(|line| format!("{}\n", clean(line))).collect();
    format!("{shown}Status: {status}\n")
}

/// That nothing is to be done, and why.
pub fn no_plan(answer: &Value) -> String {
    match items(&answer["items"]).next() {
        Some(last) => format!("No changes. Decision {}: {}\n", text(&last["number"]), text(&last["sentence"])),
        None => "No changes: nothing was decided yet.\n".to_owned(),
    }
}

/// Something that happened.
pub fn event(kind: &str, body: &Value, seen: String) -> String {
    let data = body.get("body").filter(|d| d.is_object()).unwrap_or(body);
    let at = if body["at"].is_i64() { time(&body["at"]) } else { seen };
    let mut details: Vec<String> = Vec::new();
    if let Some(sentence) = data["sentence"].as_str() {
        details.push(clean(sentence));
    } else {
        for (name, value) in data.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "event" | "at" | "application" | "kind" | "id") && !value.is_null() {
                let shown = match value.as_array() {
                    Some(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
                    None => text(value),
                };
                let short = if shown.len() == 64 { shown[..8].to_owned() } else { shown };
                details.push(format!("{name} {short}"));
            }
        }
    }
    let application = text(&body["application"]);
    let kind = match kind {
        "violated" | "stuck" | "nodes-lost" => paint(RED, kind),
        "restored" | "plan-ended" => paint(GREEN, kind),
        _ => paint(BOLD, kind),
    };
    format!("{} {application} {kind}: {}\n", paint(DIM, &at), details.join(", "))
}
