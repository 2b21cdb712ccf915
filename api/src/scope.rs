//! Who may do what. A route can be added to the service only together with its scope ([`Routes`]): there is no other way
//! in, so that a route without one does not compile.

use std::time::Duration;

use axum::Extension;
use axum::body::to_bytes;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use cardinal_store::Scope;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::documented::document;
use crate::idempotency;
use crate::oidc::Oidc;
use crate::problem::{Kind, Problem};
use crate::service::Service;

/// The part of a path that names an application. It names nothing else.
const APPLICATION: &str = "name";

/// So much of the body of a refused request is read.
const REFUSED_BYTES_MAX: usize = 64 << 10;
/// For so long.
const REFUSED_TIME: Duration = Duration::from_secs(1);

/// The name of the security scheme in the OpenAPI document.
pub const SCHEME: &str = "token";

/// What a caller must at least be.
pub trait Needed: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

/// May see everything but secrets.
#[derive(Clone, Copy, Debug)]
pub enum Viewer {}
/// May change applications and what happens to them as well.
#[derive(Clone, Copy, Debug)]
pub enum Operator {}
/// May do everything.
#[derive(Clone, Copy, Debug)]
pub enum Admin {}

impl Needed for Viewer {
    const SCOPE: Scope = Scope::Viewer;
}
impl Needed for Operator {
    const SCOPE: Scope = Scope::Operator;
}
impl Needed for Admin {
    const SCOPE: Scope = Scope::Admin;
}

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The name under which what they do is recorded.
    pub name: String,
    /// What rate and idempotency are counted by.
    pub key: String,
    /// How far they reach.
    pub scope: Scope,
    /// The applications that they may see and change; all when there is no list.
    pub applications: Option<Vec<String>>,
}

impl Caller {
    /// True when the caller may know of the application.
    pub fn reaches(&self, application: &str) -> bool {
        self.applications.as_ref().is_none_or(|all| all.iter().any(|name| name == application))
    }

    /// Refuses what concerns all applications to those who may see some only.
    pub fn require_all(&self) -> Result<(), Problem> {
        match &self.applications {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                Kind::Forbidden,
                "this token is for certain applications; use one for all of them, made by `cardinal token create`",
            )),
        }
    }

    /// Refuses applications beyond reach.
    pub fn require(&self, application: &str) -> Result<(), Problem> {
        if self.reaches(application) {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, format!("this token is not for the application `{application}`")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let known = Extension::<Caller>::from_request_parts(parts, state).await;
        // Open routes have no caller, and take none.
        known.map(|Extension(caller)| caller).map_err(|_| unauthenticated())
    }
}

/// The routes of the service with what each of them needs.
pub struct Routes {
    service: Service,
    router: OpenApiRouter<Service>,
}

impl Routes {
    /// None yet.
    pub fn new(service: Service, router: OpenApiRouter<Service>) -> Self {
        Routes { service, router }
    }

    /// Routes that anybody may ask.
    pub fn open(mut self, mut routes: UtoipaMethodRouter<Service>) -> Self {
        for (path, item) in &mut routes.1.paths {
            each(item, |method, operation| document(path, method, operation, None));
        }
        self.router = self.router.routes(routes);
        self
    }

    /// Routes that need a scope.
    pub fn scoped<N: Needed>(mut self, mut routes: UtoipaMethodRouter<Service>) -> Self {
        for (path, item) in &mut routes.1.paths {
            each(item, |method, operation| {
                document(path, method, operation, Some(N::SCOPE));
                let requirement = SecurityRequirement::new(SCHEME, Vec::<String>::new());
                operation.security = Some(vec![requirement]);
                let scope = Extensions::builder().add("x-cardinal-scope", N::SCOPE.word()).build();
                operation.extensions.get_or_insert_default().merge(scope);
            });
        }
        let guard = from_fn_with_state(self.service.clone(), guard::<N>);
        self.router = self.router.routes((routes.0, routes.1, routes.2.route_layer(guard)));
        self
    }

    /// All of them.
    pub fn into_router(self) -> OpenApiRouter<Service> {
        self.router
    }
}

fn each(item: &mut PathItem, mut change: impl FnMut(&str, &mut Operation)) {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete), ("patch", patch)];
    for (method, operation) in all {
        if let Some(operation) = operation {
            change(method, operation);
        }
    }
}

/// Lets a request through when its token reaches far enough.
async fn guard<N: Needed>(
    State(service): State<Service>,
    path: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = match &path {
        Ok(path) => admit::<N>(&service, &request, path),
        Err(_) => caller(&request)
            .and_then(|_| Err(Problem::parameter("path", "the path is no UTF-8 once its percent signs are read"))),
    };
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller.clone());
            idempotency::once(&service, &caller, request, next).await
        }
        Err(problem) => {
            // A connection that is closed before a body was read shows many clients that, and not the answer.
            let rest = to_bytes(request.into_body(), REFUSED_BYTES_MAX);
            let _ = tokio::time::timeout(REFUSED_TIME, rest).await;
            problem.into_response()
        }
    }
}

fn admit<N: Needed>(service: &Service, request: &Request, path: &RawPathParams) -> Result<Caller, Problem> {
    let caller = caller(request)?;
    if caller.scope < N::SCOPE {
        let detail = format!("this needs the scope {}, the token has {}", N::SCOPE.word(), caller.scope.word());
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    if let Some((_, name)) = path.iter().find(|(key, _)| *key == APPLICATION) {
        caller.require(name)?;
    }
    service.rate.take(&caller.key, service.now()).map_err(|wait_s| {
        let detail = "this token asks more often than it may; wait, and send metric values in batches";
        Problem::new(Kind::TooManyRequests, detail).retry_after(wait_s)
    })?;
    Ok(caller)
}

/// Who was found to bring a request, before its body was read.
#[derive(Clone)]
struct Recognised(Result<Caller, Problem>);

/// True when the token of the request is good; what it is found to be stays with the request.
pub async fn recognise(service: &Service, request: &mut Request) -> bool {
    let found = authenticate(service, request.headers()).await;
    let is_known = found.is_ok();
    request.extensions_mut().insert(Recognised(found));
    is_known
}

fn caller(request: &Request) -> Result<Caller, Problem> {
    match request.extensions().get::<Recognised>() {
        Some(Recognised(found)) => found.clone(),
        None => Err(unauthenticated()),
    }
}

async fn authenticate(service: &Service, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        // Loopback only: see `Options::check`.
        if service.options.is_dev {
            let key = "dev".to_owned();
            return Ok(Caller { name: "dev".to_owned(), key, scope: Scope::Admin, applications: None });
        }
        return Err(unauthenticated());
    };
    let secret = value.to_str().ok().and_then(|text| {
        let (scheme, secret) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
    });
    let secret = secret.ok_or_else(unauthenticated)?;
    if let Some(oidc) = service.oidc.as_ref().filter(|_| Oidc::is_meant(secret)) {
        return oidc.caller(secret, service.now()).await;
    }
    let token = service
        .store
        .authenticate(secret, service.now())
        .await?
        .ok_or_else(|| Problem::new(Kind::Unauthenticated, "this token is unknown, expired or revoked"))?;
    Ok(Caller { name: token.name, key: token.id, scope: token.scope, applications: token.applications })
}

fn unauthenticated() -> Problem {
    Problem::new(Kind::Unauthenticated, "send `Authorization: Bearer TOKEN`; `cardinal token create` makes a token")
}
