//! API tokens. The text of a token is told once, when it is made.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use cardinal_adapter::time::UnixMs;
use cardinal_store::{NewToken, Scope, TokenInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::{Json, Segments};
use crate::idempotency::NotKept;
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;

/// What a token allows.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeBody {
    /// See everything but secrets, and solve without side effects.
    Viewer,
    /// Change applications and what happens to them as well.
    Operator,
    /// Tokens, catalogs and webhooks as well.
    Admin,
}

/// A token that is to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// What it is for; stands beside everything that is done with it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it allows.
    scope: ScopeBody,
    /// For which applications; for all when left out.
    applications: Option<Vec<String>>,
    /// When it ends by itself, in Unix milliseconds.
    expires_at: Option<i64>,
}

/// What is known of a token.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its identity, which is not secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How its text begins.
    pub prefix: String,
    /// What it allows: `viewer`, `operator` or `admin`.
    pub scope: &'static str,
    /// For which applications; for all when null.
    pub applications: Option<Vec<String>>,
    /// When it was made, in Unix milliseconds.
    pub created_at: i64,
    /// When it ends by itself.
    pub expires_at: Option<i64>,
    /// When it was used last, to the minute.
    pub used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl From<TokenInfo> for TokenView {
    fn from(token: TokenInfo) -> Self {
        TokenView {
            id: token.id,
            name: token.name,
            prefix: token.prefix,
            scope: token.scope.word(),
            applications: token.applications,
            created_at: token.created_at.0,
            expires_at: token.expires_at.map(|at| at.0),
            used_at: token.used_at.map(|at| at.0),
            revoked_at: token.revoked_at.map(|at| at.0),
        }
    }
}

/// All tokens.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// Revoked ones too.
    pub items: Vec<TokenView>,
}

/// The tokens, without their texts
#[utoipa::path(get, path = "/tokens", tag = "tokens", operation_id = "list_tokens",
    responses((status = 200, description = "All of them.", body = Tokens)))]
pub async fn list(State(service): State<Service>, caller: Caller) -> Result<axum::Json<Tokens>, Problem> {
    caller.require_all()?;
    let items = service.store.tokens().await?.into_iter().map(TokenView::from).collect();
    Ok(axum::Json(Tokens { items }))
}

/// A token with its text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewTokenView {
    /// What is known of it.
    #[serde(flatten)]
    pub info: TokenView,
    /// The text: send it as `Authorization: Bearer TOKEN`. It is not told again.
    pub token: String,
}

/// Make a token
///
/// Its text is in the answer and nowhere else; therefore no answer is kept for an idempotency key, and a repetition makes
/// another token.
#[utoipa::path(post, path = "/tokens", tag = "tokens", operation_id = "create_token", request_body = TokenBody,
    responses((status = 201, description = "It.", body = NewTokenView)))]
pub async fn create(
    State(service): State<Service>,
    caller: Caller,
    Json(body): Json<TokenBody>,
) -> Result<(StatusCode, Extension<NotKept>, axum::Json<NewTokenView>), Problem> {
    caller.require_all()?;
    let now = service.now();
    if body.expires_at.is_some_and(|at| at <= now.0) {
        return Err(Problem::at("/expires_at", "this time has passed; give a later one, or none"));
    }
    if body.applications.as_ref().is_some_and(|all| all.is_empty() || all.len() > 1000) {
        return Err(Problem::at("/applications", "name 1 to 1000 applications, or leave the list out for all"));
    }
    let new = NewToken {
        name: body.name,
        scope: match body.scope {
            ScopeBody::Viewer => Scope::Viewer,
            ScopeBody::Operator => Scope::Operator,
            ScopeBody::Admin => Scope::Admin,
        },
        applications: body.applications,
        expires_at: body.expires_at.map(UnixMs),
    };
    let (info, secret) = service.store.create_token(new, now).await?;
    tracing::info!(token = info.id, by = caller.name, "a token was made");
    let Some(token) = secret.expose_text().map(str::to_owned) else {
        return Err(Problem::new(Kind::Internal, "the token was made, but is no text; revoke it"));
    };
    Ok((StatusCode::CREATED, Extension(NotKept), axum::Json(NewTokenView { info: info.into(), token })))
}

/// Revoke a token
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", operation_id = "revoke_token",
    params(("id" = String, Path)),
    responses((status = 204, description = "It opens nothing any more.")))]
pub async fn revoke(
    State(service): State<Service>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<StatusCode, Problem> {
    caller.require_all()?;
    service.store.revoke_token(&id, service.now()).await?;
    tracing::info!(token = id, by = caller.name, "a token was revoked");
    Ok(StatusCode::NO_CONTENT)
}
