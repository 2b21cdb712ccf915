//! Components with their requirements, the filter on offers, and quotas.

use std::sync::Arc;

use super::choice::Chosen;
use super::{Resolver, graph, shared, span_of};
use crate::application::{
    Cardinality, Component, ComponentId, DEFAULT_PURCHASES, Demand, Interval, Quota, Requirement, Subject, Test,
};
use crate::diagnostic::Diagnostic;
use crate::document::{
    ARCHITECTURES, CLOUDS, ComponentDocument, Fleet, Hosting, OneOrMany, PURCHASES, PlacementDocument, QuotaDocument,
    RequiresDocument,
};
use crate::formula::ScopeComponent;
use crate::offer::Attribute;
use crate::quantity::{Bytes, Cores, Price};
use crate::requirement::{self, Measure};
use crate::span::Spanned;

impl Resolver<'_> {
    /// Puts the names of the components into scope, before any formula is read.
    pub(super) fn component_scope(&mut self) {
        for (i, (name, component)) in self.document.components.iter().enumerate() {
            let entry = ScopeComponent {
                id: ComponentId(i as u32),
                hosting: component.hosting.unwrap_or_default(),
                fleet: component.fleet.unwrap_or_default(),
            };
            self.scope.components.insert(shared(name), entry);
        }
    }

    /// The filter on the offers of the whole application.
    pub(super) fn catalog(&mut self) -> Vec<Requirement> {
        let Some(catalog) = &self.document.catalog else { return Vec::new() };
        let attribute = Subject::Attribute;
        let purchases = PURCHASES.map(|p| p.as_str());
        let mut all = Vec::new();
        all.extend(self.text_requirement(
            "catalog.providers",
            attribute(Attribute::Provider),
            "provider",
            catalog.providers.as_ref(),
            &[],
        ));
        all.extend(self.text_requirement(
            "catalog.regions",
            attribute(Attribute::Region),
            "region",
            catalog.regions.as_ref(),
            &[],
        ));
        all.extend(self.text_requirement(
            "catalog.purchase",
            attribute(Attribute::Purchase),
            "purchase",
            catalog.purchase.as_ref(),
            &purchases,
        ));
        all.extend(self.text_requirement(
            "catalog.machine_types",
            attribute(Attribute::MachineType),
            "machine_type",
            catalog.machine_types.as_ref(),
            &[],
        ));
        let without = self.text_requirement(
            "catalog.without_machine_types",
            attribute(Attribute::MachineType),
            "machine_type not",
            catalog.without_machine_types.as_ref(),
            &[],
        );
        all.extend(without.map(|requirement| match requirement.test {
            Test::Text(texts) => Requirement { test: Test::NotText(texts), ..requirement },
            Test::NotText(texts) => Requirement { test: Test::Text(texts), ..requirement },
            Test::Number(_) => requirement,
        }));
        all
    }

    /// The components, in the order of the file.
    pub(super) fn components(&mut self) -> Vec<Component> {
        let document = self.document;
        let chosen = std::mem::take(&mut self.chosen);
        let components: Vec<Component> = document
            .components
            .iter()
            .zip(chosen)
            .map(|((name, component), chosen)| {
                self.one_component(&format!("components.{}", name.value), name, component, chosen)
            })
            .collect();
        let needs: Vec<Vec<usize>> = components.iter().map(|c| c.needs.iter().map(|id| id.index()).collect()).collect();
        for cycle in graph::order(&needs).1 {
            let first = &components[cycle[0]];
            let shown = graph::show(&cycle, |i| &components[i].name);
            let span = document.components.0[cycle[0]].1.needs.first().map_or(first.span, |n| n.span);
            let finding = Diagnostic::error(span, format!("components need each other in a circle: {shown}"));
            let path = format!("components.{}.needs", first.name);
            self.report(&path, finding.help("remove one of them: none of these could start first"));
        }
        components
    }

    fn one_component(
        &mut self,
        path: &str,
        name: &Spanned<String>,
        document: &ComponentDocument,
        chosen: Chosen,
    ) -> Component {
        let cardinality = document.cardinality.as_ref().and_then(|value| {
            let cardinality = requirement::cardinality(value);
            self.keep_all(&format!("{path}.cardinality"), cardinality)
        });
        let hosting = document.hosting.unwrap_or_default();
        self.check_hosting(path, name, document, hosting);
        let per_node = document.per_node.as_ref().filter(|_| hosting == Hosting::Shared);
        let per_node = per_node.and_then(|value| self.count(&format!("{path}.per_node"), value));
        let mut requirements = Vec::new();
        let mut demand = Demand::default();
        if let Some(requires) = &document.requires {
            let path = format!("{path}.requires");
            match hosting {
                Hosting::Dedicated => self.node_resources(&path, requires, &mut requirements),
                Hosting::Shared => demand = self.instance_resources(&path, requires),
            }
            self.lifecycle(&path, requires, &mut requirements);
            self.labels(&format!("{path}.labels"), requires, &mut requirements);
        }
        let placement = document.placement.clone().unwrap_or_default();
        let os = self.placement(&format!("{path}.placement"), &placement, &mut requirements);
        self.default_purchase(name, &placement, &mut requirements);
        let fleet = (hosting == Hosting::Dedicated).then(|| document.fleet.unwrap_or_default());
        let counts = cardinality.as_ref().or(chosen.cardinality.as_ref());
        let most = counts.map_or(1, Cardinality::max);
        let (spread, divisions) = self.divisions(&format!("{path}.placement"), &placement, fleet, most);
        let needs = self.needs(path, name, &document.needs);
        Component {
            name: shared(name),
            span: name.span,
            cardinality: cardinality.or(chosen.cardinality).unwrap_or_else(|| Cardinality::new(Vec::new())),
            hosting,
            fleet: document.fleet.unwrap_or_default(),
            per_node,
            requirements,
            demand,
            os,
            spread,
            divisions,
            needs,
            moveable: document.moveable.unwrap_or(true),
            choice: chosen.choice,
        }
    }

    /// Reports what belongs to the other kind of hosting.
    fn check_hosting(&mut self, path: &str, name: &Spanned<String>, document: &ComponentDocument, hosting: Hosting) {
        if self.doubtful.contains(&format!("{}.hosting", name.value)) {
            return;
        }
        match (hosting, &document.per_node, document.fleet) {
            (Hosting::Dedicated, Some(per_node), _) => {
                let message = "`per_node` is for shared hosting: a dedicated instance has a node of its own";
                let finding = Diagnostic::error(per_node.span, message);
                self.report(&format!("{path}.per_node"), finding.help("add `hosting: shared`, or remove `per_node`"));
            }
            (Hosting::Shared, _, Some(fleet)) => {
                let word = match fleet {
                    Fleet::Uniform => "uniform",
                    Fleet::Mixed => "mixed",
                };
                let message = format!("`fleet: {word}` is for dedicated hosting: shared nodes may always differ");
                let finding = Diagnostic::error(name.span, message);
                self.report(&format!("{path}.fleet"), finding.help("remove `fleet`, or `hosting: shared`"));
            }
            _ => {}
        }
    }

    /// A number of instances or nodes, at least 1.
    pub(super) fn count(&mut self, path: &str, value: &Spanned<crate::document::Scalar>) -> Option<u32> {
        let number = requirement::whole(value, 1).and_then(|n| {
            let limit = u64::from(Cardinality::LIMIT);
            let too_large = || Diagnostic::error(value.span, format!("the number is at most {limit}"));
            u32::try_from(n).ok().filter(|n| u64::from(*n) <= limit).ok_or_else(too_large)
        });
        self.keep(path, number)
    }

    /// Dedicated hosting: what the node must have.
    fn node_resources(&mut self, path: &str, requires: &RequiresDocument, requirements: &mut Vec<Requirement>) {
        for (key, attribute, value, measure) in [
            ("cores", Attribute::Cores, &requires.cores, Measure::Count),
            ("memory", Attribute::Memory, &requires.memory, Measure::Data),
            ("disk", Attribute::Disk, &requires.disk, Measure::Data),
            ("gpus", Attribute::Gpus, &requires.gpus, Measure::Whole),
            ("price", Attribute::Price, &requires.price, Measure::Price),
        ] {
            requirements.extend(self.number_requirement(&format!("{path}.{key}"), attribute, value.as_ref(), measure));
        }
    }

    /// Shared hosting: what one instance uses.
    fn instance_resources(&mut self, path: &str, requires: &RequiresDocument) -> Demand {
        if let Some(price) = &requires.price {
            let message = "a shared instance has no price of its own";
            let finding = Diagnostic::error(span_of(price), message);
            self.report(
                &format!("{path}.price"),
                finding.help("limit `total_cost` under `constraints`, or add a quota"),
            );
        }
        let too_large = |value: &OneOrMany| Diagnostic::error(span_of(value), "the number is too large");
        let mut demand = Demand::default();
        if let Some((value, n)) = self.used(&format!("{path}.cores"), requires.cores.as_ref(), Measure::Count) {
            let cores = Cores::from_count(n).ok_or_else(|| too_large(value));
            demand.cores = self.keep(path, cores).unwrap_or_default();
        }
        if let Some((value, n)) = self.used(&format!("{path}.memory"), requires.memory.as_ref(), Measure::Data) {
            let memory = Bytes::from_mib(n).ok_or_else(|| too_large(value));
            demand.memory = self.keep(path, memory).unwrap_or_default();
        }
        if let Some((value, n)) = self.used(&format!("{path}.disk"), requires.disk.as_ref(), Measure::Data) {
            let disk = Bytes::from_mib(n).ok_or_else(|| too_large(value));
            demand.disk = self.keep(path, disk).unwrap_or_default();
        }
        if let Some((value, n)) = self.used(&format!("{path}.gpus"), requires.gpus.as_ref(), Measure::Whole) {
            let gpus = if n <= f64::from(u32::MAX) { Ok(n as u32) } else { Err(too_large(value)) };
            demand.gpus = self.keep(path, gpus).unwrap_or_default();
        }
        demand
    }

    /// What an instance uses at least: the lower end of what is required.
    fn used<'v>(&mut self, path: &str, value: Option<&'v OneOrMany>, measure: Measure) -> Option<(&'v OneOrMany, f64)> {
        let value = value?;
        let intervals = requirement::intervals(value, measure, &self.currency);
        let intervals = self.keep_all(path, intervals)?;
        let low = intervals.iter().map(|i: &Interval| i.low).fold(f64::INFINITY, f64::min);
        if low == f64::NEG_INFINITY {
            let message = "an upper end alone does not say what a shared instance uses";
            let finding = Diagnostic::error(span_of(value), message);
            self.report(path, finding.help("write what it uses as a number, such as `2` or `4 GB`"));
            return None;
        }
        Some((value, low))
    }

    /// How the nodes come and go.
    fn lifecycle(&mut self, path: &str, requires: &RequiresDocument, requirements: &mut Vec<Requirement>) {
        for (key, attribute, value, measure) in [
            ("interruption_rate", Attribute::InterruptionRate, &requires.interruption_rate, Measure::Share),
            ("start_up", Attribute::StartUp, &requires.start_up, Measure::Duration),
            ("minimum_lifetime", Attribute::MinimumLifetime, &requires.minimum_lifetime, Measure::Duration),
        ] {
            requirements.extend(self.number_requirement(&format!("{path}.{key}"), attribute, value.as_ref(), measure));
        }
    }

    fn labels(&mut self, path: &str, requires: &RequiresDocument, requirements: &mut Vec<Requirement>) {
        for (name, value) in requires.labels.iter() {
            let path = format!("{path}.{}", name.value);
            if Attribute::named(&name.value).is_some() {
                let message = format!("`{}` is an attribute that every offer has, not a label", name.value);
                let finding = Diagnostic::error(name.span, message);
                self.report(&path, finding.help(format!("write `{}` under `requires` or `placement`", name.value)));
                continue;
            }
            let test = requirement::label(value, &self.currency);
            let Some(test) = self.keep_all(&path, test) else { continue };
            let text = requirement::words(&name.value, value);
            let subject = Subject::Attribute(Attribute::Label(shared(name)));
            requirements.push(Requirement { subject, test, text, span: span_of(value) });
        }
    }

    /// Adds the requirements of where instances may run; gives the operating systems that are named.
    fn placement(
        &mut self,
        path: &str,
        placement: &PlacementDocument,
        requirements: &mut Vec<Requirement>,
    ) -> Vec<Arc<str>> {
        let attribute = Subject::Attribute;
        let clouds = CLOUDS.map(|c| c.as_str());
        let purchases = PURCHASES.map(|p| p.as_str());
        let rows: [(&str, Subject, &Option<OneOrMany>, &[&str]); 8] = [
            ("cloud", attribute(Attribute::Cloud), &placement.cloud, &clouds),
            ("provider", attribute(Attribute::Provider), &placement.provider, &[]),
            ("location", Subject::Place, &placement.location, &[]),
            ("architecture", attribute(Attribute::Architecture), &placement.architecture, &ARCHITECTURES),
            ("purchase", attribute(Attribute::Purchase), &placement.purchase, &purchases),
            ("machine_type", attribute(Attribute::MachineType), &placement.machine_type, &[]),
            ("family", attribute(Attribute::Family), &placement.family, &[]),
            ("offer", Subject::OfferId, &placement.offer, &[]),
        ];
        for (key, subject, value, known) in rows {
            requirements.extend(self.text_requirement(&format!("{path}.{key}"), subject, key, value.as_ref(), known));
        }
        let os =
            self.text_requirement(&format!("{path}.os"), Subject::OperatingSystem, "os", placement.os.as_ref(), &[]);
        let Some(os) = os else { return Vec::new() };
        let lower = |texts: &[Arc<str>]| texts.iter().map(|t| Arc::from(t.to_lowercase())).collect::<Vec<Arc<str>>>();
        let (test, named) = match &os.test {
            Test::Text(texts) => (Test::Text(lower(texts)), lower(texts)),
            Test::NotText(texts) => (Test::NotText(lower(texts)), Vec::new()),
            Test::Number(_) => (os.test.clone(), Vec::new()),
        };
        requirements.push(Requirement { test, ..os });
        named
    }

    /// A component that names no purchase, in an application that names none, gets no nodes that may be taken back.
    fn default_purchase(
        &self,
        name: &Spanned<String>,
        placement: &PlacementDocument,
        requirements: &mut Vec<Requirement>,
    ) {
        let of_application = self.document.catalog.as_ref().and_then(|c| c.purchase.as_ref());
        if placement.purchase.is_some() || of_application.is_some() {
            return;
        }
        if let Some(spot) = &placement.spot {
            let words = PURCHASES.map(|p| p.as_str());
            requirements.push(Requirement {
                subject: Subject::Attribute(Attribute::Purchase),
                test: Test::Text(words.iter().map(|w| Arc::from(*w)).collect()),
                text: format!("purchase in [{}] (because of `spot`)", words.join(", ")),
                span: spot.at_most.span,
            });
            return;
        }
        let words = DEFAULT_PURCHASES.map(|p| p.as_str());
        requirements.push(Requirement {
            subject: Subject::Attribute(Attribute::Purchase),
            test: Test::Text(words.iter().map(|w| Arc::from(*w)).collect()),
            text: format!("purchase in [{}] (the default)", words.join(", ")),
            span: name.span,
        });
    }

    fn needs(&mut self, path: &str, own: &Spanned<String>, names: &[Spanned<String>]) -> Vec<ComponentId> {
        let mut needs = Vec::new();
        let path = format!("{path}.needs");
        for name in names {
            if name.value == own.value {
                self.report(
                    &path,
                    Diagnostic::error(name.span, format!("`{}` needs itself", own.value)).help("remove it"),
                );
                continue;
            }
            let Some(id) = self.component(&path, name) else { continue };
            if needs.contains(&id) {
                let finding = Diagnostic::warning(name.span, format!("`{}` is named twice", name.value));
                self.report(&path, finding.help("remove one"));
            } else {
                needs.push(id);
            }
        }
        needs
    }

    /// The quotas, in the order of the file.
    pub(super) fn quotas(&mut self) -> Vec<Quota> {
        let document = self.document;
        document.quotas.iter().map(|(name, quota)| self.quota(name, quota)).collect()
    }

    fn quota(&mut self, name: &Spanned<String>, quota: &QuotaDocument) -> Quota {
        let path = format!("quotas.{}", name.value);
        let attribute = Subject::Attribute;
        let purchases = PURCHASES.map(|p| p.as_str());
        let mut matches = Vec::new();
        let rows: [(&str, Subject, &Option<OneOrMany>, &[&str]); 6] = [
            ("provider", attribute(Attribute::Provider), &quota.provider, &[]),
            ("location", Subject::Place, &quota.location, &[]),
            ("region", attribute(Attribute::Region), &quota.region, &[]),
            ("machine_type", attribute(Attribute::MachineType), &quota.machine_type, &[]),
            ("family", attribute(Attribute::Family), &quota.family, &[]),
            ("purchase", attribute(Attribute::Purchase), &quota.purchase, &purchases),
        ];
        for (key, subject, value, known) in rows {
            matches.extend(self.text_requirement(&format!("{path}.{key}"), subject, key, value.as_ref(), known));
        }
        let limits = [&quota.nodes, &quota.cores, &quota.memory, &quota.gpus, &quota.instances, &quota.cost];
        if limits.iter().all(|l| l.is_none()) {
            let finding = Diagnostic::error(name.span, "the quota limits nothing");
            self.report(&path, finding.help("add one of `nodes`, `cores`, `memory`, `gpus`, `instances`, `cost`"));
        }
        let limit = |resolver: &mut Self, key: &str, value: &Option<Spanned<crate::document::Scalar>>, measure| {
            let value = value.as_ref()?;
            let amount = requirement::amount(value, measure, &resolver.currency);
            resolver.keep(&format!("{path}.{key}"), amount)
        };
        Quota {
            name: shared(name),
            span: name.span,
            nodes: limit(self, "nodes", &quota.nodes, Measure::Whole).map(|n| n as u64),
            cores: limit(self, "cores", &quota.cores, Measure::Count).and_then(Cores::from_count),
            memory: limit(self, "memory", &quota.memory, Measure::Data).and_then(Bytes::from_mib),
            gpus: limit(self, "gpus", &quota.gpus, Measure::Whole).map(|n| n as u64),
            instances: limit(self, "instances", &quota.instances, Measure::Whole).map(|n| n as u64),
            cost: limit(self, "cost", &quota.cost, Measure::Price).and_then(Price::from_units),
            matches,
        }
    }
}
