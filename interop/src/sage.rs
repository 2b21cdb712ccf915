//! Applications of the SAGE / MANeUveR deployment benchmark (JSON) to application models.
//!
//! All components share nodes, at most one instance of a component on a node; the total price of the nodes is
//! minimised. Source of the semantics: Erascu, Micota, Zaharie, "Scalable optimal deployment in the cloud of
//! component-based applications using optimization modulo theory, mathematical programming and symmetry breaking",
//! JLAMP 2021, doi 10.1016/j.jlamp.2021.100664.

use cardinal_models::application::Cardinality;
use cardinal_models::diagnostic::{Diagnostic, Diagnostics, Source, did_you_mean};
use cardinal_models::document::{
    ComponentDocument, ConstraintDocument, Hosting, ModelDocument, OneOrMany, RequiresDocument, Scalar,
    StructureDocument,
};
use cardinal_models::span::{Span, Spanned};
use indexmap::IndexMap;
use rustc_hash::FxHashSet;
use serde_json::{Map, Value};

use crate::names;
use crate::report::{ConversionReport, Tally};

/// Largest text, in bytes.
const TEXT_BYTES_MAX: usize = 8 << 20;
/// Most components, and most restrictions, of an application.
const ENTRIES_MAX: usize = 5000;
/// The largest number of instances of a component that no bound limits, unless the lower bounds ask for more in all.
/// The format has no such limit. Instances beyond what the bounds ask for only take room on nodes, so that the optimum
/// of every known application is far below.
const INSTANCES_MAX: u64 = 100;

/// True for the JSON of a SAGE application: a list of components and a list of restrictions.
pub(crate) fn is_application(text: &str) -> bool {
    // A cheap look first: the JSON of native models is large more often than this one.
    if !text.contains("\"restrictions\"") || text.len() > TEXT_BYTES_MAX {
        return false;
    }
    serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).is_ok_and(|value| {
        value.get("application").is_some()
            && value.get("components").is_some_and(Value::is_array)
            && value.get("restrictions").is_some()
    })
}

/// Converts an application. Every finding has the path of the value in the JSON.
pub fn import(source: &Source) -> Result<(ModelDocument, ConversionReport), Diagnostics> {
    let fail = |d: Diagnostic| Diagnostics(vec![d]);
    if source.text.len() > TEXT_BYTES_MAX {
        let message = format!("the file has {} bytes, the limit is {TEXT_BYTES_MAX}", source.text.len());
        return Err(fail(Diagnostic::error(Span::NONE, message).help("a SAGE application is a few thousand bytes")));
    }
    let text = source.text.trim_start_matches('\u{feff}');
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let marks = source.text.len() - text.len();
        let span = Span::new(marks, source.text.len()).within(text, place(text, error.line(), error.column()));
        fail(
            Diagnostic::error(span, format!("the JSON cannot be read: {error}"))
                .help("check brackets and commas there"),
        )
    })?;
    let mut import = Import::default();
    import.application(&value);
    let Import { findings, report, left_out, unknown, document, .. } = import;
    if findings.has_errors() {
        return Err(findings);
    }
    let report = ConversionReport { left_out: left_out.groups(), unknown: unknown.groups(), ..report };
    Ok((document, report))
}

/// The place of a line and column as the JSON parser counts them: bytes, the line from 1.
fn place(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    Span::of_character(text, start + column.saturating_sub(1))
}

#[derive(Default)]
struct Import {
    findings: Diagnostics,
    report: ConversionReport,
    left_out: Tally,
    unknown: Tally,
    document: ModelDocument,
    /// Names of components by id, in the order of the file.
    names: IndexMap<u64, String>,
    /// The limit on the instances of each component by id.
    limits: IndexMap<u64, u64>,
    /// Which component has at least p instances for q of another: (it, p, q, the other).
    ratios: Vec<(String, u64, u64, String)>,
}

/// Fields that the format has and the benchmark does not use.
const UNUSED: [(&str, &str); 8] = [
    ("IP", "public addresses are not a constraint"),
    ("budget", "the budget is not a constraint: the price is minimised"),
    ("Network", "network figures are not a constraint"),
    ("keywords", "keywords describe"),
    ("preferences", "preferences are not a constraint"),
    ("GPU", "GPUs are not a constraint"),
    ("StorageType", "the type of storage is not a constraint"),
    ("capacity", "not a constraint"),
];

type Object = Map<String, Value>;

impl Import {
    fn error(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        if self.findings.0.len() < 100 {
            self.findings.push(Diagnostic::error(Span::NONE, message).at(path).help(help));
        }
    }

    fn application(&mut self, value: &Value) {
        let Some(root) = value.as_object() else {
            return self.error(
                "",
                "the application is not an object",
                "write {\"application\": ..., \"components\": [...], \"restrictions\": [...]}",
            );
        };
        self.unused(root, &["application", "components", "restrictions"], "application");
        match root.get("application").and_then(Value::as_str) {
            Some(name) => self.document.application = Spanned::made(name.to_owned()),
            None => self.error("application", "the application has no name", "write \"application\": \"a name\""),
        }
        let components = self.list(
            root,
            "components",
            "",
            "[{\"id\": 1, \"name\": \"web\", \"Compute\": {\"CPU\": 2, \"Memory\": 512}}]",
        );
        let restrictions = self.list(root, "restrictions", "", "[], or a list of restrictions");
        let (Some(components), Some(restrictions)) = (components, restrictions) else { return };
        if components.len() > ENTRIES_MAX || restrictions.len() > ENTRIES_MAX {
            let message = format!("{} components and {} restrictions", components.len(), restrictions.len());
            return self.error("components", message, format!("the limit is {ENTRIES_MAX} each"));
        }
        if components.is_empty() {
            self.error("components", "there are no components", "list at least one");
        }
        let mut systems: Vec<(String, String)> = Vec::new();
        for (index, component) in components.iter().enumerate() {
            self.component(component, &format!("components[{index}]"), &mut systems);
        }
        for (index, restriction) in restrictions.iter().enumerate() {
            self.restriction(restriction, index);
        }
        self.cardinalities(restrictions);
        self.systems(&systems);
    }

    fn component(&mut self, value: &Value, path: &str, systems: &mut Vec<(String, String)>) {
        let Some(component) = value.as_object() else {
            return self.error(path, "a component is not an object", "write {\"id\": 1, \"name\": \"web\", ...}");
        };
        self.unused(component, &["id", "name", "Compute", "Storage", "operatingSystem"], "component");
        let Some(id) = self.whole(component, "id", path) else { return };
        let name = match component.get("name").and_then(Value::as_str) {
            Some(name) if !name.trim().is_empty() => names::allowed(name, "component"),
            _ => return self.error(&format!("{path}.name"), "the component has no name", "write \"name\": \"web\""),
        };
        if self.names.values().any(|n| *n == name) {
            return self.error(
                &format!("{path}.name"),
                format!("two components are called '{name}'"),
                "give each a name of its own",
            );
        }
        if self.names.insert(id, name.clone()).is_some() {
            return self.error(
                &format!("{path}.id"),
                format!("two components have the id {id}"),
                "give each an id of its own",
            );
        }
        let (mut cores, mut memory, mut disk) = (None, None, None);
        if let Some(compute) = self.object(component, "Compute", path) {
            self.unused(compute, &["CPU", "Memory"], "Compute");
            let path = format!("{path}.Compute");
            cores = self.amount(compute, "CPU", &path).map(|n| OneOrMany::One(Spanned::made(Scalar::Number(n))));
            memory = self.amount(compute, "Memory", &path).map(mib);
        }
        if component.contains_key("Storage")
            && let Some(storage) = self.object(component, "Storage", path)
        {
            self.unused(storage, &["StorageSize"], "Storage");
            if storage.contains_key("StorageSize") {
                disk = self.amount(storage, "StorageSize", &format!("{path}.Storage")).map(mib);
            }
        }
        match component.get("operatingSystem") {
            None => {}
            Some(Value::String(system)) if system.trim().is_empty() => {}
            Some(Value::String(system)) => systems.push((name.clone(), system.trim().to_lowercase())),
            Some(_) => self.error(
                &format!("{path}.operatingSystem"),
                "the operating system is no text",
                "write \"Linux\" or \"\"",
            ),
        }
        let document = ComponentDocument {
            hosting: Some(Hosting::Shared),
            per_node: Some(Spanned::made(Scalar::Number(1.0))),
            requires: Some(RequiresDocument { cores, memory, disk, ..RequiresDocument::default() }),
            ..ComponentDocument::default()
        };
        self.document.components.push(name, document);
    }

    /// Bounds on the numbers of instances: at least 1 unless the component has an alternative, at most what a bound
    /// on a list with it says.
    fn cardinalities(&mut self, restrictions: &[Value]) {
        let alternatives: FxHashSet<u64> = restrictions
            .iter()
            .filter(|r| r.get("type").and_then(Value::as_str) == Some("AlternativeComponents"))
            .flat_map(|r| [r.get("alphaCompId"), r.get("betaCompId")])
            .filter_map(|id| id?.as_u64())
            .collect();
        let unlimited_max = self.needed().clamp(INSTANCES_MAX, u64::from(Cardinality::LIMIT));
        let mut unlimited = Vec::new();
        for (id, name) in &self.names {
            let low = u64::from(!alternatives.contains(id));
            // A bound of 0 on a component that must run is infeasible; that is for the solver to explain.
            let high = self.limits.get(id).copied().unwrap_or(unlimited_max).max(low);
            if !self.limits.contains_key(id) {
                unlimited.push(name.as_str());
            }
            let cardinality =
                if low == high { Scalar::Number(low as f64) } else { Scalar::Text(format!("{low}..{high}")) };
            if let Some((_, document)) = self.document.components.0.iter_mut().find(|(n, _)| n.value == *name) {
                document.cardinality = Some(OneOrMany::One(Spanned::made(cardinality)));
            }
        }
        if !unlimited.is_empty() {
            let text = format!("at most {unlimited_max} instances each are considered of {}", unlimited.join(", "));
            self.report.decide("cardinality", text);
        }
    }

    /// How many instances the bounds and dependencies ask for in all, by following each dependency once from every
    /// component that has to have instances.
    fn needed(&self) -> u64 {
        let mut needed: IndexMap<&str, u64> = self.names.values().map(|name| (name.as_str(), 1)).collect();
        for (_, rule) in self.document.structure.iter() {
            if let StructureDocument::AtLeast { at_least: n, of } | StructureDocument::Exactly { exactly: n, of } = rule
                && let Scalar::Number(n) = n.value
            {
                for name in of {
                    if let Some(count) = needed.get_mut(name.value.as_str()) {
                        *count = (*count).max(n as u64);
                    }
                }
            }
        }
        for _ in 0..self.names.len().min(64) {
            let mut changed = false;
            for (provider, p, q, consumer) in &self.ratios {
                let consumers = needed.get(consumer.as_str()).copied().unwrap_or(0);
                let least = consumers.saturating_mul(*p).div_ceil(*q).min(u64::from(Cardinality::LIMIT));
                if let Some(count) = needed.get_mut(provider.as_str())
                    && *count < least
                {
                    *count = least;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        needed.values().sum()
    }

    /// Components with different operating systems never share a node.
    fn systems(&mut self, systems: &[(String, String)]) {
        for (index, (name, system)) in systems.iter().enumerate() {
            let with: Vec<Spanned<String>> = systems[index + 1..]
                .iter()
                .filter(|(_, other)| other != system)
                .map(|(other, _)| Spanned::made(other.clone()))
                .collect();
            if !with.is_empty() {
                let rule = StructureDocument::Conflict { conflict: Spanned::made(name.clone()), with };
                self.document.structure.push(format!("operating system of {name}"), rule);
            }
        }
        if !systems.is_empty() {
            self.report.decide(
                "operatingSystem",
                "does not filter the offers, which name none; components with different ones share no node",
            );
        }
    }

    fn restriction(&mut self, value: &Value, index: usize) {
        let path = format!("restrictions[{index}]");
        let Some(rule) = value.as_object() else {
            return self.error(&path, "a restriction is not an object", "write {\"type\": \"LowerBound\", ...}");
        };
        let Some(kind) = rule.get("type").and_then(Value::as_str) else {
            return self.error(
                &format!("{path}.type"),
                "the restriction has no type",
                "write \"type\": \"LowerBound\"",
            );
        };
        let structure = match kind {
            "Conflicts" => self.conflicts(rule, &path),
            "OneToOneDependency" => {
                self.pair(rule, &path).map(|(a, b)| StructureDocument::Colocate { colocate: vec![a.into(), b.into()] })
            }
            "AlternativeComponents" => self
                .pair(rule, &path)
                .map(|(a, b)| StructureDocument::Alternatives { alternatives: vec![a.into(), b.into()] }),
            "LowerBound" | "UpperBound" | "EqualBound" => self.bound(rule, kind, &path),
            "RequireProvideDependency" => self.require(rule, &path),
            "OneToManyDependency" => return self.one_to_many(rule, index, &path),
            "FullDeployment" => self.full_deployment(rule, &path),
            other => {
                let near = did_you_mean(other, TYPES).unwrap_or(TYPES[0]);
                let help = format!("did you mean '{near}'? Known are {}", TYPES.join(", "));
                return self.error(&format!("{path}.type"), format!("'{other}' is no type of restriction"), help);
            }
        };
        if let Some(structure) = structure {
            self.document.structure.push(format!("{kind} {}", index + 1), structure);
        }
    }

    fn conflicts(&mut self, rule: &Object, path: &str) -> Option<StructureDocument> {
        self.unused(rule, &["type", "alphaCompId", "compsIdList"], "Conflicts");
        let component = self.one(rule, "alphaCompId", path);
        let others = self.many(rule, path);
        let (component, others) = (component?, others?);
        let with: Vec<Spanned<String>> = others.into_iter().filter(|o| *o != component).map(Spanned::made).collect();
        // A conflict with nothing restricts nothing.
        (!with.is_empty()).then(|| StructureDocument::Conflict { conflict: Spanned::made(component), with })
    }

    fn bound(&mut self, rule: &Object, kind: &str, path: &str) -> Option<StructureDocument> {
        self.unused(rule, &["type", "compsIdList", "bound"], kind);
        let list = self.many(rule, path);
        let bound = self.whole(rule, "bound", path);
        let (list, bound) = (list?, bound?);
        if list.is_empty() {
            self.error(&format!("{path}.compsIdList"), "the bound counts no components", "list the ids of components");
            return None;
        }
        if kind != "LowerBound" {
            // The sum is at most the bound, so each of its terms is.
            for id in ids(rule) {
                let limit = self.limits.entry(id).or_insert(bound);
                *limit = (*limit).min(bound);
            }
        }
        let number = Spanned::made(Scalar::Number(bound as f64));
        let of = list.into_iter().map(Spanned::made).collect();
        Some(match kind {
            "LowerBound" => StructureDocument::AtLeast { at_least: number, of },
            "UpperBound" => StructureDocument::AtMost { at_most: number, of },
            _ => StructureDocument::Exactly { exactly: number, of },
        })
    }

    /// p n(a) <= q n(b): so many of b, p, for every q of a.
    fn require(&mut self, rule: &Object, path: &str) -> Option<StructureDocument> {
        let fields = ["type", "alphaCompId", "betaCompId", "alphaCompIdInstances", "betaCompIdInstances"];
        self.unused(rule, &fields, "RequireProvideDependency");
        let pair = self.pair_of(rule, path);
        let p = self.positive(rule, "alphaCompIdInstances", path);
        let q = self.positive(rule, "betaCompIdInstances", path);
        let ((a, b), p, q) = (pair?, p?, q?);
        let text = format!("{p} {} per {q} {}", names::in_formula(&b), names::in_formula(&a));
        self.ratios.push((b, p, q, a));
        Some(StructureDocument::Require { require: Spanned::made(text) })
    }

    /// 0 < q n(a) - n(b) <= q.
    fn one_to_many(&mut self, rule: &Object, index: usize, path: &str) {
        self.unused(rule, &["type", "alphaCompId", "betaCompId", "number"], "OneToManyDependency");
        let pair = self.pair_of(rule, path);
        let number = self.positive(rule, "number", path);
        let (Some((a, b)), Some(q)) = (pair, number) else { return };
        // n(b) lies between q n(a) - q and q n(a) - 1.
        self.ratios.push((b.clone(), q, 1, a.clone()));
        let difference = format!("{q} * {}.cardinality - {}.cardinality", names::in_formula(&a), names::in_formula(&b));
        for (word, test) in [("least", ">= 1".to_owned()), ("most", format!("<= {q}"))] {
            let formula = Spanned::made(Scalar::Text(format!("{difference} {test}")));
            let name = format!("OneToManyDependency {} at {word}", index + 1);
            self.document.constraints.push(name, ConstraintDocument::Formula(formula));
        }
    }

    fn full_deployment(&mut self, rule: &Object, path: &str) -> Option<StructureDocument> {
        self.unused(rule, &["type", "alphaCompId", "compsIdList"], "FullDeployment");
        let component = self.one(rule, "alphaCompId", path);
        let unless = self.many(rule, path);
        Some(StructureDocument::EveryNode {
            every_node: Spanned::made(component?),
            unless: unless?.into_iter().map(Spanned::made).collect(),
        })
    }

    /// The components `alphaCompId` and `betaCompId` of a restriction with no other field.
    fn pair(&mut self, rule: &Object, path: &str) -> Option<(String, String)> {
        self.unused(rule, &["type", "alphaCompId", "betaCompId"], "restriction");
        self.pair_of(rule, path)
    }

    fn pair_of(&mut self, rule: &Object, path: &str) -> Option<(String, String)> {
        let a = self.one(rule, "alphaCompId", path);
        let b = self.one(rule, "betaCompId", path);
        let (a, b) = (a?, b?);
        if a == b {
            self.error(&format!("{path}.betaCompId"), format!("'{a}' is related to itself"), "name two components");
            return None;
        }
        Some((a, b))
    }

    /// The name of the component whose id stands in a field.
    fn one(&mut self, rule: &Object, field: &str, path: &str) -> Option<String> {
        let id = self.whole(rule, field, path)?;
        self.name_of(id, &format!("{path}.{field}"))
    }

    /// The names of the components in `compsIdList`, each once.
    fn many(&mut self, rule: &Object, path: &str) -> Option<Vec<String>> {
        let list = self.list(rule, "compsIdList", path, "[1, 2], the ids of components")?;
        let mut names = Vec::new();
        for (index, item) in list.iter().enumerate() {
            let path = format!("{path}.compsIdList[{index}]");
            let Some(id) = item.as_u64() else {
                self.error(&path, format!("{} is not the id of a component", json(item)), "write a whole number");
                return None;
            };
            let name = self.name_of(id, &path)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Some(names)
    }

    fn name_of(&mut self, id: u64, path: &str) -> Option<String> {
        let name = self.names.get(&id).cloned();
        if name.is_none() {
            let known: Vec<String> = self.names.keys().take(20).map(u64::to_string).collect();
            self.error(path, format!("no component has the id {id}"), format!("use one of {}", known.join(", ")));
        }
        name
    }

    fn list<'v>(&mut self, object: &'v Object, field: &str, path: &str, example: &str) -> Option<&'v Vec<Value>> {
        let found = object.get(field).and_then(Value::as_array);
        if found.is_none() {
            let what = object.get(field).map_or("is missing".to_owned(), |v| format!("is {}, not a list", json(v)));
            self.error(&joined(path, field), format!("'{field}' {what}"), format!("write \"{field}\": {example}"));
        }
        found
    }

    fn object<'v>(&mut self, object: &'v Object, field: &str, path: &str) -> Option<&'v Object> {
        let found = object.get(field).and_then(Value::as_object);
        if found.is_none() {
            let what = object.get(field).map_or("is missing".to_owned(), |v| format!("is {}, not an object", json(v)));
            self.error(&joined(path, field), format!("'{field}' {what}"), format!("write \"{field}\": {{...}}"));
        }
        found
    }

    /// A whole number of at least 0.
    fn whole(&mut self, object: &Object, field: &str, path: &str) -> Option<u64> {
        let found = object.get(field).and_then(Value::as_u64).filter(|n| *n <= u64::from(u32::MAX));
        if found.is_none() {
            let what = object.get(field).map_or("is missing".to_owned(), |v| format!("is {}", json(v)));
            let message = format!("'{field}' {what}; it is a whole number up to {}", u32::MAX);
            self.error(&joined(path, field), message, format!("write \"{field}\": 1"));
        }
        found
    }

    fn positive(&mut self, object: &Object, field: &str, path: &str) -> Option<u64> {
        let number = self.whole(object, field, path)?;
        if number == 0 {
            self.error(&joined(path, field), format!("'{field}' is 0"), "write a whole number of at least 1");
            return None;
        }
        Some(number)
    }

    /// An amount of a resource.
    fn amount(&mut self, object: &Object, field: &str, path: &str) -> Option<f64> {
        let found = object.get(field).and_then(Value::as_f64).filter(|n| (0.0..=1e12).contains(n));
        if found.is_none() {
            let what = object.get(field).map_or("is missing".to_owned(), |v| format!("is {}", json(v)));
            let message = format!("'{field}' {what}; it is a number of at least 0");
            self.error(&joined(path, field), message, format!("write \"{field}\": 2"));
        }
        found
    }

    /// Lists the fields that have no bearing.
    fn unused(&mut self, object: &Object, used: &[&str], of: &str) {
        for field in object.keys().filter(|f| !used.contains(&f.as_str())) {
            let kind = format!("{of}.{}", field.chars().take(60).collect::<String>());
            match UNUSED.iter().find(|(known, _)| known == field) {
                Some((_, why)) => self.left_out.add(kind, *why, ""),
                None if field.starts_with("comment") => self.left_out.add(kind, "comments describe", ""),
                None => self.unknown.add(kind, "this field is not known", ""),
            }
        }
    }
}

/// Every type of restriction.
const TYPES: [&str; 9] = [
    "Conflicts",
    "OneToOneDependency",
    "OneToManyDependency",
    "RequireProvideDependency",
    "AlternativeComponents",
    "FullDeployment",
    "LowerBound",
    "UpperBound",
    "EqualBound",
];

/// The ids in `compsIdList`.
fn ids(rule: &Object) -> Vec<u64> {
    rule.get("compsIdList").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_u64).collect()
}

/// An amount of data: the numbers of applications and of offers are both MB, and clouds mean MiB.
fn mib(amount: f64) -> OneOrMany {
    OneOrMany::One(Spanned::made(Scalar::Text(format!("{amount} MiB"))))
}

fn joined(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// A value for a message.
fn json(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}
