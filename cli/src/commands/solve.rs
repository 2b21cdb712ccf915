//! `cardinal solve`: the best placement of an application, with proof. `cardinal explain` goes the same way and says
//! more about why.

pub mod isolated;

use std::time::Instant;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::input::question::Asked;
use cardinal_edge::solve::{Answered, Manner, Why, find};
use cardinal_edge::write;
use cardinal_solver::Settings;
use cardinal_worker::Phase;

use crate::arguments::{AnswerForm, Question, Solve};
use crate::input::question;
use crate::progress::Progress;
use crate::render::table::EndedBy;
use crate::{clock, interrupt, output, render};

/// Solves a model and prints the answer.
pub fn run(arguments: &Solve, started: Instant) -> Result<Exit, Failure> {
    let asked = question::load(&arguments.question.inputs)?;
    answer(&arguments.question, asked, if arguments.no_explain { Why::Nothing } else { Why::Briefly }, started)
}

/// Solves what is asked, explains and prints the answer. What is seen on the way goes to standard error.
pub fn answer(arguments: &Question, asked: Asked, why: Why, started: Instant) -> Result<Exit, Failure> {
    let cancel = interrupt::watch();
    let inputs = &arguments.inputs;
    if let Some(limit) = inputs.time_limit.0 {
        // An explanation that was asked for takes as long again as the solve may.
        interrupt::guard(if matches!(why, Why::Fully(_)) { limit * 2 } else { limit });
    }
    let settings = Settings {
        time_limit: inputs.time_limit.0,
        gap: inputs.gap,
        cancel: Some(cancel.clone()),
        ..Settings::default()
    };
    let mut progress = None;
    let manner = Manner { settings, why, started, today: clock::today() };
    let enter = |phase| match phase {
        Phase::Solving => progress = Some(Progress::start(inputs.time_limit.0)),
        Phase::Reading | Phase::Explaining => progress = None,
    };
    let found = find(asked, &manner, enter, render::diagnostics::show)?;
    show(&text(&found, arguments.output)?, arguments.output)?;
    Ok(found.exit)
}

/// Prints an answer; colours are for people.
fn show(text: &str, form: AnswerForm) -> Result<(), Failure> {
    match form {
        AnswerForm::Table => output::print(text),
        AnswerForm::Json | AnswerForm::Yaml => output::print_raw(text.as_bytes()),
    }
}

/// The text of an answer.
pub fn text(found: &Answered, form: AnswerForm) -> Result<String, Failure> {
    let Answered { answer, exit, is_cancelled } = found;
    match form {
        AnswerForm::Table => Ok(render::table::answer(answer, ended_by(*exit, *is_cancelled))),
        AnswerForm::Json => write::json(answer),
        AnswerForm::Yaml => write::yaml(answer),
    }
}

fn ended_by(exit: Exit, interrupted: bool) -> EndedBy {
    match exit {
        Exit::Limit if interrupted => EndedBy::Interrupt,
        Exit::Limit => EndedBy::Time,
        _ => EndedBy::Itself,
    }
}
