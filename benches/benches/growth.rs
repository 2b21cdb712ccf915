//! Growth: how time follows the number of components against the full catalog, and the number of instances on shared
//! nodes. The curve is printed; where it bends is said in BENCHMARKS.md.

use std::sync::Arc;

use cardinal_benches::{catalog, corpus, median, ms, snapshot};
use cardinal_interop::catalog::builtin;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_solver::{Settings, solve};

/// Components that only the total cost and a budget tie together, each with needs of its own.
fn dedicated(components: usize, linked: bool) -> String {
    let mut text = String::from("application: growth\ncomponents:\n");
    for i in 0..components {
        let (cores, memory) = (1 + i % 16, 2 + (i * 7) % 61);
        text +=
            &format!("  c{i}: {{cardinality: 1..10, requires: {{cores: '>= {cores}', memory: '>= {memory} GiB'}}}}\n");
    }
    if linked {
        text += "constraints:\n  capacity: ";
        let terms: Vec<String> = (0..components).map(|i| format!("c{i}.cardinality * c{i}.cores")).collect();
        text += &format!("{} >= {}\n", terms.join(" + "), 60 * components);
    }
    text
}

/// Eight components on shared nodes with so many instances in all.
fn shared(instances: usize) -> String {
    let sizes = [
        ("0.25", "512 MiB"),
        ("0.5", "1 GiB"),
        ("1", "2 GiB"),
        ("0.5", "4 GiB"),
        ("2", "4 GiB"),
        ("1", "8 GiB"),
        ("4", "8 GiB"),
        ("2", "16 GiB"),
    ];
    let mut text = String::from("application: packing\ncomponents:\n");
    for (i, (cores, memory)) in sizes.iter().enumerate() {
        let n = (instances / sizes.len()).max(1);
        text += &format!(
            "  c{i}: {{cardinality: {n}, hosting: shared, per_node: 2, requires: {{cores: {cores}, memory: {memory}}}}}\n"
        );
    }
    text
}

fn run(name: &str, text: &str, offers: &Arc<Catalog>) -> Result<(), String> {
    let model = Arc::new(load(&Source::new(name, text)).map_err(|d| d.to_string())?.0);
    let snapshot = snapshot(&model, offers);
    let (time, outcome) = median(3, || {
        solve(&snapshot, &Settings { time_limit: Some(std::time::Duration::from_secs(20)), ..Settings::default() })
    });
    match outcome {
        Ok(outcome) => {
            let r = &outcome.report;
            let t = r.timing;
            let gap = outcome.solution.as_ref().map_or(f64::NAN, |s| s.gap);
            println!(
                "| {name} | {} | {gap:.1e} | {} | {} | {} | {} | {} | {} | {} |",
                outcome.status.as_str(),
                ms(time),
                ms(t.reduce),
                ms(t.formulate),
                ms(t.solve),
                ms(t.verify),
                r.effort.columns,
                r.patterns
            );
        }
        Err(error) => println!("| {name} | {error} | | {} | | | | | | |", ms(time)),
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let full = match corpus() {
        Some(corpus) => catalog(&["aws", "azure", "gcp"].map(|p| corpus.join(format!("catalog/{p}_vms.csv"))))?,
        None => Arc::new(builtin()),
    };
    println!("{} offers\n", full.len());
    println!("| model | status | gap | time ms | reduce | formulate | solve | verify | columns | patterns |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for n in [1, 10, 100] {
        run(&format!("{n} components, independent"), &dedicated(n, false), &full)?;
    }
    for n in [1, 10, 100] {
        run(&format!("{n} components, linked by a capacity"), &dedicated(n, true), &full)?;
    }
    let small = Arc::new(builtin());
    for n in [10, 100, 1000] {
        run(&format!("{n} instances on shared nodes"), &shared(n), &small)?;
    }
    Ok(())
}
