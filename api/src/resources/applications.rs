//! Applications: submit, validate, read, replace, delete, list; and their settings.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use cardinal_control::LoopSettings;
use cardinal_control::state::{Order, Pause};
use cardinal_edge::finding::{Finding, FindingAnswer};
use cardinal_store::{Application, Filter, NewModel, Overview, Page as StorePage, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::orders;
use crate::body::{Json, Params, Segments};
use crate::models::{ModelBody, Read, read};
use crate::page::{Page, limit};
use crate::problem::{Kind, Problem};
use crate::scope::Caller;
use crate::service::Service;
use crate::settings;

/// An application.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApplicationView {
    /// Its name.
    pub name: String,
    /// The number of its model; rises with each change.
    pub generation: i64,
    /// The digest of its model.
    pub digest: String,
    /// The format of its model.
    pub format: String,
    /// `active`, `leaving` (it is being taken down) or `gone`.
    pub status: &'static str,
    /// What may happen without a person: `observe`, `recommend`, `automatic-small` or `automatic`.
    pub mode: Option<String>,
    /// What is under way: `idle`, `deciding`, `proposed`, `executing` or `gone`; `broken` when it cannot be looked after;
    /// null before the first look at it.
    pub course: Option<String>,
    /// Why it cannot be looked after: its driver or something stored cannot be used. It is tried again every minute and
    /// whenever its model or settings change.
    pub broken: Option<String>,
    /// Set while a person has paused it.
    pub pause: Option<PauseView>,
    /// The rules that what runs breaks, as was seen last.
    pub violated: Vec<String>,
    /// When it was submitted, in Unix milliseconds.
    pub created_at: i64,
    /// When it was changed last, in Unix milliseconds.
    pub updated_at: i64,
}

/// A person's pause.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PauseView {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when, in Unix milliseconds; until it is resumed when null.
    pub until: Option<i64>,
}

impl ApplicationView {
    fn of(seen: &Overview) -> Self {
        let Overview { application: stored, glance, broken } = seen;
        let settings: Option<Value> = serde_json::from_str(&stored.settings).ok();
        let pause: Option<Pause> = glance.as_ref().and_then(|g| serde_json::from_str(g.pause.as_ref()?).ok());
        ApplicationView {
            name: stored.name.clone(),
            generation: stored.generation,
            digest: stored.digest.to_string(),
            format: stored.format.clone(),
            status: stored.status.word(),
            mode: settings.and_then(|s| Some(s.get("mode")?.as_str()?.to_owned())),
            course: course(seen),
            broken: broken.clone(),
            pause: pause.map(|pause| PauseView {
                by: pause.by,
                reason: pause.reason,
                until: pause.until.map(|until| until.0),
            }),
            violated: glance.as_ref().map_or_else(Vec::new, |glance| glance.violated.clone()),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
        }
    }
}

/// The word for what is under way.
pub fn course(seen: &Overview) -> Option<String> {
    match seen.broken {
        Some(_) if seen.application.status != Status::Gone => Some("broken".to_owned()),
        _ => seen.glance.as_ref().map(|glance| glance.course.clone()),
    }
}

/// Which applications.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// The `next` of the page before; from the beginning when left out.
    after: Option<String>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Only those in this state: `active`, `leaving` or `gone`. Without it, those that are not gone.
    #[param(inline)]
    status: Option<StatusParam>,
    /// Only those with this in their name, in upper or lower case.
    name: Option<String>,
}

/// A state of an application.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StatusParam {
    /// It is kept at its optimum.
    Active,
    /// It is being taken down.
    Leaving,
    /// It is gone.
    Gone,
}

/// The applications by name
#[utoipa::path(get, path = "/applications", tag = "applications", params(ListParams),
    responses((status = 200, description = "A page of them.", body = Page<ApplicationView>)))]
pub async fn list(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> Result<axum::Json<Page<ApplicationView>>, Problem> {
    let most = limit(params.limit) as usize;
    let status = params.status.map(|status| match status {
        StatusParam::Active => Status::Active,
        StatusParam::Leaving => Status::Leaving,
        StatusParam::Gone => Status::Gone,
    });
    let filter = Filter { status, name_contains: params.name };
    let (mut after, mut items, mut more) = (params.after, Vec::new(), true);
    while more && items.len() < most {
        let page = StorePage { after: after.take(), limit: limit(params.limit) };
        let listed = service.store.applications(&page, &filter).await?;
        more = listed.more;
        for seen in listed.rows {
            if items.len() == most {
                more = true;
                break;
            }
            let stored = &seen.application;
            after = Some(stored.name.clone());
            if caller.reaches(&stored.name) && (status.is_some() || stored.status != Status::Gone) {
                items.push(ApplicationView::of(&seen));
            }
        }
    }
    Ok(axum::Json(Page { items, next: after.filter(|_| more) }))
}

/// How an application is submitted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    /// Its name; that of the model when left out.
    #[param(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: Option<String>,
    /// Check the model only; nothing is stored, and the answer is that of `/applications:validate`.
    validate: Option<bool>,
}

/// Submit an application
///
/// The body is its model: native YAML or JSON, or a CAMEL model in XMI.
#[utoipa::path(post, path = "/applications", tag = "applications", params(SubmitParams),
    request_body(content((String = "application/yaml"), (Object = "application/json"), (String = "application/xml"))),
    responses(
        (status = 201, description = "It is stored, and Cardinal begins to look after it.", body = ApplicationView,
            headers(("Location" = String), ("ETag" = String))),
        (status = 200, description = "What there is to say about the model, with `validate`.", body = ValidationView)))]
pub async fn submit(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<SubmitParams>,
    body: ModelBody,
) -> Result<Response, Problem> {
    if params.validate == Some(true) {
        return Ok(axum::Json(check(body).await).into_response());
    }
    let read = read(body.source.clone(), None).await?;
    let name = params.name.unwrap_or_else(|| read.model.application.name.clone());
    check_name(&name)?;
    caller.require(&name)?;
    let settings = settings::text(&LoopSettings::of(&read.model.application))?;
    let new = new_model(&service, &caller, &name, &body, &read);
    let stored = service.store.submit(&new, &settings).await?;
    service.models.remember(stored.digest, read.model.application.clone());
    service.host.ping(&name);
    let location = format!("/v1/applications/{name}");
    let mut response = shown(StatusCode::CREATED, &Overview { application: stored, glance: None, broken: None });
    if let Ok(value) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    Ok(response)
}

fn new_model(service: &Service, caller: &Caller, name: &str, body: &ModelBody, read: &Read) -> NewModel {
    NewModel {
        application: name.to_owned(),
        digest: Digest::of_bytes(body.source.text.as_bytes()),
        format: read.format.name().to_owned(),
        media_type: body.media_type.clone(),
        text: body.source.text.clone(),
        by: caller.name.clone(),
        at: service.now(),
    }
}

/// A name that stands in addresses as it is.
fn check_name(name: &str) -> Result<(), Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if (1..=128).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with(['.', '_', '-']) {
        return Ok(());
    }
    let finding = Finding::error(format!("`{name}` cannot be the name of an application here")).help(
        "use letters, digits, `.`, `_` and `-`, beginning with a letter or digit; `?name=` gives another name than \
               the model's",
    );
    Err(Problem::findings(&[finding]))
}

/// What there is to say about a model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ValidationView {
    /// True when it could be submitted.
    pub ok: bool,
    /// Its name.
    pub application: Option<String>,
    /// The number of its components.
    pub components: Option<usize>,
    /// The number of its metrics.
    pub metrics: Option<usize>,
    /// The number of its constraints.
    pub constraints: Option<usize>,
    /// Mistakes and doubts, with line, column and mend.
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<FindingAnswer>,
}

/// Check a model without storing it
#[utoipa::path(post, path = "/applications:validate", tag = "applications",
    request_body(content((String = "application/yaml"), (Object = "application/json"), (String = "application/xml"))),
    responses((status = 200, description = "What there is to say about it.", body = ValidationView)))]
pub async fn validate(body: ModelBody) -> axum::Json<ValidationView> {
    axum::Json(check(body).await)
}

async fn check(body: ModelBody) -> ValidationView {
    match read(body.source, None).await {
        Ok(Read { model, .. }) => {
            let application = &model.application;
            ValidationView {
                ok: true,
                application: Some(application.name.clone()),
                components: Some(application.components.len()),
                metrics: Some(application.metrics.len()),
                constraints: Some(application.constraints.len() + application.soft.len()),
                findings: model.warnings.iter().map(Finding::answer).collect(),
            }
        }
        Err(problem) => ValidationView {
            ok: false,
            application: None,
            components: None,
            metrics: None,
            constraints: None,
            findings: problem.findings,
        },
    }
}

fn etag(stored: &Application) -> String {
    format!("\"{}\"", stored.generation)
}

fn shown(status: StatusCode, seen: &Overview) -> Response {
    let tag = [(header::ETAG, etag(&seen.application))];
    (status, tag, axum::Json(ApplicationView::of(seen))).into_response()
}

/// An application
#[utoipa::path(get, path = "/applications/{name}", tag = "applications",
    params(("name" = String, Path), ("If-None-Match" = Option<String>, Header, description = "An ETag that is known.")),
    responses((status = 200, description = "It.", body = ApplicationView, headers(("ETag" = String))),
        (status = 304, description = "It is as it was.")))]
pub async fn show(
    State(service): State<Service>,
    Segments(name): Segments<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = service.store.overview(&name).await?;
    let tag = etag(&seen.application);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(shown(StatusCode::OK, &seen))
}

/// The generation that `If-Match` names; `None` without it, and for `*`.
fn expected(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::parameter("If-Match", "send the `ETag` of the application as it was read, such as `\"3\"`")
    })
}

/// Replace the model of an application
///
/// Settings that were changed by hand stay.
#[utoipa::path(put, path = "/applications/{name}", tag = "applications",
    params(("name" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag of what is to be replaced.")),
    request_body(content((String = "application/yaml"), (Object = "application/json"), (String = "application/xml"))),
    responses((status = 200, description = "It is replaced.", body = ApplicationView, headers(("ETag" = String))),
        (status = 412, description = "It was changed meanwhile.", body = Problem,
            content_type = "application/problem+json")))]
pub async fn replace(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    headers: HeaderMap,
    body: ModelBody,
) -> Result<Response, Problem> {
    let expected = expected(&headers)?;
    let (before, old) = super::described(&service, &name).await?;
    let read = read(body.source.clone(), None).await?;
    let kept = settings::carried(&before.settings, &old, &read.model.application)?;
    let new = new_model(&service, &caller, &name, &body, &read);
    // The settings are those of the generation that was read.
    let expected = expected.unwrap_or(before.generation);
    let stored = service.store.replace(&new, &kept, Some(expected)).await?;
    service.models.remember(stored.digest, read.model.application.clone());
    service.host.ping(&name);
    // Someone else may have changed it again meanwhile: the answer is about what was stored here.
    let seen = service.store.overview(&name).await?;
    Ok(shown(StatusCode::OK, &Overview { application: stored, ..seen }))
}

/// How an application goes.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeleteParams {
    /// `undeploy` takes everything down by a plan, `detach` leaves it running and forgets it. Default: `undeploy`.
    #[param(inline)]
    mode: Option<DeleteMode>,
}

/// See [`DeleteParams`].
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeleteMode {
    /// Everything is taken down.
    #[default]
    Undeploy,
    /// What runs is left alone.
    Detach,
}

/// Delete an application
#[utoipa::path(delete, path = "/applications/{name}", tag = "applications",
    params(("name" = String, Path), DeleteParams),
    responses((status = 202, description = "It is being taken down.", body = ApplicationView),
        (status = 204, description = "It is detached.")))]
pub async fn delete(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Params(params): Params<DeleteParams>,
) -> Result<Response, Problem> {
    let now: UnixMs = service.now();
    match params.mode.unwrap_or_default() {
        DeleteMode::Detach => {
            service.store.remove(&name, &caller.name, now).await?;
            service.host.ping(&name);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        DeleteMode::Undeploy => {
            let found = service.store.application(&name).await?;
            if found.status == Status::Active {
                service.store.set_status(&name, Status::Leaving, &caller.name, now).await?;
            }
            if found.status != Status::Leaving {
                orders::give(&service, &caller, &name, &Order::Leave).await?;
            }
            Ok(shown(StatusCode::ACCEPTED, &service.store.overview(&name).await?))
        }
    }
}

/// The settings of an application
///
/// Every number of the loop, the gate, the plans and the metrics, with its value.
#[utoipa::path(get, path = "/applications/{name}/settings", tag = "applications",
    params(("name" = String, Path)),
    responses((status = 200, description = "All of them.", body = Object, headers(("ETag" = String)))))]
pub async fn settings(State(service): State<Service>, Segments(name): Segments<String>) -> Result<Response, Problem> {
    let stored = service.store.application(&name).await?;
    let settings = settings::read(&stored.settings)?;
    Ok(([(header::ETAG, etag(&stored))], axum::Json(settings)).into_response())
}

/// Change settings of an application
///
/// A merge patch (RFC 7396): what is left out stays, null is the default.
#[utoipa::path(patch, path = "/applications/{name}/settings", tag = "applications",
    params(("name" = String, Path),
        ("If-Match" = Option<String>, Header, description = "The ETag of the application.")),
    request_body(content((Object = "application/json"), (Object = "application/merge-patch+json"))),
    responses((status = 200, description = "All of them as they are now.", body = Object, headers(("ETag" = String))),
        (status = 412, description = "It was changed meanwhile.", body = Problem,
            content_type = "application/problem+json")))]
pub async fn change_settings(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    headers: HeaderMap,
    Json(patch): Json<Value>,
) -> Result<Response, Problem> {
    let expected = expected(&headers)?;
    if !patch.is_object() {
        return Err(Problem::at("", "settings are an object, such as {\"mode\": \"automatic\"}"));
    }
    let (before, application) = super::described(&service, &name).await?;
    if before.status == Status::Gone {
        return Err(Problem::new(Kind::NotFound, format!("the application `{name}` is gone")));
    }
    let changed = settings::patched(&before.settings, &application, &patch)?;
    let model = service.store.model(&name, before.generation).await?;
    let new = NewModel {
        application: name.clone(),
        digest: model.version.digest,
        format: model.version.format,
        media_type: model.version.media_type,
        text: model.text,
        by: caller.name.clone(),
        at: service.now(),
    };
    let expected = expected.unwrap_or(before.generation);
    let stored = service.store.replace(&new, &settings::text(&changed)?, Some(expected)).await?;
    service.host.ping(&name);
    Ok(([(header::ETAG, etag(&stored))], axum::Json(changed)).into_response())
}
