//! How a number changes: `500`, `8 GB`, `2x`, `+20%`, `+=5`.

use cardinal_models::unit::parse_named_quantity;

use crate::selector::Misread;

/// The change of a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// It becomes this quantity.
    To(String),
    /// It is multiplied.
    Times(f64),
    /// This quantity is added.
    Plus(String),
}

const SHAPE: &str =
    "write a value (`500`, `8 GB`), a factor (`2x`), a share (`+20%`, `-5%`), or what is added (`+=50`)";

impl Amount {
    /// Reads the change of a number.
    pub fn read(text: &str) -> Result<Amount, Misread> {
        let text = text.trim();
        let wrong = || Misread::new(format!("`{text}` is no change of a number"), SHAPE);
        if let Some(more) = text.strip_prefix("+=") {
            return quantity(more).map(Amount::Plus);
        }
        if let Some(less) = text.strip_prefix("-=") {
            let less = quantity(less)?;
            return Ok(Amount::Plus(match less.strip_prefix('-') {
                Some(more) => more.trim().to_owned(),
                None => format!("-{less}"),
            }));
        }
        if let Some(share) = text.strip_suffix('%')
            && text.starts_with(['+', '-'])
        {
            let share: f64 = share.trim().parse().map_err(|_| wrong())?;
            return factor(1.0 + share / 100.0).ok_or_else(wrong);
        }
        let times = text.strip_suffix(['x', 'X', '×']).or_else(|| text.strip_prefix(['x', '*', '×']));
        if let Some(times) = times
            && let Ok(times) = times.trim().parse::<f64>()
        {
            return factor(times).ok_or_else(wrong);
        }
        if text.starts_with('+') {
            let help = format!("write `+={0}` to add it, or `{0}` to set it", text.trim_start_matches('+'));
            return Err(Misread::new(format!("`{text}` may mean two things"), help));
        }
        quantity(text).map(Amount::To)
    }

    /// Reads `NAME=CHANGE`, also `NAME+=CHANGE`: the name and the change.
    pub fn assignment(text: &str) -> Result<(String, Amount), Misread> {
        let wrong = || Misread::new(format!("`{text}` changes nothing"), "write `NAME=CHANGE`, such as `requests=2x`");
        // What is changed may itself contain `=`: `provider=aws=+20%`.
        let (name, amount) = text.rsplit_once('=').ok_or_else(wrong)?;
        let (name, amount) = match name.chars().last() {
            Some(sign @ ('+' | '-')) => {
                let name = name[..name.len() - 1].trim_end_matches('=');
                (name, format!("{sign}={amount}"))
            }
            _ => (name, amount.to_owned()),
        };
        let name = name.trim().trim_matches('`');
        if name.is_empty() {
            return Err(wrong());
        }
        Ok((name.to_owned(), Amount::read(&amount)?))
    }

    /// The number after the change. `base` is the number before it, `read` reads a quantity in its unit.
    pub fn apply(&self, base: Option<f64>, read: impl Fn(&str) -> Result<f64, Misread>) -> Result<f64, Misread> {
        let before = || {
            let help = "give it one first, or set it to a value";
            base.ok_or_else(|| Misread::new("it has no value that could be changed by a share or a factor", help))
        };
        let after = match self {
            Amount::To(text) => read(text)?,
            Amount::Times(factor) => before()? * factor,
            Amount::Plus(text) => before()? + read(text)?,
        };
        if after.is_finite() { Ok(after) } else { Err(Misread::new("the number becomes too large", SHAPE)) }
    }

    /// As it is written.
    pub fn text(&self) -> String {
        match self {
            Amount::To(text) => text.clone(),
            Amount::Times(factor) => format!("{factor}x"),
            Amount::Plus(text) => format!("+={text}"),
        }
    }
}

fn factor(by: f64) -> Option<Amount> {
    (by.is_finite() && by >= 0.0).then_some(Amount::Times(by))
}

/// The text, if it is a quantity; `260/s` counts as one.
fn quantity(text: &str) -> Result<String, Misread> {
    let text = text.trim();
    let is_rate = text.split_once('/').is_some_and(|(number, _)| number.trim().parse::<f64>().is_ok());
    if is_rate || parse_named_quantity(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(Misread::new(format!("`{text}` is no number with an optional unit"), SHAPE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_changes() {
        let to = |text: &str| Ok(Amount::To(text.to_owned()));
        for (text, expected) in [
            ("500", to("500")),
            ("8 GB", to("8 GB")),
            ("260/s", to("260/s")),
            ("-3", to("-3")),
            ("2x", Ok(Amount::Times(2.0))),
            ("x2", Ok(Amount::Times(2.0))),
            ("0.5x", Ok(Amount::Times(0.5))),
            ("+20%", Ok(Amount::Times(1.2))),
            ("-25 %", Ok(Amount::Times(0.75))),
            ("+=5 ms", Ok(Amount::Plus("5 ms".to_owned()))),
            ("-=5", Ok(Amount::Plus("-5".to_owned()))),
        ] {
            assert_eq!(Amount::read(text), expected, "{text}");
        }
        for text in ["", "many", "+5", "-200%", "x", "%", "1e400x"] {
            assert!(Amount::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_assignments() {
        let read = |text: &str| Amount::assignment(text).map(|(name, amount)| (name, amount.text()));
        assert_eq!(read("requests=2x"), Ok(("requests".into(), "2x".into())));
        assert_eq!(read("requests+=5"), Ok(("requests".into(), "+=5".into())));
        assert_eq!(read("provider=aws=+20%"), Ok(("provider=aws".into(), "1.2x".into())));
        assert_eq!(read("aws/*=-=0.01"), Ok(("aws/*".into(), "+=-0.01".into())));
        assert!(read("requests").is_err() && read("=5").is_err() && read("a=").is_err());
    }
}
