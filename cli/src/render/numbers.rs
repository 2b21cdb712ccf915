//! Numbers for people.

use cardinal_models::quantity::Bytes;

/// Hours in a month, as in the price lists of the cloud providers.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// A number with up to six significant digits.
pub fn number(x: f64) -> String {
    if x == 0.0 {
        return "0".to_owned();
    }
    let size = x.abs().log10().floor();
    if !(-5.0..12.0).contains(&size) {
        return trim(&format!("{x:.5e}"));
    }
    let decimals = (5.0 - size).clamp(0.0, 12.0) as usize;
    trim(&format!("{x:.decimals$}"))
}

/// Without zeros behind the decimal point that say nothing.
fn trim(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').map_or((text, None), |(d, e)| (d, Some(e)));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    exponent.map_or_else(|| digits.to_owned(), |e| format!("{digits}e{e}"))
}

/// A number with its unit; amounts of data in the largest unit that keeps them short.
pub fn quantity(x: f64, unit: Option<&str>) -> String {
    match unit {
        Some("MiB") if x > 0.0 => Bytes::from_mib(x).map_or_else(|| format!("{} MiB", number(x)), |b| b.to_string()),
        Some("percent") => format!("{} %", number(x)),
        Some(unit) => format!("{} {unit}", number(x)),
        None => number(x),
    }
}

/// Money per hour with two decimals, more where it needs them.
pub fn price(x: f64) -> String {
    let decimals = decimals([x]);
    format!("{x:.decimals$}")
}

/// With how many decimals all of these amounts of money can be shown.
pub fn decimals(amounts: impl IntoIterator<Item = f64>) -> usize {
    let is_exact = |x: f64, decimals: usize| (x - format!("{x:.decimals$}").parse().unwrap_or(x)).abs() < 5e-8;
    let needed = |x: f64| [2, 4].into_iter().find(|decimals| is_exact(x, *decimals)).unwrap_or(6);
    amounts.into_iter().map(needed).max().unwrap_or(2)
}

/// `10^log`: `12`, `1500`, `1.5e9`.
pub fn power_of_ten(log: f64) -> String {
    if log < 6.0 {
        return format!("{:.0}", 10f64.powf(log));
    }
    let mut exponent = log.floor();
    let mut mantissa = (10f64.powf(log - exponent) * 10.0).round() / 10.0;
    if mantissa >= 10.0 {
        mantissa = 1.0;
        exponent += 1.0;
    }
    format!("{mantissa}e{exponent}")
}

/// A time in a fitting unit.
pub fn milliseconds(ms: f64) -> String {
    if ms < 0.05 {
        "under 0.1 ms".to_owned()
    } else if ms < 1000.0 {
        let decimals = if ms < 10.0 { 1 } else { 0 };
        format!("{ms:.decimals$} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

/// A share as percent.
pub fn percent(share: f64) -> String {
    let x = share * 100.0;
    if x != 0.0 && x.abs() < 0.1 { format!("{} %", trim(&format!("{x:.1e}"))) } else { format!("{x:.1} %") }
}

/// A number of things: `1 offer`, `2 offers`.
pub fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 1.0, 1.0 / 3.0, 123_456.789, 1e15, -2.5e-7, 100.0].map(number).into();
        assert_eq!(shown, ["0", "1", "0.333333", "123457", "1e15", "-2.5e-7", "100"]);
        assert_eq!([0.0104, 0.5, 0.000_123_4].map(price), ["0.0104", "0.50", "0.000123"]);
        assert_eq!([0.0, 2.0, 9.1761, 9.999_99].map(power_of_ten), ["1", "100", "1.5e9", "1e10"]);
        assert_eq!([0.01, 1.26, 34.2, 2500.0].map(milliseconds), ["under 0.1 ms", "1.3 ms", "34 ms", "2.5 s"]);
        assert_eq!([0.008, 0.0, 1e-6].map(percent), ["0.8 %", "0.0 %", "1e-4 %"]);
    }
}
