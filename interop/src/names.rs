//! How a foreign name is written in a model and inside its formulas.

use cardinal_models::formula::RESERVED;
use cardinal_models::formula::function::Function;
use rustc_hash::{FxHashMap, FxHashSet};

/// Words with a meaning in formulas, beside the names of functions.
const WORDS: [&str; 10] = ["candidates", "current", "if", "true", "false", "and", "or", "not", "xor", "implies"];

/// True for a name that needs no backticks.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name as it is written in a formula, in backticks unless it is a plain identifier.
pub(crate) fn in_formula(name: &str) -> String {
    if is_identifier(name) && !is_reserved(name) { name.to_owned() } else { format!("`{name}`") }
}

/// The name as a component, a metric or a constant may have it: without what a name in backticks cannot hold, and not
/// a word with a meaning in formulas. `kind` tells such a word apart: the metric `max` becomes `max_metric`.
pub(crate) fn allowed(name: &str, kind: &str) -> String {
    let name = without_backticks(name);
    if is_reserved(&name) { format!("{name}_{kind}") } else { name }
}

/// The name without what no name of a model can hold.
pub(crate) fn without_backticks(name: &str) -> String {
    name.chars().map(|c| if c == '`' || c.is_control() { '_' } else { c }).collect()
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || WORDS.contains(&name) || Function::named(name).is_some()
}

/// Names that are given, each once.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    given: FxHashSet<String>,
    /// The number to try next behind a name that is asked for again, so that many equal names take no quadratic time.
    next: FxHashMap<String, u32>,
}

impl Taken {
    /// Names that are given from the start.
    pub(crate) fn with<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Taken { given: names.map(str::to_owned).collect(), next: FxHashMap::default() }
    }

    /// The name, or the name with a number that makes it unlike every name given before.
    pub(crate) fn give(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_owned();
        while !self.given.insert(name.clone()) {
            let number = self.next.entry(wanted.to_owned()).or_insert(2);
            name = format!("{wanted}_{number}");
            *number += 1;
        }
        name
    }
}
