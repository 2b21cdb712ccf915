//! Solve, explain and what-if without side effects: of a model in the body, or of a stored application as it is now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cardinal_adapter::digest::Digest;
use cardinal_control::metrics::{Quality, see};
use cardinal_edge::input::catalogs::Given;
use cardinal_edge::input::question::Texts;
use cardinal_edge::job::pack;
use cardinal_interop::Format;
use cardinal_models::application::Application;
use cardinal_models::diagnostic::Source;
use cardinal_models::placement::Deployment;
use cardinal_worker::{Job, Purpose, Text};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{described, loop_state, metrics};
use crate::body::{Json, MaybeJson, Params, Segments};
use crate::jobs::{JobView, at_once, begin};
use crate::problem::Problem;
use crate::scope::Caller;
use crate::service::Service;
use crate::settings;

/// The time limit of a solve that names none, in milliseconds.
const TIME_LIMIT_MS: u64 = 10_000;

/// Offers to choose from.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Offers {
    /// The built-in ones.
    Builtin,
    /// Those of the catalog that is current.
    Current,
    /// Those of a stored catalog, by its digest.
    #[schema(value_type = String)]
    Stored(Digest),
    /// Those of this catalog, in any form that is read.
    Text(String),
}

/// What every question may say.
#[derive(Clone, Debug, Default)]
struct Asked {
    from: Option<String>,
    catalogs: Option<Vec<Offers>>,
    networks: Vec<String>,
    metrics: IndexMap<String, Value>,
    maximize: Option<String>,
    minimize: Option<String>,
    current: Option<Value>,
    time_limit_ms: Option<u64>,
    gap: f64,
}

macro_rules! question {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* $field: $kind,)*
            /// The format of the model; recognised when left out.
            from: Option<String>,
            /// Offers to choose from, later ones win; the current catalog when left out, else the built-in one.
            catalogs: Option<Vec<Offers>>,
            /// Routes between places, each a CSV text.
            #[serde(default)]
            networks: Vec<String>,
            /// Values of metrics by name: numbers, or texts with a unit.
            #[serde(default)]
            #[schema(value_type = Object)]
            metrics: IndexMap<String, Value>,
            /// What is to be maximised instead of the model's utility.
            maximize: Option<String>,
            /// What is to be minimised instead of the model's utility.
            minimize: Option<String>,
            /// What runs now: a deployment, or an earlier answer, as an object or as text.
            #[schema(value_type = Option<Object>)]
            current: Option<Value>,
            /// The longest time to solve, in milliseconds.
            #[schema(minimum = 1, default = 10000)]
            time_limit_ms: Option<u64>,
            /// Stop when the answer is proven to be this close to the best.
            #[serde(default)]
            #[schema(minimum = 0)]
            gap: f64,
        }

        impl $name {
            fn asked(&mut self) -> Asked {
                Asked {
                    from: self.from.take(),
                    catalogs: self.catalogs.take(),
                    networks: std::mem::take(&mut self.networks),
                    metrics: std::mem::take(&mut self.metrics),
                    maximize: self.maximize.take(),
                    minimize: self.minimize.take(),
                    current: self.current.take(),
                    time_limit_ms: self.time_limit_ms,
                    gap: self.gap,
                }
            }
        }
    };
}

question! {
    /// A model that is to be solved.
    SolveBody {
        /// The model: native as an object, or any form that is read as text.
        #[schema(value_type = Object)]
        model: Value,
        /// Say why the answer is what it is. Default: true.
        explain: Option<bool>,
    }
}
question! {
    /// A stored application that is to be solved.
    #[derive(Default)]
    StoredSolveBody {
        /// Say why the answer is what it is. Default: true.
        explain: Option<bool>,
    }
}
question! {
    /// A model that is to be explained.
    ExplainBody {
        /// The model: native as an object, or any form that is read as text.
        #[schema(value_type = Object)]
        model: Value,
        /// Why not these: `COMPONENT on OFFER x NUMBER` each, several joined by `and`.
        #[serde(default)]
        why_not: Vec<String>,
    }
}
question! {
    /// A stored application that is to be explained.
    #[derive(Default)]
    StoredExplainBody {
        /// Why not these: `COMPONENT on OFFER x NUMBER` each, several joined by `and`.
        #[serde(default)]
        why_not: Vec<String>,
    }
}
question! {
    /// A model with what would be different.
    WhatIfBody {
        /// The model: native as an object, or any form that is read as text.
        #[schema(value_type = Object)]
        model: Value,
        /// Scenarios by name, each as in a file of scenarios.
        #[schema(value_type = Option<Object>)]
        scenarios: Option<Value>,
        /// One range or two: `WHAT=LOW..HIGH[:log][:STEPS]` each.
        #[serde(default)]
        sweep: Vec<String>,
    }
}
question! {
    /// What would be different about a stored application.
    #[derive(Default)]
    StoredWhatIfBody {
        /// Scenarios by name, each as in a file of scenarios.
        #[schema(value_type = Option<Object>)]
        scenarios: Option<Value>,
        /// One range or two: `WHAT=LOW..HIGH[:log][:STEPS]` each.
        #[serde(default)]
        sweep: Vec<String>,
    }
}

/// How a question is answered.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AskParams {
    /// Answer with a job instead of waiting; the header `Prefer: respond-async` does the same.
    #[serde(rename = "async")]
    asynchronous: Option<bool>,
}

/// Solve a model
///
/// The answer is that of `cardinal solve --output json`; an infeasible model is an answer too.
#[utoipa::path(post, path = "/solve", tag = "questions", params(AskParams), request_body = SolveBody,
    responses((status = 200, description = "The answer.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn solve(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    Json(mut body): Json<SolveBody>,
) -> Result<Response, Problem> {
    let job = of_body(&service, body.asked(), &body.model).await?;
    let job = Job { explain: body.explain.unwrap_or(true), ..job };
    answer(&service, &caller, "solve", job, &params, &headers).await
}

/// Explain the best placement of a model
#[utoipa::path(post, path = "/explain", tag = "questions", params(AskParams), request_body = ExplainBody,
    responses((status = 200, description = "The answer with its reasons.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn explain(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    Json(mut body): Json<ExplainBody>,
) -> Result<Response, Problem> {
    let job = of_body(&service, body.asked(), &body.model).await?;
    let job = Job { purpose: Purpose::Explain(body.why_not), ..job };
    answer(&service, &caller, "explain", job, &params, &headers).await
}

/// Ask what would be if something were different
#[utoipa::path(post, path = "/what-if", tag = "questions", params(AskParams), request_body = WhatIfBody,
    responses((status = 200, description = "Scenarios side by side, or the points of a sweep.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn what_if(
    State(service): State<Service>,
    caller: Caller,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    Json(mut body): Json<WhatIfBody>,
) -> Result<Response, Problem> {
    let purpose = different(body.scenarios.take(), std::mem::take(&mut body.sweep))?;
    let job = Job { purpose, ..of_body(&service, body.asked(), &body.model).await? };
    answer(&service, &caller, "what-if", job, &params, &headers).await
}

/// Solve a stored application
///
/// With the metric values and the deployment of now, unless the body has others; nothing is changed by it.
#[utoipa::path(post, path = "/applications/{name}/solve", tag = "questions",
    params(("name" = String, Path), AskParams),
    request_body(content = Option<StoredSolveBody>, content_type = "application/json"),
    responses((status = 200, description = "The answer.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn solve_stored(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    MaybeJson(body): MaybeJson<Option<StoredSolveBody>>,
) -> Result<Response, Problem> {
    let mut body = body.unwrap_or_default();
    let job = of_stored(&service, body.asked(), &name).await?;
    let job = Job { explain: body.explain.unwrap_or(true), ..job };
    answer(&service, &caller, &format!("solve {name}"), job, &params, &headers).await
}

/// Explain the best placement of a stored application
#[utoipa::path(post, path = "/applications/{name}/explain", tag = "questions",
    params(("name" = String, Path), AskParams),
    request_body(content = Option<StoredExplainBody>, content_type = "application/json"),
    responses((status = 200, description = "The answer with its reasons.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn explain_stored(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    MaybeJson(body): MaybeJson<Option<StoredExplainBody>>,
) -> Result<Response, Problem> {
    let mut body = body.unwrap_or_default();
    let job = of_stored(&service, body.asked(), &name).await?;
    let job = Job { purpose: Purpose::Explain(body.why_not), ..job };
    answer(&service, &caller, &format!("explain {name}"), job, &params, &headers).await
}

/// Ask what would be if something about a stored application were different
#[utoipa::path(post, path = "/applications/{name}/what-if", tag = "questions",
    params(("name" = String, Path), AskParams), request_body = StoredWhatIfBody,
    responses((status = 200, description = "Scenarios side by side, or the points of a sweep.", body = Object),
        (status = 202, description = "A job that works on it.", body = JobView, headers(("Location" = String)))))]
pub async fn what_if_stored(
    State(service): State<Service>,
    caller: Caller,
    Segments(name): Segments<String>,
    Params(params): Params<AskParams>,
    headers: HeaderMap,
    Json(mut body): Json<StoredWhatIfBody>,
) -> Result<Response, Problem> {
    let purpose = different(body.scenarios.take(), std::mem::take(&mut body.sweep))?;
    let job = Job { purpose, ..of_stored(&service, body.asked(), &name).await? };
    answer(&service, &caller, &format!("what-if {name}"), job, &params, &headers).await
}

fn different(scenarios: Option<Value>, sweep: Vec<String>) -> Result<Purpose, Problem> {
    match (scenarios, sweep.is_empty()) {
        (Some(scenarios), true) if scenarios.is_object() => {
            let text = serde_json::json!({ "scenarios": scenarios }).to_string();
            Ok(Purpose::Compare(vec![Text { name: "scenarios".to_owned(), text }]))
        }
        (Some(_), true) => Err(Problem::at("/scenarios", "scenarios are an object: names with what is different")),
        (None, false) if sweep.len() <= 2 => Ok(Purpose::Sweep(sweep)),
        (None, false) => Err(Problem::at("/sweep", "one range is swept, or two")),
        (Some(_), false) => Err(Problem::at("/sweep", "give either scenarios or a sweep")),
        (None, true) => Err(Problem::at("", "say what is different, with `scenarios` or `sweep`")),
    }
}

/// Waits for the answer, or begins a job.
async fn answer(
    service: &Service,
    caller: &Caller,
    what: &str,
    job: Job,
    params: &AskParams,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let prefers = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("respond-async"));
    let wanted = params.asynchronous.unwrap_or_else(|| headers.get_all("prefer").iter().any(prefers));
    let is_long = job.time_limit_ms.is_none_or(|ms| ms > service.options.solve_at_once_ms_max);
    if !wanted && !is_long {
        let document = at_once(service, job).await?;
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return Ok((kind, document.get().to_owned()).into_response());
    }
    let view = begin(service, caller, what, job)?;
    let location = [(header::LOCATION, format!("/v1/jobs/{}", view.id))];
    Ok((StatusCode::ACCEPTED, location, axum::Json(view)).into_response())
}

/// The question about a model in the body.
async fn of_body(service: &Service, asked: Asked, model: &Value) -> Result<Job, Problem> {
    let text = as_text(model).ok_or_else(|| Problem::at("/model", "a model is an object or a text"))?;
    let from = asked.from.as_deref().map(format_named).transpose()?;
    pose(service, asked, Arc::new(Source::new("model", text)), from).await
}

/// The question about a stored application: with its metric values and what runs of it.
async fn of_stored(service: &Service, mut asked: Asked, name: &str) -> Result<Job, Problem> {
    if asked.from.is_some() {
        return Err(Problem::at("/from", "the format of a stored model is known"));
    }
    let (stored, application) = described(service, name).await?;
    let model = service.store.model(name, stored.generation).await?;
    let policy = settings::read(&stored.settings)?.metrics;
    let readings = metrics::readings(&service.store.metrics(name).await?);
    for seen in see(&application, &readings, &policy, service.now()) {
        if let (Some(value), Quality::Fresh | Quality::Held) = (seen.value, seen.quality) {
            asked.metrics.entry(seen.name).or_insert_with(|| value.into());
        }
    }
    if asked.current.is_none() {
        let state = loop_state(service, name).await?;
        let running = state.map(|state| known(state.running.surviving().to_deployment(), &application));
        let running = running.filter(|running| !running.nodes.is_empty());
        asked.current = running.map(|running| serde_json::to_value(running).unwrap_or_default());
    }
    let source = Arc::new(Source::new(name, model.text));
    pose(service, asked, source, Format::named(&stored.format)).await
}

/// What runs of the components that the model has.
fn known(mut deployment: Deployment, application: &Application) -> Deployment {
    for nodes in &mut deployment.nodes {
        nodes.instances.retain(|name, count| *count > 0 && application.component(name).is_some());
    }
    deployment.nodes.retain(|nodes| !nodes.instances.is_empty());
    deployment.components.retain(|name, _| application.component(name).is_some());
    deployment
}

async fn pose(service: &Service, asked: Asked, model: Arc<Source>, from: Option<Format>) -> Result<Job, Problem> {
    let time_limit_ms = asked.time_limit_ms.unwrap_or(TIME_LIMIT_MS);
    let most = service.options.solve_ms_max;
    if !(1..=most).contains(&time_limit_ms) {
        return Err(Problem::at("/time_limit_ms", format!("a solve takes 1 to {most} milliseconds")));
    }
    if !(asked.gap.is_finite() && asked.gap >= 0.0) {
        return Err(Problem::at("/gap", "a gap is a share of 0 or more, such as 0.01"));
    }
    if asked.maximize.is_some() && asked.minimize.is_some() {
        return Err(Problem::at("/minimize", "give either `maximize` or `minimize`"));
    }
    let mut catalogs = Vec::new();
    match asked.catalogs {
        Some(wanted) => {
            for (i, offers) in wanted.into_iter().enumerate() {
                catalogs.push(given(service, offers, i).await?);
            }
        }
        None => {
            if let Some(current) = service.store.current_catalog().await? {
                catalogs.push(stored(service, current.digest).await?);
            }
        }
    }
    let current = match &asked.current {
        None | Some(Value::Null) => None,
        Some(value) => {
            let text = as_text(value).ok_or_else(|| Problem::at("/current", "a deployment is an object or a text"))?;
            Some(Arc::new(Source::new("current", text)))
        }
    };
    let networks = asked.networks.into_iter().enumerate();
    let texts = Texts {
        model,
        from,
        catalogs,
        networks: networks.map(|(i, text)| Arc::new(Source::new(format!("networks/{i}"), text))).collect(),
        metrics: values(asked.metrics)?,
        maximize: asked.maximize,
        minimize: asked.minimize,
        current,
    };
    Ok(Job { time_limit_ms: Some(time_limit_ms), gap: asked.gap, ..pack(&texts) })
}

/// A text as it is, or an object as JSON.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Object(_) => Some(value.to_string()),
        _ => None,
    }
}

fn format_named(name: &str) -> Result<Format, Problem> {
    let known = || Format::ALL.map(Format::name).join(", ");
    Format::named(name)
        .ok_or_else(|| Problem::at("/from", format!("there is no format `{name}`; there are {}", known())))
}

fn values(metrics: IndexMap<String, Value>) -> Result<Vec<String>, Problem> {
    let text = |(name, value): (String, Value)| {
        let place = format!("/metrics/{}", name.replace('~', "~0").replace('/', "~1"));
        let value = match value {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            _ => return Err(Problem::at(&place, "a value is a number, or a text with a unit")),
        };
        if name.contains('=') {
            return Err(Problem::at(&place, "the name of a metric has no `=`"));
        }
        Ok(format!("{name}={value}"))
    };
    metrics.into_iter().map(text).collect()
}

async fn given(service: &Service, offers: Offers, index: usize) -> Result<Given, Problem> {
    match offers {
        Offers::Builtin => Ok(Given::Builtin),
        Offers::Text(text) => Ok(Given::Text(Arc::new(Source::new(format!("catalogs/{index}"), text)))),
        Offers::Stored(digest) => stored(service, digest).await,
        Offers::Current => match service.store.current_catalog().await? {
            Some(current) => stored(service, current.digest).await,
            None => Ok(Given::Builtin),
        },
    }
}

async fn stored(service: &Service, digest: Digest) -> Result<Given, Problem> {
    let (catalog, bytes) = service.store.catalog(digest).await?;
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    Ok(Given::Text(Arc::new(Source::new(catalog.name, text))))
}
