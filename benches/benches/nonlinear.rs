//! Objectives that are nonlinear over several components: the corpus.

use std::time::{Duration, Instant};

use cardinal_benches::configurations::{Configurations, all};
use cardinal_benches::{corpus, middle_and_most, ms};
use cardinal_solver::engine::{Limits, RunStatus};
use cardinal_solver::nonlinear::{Outcome, Settings, solve};

fn run(one: &Configurations, limit: Duration) -> (Duration, Outcome) {
    let begin = Instant::now();
    let limits = Limits { deadline: Some(begin + limit), ..Limits::default() };
    let outcome = solve(&one.problem, &Settings { limits: &limits, start: None, nodes: None, tie_nodes: 0 });
    (begin.elapsed(), outcome)
}

fn main() -> Result<(), String> {
    let Some(corpus) = corpus() else {
        println!("the corpus is not there: skipped");
        return Ok(());
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
    Ok(())
}
