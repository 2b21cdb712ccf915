//! Catalogs from catalogs: several merged into one, prices in another currency.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics};
use cardinal_models::network::Route;
use cardinal_models::offer::Offer;
use cardinal_models::quantity::Price;
use cardinal_models::span::Span;

use super::OFFERS_MAX;
use super::table::currency;

/// Merges catalogs in their order; an offer replaces an earlier one with the same id. Beside the catalog comes a warning
/// that counts the replaced offers. Date and source are those of all, each once; the date is the earliest, because the
/// merged prices are only as fresh as that.
///
/// # Errors
/// When the currencies differ; prices in an abstract unit fit only others of the same kind.
pub fn merge(catalogs: Vec<Catalog>) -> Result<(Catalog, Diagnostics), Diagnostics> {
    let mut catalogs = catalogs.into_iter().filter(|c| !c.is_empty());
    let Some(mut merged) = catalogs.next() else { return Ok((Catalog::default(), Diagnostics::default())) };
    let mut warnings = Diagnostics::default();
    for catalog in catalogs {
        if catalog.currency != merged.currency {
            return Err(Diagnostics(vec![mixed_currencies(&merged, &catalog)]));
        }
        merged.network.routes.extend(catalog.network.routes.iter().cloned());
        let mut replaced = 0usize;
        for offer in catalog.offers() {
            replaced += usize::from(merged.insert(offer.clone()).is_some());
        }
        if merged.len() > OFFERS_MAX {
            let error =
                Diagnostic::error(Span::NONE, format!("the catalogs have more than {OFFERS_MAX} offers together"));
            return Err(Diagnostics(vec![error.help("drop offers that no model can use")]));
        }
        if replaced > 0 {
            let what = if replaced == 1 { "offer" } else { "offers" };
            let message =
                format!("{replaced} {what} of `{}` taken instead of earlier ones with the same id", catalog.source);
            warnings.push(Diagnostic::warning(Span::NONE, message));
        }
        if !catalog.date.is_empty() && (merged.date.is_empty() || catalog.date < merged.date) {
            merged.date.clone_from(&catalog.date);
        }
        if !catalog.source.is_empty() && !merged.source.split("; ").any(|s| s == catalog.source) {
            if !merged.source.is_empty() {
                merged.source.push_str("; ");
            }
            merged.source.push_str(&catalog.source);
        }
    }
    Ok((merged, warnings))
}

fn mixed_currencies(one: &Catalog, other: &Catalog) -> Diagnostic {
    let name = |c: &Catalog| if c.currency.is_empty() { "an abstract unit".to_owned() } else { c.currency.clone() };
    let message =
        format!("the prices of `{}` are in {}, those of `{}` in {}", one.source, name(one), other.source, name(other));
    let to = if one.currency.is_empty() { &other.currency } else { &one.currency };
    Diagnostic::error(Span::NONE, message).help(format!(
        "convert one of them first: `cardinal catalog convert --currency {to} --rate 1.08`, the rate being the {to} for \
         one unit of the other"
    ))
}

/// The catalog with its prices multiplied by `rate`, in the currency `to` (empty for an abstract unit). Prices are
/// rounded to 1e-9.
///
/// # Errors
/// When `to` is no currency code, the rate is not above zero, or a price would leave the limits.
pub fn convert_currency(catalog: &Catalog, to: &str, rate: f64) -> Result<Catalog, Diagnostics> {
    let refuse =
        |message: String, help: &str| Err(Diagnostics(vec![Diagnostic::error(Span::NONE, message).help(help)]));
    let Some(code) = currency(to) else {
        return refuse(format!("`{to}` is not a currency"), "write an ISO 4217 code such as USD or EUR");
    };
    if !rate.is_finite() || rate <= 0.0 {
        return refuse(format!("the rate {rate} is not above zero"), "write how much one unit is worth, such as 1.08");
    }
    let mut converted = Catalog::new(code, catalog.date.clone(), catalog.source.clone());
    for offer in catalog.offers() {
        let Some(price) = Price::from_units(offer.price.units() * rate) else {
            let message = format!("the price of `{}` would be {} an hour", offer.id, offer.price.units() * rate);
            return refuse(message, "at most 1000000 an hour; check the rate");
        };
        converted.insert(Offer { price, ..offer.clone() });
    }
    let routes = catalog.network.routes.iter();
    let repriced = routes.map(|r| Route { egress_per_gb: r.egress_per_gb.map(|p| p * rate), ..r.clone() });
    converted.network.routes.extend(repriced);
    Ok(converted)
}
