//! Constraint problems and tables of configurations, from the file to the proven answer.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cardinal_benches::{catalog, corpus, source};
use cardinal_interop::cp::Over;
use cardinal_interop::{import_model, import_over};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::document::{ModelDocument, Scalar, UtilityDocument};
use cardinal_models::offer::Attribute;
use cardinal_models::resolve::{load, resolve};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_models::span::Spanned;
use cardinal_models::verify::verify;
use cardinal_solver::{Settings, solve};

fn without_offers(document: &ModelDocument) -> Snapshot {
    let application = resolve(document).unwrap_or_else(|d| panic!("{d}")).0;
    Snapshot::new(Arc::new(application), Arc::new(Catalog::default()))
}

#[track_caller]
fn optimum(snapshot: &Snapshot) -> Solution {
    let outcome = solve(snapshot, &Settings::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(outcome.status, Status::Optimal);
    let solution = outcome.solution.unwrap();
    assert_eq!(verify(snapshot, &solution.placement), []);
    solution
}

fn formula(text: &str) -> Spanned<Scalar> {
    Spanned::made(Scalar::Text(text.to_owned()))
}

macro_rules! corpus_or_skip {
    () => {
        match corpus() {
            Some(corpus) => corpus,
            None => {
                println!("skipped: the corpus is not there");
                return;
            }
        }
    };
}

#[test]
fn the_sample_problem_has_its_known_optimum() {
    let corpus = corpus_or_skip!();
    let mut document = import_model(&source(&corpus.join("cp/SAMPLE_CP.xmi")).unwrap(), None).unwrap().document;
    let goal = "(C_0_cardinality*C_0_cores + C_1_cardinality*C_1_cores) / (1 + 0.001*(C_0_cardinality*C_0_ram + \
                C_1_cardinality*C_1_ram)) - 0.0001*abs(C_0_latitude - C_1_latitude)";
    document.utility = Some(UtilityDocument::Maximize { maximize: formula(goal) });
    let snapshot = without_offers(&document);
    let outcome = solve(&snapshot, &Settings::default()).unwrap();
    assert!((outcome.report.combinations_log10 - 1.53e9f64.log10()).abs() < 0.01);
    let solution = optimum(&snapshot);
    assert!((solution.utility - 141.453_831_041_257_36).abs() < 1e-9, "{}", solution.utility);
    assert_eq!(solution.gap, 0.0);
    let cores = |name: &str| {
        let id = snapshot.application.component(name).unwrap();
        solution.placement.setting(id, &Attribute::Cores)
    };
    assert_eq!((cores("C_0"), cores("C_1")), (Some(96.0), Some(96.0)));
}

#[test]
fn problems_without_a_goal_have_any_answer() {
    let corpus = corpus_or_skip!();
    for file in ["SAMPLE_CP.xmi", "FCRCPModel.xmi", "FCRForTemplates-CP.xmi", "TwoComponentAppCPModel.xmi"] {
        let imported = import_model(&source(&corpus.join("cp").join(file)).unwrap(), None).unwrap();
        assert!(imported.document.utility.is_none());
        let solution = optimum(&without_offers(&imported.document));
        assert_eq!(solution.utility, 0.0, "{file}");
        assert!(!solution.placement.settings.is_empty());
    }
}

#[test]
fn metrics_of_a_problem_can_be_given() {
    let corpus = corpus_or_skip!();
    let mut document = import_model(&source(&corpus.join("cp/FCRCPModel.xmi")).unwrap(), None).unwrap().document;
    document.utility = Some(UtilityDocument::Minimize { minimize: formula("abs(AppCardinality * 50 - RT_AVG)") });
    let mut snapshot = without_offers(&document);
    assert_eq!(optimum(&snapshot).utility, 49.0);
    let metric = snapshot.application.metric("RT_AVG").unwrap();
    snapshot.metrics[metric.index()] = Some(120.0);
    let solution = optimum(&snapshot);
    assert_eq!(solution.utility, 20.0);
    assert_eq!(solution.placement.cardinality(snapshot.application.component("Component_App").unwrap()), 2);
}

#[test]
fn a_problem_is_tied_to_offers() {
    let corpus = corpus_or_skip!();
    let offers = catalog(&[corpus.join("melodic/node-candidates-small.json")]).unwrap();
    let text = source(&corpus.join("cp/TwoComponentAppCPModel.xmi")).unwrap();
    let document = import_over(&text, None, Over::Offers).unwrap().document;
    let application = resolve(&document).unwrap_or_else(|d| panic!("{d}")).0;
    let solution = optimum(&Snapshot::new(Arc::new(application), offers.clone()));
    let cheapest = offers.offers().iter().map(|o| o.price).min().unwrap();
    assert_eq!(solution.cost, cheapest + cheapest);
    assert!((solution.utility - 1.0 / (1.0 + solution.cost.units())).abs() < 1e-12);
}

#[test]
fn tables_of_configurations_have_their_known_optima() {
    let corpus = corpus_or_skip!();
    let mut files: Vec<_> = std::fs::read_dir(corpus.join("nonlinear")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 64);
    for file in files {
        let text = source(&file).unwrap();
        let known: serde_json::Value = serde_json::from_str(&text.text).unwrap();
        let known = known["optimum"].as_f64().unwrap();
        let begin = std::time::Instant::now();
        let solution = optimum(&without_offers(&import_model(&text, None).unwrap().document));
        println!("{}: {} in {:?}", text.name, solution.utility, begin.elapsed());
        assert!(
            (solution.utility - known).abs() <= 1e-9 * known.abs().max(1.0),
            "{}: {} instead of {known}",
            text.name,
            solution.utility
        );
    }
}

fn free(attributes: &str, rest: &str) -> Snapshot {
    let text = format!("application: free\ncomponents:\n  a: {{attributes: {{{attributes}}}}}\n{rest}\n");
    let application = load(&Source::new("free", text)).unwrap_or_else(|d| panic!("{d}")).0;
    Snapshot::new(Arc::new(application), Arc::new(Catalog::default()))
}

fn settings(snapshot: &Snapshot) -> (f64, Vec<f64>) {
    let solution = optimum(snapshot);
    (solution.utility, solution.placement.settings.iter().map(|s| s.value.0).collect())
}

#[test]
fn ranges_of_millions_are_searched() {
    // The number of instances comes first.
    let alone = free("x: -5000000..5000000", "utility: {minimize: '(a.x - 3141592)^2'}");
    assert_eq!(settings(&alone), (0.0, vec![1.0, 3_141_592.0]));
    let pair = free(
        "x: 1..1000000, y: 1..1000000",
        "constraints: {c: a.x + a.y <= 1000000}\nutility: {maximize: 'sqrt(a.x * a.y)'}",
    );
    assert_eq!(settings(&pair), (500_000.0, vec![1.0, 500_000.0, 500_000.0]));
    // The last value of the range, which is no full step of digits.
    let top = free("x: 1..1000003", "utility: {minimize: '(a.x - 2000000)^2 / 1000000'}");
    assert_eq!(settings(&top).1, [1.0, 1_000_003.0]);
    let odd = free(
        "x: 1..3000000, y: 1..3000000",
        "constraints: {c: 7 * a.x - 11 * a.y == 1, d: a.x >= 1000000}\nutility: {minimize: 'abs(a.x - a.y)'}",
    );
    // x = 8 + 11 k, y = 5 + 7 k.
    let k = ((1_000_000.0 - 8.0f64) / 11.0).ceil();
    assert_eq!(settings(&odd), (3.0 + 4.0 * k, vec![1.0, 8.0 + 11.0 * k, 5.0 + 7.0 * k]));
}

#[test]
fn what_only_rises_needs_no_list() {
    let snapshot = free("x: 0..9000000000000, y: 1..4", "utility: {maximize: 'a.x / 1000 * a.y'}");
    assert_eq!(settings(&snapshot), (3.6e10, vec![1.0, 9e12, 4.0]));
}
