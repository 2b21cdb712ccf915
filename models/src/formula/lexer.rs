//! Text of a formula → tokens with places.

use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::unit::scan_number;

/// The smallest part of a formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A number without sign and unit.
    Number(f64),
    /// An identifier, or the sign of a currency.
    Word(&'a str),
    /// A name in backticks.
    Quoted(&'a str),
    /// A text in single or double quotes.
    Text(&'a str),
    True,
    False,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Caret,
    LessEqual,
    Less,
    GreaterEqual,
    Greater,
    Equal,
    NotEqual,
    And,
    Or,
    Xor,
    Implies,
    Not,
    Open,
    Close,
    Comma,
    Dot,
    /// After the last token.
    End,
}

/// Operators and punctuation, longer spellings before their prefixes.
const SYMBOLS: [(&str, Token<'static>); 41] = [
    ("-->", Token::Implies),
    ("->", Token::Implies),
    ("<=", Token::LessEqual),
    ("≤", Token::LessEqual),
    (">=", Token::GreaterEqual),
    ("≥", Token::GreaterEqual),
    ("<>", Token::NotEqual),
    ("~=", Token::NotEqual),
    ("!=", Token::NotEqual),
    ("≠", Token::NotEqual),
    ("==", Token::Equal),
    ("=", Token::Equal),
    ("<", Token::Less),
    (">", Token::Greater),
    ("&&", Token::And),
    ("&", Token::And),
    ("/\\", Token::And),
    ("||", Token::Or),
    ("|", Token::Or),
    ("\\/", Token::Or),
    ("!", Token::Not),
    ("~", Token::Not),
    ("¬", Token::Not),
    ("**", Token::Caret),
    ("^", Token::Caret),
    ("*", Token::Star),
    ("×", Token::Star),
    ("·", Token::Star),
    ("/", Token::Slash),
    ("÷", Token::Slash),
    ("%", Token::Percent),
    ("#", Token::Percent),
    ("+", Token::Plus),
    ("-", Token::Minus),
    ("−", Token::Minus),
    ("–", Token::Minus),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
    (";", Token::Comma),
    (".", Token::Dot),
];

/// The words that are no names.
pub(super) const KEYWORDS: [&str; 7] = ["true", "false", "and", "or", "xor", "not", "implies"];

fn keyword(word: &str) -> Token<'_> {
    match word {
        "true" => Token::True,
        "false" => Token::False,
        "and" => Token::And,
        "or" => Token::Or,
        "xor" => Token::Xor,
        "not" => Token::Not,
        "implies" => Token::Implies,
        other => Token::Word(other),
    }
}

/// True when the text is an identifier that needs no backticks.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !KEYWORDS.contains(&text)
}

/// Splits a formula into tokens; the last is [`Token::End`]. Every character that fits nowhere is a finding.
pub(super) fn tokens(text: &str) -> (Vec<(Token<'_>, Span)>, Vec<Diagnostic>) {
    let mut tokens = Vec::new();
    let mut findings = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = match next(rest, first) {
            Ok(found) => found,
            Err((message, length)) => {
                findings.push(message(Span::new(at, at + length)));
                at += length;
                continue;
            }
        };
        let span = Span::new(at, at + length);
        if matches!(token, Token::Number(value) if !value.is_finite()) {
            findings.push(Diagnostic::error(span, "this number is too large"));
        }
        tokens.push((token, span));
        at += length;
    }
    tokens.push((Token::End, Span::new(text.len(), text.len())));
    (tokens, findings)
}

type Wrong = (Box<dyn FnOnce(Span) -> Diagnostic>, usize);

/// The token at the start of `rest` and its length, or what to report and how much to skip.
fn next(rest: &str, first: char) -> Result<(Token<'_>, usize), Wrong> {
    if let Some((value, length)) = scan_number(rest) {
        return Ok((Token::Number(value), length));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        return Ok((keyword(rest.get(..end).unwrap_or(rest)), end));
    }
    if rest.starts_with("µs") {
        return Ok((Token::Word("µs"), "µs".len()));
    }
    if matches!(first, '$' | '€' | '£') {
        let length = first.len_utf8();
        return Ok((Token::Word(rest.get(..length).unwrap_or(rest)), length));
    }
    if matches!(first, '`' | '"' | '\'') {
        return quoted(rest, first);
    }
    if let Some((symbol, token)) = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol)) {
        return Ok((*token, symbol.len()));
    }
    let message = move |span| {
        let finding = Diagnostic::error(span, format!("`{first}` has no meaning in a formula"));
        if first.is_alphabetic() {
            finding.help("put a name with other characters than letters, digits and `_` in backticks")
        } else {
            finding
        }
    };
    Err((Box::new(message), first.len_utf8()))
}

fn quoted(rest: &str, quote: char) -> Result<(Token<'_>, usize), Wrong> {
    let inner = rest.get(1..).unwrap_or("");
    let Some(end) = inner.find(quote) else {
        let message = move |span| Diagnostic::error(span, format!("the closing {quote} is missing"));
        return Err((Box::new(message), rest.len()));
    };
    let content = inner.get(..end).unwrap_or("");
    if quote != '`' {
        return Ok((Token::Text(content), end + 2));
    }
    if content.is_empty() {
        return Err((Box::new(|span| Diagnostic::error(span, "the name in backticks is empty")), 2));
    }
    Ok((Token::Quoted(content), end + 2))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token<'_>> {
        let (tokens, findings) = tokens(text);
        assert_eq!(findings, Vec::new(), "{text}");
        tokens.into_iter().map(|(t, _)| t).filter(|t| *t != Token::End).collect()
    }

    #[test]
    fn numbers_and_words_touch() {
        assert_eq!(kinds("5m"), [Token::Number(5.0), Token::Word("m")]);
        assert_eq!(kinds("2.5e3x"), [Token::Number(2500.0), Token::Word("x")]);
        assert_eq!(kinds("2e"), [Token::Number(2.0), Token::Word("e")]);
        assert_eq!(kinds("1_000_"), [Token::Number(1000.0), Token::Word("_")]);
        assert_eq!(kinds(".5"), [Token::Number(0.5)]);
    }

    #[test]
    fn longest_symbol_wins() {
        use Token::*;
        assert_eq!(
            kinds("<= < <> -> --> - ** * ~= ~ != ! == ="),
            [
                LessEqual, Less, NotEqual, Implies, Implies, Minus, Caret, Star, NotEqual, Not, NotEqual, Not, Equal,
                Equal
            ]
        );
        assert_eq!(kinds("&& & || | /\\ \\/ ≤ ≥ ≠"), [And, And, Or, Or, And, Or, LessEqual, GreaterEqual, NotEqual]);
    }

    #[test]
    fn names_and_texts_keep_their_characters() {
        assert_eq!(kinds("`a b.c` 'x\"y' \"z\""), [Token::Quoted("a b.c"), Token::Text("x\"y"), Token::Text("z")]);
    }

    #[test]
    fn everything_wrong_is_found_with_its_place() {
        let (_, findings) = tokens("a ? b § `c");
        let places: Vec<_> = findings.iter().map(|f| (f.span.start, f.span.end)).collect();
        assert_eq!(places, [(2, 3), (6, 8), (9, 11)]);
        assert_eq!(tokens("1e400").1.len(), 1);
        assert_eq!(tokens("``").1.first().unwrap().message, "the name in backticks is empty");
    }
}
