//! The solver against a second formulation of linear models, written with `good_lp`.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};

use cardinal_models::solution::Status;
use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::is_sound;
use cardinal_tests::cases::each;
use cardinal_tests::reference::LinearModel;

#[test]
fn both_formulations_have_the_same_optimum() {
    let feasible = AtomicU64::new(0);
    each("the reference formulation", 200, |seed| {
        let model = LinearModel::new(seed);
        let world = model.world();
        let snapshot = world.snapshot();
        let expected = model.optimum().map_err(|e| format!("the reference fails: {e}\n{world}"))?;
        let outcome = solve(&snapshot, &Settings::default()).map_err(|e| format!("{e}\n{world}"))?;
        match (outcome.status, &outcome.solution, expected) {
            (Status::Infeasible, None, None) => Ok(()),
            (Status::Optimal, Some(solution), Some(value)) => {
                feasible.fetch_add(1, Ordering::Relaxed);
                is_sound(&snapshot, solution).map_err(|what| format!("{what}\n{world}"))?;
                // The reference runs with the engine's own tolerances.
                let same = (solution.utility - value).abs() <= 1e-6 * value.abs().max(1.0);
                if same { Ok(()) } else { Err(format!("{} and not {value}\n{world}", solution.utility)) }
            }
            (status, ..) => Err(format!("{} and not {expected:?}\n{world}", status.as_str())),
        }
    });
    println!("{} feasible models", feasible.into_inner());
}
