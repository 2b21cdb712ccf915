//! Offers: what can be bought or used to host instances, and their attributes as formulas see them.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::quantity::{Bytes, Cores, Price};

/// How an offer is bought.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Purchase {
    /// By the hour, kept as long as wanted.
    #[default]
    OnDemand,
    /// Cheaper, may be taken back by the provider at any time.
    Spot,
    /// Paid for in advance.
    Reserved,
}

impl Purchase {
    /// The word in files, formulas and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Purchase::OnDemand => "on-demand",
            Purchase::Spot => "spot",
            Purchase::Reserved => "reserved",
        }
    }
}

/// Whose machines an offer uses.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CloudKind {
    /// A public cloud provider.
    #[default]
    Public,
    /// A private cloud.
    Private,
    /// Machines at the edge.
    Edge,
    /// The user's own machines ("bring your own node").
    Own,
}

impl CloudKind {
    /// The word in files, formulas and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            CloudKind::Public => "public",
            CloudKind::Private => "private",
            CloudKind::Edge => "edge",
            CloudKind::Own => "own",
        }
    }
}

/// Which operating systems a node of an offer can run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum OperatingSystem {
    /// The offer names no image: it can boot any.
    #[default]
    Any,
    /// An image with an unknown system: it satisfies no named one.
    Unknown,
    /// One system, lower case: `ubuntu`, `debian`, `windows` ...
    Named(Arc<str>),
}

/// A free attribute of an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValue {
    /// A number.
    Number(f64),
    /// A text.
    Text(Arc<str>),
}

/// How the nodes of an offer come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lifecycle {
    /// The share of such nodes that the provider takes back within a month of 730 hours, from 0 to 1. `None` when the
    /// offer does not tell: see [`Offer::interruption_rate`].
    pub interruption_rate: Option<f64>,
    /// Seconds from ordering a node until instances can start on it, when known.
    pub start_up_s: Option<f64>,
    /// Seconds for which a node is paid at least, when known.
    pub minimum_lifetime_s: Option<f64>,
}

/// One thing that can be bought or used to host instances.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Unique in a catalog, such as `aws/eu-central-1/m5.large` or `gcp/europe-west3/e2-medium/spot`.
    pub id: Arc<str>,
    /// The provider, lower case: `aws`, `azure`, `gcp`, `openstack` ...
    pub provider: Arc<str>,
    /// The region, empty when the offer names none.
    pub region: Arc<str>,
    /// The zones of the region in which nodes of this offer can be had at this price; empty when the offer does not
    /// tell, and then the whole region counts as one zone.
    pub zones: Arc<[Arc<str>]>,
    /// Country as an ISO 3166 alpha-2 code (`DE`), empty when unknown.
    pub country: Arc<str>,
    /// Further names of places that contain this offer, such as its city, its location id, or areas that a model
    /// defines. Matched like region and country.
    pub places: Arc<[Arc<str>]>,
    /// Latitude and longitude in degrees, when known.
    pub coordinates: Option<(f64, f64)>,
    /// The machine type: `m5.large`.
    pub machine_type: Arc<str>,
    /// The family of the machine type: `m5`. Catalogs that do not tell it get [`family_of`].
    pub family: Arc<str>,
    /// Whose machines.
    pub cloud: CloudKind,
    /// How it is bought.
    pub purchase: Purchase,
    /// vCPU.
    pub cores: Cores,
    /// Memory.
    pub memory: Bytes,
    /// Local disk; `None` when the offer does not tell (network disks of any size can be attached).
    pub disk: Option<Bytes>,
    /// Number of GPUs.
    pub gpus: u32,
    /// Processor architecture: `amd64` or `arm64`.
    pub architecture: Arc<str>,
    /// Operating systems.
    pub os: OperatingSystem,
    /// Price per hour in the catalog's currency.
    pub price: Price,
    /// How its nodes come and go.
    pub lifecycle: Lifecycle,
    /// Free attributes. Of a configuration all attributes but the price.
    pub labels: Arc<IndexMap<Arc<str>, LabelValue>>,
    /// Set for a configuration of one component (`configurations` of the model), on which nothing else may run.
    pub configuration: Option<Arc<Configuration>>,
}

/// What makes an offer a configuration of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The component.
    pub component: Arc<str>,
    /// The user's name of the configuration.
    pub name: Arc<str>,
    /// The number of instances that it stands for; `None` when it goes with any.
    pub cardinality: Option<u32>,
}

/// An attribute of a component, as in `web.cores`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    /// The number of instances.
    Cardinality,
    /// vCPU of the offer.
    Cores,
    /// Memory in MiB.
    Memory,
    /// Local disk in MiB.
    Disk,
    /// Number of GPUs.
    Gpus,
    /// Price per hour of one node.
    Price,
    /// Degrees north.
    Latitude,
    /// Degrees east.
    Longitude,
    /// Text: the provider.
    Provider,
    /// Text: the region.
    Region,
    /// Text: the country code.
    Country,
    /// Text: the continent code (`EU`, `NA`, `AS`, `SA`, `AF`, `OC`).
    Continent,
    /// Text: the machine type.
    MachineType,
    /// Text: the family of the machine type.
    Family,
    /// Text: `on-demand`, `spot`, `reserved`.
    Purchase,
    /// Text: `public`, `private`, `edge`, `own`.
    Cloud,
    /// Text: the processor architecture.
    Architecture,
    /// Text: the operating system, empty when the offer can boot any.
    Os,
    /// The share of such nodes that the provider takes back within a month.
    InterruptionRate,
    /// Seconds until instances can start on a new node.
    StartUp,
    /// Seconds for which a node is paid at least.
    MinimumLifetime,
    /// A free attribute of the offer; number or text as the catalog has it.
    Label(Arc<str>),
}

impl Attribute {
    /// Every attribute with a fixed name, with that name.
    pub const NAMED: [(&'static str, Attribute); 21] = [
        ("cardinality", Attribute::Cardinality),
        ("cores", Attribute::Cores),
        ("memory", Attribute::Memory),
        ("disk", Attribute::Disk),
        ("gpus", Attribute::Gpus),
        ("price", Attribute::Price),
        ("latitude", Attribute::Latitude),
        ("longitude", Attribute::Longitude),
        ("provider", Attribute::Provider),
        ("region", Attribute::Region),
        ("country", Attribute::Country),
        ("continent", Attribute::Continent),
        ("machine_type", Attribute::MachineType),
        ("family", Attribute::Family),
        ("purchase", Attribute::Purchase),
        ("cloud", Attribute::Cloud),
        ("architecture", Attribute::Architecture),
        ("os", Attribute::Os),
        ("interruption_rate", Attribute::InterruptionRate),
        ("start_up", Attribute::StartUp),
        ("minimum_lifetime", Attribute::MinimumLifetime),
    ];

    /// The attribute with a fixed name, or `None` for the name of a label.
    pub fn named(name: &str) -> Option<Attribute> {
        Attribute::NAMED.iter().find(|(n, _)| *n == name).map(|(_, a)| a.clone())
    }

    /// The name in formulas.
    pub fn name(&self) -> &str {
        match self {
            Attribute::Label(label) => label,
            other => Attribute::NAMED.iter().find(|(_, a)| a == other).map_or("", |(n, _)| n),
        }
    }
}

/// The value of an attribute of one offer.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// A number in the attribute's unit.
    Number(f64),
    /// A text.
    Text(Arc<str>),
    /// The offer does not tell.
    Missing,
}

impl Offer {
    /// The value of an attribute of a node of this offer. [`Attribute::Cardinality`] is not an offer's: `Missing`.
    pub fn attribute(&self, attribute: &Attribute) -> AttributeValue {
        let text = |t: &Arc<str>| AttributeValue::Text(t.clone());
        let label = |name: &str| match self.labels.get(name) {
            Some(LabelValue::Number(n)) => AttributeValue::Number(*n),
            Some(LabelValue::Text(t)) => AttributeValue::Text(t.clone()),
            None => AttributeValue::Missing,
        };
        let told = |x: Option<f64>| x.map_or(AttributeValue::Missing, AttributeValue::Number);
        match attribute {
            Attribute::Cardinality => AttributeValue::Missing,
            // A configuration has the attributes that its author measured, as they were written, and no others.
            attribute if self.configuration.is_some() && *attribute != Attribute::Price => label(attribute.name()),
            Attribute::Cores => AttributeValue::Number(self.cores.count()),
            Attribute::Memory => AttributeValue::Number(self.memory.mib()),
            Attribute::Disk => self.disk.map_or(AttributeValue::Missing, |d| AttributeValue::Number(d.mib())),
            Attribute::Gpus => AttributeValue::Number(f64::from(self.gpus)),
            Attribute::Price => AttributeValue::Number(self.price.units()),
            Attribute::Latitude => self.coordinates.map_or(AttributeValue::Missing, |c| AttributeValue::Number(c.0)),
            Attribute::Longitude => self.coordinates.map_or(AttributeValue::Missing, |c| AttributeValue::Number(c.1)),
            Attribute::Provider => text(&self.provider),
            Attribute::Region => text(&self.region),
            Attribute::Country => text(&self.country),
            Attribute::Continent => AttributeValue::Text(crate::location::continent_of(&self.country).into()),
            Attribute::MachineType => text(&self.machine_type),
            Attribute::Family => text(&self.family),
            Attribute::InterruptionRate => told(self.interruption_rate()),
            Attribute::StartUp => told(self.lifecycle.start_up_s),
            Attribute::MinimumLifetime => told(self.lifecycle.minimum_lifetime_s),
            Attribute::Purchase => AttributeValue::Text(self.purchase.as_str().into()),
            Attribute::Cloud => AttributeValue::Text(self.cloud.as_str().into()),
            Attribute::Architecture => text(&self.architecture),
            Attribute::Os => match &self.os {
                OperatingSystem::Named(name) => text(name),
                OperatingSystem::Any => AttributeValue::Text("".into()),
                OperatingSystem::Unknown => AttributeValue::Text("unknown".into()),
            },
            Attribute::Label(name) => label(name),
        }
    }

    /// The share of such nodes that are taken back within a month. What is no spot offer and does not tell has 0; a
    /// spot offer that does not tell has none.
    pub fn interruption_rate(&self) -> Option<f64> {
        self.lifecycle.interruption_rate.or_else(|| (self.purchase != Purchase::Spot).then_some(0.0))
    }

    /// Every attribute name that this offer can answer in a formula, labels included, is the union of
    /// [`Attribute::NAMED`] and its label names; this tells whether one label exists.
    pub fn has_label(&self, label: &str) -> bool {
        self.labels.contains_key(label)
    }
}

/// The family that a machine type's name tells: `m5` of `m5.large`, `e2` of `e2-standard-2`, `Dsv3` of
/// `Standard_D2s_v3`; the name itself where it follows none of these customs.
pub fn family_of(machine_type: &str) -> String {
    if let Some((family, _)) = machine_type.split_once('.') {
        return family.to_owned();
    }
    if let Some(size) = machine_type.strip_prefix("Standard_").or_else(|| machine_type.strip_prefix("Basic_")) {
        // Letters, the size, an optional smaller number of active cores, further letters: `M64-32ms_v2` is `Mmsv2`.
        let letters = size.find(|c: char| c.is_ascii_digit()).unwrap_or(size.len());
        let rest = size[letters..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
        return format!("{}{}", &size[..letters], rest.replace('_', ""));
    }
    machine_type.split_once('-').map_or(machine_type, |(family, _)| family).to_owned()
}

#[cfg(test)]
mod tests {
    use super::family_of;

    #[test]
    fn families_follow_the_customs_of_the_providers() {
        for (machine_type, family) in [
            ("m5.large", "m5"),
            ("u-6tb1.metal", "u-6tb1"),
            ("e2-standard-2", "e2"),
            ("n2d-custom-8-16384", "n2d"),
            ("Standard_D2s_v3", "Dsv3"),
            ("Standard_M64-32ms_v2", "Mmsv2"),
            ("Standard_B1ls", "Bls"),
            ("Basic_A1", "A"),
            ("large", "large"),
            ("", ""),
        ] {
            assert_eq!(family_of(machine_type), family, "{machine_type}");
        }
    }
}
