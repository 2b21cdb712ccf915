//! `reconfigure.forecast`: the loads for which to hold room.

use super::Resolver;
use crate::application::Forecast;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{ForecastDocument, Scalar};
use crate::requirement::{self, Measure};
use crate::span::Spanned;

/// The lead and the step where none is given, in seconds; the loop has the same.
const LEAD_S: f64 = 180.0;
const STEP_S: f64 = 60.0;
/// The longest lead, in steps.
const LEAD_STEPS_MAX: f64 = 240.0;

impl Resolver<'_> {
    /// Resolves the forecasts; the metrics are in scope.
    pub(super) fn forecasts(&mut self) -> Vec<Forecast> {
        let Some(reconfigure) = &self.document.reconfigure else { return Vec::new() };
        reconfigure.forecast.iter().filter_map(|(name, forecast)| self.forecast(name, forecast)).collect()
    }

    fn forecast(&mut self, name: &Spanned<String>, forecast: &ForecastDocument) -> Option<Forecast> {
        let path = format!("reconfigure.forecast.{}", name.value);
        let Some(metric) = self.scope.metrics.get(name.value.as_str()).map(|m| m.id) else {
            let finding = Diagnostic::error(name.span, format!("there is no metric `{}`", name.value));
            let help = match did_you_mean(&name.value, self.scope.metrics.keys().map(AsRef::as_ref)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "a forecast has the name of a metric of `metrics`".to_owned(),
            };
            self.report(&path, finding.help(help));
            return None;
        };
        let price = format!("{path}.violation");
        let violation = requirement::amount(&forecast.violation, Measure::Price, &self.currency);
        let violation = self.keep(&price, violation)?;
        if violation <= 0.0 {
            let finding =
                Diagnostic::error(forecast.violation.span, "a violation that costs nothing needs no forecast");
            self.report(&price, finding.help("write what an hour in violation costs, such as `60 USD/h`"));
            return None;
        }
        let lead_s = self.forecast_time(&path, "lead", forecast.lead.as_ref());
        let step_s = self.forecast_time(&path, "step", forecast.step.as_ref());
        let steps = lead_s.unwrap_or(LEAD_S) / step_s.unwrap_or(STEP_S);
        if steps > LEAD_STEPS_MAX {
            let span = forecast.lead.as_ref().or(forecast.step.as_ref()).map_or(name.span, |given| given.span);
            let finding = Diagnostic::error(span, format!("the lead is {steps:.0} steps, more than {LEAD_STEPS_MAX}"));
            self.report(&path, finding.help("write a longer `step` or a shorter `lead`"));
            return None;
        }
        Some(Forecast { metric, violation, lead_s, step_s, seasons: forecast.seasons })
    }

    fn forecast_time(&mut self, path: &str, word: &str, value: Option<&Spanned<Scalar>>) -> Option<f64> {
        let value = value?;
        let path = format!("{path}.{word}");
        let seconds = requirement::amount(value, Measure::Duration, &self.currency);
        let seconds = self.keep(&path, seconds)?;
        if (1.0..=3600.0).contains(&seconds) {
            return Some(seconds);
        }
        self.report(&path, Diagnostic::error(value.span, format!("the {word} is from 1s to 1h")));
        None
    }
}
