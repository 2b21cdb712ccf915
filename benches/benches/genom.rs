//! Utilities like the one of Melodic's Genom model, cheap and near to the data, with a deadline, over the full catalog.

use std::sync::Arc;

use cardinal_benches::{catalog, corpus, median, ms, snapshot};
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_solver::{Settings, solve};

/// The great-circle distance of a component from Krakow, as an angle.
fn angle(component: &str) -> String {
    let (latitude, longitude) = (format!("rad({component}.latitude)"), format!("rad({component}.longitude)"));
    format!("acos(sin({latitude})*sin(rad(50.06)) + cos({latitude})*cos(rad(50.06))*cos({longitude} - rad(19.94)))")
}

/// The models: a name, and the lines after the components' common part.
fn models() -> Vec<(&'static str, String)> {
    let worker = "  worker: {cardinality: 1..10, requires: {cores: '>= 2', memory: '>= 4 GiB'}}\n";
    let head =
        |more: &str| format!("application: genom\ncomponents:\n{worker}{more}metrics:\n  left: {{default: 400}}\n");
    let deadline = "constraints:\n  deadline: 'left * 12 / (worker.cardinality * worker.cores) <= 150'\n";
    let own = format!("0.8/(worker.cardinality*worker.price) + 0.2/{}", angle("worker"));
    let driver = "  driver: {cardinality: 1, requires: {cores: '>= 4', memory: '>= 8 GiB'}}\n";
    let both = format!(
        "0.8/(worker.cardinality*worker.price + driver.price) + 0.2/({} + {})",
        angle("worker"),
        angle("driver")
    );
    vec![
        ("one component", format!("{}{deadline}utility: {{maximize: '{own}'}}\n", head(""))),
        ("two that share cost and distance", format!("{}{deadline}utility: {{maximize: '{both}'}}\n", head(driver))),
    ]
}

fn main() -> Result<(), String> {
    let Some(corpus) = corpus() else {
        println!("the corpus is not there: skipped");
        return Ok(());
    };
    let offers = catalog(&["aws", "azure", "gcp"].map(|p| corpus.join(format!("catalog/{p}_vms.csv"))))?;
    println!("| model | offers | kept | status | utility | reduce ms | solve ms | total ms |");
    println!("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |");
    for (name, text) in models() {
        let model = Arc::new(load(&Source::new(name, text)).map_err(|d| d.to_string())?.0);
        let snapshot = snapshot(&model, &offers);
        let (time, outcome) = median(9, || solve(&snapshot, &Settings::default()));
        let outcome = outcome.map_err(|e| format!("{name}: {e}"))?;
        let kept: Vec<String> = outcome.report.reductions.iter().map(|r| r.kept.to_string()).collect();
        let timing = outcome.report.timing;
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} |",
            offers.len(),
            kept.join(" + "),
            outcome.status.as_str(),
            outcome.solution.map_or(f64::NAN, |s| s.utility),
            ms(timing.reduce),
            ms(timing.formulate + timing.solve),
            ms(time)
        );
    }
    Ok(())
}
