//! Metric values in, and out with their age and quality; catalogs; the figures of the service itself.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{SHOP, Server, start};

fn shown(server: &Server, name: &str) -> Value {
    let all = server.get("/v1/applications/shop/metrics").expect(200);
    all["items"].as_array().unwrap().iter().find(|metric| metric["name"] == name).unwrap().clone()
}

#[test]
fn values_come_in_batches_and_go_out_with_age_and_quality() {
    let server = start();
    server.submit(SHOP).expect(201);
    assert_eq!(shown(&server, "requests")["quality"], "default");
    assert_eq!(shown(&server, "rt")["quality"], "missing");
    let now = server.now();
    let body = json!({"values": [
        {"name": "requests", "value": 250, "at": now - 1000, "labels": {"source": "test"}},
        {"name": "requests", "value": 240, "at": now - 2000},
        {"name": "rt", "value": "0.12 s"},
    ]});
    let pushed = server.post("/v1/applications/shop/metrics", &body).expect(202);
    assert_eq!(pushed, json!({"received": 3, "kept": 2}));
    let requests = shown(&server, "requests");
    assert_eq!(
        (&requests["value"], &requests["age_ms"], &requests["unit"]),
        (&json!(250.0), &json!(1000), &json!("1/s"))
    );
    assert_eq!((&requests["quality"], &requests["labels"]), (&json!("fresh"), &json!({"source": "test"})));
    assert_eq!(shown(&server, "rt")["value"], 120.0);
    server.advance_ms(400_000);
    assert_eq!(shown(&server, "requests")["quality"], "held");
    server.advance_ms(4_000_000);
    let old = shown(&server, "requests");
    assert_eq!((&old["quality"], &old["value"], &old["measured"]), (&json!("fall-back"), &json!(100.0), &json!(250.0)));
    let older = json!({"values": [{"name": "requests", "value": 1, "at": now - 5000}]});
    assert_eq!(server.post("/v1/applications/shop/metrics", &older).expect(202)["kept"], 0);
}

#[test]
fn one_wrong_value_is_pointed_at_and_none_is_stored() {
    let server = start();
    server.submit(SHOP).expect(201);
    let place = |value: Value| {
        let body = json!({"values": [{"name": "requests", "value": 1}, value]});
        let problem = server.post("/v1/applications/shop/metrics", &body).expect(422);
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    };
    assert_eq!(place(json!({"name": "rt", "value": "12 kg"})), "#/values/1/value");
    assert_eq!(place(json!({"name": "rt", "value": true})), "#/values/1/value");
    assert_eq!(place(json!({"name": "nobody", "value": "12 ms"})), "#/values/1/name");
    let body = json!({"values": [{"name": "request", "value": 1}]});
    let problem = server.post("/v1/applications/shop/metrics", &body).expect(422);
    assert!(problem["detail"].as_str().unwrap().contains("did you mean `requests`?"), "{problem}");
    assert_eq!(place(json!({"name": "rt", "value": 1, "at": server.now() + 3_600_000})), "#/values/1/at");
    assert_eq!(place(json!({"name": "rt", "value": 1, "when": 1})), "#/values/1/when");
    assert_eq!(place(json!({"name": "", "value": 1})), "#/values/1/name");
    assert_eq!(shown(&server, "requests")["quality"], "default");
    assert_eq!(server.post("/v1/applications/nobody/metrics", &json!({"values": []})).status, 404);
    let garbage = Some(("application/json", b"{".as_slice()));
    let path = "/v1/applications/shop/metrics";
    assert_eq!(
        server.call("POST", path, Some(&server.operator), &[], garbage).expect(400)["errors"][0]["pointer"],
        "#"
    );
}

#[test]
fn catalogs_are_uploaded_listed_and_made_current() {
    let server = start();
    let csv = "id,provider,region,machine_type,cores,memory,price\na/1,a,r,m1,2,4 GiB,0.1\na/2,a,r,m2,4,8 GiB,0.2\n";
    let put = |path: &str, text: &str| {
        server.call("PUT", path, Some(&server.admin), &[], Some(("text/csv", text.as_bytes())))
    };
    let stored = put("/v1/catalogs?name=mine", csv);
    let location = stored.header("location").to_owned();
    let stored = stored.expect(201);
    assert_eq!((&stored["offers"], &stored["current"]), (&json!(2), &json!(false)), "{stored}");
    assert_eq!(server.get("/v1/catalogs").expect(200)["current"], Value::Null);
    let made = server.call("POST", &format!("{location}/current"), Some(&server.admin), &[], None).expect(200);
    assert_eq!(made["current"], true);
    let all = server.get("/v1/catalogs").expect(200);
    assert_eq!(all["current"], stored["digest"]);
    assert_eq!(server.get(&location).expect(200)["text"], csv);
    let dearer = put("/v1/catalogs?name=dearer&current=true", &csv.replace("0.1", "0.3")).expect(201);
    assert_eq!(dearer["current"], true);
    assert_eq!(server.get("/v1/catalogs").expect(200)["items"].as_array().unwrap().len(), 2);
    let wrong = put("/v1/catalogs?name=x", "id,provider,price\na,b,cheap\n").expect(422);
    assert!(wrong["findings"][0]["line"].is_u64(), "{wrong}");
    assert_eq!(put("/v1/catalogs", csv).status, 400);
    assert_eq!(server.get("/v1/catalogs/xyz").status, 400);
}

#[test]
fn the_service_counts_itself_in_few_series() {
    let server = start();
    server.submit(SHOP).expect(201);
    server.post("/v1/applications/shop/metrics", &json!({"values": [{"name": "rt", "value": 1}]})).expect(202);
    let text = server.call("GET", "/metrics", None, &[], None).text();
    assert!(text.contains("cardinal_http_requests_total{method=\"POST\",status=\"2xx\"} 2\n"), "{text}");
    assert!(text.contains("cardinal_metric_values_total 1\n"), "{text}");
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series < 80, "{series} series");
    assert_eq!(server.call("GET", "/healthz", None, &[], None).text(), "ok\n");
    // Its workers cannot be started, so that nothing could be solved.
    let ready = server.call("GET", "/readyz", None, &[], None).expect(503);
    assert_eq!((&ready["ready"], &ready["store"]), (&json!(false), &json!("ok")));
}

#[test]
fn readiness_writes_into_the_store_every_few_seconds() {
    let server = start();
    let store = || server.call("GET", "/readyz", None, &[], None).expect(503)["store"].as_str().unwrap().to_owned();
    assert_eq!(store(), "ok");
    server.runtime.block_on(server.store.close());
    assert_eq!(store(), "ok", "what was found a moment ago still counts");
    server.advance_ms(5_000);
    assert!(store().starts_with("the database cannot be written: "));
}

#[test]
fn the_document_and_its_page_come_from_the_service_alone() {
    let server = start();
    let document = server.call("GET", "/openapi.json", None, &[], None).expect(200);
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["summary"].as_str().is_some_and(|words| words.len() > 2), "{method} {path}");
            let problem = &operation["responses"]["400"]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
        }
    }
    let page = server.call("GET", "/docs/", None, &[], None);
    assert_eq!(page.status, 200);
    let page = page.text();
    let foreign: Vec<&str> = page.split(['"', '\'']).filter(|part| part.starts_with("http")).collect();
    assert!(foreign.is_empty(), "the page fetches {foreign:?}");
    assert!(page.contains("swagger"), "{page}");
}
