//! Expressions and comparisons of a problem as formulas.
//!
//! Expressions refer to each other freely. They are written out where they are used, unless they are long or used more
//! than once; those become computed metrics of their own, so that the text grows with the file and not exponentially.

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::document::{MetricDocument, Scalar};
use cardinal_models::span::Spanned;
use rustc_hash::FxHashMap;

use super::variables::Variables;
use super::{Conversion, ID};
use crate::camel::tree::{self, Node};
use crate::names::{allowed, in_formula, is_identifier};

/// A longer text becomes a metric of its own.
const INLINE_MAX: usize = 400;

/// An element that an expression may name. Its position in the document is its identity.
type Key = u32;

/// The formulas of a problem's expressions.
pub(super) struct Expressions<'a> {
    /// What is known of an element: the text that stands for it inside a formula.
    texts: FxHashMap<Key, String>,
    /// How often an auxiliary expression is used.
    uses: FxHashMap<Key, u32>,
    /// Metrics that auxiliary expressions became, in the order of their dependencies.
    metrics: Vec<(Spanned<String>, String)>,
    /// Constants that are used under their name.
    constants: Vec<(Node<'a>, String, f64)>,
}

fn key(node: Node<'_>) -> Key {
    node.id().get()
}

impl<'a> Expressions<'a> {
    pub(super) fn new(conversion: &Conversion<'a, '_>, variables: &Variables<'a>) -> Self {
        let mut expressions = Expressions {
            texts: FxHashMap::default(),
            uses: FxHashMap::default(),
            metrics: Vec::new(),
            constants: Vec::new(),
        };
        for (node, text) in &variables.texts {
            expressions.texts.insert(key(*node), text.clone());
        }
        let tree = conversion.tree;
        for tag in ["auxExpressions", "constraints", "goals"] {
            for node in tree.children(tree.root(), tag) {
                for attribute in ["expressions", "expression", "exp1", "exp2"] {
                    // What leads nowhere is reported where it is used.
                    for used in tree.references(*node, attribute).unwrap_or_default() {
                        *expressions.uses.entry(key(used)).or_default() += 1;
                    }
                }
            }
        }
        expressions
    }

    /// Lets a metric be used under its name.
    pub(super) fn name(&mut self, metric: Node<'a>, name: String) {
        self.texts.insert(key(metric), in_formula(&name));
    }

    /// The formula of a comparison.
    pub(super) fn comparison(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        node: Node<'a>,
    ) -> Result<String, Diagnostic> {
        let operator = match node.attribute("comparator").unwrap_or("greaterThan") {
            "greaterThan" => ">",
            "lessThan" => "<",
            "greaterOrEqualTo" => ">=",
            "lessOrEqualTo" => "<=",
            "equalTo" => "==",
            "different" => "!=",
            other => {
                let message = format!("'{}' is no comparator", tree::short(other));
                let help = "known are greaterThan, greaterOrEqualTo, lessThan, lessOrEqualTo, equalTo and different";
                return Err(conversion.tree.error_at(node, "comparator", message).help(help));
            }
        };
        let (left, right) = (self.reference(conversion, node, "exp1")?, self.reference(conversion, node, "exp2")?);
        Ok(format!("{left} {operator} {right}"))
    }

    /// The text of the one expression that an attribute names.
    pub(super) fn reference(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        node: Node<'a>,
        attribute: &'static str,
    ) -> Result<String, Diagnostic> {
        let Some(target) = conversion.tree.reference(node, attribute)? else {
            let finding = conversion.tree.error(node, format!("'{attribute}' is missing"));
            return Err(finding.help("it names an expression, such as //@auxExpressions.0"));
        };
        self.text(conversion, target, node)
    }

    /// The text that stands for an element. What it rests on is written first, without recursion: a chain of
    /// expressions may be as long as the file.
    fn text(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        target: Node<'a>,
        from: Node<'a>,
    ) -> Result<String, Diagnostic> {
        let mut open: Vec<Node<'a>> = vec![target];
        let mut waiting: rustc_hash::FxHashSet<Key> = rustc_hash::FxHashSet::default();
        while let Some(node) = open.last().copied() {
            if self.texts.contains_key(&key(node)) {
                open.pop();
                continue;
            }
            let operands = operands(conversion, node, from)?;
            let missing: Vec<Node<'a>> =
                operands.iter().copied().filter(|o| !self.texts.contains_key(&key(*o))).collect();
            if missing.is_empty() {
                let text = self.written(conversion, node, &operands)?;
                self.texts.insert(key(node), text);
                open.pop();
                continue;
            }
            if !waiting.insert(key(node)) {
                let finding = conversion.tree.error(node, format!("'{}' refers to itself", tree::label(node)));
                return Err(finding.help("an expression rests on variables, constants and metrics in the end"));
            }
            open.extend(missing);
        }
        Ok(self.texts.get(&key(target)).cloned().unwrap_or_default())
    }

    /// The text of an element whose operands have theirs.
    fn written(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        node: Node<'a>,
        operands: &[Node<'a>],
    ) -> Result<String, Diagnostic> {
        conversion.tree.mark(node);
        if node.tag_name().name() == "constants" {
            return self.constant(conversion, node);
        }
        let texts: Vec<&str> = operands.iter().filter_map(|o| self.texts.get(&key(*o))).map(String::as_str).collect();
        let text = formula(conversion, node, &texts)?;
        let is_shared = self.uses.get(&key(node)).is_some_and(|n| *n > 1);
        if text.len() <= INLINE_MAX && !is_shared {
            return Ok(text);
        }
        let wanted = allowed(node.attribute(ID).unwrap_or("expression"), "metric");
        let name = conversion.taken.give(&wanted);
        self.metrics.push((Spanned::new(name.clone(), tree::tag_span(node)), text));
        Ok(in_formula(&name))
    }

    /// A constant under its name when that is a word, as its number otherwise.
    fn constant(&mut self, conversion: &mut Conversion<'a, '_>, node: Node<'a>) -> Result<String, Diagnostic> {
        let number = match conversion.tree.child(node, "value") {
            Some(value) => conversion.tree.number(value, "value")?,
            None => return Err(conversion.tree.error(node, "the constant has no value").help("add a 'value' element")),
        };
        let id = node.attribute(ID).unwrap_or("").trim();
        if !is_identifier(id) {
            return Ok(written_number(number));
        }
        let name = conversion.taken.give(&allowed(id, "constant"));
        let text = in_formula(&name);
        self.constants.push((node, name, number));
        Ok(text)
    }

    /// Puts the constants and metrics that formulas use into the document.
    pub(super) fn finish(self, conversion: &mut Conversion<'a, '_>) {
        for (node, name, number) in self.constants {
            let place = Spanned::new(name, tree::tag_span(node));
            let value = Spanned::new(Scalar::Number(number), tree::tag_span(node));
            conversion.document.constants.0.push((place, value));
        }
        for (name, text) in self.metrics {
            let span = name.span;
            let formula = MetricDocument::Formula(Spanned::new(Scalar::Text(text), span));
            conversion.document.metrics.0.push((name, formula));
        }
    }
}

/// A number inside a formula; a negative one in brackets.
fn written_number(number: f64) -> String {
    if number < 0.0 { format!("({number})") } else { format!("{number}") }
}

/// What an expression rests on.
fn operands<'a>(conversion: &Conversion<'a, '_>, node: Node<'a>, from: Node<'a>) -> Result<Vec<Node<'a>>, Diagnostic> {
    let tree = conversion.tree;
    match (node.tag_name().name(), tree::type_of(node)) {
        ("constants", _) => Ok(Vec::new()),
        ("auxExpressions", "ComposedExpression") => {
            let operands = tree.references(node, "expressions")?;
            if operands.is_empty() {
                let finding = tree.error(node, format!("'{}' names no expressions", tree::label(node)));
                return Err(finding.help("'expressions' lists them, such as //@cpVariables.0 //@constants.1"));
            }
            Ok(operands)
        }
        ("auxExpressions", "SimpleUnaryExpression" | "ComposedUnaryExpression") => {
            let Some(operand) = tree.reference(node, "expression")? else {
                return Err(tree.error(node, "'expression' is missing").help("it names one, such as //@cpVariables.0"));
            };
            Ok(vec![operand])
        }
        ("auxExpressions" | "constraints", "ComparisonExpression") | ("constraints", "") => {
            let mut operands = tree.references(node, "exp1")?;
            operands.extend(tree.references(node, "exp2")?);
            Ok(operands)
        }
        ("auxExpressions", other) => {
            let finding = tree.error(node, format!("'{}' is no kind of expression", tree::short(other)));
            let help = "known are ComposedExpression, SimpleUnaryExpression, ComposedUnaryExpression and \
                        ComparisonExpression";
            Err(finding.help(help))
        }
        (tag, _) => {
            let finding = tree.error(from, format!("it names an element '{}', which has no value", tree::short(tag)));
            Err(finding.help("name variables, constants, metrics or expressions"))
        }
    }
}

/// The formula of an expression over the texts of its operands.
fn formula<'a>(conversion: &mut Conversion<'a, '_>, node: Node<'a>, texts: &[&str]) -> Result<String, Diagnostic> {
    let joined = |operator: &str| {
        if let [one] = texts { (*one).to_owned() } else { format!("({})", texts.join(&format!(" {operator} "))) }
    };
    let called = |function: &str| format!("{function}({})", texts.join(", "));
    let operator = node.attribute("operator");
    let unknown = |conversion: &Conversion<'a, '_>, operator: &str, known: &str| {
        let message = format!("'{}' is no operator", tree::short(operator));
        Err(conversion.tree.error_at(node, "operator", message).help(format!("known are {known}")))
    };
    let one = texts.first().copied().unwrap_or("0");
    match tree::type_of(node) {
        "SimpleUnaryExpression" => match operator.unwrap_or("abstractValue") {
            "abstractValue" | "abs" => Ok(called("abs")),
            "lnValue" | "ln" => Ok(called("ln")),
            other => unknown(conversion, other, "abstractValue and lnValue"),
        },
        "ComposedUnaryExpression" => {
            let value = conversion.tree.number(node, "value")?;
            match operator.unwrap_or("exponentialValue") {
                "exponentialValue" => Ok(format!("({one} ^ {})", written_number(value))),
                "logValue" => Ok(format!("log({}, {one})", written_number(value))),
                other => unknown(conversion, other, "exponentialValue and logValue"),
            }
        }
        "ComposedExpression" => match operator.unwrap_or("plus") {
            "plus" => Ok(joined("+")),
            "minus" => Ok(joined("-")),
            "times" => Ok(joined("*")),
            "div" => {
                let message = "a quotient is exact here; Melodic's solver cuts that of whole numbers to a whole number";
                conversion.report.decide(tree::label(node), message);
                Ok(joined("/"))
            }
            "eq" if texts.len() == 2 => Ok(format!("if({} == {}, 1, 0)", texts[0], texts[1])),
            "min" => Ok(called("min")),
            "max" => Ok(called("max")),
            "mean" | "average" | "avg" => Ok(called("mean")),
            other => unknown(conversion, other, "plus, minus, times, div, eq (of two), min, max and mean"),
        },
        _ => {
            let (Some(left), Some(right)) = (texts.first(), texts.get(1)) else {
                return Err(conversion.tree.error(node, "a comparison has two sides").help("give it exp1 and exp2"));
            };
            let operator = match node.attribute("comparator").unwrap_or("greaterThan") {
                "greaterThan" => ">",
                "lessThan" => "<",
                "greaterOrEqualTo" => ">=",
                "lessOrEqualTo" => "<=",
                "different" => "!=",
                _ => "==",
            };
            Ok(format!("if({left} {operator} {right}, 1, 0)"))
        }
    }
}
