//! Formulas: text → syntax tree → typed [`expr`]ession.

pub mod expr;
pub mod function;

use indexmap::IndexMap;
use std::sync::Arc;

use crate::application::{ComponentId, MetricId};
use crate::diagnostic::Diagnostic;
use crate::document::{Fleet, Hosting};
use crate::span::Span;
use crate::unit::Unit;
use expr::Expr;

/// What the names in a formula mean.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Components by name.
    pub components: IndexMap<Arc<str>, ScopeComponent>,
    /// Metrics by name.
    pub metrics: IndexMap<Arc<str>, ScopeMetric>,
    /// Constants by name, with their unit.
    pub constants: IndexMap<Arc<str>, (f64, Option<Unit>)>,
    /// The currency of the model, if it names one: a literal in another currency is an error.
    pub currency: Option<String>,
}

/// A component as formulas see it.
#[derive(Clone, Copy, Debug)]
pub struct ScopeComponent {
    /// Its id.
    pub id: ComponentId,
    /// Dedicated or shared nodes.
    pub hosting: Hosting,
    /// Uniform or mixed.
    pub fleet: Fleet,
}

/// A metric as formulas see it.
#[derive(Clone, Copy, Debug)]
pub struct ScopeMetric {
    /// Its id.
    pub id: MetricId,
    /// The unit of its value; `None` fits any.
    pub unit: Option<Unit>,
}

/// What a formula must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A number.
    Number,
    /// A truth value.
    Bool,
}

/// Parses and types a formula. `span` is the place of `text` in its source; every finding is placed inside it.
pub fn compile(text: &str, span: Span, scope: &Scope, expected: Expected) -> Result<Expr, Vec<Diagnostic>> {
    let _ = (text, scope, expected);
    Err(vec![Diagnostic::error(span, "formulas cannot be compiled yet")])
}
