//! Rules about which instances share nodes, and how many there are.

use super::{Resolver, shared};
use crate::application::{Component, ComponentId, Structure, StructureRule};
use crate::diagnostic::Diagnostic;
use crate::document::{Hosting, Scalar, StructureDocument};
use crate::requirement;
use crate::span::{Span, Spanned};

impl Resolver<'_> {
    /// The rules, in the order of the file.
    pub(super) fn structure(&mut self, components: &[Component]) -> Vec<StructureRule> {
        let document = self.document;
        let mut rules = Vec::new();
        for (name, rule) in document.structure.iter() {
            let path = format!("structure.{}", name.value);
            if let Some(rule) = self.rule(&path, rule, components) {
                rules.push(StructureRule { name: shared(name), span: name.span, rule });
            }
        }
        rules
    }

    fn rule(&mut self, path: &str, rule: &StructureDocument, components: &[Component]) -> Option<Structure> {
        match rule {
            StructureDocument::Conflict { conflict, with } => {
                let component = self.component(&format!("{path}.conflict"), conflict);
                let others = self.members(&format!("{path}.with"), with, 1, conflict.span);
                let (component, with_ids) = (component?, others?);
                self.on_nodes(
                    path,
                    "conflict",
                    components,
                    std::iter::once((component, conflict.span)).chain(zip(&with_ids, with)),
                );
                if let Some(at) = with_ids.iter().position(|id| *id == component) {
                    let finding =
                        Diagnostic::error(with[at].span, format!("`{}` conflicts with itself", conflict.value));
                    let help =
                        "remove it from `with`; write `per_node: 1` on the component to keep its instances apart";
                    self.report(&format!("{path}.with"), finding.help(help));
                    return None;
                }
                Some(Structure::Conflict { component, with: with_ids })
            }
            StructureDocument::Colocate { colocate } => {
                let ids = self.members(&format!("{path}.colocate"), colocate, 2, Span::NONE)?;
                self.on_nodes(path, "colocate", components, zip(&ids, colocate));
                Some(Structure::Colocate(ids))
            }
            StructureDocument::EveryNode { every_node, unless } => {
                let component = self.component(&format!("{path}.every_node"), every_node);
                let others = self.members(&format!("{path}.unless"), unless, 0, every_node.span);
                let (component, unless_ids) = (component?, others?);
                let all = std::iter::once((component, every_node.span)).chain(zip(&unless_ids, unless));
                self.on_nodes(path, "every_node", components, all);
                if let Some(at) = unless_ids.iter().position(|id| *id == component) {
                    let message = format!("`{}` is its own exception", every_node.value);
                    self.report(
                        &format!("{path}.unless"),
                        Diagnostic::error(unless[at].span, message).help("remove it"),
                    );
                    return None;
                }
                Some(Structure::EveryNode { component, unless: unless_ids })
            }
            StructureDocument::Together { together } => {
                let ids = self.members(&format!("{path}.together"), together, 1, Span::NONE)?;
                self.on_nodes(path, "together", components, zip(&ids, together));
                Some(Structure::Together(ids))
            }
            StructureDocument::AtLeast { at_least, of } => {
                self.total(path, "at_least", at_least, of).map(|(of, low)| Structure::Total { of, low, high: u64::MAX })
            }
            StructureDocument::AtMost { at_most, of } => {
                self.total(path, "at_most", at_most, of).map(|(of, high)| Structure::Total { of, low: 0, high })
            }
            StructureDocument::Exactly { exactly, of } => {
                self.total(path, "exactly", exactly, of).map(|(of, n)| Structure::Total { of, low: n, high: n })
            }
            StructureDocument::Alternatives { alternatives } => {
                let path = format!("{path}.alternatives");
                let ids = self.members(&path, alternatives, 2, Span::NONE)?;
                for (id, span) in zip(&ids, alternatives) {
                    let component = &components[id.index()];
                    if component.cardinality.min() > 0 && !self.is_doubtful(component) {
                        let message =
                            format!("`{}` always has instances, so it cannot be an alternative", component.name);
                        let help =
                            format!("let its cardinality begin at 0, such as `0..{}`", component.cardinality.max());
                        self.report(&path, Diagnostic::error(span, message).help(help));
                    }
                }
                Some(Structure::Alternatives(ids))
            }
            StructureDocument::Require { require } => self.require(&format!("{path}.require"), require),
        }
    }

    /// The components of a list, at least so many, each once.
    fn members(
        &mut self,
        path: &str,
        names: &[Spanned<String>],
        least: usize,
        fallback: Span,
    ) -> Option<Vec<ComponentId>> {
        if names.len() < least {
            let span = names.first().map_or(fallback, |n| n.span);
            let help = if least == 1 { "name at least one component" } else { "name at least two components" };
            self.report(path, Diagnostic::error(span, "the rule names too few components").help(help));
            return None;
        }
        let mut ids = Vec::new();
        let mut complete = true;
        for name in names {
            match self.component(path, name) {
                None => complete = false,
                Some(id) if ids.contains(&id) => {
                    let finding = Diagnostic::error(name.span, format!("`{}` is named twice", name.value));
                    self.report(path, finding.help("remove one"));
                    complete = false;
                }
                Some(id) => ids.push(id),
            }
        }
        complete.then_some(ids)
    }

    /// Reports components that have nodes of their own in a rule about shared nodes.
    fn on_nodes(
        &mut self,
        path: &str,
        rule: &str,
        components: &[Component],
        members: impl Iterator<Item = (ComponentId, Span)>,
    ) {
        for (id, span) in members {
            let component = &components[id.index()];
            if component.hosting == Hosting::Dedicated && !self.is_doubtful(component) {
                let message = format!("`{rule}` is about shared nodes, but `{}` has nodes of its own", component.name);
                let help = format!("add `hosting: shared` to `{}`, or remove it from the rule", component.name);
                self.report(path, Diagnostic::error(span, message).help(help));
            }
        }
    }

    fn total(
        &mut self,
        path: &str,
        key: &str,
        number: &Spanned<Scalar>,
        of: &[Spanned<String>],
    ) -> Option<(Vec<ComponentId>, u64)> {
        let n = requirement::whole(number, 0);
        let n = self.keep(&format!("{path}.{key}"), n);
        let ids = self.members(&format!("{path}.of"), of, 1, number.span);
        Some((ids?, n?))
    }

    /// `2 mysql per 3 wordpress`.
    fn require(&mut self, path: &str, text: &Spanned<String>) -> Option<Structure> {
        let parsed = parse_require(&text.value).map_err(|(span, message)| {
            let finding = Diagnostic::error(text.span.within(&text.value, span), message);
            finding.help("write it as `2 mysql per 3 wordpress`; a name with other characters stands in backticks")
        });
        let [first, second] = self.keep(path, parsed)?;
        let place = |name: &Spanned<String>| Spanned::new(name.value.clone(), text.span.within(&text.value, name.span));
        let provider = self.component(path, &place(&first.1));
        let consumer = self.component(path, &place(&second.1));
        let (provider, consumer) = (provider?, consumer?);
        if provider == consumer {
            let finding = Diagnostic::error(text.span, format!("`{}` requires itself", first.1.value));
            self.report(path, finding.help("limit its number with `cardinality`"));
            return None;
        }
        Some(Structure::Require { provider, count: first.0, consumer, per: second.0 })
    }
}

fn zip<'a>(ids: &'a [ComponentId], names: &'a [Spanned<String>]) -> impl Iterator<Item = (ComponentId, Span)> + 'a {
    ids.iter().copied().zip(names.iter().map(|name| name.span))
}

/// The largest number in a `require` rule: products with numbers of instances stay far inside 64 bits.
const RATIO_MAX: u64 = 1_000_000;

/// A number with the component that is counted.
type Side = (u64, Spanned<String>);
/// What is wrong with a text, and where in it.
type Misread = (Span, String);

/// Both sides of `2 mysql per 3 wordpress`: number and name. A missing number is 1.
fn parse_require(text: &str) -> Result<[Side; 2], Misread> {
    let words = words_of(text)?;
    let whole = Span::new(0, text.len());
    let Some(per) = words.iter().position(|(word, span)| word == "per" && text.as_bytes()[span.start as usize] == b'p')
    else {
        return Err((whole, "the rule lacks `per`".to_owned()));
    };
    let side = |words: &[(String, Span)]| match words {
        [(name, span)] => Ok((1, Spanned::new(name.clone(), *span))),
        [(number, place), (name, span)] => match number.parse::<u64>() {
            Ok(n) if (1..=RATIO_MAX).contains(&n) => Ok((n, Spanned::new(name.clone(), *span))),
            Ok(_) => Err((*place, format!("the number must be between 1 and {RATIO_MAX}"))),
            Err(_) => Err((*place, format!("expected a whole number, found `{number}`"))),
        },
        _ => Err((whole, "each side of `per` is a number and a component".to_owned())),
    };
    Ok([side(&words[..per])?, side(&words[per + 1..])?])
}

/// The words of a text with their places; a name in backticks is one word.
fn words_of(text: &str) -> Result<Vec<(String, Span)>, Misread> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|r| !r.is_empty()) {
        let skipped = rest.len() - rest.trim_start().len();
        if skipped > 0 {
            at += skipped;
        } else if let Some(quoted) = rest.strip_prefix('`') {
            let Some(length) = quoted.find('`') else {
                return Err((Span::new(at, text.len()), "the closing backtick is missing".to_owned()));
            };
            words.push((quoted[..length].to_owned(), Span::new(at, at + length + 2)));
            at += length + 2;
        } else {
            let length = rest.find(|c: char| c.is_whitespace() || c == '`').unwrap_or(rest.len());
            words.push((rest[..length].to_owned(), Span::new(at, at + length)));
            at += length;
        }
    }
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn require_rules() {
        let read = |text: &str| {
            parse_require(text).map(|[a, b]| (a.0, a.1.value, b.0, b.1.value)).map_err(|(_, message)| message)
        };
        assert_eq!(read("2 mysql per 3 wordpress"), Ok((2, "mysql".into(), 3, "wordpress".into())));
        assert_eq!(read("a per b"), Ok((1, "a".into(), 1, "b".into())));
        assert_eq!(read(" 2 `my sql`per 1 `per`"), Ok((2, "my sql".into(), 1, "per".into())));
        assert!(read("2 mysql").unwrap_err().contains("lacks `per`"));
        assert!(read("0 a per b").unwrap_err().contains("between 1 and"));
        assert!(read("x a per b").unwrap_err().contains("whole number"));
        assert!(read("1 2 a per b").unwrap_err().contains("each side"));
        assert!(read("`a per b").unwrap_err().contains("closing"));
        assert!(read("").is_err() && read("per").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "([0-9]{1,3}|per|`| |ä|a){0,12}") {
            let _ = parse_require(&text);
        }
    }
}
