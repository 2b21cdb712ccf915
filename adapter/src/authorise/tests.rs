//! The shipped policies at their boundaries, the laws of judging, and what is said about policies that make no sense.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::deployment::{OfferSnapshot, RunningDeployment, WantedDeployment};
use crate::diff::{Diff, StartupTimes};
use crate::fixtures::{node, offer, random_cases, running, want, wanted};
use crate::gate::window::parse_instant;
use crate::plan::{PlanRequest, Rolling, TargetHead};
use crate::rules::Rules;
use crate::time::UnixMs;

const GERMANY: &str = include_str!("../../../examples/policies/only-germany.cedar");
const HOURS: &str = include_str!("../../../examples/policies/working-hours.cedar");
const HOURS_EXCEPT_REPAIRS: &str = include_str!("../../../examples/policies/working-hours-except-repairs.cedar");

/// A Wednesday at noon in Berlin.
const NOON: &str = "2026-01-07T11:00:00Z";

fn at(text: &str) -> UnixMs {
    parse_instant(text).unwrap()
}

fn policies(text: &str) -> Policies {
    Policies::parse(text, "test.cedar").unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn permitting(rest: &str) -> Policies {
    policies(&format!("@id(\"base\") permit (principal, action, resource);\n{rest}"))
}

fn plan(before: &RunningDeployment, after: &WantedDeployment) -> Plan {
    let (rules, rolling, startup) = (Rules::default(), Rolling::default(), StartupTimes::default());
    let diff = Diff::between(before, after, &rules, &startup).unwrap();
    let head = TargetHead { generation: 1, ..TargetHead::default() };
    let request = PlanRequest {
        application: "shop",
        running: before,
        wanted: after,
        rules: &rules,
        rolling: &rolling,
        head: &head,
        startup: &startup,
    };
    Plan::make(&request, diff).unwrap().0
}

fn abroad(country: &str) -> OfferSnapshot {
    OfferSnapshot { country: country.to_owned(), ..offer("abroad", 0.2) }
}

fn occasion(time: &str) -> Occasion {
    let grounds = Grounds { causes: ["regular", "worth"].map(str::to_owned).into(), ..Grounds::default() };
    Occasion { at: at(time), asker: Asker::Loop, deed: Deed::Apply, mode: "automatic".to_owned(), grounds }
}

fn berlin() -> Zone {
    Zone::named("Europe/Berlin").unwrap()
}

/// From one node in Germany to that one and another.
fn growing(to: &OfferSnapshot) -> Plan {
    let here = offer("here", 0.1);
    let before = running(vec![node("a", &here, &[("web", 1)])]);
    plan(&before, &wanted(vec![want(&here, &[("web", 1)]), want(to, &[("web", 2)])]))
}

fn facts(plan: &Plan, time: &str) -> Facts {
    Facts::of(plan, &occasion(time), &berlin())
}

#[track_caller]
fn holds(condition: &str, facts: &Facts) {
    let asked = policies(&format!("@id(\"asked\") permit (principal, action, resource) when {{ {condition} }};"));
    let ruling = asked.judge(facts);
    assert!(ruling.allowed, "{condition}: {ruling:?}");
}

#[test]
fn every_fact_is_what_the_plan_says() {
    let (here, other) = (offer("here", 0.1), abroad("FR"));
    let before = running(vec![node("a", &here, &[("web", 1)]), node("b", &here, &[("web", 1), ("db", 1)])]);
    let plan = plan(&before, &wanted(vec![want(&here, &[("web", 1)]), want(&other, &[("web", 2)])]));
    let mut facts = facts(&plan, NOON);
    facts.grounds.repairs.insert("capacity".to_owned());
    for condition in [
        "principal is Loop && principal == Loop::\"cardinal\" && resource == Application::\"shop\"",
        "action == Action::\"apply\" && action in Action::\"begin\"",
        "context.before.countries == [\"DE\"] && context.after.countries == [\"DE\", \"FR\"]",
        "context.created.countries == [\"FR\"] && context.created.instances == 2 && context.created.nodes == 1",
        "context.before.components == [\"db\", \"web\"] && context.after.components == [\"web\"]",
        "context.after.machine_types == [\"abroad\", \"here\"] && context.after.purchases == [\"on-demand\"]",
        "context.after.providers == [\"aws\"] && context.after.regions == [\"eu-central-1\"]",
        "context.before.nodes == 2 && context.before.instances == 3 && context.after.instances == 3",
        "context.before.cores == decimal(\"4.0\") && context.before.memory_mib == 8192",
        "context.before.cost == decimal(\"0.2\") && context.after.cost_nanos == 300000000",
        "context.change.cost == decimal(\"0.1\") && context.change.cost_nanos == 100000000",
        "context.change.nodes == 0 && context.change.instances == 0 && context.change.cores == decimal(\"0.0\")",
        "context.change.nodes_created == 1 && context.change.nodes_deleted == 1 && context.change.nodes_lost == 0",
        "context.change.instances_started == 2 && context.change.instances_stopped == 2",
        "context.change.double_running_nanos > 0",
        "context.change.double_running.greaterThan(decimal(\"0.0\"))",
        "context.time.date == \"2026-01-07\" && context.time.weekday == 3 && context.time.hour == 12",
        "context.time.minute_of_day == 720 && context.time.zone == \"Europe/Berlin\"",
        "context.time.year == 2026 && context.time.month == 1 && context.time.day == 7",
        "context.time.unix_ms == 1767783600000 && context.mode == \"automatic\"",
        "context.causes == [\"worth\", \"regular\"] && context.repairs == [\"capacity\"]",
    ] {
        holds(condition, &facts);
    }
    let scope = Some("operator".to_owned());
    facts.asker = Asker::Person { name: "anna".to_owned(), scope };
    holds("principal == User::\"anna\" && principal.scope == \"operator\"", &facts);
}

#[test]
fn only_germany_denies_every_other_country_and_names_itself() {
    let rule = Policies::parse(GERMANY, "only-germany.cedar").unwrap();
    let allowed = rule.judge(&facts(&growing(&offer("more", 0.2)), NOON));
    assert!(allowed.allowed, "{allowed:?}");
    assert_eq!(allowed.policies[0].policy.to_string(), "`base` of only-germany.cedar");
    for country in ["FR", "", "de"] {
        let ruling = rule.judge(&facts(&growing(&abroad(country)), NOON));
        assert!(!ruling.allowed, "{country}");
        assert_eq!(
            ruling.sentence(),
            "Denied by the policy `only-germany` of only-germany.cedar: Every node must stand in Germany. Write \
             `location: [DE]` under `placement` of the components that would run elsewhere."
        );
    }
    // To leave France is allowed, to shrink there is not.
    let france = running(vec![node("a", &abroad("FR"), &[("web", 1)]), node("b", &abroad("FR"), &[("web", 1)])]);
    assert!(rule.judge(&facts(&plan(&france, &wanted(vec![want(&offer("here", 0.1), &[("web", 2)])])), NOON)).allowed);
    assert!(!rule.judge(&facts(&plan(&france, &wanted(vec![want(&abroad("FR"), &[("web", 1)])])), NOON)).allowed);
    // Nothing anywhere is nowhere else.
    assert!(rule.judge(&facts(&plan(&france, &WantedDeployment::default()), NOON)).allowed);
}

#[test]
fn working_hours_begin_and_end_to_the_minute_in_winter_and_in_summer() {
    let rule = Policies::parse(HOURS, "working-hours.cedar").unwrap();
    let plan = growing(&offer("more", 0.2));
    for (time, allowed) in [
        // A Monday in winter, UTC+1.
        ("2026-01-05T06:59:59.999Z", false),
        ("2026-01-05T07:00:00Z", true),
        ("2026-01-05T15:59:59.999Z", true),
        ("2026-01-05T16:00:00Z", false),
        // A Friday in summer, UTC+2.
        ("2026-07-10T05:59:59.999Z", false),
        ("2026-07-10T06:00:00Z", true),
        ("2026-07-10T14:59:59.999Z", true),
        ("2026-07-10T15:00:00Z", false),
        // The weekend around it.
        ("2026-07-11T10:00:00Z", false),
        ("2026-07-12T10:00:00Z", false),
        // The Fridays and Mondays around the changes of the clock, in March and in October.
        ("2026-03-27T07:00:00Z", true),
        ("2026-03-27T06:59:59Z", false),
        ("2026-03-29T01:00:00Z", false),
        ("2026-03-30T06:00:00Z", true),
        ("2026-03-30T15:00:00Z", false),
        ("2026-10-23T06:00:00Z", true),
        ("2026-10-26T06:59:59Z", false),
        ("2026-10-26T07:00:00Z", true),
        ("2026-10-26T15:59:59Z", true),
    ] {
        let ruling = rule.judge(&facts(&plan, time));
        assert_eq!(ruling.allowed, allowed, "{time}: {ruling:?}");
        if !allowed {
            assert_eq!(ruling.denied_by()[0].id, "working-hours");
        }
    }
}

#[test]
fn working_hours_let_plans_be_proposed_and_refuse_another_time_zone() {
    let rule = Policies::parse(HOURS, "working-hours.cedar").unwrap();
    let plan = growing(&offer("more", 0.2));
    let night = occasion("2026-01-05T02:00:00Z");
    for (deed, allowed) in
        [(Deed::Apply, false), (Deed::Approve, false), (Deed::Undeploy, false), (Deed::Propose, true)]
    {
        let asker = Asker::Person { name: "anna".to_owned(), scope: None };
        let ruling = rule.judge(&Facts::of(&plan, &Occasion { deed, asker, ..night.clone() }, &berlin()));
        assert_eq!(ruling.allowed, allowed, "{deed:?}");
    }
    let elsewhere = rule.judge(&Facts::of(&plan, &occasion(NOON), &Zone::default()));
    assert_eq!(elsewhere.denied_by()[0].id, "time-zone");
    assert!(elsewhere.sentence().contains("--time-zone Europe/Berlin"), "{}", elsewhere.sentence());
}

#[test]
fn repairs_are_exempt_where_a_policy_says_so() {
    let rule = Policies::parse(HOURS_EXCEPT_REPAIRS, "hours.cedar").unwrap();
    let plan = growing(&offer("more", 0.2));
    let night = occasion("2026-01-05T02:00:00Z");
    let because = |cause: &str| {
        let grounds = Grounds { causes: [cause.to_owned()].into(), ..Grounds::default() };
        rule.judge(&Facts::of(&plan, &Occasion { grounds, ..night.clone() }, &berlin())).allowed
    };
    assert!(because("repair") && because("first"));
    assert!(!because("worth") && !because("violated") && !because("nodes-lost"));
    assert!(rule.judge(&facts(&plan, NOON)).allowed);
}

#[test]
fn without_policies_all_is_allowed_and_with_policies_what_none_permits_is_denied() {
    let plan = growing(&offer("more", 0.2));
    let mut settings = Authorisation::default();
    assert_eq!(settings.judge(&plan, &occasion(NOON)), None);
    let text = "@id(\"never\") forbid (principal, action, resource) when { context.after.nodes > 1000 };";
    settings.policies.push(PolicyText { name: "never.cedar".to_owned(), text: text.into() });
    let ruling = settings.judge(&plan, &occasion(NOON)).unwrap();
    assert!(!ruling.allowed && ruling.policies.is_empty() && ruling.faults.is_empty());
    assert!(ruling.sentence().contains("permit (principal, action, resource);"), "{}", ruling.sentence());
    // Policies of several texts are asked together.
    settings.policies.push(PolicyText { name: "only-germany.cedar".to_owned(), text: GERMANY.into() });
    assert!(settings.judge(&plan, &occasion(NOON)).unwrap().allowed);
    assert_eq!(settings.mistakes(), Vec::<String>::new());
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_and_is_named() {
    let overflowing = "@id(\"sum\") forbid (principal, action, resource)\n\
                       when { context.after.cost_nanos * 9223372036854775807 > 1 };";
    let ruling = permitting(overflowing).judge(&facts(&growing(&offer("more", 0.2)), NOON));
    assert!(!ruling.allowed);
    assert_eq!(ruling.denied_by()[0].id, "sum");
    assert!(ruling.sentence().contains("cannot be evaluated"), "{}", ruling.sentence());
    // Policies that cannot be read deny as well, and so does a time without a date.
    let broken = PolicyText { name: "broken.cedar".to_owned(), text: "permit (".into() };
    let settings = Authorisation { policies: vec![broken], ..Authorisation::default() };
    let ruling = settings.judge(&growing(&offer("more", 0.2)), &occasion(NOON)).unwrap();
    assert!(!ruling.allowed && ruling.sentence().contains("broken.cedar"), "{}", ruling.sentence());
    let mut timeless = facts(&growing(&offer("more", 0.2)), NOON);
    timeless.time = None;
    assert!(!permitting("").judge(&timeless).allowed);
}

#[test]
fn mistakes_are_told_with_their_place_and_the_mend() {
    for (text, place, message, help) in [
        (
            "@id(\"a\")\npermit (principal, action, resource) when { context.after.countrys == [\"DE\"] };",
            "2:45",
            "countrys",
            "countries",
        ),
        ("@id(\"a\")\npermit (principal, action resource);", "2:27", "unexpected token", "expected"),
        ("@id(\"a\") permit (principal, action == Action::\"aply\", resource);", "1:39", "aply", "apply"),
        ("@id(\"a\") permit (principal is Usr, action, resource);", "1:31", "Usr", "User"),
        ("@id(\"a\") permit (principal, action, resource) when { context.after.nodes > \"3\" };", "1:76", "Long", ""),
        ("@id(\"a\") permit (principal == ?principal, action, resource);", "", "template", "without it"),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);",
            "2:5",
            "two policies have the id `a`",
            "each its own",
        ),
    ] {
        let findings = Policies::parse(text, "test.cedar").unwrap_err();
        let source = Source::new("test.cedar", text);
        let finding = &findings.0[0];
        let (line, column) = source.line_column(finding.span.start);
        let found = if finding.span.is_none() { String::new() } else { format!("{line}:{column}") };
        assert_eq!(found, place, "{text}: {findings}");
        assert!(finding.message.contains(message), "{text}: {findings}");
        assert!(finding.help.as_ref().is_some_and(|h| h.contains(help)), "{text}: {findings}");
    }
    let nameless = policies("permit (principal, action, resource);");
    assert!(nameless.warnings().to_string().contains("@id"), "{}", nameless.warnings());
    let twice = PolicyText { name: "x".to_owned(), text: GERMANY.into() };
    let settings = Authorisation { policies: vec![twice.clone(), twice], ..Authorisation::default() };
    assert!(settings.mistakes()[0].contains("two are called `x`"));
}

#[test]
fn texts_beyond_every_measure_are_refused_or_read_and_never_end_the_process() {
    let within = |condition: &str| format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};");
    let plan = growing(&offer("more", 0.2));
    // As deep as the limit lets it be, and far beyond.
    for scale in [1, 20, 100] {
        let many = |part: &str, tokens: usize| part.repeat(scale * (TOKENS_MAX - 40) / tokens);
        for text in [
            "(".repeat(scale * 32),
            within(&format!("{}true", many("(", 1))),
            within(&format!("{}true", many("!", 1))),
            within(&format!("{}1 == 1", many("-", 1))),
            within(&format!("{}true", many("true && ", 3))),
            within(&format!("{}true", many("true || ", 3))),
            within(&format!("{}1 == 2", many("1 + ", 2))),
            within(&format!("{}true", many("if true then true else ", 5))),
            within(&format!("context{} == 1", many(".after", 2))),
            within(&format!("context{} == 1", many("[\"after\"]", 2))),
            within(&format!("context{} == 1", many(".a()", 4))),
            within(&format!("[{}\"x\"] == [\"y\"]", "\"x\", ".repeat(scale * 400))),
            "permit (principal, action, resource);".repeat(scale * 16),
            format!("permit (principal, action, resource) {};", many("when {true} ", 4)),
            within(&format!("principal is {}A", many("A::", 3))),
            format!("{}permit (principal, action, resource);", many("@a(\"b\") ", 4)),
        ] {
            if let Ok(policies) = Policies::parse(&text, "test.cedar") {
                let _ = policies.judge(&facts(&plan, NOON));
            }
        }
    }
    let deep = Policies::parse(&within(&"(".repeat(40)), "test.cedar").unwrap_err();
    assert!(deep.to_string().contains("nested more than 32 deep"), "{deep}");
    let long = Policies::parse(&within(&format!("{}1 == 2", "1 + ".repeat(400))), "test.cedar").unwrap_err();
    assert!(long.to_string().contains("more than 600 words and signs"), "{long}");
    let list = format!("[{}\"x\"].contains(\"y\")", "\"x\", ".repeat(2000));
    assert!(Policies::parse(&within(&list), "test.cedar").is_ok());
    assert!(Policies::parse(&" ".repeat(TEXT_BYTES_MAX + 1), "test.cedar").is_err());
    // Signs in quotes and comments count for nothing, and what is left open there ends with the text.
    assert!(Policies::parse(&within(&format!("\"{}\" == \"\" // {}\n", "(".repeat(99), "(".repeat(99))), "t").is_ok());
    assert!(Policies::parse("\"\\", "t").is_err() && Policies::parse("// never ends", "t").is_ok());
}

/// A condition and its text, over facts that vary.
fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..6_i64).prop_map(|n| format!("context.after.nodes > {n}")),
        (0..1440_i64).prop_map(|n| format!("context.time.minute_of_day < {n}")),
        (1..8_i64).prop_map(|n| format!("context.time.weekday == {n}")),
        prop::sample::select(vec!["DE", "FR", "IE", ""])
            .prop_map(|c| format!("context.after.countries.contains(\"{c}\")")),
        (0..4000_u32).prop_map(|n| format!("context.after.cost.lessThan(decimal(\"0.{n:04}\"))")),
        Just("principal is Loop".to_owned()),
        // Overflows for some facts.
        (0..3_i64).prop_map(|n| format!("context.time.unix_ms * {n} * 9000000 > 0")),
    ]
}

fn policy(effect: &'static str) -> impl Strategy<Value = String> {
    (condition(), prop::bool::ANY).prop_map(move |(condition, positive)| {
        let word = if positive { "when" } else { "unless" };
        format!("{effect} (principal, action, resource) {word} {{ {condition} }};")
    })
}

fn numbered(all: &[String]) -> Policies {
    let text: Vec<String> = all.iter().enumerate().map(|(i, p)| format!("@id(\"p{i}\") {p}")).collect();
    policies(&text.join("\n"))
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let nodes = prop::collection::vec((prop::sample::select(vec!["DE", "FR", "IE", ""]), 1..3_u32), 0..5);
    (nodes, 0..2_000_000_000_000_i64, prop::bool::ANY).prop_map(|(nodes, time, person)| {
        let wanted_nodes = nodes.into_iter().map(|(country, n)| want(&abroad(country), &[("web", n)]));
        let before = running(vec![node("a", &offer("here", 0.1), &[("web", 1)])]);
        let asker = if person { Asker::Person { name: "anna".to_owned(), scope: None } } else { Asker::Loop };
        let occasion = Occasion { at: UnixMs(time), asker, ..occasion(NOON) };
        Facts::of(&plan(&before, &wanted(wanted_nodes.collect())), &occasion, &berlin())
    })
}

proptest! {
    #![proptest_config(random_cases(200))]

    #[test]
    fn judging_is_deterministic_and_does_not_depend_on_the_order_of_policies(
        permits in prop::collection::vec(policy("permit"), 0..4),
        forbids in prop::collection::vec(policy("forbid"), 0..4),
        facts in any_facts(),
    ) {
        let all: Vec<String> = permits.into_iter().chain(forbids).collect();
        let ruling = numbered(&all).judge(&facts);
        prop_assert_eq!(&numbered(&all).judge(&facts), &ruling);
        prop_assert_eq!(ruling.allowed, all.is_empty() || !ruling.policies.is_empty() && ruling.denied_by().is_empty());
        let backwards: Vec<String> = all.iter().rev().cloned().collect();
        let other = numbered(&backwards).judge(&facts);
        prop_assert_eq!(other.allowed, ruling.allowed);
        prop_assert_eq!(other.policies.len(), ruling.policies.len());
        prop_assert_eq!(other.faults.len(), ruling.faults.len());
    }

    #[test]
    fn another_forbid_never_allows_more_and_without_faults_another_permit_never_less(
        all in prop::collection::vec(prop_oneof![policy("permit"), policy("forbid")], 1..5),
        forbid in policy("forbid"),
        permit in policy("permit"),
        facts in any_facts(),
    ) {
        let with = |more: &String| numbered(&[all.clone(), vec![more.clone()]].concat()).judge(&facts);
        let before = numbered(&all).judge(&facts);
        prop_assert!(before.allowed || !with(&forbid).allowed);
        let after = with(&permit);
        prop_assert!(after.allowed || !before.allowed || !after.faults.is_empty());
    }
}
