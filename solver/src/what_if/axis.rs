//! What a sweep changes, over which values: `requests=100..10000:log:50`, `price:aws/*=-20%..+40%`.

use cardinal_models::unit::{conversion, parse_named_quantity};

use super::Change;
use super::amount::Amount;
use crate::selector::{Misread, Selector};

/// The most points that one axis may have.
pub const POINTS_MAX: usize = 100_000;
/// The points of an axis that does not say how many.
const POINTS: usize = 21;

/// What is changed along an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A metric or a constant.
    Set(String),
    /// The prices of some offers.
    Price(Selector),
    /// The limit of a constraint, an SLO, the budget or a quota.
    Limit(String),
    /// The number of instances of a component, exactly.
    Cardinality(String),
}

/// How the values of an axis are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// As values in a unit, or bare numbers.
    Absolute(Option<String>),
    /// As factors.
    Factor,
    /// As changes in percent.
    Percent,
}

/// A range of values for something.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What is changed.
    pub target: Target,
    /// How the values are meant.
    pub form: Form,
    /// The values, ascending.
    pub values: Vec<f64>,
    /// True when each is the same multiple of the one before.
    pub is_log: bool,
}

const SHAPE: &str = "write `NAME=LOW..HIGH`, then `:log` for equal factors and `:STEPS` for how many, such as \
                     `requests=100..10000:log:50`, `price:aws/*=-20%..+40%:13`, `limit:budget=1..5`";

impl Axis {
    /// Reads an axis: `[price:|limit:|cardinality:]WHAT=LOW..HIGH[:log][:STEPS]`.
    pub fn read(text: &str) -> Result<Axis, Misread> {
        let wrong = |what: &str| Misread::new(format!("`{text}`: {what}"), SHAPE);
        let (what, range) = text.rsplit_once('=').ok_or_else(|| wrong("it has no range"))?;
        let what = what.trim();
        let target = match what.split_once(':') {
            Some(("price", offers)) => Target::Price(Selector::read(offers)?),
            Some(("limit", name)) => Target::Limit(name.trim().to_owned()),
            Some(("cardinality", name)) => Target::Cardinality(name.trim().to_owned()),
            Some(("set", name)) => Target::Set(name.trim().to_owned()),
            Some((other, _)) => return Err(wrong(&format!("`{other}` cannot be swept"))),
            None => Target::Set(what.trim_matches('`').to_owned()),
        };
        let mut parts = range.split(':').map(str::trim);
        let ends = parts.next().unwrap_or("");
        let (low, high) = ends.split_once("..").ok_or_else(|| wrong("a range has two ends"))?;
        let (mut is_log, mut steps) = (false, None);
        for part in parts {
            match part {
                "log" => is_log = true,
                "lin" | "linear" => is_log = false,
                number => {
                    let n: usize = number.parse().map_err(|_| wrong(&format!("`{number}` is no number of steps")))?;
                    if !(2..=POINTS_MAX).contains(&n) {
                        return Err(wrong(&format!("the number of points is from 2 to {POINTS_MAX}")));
                    }
                    steps = Some(n);
                }
            }
        }
        let (form, low, high) = ends_of(low.trim(), high.trim()).map_err(|what| wrong(&what))?;
        if low >= high || low.is_nan() || high.is_nan() {
            return Err(wrong("the first end of the range must be smaller than the second"));
        }
        if is_log && low <= 0.0 {
            return Err(wrong("a logarithmic range begins above zero"));
        }
        let is_whole = matches!(target, Target::Cardinality(_));
        let values =
            if is_whole { whole(low, high, steps) } else { spaced(low, high, is_log, steps.unwrap_or(POINTS)) };
        Ok(Axis { target, form, values, is_log })
    }

    /// The name of what is changed.
    pub fn label(&self) -> String {
        let name = match &self.target {
            Target::Set(name) => name.clone(),
            Target::Price(offers) => format!("price of {}", offers.text()),
            Target::Limit(name) => format!("limit of {name}"),
            Target::Cardinality(name) => format!("cardinality of {name}"),
        };
        match &self.form {
            Form::Absolute(Some(unit)) => format!("{name} ({unit})"),
            _ => name,
        }
    }

    /// True when there is nothing between neighbouring whole numbers.
    pub fn is_whole(&self) -> bool {
        matches!(self.target, Target::Cardinality(_))
    }

    /// The change that a value of the axis is.
    pub fn change(&self, value: f64) -> Change {
        let amount = match &self.form {
            Form::Absolute(None) => Amount::To(format!("{value}")),
            Form::Absolute(Some(unit)) => Amount::To(format!("{value} {unit}")),
            Form::Factor => Amount::Times(value),
            Form::Percent => Amount::Times(1.0 + value / 100.0),
        };
        match &self.target {
            Target::Set(name) => Change::Set(name.clone(), amount),
            Target::Price(offers) => Change::Price(offers.clone(), amount),
            Target::Limit(name) => Change::Limit(name.clone(), amount),
            Target::Cardinality(name) => Change::Cardinality(name.clone(), format!("{value}")),
        }
    }

    /// A value as it would be written.
    pub fn show(&self, value: f64) -> String {
        match &self.form {
            Form::Absolute(None) => format!("{value}"),
            Form::Absolute(Some(unit)) => format!("{value} {unit}"),
            Form::Factor => format!("{value}x"),
            Form::Percent if value > 0.0 => format!("+{value} %"),
            Form::Percent => format!("{value} %"),
        }
    }
}

fn ends_of(low: &str, high: &str) -> Result<(Form, f64, f64), String> {
    let number = |text: &str| {
        let value = text.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        value.ok_or_else(|| format!("`{text}` is no number"))
    };
    let is_change = |text: &str| text.ends_with('%') && text.starts_with(['+', '-']);
    if is_change(low) || is_change(high) {
        let share = |text: &str| number(text.trim_end_matches('%'));
        let (low, high) = (share(low)?, share(high)?);
        return if low < -100.0 {
            Err("nothing falls by more than 100 %".to_owned())
        } else {
            Ok((Form::Percent, low, high))
        };
    }
    let times = |text: &str| text.strip_suffix(['x', '×']).map(str::to_owned);
    if let Some(top) = times(high) {
        let (low, high) = (number(&times(low).unwrap_or(low.to_owned()))?, number(&top)?);
        return if low < 0.0 { Err("a factor is not negative".to_owned()) } else { Ok((Form::Factor, low, high)) };
    }
    let (first, last) = (parse_named_quantity(low)?, parse_named_quantity(high)?);
    let Some(unit) = last.unit else {
        return match first.unit {
            None => Ok((Form::Absolute(None), first.value, last.value)),
            Some(_) => Err(format!("`{high}` needs the unit of `{low}`")),
        };
    };
    let text = high.trim().trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '+' | ' '));
    let low_value = match first.unit {
        None => first.value,
        Some(own) => first.value * conversion(own.unit, unit.unit).ok_or("the ends have different dimensions")?,
    };
    Ok((Form::Absolute(Some(text.to_owned())), low_value, last.value))
}

fn spaced(low: f64, high: f64, is_log: bool, points: usize) -> Vec<f64> {
    let last = (points - 1) as f64;
    let at = |i: usize| {
        let share = i as f64 / last;
        let value = if is_log { low * (high / low).powf(share) } else { low + (high - low) * share };
        // People read these: no digits that only come from binary fractions.
        let shown: f64 = format!("{value:.9e}").parse().unwrap_or(value);
        shown.clamp(low, high)
    };
    let mut values: Vec<f64> = (0..points).map(at).collect();
    values[0] = low;
    values[points - 1] = high;
    values.dedup();
    values
}

fn whole(low: f64, high: f64, steps: Option<usize>) -> Vec<f64> {
    let (low, high) = (low.max(0.0).ceil(), high.floor());
    let points = steps.unwrap_or(POINTS_MAX).min((high - low) as usize + 1).max(2);
    let mut values: Vec<f64> = spaced(low, high.max(low + 1.0), false, points).into_iter().map(f64::round).collect();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_axes() {
        let read = |text: &str| Axis::read(text).map(|a| (a.label(), a.values.clone(), a.show(a.values[0])));
        let ok = |label: &str, values: &[f64], shown: &str| Ok((label.to_owned(), values.to_vec(), shown.to_owned()));
        assert_eq!(read("requests=100..10000:log:3"), ok("requests", &[100.0, 1000.0, 10000.0], "100"));
        assert_eq!(read("price:aws/*=-20%..+40%:4"), ok("price of aws/*", &[-20.0, 0.0, 20.0, 40.0], "-20 %"));
        assert_eq!(read("load=0.5x..2x:4"), ok("load", &[0.5, 1.0, 1.5, 2.0], "0.5x"));
        assert_eq!(read("set=1..3 GiB:3"), ok("set (GiB)", &[1.0, 2.0, 3.0], "1 GiB"));
        assert_eq!(read("limit:budget=512 MiB..1 GiB:2"), ok("limit of budget (GiB)", &[0.5, 1.0], "0.5 GiB"));
        assert_eq!(read("cardinality:web=1..4"), ok("cardinality of web", &[1.0, 2.0, 3.0, 4.0], "1"));
        for text in ["requests", "requests=5", "r=2..1", "r=0..5:log", "r=1..2:1", "r=a..b", "odd:r=1..2", "r=1..2:x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
