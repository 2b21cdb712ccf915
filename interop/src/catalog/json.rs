//! JSON with places: the entries of an array or object as slices of the text, each decoded on its own, so that a
//! message tells the line and the decoder can borrow from the text.

use std::borrow::Cow;
use std::fmt;

use cardinal_models::diagnostic::{Diagnostic, Source};
use cardinal_models::span::Span;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The entries of an array or object in their order. Unlike a map it keeps double keys, so that they can be refused.
pub(super) struct Entries<'a> {
    /// The keys are empty in an array.
    pub(super) entries: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub(super) is_array: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(value) = seq.next_element()? {
                    entries.push((Cow::Borrowed(""), value));
                }
                Ok(Entries { entries, is_array: true })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    entries.push((key.0, value));
                }
                Ok(Entries { entries, is_array: false })
            }
        }
        deserializer.deserialize_any(Collect)
    }
}

/// A text that is borrowed unless it has escapes.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The entries of the outermost array or object of a source.
pub(super) fn entries(source: &Source) -> Result<Entries<'_>, Diagnostic> {
    outermost(source)
}

/// The whole text of a source.
pub(super) fn outermost<'a, T: Deserialize<'a>>(source: &'a Source) -> Result<T, Diagnostic> {
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let place = Span::new(source.text.len() - text.len(), source.text.len());
    serde_json::from_str(text).map_err(|e| refusal(text, place, &e))
}

/// The first character of a source, a byte order mark aside: where the outermost array or object begins.
pub(super) fn start(source: &Source) -> Span {
    let text = source.text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    Span::of_character(&source.text, source.text.len() - text.len())
}

/// Decodes one slice of a source.
pub(super) fn decode<'a, T: Deserialize<'a>>(source: &Source, raw: &'a RawValue) -> Result<T, Diagnostic> {
    serde_json::from_str(raw.get()).map_err(|e| refusal(raw.get(), place(source, raw), &e))
}

/// The place of a slice of a source.
pub(super) fn place(source: &Source, raw: &RawValue) -> Span {
    // The slice lies inside the text of its source, so the difference of their addresses is its offset.
    let start = (raw.get().as_ptr() as usize).wrapping_sub(source.text.as_ptr() as usize);
    if start > source.text.len() {
        return Span::NONE;
    }
    Span::new(start, start + raw.get().len())
}

fn refusal(text: &str, place: Span, error: &serde_json::Error) -> Diagnostic {
    let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let at = Span::of_character(text, line_start + error.column().saturating_sub(1)).start as usize;
    let span = if place.is_none() { place } else { Span::new(place.start as usize + at, place.start as usize + at) };
    // The library ends its messages with a line and column that count from the slice.
    let message = error.to_string();
    let message = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
    Diagnostic::error(span, format!("the entry cannot be read: {message}"))
}
