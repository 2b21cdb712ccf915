//! Catalogs in every form and tables of routes, and writing what was read.
#![no_main]

use cardinal_fuzz::{check_findings, check_refusal, source};
use cardinal_interop::catalog::{CatalogFormat, network_csv, read_catalog, read_network, to_csv, to_yaml};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let source = source(data);
    // As it is recognised, or as a user might force it.
    let forced = match source.text.len() % 4 {
        3 => Some(CatalogFormat::ALL[source.text.len() / 4 % CatalogFormat::ALL.len()]),
        _ => None,
    };
    match read_catalog(&source, forced) {
        Ok((catalog, warnings)) => {
            assert!(!warnings.has_errors(), "{warnings}");
            check_findings(&source, &warnings);
            // The table form has documented exceptions, so that only its size is compared.
            assert_eq!(again(to_csv(&catalog), CatalogFormat::NativeCsv).len(), catalog.len());
            let written = to_yaml(&catalog);
            assert_eq!(again(written.clone(), CatalogFormat::NativeYaml).offers(), catalog.offers(), "{written}");
        }
        Err(findings) => check_refusal(&source, &findings),
    }
    match read_network(&source) {
        Ok((read, warnings)) => {
            check_findings(&source, &warnings);
            let written = network_csv(&read.network, &read.currency);
            let again = read_network(&Source::new("written", written)).map(|(again, _)| again);
            assert_eq!(again.as_ref().ok(), Some(&read));
        }
        Err(findings) => check_refusal(&source, &findings),
    }
});

/// What is written is read back.
fn again(text: String, format: CatalogFormat) -> Catalog {
    let source = Source::new("written", text);
    match read_catalog(&source, Some(format)) {
        Ok((catalog, _)) => catalog,
        Err(findings) => panic!("what is written as {format} is not read: {findings}\n{}", source.text),
    }
}
