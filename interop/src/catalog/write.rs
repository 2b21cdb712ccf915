//! Writes catalogs in Cardinal's own forms. What is written reads back to the same offers, with two exceptions in CSV:
//! routes of the network, which a table of their own tells, a `;` in the name of a zone or place becomes a comma, and a text label that reads as a number becomes one.

use cardinal_models::catalog::Catalog;
use cardinal_models::offer::{LabelValue, Offer, OperatingSystem, family_of};
use cardinal_models::quantity::Bytes;
use indexmap::IndexSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::native::COLUMNS;

/// The catalog as a table with the columns of [`COLUMNS`] and one `label:NAME` for each label.
pub fn to_csv(catalog: &Catalog) -> String {
    let mut labels: IndexSet<&str> = IndexSet::new();
    for offer in catalog.offers() {
        labels.extend(offer.labels.keys().map(|k| k.as_ref()));
    }
    let mut writer = csv::WriterBuilder::new().comment(Some(b'#')).from_writer(facts(catalog, "# ").into_bytes());
    let header = COLUMNS.iter().map(|c| (*c).to_owned()).chain(labels.iter().map(|l| format!("label:{l}")));
    // Writing to memory fails only for records of unequal length, which these are not.
    let mut is_whole = writer.write_record(header).is_ok();
    for offer in catalog.offers() {
        let cells =
            cells(offer).into_iter().chain(labels.iter().map(|l| offer.labels.get(*l).map_or_else(String::new, plain)));
        is_whole &= writer.write_record(cells).is_ok();
    }
    debug_assert!(is_whole, "a record has another length than the header");
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The catalog as YAML, one line for each offer.
pub fn to_yaml(catalog: &Catalog) -> String {
    let mut out = String::new();
    for (name, value) in named_facts(catalog) {
        line(&mut out, format_args!("{name}: {}", quoted(value)));
    }
    if !catalog.network.routes.is_empty() {
        out.push_str("network:\n");
    }
    for route in &catalog.network.routes {
        let mut parts = format!("from: {}, to: {}", quoted(&route.from), quoted(&route.to));
        for (name, figure) in [("latency_ms", route.latency_ms), ("egress_price_per_gb", route.egress_per_gb)] {
            parts.extend(figure.map(|x| format!(", {name}: {x}")));
        }
        line(&mut out, format_args!("  - {{{parts}}}"));
    }
    if catalog.is_empty() {
        out.push_str("offers: []\n");
        return out;
    }
    out.push_str("offers:\n");
    for offer in catalog.offers() {
        let parts: Vec<String> = values(offer).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        line(&mut out, format_args!("  - {{{}}}", parts.join(", ")));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = writeln!(out, "{text}");
    debug_assert!(written.is_ok(), "writing to a text cannot fail");
}

fn named_facts(catalog: &Catalog) -> impl Iterator<Item = (&'static str, &str)> {
    [("currency", &catalog.currency), ("date", &catalog.date), ("source", &catalog.source)]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.as_str()))
}

fn facts(catalog: &Catalog, prefix: &str) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r'], " ");
    named_facts(catalog).map(|(name, value)| format!("{prefix}{name}: {}\n", one_line(value))).collect()
}

fn os(offer: &Offer) -> &str {
    match &offer.os {
        OperatingSystem::Any => "",
        OperatingSystem::Unknown => "unknown",
        OperatingSystem::Named(name) => name,
    }
}

fn cells(offer: &Offer) -> [String; COLUMNS.len()] {
    let list = |names: &[Arc<str>]| names.iter().map(|n| n.replace(';', ",")).collect::<Vec<_>>().join(";");
    let degrees = |pick: fn((f64, f64)) -> f64| offer.coordinates.map_or_else(String::new, |c| pick(c).to_string());
    let told = |x: Option<f64>| x.map_or_else(String::new, |x| x.to_string());
    let part = |bytes: Bytes, unit: u64| (bytes.0 as f64 / unit as f64).to_string();
    [
        offer.id.to_string(),
        offer.provider.to_string(),
        offer.region.to_string(),
        list(&offer.zones),
        offer.country.to_string(),
        list(&offer.places),
        degrees(|c| c.0),
        degrees(|c| c.1),
        offer.machine_type.to_string(),
        offer.family.to_string(),
        offer.cloud.as_str().to_owned(),
        offer.purchase.as_str().to_owned(),
        offer.cores.to_string(),
        part(offer.memory, 1 << 30),
        offer.disk.map_or_else(String::new, |d| part(d, 1_000_000_000)),
        offer.gpus.to_string(),
        offer.architecture.to_string(),
        os(offer).to_owned(),
        offer.price.to_string(),
        told(offer.lifecycle.interruption_rate),
        told(offer.lifecycle.start_up_s),
        told(offer.lifecycle.minimum_lifetime_s),
    ]
}

/// The names and values of an offer in YAML; what is the default is left out.
fn values(offer: &Offer) -> Vec<(&'static str, String)> {
    let list = |names: &[Arc<str>]| format!("[{}]", names.iter().map(|n| quoted(n)).collect::<Vec<_>>().join(", "));
    let mut values = vec![("id", quoted(&offer.id)), ("provider", quoted(&offer.provider))];
    let mut put = |is_told: bool, name, value: &dyn Fn() -> String| {
        if is_told {
            values.push((name, value()));
        }
    };
    put(!offer.region.is_empty(), "region", &|| quoted(&offer.region));
    put(!offer.zones.is_empty(), "zones", &|| list(&offer.zones));
    put(!offer.country.is_empty(), "country", &|| quoted(&offer.country));
    put(!offer.places.is_empty(), "places", &|| list(&offer.places));
    if let Some((latitude, longitude)) = offer.coordinates {
        put(true, "latitude", &|| latitude.to_string());
        put(true, "longitude", &|| longitude.to_string());
    }
    put(true, "machine_type", &|| quoted(&offer.machine_type));
    put(*offer.family != *family_of(&offer.machine_type), "family", &|| quoted(&offer.family));
    put(offer.cloud != Default::default(), "cloud", &|| offer.cloud.as_str().to_owned());
    put(offer.purchase != Default::default(), "purchase", &|| offer.purchase.as_str().to_owned());
    put(true, "cores", &|| offer.cores.to_string());
    put(true, "memory", &|| amount(offer.memory));
    if let Some(disk) = offer.disk {
        put(true, "disk", &|| amount(disk));
    }
    put(offer.gpus > 0, "gpus", &|| offer.gpus.to_string());
    put(offer.architecture.as_ref() != "amd64", "architecture", &|| quoted(&offer.architecture));
    put(offer.os != OperatingSystem::Any, "os", &|| quoted(os(offer)));
    put(true, "price", &|| offer.price.to_string());
    for (name, told) in [
        ("interruption_rate", offer.lifecycle.interruption_rate),
        ("start_up_s", offer.lifecycle.start_up_s),
        ("minimum_lifetime_s", offer.lifecycle.minimum_lifetime_s),
    ] {
        put(told.is_some(), name, &|| told.map_or_else(String::new, |x| x.to_string()));
    }
    put(!offer.labels.is_empty(), "labels", &|| {
        let label = |value: &LabelValue| match value {
            LabelValue::Number(x) => x.to_string(),
            LabelValue::Text(text) => quoted(text),
        };
        let labels: Vec<String> = offer.labels.iter().map(|(n, v)| format!("{}: {}", quoted(n), label(v))).collect();
        format!("{{{}}}", labels.join(", "))
    });
    values
}

/// The amount in the largest unit that tells it exactly in whole numbers.
fn amount(bytes: Bytes) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("TB", 1_000_000_000_000),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("B", 1),
    ];
    let found = UNITS.into_iter().find(|(_, size)| bytes.0 >= *size && bytes.0.is_multiple_of(*size));
    let (unit, size) = found.unwrap_or(("B", 1));
    format!("{} {unit}", bytes.0 / size)
}

fn plain(value: &LabelValue) -> String {
    match value {
        LabelValue::Number(x) => x.to_string(),
        LabelValue::Text(text) => text.to_string(),
    }
}

/// A text as a YAML scalar: as it is when nothing in it can be misread, otherwise between quotes. Every JSON text is
/// one in YAML.
fn quoted(text: &str) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let words = ["null", "true", "false", "yes", "no", "on", "off", "nan", "inf"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(is_safe)
        && !words.iter().any(|w| w.eq_ignore_ascii_case(text))
        && text.parse::<f64>().is_err();
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
