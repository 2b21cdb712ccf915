//! The service as a process: the whole loop from a submission to what runs, over a kill, with tokens.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const CARDINAL: &str = env!("CARGO_BIN_EXE_cardinal");

/// A running service; ended when it goes out of scope.
struct Service {
    child: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(database: &Path, more: &[&str]) -> Service {
    let mut child = Command::new(CARDINAL)
        .args(["serve", "--listen", "127.0.0.1:0", "--cloud-speed", "1000", "--lease", "1s", "--log-form", "json"])
        .args(more)
        .arg("--database")
        .arg(database)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.by_ref().map(Result::unwrap).find_map(|line| {
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        said["fields"]["address"].as_str().map(str::to_owned)
    });
    // What is said later must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    Service { child, url: format!("http://{}", address.unwrap()) }
}

fn cardinal(service: &Service, arguments: &[&str]) -> Output {
    Command::new(CARDINAL)
        .args(arguments)
        .env("CARDINAL_URL", &service.url)
        .env_remove("CARDINAL_TOKEN")
        .output()
        .unwrap()
}

fn json(service: &Service, arguments: &[&str]) -> Value {
    let output = cardinal(service, &[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn front_ends(service: &Service) -> u64 {
    let shown = json(service, &["app", "show", "smartwe"]);
    let is_idle = shown["application"]["course"] == "idle";
    let nodes = shown["deployment"]["current"]["deployment"]["nodes"].as_array().cloned().unwrap_or_default();
    let with =
        |node: &Value| node["count"].as_u64().unwrap_or(0) * node["instances"]["smart_design"].as_u64().unwrap_or(0);
    if is_idle { nodes.iter().map(with).sum() } else { 0 }
}

fn until(service: &Service, what: &str, mut wanted: impl FnMut(&Service) -> bool) {
    let begun = Instant::now();
    while !wanted(service) {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}\n{:#}", json(service, &["app", "show", "smartwe"]));
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn model() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml").to_owned()
}

#[test]
fn the_loop_goes_on_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("cardinal.db");
    let service = serve(&database, &["--dev"]);
    assert!(cardinal(&service, &["app", "submit", &model()]).status.success());
    until(&service, "two front ends run", |s| front_ends(s) == 2);
    // The process is killed while the plan for more is carried out, or before, or after.
    assert!(cardinal(&service, &["metrics", "push", "smartwe", "memory_used=97", "requests=260"]).status.success());
    std::thread::sleep(Duration::from_millis(300));
    drop(service);
    let service = serve(&database, &["--dev"]);
    until(&service, "four front ends run", |s| front_ends(s) == 4);
    let decisions = json(&service, &["decisions", "smartwe"]);
    let last = decisions[0]["number"].as_i64().unwrap();
    assert!(last >= 2, "{decisions:#}");

    let shown = cardinal(&service, &["plan", "show", "smartwe"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("+  ") && text.contains("Status: reached"), "{text}");
    let replayed = Command::new(CARDINAL)
        .args(["replay", &format!("smartwe/1..{last}"), "--output", "json", "--database"])
        .arg(&database)
        .output()
        .unwrap();
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert!(replayed.as_array().unwrap().iter().all(|one| one["same"] == true), "{replayed:#}");

    assert!(cardinal(&service, &["app", "delete", "smartwe"]).status.success());
    until(&service, "it is gone", |s| json(s, &["app", "show", "smartwe"])["application"]["status"] == "gone");
}

#[test]
fn nobody_gets_in_without_a_token_that_allows_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("cardinal.db");
    let service = serve(&database, &[]);
    let refused = cardinal(&service, &["app", "list"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("CARDINAL_TOKEN"));

    let token = |scope: &str| {
        let made = Command::new(CARDINAL)
            .args(["token", "create", "ann", "--scope", scope, "--database"])
            .arg(&database)
            .output()
            .unwrap();
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let viewer = token("viewer");
    assert!(cardinal(&service, &["app", "list", "--token", &viewer]).status.success());
    let refused = cardinal(&service, &["app", "submit", &model(), "--token", &viewer]);
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    let operator = token("operator");
    assert!(cardinal(&service, &["app", "submit", &model(), "--token", &operator]).status.success());

    let listed = Command::new(CARDINAL)
        .args(["token", "list", "--output", "json", "--database"])
        .arg(&database)
        .output()
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id =
        listed.as_array().unwrap().iter().find(|t| t["scope"] == "viewer").unwrap()["id"].as_str().unwrap().to_owned();
    assert!(!listed.to_string().contains(&viewer));
    let revoked = Command::new(CARDINAL).args(["token", "revoke", &id, "--database"]).arg(&database).status().unwrap();
    assert!(revoked.success());
    assert_eq!(cardinal(&service, &["app", "list", "--token", &viewer]).status.code(), Some(2));
}

#[test]
fn what_cannot_work_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = Command::new(CARDINAL).args(arguments).current_dir(dir.path()).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = told(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("loopback"), "{text}");
    std::fs::write(dir.path().join("file"), "no directory").unwrap();
    let (code, text) = told(&["serve", "--dev", "--listen", "127.0.0.1:0", "--database", "file/cardinal.db"]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = told(&["app", "list", "--url", "http://127.0.0.1:9"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("cardinal serve"), "{text}");
    let (code, text) = told(&["replay", "shop"]);
    assert_eq!(code, Some(2));
    assert!(text.contains("APPLICATION/NUMBER"), "{text}");
}
