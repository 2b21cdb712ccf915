//! A typed expression as a formula again, for messages about a part of what the user wrote.

use crate::application::{Application, ComponentId, LinkId};
use crate::formula::expr::{Aggregate, Expr, ExprKind};
use crate::formula::tree::{Name, Tree, TreeKind};
use crate::offer::Attribute;
use crate::span::Span;

/// The part of a formula that an expression is: as it was written, where its place in the text is known, and written
/// anew otherwise. `text` and `place` are the whole formula and where it stands.
pub fn part(expr: &Expr, application: &Application, text: &str, place: Span) -> String {
    let length = (place.end as usize).saturating_sub(place.start as usize);
    if !place.is_none() && !expr.span.is_none() && length == text.len() && expr.span.start >= place.start {
        let (from, to) = ((expr.span.start - place.start) as usize, (expr.span.end - place.start) as usize);
        // A place that is a part of another one only by chance would give half a word.
        if let Some(part) = text.get(from..to).filter(|part| !part.trim().is_empty() && is_balanced(part)) {
            return part.trim().to_owned();
        }
    }
    words(expr, application)
}

fn is_balanced(text: &str) -> bool {
    let mut open = 0i32;
    text.chars().all(|c| {
        open += i32::from(c == '(') - i32::from(c == ')');
        open >= 0
    }) && open == 0
}

/// The expression as a formula. Constants have become numbers, and units are those in which the expression counts.
pub fn words(expr: &Expr, application: &Application) -> String {
    tree(expr, application).to_string()
}

fn component(id: ComponentId, application: &Application) -> Name {
    Name::new(application.components.get(id.index()).map_or("?", |c| c.name.as_ref()))
}

fn link(id: LinkId, application: &Application) -> Name {
    Name::new(application.links.get(id.index()).map_or("?", |l| l.name.as_ref()))
}

/// A word of the language, which is never in backticks.
fn word(text: &str) -> Name {
    Name { text: text.to_owned(), quoted: false, span: Span::NONE }
}

fn tree(expr: &Expr, application: &Application) -> Tree {
    let boxed = |x: &Expr| Box::new(tree(x, application));
    let kind = match &expr.kind {
        ExprKind::Number(value) => TreeKind::Number(*value, None),
        ExprKind::Bool(value) => TreeKind::Bool(*value),
        ExprKind::Text(text) => TreeKind::Text(text.to_string()),
        ExprKind::Metric(id) => {
            TreeKind::Name(Name::new(application.metrics.get(id.index()).map_or("?", |m| m.name.as_ref())))
        }
        ExprKind::Attribute(id, Attribute::Label(label)) => {
            TreeKind::Label(component(*id, application), Name::new(label.as_ref()))
        }
        ExprKind::Attribute(id, attribute) => TreeKind::Member(component(*id, application), word(attribute.name())),
        ExprKind::TotalCost => TreeKind::Name(word("total_cost")),
        ExprKind::NodeCount => TreeKind::Name(word("node_count")),
        ExprKind::LinkCost(id) => TreeKind::Member(link(*id, application), word("cost")),
        ExprKind::LinkLatency(id) => TreeKind::Member(link(*id, application), word("latency")),
        ExprKind::StorageCost(id) => {
            let name = application.data.get(id.index()).map_or("?", |d| d.name.as_ref());
            TreeKind::Member(Name::new(name), word("cost"))
        }
        ExprKind::Negate(x) => TreeKind::Negate(boxed(x)),
        ExprKind::Not(x) => TreeKind::Not(boxed(x)),
        ExprKind::Binary(op, a, b) => TreeKind::Binary(*op, boxed(a), boxed(b)),
        ExprKind::If(c, a, b) => {
            TreeKind::Call(word("if"), [c, a, b].into_iter().map(|x| tree(x, application)).collect())
        }
        ExprKind::Call(function, args) => {
            TreeKind::Call(word(function.name()), args.iter().map(|x| tree(x, application)).collect())
        }
        ExprKind::Fleet { aggregate, component: id, body, filter } => {
            let first = match aggregate {
                Aggregate::Count => Tree::new(TreeKind::Name(component(*id, application)), Span::NONE),
                _ => tree(body, application),
            };
            let filter = filter.iter().map(|f| tree(f, application));
            TreeKind::Call(word(aggregate.name()), std::iter::once(first).chain(filter).collect())
        }
        ExprKind::Candidates { aggregate, body, .. } => {
            TreeKind::Candidates(word(aggregate.name()), vec![tree(body, application)])
        }
        ExprKind::Current(x, fallback) => {
            let all = std::iter::once(x).chain(fallback.iter());
            TreeKind::Call(word("current"), all.map(|x| tree(x, application)).collect())
        }
    };
    Tree::new(kind, Span::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{add_metric, application, component as dedicated, formula, mixed};
    use crate::formula::Expected;

    #[test]
    fn a_part_is_what_was_written() {
        let mut app = application(vec![dedicated("web", 1, 3), mixed("my-worker", 1, 3)]);
        add_metric(&mut app, "load", None, Some(1.0));
        for text in [
            "1 / (web.price * web.cardinality)",
            "sum(`my-worker`.cores) - count(`my-worker`, `my-worker`.cores >= 4) * load",
            "if(web.region == \"eu\", -total_cost, current(web.cardinality, 1)) ^ 2",
            "candidates.min(web.price) + max(node_count, 2 * load) % 3",
        ] {
            let expr = formula(&app, text, Expected::Number);
            assert_eq!(words(&expr, &app), text);
            assert_eq!(part(&expr, &app, text, Span::new(0, text.len())), text);
            assert_eq!(part(&expr, &app, "another text", Span::new(3, 4)), text);
        }
    }
}
