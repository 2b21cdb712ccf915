//! Models and catalogs by their digests, read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cardinal_adapter::digest::Digest;
use cardinal_edge::failure::Failure;
use cardinal_edge::input::catalogs::{Given, interpret as interpret_catalogs};
use cardinal_edge::input::model::interpret as interpret_model;
use cardinal_edge::input::network::complete;
use cardinal_interop::Format;
use cardinal_interop::cp::Over;
use cardinal_models::application::Application;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_store::{Store, StoreError};
use cardinal_worker::{CatalogText, Job};

use crate::decide::Resources;

/// A model and offers, with the texts that they come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the texts mean.
    pub resources: Resources,
    /// The digest of the model.
    pub model: Digest,
    /// The form of the model, by its name.
    pub format: String,
    /// The text of the model.
    pub model_text: Arc<str>,
    /// The offers.
    pub catalog: Arc<Offers>,
}

/// Offers with their text.
#[derive(Debug)]
pub struct Offers {
    /// The digest of the text.
    pub digest: Digest,
    /// The name of the catalog.
    pub name: String,
    /// The text.
    pub text: String,
    /// What it means.
    pub catalog: Arc<Catalog>,
}

/// Why a stored text cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be read, though it could when it was stored.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

/// The catalogs that are in use; each is read once however many applications share it.
#[derive(Debug, Default)]
pub struct Library {
    catalogs: Mutex<HashMap<Digest, Weak<Offers>>>,
}

impl Library {
    /// The catalog of this digest.
    ///
    /// # Errors
    /// When the store does not give it, or it cannot be read.
    pub async fn catalog(&self, store: &Store, digest: Digest) -> Result<Arc<Offers>, LoadError> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let (info, bytes) = store.catalog(digest).await?;
        let what = || format!("the catalog `{}`", info.name);
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&what(), "it is no UTF-8"))?;
        let source = Arc::new(Source { name: info.name.clone(), text });
        let given = [Given::Text(source.clone())];
        let catalog = offers(&given).map_err(|failure| unreadable(&what(), &first(&failure)))?;
        let text = source.text.clone();
        let offers = Arc::new(Offers { digest, name: info.name, text, catalog: Arc::new(catalog) });
        let mut catalogs = self.catalogs.lock().unwrap_or_else(PoisonError::into_inner);
        catalogs.retain(|_, offers| offers.strong_count() > 0);
        catalogs.insert(digest, Arc::downgrade(&offers));
        Ok(offers)
    }

    fn known(&self, digest: Digest) -> Option<Arc<Offers>> {
        self.catalogs.lock().unwrap_or_else(PoisonError::into_inner).get(&digest)?.upgrade()
    }
}

/// The offers of a catalog, with the network as every solve sees it.
fn offers(given: &[Given]) -> Result<Catalog, Failure> {
    let (mut catalog, _) = interpret_catalogs(given, None)?;
    complete(&mut catalog, &[])?;
    Ok(catalog)
}

fn first(failure: &Failure) -> String {
    failure.findings.first().map(|f| f.diagnostic.message.clone()).unwrap_or_default()
}

fn unreadable(what: &str, why: &str) -> LoadError {
    LoadError::Unreadable { what: what.to_owned(), why: why.to_owned() }
}

/// The application that a stored model describes.
///
/// # Errors
/// When it cannot be read.
pub fn application(name: &str, format: &str, text: &str) -> Result<Arc<Application>, LoadError> {
    let source = Arc::new(Source { name: name.to_owned(), text: text.to_owned() });
    let what = || format!("the model of `{name}`");
    let format = Format::named(format).ok_or_else(|| unreadable(&what(), &format!("there is no format `{format}`")))?;
    match interpret_model(&source, Some(format), Over::Domains) {
        Ok(model) => Ok(model.application),
        Err(found) => {
            let first = found.0.first().map(|d| d.message.clone());
            Err(unreadable(&what(), &first.unwrap_or_default()))
        }
    }
}

/// The model and offers of a job that a parent has given to a worker.
///
/// # Errors
/// What cannot be read, in words.
pub fn of_job(job: &Job) -> Result<Resources, String> {
    let format = job.from.as_deref().unwrap_or(Format::Native.name());
    let application = application(&job.model.name, format, &job.model.text).map_err(|e| e.to_string())?;
    let given: Vec<Given> = job
        .catalogs
        .iter()
        .map(|catalog| match catalog {
            CatalogText::Builtin => Given::Builtin,
            CatalogText::Text(text) => {
                Given::Text(Arc::new(Source { name: text.name.clone(), text: text.text.clone() }))
            }
        })
        .collect();
    let catalog = offers(&given).map_err(|failure| first(&failure))?;
    Ok(Resources { application, catalog: Arc::new(catalog) })
}
