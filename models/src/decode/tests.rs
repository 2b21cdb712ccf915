//! Tests of decoding: findings with their places, limits, hostile texts.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::document::*;

fn read(text: &str) -> (Option<ModelDocument>, Vec<String>) {
    let source = Source::new("test.yaml", text);
    let (document, findings) = decode(&source);
    let shown = findings
        .0
        .iter()
        .map(|d| {
            let (line, column) = source.line_column(d.span.start);
            format!("{line}:{column} {} [{}] {}", d.message, d.path, d.help.as_deref().unwrap_or("-"))
        })
        .collect();
    (document, shown)
}

#[test]
fn scalars_keep_their_text_and_their_place() {
    let text = "application: überladen # ümläut\r\ncomponents:\r\n  web: {cardinality: 2..6, requires: {cores: '>= 2', \
                memory: \"8 GB\", gpus: 1}}\r\n";
    let (document, findings) = read(text);
    assert_eq!(findings, Vec::<String>::new());
    let document = document.unwrap();
    let web = document.components.get("web").unwrap();
    let slice = |span: crate::span::Span| &text[span.start as usize..span.end as usize];
    assert_eq!(slice(document.application.span), "überladen");
    let requires = web.requires.as_ref().unwrap();
    for (value, expected, shown) in [
        (&web.cardinality, Scalar::from("2..6"), "2..6"),
        (&requires.cores, Scalar::from(">= 2"), ">= 2"),
        (&requires.memory, Scalar::from("8 GB"), "8 GB"),
        (&requires.gpus, Scalar::Number(1.0), "1"),
    ] {
        let value = &value.as_ref().unwrap().values()[0];
        assert_eq!((&value.value, slice(value.span)), (&expected, shown));
    }
}

#[test]
fn block_scalars_point_at_their_content() {
    let text = "application: a\ncomponents: {w: {}}\nconstraints:\n  c: >-\n    w.cores\n    >= 2\n";
    let (document, findings) = read(text);
    assert_eq!(findings, Vec::<String>::new());
    let document = document.unwrap();
    let formula = document.constraints.get("c").unwrap().formula();
    assert_eq!(formula.value, Scalar::from("w.cores >= 2"));
    assert!(text[formula.span.start as usize..].starts_with("w.cores"));
}

#[test]
fn json_is_read_with_tabs_and_surrogates() {
    let text = "{\n\t\"application\":\t\"a\\ud83d\\ude00\\\\b\",\n\t\"components\": {\"web\": {\t\"cardinality\": [1, 3.0, \
                1e1]}}\n}";
    let (document, findings) = read(text);
    assert_eq!(findings, Vec::<String>::new());
    let document = document.unwrap();
    assert_eq!(document.application.value, "a😀\\b");
    let numbers = document.components.get("web").unwrap().cardinality.clone().unwrap();
    let last = &numbers.values()[2];
    assert_eq!(last.value, Scalar::Number(10.0));
    assert_eq!(&text[last.span.start as usize..last.span.end as usize], "1e1");
}

#[test]
fn every_structural_mistake_is_reported() {
    let (document, findings) = read(include_str!("../../tests/mistakes/structure.yaml"));
    assert!(document.is_some());
    let expected = include_str!("../../tests/mistakes/structure.txt");
    assert_eq!(findings.join("\n"), expected.trim_end(), "\n{}", findings.join("\n"));
}

#[test]
fn syntax_errors_have_a_place() {
    for (text, place) in [("application: [a\n", "2:1"), ("a: b\n\tc: d\n", "1:"), ("application: a: b", "1:15")] {
        let (document, findings) = read(text);
        assert!(document.is_none());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with(place) && findings[0].contains("this is not YAML"), "{findings:?}");
    }
    assert!(read("").1[0].contains("the file is empty"));
    assert!(read("- a").1[0].contains("expected a model"));
    assert!(read("application: a\0b").1[0].contains("NUL"));
    assert!(read("application: a\ncomponents: {w: }\n---\nb: c").1[0].contains("a second document"));
}

#[test]
fn a_small_file_cannot_become_large() {
    let mut bomb = String::from("application: bomb\nconstants:\n  a0: &a0 [x, x]\n");
    for i in 1..40 {
        bomb += &format!("  a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1);
    }
    bomb += "components: {web: *a39}\n";
    let (_, findings) = read(&bomb);
    assert!(findings.iter().any(|f| f.contains("aliases")), "{findings:?}");
    let deep = [format!("a: {}", "[".repeat(100)), "- ".repeat(100), format!("a: {}", "{a: ".repeat(100))];
    for text in deep {
        assert!(read(&text).1.iter().any(|f| f.contains("nested more than 64 deep")), "{:?}", read(&text).1);
    }
    assert!(read(&"[".repeat(1 << 20)).1[0].contains("nested more than"));
    assert!(read(&" ".repeat(MAX_BYTES + 1)).1[0].contains("bytes"));
    let mut many = String::from("application: a\ncomponents:\n");
    for i in 0..=MAX_ENTRIES {
        many += &format!("  c{i}: {{}}\n");
    }
    assert!(read(&many).1[0].contains("more than 10000 entries"));
}

#[test]
fn findings_are_limited() {
    let mut text = String::from("application: a\ncomponents: {w: }\n");
    for i in 0..3 * MAX_FINDINGS {
        text += &format!("x{i}: 1\n");
    }
    assert_eq!(read(&text).1.len(), MAX_FINDINGS + 1);
}

#[test]
fn the_known_keys_are_those_of_the_document() {
    let schema = crate::schema::json_schema();
    let keys = |name: &str| -> Vec<String> {
        let object = if name.is_empty() { &schema } else { &schema["$defs"][name] };
        object["properties"].as_object().unwrap_or_else(|| panic!("{name}")).keys().cloned().collect()
    };
    for (name, known) in [
        ("", sections::MODEL_KEYS),
        ("CatalogDocument", sections::CATALOG_KEYS),
        ("ComponentDocument", sections::COMPONENT_KEYS),
        ("RequiresDocument", sections::REQUIRES_KEYS),
        ("PlacementDocument", sections::PLACEMENT_KEYS),
        ("SpreadDocument", sections::SPREAD_KEYS),
        ("DiversifyDocument", sections::DIVERSIFY_KEYS),
        ("SpotDocument", sections::SPOT_KEYS),
        ("OnDemandDocument", sections::ON_DEMAND_KEYS),
        ("MetricProperties", sections::METRIC_KEYS),
        ("ConstraintProperties", sections::CONSTRAINT_KEYS),
        ("EventDocument", slo::EVENT_KEYS),
        ("ErrorBudgetDocument", slo::ERROR_BUDGET_KEYS),
        ("BurnDocument", slo::BURN_KEYS),
        ("QuotaDocument", sections::QUOTA_KEYS),
        ("CommitmentDocument", sections::COMMITMENT_KEYS),
        ("WeightedDocument", objectives::WEIGHTED_KEYS),
        ("RankedDocument", objectives::RANKED_KEYS),
        ("DataDocument", data::DATA_KEYS),
        ("LinkDocument", data::LINK_KEYS),
        ("ReconfigureDocument", sections::RECONFIGURE_KEYS),
    ] {
        assert_eq!(keys(name), known, "{name}");
    }
    let ways = schema["$defs"]["UtilityDocument"]["anyOf"].as_array().unwrap();
    let ways: Vec<&str> =
        ways.iter().flat_map(|way| way["properties"].as_object().unwrap().keys()).map(String::as_str).collect();
    assert_eq!(ways, objectives::UTILITY_KEYS);
    let rules = schema["$defs"]["StructureDocument"]["anyOf"].as_array().unwrap();
    assert_eq!(rules.len(), sections::STRUCTURE_RULES.len());
    for (rule, (name, others)) in rules.iter().zip(sections::STRUCTURE_RULES) {
        let keys: Vec<&str> = rule["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = vec![*name];
        known.extend(*others);
        assert_eq!(keys, known);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "([a-c]|application|components|metrics|: |- |\\[|\\]|\\{|\\}|,|\n|  |\t|\"|'|#|&a|\\*a|\\||>|!!str|---|\\?|%|\r|0x1|-1|~|é|😀|\\\\u){0,60}") {
        let source = Source::new("", text);
        let (_, findings) = decode(&source);
        for finding in findings.0 {
            proptest::prop_assert!(finding.span.is_none() || (finding.span.end as usize) <= source.text.len());
            let _ = source.line_column(finding.span.start);
        }
    }
}
