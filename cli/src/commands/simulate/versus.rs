//! `cardinal simulate --compare`: one load, many ways to serve it.

use std::sync::atomic::{AtomicBool, Ordering};

use cardinal_control::decide::{InProcess, Resources};
use cardinal_control::simulate::Scenario;
use cardinal_control::simulate::compare::{Rivalry, compare};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::write;

use crate::arguments::AnswerForm;
use crate::arguments::simulate::Simulate;
use crate::progress::Doing;
use crate::{output, plot, render};

/// Start-up times of the simulated cloud where none is given: the middle of what its machine types take.
const TYPICAL_START_UP_MS: u64 = 120_000;
const STABILISATION_MS: u64 = 300_000;

/// Runs all ways and prints what they come to.
pub fn run(
    arguments: &Simulate,
    resources: &Resources,
    scenario: &Scenario,
    currency: &str,
    cancel: &AtomicBool,
) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.plot {
        plot::check(path)?;
    }
    let Some(load) = scenario.load.iter().find(|load| load.per_instance_of.is_none()) else {
        let finding = Finding::error("there is no load to compare under");
        return Err(finding.help("give one with `--trace` or `--load`").into());
    };
    if !(arguments.limit > 0.0 && arguments.limit <= 1.0) {
        return Err(Finding::error("--limit: a share above 0 and up to 1, such as `85%`").into());
    }
    if let Some(wrong) = arguments.targets.iter().find(|t| !(**t > 0.0 && **t <= 1.0)) {
        return Err(Finding::error(format!("--targets: `{wrong}` is not a share above 0 and up to 1")).into());
    }
    let rivalry = Rivalry {
        metric: load.metric.clone(),
        start_up_ms: arguments
            .start_up
            .as_ref()
            .and_then(|t| t.0)
            .map_or(TYPICAL_START_UP_MS, |t| t.as_millis() as u64),
        limit: arguments.limit,
        targets: arguments.targets.clone(),
        stabilisation_ms: STABILISATION_MS,
    };
    let doing = Doing::start();
    let mut tell = |way: &str| {
        doing.show(way);
        !cancel.load(Ordering::SeqCst)
    };
    let name = &resources.application.name;
    let mut comparison = compare(name, resources, &InProcess, scenario, &rivalry, &mut tell)
        .map_err(|error| Failure::from(Finding::error(error.to_string())))?;
    drop(doing);
    if let Some(path) = &arguments.plot {
        plot::course::draw(path, &comparison, currency)?;
    }
    if arguments.output == AnswerForm::Table {
        // The courses are for plots and for JSON.
        comparison.ways.iter_mut().for_each(|way| way.course.clear());
    }
    let text = match arguments.output {
        AnswerForm::Table => render::simulate::versus(&comparison, currency),
        AnswerForm::Json => write::json(&comparison)?,
        AnswerForm::Yaml => write::yaml(&comparison)?,
    };
    output::print(&text)?;
    Ok(if comparison.breaches == 0 { Exit::Solved } else { Exit::Internal })
}
