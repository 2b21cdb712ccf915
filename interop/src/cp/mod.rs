//! Melodic's constraint problems (`cp.ecore` as XMI) to application models.
//!
//! A problem is variables with domains, metrics with values, and comparisons between expressions. On its own it becomes
//! a model of components with free attributes: the variables of a component are its cardinality and its attributes, and
//! the id of each variable is a metric, so that formulas may use it. Over a catalog the variables are tied to offers
//! instead. What Melodic maximises is not in the file: the caller gives it.

mod domains;
mod expressions;
mod variables;

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::document::{
    ConstraintDocument, MetricDocument, MetricProperties, ModelDocument, Scalar, UtilityDocument,
};
use cardinal_models::span::Spanned;

use crate::camel::tree::{self, Node, Tree};
use crate::names::{Taken, allowed};
use crate::report::{ConversionReport, Tally};
use expressions::Expressions;
use variables::Variables;

/// How many findings are reported.
const FINDINGS_MAX: usize = 1000;

/// Melodic's goal over offers.
const DEFAULT_UTILITY: &str = "1 / (1 + number(total_cost))";

/// The name of the attribute by which every element is called.
const ID: &str = "id";

/// What the variables stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Their domains alone.
    Domains,
    /// Properties of offers: cores, memory in MiB, disk in GB, latitude and longitude in hundredths of a degree.
    Offers,
}

/// Converts a constraint problem.
///
/// Errs when the XML cannot be read, when a reference leads nowhere or in a circle, and when a domain or an expression
/// has no meaning; each finding has its place in the text.
pub fn import(source: &Source, over: Over) -> Result<(ModelDocument, ConversionReport), Diagnostics> {
    let document = tree::parse(&source.text).map_err(|d| Diagnostics(vec![d]))?;
    let outer = document.root_element();
    let is_problem = |node: &Node| node.is_element() && node.tag_name().name() == "ConstraintProblem";
    let Some(root) = Some(outer).into_iter().chain(outer.children()).find(is_problem) else {
        let error = Diagnostic::error(tree::tag_span(outer), "this XML is not a constraint problem")
            .help("the root element of a constraint problem is cp:ConstraintProblem");
        return Err(Diagnostics(vec![error]));
    };
    let tree = Tree::new(root);
    let mut conversion = Conversion {
        tree: &tree,
        over,
        findings: Diagnostics::default(),
        report: ConversionReport::default(),
        document: ModelDocument::default(),
        taken: Taken::default(),
    };
    conversion.run();
    let Conversion { mut findings, report, document, .. } = conversion;
    if findings.has_errors() {
        findings.sort();
        findings.0.truncate(FINDINGS_MAX);
        return Err(findings);
    }
    Ok((document, report))
}

/// A conversion under way.
struct Conversion<'a, 't> {
    tree: &'t Tree<'a>,
    over: Over,
    findings: Diagnostics,
    report: ConversionReport,
    document: ModelDocument,
    /// The names of metrics, components and constants.
    taken: Taken,
}

impl<'a> Conversion<'a, '_> {
    fn run(&mut self) {
        let root = self.tree.root();
        let id = root.attribute(ID).unwrap_or("").trim();
        self.document.application = match root.attribute_node(ID) {
            Some(node) if !id.is_empty() => Spanned::new(id.to_owned(), tree::span_of(node)),
            _ => {
                self.report.decide("application", "the problem has no id; it is called 'problem'");
                Spanned::made("problem".to_owned())
            }
        };
        let variables = Variables::read(self);
        let mut expressions = Expressions::new(self, &variables);
        self.metrics(&mut expressions);
        self.constraints(&mut expressions);
        self.goal(&mut expressions);
        expressions.finish(self);
        self.left_out();
    }

    /// The metrics with the values that the file gives them.
    fn metrics(&mut self, expressions: &mut Expressions<'a>) {
        for metric in self.tree.children(self.tree.root(), "cpMetrics") {
            self.tree.mark(*metric);
            let wanted = allowed(metric.attribute(ID).unwrap_or("metric"), "metric");
            let name = self.taken.give(&wanted);
            let value = self.value(*metric, "value");
            let Some(value) = self.check(value) else { continue };
            let default = value.map(|x| Spanned::new(Scalar::Number(x), tree::tag_span(*metric)));
            let properties = MetricProperties { default, ..MetricProperties::default() };
            let place = Spanned::new(name.clone(), tree::tag_span(*metric));
            self.document.metrics.0.push((place, MetricDocument::Full(properties)));
            expressions.name(*metric, name);
        }
    }

    fn constraints(&mut self, expressions: &mut Expressions<'a>) {
        let mut names = Taken::default();
        for (index, constraint) in self.tree.children(self.tree.root(), "constraints").iter().enumerate() {
            self.tree.mark(*constraint);
            let text = expressions.comparison(self, *constraint);
            let Some(text) = self.check(text) else { continue };
            let id = constraint.attribute(ID).map(str::trim).filter(|id| !id.is_empty());
            let wanted = id.map_or_else(|| format!("c{index}"), crate::names::without_backticks);
            let span = tree::tag_span(*constraint);
            let formula = ConstraintDocument::Formula(Spanned::new(Scalar::Text(text), span));
            self.document.constraints.0.push((Spanned::new(names.give(&wanted), span), formula));
        }
    }

    /// The goal of the file, or Melodic's over offers. There is none over domains.
    fn goal(&mut self, expressions: &mut Expressions<'a>) {
        let mut goals: Vec<Node> = self.tree.children(self.tree.root(), "goals").to_vec();
        goals.iter().for_each(|goal| self.tree.mark(*goal));
        let priority = |g: &Node| g.attribute("priority").and_then(|p| p.trim().parse::<f64>().ok()).unwrap_or(0.0);
        goals.sort_by(|a, b| priority(b).total_cmp(&priority(a)));
        let Some((goal, others)) = goals.split_first() else {
            self.document.utility = match self.over {
                Over::Offers => {
                    let message =
                        format!("the problem names no goal; Melodic's default is maximised: {DEFAULT_UTILITY}");
                    self.report.decide("utility", message);
                    Some(UtilityDocument::Maximize { maximize: made(DEFAULT_UTILITY) })
                }
                Over::Domains => {
                    let message = "the problem names no goal: any assignment that satisfies the constraints is as good \
                                   as any other; `--maximize FORMULA` or `--minimize FORMULA` gives it one";
                    self.report.decide("utility", message);
                    None
                }
            };
            return;
        };
        for other in others {
            let message = format!("only one goal can be pursued, that is '{}'", tree::label(*goal));
            self.report.decide(tree::label(*other), message);
        }
        let step = expressions.reference(self, *goal, "expression");
        let Some(text) = self.check(step) else { return };
        let formula = Spanned::new(Scalar::Text(text), tree::tag_span(*goal));
        self.document.utility = Some(match goal.attribute("goalType").map(str::to_ascii_lowercase).as_deref() {
            Some("max") => UtilityDocument::Maximize { maximize: formula },
            Some("min") => UtilityDocument::Minimize { minimize: formula },
            _ => {
                let finding = self.tree.error_at(*goal, "goalType", "the goal does not say which way it goes");
                return self.findings.push(finding.help("write goalType=\"max\" or goalType=\"min\""));
            }
        });
    }

    /// The number of a child element with a `value`; nothing when there is no such child.
    fn value(&self, node: Node<'a>, tag: &'a str) -> Result<Option<f64>, Diagnostic> {
        self.tree.child(node, tag).map(|child| self.tree.number(child, "value")).transpose()
    }

    /// Keeps the finding of a failed step.
    fn check<T>(&mut self, step: Result<T, Diagnostic>) -> Option<T> {
        step.map_err(|finding| self.findings.push(finding)).ok()
    }

    /// Lists what was not looked at.
    fn left_out(&mut self) {
        let (mut known, mut unknown) = (Tally::default(), Tally::default());
        for node in self.tree.root().children().filter(|n| n.is_element() && !self.tree.is_used(*n)) {
            let (tag, label) = (node.tag_name().name(), tree::label(node));
            match tag {
                "constants" | "auxExpressions" => known.add(tag, "no constraint or goal uses it", label),
                "solution" => known.add(tag, "an earlier answer; give what runs with `--current`", label),
                "metricVariables" | "metricVariableValues" => known.add(tag, "of an older form of the file", label),
                _ => unknown.add(tag, "the importer does not know it", label),
            }
        }
        self.report.left_out = known.groups();
        self.report.unknown = unknown.groups();
    }
}

/// A text that stands in no source.
fn made(text: impl Into<String>) -> Spanned<Scalar> {
    Spanned::made(Scalar::Text(text.into()))
}
