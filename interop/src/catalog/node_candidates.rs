//! Reads the node candidates of Melodic and Cloudiator: a JSON array, each entry a combination of cloud, location,
//! hardware and image. Memory is in MB and means MiB, disk in GB. Prices have no currency.
//!
//! Candidates that differ only in the image are kept apart, because drivers and requirements tell them apart.

use std::borrow::Cow;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::location;
use cardinal_models::offer::{CloudKind, LabelValue, OperatingSystem};
use cardinal_models::quantity::Bytes;
use cardinal_models::span::Span;
use serde::Deserialize;

use super::assemble::{Assembler, lower};
use super::draft::{Draft, Names, Problem, bytes, cores, price};
use super::findings::Notice;
use super::json;
use super::native::architecture;

/// Locations are nested cloud, region, zone, host; a longer chain of parents is a mistake.
const PARENTS_MAX: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    node_candidate_type: Option<json::Text<'a>>,
    #[serde(default)]
    price: Option<f64>,
    #[serde(borrow, default)]
    cloud: Option<Cloud<'a>>,
    #[serde(borrow, default)]
    location: Option<Location<'a>>,
    #[serde(borrow, default)]
    image: Option<Image<'a>>,
    #[serde(borrow, default)]
    hardware: Option<Hardware<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cloud<'a> {
    #[serde(borrow, default)]
    id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    cloud_type: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    api: Option<Api<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Api<'a> {
    #[serde(borrow, default)]
    provider_name: Option<json::Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(borrow, default)]
    id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    name: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    provider_id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    location_scope: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    geo_location: Option<GeoLocation<'a>>,
    #[serde(borrow, default)]
    parent: Option<Box<Location<'a>>>,
}

#[derive(Deserialize)]
struct GeoLocation<'a> {
    #[serde(borrow, default)]
    city: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    country: Option<json::Text<'a>>,
    #[serde(default)]
    latitude: Option<f64>,
    #[serde(default)]
    longitude: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image<'a> {
    #[serde(borrow, default)]
    id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    name: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    provider_id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    operating_system: Option<System<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct System<'a> {
    #[serde(borrow, default)]
    operating_system_family: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    operating_system_architecture: Option<json::Text<'a>>,
    /// A number in some releases, a text in others.
    #[serde(default)]
    operating_system_version: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hardware<'a> {
    #[serde(borrow, default)]
    id: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    name: Option<json::Text<'a>>,
    #[serde(borrow, default)]
    provider_id: Option<json::Text<'a>>,
    #[serde(default)]
    cores: Option<f64>,
    #[serde(default)]
    ram: Option<f64>,
    #[serde(default)]
    disk: Option<f64>,
    #[serde(default)]
    gpu: Option<f64>,
    #[serde(default)]
    fpga: Option<f64>,
}

/// Reads the candidates.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    let found = match json::entries(source) {
        Ok(found) => found,
        Err(error) => {
            into.findings.error(error);
            return into.finish();
        }
    };
    if !found.is_array {
        let problem = Problem::new("node candidates are an array", "put the candidates between `[` and `]`");
        into.refuse(json::start(source), "", problem);
        return into.finish();
    }
    for (_, raw) in found.entries {
        let span = json::place(source, raw);
        match json::decode::<Candidate<'_>>(source, raw) {
            Ok(candidate) => read_candidate(&candidate, span, &mut into),
            Err(error) => into.findings.error(error),
        }
        if into.is_over() {
            break;
        }
    }
    if !into.catalog.is_empty() {
        let message = "node candidates name no currency: their prices are in an abstract unit";
        let help = "`cardinal catalog convert --currency USD --rate 1` gives them one";
        into.findings.warn(Diagnostic::warning(Span::NONE, message).help(help));
    }
    into.finish()
}

/// The text, empty when missing or when it is the placeholder of a generated example.
fn text<'c>(text: &'c Option<json::Text<'_>>) -> &'c str {
    text.as_ref().map(|t| t.0.trim()).filter(|t| *t != "string").unwrap_or("")
}

fn read_candidate(candidate: &Candidate<'_>, span: Span, into: &mut Assembler<'_>) {
    let kind = text(&candidate.node_candidate_type);
    let (Some(hardware), false) = (&candidate.hardware, matches!(kind, "FAAS" | "PAAS")) else {
        into.findings.note(Notice::NoMachine, span);
        return;
    };
    match draft(candidate, hardware, kind) {
        Ok(mut draft) => {
            if draft.id.is_none() {
                draft.id = Some(Cow::Owned(into.unused_id(composed_id(candidate, hardware))));
            }
            into.add(draft, span);
        }
        Err((path, problem)) => into.refuse(span, path, problem),
    }
}

type Wrong = (&'static str, Problem);

fn draft<'c>(candidate: &'c Candidate<'_>, hardware: &'c Hardware<'_>, kind: &str) -> Result<Draft<'c>, Wrong> {
    let cloud = candidate.cloud.as_ref();
    let place = place_of(candidate.location.as_ref());
    let at = |path: &'static str| move |problem: Problem| (path, problem);
    let mebibytes = |x: f64| bytes(x, Bytes::MIB, "MB");
    let name = [&hardware.name, &hardware.provider_id, &hardware.id].into_iter().map(text).find(|t| !t.is_empty());
    let gpus = hardware.gpu.unwrap_or(0.0);
    if gpus.fract() != 0.0 || !(0.0..=1e6).contains(&gpus) {
        let problem = Problem::new(format!("{gpus} is no number of GPUs"), "write a whole number");
        return Err(("hardware.gpu", problem));
    }
    let disk = match hardware.disk {
        // Zero is what Cloudiator writes for flavours that boot from a volume.
        None | Some(0.0) => None,
        Some(gigabytes) => Some(bytes(gigabytes, 1_000_000_000, "GB").map_err(at("hardware.disk"))?),
    };
    let system = candidate.image.as_ref().map(|i| i.operating_system.as_ref());
    Ok(Draft {
        id: Some(text(&candidate.id)).filter(|id| !id.is_empty()).map(Cow::Borrowed),
        provider: provider(cloud.and_then(|c| c.api.as_ref()).map_or("", |a| text(&a.provider_name))),
        region: place.region.into(),
        zones: Names::List(place.zone.into_iter().collect()),
        country: place.country,
        places: Names::List(place.names),
        coordinates: place.coordinates,
        machine_type: name.unwrap_or("").into(),
        cloud: cloud_kind(cloud.map_or("", |c| text(&c.cloud_type)), kind),
        cores: cores(hardware.cores.unwrap_or(0.0)).map_err(at("hardware.cores"))?,
        memory: mebibytes(hardware.ram.unwrap_or(0.0)).map_err(at("hardware.ram"))?,
        disk,
        gpus: gpus as u32,
        architecture: system.flatten().map_or("", |s| image_architecture(text(&s.operating_system_architecture))),
        os: match system {
            None => OperatingSystem::Any,
            Some(system) => family(system.map_or("", |s| text(&s.operating_system_family))),
        },
        price: price(candidate.price.unwrap_or(0.0)).map_err(at("price"))?,
        labels: labels(candidate, hardware),
        ..Draft::default()
    })
}

fn provider(api: &str) -> Cow<'_, str> {
    let name = match api {
        "aws-ec2" => "aws",
        "openstack-nova" | "openstack4j" | "openstack-nova-ec2" => "openstack",
        "google-compute-engine" => "gcp",
        "azurecompute" | "azurecompute-arm" => "azure",
        "" => "unknown",
        other => return lower(other),
    };
    Cow::Borrowed(name)
}

fn cloud_kind(cloud: &str, candidate: &str) -> CloudKind {
    match (candidate, cloud) {
        ("BYON", _) | (_, "BYON") => CloudKind::Own,
        ("EDGE", _) | (_, "EDGE") => CloudKind::Edge,
        (_, "PRIVATE") => CloudKind::Private,
        _ => CloudKind::Public,
    }
}

fn family(family: &str) -> OperatingSystem {
    match family {
        "" | "UNKNOWN" | "UNKNOWN_OS_FAMILY" => OperatingSystem::Unknown,
        known => OperatingSystem::Named(known.to_lowercase().into()),
    }
}

fn image_architecture(name: &str) -> &str {
    if name == "UNKNOWN" { "" } else { architecture(name) }
}

/// Where a candidate lies.
#[derive(Default)]
struct Place<'c> {
    region: &'c str,
    zone: Option<&'c str>,
    country: &'static str,
    names: Vec<&'c str>,
    coordinates: Option<(f64, f64)>,
}

/// The region is the nearest location of that scope, or the innermost one when none has it. The names, ids and
/// provider ids of the location and all its parents are places, as are a city and a country that is none.
fn place_of<'c>(location: Option<&'c Location<'_>>) -> Place<'c> {
    let chain: Vec<&Location<'_>> =
        std::iter::successors(location, |l| l.parent.as_deref()).take(PARENTS_MAX).collect();
    let Some(first) = chain.first() else { return Place::default() };
    let name = |l: &'c Location<'_>| [&l.name, &l.provider_id, &l.id].into_iter().map(text).find(|t| !t.is_empty());
    let region = chain.iter().find(|l| text(&l.location_scope) == "REGION");
    let zone = (text(&first.location_scope) == "ZONE" && region.is_some()).then(|| name(first)).flatten();
    let region = name(region.unwrap_or(first)).unwrap_or("");
    let mut place = Place { region, zone, ..Place::default() };
    let mut add = |name: &'c str| {
        if !name.is_empty() && name != region && !place.names.contains(&name) {
            place.names.push(name);
        }
    };
    for location in &chain {
        for name in [&location.id, &location.name, &location.provider_id] {
            add(text(name));
        }
    }
    for geo in chain.iter().filter_map(|l| l.geo_location.as_ref()) {
        add(text(&geo.city));
        let country = text(&geo.country);
        match location::country_code(country) {
            Some(code) if place.country.is_empty() => place.country = code,
            Some(_) => {}
            None => add(country),
        }
        let coordinates = geo.latitude.zip(geo.longitude);
        // Zero and zero is open sea and the default of a generated example.
        let is_place = |(lat, lon): &(f64, f64)| {
            (*lat != 0.0 || *lon != 0.0) && (-90.0..=90.0).contains(lat) && (-180.0..=180.0).contains(lon)
        };
        place.coordinates = place.coordinates.or(coordinates.filter(is_place));
    }
    place
}

fn labels<'c>(candidate: &'c Candidate<'_>, hardware: &'c Hardware<'_>) -> Vec<(&'c str, LabelValue)> {
    let image = candidate.image.as_ref();
    let texts = [
        ("cloud_id", candidate.cloud.as_ref().map_or("", |c| text(&c.id))),
        ("location_id", candidate.location.as_ref().map_or("", |l| text(&l.id))),
        ("hardware_id", text(&hardware.id)),
        ("image", image.map_or("", |i| text(&i.name))),
        ("image_id", image.map_or("", |i| text(&i.id))),
    ];
    let mut labels: Vec<(&str, LabelValue)> =
        texts.into_iter().filter(|(_, t)| !t.is_empty()).map(|(n, t)| (n, LabelValue::Text(t.into()))).collect();
    let version = image.and_then(|i| i.operating_system.as_ref()).and_then(|s| s.operating_system_version.as_ref());
    match version {
        Some(serde_json::Value::String(version)) if !version.is_empty() => {
            labels.push(("os_version", LabelValue::Text(version.as_str().into())));
        }
        Some(serde_json::Value::Number(version)) => match version.as_f64() {
            Some(version) if version != 0.0 => labels.push(("os_version", LabelValue::Number(version))),
            _ => {}
        },
        _ => {}
    }
    if let Some(fpgas) = hardware.fpga.filter(|f| *f > 0.0) {
        labels.push(("fpgas", LabelValue::Number(fpgas)));
    }
    labels
}

/// Cloud, location, hardware and image, by the names that people know.
fn composed_id(candidate: &Candidate<'_>, hardware: &Hardware<'_>) -> String {
    let named = |texts: &[&Option<json::Text<'_>>]| -> String {
        texts.iter().map(|t| text(t)).find(|t| !t.is_empty()).unwrap_or("").to_owned()
    };
    let parts = [
        candidate.cloud.as_ref().map(|c| named(&[&c.id])),
        candidate.location.as_ref().map(|l| named(&[&l.name, &l.provider_id, &l.id])),
        Some(named(&[&hardware.name, &hardware.provider_id, &hardware.id])),
        candidate.image.as_ref().map(|i| named(&[&i.name, &i.provider_id, &i.id])),
    ];
    parts.into_iter().flatten().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("/")
}
