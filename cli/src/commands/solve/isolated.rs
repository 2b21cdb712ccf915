//! `cardinal solve --isolated`: the solve runs in a worker process, which is ended when it is over its time or memory.

use std::ffi::OsString;
use std::time::Duration;

use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::input::question::Texts;
use cardinal_edge::job::pack;
use cardinal_worker::{Cause, Form, Job, Phase, Program, Watch, Worker};

use super::show;
use crate::arguments::{AnswerForm, Color, Solve};
use crate::input::question;
use crate::interrupt;
use crate::progress::Progress;
use crate::render;

/// How long a worker may take beyond its time limit, for reading, explaining and printing.
const GRACE: Duration = Duration::from_secs(5);

/// Solves a model in a worker and prints the answer.
pub fn run(arguments: &Solve, color: Color) -> Result<Exit, Failure> {
    let texts = question::texts(&arguments.question.inputs)?;
    let limit = arguments.question.inputs.time_limit.0;
    let job = job(&texts, arguments);
    let cancel = interrupt::watch();
    let mut worker = Worker::start(&program(arguments.memory_limit, color)?).map_err(|e| internal(&e))?;
    let mut follow = Follow { limit, progress: None };
    let done = worker.solve(&job, limit.map(|limit| limit.mul_f64(1.1) + GRACE), &cancel, &mut follow);
    if done.is_ok() {
        worker.finish(GRACE, &mut follow);
    }
    drop(follow);
    let form = arguments.question.output;
    match done {
        Ok(answer) => {
            if !answer.refusal.is_empty() {
                render::diagnostics::note(answer.refusal.trim_end_matches('\n'));
            }
            show(&answer.text, form)?;
            Ok(Exit::of(answer.exit))
        }
        Err(failure) => match failure.incumbent {
            Some(incumbent) => {
                let warning = Finding::warning(chain(&failure.cause));
                let help = "this is the best answer that was known by then";
                render::diagnostics::show(&[warning.help(help)]);
                show(&incumbent.text, form)?;
                Ok(Exit::Limit)
            }
            None if matches!(failure.cause, Cause::Overdue(_)) => {
                Err(Failure { exit: Exit::Limit, findings: vec![Finding::error(chain(&failure.cause))] })
            }
            None => {
                let finding = Finding::error(chain(&failure.cause));
                let finding = match failure.cause {
                    Cause::OutOfMemory => finding.help("raise `--memory-limit`, or narrow the offers and the model"),
                    _ => finding,
                };
                Err(Failure { exit: Exit::Internal, findings: vec![finding] })
            }
        },
    }
}

fn job(texts: &Texts, arguments: &Solve) -> Job {
    let inputs = &arguments.question.inputs;
    let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1);
    Job {
        time_limit_ms: inputs.time_limit.0.map(millis),
        gap: inputs.gap,
        explain: !arguments.no_explain,
        form: match arguments.question.output {
            AnswerForm::Table => Form::Table,
            AnswerForm::Json => Form::Json,
            AnswerForm::Yaml => Form::Yaml,
        },
        ..pack(texts)
    }
}

/// This program, as a worker. Colours are taken out where they are shown, if nobody sees them there.
fn program(memory_limit: Option<u64>, color: Color) -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(|e| internal(&e))?;
    let color = if matches!(color, Color::Never) { "never" } else { "always" };
    let mut arguments: Vec<OsString> = ["--color", color, "solve-worker"].map(OsString::from).into();
    if let Some(bytes) = memory_limit {
        arguments.extend(["--memory-limit".to_owned(), format!("{bytes} B")].map(OsString::from));
    }
    Ok(Program { path, arguments })
}

fn internal(error: &dyn std::error::Error) -> Failure {
    Failure::internal(chain(error))
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Shows the progress of a worker and what it says on standard error.
struct Follow {
    limit: Option<Duration>,
    progress: Option<Progress>,
}

impl Watch for Follow {
    fn phase(&mut self, _worker: u32, phase: Phase) {
        self.progress = (phase == Phase::Solving).then(|| Progress::start(self.limit));
    }

    fn said(&mut self, line: &str) {
        render::diagnostics::note(line);
    }
}
