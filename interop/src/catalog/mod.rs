//! Catalogs: reading them from every known form, writing, merging, converting, and the built-in one.
//!
//! A reader turns each entry of its form into a [`draft::Draft`]; [`assemble::Assembler`] completes a draft from the
//! gazetteer, checks it, shares its texts and adds it to the catalog. What differs between the forms is in one file
//! each; what all of them must do alike is in those two.

mod assemble;
mod builtin;
mod cloudiator;
mod convert;
mod draft;
mod findings;
mod json;
mod native;
mod native_csv;
mod native_yaml;
mod network;
mod node_candidates;
mod recognise;
mod sage;
mod table;
mod vm_csv;
mod write;
mod yaml;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::span::Span;

pub use builtin::{builtin, builtin_text};
pub use convert::{convert_currency, merge};
pub use native::COLUMNS;
pub use network::{NETWORK_COLUMNS, PricedNetwork, builtin_network, network_csv, read_network};
pub use recognise::recognise;
pub use write::{to_csv, to_yaml};

/// The largest catalog file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 256 << 20;

/// The largest number of offers in one catalog.
pub const OFFERS_MAX: usize = 1_000_000;

/// The forms in which a catalog may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CatalogFormat {
    /// Cardinal's own, a table with the columns of [`COLUMNS`].
    NativeCsv,
    /// Cardinal's own, YAML or JSON with the same names.
    NativeYaml,
    /// A table of machine types by region: `InstanceType,vCPUs,MemoryGiB,...,Region,Price`.
    VmCsv,
    /// The node candidates of Melodic and Cloudiator, JSON.
    NodeCandidates,
    /// The offers of the SAGE / MANeUveR benchmark, JSON.
    Sage,
    /// The node matching instances of Cloudiator, JSON.
    Cloudiator,
}

impl CatalogFormat {
    /// Every form.
    pub const ALL: [CatalogFormat; 6] = [
        CatalogFormat::NativeCsv,
        CatalogFormat::NativeYaml,
        CatalogFormat::VmCsv,
        CatalogFormat::NodeCandidates,
        CatalogFormat::Sage,
        CatalogFormat::Cloudiator,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            CatalogFormat::NativeCsv => "native-csv",
            CatalogFormat::NativeYaml => "native-yaml",
            CatalogFormat::VmCsv => "vm-csv",
            CatalogFormat::NodeCandidates => "node-candidates",
            CatalogFormat::Sage => "sage",
            CatalogFormat::Cloudiator => "cloudiator",
        }
    }

    /// The form with a name.
    pub fn named(name: &str) -> Option<CatalogFormat> {
        CatalogFormat::ALL.into_iter().find(|f| f.name() == name)
    }
}

impl std::fmt::Display for CatalogFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Reads a catalog; the form is recognised by content unless one is given.
///
/// Beside the catalog come warnings, many alike summarised as one.
///
/// # Errors
/// Everything that is wrong with the file, up to a limit, each with its place.
pub fn read_catalog(source: &Source, format: Option<CatalogFormat>) -> Result<(Catalog, Diagnostics), Diagnostics> {
    if source.text.len() > FILE_BYTES_MAX {
        let message =
            format!("the catalog has {} MiB; at most {} MiB are read", source.text.len() >> 20, FILE_BYTES_MAX >> 20);
        let error = Diagnostic::error(Span::NONE, message).help("split it into several files, or drop unused offers");
        return Err(Diagnostics(vec![error]));
    }
    match format.unwrap_or_else(|| recognise(source)) {
        CatalogFormat::NativeCsv => native_csv::read(source),
        CatalogFormat::NativeYaml => native_yaml::read(source),
        CatalogFormat::VmCsv => vm_csv::read(source),
        CatalogFormat::NodeCandidates => node_candidates::read(source),
        CatalogFormat::Sage => sage::read(source),
        CatalogFormat::Cloudiator => cloudiator::read(source),
    }
}

#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod tests;
