//! Metric values: in, batched, and out with their age and quality.

use axum::extract::State;
use axum::http::StatusCode;
use cardinal_adapter::time::UnixMs;
use cardinal_control::host::reading;
use cardinal_control::metrics::{Quality, Readings, see};
use cardinal_models::application::{Application, Metric};
use cardinal_models::diagnostic::did_you_mean;
use cardinal_solver::what_if::metric::metric_value;
use cardinal_store::MetricRow;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::described;
use crate::body::{Json, Segments};
use crate::problem::{Problem, Wrong};
use crate::service::Service;
use crate::settings;

/// So many values come at once at most.
const VALUES_MAX: usize = 10_000;
/// A value may be measured so far in the future, because clocks differ.
const AHEAD_MS_MAX: u64 = 60_000;

/// Values of metrics.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricsBody {
    /// The values; of several of one metric the latest counts.
    #[schema(max_items = 10000)]
    values: Vec<MetricBody>,
}

/// A value of a metric.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricBody {
    /// The metric.
    name: String,
    /// The value: a number in the metric's unit, or a text with a unit, such as `120ms`.
    #[schema(value_type = MetricValue)]
    value: Value,
    /// When it was measured, in Unix milliseconds; now when left out.
    at: Option<i64>,
    /// What else is known of it.
    #[schema(value_type = Option<Object>)]
    labels: Option<serde_json::Map<String, Value>>,
}

/// A number, or a text with a unit.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the shape of a field in the OpenAPI document")]
pub enum MetricValue {
    /// In the unit of the metric.
    Number(f64),
    /// With a unit.
    Text(String),
}

/// What became of the values.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PushedView {
    /// How many came.
    pub received: usize,
    /// How many are newer than what was known; the others were passed over.
    pub kept: u64,
}

/// Push values of metrics
///
/// One name that the model does not have, or one value that cannot be read, refuses the whole batch.
#[utoipa::path(post, path = "/applications/{name}/metrics", tag = "metrics", operation_id = "push_metrics",
    params(("name" = String, Path)), request_body = MetricsBody,
    responses((status = 202, description = "They are stored.", body = PushedView)))]
pub async fn push(
    State(service): State<Service>,
    Segments(name): Segments<String>,
    Json(body): Json<MetricsBody>,
) -> Result<(StatusCode, axum::Json<PushedView>), Problem> {
    if body.values.len() > VALUES_MAX {
        return Err(Problem::at("/values", format!("at most {VALUES_MAX} values come at once")));
    }
    let (_, application) = described(&service, &name).await?;
    let now = service.now();
    let (mut rows, mut errors) = (Vec::with_capacity(body.values.len()), Vec::new());
    for (i, value) in body.values.iter().enumerate() {
        match row(&application, value, now) {
            Ok(row) => rows.push(row),
            Err((field, detail)) => {
                errors.push(Wrong { pointer: Some(format!("#/values/{i}/{field}")), parameter: None, detail });
            }
        }
    }
    if let Some(first) = errors.first() {
        let problem = Problem::new(crate::problem::Kind::Invalid, format!("no value was stored: {}", first.detail));
        return Err(Problem { errors, ..problem });
    }
    let kept = service.store.put_metrics(&name, &rows, now).await?;
    service.counters.metric_values(rows.len() as u64);
    if kept > 0 {
        service.host.ping(&name);
    }
    Ok((StatusCode::ACCEPTED, axum::Json(PushedView { received: rows.len(), kept })))
}

/// What is stored of a value; otherwise the field that is wrong, and why.
fn row(application: &Application, given: &MetricBody, now: UnixMs) -> Result<MetricRow, (&'static str, String)> {
    if given.name.is_empty() || given.name.len() > 200 || given.name.chars().any(char::is_control) {
        return Err(("name", "the name of a metric has 1 to 200 bytes and no control characters".to_owned()));
    }
    let id = application.metric(&given.name).ok_or_else(|| ("name", unknown(application, &given.name)))?;
    let metric = &application.metrics[id.index()];
    let value = match &given.value {
        Value::Number(number) => number.as_f64().filter(|x| x.is_finite()),
        Value::String(text) => Some(with_unit(application, metric, text).map_err(|detail| ("value", detail))?),
        _ => None,
    };
    let Some(value) = value else { return Err(("value", "a value is a number, or a text with a unit".to_owned())) };
    let at = given.at.map_or(now, UnixMs);
    if at.0 < 0 || at.ms_since(now) > AHEAD_MS_MAX {
        let detail = "the time lies in the future; send Unix milliseconds, and look at the clock of the sender";
        return Err(("at", detail.to_owned()));
    }
    let labels = given.labels.as_ref().map(|labels| Value::Object(labels.clone()).to_string());
    if labels.as_ref().is_some_and(|labels| labels.len() > 4096 || labels.contains("\\u0000")) {
        return Err(("labels", "labels have at most 4096 bytes as JSON, without U+0000".to_owned()));
    }
    Ok(MetricRow { name: given.name.clone(), value, at, labels })
}

/// The model has no metric of this name; which one may be meant.
fn unknown(application: &Application, name: &str) -> String {
    /// So many names are told.
    const TOLD_MAX: usize = 10;
    let names = || application.metrics.iter().map(|metric| metric.name.as_ref());
    let told: Vec<&str> = names().take(TOLD_MAX).collect();
    let more = if names().count() > TOLD_MAX { " and others" } else { "" };
    match (did_you_mean(name, names()), told.is_empty()) {
        (Some(meant), _) => format!("the model has no metric `{name}`; did you mean `{meant}`?"),
        (None, true) => format!("the model has no metric `{name}`, and no other one"),
        (None, false) => format!("the model has no metric `{name}`; it has {}{more}", told.join(", ")),
    }
}

fn with_unit(application: &Application, metric: &Metric, text: &str) -> Result<f64, String> {
    let value = metric_value(application, metric, text).map_err(|misread| {
        let help = misread.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{misread}{help}")
    })?;
    if value.is_finite() { Ok(value) } else { Err(format!("`{text}` is no finite number")) }
}

/// The metrics of a model with the values that a decision would see now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricsView {
    /// In the order of the model.
    pub items: Vec<MetricView>,
    /// Values that came in under names that an earlier model had.
    pub unknown: Vec<String>,
}

/// A metric with its value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MetricView {
    /// Its name.
    pub name: String,
    /// Its unit; null for a bare number.
    pub unit: Option<String>,
    /// The value that a decision would use; null when it is computed or missing.
    pub value: Option<f64>,
    /// How good it is: `fresh`, `partial` (the window is not filled yet), `held` (not measured lately), `default` (never measured), `fall-back` (too old to be
    /// held), `computed` or `missing`.
    #[schema(value_type = String)]
    pub quality: Quality,
    /// What was measured last.
    pub measured: Option<f64>,
    /// When, in Unix milliseconds.
    pub at: Option<i64>,
    /// How long ago, in milliseconds.
    pub age_ms: Option<u64>,
    /// How many samples it is made of; null for a value that was pushed as such.
    pub samples: Option<u64>,
    /// What else came with it.
    #[schema(value_type = Option<Object>)]
    pub labels: Option<Value>,
}

/// The metrics with value, age and quality
#[utoipa::path(get, path = "/applications/{name}/metrics", tag = "metrics", operation_id = "show_metrics",
    params(("name" = String, Path)),
    responses((status = 200, description = "All of them.", body = MetricsView)))]
pub async fn show(
    State(service): State<Service>,
    Segments(name): Segments<String>,
) -> Result<axum::Json<MetricsView>, Problem> {
    let (stored, application) = described(&service, &name).await?;
    let policy = settings::read(&stored.settings)?.metrics;
    let rows = service.store.metrics(&name).await?;
    let readings = readings(&rows);
    let seen = see(&application, &readings, &policy, service.now());
    let items = application.metrics.iter().zip(seen).map(|(metric, seen)| {
        let row = rows.iter().find(|row| row.name == seen.name);
        MetricView {
            unit: metric.unit.map(|unit| unit.to_string()),
            value: seen.value,
            quality: seen.quality,
            measured: row.map(|row| row.value),
            at: row.map(|row| row.at.0),
            age_ms: seen.age_ms,
            samples: seen.samples,
            labels: row.and_then(|row| serde_json::from_str(row.labels.as_ref()?).ok()),
            name: seen.name,
        }
    });
    let unknown = rows.iter().map(|row| row.name.clone()).filter(|name| application.metric(name).is_none());
    Ok(axum::Json(MetricsView { items: items.collect(), unknown: unknown.collect() }))
}

/// Stored values as the loop takes them.
pub fn readings(rows: &[MetricRow]) -> Readings {
    rows.iter().cloned().map(reading).collect()
}
