//! `cardinal what-if`: scenarios side by side, and sweeps.

use std::sync::atomic::Ordering;
use std::time::Instant;

use cardinal_models::diagnostic::Source;
use cardinal_models::solution::Status;
use cardinal_models::span::Span;
use cardinal_solver::selector::{Misread, Selector};
use cardinal_solver::what_if::amount::Amount;
use cardinal_solver::what_if::axis::{Axis, Form};
use cardinal_solver::what_if::choice::{Choice, running};
use cardinal_solver::what_if::file::ScenarioFile;
use cardinal_solver::what_if::sweep::Sweep;
use cardinal_solver::what_if::{Change, Question, Scenario};
use cardinal_solver::{Settings, SolveError};

use super::solve::refusal;
use crate::answer::ObjectiveAnswer;
use crate::arguments::{TableForm, WhatIf};
use crate::failure::{Exit, Failure, Finding};
use crate::input::model::Model;
use crate::input::{files, question};
use crate::what_if::{
    AxisAnswer, ComparisonAnswer, Names, PointAnswer, ScenarioAnswer, SweepAnswer, break_point, choice, moves,
};
use crate::workers::Crew;
use crate::{interrupt, output, plot, render};

/// The name of the model as it is, and of the changes of the command line.
const BASE: &str = "base";
const CHANGED: &str = "changed";

/// Answers a what-if.
pub fn run(arguments: &WhatIf, started: Instant) -> Result<Exit, Failure> {
    let question::Asked { model, snapshot, warnings } = question::load(&arguments.inputs)?;
    render::diagnostics::show(&warnings);
    let base = Question { document: model.document.clone(), snapshot };
    let changes = changes(arguments)?;
    let mut scenarios = Vec::new();
    for path in &arguments.scenarios {
        scenarios.extend(scenario_file(path)?);
    }
    let axes = read_all(&arguments.sweep, "--sweep", Axis::read)?;
    if let Some(path) = &arguments.plot {
        plot::check(path)?;
    }
    let cancel = interrupt::watch();
    if let Some(limit) = arguments.total_time.0 {
        interrupt::guard(limit);
    }
    let settings = Settings {
        time_limit: arguments.inputs.time_limit.0,
        gap: arguments.inputs.gap,
        cancel: Some(cancel.clone()),
        ..Settings::default()
    };
    let deadline = arguments.total_time.0.map(|limit| started + limit);
    let crew = Crew { jobs: Crew::size(arguments.jobs), settings, deadline, cancel };
    if axes.is_empty() {
        if !changes.is_empty() {
            scenarios.insert(0, Scenario { name: CHANGED.to_owned(), description: None, changes });
        }
        if scenarios.is_empty() {
            let finding = Finding::error("nothing is different");
            return Err(finding
                .help("name a change, such as `--set requests=2x`; see `cardinal what-if --help`")
                .into());
        }
        return compare(arguments, &model, &base, scenarios, &crew);
    }
    let changed = base.with(&changes).map_err(|misread| Finding::misread("the changes", &misread))?;
    sweep(arguments, &model, &changed, axes, &crew)
}

/// Reads every text, or tells all that cannot be read.
fn read_all<T>(texts: &[String], whose: &str, read: impl Fn(&str) -> Result<T, Misread>) -> Result<Vec<T>, Failure> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for text in texts {
        match read(text) {
            Ok(one) => all.push(one),
            Err(misread) => errors.push(Finding::misread(whose, &misread)),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Failure::invalid(errors)) }
}

/// The changes of the command line.
fn changes(arguments: &WhatIf) -> Result<Vec<Change>, Failure> {
    let mut parts = Vec::new();
    parts.push(Ok(arguments.drop.iter().map(|name| Change::Drop(name.clone())).collect()));
    parts.push(read_all(&arguments.cardinality, "--cardinality", |text| {
        let help = "write `COMPONENT=RANGE`, such as `web=2..10`";
        let wrong = || Misread::new(format!("`{text}` gives no component a range"), help);
        let (name, range) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Change::Cardinality(name.trim().to_owned(), range.trim().to_owned()))
    }));
    parts.push(read_all(&arguments.limit, "--limit", |text| {
        Amount::assignment(text).map(|(name, amount)| Change::Limit(name, amount))
    }));
    parts.push(read_all(&arguments.set, "--set", |text| {
        Amount::assignment(text).map(|(name, amount)| Change::Set(name, amount))
    }));
    parts.push(read_all(&arguments.price, "--price", |text| {
        let (offers, amount) = Amount::assignment(text)?;
        Ok(Change::Price(Selector::read(&offers)?, amount))
    }));
    parts.push(read_all(&arguments.without, "--without", |text| Selector::read(text).map(Change::Without)));
    if !arguments.only.is_empty() {
        let only = Selector::any(&arguments.only).map_err(|misread| Finding::misread("--only", &misread));
        parts.push(only.map(|offers| vec![Change::Only(offers)]).map_err(Failure::from));
    }
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Ok(changes) => all.extend::<Vec<Change>>(changes),
            Err(failure) => errors.extend(failure.findings),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Failure::invalid(errors)) }
}

fn scenario_file(path: &std::path::Path) -> Result<Vec<Scenario>, Failure> {
    let source = files::read(path)?;
    let at = |word: &str| source.text.find(word).map_or(Span::NONE, |at| Span::new(at, at + word.len()));
    let parsed: Result<ScenarioFile, Finding> = serde_saphyr::from_str(&source.text).map_err(|error| {
        let place = error.location().map(|l| (l.line() as usize, l.column() as usize));
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("it cannot be read").to_owned();
        let place = place.map_or(Span::NONE, |(line, column)| span_at(&source, line, column));
        Finding::error(format!("this is no file of scenarios: {message}"))
            .help("it looks like `scenarios: {rush-hour: {set: {requests: 2x}}}`; see `cardinal schema scenario`")
            .at(&source, place)
    });
    parsed?.scenarios().map_err(|errors| {
        let finding =
            |(text, misread): (String, Misread)| Finding::misread("scenario", &misread).at(&source, at(&text));
        Failure::invalid(errors.into_iter().map(finding).collect())
    })
}

fn span_at(source: &Source, line: usize, column: usize) -> Span {
    let start: usize = source.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = source.text.get(start..).unwrap_or("");
    let at = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.trim_end().len(), |(i, _)| i);
    Span::new(start + at, (start + at + 1).min(source.text.len()))
}

fn objective(question: &Question) -> ObjectiveAnswer {
    let objective = &question.snapshot.application.objective;
    ObjectiveAnswer {
        direction: objective.direction.as_str(),
        formula: objective.text.clone(),
        is_default: objective.is_default,
    }
}

/// A question, or why it cannot be asked, with its scenario.
type Asked = (usize, Question);

fn compare(
    arguments: &WhatIf,
    model: &Model,
    base: &Question,
    scenarios: Vec<Scenario>,
    crew: &Crew,
) -> Result<Exit, Failure> {
    let as_it_is = Scenario { name: BASE.to_owned(), ..Scenario::default() };
    let scenarios: Vec<Scenario> = std::iter::once(as_it_is).chain(scenarios).collect();
    let (mut asked, mut errors): (Vec<Asked>, Vec<Finding>) = (Vec::new(), Vec::new());
    for (index, scenario) in scenarios.iter().enumerate() {
        match base.with(&scenario.changes) {
            Ok(question) => asked.push((index, question)),
            Err(misread) => errors.push(Finding::misread(&format!("scenario `{}`", scenario.name), &misread)),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::invalid(errors));
    }
    let questions: Vec<Question> = asked.iter().map(|(_, question)| question.clone()).collect();
    asked.reverse();
    struct Work {
        open: Vec<Asked>,
        found: Vec<Option<Result<Choice, SolveError>>>,
    }
    let total = asked.len();
    let work = Work { open: asked, found: vec![None; total] };
    let work = crew.run(
        work,
        |work| work.open.pop(),
        |work| work.open.is_empty(),
        |(_, question), settings| {
            let solved = cardinal_solver::solve(&question.snapshot, settings);
            solved.map(|outcome| Choice::of(&question.snapshot, &outcome))
        },
        |work, (index, _), found| work.found[index] = Some(found),
        |work| (total - work.open.len(), total),
    );
    let unknown = || Choice { status: Some(Status::Unknown), failure: None, ..Choice::failed(String::new()) };
    let mut choices = Vec::new();
    for (index, found) in work.found.into_iter().enumerate() {
        choices.push(match found {
            Some(Ok(choice)) => choice,
            // A model that cannot be solved as it is cannot be compared with anything.
            Some(Err(error)) if index == 0 => return Err(refusal::failure(&error, model)),
            Some(Err(error)) => Choice::failed(error.to_string()),
            None => unknown(),
        });
    }
    let now = running(&base.snapshot);
    let from = now.clone().unwrap_or_else(|| choices[0].nodes.clone());
    let answers = scenarios.iter().zip(&choices).zip(&questions);
    let answers = answers.map(|((scenario, found), question)| ScenarioAnswer {
        name: scenario.name.clone(),
        description: scenario.description.clone(),
        choice: choice(&question.snapshot.application, found),
        moves: moves(found, &from),
    });
    let answer = ComparisonAnswer {
        application: base.snapshot.application.name.clone(),
        currency: Some(base.snapshot.catalog.currency.clone()).filter(|c| !c.is_empty()),
        objective: objective(base),
        scenarios: answers.collect(),
        moves_from_current: now.is_some(),
        complete: choices.iter().all(|c| c.is_settled() || c.failure.is_some()),
    };
    match arguments.output {
        TableForm::Table => {
            let names = Names::of(&base.snapshot.catalog, choices.iter());
            output::print(&render::what_if::comparison(&answer, &names))?;
        }
        TableForm::Csv => output::print_raw(&render::what_if::comparison_csv(&answer)?)?,
        TableForm::Json => output::print_raw(render::json::json(&answer)?.as_bytes())?,
        TableForm::Yaml => output::print_raw(render::json::yaml(&answer)?.as_bytes())?,
    }
    Ok(exit(&choices, crew.cancel.load(Ordering::SeqCst)))
}

fn exit(choices: &[Choice], is_cancelled: bool) -> Exit {
    if choices.iter().any(|choice| choice.failure.is_some()) {
        Exit::Invalid
    } else if is_cancelled || choices.iter().any(|choice| !choice.is_settled()) {
        Exit::Limit
    } else if choices.iter().all(|choice| choice.cost.is_none()) {
        Exit::Infeasible
    } else {
        Exit::Solved
    }
}

fn sweep(arguments: &WhatIf, model: &Model, base: &Question, axes: Vec<Axis>, crew: &Crew) -> Result<Exit, Failure> {
    let began = Instant::now();
    let misread = |misread: Misread| Failure::from(Finding::misread("--sweep", &misread));
    // What is wrong with an axis is told before anything is solved.
    for axis in &axes {
        for value in [axis.values.first(), axis.values.last()].into_iter().flatten() {
            base.with(&[axis.change(*value)]).map_err(misread)?;
        }
    }
    let sweep = Sweep::new(axes).map_err(misread)?;
    let seeks_breaks = !arguments.no_breaks;
    let mut sweep = crew.run(
        sweep,
        Sweep::ask,
        |sweep| sweep.is_done() || (!seeks_breaks && sweep.grid().iter().all(Option::is_some)),
        |task, settings| match base.with(&task.changes) {
            Ok(question) => question.solve(settings),
            Err(misread) => Choice::failed(misread.message),
        },
        |sweep, task, choice| sweep.record(&task, choice),
        Sweep::progress,
    );
    let is_done = sweep.is_done() || (!seeks_breaks && sweep.grid().iter().all(Option::is_some));
    let solves = sweep.progress().0;
    let breaks = if seeks_breaks { sweep.breaks() } else { Vec::new() };
    let application = &base.snapshot.application;
    let known: Vec<Choice> = sweep.grid().iter().flatten().cloned().collect();
    // A model that fails everywhere fails as it is.
    if !known.is_empty()
        && known.iter().all(|choice| choice.failure.is_some())
        && let Err(error) = cardinal_solver::solve(&base.snapshot, &crew.settings)
    {
        return Err(refusal::failure(&error, model));
    }
    let all = known.iter().chain(breaks.iter().flat_map(|b| [&b.before, &b.after]));
    let names = Names::of(&base.snapshot.catalog, all);
    let axes = sweep.axes();
    let points = sweep.grid().iter().enumerate().filter_map(|(index, found)| {
        found.as_ref().map(|found| PointAnswer { values: sweep.values(index), choice: choice(application, found) })
    });
    let breaks = breaks.iter().map(|found| {
        let of = axes.get(1).map(|axis| axis.values[found.line]);
        break_point(application, &names, found, axes[0].show(found.at), of)
    });
    let answer = SweepAnswer {
        application: application.name.clone(),
        currency: Some(base.snapshot.catalog.currency.clone()).filter(|c| !c.is_empty()),
        objective: objective(base),
        axes: axes
            .iter()
            .map(|axis| AxisAnswer {
                name: axis.label(),
                form: match axis.form {
                    Form::Absolute(_) => "absolute",
                    Form::Factor => "factor",
                    Form::Percent => "percent",
                },
                log: axis.is_log,
                values: axis.values.clone(),
            })
            .collect(),
        points: points.collect(),
        breaks: breaks.collect(),
        complete: is_done,
        solves,
        jobs: crew.jobs,
        seconds: began.elapsed().as_secs_f64(),
    };
    if let Some(path) = &arguments.plot {
        plot::draw(path, &answer)?;
        render::diagnostics::note(&format!("plot written to `{}`", path.display()));
    }
    match arguments.output {
        TableForm::Table => output::print(&render::what_if::sweep(&answer, axes, &names))?,
        TableForm::Csv => output::print_raw(&render::what_if::sweep_csv(&answer)?)?,
        TableForm::Json => output::print_raw(render::json::json(&answer)?.as_bytes())?,
        TableForm::Yaml => output::print_raw(render::json::yaml(&answer)?.as_bytes())?,
    }
    Ok(if is_done { exit(&known, false) } else { Exit::Limit })
}
