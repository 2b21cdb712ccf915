//! Why a command ended, as an exit status, and what it has to say about it.

use std::process::ExitCode;
use std::sync::Arc;

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Severity, Source};
use cardinal_models::span::Span;
use cardinal_solver::selector::Misread;

/// The exit status of the process. The numbers are a contract with the programs that call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; a solve reached the asked gap.
    Solved,
    /// A fault of Cardinal or of its surroundings, such as a full disk.
    Internal,
    /// Bad usage or invalid input.
    Invalid,
    /// No admissible placement exists.
    Infeasible,
    /// A limit was reached before the asked gap.
    Limit,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Solved => 0,
            Exit::Internal => 1,
            Exit::Invalid => 2,
            Exit::Infeasible => 3,
            Exit::Limit => 4,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

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

    /// True for an error.
    pub fn is_error(&self) -> bool {
        self.diagnostic.severity == Severity::Error
    }
}

/// The findings about one text.
pub fn findings(source: &Arc<Source>, diagnostics: Diagnostics) -> Vec<Finding> {
    diagnostics.0.into_iter().map(|diagnostic| Finding { diagnostic, source: Some(source.clone()) }).collect()
}

/// The end of a command that has no answer.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What is said on standard error.
    pub findings: Vec<Finding>,
}

impl Failure {
    /// Invalid input.
    pub fn invalid(findings: Vec<Finding>) -> Self {
        Failure { exit: Exit::Invalid, findings }
    }

    /// A fault that is not the user's.
    pub fn internal(message: impl Into<String>) -> Self {
        Failure { exit: Exit::Internal, findings: vec![Finding::error(message)] }
    }
}

impl From<Finding> for Failure {
    fn from(finding: Finding) -> Self {
        Failure::invalid(vec![finding])
    }
}
