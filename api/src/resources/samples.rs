//! Samples as monitoring stacks send them: OpenTelemetry, Prometheus remote write, plain JSON.
//!
//! What a metric of the model asks for goes into its window; everything else is counted and passed over. Samples name
//! their application by path, by the resource attribute `cardinal.application` or by the label `application`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_adapter::time::UnixMs;
use cardinal_control::host::{Monitors, Watched};
use cardinal_monitor::ingest::remote_write::{self, Version};
use cardinal_monitor::ingest::{Accepted, Malformed, Sink, gunzip, json, otlp, unsnap};
use cardinal_monitor::{Arrival, Refusal, Taken, Tally};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::body::{Json, Segments, bytes, is_json, media_type};
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// The largest body, as it comes and unpacked, in bytes.
const BODY_BYTES_MAX: usize = 16 << 20;
/// How many samples may come at once in plain JSON.
const SAMPLES_MAX: usize = 10_000;
/// How long a message waits for its turn.
const TURN: std::time::Duration = std::time::Duration::from_secs(2);
/// The label that names the application.
const APPLICATION: &str = "application";
const PROTOBUF: &str = "application/x-protobuf";

/// What receivers of remote write tell of what they took.
const WRITTEN: [HeaderName; 3] = [
    HeaderName::from_static("x-prometheus-remote-write-samples-written"),
    HeaderName::from_static("x-prometheus-remote-write-histograms-written"),
    HeaderName::from_static("x-prometheus-remote-write-exemplars-written"),
];

/// Samples of one application.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplesBody {
    /// The samples: `name`, `value` and, where they are known, `at` (Unix milliseconds), `labels` and `unit`.
    #[schema(max_items = 10000, value_type = Vec<Object>)]
    samples: Vec<json::Sample>,
}

/// What became of the samples.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SampledView {
    /// How many went into a window.
    pub taken: u64,
    /// How many are of series that no metric asks for.
    pub unused: u64,
    /// How many were there already.
    pub repeated: u64,
    /// How many were refused, by reason.
    #[schema(value_type = Object)]
    pub refused: serde_json::Map<String, Value>,
}

/// Send metrics by OpenTelemetry
///
/// OTLP over HTTP, in protobuf or JSON, plain or gzip. Exporters are given the endpoint `.../v1/otlp`.
#[utoipa::path(post, path = "/otlp/v1/metrics", tag = "metrics", operation_id = "otlp_metrics",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses((status = 200, description = "They are taken, all or in part.", body = Object)))]
pub async fn otlp(State(service): State<Service>, caller: Caller, request: Request) -> Response {
    export(&service, caller, None, request).await
}

/// Send metrics of one application by OpenTelemetry
#[utoipa::path(post, path = "/applications/{name}/otlp/v1/metrics", tag = "metrics",
    operation_id = "otlp_metrics_of", params(("name" = String, Path)),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json"))),
    responses((status = 200, description = "They are taken, all or in part.", body = Object)))]
pub async fn otlp_of(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    request: Request,
) -> Response {
    export(&service, caller, Some(name), request).await
}

/// Send samples by Prometheus remote write
///
/// Version 1.0, and 2.0 by its content type; a snappy block.
#[utoipa::path(post, path = "/prometheus/write", tag = "metrics", operation_id = "remote_write",
    request_body(content((Vec<u8> = "application/x-protobuf"))),
    responses((status = 204, description = "They are taken.")))]
pub async fn remote_write(
    State(service): State<Service>,
    caller: Caller,
    request: Request,
) -> Result<Response, Problem> {
    write(&service, caller, None, request).await
}

/// Send samples of one application by Prometheus remote write
#[utoipa::path(post, path = "/applications/{name}/prometheus/write", tag = "metrics",
    operation_id = "remote_write_of", params(("name" = String, Path)),
    request_body(content((Vec<u8> = "application/x-protobuf"))),
    responses((status = 204, description = "They are taken.")))]
pub async fn remote_write_of(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    request: Request,
) -> Result<Response, Problem> {
    write(&service, caller, Some(name), request).await
}

/// Send samples in JSON
#[utoipa::path(post, path = "/applications/{name}/samples", tag = "metrics", operation_id = "push_samples",
    params(("name" = String, Path)), request_body = SamplesBody,
    responses((status = 200, description = "What became of them.", body = SampledView)))]
pub async fn push(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Json(body): Json<SamplesBody>,
) -> Result<axum::Json<SampledView>, Problem> {
    if body.samples.len() > SAMPLES_MAX {
        return Err(Problem::at("/samples", format!("at most {SAMPLES_MAX} samples come at once")));
    }
    let now = service.now();
    let work = move |batch: &mut Batch| {
        json::give(&body.samples, now.0, batch);
        Ok(Accepted::default())
    };
    let (_, tally) = taken(&service, caller, Some(name), work).await?;
    let refused = tally.refusals().map(|(refusal, n)| (refusal.word().to_owned(), n.into())).collect();
    let Tally { taken, unused, repeated, .. } = tally;
    Ok(axum::Json(SampledView { taken, unused, repeated, refused }))
}

/// The points of one message on their way to their applications.
struct Batch {
    monitors: Arc<Monitors>,
    caller: Caller,
    now: UnixMs,
    /// The application of all points, when the path names it.
    fixed: Option<Arc<Watched>>,
    /// The application of the last point.
    last: Option<(String, Option<Arc<Watched>>)>,
    tally: Tally,
}

impl Batch {
    fn application(&mut self, arrival: &Arrival<'_>) -> Option<Arc<Watched>> {
        if self.fixed.is_some() {
            return self.fixed.clone();
        }
        let name = arrival.labels.get(APPLICATION)?;
        if let Some((last, watched)) = &self.last
            && last == name
        {
            return watched.clone();
        }
        let watched = self.monitors.of(name).filter(|_| self.caller.reaches(name));
        self.last = Some((name.to_owned(), watched.clone()));
        watched
    }
}

impl Sink for Batch {
    fn point(&mut self, arrival: &Arrival<'_>) -> Result<Taken, Refusal> {
        let Some(watched) = self.application(arrival) else {
            self.refuse(Refusal::Application);
            return Err(Refusal::Application);
        };
        let result = watched.take(arrival, self.now);
        self.tally.count(result);
        result
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.monitors.refused(refusal);
        self.tally.count(Err(refusal));
    }
}

/// Has a message taken, when its turn has come: messages are unpacked a few at a time, so that memory stays bounded.
async fn taken(
    service: &Service,
    caller: Caller,
    application: Option<String>,
    work: impl FnOnce(&mut Batch) -> Result<Accepted, Malformed> + Send + 'static,
) -> Result<(Accepted, Tally), Problem> {
    let overload = |detail: &str| {
        service.counters.shed();
        Problem::new(Kind::Unavailable, detail).retry_after(1)
    };
    let Some(monitors) = service.host.monitors() else {
        return Err(overload("this process runs no loops; send samples to one that does"));
    };
    let fixed = match &application {
        None => None,
        Some(name) => match monitors.of(name) {
            Some(watched) => Some(watched),
            None => {
                service.store.application(name).await?;
                let detail =
                    "this process does not look after the application now; send samples to the replica that leads it";
                return Err(overload(detail));
            }
        },
    };
    let Ok(Ok(turn)) = tokio::time::timeout(TURN, service.ingest.clone().acquire_owned()).await else {
        return Err(overload("more samples come in than can be taken; try again in a moment"));
    };
    let mut batch = Batch { monitors, caller, now: service.now(), fixed, last: None, tally: Tally::default() };
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        (work(&mut batch), batch.tally)
    });
    let (read, tally) = done.await.map_err(|error| Problem::internal(&error))?;
    let accepted = read.map_err(|malformed| {
        service.counters.malformed();
        let kind = if matches!(malformed, Malformed::TooLarge { .. }) { Kind::TooLarge } else { Kind::BadRequest };
        Problem::new(kind, malformed.to_string())
    })?;
    Ok((accepted, tally))
}

async fn export(service: &Service, caller: Caller, application: Option<String>, request: Request) -> Response {
    let kind = media_type(request.headers()).unwrap_or_default();
    let is_json = is_json(&kind);
    match exported(service, caller, application, request, &kind).await {
        Ok(tally) => {
            let sentence = tally.sentence();
            if !is_json {
                let body = otlp::answer(tally.refused(), sentence.as_deref());
                return ([(header::CONTENT_TYPE, PROTOBUF)], body).into_response();
            }
            let partial = sentence.map(|sentence| {
                serde_json::json!({"rejectedDataPoints": tally.refused().to_string(), "errorMessage": sentence})
            });
            let body = partial.map_or(serde_json::json!({}), |partial| serde_json::json!({"partialSuccess": partial}));
            axum::Json(body).into_response()
        }
        // Senders of protobuf read a status in protobuf.
        Err(problem) if !is_json && kind == PROTOBUF => {
            let body = otlp::status(&problem.detail);
            let mut response = problem.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
            *response.body_mut() = body.into();
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn exported(
    service: &Service,
    caller: Caller,
    application: Option<String>,
    request: Request,
    kind: &str,
) -> Result<Tally, Problem> {
    let is_json = is_json(kind);
    if !is_json && kind != PROTOBUF {
        let detail = "OTLP comes as `application/x-protobuf` or `application/json`";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let is_gzip = match encoding(request.headers())?.as_str() {
        "" | "identity" => false,
        "gzip" => true,
        other => {
            let detail = format!("the encoding `{other}` is not read; send gzip or none");
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
    };
    let body = limited(request, service).await?;
    let work = move |batch: &mut Batch| {
        let plain = if is_gzip { gunzip(&body, BODY_BYTES_MAX)?.into() } else { body };
        if is_json { otlp::decode_json(&plain, batch) } else { otlp::decode(&plain, batch) }
    };
    taken(service, caller, application, work).await.map(|(_, tally)| tally)
}

async fn write(
    service: &Service,
    caller: Caller,
    application: Option<String>,
    request: Request,
) -> Result<Response, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or(PROTOBUF);
    let Some(version) = Version::of(kind) else {
        let detail = "remote write comes as `application/x-protobuf`, version 1.0 or 2.0";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    };
    if !matches!(encoding(request.headers())?.as_str(), "" | "snappy") {
        return Err(Problem::new(Kind::UnsupportedMediaType, "remote write comes as a snappy block"));
    }
    let body = limited(request, service).await?;
    let work = move |batch: &mut Batch| remote_write::decode(version, &unsnap(&body, BODY_BYTES_MAX)?, batch);
    let (accepted, tally) = taken(service, caller, application, work).await?;
    // A Prometheus sends everything that it has: samples of no application are nobody's mistake, as long as some are of one.
    let foreign = tally.refusals().find(|(refusal, _)| *refusal == Refusal::Application).map_or(0, |(_, n)| n);
    let nothing = accepted == Accepted::default() && tally.refused() > 0;
    let mut response = match tally.sentence() {
        Some(sentence) if nothing || tally.refused() > foreign => {
            // What is refused now is refused again: a sender that is told 400 goes on with the next.
            Problem::new(Kind::BadRequest, sentence).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    };
    for (name, count) in WRITTEN.into_iter().zip([accepted.samples, accepted.histograms, 0]) {
        response.headers_mut().insert(name, HeaderValue::from(count));
    }
    Ok(response)
}

/// How the body is packed, lower case; empty when it does not say.
fn encoding(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(String::new()) };
    let text = value.to_str().map_err(|_| Problem::parameter("content-encoding", "it is no text"))?;
    Ok(text.trim().to_ascii_lowercase())
}

async fn limited(request: Request, service: &Service) -> Result<Bytes, Problem> {
    let too_large = || {
        let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes; send smaller batches");
        Problem::new(Kind::TooLarge, detail)
    };
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let body = bytes(request, service).await?;
    if body.len() > BODY_BYTES_MAX { Err(too_large()) } else { Ok(body) }
}
