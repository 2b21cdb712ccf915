//! Catalogs: sets of offers, and which of them is current.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_adapter::digest::Digest;
use cardinal_edge::finding::{FindingAnswer, findings};
use cardinal_edge::input::text::text;
use cardinal_interop::catalog::read_catalog;
use cardinal_models::diagnostic::Source;
use cardinal_store::Catalog;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::body::{Params, Segments, bytes, media_type};
use crate::models::apart;
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// A catalog.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CatalogView {
    /// The digest of its text.
    pub digest: String,
    /// Its name.
    pub name: String,
    /// The number of its offers.
    pub offers: i64,
    /// Who uploaded it.
    pub by: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// True for the one that applications choose from.
    pub current: bool,
}

fn view(catalog: Catalog, current: Option<Digest>) -> CatalogView {
    CatalogView {
        current: current == Some(catalog.digest),
        digest: catalog.digest.to_string(),
        name: catalog.name,
        offers: catalog.offers,
        by: catalog.by,
        at: catalog.at.0,
    }
}

async fn current(service: &Service) -> Result<Option<Digest>, Problem> {
    Ok(service.store.current_catalog().await?.map(|current| current.digest))
}

/// All catalogs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Catalogs {
    /// The digest of the current one; the built-in catalog counts when it is null.
    pub current: Option<String>,
    /// All that were uploaded.
    pub items: Vec<CatalogView>,
}

/// The catalogs
#[utoipa::path(get, path = "/catalogs", tag = "catalogs", operation_id = "list_catalogs",
    responses((status = 200, description = "All of them.", body = Catalogs)))]
pub async fn list(State(service): State<Service>) -> Result<axum::Json<Catalogs>, Problem> {
    let current = current(&service).await?;
    let items = service.store.catalogs().await?.into_iter().map(|catalog| view(catalog, current)).collect();
    Ok(axum::Json(Catalogs { current: current.map(|digest| digest.to_string()), items }))
}

/// How a catalog is uploaded.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PutParams {
    /// Its name.
    #[param(min_length = 1, max_length = 200)]
    name: String,
    /// Make it current at once.
    current: Option<bool>,
}

/// A catalog that was uploaded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UploadedView {
    /// The catalog.
    #[serde(flatten)]
    pub catalog: CatalogView,
    /// What is probably not meant.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<FindingAnswer>,
}

/// Upload a catalog
///
/// Native YAML or CSV, or any other form that `cardinal catalog import` reads. The same text is stored once.
#[utoipa::path(put, path = "/catalogs", tag = "catalogs", operation_id = "put_catalog", params(PutParams),
    request_body(content((String = "text/csv"), (String = "application/yaml"), (Object = "application/json"))),
    responses((status = 201, description = "It is stored.", body = UploadedView, headers(("Location" = String)))))]
pub async fn put(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<PutParams>,
    request: Request,
) -> Result<Response, Problem> {
    caller.require_all()?;
    if params.name.is_empty() || params.name.len() > 200 || params.name.chars().any(char::is_control) {
        return Err(Problem::parameter("name", "the name of a catalog has 1 to 200 bytes and no control characters"));
    }
    let kind = media_type(request.headers()).unwrap_or_default();
    if !["text/csv", "application/yaml", "application/x-yaml", "text/yaml", "application/json"].contains(&kind.as_str())
    {
        let detail = "a catalog is text/csv, application/yaml or application/json; say which with `Content-Type`";
        return Err(Problem::new(Kind::UnsupportedMediaType, detail));
    }
    let bytes: Bytes = bytes(request, &service).await?;
    let source = text(&params.name, bytes.to_vec()).map_err(|finding| Problem::findings(&[finding]))?;
    let (offers, doubts) = offers(source.clone()).await?;
    let digest = Digest::of_bytes(source.text.as_bytes());
    let catalog =
        Catalog { digest, name: params.name, format: kind, offers, by: caller.name.clone(), at: service.now() };
    service.store.put_catalog(&catalog, source.text.as_bytes()).await?;
    if params.current == Some(true) {
        service.store.make_current(digest, &caller.name, service.now()).await?;
        service.host.ping("");
    }
    // The one that is there already stays as it is.
    let (stored, _) = service.store.catalog(digest).await?;
    let uploaded = UploadedView { catalog: view(stored, current(&service).await?), findings: doubts };
    let mut response = (StatusCode::CREATED, axum::Json(uploaded)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/catalogs/{digest}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Reads a catalog: how many offers it has, and what is doubtful.
async fn offers(source: Arc<Source>) -> Result<(i64, Vec<FindingAnswer>), Problem> {
    apart(move || match read_catalog(&source, None) {
        Ok((catalog, doubts)) => {
            let doubts = findings(&source, doubts).iter().map(|finding| finding.answer()).collect();
            Ok((i64::try_from(catalog.len()).unwrap_or(i64::MAX), doubts))
        }
        Err(wrong) => Err(Problem::findings(&findings(&source, wrong))),
    })
    .await?
}

/// A catalog with its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CatalogText {
    /// What is known of it.
    #[serde(flatten)]
    pub catalog: CatalogView,
    /// The text as it came.
    pub text: String,
}

/// A catalog with its text
#[utoipa::path(get, path = "/catalogs/{digest}", tag = "catalogs", operation_id = "show_catalog",
    params(("digest" = String, Path, pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 200, description = "It.", body = CatalogText)))]
pub async fn show(
    State(service): State<Service>,
    Segments(digest): Segments<Digest>,
) -> Result<axum::Json<CatalogText>, Problem> {
    let (catalog, bytes) = service.store.catalog(digest).await?;
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    Ok(axum::Json(CatalogText { catalog: view(catalog, current(&service).await?), text }))
}

/// Make a catalog current
///
/// Every application decides anew on its offers and prices.
#[utoipa::path(post, path = "/catalogs/{digest}/current", tag = "catalogs", operation_id = "make_catalog_current",
    params(("digest" = String, Path, pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 200, description = "It is current.", body = CatalogView)))]
pub async fn make_current(
    State(service): State<Service>,
    caller: Caller,
    Segments(digest): Segments<Digest>,
) -> Result<axum::Json<CatalogView>, Problem> {
    caller.require_all()?;
    service.store.make_current(digest, &caller.name, service.now()).await?;
    service.host.ping("");
    let (catalog, _) = service.store.catalog(digest).await?;
    Ok(axum::Json(view(catalog, Some(digest))))
}
