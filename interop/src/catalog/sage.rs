//! Reads the offers of the SAGE / MANeUveR benchmark: a JSON object from id to
//! `{cpu, memory, storage, operatingSystem, price}`.
//!
//! Memory and storage are numbers of MiB, as in the applications of the benchmark. Prices are thousandths of a dollar
//! an hour and are kept as they are, in an abstract unit, so that totals equal the published ones. The operating
//! system of an offer constrains nothing there: an offer boots any.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::quantity::Bytes;
use serde::Deserialize;

use super::assemble::Assembler;
use super::draft::{Draft, Problem, bytes, cores, price};
use super::json;

#[derive(Deserialize)]
struct SageOffer {
    cpu: f64,
    memory: f64,
    #[serde(default)]
    storage: Option<f64>,
    price: f64,
}

/// Reads the offers.
pub(super) fn read(source: &Source) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut into = Assembler::new(source);
    let found = match json::entries(source) {
        Ok(found) => found,
        Err(error) => {
            into.findings.error(error);
            return into.finish();
        }
    };
    if found.is_array {
        let problem = Problem::new("SAGE offers are an object from id to offer", "write `{\"id\": {\"cpu\": ...}}`");
        into.refuse(json::start(source), "", problem);
        return into.finish();
    }
    for (id, raw) in found.entries {
        let span = json::place(source, raw);
        match json::decode::<SageOffer>(source, raw) {
            Ok(offer) => match draft(&id, &offer) {
                Ok(draft) => into.add(draft, span),
                Err(problem) => into.refuse(span, &id, problem),
            },
            Err(error) => into.findings.error(error.at(id.into_owned())),
        }
        if into.is_over() {
            break;
        }
    }
    into.finish()
}

fn draft<'a>(id: &'a str, offer: &SageOffer) -> Result<Draft<'a>, Problem> {
    let mebibytes = |x: f64| bytes(x, Bytes::MIB, "MB");
    Ok(Draft {
        id: Some(id.into()),
        provider: "sage".into(),
        machine_type: id.into(),
        cores: cores(offer.cpu)?,
        memory: mebibytes(offer.memory)?,
        disk: offer.storage.map(mebibytes).transpose()?,
        price: price(offer.price)?,
        ..Draft::default()
    })
}
