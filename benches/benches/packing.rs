//! Shared hosting at scale: Karpenter's scheduling benchmark, demands like those of a cluster on the AWS catalog, the same
//! with GPUs, and demands that all differ, against greedy packing in the same run. `cargo bench --bench packing -- karpenter 500 5000`
//! runs one family at some sizes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_benches::pods::{self, Fit, Pod};
use cardinal_benches::{catalog, corpus};
use cardinal_models::catalog::Catalog;
use cardinal_models::verify::verify;
use cardinal_solver::{Settings, solve};

/// The gap that is asked for, and the longest time.
const GAP: f64 = 1e-3;
const LIMIT: Duration = Duration::from_secs(60);

fn row(family: &str, pods: &[Pod], catalog: &Arc<Catalog>) -> Result<(), String> {
    let snapshot = pods::snapshot(pods::model(pods), catalog)?;
    let settings = Settings { time_limit: Some(LIMIT), gap: GAP, ..Settings::default() };
    let begin = Instant::now();
    let outcome = solve(&snapshot, &settings).map_err(|e| e.to_string())?;
    let time = begin.elapsed().as_secs_f64();
    let report = &outcome.report;
    let n = pods.len();
    let items = pods::counted(pods).len();
    let Some(solution) = &outcome.solution else {
        println!("| {family} | {n} | {items} | none | | {} | | | {time:.2} |", outcome.status.as_str());
        return Ok(());
    };
    let faults = verify(&snapshot, &solution.placement);
    if !faults.is_empty() {
        return Err(format!("the answer breaks {}", faults[0]));
    }
    let over = |x: f64| format!("{:+.2} %", 100.0 * (x / solution.bound - 1.0));
    let (first, best) = (pods::greedy(pods, catalog, Fit::First), pods::greedy(pods, catalog, Fit::Best));
    println!(
        "| {family} | {n} | {items} | {:.4} | {:.4} | {:.4} % | {} | {} | {time:.2} | {} | {} |",
        solution.utility,
        solution.bound,
        100.0 * solution.gap,
        over(first),
        over(best),
        solution.placement.nodes(),
        report.generation.as_ref().map_or(0, |g| g.rounds)
    );
    Ok(())
}

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let family = arguments.first().cloned();
    let sizes: Vec<usize> = arguments.iter().skip(1).filter_map(|a| a.parse().ok()).collect();
    let chosen = |name: &str| family.as_deref().is_none_or(|f| f == name);
    let sizes_or = |default: &[usize]| if sizes.is_empty() { default.to_vec() } else { sizes.clone() };
    println!("| family | pods | components | price | bound | gap | first fit | best fit | s | nodes | rounds |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    if chosen("karpenter") {
        let types = pods::types();
        for n in sizes_or(&[50, 100, 500, 1000, 2000, 5000, 10_000, 20_000]) {
            row("Karpenter", &pods::pods(n, 42), &types)?;
        }
    }
    let Some(corpus) = corpus() else {
        println!("\nthe corpus is not there: the rest is skipped");
        return Ok(());
    };
    let aws = catalog(&[corpus.join("catalog/aws_vms.csv")])?;
    if chosen("cluster") {
        for n in sizes_or(&[200, 1000, 5000, 20_000]) {
            row("cluster on AWS", &pods::cluster_pods(n, 42), &aws)?;
        }
    }
    if chosen("gpu") {
        // With one or two GPUs a node seldom hosts more than one pod that needs them; the others are to be shared.
        let mut large = Catalog::new("USD", "2026-01-01", "the AWS catalog without small GPU nodes");
        for offer in aws.offers().iter().filter(|o| !(1..4).contains(&o.gpus)) {
            large.insert(offer.clone());
        }
        let large = Arc::new(large);
        for n in sizes_or(&[200, 1000, 5000]) {
            row("with GPUs on AWS", &pods::gpu_pods(n, 42), &large)?;
        }
    }
    if chosen("distinct") {
        for n in sizes_or(&[50, 100, 200]) {
            row("all sizes differ", &pods::distinct_pods(n, 42), &aws)?;
        }
    }
    Ok(())
}
