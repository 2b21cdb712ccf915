//! A model with the offers, metric values and running deployment that it is solved with, in a form that can be shown
//! and changed.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use cardinal_models::application::Application;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::network::{Network, Route};
use cardinal_models::offer::{CloudKind, Offer, OperatingSystem, Purchase};
use cardinal_models::placement::{CurrentDeployment, Placement, Replica, Setting};
use cardinal_models::quantity::{Bytes, Cores, Price};
use cardinal_models::resolve::load;
use cardinal_models::snapshot::Snapshot;

/// Everything that a snapshot is made of.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The model as YAML.
    pub model: String,
    /// The offers, in the order of the catalog.
    pub offers: Vec<Offer>,
    /// What is known of the network.
    pub network: Vec<Route>,
    /// Values of metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// What runs now, over the offers in their order.
    pub current: Option<Placement>,
}

impl World {
    /// The resolved model.
    ///
    /// # Panics
    ///
    /// When the model is not a valid one: a fault of the generator, not of what is tested.
    pub fn application(&self) -> Application {
        match load(&Source::new("generated", self.model.clone())) {
            Ok((application, _, _)) => application,
            Err(findings) => panic!("the generated model is wrong: {findings}\n{}", self.model),
        }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_of(self.application())
    }

    /// The snapshot with another application of the same components and metrics.
    pub fn snapshot_of(&self, application: Application) -> Snapshot {
        let mut catalog = Catalog::new("USD", "2026-01-01", "generated");
        for offer in &self.offers {
            assert!(catalog.insert(offer.clone()).is_none(), "the ids of offers are unique");
        }
        catalog.network = Network { routes: self.network.clone() };
        let mut snapshot = Snapshot::new(Arc::new(application), Arc::new(catalog));
        for (name, value) in &self.metrics {
            if let Some(id) = snapshot.application.metric(name) {
                snapshot.metrics[id.index()] = Some(*value);
            }
        }
        snapshot.current = self.current.clone().map(|placement| CurrentDeployment { placement, vanished: Vec::new() });
        snapshot
    }
}

/// An on-demand offer of `aws` in the region `eu` of Germany, without zones, labels and a told disk.
pub fn plain_offer(id: &str, cores: u64, memory_gib: u64, price: f64) -> Offer {
    Offer {
        id: id.into(),
        provider: "aws".into(),
        region: "eu".into(),
        zones: Arc::new([]),
        country: "DE".into(),
        places: Arc::new([]),
        coordinates: None,
        machine_type: id.into(),
        family: id.into(),
        cloud: CloudKind::Public,
        purchase: Purchase::OnDemand,
        cores: Cores(cores * 1000),
        memory: Bytes(memory_gib * 1024 * Bytes::MIB),
        disk: None,
        gpus: 0,
        architecture: "amd64".into(),
        os: OperatingSystem::Any,
        price: Price::from_units(price).unwrap_or(Price::ZERO),
        lifecycle: Default::default(),
        labels: Arc::default(),
        configuration: None,
    }
}

/// A placement for people.
pub fn shown(snapshot: &Snapshot, placement: &Placement) -> String {
    let node = |g: &cardinal_models::placement::NodeGroup| {
        let offer = &snapshot.catalog[g.offer];
        let zone = g.zone.and_then(|z| offer.zones.get(usize::from(z))).map_or(String::new(), |z| format!("@{z}"));
        let hosts: Vec<String> =
            g.instances.iter().map(|(c, n)| format!("{n} {}", snapshot.application[*c].name)).collect();
        format!("{} x {}{zone} [{}]", g.count, offer.id, hosts.join(", "))
    };
    let nodes: Vec<String> = placement.groups.iter().map(node).collect();
    let setting =
        |s: &Setting| format!("{}.{} = {}", snapshot.application[s.component].name, s.attribute.name(), s.value.0);
    let replica = |r: &Replica| format!("{} in {}", snapshot.application.data[r.data.index()].name, r.place);
    let others = placement.settings.iter().map(setting).chain(placement.replicas.iter().map(replica));
    let nodes: Vec<String> = nodes.into_iter().chain(others).collect();
    if nodes.is_empty() { "nothing".to_owned() } else { nodes.join("; ") }
}

impl Display for World {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.model)?;
        for o in &self.offers {
            let labels: Vec<String> = o.labels.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
            writeln!(
                f,
                "# {}: {} {} zones {:?} {} {} {} cores, {} mem, disk {:?}, gpus {}, os {:?}, {} at {:?} {} {}",
                o.id,
                o.provider,
                o.region,
                o.zones,
                o.country,
                o.machine_type,
                o.cores,
                o.memory,
                o.disk.map(|d| d.to_string()),
                o.gpus,
                o.os,
                o.price,
                o.coordinates,
                o.purchase.as_str(),
                labels.join(" ")
            )?;
        }
        for r in &self.network {
            writeln!(f, "# {} -> {}: {:?} ms, {:?} per GB", r.from, r.to, r.latency_ms, r.egress_per_gb)?;
        }
        for (name, value) in &self.metrics {
            writeln!(f, "# {name} = {value}")?;
        }
        if let Some(current) = &self.current {
            writeln!(f, "# runs: {}", shown(&self.snapshot(), current))?;
        }
        Ok(())
    }
}
