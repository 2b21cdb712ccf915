//! The sections of a model, read from the tree. The keys of each section are those of the document type; a test
//! compares them with the JSON Schema.

use super::fields::{Fields, Reader, scalar_of};
use super::tree::{Kind, Node};
use crate::diagnostic::Diagnostic;
use crate::document::*;
use crate::span::Spanned;

pub(super) const MODEL_KEYS: &[&str] = &[
    "application",
    "description",
    "currency",
    "catalog",
    "constants",
    "components",
    "metrics",
    "constraints",
    "slo",
    "events",
    "error_budgets",
    "structure",
    "budget",
    "quotas",
    "commitments",
    "data",
    "links",
    "utility",
    "reconfigure",
];
pub(super) const CATALOG_KEYS: &[&str] =
    &["providers", "regions", "purchase", "machine_types", "without_machine_types"];
pub(super) const COMPONENT_KEYS: &[&str] = &[
    "description",
    "cardinality",
    "hosting",
    "per_node",
    "fleet",
    "requires",
    "placement",
    "needs",
    "moveable",
    "configurations",
    "attributes",
];
pub(super) const CONFIGURATION_TABLE_KEYS: &[&str] = &["columns", "rows"];
pub(super) const REQUIRES_KEYS: &[&str] =
    &["cores", "memory", "disk", "gpus", "price", "interruption_rate", "start_up", "minimum_lifetime", "labels"];
pub(super) const PLACEMENT_KEYS: &[&str] = &[
    "cloud",
    "provider",
    "location",
    "os",
    "architecture",
    "purchase",
    "machine_type",
    "family",
    "offer",
    "spread",
    "diversify",
    "spot",
    "on_demand",
];
pub(super) const SPREAD_KEYS: &[&str] = &["by", "at_most", "skew"];
pub(super) const DIVERSIFY_KEYS: &[&str] = &["by", "at_least", "at_most_share"];
pub(super) const SPOT_KEYS: &[&str] = &["at_most"];
pub(super) const ON_DEMAND_KEYS: &[&str] = &["at_least"];
pub(super) const METRIC_KEYS: &[&str] = &[
    "description",
    "formula",
    "component",
    "source",
    "labels",
    "aggregate",
    "window",
    "per",
    "across",
    "min_samples",
    "max_age",
    "hold",
    "when_stale",
    "unit",
    "default",
];
pub(super) const CONSTRAINT_KEYS: &[&str] =
    &["formula", "penalty", "for", "clear", "clear_for", "severity", "description"];
pub(super) const QUOTA_KEYS: &[&str] = &[
    "provider",
    "location",
    "region",
    "machine_type",
    "family",
    "purchase",
    "nodes",
    "cores",
    "memory",
    "gpus",
    "instances",
    "cost",
];
pub(super) const COMMITMENT_KEYS: &[&str] = &[
    "description",
    "provider",
    "location",
    "region",
    "machine_type",
    "family",
    "purchase",
    "nodes",
    "cores",
    "cost",
    "until",
];
pub(super) const RECONFIGURE_KEYS: &[&str] = &["every", "mode", "forecast"];
pub(super) const FORECAST_KEYS: &[&str] = &["violation", "lead", "step", "seasons"];
/// The key that tells which rule it is, and the keys that go with it.
pub(super) const STRUCTURE_RULES: &[(&str, &[&str])] = &[
    ("conflict", &["with"]),
    ("colocate", &[]),
    ("every_node", &["unless"]),
    ("together", &[]),
    ("at_least", &["of"]),
    ("at_most", &["of"]),
    ("exactly", &["of"]),
    ("alternatives", &[]),
    ("require", &[]),
];

const HOSTING: &[(&str, Hosting)] = &[("dedicated", Hosting::Dedicated), ("shared", Hosting::Shared)];
const FLEET: &[(&str, Fleet)] = &[("uniform", Fleet::Uniform), ("mixed", Fleet::Mixed)];
const SPREAD_BY: &[(&str, SpreadBy)] = &[
    ("zone", SpreadBy::Zone),
    ("region", SpreadBy::Region),
    ("location", SpreadBy::Location),
    ("country", SpreadBy::Country),
    ("provider", SpreadBy::Provider),
    ("machine_type", SpreadBy::MachineType),
    ("machine-type", SpreadBy::MachineType),
    ("family", SpreadBy::Family),
];
const LEVELS: &[(&str, Level)] = &[
    ("instance", Level::Instance),
    ("node", Level::Node),
    ("zone", Level::Zone),
    ("region", Level::Region),
    ("provider", Level::Provider),
    ("component", Level::Component),
    ("global", Level::Global),
];
const WHEN_STALE: &[(&str, WhenStale)] = &[("fall-back", WhenStale::FallBack), ("refuse", WhenStale::Refuse)];
const MODE: &[(&str, ReconfigureMode)] = &[
    ("observe", ReconfigureMode::Observe),
    ("recommend", ReconfigureMode::Recommend),
    ("automatic-small", ReconfigureMode::AutomaticSmall),
    ("automatic", ReconfigureMode::Automatic),
];

/// Reads a whole model.
pub(super) fn model(reader: &mut Reader, root: &Node) -> Option<ModelDocument> {
    let mut f = reader.fields(root, "", "a model: a mapping with `application` and `components`", MODEL_KEYS)?;
    let application = f
        .required("application", "write `application: NAME`", |r, n, p| r.text(n, p, "the name of the application"))
        .unwrap_or_default();
    let description = f.words("description");
    let currency = f.text("currency");
    let catalog = f.read("catalog", catalog);
    let constants = f.entries("constants", "a mapping from names to values", |r, n, p| {
        Some(r.scalar(n, p, "a number or a quantity such as `40 1/s`").unwrap_or_default())
    });
    let components = f
        .required("components", "write `components:` with at least one component", |r, n, p| {
            r.entries(n, p, "a mapping from names to components", component)
        })
        .unwrap_or_default();
    let metrics = f.entries("metrics", "a mapping from names to metrics", metric);
    let constraints = f.entries("constraints", "a mapping from names to formulas", constraint);
    let slo = f.entries("slo", "a mapping from names to formulas", constraint);
    let events = f.entries("events", "a mapping from names to events", super::slo::event);
    let error_budgets = f.entries("error_budgets", "a mapping from names to error budgets", super::slo::error_budget);
    let structure = f.entries("structure", "a mapping from names to rules", structure);
    let budget = f.scalar("budget");
    let quotas = f.entries("quotas", "a mapping from names to quotas", quota);
    let commitments = f.entries("commitments", "a mapping from names to commitments", commitment);
    let data = f.entries("data", "a mapping from names to data sources", super::data::source);
    let links = f.entries("links", "a mapping from names to links", super::data::link);
    let utility = f.read("utility", super::objectives::utility);
    let reconfigure = f.read("reconfigure", reconfigure);
    Some(ModelDocument {
        application,
        description,
        currency,
        catalog,
        constants,
        components,
        metrics,
        constraints,
        slo,
        events,
        error_budgets,
        structure,
        budget,
        quotas,
        commitments,
        data,
        links,
        utility,
        reconfigure,
    })
}

fn catalog(reader: &mut Reader, node: &Node, path: &str) -> Option<CatalogDocument> {
    let mut f = reader.fields(node, path, "a mapping of filters on offers", CATALOG_KEYS)?;
    Some(CatalogDocument {
        providers: f.one_or_many("providers"),
        regions: f.one_or_many("regions"),
        purchase: f.one_or_many("purchase"),
        machine_types: f.one_or_many("machine_types"),
        without_machine_types: f.one_or_many("without_machine_types"),
    })
}

/// A component. What cannot be read is left out, but the component stays, so that its name is known elsewhere.
fn component(reader: &mut Reader, node: &Node, path: &str) -> Option<ComponentDocument> {
    let Some(mut f) = reader.fields(node, path, "a component: a mapping of its properties", COMPONENT_KEYS) else {
        return Some(ComponentDocument::default());
    };
    Some(ComponentDocument {
        description: f.words("description"),
        cardinality: f.one_or_many("cardinality"),
        hosting: f.choice("hosting", HOSTING),
        per_node: f.scalar("per_node"),
        fleet: f.choice("fleet", FLEET),
        requires: f.read("requires", requires),
        placement: f.read("placement", placement),
        needs: f.names("needs"),
        moveable: f.bool("moveable"),
        configurations: f.read("configurations", configurations),
        attributes: f
            .entries("attributes", "a mapping from names of attributes to their values", |r, n, p| r.one_or_many(n, p)),
    })
}

/// A list of configurations, or a table of them.
fn configurations(reader: &mut Reader, node: &Node, path: &str) -> Option<ConfigurationsDocument> {
    if let Kind::List(items) = &node.kind {
        let each = reader.list(items, path, |r, n, p| {
            r.entries(
                n,
                p,
                "a configuration such as `{name: small, cardinality: 2, price: 0.10, cores: 2}`",
                |r, n, p| r.scalar(n, p, "a number, a quantity or a text"),
            )
        });
        return each.map(ConfigurationsDocument::Each);
    }
    let mut f =
        reader.fields(node, path, "a list of configurations, or `columns` and `rows`", CONFIGURATION_TABLE_KEYS)?;
    let columns =
        f.required("columns", "name the attributes: `columns: [cardinality, price, cores]`", |r, n, p| r.names(n, p));
    let rows = f.required("rows", "write the values: `rows: [[1, 0.10, 2], [2, 0.10, 2]]`", |r, n, p| match &n.kind {
        Kind::List(rows) => r.list(rows, p, |r, n, p| match &n.kind {
            Kind::List(cells) => r.list(cells, p, |r, n, p| r.scalar(n, p, "a number, a quantity or a text")),
            _ => {
                r.wrong_type(n, p, "a row: a list with a value for every column", None);
                None
            }
        }),
        _ => {
            r.wrong_type(n, p, "a list of rows", None);
            None
        }
    });
    Some(ConfigurationsDocument::Table(ConfigurationTable { columns: columns?, rows: rows? }))
}

fn requires(reader: &mut Reader, node: &Node, path: &str) -> Option<RequiresDocument> {
    let mut f = reader.fields(node, path, "a mapping from resources to requirements", REQUIRES_KEYS)?;
    Some(RequiresDocument {
        cores: f.one_or_many("cores"),
        memory: f.one_or_many("memory"),
        disk: f.one_or_many("disk"),
        gpus: f.one_or_many("gpus"),
        price: f.one_or_many("price"),
        interruption_rate: f.one_or_many("interruption_rate"),
        start_up: f.one_or_many("start_up"),
        minimum_lifetime: f.one_or_many("minimum_lifetime"),
        labels: f.entries("labels", "a mapping from names of labels to requirements", |r, n, p| r.one_or_many(n, p)),
    })
}

fn placement(reader: &mut Reader, node: &Node, path: &str) -> Option<PlacementDocument> {
    let mut f = reader.fields(node, path, "a mapping of where instances may run", PLACEMENT_KEYS)?;
    Some(PlacementDocument {
        cloud: f.one_or_many("cloud"),
        provider: f.one_or_many("provider"),
        location: f.one_or_many("location"),
        os: f.one_or_many("os"),
        architecture: f.one_or_many("architecture"),
        purchase: f.one_or_many("purchase"),
        machine_type: f.one_or_many("machine_type"),
        family: f.one_or_many("family"),
        offer: f.one_or_many("offer"),
        spread: f.read("spread", |r, n, p| match &n.kind {
            Kind::List(items) => r.list(items, p, spread).map(SpreadsDocument::Many),
            _ => spread(r, n, p).map(SpreadsDocument::One),
        }),
        diversify: f.read("diversify", |r, n, p| match &n.kind {
            Kind::List(items) => r.list(items, p, diversify).map(DiversifiesDocument::Many),
            _ => diversify(r, n, p).map(DiversifiesDocument::One),
        }),
        spot: f.read("spot", |r, n, p| {
            let mut f = r.fields(n, p, "a rule such as `{at_most: 50 %}`", SPOT_KEYS)?;
            let most =
                f.required("at_most", "write `{at_most: 50 %}`", |r, n, p| r.scalar(n, p, "a share or a number"));
            most.map(|at_most| SpotDocument { at_most })
        }),
        on_demand: f.read("on_demand", |r, n, p| {
            let mut f = r.fields(n, p, "a rule such as `{at_least: 2}`", ON_DEMAND_KEYS)?;
            let least =
                f.required("at_least", "write `{at_least: 2}`", |r, n, p| r.scalar(n, p, "a number or a share"));
            least.map(|at_least| OnDemandDocument { at_least })
        }),
    })
}

fn spread(reader: &mut Reader, node: &Node, path: &str) -> Option<SpreadDocument> {
    let help = "write `{by: zone, at_most: 2}` or `{by: zone, skew: 1}`";
    let mut f = reader.fields(node, path, "a rule such as `{by: zone, at_most: 2}`", SPREAD_KEYS)?;
    let by = f.required("by", help, |r, n, p| r.choice(n, p, SPREAD_BY));
    let (at_most, skew) = (f.scalar("at_most"), f.scalar("skew"));
    Some(SpreadDocument { by: by?, at_most, skew })
}

fn diversify(reader: &mut Reader, node: &Node, path: &str) -> Option<DiversifyDocument> {
    let help = "write `{by: machine_type, at_least: 3}` or `{by: zone, at_most_share: 40 %}`";
    let mut f = reader.fields(node, path, "a rule such as `{by: machine_type, at_least: 3}`", DIVERSIFY_KEYS)?;
    let by = f.required("by", help, |r, n, p| r.choice(n, p, SPREAD_BY));
    let (at_least, at_most_share) = (f.scalar("at_least"), f.scalar("at_most_share"));
    Some(DiversifyDocument { by: by?, at_least, at_most_share })
}

/// A metric. One that cannot be read counts as measured, so that its name is known elsewhere.
fn metric(reader: &mut Reader, node: &Node, path: &str) -> Option<MetricDocument> {
    if let Some(scalar) = scalar_of(node) {
        return Some(MetricDocument::Formula(Spanned::new(scalar, node.span)));
    }
    let Some(mut f) = reader.fields(node, path, "a formula or a mapping of the properties of a metric", METRIC_KEYS)
    else {
        return Some(MetricDocument::Full(MetricProperties::default()));
    };
    Some(MetricDocument::Full(MetricProperties {
        description: f.words("description"),
        formula: f.scalar("formula"),
        component: f.text("component"),
        source: f.text("source"),
        labels: f.entries("labels", "a mapping from labels to values", |r, n, p| r.one_or_many(n, p)),
        aggregate: f.text("aggregate"),
        window: f.scalar("window"),
        per: f.choice("per", LEVELS),
        across: f.text("across"),
        min_samples: f.scalar("min_samples"),
        max_age: f.scalar("max_age"),
        hold: f.scalar("hold"),
        when_stale: f.choice("when_stale", WHEN_STALE),
        unit: f.read("unit", unit),
        default: f.scalar("default"),
    }))
}

/// A unit. The number 1 is the unit of a bare number.
fn unit(reader: &mut Reader, node: &Node, path: &str) -> Option<Spanned<String>> {
    match &node.kind {
        Kind::Plain(text) if text == "1" => Some(Spanned::new(text.clone(), node.span)),
        _ => reader.text(node, path, "a unit such as `ms` or `1/s`"),
    }
}

fn constraint(reader: &mut Reader, node: &Node, path: &str) -> Option<ConstraintDocument> {
    if let Some(scalar) = scalar_of(node) {
        return Some(ConstraintDocument::Formula(Spanned::new(scalar, node.span)));
    }
    let mut f = reader.fields(node, path, "a formula, or a mapping with `formula`", CONSTRAINT_KEYS)?;
    let description = f.words("description");
    let formula = f.required("formula", "write the formula that must hold", |r, n, p| r.scalar(n, p, "a formula"))?;
    let penalty = f.scalar("penalty");
    let (lasts, clear, clear_for) = (f.scalar("for"), f.scalar("clear"), f.scalar("clear_for"));
    let severity = f.choice("severity", super::slo::SEVERITIES);
    let full = ConstraintProperties { formula, penalty, lasts, clear, clear_for, severity, description };
    Some(ConstraintDocument::Full(full))
}

fn structure(reader: &mut Reader, node: &Node, path: &str) -> Option<StructureDocument> {
    let rules = || STRUCTURE_RULES.iter().map(|(rule, _)| format!("`{rule}`")).collect::<Vec<_>>().join(", ");
    let Kind::Map(map) = &node.kind else {
        reader.wrong_type(node, path, "a rule: a mapping", Some(format!("begin with one of {}", rules())));
        return None;
    };
    let named: Vec<_> =
        STRUCTURE_RULES.iter().filter(|(rule, _)| map.iter().any(|(name, _)| name.value == *rule)).collect();
    let (rule, others) = match named.as_slice() {
        [one] => **one,
        [] => {
            let all: Vec<&str> = STRUCTURE_RULES.iter().map(|(rule, _)| *rule).collect();
            let meant = map.iter().find_map(|(n, _)| crate::diagnostic::did_you_mean(&n.value, all.iter().copied()));
            let help = match meant {
                Some(word) => format!("did you mean `{word}`? A rule begins with one of {}", rules()),
                None => format!("write one of {}", rules()),
            };
            let span = map.first().map_or(node.span, |(name, _)| name.span);
            reader.report(Diagnostic::error(span, "it does not say which rule it is").help(help).at(path));
            return None;
        }
        [first, second, ..] => {
            let message = format!("`{}` and `{}` are two rules", first.0, second.0);
            let span = map.iter().find(|(name, _)| name.value == second.0).map_or(node.span, |(name, _)| name.span);
            reader.report(Diagnostic::error(span, message).help("give each a name and an entry of its own").at(path));
            return None;
        }
    };
    let mut known = vec![rule];
    known.extend(others);
    let mut f = reader.fields(node, path, "a rule", &known)?;
    let rule = match rule {
        "conflict" => {
            let conflict = f.required(rule, "name a component", |r, n, p| r.text(n, p, "the name of a component"));
            let with = f.required("with", "name the components that it must not meet", |r, n, p| r.names(n, p));
            StructureDocument::Conflict { conflict: conflict?, with: with? }
        }
        "colocate" => StructureDocument::Colocate { colocate: members(&mut f, rule)? },
        "every_node" => {
            let every_node = f.required(rule, "name a component", |r, n, p| r.text(n, p, "the name of a component"));
            let unless = f.names("unless");
            StructureDocument::EveryNode { every_node: every_node?, unless }
        }
        "together" => StructureDocument::Together { together: members(&mut f, rule)? },
        "at_least" => {
            let (number, of) = total(&mut f, rule)?;
            StructureDocument::AtLeast { at_least: number, of }
        }
        "at_most" => {
            let (number, of) = total(&mut f, rule)?;
            StructureDocument::AtMost { at_most: number, of }
        }
        "exactly" => {
            let (number, of) = total(&mut f, rule)?;
            StructureDocument::Exactly { exactly: number, of }
        }
        "alternatives" => StructureDocument::Alternatives { alternatives: members(&mut f, rule)? },
        _ => StructureDocument::Require {
            require: f.required(rule, "write it as `2 mysql per 3 wordpress`", |r, n, p| {
                r.text(n, p, "a text such as `2 mysql per 3 wordpress`")
            })?,
        },
    };
    Some(rule)
}

fn members(fields: &mut Fields<'_, '_>, key: &str) -> Option<Vec<Spanned<String>>> {
    fields.required(key, "name the components", |r, n, p| r.names(n, p))
}

fn total(fields: &mut Fields<'_, '_>, key: &str) -> Option<(Spanned<Scalar>, Vec<Spanned<String>>)> {
    let number = fields.required(key, "write a number", |r, n, p| r.scalar(n, p, "a number"));
    let of = fields.required("of", "name the components that are counted", |r, n, p| r.names(n, p));
    Some((number?, of?))
}

fn commitment(reader: &mut Reader, node: &Node, path: &str) -> Option<CommitmentDocument> {
    let mut f =
        reader.fields(node, path, "a commitment such as `{provider: aws, family: m5, nodes: 4}`", COMMITMENT_KEYS)?;
    Some(CommitmentDocument {
        description: f.words("description"),
        provider: f.one_or_many("provider"),
        location: f.one_or_many("location"),
        region: f.one_or_many("region"),
        machine_type: f.one_or_many("machine_type"),
        family: f.one_or_many("family"),
        purchase: f.one_or_many("purchase"),
        nodes: f.scalar("nodes"),
        cores: f.scalar("cores"),
        cost: f.scalar("cost"),
        until: f.text("until"),
    })
}

fn quota(reader: &mut Reader, node: &Node, path: &str) -> Option<QuotaDocument> {
    let mut f = reader.fields(node, path, "a mapping of what is counted and its limits", QUOTA_KEYS)?;
    Some(QuotaDocument {
        provider: f.one_or_many("provider"),
        location: f.one_or_many("location"),
        region: f.one_or_many("region"),
        machine_type: f.one_or_many("machine_type"),
        family: f.one_or_many("family"),
        purchase: f.one_or_many("purchase"),
        nodes: f.scalar("nodes"),
        cores: f.scalar("cores"),
        memory: f.scalar("memory"),
        gpus: f.scalar("gpus"),
        instances: f.scalar("instances"),
        cost: f.scalar("cost"),
    })
}

fn reconfigure(reader: &mut Reader, node: &Node, path: &str) -> Option<ReconfigureDocument> {
    let mut f = reader.fields(node, path, "a mapping with `every`, `mode` and `forecast`", RECONFIGURE_KEYS)?;
    Some(ReconfigureDocument {
        every: f.scalar("every"),
        mode: f.choice("mode", MODE),
        forecast: f.entries("forecast", "a mapping from metrics to forecasts", forecast),
    })
}

fn forecast(reader: &mut Reader, node: &Node, path: &str) -> Option<ForecastDocument> {
    let mut f = reader.fields(node, path, "a forecast such as `{violation: 60 USD/h, lead: 3m}`", FORECAST_KEYS)?;
    let violation =
        f.required("violation", "write what an hour in violation costs, such as `60 USD/h`", |r, n, p| {
            r.scalar(n, p, "a price per hour such as `60 USD/h`")
        })?;
    Some(ForecastDocument { violation, lead: f.scalar("lead"), step: f.scalar("step"), seasons: f.bool("seasons") })
}
