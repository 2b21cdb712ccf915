//! Why there is a plan, in the words of policies.

use cardinal_adapter::authorise::Grounds;
use cardinal_adapter::gate::{Reason, Verdict};

use crate::input::DecisionInput;

/// Why there is a plan: what asked for the decision, and what the gate says of the change.
pub(crate) fn grounds(input: &DecisionInput, verdict: Option<&Verdict>) -> Grounds {
    let mut grounds = Grounds::default();
    grounds.causes.extend(input.triggers.iter().map(|t| t.kind().to_owned()));
    let word = match verdict.map(|v| &v.reason) {
        Some(Reason::Repair { violated, .. }) => {
            grounds.repairs.extend(violated.iter().cloned());
            "repair"
        }
        Some(Reason::First) => "first",
        Some(Reason::Ordered) => "ordered",
        Some(Reason::EmptyNodes) => "empty-nodes",
        Some(Reason::Worth) => "worth",
        // Of these no plan is made.
        None | Some(Reason::NoChange | Reason::NoValue | Reason::Held { .. }) => return grounds,
    };
    grounds.causes.insert(word.to_owned());
    grounds
}
