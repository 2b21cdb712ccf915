//! `cardinal explain`: why the best placement is what it is, and why not another.

use std::time::Instant;

use cardinal_solver::explain::read_wishes;

use super::solve::{Why, answer};
use crate::arguments::Explain;
use crate::failure::{Exit, Failure, Finding};
use crate::input::question;

/// Explains a model and prints the answer.
pub fn run(arguments: &Explain, started: Instant) -> Result<Exit, Failure> {
    let asked = question::load(&arguments.question.inputs)?;
    let (mut alternatives, mut errors) = (Vec::new(), Vec::new());
    for text in &arguments.why_not {
        match read_wishes(&asked.snapshot.application, &asked.snapshot.catalog, text) {
            Ok(wishes) => alternatives.push((text.clone(), wishes)),
            Err(misread) => errors.push(Finding::misread("--why-not", &misread)),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::invalid(errors));
    }
    answer(&arguments.question, asked, Why::Fully(alternatives), started)
}
