//! The router, and the OpenAPI document that it is.

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::gate::{enter, no_method, no_route};
use crate::problem::{Kind, Problem};
use crate::resources;
use crate::scope::SCHEME;
use crate::service::Service;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cardinal",
        description = "Keeps multi-component applications at their optimal deployment. Problems are RFC 9457 problem \
                       details; a `POST` with an `Idempotency-Key` is carried out once; every answer has an \
                       `x-request-id`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    modifiers(&Scheme),
    tags(
        (name = "applications", description = "Models under Cardinal's care, with their versions and settings."),
        (name = "questions", description = "Solve, explain and what-if, without side effects."),
        (name = "jobs", description = "Questions that take long."),
        (name = "metrics", description = "Values in, and out with age and quality."),
        (name = "deployment", description = "What runs and what is wanted."),
        (name = "decisions", description = "What was concluded and why, also when it was to do nothing."),
        (name = "plans", description = "How a deployment becomes another."),
        (name = "orders", description = "What people say: approve, reject, pause, resume, decide, unwind, resolve."),
        (name = "catalogs", description = "Offers and prices."),
        (name = "events", description = "Everything that happens."),
        (name = "tokens", description = "Who may do what."),
        (name = "webhooks", description = "Events, posted to others."),
        (name = "operations", description = "Signs of life."),
    )
)]
struct Document;

struct Scheme;

impl Modify for Scheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token, made by `cardinal token create` or `POST /v1/tokens`, or one of the issuer that the service was told of."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    }
}

/// Everything that the service answers, with `/openapi.json` and `/docs`.
pub fn router(service: &Service) -> Router {
    let router = OpenApiRouter::with_openapi(Document::openapi())
        .nest("/v1", resources::v1(service))
        .merge(resources::open(service));
    let (router, document) = router.split_for_parts();
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json").persist_authorization(false));
    let shown = document.clone();
    // Streams must not be held back until there is enough to compress.
    let compressible = SizeAbove::new(1024).and(NotForContentType::new("text/event-stream"));
    router
        .route("/openapi.json", get(move || async move { Json(shown) }))
        .merge(docs)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(service.options.body_bytes_max))
        .layer(CompressionLayer::new().compress_when(compressible))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(service.clone(), enter))
        .with_state(service.clone())
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request panicked; standard error says where");
    Problem::new(Kind::Internal, "the service failed on this request; its log says why").into_response()
}
