//! `cardinal what-if`: scenarios side by side, and sweeps.

use std::time::Instant;

use cardinal_edge::crew::Crew;
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::input::question::Asked;
use cardinal_edge::input::scenarios::interpret;
use cardinal_edge::what_if::compare::{Compared, compare};
use cardinal_edge::what_if::sweep::{Breaks, Swept, sweep};
use cardinal_edge::write;
use cardinal_solver::Settings;
use cardinal_solver::selector::{Misread, Selector};
use cardinal_solver::what_if::amount::Amount;
use cardinal_solver::what_if::axis::Axis;
use cardinal_solver::what_if::{Change, Question, Scenario};

use crate::arguments::{TableForm, WhatIf};
use crate::input::{files, question};
use crate::progress::Bar;
use crate::{interrupt, output, plot, render};

/// The name of the changes of the command line.
const CHANGED: &str = "changed";

/// Answers a what-if.
pub fn run(arguments: &WhatIf, started: Instant) -> Result<Exit, Failure> {
    let Asked { model, snapshot, .. } = question::load(&arguments.inputs)?;
    let base = Question { document: model.document.clone(), snapshot };
    let changes = changes(arguments)?;
    let mut scenarios = Vec::new();
    for path in &arguments.scenarios {
        scenarios.extend(interpret(&files::read(path)?)?);
    }
    let axes = read_all(&arguments.sweep, "--sweep", Axis::read)?;
    if let Some(path) = &arguments.plot {
        plot::check(path)?;
    }
    let cancel = interrupt::watch();
    if let Some(limit) = arguments.total_time.0 {
        interrupt::guard(limit);
    }
    let settings = Settings {
        time_limit: arguments.inputs.time_limit.0,
        gap: arguments.inputs.gap,
        cancel: Some(cancel.clone()),
        ..Settings::default()
    };
    let deadline = arguments.total_time.0.map(|limit| started + limit);
    let bar = Bar::start();
    let watch = |done, total| bar.show(done, total);
    let crew = Crew { jobs: Crew::size(arguments.jobs), settings, deadline, cancel, watch: &watch };
    if axes.is_empty() {
        if !changes.is_empty() {
            scenarios.insert(0, Scenario { name: CHANGED.to_owned(), description: None, changes });
        }
        if scenarios.is_empty() {
            let finding = Finding::error("nothing is different");
            return Err(finding
                .help("name a change, such as `--set requests=2x`; see `cardinal what-if --help`")
                .into());
        }
        let found = compare(&model, &base, scenarios, &crew)?;
        drop(bar);
        return show_comparison(arguments, &found);
    }
    let changed = base.with(&changes).map_err(|misread| Finding::misread("the changes", &misread))?;
    let breaks = if arguments.no_breaks { Breaks::Leave } else { Breaks::Find };
    let found = sweep(&model, &changed, axes, breaks, &crew)?;
    drop(bar);
    show_sweep(arguments, &found)
}

/// Reads every text, or tells all that cannot be read.
fn read_all<T>(texts: &[String], whose: &str, read: impl Fn(&str) -> Result<T, Misread>) -> Result<Vec<T>, Failure> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for text in texts {
        match read(text) {
            Ok(one) => all.push(one),
            Err(misread) => errors.push(Finding::misread(whose, &misread)),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Failure::invalid(errors)) }
}

/// The changes of the command line.
fn changes(arguments: &WhatIf) -> Result<Vec<Change>, Failure> {
    let mut parts = Vec::new();
    parts.push(Ok(arguments.drop.iter().map(|name| Change::Drop(name.clone())).collect()));
    parts.push(read_all(&arguments.cardinality, "--cardinality", |text| {
        let help = "write `COMPONENT=RANGE`, such as `web=2..10`";
        let wrong = || Misread::new(format!("`{text}` gives no component a range"), help);
        let (name, range) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Change::Cardinality(name.trim().to_owned(), range.trim().to_owned()))
    }));
    parts.push(read_all(&arguments.limit, "--limit", |text| {
        Amount::assignment(text).map(|(name, amount)| Change::Limit(name, amount))
    }));
    parts.push(read_all(&arguments.set, "--set", |text| {
        Amount::assignment(text).map(|(name, amount)| Change::Set(name, amount))
    }));
    parts.push(read_all(&arguments.price, "--price", |text| {
        let (offers, amount) = Amount::assignment(text)?;
        Ok(Change::Price(Selector::read(&offers)?, amount))
    }));
    parts.push(read_all(&arguments.without, "--without", |text| Selector::read(text).map(Change::Without)));
    if !arguments.only.is_empty() {
        let only = Selector::any(&arguments.only).map_err(|misread| Finding::misread("--only", &misread));
        parts.push(only.map(|offers| vec![Change::Only(offers)]).map_err(Failure::from));
    }
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Ok(changes) => all.extend::<Vec<Change>>(changes),
            Err(failure) => errors.extend(failure.findings),
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Failure::invalid(errors)) }
}

fn show_comparison(arguments: &WhatIf, found: &Compared) -> Result<Exit, Failure> {
    let Compared { answer, names, exit } = found;
    match arguments.output {
        TableForm::Table => output::print(&render::what_if::comparison(answer, names))?,
        TableForm::Csv => output::print_raw(&render::what_if::comparison_csv(answer)?)?,
        TableForm::Json => output::print_raw(write::json(answer)?.as_bytes())?,
        TableForm::Yaml => output::print_raw(write::yaml(answer)?.as_bytes())?,
    }
    Ok(*exit)
}

fn show_sweep(arguments: &WhatIf, found: &Swept) -> Result<Exit, Failure> {
    let Swept { answer, axes, names, exit } = found;
    if let Some(path) = &arguments.plot {
        plot::draw(path, answer)?;
        render::diagnostics::note(&format!("plot written to `{}`", path.display()));
    }
    match arguments.output {
        TableForm::Table => output::print(&render::what_if::sweep(answer, axes, names))?,
        TableForm::Csv => output::print_raw(&render::what_if::sweep_csv(answer)?)?,
        TableForm::Json => output::print_raw(write::json(answer)?.as_bytes())?,
        TableForm::Yaml => output::print_raw(write::yaml(answer)?.as_bytes())?,
    }
    Ok(*exit)
}
