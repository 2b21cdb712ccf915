//! Inputs that are broken or made to hurt: they end in an error, quickly, and never in a panic.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::LazyLock;

use cardinal_interop::catalog::{CatalogFormat, read_catalog};
use cardinal_interop::{Format, import_model};
use cardinal_models::diagnostic::Source;
use proptest::prelude::*;
use support::example;

static WEBAPP: LazyLock<String> = LazyLock::new(|| example("webapp.xmi").text);

fn refused(text: impl Into<String>, wanted: &str) {
    let source = Source::new("hostile.xmi", text);
    let findings = import_model(&source, Some(Format::CamelXmi)).unwrap_err();
    assert!(findings.has_errors());
    assert!(findings.0.iter().any(|d| d.message.contains(wanted)), "{findings}");
    assert!(findings.0.iter().all(|d| d.help.is_some()), "{findings}");
}

#[test]
fn entities_are_not_expanded() {
    let mut laughs = String::from("<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol 'lol'>");
    for i in 1..10 {
        let inner = format!("&lol{};", if i == 1 { String::new() } else { (i - 1).to_string() });
        laughs.push_str(&format!("<!ENTITY lol{i} '{}'>", inner.repeat(10)));
    }
    refused(format!("{laughs}]><core:CamelModel>&lol9;</core:CamelModel>"), "document type declarations");
    refused("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type declarations");
}

#[test]
fn deep_nesting_is_refused() {
    refused("<a>".repeat(100_000), "nested more than");
    refused(format!("{}{}", "<a>".repeat(1_000_000), "</a>".repeat(1_000_000)), "nested more than");
    let deep = format!("{}1{}", "(".repeat(30_000), ")".repeat(30_000));
    refused(WEBAPP.replace("50 * FrontendCardinality * FrontendCores - RequestRate", &deep), "parentheses more than");
}

#[test]
fn gigantic_parts_are_refused() {
    refused(WEBAPP.replace("./frontend start", &"x".repeat(2 << 20)), "attribute value has");
    refused(" ".repeat((32 << 20) + 1), "bytes, the limit is");
    refused(
        format!("<core:CamelModel {}/>", (0..100_000).map(|i| format!("a{i}='' ")).collect::<String>()),
        "attributes",
    );
    refused(format!("<core:CamelModel>{}</core:CamelModel>", "<a/>".repeat(3_000_000)), "cannot be read");
    refused(WEBAPP.replace("mean(RawResponseTime)", &"A+".repeat(200_000)), "");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let length = WEBAPP.trim_end().len();
    for part in 0..50 {
        let mut end = length * part / 50;
        while !WEBAPP.is_char_boundary(end) {
            end -= 1;
        }
        let source = Source::new("cut.xmi", &WEBAPP[..end]);
        let findings = import_model(&source, Some(Format::CamelXmi)).unwrap_err();
        assert!(findings.has_errors(), "cut at {end}");
    }
}

#[test]
fn circles_are_refused() {
    refused(
        WEBAPP.replace("id=\"CentralEurope\"", "id=\"CentralEurope\" parentRegions=\"//@locationModels.0/@regions.2\""),
        "lies inside itself",
    );
    refused(WEBAPP.replace("50 * FrontendCardinality", "Spare * FrontendCardinality"), "uses itself");
    refused(WEBAPP.replace("mean(RawResponseTime)", "ResponseTime + RawResponseTime"), "uses itself");
    let circle = "<constraints xsi:type=\"constraint:LogicalConstraint\" name=\"x\" \
                  constraints=\"//@constraintModels.0/@constraints.0 //@constraintModels.0/@constraints.2\"/></constraintModels>";
    // A circle that nothing outside refers to is nobody's constraint; one that an objective uses is an error.
    let text = WEBAPP.replace("</constraintModels>", circle);
    assert!(import_model(&Source::new("x", text.clone()), None).is_ok());
    refused(
        text.replace(
            "constraint=\"//@constraintModels.0/@constraints.1\"",
            "constraint=\"//@constraintModels.0/@constraints.2\"",
        ),
        "contains itself",
    );
}

#[test]
fn constraints_do_not_grow_without_bound() {
    let mut constraints = String::new();
    for i in 2..60 {
        let inner = format!("//@constraintModels.0/@constraints.{}", i - 1);
        constraints.push_str(&format!(
            "<constraints xsi:type=\"constraint:LogicalConstraint\" name=\"c{i}\" constraints=\"{inner} {inner}\"/>"
        ));
    }
    let text = WEBAPP.replace("</constraintModels>", &format!("{constraints}</constraintModels>")).replace(
        "constraint=\"//@constraintModels.0/@constraints.1\"",
        "constraint=\"//@constraintModels.0/@constraints.40\"",
    );
    refused(text, "too long");
}

#[test]
fn wrong_references_are_refused() {
    for (from, to, wanted) in [
        ("requirementSets.1\"", "requirementSets.9\"", "leads nowhere"),
        ("requirementSets.1\"", "requirementSets.x\"", "no position"),
        ("requirementSets.1\"", "requirementSets.99999999999999999999\"", "no position"),
        ("\"//@deploymentModels.0/@requirementSets.1\"", "\"elsewhere\"", "no element has the id"),
        ("\"//@deploymentModels.0/@requirementSets.1\"", "\"//deploymentModels\"", "not a step"),
        (
            "resourceRequirement=\"//@requirementModels.0/@requirements.2\"",
            "resourceRequirement=\"//@requirementModels.0/@requirements.1\"",
            "is no ResourceRequirement",
        ),
        ("locations=\"//@locationModels.0/@regions.0\"", "locations=\"//@metricModels.0\"", "is no location"),
        ("metricVariable=\"//@metricModels.0/@metrics.8\"", "metricVariable=\"//@metricModels.0\"", "used as a metric"),
        (
            "component=\"//@deploymentModels.0/@softwareComponents.0\" onNode",
            "component=\"//@unitModels.0\" onNode",
            "no software component",
        ),
    ] {
        assert!(WEBAPP.contains(from), "{from}");
        refused(WEBAPP.replacen(from, to, 1), wanted);
    }
}

#[test]
fn contradictions_are_refused() {
    for (from, to, wanted) in [
        ("minInstances=\"1\" maxInstances=\"8\"", "minInstances=\"9\" maxInstances=\"8\"", "at least 9 and at most 8"),
        ("maxInstances=\"8\"", "maxInstances=\"many\"", "not a number"),
        ("maxInstances=\"8\"", "maxInstances=\"2.5\"", "not whole numbers"),
        ("value=\"32768\"", "value=\"1\"", "and at most 1 MiB of memory"),
        ("value=\"32768\"", "value=\"NaN\"", "not a number"),
        ("value=\"32768\"", "value=\"-1\"", "negative"),
        ("GREATER_EQUAL_THAN", "ALMOST", "is no comparison"),
        ("threshold=\"250.0\"", "threshold=\"1e999\"", "not a number"),
        ("name=\"Database\"", "name=\"Frontend\"", "two components are called"),
        ("name=\"Database\"", "", "has no name"),
    ] {
        assert!(WEBAPP.contains(from), "{from}");
        refused(WEBAPP.replacen(from, to, 1), wanted);
    }
}

#[test]
fn sage_json_that_is_broken_is_refused() {
    for text in ["", "[", "null", "{\"a\": 1}", "{\"application\": 1, \"components\": 2, \"restrictions\": 3}"] {
        assert!(import_model(&Source::new("x", text), Some(Format::SageJson)).is_err(), "{text}");
    }
    assert!(import_model(&Source::new("x", "[".repeat(1_000_000)), Some(Format::SageJson)).is_err());
}

#[test]
fn a_finding_in_json_marks_a_whole_character() {
    for (text, marked) in [("{\"a\": 1, é}", "é"), ("\u{feff}{\"a\": 1, é}", "é"), ("\u{feff}{\n\"a\": 1, é}", "é")]
    {
        let source = Source::new("x", text);
        let findings = import_model(&source, Some(Format::SageJson)).unwrap_err();
        assert_eq!(source.slice(findings.0[0].span), marked, "{text:?}");
        // The place of a finding about a catalog is a point.
        let findings = read_catalog(&source, Some(CatalogFormat::Sage)).unwrap_err();
        let at = findings.0[0].span.start as usize;
        assert!(source.text.get(at..).is_some_and(|rest| rest.starts_with(marked)), "{text:?}: {findings:?}");
    }
}

#[test]
fn every_finding_marks_whole_characters() {
    let marked = |text: &str| -> String {
        let source = Source::new("x", text);
        let findings = import_model(&source, Some(Format::CamelXmi)).unwrap_err();
        let span = findings.0[0].span;
        assert!(source.text.get(span.start as usize..span.end as usize).is_some(), "{text:?}: {findings:?}");
        source.slice(span).to_owned()
    };
    assert_eq!(marked("<core:CamelModel a=ï/>"), "ï");
    assert_eq!(marked("<!é日本><core:CamelModel/>"), "<!");
    assert_eq!(marked("<é:x xmlns:é='y'/>"), "<é:x");
    // Before the first character of JSON there may be a byte order mark.
    for (text, format) in [("\u{feff}[]", CatalogFormat::Sage), ("\u{feff}{}", CatalogFormat::NodeCandidates)] {
        let source = Source::new("x", text);
        let findings = read_catalog(&source, Some(format)).unwrap_err();
        assert_eq!(source.slice(findings.0[0].span), &text[3..4], "{findings:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Changed bytes give a document or findings, never a panic; and a document that resolving does not panic on.
    #[test]
    fn changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..4), 1..8)) {
        let mut bytes = WEBAPP.clone().into_bytes();
        for (place, byte, what) in changes {
            let at = place.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => bytes[at] = b"0123456789\"<>/@.ab "[usize::from(byte) % 19],
            }
        }
        let source = Source::new("changed.xmi", String::from_utf8_lossy(&bytes).into_owned());
        for format in [None, Some(Format::CamelXmi)] {
            if let Ok(imported) = import_model(&source, format) {
                let _ = cardinal_models::resolve::resolve(&imported.document);
                let _ = imported.report.to_string();
            }
        }
    }

    /// Names and formulas of any characters.
    #[test]
    fn any_formula_and_name_never_panic(formula in "[a-zA-Zé0-9.()+*/^ ,`&lt;-]{0,40}", name in "\\PC{0,10}") {
        let quoted = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let text = WEBAPP
            .replace("50 * FrontendCardinality * FrontendCores - RequestRate", &quoted(&formula))
            .replace("name=\"FrontendCores\"", &format!("name=\"{}\"", quoted(&name)));
        if let Ok(imported) = import_model(&Source::new("x", text), None) {
            let _ = cardinal_models::resolve::resolve(&imported.document);
        }
    }
}
