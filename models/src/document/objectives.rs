//! What is best, as it is written: one objective, a weighted sum, or several in their order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scalar;
use crate::span::Spanned;

/// What is best.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum UtilityDocument {
    /// The larger the better.
    Maximize {
        /// The formula.
        maximize: Spanned<Scalar>,
    },
    /// The smaller the better.
    Minimize {
        /// The formula.
        minimize: Spanned<Scalar>,
    },
    /// The weighted sum of several objectives.
    Weighted {
        /// The objectives with their weights.
        #[schemars(length(min = 1))]
        weighted: Vec<WeightedDocument>,
    },
    /// Several objectives in the order of their importance: each is optimised among the placements that are best, or
    /// within its tolerance of the best, in all before it.
    Lexicographic {
        /// The objectives, the most important first.
        #[schemars(length(min = 1))]
        lexicographic: Vec<RankedDocument>,
    },
}

/// One objective of a weighted sum: `maximize` or `minimize`, and a weight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedDocument {
    /// The formula, the larger the better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximize: Option<Spanned<Scalar>>,
    /// The formula, the smaller the better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimize: Option<Spanned<Scalar>>,
    /// How much one unit of it counts: a number from zero or a formula over constants. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [0.3, "importance"]))]
    pub weight: Option<Spanned<Scalar>>,
    /// What answers call it. Default: its formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Spanned<String>>,
}

/// One of several objectives in their order: `maximize`, `minimize` or `weighted`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankedDocument {
    /// The formula, the larger the better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximize: Option<Spanned<Scalar>>,
    /// The formula, the smaller the better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimize: Option<Spanned<Scalar>>,
    /// A weighted sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub weighted: Option<Vec<WeightedDocument>>,
    /// How much of it may be given up for the objectives after it: a share of its best value, such as `2 %`, or an
    /// amount in its own unit, such as `0.05` or `10 ms`. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = ["2 %", 0.05, "10 ms"]))]
    pub tolerance: Option<Spanned<Scalar>>,
    /// What answers call it. Default: its formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Spanned<String>>,
}

impl UtilityDocument {
    /// Every formula in it.
    pub fn formulas(&self) -> Vec<&Spanned<Scalar>> {
        fn parts(weighted: &[WeightedDocument]) -> Vec<&Spanned<Scalar>> {
            weighted.iter().flat_map(|part| part.maximize.iter().chain(&part.minimize)).collect()
        }
        match self {
            UtilityDocument::Maximize { maximize: formula } | UtilityDocument::Minimize { minimize: formula } => {
                vec![formula]
            }
            UtilityDocument::Weighted { weighted } => parts(weighted),
            UtilityDocument::Lexicographic { lexicographic } => lexicographic
                .iter()
                .flat_map(|one| {
                    let alone = one.maximize.iter().chain(&one.minimize);
                    alone.chain(parts(one.weighted.as_deref().unwrap_or(&[])))
                })
                .collect(),
        }
    }
}
