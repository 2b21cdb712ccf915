//! Random small models with links and data sources.

use cardinal_models::application::{DataId, Home};
use cardinal_models::network::Route;
use cardinal_models::offer::Offer;
use cardinal_models::placement::{Placement, Replica};
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;

use crate::draw::Draw;
use crate::world::{World, plain_offer};

/// How a component is on nodes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Uniform,
    Mixed,
    Shared,
}

/// Which kinds of component a world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// Only uniform ones, and formulas that mix them.
    Uniform,
    /// Mixed fleets and shared nodes too.
    Any,
}

const PLACES: [(&str, &str, &str, (f64, f64)); 5] = [
    ("aws", "r0", "DE", (50.0, 8.0)),
    ("aws", "r1", "FR", (48.0, 2.0)),
    ("gcp", "r2", "US", (40.0, -80.0)),
    ("gcp", "r0", "US", (41.0, -90.0)),
    ("own", "site", "DE", (52.0, 10.0)),
];

fn offer(draw: &mut Draw, places: usize, number: usize) -> Offer {
    let (provider, region, country, at) = PLACES[draw.number(0, places as u32 - 1) as usize];
    let price = draw.pick(&[0.05, 0.1, 0.1, 0.2, 0.31]);
    let cores = draw.pick(&[1, 2, 2, 4]);
    let plain = plain_offer(&format!("o{}-{number}", draw.number(0, 9)), cores, cores * 2, price);
    Offer {
        provider: provider.into(),
        region: region.into(),
        country: country.into(),
        // The coordinates of the last place are nowhere told.
        coordinates: (provider != "own").then_some(at),
        ..plain
    }
}

fn network(draw: &mut Draw) -> Vec<Route> {
    let names = ["*", "*", "aws", "gcp", "own", "EU", "DE", "aws/r0", "gcp/r2", "r0"];
    let mut routes: Vec<Route> = Vec::new();
    if draw.chance(85) {
        let egress_per_gb = Some(draw.pick(&[0.0, 0.01, 0.05]));
        routes.push(Route { from: "*".into(), to: "*".into(), latency_ms: None, egress_per_gb });
    }
    for _ in 0..draw.number(0, 5) {
        routes.push(Route {
            from: draw.pick(&names).into(),
            to: draw.pick(&names).into(),
            latency_ms: draw.chance(50).then(|| draw.pick(&[5.0, 20.0, 60.0])),
            egress_per_gb: draw.chance(70).then(|| draw.pick(&[0.0, 0.02, 0.02, 0.1])),
        });
    }
    routes
}

/// A random world of a seed.
pub fn world(seed: u64, mix: Mix) -> World {
    let mut draw = Draw::new(seed);
    let draw = &mut draw;
    let places = draw.number(2, if mix == Mix::Uniform { 5 } else { 3 }) as usize;
    let most = if mix == Mix::Uniform { 7 } else { 4 };
    let offers: Vec<Offer> = (0..draw.number(3, most) as usize).map(|i| offer(draw, places, i)).collect();
    let mut text = "application: random\ncomponents:\n".to_owned();
    let count = draw.number(1, if mix == Mix::Uniform { 3 } else { 2 });
    let components: Vec<(&str, Kind)> = ["a", "b", "c"]
        .into_iter()
        .take(count as usize)
        .map(|name| {
            let kinds = [Kind::Uniform, Kind::Mixed, Kind::Mixed, Kind::Shared];
            (name, if mix == Mix::Uniform { Kind::Uniform } else { draw.pick(&kinds) })
        })
        .collect();
    for (name, kind) in &components {
        let cardinality = draw.pick(&["1", "2", "1..2", "2", "0..2", "[1, 3]"]);
        let rest = match kind {
            Kind::Uniform => String::new(),
            Kind::Mixed => ", fleet: mixed".to_owned(),
            Kind::Shared => ", hosting: shared, requires: {cores: 1}".to_owned(),
        };
        text.push_str(&format!("  {name}: {{cardinality: {cardinality}{rest}}}\n"));
    }
    let data = data(draw, &mut text);
    let links = links(draw, &mut text, &components, &data);
    rules(draw, &mut text, &components, &links, mix);
    let mut world = World { model: text, offers, network: network(draw), ..World::default() };
    if draw.chance(25) {
        let running = crate::oracle::best(&world.snapshot());
        if let Ok(crate::oracle::Verdict::Best(best)) = running {
            world.current = Some(best.placement);
            for offer in &mut world.offers {
                offer.price = Price::from_units(draw.pick(&[0.05, 0.1, 0.2])).unwrap_or(Price::ZERO);
            }
        }
    }
    world
}

fn data(draw: &mut Draw, text: &mut String) -> Vec<&'static str> {
    let names: Vec<&'static str> = ["d", "e"].into_iter().take(draw.pick(&[0, 1, 1, 1, 2])).collect();
    if !names.is_empty() {
        text.push_str("data:\n");
    }
    for name in &names {
        let home = match draw.number(0, 5) {
            0 => "place: aws/r0".to_owned(),
            1 => "place: [aws/r1, gcp/r2]".to_owned(),
            2 => "places: [aws, DE]".to_owned(),
            3 => "replicas: 1..2".to_owned(),
            4 => "places: ['*'], replicas: 2".to_owned(),
            _ => "places: [EU, us-east-1]".to_owned(),
        };
        let price = if draw.chance(50) { ", storage_price: 0.5 USD/GB/month" } else { "" };
        text.push_str(&format!("  {name}: {{size: {} GB, {home}{price}}}\n", draw.pick(&[10, 100])));
    }
    names
}

fn links(draw: &mut Draw, text: &mut String, components: &[(&str, Kind)], data: &[&str]) -> Vec<String> {
    let count = draw.number(1, 3);
    text.push_str("links:\n");
    let mut names = Vec::new();
    for i in 0..count {
        let one = draw.pick(components).0;
        let others: Vec<&str> = components.iter().map(|(n, _)| *n).chain(data.iter().copied()).collect();
        let other = draw.pick(&others);
        let (from, to) = if draw.chance(70) { (one, other) } else { (other, one) };
        let traffic = draw.pick(&["1 GB/h", "10 GB/h", "3", "0", "2 * 4 GB/h"]);
        let back = if draw.chance(40) { ", back: 5 GB/h" } else { "" };
        let latency = draw.pick(&["", "", "", ", latency: 10 ms", ", latency: 30 ms", ", latency: 70 ms"]);
        text.push_str(&format!("  l{i}: {{from: {from}, to: {to}, traffic: {traffic}{back}{latency}}}\n"));
        names.push(format!("l{i}"));
    }
    names
}

fn rules(draw: &mut Draw, text: &mut String, components: &[(&str, Kind)], links: &[String], mix: Mix) {
    let link = draw.pick(links);
    let (first, last) = (components[0].0, components[components.len() - 1].0);
    let mut constraints = Vec::new();
    if draw.chance(25) {
        constraints.push(format!("total_cost <= {} USD/h", draw.pick(&["0.5", "0.9", "2"])));
    }
    if draw.chance(15) {
        constraints.push(format!("{link}.cost <= 0.2"));
    }
    if draw.chance(15) && mix == Mix::Uniform {
        constraints.push(format!("{first}.cardinality >= 2 implies {link}.latency < 25 ms"));
    }
    if draw.chance(10) && mix == Mix::Uniform {
        constraints.push(format!("{link}.latency >= 2 ms or {last}.cardinality == 1"));
    }
    if !constraints.is_empty() {
        text.push_str("constraints:\n");
    }
    for (i, constraint) in constraints.iter().enumerate() {
        text.push_str(&format!("  c{i}: '{constraint}'\n"));
    }
    let size = |name: &str| format!("sum({name}.cores)");
    let pool = components.iter().any(|(_, kind)| *kind == Kind::Shared);
    let utility = match (draw.number(0, 9), mix) {
        (0..=2, _) => return,
        (3, _) => format!("minimize: total_cost + {link}.cost"),
        (4, Mix::Uniform) => format!("minimize: number(total_cost) + 0.01 * number({link}.latency)"),
        (5, Mix::Uniform) => format!("maximize: ({} + {}) / number(total_cost)", size(first), size(last)),
        (6, Mix::Uniform) => format!("minimize: max(number({link}.cost), 0.01 * number({link}.latency))"),
        (7, Mix::Uniform) => format!("maximize: {first}.cardinality"),
        (8, Mix::Uniform) => format!("minimize: {link}.latency"),
        _ if pool => "minimize: 2 * total_cost".to_owned(),
        _ => format!("maximize: 0.1 * {} - number(total_cost)", size(first)),
    };
    let (goal, formula) = utility.split_once(": ").unwrap_or(("minimize", "total_cost"));
    text.push_str(&format!("utility: {{{goal}: '{formula}'}}\n"));
}

/// A placement with its replicas changed, and what is wrong with it beyond doubt, if anything is.
pub fn replicas_changed(
    snapshot: &Snapshot,
    placement: &Placement,
    draw: &mut Draw,
) -> Option<(Placement, &'static str)> {
    let sources: Vec<(DataId, u32, u32)> = snapshot
        .application
        .data
        .iter()
        .enumerate()
        .filter_map(|(i, source)| match source.home {
            Home::Chosen { least, most, .. } => Some((DataId(i as u32), least, most)),
            Home::Fixed(_) => None,
        })
        .collect();
    if sources.is_empty() {
        return None;
    }
    let (data, least, most) = draw.pick(&sources);
    let mut changed = placement.clone();
    let own = changed.replicas.iter().filter(|r| r.data == data).count() as u32;
    let why = match draw.number(0, 3) {
        0 => {
            changed.replicas.retain(|r| r.data != data);
            "no replica is left"
        }
        1 => {
            let first = changed.replicas.iter().find(|r| r.data == data)?.clone();
            changed.replicas.push(first);
            "two replicas are in one place"
        }
        2 => {
            let first = changed.replicas.iter_mut().find(|r| r.data == data)?;
            first.place = "aws/nowhere".into();
            "a replica is in a place that does not exist"
        }
        _ => {
            let free = snapshot.catalog.places().iter().map(|p| p.name.clone());
            let free: Vec<_> =
                free.filter(|p| !changed.replicas.iter().any(|r| r.data == data && r.place == *p)).collect();
            let missing = (most + 1).saturating_sub(own) as usize;
            if free.len() < missing || missing == 0 || own < least {
                return None;
            }
            changed.replicas.extend(free.into_iter().take(missing).map(|place| Replica { data, place }));
            "there are too many replicas"
        }
    };
    changed.normalize();
    Some((changed, why))
}
