//! What a conversion decided and what it left out.

use std::collections::BTreeMap;
use std::fmt;

/// What a conversion decided and what it left out. Nothing of a foreign file is dropped without an entry here.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct ConversionReport {
    /// Choices that the foreign file left open, or where its words were not taken at face value.
    pub decisions: Vec<Decision>,
    /// Elements that are known and have no bearing on which placement is best.
    pub left_out: Vec<LeftOut>,
    /// Elements that the importer does not know.
    pub unknown: Vec<LeftOut>,
}

/// One choice of the importer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it is about: the name of an element.
    pub subject: String,
    /// What was chosen and why.
    pub text: String,
}

/// Elements of one kind that the document does not carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The kind of element in the words of the foreign format.
    pub kind: String,
    /// How many there are.
    pub count: usize,
    /// Why they are not in the document.
    pub why: String,
    /// The names of the first few.
    pub examples: Vec<String>,
}

/// At most so many names are kept for one group.
const EXAMPLES: usize = 5;
/// At most so many decisions are kept; a hostile file must not make the report larger than itself.
const DECISIONS: usize = 10_000;

impl ConversionReport {
    /// Adds a choice.
    pub(crate) fn decide(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        if self.decisions.len() < DECISIONS {
            let decision = Decision { subject: subject.into(), text: text.into() };
            if !self.decisions.contains(&decision) || self.decisions.len() > 100 {
                self.decisions.push(decision);
            }
        }
    }

    /// True when the document carries everything and nothing had to be chosen.
    pub fn is_empty(&self) -> bool {
        let ConversionReport { decisions, left_out, unknown } = self;
        decisions.is_empty() && left_out.is_empty() && unknown.is_empty()
    }

    /// The choices about an element.
    pub fn about<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a str> {
        self.decisions.iter().filter(move |d| d.subject == subject).map(|d| d.text.as_str())
    }
}

impl fmt::Display for ConversionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConversionReport { decisions, left_out, unknown } = self;
        for Decision { subject, text } in decisions {
            writeln!(f, "note: {subject}: {text}")?;
        }
        for (word, groups) in [("not used", left_out), ("unknown", unknown)] {
            for LeftOut { kind, count, why, examples } in groups {
                write!(f, "{word}: {count} x {kind}: {why}")?;
                if !examples.is_empty() {
                    let more = if *count > examples.len() { ", ..." } else { "" };
                    write!(f, " ({}{more})", examples.join(", "))?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

/// Counts elements by kind and reason; the groups come out in alphabetical order.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(String, String), (usize, Vec<String>)>);

impl Tally {
    /// Counts one element.
    pub(crate) fn add(&mut self, kind: impl Into<String>, why: impl Into<String>, name: &str) {
        let (count, examples) = self.0.entry((kind.into(), why.into())).or_default();
        *count += 1;
        if !name.is_empty() && examples.len() < EXAMPLES && !examples.iter().any(|e| e == name) {
            examples.push(name.chars().take(60).collect());
        }
    }

    /// The groups.
    pub(crate) fn groups(self) -> Vec<LeftOut> {
        self.0.into_iter().map(|((kind, why), (count, examples))| LeftOut { kind, count, why, examples }).collect()
    }
}
