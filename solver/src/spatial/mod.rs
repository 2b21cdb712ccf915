//! Sub-problems whose formulas mix mixed fleets or shared nodes nonlinearly, by a spatial branch and bound.
//!
//! The linear part is an integer program as ever ([`Formulation`]). What is not linear is a graph over *sums*: cores of a
//! fleet, total cost, numbers of instances, each linear in the program's columns ([`build`]). A node of the search is a
//! box of intervals of the sums. On it every operator of the graph is replaced by linear estimators, over and under,
//! which makes the node an integer program whose optimum is a bound ([`relax`]); its solution, looked at exactly, may be
//! a better answer; then the box is split at a sum where the estimators are far off ([`search`]). Sums of decimal numbers
//! have a step, so that a box that cannot be split any more is a point, on which every formula is a constant.
//!
//! (Tawarmalani, Sahinidis, "Global optimization of mixed-integer nonlinear programs", Mathematical Programming 99,
//! 2004.)

mod build;
mod relax;
mod search;

use crate::bound::Part;
use crate::engine::{Milp, RunStatus};
use crate::formulation::{Cluster, Formulation, Linear};
use crate::nonlinear::graph::{Graph, Id};
use crate::program::{Answer, Effort, Ground, Method, ProgramError};

/// A problem of the spatial branch and bound.
#[derive(Clone, Debug)]
struct Model {
    /// The linear part.
    milp: Milp,
    /// What is not linear.
    graph: Graph,
    /// Truth values that must hold.
    constraints: Vec<Id>,
    /// What is maximised, then what decides among equals, in order.
    goals: Vec<Id>,
    /// The sums that the aggregates of the graph stand for.
    sums: Vec<Sum>,
    /// For each node of the graph the sums below it.
    below: Vec<Vec<u32>>,
}

/// An expression that is linear in the columns.
#[derive(Clone, Debug)]
struct Sum {
    /// Its terms.
    linear: Linear,
    /// Every value is a multiple of this; 0 when no such step is known.
    step: f64,
}

/// Solves a sub-problem by spatial branch and bound.
pub fn solve(ground: Ground<'_>, cluster: &Cluster, method: &Method) -> Result<Answer, ProgramError> {
    let begin = std::time::Instant::now();
    let Ground { snapshot, bound, space, patterns, .. } = ground;
    let mut formulation =
        Formulation::frame(snapshot, bound, space, patterns, cluster).map_err(|e| ProgramError::Formulate(None, e))?;
    formulation.margin = method.margin;
    let model = build::build(&mut formulation, ground, cluster)?;
    let formulate_s = begin.elapsed().as_secs_f64();
    let effort = Effort {
        columns: model.milp.columns(),
        rows: model.milp.rows(),
        undefined: formulation.undefined_rows,
        ..Effort::default()
    };
    if formulation.contradiction {
        return Ok(Answer {
            status: RunStatus::Infeasible,
            placement: None,
            bound: f64::NEG_INFINITY,
            value: f64::NAN,
            formulate_s,
            effort,
            generation: None,
        });
    }
    let outcome = search::solve(&model, &method.limits).map_err(ProgramError::Engine)?;
    let placement = outcome.values.as_ref().map(|values| formulation.placement(values));
    Ok(Answer {
        status: outcome.status,
        bound: outcome.bound,
        value: if placement.is_some() { outcome.value } else { f64::NAN },
        placement,
        formulate_s,
        effort: Effort { nodes: outcome.nodes, ties_open: outcome.ties_open, ..effort },
        generation: None,
    })
}

/// What became of a problem.
#[derive(Clone, Debug)]
struct Outcome {
    status: RunStatus,
    /// The columns of the best solution found.
    values: Option<Vec<f64>>,
    /// Its objective.
    value: f64,
    /// No admissible solution has a larger objective.
    bound: f64,
    /// Nodes of the search tree.
    nodes: u64,
    /// True when the order among solutions of equal objective was not searched to the end.
    ties_open: bool,
}

/// True for sub-problems that only this search takes: with fleets or shared nodes among their parts.
pub fn is_for(ground: Ground<'_>, cluster: &Cluster) -> bool {
    cluster.parts.iter().any(|part| build::is_counted(ground, part))
        && (!cluster.parts.contains(&Part::Pool) || ground.patterns.is_some())
}
