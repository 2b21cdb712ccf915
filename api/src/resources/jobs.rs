//! Jobs: how far they have got, their answers, and their end.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream::{Stream, unfold};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::events::{StreamEvent, heartbeat, place};
use crate::body::Segments;
use crate::jobs::JobView;
use crate::problem::Problem;
use crate::scope::Caller;
use crate::service::Service;

/// A job
#[utoipa::path(get, path = "/jobs/{id}", tag = "jobs", operation_id = "show_job", params(("id" = String, Path)),
    responses((status = 200, description = "How far it has got, and its answer when it has one.", body = JobView)))]
pub async fn show(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<axum::Json<JobView>, Problem> {
    let job = service.jobs.find(&id, &caller)?;
    let view = job.view.borrow().clone();
    Ok(axum::Json(view))
}

/// Cancel a job
///
/// A solve that is cancelled answers with the best that it has, if there is any.
#[utoipa::path(delete, path = "/jobs/{id}", tag = "jobs", operation_id = "cancel_job", params(("id" = String, Path)),
    responses((status = 202, description = "It will end.", body = JobView)))]
pub async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<(StatusCode, axum::Json<JobView>), Problem> {
    let job = service.jobs.find(&id, &caller)?;
    job.cancel();
    let view = job.view.borrow().clone();
    Ok((StatusCode::ACCEPTED, axum::Json(view)))
}

/// Follow a job
///
/// Server-sent events: `stage` at every change, and `end` with the whole job at last.
#[utoipa::path(get, path = "/jobs/{id}/events", tag = "jobs", operation_id = "follow_job",
    params(("id" = String, Path)),
    responses((status = 200, description = "The events.", content_type = "text/event-stream", body = StreamEvent)))]
pub async fn events(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<impl IntoResponse, Problem> {
    let job = service.jobs.find(&id, &caller)?;
    let follow = Follow {
        _place: place(&service)?,
        changes: job.view.subscribe(),
        stop: service.stop.subscribe(),
        is_first: true,
        is_over: false,
    };
    Ok(Sse::new(stream(follow)).keep_alive(heartbeat(&service)))
}

struct Follow {
    _place: OwnedSemaphorePermit,
    changes: watch::Receiver<JobView>,
    stop: watch::Receiver<bool>,
    is_first: bool,
    is_over: bool,
}

fn stream(follow: Follow) -> impl Stream<Item = Result<Event, Infallible>> {
    unfold(follow, |mut follow| async move {
        if follow.is_over {
            return None;
        }
        if !follow.is_first {
            tokio::select! {
                changed = follow.changes.changed() => changed.ok()?,
                _ = follow.stop.wait_for(|stop| *stop) => return None,
            }
        }
        follow.is_first = false;
        let view = follow.changes.borrow_and_update().clone();
        follow.is_over = view.stage.is_over();
        let event = if follow.is_over {
            // As a value, so that an answer of many lines is one.
            Event::default().event("end").data(serde_json::to_value(&view).unwrap_or_default().to_string())
        } else {
            let data = json!({ "id": view.id, "stage": view.stage, "best": view.best });
            Event::default().event("stage").data(data.to_string())
        };
        Some((Ok(event), follow))
    })
}
