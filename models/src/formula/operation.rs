//! What the operators of two operands compute. The evaluator and every table of the solver take it from here.

use crate::formula::expr::BinaryOp;
use crate::tolerance;

/// Arithmetic without a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArithmeticError {
    /// The divisor is 0.
    DivisionByZero,
    /// The power of a negative number to a broken exponent, or of 0 to a negative one.
    Power {
        /// The base.
        base: f64,
        /// The exponent.
        exponent: f64,
    },
    /// The result is too large for a number.
    NotFinite,
}

impl std::fmt::Display for ArithmeticError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ArithmeticError::DivisionByZero => f.write_str("division by zero"),
            ArithmeticError::Power { base, exponent } => write!(f, "{base} ^ {exponent} is not a real number"),
            ArithmeticError::NotFinite => f.write_str("the result is too large"),
        }
    }
}

impl std::error::Error for ArithmeticError {}

impl BinaryOp {
    /// True for `+ - * / % ^`.
    pub fn is_arithmetic(self) -> bool {
        use BinaryOp::*;
        matches!(self, Add | Subtract | Multiply | Divide | Remainder | Power)
    }

    /// The value of an arithmetic operation, always finite. Comparisons give 1 or 0, and so does logic, which takes
    /// every number but 0 as true.
    pub fn number(self, a: f64, b: f64) -> Result<f64, ArithmeticError> {
        let value = match self {
            BinaryOp::Add => a + b,
            BinaryOp::Subtract => a - b,
            BinaryOp::Multiply => a * b,
            BinaryOp::Divide | BinaryOp::Remainder if b == 0.0 => return Err(ArithmeticError::DivisionByZero),
            BinaryOp::Divide => a / b,
            BinaryOp::Remainder => a % b,
            BinaryOp::Power => {
                let power = a.powf(b);
                if power.is_nan() || (a == 0.0 && b < 0.0) {
                    return Err(ArithmeticError::Power { base: a, exponent: b });
                }
                power
            }
            BinaryOp::And => f64::from(a != 0.0 && b != 0.0),
            BinaryOp::Or => f64::from(a != 0.0 || b != 0.0),
            BinaryOp::Xor => f64::from((a != 0.0) != (b != 0.0)),
            BinaryOp::Implies => f64::from(a == 0.0 || b != 0.0),
            comparison => f64::from(comparison.compares(a, b)),
        };
        if value.is_finite() { Ok(value) } else { Err(ArithmeticError::NotFinite) }
    }

    /// The truth of a comparison of numbers, within the tolerance; false for any other operator.
    pub fn compares(self, a: f64, b: f64) -> bool {
        match self {
            BinaryOp::LessEqual => tolerance::at_most(a, b),
            BinaryOp::Less => tolerance::less(a, b),
            BinaryOp::GreaterEqual => tolerance::at_most(b, a),
            BinaryOp::Greater => tolerance::less(b, a),
            BinaryOp::Equal => tolerance::equal(a, b),
            BinaryOp::NotEqual => !tolerance::equal(a, b),
            _ => false,
        }
    }
}

/// True when two texts are the same word: without regard to ASCII case, as requirements compare them.
pub fn same_text(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_arithmetic_is_an_error() {
        use ArithmeticError::*;
        assert_eq!(BinaryOp::Divide.number(1.0, 0.0), Err(DivisionByZero));
        assert_eq!(BinaryOp::Remainder.number(1.0, -0.0), Err(DivisionByZero));
        assert_eq!(BinaryOp::Power.number(-1.0, 0.5), Err(Power { base: -1.0, exponent: 0.5 }));
        assert_eq!(BinaryOp::Power.number(0.0, -1.0), Err(Power { base: 0.0, exponent: -1.0 }));
        assert_eq!(BinaryOp::Multiply.number(1e300, 1e300), Err(NotFinite));
        assert_eq!(BinaryOp::Remainder.number(-7.0, 3.0), Ok(-1.0));
        assert_eq!(BinaryOp::Power.number(-2.0, 3.0), Ok(-8.0));
    }

    #[test]
    fn comparisons_share_the_tolerance() {
        assert!(BinaryOp::Equal.compares(0.1 + 0.2, 0.3));
        assert!(!BinaryOp::Less.compares(0.3, 0.1 + 0.2));
        assert!(BinaryOp::LessEqual.compares(0.1 + 0.2, 0.3));
        assert!(!BinaryOp::NotEqual.compares(1.0, 1.0 + 1e-12));
        assert!(BinaryOp::Greater.compares(1.0, 0.999));
    }
}
