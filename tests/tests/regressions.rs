//! Small models on which the solver was wrong once, each judged by the oracle.
#![allow(clippy::unwrap_used)]

use cardinal_models::offer::Offer;
use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::compare;
use cardinal_tests::oracle::{Best, Verdict, best};
use cardinal_tests::world::{World, plain_offer};

/// The solver agrees with the oracle on the world and does not refuse it; what the oracle says.
fn agree(world: &World) -> Verdict {
    let snapshot = world.snapshot();
    let verdict = best(&snapshot).unwrap();
    let answer = solve(&snapshot, &Settings::default());
    let refused = compare(&snapshot, &answer, &verdict).unwrap_or_else(|what| panic!("{what}\n{world}"));
    assert_eq!(refused, None, "{answer:?}\n{world}");
    verdict
}

fn best_of(world: &World) -> Best {
    match agree(world) {
        Verdict::Best(best) => best,
        other => panic!("{other:?}\n{world}"),
    }
}

fn of(model: &str, offers: Vec<Offer>) -> World {
    World { model: format!("application: a\n{model}"), offers, ..World::default() }
}

fn two() -> Vec<Offer> {
    vec![plain_offer("small", 2, 4, 0.1), plain_offer("large", 8, 16, 0.3)]
}

#[test]
fn an_extreme_of_a_constant_and_a_number_is_compared() {
    let components = "components:\n  web: {cardinality: 1..3}\n  db: {cardinality: 1..3}\n";
    let world = of(&format!("{components}constraints: {{c: 'max(web.cardinality + db.cardinality, 3) >= 5'}}"), two());
    assert_eq!(best_of(&world).utility, 0.5);
    let world = of(&format!("{components}constraints: {{c: 'min(web.cardinality + db.cardinality, 3) <= 5'}}"), two());
    assert_eq!(best_of(&world).utility, 0.2);
    let world = of(&format!("{components}constraints: {{c: 'max(web.cardinality + db.cardinality, 3) <= 2'}}"), two());
    assert_eq!(agree(&world), Verdict::Infeasible);
}
