//! The application model with every name resolved and every formula typed: what the solver, the evaluator and the
//! checker work on. Made from a [`crate::document::ModelDocument`] by [`crate::resolve`].

mod data;
mod measure;
mod objective;
mod slo;

pub use data::{DataId, DataSource, End, Home, Link, LinkId};

use std::sync::Arc;

use crate::commitment::Commitment;
use crate::division::{Division, DivisionRule};
use crate::document::{Fleet, Hosting, ReconfigureMode, SpreadBy};
use crate::formula::expr::Expr;
use crate::offer::{Attribute, AttributeValue, Offer, OperatingSystem, Purchase};
use crate::quantity::{Bytes, Cores};
use crate::span::Span;
use crate::unit::Unit;

pub use measure::{Ageing, Fold, Measure, Window};
pub use objective::{Direction, Objective, Soft, Tolerance, Weighted};
pub use slo::{EventRule, Pattern, Severity, SloRule};

/// Index of a component in [`Application::components`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId(pub u32);

/// Index of a metric in [`Application::metrics`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricId(pub u32);

impl ComponentId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl MetricId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A resolved application model.
#[derive(Clone, Debug)]
pub struct Application {
    /// The name of the application.
    pub name: String,
    /// The currency that the model names, if any.
    pub currency: Option<String>,
    /// Filter on the offers of the whole application.
    pub offers: Vec<Requirement>,
    /// The components, in the order of the file.
    pub components: Vec<Component>,
    /// The metrics, in the order of the file.
    pub metrics: Vec<Metric>,
    /// Formulas that must hold, those of `slo` that depend on the deployment included.
    pub constraints: Vec<Constraint>,
    /// Rules about shared nodes and numbers of instances.
    pub structure: Vec<StructureRule>,
    /// Limits on what may be bought.
    pub quotas: Vec<Quota>,
    /// Capacity that is paid for already.
    pub commitments: Vec<Commitment>,
    /// The data sources, in the order of the file.
    pub data: Vec<DataSource>,
    /// Traffic between components and to data, in the order of the file.
    pub links: Vec<Link>,
    /// Constraints that may be violated at a price, which the first objective pays.
    pub soft: Vec<Soft>,
    /// How the violations of SLOs are judged over time; those that count at once have none.
    pub slos: Vec<SloRule>,
    /// Patterns of violations.
    pub events: Vec<EventRule>,
    /// What is best, first of all.
    pub objective: Objective,
    /// What is best among the placements that are best, or within the tolerance of it, in all objectives before.
    pub later: Vec<Objective>,
    /// Time between two regular decisions, in seconds.
    pub every_s: Option<f64>,
    /// What may happen without a person.
    pub mode: Option<ReconfigureMode>,
    /// The loads for which to hold room.
    pub forecasts: Vec<Forecast>,
}

/// How much room to hold for a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The load.
    pub metric: MetricId,
    /// What an hour in violation costs while one instance would do, in the money of the model; above 0.
    pub violation: f64,
    /// From a decision to the moment at which what it adds serves, in seconds.
    pub lead_s: Option<f64>,
    /// The length of a step, in seconds.
    pub step_s: Option<f64>,
    /// Whether to look for days and weeks.
    pub seasons: Option<bool>,
}

impl Application {
    /// The component with a name.
    pub fn component(&self, name: &str) -> Option<ComponentId> {
        self.components.iter().position(|c| c.name.as_ref() == name).map(|i| ComponentId(i as u32))
    }

    /// The data source with a name.
    pub fn data_source(&self, name: &str) -> Option<DataId> {
        self.data.iter().position(|d| d.name.as_ref() == name).map(|i| DataId(i as u32))
    }

    /// True when a link has the component at an end.
    pub fn has_link(&self, component: ComponentId) -> bool {
        self.links.iter().any(|l| [l.from, l.to].contains(&End::Component(component)))
    }

    /// True when it matters in which region a shared node is: a link has a shared component at an end.
    pub fn pool_counts_places(&self) -> bool {
        let ids = (0..self.components.len()).map(|i| ComponentId(i as u32));
        ids.filter(|c| self[*c].hosting == Hosting::Shared).any(|c| self.has_link(c))
    }

    /// True when a rule looks at the zones of shared nodes.
    pub fn pool_counts_zones(&self) -> bool {
        let mut shared = self.components.iter().filter(|c| c.hosting == Hosting::Shared);
        shared.any(Component::counts_zones) || self.structure.iter().any(|r| matches!(r.rule, Structure::Together(_)))
    }

    /// The metric with a name.
    pub fn metric(&self, name: &str) -> Option<MetricId> {
        self.metrics.iter().position(|m| m.name.as_ref() == name).map(|i| MetricId(i as u32))
    }
}

impl std::ops::Index<ComponentId> for Application {
    type Output = Component;
    fn index(&self, id: ComponentId) -> &Component {
        &self.components[id.index()]
    }
}

/// The numbers of instances that a component may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cardinality(Vec<(u32, u32)>);

impl Cardinality {
    /// The largest number of instances of one component.
    pub const LIMIT: u32 = 1_000_000;

    /// From inclusive ranges; they are sorted and joined. An empty list means exactly 1.
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.retain(|(lo, hi)| lo <= hi);
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::new();
        for (lo, hi) in ranges {
            match joined.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => joined.push((lo, hi)),
            }
        }
        if joined.is_empty() {
            joined.push((1, 1));
        }
        Cardinality(joined)
    }

    /// The smallest number.
    pub fn min(&self) -> u32 {
        self.0[0].0
    }

    /// The largest number.
    pub fn max(&self) -> u32 {
        self.0[self.0.len() - 1].1
    }

    /// The inclusive ranges, ascending and disjoint.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// True when `n` instances are allowed.
    pub fn contains(&self, n: u32) -> bool {
        self.0.iter().any(|(lo, hi)| (*lo..=*hi).contains(&n))
    }

    /// Every allowed number, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(lo, hi)| *lo..=*hi)
    }

    /// How many numbers are allowed.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(lo, hi)| u64::from(hi - lo) + 1).sum()
    }
}

impl std::fmt::Display for Cardinality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, (lo, hi)) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if lo == hi { write!(f, "{lo}")? } else { write!(f, "{lo}..{hi}")? }
        }
        Ok(())
    }
}

/// A resolved component.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name stands.
    pub span: Span,
    /// Allowed numbers of instances.
    pub cardinality: Cardinality,
    /// Dedicated or shared nodes.
    pub hosting: Hosting,
    /// Uniform or mixed fleet; meaningless for shared hosting.
    pub fleet: Fleet,
    /// Shared hosting: at most how many instances on one node.
    pub per_node: Option<u32>,
    /// What an offer must satisfy to host the component. For shared hosting the resources of one instance are in
    /// [`Component::demand`] and not here.
    pub requirements: Vec<Requirement>,
    /// Shared hosting: what one instance uses of its node.
    pub demand: Demand,
    /// Shared hosting: the named operating systems of `placement.os`, lower case; two components whose sets are both
    /// non-empty and disjoint never share a node. (Also in `requirements`, which filter the offers.)
    pub os: Vec<Arc<str>>,
    /// At most so many instances in one place.
    pub spread: Vec<Spread>,
    /// How its instances are divided over places and between ways of buying.
    pub divisions: Vec<Division>,
    /// Components that start before this one.
    pub needs: Vec<ComponentId>,
    /// False: running instances stay where they are.
    pub moveable: bool,
    /// What is chosen for it beside its number of instances.
    pub choice: Choice,
}

impl Component {
    /// The attributes that are chosen freely; none of a component that takes an offer or a configuration.
    pub fn attributes(&self) -> &[FreeAttribute] {
        match &self.choice {
            Choice::Attributes(attributes) => attributes,
            Choice::Offers | Choice::Configurations(_) => &[],
        }
    }

    /// The kinds of place that its rules count by, repetitions included.
    pub fn counted_by(&self) -> impl Iterator<Item = SpreadBy> + '_ {
        self.spread.iter().map(|s| s.by).chain(self.divisions.iter().filter_map(|d| d.rule.by()))
    }

    /// True when a rule counts its instances by zone.
    pub fn counts_zones(&self) -> bool {
        self.counted_by().any(|by| by == SpreadBy::Zone)
    }

    /// True when a rule counts its instances on spot offers.
    pub fn counts_spot(&self) -> bool {
        let is_bought = |d: &Division| matches!(d.rule, DivisionRule::Spot { .. } | DivisionRule::OnDemand { .. });
        self.divisions.iter().any(is_bought)
    }

    /// True when a rule counts its instances by place or by way of buying: taking one away may break it.
    pub fn is_divided(&self) -> bool {
        !self.spread.is_empty() || !self.divisions.is_empty()
    }

    /// True when the component takes no offer: its attributes are chosen freely.
    pub fn is_free(&self) -> bool {
        matches!(self.choice, Choice::Attributes(_))
    }
}

/// What is chosen for a component beside its number of instances.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Offers of the catalog.
    Offers,
    /// One of these, which stand in the catalog of every [`crate::snapshot::Snapshot`] as offers of this component
    /// alone.
    Configurations(Arc<[Offer]>),
    /// A value for each attribute, independently. The component runs on no node.
    Attributes(Arc<[FreeAttribute]>),
}

/// An attribute whose value is chosen freely.
#[derive(Clone, Debug, PartialEq)]
pub struct FreeAttribute {
    /// The attribute, never [`Attribute::Cardinality`] or [`Attribute::Price`].
    pub attribute: Attribute,
    /// The values that it may take.
    pub domain: Domain,
    /// Where it stands.
    pub span: Span,
}

/// A set of numbers: single ones, and ranges of whole ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain(Vec<(f64, f64)>);

impl Domain {
    /// The largest size of a whole number that a domain may hold: up to 2^53 every one is exact.
    pub const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

    /// From single numbers (both ends the same) and inclusive ranges whose ends are whole; they are sorted and joined.
    /// An empty list means 0 alone.
    pub fn new(mut pieces: Vec<(f64, f64)>) -> Self {
        pieces.retain(|(low, high)| low <= high);
        pieces.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let is_whole = |piece: &(f64, f64)| piece.0.fract() == 0.0;
        let mut joined: Vec<(f64, f64)> = Vec::new();
        let mut fractions: Vec<(f64, f64)> = Vec::new();
        for piece in pieces {
            if !is_whole(&piece) {
                fractions.push(piece);
                continue;
            }
            match joined.last_mut() {
                Some(last) if piece.0 <= last.1 + 1.0 => last.1 = last.1.max(piece.1),
                _ => joined.push((piece.0 + 0.0, piece.1 + 0.0)),
            }
        }
        fractions.dedup();
        if !fractions.is_empty() {
            // A fraction between two whole numbers of a range parts it.
            for fraction in fractions {
                let at = joined.partition_point(|p| p.0 < fraction.0);
                match at.checked_sub(1).map(|i| joined[i]) {
                    Some((low, high)) if fraction.0 < high => {
                        joined[at - 1] = (low, fraction.0.floor());
                        joined.splice(at..at, [fraction, (fraction.0.ceil(), high)]);
                    }
                    _ => joined.insert(at, fraction),
                }
            }
        }
        if joined.is_empty() {
            joined.push((0.0, 0.0));
        }
        Domain(joined)
    }

    /// The smallest value.
    pub fn min(&self) -> f64 {
        self.0[0].0
    }

    /// The largest value.
    pub fn max(&self) -> f64 {
        self.0[self.0.len() - 1].1
    }

    /// The single numbers and ranges of whole numbers, ascending and disjoint.
    pub fn pieces(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// True when the number is a value of the domain.
    pub fn contains(&self, x: f64) -> bool {
        self.0.iter().any(|(low, high)| x == *low || (*low <= x && x <= *high && x.fract() == 0.0))
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(low, high)| (high - low) as u64 + 1).sum()
    }

    /// Every value, ascending.
    pub fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        self.0.iter().flat_map(|(low, high)| {
            let low = *low;
            (0..=(high - low) as u64).map(move |i| low + i as f64)
        })
    }
}

impl std::fmt::Display for Domain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 12;
        for (i, (low, high)) in self.0.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if low == high { write!(f, "{low}")? } else { write!(f, "{low}..{high}")? }
        }
        if self.0.len() > SHOWN { f.write_str(", ...") } else { Ok(()) }
    }
}

/// What one instance uses of a shared node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Demand {
    /// vCPU.
    pub cores: Cores,
    /// Memory.
    pub memory: Bytes,
    /// Local disk. Ignored on offers that do not tell their disk.
    pub disk: Bytes,
    /// GPUs.
    pub gpus: u32,
}

/// At most `at_most` instances of the component in one place of the kind `by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The kind of place; never [`SpreadBy::Location`], which is resolved to `Region`.
    pub by: SpreadBy,
    /// The largest number of instances in one place.
    pub at_most: u32,
}

/// One requirement on an offer.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// What is looked at.
    pub subject: Subject,
    /// What must hold of it.
    pub test: Test,
    /// The requirement as the user wrote it, for messages: `memory >= 8 GB`.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// What a requirement looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// An attribute of the offer. A missing disk satisfies every requirement; any other missing value none.
    Attribute(Attribute),
    /// The offer's place in the hierarchy: [`crate::location::lies_in`] any of the names.
    Place,
    /// The operating system: a named one, or an offer that boots any.
    OperatingSystem,
    /// The offer's id.
    OfferId,
}

/// What must hold of the subject.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A number inside any of these intervals, in the attribute's unit (MiB for memory and disk).
    Number(Vec<Interval>),
    /// A text equal to any of these, without regard to case; `*` stands for any characters.
    Text(Vec<Arc<str>>),
    /// A text equal to none of these.
    NotText(Vec<Arc<str>>),
}

/// An interval of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end; `-inf` when open below.
    pub low: f64,
    /// True when the lower end itself is excluded.
    pub low_open: bool,
    /// Upper end; `inf` when open above.
    pub high: f64,
    /// True when the upper end itself is excluded.
    pub high_open: bool,
}

impl Interval {
    /// Everything.
    pub const ALL: Interval =
        Interval { low: f64::NEG_INFINITY, low_open: false, high: f64::INFINITY, high_open: false };

    /// One number.
    pub fn exactly(x: f64) -> Self {
        Interval { low: x, low_open: false, high: x, high_open: false }
    }

    /// An inclusive range.
    pub fn between(low: f64, high: f64) -> Self {
        Interval { low, low_open: false, high, high_open: false }
    }

    /// True when the number lies inside; ends compare within a relative 1e-9.
    pub fn contains(&self, x: f64) -> bool {
        use crate::tolerance::{at_most, less};
        let above = if self.low_open { less(self.low, x) } else { at_most(self.low, x) };
        let below = if self.high_open { less(x, self.high) } else { at_most(x, self.high) };
        (self.low == f64::NEG_INFINITY || above) && (self.high == f64::INFINITY || below)
    }

    /// Nothing lies in both this and the other.
    pub fn intersect(&self, other: &Interval) -> Interval {
        let (low, low_open) = match self.low.total_cmp(&other.low) {
            std::cmp::Ordering::Less => (other.low, other.low_open),
            std::cmp::Ordering::Greater => (self.low, self.low_open),
            std::cmp::Ordering::Equal => (self.low, self.low_open || other.low_open),
        };
        let (high, high_open) = match self.high.total_cmp(&other.high) {
            std::cmp::Ordering::Less => (self.high, self.high_open),
            std::cmp::Ordering::Greater => (other.high, other.high_open),
            std::cmp::Ordering::Equal => (self.high, self.high_open || other.high_open),
        };
        Interval { low, low_open, high, high_open }
    }

    /// True when no number lies inside.
    pub fn is_empty(&self) -> bool {
        self.low > self.high || (self.low == self.high && (self.low_open || self.high_open))
    }
}

impl Requirement {
    /// True when the offer satisfies the requirement.
    pub fn admits(&self, offer: &Offer) -> bool {
        match &self.subject {
            Subject::Place => match &self.test {
                Test::Text(places) => places.iter().any(|p| crate::location::lies_in(offer, p)),
                Test::NotText(places) => !places.iter().any(|p| crate::location::lies_in(offer, p)),
                Test::Number(_) => false,
            },
            Subject::OperatingSystem => match &offer.os {
                OperatingSystem::Any => true,
                OperatingSystem::Unknown => false,
                OperatingSystem::Named(name) => self.test.admits_text(name),
            },
            Subject::OfferId => self.test.admits_text(&offer.id),
            Subject::Attribute(Attribute::Price) => self.test.admits_number(offer.price.units()),
            Subject::Attribute(Attribute::Cores) => self.test.admits_number(offer.cores.count()),
            Subject::Attribute(Attribute::Memory) => self.test.admits_number(offer.memory.mib()),
            Subject::Attribute(Attribute::Disk) => offer.disk.is_none_or(|d| self.test.admits_number(d.mib())),
            Subject::Attribute(Attribute::Provider) => self.test.admits_text(&offer.provider),
            Subject::Attribute(Attribute::Purchase) => self.test.admits_text(offer.purchase.as_str()),
            Subject::Attribute(Attribute::MachineType) => self.test.admits_text(&offer.machine_type),
            Subject::Attribute(Attribute::Family) => self.test.admits_text(&offer.family),
            Subject::Attribute(Attribute::Region) => self.test.admits_text(&offer.region),
            Subject::Attribute(Attribute::Cloud) => self.test.admits_text(offer.cloud.as_str()),
            Subject::Attribute(attribute) => match offer.attribute(attribute) {
                AttributeValue::Number(n) => self.test.admits_number(n),
                AttributeValue::Text(t) => self.test.admits_text(&t),
                AttributeValue::Missing => false,
            },
        }
    }
}

impl Test {
    fn admits_number(&self, x: f64) -> bool {
        match self {
            Test::Number(intervals) => intervals.iter().any(|i| i.contains(x)),
            Test::Text(texts) => texts.iter().any(|t| t.parse::<f64>().is_ok_and(|n| n == x)),
            Test::NotText(texts) => !texts.iter().any(|t| t.parse::<f64>().is_ok_and(|n| n == x)),
        }
    }

    fn admits_text(&self, text: &str) -> bool {
        match self {
            Test::Number(_) => text.parse::<f64>().is_ok_and(|x| self.admits_number(x)),
            Test::Text(texts) => texts.iter().any(|t| matches_pattern(t, text)),
            Test::NotText(texts) => !texts.iter().any(|t| matches_pattern(t, text)),
        }
    }
}

/// True when the text matches the pattern without regard to ASCII case; `*` stands for any characters.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    if !pattern.contains('*') {
        return pattern.eq_ignore_ascii_case(text);
    }
    let text = text.to_ascii_lowercase();
    let pattern = pattern.to_ascii_lowercase();
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A resolved metric.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name.
    pub name: Arc<str>,
    /// Where its name stands.
    pub span: Span,
    /// How it is computed; `None` for a measured one.
    pub formula: Option<Expr>,
    /// The value to use as long as none is given.
    pub default: Option<f64>,
    /// The unit of its value; `None` fits any.
    pub unit: Option<Unit>,
    /// The component on which it is measured.
    pub component: Option<ComponentId>,
    /// How its samples become one value; `None` for a computed one.
    pub measure: Option<Measure>,
    /// When its value is too old, where the model says so.
    pub ageing: Ageing,
}

/// Where a constraint came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstraintKind {
    /// From `constraints`: must hold in every deployment.
    Constraint,
    /// From `slo`: its violation asks for a new decision. One that depends on the deployment must hold in a solution;
    /// one that does not is only judged.
    Slo,
}

/// A resolved constraint.
#[derive(Clone, Debug)]
pub struct Constraint {
    /// Its name.
    pub name: Arc<str>,
    /// Constraint or SLO.
    pub kind: ConstraintKind,
    /// The formula, a truth value.
    pub formula: Expr,
    /// The formula as it was written.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A resolved rule about shared nodes or numbers of instances.
#[derive(Clone, Debug)]
pub struct StructureRule {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// What it says.
    pub rule: Structure,
}

/// What a structural rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum Structure {
    /// No node hosts the component and any of the others.
    Conflict {
        /// The component.
        component: ComponentId,
        /// The others.
        with: Vec<ComponentId>,
    },
    /// Every node hosts the same number of instances of each.
    Colocate(Vec<ComponentId>),
    /// Every used shared node hosts an instance of the component, or exactly one component of `unless` and then none
    /// of it.
    EveryNode {
        /// The component.
        component: ComponentId,
        /// The exceptions.
        unless: Vec<ComponentId>,
    },
    /// All instances of these lie in one zone: on nodes of one region, in a zone of the same name. Several nodes of an
    /// offer with several zones tell theirs.
    Together(Vec<ComponentId>),
    /// The instances of these, counted together, lie in the inclusive range.
    Total {
        /// The components.
        of: Vec<ComponentId>,
        /// At least.
        low: u64,
        /// At most.
        high: u64,
    },
    /// Exactly one of these has instances.
    Alternatives(Vec<ComponentId>),
    /// `per * n(provider) >= count * n(consumer)`.
    Require {
        /// The component that is required.
        provider: ComponentId,
        /// How many of it.
        count: u64,
        /// The component that requires.
        consumer: ComponentId,
        /// For every so many of it.
        per: u64,
    },
}

/// A resolved quota: what the matching nodes may use at most, each limit on its own.
#[derive(Clone, Debug)]
pub struct Quota {
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// Which offers it counts.
    pub matches: Vec<Requirement>,
    /// At most so many nodes.
    pub nodes: Option<u64>,
    /// At most so many vCPU.
    pub cores: Option<Cores>,
    /// At most so much memory.
    pub memory: Option<Bytes>,
    /// At most so many GPUs.
    pub gpus: Option<u64>,
    /// At most so many instances on the matching nodes.
    pub instances: Option<u64>,
    /// At most so much money per hour, in nano-units.
    pub cost: Option<crate::quantity::Price>,
}

/// The purchases that are allowed when a component names none.
pub const DEFAULT_PURCHASES: [Purchase; 2] = [Purchase::OnDemand, Purchase::Reserved];
