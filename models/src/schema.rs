//! The JSON Schema of the model file, generated from the document types, for editors and validators.
//!
//! Where a value is one of a few words, the schema lists them, so that editors complete them. What only resolving can
//! tell (formulas, ranges, names) is a text here.

use schemars::{Schema, SchemaGenerator, json_schema as schema};

use crate::document::{AGGREGATES, ARCHITECTURES, CLOUDS, ModelDocument, PURCHASES};

/// The JSON Schema (draft 2020-12) that every model file obeys.
pub fn json_schema() -> serde_json::Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<ModelDocument>().to_value();
    schema["title"] = "Cardinal application model".into();
    unwrap_descriptions(&mut schema);
    schema
}

/// Editors show descriptions as they are: the line breaks of the source are taken out, those between paragraphs stay.
fn unwrap_descriptions(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    serde_json::Value::String(text) if key == "description" => {
                        let paragraphs: Vec<String> = text.split("\n\n").map(|p| p.replace('\n', " ")).collect();
                        *text = paragraphs.join("\n\n");
                    }
                    other => unwrap_descriptions(other),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(unwrap_descriptions),
        _ => {}
    }
}

/// One of the words, a pattern with `*`, `!=` and a word, or a list of these.
fn one_or_many_of(words: &[&str]) -> Schema {
    let one = schema!({"anyOf": [{"enum": words}, {"type": "string", "pattern": r"^\s*!=|\*"}]});
    schema!({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
}

/// The ways of buying.
pub(crate) fn purchases(_: &mut SchemaGenerator) -> Schema {
    one_or_many_of(&PURCHASES.map(|p| p.as_str()))
}

/// The kinds of cloud.
pub(crate) fn clouds(_: &mut SchemaGenerator) -> Schema {
    one_or_many_of(&CLOUDS.map(|c| c.as_str()))
}

/// The processor architectures.
pub(crate) fn architectures(_: &mut SchemaGenerator) -> Schema {
    one_or_many_of(&ARCHITECTURES)
}

/// The aggregates of samples.
pub(crate) fn aggregates(_: &mut SchemaGenerator) -> Schema {
    let usual = AGGREGATES.iter().copied().chain(["p50", "p90", "p95", "p99"]).collect::<Vec<_>>();
    schema!({"anyOf": [{"enum": usual}, {"type": "string", "pattern": r"^p[0-9]+(\.[0-9]+)?$"}]})
}

/// A currency code.
pub(crate) fn currency(_: &mut SchemaGenerator) -> Schema {
    schema!({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD", "EUR"]})
}
