//! The jobs of worker processes: a question packed into texts, and the child's way from the texts to the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_interop::Format;
use cardinal_models::diagnostic::Source;
use cardinal_solver::Settings;
use cardinal_solver::what_if::Question;
use cardinal_solver::what_if::axis::Axis;
use cardinal_worker::{CatalogText, Desk, Form, Job, Phase, Purpose, Text};

use crate::answer::Answer;
use crate::crew::Crew;
use crate::failure::{Exit, Failure};
use crate::finding::Finding;
use crate::input::catalogs::Given;
use crate::input::question::{Asked, Texts, understand};
use crate::input::scenarios;
use crate::solve::{Answered, Manner, Why, find, guess};
use crate::what_if::compare::{Compared, compare};
use crate::what_if::sweep::{Breaks, Swept, sweep};

/// A job that asks for the best placement, without limits and reasons.
pub fn pack(texts: &Texts) -> Job {
    Job {
        model: text(&texts.model),
        from: texts.from.map(|format| format.name().to_owned()),
        catalogs: texts
            .catalogs
            .iter()
            .map(|given| match given {
                Given::Builtin => CatalogText::Builtin,
                Given::Text(source) => CatalogText::Text(text(source)),
            })
            .collect(),
        networks: texts.networks.iter().map(text).collect(),
        metrics: texts.metrics.clone(),
        maximize: texts.maximize.clone(),
        minimize: texts.minimize.clone(),
        current: texts.current.as_ref().map(text),
        time_limit_ms: None,
        gap: 0.0,
        explain: false,
        purpose: Purpose::Solve,
        form: Form::Json,
    }
}

fn text(source: &Arc<Source>) -> Text {
    Text { name: source.name.clone(), text: source.text.clone() }
}

fn source(text: Text) -> Arc<Source> {
    Arc::new(Source { name: text.name, text: text.text })
}

/// What a job asks.
fn unpack(job: Job) -> Result<Texts, Failure> {
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
        networks: job.networks.into_iter().map(source).collect(),
        metrics: job.metrics,
        maximize: job.maximize,
        minimize: job.minimize,
        current: job.current.map(source),
    })
}

/// What comes of a job.
#[derive(Debug)]
pub enum Reply {
    /// The best placement.
    Solved(Box<Answered>),
    /// Scenarios side by side.
    Compared(Box<Compared>),
    /// A sweep.
    Swept(Box<Swept>),
}

impl Reply {
    /// The exit status that it stands for.
    pub fn exit(&self) -> Exit {
        match self {
            Reply::Solved(found) => found.exit,
            Reply::Compared(found) => found.exit,
            Reply::Swept(found) => found.exit,
        }
    }
}

/// Does a job, `today` being the days since 1970-01-01. `offer` is given a checked answer that may still be improved,
/// `say` what is doubtful.
pub fn perform(
    mut job: Job,
    today: i64,
    desk: &Desk,
    offer: impl FnOnce(Answer),
    say: impl Fn(&[Finding]),
) -> Result<Reply, Failure> {
    let started = Instant::now();
    desk.enter(Phase::Reading);
    let settings = Settings {
        time_limit: job.time_limit_ms.map(Duration::from_millis),
        gap: if job.gap.is_finite() { job.gap.max(0.0) } else { 0.0 },
        cancel: Some(desk.cancel()),
        ..Settings::default()
    };
    let (purpose, explains) = (std::mem::take(&mut job.purpose), job.explain);
    let asked = understand(&unpack(job)?, today)?;
    say(&asked.model.warnings);
    say(&asked.warnings);
    let why = match &purpose {
        Purpose::Solve if explains => Why::Briefly,
        Purpose::Solve => Why::Nothing,
        Purpose::Explain(alternatives) => Why::fully(&asked, alternatives)?,
        Purpose::Compare(_) | Purpose::Sweep(_) => return what_if(asked, purpose, settings, started, desk),
        // Decisions are the loop's, above this room.
        Purpose::Decide(_) => return Err(Failure::internal("this job is a decision")),
    };
    let manner = Manner { settings, why, started, today };
    if let Some(answer) = guess(&asked, &manner) {
        offer(answer);
    }
    let found = find(asked, &manner, |phase| desk.enter(phase), |seen| say(seen))?;
    Ok(Reply::Solved(Box::new(found)))
}

/// Compares or sweeps, one solve after the other, all of them within the time limit.
fn what_if(
    asked: Asked,
    purpose: Purpose,
    settings: Settings,
    started: Instant,
    desk: &Desk,
) -> Result<Reply, Failure> {
    let Asked { model, snapshot, .. } = asked;
    let base = Question { document: model.document.clone(), snapshot };
    let deadline = settings.time_limit.map(|limit| started + limit);
    let crew = Crew { jobs: 1, settings, deadline, cancel: desk.cancel(), watch: &|_, _| {} };
    if let Purpose::Compare(files) = purpose {
        let mut all = Vec::new();
        for file in files {
            all.extend(scenarios::interpret(&source(file))?);
        }
        desk.enter(Phase::Solving);
        return Ok(Reply::Compared(Box::new(compare(&model, &base, all, &crew)?)));
    }
    let Purpose::Sweep(axes) = purpose else { return Err(Failure::internal("this job is no what-if")) };
    let read = |text: &String| Axis::read(text).map_err(|misread| Finding::misread("--sweep", &misread).into());
    let axes = axes.iter().map(read).collect::<Result<Vec<Axis>, Failure>>()?;
    desk.enter(Phase::Solving);
    Ok(Reply::Swept(Box::new(sweep(&model, &base, axes, Breaks::Find, &crew)?)))
}
