//! What is watched over time: events made of violations, and error budgets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::span::Spanned;

/// How grave a violation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It is told and nothing is decided because of it.
    Info,
    /// It asks for a new decision.
    #[default]
    Warning,
    /// It asks for a new decision, and people should know.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// A pattern of violations: exactly one of `all`, `any`, `sequence` and `repeats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// All of these SLOs or constraints began to be violated, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Spanned<String>>,
    /// Any of these began to be violated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Spanned<String>>,
    /// These began to be violated one after the other, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequence: Vec<Spanned<String>>,
    /// This one began to be violated again and again, `times` in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Spanned<String>>,
    /// How often what repeats must begin. Default: 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<Spanned<Scalar>>,
    /// All of it lies within this time, such as `10m`; the event lasts until it does no longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10m"]))]
    pub within: Option<Spanned<Scalar>>,
    /// `info` is told, `warning` (the default) and `critical` ask for a new decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A share of good outcomes that is promised over a time, and how fast what may go wrong is used up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBudgetDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The metric that counts what went wrong: aggregated by `increase`, `rate`, `sum` or `count`.
    pub bad: Spanned<String>,
    /// The metric that counts everything.
    pub total: Spanned<String>,
    /// The share that is promised to be good, such as `99.9 %`.
    #[schemars(extend("examples" = ["99.9 %"]))]
    pub target: Spanned<Scalar>,
    /// The time over which it is promised. Default: 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["30d"]))]
    pub window: Option<Spanned<Scalar>>,
    /// When too much is used up in a short time. Default: 2 % of the budget in 1 hour (critical), and 5 % in 6 hours.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub burn: Vec<BurnDocument>,
}

/// How much of an error budget may be used up in a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnDocument {
    /// This share of the budget, such as `2 %`.
    #[schemars(extend("examples" = ["2 %"]))]
    pub share: Spanned<Scalar>,
    /// Used up in this time, such as `1h`.
    #[schemars(extend("examples" = ["1h"]))]
    pub over: Spanned<Scalar>,
    /// And still being used up as fast in this shorter time, so that it is over soon after the cause is. Default: a
    /// twelfth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["5m"]))]
    pub and: Option<Spanned<Scalar>>,
    /// `info` is told, `warning` (the default) and `critical` ask for a new decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}
