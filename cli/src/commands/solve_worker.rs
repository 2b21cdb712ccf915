//! `cardinal solve-worker`: the child's side of an isolated solve.

use std::io::BufReader;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::job::{Reply, perform};
use cardinal_edge::solve::Answered;
use cardinal_edge::write;
use cardinal_worker::{Answer, Desk, Form, Job, Phase, Purpose, confine, serve};
use serde_json::json;

use super::solve;
use crate::arguments::{AnswerForm, SolveWorker};
use crate::{clock, render};

/// Answers jobs until standard input ends.
pub fn run(arguments: &SolveWorker) -> Result<Exit, Failure> {
    if let Err(error) = confine(arguments.memory_limit) {
        return Err(Failure::internal(error.to_string()));
    }
    let served = serve(BufReader::new(std::io::stdin()), std::io::stdout(), |job, desk| {
        answer(job, desk).unwrap_or_else(|failure| Answer {
            exit: failure.exit.code(),
            text: String::new(),
            refusal: render::diagnostics::texts(&failure.findings),
            findings: failure.findings.iter().map(|finding| json!(finding.answer())).collect(),
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
    if matches!(job.purpose, Purpose::Decide(_)) {
        desk.enter(Phase::Solving);
        return Ok(cardinal_control::host::answer(&job));
    }
    let form = match job.form {
        Form::Json => AnswerForm::Json,
        Form::Yaml => AnswerForm::Yaml,
        Form::Table => AnswerForm::Table,
    };
    let told =
        |exit: Exit, text: String| Answer { exit: exit.code(), text, refusal: String::new(), findings: Vec::new() };
    let offer = |answer| {
        let guessed = Answered { answer, exit: Exit::Limit, is_cancelled: false };
        if let Ok(text) = solve::text(&guessed, form) {
            desk.offer(told(Exit::Limit, text));
        }
    };
    let reply = perform(job, clock::today(), desk, offer, render::diagnostics::show)?;
    Ok(told(reply.exit(), text(&reply, form)?))
}

fn text(reply: &Reply, form: AnswerForm) -> Result<String, Failure> {
    match (reply, form) {
        (Reply::Solved(found), form) => solve::text(found, form),
        (Reply::Compared(found), AnswerForm::Table) => Ok(render::what_if::comparison(&found.answer, &found.names)),
        (Reply::Compared(found), AnswerForm::Json) => write::json(&found.answer),
        (Reply::Compared(found), AnswerForm::Yaml) => write::yaml(&found.answer),
        (Reply::Swept(found), AnswerForm::Table) => {
            Ok(render::what_if::sweep(&found.answer, &found.axes, &found.names))
        }
        (Reply::Swept(found), AnswerForm::Json) => write::json(&found.answer),
        (Reply::Swept(found), AnswerForm::Yaml) => write::yaml(&found.answer),
    }
}
