//! What happens, told: event streams that are taken up again, webhooks, decisions and plans, and what people order.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use cardinal_adapter::deployment::RunningDeployment;
use cardinal_adapter::digest::Digest;
use cardinal_adapter::driver::webhook::{Secret, verify};
use cardinal_adapter::plan::{Plan, PlanContent, Rolling, Summary};
use cardinal_adapter::rules::Rules;
use cardinal_adapter::time::UnixMs;
use cardinal_control::state::{Course, Order};
use cardinal_control::{ApplicationLoop, LoopSettings};
use cardinal_store::{Commit, Glance, NewEvent};
use serde_json::{Value, json};
use support::{SHOP, Server, start, start_with};

fn announce(server: &Server, application: &str, kind: &str) {
    let event = NewEvent {
        application: Some(application.to_owned()),
        at: UnixMs(server.now()),
        kind: kind.to_owned(),
        body: "{}".to_owned(),
    };
    server.runtime.block_on(server.store.announce(&[event])).unwrap();
}

fn stream(server: &Server, query: &str, last: &str) -> impl Iterator<Item = (String, String, Value)> + use<> {
    let headers = [("last-event-id", last)];
    let headers = if last.is_empty() { [].as_slice() } else { headers.as_slice() };
    let reply = server.call("GET", &format!("/v1/events{query}"), Some(&server.viewer), headers, None);
    assert_eq!(reply.status, 200);
    reply.events()
}

#[test]
fn a_stream_that_is_taken_up_again_misses_nothing() {
    let server = start();
    let mut live = stream(&server, "", "");
    server.submit(SHOP).expect(201);
    let (first, kind, data) = live.next().unwrap();
    assert_eq!((kind.as_str(), &data["application"]), ("submitted", &json!("shop")));
    assert_eq!(data["id"].to_string(), first);
    announce(&server, "shop", "decided");
    assert_eq!(live.next().unwrap().1, "decided");
    drop(live);
    for i in 0..300 {
        announce(&server, "shop", if i % 100 == 0 { "plan-began" } else { "decided" });
    }
    let ids: Vec<i64> = stream(&server, "", &first).take(301).map(|(id, ..)| id.parse().unwrap()).collect();
    let first: i64 = first.parse().unwrap();
    assert_eq!(ids, (first + 1..=first + 301).collect::<Vec<_>>());
    let kinds: Vec<_> =
        stream(&server, "?kinds=plan-began,submitted&after=0", "").take(4).map(|event| event.1).collect();
    assert_eq!(kinds, ["submitted", "plan-began", "plan-began", "plan-began"]);
    announce(&server, "other", "decided");
    announce(&server, "shop", "resumed");
    let mut of_other = stream(&server, "?application=other&after=0", "");
    assert_eq!(of_other.next().unwrap().2["application"], "other");
    let bad = server.call("GET", "/v1/events", Some(&server.viewer), &[("last-event-id", "x")], None);
    assert_eq!(bad.expect(400)["errors"][0]["parameter"], "Last-Event-ID");
}

#[test]
fn streams_end_when_the_service_stops() {
    let mut server = start();
    let mut live = stream(&server, "", "");
    announce(&server, "shop", "decided");
    assert_eq!(live.next().unwrap().1, "decided");
    server.stop();
    assert_eq!(live.next(), None);
}

/// Takes posts and answers them with these statuses, one after the other.
fn receiver(statuses: Vec<u16>) -> (String, Receiver<(String, String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let (got, posts) = channel();
    std::thread::spawn(move || {
        for status in statuses {
            let (mut socket, _) = listener.accept().unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            let (head, body) = loop {
                let n = socket.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
                });
                if body.len() >= length.unwrap() {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).unwrap();
            let value = |wanted: &str| {
                let found = head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                found.map(|(_, value)| value.to_owned()).unwrap()
            };
            got.send((value("cardinal-signature"), value("idempotency-key"), body)).unwrap();
        }
    });
    (address, posts)
}

#[test]
fn webhooks_are_signed_and_repeated_until_they_arrive() {
    let server = start_with(|options| options.poll_ms = 100);
    let (url, posts) = receiver(vec![500, 204]);
    let secret = "0123456789abcdef0123";
    let body = json!({"url": url, "secret": secret, "kinds": ["decided"]}).to_string();
    let made =
        server.call("POST", "/v1/webhooks", Some(&server.admin), &[], Some(("application/json", body.as_bytes())));
    let text = made.text();
    assert!(!text.contains(secret), "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
    announce(&server, "shop", "resumed");
    announce(&server, "shop", "decided");
    let (first, key, body) = posts.recv().unwrap();
    let (now, secret) = (UnixMs(server.now()), Secret::new(secret).unwrap());
    assert!(verify(&secret, &first, ("POST", "/hook?x=1", &body), now, 0), "{first}");
    assert!(!verify(&secret, &first, ("POST", "/hook?x=1", "{}"), now, 0));
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["kind"], "decided");
    let state = |wanted: &str| loop {
        let path = format!("/v1/webhooks/{id}");
        let shown = server.call("GET", &path, Some(&server.admin), &[], None).expect(200);
        let delivery = shown["deliveries"][0].clone();
        if delivery["state"] == wanted && delivery["attempts"] != 0 {
            return delivery;
        }
        std::thread::yield_now();
    };
    let failed = state("due");
    assert_eq!((&failed["last_status"], &failed["attempts"]), (&json!(500), &json!(1)), "{failed}");
    server.advance_ms(60_000);
    let (second, same_key, _) = posts.recv().unwrap();
    assert_ne!(first, second);
    assert_eq!(key, same_key);
    assert_eq!(state("delivered")["last_status"], 204);
    let path = format!("/v1/webhooks/{id}");
    assert_eq!(server.call("DELETE", &path, Some(&server.admin), &[], None).status, 204);
    assert_eq!(server.call("GET", &path, Some(&server.admin), &[], None).status, 404);
    for (url, place) in [("ftp://x", "#/url"), ("https://", "#/url"), ("https://a:b@c/", "#/url")] {
        let body = json!({"url": url, "secret": "0123456789abcdef"}).to_string();
        let body = Some(("application/json", body.as_bytes()));
        let problem = server.call("POST", "/v1/webhooks", Some(&server.admin), &[], body).expect(422);
        assert_eq!(problem["errors"][0]["pointer"], place);
    }
}

/// A plan that does nothing.
fn plan() -> Plan {
    Plan::seal(PlanContent {
        application: "shop".to_owned(),
        generation: 1,
        parent: Digest::of_bytes(b""),
        before: RunningDeployment::default(),
        target: RunningDeployment::default(),
        rules: Rules::default(),
        rolling: Rolling::default(),
        summary: Summary::default(),
        actions: Vec::new(),
    })
}

/// Puts a state of the loop on record, as a leader does.
fn record(server: &Server, course: Course) {
    let model = server.runtime.block_on(server.store.application("shop")).unwrap().digest;
    let now = UnixMs(server.now());
    let fresh = ApplicationLoop::new("shop", model, Digest::of_bytes(b"offers"), LoopSettings::default(), now);
    let mut state = fresh.state().clone();
    state.course = course;
    let glance = Glance { course: state.course.word().to_owned(), ..Glance::default() };
    let state = serde_json::to_string(&state).unwrap();
    let commit = Commit { state: Some(state), glance: Some(glance), ..Commit::default() };
    server.runtime.block_on(async {
        let leases = server.store.acquire("test", now, 3_600_000, 10).await.unwrap();
        let lease = leases.into_iter().find(|lease| lease.application == "shop");
        let held = match lease {
            Some(lease) => lease,
            None => server.store.leader("shop", now).await.unwrap().unwrap(),
        };
        server.store.commit(&held, now, &commit).await.unwrap();
    });
}

#[test]
fn what_cannot_be_looked_after_shows_as_broken_with_the_reason() {
    let server = start();
    server.submit(SHOP).expect(201);
    record(&server, Course::Idle);
    let now = UnixMs(server.now());
    let broken = Commit { broken: Some("there is no secret `gone`".to_owned()), ..Commit::default() };
    server.runtime.block_on(async {
        let lease = server.store.leader("shop", now).await.unwrap().unwrap();
        server.store.commit(&lease, now, &broken).await.unwrap();
    });
    let listed = server.get("/v1/applications").expect(200)["items"][0].clone();
    assert_eq!((&listed["course"], &listed["broken"]), (&json!("broken"), &json!("there is no secret `gone`")));
    assert_eq!(server.get("/v1/applications/shop").expect(200), listed);
    assert_eq!(server.get("/v1/applications/shop/deployment").expect(200)["course"], "broken");
    record(&server, Course::Idle);
    let mended = server.get("/v1/applications/shop").expect(200);
    assert_eq!((&mended["course"], &mended["broken"]), (&json!("idle"), &Value::Null));
    let missing = server.get("/v1/applications/shop/decisions/17").expect(404);
    assert_eq!(missing["detail"], "`shop` has no decision 17");
}

#[test]
fn people_order_what_fits_what_is_under_way() {
    let server = start();
    server.submit(SHOP).expect(201);
    let order = |path: &str, body: Value| server.post(&format!("/v1/applications/shop/{path}"), &body);
    assert_eq!(order("approve", json!({})).status, 409);
    let plan = plan();
    let hash = plan.hash().to_string();
    let until = UnixMs(server.now() + 1);
    let proposed =
        Course::Proposed { plan: std::sync::Arc::new(plan.clone()), decision: 1, until, grounds: Default::default() };
    record(&server, proposed);
    assert_eq!(server.get("/v1/applications/shop").expect(200)["course"], "proposed");
    assert_eq!(server.get("/v1/applications/shop/deployment").expect(200)["plan"], hash);
    assert_eq!(order("approve", json!({"plan": "b".repeat(64)})).status, 409);
    assert_eq!(order("approve", json!({"plan": "no digest"})).expect(422)["errors"][0]["pointer"], "#/plan");
    order("approve", json!({"plan": hash})).expect(202);
    // Without a body it is the one that is proposed.
    server.call("POST", "/v1/applications/shop/reject", Some(&server.operator), &[], None).expect(202);
    order("pause", json!({"reason": "release day", "until": server.now() + 1000})).expect(202);
    assert_eq!(order("pause", json!({"reason": " "})).expect(422)["errors"][0]["pointer"], "#/reason");
    assert_eq!(order("pause", json!({"reason": "x", "until": 1})).expect(422)["errors"][0]["pointer"], "#/until");
    order("resume", json!({})).expect(202);
    order("decide", json!({})).expect(202);
    assert_eq!(order(&format!("plans/{hash}/unwind"), json!({})).status, 409);
    record(&server, Course::Executing { plan: std::sync::Arc::new(plan), decision: 1 });
    order(&format!("plans/{hash}/unwind"), json!({})).expect(202);
    let resolve = format!("plans/{hash}/resolve");
    assert_eq!(
        order(&resolve, json!({"action": 3, "choice": "retry"})).expect(422)["errors"][0]["pointer"],
        "#/action"
    );
    assert_eq!(order(&resolve, json!({"action": 0, "choice": "hope"})).expect(422)["errors"][0]["pointer"], "#/choice");
    let given = server.runtime.block_on(server.store.orders("shop")).unwrap();
    let orders: Vec<Order> = given.iter().map(|row| serde_json::from_str(&row.order).unwrap()).collect();
    let digest: Digest = hash.parse().unwrap();
    assert_eq!(
        orders,
        [
            Order::Approve { plan: digest },
            Order::Reject { plan: digest },
            Order::Pause { reason: "release day".to_owned(), until: Some(UnixMs(server.now() + 1000)) },
            Order::Resume,
            Order::Decide,
            Order::Unwind,
        ]
    );
    assert!(given.iter().all(|row| row.by == "operator"), "{given:?}");
}
