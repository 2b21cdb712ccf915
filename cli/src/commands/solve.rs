//! `cardinal solve`: the best placement of an application, with proof.

mod refusal;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::Status;
use cardinal_solver::{Outcome, Settings, solve};

use crate::answer::compose::{Composition, compose};
use crate::arguments::{AnswerForm, Solve};
use crate::explanation::{self, ExplanationAnswer};
use crate::failure::{Exit, Failure, Finding};
use crate::input::model::Model;
use crate::input::{catalogs, current, metrics, model};
use crate::progress::Progress;
use crate::render::table::EndedBy;
use crate::{clock, interrupt, output, render};

/// A catalog older than this is warned about.
const AGE_DAYS_MAX: i64 = 180;
/// The least time to look for the reason of a conflict, which is all that such an answer has to say.
const CONFLICT_TIME: Duration = Duration::from_millis(500);

/// Solves a model and prints the answer.
pub fn run(arguments: &Solve, started: Instant) -> Result<Exit, Failure> {
    let model = model::load(&arguments.model, arguments.from)?;
    let (snapshot, mut warnings) = snapshot(arguments, &model)?;
    render::diagnostics::show(&warnings);
    let load = started.elapsed();

    let cancel = interrupt::watch();
    if let Some(limit) = arguments.time_limit.0 {
        interrupt::guard(limit);
    }
    let settings = Settings { time_limit: arguments.time_limit.0, gap: arguments.gap, cancel: Some(cancel.clone()) };
    let begin = Instant::now();
    let progress = Progress::start(settings.time_limit);
    let solved = solve(&snapshot, &settings);
    drop(progress);
    let outcome = solved.map_err(|error| refusal::failure(&error, &model))?;
    let took = begin.elapsed();

    let begin = Instant::now();
    let explanation = if arguments.no_explain || cancel.load(Ordering::SeqCst) {
        ExplanationAnswer::default()
    } else {
        explain(&snapshot, &model, &outcome, took, settings.time_limit)
    };
    let seen = doubts(&outcome);
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
    let text = match arguments.output {
        AnswerForm::Table => {
            let ended_by = ended_by(&outcome, cancel.load(Ordering::SeqCst));
            output::print(&render::table::answer(&answer, ended_by))?;
            return Ok(exit(outcome.status));
        }
        AnswerForm::Json => render::json::json(&answer)?,
        AnswerForm::Yaml => render::json::yaml(&answer)?,
    };
    output::print_raw(text.as_bytes())?;
    Ok(exit(outcome.status))
}

/// The input of the solver, with what is probably not meant. The warnings about the model are shown first.
fn snapshot(arguments: &Solve, model: &Model) -> Result<(Snapshot, Vec<Finding>), Failure> {
    render::diagnostics::show(&model.warnings);
    // Mistakes of the command line are told together.
    let values = metrics::read(&model.application, &arguments.metrics);
    let offers = catalogs::load(&arguments.catalogs, None);
    let (values, (catalog, mut warnings)) = match (values, offers) {
        (Ok(values), Ok(offers)) => (values, offers),
        (Err(mut failure), Err(other)) => {
            failure.findings.extend(other.findings);
            return Err(failure);
        }
        (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => return Err(failure),
    };
    catalogs::check_currency(model, &catalog, &arguments.catalogs)?;
    if let Some(age) = clock::age_days(&catalog.date, clock::today()).filter(|age| *age > AGE_DAYS_MAX) {
        let message = format!("the prices of the catalog are {age} days old");
        warnings.push(Finding::warning(message).help("read them anew; see `cardinal catalog import --help`"));
    }
    let mut snapshot = Snapshot::new(model.application.clone(), Arc::new(catalog));
    snapshot.metrics = values;
    if let Some(path) = &arguments.current {
        snapshot.current = Some(current::load(path, &model.application, &snapshot.catalog)?);
    }
    Ok((snapshot, warnings))
}

fn explain(
    snapshot: &Snapshot,
    model: &Model,
    outcome: &Outcome,
    took: Duration,
    limit: Option<Duration>,
) -> ExplanationAnswer {
    let time = explanation::budget(took, took, limit);
    match (&outcome.solution, outcome.status) {
        (Some(solution), _) => explanation::of_solution(snapshot, &model.source, solution, time),
        (None, Status::Infeasible) => explanation::of_conflict(snapshot, &model.source, time.max(CONFLICT_TIME)),
        (None, _) => ExplanationAnswer::default(),
    }
}

/// What was seen on the way and bears on how far the answer can be trusted.
fn doubts(outcome: &Outcome) -> Vec<Finding> {
    let report = &outcome.report;
    let mut found = Vec::new();
    if report.effort.undefined > 0 {
        let message = format!("{} choices were left out because a formula has no value there", report.effort.undefined);
        found.push(Finding::warning(message).help(
            "such as a division by zero, or a queue that cannot keep up; `if(condition, then, otherwise)` keeps them",
        ));
    }
    if report.effort.ties_open {
        found.push(Finding::warning(
            "placements of equal utility were not searched to the end: one that is cheaper or changes less may exist",
        ));
    }
    if report.second_attempt {
        found.push(Finding::warning(
            "the first answer of the engine was refused by the checks; this is that of a second, slower attempt",
        ));
    }
    found
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
