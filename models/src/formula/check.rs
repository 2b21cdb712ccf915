//! Syntax tree → typed expression: names, operators and units. Calls are in [`super::calls`].

use std::sync::Arc;

use crate::application::ComponentId;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{Fleet, Hosting};
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::formula::tree::{LiteralUnit, Name, Tree, TreeKind};
use crate::formula::typing::{Misfit, converted, counted, joined, product, scaled, unified, unit_of};
use crate::formula::{OwnAttributes, RESERVED, Scope, ScopeComponent};
use crate::offer::Attribute;
use crate::span::Span;
use crate::unit::{Unit, unit_word};

/// What the attributes of a component are of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Over {
    /// The component as a whole.
    Nothing,
    /// Each of its instances in turn.
    Fleet(ComponentId),
    /// Each of its admissible offers in turn.
    Candidates(ComponentId),
}

/// Types a tree and collects what is wrong with it.
pub(super) struct Checker<'a> {
    pub scope: &'a Scope,
    /// The formula.
    pub text: &'a str,
    /// Where it stands.
    pub place: Span,
    pub findings: Vec<Diagnostic>,
    pub over: Over,
    /// The currency of the literals so far.
    currency: Option<String>,
}

impl<'a> Checker<'a> {
    pub fn new(scope: &'a Scope, text: &'a str, place: Span) -> Self {
        let currency = scope.currency.clone().filter(|code| !code.is_empty());
        Checker { scope, text, place, findings: Vec::new(), over: Over::Nothing, currency }
    }

    pub fn place_of(&self, tree: &Tree) -> Span {
        self.place.within(self.text, tree.span)
    }

    /// Reports and gives nothing.
    pub fn fail<T>(&mut self, finding: Diagnostic) -> Option<T> {
        self.findings.push(finding);
        None
    }

    pub fn expr(&self, kind: ExprKind, ty: Type, tree: &Tree) -> Option<Expr> {
        Some(Expr { kind, ty, span: self.place_of(tree) })
    }

    /// Any expression.
    pub fn check(&mut self, tree: &Tree) -> Option<Expr> {
        match &tree.kind {
            TreeKind::Number(value, unit) => {
                if let Some(unit) = unit {
                    self.check_currency(unit, tree);
                }
                let unit = unit.as_ref().map(|u| u.unit);
                self.expr(ExprKind::Number(*value), Type::Number(unit), tree)
            }
            TreeKind::Bool(value) => self.expr(ExprKind::Bool(*value), Type::Bool, tree),
            TreeKind::Text(text) => self.expr(ExprKind::Text(text.as_str().into()), Type::Text, tree),
            TreeKind::Name(name) => self.name(name, tree),
            TreeKind::Member(component, attribute) => self.member(component, attribute, tree),
            TreeKind::Label(component, label) => {
                let (_, scope) = self.component(component)?;
                self.attribute(component, scope, Attribute::Label(label.text.as_str().into()), tree)
            }
            TreeKind::Negate(x) => {
                let x = self.number(x)?;
                let ty = x.ty.clone();
                let kind = match x.kind {
                    ExprKind::Number(value) => ExprKind::Number(-value),
                    kind => ExprKind::Negate(Box::new(Expr { kind, ..x })),
                };
                self.expr(kind, ty, tree)
            }
            TreeKind::Not(x) => {
                let x = self.truth(x)?;
                self.expr(ExprKind::Not(Box::new(x)), Type::Bool, tree)
            }
            TreeKind::Binary(op, a, b) => self.binary(*op, a, b, tree),
            TreeKind::Chain(first, rest) => self.chain(first, rest, tree),
            TreeKind::Call(name, args) => self.call(name, args, tree),
            TreeKind::Candidates(name, args) => self.candidates(name, args, tree),
        }
    }

    /// A number; a truth value counts 1 or 0.
    pub fn number(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.check(tree)?;
        self.as_number(expr)
    }

    pub fn as_number(&mut self, expr: Expr) -> Option<Expr> {
        match expr.ty {
            Type::Number(_) => Some(expr),
            Type::Bool => Some(counted(expr)),
            Type::Text => self.fail(
                Diagnostic::error(expr.span, "a text stands where a number is expected")
                    .help("texts can only be compared, with == and !="),
            ),
        }
    }

    /// Numbers, all of them checked before any is given up.
    pub fn numbers<'t>(&mut self, trees: impl IntoIterator<Item = &'t Tree>) -> Option<Vec<Expr>> {
        let all: Vec<Option<Expr>> = trees.into_iter().map(|tree| self.number(tree)).collect();
        all.into_iter().collect()
    }

    /// A truth value.
    pub fn truth(&mut self, tree: &Tree) -> Option<Expr> {
        let expr = self.check(tree)?;
        match expr.ty {
            Type::Bool => Some(expr),
            Type::Number(_) => self.fail(
                Diagnostic::error(expr.span, format!("{} is a number where a condition is expected", shown(tree)))
                    .help("compare it with another number, for example `x > 0`"),
            ),
            Type::Text => self.fail(
                Diagnostic::error(expr.span, "a text stands where a condition is expected")
                    .help("compare it, for example `web.region == \"eu-central-1\"`"),
            ),
        }
    }

    /// Truth values, all of them checked before any is given up.
    pub fn truths<'t>(&mut self, trees: impl IntoIterator<Item = &'t Tree>) -> Option<Vec<Expr>> {
        let all: Vec<Option<Expr>> = trees.into_iter().map(|tree| self.truth(tree)).collect();
        all.into_iter().collect()
    }

    /// Numbers in one unit.
    pub fn unify(&mut self, numbers: Vec<Expr>, verb: &str) -> Option<(Vec<Expr>, Option<Unit>)> {
        match unified(numbers) {
            Ok(done) => Some(done),
            Err(Misfit { span, wanted, found }) => self.fail(
                Diagnostic::error(span, format!("a number in {wanted} and one in {found} cannot be {verb}"))
                    .help("convert one of them, or take it without its unit: number(x)"),
            ),
        }
    }

    fn check_currency(&mut self, unit: &LiteralUnit, tree: &Tree) {
        let Some(code) = unit.currency else { return };
        match &self.currency {
            Some(known) if !known.eq_ignore_ascii_case(code) => {
                let whose = if self.scope.currency.is_some() { "the model is in" } else { "the formula also names" };
                let message = format!("this amount is in {code}, but {whose} {known}");
                let finding = Diagnostic::error(self.place_of(tree), message);
                self.findings.push(finding.help(format!("write the amount in {known}")));
            }
            Some(_) => {}
            None => self.currency = Some(code.to_owned()),
        }
    }

    fn name(&mut self, name: &Name, tree: &Tree) -> Option<Expr> {
        let text = name.text.as_str();
        if !name.quoted {
            match text {
                "total_cost" => return self.total(ExprKind::TotalCost, Some(Unit::PRICE), tree),
                "node_count" => return self.total(ExprKind::NodeCount, None, tree),
                _ => {}
            }
        }
        if let Some(metric) = self.scope.metrics.get(text) {
            return self.expr(ExprKind::Metric(metric.id), Type::Number(metric.unit), tree);
        }
        if let Some((value, unit)) = self.scope.constants.get(text) {
            return self.expr(ExprKind::Number(*value), Type::Number(*unit), tree);
        }
        let constant = match text {
            "pi" => Some(std::f64::consts::PI),
            "e" => Some(std::f64::consts::E),
            _ => None,
        };
        if let Some(value) = constant.filter(|_| !name.quoted) {
            return self.expr(ExprKind::Number(value), Type::Number(None), tree);
        }
        let span = self.place_of(tree);
        if self.scope.components.contains_key(text) {
            return self.fail(
                Diagnostic::error(span, format!("`{text}` is a component, not a number"))
                    .help(format!("name an attribute of it, such as `{name}.cardinality`")),
            );
        }
        if self.scope.links.contains_key(text) || self.scope.data.contains_key(text) {
            return self.fail(
                Diagnostic::error(span, format!("`{text}` is a link or a data source, not a number"))
                    .help(format!("name an attribute of it, such as `{name}.cost`")),
            );
        }
        let known = self.scope.metrics.keys().chain(self.scope.constants.keys()).map(AsRef::as_ref);
        let help = did_you_mean(text, known.chain(RESERVED)).map(|known| format!("did you mean `{known}`?"));
        let help = help.or_else(|| self.component_help(text));
        let finding = Diagnostic::error(span, format!("unknown name `{text}`"));
        self.fail(match help {
            Some(help) => finding.help(help),
            None => finding.help("define it under `metrics` or `constants`"),
        })
    }

    fn component_help(&self, text: &str) -> Option<String> {
        let known = did_you_mean(text, self.scope.components.keys().map(AsRef::as_ref))?;
        Some(format!("did you mean an attribute of the component `{known}`, such as `{known}.cardinality`?"))
    }

    fn total(&mut self, kind: ExprKind, unit: Option<Unit>, tree: &Tree) -> Option<Expr> {
        if let Over::Candidates(_) = self.over {
            return self.not_of_an_offer(tree);
        }
        self.expr(kind, Type::Number(unit), tree)
    }

    pub fn not_of_an_offer<T>(&mut self, tree: &Tree) -> Option<T> {
        self.fail(
            Diagnostic::error(
                self.place_of(tree),
                format!("{} depends on the placement, and `candidates` looks at offers alone", shown(tree)),
            )
            .help("move it out of `candidates`"),
        )
    }

    /// A component by name.
    pub fn component(&mut self, name: &Name) -> Option<(Arc<str>, ScopeComponent)> {
        let text = name.text.as_str();
        if let Some((name, component)) = self.scope.components.get_key_value(text) {
            return Some((name.clone(), *component));
        }
        let span = self.place.within(self.text, name.span);
        if self.scope.metrics.contains_key(text) {
            return self.fail(Diagnostic::error(span, format!("`{text}` is a metric and has no attributes")));
        }
        let finding = Diagnostic::error(span, format!("unknown component `{text}`"));
        let known = did_you_mean(text, self.scope.components.keys().map(AsRef::as_ref));
        self.fail(match known {
            Some(known) => finding.help(format!("did you mean `{known}`?")),
            None => finding,
        })
    }

    fn member(&mut self, component: &Name, attribute: &Name, tree: &Tree) -> Option<Expr> {
        if let Some(found) = self.traffic(component, attribute, tree) {
            return found;
        }
        let (_, scope) = self.component(component)?;
        let known = Attribute::named(&attribute.text);
        if self.scope.own.contains_key(&scope.id) {
            let known = known.unwrap_or_else(|| Attribute::Label(attribute.text.as_str().into()));
            return self.attribute(component, scope, known, tree);
        }
        if let Some(known) = known {
            return self.attribute(component, scope, known, tree);
        }
        let span = self.place.within(self.text, attribute.span);
        let finding = Diagnostic::error(span, format!("unknown attribute `{}`", attribute.text));
        let known = did_you_mean(&attribute.text, Attribute::NAMED.iter().map(|(name, _)| *name));
        self.fail(finding.help(match known {
            Some(known) => format!("did you mean `{component}.{known}`?"),
            None => format!("an attribute of the catalog is written `{component}.labels.{attribute}`"),
        }))
    }

    /// An attribute of a link or a data source; nothing when the name is neither's.
    fn traffic(&mut self, name: &Name, attribute: &Name, tree: &Tree) -> Option<Option<Expr>> {
        let (link, data) = (self.scope.links.get(name.text.as_str()), self.scope.data.get(name.text.as_str()));
        let (kind, unit) = match (link, data, attribute.text.as_str()) {
            (Some(link), _, "cost") => (ExprKind::LinkCost(*link), Unit::PRICE),
            (Some(link), _, "latency") => (ExprKind::LinkLatency(*link), Unit::MILLISECOND),
            (None, Some(data), "cost") => (ExprKind::StorageCost(*data), Unit::PRICE),
            (None, None, _) => return None,
            (link, ..) => {
                let what = if link.is_some() { "a link" } else { "a data source" };
                let known = if link.is_some() { "`cost` and `latency`" } else { "`cost`" };
                let span = self.place.within(self.text, attribute.span);
                let message = format!("`{name}` is {what} and has no attribute `{}`", attribute.text);
                return Some(self.fail(Diagnostic::error(span, message).help(format!("it has {known}"))));
            }
        };
        Some(self.total(kind, Some(unit), tree))
    }

    fn attribute(&mut self, name: &Name, component: ScopeComponent, attribute: Attribute, tree: &Tree) -> Option<Expr> {
        let shared = component.hosting == Hosting::Shared;
        let span = self.place_of(tree);
        let written = attribute.name().to_owned();
        match self.over {
            _ if attribute == Attribute::Cardinality => {
                if let Over::Candidates(_) = self.over {
                    return self.not_of_an_offer(tree);
                }
            }
            Over::Candidates(id) if id == component.id => {}
            Over::Candidates(_) => return self.not_of_an_offer(tree),
            _ if shared && !is_demand(&attribute) => {
                let message =
                    format!("`{name}.{written}` has no meaning, because `{name}` shares its nodes with others");
                let help =
                    if attribute == Attribute::Price { "use total_cost" } else { "use its demand or total_cost" };
                return self.fail(Diagnostic::error(span, message).help(format!(
                    "{help}; of a shared component formulas know cardinality, cores, memory, disk and gpus"
                )));
            }
            Over::Fleet(id) if id == component.id => {}
            _ if !shared && component.fleet == Fleet::Mixed => {
                let message =
                    format!("`{name}.{written}` differs from node to node, because `{name}` is a mixed fleet");
                let access = if matches!(attribute, Attribute::Label(_)) { "labels." } else { "" };
                let value = format!("{name}.{access}{written}");
                let help = match attribute_type(&attribute) {
                    Type::Text => {
                        format!("count the nodes for which a condition holds: count({name}, {value} == \"...\")")
                    }
                    _ => format!("aggregate it: sum({value}), min({value}), max({value}) or mean({value})"),
                };
                return self.fail(Diagnostic::error(span, message).help(help));
            }
            _ => {}
        }
        let ty = match self.scope.own.get(&component.id) {
            Some(own) if attribute != Attribute::Cardinality => match own.attributes.get(&attribute) {
                Some(ty) => ty.clone(),
                None => return self.not_its_own(name, &attribute, own, tree),
            },
            _ => attribute_type(&attribute),
        };
        self.expr(ExprKind::Attribute(component.id, attribute), ty, tree)
    }

    /// A component with configurations or free attributes does not have this attribute.
    fn not_its_own<T>(&mut self, name: &Name, attribute: &Attribute, own: &OwnAttributes, tree: &Tree) -> Option<T> {
        const SHOWN: usize = 12;
        let what = if own.free { "free attributes" } else { "configurations" };
        let message = format!("`{name}` has no attribute `{}`: it has {what}", attribute.name());
        let finding = Diagnostic::error(self.place_of(tree), message);
        let known = || own.attributes.keys().map(Attribute::name);
        self.fail(match did_you_mean(attribute.name(), known()) {
            Some(meant) => finding.help(format!("did you mean `{name}.{meant}`?")),
            None => {
                let listed: Vec<String> = known().take(SHOWN).map(|a| format!("`{a}`")).collect();
                finding.help(format!("it has `cardinality`, {}", listed.join(", ")))
            }
        })
    }

    fn binary(&mut self, op: BinaryOp, a: &Tree, b: &Tree, tree: &Tree) -> Option<Expr> {
        if op.is_comparison() {
            let (a, b) = (self.check(a), self.check(b));
            return self.compare(op, a?, b?, tree);
        }
        if !op.is_arithmetic() {
            let (a, b) = (self.truth(a), self.truth(b));
            return self.expr(ExprKind::Binary(op, Box::new(a?), Box::new(b?)), Type::Bool, tree);
        }
        let left = self.number(a);
        let right = match self.literal_divisor(op, a, b) {
            Some(unit) => Some(unit),
            None => self.number(b),
        };
        self.arithmetic(op, left?, right?, tree)
    }

    /// The `s` of `40/s`: a unit word after a literal that is no name in scope.
    fn literal_divisor(&mut self, op: BinaryOp, a: &Tree, b: &Tree) -> Option<Expr> {
        let (BinaryOp::Divide, TreeKind::Number(_, None), TreeKind::Name(name)) = (op, &a.kind, &b.kind) else {
            return None;
        };
        if name.quoted || self.scope.has_name(&name.text) || matches!(name.text.as_str(), "e" | "pi") {
            return None;
        }
        let unit = unit_word(&name.text)?.unit;
        self.expr(ExprKind::Number(1.0), Type::Number(Some(unit)), b)
    }

    /// `+ - * / % ^` of two typed numbers.
    pub fn arithmetic(&mut self, op: BinaryOp, left: Expr, right: Expr, tree: &Tree) -> Option<Expr> {
        match op {
            BinaryOp::Multiply | BinaryOp::Divide => match product(op, left, right, self.place_of(tree)) {
                Some(expr) => Some(expr),
                None => self.fail(Diagnostic::error(self.place_of(tree), "the unit of the result is out of range")),
            },
            BinaryOp::Power => self.power(left, right, tree),
            _ => {
                let verb = match op {
                    BinaryOp::Add => "added",
                    BinaryOp::Subtract => "subtracted",
                    _ => "divided with a remainder",
                };
                let (both, unit) = self.unify(vec![left, right], verb)?;
                let mut both = both.into_iter();
                let (left, right) = (both.next()?, both.next()?);
                self.expr(ExprKind::Binary(op, Box::new(left), Box::new(right)), Type::Number(unit), tree)
            }
        }
    }

    fn power(&mut self, base: Expr, exponent: Expr, tree: &Tree) -> Option<Expr> {
        let exponent = self.plain(exponent, "an exponent")?;
        let unit = match (unit_of(&base), &exponent.kind) {
            (None, _) => None,
            (Some(unit), ExprKind::Number(n)) if n.fract() == 0.0 && n.abs() <= 100.0 => {
                let Some(power) = unit.power(*n as i32) else {
                    return self.fail(Diagnostic::error(self.place_of(tree), "the unit of the result is out of range"));
                };
                Some(power)
            }
            (Some(_), _) => None,
        };
        self.expr(ExprKind::Binary(BinaryOp::Power, Box::new(base), Box::new(exponent)), Type::Number(unit), tree)
    }

    /// A number without dimension, as a ratio.
    pub fn plain(&mut self, expr: Expr, what: &str) -> Option<Expr> {
        let span = expr.span;
        match converted(expr, Unit::RATIO) {
            Ok(plain) => Some(plain),
            Err((found, _)) => self.fail(
                Diagnostic::error(span, format!("{what} is a bare number, this one is in {found}"))
                    .help("take it without its unit: number(x)"),
            ),
        }
    }

    fn chain(&mut self, first: &Tree, rest: &[(BinaryOp, Tree)], tree: &Tree) -> Option<Expr> {
        let left = self.check(first);
        let operands: Vec<(BinaryOp, Option<Expr>)> = rest.iter().map(|(op, t)| (*op, self.check(t))).collect();
        let mut left = left?;
        let mut parts = Vec::new();
        for (op, right) in operands {
            let right = right?;
            parts.push(self.compare(op, left, right.clone(), tree)?);
            left = right;
        }
        let all = joined(BinaryOp::And, &Type::Bool, parts)?;
        Some(Expr { span: self.place_of(tree), ..all })
    }

    fn compare(&mut self, op: BinaryOp, left: Expr, right: Expr, tree: &Tree) -> Option<Expr> {
        let (left, right) = label_as_text(left, right);
        let equality = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
        let (left, right) = match (&left.ty, &right.ty) {
            (Type::Text, Type::Text) if equality => (left, right),
            (Type::Text, Type::Text) => {
                return self.fail(
                    Diagnostic::error(self.place_of(tree), format!("texts have no order for {}", op.symbol()))
                        .help("compare them with == or !="),
                );
            }
            (Type::Text, _) | (_, Type::Text) => {
                return self.fail(
                    Diagnostic::error(self.place_of(tree), "a text and a number cannot be compared")
                        .help("put a text in quotes, and a number not"),
                );
            }
            _ => {
                let (left, right) = (self.as_number(left)?, self.as_number(right)?);
                let (both, _) = self.unify(vec![left, right], "compared")?;
                let mut both = both.into_iter();
                (both.next()?, both.next()?)
            }
        };
        self.expr(ExprKind::Binary(op, Box::new(left), Box::new(right)), Type::Bool, tree)
    }

    /// A result in the unit of the first branch or fallback that has one, and of one type.
    pub fn alternatives(&mut self, mut first: Expr, mut second: Expr, verb: &str) -> Option<(Expr, Expr, Type)> {
        (first, second) = label_as_text(first, second);
        if first.ty == second.ty && matches!(first.ty, Type::Text | Type::Bool) {
            let ty = first.ty.clone();
            return Some((first, second, ty));
        }
        let (first, second) = (self.as_number(first)?, self.as_number(second)?);
        let (both, unit) = self.unify(vec![first, second], verb)?;
        let mut both = both.into_iter();
        let (first, second) = (both.next()?, both.next()?);
        Some((scaled(first, 1.0, unit), scaled(second, 1.0, unit), Type::Number(unit)))
    }
}

/// A label is a text where its other side is one.
fn label_as_text(mut left: Expr, mut right: Expr) -> (Expr, Expr) {
    let is_label = |e: &Expr| matches!(&e.kind, ExprKind::Attribute(_, Attribute::Label(_)));
    if right.ty == Type::Text && is_label(&left) {
        left.ty = Type::Text;
    } else if left.ty == Type::Text && is_label(&right) {
        right.ty = Type::Text;
    }
    (left, right)
}

/// The type of an attribute in formulas. A label is a bare number here; compared with a text it is a text.
pub fn attribute_type(attribute: &Attribute) -> Type {
    match attribute {
        Attribute::Provider
        | Attribute::Region
        | Attribute::Country
        | Attribute::Continent
        | Attribute::MachineType
        | Attribute::Family
        | Attribute::Purchase
        | Attribute::Cloud
        | Attribute::Architecture
        | Attribute::Os => Type::Text,
        other => Type::Number(Unit::of_attribute(other)),
    }
}

/// True for what an instance on a shared node has of its own.
fn is_demand(attribute: &Attribute) -> bool {
    matches!(attribute, Attribute::Cores | Attribute::Memory | Attribute::Disk | Attribute::Gpus)
}

/// A part of the formula for a message, in backticks and not too long.
pub(super) fn shown(tree: &Tree) -> String {
    let text = tree.to_string();
    if text.chars().count() <= 50 {
        return format!("`{text}`");
    }
    let start: String = text.chars().take(47).collect();
    format!("`{start}...`")
}
