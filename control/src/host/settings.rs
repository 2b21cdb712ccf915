//! How an application is looked after and by which driver, as a person states it beside the model.

use cardinal_adapter::driver::simulated::CloudSettings;
use cardinal_models::application::Application;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::settings::LoopSettings;

/// What is stated for an application beside its model. Everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceSettings {
    /// What carries the actions out.
    pub driver: DriverSettings,
    /// Numbers of [`LoopSettings`] that differ from the defaults and from what the model says, by the same names.
    #[serde(rename = "loop", skip_serializing_if = "Map::is_empty")]
    pub overrides: Map<String, Value>,
}

/// What carries the actions of an application out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DriverSettings {
    /// The simulated cloud, kept in the store.
    Simulated {
        /// Its start-up times and faults.
        #[serde(default)]
        cloud: Box<CloudSettings>,
    },
    /// An automation of one's own, by signed HTTP requests.
    Webhook {
        /// Its address.
        url: String,
        /// The name of the stored secret that signs the requests.
        secret: String,
    },
}

impl Default for DriverSettings {
    fn default() -> Self {
        DriverSettings::Simulated { cloud: Box::default() }
    }
}

impl ServiceSettings {
    /// The settings of a JSON text; an empty one gives the defaults.
    ///
    /// # Errors
    /// What is wrong with the text, with its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Ok(ServiceSettings::default());
        }
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The numbers of the loop: the defaults, over them what the model says, over them what is stated here.
    ///
    /// # Errors
    /// What is wrong, each with the name of the setting.
    pub fn loop_settings(&self, application: &Application) -> Result<LoopSettings, Vec<String>> {
        let wrong = |error: serde_json::Error| vec![format!("loop: {error}")];
        let mut value = serde_json::to_value(LoopSettings::of(application)).map_err(wrong)?;
        for (name, over) in &self.overrides {
            let slot = value.as_object_mut().and_then(|map| map.get_mut(name));
            let Some(slot) = slot else { return Err(vec![format!("loop: there is no setting `{name}`")]) };
            merge(slot, over);
        }
        let settings: LoopSettings = serde_json::from_value(value).map_err(wrong)?;
        let mistakes = settings.mistakes();
        if mistakes.is_empty() { Ok(settings) } else { Err(mistakes) }
    }
}

/// Puts a value over another one; of objects the fields that are named (RFC 7396, without removal).
fn merge(slot: &mut Value, over: &Value) {
    match (slot, over) {
        (Value::Object(slot), Value::Object(over)) => {
            for (name, value) in over {
                merge(slot.entry(name.as_str()).or_insert(Value::Null), value);
            }
        }
        (slot, over) => *slot = over.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn application() -> Application {
        let text = "application: a\ncomponents: {web: {cardinality: 1..3}}\nreconfigure: {every: 2m, mode: automatic}\n";
        let source = cardinal_models::diagnostic::Source { name: "a.yaml".into(), text: text.into() };
        cardinal_models::read(&source.into()).unwrap().application
    }

    #[test]
    fn what_is_stated_lies_over_the_model_and_that_over_the_defaults() {
        let stated = r#"{"loop": {"coalesce_ms": 7, "solve": {"gap": 0.01}}}"#;
        let settings = ServiceSettings::parse(stated).unwrap().loop_settings(&application()).unwrap();
        assert_eq!((settings.every_ms, settings.coalesce_ms, settings.solve.gap), (120_000, 7, 0.01));
        assert_eq!(settings.solve.time_limit_ms, LoopSettings::default().solve.time_limit_ms);
        assert_eq!(ServiceSettings::parse("").unwrap().driver, DriverSettings::default());
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| ServiceSettings::parse(text).unwrap().loop_settings(&application()).unwrap_err().join("");
        assert!(wrong(r#"{"loop": {"evry_ms": 7}}"#).contains("evry_ms"));
        assert!(wrong(r#"{"loop": {"jitter": 7}}"#).contains("jitter"));
        assert!(wrong(r#"{"loop": {"solve": {"gpa": 7}}}"#).contains("gpa"));
        assert!(wrong(r#"{"loop": {"every_ms": "soon"}}"#).contains("soon"));
        assert!(ServiceSettings::parse(r#"{"lop": {}}"#).unwrap_err().contains("lop"));
    }
}
