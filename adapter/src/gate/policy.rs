//! The numbers of the gate. Every one has a default and can be set for each application.

use serde::{Deserialize, Serialize};

use super::window::Window;
use crate::diff::{Figures, Money};
use crate::plan::Amount;

/// When a change is worth its disturbance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatePolicy {
    /// The time over which a change must pay for itself, in seconds. Default: one hour.
    pub payback_horizon_s: u64,
    /// The net gain must be at least this, in the unit of the objective. Default: 0.
    pub floor_absolute: f64,
    /// The net gain must be at least this share of the running score. Default: 0.05.
    pub floor_relative: f64,
    /// Scores closer to zero than this count as this large where a share is taken. Default: 1e-9.
    pub scale_least: f64,
    /// A share of disruption must bring at least the k-th part of it as a share of gain. Default: 2.
    pub k: f64,
    /// What stopping an instance costs beside double running, as for moved data or cold caches, in 1e-9 of the currency
    /// unit. Default: 0.
    pub cost_per_stop: Money,
    /// How long a change must have been wanted without a break.
    pub stabilisation: Stabilisation,
    /// How long after one change the next may begin.
    pub cooldown: Cooldown,
    /// How often the direction may turn.
    pub flaps: FlapBudget,
    /// How many instances may be stopped, and when.
    pub budgets: Vec<DisruptionBudget>,
    /// Changes that are no repair begin only inside one of these; any time when there are none.
    pub windows: Vec<Window>,
    /// What repairs must keep of budgets and windows. Default: nothing.
    pub repairs: Repairs,
    /// What counts as a small change, for applications that apply only these without a person.
    pub small: SmallChange,
}

impl Default for GatePolicy {
    fn default() -> Self {
        GatePolicy {
            payback_horizon_s: 3600,
            floor_absolute: 0.0,
            floor_relative: 0.05,
            scale_least: 1e-9,
            k: 2.0,
            cost_per_stop: Money(0),
            stabilisation: Stabilisation::default(),
            cooldown: Cooldown::default(),
            flaps: FlapBudget::default(),
            budgets: Vec::new(),
            windows: Vec::new(),
            repairs: Repairs::default(),
            small: SmallChange::default(),
        }
    }
}

/// How long a change must have been wanted without a break, by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stabilisation {
    /// For more, in seconds. Default: 0.
    pub up_s: u64,
    /// For less, or for something else of the same size, in seconds. Default: 300.
    pub down_s: u64,
    /// For repairs, in seconds. Default: 0.
    pub repair_s: u64,
    /// A wish that was not seen for longer than this, and longer than its window, begins anew, in seconds. Default: 900.
    pub gap_s: u64,
}

impl Default for Stabilisation {
    fn default() -> Self {
        Stabilisation { up_s: 0, down_s: 300, repair_s: 0, gap_s: 900 }
    }
}

/// How long after the end of one change the next may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cooldown {
    /// For changes that gain, in seconds. Default: 120.
    pub change_s: u64,
    /// For repairs, in seconds. Default: 0.
    pub repair_s: u64,
}

impl Default for Cooldown {
    fn default() -> Self {
        Cooldown { change_s: 120, repair_s: 0 }
    }
}

/// How often the direction may turn, or a deployment that was just left be gone back to. Repairs count and are not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlapBudget {
    /// So many times. Default: 2.
    pub most: u32,
    /// In so many seconds. Default: 3600.
    pub within_s: u64,
}

impl Default for FlapBudget {
    fn default() -> Self {
        FlapBudget { most: 2, within_s: 3600 }
    }
}

/// A limit on stopped instances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisruptionBudget {
    /// Instances, or a share of those that run, rounded up.
    pub limit: Amount,
    /// Counted over so many seconds. Default: 3600.
    #[serde(default = "an_hour")]
    pub within_s: u64,
    /// It holds only during this; always when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub during: Option<Window>,
}

fn an_hour() -> u64 {
    3600
}

/// What repairs must keep of budgets and windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repairs {
    /// Nothing: what is broken is mended at once.
    #[default]
    AtOnce,
    /// Budgets and windows hold for repairs too.
    WithinBudgets,
}

/// What counts as a small change: all of this together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmallChange {
    /// At most so many running instances are stopped, or a share of them, rounded up. Default: 10 %.
    pub stops: Amount,
    /// At most so many nodes are bought or given back, or a share of those that run, rounded up. Default: 10 %.
    pub nodes: Amount,
    /// The cost rises by at most so many in a hundred. Default: 25.
    pub cost_rise_percent: u32,
}

impl Default for SmallChange {
    fn default() -> Self {
        SmallChange { stops: Amount::Percent(10), nodes: Amount::Percent(10), cost_rise_percent: 25 }
    }
}

impl SmallChange {
    /// True when a change is small.
    pub fn admits(&self, figures: &Figures) -> bool {
        let before = i128::from(figures.cost_before_nanos.nanos());
        let after = i128::from(figures.cost_after_nanos.nanos());
        let nodes = figures.nodes_created.max(figures.nodes_deleted);
        figures.instances_stopped <= self.stops.of_rounded_up(figures.instances_running)
            && nodes <= self.nodes.of_rounded_up(figures.nodes_running)
            && after * 100 <= before * (100 + i128::from(self.cost_rise_percent))
    }
}

impl GatePolicy {
    /// What is wrong with the numbers, each with the name of the setting; nothing when all make sense.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (name, value) in [("floor_absolute", self.floor_absolute), ("floor_relative", self.floor_relative)] {
            if !value.is_finite() || value < 0.0 {
                mistakes.push(format!("{name} is {value}; write a number that is not negative"));
            }
        }
        for (name, value) in [("k", self.k), ("scale_least", self.scale_least)] {
            if !value.is_finite() || value <= 0.0 {
                mistakes.push(format!("{name} is {value}; write a positive number"));
            }
        }
        if self.payback_horizon_s == 0 {
            mistakes.push("payback_horizon_s is 0; write a number of seconds, such as 3600".to_owned());
        }
        if self.cost_per_stop.0 < 0 {
            mistakes.push("cost_per_stop is negative".to_owned());
        }
        mistakes
    }
}
