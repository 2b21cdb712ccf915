//! Text → [`ModelDocument`]: reads YAML or JSON, keeps the place of every name and value, and reports every structural
//! mistake of a file at once.
//!
//! Three steps, each in a file of its own: the text becomes a tree with places (`tree`); the sections of a model are
//! read from the tree (`sections`, `objectives`) with the means to read one value (`fields`).

mod data;
mod fields;
mod objectives;
mod sections;
mod slo;
mod tree;

use crate::diagnostic::{Diagnostics, Source};
use crate::document::ModelDocument;

/// The largest file that is read.
pub const MAX_BYTES: usize = 16 << 20;
/// How deep lists and mappings may be nested.
pub const MAX_DEPTH: usize = 64;
/// How many values a file may hold.
pub const MAX_NODES: usize = 1_000_000;
/// How many entries a section or a list may have.
pub const MAX_ENTRIES: usize = 10_000;
/// How many findings are reported.
pub const MAX_FINDINGS: usize = 1_000;

/// Reads a model. The document holds what could be read, also when there are errors; it is `None` when the text is no
/// YAML or no mapping.
pub fn decode(source: &Source) -> (Option<ModelDocument>, Diagnostics) {
    let mut reader = fields::Reader::default();
    let mut syntax = Vec::new();
    let tree = tree::parse(source, &mut syntax);
    for finding in syntax {
        reader.report(finding);
    }
    let document = tree.and_then(|tree| sections::model(&mut reader, &tree));
    let mut findings = Diagnostics(reader.findings);
    findings.sort();
    (document, findings)
}

#[cfg(test)]
mod tests;
