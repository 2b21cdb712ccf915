//! The variables of a problem as cardinalities and attributes of components.

use cardinal_models::application::Cardinality;
use cardinal_models::document::{
    ComponentDocument, ConstraintDocument, MetricDocument, OneOrMany, RequiresDocument, Scalar,
};
use cardinal_models::span::{Span, Spanned};
use indexmap::IndexMap;

use super::domains::pieces;
use super::{Conversion, ID, Over};
use crate::camel::tree::{self, Node};
use crate::names::{Taken, allowed, in_formula, is_identifier};

/// Inclusive ranges and single numbers, ascending.
type Pieces = Vec<(f64, f64)>;

/// The variables with what stands for each inside a formula.
pub(super) struct Variables<'a> {
    /// The variables and the metrics that stand for them.
    pub texts: Vec<(Node<'a>, String)>,
}

/// A variable of a component.
struct Variable<'a> {
    node: Node<'a>,
    /// The metric that stands for it.
    alias: String,
    kind: &'a str,
    pieces: Pieces,
}

impl Variable<'_> {
    fn span(&self) -> Span {
        tree::tag_span(self.node)
    }

    /// The domain as the values of an attribute or a requirement, each number with a unit behind it.
    fn values(&self, unit: &str) -> OneOrMany {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let value = |(low, high): &(f64, f64)| match (low == high, unit.is_empty()) {
            (true, true) => Scalar::Number(*low),
            (true, false) => Scalar::Text(format!("{low}{unit}")),
            (false, _) => Scalar::Text(format!("{low}{unit}..{high}{unit}")),
        };
        let values = self.pieces.iter().map(|piece| Spanned::new(value(piece), self.span())).collect();
        OneOrMany::Many(values)
    }

    /// True when the domain holds numbers of instances only.
    fn counts(&self) -> bool {
        let limit = f64::from(Cardinality::LIMIT);
        self.pieces.iter().all(|(low, high)| low.fract() == 0.0 && *low >= 0.0 && *high <= limit)
    }
}

impl<'a> Variables<'a> {
    /// Reads the variables and gives their components to the document.
    pub(super) fn read(conversion: &mut Conversion<'a, '_>) -> Self {
        let nodes = conversion.tree.children(conversion.tree.root(), "cpVariables").to_vec();
        let mut components: IndexMap<&'a str, Vec<Variable<'a>>> = IndexMap::new();
        if nodes.is_empty() {
            let finding = conversion.tree.error(conversion.tree.root(), "the problem has no variables");
            conversion.findings.push(finding.help("it needs at least one cpVariables element"));
        }
        for node in nodes {
            conversion.tree.mark(node);
            let found = pieces(conversion, node);
            let Some(pieces) = conversion.check(found) else { continue };
            let id = node.attribute(ID).unwrap_or("variable");
            // The ids come first: formulas are written with them.
            let alias = conversion.taken.give(&allowed(id.trim(), "variable"));
            if alias != id {
                conversion.report.decide(id, format!("the variable is called '{alias}' in formulas"));
            }
            let kind = node.attribute("variableType").unwrap_or("");
            let component = node.attribute("componentId").unwrap_or("").trim();
            components.entry(component).or_default().push(Variable { node, alias, kind, pieces });
        }
        let mut variables = Variables { texts: Vec::new() };
        for (id, own) in components {
            let wanted = if id.is_empty() { "problem" } else { id };
            let name = conversion.taken.give(&allowed(wanted, "component"));
            if !id.is_empty() && name != id {
                conversion.report.decide(id, format!("the component is called '{name}'"));
            }
            match conversion.over {
                Over::Domains => variables.free(conversion, &name, own),
                Over::Offers => variables.tied(conversion, &name, own),
            }
        }
        variables
    }

    /// Lets the id of a variable stand for what it is of its component.
    fn alias(&mut self, conversion: &mut Conversion<'a, '_>, variable: &Variable<'a>, formula: String) {
        let name = Spanned::new(variable.alias.clone(), variable.span());
        let formula = MetricDocument::Formula(Spanned::new(Scalar::Text(formula), variable.span()));
        conversion.document.metrics.0.push((name, formula));
        self.texts.push((variable.node, in_formula(&variable.alias)));
    }

    /// A component whose attributes are chosen freely.
    fn free(&mut self, conversion: &mut Conversion<'a, '_>, name: &str, own: Vec<Variable<'a>>) {
        let mut component = ComponentDocument::default();
        let mut taken = Taken::with(["cardinality", "price"].into_iter());
        // A component has free attributes because it has one beside its cardinality.
        let may_count = own.len() > 1;
        for variable in own {
            let is_cardinality = variable.kind == "cardinality" && variable.counts();
            if is_cardinality && may_count && component.cardinality.is_none() {
                component.cardinality = Some(variable.values(""));
                self.alias(conversion, &variable, format!("{}.cardinality", in_formula(name)));
                continue;
            }
            let wanted = if variable.kind.is_empty() || variable.kind == "cardinality" {
                attribute_name(&variable.alias)
            } else {
                attribute_name(variable.kind)
            };
            // The second of a kind goes by its id.
            let wanted =
                if component.attributes.get(&wanted).is_some() { attribute_name(&variable.alias) } else { wanted };
            let attribute = taken.give(&wanted);
            component.attributes.0.push((Spanned::new(attribute.clone(), variable.span()), variable.values("")));
            let formula = format!("{}.{attribute}", in_formula(name));
            // Memory and disk have units; the file's numbers have none.
            let formula = match attribute.as_str() {
                "memory" | "disk" => format!("number({formula})"),
                _ => formula,
            };
            self.alias(conversion, &variable, formula);
        }
        conversion.document.components.push(name, component);
    }

    /// A component that runs on offers, whose properties are in the domains of its variables.
    fn tied(&mut self, conversion: &mut Conversion<'a, '_>, name: &str, own: Vec<Variable<'a>>) {
        let mut component = ComponentDocument::default();
        let mut requires = RequiresDocument::default();
        let written = in_formula(name);
        let mut loose = Vec::new();
        for variable in own {
            match variable.kind {
                "cardinality" if variable.counts() && component.cardinality.is_none() => {
                    component.cardinality = Some(variable.values(""));
                    self.alias(conversion, &variable, format!("{written}.cardinality"));
                }
                "cores" if requires.cores.is_none() => {
                    requires.cores = Some(variable.values(""));
                    self.alias(conversion, &variable, format!("{written}.cores"));
                }
                "ram" | "memory" if requires.memory.is_none() => {
                    requires.memory = Some(variable.values("MiB"));
                    self.alias(conversion, &variable, format!("number({written}.memory)"));
                }
                "storage" | "disk" if requires.disk.is_none() => {
                    requires.disk = Some(variable.values("GB"));
                    self.alias(conversion, &variable, format!("number({written}.disk) * 1.048576 / 1000"));
                }
                "latitude" | "longitude" => {
                    self.alias(conversion, &variable, format!("round(100 * {written}.{})", variable.kind));
                    self.limit(conversion, &variable);
                }
                _ => loose.push(variable),
            }
        }
        if requires != RequiresDocument::default() {
            component.requires = Some(requires);
        }
        conversion.document.components.push(name, component);
        if loose.is_empty() {
            return;
        }
        for variable in &loose {
            let message = "it has no meaning on an offer, and is chosen from its domain alone";
            conversion.report.decide(variable.alias.clone(), message);
        }
        let beside = conversion.taken.give(&format!("{name}_variables"));
        let over = std::mem::replace(&mut conversion.over, Over::Domains);
        // A cardinality that is none is an attribute like any other.
        for variable in &mut loose {
            variable.kind = "";
        }
        self.free(conversion, &beside, loose);
        conversion.over = over;
    }

    /// Holds a variable inside its domain.
    fn limit(&mut self, conversion: &mut Conversion<'a, '_>, variable: &Variable<'a>) {
        let name = in_formula(&variable.alias);
        let parts: Vec<String> =
            variable
                .pieces
                .iter()
                .map(|(low, high)| {
                    if low == high {
                        format!("{name} == {low}")
                    } else {
                        format!("{name} >= {low} and {name} <= {high}")
                    }
                })
                .collect();
        let formula = Spanned::new(Scalar::Text(format!("or({})", parts.join(", "))), variable.span());
        let title = Spanned::new(format!("domain of {}", variable.alias), variable.span());
        conversion.document.constraints.0.push((title, ConstraintDocument::Formula(formula)));
    }
}

/// A name that formulas may write behind the dot.
fn attribute_name(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if is_identifier(&plain) { plain } else { format!("_{plain}") }
}
