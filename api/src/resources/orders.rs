//! What people order: approve, reject, pause, resume, decide now, unwind, resolve. An order is left in the store for
//! whoever leads the application, which carries it out exactly once and tells of it by an event.

use axum::extract::State;
use axum::http::StatusCode;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::journal::Choice;
use cardinal_adapter::time::UnixMs;
use cardinal_control::state::{Course, GivenOrder, Order};
use cardinal_store::Status;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::loop_state;
use crate::body::{Json, MaybeJson, Segments};
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// An order that was taken down.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OrderView {
    /// Its number.
    pub order: i64,
}

type Taken = Result<(StatusCode, axum::Json<OrderView>), Problem>;

/// Leaves an order.
///
/// # Errors
/// When there is no such application.
pub async fn give(service: &Service, caller: &Caller, name: &str, order: &Order) -> Result<OrderView, Problem> {
    let given = GivenOrder { order: order.clone(), scope: Some(caller.scope.to_string()) };
    let text = serde_json::to_string(&given).map_err(|error| Problem::internal(&error))?;
    let id = service.store.order(name, &caller.name, &text, service.now()).await?;
    service.host.ping(name);
    tracing::info!(application = name, order = id, by = caller.name, "an order was given");
    Ok(OrderView { order: id })
}

async fn taken(service: &Service, caller: &Caller, name: &str, order: &Order) -> Taken {
    let found = service.store.application(name).await?;
    if found.status == Status::Gone {
        return Err(Problem::new(Kind::Conflict, format!("the application `{name}` is gone")));
    }
    Ok((StatusCode::ACCEPTED, axum::Json(give(service, caller, name, order).await?)))
}

/// Which proposed plan.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichPlan {
    /// Its hash; that which is proposed now when left out.
    #[schema(value_type = Option<String>, pattern = "^[0-9a-fA-F]{64}$")]
    plan: Option<Digest>,
}

/// The plan that is proposed: it must be the one that was named.
async fn proposed(service: &Service, name: &str, asked: Option<Digest>) -> Result<Digest, Problem> {
    service.store.application(name).await?;
    let state = loop_state(service, name).await?;
    let proposed = match state.map(|state| state.course) {
        Some(Course::Proposed { plan, .. }) => plan.hash(),
        _ => return Err(Problem::new(Kind::Conflict, format!("no plan of `{name}` waits for approval"))),
    };
    if asked.is_some_and(|asked| asked != proposed) {
        let detail = format!("another plan waits for approval by now: {proposed}; look at it first");
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(proposed)
}

/// Approve the proposed plan
#[utoipa::path(post, path = "/applications/{name}/approve", tag = "orders", params(("name" = String, Path)),
    request_body(content = Option<WhichPlan>, content_type = "application/json"),
    responses((status = 202, description = "It will be carried out.", body = OrderView)))]
pub async fn approve(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    MaybeJson(body): MaybeJson<Option<WhichPlan>>,
) -> Taken {
    let plan = proposed(&service, &name, body.unwrap_or_default().plan).await?;
    taken(&service, &caller, &name, &Order::Approve { plan }).await
}

/// Reject the proposed plan
#[utoipa::path(post, path = "/applications/{name}/reject", tag = "orders", params(("name" = String, Path)),
    request_body(content = Option<WhichPlan>, content_type = "application/json"),
    responses((status = 202, description = "It will not be carried out.", body = OrderView)))]
pub async fn reject(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    MaybeJson(body): MaybeJson<Option<WhichPlan>>,
) -> Taken {
    let plan = proposed(&service, &name, body.unwrap_or_default().plan).await?;
    taken(&service, &caller, &name, &Order::Reject { plan }).await
}

/// A pause.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseBody {
    /// Why, for those who look after it next.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
    /// Until when, in Unix milliseconds; until it is resumed when left out.
    until: Option<i64>,
}

/// Change nothing for a time
#[utoipa::path(post, path = "/applications/{name}/pause", tag = "orders", params(("name" = String, Path)),
    request_body = PauseBody,
    responses((status = 202, description = "It will be paused.", body = OrderView)))]
pub async fn pause(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Json(body): Json<PauseBody>,
) -> Taken {
    let reason = body.reason.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > 1000 || reason.contains('\0') {
        return Err(Problem::at("/reason", "say why in 1 to 1000 characters"));
    }
    if body.until.is_some_and(|until| until <= service.now().0) {
        return Err(Problem::at("/until", "this time has passed; give a later one, or none"));
    }
    taken(&service, &caller, &name, &Order::Pause { reason, until: body.until.map(UnixMs) }).await
}

/// Go on after a pause
#[utoipa::path(post, path = "/applications/{name}/resume", tag = "orders", params(("name" = String, Path)),
    responses((status = 202, description = "It will go on.", body = OrderView)))]
pub async fn resume(State(service): State<Service>, caller: Caller, Segments(name): Segments<String>) -> Taken {
    taken(&service, &caller, &name, &Order::Resume).await
}

/// Decide now
#[utoipa::path(post, path = "/applications/{name}/decide", tag = "orders", params(("name" = String, Path)),
    responses((status = 202, description = "A decision will be made.", body = OrderView)))]
pub async fn decide(State(service): State<Service>, caller: Caller, Segments(name): Segments<String>) -> Taken {
    taken(&service, &caller, &name, &Order::Decide).await
}

/// The plan that is carried out: it must be the one that was named.
async fn under_way(service: &Service, name: &str, hash: Digest) -> Result<u32, Problem> {
    service.store.application(name).await?;
    match loop_state(service, name).await?.map(|state| state.course) {
        Some(Course::Executing { plan, .. }) if plan.hash() == hash => {
            Ok(u32::try_from(plan.actions().len()).unwrap_or(u32::MAX))
        }
        _ => Err(Problem::new(Kind::Conflict, format!("the plan {hash} of `{name}` is not under way"))),
    }
}

/// Undo a plan that is under way
#[utoipa::path(post, path = "/applications/{name}/plans/{hash}/unwind", tag = "orders",
    params(("name" = String, Path), ("hash" = String, Path, pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 202, description = "It will be undone.", body = OrderView)))]
pub async fn unwind(
    State(service): State<Service>,
    caller: Caller,
    Segments((name, hash)): Segments<(String, Digest)>,
) -> Taken {
    under_way(&service, &name, hash).await?;
    taken(&service, &caller, &name, &Order::Unwind).await
}

/// What to do about an action that is stuck.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveBody {
    /// Which action of the plan, from 0.
    action: u32,
    /// `retry` it, `skip` it (it was done by hand), `unwind` the plan, or `accept` the world as it is.
    #[schema(value_type = String, pattern = "^(retry|skip|unwind|accept)$", example = "retry")]
    choice: Choice,
}

/// Say what to do about a stuck action
#[utoipa::path(post, path = "/applications/{name}/plans/{hash}/resolve", tag = "orders",
    params(("name" = String, Path), ("hash" = String, Path, pattern = "^[0-9a-fA-F]{64}$")),
    request_body = ResolveBody,
    responses((status = 202, description = "It will be done.", body = OrderView)))]
pub async fn resolve(
    State(service): State<Service>,
    caller: Caller,
    Segments((name, hash)): Segments<(String, Digest)>,
    Json(body): Json<ResolveBody>,
) -> Taken {
    let actions = under_way(&service, &name, hash).await?;
    if body.action >= actions {
        return Err(Problem::at("/action", format!("the plan has {actions} actions, from 0")));
    }
    taken(&service, &caller, &name, &Order::Resolve { action: body.action, choice: body.choice }).await
}
