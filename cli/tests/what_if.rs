//! `cardinal what-if` and `cardinal explain` as their callers see them.

mod support;

use serde_json::Value;
use support::{Scratch, run};

const SHOP: &str = "shop.yaml --catalog offers.csv";

fn json(arguments: &str) -> Value {
    run(arguments).expect(0).json()
}

#[test]
fn a_scenario_is_the_same_as_a_changed_file() {
    let text = include_str!("data/shop.yaml").replace("default: 100", "default: 250").replace("1 USD/h", "0.9 USD/h");
    let changed = Scratch::new("shop-changed.yaml", text);
    let solved = json(&format!("solve {} --catalog offers.csv --output json", changed.path()));
    let asked = json(&format!("what-if {SHOP} --set requests=+=150 --limit budget=-10% --output json"));
    let scenario = &asked["scenarios"][1];
    for key in ["status", "utility", "cost_per_hour", "components"] {
        assert_eq!(scenario[key], solved[key], "{key}");
    }
    assert_eq!(asked["scenarios"][0]["cost_per_hour"], 0.38);
    assert_eq!(asked["complete"], true);
    // Every offer without the dearest, and with the same price as a value.
    let dearer = json(&format!("what-if {SHOP} --price medium=0.2299 --without large --output json"));
    assert_eq!(dearer["scenarios"][1]["components"]["store"]["cardinality"], 1);
    assert_eq!(dearer["scenarios"][1]["cost_per_hour"], 0.4299);
}

#[test]
fn break_points_are_confirmed_by_solving() {
    let swept = json(&format!("what-if {SHOP} --sweep requests=10..310:4 --jobs 3 --output json"));
    let breaks = swept["breaks"].as_array().expect("breaks is a list");
    assert!(breaks.len() > 2, "{breaks:?}");
    for found in breaks {
        assert_eq!(found["exact"], true);
        let at = found["at"].as_f64().expect("a number");
        let components =
            |value: f64| json(&format!("solve {SHOP} --output json --metric requests={value}"))["components"].clone();
        let (here, below, above) = (components(at), components(at * (1.0 - 1e-6)), components(at * (1.0 + 1e-6)));
        assert_eq!(below, found["before"]["components"], "before {at}");
        assert_eq!(above, found["after"]["components"], "after {at}");
        let side = if found["from"] == true { "after" } else { "before" };
        assert_eq!(here, found[side]["components"], "at {at}");
    }
    // The same on one thread.
    let alone = json(&format!("what-if {SHOP} --sweep requests=10..310:4 --jobs 1 --output json"));
    assert_eq!((&alone["points"], &alone["breaks"]), (&swept["points"], &swept["breaks"]));
}

#[test]
fn plots_are_drawn() {
    let svg = Scratch::new("sweep.svg", "");
    run(&format!("what-if {SHOP} --sweep requests=10..310:4 --plot {}", svg.path())).expect(0).says("plot written to");
    let drawn = std::fs::read_to_string(&svg.0).expect("the plot is there");
    assert!(drawn.starts_with("<svg") && drawn.contains("requests") && drawn.contains("<polyline"), "{drawn:.200}");
    let png = Scratch::new("grid.png", "");
    let grid = "--sweep requests=10..310:log:4 --sweep price:medium=-50%..+50%:3";
    run(&format!("what-if {SHOP} {grid} --plot {}", png.path())).expect(0);
    let drawn = std::fs::read(&png.0).expect("the plot is there");
    assert!(drawn.starts_with(b"\x89PNG") && drawn.len() > 5000, "{} bytes", drawn.len());
    run(&format!("what-if {SHOP} --sweep requests=1..2 --plot plot.pdf")).expect(2).says("neither SVG nor PNG");
}

#[test]
fn what_is_known_at_a_limit_is_printed() {
    let swept = run(&format!("what-if {SHOP} --sweep requests=10..310:50 --total-time 1ns --output json")).expect(4);
    assert_eq!(swept.json()["complete"], false);
    let compared = run(&format!("what-if {SHOP} --set requests=5 --total-time 1ns --output json")).expect(4);
    assert_eq!(compared.json()["complete"], false);
}

#[test]
fn the_example_of_scenarios_works() {
    let compared = json(
        "what-if ../../../examples/webshop.yaml --scenarios ../../../examples/scenarios/webshop.yaml --output json",
    );
    let scenarios = compared["scenarios"].as_array().expect("scenarios");
    assert!(scenarios.len() > 4);
    for scenario in scenarios {
        assert_eq!(scenario["status"], "optimal", "{scenario}");
    }
}

#[test]
fn moves_begin_at_what_runs() {
    let now = run(&format!("solve {SHOP} --output json")).expect(0);
    let running = Scratch::new("what-if-running.json", &now.out);
    let asked = json(&format!("what-if {SHOP} --without medium --current {} --output json", running.path()));
    assert_eq!(asked["moves_from_current"], true);
    assert_eq!(asked["scenarios"][0]["moves"]["nodes_created"], 0);
    let moves = &asked["scenarios"][1]["moves"];
    assert_eq!((&moves["nodes_deleted"], &moves["instances_stopped"]), (&Value::from(2), &Value::from(2)));
}

#[test]
fn an_alternative_that_is_the_answer_is_as_good() {
    let answer = json(&format!("solve {SHOP} --output json"));
    for (name, component) in answer["components"].as_object().expect("components") {
        for (offer, count) in component["offers"].as_object().expect("offers") {
            let mut command = support::program();
            command.args("explain shop.yaml --catalog offers.csv --output json --why-not".split(' '));
            let output = command.arg(format!("{name} on {offer} x {count}")).output().expect("the program runs");
            let explained = support::Run::from(output).expect(0).json();
            let asked = &explained["explanation"]["why_not"][0];
            assert_eq!((&asked["verdict"], &asked["utility"]), (&Value::from("equal"), &answer["utility"]), "{asked}");
            assert_eq!(asked["changes"], Value::Array(Vec::new()));
        }
    }
}

#[test]
fn terms_add_up_and_gains_are_true() {
    let answer = json(&format!("explain {SHOP} --output json"));
    let terms = answer["explanation"]["terms"].as_array().expect("terms");
    let sum: f64 = terms.iter().filter_map(|t| t["value"].as_f64()).sum();
    assert!((sum - answer["utility"].as_f64().unwrap_or(f64::NAN)).abs() < 1e-9, "{terms:?}");
    let binding = answer["explanation"]["binding"].as_array().expect("binding");
    let capacity = binding.iter().find(|b| b["name"] == "capacity").expect("capacity binds");
    let step = &capacity["relaxed"][0];
    let then = json(&format!("what-if {SHOP} --limit capacity={} --output json", step["limit_then"]));
    assert_eq!(then["scenarios"][1]["cost_per_hour"], step["cost_per_hour"]);
    // Anything less gains nothing.
    let less = step["limit_then"].as_f64().unwrap_or(f64::NAN) + 0.01;
    let then = json(&format!("what-if {SHOP} --limit capacity={less} --output json"));
    assert_eq!(then["scenarios"][1]["cost_per_hour"], answer["cost_per_hour"]);
    assert!(answer["timing_ms"]["explain"].as_f64().is_some_and(|ms| ms > 0.0));
}

#[test]
fn a_full_disk_is_no_mistake_of_the_user() {
    if std::path::Path::new("/dev/full").exists() {
        run("convert shop.yaml -o /dev/full").expect(1).says("cannot write `/dev/full`");
    }
}

#[test]
fn catalogs_in_other_money_are_named_by_file() {
    let euros = Scratch::new("euros.csv", include_str!("data/offers.csv").replace("USD", "EUR"));
    run(&format!("solve shop.yaml --catalog offers.csv --catalog {}", euros.path()))
        .expect(2)
        .says("the prices of `offers.csv` are in USD, those of `")
        .says("euros.csv` in EUR");
}

#[test]
fn a_deployment_of_nothing_is_said_in_words() {
    let nothing = Scratch::new("nothing.yaml", "application: nothing\ncomponents:\n  web: {cardinality: 0..3}\n");
    let run = run(&format!("solve {} --catalog offers.csv", nothing.path())).expect(0);
    assert!(run.out.contains("Nothing is deployed"), "{}", run.out);
}
