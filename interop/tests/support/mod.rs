//! Where the corpus and the examples are, and what every imported model must satisfy.

#![allow(dead_code, clippy::unwrap_used)]

use std::io::Write as _;
use std::path::PathBuf;

use cardinal_interop::{Imported, import_model};
use cardinal_models::application::Application;
use cardinal_models::decode::decode;
use cardinal_models::diagnostic::Source;
use cardinal_models::document::{Entries, ModelDocument};
use cardinal_models::resolve::resolve;
use cardinal_models::write::to_yaml;

/// A file of the corpus; `None`, with a word to the reader of the test's output, when there is no corpus.
pub fn corpus(file: &str) -> Option<Source> {
    #[allow(clippy::disallowed_methods)]
    let root = std::env::var("CARDINAL_CORPUS")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus")), PathBuf::from);
    let path = root.join(file);
    if !path.exists() {
        // Not `println!`: the harness keeps that back from a test that passes.
        let _ = writeln!(std::io::stderr(), "skipped: the corpus has no {file} here; set CARDINAL_CORPUS");
        return None;
    }
    Some(Source::new(file, std::fs::read_to_string(path).unwrap()))
}

/// A file of the examples.
pub fn example(file: &str) -> Source {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(file);
    Source::new(file, std::fs::read_to_string(path).unwrap())
}

/// Imports, resolves, writes as YAML and reads back.
pub fn import(source: &Source) -> (Imported, Application) {
    let imported = import_model(source, None).unwrap_or_else(|e| panic!("{}: {e}", source.name));
    let (application, _) = resolve(&imported.document).unwrap_or_else(|e| {
        panic!("{}: {e}\n{}", source.name, to_yaml(&imported.document));
    });
    let yaml = to_yaml(&imported.document);
    let (again, findings) = decode(&Source::new("yaml", yaml.clone()));
    assert!(!findings.has_errors(), "{findings}\n{yaml}");
    assert_eq!(again.unwrap(), imported.document, "{yaml}");
    (imported, application)
}

/// The names of a section.
pub fn names<T>(entries: &Entries<T>) -> Vec<&str> {
    entries.iter().map(|(name, _)| name.value.as_str()).collect()
}

/// A component as JSON.
pub fn component(document: &ModelDocument, name: &str) -> serde_json::Value {
    serde_json::to_value(document.components.get(name).unwrap()).unwrap()
}

/// A part of the document as JSON.
pub fn json<T: serde::Serialize>(part: &T) -> serde_json::Value {
    serde_json::to_value(part).unwrap()
}
