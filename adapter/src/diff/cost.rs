//! What a change costs before it pays: nodes are paid for while they start and while they drain.

use std::collections::BTreeMap;
use std::fmt;

use cardinal_models::quantity::Price;
use serde::{Deserialize, Serialize};

use super::Diff;
use crate::deployment::RunningDeployment;

/// An amount of money in 1e-9 of the currency unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

impl Money {
    /// What a price per hour amounts to over a time, rounded up to a nano-unit.
    pub fn of(price: Price, duration_ms: u64) -> Self {
        const MS_PER_HOUR: i128 = 3_600_000;
        let nanos = i128::from(price.nanos()) * i128::from(duration_ms);
        Money(i64::try_from((nanos + MS_PER_HOUR - 1).div_euclid(MS_PER_HOUR)).unwrap_or(i64::MAX))
    }

    /// In currency units.
    pub fn units(self) -> f64 {
        self.0 as f64 / Price::SCALE as f64
    }
}

impl std::ops::Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Money>>(all: I) -> Money {
        all.fold(Money(0), |a, b| a + b)
    }
}

impl fmt::Display for Money {
    /// In currency units, as a price is printed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Price::from_nanos(self.0).fmt(f)
    }
}

/// How long a node takes from being asked for to serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartupTime {
    /// At best, in milliseconds.
    pub low_ms: u64,
    /// At worst, in milliseconds.
    pub high_ms: u64,
}

impl StartupTime {
    /// The middle of the range, in milliseconds.
    pub fn expected_ms(&self) -> u64 {
        self.low_ms / 2 + self.high_ms / 2 + (self.low_ms % 2 + self.high_ms % 2) / 2
    }
}

/// How long nodes take to come and to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StartupTimes {
    /// By machine type, where it is known better than the default.
    pub by_machine_type: BTreeMap<String, StartupTime>,
    /// For every other machine type. Default: 50 to 150 seconds.
    pub default: StartupTime,
    /// From the drain of a node's instances to its end, in milliseconds. Default: 10 seconds.
    pub drain_ms: u64,
}

impl Default for StartupTimes {
    fn default() -> Self {
        let default = StartupTime { low_ms: 50_000, high_ms: 150_000 };
        StartupTimes { by_machine_type: BTreeMap::new(), default, drain_ms: 10_000 }
    }
}

impl StartupTimes {
    /// The time of a machine type.
    pub fn of(&self, machine_type: &str) -> StartupTime {
        self.by_machine_type.get(machine_type).copied().unwrap_or(self.default)
    }
}

/// Every created node is paid for while it starts, every deleted one while it drains. For a replacement this is the time
/// in which both are paid for and one serves; rolling in waves shifts these times and does not change their sum.
pub(super) fn double_running(diff: &Diff, running: &RunningDeployment, startup: &StartupTimes) -> Money {
    let created =
        diff.created.iter().map(|n| Money::of(n.offer.price, startup.of(&n.offer.machine_type).expected_ms()));
    let deleted = diff.deleted.iter().filter_map(|id| running.nodes.get(id)).filter(|n| n.instance_count() > 0);
    created.chain(deleted.map(|n| Money::of(n.offer.price, startup.drain_ms))).sum()
}

pub(super) mod price_nanos {
    use cardinal_models::quantity::Price;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(price: &Price, serializer: S) -> Result<S::Ok, S::Error> {
        price.nanos().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Price, D::Error> {
        i64::deserialize(deserializer).map(Price::from_nanos)
    }
}
