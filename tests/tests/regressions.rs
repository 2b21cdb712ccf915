//! Small models on which the solver was wrong once, each judged by the oracle.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;
use cardinal_models::offer::{LabelValue, Offer};
use cardinal_models::placement::{NodeGroup, Placement};
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

#[test]
fn while_nothing_runs_the_fallback_of_current_may_speak_of_what_is_planned() {
    let web = "components:\n  web: {cardinality: 1..4}\n";
    let world = of(&format!("{web}constraints: {{c: 'current(web.cardinality, web.cardinality) >= 3'}}"), two());
    assert!((best_of(&world).utility - 0.3).abs() < 1e-9);
    let world = of(&format!("{web}utility: {{minimize: 'current(web.price, web.price) - web.cardinality'}}"), two());
    assert!((best_of(&world).utility - (0.1 - 4.0)).abs() < 1e-9);
}

fn labelled(id: &str, price: f64, labels: &[(&str, LabelValue)]) -> Offer {
    let labels = labels.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    Offer { labels: Arc::new(labels), ..plain_offer(id, 2, 4, price) }
}

#[test]
fn a_label_is_a_text_or_a_number_as_the_formula_wants_it() {
    let text = |t: &str| LabelValue::Text(t.into());
    let offers = || {
        vec![
            labelled("a", 0.1, &[("tier", LabelValue::Number(0.0))]),
            labelled("b", 0.2, &[("tier", text("Gold"))]),
            labelled("c", 0.3, &[("tier", text("2"))]),
        ]
    };
    let with = |constraint: &str| {
        of(&format!("components: {{web: {{cardinality: 1}}}}\nconstraints: {{c: '{constraint}'}}"), offers())
    };
    assert_eq!(best_of(&with("web.labels.tier == \"gold\"")).utility, 0.2);
    assert_eq!(best_of(&with("web.labels.tier != \"gold\"")).utility, 0.1);
    assert_eq!(best_of(&with("web.labels.tier >= 1")).utility, 0.3);
    assert_eq!(best_of(&with("web.region == \"EU\"")).utility, 0.1);
}

#[test]
fn a_constant_without_a_value_is_told() {
    let world = of(
        "components: {web: {cardinality: 1}}\nconstraints: {c: '1 / (load - load) > 0'}\nmetrics: {load: {default: 1}}",
        two(),
    );
    assert_eq!(agree(&world), Verdict::Infeasible);
    let world = of(
        "components: {web: {cardinality: 1}, db: {cardinality: 1}}\nmetrics: {load: {default: 1}}\n\
                    utility: {maximize: 'sqrt(0 - load) + web.cores'}",
        two(),
    );
    assert!(matches!(agree(&world), Verdict::Undefined(_)));
    let world = of(
        "components: {web: {cardinality: 1}, db: {cardinality: 1}}\nmetrics: {load: {default: 1}}\n\
                    utility: {maximize: 'sqrt(0 - load) + web.cores * db.cores'}",
        two(),
    );
    assert!(matches!(agree(&world), Verdict::Undefined(_)));
}

#[test]
fn an_slo_that_looks_at_the_placement_holds_as_a_whole() {
    let world = of(
        "components: {web: {cardinality: 1}}\nmetrics: {load: {default: 1}}\n\
                    slo: {goal: 'load <= 0.5 and web.cores >= 8'}",
        two(),
    );
    assert_eq!(agree(&world), Verdict::Infeasible);
    let world = of(
        "components: {web: {cardinality: 1}}\nmetrics: {load: {default: 1}}\n\
                    slo: {goal: 'load <= 0.5'}",
        two(),
    );
    assert_eq!(best_of(&world).utility, 0.1);
}

#[test]
fn an_aggregate_may_look_at_another_component() {
    let offers =
        || vec![plain_offer("small", 2, 4, 0.1), Offer { region: "us".into(), ..plain_offer("far", 4, 4, 0.3) }];
    let with = |rest: &str| {
        let components = "components:\n  web: {cardinality: 1..2}\n  db: {cardinality: 1..3, fleet: mixed}\n  api: {cardinality: 1..2}\n";
        of(&format!("{components}{rest}"), offers())
    };
    best_of(&with("constraints: {c: 'count(db, db.region == web.region) >= 2', d: 'web.cores >= 4'}"));
    best_of(&with("constraints: {c: 'sum(db.cores, db.cores <= web.cardinality * 2) >= 6'}"));
    best_of(&with("constraints: {c: 'sum(api.cores, api.region != web.region) >= 6'}"));
    best_of(&with("constraints: {c: 'sum(db.cores / db.cardinality) >= 3'}"));
}

#[test]
fn the_left_side_of_or_has_a_value_even_where_the_right_holds() {
    let components = "components:\n  web: {cardinality: 0..2}\n  db: {cardinality: 1..3}\n";
    let world = of(&format!("{components}constraints: {{c: 'web.region == db.region or db.cardinality >= 2'}}"), two());
    assert_eq!(best_of(&world).utility, 0.2);
    let world = of(&format!("{components}constraints: {{c: 'max(db.cardinality, 1 / web.cardinality) >= 2'}}"), two());
    best_of(&world);
    let world =
        of(&format!("{components}constraints: {{c: 'not (web.region == db.region and db.cardinality >= 2)'}}"), two());
    best_of(&world);
}

const SHARED: &str = "{cardinality: 2, hosting: shared, requires: {cores: 1, memory: 1 GiB}}";

#[test]
fn dear_shared_nodes_may_be_wanted() {
    let with = |rest: &str| of(&format!("components:\n  web: {SHARED}\n{rest}"), two());
    assert_eq!(best_of(&with("constraints: {c: 'total_cost >= 0.3'}")).utility, 0.3);
    assert_eq!(best_of(&with("utility: {maximize: total_cost}")).utility, 0.6);
}

#[test]
fn a_quota_may_ask_for_dear_small_shared_nodes() {
    let offers = vec![plain_offer("large", 8, 16, 0.1), plain_offer("small", 2, 4, 0.3)];
    let quota = |limit: &str| of(&format!("components:\n  web: {SHARED}\nquotas: {{q: {{{limit}}}}}"), offers.clone());
    assert_eq!(best_of(&quota("cores: 4")).utility, 0.3);
    assert_eq!(best_of(&quota("memory: 4 GiB")).utility, 0.3);
}

#[test]
fn a_pool_without_offers_is_empty() {
    let offers = vec![plain_offer("tiny", 1, 1, 0.1)];
    let world =
        of("components: {web: {cardinality: 0..2, hosting: shared, requires: {cores: 4, memory: 1 GiB}}}", offers);
    assert_eq!(best_of(&world).utility, 0.0);
}

#[test]
fn a_fallback_looks_at_the_placement() {
    let world = of(
        "components: {web: {cardinality: 1..3}}\nconstraints: {c: 'current(web.cardinality, web.cardinality) >= 2'}",
        two(),
    );
    assert_eq!(best_of(&world).utility, 0.2);
}

#[test]
fn a_value_that_is_not_looked_at_need_not_exist() {
    let offers = || vec![labelled("a", 0.1, &[("speed", LabelValue::Number(1.0))]), plain_offer("b", 2, 4, 0.2)];
    let with = |rest: &str| of(&format!("components: {{web: {{cardinality: 1..2, fleet: mixed}}}}\n{rest}"), offers());
    assert_eq!(
        best_of(&with("constraints: {c: 'node_count <= 5 or candidates.max(web.labels.speed) >= 3'}")).utility,
        0.1
    );
    let cheap = with(
        "constraints: {c: 'if(web.cardinality <= 1, web.cardinality >= 1, min(web.labels.speed) ^ 2 >= 1)'}\n\
                      utility: {maximize: total_cost}",
    );
    assert_eq!(best_of(&cheap).utility, 0.2);
    let some = with("constraints: {c: 'not (count(web, web.labels.speed >= 1) <= 1 and web.cardinality <= 1)'}");
    assert_eq!(best_of(&some).utility, 0.2);
}

#[test]
fn an_extreme_over_some_nodes_only() {
    let with = |rest: &str| of(&format!("components: {{web: {{cardinality: 1..3, fleet: mixed}}}}\n{rest}"), two());
    assert_eq!(best_of(&with("constraints: {c: 'min(web.cores, number(web.price) > 0.2) >= 4'}")).utility, 0.3);
    assert_eq!(
        best_of(&with("constraints: {c: 'max(web.cores, web.cores < 4) == 2 and sum(web.cores) >= 9'}")).utility,
        0.4
    );
}

#[test]
fn the_bound_of_a_table_with_a_constant_factor() {
    let world = of(
        "components: {web: {cardinality: 1}, db: {cardinality: 1}}\nutility: {maximize: 'atan(web.cores) / 3'}",
        two(),
    );
    best_of(&world);
}

#[test]
fn decimals_that_meet_exactly_are_equal() {
    let offers = vec![plain_offer("a", 4, 4, 0.4), plain_offer("b", 1, 2, 0.1)];
    let world = of(
        "components:\n  web: {cardinality: 1..3, hosting: shared, requires: {cores: 2, memory: 1 GiB}}\n  db: {cardinality: 1..2}\n\
         constraints: {c: 'number(total_cost) + db.cardinality == web.cardinality'}",
        offers,
    );
    agree(&world);
    let prices = [0.4, 0.0832, 0.1];
    let offers: Vec<Offer> = prices.iter().zip(["x", "y", "z"]).map(|(p, id)| plain_offer(id, 4, 4, *p)).collect();
    let world = of(
        "components:\n  web: {cardinality: 1..3, hosting: shared}\n  db: {cardinality: 1..2}\n\
         constraints: {c: 'number(total_cost) + db.cardinality == web.cardinality'}",
        offers,
    );
    best_of(&world);
}

#[test]
fn equals_of_a_joint_table_are_ordered_by_cost() {
    // With a slack near its tolerance the engine's presolve calls the dearer one optimal.
    let speed = |id: &str, cores, memory, price, speed| Offer {
        labels: labelled(id, price, &[("speed", LabelValue::Number(speed))]).labels,
        ..plain_offer(id, cores, memory, price)
    };
    let offers = vec![speed("o9", 4, 8, 0.31, 1.5), speed("o0", 8, 1, 0.25, 1.0), speed("o6", 4, 8, 0.0832, 1.5)];
    let world = of(
        "components:\n  web: {cardinality: 2, fleet: mixed}\n  api: {cardinality: 0..2, fleet: mixed, requires: {memory: 2 GiB..8 GiB}}\n\
         structure: {s: {exactly: 2, of: [web, api]}}\n\
         utility: {maximize: '(max(web.labels.speed)) * (sum(api.labels.speed, api.cores >= 4) - 0.5 * (sum(api.cores)))'}",
        offers,
    );
    best_of(&world);
}

#[test]
fn orders_of_magnitude_do_not_hide_the_better_choice() {
    let offers = vec![plain_offer("a", 2, 1, 0.0), plain_offer("b", 16, 1, 0.4), plain_offer("c", 1, 4, 0.25)];
    let with = |utility: &str| {
        of(
            &format!(
                "components: {{web: {{cardinality: 1..4}}}}\nquotas: {{q: {{memory: 4 GiB}}}}\nutility: {{minimize: '{utility}'}}"
            ),
            offers.clone(),
        )
    };
    assert_eq!(best_of(&with("2 ^ (web.cardinality * (web.cores ^ 2)) + 1")).utility, 3.0);
    best_of(&with("((web.cores - 2) ^ 6) / (web.cardinality + 0.37)"));
    best_of(&with("2 ^ (web.cardinality * (web.cores ^ 2)) + web.cores"));
}

#[test]
fn an_aggregate_without_a_value_matters_only_where_it_is_looked_at() {
    let world = of(
        "components: {api: {cardinality: 0..1}, db: {cardinality: 1}}\n\
         constraints: {c: 'api.cardinality >= 1 implies count(db, db.region == api.region) >= 1'}",
        two(),
    );
    assert_eq!(best_of(&world).utility, 0.1);
}

#[test]
fn a_node_in_a_zone_that_is_not_told_is_not_in_a_zone_of_its_own() {
    let offer = Offer { zones: Arc::new(["za".into(), "zb".into()]), ..plain_offer("o", 2, 4, 0.1) };
    let shared = "{cardinality: 1..3, hosting: shared, requires: {cores: 1, memory: 1 GiB}, placement: {spread: {by: zone, at_most: 1}}}";
    let mut world = of(&format!("components:\n  web: {shared}\nutility: {{maximize: web.cardinality}}"), vec![offer]);
    let node = NodeGroup { offer: OfferIndex(0), zone: None, instances: vec![(ComponentId(0), 1)], count: 1 };
    world.current = Some(Placement::of(vec![node]));
    assert_eq!(best_of(&world).utility, 2.0);
}

#[test]
fn a_choice_between_conditions_on_shared_nodes() {
    let with = |rest: &str| {
        of(&format!("components:\n  web: {SHARED}\n  db: {{cardinality: 0..3, fleet: mixed}}\n{rest}"), two())
    };
    let world = with("constraints: {c: 'if(db.cardinality >= 1, node_count <= 5, total_cost >= 0.3)'}");
    assert_eq!(best_of(&world).utility, 0.2);
    assert_eq!(
        best_of(&with("constraints: {c: 'not if(db.cardinality >= 1, node_count >= 3, total_cost <= 0.5)'}")).utility,
        0.2
    );
    assert_eq!(best_of(&with("utility: {minimize: '0 - sqrt(abs(number(total_cost)))'}")).strict.0, 1_500_000_000);
}

#[test]
fn a_number_that_differs_from_another_under_a_condition_cuts_nothing_off() {
    // The engine's presolve called two nodes optimal.
    let model = "components:\n  web:\n    cardinality: 1..3\n    hosting: shared\n    requires: {cores: 2, \
                 memory: 2 GiB}\n  api:\n    cardinality: 2\n    hosting: shared\n    requires: {cores: 1, memory: 1 GiB}\n\
                 constraints:\n  c1: '(mmc_response_time(1.2, 1.5, web.cardinality) != 1) xor (0.8 * \
                 (sum(number(web.memory)) / 1024 - 0.5 * (web.cardinality)) >= 6)'\nstructure:\n  s0: {every_node: api}\n";
    let world = of(model, vec![plain_offer("node", 8, 4, 0.25)]);
    assert_eq!(best_of(&world).utility, 0.25);
}

#[test]
fn comparisons_of_very_large_and_small_values_are_told_apart() {
    // More than the program of tables can hold in one row: the branch and bound over the tables takes it.
    let offers: Vec<Offer> = (1..=11).map(|i| plain_offer(&format!("o{i}"), i, 4, 0.1 * i as f64 + 0.01)).collect();
    let components = "components:\n  web: {cardinality: 1..20}\n  db: {cardinality: 1..20}\n";
    for rule in [
        "exp(2 * web.cardinality) <= exp(1.5 * db.cardinality)",
        "exp(3 * web.cardinality) >= exp(db.cores) + 5 * db.cardinality",
        "exp(25 * web.cardinality) > 2 ^ (30 * db.cardinality)",
        "web.cores ^ web.cardinality <= db.cores ^ db.cardinality / 7",
    ] {
        let utility = "{minimize: 'total_cost - 0.3 USD/h * web.cardinality'}";
        best_of(&of(&format!("{components}constraints: {{c: '{rule}'}}\nutility: {utility}"), offers.clone()));
    }
    let fleets = "components:\n  web: {cardinality: 1..5, fleet: mixed}\n  db: {cardinality: 1..4, fleet: mixed}\n";
    for rule in
        ["exp(6 * sum(web.cores)) <= exp(5 * sum(db.cores))", "exp(9 * web.cardinality) >= 3 + exp(7 * sum(db.cores))"]
    {
        best_of(&of(&format!("{fleets}constraints: {{c: '{rule}'}}"), two()));
    }
}
