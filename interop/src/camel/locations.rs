//! Locations: which names of places a location requirement admits.

use cardinal_models::diagnostic::Diagnostic;
use roxmltree::NodeId;
use rustc_hash::{FxHashMap, FxHashSet};

use super::tree::{Node, Tree};

/// The tags of locations inside a location model or another location.
const TAGS: [&str; 5] = ["regions", "countries", "cloudLocations", "subLocations", "locations"];

/// The locations of all location models with what lies directly inside each.
pub(super) struct Locations<'a> {
    inside: FxHashMap<NodeId, Vec<Node<'a>>>,
    known: FxHashSet<NodeId>,
}

impl<'a> Locations<'a> {
    /// Collects the locations; errs when a location lies inside itself.
    pub(super) fn collect(tree: &Tree<'a>) -> Result<Self, Diagnostic> {
        let mut all = Vec::new();
        for model in tree.children(tree.root(), "locationModels") {
            for node in model.descendants().filter(|n| n.is_element() && n != model) {
                if TAGS.contains(&node.tag_name().name()) {
                    all.push(node);
                    tree.mark(node);
                }
            }
        }
        let known = all.iter().map(|n| n.id()).collect();
        let mut inside: FxHashMap<NodeId, Vec<Node>> = FxHashMap::default();
        // How many locations each one still lies in, to find those that lie in themselves.
        let mut open: FxHashMap<NodeId, usize> = FxHashMap::default();
        for node in &all {
            let mut parents = Vec::new();
            for feature in ["parentRegions", "parentRegion", "parent", "geographicalRegion"] {
                parents.extend(tree.references(*node, feature)?);
            }
            parents.extend(node.parent().filter(|p| TAGS.contains(&p.tag_name().name())));
            parents.dedup();
            open.insert(node.id(), parents.len());
            for parent in parents {
                inside.entry(parent.id()).or_default().push(*node);
            }
        }
        let mut ready: Vec<Node> = all.iter().copied().filter(|n| open.get(&n.id()) == Some(&0)).collect();
        while let Some(node) = ready.pop() {
            for child in inside.get(&node.id()).into_iter().flatten() {
                if let Some(count) = open.get_mut(&child.id()) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(*child);
                    }
                }
            }
        }
        let locations = Locations { inside, known };
        let stuck = all.iter().find(|n| open.get(&n.id()).is_some_and(|c| *c > 0) && locations.in_itself(**n));
        if let Some(node) = stuck {
            return Err(tree
                .error_at(
                    *node,
                    "parentRegions",
                    format!("the location '{}' lies inside itself", super::tree::label(*node)),
                )
                .help("remove the reference to a parent that closes the circle"));
        }
        Ok(locations)
    }

    /// True for a location of a location model.
    pub(super) fn contains(&self, node: Node<'a>) -> bool {
        self.known.contains(&node.id())
    }

    /// The location and everything inside it.
    fn with_descendants(&self, location: Node<'a>) -> Vec<Node<'a>> {
        let mut all = vec![location];
        let mut seen: FxHashSet<NodeId> = all.iter().map(|n| n.id()).collect();
        let mut next = 0;
        while let Some(node) = all.get(next).copied() {
            next += 1;
            all.extend(self.inside.get(&node.id()).into_iter().flatten().filter(|c| seen.insert(c.id())));
        }
        all
    }

    fn in_itself(&self, location: Node<'a>) -> bool {
        let mut all: Vec<Node> = self.inside.get(&location.id()).cloned().unwrap_or_default();
        let mut seen = FxHashSet::default();
        while let Some(node) = all.pop() {
            if node == location {
                return true;
            }
            if seen.insert(node.id()) {
                all.extend(self.inside.get(&node.id()).into_iter().flatten());
            }
        }
        false
    }

    /// Every name by which an offer in one of the required locations may be known: the names and ids of the locations
    /// and of all that lie inside them, and for a family of regions (`eu-west`) its members (`eu-west-*`).
    pub(super) fn names(&self, required: &[Node<'a>]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut seen: FxHashSet<String> = FxHashSet::default();
        let mut add = |name: String| {
            if seen.insert(name.to_lowercase()) {
                names.push(name);
            }
        };
        for location in required {
            for node in self.with_descendants(*location) {
                for name in [node.attribute("name"), node.attribute("id")].into_iter().flatten().map(str::trim) {
                    if !name.is_empty() {
                        add(name.to_owned());
                        if is_region_family(name) {
                            add(format!("{name}-*"));
                        }
                    }
                }
            }
        }
        names
    }
}

/// True for a name such as `eu-west`, of which providers have numbered regions (`eu-west-1`).
fn is_region_family(name: &str) -> bool {
    name.contains('-') && name.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !name.ends_with('-')
}
