//! The versions of a model: every one that was submitted is kept.

use axum::extract::State;
use cardinal_store::ModelVersion;
use serde::Serialize;
use utoipa::ToSchema;

use crate::body::Segments;
use crate::problem::Problem;
use crate::service::Service;

/// A version of the model of an application.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// Its number.
    pub generation: i64,
    /// The digest of the model.
    pub digest: String,
    /// Its format.
    pub format: String,
    /// The media type that it came with.
    pub media_type: String,
    /// Who submitted it.
    pub by: String,
    /// When, in Unix milliseconds.
    pub at: i64,
}

impl From<ModelVersion> for VersionView {
    fn from(version: ModelVersion) -> Self {
        VersionView {
            generation: version.generation,
            digest: version.digest.to_string(),
            format: version.format,
            media_type: version.media_type,
            by: version.by,
            at: version.at.0,
        }
    }
}

/// All versions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Versions {
    /// The latest first.
    pub items: Vec<VersionView>,
}

/// A version with its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionText {
    /// What is known of it.
    #[serde(flatten)]
    pub version: VersionView,
    /// The model as it came.
    pub text: String,
}

/// The versions of a model, the latest first
#[utoipa::path(get, path = "/applications/{name}/versions", tag = "applications", operation_id = "list_versions",
    params(("name" = String, Path)),
    responses((status = 200, description = "All of them, without their texts.", body = Versions)))]
pub async fn list(
    State(service): State<Service>,
    Segments(name): Segments<String>,
) -> Result<axum::Json<Versions>, Problem> {
    service.store.application(&name).await?;
    let items = service.store.models(&name).await?.into_iter().map(VersionView::from).collect();
    Ok(axum::Json(Versions { items }))
}

/// A version of a model with its text
#[utoipa::path(get, path = "/applications/{name}/versions/{generation}", tag = "applications",
    operation_id = "show_version", params(("name" = String, Path), ("generation" = i64, Path)),
    responses((status = 200, description = "It.", body = VersionText)))]
pub async fn show(
    State(service): State<Service>,
    Segments((name, generation)): Segments<(String, i64)>,
) -> Result<axum::Json<VersionText>, Problem> {
    let model = service.store.model(&name, generation).await?;
    Ok(axum::Json(VersionText { version: model.version.into(), text: model.text }))
}
