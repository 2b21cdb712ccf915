//! Documents for programs.

use serde::Serialize;

use crate::failure::Failure;

/// JSON with line breaks, and one at the end.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(mut text) => {
            text.push('\n');
            Ok(text)
        }
        Err(error) => Err(Failure::internal(format!("cannot write the answer as JSON: {error}"))),
    }
}

/// The same as YAML.
pub fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    let wrong = |error: String| Failure::internal(format!("cannot write the answer as YAML: {error}"));
    let value = serde_json::to_value(value).map_err(|error| wrong(error.to_string()))?;
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(&value, options).map_err(|error| wrong(error.to_string()))
}
