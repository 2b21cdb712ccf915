//! Constraint problems: those of the corpus, and free attributes of very many values.

use std::sync::Arc;

use cardinal_benches::{corpus, median, ms, source};
use cardinal_interop::import_model;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::document::{ModelDocument, Scalar, UtilityDocument};
use cardinal_models::resolve::{load, resolve};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::span::Spanned;
use cardinal_solver::{Settings, solve};

/// The goal of `SAMPLE_CP.xmi` with its optimum, found by enumeration.
const SAMPLE_GOAL: &str = "(C_0_cardinality*C_0_cores + C_1_cardinality*C_1_cores) / \
     (1 + 0.001*(C_0_cardinality*C_0_ram + C_1_cardinality*C_1_ram)) - 0.0001*abs(C_0_latitude - C_1_latitude)";
const SAMPLE_OPTIMUM: f64 = 141.453_831_041_257_36;

fn main() -> Result<(), String> {
    println!("| problem | combinations | status | utility | known | nodes | time ms |");
    println!("| --- | ---: | --- | ---: | ---: | ---: | ---: |");
    match corpus() {
        None => println!("the corpus is not there: skipped"),
        Some(corpus) => {
            for (file, goal, known) in [
                ("SAMPLE_CP.xmi", Some(SAMPLE_GOAL), Some(SAMPLE_OPTIMUM)),
                ("SAMPLE_CP.xmi", None, None),
                ("FCRCPModel.xmi", None, None),
                ("FCRForTemplates-CP.xmi", None, None),
                ("TwoComponentAppCPModel.xmi", None, None),
            ] {
                let imported =
                    import_model(&source(&corpus.join("cp").join(file))?, None).map_err(|d| d.to_string())?;
                let mut document: ModelDocument = imported.document;
                let goal = goal.map(|g| Spanned::made(Scalar::Text(g.to_owned())));
                document.utility = goal.map(|maximize| UtilityDocument::Maximize { maximize });
                let application = resolve(&document).map_err(|d| d.to_string())?.0;
                row(file, Snapshot::new(Arc::new(application), Arc::new(Catalog::default())), known)?;
            }
        }
    }
    for values in [1_000u64, 100_000, 10_000_000] {
        let text = format!(
            "application: wide\ncomponents:\n  a: {{attributes: {{x: 1..{values}, y: 1..{values}}}}}\n\
             constraints:\n  near: a.x * 3 + a.y <= {values}\n\
             utility: {{maximize: 'sqrt(a.x * a.y) - abs(a.x - {}) / 3 - ((a.y - 17) / 90)^2'}}\n",
            values / 7
        );
        let application = load(&Source::new("wide", text)).map_err(|d| d.to_string())?.0;
        let snapshot = Snapshot::new(Arc::new(application), Arc::new(Catalog::default()));
        row(&format!("two attributes of {values} values"), snapshot, None)?;
    }
    Ok(())
}

fn row(name: &str, snapshot: Snapshot, known: Option<f64>) -> Result<(), String> {
    let (time, outcome) = median(5, || solve(&snapshot, &Settings::default()));
    let outcome = outcome.map_err(|e| format!("{name}: {e}"))?;
    let utility = outcome.solution.as_ref().map_or(f64::NAN, |s| s.utility);
    println!(
        "| {name} | 1e{:.1} | {} | {utility} | {} | {} | {} |",
        outcome.report.combinations_log10,
        outcome.status.as_str(),
        known.map_or(String::new(), |k| k.to_string()),
        outcome.report.effort.nodes,
        ms(time)
    );
    Ok(())
}
