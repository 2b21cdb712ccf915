//! What runs, and what is wanted.

use axum::extract::State;
use cardinal_adapter::deployment::RunningDeployment;
use cardinal_adapter::driver::simulated::{CloudState, SimulatedCloud};
use cardinal_adapter::plan::Plan;
use cardinal_control::state::Course;
use cardinal_models::placement::Deployment;
use serde::Serialize;
use utoipa::ToSchema;

use super::applications::course;
use super::loop_state;
use crate::body::Segments;
use crate::problem::Problem;
use crate::service::Service;

/// What runs and what is wanted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeploymentView {
    /// What is under way: `idle`, `deciding`, `proposed`, `executing` or `gone`; `broken` when it cannot be looked after;
    /// null before the first look at it.
    pub course: Option<String>,
    /// What runs, as far as is on record.
    pub current: StateView,
    /// What is wanted: the target of the plan that is carried out or proposed, else what runs.
    pub target: StateView,
    /// The plan that leads from one to the other.
    pub plan: Option<String>,
    /// The number of the plan that was adopted last; 0 before the first.
    pub generation: u64,
    /// What the simulated cloud has charged so far, by the clock; null with other drivers.
    pub paid: Option<f64>,
}

/// A deployment with its cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StateView {
    /// The price of all nodes per hour, in the unit of the catalog.
    pub cost_per_hour: f64,
    /// In the form that `--current` takes.
    #[schema(value_type = Object)]
    pub deployment: Deployment,
    /// Node by node, with instances and their state.
    #[schema(value_type = Object)]
    pub nodes: RunningDeployment,
}

impl StateView {
    fn of(running: &RunningDeployment) -> Self {
        StateView { cost_per_hour: running.cost().units(), deployment: running.to_deployment(), nodes: running.clone() }
    }
}

/// What runs, and what is wanted
#[utoipa::path(get, path = "/applications/{name}/deployment", tag = "deployment",
    operation_id = "show_deployment", params(("name" = String, Path)),
    responses((status = 200, description = "Both.", body = DeploymentView)))]
pub async fn show(
    State(service): State<Service>,
    Segments(name): Segments<String>,
) -> Result<axum::Json<DeploymentView>, Problem> {
    let seen = service.store.overview(&name).await?;
    let course = course(&seen);
    let Some(state) = loop_state(&service, &name).await? else {
        let nothing = StateView::of(&RunningDeployment::default());
        let view =
            DeploymentView { course, current: nothing.clone(), target: nothing, plan: None, generation: 0, paid: None };
        return Ok(axum::Json(view));
    };
    let plan: Option<&Plan> = match &state.course {
        Course::Proposed { plan, .. } | Course::Executing { plan, .. } => Some(plan),
        Course::Idle | Course::Deciding { .. } | Course::Gone => None,
    };
    Ok(axum::Json(DeploymentView {
        course,
        current: StateView::of(&state.running),
        target: StateView::of(plan.map_or(&state.running, |plan| &plan.content().target)),
        plan: plan.map(|plan| plan.hash().to_string()),
        generation: state.head.generation,
        paid: paid(&service, &name).await?,
    }))
}

/// What the simulated cloud of an application has charged.
async fn paid(service: &Service, name: &str) -> Result<Option<f64>, Problem> {
    let Some(text) = service.store.cloud(name).await? else { return Ok(None) };
    let state: CloudState = serde_json::from_str(&text).map_err(|error| Problem::internal(&error))?;
    Ok(Some(SimulatedCloud::restore(state).paid(service.now()).0 as f64 / 1e9))
}
