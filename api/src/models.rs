//! Models as they come in and as they are kept: recognised, read on a thread with room for deep formulas, and remembered
//! by their digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequest, Request};
use cardinal_adapter::digest::Digest;
use cardinal_edge::finding::{Finding, findings};
use cardinal_edge::input::model::{Model, interpret};
use cardinal_edge::input::text::text;
use cardinal_interop::cp::Over;
use cardinal_interop::{Format, recognise};
use cardinal_models::application::Application;
use cardinal_models::diagnostic::Source;
use tokio::sync::oneshot;

use crate::body::{bytes, is_json, media_type};
use crate::problem::{Kind, Problem};
use crate::service::Service;

/// So many applications are remembered.
const REMEMBERED_MAX: usize = 256;
/// A stack that holds the trees of deep formulas.
const STACK_BYTES: usize = 32 << 20;

/// Media types of YAML.
const YAML: [&str; 4] = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];
/// Media types of XMI.
const XML: [&str; 3] = ["application/xml", "text/xml", "application/xmi+xml"];

/// The media types of models, for the OpenAPI document and for messages.
pub const MEDIA_TYPES: &str = "application/yaml, application/json or application/xml";

/// A model as the body of a request.
#[derive(Clone, Debug)]
pub struct ModelBody {
    /// Its text.
    pub source: Arc<Source>,
    /// The media type that it came with.
    pub media_type: String,
}

impl<S: Send + Sync> FromRequest<S> for ModelBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = media_type(request.headers()).unwrap_or_default();
        let is_known =
            is_json(&media_type) || YAML.contains(&media_type.as_str()) || XML.contains(&media_type.as_str());
        if !is_known {
            let detail = format!("a model is {MEDIA_TYPES}; say which with `Content-Type`");
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let bytes = bytes(request, state).await?;
        let source = text("model", bytes.to_vec()).map_err(|finding| Problem::findings(&[finding]))?;
        Ok(ModelBody { source, media_type })
    }
}

/// A model that was read.
pub struct Read {
    /// What it means and says.
    pub model: Model,
    /// Its form.
    pub format: Format,
}

impl std::fmt::Debug for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Read({}, {})", self.model.application.name, self.format.name())
    }
}

/// Reads a model; otherwise everything that is wrong with it.
///
/// # Errors
/// The findings about the text.
pub async fn read(source: Arc<Source>, from: Option<Format>) -> Result<Read, Problem> {
    apart(move || {
        let wrong = |found: Vec<Finding>| Problem::findings(&found);
        let format = match from {
            Some(format) => format,
            None => recognise(&source)
                .map_err(|diagnostic| wrong(vec![Finding { diagnostic, source: Some(source.clone()) }]))?,
        };
        let model =
            interpret(&source, Some(format), Over::Domains).map_err(|errors| wrong(findings(&source, errors)))?;
        Ok(Read { model, format })
    })
    .await?
}

/// Does work that needs a deep stack, on a thread of its own.
///
/// # Errors
/// When there is no thread, or the work panicked.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let (done, waiting) = oneshot::channel();
    let builder = std::thread::Builder::new().name("reader".to_owned()).stack_size(STACK_BYTES);
    let thread = builder.spawn(move || {
        // Nobody waits for the answer when the caller has hung up.
        let _ = done.send(work());
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread could be started");
        return Err(Problem::new(Kind::Unavailable, "the service has no room for this now").retry_after(2));
    }
    waiting.await.map_err(|error| Problem::internal(&error))
}

/// Applications by the digest of their model.
#[derive(Debug, Default)]
pub struct Models(Mutex<HashMap<Digest, Arc<Application>>>);

impl Models {
    /// The application that a stored model describes.
    ///
    /// # Errors
    /// When there is no such model, or this program cannot read it any more.
    pub async fn application(&self, service: &Service, digest: Digest) -> Result<Arc<Application>, Problem> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let stored = service.store.model_by_digest(digest).await?;
        let source = Arc::new(Source::new(&stored.version.application, stored.text));
        let read = read(source, Format::named(&stored.version.format)).await?;
        self.remember(digest, read.model.application.clone());
        Ok(read.model.application)
    }

    /// Keeps an application for later.
    pub fn remember(&self, digest: Digest, application: Arc<Application>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            // Which one goes does not matter: it is read again when it is needed.
            let gone = known.keys().next().copied();
            gone.map(|gone| known.remove(&gone));
        }
        known.insert(digest, application);
    }
}
