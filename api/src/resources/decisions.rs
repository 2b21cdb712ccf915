//! Decisions with their full reasons.

use axum::extract::State;
use cardinal_store::DecisionSummary;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::body::{Params, Segments};
use crate::page::{Page, before};
use crate::problem::Problem;
use crate::service::Service;

/// A decision at a glance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SummaryView {
    /// Its number, from 1.
    pub number: i64,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// All of it in one sentence.
    pub sentence: String,
    /// What happens next: `nothing`, `approval` or `apply`.
    pub next: String,
    /// True when the placement is proven to be the best.
    pub proven: bool,
    /// The digest of what was concluded; a replay comes to the same.
    pub digest: String,
    /// The digest of the model.
    pub model: String,
    /// The digest of the catalog.
    pub catalog: String,
}

impl From<DecisionSummary> for SummaryView {
    fn from(summary: DecisionSummary) -> Self {
        SummaryView {
            number: summary.number,
            at: summary.at.0,
            sentence: summary.sentence,
            next: summary.next,
            proven: summary.proven,
            digest: summary.digest.to_string(),
            model: summary.model.to_string(),
            catalog: summary.catalog.to_string(),
        }
    }
}

/// Which decisions.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// The `next` of the page before; from the latest when left out.
    after: Option<i64>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Only those after which this happens: `nothing`, `approval` or `apply`.
    #[param(inline)]
    next: Option<NextParam>,
}

/// What happens after a decision.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NextParam {
    /// Nothing.
    Nothing,
    /// The plan waits for a person.
    Approval,
    /// The plan is carried out.
    Apply,
}

/// The decisions, the latest first
#[utoipa::path(get, path = "/applications/{name}/decisions", tag = "decisions", operation_id = "list_decisions",
    params(("name" = String, Path), ListParams),
    responses((status = 200, description = "A page of them.", body = Page<SummaryView>)))]
pub async fn list(
    State(service): State<Service>,
    Segments(name): Segments<String>,
    Params(params): Params<ListParams>,
) -> Result<axum::Json<Page<SummaryView>>, Problem> {
    service.store.application(&name).await?;
    let next = params.next.map(|next| match next {
        NextParam::Nothing => "nothing",
        NextParam::Approval => "approval",
        NextParam::Apply => "apply",
    });
    let listed = service.store.decisions(&name, before(params.after, params.limit), next).await?;
    Page::of(listed, |row| row.number, |row| Ok(row.into())).map(axum::Json)
}

/// How much of a decision.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ShowParams {
    /// With everything that it depended on.
    input: Option<bool>,
}

/// A decision with its reasons.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// At a glance.
    #[serde(flatten)]
    pub summary: SummaryView,
    /// Everything that was concluded: triggers, metrics, answer, verdict of the gate with its figures, plan.
    #[schema(value_type = Object)]
    pub decision: Box<RawValue>,
    /// Everything that it depended on, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub input: Option<Box<RawValue>>,
}

/// A decision with its full reasons
#[utoipa::path(get, path = "/applications/{name}/decisions/{number}", tag = "decisions",
    operation_id = "show_decision", params(("name" = String, Path), ("number" = i64, Path), ShowParams),
    responses((status = 200, description = "It.", body = DecisionView)))]
pub async fn show(
    State(service): State<Service>,
    Segments((name, number)): Segments<(String, i64)>,
    Params(params): Params<ShowParams>,
) -> Result<axum::Json<DecisionView>, Problem> {
    let row = service.store.decision(&name, number).await?;
    let raw = |text: String| RawValue::from_string(text).map_err(|error| Problem::internal(&error));
    Ok(axum::Json(DecisionView {
        summary: row.summary.into(),
        decision: raw(row.decision)?,
        input: if params.input == Some(true) { Some(raw(row.input)?) } else { None },
    }))
}
