//! The application model as it is written: the shape of the YAML or JSON file, with places, before any name is
//! resolved or any formula parsed. The JSON Schema is generated from these types, and the writers of foreign formats
//! build them.

mod data;
mod metric;
mod objectives;
mod slo;

pub use data::{DataDocument, LinkDocument};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::offer::{CloudKind, Purchase};
use crate::span::Spanned;

pub use metric::{AGGREGATES, Level, MetricDocument, MetricProperties, WhenStale};
pub use objectives::{RankedDocument, UtilityDocument, WeightedDocument};
pub use slo::{BurnDocument, ErrorBudgetDocument, EventDocument, Severity};

/// A mapping from names to values in the order of the file, each name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Entries<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries(Vec::new())
    }
}

impl<T> Entries<T> {
    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value with a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n.value == name).map(|(_, v)| v)
    }

    /// Adds an entry that a program made.
    pub fn push(&mut self, name: impl Into<String>, value: T) {
        self.0.push((Spanned::made(name.into()), value));
    }

    /// The names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&Spanned<String>, &T)> {
        self.0.iter().map(|(n, v)| (n, v))
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(n, v)| (&n.value, v)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = IndexMap::<String, T>::deserialize(deserializer)?;
        Ok(Entries(map.into_iter().map(|(n, v)| (Spanned::made(n), v)).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Entries_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<IndexMap<String, T>>()
    }
}

/// A number, a truth value or a text. Formulas, quantities and ranges are written as one of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// A bare number.
    Number(f64),
    /// A text: a formula, a quantity with a unit, a range such as `2..6`.
    Text(String),
}

impl Default for Scalar {
    fn default() -> Self {
        Scalar::Text(String::new())
    }
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Bool(b) => write!(f, "{b}"),
            Scalar::Number(n) => write!(f, "{n}"),
            Scalar::Text(t) => f.write_str(t),
        }
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Scalar::Text(text.to_owned())
    }
}

/// One scalar or a list of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single value.
    One(Spanned<Scalar>),
    /// A choice among values.
    Many(Vec<Spanned<Scalar>>),
}

impl OneOrMany {
    /// The values, one or more.
    pub fn values(&self) -> &[Spanned<Scalar>] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

/// An application model: what is to run, what it needs, what is valued.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelDocument {
    /// The name of the application.
    pub application: Spanned<String>,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// ISO 4217 code of the money in this model. A catalog with another currency is refused. Default: the
    /// catalog's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::currency")]
    pub currency: Option<Spanned<String>>,
    /// Which offers may be used by any component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<CatalogDocument>,
    /// Named numbers and quantities for formulas, such as `rate: 40 1/s`.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub constants: Entries<Spanned<Scalar>>,
    /// The parts of the application.
    pub components: Entries<ComponentDocument>,
    /// Measured and computed values that formulas use.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub metrics: Entries<MetricDocument>,
    /// Formulas that must hold in every deployment; those with a `penalty` may be violated at that price.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub constraints: Entries<ConstraintDocument>,
    /// Service level objectives: formulas that should hold; their violation asks for a new decision. One that depends
    /// on the deployment is also a constraint of it.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub slo: Entries<ConstraintDocument>,
    /// Patterns of violations within a time, such as two that come one after the other. They are told, and ask for a new
    /// decision.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub events: Entries<EventDocument>,
    /// Shares of good outcomes that are promised, and how fast what may go wrong is used up.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub error_budgets: Entries<ErrorBudgetDocument>,
    /// Rules about which instances share nodes and how many there are.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub structure: Entries<StructureDocument>,
    /// The most that the whole deployment may cost, such as `3000 USD/month` or `4.50 USD/h`; a bare number is per
    /// hour. A month is 730 hours. The same as a constraint `budget: total_cost <= ...`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["3000 USD/month", "4.50 USD/h"]))]
    pub budget: Option<Spanned<Scalar>>,
    /// Limits on what may be bought from a provider, a region or a machine family.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub quotas: Entries<QuotaDocument>,
    /// Capacity that is paid for already, by name: reserved nodes, or committed spend. Nodes that it covers cost nothing
    /// in `total_cost` until it is used up.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub commitments: Entries<CommitmentDocument>,
    /// Data that components read and write.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub data: Entries<DataDocument>,
    /// Traffic between components and to data, with its latency limits.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub links: Entries<LinkDocument>,
    /// What is best. Without it the total cost is minimised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utility: Option<UtilityDocument>,
    /// When and how the running deployment may be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconfigure: Option<ReconfigureDocument>,
}

/// Which offers of the catalog may be used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogDocument {
    /// Only these providers, such as `[aws, openstack]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["aws", ["aws", "openstack"]]))]
    pub providers: Option<OneOrMany>,
    /// Only these regions; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [["eu-central-1", "RegionOne"], "europe-*"]))]
    pub regions: Option<OneOrMany>,
    /// Only these ways of buying: `on-demand`, `spot`, `reserved`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::purchases")]
    pub purchase: Option<OneOrMany>,
    /// Only these machine types; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_types: Option<OneOrMany>,
    /// None of these machine types; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_machine_types: Option<OneOrMany>,
}

/// How instances are put on nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hosting {
    /// One instance on a node of its own.
    #[default]
    Dedicated,
    /// Instances are packed on nodes together with those of other shared components.
    Shared,
}

/// Whether the instances of a dedicated component are alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fleet {
    /// All instances on nodes of one offer.
    #[default]
    Uniform,
    /// Any combination of offers.
    Mixed,
}

/// A part of the application that runs as a number of identical instances.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How many instances: a number (`1`), an inclusive range (`2..6`) or a list of choices. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [1, "2..6", [1, 3, 5]]))]
    pub cardinality: Option<OneOrMany>,
    /// `dedicated`: one instance on a node of its own. `shared`: instances are packed on nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting: Option<Hosting>,
    /// Shared hosting: at most how many instances of this component one node may host. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_node: Option<Spanned<Scalar>>,
    /// Dedicated hosting: `uniform` (all instances on one offer) or `mixed` (any combination of offers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<Fleet>,
    /// What the node (dedicated) or the instance (shared) must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<RequiresDocument>,
    /// Where instances may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<PlacementDocument>,
    /// Components that must run before this one starts and with which it talks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Spanned<String>>,
    /// `false`: instances that run stay where they are. New ones may still be added. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moveable: Option<bool>,
    /// An explicit table of choices, of which exactly one is taken, instead of the offers of the catalog. `cardinality`
    /// and `price` have their usual meaning; the other columns are attributes that formulas see: `web.latency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configurations: Option<ConfigurationsDocument>,
    /// Attributes that are chosen freely and each on its own, instead of an offer of the catalog: a whole number
    /// (`4`), an inclusive range of whole numbers (`512..65536`), or a list of numbers and ranges. The component then
    /// has no nodes and costs nothing but what the utility counts.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub attributes: Entries<OneOrMany>,
}

/// The configurations of a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConfigurationsDocument {
    /// One mapping from attributes to values for each, such as `{name: small, cardinality: 2, price: 0.10, cores: 2}`.
    Each(Vec<Entries<Spanned<Scalar>>>),
    /// The names of the columns, and the rows: `{columns: [cardinality, price], rows: [[1, 0.10], [2, 0.10]]}`.
    Table(ConfigurationTable),
}

/// A table of configurations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationTable {
    /// The attributes, in the order of the values of each row. `name` names the configuration.
    pub columns: Vec<Spanned<String>>,
    /// The configurations, each with a value for every column.
    pub rows: Vec<Vec<Spanned<Scalar>>>,
}

/// Requirements on resources. A number is exact, `2..6` an inclusive range, `">= 1024 MiB, < 8000 MiB"` a
/// conjunction, a list a choice. MB is 10^6 bytes, MiB 2^20.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequiresDocument {
    /// vCPU. Shared hosting: what one instance uses; the lower end of a range counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [2, "2..8", ">= 4", [2, 4, 8]]))]
    pub cores: Option<OneOrMany>,
    /// Memory with a unit, such as `8 GB` or `">= 4 GiB"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["8 GB", ">= 4 GiB", "8 GiB..16 GiB", ">= 1024 MiB, < 8000 MiB"]))]
    pub memory: Option<OneOrMany>,
    /// Local disk with a unit. An offer that does not tell its disk is taken to have enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [">= 50 GB"]))]
    pub disk: Option<OneOrMany>,
    /// Number of GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<OneOrMany>,
    /// Price of one node per hour, such as `"<= 0.50 USD/h"`. Dedicated hosting only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["<= 0.50 USD/h"]))]
    pub price: Option<OneOrMany>,
    /// The share of such nodes that the provider takes back within a month of 730 hours, such as `"<= 5 %"`. A spot
    /// offer that does not tell satisfies none; any other has 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["<= 5 %"]))]
    pub interruption_rate: Option<OneOrMany>,
    /// Time until instances can start on a new node, such as `"<= 2m"`. An offer that does not tell satisfies none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["<= 2m"]))]
    pub start_up: Option<OneOrMany>,
    /// Time for which a node is paid at least, such as `"<= 1h"`. An offer that does not tell satisfies none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["<= 1h"]))]
    pub minimum_lifetime: Option<OneOrMany>,
    /// Free attributes of the offer, by name: a number, a range, a text or a list of choices.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub labels: Entries<OneOrMany>,
}

/// Where instances may run. Every list is a choice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementDocument {
    /// `public`, `private`, `edge` or `own`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::clouds")]
    pub cloud: Option<OneOrMany>,
    /// Providers, such as `aws`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OneOrMany>,
    /// Continents (`EU`), countries (`DE`), regions (`eu-central-1`) or zones; an offer inside any of them is allowed. A
    /// `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["EU", ["DE", "FR"], "eu-central-1"]))]
    pub location: Option<OneOrMany>,
    /// Operating system, such as `ubuntu`. An offer that boots any image satisfies every one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["ubuntu", "debian", "windows"]))]
    pub os: Option<OneOrMany>,
    /// Processor architecture: `amd64` or `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::architectures")]
    pub architecture: Option<OneOrMany>,
    /// `on-demand`, `spot` or `reserved`. Default: `on-demand` and `reserved`; spot nodes must be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::purchases")]
    pub purchase: Option<OneOrMany>,
    /// Machine types; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["m5.*"]))]
    pub machine_type: Option<OneOrMany>,
    /// Families of machine types, such as `m5` or `e2`; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["m5", ["m5", "m6*"]]))]
    pub family: Option<OneOrMany>,
    /// Offer ids; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OneOrMany>,
    /// At most so many instances in one place, or places with evenly many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadsDocument>,
    /// Instances in several places or on several kinds of machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversify: Option<DiversifiesDocument>,
    /// At most so many instances on spot offers. It asks for spot offers, like `purchase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<SpotDocument>,
    /// At least so many instances on offers that are not spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<OnDemandDocument>,
}

/// One spread rule or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SpreadsDocument {
    /// One rule.
    One(SpreadDocument),
    /// Several rules, all of which hold.
    Many(Vec<SpreadDocument>),
}

impl SpreadsDocument {
    /// The rules.
    pub fn rules(&self) -> &[SpreadDocument] {
        match self {
            SpreadsDocument::One(one) => std::slice::from_ref(one),
            SpreadsDocument::Many(many) => many,
        }
    }
}

/// How the instances of the component are spread over places: `at_most`, `skew` or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpreadDocument {
    /// The kind of place.
    pub by: SpreadBy,
    /// The largest number of instances in one such place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<Spanned<Scalar>>,
    /// The largest difference between the place with the most instances and that with the fewest, of all places where
    /// the component may run; by zone, of the zones of the regions in which it has instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<Spanned<Scalar>>,
}

/// A kind of place over which instances are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SpreadBy {
    /// A zone of a region; an offer that names no zone counts its region as one zone.
    Zone,
    /// A region of a provider.
    Region,
    /// The same as `region`.
    Location,
    /// A country.
    Country,
    /// A provider.
    Provider,
    /// A machine type of a provider, in whatever region: `m5.large` of `aws`. (`machine-type` is understood too.)
    #[serde(rename = "machine_type", alias = "machine-type")]
    MachineType,
    /// A family of machine types of a provider: `m5` of `aws`.
    Family,
}

/// One rule of diversification or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DiversifiesDocument {
    /// One rule.
    One(DiversifyDocument),
    /// Several rules, all of which hold.
    Many(Vec<DiversifyDocument>),
}

impl DiversifiesDocument {
    /// The rules.
    pub fn rules(&self) -> &[DiversifyDocument] {
        match self {
            DiversifiesDocument::One(one) => std::slice::from_ref(one),
            DiversifiesDocument::Many(many) => many,
        }
    }
}

/// Instances in several places or on several kinds of machine: `at_least`, `at_most_share` or both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiversifyDocument {
    /// The kind of place or machine.
    pub by: SpreadBy,
    /// Instances are in at least so many of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Spanned<Scalar>>,
    /// None of them has more than this share of the instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["40 %"]))]
    pub at_most_share: Option<Spanned<Scalar>>,
}

/// At most so many instances on spot offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpotDocument {
    /// A share of all instances of the component, or a number of them.
    #[schemars(extend("examples" = ["50 %", 3]))]
    pub at_most: Spanned<Scalar>,
}

/// At least so many instances on offers that are not spot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnDemandDocument {
    /// A number of instances, or a share of all instances of the component.
    #[schemars(extend("examples" = [2, "25 %"]))]
    pub at_least: Spanned<Scalar>,
}

/// A constraint: a formula that must hold, or that may be violated at a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ConstraintDocument {
    /// The formula alone.
    Formula(Spanned<Scalar>),
    /// The formula with its properties.
    Full(ConstraintProperties),
}

impl ConstraintDocument {
    /// The formula.
    pub fn formula(&self) -> &Spanned<Scalar> {
        match self {
            ConstraintDocument::Formula(formula) => formula,
            ConstraintDocument::Full(full) => &full.formula,
        }
    }

    /// The penalty of a soft constraint.
    pub fn penalty(&self) -> Option<&Spanned<Scalar>> {
        match self {
            ConstraintDocument::Formula(_) => None,
            ConstraintDocument::Full(full) => full.penalty.as_ref(),
        }
    }

    /// The constraint with another formula; everything else stays.
    pub fn with_formula(&self, formula: Spanned<Scalar>) -> ConstraintDocument {
        match self {
            ConstraintDocument::Formula(_) => ConstraintDocument::Formula(formula),
            ConstraintDocument::Full(full) => {
                ConstraintDocument::Full(ConstraintProperties { formula, ..full.clone() })
            }
        }
    }
}

/// The properties of a constraint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConstraintProperties {
    /// The formula that must hold; with a `penalty`, that should.
    pub formula: Spanned<Scalar>,
    /// Makes the constraint soft: it may be violated, and the objective loses so much per unit of the violation. Of
    /// `a <= b` the violation is by how much `a` is above `b`, in the unit of the two; of `a == b` by how much they
    /// differ; conditions joined by `and` add up; any other condition counts 1 when it does not hold. A number above
    /// zero or a formula over constants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [0.5, "0.02 USD/h", "weight"]))]
    pub penalty: Option<Spanned<Scalar>>,
    /// Of an SLO: it is violated once it has not held for so long, such as `2m`. Default: at once.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2m"]))]
    pub lasts: Option<Spanned<Scalar>>,
    /// Of an SLO: what must hold before a violation is over, such as `memory_used <= 80`. Default: the formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clear: Option<Spanned<Scalar>>,
    /// Of an SLO: for so long that must hold, such as `5m`. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["5m"]))]
    pub clear_for: Option<Spanned<Scalar>>,
    /// Of an SLO: how grave its violation is: `info` is told, `warning` (the default) and `critical` ask for a new
    /// decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A rule about which instances share nodes, or how many there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum StructureDocument {
    /// Never on one node with any of the others.
    Conflict {
        /// The component.
        conflict: Spanned<String>,
        /// The components it must not meet.
        with: Vec<Spanned<String>>,
    },
    /// On every node the same number of instances of each.
    Colocate {
        /// The components.
        colocate: Vec<Spanned<String>>,
    },
    /// An instance on every used node of the shared pool, except on those that host one of `unless`.
    EveryNode {
        /// The component.
        every_node: Spanned<String>,
        /// Nodes that host one of these have none; and no node hosts two of these.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unless: Vec<Spanned<String>>,
    },
    /// All instances of all of these in one zone.
    Together {
        /// The components.
        together: Vec<Spanned<String>>,
    },
    /// At least so many instances in all.
    AtLeast {
        /// The number.
        at_least: Spanned<Scalar>,
        /// The components whose instances are counted together.
        of: Vec<Spanned<String>>,
    },
    /// At most so many instances in all.
    AtMost {
        /// The number.
        at_most: Spanned<Scalar>,
        /// The components whose instances are counted together.
        of: Vec<Spanned<String>>,
    },
    /// Exactly so many instances in all.
    Exactly {
        /// The number.
        exactly: Spanned<Scalar>,
        /// The components whose instances are counted together.
        of: Vec<Spanned<String>>,
    },
    /// Exactly one of these components has instances.
    Alternatives {
        /// The components; their cardinality should begin at 0.
        alternatives: Vec<Spanned<String>>,
    },
    /// So many of one for every so many of another, such as `2 mysql per 3 wordpress`: 3 n(mysql) >= 2 n(wordpress).
    Require {
        /// The rule as a text.
        require: Spanned<String>,
    },
}

/// A limit on what may be bought of the offers that match. What is not named matches all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaDocument {
    /// Only offers of these providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OneOrMany>,
    /// Only offers in these places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<OneOrMany>,
    /// Only offers in these regions; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<OneOrMany>,
    /// Only these machine types; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<OneOrMany>,
    /// Only these families of machine types, such as `m5`; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<OneOrMany>,
    /// Only offers bought this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::purchases")]
    pub purchase: Option<OneOrMany>,
    /// At most so many nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Spanned<Scalar>>,
    /// At most so many vCPU in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Spanned<Scalar>>,
    /// At most so much memory in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Spanned<Scalar>>,
    /// At most so many GPUs in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<Spanned<Scalar>>,
    /// At most so many instances, of all components together, on the matching nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<Spanned<Scalar>>,
    /// At most so much money per time, such as `3 USD/h` or `2000 USD/month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Spanned<Scalar>>,
}

/// Capacity that is paid for already: exactly one of `nodes`, `cores` and `cost`, on the offers that match. What is not
/// named matches all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitmentDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Only offers of these providers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<OneOrMany>,
    /// Only offers in these places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<OneOrMany>,
    /// Only offers in these regions; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<OneOrMany>,
    /// Only these machine types; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<OneOrMany>,
    /// Only these families of machine types, such as `m5`; a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<OneOrMany>,
    /// Only offers bought this way. Default: `on-demand` and `reserved`; no commitment covers spot nodes unasked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::purchases")]
    pub purchase: Option<OneOrMany>,
    /// It covers so many nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Spanned<Scalar>>,
    /// It covers nodes with so many vCPU in all; the last of them may be covered in part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Spanned<Scalar>>,
    /// It covers nodes with this list price in all, such as `2 USD/h` or `1000 USD/month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Spanned<Scalar>>,
    /// The last day, `YYYY-MM-DD`. It is shown and warned of once it is past; the commitment counts all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2027-06-30"]))]
    pub until: Option<Spanned<String>>,
}

/// When and how the running deployment may be changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconfigureDocument {
    /// Time between two regular decisions, such as `5m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["5m"]))]
    pub every: Option<Spanned<Scalar>>,
    /// `observe`, `recommend`, `automatic-small` or `automatic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ReconfigureMode>,
    /// The loads for which to hold room, by metric: the loop then looks at what to be ready for when a change has landed
    /// instead of at what is measured.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub forecast: Entries<ForecastDocument>,
}

/// How much room to hold for a load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForecastDocument {
    /// What an hour in violation costs while one instance would do, such as `60 USD/h`. Violations of larger deployments
    /// weigh more, with the square root of their size.
    #[schemars(extend("examples" = ["60 USD/h"]))]
    pub violation: Spanned<Scalar>,
    /// From a decision to the moment at which what it adds serves; `3m` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["3m"]))]
    pub lead: Option<Spanned<Scalar>>,
    /// Values are taken together in steps of this length; `1m` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1m"]))]
    pub step: Option<Spanned<Scalar>>,
    /// Whether to look for days and weeks; true by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seasons: Option<bool>,
}

/// What may happen without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReconfigureMode {
    /// Decide and record, change nothing.
    Observe,
    /// Propose a plan that a person approves.
    Recommend,
    /// Apply what passes the gate and is a small change; propose the rest.
    AutomaticSmall,
    /// Apply what passes the gate.
    Automatic,
}

/// Words that the language knows for a fixed choice, for messages and completion.
pub const PURCHASES: [Purchase; 3] = [Purchase::OnDemand, Purchase::Spot, Purchase::Reserved];
/// Kinds of cloud that the language knows.
pub const CLOUDS: [CloudKind; 4] = [CloudKind::Public, CloudKind::Private, CloudKind::Edge, CloudKind::Own];
/// Processor architectures that the language knows.
pub const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
