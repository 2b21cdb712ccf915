//! A look over an XML text before it is parsed: size, depth, attributes. The parser would accept inputs that take
//! quadratic time or deep recursion further on; these limits are far above every real model.

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::span::Span;

/// Largest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 32 << 20;
/// Largest attribute value, in bytes.
pub const ATTRIBUTE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of elements.
pub const DEPTH_MAX: usize = 100;
/// Most attributes of one element: the parser compares each with every other.
pub const ATTRIBUTES_MAX: usize = 256;
/// Most namespace declarations: each element that declares one gets a copy of all that are in scope.
pub const NAMESPACES_MAX: usize = 1000;
/// Most nodes of the tree: elements, texts, comments.
pub const NODES_MAX: u32 = 2_000_000;

/// Checks the limits. Malformed XML passes: the parser tells what is wrong with it better than this scan could.
pub fn check(text: &str) -> Result<(), Diagnostic> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Diagnostic::error(
            Span::NONE,
            format!("the file has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len()),
        )
        .help("remove models that do not describe this application, such as unused templates and metadata"));
    }
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut namespaces) = (0, 0usize, 0usize);
    while let Some(open) = find(bytes, at, b"<") {
        let rest = &bytes[open..];
        at = if rest.starts_with(b"<!--") {
            after(bytes, open + 4, b"-->")
        } else if rest.starts_with(b"<![CDATA[") {
            after(bytes, open + 9, b"]]>")
        } else if rest.starts_with(b"<!") {
            return Err(Diagnostic::error(Span::new(open, open + 2), "document type declarations are not read")
                .help("remove <!DOCTYPE ...> and write out the entities that it defines"));
        } else if rest.starts_with(b"<?") {
            after(bytes, open + 2, b"?>")
        } else if rest.starts_with(b"</") {
            depth = depth.saturating_sub(1);
            after(bytes, open + 2, b">")
        } else {
            let (end, empty) = start_tag(bytes, open, &mut namespaces)?;
            if !empty {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(Diagnostic::error(
                        Span::new(open, end),
                        format!("elements are nested more than {DEPTH_MAX} deep"),
                    )
                    .help("a CAMEL model is about ten deep: check how the file was written"));
                }
            }
            end
        };
    }
    Ok(())
}

/// Scans one start tag from its `<`; gives the offset behind its `>` and whether it closes itself.
fn start_tag(bytes: &[u8], open: usize, namespaces: &mut usize) -> Result<(usize, bool), Diagnostic> {
    let mut at = open + 1;
    let mut attributes = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'>' => return Ok((at + 1, bytes[at - 1] == b'/')),
            quote @ (b'"' | b'\'') => {
                let close = find(bytes, at + 1, &[quote]).unwrap_or(bytes.len());
                attributes += 1;
                if close - at > ATTRIBUTE_BYTES_MAX {
                    return Err(Diagnostic::error(
                        Span::new(at, at + 1),
                        format!("an attribute value has {} bytes, the limit is {ATTRIBUTE_BYTES_MAX}", close - at - 1),
                    )
                    .help("shorten the value"));
                }
                if attributes > ATTRIBUTES_MAX {
                    return Err(Diagnostic::error(
                        Span::new(open, open + 1),
                        format!("an element has more than {ATTRIBUTES_MAX} attributes"),
                    )
                    .help("no CAMEL element has so many: check how the file was written"));
                }
                at = close + 1;
            }
            b'x' if bytes[at..].starts_with(b"xmlns") => {
                *namespaces += 1;
                if *namespaces > NAMESPACES_MAX {
                    return Err(Diagnostic::error(
                        Span::new(at, at + 5),
                        format!("the file has more than {NAMESPACES_MAX} namespace declarations"),
                    )
                    .help("declare every namespace once, at the root element"));
                }
                at += 5;
            }
            _ => at += 1,
        }
    }
    Ok((bytes.len(), true))
}

/// The offset of the first `needle` at or behind `from`.
fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = from;
    while let Some(step) = bytes.get(at..)?.iter().position(|b| *b == first) {
        at += step;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The offset behind the first `needle` at or behind `from`; the end when there is none.
fn after(bytes: &[u8], from: usize, needle: &[u8]) -> usize {
    find(bytes, from, needle).map_or(bytes.len(), |at| at + needle.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_inside_values_and_comments_does_not_count() {
        assert!(check("<a b='<<<>>>' c=\"'\"><!-- <x><y> --><![CDATA[<z><!DOCTYPE]]></a>").is_ok());
        assert!(check("<a><b/><b/></a>").is_ok());
    }

    #[test]
    fn limits_are_kept() {
        assert!(check(&"<a>".repeat(DEPTH_MAX)).is_ok());
        assert!(check(&"<a>".repeat(DEPTH_MAX + 1)).is_err());
        assert!(check(&"<a/>".repeat(100_000)).is_ok());
        assert!(check("<!DOCTYPE a><a/>").is_err());
        assert!(check(&format!("<a b='{}'/>", "x".repeat(ATTRIBUTE_BYTES_MAX + 1))).is_err());
        assert!(check(&format!("<a {}/>", "b='' ".repeat(300))).is_err());
        assert!(check(&"<a xmlns:b='c'/>".repeat(1001)).is_err());
    }
}
