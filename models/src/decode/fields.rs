//! Reading one value of the tree as what the document expects there, and saying what is wrong when it is not.

use super::tree::{Kind, Node, join};
use super::{MAX_ENTRIES, MAX_FINDINGS};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Entries, OneOrMany, Scalar};
use crate::span::{Span, Spanned};

/// Reads values and collects what is wrong with them.
#[derive(Default)]
pub(super) struct Reader {
    /// What was found so far.
    pub findings: Vec<Diagnostic>,
}

impl Reader {
    /// Records a finding; beyond the limit only that there are more.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        match self.findings.len() {
            n if n < MAX_FINDINGS => self.findings.push(diagnostic),
            MAX_FINDINGS => self.findings.push(Diagnostic::error(diagnostic.span, "more mistakes follow")),
            _ => {}
        }
    }

    /// Records that a value is of the wrong kind.
    pub fn wrong_type(&mut self, node: &Node, path: &str, expected: &str, help: Option<String>) {
        if matches!(node.kind, Kind::Refused) {
            return;
        }
        let mut diagnostic =
            Diagnostic::error(head(node), format!("expected {expected}, found {}", found(node))).at(path);
        diagnostic.help = help;
        self.report(diagnostic);
    }

    /// A text. A number is refused, because the JSON Schema refuses it too.
    pub fn text(&mut self, node: &Node, path: &str, expected: &str) -> Option<Spanned<String>> {
        match (&node.kind, scalar_of(node)) {
            (_, Some(Scalar::Text(text))) => Some(Spanned::new(text, node.span)),
            (Kind::Plain(text), _) => {
                self.wrong_type(node, path, expected, Some(format!("write `\"{text}\"` if it is a text")));
                None
            }
            _ => {
                self.wrong_type(node, path, expected, None);
                None
            }
        }
    }

    /// A number, truth value or text.
    pub fn scalar(&mut self, node: &Node, path: &str, expected: &str) -> Option<Spanned<Scalar>> {
        match scalar_of(node) {
            Some(scalar) => Some(Spanned::new(scalar, node.span)),
            None => {
                self.wrong_type(node, path, expected, None);
                None
            }
        }
    }

    /// A scalar or a list of scalars.
    pub fn one_or_many(&mut self, node: &Node, path: &str) -> Option<OneOrMany> {
        let Kind::List(items) = &node.kind else {
            return self.scalar(node, path, "a value or a list of values").map(OneOrMany::One);
        };
        if items.is_empty() {
            self.report(
                Diagnostic::error(node.span, "the list of choices is empty")
                    .help("leave the key out to allow everything")
                    .at(path),
            );
            return None;
        }
        self.list(items, path, |reader, item, path| reader.scalar(item, path, "a value")).map(OneOrMany::Many)
    }

    /// A list of names.
    pub fn names(&mut self, node: &Node, path: &str) -> Option<Vec<Spanned<String>>> {
        match &node.kind {
            Kind::List(items) => self.list(items, path, |reader, item, path| reader.text(item, path, "a name")),
            _ => {
                let help = match scalar_of(node) {
                    Some(Scalar::Text(text)) => Some(format!("write `[{text}]`")),
                    _ => None,
                };
                self.wrong_type(node, path, "a list of names", help);
                None
            }
        }
    }

    /// Reads every item; what is wrong is left out.
    pub fn list<T>(
        &mut self,
        items: &[Node],
        path: &str,
        mut read: impl FnMut(&mut Reader, &Node, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        if let Some(extra) = items.get(MAX_ENTRIES) {
            self.too_many(extra.span, path);
            return None;
        }
        Some(items.iter().enumerate().filter_map(|(i, item)| read(self, item, &format!("{path}[{i}]"))).collect())
    }

    fn too_many(&mut self, span: Span, path: &str) {
        self.report(Diagnostic::error(span, format!("more than {MAX_ENTRIES} entries")).at(path));
    }

    /// A mapping from names that the user chose.
    pub fn entries<T>(
        &mut self,
        node: &Node,
        path: &str,
        expected: &str,
        mut read: impl FnMut(&mut Reader, &Node, &str) -> Option<T>,
    ) -> Option<Entries<T>> {
        let Kind::Map(map) = &node.kind else {
            self.wrong_type(node, path, expected, None);
            return None;
        };
        if let Some((name, _)) = map.get(MAX_ENTRIES) {
            self.too_many(name.span, path);
            return None;
        }
        let mut entries = Entries::default();
        for (name, value) in map {
            if let Some(value) = read(self, value, &join(path, &name.value)) {
                entries.0.push((name.clone(), value));
            }
        }
        Some(entries)
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, node: &Node, path: &str, words: &[(&str, T)]) -> Option<T> {
        // Of two spellings of one word the one with `_` is shown.
        let is_other = |word: &str| word.contains('-') && words.iter().any(|(w, _)| *w == word.replace('-', "_"));
        let known = || words.iter().map(|(word, _)| *word).filter(|word| !is_other(word));
        let list = || known().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let Some(Scalar::Text(text)) = scalar_of(node) else {
            self.wrong_type(node, path, &format!("one of {}", list()), None);
            return None;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let help = match did_you_mean(&text, known()) {
            Some(word) => format!("did you mean `{word}`? Known are {}", list()),
            None => format!("known are {}", list()),
        };
        self.report(Diagnostic::error(node.span, format!("`{text}` is not known here")).help(help).at(path));
        None
    }

    /// The fields of a mapping with fixed keys. Unknown keys are reported; `None` when it is no mapping.
    pub fn fields<'r, 't>(
        &'r mut self,
        node: &'t Node,
        path: &str,
        expected: &str,
        known: &[&str],
    ) -> Option<Fields<'r, 't>> {
        const NOTHING: &[(Spanned<String>, Node)] = &[];
        let map = match &node.kind {
            Kind::Map(map) => map.as_slice(),
            Kind::Null => NOTHING,
            _ => {
                self.wrong_type(node, path, expected, None);
                return None;
            }
        };
        for (name, _) in map.iter().filter(|(name, _)| !known.contains(&name.value.as_str())) {
            // The search for the key that was meant is worth its time only while findings are kept.
            if self.findings.len() > MAX_FINDINGS {
                break;
            }
            self.report(unknown_key(name, path, known));
        }
        Some(Fields { reader: self, map, span: node.span, path: path.to_owned() })
    }
}

fn unknown_key(name: &Spanned<String>, path: &str, known: &[&str]) -> Diagnostic {
    let list = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    let synonym = SYNONYMS.iter().find(|(other, word)| *other == name.value && known.contains(word));
    let belongs =
        SECTIONS.iter().find(|(section, keys)| known.contains(section) && keys.contains(&name.value.as_str()));
    let meant = synonym.map(|(_, word)| *word).or_else(|| did_you_mean(&name.value, known.iter().copied()));
    let help = match (meant, belongs) {
        (_, Some((section, _))) => format!("it belongs under `{section}`"),
        (Some(word), None) => format!("did you mean `{word}`? Allowed here are {list}"),
        (None, None) => format!("allowed here are {list}"),
    };
    Diagnostic::error(name.span, format!("unknown key `{}`", name.value)).help(help).at(join(path, &name.value))
}

/// Words of other tools, with the key that says the same here.
const SYNONYMS: &[(&str, &str)] = &[
    ("cpu", "cores"),
    ("cpus", "cores"),
    ("vcpu", "cores"),
    ("vcpus", "cores"),
    ("ram", "memory"),
    ("storage", "disk"),
    ("replicas", "cardinality"),
    ("instances", "cardinality"),
    ("depends_on", "needs"),
    ("resources", "requires"),
    ("region", "location"),
    ("country", "location"),
    ("zone", "location"),
    ("image", "os"),
    ("name", "application"),
    ("objective", "utility"),
    ("slos", "slo"),
];

/// Keys that people write one level too high, with the section that has them.
const SECTIONS: &[(&str, &[&str])] =
    &[("requires", super::sections::REQUIRES_KEYS), ("placement", super::sections::PLACEMENT_KEYS)];

/// The fields of one mapping.
pub(super) struct Fields<'r, 't> {
    reader: &'r mut Reader,
    map: &'t [(Spanned<String>, Node)],
    /// The place of the whole mapping.
    pub span: Span,
    path: String,
}

impl<'t> Fields<'_, 't> {
    /// The value of a key; `None` when it is absent or null.
    pub fn node(&self, key: &str) -> Option<&'t Node> {
        self.map
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, node)| node)
            .filter(|n| !matches!(n.kind, Kind::Null))
    }

    /// Records what is wrong with the mapping as a whole.
    pub fn report(&mut self, finding: Diagnostic) {
        let path = self.path.clone();
        self.reader.report(finding.at(path));
    }

    /// True when the key is there and not null.
    pub fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// Reads the value of a key, if it is there.
    pub fn read<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader, &'t Node, &str) -> Option<T>) -> Option<T> {
        let node = self.node(key)?;
        read(self.reader, node, &join(&self.path, key))
    }

    /// Reads the value of a key that must be there.
    pub fn required<T>(
        &mut self,
        key: &str,
        help: &str,
        read: impl FnOnce(&mut Reader, &'t Node, &str) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            let span = Span::new(self.span.start as usize, self.span.start as usize);
            let path = join(&self.path, key);
            self.reader.report(Diagnostic::error(span, format!("`{key}` is missing")).help(help).at(path));
            return None;
        }
        self.read(key, read)
    }

    /// A text for people.
    pub fn words(&mut self, key: &str) -> Option<String> {
        self.read(key, |r, n, p| r.text(n, p, "a text")).map(|text| text.value)
    }

    /// A name or another text with its place.
    pub fn text(&mut self, key: &str) -> Option<Spanned<String>> {
        self.read(key, |r, n, p| r.text(n, p, "a text"))
    }

    /// A scalar.
    pub fn scalar(&mut self, key: &str) -> Option<Spanned<Scalar>> {
        self.read(key, |r, n, p| r.scalar(n, p, "a number or a text"))
    }

    /// A scalar or a list of scalars.
    pub fn one_or_many(&mut self, key: &str) -> Option<OneOrMany> {
        self.read(key, |r, n, p| r.one_or_many(n, p))
    }

    /// A list of names; empty when it is absent.
    pub fn names(&mut self, key: &str) -> Vec<Spanned<String>> {
        self.read(key, |r, n, p| r.names(n, p)).unwrap_or_default()
    }

    /// `true` or `false`.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        self.read(key, |r, n, p| match scalar_of(n) {
            Some(Scalar::Bool(value)) => Some(value),
            _ => {
                r.wrong_type(n, p, "`true` or `false`", None);
                None
            }
        })
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.read(key, |r, n, p| r.choice(n, p, words))
    }

    /// A mapping from names that the user chose; empty when it is absent.
    pub fn entries<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnMut(&mut Reader, &Node, &str) -> Option<T>,
    ) -> Entries<T> {
        self.read(key, |r, n, p| r.entries(n, p, expected, read)).unwrap_or_default()
    }
}

/// The scalar that a node is, by the core schema of YAML 1.2: an unquoted number or truth value, else a text.
pub(super) fn scalar_of(node: &Node) -> Option<Scalar> {
    match &node.kind {
        Kind::Quoted(text) => Some(Scalar::Text(text.clone())),
        Kind::Plain(text) => Some(match text.as_str() {
            "true" | "True" | "TRUE" => Scalar::Bool(true),
            "false" | "False" | "FALSE" => Scalar::Bool(false),
            _ => number(text).map_or_else(|| Scalar::Text(text.clone()), Scalar::Number),
        }),
        _ => None,
    }
}

/// The finite number that a plain scalar is.
fn number(text: &str) -> Option<f64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return digits_only(hex, |c| c.is_ascii_hexdigit())
            .and_then(|d| u64::from_str_radix(d, 16).ok())
            .map(|n| n as f64);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return digits_only(octal, |c| c.is_digit(8)).and_then(|d| u64::from_str_radix(d, 8).ok()).map(|n| n as f64);
    }
    // Rust also reads `inf`, `nan` and `infinity`, which are texts here.
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|x| x.is_finite())
}

fn digits_only(text: &str, is_digit: impl Fn(char) -> bool) -> Option<&str> {
    (!text.is_empty() && text.chars().all(is_digit)).then_some(text)
}

/// What a node is, for messages.
fn found(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Null => "nothing",
        Kind::List(_) => "a list",
        Kind::Map(_) => "a mapping",
        Kind::Refused => "something else",
        Kind::Plain(_) | Kind::Quoted(_) => match scalar_of(node) {
            Some(Scalar::Number(_)) => "a number",
            Some(Scalar::Bool(_)) => "a truth value",
            _ => "a text",
        },
    }
}

/// The place to show for a node: all of a scalar, the beginning of anything larger.
fn head(node: &Node) -> Span {
    match node.kind {
        Kind::List(_) | Kind::Map(_) => Span::new(node.span.start as usize, node.span.start as usize),
        _ => node.span,
    }
}
