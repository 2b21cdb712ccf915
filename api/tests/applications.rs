//! Applications over HTTP: submitted, read, replaced, listed, deleted, with every version kept.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use support::{SHOP, start, start_with};

#[test]
fn a_model_is_submitted_read_replaced_and_deleted() {
    let server = start();
    let made = server.submit(SHOP);
    assert_eq!(made.header("location"), "/v1/applications/shop");
    assert_eq!(made.header("etag"), "\"1\"");
    let made = made.expect(201);
    assert_eq!((&made["name"], &made["generation"], &made["status"]), (&json!("shop"), &json!(1), &json!("active")));
    assert_eq!(server.pinged(), 1);
    let twice = server.submit(SHOP).expect(409);
    assert!(twice["detail"].as_str().unwrap().contains("is there already"), "{twice}");

    let put = |tag: &str, model: &str| {
        let body = Some(("application/yaml", model.as_bytes()));
        server.call("PUT", "/v1/applications/shop", Some(&server.operator), &[("if-match", tag)], body)
    };
    let larger = SHOP.replace("2..6", "2..8");
    let replaced = put("\"1\"", &larger);
    assert_eq!(replaced.header("etag"), "\"2\"");
    assert_eq!(replaced.expect(200)["generation"], 2);
    let late = put("\"1\"", SHOP).expect(412);
    assert_eq!(late["type"], "urn:cardinal:problem:precondition-failed");
    assert_eq!(put("1", SHOP).expect(400)["errors"][0]["parameter"], "If-Match");
    assert_eq!(put("*", SHOP).expect(200)["generation"], 3);

    let show =
        |tag: &str| server.call("GET", "/v1/applications/shop", Some(&server.viewer), &[("if-none-match", tag)], None);
    assert_eq!(show("\"3\"").status, 304);
    assert_eq!(show("\"2\"").status, 200);

    let versions = server.get("/v1/applications/shop/versions").expect(200);
    let generations: Vec<_> = versions["items"].as_array().unwrap().iter().map(|v| v["generation"].clone()).collect();
    assert_eq!(generations, [3, 2, 1]);
    assert_eq!(server.get("/v1/applications/shop/versions/2").expect(200)["text"], larger);
    assert_eq!(server.get("/v1/applications/shop/versions/9").status, 404);
    assert_eq!(server.get("/v1/applications/shop/versions/x").expect(400)["errors"][0]["parameter"], "path");

    let delete = |path: &str| server.call("DELETE", path, Some(&server.operator), &[], None);
    assert_eq!(delete("/v1/applications/shop").expect(202)["status"], "leaving");
    assert_eq!(delete("/v1/applications/shop").expect(202)["status"], "leaving");
    let orders = server.runtime.block_on(server.store.orders("shop")).unwrap();
    assert_eq!(orders.len(), 1, "one order to leave: {orders:?}");
    assert_eq!(orders[0].order, r#"{"order":"leave","scope":"operator"}"#);
    assert_eq!(put("*", SHOP).status, 409);
    assert_eq!(delete("/v1/applications/shop?mode=detach").status, 204);
    assert_eq!(server.get("/v1/applications/shop").expect(200)["status"], "gone");
    assert_eq!(delete("/v1/applications/nobody").status, 404);
    // A name that is gone may be used again; generations go on.
    assert_eq!(server.submit(SHOP).expect(201)["generation"], 4);
}

#[test]
fn mistakes_are_told_with_line_column_and_mend() {
    let server = start();
    let broken = "application: shop\ncomponents:\n  web:\n    cardinalty: 2\n";
    let problem = server.submit(broken);
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let problem = problem.expect(422);
    let finding = &problem["findings"][0];
    assert_eq!((&finding["line"], &finding["column"]), (&json!(4), &json!(5)), "{problem}");
    assert!(finding["help"].as_str().unwrap().contains("cardinality"), "{problem}");
    assert_eq!(problem["status"], 422);
    let malformed = server.submit("application: shop\ncomponents: [\n").expect(422);
    assert!(malformed["findings"][0]["line"].as_u64().unwrap() >= 2, "{malformed}");
    let text = server.call("POST", "/v1/applications", Some(&server.operator), &[], Some(("text/plain", b"x")));
    assert_eq!(text.status, 415);
    assert_eq!(server.submit("").status, 422);
    let bytes = Some(("application/yaml", [0xff, 0x00, 0xfe].as_slice()));
    assert_eq!(server.call("POST", "/v1/applications", Some(&server.operator), &[], bytes).status, 422);
    let named = server.submit(&SHOP.replace("application: shop", "application: my shop")).expect(422);
    assert!(named["findings"][0]["help"].as_str().unwrap().contains("?name="), "{named}");
}

#[test]
fn a_model_is_checked_without_being_stored() {
    let server = start();
    let check = |path: &str, model: &str, token: &str| {
        server.call("POST", path, Some(token), &[], Some(("application/yaml", model.as_bytes()))).expect(200)
    };
    for path in ["/v1/applications:validate", "/v1/applications?validate=true"] {
        let good = check(path, SHOP, &server.operator);
        assert_eq!((&good["ok"], &good["components"], &good["metrics"]), (&json!(true), &json!(1), &json!(2)));
        let bad = check(path, "application: shop\ncomponents: {web: {cardinality: -1}}\n", &server.operator);
        assert_eq!(bad["ok"], false);
        assert_eq!(bad["findings"][0]["line"], 2, "{bad}");
    }
    assert_eq!(check("/v1/applications:validate", SHOP, &server.viewer)["application"], "shop");
    assert_eq!(server.get("/v1/applications").expect(200)["items"], json!([]));
}

#[test]
fn json_and_other_names_are_taken() {
    let server = start();
    let model = json!({"application": "shop", "components": {"web": {"cardinality": 1}}}).to_string();
    let body = Some(("application/json; charset=utf-8", model.as_bytes()));
    let path = "/v1/applications?name=shop-2";
    let made = server.call("POST", path, Some(&server.operator), &[], body).expect(201);
    assert_eq!((&made["name"], &made["format"]), (&json!("shop-2"), &json!("native")));
    let unknown = server.call("POST", "/v1/applications?nmae=x", Some(&server.operator), &[], body).expect(400);
    assert!(unknown["detail"].as_str().unwrap().contains("nmae"), "{unknown}");
    assert_eq!(server.call("POST", "/v1/applications?name=..", Some(&server.operator), &[], body).status, 422);
}

#[test]
fn lists_come_page_by_page() {
    let server = start();
    for i in 0..7 {
        server.submit(&SHOP.replace("application: shop", &format!("application: shop-{i}"))).expect(201);
    }
    let mut names = Vec::new();
    let mut path = "/v1/applications?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = server.get(&path).expect(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/applications?limit=3&after={next}");
    }
    assert_eq!(names, (0..7).map(|i| format!("shop-{i}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);
    let one = server.get("/v1/applications?name=P-4").expect(200);
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    server.call("DELETE", "/v1/applications/shop-4?mode=detach", Some(&server.operator), &[], None);
    assert_eq!(server.get("/v1/applications?name=p-4").expect(200)["items"], json!([]));
    assert_eq!(server.get("/v1/applications?status=gone").expect(200)["items"][0]["name"], "shop-4");
    assert_eq!(server.get("/v1/applications?status=unheard").status, 400);
    assert_eq!(server.get("/v1/applications?limit=x").expect(400)["errors"][0]["parameter"], "limit");
}

#[test]
fn settings_are_changed_one_by_one_and_stay_when_the_model_is_replaced() {
    let server = start();
    server.submit(SHOP).expect(201);
    let patch = |body: &str| {
        let body = Some(("application/merge-patch+json", body.as_bytes()));
        server.call("PATCH", "/v1/applications/shop/settings", Some(&server.operator), &[], body)
    };
    let changed = patch(r#"{"mode": "automatic", "metrics": {"max_age_ms": 1000}}"#).expect(200);
    assert_eq!((&changed["mode"], &changed["metrics"]["max_age_ms"]), (&json!("automatic"), &json!(1000)));
    let body = Some(("application/yaml", (SHOP.to_owned() + "reconfigure: {every: 7m}\n")).clone());
    let body = body.as_ref().map(|(kind, text)| (*kind, text.as_bytes()));
    server.call("PUT", "/v1/applications/shop", Some(&server.operator), &[], body).expect(200);
    let now = server.get("/v1/applications/shop/settings").expect(200);
    assert_eq!((&now["mode"], &now["every_ms"]), (&json!("automatic"), &json!(420_000)));
    assert_eq!(now["metrics"], json!({"max_age_ms": 1000, "hold_ms": 900_000, "then": "fall-back"}));
    assert_eq!(patch(r#"{"mode": null}"#).expect(200)["mode"], "recommend");
    // Another driver takes nothing over from the one before, and null is the default, also when it counts already.
    let webhook = r#"{"driver": {"kind": "webhook", "url": "https://a.example", "secret": "s"}}"#;
    assert_eq!(patch(webhook).expect(200)["driver"]["kind"], "webhook");
    assert_eq!(patch(r#"{"driver": {"kind": "simulated"}}"#).expect(200)["driver"], Value::Null);
    patch(webhook).expect(200);
    for _ in 0..2 {
        assert_eq!(patch(r#"{"driver": null}"#).expect(200)["driver"], Value::Null);
    }
    let huge = patch(r#"{"nodes_max": 1000000}"#).expect(422);
    assert_eq!(huge["errors"][0]["pointer"], "#/nodes_max", "{huge}");
    let wrong = patch(r#"{"metrics": {"max_age": 1}}"#).expect(422);
    assert_eq!(wrong["errors"][0]["pointer"], "#/metrics/max_age", "{wrong}");
    let mistake = patch(r#"{"jitter": 7}"#).expect(422);
    assert_eq!(mistake["errors"][0]["pointer"], "#/jitter", "{mistake}");
    assert_eq!(server.get("/v1/applications/shop").expect(200)["mode"], "recommend");
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let server = start_with(|options| options.body_bytes_max = 2000);
    let large = format!("{SHOP}# {}\n", "x".repeat(4000));
    assert_eq!(server.submit(&large).expect(413)["type"], "urn:cardinal:problem:too-large");
    let keyed = server.call(
        "POST",
        "/v1/applications",
        Some(&server.operator),
        &[("idempotency-key", "k")],
        Some(("application/yaml", large.as_bytes())),
    );
    assert_eq!(keyed.status, 413);
    server.submit(SHOP).expect(201);
}
