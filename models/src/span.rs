//! Places in a source text, and values that remember where they were written.

use serde::{Deserialize, Serialize};

/// A half-open range of bytes `[start, end)` in one source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: u32,
    /// Byte offset one past the last byte.
    pub end: u32,
}

impl Span {
    /// The place of something that was made by a program and stands in no text.
    pub const NONE: Span = Span { start: u32::MAX, end: u32::MAX };

    /// A span from two byte offsets; offsets beyond 4 GiB are clamped (input is limited far below that).
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |x: usize| u32::try_from(x).unwrap_or(u32::MAX - 1);
        Span { start: clamp(start), end: clamp(end.max(start)) }
    }

    /// The character of a text that a byte offset lies in, for offsets that were not counted in whole characters;
    /// nothing but a place at the end of the text.
    pub fn of_character(text: &str, offset: usize) -> Span {
        let mut start = offset.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let length = text[start..].chars().next().map_or(0, char::len_utf8);
        Span::new(start, start + length)
    }

    /// True for a value that stands in no text.
    pub fn is_none(self) -> bool {
        self == Span::NONE
    }

    /// The smallest span that covers both; a missing one is ignored.
    pub fn to(self, other: Span) -> Span {
        if self.is_none() {
            return other;
        }
        if other.is_none() {
            return self;
        }
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span of `inner`, a part of the text that stands at this one. A text that is not written as it reads, with
    /// escapes or over several lines, is longer or shorter than its place; then its parts have no places of their own,
    /// and all of it is meant.
    pub fn within(self, text: &str, inner: Span) -> Span {
        let length = self.end as usize - self.start as usize;
        if self.is_none() || inner.is_none() || length != text.len() {
            return self;
        }
        Span { start: self.start + inner.start, end: (self.start + inner.end).min(self.end.max(self.start)) }
    }
}

/// A value with the place where it was written. Serialises as the value alone.
#[derive(Clone, Debug, Default)]
pub struct Spanned<T: Clone> {
    /// The value.
    pub value: T,
    /// Where it stands; [`Span::NONE`] when a program made it.
    pub span: Span,
}

impl<T: Clone> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }

    /// A value that stands in no text.
    pub fn made(value: T) -> Self {
        Spanned { value, span: Span::NONE }
    }
}

impl<T: Clone> From<T> for Spanned<T> {
    fn from(value: T) -> Self {
        Spanned::made(value)
    }
}

/// Two values are equal wherever they stand.
impl<T: Clone + PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Clone> std::ops::Deref for Spanned<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone + Serialize> Serialize for Spanned<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Clone + Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Spanned::made)
    }
}

impl<T: Clone + schemars::JsonSchema> schemars::JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}
