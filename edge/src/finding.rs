//! Findings: what is wrong or doubtful about a text, where, and the mend.

use std::borrow::Cow;
use std::sync::Arc;

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Severity, Source};
use cardinal_models::span::Span;
use cardinal_solver::selector::Misread;
use serde::{Deserialize, Serialize};

/// A finding with the text that it is about.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What is wrong.
    pub diagnostic: Diagnostic,
    /// The text; `None` when it is about the command line or several files.
    pub source: Option<Arc<Source>>,
}

impl Finding {
    /// An error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Finding { diagnostic: Diagnostic::error(Span::NONE, message), source: None }
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Finding { diagnostic: Diagnostic::warning(Span::NONE, message), source: None }
    }

    /// A part of the command line or of a scenario that cannot be read.
    pub fn misread(whose: &str, misread: &Misread) -> Self {
        let mut finding = Finding::error(format!("{whose}: {misread}"));
        finding.diagnostic.help.clone_from(&misread.help);
        finding
    }

    /// Adds the mend.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.diagnostic.help = Some(help.into());
        self
    }

    /// Adds the text and the place in it.
    pub fn at(mut self, source: &Arc<Source>, span: Span) -> Self {
        self.diagnostic.span = span;
        self.source = Some(source.clone());
        self
    }

    /// It as a document.
    pub fn answer(&self) -> FindingAnswer {
        let Diagnostic { severity, message, help, span, path, .. } = &self.diagnostic;
        let source = self.source.as_ref().filter(|_| !span.is_none());
        let start = source.map(|s| s.line_column(span.start));
        let end = source.map(|s| s.line_column(span.end));
        FindingAnswer {
            severity: match severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            }
            .into(),
            message: message.clone(),
            help: help.clone(),
            file: self.source.as_ref().map(|s| s.name.clone()),
            line: start.map(|(line, _)| line),
            column: start.map(|(_, column)| column),
            end_line: end.map(|(line, _)| line),
            end_column: end.map(|(_, column)| column),
            text: source.map(|s| s.slice(*span).to_owned()),
            path: Some(path.clone()).filter(|p| !p.is_empty()),
        }
    }

    /// True for an error.
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }
}

/// The findings about one text.
pub fn findings(source: &Arc<Source>, diagnostics: Diagnostics) -> Vec<Finding> {
    diagnostics.0.into_iter().map(|diagnostic| Finding { diagnostic, source: Some(source.clone()) }).collect()
}

/// A finding as plain data. The names of the fields are a contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingAnswer {
    /// `error` or `warning`.
    pub severity: Cow<'static, str>,
    /// What is wrong.
    pub message: String,
    /// The mend.
    pub help: Option<String>,
    /// The name of the text; null when it is about no single one.
    pub file: Option<String>,
    /// Where it begins, from 1.
    pub line: Option<usize>,
    /// Where in the line, in characters from 1.
    pub column: Option<usize>,
    /// Where it ends.
    pub end_line: Option<usize>,
    /// The column after its last character.
    pub end_column: Option<usize>,
    /// What stands there.
    pub text: Option<String>,
    /// The way to it from the top of the document, such as `components.web.requires`.
    pub path: Option<String>,
}
