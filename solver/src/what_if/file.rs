//! Scenario files: named lists of changes as people write them.

use cardinal_models::document::{OneOrMany, Scalar};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::{Change, Goal, Scenario};
use crate::selector::{Misread, Selector};

/// A file of scenarios, each a list of changes to one model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Cardinal scenarios")]
pub struct ScenarioFile {
    /// The scenarios by name, in the order in which they are shown.
    pub scenarios: IndexMap<String, ScenarioDocument>,
}

/// What is different in a scenario. A change of a number is a value (`500`, `8 GB`), a factor (`2x`), a share (`+20%`) or
/// what is added (`+=50`). Offers are chosen by id, machine type, provider or place, or by `FIELD=PATTERN`; `*` stands
/// for any characters, and parts joined by commas must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Values of metrics and constants, by name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("examples" = [{"requests": "2x", "memory_used": 97, "weight": "+20%"}]))]
    pub set: IndexMap<String, Scalar>,
    /// Prices, by the offers that they are of.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("examples" = [{"aws/*": "+20%", "provider=gcp,purchase=spot": "2x"}]))]
    pub price: IndexMap<String, Scalar>,
    /// Offers that are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["region=eu-west-1", ["provider=aws", "m5.*"]]))]
    pub without: Option<OneOrMany>,
    /// The only offers that are left: any of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<OneOrMany>,
    /// Limits of constraints, SLOs, the budget and quotas, and what commitments cover, by name; `NAME.nodes` for one of
    /// several of a quota, `NAME.penalty` for what a unit of violation of a soft constraint costs; `spot of web` and the
    /// like for the rules on how the instances of a component are divided.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("examples" = [{"budget": "5 USD/h", "aws.cores": "2x"}]))]
    pub limit: IndexMap<String, Scalar>,
    /// Numbers of instances, by component.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schemars(extend("examples" = [{"web": "2..10"}]))]
    pub cardinality: IndexMap<String, Scalar>,
    /// Constraints, SLOs, structural rules and quotas that do not hold, and commitments that are gone, by name; `spot of web` and the like for the rules
    /// on how the instances of a component are divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop: Option<OneOrMany>,
    /// Constraints that are added, or replace those of the same name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub constraints: IndexMap<String, String>,
    /// Another utility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utility: Option<UtilityOfScenario>,
}

/// What is best in a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum UtilityOfScenario {
    /// The larger the better.
    Maximize(String),
    /// The smaller the better.
    Minimize(String),
}

impl ScenarioFile {
    /// The scenarios, or everything that cannot be read: the text that is meant, and what is wrong with it.
    pub fn scenarios(&self) -> Result<Vec<Scenario>, Vec<(String, Misread)>> {
        let (mut scenarios, mut errors) = (Vec::new(), Vec::new());
        for (name, document) in &self.scenarios {
            let mut reader = Reader { errors: &mut errors, changes: Vec::new() };
            reader.read(document);
            let changes = reader.changes;
            scenarios.push(Scenario { name: name.clone(), description: document.description.clone(), changes });
        }
        if errors.is_empty() { Ok(scenarios) } else { Err(errors) }
    }
}

struct Reader<'a> {
    errors: &'a mut Vec<(String, Misread)>,
    changes: Vec<Change>,
}

impl Reader<'_> {
    fn keep<T>(&mut self, text: &str, read: Result<T, Misread>) -> Option<T> {
        read.map_err(|misread| self.errors.push((text.to_owned(), misread))).ok()
    }

    fn amounts(&mut self, all: &IndexMap<String, Scalar>, make: impl Fn(&str, Amount) -> Result<Change, Misread>) {
        for (name, amount) in all {
            let text = amount.to_string();
            if let Some(amount) = self.keep(&text, Amount::read(&text)) {
                let change = self.keep(name, make(name, amount));
                self.changes.extend(change);
            }
        }
    }

    fn read(&mut self, document: &ScenarioDocument) {
        // What changes the model comes first: its names are those of the file.
        for name in document.drop.iter().flat_map(OneOrMany::values) {
            self.changes.push(Change::Drop(name.value.to_string()));
        }
        let constraints = document.constraints.iter().map(|(n, f)| Change::Constraint(n.clone(), f.clone()));
        self.changes.extend(constraints);
        self.changes.extend(document.utility.iter().map(|utility| match utility {
            UtilityOfScenario::Maximize(formula) => Change::Utility(Goal::Maximize, formula.clone()),
            UtilityOfScenario::Minimize(formula) => Change::Utility(Goal::Minimize, formula.clone()),
        }));
        let cardinality = document.cardinality.iter().map(|(n, t)| Change::Cardinality(n.clone(), t.to_string()));
        self.changes.extend(cardinality);
        self.amounts(&document.limit, |name, amount| Ok(Change::Limit(name.to_owned(), amount)));
        self.amounts(&document.set, |name, amount| Ok(Change::Set(name.to_owned(), amount)));
        self.amounts(&document.price, |offers, amount| Ok(Change::Price(Selector::read(offers)?, amount)));
        for offers in document.without.iter().flat_map(OneOrMany::values) {
            let text = offers.value.to_string();
            let selector = self.keep(&text, Selector::read(&text));
            self.changes.extend(selector.map(Change::Without));
        }
        let only: Vec<String> =
            document.only.iter().flat_map(OneOrMany::values).map(|offers| offers.value.to_string()).collect();
        if !only.is_empty() {
            let selector = self.keep(&only.join("|"), Selector::any(&only));
            self.changes.extend(selector.map(Change::Only));
        }
    }
}
