//! Everything that happens, as a stream of server-sent events that can be taken up again after any of them.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use cardinal_store::EventRow;
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use utoipa::{IntoParams, ToSchema};

use crate::body::Params;
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// So many events are read at a time.
const READ_MAX: u32 = 200;
/// So many kinds can be named.
const KINDS_MAX: usize = 32;

/// Which events.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventParams {
    /// Those of this application only.
    application: Option<String>,
    /// Those of these kinds only, with commas between them, such as `decided,plan-began`.
    kinds: Option<String>,
    /// Those after this one; the header `Last-Event-ID` does the same. Without both, those that are still to come.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// An event of a stream.
#[derive(Clone, Debug, ToSchema)]
#[allow(dead_code, reason = "the shape of a stream in the OpenAPI document")]
pub struct StreamEvent {
    /// Its id, of events that can be taken up again.
    id: Option<String>,
    /// Its kind.
    event: Option<String>,
    /// A JSON text.
    data: Option<String>,
}

/// Everything that happens, as it happens
///
/// Server-sent events whose ids rise. A client that comes back with `Last-Event-ID` misses none that is still kept.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "follow_events",
    params(EventParams, ("Last-Event-ID" = Option<i64>, Header, description = "The last event that was seen.")),
    responses((status = 200, description = "The events.", content_type = "text/event-stream", body = StreamEvent)))]
pub async fn stream(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<EventParams>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    if let Some(name) = &params.application {
        caller.require(name)?;
    }
    let kinds: Vec<String> =
        params.kinds.iter().flat_map(|kinds| kinds.split(',')).map(|k| k.trim().to_owned()).collect();
    if kinds.len() > KINDS_MAX || kinds.iter().any(|kind| kind.is_empty() || kind.contains('\0')) {
        return Err(Problem::parameter("kinds", format!("1 to {KINDS_MAX} kinds with commas between them")));
    }
    let seen = match headers.get("last-event-id") {
        None => params.after,
        Some(value) => match value.to_str().ok().and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(id) => Some(id),
            None => return Err(Problem::parameter("Last-Event-ID", "the id of an event is a whole number")),
        },
    };
    let place = place(&service)?;
    let news = service.last_event.subscribe();
    let seen = match seen {
        Some(seen) => seen.max(0),
        None => service.store.last_event().await?,
    };
    let stop = service.stop.subscribe();
    let heartbeat = heartbeat(&service);
    let application = params.application;
    let reader = Reader {
        service,
        caller,
        application,
        kinds,
        seen,
        looked: None,
        ready: VecDeque::new(),
        news,
        stop,
        _place: place,
    };
    Ok(Sse::new(reader.stream()).keep_alive(heartbeat))
}

/// A place among the open streams.
pub fn place(service: &Service) -> Result<OwnedSemaphorePermit, Problem> {
    service.streams.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Kind::Unavailable, "too many event streams are open; close some, or come back later")
            .retry_after(10)
    })
}

/// A comment now and then, so that everybody between here and there knows that the stream is alive.
pub fn heartbeat(service: &Service) -> KeepAlive {
    KeepAlive::new().interval(Duration::from_millis(service.options.heartbeat_ms))
}

struct Reader {
    service: Service,
    caller: Caller,
    application: Option<String>,
    kinds: Vec<String>,
    /// The last event that was given out.
    seen: i64,
    /// Up to which number the store was looked through.
    looked: Option<i64>,
    ready: VecDeque<EventRow>,
    news: watch::Receiver<i64>,
    stop: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, |mut reader| async move {
            let row = reader.next().await?;
            Some((Ok(event(&row)), reader))
        })
    }

    /// The next event; `None` when the service stops or the store cannot be read, after which the client comes back.
    async fn next(&mut self) -> Option<EventRow> {
        loop {
            if *self.stop.borrow() {
                return None;
            }
            if let Some(row) = self.ready.pop_front() {
                return Some(row);
            }
            let known = *self.news.borrow_and_update();
            if self.looked.is_none_or(|looked| looked < known) {
                self.read(known).await?;
                continue;
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            }
        }
    }

    async fn read(&mut self, known: i64) -> Option<()> {
        let kinds: Vec<&str> = self.kinds.iter().map(String::as_str).collect();
        let rows = self.service.store.events_after(self.seen, self.application.as_deref(), &kinds, READ_MAX).await;
        let rows = rows.inspect_err(|error| tracing::warn!(%error, "an event stream ends")).ok()?;
        match rows.last() {
            Some(last) => self.seen = last.id,
            None => self.looked = Some(known),
        }
        let may_see = |row: &EventRow| row.event.application.as_ref().is_none_or(|name| self.caller.reaches(name));
        self.ready = rows.into_iter().filter(may_see).collect();
        Some(())
    }
}

fn event(row: &EventRow) -> Event {
    Event::default().id(row.id.to_string()).event(row.event.kind.clone()).data(document(row).to_string())
}

/// An event as streams and webhooks give it.
pub fn document(row: &EventRow) -> Value {
    json!({
        "id": row.id,
        "application": row.event.application,
        "at": row.event.at.0,
        "kind": row.event.kind,
        "body": serde_json::from_str::<Value>(&row.event.body).unwrap_or_default(),
    })
}
