//! `cardinal solve` as its callers see it: exit status, JSON, what is said about wrong input.

mod support;

use serde_json::{Value, json};
use support::{Scratch, program, run, run_with};

const SHOP: &str = include_str!("data/shop.yaml");

#[test]
fn the_answer_keeps_its_contract() {
    let run = run("solve shop.yaml --catalog offers.csv --output json").expect(0);
    assert_eq!(run.err, "");
    let answer = run.json();
    for key in ["utility", "bound", "gap", "cost_per_hour"] {
        assert!(answer[key].is_number(), "{key}: {answer}");
    }
    assert_eq!(answer["status"], "optimal");
    assert_eq!(answer["gap"], 0.0);
    // Two small ones have four cores, enough for 100 requests; the store needs the memory of a medium one.
    assert_eq!(answer["cost_per_hour"], 0.38);
    assert_eq!(answer["components"]["store"], json!({"cardinality": 1, "offers": {"aws/eu-central-1/medium": 1}}));
    let nodes = answer["nodes"].as_array().expect("nodes is a list");
    let total: f64 =
        nodes.iter().map(|n| n["price"].as_f64().unwrap_or(0.0) * n["count"].as_f64().unwrap_or(0.0)).sum();
    assert!((total - 0.38).abs() < 1e-9);
    assert!(nodes.iter().all(|n| n["offer"].is_string() && n["instances"].is_object()));
    for key in ["load", "reduce", "formulate", "solve", "verify", "total"] {
        assert!(answer["timing_ms"][key].as_f64().is_some_and(|ms| ms >= 0.0), "{key}");
    }
    for key in ["explanation", "proof", "metrics", "catalog", "warnings"] {
        assert!(!answer[key].is_null(), "{key}");
    }
    assert_eq!(answer["metrics"]["requests"], json!({"value": 100.0, "unit": "1/s", "source": "default"}));
}

#[test]
fn commitments_take_nodes_off_the_bill() {
    let commitments = "commitments:\n  base: {machine_type: medium, nodes: 1, until: 2020-01-01}\n  plan: {provider: aws, \
                       cost: 0.10 USD/h}\n";
    let model = Scratch::new("committed.yaml", format!("{SHOP}{commitments}"));
    let solved = run(&format!("solve {} --catalog offers.csv --output json", model.path())).expect(0);
    let answer = solved.says("the commitment `base` ended on 2020-01-01").json();
    // Two medium nodes: one is reserved, and of the other the plan pays a part.
    assert_eq!((&answer["cost_per_hour"], &answer["list_cost_per_hour"]), (&json!(0.09), &json!(0.38)));
    assert_eq!(answer["utility"], 0.09);
    let base = json!({"unit": "nodes", "used": 1.0, "of": 1.0, "saved_per_hour": 0.19, "until": "2020-01-01"});
    assert_eq!(answer["commitments"]["base"], base);
    assert_eq!(answer["commitments"]["plan"]["saved_per_hour"], 0.1);
    let asked = format!("what-if {} --catalog offers.csv --output json", model.path());
    for (change, cost) in [("--drop base", 0.28), ("--limit plan.cost=0.05", 0.14), ("--limit base=2x", 0.0)] {
        let asked = run(&format!("{asked} {change}")).expect(0).json();
        assert_eq!(asked["scenarios"][1]["cost_per_hour"], cost, "{change}");
    }
    let table = run(&format!("solve {} --catalog offers.csv", model.path())).expect(0).out;
    assert!(table.contains("covered  0.29 USD/h of a list price of 0.38 USD/h"), "{table}");
    let rising = Scratch::new("rising.yaml", format!("{SHOP}{commitments}utility: {{maximize: total_cost}}\n"));
    run(&format!("solve {} --catalog offers.csv", rising.path()))
        .expect(2)
        .says("may get better as `total_cost` rises");
}

#[test]
fn instances_are_divided_between_spot_and_others() {
    let offers = "# currency: USD\nprovider,region,zones,machine_type,cores,memory_gib,purchase,price\n\
                  aws,eu,a;b,small,2,4,on-demand,0.10\naws,eu,a;b,small,2,4,spot,0.03\naws,eu,a;b,other,2,4,spot,0.04\n";
    let model = "application: fleet\ncomponents:\n  web:\n    cardinality: 5\n    fleet: mixed\n    placement:\n      spread: \
                 {by: zone, skew: 1}\n      spot: {at_most: 50 %}\n      diversify: {by: machine_type, at_least: 2}\n";
    let (offers, model) = (Scratch::new("divided.csv", offers), Scratch::new("divided.yaml", model));
    let answer = run(&format!("solve {} --catalog {} --output json", model.path(), offers.path())).expect(0).json();
    // Half of five are two: one of each machine type.
    assert_eq!(answer["cost_per_hour"], 0.37);
    let asked = format!("what-if {} --catalog {} --output json", model.path(), offers.path());
    for change in [["--drop", "spot of web"], ["--limit", "spot of web=80 %"], ["--drop", "diversify of web"]] {
        let output = program().args(asked.split(' ')).args(change).output().expect("it runs");
        let changed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let expected = match change[1] {
            "spot of web" => 0.16,
            "spot of web=80 %" => 0.23,
            _ => 0.36,
        };
        assert_eq!(changed["scenarios"][1]["cost_per_hour"], expected, "{change:?}");
    }
}

#[test]
fn yaml_is_the_same_structure() {
    let shape = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
    let json = run("solve shop.yaml --catalog offers.csv --output json").expect(0).json();
    let yaml = run("solve shop.yaml --catalog offers.csv --output yaml").expect(0).out;
    let yaml: Value = serde_saphyr::from_str(&yaml).expect("standard output is YAML");
    assert_eq!(shape(&yaml), shape(&json));
    assert_eq!(yaml["nodes"], json["nodes"]);
}

#[test]
fn a_model_comes_from_standard_input() {
    let run = run_with("solve - --catalog offers.csv --output json", SHOP).expect(0);
    assert_eq!(run.json()["application"], "shop");
    let run = run_with("solve - --catalog offers.csv", "application: [").expect(2);
    assert!(run.err.contains("<stdin>:1:"), "{}", run.err);
    assert_eq!(run.out, "");
}

#[test]
fn metric_values_are_converted_to_the_unit_of_the_metric() {
    let answer = |metric: &str| {
        run(&format!("solve shop.yaml --catalog offers.csv --output json --metric {metric}")).expect(0).json()
    };
    assert_eq!(answer("response_time=0.12s")["metrics"]["response_time"]["value"], 120.0);
    assert_eq!(answer("response_time=0.12s")["violated_slos"][0]["name"], "quick");
    assert_eq!(answer("response_time=9e1")["violated_slos"], json!([]));
    assert_eq!(answer("requests=12000/min")["metrics"]["requests"]["value"], 200.0);
    assert_eq!(answer("requests=2e2")["components"]["web"]["cardinality"], 3);
}

#[test]
fn wrong_metrics_are_told_together() {
    run("solve shop.yaml --catalog offers.csv --metric reqests=5 --metric response_time=3GB --metric nothing")
        .expect(2)
        .says("there is no metric `reqests`; did you mean `requests`?")
        .says("the metrics are `requests`, `response_time`")
        .says("does not fit the unit of the metric, ms")
        .says("write `--metric NAME=VALUE`");
    run("solve shop.yaml --metric requests=1 --metric requests=2").expect(2).says("given twice");
    run("solve shop.yaml --metric requests=many").expect(2).says("is not a quantity");
}

#[test]
fn a_missing_value_is_shown_where_it_is_needed() {
    let model = SHOP.replace(", default: 100", "");
    let run = run_with("solve - --catalog offers.csv", &model).expect(2);
    let run = run.says("the metric `requests` has no value").says("--metric requests=VALUE");
    assert!(run.err.contains("<stdin>:20:"), "{}", run.err);
}

#[test]
fn an_answer_is_the_deployment_of_the_next_solve() {
    let first = run("solve shop.yaml --catalog offers.csv --output json").expect(0);
    let running = Scratch::new("running.json", &first.out);
    let again = format!("solve shop.yaml --catalog offers.csv --output json --current {}", running.path());
    let answer = run(&again).expect(0).json();
    assert_eq!(answer["nodes"], first.json()["nodes"]);
    assert_eq!(answer["current"]["changes"], json!([]));
    assert_eq!(answer["current"]["violations"], json!([]));
    assert_eq!(answer["current"]["cost_per_hour"], 0.38);
    let more = run(&format!("{again} --metric requests=200")).expect(0).json();
    assert_eq!(more["current"]["changes"][0]["component"], "web");
    assert_eq!(more["current"]["violations"].as_array().map(Vec::len), Some(1));
    let table = again.replace("--output json", "--output table");
    assert!(run(&table).expect(0).out.contains("nothing changes"));
}

#[test]
fn a_deployment_may_name_offers_that_are_gone_but_nothing_else() {
    let solve = |deployment: &str| {
        let file = Scratch::new(&format!("deployment-{}", deployment.len()), deployment);
        run(&format!("solve shop.yaml --catalog offers.csv --output json --current {}", file.path()))
    };
    let gone = "nodes:\n  - {offer: aws/gone, count: 2, price: 0.3, instances: {web: 1}}\n  \
                - {offer: aws/eu-central-1/medium, instances: {store: 1}}\n";
    let answer = solve(gone).expect(0).json();
    assert_eq!(answer["current"]["vanished"], json!(["aws/gone"]));
    assert_eq!(answer["current"]["cost_per_hour"], 0.79);
    solve("nodes: [{offer: aws/eu-central-1/medium, instances: {stor: 1}}]")
        .expect(2)
        .says("has no component `stor`")
        .says("did you mean `store`?");
    solve("nodes: [{offer: aws/eu-central-1/medium, zone: x1, instances: {store: 1}}]")
        .expect(2)
        .says("has no zone `x1`")
        .says("its zones are `eu-central-1a`, `eu-central-1b`");
    solve("nodes: []").expect(2).says("has no nodes");
    solve("{}").expect(2).says("has no nodes");
    solve("nodes: [{offer: 1, instances: 3}]").expect(2).says("this is no deployment");
}

#[test]
fn a_conflict_names_the_rules_that_make_it() {
    let run = run("solve conflict.yaml --catalog offers.csv --output json").expect(3);
    let answer = run.json();
    assert_eq!(answer["status"], "infeasible");
    assert_eq!((&answer["utility"], &answer["gap"], &answer["nodes"]), (&Value::Null, &Value::Null, &json!([])));
    let rules = answer["explanation"]["conflict"]["rules"].as_array().expect("rules is a list");
    let named: Vec<_> = rules.iter().map(|r| (r["name"].as_str(), r["line"].as_u64())).collect();
    assert_eq!(named, [(Some("big"), Some(5)), (Some("cheap"), Some(6))]);
}

#[test]
fn a_component_without_offers_is_told_by_requirement() {
    let answer = run("solve too-large.yaml --catalog offers.csv --output json").expect(3).json();
    let conflict = &answer["explanation"]["conflict"];
    assert_eq!(conflict["kind"], "no-offer");
    assert_eq!(conflict["component"], "web");
    let requirement = &conflict["requirements"][0];
    assert_eq!((&requirement["text"], &requirement["offers_without"]), (&json!("cores >= 64"), &json!(4)));
    assert_eq!((&requirement["nearest"], &requirement["end"]), (&json!(8.0), &json!("low")));
    // The largest offer has eight.
    assert_eq!(conflict["remedies"][0]["changes"][0]["relaxed"]["limit_then"], 8.0);
}

#[test]
fn a_limit_that_is_too_short_has_a_status_of_its_own() {
    let answer = run("solve long.yaml --catalog offers.csv --time-limit 1ns --output json").expect(4).json();
    assert!(answer["status"] == "unknown" || answer["status"] == "feasible", "{answer}");
}

#[test]
fn other_money_is_refused_with_the_mend() {
    let run = run_with("solve - --catalog offers.csv", &SHOP.replace("USD", "EUR")).expect(2);
    run.says("the model counts in EUR, the prices of the catalog are in USD")
        .says("cardinal catalog convert offers.csv --currency EUR");
}

#[test]
fn colours_are_for_terminals() {
    let has_colours = |text: &str| text.contains('\u{1b}');
    assert!(!has_colours(&run("solve shop.yaml --catalog offers.csv").expect(0).out));
    assert!(has_colours(&run("solve shop.yaml --catalog offers.csv --color always").expect(0).out));
    assert!(!has_colours(&run("solve shop.yaml --catalog offers.csv --output json --color always").expect(0).out));
    let mut command = program();
    command.args(["solve", "shop.yaml", "--catalog", "offers.csv"]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1");
    let output = command.output().expect("the program runs");
    assert!(!has_colours(&String::from_utf8_lossy(&output.stdout)));
}

#[test]
fn bad_usage_has_the_status_of_invalid_input() {
    run("solve").expect(2);
    run("solve shop.yaml --gap -1").expect(2);
    run("solve shop.yaml --time-limit soon").expect(2).says("--time-limit");
    run("solve shop.yaml --output xml").expect(2).says("table, json, yaml");
    run("solve shop.yaml --from docx").expect(2).says("native, camel, cp, sage");
    run("frobnicate").expect(2);
    assert!(run("--version").expect(0).out.starts_with("cardinal "));
    assert!(run("solve --help").expect(0).out.contains("Examples:"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    run("solve nothing.yaml").expect(2).says("cannot read `nothing.yaml`: No such file or directory");
    run("solve .").expect(2).says("it is a directory");
    run("solve shop.yaml --catalog nothing.csv").expect(2).says("cannot read `nothing.csv`");
    let garbage = Scratch::new("garbage.bin", [0x7f, b'E', b'L', b'F', 0xff, 0xfe, 0x00]);
    run(&format!("solve {}", garbage.path())).expect(2).says("it is no UTF-8 text (byte 4)");
    let zeros = Scratch::new("zeros.bin", [b'a', 0, b'b']);
    run(&format!("solve {}", zeros.path())).expect(2).says("it is binary");
    let wide = Scratch::new("wide.txt", [0xff, 0xfe, b'a', 0]);
    run(&format!("solve {}", wide.path())).expect(2).says("it is UTF-16");
}

const FREE: &str = "
application: free
components:
  web: {configurations: [{name: small, cardinality: 2, price: 0.1, speed: 3}, {name: big, price: 0.5, speed: 9}]}
  knob: {cardinality: 1..3, attributes: {x: 1..9, y: [0.5, 2]}}
constraints: {enough: web.speed + knob.x * knob.y >= 12}
utility: {minimize: number(total_cost) + knob.x * knob.cardinality / 10}
";

#[test]
fn components_may_bring_their_choices() {
    let answer = run_with("solve - --output json", FREE).expect(0).json();
    assert_eq!(answer["components"]["web"]["configuration"], "small");
    assert_eq!(answer["components"]["web"]["offers"], json!({"web/small": 2}));
    assert_eq!(answer["components"]["knob"]["attributes"], json!({"x": 5.0, "y": 2.0}));
    assert_eq!((&answer["cost_per_hour"], &answer["catalog"]["used"]), (&json!(0.2), &json!(false)));
    let table = run_with("solve -", FREE).expect(0).out;
    assert!(table.contains("small") && !table.contains("web/small ") && !table.contains("catalog:"), "{table}");
    let running = Scratch::new("free.json", answer.to_string());
    let again = format!("solve - --output json --current {}", running.path());
    let same = run_with(&again, FREE).expect(0).json();
    assert_eq!((&same["current"]["changes"], &same["current"]["violations"]), (&json!([]), &json!([])));
    let changed = run_with(&format!("{again} --maximize knob.x*knob.cardinality"), FREE).expect(0).json();
    let change = &changed["current"]["changes"][0];
    assert_eq!(change["component"], "knob");
    assert_eq!((&change["from"], &change["to"]), (&json!(1), &json!(3)));
    assert_eq!(change["attributes"]["x"], json!([5.0, 9.0]));
    let wrong = Scratch::new("free-wrong.json", r#"{"components": {"knob": {"attributes": {"z": 1}}}}"#);
    run_with(&format!("solve - --current {}", wrong.path()), FREE).expect(2).says("has no free attribute `z`");
}

#[test]
fn a_goal_may_stand_on_the_command_line() {
    let answer = run("solve shop.yaml --catalog offers.csv --output json --minimize node_count").expect(0).json();
    assert_eq!(answer["objective"], json!({"direction": "minimize", "formula": "node_count", "is_default": false}));
    run("solve shop.yaml --catalog offers.csv --maximize web.cors")
        .expect(2)
        .says("--maximize:1:5")
        .says("did you mean");
    run("solve shop.yaml --maximize 1 --minimize 2").expect(2).says("cannot be used with");
    let free = "application: a\ncomponents: {k: {attributes: {x: 1..3}}}\nconstraints: {c: k.x >= 2}\n";
    let none = run_with("solve -", free).expect(0).says("nothing is valued");
    assert!(none.out.contains("goal     none"), "{}", none.out);
    let best = run_with("solve - --maximize -k.x --output json", free).expect(0).json();
    assert_eq!((&best["utility"], &best["warnings"]), (&json!(-2.0), &json!([])));
}
