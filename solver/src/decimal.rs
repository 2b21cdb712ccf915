//! Common divisors, and the steps of decimal numbers.

/// Nine decimal places are looked at, the resolution of money.
const NANOS: f64 = 1e9;

/// The largest common divisor; 0 of two zeros.
pub fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The largest step of which every number is a multiple, as [`common_nanos`]. A step near the resolution is a sign of
/// numbers that are no decimals, and is none.
pub fn common_step(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    common_nanos(numbers).filter(|common| *common >= 10).map(|common| common as f64 / NANOS)
}

/// The largest common divisor of some numbers in units of 1e-9: decimal numbers with up to nine places are taken at
/// their word; anything else has none.
pub fn common_nanos(numbers: impl Iterator<Item = f64>) -> Option<u64> {
    let mut common = 0;
    for x in numbers {
        let nanos = x * NANOS;
        if nanos.is_nan() || nanos.abs() >= 4e15 || (nanos - nanos.round()).abs() > 1e-4 {
            return None;
        }
        common = divisor(common, nanos.round().abs() as u64);
    }
    Some(common)
}

#[cfg(test)]
mod tests {
    use super::{common_step, divisor};

    #[test]
    fn decimals_have_a_common_step() {
        assert_eq!(common_step([0.3, 0.45, -0.6].into_iter()), Some(0.15));
        assert_eq!(common_step([1.0 / 3.0].into_iter()), None);
        assert_eq!(divisor(12, 18), 6);
        assert_eq!(divisor(0, 7), 7);
    }
}
