//! Requests that are made once: a `POST` with an `Idempotency-Key` is answered like the first one with that key.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cardinal_adapter::digest::Digest;
use cardinal_store::{Answer, Repeat};

use crate::body::media_type;
use crate::brisk::slow;
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is a repetition.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const KEY_BYTES_MAX: usize = 255;
/// Larger answers are not kept.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// Stands with an answer that holds a secret, and is therefore not kept: a repetition is carried out again.
#[derive(Clone, Copy, Debug)]
pub struct NotKept;

/// The headers that belong to an answer.
const KEPT: [HeaderName; 4] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG, header::RETRY_AFTER];

/// Lets the request through, unless it was made before.
pub async fn once(service: &Service, caller: &Caller, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let Some(key) = request.headers().get(&HEADER) else { return next.run(request).await };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
    let Some(key) = key.map(str::to_owned) else {
        let detail = format!("a key is 1 to {KEY_BYTES_MAX} printable ASCII characters");
        return Problem::parameter(HEADER.as_str(), detail).into_response();
    };
    match keyed(service, caller, &key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn keyed(
    service: &Service,
    caller: &Caller,
    key: &str,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let too_large = || Problem::new(Kind::TooLarge, "the body is larger than this service takes");
    let body = to_bytes(body, service.options.body_bytes_max).await;
    let body = body.map_err(|error| slow(&error).unwrap_or_else(too_large))?;
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    let kind = media_type(&parts.headers).unwrap_or_default();
    let fingerprint = fingerprint(target, &kind, &body);
    match service.store.idempotent_begin(key, &caller.key, fingerprint, service.now()).await? {
        Repeat::Fresh => {}
        Repeat::Replay(kept) => return Ok(replay(kept)),
        Repeat::InFlight => {
            let detail = "the first request with this idempotency key is still under way; repeat this one in a moment";
            return Err(Problem::new(Kind::Conflict, detail).retry_after(1));
        }
        Repeat::Mismatch => {
            let detail = "this idempotency key was used for another request; choose a new key for each request";
            return Err(Problem::new(Kind::Invalid, detail));
        }
    }
    // The handler goes on when the caller hangs up, so that what was done is on record under its key.
    let (service, caller, key) = (service.clone(), caller.key.clone(), key.to_owned());
    let work = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        keep(&service, &caller, &key, response).await
    });
    work.await.map_err(|error| Problem::internal(&error))?
}

/// Keeps the answer. What did not come to pass through no fault of the caller may be tried again with the same key.
async fn keep(service: &Service, caller: &str, key: &str, response: Response) -> Result<Response, Problem> {
    let (parts, body) = response.into_parts();
    let is_settled = parts.extensions.get::<NotKept>().is_none()
        && !parts.status.is_server_error()
        && parts.status != StatusCode::TOO_MANY_REQUESTS;
    let bytes = to_bytes(body, usize::MAX).await.map_err(|error| Problem::internal(&error))?;
    if is_settled && bytes.len() <= KEPT_BYTES_MAX {
        let (status, headers) = (parts.status.as_u16(), headers_text(&parts.headers));
        service.store.idempotent_end(key, caller, &Answer { status, headers, body: bytes.to_vec() }).await?;
    } else {
        service.store.idempotent_forget(key, caller).await?;
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn fingerprint(target: &str, kind: &str, body: &Bytes) -> Digest {
    let mut bytes = Vec::with_capacity(target.len() + kind.len() + body.len() + 2);
    for part in [target.as_bytes(), kind.as_bytes(), body] {
        bytes.extend_from_slice(part);
        bytes.push(0);
    }
    Digest::of_bytes(&bytes)
}

fn headers_text(headers: &HeaderMap) -> String {
    let kept = KEPT.iter().filter_map(|name| Some((name.as_str(), headers.get(name)?.to_str().ok()?)));
    serde_json::to_string(&kept.collect::<Vec<_>>()).unwrap_or_default()
}

fn replay(kept: Answer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, kept.body).into_response();
    let headers: Vec<(String, String)> = serde_json::from_str(&kept.headers).unwrap_or_default();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
