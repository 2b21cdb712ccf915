//! The other commands as their callers see them.

mod support;

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Scratch, program, run, run_with};

#[test]
fn every_finding_of_a_check_has_a_place() {
    let run = run("check shop.yaml mistakes.yaml --output json").expect(2);
    assert_eq!(run.err, "");
    let answer = run.json();
    assert_eq!(answer["files"][0]["ok"], true);
    assert_eq!(answer["files"][0]["components"], 2);
    let findings = answer["files"][1]["findings"].as_array().expect("findings is a list");
    assert!(findings.len() >= 4, "{findings:?}");
    for finding in findings {
        assert!(finding["line"].as_u64().is_some_and(|line| line > 0), "{finding}");
    }
}

#[test]
fn a_converted_model_solves_to_the_same_answer() {
    let yaml = run("convert shop.yaml").expect(0);
    let again = run_with("solve - --catalog offers.csv --output json", &yaml.out).expect(0).json();
    let first = run("solve shop.yaml --catalog offers.csv --output json").expect(0).json();
    assert_eq!(again["nodes"], first["nodes"]);
    let sage = Scratch::new("out.yaml", "");
    run(&format!("convert shop.yaml -o {}", sage.path())).expect(0);
    assert_eq!(std::fs::read_to_string(&sage.0).ok(), Some(yaml.out));
    run("convert shop.yaml -o /nowhere/out.yaml").expect(2).says("cannot write `/nowhere/out.yaml`");
    let report: Value = serde_json::from_str(&run("convert shop.yaml --report json").expect(0).err).expect("JSON");
    assert_eq!(report["left_out"], json!([]));
}

#[test]
fn schemas_are_json() {
    assert_eq!(run("schema").expect(0).json()["title"], "Cardinal application model");
    let deployment = run("schema --of deployment").expect(0).json();
    assert!(deployment["properties"]["nodes"].is_object());
}

#[test]
fn offers_are_filtered_and_sorted() {
    let ids = |arguments: &str| -> Vec<String> {
        let answer = run(&format!("catalog show offers.csv --output json {arguments}")).expect(0).json();
        let offers = answer["offers"].as_array().cloned().unwrap_or_default();
        offers.iter().filter_map(|o| o["machine_type"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(ids("--sort price"), ["tiny", "small", "medium", "large"]);
    assert_eq!(ids("--cores >=4 --sort memory"), ["medium", "large"]);
    assert_eq!(ids("--memory 2GiB..8GiB --limit 2"), ["tiny", "small"]);
    assert_eq!(ids("--region DE --provider aw* --machine-type *m*"), ["small", "medium"]);
    assert_eq!(ids("--purchase spot"), Vec::<String>::new());
    run("catalog show offers.csv --cores many").expect(2).says("`--cores`");
    let table = run("catalog show --limit 3").expect(0).out;
    assert!(table.contains("USD") && table.contains("days old") && table.contains("more"), "{table}");
}

#[test]
fn catalogs_come_back_as_they_were_written() {
    let csv = run("catalog import offers.csv").expect(0).out;
    let file = Scratch::new("import.yaml", "");
    run(&format!("catalog import offers.csv -o {}", file.path())).expect(0).says("4 offers written");
    assert_eq!(run(&format!("catalog import {}", file.path())).expect(0).out, csv);
    assert_eq!(run("catalog show offers.csv --sort id --output csv").expect(0).out.lines().count(), 7);
    let euro = run("catalog convert offers.csv --currency EUR --rate 0.5").expect(0).out;
    assert!(euro.contains("# currency: EUR") && euro.contains(",0.05"), "{euro}");
    run("catalog convert offers.csv --currency euros --rate 0.5").expect(2).says("is not a currency");
    run("catalog convert offers.csv --currency EUR --rate 0").expect(2).says("not above zero");
    run("catalog import shop.yaml").expect(2);
}

#[test]
fn shells_and_packagers_get_what_they_need() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(run(&format!("completions {shell}")).expect(0).out.contains("cardinal"), "{shell}");
    }
    assert!(run("man").expect(0).out.starts_with(".ie"));
    assert!(run("man solve").expect(0).out.contains("time\\-limit"));
    run("man nothing").expect(2);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut command = program();
    command.args(["catalog", "show", "--output", "csv"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    // The built-in catalog is larger than what a pipe holds.
    drop(child.stdout.take());
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut said).expect("standard error is text");
    }
    assert_eq!(child.wait().ok().and_then(|status| status.code()), Some(0), "{said}");
    assert_eq!(said, "");
}
