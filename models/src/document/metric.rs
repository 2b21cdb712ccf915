//! Metrics: formulas, and how samples become values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Entries, OneOrMany, Scalar};
use crate::span::Spanned;

/// A metric: a measured value, or a formula over other metrics and attributes. A text alone is a formula.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "a model has few of them, and most are of the large kind")]
pub enum MetricDocument {
    /// A formula.
    Formula(Spanned<Scalar>),
    /// All properties.
    Full(MetricProperties),
}

/// The properties of a metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricProperties {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Computed from other metrics, constants and attributes instead of measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<Spanned<Scalar>>,
    /// The component on which it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Spanned<String>>,
    /// The name of the series that is measured, as OpenTelemetry or Prometheus calls it. Default: the metric's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["http.server.request.duration", "http_requests_total"]))]
    pub source: Option<Spanned<String>>,
    /// Only series with these labels or attributes; a list is a choice, a `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Entries::is_empty")]
    pub labels: Entries<OneOrMany>,
    /// How samples become one value: `mean`, `sum`, `min`, `max`, `count`, `last`, `rate` (of a counter, per second),
    /// `increase` (of a counter), `stddev`, `p50` ... `p99`. Default: `mean` with a window, `last` without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::aggregates")]
    pub aggregate: Option<Spanned<String>>,
    /// Over what samples are aggregated: a time that slides (`5m`) or a number of samples (`100 samples`); with
    /// `tumbling` before it, one window follows the other and the last complete one counts (`tumbling 1h`). Default:
    /// 5 minutes where the aggregate needs one, else the last sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1m", "5m", "1h", "100 samples", "tumbling 1h"]))]
    pub window: Option<Spanned<Scalar>>,
    /// Aggregates the samples of each `instance`, `node`, `zone`, `region`, `provider` or `component` apart; `across`
    /// makes one value of theirs. Default: `global`, all samples together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Level>,
    /// How the values of instances, zones and so on become one: as `aggregate`, without `rate` and `increase`. Default:
    /// `sum` of counts, sums, rates and increases, `min` and `max` of themselves, otherwise `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::aggregates")]
    pub across: Option<Spanned<String>>,
    /// With fewer samples in the window there is no value. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_samples: Option<Spanned<Scalar>>,
    /// A value is fresh for so long after it was measured, such as `2m`. Default: that of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2m"]))]
    pub max_age: Option<Spanned<Scalar>>,
    /// After that the last value is held for so long, such as `10m`. Default: that of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10m"]))]
    pub hold: Option<Spanned<Scalar>>,
    /// What happens when a value can no longer be held. Default: that of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_stale: Option<WhenStale>,
    /// The unit of the value, such as `1/s`, `ms` or `percent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["percent", "ms", "1/s", "MiB"]))]
    pub unit: Option<Spanned<String>>,
    /// The value to use as long as none is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Spanned<Scalar>>,
}

/// The part of a deployment whose samples are aggregated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// One instance.
    Instance,
    /// One node.
    Node,
    /// One zone.
    Zone,
    /// One region.
    Region,
    /// One provider.
    Provider,
    /// One component.
    Component,
    /// Everything.
    Global,
}

impl Level {
    /// The word for it, which is also the label of a series that names it; none for everything.
    pub fn label(self) -> Option<&'static str> {
        Some(match self {
            Level::Instance => "instance",
            Level::Node => "node",
            Level::Zone => "zone",
            Level::Region => "region",
            Level::Provider => "provider",
            Level::Component => "component",
            Level::Global => return None,
        })
    }
}

/// What happens when the value of a metric can no longer be held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WhenStale {
    /// The default of the model is used; where it has none, no decision is made.
    #[default]
    FallBack,
    /// No decision is made.
    Refuse,
}

/// The ways in which samples become one value, beside percentiles such as `p95`.
pub const AGGREGATES: [&str; 9] = ["mean", "sum", "min", "max", "count", "last", "rate", "increase", "stddev"];
