//! Metrics: raw and composite ones are measured, metric variables are computed or stand for a quantity of a component.
//!
//! Only metrics that the goal, a constraint or a service level objective uses are converted, with those that they use
//! in turn; they keep their names.

use cardinal_models::application::Window;
use cardinal_models::diagnostic::{Diagnostic, did_you_mean};
use cardinal_models::document::{Level, MetricDocument, MetricProperties, Scalar};
use cardinal_models::span::Spanned;
use roxmltree::NodeId;
use rustc_hash::FxHashMap;

use super::annotation::Quantity;
use super::components::Components;
use super::formula::{self, ForeignNames, Meaning};
use super::tree::{self, Node};
use super::{Conversion, annotation};
use crate::names::{self, Taken};

/// Longest chain of metrics that use each other.
const CHAIN_MAX: usize = 100;
/// Most bytes of formulas that are translated in all.
const FORMULAS_BYTES_MAX: usize = 1 << 20;

/// The metrics of a model, and which of them are in the document.
pub(super) struct Metrics<'a> {
    /// Every metric by its name, in the order of the file.
    by_name: FxHashMap<&'a str, Vec<Node<'a>>>,
    /// The contexts of each metric.
    contexts: FxHashMap<NodeId, Vec<Node<'a>>>,
    /// How a formula writes a metric that was converted, with the context of its measurements.
    done: FxHashMap<(NodeId, Option<NodeId>), Meaning>,
    /// Metrics whose formula is being translated.
    under_way: Vec<Node<'a>>,
    /// Names in the document.
    taken: Taken,
    components: FxHashMap<NodeId, String>,
    only_component: Option<String>,
    formula_bytes: usize,
}

impl<'a> Metrics<'a> {
    /// Collects the metrics of all metric models.
    pub(super) fn collect(conversion: &mut Conversion<'a, '_>, components: &Components<'a>) -> Self {
        let tree = conversion.tree;
        let mut by_name: FxHashMap<&str, Vec<Node>> = FxHashMap::default();
        for metric in tree.all("metricModels", "metrics") {
            by_name.entry(tree::name(metric)).or_default().push(metric);
        }
        let mut contexts: FxHashMap<NodeId, Vec<Node>> = FxHashMap::default();
        for context in tree.all("metricModels", "metricContexts") {
            // A context that leads nowhere is told when something uses it.
            if let Ok(Some(metric)) = tree.reference(context, "metric") {
                contexts.entry(metric.id()).or_default().push(context);
            }
        }
        Metrics {
            by_name,
            contexts,
            done: FxHashMap::default(),
            under_way: Vec::new(),
            taken: Taken::with(components.names()),
            components: components.by_id(),
            only_component: components.only().map(str::to_owned),
            formula_bytes: 0,
        }
    }

    /// How formulas write the metric that a requirement or a constraint names, by variable or by context.
    pub(super) fn of_requirement(&mut self, conversion: &mut Conversion<'a, '_>, node: Node<'a>) -> Option<String> {
        let variable = conversion.tree.reference(node, "metricVariable");
        let context = conversion.tree.reference(node, "metricContext");
        let (variable, context) = (conversion.check(variable)?, conversion.check(context)?);
        let (metric, context) = match (variable, context) {
            (Some(variable), _) => (variable, None),
            (None, Some(context)) => {
                let metric = conversion.tree.reference(context, "metric");
                let Some(metric) = conversion.check(metric)? else {
                    let error = conversion.tree.error(context, "this metric context has no metric");
                    conversion.findings.push(error.help("add metric=\"...\""));
                    return None;
                };
                conversion.tree.mark(context);
                (metric, Some(context))
            }
            (None, None) => {
                let error = conversion.tree.error(node, format!("'{}' names no metric", tree::label(node)));
                conversion.findings.push(error.help("add metricVariable=\"...\" or metricContext=\"...\""));
                return None;
            }
        };
        match self.convert(conversion, metric, context) {
            Meaning::Value(written) => Some(written),
            Meaning::Candidates(_) => {
                let message =
                    format!("'{}' runs over all node candidates and has no single value", tree::label(metric));
                let error = conversion.tree.error(node, message);
                conversion.findings.push(error.help("use a metric variable with a formula such as min(...) of it"));
                None
            }
            Meaning::Broken | Meaning::Unknown => None,
        }
    }

    /// Puts a metric into the document, once for each context that is used.
    fn convert(&mut self, conversion: &mut Conversion<'a, '_>, metric: Node<'a>, context: Option<Node<'a>>) -> Meaning {
        let tree = conversion.tree;
        let contexts = self.contexts.get(&metric.id()).map_or(&[][..], Vec::as_slice);
        let context = context.or_else(|| contexts.first().copied());
        let key = (metric.id(), context.map(|c| c.id()));
        if let Some(meaning) = self.done.get(&key) {
            return meaning.clone();
        }
        let is_other_context = context.is_some() && contexts.first() != context.as_ref();
        if self.under_way.contains(&metric) || self.under_way.len() >= CHAIN_MAX {
            let around: Vec<&str> = self.under_way.iter().map(|m| tree::name(*m)).take(5).collect();
            let message = format!("the metric '{}' uses itself, or a very long chain of others", tree::label(metric));
            let error = tree.error_at(metric, "formula", message);
            conversion.findings.push(error.help(format!("break the circle among {}", around.join(", "))));
            self.done.insert(key, Meaning::Broken);
            return Meaning::Broken;
        }
        tree.mark(metric);
        if let Some(context) = context {
            tree.mark(context);
        }
        self.under_way.push(metric);
        let meaning = match tree::type_of(metric) {
            "RawMetric" | "CompositeMetric" | "MetricVariable" if tree::name(metric).is_empty() => {
                let error = tree.error(metric, "a metric that is used has no name");
                conversion.findings.push(error.help("add name=\"...\""));
                Meaning::Broken
            }
            "RawMetric" => self.measured(conversion, metric, context, is_other_context, MetricProperties::default()),
            "CompositeMetric" => self.composite(conversion, metric, context, is_other_context),
            "MetricVariable" => self.variable(conversion, metric),
            other => {
                let message = format!("'{}' is used as a metric, but is a {other}", tree::label(metric));
                let help = "refer to a metric:RawMetric, metric:CompositeMetric or metric:MetricVariable";
                conversion.findings.push(tree.error(metric, message).help(help));
                Meaning::Broken
            }
        };
        self.under_way.pop();
        self.done.insert(key, meaning.clone());
        meaning
    }

    fn variable(&mut self, conversion: &mut Conversion<'a, '_>, variable: Node<'a>) -> Meaning {
        let tree = conversion.tree;
        let name = tree::name(variable);
        let over_candidates = tree::flag(variable, "onNodeCandidates");
        let text = variable.attribute("formula").unwrap_or("").trim();
        if !text.is_empty() {
            if over_candidates {
                let error = tree.error_at(variable, "formula", format!("'{name}' has a formula over node candidates"));
                let help =
                    "let a variable without a formula run over the candidates and use it in min(...) or max(...)";
                conversion.findings.push(error.help(help));
                return Meaning::Broken;
            }
            if tree::flag(variable, "currentConfiguration") {
                let text =
                    "its formula is taken as it is; of the running deployment are only the variables in it that say so";
                conversion.report.decide(name, text);
            }
            return self.computed(conversion, variable);
        }
        let quantity = match self.quantity(conversion, variable) {
            Ok(quantity) => quantity,
            Err(error) => {
                conversion.findings.push(error);
                return Meaning::Broken;
            }
        };
        let Some(quantity) = quantity else {
            let text = "a variable without a formula that stands for no quantity of a component: it is measured";
            conversion.report.decide(name, text);
            let component = self.component_of(conversion, variable);
            return self.emit(
                conversion,
                variable,
                None,
                MetricProperties { component, ..MetricProperties::default() },
            );
        };
        let component = self.component_of(conversion, variable).map(|c| c.value);
        let Some(component) = component.or_else(|| self.only_component.clone()) else {
            let error = tree.error(variable, format!("'{name}' stands for a quantity of a component and names none"));
            conversion.findings.push(error.help("add component=\"//@deploymentModels.0/@softwareComponents.0\""));
            return Meaning::Broken;
        };
        let component = names::in_formula(&component);
        if over_candidates {
            if quantity == Quantity::Cardinality {
                let error = tree.error(variable, format!("'{name}' is a cardinality: node candidates have none"));
                conversion.findings.push(error.help("remove onNodeCandidates, or refer to another template"));
                return Meaning::Broken;
            }
            let value = quantity.formula(&component);
            let text =
                format!("stands for {value} of every offer that the component may use, inside min, max and mean");
            conversion.report.decide(name, text);
            return Meaning::Candidates(value);
        }
        let text = if tree::flag(variable, "currentConfiguration") {
            if quantity == Quantity::Cardinality {
                let text = "the number of instances that run; 1 as long as none do, as in Melodic's first deployment";
                conversion.report.decide(name, text);
            } else {
                let text = "of the running deployment; the planned one as long as nothing runs";
                conversion.report.decide(name, text);
            }
            quantity.current(&component)
        } else {
            quantity.formula(&component)
        };
        let formula = Some(Spanned::new(Scalar::Text(text), tree::tag_span(variable)));
        self.emit(conversion, variable, None, MetricProperties { formula, ..MetricProperties::default() })
    }

    fn composite(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metric: Node<'a>,
        context: Option<Node<'a>>,
        is_other_context: bool,
    ) -> Meaning {
        let text = metric.attribute("formula").unwrap_or("").trim();
        let foreign = self.foreign_names(conversion, metric);
        if let Some((aggregate, of)) = formula::single_aggregate(text, &foreign) {
            let properties = MetricProperties {
                description: Some(format!("{aggregate} of {of}")),
                // Samples come under the name of what is measured.
                source: self.by_name.contains_key(of).then(|| Spanned::made(of.to_owned())),
                aggregate: Some(Spanned::made(aggregate.to_owned())),
                window: context.and_then(|c| self.window(conversion, c)),
                per: context.and_then(|c| grouping(conversion, c)),
                ..MetricProperties::default()
            };
            return self.measured(conversion, metric, context, is_other_context, properties);
        }
        if text.is_empty() || formula::aggregates_samples(text, &foreign) {
            let what = if text.is_empty() { "has no formula" } else { "aggregates samples inside a larger formula" };
            conversion.report.decide(tree::name(metric), format!("{what}: its value is taken as measured"));
            let description = (!text.is_empty()).then(|| tree::short(text));
            let properties = MetricProperties { description, ..MetricProperties::default() };
            return self.measured(conversion, metric, context, is_other_context, properties);
        }
        self.computed(conversion, metric)
    }

    /// A metric whose values come from monitoring.
    fn measured(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metric: Node<'a>,
        context: Option<Node<'a>>,
        is_other_context: bool,
        properties: MetricProperties,
    ) -> Meaning {
        let tree = conversion.tree;
        let component = context.and_then(|context| {
            let object = tree.reference(context, "objectContext");
            let object = conversion.check(object).flatten()?;
            tree.mark(object);
            self.component_of(conversion, object)
        });
        let other = context.filter(|_| is_other_context);
        self.emit(conversion, metric, other, MetricProperties { component, ..properties })
    }

    /// A metric with a formula over other metrics.
    fn computed(&mut self, conversion: &mut Conversion<'a, '_>, metric: Node<'a>) -> Meaning {
        let text = metric.attribute("formula").unwrap_or("").trim();
        self.formula_bytes += text.len();
        if self.formula_bytes > FORMULAS_BYTES_MAX {
            let error = conversion.tree.error_at(metric, "formula", "the formulas of this model are too long in all");
            conversion.findings.push(error.help(format!("the limit is {FORMULAS_BYTES_MAX} bytes of formulas")));
            return Meaning::Broken;
        }
        let foreign = self.foreign_names(conversion, metric);
        let own = self.own_metrics(conversion, metric);
        let translated = formula::translate(text, &foreign, |name| {
            match own.get(name).copied().or_else(|| self.by_name.get(name)?.first().copied()) {
                Some(used) => {
                    let several = self.by_name.get(name).is_some_and(|all| all.len() > 1);
                    if several && !own.contains_key(name) {
                        conversion.report.decide(name, "several metrics have this name; the first is meant");
                    }
                    self.convert(conversion, used, None)
                }
                None => Meaning::Unknown,
            }
        });
        match translated {
            Ok(formula) => {
                let place = metric.attribute_node("formula").map_or_else(|| tree::tag_span(metric), tree::span_of);
                let formula = Some(Spanned::new(Scalar::Text(formula), place));
                self.emit(conversion, metric, None, MetricProperties { formula, ..MetricProperties::default() })
            }
            Err(wrong) => {
                let message = format!("the formula of '{}': {}", tree::name(metric), wrong.message);
                let unknown = wrong.message.split('\'').nth(1).unwrap_or("");
                let near = did_you_mean(unknown, self.by_name.keys().copied().take(1000).filter(|k| *k != unknown));
                let help = near.map_or(wrong.help.clone(), |near| format!("{}; did you mean '{near}'?", wrong.help));
                conversion.findings.push(conversion.tree.error_at(metric, "formula", message).help(help));
                Meaning::Broken
            }
        }
    }

    /// Adds a metric to the document, under its own name if that is free.
    fn emit(
        &mut self,
        conversion: &mut Conversion<'a, '_>,
        metric: Node<'a>,
        other_context: Option<Node<'a>>,
        properties: MetricProperties,
    ) -> Meaning {
        let written = tree::name(metric);
        let wanted = other_context.map(tree::name).filter(|n| !n.is_empty()).unwrap_or(written);
        let wanted = names::allowed(wanted, "metric");
        let name = self.taken.give(&wanted);
        if name != written {
            let why = if other_context.is_some() {
                "its measurements in another context have a name of their own"
            } else {
                "the name is taken by a component or by another metric, or has a character that names cannot have"
            };
            conversion.report.decide(written, format!("called '{name}': {why}"));
        }
        let formula = properties.formula.clone();
        let alone = MetricProperties { formula: formula.clone(), ..MetricProperties::default() };
        let document = match formula {
            Some(formula) if properties == alone => MetricDocument::Formula(formula),
            _ => MetricDocument::Full(properties),
        };
        let meaning = Meaning::Value(names::in_formula(&name));
        conversion.document.metrics.0.push((Spanned::new(name, tree::spanned_name(metric).span), document));
        meaning
    }

    /// What a variable stands for, by the annotations of the attribute of its template.
    fn quantity(&self, conversion: &Conversion<'a, '_>, variable: Node<'a>) -> Result<Option<Quantity>, Diagnostic> {
        let tree = conversion.tree;
        let template = tree.reference(variable, "metricTemplate")?;
        let attribute = template.map(|t| tree.reference(t, "attribute")).transpose()?.flatten();
        for node in [Some(variable), template, attribute].into_iter().flatten() {
            tree.mark(node);
            let found = annotation::of(tree, node).into_iter().find_map(Quantity::named);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The component that an element refers to.
    fn component_of(&self, conversion: &mut Conversion<'a, '_>, node: Node<'a>) -> Option<Spanned<String>> {
        let component = conversion.tree.reference(node, "component");
        let component = conversion.check(component).flatten()?;
        let Some(name) = self.components.get(&component.id()) else {
            let message = format!("'{}' is no software component of the deployment model", tree::label(component));
            let error = conversion.tree.error_at(node, "component", message);
            conversion.findings.push(error.help("refer to //@deploymentModels.0/@softwareComponents.N"));
            return None;
        };
        let place = node.attribute_node("component").map_or_else(|| tree::tag_span(node), tree::span_of);
        Some(Spanned::new(name.clone(), place))
    }

    /// The metrics that a metric lists as those of its formula, by name.
    fn own_metrics(&self, conversion: &mut Conversion<'a, '_>, metric: Node<'a>) -> FxHashMap<&'a str, Node<'a>> {
        let listed = conversion.tree.references(metric, "componentMetrics");
        let listed = conversion.check(listed).unwrap_or_default();
        let mut own = FxHashMap::default();
        for node in listed {
            own.entry(tree::name(node)).or_insert(node);
        }
        own
    }

    /// The foreign names that may stand in the formula of a metric.
    fn foreign_names(&self, conversion: &Conversion<'a, '_>, metric: Node<'a>) -> ForeignNames<'a> {
        // A reference that leads nowhere is told where the metrics are resolved.
        let listed = conversion.tree.references(metric, "componentMetrics").unwrap_or_default();
        ForeignNames::of(listed.into_iter().map(tree::name))
    }

    /// The window of a composite context: its time, or as many measurements as the schedule of the raw context makes, or
    /// their number where there is no schedule.
    fn window(&self, conversion: &mut Conversion<'a, '_>, context: Node<'a>) -> Option<Spanned<Scalar>> {
        let written = window_text(conversion, context);
        let written = conversion.check(written).flatten()?;
        let place = context.attribute_node("window").map_or_else(|| tree::tag_span(context), tree::span_of);
        Some(Spanned::new(Scalar::Text(written), place))
    }
}

/// Whose samples a composite context aggregates together; none for those of everything.
fn grouping<'a>(conversion: &mut Conversion<'a, '_>, context: Node<'a>) -> Option<Level> {
    let written = context.attribute("groupingType")?;
    let level = match written {
        "PER_INSTANCE" => Level::Instance,
        "PER_HOST" => Level::Node,
        "PER_ZONE" => Level::Zone,
        "PER_REGION" => Level::Region,
        "PER_CLOUD" => Level::Provider,
        _ => return None,
    };
    let text = format!("{written}: the samples of each are aggregated apart, and then across all of them");
    conversion.report.decide(tree::label(context), text);
    Some(level)
}

/// The window of a composite context as the language writes it.
fn window_text<'a>(conversion: &mut Conversion<'a, '_>, context: Node<'a>) -> Result<Option<String>, Diagnostic> {
    let tree = conversion.tree;
    let Some(window) = tree.reference(context, "window")? else { return Ok(None) };
    tree.mark(window);
    let way = if window.attribute("windowType") == Some("FIXED") { "tumbling " } else { "" };
    let time = tree.number(window, "timeSize")?;
    let measurements = tree.number(window, "measurementSize")?;
    if time > 0.0 {
        let unit = tree.reference(window, "timeUnit")?;
        let seconds = time * unit.map_or(1.0, |u| seconds_per(tree::name(u)).unwrap_or(1.0));
        return Ok(Some(format!("{way}{seconds}s")));
    }
    if measurements <= 0.0 {
        return Ok(None);
    }
    let composing = tree.reference(context, "composingMetricContexts")?;
    let schedule = match composing {
        Some(raw) => tree.reference(raw, "schedule")?,
        None => tree.reference(context, "schedule")?,
    };
    let samples = format!("{way}{} samples", measurements.round().clamp(1.0, f64::from(Window::SAMPLES_MAX)));
    let Some(schedule) = schedule else { return Ok(Some(samples)) };
    tree.mark(schedule);
    let interval = tree.number(schedule, "interval")?;
    let unit = tree.reference(schedule, "timeUnit")?;
    let every = interval * unit.map_or(1.0, |u| seconds_per(tree::name(u)).unwrap_or(1.0));
    if every <= 0.0 {
        return Ok(Some(samples));
    }
    conversion.report.decide(
        tree::label(context),
        format!("a window of {measurements} measurements, one every {every} s, is one of {} s", measurements * every),
    );
    Ok(Some(format!("{way}{}s", measurements * every)))
}

/// Seconds in one of a unit of time.
fn seconds_per(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().trim_end_matches('s') {
        "millisecond" => 0.001,
        "second" | "" => 1.0,
        "minute" => 60.0,
        "hour" => 3600.0,
        "day" => 86_400.0,
        "week" => 604_800.0,
        _ => return None,
    })
}
