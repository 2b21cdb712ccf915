//! The catalog that is used when none is given.

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;

use super::native_csv;

/// The text of the built-in catalog, as [`super::read_catalog`] takes it.
pub fn builtin_text() -> &'static str {
    TEXT
}

const TEXT: &str = include_str!("../../catalogs/builtin.csv");

/// Some hundred common offers of the public clouds in several countries and an example of a private cloud, with list
/// prices. The head of `catalogs/builtin.csv` says where the prices come from and what they leave out.
pub fn builtin() -> Catalog {
    let read = native_csv::read(&Source::new("built-in catalog", TEXT));
    debug_assert!(read.is_ok(), "the built-in catalog is wrong: {read:?}");
    read.map(|(catalog, _)| catalog).unwrap_or_default()
}
