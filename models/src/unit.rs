//! Units of measurement: their algebra, and the texts that name them (`MiB`, `USD/h`, `1/s`, `percent`).
//!
//! Three dimensions matter to a deployment: data, time and money. What is merely counted (requests, users, cores) has
//! no dimension. The currency is no part of a unit, because a model has only one: whoever reads a text gets the code
//! beside the unit and compares it with the model's.

use crate::offer::Attribute;

/// The unit of a number: powers of the base dimensions and the factor to the base units (byte, second, currency unit).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Power of data (bytes).
    pub data: i8,
    /// Power of time (seconds).
    pub time: i8,
    /// Power of money (currency units).
    pub money: i8,
    /// How many base units one of this is.
    pub factor: f64,
}

/// The longest text of a unit or quantity, in bytes.
pub const TEXT_LIMIT: usize = 256;

/// The currency codes (ISO 4217) that literals may name.
pub const CURRENCIES: [&str; 34] = [
    "USD", "EUR", "GBP", "NOK", "CHF", "JPY", "PLN", "SEK", "DKK", "CAD", "AUD", "INR", "CNY", "BRL", "CZK", "HUF",
    "ISK", "RON", "BGN", "TRY", "UAH", "ILS", "AED", "SAR", "ZAR", "KRW", "SGD", "HKD", "TWD", "THB", "IDR", "MXN",
    "NZD", "CLP",
];

const HOUR: f64 = 3600.0;

/// Units of data with the number of bytes. The first spelling of a size is the one that is shown.
const DATA: [(&str, f64); 14] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
    ("bit", 0.125),
    ("kbit", 125.0),
    ("Mbit", 125e3),
    ("Gbit", 125e6),
];

/// Units of time with the number of seconds. The first spelling of a length is the one that is shown. A month is 730
/// hours, as in the price lists of the cloud providers, and a year is twelve of them.
const TIME: [(&str, f64); 28] = [
    ("s", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("ns", 1e-9),
    ("min", 60.0),
    ("h", HOUR),
    ("d", 24.0 * HOUR),
    ("week", 168.0 * HOUR),
    ("month", 730.0 * HOUR),
    ("year", 8760.0 * HOUR),
    ("m", 60.0),
    ("µs", 1e-6),
    ("sec", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("minute", 60.0),
    ("minutes", 60.0),
    ("hr", HOUR),
    ("hour", HOUR),
    ("hours", HOUR),
    ("day", 24.0 * HOUR),
    ("days", 24.0 * HOUR),
    ("weeks", 168.0 * HOUR),
    ("months", 730.0 * HOUR),
    ("years", 8760.0 * HOUR),
    ("millisecond", 1e-3),
    ("milliseconds", 1e-3),
    ("microseconds", 1e-6),
];

/// Words for what is counted or compared and has no dimension.
const PLAIN: [(&str, f64); 33] = [
    ("ratio", 1.0),
    ("percent", 0.01),
    ("%", 0.01),
    ("request", 1.0),
    ("requests", 1.0),
    ("req", 1.0),
    ("instance", 1.0),
    ("instances", 1.0),
    ("node", 1.0),
    ("nodes", 1.0),
    ("core", 1.0),
    ("cores", 1.0),
    ("vcpu", 1.0),
    ("vcpus", 1.0),
    ("gpu", 1.0),
    ("gpus", 1.0),
    ("user", 1.0),
    ("users", 1.0),
    ("session", 1.0),
    ("sessions", 1.0),
    ("job", 1.0),
    ("jobs", 1.0),
    ("task", 1.0),
    ("tasks", 1.0),
    ("op", 1.0),
    ("ops", 1.0),
    ("message", 1.0),
    ("messages", 1.0),
    ("event", 1.0),
    ("events", 1.0),
    ("item", 1.0),
    ("items", 1.0),
    ("times", 1.0),
];

impl Unit {
    /// No dimension, factor 1: what is left when units cancel.
    pub const RATIO: Unit = Unit { data: 0, time: 0, money: 0, factor: 1.0 };
    /// A hundredth.
    pub const PERCENT: Unit = Unit { data: 0, time: 0, money: 0, factor: 0.01 };
    /// 2^20 bytes, the unit of memory and disk attributes.
    pub const MEBIBYTE: Unit = Unit { data: 1, time: 0, money: 0, factor: 1_048_576.0 };
    /// The second.
    pub const SECOND: Unit = Unit { data: 0, time: 1, money: 0, factor: 1.0 };
    /// The thousandth of a second, the unit of latencies.
    pub const MILLISECOND: Unit = Unit { data: 0, time: 1, money: 0, factor: 1e-3 };
    /// 10^9 bytes per hour, the unit of traffic.
    pub const GB_PER_HOUR: Unit = Unit { data: 1, time: -1, money: 0, factor: 1e9 / HOUR };
    /// Currency units for keeping 10^9 bytes for an hour.
    pub const STORAGE_PRICE: Unit = Unit { data: -1, time: -1, money: 1, factor: 1.0 / (1e9 * HOUR) };
    /// Currency units per hour, the unit of prices and of `total_cost`.
    pub const PRICE: Unit = Unit { data: 0, time: -1, money: 1, factor: 1.0 / HOUR };

    const fn of_data(bytes: f64) -> Unit {
        Unit { data: 1, time: 0, money: 0, factor: bytes }
    }

    const fn of_time(seconds: f64) -> Unit {
        Unit { data: 0, time: 1, money: 0, factor: seconds }
    }

    const MONEY: Unit = Unit { data: 0, time: 0, money: 1, factor: 1.0 };

    /// The unit of an attribute in formulas; `None` for bare numbers (cores, gpus, cardinality, degrees, labels) and
    /// for texts.
    pub fn of_attribute(attribute: &Attribute) -> Option<Unit> {
        match attribute {
            Attribute::Price => Some(Unit::PRICE),
            Attribute::Memory | Attribute::Disk => Some(Unit::MEBIBYTE),
            Attribute::StartUp | Attribute::MinimumLifetime => Some(Unit::SECOND),
            Attribute::InterruptionRate => Some(Unit::RATIO),
            _ => None,
        }
    }

    /// True without dimension: a ratio, a percentage, a count.
    pub fn is_dimensionless(self) -> bool {
        self.data == 0 && self.time == 0 && self.money == 0
    }

    /// True when numbers of both units can be added and compared.
    pub fn same_dimension(self, other: Unit) -> bool {
        self.data == other.data && self.time == other.time && self.money == other.money
    }

    /// The unit of a product; `None` when an exponent or the factor leaves its range.
    pub fn times(self, other: Unit) -> Option<Unit> {
        Unit {
            data: self.data.checked_add(other.data)?,
            time: self.time.checked_add(other.time)?,
            money: self.money.checked_add(other.money)?,
            factor: self.factor * other.factor,
        }
        .sound()
    }

    /// The unit of a quotient; `None` when an exponent or the factor leaves its range.
    pub fn over(self, other: Unit) -> Option<Unit> {
        Unit {
            data: self.data.checked_sub(other.data)?,
            time: self.time.checked_sub(other.time)?,
            money: self.money.checked_sub(other.money)?,
            factor: self.factor / other.factor,
        }
        .sound()
    }

    /// The unit of a power; `None` when an exponent or the factor leaves its range.
    pub fn power(self, exponent: i32) -> Option<Unit> {
        let raise = |e: i8| i32::from(e).checked_mul(exponent).and_then(|e| i8::try_from(e).ok());
        Unit {
            data: raise(self.data)?,
            time: raise(self.time)?,
            money: raise(self.money)?,
            factor: self.factor.powi(exponent),
        }
        .sound()
    }

    /// The unit of `1/x`; `None` when an exponent or the factor leaves its range.
    pub fn inverse(self) -> Option<Unit> {
        Unit::RATIO.over(self)
    }

    fn sound(self) -> Option<Unit> {
        (self.factor.is_finite() && self.factor > 0.0).then_some(self)
    }

    /// How the unit is written, when a product of named units has exactly this size.
    pub fn symbol(self) -> Option<String> {
        if self.is_dimensionless() {
            let shown = [("ratio", 1.0), ("percent", 0.01)];
            return shown.iter().find(|(_, f)| near(*f, self.factor)).map(|(word, _)| (*word).to_owned());
        }
        // A dimension that does not occur is tried with one word only, and the word is not shown.
        let data = if self.data == 0 { &DATA[..1] } else { &DATA[..] };
        let time = if self.time == 0 { &TIME[..1] } else { &TIME[..] };
        data.iter()
            .flat_map(|d| time.iter().map(move |t| (d, t)))
            .find(|((_, d), (_, t))| near(d.powi(i32::from(self.data)) * t.powi(i32::from(self.time)), self.factor))
            .map(|((data, _), (time, _))| self.spell(data, time))
    }

    /// The unit in words of its dimensions.
    fn spell(self, data: &str, time: &str) -> String {
        let parts = [("currency", self.money), (data, self.data), (time, self.time)];
        let word = |(word, exponent): &(&str, i8)| match exponent.unsigned_abs() {
            1 => (*word).to_owned(),
            n => format!("{word}^{n}"),
        };
        let above: Vec<String> = parts.iter().filter(|(_, e)| *e > 0).map(word).collect();
        let below: Vec<String> = parts.iter().filter(|(_, e)| *e < 0).map(word).collect();
        let mut text = if above.is_empty() { "1".to_owned() } else { above.join("*") };
        for part in below {
            text.push('/');
            text.push_str(&part);
        }
        text
    }
}

impl std::fmt::Display for Unit {
    /// A product of named units (`currency/h`, `MiB`, `1/s`), with a leading number where none fits.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.symbol() {
            Some(symbol) => f.pad(&symbol),
            None if self.is_dimensionless() => f.pad(&format!("{}", self.factor)),
            None => f.pad(&format!("{} {}", self.factor, self.spell("B", "s"))),
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

/// By what a number in `from` is multiplied to be a number in `to`; `None` for different dimensions.
pub fn conversion(from: Unit, to: Unit) -> Option<f64> {
    if !from.same_dimension(to) {
        return None;
    }
    // Equal units that were reached by different roundings must not add noise to every value.
    if near(from.factor, to.factor) {
        return Some(1.0);
    }
    let factor = from.factor / to.factor;
    // The ratio of two units is very often a whole number, or one over it; then the rounding is undone.
    let whole = factor.round();
    if whole >= 1.0 && near(whole, factor) {
        return Some(whole);
    }
    let inverse = (1.0 / factor).round();
    if inverse >= 1.0 && near(1.0 / inverse, factor) {
        return Some(1.0 / inverse);
    }
    factor.is_finite().then_some(factor)
}

/// A unit as it was written, with the currency code when it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedUnit {
    /// The unit.
    pub unit: Unit,
    /// The ISO 4217 code that the text names.
    pub currency: Option<&'static str>,
}

/// The unit that a single word names: `MiB`, `h`, `USD`, `requests`. Words of three letters or more may be written in
/// any case.
pub fn unit_word(word: &str) -> Option<NamedUnit> {
    let found = exact_word(word);
    if found.is_some() || word.chars().count() < 3 {
        return found;
    }
    let same = |known: &&str| known.eq_ignore_ascii_case(word);
    words().find(same).and_then(exact_word)
}

fn exact_word(word: &str) -> Option<NamedUnit> {
    let plain = |unit| Some(NamedUnit { unit, currency: None });
    let find = |list: &[(&str, f64)]| list.iter().find(|(w, _)| *w == word).map(|(_, f)| *f);
    if let Some(bytes) = find(&DATA) {
        return plain(Unit::of_data(bytes));
    }
    if let Some(seconds) = find(&TIME) {
        return plain(Unit::of_time(seconds));
    }
    if let Some(factor) = find(&PLAIN) {
        return plain(Unit { factor, ..Unit::RATIO });
    }
    let code = match word {
        "currency" => return plain(Unit::MONEY),
        "$" => "USD",
        "€" => "EUR",
        "£" => "GBP",
        code => code,
    };
    CURRENCIES.iter().find(|c| **c == code).map(|c| NamedUnit { unit: Unit::MONEY, currency: Some(c) })
}

/// Every word that names a unit, for messages and completion.
pub fn words() -> impl Iterator<Item = &'static str> {
    let all = DATA.iter().chain(&TIME).chain(&PLAIN).map(|(w, _)| *w);
    all.chain(CURRENCIES).chain(["currency"])
}

/// The finding about a word that names no unit.
pub(crate) fn unknown_word(word: &str) -> String {
    match crate::diagnostic::did_you_mean(word, words()) {
        Some(known) => format!("unknown unit `{word}`; did you mean `{known}`?"),
        None => format!("unknown unit `{word}`; units are such as `MiB`, `GB`, `min`, `h`, `percent`, `1/s`, `USD/h`"),
    }
}

/// Parses the text of a unit: a word, or words joined by `*` and `/`, each with an optional whole power: `MiB`,
/// `USD/h`, `1/s`, `GB*h`, `m^2`.
pub fn parse_unit(text: &str) -> Result<Unit, String> {
    parse_named_unit(text).map(|named| named.unit)
}

/// Parses the text of a unit and tells the currency that it names.
pub fn parse_named_unit(text: &str) -> Result<NamedUnit, String> {
    if text.len() > TEXT_LIMIT {
        return Err(format!("a unit is at most {TEXT_LIMIT} bytes long"));
    }
    let text = text.trim();
    if text.is_empty() {
        return Err("a unit is missing, such as `MiB`, `USD/h` or `1/s`".to_owned());
    }
    let mut result = NamedUnit { unit: Unit::RATIO, currency: None };
    let mut rest = text;
    let mut divide = false;
    loop {
        let end = rest.find(['*', '/', '·']).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        let part = unit_part(part.trim(), text)?;
        let joined = if divide { result.unit.over(part.unit) } else { result.unit.times(part.unit) };
        result.unit = joined.ok_or_else(|| format!("the unit `{text}` is out of range"))?;
        result.currency = match (result.currency, part.currency) {
            (Some(a), Some(b)) if a != b => return Err(format!("the unit `{text}` names two currencies")),
            (a, b) => a.or(b),
        };
        let mut tail = tail.chars();
        match tail.next() {
            None => return Ok(result),
            Some(operator) => divide = operator == '/',
        }
        rest = tail.as_str();
    }
}

/// One factor of a unit: `1`, a word, or a word with a whole power.
fn unit_part(part: &str, text: &str) -> Result<NamedUnit, String> {
    if part == "1" {
        return Ok(NamedUnit { unit: Unit::RATIO, currency: None });
    }
    if part.is_empty() {
        return Err(format!("the unit `{text}` lacks a word; write it like `USD/h` or `1/s`"));
    }
    let (word, power) = match part.split_once('^') {
        Some((word, power)) => (word.trim(), Some(power.trim())),
        None => (part, None),
    };
    let named = unit_word(word).ok_or_else(|| unknown_word(word))?;
    let Some(power) = power else { return Ok(named) };
    let power: i32 = power.parse().map_err(|_| format!("the power of `{word}` must be a whole number"))?;
    let unit = named.unit.power(power).ok_or_else(|| format!("the unit `{text}` is out of range"))?;
    Ok(NamedUnit { unit, ..named })
}

/// A number with an optional unit, as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The number, in the unit.
    pub value: f64,
    /// The unit; `None` for a bare number.
    pub unit: Option<NamedUnit>,
}

/// Parses a number with an optional unit: `8 GB`, `4.50 USD/h`, `5m` (minutes), `1_000`, `2.5e3 1/s`, `-3`.
pub fn parse_quantity(text: &str) -> Result<(f64, Option<Unit>), String> {
    parse_named_quantity(text).map(|quantity| (quantity.value, quantity.unit.map(|named| named.unit)))
}

/// Parses a number with an optional unit and tells the currency that it names.
pub fn parse_named_quantity(text: &str) -> Result<Quantity, String> {
    if text.len() > TEXT_LIMIT {
        return Err(format!("a quantity is at most {TEXT_LIMIT} bytes long"));
    }
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest.trim_start()),
        None => (1.0, text.strip_prefix('+').unwrap_or(text).trim_start()),
    };
    let wrong = || format!("`{text}` is not a quantity; write a number with an optional unit, such as `8 GB`");
    let (value, length) = scan_number(digits).ok_or_else(wrong)?;
    if !value.is_finite() {
        return Err(format!("the number in `{text}` is too large"));
    }
    let unit = digits.get(length..).unwrap_or("").trim();
    let unit = if unit.is_empty() { None } else { Some(parse_named_unit(unit)?) };
    Ok(Quantity { value: sign * value, unit })
}

/// Reads the number at the start of the text: its value and its length in bytes. Digits may be grouped with `_`; a
/// fraction and a decimal exponent are optional.
pub(crate) fn scan_number(text: &str) -> Option<(f64, usize)> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let digits = |mut i: usize| {
        while at(i).is_ascii_digit() || (at(i) == b'_' && at(i + 1).is_ascii_digit()) {
            i += 1;
        }
        i
    };
    let mut end = if at(0).is_ascii_digit() { digits(0) } else { 0 };
    if at(end) == b'.' && at(end + 1).is_ascii_digit() {
        end = digits(end + 1);
    }
    if end == 0 {
        return None;
    }
    if matches!(at(end), b'e' | b'E') {
        let sign = usize::from(matches!(at(end + 1), b'+' | b'-'));
        if at(end + 1 + sign).is_ascii_digit() {
            end = digits(end + 1 + sign);
        }
    }
    let number = text.get(..end)?.replace('_', "");
    number.parse().ok().map(|value| (value, end))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn convert(from: &str, to: &str) -> Option<f64> {
        conversion(parse_unit(from).unwrap(), parse_unit(to).unwrap())
    }

    #[test]
    fn converts_within_a_dimension() {
        assert_eq!(convert("GB", "MB"), Some(1000.0));
        assert_eq!(convert("GiB", "MiB"), Some(1024.0));
        assert_eq!(convert("MiB", "GiB"), Some(1.0 / 1024.0));
        assert_eq!(convert("h", "s"), Some(3600.0));
        assert_eq!(convert("month", "h"), Some(730.0));
        assert_eq!(convert("USD/h", "USD/month"), Some(730.0));
        assert_eq!(convert("1/min", "1/s"), Some(1.0 / 60.0));
        assert_eq!(convert("Mbit/s", "B/s"), Some(125_000.0));
        assert_eq!(convert("percent", "ratio"), Some(0.01));
        assert_eq!(convert("req/s", "1/s"), Some(1.0));
        assert_eq!(convert("GB*h", "MB*h"), Some(1000.0));
    }

    #[test]
    fn refuses_another_dimension() {
        assert_eq!(convert("GB", "h"), None);
        assert_eq!(convert("USD/h", "USD"), None);
        assert_eq!(convert("1/s", "s"), None);
    }

    #[test]
    fn reads_quantities() {
        let read = |text: &str| {
            let q = parse_named_quantity(text).unwrap();
            (q.value, q.unit.map(|u| u.unit.to_string()), q.unit.and_then(|u| u.currency))
        };
        assert_eq!(read("8 GB"), (8.0, Some("GB".into()), None));
        assert_eq!(read("4.50 USD/h"), (4.5, Some("currency/h".into()), Some("USD")));
        assert_eq!(read("4.50€/h"), (4.5, Some("currency/h".into()), Some("EUR")));
        assert_eq!(read("5m"), (5.0, Some("min".into()), None));
        assert_eq!(read("1_000"), (1000.0, None, None));
        assert_eq!(read("2.5e3 1/s"), (2500.0, Some("1/s".into()), None));
        assert_eq!(read("-3"), (-3.0, None, None));
        assert_eq!(read("90 %"), (90.0, Some("percent".into()), None));
        assert_eq!(read(".5 gib"), (0.5, Some("GiB".into()), None));
        assert_eq!(read("2 s^-2"), (2.0, Some("1/s^2".into()), None));
    }

    #[test]
    fn names_what_is_wrong() {
        let wrong = |text: &str| parse_quantity(text).unwrap_err();
        assert_eq!(wrong("8 Gb"), "unknown unit `Gb`; did you mean `GB`?");
        assert!(wrong("GB").contains("is not a quantity"));
        assert!(wrong("").contains("is not a quantity"));
        assert!(wrong("5 USD/EUR").contains("two currencies"));
        assert!(wrong("1e999").contains("too large"));
        assert!(wrong("5 s^200").contains("out of range"));
        assert!(wrong("5 GB/").contains("lacks a word"));
        assert!(wrong("5 s^x").contains("whole number"));
    }

    #[test]
    fn exponents_never_overflow() {
        let s = parse_unit("s^100").unwrap();
        assert_eq!(s.times(s), None);
        assert_eq!(s.power(2), None);
        assert_eq!(parse_unit("s^-128").unwrap().inverse(), None);
    }

    #[test]
    fn shown_units_are_read_back() {
        for text in ["currency/h", "MiB", "1/s", "GB*h", "percent", "ratio", "MiB/s", "1/s^2", "currency/GB/month"] {
            let unit = parse_unit(text).unwrap();
            assert_eq!(unit.to_string(), text);
            assert_eq!(conversion(parse_unit(&unit.to_string()).unwrap(), unit), Some(1.0));
        }
        let odd = Unit { factor: 730.0, ..Unit::MONEY };
        assert_eq!((odd.symbol(), odd.to_string()), (None, "730 currency".to_owned()));
    }
}
