//! Why an answer is what it is, as plain data. Put together in [`compose`].

pub mod compose;

use serde::Serialize;
use serde_json::Value;

use crate::answer::RuleAnswer;

/// Why.
#[derive(Debug, Default, Serialize)]
pub struct ExplanationAnswer {
    /// The objective term by term; the values add up to the utility.
    pub terms: Vec<TermAnswer>,
    /// The objectives after the first, term by term.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later_terms: Vec<LaterTermsAnswer>,
    /// Rules without which a better placement would be possible.
    pub binding: Vec<BindingAnswer>,
    /// False when not every rule was tried.
    pub binding_complete: bool,
    /// What came next.
    pub alternatives: Vec<AlternativesAnswer>,
    /// Why there is no placement.
    pub conflict: Option<ConflictAnswer>,
    /// Why not the placements that were asked for.
    pub why_not: Vec<WhyNotAnswer>,
    /// True when the terms are shown to people too.
    #[serde(skip)]
    pub is_full: bool,
}

/// An objective after the first, term by term.
#[derive(Debug, Serialize)]
pub struct LaterTermsAnswer {
    /// The objective.
    pub objective: String,
    /// Its terms.
    pub terms: Vec<TermAnswer>,
}

/// Which of several objectives is better, and how much.
#[derive(Debug, Serialize)]
pub struct GainedAnswer {
    /// The objective.
    pub objective: String,
    /// Its best value now.
    pub from: f64,
    /// Its best value then.
    pub to: f64,
}

/// A term of the objective.
#[derive(Debug, Serialize)]
pub struct TermAnswer {
    /// The part of the formula.
    pub term: String,
    /// Its unit; null for a bare number.
    pub unit: Option<String>,
    /// Its value.
    pub value: Option<f64>,
    /// Its value for what runs now.
    pub current: Option<f64>,
    /// What it looks at.
    pub inputs: Vec<InputAnswer>,
}

/// What a term looks at.
#[derive(Debug, Serialize)]
pub struct InputAnswer {
    /// Its name in formulas.
    pub name: String,
    /// Its unit; null for a bare number.
    pub unit: Option<String>,
    /// Its value: a number, a truth value or a text.
    pub value: Value,
    /// Its value for what runs now.
    pub current: Value,
}

/// A rule that binds.
#[derive(Debug, Serialize)]
pub struct BindingAnswer {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleAnswer,
    /// Which of several objectives is better without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained: Option<GainedAnswer>,
    /// The utility without it.
    pub utility_without: Option<f64>,
    /// The cost without it.
    pub cost_per_hour_without: f64,
    /// What relaxing its limits gains, each found by solving with it.
    pub relaxed: Vec<StepAnswer>,
}

/// The next break point of a limit.
#[derive(Debug, Serialize)]
pub struct StepAnswer {
    /// The limit and its change.
    #[serde(flatten)]
    pub change: LimitAnswer,
    /// The utility then.
    pub utility: Option<f64>,
    /// The cost then.
    pub cost_per_hour: f64,
    /// Which of several objectives gains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gained: Option<GainedAnswer>,
    /// What the objective gains.
    pub gain: f64,
    /// The same per unit of the limit.
    pub gain_per_unit: f64,
}

/// A limit and how it is relaxed.
#[derive(Debug, Serialize)]
pub struct LimitAnswer {
    /// The limit; null when both sides of a comparison depend on the placement.
    pub limit: Option<f64>,
    /// What it becomes.
    pub limit_then: Option<f64>,
    /// The amount by which it is relaxed.
    pub by: f64,
    /// The unit of all of these; null for a bare number.
    pub unit: Option<String>,
    /// `low` for a lower limit, which is relaxed downwards, or `high`.
    pub end: &'static str,
    /// True when it is proven that no smaller amount has the effect.
    pub is_least: bool,
}

/// What came next for a group of nodes.
#[derive(Debug, Serialize)]
pub struct AlternativesAnswer {
    /// The group, as an index into `nodes`.
    pub nodes: usize,
    /// What it hosts.
    pub components: Vec<String>,
    /// The chosen offer.
    pub chosen: String,
    /// The others, best first.
    pub offers: Vec<AlternativeAnswer>,
}

/// An offer that was not chosen.
#[derive(Debug, Serialize)]
pub struct AlternativeAnswer {
    /// Its id.
    pub offer: String,
    /// Its price per hour.
    pub price: f64,
    /// The number of instances that would be best on it.
    pub cardinality: u32,
    /// `worse`, `breaks` (a rule) or `refused` (by a requirement).
    pub lost: &'static str,
    /// Why, in words; null for a worse one.
    pub reason: Option<String>,
    /// The utility with it.
    pub utility: Option<f64>,
    /// The cost of all nodes with it.
    pub cost_per_hour: Option<f64>,
    /// What ranks a worse one lower: `term`, `objective` (one after the first), `cost` or `order`.
    pub decided_by: Option<&'static str>,
    /// The term of the objective that loses most, or the later objective that decides, with its value on the answer and
    /// on this one.
    pub term: Option<DecisiveTermAnswer>,
    /// `kept` or `optimised`: what became of the rest of the placement.
    pub rest: &'static str,
}

/// The term that decides.
#[derive(Debug, Serialize)]
pub struct DecisiveTermAnswer {
    /// The term or the objective.
    pub term: String,
    /// Its value on the answer.
    pub chosen: f64,
    /// Its value on the alternative.
    pub with: f64,
}

/// Why there is no placement.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ConflictAnswer {
    /// No offer satisfies a component.
    NoOffer {
        /// The component.
        component: String,
        /// The line of the model where it stands.
        line: Option<usize>,
        /// The requirements that no offer satisfies together; each is needed for that.
        requirements: Vec<RequirementAnswer>,
        /// What would end the conflict.
        remedies: Vec<RemedyAnswer>,
    },
    /// Rules that exclude each other.
    Rules {
        /// The rules.
        rules: Vec<RuleAnswer>,
        /// True when each of them is known to be needed for the conflict.
        minimal: bool,
        /// Those of them that lack a value where the others hold.
        undefined: Vec<UndefinedAnswer>,
        /// What would end the conflict.
        remedies: Vec<RemedyAnswer>,
    },
    /// No rule can be blamed.
    Inherent,
    /// Not found in the time there was.
    Unknown,
}

/// A constraint without a value on a placement that all other rules allow.
#[derive(Debug, Serialize)]
pub struct UndefinedAnswer {
    /// The constraint.
    pub name: String,
    /// Why it has none.
    pub reason: String,
    /// Where the part of the formula that has none stands in the model.
    pub line: Option<usize>,
    /// The column there.
    pub column: Option<usize>,
}

/// A requirement and what it costs.
#[derive(Debug, Serialize)]
pub struct RequirementAnswer {
    /// The requirement.
    pub text: String,
    /// How many offers there would be without it.
    pub offers_without: usize,
    /// How many offers satisfy the others of the conflict; this one excludes all of them.
    pub offers_of_others: usize,
    /// Of these, the value that comes closest.
    pub nearest: Option<f64>,
    /// Its unit; null for a bare number.
    pub unit: Option<String>,
    /// `low` when the requirement asks for more than there is, `high` when for less.
    pub end: Option<&'static str>,
    /// Where it stands in the model.
    pub line: Option<usize>,
}

/// A change of the model with which a placement is possible.
#[derive(Debug, Serialize)]
pub struct RemedyAnswer {
    /// What is changed, all of it together.
    pub changes: Vec<ChangeOfRuleAnswer>,
    /// The utility then.
    pub utility: Option<f64>,
    /// The cost then.
    pub cost_per_hour: f64,
}

/// The change of one rule.
#[derive(Debug, Serialize)]
pub struct ChangeOfRuleAnswer {
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleAnswer,
    /// How its limit is relaxed; null when it is dropped.
    pub relaxed: Option<LimitAnswer>,
}

/// Why not a placement that was asked for.
#[derive(Debug, Serialize)]
pub struct WhyNotAnswer {
    /// The alternative as it was asked for.
    pub alternative: String,
    /// `worse`, `equal`, `better` (when the answer is not proven), `conflict`, `undefined` or `unknown`.
    pub verdict: &'static str,
    /// The utility with it.
    pub utility: Option<f64>,
    /// The cost with it.
    pub cost_per_hour: Option<f64>,
    /// The objective term by term: `value` with the alternative, `current` of the answer.
    pub terms: Vec<TermAnswer>,
    /// What else it changes, by component: instances by offer, more (or fewer) than in the answer.
    pub changes: Vec<crate::answer::ChangeAnswer>,
    /// Why it cannot be.
    pub conflict: Option<ConflictAnswer>,
}
