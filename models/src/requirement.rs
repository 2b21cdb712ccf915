//! Requirement texts → tests on offers and sets of numbers: `4`, `2..6`, `8 GB..12 GB`, `">= 1024 MiB, < 8000 MiB"`,
//! `[2, 4, 8]`, `[aws, openstack]`, `"!= windows"`.

use std::sync::Arc;

use crate::application::{Cardinality, Interval, Test};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{OneOrMany, Scalar};
use crate::span::{Span, Spanned};
use crate::unit::{NamedUnit, Quantity, Unit, conversion, parse_named_quantity};

/// What a number measures, and so in which units it may be written and in which it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A count that may have a fraction, such as cores.
    Count,
    /// A whole count, such as GPUs or instances.
    Whole,
    /// An amount of data; kept in MiB. A unit must be written, except for 0.
    Data,
    /// Money per time; kept per hour. A bare number is per hour.
    Price,
    /// A length of time; kept in seconds. A unit must be written, except for 0.
    Duration,
    /// A share, such as `5 %`; kept from 0 to 1.
    Share,
    /// A number of a catalog's own, whose unit only the catalog knows.
    Label,
}

impl Measure {
    fn unit(self) -> Unit {
        match self {
            Measure::Data => Unit::MEBIBYTE,
            Measure::Price => Unit::PRICE,
            Measure::Duration => Unit::SECOND,
            Measure::Count | Measure::Whole | Measure::Share | Measure::Label => Unit::RATIO,
        }
    }
}

/// The money of a model: what it states, or else what its first literal names.
#[derive(Clone, Debug, Default)]
pub struct Currency {
    /// The ISO 4217 code.
    pub code: Option<String>,
}

impl Currency {
    pub(crate) fn check(&self, named: Option<&str>, span: Span) -> Result<(), Diagnostic> {
        match (named, &self.code) {
            (Some(named), Some(code)) if named != code => {
                Err(Diagnostic::error(span, format!("{named} stands in a model whose money is {code}"))
                    .help(format!("convert the amount to {code}; the language knows no exchange rates")))
            }
            _ => Ok(()),
        }
    }
}

/// The words of a requirement for messages: `memory >= 8 GB`, `cores in 2..6`, `provider = aws`.
pub fn words(subject: &str, value: &OneOrMany) -> String {
    let list = |values: &[Spanned<Scalar>]| {
        let shown: Vec<String> = values.iter().map(|v| v.value.to_string()).collect();
        shown.join(", ")
    };
    match value {
        OneOrMany::Many(many) => format!("{subject} in [{}]", list(many)),
        OneOrMany::One(one) => {
            let text = one.value.to_string();
            let text = text.trim();
            if operator(text).is_some() {
                format!("{subject} {text}")
            } else if text.contains("..") {
                format!("{subject} in {text}")
            } else {
                format!("{subject} = {text}")
            }
        }
    }
}

/// The numbers that a requirement allows, in the unit of the measure; a list is a choice.
pub fn intervals(value: &OneOrMany, measure: Measure, currency: &Currency) -> Result<Vec<Interval>, Vec<Diagnostic>> {
    let mut allowed = Vec::new();
    let mut findings = Vec::new();
    for one in value.values() {
        match intervals_of(one, measure, currency) {
            Ok(intervals) => allowed.extend(intervals),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(allowed) } else { Err(findings) }
}

/// One number with its unit, for a limit or a setting.
pub fn amount(value: &Spanned<Scalar>, measure: Measure, currency: &Currency) -> Result<f64, Diagnostic> {
    match &value.value {
        Scalar::Number(n) => number(Quantity { value: *n, unit: None }, measure, currency, value.span),
        Scalar::Text(text) => {
            let quantity = parse_named_quantity(text).map_err(|message| Diagnostic::error(value.span, message))?;
            number(quantity, measure, currency, value.span)
        }
        Scalar::Bool(_) => Err(Diagnostic::error(value.span, "expected a number, found a truth value")),
    }
}

/// A whole number of at least `least`.
pub fn whole(value: &Spanned<Scalar>, least: u64) -> Result<u64, Diagnostic> {
    let n = amount(value, Measure::Whole, &Currency::default())?;
    // Measure::Whole lets only whole numbers pass that a u64 holds.
    let n = n as u64;
    if n < least {
        return Err(Diagnostic::error(value.span, format!("the number must be at least {least}")));
    }
    Ok(n)
}

/// The numbers of instances that a component may have.
pub fn cardinality(value: &OneOrMany) -> Result<Cardinality, Vec<Diagnostic>> {
    let mut ranges = Vec::new();
    let mut findings = Vec::new();
    for one in value.values() {
        match counts_of(one) {
            Ok(counts) => ranges.extend(counts),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(Cardinality::new(ranges)) } else { Err(findings) }
}

fn counts_of(value: &Spanned<Scalar>) -> Result<Vec<(u32, u32)>, Diagnostic> {
    let limit = f64::from(Cardinality::LIMIT);
    let mut counts = Vec::new();
    for interval in intervals_of(value, Measure::Whole, &Currency::default())? {
        let low = if interval.low_open { interval.low + 1.0 } else { interval.low }.max(0.0);
        let high = if interval.high_open { interval.high - 1.0 } else { interval.high };
        if high == f64::INFINITY {
            let upper = (low * 5.0).max(10.0).min(limit);
            return Err(Diagnostic::error(value.span, "the number of instances has no upper end")
                .help(format!("write one, such as `{low}..{upper}`")));
        }
        if high > limit {
            return Err(Diagnostic::error(value.span, format!("a component has at most {limit} instances")));
        }
        if low <= high {
            counts.push((low as u32, high as u32));
        }
    }
    if counts.is_empty() {
        return Err(Diagnostic::error(value.span, "no whole number is allowed by this"));
    }
    Ok(counts)
}

/// The requirement on a text: any of the values, or none of those that begin with `!=`.
pub fn texts(value: &OneOrMany) -> Result<Test, Vec<Diagnostic>> {
    let mut allowed: Vec<Arc<str>> = Vec::new();
    let mut refused: Vec<Arc<str>> = Vec::new();
    let mut findings = Vec::new();
    for one in value.values() {
        match &one.value {
            Scalar::Text(text) if text.trim().is_empty() => {
                findings.push(Diagnostic::error(one.span, "the text is empty"));
            }
            Scalar::Text(text) => match text.trim().strip_prefix("!=") {
                Some(other) => refused.push(other.trim().into()),
                None => allowed.push(text.trim().into()),
            },
            Scalar::Number(n) => {
                findings.push(
                    Diagnostic::error(one.span, "expected a text, found a number")
                        .help(format!("write `\"{n}\"` if it is a text")),
                );
            }
            Scalar::Bool(_) => findings.push(Diagnostic::error(one.span, "expected a text, found a truth value")),
        }
    }
    if let (Some(first), false, false) = (value.values().first(), allowed.is_empty(), refused.is_empty()) {
        let message = "a list is a choice: `!=` beside another value has no effect";
        findings.push(Diagnostic::error(first.span, message).help("keep either what is allowed or what is not"));
    }
    match (findings.is_empty(), refused.is_empty()) {
        (false, _) => Err(findings),
        (true, true) => Ok(Test::Text(allowed)),
        (true, false) => Ok(Test::NotText(refused)),
    }
}

/// The requirement on a text that is one of a few words.
pub fn choice(value: &OneOrMany, known: &[&str]) -> Result<Test, Vec<Diagnostic>> {
    let test = texts(value)?;
    let findings: Vec<Diagnostic> = value
        .values()
        .iter()
        .filter_map(|one| {
            let text = one.value.to_string();
            let word = text.trim().trim_start_matches("!=").trim();
            if word.contains('*') || known.iter().any(|k| k.eq_ignore_ascii_case(word)) {
                return None;
            }
            let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
            let help = match synonym(word).or_else(|| did_you_mean(word, known.iter().copied())) {
                Some(meant) => format!("did you mean `{meant}`? Known are {list}"),
                None => format!("known are {list}"),
            };
            Some(Diagnostic::error(one.span, format!("`{word}` is not known here")).help(help))
        })
        .collect();
    if findings.is_empty() { Ok(test) } else { Err(findings) }
}

fn synonym(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "x86_64" | "x86-64" | "x64" | "x86" | "intel" | "amd" => Some("amd64"),
        "aarch64" | "arm" | "armv8" => Some("arm64"),
        "preemptible" | "interruptible" => Some("spot"),
        "hybrid" | "onprem" | "on-premises" => Some("private"),
        _ => None,
    }
}

/// The requirement on a label: numbers and ranges, or texts.
pub fn label(value: &OneOrMany, currency: &Currency) -> Result<Test, Vec<Diagnostic>> {
    let is_number = |one: &Spanned<Scalar>| match &one.value {
        Scalar::Number(_) => true,
        Scalar::Bool(_) => false,
        Scalar::Text(text) => {
            let text = text.trim();
            let begins = |t: &str| t.trim_start().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.'));
            match operator(text) {
                Some((Operator::NotEqual, rest)) => begins(rest),
                Some(_) => true,
                None => text.split_once("..").is_some_and(|(low, high)| begins(low) && begins(high)),
            }
        }
    };
    if value.values().iter().all(is_number) {
        return intervals(value, Measure::Label, currency).map(Test::Number);
    }
    // A label may hold texts in one offer and numbers in another: plain numbers in the list are matched as texts.
    let as_text = |one: &Spanned<Scalar>| match &one.value {
        Scalar::Text(_) => one.clone(),
        other => Spanned::new(Scalar::Text(other.to_string()), one.span),
    };
    match value {
        OneOrMany::One(one) => texts(&OneOrMany::One(as_text(one))),
        OneOrMany::Many(many) => texts(&OneOrMany::Many(many.iter().map(as_text).collect())),
    }
}

/// A comparison at the beginning of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
    NotEqual,
}

/// The comparison at the beginning of the text, and what follows it.
fn operator(text: &str) -> Option<(Operator, &str)> {
    const OPERATORS: [(&str, Operator); 9] = [
        (">=", Operator::AtLeast),
        ("<=", Operator::AtMost),
        ("!=", Operator::NotEqual),
        ("==", Operator::Equal),
        ("≥", Operator::AtLeast),
        ("≤", Operator::AtMost),
        (">", Operator::Above),
        ("<", Operator::Below),
        ("=", Operator::Equal),
    ];
    OPERATORS.iter().find_map(|(symbol, operator)| text.strip_prefix(symbol).map(|rest| (*operator, rest)))
}

/// The numbers that one value allows.
fn intervals_of(value: &Spanned<Scalar>, measure: Measure, currency: &Currency) -> Result<Vec<Interval>, Diagnostic> {
    let Scalar::Text(text) = &value.value else {
        return amount(value, measure, currency).map(|n| vec![Interval::exactly(n)]);
    };
    let mut allowed = vec![Interval::ALL];
    for clause in text.split(',').flat_map(|part| part.split(" and ")) {
        let trimmed = clause.trim();
        // INVARIANT: `trimmed` is a slice of `text`, so the difference of the addresses is its offset.
        let start = trimmed.as_ptr() as usize - text.as_ptr() as usize;
        let span = value.span.within(text, Span::new(start, start + trimmed.len()));
        let also = clause_intervals(trimmed, measure, currency, span)?;
        allowed = allowed.iter().flat_map(|a| also.iter().map(|b| a.intersect(b))).filter(|i| !i.is_empty()).collect();
        if allowed.len() > CLAUSES_MAX {
            return Err(Diagnostic::error(value.span, format!("more than {CLAUSES_MAX} parts")));
        }
    }
    if allowed.is_empty() {
        return Err(Diagnostic::error(value.span, format!("no number satisfies `{}`", text.trim()))
            .help("between commas all conditions must hold; for a choice write a list"));
    }
    Ok(allowed)
}

/// How many separate intervals one text may describe.
const CLAUSES_MAX: usize = 100;

fn clause_intervals(
    clause: &str,
    measure: Measure,
    currency: &Currency,
    span: Span,
) -> Result<Vec<Interval>, Diagnostic> {
    let read = |text: &str, fallback: Option<&Quantity>| {
        let mut quantity = parse_named_quantity(text).map_err(|message| Diagnostic::error(span, message))?;
        if let (None, Some(fallback)) = (quantity.unit, fallback) {
            quantity.unit = fallback.unit;
        }
        number(quantity, measure, currency, span)
    };
    if clause.is_empty() {
        return Err(Diagnostic::error(span, "a number is missing").help("write it like `4`, `2..6` or `\">= 2\"`"));
    }
    if let Some((operator, rest)) = operator(clause) {
        let n = read(rest, None)?;
        let below = Interval { high: n, ..Interval::ALL };
        let above = Interval { low: n, ..Interval::ALL };
        return Ok(match operator {
            Operator::AtLeast => vec![above],
            Operator::AtMost => vec![below],
            Operator::Above => vec![Interval { low_open: true, ..above }],
            Operator::Below => vec![Interval { high_open: true, ..below }],
            Operator::Equal => vec![Interval::exactly(n)],
            Operator::NotEqual => {
                vec![Interval { high_open: true, ..below }, Interval { low_open: true, ..above }]
            }
        });
    }
    let Some((low, high)) = clause.split_once("..") else {
        return read(clause, None).map(|n| vec![Interval::exactly(n)]);
    };
    let (low, high) = (low.trim(), high.trim());
    let interval = match (low.is_empty(), high.is_empty()) {
        (true, true) => return Err(Diagnostic::error(span, "a range needs a number").help("write it like `2..6`")),
        (false, true) => Interval { low: read(low, None)?, ..Interval::ALL },
        (true, false) => Interval { high: read(high, None)?, ..Interval::ALL },
        (false, false) => {
            // `8..12 GB`: the unit stands once, at the end.
            let end = parse_named_quantity(high).ok();
            Interval::between(read(low, end.as_ref())?, read(high, None)?)
        }
    };
    if interval.is_empty() {
        return Err(
            Diagnostic::error(span, format!("the range `{clause}` is empty")).help(format!("write `{high}..{low}`"))
        );
    }
    Ok(vec![interval])
}

/// A quantity in the unit of the measure.
fn number(quantity: Quantity, measure: Measure, currency: &Currency, span: Span) -> Result<f64, Diagnostic> {
    let Quantity { value, unit } = quantity;
    currency.check(unit.and_then(|u| u.currency), span)?;
    let converted = match unit {
        None => {
            if value != 0.0 {
                missing_unit(value, measure, span)?;
            }
            value
        }
        Some(_) if measure == Measure::Label => {
            return Err(Diagnostic::error(span, "labels are bare numbers")
                .help("write the number in the unit that the catalog uses, without the unit"));
        }
        Some(named) => match conversion(named.unit, measure.unit()) {
            Some(factor) => value * factor,
            None => return Err(wrong_unit(value, named, measure, span)),
        },
    };
    let range = match measure {
        Measure::Label => f64::NEG_INFINITY..=f64::INFINITY,
        Measure::Count | Measure::Price => 0.0..=1e6,
        // 2^53: every whole number up to it is exact.
        Measure::Whole => 0.0..=9_007_199_254_740_992.0,
        Measure::Data | Measure::Duration => 0.0..=1e12,
        Measure::Share => 0.0..=1.0,
    };
    if converted < 0.0 && measure != Measure::Label {
        return Err(Diagnostic::error(span, "the number must not be negative"));
    }
    if measure == Measure::Share && converted > 1.0 {
        let help = format!("write a share such as `5 %` or `0.05`; `{value} %` is {}", value / 100.0);
        return Err(Diagnostic::error(span, "the share is above 100 %").help(help));
    }
    if !converted.is_finite() || !range.contains(&converted) {
        return Err(Diagnostic::error(span, "the number is too large"));
    }
    if measure == Measure::Whole && converted.fract() != 0.0 {
        return Err(Diagnostic::error(span, format!("expected a whole number, found {value}")));
    }
    Ok(converted)
}

fn missing_unit(value: f64, measure: Measure, span: Span) -> Result<(), Diagnostic> {
    let help = match measure {
        Measure::Count | Measure::Whole | Measure::Price | Measure::Share | Measure::Label => return Ok(()),
        Measure::Data if value < 256.0 => format!("write `{value} GB` or `{} MiB`", value * 1024.0),
        Measure::Data => format!("write `{value} MiB` or `{} GB`", value / 1024.0),
        Measure::Duration => format!("write `{value}s` or `{value}m`"),
    };
    Err(Diagnostic::error(span, "the number needs a unit").help(help))
}

fn wrong_unit(value: f64, named: NamedUnit, measure: Measure, span: Span) -> Diagnostic {
    let unit = named.unit.to_string().replace("currency", named.currency.unwrap_or("currency"));
    let (expected, example) = match measure {
        Measure::Data => ("an amount of data", "8 GB"),
        Measure::Price => ("money per time", "0.50 USD/h"),
        Measure::Duration => ("a time", "5m"),
        Measure::Share => ("a share", "5 %"),
        Measure::Count | Measure::Whole | Measure::Label => ("a bare number", "4"),
    };
    let is_money = (named.unit.data, named.unit.time, named.unit.money) == (0, 0, 1);
    let diagnostic = Diagnostic::error(span, format!("expected {expected}, found a number in `{unit}`"));
    if measure == Measure::Price && is_money {
        return diagnostic.help(format!("say per which time: `{value} {unit}/h` or `{value} {unit}/month`"));
    }
    diagnostic.help(format!("write it like `{example}`"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn one(text: &str) -> OneOrMany {
        OneOrMany::One(Spanned::made(text.into()))
    }

    fn show(value: &OneOrMany, measure: Measure) -> String {
        let end = |x: f64| if x.is_infinite() { String::new() } else { format!("{x}") };
        match intervals(value, measure, &Currency { code: Some("USD".into()) }) {
            Ok(intervals) => {
                let shown: Vec<String> = intervals
                    .iter()
                    .map(|i| {
                        let (open, close) = (if i.low_open { "(" } else { "[" }, if i.high_open { ")" } else { "]" });
                        format!("{open}{}, {}{close}", end(i.low), end(i.high))
                    })
                    .collect();
                shown.join(" ")
            }
            Err(findings) => format!("{}; {}", findings[0].message, findings[0].help.as_deref().unwrap_or("-")),
        }
    }

    #[test]
    fn numbers_ranges_and_conjunctions() {
        for (text, measure, expected) in [
            ("4", Measure::Count, "[4, 4]"),
            ("0.5", Measure::Count, "[0.5, 0.5]"),
            ("2..6", Measure::Count, "[2, 6]"),
            ("2..", Measure::Count, "[2, ]"),
            ("..6", Measure::Count, "[, 6]"),
            (">= 2", Measure::Count, "[2, ]"),
            ("≥2, <8", Measure::Count, "[2, 8)"),
            ("> 1 and <= 3", Measure::Count, "(1, 3]"),
            ("1..8, != 4", Measure::Count, "[1, 4) (4, 8]"),
            ("8 GiB..12 GiB", Measure::Data, "[8192, 12288]"),
            ("8..12 GiB", Measure::Data, "[8192, 12288]"),
            (">= 1024 MiB, < 8000 MiB", Measure::Data, "[1024, 8000)"),
            ("0", Measure::Data, "[0, 0]"),
            ("1.048576 MB", Measure::Data, "[1, 1]"),
            ("<= 0.5", Measure::Price, "[, 0.5]"),
            ("<= 73 USD/month", Measure::Price, "[, 0.1]"),
            ("5m", Measure::Duration, "[300, 300]"),
            ("-3..3", Measure::Label, "[-3, 3]"),
        ] {
            assert_eq!(show(&one(text), measure), expected, "{text}");
        }
        let list = OneOrMany::Many(vec![Spanned::made(Scalar::Number(2.0)), Spanned::made("4..8".into())]);
        assert_eq!(show(&list, Measure::Count), "[2, 2] [4, 8]");
    }

    #[test]
    fn mistakes_have_a_mend() {
        for (text, measure, expected) in [
            ("8", Measure::Data, "the number needs a unit; write `8 GB` or `8192 MiB`"),
            (">= 4096", Measure::Data, "the number needs a unit; write `4096 MiB` or `4 GB`"),
            ("6..2", Measure::Count, "the range `6..2` is empty; write `2..6`"),
            (
                ">= 8, < 4",
                Measure::Count,
                "no number satisfies `>= 8, < 4`; between commas all conditions must hold; for a choice write a list",
            ),
            ("-1", Measure::Count, "the number must not be negative; -"),
            ("2 GB", Measure::Count, "expected a bare number, found a number in `GB`; write it like `4`"),
            (
                "0.5 EUR/h",
                Measure::Price,
                "EUR stands in a model whose money is USD; convert the amount to USD; the language knows no exchange rates",
            ),
            (
                "0.5 USD",
                Measure::Price,
                "expected money per time, found a number in `USD`; say per which time: `0.5 USD/h` or `0.5 USD/month`",
            ),
            (
                "8 GX",
                Measure::Data,
                "unknown unit `GX`; units are such as `MiB`, `GB`, `min`, `h`, `percent`, `1/s`, `USD/h`; -",
            ),
            ("..", Measure::Count, "a range needs a number; write it like `2..6`"),
            ("2,", Measure::Count, "a number is missing; write it like `4`, `2..6` or `\">= 2\"`"),
            ("5", Measure::Duration, "the number needs a unit; write `5s` or `5m`"),
            ("1e300 GB", Measure::Data, "the number is too large; -"),
        ] {
            assert_eq!(show(&one(text), measure), expected, "{text}");
        }
    }

    #[test]
    fn cardinalities() {
        let read = |text: &str| {
            cardinality(&one(text)).map(|c| c.to_string()).map_err(|f| format!("{} {:?}", f[0].message, f[0].help))
        };
        assert_eq!(read("2..6"), Ok("2..6".into()));
        assert_eq!(read("> 1, < 5"), Ok("2..4".into()));
        assert_eq!(read("<= 3"), Ok("0..3".into()));
        assert!(read("2..").unwrap_err().contains("write one, such as `2..10`"));
        assert!(read("2..2000000").unwrap_err().contains("at most 1000000"));
        assert!(read("> 1, < 2").unwrap_err().contains("no whole number"));
        assert!(read("1.5").unwrap_err().contains("whole number"));
        assert!(read("many").unwrap_err().contains("not a quantity"));
        let list = OneOrMany::Many(vec![Spanned::made(Scalar::Number(8.0)), Spanned::made("1..2".into())]);
        assert_eq!(cardinality(&list).unwrap().to_string(), "1..2, 8");
    }

    #[test]
    fn texts_labels_and_words() {
        assert_eq!(texts(&one("m5.*")).unwrap(), Test::Text(vec!["m5.*".into()]));
        assert_eq!(texts(&one("!= windows")).unwrap(), Test::NotText(vec!["windows".into()]));
        assert!(texts(&OneOrMany::Many(vec![Spanned::made("a".into()), Spanned::made("!= b".into())])).is_err());
        let none = Currency::default();
        assert_eq!(label(&one("3..5"), &none).unwrap(), Test::Number(vec![Interval::between(3.0, 5.0)]));
        assert_eq!(label(&one("ssd"), &none).unwrap(), Test::Text(vec!["ssd".into()]));
        assert!(label(&one("> 3 GB"), &none).is_err());
        let help = choice(&one("aarch64"), &["amd64", "arm64"]).unwrap_err()[0].help.clone().unwrap();
        assert!(help.contains("did you mean `arm64`"));
        assert_eq!(words("memory", &one(">= 8 GB")), "memory >= 8 GB");
        assert_eq!(words("cores", &one("2..6")), "cores in 2..6");
        assert_eq!(words("cores", &OneOrMany::One(Spanned::made(Scalar::Number(4.0)))), "cores = 4");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{1,3}|\\.\\.|>=|<|!=|,| |GB|µ|≥|and|-|e9){0,12}") {
            for measure in [Measure::Count, Measure::Whole, Measure::Data, Measure::Label] {
                let _ = intervals(&one(&text), measure, &Currency::default());
            }
            let _ = cardinality(&one(&text));
            let _ = label(&one(&text), &Currency::default());
        }
    }
}
