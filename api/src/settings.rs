//! The settings of an application: what the model states, the defaults, and what people changed by hand.

use cardinal_control::LoopSettings;
use cardinal_models::application::Application;
use serde_json::{Map, Value};

use crate::problem::{Kind, Problem, Wrong};

/// Settings as they are stored.
///
/// # Errors
/// Never for settings that were read.
pub fn text(settings: &LoopSettings) -> Result<String, Problem> {
    serde_json::to_string(settings).map_err(|error| Problem::internal(&error))
}

/// Settings that were stored.
///
/// # Errors
/// When they are damaged.
pub fn read(text: &str) -> Result<LoopSettings, Problem> {
    serde_json::from_str(text).map_err(|error| Problem::internal(&error))
}

/// The settings for another model: what it states, and what was changed by hand on those of the old one.
///
/// # Errors
/// When the old settings are damaged.
pub fn carried(before: &str, old: &Application, new: &Application) -> Result<String, Problem> {
    let stated = value(&LoopSettings::of(old))?;
    let by_hand = difference(&stated, &value(&read(before)?)?);
    let mut settings = value(&LoopSettings::of(new))?;
    merge(&mut settings, by_hand.as_ref().unwrap_or(&Value::Object(Map::new())), &Value::Null);
    let settings: LoopSettings = serde_json::from_value(settings).map_err(|error| Problem::internal(&error))?;
    text(&settings)
}

/// Settings with a merge patch (RFC 7396) applied; null gives the value that a new application would have.
///
/// # Errors
/// When a setting does not exist, or its value makes no sense.
pub fn patched(before: &str, application: &Application, patch: &Value) -> Result<LoopSettings, Problem> {
    let stated = value(&LoopSettings::of(application))?;
    let mut settings = value(&read(before)?)?;
    merge(&mut settings, patch, &stated);
    let bytes = serde_json::to_vec(&settings).map_err(|error| Problem::internal(&error))?;
    let settings: LoopSettings = crate::body::read(&bytes)?;
    let mistakes = settings.mistakes();
    let Some(first) = mistakes.first() else { return Ok(settings) };
    let problem = Problem::new(Kind::Invalid, first.clone());
    let errors = mistakes.into_iter().map(|mistake| {
        let name = mistake.split_whitespace().next().unwrap_or("");
        Wrong { pointer: Some(format!("#/{}", name.replace('.', "/"))), parameter: None, detail: mistake }
    });
    Err(Problem { errors: errors.collect(), ..problem })
}

fn value(settings: &LoopSettings) -> Result<Value, Problem> {
    serde_json::to_value(settings).map_err(|error| Problem::internal(&error))
}

/// What of `is` is not as in `stated`.
fn difference(stated: &Value, is: &Value) -> Option<Value> {
    match (stated, is) {
        (Value::Object(stated), Value::Object(is)) => {
            let null = Value::Null;
            let parts: Map<String, Value> = is
                .iter()
                .filter_map(|(key, is)| Some((key.clone(), difference(stated.get(key).unwrap_or(&null), is)?)))
                .collect();
            (!parts.is_empty()).then_some(Value::Object(parts))
        }
        _ => (stated != is).then(|| is.clone()),
    }
}

/// Applies a patch; null takes what `stated` has.
fn merge(settings: &mut Value, patch: &Value, stated: &Value) {
    match (settings, patch) {
        (settings, Value::Null) => *settings = stated.clone(),
        // Another kind of driver takes nothing over from the one before.
        (settings, patch) if is_another_kind(settings, patch) => *settings = patch.clone(),
        (Value::Object(settings), Value::Object(patch)) => {
            for (key, change) in patch {
                let stated = stated.get(key).unwrap_or(&Value::Null);
                merge(settings.entry(key.clone()).or_insert(Value::Null), change, stated);
            }
        }
        (settings, patch) => *settings = patch.clone(),
    }
}

fn is_another_kind(settings: &Value, patch: &Value) -> bool {
    let kind = |value: &Value| value.get("kind").and_then(Value::as_str).map(str::to_owned);
    kind(patch).is_some_and(|patch| kind(settings).is_some_and(|kind| kind != patch))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_changed_by_hand_is_found_and_put_on_again() {
        let stated = json!({"every": 1, "gate": {"k": 2, "floor": 3}});
        let is = json!({"every": 1, "gate": {"k": 5, "floor": 3}});
        let by_hand = difference(&stated, &is);
        assert_eq!(by_hand, Some(json!({"gate": {"k": 5}})));
        let mut next = json!({"every": 9, "gate": {"k": 2, "floor": 4}});
        merge(&mut next, &by_hand.unwrap_or_default(), &Value::Null);
        assert_eq!(next, json!({"every": 9, "gate": {"k": 5, "floor": 4}}));
        merge(&mut next, &json!({"gate": {"k": null}}), &stated);
        assert_eq!(next, json!({"every": 9, "gate": {"k": 2, "floor": 4}}));
        assert_eq!(difference(&stated, &stated), None);
        let mut driver = json!({"driver": {"kind": "webhook", "url": "https://a.example", "secret": "s"}});
        merge(&mut driver, &json!({"driver": {"kind": "webhook", "secret": "t"}}), &Value::Null);
        assert_eq!(driver, json!({"driver": {"kind": "webhook", "url": "https://a.example", "secret": "t"}}));
        merge(&mut driver, &json!({"driver": {"kind": "simulated"}}), &Value::Null);
        assert_eq!(driver, json!({"driver": {"kind": "simulated"}}));
    }
}
