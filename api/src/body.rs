//! What a request says, read so that a mistake is told with its place.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::brisk::slow;
use crate::problem::{Kind, Problem, Wrong};

/// A JSON body.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = media_type(request.headers());
        if !kind.as_deref().is_some_and(is_json) {
            let detail = "this takes JSON; send `Content-Type: application/json`";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        read(&bytes(request, state).await?).map(Json)
    }
}

/// A JSON body, or none.
#[derive(Clone, Debug)]
pub struct MaybeJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if media_type(request.headers()).is_some() {
            return Json::from_request(request, state).await.map(|Json(body)| MaybeJson(body));
        }
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() { Ok(MaybeJson(T::default())) } else { read(&bytes).map(MaybeJson) }
    }
}

/// The bytes of a body.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(error) if error.status() == 413 => {
            Problem::new(Kind::TooLarge, "the body is larger than this service takes")
        }
        error => slow(&error)
            .unwrap_or_else(|| Problem::new(Kind::BadRequest, format!("the body did not come in whole: {error}"))),
    })
}

/// The media type of the body, lower case, without its parameters.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

/// True for JSON and what is written in it.
pub fn is_json(kind: &str) -> bool {
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Reads JSON; the first mistake is told with a pointer to it.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() { Problem::at(&place, words(&inner)) } else { no_json(&inner) }
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

fn no_json(error: &serde_json::Error) -> Problem {
    let detail = format!("the body is no JSON: {error}");
    let wrong = Wrong { pointer: Some("#".to_owned()), parameter: None, detail: detail.clone() };
    Problem { errors: vec![wrong], ..Problem::new(Kind::BadRequest, detail) }
}

/// What is wrong, without the place, which the pointer tells.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

/// The parameters of a query.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Params(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text).to_owned();
                // A field that cannot be read is named before a colon.
                let name = text.split_once(": ").map_or("query", |(name, _)| name).to_owned();
                Err(Problem::parameter(&name, text))
            }
        }
    }
}

/// The parameters of a path.
#[derive(Clone, Debug)]
pub struct Segments<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(path)| Segments(path)).map_err(|rejection| Problem::parameter("path", rejection.body_text()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only whether it can be read matters")]
    struct Shape {
        values: Vec<Inner>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "as above")]
    struct Inner {
        value: f64,
    }

    #[test]
    fn a_mistake_is_pointed_at() {
        let place = |text: &str| {
            let problem = read::<Shape>(text.as_bytes()).unwrap_err();
            (problem.status, problem.errors[0].pointer.clone().unwrap())
        };
        assert_eq!(place(r#"{"values": [{"value": 1}, {"value": "x"}]}"#), (422, "#/values/1/value".to_owned()));
        assert_eq!(place(r#"{"values": [], "a/b": 1}"#), (422, "#/a~1b".to_owned()));
        assert_eq!(place(r#"{"values": ["#), (400, "#".to_owned()));
        assert_eq!(place(r#"{"values": []} x"#), (400, "#".to_owned()));
    }
}
