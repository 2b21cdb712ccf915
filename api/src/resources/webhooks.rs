//! Webhooks: addresses to which events are posted, signed.

use axum::extract::State;
use axum::http::StatusCode;
use cardinal_adapter::driver::webhook::SECRET_BYTES_MIN;
use cardinal_store::{DeliveryState, NewWebhook, Secret, StoreError, Webhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Json, Segments};
use crate::problem::Problem;
use crate::scope::Caller;
use crate::service::Service;

/// An address that events are to be posted to.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookBody {
    /// The address, `https://` or `http://`.
    #[schema(example = "https://example.com/hooks/cardinal", max_length = 2000)]
    url: String,
    /// What posts are signed with; at least 16 bytes. It is kept encrypted and never told.
    #[schema(min_length = 16, max_length = 1000, write_only)]
    secret: String,
    /// Events of these kinds only; of all when left out.
    kinds: Option<Vec<String>>,
    /// Events of this application only; of all when left out.
    application: Option<String>,
}

/// An address that events are posted to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookView {
    /// Its identity.
    pub id: String,
    /// The address.
    pub url: String,
    /// Events of these kinds only; of all when null.
    pub kinds: Option<Vec<String>>,
    /// Events of this application only; of all when null.
    pub application: Option<String>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// True while nothing is posted to it.
    pub paused: bool,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        WebhookView {
            id: webhook.id,
            url: webhook.url,
            kinds: webhook.kinds,
            application: webhook.application,
            created_at: webhook.created_at.0,
            paused: webhook.paused,
        }
    }
}

/// All webhooks.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Webhooks {
    /// In the order in which they were made.
    pub items: Vec<WebhookView>,
}

/// The webhooks
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    responses((status = 200, description = "All of them.", body = Webhooks)))]
pub async fn list(State(service): State<Service>, caller: Caller) -> Result<axum::Json<Webhooks>, Problem> {
    caller.require_all()?;
    let items = service.store.webhooks().await?.into_iter().map(WebhookView::from).collect();
    Ok(axum::Json(Webhooks { items }))
}

/// Add a webhook
///
/// Every event from now on is posted to it as JSON, with the header `cardinal-signature: t=MILLISECONDS,v1=HEX`:
/// HMAC-SHA256 of time, method, path and body with line feeds between them. A post that is not answered with a status
/// from 200 to 299 is repeated later and later.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", operation_id = "create_webhook", request_body = WebhookBody,
    responses((status = 201, description = "It.", body = WebhookView)))]
pub async fn create(
    State(service): State<Service>,
    caller: Caller,
    Json(body): Json<WebhookBody>,
) -> Result<(StatusCode, axum::Json<WebhookView>), Problem> {
    caller.require_all()?;
    let WebhookBody { url, secret, kinds, application } = body;
    if !is_address(&url) {
        return Err(Problem::at("/url", "an address looks like `https://example.com/hooks/cardinal`"));
    }
    if !(SECRET_BYTES_MIN..=1000).contains(&secret.len()) || secret.contains('\0') {
        return Err(Problem::at("/secret", format!("a secret has {SECRET_BYTES_MIN} to 1000 bytes")));
    }
    let is_kind = |kind: &String| {
        (1..=64).contains(&kind.len())
            && kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if kinds.as_ref().is_some_and(|kinds| kinds.is_empty() || kinds.len() > 32 || !kinds.iter().all(is_kind)) {
        return Err(Problem::at("/kinds", "name 1 to 32 kinds of events, such as `decided`, or leave the list out"));
    }
    if let Some(name) = &application {
        match service.store.application(name).await {
            Ok(_) => {}
            Err(error @ StoreError::NotFound { .. }) => return Err(Problem::at("/application", error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    let now = service.now();
    let new = NewWebhook { url, secret: String::from("webhook"), kinds, application };
    // The secret is kept under the id, which comes with the webhook: nothing is delivered before both are there.
    let webhook = service.store.add_webhook(new, now).await?;
    service.store.put_secret(&secret_name(&webhook.id), &Secret::new(secret), &caller.name, now).await?;
    tracing::info!(webhook = webhook.id, by = caller.name, "a webhook was added");
    Ok((StatusCode::CREATED, axum::Json(webhook.into())))
}

/// The name of the secret of a webhook.
pub fn secret_name(id: &str) -> String {
    format!("webhook/{id}")
}

fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or("");
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    let is_plain = url.len() <= 2000 && url.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    is_plain && !authority.is_empty() && !authority.contains('@') && url.parse::<axum::http::Uri>().is_ok()
}

/// A webhook with its latest deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct WebhookState {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView,
    /// The latest first.
    pub deliveries: Vec<DeliveryView>,
}

/// How a delivery stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The id of the event.
    pub event: i64,
    /// `due`, `delivered` or `given-up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, in Unix milliseconds.
    pub next_at: i64,
    /// The HTTP status of the last answer.
    pub last_status: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

impl From<DeliveryState> for DeliveryView {
    fn from(state: DeliveryState) -> Self {
        DeliveryView {
            event: state.event,
            state: state.state,
            attempts: state.attempts,
            next_at: state.next_at.0,
            last_status: state.last_status,
            last_error: state.last_error,
        }
    }
}

/// A webhook with its latest deliveries
#[utoipa::path(get, path = "/webhooks/{id}", tag = "webhooks", operation_id = "show_webhook",
    params(("id" = String, Path)),
    responses((status = 200, description = "It.", body = WebhookState)))]
pub async fn show(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<axum::Json<WebhookState>, Problem> {
    caller.require_all()?;
    let found = service.store.webhooks().await?.into_iter().find(|webhook| webhook.id == id);
    let webhook = found.ok_or_else(|| Problem::not_found("webhook", &id))?;
    let deliveries = service.store.deliveries(&id, 100).await?.into_iter().map(DeliveryView::from).collect();
    Ok(axum::Json(WebhookState { webhook: webhook.into(), deliveries }))
}

/// Take a webhook away
#[utoipa::path(delete, path = "/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook",
    params(("id" = String, Path)),
    responses((status = 204, description = "Nothing more is posted to it.")))]
pub async fn delete(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.require_all()?;
    service.store.delete_webhook(&id).await?;
    match service.store.delete_secret(&secret_name(&id)).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}
