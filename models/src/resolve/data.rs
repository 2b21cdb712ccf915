//! Data sources, links, and the latency limits of links as constraints.

use std::sync::Arc;

use super::{Resolver, shared, span_of};
use crate::application::{Constraint, ConstraintKind, DataId, DataSource, End, Home, Link, LinkId, Test};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{DataDocument, LinkDocument, OneOrMany, Scalar};
use crate::formula::Expected;
use crate::formula::expr::{BinaryOp, Expr, ExprKind, Type};
use crate::location;
use crate::quantity::Bytes;
use crate::requirement::{self, Measure};
use crate::span::{Span, Spanned};
use crate::unit::{Unit, conversion, parse_named_quantity};

/// The most replicas of one data source.
const REPLICAS_MAX: u32 = 16;
/// The most links of one model: each ties the places of its ends together.
const LINKS_MAX: usize = 1_000;

impl Resolver<'_> {
    /// Puts the names of links and data sources into scope, before any formula is read.
    pub(super) fn traffic_scope(&mut self) {
        for (i, (name, _)) in self.document.data.iter().enumerate() {
            self.scope.data.insert(shared(name), DataId(i as u32));
        }
        for (i, (name, _)) in self.document.links.iter().enumerate() {
            self.scope.links.insert(shared(name), LinkId(i as u32));
        }
    }

    /// The data sources, in the order of the file.
    pub(super) fn data(&mut self) -> Vec<DataSource> {
        let document = self.document;
        let sources = document.data.iter();
        sources.map(|(name, source)| self.data_source(&format!("data.{}", name.value), name, source)).collect()
    }

    fn data_source(&mut self, path: &str, name: &Spanned<String>, source: &DataDocument) -> DataSource {
        let size = source.size.as_ref().and_then(|size| {
            let mib = requirement::amount(size, Measure::Data, &self.currency);
            let mib = self.keep(&format!("{path}.size"), mib)?;
            let bytes = Bytes::from_mib(mib)
                .ok_or_else(|| Diagnostic::error(size.span, "the size is out of range").help("write it like `200 GB`"));
            self.keep(&format!("{path}.size"), bytes)
        });
        let price = source.storage_price.as_ref().and_then(|price| {
            let rate = self.storage_price(price);
            self.keep(&format!("{path}.storage_price"), rate)
        });
        if let (Some(price), None) = (&source.storage_price, &source.size) {
            let finding = Diagnostic::error(price.span, "what storing it costs depends on its size, which is not told");
            self.report(path, finding.help("add its size, such as `size: 200 GB`"));
        }
        DataSource {
            name: shared(name),
            span: name.span,
            size: size.unwrap_or_default(),
            home: self.home(path, source),
            storage_per_gb_hour: price.unwrap_or(0.0),
        }
    }

    fn home(&mut self, path: &str, source: &DataDocument) -> Home {
        if let Some(place) = &source.place {
            for (key, given) in [
                ("places", source.places.as_ref().map(span_of)),
                ("replicas", source.replicas.as_ref().map(|r| r.span)),
            ] {
                let Some(span) = given else { continue };
                let message = format!("`place` says where it is, so that `{key}` has nothing to choose");
                let finding = Diagnostic::error(span, message);
                self.report(&format!("{path}.{key}"), finding.help("keep `place`, or `places` and `replicas`"));
            }
            return Home::Fixed(self.place_names(&format!("{path}.place"), place, false));
        }
        let places = source.places.as_ref().map(|places| self.place_names(&format!("{path}.places"), places, true));
        let (least, most) = source.replicas.as_ref().and_then(|r| self.replicas(path, r)).unwrap_or((1, 1));
        Home::Chosen { places: places.unwrap_or_default(), least, most }
    }

    /// The names of places. Where each stands for one place, patterns are refused; a name that is probably misspelt is
    /// warned about.
    fn place_names(&mut self, path: &str, value: &OneOrMany, may_be_area: bool) -> Vec<Arc<str>> {
        let Some(test) = self.keep_all(path, requirement::texts(value)) else { return Vec::new() };
        let Test::Text(names) = test else {
            let finding = Diagnostic::error(span_of(value), "places are named, not excluded");
            self.report(path, finding.help("name the places that are allowed"));
            return Vec::new();
        };
        for (name, written) in names.iter().zip(value.values()) {
            if !may_be_area && name.contains('*') {
                let finding = Diagnostic::error(written.span, format!("`{name}` may be many places"));
                self.report(path, finding.help("name one region, or let it be chosen with `places`"));
            }
            // A name with a slash may be one that only a catalog knows, and an area may be a provider.
            let is_provider = may_be_area && (name.len() < 5 || location::regions().any(|r| r.provider == &**name));
            if name.contains(['/', '*']) || is_provider || location::is_known_place(name) {
                continue;
            }
            if let Some(meant) = did_you_mean(name, location::known_places()) {
                let finding = Diagnostic::warning(written.span, format!("no region or country is known as `{name}`"));
                self.report(path, finding.help(format!("did you mean `{meant}`?")));
            }
        }
        names
    }

    fn replicas(&mut self, path: &str, written: &Spanned<Scalar>) -> Option<(u32, u32)> {
        let path = format!("{path}.replicas");
        let range = requirement::cardinality(&OneOrMany::One(written.clone()));
        let range = self.keep_all(&path, range)?;
        let (least, most) = (range.min(), range.max());
        if least == 0 || most > REPLICAS_MAX {
            let message = format!("a data source has 1 to {REPLICAS_MAX} replicas, not {range}");
            let finding = Diagnostic::error(written.span, message);
            self.report(&path, finding.help("write a number or a range, such as `1..2`"));
            return None;
        }
        Some((least, most))
    }

    /// A price such as `0.023 USD/GB/month`, in currency units per GB and hour. A bare number is per GB and month, as
    /// price lists have it.
    fn storage_price(&self, written: &Spanned<Scalar>) -> Result<f64, Diagnostic> {
        let help = "write it like `0.023 USD/GB/month`";
        let wrong = |message: String| Diagnostic::error(written.span, message).help(help);
        let month = 730.0;
        let price = match &written.value {
            Scalar::Number(n) => *n / month,
            Scalar::Bool(_) => return Err(wrong("expected a price, found a truth value".to_owned())),
            Scalar::Text(text) => {
                let quantity = parse_named_quantity(text).map_err(wrong)?;
                match quantity.unit {
                    None => quantity.value / month,
                    Some(named) => {
                        self.currency.check(named.currency, written.span)?;
                        let factor = conversion(named.unit, Unit::STORAGE_PRICE);
                        let factor = factor.ok_or_else(|| wrong(format!("`{text}` is no price of storage")))?;
                        quantity.value * factor
                    }
                }
            }
        };
        if !(0.0..=1e6).contains(&price) {
            return Err(wrong(format!("`{}` is no price of storage", written.value)));
        }
        Ok(price)
    }

    /// The links, in the order of the file.
    pub(super) fn links(&mut self) -> Vec<Link> {
        let document = self.document;
        if let Some((name, _)) = document.links.0.get(LINKS_MAX) {
            self.report("links", Diagnostic::error(name.span, format!("there are more than {LINKS_MAX} links")));
            return Vec::new();
        }
        let links = document.links.iter();
        links.filter_map(|(name, link)| self.link(&format!("links.{}", name.value), name, link)).collect()
    }

    fn link(&mut self, path: &str, name: &Spanned<String>, link: &LinkDocument) -> Option<Link> {
        let from = self.end(&format!("{path}.from"), &link.from);
        let to = self.end(&format!("{path}.to"), &link.to);
        let traffic = self.traffic(&format!("{path}.traffic"), link.traffic.as_ref());
        let back = self.traffic(&format!("{path}.back"), link.back.as_ref());
        let latency_ms = match &link.latency {
            None => None,
            Some(latency) => {
                let seconds = requirement::amount(latency, Measure::Duration, &self.currency);
                Some(self.keep(&format!("{path}.latency"), seconds)? * 1e3)
            }
        };
        if link.traffic.is_none() && link.back.is_none() && link.latency.is_none() {
            let finding = Diagnostic::warning(name.span, format!("the link `{}` asks for nothing", name.value));
            self.report(path, finding.help("add `traffic`, `back` or `latency`"));
        }
        let (from, to) = (from?, to?);
        if matches!((from, to), (End::Data(_), End::Data(_))) {
            let finding =
                Diagnostic::error(link.to.span, "both ends are data sources, and data do not send by themselves");
            self.report(path, finding.help("name the component that moves the data at one end"));
            return None;
        }
        Some(Link { name: shared(name), span: name.span, from, to, traffic: traffic?, back: back?, latency_ms })
    }

    /// The component or data source that a name means. A component must be on nodes.
    fn end(&mut self, path: &str, name: &Spanned<String>) -> Option<End> {
        if let Some(data) = self.scope.data.get(name.value.as_str()) {
            return Some(End::Data(*data));
        }
        let known = self.scope.components.keys().chain(self.scope.data.keys()).map(|k| k.as_ref());
        if !self.scope.components.contains_key(name.value.as_str()) {
            let message = format!("there is no component or data source `{}`", name.value);
            let finding = Diagnostic::error(name.span, message);
            let finding = match did_you_mean(&name.value, known) {
                Some(meant) => finding.help(format!("did you mean `{meant}`?")),
                None => finding.help("name one of `components` or `data`"),
            };
            self.report(path, finding);
            return None;
        }
        let id = self.component(path, name)?;
        let chooses_itself = self.document.components.get(&name.value).and_then(|component| {
            let named = if component.configurations.is_some() { "configurations" } else { "free attributes" };
            (component.configurations.is_some() || !component.attributes.is_empty()).then_some(named)
        });
        if let Some(what) = chooses_itself {
            let message = format!("`{}` has {what}, and nobody knows where those run", name.value);
            let finding = Diagnostic::error(name.span, message);
            self.report(path, finding.help("link components that run on offers of the catalog"));
            return None;
        }
        Some(End::Component(id))
    }

    /// GB per hour, as a formula that no placement changes.
    fn traffic(&mut self, path: &str, written: Option<&Spanned<Scalar>>) -> Option<Expr> {
        let unit = Type::Number(Some(Unit::GB_PER_HOUR));
        let Some(written) = written else {
            return Some(Expr { kind: ExprKind::Number(0.0), ty: unit, span: Span::NONE });
        };
        let expr = self.formula(path, written, Expected::Number)?;
        if self.facts(&expr).depends_on_deployment {
            let finding = Diagnostic::error(written.span, "the traffic depends on the deployment that is to be found");
            self.report(
                path,
                finding.help("let it depend on metrics and constants; it is that of all instances together"),
            );
            return None;
        }
        if constant(&expr).is_some_and(|value| !(0.0..=1e12).contains(&value)) {
            let finding = Diagnostic::error(written.span, "the traffic is out of range");
            self.report(path, finding.help("write 0 or more, such as `20 GB/h`"));
            return None;
        }
        let own = match &expr.ty {
            Type::Number(Some(own)) => *own,
            _ => return Some(Expr { ty: unit, ..expr }),
        };
        let Some(factor) = conversion(own, Unit::GB_PER_HOUR) else {
            let finding = Diagnostic::error(written.span, format!("this is in `{own}` and no traffic"));
            self.report(path, finding.help("write an amount of data per time, such as `20 GB/h` or `3 MB/s`"));
            return None;
        };
        let place = expr.span;
        let number = |value| Box::new(Expr { kind: ExprKind::Number(value), ty: Type::Number(None), span: place });
        let kind = match expr.kind {
            ExprKind::Number(value) => ExprKind::Number(value * factor),
            kind => ExprKind::Binary(BinaryOp::Multiply, number(factor), Box::new(Expr { kind, ..expr })),
        };
        Some(Expr { kind, ty: unit, span: place })
    }

    /// The latency limits of links, each as a constraint `LINK.latency <= LIMIT` with the name `LINK.latency`.
    pub(super) fn latency_limits(&mut self, links: &[Link]) -> Vec<Constraint> {
        let ms = Type::Number(Some(Unit::MILLISECOND));
        let mut limits = Vec::new();
        for link in links {
            let (Some(limit), Some(id)) = (link.latency_ms, self.scope.links.get(&link.name).copied()) else {
                continue;
            };
            let written = self.document.links.get(&link.name).and_then(|l| l.latency.as_ref());
            let span = written.map_or(link.span, |w| w.span);
            let side = |kind| Box::new(Expr { kind, ty: ms.clone(), span });
            let kind =
                ExprKind::Binary(BinaryOp::LessEqual, side(ExprKind::LinkLatency(id)), side(ExprKind::Number(limit)));
            let name = format!("{}.latency", link.name);
            let limit = written.map_or_else(String::new, |w| w.value.to_string());
            limits.push(Constraint {
                text: format!("{name} <= {}", limit.trim()),
                name: name.into(),
                kind: ConstraintKind::Constraint,
                formula: Expr { kind, ty: Type::Bool, span },
                span,
            });
        }
        limits
    }
}

/// The number that a formula is written as, with its sign.
fn constant(expr: &Expr) -> Option<f64> {
    match &expr.kind {
        ExprKind::Number(value) => Some(*value),
        ExprKind::Negate(inner) => constant(inner).map(|value| -value),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
