//! Places in texts, for parsers that tell lines and columns.

use cardinal_models::span::Span;

/// The place of a line and column, both from 1.
pub fn span_at(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or("");
    let at = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.trim_end().len(), |(i, _)| i);
    Span::new(start + at, (start + at + 1).min(text.len()))
}
