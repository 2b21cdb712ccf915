//! Instances on planned nodes by an integer program, where giving them out greedily leaves some over: which node stands in
//! which zone and who takes which place, so that as few as possible are left.

use cardinal_models::application::ComponentId;
use cardinal_models::document::SpreadBy;

use super::assign::Work;
use super::node::RESOURCES;
use crate::engine::{self, Limits, Milp, Presolve};

/// At most so many instances, where places are as planned and where nodes may be filled anew.
const MOST_AS_PLANNED: u64 = 400;
const MOST_ANEW: u64 = 120;
/// Rows and columns at most.
const MOST_SIZE: usize = 30_000;
/// Nodes of the search tree.
const NODES: u32 = 200;

/// What an instance may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    /// A place that the plan has for its item.
    AsPlanned,
    /// Any room on a planned node.
    Anew,
}

/// Instances of a component on a node, in a zone where its zones are counted.
struct Seat {
    component: ComponentId,
    node: usize,
    zone: Option<usize>,
    column: usize,
}

/// Who sits where: component, node, and number; the zone of each node.
pub(super) struct Seating {
    pub seats: Vec<(ComponentId, usize, u32)>,
    pub zones: Vec<usize>,
    pub left_over: Vec<ComponentId>,
}

struct Program<'w, 'a> {
    work: &'w Work<'a>,
    milp: Milp,
    seats: Vec<Seat>,
    /// By node and zone.
    zone: Vec<Vec<(usize, usize)>>,
    /// By component the instances that find no place.
    missing: Vec<(ComponentId, usize)>,
}

/// The seating that leaves the fewest over; `None` where the program is too large or the engine finds none.
pub(super) fn seat(work: &Work<'_>, places: Places, limits: &Limits) -> Option<Seating> {
    let total: u64 = work.cover.demand.iter().map(|n| u64::from(*n)).sum();
    let most = if places == Places::AsPlanned { MOST_AS_PLANNED } else { MOST_ANEW };
    if total > most || limits.reached() {
        return None;
    }
    let mut program = Program { work, milp: Milp::default(), seats: Vec::new(), zone: Vec::new(), missing: Vec::new() };
    program.stand();
    program.sit(places);
    program.keep_apart();
    program.keep_zones();
    if program.milp.columns() > MOST_SIZE || program.milp.rows() > MOST_SIZE {
        return None;
    }
    let limits =
        Limits { nodes: Some(NODES), target: Some(0.5), relative_gap: 0.0, absolute_gap: 0.9, ..limits.clone() };
    let values = engine::run(&program.milp, None, &limits, Presolve::Automatic).ok()?.values?;
    Some(program.seating(&values))
}

impl Program<'_, '_> {
    /// Each node stands in one zone.
    fn stand(&mut self) {
        for node in &self.work.nodes {
            let zones = self.work.zones.of[node.bin].iter();
            let columns: Vec<(usize, usize)> = zones.map(|(z, _)| (*z, self.milp.add_column(0.0, 1.0, true))).collect();
            self.milp.add_row(1.0, 1.0, columns.iter().map(|(_, column)| (*column, 1.0)));
            self.zone.push(columns);
        }
    }

    /// Every instance sits somewhere or is missing; nodes have only so many places, or so much room.
    fn sit(&mut self, places: Places) {
        let work = self.work;
        let mut on_node: Vec<Vec<(usize, usize)>> = vec![Vec::new(); work.nodes.len()];
        for (item, members) in work.cover.members.iter().enumerate() {
            let mut of_slot: Vec<Vec<(usize, f64)>> = vec![Vec::new(); work.nodes.len()];
            for (component, number) in members {
                let mut all: Vec<(usize, f64)> = Vec::new();
                for (at, node) in work.nodes.iter().enumerate() {
                    let planned = node.free.iter().find(|(i, _)| *i == item).map_or(0, |(_, n)| *n);
                    let places =
                        if places == Places::AsPlanned { planned } else { work.cover.model.bins[node.bin].most[item] };
                    let own = work.snapshot.application[*component].per_node.unwrap_or(u32::MAX);
                    let most = places.min(*number).min(own);
                    if most == 0 {
                        continue;
                    }
                    let by_zone = work.rules.is_by_zone(*component);
                    let zones: Vec<Option<(usize, usize)>> =
                        if by_zone { self.zone[at].iter().map(|z| Some(*z)).collect() } else { vec![None] };
                    let first = all.len();
                    for zone in zones {
                        let column = self.milp.add_column(0.0, f64::from(most), true);
                        if let Some((_, stands)) = zone {
                            self.milp.add_row(f64::NEG_INFINITY, 0.0, [(column, 1.0), (stands, -f64::from(most))]);
                        }
                        self.seats.push(Seat { component: *component, node: at, zone: zone.map(|(z, _)| z), column });
                        all.push((column, 1.0));
                        of_slot[at].push((column, 1.0));
                        on_node[at].push((column, item));
                    }
                    if own < u32::MAX && by_zone {
                        self.milp.add_row(f64::NEG_INFINITY, f64::from(own), all[first..].iter().copied());
                    }
                }
                let missing = self.milp.add_column(0.0, f64::from(*number), true);
                self.milp.cost[missing] = 1.0;
                self.missing.push((*component, missing));
                all.push((missing, 1.0));
                self.milp.add_row(f64::from(*number), f64::from(*number), all);
            }
            if places == Places::AsPlanned {
                for (at, columns) in of_slot.into_iter().enumerate().filter(|(_, c)| !c.is_empty()) {
                    let node = &work.nodes[at];
                    let planned = node.free.iter().find(|(i, _)| *i == item).map_or(0, |(_, n)| *n);
                    self.milp.add_row(f64::NEG_INFINITY, f64::from(planned), columns);
                }
            }
        }
        if places == Places::Anew {
            self.fit(&on_node);
        }
    }

    /// Nodes hold what they have room for, of a class of items one.
    fn fit(&mut self, on_node: &[Vec<(usize, usize)>]) {
        let model = &self.work.cover.model;
        for (node, columns) in self.work.nodes.iter().zip(on_node) {
            let capacity = &model.bins[node.bin].capacity;
            for r in (0..RESOURCES).filter(|r| capacity[*r] < u64::MAX) {
                let scale = 1.0 / capacity[r].max(1) as f64;
                let row = columns.iter().map(|(column, item)| (*column, model.items[*item].demand[r] as f64 * scale));
                self.milp.add_row(f64::NEG_INFINITY, 1.0 - 1e-9, row);
            }
            for clique in model.cliques.iter().filter(|c| c.len() > 1) {
                let row = columns.iter().filter(|(_, item)| clique.contains(item)).map(|(column, _)| (*column, 1.0));
                self.milp.add_row(f64::NEG_INFINITY, 1.0, row);
            }
        }
    }

    /// Components that never meet, beyond the classes that the plan keeps.
    fn keep_apart(&mut self) {
        let mut by_node: Vec<Vec<&Seat>> = vec![Vec::new(); self.work.nodes.len()];
        self.seats.iter().for_each(|seat| by_node[seat.node].push(seat));
        for seats in by_node {
            keep_apart(&mut self.milp, &seats, &self.work.rules.apart);
            if self.milp.rows() > MOST_SIZE {
                return;
            }
        }
    }

    /// At most so many of a component in a zone; sets in one zone together.
    fn keep_zones(&mut self) {
        let work = self.work;
        let count = work.zones.names.len();
        let mut of_set: Vec<Vec<usize>> = vec![Vec::new(); work.snapshot.application.structure.len()];
        for (component, number) in work.cover.members.iter().flatten() {
            let in_zone = |z: usize| {
                let mine = self.seats.iter().filter(move |s| s.component == *component && s.zone == Some(z));
                mine.map(|s| (s.column, 1.0)).collect::<Vec<_>>()
            };
            let rules = work.snapshot.application[*component].spread.iter();
            if let Some(most) = rules.filter(|s| s.by == SpreadBy::Zone).map(|s| s.at_most).min() {
                let rows: Vec<_> = (0..count).map(in_zone).collect();
                rows.into_iter().for_each(|row| self.milp.add_row(f64::NEG_INFINITY, f64::from(most), row));
            }
            let Some(set) = work.rules.together[component.index()] else { continue };
            if of_set[set].is_empty() {
                of_set[set] = (0..count).map(|_| self.milp.add_column(0.0, 1.0, true)).collect();
                let one = of_set[set].iter().map(|column| (*column, 1.0));
                self.milp.add_row(1.0, 1.0, one);
            }
            for (z, stands) in of_set[set].iter().enumerate() {
                let mine = self.seats.iter().filter(|s| s.component == *component && s.zone == Some(z));
                let mut row: Vec<(usize, f64)> = mine.map(|s| (s.column, 1.0)).collect();
                row.push((*stands, -f64::from(*number)));
                self.milp.add_row(f64::NEG_INFINITY, 0.0, row);
            }
        }
    }

    fn seating(&self, values: &[f64]) -> Seating {
        let number = |column: usize| values[column].round() as u32;
        let seats = self.seats.iter().map(|s| (s.component, s.node, number(s.column))).filter(|s| s.2 > 0).collect();
        let zones = self
            .zone
            .iter()
            .map(|zones| zones.iter().find(|(_, column)| values[*column] > 0.5).map_or(0, |(z, _)| *z))
            .collect();
        let left = |(component, column): &(ComponentId, usize)| vec![*component; number(*column) as usize];
        Seating { seats, zones, left_over: self.missing.iter().flat_map(left).collect() }
    }
}

/// A component on a node: the columns of its seats, one for each zone that the node can stand in.
struct Presence {
    component: ComponentId,
    columns: Vec<usize>,
    /// The largest number of instances.
    most: f64,
    /// A column that is one where there are instances, as soon as it is needed.
    there: Option<usize>,
}

impl Presence {
    /// The components of some seats of one node.
    fn all(milp: &Milp, seats: &[&Seat]) -> Vec<Presence> {
        let mut all: Vec<Presence> = Vec::new();
        for seat in seats {
            let most = milp.upper[seat.column];
            match all.iter_mut().find(|p| p.component == seat.component) {
                Some(presence) => {
                    presence.columns.push(seat.column);
                    presence.most = presence.most.max(most);
                }
                None => {
                    all.push(Presence { component: seat.component, columns: vec![seat.column], most, there: None });
                }
            }
        }
        all
    }

    /// Columns of which the sum is one where there are instances: those of the seats where one instance is the most,
    /// because a node stands in one zone; otherwise one of its own.
    fn told(&mut self, milp: &mut Milp) -> Vec<usize> {
        if self.most <= 1.0 {
            return self.columns.clone();
        }
        vec![*self.there.get_or_insert_with(|| {
            let there = milp.add_column(0.0, 1.0, true);
            let seats = self.columns.iter().map(|column| (*column, 1.0));
            milp.add_row(f64::NEG_INFINITY, 0.0, seats.chain([(there, -self.most)]));
            there
        })]
    }
}

/// Of the components of one node those that never meet: one of two is not there at all.
fn keep_apart(milp: &mut Milp, seats: &[&Seat], apart: &[Vec<bool>]) {
    let mut all = Presence::all(milp, seats);
    for at in 1..all.len() {
        let (before, rest) = all.split_at_mut(at);
        let b = &mut rest[0];
        let other = b.component.index();
        let never = |a: &Presence| apart[a.component.index()].get(other).copied().unwrap_or(false);
        for a in before.iter_mut().filter(|a| never(a)) {
            let both = a.told(milp).into_iter().chain(b.told(milp));
            milp.add_row(f64::NEG_INFINITY, 1.0, both.map(|column| (column, 1.0)));
            if milp.rows() > MOST_SIZE {
                return;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Seats on one node, by component and largest number; the most instances that sit apart.
    fn most_apart(seats: &[(u32, f64)], apart: &[(usize, usize)]) -> (Milp, Vec<f64>) {
        let mut milp = Milp::default();
        let mut sit = |(component, most): &(u32, f64)| {
            let column = milp.add_column(0.0, *most, true);
            milp.cost[column] = -1.0;
            Seat { component: ComponentId(*component), node: 0, zone: None, column }
        };
        let all: Vec<Seat> = seats.iter().map(&mut sit).collect();
        let mut never = vec![vec![false; seats.len()]; seats.len()];
        apart.iter().for_each(|(a, b)| (never[*a][*b], never[*b][*a]) = (true, true));
        keep_apart(&mut milp, &all.iter().collect::<Vec<_>>(), &never);
        let values = engine::run(&milp, None, &Limits::default(), Presolve::Automatic).unwrap().values.unwrap();
        let numbers = values[..seats.len()].iter().map(|x| x.round()).collect();
        (milp, numbers)
    }

    #[test]
    fn of_components_that_never_meet_a_node_has_one() {
        // Shares of the largest numbers would allow two of each of the first two.
        let (milp, numbers) = most_apart(&[(0, 4.0), (1, 4.0), (2, 3.0)], &[(0, 1), (1, 2)]);
        assert_eq!(numbers, [4.0, 0.0, 3.0]);
        assert_eq!((milp.columns(), milp.rows()), (6, 5));
        for halves in [[2.0, 2.0], [1.0, 3.0]] {
            let (mut milp, _) = most_apart(&[(0, 4.0), (1, 4.0)], &[(0, 1)]);
            (0..2).for_each(|x| milp.lower[x] = halves[x]);
            let run = engine::run(&milp, None, &Limits::default(), Presolve::Automatic).unwrap();
            assert_eq!(run.values, None, "{halves:?}");
        }
    }

    #[test]
    fn single_instances_are_kept_apart_without_columns_of_their_own() {
        let (milp, numbers) = most_apart(&[(0, 1.0), (1, 1.0), (2, 1.0)], &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(numbers.iter().sum::<f64>(), 1.0);
        assert_eq!((milp.columns(), milp.rows()), (3, 3));
        // Seats of one component in two zones are one component.
        let (milp, numbers) = most_apart(&[(0, 2.0), (0, 2.0), (1, 1.0)], &[(0, 1)]);
        assert_eq!(numbers.iter().sum::<f64>(), 2.0);
        assert_eq!((milp.columns(), milp.rows()), (4, 2));
    }
}
