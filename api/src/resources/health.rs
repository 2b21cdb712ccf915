//! Signs of life, for those who start and watch the service.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_edge::input::question::Texts;
use cardinal_edge::job::pack;
use cardinal_models::diagnostic::Source;
use cardinal_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::service::Service;

/// A good answer of the solver is good for so long, in milliseconds.
const SOLVED_MS_MAX: u64 = 60_000;
/// What a write into the store has shown is good for so long, in milliseconds.
const PROBED_MS_MAX: u64 = 5_000;
/// A model whose answer is known: five of two kinds of machines.
const CANARY: &str = "application: canary\ncomponents:\n  part:\n    cardinality: 3..5\nconstraints:\n  \
                      enough: part.cardinality >= 5\nutility: {minimize: part.cardinality}\n";

/// The process runs
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
pub async fn healthz() -> Response {
    "ok\n".into_response()
}

/// What is ready.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadyView {
    /// True when all of it is.
    pub ready: bool,
    /// `ok`, or what is wrong with the database: something must be written, not only read.
    pub store: String,
    /// `ok`, or what is wrong with the solver: a known model must be solved right.
    pub solver: String,
}

/// The service can do its work
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "It can.", body = ReadyView),
        (status = 503, description = "It cannot.", body = ReadyView)))]
pub async fn readyz(State(service): State<Service>) -> Response {
    let store = probe(&service).await.unwrap_or_else(|| "ok".to_owned());
    let solver = match canary(&service).await {
        Ok(()) => "ok".to_owned(),
        Err(problem) => problem.detail,
    };
    let ready = store == "ok" && solver == "ok" && !*service.stop.borrow();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(ReadyView { ready, store, solver })).into_response()
}

/// What is wrong with the store, if anything is: something is written into it, unless that was done lately.
async fn probe(service: &Service) -> Option<String> {
    let mut probed = service.probed.lock().await;
    if let Some((at, found)) = probed.as_ref()
        && service.now().ms_since(*at) < PROBED_MS_MAX
    {
        return found.clone();
    }
    let found = service.store.probe().await.err().map(|error| {
        tracing::warn!(cause = %crate::problem::chain(&error), "the store is not ready");
        match error {
            StoreError::Unavailable { mend, .. } => format!("the database cannot be written: {mend}"),
            _ => "the database cannot be written".to_owned(),
        }
    });
    *probed = Some((service.now(), found.clone()));
    found
}

/// Has a known model solved by a worker, unless that was done lately.
async fn canary(service: &Service) -> Result<(), Problem> {
    let mut solved = service.solved_at.lock().await;
    if solved.is_some_and(|at| service.now().ms_since(at) < SOLVED_MS_MAX) {
        return Ok(());
    }
    let texts = Texts {
        model: Arc::new(Source::new("canary", CANARY)),
        from: None,
        catalogs: Vec::new(),
        networks: Vec::new(),
        metrics: Vec::new(),
        maximize: None,
        minimize: None,
        current: None,
    };
    let (pool, mut job) = (service.pool.clone(), pack(&texts));
    job.time_limit_ms = Some(5_000);
    let wall = Duration::from_secs(10);
    let work = tokio::task::spawn_blocking(move || pool.solve(&job, Some(wall), &AtomicBool::new(false), &mut ()));
    let answer = work.await.map_err(|error| Problem::internal(&error))?;
    let answer = answer.map_err(|failure| Problem::new(crate::problem::Kind::Unavailable, failure.to_string()))?;
    let document: serde_json::Value = serde_json::from_str(&answer.text).unwrap_or_default();
    if document["status"] == "optimal" && document["components"]["part"]["cardinality"] == 5 {
        *solved = Some(service.now());
        return Ok(());
    }
    let detail = format!("the solver got a known model wrong: {}{}", document["status"], answer.refusal);
    Err(Problem::new(crate::problem::Kind::Unavailable, detail))
}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The figures, in the text form of Prometheus.", body = String,
        content_type = "text/plain")))]
pub async fn metrics(State(service): State<Service>) -> Response {
    let text = service.counters.text(&service) + &(service.gauges)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
