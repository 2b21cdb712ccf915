//! Limits on what is written in a policy, so that reading it ends well whatever it is: Cedar's reader and checker recur
//! over nested expressions, and an expression can nest as deep as it has operators.

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::span::Span;

/// The longest text of policies, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most words and signs in one policy. Texts in quotes, commas and comments do not count, so that a list may be long.
pub const TOKENS_MAX: usize = 600;
/// How deep brackets may be nested.
const DEPTH_MAX: usize = 32;

/// Refuses what is too long or too deep.
pub(super) fn admit(text: &str) -> Result<(), Diagnostic> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("the text has {} bytes; at most {TEXT_BYTES_MAX} are read", text.len());
        return Err(Diagnostic::error(Span::NONE, message).help("divide it into several files"));
    }
    let (mut depth, mut tokens) = (0_usize, 0_usize);
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let start = at;
        at += 1;
        match byte {
            b'"' => at = after_text(bytes, at),
            b'/' if bytes.get(at) == Some(&b'/') => at = after_line(bytes, at),
            b';' => tokens = 0,
            b',' => {}
            byte if byte.is_ascii_whitespace() => {}
            byte if is_word(*byte) => {
                tokens += 1;
                at += bytes[at..].iter().take_while(|b| is_word(**b)).count();
            }
            sign => {
                tokens += 1;
                match sign {
                    b'(' | b'[' | b'{' => depth += 1,
                    b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
        }
        let place = || Span::of_character(text, start);
        if depth > DEPTH_MAX {
            let message = format!("brackets are nested more than {DEPTH_MAX} deep");
            return Err(Diagnostic::error(place(), message).help("divide it into several policies"));
        }
        if tokens > TOKENS_MAX {
            let message = format!("the policy has more than {TOKENS_MAX} words and signs");
            let help = "divide it into several policies, or write a list of texts in one `[...]`";
            return Err(Diagnostic::error(place(), message).help(help));
        }
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Where a text that begins before `at` has ended.
fn after_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'"' => break,
            _ => {}
        }
    }
    at.min(bytes.len())
}

fn after_line(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|b| **b != b'\n').count()
}
