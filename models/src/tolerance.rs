//! The one definition of comparison for the whole system: the evaluator, the tables of the solver, enumeration and the
//! checker all use it, so that no placement is admissible to one and not to another.

/// Numbers that differ by less than this, relative to the larger of 1 and their size, are equal.
pub const TOLERANCE: f64 = 1e-9;

fn slack(a: f64, b: f64) -> f64 {
    TOLERANCE * a.abs().max(b.abs()).max(1.0)
}

/// `a = b` within the tolerance.
pub fn equal(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= slack(a, b)
}

/// `a <= b` within the tolerance.
pub fn at_most(a: f64, b: f64) -> bool {
    a <= b || a - b <= slack(a, b)
}

/// `a < b`, clear of the tolerance: the negation of `b <= a`.
pub fn less(a: f64, b: f64) -> bool {
    !at_most(b, a)
}
