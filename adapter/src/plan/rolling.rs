//! How many instances more, and how many fewer, may there be while a change is under way.

use serde::{Deserialize, Serialize};

/// A number of instances, or a share of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many in a hundred.
    Percent(u32),
}

impl Amount {
    /// Of so many instances, rounded up: a limit on what may be more.
    pub fn of_rounded_up(self, total: u64) -> u64 {
        match self {
            Amount::Count(n) => u64::from(n),
            Amount::Percent(p) => total.saturating_mul(u64::from(p)).div_ceil(100),
        }
    }

    /// Of so many instances, rounded down: a limit on what may be missing.
    pub fn of_rounded_down(self, total: u64) -> u64 {
        match self {
            Amount::Count(n) => u64::from(n),
            Amount::Percent(p) => total.saturating_mul(u64::from(p)) / 100,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Amount::Count(n) => write!(f, "{n}"),
            Amount::Percent(p) => write!(f, "{p} %"),
        }
    }
}

/// The limits of a rolling change, for each component on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rolling {
    /// Instances above the larger of the numbers before and after. Default: 25 %, rounded up.
    pub max_surge: Amount,
    /// Instances below the smaller of the numbers before and after. Default: 0.
    pub max_unavailable: Amount,
}

impl Default for Rolling {
    fn default() -> Self {
        Rolling { max_surge: Amount::Percent(25), max_unavailable: Amount::Count(0) }
    }
}

/// The limits for one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Never more instances than this.
    pub most: u64,
    /// Never fewer serving instances than this.
    pub least: u64,
}

impl Rolling {
    /// The limits for a component that goes from so many instances to so many. As long as an extra instance is allowed, a
    /// component that runs before and after is never left without a serving instance, whatever `max_unavailable` says.
    pub fn bounds(&self, before: u64, after: u64) -> Bounds {
        let (low, high) = (before.min(after), before.max(after));
        let surge = self.max_surge.of_rounded_up(high);
        let missing = self.max_unavailable.of_rounded_down(low);
        let at_least_one = if surge > 0 { low.min(1) } else { 0 };
        Bounds { most: high + surge, least: low.saturating_sub(missing).max(at_least_one) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surge_rounds_up_missing_rounds_down_and_one_stays() {
        let rolling = Rolling { max_surge: Amount::Percent(25), max_unavailable: Amount::Percent(50) };
        assert_eq!(rolling.bounds(3, 3), Bounds { most: 4, least: 2 });
        assert_eq!(rolling.bounds(1, 1), Bounds { most: 2, least: 1 });
        let in_place = Rolling { max_surge: Amount::Count(0), max_unavailable: Amount::Count(1) };
        assert_eq!(in_place.bounds(1, 1), Bounds { most: 1, least: 0 });
        let loose = Rolling { max_surge: Amount::Count(1), max_unavailable: Amount::Count(9) };
        assert_eq!(loose.bounds(2, 5), Bounds { most: 6, least: 1 });
        assert_eq!(Rolling::default().bounds(0, 4), Bounds { most: 5, least: 0 });
    }
}
