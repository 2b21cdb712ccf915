//! `cardinal catalog`: shows, imports and converts catalogs of offers.

use std::path::Path;

use cardinal_edge::date::age_days;
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::input::network::complete;
use cardinal_edge::write;
use cardinal_interop::catalog::{convert_currency, network_csv, to_csv, to_yaml};
use cardinal_models::application::{Requirement, Subject, Test};
use cardinal_models::catalog::Catalog;
use cardinal_models::document::{OneOrMany, Scalar};
use cardinal_models::network::{Network, Place, Route};
use cardinal_models::offer::{Attribute, Offer};
use cardinal_models::requirement::{Currency, Measure, intervals};
use cardinal_models::span::Span;
use cardinal_models::span::Spanned;

use crate::arguments::{
    Catalog as Arguments, CatalogConvert, CatalogForm, CatalogImport, CatalogNetwork, CatalogShow, Sort,
};
use crate::input::{catalogs, network};
use crate::{clock, output, render};

/// So many offers are shown in a table unless asked otherwise.
const LIMIT: usize = 20;

/// Does what is asked.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match arguments {
        Arguments::Show(show) => run_show(show),
        Arguments::Import(import) => run_import(import),
        Arguments::Convert(convert) => run_convert(convert),
        Arguments::Network(network) => run_network(network),
    }
}

fn run_show(arguments: &CatalogShow) -> Result<Exit, Failure> {
    let wanted = wanted(arguments)?;
    let (catalog, warnings) = catalogs::load(&arguments.files, None)?;
    render::diagnostics::show(&warnings);
    let mut offers: Vec<&Offer> = catalog.offers().iter().filter(|o| wanted.iter().all(|w| w.admits(o))).collect();
    let by_price = |a: &Offer, b: &Offer| a.price.cmp(&b.price).then_with(|| a.id.cmp(&b.id));
    offers.sort_by(|a, b| match arguments.sort {
        Sort::Price => by_price(a, b),
        Sort::Cores => a.cores.cmp(&b.cores).then_with(|| by_price(a, b)),
        Sort::Memory => a.memory.cmp(&b.memory).then_with(|| by_price(a, b)),
        Sort::Id => a.id.cmp(&b.id),
    });
    let matching = offers.len();
    let limit = arguments.limit.unwrap_or(if arguments.output == CatalogForm::Table { LIMIT } else { 0 });
    if limit > 0 {
        offers.truncate(limit);
    }
    let age = age_days(&catalog.date, clock::today());
    match arguments.output {
        CatalogForm::Table => output::print(&render::offers::table(&catalog, age, &offers, matching))?,
        CatalogForm::Json => {
            let value = render::offers::value(&catalog, age, &offers, matching);
            output::print_raw(write::json(&value)?.as_bytes())?;
        }
        CatalogForm::Csv => {
            let mut part = Catalog::new(&catalog.currency, &catalog.date, &catalog.source);
            for offer in offers {
                part.insert(offer.clone());
            }
            output::print_raw(to_csv(&part).as_bytes())?;
        }
    }
    Ok(Exit::Solved)
}

/// The filters as requirements, the same that models write.
fn wanted(arguments: &CatalogShow) -> Result<Vec<Requirement>, Failure> {
    let mut wanted = Vec::new();
    let mut errors = Vec::new();
    let mut need = |subject: Subject, test: Test| {
        wanted.push(Requirement { subject, test, text: String::new(), span: Span::NONE });
    };
    let texts = [
        (Subject::Attribute(Attribute::Provider), &arguments.provider),
        (Subject::Place, &arguments.region),
        (Subject::Attribute(Attribute::MachineType), &arguments.machine_type),
        (Subject::Attribute(Attribute::Purchase), &arguments.purchase),
    ];
    for (subject, text) in texts {
        if let Some(text) = text {
            need(subject, Test::Text(vec![text.as_str().into()]));
        }
    }
    let numbers =
        [(Attribute::Cores, Measure::Count, &arguments.cores), (Attribute::Memory, Measure::Data, &arguments.memory)];
    for (attribute, measure, text) in numbers {
        let Some(text) = text else { continue };
        let value = OneOrMany::One(Spanned::made(Scalar::Text(text.clone())));
        match intervals(&value, measure, &Currency::default()) {
            Ok(allowed) => need(Subject::Attribute(attribute), Test::Number(allowed)),
            Err(wrong) => errors.extend(wrong.into_iter().map(|mut diagnostic| {
                diagnostic.message = format!("`--{}`: {}", attribute.name(), diagnostic.message);
                Finding { diagnostic, source: None }
            })),
        }
    }
    if errors.is_empty() { Ok(wanted) } else { Err(Failure::invalid(errors)) }
}

fn run_import(arguments: &CatalogImport) -> Result<Exit, Failure> {
    let (catalog, warnings) = catalogs::load(&arguments.files, arguments.from)?;
    render::diagnostics::show(&warnings);
    write(arguments.output.as_deref(), &catalog)
}

fn run_network(arguments: &CatalogNetwork) -> Result<Exit, Failure> {
    let (mut catalog, mut warnings) = catalogs::load(&arguments.catalogs, None)?;
    warnings.extend(complete(&mut catalog, &network::read(&arguments.network)?)?);
    render::diagnostics::show(&warnings);
    let places: Vec<Place> = arguments.places.iter().map(|name| catalog.place(name)).collect();
    let connections = render::network::between(&catalog, &places);
    match arguments.output {
        CatalogForm::Table if places.is_empty() => output::print(&render::network::routes(&catalog))?,
        CatalogForm::Table => output::print(&render::network::table(&connections))?,
        CatalogForm::Json => {
            let value = render::network::value(&catalog, &connections);
            output::print_raw(write::json(&value)?.as_bytes())?;
        }
        CatalogForm::Csv => {
            let told = connections.iter().map(|(from, to, c)| Route {
                from: from.name.clone(),
                to: to.name.clone(),
                latency_ms: c.latency_ms,
                egress_per_gb: c.egress_per_gb,
            });
            let network = if places.is_empty() { catalog.network } else { Network { routes: told.collect() } };
            output::print_raw(network_csv(&network, &catalog.currency).as_bytes())?;
        }
    }
    Ok(Exit::Solved)
}

fn run_convert(arguments: &CatalogConvert) -> Result<Exit, Failure> {
    let (catalog, warnings) = catalogs::load(std::slice::from_ref(&arguments.file), None)?;
    render::diagnostics::show(&warnings);
    let converted = convert_currency(&catalog, &arguments.currency, arguments.rate).map_err(|wrong| {
        Failure::invalid(wrong.0.into_iter().map(|diagnostic| Finding { diagnostic, source: None }).collect())
    })?;
    write(arguments.output.as_deref(), &converted)
}

fn write(path: Option<&Path>, catalog: &Catalog) -> Result<Exit, Failure> {
    let extension = path.and_then(Path::extension).map(|e| e.to_ascii_lowercase());
    let is_yaml = extension.is_some_and(|e| e == "yaml" || e == "yml");
    output::write(path, &if is_yaml { to_yaml(catalog) } else { to_csv(catalog) })?;
    if let Some(path) = path {
        let offers = render::numbers::count(catalog.len(), "offer");
        render::diagnostics::note(&format!("{offers} written to `{}`", path.display()));
    }
    Ok(Exit::Solved)
}
