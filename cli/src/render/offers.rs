//! Lists of offers.

use cardinal_models::catalog::Catalog;
use cardinal_models::offer::{LabelValue, Offer, OperatingSystem};
use serde_json::{Map, Value, json};

use super::diagnostics::clean;
use super::numbers::{count, decimals};
use super::style::{BOLD, DIM, lines, paint, table as new_table};

/// A list for people, with what is known of the catalog.
pub fn table(catalog: &Catalog, age_days: Option<i64>, offers: &[&Offer], matching: usize) -> String {
    let mut out = String::new();
    let mut fact = |name: &str, value: String| out.push_str(&format!("{} {}\n", paint(BOLD, name), clean(&value)));
    let or = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    fact("currency:", or(&catalog.currency, "an abstract unit"));
    let age = age_days.and_then(|age| usize::try_from(age).ok());
    let age = age.map_or(String::new(), |age| format!(" ({} old)", count(age, "day")));
    fact("date:    ", or(&catalog.date, "unknown") + &age);
    fact("source:  ", or(&catalog.source, "unknown"));
    fact("offers:  ", format!("{}, of which {matching} match", catalog.len()));
    if offers.is_empty() {
        return out;
    }
    let headers =
        ["Offer", "Machine type", "Region", "Country", ">vCPU", ">Memory", ">GPUs", "Purchase", "Cloud", ">Each/h"];
    let mut shown = new_table(&headers);
    let decimals = decimals(offers.iter().map(|offer| offer.price.units()));
    for offer in offers {
        shown.add_row(vec![
            clean(&offer.id),
            clean(&offer.machine_type),
            clean(&offer.region),
            clean(&offer.country),
            offer.cores.to_string(),
            offer.memory.to_string(),
            if offer.gpus == 0 { String::new() } else { offer.gpus.to_string() },
            offer.purchase.as_str().to_owned(),
            offer.cloud.as_str().to_owned(),
            format!("{:.decimals$}", offer.price.units()),
        ]);
    }
    out.push('\n');
    out.push_str(&lines(&shown));
    if offers.len() < matching {
        let more = format!("  ... and {} more; `--limit 0` shows all", matching - offers.len());
        out.push_str(&format!("{}\n", paint(DIM, &more)));
    }
    out
}

/// A list for programs.
pub fn value(catalog: &Catalog, age_days: Option<i64>, offers: &[&Offer], matching: usize) -> Value {
    let told = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    json!({
        "currency": told(&catalog.currency),
        "date": told(&catalog.date),
        "age_days": age_days,
        "source": told(&catalog.source),
        "count": catalog.len(),
        "matching": matching,
        "offers": offers.iter().map(|offer| one(offer)).collect::<Vec<_>>(),
    })
}

fn one(offer: &Offer) -> Value {
    let told = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let labels: Map<String, Value> = offer
        .labels
        .iter()
        .map(|(name, value)| {
            let value = match value {
                LabelValue::Number(x) => json!(x),
                LabelValue::Text(text) => json!(text.as_ref()),
            };
            (name.to_string(), value)
        })
        .collect();
    json!({
        "id": offer.id.as_ref(),
        "provider": offer.provider.as_ref(),
        "region": told(&offer.region),
        "zones": offer.zones.iter().map(|z| z.as_ref()).collect::<Vec<_>>(),
        "country": told(&offer.country),
        "machine_type": offer.machine_type.as_ref(),
        "cloud": offer.cloud.as_str(),
        "purchase": offer.purchase.as_str(),
        "cores": offer.cores.count(),
        "memory_mib": offer.memory.mib(),
        "disk_mib": offer.disk.map(|d| d.mib()),
        "gpus": offer.gpus,
        "architecture": offer.architecture.as_ref(),
        "os": match &offer.os {
            OperatingSystem::Any => None,
            OperatingSystem::Unknown => Some("unknown"),
            OperatingSystem::Named(name) => Some(name.as_ref()),
        },
        "price": offer.price.units(),
        "labels": labels,
    })
}
