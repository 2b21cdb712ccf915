//! Small models with known answers that the engine must get right before it is used at all.
//!
//! HiGHS 1.14 answers "Optimal" with 15 instead of 9 on the first. A wrong proof is worse than none, so a build that
//! links such an engine refuses to solve.

use super::{EngineError, Limits, Milp, Presolve, RunStatus, run};

/// An engine that gives a wrong answer on a model with a known one.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
pub enum CanaryError {
    /// The answer is wrong.
    #[error("the engine answers {found} instead of {expected} on the known model `{name}`; it must not be used")]
    Wrong {
        /// Which model.
        name: &'static str,
        /// The known optimum.
        expected: f64,
        /// What the engine said.
        found: f64,
    },
    /// The engine failed on a known model.
    #[error("the engine failed on the known model `{name}`")]
    Failed {
        /// Which model.
        name: &'static str,
        /// Why.
        source: EngineError,
    },
}

/// min 2x + 3z, x + z >= 4.5, x >= 0, z >= 0 integer: x = 4.5, z = 0.
fn mixed_cover() -> Milp {
    let mut milp = Milp::default();
    let x = milp.add_column(0.0, f64::INFINITY, false);
    let z = milp.add_column(0.0, f64::INFINITY, true);
    milp.cost = vec![2.0, 3.0];
    milp.add_row(4.5, f64::INFINITY, [(x, 1.0), (z, 1.0)]);
    milp
}

/// A cover with unequal packs: min 5a + 4b + 3c, 6a + 5b + 2c >= 17, integers: 2a + b = 14.
fn integer_cover() -> Milp {
    let mut milp = Milp::default();
    let columns: Vec<usize> = (0..3).map(|_| milp.add_column(0.0, 10.0, true)).collect();
    milp.cost = vec![5.0, 4.0, 3.0];
    milp.add_row(17.0, f64::INFINITY, columns.into_iter().zip([6.0, 5.0, 2.0]));
    milp
}

/// 2x + 4y = 7 has no solution in integers.
fn parity() -> Milp {
    let mut milp = Milp::default();
    let x = milp.add_column(0.0, 10.0, true);
    let y = milp.add_column(0.0, 10.0, true);
    milp.cost = vec![1.0, 1.0];
    milp.add_row(7.0, 7.0, [(x, 2.0), (y, 4.0)]);
    milp
}

/// Runs every known model with and without presolve.
pub fn sing() -> Result<(), CanaryError> {
    let known = [
        ("mixed-cover", mixed_cover(), Some(9.0)),
        ("integer-cover", integer_cover(), Some(14.0)),
        ("parity", parity(), None),
    ];
    for (name, milp, expected) in known {
        for presolve in [Presolve::Automatic, Presolve::Off] {
            let answer = run(&milp, None, &Limits::default(), presolve)
                .map_err(|source| CanaryError::Failed { name, source })?;
            let found = match (answer.status, &answer.values) {
                (RunStatus::Optimal, Some(values)) => milp.objective(values),
                _ => f64::INFINITY,
            };
            let expected = expected.unwrap_or(f64::INFINITY);
            let right = if expected.is_finite() { (found - expected).abs() < 1e-6 } else { found == expected };
            if !right {
                return Err(CanaryError::Wrong { name, expected, found });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_engine_knows_the_known_answers() {
        assert_eq!(super::sing(), Ok(()));
    }
}
