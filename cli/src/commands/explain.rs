//! `cardinal explain`: why the best placement is what it is, and why not another.

use std::time::Instant;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::solve::Why;

use super::solve::answer;
use crate::arguments::Explain;
use crate::input::question;

/// Explains a model and prints the answer.
pub fn run(arguments: &Explain, started: Instant) -> Result<Exit, Failure> {
    let asked = question::load(&arguments.question.inputs)?;
    let why = Why::fully(&asked, &arguments.why_not)?;
    answer(&arguments.question, asked, why, started)
}
