//! CAMEL models: what becomes of each construct, on the example and on the models of the corpus.

#![allow(clippy::unwrap_used)]

mod support;

use cardinal_interop::{Format, import_model, recognise};
use cardinal_models::diagnostic::Source;
use serde_json::json;
use support::{component, corpus, example, import, names};

fn kinds(groups: &[cardinal_interop::report::LeftOut]) -> Vec<(&str, usize)> {
    groups.iter().map(|g| (g.kind.as_str(), g.count)).collect()
}

#[test]
fn the_example_is_converted_whole() {
    let (imported, application) = import(&example("webapp.xmi"));
    let document = &imported.document;
    assert_eq!(imported.format, Format::CamelXmi);
    assert_eq!(document.application.value, "webapp");
    assert_eq!(names(&document.components), ["Frontend", "Load-Balancer", "Database"]);
    assert_eq!(
        component(document, "Frontend"),
        json!({
            "cardinality": "1..8", "hosting": "dedicated", "fleet": "uniform",
            "requires": {"cores": "2..8", "memory": ">= 4096 MiB"},
            "placement": {
                "location": ["Central Europe", "CentralEurope", "Germany", "DE", "eu-central", "eu-central-*"],
                "os": "ubuntu"
            },
            "needs": ["Database"]
        })
    );
    assert_eq!(component(document, "Load-Balancer")["needs"], json!(["Frontend"]));
    assert_eq!(component(document, "Load-Balancer")["requires"], json!({"cores": "<= 4", "memory": ">= 1024 MiB"}));
    assert_eq!(component(document, "Database")["moveable"], json!(false));
    assert_eq!(component(document, "Database")["cardinality"], json!(1.0));
    assert_eq!(
        support::json(&document.metrics),
        json!({
            "FrontendCardinality": "Frontend.cardinality",
            "FrontendCores": "Frontend.cores",
            "RequestRate": {},
            "Spare": "50 * FrontendCardinality * FrontendCores - RequestRate",
            "ResponseTime": {
                "description": "mean of RawResponseTime", "component": "Frontend", "source": "RawResponseTime",
                "aggregate": "mean", "window": "60s"
            },
            "FrontendPrice": "number(Frontend.price)",
            "Utility": "1 - (FrontendPrice * FrontendCardinality - candidates.min(number(Frontend.price))) / (8 * candidates.max(number(Frontend.price)))",
        })
    );
    assert_eq!(support::json(&document.constraints), json!({"EnoughCapacity": "Spare >= 0"}));
    assert_eq!(support::json(&document.slo), json!({"FastEnough": "ResponseTime <= 250"}));
    assert_eq!(support::json(&document.utility), json!({"maximize": "Utility"}));
    assert!(!application.objective.is_default);
    assert_eq!(kinds(&imported.report.unknown), []);
    let left_out = kinds(&imported.report.left_out);
    assert!(left_out.contains(&("metric:RawMetric", 2)), "{left_out:?}");
    assert!(left_out.contains(&("deployment:ScriptConfiguration", 1)), "{left_out:?}");
}

#[test]
fn places_of_names_and_formulas_are_those_of_the_xmi() {
    let source = example("webapp.xmi");
    let imported = import_model(&source, Some(Format::CamelXmi)).unwrap();
    let (name, _) = imported.document.components.iter().next().unwrap();
    assert_eq!(source.slice(name.span), "Frontend");
}

#[test]
fn crm() {
    let Some(source) = corpus("melodic/CRM.xmi") else { return };
    let (imported, _) = import(&source);
    let document = &imported.document;
    assert_eq!(
        component(document, "SmartDesign"),
        json!({
            "cardinality": "2..6", "hosting": "dedicated", "fleet": "uniform",
            "requires": {"cores": ">= 2", "memory": ">= 8192 MiB"}, "placement": {"os": "ubuntu"}
        })
    );
    assert_eq!(
        names(&document.metrics),
        ["AverageRAMUtilisation", "SmartDesignUnaryCost", "SmartDesignCardinality", "CostUtility"]
    );
    assert_eq!(support::json(&document.utility), json!({"maximize": "CostUtility"}));
    assert_eq!(
        support::json(&document.metrics)["CostUtility"],
        json!(
            "1 - ((SmartDesignUnaryCost * SmartDesignCardinality)- 2 * candidates.min(number(SmartDesign.price))) / \
             (6 * candidates.max(number(SmartDesign.price)) - 2 * candidates.min(number(SmartDesign.price)))"
        )
    );
    assert_eq!(support::json(&document.metrics)["AverageRAMUtilisation"]["window"], json!("90s"));
    assert_eq!(kinds(&imported.report.unknown), []);
}

#[test]
fn crm2() {
    let Some(source) = corpus("melodic/CRM2.xmi") else { return };
    let (imported, _) = import(&source);
    let document = &imported.document;
    assert_eq!(names(&document.components), ["SmartDesign", "OpenServer", "LoadBalancer"]);
    assert_eq!(component(document, "SmartDesign")["needs"], json!(["OpenServer"]));
    assert_eq!(component(document, "SmartDesign")["requires"], json!({"cores": ">= 2", "memory": ">= 4096 MiB"}));
    assert_eq!(component(document, "OpenServer")["requires"], json!({"cores": 2.0, "memory": ">= 2048 MiB"}));
    assert_eq!(component(document, "LoadBalancer")["cardinality"], json!(1.0));
    assert_eq!(support::json(&document.slo), json!({"AvgMemoryUtilisationSLO": "AverageRAMUtilisation >= 80"}));
    assert!(imported.report.about("AvgMemoryUtilisationSLO").any(|t| t.contains("fires when")));
    assert_eq!(kinds(&imported.report.unknown), []);
}

#[test]
fn fcr() {
    let Some(source) = corpus("melodic/FCR.xmi") else { return };
    let (imported, application) = import(&source);
    let document = &imported.document;
    assert_eq!(document.application.value, "FCRApp");
    let places = json!([
        "eu-west",
        "eu-west-*",
        "euwest1",
        "eu-west-1a",
        "euwest1A",
        "eu-west-1b",
        "euwest1B",
        "eu-west-1c",
        "euwest1C"
    ]);
    for (name, cardinality, memory, needs) in [
        ("Component_App", json!("1..10"), "8100 MiB..10072 MiB", json!(["Component_DB"])),
        ("Component_LB", json!(1.0), "1024 MiB..1030 MiB", json!(["Component_App"])),
        ("Component_DB", json!(1.0), "1024 MiB..3100 MiB", json!(null)),
    ] {
        let found = component(document, name);
        assert_eq!(found["cardinality"], cardinality);
        assert_eq!(found["requires"], json!({"cores": 1.0, "memory": memory}));
        assert_eq!(found["placement"], json!({"location": places}));
        assert_eq!(found["needs"], needs);
        assert_eq!(found["moveable"], if name == "Component_App" { json!(null) } else { json!(false) });
    }
    assert_eq!(
        support::json(&document.metrics),
        json!({
            "AppActCardinality": "current(Component_App.cardinality, 1)",
            "RT_AVG": {},
            "AppCardinality": "Component_App.cardinality",
            "AppActPrice": "number(current(Component_App.price, Component_App.price))",
            "AppPrice": "number(Component_App.price)",
            "Utility": "0.5 * (-4.5 * (AppActCardinality * RT_AVG/AppCardinality/100)^2 + 4.5 * (AppActCardinality * RT_AVG/AppCardinality/100)) + 0.5 * ((AppActCardinality/AppActPrice)/(AppCardinality*AppPrice))",
        })
    );
    assert!(application.metric("RT_AVG").is_some());
    assert_eq!(kinds(&imported.report.unknown), []);
    assert!(kinds(&imported.report.left_out).contains(&("requirement:OSRequirement", 1)));
}

#[test]
fn two_components_without_a_utility() {
    let Some(source) = corpus("melodic/TwoComponentAppnew.xmi") else { return };
    let (imported, _) = import(&source);
    let document = &imported.document;
    assert_eq!(names(&document.components), ["Component_App", "Component_DB"]);
    assert_eq!(support::json(&document.utility), json!({"maximize": "1 / (1 + number(total_cost))"}));
    assert!(document.metrics.is_empty());
    assert!(imported.report.about("utility").next().is_some());
    assert_eq!(kinds(&imported.report.unknown), []);
}

/// A model with one component and what the caller adds.
fn model(metrics: &str, requirements: &str, constraints: &str) -> Source {
    let text = format!(
        r#"<core:CamelModel xmlns:core="http://www.camel-dsl.org/camel/core" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="m">
<deploymentModels xsi:type="deployment:DeploymentTypeModel" name="d">
<softwareComponents name="my app" requirementSet="//@deploymentModels.0/@requirementSets.0"/>
<requirementSets name="set" horizontalScaleRequirement="//@requirementModels.0/@requirements.0" resourceRequirement="//@requirementModels.0/@requirements.1" providerRequirement="//@requirementModels.0/@requirements.2"/>
</deploymentModels>
<metricModels name="mm">
<attributes name="n" annotations="Cardinality"/><templates name="t" attribute="//@metricModels.0/@attributes.0"/>
{metrics}</metricModels>
<requirementModels name="rm">
<requirements xsi:type="requirement:HorizontalScaleRequirement" name="scale" minInstances="1"/>
<requirements xsi:type="requirement:ResourceRequirement" name="r"><subFeatures name="s" annotations="Storage"><attributes name="disk" annotations="hasMin"><value value="20"/></attributes></subFeatures></requirements>
<requirements xsi:type="requirement:ProviderRequirement" name="p" cloudType="PUBLIC"><providerNames>Amazon</providerNames><providerNames>azure</providerNames></requirements>
{requirements}</requirementModels>
<constraintModels name="cm">{constraints}</constraintModels>
</core:CamelModel>"#
    );
    Source::new("model.xmi", text)
}

const SIZE: &str = r#"<metrics xsi:type="metric:MetricVariable" name="Size-now" metricTemplate="//@metricModels.0/@templates.0" component="//@deploymentModels.0/@softwareComponents.0"/>
<metrics xsi:type="metric:RawMetric" name="Load"/>
<metrics xsi:type="metric:MetricVariable" name="Twice" formula="2*Size-now" componentMetrics="//@metricModels.0/@metrics.0"/>"#;

#[test]
fn constraints_are_joined_and_objectives_negated() {
    let constraint = |kind: &str, rest: &str| format!(r#"<constraints xsi:type="constraint:{kind}" {rest}/>"#);
    let constraints = [
        constraint("MetricVariableConstraint", r#"name="a" threshold="3" metricVariable="//@metricModels.0/@metrics.0""#),
        constraint(
            "MetricVariableConstraint",
            r#"name="b" comparisonOperator="LESS_EQUAL_THAN" threshold="8" metricVariable="//@metricModels.0/@metrics.2""#,
        ),
        constraint(
            "LogicalConstraint",
            r#"name="c" logicalOperator="OR" constraints="//@constraintModels.0/@constraints.0 //@constraintModels.0/@constraints.1""#,
        ),
        constraint(
            "IfThenConstraint",
            r#"name="d" if="//@constraintModels.0/@constraints.0" then="//@constraintModels.0/@constraints.1" else="//@constraintModels.0/@constraints.2""#,
        ),
        constraint(
            "IfThenConstraint",
            r#"name="e" if="//@constraintModels.0/@constraints.0" then="//@constraintModels.0/@constraints.1""#,
        ),
        constraint("LogicalConstraint", r#"name="f" logicalOperator="NOT" constraints="//@constraintModels.0/@constraints.0""#),
        constraint("MetricConstraint", r#"name="g" threshold="90" metricContext="//@metricModels.0/@metricContexts.0""#),
        constraint("MetricConstraint", r#"name="h" threshold="1" metricContext="//@metricModels.0/@metricContexts.0""#),
        constraint(
            "LogicalConstraint",
            r#"name="i" logicalOperator="XOR" constraints="//@constraintModels.0/@constraints.6 //@constraintModels.0/@constraints.7""#,
        ),
    ]
    .concat();
    let metrics = format!(r#"{SIZE}<metricContexts name="lc" metric="//@metricModels.0/@metrics.1"/>"#);
    let objective = r#"<requirements xsi:type="requirement:ServiceLevelObjective" name="calm" constraint="//@constraintModels.0/@constraints.8"/>
<requirements xsi:type="requirement:OptimisationRequirement" name="small" minimise="true" metricVariable="//@metricModels.0/@metrics.2"/>"#;
    let (imported, _) = import(&model(&metrics, objective, &constraints));
    let document = imported.document;
    assert_eq!(
        support::json(&document.constraints),
        json!({
            "d": "if(`Size-now` > 3, Twice <= 8, (`Size-now` > 3) or (Twice <= 8))",
            "e": "(`Size-now` > 3) implies (Twice <= 8)",
            "f": "`Size-now` <= 3",
        }),
    );
    assert_eq!(support::json(&document.slo), json!({"calm": "not ((Load > 90) xor (Load > 1))"}));
    assert_eq!(support::json(&document.utility), json!({"minimize": "Twice"}));
    assert_eq!(
        support::json(&document.metrics),
        json!({"Size-now": "`my app`.cardinality", "Twice": "2*`Size-now`", "Load": {}})
    );
    assert_eq!(
        component(&document, "my app"),
        json!({
            "cardinality": "1..100", "hosting": "dedicated", "fleet": "uniform",
            "requires": {"disk": ">= 20480 MiB"},
            "placement": {"cloud": "public", "provider": ["aws", "amazon", "azure"]}
        })
    );
    assert!(imported.report.about("my app").any(|t| t.contains("no upper limit")));
}

#[test]
fn mistakes_are_told_with_their_place_and_mend() {
    let goal = r#"<requirements xsi:type="requirement:OptimisationRequirement" name="goal" metricVariable="//@metricModels.0/@metrics.3"/>"#;
    for (formula, wanted) in
        [("Twicee + 1", "no metric is called 'Twicee'"), ("Self + 1", "uses itself"), ("min(Load", ""), ("2 +", "")]
    {
        let metrics = format!(r#"{SIZE}<metrics xsi:type="metric:MetricVariable" name="Self" formula="{formula}"/>"#);
        let source = model(&metrics, goal, "");
        let findings = match import_model(&source, None) {
            Err(findings) => findings,
            Ok(imported) => cardinal_models::resolve::resolve(&imported.document).unwrap_err(),
        };
        let first = &findings.0[0];
        assert!(first.message.contains(wanted), "{findings}");
        assert!(!first.span.is_none(), "{findings}");
        if !wanted.is_empty() {
            assert!(first.help.is_some(), "{findings}");
            assert_eq!(source.line_column(first.span.start).0, 10, "{findings}");
        }
    }
    let source =
        Source::new("x", example("webapp.xmi").text.replace("softwareComponents.2/@p", "softwareComponents.7/@p"));
    let findings = import_model(&source, None).unwrap_err();
    assert!(findings.0[0].message.contains("leads nowhere"), "{findings}");
}

#[test]
fn formats_are_recognised_by_content() {
    let told = |text: &str| recognise(&Source::new("x", text)).ok();
    assert_eq!(told("<?xml version='1.0'?><!-- c --><core:CamelModel/>"), Some(Format::CamelXmi));
    assert_eq!(told("\u{feff} <xmi:XMI a='b'><core:CamelModel/></xmi:XMI>"), Some(Format::CamelXmi));
    assert_eq!(told("<cp:ConstraintProblem id='x'>"), Some(Format::CpXmi));
    assert_eq!(told("<html>"), None);
    assert_eq!(told("<"), None);
    assert_eq!(told(r#"{"application": "a", "components": [], "restrictions": []}"#), Some(Format::SageJson));
    assert_eq!(told(r#"{"application": "a", "components": {}}"#), Some(Format::Native));
    assert_eq!(told("application: a"), Some(Format::Native));
    assert_eq!(told(""), Some(Format::Native));
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
    }
    assert_eq!(Format::named("xmi"), None);
    let problem = import_model(&Source::new("x", "<cp:ConstraintProblem/>"), None).unwrap_err();
    assert!(problem.0[0].message.contains("cannot be read"));
    let native = Source::new("x", "application: a\ncomponents: {web: {requires: {cores: 2}}}\n");
    assert_eq!(import_model(&native, None).unwrap().format, Format::Native);
}
