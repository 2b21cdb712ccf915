//! Judges whether a placement obeys every rule of its snapshot.
//!
//! Deliberately plain: it counts nodes and instances and evaluates the user's formulas, and shares no code with the
//! encodings of the solver. Each solution passes here before anyone sees it.

mod division;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use crate::admissible::refusal;
use crate::application::{
    Application, Choice, Component, ComponentId, ConstraintKind, FreeAttribute, Quota, Structure,
};
use crate::catalog::OfferIndex;
use crate::document::{Fleet, Hosting, SpreadBy};
use crate::evaluate::Evaluator;
use crate::offer::{Attribute, Offer};
use crate::placement::{NodeGroup, Placement};
use crate::quantity::{Bytes, Cores, Price};
use crate::snapshot::Snapshot;
use crate::worth::worth;

/// A kind of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rule {
    /// The placement names only what exists, each component once on a node, in numbers that can be counted.
    WellFormed,
    /// A component has an allowed number of instances.
    Cardinality,
    /// Each free attribute has one of its values, and each configuration the number of instances that it stands for.
    Choice,
    /// An offer may host each component on its nodes.
    Admissible,
    /// A node of a dedicated component hosts one instance of it and nothing else.
    Dedicated,
    /// A node hosts something.
    NotEmpty,
    /// At most so many instances of a component on one node.
    PerNode,
    /// The instances on a shared node fit on it.
    Capacity,
    /// The components on a shared node can run on one operating system.
    OperatingSystem,
    /// A uniform fleet is on one offer.
    Uniform,
    /// At most so many instances of a component in one place.
    Spread,
    /// Evenly many instances of a component in all places.
    Skew,
    /// Instances of a component in several places or on several kinds of machine.
    Diversify,
    /// Instances of a component on spot offers and on others.
    Purchase,
    /// A zone is one of the offer's.
    Zone,
    /// A rule of `structure`.
    Structure,
    /// A rule of `quotas`.
    Quota,
    /// A formula of `constraints` or `slo`.
    Constraint,
    /// Running instances of a component that may not be moved stay on their offers.
    Moveable,
    /// The objectives have the values that a solution claims.
    Objective,
}

impl Rule {
    /// The word in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::WellFormed => "well-formed",
            Rule::Cardinality => "cardinality",
            Rule::Choice => "choice",
            Rule::Admissible => "requirement",
            Rule::Dedicated => "dedicated hosting",
            Rule::NotEmpty => "empty node",
            Rule::PerNode => "per_node",
            Rule::Capacity => "capacity",
            Rule::OperatingSystem => "operating system",
            Rule::Uniform => "uniform fleet",
            Rule::Spread => "spread",
            Rule::Skew => "skew",
            Rule::Diversify => "diversify",
            Rule::Purchase => "purchase",
            Rule::Zone => "zone",
            Rule::Structure => "structure",
            Rule::Quota => "quota",
            Rule::Constraint => "constraint",
            Rule::Moveable => "moveable",
            Rule::Objective => "objective",
        }
    }
}

/// A rule that a placement breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The kind of rule.
    pub rule: Rule,
    /// The user's name of the rule, constraint, quota or component.
    pub name: String,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`: {}", self.rule.as_str(), self.name, self.message)
    }
}

/// Every rule of the snapshot that the placement breaks; none for an admissible placement.
pub fn verify(snapshot: &Snapshot, placement: &Placement) -> Vec<Violation> {
    let mut check = Check { snapshot, application: &snapshot.application, placement, violations: Vec::new() };
    check.well_formed();
    // What is not well-formed cannot be looked up and counted.
    if check.violations.is_empty() {
        check.nodes();
        check.components();
        check.structure();
        check.quotas();
        check.constraints();
    }
    check.violations
}

/// What is wrong with the value that the first objective is said to have on a placement: it is computed anew from what
/// the model states, with the violation of every soft constraint.
pub fn verify_utility(snapshot: &Snapshot, placement: &Placement, utility: f64) -> Option<Violation> {
    let application = &snapshot.application;
    let wrong = |message| Some(Violation { rule: Rule::Objective, name: application.name.clone(), message });
    let worth = match worth(application, &Evaluator::new(snapshot), placement) {
        Ok(worth) => worth,
        Err(error) => return wrong(format!("an objective has no value: {error}")),
    };
    let first = worth.objectives.first().copied().unwrap_or(f64::NAN);
    // The penalties may cancel out against the rest: what is lost in the difference is relative to them.
    let size = worth.paid.iter().map(|paid| paid.loss.abs()).sum::<f64>() + worth.stated.abs();
    let is_same = (first - utility).abs() <= 1e-9 * size.max(first.abs()) || first == utility;
    if is_same { None } else { wrong(format!("the first objective is {first} and not {utility}")) }
}

struct Check<'a> {
    snapshot: &'a Snapshot,
    application: &'a Application,
    placement: &'a Placement,
    violations: Vec<Violation>,
}

/// How many instances of the component each node of the group hosts.
fn on_node(group: &NodeGroup, component: ComponentId) -> u64 {
    group.instances.iter().filter(|(c, _)| *c == component).map(|(_, n)| u64::from(*n)).sum()
}

fn hosts(group: &NodeGroup, component: ComponentId) -> bool {
    on_node(group, component) > 0
}

impl<'a> Check<'a> {
    fn report(&mut self, rule: Rule, name: &str, message: String) {
        self.violations.push(Violation { rule, name: name.to_owned(), message });
    }

    fn offer(&self, index: OfferIndex) -> &'a Offer {
        &self.snapshot.catalog[index]
    }

    fn component_name(&self, id: ComponentId) -> &'a str {
        self.application.components.get(id.index()).map_or("?", |c| c.name.as_ref())
    }

    /// The groups that have nodes.
    fn groups(&self) -> impl Iterator<Item = &'a NodeGroup> + use<'a> {
        self.placement.groups.iter().filter(|group| group.count > 0)
    }

    /// True when the group's nodes belong to the shared pool.
    fn is_shared(&self, group: &NodeGroup) -> bool {
        group.instances.iter().any(|(c, _)| self.application[*c].hosting == Hosting::Shared)
    }

    fn well_formed(&mut self) {
        let mut nodes: u64 = 0;
        let mut instances: u64 = 0;
        for group in &self.placement.groups {
            if self.snapshot.catalog.offers().get(group.offer.0 as usize).is_none() {
                let message = "nodes are placed on an offer that the catalog does not have".to_owned();
                self.report(Rule::WellFormed, &format!("offer {}", group.offer.0), message);
            }
            for (i, (component, number)) in group.instances.iter().enumerate() {
                let name = self.component_name(*component);
                if component.index() >= self.application.components.len() {
                    let message = "a node hosts a component that the application does not have".to_owned();
                    self.report(Rule::WellFormed, &format!("component {}", component.0), message);
                } else if *number == 0 {
                    self.report(Rule::WellFormed, name, "a node hosts 0 instances of it".to_owned());
                } else if group.instances.iter().take(i).any(|(c, _)| c == component) {
                    self.report(Rule::WellFormed, name, "it is listed twice on one node".to_owned());
                }
                // Saturation keeps the sum above the limit once it is there.
                instances = instances.saturating_add(u64::from(*number).saturating_mul(u64::from(group.count)));
            }
            nodes = nodes.saturating_add(u64::from(group.count));
        }
        self.known_settings();
        // Below these limits no sum of the other checks can overflow.
        if nodes > u64::from(u32::MAX) || instances > u64::from(u32::MAX) {
            let message = format!("there are more than {} nodes or instances", u32::MAX);
            self.report(Rule::WellFormed, &self.application.name, message);
        }
    }

    /// Values are chosen for free attributes only.
    fn known_settings(&mut self) {
        for setting in &self.placement.settings {
            let component = self.application.components.get(setting.component.index());
            let known = component.is_some_and(|component| {
                component.is_free()
                    && (setting.attribute == Attribute::Cardinality
                        || component.attributes().iter().any(|free| free.attribute == setting.attribute))
            });
            if !known {
                let name = self.component_name(setting.component);
                let message = format!("`{}` is not among its free attributes", setting.attribute.name());
                self.report(Rule::WellFormed, name, message);
            }
        }
    }

    /// The rules about single nodes.
    fn nodes(&mut self) {
        for group in self.groups() {
            let offer = self.offer(group.offer);
            if group.instances.is_empty() {
                self.report(Rule::NotEmpty, &offer.id, "a node hosts nothing".to_owned());
            }
            if group.zone.is_some_and(|zone| usize::from(zone) >= offer.zones.len()) {
                let message = format!("the offer has {} zones, and nodes are placed in another", offer.zones.len());
                self.report(Rule::Zone, &offer.id, message);
            }
            self.hosted(group, offer);
            if self.is_shared(group) {
                self.capacity(group, offer);
                self.operating_systems(group, offer);
            }
        }
    }

    /// What each component asks of the node that hosts it.
    fn hosted(&mut self, group: &NodeGroup, offer: &Offer) {
        for (id, number) in &group.instances {
            let component = &self.application[*id];
            if let Some(refusal) = refusal(self.application, component, offer) {
                let message = format!("the offer `{}` may not host it: {refusal}", offer.id);
                self.report(Rule::Admissible, &component.name, message);
            }
            if component.hosting == Hosting::Dedicated && (*number > 1 || group.instances.len() > 1) {
                let message = format!("a node of `{}` hosts more than one instance of it alone", offer.id);
                self.report(Rule::Dedicated, &component.name, message);
            }
            if component.hosting == Hosting::Shared
                && let Some(most) = component.per_node.filter(|most| number > most)
            {
                let message = format!("a node of `{}` hosts {number} instances, allowed are {most}", offer.id);
                self.report(Rule::PerNode, &component.name, message);
            }
        }
    }

    fn capacity(&mut self, group: &NodeGroup, offer: &Offer) {
        let used = |resource: fn(&Component) -> u64| -> u128 {
            let of = |(c, n): &(ComponentId, u32)| u128::from(resource(&self.application[*c])) * u128::from(*n);
            group.instances.iter().map(of).sum()
        };
        let uses = [
            ("cores", used(|c| c.demand.cores.0), Some(offer.cores.0)),
            ("memory", used(|c| c.demand.memory.0), Some(offer.memory.0)),
            ("disk", used(|c| c.demand.disk.0), offer.disk.map(|disk| disk.0)),
            ("gpus", used(|c| u64::from(c.demand.gpus)), Some(u64::from(offer.gpus))),
        ];
        for (resource, used, limit) in uses {
            let Some(limit) = limit else { continue };
            if used <= u128::from(limit) {
                continue;
            }
            let used_shown = u64::try_from(used).unwrap_or(u64::MAX);
            let amount = |n: u64| match resource {
                "cores" => Cores(n).to_string(),
                "gpus" => n.to_string(),
                _ => Bytes(n).to_string(),
            };
            let message =
                format!("its instances use {} of {resource}, the node has {}", amount(used_shown), amount(limit));
            self.report(Rule::Capacity, &offer.id, message);
        }
    }

    fn operating_systems(&mut self, group: &NodeGroup, offer: &Offer) {
        for (i, (a, _)) in group.instances.iter().enumerate() {
            for (b, _) in group.instances.iter().skip(i + 1) {
                let (a, b) = (&self.application[*a], &self.application[*b]);
                let common = a.os.iter().any(|os| b.os.iter().any(|other| os.eq_ignore_ascii_case(other)));
                if !a.os.is_empty() && !b.os.is_empty() && !common {
                    let message =
                        format!("it shares a node of `{}` with `{}`, which needs another system", offer.id, b.name);
                    self.report(Rule::OperatingSystem, &a.name, message);
                }
            }
        }
    }

    /// The rules about all instances of one component.
    fn components(&mut self) {
        for (i, component) in self.application.components.iter().enumerate() {
            let id = ComponentId(i as u32);
            let number = self.placement.cardinality(id);
            if !u32::try_from(number).is_ok_and(|n| component.cardinality.contains(n)) {
                let message = format!("it has {number} instances, allowed are {}", component.cardinality);
                self.report(Rule::Cardinality, &component.name, message);
            }
            match &component.choice {
                Choice::Offers => {}
                Choice::Configurations(_) => self.configuration(id, component, number),
                Choice::Attributes(attributes) => self.settings(id, component, attributes),
            }
            if component.hosting == Hosting::Dedicated && component.fleet == Fleet::Uniform {
                self.uniform(id, component);
            }
            self.spread(id, component);
            self.divisions(id, component);
            if !component.moveable {
                self.stays(id, component);
            }
        }
    }

    /// The instances are as many as their configuration stands for.
    fn configuration(&mut self, id: ComponentId, component: &Component, number: u64) {
        for group in self.groups().filter(|group| hosts(group, id)) {
            let configuration = self.offer(group.offer).configuration.as_deref();
            let Some((name, n)) = configuration.and_then(|c| Some((&c.name, c.cardinality?))) else { continue };
            if u64::from(n) != number {
                let message = format!("the configuration `{name}` stands for {n} instances, there are {number}");
                self.report(Rule::Choice, &component.name, message);
                return;
            }
        }
    }

    /// Every free attribute, and the number of instances, has exactly one value, which is allowed.
    fn settings(&mut self, id: ComponentId, component: &Component, attributes: &[FreeAttribute]) {
        let values = |attribute: &Attribute| -> Vec<f64> {
            let own = self.placement.settings.iter().filter(|s| s.component == id && s.attribute == *attribute);
            own.map(|s| s.value.0).collect()
        };
        let mut wrong = Vec::new();
        for free in attributes {
            let name = free.attribute.name();
            match values(&free.attribute)[..] {
                [] => wrong.push(format!("no value is chosen for `{name}`")),
                [value] if free.domain.contains(value) => {}
                [value] => wrong.push(format!("`{name}` is {value}, allowed are {}", free.domain)),
                _ => wrong.push(format!("`{name}` has more than one value")),
            }
        }
        match values(&Attribute::Cardinality)[..] {
            [n] if n >= 0.0 && n.fract() == 0.0 && n <= f64::from(u32::MAX) => {}
            _ => wrong.push("its number of instances is not one whole number".to_owned()),
        }
        for message in wrong {
            self.report(Rule::Choice, &component.name, message);
        }
    }

    fn uniform(&mut self, id: ComponentId, component: &Component) {
        let mut offers = self.groups().filter(|group| hosts(group, id)).map(|group| group.offer);
        let Some(first) = offers.next() else { return };
        if let Some(other) = offers.find(|offer| *offer != first) {
            let message = format!("its instances are on `{}` and on `{}`", self.offer(first).id, self.offer(other).id);
            self.report(Rule::Uniform, &component.name, message);
        }
    }

    /// Of a component that may not be moved, every offer keeps at least the instances that it has now.
    fn stays(&mut self, id: ComponentId, component: &Component) {
        let Some(current) = &self.snapshot.current else { return };
        let count = |placement: &Placement| {
            let mut counts: BTreeMap<OfferIndex, u128> = BTreeMap::new();
            for group in &placement.groups {
                let number = u128::from(on_node(group, id)) * u128::from(group.count);
                *counts.entry(group.offer).or_default() += number;
            }
            counts
        };
        let wanted = count(self.placement);
        for (offer, now) in count(&current.placement) {
            let then = wanted.get(&offer).copied().unwrap_or(0);
            if then < now {
                let shown = self.snapshot.catalog.offers().get(offer.0 as usize).map_or("?", |o| o.id.as_ref());
                let message = format!("{now} instances run on `{shown}` and may not be moved, {then} remain");
                self.report(Rule::Moveable, &component.name, message);
            }
        }
    }

    fn structure(&mut self) {
        for rule in &self.application.structure {
            if let Some(message) = self.broken(&rule.rule) {
                self.report(Rule::Structure, &rule.name, message);
            }
        }
    }

    /// How the placement breaks a structural rule.
    fn broken(&self, rule: &Structure) -> Option<String> {
        let name = |id: ComponentId| self.component_name(id);
        let number = |id: ComponentId| self.placement.cardinality(id);
        match rule {
            Structure::Conflict { component, with } => {
                let both = |group: &&NodeGroup| hosts(group, *component) && with.iter().any(|c| hosts(group, *c));
                let group = self.groups().find(both)?;
                let other = with.iter().find(|c| hosts(group, **c)).map_or("?", |c| name(*c));
                Some(format!("`{}` and `{other}` share a node of `{}`", name(*component), self.offer(group.offer).id))
            }
            Structure::Colocate(all) => {
                let first = all.first()?;
                let uneven = |group: &&NodeGroup| all.iter().any(|c| on_node(group, *c) != on_node(group, *first));
                let group = self.groups().find(uneven)?;
                let numbers: Vec<String> =
                    all.iter().map(|c| format!("{} of `{}`", on_node(group, *c), name(*c))).collect();
                Some(format!("a node of `{}` hosts {}", self.offer(group.offer).id, numbers.join(", ")))
            }
            Structure::EveryNode { component, unless } => {
                let wrong = |group: &&NodeGroup| {
                    let exceptions = unless.iter().filter(|c| hosts(group, **c)).count();
                    let right = if hosts(group, *component) { exceptions == 0 } else { exceptions == 1 };
                    self.is_shared(group) && !right
                };
                let group = self.groups().find(wrong)?;
                let offer = &self.offer(group.offer).id;
                Some(match unless.iter().filter(|c| hosts(group, **c)).count() {
                    0 => format!("a node of `{offer}` hosts no `{}`", name(*component)),
                    1 => format!("a node of `{offer}` hosts `{}` beside an exception from it", name(*component)),
                    _ => format!("a node of `{offer}` hosts two exceptions from `{}`", name(*component)),
                })
            }
            Structure::Together(all) => {
                let hosting = |group: &&NodeGroup| all.iter().any(|c| hosts(group, *c));
                if self.groups().filter(hosting).map(|group| u64::from(group.count)).sum::<u64>() < 2 {
                    return None;
                }
                let mut places = self.groups().filter(hosting).map(|group| {
                    let offer = self.offer(group.offer);
                    // Nodes of an offer with one zone are in it, told or not.
                    let told = group.zone.or((offer.zones.len() == 1).then_some(0));
                    (told.is_some() || offer.zones.is_empty(), zone_of(told, offer))
                });
                let first = places.next()?;
                let is_untold = |(told, _): &(bool, _)| !told;
                if is_untold(&first) {
                    return Some("nodes do not tell in which zone they are".to_owned());
                }
                places.find(|place| is_untold(place) || place.1 != first.1).map(|(told, (provider, region, zone))| {
                    if !told {
                        return "nodes do not tell in which zone they are".to_owned();
                    }
                    let show = |(a, b, c): (&str, &str, &str)| [a, b, c].join("/");
                    format!("instances are in {} and in {}", show(first.1), show((provider, region, zone)))
                })
            }
            Structure::Total { of, low, high } => {
                let total: u64 = of.iter().map(|c| number(*c)).sum();
                (total < *low || total > *high).then(|| {
                    let names: Vec<String> = of.iter().map(|c| format!("`{}`", name(*c))).collect();
                    let limit = if total < *low { format!("at least {low}") } else { format!("at most {high}") };
                    format!("{} have {total} instances, {limit} are allowed", names.join(", "))
                })
            }
            Structure::Alternatives(all) => {
                let used: Vec<String> =
                    all.iter().filter(|c| number(**c) > 0).map(|c| format!("`{}`", name(*c))).collect();
                (used.len() != 1).then(|| {
                    let used = if used.is_empty() { "none".to_owned() } else { used.join(", ") };
                    format!("exactly one of the alternatives may have instances, but {used} has")
                })
            }
            Structure::Require { provider, count, consumer, per } => {
                let (have, need) = (number(*provider), number(*consumer));
                let enough = u128::from(*per) * u128::from(have) >= u128::from(*count) * u128::from(need);
                (!enough).then(|| {
                    format!(
                        "{need} instances of `{}` need {count} of `{}` for every {per}, there are {have}",
                        name(*consumer),
                        name(*provider)
                    )
                })
            }
        }
    }

    fn quotas(&mut self) {
        for quota in &self.application.quotas {
            self.quota(quota);
        }
    }

    fn quota(&mut self, quota: &Quota) {
        let (mut nodes, mut cores, mut memory, mut cost) = (0u128, 0u128, 0u128, 0u128);
        let (mut gpus, mut instances) = (0u128, 0u128);
        for group in self.groups() {
            let offer = self.offer(group.offer);
            if !quota.matches.iter().all(|requirement| requirement.admits(offer)) {
                continue;
            }
            let count = u128::from(group.count);
            nodes += count;
            cores += count * u128::from(offer.cores.0);
            memory += count * u128::from(offer.memory.0);
            gpus += count * u128::from(offer.gpus);
            instances += count * group.instances.iter().map(|(_, n)| u128::from(*n)).sum::<u128>();
            cost += count * u128::try_from(offer.price.nanos()).unwrap_or(0);
        }
        let short = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        let money = |n: u128| Price::from_nanos(i64::try_from(n).unwrap_or(i64::MAX)).to_string();
        let mut over = |used: u128, limit: Option<u64>, what: &str, show: &dyn Fn(u128) -> String| {
            if let Some(limit) = limit.map(u128::from).filter(|limit| used > *limit) {
                let message = format!("{} {what} are used, allowed are {}", show(used), show(limit));
                self.report(Rule::Quota, &quota.name, message);
            }
        };
        over(nodes, quota.nodes, "nodes", &|n| n.to_string());
        over(cores, quota.cores.map(|c| c.0), "cores", &|n| Cores(short(n)).to_string());
        over(memory, quota.memory.map(|m| m.0), "of memory", &|n| Bytes(short(n)).to_string());
        over(gpus, quota.gpus, "gpus", &|n| n.to_string());
        over(instances, quota.instances, "instances", &|n| n.to_string());
        over(cost, quota.cost.map(|p| u64::try_from(p.nanos()).unwrap_or(0)), "per hour", &money);
    }

    fn constraints(&mut self) {
        let evaluator = Evaluator::new(self.snapshot);
        for constraint in &self.application.constraints {
            // An objective on measured values alone asks for a decision; no placement can answer for it.
            if constraint.kind == ConstraintKind::Slo && !evaluator.depends_on_placement(&constraint.formula) {
                continue;
            }
            match evaluator.bool(&constraint.formula, self.placement) {
                Ok(true) => {}
                Ok(false) => {
                    self.report(Rule::Constraint, &constraint.name, format!("`{}` does not hold", constraint.text));
                }
                Err(error) => {
                    let message = format!("`{}` has no value: {error}", constraint.text);
                    self.report(Rule::Constraint, &constraint.name, message);
                }
            }
        }
    }
}

/// A zone of an offer, with its region.
fn zone_of(zone: Option<u16>, offer: &Offer) -> (&str, &str, &str) {
    let zone = zone.and_then(|zone| offer.zones.get(usize::from(zone)));
    (&offer.provider, &offer.region, zone.map_or("", |zone| zone.as_ref()))
}

/// The place of a kind in which the nodes of a group are. Without a zone they are in the region's one nameless zone.
fn place_of<'o>(group: &NodeGroup, offer: &'o Offer, by: SpreadBy) -> (&'o str, &'o str, &'o str) {
    place_of_node(group.zone, offer, by)
}

fn place_of_node(zone: Option<u16>, offer: &Offer, by: SpreadBy) -> (&str, &str, &str) {
    match by {
        SpreadBy::Zone => zone_of(zone, offer),
        SpreadBy::Region | SpreadBy::Location => (&offer.provider, &offer.region, ""),
        SpreadBy::Country => (&offer.country, "", ""),
        SpreadBy::Provider => (&offer.provider, "", ""),
        SpreadBy::MachineType => (&offer.provider, &offer.machine_type, ""),
        SpreadBy::Family => (&offer.provider, &offer.family, ""),
    }
}

#[cfg(test)]
mod tests;
