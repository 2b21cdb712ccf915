//! Tables of configurations: what is read, mistakes, and the problems of the corpus at their known optima.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use cardinal_interop::{Format, import_model};
use cardinal_models::application::ComponentId;
use cardinal_models::catalog::{Catalog, OfferIndex};
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::verify::verify;
use serde_json::{Value, json};
use support::{component, corpus, import, json};

fn problem() -> Value {
    json!({
        "name": "small",
        "semantics": "choose one",
        "components": [
            {"name": "a", "attrs": ["n", "price", "cores"], "configs": [[1, 0.5, 8], [2, 0.5, 8]]},
            {"name": "e", "attrs": ["n", "latency"], "configs": [[3, -1.5]]}
        ],
        "constraints": ["xor(a.n > 1, e.latency > 0)", "a.n*a.price <= 2 or not e.n == 3"],
        "utility": "log(1 + a.n*a.cores) + ite(a.price <= 1, 2e0, 0) - a.n**2/7.5e+1",
        "optimum": 1.0
    })
}

#[test]
fn tables_become_configurations() {
    let (imported, application) = import(&Source::new("p.json", problem().to_string()));
    assert_eq!(imported.format, Format::ChoicesJson);
    assert_eq!(
        component(&imported.document, "a"),
        json!({"configurations": {"columns": ["cardinality", "price", "cores"], "rows": [[1.0, 0.5, 8.0], [2.0, 0.5, 8.0]]}})
    );
    assert_eq!(
        json(&imported.document.utility),
        json!({"maximize": "ln(1 + a.cardinality*a.cores) + ite(number(a.price) <= 1, 2e0, 0) - a.cardinality^2/7.5e+1"})
    );
    assert_eq!(application.constraints.len(), 2);
    assert_eq!(application[ComponentId(0)].cardinality.ranges(), [(1, 2)]);
}

#[test]
fn mistakes_have_a_path_and_a_mend() {
    let change = |pointer: &str, value: Value| {
        let mut problem = problem();
        *problem.pointer_mut(pointer).unwrap() = value;
        let source = Source::new("p.json", problem.to_string());
        let findings = import_model(&source, Some(Format::ChoicesJson)).unwrap_err();
        assert!(findings.0.iter().all(|d| d.help.is_some() && !d.path.is_empty()), "{findings}");
        findings.to_string()
    };
    for (pointer, value, wanted) in [
        ("/components", json!([]), "there are 0 components"),
        ("/components/1/name", json!("a"), "a name of its own"),
        ("/components/0/name", json!("a b"), "a name of its own"),
        ("/components/0/attrs", json!([]), "need names"),
        ("/components/0/configs", json!([]), "0 configurations"),
        ("/components/0/configs/1", json!([1, 2]), "a list of 3 numbers"),
        ("/components/0/configs/1", json!([1, 2, "x"]), "a list of 3 numbers"),
        ("/constraints/0", json!(5), "a formula is a text"),
        ("/utility", json!("a.nn"), "`a` has no attribute `nn`"),
    ] {
        let found = change(pointer, value);
        assert!(found.contains(wanted), "{pointer}: {found}");
    }
    for text in ["", "{", "[]", "{\"configs\": 1}"] {
        assert!(import_model(&Source::new("p.json", text), Some(Format::ChoicesJson)).is_err(), "{text}");
    }
}

#[test]
fn the_known_optima_of_the_corpus_have_their_value() {
    let Some(first) = corpus("nonlinear/A3_150_1011.json") else { return };
    #[allow(clippy::disallowed_methods)]
    let root = std::env::var("CARDINAL_CORPUS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus").to_owned());
    assert!(!first.text.is_empty());
    let mut seen = 0;
    for entry in std::fs::read_dir(std::path::Path::new(&root).join("nonlinear")).unwrap() {
        let path = entry.unwrap().path();
        let source = Source::new(path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        let value: Value = serde_json::from_str(&source.text).unwrap();
        let (_, application) = import(&source);
        let snapshot = Snapshot::new(Arc::new(application), Arc::new(Catalog::default()));
        let mut first = 0;
        let mut groups = Vec::new();
        for (i, described) in value["components"].as_array().unwrap().iter().enumerate() {
            let configs = described["configs"].as_array().unwrap();
            let chosen = &value["optimal_assignment"][described["name"].as_str().unwrap()];
            let index = chosen["config_index"].as_u64().unwrap() as usize;
            let count = chosen["n"].as_u64().unwrap() as u32;
            let offer = OfferIndex((first + index) as u32);
            groups.push(NodeGroup { offer, zone: None, instances: vec![(ComponentId(i as u32), 1)], count });
            first += configs.len();
        }
        let placement = Placement::of(groups);
        assert_eq!(verify(&snapshot, &placement), [], "{}", source.name);
        let found = Evaluator::new(&snapshot).number(&snapshot.application.objective.formula, &placement).unwrap();
        let known = value["optimum"].as_f64().unwrap();
        assert!((found - known).abs() <= 1e-9 * known.abs().max(1.0), "{}: {found} instead of {known}", source.name);
        seen += 1;
    }
    assert_eq!(seen, 64);
}
