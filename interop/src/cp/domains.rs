//! The values that a variable may take.

use cardinal_models::application::Domain;
use cardinal_models::diagnostic::Diagnostic;

use super::Conversion;
use crate::camel::tree::{self, Node};

/// Most values of one domain.
const VALUES_MAX: usize = 100_000;

/// The single numbers and inclusive ranges of whole numbers of a variable's domain, ascending and disjoint.
pub(super) fn pieces<'a>(
    conversion: &mut Conversion<'a, '_>,
    variable: Node<'a>,
) -> Result<Vec<(f64, f64)>, Diagnostic> {
    let tree = conversion.tree;
    let Some(domain) = tree.child(variable, "domain") else {
        let finding = tree.error(variable, format!("the variable '{}' has no domain", tree::label(variable)));
        return Err(finding.help("give it a RangeDomain or a NumericListDomain"));
    };
    let pieces: Vec<(f64, f64)> = match tree::type_of(domain) {
        "RangeDomain" => vec![range(conversion, domain)?],
        "MultiRangeDomain" => {
            let ranges: Vec<Node> = tree.children(domain, "ranges").to_vec();
            ranges.into_iter().map(|r| range(conversion, r)).collect::<Result<_, _>>()?
        }
        "BooleanDomain" => vec![(0.0, 1.0)],
        "NumericListDomain" | "NumericDomain" => {
            let values = tree.children(domain, "values").iter();
            values.map(|v| tree.number(*v, "value").map(|x| (x, x))).collect::<Result<_, _>>()?
        }
        "ListDomain" => {
            let texts = tree.children(domain, "values").len();
            let message = "its values are texts; formulas see their positions in the list, from 0".to_owned();
            conversion.report.decide(tree::label(variable), message);
            (0..texts).map(|i| (i as f64, i as f64)).collect()
        }
        other => {
            let finding = tree.error(domain, format!("'{}' is no kind of domain", tree::short(other)));
            let help = "known are RangeDomain, MultiRangeDomain, NumericListDomain, BooleanDomain and ListDomain";
            return Err(finding.help(help));
        }
    };
    if pieces.is_empty() {
        let finding = tree.error(domain, format!("the domain of '{}' is empty", tree::label(variable)));
        return Err(finding.help("give it at least one value"));
    }
    if pieces.len() > VALUES_MAX {
        let finding = tree.error(domain, format!("the domain has more than {VALUES_MAX} values"));
        return Err(finding.help("write ranges"));
    }
    Ok(Domain::new(pieces).pieces().to_vec())
}

/// The ends of a range, which are whole: between them lie the whole numbers.
fn range<'a>(conversion: &mut Conversion<'a, '_>, range: Node<'a>) -> Result<(f64, f64), Diagnostic> {
    let tree = conversion.tree;
    let end = |tag: &'static str| match tree.child(range, tag) {
        Some(end) => tree.number(end, "value"),
        None => Err(tree.error(range, format!("the range has no '{tag}'")).help("give both ends")),
    };
    let (low, high) = (end("from")?, end("to")?);
    if low > high {
        return Err(tree.error(range, format!("the range {low}..{high} is empty")).help("'from' is the smaller end"));
    }
    if low.fract() != 0.0 || high.fract() != 0.0 {
        let finding = tree.error(range, "a range of numbers with fractions has no end of values");
        return Err(finding.help("list the values in a NumericListDomain"));
    }
    if low < -Domain::WHOLE_MAX || high > Domain::WHOLE_MAX {
        return Err(tree.error(range, "the ends of a range lie between -2^53 and 2^53").help("narrow it"));
    }
    let is_real = |tag| tree.child(range, tag).is_some_and(|end| !tree::type_of(end).starts_with("Integer"));
    if low < high && is_real("from") {
        let whole = "a range of numbers that are not declared whole is taken as its whole numbers";
        let variable = range.ancestors().find(|n| n.tag_name().name() == "cpVariables");
        conversion.report.decide(variable.map_or("", tree::label), whole);
    }
    Ok((low, high))
}
