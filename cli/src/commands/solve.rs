//! `cardinal solve`: the best placement of an application, with proof. `cardinal explain` goes the same way and says
//! more about why.

pub mod isolated;
pub mod refusal;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Status;
use cardinal_solver::engine::Engine;
use cardinal_solver::explain::{Depth, Wish};
use cardinal_solver::{Outcome, Settings, solve};
use cardinal_worker::Phase;

use crate::answer::Answer;
use crate::answer::compose::{Composition, compose};
use crate::arguments::{AnswerForm, Question, Solve};
use crate::explanation::ExplanationAnswer;
use crate::explanation::compose as explanation;
use crate::failure::{Exit, Failure, Finding};
use crate::input::model::Model;
use crate::input::question;
use crate::progress::Progress;
use crate::render::table::EndedBy;
use crate::{clock, interrupt, output, render};

/// The least time to look for the reason of a conflict, which is all that such an answer has to say.
const CONFLICT_TIME: Duration = Duration::from_secs(1);

/// The longest time for an answer without the engine.
const GUESS_TIME: Duration = Duration::from_secs(1);

/// How much is said about why.
#[derive(Debug)]
pub enum Why {
    /// Nothing.
    Nothing,
    /// What takes no longer than the solve.
    Briefly,
    /// Everything, and why not these alternatives.
    Fully(Vec<(String, Vec<Wish>)>),
}

/// Solves a model and prints the answer.
pub fn run(arguments: &Solve, started: Instant) -> Result<Exit, Failure> {
    let asked = question::load(&arguments.question.inputs)?;
    answer(&arguments.question, asked, if arguments.no_explain { Why::Nothing } else { Why::Briefly }, started)
}

/// How a question is answered.
pub struct Manner {
    /// The limits.
    pub settings: Settings,
    /// How much is said about why.
    pub why: Why,
    /// How the answer is written.
    pub form: AnswerForm,
    /// When the work on it began.
    pub started: Instant,
}

/// Solves what is asked, explains and prints the answer.
pub fn answer(arguments: &Question, asked: question::Asked, why: Why, started: Instant) -> Result<Exit, Failure> {
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
    let manner = Manner { settings, why, form: arguments.output, started };
    let (exit, text) = find(asked, &manner, |phase| match phase {
        Phase::Solving => progress = Some(Progress::start(inputs.time_limit.0)),
        Phase::Reading | Phase::Explaining => progress = None,
    })?;
    show(&text, arguments.output)?;
    Ok(exit)
}

/// Prints an answer; colours are for people.
fn show(text: &str, form: AnswerForm) -> Result<(), Failure> {
    match form {
        AnswerForm::Table => output::print(text),
        AnswerForm::Json | AnswerForm::Yaml => output::print_raw(text.as_bytes()),
    }
}

/// Solves and explains what is asked, and writes the answer. Warnings go to standard error.
pub fn find(asked: question::Asked, manner: &Manner, mut enter: impl FnMut(Phase)) -> Result<(Exit, String), Failure> {
    let question::Asked { model, snapshot, mut warnings } = asked;
    render::diagnostics::show(&warnings);
    let Manner { settings, why, form, started } = manner;
    let load = started.elapsed();
    let begin = Instant::now();
    enter(Phase::Solving);
    let solved = solve(&snapshot, settings);
    enter(Phase::Explaining);
    let outcome = solved.map_err(|error| refusal::failure(&error, &model))?;
    let took = begin.elapsed();

    let begin = Instant::now();
    let cancelled = settings.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::SeqCst));
    let explanation = if cancelled {
        ExplanationAnswer::default()
    } else {
        explain(&snapshot, &model, &outcome, took, why, settings)
    };
    let mut seen = doubts(&outcome);
    seen.extend(past_commitments(&model, clock::today()));
    render::diagnostics::show(&seen);
    warnings.splice(0..0, model.warnings.iter().cloned());
    warnings.extend(seen);
    let answer = compose(Composition {
        snapshot: &snapshot,
        model: &model,
        outcome: &outcome,
        explanation,
        warnings: &warnings,
        today: clock::today(),
        load,
        explain: begin.elapsed(),
        total: started.elapsed(),
    });
    let text = write(&answer, *form, ended_by(&outcome, cancelled))?;
    Ok((exit(outcome.status), text))
}

/// A quick answer without the engine, for the case that the engine takes the process along; `None` where there is none.
pub fn guess(asked: &question::Asked, manner: &Manner) -> Option<String> {
    let Manner { settings, form, started, .. } = manner;
    let load = started.elapsed();
    let time = settings.time_limit.map_or(GUESS_TIME, |limit| (limit / 10).min(GUESS_TIME));
    let quick = Settings { time_limit: Some(time), engine: Engine::Off, ..settings.clone() };
    let outcome = solve(&asked.snapshot, &quick).ok().filter(|outcome| outcome.solution.is_some())?;
    let answer = compose(Composition {
        snapshot: &asked.snapshot,
        model: &asked.model,
        outcome: &outcome,
        explanation: ExplanationAnswer::default(),
        warnings: &asked.model.warnings,
        today: clock::today(),
        load,
        explain: Duration::ZERO,
        total: started.elapsed(),
    });
    write(&answer, *form, ended_by(&outcome, false)).ok()
}

/// The text of an answer.
fn write(answer: &Answer, form: AnswerForm, ended_by: EndedBy) -> Result<String, Failure> {
    match form {
        AnswerForm::Table => Ok(render::table::answer(answer, ended_by)),
        AnswerForm::Json => render::json::json(answer),
        AnswerForm::Yaml => render::json::yaml(answer),
    }
}

fn explain(
    snapshot: &Snapshot,
    model: &Model,
    outcome: &Outcome,
    took: Duration,
    why: &Why,
    settings: &Settings,
) -> ExplanationAnswer {
    let (depth, time, alternatives) = match why {
        Why::Nothing => return ExplanationAnswer::default(),
        Why::Briefly => (Depth::Brief, Some(explanation::budget(took, took, settings.time_limit)), [].as_slice()),
        Why::Fully(alternatives) => (Depth::Full, settings.time_limit, alternatives.as_slice()),
    };
    let begin = Instant::now();
    // What was asked for in particular comes first.
    let within = |time: Option<Duration>| {
        let left = time.map(|time| time.saturating_sub(begin.elapsed()));
        Settings { time_limit: left, gap: 0.0, ..settings.clone() }
    };
    let solution = outcome.solution.as_ref();
    let asked = alternatives.iter().map(|(text, wishes)| {
        explanation::why_not_this(snapshot, &model.source, solution, (text, wishes), &within(time))
    });
    let why_not = asked.collect();
    let explanation = match (solution, outcome.status) {
        (Some(solution), _) => explanation::of_solution(snapshot, &model.source, solution, depth, &within(time)),
        (None, Status::Infeasible) => {
            let time = time.map(|time| time.max(CONFLICT_TIME));
            explanation::of_conflict(snapshot, &model.source, depth, &within(time))
        }
        (None, _) => ExplanationAnswer::default(),
    };
    ExplanationAnswer { why_not, ..explanation }
}

/// What was seen on the way and bears on how far the answer can be trusted.
pub fn doubts(outcome: &Outcome) -> Vec<Finding> {
    let report = &outcome.report;
    let mut found = Vec::new();
    if report.effort.ties_open {
        found.push(Finding::warning(
            "placements of equal utility were not searched to the end: one that is cheaper or changes less may exist",
        ));
    }
    if report.without_engine {
        found.push(Finding::warning(
            "the integer programming engine failed; this is the answer of a simpler search, with the bound that it proves",
        ));
    }
    if report.second_attempt {
        found.push(Finding::warning(
            "the first answer of the engine was refused by the checks; this is that of a second, slower attempt",
        ));
    }
    found
}

/// Commitments whose last day is past: they count all the same.
fn past_commitments(model: &Model, today: i64) -> Vec<Finding> {
    let past = model.application.commitments.iter().filter_map(|commitment| {
        let until = commitment.until.as_deref()?;
        let days = clock::age_days(until, today).filter(|days| *days > 0)?;
        let message = format!("the commitment `{}` ended on {until}, {days} days ago, and is counted", commitment.name);
        let help = "remove it, or its `until`";
        Some(Finding::warning(message).help(help).at(&model.source, commitment.span))
    });
    past.collect()
}

fn ended_by(outcome: &Outcome, interrupted: bool) -> EndedBy {
    match outcome.status {
        Status::Optimal | Status::Infeasible => EndedBy::Itself,
        _ if interrupted => EndedBy::Interrupt,
        _ => EndedBy::Time,
    }
}

fn exit(status: Status) -> Exit {
    match status {
        Status::Optimal => Exit::Solved,
        Status::Infeasible => Exit::Infeasible,
        Status::Feasible | Status::Unknown => Exit::Limit,
    }
}
