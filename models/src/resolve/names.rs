//! Which names a model may give, and that none is given twice where a formula could not tell them apart.

use std::collections::HashMap;

use super::Resolver;
use crate::diagnostic::Diagnostic;
use crate::formula::function::Function;
use crate::formula::tree::TreeKind;
use crate::formula::{RESERVED, parse};
use crate::span::{Span, Spanned};

/// The longest name, in bytes.
const NAME_MAX: usize = 256;

/// Words with a meaning in formulas, beside the names of functions.
const WORDS: [&str; 10] = ["candidates", "current", "if", "true", "false", "and", "or", "not", "xor", "implies"];

impl Resolver<'_> {
    /// Checks the names of constants, components and metrics, which share one space, and of everything else.
    pub(super) fn check_names(&mut self) {
        let document = self.document;
        let mut given: HashMap<&str, &str> = HashMap::new();
        let components = document.components.iter().map(|(name, _)| ("components", "component", name));
        let metrics = document.metrics.iter().map(|(name, _)| ("metrics", "metric", name));
        let constants = document.constants.iter().map(|(name, _)| ("constants", "constant", name));
        let data = document.data.iter().map(|(name, _)| ("data", "data source", name));
        let links = document.links.iter().map(|(name, _)| ("links", "link", name));
        for (section, kind, name) in components.chain(metrics).chain(constants).chain(data).chain(links) {
            let path = format!("{section}.{}", name.value);
            self.check_name(&path, name);
            if let Some(other) = given.get(name.value.as_str()) {
                let message = format!("`{}` is the name of a {other} already", name.value);
                self.report(&path, Diagnostic::error(name.span, message).help(format!("rename the {kind}")));
            } else if is_reserved(&name.value) {
                let message = format!("`{}` has a meaning in formulas", name.value);
                let help = format!("rename the {kind}, for example to `{}_{}`", name.value, kind.replace(' ', "_"));
                self.report(&path, Diagnostic::error(name.span, message).help(help));
            }
            given.insert(&name.value, kind);
            self.given.insert(name.value.clone());
        }
        let constraints = document.constraints.iter().map(|(name, _)| ("constraints", name));
        let slo = document.slo.iter().map(|(name, _)| ("slo", name));
        let structure = document.structure.iter().map(|(name, _)| ("structure", name));
        let quotas = document.quotas.iter().map(|(name, _)| ("quotas", name));
        let commitments = document.commitments.iter().map(|(name, _)| ("commitments", name));
        let events = document.events.iter().map(|(name, _)| ("events", name));
        let budgets = document.error_budgets.iter().map(|(name, _)| ("error_budgets", name));
        let watched = events.chain(budgets);
        for (section, name) in constraints.chain(slo).chain(watched).chain(structure).chain(quotas).chain(commitments) {
            self.check_name(&format!("{section}.{}", name.value), name);
        }
        if document.components.is_empty() && !self.doubtful.contains("") {
            let finding = Diagnostic::error(document.application.span, "the application has no components");
            self.report("components", finding.help("add at least one under `components`"));
        }
    }

    /// The components, metrics and constants that a formula mentions, known or not. What is a unit and what a name is
    /// settled by the names of the whole model, as it is when the formula is compiled.
    pub(super) fn mentioned(&self, text: &str) -> Vec<(String, Span)> {
        let Ok(tree) = parse(text, &|word| self.given.contains(word)) else { return Vec::new() };
        let mut mentioned = Vec::new();
        tree.walk(&mut |part| {
            if let TreeKind::Name(name) | TreeKind::Member(name, _) | TreeKind::Label(name, _) = &part.kind {
                mentioned.push((name.text.clone(), name.span));
            }
        });
        mentioned
    }

    fn check_name(&mut self, path: &str, name: &Spanned<String>) {
        let text = name.value.as_str();
        let message = if text.trim().is_empty() {
            "the name is empty".to_owned()
        } else if text.len() > NAME_MAX {
            format!("the name is longer than {NAME_MAX} bytes")
        } else if let Some(bad) = text.chars().find(|c| *c == '`' || c.is_control()) {
            format!("a name must not hold the character {bad:?}")
        } else {
            return;
        };
        self.report(path, Diagnostic::error(name.span, message).help("use letters, digits, `_` and `-`"));
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || WORDS.contains(&name) || Function::named(name).is_some()
}
