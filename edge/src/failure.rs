//! Why something has no answer, as an exit status, and the findings that say it.

use crate::finding::Finding;

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
    /// That of a number; an internal failure when there is none.
    pub fn of(code: u8) -> Self {
        let all = [Exit::Solved, Exit::Invalid, Exit::Infeasible, Exit::Limit];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Exit::Internal)
    }

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

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit.code())
    }
}

/// The end of a request that has no answer.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What there is to say about it, warnings among it.
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
