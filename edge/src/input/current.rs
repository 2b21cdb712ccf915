//! The running deployment: a deployment file, or the answer of an earlier solve.

use std::sync::Arc;

use cardinal_models::application::{Application, ComponentId, Home};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Source, did_you_mean};
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{
    CurrentDeployment, DeployedComponent, DeployedData, DeployedNodes, Deployment, NodeGroup, Placement, Replica,
    Setting, SettingValue, VanishedNodes,
};
use cardinal_models::quantity::Price;
use cardinal_models::span::Span;

use super::place::span_at;
use crate::failure::Failure;
use crate::finding::Finding;

/// Makes out what runs now.
pub fn interpret(
    source: &Arc<Source>,
    application: &Application,
    catalog: &Catalog,
) -> Result<CurrentDeployment, Failure> {
    let deployment = parse(source)?;
    let mut reading = Reading { source, application, catalog, errors: Vec::new() };
    let mut current = CurrentDeployment::default();
    for nodes in &deployment.nodes {
        reading.nodes(nodes, &mut current);
    }
    for (name, component) in deployment.components.iter().filter(|(_, c)| !c.attributes.is_empty()) {
        reading.settings(name, component, &mut current.placement);
    }
    for (name, data) in &deployment.data {
        reading.data(name, data, &mut current.placement);
    }
    let is_empty = current.placement.groups.is_empty() && current.placement.settings.is_empty();
    if reading.errors.is_empty() && is_empty && current.vanished.is_empty() {
        let finding = Finding::error(format!("`{}` has no nodes", source.name));
        reading.errors.push(finding.help("leave `--current` out while nothing runs"));
    }
    if !reading.errors.is_empty() {
        return Err(Failure::invalid(reading.errors));
    }
    current.placement.normalize();
    Ok(current)
}

fn parse(source: &Arc<Source>) -> Result<Deployment, Finding> {
    let help = "a deployment looks like `nodes: [{offer: aws/eu-central-1/m5.large, count: 2, instances: {web: 1}}]`";
    let wrong = |message: String, place: Option<(usize, usize)>| {
        let place = place.map_or(Span::NONE, |(line, column)| span_at(&source.text, line, column));
        Finding::error(format!("this is no deployment: {message}")).help(help).at(source, place)
    };
    if source.text.trim_start().starts_with('{') {
        let parsed = serde_json::from_str(&source.text);
        return parsed.map_err(|error| {
            let text = error.to_string();
            let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
            wrong(message.to_owned(), Some((error.line(), error.column())))
        });
    }
    serde_saphyr::from_str(&source.text).map_err(|error| {
        let place = error.location().map(|l| (l.line() as usize, l.column() as usize));
        let text = error.without_snippet().to_string();
        let message = text.lines().next().unwrap_or("it cannot be read").to_owned();
        wrong(message, place)
    })
}

struct Reading<'a> {
    source: &'a Arc<Source>,
    application: &'a Application,
    catalog: &'a Catalog,
    errors: Vec<Finding>,
}

impl Reading<'_> {
    /// An error about a word; its place is where the word first stands in the text.
    fn wrong(&mut self, word: &str, message: String, help: Option<String>) {
        let place = self.source.text.find(word).map_or(Span::NONE, |at| Span::new(at, at + word.len()));
        let mut finding = Finding::error(message).at(self.source, place);
        finding.diagnostic.help = help;
        if self.errors.iter().all(|known| known.diagnostic != finding.diagnostic) {
            self.errors.push(finding);
        }
    }

    fn nodes(&mut self, nodes: &DeployedNodes, current: &mut CurrentDeployment) {
        let instances: Vec<(ComponentId, u32)> = nodes
            .instances
            .iter()
            .filter(|(_, count)| **count > 0)
            .filter_map(|(name, count)| self.component(name).map(|id| (id, *count)))
            .collect();
        if nodes.count == 0 {
            return;
        }
        if nodes.instances.values().all(|count| *count == 0) {
            let message = format!("the nodes on `{}` host no instance", nodes.offer);
            self.wrong(&nodes.offer, message, Some("name what they host, or leave them out".to_owned()));
            return;
        }
        let Some(offer) = self.catalog.find(&nodes.offer) else {
            let price = nodes.price.and_then(Price::from_units);
            let offer: Arc<str> = nodes.offer.as_str().into();
            current.vanished.push(VanishedNodes { offer, count: nodes.count, price, instances });
            return;
        };
        let zones = &self.catalog[offer].zones;
        let zone = match &nodes.zone {
            None => None,
            Some(name) => match zones.iter().position(|z| z.as_ref() == name) {
                Some(index) => u16::try_from(index).ok(),
                None => {
                    let message = format!("the offer `{}` has no zone `{name}`", nodes.offer);
                    let listed: Vec<String> = zones.iter().map(|z| format!("`{z}`")).collect();
                    let help = match listed.len() {
                        0 => "the catalog names no zones of it; leave `zone` out".to_owned(),
                        _ => format!("its zones are {}", listed.join(", ")),
                    };
                    self.wrong(name, message, Some(help));
                    None
                }
            },
        };
        current.placement.groups.push(NodeGroup { offer, zone, instances, count: nodes.count });
    }

    /// The values of free attributes.
    fn settings(&mut self, name: &str, deployed: &DeployedComponent, placement: &mut Placement) {
        let Some(id) = self.component(name) else { return };
        let component = &self.application[id];
        let mut set = |attribute: Attribute, value: f64| {
            placement.settings.push(Setting { component: id, attribute, value: SettingValue(value) });
        };
        set(Attribute::Cardinality, deployed.cardinality as f64);
        for (word, value) in &deployed.attributes {
            match component.attributes().iter().find(|free| free.attribute.name() == word) {
                Some(free) => set(free.attribute.clone(), *value),
                None => {
                    let known = || component.attributes().iter().map(|free| free.attribute.name());
                    let listed: Vec<String> = known().map(|a| format!("`{a}`")).collect();
                    let help = match (did_you_mean(word, known()), listed.len()) {
                        (Some(meant), _) => format!("did you mean `{meant}`?"),
                        (None, 0) => "its attributes are those of its offer; leave them out".to_owned(),
                        (None, _) => format!("it has {}", listed.join(", ")),
                    };
                    self.wrong(word, format!("`{name}` has no free attribute `{word}`"), Some(help));
                }
            }
        }
    }

    /// Where a data source is. Of one whose place is fixed nothing is read.
    fn data(&mut self, name: &str, deployed: &DeployedData, placement: &mut Placement) {
        let Some(id) = self.application.data_source(name) else {
            let known = self.application.data.iter().map(|d| d.name.as_ref());
            let help = did_you_mean(name, known).map(|meant| format!("did you mean `{meant}`?"));
            self.wrong(name, format!("the application has no data source `{name}`"), help);
            return;
        };
        if matches!(self.application.data[id.index()].home, Home::Chosen { .. }) {
            let places = deployed.regions.iter().map(|region| self.catalog.place(region).name);
            placement.replicas.extend(places.map(|place| Replica { data: id, place }));
        }
    }

    fn component(&mut self, name: &str) -> Option<ComponentId> {
        let found = self.application.component(name);
        if found.is_none() {
            let names = || self.application.components.iter().map(|c| c.name.as_ref());
            let help = match did_you_mean(name, names()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    let listed: Vec<String> = names().take(12).map(|n| format!("`{n}`")).collect();
                    format!("the components are {}", listed.join(", "))
                }
            };
            self.wrong(name, format!("the application has no component `{name}`"), Some(help));
        }
        found
    }
}
