//! Reads the node matching instances of Cloudiator: a JSON object whose `offers` are
//! `{cloud, location, country, cores, ram, price}`. Memory is in MB and means MiB. Prices have no currency. The
//! location is the region, because the published constraints count nodes by location.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::location;
use cardinal_models::quantity::Bytes;
use cardinal_models::span::Span;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::assemble::Assembler;
use super::draft::{Draft, Names, Problem, bytes, cores, price};
use super::json;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    offers: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    /// A number or a name.
    #[serde(default)]
    cloud: serde_json::Value,
    #[serde(borrow)]
    location: json::Text<'a>,
    #[serde(borrow, default)]
    country: Option<json::Text<'a>>,
    cores: f64,
    ram: f64,
    price: f64,
}

/// Reads the offers.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    let offers = match json::outermost::<Document<'_>>(source) {
        Ok(document) => document.offers,
        Err(error) => {
            into.findings.error(error);
            return into.finish();
        }
    };
    for raw in offers {
        let span = json::place(source, raw);
        match json::decode::<Entry<'_>>(source, raw) {
            Ok(entry) => add(&entry, span, &mut into),
            Err(error) => into.findings.error(error),
        }
        if into.is_over() {
            break;
        }
    }
    into.finish()
}

fn add(entry: &Entry<'_>, span: Span, into: &mut Assembler<'_>) {
    let cloud = match &entry.cloud {
        serde_json::Value::String(name) => name.clone(),
        serde_json::Value::Number(number) => format!("cloud-{number}"),
        _ => "cloud".to_owned(),
    };
    let machine_type = format!("{}c-{}m", entry.cores, entry.ram);
    let id = into.unused_id(format!("{}/{machine_type}", entry.location.0));
    let amounts = (|| -> Result<_, Problem> {
        Ok((cores(entry.cores)?, bytes(entry.ram, Bytes::MIB, "MB")?, price(entry.price)?))
    })();
    match amounts {
        Ok((cores, memory, price)) => {
            let told = entry.country.as_ref().map_or("", |c| c.0.trim());
            // A country that is none is a place, as in node candidates.
            let (country, places) = match location::country_code(told) {
                Some(code) => (code, Names::Missing),
                None if told.is_empty() => ("", Names::Missing),
                None => ("", Names::List(vec![told])),
            };
            into.add(
                Draft {
                    id: Some(id.into()),
                    provider: cloud.into(),
                    region: entry.location.0.as_ref().into(),
                    country,
                    places,
                    machine_type: machine_type.into(),
                    cores,
                    memory,
                    price,
                    ..Draft::default()
                },
                span,
            );
        }
        Err(problem) => into.refuse(span, "", problem),
    }
}
