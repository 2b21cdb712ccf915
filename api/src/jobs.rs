//! Solves that take long: each is a job with an id that can be followed and cancelled. Jobs live in this process; they are
//! forgotten some time after they have ended, and when the process ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use cardinal_worker::{Answer, Cause, Job, Phase, Watch};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::problem::{Kind, Problem, chain};
use crate::scope::Caller;
use crate::service::Service;

/// So many jobs are remembered.
const JOBS_MAX: usize = 1000;
/// How long a worker may take beyond its time limit, for reading, explaining and writing.
const GRACE: Duration = Duration::from_secs(5);

/// How far a job has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Others are before it.
    Waiting,
    /// Its texts are read.
    Reading,
    /// It is solved.
    Solving,
    /// The reasons of the answer are looked for.
    Explaining,
    /// It has an answer.
    Done,
    /// It has none; `problem` says why.
    Failed,
    /// It was cancelled before it had an answer.
    Cancelled,
}

impl Stage {
    /// True when nothing more will come of it.
    pub fn is_over(self) -> bool {
        matches!(self, Stage::Done | Stage::Failed | Stage::Cancelled)
    }
}

/// A job as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub what: String,
    /// How far it has got.
    pub stage: Stage,
    /// Who wants it.
    pub by: String,
    /// When it was asked for, in Unix milliseconds.
    #[schema(value_type = i64)]
    pub created_at: UnixMs,
    /// When it ended.
    #[schema(value_type = Option<i64>)]
    pub ended_at: Option<UnixMs>,
    /// What the best answer so far is worth, while it is solved.
    pub best: Option<f64>,
    /// The answer, as `cardinal solve --output json` gives it.
    #[schema(value_type = Option<Object>)]
    pub answer: Option<Arc<RawValue>>,
    /// Why there is none.
    pub problem: Option<Problem>,
}

/// All jobs.
#[derive(Debug, Default)]
pub struct Jobs(Mutex<HashMap<String, Arc<Kept>>>);

/// A job with what it takes to follow and to cancel it.
#[derive(Debug)]
pub struct Kept {
    /// As it is now.
    pub view: watch::Sender<JobView>,
    /// Set when it is to stop.
    cancel: Arc<AtomicBool>,
    /// Who may see it.
    owner: String,
}

impl Kept {
    /// Asks it to stop.
    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::SeqCst);
    }
}

impl Jobs {
    /// The job, for those who may see it.
    ///
    /// # Errors
    /// When there is none, or it is another's: neither says which.
    pub fn find(&self, id: &str, caller: &Caller) -> Result<Arc<Kept>, Problem> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = jobs.get(id).filter(|job| job.owner == caller.key || caller.scope == cardinal_store::Scope::Admin);
        found.cloned().ok_or_else(|| Problem::not_found("job", id))
    }

    fn keep(&self, id: String, kept: Arc<Kept>, now: UnixMs, kept_ms: u64) -> Result<(), Problem> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, job| job.view.borrow().ended_at.is_none_or(|ended| now.ms_since(ended) < kept_ms));
        if jobs.len() >= JOBS_MAX {
            let detail = "there are too many jobs; wait until some have ended";
            return Err(Problem::new(Kind::Unavailable, detail).retry_after(5));
        }
        jobs.insert(id, kept);
        Ok(())
    }
}

/// Begins a job that is followed later.
///
/// # Errors
/// When too many wait.
pub fn begin(service: &Service, caller: &Caller, what: &str, job: Job) -> Result<JobView, Problem> {
    let place = Place::take(service)?;
    let mut bytes = [0; 16];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| Problem::new(Kind::Unavailable, "the system has no randomness").retry_after(1))?;
    let id: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let view = JobView {
        id: id.clone(),
        what: what.to_owned(),
        stage: Stage::Waiting,
        by: caller.name.clone(),
        created_at: service.now(),
        ended_at: None,
        best: None,
        answer: None,
        problem: None,
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let kept =
        Arc::new(Kept { view: watch::Sender::new(view.clone()), cancel: cancel.clone(), owner: caller.key.clone() });
    service.jobs.keep(id, kept.clone(), service.now(), service.options.job_kept_ms)?;
    let service = service.clone();
    tokio::spawn(async move {
        let followed = kept.clone();
        let result = work(&service, place, job, cancel.clone(), Follow(Some(followed))).await;
        let ended = service.now();
        kept.view.send_modify(|view| {
            view.ended_at = Some(ended);
            match result {
                Ok(answer) => {
                    view.stage = Stage::Done;
                    view.answer = Some(answer);
                }
                Err(_) if cancel.load(Ordering::SeqCst) => view.stage = Stage::Cancelled,
                Err(problem) => {
                    view.stage = Stage::Failed;
                    view.problem = Some(problem);
                }
            }
        });
    });
    Ok(view)
}

/// Has a job done and waits for it; it is stopped when nobody waits any more.
///
/// # Errors
/// When too many wait, and when the job has no answer.
pub async fn at_once(service: &Service, job: Job) -> Result<Arc<RawValue>, Problem> {
    struct Stop(Arc<AtomicBool>);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let place = Place::take(service)?;
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    work(service, place, job, stop.0.clone(), Follow(None)).await
}

/// A place among those who wait.
struct Place(Arc<std::sync::atomic::AtomicUsize>);

impl Place {
    fn take(service: &Service) -> Result<Self, Problem> {
        let most = service.options.solves_max + service.options.solves_waiting_max;
        let asked = service.solves_asked.clone();
        if asked.fetch_add(1, Ordering::SeqCst) >= most {
            asked.fetch_sub(1, Ordering::SeqCst);
            let detail = "too many solves wait already; try again in a while";
            return Err(Problem::new(Kind::Unavailable, detail).retry_after(10));
        }
        Ok(Place(asked))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn work(
    service: &Service,
    place: Place,
    job: Job,
    cancel: Arc<AtomicBool>,
    mut follow: Follow,
) -> Result<Arc<RawValue>, Problem> {
    let turn = service.solves.clone().acquire_owned().await.map_err(|error| Problem::internal(&error))?;
    if cancel.load(Ordering::SeqCst) {
        return Err(Problem::new(Kind::Conflict, "the job was cancelled"));
    }
    let pool = service.pool.clone();
    let wall = job.time_limit_ms.map(|ms| Duration::from_millis(ms).mul_f64(2.2) + GRACE);
    let done = tokio::task::spawn_blocking(move || {
        // The places are given back when the worker is, not when the caller hangs up.
        let _held = (turn, place);
        pool.solve(&job, wall, &cancel, &mut follow)
    });
    match done.await.map_err(|error| Problem::internal(&error))? {
        Ok(answer) => settle(answer),
        Err(failure) => match (failure.incumbent, failure.cause) {
            (Some(best), _) => settle(best),
            (None, Cause::Overdue(_)) => {
                let detail = "no answer was found within the time limit; give it more with `time_limit_ms`";
                Err(Problem::new(Kind::Unavailable, detail).retry_after(1))
            }
            (None, Cause::OutOfMemory) => Err(Problem::new(
                Kind::Invalid,
                "the solve needs more memory than it may have; narrow the offers and the model",
            )),
            (None, Cause::Unresponsive) => Err(Problem::new(Kind::Conflict, "the job was cancelled")),
            (None, cause) => {
                tracing::error!(cause = %chain(&cause), "a worker failed");
                Err(Problem::new(Kind::Internal, "the solver failed on this; the log of the service says why"))
            }
        },
    }
}

/// The document of an answer, or what is wrong with the question.
fn settle(answer: Answer) -> Result<Arc<RawValue>, Problem> {
    if !answer.text.is_empty() {
        let document = RawValue::from_string(answer.text).map_err(|error| Problem::internal(&error))?;
        return Ok(document.into());
    }
    let findings = serde_json::from_value(Value::Array(answer.findings)).unwrap_or_default();
    let refused = |kind, detail: String| Problem { findings, ..Problem::new(kind, detail) };
    match answer.exit {
        1 => {
            tracing::error!(refusal = answer.refusal, "a solve failed");
            Err(Problem::new(Kind::Internal, "the solver failed on this; the log of the service says why"))
        }
        _ => {
            let problem = refused(Kind::Invalid, String::new());
            let first = problem.findings.iter().find(|f| f.severity == "error").map(|f| f.message.clone());
            Err(Problem { detail: first.unwrap_or_else(|| "it cannot be solved".to_owned()), ..problem })
        }
    }
}

/// Tells those who follow a job how far it has got.
struct Follow(Option<Arc<Kept>>);

impl Watch for Follow {
    fn phase(&mut self, _worker: u32, phase: Phase) {
        let stage = match phase {
            Phase::Reading => Stage::Reading,
            Phase::Solving => Stage::Solving,
            Phase::Explaining => Stage::Explaining,
        };
        if let Some(kept) = &self.0 {
            kept.view.send_modify(|view| view.stage = stage);
        }
    }

    fn incumbent(&mut self, answer: &Answer) {
        let Some(kept) = &self.0 else { return };
        let best = serde_json::from_str::<Value>(&answer.text).ok().and_then(|answer| answer.get("utility")?.as_f64());
        kept.view.send_modify(|view| view.best = best.or(view.best));
    }
}
