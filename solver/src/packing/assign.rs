//! Actual instances on planned nodes: which component takes which place, and in which zone each node stands.
//!
//! A plan says what each node holds of each item; instances of one item are alike but for rules on zones and on who may
//! meet. They are given out greedily, the hardest first; what finds no place goes where there is room left, then to nodes
//! of its own. Whatever comes out is judged by the checker like every other answer.

use cardinal_models::application::{Application, ComponentId, Structure};
use cardinal_models::offer::Offer;
use cardinal_models::placement::{NodeGroup, Placement};
use cardinal_models::snapshot::Snapshot;

use super::cover::Cover;
use super::node::RESOURCES;
use super::rounding::Plan;
use super::seat::{Places, Seating, seat};
use crate::engine::Limits;
use crate::pattern::{NodeRules, shared_components};

/// A node of the plan.
#[derive(Clone)]
pub(super) struct Node {
    pub bin: usize,
    /// Places for items that are not taken yet.
    pub free: Vec<(usize, u32)>,
    left: [u64; RESOURCES],
    /// A number of a zone.
    zone: usize,
    hosts: Vec<(ComponentId, u32)>,
}

/// What an instance may not do beside what its item may not.
#[derive(Clone)]
pub(super) struct Rules<'a> {
    application: &'a Application,
    /// By component, by component: they never meet.
    pub apart: Vec<Vec<bool>>,
    /// By component: some rule of its own holds on single nodes.
    picky: Vec<bool>,
    /// By component: the set of components that lie in one zone with it.
    pub together: Vec<Option<usize>>,
}

impl<'a> Rules<'a> {
    fn of(application: &'a Application) -> Self {
        let count = application.components.len();
        let shared = shared_components(application);
        let rules = NodeRules::of(application, &shared);
        let mut apart = vec![Vec::new(); count];
        let mut picky: Vec<bool> = application.components.iter().map(|c| c.per_node.is_some()).collect();
        for (a, b) in &rules.conflicts {
            for (x, y) in [(shared[*a].index(), shared[*b].index()), (shared[*b].index(), shared[*a].index())] {
                if apart[x].is_empty() {
                    apart[x] = vec![false; count];
                }
                apart[x][y] = true;
                picky[x] = true;
            }
        }
        let mut together = vec![None; count];
        for (number, rule) in application.structure.iter().enumerate() {
            if let Structure::Together(all) = &rule.rule {
                all.iter().for_each(|c| together[c.index()] = Some(number));
            }
        }
        Rules { application, apart, picky, together }
    }

    fn allows(&self, node: &Node, component: ComponentId) -> bool {
        let mine = node.hosts.iter().find(|(c, _)| *c == component).map_or(0, |(_, n)| *n);
        let apart = &self.apart[component.index()];
        self.application[component].per_node.is_none_or(|most| mine < most)
            && (apart.is_empty() || node.hosts.iter().all(|(c, _)| !apart[c.index()]))
    }

    pub(super) fn is_by_zone(&self, component: ComponentId) -> bool {
        self.together[component.index()].is_some() || self.application[component].counts_zones()
    }
}

fn host(node: &mut Node, component: ComponentId) {
    match node.hosts.iter_mut().find(|(c, _)| *c == component) {
        Some((_, n)) => *n += 1,
        None => node.hosts.push((component, 1)),
    }
}

fn take(node: &mut Node, item: usize) -> bool {
    match node.free.iter_mut().find(|(i, n)| *i == item && *n > 0) {
        Some((_, n)) => {
            *n -= 1;
            true
        }
        None => false,
    }
}

/// The zones that the bins of a plan can stand in.
#[derive(Clone)]
pub(super) struct Zones {
    pub names: Vec<String>,
    /// By bin: numbers of zones, with the index in the offer; a single nameless one where the offer names none.
    pub of: Vec<Vec<(usize, Option<u16>)>>,
}

impl Zones {
    fn of(cover: &Cover, snapshot: &Snapshot) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut number = |offer: &Offer, zone: Option<u16>| {
            let told = zone.and_then(|z| offer.zones.get(usize::from(z))).map_or("", |z| z.as_ref());
            let name = format!("{}\u{1}{}\u{1}{told}", offer.provider, offer.region);
            names.iter().position(|n| *n == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let of = cover
            .model
            .bins
            .iter()
            .map(|bin| {
                let offer = &snapshot.catalog[bin.offer];
                let zones = 0..offer.zones.len() as u16;
                let told: Vec<_> = zones.map(|z| (number(offer, Some(z)), Some(z))).collect();
                if told.is_empty() { vec![(number(offer, None), None)] } else { told }
            })
            .collect();
        Zones { names, of }
    }
}

/// Placements that the plan stands for, as far as they are found, the quickest first: `each` is shown one after the other
/// and tells whether that is good enough.
pub(crate) fn assign(
    cover: &Cover,
    snapshot: &Snapshot,
    plan: &Plan,
    limits: &Limits,
    mut each: impl FnMut(Placement) -> bool,
) {
    let work = Work::of(cover, snapshot, plan);
    if each(work.clone().greedily()) {
        return;
    }
    for places in [Places::AsPlanned, Places::Anew] {
        if let Some(seating) = seat(&work, places, limits)
            && each(work.clone().seated(&seating))
        {
            return;
        }
    }
}

/// How many instances of a component are wanted in a zone, or in any for `None`.
struct Wanted {
    component: ComponentId,
    item: usize,
    zone: Option<usize>,
    number: u32,
}

/// The nodes of a plan while instances are given to them.
#[derive(Clone)]
pub(super) struct Work<'a> {
    pub cover: &'a Cover,
    pub snapshot: &'a Snapshot,
    pub rules: Rules<'a>,
    pub zones: Zones,
    pub nodes: Vec<Node>,
    by_zone: bool,
}

impl<'a> Work<'a> {
    fn of(cover: &'a Cover, snapshot: &'a Snapshot, plan: &Plan) -> Self {
        let rules = Rules::of(&snapshot.application);
        let zones = Zones::of(cover, snapshot);
        let by_zone = cover.members.iter().flatten().any(|(c, _)| rules.is_by_zone(*c));
        let mut work = Work { cover, snapshot, rules, zones, nodes: Vec::new(), by_zone };
        for ((bin, counts), times) in plan {
            for _ in 0..*times {
                work.open(*bin, counts, 0);
            }
        }
        // Large nodes first: they decide most.
        work.nodes.sort_by_key(|n| std::cmp::Reverse(n.free.iter().map(|(_, k)| *k).sum::<u32>()));
        work
    }

    /// Zones and places given out one after the other.
    fn greedily(mut self) -> Placement {
        let wanted = self.wanted_by_zone();
        if self.by_zone {
            self.choose_zones(&wanted);
        }
        let left_over = self.give_out(&wanted);
        self.place_anywhere(left_over);
        self.placement()
    }

    /// As an integer program seats them.
    fn seated(mut self, seating: &Seating) -> Placement {
        for (node, zone) in self.nodes.iter_mut().zip(&seating.zones) {
            node.zone = *zone;
            node.free.clear();
            node.left = self.cover.model.bins[node.bin].capacity;
        }
        let mut zone_of = vec![None; self.snapshot.application.structure.len()];
        for (component, at, number) in &seating.seats {
            let Some(item) = self.item_of(*component) else { continue };
            let demand = self.cover.model.items[item].demand;
            let node = &mut self.nodes[*at];
            (0..RESOURCES).for_each(|r| node.left[r] = node.left[r].saturating_sub(demand[r] * u64::from(*number)));
            (0..*number).for_each(|_| host(node, *component));
            if let Some(set) = self.rules.together[component.index()] {
                zone_of[set] = Some(node.zone);
            }
        }
        let zone = |c: &ComponentId| self.rules.together[c.index()].and_then(|set| zone_of[set]);
        let left_over = seating.left_over.iter().map(|c| (*c, zone(c))).collect();
        self.place_anywhere(left_over);
        self.placement()
    }

    fn item_of(&self, component: ComponentId) -> Option<usize> {
        self.cover.members.iter().position(|m| m.iter().any(|(c, _)| *c == component))
    }

    fn open(&mut self, bin: usize, counts: &[u32], zone: usize) {
        let mut left = self.cover.model.bins[bin].capacity;
        for (item, n) in self.cover.model.items.iter().zip(counts) {
            (0..RESOURCES).for_each(|r| left[r] = left[r].saturating_sub(item.demand[r] * u64::from(*n)));
        }
        let free = counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (i, *n)).collect();
        self.nodes.push(Node { bin, free, left, zone, hosts: Vec::new() });
    }

    /// Where the instances of each component should lie: sets that stay together in the zone with the least in it,
    /// spread ones in every zone in turn.
    fn wanted_by_zone(&self) -> Vec<Wanted> {
        let count = self.zones.names.len();
        let mut load = vec![0u64; count];
        let mut set_zone: Vec<Option<usize>> = vec![None; self.snapshot.application.structure.len()];
        let mut sets: Vec<(u64, usize)> = Vec::new();
        for (component, n) in self.cover.members.iter().flatten() {
            if let Some(set) = self.rules.together[component.index()] {
                match sets.iter_mut().find(|(_, s)| *s == set) {
                    Some((sum, _)) => *sum += u64::from(*n),
                    None => sets.push((u64::from(*n), set)),
                }
            }
        }
        sets.sort_by_key(|(sum, set)| (std::cmp::Reverse(*sum), *set));
        for (sum, set) in sets {
            let zone = (0..count).min_by_key(|z| load[*z]).unwrap_or(0);
            load[zone] += sum;
            set_zone[set] = Some(zone);
        }
        let mut wanted = Vec::new();
        for (item, members) in self.cover.members.iter().enumerate() {
            // Zones in turn over all components of an item, so that the item is needed in every zone alike.
            let mut next = item % count.max(1);
            for (component, n) in members {
                let spread = self.snapshot.application[*component].counts_zones();
                let mut add = |zone, number| wanted.push(Wanted { component: *component, item, zone, number });
                if let Some(set) = self.rules.together[component.index()] {
                    add(set_zone[set], *n);
                } else if spread {
                    let share =
                        |z: usize| n / count as u32 + u32::from((z + count - next) % count < *n as usize % count);
                    (0..count).filter(|z| share(*z) > 0).for_each(|z| add(Some(z), share(z)));
                    next = (next + *n as usize) % count;
                } else {
                    add(None, *n);
                }
            }
        }
        wanted
    }

    /// Puts each node into the zone where what it holds is wanted most.
    fn choose_zones(&mut self, wanted: &[Wanted]) {
        let count = self.zones.names.len();
        let mut need = vec![vec![0i64; count]; self.cover.model.items.len()];
        for w in wanted {
            if let Some(zone) = w.zone {
                need[w.item][zone] += i64::from(w.number);
            }
        }
        let mut supply = vec![0u64; count];
        for node in &mut self.nodes {
            let score = |z: usize| -> i64 { node.free.iter().map(|(i, n)| need[*i][z].clamp(0, i64::from(*n))).sum() };
            let options = self.zones.of[node.bin].iter().map(|(z, _)| *z);
            let zone = options.max_by_key(|z| (score(*z), std::cmp::Reverse(supply[*z]), std::cmp::Reverse(*z)));
            node.zone = zone.unwrap_or(0);
            for (item, n) in &node.free {
                need[*item][node.zone] -= i64::from(*n);
                supply[node.zone] += u64::from(*n);
            }
        }
        self.exchange_zones(&mut need);
    }

    /// Moves nodes between zones as long as that mends more than it breaks.
    fn exchange_zones(&mut self, need: &mut [Vec<i64>]) {
        for _ in 0..20 {
            let mut moved = false;
            for at in 0..self.nodes.len() {
                let node = &self.nodes[at];
                let from = node.zone;
                let gain = |to: usize| -> i64 {
                    let each = |(item, n): &(usize, u32)| {
                        let n = i64::from(*n);
                        let (have, want) = (need[*item][from], need[*item][to]);
                        (want.max(0) - (want - n).max(0)) - ((have + n).max(0) - have.max(0))
                    };
                    node.free.iter().map(each).sum()
                };
                let options = self.zones.of[node.bin].iter().map(|(z, _)| *z).filter(|z| *z != from);
                let Some(to) = options.max_by_key(|z| (gain(*z), std::cmp::Reverse(*z))) else { continue };
                if gain(to) > 0 {
                    for (item, n) in &self.nodes[at].free {
                        need[*item][from] += i64::from(*n);
                        need[*item][to] -= i64::from(*n);
                    }
                    self.nodes[at].zone = to;
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Gives the places of the plan out; what finds none is left over.
    fn give_out(&mut self, wanted: &[Wanted]) -> Vec<(ComponentId, Option<usize>)> {
        let (items, count) = (self.cover.model.items.len(), self.zones.names.len());
        // Places that are not promised to instances of the zone.
        let mut spare = vec![vec![0i64; count]; items];
        for node in &self.nodes {
            node.free.iter().for_each(|(item, n)| spare[*item][node.zone] += i64::from(*n));
        }
        for w in wanted {
            if let Some(zone) = w.zone {
                spare[w.item][zone] -= i64::from(w.number);
            }
        }
        let mut by_item: Vec<Vec<usize>> = vec![Vec::new(); items];
        for (at, node) in self.nodes.iter().enumerate() {
            node.free.iter().for_each(|(item, _)| by_item[*item].push(at));
        }
        let apart = |c: ComponentId| self.rules.apart[c.index()].iter().filter(|x| **x).count();
        let mut order: Vec<&Wanted> = wanted.iter().collect();
        order.sort_by_key(|w| {
            let picky = self.rules.picky[w.component.index()];
            let rank = if picky {
                0
            } else if w.zone.is_some() {
                1
            } else {
                2
            };
            (rank, std::cmp::Reverse(apart(w.component)), w.component, w.zone)
        });
        let mut left_over = Vec::new();
        for w in order {
            let mut missing = w.number;
            for at in &by_item[w.item] {
                while missing > 0 {
                    let node = &mut self.nodes[*at];
                    let in_zone = match w.zone {
                        Some(zone) => node.zone == zone,
                        None => spare[w.item][node.zone] > 0,
                    };
                    if !in_zone || !self.rules.allows(node, w.component) || !take(node, w.item) {
                        break;
                    }
                    host(node, w.component);
                    if w.zone.is_none() {
                        spare[w.item][node.zone] -= 1;
                    }
                    missing -= 1;
                }
                if missing == 0 {
                    break;
                }
            }
            left_over.extend((0..missing).map(|_| (w.component, w.zone)));
        }
        left_over
    }

    /// Puts instances where there is room, or on nodes of their own.
    fn place_anywhere(&mut self, left_over: Vec<(ComponentId, Option<usize>)>) {
        for node in &mut self.nodes {
            for (item, n) in std::mem::take(&mut node.free) {
                let demand = &self.cover.model.items[item].demand;
                (0..RESOURCES).for_each(|r| node.left[r] = node.left[r].saturating_add(demand[r] * u64::from(n)));
            }
        }
        for (component, zone) in left_over {
            let Some(item) = self.item_of(component) else { continue };
            let demand = self.cover.model.items[item].demand;
            let fits = |node: &Node| (0..RESOURCES).all(|r| demand[r] <= node.left[r]);
            let bins = &self.cover.model.bins;
            let rules = &self.rules;
            let found = self.nodes.iter().position(|node| {
                zone.is_none_or(|z| z == node.zone)
                    && bins[node.bin].most[item] > 0
                    && fits(node)
                    && rules.allows(node, component)
            });
            let at = found.or_else(|| {
                let stands = |b: &usize| zone.is_none_or(|z| self.zones.of[*b].iter().any(|(x, _)| *x == z));
                let bin = (0..bins.len()).find(|b| bins[*b].most[item] > 0 && stands(b))?;
                let zone = zone.unwrap_or(self.zones.of[bin][0].0);
                self.open(bin, &vec![0; self.cover.model.items.len()], zone);
                Some(self.nodes.len() - 1)
            });
            if let Some(at) = at {
                let node = &mut self.nodes[at];
                (0..RESOURCES).for_each(|r| node.left[r] -= demand[r]);
                host(node, component);
            }
        }
    }

    /// The nodes as a placement, each on the cheapest offer of its zone that holds what it hosts.
    fn placement(&self) -> Placement {
        let group = |node: &Node| {
            let zone = self.zones.of[node.bin].iter().find(|(z, _)| *z == node.zone).and_then(|(_, told)| *told);
            let mut instances = node.hosts.clone();
            instances.sort_unstable();
            let offer = self.cover.model.bins[node.bin].offer;
            NodeGroup { offer, zone: if self.by_zone { zone } else { None }, instances, count: 1 }
        };
        let mut placement = Placement::of(self.nodes.iter().filter(|n| !n.hosts.is_empty()).map(group).collect());
        placement.normalize();
        placement
    }
}
