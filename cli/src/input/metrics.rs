//! Metric values of the command line.

use cardinal_models::application::{Application, Metric};
use cardinal_models::diagnostic::did_you_mean;
use cardinal_models::unit::{conversion, parse_named_quantity};

use crate::failure::{Failure, Finding};

/// The values of the metrics of an application, from texts like `rt=120ms`; all mistakes at once.
pub fn read(application: &Application, given: &[String]) -> Result<Vec<Option<f64>>, Failure> {
    let mut values = vec![None; application.metrics.len()];
    let mut errors = Vec::new();
    for text in given {
        match one(application, text) {
            Ok((index, _)) if values[index].is_some() => {
                let name = &application.metrics[index].name;
                errors.push(Finding::error(format!("the metric `{name}` is given twice")));
            }
            Ok((index, value)) => values[index] = Some(value),
            Err(finding) => errors.push(finding),
        }
    }
    if errors.is_empty() { Ok(values) } else { Err(Failure::invalid(errors)) }
}

fn one(application: &Application, text: &str) -> Result<(usize, f64), Finding> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(Finding::error(format!("`{text}` gives no metric a value")).help("write `--metric NAME=VALUE`"));
    };
    let name = name.trim().trim_matches('`');
    let Some(id) = application.metric(name) else { return Err(unknown(application, name)) };
    let metric = &application.metrics[id.index()];
    let value = quantity(application, metric, value)
        .map_err(|(message, help)| Finding::error(format!("metric `{name}`: {message}")).help(help))?;
    Ok((id.index(), value))
}

/// The value in the unit of the metric; otherwise what is wrong and the mend.
fn quantity(application: &Application, metric: &Metric, text: &str) -> Result<f64, (String, String)> {
    let example = || {
        let unit = metric.unit.map_or(String::new(), |u| format!(" or `{}=120 {u}`", metric.name));
        format!("write `{}=120`{unit}", metric.name)
    };
    // A rate may be written without its 1, and then without a space: `260/s`.
    let rate = text.split_once('/').filter(|(number, _)| number.trim().parse::<f64>().is_ok());
    let rate = rate.map(|(number, per)| format!("{number} 1/{per}"));
    let quantity = parse_named_quantity(rate.as_deref().unwrap_or(text)).map_err(|message| (message, example()))?;
    let Some(named) = quantity.unit else { return Ok(quantity.value) };
    let Some(unit) = metric.unit else {
        let help = "write the bare number, or declare the `unit` of the metric in the model".to_owned();
        return Err((format!("`{}` has a unit, the metric has none", text.trim()), help));
    };
    if let (Some(given), Some(known)) = (named.currency, &application.currency)
        && given != known
    {
        return Err((format!("`{}` is in {given}, the model in {known}", text.trim()), example()));
    }
    match conversion(named.unit, unit) {
        Some(factor) => Ok(quantity.value * factor),
        None => Err((format!("`{}` does not fit the unit of the metric, {unit}", text.trim()), example())),
    }
}

fn unknown(application: &Application, name: &str) -> Finding {
    let names = || application.metrics.iter().map(|m| m.name.as_ref());
    let finding = match did_you_mean(name, names()) {
        Some(meant) => Finding::error(format!("there is no metric `{name}`; did you mean `{meant}`?")),
        None => Finding::error(format!("there is no metric `{name}`")),
    };
    let listed: Vec<String> = names().map(|n| format!("`{n}`")).collect();
    match listed.len() {
        0 => finding.help("the model has no metrics"),
        _ => finding.help(format!("the metrics are {}", listed.join(", "))),
    }
}
