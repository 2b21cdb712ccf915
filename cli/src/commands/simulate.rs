//! `cardinal simulate`: the loop against a simulated cloud, in virtual time.

use std::path::Path;
use std::sync::atomic::Ordering;

use cardinal_adapter::driver::simulated::{CloudSettings, FaultRates};
use cardinal_control::LoopSettings;
use cardinal_control::decide::{InProcess, Resources};
use cardinal_control::simulate::{Report, Scenario, simulate};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::input::catalogs::{check_currency, interpret};
use cardinal_edge::write;

use crate::arguments::AnswerForm;
use crate::arguments::simulate::Simulate;
use crate::input::{catalogs, files, load, model, policies};
use crate::{interrupt, output, render};

/// Runs the simulation of each seed and prints what came of it.
pub fn run(arguments: &Simulate) -> Result<Exit, Failure> {
    let model = model::load(&arguments.model, arguments.from)?;
    render::diagnostics::show(&model.warnings);
    let given = catalogs::read(&arguments.catalogs)?;
    let (catalog, warnings) = interpret(&given, None)?;
    render::diagnostics::show(&warnings);
    check_currency(&model, &catalog, &given)?;
    let currency = catalog.currency.clone();
    let resources = Resources { application: model.application.clone(), catalog: catalog.into() };
    let scenario = scenario(arguments, &resources)?;

    if arguments.show_settings {
        output::print_raw(write::yaml(&scenario.settings)?.as_bytes())?;
        return Ok(Exit::Solved);
    }
    let cancel = interrupt::watch();
    let (first, last) = arguments.seeds.unwrap_or((arguments.seed, arguments.seed));
    let mut reports = Vec::new();
    for seed in first..=last {
        if cancel.load(Ordering::SeqCst) {
            break;
        }
        let scenario = Scenario { seed, ..scenario.clone() };
        reports.push(simulate(&resources.application.name, &resources, &InProcess, &scenario));
    }
    let text = match arguments.output {
        AnswerForm::Table if arguments.seeds.is_some() => render::simulate::many(&reports, &currency),
        AnswerForm::Table => reports.iter().map(|r| render::simulate::one(r, &resources, &currency)).collect(),
        AnswerForm::Json => write::json(&reports)?,
        AnswerForm::Yaml => write::yaml(&reports)?,
    };
    output::print(&text)?;
    Ok(exit(&reports))
}

fn exit(reports: &[Report]) -> Exit {
    if reports.iter().all(|r| r.breaches.is_empty()) { Exit::Solved } else { Exit::Internal }
}

fn scenario(arguments: &Simulate, resources: &Resources) -> Result<Scenario, Failure> {
    let application = &resources.application;
    let Some(duration_ms) = arguments.duration_ms() else {
        let finding = Finding::error("--duration: between a millisecond and a year can be simulated");
        return Err(finding.help("write a time such as `1d`").into());
    };
    for (option, rate) in [("--losses", arguments.losses), ("--faults", arguments.faults)] {
        if !(rate.is_finite() && (0.0..=1000.0).contains(&rate)) {
            return Err(Finding::error(format!("{option}: `{rate}` is out of range")).into());
        }
    }
    let mut settings = match &arguments.settings {
        Some(path) => read_settings(path)?,
        None => LoopSettings::of(application),
    };
    settings.mode = arguments.mode.into();
    authorise(arguments, &mut settings)?;
    // A third each: before the effect, after it, and with the answer lost.
    let each = arguments.faults.min(1.0) / 3.0;
    let faults = FaultRates { before_effect: each, after_effect: each, answer_lost: each, ..FaultRates::default() };
    Ok(Scenario {
        duration_ms,
        settings,
        cloud: CloudSettings { faults, ..CloudSettings::default() },
        load: load::read(application, &arguments.loads, arguments.trace.as_deref(), arguments.noise)?,
        losses_per_hour: arguments.losses,
        crashes_per_thousand: arguments.crashes * 1000.0,
        ..Scenario::default()
    })
}

/// Adds the policies of the command line.
fn authorise(arguments: &Simulate, settings: &mut LoopSettings) -> Result<(), Failure> {
    for file in policies::read_all(&arguments.policies)? {
        render::diagnostics::show(&file.warnings);
        settings.authorise.policies.push(file.text);
    }
    if let Some(zone) = &arguments.time_zone {
        settings.authorise.time_zone = zone.clone();
    }
    let mistakes = settings.authorise.mistakes();
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(mistakes.into_iter().map(Finding::error).collect()))
}

/// Settings of the loop from a file; what it does not say is as by default.
fn read_settings(path: &Path) -> Result<LoopSettings, Failure> {
    let source = files::read(path)?;
    let wrong = |message: String| {
        let message = message.lines().next().unwrap_or("it cannot be read").to_owned();
        Finding::error(format!("`{}`: {message}", source.name)).help("`--show-settings` prints all of them")
    };
    let settings: LoopSettings =
        serde_saphyr::from_str(&source.text).map_err(|e| wrong(e.without_snippet().to_string()))?;
    let mistakes = settings.mistakes();
    if mistakes.is_empty() {
        return Ok(settings);
    }
    Err(Failure::invalid(mistakes.into_iter().map(wrong).collect()))
}
