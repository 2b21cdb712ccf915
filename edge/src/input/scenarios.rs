//! Files of scenarios.

use std::sync::Arc;

use cardinal_models::diagnostic::Source;
use cardinal_models::span::Span;
use cardinal_solver::selector::Misread;
use cardinal_solver::what_if::Scenario;
use cardinal_solver::what_if::file::ScenarioFile;

use super::place::span_at;
use crate::failure::Failure;
use crate::finding::Finding;

/// The scenarios of a file; all mistakes at once.
pub fn interpret(source: &Arc<Source>) -> Result<Vec<Scenario>, Failure> {
    let at = |word: &str| source.text.find(word).map_or(Span::NONE, |at| Span::new(at, at + word.len()));
    let parsed: Result<ScenarioFile, Finding> = serde_saphyr::from_str(&source.text).map_err(|error| {
        let place = error.location().map(|l| (l.line() as usize, l.column() as usize));
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("it cannot be read").to_owned();
        let place = place.map_or(Span::NONE, |(line, column)| span_at(&source.text, line, column));
        Finding::error(format!("this is no file of scenarios: {message}"))
            .help("it looks like `scenarios: {rush-hour: {set: {requests: 2x}}}`; see `cardinal schema scenario`")
            .at(source, place)
    });
    parsed?.scenarios().map_err(|errors| {
        let finding = |(text, misread): (String, Misread)| Finding::misread("scenario", &misread).at(source, at(&text));
        Failure::invalid(errors.into_iter().map(finding).collect())
    })
}
