//! What the gate concluded, with every figure that led to it.

use serde::{Deserialize, Serialize};

use super::history::{Course, GateHistory};
use crate::diff::Money;
use crate::time::UnixMs;

/// Whether a change is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// The change begins now.
    Apply,
    /// The change is held back.
    Hold,
    /// There is nothing to change.
    Nothing,
}

/// Why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// The wanted deployment is what runs.
    NoChange,
    /// Nothing runs yet.
    First,
    /// Something is broken and the change mends it.
    Repair {
        /// The names of the constraints and SLOs that the running deployment violates.
        violated: Vec<String>,
        /// Nodes that were lost.
        nodes_lost: u64,
    },
    /// A person asked for it.
    Ordered,
    /// Only nodes on which nothing runs are given back.
    EmptyNodes,
    /// The gain is worth the disturbance.
    Worth,
    /// The candidate's objective has no value, so it cannot be better.
    NoValue,
    /// These gates hold it back, in the order in which they were asked.
    Held {
        /// Which.
        by: Vec<GateName>,
    },
}

/// The gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateName {
    /// The candidate is better at all.
    Gain,
    /// The net gain reaches the absolute floor.
    AbsoluteFloor,
    /// The net gain reaches the relative floor.
    RelativeFloor,
    /// The share of gain is worth the share of disruption.
    Disruption,
    /// The change has been wanted long enough.
    Stabilisation,
    /// The last change is long enough ago.
    Cooldown,
    /// The direction does not turn too often.
    Flaps,
    /// Changes may begin at this time.
    Window,
    /// Not too many instances are stopped.
    Budget,
}

/// What one gate measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which gate.
    pub gate: GateName,
    /// True when it lets the change pass.
    pub passed: bool,
    /// What was measured.
    pub measured: f64,
    /// What is required: at least, or for [`GateName::Flaps`] and [`GateName::Budget`] at most.
    pub required: f64,
    /// The unit of both numbers.
    pub unit: String,
    /// When the gate will pass if nothing else changes; `None` when it passes or when time alone does not help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes_at: Option<UnixMs>,
}

impl Reading {
    /// How far the measure is from passing, in its unit; 0 when it passes.
    pub fn missing(&self) -> f64 {
        if self.passed { 0.0 } else { (self.required - self.measured).abs() }
    }
}

/// The figures of gain and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GainFigures {
    /// The running score; `None` when it has no value.
    pub running: Option<f64>,
    /// The candidate's score; `None` when it has no value.
    pub candidate: Option<f64>,
    /// How much better the candidate is, in the unit of the objective; negative when worse.
    pub gain: f64,
    /// The gain as a share of the running score.
    pub gain_share: f64,
    /// What the change itself costs.
    pub cost_of_change: Money,
    /// That cost as a share of what runs over the payback horizon.
    pub cost_share: f64,
    /// The gain share less the cost share.
    pub net_share: f64,
    /// The net share in the unit of the objective.
    pub net_gain: f64,
    /// The share of running instances that is stopped.
    pub disruption_share: f64,
}

/// What the gate concluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether.
    pub conclusion: Conclusion,
    /// Why.
    pub reason: Reason,
    /// Which way the change goes.
    pub course: Course,
    /// True when the change turns the direction or goes back to what was just left.
    pub flap: bool,
    /// True when the change is a small one by the policy.
    pub small: bool,
    /// Gain and cost.
    pub figures: GainFigures,
    /// Every gate that was asked, also those that passed.
    pub readings: Vec<Reading>,
}

/// A verdict and what the gate remembers after it.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "the history must be stored, or stabilisation windows never end"]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What to remember. A change that begins is added by [`GateHistory::begin`].
    pub history: GateHistory,
}

impl Verdict {
    /// The reading of the first gate that holds the change back.
    pub fn first_hold(&self) -> Option<&Reading> {
        self.readings.iter().find(|r| !r.passed)
    }

    /// The verdict in one sentence for people.
    pub fn sentence(&self) -> String {
        match &self.reason {
            Reason::NoChange => "The running deployment is already the best one.".to_owned(),
            Reason::First => "Nothing runs yet: the first deployment.".to_owned(),
            Reason::Repair { violated, nodes_lost } => {
                let mut broken = violated.clone();
                if *nodes_lost > 0 {
                    broken.push(format!("{nodes_lost} lost nodes"));
                }
                if broken.is_empty() {
                    broken.push("an objective without value".to_owned());
                }
                format!(
                    "{} {}.",
                    if self.conclusion == Conclusion::Apply { "Repairs" } else { "Would repair" },
                    broken.join(", ")
                )
            }
            Reason::Ordered => "Ordered by a person.".to_owned(),
            Reason::EmptyNodes => "Gives back nodes on which nothing runs.".to_owned(),
            Reason::Worth => {
                format!("The net gain of {:.1} % is worth the change.", 100.0 * self.figures.net_share)
            }
            Reason::NoValue => "The objective of the candidate has no value.".to_owned(),
            Reason::Held { .. } => match self.first_hold() {
                Some(reading) => format!("Held back: {}.", reading.sentence()),
                None => "Held back.".to_owned(),
            },
        }
    }
}

impl Reading {
    fn sentence(&self) -> String {
        let Reading { gate, passed: _, measured, required, unit, passes_at: _ } = self;
        let percent = |x: &f64| format!("{:.2} %", 100.0 * x);
        match gate {
            GateName::Gain => format!("the candidate is not better (gain {measured:.6})"),
            GateName::AbsoluteFloor => format!("the net gain of {measured:.6} is below the floor of {required:.6}"),
            GateName::RelativeFloor => {
                format!("the net gain of {} is below the floor of {}", percent(measured), percent(required))
            }
            GateName::Disruption => format!(
                "it gains {measured:.3} shares for each share of instances that it stops, and {required:.3} are required"
            ),
            GateName::Stabilisation => format!("wanted for {measured:.0} of {required:.0} {unit}"),
            GateName::Cooldown => format!("the last change ended {measured:.0} {unit} ago, {required:.0} must pass"),
            GateName::Flaps => format!("the direction would turn {measured:.0} times, {required:.0} are allowed"),
            GateName::Window => "changes may not begin at this time".to_owned(),
            GateName::Budget => format!("{measured:.0} instances would be stopped, {required:.0} may be"),
        }
    }
}
