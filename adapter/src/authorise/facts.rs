//! What a policy may ask about a plan, as plain values: where it leads, how much it changes, when, why and for whom.

use std::collections::BTreeSet;

use cardinal_models::quantity::{Bytes, Cores, Price};
use serde::{Deserialize, Serialize};

use super::clock::{LocalTime, Zone};
use crate::deployment::{Node, NodePhase};
use crate::diff::Money;
use crate::plan::Plan;
use crate::time::UnixMs;

/// What is done with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It begins without anybody's approval.
    Apply,
    /// A person approves it, and it begins.
    Approve,
    /// It takes everything down, because a person removes the application.
    Undeploy,
    /// It is put before a person or only recorded, and nothing begins.
    Propose,
}

impl Deed {
    /// The word in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Deed::Apply => "apply",
            Deed::Approve => "approve",
            Deed::Undeploy => "undeploy",
            Deed::Propose => "propose",
        }
    }
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asker {
    /// Nobody: the loop itself.
    #[default]
    Loop,
    /// A person.
    Person {
        /// The name.
        name: String,
        /// The scope of the token that was used; `None` when it is not known.
        scope: Option<String>,
    },
}

/// Why there is a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grounds {
    /// What asked for the decision, and what the gate says of the change; the schema lists the words.
    pub causes: BTreeSet<String>,
    /// The constraints and SLOs that are broken and that the plan mends.
    pub repairs: BTreeSet<String>,
}

/// The occasion on which a plan is judged: what the plan itself does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occasion {
    /// When.
    pub at: UnixMs,
    /// Who asked.
    pub asker: Asker,
    /// What is to be done.
    pub deed: Deed,
    /// What may happen without a person: the word of the setting.
    pub mode: String,
    /// Why.
    pub grounds: Grounds,
}

/// Everything that a policy may ask about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The application.
    pub application: String,
    /// Who asked.
    pub asker: Asker,
    /// What is to be done.
    pub deed: Deed,
    /// What runs, without lost nodes.
    pub before: Nodes,
    /// What will run.
    pub after: Nodes,
    /// Of what will run, the nodes that are bought.
    pub created: Nodes,
    /// How much changes.
    pub change: Change,
    /// When; `None` when the moment has no date.
    pub time: Option<LocalTime>,
    /// What may happen without a person.
    pub mode: String,
    /// Why.
    pub grounds: Grounds,
}

/// Some nodes and what is on them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Nodes {
    /// The providers.
    pub providers: BTreeSet<String>,
    /// The regions, as their providers write them; empty for an offer that names none.
    pub regions: BTreeSet<String>,
    /// The ISO 3166 alpha-2 codes of the countries; empty for one that is not known.
    pub countries: BTreeSet<String>,
    /// The machine types.
    pub machine_types: BTreeSet<String>,
    /// How they are bought.
    pub purchases: BTreeSet<String>,
    /// The components that have an instance there.
    pub components: BTreeSet<String>,
    /// How many nodes.
    pub nodes: u64,
    /// How many instances.
    pub instances: u64,
    /// vCPU, in thousandths.
    pub cores: Cores,
    /// Memory.
    pub memory: Bytes,
    /// Price per hour, in 1e-9 of the currency unit.
    pub cost: Money,
}

/// How much a plan changes. Differences are after less before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Nodes bought.
    pub nodes_created: u64,
    /// Nodes given back, lost ones not counted.
    pub nodes_deleted: u64,
    /// Of these, nodes whose place another one takes.
    pub nodes_replaced: u64,
    /// Lost nodes that are cleared away.
    pub nodes_lost: u64,
    /// Instances that are started.
    pub instances_started: u64,
    /// Running instances that are stopped.
    pub instances_stopped: u64,
    /// What is paid while nodes start and drain and do not serve.
    pub double_running: Money,
}

impl Facts {
    /// The facts of a plan on an occasion, with the time in this zone.
    pub fn of(plan: &Plan, occasion: &Occasion, zone: &Zone) -> Self {
        let content = plan.content();
        let (before, after) = (&content.before.nodes, &content.target.nodes);
        let lost = before.values().filter(|n| n.phase == NodePhase::Lost).count() as u64;
        let summary = &content.summary;
        Facts {
            application: content.application.clone(),
            asker: occasion.asker.clone(),
            deed: occasion.deed,
            before: Nodes::of(before.values().filter(|n| n.phase != NodePhase::Lost)),
            after: Nodes::of(after.values()),
            created: Nodes::of(after.values().filter(|n| !before.contains_key(&n.id))),
            change: Change {
                nodes_created: summary.nodes_created,
                nodes_deleted: summary.nodes_deleted,
                nodes_replaced: summary.replaced.len() as u64,
                nodes_lost: lost,
                instances_started: summary.instances_started,
                instances_stopped: summary.instances_stopped,
                double_running: Money(summary.double_running_nanos),
            },
            time: zone.local(occasion.at),
            mode: occasion.mode.clone(),
            grounds: occasion.grounds.clone(),
        }
    }
}

impl Nodes {
    fn of<'a>(all: impl Iterator<Item = &'a Node>) -> Self {
        let mut facts = Nodes::default();
        for node in all {
            let offer = &node.offer;
            for (set, value) in [
                (&mut facts.providers, offer.provider.as_str()),
                (&mut facts.regions, &offer.region),
                (&mut facts.countries, &offer.country),
                (&mut facts.machine_types, &offer.machine_type),
                (&mut facts.purchases, offer.purchase.as_str()),
            ] {
                if !set.contains(value) {
                    set.insert(value.to_owned());
                }
            }
            let hosted = node.instances.iter().filter(|(_, all)| !all.is_empty());
            facts.components.extend(hosted.map(|(component, _)| component.clone()));
            facts.nodes += 1;
            facts.instances += node.instance_count();
            facts.cores = Cores(facts.cores.0.saturating_add(offer.cores.0));
            facts.memory = Bytes(facts.memory.0.saturating_add(offer.memory.0));
            facts.cost = facts.cost + money(offer.price);
        }
        facts
    }
}

fn money(price: Price) -> Money {
    Money(price.nanos())
}
