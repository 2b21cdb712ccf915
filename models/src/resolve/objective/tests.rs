//! Tests of objectives and penalties: what they resolve to, and what is wrong with them.

#![allow(clippy::unwrap_used)]

use crate::application::{Application, Direction, Tolerance};
use crate::diagnostic::{Severity, Source};
use crate::resolve::load;

const HEAD: &str = "application: a\ncurrency: USD\nconstants: {w: 3, slow: 2 ms}\ncomponents: {web: {cardinality: 1..3}}\n\
                    metrics: {late: {formula: web.cardinality * slow, unit: ms}, load: {default: 1}}\n";

fn read(text: &str) -> (Application, Vec<String>) {
    let source = Source::new("test.yaml", format!("{HEAD}{text}\n"));
    match load(&source) {
        Ok((application, _, findings)) => (application, findings.0.iter().map(|d| d.message.clone()).collect()),
        Err(findings) => panic!("{findings}\n{text}"),
    }
}

/// The errors, each with its path, the text that it marks and the mend.
fn errors(text: &str) -> Vec<(String, String, String)> {
    let source = Source::new("test.yaml", format!("{HEAD}{text}\n"));
    let findings = match load(&source) {
        Ok(_) => panic!("no error: {text}"),
        Err(findings) => findings,
    };
    let errors = findings.0.iter().filter(|d| d.severity == Severity::Error);
    errors
        .map(|d| {
            let help = d.help.clone().unwrap_or_default();
            (format!("{}: {}", d.path, d.message), source.slice(d.span).to_owned(), help)
        })
        .collect()
}

#[test]
fn a_penalty_makes_a_constraint_soft() {
    let (application, warnings) = read(
        "constraints:\n  hard: web.cardinality >= 1\n  soft: {formula: late <= 3 ms, penalty: 0.5}\nslo:\n  goal: {formula: \
         load * web.cardinality <= 1, penalty: w + 1}\nutility: {maximize: web.cores}",
    );
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(application.constraints.len(), 1);
    let soft: Vec<(&str, f64, Option<String>)> =
        application.soft.iter().map(|s| (s.name.as_ref(), s.penalty, s.unit.map(|u| u.to_string()))).collect();
    assert_eq!(soft, [("soft", 0.5, Some("ms".to_owned())), ("goal", 4.0, None)]);
    assert_ne!(application.objective.formula, application.objective.stated);
}

#[test]
fn a_penalty_with_a_unit_is_an_amount_of_the_objective() {
    let (application, _) = read("constraints: {c: {formula: late <= 3 ms, penalty: 1.2 USD/d}}");
    assert!((application.soft[0].penalty - 0.05).abs() < 1e-12);
}

#[test]
fn several_objectives_are_in_their_order() {
    let (application, warnings) = read(
        "utility:\n  lexicographic:\n    - {minimize: total_cost, tolerance: 5 %, name: bill}\n    - {minimize: late, tolerance: \
         0.001 s}\n    - weighted: [{maximize: web.cores, weight: w}, {minimize: web.cardinality}]",
    );
    assert_eq!(warnings, Vec::<String>::new());
    let all: Vec<(Direction, Tolerance, &str)> =
        application.objectives().map(|o| (o.direction, o.tolerance, o.label())).collect();
    assert_eq!(
        all,
        [
            (Direction::Minimize, Tolerance::Relative(0.05), "bill"),
            (Direction::Minimize, Tolerance::Absolute(1.0), "late"),
            (Direction::Maximize, Tolerance::NONE, "3 * (web.cores) - (web.cardinality)"),
        ]
    );
    let (application, _) =
        read("utility: {weighted: [{minimize: total_cost}, {minimize: web.cardinality, weight: 0.5}]}");
    assert_eq!(application.objective.direction, Direction::Minimize);
    assert_eq!(application.objective.text, "(total_cost) + 0.5 * (web.cardinality)");
}

#[test]
fn mistakes_have_their_place_and_mend() {
    let one = |text: &str| {
        let all = errors(text);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all[0].clone()
    };
    for (text, message, marked, help) in [
        (
            "constraints: {c: {formula: late <= 3, penalty: 0}}",
            "constraints.c.penalty: a penalty is above zero",
            "0",
            "loses",
        ),
        ("constraints: {c: {formula: late <= 3, penalty: -1}}", "c.penalty: a penalty is above zero", "-1", "leave"),
        ("constraints: {c: {formula: late <= 3, penalty: load}}", "`load` is a metric", "load", "write a number"),
        ("constraints: {c: {formula: late <= 3, penalty: 3 GB}}", "the penalty is in", "3 GB", "bare number"),
        (
            "slo: {c: {formula: late <= 3, penalty: 1 USD/h}}\nutility: {maximize: web.cores}",
            "slo.c.penalty: the penalty is in",
            "1 USD/h",
            "bare number",
        ),
        (
            "constraints: {c: {formula: late <= 3 and total_cost <= 2, penalty: 1}}",
            "do not add up",
            "late <= 3 and total_cost <= 2",
            "of its own",
        ),
        (
            "utility: {weighted: [{minimize: total_cost, weight: -1}]}",
            "weighted[0].weight: a weight is not negative",
            "-1",
            "maximize",
        ),
        (
            "utility: {weighted: [{minimize: total_cost, weight: 2 ms}]}",
            "a weight is a bare number",
            "2 ms",
            "without its unit",
        ),
        (
            "utility: {lexicographic: [{minimize: late, tolerance: 1 GB}, {minimize: total_cost}]}",
            "[0].tolerance: the tolerance is in GB",
            "1 GB",
            "share",
        ),
        (
            "utility: {lexicographic: [{minimize: late, tolerance: -1}, {minimize: total_cost}]}",
            "not negative",
            "-1",
            "2 %",
        ),
        (
            "utility: {lexicographic: [{minimize: late, name: x}, {minimize: total_cost, name: x}]}",
            "another objective",
            "x",
            "rename",
        ),
        ("utility: {lexicographic: []}", "the list of objectives is empty", "[]", ""),
        ("utility: {weighted: total_cost}", "expected a list of objectives", "total_cost", "write"),
        (
            "utility: {minimize: total_cost, maximize: late}",
            "`maximize` and `minimize` are both given",
            "total_cost",
            "weighted",
        ),
        (
            "utility: {minimize: total_cost, weighted: [{minimize: late}]}",
            "`minimize` and `weighted` are both given",
            "[{minimize: late}]",
            "keep one",
        ),
        ("utility: {weighted: [{weight: 2}]}", "expected `maximize` or `minimize`", "", "write"),
        ("utility: {lexicographic: [{minimise: late}]}", "expected `maximize`, `minimize` or `weighted`", "", "write"),
    ] {
        let all = errors(text);
        let found = all.iter().find(|(what, ..)| what.contains(message));
        let Some((_, place, mend)) = found else { panic!("{text}: {all:?}") };
        assert!(place == marked && mend.contains(help), "{text}: {place:?} {mend:?}");
    }
    let (what, ..) = one("utility: {lexicographic: [{minimize: web.core}]}");
    assert!(what.starts_with("utility.lexicographic[0].minimize: "), "{what}");
}

#[test]
fn what_has_no_effect_is_told() {
    let (application, warnings) = read("slo: {s: {formula: load <= 1, penalty: 2}}\nutility: {minimize: total_cost}");
    assert_eq!((application.soft.len(), application.constraints.len()), (0, 1));
    assert!(warnings.iter().any(|w| w.contains("its penalty is never paid")), "{warnings:?}");
    let (_, warnings) = read("utility: {lexicographic: [{minimize: total_cost}, {minimize: late, tolerance: 1}]}");
    assert!(warnings.iter().any(|w| w.contains("the last objective has no effect")), "{warnings:?}");
}
