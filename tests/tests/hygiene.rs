//! The repository itself: dependencies, layout of files, and what must not stand in them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The project's own files with an ending, without build output.
fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().to_string();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "corpus", "artifacts", "venv"].contains(&name.as_str()) {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found.sort();
    found
}

#[test]
fn dependencies_come_from_the_registry_under_known_licences() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = [
        "MIT",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "MPL-2.0",
        "Unicode-3.0",
        "Unlicense",
        "CC0-1.0",
        "BSL-1.0",
        "0BSD",
        "MIT-0",
    ];
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some(source) = package["source"].as_str() else { continue };
        seen += 1;
        assert!(source.starts_with("registry+"), "{name} comes from {source}");
        let licence = package["license"].as_str().unwrap_or("").replace('/', " OR ");
        // One of the alternatives must be made of allowed licences only.
        let fits = licence.split(" OR ").any(|alternative| {
            let alternative = alternative.trim_matches(|c| "() ".contains(c));
            alternative.split(" AND ").all(|part| allowed.contains(&part.trim_matches(|c| "() ".contains(c))))
        });
        assert!(fits, "{name} has the licence `{licence}`");
        if name == "highs-sys" {
            let version = package["version"].as_str().unwrap();
            assert!(version.starts_with("1.15."), "highs-sys {version}: only 1.15 has passed the canaries");
        }
    }
    assert!(seen > 20, "only {seen} dependencies were seen");
}

#[test]
fn unsafe_code_stands_in_the_engine_shim_only() {
    for file in files(".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let in_shim = file.ends_with("solver/src/engine/highs.rs");
        let uses = text.lines().any(|l| {
            let l = l.trim_start();
            !l.starts_with("//") && (l.contains("unsafe {") || l.starts_with("unsafe ") || l.contains("allow(unsafe"))
        });
        assert!(in_shim || file.ends_with("tests/hygiene.rs") || !uses, "{} uses unsafe code", file.display());
    }
}

#[test]
fn source_files_say_what_they_are_and_stay_short() {
    for file in files(".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let begins = text.lines().find(|l| !l.trim().is_empty() && !l.starts_with("#!")).unwrap_or("");
        assert!(begins.starts_with("//"), "{} does not begin by saying what it is", file.display());
        assert!(text.lines().count() <= 800, "{} has more than 800 lines", file.display());
        for mark in ["todo!", "unimplemented!", "dbg!"] {
            let found = text.contains(&format!("{mark}("));
            assert!(!found || file.ends_with("tests/hygiene.rs"), "{} contains {mark}", file.display());
        }
    }
}

#[test]
fn the_pages_are_there_and_their_links_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "BENCHMARKS.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        for target in text.split("](").skip(1).filter_map(|t| t.split(')').next()) {
            let file = target.split('#').next().unwrap();
            assert!(
                file.is_empty() || file.contains("://") || root().join(file).exists(),
                "{page} links to {file}, which is not there"
            );
        }
        for example in text.split_whitespace().filter(|w| w.starts_with("examples/")) {
            let file = example.trim_end_matches(|c| "`),.:;".contains(c));
            assert!(root().join(file).exists(), "{page} names {file}, which is not there");
        }
    }
}
