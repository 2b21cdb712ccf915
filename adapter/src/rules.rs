//! What the application says about changing it: start order, what must stay, what must not be fallen short of.

use std::collections::{BTreeMap, BTreeSet};

use cardinal_models::application::Application;
use serde::{Deserialize, Serialize};

/// The rules for one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRules {
    /// The components that start before this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<String>,
    /// True when a running instance must stay on its node.
    #[serde(default)]
    pub unmoveable: bool,
}

/// The rules of an application, by component. A component without an entry needs nothing and may be moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rules(pub BTreeMap<String, ComponentRules>);

impl Rules {
    /// The rules that an application model states.
    pub fn of(application: &Application) -> Self {
        let rules = application.components.iter().map(|c| {
            let needs = c.needs.iter().map(|n| application[*n].name.to_string()).collect();
            (c.name.to_string(), ComponentRules { needs, unmoveable: !c.moveable })
        });
        Rules(rules.collect())
    }

    /// True when running instances of the component must stay.
    pub fn is_unmoveable(&self, component: &str) -> bool {
        self.0.get(component).is_some_and(|r| r.unmoveable)
    }

    /// The components that start before this one.
    pub fn needs(&self, component: &str) -> impl Iterator<Item = &str> {
        self.0.get(component).into_iter().flat_map(|r| r.needs.iter().map(String::as_str))
    }
}
