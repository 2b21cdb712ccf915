//! The answer of a solve as plain data: what JSON and YAML show as it is, and what the table shows to people.
//!
//! The names of the fields are a contract; fields may be added. What is unknown or infinite is null.

pub mod compose;
mod objectives;
mod traffic;

use indexmap::IndexMap;
use serde::Serialize;

use crate::explanation::ExplanationAnswer;

/// Everything that a solve has to say.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// `optimal`, `feasible`, `infeasible` or `unknown`.
    pub status: &'static str,
    /// The value of the objective.
    pub utility: Option<f64>,
    /// No placement has a better value.
    pub bound: Option<f64>,
    /// How far the two are apart, relative to the utility.
    pub gap: Option<f64>,
    /// What everything costs: nodes after commitments, traffic and storage.
    pub cost_per_hour: Option<f64>,
    /// The price of all nodes before commitments, where the model has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_cost_per_hour: Option<f64>,
    /// What each commitment covers.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub commitments: IndexMap<String, CommitmentAnswer>,
    /// Its parts, of a model with links or data sources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostAnswer>,
    /// What each link does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<EgressAnswer>,
    /// Where each data source is.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub data: IndexMap<String, DataAnswer>,
    /// What each component gets.
    pub components: IndexMap<String, ComponentAnswer>,
    /// The nodes.
    pub nodes: Vec<NodeAnswer>,
    /// How long each step took.
    pub timing_ms: TimingAnswer,
    /// Why.
    pub explanation: ExplanationAnswer,
    /// The name of the application.
    pub application: String,
    /// The code of the money; null for an abstract unit.
    pub currency: Option<String>,
    /// What is best, first of all.
    pub objective: ObjectiveAnswer,
    /// Every objective in its order, with how far it is reached and proven.
    pub objectives: Vec<ReachedAnswer>,
    /// Constraints that may be violated, with what they cost.
    pub soft: Vec<SoftAnswer>,
    /// The values of the metrics that the answer rests on.
    pub metrics: IndexMap<String, MetricAnswer>,
    /// What runs now, when it was given.
    pub current: Option<CurrentAnswer>,
    /// SLOs that do not depend on the placement and do not hold now.
    pub violated_slos: Vec<RuleAnswer>,
    /// What to be careful about.
    pub warnings: Vec<WarningAnswer>,
    /// Where the offers come from.
    pub catalog: CatalogAnswer,
    /// How it was proven.
    pub proof: ProofAnswer,
}

/// What a commitment covers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommitmentAnswer {
    /// `nodes`, `cores` or `cost`, in which `used` and `of` are counted; a cost is per hour.
    pub unit: &'static str,
    /// How much of it is used.
    pub used: f64,
    /// How much there is.
    pub of: f64,
    /// The list price per hour that it takes off the bill.
    pub saved_per_hour: f64,
    /// Its last day.
    pub until: Option<String>,
}

/// The parts of the cost, per hour.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostAnswer {
    /// The price of all nodes.
    pub machines: f64,
    /// What traffic between regions costs.
    pub egress: f64,
    /// What storing data costs.
    pub storage: f64,
}

/// What a link does.
#[derive(Clone, Debug, Serialize)]
pub struct EgressAnswer {
    /// Its name.
    pub link: String,
    /// The component or data source that sends.
    pub from: String,
    /// The component or data source that receives.
    pub to: String,
    /// How much goes both ways.
    pub gb_per_hour: f64,
    /// How much of it goes from one region to another.
    pub crossing_gb_per_hour: f64,
    /// What it costs.
    pub cost_per_hour: f64,
    /// The longest round trip between instances that talk; null when it is not known.
    pub latency_ms: Option<f64>,
    /// The longest that is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_limit_ms: Option<f64>,
}

/// Where a data source is.
#[derive(Clone, Debug, Serialize)]
pub struct DataAnswer {
    /// The places of its replicas, `provider/region`.
    pub regions: Vec<String>,
    /// True when they were chosen with the placement.
    pub chosen: bool,
    /// The size of each.
    pub size_gb: f64,
    /// What storing them costs.
    pub storage_per_hour: f64,
    /// How much has to be copied to get from what runs now to this; left out while nothing runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moves_gb: Option<f64>,
}

/// What a component gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ComponentAnswer {
    /// The number of instances.
    pub cardinality: u64,
    /// Instances by offer.
    pub offers: IndexMap<String, u64>,
    /// The chosen configuration of a component that has configurations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
    /// The chosen values of a component with free attributes.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub attributes: IndexMap<String, f64>,
}

/// Identical nodes.
#[derive(Debug, Serialize)]
pub struct NodeAnswer {
    /// The id of the offer.
    pub offer: String,
    /// The zone, where it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How many nodes.
    pub count: u32,
    /// The price of one per hour.
    pub price: f64,
    /// Instances on each.
    pub instances: IndexMap<String, u32>,
    /// Who sells it.
    pub provider: String,
    /// Where.
    pub region: String,
    /// The machine type.
    pub machine_type: String,
    /// How it is bought.
    pub purchase: &'static str,
    /// vCPU.
    pub cores: f64,
    /// Memory.
    pub memory_mib: f64,
    /// True for nodes that several components share.
    pub shared: bool,
    /// The name of the configuration of its component that the offer is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<String>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct TimingAnswer {
    /// From the start of the process: reading model, catalogs, metrics, deployment.
    pub load: f64,
    /// Finding and reducing what can be chosen from.
    pub reduce: f64,
    /// Building the integer programs.
    pub formulate: f64,
    /// Solving them.
    pub solve: f64,
    /// Checking the answer.
    pub verify: f64,
    /// Finding out why.
    pub explain: f64,
    /// From the start of the process.
    pub total: f64,
}

impl TimingAnswer {
    /// From the first look at the offers to the checked answer.
    pub fn proof(&self) -> f64 {
        self.reduce + self.formulate + self.solve + self.verify
    }
}

/// What is best.
#[derive(Debug, Serialize)]
pub struct ObjectiveAnswer {
    /// `maximize` or `minimize`.
    pub direction: &'static str,
    /// The formula as it was written.
    pub formula: String,
    /// True when the model has no utility.
    pub is_default: bool,
}

/// An objective and how far it is reached.
#[derive(Debug, Serialize)]
pub struct ReachedAnswer {
    /// Its name; null when the model gives none.
    pub name: Option<String>,
    /// `maximize` or `minimize`.
    pub direction: &'static str,
    /// The formula as it was written.
    pub formula: String,
    /// The unit of its value; null for a bare number.
    pub unit: Option<String>,
    /// Its value, of the first after what soft constraints cost; null without a placement.
    pub value: Option<f64>,
    /// The best value that was found for it, before objectives after it took what its tolerance gives.
    pub best: Option<f64>,
    /// No placement that keeps to the limits of the objectives before it has a better value.
    pub bound: Option<f64>,
    /// How far the proof is open, relative.
    pub gap: Option<f64>,
    /// The worst value that its tolerance allows; null for the last objective.
    pub limit: Option<f64>,
    /// Its value for what runs now; null when nothing runs or it has none.
    pub current: Option<f64>,
    /// The summands of a weighted objective.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weighted: Vec<WeightedAnswer>,
}

/// A summand of a weighted objective.
#[derive(Debug, Serialize)]
pub struct WeightedAnswer {
    /// Its name; null when the model gives none.
    pub name: Option<String>,
    /// `maximize` or `minimize`.
    pub direction: &'static str,
    /// The formula as it was written.
    pub formula: String,
    /// How much one unit of it counts.
    pub weight: f64,
    /// Its value; null without a placement.
    pub value: Option<f64>,
}

/// A constraint that may be violated.
#[derive(Debug, Serialize)]
pub struct SoftAnswer {
    /// The constraint.
    #[serde(flatten)]
    pub rule: RuleAnswer,
    /// What the first objective loses per unit of the violation.
    pub penalty: f64,
    /// The unit of the violation; null for a bare number.
    pub unit: Option<String>,
    /// By how much it is violated; null without a placement.
    pub violation: Option<f64>,
    /// What that costs.
    pub paid: Option<f64>,
}

/// The value of a metric.
#[derive(Debug, Serialize)]
pub struct MetricAnswer {
    /// The value.
    pub value: f64,
    /// Its unit; null for a bare number.
    pub unit: Option<String>,
    /// `given`, `computed` on the answer, or `default`.
    pub source: &'static str,
}

/// What runs now.
#[derive(Debug, Serialize)]
pub struct CurrentAnswer {
    /// The value of the objective; null when it has none.
    pub utility: Option<f64>,
    /// The price of all nodes; null when a vanished offer has none.
    pub cost_per_hour: Option<f64>,
    /// Rules that it breaks.
    pub violations: Vec<String>,
    /// Offers that the catalog no longer has.
    pub vanished: Vec<String>,
    /// What the answer changes.
    pub changes: Vec<ChangeAnswer>,
    /// True when the answer is what runs now, because nothing better was found in time.
    pub kept: bool,
}

/// What the answer changes about a component.
#[derive(Debug, Serialize)]
pub struct ChangeAnswer {
    /// The component.
    pub component: String,
    /// The number of instances now.
    pub from: u64,
    /// The number of instances then.
    pub to: u64,
    /// Instances more (or fewer) by offer.
    pub offers: IndexMap<String, i64>,
    /// Free attributes with their values now and then; those that stay are left out.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub attributes: IndexMap<String, [Option<f64>; 2]>,
}

/// A rule of the model.
#[derive(Clone, Debug, Serialize)]
pub struct RuleAnswer {
    /// `constraint`, `slo`, `structure`, `quota`, `spread`, `diversify`, `spot`, `on-demand`, `cardinality`, `per-node`,
    /// `moveable`, `requirement` or `catalog`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it says.
    pub text: String,
    /// The file of the model; null for a rule that stands in none.
    pub file: Option<String>,
    /// Where it stands in the model.
    pub line: Option<usize>,
    /// Where it stands in the line.
    pub column: Option<usize>,
}

/// A warning.
#[derive(Debug, Serialize)]
pub struct WarningAnswer {
    /// What to be careful about.
    pub message: String,
    /// The mend.
    pub help: Option<String>,
    /// The file that it is about.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<usize>,
    /// The column in it.
    pub column: Option<usize>,
}

/// Where the offers come from.
#[derive(Debug, Serialize)]
pub struct CatalogAnswer {
    /// False when every component brings its own choices.
    pub used: bool,
    /// The number of offers.
    pub offers: usize,
    /// When the prices were read.
    pub date: Option<String>,
    /// How long ago.
    pub age_days: Option<i64>,
    /// From where.
    pub source: Option<String>,
}

/// How an answer was proven.
#[derive(Debug, Serialize)]
pub struct ProofAnswer {
    /// Decimal logarithm of the number of combinations of offers and cardinalities.
    pub combinations_log10: f64,
    /// Ways to fill a shared node.
    pub patterns: usize,
    /// Independent sub-problems.
    pub clusters: usize,
    /// Columns of the largest integer program.
    pub columns: usize,
    /// Rows of the largest integer program.
    pub rows: usize,
    /// Nodes of the search trees.
    pub nodes: u64,
    /// Choices that were passed over because a formula has no value there.
    pub undefined: u64,
    /// What each component could choose from.
    pub reductions: IndexMap<String, ReductionAnswer>,
}

/// What a component could choose from.
#[derive(Debug, Serialize)]
pub struct ReductionAnswer {
    /// Offers that satisfy its requirements.
    pub admissible: usize,
    /// Of these not dominated by others.
    pub kept: usize,
}

/// The number, unless it is infinite or none.
pub fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
