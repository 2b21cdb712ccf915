//! Tests of resolving: names, formulas, requirements and rules.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::application::{
    Ageing, Cardinality, Demand, Direction, Fold, Interval, Pattern, Severity as Gravity, Spread, Structure, Window,
};
use crate::commitment::Capacity;
use crate::division::{DivisionRule, Portion, Share};
use crate::document::{Hosting, Level, SpreadBy, WhenStale};
use crate::formula::expr::ExprKind;
use crate::quantity::{Bytes, Cores, Price};
use crate::unit::Unit;

fn show(source: &Source, findings: &Diagnostics) -> Vec<String> {
    let line = |d: &Diagnostic| {
        let (line, column) = source.line_column(d.span.start);
        let word = if d.severity == Severity::Error { "error" } else { "warning" };
        format!("{line}:{column} {word}: {} [{}] {}", d.message, d.path, d.help.as_deref().unwrap_or("-"))
    };
    findings.0.iter().map(line).collect()
}

fn read(text: &str) -> Application {
    let source = Source::new("test.yaml", text);
    match load(&source) {
        Ok((application, _, findings)) => {
            assert_eq!(show(&source, &findings), Vec::<String>::new());
            application
        }
        Err(findings) => panic!("{:#?}", show(&source, &findings)),
    }
}

fn mistakes(text: &str) -> Vec<String> {
    let source = Source::new("test.yaml", text);
    match load(&source) {
        Ok((_, _, findings)) | Err(findings) => show(&source, &findings),
    }
}

#[test]
fn a_finding_in_a_text_that_is_not_written_as_it_reads_marks_all_of_it() {
    for (written, marked) in [
        ("1 + é", "é"),
        ("\"1 + é\"", "é"),
        ("1 +\n      é", "1 +\n      é"),
        (">-\n    1\n    + 2 é", "1\n    + 2 é\n"),
        ("\"\\x31 + é\"", "\\x31 + é"),
        // As long as what it reads as, by chance.
        ("\"\\Lé\\n\"", "\"\\Lé\\n\""),
    ] {
        let source = Source::new("x", format!("application: a\ncomponents: {{w: {{}}}}\nconstants:\n  c: {written}\n"));
        let findings = load(&source).unwrap_err();
        let last = findings.0.last().unwrap();
        assert_eq!(source.slice(last.span), marked, "{written:?}: {findings}");
    }
}

#[test]
fn every_mistake_is_reported() {
    let findings = mistakes(include_str!("../../tests/mistakes/meaning.yaml"));
    let expected = include_str!("../../tests/mistakes/meaning.txt");
    assert_eq!(findings.join("\n"), expected.trim_end(), "\n{}", findings.join("\n"));
}

#[test]
fn dedicated_components() {
    let application = read(
        "application: a\ncatalog: {providers: aws, without_machine_types: ['t3.*']}\ncomponents:\n  web:\n    cardinality: [1, \
         3..4]\n    requires: {cores: '>= 2', memory: 4 GiB..8 GiB, labels: {rack: r1, iops: '> 100'}}\n    placement: \
         {os: [Ubuntu, Debian], spread: [{by: location, at_most: 2}, {by: zone, at_most: 1}]}\n    needs: [db]\n  db: \
         {moveable: false, placement: {purchase: [spot, on-demand]}}\n",
    );
    let offers: Vec<&str> = application.offers.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(offers, ["provider = aws", "machine_type not in [t3.*]"]);
    assert_eq!(application.offers[1].test, Test::NotText(vec!["t3.*".into()]));
    let web = &application.components[0];
    assert_eq!(web.cardinality, Cardinality::new(vec![(1, 1), (3, 4)]));
    let texts: Vec<&str> = web.requirements.iter().map(|r| r.text.as_str()).collect();
    let expected = [
        "cores >= 2",
        "memory in 4 GiB..8 GiB",
        "rack = r1",
        "iops > 100",
        "os in [Ubuntu, Debian]",
        "purchase in [on-demand, reserved] (the default)",
    ];
    assert_eq!(texts, expected);
    assert_eq!(web.requirements[1].test, Test::Number(vec![Interval::between(4096.0, 8192.0)]));
    assert_eq!(web.os, ["ubuntu".into(), "debian".into()]);
    let spread = [Spread { by: SpreadBy::Region, at_most: 2 }, Spread { by: SpreadBy::Zone, at_most: 1 }];
    assert_eq!(web.spread, spread);
    assert_eq!(web.needs, [ComponentId(1)]);
    let db = &application.components[1];
    assert!(!db.moveable && db.cardinality == Cardinality::new(vec![(1, 1)]));
    assert_eq!(db.requirements.len(), 1);
    assert!(application.objective.is_default);
    assert_eq!(application.objective.direction, Direction::Minimize);
    assert_eq!(application.currency, None);
}

#[test]
fn shared_components_have_a_demand() {
    let application = read(
        "application: a\ncomponents:\n  w: {hosting: shared, per_node: 1, cardinality: 0..3, requires: {cores: 2..4, memory: \
         '>= 1 GiB'}}\n  m: {hosting: shared, cardinality: 0..1}\nstructure:\n  r: {require: 2 m per 3 w}\n  c: {conflict: w, \
         with: [m]}\n  n: {exactly: 2, of: [w, m]}\n  x: {alternatives: [w, m]}\n  e: {every_node: m, unless: [w]}\n",
    );
    let w = &application.components[0];
    assert_eq!(w.hosting, Hosting::Shared);
    assert_eq!(w.per_node, Some(1));
    assert_eq!(w.demand, Demand { cores: Cores(2000), memory: Bytes(1 << 30), disk: Bytes(0), gpus: 0 });
    assert_eq!(w.requirements.len(), 1, "only the default purchase");
    let (w, m) = (ComponentId(0), ComponentId(1));
    let rules: Vec<Structure> = application.structure.iter().map(|s| s.rule.clone()).collect();
    let expected = [
        Structure::Require { provider: m, count: 2, consumer: w, per: 3 },
        Structure::Conflict { component: w, with: vec![m] },
        Structure::Total { of: vec![w, m], low: 2, high: 2 },
        Structure::Alternatives(vec![w, m]),
        Structure::EveryNode { component: m, unless: vec![w] },
    ];
    assert_eq!(rules, expected);
}

#[test]
fn instances_are_divided() {
    let placed = |component: &str| read(&format!("application: a\ncomponents:\n  w: {{{component}}}\n"));
    let rules = |component: &str| {
        let application = placed(component);
        application.components[0].divisions.iter().map(|d| d.rule).collect::<Vec<_>>()
    };
    let share = |percent: u32| Share::from_millionths(percent * 10_000);
    assert_eq!(
        rules(
            "cardinality: 1..6, fleet: mixed, placement: {spread: {by: zone, at_most: 4, skew: 1}, diversify: [{by: \
             location, at_least: 2}, {by: family, at_most_share: 40 %}], spot: {at_most: 50 %}, on_demand: {at_least: 2}}"
        ),
        [
            DivisionRule::Skew { by: SpreadBy::Zone, most: 1 },
            DivisionRule::Places { by: SpreadBy::Region, least: 2 },
            DivisionRule::Largest { by: SpreadBy::Family, most: share(40) },
            DivisionRule::Spot { most: Portion::Share(share(50)) },
            DivisionRule::OnDemand { least: Portion::Count(2) },
        ]
    );
    // A rule on spot offers asks for them; one on others does not.
    let purchase = |application: &Application| application.components[0].requirements[0].text.clone();
    assert!(purchase(&placed("placement: {spot: {at_most: 1}}")).contains("spot"));
    assert!(!purchase(&placed("placement: {on_demand: {at_least: 1}}")).contains("spot"));
    for (component, message) in [
        ("placement: {spread: {by: zone}}", "limits nothing"),
        ("placement: {diversify: {by: zone}}", "asks for nothing"),
        ("placement: {spot: {at_most: 0.5}}", "expected a whole number"),
        ("placement: {spot: {at_most: 120 %}}", "above 100 %"),
        ("placement: {on_demand: {at_least: 3}}", "at most 1 instances"),
        ("cardinality: 4, placement: {diversify: {by: family, at_least: 2}}", "uniform fleet are on one offer"),
        ("cardinality: 4, fleet: mixed, placement: {diversify: {by: family, at_least: 5}}", "at most 4 instances"),
        ("cardinality: 4, placement: {diversify: {by: region, at_most_share: 50 %}}", "uniform fleet are on one offer"),
    ] {
        let found = mistakes(&format!("application: a\ncomponents:\n  w: {{{component}}}\n"));
        assert!(found.len() == 1 && found[0].contains(message), "{component}: {found:?}");
    }
}

#[test]
fn commitments_have_one_capacity() {
    let model =
        |commitment: &str| format!("application: a\ncomponents: {{w: }}\ncommitments: {{k: {{{commitment}}}}}\n");
    let capacity = |commitment: &str| read(&model(commitment)).commitments[0].capacity;
    assert_eq!(capacity("nodes: 3, until: 2027-06-30"), Capacity::Nodes(3));
    assert_eq!(capacity("provider: aws, cores: 2.5"), Capacity::Cores(Cores(2500)));
    assert_eq!(capacity("cost: 730 USD/month"), Capacity::Cost(Price::from_nanos(1_000_000_000)));
    // Its money is that of the model, and it covers no spot nodes unasked.
    assert_eq!(read(&model("cost: 2 EUR/h")).currency.as_deref(), Some("EUR"));
    assert_eq!(read(&model("nodes: 3")).commitments[0].matches.len(), 1);
    for (commitment, message) in [
        ("provider: aws", "covers nothing"),
        ("nodes: 3, cores: 4", "not in both"),
        ("nodes: 2.5", "whole number"),
        ("nodes: 1, until: soon", "is no day"),
        ("nodes: 1, until: 2027-13-01", "is no day"),
        ("cost: 5 USD", "found a number in"),
        ("nodes: 1, purchase: stolen", "is not known here"),
    ] {
        let found = mistakes(&model(commitment));
        assert!(found.len() == 1 && found[0].contains(message), "{commitment}: {found:?}");
    }
}

#[test]
fn constants_and_metrics_have_units() {
    let application = read(
        "application: a\nconstants: {rate: 40 1/s, hour: 60 * 60 s, twice: 'if(rate > 1 1/s, 2 * rate, 0)'}\ncomponents: {w: \
         {}}\nmetrics:\n  late: {formula: 'wait * 2', unit: s}\n  wait: {unit: ms, default: 2 s}\n  work: hour * twice\n\
         constraints: {c: late <= 5 s and work >= 0}\nreconfigure: {every: 5m, mode: observe}\n",
    );
    let metrics = &application.metrics;
    assert_eq!(metrics[1].default, Some(2000.0));
    // Compiled after `wait`, though it stands first; converted from milliseconds.
    assert_eq!(metrics[0].unit, Some(Unit::SECOND));
    let ExprKind::Binary(_, factor, _) = &metrics[0].formula.as_ref().unwrap().kind else { panic!() };
    assert_eq!(factor.kind, ExprKind::Number(0.001));
    assert!(metrics[2].unit.unwrap().is_dimensionless());
    assert_eq!(application.every_s, Some(300.0));
}

#[test]
fn units_hide_no_dependency() {
    // In `30 1/s` the `s` is a unit, not a name: the metrics before it are still seen.
    let text = "application: a\ncomponents: {w: }\nmetrics: {a: b + 30 1/s, b: c + 30 1/s, c: {unit: 1/min}}\nconstraints: \
                {c2: a <= 5 1/s}\n";
    assert_eq!(read(text).metrics[0].unit, Some(crate::unit::parse_unit("1/min").unwrap()));
    let circle = text.replace("{unit: 1/min}", "a * 2 + 1 1/s");
    assert!(mistakes(&circle)[0].contains("in a circle: `a` -> `b` -> `c` -> `a`"));
}

#[test]
fn money_of_a_model_is_that_of_its_first_amount() {
    let model = |constraint: &str| format!("application: a\ncomponents: {{w: }}\nconstraints: {{c: {constraint}}}\n");
    assert_eq!(read(&model("total_cost <= 3 EUR/h")).currency.as_deref(), Some("EUR"));
    assert_eq!(read(&model("total_cost <= 3")).currency, None);
    assert_eq!(mistakes(&model("total_cost <= 3 EUR/h and total_cost >= 1 USD/h")).len(), 1);
}

#[test]
fn an_unreadable_part_has_no_consequences() {
    let findings = mistakes(
        "application: a\ncomponents:\n  web: {hosting: shred, cardinality: [], per_node: 1}\n  db: {hosting: shared}\nmetrics: \
         {load: [1]}\nconstraints: {c: load * web.cores >= 1, d: wbe.cores >= 1}\nstructure: {s: {conflict: web, with: [db]}, \
         x: {alternatives: [web, db]}}\n",
    );
    let expected = [
        "`shred` is not known here",
        "the list of choices is empty",
        "expected a formula or a mapping",
        "wbe",
        "`db` always has instances",
    ];
    assert_eq!(findings.len(), expected.len(), "{findings:#?}");
    for (finding, expected) in findings.iter().zip(expected) {
        assert!(finding.contains(expected), "{finding} / {expected}");
    }
}

#[test]
fn chains_and_doubling_are_bounded() {
    let mut text = String::from("application: a\ncomponents: {w: }\nmetrics:\n  m0: {unit: s}\n");
    for i in 1..1200 {
        text += &format!("  m{i}: m{} + 1 s\n", i - 1);
    }
    let findings = mistakes(&text);
    assert!(!findings.is_empty() && findings.iter().all(|f| f.contains("levels deep")), "{findings:?}");
    let mut text = String::from("application: a\ncomponents: {w: }\nmetrics:\n  m0: {unit: s}\n");
    for i in 1..30 {
        text += &format!("  m{i}: m{j} + m{j}\n", j = i - 1);
    }
    let findings = mistakes(&text);
    assert!(findings.len() == 1 && findings[0].contains("parts"), "{findings:?}");
}

/// What is said of a metric, an SLO and so on, without places and paths.
fn said(model: &str) -> Vec<String> {
    let text = format!("application: a\ncomponents: {{w: {{cardinality: 1..9}}}}\n{model}\n");
    let words = |finding: String| finding.split_once(": ").map(|(_, said)| said.to_owned());
    mistakes(&text).into_iter().filter_map(words).collect()
}

#[test]
fn metrics_say_how_samples_become_values() {
    let application = read(
        "application: a\ncomponents: {w: {}}\nmetrics:\n  a: {}\n  b: {window: 90s}\n  c: {aggregate: p99.9}\n  d: {source: \
         http.x, labels: {code: [5*, 404]}, aggregate: rate, window: tumbling 1h, per: zone, across: max, min_samples: 3, \
         max_age: 2m, hold: 10s, when_stale: refuse}\n  e: {window: 100 samples, aggregate: max, per: instance}\n  f: a + b\n",
    );
    let measures: Vec<_> = application.metrics.iter().map(|m| m.measure.clone()).collect();
    let shape = |i: usize| measures[i].as_ref().map(|m| (m.fold, m.window, m.across)).unwrap();
    assert_eq!(shape(0), (Fold::Last, Window::Latest, Fold::Mean));
    assert_eq!(shape(1), (Fold::Mean, Window::Sliding(90_000), Fold::Mean));
    assert_eq!(shape(2), (Fold::Percentile(99.9), Window::Sliding(300_000), Fold::Mean));
    assert_eq!(shape(3), (Fold::Rate, Window::Tumbling(3_600_000), Fold::Max));
    assert_eq!(shape(4), (Fold::Max, Window::SlidingSamples(100), Fold::Max));
    assert_eq!(measures[5], None);
    let d = measures[3].as_ref().unwrap();
    assert_eq!((d.per, d.min_samples, d.source.as_deref()), (Level::Zone, 3, Some("http.x")));
    assert_eq!(d.labels, [("code".into(), vec!["5*".into(), "404".into()])]);
    let ageing = Ageing { max_age_ms: Some(120_000), hold_ms: Some(10_000), then: Some(WhenStale::Refuse) };
    assert_eq!(application.metrics[3].ageing, ageing);
}

#[test]
fn mistakes_in_how_metrics_are_measured_are_told() {
    for (metric, said_of_it) in [
        ("{window: 0 samples}", "a window has 1 to 10000 samples, not `0`"),
        ("{window: 99d}", "a window is at least 1 ms and at most 35 days long"),
        ("{aggregate: rate, window: 5 samples}", "`rate` needs a window by time"),
        ("{per: instance, across: rate}", "`rate` is of the samples of a counter"),
        ("{across: max}", "`across` has no effect"),
        ("{min_samples: 0}", "the number must be at least 1"),
        ("{formula: 1 + 1, source: x}", "`source` has no effect: the metric is computed"),
    ] {
        let findings = said(&format!("metrics: {{m: {metric}}}"));
        let first = findings.first().map_or("", String::as_str);
        assert!(first.starts_with(said_of_it), "{metric}: {findings:?}");
    }
}

#[test]
fn slos_events_and_error_budgets_are_watched_over_time() {
    let application = read(
        "application: a\ncomponents: {w: {cardinality: 1..9}}\nmetrics:\n  rt: {unit: ms}\n  bad: {source: errors_total, \
         aggregate: rate}\n  all: {source: requests_total, aggregate: rate}\nconstraints: {many: w.cardinality >= 2}\nslo:\n  \
         plain: rt <= 300\n  fast: {formula: rt <= 200, for: 2m, clear: rt <= 150, clear_for: 5m, severity: \
         critical}\nevents:\n  storm: {sequence: [many, fast], within: 10m}\n  again: {repeats: plain, times: 3, within: 1h, \
         severity: info}\n  one: {any: [fast]}\nerror_budgets:\n  shop: {bad: bad, total: all, target: 99.9 %}\n",
    );
    let fast = &application.slos[0];
    assert_eq!((fast.name.as_ref(), fast.lasts_ms, fast.clear_ms), ("fast", 120_000, 300_000));
    assert!(fast.clear.is_some() && fast.severity == Gravity::Critical);
    let patterns: Vec<&Pattern> = application.events.iter().map(|event| &event.pattern).collect();
    assert_eq!(patterns[0], &Pattern::Sequence(vec!["many".into(), "fast".into()]));
    assert_eq!(patterns[1], &Pattern::Repeats("plain".into(), 3));
    // 2 % of a budget of 30 days in an hour is 14.4 times as fast as it may be.
    let budget: Vec<(&str, &str)> = application
        .constraints
        .iter()
        .map(|c| (c.name.as_ref(), c.text.as_str()))
        .filter(|(n, _)| n.starts_with("shop"))
        .collect();
    assert_eq!(budget[0].0, "shop over 3600s");
    assert!(budget[0].1.starts_with("not (`bad over 3600s` > 0.0144"), "{}", budget[0].1);
    assert_eq!(budget.len(), 2);
    let short = application.metrics.iter().find(|m| m.name.as_ref() == "bad over 300s").unwrap();
    let measure = short.measure.as_ref().unwrap();
    assert_eq!((measure.fold, measure.window, short.default), (Fold::Increase, Window::Sliding(300_000), Some(0.0)));
    assert_eq!(measure.source.as_deref(), Some("errors_total"));
}

#[test]
fn mistakes_in_what_is_watched_are_told() {
    for (model, said_of_it) in [
        ("constraints: {c: {formula: w.cardinality >= 2, for: 2m}}", "`for` belongs to an SLO"),
        ("events: {e: {}}", "an event has exactly one of"),
        ("events: {e: {all: [x], within: 1m}}", "there is no SLO or constraint `x`"),
        ("slo: {x: w.cardinality >= 2}\nevents: {e: {all: [x]}}", "`e` does not say within which time"),
        ("slo: {x: w.cardinality >= 2}\nevents: {e: {any: [x], times: 3}}", "`times` goes with `repeats`"),
        ("error_budgets: {b: {bad: x, total: x, target: 0.9}}", "there is no metric `x`"),
        ("metrics: {x: {}}\nerror_budgets: {b: {bad: x, total: x, target: 0.9}}", "`x` does not count"),
        ("metrics: {x: {aggregate: sum}}\nerror_budgets: {b: {bad: x, total: x, target: 1}}", "the target is a share"),
        (
            "metrics: {x: {aggregate: sum}}\nerror_budgets: {b: {bad: x, total: x, target: 0.9, burn: [{share: 0.1, over: 1s}]}}",
            "a limit is a share above 0",
        ),
    ] {
        let findings = said(model);
        assert!(findings.iter().any(|f| f.starts_with(said_of_it)), "{model}: {findings:?}");
    }
}

#[test]
fn findings_are_limited() {
    let mut text = String::from("application: a\ncomponents:\n");
    for i in 0..5_000 {
        text += &format!("  c{i}: {{needs: [d{i}, e{i}]}}\n");
    }
    let findings = mistakes(&text);
    assert_eq!(findings.len(), MAX_FINDINGS + 1);
    assert!(findings.iter().any(|f| f.contains("more mistakes follow")));
}

#[test]
fn many_components_are_resolved() {
    let mut text = String::from("application: a\ncomponents:\n");
    for i in 0..10_000 {
        let needs = if i > 0 { format!("c{}", i - 1) } else { String::new() };
        text += &format!("  c{i}: {{needs: [{needs}]}}\n");
    }
    assert_eq!(read(&text).components.len(), 10_000);
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_model_panics(
        which in 0_usize..4, at in 0_usize..4000, length in 0_usize..12,
        with in "(\\.\\.|[0-9]{1,3}|GB| |,|\\[|\\]|\\{|\\}|:|\n|  |per|>=|\"|web|sum\\(|\\)|`|null|😀){0,3}",
    ) {
        let models = [
            include_str!("../../../examples/smartwe.yaml"),
            include_str!("../../../examples/webshop.yaml"),
            include_str!("../../../examples/wordpress.yaml"),
            include_str!("../../../examples/batch.yaml"),
        ];
        let text = models[which];
        let begin = at.min(text.len());
        let end = (begin + length).min(text.len());
        proptest::prop_assume!(text.is_char_boundary(begin) && text.is_char_boundary(end));
        let _ = load(&Source::new("", format!("{}{with}{}", &text[..begin], &text[end..])));
    }
}

#[test]
fn forecasts_have_a_price_and_a_metric() {
    let model = |forecast: &str| {
        format!(
            "application: a\ncurrency: USD\ncomponents: {{web: {{cardinality: 1..9}}}}\nmetrics: {{load: {{default: 1}}}}\n\
             constraints: {{room: load <= web.cardinality}}\nreconfigure: {{forecast: {{{forecast}}}}}\n"
        )
    };
    let found = read(&model("load: {violation: 1440 USD/day, lead: 2m, seasons: false}")).forecasts;
    let [forecast] = &found[..] else { panic!("{found:?}") };
    assert!((forecast.violation - 60.0).abs() < 1e-9, "{forecast:?}");
    assert_eq!((forecast.lead_s, forecast.step_s, forecast.seasons), (Some(120.0), None, Some(false)));
    for (wrong, said) in [
        ("laod: {violation: 5}", "did you mean `load`?"),
        ("load: {violation: 0}", "costs nothing"),
        ("load: {violation: 5 EUR/h}", "EUR"),
        ("load: {lead: 2m}", "write what an hour in violation costs"),
        ("load: {violation: 5, lead: 9h}", "the lead is from 1s to 1h"),
        ("load: {violation: 5, lead: 10m, step: 1s}", "the lead is 600 steps"),
        ("load: {violation: 5, horizon: 3m}", "horizon"),
    ] {
        let findings = mistakes(&model(wrong)).join("\n");
        assert!(findings.contains(said), "{wrong}: {findings}");
    }
}
