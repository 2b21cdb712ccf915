//! Objectives that are nonlinear over several components: the corpus, and families of random problems.
//!
//! `cargo bench --bench nonlinear -- SECONDS SEEDS` gives each problem of the families so much time, and so many seeds.

use std::time::{Duration, Instant};

use cardinal_benches::configurations::{Configurations, all};
use cardinal_benches::families::{FAMILIES, problem};
use cardinal_benches::{corpus, middle_and_most, ms};
use cardinal_solver::engine::{Limits, RunStatus};
use cardinal_solver::nonlinear::{Outcome, Settings, solve};

/// Seconds for each problem of the families, and random problems of each family and size.
const SECONDS: f64 = 10.0;
const SEEDS: u64 = 5;

fn run(one: &Configurations, limit: Duration) -> (Duration, Outcome) {
    let begin = Instant::now();
    let limits = Limits { deadline: Some(begin + limit), ..Limits::default() };
    let outcome = solve(&one.problem, &Settings { limits: &limits, start: None, nodes: None, tie_nodes: 0 });
    (begin.elapsed(), outcome)
}

/// The gap in percent.
fn gap(outcome: &Outcome) -> f64 {
    100.0 * (outcome.bound - outcome.value) / outcome.value.abs().max(1e-9)
}

/// The families at several sizes.
fn families() -> Result<(), String> {
    let numbers: Vec<f64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(SECONDS);
    let seeds = numbers.get(1).map_or(SEEDS, |n| *n as u64);
    println!(
        "\n| family | components | proven in {seconds} s | median ms | worst gap % at 0.1 s | at 1 s | at {seconds} s |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (family, (name, _)) in FAMILIES.iter().enumerate() {
        for components in [5, 10, 20] {
            let (mut proven, mut times, mut worst) = (0, Vec::new(), [0.0f64; 3]);
            for seed in 0..seeds {
                let one = problem(family, components, seed)?;
                let (time, last) = run(&one, Duration::from_secs_f64(seconds));
                proven += usize::from(last.status == RunStatus::Optimal);
                for (worst, limit) in worst.iter_mut().zip([0.1, 1.0, seconds]) {
                    // What is proven earlier has no gap; what is not is stopped there.
                    let is_over = last.status == RunStatus::Optimal && time.as_secs_f64() <= limit;
                    let at = if is_over || limit == seconds {
                        last.clone()
                    } else {
                        run(&one, Duration::from_secs_f64(limit)).1
                    };
                    *worst = worst.max(gap(&at));
                }
                times.push(time);
            }
            let (median, _) = middle_and_most(&mut times);
            let [first, second, third] = worst;
            println!(
                "| {name} | {components} | {proven} of {seeds} | {} | {first:.2} | {second:.2} | {third:.2} |",
                ms(median)
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), String> {
    let Some(corpus) = corpus() else {
        println!("the corpus is not there: skipped");
        return families();
    };
    let (mut times, mut proven, mut right, mut nodes) = (Vec::new(), 0, 0, 0);
    println!("| instance | components | combinations | optimum | found | bound | nodes | time ms |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for one in all(&corpus.join("nonlinear"))? {
        let (time, outcome) = run(&one, Duration::from_secs(10));
        let is_right = (outcome.value - one.optimum).abs() <= 1e-7 * one.optimum.abs().max(1.0);
        right += usize::from(is_right);
        proven += usize::from(outcome.status == RunStatus::Optimal);
        nodes += outcome.nodes;
        println!(
            "| {} | {} | 1e{:.1} | {:.9} | {:.9}{} | {:.9} | {} | {} |",
            one.name,
            one.components,
            one.combinations_log10,
            one.optimum,
            outcome.value,
            if is_right { "" } else { " WRONG" },
            outcome.bound,
            outcome.nodes,
            ms(time)
        );
        times.push(time);
    }
    let total: Duration = times.iter().sum();
    let (median, most) = middle_and_most(&mut times);
    println!(
        "\n{proven} of {} proven, {right} equal to the known optimum; median {} ms, most {} ms, {:.0} nodes a second",
        times.len(),
        ms(median),
        ms(most),
        nodes as f64 / total.as_secs_f64()
    );
    families()
}
