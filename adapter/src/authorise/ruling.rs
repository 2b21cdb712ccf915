//! What the policies say of a plan, with the names of those that decided it.

use std::fmt;

use cardinal_models::diagnostic::Diagnostics;
use serde::{Deserialize, Serialize};

/// What a policy does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It allows.
    Permit,
    /// It denies, whatever others say.
    Forbid,
}

/// The name of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyName {
    /// The text that it stands in.
    pub text: String,
    /// Its annotation `@id`, or its number in the text.
    pub id: String,
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of {}", self.id, self.text)
    }
}

/// A policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Which.
    pub policy: PolicyName,
    /// What it does.
    pub effect: Effect,
    /// Its annotation `@description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its annotation `@advice`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A policy that could not be asked, which denies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyFault {
    /// Which; `None` when the fault is in the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyName>,
    /// Why.
    pub message: String,
}

/// Whether a plan may begin, and which policies say so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a plan that is denied must not begin"]
pub struct Ruling {
    /// Whether.
    pub allowed: bool,
    /// The policies that decided, ascending by name: permits when it is allowed, otherwise forbids. None when it is denied
    /// because nothing permits it.
    pub policies: Vec<Applied>,
    /// The policies that could not be asked, ascending; each of them denies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<PolicyFault>,
}

impl Ruling {
    /// Everything is allowed, because there are no policies.
    pub(super) fn without_policies() -> Self {
        Ruling { allowed: true, policies: Vec::new(), faults: Vec::new() }
    }

    /// Denied, because the question cannot be put.
    pub(super) fn unanswerable(message: String) -> Self {
        Ruling { allowed: false, policies: Vec::new(), faults: vec![PolicyFault { policy: None, message }] }
    }

    /// Denied, because policies cannot be read.
    pub(super) fn unreadable<'a>(wrong: impl Iterator<Item = (&'a str, &'a Diagnostics)>) -> Self {
        let faults = wrong.map(|(name, findings)| {
            let first = findings.0.first().map_or("it cannot be read", |d| d.message.as_str());
            PolicyFault { policy: None, message: format!("{name} cannot be read: {first}") }
        });
        Ruling { allowed: false, policies: Vec::new(), faults: faults.collect() }
    }

    /// The names of the policies that deny it; none when it is allowed, or when nothing permits it.
    pub fn denied_by(&self) -> Vec<&PolicyName> {
        if self.allowed {
            return Vec::new();
        }
        let faulty = self.faults.iter().filter_map(|f| f.policy.as_ref());
        self.policies.iter().map(|p| &p.policy).chain(faulty).collect()
    }

    /// The ruling in one sentence for people.
    pub fn sentence(&self) -> String {
        if self.allowed {
            return "The policies allow it.".to_owned();
        }
        let mut parts: Vec<String> = self.policies.iter().map(Applied::sentence).collect();
        parts.extend(self.faults.iter().map(PolicyFault::sentence));
        if parts.is_empty() {
            return "Denied: no policy permits it, and where policies are given, what none of them permits is denied; a \
                    policy `permit (principal, action, resource);` leaves everything to those that forbid."
                .to_owned();
        }
        format!("Denied {}.", parts.join("; "))
    }
}

impl Applied {
    fn sentence(&self) -> String {
        let words = [&self.description, &self.advice].into_iter().flatten();
        let words: Vec<&str> = words.map(|w| w.trim().trim_end_matches('.')).collect();
        let why = if words.is_empty() { String::new() } else { format!(": {}", words.join(". ")) };
        format!("by the policy {}{why}", self.policy)
    }
}

impl PolicyFault {
    fn sentence(&self) -> String {
        let message = self.message.trim_end_matches('.');
        match &self.policy {
            Some(policy) => format!("because the policy {policy} cannot be evaluated: {message}"),
            None => format!("because the policies cannot be asked: {message}"),
        }
    }
}
