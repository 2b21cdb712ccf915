//! Karpenter's scheduling benchmark as a generator, demands like those of a cluster, and greedy baselines.

use std::sync::Arc;

use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::offer::{CloudKind, Offer, OperatingSystem, Purchase};
use cardinal_models::quantity::{Bytes, Cores, Price};
use cardinal_models::resolve::load;
use cardinal_models::snapshot::Snapshot;

/// What a pod asks for beside its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Nothing.
    Plain,
    /// Spread over zones, by label.
    ZoneSpread(u8),
    /// At most one of a label on a node.
    HostSpread(u8),
    /// All of a label in one zone.
    ZoneAffinity(u8),
    /// Never beside another of its kind.
    HostApart,
}

/// A pod: milli-cores, MiB, and what it asks for.
pub type Pod = (u64, u64, Kind);

const CPU: [u64; 5] = [100, 250, 500, 1000, 1500];
const MEMORY: [u64; 6] = [100, 256, 512, 1024, 2048, 4096];
const LABELS: u8 = 7;

/// The pods of the benchmark: a fifth of each kind, the rest plain.
pub fn pods(number: usize, seed: u64) -> Vec<Pod> {
    let mut draw = fastrand::Rng::with_seed(seed);
    let fifth = number / 5;
    let mut pods = Vec::with_capacity(number);
    for i in 0..number {
        let label = draw.u8(0..LABELS);
        let kind = match i / fifth.max(1) {
            1 => Kind::ZoneSpread(label),
            2 => Kind::HostSpread(label),
            3 => Kind::ZoneAffinity(label),
            4 => Kind::HostApart,
            _ => Kind::Plain,
        };
        pods.push((CPU[draw.usize(..CPU.len())], MEMORY[draw.usize(..MEMORY.len())], kind));
    }
    pods
}

/// The 400 types: i + 1 vCPU and 2 (i + 1) GiB, of which 100m and 10 MiB are the system's, in three zones at one price of
/// 0.1 per vCPU and 0.1 per 1e9 bytes.
pub fn types() -> Arc<Catalog> {
    let mut catalog = Catalog::new("USD", "2026-01-01", "generated");
    for i in 0..400u64 {
        let (cpu, bytes) = (i + 1, 2 * (i + 1) * 1024 * Bytes::MIB);
        // 0.1 + 0.2147483648 for each vCPU, rounded once so that prices stay multiples of each other.
        let price = Price::from_nanos(314_748_365).times(cpu);
        catalog.insert(Offer {
            cores: Cores(cpu * 1000 - 100),
            memory: Bytes(bytes - 10 * Bytes::MIB),
            zones: ["zone-1", "zone-2", "zone-3"].map(Arc::from).to_vec().into(),
            price,
            ..plain(&format!("fake-it-{i}"))
        });
    }
    Arc::new(catalog)
}

fn plain(id: &str) -> Offer {
    Offer {
        id: id.into(),
        provider: "fake".into(),
        region: "region".into(),
        zones: Arc::new([]),
        country: "US".into(),
        places: Arc::new([]),
        coordinates: None,
        machine_type: id.into(),
        family: "fake".into(),
        cloud: CloudKind::Public,
        purchase: Purchase::OnDemand,
        cores: Cores(0),
        memory: Bytes(0),
        disk: None,
        gpus: 0,
        architecture: "amd64".into(),
        os: OperatingSystem::Any,
        price: Price::ZERO,
        labels: Arc::default(),
        lifecycle: Default::default(),
        configuration: Default::default(),
    }
}

/// Pods of equal size and kind with their number.
pub fn counted(pods: &[Pod]) -> Vec<(Pod, usize)> {
    let mut sorted = pods.to_vec();
    sorted.sort_unstable();
    let mut counted: Vec<(Pod, usize)> = Vec::new();
    for pod in sorted {
        match counted.last_mut() {
            Some((last, n)) if *last == pod => *n += 1,
            _ => counted.push((pod, 1)),
        }
    }
    counted
}

/// The pods as a model: a component for each size and kind.
pub fn model(pods: &[Pod]) -> String {
    let counted = counted(pods);
    let mut text = String::from("application: pods\ncomponents:\n");
    for (i, ((cpu, memory, kind), n)) in counted.iter().enumerate() {
        let rule = match kind {
            Kind::ZoneSpread(_) => format!(", placement: {{spread: {{by: zone, at_most: {}}}}}", n.div_ceil(3)),
            Kind::HostSpread(_) | Kind::HostApart => ", per_node: 1".to_owned(),
            _ => String::new(),
        };
        text += &format!(
            "  p{i}: {{cardinality: {n}, hosting: shared, requires: {{cores: {}, memory: {memory} MiB}}{rule}}}\n",
            *cpu as f64 / 1000.0
        );
    }
    let of = |kind: Kind| -> Vec<String> {
        (0..counted.len()).filter(|i| counted[*i].0.2 == kind).map(|i| format!("p{i}")).collect()
    };
    let mut rules = String::new();
    for label in 0..LABELS {
        let all = of(Kind::ZoneAffinity(label));
        if !all.is_empty() {
            rules += &format!("  together-{label}: {{together: [{}]}}\n", all.join(", "));
        }
    }
    let apart: Vec<Kind> = (0..LABELS).map(Kind::HostSpread).chain([Kind::HostApart]).collect();
    for (c, kind) in apart.into_iter().enumerate() {
        let all = of(kind);
        for i in 0..all.len().saturating_sub(1) {
            rules += &format!("  apart-{c}-{i}: {{conflict: {}, with: [{}]}}\n", all[i], all[i + 1..].join(", "));
        }
    }
    if !rules.is_empty() {
        text += &format!("structure:\n{rules}");
    }
    text
}

/// The snapshot of a model text over a catalog.
///
/// # Errors
///
/// What is wrong with the model.
pub fn snapshot(text: String, catalog: &Arc<Catalog>) -> Result<Snapshot, String> {
    let application = load(&Source::new("pods", text)).map_err(|d| d.to_string())?.0;
    Ok(Snapshot::new(Arc::new(application), catalog.clone()))
}

/// How a greedy baseline chooses among open nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The first with room.
    First,
    /// The one with the least room left.
    Best,
}

/// Greedy packing, largest pod first, on nodes of one type, each then replaced by the cheapest type that holds what is on
/// it; the best of several types. Zones are left out, which favours it. The price per hour.
pub fn greedy(pods: &[Pod], catalog: &Catalog, fit: Fit) -> f64 {
    let mut types: Vec<(u64, u64, f64)> =
        catalog.offers().iter().map(|o| (o.cores.0, o.memory.0 / Bytes::MIB, o.price.units())).collect();
    types.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut order = pods.to_vec();
    let (cpu, memory) = order.iter().fold((0u64, 0u64), |(c, m), p| (c + p.0, m + p.1));
    let size = |p: &Pod| (p.0 as f64 / cpu.max(1) as f64).max(p.1 as f64 / memory.max(1) as f64);
    order.sort_by(|a, b| size(b).total_cmp(&size(a)).then(b.cmp(a)));
    let mut templates = vec![0usize, 1, 2, 3, 5, 7, 11, 15, 23, 31, 47, 63];
    templates.retain(|t| *t < types.len());
    let price = |template: usize| greedy_on(&order, &types, types[template], fit);
    templates.into_iter().filter_map(price).fold(f64::INFINITY, f64::min)
}

fn greedy_on(order: &[Pod], types: &[(u64, u64, f64)], template: (u64, u64, f64), fit: Fit) -> Option<f64> {
    // Room for CPU and memory, and the classes on the node as bits.
    let mut nodes: Vec<(u64, u64, u16, u64, u64)> = Vec::new();
    let mut first_open = 0;
    for (cpu, memory, kind) in order {
        let class = match kind {
            Kind::HostSpread(label) => 1u16 << label,
            Kind::HostApart => 1 << LABELS,
            _ => 0,
        };
        let has_room = |n: &(u64, u64, u16, u64, u64)| n.0 >= *cpu && n.1 >= *memory && n.2 & class == 0;
        let found = match fit {
            Fit::First => nodes[first_open..].iter().position(has_room).map(|i| i + first_open),
            Fit::Best => (first_open..nodes.len()).filter(|i| has_room(&nodes[*i])).min_by_key(|i| nodes[*i].1),
        };
        let at = match found {
            Some(at) => at,
            None => {
                let holds = |t: &&(u64, u64, f64)| t.0 >= *cpu && t.1 >= *memory;
                let fits = template.0 >= *cpu && template.1 >= *memory;
                let node = if fits { template } else { *types.iter().find(holds)? };
                nodes.push((node.0, node.1, 0, 0, 0));
                nodes.len() - 1
            }
        };
        let node = &mut nodes[at];
        *node = (node.0 - cpu, node.1 - memory, node.2 | class, node.3 + cpu, node.4 + memory);
        while first_open < nodes.len() && (nodes[first_open].0 < CPU[0].min(50) || nodes[first_open].1 < 50) {
            first_open += 1;
        }
    }
    nodes.iter().map(|n| types.iter().find(|t| t.0 >= n.3 && t.1 >= n.4).map(|t| t.2)).sum()
}

/// Demands like those of a cluster: 24 sizes, small ones far more often, memory between 1 and 8 GiB per core.
pub fn cluster_pods(number: usize, seed: u64) -> Vec<Pod> {
    let mut draw = fastrand::Rng::with_seed(seed);
    let cores = [250, 500, 1000, 2000, 4000, 8000];
    let ratios = [1024, 2048, 4096, 8192];
    (0..number)
        .map(|_| {
            // A geometric choice: each size half as often as the one before.
            let size = (0..cores.len() - 1).find(|_| draw.bool()).unwrap_or(cores.len() - 1);
            let ratio = ratios[draw.usize(..ratios.len())];
            (cores[size], cores[size] * ratio / 1000, Kind::Plain)
        })
        .collect()
}

/// The same with every size changed a little, so that all differ.
pub fn distinct_pods(number: usize, seed: u64) -> Vec<Pod> {
    let mut draw = fastrand::Rng::with_seed(seed ^ 0x5eed);
    cluster_pods(number, seed)
        .into_iter()
        .map(|(cpu, memory, kind)| {
            let mut near = |x: u64| x * (900 + draw.u64(..200)) / 1000;
            (near(cpu), near(memory), kind)
        })
        .collect()
}
