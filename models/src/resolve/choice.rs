//! What a component chooses from when it takes no offer of the catalog: a table of configurations, or attributes that
//! are chosen freely.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{Resolver, shared};
use crate::application::{Cardinality, Choice, ComponentId, Domain, FreeAttribute};
use crate::diagnostic::Diagnostic;
use crate::document::{ComponentDocument, ConfigurationsDocument, Fleet, Hosting, Scalar};
use crate::formula::expr::Type;
use crate::formula::{OwnAttributes, attribute_type};
use crate::offer::{Attribute, CloudKind, Configuration, LabelValue, Lifecycle, Offer, OperatingSystem, Purchase};
use crate::quantity::{Bytes, Cores, Price};
use crate::requirement::{self, Measure};
use crate::span::{Span, Spanned};
use crate::unit::{Unit, conversion, parse_named_quantity};

/// The column that names a configuration.
const NAME: &str = "name";
/// The longest name of a configuration, in bytes.
const NAME_MAX: usize = 256;

/// What a component chooses from, as far as its own section tells.
pub(super) struct Chosen {
    /// The choice.
    pub choice: Choice,
    /// The numbers of instances that its configurations stand for.
    pub cardinality: Option<Cardinality>,
}

/// A configuration as it is written.
struct Row<'d> {
    span: Span,
    cells: Vec<(&'d Spanned<String>, &'d Spanned<Scalar>)>,
}

/// A column of numbers or texts under construction.
#[derive(Default)]
struct Column {
    /// The unit of its first number that has one.
    unit: Option<Unit>,
    /// The place of the first number and of the first text.
    number: Option<Span>,
    text: Option<Span>,
    /// How many rows have it, and where it stands first.
    count: usize,
    first: Span,
}

impl Resolver<'_> {
    /// Reads configurations and free attributes, so that formulas know them.
    pub(super) fn choices(&mut self) {
        let document = self.document;
        for (i, (name, component)) in document.components.iter().enumerate() {
            let path = format!("components.{}", name.value);
            let id = ComponentId(i as u32);
            let chosen = match (&component.configurations, component.attributes.is_empty()) {
                (None, true) => Chosen { choice: Choice::Offers, cardinality: None },
                (Some(configurations), _) => {
                    self.check_alone(&path, name, component, "configurations");
                    self.configurations(&format!("{path}.configurations"), id, name, component, configurations)
                }
                (None, false) => {
                    self.check_alone(&path, name, component, "attributes");
                    self.free_attributes(&format!("{path}.attributes"), id, component)
                }
            };
            self.chosen.push(chosen);
        }
    }

    /// Reports what is about offers of the catalog in a component that takes none.
    fn check_alone(&mut self, path: &str, name: &Spanned<String>, component: &ComponentDocument, what: &str) {
        let has = format!("`{}` takes no offer of the catalog: it has `{what}`", name.value);
        let given = [
            ("attributes", what == "configurations" && !component.attributes.is_empty()),
            ("requires", component.requires.is_some()),
            ("placement", component.placement.is_some()),
            ("hosting", component.hosting == Some(Hosting::Shared)),
            ("per_node", component.per_node.is_some()),
            ("fleet", component.fleet == Some(Fleet::Mixed)),
            ("moveable", what == "attributes" && component.moveable == Some(false)),
        ];
        for (key, _) in given.into_iter().filter(|(_, given)| *given) {
            let help = match key {
                "requires" => {
                    format!("remove it; limit attributes under `constraints`, such as `{}.cores >= 4`", name.value)
                }
                "attributes" => "keep one of the two, or make another component of the free attributes".to_owned(),
                _ => "remove it".to_owned(),
            };
            let finding = Diagnostic::error(name.span, format!("{has}, so `{key}` has no meaning"));
            self.report(&format!("{path}.{key}"), finding.help(help));
        }
    }

    fn configurations(
        &mut self,
        path: &str,
        id: ComponentId,
        name: &Spanned<String>,
        component: &ComponentDocument,
        document: &ConfigurationsDocument,
    ) -> Chosen {
        let rows = self.rows(path, name, document);
        let mut columns: IndexMap<&str, Column> = IndexMap::new();
        for row in &rows {
            for (key, value) in &row.cells {
                self.look_at(path, &mut columns, key, value);
            }
        }
        self.doubt_columns(path, &columns, rows.len());
        let own = own_attributes(&columns);
        let (mut names, mut offers, mut counts) = (HashSet::new(), Vec::new(), Vec::new());
        for (i, row) in rows.iter().enumerate() {
            let offer = self.configuration(&format!("{path}[{i}]"), i, name, row, &own);
            let of = offer.configuration.as_deref();
            if let Some(of) = of {
                if !names.insert(of.name.clone()) {
                    let message = format!("two configurations have the name `{}`", of.name);
                    self.report(&format!("{path}[{i}]"), Diagnostic::error(row.span, message).help("rename one"));
                }
                counts.push(of.cardinality);
            }
            offers.push(offer);
        }
        let ranges = counts.iter().map(|n| n.unwrap_or(1)).map(|n| (n, n)).collect();
        let all = Cardinality::new(ranges);
        if let Some(Ok(asked)) = component.cardinality.as_ref().map(requirement::cardinality)
            && !counts.is_empty()
            && !asked.contains(0)
            && counts.iter().all(|n| n.is_some_and(|n| !asked.contains(n)))
        {
            let message = format!("no configuration has an allowed number of instances, which is {asked}");
            let finding = Diagnostic::error(name.span, message);
            self.report(
                path,
                finding.help(format!("the configurations have {all}: remove `cardinality`, or widen it")),
            );
        }
        self.scope.own.insert(id, own);
        Chosen { choice: Choice::Configurations(offers.into()), cardinality: Some(all) }
    }

    /// The configurations, whichever way they are written.
    fn rows<'d>(&mut self, path: &str, name: &Spanned<String>, document: &'d ConfigurationsDocument) -> Vec<Row<'d>> {
        let rows: Vec<Row<'d>> = match document {
            ConfigurationsDocument::Each(each) => each
                .iter()
                .map(|entries| {
                    let cells: Vec<_> = entries.iter().collect();
                    let span = cells.first().map_or(name.span, |(key, _)| key.span);
                    Row { span, cells }
                })
                .collect(),
            ConfigurationsDocument::Table(table) => {
                let mut seen = HashSet::new();
                for column in table.columns.iter().filter(|c| !seen.insert(c.value.as_str())) {
                    let finding = Diagnostic::error(column.span, format!("two columns are called `{}`", column.value));
                    self.report(&format!("{path}.columns"), finding.help("rename one"));
                }
                let mut rows = Vec::new();
                for (i, row) in table.rows.iter().enumerate() {
                    let span = row.first().map_or(name.span, |cell| cell.span);
                    if row.len() != table.columns.len() {
                        let message = format!("the row has {} values for {} columns", row.len(), table.columns.len());
                        self.report(&format!("{path}.rows[{i}]"), Diagnostic::error(span, message));
                    } else {
                        rows.push(Row { span, cells: table.columns.iter().zip(row).collect() });
                    }
                }
                if rows.is_empty() && !table.rows.is_empty() {
                    return rows;
                }
                rows
            }
        };
        if rows.is_empty() {
            let message = format!("`{}` has an empty table of configurations", name.value);
            self.report(path, Diagnostic::error(name.span, message).help("write at least one, or remove the key"));
        }
        rows
    }

    /// Adds a cell to what is known of its column.
    fn look_at<'d>(
        &mut self,
        path: &str,
        columns: &mut IndexMap<&'d str, Column>,
        key: &'d Spanned<String>,
        value: &Spanned<Scalar>,
    ) {
        let name = key.value.as_str();
        if name.is_empty() || name.contains('`') || name.chars().any(char::is_control) {
            let finding = Diagnostic::error(key.span, "an attribute needs a name without backticks");
            return self.report(path, finding.help("use letters, digits and `_`"));
        }
        let column = columns.entry(name).or_default();
        column.count += 1;
        if column.count == 1 {
            column.first = key.span;
            column.unit = Attribute::named(name).and_then(|a| Unit::of_attribute(&a));
        }
        let quantity = match &value.value {
            Scalar::Text(text) => parse_named_quantity(text).ok(),
            Scalar::Number(_) => None,
            Scalar::Bool(_) => return,
        };
        if let Some(unit) = quantity.as_ref().and_then(|q| q.unit.as_ref()) {
            column.unit = column.unit.or(Some(unit.unit));
        }
        let is_number = quantity.is_some() || matches!(value.value, Scalar::Number(_));
        let place = if is_number { &mut column.number } else { &mut column.text };
        place.get_or_insert(value.span);
    }

    /// Reports columns that hold both numbers and texts, and those that look like a slip of the pen.
    fn doubt_columns(&mut self, path: &str, columns: &IndexMap<&str, Column>, rows: usize) {
        for (name, column) in columns {
            let is_text = Attribute::named(name).is_some_and(|a| attribute_type(&a) == Type::Text);
            if let (Some(_), Some(text), false) = (column.number, column.text, *name == NAME || is_text) {
                let message = format!("`{name}` is a number in one configuration and a text in another");
                self.report(path, Diagnostic::error(text, message).help("write numbers, or quote all of them"));
            }
            if column.count < rows && *name != NAME && *name != "cardinality" && *name != "price" {
                let message = format!("`{name}` stands in {} of {rows} configurations", column.count);
                let help = "a formula that looks at it excludes the others";
                self.report(path, Diagnostic::warning(column.first, message).help(help));
            }
        }
    }

    /// One configuration as an offer of its component.
    fn configuration(
        &mut self,
        path: &str,
        index: usize,
        component: &Spanned<String>,
        row: &Row<'_>,
        own: &OwnAttributes,
    ) -> Offer {
        let (mut name, mut cardinality, mut price) = ((index + 1).to_string(), None, Price::ZERO);
        let mut labels: IndexMap<Arc<str>, LabelValue> = IndexMap::new();
        for (key, value) in &row.cells {
            match key.value.as_str() {
                NAME => name = self.configuration_name(path, value).unwrap_or(name),
                "cardinality" => {
                    let n = self.count(path, value);
                    cardinality = n.or(cardinality);
                }
                "price" => {
                    let amount = requirement::amount(value, Measure::Price, &self.currency);
                    let units = self.keep(path, amount);
                    price = units.and_then(|u| self.price_of(path, u, value.span)).unwrap_or_default();
                }
                other => {
                    let attribute = attribute_of(other);
                    let ty = own.attributes.get(&attribute).cloned().unwrap_or(Type::Number(None));
                    if let Some(value) = self.cell(path, &ty, value) {
                        labels.insert(other.into(), value);
                    }
                }
            }
        }
        let number = |name: &str| match labels.get(name) {
            Some(LabelValue::Number(n)) => Some(*n),
            _ => None,
        };
        Offer {
            id: format!("{}/{name}", component.value).into(),
            provider: "".into(),
            region: "".into(),
            zones: Arc::default(),
            country: "".into(),
            places: Arc::default(),
            coordinates: None,
            machine_type: name.as_str().into(),
            family: "".into(),
            lifecycle: Lifecycle::default(),
            cloud: CloudKind::default(),
            purchase: Purchase::default(),
            // What quotas count; formulas see the attributes as they are written.
            cores: number("cores").and_then(Cores::from_count).unwrap_or_default(),
            memory: number("memory").and_then(Bytes::from_mib).unwrap_or_default(),
            disk: number("disk").and_then(Bytes::from_mib),
            gpus: 0,
            architecture: "".into(),
            os: OperatingSystem::Any,
            price,
            configuration: Some(Arc::new(Configuration {
                component: shared(component),
                name: name.into(),
                cardinality,
            })),
            labels: Arc::new(labels),
        }
    }

    fn configuration_name(&mut self, path: &str, value: &Spanned<Scalar>) -> Option<String> {
        let name = value.value.to_string();
        if name.trim().is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            let message = format!("a configuration needs a name of 1 to {NAME_MAX} characters");
            self.report(path, Diagnostic::error(value.span, message));
            return None;
        }
        Some(name)
    }

    fn price_of(&mut self, path: &str, units: f64, span: Span) -> Option<Price> {
        let price = Price::from_units(units);
        if price.is_none() {
            let message = format!("a price is at least 0 and at most {} an hour", Price::MAX.units());
            self.report(path, Diagnostic::error(span, message));
        }
        price
    }

    /// The value of a cell in the unit of its column.
    fn cell(&mut self, path: &str, ty: &Type, value: &Spanned<Scalar>) -> Option<LabelValue> {
        match (ty, &value.value) {
            (Type::Text, other) => Some(LabelValue::Text(other.to_string().into())),
            (_, Scalar::Number(n)) => Some(LabelValue::Number(*n)),
            (Type::Number(unit), Scalar::Text(_)) => {
                let number = number_in(value, *unit);
                self.keep(path, number).map(LabelValue::Number)
            }
            (_, Scalar::Bool(_) | Scalar::Text(_)) => {
                let finding = Diagnostic::error(value.span, "expected a number or a text, found a truth value");
                self.report(path, finding.help("write 1 and 0, or a text in quotes"));
                None
            }
        }
    }

    fn free_attributes(&mut self, path: &str, id: ComponentId, component: &ComponentDocument) -> Chosen {
        let mut own = OwnAttributes { free: true, ..OwnAttributes::default() };
        let mut attributes = Vec::new();
        for (name, values) in component.attributes.iter() {
            let path = format!("{path}.{}", name.value);
            let attribute = attribute_of(&name.value);
            if attribute == Attribute::Cardinality {
                let finding = Diagnostic::error(name.span, "`cardinality` stands beside `attributes`, not among them");
                self.report(&path, finding.help("move it one level up"));
                continue;
            }
            if attribute == Attribute::Price {
                let finding = Diagnostic::error(name.span, "a price is not chosen freely");
                let help =
                    "it belongs to offers and configurations; give another name to a number that the utility weighs";
                self.report(&path, finding.help(help));
                continue;
            }
            if name.value.trim().is_empty() || name.value.contains('`') || name.value.chars().any(char::is_control) {
                let finding = Diagnostic::error(name.span, "an attribute needs a name without backticks");
                self.report(&path, finding.help("use letters, digits and `_`"));
                continue;
            }
            let unit = Unit::of_attribute(&attribute);
            own.attributes.insert(attribute.clone(), Type::Number(unit));
            let mut pieces = Vec::new();
            for value in values.values() {
                let piece = piece_of(value, unit);
                pieces.extend(self.keep(&path, piece));
            }
            attributes.push(FreeAttribute { attribute, domain: Domain::new(pieces), span: name.span });
        }
        self.scope.own.insert(id, own);
        Chosen { choice: Choice::Attributes(attributes.into()), cardinality: None }
    }
}

/// The attributes of configurations with their types.
fn own_attributes(columns: &IndexMap<&str, Column>) -> OwnAttributes {
    let mut own = OwnAttributes::default();
    own.attributes.insert(Attribute::Price, Type::Number(Some(Unit::PRICE)));
    for (name, column) in columns.iter().filter(|(name, _)| !matches!(**name, NAME | "cardinality" | "price")) {
        let attribute = attribute_of(name);
        let ty = match attribute_type(&attribute) {
            Type::Number(_) if column.text.is_some() => Type::Text,
            Type::Number(_) => Type::Number(column.unit),
            text => text,
        };
        // A known number, such as `cores`, stays one: the texts in its column are mistakes.
        let ty = match (&attribute, ty) {
            (Attribute::Label(_), ty) => ty,
            (known, Type::Text) if attribute_type(known) != Type::Text => attribute_type(known),
            (_, ty) => ty,
        };
        own.attributes.insert(attribute, ty);
    }
    own
}

fn attribute_of(name: &str) -> Attribute {
    Attribute::named(name).unwrap_or_else(|| Attribute::Label(name.into()))
}

/// A number that may have a unit, in another unit.
fn number_in(value: &Spanned<Scalar>, unit: Option<Unit>) -> Result<f64, Diagnostic> {
    let text = match &value.value {
        Scalar::Number(n) => return Ok(*n),
        Scalar::Bool(_) => return Err(Diagnostic::error(value.span, "expected a number, found a truth value")),
        Scalar::Text(text) => text,
    };
    text_in(text, unit).map_err(|message| Diagnostic::error(value.span, message))
}

fn text_in(text: &str, unit: Option<Unit>) -> Result<f64, String> {
    let quantity = parse_named_quantity(text)?;
    let number = match (quantity.unit, unit) {
        (None, _) => quantity.value,
        (Some(named), Some(unit)) => match conversion(named.unit, unit) {
            Some(factor) => quantity.value * factor,
            None => return Err(format!("`{}` does not fit the unit of the attribute, {unit}", text.trim())),
        },
        (Some(_), None) => return Err(format!("`{}` has a unit, the attribute has none", text.trim())),
    };
    if number.is_finite() { Ok(number) } else { Err(format!("the number in `{}` is too large", text.trim())) }
}

/// A single number, or the ends of a range of whole numbers.
fn piece_of(value: &Spanned<Scalar>, unit: Option<Unit>) -> Result<(f64, f64), Diagnostic> {
    let wrong = |message: String| Diagnostic::error(value.span, message);
    let help = "write a number, a range such as `1..64`, or a list of them";
    let (low, high) = match &value.value {
        Scalar::Text(text) => match text.split_once("..") {
            Some((low, high)) => {
                let read = |text: &str| text_in(text, unit).map_err(|m| wrong(m).help(help));
                (read(low)?, read(high.trim_start_matches('='))?)
            }
            None => {
                let n = text_in(text, unit).map_err(|m| wrong(m).help(help))?;
                return Ok((n, n));
            }
        },
        _ => {
            let n = number_in(value, unit).map_err(|d| d.help(help))?;
            return Ok((n, n));
        }
    };
    if low > high {
        return Err(wrong(format!("the range {low}..{high} is empty")).help("write the smaller end first"));
    }
    if low.fract() != 0.0 || high.fract() != 0.0 {
        return Err(wrong("a range holds whole numbers, and so its ends are whole".to_owned())
            .help("list fractions one by one"));
    }
    if low < -Domain::WHOLE_MAX || high > Domain::WHOLE_MAX {
        return Err(wrong("the ends of a range lie between -2^53 and 2^53".to_owned()));
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests;
