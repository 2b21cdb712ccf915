//! The value of a metric from a text, in the metric's unit or with one: `260`, `260/s`, `120 ms`.

use cardinal_models::application::{Application, Metric};
use cardinal_models::unit::{conversion, parse_named_quantity};

use crate::selector::Misread;

/// The value in the unit of the metric.
pub fn metric_value(application: &Application, metric: &Metric, text: &str) -> Result<f64, Misread> {
    let example = || {
        let unit = metric.unit.map_or(String::new(), |u| format!(" or `{}=120 {u}`", metric.name));
        format!("write `{}=120`{unit}", metric.name)
    };
    // A rate may be written without its 1, and then without a space: `260/s`.
    let rate = text.split_once('/').filter(|(number, _)| number.trim().parse::<f64>().is_ok());
    let rate = rate.map(|(number, per)| format!("{number} 1/{per}"));
    let quantity = parse_named_quantity(rate.as_deref().unwrap_or(text));
    let quantity = quantity.map_err(|message| Misread::new(message, example()))?;
    let Some(named) = quantity.unit else { return Ok(quantity.value) };
    let Some(unit) = metric.unit else {
        let help = "write the bare number, or declare the `unit` of the metric in the model";
        return Err(Misread::new(format!("`{}` has a unit, the metric has none", text.trim()), help));
    };
    if let (Some(given), Some(known)) = (named.currency, &application.currency)
        && given != known
    {
        return Err(Misread::new(format!("`{}` is in {given}, the model in {known}", text.trim()), example()));
    }
    match conversion(named.unit, unit) {
        Some(factor) => Ok(quantity.value * factor),
        None => {
            let message = format!("`{}` does not fit the unit of the metric, {unit}", text.trim());
            Err(Misread::new(message, example()))
        }
    }
}
