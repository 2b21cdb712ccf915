//! Constraints, and service level objectives, whose constraint states the condition that fires.

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::document::{ConstraintDocument, Scalar};
use cardinal_models::span::{Span, Spanned};
use roxmltree::NodeId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Conversion;
use super::formula::LENGTH_MAX;
use super::metrics::Metrics;
use super::tree::{self, Node};
use crate::names::{self, Taken};

/// Deepest nesting of constraints in constraints.
const NESTING_MAX: usize = 50;

/// Most constraints of a model.
const CONSTRAINTS_MAX: usize = 10_000;

/// Converts the constraints of all constraint models and the service level objectives.
///
/// A constraint on metric variables restricts the deployment, as in Melodic. One on measured metrics alone is the
/// condition of a service level objective, or of nothing.
pub(super) fn convert<'a>(conversion: &mut Conversion<'a, '_>, metrics: &mut Metrics<'a>) {
    let tree = conversion.tree;
    let mut builder = Builder { formulas: FxHashMap::default(), under_way: Vec::new(), taken: Taken::default() };
    let all = tree.all("constraintModels", "constraints");
    if all.len() > CONSTRAINTS_MAX {
        let error = tree.error(tree.root(), format!("the model has {} constraints", all.len()));
        conversion.findings.push(error.help(format!("the limit is {CONSTRAINTS_MAX}")));
        return;
    }
    let mut operands: FxHashSet<NodeId> = FxHashSet::default();
    for node in &all {
        for feature in OPERANDS {
            let references = tree.references(*node, feature);
            operands.extend(conversion.check(references).unwrap_or_default().iter().map(|n| n.id()));
        }
    }
    for node in &all {
        if operands.contains(&node.id()) || !builder.restricts(conversion, *node) {
            continue;
        }
        if let Some(formula) = builder.formula(conversion, metrics, *node) {
            let name = builder.name(tree::name(*node), "constraint");
            conversion.document.constraints.0.push((name_at(name, *node), formula.holds(*node)));
        }
    }
    for objective in tree.all("requirementModels", "requirements") {
        if tree::type_of(objective) == "ServiceLevelObjective" {
            tree.mark(objective);
            builder.objective(conversion, metrics, objective);
        }
    }
}

/// The references of a constraint to the constraints that it is made of.
const OPERANDS: [&str; 7] = ["constraints", "if", "then", "else", "ifConstraint", "thenConstraint", "elseConstraint"];

struct Builder<'a> {
    formulas: FxHashMap<NodeId, Option<Formula>>,
    under_way: Vec<Node<'a>>,
    taken: Taken,
}

/// A truth-valued formula and its opposite.
#[derive(Clone)]
struct Formula {
    holds: String,
    fails: String,
}

impl Formula {
    fn new(holds: String) -> Self {
        Formula { fails: format!("not ({holds})"), holds }
    }

    fn holds(self, node: Node<'_>) -> ConstraintDocument {
        ConstraintDocument::Formula(Spanned::new(Scalar::Text(self.holds), tree::tag_span(node)))
    }
}

impl<'a> Builder<'a> {
    /// True when a constraint is about metric variables, on its own or in a part.
    fn restricts(&self, conversion: &Conversion<'a, '_>, node: Node<'a>) -> bool {
        let mut open = vec![node];
        let mut seen: FxHashSet<NodeId> = FxHashSet::default();
        while let Some(node) = open.pop() {
            if tree::type_of(node) == "MetricVariableConstraint" {
                return true;
            }
            if seen.insert(node.id()) {
                open.extend(parts(conversion, node, &OPERANDS).unwrap_or_default());
            }
        }
        false
    }

    /// The formula of a constraint; the reason when there is none was told.
    fn formula(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metrics: &mut Metrics<'a>,
        node: Node<'a>,
    ) -> Option<Formula> {
        if let Some(known) = self.formulas.get(&node.id()) {
            return known.clone();
        }
        if self.under_way.contains(&node) || self.under_way.len() >= NESTING_MAX {
            let message = format!("the constraint '{}' contains itself, or others very deep", tree::label(node));
            conversion.findings.push(conversion.tree.error(node, message).help("break the circle of references"));
            return None;
        }
        conversion.tree.mark(node);
        self.under_way.push(node);
        let formula = match tree::type_of(node) {
            "MetricConstraint" | "MetricVariableConstraint" => comparison(conversion, metrics, node),
            "LogicalConstraint" => self.logical(conversion, metrics, node),
            "IfThenConstraint" | "IfThenElseConstraint" => self.conditional(conversion, metrics, node),
            other => {
                let message = format!("'{}' is a {other}, which has no meaning for a deployment", tree::label(node));
                let help = "use a metric constraint, a metric variable constraint, a logical or an if-then constraint";
                conversion.findings.push(conversion.tree.error(node, message).help(help));
                None
            }
        };
        self.under_way.pop();
        let formula = formula.filter(|f| {
            let fits = f.holds.len() <= LENGTH_MAX;
            if !fits {
                let message = format!("the constraint '{}' becomes too long", tree::label(node));
                conversion
                    .findings
                    .push(conversion.tree.error(node, message).help("split it into several constraints"));
            }
            fits
        });
        self.formulas.insert(node.id(), formula.clone());
        formula
    }

    fn logical(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metrics: &mut Metrics<'a>,
        node: Node<'a>,
    ) -> Option<Formula> {
        let found = parts(conversion, node, &["constraints"]);
        let found = conversion.check(found)?;
        let operator = node.attribute("logicalOperator").unwrap_or("AND").to_ascii_uppercase();
        let (word, most) = match operator.as_str() {
            "AND" => (" and ", usize::MAX),
            "OR" => (" or ", usize::MAX),
            "XOR" => (" xor ", usize::MAX),
            "NOT" => ("", 1),
            _ => {
                let message = format!("'{}' is not a logical operator", tree::short(&operator));
                let error = conversion.tree.error_at(node, "logicalOperator", message);
                conversion.findings.push(error.help("write AND, OR, XOR or NOT"));
                return None;
            }
        };
        if found.is_empty() || found.len() > most {
            let message = format!("{operator} of {} constraints in '{}'", found.len(), tree::label(node));
            let error = conversion.tree.error_at(node, "constraints", message);
            conversion.findings.push(error.help("list at least one constraint, for NOT exactly one"));
            return None;
        }
        let mut formulas = Vec::new();
        for part in found {
            formulas.push(self.formula(conversion, metrics, part)?);
        }
        if let (1, Some(only)) = (formulas.len(), formulas.first()) {
            let Formula { holds, fails } = only.clone();
            return Some(if operator == "NOT" {
                Formula { holds: fails, fails: holds }
            } else {
                Formula { holds, fails }
            });
        }
        let joined: Vec<String> = formulas.into_iter().map(|f| format!("({})", f.holds)).collect();
        Some(Formula::new(joined.join(word)))
    }

    fn conditional(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metrics: &mut Metrics<'a>,
        node: Node<'a>,
    ) -> Option<Formula> {
        let mut part = |features: &[&'static str]| {
            let found = parts(conversion, node, features);
            let found = conversion.check(found)?.first().copied();
            Some(match found {
                Some(found) => Some(self.formula(conversion, metrics, found)?),
                None => None,
            })
        };
        let condition = part(&["if", "ifConstraint"])?;
        let then = part(&["then", "thenConstraint"])?;
        let otherwise = part(&["else", "elseConstraint"])?;
        let (Some(condition), Some(then)) = (condition, then) else {
            let error = conversion.tree.error(node, format!("'{}' lacks its if or its then", tree::label(node)));
            conversion.findings.push(error.help("add if=\"...\" and then=\"...\""));
            return None;
        };
        Some(Formula::new(match otherwise {
            None => format!("({}) implies ({})", condition.holds, then.holds),
            Some(otherwise) => format!("if({}, {}, {})", condition.holds, then.holds, otherwise.holds),
        }))
    }

    /// A service level objective: what should hold is the opposite of the condition that fires.
    fn objective(&mut self, conversion: &mut Conversion<'a, '_>, metrics: &mut Metrics<'a>, objective: Node<'a>) {
        let tree = conversion.tree;
        let constraint = tree.reference(objective, "constraint");
        let Some(constraint) = conversion.check(constraint) else { return };
        let label = tree::label(objective);
        let Some(constraint) = constraint else {
            conversion.report.decide(label, "the service level objective has no constraint and asks for nothing");
            return;
        };
        if tree::type_of(constraint) == "MetricVariableConstraint" {
            let text = format!(
                "its constraint '{}' is one on the deployment and is among the constraints",
                tree::label(constraint)
            );
            conversion.report.decide(label, text);
            return;
        }
        let Some(formula) = self.formula(conversion, metrics, constraint) else { return };
        let text = format!("fires when {}; so what should hold is {}", formula.holds, formula.fails);
        conversion.report.decide(label, text);
        let name = self.name(tree::name(objective), "objective");
        let document =
            ConstraintDocument::Formula(Spanned::new(Scalar::Text(formula.fails), tree::tag_span(constraint)));
        conversion.document.slo.0.push((name_at(name, objective), document));
    }

    /// A name that no other constraint or objective has.
    fn name(&mut self, wanted: &str, default: &str) -> String {
        self.taken.give(&names::without_backticks(if wanted.is_empty() { default } else { wanted }))
    }
}

fn name_at(name: String, node: Node<'_>) -> Spanned<String> {
    Spanned::new(name, node.attribute_node("name").map_or(Span::NONE, tree::span_of))
}

/// The constraints that a constraint is made of, referred to or inside it.
fn parts<'a>(
    conversion: &Conversion<'a, '_>,
    node: Node<'a>,
    features: &[&'static str],
) -> Result<Vec<Node<'a>>, Diagnostic> {
    let mut found = Vec::new();
    for feature in features {
        found.extend(conversion.tree.references(node, feature)?);
        found.extend(conversion.tree.children(node, feature).iter().copied());
    }
    Ok(found)
}

/// A metric compared with a threshold.
fn comparison<'a>(conversion: &mut Conversion<'a, '_>, metrics: &mut Metrics<'a>, node: Node<'a>) -> Option<Formula> {
    let written = node.attribute("comparisonOperator").unwrap_or("GREATER_THAN");
    let (operator, opposite) = match written.trim().to_ascii_uppercase().as_str() {
        "GREATER_THAN" | ">" => (">", "<="),
        "GREATER_EQUAL_THAN" | "GREATER_OR_EQUAL_THAN" | ">=" => (">=", "<"),
        "LESS_THAN" | "<" => ("<", ">="),
        "LESS_EQUAL_THAN" | "LESS_OR_EQUAL_THAN" | "<=" => ("<=", ">"),
        "EQUAL" | "=" | "==" => ("==", "!="),
        "NOT_EQUAL" | "<>" | "!=" => ("!=", "=="),
        other => {
            let error = conversion.tree.error_at(
                node,
                "comparisonOperator",
                format!("'{}' is no comparison", tree::short(other)),
            );
            let help = "write GREATER_THAN, GREATER_EQUAL_THAN, LESS_THAN, LESS_EQUAL_THAN, EQUAL or NOT_EQUAL";
            conversion.findings.push(error.help(help));
            return None;
        }
    };
    let threshold = conversion.tree.number(node, "threshold");
    let threshold = conversion.check(threshold)?;
    let metric = metrics.of_requirement(conversion, node)?;
    Some(Formula {
        holds: format!("{metric} {operator} {threshold}"),
        fails: format!("{metric} {opposite} {threshold}"),
    })
}
