//! Hundreds of dedicated components against the full catalog, linked by a budget and by quotas in every region; beside
//! it the same problem as it stands, every admissible offer with every cardinality a column, given to HiGHS alone; with
//! the argument `quick` that is left out.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_benches::{catalog, corpus, ms, snapshot};
use cardinal_interop::catalog::builtin;
use cardinal_models::admissible::admissible;
use cardinal_models::application::{Application, ComponentId};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_solver::engine::{self, Limits, Milp, Presolve};
use cardinal_solver::{Settings, solve};

/// The gap that is asked for.
const GAP: f64 = 0.001;
/// The longest time for HiGHS alone.
const ALONE: Duration = Duration::from_secs(60);
/// The largest number of columns that is given to HiGHS alone: presolve needs about a kilobyte for each.
const COLUMNS_MAX: usize = 4_000_000;

/// What is wanted.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    /// The least cost at which each component has the cores that its load needs.
    Cost,
    /// The most value of cores, with diminishing returns, within the budget.
    Value,
}

/// Needs of a component that differ from one to the next.
struct Needs {
    cores: usize,
    memory: usize,
    work: usize,
    weight: usize,
}

fn needs(i: usize) -> Needs {
    Needs { cores: 1 + i % 16, memory: 2 + (i * 7) % 61, work: 12 + (i * 11) % 37, weight: 1 + (i * 5) % 9 }
}

/// Components with needs of their own; in each region at most 48 cores and ten nodes in all.
fn model(components: usize, goal: Goal, offers: &Catalog) -> String {
    let mut text = String::from("application: linked\ncomponents:\n");
    for i in 0..components {
        let Needs { cores, memory, .. } = needs(i);
        let _ = writeln!(
            text,
            "  c{i}: {{cardinality: 2..8, requires: {{cores: '>= {cores}', memory: '>= {memory} GiB'}}}}"
        );
    }
    let budget = components as f64 * if goal == Goal::Cost { 2.0 } else { 0.75 };
    let _ = writeln!(text, "constraints:\n  budget: total_cost <= {budget} USD/h");
    if goal == Goal::Cost {
        for i in 0..components {
            let _ = writeln!(text, "  work{i}: c{i}.cardinality * c{i}.cores >= {}", needs(i).work);
        }
    }
    let mut regions: Vec<(&str, &str)> = offers.offers().iter().map(|o| (&*o.provider, &*o.region)).collect();
    regions.sort_unstable();
    regions.dedup();
    text += "quotas:\n";
    for (i, (provider, region)) in regions.iter().enumerate() {
        let _ = writeln!(text, "  q{i}: {{provider: {provider}, region: {region}, cores: 96, nodes: 20}}");
    }
    if goal == Goal::Value {
        let terms: Vec<String> =
            (0..components).map(|i| format!("{} * ln(c{i}.cardinality * c{i}.cores)", needs(i).weight)).collect();
        let _ = writeln!(text, "utility: {{maximize: {}}}", terms.join(" + "));
    }
    text
}

fn run(name: &str, components: usize, goal: Goal, offers: &Arc<Catalog>) -> Result<(), String> {
    let text = model(components, goal, offers);
    let application = Arc::new(load(&Source::new(name, text)).map_err(|d| d.to_string())?.0);
    let snapshot = snapshot(&application, offers);
    let begin = Instant::now();
    let settings = Settings { time_limit: Some(Duration::from_secs(20)), gap: GAP, ..Settings::default() };
    let outcome = solve(&snapshot, &settings).map_err(|e| e.to_string())?;
    let took = begin.elapsed();
    let (r, t) = (&outcome.report, outcome.report.timing);
    let (utility, gap) = outcome.solution.as_ref().map_or((f64::NAN, f64::NAN), |s| (s.utility, s.gap));
    println!(
        "| {name} | Cardinal | {} | {utility:.4} | {gap:.1e} | {} | {} | {} | {} | {} | {} |",
        outcome.status.as_str(),
        r.effort.columns,
        ms(took),
        ms(t.reduce),
        ms(t.formulate),
        ms(t.solve),
        ms(t.verify),
    );
    if std::env::args().any(|argument| argument == "quick") {
        return Ok(());
    }
    let begin = Instant::now();
    let plain = plain(&application, offers, goal, components);
    let columns = plain.columns();
    if columns > COLUMNS_MAX {
        println!("| {name} | HiGHS alone | not run | | | {columns} | | | | | |");
        return Ok(());
    }
    let limits = Limits { deadline: Some(Instant::now() + ALONE), relative_gap: GAP, ..Limits::default() };
    let formulated = begin.elapsed();
    let answer = match engine::run(&plain, None, &limits, Presolve::Automatic) {
        Ok(run) => {
            let value = run.values.as_ref().map(|x| plain.objective(x));
            let gap = value.map_or(f64::NAN, |v| (v - run.bound).abs() / v.abs());
            format!("{:?} | {:.4} | {gap:.1e}", run.status, value.map_or(f64::NAN, f64::abs))
        }
        Err(error) => format!("{error} | | "),
    };
    let took = begin.elapsed();
    println!("| {name} | HiGHS alone | {answer} | {columns} | {} | | {} | | |", ms(took), ms(formulated));
    Ok(())
}

/// The problem as it stands: a column for each component, admissible offer and cardinality.
fn plain(application: &Application, offers: &Catalog, goal: Goal, components: usize) -> Milp {
    let mut milp = Milp::default();
    let mut budget: Vec<(usize, f64)> = Vec::new();
    let mut of_quota: Vec<[Vec<(usize, f64)>; 2]> = vec![Default::default(); application.quotas.len()];
    let regions: std::collections::HashMap<(&str, &str), usize> = {
        let mut all: Vec<(&str, &str)> = offers.offers().iter().map(|o| (&*o.provider, &*o.region)).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().enumerate().map(|(i, place)| (place, i)).collect()
    };
    let mut choices: Vec<Vec<(usize, f64)>> = Vec::new();
    for i in 0..components {
        let mut choice = Vec::new();
        for index in admissible(application, offers, ComponentId(i as u32)) {
            let offer = &offers[index];
            let quota = regions.get(&(&*offer.provider, &*offer.region)).copied();
            for n in 2..=8u32 {
                let (n, cores) = (f64::from(n), offer.cores.count());
                let is_enough = goal == Goal::Value || n * cores >= needs(i).work as f64;
                let column = milp.add_column(0.0, if is_enough { 1.0 } else { 0.0 }, true);
                milp.cost[column] = match goal {
                    Goal::Cost => n * offer.price.units(),
                    Goal::Value => -(needs(i).weight as f64) * (n * cores).ln(),
                };
                choice.push((column, 1.0));
                budget.push((column, n * offer.price.units()));
                if let Some(quota) = quota {
                    of_quota[quota][0].push((column, n * cores));
                    of_quota[quota][1].push((column, n));
                }
            }
        }
        choices.push(choice);
        if milp.columns() > COLUMNS_MAX {
            // The rest is as large: only the size is shown.
            let mut whole = Milp::default();
            whole.cost.resize(milp.columns() / (i + 1) * components, 0.0);
            return whole;
        }
    }
    choices.into_iter().for_each(|choice| milp.add_row(1.0, 1.0, choice));
    let most = components as f64 * if goal == Goal::Cost { 2.0 } else { 0.75 };
    milp.add_row(f64::NEG_INFINITY, most, budget);
    for [cores, nodes] in of_quota {
        milp.add_row(f64::NEG_INFINITY, 96.0, cores);
        milp.add_row(f64::NEG_INFINITY, 20.0, nodes);
    }
    milp
}

fn main() -> Result<(), String> {
    let full = match corpus() {
        Some(corpus) => catalog(&["aws", "azure", "gcp"].map(|p| corpus.join(format!("catalog/{p}_vms.csv"))))?,
        None => Arc::new(builtin()),
    };
    println!("{} offers, gap {GAP}\n", full.len());
    println!(
        "| model | | status | value | gap | columns | time ms | reduce | formulate | solve | verify |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for n in [10, 100, 200] {
        run(&format!("{n} components, least cost"), n, Goal::Cost, &full)?;
        run(&format!("{n} components, most value"), n, Goal::Value, &full)?;
    }
    Ok(())
}
