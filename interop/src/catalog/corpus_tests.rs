//! Reading of the real inputs in the corpus. Where there is no corpus the tests say so and pass.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::PathBuf;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::location::lies_in;
use cardinal_models::offer::{CloudKind, LabelValue, Offer, OperatingSystem, Purchase};
use cardinal_models::quantity::{Bytes, Price};

use super::*;

/// A file of the corpus, `None` when there is no corpus.
fn corpus(path: &str) -> Option<Source> {
    #[expect(clippy::disallowed_methods, reason = "where the corpus lies is known to the one who runs the tests")]
    let root = std::env::var("CARDINAL_CORPUS")
        .map_or_else(|_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"), PathBuf::from);
    let file = root.join(path);
    match std::fs::read_to_string(&file) {
        Ok(text) => Some(Source::new(path, text)),
        Err(error) => {
            // Not `eprintln!`: the harness keeps that back from a test that passes.
            let _ = writeln!(std::io::stderr(), "skipped: {}: {error}", file.display());
            None
        }
    }
}

fn read(source: &Source, format: CatalogFormat) -> (Catalog, Diagnostics) {
    assert_eq!(recognise(source), format, "{}", source.name);
    read_catalog(source, None).unwrap_or_else(|e| panic!("{}: {e}", source.name))
}

fn find<'c>(catalog: &'c Catalog, id: &str) -> &'c Offer {
    &catalog[catalog.find(id).unwrap_or_else(|| panic!("no offer {id}"))]
}

#[test]
fn the_tables_of_the_public_clouds() {
    let names = ["catalog/aws_vms.csv", "catalog/azure_vms.csv", "catalog/gcp_vms.csv"];
    let Some(sources) = names.map(corpus).into_iter().collect::<Option<Vec<_>>>() else { return };
    let catalogs: Vec<Catalog> = sources.iter().map(|s| read(s, CatalogFormat::VmCsv).0).collect();
    let on_demand = |c: &Catalog| c.offers().iter().filter(|o| o.purchase == Purchase::OnDemand).count();
    assert_eq!(catalogs.iter().map(on_demand).collect::<Vec<_>>(), [1352, 54_847, 12_721]);
    assert_eq!(catalogs.iter().map(on_demand).sum::<usize>(), 68_920);
    let (all, warnings) = merge(catalogs).unwrap();
    assert_eq!(warnings, Diagnostics::default());
    assert_eq!(all.currency, "USD");
    for (id, price) in [
        ("aws/us-east-1/m5.large", 0.096),
        ("azure/eastus/Standard_D2s_v3", 0.096),
        ("gcp/us-central1/e2-standard-2", 0.067),
    ] {
        assert!((find(&all, id).price.units() - price).abs() < 1e-3, "{id}: {}", find(&all, id).price);
    }
    let m5 = find(&all, "aws/us-east-1/m5.large");
    assert_eq!((m5.cores.count(), m5.memory, m5.disk, m5.country.as_ref()), (2.0, Bytes(8 << 30), None, "US"));
    let g4 = find(&all, "aws/us-east-1/g4dn.xlarge");
    assert_eq!((g4.gpus, g4.disk), (1, Some(Bytes(125_000_000_000))));
    assert_eq!(g4.labels.get("gpu"), Some(&LabelValue::Text("t4".into())));
    assert!(find(&all, "gcp/us-central1/e2-standard-2/spot").price < Price::from_units(0.06).unwrap());
    for offer in all.offers() {
        assert!(!offer.country.is_empty() && offer.coordinates.is_some(), "{}", offer.id);
    }
    assert!(all.offers().iter().any(|o| lies_in(o, "Germany") && o.provider.as_ref() == "gcp"));
}

#[test]
fn equal_texts_are_shared() {
    let Some(source) = corpus("catalog/gcp_vms.csv") else { return };
    let (catalog, _) = read(&source, CatalogFormat::VmCsv);
    let one = find(&catalog, "gcp/us-central1/e2-standard-2");
    let other = find(&catalog, "gcp/us-central1/e2-standard-4");
    assert!(std::sync::Arc::ptr_eq(&one.region, &other.region));
    assert!(std::sync::Arc::ptr_eq(&one.places, &other.places));
    assert!(std::sync::Arc::ptr_eq(&one.labels, &other.labels));
}

#[test]
fn node_candidates_of_two_clouds() {
    let Some(source) = corpus("melodic/node-candidates-1506.json") else { return };
    let (catalog, warnings) = read(&source, CatalogFormat::NodeCandidates);
    assert_eq!(catalog.len(), 1506);
    assert_eq!(catalog.currency, "");
    assert!(warnings.to_string().contains("offers have price 0 (first: line"), "{warnings}");
    let count = |test: &dyn Fn(&Offer) -> bool| catalog.offers().iter().filter(|o| test(o)).count();
    assert!(count(&|o| o.provider.as_ref() == "openstack" && o.cloud == CloudKind::Private) > 0);
    assert_eq!(count(&|o| o.provider.as_ref() == "aws") + count(&|o| o.provider.as_ref() == "openstack"), 1506);
    assert!(count(&|o| o.os == OperatingSystem::Named("ubuntu".into())) > 0);
    assert!(count(&|o| o.os == OperatingSystem::Unknown) > 0);
    let m5d = find(&catalog, "2c9880838dcece88018dcecfcf3b0008");
    assert_eq!(
        (m5d.machine_type.as_ref(), m5d.region.as_ref(), m5d.country.as_ref()),
        ("m5d.4xlarge", "eu-west-3", "FR")
    );
    assert_eq!((m5d.memory.mib(), m5d.price), (65536.0, Price::from_units(1.056).unwrap()));
    for place in ["Paris", "eu-west-3", "ali-aws-test/eu-west-3", "France", "EU"] {
        assert!(lies_in(m5d, place), "{place}");
    }
    assert_eq!(count(&|o| lies_in(o, "Ireland")), count(&|o| o.region.as_ref() == "eu-west-1"));
}

#[test]
fn node_candidates_without_ids() {
    let Some(source) = corpus("melodic/node-candidates-small.json") else { return };
    let (catalog, _) = read(&source, CatalogFormat::NodeCandidates);
    assert_eq!(catalog.len(), 6);
    let offer = find(&catalog, "1a79a4d60de6718e8e5b326e338ae533/RegionOne/t2.micro/Ubuntu 16.04 LTS AMD 64");
    assert_eq!(offer.os, OperatingSystem::Named("ubuntu".into()));
    assert_eq!(offer.labels.get("os_version"), Some(&LabelValue::Text("16.04 LTS".into())));
    assert_eq!((offer.region.as_ref(), offer.coordinates, offer.price.units()), ("RegionOne", None, 5.0));
    assert!(!offer.places.iter().any(|p| p.as_ref() == "string"));
    assert_eq!(offer.disk, Some(Bytes(100_000_000_000)));
}

#[test]
fn sage_offers_keep_their_numbers() {
    for count in [20, 40, 100, 250, 500] {
        let Some(source) = corpus(&format!("sage/offers/offers_{count}.json")) else { return };
        let (catalog, warnings) = read(&source, CatalogFormat::Sage);
        assert_eq!(catalog.len(), count);
        assert_eq!(warnings, Diagnostics::default());
        let offer = &catalog.offers()[0];
        assert!(offer.price.units() >= 1.0 && offer.os == OperatingSystem::Any && offer.disk.is_some());
    }
    let Some(source) = corpus("sage/offers/offers_20.json") else { return };
    let (catalog, _) = read(&source, CatalogFormat::Sage);
    let offer = find(&catalog, "c64.0m976.0s1.0osLinuxp8.4030000000");
    assert_eq!((offer.price.units(), offer.memory.mib(), offer.cores.count()), (8403.0, 976_000.0, 64.0));
}

#[test]
fn cloudiator_offers() {
    let Some(source) = corpus("cloudiator/small.json") else { return };
    let (catalog, _) = read(&source, CatalogFormat::Cloudiator);
    assert_eq!(catalog.len(), 60);
    let offer = find(&catalog, "0:DE/8c-4096m");
    assert_eq!((offer.region.as_ref(), offer.country.as_ref(), offer.price.units()), ("0:DE", "DE", 22.0));
    assert_eq!(offer.memory, Bytes(4 << 30));
}

#[test]
fn every_form_survives_writing() {
    for path in ["melodic/node-candidates-1506.json", "sage/offers/offers_40.json", "cloudiator/small.json"] {
        let Some(source) = corpus(path) else { return };
        let catalog = read_catalog(&source, None).unwrap().0;
        let csv = Source::new("x", to_csv(&catalog));
        assert_eq!(recognise(&csv), CatalogFormat::NativeCsv);
        assert_eq!(read_catalog(&csv, None).unwrap().0.offers(), catalog.offers(), "{path}");
        let yaml = Source::new("x", to_yaml(&catalog));
        assert_eq!(recognise(&yaml), CatalogFormat::NativeYaml);
        assert_eq!(read_catalog(&yaml, None).unwrap().0.offers(), catalog.offers(), "{path}");
    }
}
