//! `cardinal pareto`: the Pareto front of two objectives.

use std::sync::Arc;
use std::time::Instant;

use cardinal_edge::crew::Crew;
use cardinal_edge::explanation::compose::unit;
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::front::{FrontAnswer, GoalAnswer, PointAnswer};
use cardinal_edge::input::model::Model;
use cardinal_edge::input::question::Asked;
use cardinal_edge::solve::refusal;
use cardinal_edge::what_if::{Names, choice};
use cardinal_edge::write;
use cardinal_models::application::{Application, Objective};
use cardinal_models::evaluate::Evaluator;
use cardinal_models::solution::Status;
use cardinal_solver::pareto::{Front, read_goals};
use cardinal_solver::what_if::choice::Choice;
use cardinal_solver::{Outcome, Report, Settings, solve};

use crate::arguments::{Pareto, TableForm};
use crate::input::question;
use crate::progress::Bar;
use crate::{interrupt, output, plot, render};

/// Finds a front and prints it.
pub fn run(arguments: &Pareto, started: Instant) -> Result<Exit, Failure> {
    let Asked { model, snapshot, .. } = question::load(&arguments.inputs)?;
    if arguments.inputs.gap > 0.0 {
        let finding = Finding::error("the points of a front are proven to the end, and a gap leaves something open");
        return Err(finding.help("leave `--gap` out; `--resolution` and `--points` make a coarser front").into());
    }
    let goals = read_goals(&model.document, &model.application, &arguments.objective)
        .map_err(|misread| Finding::misread("--objective", &misread))?;
    let counts_penalties = arguments.objective.is_empty() || arguments.objective.iter().any(|o| o.trim() == "utility");
    if !model.application.soft.is_empty() && !counts_penalties {
        let finding = Finding::warning("the soft constraints of the model count in none of these objectives");
        render::diagnostics::show(&[
            finding.help("`--objective utility` is the utility of the model with its penalties")
        ]);
    }
    if let Some(path) = &arguments.plot {
        plot::check(path)?;
    }
    let cancel = interrupt::watch();
    if let Some(limit) = arguments.total_time.0 {
        interrupt::guard(limit);
    }
    let settings = Settings {
        time_limit: arguments.inputs.time_limit.0,
        gap: 0.0,
        cancel: Some(cancel.clone()),
        ..Settings::default()
    };
    let deadline = arguments.total_time.0.map(|limit| started + limit);
    let bar = Bar::start();
    let watch = |done, total| bar.show(done, total);
    let jobs = Crew::size(arguments.jobs);
    let crew = Crew { jobs, settings, deadline, cancel, watch: &watch };
    let began = Instant::now();
    let front = Front::new(&snapshot, goals, usize::from(arguments.points), arguments.resolution);
    let front = crew.run(
        front,
        Front::ask,
        Front::is_done,
        |task, settings| solve(&task.snapshot, settings),
        |front, task, answer| front.record(&task, answer),
        Front::progress,
    );
    drop(bar);
    if let Some(error) = front.failure() {
        return Err(refusal::failure(error, &pursued(&model, front.goals())));
    }
    let evaluator = Evaluator::new(&snapshot);
    let points = front.points().into_iter().map(|point| {
        let (status, solution) = (Status::Optimal, Some(point.solution.clone()));
        let found = Choice::of(&snapshot, &Outcome { status, solution, report: Report::default() });
        // That of the model, which may be none of the two objectives.
        let utility = evaluator.number(&snapshot.application.objective.formula, &point.solution.placement).ok();
        (point.values, Choice { utility, ..found })
    });
    let points: Vec<([f64; 2], Choice)> = points.collect();
    let names = Names::of(&snapshot.catalog, points.iter().map(|(_, found)| found));
    let goal = |objective: &Objective| GoalAnswer {
        direction: objective.direction.as_str(),
        formula: objective.text.clone(),
        unit: unit(&snapshot, objective.unit()),
    };
    let [first, second] = front.goals();
    let answer = FrontAnswer {
        application: snapshot.application.name.clone(),
        currency: Some(snapshot.catalog.currency.clone()).filter(|c| !c.is_empty()),
        objectives: [goal(first), goal(second)],
        points: points
            .iter()
            .map(|(values, found)| PointAnswer { values: *values, choice: choice(&snapshot.application, found) })
            .collect(),
        complete: front.is_complete(),
        stopped: !front.is_settled(),
        resolution: arguments.resolution,
        solves: front.solves(),
        jobs,
        seconds: began.elapsed().as_secs_f64(),
    };
    if let Some(path) = &arguments.plot {
        plot::front::draw(path, &answer)?;
        render::diagnostics::note(&format!("plot written to `{}`", path.display()));
    }
    match arguments.output {
        TableForm::Table => output::print(&render::front::table(&answer, &names))?,
        TableForm::Csv => output::print_raw(&render::front::csv(&answer)?)?,
        TableForm::Json => output::print_raw(write::json(&answer)?.as_bytes())?,
        TableForm::Yaml => output::print_raw(write::yaml(&answer)?.as_bytes())?,
    }
    Ok(if front.is_infeasible() {
        Exit::Infeasible
    } else if answer.stopped {
        Exit::Limit
    } else {
        Exit::Solved
    })
}

/// The model with the objectives of the front, for what the solver says about them.
fn pursued(model: &Model, goals: &[Objective; 2]) -> Model {
    let mut application = Application::clone(&model.application);
    application.soft.clear();
    application.objective = goals[0].clone();
    application.later = vec![goals[1].clone()];
    Model {
        source: model.source.clone(),
        application: Arc::new(application),
        document: model.document.clone(),
        report: model.report.clone(),
        warnings: Vec::new(),
    }
}
