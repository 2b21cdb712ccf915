//! Reads Cardinal's own catalogs in YAML or JSON: a mapping with `currency`, `date`, `source`, `network`
//! ([`super::network`]) and `offers`, a list of mappings whose keys are the names of [`super::native`].

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source, did_you_mean};
use cardinal_models::offer::LabelValue;
use cardinal_models::span::Span;

use super::assemble::Assembler;
use super::draft::{Problem, number};
use super::native::{Field, NativeOffer};
use super::table::set_fact;
use super::yaml::{Node, Step, Walker};

const KEYS: [&str; 5] = ["currency", "date", "source", "network", "offers"];

/// Reads the document.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
    let mut walker = Walker::new(text, source.text.len() - text.len());
    if let Err(error) = read_document(&mut walker, &mut into) {
        into.findings.error(error);
    }
    into.finish()
}

fn read_document<'s>(walker: &mut Walker<'s>, into: &mut Assembler<'s>) -> Result<(), Diagnostic> {
    let expected = |span: Span| {
        Diagnostic::error(span, "a catalog is a mapping with the key `offers`")
            .help("write `currency: USD`, then `offers:` and under it one `- {provider: ..., machine_type: ..., ...}` for each")
    };
    match walker.step()? {
        Step::MapStart(_) => {}
        Step::ListStart(span) => return Err(expected(span)),
        Step::Scalar(node) => return Err(expected(node.span())),
        Step::End | Step::MapEnd | Step::ListEnd => return Err(expected(Span::NONE)),
    }
    let mut has_offers = false;
    loop {
        let step = walker.step()?;
        let Some(key) = walker.node(step)? else { break };
        let name = key.text().unwrap_or_default().to_owned();
        if name == "offers" {
            has_offers = true;
            read_offers(walker, into)?;
            if into.is_over() {
                return Ok(());
            }
            continue;
        }
        if name == "network" {
            super::network::read_section(walker, into)?;
            if into.is_over() {
                return Ok(());
            }
            continue;
        }
        let step = walker.step()?;
        let Some(value) = walker.node(step)? else { break };
        if !KEYS.contains(&name.as_str()) {
            let help = match did_you_mean(&name, KEYS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("a catalog has the keys {}", KEYS.join(", ")),
            };
            into.refuse(key.span(), "", Problem::new(format!("`{name}` is not known here"), help));
        } else if let Some(text) = value.text() {
            if !value.is_null() {
                set_fact(&mut into.catalog, &name, text, value.span(), &mut into.findings);
            }
        } else {
            into.refuse(value.span(), &name, Problem::new(format!("`{name}` is one text"), "write one text"));
        }
    }
    if !has_offers {
        return Err(expected(Span::NONE));
    }
    Ok(())
}

fn read_offers<'s>(walker: &mut Walker<'s>, into: &mut Assembler<'s>) -> Result<(), Diagnostic> {
    let step = walker.step()?;
    if !matches!(step, Step::ListStart(_)) {
        let Some(other) = walker.node(step)? else { return Ok(()) };
        if !other.is_null() {
            let help = "begin each offer with `- `";
            into.refuse(other.span(), "offers", Problem::new("`offers` is a list", help));
        }
        return Ok(());
    }
    let mut position = 0usize;
    loop {
        let step = walker.step()?;
        let Some(node) = walker.node(step)? else { return Ok(()) };
        read_offer(&node, position, into);
        if into.is_over() {
            return Ok(());
        }
        position += 1;
    }
}

fn read_offer(node: &Node<'_>, position: usize, into: &mut Assembler<'_>) {
    let path = |name: &str| format!("offers[{position}]{}{name}", if name.is_empty() { "" } else { "." });
    let Node::Map(pairs, span) = node else {
        let help = "write it as `{provider: ..., machine_type: ..., cores: ..., memory: 8 GiB, price: ...}`";
        into.refuse(node.span(), &path(""), Problem::new("an offer is a mapping", help));
        return;
    };
    let mut offer = NativeOffer::default();
    let mut is_good = true;
    let mut seen: Vec<&str> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let name = key.text().unwrap_or_default();
        let outcome = if seen.contains(&name) {
            Err((key.span(), Problem::new(format!("`{name}` stands twice"), "drop one of them")))
        } else {
            set(&mut offer, name, key.span(), value)
        };
        seen.push(name);
        if let Err((at, problem)) = outcome {
            into.refuse(at, &path(name), problem);
            is_good = false;
        }
    }
    if !is_good {
        return;
    }
    match offer.finish() {
        Ok(draft) => into.add(draft, *span),
        Err(problem) => into.refuse(*span, &path(""), problem),
    }
}

fn set<'n>(offer: &mut NativeOffer<'n>, name: &'n str, key: Span, value: &'n Node<'_>) -> Result<(), (Span, Problem)> {
    if value.is_null() {
        return Ok(());
    }
    if name == "labels" {
        return set_labels(offer, value);
    }
    let Some(field) = Field::named(name) else {
        let help = format!("{}; attributes of your own stand under `labels`", Field::suggestion(name));
        return Err((key, Problem::new(format!("`{name}` is not known here"), help)));
    };
    let at = value.span();
    match value {
        Node::Scalar { text, .. } if text.trim().is_empty() => Ok(()),
        Node::Scalar { text, .. } => offer.set(field, text.trim()).map_err(|p| (at, p)),
        Node::List(entries, _) => {
            let names: Option<Vec<&str>> = entries.iter().map(Node::text).collect();
            let names = names.ok_or_else(|| (at, Problem::new("a list of names", "write `[a, b]`")))?;
            offer.set_list(field, names).map_err(|p| (at, p))
        }
        Node::Map(..) => Err((at, Problem::new(format!("`{name}` is one value"), "write one value"))),
    }
}

fn set_labels<'n>(offer: &mut NativeOffer<'n>, value: &'n Node<'_>) -> Result<(), (Span, Problem)> {
    let Node::Map(labels, _) = value else {
        return Err((value.span(), Problem::new("`labels` is a mapping", "write `labels: {gpu: t4}`")));
    };
    for (key, value) in labels {
        let (Some(name), Node::Scalar { text, is_plain, span }) = (key.text(), value) else {
            return Err((key.span(), Problem::new("a label is a text or a number", "write `labels: {gpu: t4}`")));
        };
        if name.is_empty() {
            return Err((*span, Problem::new("a label has a name", "write `labels: {gpu: t4}`")));
        }
        let value = match number(text) {
            Ok(x) if *is_plain => LabelValue::Number(x),
            _ => LabelValue::Text(text.as_ref().into()),
        };
        offer.label(name, value);
    }
    Ok(())
}
