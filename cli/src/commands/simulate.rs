//! `cardinal simulate`: the loop against a simulated cloud, in virtual time.

use std::path::Path;
use std::sync::atomic::Ordering;

use cardinal_adapter::diff::StartupTime;
use cardinal_adapter::driver::simulated::{CloudSettings, FaultRates};
use cardinal_control::LoopSettings;
use cardinal_control::decide::{InProcess, Resources};
use cardinal_control::foresight::MetricForecast;
use cardinal_control::simulate::{Report, Scenario, simulate};
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::input::catalogs::{check_currency, interpret};
use cardinal_edge::write;
use cardinal_models::application::Application;

use crate::arguments::simulate::Simulate;
use crate::arguments::{AnswerForm, TimeLimit};
use crate::input::{catalogs, files, load, model, policies};
use crate::{interrupt, output, render};

mod versus;

/// Runs the simulation of each seed and prints what came of it.
pub fn run(arguments: &Simulate) -> Result<Exit, Failure> {
    let model = model::load(arguments.model(), arguments.from)?;
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
    if arguments.compare {
        return versus::run(arguments, &resources, &scenario, &currency, &cancel);
    }
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
    if let Some(violation) = arguments.violation {
        forecast(violation, application, arguments, &mut settings)?;
    }
    authorise(arguments, &mut settings)?;
    // A third each: before the effect, after it, and with the answer lost.
    let each = arguments.faults.min(1.0) / 3.0;
    let faults = FaultRates { before_effect: each, after_effect: each, answer_lost: each, ..FaultRates::default() };
    let mut cloud = CloudSettings { faults, ..CloudSettings::default() };
    if let Some(start_up) = &arguments.start_up {
        start_within(start_up, &mut cloud)?;
    }
    let skip_ms = arguments.skip.as_ref().and_then(|t| t.0).map_or(0, |t| t.as_millis() as u64);
    let trace = arguments.trace.as_deref().map(|path| load::Trace { path, columns: &arguments.columns, skip_ms });
    Ok(Scenario {
        duration_ms,
        settings,
        cloud,
        load: load::read(application, &arguments.loads, trace.as_ref(), arguments.noise)?,
        losses_per_hour: arguments.losses,
        crashes_per_thousand: arguments.crashes * 1000.0,
        ..Scenario::default()
    })
}

/// Machines serve after this time: all but what the calls and the instance itself take is that of the node.
fn start_within(start_up: &TimeLimit, cloud: &mut CloudSettings) -> Result<(), Failure> {
    let ms = start_up.0.map_or(0, |t| t.as_millis() as u64);
    if !(10_000..=3_600_000).contains(&ms) {
        return Err(Finding::error("--start-up: from 10s to 1h").into());
    }
    let node = ms - ms / 4;
    cloud.startup = StartupTime { low_ms: node, high_ms: node };
    cloud.instance_startup = StartupTime { low_ms: 1_000, high_ms: 1_000 };
    Ok(())
}

/// Forecasts the measured metrics that rules speak of and for which the model asks no forecast.
fn forecast(
    violation: f64,
    application: &Application,
    arguments: &Simulate,
    settings: &mut LoopSettings,
) -> Result<(), Failure> {
    let forecast = MetricForecast::new(violation);
    if let Some(mistake) = forecast.mistakes().first() {
        return Err(Finding::error(format!("--violation: {mistake}")).into());
    }
    let loaded = load_names(application, arguments);
    for name in loaded {
        settings.forecast.entry(name).and_modify(|f| f.violation = violation).or_insert(forecast);
    }
    Ok(())
}

/// The metrics that have a load on the command line.
fn load_names(application: &Application, arguments: &Simulate) -> Vec<String> {
    let texts = arguments.loads.iter().filter_map(|text| text.split_once('=').map(|(name, _)| name.trim()));
    let columns = arguments.columns.iter().map(|(metric, _)| metric.as_str());
    let mut named: Vec<String> = texts.chain(columns).map(str::to_owned).collect();
    if named.is_empty() {
        let measured = application.metrics.iter().filter(|m| m.formula.is_none());
        named.extend(measured.map(|m| m.name.to_string()));
    }
    named
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
