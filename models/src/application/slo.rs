//! How violations are judged over time.

use std::sync::Arc;

pub use crate::document::Severity;
use crate::formula::expr::Expr;

/// How the violation of an SLO is judged over time. Its formula is that of the constraint of the same name.
#[derive(Clone, Debug)]
pub struct SloRule {
    /// The name of the SLO.
    pub name: Arc<str>,
    /// It counts as violated once its formula has not held for so long, in milliseconds.
    pub lasts_ms: u64,
    /// What must hold before it counts as kept again; its formula where there is none.
    pub clear: Option<Expr>,
    /// For so long, in milliseconds.
    pub clear_ms: u64,
    /// How grave the violation is.
    pub severity: Severity,
}

/// A pattern of violations.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRule {
    /// Its name.
    pub name: Arc<str>,
    /// What must happen.
    pub pattern: Pattern,
    /// Within how many milliseconds.
    pub within_ms: u64,
    /// How grave it is.
    pub severity: Severity,
}

/// What must happen: names of SLOs and constraints that begin to be violated.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// All of these.
    All(Vec<Arc<str>>),
    /// Any of these.
    Any(Vec<Arc<str>>),
    /// These, one after the other.
    Sequence(Vec<Arc<str>>),
    /// This one, so often.
    Repeats(Arc<str>, u64),
}
