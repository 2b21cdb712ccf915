//! Plans with their actions and what became of them.

use axum::extract::State;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::plan::{Plan, Summary, render};
use cardinal_store::PlanRow;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use crate::body::{Params, Segments};
use crate::page::{Page, before};
use crate::problem::Problem;
use crate::service::Service;

/// A plan at a glance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PlanSummary {
    /// Its hash.
    pub hash: String,
    /// The decision that made it.
    pub decision: i64,
    /// When it was made, in Unix milliseconds.
    pub at: i64,
    /// Where it is in its life.
    pub status: String,
    /// When it came to its end, in Unix milliseconds.
    pub ended_at: Option<i64>,
    /// How much it disturbs and what it costs.
    #[schema(value_type = Object)]
    pub summary: Summary,
    /// The number of its actions.
    pub actions: usize,
}

fn summary(row: &PlanRow) -> Result<(PlanSummary, Plan), Problem> {
    let plan: Plan = serde_json::from_str(&row.text).map_err(|error| Problem::internal(&error))?;
    let view = PlanSummary {
        hash: row.hash.to_string(),
        decision: row.decision,
        at: row.at.0,
        status: row.status.clone(),
        ended_at: row.ended_at.map(|at| at.0),
        summary: plan.content().summary.clone(),
        actions: plan.actions().len(),
    };
    Ok((view, plan))
}

/// Which plans.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    /// The `next` of the page before; from the latest when left out.
    after: Option<i64>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// Only those in this state.
    status: Option<String>,
}

/// The plans, the latest first
#[utoipa::path(get, path = "/applications/{name}/plans", tag = "plans", operation_id = "list_plans",
    params(("name" = String, Path), ListParams),
    responses((status = 200, description = "A page of them.", body = Page<PlanSummary>)))]
pub async fn list(
    State(service): State<Service>,
    Segments(name): Segments<String>,
    Params(params): Params<ListParams>,
) -> Result<axum::Json<Page<PlanSummary>>, Problem> {
    service.store.application(&name).await?;
    let listed = service.store.plans(&name, before(params.after, params.limit), params.status.as_deref()).await?;
    Page::of(listed, |row| row.decision, |row| summary(&row).map(|(view, _)| view)).map(axum::Json)
}

/// A plan with its actions and its journal.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// At a glance.
    #[serde(flatten)]
    pub plan: PlanSummary,
    /// The plan as people read it: `+` create, `~` change in place, `-/+` replace, `-` remove.
    pub shown: String,
    /// The whole plan.
    #[schema(value_type = Object)]
    pub content: Box<RawValue>,
    /// What was done of it, in order.
    #[schema(value_type = Vec<Object>)]
    pub journal: Vec<Box<RawValue>>,
}

/// A plan with its actions and its journal
#[utoipa::path(get, path = "/applications/{name}/plans/{hash}", tag = "plans", operation_id = "show_plan",
    params(("name" = String, Path), ("hash" = String, Path, pattern = "^[0-9a-fA-F]{64}$")),
    responses((status = 200, description = "It.", body = PlanView)))]
pub async fn show(
    State(service): State<Service>,
    Segments((name, hash)): Segments<(String, Digest)>,
) -> Result<axum::Json<PlanView>, Problem> {
    let row = service.store.plan(hash).await?;
    if row.application != name {
        return Err(Problem::not_found("plan of this application", &hash.to_string()));
    }
    let (view, plan) = summary(&row)?;
    let raw = |text: String| RawValue::from_string(text).map_err(|error| Problem::internal(&error));
    let journal = service.store.journal(hash).await?.into_iter().map(raw).collect::<Result<Vec<_>, _>>()?;
    let (_, application) = super::described(&service, &name).await?;
    let shown = render::plan(&plan, application.currency.as_deref().unwrap_or("units"));
    Ok(axum::Json(PlanView { plan: view, shown, content: raw(row.text)?, journal }))
}
