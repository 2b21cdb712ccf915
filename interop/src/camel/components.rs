//! Software components: their requirements, which of them need which, and which may not move.

use cardinal_models::document::{ComponentDocument, Fleet, Hosting};
use cardinal_models::span::Spanned;
use roxmltree::NodeId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::locations::Locations;
use super::requirements::Sets;
use super::tree::{self, Node};
use super::{Conversion, annotation};
use crate::names;

/// Most components of a model.
const COMPONENTS_MAX: usize = 2000;
/// Most communications of a model.
const LINKS_MAX: usize = 10_000;

/// The components of the application by their element.
#[derive(Default)]
pub(super) struct Components<'a> {
    names: FxHashMap<NodeId, String>,
    order: Vec<Node<'a>>,
    taken: FxHashSet<String>,
}

impl<'a> Components<'a> {
    /// The name in the document of the component that an element is.
    pub(super) fn name(&self, node: Node<'a>) -> Option<&str> {
        self.names.get(&node.id()).map(String::as_str)
    }

    /// The only component of the application.
    pub(super) fn only(&self) -> Option<&str> {
        if let [one] = self.order.as_slice() { self.name(*one) } else { None }
    }

    /// The names of all components.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.taken.iter().map(String::as_str)
    }

    /// The names of the components by element.
    pub(super) fn by_id(&self) -> FxHashMap<NodeId, String> {
        self.names.clone()
    }
}

/// Converts the components of the first deployment type model.
pub(super) fn convert<'a>(conversion: &mut Conversion<'a, '_>) -> Components<'a> {
    let tree = conversion.tree;
    let locations = Locations::collect(tree);
    let Some(locations) = conversion.check(locations) else { return Components::default() };
    let models = tree.children(tree.root(), "deploymentModels");
    let deployment = models.iter().copied().find(|m| tree::type_of(*m) != "DeploymentInstanceModel");
    let Some(deployment) = deployment else {
        let error = tree.error(tree.root(), "the model has no deployment type model, so there is nothing to place");
        conversion.findings.push(
            error.help("add <deploymentModels xsi:type=\"deployment:DeploymentTypeModel\"> with software components"),
        );
        return Components::default();
    };
    tree.mark(deployment);
    let nodes = tree.children(deployment, "softwareComponents").to_vec();
    if nodes.is_empty() {
        let error =
            tree.error(deployment, "the deployment model has no software components, so there is nothing to place");
        conversion.findings.push(error.help("add <softwareComponents name=\"...\" requirementSet=\"...\"/>"));
    }
    let links = tree.children(deployment, "communications").len();
    if nodes.len() > COMPONENTS_MAX || links > LINKS_MAX {
        let message = format!("the model has {} components and {links} communications", nodes.len());
        let error = tree.error(deployment, message);
        conversion.findings.push(error.help(format!("the limits are {COMPONENTS_MAX} and {LINKS_MAX}")));
        return Components::default();
    }
    let mut components = Components::default();
    for node in nodes {
        tree.mark(node);
        if let Some(name) = component_name(conversion, node, &mut components.taken) {
            components.names.insert(node.id(), name);
            components.order.push(node);
        }
    }
    let mut needs = needs(conversion, deployment, &components);
    shared_hosts(conversion, deployment, &components);
    for node in components.order.clone() {
        let sets = Sets::of(conversion, node, deployment);
        let cardinality = sets.cardinality(conversion, node);
        let requires = sets.resources(conversion, node);
        let placement = sets.placement(conversion, node, &locations);
        let unmoveable = annotation::of(tree, node)
            .iter()
            .any(|a| a.eq_ignore_ascii_case("Unmoveable") || a.eq_ignore_ascii_case("Unmovable"));
        let document = ComponentDocument {
            description: node.attribute("description").map(str::to_owned),
            cardinality,
            hosting: Some(Hosting::Dedicated),
            fleet: Some(Fleet::Uniform),
            requires,
            placement,
            needs: needs.remove(&node.id()).unwrap_or_default(),
            moveable: unmoveable.then_some(false),
            ..ComponentDocument::default()
        };
        let name = Spanned::new(components.name(node).unwrap_or_default().to_owned(), tree::spanned_name(node).span);
        conversion.document.components.0.push((name, document));
    }
    components
}

/// The name of a component in the document.
fn component_name<'a>(
    conversion: &mut Conversion<'a, '_>,
    node: Node<'a>,
    taken: &mut FxHashSet<String>,
) -> Option<String> {
    let written = tree::name(node);
    if written.is_empty() {
        let error = conversion.tree.error(node, "a software component has no name");
        conversion.findings.push(error.help("add name=\"...\""));
        return None;
    }
    let name = names::allowed(written, "component");
    if name != written {
        conversion.report.decide(written, format!("the component is called '{name}'"));
    }
    if !taken.insert(name.clone()) {
        let error = conversion.tree.error_at(node, "name", format!("two components are called '{name}'"));
        conversion.findings.push(error.help("give each component a name of its own"));
        return None;
    }
    Some(name)
}

/// One component that needs another.
struct Need<'a> {
    from: Node<'a>,
    to: Node<'a>,
    mandatory: bool,
}

/// Which components each component needs: those that a communication links it to, and for a required port without a
/// communication the only other component that provides the port.
fn needs<'a>(
    conversion: &mut Conversion<'a, '_>,
    deployment: Node<'a>,
    components: &Components<'a>,
) -> FxHashMap<NodeId, Vec<Spanned<String>>> {
    let tree = conversion.tree;
    let owner = |port: Node<'a>| port.parent().filter(|p| components.name(*p).is_some());
    let mut found: Vec<Need> = Vec::new();
    let mut linked: FxHashSet<NodeId> = FxHashSet::default();
    for communication in tree.children(deployment, "communications").to_vec() {
        tree.mark(communication);
        let ends = tree.reference(communication, "requiredCommunication").and_then(|required| {
            tree.reference(communication, "providedCommunication").map(|provided| (required, provided))
        });
        let Some((Some(required), Some(provided))) = conversion.check(ends) else { continue };
        linked.insert(required.id());
        if let (Some(from), Some(to)) = (owner(required), owner(provided)) {
            found.push(Need { from, to, mandatory: tree::flag(required, "isMandatory") });
        }
    }
    let mut providers: FxHashMap<&str, Vec<Node>> = FxHashMap::default();
    for component in &components.order {
        for port in tree.children(*component, "providedCommunications") {
            tree.mark(*port);
            if let Some(number) = port.attribute("portNumber") {
                providers.entry(number).or_default().push(*component);
            }
        }
    }
    for component in &components.order {
        for port in tree.children(*component, "requiredCommunications") {
            tree.mark(*port);
            if linked.contains(&port.id()) {
                continue;
            }
            let number = port.attribute("portNumber").unwrap_or("");
            let mut others = providers.get(number).into_iter().flatten().filter(|c| *c != component);
            let name = tree::name(*component);
            match (others.next(), others.next()) {
                (Some(one), None) => {
                    let text = format!("needs '{}', the only component that provides port {number}", tree::name(*one));
                    conversion.report.decide(name, text);
                    found.push(Need { from: *component, to: *one, mandatory: tree::flag(*port, "isMandatory") });
                }
                _ => conversion.report.decide(
                    name,
                    format!("no communication says who provides '{}': nothing is needed for it", tree::label(*port)),
                ),
            }
        }
    }
    without_circles(conversion, found, components)
}

/// Keeps the needs that make an order to start in; mandatory ones first.
fn without_circles<'a>(
    conversion: &mut Conversion<'a, '_>,
    mut found: Vec<Need<'a>>,
    components: &Components<'a>,
) -> FxHashMap<NodeId, Vec<Spanned<String>>> {
    found.sort_by_key(|need| !need.mandatory);
    let mut edges: FxHashMap<NodeId, Vec<Node>> = FxHashMap::default();
    let mut kept: FxHashSet<(NodeId, NodeId)> = FxHashSet::default();
    for Need { from, to, .. } in found {
        if from == to || kept.contains(&(from.id(), to.id())) {
            continue;
        }
        if reaches(&edges, to, from) {
            let text = format!("also talks to '{}', but starts before it: they need each other", tree::name(to));
            conversion.report.decide(tree::name(from), text);
            continue;
        }
        kept.insert((from.id(), to.id()));
        edges.entry(from.id()).or_default().push(to);
    }
    let named = |to: &Node<'a>| components.name(*to).map(|n| Spanned::new(n.to_owned(), tree::spanned_name(*to).span));
    edges.into_iter().map(|(from, all)| (from, all.iter().filter_map(named).collect())).collect()
}

fn reaches<'a>(edges: &FxHashMap<NodeId, Vec<Node<'a>>>, from: Node<'a>, to: Node<'a>) -> bool {
    let mut open = vec![from];
    let mut seen = FxHashSet::default();
    while let Some(node) = open.pop() {
        if node == to {
            return true;
        }
        if seen.insert(node.id()) {
            open.extend(edges.get(&node.id()).into_iter().flatten());
        }
    }
    false
}

/// Reports components that share a host: Melodic, like this importer, places each on nodes of its own.
fn shared_hosts<'a>(conversion: &mut Conversion<'a, '_>, deployment: Node<'a>, components: &Components<'a>) {
    let tree = conversion.tree;
    let mut hosted: FxHashMap<NodeId, Vec<&str>> = FxHashMap::default();
    for hosting in tree.children(deployment, "hostings") {
        let Ok(Some(host)) = tree.reference(*hosting, "providedHost") else { continue };
        for required in tree.references(*hosting, "requiredHosts").unwrap_or_default() {
            if let Some(name) = required.parent().and_then(|p| components.name(p)) {
                hosted.entry(host.id()).or_default().push(name);
            }
        }
    }
    let mut shared: Vec<Vec<&str>> = hosted.into_values().filter(|names| names.len() > 1).collect();
    shared.sort();
    for names in shared {
        let text =
            format!("shares a host with {} in the model; each is placed on nodes of its own", names[1..].join(", "));
        conversion.report.decide(names[0], text);
    }
}
