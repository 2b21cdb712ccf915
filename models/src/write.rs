//! [`ModelDocument`] → YAML text, in the order of the document type.

use serde_json::{Number, Value};

use crate::document::ModelDocument;

/// The largest whole number that is written without a fraction: 2^53, up to which every one is exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Writes a model as YAML that [`crate::decode::decode`] reads back as the same document. Comments are not kept: they
/// are no part of a document.
pub fn to_yaml(document: &ModelDocument) -> String {
    let mut value = serde_json::to_value(document).unwrap_or_default();
    plain_numbers(&mut value);
    let options = serde_saphyr::ser_options! {
        // A formula on one line keeps its places; folded, a finding inside it would lie on another line.
        prefer_block_scalars: false,
    };
    // JSON is YAML too: if the writer refuses a text, nothing is lost but the looks.
    serde_saphyr::to_string_with_options(&value, options).unwrap_or_else(|_| value.to_string())
}

/// Writes whole numbers without `.0`.
fn plain_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|x| number.is_f64() && x.fract() == 0.0 && x.abs() <= WHOLE_MAX);
            if let Some(x) = whole {
                *number = Number::from(x as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_numbers),
        Value::Object(map) => map.values_mut().for_each(plain_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
