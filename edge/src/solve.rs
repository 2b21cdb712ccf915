//! From what is asked to the answer as a document: solve, explain, put together.

pub mod refusal;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Status;
use cardinal_solver::engine::Engine;
use cardinal_solver::explain::{Depth, Wish, read_wishes};
use cardinal_solver::{Outcome, Settings, solve};
use cardinal_worker::Phase;

use crate::answer::Answer;
use crate::answer::compose::{Composition, compose};
use crate::date;
use crate::explanation::ExplanationAnswer;
use crate::explanation::compose as explanation;
use crate::failure::{Exit, Failure};
use crate::finding::Finding;
use crate::input::model::Model;
use crate::input::question::Asked;

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

impl Why {
    /// Everything, and why not these alternatives, `COMPONENT on OFFER x NUMBER` each; all mistakes at once.
    pub fn fully(asked: &Asked, alternatives: &[String]) -> Result<Why, Failure> {
        let (mut wishes, mut errors) = (Vec::new(), Vec::new());
        for text in alternatives {
            match read_wishes(&asked.snapshot.application, &asked.snapshot.catalog, text) {
                Ok(read) => wishes.push((text.clone(), read)),
                Err(misread) => errors.push(Finding::misread("--why-not", &misread)),
            }
        }
        if errors.is_empty() { Ok(Why::Fully(wishes)) } else { Err(Failure::invalid(errors)) }
    }
}

/// How a question is answered.
#[derive(Debug)]
pub struct Manner {
    /// The limits.
    pub settings: Settings,
    /// How much is said about why.
    pub why: Why,
    /// When the work on it began.
    pub started: Instant,
    /// Days since 1970-01-01.
    pub today: i64,
}

/// An answer with what it came to.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub answer: Answer,
    /// The exit status that it stands for.
    pub exit: Exit,
    /// True when somebody asked for the best known so far.
    pub is_cancelled: bool,
}

/// Solves and explains what is asked. `enter` hears of each phase; `doubt` hears what is to be careful about that was
/// seen only on the way, which is in the answer too.
pub fn find(
    asked: Asked,
    manner: &Manner,
    mut enter: impl FnMut(Phase),
    doubt: impl FnOnce(&[Finding]),
) -> Result<Answered, Failure> {
    let Asked { model, snapshot, mut warnings } = asked;
    let Manner { settings, why, started, today } = manner;
    let load = started.elapsed();
    let begin = Instant::now();
    enter(Phase::Solving);
    let solved = solve(&snapshot, settings);
    enter(Phase::Explaining);
    let outcome = solved.map_err(|error| refusal::failure(&error, &model))?;
    let took = begin.elapsed();

    let begin = Instant::now();
    let is_cancelled = settings.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::SeqCst));
    let explanation = if is_cancelled {
        ExplanationAnswer::default()
    } else {
        explain(&snapshot, &model, &outcome, took, why, settings)
    };
    let mut seen = doubts(&outcome);
    seen.extend(past_commitments(&model, *today));
    doubt(&seen);
    warnings.splice(0..0, model.warnings.iter().cloned());
    warnings.extend(seen);
    let answer = compose(Composition {
        snapshot: &snapshot,
        model: &model,
        outcome: &outcome,
        explanation,
        warnings: &warnings,
        today: *today,
        load,
        explain: begin.elapsed(),
        total: started.elapsed(),
    });
    Ok(Answered { answer, exit: exit(outcome.status), is_cancelled })
}

/// A quick answer without the engine, for the case that the engine takes the process along; `None` where there is none.
pub fn guess(asked: &Asked, manner: &Manner) -> Option<Answer> {
    let Manner { settings, started, today, .. } = manner;
    let load = started.elapsed();
    let time = settings.time_limit.map_or(GUESS_TIME, |limit| (limit / 10).min(GUESS_TIME));
    let quick = Settings { time_limit: Some(time), engine: Engine::Off, ..settings.clone() };
    let outcome = solve(&asked.snapshot, &quick).ok().filter(|outcome| outcome.solution.is_some())?;
    Some(compose(Composition {
        snapshot: &asked.snapshot,
        model: &asked.model,
        outcome: &outcome,
        explanation: ExplanationAnswer::default(),
        warnings: &asked.model.warnings,
        today: *today,
        load,
        explain: Duration::ZERO,
        total: started.elapsed(),
    }))
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
        let days = date::age_days(until, today).filter(|days| *days > 0)?;
        let message = format!("the commitment `{}` ended on {until}, {days} days ago, and is counted", commitment.name);
        let help = "remove it, or its `until`";
        Some(Finding::warning(message).help(help).at(&model.source, commitment.span))
    });
    past.collect()
}

fn exit(status: Status) -> Exit {
    match status {
        Status::Optimal => Exit::Solved,
        Status::Infeasible => Exit::Infeasible,
        Status::Feasible | Status::Unknown => Exit::Limit,
    }
}
