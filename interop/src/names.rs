//! How a foreign name is written inside a formula.

/// Words with a meaning of their own in formulas: a foreign name that equals one stands in backticks.
const RESERVED: [&str; 24] = [
    "and",
    "candidates",
    "count",
    "current",
    "e",
    "else",
    "false",
    "if",
    "implies",
    "in",
    "max",
    "mean",
    "min",
    "node_count",
    "not",
    "or",
    "per",
    "pi",
    "sum",
    "then",
    "total_cost",
    "true",
    "xor",
    "nodes",
];

/// True for a name that needs no backticks.
pub(crate) fn is_identifier(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name as it is written in a formula, in backticks unless it is a plain identifier.
pub(crate) fn in_formula(name: &str) -> String {
    if is_identifier(name) && !RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

/// The name without what a name in backticks cannot hold.
pub(crate) fn without_backticks(name: &str) -> String {
    name.chars().map(|c| if c == '`' || c.is_control() { '_' } else { c }).collect()
}
