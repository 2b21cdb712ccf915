//! Requirement sets: the resources, the system, the provider, the place and the number of instances of a component.

use cardinal_models::diagnostic::Diagnostic;
use cardinal_models::document::{OneOrMany, PlacementDocument, RequiresDocument, Scalar};
use cardinal_models::span::Spanned;

use super::locations::Locations;
use super::tree::{self, Node};
use super::{Conversion, annotation};

/// The largest number of instances that Melodic gives to a component that names none.
const INSTANCES_MAX: u32 = 100;

/// A GigaBytes requirement of at least so many on memory was written in MB: Melodic does not read the unit, and models
/// that say 4096 GigaBytes mean 4096 MB.
const MEGABYTES_FROM: f64 = 512.0;

/// The families of operating systems that node candidates name.
const SYSTEMS: [&str; 15] = [
    "ubuntu", "debian", "centos", "fedora", "rhel", "suse", "sles", "windows", "freebsd", "coreos", "arch", "gentoo",
    "amzn", "alpine", "linux",
];

/// The requirements on a component: its own set, and the set of the whole deployment where its own says nothing.
pub(super) struct Sets<'a> {
    own: Option<Node<'a>>,
    global: Option<Node<'a>>,
}

impl<'a> Sets<'a> {
    /// Follows the references of a component and of the deployment model to their sets.
    pub(super) fn of(conversion: &mut Conversion<'a, '_>, component: Node<'a>, deployment: Node<'a>) -> Self {
        let mut set = |node: Node<'a>, attribute| {
            let set = conversion.tree.reference(node, attribute);
            let set = conversion.check(set).flatten();
            if let Some(set) = set {
                conversion.tree.mark(set);
            }
            set
        };
        Sets { own: set(component, "requirementSet"), global: set(deployment, "globalRequirementSet") }
    }

    /// The requirement of one kind that holds for the component.
    fn get(&self, conversion: &mut Conversion<'a, '_>, attribute: &'a str, kind: &str) -> Option<Node<'a>> {
        for set in [self.own, self.global].into_iter().flatten() {
            let requirement = conversion.tree.reference(set, attribute);
            let Some(requirement) = conversion.check(requirement).flatten() else { continue };
            if tree::type_of(requirement) != kind {
                let message = format!("'{attribute}' leads to '{}', which is no {kind}", tree::label(requirement));
                let error = conversion.tree.error_at(set, attribute, message);
                conversion
                    .findings
                    .push(error.help(format!("refer to a requirement with xsi:type=\"requirement:{kind}\"")));
                return None;
            }
            conversion.tree.mark(requirement);
            return Some(requirement);
        }
        None
    }

    /// The number of instances.
    pub(super) fn cardinality(&self, conversion: &mut Conversion<'a, '_>, component: Node<'a>) -> Option<OneOrMany> {
        let Some(scale) = self.get(conversion, "horizontalScaleRequirement", "HorizontalScaleRequirement") else {
            conversion.report.decide(
                tree::name(component),
                format!("no horizontal scale requirement: 1 to {INSTANCES_MAX} instances, as in Melodic"),
            );
            return Some(one(format!("1..{INSTANCES_MAX}"), component));
        };
        let low = conversion.tree.number(scale, "minInstances");
        let high = conversion.tree.number(scale, "maxInstances");
        let (low, high) = (conversion.check(low)?, conversion.check(high)?);
        let whole = |x: f64| x.fract() == 0.0 && (-1.0..=1_000_000.0).contains(&x);
        if !whole(low) || !whole(high) || low < 0.0 {
            let message = format!("the instances of '{}' are not whole numbers up to 1000000", tree::label(scale));
            let error = conversion.tree.error(scale, message);
            conversion
                .findings
                .push(error.help("write minInstances=\"1\" maxInstances=\"10\"; -1 as the largest means no limit"));
            return None;
        }
        let high = if high == -1.0 || scale.attribute("maxInstances").is_none() {
            let limit = low.max(f64::from(INSTANCES_MAX));
            conversion.report.decide(
                tree::name(component),
                format!("'{}' has no upper limit: at most {limit} instances are considered", tree::label(scale)),
            );
            limit
        } else {
            high
        };
        if low > high {
            let message = format!("'{}' wants at least {low} and at most {high} instances", tree::label(scale));
            let error = conversion.tree.error_at(scale, "maxInstances", message);
            conversion.findings.push(error.help("let maxInstances be at least minInstances"));
            return None;
        }
        Some(if low == high { number(low, scale) } else { one(format!("{low}..{high}"), scale) })
    }

    /// The resources of a node.
    pub(super) fn resources(
        &self,
        conversion: &mut Conversion<'a, '_>,
        component: Node<'a>,
    ) -> Option<RequiresDocument> {
        if let Some(vertical) = self.get(conversion, "verticalScaleRequirement", "VerticalScaleRequirement") {
            conversion.report.decide(
                tree::name(component),
                format!(
                    "the vertical scale requirement '{}' adds nothing: every offer that the resource requirement \
                     admits is considered anyway",
                    tree::label(vertical)
                ),
            );
        }
        let requirement = self.get(conversion, "resourceRequirement", "ResourceRequirement")?;
        let mut bounds = Bounds::default();
        collect(conversion, requirement, "", &mut bounds);
        let Bounds { cores, mut memory, disk } = bounds;
        normalise_memory(conversion, requirement, &mut memory);
        let cores = conversion.range("cores", &cores, requirement, "");
        let memory = conversion.range("memory", &memory, requirement, " MiB");
        let disk = conversion.range("disk", &disk, requirement, " MiB");
        (cores.is_some() || memory.is_some() || disk.is_some()).then(|| RequiresDocument {
            cores,
            memory,
            disk,
            ..RequiresDocument::default()
        })
    }

    /// Where instances may run.
    pub(super) fn placement(
        &self,
        conversion: &mut Conversion<'a, '_>,
        component: Node<'a>,
        locations: &Locations<'a>,
    ) -> Option<PlacementDocument> {
        let mut placement = PlacementDocument::default();
        if let Some(system) = self.get(conversion, "osRequirement", "OSRequirement") {
            placement.os = operating_system(conversion, system);
        }
        if let Some(provider) = self.get(conversion, "providerRequirement", "ProviderRequirement") {
            let names = tree::texts(provider, "providerNames");
            placement.provider = many(names.iter().flat_map(|n| provider_names(n)), provider);
            placement.cloud = cloud(conversion, provider);
        }
        if let Some(image) = self.get(conversion, "imageRequirement", "ImageRequirement") {
            conversion.report.decide(
                tree::name(component),
                format!(
                    "the images of '{}' ({}) do not restrict the offers: catalogs do not list images",
                    tree::label(image),
                    tree::short(&tree::texts(image, "images").join(", "))
                ),
            );
        }
        if let Some(requirement) = self.get(conversion, "locationRequirement", "LocationRequirement") {
            let required = conversion.tree.references(requirement, "locations");
            let required = conversion.check(required).unwrap_or_default();
            if let Some(stranger) = required.iter().find(|l| !locations.contains(**l)) {
                let message = format!("'{}' is no location", tree::label(*stranger));
                let error = conversion.tree.error_at(requirement, "locations", message);
                conversion.findings.push(error.help("refer to a region of a location model"));
            }
            placement.location = many(locations.names(&required), requirement);
        }
        (placement != PlacementDocument::default()).then_some(placement)
    }
}

/// A lower and an upper bound, each with the element that states it.
#[derive(Default)]
struct Bound<'a> {
    least: Option<(f64, Node<'a>)>,
    most: Option<(f64, Node<'a>)>,
}

impl<'a> Bound<'a> {
    fn at_least(&mut self, x: f64, node: Node<'a>) {
        if self.least.is_none_or(|(old, _)| x > old) {
            self.least = Some((x, node));
        }
    }

    fn at_most(&mut self, x: f64, node: Node<'a>) {
        if self.most.is_none_or(|(old, _)| x < old) {
            self.most = Some((x, node));
        }
    }

    fn scale(&mut self, factor: f64) {
        for (x, _) in self.least.iter_mut().chain(self.most.iter_mut()) {
            *x *= factor;
        }
    }
}

#[derive(Default)]
struct Bounds<'a> {
    cores: Bound<'a>,
    memory: Bound<'a>,
    disk: Bound<'a>,
}

/// Collects the bounds of a feature and the features inside it.
fn collect<'a>(conversion: &mut Conversion<'a, '_>, feature: Node<'a>, family: &str, bounds: &mut Bounds<'a>) {
    for attribute in conversion.tree.children(feature, "attributes").to_vec() {
        conversion.tree.mark(attribute);
        let result = bound(conversion, attribute, family, bounds);
        conversion.check(result);
    }
    for inner in conversion.tree.children(feature, "subFeatures").to_vec() {
        conversion.tree.mark(inner);
        let own = annotation::of(conversion.tree, inner).first().copied().unwrap_or(family);
        collect(conversion, inner, own, bounds);
    }
}

/// Adds what one attribute of a resource requirement says.
fn bound<'a>(
    conversion: &mut Conversion<'a, '_>,
    attribute: Node<'a>,
    family: &str,
    bounds: &mut Bounds<'a>,
) -> Result<(), Diagnostic> {
    let annotations = annotation::of(conversion.tree, attribute);
    let Some(value) = conversion.tree.child(attribute, "value") else {
        let text = format!("'{}' has no value and restricts nothing", tree::label(attribute));
        conversion.report.decide("resource requirement", text);
        return Ok(());
    };
    conversion.tree.mark(value);
    for word in &annotations {
        let lower = word.to_ascii_lowercase();
        let least = match lower.as_str() {
            "hasminnumberofcores"
            | "totalmemoryhasmin"
            | "hasmin"
            | "hasminstorage"
            | "storagehasmin"
            | "totalstoragehasmin" => true,
            "hasmaxnumberofcores"
            | "totalmemoryhasmax"
            | "hasmax"
            | "hasmaxstorage"
            | "storagehasmax"
            | "totalstoragehasmax" => false,
            _ => continue,
        };
        let amount = conversion.tree.number(value, "value")?;
        if amount < 0.0 {
            let message = format!("'{}' is negative", tree::label(attribute));
            return Err(conversion.tree.error_at(value, "value", message).help("write an amount of at least 0"));
        }
        let unit = unit_name(conversion, attribute)?;
        // `hasMin` alone is the disk in Melodic; inside a feature that is plainly about another resource it is that.
        let (about, default) = if lower.contains("cores") {
            (&mut bounds.cores, None)
        } else if lower.contains("memory") {
            (&mut bounds.memory, Some("MegaBytes"))
        } else if lower.contains("storage") {
            (&mut bounds.disk, Some("GigaBytes"))
        } else {
            match family {
                "CPU" => (&mut bounds.cores, None),
                "RAM" => (&mut bounds.memory, Some("MegaBytes")),
                _ => (&mut bounds.disk, Some("GigaBytes")),
            }
        };
        let amount = match default.map(|default| (mib_per(unit.unwrap_or(default)), unit)) {
            None => amount,
            Some((Some(factor), _)) => amount * factor,
            Some((None, unit)) => {
                let message = format!("'{}' has the unit '{}'", tree::label(attribute), unit.unwrap_or(""));
                let error = conversion.tree.error_at(attribute, "unit", message);
                return Err(error.help("give an amount of data in Bytes, KiloBytes, MegaBytes, GigaBytes or TeraBytes"));
            }
        };
        if least {
            about.at_least(amount, value)
        } else {
            about.at_most(amount, value)
        }
        return Ok(());
    }
    let what = if annotations.is_empty() {
        "no annotation".to_owned()
    } else {
        format!("the annotation {}", annotations.join(" "))
    };
    let text = format!(
        "'{}' has {what}, which says nothing about the size of a node; it restricts nothing",
        tree::label(attribute)
    );
    conversion.report.decide("resource requirement", text);
    Ok(())
}

/// The name of the unit of an attribute.
fn unit_name<'a>(conversion: &Conversion<'a, '_>, attribute: Node<'a>) -> Result<Option<&'a str>, Diagnostic> {
    Ok(conversion.tree.reference(attribute, "unit")?.map(tree::name))
}

/// MiB in one of a unit of data. Clouds, and so CAMEL models, mean binary multiples.
fn mib_per(unit: &str) -> Option<f64> {
    let kib = match unit.to_ascii_lowercase().trim_end_matches('s') {
        "byte" => 1.0 / 1024.0,
        "kilobyte" | "kb" | "kibibyte" | "kib" => 1.0,
        "megabyte" | "mb" | "mebibyte" | "mib" => 1024.0,
        "gigabyte" | "gb" | "gibibyte" | "gib" => 1024.0 * 1024.0,
        "terabyte" | "tb" | "tebibyte" | "tib" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(kib / 1024.0)
}

/// Reads an amount of memory whose unit cannot be meant as MB, as Melodic does.
fn normalise_memory<'a>(conversion: &mut Conversion<'a, '_>, requirement: Node<'a>, memory: &mut Bound<'a>) {
    let smallest = memory.least.or(memory.most).map_or(0.0, |(mib, _)| mib);
    if smallest >= MEGABYTES_FROM * 1024.0 {
        memory.scale(1.0 / 1024.0);
        conversion.report.decide(
            tree::name(requirement),
            format!(
                "{smallest} MiB of memory cannot be meant; the amounts are read as MB, as Melodic does whatever the \
                 unit says"
            ),
        );
    }
}

impl<'a> Conversion<'a, '_> {
    /// The text of a range of amounts: exact, between, at least or at most.
    fn range(&mut self, what: &str, bound: &Bound<'a>, requirement: Node<'a>, unit: &str) -> Option<OneOrMany> {
        let place = bound.least.or(bound.most)?.1;
        let text = match (bound.least, bound.most) {
            (Some((low, _)), Some((high, node))) if low > high => {
                let message = format!(
                    "'{}' wants at least {low}{unit} and at most {high}{unit} of {what}",
                    tree::label(requirement)
                );
                let error = self.tree.error_at(node, "value", message);
                self.findings.push(error.help("let the largest value be at least the smallest"));
                return None;
            }
            (Some((low, node)), Some((high, _))) if low == high => {
                if unit.is_empty() {
                    return Some(number(low, node));
                }
                format!("{low}{unit}")
            }
            (Some((low, _)), Some((high, _))) => format!("{low}{unit}..{high}{unit}"),
            (Some((low, _)), None) => format!(">= {low}{unit}"),
            (None, Some((high, _))) => format!("<= {high}{unit}"),
            (None, None) => return None,
        };
        Some(one(text, place))
    }
}

/// The operating system of a requirement: the family that offers name.
fn operating_system<'a>(conversion: &mut Conversion<'a, '_>, requirement: Node<'a>) -> Option<OneOrMany> {
    let written = requirement.attribute("os").unwrap_or("").trim();
    let lower = written.to_lowercase();
    if lower.is_empty() || lower == "any" {
        return None;
    }
    let family = SYSTEMS.iter().find(|s| lower.starts_with(**s)).map_or(lower.as_str(), |s| s);
    if family != lower {
        let text = format!(
            "'{}' asks for '{}'; offers name the family '{family}' only",
            tree::label(requirement),
            tree::short(written)
        );
        conversion.report.decide("operating system", text);
    }
    Some(one(family.to_owned(), requirement))
}

/// The names by which offers may know a provider: ours, and the one in the model.
fn provider_names(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let known = [
        ("aws", ["aws", "ec2", "amazon"].as_slice()),
        ("azure", ["azure", "microsoft"].as_slice()),
        ("gcp", ["gcp", "google", "gce"].as_slice()),
        ("openstack", ["openstack"].as_slice()),
    ];
    let own = known.iter().find(|(_, words)| words.iter().any(|w| lower.contains(w))).map(|(own, _)| (*own).to_owned());
    own.into_iter().filter(|own| *own != lower).chain([lower.clone()]).collect()
}

/// The kind of cloud of a provider requirement.
fn cloud<'a>(conversion: &mut Conversion<'a, '_>, requirement: Node<'a>) -> Option<OneOrMany> {
    let written = requirement.attribute("cloudType").unwrap_or("ANY");
    let kind = match written.to_ascii_uppercase().as_str() {
        "PUBLIC" => "public",
        "PRIVATE" => "private",
        "EDGE" => "edge",
        "BYON" => "own",
        "ANY" => return None,
        _ => {
            let text = format!(
                "'{}' asks for the cloud type '{}', which restricts nothing",
                tree::label(requirement),
                tree::short(written)
            );
            conversion.report.decide("provider requirement", text);
            return None;
        }
    };
    Some(one(kind.to_owned(), requirement))
}

fn one(text: String, node: Node<'_>) -> OneOrMany {
    OneOrMany::One(Spanned::new(Scalar::Text(text), tree::tag_span(node)))
}

fn number(value: f64, node: Node<'_>) -> OneOrMany {
    OneOrMany::One(Spanned::new(Scalar::Number(value), tree::tag_span(node)))
}

/// One text or a choice; `None` without any.
fn many(texts: impl IntoIterator<Item = String>, node: Node<'_>) -> Option<OneOrMany> {
    let span = tree::tag_span(node);
    let mut values: Vec<_> = Vec::new();
    for text in texts {
        let value = Spanned::new(Scalar::Text(text), span);
        if !values.contains(&value) {
            values.push(value);
        }
    }
    match values.len() {
        0 => None,
        1 => values.pop().map(OneOrMany::One),
        _ => Some(OneOrMany::Many(values)),
    }
}
