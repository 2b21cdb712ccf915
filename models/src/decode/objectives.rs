//! The objectives of a model, read from the tree: one, a weighted sum, or several in their order.

use super::fields::{Fields, Reader};
use super::tree::{Kind, Node};
use crate::diagnostic::Diagnostic;
use crate::document::{RankedDocument, Scalar, UtilityDocument, WeightedDocument};
use crate::span::{Span, Spanned};

pub(super) const UTILITY_KEYS: &[&str] = &["maximize", "minimize", "weighted", "lexicographic"];
pub(super) const WEIGHTED_KEYS: &[&str] = &["maximize", "minimize", "weight", "name"];
pub(super) const RANKED_KEYS: &[&str] = &["maximize", "minimize", "weighted", "tolerance", "name"];

/// What a mapping says is best: exactly one of these.
enum Goal {
    Maximize(Spanned<Scalar>),
    Minimize(Spanned<Scalar>),
    Weighted(Vec<WeightedDocument>),
    Lexicographic(Vec<RankedDocument>),
}

/// Reads the section `utility`.
pub(super) fn utility(reader: &mut Reader, node: &Node, path: &str) -> Option<UtilityDocument> {
    let expected = "`maximize` or `minimize` with a formula, or `weighted` or `lexicographic` with several";
    let mut f = reader.fields(node, path, expected, UTILITY_KEYS)?;
    let help = "write `minimize: total_cost` or `maximize: FORMULA`, or leave the section out";
    Some(match goal(&mut f, UTILITY_KEYS, expected, help)? {
        Goal::Maximize(maximize) => UtilityDocument::Maximize { maximize },
        Goal::Minimize(minimize) => UtilityDocument::Minimize { minimize },
        Goal::Weighted(weighted) => UtilityDocument::Weighted { weighted },
        Goal::Lexicographic(lexicographic) => UtilityDocument::Lexicographic { lexicographic },
    })
}

/// The one goal of a mapping, of those among its keys.
fn goal(f: &mut Fields<'_, '_>, keys: &[&str], expected: &str, help: &str) -> Option<Goal> {
    let given: Vec<&str> = UTILITY_KEYS.iter().copied().filter(|key| keys.contains(key) && f.has(key)).collect();
    match given[..] {
        ["maximize"] => f.scalar("maximize").map(Goal::Maximize),
        ["minimize"] => f.scalar("minimize").map(Goal::Minimize),
        ["weighted"] => f.read("weighted", |r, n, p| several(r, n, p, weighted)).map(Goal::Weighted),
        ["lexicographic"] => f.read("lexicographic", |r, n, p| several(r, n, p, ranked)).map(Goal::Lexicographic),
        [] | [_] => {
            let span = Span::new(f.span.start as usize, f.span.start as usize);
            f.report(Diagnostic::error(span, format!("expected {expected}")).help(help));
            None
        }
        [first, second, ..] => {
            let span = f.node(second).map_or(f.span, |node| node.span);
            let help = match (first, second) {
                ("maximize", "minimize") => {
                    "keep one of them; for both write `weighted: [{maximize: ...}, {minimize: ...}]`"
                }
                _ => "keep one of them",
            };
            f.report(Diagnostic::error(span, format!("`{first}` and `{second}` are both given")).help(help));
            None
        }
    }
}

/// A list of objectives.
fn several<T>(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    read: impl FnMut(&mut Reader, &Node, &str) -> Option<T>,
) -> Option<Vec<T>> {
    match &node.kind {
        Kind::List(items) if items.is_empty() => {
            reader.report(Diagnostic::error(node.span, "the list of objectives is empty").at(path));
            None
        }
        Kind::List(items) => reader.list(items, path, read),
        _ => {
            let help = "write `[{minimize: total_cost}, {maximize: FORMULA}]`".to_owned();
            reader.wrong_type(node, path, "a list of objectives", Some(help));
            None
        }
    }
}

fn weighted(reader: &mut Reader, node: &Node, path: &str) -> Option<WeightedDocument> {
    let expected = "`maximize` or `minimize` with a formula, and a `weight`";
    let mut f = reader.fields(node, path, expected, WEIGHTED_KEYS)?;
    let goal = goal(&mut f, WEIGHTED_KEYS, expected, "write `{minimize: total_cost, weight: 0.5}`");
    let mut document = WeightedDocument { weight: f.scalar("weight"), name: f.text("name"), ..Default::default() };
    match goal? {
        Goal::Maximize(formula) => document.maximize = Some(formula),
        Goal::Minimize(formula) => document.minimize = Some(formula),
        Goal::Weighted(_) | Goal::Lexicographic(_) => return None,
    }
    Some(document)
}

fn ranked(reader: &mut Reader, node: &Node, path: &str) -> Option<RankedDocument> {
    let expected = "`maximize`, `minimize` or `weighted`";
    let mut f = reader.fields(node, path, expected, RANKED_KEYS)?;
    let goal = goal(&mut f, RANKED_KEYS, expected, "write `{minimize: total_cost, tolerance: 2 %}`");
    let mut document = RankedDocument { tolerance: f.scalar("tolerance"), name: f.text("name"), ..Default::default() };
    match goal? {
        Goal::Maximize(formula) => document.maximize = Some(formula),
        Goal::Minimize(formula) => document.minimize = Some(formula),
        Goal::Weighted(parts) => document.weighted = Some(parts),
        Goal::Lexicographic(_) => return None,
    }
    Some(document)
}
