//! What happens to every request before and after its route: an id, a place, a count, and a problem for what has no
//! route.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream::iter;
use ring::rand::{SecureRandom, SystemRandom};

use crate::brisk::{Brisk, late, slow};
use crate::problem::{Kind, Problem};
use crate::scope::recognise;
use crate::service::Service;

/// The header of request ids, in and out.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const ID_BYTES_MAX: usize = 128;

/// Bodies up to this size are read before anything is answered.
const SMALL_BYTES: usize = 256 << 10;
/// For so long.
const SMALL_WAIT: Duration = Duration::from_secs(30);

/// The request with the beginning of its body, all of it when that is small. A client that is refused while it still sends
/// may see a broken connection instead of the reason.
async fn whole(request: Request) -> Result<Request, Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length == 0 || length > SMALL_BYTES) {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let (mut rest, mut read, mut size) = (body.into_data_stream(), Vec::new(), 0);
    let until = tokio::time::Instant::now() + SMALL_WAIT;
    while size <= SMALL_BYTES {
        match tokio::time::timeout_at(until, rest.next()).await {
            Ok(Some(Ok(piece))) => {
                size += piece.len();
                read.push(piece);
            }
            Ok(Some(Err(error))) => {
                let broken = || Problem::new(Kind::BadRequest, format!("the body broke off: {error}"));
                return Err(slow(&error).unwrap_or_else(broken));
            }
            Ok(None) => return Ok(Request::from_parts(parts, Body::from(read.concat()))),
            Err(_) => return Err(late()),
        }
    }
    let begun = iter(read.into_iter().map(Ok::<_, axum::Error>));
    Ok(Request::from_parts(parts, Body::from_stream(begun.chain(rest))))
}

/// Gives the request an id and a place, and counts its answer.
pub async fn enter(State(service): State<Service>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let version = request.version();
    let quiet = Duration::from_millis(service.options.idle_ms);
    let request = request.map(|body| Body::new(Brisk::new(body, quiet)));
    // Signs of life must get through however much there is to do.
    let is_sign_of_life = matches!(path.as_str(), "/healthz" | "/readyz" | "/metrics");
    let mut response = if is_sign_of_life {
        next.run(request).await
    } else {
        match (refuse_foreign(&service, &request), service.requests.clone().try_acquire_owned()) {
            (Err(problem), _) => problem.into_response(),
            (Ok(()), Ok(_place)) => answer(&service, request, next).await,
            (Ok(()), Err(_)) => {
                let detail = "the service works on as many requests as it may; try again in a moment";
                Problem::new(Kind::Unavailable, detail).retry_after(1).into_response()
            }
        }
    };
    let status = response.status().as_u16();
    service.counters.request(method.as_str(), status, started.elapsed());
    let ms = started.elapsed().as_secs_f64() * 1e3;
    tracing::debug!(request = id.to_str().unwrap_or(""), %method, path, status, ms, "answered");
    let headers = response.headers_mut();
    if status == StatusCode::REQUEST_TIMEOUT && version < Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(REQUEST_ID, id);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Lets the request through to its route. The bodies of strangers are not waited for: the route refuses them at once.
async fn answer(service: &Service, mut request: Request, next: Next) -> Response {
    if !recognise(service, &mut request).await {
        return next.run(request).await;
    }
    match whole(request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The id that the caller gave, or a new one.
fn request_id(request: &Request) -> HeaderValue {
    let is_plain = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    };
    if let Some(given) = request.headers().get(&REQUEST_ID).filter(is_plain) {
        return given.clone();
    }
    let mut bytes = [0; 16];
    // Without randomness the id is all zeros; nothing depends on it.
    let _ = SystemRandom::new().fill(&mut bytes);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("0"))
}

/// In dev mode nobody needs a token, so pages of other sites that a browser shows on this machine must be kept out: they
/// can send requests to loopback addresses, and name an address of their own that leads there.
fn refuse_foreign(service: &Service, request: &Request) -> Result<(), Problem> {
    if !service.options.is_dev {
        return Ok(());
    }
    let host = |text: &str| text.rsplit_once("//").map_or(text, |(_, rest)| rest).to_owned();
    let is_local = |authority: &str| {
        let name = authority
            .rsplit_once(':')
            .map_or(authority, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { authority });
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    for name in [header::HOST, header::ORIGIN] {
        let Some(value) = request.headers().get(&name) else { continue };
        if !value.to_str().is_ok_and(|text| is_local(&host(text))) {
            let detail = format!("in dev mode this answers to localhost only, and `{name}` is another");
            return Err(Problem::new(Kind::Forbidden, detail));
        }
    }
    Ok(())
}

/// There is no such route.
pub async fn no_route(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("there is nothing at `{}`; `/docs` shows what there is", uri.path()))
}

/// The route has no such method.
pub async fn no_method(uri: Uri) -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        format!("`{}` has no such method; the header `Allow` names those it has", uri.path()),
    )
}
