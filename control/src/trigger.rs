//! Why a decision is made.

use serde::{Deserialize, Serialize};

/// What asks for a decision. Several that come close together are answered by one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Trigger {
    /// The application was submitted.
    Submitted,
    /// Its model was replaced.
    ModelReplaced,
    /// It is to be removed: everything of it is taken down.
    Leave {
        /// Who asked.
        by: String,
        /// With which scope; `None` when it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// A person asked.
    Person {
        /// Who.
        by: String,
        /// With which scope; `None` when it is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    },
    /// Rules that held are broken by what runs, with the values of now.
    Violated {
        /// The names of the constraints and SLOs, ascending.
        rules: Vec<String>,
    },
    /// Nodes are gone without our doing.
    NodesLost {
        /// Their names, ascending.
        nodes: Vec<String>,
    },
    /// Offers or prices are others.
    CatalogChanged,
    /// Metrics have had no new value for too long.
    MetricsStale {
        /// Their names, ascending.
        metrics: Vec<String>,
    },
    /// A plan ended otherwise than in its target.
    PlanEnded,
    /// What was decided upon changed while the decision was made.
    Overtaken,
    /// The regular time has come.
    Regular,
}

impl Trigger {
    /// True when the answer must not wait for others to come.
    pub fn is_urgent(&self) -> bool {
        match self {
            Trigger::Submitted
            | Trigger::ModelReplaced
            | Trigger::Leave { .. }
            | Trigger::Person { .. }
            | Trigger::Violated { .. }
            | Trigger::NodesLost { .. }
            | Trigger::Overtaken => true,
            Trigger::CatalogChanged | Trigger::MetricsStale { .. } | Trigger::PlanEnded | Trigger::Regular => false,
        }
    }

    /// The kind, in the words of the stored form and of policies.
    pub fn kind(&self) -> &'static str {
        match self {
            Trigger::Submitted => "submitted",
            Trigger::ModelReplaced => "model-replaced",
            Trigger::Leave { .. } => "leave",
            Trigger::Person { .. } => "person",
            Trigger::Violated { .. } => "violated",
            Trigger::NodesLost { .. } => "nodes-lost",
            Trigger::CatalogChanged => "catalog-changed",
            Trigger::MetricsStale { .. } => "metrics-stale",
            Trigger::PlanEnded => "plan-ended",
            Trigger::Overtaken => "overtaken",
            Trigger::Regular => "regular",
        }
    }

    /// True when a plan that is under way is given up for it, because the plan's ground is gone.
    pub fn supersedes(&self) -> bool {
        matches!(self, Trigger::ModelReplaced | Trigger::Leave { .. } | Trigger::NodesLost { .. })
    }
}

impl std::fmt::Display for Trigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trigger::Submitted => f.write_str("submitted"),
            Trigger::ModelReplaced => f.write_str("model replaced"),
            Trigger::Leave { by, .. } => write!(f, "removal asked for by {by}"),
            Trigger::Person { by, .. } => write!(f, "asked for by {by}"),
            Trigger::Violated { rules } => write!(f, "violated: {}", rules.join(", ")),
            Trigger::NodesLost { nodes } => write!(f, "nodes lost: {}", nodes.join(", ")),
            Trigger::CatalogChanged => f.write_str("offers or prices changed"),
            Trigger::MetricsStale { metrics } => write!(f, "no new values of {}", metrics.join(", ")),
            Trigger::PlanEnded => f.write_str("a plan did not reach its target"),
            Trigger::Overtaken => f.write_str("overtaken by a change"),
            Trigger::Regular => f.write_str("regular"),
        }
    }
}

/// Adds a trigger to those that wait, joining those of one kind.
pub fn join(waiting: &mut Vec<Trigger>, new: Trigger) {
    for old in waiting.iter_mut() {
        match (old, &new) {
            (Trigger::Violated { rules: all }, Trigger::Violated { rules: more })
            | (Trigger::NodesLost { nodes: all }, Trigger::NodesLost { nodes: more })
            | (Trigger::MetricsStale { metrics: all }, Trigger::MetricsStale { metrics: more }) => {
                all.extend(more.iter().cloned());
                all.sort_unstable();
                all.dedup();
                return;
            }
            (old, new) if *old == *new => return,
            _ => {}
        }
    }
    waiting.push(new);
    waiting.sort_unstable();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_of_one_kind_are_one() {
        let mut waiting = Vec::new();
        join(&mut waiting, Trigger::Regular);
        join(&mut waiting, Trigger::Violated { rules: vec!["b".into()] });
        join(&mut waiting, Trigger::Regular);
        join(&mut waiting, Trigger::Violated { rules: vec!["a".into(), "b".into()] });
        let violated = Trigger::Violated { rules: vec!["a".into(), "b".into()] };
        assert_eq!(waiting, [violated, Trigger::Regular]);
    }
}
