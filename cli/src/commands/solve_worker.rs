//! `cardinal solve-worker`: the child's side of an isolated solve.

use std::io::BufReader;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_interop::Format;
use cardinal_models::diagnostic::Source;
use cardinal_solver::Settings;
use cardinal_worker::{Answer, CatalogText, Desk, Form, Job, Phase, Text, confine, serve};

use super::solve::{Manner, Why, find};
use crate::arguments::{AnswerForm, SolveWorker};
use crate::failure::{Exit, Failure, Finding};
use crate::input::catalogs::Given;
use crate::input::question::{Texts, understand};
use crate::render;

/// Answers jobs until standard input ends.
pub fn run(arguments: &SolveWorker) -> Result<Exit, Failure> {
    if let Err(error) = confine(arguments.memory_limit) {
        return Err(Failure::internal(error.to_string()));
    }
    let served = serve(BufReader::new(std::io::stdin()), std::io::stdout(), |job, desk| {
        answer(job, desk).unwrap_or_else(|failure| {
            let refusal = render::diagnostics::texts(&failure.findings);
            Answer { exit: failure.exit.code(), text: String::new(), refusal }
        })
    });
    match served {
        Ok(()) => Ok(Exit::Solved),
        Err(error) => {
            let help = "a request is a line like {\"solve\": {\"model\": {\"name\": ..., \"text\": ...}}}";
            Err(Finding::error(error.to_string()).help(help).into())
        }
    }
}

fn answer(job: Job, desk: &Desk) -> Result<Answer, Failure> {
    let started = Instant::now();
    desk.enter(Phase::Reading);
    let form = match job.form {
        Form::Json => AnswerForm::Json,
        Form::Yaml => AnswerForm::Yaml,
        Form::Table => AnswerForm::Table,
    };
    let settings = Settings {
        time_limit: job.time_limit_ms.map(Duration::from_millis),
        gap: if job.gap.is_finite() { job.gap.max(0.0) } else { 0.0 },
        cancel: Some(desk.cancel()),
        ..Settings::default()
    };
    let why = if job.explain { Why::Briefly } else { Why::Nothing };
    let asked = understand(&texts(job)?)?;
    let manner = Manner { settings, why, form, started };
    let (exit, text) = find(asked, &manner, |phase| desk.enter(phase))?;
    Ok(Answer { exit: exit.code(), text, refusal: String::new() })
}

fn texts(job: Job) -> Result<Texts, Failure> {
    let source = |text: Text| Arc::new(Source { name: text.name, text: text.text });
    let known = || Format::ALL.map(Format::name).join(", ");
    let from = job.from.map(|name| {
        let unknown = || Finding::error(format!("there is no format `{name}`")).help(format!("there are {}", known()));
        Format::named(&name).ok_or_else(|| Failure::from(unknown()))
    });
    Ok(Texts {
        model: source(job.model),
        from: from.transpose()?,
        catalogs: job
            .catalogs
            .into_iter()
            .map(|catalog| match catalog {
                CatalogText::Builtin => Given::Builtin,
                CatalogText::Text(text) => Given::Text(source(text)),
            })
            .collect(),
        metrics: job.metrics,
        maximize: job.maximize,
        minimize: job.minimize,
        current: job.current.map(source),
    })
}
