//! YAML (and so JSON) one node at a time, with places in bytes. A catalog may be long, so the whole document is never
//! held as a tree: the caller walks the outer levels and takes one offer after the other.

use std::borrow::Cow;

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::span::Span;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};

/// Offers are flat; anything deeper is no catalog.
const DEPTH_MAX: usize = 8;

/// Entries of one list or mapping inside an offer.
const ENTRIES_MAX: usize = 10_000;

/// A value.
pub(super) enum Node<'s> {
    /// A scalar, and whether it was written without quotes (only then can it be a number or nothing).
    Scalar {
        text: Cow<'s, str>,
        is_plain: bool,
        span: Span,
    },
    List(Vec<Node<'s>>, Span),
    Map(Vec<(Node<'s>, Node<'s>)>, Span),
}

impl Node<'_> {
    pub(super) fn span(&self) -> Span {
        match self {
            Node::Scalar { span, .. } | Node::List(_, span) | Node::Map(_, span) => *span,
        }
    }

    /// True for `null`, `~` and nothing at all.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar { text, is_plain: true, .. } if matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Node::Scalar { text, .. } => Some(text.trim()),
            _ => None,
        }
    }
}

/// One step of the outer levels.
pub(super) enum Step<'s> {
    MapStart(Span),
    MapEnd,
    ListStart(Span),
    ListEnd,
    Scalar(Node<'s>),
    End,
}

/// Reads a YAML text.
pub(super) struct Walker<'s> {
    parser: Parser<'s, StrInput<'s>>,
    offsets: Offsets<'s>,
}

impl<'s> Walker<'s> {
    /// Reads `text`, which begins `base` bytes into its source.
    pub(super) fn new(text: &'s str, base: usize) -> Self {
        Walker { parser: Parser::new_from_str(text), offsets: Offsets::new(text, base) }
    }

    /// The next step.
    pub(super) fn step(&mut self) -> Result<Step<'s>, Diagnostic> {
        loop {
            let (event, span) = match self.parser.next_event() {
                None => return Ok(Step::End),
                Some(Ok(found)) => found,
                Some(Err(error)) => return Err(self.syntax(&error)),
            };
            let span = Span::new(self.offsets.byte(span.start.index()), self.offsets.byte(span.end.index()));
            return Ok(match event {
                Event::StreamEnd => Step::End,
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => continue,
                Event::Alias(_) => {
                    return Err(Diagnostic::error(span, "a catalog has no aliases (`*name`)")
                        .help("write the value itself, or begin a text with `*` with a quote"));
                }
                Event::Scalar(text, style, _, _) => {
                    Step::Scalar(Node::Scalar { text, is_plain: matches!(style, ScalarStyle::Plain), span })
                }
                Event::SequenceStart(..) => Step::ListStart(span),
                Event::SequenceEnd => Step::ListEnd,
                Event::MappingStart(..) => Step::MapStart(span),
                Event::MappingEnd => Step::MapEnd,
            });
        }
    }

    /// The whole node that begins with `first`; `None` when `first` ends something.
    pub(super) fn node(&mut self, first: Step<'s>) -> Result<Option<Node<'s>>, Diagnostic> {
        self.node_at(first, 0)
    }

    fn node_at(&mut self, first: Step<'s>, depth: usize) -> Result<Option<Node<'s>>, Diagnostic> {
        let start = match first {
            Step::Scalar(node) => return Ok(Some(node)),
            Step::MapEnd | Step::ListEnd | Step::End => return Ok(None),
            Step::MapStart(span) | Step::ListStart(span) => span,
        };
        if depth >= DEPTH_MAX {
            return Err(Diagnostic::error(start, "an offer is not nested so deeply"));
        }
        let is_map = matches!(first, Step::MapStart(_));
        let (mut entries, mut pairs, mut end) = (Vec::new(), Vec::new(), start);
        loop {
            let step = self.step()?;
            let Some(key) = self.node_at(step, depth + 1)? else { break };
            end = key.span();
            if is_map {
                let step = self.step()?;
                let Some(value) = self.node_at(step, depth + 1)? else { break };
                end = end.to(value.span());
                pairs.push((key, value));
            } else {
                entries.push(key);
            }
            if entries.len() + pairs.len() > ENTRIES_MAX {
                return Err(Diagnostic::error(start, format!("more than {ENTRIES_MAX} entries")));
            }
        }
        let span = start.to(end);
        Ok(Some(if is_map { Node::Map(pairs, span) } else { Node::List(entries, span) }))
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = self.offsets.byte(error.marker().index());
        Diagnostic::error(Span::new(at, at), format!("this is not YAML: {}", error.info()))
            .help("check the indentation and the brackets and quotes before this place")
    }
}

/// From places in characters, as the parser counts, to places in bytes.
struct Offsets<'s> {
    text: &'s str,
    base: usize,
    /// The byte of every [`Offsets::STRIDE`]th character; empty for a text of single bytes.
    marks: Vec<usize>,
}

impl<'s> Offsets<'s> {
    const STRIDE: usize = 256;

    fn new(text: &'s str, base: usize) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(Offsets::STRIDE).map(|(byte, _)| byte).collect()
        };
        Offsets { text, base, marks }
    }

    fn byte(&self, character: usize) -> usize {
        let end = self.text.len();
        let inside = if self.marks.is_empty() {
            character.min(end)
        } else {
            self.marks.get(character / Offsets::STRIDE).map_or(end, |mark| {
                let rest = self.text[*mark..].char_indices().nth(character % Offsets::STRIDE);
                rest.map_or(end, |(byte, _)| mark + byte)
            })
        };
        self.base + inside
    }
}
