//! YAML or JSON text → a tree of nodes with places. Knows nothing of models; refuses what would make a small file
//! large (aliases), deep, or ambiguous (duplicate keys).

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::{MAX_BYTES, MAX_DEPTH, MAX_FINDINGS, MAX_NODES};
use crate::diagnostic::{Diagnostic, Source};
use crate::span::{Span, Spanned};

/// A value of the file with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// What it is.
    pub kind: Kind,
    /// Where it stands; of a scalar the content without quotes.
    pub span: Span,
}

/// The kinds of value.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// A scalar that was not quoted.
    Plain(String),
    /// A quoted or block scalar.
    Quoted(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping without duplicate keys.
    Map(Vec<(Spanned<String>, Node)>),
    /// A value that was refused and reported already.
    Refused,
}

/// The path of a key below a path.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Parses the text. Findings go to `report`; `None` when no tree could be made.
pub(super) fn parse(source: &Source, report: &mut Vec<Diagnostic>) -> Option<Node> {
    if let Err(diagnostic) = check_text(&source.text) {
        report.push(diagnostic);
        return None;
    }
    let prepared = Prepared::new(&source.text);
    Builder { source, places: Places::new(&prepared), stack: Vec::new(), root: None, nodes: 0, line: 0, report }
        .run(&prepared)
}

/// Refuses what the parser would read in a way that surprises, or slowly.
fn check_text(text: &str) -> Result<(), Diagnostic> {
    if text.len() > MAX_BYTES {
        return Err(Diagnostic::error(
            Span::new(0, 0),
            format!("the file has {} bytes, more than the {MAX_BYTES} that are read", text.len()),
        ));
    }
    if let Some(at) = text.find('\0') {
        let message = "the file holds a NUL character: it is not a text";
        return Err(Diagnostic::error(Span::new(at, at + 1), message).help("save it as UTF-8"));
    }
    // The scanner looks at every open bracket for every token: without this bound, a megabyte of `[` takes hours.
    // Brackets inside texts are counted too, so the bound leaves room far above the depth that is allowed.
    let mut open: usize = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > 16 * MAX_DEPTH {
            return Err(too_deep(Span::new(at, at + 1)));
        }
    }
    Ok(())
}

fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(span, format!("lists and mappings are nested more than {MAX_DEPTH} deep"))
}

/// The text as the YAML parser reads it, and where its characters stand in the source.
struct Prepared {
    text: String,
    /// Byte offset in the source of every character, and of the end; `None` when offset and index are the same.
    offsets: Option<Vec<u32>>,
}

impl Prepared {
    /// JSON is YAML except for two things that are mended here: tabs between tokens, and a character outside the
    /// basic plane that is escaped as a pair of surrogates.
    fn new(source: &str) -> Self {
        let text = source.strip_prefix('\u{feff}').unwrap_or(source);
        let skipped = source.len() - text.len();
        let looks_like_json = text.trim_start().starts_with(['{', '[']);
        let is_json = looks_like_json
            && (text.contains('\t') || text.contains("\\u"))
            && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if skipped == 0 && text.is_ascii() && !is_json {
            return Prepared { text: text.to_owned(), offsets: None };
        }
        let mut prepared = String::with_capacity(text.len());
        let mut offsets = Vec::with_capacity(text.len() + 1);
        let mut rest = text.char_indices();
        let mut escaped = false;
        while let Some((at, c)) = rest.next() {
            let offset = u32::try_from(at + skipped).unwrap_or(u32::MAX - 1);
            if is_json
                && c == '\\'
                && !escaped
                && let Some(pair) = text.get(at..at + 12).and_then(surrogate_pair)
            {
                let escape = format!("\\U{:08X}", u32::from(pair));
                offsets.extend(std::iter::repeat_n(offset, escape.len()));
                prepared.push_str(&escape);
                rest.nth(10);
                continue;
            }
            escaped = c == '\\' && !escaped;
            offsets.push(offset);
            prepared.push(if is_json && c == '\t' { ' ' } else { c });
        }
        offsets.push(u32::try_from(source.len()).unwrap_or(u32::MAX - 1));
        Prepared { text: prepared, offsets: Some(offsets) }
    }
}

/// The character that `\ud83d\ude00` stands for.
fn surrogate_pair(escape: &str) -> Option<char> {
    let unit = |text: &str| text.strip_prefix("\\u").and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let units = [unit(escape.get(..6)?)?, unit(escape.get(6..)?)?];
    if !(0xD800..0xDC00).contains(&units[0]) {
        return None;
    }
    char::decode_utf16(units).next()?.ok()
}

/// Turns the parser's markers, which count characters, into byte offsets.
struct Places {
    offsets: Option<Vec<u32>>,
    end: usize,
}

impl Places {
    fn new(prepared: &Prepared) -> Self {
        Places { offsets: prepared.offsets.clone(), end: prepared.text.len() }
    }

    fn offset(&self, marker: Marker) -> usize {
        match &self.offsets {
            None => marker.index().min(self.end),
            Some(offsets) => offsets.get(marker.index()).or(offsets.last()).map_or(0, |o| *o as usize),
        }
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(self.offset(span.start), self.offset(span.end))
    }
}

/// A list or mapping that is still open.
enum Frame {
    List { items: Vec<Node>, span: Span },
    Map { entries: Vec<(Spanned<String>, Node)>, seen: HashMap<String, usize>, key: Key, span: Span },
}

/// What an open mapping waits for.
enum Key {
    /// A key.
    Wanted,
    /// The value of this key.
    Of(Spanned<String>),
    /// The value of a key that was refused.
    OfRefused(Spanned<String>),
}

struct Builder<'a> {
    source: &'a Source,
    places: Places,
    stack: Vec<Frame>,
    root: Option<Node>,
    nodes: usize,
    /// The line of the event that is taken in.
    line: usize,
    report: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn run(mut self, prepared: &Prepared) -> Option<Node> {
        let mut parser = Parser::new_from_str(&prepared.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok((event, span)) => {
                    self.line = span.start.line();
                    (event, self.places.span(span))
                }
                Err(error) => {
                    let at = self.places.offset(*error.marker());
                    self.report.push(syntax_error(at, error.info()));
                    return None;
                }
            };
            if let Err(diagnostic) = self.event(event, span) {
                let path = self.path();
                self.report.push(diagnostic.at(path));
                return None;
            }
            if self.report.len() > MAX_FINDINGS {
                return None;
            }
        }
        if self.root.is_none() {
            self.report.push(
                Diagnostic::error(Span::new(0, 0), "the file is empty")
                    .help("begin with `application: NAME` and `components:`"),
            );
        }
        self.root
    }

    /// Takes in one event; an error ends the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Diagnostic::error(span, "a second document begins here; a file holds one model")
                    .help("put it in a file of its own"))
            }
            Event::DocumentStart(_) => Ok(()),
            Event::Alias(_) => {
                self.report.push(
                    Diagnostic::error(span, "aliases (`*name`) are not read")
                        .help("write the value out, or name it under `constants`")
                        .at(self.path()),
                );
                self.add(Node { kind: Kind::Refused, span })
            }
            Event::Scalar(text, style, _, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), span);
                self.add(node)
            }
            Event::SequenceStart(_, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", span);
                self.open(Frame::List { items: Vec::new(), span })
            }
            Event::MappingStart(_, tag) => {
                self.refuse_tag(tag.as_deref(), "map", span);
                self.open(Frame::Map { entries: Vec::new(), seen: HashMap::new(), key: Key::Wanted, span })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::List { items, span: start }) => {
                    self.add(Node { kind: Kind::List(items), span: start.to(span) })
                }
                Some(Frame::Map { entries, span: start, .. }) => {
                    self.add(Node { kind: Kind::Map(entries), span: start.to(span) })
                }
                None => Ok(()),
            },
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Diagnostic> {
        if self.stack.len() >= MAX_DEPTH {
            let (Frame::List { span, .. } | Frame::Map { span, .. }) = frame;
            return Err(too_deep(span));
        }
        self.stack.push(frame);
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node) -> Result<(), Diagnostic> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Diagnostic::error(node.span, format!("the file holds more than {MAX_NODES} values")));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, .. }) => match std::mem::replace(key, Key::Wanted) {
                Key::Of(name) => entries.push((name, node)),
                Key::OfRefused(_) => {}
                Key::Wanted => self.key(node),
            },
        }
        Ok(())
    }

    /// Takes in the key of an entry of the innermost mapping.
    fn key(&mut self, node: Node) {
        let span = node.span;
        let (name, problem) = match node.kind {
            Kind::Plain(text) | Kind::Quoted(text) => (Spanned::new(text, span), None),
            Kind::Null => (Spanned::new(String::new(), span), Some("a name is missing before the `:`")),
            Kind::List(_) | Kind::Map(_) => {
                (Spanned::new(String::new(), span), Some("a name is expected before the `:`, found a list or mapping"))
            }
            Kind::Refused => (Spanned::new(String::new(), span), Some("a name is expected before the `:`")),
        };
        let path = self.path();
        let Some(Frame::Map { seen, key, .. }) = self.stack.last_mut() else { return };
        if let Some(problem) = problem {
            self.report.push(Diagnostic::error(span, problem).at(path));
            *key = Key::OfRefused(name);
        } else if let Some(first) = seen.get(&name.value) {
            self.report.push(
                Diagnostic::error(span, format!("`{}` is given twice", name.value))
                    .help(format!("keep one of them; the first is on line {first}"))
                    .at(join(&path, &name.value)),
            );
            *key = Key::OfRefused(name);
        } else {
            seen.insert(name.value.clone(), self.line);
            *key = Key::Of(name);
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let is_text = tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str");
        self.refuse_tag(tag, "str", span);
        let span = content_span(&self.source.text, text, style, span);
        let kind = match style {
            ScalarStyle::Plain if is_text => Kind::Quoted(text.to_owned()),
            ScalarStyle::Plain if matches!(text, "" | "~" | "null" | "Null" | "NULL") => Kind::Null,
            ScalarStyle::Plain => Kind::Plain(text.to_owned()),
            _ => Kind::Quoted(text.to_owned()),
        };
        Node { kind, span }
    }

    /// Reports a tag other than the one that says what the node is anyway.
    fn refuse_tag(&mut self, tag: Option<&Tag>, natural: &str, span: Span) {
        let Some(tag) = tag else { return };
        if !(tag.is_yaml_core_schema() && tag.suffix == natural) {
            let diagnostic = Diagnostic::error(span, format!("the tag `{tag}` is not known")).help("leave it out");
            let path = self.path();
            self.report.push(diagnostic.at(path));
        }
    }

    /// The path of the value that is read now.
    fn path(&self) -> String {
        self.stack.iter().fold(String::new(), |path, frame| match frame {
            Frame::List { items, .. } => format!("{path}[{}]", items.len()),
            Frame::Map { key: Key::Of(name) | Key::OfRefused(name), .. } => join(&path, &name.value),
            Frame::Map { .. } => path,
        })
    }
}

/// The place of the content of a scalar, so that a finding inside it lands on the right column.
fn content_span(source: &str, text: &str, style: ScalarStyle, span: Span) -> Span {
    let (start, end) = (span.start as usize, span.end as usize);
    let begin = match style {
        ScalarStyle::Plain => start,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => start + 1,
        // The marker stands at or after the `|` or `>`; the content begins on a later line.
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("").trim_start();
            source.get(start..end).and_then(|raw| raw.find(first)).map_or(start, |at| start + at)
        }
    };
    // What is written as it is read has an exact end; anything else (escapes, several lines) ends with its token.
    if source.get(begin..).is_some_and(|rest| rest.starts_with(text)) {
        return Span::new(begin, begin + text.len());
    }
    match style {
        // One that is as long as its text by chance keeps its quotes: its parts do not stand where they seem to.
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if end.saturating_sub(begin + 1) != text.len() => {
            Span::new(begin, end.saturating_sub(1))
        }
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => span,
        _ => Span::new(begin, end),
    }
}

fn syntax_error(at: usize, info: &str) -> Diagnostic {
    if info.contains("recursion limit") {
        return too_deep(Span::new(at, at));
    }
    let diagnostic = Diagnostic::error(Span::new(at, at), format!("this is not YAML: {info}"));
    let help = if info.contains("tab") {
        Some("indent with spaces")
    } else if info.contains("mapping values are not allowed") {
        Some("put a text that holds `: ` in quotes")
    } else if info.contains("simple key") {
        Some("a `:` and a space are missing after a name, or the line is indented differently from those above")
    } else if info.contains("indicator") || info.contains("alias") {
        Some("put a text that begins with one of `>`, `*`, `&`, `!`, `%`, `@` or a backtick in quotes")
    } else {
        None
    };
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
