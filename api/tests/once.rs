//! Requests that are made once, and not too often.
#![allow(clippy::unwrap_used)]

mod support;

use support::{SHOP, Server, start, start_with};

fn submit(server: &Server, token: &str, key: &str, model: &str) -> support::Reply {
    let body = Some(("application/yaml", model.as_bytes()));
    server.call("POST", "/v1/applications", Some(token), &[("idempotency-key", key)], body)
}

#[test]
fn a_repeated_request_gets_the_same_answer_and_has_its_effect_once() {
    let server = start();
    let first = submit(&server, &server.operator, "k1", SHOP);
    let again = submit(&server, &server.operator, "k1", SHOP);
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(first.header("idempotent-replayed"), "");
    for name in ["location", "etag", "content-type"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
        assert!(!first.header(name).is_empty(), "{name}");
    }
    assert_eq!(first.text(), again.text());
    let other = SHOP.replace("2..6", "2..7");
    let mismatch = submit(&server, &server.operator, "k1", &other).expect(422);
    assert!(mismatch["detail"].as_str().unwrap().contains("another request"), "{mismatch}");
    // A key belongs to the token that it was used with.
    assert_eq!(submit(&server, &server.admin, "k1", &other).status, 409);
    // A refusal is an answer too.
    let refused = submit(&server, &server.operator, "k2", "application: 1");
    let same = submit(&server, &server.operator, "k2", "application: 1");
    assert_eq!((refused.status, same.status), (422, 422));
    assert_eq!(same.header("content-type"), "application/problem+json");
    assert_eq!(refused.text(), same.text());
    assert_eq!(submit(&server, &server.operator, "", SHOP).status, 400);
    assert_eq!(submit(&server, &server.operator, &"x".repeat(300), SHOP).status, 400);
    server.advance_ms(25 * 3_600_000);
    assert_eq!(submit(&server, &server.operator, "k1", &other).status, 409);
}

#[test]
fn requests_at_the_same_time_with_one_key_have_one_effect() {
    let server = start();
    server.submit(SHOP).expect(201);
    let order = || {
        let headers = [("idempotency-key", "now")];
        server.call("POST", "/v1/applications/shop/decide", Some(&server.operator), &headers, None).status
    };
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(order)).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [202, 409].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&202), "{statuses:?}");
    assert_eq!(server.runtime.block_on(server.store.orders("shop")).unwrap().len(), 1);
}

#[test]
fn who_asks_too_often_waits() {
    let server = start_with(|options| (options.rate_per_s, options.burst) = (2.0, 3.0));
    let ask = |token: &str| server.call("GET", "/v1/applications", Some(token), &[], None);
    for _ in 0..3 {
        assert_eq!(ask(&server.viewer).status, 200);
    }
    let refused = ask(&server.viewer);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.expect(429)["type"], "urn:cardinal:problem:too-many-requests");
    assert_eq!(ask(&server.operator).status, 200);
    server.advance_ms(1000);
    assert_eq!(ask(&server.viewer).status, 200);
}

#[test]
fn more_than_the_service_can_work_on_is_sent_away() {
    let server = start_with(|options| options.streams_max = 2);
    let stream = || server.get("/v1/events");
    let open = [stream(), stream()];
    let refused = stream();
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(refused.status, 503);
    drop(open);
    // The places of streams that were closed are free again, as soon as the service notices.
    for _ in 0..500 {
        if stream().status == 200 {
            return;
        }
        std::thread::yield_now();
    }
    panic!("the places were not given back");
}

#[test]
fn every_answer_has_an_id() {
    let server = start();
    let ask = |headers: &[(&str, &str)]| server.call("GET", "/v1/nothing", None, headers, None);
    assert_eq!(ask(&[("x-request-id", "abc-1")]).header("x-request-id"), "abc-1");
    let made = ask(&[]);
    assert_eq!(made.header("x-request-id").len(), 32);
    assert_eq!(made.expect(404)["type"], "urn:cardinal:problem:not-found");
    assert_eq!(ask(&[("x-request-id", &"y".repeat(500))]).header("x-request-id").len(), 32);
    let method = server.call("DELETE", "/v1/applications", Some(&server.admin), &[], None);
    assert!(method.header("allow").contains("GET"), "{:?}", method.headers);
    assert_eq!(method.expect(405)["type"], "urn:cardinal:problem:method-not-allowed");
}
