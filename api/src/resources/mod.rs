//! The resources, one file for each, and the router that they make.
#![allow(unused_qualifications, reason = "the macros that describe parameters write them out")]

pub mod applications;
pub mod catalogs;
pub mod decisions;
pub mod deployment;
pub mod events;
pub mod health;
pub mod jobs;
pub mod metrics;
pub mod orders;
pub mod plans;
pub mod questions;
pub mod samples;
pub mod tokens;
pub mod versions;
pub mod webhooks;

use std::sync::Arc;

use cardinal_control::LoopState;
use cardinal_models::application::Application;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::scope::{Admin, Operator, Routes, Viewer};
use crate::service::Service;

/// All resources under `/v1`.
pub fn v1(service: &Service) -> OpenApiRouter<Service> {
    Routes::new(service.clone(), OpenApiRouter::default())
        .scoped::<Viewer>(routes!(applications::list))
        .scoped::<Operator>(routes!(applications::submit))
        .scoped::<Viewer>(routes!(applications::validate))
        .scoped::<Viewer>(routes!(applications::show))
        .scoped::<Operator>(routes!(applications::replace))
        .scoped::<Operator>(routes!(applications::delete))
        .scoped::<Viewer>(routes!(applications::settings))
        .scoped::<Operator>(routes!(applications::change_settings))
        .scoped::<Viewer>(routes!(versions::list))
        .scoped::<Viewer>(routes!(versions::show))
        .scoped::<Viewer>(routes!(questions::solve))
        .scoped::<Viewer>(routes!(questions::explain))
        .scoped::<Viewer>(routes!(questions::what_if))
        .scoped::<Viewer>(routes!(questions::solve_stored))
        .scoped::<Viewer>(routes!(questions::explain_stored))
        .scoped::<Viewer>(routes!(questions::what_if_stored))
        .scoped::<Viewer>(routes!(jobs::show))
        .scoped::<Viewer>(routes!(jobs::cancel))
        .scoped::<Viewer>(routes!(jobs::events))
        .scoped::<Viewer>(routes!(metrics::show))
        .scoped::<Operator>(routes!(metrics::push))
        .scoped::<Operator>(routes!(samples::otlp))
        .scoped::<Operator>(routes!(samples::otlp_of))
        .scoped::<Operator>(routes!(samples::remote_write))
        .scoped::<Operator>(routes!(samples::remote_write_of))
        .scoped::<Operator>(routes!(samples::push))
        .scoped::<Viewer>(routes!(deployment::show))
        .scoped::<Viewer>(routes!(decisions::list))
        .scoped::<Viewer>(routes!(decisions::show))
        .scoped::<Viewer>(routes!(plans::list))
        .scoped::<Viewer>(routes!(plans::show))
        .scoped::<Operator>(routes!(orders::approve))
        .scoped::<Operator>(routes!(orders::reject))
        .scoped::<Operator>(routes!(orders::pause))
        .scoped::<Operator>(routes!(orders::resume))
        .scoped::<Operator>(routes!(orders::decide))
        .scoped::<Operator>(routes!(orders::unwind))
        .scoped::<Operator>(routes!(orders::resolve))
        .scoped::<Viewer>(routes!(catalogs::list))
        .scoped::<Admin>(routes!(catalogs::put))
        .scoped::<Viewer>(routes!(catalogs::show))
        .scoped::<Admin>(routes!(catalogs::make_current))
        .scoped::<Viewer>(routes!(events::stream))
        .scoped::<Admin>(routes!(tokens::list))
        .scoped::<Admin>(routes!(tokens::create))
        .scoped::<Admin>(routes!(tokens::revoke))
        .scoped::<Admin>(routes!(webhooks::list))
        .scoped::<Admin>(routes!(webhooks::create))
        .scoped::<Admin>(routes!(webhooks::show))
        .scoped::<Admin>(routes!(webhooks::delete))
        .into_router()
}

/// What anybody may ask.
pub fn open(service: &Service) -> OpenApiRouter<Service> {
    Routes::new(service.clone(), OpenApiRouter::default())
        .open(routes!(health::healthz))
        .open(routes!(health::readyz))
        .open(routes!(health::metrics))
        .into_router()
}

/// What the loop remembers of an application; `None` before its first look at it.
async fn loop_state(service: &Service, name: &str) -> Result<Option<LoopState>, Problem> {
    let text = service.store.loop_state(name).await?;
    let read = |text: String| serde_json::from_str(&text).map_err(|error| Problem::internal(&error));
    text.map(read).transpose()
}

/// What the current model of an application says.
async fn described(service: &Service, name: &str) -> Result<(cardinal_store::Application, Arc<Application>), Problem> {
    let stored = service.store.application(name).await?;
    let application = service.models.application(service, stored.digest).await?;
    Ok((stored, application))
}
