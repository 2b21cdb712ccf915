//! Reads and merges the catalogs of a command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cardinal_interop::catalog::{CatalogFormat, builtin, merge, read_catalog};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;

use super::files;
use super::model::Model;
use crate::failure::{Failure, Finding, findings};

/// The word for the built-in catalog.
const BUILTIN: &str = "builtin";

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

/// Reads the files of catalogs.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Given>, Failure> {
    let (mut given, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        if is_builtin(path) {
            given.push(Given::Builtin);
            continue;
        }
        match files::read(path) {
            Ok(source) => given.push(Given::Text(source)),
            Err(failure) => errors.extend(failure.findings),
        }
    }
    if errors.is_empty() { Ok(given) } else { Err(Failure::invalid(errors)) }
}

/// Reads the catalogs and merges them, with everything that is probably not meant; without a file the built-in one.
pub fn load(paths: &[PathBuf], form: Option<CatalogFormat>) -> Result<(Catalog, Vec<Finding>), Failure> {
    interpret(&read(paths)?, form)
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

/// A file of that name comes first.
fn is_builtin(path: &Path) -> bool {
    path == Path::new(BUILTIN) && !path.exists()
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
