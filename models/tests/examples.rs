//! Every example is read without a finding, obeys the JSON Schema, and comes back from the writer as it was.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use cardinal_models::decode::decode;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_models::schema::json_schema;
use cardinal_models::write::to_yaml;

fn examples() -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // `*.scenarios.yaml` are questions about a model, not models.
    let is_model = |path: &PathBuf| !path.file_stem().is_some_and(|s| s.to_string_lossy().ends_with(".scenarios"));
    paths.retain(|path| path.extension().is_some_and(|e| e == "yaml") && is_model(path));
    paths.sort();
    assert!(paths.len() >= 4);
    paths.iter().map(|path| Source::new(path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

fn as_json(yaml: &str) -> serde_json::Value {
    let (document, findings) = decode(&Source::new("", yaml));
    assert!(!findings.has_errors(), "{findings}");
    serde_json::to_value(document.unwrap()).unwrap()
}

#[test]
fn examples_have_no_findings() {
    for source in examples() {
        match load(&source) {
            Ok((_, _, findings)) => assert!(findings.0.is_empty(), "{}: {findings}", source.name),
            Err(findings) => panic!("{}: {findings}", source.name),
        }
    }
}

#[test]
fn examples_obey_the_schema() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for source in examples() {
        let problems: Vec<String> =
            validator.iter_errors(&as_json(&source.text)).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(problems.is_empty(), "{}: {problems:#?}", source.name);
    }
}

#[test]
fn the_schema_refuses_wrong_models() {
    let schema = json_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let good = serde_json::json!({"application": "a", "components": {"web": {"cardinality": "2..6"}}});
    assert!(validator.is_valid(&good));
    for (pointer, wrong) in [
        ("/application", serde_json::json!(5)),
        ("/components", serde_json::json!([])),
        ("/components/web", serde_json::json!({"cardinalty": 2})),
        ("/components/web", serde_json::json!({"hosting": "shred"})),
        ("/components/web", serde_json::json!({"needs": "db"})),
        ("/components/web", serde_json::json!({"placement": {"cloud": "pubic"}})),
        ("/components/web", serde_json::json!({"placement": {"purchase": ["spot", "on demand"]}})),
        ("/components/web", serde_json::json!({"placement": {"spread": {"by": "rack", "at_most": 1}}})),
        ("/components/web", serde_json::json!({"requires": {"memory": {"min": 1}}})),
    ] {
        let mut model = good.clone();
        *model.pointer_mut(pointer).unwrap() = wrong;
        assert!(!validator.is_valid(&model), "{model}");
    }
    for key in ["application", "components"] {
        let mut model = good.clone();
        model.as_object_mut().unwrap().remove(key);
        assert!(!validator.is_valid(&model), "{key}");
    }
}

#[test]
fn examples_come_back_from_the_writer() {
    for source in examples() {
        let (document, _) = decode(&source);
        let document = document.unwrap();
        let written = to_yaml(&document);
        let (again, findings) = decode(&Source::new("written", written.clone()));
        assert!(findings.0.is_empty(), "{findings}\n{written}");
        assert_eq!(again.unwrap(), document, "{written}");
        assert!(!written.contains(".0\n"), "{written}");
        let json = serde_json::to_string_pretty(&document).unwrap();
        assert_eq!(decode(&Source::new("json", json)).0.unwrap(), document);
    }
}
