//! Nobody sees or changes what their token does not allow. The routes are those of the OpenAPI document, which is made
//! from the router: a new one cannot escape.
#![allow(clippy::unwrap_used)]

mod support;

use cardinal_store::Scope;
use serde_json::Value;
use support::{SHOP, start};

/// A route of the document.
struct Route {
    method: String,
    path: String,
    scope: Option<String>,
    has_body: bool,
}

fn routes(document: &Value) -> Vec<Route> {
    let mut routes = Vec::new();
    for (template, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut path = template.clone();
            for (hole, filling) in [("{name}", "shop"), ("{generation}", "1"), ("{number}", "1"), ("{id}", "nobody")] {
                path = path.replace(hole, filling);
            }
            for hole in ["{hash}", "{digest}"] {
                path = path.replace(hole, &"a".repeat(64));
            }
            assert!(!path.contains('{'), "the test does not know how to fill {path}");
            routes.push(Route {
                method: method.to_uppercase(),
                path,
                scope: operation["x-cardinal-scope"].as_str().map(str::to_owned),
                has_body: operation.get("requestBody").is_some(),
            });
        }
    }
    routes
}

#[test]
fn every_route_wants_a_token_that_reaches_far_enough() {
    let server = start();
    let document = server.call("GET", "/openapi.json", None, &[], None).expect(200);
    let routes = routes(&document);
    assert!(routes.len() > 40, "only {} routes are documented", routes.len());
    let unknown = format!("cdl_{}", "A".repeat(43));
    let stronger = |scope: &str| match scope {
        "viewer" => vec![&server.viewer, &server.operator, &server.admin],
        "operator" => vec![&server.operator, &server.admin],
        "admin" => vec![&server.admin],
        other => panic!("the scope `{other}` is none"),
    };
    let weaker = |scope: &str| match scope {
        "operator" => vec![&server.viewer],
        "admin" => vec![&server.viewer, &server.operator],
        _ => vec![],
    };
    for Route { method, path, scope, has_body } in &routes {
        let body = has_body.then_some(("application/json", b"{}".as_slice()));
        let ask = |token: Option<&str>, headers: &[(&str, &str)]| server.call(method, path, token, headers, body);
        let Some(scope) = scope else {
            assert!(["/healthz", "/readyz", "/metrics"].contains(&path.as_str()), "{method} {path} is open");
            continue;
        };
        let refused = ask(None, &[]);
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"cardinal\"", "{method} {path}");
        assert_eq!(refused.expect(401)["type"], "urn:cardinal:problem:unauthenticated", "{method} {path}");
        assert_eq!(ask(Some(&unknown), &[]).status, 401, "{method} {path}");
        assert_eq!(ask(None, &[("authorization", "Basic dXNlcjpwdw==")]).status, 401, "{method} {path}");
        for token in weaker(scope) {
            assert_eq!(ask(Some(token), &[]).expect(403)["type"], "urn:cardinal:problem:forbidden", "{method} {path}");
        }
        for token in stronger(scope) {
            let status = ask(Some(token), &[]).status;
            assert!(![401, 403, 500].contains(&status), "{method} {path} answers {status} to {scope}");
        }
    }
}

#[test]
fn a_token_for_one_application_reaches_no_other() {
    let server = start();
    server.submit(SHOP).expect(201);
    server.submit(&SHOP.replace("application: shop", "application: other")).expect(201);
    let token = server.token(Scope::Admin, &["shop"]);
    let ask = |method: &str, path: &str| server.call(method, path, Some(&token), &[], None);
    assert_eq!(ask("GET", "/v1/applications/shop").status, 200);
    for path in ["", "/versions", "/metrics", "/deployment", "/decisions", "/plans"] {
        assert_eq!(ask("GET", &format!("/v1/applications/other{path}")).status, 403, "{path}");
    }
    assert_eq!(ask("DELETE", "/v1/applications/other").status, 403);
    assert_eq!(ask("POST", "/v1/applications/other/decide").status, 403);
    let listed = ask("GET", "/v1/applications").expect(200);
    let names: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["shop"]);
    assert_eq!(ask("GET", "/v1/events?application=other").status, 403);
    // What concerns all is not for it, whatever its scope.
    assert_eq!(ask("GET", "/v1/tokens").status, 403);
    assert_eq!(ask("GET", "/v1/webhooks").status, 403);
    let yaml = SHOP.replace("application: shop", "application: third");
    let submitted =
        server.call("POST", "/v1/applications", Some(&token), &[], Some(("application/yaml", yaml.as_bytes())));
    assert_eq!(submitted.status, 403);
}

#[test]
fn a_token_is_told_once_and_opens_nothing_once_it_is_revoked() {
    let server = start();
    let admin = |method: &str, path: &str, body: Option<&str>| {
        let body = body.map(|text| ("application/json", text.as_bytes()));
        server.call(method, path, Some(&server.admin), &[], body)
    };
    let made = admin("POST", "/v1/tokens", Some(r#"{"name": "ci", "scope": "operator"}"#)).expect(201);
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let with = || server.call("GET", "/v1/applications", Some(text), &[], None).status;
    assert_eq!(with(), 200);
    let listed = admin("GET", "/v1/tokens", None).text();
    assert!(listed.contains(id) && !listed.contains(text), "{listed}");
    // Not even for an idempotency key is its text kept.
    let once = || {
        let body = Some(("application/json", br#"{"name": "twice", "scope": "viewer"}"#.as_slice()));
        server.call("POST", "/v1/tokens", Some(&server.admin), &[("idempotency-key", "k")], body).expect(201)
    };
    assert_ne!(once()["token"], once()["token"]);
    assert_eq!(admin("DELETE", &format!("/v1/tokens/{id}"), None).status, 204);
    assert_eq!(with(), 401);
    let expires = server.now() + 1000;
    let body = format!(r#"{{"name": "brief", "scope": "viewer", "expires_at": {expires}}}"#);
    let brief = admin("POST", "/v1/tokens", Some(&body)).expect(201);
    let brief = brief["token"].as_str().unwrap();
    assert_eq!(server.call("GET", "/v1/applications", Some(brief), &[], None).status, 200);
    server.advance_ms(2000);
    assert_eq!(server.call("GET", "/v1/applications", Some(brief), &[], None).status, 401);
    let past = admin("POST", "/v1/tokens", Some(&body)).expect(422);
    assert_eq!(past["errors"][0]["pointer"], "#/expires_at");
    assert_eq!(
        admin("POST", "/v1/tokens", Some(r#"{"name": "x", "scope": "root"}"#)).expect(422)["errors"][0]["pointer"],
        "#/scope"
    );
}

#[test]
fn a_path_that_is_no_text_is_answered_with_a_problem() {
    let server = start();
    let ask = |token| server.call("GET", "/v1/applications/%ff", token, &[], None);
    let problem = ask(Some(&server.viewer));
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert_eq!(problem.expect(400)["errors"][0]["parameter"], "path");
    assert_eq!(ask(None).status, 401);
}

#[test]
fn dev_mode_is_for_this_machine_alone() {
    let server = support::start_with(|options| options.is_dev = true);
    let ask = |headers: &[(&str, &str)]| server.call("GET", "/v1/applications", None, headers, None).status;
    assert_eq!(ask(&[]), 200);
    assert_eq!(ask(&[("origin", "http://localhost:3000")]), 200);
    assert_eq!(ask(&[("origin", "https://example.com")]), 403);
    assert_eq!(ask(&[("host", "example.com")]), 403);
    // A token that is given must still be good.
    assert_eq!(server.call("GET", "/v1/applications", Some("cdl_wrong"), &[], None).status, 401);
    let options = cardinal_api::Options {
        is_dev: true,
        listen: "0.0.0.0:8080".parse().unwrap(),
        ..cardinal_api::Options::default()
    };
    assert!(options.mistakes()[0].contains("not a loopback address"), "{:?}", options.mistakes());
}
