//! Exact quantities: money, memory, cores. Floats appear only where a formula or the solver asks for them.

use serde::{Deserialize, Serialize};

/// Money per hour in 1e-9 of the catalog's currency. Exact under addition and multiplication by counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(i64);

impl Price {
    /// No cost.
    pub const ZERO: Price = Price(0);
    /// The largest price that an offer may have: one million currency units an hour.
    pub const MAX: Price = Price(1_000_000 * Price::SCALE);
    /// Nano-units in one currency unit.
    pub const SCALE: i64 = 1_000_000_000;

    /// A price from nano-units per hour.
    pub const fn from_nanos(nanos: i64) -> Self {
        Price(nanos)
    }

    /// The price in nano-units per hour.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// A price from a number of currency units per hour, rounded to the nearest nano-unit; `None` when it is not
    /// finite, negative, or above [`Price::MAX`].
    pub fn from_units(units: f64) -> Option<Self> {
        let nanos = units * Price::SCALE as f64;
        (nanos.is_finite() && nanos >= 0.0 && nanos <= Price::MAX.0 as f64).then(|| Price(nanos.round() as i64))
    }

    /// The price in currency units per hour.
    pub fn units(self) -> f64 {
        self.0 as f64 / Price::SCALE as f64
    }

    /// The price of `count` of these; saturates far above every limit on input.
    pub fn times(self, count: u64) -> Price {
        Price(i64::try_from(i128::from(self.0) * i128::from(count)).unwrap_or(i64::MAX))
    }
}

impl std::ops::Add for Price {
    type Output = Price;
    fn add(self, other: Price) -> Price {
        Price(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Price {
    fn sum<I: Iterator<Item = Price>>(prices: I) -> Price {
        prices.fold(Price::ZERO, |a, b| a + b)
    }
}

impl std::fmt::Display for Price {
    /// The price in currency units with at least two and at most nine decimals.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:09}", self.0 / Price::SCALE, (self.0 % Price::SCALE).abs());
        let keep = text.trim_end_matches('0').len().max(text.len() - 7);
        f.pad(&text[..keep])
    }
}

/// An amount of data in bytes: memory or disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bytes(pub u64);

impl Bytes {
    /// Bytes in one MiB.
    pub const MIB: u64 = 1 << 20;

    /// An amount from MiB; `None` when it is negative, not finite or above 2^60 bytes.
    pub fn from_mib(mib: f64) -> Option<Self> {
        let bytes = mib * Bytes::MIB as f64;
        (bytes.is_finite() && (0.0..=1.2e18).contains(&bytes)).then(|| Bytes(bytes.round() as u64))
    }

    /// The amount in MiB, the unit of memory and disk attributes in formulas.
    pub fn mib(self) -> f64 {
        self.0 as f64 / Bytes::MIB as f64
    }
}

impl std::fmt::Display for Bytes {
    /// The amount in the largest binary unit that keeps it short: `512 MiB`, `7.5 GiB`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (unit, size) = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
            .into_iter()
            .map(|(unit, shift)| (unit, 1u64 << shift))
            .find(|(_, size)| self.0 >= *size)
            .unwrap_or(("B", 1));
        let text = format!("{:.2}", self.0 as f64 / size as f64);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.pad(&format!("{text} {unit}"))
    }
}

/// Processor cores (vCPU) in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cores(pub u64);

impl Cores {
    /// From a number of cores; `None` when it is negative, not finite or above a million.
    pub fn from_count(cores: f64) -> Option<Self> {
        let milli = cores * 1000.0;
        (milli.is_finite() && (0.0..=1e9).contains(&milli)).then(|| Cores(milli.round() as u64))
    }

    /// The number of cores.
    pub fn count(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}", self.count()))
    }
}
