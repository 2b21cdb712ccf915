//! Reading, refusing, writing, merging, and the built-in catalog.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::{Diagnostics, Source};
use cardinal_models::location::{lies_in, region};
use cardinal_models::offer::{CloudKind, LabelValue, Lifecycle, Offer, OperatingSystem, Purchase};
use cardinal_models::quantity::{Bytes, Cores, Price};

use super::*;

fn read(text: &str) -> Result<(Catalog, Diagnostics), Diagnostics> {
    read_catalog(&Source::new("test", text), None)
}

/// The errors of a text, each as `line:column message; help`.
fn refused(text: &str) -> String {
    let source = Source::new("test", text);
    let errors = read_catalog(&source, None).expect_err("should be refused");
    let one = |d: &Diagnostic| {
        let (line, column) = source.line_column(d.span.start.min(text.len() as u32));
        format!("{line}:{column} {}; {}", d.message, d.help.as_deref().unwrap_or(""))
    };
    errors.0.iter().map(one).collect::<Vec<_>>().join("\n")
}

const TABLE: &str = "\
# currency: eur
# date: 2026-08-01
# source: my list: v2

id,provider,region,zones,machine_type,cores,memory,disk_gb,price,os,label:gpu,label:rank
# a comment
,AWS,eu-central-1,eu-central-1a; eu-central-1b,m5.large,2,8 GiB,,0.115,,t4,7
mine,openstack,RegionOne,,\"m1, big\",0.5,512 MiB,20,0.01,Ubuntu,,
";

#[test]
fn a_native_table() {
    let (catalog, warnings) = read(TABLE).unwrap();
    assert_eq!(warnings, Diagnostics::default());
    assert_eq!(
        (catalog.currency.as_str(), catalog.date.as_str(), catalog.source.as_str()),
        ("EUR", "2026-08-01", "my list: v2")
    );
    let [first, second] = catalog.offers() else { panic!("two offers") };
    assert_eq!(first.id.as_ref(), "aws/eu-central-1/m5.large");
    assert_eq!(first.zones.iter().map(|z| z.as_ref()).collect::<Vec<_>>(), ["eu-central-1a", "eu-central-1b"]);
    assert_eq!((first.country.as_ref(), first.coordinates, first.disk), ("DE", Some((50.11, 8.68)), None));
    assert_eq!(first.labels.get("gpu"), Some(&LabelValue::Text("t4".into())));
    assert_eq!(first.labels.get("rank"), Some(&LabelValue::Number(7.0)));
    assert_eq!((second.id.as_ref(), second.machine_type.as_ref()), ("mine", "m1, big"));
    assert_eq!((second.cores, second.memory, second.disk), (Cores(500), Bytes(512 << 20), Some(Bytes(20_000_000_000))));
    assert_eq!(second.os, OperatingSystem::Named("ubuntu".into()));
    assert!(second.labels.is_empty());
}

#[test]
fn a_native_document_in_yaml_and_json() {
    let yaml = "\
currency: USD
offers:
  - {provider: aws, region: eu-west-1, machine_type: m5.large, cores: 2, memory: 8 GiB, price: 0.107, purchase: spot}
  - provider: own
    machine_type: rack-1
    cores: 8
    memory_gib: 32
    price: 0.02
    cloud: own
    country: Norway
    places: [Bergen, 'room; 7']
    labels: {rank: 3, model: \"4090\", note: null-ish}
";
    let json = "{\"currency\": \"USD\", \"offers\": [
 {\"provider\": \"aws\", \"region\": \"eu-west-1\", \"machine_type\": \"m5.large\", \"cores\": 2, \"memory\": \"8 GiB\", \"price\": 0.107, \"purchase\": \"spot\"},
 {\"provider\": \"own\", \"machine_type\": \"rack-1\", \"cores\": 8, \"memory_gib\": 32, \"price\": 2e-2, \"cloud\": \"own\", \"country\": \"NO\",
  \"places\": [\"Bergen\", \"room; 7\"], \"labels\": {\"rank\": 3, \"model\": \"4090\", \"note\": \"null-ish\"}}]}";
    let (one, _) = read(yaml).unwrap();
    let (other, _) = read(json).unwrap();
    assert_eq!(one.offers(), other.offers());
    assert_eq!(one.offers()[0].id.as_ref(), "aws/eu-west-1/m5.large/spot");
    let own = &one.offers()[1];
    assert_eq!((own.cloud, own.country.as_ref(), own.places.len()), (CloudKind::Own, "NO", 2));
    assert_eq!(own.labels.get("model"), Some(&LabelValue::Text("4090".into())));
    assert_eq!(own.labels.get("rank"), Some(&LabelValue::Number(3.0)));
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let windows = format!("\u{feff}{}", TABLE.replace('\n', "\r\n"));
    assert_eq!(read(&windows).unwrap().0.offers(), read(TABLE).unwrap().0.offers());
    let yaml = "\u{feff}offers:\r\n- {provider: a, machine_type: b, cores: 1, memory_gib: 1, price: 1}\r\n";
    assert_eq!(read(yaml).unwrap().0.len(), 1);
}

#[test]
fn mistakes_in_a_table_have_a_place_and_a_mend() {
    let head = "provider,machine_type,cores,memory_gib,price\n";
    for (rows, wanted) in [
        ("aws,m,2,8,-1\n", "2:11 the price -1 is negative"),
        ("# x\n\naws,m,2,8,NaN\n", "4:11 `NaN` is not a number"),
        ("aws,m,2,8,inf\n", "2:11 `inf` is not a number"),
        ("aws,m,2,8,1e9\n", "2:11 the price 1000000000 is above the limit of 1000000 an hour"),
        ("\"a,b\",m,two,8,1\n", "2:9 `two` is not a number"),
        ("aws,m,2,8\n", "2:1 this line has 4 cells, the header has 5 columns"),
        ("aws,,2,8,1\n", "2:1 the offer lacks machine_type"),
        ("aws,m,2,-8,1\n", "2:9 -8 GiB is no amount of data"),
        ("aws,m,2,8,1\naws,n,2,8,1\naws,m,2,8,2\n", "4:1 two offers have the id `aws/m`: in line 2 and in line 4"),
    ] {
        let text = refused(&format!("{head}{rows}"));
        assert!(text.starts_with(wanted), "{text}");
        assert!(!text.trim_end().ends_with(';'), "no mend: {text}");
    }
    let text = refused("provider,machine_type,cores,memory,prise\naws,m,2,8 GiB,1\n");
    assert!(text.contains("1:36 the column `prise` is not known; did you mean `price`?"), "{text}");
    assert!(text.contains("the table has no column `price`"), "{text}");
    assert!(
        refused("provider,machine_type,cores,memory,price\naws,m,2,8,1\n").contains("`8` has no unit; write the unit")
    );
    assert!(
        refused("# currency: dollars\nprovider,machine_type,cores,memory_gib,price\n").contains("is not a currency")
    );
    assert!(refused("").contains("the file is empty"));
    assert!(refused("provider,machine_type,cores,memory_gib,price,price\na,b,1,1,1,1\n").contains("stands twice"));
}

#[test]
fn mistakes_in_a_document_have_a_place_and_a_mend() {
    let offer = "provider: aws, machine_type: m, cores: 2, memory: 8 GiB, price: 1";
    for (text, wanted) in [
        (format!("offers:\n- {{{offer}, regoin: x}}\n"), "did you mean `region`?"),
        (format!("offers:\n- {{{offer}, country: Paris}}\n"), "2:80 `Paris` is not a country"),
        (format!("offers:\n- {{{offer}, latitude: 3}}\n"), "only one of latitude and longitude"),
        (format!("offers:\n- {{{offer}}}\n- {{{offer}}}\n"), "two offers have the id `aws/m`: in line 2 and in line 3"),
        (format!("offers:\n- {{{offer}, price: 2}}\n"), "`price` stands twice"),
        (format!("offers:\n- {{{offer}, cores: [1]}}\n"), "stands twice"),
        ("offers:\n- {provider: [aws]}\n".into(), "`provider` is one value, not a list"),
        ("offers:\n- 7\n".into(), "2:3 an offer is a mapping"),
        ("offers: 7\n".into(), "`offers` is a list"),
        ("ofers: []\n".into(), "did you mean `offers`?"),
        ("offers:\n- {provider: *x}\n".into(), ""),
        ("- a\n- b\n".into(), "a catalog is a mapping with the key `offers`"),
        ("offers:\n- {a: [b\n".into(), "this is not YAML"),
        (format!("# ä€\noffers:\n- {{{offer}, country: Paris}}\n"), "3:80 `Paris` is not a country"),
        (format!("offers:\n- {{labels: {}1{}}}\n", "[".repeat(40), "]".repeat(40)), "not nested so deeply"),
    ] {
        let errors = refused(&text);
        assert!(errors.contains(wanted), "{text}: {errors}");
    }
}

#[test]
fn mistakes_in_foreign_forms_have_a_place() {
    assert!(refused("InstanceType,vCPUs,MemoryGiB,Region,Price\nm,1,1,moon-1,1\n").contains("2:7 the provider of `m`"));
    assert!(refused("InstanceType,vCPUs,MemoryGiB,Region\nm,1,1,us-east-1\n").contains("no column `Price`"));
    let sage = "{\"a\": {\"cpu\": 1, \"memory\": 1, \"storage\": 1, \"price\": 1},\n\"b\": {\"cpu\": \"x\", \"memory\": 1, \"price\": 1}}";
    assert!(refused(sage).starts_with("2:"), "{}", refused(sage));
    let twice = "{\"a\": {\"cpu\": 1, \"memory\": 1, \"price\": 1},\n\"a\": {\"cpu\": 1, \"memory\": 1, \"price\": 1}}";
    assert!(refused(twice).contains("in line 1 and in line 2"));
    assert!(refused("{\"cpu\": 1, \"memory\": ").starts_with("1:"));
    let candidate = "[{\"nodeCandidateType\": \"IAAS\", \"price\": -1, \"hardware\": {\"cores\": 1, \"ram\": 1}}]";
    assert!(refused(candidate).contains("the price -1 is negative"), "{}", refused(candidate));
}

#[test]
fn similar_warnings_are_one() {
    let mut text = "provider,machine_type,cores,memory_gib,price\n".to_owned();
    for i in 0..312 {
        text.push_str(&format!("own,m{i},1,1,0\n"));
    }
    let (_, warnings) = read(&text).unwrap();
    assert_eq!(warnings.0.len(), 1);
    assert_eq!(warnings.0[0].message, "312 offers have price 0 (first: line 2)");
    let (_, warnings) = read("provider,region,machine_type,cores,memory_gib,price\naws,moon-1,m,1,1,1\n").unwrap();
    assert_eq!(warnings.0[0].message, "1 offer lies in a region whose country is not known (first: line 2)");
}

#[test]
fn functions_are_skipped_and_equal_names_are_numbered() {
    let machine = "{\"nodeCandidateType\": \"IAAS\", \"price\": 1, \"cloud\": {\"id\": \"c\", \"cloudType\": \"EDGE\"}, \
                   \"hardware\": {\"name\": \"h\", \"cores\": 1, \"ram\": 1024}}";
    let text = format!(
        "[{machine}, {machine}, {machine}, {{\"nodeCandidateType\": \"FAAS\", \"price\": 1, \"cloud\": null}}]"
    );
    let (catalog, warnings) = read(&text).unwrap();
    let ids: Vec<&str> = catalog.offers().iter().map(|o| o.id.as_ref()).collect();
    assert_eq!(ids, ["c/h", "c/h#2", "c/h#3"]);
    assert_eq!((catalog.offers()[0].cloud, &catalog.offers()[0].os), (CloudKind::Edge, &OperatingSystem::Any));
    assert!(warnings.to_string().contains("1 entry is not a machine and was skipped"), "{warnings}");
}

#[test]
fn zones_and_parents_of_a_candidate_are_places() {
    let text = "[{\"nodeCandidateType\": \"IAAS\", \"price\": 1, \"cloud\": {\"id\": \"c\", \"api\": {\"providerName\": \"aws-ec2\"}}, \
        \"hardware\": {\"name\": \"h\", \"cores\": 1, \"ram\": 1024}, \"location\": {\"name\": \"eu-west-1b\", \"locationScope\": \"ZONE\", \
        \"parent\": {\"id\": \"c/r\", \"name\": \"eu-west-1\", \"locationScope\": \"REGION\", \"geoLocation\": {\"country\": \"Ireland\"}}}}]";
    let (catalog, _) = read(text).unwrap();
    let offer = &catalog.offers()[0];
    assert_eq!((offer.region.as_ref(), offer.zones.len(), offer.country.as_ref()), ("eu-west-1", 1, "IE"));
    for place in ["eu-west-1b", "c/r", "Dublin", "ireland"] {
        assert!(lies_in(offer, place), "{place}");
    }
}

/// An offer whose every text is hard to write.
fn awkward() -> Offer {
    Offer {
        id: "a \"b\", c: {d}\n#".into(),
        provider: "own".into(),
        region: "yes".into(),
        zones: Arc::new(["1".into(), "no: 2".into()]),
        country: "NO".into(),
        places: Arc::new(["Oslø, ÿ".into()]),
        coordinates: Some((59.913_868_8, -0.1)),
        machine_type: "- 1e3".into(),
        family: "f: 1".into(),
        cloud: CloudKind::Own,
        purchase: Purchase::Reserved,
        cores: Cores(333),
        memory: Bytes(123_456_789),
        disk: Some(Bytes(987_654_321_987)),
        gpus: 2,
        architecture: "riscv64".into(),
        os: OperatingSystem::Unknown,
        price: Price::from_nanos(123_456_789),
        configuration: None,
        lifecycle: Lifecycle { interruption_rate: Some(0.05), start_up_s: Some(42.5), minimum_lifetime_s: Some(60.0) },
        labels: Arc::new(
            [("x y", LabelValue::Number(0.1)), ("z", LabelValue::Text("~".into()))]
                .map(|(n, v)| (Arc::from(n), v))
                .into_iter()
                .collect(),
        ),
    }
}

#[test]
fn what_is_written_reads_back() {
    let mut catalog = Catalog::new("EUR", "2026-08-01", "a: \"b\" # c");
    catalog.insert(awkward());
    catalog.insert(Offer {
        id: "#2".into(),
        disk: None,
        lifecycle: Lifecycle::default(),
        labels: Arc::default(),
        ..awkward()
    });
    for text in [to_csv(&catalog), to_yaml(&catalog)] {
        let (again, _) = read(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        assert_eq!(again.offers(), catalog.offers(), "{text}");
        assert_eq!((&again.currency, &again.date, &again.source), (&catalog.currency, &catalog.date, &catalog.source));
    }
    let builtin = builtin();
    assert_eq!(read(&to_csv(&builtin)).unwrap().0.offers(), builtin.offers());
    assert_eq!(read(&to_yaml(&builtin)).unwrap().0.offers(), builtin.offers());
    assert!(read(&to_yaml(&Catalog::default())).unwrap().0.is_empty());
    assert!(read(&to_csv(&Catalog::default())).unwrap().0.is_empty());
}

#[test]
fn merging_replaces_and_refuses_mixed_money() {
    let one = read(TABLE).unwrap().0;
    let other = read("# currency: EUR\n# date: 2026-07-01\nprovider,region,machine_type,cores,memory_gib,price\naws,eu-central-1,m5.large,2,8,0.5\n").unwrap().0;
    let (merged, warnings) = merge(vec![one.clone(), Catalog::default(), other]).unwrap();
    assert_eq!((merged.len(), merged.date.as_str()), (2, "2026-07-01"));
    assert_eq!(merged.offers()[0].price.units(), 0.5);
    assert!(warnings.to_string().contains("1 offer of `test` taken instead of earlier ones"), "{warnings}");
    let error = merge(vec![one.clone(), builtin()]).expect_err("two currencies").to_string();
    assert!(error.contains("in EUR") && error.contains("in USD") && error.contains("--currency EUR --rate"), "{error}");
    assert!(merge(vec![]).unwrap().0.is_empty());

    let dollars = convert_currency(&one, "usd", 1.08).unwrap();
    assert_eq!((dollars.currency.as_str(), dollars.offers()[0].price.nanos()), ("USD", 124_200_000));
    assert!(merge(vec![dollars, builtin()]).is_ok());
    for (to, rate) in [("dollar", 1.0), ("USD", 0.0), ("USD", f64::NAN), ("USD", 1e12)] {
        assert!(convert_currency(&one, to, rate).is_err(), "{to} {rate}");
    }
}

#[test]
fn forms_are_recognised_and_named() {
    for format in CatalogFormat::ALL {
        assert_eq!(CatalogFormat::named(format.name()), Some(format));
    }
    for (text, format) in [
        ("# x\nInstanceType,vCPUs\n", CatalogFormat::VmCsv),
        ("provider,machine_type\n", CatalogFormat::NativeCsv),
        ("currency: USD\n", CatalogFormat::NativeYaml),
        ("{\"offers\": []}", CatalogFormat::NativeYaml),
        ("[{\"cloud\": {}, \"hardware\": {}}]", CatalogFormat::NodeCandidates),
        ("", CatalogFormat::NativeCsv),
    ] {
        assert_eq!(recognise(&Source::new("x", text)), format, "{text}");
    }
}

#[test]
fn broken_input_never_panics() {
    let json = "[{\"nodeCandidateType\": \"IAAS\", \"price\": 1, \"hardware\": {\"name\": \"h\u{e9}\", \"cores\": 1, \"ram\": 1024}}]";
    let sage = "{\"a\": {\"cpu\": 1, \"memory\": 1, \"storage\": 1, \"price\": 1}}";
    let vm = "InstanceType,vCPUs,MemoryGiB,SharedCPU,Region,Price,SpotPrice\ne2,1,1,True,us-east1,1,0.5\n";
    let yaml = to_yaml(&read(TABLE).unwrap().0);
    for text in [TABLE, json, sage, vm, &yaml] {
        for format in CatalogFormat::ALL {
            for end in (0..=text.len()).filter(|i| text.is_char_boundary(*i)) {
                // Each prefix, and each text with a byte replaced, in every reader.
                let changed = format!("{}\"{}", &text[..end], text.get(end + 1..).unwrap_or(""));
                for broken in [&text[..end], &changed] {
                    let source = Source::new("x", broken);
                    if let Err(errors) = read_catalog(&source, Some(format)) {
                        assert!(errors.has_errors());
                        for error in &errors.0 {
                            assert!(source.line_column(error.span.start).0 >= 1);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_built_in_catalog() {
    let catalog = builtin();
    assert!((500..=900).contains(&catalog.len()), "{}", catalog.len());
    assert_eq!((catalog.currency.as_str(), catalog.date.len()), ("USD", 10));
    let (_, warnings) = read(include_str!("../../catalogs/builtin.csv")).unwrap();
    assert_eq!(warnings, Diagnostics::default());
    for offer in catalog.offers() {
        if offer.provider.as_ref() != "openstack" {
            assert!(region(&offer.provider, &offer.region).is_some(), "{}", offer.id);
            assert!(!offer.zones.is_empty(), "{}", offer.id);
        }
        assert!(offer.coordinates.is_some() && !offer.country.is_empty(), "{}", offer.id);
        let price_per_core = offer.price.units() / offer.cores.count();
        assert!((0.002..0.8).contains(&price_per_core), "{}: {}", offer.id, offer.price);
        if offer.purchase == Purchase::Spot {
            let id = offer.id.trim_end_matches("/spot");
            assert!(catalog[catalog.find(id).unwrap()].price > offer.price, "{id}");
        }
    }
    let price = |id: &str| catalog[catalog.find(id).unwrap()].price.units();
    assert_eq!(price("aws/us-east-1/m5.large"), 0.096);
    assert_eq!(price("azure/eastus/Standard_D2s_v3"), 0.096);
    assert!((price("gcp/us-central1/e2-standard-2") - 0.067).abs() < 1e-3);
    let providers = |place: &str| -> BTreeSet<&str> {
        catalog.offers().iter().filter(|o| lies_in(o, place)).map(|o| o.provider.as_ref()).collect()
    };
    assert_eq!(providers("Germany"), BTreeSet::from(["aws", "azure", "gcp", "openstack"]));
    assert_eq!(providers("Norway"), BTreeSet::from(["azure", "openstack"]));
    assert!(providers("AS").len() == 3 && providers("NA").len() == 3);
}

#[test]
fn a_country_that_is_none_is_a_place() {
    let entry = |country: &str| {
        format!(
            "{{\"cloud\": 0, \"location\": \"x\", \"country\": \"{country}\", \"cores\": 1, \"ram\": 512, \"price\": 1}}"
        )
    };
    let text = format!("{{\"offers\": [{}, {}, {}]}}", entry("DE"), entry("zH"), entry(""));
    let source = Source::new("x", text);
    let (catalog, _) = read_catalog(&source, Some(CatalogFormat::Cloudiator)).unwrap();
    let told: Vec<(&str, Vec<&str>)> =
        catalog.offers().iter().map(|o| (o.country.as_ref(), o.places.iter().map(|p| p.as_ref()).collect())).collect();
    assert_eq!(told, [("DE", vec![]), ("", vec!["zH"]), ("", vec![])]);
    let (again, _) = read(&to_csv(&catalog)).unwrap();
    assert_eq!(again.offers(), catalog.offers());
}
