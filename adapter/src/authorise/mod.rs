//! Whether a plan may begin: Cedar policies over the facts of the plan.
//!
//! Without policies everything is allowed. Policies that are given are asked as Cedar is: what no `permit` allows is
//! denied, and a `forbid` that applies denies whatever permits say. Beyond that, a policy that cannot be evaluated denies
//! (Cedar itself would pass over it, also over a `forbid`). A ruling is a pure function of the policies and the facts, so a
//! decision replays to the same ruling.

use std::collections::BTreeSet;
use std::sync::Arc;

use cardinal_models::diagnostic::{Diagnostics, Source};
use serde::{Deserialize, Serialize};

pub mod clock;
mod context;
pub mod facts;
mod limits;
mod policies;
mod ruling;
#[cfg(test)]
mod tests;

pub use clock::{LocalTime, UnknownZone, Zone};
pub use facts::{Asker, Change, Deed, Facts, Grounds, Nodes, Occasion};
pub use limits::{TEXT_BYTES_MAX, TOKENS_MAX};
pub use policies::Policies;
pub use ruling::{Applied, Effect, PolicyFault, PolicyName, Ruling};

use crate::plan::Plan;

/// The Cedar schema that policies are checked against, with what each fact means.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// Some policies as they are written, under a name that people know them by, such as that of their file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyText {
    /// The name.
    pub name: String,
    /// The text, in Cedar's policy language.
    pub text: Arc<str>,
}

/// Which plans may begin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Authorisation {
    /// The IANA time zone of the local time that policies see. Default: UTC.
    pub time_zone: Zone,
    /// The policies; with none, everything is allowed.
    pub policies: Vec<PolicyText>,
}

impl Authorisation {
    /// The policies, read and checked.
    ///
    /// # Errors
    /// What is wrong with each text that cannot be used.
    pub fn read(&self) -> Result<Policies, Vec<(PolicyText, Diagnostics)>> {
        let mut all = Policies::default();
        let mut wrong = Vec::new();
        for text in &self.policies {
            match Policies::parse(&text.text, &text.name) {
                Ok(policies) => all.extend(policies),
                Err(findings) => wrong.push((text.clone(), findings)),
            }
        }
        if wrong.is_empty() { Ok(all) } else { Err(wrong) }
    }

    /// Whether a plan may begin on this occasion; `None` when there are no policies. Policies that cannot be read deny.
    pub fn judge(&self, plan: &Plan, occasion: &Occasion) -> Option<Ruling> {
        if self.policies.is_empty() {
            return None;
        }
        Some(match self.read() {
            Ok(policies) => policies.judge(&Facts::of(plan, occasion, &self.time_zone)),
            Err(wrong) => Ruling::unreadable(wrong.iter().map(|(text, findings)| (text.name.as_str(), findings))),
        })
    }

    /// What is wrong with the policies, each with its place; nothing when all can be used.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        let mut names = BTreeSet::new();
        for text in &self.policies {
            if !names.insert(&text.name) {
                mistakes.push(format!("policies: two are called `{}`; a denial could not tell them apart", text.name));
            }
        }
        for (text, findings) in self.read().err().unwrap_or_default() {
            let source = Source::new(text.name.clone(), text.text.to_string());
            for finding in findings.0 {
                let (line, column) = source.line_column(finding.span.start);
                let place = if finding.span.is_none() { String::new() } else { format!(":{line}:{column}") };
                let help = finding.help.map(|help| format!("; {help}")).unwrap_or_default();
                mistakes.push(format!("policies: {}{place}: {}{help}", text.name, finding.message));
            }
        }
        mistakes
    }
}
