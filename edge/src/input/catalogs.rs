//! Reads and merges catalogs.

use std::sync::Arc;

use cardinal_interop::catalog::{CatalogFormat, builtin, merge, read_catalog};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;

use super::model::Model;
use crate::failure::Failure;
use crate::finding::{Finding, findings};

/// The word for the built-in catalog.
pub const BUILTIN: &str = "builtin";

/// A catalog before it is interpreted.
#[derive(Clone, Debug)]
pub enum Given {
    /// The built-in one.
    Builtin,
    /// A text.
    Text(Arc<Source>),
}

impl Given {
    fn name(&self) -> &str {
        match self {
            Given::Builtin => BUILTIN,
            Given::Text(source) => &source.name,
        }
    }
}

/// Merges catalogs; without any the built-in one.
pub fn interpret(given: &[Given], form: Option<CatalogFormat>) -> Result<(Catalog, Vec<Finding>), Failure> {
    if given.is_empty() {
        return Ok((builtin(), Vec::new()));
    }
    let (mut catalogs, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for one in given {
        let Given::Text(source) = one else {
            catalogs.push(builtin());
            continue;
        };
        match read_catalog(source, form) {
            Ok((catalog, doubts)) => {
                warnings.extend(findings(source, doubts));
                catalogs.push(catalog);
            }
            Err(wrong) => errors.extend(findings(source, wrong)),
        }
    }
    if !errors.is_empty() {
        errors.extend(warnings);
        return Err(Failure::invalid(errors));
    }
    same_money(given, &catalogs)?;
    let placeless = |d| Finding { diagnostic: d, source: None };
    let (catalog, doubts) =
        merge(catalogs).map_err(|wrong| Failure::invalid(wrong.0.into_iter().map(placeless).collect()))?;
    warnings.extend(doubts.0.into_iter().map(placeless));
    Ok((catalog, warnings))
}

/// Refuses catalogs whose prices are in different money. A catalog without offers has no prices.
fn same_money(given: &[Given], catalogs: &[Catalog]) -> Result<(), Failure> {
    let mut priced = given.iter().zip(catalogs).filter(|(_, catalog)| !catalog.is_empty());
    let Some((first, one)) = priced.next() else { return Ok(()) };
    let Some((other, another)) = priced.find(|(_, catalog)| catalog.currency != one.currency) else { return Ok(()) };
    let money = |c: &Catalog| if c.currency.is_empty() { "an abstract unit".to_owned() } else { c.currency.clone() };
    let (first, other) = (first.name(), other.name());
    let message = format!("the prices of `{first}` are in {}, those of `{other}` in {}", money(one), money(another));
    let (to, from) = if one.currency.is_empty() { (another, first) } else { (one, other) };
    let to = &to.currency;
    let help = format!(
        "convert the prices of one: `cardinal catalog convert {from} --currency {to} --rate RATE -o FILE`, RATE being \
         the {to} for one unit of its money"
    );
    Err(Finding::error(message).help(help).into())
}

/// Refuses a catalog whose money is not the model's.
pub fn check_currency(model: &Model, catalog: &Catalog, given: &[Given]) -> Result<(), Failure> {
    let Some(wanted) = &model.application.currency else { return Ok(()) };
    if *wanted == catalog.currency {
        return Ok(());
    }
    let prices = if catalog.currency.is_empty() { "an abstract unit" } else { &catalog.currency };
    let file = given.first().map_or(BUILTIN, Given::name);
    let finding = Finding::error(format!("the model counts in {wanted}, the prices of the catalog are in {prices}"))
        .help(format!(
            "convert the prices: `cardinal catalog convert {file} --currency {wanted} --rate RATE -o FILE`, RATE being \
             the {wanted} for one unit of the catalog's; then `--catalog FILE`"
        ));
    Err(match &model.document.currency {
        Some(stated) => finding.at(&model.source, stated.span),
        None => finding,
    }
    .into())
}
