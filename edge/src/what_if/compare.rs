//! Scenarios side by side.

use std::sync::atomic::Ordering;

use cardinal_models::solution::Status;
use cardinal_solver::SolveError;
use cardinal_solver::what_if::choice::{Choice, running};
use cardinal_solver::what_if::{Question, Scenario};

use super::{ComparisonAnswer, Names, ScenarioAnswer, choice, exit, moves, objective};
use crate::crew::Crew;
use crate::failure::{Exit, Failure};
use crate::finding::Finding;
use crate::input::model::Model;
use crate::solve::refusal;

/// The name of the model as it is.
const BASE: &str = "base";

/// A comparison with what it came to.
#[derive(Debug)]
pub struct Compared {
    /// The answer.
    pub answer: ComparisonAnswer,
    /// Short names of the offers in it.
    pub names: Names,
    /// The exit status that it stands for.
    pub exit: Exit,
}

/// A question, or why it cannot be asked, with its scenario.
type Asked = (usize, Question);

/// Solves the question as it is and as each scenario changes it.
pub fn compare(model: &Model, base: &Question, scenarios: Vec<Scenario>, crew: &Crew<'_>) -> Result<Compared, Failure> {
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
    let names = Names::of(&base.snapshot.catalog, choices.iter());
    Ok(Compared { answer, names, exit: exit(&choices, crew.cancel.load(Ordering::SeqCst)) })
}
