//! Annotations: what an attribute or a metric means, in the words of the Melodic metadata schema.

use super::tree::{Node, Tree};

/// The ids of an element's annotations. An annotation is written as the id of a concept, or as a reference to it.
pub(super) fn of<'a>(tree: &Tree<'a>, node: Node<'a>) -> Vec<&'a str> {
    let Some(text) = node.attribute("annotations") else { return Vec::new() };
    if !text.contains('/') {
        return text.split_ascii_whitespace().collect();
    }
    // A reference that leads nowhere is a missing concept of the metadata schema: nothing hangs on it.
    let concepts = tree.references(node, "annotations").unwrap_or_default();
    concepts.into_iter().filter_map(|c| c.attribute("id").or_else(|| c.attribute("name"))).collect()
}

/// What a metric variable stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    Cardinality,
    Price,
    Cores,
    Memory,
    Disk,
    Latitude,
    Longitude,
}

impl Quantity {
    /// The quantity that an annotation names.
    pub(super) fn named(annotation: &str) -> Option<Self> {
        Some(match annotation.to_ascii_lowercase().as_str() {
            "cardinality" => Quantity::Cardinality,
            "cost" | "price" => Quantity::Price,
            "cpu" | "cores" | "numberofcores" | "computationpower" => Quantity::Cores,
            "ram" | "memory" | "totalmemory" => Quantity::Memory,
            "storage" | "disk" => Quantity::Disk,
            "latitude" => Quantity::Latitude,
            "longitude" => Quantity::Longitude,
            _ => return None,
        })
    }

    /// The quantity of a component, in the unit that Melodic gives it to formulas, without a dimension.
    pub(super) fn formula(self, component: &str) -> String {
        match self {
            Quantity::Cardinality => format!("{component}.cardinality"),
            Quantity::Price => format!("number({component}.price)"),
            Quantity::Cores => format!("{component}.cores"),
            Quantity::Memory => format!("number({component}.memory)"),
            // Node candidates tell their disk in GB, and mean GiB.
            Quantity::Disk => format!("number({component}.disk) / 1024"),
            // Melodic's constraint problems have whole numbers, so it counts hundredths of a degree.
            Quantity::Latitude => format!("100 * {component}.latitude"),
            Quantity::Longitude => format!("100 * {component}.longitude"),
        }
    }

    /// The quantity of the running deployment. When nothing runs, Melodic's first deployment takes one instance to
    /// run; its offer is the planned one, so that a difference between now and then is none.
    pub(super) fn current(self, component: &str) -> String {
        match self {
            Quantity::Cardinality => format!("current({component}.cardinality, 1)"),
            Quantity::Price => format!("number(current({component}.price, {component}.price))"),
            Quantity::Cores => format!("current({component}.cores, {component}.cores)"),
            Quantity::Memory => format!("number(current({component}.memory, {component}.memory))"),
            Quantity::Disk => format!("number(current({component}.disk, {component}.disk)) / 1024"),
            Quantity::Latitude => format!("100 * current({component}.latitude, {component}.latitude)"),
            Quantity::Longitude => format!("100 * current({component}.longitude, {component}.longitude)"),
        }
    }
}
