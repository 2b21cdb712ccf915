//! How the instances of a component are divided: over places and kinds of machine, and between ways of buying.

use std::fmt::{self, Display, Formatter};

use crate::document::SpreadBy;
use crate::span::Span;

/// A share from 0 to 1, exact to a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    /// All of it, in millionths.
    pub const WHOLE: u32 = 1_000_000;

    /// From millionths; more than all counts as all.
    pub fn from_millionths(millionths: u32) -> Self {
        Share(millionths.min(Share::WHOLE))
    }

    /// The nearest share of a number from 0 to 1.
    pub fn from_fraction(fraction: f64) -> Self {
        Share::from_millionths((fraction.clamp(0.0, 1.0) * f64::from(Share::WHOLE)).round() as u32)
    }

    /// In millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// As a number from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Share::WHOLE)
    }

    /// In lowest terms: of so many, so many.
    pub fn ratio(self) -> (u32, u32) {
        let (mut a, mut b) = (self.0, Share::WHOLE);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        (self.0 / a.max(1), Share::WHOLE / a.max(1))
    }
}

impl Display for Share {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0) / 1e4)
    }
}

/// A number of instances: a count, or a share of all instances of the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portion {
    /// So many.
    Count(u32),
    /// This share of all.
    Share(Share),
}

impl Portion {
    /// The largest whole number of `all` instances that is no more than this.
    pub fn most_of(self, all: u64) -> u64 {
        match self {
            Portion::Count(n) => u64::from(n),
            Portion::Share(share) => (whole(all, share) / u128::from(Share::WHOLE)) as u64,
        }
    }

    /// The smallest whole number of `all` instances that is no less than this.
    pub fn least_of(self, all: u64) -> u64 {
        match self {
            Portion::Count(n) => u64::from(n),
            Portion::Share(share) => whole(all, share).div_ceil(u128::from(Share::WHOLE)) as u64,
        }
    }
}

fn whole(all: u64, share: Share) -> u128 {
    u128::from(all) * u128::from(share.0)
}

impl Display for Portion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Portion::Count(n) => write!(f, "{n}"),
            Portion::Share(share) => share.fmt(f),
        }
    }
}

/// One rule on how the instances of a component are divided. Each holds of a component without instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// What it says.
    pub rule: DivisionRule,
    /// Where it stands.
    pub span: Span,
}

/// What a rule on the division of instances says. A kind of place is never [`SpreadBy::Location`], which is resolved to
/// `Region`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DivisionRule {
    /// The place with the most and that with the fewest instances differ by at most so many. The places are those of
    /// all offers that may host the component; by zone, those of the regions in which it has instances.
    Skew {
        /// The kind of place.
        by: SpreadBy,
        /// The largest difference.
        most: u32,
    },
    /// Instances are in at least so many places.
    Places {
        /// The kind of place.
        by: SpreadBy,
        /// The smallest number of places.
        least: u32,
    },
    /// No place has more than this share of the instances.
    Largest {
        /// The kind of place.
        by: SpreadBy,
        /// The largest share.
        most: Share,
    },
    /// At most this on spot offers.
    Spot {
        /// How many, or which share.
        most: Portion,
    },
    /// At least this on offers that are not spot.
    OnDemand {
        /// How many, or which share.
        least: Portion,
    },
}

impl DivisionRule {
    /// The kind of place that the rule counts by.
    pub fn by(&self) -> Option<SpreadBy> {
        match self {
            DivisionRule::Skew { by, .. } | DivisionRule::Places { by, .. } | DivisionRule::Largest { by, .. } => {
                Some(*by)
            }
            DivisionRule::Spot { .. } | DivisionRule::OnDemand { .. } => None,
        }
    }

    /// The key under `placement` that states it.
    pub fn key(&self) -> &'static str {
        match self {
            DivisionRule::Skew { .. } => "spread",
            DivisionRule::Places { .. } | DivisionRule::Largest { .. } => "diversify",
            DivisionRule::Spot { .. } => "spot",
            DivisionRule::OnDemand { .. } => "on_demand",
        }
    }

    /// The rule of the same kind that every placement obeys.
    pub fn emptied(&self) -> DivisionRule {
        let all = Share::from_millionths(Share::WHOLE);
        match *self {
            DivisionRule::Skew { by, .. } => DivisionRule::Skew { by, most: u32::MAX },
            DivisionRule::Places { by, .. } => DivisionRule::Places { by, least: 0 },
            DivisionRule::Largest { by, .. } => DivisionRule::Largest { by, most: all },
            DivisionRule::Spot { .. } => DivisionRule::Spot { most: Portion::Share(all) },
            DivisionRule::OnDemand { .. } => DivisionRule::OnDemand { least: Portion::Count(0) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact() {
        let half = Portion::Share(Share::from_fraction(0.5));
        assert_eq!((half.most_of(5), half.least_of(5)), (2, 3));
        let third = Portion::Share(Share::from_fraction(0.3333));
        assert_eq!((third.most_of(3), third.least_of(3)), (0, 1));
        assert_eq!((Portion::Count(4).most_of(2), Portion::Count(4).least_of(2)), (4, 4));
        assert_eq!(Share::from_fraction(0.4).ratio(), (2, 5));
        assert_eq!(Share::from_fraction(0.0).ratio(), (0, 1));
        assert_eq!(Share::from_fraction(0.125).to_string(), "12.5 %");
    }
}
