//! Sweeps: the answer over a range of one number or two, with the points at which it changes.

use std::time::Instant;

use cardinal_solver::selector::Misread;
use cardinal_solver::what_if::Question;
use cardinal_solver::what_if::axis::{Axis, Form};
use cardinal_solver::what_if::choice::Choice;
use cardinal_solver::what_if::sweep::Sweep;

use super::{AxisAnswer, Names, PointAnswer, SweepAnswer, break_point, choice, exit, objective};
use crate::crew::Crew;
use crate::failure::{Exit, Failure};
use crate::finding::Finding;
use crate::input::model::Model;
use crate::solve::refusal;

/// Whether the exact values at which the answer changes are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// They are.
    Find,
    /// The points of the grid are enough.
    Leave,
}

/// A sweep with what it came to.
#[derive(Debug)]
pub struct Swept {
    /// The answer.
    pub answer: SweepAnswer,
    /// What was swept.
    pub axes: Vec<Axis>,
    /// Short names of the offers in it.
    pub names: Names,
    /// The exit status that it stands for.
    pub exit: Exit,
}

/// Solves a question over a range of one number or two.
pub fn sweep(
    model: &Model,
    base: &Question,
    axes: Vec<Axis>,
    breaks: Breaks,
    crew: &Crew<'_>,
) -> Result<Swept, Failure> {
    let began = Instant::now();
    let misread = |misread: Misread| Failure::from(Finding::misread("--sweep", &misread));
    // What is wrong with an axis is told before anything is solved.
    for axis in &axes {
        for value in [axis.values.first(), axis.values.last()].into_iter().flatten() {
            base.with(&[axis.change(*value)]).map_err(misread)?;
        }
    }
    let sweep = Sweep::new(axes).map_err(misread)?;
    let seeks_breaks = breaks == Breaks::Find;
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
    let exit = if is_done { exit(&known, false) } else { Exit::Limit };
    let axes = axes.to_vec();
    Ok(Swept { answer, axes, names, exit })
}
