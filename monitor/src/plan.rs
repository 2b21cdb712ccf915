//! What a model wants measured, compiled once: which series each metric takes, and how.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cardinal_models::application::{Application, Fold, Measure, Window, matches_pattern};
use cardinal_models::document::Level;
use cardinal_models::unit::{Unit, conversion, parse_named_unit};

use crate::arrival::{Arrival, Refusal};
use crate::window::Division;

/// The metrics of a model that are measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(crate) metrics: Vec<Measured>,
    /// The metrics that take series of a name.
    by_source: HashMap<Box<str>, Vec<usize>>,
    components: HashSet<Arc<str>>,
}

/// A metric that is measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    /// Its name.
    pub name: Arc<str>,
    /// How its samples become one value.
    pub measure: Measure,
    /// How its window is divided, for one by time.
    pub division: Option<Division>,
    /// So often, in milliseconds, the value of a tumbling window that goes on is told to be of now.
    pub renew_ms: i64,
    unit: Option<Unit>,
    component: Option<Arc<str>>,
}

/// The value of a tumbling window that goes on is told to be of now so often, in milliseconds, unless its metric ages
/// sooner: no newer one can be known, and what is told is stored.
const RENEW_MS: i64 = 10_000;

fn renew_ms(window: Window, max_age_ms: Option<u64>) -> i64 {
    // Values of other windows have the time of their latest sample.
    let Window::Tumbling(_) = window else { return RENEW_MS };
    let soon = max_age_ms.and_then(|age| i64::try_from(age / 4).ok()).unwrap_or(RENEW_MS);
    soon.clamp(1, RENEW_MS)
}

/// The labels that tell of which component a series is.
const COMPONENT: &str = "component";
const SERVICE: &str = "service.name";

impl Plan {
    /// The plan of a model.
    pub fn of(application: &Application) -> Self {
        let measured = application.metrics.iter().filter_map(|metric| {
            let measure = metric.measure.clone()?;
            let division = Division::of(measure.window);
            let component = metric.component.map(|id| application[id].name.clone());
            let renew_ms = renew_ms(measure.window, metric.ageing.max_age_ms);
            Some(Measured { name: metric.name.clone(), measure, division, renew_ms, unit: metric.unit, component })
        });
        let metrics: Vec<Measured> = measured.collect();
        let mut by_source: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (i, metric) in metrics.iter().enumerate() {
            let source = metric.measure.source.as_ref().unwrap_or(&metric.name);
            by_source.entry(source.as_ref().into()).or_default().push(i);
        }
        let components = application.components.iter().map(|c| c.name.clone()).collect();
        Plan { metrics, by_source, components }
    }

    /// True when no metric is measured.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// True when series of this name may be asked for.
    pub fn asks_for(&self, name: &str) -> bool {
        self.by_source.contains_key(name)
    }

    /// The metrics that take a series.
    pub(crate) fn takers<'p>(&'p self, arrival: &'p Arrival<'_>) -> impl Iterator<Item = (usize, &'p Measured)> {
        let all = self.by_source.get(arrival.name).map_or(&[][..], Vec::as_slice);
        let component = self.component(arrival);
        all.iter().map(|i| (*i, &self.metrics[*i])).filter(move |(_, metric)| metric.takes(arrival, component))
    }

    /// The component that a series says it is of; the service of that name where it does not say.
    fn component<'a>(&self, arrival: &Arrival<'a>) -> Option<&'a str> {
        let labels = arrival.labels;
        labels.get(COMPONENT).or_else(|| labels.get(SERVICE).filter(|name| self.components.contains(*name)))
    }

    /// The part of the deployment whose samples a series belongs to; empty where it does not say.
    pub(crate) fn group<'a>(&self, metric: usize, arrival: &Arrival<'a>) -> &'a str {
        let said = match self.metrics[metric].measure.per {
            Level::Component => self.component(arrival),
            per => per.label().and_then(|label| arrival.labels.get(label)),
        };
        said.unwrap_or("")
    }
}

impl Measured {
    fn takes(&self, arrival: &Arrival<'_>, component: Option<&str>) -> bool {
        let is_of_component = match (self.component.as_deref(), component) {
            (Some(wanted), Some(said)) => wanted == said,
            _ => true,
        };
        is_of_component
            && self.measure.labels.iter().all(|(name, values)| {
                let value = arrival.labels.get(name).unwrap_or("");
                values.iter().any(|pattern| matches_pattern(pattern, value))
            })
    }

    /// True when all samples are one group.
    pub fn is_whole(&self) -> bool {
        self.measure.per == Level::Global
    }

    /// What values of a unit are multiplied by to be in the unit of the metric.
    ///
    /// # Errors
    /// [`Refusal::Unit`] when one cannot be the other. A unit that is not known fits any.
    pub fn factor(&self, unit: Option<&str>) -> Result<f64, Refusal> {
        let Some(own) = self.unit else { return Ok(1.0) };
        let per_second = Unit::RATIO.over(Unit::SECOND);
        let given = match (unit.and_then(known_unit), self.measure.fold) {
            (_, Fold::Count) => return Ok(1.0),
            (Some(unit), Fold::Rate) => unit.over(Unit::SECOND),
            // What a counter without unit counts per second, where the metric is of that kind.
            (None, Fold::Rate) => per_second.filter(|per| per.same_dimension(own)),
            (given, _) => given,
        };
        // `1` is said of ratios and of whatever is only counted.
        match given.filter(|given| *given != Unit::RATIO || own.is_dimensionless()) {
            Some(given) => conversion(given, own).ok_or(Refusal::Unit),
            None => Ok(1.0),
        }
    }
}

/// A unit as OpenTelemetry writes it (UCUM). What is only counted (`{request}`, or nothing) has none.
fn known_unit(text: &str) -> Option<Unit> {
    let mut plain = String::new();
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let (over, under) = plain.split_once('/').unwrap_or((&plain, ""));
    let simple = |word: &str| -> Option<Unit> {
        let word = match word.trim() {
            "1" => return Some(Unit::RATIO),
            "By" => "B",
            "kBy" => "kB",
            "MBy" => "MB",
            "GBy" => "GB",
            "TBy" => "TB",
            "KiBy" => "KiB",
            "MiBy" => "MiB",
            "GiBy" => "GiB",
            "TiBy" => "TiB",
            word => word,
        };
        parse_named_unit(word).ok().map(|named| named.unit)
    };
    if under.trim().is_empty() {
        return simple(over);
    }
    let over = if over.trim().is_empty() { Some(Unit::RATIO) } else { simple(over) };
    over?.over(simple(under)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_opentelemetry_are_known() {
        for (text, own) in
            [("ms", "ms"), ("By", "B"), ("MiBy", "MiB"), ("By/s", "B/s"), ("1", "ratio"), ("%", "percent")]
        {
            let own = parse_named_unit(own).map(|named| named.unit).ok();
            assert_eq!(known_unit(text), own, "{text}");
        }
        assert_eq!(known_unit("{request}"), None);
        assert_eq!(known_unit("{request}/s"), Unit::RATIO.over(Unit::SECOND));
        assert_eq!(known_unit("furlong"), None);
    }
}
