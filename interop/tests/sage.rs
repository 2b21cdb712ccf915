//! SAGE applications: every restriction, mistakes, and the applications of the corpus.

#![allow(clippy::unwrap_used)]

mod support;

use cardinal_interop::{Format, import_model};
use cardinal_models::diagnostic::Source;
use serde_json::{Value, json};
use support::{component, corpus, import, names};

const APPS: [&str; 13] = [
    "Oryx2",
    "SecureBillingEmail",
    "SecureWebContainer",
    "Wordpress3",
    "Wordpress4",
    "Wordpress5",
    "Wordpress6",
    "Wordpress7",
    "Wordpress8",
    "Wordpress9",
    "Wordpress10",
    "Wordpress11",
    "Wordpress12",
];

fn application(restrictions: Value) -> Source {
    let part = |id: u64, name: &str, system: &str| {
        json!({"id": id, "name": name, "operatingSystem": system, "keywords": [],
               "Compute": {"CPU": 2, "GPU": "false", "Memory": 512}, "Storage": {"StorageType": "HDD", "StorageSize": 1000}})
    };
    let value = json!({
        "application": "test",
        "components": [part(1, "web", "Linux"), part(2, "db.main", "Windows"), part(3, "load balancer", "")],
        "IP": {}, "restrictions": restrictions
    });
    Source::new("app.json", value.to_string())
}

#[test]
fn every_restriction_has_its_rule() {
    let (imported, _) = import(&application(json!([
        {"type": "Conflicts", "alphaCompId": 1, "compsIdList": [2, 3]},
        {"type": "OneToOneDependency", "alphaCompId": 1, "betaCompId": 2},
        {"type": "AlternativeComponents", "alphaCompId": 2, "betaCompId": 3},
        {"type": "LowerBound", "compsIdList": [1, 2], "bound": 3},
        {"type": "UpperBound", "compsIdList": [3], "bound": 4},
        {"type": "EqualBound", "compsIdList": [1], "bound": 1},
        {"type": "RequireProvideDependency", "alphaCompId": 1, "betaCompId": 3, "alphaCompIdInstances": 7, "betaCompIdInstances": 2},
        {"type": "OneToManyDependency", "alphaCompId": 2, "betaCompId": 3, "number": 10},
        {"type": "FullDeployment", "alphaCompId": 3, "compsIdList": [1, 2]},
        {"type": "FullDeployment", "alphaCompId": 3, "compsIdList": []}
    ])));
    assert_eq!(imported.format, Format::SageJson);
    let document = &imported.document;
    assert_eq!(
        component(document, "web"),
        json!({"cardinality": 1.0, "hosting": "shared", "per_node": 1.0,
               "requires": {"cores": 2.0, "memory": "512 MiB", "disk": "1000 MiB"}})
    );
    assert_eq!(component(document, "db.main")["cardinality"], json!("0..100"));
    assert_eq!(component(document, "load balancer")["cardinality"], json!("0..4"));
    assert_eq!(
        support::json(&document.structure),
        json!({
            "Conflicts 1": {"conflict": "web", "with": ["db.main", "load balancer"]},
            "OneToOneDependency 2": {"colocate": ["web", "db.main"]},
            "AlternativeComponents 3": {"alternatives": ["db.main", "load balancer"]},
            "LowerBound 4": {"at_least": 3.0, "of": ["web", "db.main"]},
            "UpperBound 5": {"at_most": 4.0, "of": ["load balancer"]},
            "EqualBound 6": {"exactly": 1.0, "of": ["web"]},
            "RequireProvideDependency 7": {"require": "7 `load balancer` per 2 web"},
            "FullDeployment 9": {"every_node": "load balancer", "unless": ["web", "db.main"]},
            "FullDeployment 10": {"every_node": "load balancer"},
            "operating system of web": {"conflict": "web", "with": ["db.main"]},
        })
    );
    assert_eq!(
        support::json(&document.constraints),
        json!({
            "OneToManyDependency 8 at least": "10 * `db.main`.cardinality - `load balancer`.cardinality >= 1",
            "OneToManyDependency 8 at most": "10 * `db.main`.cardinality - `load balancer`.cardinality <= 10",
        })
    );
    assert!(document.utility.is_none());
    assert!(imported.report.unknown.is_empty(), "{}", imported.report);
    assert!(imported.report.left_out.iter().any(|l| l.kind == "component.keywords" && l.count == 3));
}

#[test]
fn bounds_above_the_default_limit_raise_it() {
    let (imported, _) = import(&application(json!([
        {"type": "LowerBound", "compsIdList": [1], "bound": 90},
        {"type": "RequireProvideDependency", "alphaCompId": 1, "betaCompId": 3, "alphaCompIdInstances": 2, "betaCompIdInstances": 1}
    ])));
    assert_eq!(component(&imported.document, "load balancer")["cardinality"], json!("1..271"));
}

#[test]
fn mistakes_name_the_path_and_the_mend() {
    for (restriction, path, wanted) in [
        (
            json!({"type": "LowerBound", "compsIdList": [9], "bound": 1}),
            "restrictions[0].compsIdList[0]",
            "no component has the id 9",
        ),
        (
            json!({"type": "LowerBound", "compsIdList": [1], "bound": "two"}),
            "restrictions[0].bound",
            "'bound' is \"two\"",
        ),
        (json!({"type": "LowerBound", "compsIdList": 1, "bound": 2}), "restrictions[0].compsIdList", "not a list"),
        (json!({"type": "LowerBond"}), "restrictions[0].type", "no type of restriction"),
        (json!({"type": "OneToOneDependency", "alphaCompId": 1}), "restrictions[0].betaCompId", "is missing"),
        (
            json!({"type": "OneToOneDependency", "alphaCompId": 1, "betaCompId": 1}),
            "restrictions[0].betaCompId",
            "related to itself",
        ),
        (json!({"alphaCompId": 1}), "restrictions[0].type", "no type"),
        (json!(3), "restrictions[0]", "not an object"),
    ] {
        let findings = import_model(&application(json!([restriction])), None).unwrap_err();
        let found = &findings.0[0];
        assert_eq!(found.path, path, "{findings}");
        assert!(found.message.contains(wanted) && found.help.is_some(), "{findings}");
    }
    let no_id = application(json!([])).text.replace("\"id\":1,", "");
    let findings = import_model(&Source::new("x", no_id), None).unwrap_err();
    assert_eq!(findings.0[0].path, "components[0].id");
    let twice = application(json!([])).text.replace("\"id\":2,", "\"id\":1,");
    assert!(
        import_model(&Source::new("x", twice), None).unwrap_err().0[0].message.contains("two components have the id 1")
    );
    let cut = "{\"application\": \"a\",\n \"components\": [}";
    let findings = import_model(&Source::new("x", cut), Some(Format::SageJson)).unwrap_err();
    assert_eq!(Source::new("x", cut).line_column(findings.0[0].span.start).0, 2);
}

#[test]
fn the_applications_of_the_corpus_resolve() {
    for app in APPS {
        let Some(source) = corpus(&format!("sage/apps/{app}.json")) else { return };
        let (imported, resolved) = import(&source);
        assert!(imported.report.unknown.is_empty(), "{app}: {}", imported.report);
        assert_eq!(resolved.components.len(), names(&imported.document.components).len());
        assert!(resolved.objective.is_default);
        // One instance of a component on a node, always.
        assert!(resolved.components.iter().all(|c| c.per_node == Some(1)));
    }
}

#[test]
fn oryx() {
    let Some(source) = corpus("sage/apps/Oryx2.json") else { return };
    let (imported, _) = import(&source);
    let document = &imported.document;
    assert_eq!(
        component(document, "HDFS.DataNode")["requires"],
        json!({"cores": 4.0, "memory": "8000 MiB", "disk": "3000 MiB"})
    );
    assert_eq!(component(document, "YARN.HistoryService")["cardinality"], json!(1.0));
    let structure = support::json(&document.structure);
    assert_eq!(structure["RequireProvideDependency 6"], json!({"require": "2 Zookeeper per 1 Kafka"}));
    assert_eq!(structure["FullDeployment 7"], json!({"every_node": "HDFS.DataNode"}));
}
