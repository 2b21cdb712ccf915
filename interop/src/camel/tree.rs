//! An XMI document as a graph: elements, their attributes, and the references between them.
//!
//! References are positional paths (`//@deploymentModels.0/@softwareComponents.1`), several of them separated by
//! spaces, or `xmi:id` values. The tree remembers which elements the conversion used, so that the rest can be
//! reported.

use std::cell::RefCell;

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::span::{Span, Spanned};
use roxmltree::{Document, NodeId, ParsingOptions};
use rustc_hash::{FxHashMap, FxHashSet};

use super::limits;

/// An element.
pub(crate) type Node<'a> = roxmltree::Node<'a, 'a>;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const XMI: &str = "http://www.omg.org/XMI";

/// Parses a text within the limits.
pub(crate) fn parse(text: &str) -> Result<Document<'_>, Diagnostic> {
    limits::check(text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: limits::NODES_MAX, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| {
        let place = error.pos();
        let span = offset_of(text, place.row, place.col).map_or(Span::NONE, |at| Span::of_character(text, at));
        Diagnostic::error(span, format!("the XML cannot be read: {error}"))
            .help("save the model again as XMI; the file may be cut off or changed by hand")
    })
}

/// The byte offset of a line and column, both from 1, the column in characters.
fn offset_of(text: &str, row: u32, col: u32) -> Option<usize> {
    let mut start = 0;
    for _ in 1..row {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let line = text.get(start..)?;
    Some(start + line.char_indices().nth(col.saturating_sub(1) as usize).map_or(line.len(), |(at, _)| at))
}

/// The models whose elements are converted one by one.
pub(crate) const MODELS_WITH_PARTS: [&str; 4] =
    ["requirementModels", "metricModels", "constraintModels", "locationModels"];

/// An XMI document with its references.
pub(crate) struct Tree<'a> {
    root: Node<'a>,
    children: FxHashMap<(NodeId, &'a str), Vec<Node<'a>>>,
    ids: FxHashMap<&'a str, Node<'a>>,
    used: RefCell<FxHashSet<NodeId>>,
}

impl<'a> Tree<'a> {
    /// Indexes the children and ids of a document. `root` is the CAMEL model, which an `xmi:XMI` element may wrap.
    pub(crate) fn new(root: Node<'a>) -> Self {
        let mut children: FxHashMap<(NodeId, &str), Vec<Node>> = FxHashMap::default();
        let mut ids = FxHashMap::default();
        for node in root.descendants().filter(Node::is_element) {
            if let Some(parent) = node.parent() {
                children.entry((parent.id(), node.tag_name().name())).or_default().push(node);
            }
            if let Some(id) = node.attribute((XMI, "id")) {
                ids.entry(id).or_insert(node);
            }
        }
        Tree { root, children, ids, used: RefCell::default() }
    }

    /// The root element.
    pub(crate) fn root(&self) -> Node<'a> {
        self.root
    }

    /// The children with a tag, in order.
    pub(crate) fn children(&self, node: Node<'a>, tag: &'a str) -> &[Node<'a>] {
        self.children.get(&(node.id(), tag)).map_or(&[], Vec::as_slice)
    }

    /// The first child with a tag.
    pub(crate) fn child(&self, node: Node<'a>, tag: &'a str) -> Option<Node<'a>> {
        self.children(node, tag).first().copied()
    }

    /// The children with a tag of every child of the root with another.
    pub(crate) fn all(&self, model: &'a str, tag: &'a str) -> Vec<Node<'a>> {
        self.children(self.root, model).iter().flat_map(|m| self.children(*m, tag)).copied().collect()
    }

    /// Remembers that the conversion used an element.
    pub(crate) fn mark(&self, node: Node<'a>) {
        self.used.borrow_mut().insert(node.id());
    }

    /// True when the conversion used the element.
    pub(crate) fn is_used(&self, node: Node<'a>) -> bool {
        self.used.borrow().contains(&node.id())
    }

    /// The elements that a reference attribute names, and child elements of that name with an `href`.
    pub(crate) fn references(&self, node: Node<'a>, attribute: &'a str) -> Result<Vec<Node<'a>>, Diagnostic> {
        if let Some(link) = self.children(node, attribute).iter().find(|c| c.attribute("href").is_some()) {
            return Err(self
                .error(*link, "a reference leads to another file")
                .help("save the CAMEL model with everything that it refers to in one file"));
        }
        let Some(attr) = node.attribute_node(attribute) else { return Ok(Vec::new()) };
        attr.value().split_ascii_whitespace().map(|path| self.resolve(path, span_of(attr), node)).collect()
    }

    /// The element that a reference attribute names, the first of several.
    pub(crate) fn reference(&self, node: Node<'a>, attribute: &'a str) -> Result<Option<Node<'a>>, Diagnostic> {
        Ok(self.references(node, attribute)?.first().copied())
    }

    /// Follows one reference.
    fn resolve(&self, path: &str, span: Span, from: Node<'a>) -> Result<Node<'a>, Diagnostic> {
        let wrong = |why: String| {
            Diagnostic::error(span, why).at(self.path(from)).help(
                "references look like //@deploymentModels.0/@softwareComponents.1 and count from 0; \
                 save the model again with a CAMEL editor",
            )
        };
        let path = path.strip_prefix('#').unwrap_or(path);
        let Some(steps) = path.strip_prefix('/') else {
            return self
                .ids
                .get(path)
                .copied()
                .ok_or_else(|| wrong(format!("no element has the id '{}'", short(path))));
        };
        // "//@a.0" has an empty root step; "/0/@a.0" counts the roots of the file.
        let mut node = self.root;
        let steps = steps.split_once('/').map_or("", |(_, rest)| rest);
        for step in steps.split('/').filter(|s| !s.is_empty()) {
            let Some(feature) = step.strip_prefix('@') else {
                return Err(wrong(format!("'{}' is not a step of a reference", short(step))));
            };
            let (tag, index) = match feature.rsplit_once('.') {
                Some((tag, digits)) => match digits.parse::<usize>() {
                    Ok(index) => (tag, index),
                    Err(_) => return Err(wrong(format!("'{}' has no position", short(step)))),
                },
                None => (feature, 0),
            };
            let found = self.children.get(&(node.id(), tag));
            let count = found.map_or(0, Vec::len);
            node = match found.and_then(|f| f.get(index)) {
                Some(next) => *next,
                None => {
                    return Err(wrong(format!(
                        "the reference '{}' leads nowhere: there are {count} '{}' in that place",
                        short(path),
                        short(tag)
                    )));
                }
            };
        }
        Ok(node)
    }

    /// The positional path of an element.
    pub(crate) fn path(&self, node: Node<'a>) -> String {
        let mut steps = Vec::new();
        let mut at = node;
        while at != self.root {
            let Some(parent) = at.parent() else { break };
            let tag = at.tag_name().name();
            // A path is for messages; finding a place among very many is not worth the time.
            const SIBLINGS_MAX: usize = 10_000;
            let siblings = self.children.get(&(parent.id(), tag)).map_or(&[][..], Vec::as_slice);
            match siblings.iter().take(SIBLINGS_MAX).position(|n| *n == at) {
                Some(index) => steps.push(format!("/@{tag}.{index}")),
                None => steps.push(format!("/@{tag}")),
            }
            at = parent;
        }
        steps.reverse();
        format!("/{}", steps.concat())
    }

    /// An error at an element.
    pub(crate) fn error(&self, node: Node<'a>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(tag_span(node), message).at(self.path(node))
    }

    /// An error at an attribute of an element, or at the element when it lacks the attribute.
    pub(crate) fn error_at(&self, node: Node<'a>, attribute: &str, message: impl Into<String>) -> Diagnostic {
        let span = node.attribute_node(attribute).map_or_else(|| tag_span(node), span_of);
        Diagnostic::error(span, message).at(self.path(node))
    }

    /// A number in an attribute; 0 when it is missing, as EMF leaves out default values.
    pub(crate) fn number(&self, node: Node<'a>, attribute: &str) -> Result<f64, Diagnostic> {
        let Some(text) = node.attribute(attribute) else { return Ok(0.0) };
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(self
                .error_at(node, attribute, format!("'{}' is not a number", short(text)))
                .help(format!("write a number, such as {attribute}=\"2\""))),
        }
    }
}

/// The name of an element, empty when it has none.
pub(crate) fn name(node: Node<'_>) -> &str {
    node.attribute("name").unwrap_or("")
}

/// The name of an element for messages: its `name`, its `id`, or its tag.
pub(crate) fn label<'a>(node: Node<'a>) -> &'a str {
    match (node.attribute("name"), node.attribute("id")) {
        (Some(name), _) if !name.is_empty() => name,
        (_, Some(id)) if !id.is_empty() => id,
        _ => node.tag_name().name(),
    }
}

/// The name of an element with its place.
pub(crate) fn spanned_name(node: Node<'_>) -> Spanned<String> {
    let span = node.attribute_node("name").map_or_else(|| tag_span(node), span_of);
    Spanned::new(name(node).to_owned(), span)
}

/// The type of an element without its package: `RawMetric` of `xsi:type="metric:RawMetric"`, empty when it has none.
pub(crate) fn type_of<'a>(node: Node<'a>) -> &'a str {
    let text = node.attribute((XSI, "type")).unwrap_or("");
    text.rsplit_once(':').map_or(text, |(_, kind)| kind)
}

/// The type of an element with its package, or its tag.
pub(crate) fn kind_of<'a>(node: Node<'a>) -> &'a str {
    node.attribute((XSI, "type")).unwrap_or_else(|| node.tag_name().name())
}

/// True for `true` in a truth-valued attribute.
pub(crate) fn flag(node: Node<'_>, attribute: &str) -> bool {
    node.attribute(attribute).is_some_and(|v| v.trim() == "true" || v.trim() == "1")
}

/// The values of an attribute of several texts, which EMF writes as child elements and editors as a list.
pub(crate) fn texts<'a>(node: Node<'a>, feature: &str) -> Vec<&'a str> {
    let listed = node.attribute(feature).into_iter().flat_map(|v| v.split([',', ' ', ';']));
    let elements = node.children().filter(|c| c.has_tag_name(feature)).filter_map(|c| c.text());
    listed.chain(elements).map(str::trim).filter(|v| !v.is_empty()).collect()
}

/// The place of an attribute's value.
pub(crate) fn span_of(attribute: roxmltree::Attribute<'_, '_>) -> Span {
    let range = attribute.range_value();
    Span::new(range.start, range.end)
}

/// The place of an element's start: `<` and its tag name as it is written.
pub(crate) fn tag_span(node: Node<'_>) -> Span {
    let range = node.range();
    let text = node.document().input_text().get(range.clone()).unwrap_or_default();
    let length = text.find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).unwrap_or(text.len());
    Span::new(range.start, range.start + length)
}

/// A text short enough for a message.
pub(crate) fn short(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST).chain("...".chars()).collect() }
}
