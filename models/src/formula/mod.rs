//! Formulas: text → syntax [`tree`] → typed [`expr`]ession.

mod calls;
mod check;
mod lexer;
mod parser;
mod typing;

pub mod expr;
pub mod function;
pub mod operation;
pub mod tree;
pub mod words;

#[cfg(test)]
mod tests;

use indexmap::IndexMap;
use std::sync::Arc;

use crate::application::{ComponentId, DataId, LinkId, MetricId};
use crate::diagnostic::Diagnostic;
use crate::document::{Fleet, Hosting};
use crate::offer::Attribute;
use crate::span::Span;
use crate::unit::Unit;
use check::Checker;
use expr::{Expr, Type};
use tree::{Tree, TreeKind};

pub use check::attribute_type;
pub use parser::{LENGTH_LIMIT, parse};

/// The words that are values of the language and that no metric or constant can take; in backticks they are plain
/// names.
pub const RESERVED: [&str; 2] = ["total_cost", "node_count"];

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
    /// Components that take no offer of the catalog, with the attributes that they have instead.
    pub own: IndexMap<ComponentId, OwnAttributes>,
    /// Links by name.
    pub links: IndexMap<Arc<str>, LinkId>,
    /// Data sources by name.
    pub data: IndexMap<Arc<str>, DataId>,
}

/// The attributes of a component with configurations or free attributes, beside its cardinality.
#[derive(Clone, Debug, Default)]
pub struct OwnAttributes {
    /// True when each is chosen on its own; false when they are those of a configuration.
    pub free: bool,
    /// Attributes with their types.
    pub attributes: IndexMap<Attribute, Type>,
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

impl Scope {
    /// True when the word names a component, a metric or a constant.
    pub fn has_name(&self, word: &str) -> bool {
        self.components.contains_key(word)
            || self.metrics.contains_key(word)
            || self.constants.contains_key(word)
            || self.links.contains_key(word)
            || self.data.contains_key(word)
    }
}

/// Parses and types a formula. `span` is the place of `text` in its source; every finding is placed inside it.
pub fn compile(text: &str, span: Span, scope: &Scope, expected: Expected) -> Result<Expr, Vec<Diagnostic>> {
    let tree = parse(text, &|word| scope.has_name(word)).map_err(|findings| placed(findings, text, span))?;
    let mut checker = Checker::new(scope, text, span);
    let expr = match expected {
        Expected::Number => checker.number(&tree),
        Expected::Bool => checker.truth(&tree),
    };
    match expr {
        Some(expr) if checker.findings.is_empty() => {
            debug_assert!(matches!((&expr.ty, expected), (Type::Number(_), Expected::Number) | (Type::Bool, _)));
            Ok(expr)
        }
        _ => Err(checker.findings),
    }
}

fn placed(mut findings: Vec<Diagnostic>, text: &str, span: Span) -> Vec<Diagnostic> {
    for finding in &mut findings {
        finding.span = span.within(text, finding.span);
    }
    findings
}

/// The free identifiers of a formula with their places, in the order of the text: components, metrics and constants,
/// whether known or not. Attributes, functions and [`RESERVED`] words are not among them. A word that could be a unit
/// or a name, such as the `h` of `3 USD/h`, is. Of a text that is no formula there are none.
pub fn names(text: &str) -> Vec<(String, Span)> {
    let Ok(tree) = parse(text, &|_| true) else { return Vec::new() };
    let mut names = Vec::new();
    tree.walk(&mut |part: &Tree| match &part.kind {
        TreeKind::Name(name) | TreeKind::Member(name, _) | TreeKind::Label(name, _)
            if name.quoted || !RESERVED.contains(&name.text.as_str()) =>
        {
            names.push((name.text.clone(), name.span));
        }
        _ => {}
    });
    names
}
