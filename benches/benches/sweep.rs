//! Sweeps: how many scenarios of SmartWe are solved in a second on one core, by what changes from one to the next.

use std::sync::Arc;
use std::time::Instant;

use cardinal_benches::source;
use cardinal_interop::catalog::builtin;
use cardinal_interop::import_model;
use cardinal_models::resolve::resolve;
use cardinal_models::snapshot::Snapshot;
use cardinal_solver::Settings;
use cardinal_solver::what_if::Question;
use cardinal_solver::what_if::axis::Axis;
use cardinal_solver::what_if::sweep::Sweep;

fn question(name: &str) -> Result<Question, String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let document = import_model(&source(&path)?, None).map_err(|d| d.to_string())?.document;
    let application = resolve(&document).map_err(|d| d.to_string())?.0;
    Ok(Question { document, snapshot: Snapshot::new(Arc::new(application), Arc::new(builtin())) })
}

/// Solves every point of the grid on one thread; the break points are not sought.
fn run(name: &str, base: &Question, what: &str) -> Result<(), String> {
    let axis = Axis::read(what).map_err(|m| m.message)?;
    let points = axis.values.len();
    let mut sweep = Sweep::new(vec![axis]).map_err(|m| m.message)?;
    // One that is not counted: the engine's canaries sing once in a process.
    let _ = base.solve(&Settings::default());
    let begin = Instant::now();
    let mut applying = std::time::Duration::ZERO;
    for _ in 0..points {
        let Some(task) = sweep.ask() else { break };
        let before = Instant::now();
        let changed = base.with(&task.changes).map_err(|m| m.message)?;
        applying += before.elapsed();
        let choice = changed.solve(&Settings::default());
        sweep.record(&task, choice);
    }
    let took = begin.elapsed();
    let settled = sweep.grid().iter().flatten().filter(|c| c.is_settled()).count();
    let decisions =
        sweep.grid().windows(2).filter(|pair| matches!(pair, [Some(a), Some(b)] if !a.is_same_decision(b))).count();
    println!(
        "| {name} | `{what}` | {settled} of {points} | {decisions} | {:.2} | {:.1} | {:.0} |",
        took.as_secs_f64(),
        applying.as_secs_f64() / took.as_secs_f64() * 100.0,
        points as f64 / took.as_secs_f64()
    );
    Ok(())
}

fn main() -> Result<(), String> {
    println!(
        "| model | sweep | settled | changes of decision | seconds | of that applying % | scenarios a second per core |"
    );
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    let smartwe = question("smartwe.yaml")?;
    run("SmartWe", &smartwe, "requests=10..960:1000")?;
    run("SmartWe", &smartwe, "price:aws/*=-50%..+50%:1000")?;
    run("SmartWe", &smartwe, "limit:budget=0.1..1.2:1000")?;
    let webshop = question("webshop.yaml")?;
    run("web shop", &webshop, "arrival_rate=100..2000:1000")?;
    Ok(())
}
