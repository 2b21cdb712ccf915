//! Calls: conditions, aggregates over fleets and candidates, what runs now, and the functions of numbers.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::application::ComponentId;
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::formula::Scope;
use crate::formula::check::{Checker, Over};
use crate::formula::expr::{Aggregate, BinaryOp, Expr, ExprKind, Type};
use crate::formula::function::Function;
use crate::formula::tree::{Name, Tree, TreeKind};
use crate::formula::typing::{joined, unit_of};
use crate::offer::Attribute;
use crate::unit::Unit;

/// Names of calls that are no [`Function`].
const FORMS: [&str; 13] =
    ["if", "ite", "iff", "count", "current", "and", "or", "xor", "not", "implies", "mod", "pow", "multi"];

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &Name, args: &[Tree], tree: &Tree) -> Option<Expr> {
        let text = name.text.as_str();
        match (text, args) {
            ("if" | "ite" | "iff", [condition, then, otherwise]) => self.condition(condition, then, otherwise, tree),
            ("if" | "ite" | "iff", _) => self.wrong_count(name, args, "a condition and two values: if(c, a, b)", tree),
            ("current", [x]) => self.current(x, None, tree),
            ("current", [x, fallback]) => self.current(x, Some(fallback), tree),
            ("current", _) => self.wrong_count(name, args, "a value and an optional fallback", tree),
            ("count", _) => self.count(name, args, tree),
            ("and" | "or" | "xor", [_, ..]) => {
                let parts = self.truths(args)?;
                let op = match text {
                    "and" => BinaryOp::And,
                    "or" => BinaryOp::Or,
                    _ => BinaryOp::Xor,
                };
                let all = joined(op, &Type::Bool, parts)?;
                Some(Expr { span: self.place_of(tree), ..all })
            }
            ("implies", [a, b]) => {
                let (a, b) = (self.truth(a), self.truth(b));
                let kind = ExprKind::Binary(BinaryOp::Implies, Box::new(a?), Box::new(b?));
                self.expr(kind, Type::Bool, tree)
            }
            ("mod" | "pow", [a, b]) => {
                let (a, b) = (self.number(a), self.number(b));
                let op = if text == "mod" { BinaryOp::Remainder } else { BinaryOp::Power };
                self.arithmetic(op, a?, b?, tree)
            }
            ("implies" | "mod" | "pow", _) => self.wrong_count(name, args, "two arguments", tree),
            ("multi" | "product", [_, ..]) => {
                let parts = self.numbers(args)?;
                self.multiplied(parts, tree)
            }
            _ => self.aggregate_or_function(name, args, tree),
        }
    }

    fn wrong_count<T>(&mut self, name: &Name, args: &[Tree], wanted: &str, tree: &Tree) -> Option<T> {
        let message = format!("`{}` takes {wanted}, not {}", name.text, args.len());
        self.fail(Diagnostic::error(self.place_of(tree), message))
    }

    fn condition(&mut self, condition: &Tree, then: &Tree, otherwise: &Tree, tree: &Tree) -> Option<Expr> {
        let (condition, then, otherwise) = (self.truth(condition), self.check(then), self.check(otherwise));
        let (then, otherwise, ty) = self.alternatives(then?, otherwise?, "the two results of one condition")?;
        self.expr(ExprKind::If(Box::new(condition?), Box::new(then), Box::new(otherwise)), ty, tree)
    }

    fn current(&mut self, x: &Tree, fallback: Option<&Tree>, tree: &Tree) -> Option<Expr> {
        // What runs now has nodes of its own: a surrounding aggregate does not reach inside.
        let outer = std::mem::replace(&mut self.over, Over::Nothing);
        let x = self.check(x);
        self.over = outer;
        let fallback = match fallback {
            Some(fallback) => Some(self.check(fallback)?),
            None => None,
        };
        let x = x?;
        let Some(fallback) = fallback else {
            let ty = x.ty.clone();
            return self.expr(ExprKind::Current(Box::new(x), None), ty, tree);
        };
        let (x, fallback, ty) = self.alternatives(x, fallback, "a value and its fallback")?;
        self.expr(ExprKind::Current(Box::new(x), Some(Box::new(fallback))), ty, tree)
    }

    /// The product of many, by halves.
    fn multiplied(&mut self, mut parts: Vec<Expr>, tree: &Tree) -> Option<Expr> {
        if parts.len() <= 1 {
            return parts.pop();
        }
        let right = parts.split_off(parts.len() / 2);
        let (left, right) = (self.multiplied(parts, tree)?, self.multiplied(right, tree)?);
        self.arithmetic(BinaryOp::Multiply, left, right, tree)
    }

    /// `count(worker)`, `count(worker, condition)` or `count(condition)`.
    fn count(&mut self, name: &Name, args: &[Tree], tree: &Tree) -> Option<Expr> {
        let (component, condition) = match args {
            [Tree { kind: TreeKind::Name(component), .. }] => (self.component(component)?.1.id, None),
            [Tree { kind: TreeKind::Name(component), .. }, condition] => {
                (self.component(component)?.1.id, Some(condition))
            }
            [condition] => (self.only_component(name, condition, tree)?, Some(condition)),
            _ => return self.wrong_count(name, args, "a component and an optional condition", tree),
        };
        let one = Expr { kind: ExprKind::Number(1.0), ty: Type::Number(None), span: self.place_of(tree) };
        let filter = self.inside(Over::Fleet(component), tree, |checker| match condition {
            Some(condition) => checker.truth(condition).map(Some),
            None => Some(None),
        })?;
        self.fleet(Aggregate::Count, component, one, filter, tree)
    }

    fn fleet(
        &mut self,
        aggregate: Aggregate,
        component: ComponentId,
        body: Expr,
        filter: Option<Expr>,
        tree: &Tree,
    ) -> Option<Expr> {
        self.has_nodes(component, tree)?;
        let ty = Type::Number(unit_of(&body));
        let (body, filter) = (Box::new(body), filter.map(Box::new));
        self.expr(ExprKind::Fleet { aggregate, component, body, filter }, ty, tree)
    }

    /// Reports an aggregate over a component without nodes and offers.
    fn has_nodes(&mut self, component: ComponentId, tree: &Tree) -> Option<()> {
        if !self.scope.own.get(&component).is_some_and(|own| own.free) {
            return Some(());
        }
        let message = "a component with free attributes has no nodes or offers to aggregate over";
        let help = "its instances are all alike: write `x.cardinality * x.cores` for a sum";
        self.fail(Diagnostic::error(self.place_of(tree), message).help(help))
    }

    /// Checks the body of an aggregate.
    fn inside<T>(&mut self, over: Over, tree: &Tree, check: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        match self.over {
            Over::Nothing => {}
            Over::Fleet(_) => {
                return self.fail(
                    Diagnostic::error(self.place_of(tree), "an aggregate over nodes stands inside another")
                        .help("compute the inner one as a metric of its own, or move it out"),
                );
            }
            Over::Candidates(_) => return self.not_of_an_offer(tree),
        }
        self.over = over;
        let result = check(self);
        self.over = Over::Nothing;
        result
    }

    /// The one component whose nodes a tree speaks of.
    fn only_component(&mut self, name: &Name, body: &Tree, tree: &Tree) -> Option<ComponentId> {
        let mentioned = mentioned(body, self.scope);
        let mut all = mentioned.iter();
        if let (Some((id, _)), None) = (all.next(), all.next()) {
            return Some(*id);
        }
        let span = self.place_of(tree);
        let names: Vec<String> = mentioned.iter().map(|(_, name)| format!("`{name}`")).collect();
        self.fail(if names.is_empty() {
            Diagnostic::error(span, format!("`{}` must mention an attribute of a component", name.text))
                .help(format!("write it like {}(worker.cores), or {}(a, b)", name.text, name.text))
        } else {
            let message =
                format!("`{}` goes over the nodes of one component, but this mentions {}", name.text, names.join(", "));
            Diagnostic::error(span, message).help("aggregate each component apart, such as sum(a.cores) + sum(b.cores)")
        })
    }

    /// `candidates.min(worker.price)`
    pub(super) fn candidates(&mut self, name: &Name, args: &[Tree], tree: &Tree) -> Option<Expr> {
        let Some(aggregate) = aggregate_named(&name.text) else {
            let span = self.place.within(self.text, name.span);
            return self.fail(
                Diagnostic::error(span, format!("`candidates` has no `{}`", name.text))
                    .help("write candidates.min, max, mean, sum or count"),
            );
        };
        let [argument] = args else { return self.wrong_count(name, args, "one argument", tree) };
        if let (Aggregate::Count, TreeKind::Name(component)) = (aggregate, &argument.kind) {
            let component = self.component(component)?.1.id;
            self.has_nodes(component, tree)?;
            let body = Expr { kind: ExprKind::Number(1.0), ty: Type::Number(None), span: self.place_of(tree) };
            let kind = ExprKind::Candidates { aggregate, component, body: Box::new(body) };
            return self.expr(kind, Type::Number(None), tree);
        }
        if aggregate == Aggregate::Count {
            return self.fail(
                Diagnostic::error(self.place_of(tree), "candidates.count takes the name of a component")
                    .help("count those that satisfy a condition with candidates.sum(condition)"),
            );
        }
        let component = self.only_component(name, argument, tree)?;
        self.has_nodes(component, tree)?;
        // A candidate is the same whatever surrounds it, so it may stand inside an aggregate over nodes.
        let outer = std::mem::replace(&mut self.over, Over::Candidates(component));
        let body = self.number(argument);
        self.over = outer;
        let body = body?;
        let ty = Type::Number(unit_of(&body));
        self.expr(ExprKind::Candidates { aggregate, component, body: Box::new(body) }, ty, tree)
    }

    fn aggregate_or_function(&mut self, name: &Name, args: &[Tree], tree: &Tree) -> Option<Expr> {
        if let Some(aggregate) = aggregate_named(&name.text) {
            match args {
                [body] if !mentioned(body, self.scope).is_empty() => {
                    let component = self.only_component(name, body, tree)?;
                    let body = self.inside(Over::Fleet(component), tree, |checker| checker.number(body))?;
                    return self.fleet(aggregate, component, body, None, tree);
                }
                [body, filter] if is_condition(filter) && mentioned(body, self.scope).len() == 1 => {
                    let component = self.only_component(name, body, tree)?;
                    let (body, filter) = self.inside(Over::Fleet(component), tree, |checker| {
                        let (body, filter) = (checker.number(body), checker.truth(filter));
                        Some((body?, filter?))
                    })?;
                    return self.fleet(aggregate, component, body, Some(filter), tree);
                }
                // Of one number every one of these is the number itself.
                [x] => return self.number(x),
                _ => {}
            }
        }
        let Some(function) = Function::named(&name.text) else { return self.unknown_function(name) };
        let (low, high) = function.arity();
        if args.len() < low || args.len() > high {
            let wanted = match (low, high) {
                (1, 1) => "one argument".to_owned(),
                (2, 2) if function == Function::Log => "a base and a number (or use ln, log2, log10)".to_owned(),
                (low, usize::MAX) => format!("at least {low} argument"),
                (low, _) => format!("{low} arguments"),
            };
            return self.wrong_count(name, args, &wanted, tree);
        }
        let args = self.numbers(args)?;
        self.function(function, args, tree)
    }

    fn unknown_function<T>(&mut self, name: &Name) -> Option<T> {
        let span = self.place.within(self.text, name.span);
        let text = name.text.as_str();
        if self.scope.has_name(text) {
            return self.fail(
                Diagnostic::error(span, format!("`{text}` is no function"))
                    .help("an operator is missing before the bracket, such as `*`"),
            );
        }
        let finding = Diagnostic::error(span, format!("unknown function `{text}`"));
        self.fail(match did_you_mean(text, Function::names().chain(FORMS)) {
            Some(known) => finding.help(format!("did you mean `{known}`?")),
            None => finding,
        })
    }

    /// A function of typed numbers: which units it takes and which it gives.
    fn function(&mut self, function: Function, args: Vec<Expr>, tree: &Tree) -> Option<Expr> {
        let (args, unit) = match function {
            Function::Abs | Function::Floor | Function::Ceil | Function::Round => {
                let unit = args.first().and_then(unit_of);
                (args, unit)
            }
            Function::Min | Function::Max | Function::Sum | Function::Mean | Function::Clamp => {
                self.unify(args, "arguments of one function")?
            }
            Function::ErlangB | Function::ErlangC => {
                let what = format!("an argument of {}", function.name());
                let plain: Option<Vec<Expr>> = args.into_iter().map(|arg| self.plain(arg, &what)).collect();
                (plain?, None)
            }
            Function::MmcResponseTime | Function::MmcWaitingTime => {
                let mut args = args;
                let servers = args.split_off(2).pop()?;
                let servers = self.plain(servers, "a number of servers")?;
                let (mut args, rate) = self.unify(args, "two rates of one queue")?;
                args.push(servers);
                let time = match rate {
                    None => None,
                    Some(rate) => Some(self.inverse(rate, tree)?),
                };
                (args, time)
            }
            _ => (args, None),
        };
        self.expr(ExprKind::Call(function, args), Type::Number(unit), tree)
    }

    fn inverse(&mut self, unit: Unit, tree: &Tree) -> Option<Unit> {
        let inverse = unit.inverse();
        if inverse.is_none() {
            self.findings.push(Diagnostic::error(self.place_of(tree), "the unit of the result is out of range"));
        }
        inverse
    }
}

fn aggregate_named(name: &str) -> Option<Aggregate> {
    Some(match name {
        "sum" | "add" => Aggregate::Sum,
        "min" => Aggregate::Min,
        "max" => Aggregate::Max,
        "mean" | "avg" | "average" => Aggregate::Mean,
        "count" => Aggregate::Count,
        _ => return None,
    })
}

/// True for what is a condition by its form.
fn is_condition(tree: &Tree) -> bool {
    match &tree.kind {
        TreeKind::Bool(_) | TreeKind::Not(_) | TreeKind::Chain(..) => true,
        TreeKind::Binary(op, ..) => !op.is_arithmetic(),
        TreeKind::Call(name, args) => match (name.text.as_str(), args.as_slice()) {
            ("and" | "or" | "xor" | "not" | "implies", _) => true,
            ("if" | "ite" | "iff", [_, then, otherwise]) => is_condition(then) && is_condition(otherwise),
            _ => false,
        },
        _ => false,
    }
}

/// The components of whose nodes a tree speaks: attributes other than the cardinality, outside of aggregates,
/// candidates and what runs now.
fn mentioned(tree: &Tree, scope: &Scope) -> BTreeSet<(ComponentId, Arc<str>)> {
    let mut found = BTreeSet::new();
    collect(tree, scope, &mut found);
    found
}

fn collect(tree: &Tree, scope: &Scope, found: &mut BTreeSet<(ComponentId, Arc<str>)>) {
    let component = match &tree.kind {
        TreeKind::Member(component, attribute) if Attribute::named(&attribute.text) != Some(Attribute::Cardinality) => {
            component
        }
        TreeKind::Label(component, _) => component,
        TreeKind::Candidates(..) => return,
        TreeKind::Call(name, args) => {
            let aggregate =
                aggregate_named(&name.text).is_some() && (args.len() == 1 || args.get(1).is_some_and(is_condition));
            if name.text == "current" || (aggregate && name.text == "count") {
                return;
            }
            if aggregate {
                // An aggregate over one component speaks for itself; a function of numbers does not. The body is
                // walked once only: twice at each level would be exponential in the nesting.
                let inner = args.first().map(|body| mentioned(body, scope)).unwrap_or_default();
                if inner.len() != 1 {
                    found.extend(inner);
                    args.iter().skip(1).for_each(|arg| collect(arg, scope, found));
                }
                return;
            }
            return args.iter().for_each(|arg| collect(arg, scope, found));
        }
        _ => return tree.children().into_iter().for_each(|child| collect(child, scope, found)),
    };
    if let Some((name, component)) = scope.components.get_key_value(component.text.as_str()) {
        found.insert((component.id, name.clone()));
    }
}
