//! The configuration of the service: files checked with their places, and what counts in which order.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        Site { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("cardinal.yaml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_cardinal"))
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

fn line<'a>(shown: &'a str, name: &str) -> &'a str {
    shown.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_else(|| panic!("{name}\n{shown}"))
}

#[test]
fn options_come_before_the_environment_that_before_the_file_and_that_before_the_defaults() {
    let site = Site::new();
    site.file("lease: 20s\nlisten: 127.0.0.1:1\nsolvers: 3\ndev: true\nlog-form: json\n");
    let environment = [("CARDINAL_LISTEN", "127.0.0.1:2"), ("CARDINAL_LEASE", "30s")];
    let arguments = ["config", "show", "--config", "cardinal.yaml", "--lease", "40s"];
    let (code, shown, errors) = site.run(&arguments, &environment);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(line(&shown, "lease"), "lease: 40s  # command line");
    assert_eq!(line(&shown, "listen"), "listen: 127.0.0.1:2  # environment, CARDINAL_LISTEN");
    assert_eq!(line(&shown, "solvers"), "solvers: 3  # file");
    assert_eq!(line(&shown, "dev"), "dev: true  # file");
    assert_eq!(line(&shown, "keep-events"), "keep-events: 30d  # default");
    assert!(shown.contains("# tls-key: not set"), "{shown}");
    // What is shown is a file again, with the same meaning.
    site.file(&shown);
    let (code, again, errors) = site.run(&["config", "show", "--config", "cardinal.yaml"], &[]);
    assert_eq!(code, Some(0), "{errors}");
    for name in ["lease", "listen", "solvers", "dev", "log-form", "memory-limit", "database"] {
        let value = |shown: &str| line(shown, name).split("  # ").next().unwrap().to_owned();
        assert_eq!(value(&again), value(&shown));
    }
}

#[test]
fn secrets_are_hidden() {
    let site = Site::new();
    site.file("database: postgres://cardinal:hunter2@db/cardinal\n");
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let arguments = ["config", "show", "--config", "cardinal.yaml"];
    let (code, shown, errors) = site.run(&arguments, &[("CARDINAL_SECRET_KEY", key)]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(line(&shown, "database").contains("cardinal@db/cardinal"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains(key), "{shown}");
    assert!(shown.contains("CARDINAL_SECRET_KEY"), "{shown}");
    // Also where the address cannot be read because of a sign in the password.
    let environment = [("CARDINAL_DATABASE", "postgres://u:pa#ss@host/db")];
    let (_, shown, errors) = site.run(&["config", "show"], &environment);
    assert!(line(&shown, "database").contains("(not shown: it cannot be read)"), "{shown}");
    assert!(!format!("{shown}{errors}").contains("pa#ss"), "{shown}{errors}");
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_line_and_mend() {
    let site = Site::new();
    site.file(
        "lissten: 127.0.0.1:8080\nlease: soon\nlog-form: xml\ndev: maybe\nsolvers: 0\nlease: 3s\nsecret-key: x\n",
    );
    let (code, _, errors) = site.run(&["config", "check", "cardinal.yaml"], &[]);
    assert_eq!(code, Some(2), "{errors}");
    for told in [
        "cardinal.yaml:1:1",
        "did you mean `listen`?",
        "cardinal.yaml:2:8",
        "cardinal.yaml:3:11",
        "write one of text, json",
        "cardinal.yaml:4:6",
        "cardinal.yaml:5:10",
        "`lease` is set twice",
        "secrets are given by the environment",
    ] {
        assert!(errors.contains(told), "{told}\n{errors}");
    }
    // `serve` refuses the same file with the same words.
    let (code, _, served) = site.run(&["serve", "--config", "cardinal.yaml"], &[]);
    assert_eq!(code, Some(2));
    assert!(served.contains("did you mean `listen`?"), "{served}");
    for text in ["- a\n", "lease: [1, 2]\n", "lease: {a: b}\n", "lease: \"\n"] {
        site.file(text);
        let (code, _, errors) = site.run(&["config", "check", "cardinal.yaml"], &[]);
        assert!(code == Some(2) && errors.contains("NAME: VALUE"), "{text}: {errors}");
    }
}

#[test]
fn what_does_not_fit_together_is_told() {
    let site = Site::new();
    for (text, told) in [
        ("tls-key: key.pem\n", "`tls-certificate` is not"),
        ("dev: true\nlisten: 0.0.0.0:8080\n", "not a loopback address"),
        ("oidc-issuer: http://login.example.com\noidc-audience: x\n", "https://login.example.com"),
        ("oidc-issuer: https://login.example.com\n", "audience"),
    ] {
        site.file(text);
        let (code, _, errors) = site.run(&["config", "check", "cardinal.yaml"], &[]);
        assert!(code == Some(2) && errors.contains(told), "{text}: {errors}");
    }
    site.file("# nothing but a comment\n");
    assert_eq!(site.run(&["config", "check", "cardinal.yaml"], &[]).0, Some(0));
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/cardinal.yaml");
    let (code, told, errors) = site.run(&["config", "check", shipped], &[]);
    assert!(code == Some(0) && told.contains("ok"), "{errors}");
}
