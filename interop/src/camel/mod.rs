//! CAMEL 2.x models (XMI) to application models.
//!
//! What bears on the choice of a placement is converted: components with their requirements and links, metrics with
//! their formulas, constraints, service level objectives and the optimisation goal. Everything else is listed in the
//! report. The meaning follows Melodic, the platform that CAMEL was made for: each component runs on one offer, all
//! instances alike, each instance on a node of its own.

mod annotation;
mod components;
mod constraints;
mod formula;
mod left_out;
mod limits;
mod locations;
mod metrics;
mod requirements;
pub(crate) mod tree;

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::document::{ModelDocument, Scalar, UtilityDocument};
use cardinal_models::span::Spanned;

use crate::report::ConversionReport;
use metrics::Metrics;
use tree::{Node, Tree};

/// How many findings are reported.
const FINDINGS_MAX: usize = 1000;

/// Melodic's goal for a model that names none.
const DEFAULT_UTILITY: &str = "1 / (1 + number(total_cost))";

/// Converts a CAMEL model.
///
/// Errs when the XML cannot be read, when a reference leads nowhere, and when what bears on the choice of a placement
/// contradicts itself or cannot be expressed; each finding has its place in the text.
pub fn import(source: &Source) -> Result<(ModelDocument, ConversionReport), Diagnostics> {
    let document = tree::parse(&source.text).map_err(|d| Diagnostics(vec![d]))?;
    let outer = document.root_element();
    let is_model = |node: &Node| node.is_element() && node.tag_name().name() == "CamelModel";
    // Several models may stand in one `xmi:XMI` element; the first is the application's.
    let Some(root) = Some(outer).into_iter().chain(outer.children()).find(is_model) else {
        let error = Diagnostic::error(tree::tag_span(outer), "this XML is not a CAMEL model")
            .help("the root element of a CAMEL 2.x model is core:CamelModel");
        return Err(Diagnostics(vec![error]));
    };
    let tree = Tree::new(root);
    let mut conversion = Conversion {
        tree: &tree,
        findings: Diagnostics::default(),
        report: ConversionReport::default(),
        document: ModelDocument::default(),
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
    findings: Diagnostics,
    report: ConversionReport,
    document: ModelDocument,
}

impl<'a> Conversion<'a, '_> {
    fn run(&mut self) {
        let root = self.tree.root();
        self.tree.mark(root);
        self.document.application = tree::spanned_name(root);
        if let Some(application) = self.tree.child(root, "application") {
            self.tree.mark(application);
            if !tree::name(application).is_empty() {
                self.document.application = tree::spanned_name(application);
            }
            self.document.description = application.attribute("description").map(str::to_owned);
        }
        if self.document.application.value.is_empty() {
            self.document.application.value = "camel".to_owned();
            self.report.decide("application", "the model has no name; it is called 'camel'");
        }
        // Models are looked into element by element, so that the report names what in them has no bearing.
        for model in tree::MODELS_WITH_PARTS {
            for node in self.tree.children(root, model) {
                self.tree.mark(*node);
            }
        }
        let components = components::convert(self);
        let mut metrics = Metrics::collect(self, &components);
        constraints::convert(self, &mut metrics);
        self.utility(&mut metrics);
        left_out::list(self);
    }

    /// The optimisation requirement, or Melodic's default.
    fn utility(&mut self, metrics: &mut Metrics<'a>) {
        let mut goals: Vec<Node> = self
            .tree
            .all("requirementModels", "requirements")
            .into_iter()
            .filter(|r| tree::type_of(*r) == "OptimisationRequirement")
            .collect();
        let priority =
            |goal: &Node| goal.attribute("priority").and_then(|p| p.trim().parse::<f64>().ok()).unwrap_or(0.0);
        goals.sort_by(|a, b| priority(b).total_cmp(&priority(a)));
        for goal in &goals {
            self.tree.mark(*goal);
        }
        let Some((goal, others)) = goals.split_first() else {
            self.report.decide(
                "utility",
                format!("the model has no optimisation requirement; Melodic's default is maximised: {DEFAULT_UTILITY}"),
            );
            self.document.utility = Some(UtilityDocument::Maximize { maximize: made(DEFAULT_UTILITY) });
            return;
        };
        for other in others {
            self.report.decide(
                tree::label(*other),
                format!("only one goal can be pursued, that is '{}'; this one is not used", tree::label(*goal)),
            );
        }
        let Some(formula) = metrics.of_requirement(self, *goal) else { return };
        let formula = Spanned::new(Scalar::Text(formula), tree::tag_span(*goal));
        self.document.utility = Some(if tree::flag(*goal, "minimise") {
            UtilityDocument::Minimize { minimize: formula }
        } else {
            UtilityDocument::Maximize { maximize: formula }
        });
    }

    /// Keeps the finding of a failed step.
    fn check<T>(&mut self, step: Result<T, Diagnostic>) -> Option<T> {
        step.map_err(|finding| self.findings.push(finding)).ok()
    }
}

/// A text that stands in no source.
fn made(text: impl Into<String>) -> Spanned<Scalar> {
    Spanned::made(Scalar::Text(text.into()))
}
