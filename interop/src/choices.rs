//! Tables of configurations with a utility over them (JSON) to application models.
//!
//! `{"components": [{"name", "attrs": [...], "configs": [[...], ...]}], "constraints": [FORMULA, ...], "utility":
//! FORMULA}`: one configuration of each component is chosen. The attribute `n` is the number of instances, `price` the
//! price of one. Formulas are in the words of Python: `a.n`, `ite(c, x, y)`, `xor(p, q)`, `**`, `and`, `or`, `not`.

use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source};
use cardinal_models::document::{
    ComponentDocument, ConfigurationTable, ConfigurationsDocument, ConstraintDocument, ModelDocument, Scalar,
    UtilityDocument,
};
use cardinal_models::span::{Span, Spanned};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};

use crate::names::{in_formula, is_identifier};
use crate::report::{ConversionReport, Tally};

/// Largest text, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// Most configurations of a component, and most components.
const ENTRIES_MAX: usize = 10_000;
/// The attribute that is the number of instances.
const COUNT: &str = "n";

/// True for the JSON of tables of configurations.
pub(crate) fn is_problem(text: &str) -> bool {
    // A cheap look first: the JSON of native models is large more often than this one.
    if !text.contains("\"configs\"") || text.len() > TEXT_BYTES_MAX {
        return false;
    }
    serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).is_ok_and(|value| {
        let first = value.get("components").and_then(|c| c.get(0));
        first.is_some_and(|c| c.get("attrs").is_some() && c.get("configs").is_some())
    })
}

/// Converts a problem. Every finding has the path of the value in the JSON.
pub fn import(source: &Source) -> Result<(ModelDocument, ConversionReport), Diagnostics> {
    let fail = |message: String, help: &str| Diagnostics(vec![Diagnostic::error(Span::NONE, message).help(help)]);
    if source.text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, the limit is {TEXT_BYTES_MAX}", source.text.len());
        return Err(fail(message, "split the problem"));
    }
    let value: Value = serde_json::from_str(source.text.trim_start_matches('\u{feff}'))
        .map_err(|error| fail(format!("the JSON cannot be read: {error}"), "check brackets and commas there"))?;
    let Value::Object(problem) = value else {
        return Err(fail("the JSON is no mapping".to_owned(), "it has `components`, `constraints` and `utility`"));
    };
    let mut import = Import::default();
    import.problem(&problem);
    let Import { findings, report, document, .. } = import;
    if findings.has_errors() { Err(findings) } else { Ok((document, report)) }
}

#[derive(Default)]
struct Import {
    findings: Diagnostics,
    report: ConversionReport,
    document: ModelDocument,
    /// The attributes of each component.
    attributes: FxHashMap<String, FxHashSet<String>>,
}

impl Import {
    fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>, help: &str) {
        self.findings.push(Diagnostic::error(Span::NONE, message).help(help).at(path));
    }

    fn problem(&mut self, problem: &Map<String, Value>) {
        let name = problem.get("name").and_then(Value::as_str).filter(|n| !n.trim().is_empty());
        self.document.application = Spanned::made(name.unwrap_or("choices").to_owned());
        let components = problem.get("components").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if components.is_empty() || components.len() > ENTRIES_MAX {
            let help = "write one entry with `name`, `attrs` and `configs` for each component";
            self.wrong("components", format!("there are {} components", components.len()), help);
        }
        for (i, component) in components.iter().enumerate().take(ENTRIES_MAX) {
            self.component(&format!("components[{i}]"), component);
        }
        let constraints = problem.get("constraints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (i, formula) in constraints.iter().enumerate().take(ENTRIES_MAX) {
            let path = format!("constraints[{i}]");
            if let Some(text) = self.formula(&path, formula) {
                let formula = ConstraintDocument::Formula(Spanned::made(Scalar::Text(text)));
                self.document.constraints.push(format!("c{}", i + 1), formula);
            }
        }
        if let Some(utility) = problem.get("utility")
            && let Some(text) = self.formula("utility", utility)
        {
            let maximize = Spanned::made(Scalar::Text(text));
            self.document.utility = Some(UtilityDocument::Maximize { maximize });
        }
        let mut left_out = Tally::default();
        for key in problem.keys() {
            match key.as_str() {
                "name" | "components" | "constraints" | "utility" => {}
                "semantics" => left_out.add(key, "words for people", ""),
                other => left_out.add(other, "it says nothing about the problem", ""),
            }
        }
        self.report.left_out = left_out.groups();
    }

    fn component(&mut self, path: &str, component: &Value) {
        let name = component.get("name").and_then(Value::as_str).unwrap_or("");
        if !is_identifier(name) || self.attributes.contains_key(name) {
            return self.wrong(format!("{path}.name"), "a component needs a name of its own", "use letters and digits");
        }
        let attrs = component.get("attrs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let attrs: Vec<&str> = attrs.iter().filter_map(Value::as_str).collect();
        let configs = component.get("configs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if attrs.iter().any(|a| !is_identifier(a)) || attrs.is_empty() {
            return self.wrong(format!("{path}.attrs"), "the attributes need names", "use letters, digits and `_`");
        }
        if configs.is_empty() || configs.len() > ENTRIES_MAX {
            let message = format!("there are {} configurations, from 1 to {ENTRIES_MAX} are read", configs.len());
            return self.wrong(format!("{path}.configs"), message, "write a list of values for each");
        }
        let called = |attribute: &str| if attribute == COUNT { "cardinality" } else { attribute }.to_owned();
        let mut table =
            ConfigurationTable { columns: attrs.iter().map(|a| Spanned::made(called(a))).collect(), rows: Vec::new() };
        for (i, config) in configs.iter().enumerate() {
            let cells: Option<Vec<f64>> = config.as_array().and_then(|c| c.iter().map(Value::as_f64).collect());
            match cells {
                Some(cells) if cells.len() == attrs.len() => {
                    table.rows.push(cells.into_iter().map(|x| Spanned::made(Scalar::Number(x))).collect());
                }
                _ => {
                    let message = format!("a configuration is a list of {} numbers", attrs.len());
                    return self.wrong(format!("{path}.configs[{i}]"), message, "one for each of `attrs`");
                }
            }
        }
        self.attributes.insert(name.to_owned(), attrs.iter().map(|a| (*a).to_owned()).collect());
        let configurations = Some(ConfigurationsDocument::Table(table));
        self.document.components.push(name, ComponentDocument { configurations, ..ComponentDocument::default() });
    }

    /// A formula in the words of models.
    fn formula(&mut self, path: &str, formula: &Value) -> Option<String> {
        let Some(text) = formula.as_str() else {
            self.wrong(path, "a formula is a text", "put it in quotes");
            return None;
        };
        match translate(text, &self.attributes) {
            Ok(text) => Some(text),
            Err(message) => {
                self.wrong(path, message, "names are `component.attribute`");
                None
            }
        }
    }
}

/// Rewrites `a.n`, `**` and the natural `log`. Prices and amounts of data are taken without their units: the formula
/// adds what it likes.
fn translate(text: &str, attributes: &FxHashMap<String, FxHashSet<String>>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let length = number_length(rest);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = word_of(rest);
            rest = &rest[word.len()..];
            let member = rest.strip_prefix('.').map(word_of).filter(|m| !m.is_empty());
            match (attributes.get(word), member) {
                (Some(own), Some(member)) if own.contains(member) => {
                    rest = &rest[1 + member.len()..];
                    let name = in_formula(word);
                    out.push_str(&match member {
                        COUNT => format!("{name}.cardinality"),
                        "price" | "memory" | "disk" => format!("number({name}.{member})"),
                        other => format!("{name}.{other}"),
                    });
                }
                (Some(_), Some(member)) => return Err(format!("`{word}` has no attribute `{member}`")),
                _ if word == "log" && rest.trim_start().starts_with('(') => out.push_str("ln"),
                _ => out.push_str(word),
            }
        } else if let Some(behind) = rest.strip_prefix("**") {
            out.push('^');
            rest = behind;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    Ok(out)
}

fn word_of(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// The bytes of the number with which a text begins, exponent included; at least 1.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    if text[end..].starts_with('.') {
        end += 1 + digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_rewritten() {
        let own = ["n", "price", "cores"].map(str::to_owned).into_iter().collect();
        let attributes: FxHashMap<String, FxHashSet<String>> = [("a".to_owned(), own)].into_iter().collect();
        let to = |text: &str| translate(text, &attributes);
        assert_eq!(
            to("4.31e-06*a.n/exp(((6 - a.n)/1)**2) + log(1 + a.cores)"),
            Ok("4.31e-06*a.cardinality/exp(((6 - a.cardinality)/1)^2) + ln(1 + a.cores)".to_owned())
        );
        assert_eq!(to("ite(a.price<=.5,1.,0)"), Ok("ite(number(a.price)<=.5,1.,0)".to_owned()));
        assert!(to("a.latency").is_err());
        for text in ["", "1.", ".", "a.", "1e", "ä**", "log", "a.n**"] {
            let _ = to(text);
        }
    }
}
