//! What is answered when a request cannot be: problem details (RFC 9457), with pointers into the body and findings about
//! models.

use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::{Finding, FindingAnswer};
use cardinal_store::{Clash, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// What went wrong, for programs by its type and for people in words.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem it is; stable.
    #[serde(rename = "type")]
    #[schema(example = "urn:cardinal:problem:not-found")]
    pub kind: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request, and what to do instead.
    pub detail: String,
    /// The parts of the request that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Wrong>,
    /// What is wrong with models, catalogs and deployments, with line, column and mend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<FindingAnswer>,
    /// Seconds after which the same request may work.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
}

/// A part of the request that is wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Wrong {
    /// A JSON pointer (RFC 6901) into the body, as a fragment; `#` is the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "#/values/3/value")]
    pub pointer: Option<String>,
    /// The parameter or header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong with it.
    pub detail: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A parameter, header or path cannot be read.
    BadRequest,
    /// No token, or none that is known.
    Unauthenticated,
    /// The token does not reach so far.
    Forbidden,
    /// There is nothing of that name.
    NotFound,
    /// The resource has no such method.
    MethodNotAllowed,
    /// The body does not come.
    Timeout,
    /// What is there does not allow it.
    Conflict,
    /// The resource is not what the caller thinks it is.
    PreconditionFailed,
    /// The body is too large.
    TooLarge,
    /// The body is of a kind that is not read.
    UnsupportedMediaType,
    /// The body can be read, but what it says is wrong.
    Invalid,
    /// Too many requests.
    TooManyRequests,
    /// A fault of the service.
    Internal,
    /// The service cannot answer now.
    Unavailable,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::BadRequest => {
                (StatusCode::BAD_REQUEST, "urn:cardinal:problem:bad-request", "The request cannot be read")
            }
            Kind::Unauthenticated => {
                (StatusCode::UNAUTHORIZED, "urn:cardinal:problem:unauthenticated", "A token is needed")
            }
            Kind::Forbidden => {
                (StatusCode::FORBIDDEN, "urn:cardinal:problem:forbidden", "The token does not allow this")
            }
            Kind::NotFound => (StatusCode::NOT_FOUND, "urn:cardinal:problem:not-found", "There is no such thing"),
            Kind::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "urn:cardinal:problem:method-not-allowed",
                "The resource has no such method",
            ),
            Kind::Timeout => {
                (StatusCode::REQUEST_TIMEOUT, "urn:cardinal:problem:timeout", "The request takes too long to come")
            }
            Kind::Conflict => {
                (StatusCode::CONFLICT, "urn:cardinal:problem:conflict", "The request does not fit what is there")
            }
            Kind::PreconditionFailed => (
                StatusCode::PRECONDITION_FAILED,
                "urn:cardinal:problem:precondition-failed",
                "The resource was changed meanwhile",
            ),
            Kind::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "urn:cardinal:problem:too-large", "The body is too large")
            }
            Kind::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "urn:cardinal:problem:unsupported-media-type",
                "The body is of a kind that is not read",
            ),
            Kind::Invalid => {
                (StatusCode::UNPROCESSABLE_ENTITY, "urn:cardinal:problem:invalid", "What the request says is wrong")
            }
            Kind::TooManyRequests => {
                (StatusCode::TOO_MANY_REQUESTS, "urn:cardinal:problem:too-many-requests", "There are too many requests")
            }
            Kind::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "urn:cardinal:problem:internal", "The service failed")
            }
            Kind::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:cardinal:problem:unavailable", "The service cannot answer now")
            }
        }
    }
}

impl Problem {
    /// A problem of a kind, in words that say what to do.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, kind, title) = kind.parts();
        Problem {
            kind,
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            findings: Vec::new(),
            retry_after_s: None,
        }
    }

    /// There is nothing of that name.
    pub fn not_found(what: &str, name: &str) -> Self {
        Problem::new(Kind::NotFound, format!("there is no {what} `{name}`"))
    }

    /// The body says something wrong at this JSON pointer, such as `/values/0`.
    pub fn at(pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let wrong = Wrong { pointer: Some(format!("#{pointer}")), parameter: None, detail: detail.clone() };
        Problem { errors: vec![wrong], ..Problem::new(Kind::Invalid, detail) }
    }

    /// A parameter or header is wrong.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let wrong = Wrong { pointer: None, parameter: Some(name.to_owned()), detail: detail.clone() };
        Problem { errors: vec![wrong], ..Problem::new(Kind::BadRequest, detail) }
    }

    /// The texts of a request are wrong.
    pub fn findings(findings: &[Finding]) -> Self {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let detail = match findings.iter().find(|finding| finding.is_error()) {
            Some(first) if errors == 1 => first.diagnostic.message.clone(),
            Some(first) => format!("{} (and {} more)", first.diagnostic.message, errors - 1),
            None => "it cannot be taken".to_owned(),
        };
        let findings = findings.iter().map(Finding::answer).collect();
        Problem { findings, ..Problem::new(Kind::Invalid, detail) }
    }

    /// The same, to be tried again after so many seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// A fault of the service, whose cause goes to the log and not to the caller.
    pub fn internal(cause: &dyn Error) -> Self {
        tracing::error!(cause = %chain(cause), "a request failed");
        Problem::new(Kind::Internal, "the service failed on this request; its log says why")
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"cardinal\""));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { .. } | StoreError::Lacking { .. } => Problem::new(Kind::NotFound, error.to_string()),
            StoreError::Conflict { clash: Clash::Generation { .. }, .. } => {
                Problem::new(Kind::PreconditionFailed, error.to_string())
            }
            StoreError::Conflict { .. } => Problem::new(Kind::Conflict, error.to_string()),
            StoreError::Invalid { .. } => Problem::new(Kind::Invalid, error.to_string()),
            StoreError::Unavailable { .. } => {
                tracing::warn!(cause = %chain(&error), "the store is not available");
                Problem::new(Kind::Unavailable, "the database is not available").retry_after(2)
            }
            _ => Problem::internal(&error),
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure.exit {
            Exit::Internal => {
                let said: Vec<&str> = failure.findings.iter().map(|f| f.diagnostic.message.as_str()).collect();
                tracing::error!(cause = said.join("; "), "a request failed");
                Problem::new(Kind::Internal, "the service failed on this request; its log says why")
            }
            _ => Problem::findings(&failure.findings),
        }
    }
}
