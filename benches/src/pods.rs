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
    /// GPUs.
    Gpus(u8),
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
        configuration: None,
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
        let gpus = if let Kind::Gpus(gpus) = kind { format!(", gpus: {gpus}") } else { String::new() };
        text += &format!(
            "  p{i}: {{cardinality: {n}, hosting: shared, requires: {{cores: {}, memory: {memory} MiB{gpus}}}{rule}}}\n",
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

/// CPU, memory and GPUs that a node has left or a pod asks for.
type Room = [u64; 3];

fn asked(pod: &Pod) -> Room {
    [pod.0, pod.1, if let Kind::Gpus(gpus) = pod.2 { u64::from(gpus) } else { 0 }]
}

fn holds(room: &Room, asked: &Room) -> bool {
    room.iter().zip(asked).all(|(room, asked)| room >= asked)
}

/// Greedy packing, largest pod first, on nodes of one type, each then replaced by the cheapest type that holds what is on
/// it; the best of several types. Pods that the type does not hold open nodes of the cheapest that does. Zones are left
/// out, which favours it. The price per hour.
pub fn greedy(pods: &[Pod], catalog: &Catalog, fit: Fit) -> f64 {
    let room = |o: &Offer| [o.cores.0, o.memory.0 / Bytes::MIB, u64::from(o.gpus)];
    let mut types: Vec<(Room, f64)> = catalog.offers().iter().map(|o| (room(o), o.price.units())).collect();
    types.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut order = pods.to_vec();
    let total = order.iter().map(asked).fold([0; 3], |sum, x| [sum[0] + x[0], sum[1] + x[1], sum[2] + x[2]]);
    let size = |p: &Pod| (0..3).map(|r| asked(p)[r] as f64 / total[r].max(1) as f64).fold(0.0, f64::max);
    order.sort_by(|a, b| size(b).total_cmp(&size(a)).then(b.cmp(a)));
    let mut templates = vec![0usize, 1, 2, 3, 5, 7, 11, 15, 23, 31, 47, 63];
    templates.retain(|t| *t < types.len());
    let price = |template: usize| greedy_on(&order, &types, types[template].0, fit);
    templates.into_iter().filter_map(price).fold(f64::INFINITY, f64::min)
}

fn greedy_on(order: &[Pod], types: &[(Room, f64)], template: Room, fit: Fit) -> Option<f64> {
    // What is left, what is used, and the classes on the node as bits.
    let mut nodes: Vec<(Room, Room, u16)> = Vec::new();
    let mut first_open = 0;
    for pod in order {
        let asked = asked(pod);
        let class = match pod.2 {
            Kind::HostSpread(label) => 1u16 << label,
            Kind::HostApart => 1 << LABELS,
            _ => 0,
        };
        let has_room = |n: &(Room, Room, u16)| holds(&n.0, &asked) && n.2 & class == 0;
        let found = match fit {
            Fit::First => nodes[first_open..].iter().position(has_room).map(|i| i + first_open),
            Fit::Best => (first_open..nodes.len()).filter(|i| has_room(&nodes[*i])).min_by_key(|i| nodes[*i].0[1]),
        };
        let at = match found {
            Some(at) => at,
            None => {
                let fits = holds(&template, &asked);
                let room = if fits { template } else { types.iter().find(|t| holds(&t.0, &asked))?.0 };
                nodes.push((room, [0; 3], 0));
                nodes.len() - 1
            }
        };
        let (left, used, classes) = &mut nodes[at];
        for r in 0..asked.len() {
            left[r] -= asked[r];
            used[r] += asked[r];
        }
        *classes |= class;
        while first_open < nodes.len() && (nodes[first_open].0[0] < CPU[0].min(50) || nodes[first_open].0[1] < 50) {
            first_open += 1;
        }
    }
    nodes.iter().map(|n| types.iter().find(|t| holds(&t.0, &n.1)).map(|t| t.1)).sum()
}

/// Demands of a cluster that trains and serves models: most without GPUs as in [`cluster_pods`], an eighth with one to
/// eight of them, 1 to 12 cores and 4 to 40 GiB for each.
pub fn gpu_pods(number: usize, seed: u64) -> Vec<Pod> {
    let mut draw = fastrand::Rng::with_seed(seed ^ 0x69b5);
    let mut pods = cluster_pods(number - number / 8, seed);
    pods.extend((0..number / 8).map(|_| {
        let gpus = [1u64, 1, 1, 1, 2, 2, 4, 8][draw.usize(..8)];
        let (cores, gib) = ([1, 2, 4, 8, 12][draw.usize(..5)], [4, 12, 24, 40][draw.usize(..4)]);
        (gpus * cores * 1000, gpus * gib * 1024, Kind::Gpus(gpus as u8))
    }));
    pods
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
