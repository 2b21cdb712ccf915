//! Tests of the formula language: what is read, what is refused and with which words.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::expr::{Aggregate, BinaryOp, ExprKind};
use super::function::Function;
use super::tree::Name;
use super::*;
use crate::offer::Attribute;
use crate::unit::parse_unit;

/// `web`: uniform; `worker`: mixed; `api`: shared; metrics with and without unit; constants.
pub(crate) fn scope() -> Scope {
    let mut scope = Scope::default();
    let components = [
        ("web", Hosting::Dedicated, Fleet::Uniform),
        ("worker", Hosting::Dedicated, Fleet::Mixed),
        ("api", Hosting::Shared, Fleet::Uniform),
        ("smart_design", Hosting::Dedicated, Fleet::Uniform),
    ];
    for (i, (name, hosting, fleet)) in components.into_iter().enumerate() {
        scope.components.insert(name.into(), ScopeComponent { id: ComponentId(i as u32), hosting, fleet });
    }
    for (i, (name, unit)) in
        [("requests", "1/s"), ("latency", "ms"), ("used", "percent"), ("x", ""), ("y", ""), ("odd name", "")]
            .into_iter()
            .enumerate()
    {
        let unit = if unit.is_empty() { None } else { Some(parse_unit(unit).unwrap()) };
        scope.metrics.insert(name.into(), ScopeMetric { id: MetricId(i as u32), unit });
    }
    scope.constants.insert("limit".into(), (4.0, None));
    scope
}

fn tree(text: &str) -> Tree {
    parse(text, &|_| false).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

/// The tree with every bracket.
fn brackets(text: &str) -> String {
    fn show(t: &Tree) -> String {
        match &t.kind {
            TreeKind::Binary(op, a, b) => format!("({} {} {})", show(a), op.symbol(), show(b)),
            TreeKind::Negate(x) => format!("(-{})", show(x)),
            TreeKind::Not(x) => format!("(not {})", show(x)),
            _ => t.to_string(),
        }
    }
    show(&tree(text))
}

fn number(text: &str) -> Expr {
    compile(text, Span::new(0, text.len()), &scope(), Expected::Number).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn truth(text: &str) -> Expr {
    compile(text, Span::new(0, text.len()), &scope(), Expected::Bool).unwrap_or_else(|e| panic!("{text}: {e:?}"))
}

fn unit(text: &str) -> String {
    match number(text).ty {
        Type::Number(Some(unit)) => unit.to_string(),
        Type::Number(None) => "bare".to_owned(),
        other => panic!("{other:?}"),
    }
}

/// The findings, each as the text it marks, the message and the help.
fn wrong(text: &str) -> String {
    let mut all = Vec::new();
    for expected in [Expected::Number, Expected::Bool] {
        match compile(text, Span::new(100, 100 + text.len()), &scope(), expected) {
            Ok(expr) => panic!("{text} compiles to {expr:?}"),
            Err(findings) => all = findings,
        }
    }
    let show = |d: &Diagnostic| {
        let marked = text.get(d.span.start as usize - 100..d.span.end as usize - 100).unwrap();
        format!("[{marked}] {}{}", d.message, d.help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())
    };
    all.iter().map(show).collect::<Vec<_>>().join("\n")
}

#[test]
fn operators_bind_as_documented() {
    for (text, expected) in [
        ("-2^2", "(-(2 ^ 2))"),
        ("2^-3^2", "(2 ^ (-(3 ^ 2)))"),
        ("2^3^2", "(2 ^ (3 ^ 2))"),
        ("2**3", "(2 ^ 3)"),
        ("-a*b", "((-a) * b)"),
        ("a-b-c", "((a - b) - c)"),
        ("6/3/s", "((6 / 3) / s)"),
        ("a+b*c%d", "(a + ((b * c) % d))"),
        ("a or b xor c and d", "(a or (b xor (c and d)))"),
        ("a -> b -> c or d", "(a implies (b implies (c or d)))"),
        ("not a == b and c", "((not (a == b)) and c)"),
        ("!a && ~b", "((not a) and (not b))"),
        ("a = b", "(a == b)"),
        ("a <> b", "(a != b)"),
        ("a + 1 <= b", "((a + 1) <= b)"),
        ("a and b == not c", "(a and (b == (not c)))"),
        ("(a)", "a"),
        ("+a", "a"),
    ] {
        assert_eq!(brackets(text), expected, "{text}");
    }
}

#[test]
fn a_unit_is_printed_apart_from_what_follows() {
    for (text, printed) in [
        ("(2 s)^100 * (2 s)^100", "(2 s) ^ 100 * (2 s) ^ 100"),
        ("-(2 s)^2", "-(2 s) ^ 2"),
        ("(3 USD) / h", "3 USD / (h)"),
        ("2 * (-3 s) * h^2", "2 * -3 s * (h ^ 2)"),
        ("3 USD / h", "3 USD/h"),
        ("3 USD / x", "3 USD / x"),
        ("3 / h", "3 / h"),
        ("3 USD + h", "3 USD + h"),
    ] {
        let tree = tree(text);
        assert_eq!(tree.to_string(), printed, "{text}");
        assert_eq!(parse(printed, &|_| false), Ok(tree), "{text}");
    }
}

#[test]
fn a_large_number_is_printed_short() {
    let text = format!("max({})", vec!["1e300, 1e-300"; 4000].join(", "));
    let tree = tree(&text);
    assert_eq!(parse(&tree.to_string(), &|_| false), Ok(tree));
}

#[test]
fn comparisons_chain() {
    assert_eq!(tree("1 <= x <= 5").to_string(), "1 <= x <= 5");
    let ExprKind::Binary(BinaryOp::And, a, b) = truth("1 <= x < 5").kind else { panic!() };
    assert!(matches!(a.kind, ExprKind::Binary(BinaryOp::LessEqual, ..)));
    assert!(matches!(b.kind, ExprKind::Binary(BinaryOp::Less, ..)));
    assert!(wrong("1 <= if(1 < x < 2, 1, 2) <= 3").contains("stands inside another"));
}

#[test]
fn literals_take_their_unit() {
    assert_eq!(unit("8 GB"), "GB");
    assert_eq!(unit("4.50 USD/h"), "currency/h");
    assert_eq!(unit("5m"), "min");
    assert_eq!(unit("300 1/s"), "1/s");
    assert_eq!(unit("300 req/s"), "1/s");
    assert_eq!(unit("40/s"), "1/s");
    assert_eq!(unit("10 MiB/s"), "MiB/s");
    assert_eq!(unit("90 percent"), "percent");
    assert_eq!(unit("90 %"), "percent");
    assert_eq!(unit("90 % x"), "bare");
    assert_eq!(unit("2 * x"), "bare");
    // A name in scope is no unit.
    let mut scope = scope();
    scope.metrics.insert("h".into(), ScopeMetric { id: MetricId(9), unit: None });
    let expr = compile("6 USD/h", Span::NONE, &scope, Expected::Number).unwrap();
    assert!(matches!(expr.kind, ExprKind::Binary(BinaryOp::Divide, ..)), "{expr:?}");
    assert!(wrong("5 smart_design").contains("unknown unit"));
    assert!(wrong("2 s^2").contains("brackets"));
}

#[test]
fn units_are_converted_and_checked() {
    // The right side is converted to the unit of the left.
    let ExprKind::Binary(_, _, right) = truth("latency <= 2 s").kind else { panic!() };
    assert_eq!(right.kind, ExprKind::Number(2000.0));
    let ExprKind::Binary(_, _, right) = truth("web.memory >= 4 GiB").kind else { panic!() };
    assert_eq!(right.kind, ExprKind::Number(4096.0));
    let ExprKind::Binary(_, _, right) = truth("total_cost <= 730 USD/month").kind else { panic!() };
    assert_eq!(right.kind, ExprKind::Number(1.0));
    assert_eq!(unit("web.price * web.cardinality"), "currency/h");
    assert_eq!(unit("web.memory / 1 GB"), "ratio");
    assert_eq!(unit("web.price * 1 month"), "currency");
    assert_eq!(unit("requests / 40"), "1/s");
    assert_eq!(unit("requests * 1 s"), "ratio");
    assert_eq!(unit("10 MiB/s * 1 s"), "MiB");
    assert_eq!(unit("used * requests"), "1/s");
    assert_eq!(unit("used * 2"), "percent");
    assert_eq!(unit("1 / web.price"), "h/currency");
    assert_eq!(unit("latency ^ 2"), "ms^2");
    assert_eq!(unit("latency ^ -1"), "1/ms");
    assert_eq!(unit("latency ^ 0.5"), "bare");
    assert_eq!(unit("sqrt(latency)"), "bare");
    assert_eq!(unit("number(latency)"), "bare");
    assert_eq!(unit("max(latency, 3, 2 s)"), "ms");
    assert_eq!(unit("if(x > 1, 3, latency)"), "ms");
    assert_eq!(unit("mmc_response_time(requests, 10 1/min, 3)"), "s");
    assert_eq!(unit("erlang_c(web.cardinality, requests * latency)"), "bare");
    assert_eq!(
        wrong("web.memory <= 3 USD/h"),
        "[3 USD/h] a number in MiB and one in currency/h cannot be compared; convert one of them, or take it without \
         its unit: number(x)"
    );
    assert!(wrong("latency + requests").contains("a number in ms and one in 1/s cannot be added"));
    assert!(wrong("2 ^ latency").contains("an exponent is a bare number"));
    assert!(wrong("(2 s)^100 * (2 s)^100").contains("out of range"));
    assert!(wrong("erlang_c(3, latency)").contains("bare number"));
}

#[test]
fn currencies_are_not_mixed() {
    assert!(wrong("3 USD + 2 EUR").starts_with("[2 EUR] this amount is in EUR, but the formula also names USD"));
    let mut scope = scope();
    scope.currency = Some("EUR".into());
    assert!(compile("total_cost <= 3 EUR/h", Span::NONE, &scope, Expected::Bool).is_ok());
    let findings = compile("total_cost <= 3 USD/h", Span::NONE, &scope, Expected::Bool).unwrap_err();
    assert_eq!(findings.first().unwrap().message, "this amount is in USD, but the model is in EUR");
}

#[test]
fn fleets_are_aggregated() {
    let kind = |text: &str| number(text).kind;
    assert!(matches!(kind("sum(worker.cores)"), ExprKind::Fleet { aggregate: Aggregate::Sum, filter: None, .. }));
    assert!(matches!(kind("avg(web.price)"), ExprKind::Fleet { aggregate: Aggregate::Mean, .. }));
    assert!(matches!(
        kind("sum(worker.cores, worker.region == \"eu\")"),
        ExprKind::Fleet { aggregate: Aggregate::Sum, filter: Some(_), .. }
    ));
    assert!(matches!(kind("count(worker)"), ExprKind::Fleet { aggregate: Aggregate::Count, filter: None, .. }));
    assert!(matches!(kind("count(worker, worker.cores >= 4)"), ExprKind::Fleet { filter: Some(_), .. }));
    assert!(matches!(kind("count(worker.cores >= 4)"), ExprKind::Fleet { filter: Some(_), .. }));
    assert!(matches!(kind("min(web.price, smart_design.price)"), ExprKind::Call(Function::Min, _)));
    assert!(matches!(kind("max(x)"), ExprKind::Metric(_)));
    assert!(matches!(kind("max(web.cardinality)"), ExprKind::Attribute(..)));
    assert!(matches!(kind("max(sum(worker.cores), 3)"), ExprKind::Call(Function::Max, _)));
    assert!(matches!(kind("candidates.min(worker.price)"), ExprKind::Candidates { aggregate: Aggregate::Min, .. }));
    assert!(matches!(kind("candidates.count(api)"), ExprKind::Candidates { aggregate: Aggregate::Count, .. }));
    assert!(matches!(kind("sum(api.cores)"), ExprKind::Fleet { .. }));
    number("sum(worker.cores * worker.cardinality)");
    number("sum(worker.cores / candidates.max(worker.cores))");
    number("candidates.min(api.price)");
    number("count(worker, worker.region == web.region)");
    number("current(worker.cardinality) + current(sum(worker.price), 0 USD/h) / 1 USD*h");
    truth("count(worker, worker.labels.tier == 'gold') >= 2 and worker.cardinality < 3");
    truth("sum(worker.labels.score) > 3");

    assert_eq!(
        wrong("worker.cores * 2"),
        "[worker.cores] `worker.cores` differs from node to node, because `worker` is a mixed fleet; aggregate it: \
         sum(worker.cores), min(worker.cores), max(worker.cores) or mean(worker.cores)"
    );
    assert!(wrong("worker.region == \"x\"").contains("count(worker, worker.region == \"...\")"));
    assert!(wrong("api.price").contains("use total_cost"));
    assert!(wrong("sum(api.price)").contains("use total_cost"));
    assert!(wrong("api.region == 'x'").contains("shares its nodes"));
    assert!(wrong("sum(worker.cores / sum(worker.cores))").contains("inside another"));
    assert!(wrong("sum(worker.cores * web.cores)").contains("mentions `web`, `worker`"));
    assert!(wrong("candidates.min(worker.price * worker.cardinality)").contains("offers alone"));
    assert!(wrong("candidates.min(3)").contains("must mention"));
    assert!(wrong("candidates.median(web.price)").contains("has no `median`"));
    number("api.cores * api.cardinality + node_count");
}

#[test]
fn truth_values_and_texts_keep_their_place() {
    number("(x > 3) * 3 + (y > 2)");
    truth("(x > 3) == (y > 2)");
    truth("xor(x > 1, y > 1) or implies(x > 1, y > 1) or and(x > 1, y > 2, true)");
    truth("'eu' != web.region");
    truth("if(x > 1, web.region == 'a', true)");
    assert!(wrong("x and y > 1").contains("`x` is a number where a condition is expected"));
    assert!(wrong("web.region < 'a'").contains("no order"));
    assert!(wrong("web.region == 3").contains("cannot be compared"));
    assert!(wrong("-'a'").contains("a text stands where a number is expected"));
}

#[test]
fn unknown_names_get_a_proposal() {
    assert_eq!(
        wrong("smart_desing.cores"),
        "[smart_desing] unknown component `smart_desing`; did you mean `smart_design`?"
    );
    assert_eq!(wrong("web.core"), "[core] unknown attribute `core`; did you mean `web.cores`?");
    assert_eq!(
        wrong("web.zzz"),
        "[zzz] unknown attribute `zzz`; an attribute of the catalog is written `web.labels.zzz`"
    );
    assert_eq!(wrong("latencyy"), "[latencyy] unknown name `latencyy`; did you mean `latency`?");
    assert_eq!(wrong("sqr(x)"), "[sqr] unknown function `sqr`; did you mean `sqrt`?");
    assert!(wrong("web").contains("such as `web.cardinality`"));
    assert!(wrong("x(3)").contains("operator is missing"));
    assert!(wrong("x.cores").contains("is a metric"));
    assert!(wrong("log(x)").contains("a base and a number"));
    // Several at once.
    assert_eq!(wrong("aaa + bbb > ccc").lines().count(), 3);
}

#[test]
fn syntax_errors_have_a_place() {
    assert_eq!(wrong("(x + 1"), "[(] this `(` is never closed");
    assert!(wrong("x + ").starts_with("[] the formula ends"));
    assert!(wrong("x y").starts_with("[y] `y` is not expected here; an operator is missing"));
    assert!(wrong("max(x y)").starts_with("[y] `y` stands where `)` is expected"));
    assert!(wrong("* x").starts_with("[*] `*` stands where an operand"));
    assert!(wrong("x)").contains("a `(` is missing"));
    assert!(wrong("  ").contains("empty"));
    assert!(wrong("x ? y ? 'a").lines().count() == 3);
    assert!(wrong("web.").contains("attribute is expected"));
}

#[test]
fn size_is_limited() {
    let deep = format!("{}x{}", "(".repeat(5000), ")".repeat(5000));
    assert!(wrong(&deep).contains("nested too deeply"));
    assert!(wrong(&"-".repeat(5000)).contains("nested too deeply"));
    assert!(wrong(&vec!["x"; 5000].join("^")).contains("nested too deeply"));
    assert!(wrong(&vec!["x"; 5000].join("+")).contains("sum(a, b, ...)"));
    assert!(wrong(&"x".repeat(LENGTH_LIMIT + 1)).contains("at most"));
    number(&vec!["x"; 250].join("+"));
    number(&format!("sum({})", vec!["x"; 5000].join(",")));
    number(&format!("multi({})", vec!["x"; 5000].join(",")));
    // Walking the nested calls must not be exponential.
    number(&format!("{}x{}", "max(".repeat(150), ")".repeat(150)));
    wrong(&format!("{}web.cores*worker.cores{}", "max(".repeat(150), ")".repeat(150)));
}

#[test]
fn backticks_name_anything() {
    assert!(matches!(number("`odd name` + 1").kind, ExprKind::Binary(..)));
    assert!(matches!(number("web.labels.`a b`").kind, ExprKind::Attribute(_, Attribute::Label(_))));
    assert!(wrong("`total_cost`").contains("unknown name"));
    assert_eq!(Name::new("odd name").to_string(), "`odd name`");
    assert_eq!(Name::new("not").to_string(), "`not`");
    assert_eq!(Name::new("web").to_string(), "web");
}

#[test]
fn free_names_are_listed() {
    let text = "sum(worker.cores) * rate >= `odd name` + total_cost / 3 USD/h";
    let found: Vec<_> = names(text).into_iter().map(|(n, s)| (n, s.start)).collect();
    assert_eq!(
        found,
        [("worker".to_owned(), 4), ("rate".to_owned(), 20), ("odd name".to_owned(), 28), ("h".to_owned(), 60)]
    );
    assert!(names("1 +").is_empty());
}

fn any_name() -> impl Strategy<Value = Name> {
    prop_oneof!["[a-z]{4,6}_", "[a-z ]{1,4}!"].prop_map(Name::new)
}

fn any_tree() -> impl Strategy<Value = Tree> {
    use BinaryOp::*;
    let make = |kind| Tree::new(kind, Span::NONE);
    let leaf = prop_oneof![
        (0.0..1e9f64).prop_map(move |n| make(TreeKind::Number(n, None))),
        (0u32..99).prop_map(|n| tree(&format!("{n} MiB/s"))),
        any::<bool>().prop_map(move |b| make(TreeKind::Bool(b))),
        "[a-z']{0,5}".prop_map(move |t| make(TreeKind::Text(t))),
        any_name().prop_map(move |n| make(TreeKind::Name(n))),
        (any_name(), any_name()).prop_map(move |(c, a)| make(TreeKind::Member(c, a))),
        (any_name(), any_name()).prop_map(move |(c, a)| make(TreeKind::Label(c, a))),
    ];
    let ops = prop::sample::select(vec![
        Add, Subtract, Multiply, Divide, Remainder, Power, LessEqual, Less, Equal, NotEqual, And, Or, Xor, Implies,
    ]);
    leaf.prop_recursive(5, 40, 3, move |inner| {
        prop_oneof![
            inner.clone().prop_map(move |x| make(TreeKind::Negate(Box::new(x)))),
            inner.clone().prop_map(move |x| make(TreeKind::Not(Box::new(x)))),
            (ops.clone(), inner.clone(), inner.clone()).prop_map(move |(op, a, b)| make(TreeKind::Binary(
                op,
                Box::new(a),
                Box::new(b)
            ))),
            (any_name(), prop::collection::vec(inner.clone(), 0..3))
                .prop_map(move |(n, args)| make(TreeKind::Call(n, args))),
            (any_name(), prop::collection::vec(inner, 0..3))
                .prop_map(move |(n, args)| make(TreeKind::Candidates(n, args))),
        ]
    })
}

proptest! {
    #[test]
    fn reading_never_panics(text in "\\PC{0,60}") {
        let _ = compile(&text, Span::new(5, 5 + text.len()), &scope(), Expected::Number);
        let _ = names(&text);
        let _ = crate::unit::parse_quantity(&text);
        let _ = parse_unit(&text);
    }

    #[test]
    fn reading_likely_text_never_panics(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "web", "worker", "api", ".", "cores", "labels", "price", "(", ")", ",", "sum", "count", "candidates", "current",
                "if", "+", "-", "*", "/", "^", "%", "<=", "==", "and", "not", "->", "3", "1", "8 GB", "USD", "s", "h", "x",
                "'a'", "`odd name`", "total_cost", "min", "true", "used",
            ]),
            0..14,
        ),
    ) {
        let text = parts.join(" ");
        let _ = compile(&text, Span::new(0, text.len()), &scope(), Expected::Bool);
        let _ = compile(&text, Span::new(0, text.len()), &scope(), Expected::Number);
    }

    #[test]
    fn a_printed_tree_is_read_back(tree in any_tree()) {
        let text = tree.to_string();
        let again = parse(&text, &|_| false);
        prop_assert_eq!(again.as_ref(), Ok(&tree), "{}", text);
    }
}
