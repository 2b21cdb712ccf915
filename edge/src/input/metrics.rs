//! Metric values from texts.

use cardinal_models::application::Application;
use cardinal_models::diagnostic::did_you_mean;
use cardinal_solver::what_if::metric::metric_value;

use crate::failure::Failure;
use crate::finding::Finding;

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
    let value = metric_value(application, metric, value)
        .map_err(|misread| Finding::misread(&format!("metric `{name}`"), &misread))?;
    Ok((id.index(), value))
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
