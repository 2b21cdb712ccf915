//! What makes decisions for the host: in processes that can be spared, or in this one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use cardinal_adapter::digest::canonical_json;
use cardinal_models::snapshot::Snapshot;
use cardinal_solver::{Outcome, Settings};
use cardinal_worker::{Answer, CatalogText, Cause, Form, Job, Pool, Purpose, Text};

use super::resources::{self, Loaded};
use crate::decide::{InProcess, Solver, decide};
use crate::decision::Decision;
use crate::input::DecisionInput;

/// Makes decisions. Called from a thread that may block.
pub trait Decider: Send + Sync {
    /// The decision on an input. What goes wrong on the way is part of it.
    fn decide(&self, input: &DecisionInput, resources: &Loaded) -> Decision;
}

impl Decider for InProcess {
    fn decide(&self, input: &DecisionInput, resources: &Loaded) -> Decision {
        decide(input, &resources.resources, self)
    }
}

/// A worker gets this much longer than the solve may take, for reading, checking and planning.
const GRACE: Duration = Duration::from_secs(10);

/// Makes each decision in a worker process, which is ended when it is over its time or its memory. A crash of the engine
/// is then an error of that decision alone.
#[derive(Debug)]
pub struct InWorkers {
    pool: Arc<Pool>,
    cancel: AtomicBool,
}

impl InWorkers {
    /// Uses the workers of a pool.
    pub fn new(pool: Arc<Pool>) -> Self {
        InWorkers { pool, cancel: AtomicBool::new(false) }
    }
}

impl Decider for InWorkers {
    fn decide(&self, input: &DecisionInput, resources: &Loaded) -> Decision {
        let wall = Duration::from_millis(input.settings.solve.time_limit_ms).saturating_add(GRACE);
        let message = match self.pool.solve(&job(input, resources), Some(wall), &self.cancel, &mut ()) {
            Ok(answer) if answer.refusal.is_empty() => match serde_json::from_str(&answer.text) {
                Ok(decision) => return decision,
                Err(error) => format!("the answer of the worker cannot be read: {error}"),
            },
            Ok(answer) => answer.refusal,
            Err(failure) => match failure.cause {
                Cause::Start(error) => format!("no worker could be started: {error}"),
                cause => format!("the worker failed: {cause}"),
            },
        };
        without_answer(input, resources, message)
    }
}

/// The job of a decision.
pub fn job(input: &DecisionInput, resources: &Loaded) -> Job {
    Job {
        model: Text { name: input.application.clone(), text: resources.model_text.to_string() },
        from: Some(resources.format.clone()),
        catalogs: vec![CatalogText::Text(Text {
            name: resources.catalog.name.clone(),
            text: resources.catalog.text.clone(),
        })],
        networks: Vec::new(),
        metrics: Vec::new(),
        maximize: None,
        minimize: None,
        current: None,
        time_limit_ms: None,
        gap: 0.0,
        explain: false,
        form: Form::Json,
        purpose: Purpose::Decide(canonical_json(input)),
    }
}

/// The decision where nothing could be solved.
pub fn without_answer(input: &DecisionInput, resources: &Loaded, why: String) -> Decision {
    decide(input, &resources.resources, &Failed(why))
}

/// Makes the decision of a job, on the worker's side.
pub fn answer(job: &Job) -> Answer {
    let refused = |refusal: String| Answer { exit: 2, text: String::new(), refusal, findings: Vec::new() };
    let Purpose::Decide(input) = &job.purpose else { return refused("the job asks for no decision".to_owned()) };
    let input: DecisionInput = match serde_json::from_str(input) {
        Ok(input) => input,
        Err(error) => return refused(format!("the input of the decision cannot be read: {error}")),
    };
    match resources::of_job(job) {
        Ok(resources) => {
            let text = canonical_json(&decide(&input, &resources, &InProcess));
            Answer { exit: 0, text, refusal: String::new(), findings: Vec::new() }
        }
        Err(why) => refused(why),
    }
}

/// A solver that could not work.
struct Failed(String);

impl Solver for Failed {
    fn solve(&self, _: &Snapshot, _: &Settings) -> Result<Outcome, String> {
        Err(self.0.clone())
    }
}
