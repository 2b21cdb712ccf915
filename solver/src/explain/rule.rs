//! The rules of a user that can be taken out of a model one by one, each with its name, its words and its place.

use std::sync::Arc;

use cardinal_models::application::{
    Application, Cardinality, Component, ComponentId, ConstraintKind, Quota, Requirement, Structure, Subject, Test,
};
use cardinal_models::document::{Hosting, SpreadBy};
use cardinal_models::formula::expr::Expr;
use cardinal_models::quantity::{Bytes, Cores};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::span::Span;

use super::division;

/// A resource of which an instance on a shared node uses some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// vCPU.
    Cores,
    /// Memory.
    Memory,
    /// Local disk.
    Disk,
    /// GPUs.
    Gpus,
}

/// A rule of the user that can be taken out of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserRule {
    /// An index into the application's constraints.
    Constraint(usize),
    /// An index into its quotas.
    Quota(usize),
    /// An index into its structural rules.
    Structure(usize),
    /// All spread rules of a component.
    Spread(ComponentId),
    /// An index into the rules on how a component's instances are divided.
    Division(ComponentId, usize),
    /// The largest number of instances of a component.
    AtMost(ComponentId),
    /// The smallest number of instances of a component, where that is more than one.
    AtLeast(ComponentId),
    /// The largest number of instances of a shared component on one node.
    PerNode(ComponentId),
    /// A component's running instances stay where they are.
    Moveable(ComponentId),
    /// What an instance of a shared component uses of its node.
    Demand(ComponentId, Resource),
    /// An index into the requirements of a component.
    Requirement(ComponentId, usize),
    /// An index into the application's filter on offers.
    OfferFilter(usize),
}

/// The cardinality that stands for "any number": the table of a component must stay small enough to be solved.
const ROOMY: u32 = 100;
/// So many combinations of offer and cardinality a component may get by that.
const ROOMY_ROWS: usize = 400_000;

impl UserRule {
    /// Every rule of an application, those that people think of first before what is required of machines.
    pub fn all(application: &Application) -> Vec<UserRule> {
        let mut all: Vec<UserRule> = UserRule::of_the_whole(application);
        let ids = || (0..application.components.len()).map(|i| ComponentId(i as u32));
        for id in ids() {
            let component = &application[id];
            // More than one value in between has no single end to move.
            if component.cardinality.max() < Cardinality::LIMIT {
                all.push(UserRule::AtMost(id));
            }
            all.extend((component.cardinality.min() > 1).then_some(UserRule::AtLeast(id)));
            all.extend(component.per_node.map(|_| UserRule::PerNode(id)));
            all.extend((!component.moveable).then_some(UserRule::Moveable(id)));
        }
        for id in ids() {
            let component = &application[id];
            let used = component.demand;
            let demands = [
                (Resource::Cores, used.cores.0),
                (Resource::Memory, used.memory.0),
                (Resource::Disk, used.disk.0),
                (Resource::Gpus, u64::from(used.gpus)),
            ];
            all.extend(demands.iter().filter(|(_, n)| *n > 0).map(|(r, _)| UserRule::Demand(id, *r)));
            all.extend((0..component.requirements.len()).map(|i| UserRule::Requirement(id, i)));
        }
        all.extend((0..application.offers.len()).map(UserRule::OfferFilter));
        all
    }

    /// The rules about the deployment as a whole: constraints, quotas, structure, and how instances
    /// are spread and divided.
    pub fn of_the_whole(application: &Application) -> Vec<UserRule> {
        let constraints = (0..application.constraints.len()).map(UserRule::Constraint);
        let quotas = (0..application.quotas.len()).map(UserRule::Quota);
        let structure = (0..application.structure.len()).map(UserRule::Structure);
        let spread = application.components.iter().enumerate().filter(|(_, c)| !c.spread.is_empty());
        let spread = spread.map(|(i, _)| UserRule::Spread(ComponentId(i as u32)));
        let divisions = application
            .components
            .iter()
            .enumerate()
            .flat_map(|(i, c)| (0..c.divisions.len()).map(move |k| UserRule::Division(ComponentId(i as u32), k)));
        constraints.chain(quotas).chain(structure).chain(spread).chain(divisions).collect()
    }

    /// What kind of rule it is, as a word for answers.
    pub fn kind(self, application: &Application) -> &'static str {
        match self {
            UserRule::Constraint(i) => match application.constraints[i].kind {
                ConstraintKind::Constraint => "constraint",
                ConstraintKind::Slo => "slo",
            },
            UserRule::Quota(_) => "quota",
            UserRule::Structure(_) => "structure",
            UserRule::Spread(_) => "spread",
            UserRule::Division(c, i) => match application[c].divisions[i].rule.key() {
                "on_demand" => "on-demand",
                key => key,
            },
            UserRule::AtMost(_) | UserRule::AtLeast(_) => "cardinality",
            UserRule::PerNode(_) => "per-node",
            UserRule::Moveable(_) => "moveable",
            UserRule::Demand(..) | UserRule::Requirement(..) => "requirement",
            UserRule::OfferFilter(_) => "catalog",
        }
    }

    /// The user's name for the rule.
    pub fn name(self, application: &Application) -> String {
        match self {
            UserRule::Constraint(i) => application.constraints[i].name.to_string(),
            UserRule::Structure(i) => application.structure[i].name.to_string(),
            UserRule::Quota(i) => application.quotas[i].name.to_string(),
            UserRule::Spread(c) => format!("spread of {}", application[c].name),
            UserRule::Division(c, i) => {
                format!("{} of {}", application[c].divisions[i].rule.key(), application[c].name)
            }
            UserRule::AtMost(c) | UserRule::AtLeast(c) => format!("cardinality of {}", application[c].name),
            UserRule::PerNode(c) => format!("per_node of {}", application[c].name),
            UserRule::Moveable(c) => format!("moveable of {}", application[c].name),
            UserRule::Demand(c, _) | UserRule::Requirement(c, _) => format!("requirement of {}", application[c].name),
            UserRule::OfferFilter(_) => "catalog".to_owned(),
        }
    }

    /// The component that the rule is about, when it is about one.
    pub fn component(self) -> Option<ComponentId> {
        match self {
            UserRule::Spread(c)
            | UserRule::Division(c, _)
            | UserRule::AtMost(c)
            | UserRule::AtLeast(c)
            | UserRule::PerNode(c)
            | UserRule::Moveable(c)
            | UserRule::Demand(c, _)
            | UserRule::Requirement(c, _) => Some(c),
            UserRule::Constraint(_) | UserRule::Quota(_) | UserRule::Structure(_) | UserRule::OfferFilter(_) => None,
        }
    }

    /// Where the rule stands in the model.
    pub fn span(self, application: &Application) -> Span {
        match self {
            UserRule::Constraint(i) => application.constraints[i].span,
            UserRule::Structure(i) => application.structure[i].span,
            UserRule::Quota(i) => application.quotas[i].span,
            UserRule::Requirement(c, i) => application[c].requirements[i].span,
            UserRule::OfferFilter(i) => application.offers[i].span,
            UserRule::Division(c, i) => application[c].divisions[i].span,
            UserRule::Spread(c)
            | UserRule::AtMost(c)
            | UserRule::AtLeast(c)
            | UserRule::PerNode(c)
            | UserRule::Moveable(c)
            | UserRule::Demand(c, _) => application[c].span,
        }
    }

    /// What the rule says.
    pub fn text(self, application: &Application) -> String {
        match self {
            UserRule::Constraint(i) => application.constraints[i].text.clone(),
            UserRule::Structure(i) => structure(application, &application.structure[i].rule),
            UserRule::Quota(i) => quota(&application.quotas[i]),
            UserRule::Spread(c) => {
                let limits = &application[c].spread;
                let limits = limits.iter().map(|s| format!("at most {} in one {}", s.at_most, place(s.by)));
                limits.collect::<Vec<_>>().join(", ")
            }
            UserRule::Division(c, i) => division::words(&application[c].divisions[i].rule),
            UserRule::AtMost(c) => format!("at most {}", instances(application[c].cardinality.max())),
            UserRule::AtLeast(c) => format!("at least {}", instances(application[c].cardinality.min())),
            UserRule::PerNode(c) => format!("at most {} on one node", application[c].per_node.unwrap_or(0)),
            UserRule::Moveable(_) => "running instances stay where they are".to_owned(),
            UserRule::Demand(c, resource) => {
                let used = application[c].demand;
                match resource {
                    Resource::Cores => format!("{} cores for each instance", used.cores),
                    Resource::Memory => format!("{} of memory for each instance", used.memory),
                    Resource::Disk => format!("{} of disk for each instance", used.disk),
                    Resource::Gpus => format!("{} GPUs for each instance", used.gpus),
                }
            }
            UserRule::Requirement(c, i) => application[c].requirements[i].text.clone(),
            UserRule::OfferFilter(i) => application.offers[i].text.clone(),
        }
    }
}

fn instances(n: u32) -> String {
    if n == 1 { "1 instance".to_owned() } else { format!("{n} instances") }
}

/// The snapshot without some of the rules of its model. A component without its largest number of instances may have
/// many more than it had, though not any number; one without its smallest still has one.
///
/// Rules are emptied, not removed, so that the indices of the others stay what they are.
pub fn without(snapshot: &Snapshot, rules: &[UserRule]) -> Snapshot {
    let mut application = Application::clone(&snapshot.application);
    for rule in rules {
        empty(&mut application, *rule, snapshot.catalog.len());
    }
    Snapshot { application: Arc::new(application), ..snapshot.clone() }
}

fn empty(application: &mut Application, rule: UserRule, offers: usize) {
    // A requirement that every offer satisfies, and that is none on how it is bought.
    let anything = |requirement: &mut Requirement| {
        requirement.subject = Subject::OfferId;
        requirement.test = Test::NotText(Vec::new());
    };
    match rule {
        UserRule::Constraint(i) => application.constraints[i].formula = Expr::bool(true),
        UserRule::Quota(i) => {
            let quota = &mut application.quotas[i];
            (quota.nodes, quota.cores, quota.memory) = (None, None, None);
            (quota.gpus, quota.instances, quota.cost) = (None, None, None);
        }
        UserRule::Structure(i) => {
            application.structure[i].rule = Structure::Total { of: Vec::new(), low: 0, high: u64::MAX };
        }
        UserRule::OfferFilter(i) => anything(&mut application.offers[i]),
        UserRule::Spread(c) => application.components[c.index()].spread.clear(),
        UserRule::Division(c, i) => {
            let division = &mut application.components[c.index()].divisions[i];
            division.rule = division.rule.emptied();
        }
        UserRule::AtLeast(c) | UserRule::AtMost(c) => {
            let component = &mut application.components[c.index()];
            component.cardinality = widened(component, offers, matches!(rule, UserRule::AtLeast(_)));
        }
        UserRule::PerNode(c) => application.components[c.index()].per_node = None,
        UserRule::Moveable(c) => application.components[c.index()].moveable = true,
        UserRule::Demand(c, resource) => {
            let demand = &mut application.components[c.index()].demand;
            match resource {
                Resource::Cores => demand.cores = Cores(0),
                Resource::Memory => demand.memory = Bytes(0),
                Resource::Disk => demand.disk = Bytes(0),
                Resource::Gpus => demand.gpus = 0,
            }
        }
        UserRule::Requirement(c, i) => {
            let component = &mut application.components[c.index()];
            if component.requirements[i].subject == Subject::OperatingSystem {
                component.os.clear();
            }
            anything(&mut component.requirements[i]);
        }
    }
}

/// The numbers of instances without their lower or their upper end.
fn widened(component: &Component, offers: usize, lower: bool) -> Cardinality {
    let allowed = &component.cardinality;
    let mut ranges: Vec<(u32, u32)> = allowed.ranges().to_vec();
    if lower {
        ranges.push((1, allowed.min()));
        return Cardinality::new(ranges);
    }
    let rows = u32::try_from(ROOMY_ROWS / offers.max(1)).unwrap_or(u32::MAX);
    // Shared instances are listed in patterns, whose number grows much faster than that of rows.
    let most = match component.hosting {
        Hosting::Dedicated => ROOMY.max(allowed.max().saturating_mul(10)).min(rows),
        Hosting::Shared => allowed.max().saturating_mul(2).saturating_add(2),
    };
    ranges.push((allowed.max(), most.max(allowed.max().saturating_add(1)).min(Cardinality::LIMIT)));
    Cardinality::new(ranges)
}

/// The word for a kind of place.
pub fn place(by: SpreadBy) -> &'static str {
    match by {
        SpreadBy::Zone => "zone",
        SpreadBy::Region | SpreadBy::Location => "region",
        SpreadBy::Country => "country",
        SpreadBy::Provider => "provider",
        SpreadBy::Family => "family",
        SpreadBy::MachineType => "machine type",
    }
}

fn structure(application: &Application, rule: &Structure) -> String {
    let name = |id: &ComponentId| application[*id].name.clone();
    let names = |ids: &[ComponentId]| ids.iter().map(|id| name(id).to_string()).collect::<Vec<String>>().join(", ");
    match rule {
        Structure::Conflict { component, with } => format!("{} on no node with {}", name(component), names(with)),
        Structure::Colocate(ids) => format!("equally many of {} on every node", names(ids)),
        Structure::EveryNode { component, unless } if unless.is_empty() => format!("{} on every node", name(component)),
        Structure::EveryNode { component, unless } => {
            format!("{} on every node without {}", name(component), names(unless))
        }
        Structure::Together(ids) => format!("all of {} in one zone", names(ids)),
        Structure::Total { of, low, high } => match (*low, *high) {
            (low, high) if low == high => format!("exactly {low} of {}", names(of)),
            (0, high) => format!("at most {high} of {}", names(of)),
            (low, u64::MAX) => format!("at least {low} of {}", names(of)),
            (low, high) => format!("{low} to {high} of {}", names(of)),
        },
        Structure::Alternatives(ids) => format!("exactly one of {}", names(ids)),
        Structure::Require { provider, count, consumer, per } => {
            format!("{count} of {} per {per} of {}", name(provider), name(consumer))
        }
    }
}

fn quota(quota: &Quota) -> String {
    let mut limits = Vec::new();
    limits.extend(quota.nodes.map(|n| if n == 1 { "1 node".to_owned() } else { format!("{n} nodes") }));
    limits.extend(quota.cores.map(|n| format!("{n} cores")));
    limits.extend(quota.memory.map(|n| format!("{n} of memory")));
    limits.extend(quota.gpus.map(|n| format!("{n} GPUs")));
    limits.extend(quota.instances.map(|n| format!("{n} instances")));
    limits.extend(quota.cost.map(|n| format!("{n} an hour")));
    let which: Vec<&str> = quota.matches.iter().map(|r| r.text.as_str()).collect();
    let of = if which.is_empty() { String::new() } else { format!(" where {}", which.join(", ")) };
    format!("at most {}{of}", limits.join(", "))
}
