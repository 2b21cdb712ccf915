//! Links and data sources as callers of the program see them.

mod support;

use serde_json::{Value, json};
use support::{Scratch, run};

const SOLVE: &str = "solve traffic.yaml --output json";

fn number(answer: &Value, pointer: &str) -> f64 {
    answer.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {pointer}: {answer}"))
}

#[test]
fn the_cost_is_split_and_the_parts_add_up() {
    for volume in ["1", "10", "300"] {
        let answer = run(&format!("{SOLVE} --metric volume={volume}")).expect(0).json();
        let parts: f64 = ["machines", "egress", "storage"].iter().map(|p| number(&answer, &format!("/cost/{p}"))).sum();
        assert!((parts - number(&answer, "/cost_per_hour")).abs() < 1e-9, "{answer}");
        assert!((number(&answer, "/cost/storage") - 100.0 * 0.0365 / 730.0).abs() < 1e-9);
        let links = answer["egress"].as_array().cloned().unwrap_or_default();
        let paid: f64 = links.iter().map(|l| number(l, "/cost_per_hour")).sum();
        assert!((paid - number(&answer, "/cost/egress")).abs() < 1e-8, "{answer}");
        assert_eq!(answer["data"]["raw"]["chosen"], json!(false));
        assert_eq!(answer["data"]["raw"]["regions"], json!(["aws/eu-central-1"]));
        assert_eq!(answer["data"]["results"]["regions"].as_array().map(Vec::len), Some(1));
    }
    // Enough traffic keeps everything in one region.
    let busy = run(&format!("{SOLVE} --metric volume=300")).expect(0).json();
    assert_eq!(number(&busy, "/cost/egress"), 0.0);
    assert!(busy["nodes"].as_array().is_some_and(|n| n.iter().all(|n| n["region"] == "eu-central-1")), "{busy}");
}

#[test]
fn what_has_to_be_moved_is_told() {
    let first = run(&format!("{SOLVE} --metric volume=1 --network far.csv")).expect(0);
    let before = first.json()["data"]["results"]["regions"].clone();
    let running = Scratch::new("running-data.json", &first.out);
    let again = format!("{SOLVE} --network far.csv --current {}", running.path());
    let same = run(&format!("{again} --metric volume=1")).expect(0).json();
    assert_eq!(same["data"]["results"]["moves_gb"], json!(0.0));
    assert_eq!(same["current"]["changes"], json!([]));
    assert_eq!(same["current"]["violations"], json!([]));
    assert_eq!(same["current"]["cost_per_hour"], same["cost_per_hour"]);
    let moved = run(&format!("{again} --metric volume=300")).expect(0).json();
    assert_ne!(moved["data"]["results"]["regions"], before, "{moved}");
    assert_eq!(moved["data"]["results"]["moves_gb"], json!(100.0));
    let wrong = Scratch::new("no-data.yaml", "data: {reslts: {regions: []}}");
    run(&format!("{SOLVE} --current {}", wrong.path()))
        .expect(2)
        .says("has no data source `reslts`")
        .says("did you mean `results`?");
}

#[test]
fn a_way_without_a_price_is_told_and_not_used() {
    let model = "application: a\ncomponents:\n  a: {placement: {provider: openstack}}\n  b: {placement: {provider: aws, \
                 location: [DE]}}\nlinks:\n  up: {from: b, to: a, traffic: 1}\n";
    let known = support::run_with("solve - --output json", model).expect(0).json();
    assert!((number(&known, "/cost/egress") - 0.09).abs() < 1e-9, "{known}");
    let offers = "currency: EUR\noffers:\n  - {provider: x, region: one, machine_type: m, cores: 2, memory: 4 GiB, price: \
                  0.1}\n  - {provider: x, region: two, machine_type: n, cores: 2, memory: 4 GiB, price: 0.2}\n";
    let catalog = Scratch::new("no-routes.yaml", offers);
    let model = "application: a\ncomponents:\n  a: {}\n  b: {}\nlinks:\n  up: {from: b, to: a, traffic: 1}\n";
    let answer = support::run_with(&format!("solve - --output json --catalog {}", catalog.path()), model).expect(0);
    let answer = answer.says("no price is known for the traffic of `up` from `x/one` to `x/two` and 1 other way");
    assert!(answer.err.contains("--network FILE"), "{}", answer.err);
    assert_eq!(number(&answer.json(), "/cost_per_hour"), 0.2);
    let apart = model.replace("  b: {}", "  b: {requires: {price: '>= 0.15'}}");
    support::run_with(&format!("solve - --catalog {} --network far.csv", catalog.path()), &apart)
        .expect(2)
        .says("the prices of `far.csv` are in USD, those of the catalog in EUR");
}

#[test]
fn places_that_cannot_be_had_are_told() {
    let data = |text: &str| {
        let model = format!(
            "application: a\ncomponents: {{a: {{}}}}\ndata: {{d: {{size: 1 GB, {text}}}}}\nlinks: {{l: {{from: d, to: a, traffic: 1}}}}\n"
        );
        support::run_with("solve - --output json", &model)
    };
    data("places: [NO], replicas: 9").expect(2).says("places for the 9 replicas of `d`").says("widen its `places`");
    data("replicas: 4..9").expect(2).says("more than 20000").says("narrow its `places`");
    let wrong = run("solve traffic.yaml --network offers.csv").expect(2);
    wrong.says("a table of routes has the columns from, to, latency_ms and egress_price_per_gb");
}
