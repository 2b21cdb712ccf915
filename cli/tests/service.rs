//! Questions over HTTP, solved by workers of this program: the same answers as the command line gives.
#![allow(clippy::unwrap_used)]

#[path = "../../api/tests/support/mod.rs"]
mod server;

use std::process::Command;

use cardinal_worker::Program;
use serde_json::{Value, json};
use server::{Server, start_solving};

fn start() -> Server {
    let program = Program { path: env!("CARGO_BIN_EXE_cardinal").into(), arguments: vec!["solve-worker".into()] };
    start_solving(program, |_| {})
}

fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn cardinal(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_cardinal"))
        .args(arguments)
        .args(["--output", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// An answer without what differs from one run to the next.
fn timeless(mut answer: Value) -> Value {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(map) => {
                // Where a rule stands is told with the name of the file.
                for key in ["timing_ms", "seconds", "file", "jobs"] {
                    map.remove(key);
                }
                map.values_mut().for_each(clean);
            }
            Value::Array(items) => items.iter_mut().for_each(clean),
            _ => {}
        }
    }
    clean(&mut answer);
    answer
}

#[test]
fn a_solve_answers_what_the_command_line_answers() {
    let server = start();
    let body = json!({"model": example("smartwe.yaml"), "metrics": {"memory_used": 97, "requests": "260/s"}});
    let answer = server.post("/v1/solve", &body);
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = answer.expect(200);
    let arguments = ["solve", "examples/smartwe.yaml", "--metric", "memory_used=97", "--metric", "requests=260/s"];
    assert_eq!(answer["status"], "optimal");
    assert_eq!(timeless(answer.clone()), timeless(cardinal(&arguments)));
    // What runs may be an earlier answer.
    let next = json!({"model": example("smartwe.yaml"), "current": answer, "explain": false}).to_string();
    let next = server.call("POST", "/v1/solve", Some(&server.viewer), &[], Some(("application/json", next.as_bytes())));
    assert!(next.expect(200)["current"]["changes"].is_array());
}

#[test]
fn an_explanation_and_a_what_if_answer_what_the_command_line_answers() {
    let server = start();
    let why_not = "smart_design on t3.medium x 3";
    let body = json!({"model": example("smartwe.yaml"), "why_not": [why_not]});
    let answer = server.post("/v1/explain", &body).expect(200);
    let told = cardinal(&["explain", "examples/smartwe.yaml", "--why-not", why_not]);
    assert_eq!(timeless(answer), timeless(told));
    let body = json!({"model": example("webshop.yaml"), "scenarios": {"changed": {"set": {"arrival_rate": "2x"}}}});
    let answer = server.post("/v1/what-if", &body).expect(200);
    let told = cardinal(&["what-if", "examples/webshop.yaml", "--set", "arrival_rate=2x"]);
    assert_eq!(timeless(answer), timeless(told));
    let body = json!({"model": example("webshop.yaml"), "sweep": ["arrival_rate=100..400:3"], "time_limit_ms": 30_000});
    let answer = server.post("/v1/what-if", &body).expect(200);
    assert_eq!(answer["points"].as_array().unwrap().len(), 3, "{answer}");
    let nothing = server.post("/v1/what-if", &json!({"model": example("webshop.yaml")})).expect(422);
    assert_eq!(nothing["errors"][0]["pointer"], "#");
}

#[test]
fn what_is_wrong_with_a_question_is_told_with_its_place() {
    let server = start();
    let ask = |body: Value| server.post("/v1/solve", &body).expect(422);
    let shape = ask(json!({"model": "application: a\ncomponents:\n  web: {cardinalty: 1}\n"}));
    assert_eq!(shape["findings"][0]["line"], 3, "{shape}");
    let metric = ask(json!({"model": server::SHOP, "metrics": {"request": 5}}));
    assert!(metric["detail"].as_str().unwrap().contains("did you mean `requests`"), "{metric}");
    assert_eq!(ask(json!({"model": 5}))["errors"][0]["pointer"], "#/model");
    assert_eq!(ask(json!({"model": server::SHOP, "time_limit_ms": 0}))["errors"][0]["pointer"], "#/time_limit_ms");
    assert_eq!(ask(json!({"model": server::SHOP, "gap": -1}))["errors"][0]["pointer"], "#/gap");
    assert_eq!(ask(json!({"model": server::SHOP, "from": "excel"}))["errors"][0]["pointer"], "#/from");
    assert_eq!(ask(json!({"model": server::SHOP, "catalogs": ["mine"]}))["errors"][0]["pointer"], "#/catalogs/0");
    let infeasible = json!({"model": server::SHOP, "metrics": {"requests": 99999}});
    assert_eq!(server.post("/v1/solve", &infeasible).expect(200)["status"], "infeasible");
}

#[test]
fn a_stored_application_is_solved_with_what_is_known_of_it_and_stays_as_it_is() {
    let server = start();
    server.submit(server::SHOP).expect(201);
    let solve = |body: Value| server.post("/v1/applications/shop/solve", &body).expect(200);
    assert_eq!(solve(json!({}))["components"]["web"]["cardinality"], 2);
    let values = json!({"values": [{"name": "requests", "value": 450}]});
    server.post("/v1/applications/shop/metrics", &values).expect(202);
    assert_eq!(solve(json!({}))["components"]["web"]["cardinality"], 5);
    assert_eq!(solve(json!({"metrics": {"requests": 310}}))["components"]["web"]["cardinality"], 4);
    let csv = "id,provider,region,machine_type,cores,memory,price\nmy/only,my,r,one,2,4 GiB,0.5\n";
    let put = server.call(
        "PUT",
        "/v1/catalogs?name=my&current=true",
        Some(&server.admin),
        &[],
        Some(("text/csv", csv.as_bytes())),
    );
    let digest = put.expect(201)["digest"].clone();
    let own = solve(json!({}));
    assert_eq!(own["nodes"][0]["offer"], "my/only", "{own}");
    assert_ne!(solve(json!({"catalogs": ["builtin"]}))["nodes"][0]["offer"], "my/only");
    assert_eq!(solve(json!({"catalogs": [{"stored": digest}]}))["nodes"][0]["offer"], "my/only");
    // Without a body too.
    let path = "/v1/applications/shop/explain";
    let bare = server.call("POST", path, Some(&server.viewer), &[], None).expect(200);
    assert!(bare["explanation"]["terms"].is_array());
    assert_eq!(server.get("/v1/applications/shop").expect(200)["generation"], 1);
    assert!(server.runtime.block_on(server.store.orders("shop")).unwrap().is_empty());
}

#[test]
fn a_long_solve_is_a_job_that_is_followed_and_cancelled() {
    let server = start();
    let ask = |body: &Value, path: &str, headers: &[(&str, &str)]| {
        let text = body.to_string();
        server.call("POST", path, Some(&server.viewer), headers, Some(("application/json", text.as_bytes())))
    };
    let body = json!({"model": example("smartwe.yaml")});
    let begun = ask(&body, "/v1/solve", &[("prefer", "respond-async")]);
    let place = begun.header("location").to_owned();
    let begun = begun.expect(202);
    assert_eq!(place, format!("/v1/jobs/{}", begun["id"].as_str().unwrap()));
    let events: Vec<_> = server.get(&format!("{place}/events")).events().collect();
    let (_, kind, last) = events.last().unwrap();
    assert_eq!((kind.as_str(), &last["stage"]), ("end", &json!("done")), "{events:?}");
    let shown = server.get(&place).expect(200);
    assert_eq!(timeless(shown["answer"].clone()), timeless(cardinal(&["solve", "examples/smartwe.yaml"])));
    // Another viewer does not see it, an admin does.
    assert_eq!(server.call("GET", &place, Some(&server.operator), &[], None).status, 404);
    assert_eq!(server.call("GET", &place, Some(&server.admin), &[], None).status, 200);

    let long = json!({"model": include_str!("data/split.yaml"), "time_limit_ms": 300_000});
    let begun = ask(&long, "/v1/solve", &[]).expect(202);
    let place = format!("/v1/jobs/{}", begun["id"].as_str().unwrap());
    let mut events = server.get(&format!("{place}/events")).events();
    let is_solving = |(_, kind, data): &(String, String, Value)| kind == "stage" && data["stage"] == "solving";
    assert!(events.any(|event| is_solving(&event)));
    let cancelled = server.call("DELETE", &place, Some(&server.viewer), &[], None);
    assert_eq!(cancelled.status, 202);
    let (_, kind, last) = events.last().unwrap();
    assert_eq!(kind, "end");
    // It gives the best that it has, if there is any.
    let stage = last["stage"].as_str().unwrap();
    assert!(stage == "cancelled" || (stage == "done" && last["answer"]["status"] != "optimal"), "{last}");
    assert_eq!(server.get("/v1/jobs/none").status, 404);
}

#[test]
fn the_service_is_ready_when_a_known_model_is_solved_right() {
    let server = start();
    let ready = server.call("GET", "/readyz", None, &[], None).expect(200);
    assert_eq!(ready, json!({"ready": true, "store": "ok", "solver": "ok"}));
}
