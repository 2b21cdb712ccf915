//! Units of measurement.

/// The unit of a number: powers of the base dimensions and the factor to the base units (byte, second, currency unit).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Power of data (bytes).
    pub data: i8,
    /// Power of time (seconds).
    pub time: i8,
    /// Power of money (currency units).
    pub money: i8,
    /// How many base units one of this is.
    pub factor: f64,
}
