//! Policies read, checked against the schema, and asked.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cardinal_models::diagnostic::{Diagnostic, Diagnostics};
use cardinal_models::span::Span;
use cedar_policy::{Authorizer, Decision, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use super::SCHEMA;
use super::context::question;
use super::facts::Facts;
use super::limits::admit;
use super::ruling::{Applied, Effect, PolicyFault, PolicyName, Ruling};

/// Where people find what policies can ask about.
const SEE_SCHEMA: &str = "`cardinal schema policy` prints everything that a policy can ask about";

/// The schema; an error of its own would be found by every test of this module.
static PARSED: LazyLock<Result<Schema, String>> =
    LazyLock::new(|| Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema).map_err(|e| e.to_string()));

/// Policies that have been read and fit the schema.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    set: PolicySet,
    /// What is known of each policy, by the id that it has in the set.
    known: BTreeMap<String, Applied>,
    /// What is probably not meant.
    warnings: Diagnostics,
}

impl Policies {
    /// Reads policies and checks them against the schema.
    ///
    /// # Errors
    /// Everything that is wrong with them, with places in the text and what to write instead.
    pub fn parse(text: &str, name: &str) -> Result<Self, Diagnostics> {
        admit(text).map_err(|finding| Diagnostics(vec![finding]))?;
        let set: PolicySet = text.parse().map_err(|errors: cedar_policy::ParseErrors| {
            let findings =
                errors.iter().map(|error| finding(error, text, "it is not written as Cedar writes policies"));
            sorted(findings.collect())
        })?;
        if let Some(template) = set.templates().next() {
            let message = "a template with `?principal` or `?resource` cannot be used";
            let finding = Diagnostic::error(Span::NONE, message);
            let help = format!("write `{}` without it", template.annotation("id").unwrap_or("the policy"));
            return Err(Diagnostics(vec![finding.help(help)]));
        }
        let schema = PARSED.as_ref().map_err(|e| Diagnostics(vec![Diagnostic::error(Span::NONE, e.clone())]))?;
        let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
        let mut errors: Vec<Diagnostic> = checked.validation_errors().map(|e| finding(e, text, SEE_SCHEMA)).collect();
        // Where a name is unknown, Cedar says as well that nothing fits the policy.
        let consequence = |d: &Diagnostic| d.message.starts_with("unable to find an applicable action");
        if errors.iter().any(|d| !consequence(d)) {
            errors.retain(|d| !consequence(d));
        }
        if !errors.is_empty() {
            return Err(sorted(errors));
        }
        let warnings = checked.validation_warnings().map(|w| {
            let found = finding(w, text, SEE_SCHEMA);
            Diagnostic { severity: cardinal_models::diagnostic::Severity::Warning, ..found }
        });
        Policies::named(text, name, &set, sorted(warnings.collect()))
    }

    /// The policies under ids that are told apart from those of other texts.
    fn named(text: &str, name: &str, set: &PolicySet, mut warnings: Diagnostics) -> Result<Self, Diagnostics> {
        let mut all = Policies::default();
        let mut ids: BTreeMap<String, usize> = BTreeMap::new();
        let mut policies: Vec<_> = set.policies().collect();
        // The parser numbers them in the order of the text: policy0, policy1 and so on.
        policies
            .sort_by_key(|p| p.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX));
        for (index, policy) in policies.into_iter().enumerate() {
            let annotation = |key: &str| policy.annotation(key).map(str::trim).filter(|t| !t.is_empty());
            let id = annotation("id").map(str::to_owned).unwrap_or_else(|| {
                let message = format!("the policy {} of the text has no `@id`", index + 1);
                let help = "write `@id(\"a-name\")` before it, so that a denial can name it";
                warnings.push(Diagnostic::warning(Span::NONE, message).help(help));
                format!("policy {}", index + 1)
            });
            if ids.insert(id.clone(), index).is_some() {
                let message = format!("two policies have the id `{id}`");
                let place = text.match_indices(&format!("\"{id}\"")).nth(1).map(|(at, found)| (at, at + found.len()));
                let span = place.map_or(Span::NONE, |(start, end)| Span::new(start, end));
                let finding = Diagnostic::error(span, message).help("give each its own, so that a denial names one");
                return Err(Diagnostics(vec![finding]));
            }
            let effect = match policy.effect() {
                cedar_policy::Effect::Permit => Effect::Permit,
                cedar_policy::Effect::Forbid => Effect::Forbid,
            };
            let applied = Applied {
                policy: PolicyName { text: name.to_owned(), id },
                effect,
                description: annotation("description").map(str::to_owned),
                advice: annotation("advice").map(str::to_owned),
            };
            all.add(policy.clone(), applied);
        }
        all.warnings = warnings;
        Ok(all)
    }

    fn add(&mut self, policy: cedar_policy::Policy, applied: Applied) {
        let key = format!("{:06}", self.known.len());
        // Cannot fail: the id is new to the set.
        if self.set.add(policy.new_id(PolicyId::new(&key))).is_ok() {
            self.known.insert(key, applied);
        }
    }

    /// Adds the policies of another text.
    pub fn extend(&mut self, more: Policies) {
        for (key, applied) in more.known {
            if let Some(policy) = more.set.policy(&PolicyId::new(&key)) {
                self.add(policy.clone(), applied);
            }
        }
        self.warnings.0.extend(more.warnings.0);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What is probably not meant.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Whether what the facts tell of is allowed, and by which policies. The same policies and facts give the same ruling.
    pub fn judge(&self, facts: &Facts) -> Ruling {
        if self.is_empty() {
            return Ruling::without_policies();
        }
        let asked = PARSED.as_ref().map_err(Clone::clone).and_then(|schema| question(facts, schema));
        let (request, entities) = match asked {
            Ok(asked) => asked,
            Err(message) => return Ruling::unanswerable(message),
        };
        let answer = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let faults = answer.diagnostics().errors().map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => {
                PolicyFault { policy: self.name_of(error.policy_id()), message: error.inner().to_string() }
            }
        });
        let mut faults: Vec<PolicyFault> = faults.collect();
        faults.sort_unstable();
        let allowed = answer.decision() == Decision::Allow && faults.is_empty();
        let decided = answer.diagnostics().reason().filter_map(|id| self.known.get(&id.to_string()));
        let wanted = if allowed { Effect::Permit } else { Effect::Forbid };
        let mut policies: Vec<Applied> = decided.filter(|p| p.effect == wanted).cloned().collect();
        policies.sort_unstable_by(|a, b| a.policy.cmp(&b.policy));
        Ruling { allowed, policies, faults }
    }

    fn name_of(&self, id: &PolicyId) -> Option<PolicyName> {
        self.known.get(&id.to_string()).map(|p| p.policy.clone())
    }
}

/// What Cedar finds, with its first place and its mend.
fn finding(error: &(impl miette::Diagnostic + ?Sized), text: &str, otherwise: &str) -> Diagnostic {
    let message = in_user_words(&error.to_string());
    let label = error.labels().and_then(|mut labels| labels.next());
    let span = match &label {
        Some(label) => Span::new(label.offset(), label.offset() + label.len()),
        // Of a name that the schema does not have Cedar tells no place.
        None => message
            .split('`')
            .nth(1)
            .and_then(|word| Some((text.find(word)?, word.len())))
            .map_or(Span::NONE, |(start, length)| Span::new(start, start + length)),
    };
    let help = error.help().map(|help| help.to_string());
    let help = help.or_else(|| label.and_then(|label| label.label().map(str::to_owned)));
    Diagnostic::error(span, message).help(help.unwrap_or_else(|| otherwise.to_owned()))
}

/// Without the number that the policy has inside Cedar: the place says which it is.
fn in_user_words(message: &str) -> String {
    let rest = message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    rest.map_or(message, |(_, rest)| rest).to_owned()
}

/// By place. Cedar looks at a policy once for each action and principal and finds the same again; one of them is told.
fn sorted(findings: Vec<Diagnostic>) -> Diagnostics {
    let mut findings = Diagnostics(findings);
    findings.0.sort_by(|a, b| a.span.cmp(&b.span).then_with(|| a.message.cmp(&b.message)));
    findings
        .0
        .dedup_by(|later, earlier| !later.span.is_none() && later.span == earlier.span && later.help == earlier.help);
    findings
}
