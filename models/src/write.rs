//! [`ModelDocument`] → YAML text, in the order of the document type.

use serde::{Serialize, Serializer};
use serde_json::{Number, Value};
use serde_saphyr::FlowSeq;

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
    serde_saphyr::to_string_with_options(&Laid(&value), options).unwrap_or_else(|_| value.to_string())
}

/// A value whose lists of numbers and plain words stand on one line each: a row of a table, a choice of a few.
struct Laid<'v>(&'v Value);

impl Serialize for Laid<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Array(items) if !items.is_empty() && items.iter().all(is_plain) => {
                FlowSeq(items).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Laid)),
            Value::Object(map) => serializer.collect_map(map.iter().map(|(key, value)| (key, Laid(value)))),
            other => other.serialize(serializer),
        }
    }
}

/// True for what needs no care between brackets and commas.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => {
            let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
            text.len() <= 40
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.ends_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(is_inner)
        }
        _ => false,
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::decode::decode;
    use crate::diagnostic::Source;
    use crate::document::{ComponentDocument, OneOrMany, Scalar};
    use crate::span::Spanned;

    fn with_value(value: Scalar) -> ModelDocument {
        let mut document = ModelDocument { application: "a".to_owned().into(), ..Default::default() };
        document.constants.push("c", value.clone().into());
        let cardinality = Some(OneOrMany::Many(vec![Spanned::made(value)]));
        document.components.push("w", ComponentDocument { cardinality, ..Default::default() });
        document
    }

    fn check(document: &ModelDocument) {
        let text = to_yaml(document);
        let (again, findings) = decode(&Source::new("", text.clone()));
        assert!(findings.0.is_empty(), "{findings}\n{text}");
        assert_eq!(again.as_ref(), Some(document), "{text}");
    }

    #[test]
    fn texts_that_look_like_something_else_come_back() {
        let texts = [
            "5", "0x10", "0o7", "1e3", ".5", "5.", "+1", "true", "null", "~", "", " ", "yes", "n", "2..6", ">= 2",
            "- a", "a: b", "a #b", "#", "[a]", "{a}", "*a", "&a", "!a", "%", "@", "`a b`", "'", "\"", "\\", "a\nb",
            "a\n", "\t", ".inf", "-.INF", ".nan", "---", "...", "\u{feff}", "\u{85}", "\u{7f}", "😀", "<<", "=", "?",
            "? a", "\r\n",
        ];
        for text in texts {
            check(&with_value(text.into()));
        }
        for number in [0.0, -1.0, 0.1, 1e300, -1e-300, 1e15, 9_007_199_254_740_993.0, 0.1 + 0.2] {
            check(&with_value(Scalar::Number(number)));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_comes_back(text in "\\PC{0,40}|[ -~\n\t]{0,40}") {
            check(&with_value(Scalar::Text(text)));
        }

        #[test]
        fn any_number_comes_back(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            check(&with_value(Scalar::Number(number)));
        }
    }
}
