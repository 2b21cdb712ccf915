//! Data sources and links as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Scalar};
use crate::span::Spanned;

/// Data that components read and write. Where its replicas are is given with `place`, or chosen among `places`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How large each replica is, such as `200 GB`. It counts for storage and for what has to be moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["200 GB", "2 TB"]))]
    pub size: Option<Spanned<Scalar>>,
    /// Where it is: a region (`eu-central-1`), a `provider/region`, or a list of them with a replica in each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["eu-central-1", ["aws/eu-central-1", "aws/us-east-1"]]))]
    pub place: Option<OneOrMany>,
    /// Where replicas may be put: regions, countries, continents, providers, or a `provider/` before one of them. Without
    /// it and `place`, any region of the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["EU", ["aws/eu-central-1", "EU"]]))]
    pub places: Option<OneOrMany>,
    /// How many replicas are kept where places are chosen: a number or an inclusive range, such as `1..2`. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [1, "1..2"]))]
    pub replicas: Option<Spanned<Scalar>>,
    /// What storing it costs for each replica, such as `0.023 USD/GB/month`; it is part of the total cost. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["0.023 USD/GB/month"]))]
    pub storage_price: Option<Spanned<Scalar>>,
}

/// Traffic from one component or data source to another. What leaves a region costs what the network of the catalog says
/// and is part of the total cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDocument {
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The component or data source that sends.
    pub from: Spanned<String>,
    /// The component or data source that receives.
    pub to: Spanned<String>,
    /// How much is sent per time, by all instances together: a quantity such as `20 GB/h`, or a formula over metrics and
    /// constants, a bare number in GB/h. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["20 GB/h", "requests * 2 MB"]))]
    pub traffic: Option<Spanned<Scalar>>,
    /// How much is sent back per time, written like `traffic`. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["1 GB/h"]))]
    pub back: Option<Spanned<Scalar>>,
    /// The largest round-trip time between any two instances that talk, such as `10 ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["10 ms"]))]
    pub latency: Option<Spanned<Scalar>>,
}
