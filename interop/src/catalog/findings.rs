//! What a reader finds wrong, with similar warnings counted instead of repeated.

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::span::Span;

/// After so many errors reading stops: the rest is most likely the same mistake again.
const ERRORS_MAX: usize = 20;

/// Kinds of warnings that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// The price is zero.
    ZeroPrice,
    /// The offer has no memory.
    ZeroMemory,
    /// The offer has no cores.
    ZeroCores,
    /// The region of a public cloud is not in the gazetteer and the file does not tell the country.
    UnknownRegion,
    /// An entry is no machine (functions as a service, platforms).
    NoMachine,
}

impl Notice {
    const ALL: [Notice; 5] =
        [Notice::ZeroPrice, Notice::ZeroMemory, Notice::ZeroCores, Notice::UnknownRegion, Notice::NoMachine];

    /// The message for one and for several, and the mend.
    fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Notice::ZeroPrice => (
                "offer has price 0",
                "offers have price 0",
                "free offers beat every paid one; give private machines an internal price if that is not meant",
            ),
            Notice::ZeroMemory => (
                "offer has no memory",
                "offers have no memory",
                "an offer without memory satisfies no memory requirement",
            ),
            Notice::ZeroCores => {
                ("offer has no cores", "offers have no cores", "an offer without cores satisfies no cores requirement")
            }
            Notice::UnknownRegion => (
                "offer lies in a region whose country is not known",
                "offers lie in regions whose country is not known",
                "such offers match no country or continent; the native form has the columns country, latitude, longitude",
            ),
            Notice::NoMachine => (
                "entry is not a machine and was skipped",
                "entries are not machines and were skipped",
                "functions and platforms have no node to host instances",
            ),
        }
    }
}

/// The findings of one reader.
pub(super) struct Findings<'s> {
    source: &'s Source,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    counted: [(usize, Span); Notice::ALL.len()],
}

impl<'s> Findings<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Findings { source, errors: Vec::new(), warnings: Vec::new(), counted: [(0, Span::NONE); Notice::ALL.len()] }
    }

    /// Adds an error.
    pub(super) fn error(&mut self, error: Diagnostic) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }

    /// Adds a warning that occurs once.
    pub(super) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// Counts a warning.
    pub(super) fn note(&mut self, notice: Notice, span: Span) {
        let (count, first) = &mut self.counted[notice as usize];
        if *count == 0 {
            *first = span;
        }
        *count += 1;
    }

    /// True when there is an error.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// True when there are so many errors that reading on has no use.
    pub(super) fn full(&self) -> bool {
        self.errors.len() >= ERRORS_MAX
    }

    /// The line, from 1, of a byte offset.
    pub(super) fn line(&self, offset: u32) -> usize {
        self.source.line_column(offset).0
    }

    /// The warnings, or the errors followed by the warnings when there is an error.
    pub(super) fn finish(mut self) -> Result<Diagnostics, Diagnostics> {
        for notice in Notice::ALL {
            let (count, first) = self.counted[notice as usize];
            if count == 0 {
                continue;
            }
            let (one, several, help) = notice.texts();
            let what = if count == 1 { one } else { several };
            let place =
                if first.is_none() { String::new() } else { format!(" (first: line {})", self.line(first.start)) };
            self.warnings.push(Diagnostic::warning(first, format!("{count} {what}{place}")).help(help));
        }
        if self.errors.is_empty() {
            return Ok(Diagnostics(self.warnings));
        }
        if self.full() {
            let message = format!("reading stopped after {ERRORS_MAX} errors");
            self.errors.push(Diagnostic::error(Span::NONE, message));
        }
        self.errors.extend(self.warnings);
        Err(Diagnostics(self.errors))
    }
}
