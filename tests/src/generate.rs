//! Random small models with their offers, metric values and running deployments.

use std::sync::Arc;

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;
use cardinal_models::offer::{CloudKind, LabelValue, Lifecycle, Offer, OperatingSystem, Purchase};
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::quantity::{Bytes, Cores, Price};

use crate::draw::Draw;
use crate::formulas::{Formulas, Kind, Named};
use crate::several::softened;
use crate::world::World;

/// How large and how varied a model is.
#[derive(Clone, Debug)]
pub struct Size {
    /// At most so many components.
    pub components: u32,
    /// At most so many offers.
    pub offers: u32,
    /// At most so many instances of a component.
    pub instances: u32,
    /// At most so many constraints.
    pub constraints: u32,
    /// False: nothing that is nonlinear over several components.
    pub nonlinear: bool,
    /// True: every component is on shared nodes.
    pub shared: bool,
    /// True: most formulas mix several components nonlinearly.
    pub across: bool,
    /// True: every component is uniform.
    pub uniform: bool,
    /// False: every constraint is hard, and there is one objective.
    pub several: bool,
}

impl Size {
    /// Small enough to be enumerated.
    pub const SMALL: Size = Size {
        components: 3,
        offers: 6,
        instances: 4,
        constraints: 3,
        nonlinear: true,
        shared: false,
        across: false,
        uniform: false,
        several: true,
    };
}

const REGIONS: [&str; 3] = ["r0", "r1", "r2"];
const PRICES: [f64; 9] = [0.0, 0.05, 0.1, 0.1, 0.2, 0.25, 0.4, 0.0832, 0.31];

/// A random offer.
pub fn offer(draw: &mut Draw, number: usize) -> Offer {
    let zones: Vec<Arc<str>> =
        ["za", "zb", "zc"].iter().take(draw.number(0, 3) as usize).map(|z| (*z).into()).collect();
    let zones = if draw.chance(60) { zones } else { Vec::new() };
    let mut labels = indexmap::IndexMap::new();
    match draw.number(0, 9) {
        0 => {}
        1 => drop(labels.insert("speed".into(), LabelValue::Text(draw.pick(&["2", "fast"]).into()))),
        _ => drop(labels.insert("speed".into(), LabelValue::Number(draw.pick(&[1.0, 1.5, 2.0, 3.0])))),
    }
    match draw.number(0, 5) {
        0 => {}
        1 => drop(labels.insert("tier".into(), LabelValue::Number(draw.pick(&[0.0, 1.0, 2.0])))),
        _ => drop(labels.insert("tier".into(), LabelValue::Text(draw.pick(&["gold", "Gold", "silver"]).into()))),
    }
    Offer {
        // Not in the order of the catalog: the stable order is that of the ids.
        id: format!("o{}-{number}", draw.number(0, 9)).into(),
        provider: draw.pick(&["aws", "aws", "gcp", "azure"]).into(),
        region: draw.pick(&REGIONS).into(),
        zones: zones.into(),
        country: draw.pick(&["DE", "DE", "FR", "US", ""]).into(),
        places: Arc::new([]),
        coordinates: draw.chance(80).then(|| (draw.pick(&[50.0, 48.5, 40.0]), 8.0)),
        machine_type: draw.pick(&["mt0", "mt1", "mt2"]).into(),
        family: draw.pick(&["fa", "fb"]).into(),
        cloud: if draw.chance(80) { CloudKind::Public } else { CloudKind::Private },
        purchase: if draw.chance(85) { Purchase::OnDemand } else { Purchase::Spot },
        cores: Cores(draw.pick(&[1000, 2000, 2000, 4000, 4000, 8000, 500])),
        memory: Bytes(draw.pick(&[1, 2, 4, 4, 8, 16]) * 1024 * Bytes::MIB),
        disk: draw.chance(60).then(|| Bytes(draw.pick(&[10, 50, 100]) * 1024 * Bytes::MIB)),
        gpus: if draw.chance(80) { 0 } else { draw.number(1, 2) },
        architecture: "amd64".into(),
        os: match draw.number(0, 6) {
            0 => OperatingSystem::Named("ubuntu".into()),
            1 => OperatingSystem::Named("windows".into()),
            2 => OperatingSystem::Unknown,
            _ => OperatingSystem::Any,
        },
        price: Price::from_units(draw.pick(&PRICES)).unwrap_or(Price::ZERO),
        lifecycle: Lifecycle {
            interruption_rate: draw.chance(50).then(|| draw.pick(&[0.0, 0.05, 0.2])),
            start_up_s: draw.chance(70).then(|| draw.pick(&[30.0, 60.0])),
            minimum_lifetime_s: draw.chance(50).then_some(60.0),
        },
        labels: Arc::new(labels),
        configuration: None,
    }
}

/// A random world of a seed.
pub fn world(seed: u64, size: &Size) -> World {
    let mut draw = Draw::new(seed);
    let more = Draw::new(seed ^ 0x50f7);
    let maker = Maker {
        draw: &mut draw,
        more,
        size,
        text: String::new(),
        named: Vec::new(),
        least: Vec::new(),
        most: Vec::new(),
    };
    maker.world()
}

struct Maker<'a> {
    draw: &'a mut Draw,
    /// For what came into the language later, so that the rest of a seed's model stays as it is.
    more: Draw,
    size: &'a Size,
    text: String,
    named: Vec<Named>,
    /// The smallest cardinality of each component.
    least: Vec<u32>,
    /// The largest cardinality of each component.
    most: Vec<u32>,
}

impl Maker<'_> {
    fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    fn world(mut self) -> World {
        let count = self.draw.number(self.size.offers.div_ceil(2), self.size.offers) as usize;
        let offers: Vec<Offer> = (0..count).map(|i| offer(self.draw, i)).collect();
        self.line("application: random");
        if self.draw.chance(6) {
            let providers = self.draw.some(&["aws", "gcp", "azure"]).join(", ");
            self.line(format!("catalog: {{providers: [{providers}]}}"));
        }
        self.line("components:");
        let components = self.draw.number(if self.size.across { 2 } else { 1 }, self.size.components);
        for i in 0..components {
            self.component(i);
        }
        let metrics = self.metrics();
        self.formulas(&metrics);
        self.structure();
        if self.draw.chance(10) {
            let budget = self.draw.pick(&["0.9", "0.4 USD/h", "700 USD/month"]);
            self.line(format!("budget: {budget}"));
        }
        self.quotas();
        self.commitments();
        let current = self.draw.chance(40).then(|| self.current(&offers));
        let mut values = vec![("load".to_owned(), self.draw.pick(&[0.8, 1.5, 3.0]))];
        if self.draw.chance(5) {
            values.push(("size".to_owned(), 4.0));
        }
        let model = if self.size.several { self.several(&metrics) } else { self.text };
        World { model, offers, metrics: values, current, ..World::default() }
    }

    /// The model with penalties and further objectives, in some of the cases.
    fn several(&mut self, metrics: &[(String, f64)]) -> String {
        let (nonlinear, across) = (self.size.nonlinear, self.size.across);
        let components = &self.named;
        softened(&self.text, &mut self.more, |draw| {
            Formulas { draw, components, metrics: metrics.to_vec(), nonlinear, across }.utility()
        })
    }

    fn cardinality(&mut self, kind: Kind) -> (String, u32, u32) {
        // Shared pools have many more placements than fleets of the same size.
        let limit = if kind == Kind::Uniform {
            self.size.instances
        } else {
            self.size.instances.min(3).max(self.size.instances / 2)
        };
        let low = self.draw.pick(&[0, 1, 1, 1, 2]).min(limit);
        let high = self.draw.number(low.max(1), limit);
        match self.draw.number(0, 3) {
            0 => (high.to_string(), high, high),
            1 if high >= low + 2 => (format!("[{low}, {high}]"), low, high),
            _ => (format!("{low}..{high}"), low, high),
        }
    }

    fn component(&mut self, index: u32) {
        let kind = self.draw.pick(&[Kind::Uniform, Kind::Uniform, Kind::Mixed, Kind::Shared]);
        let kind = if self.size.shared { Kind::Shared } else { kind };
        let kind = if self.size.uniform { Kind::Uniform } else { kind };
        let name = ["web", "api", "db", "cache", "queue", "batch"][index as usize % 6].to_owned();
        let (cardinality, low, high) = self.cardinality(kind);
        self.named.push(Named { name: name.clone(), kind, may_be_empty: low == 0 });
        self.least.push(low);
        self.most.push(high);
        self.line(format!("  {name}:"));
        self.line(format!("    cardinality: {cardinality}"));
        match kind {
            Kind::Uniform => self.line("    fleet: uniform"),
            Kind::Mixed => self.line("    fleet: mixed"),
            Kind::Shared => {
                self.line("    hosting: shared");
                let (cores, memory) = (self.draw.pick(&["0.5", "1", "2"]), self.draw.pick(&[1, 1, 2]));
                let gpus = if self.draw.chance(10) { ", gpus: 1" } else { "" };
                let disk = if self.draw.chance(20) { ", disk: 20 GiB" } else { "" };
                self.line(format!("    requires: {{cores: {cores}, memory: {memory} GiB{gpus}{disk}}}"));
                if self.draw.chance(30) {
                    let most = self.draw.number(1, 2);
                    self.line(format!("    per_node: {most}"));
                }
            }
        }
        if kind != Kind::Shared && self.draw.chance(25) {
            let requirement = self.draw.pick(&[
                "cores: \">= 2\"",
                "cores: [1, 2, 4]",
                "memory: 2 GiB..8 GiB",
                "price: \"<= 0.25 USD/h\"",
                "disk: \">= 50 GiB\"",
                "labels: {speed: \">= 1.5\"}",
                "labels: {tier: gold}",
                "interruption_rate: \"<= 10 %\"",
                "start_up: \"<= 45s\"",
                "minimum_lifetime: 60s",
            ]);
            self.line(format!("    requires: {{{requirement}}}"));
        }
        if self.draw.chance(8) {
            self.line("    moveable: false");
        }
        self.placement(kind, high);
    }

    fn placement(&mut self, kind: Kind, most: u32) {
        let mut parts: Vec<String> = Vec::new();
        if self.draw.chance(8) {
            parts.push("location: [DE, FR]".to_owned());
        }
        if self.draw.chance(7) {
            parts.push(format!("os: {}", self.draw.pick(&["ubuntu", "windows", "[ubuntu, windows]"])));
        }
        if self.draw.chance(30) {
            parts.push("purchase: [spot, on-demand]".to_owned());
        }
        if self.draw.chance(8) {
            parts.push("cloud: public".to_owned());
        }
        if self.draw.chance(25) {
            let all =
                ["zone", "zone", "region", "provider", "country", "machine_type", "machine-type", "family", "location"];
            let at_most = self.draw.number(1, 2);
            let limit = match self.draw.number(0, 3) {
                0 => format!("skew: {}", self.draw.number(1, 2)),
                1 => format!("at_most: {}, skew: 1", at_most + 1),
                _ => format!("at_most: {at_most}"),
            };
            let first = format!("{{by: {}, {limit}}}", self.draw.pick(&all));
            if self.draw.chance(25) {
                let second = format!("{{by: {}, at_most: {}}}", self.draw.pick(&all), at_most + 1);
                parts.push(format!("spread: [{first}, {second}]"));
            } else {
                parts.push(format!("spread: {first}"));
            }
            if self.draw.chance(10) {
                parts.push("family: fa".to_owned());
            }
        }
        self.division(kind, most, &mut parts);
        if !parts.is_empty() {
            self.line(format!("    placement: {{{}}}", parts.join(", ")));
        }
    }

    /// How instances are divided over places and between ways of buying.
    fn division(&mut self, kind: Kind, most: u32, parts: &mut Vec<String>) {
        if self.draw.chance(12) {
            let all = ["zone", "region", "provider", "country", "machine_type", "family"];
            let by = if kind == Kind::Uniform { "zone" } else { self.draw.pick(&all) };
            let least = format!("at_least: {}", self.draw.number(1, most.min(3)));
            let share = format!("at_most_share: {}", self.draw.pick(&["50 %", "34 %", "75 %", "0.6", "100 %"]));
            let rule = match self.draw.number(0, 2) {
                0 => least,
                1 => share,
                _ => format!("{least}, {share}"),
            };
            parts.push(format!("diversify: {{by: {by}, {rule}}}"));
        }
        if self.draw.chance(12) {
            let most = self.draw.pick(&["50 %", "34 %", "0", "1", "2", "75 %"]);
            parts.push(format!("spot: {{at_most: {most}}}"));
        }
        if self.draw.chance(10) {
            let least = self.draw.pick(&["50 %", "25 %", "1", "1"]);
            parts.push(format!("on_demand: {{at_least: {least}}}"));
        }
    }

    /// Metrics with a usual value each.
    fn metrics(&mut self) -> Vec<(String, f64)> {
        self.line("metrics:");
        self.line("  load: {default: 1.2}");
        self.line("  twice: 2 * load");
        let parts: Vec<String> = self.named.iter().map(|c| format!("{}.cardinality", c.name)).collect();
        self.line(format!("  size: {}", parts.join(" + ")));
        vec![("load".to_owned(), 1.5), ("twice".to_owned(), 3.0), ("size".to_owned(), 4.0)]
    }

    fn formulas(&mut self, metrics: &[(String, f64)]) {
        let named = self.named.clone();
        let (nonlinear, across) = (self.size.nonlinear, self.size.across);
        let count = self.draw.pick(&[0, 1, 1, 2, 3]).min(self.size.constraints);
        let slo = self.draw.chance(15);
        let with_utility = self.draw.chance(75);
        let mut formulas =
            Formulas { draw: self.draw, components: &named, metrics: metrics.to_vec(), nonlinear, across };
        let constraints: Vec<String> = (0..count).map(|_| formulas.condition()).collect();
        let slo = slo.then(|| formulas.condition());
        let utility = with_utility.then(|| formulas.utility());
        if !constraints.is_empty() {
            self.line("constraints:");
        }
        for (i, formula) in constraints.iter().enumerate() {
            self.line(format!("  c{i}: '{formula}'"));
        }
        if let Some(formula) = slo {
            self.line("slo:");
            self.line(format!("  goal: '{formula}'"));
        }
        if let Some((direction, formula)) = utility {
            self.line(format!("utility: {{{direction}: '{formula}'}}"));
        }
    }

    fn structure(&mut self) {
        let names = |kind: Option<Kind>, named: &[Named]| -> Vec<String> {
            named.iter().filter(|c| kind.is_none_or(|k| c.kind == k)).map(|c| c.name.clone()).collect()
        };
        let shared = names(Some(Kind::Shared), &self.named);
        let all = names(None, &self.named);
        let empty: Vec<String> = self.named.iter().filter(|c| c.may_be_empty).map(|c| c.name.clone()).collect();
        let mut rules: Vec<String> = Vec::new();
        for _ in 0..self.draw.pick(&[0, 0, 0, 0, 1, 2]) {
            let rule = match self.draw.number(0, 8) {
                8 if !shared.is_empty() => format!("{{together: [{}]}}", self.draw.some(&shared).join(", ")),
                0 if shared.len() > 1 => format!("{{conflict: {}, with: [{}]}}", shared[0], shared[1..].join(", ")),
                1 if shared.len() > 1 => format!("{{colocate: [{}, {}]}}", shared[0], shared[1]),
                2 if shared.len() > 1 => format!("{{every_node: {}, unless: [{}]}}", shared[0], shared[1]),
                3 if !shared.is_empty() => format!("{{every_node: {}}}", self.draw.pick(&shared)),
                4 if empty.len() > 1 => format!("{{alternatives: [{}]}}", empty.join(", ")),
                5 if all.len() > 1 => {
                    let pair = self.draw.shuffled(&all);
                    let (a, b) = (self.draw.number(1, 2), self.draw.number(1, 3));
                    format!("{{require: {a} {} per {b} {}}}", pair[0], pair[1])
                }
                _ => {
                    let of = self.draw.some(&all);
                    let of_these = |i: &usize| of.contains(&self.named[*i].name);
                    let sum = |each: &[u32]| (0..each.len()).filter(of_these).map(|i| each[i]).sum::<u32>();
                    // Mostly a number that the components can have together.
                    let (low, high) = (sum(&self.least), sum(&self.most));
                    let number = self.draw.number(low, high + 1);
                    let word = self.draw.pick(&["at_least", "at_most", "exactly"]);
                    format!("{{{word}: {number}, of: [{}]}}", of.join(", "))
                }
            };
            rules.push(rule);
        }
        if !rules.is_empty() {
            self.line("structure:");
        }
        for (i, rule) in rules.iter().enumerate() {
            self.line(format!("  s{i}: {rule}"));
        }
    }

    fn quotas(&mut self) {
        let count = self.draw.pick(&[0, 0, 0, 1, 2]);
        if count > 0 {
            self.line("quotas:");
        }
        for i in 0..count {
            let filter = match self.draw.number(0, 6) {
                0 => "provider: aws, ".to_owned(),
                1 => format!("location: {}, ", self.draw.pick(&["DE", "r0", "r1"])),
                2 => "machine_type: mt1, ".to_owned(),
                3 => "purchase: spot, ".to_owned(),
                4 => "family: fa, ".to_owned(),
                5 => "region: r1, ".to_owned(),
                _ => String::new(),
            };
            let limit = match self.draw.number(0, 5) {
                0 => format!("nodes: {}", self.draw.number(1, 6)),
                1 => format!("cores: {}", self.draw.pick(&[4, 8, 12, 20])),
                3 => format!("gpus: {}", self.draw.number(0, 3)),
                4 => format!("instances: {}", self.draw.number(1, 6)),
                2 => format!("memory: {} GiB", self.draw.pick(&[4, 12, 24])),
                _ => format!("cost: {} USD/h", self.draw.pick(&["0.3", "0.8", "1.5"])),
            };
            self.line(format!("  q{i}: {{{filter}{limit}}}"));
        }
    }

    fn commitments(&mut self) {
        let count = if self.draw.chance(4) { self.draw.number(1, 3) } else { 0 };
        if count > 0 {
            self.line("commitments:");
        }
        for i in 0..count {
            let filter = match self.draw.number(0, 7) {
                0 => "provider: aws, ".to_owned(),
                1 => format!("location: {}, ", self.draw.pick(&["DE", "r0", "r1"])),
                2 => "machine_type: [mt1, mt2], ".to_owned(),
                3 => "purchase: [spot, on-demand], ".to_owned(),
                4 => "family: fa, ".to_owned(),
                5 => "region: r1, ".to_owned(),
                _ => String::new(),
            };
            let capacity = match self.draw.number(0, 2) {
                0 => format!("nodes: {}", self.draw.number(0, 3)),
                1 => format!("cores: {}", self.draw.pick(&[1, 2, 5, 8])),
                _ => format!("cost: {} USD/h", self.draw.pick(&["0.07", "0.2", "0.5"])),
            };
            self.line(format!("  k{i}: {{{filter}{capacity}}}"));
        }
    }

    fn current(&mut self, offers: &[Offer]) -> Placement {
        let mut groups = Vec::new();
        let any = |draw: &mut Draw| OfferIndex(draw.number(0, offers.len() as u32 - 1));
        let shared: Vec<(ComponentId, u32)> = (0..self.named.len())
            .filter(|i| self.named[*i].kind == Kind::Shared)
            .map(|i| (ComponentId(i as u32), self.most[i]))
            .collect();
        for i in 0..self.named.len() {
            let id = ComponentId(i as u32);
            if self.named[i].kind == Kind::Shared || self.draw.chance(15) {
                continue;
            }
            let (mut left, one) = (self.draw.number(1, self.most[i].max(1)), any(self.draw));
            while left > 0 {
                let count = self.draw.number(1, left);
                let uniform = self.named[i].kind == Kind::Uniform && self.draw.chance(95);
                let offer = if uniform { one } else { any(self.draw) };
                let zones = offers[offer.0 as usize].zones.len() as u32;
                let zone = (zones > 0 && self.draw.chance(60)).then(|| self.draw.number(0, zones - 1) as u16);
                groups.push(NodeGroup { offer, zone, instances: vec![(id, 1)], count });
                left -= count;
            }
        }
        for _ in 0..if shared.is_empty() { 0 } else { self.draw.number(0, 3) } {
            let chosen = self.draw.some(&shared);
            let instances = chosen.iter().map(|(c, most)| (*c, self.draw.number(1, (*most).clamp(1, 2)))).collect();
            groups.push(NodeGroup { offer: any(self.draw), zone: None, instances, count: self.draw.number(1, 2) });
        }
        let mut placement = Placement::of(groups);
        placement.normalize();
        placement
    }
}
