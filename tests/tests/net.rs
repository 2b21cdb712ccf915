//! The net under the engine: with the engine off, answers are admissible and their bounds hold, on the random models of
//! the oracle.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;

use cardinal_models::application::Direction;
use cardinal_models::solution::Status;
use cardinal_solver::engine::Engine;
use cardinal_solver::{Settings, SolveError, solve};
use cardinal_tests::agreement::is_sound;
use cardinal_tests::cases::each;
use cardinal_tests::generate::{Size, world};
use cardinal_tests::oracle::{Verdict, best};

#[derive(Debug, Default)]
struct Seen {
    answered: u64,
    best: u64,
    failed: u64,
}

#[test]
fn answers_without_the_engine_are_admissible_and_bounded() {
    let seen = Mutex::new(Seen::default());
    each("answers without the engine are admissible and bounded", 3_000, |seed| {
        let snapshot = world(seed, &Size::SMALL).snapshot();
        let Ok(verdict) = best(&snapshot) else { return Ok(()) };
        let answer = solve(&snapshot, &Settings { engine: Engine::Off, ..Settings::default() });
        let outcome = match answer {
            Ok(outcome) => outcome,
            Err(SolveError::Engine(_)) => {
                seen.lock().unwrap().failed += 1;
                return Ok(());
            }
            // What is refused, is refused with the engine too.
            Err(_) => return Ok(()),
        };
        let Verdict::Best(best) = verdict else {
            return match outcome.status {
                Status::Infeasible => Ok(()),
                status => Err(format!("{} where nothing is admissible", status.as_str())),
            };
        };
        if outcome.status == Status::Infeasible {
            return Err(format!("infeasible, and the oracle has {}", best.utility));
        }
        let Some(solution) = &outcome.solution else { return Ok(()) };
        is_sound(&snapshot, solution)?;
        let sign = if snapshot.application.objective.direction == Direction::Maximize { 1.0 } else { -1.0 };
        let slack = 1e-6 * best.utility.abs().max(1.0);
        if sign * solution.bound < sign * best.utility - slack {
            return Err(format!("the bound {} is below the best, {}", solution.bound, best.utility));
        }
        let is_best = sign * solution.utility >= sign * best.utility - slack;
        if outcome.status == Status::Optimal && !is_best {
            return Err(format!("{} is called optimal, {} is better", solution.utility, best.utility));
        }
        let mut seen = seen.lock().unwrap();
        seen.answered += 1;
        seen.best += u64::from(is_best);
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    assert!(seen.answered > 0 && seen.best * 2 > seen.answered, "{seen:?}");
}
