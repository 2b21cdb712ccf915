//! What the metrics of a simulation do: texts of the command line, and recorded traces.

use std::path::Path;
use std::sync::Arc;

use cardinal_control::simulate::{Load, Shape};
use cardinal_edge::failure::Failure;
use cardinal_edge::finding::Finding;
use cardinal_models::application::Application;
use cardinal_models::diagnostic::{Source, did_you_mean};
use cardinal_models::span::Span;
use cardinal_models::unit::{conversion, parse_quantity, parse_unit};
use cardinal_solver::what_if::metric::metric_value;

use super::files;

/// The period of a wave that names none: a day.
const DAY_MS: u64 = 86_400_000;

/// A recorded load.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// The file.
    pub path: &'a Path,
    /// Metrics and the columns that they are in, where the names differ.
    pub columns: &'a [(String, String)],
    /// So much of it is passed over, in milliseconds.
    pub skip_ms: u64,
}

/// The loads that were asked for; all mistakes at once.
pub fn read(
    application: &Application,
    texts: &[String],
    trace: Option<&Trace<'_>>,
    noise: f64,
) -> Result<Vec<Load>, Failure> {
    let (mut loads, mut errors) = (Vec::new(), Vec::new());
    for text in texts {
        match one(application, text) {
            Ok(load) => loads.push(Load { noise, ..load }),
            Err(finding) => errors.push(finding),
        }
    }
    if let Some(trace) = trace {
        match recorded(application, &files::read(trace.path)?, trace) {
            Ok(recorded) => loads.extend(recorded),
            Err(finding) => errors.push(finding),
        }
    }
    for (i, load) in loads.iter().enumerate() {
        if loads[..i].iter().any(|earlier| earlier.metric == load.metric) {
            errors.push(Finding::error(format!("the load of `{}` is given twice", load.metric)));
        }
    }
    if errors.is_empty() { Ok(loads) } else { Err(Failure::invalid(errors)) }
}

fn one(application: &Application, text: &str) -> Result<Load, Finding> {
    let help = "write `NAME=VALUE` or `NAME=LOW..HIGH[:PERIOD][/COMPONENT]`, such as `requests=80..400:1d`";
    let (name, rest) =
        text.split_once('=').ok_or_else(|| Finding::error(format!("`{text}` gives no metric a load")).help(help))?;
    let metric = metric(application, name)?;
    let (course, component) = match rest.rsplit_once('/') {
        Some((course, component)) if application.component(component.trim()).is_some() => {
            (course, Some(component.trim().to_owned()))
        }
        _ => (rest, None),
    };
    let (values, period) = match course.rsplit_once(':') {
        Some((values, period)) => (values, Some(period)),
        None => (course, None),
    };
    let value = |text: &str| {
        let found = metric_value(application, &application.metrics[metric], text.trim());
        found.map_err(|misread| Finding::misread(&format!("--load {name}"), &misread))
    };
    let period_ms = period.map_or(Ok(DAY_MS), |text| period_ms(text).map_err(|e| Finding::error(e).help(help)))?;
    let (low, high) = match values.split_once("..") {
        Some((low, high)) => (value(low)?, value(high)?),
        None => (value(values)?, value(values)?),
    };
    let shape = Shape::Wave { low, high, period_ms };
    Ok(Load { metric: application.metrics[metric].name.to_string(), shape, per_instance_of: component, noise: 0.0 })
}

fn metric(application: &Application, name: &str) -> Result<usize, Finding> {
    let name = name.trim().trim_matches('`');
    application.metric(name).map(|id| id.index()).ok_or_else(|| {
        let names = || application.metrics.iter().map(|m| m.name.as_ref());
        let finding = Finding::error(format!("there is no metric `{name}`"));
        match did_you_mean(name, names()) {
            Some(meant) => finding.help(format!("did you mean `{meant}`?")),
            None => finding.help(format!("the metrics are {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
}

fn period_ms(text: &str) -> Result<u64, String> {
    let (value, unit) = parse_quantity(text)?;
    let second = parse_unit("s")?;
    let factor = conversion(unit.unwrap_or(second), second).ok_or("the period is a time such as `6h`")?;
    let ms = value * factor * 1000.0;
    if (1000.0..=3.2e13).contains(&ms) { Ok(ms as u64) } else { Err("the period is at least a second".to_owned()) }
}

/// A CSV with the time and one column for each metric.
fn recorded(application: &Application, source: &Arc<Source>, trace: &Trace<'_>) -> Result<Vec<Load>, Finding> {
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(source.text.as_bytes());
    let wrong = |line: u64, message: String| {
        let at = source.text.split_inclusive('\n').take(line.saturating_sub(1) as usize).map(str::len).sum::<usize>();
        let end = source.text[at..].find('\n').map_or(source.text.len(), |n| at + n);
        Finding::error(message).at(source, Span::new(at, end))
    };
    let headers = reader.headers().map_err(|error| wrong(1, format!("this is no CSV: {error}")))?.clone();
    let known = columns(application, &headers, trace).map_err(|finding| finding.at(source, Span::new(0, 0)))?;
    let mut values: Vec<Vec<(u64, f64)>> = vec![Vec::new(); known.len()];
    let mut first = None;
    for record in reader.records() {
        let record =
            record.map_err(|error| wrong(error.position().map_or(1, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(1, csv::Position::line);
        let number = |i: usize| {
            let text = record.get(i).unwrap_or("");
            let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
            number.ok_or_else(|| wrong(line, format!("`{text}` in column `{}` is no number", &headers[i])))
        };
        let seconds = seconds(record.get(0).unwrap_or(""), headers.get(0).unwrap_or(""))
            .ok_or_else(|| wrong(line, format!("`{}` is no time", record.get(0).unwrap_or(""))))?;
        let from = *first.get_or_insert(seconds);
        let at = ((seconds - from) * 1000.0).max(0.0) as u64;
        for ((column, _), values) in known.iter().zip(&mut values) {
            if values.last().is_some_and(|(before, _)| *before >= at) {
                return Err(wrong(line, "the times of a trace must rise".to_owned()));
            }
            values.push((at, number(*column)?));
        }
    }
    for values in &mut values {
        values.retain(|(at, _)| *at >= trace.skip_ms);
        values.iter_mut().for_each(|(at, _)| *at -= trace.skip_ms);
    }
    if values.iter().any(Vec::is_empty) {
        let finding = Finding::error(format!("the trace `{}` has no values", source.name));
        return Err(if trace.skip_ms > 0 { finding.help("`--skip` passes over all of it") } else { finding });
    }
    let load =
        |((_, metric), values)| Load { metric, shape: Shape::Recorded(values), per_instance_of: None, noise: 0.0 };
    Ok(known.into_iter().zip(values).map(load).collect())
}

/// The columns that are metrics: those that were named, else those that have the name of one, else the only one of all
/// where the model measures one metric alone.
fn columns(
    application: &Application,
    headers: &csv::StringRecord,
    trace: &Trace<'_>,
) -> Result<Vec<(usize, String)>, Finding> {
    if !trace.columns.is_empty() {
        let place = |(name, column): &(String, String)| {
            metric(application, name)?;
            let at = headers.iter().position(|header| header == column).ok_or_else(|| {
                let all = headers.iter().skip(1).collect::<Vec<_>>().join(", ");
                Finding::error(format!("the trace has no column `{column}`")).help(format!("its columns are {all}"))
            })?;
            Ok((at, name.clone()))
        };
        return trace.columns.iter().map(place).collect();
    }
    let values = || headers.iter().enumerate().skip(1);
    let known: Vec<(usize, String)> =
        values().filter(|(_, name)| application.metric(name).is_some()).map(|(i, name)| (i, name.to_owned())).collect();
    if !known.is_empty() {
        return Ok(known);
    }
    let mut measured = application.metrics.iter().filter(|m| m.formula.is_none());
    match (measured.next(), measured.next(), values().count()) {
        (Some(only), None, 1) => Ok(vec![(1, only.name.to_string())]),
        _ => {
            let names: Vec<&str> = application.metrics.iter().map(|m| m.name.as_ref()).collect();
            let finding = Finding::error("no column of the trace is a metric of the model");
            Err(finding.help(format!(
                "say which is which with `--column METRIC=COLUMN`; the metrics are {}",
                names.join(", ")
            )))
        }
    }
}

/// A time in seconds: a number, in minutes where the column is named so, or a date with a time.
fn seconds(text: &str, header: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<f64>() {
        let unit = if matches!(header, "minute" | "minutes") { 60.0 } else { 1.0 };
        return Some(number * unit).filter(|x| x.is_finite());
    }
    let when: jiff::civil::DateTime = text.trim_end_matches('Z').parse().ok()?;
    let since = when.since(jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0)).ok()?;
    since.total(jiff::SpanTotal::from(jiff::Unit::Second).days_are_24_hours()).ok()
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_numbers_or_dates() {
        assert_eq!(seconds("90", "time"), Some(90.0));
        assert_eq!(seconds("90", "minute"), Some(5400.0));
        let (first, second) = (seconds("1998-04-30 21:30:00", "period"), seconds("1998-05-01T00:00:00", "period"));
        assert_eq!(first.zip(second).map(|(a, b)| b - a), Some(9000.0));
        assert_eq!(seconds("soon", "time"), None);
    }
}
