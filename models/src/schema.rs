//! The JSON Schema of the model file, generated from the document types, for editors and validators.

use crate::document::ModelDocument;

/// The JSON Schema (draft 2020-12) that every model file obeys.
pub fn json_schema() -> serde_json::Value {
    let mut schema = schemars::SchemaGenerator::default().into_root_schema_for::<ModelDocument>().to_value();
    schema["title"] = "Cardinal application model".into();
    schema
}
