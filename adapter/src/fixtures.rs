//! Small deployments for the unit tests of this crate.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use cardinal_models::offer::Purchase;
use cardinal_models::quantity::{Bytes, Cores, Price};

use crate::deployment::{
    InstanceId, Node, NodeId, NodePhase, OfferSnapshot, RunningDeployment, WantedDeployment, WantedNode,
};

/// An offer with this id, 2 cores and 4 GiB in Germany.
pub(crate) fn offer(id: &str, price: f64) -> OfferSnapshot {
    OfferSnapshot {
        id: id.to_owned(),
        provider: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        zone: None,
        country: "DE".to_owned(),
        machine_type: id.to_owned(),
        purchase: Purchase::OnDemand,
        cores: Cores(2000),
        memory: Bytes(4096 * Bytes::MIB),
        price: Price::from_units(price).unwrap(),
    }
}

/// A ready node; instance names derive from the node's.
pub(crate) fn node(id: &str, offer: &OfferSnapshot, instances: &[(&str, u32)]) -> Node {
    let named = |component: &str, n: u32| (0..n).map(|i| InstanceId(format!("{component}-{id}-{i}"))).collect();
    Node {
        id: NodeId(id.to_owned()),
        offer: offer.clone(),
        instances: instances.iter().map(|(c, n)| ((*c).to_owned(), named(c, *n))).collect(),
        phase: NodePhase::Ready,
        generation: 1,
    }
}

/// A deployment of these nodes, of generation 1.
pub(crate) fn running(nodes: Vec<Node>) -> RunningDeployment {
    let nodes = nodes.into_iter().map(|n| (n.id.clone(), n)).collect();
    RunningDeployment { generation: 1, nodes, parameters: BTreeMap::new() }
}

/// One wanted node.
pub(crate) fn want(offer: &OfferSnapshot, instances: &[(&str, u32)]) -> WantedNode {
    let instances = instances.iter().map(|(c, n)| ((*c).to_owned(), *n)).collect();
    WantedNode { offer: offer.clone(), instances }
}

/// What is wanted, without configuration.
pub(crate) fn wanted(nodes: Vec<WantedNode>) -> WantedDeployment {
    WantedDeployment { nodes, parameters: BTreeMap::new() }
}

/// So many random cases, the same in every run; `CARDINAL_CASES` sets how many, `CARDINAL_SEED` which.
#[allow(clippy::disallowed_methods, reason = "the settings of a test run")]
pub(crate) fn random_cases(cases: u32) -> proptest::test_runner::Config {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    proptest::test_runner::Config {
        cases: setting("CARDINAL_CASES").and_then(|n| u32::try_from(n).ok()).unwrap_or(cases),
        rng_seed: proptest::test_runner::RngSeed::Fixed(setting("CARDINAL_SEED").unwrap_or(1)),
        max_global_rejects: 100_000,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
