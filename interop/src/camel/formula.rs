//! Formulas of CAMEL (in the spelling of mXparser) to formulas of models.
//!
//! The language of models reads mXparser's operators and functions; what differs is names: metrics may have other
//! names in the document, names with foreign characters stand in backticks, and a variable over all node candidates
//! has no value of its own but turns the function around it into one over candidates.

use rustc_hash::FxHashMap;

use crate::names::is_identifier;

/// Longest formula that is translated, in bytes.
pub(super) const LENGTH_MAX: usize = 64 * 1024;
/// Deepest nesting of parentheses that is translated.
const NESTING_MAX: usize = 200;

/// What a name in a formula stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A metric: how it is written in the formula.
    Value(String),
    /// A value of every offer that a component may use: how one of them is written.
    Candidates(String),
    /// The name could not be resolved; the reason was already told.
    Broken,
    /// No metric has this name.
    Unknown,
}

/// Why a formula cannot be translated.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub message: String,
    pub help: String,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Wrong { message: message.into(), help: help.into() }
    }
}

/// A piece of a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'f> {
    Name(&'f str),
    Open,
    Close,
    Comma,
    Space(&'f str),
    Other(&'f str),
}

/// The names of metrics that are no identifiers, by the word with which they begin.
#[derive(Default)]
pub(super) struct ForeignNames<'n>(FxHashMap<&'n str, Vec<&'n str>>);

impl<'n> ForeignNames<'n> {
    /// Keeps those of the names that are no identifiers.
    pub(super) fn of(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut all: FxHashMap<&str, Vec<&str>> = FxHashMap::default();
        for name in names.into_iter().filter(|n| !n.is_empty() && !is_identifier(n)) {
            all.entry(word(name)).or_default().push(name);
        }
        // The longest first: `load-avg-5` is not `load-avg` minus 5.
        for names in all.values_mut() {
            names.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
            names.dedup();
        }
        ForeignNames(all)
    }

    fn at(&self, text: &str) -> Option<&'n str> {
        let ends = |name: &&&str| text.get(name.len()..).is_none_or(|rest| !rest.starts_with(is_word));
        self.0.get(word(text))?.iter().filter(|name| text.starts_with(**name)).find(ends).copied()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The letters, digits and underscores with which a text begins.
fn word(text: &str) -> &str {
    &text[..text.find(|c| !is_word(c)).unwrap_or(text.len())]
}

fn tokens<'f>(text: &'f str, foreign: &ForeignNames<'f>) -> Vec<Token<'f>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if let Some(name) = foreign.at(rest) {
            tokens.push(Token::Name(&rest[..name.len()]));
            name.len()
        } else if first.is_ascii_digit() || first == '.' {
            let length = number_length(rest);
            tokens.push(Token::Other(&rest[..length]));
            length
        } else if is_word(first) {
            let name = word(rest);
            tokens.push(Token::Name(name));
            name.len()
        } else {
            let length = first.len_utf8();
            tokens.push(match first {
                '(' => Token::Open,
                ')' => Token::Close,
                ',' | ';' => Token::Comma,
                c if c.is_whitespace() => Token::Space(" "),
                _ => Token::Other(&rest[..length]),
            });
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The bytes of the number with which a text begins, exponent included; at least 1.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end += 1;
        end += digits(end);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end.max(1)
}

/// The functions over candidates.
fn aggregate(function: &str) -> Option<&'static str> {
    Some(match function {
        "min" => "min",
        "max" => "max",
        "mean" | "avg" | "average" => "mean",
        "sum" | "add" => "sum",
        _ => return None,
    })
}

/// Words that are names in no formula.
fn is_language(name: &str) -> bool {
    ["pi", "e", "true", "false", "and", "or", "xor", "not", "implies"].contains(&name)
}

/// Translates a formula. `meaning` says what a name stands for.
pub(super) fn translate<'f>(
    text: &'f str,
    foreign: &ForeignNames<'f>,
    mut meaning: impl FnMut(&'f str) -> Meaning,
) -> Result<String, Wrong> {
    if text.len() > LENGTH_MAX {
        return Err(Wrong::new(
            format!("the formula has {} bytes, the limit is {LENGTH_MAX}", text.len()),
            "split it into several metric variables",
        ));
    }
    let tokens = tokens(text, foreign);
    let solid: Vec<usize> = (0..tokens.len()).filter(|i| !matches!(tokens[*i], Token::Space(_))).collect();
    let mut out = String::with_capacity(text.len() + 16);
    // For each open parenthesis the function before it, with the place in `out` where its name begins.
    let mut open: Vec<Option<(&str, usize)>> = Vec::new();
    let mut function: Option<(&str, usize)> = None;
    let mut position = 0;
    while position < solid.len() {
        let index = solid[position];
        if position > 0 && matches!(tokens[index - 1], Token::Space(_)) {
            out.push(' ');
        }
        let next = solid.get(position + 1).map(|i| tokens[*i]);
        let before = position.checked_sub(1).map(|p| tokens[solid[p]]);
        let called = function.take();
        match tokens[index] {
            Token::Open => {
                if open.len() >= NESTING_MAX {
                    return Err(Wrong::new(
                        format!("the formula has parentheses more than {NESTING_MAX} deep"),
                        "split it into several metric variables",
                    ));
                }
                open.push(called);
                out.push('(');
            }
            Token::Close => {
                open.pop();
                out.push(')');
            }
            Token::Comma => out.push(','),
            Token::Space(_) => {}
            Token::Other(piece) => out.push_str(piece),
            Token::Name(name) if next == Some(Token::Open) => {
                function = Some((name, out.len()));
                out.push_str(name);
            }
            Token::Name(name) => {
                match meaning(name) {
                    Meaning::Value(written) => out.push_str(&written),
                    Meaning::Candidates(value) => {
                        let around = open.last().copied().flatten();
                        let wanted = around.and_then(|(f, at)| aggregate(f).map(|a| (a, at)));
                        let alone = before == Some(Token::Open) && next == Some(Token::Close);
                        let argument = matches!(before, Some(Token::Open | Token::Comma))
                            && matches!(next, Some(Token::Close | Token::Comma));
                        match wanted {
                            Some((aggregate, at)) if alone => {
                                out.truncate(at);
                                out.push_str(&format!("candidates.{aggregate}({value})"));
                                open.pop();
                                position += 1;
                            }
                            // The smallest of many and one more is the smallest of the smallest and that one; a mean
                            // is not.
                            Some((aggregate, _)) if argument && aggregate != "mean" => {
                                out.push_str(&format!("candidates.{aggregate}({value})"));
                            }
                            _ => {
                                return Err(Wrong::new(
                                    format!("'{name}' runs over all node candidates and has no single value here"),
                                    format!("write min({name}), max({name}) or mean({name})"),
                                ));
                            }
                        }
                    }
                    Meaning::Broken => out.push('0'),
                    Meaning::Unknown if is_language(name) => out.push_str(name),
                    Meaning::Unknown => {
                        return Err(Wrong::new(
                            format!("no metric is called '{}'", super::tree::short(name)),
                            "use the name of a metric of this model",
                        ));
                    }
                }
            }
        }
        position += 1;
    }
    Ok(out.trim().to_owned())
}

/// The aggregate and the metric of a formula that is nothing but `mean(Raw)`, in the words of models.
pub(super) fn single_aggregate<'f>(text: &'f str, foreign: &ForeignNames<'f>) -> Option<(&'static str, &'f str)> {
    let tokens: Vec<Token> = tokens(text, foreign).into_iter().filter(|t| !matches!(t, Token::Space(_))).collect();
    let [Token::Name(function), Token::Open, Token::Name(metric), Token::Close] = tokens.as_slice() else {
        return None;
    };
    Some((window_aggregate(function)?, metric))
}

/// True when a formula aggregates samples of a metric over time: then its value cannot be computed from values of
/// other metrics.
pub(super) fn aggregates_samples(text: &str, foreign: &ForeignNames<'_>) -> bool {
    let tokens: Vec<Token> = tokens(text, foreign).into_iter().filter(|t| !matches!(t, Token::Space(_))).collect();
    tokens.windows(4).any(
        |w| matches!(w, [Token::Name(f), Token::Open, Token::Name(_), Token::Close] if window_aggregate(f).is_some()),
    )
}

/// How samples in a window become one value, in the words of models.
fn window_aggregate(function: &str) -> Option<&'static str> {
    Some(match function.to_ascii_lowercase().as_str() {
        "mean" | "avg" | "average" => "mean",
        "sum" | "add" => "sum",
        "min" => "min",
        "max" => "max",
        "count" => "count",
        "std" | "stddev" => "stddev",
        "rate" => "rate",
        "median" | "med" => "p50",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn to(text: &str) -> Result<String, Wrong> {
        let foreign = ForeignNames::of(["load-avg", "load-avg-5", "5xx rate"]);
        translate(text, &foreign, |name| match name {
            "Cost" => Meaning::Candidates("number(App.price)".into()),
            "x" | "y" | "load" | "min2" => Meaning::Value(name.into()),
            "load-avg" | "load-avg-5" | "5xx rate" => Meaning::Value(format!("`{name}`")),
            _ => Meaning::Unknown,
        })
    }

    #[test]
    fn names_and_candidates_are_rewritten() {
        for (from, wanted) in [
            ("1 - ((x * y)- 2 * min(Cost))", "1 - ((x * y)- 2 * candidates.min(number(App.price)))"),
            ("min( Cost , x)", "min( candidates.min(number(App.price)) , x)"),
            ("mean ( Cost )", "candidates.mean(number(App.price))"),
            ("load-avg*2e-3-load-avg-5", "`load-avg`*2e-3-`load-avg-5`"),
            ("5xx rate / 5", "`5xx rate` / 5"),
            ("(-4.5 * (x)^2) + abs(y)", "(-4.5 * (x)^2) + abs(y)"),
            ("x && y", "x && y"),
            ("2*pi*x+.5", "2*pi*x+.5"),
        ] {
            assert_eq!(to(from).unwrap(), wanted);
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        for text in ["Cost", "2 * Cost", "min(2*Cost)", "abs(Cost)", "mean(Cost, x)", "z + 1"] {
            assert!(to(text).is_err(), "{text}");
        }
        assert!(to(&"(".repeat(1000)).is_err());
        assert!(to(&"x".repeat(LENGTH_MAX + 1)).is_err());
    }

    #[test]
    fn window_aggregates_are_recognised() {
        let foreign = ForeignNames::default();
        assert_eq!(single_aggregate("mean( Raw )", &foreign), Some(("mean", "Raw")));
        assert_eq!(single_aggregate("mean(Raw) / 2", &foreign), None);
        assert!(aggregates_samples("mean(Raw) / 2", &foreign));
        assert!(!aggregates_samples("A / B", &foreign));
    }
}
