//! Loading the full catalog, reducing it for SmartWe, and the Cloudiator sizes.

use std::sync::Arc;

use cardinal_benches::{application, catalog, corpus, median, ms, snapshot, source};
use cardinal_interop::catalog::{builtin, read_catalog};
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_solver::{Settings, solve};

fn main() -> Result<(), String> {
    let smartwe = application(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml")))?;
    println!("| what | offers | ms |\n| --- | ---: | ---: |");
    let (time, small) = median(15, builtin);
    println!("| load the built-in catalog | {} | {} |", small.len(), ms(time));
    let small = Arc::new(small);
    let (time, outcome) = median(15, || solve(&snapshot(&smartwe, &small), &Settings::default()));
    let outcome = outcome.map_err(|e| e.to_string())?;
    println!("| solve SmartWe over it ({}) | {} | {} |", outcome.status.as_str(), small.len(), ms(time));
    whole_process()?;
    let Some(corpus) = corpus() else {
        println!("\nthe corpus is not there: the rest is skipped");
        return Ok(());
    };
    let mut total = std::time::Duration::ZERO;
    for provider in ["aws", "azure", "gcp"] {
        let text = source(&corpus.join(format!("catalog/{provider}_vms.csv")))?;
        let (time, read) = median(7, || read_catalog(&text, None));
        println!("| load {provider} | {} | {} |", read.map_err(|d| d.to_string())?.0.len(), ms(time));
        total += time;
    }
    println!("| load all three | | {} |", ms(total));
    let full = catalog(&["aws", "azure", "gcp"].map(|p| corpus.join(format!("catalog/{p}_vms.csv"))))?;
    // The full catalog has no private cloud in Germany, where SmartWe's database must run: the built-in offers are added.
    let mut merged = (*full).clone();
    for offer in small.offers().iter().filter(|o| o.provider.as_ref() == "openstack") {
        merged.insert(offer.clone());
    }
    let merged = Arc::new(merged);
    let (time, outcome) = median(7, || solve(&snapshot(&smartwe, &merged), &Settings::default()));
    let outcome = outcome.map_err(|e| e.to_string())?;
    println!("| filter and reduce for SmartWe | {} | {} |", merged.len(), ms(outcome.report.timing.reduce));
    println!("| solve SmartWe over it ({}) | {} | {} |", outcome.status.as_str(), merged.len(), ms(time));

    println!("\n| Cloudiator n | cost | ms |\n| ---: | ---: | ---: |");
    let offers = catalog(&[corpus.join("cloudiator/small.json")])?;
    for n in 2..=15 {
        let text = format!(
            "application: nodes\ncomponents:\n  vm:\n    cardinality: {n}\n    fleet: mixed\n    requires: {{cores: '>= 2', memory: '>= 1024 MiB, < 8000 MiB'}}\n    placement: {{spread: {{by: location, at_most: 1}}}}\nconstraints:\n  two-big: count(vm, vm.cores >= 4) == 2\n  power: sum(vm.cores) >= 15\n  ram: count(vm, vm.cores >= 4 and vm.memory < 4096 MiB) == 0\n"
        );
        let model = Arc::new(load(&Source::new("cloudiator", text)).map_err(|d| d.to_string())?.0);
        let (time, outcome) = median(9, || solve(&snapshot(&model, &offers), &Settings::default()));
        let outcome = outcome.map_err(|e| e.to_string())?;
        println!("| {n} | {} | {} |", outcome.solution.map_or(f64::NAN, |s| s.cost.units()), ms(time));
    }
    Ok(())
}

/// The command as a user runs it: start, read, solve, explain, print.
fn whole_process() -> Result<(), String> {
    let here = std::env::current_exe().map_err(|e| e.to_string())?;
    let Some(binary) = here.ancestors().nth(2).map(|d| d.join("cardinal")).filter(|b| b.exists()) else {
        println!("| the whole process on SmartWe: build the binary first (`make build`) | | |");
        return Ok(());
    };
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/smartwe.yaml");
    let run = || std::process::Command::new(&binary).args(["solve", model]).output();
    let (time, output) = median(15, run);
    let succeeded = output.map_err(|e| e.to_string())?.status.success();
    println!(
        "| the whole process `cardinal solve examples/smartwe.yaml` (success: {succeeded}) | 817 | {} |",
        ms(time)
    );
    Ok(())
}
