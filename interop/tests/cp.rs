//! Constraint problems: domains, expressions, goals, offers, mistakes, and the problems of the corpus.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use cardinal_interop::cp::{Over, import as read};
use cardinal_interop::{Format, import_model, import_over};
use cardinal_models::application::{Application, ComponentId};
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{Placement, Setting, SettingValue};
use cardinal_models::resolve::resolve;
use cardinal_models::snapshot::Snapshot;
use proptest::prelude::*;
use serde_json::json;
use support::{component, corpus, import, json, names};

/// A problem of these elements.
fn problem(elements: &str) -> Source {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"ASCII\"?>\n<cp:ConstraintProblem xmi:version=\"2.0\" \
         xmlns:xmi=\"http://www.omg.org/XMI\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:cp=\"http://www.paasage.eu/eu/paasage/upperware/metamodel/cp\" \
         xmlns:types=\"http://www.paasage.eu/eu/paasage/upperware/metamodel/types\" id=\"test\">\n{elements}\n\
         </cp:ConstraintProblem>"
    );
    Source::new("problem.xmi", text)
}

fn variable(id: &str, kind: &str, component: &str, domain: &str) -> String {
    format!("<cpVariables id=\"{id}\" variableType=\"{kind}\" componentId=\"{component}\">{domain}</cpVariables>\n")
}

fn list(values: &[f64]) -> String {
    let values: String =
        values.iter().map(|v| format!("<values xsi:type=\"types:IntegerValueUpperware\" value=\"{v}\"/>")).collect();
    format!("<domain xsi:type=\"cp:NumericListDomain\">{values}</domain>")
}

fn range(from: i64, to: i64) -> String {
    let end = |tag: &str, x: i64| format!("<{tag} xsi:type=\"types:IntegerValueUpperware\" value=\"{x}\"/>");
    format!("<domain xsi:type=\"cp:RangeDomain\">{}{}</domain>", end("from", from), end("to", to))
}

fn two() -> String {
    variable("n", "cardinality", "app", &range(1, 4)) + &variable("c", "cores", "app", &list(&[8.0, 1.0, 2.0]))
}

/// The value of a formula when the variables have these values.
fn value(application: &Application, name: &str, values: &[(&str, &str, f64)]) -> f64 {
    let setting = |(component, attribute, value): &(&str, &str, f64)| Setting {
        component: application.component(component).unwrap(),
        attribute: Attribute::named(attribute).unwrap_or_else(|| Attribute::Label((*attribute).into())),
        value: SettingValue(*value),
    };
    let placement = Placement { settings: values.iter().map(setting).collect(), ..Placement::default() };
    let snapshot = Snapshot::new(Arc::new(application.clone()), Arc::new(Catalog::default()));
    let constraint = application.constraints.iter().find(|c| c.name.as_ref() == name).unwrap();
    f64::from(u8::from(Evaluator::new(&snapshot).bool(&constraint.formula, &placement).unwrap()))
}

#[test]
fn variables_become_cardinalities_and_attributes() {
    let elements = two()
        + &variable("ram_1", "ram", "app", &list(&[512.0]))
        + &variable("ram_2", "ram", "app", &range(-3, 3))
        + &variable("app", "cores", "other", &list(&[0.5, 2.0]))
        + &variable("flag", "", "other", "<domain xsi:type=\"cp:BooleanDomain\"/>")
        + "<cpVariables id=\"alone\"><domain xsi:type=\"cp:MultiRangeDomain\">\
           <ranges><from value=\"1\"/><to value=\"2\"/></ranges><ranges><from value=\"9\"/><to value=\"9\"/></ranges>\
           </domain></cpVariables>";
    let (imported, application) = import(&problem(&elements));
    assert_eq!(imported.format, Format::CpXmi);
    let document = &imported.document;
    assert_eq!(names(&document.components), ["app_2", "other", "problem"]);
    assert_eq!(
        component(document, "app_2"),
        json!({"cardinality": "1..4",
               "attributes": {"cores": ["1..2", 8.0], "ram": 512.0, "ram_2": "-3..3"}})
    );
    assert_eq!(component(document, "other"), json!({"attributes": {"cores": [0.5, 2.0], "flag": "0..1"}}));
    assert_eq!(component(document, "problem"), json!({"attributes": {"alone": ["1..2", 9.0]}}));
    assert_eq!(json(&document.metrics)["ram_2"], json!("app_2.ram_2"));
    assert_eq!(json(&document.metrics)["n"], json!("app_2.cardinality"));
    assert!(imported.report.about("utility").next().unwrap().contains("--maximize"), "{}", imported.report);
    assert!(application[ComponentId(0)].is_free());
}

#[test]
fn expressions_become_formulas() {
    let elements = two()
        + "<constants id=\" 0\"><value value=\"-2.5\"/></constants>\
           <constants id=\"limit\"><value xsi:type=\"types:IntegerValueUpperware\" value=\"10\"/></constants>\
           <constants id=\"unused\"><value value=\"1\"/></constants>\
           <cpMetrics id=\"load\"><value value=\"3\"/></cpMetrics>\
           <auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"sum\" \
             expressions=\"//@cpVariables.0 //@cpVariables.1 //@constants.0\"/>\
           <auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"less\" expressions=\"//@auxExpressions.0 //@cpMetrics.0\" operator=\"minus\"/>\
           <auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"product\" expressions=\"//@auxExpressions.1 //@auxExpressions.1\" operator=\"times\"/>\
           <auxExpressions xsi:type=\"cp:SimpleUnaryExpression\" id=\"absolute\" expression=\"//@auxExpressions.2\"/>\
           <auxExpressions xsi:type=\"cp:ComposedUnaryExpression\" id=\"square\" expression=\"//@cpVariables.1\" value=\"2\"/>\
           <auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"share\" expressions=\"//@auxExpressions.4 //@constants.1\" operator=\"div\"/>\
           <constraints id=\"0\" exp1=\"//@auxExpressions.3\" exp2=\"//@constants.1\" comparator=\"lessOrEqualTo\"/>\
           <constraints exp1=\"//@auxExpressions.5\" exp2=\"//@constants.0\"/>\
           <constraints id=\"0\" exp1=\"//@cpVariables.0\" exp2=\"//@cpVariables.1\" comparator=\"different\"/>";
    let (imported, application) = import(&problem(&elements));
    let document = &imported.document;
    assert_eq!(json(&document.constants), json!({"limit": 10.0}));
    assert_eq!(json(&document.metrics)["load"], json!({"default": 3.0}));
    assert_eq!(json(&document.metrics)["less"], json!("((n + c + (-2.5)) - load)"));
    assert_eq!(
        json(&document.constraints),
        json!({"0": "abs((less * less)) <= limit", "c1": "((c ^ 2) / limit) > (-2.5)", "0_2": "n != c"})
    );
    let at = |name, n, c| value(&application, name, &[("app", "cardinality", n), ("app", "cores", c)]);
    assert_eq!((at("0", 1.0, 8.0), at("0", 4.0, 8.0)), (0.0, 0.0));
    assert_eq!((at("0", 1.0, 2.0), at("0", 4.0, 2.0)), (1.0, 1.0));
    assert_eq!((at("c1", 1.0, 1.0), at("0_2", 2.0, 2.0), at("0_2", 1.0, 2.0)), (1.0, 0.0, 1.0));
    assert!(imported.report.to_string().contains("not used: 1 x constants"), "{}", imported.report);
}

#[test]
fn a_goal_of_the_file_is_pursued() {
    let goal = |kind: &str| two() + &format!("<goals id=\"g\" expression=\"//@cpVariables.1\" {kind}/>");
    let utility = |kind: &str| json(&import(&problem(&goal(kind))).0.document.utility);
    assert_eq!(utility("goalType=\"MAX\""), json!({"maximize": "c"}));
    assert_eq!(utility("goalType=\"min\""), json!({"minimize": "c"}));
    assert!(import_model(&problem(&goal("")), None).unwrap_err().to_string().contains("which way"));
}

#[test]
fn variables_are_tied_to_offers() {
    let elements = two()
        + &variable("mem", "ram", "app", &list(&[1024.0, 2048.0]))
        + &variable("disk", "storage", "app", &range(10, 20))
        + &variable("lat", "latitude", "app", &list(&[5333.0, 100.0]))
        + &variable("where", "provider", "app", &list(&[0.0, 1.0]));
    let imported = import_over(&problem(&elements), None, Over::Offers).unwrap();
    let (application, _) = resolve(&imported.document).unwrap_or_else(|e| panic!("{e}"));
    assert!(!application[ComponentId(0)].is_free() && application[ComponentId(1)].is_free());
    assert_eq!(
        component(&imported.document, "app"),
        json!({"cardinality": "1..4",
               "requires": {"cores": ["1..2", 8.0], "memory": ["1024 MiB", "2048 MiB"], "disk": "10 GB..20 GB"}})
    );
    assert_eq!(component(&imported.document, "app_variables"), json!({"attributes": {"where": "0..1"}}));
    assert_eq!(json(&imported.document.constraints), json!({"domain of lat": "or(lat == 100, lat == 5333)"}));
    assert_eq!(json(&imported.document.metrics)["lat"], json!("round(100 * app.latitude)"));
    assert_eq!(json(&imported.document.utility), json!({"maximize": "1 / (1 + number(total_cost))"}));
}

#[test]
fn mistakes_have_a_place_and_a_mend() {
    let composed = |rest: &str| {
        two()
            + &format!("<auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"e\" {rest}/>")
            + "<constraints id=\"k\" exp1=\"//@auxExpressions.0\" exp2=\"//@cpVariables.0\"/>"
    };
    for (elements, wanted) in [
        (String::new(), "has no variables"),
        (variable("x", "cores", "a", ""), "has no domain"),
        (variable("x", "cores", "a", &list(&[])), "is empty"),
        (variable("x", "cores", "a", &range(5, 1)), "the range 5..1 is empty"),
        (variable("x", "cores", "a", "<domain xsi:type=\"cp:Funny\"/>"), "no kind of domain"),
        (
            variable("x", "cores", "a", "<domain xsi:type=\"cp:RangeDomain\"><from value=\"1\"/></domain>"),
            "has no 'to'",
        ),
        (
            variable(
                "x",
                "cores",
                "a",
                "<domain xsi:type=\"cp:RangeDomain\"><from value=\"0.5\"/><to value=\"2\"/></domain>",
            ),
            "no end of values",
        ),
        (
            variable(
                "x",
                "cores",
                "a",
                "<domain xsi:type=\"cp:RangeDomain\"><from value=\"0\"/><to value=\"1e300\"/></domain>",
            ),
            "between -2^53 and 2^53",
        ),
        (
            variable("x", "cores", "a", "<domain xsi:type=\"cp:RangeDomain\"><from value=\"x\"/></domain>"),
            "not a number",
        ),
        (composed("expressions=\"//@auxExpressions.0\""), "refers to itself"),
        (composed("expressions=\"//@cpVariables.9\""), "leads nowhere"),
        (composed(""), "names no expressions"),
        (composed("expressions=\"//@cpVariables.0\" operator=\"guess\""), "'guess' is no operator"),
        (composed("expressions=\"//@constraints.0 //@cpVariables.0\""), "refers to itself"),
        (two() + "<constraints id=\"k\" exp1=\"//@cpVariables.0\"/>", "'exp2' is missing"),
        (
            two() + "<constraints exp1=\"//@cpVariables.0\" exp2=\"//@cpVariables.1\" comparator=\"near\"/>",
            "no comparator",
        ),
        (two() + "<solution/><constraints exp1=\"//@cpVariables.0\" exp2=\"//@solution.0\"/>", "has no value"),
        (
            two() + "<constants id=\"k\"/><constraints exp1=\"//@cpVariables.0\" exp2=\"//@constants.0\"/>",
            "the constant has no value",
        ),
    ] {
        let findings = import_model(&problem(&elements), None).unwrap_err();
        let found = findings.0.iter().find(|d| d.message.contains(wanted));
        let found = found.unwrap_or_else(|| panic!("{wanted}: {findings}\n{elements}"));
        assert!(found.help.is_some() && !found.span.is_none(), "{found:?}");
    }
    assert!(read(&Source::new("x", "<a/>"), Over::Domains).is_err());
}

#[test]
fn hostile_expressions_end_quickly() {
    // Each doubles the one before: written out, the last would have 2^60 parts.
    let mut doubling = two();
    let mut chain = two();
    for i in 0..60 {
        let of = if i == 0 { "//@cpVariables.0".to_owned() } else { format!("//@auxExpressions.{}", i - 1) };
        doubling +=
            &format!("<auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"e{i}\" expressions=\"{of} {of}\"/>");
    }
    doubling += "<constraints exp1=\"//@auxExpressions.59\" exp2=\"//@cpVariables.0\"/>";
    let imported = import_model(&problem(&doubling), None).unwrap();
    assert!(resolve(&imported.document).is_err_and(|e| e.to_string().contains("parts")));
    // One behind the other: no stack holds them.
    for i in 0..100_000 {
        let of = format!("//@auxExpressions.{}", i + 1);
        chain += &format!("<auxExpressions xsi:type=\"cp:SimpleUnaryExpression\" id=\"e{i}\" expression=\"{of}\"/>");
    }
    chain += "<auxExpressions xsi:type=\"cp:SimpleUnaryExpression\" id=\"last\" expression=\"//@cpVariables.0\"/>\
              <constraints exp1=\"//@auxExpressions.0\" exp2=\"//@cpVariables.0\"/>";
    let imported = import_model(&problem(&chain), None).unwrap();
    assert!(resolve(&imported.document).is_err());
}

#[test]
fn the_problems_of_the_corpus_are_read() {
    for (file, variables, constraints) in [
        ("SAMPLE_CP.xmi", 14, 2),
        ("FCRCPModel.xmi", 6, 12),
        ("FCRForTemplates-CP.xmi", 15, 0),
        ("TwoComponentAppCPModel.xmi", 4, 8),
    ] {
        let Some(source) = corpus(&format!("cp/{file}")) else { return };
        let (imported, application) = import(&source);
        let free: usize = application.components.iter().map(|c| c.attributes().len()).sum();
        assert!(application.components.iter().all(cardinal_models::application::Component::is_free), "{file}");
        let counted = application.components.iter().filter(|c| c.cardinality.count() > 1 || free + 3 >= variables);
        assert!(free + counted.count() >= variables, "{file}: {free} of {variables}");
        assert_eq!(application.constraints.len(), constraints, "{file}");
        assert!(imported.report.unknown.is_empty(), "{}", imported.report);
        let over = import_over(&source, None, Over::Offers).unwrap();
        resolve(&over.document).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    let Some(source) = corpus("cp/FCRCPModel.xmi") else { return };
    let (imported, _) = import(&source);
    assert_eq!(json(&imported.document.metrics)["RT_AVG"], json!({"default": 1.0}));
    assert_eq!(json(&imported.document.constraints)["c_1"], json!("AppCardinality <= cardinality_Component_App_max"));
}

proptest! {
    #[test]
    fn no_change_of_a_byte_panics(at in 0usize..4000, byte in 0u8..128, length in 0usize..40) {
        let elements = two()
            + "<constants id=\"k\"><value value=\"1\"/></constants>\
               <auxExpressions xsi:type=\"cp:ComposedExpression\" id=\"e\" expressions=\"//@cpVariables.0 //@constants.0\"/>\
               <constraints id=\"0\" exp1=\"//@auxExpressions.0\" exp2=\"//@cpVariables.1\"/>";
        let mut bytes = problem(&elements).text.into_bytes();
        let at = at % bytes.len();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, [byte]);
        let source = Source::new("x", String::from_utf8_lossy(&bytes).into_owned());
        for over in [Over::Domains, Over::Offers] {
            if let Ok((document, _)) = read(&source, over) {
                let _ = resolve(&document);
            }
        }
    }
}
