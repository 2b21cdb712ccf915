//! Data sources and links: what is read, and what is said about mistakes.
#![allow(clippy::unwrap_used)]

use crate::application::{Application, End, Home};
use crate::diagnostic::{Severity, Source};
use crate::formula::expr::ExprKind;
use crate::resolve::load;

const COMPONENTS: &str = "application: a\ncomponents:\n  web: {}\n  db: {}\n  knobs: {attributes: {x: 1..3}}\nmetrics:\n  requests: {unit: 1/s, default: 5}\n";

fn read(text: &str) -> Application {
    let source = Source::new("test.yaml", format!("{COMPONENTS}{text}"));
    load(&source).map(|(application, ..)| application).unwrap_or_else(|findings| panic!("{findings}"))
}

fn findings(text: &str) -> Vec<String> {
    let source = Source::new("test.yaml", format!("{COMPONENTS}{text}"));
    let found = match load(&source) {
        Ok((_, _, findings)) | Err(findings) => findings,
    };
    let word = |severity| if severity == Severity::Error { "error" } else { "warning" };
    let line = |d: &crate::diagnostic::Diagnostic| {
        let marked = source.slice(d.span);
        format!("{}: {} [{marked}]", word(d.severity), d.message)
    };
    found.0.iter().map(line).collect()
}

#[test]
fn amounts_are_in_gb_per_hour_and_milliseconds() {
    let app = read(
        "data:\n  lake: {size: 2 TB, places: [EU], replicas: 1..2, storage_price: 0.0365 USD/GB/month}\n  feed: {place: \
         eu-west-1}\nlinks:\n  a: {from: web, to: db, traffic: 3 MB/s, back: 7, latency: 10 ms}\n  b: {from: lake, to: \
         web, traffic: requests * 2 MB}\n",
    );
    let lake = &app.data[0];
    assert_eq!(lake.size.0, 2_000_000_000_000);
    assert!((lake.replica_cost() - 2000.0 * 0.0365 / 730.0).abs() < 1e-12);
    assert_eq!(lake.home, Home::Chosen { places: vec!["EU".into()], least: 1, most: 2 });
    assert_eq!(app.data[1].home, Home::Fixed(vec!["eu-west-1".into()]));
    let link = &app.links[0];
    assert_eq!(
        (link.from, link.to),
        (End::Component(app.component("web").unwrap()), End::Component(app.component("db").unwrap()))
    );
    assert!(matches!(link.traffic.kind, ExprKind::Number(gb) if (gb - 10.8).abs() < 1e-9));
    assert!(matches!(link.back.kind, ExprKind::Number(gb) if gb == 7.0));
    assert_eq!(link.latency_ms, Some(10.0));
    let limit = app.constraints.iter().find(|c| c.name.as_ref() == "a.latency").unwrap();
    assert_eq!(limit.text, "a.latency <= 10 ms");
    assert_eq!(app.constraints.len(), 1);
}

#[test]
fn every_mistake_has_its_place() {
    for (text, expected) in [
        ("links: {l: {from: web, to: dp, traffic: 1}}", "error: there is no component or data source `dp` [dp]"),
        ("links: {l: {from: web, traffic: 1}}", "error: `to` is missing []"),
        (
            "links: {l: {from: web, to: knobs, traffic: 1}}",
            "error: `knobs` has free attributes, and nobody knows where those run [knobs]",
        ),
        ("links: {l: {from: web, to: db, traffic: 3 GB}}", "error: this is in `GB` and no traffic [3 GB]"),
        ("links: {l: {from: web, to: db, traffic: -1}}", "error: the traffic is out of range [-1]"),
        (
            "links: {l: {from: web, to: db, traffic: web.cardinality}}",
            "error: the traffic depends on the deployment that is to be found [web.cardinality]",
        ),
        ("links: {l: {from: web, to: db}}", "warning: the link `l` asks for nothing [l]"),
        (
            "data: {d: {}, e: {}}\nlinks: {l: {from: d, to: e, traffic: 1}}",
            "error: both ends are data sources, and data do not send by themselves [e]",
        ),
        ("data: {web: {}}", "error: `web` is the name of a component already [web]"),
        (
            "data: {d: {place: eu-west-1, replicas: 2}}",
            "error: `place` says where it is, so that `replicas` has nothing to choose [2]",
        ),
        ("data: {d: {place: 'eu-*'}}", "error: `eu-*` may be many places [eu-*]"),
        ("data: {d: {places: [eu-wst-1]}}", "warning: no region or country is known as `eu-wst-1` [eu-wst-1]"),
        ("data: {d: {replicas: 0..2}}", "error: a data source has 1 to 16 replicas, not 0..2 [0..2]"),
        (
            "data: {d: {storage_price: 0.02}}",
            "error: what storing it costs depends on its size, which is not told [0.02]",
        ),
        ("data: {d: {size: 1 GB, storage_price: 2 USD/h}}", "error: `2 USD/h` is no price of storage [2 USD/h]"),
        (
            "links: {l: {from: web, to: db, traffic: 1}}\nutility: {minimize: l.speed}",
            "error: `l` is a link and has no attribute `speed` [speed]",
        ),
        ("data: {d: {}}\nutility: {minimize: d}", "error: `d` is a link or a data source, not a number [d]"),
    ] {
        assert!(
            findings(&format!("{text}\n")).iter().any(|f| f == expected),
            "{text}: {:#?}",
            findings(&format!("{text}\n"))
        );
    }
}
