//! Lower bounds that hold whatever the duals are worth.
//!
//! For any duals the Lagrangian relaxation of the rows is a bound, as long as no node has a negative reduced cost; how
//! negative it can be is told by the upper bounds of pricing. Where it is negative, duals scaled down (Farley, A note on
//! bounding a class of linear programming problems, Operations Research 38, 1990) or a limit on the number of nodes give
//! one. All sums carry a margin for rounding.

use super::probe::Probe;
use crate::decimal::common_nanos;
use cardinal_models::quantity::Price;

/// A relative margin for the rounding errors of sums of products.
const ROUNDING: f64 = 1e-11;

/// The rows relaxed at some duals: what is lost at least, when nodes of non-negative reduced cost lose nothing.
pub(crate) fn without_nodes(probe: &Probe, duals: &[f64]) -> f64 {
    let (mut sum, mut size) = (0.0f64, 0.0f64);
    for ((low, high), y) in probe.rows.iter().zip(duals) {
        if *y != 0.0 {
            let term = y * if *y > 0.0 { low } else { high };
            sum += term;
            size += term.abs();
        }
    }
    for column in &probe.others {
        let (mut reduced, mut terms) = (column.cost, column.cost.abs());
        for (row, x) in &column.entries {
            reduced -= x * duals[*row];
            terms += (x * duals[*row]).abs();
        }
        let end = if reduced > 0.0 { column.lower } else { column.upper };
        if end.is_finite() {
            sum += reduced * end;
            size += (terms * end).abs();
        } else if reduced.abs() > 1e-13 * terms {
            return f64::NEG_INFINITY;
        }
    }
    if sum.is_nan() { f64::NEG_INFINITY } else { sum - ROUNDING * size }
}

/// Duals as a valid relaxation wants them: of a row without an end on that side nothing is asked.
pub(crate) fn signed(probe: &Probe, duals: &[f64]) -> Vec<f64> {
    let sign = |((low, high), y): (&(f64, f64), &f64)| match *y {
        y if y > 0.0 && *low == f64::NEG_INFINITY => 0.0,
        y if y < 0.0 && *high == f64::INFINITY => 0.0,
        y => y,
    };
    probe.rows.iter().zip(duals).map(sign).collect()
}

/// The best bound at some duals, from the smallest reduced cost that a node of each bin can have.
pub(crate) fn lagrangian(probe: &Probe, duals: &[f64], reduced: &[f64], most_nodes: f64) -> f64 {
    let worst = reduced.iter().copied().fold(0.0, f64::min);
    let limited = without_nodes(probe, duals) + worst * most_nodes;
    if worst == 0.0 || !probe.pays_by_node() {
        return limited;
    }
    // Duals scaled by t: a node costs price - t (price - reduced cost).
    let mut scale = 1.0f64;
    for (bin, reduced) in reduced.iter().enumerate().filter(|(_, r)| **r < 0.0) {
        let price = probe.price(bin);
        scale = scale.min(if price > 0.0 { price / (price - reduced) } else { 0.0 });
    }
    let scaled: Vec<f64> = duals.iter().map(|y| y * scale * (1.0 - 1e-15)).collect();
    limited.max(without_nodes(probe, &scaled))
}

/// The step of which every value of the objective is a multiple, if there is one.
pub(crate) fn step(probe: &Probe) -> Option<f64> {
    let common = common_nanos(probe.whole_costs()?.into_iter())?;
    (common >= 1).then(|| common as f64 / Price::SCALE as f64)
}

/// A bound lifted to the next value that the objective can have.
pub(crate) fn lifted(bound: f64, step: Option<f64>) -> f64 {
    match step {
        Some(step) if bound.is_finite() => {
            let steps = bound / step;
            // Rounding errors of the division grow with the number of steps.
            let lifted = (steps - 1e-6f64.max(1e-9 * steps.abs())).ceil() * step;
            bound.max(lifted - 1e-12 * lifted.abs())
        }
        _ => bound,
    }
}
