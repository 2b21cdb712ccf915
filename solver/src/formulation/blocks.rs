//! The columns of each part of the placement, and what they count.

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::Fleet;
use cardinal_models::formula::expr::Aggregate;
use cardinal_models::offer::{Attribute, Offer};
use cardinal_models::placement::{NodeGroup, Placement, Setting, SettingValue};
use cardinal_models::quantity::Price;

use super::{Cluster, FormulateError, Formulation, Linear, MOST_ROWS};
use crate::bound::{Part, parts_of};
use crate::division::UniformDivision;
use crate::pattern::{Listing, Patterns};
use crate::space::Choices;
use crate::term::{FleetTerm, Point, Slot, Term};

/// One choice of a uniform component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Position in the component's [`Choices::offers`]; `None` for no instances.
    pub offer: Option<u32>,
    /// The number of instances.
    pub n: u32,
}

/// What a column of a mixed fleet counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Position in the component's [`Choices::offers`].
    pub offer: u32,
    /// The zone, where a spread rule counts by zone.
    pub zone: Option<u16>,
}

/// A part of the placement with its columns, which begin at `first`.
#[derive(Clone, Debug)]
pub enum Block<'a> {
    /// A uniform component: one column for each row, exactly one of them 1.
    Uniform {
        /// The component.
        component: ComponentId,
        /// What it chooses from.
        choices: &'a Choices,
        /// The rows.
        rows: Vec<Row>,
        /// The first column.
        first: usize,
    },
    /// A free attribute: one column for each value, exactly one of them 1.
    Values {
        /// The component.
        component: ComponentId,
        /// The attribute.
        slot: Slot,
        /// The values.
        values: Vec<f64>,
        /// The first column.
        first: usize,
    },
    /// A mixed component: each column counts nodes.
    Mixed {
        /// The component.
        component: ComponentId,
        /// What it chooses from.
        choices: &'a Choices,
        /// What the columns count.
        cells: Vec<Cell>,
        /// The first column.
        first: usize,
    },
    /// The shared pool: each column counts nodes of a pattern.
    Pool {
        /// The patterns.
        patterns: &'a Patterns,
        /// The first column.
        first: usize,
        /// With maximal patterns only: the column that holds the number of instances of each component.
        cardinalities: Vec<(ComponentId, usize)>,
    },
}

impl Block<'_> {
    /// The part that the block stands for.
    pub fn part(&self) -> Part {
        match self {
            Block::Uniform { component, .. } | Block::Mixed { component, .. } => Part::Dedicated(*component),
            Block::Values { component, slot, .. } => Part::Attribute(*component, *slot),
            Block::Pool { .. } => Part::Pool,
        }
    }

    /// The first column and the number of columns, without those that hold numbers of instances.
    pub fn columns(&self) -> (usize, usize) {
        match self {
            Block::Uniform { rows, first, .. } => (*first, rows.len()),
            Block::Values { values, first, .. } => (*first, values.len()),
            Block::Mixed { cells, first, .. } => (*first, cells.len()),
            Block::Pool { patterns, first, .. } => (*first, patterns.list.len()),
        }
    }

    /// Calls `visit` for each column as [`Block::sum`] does.
    pub fn each(&self, mut visit: impl FnMut(Option<OfferIndex>, u32, usize)) {
        self.sum(|offer, nodes, at| {
            visit(offer, nodes, at);
            0.0
        });
    }

    /// The expression whose coefficient at each column is given by `each`, called with the offer, the number of nodes
    /// that the column at 1 stands for, and its position in the block.
    pub fn sum(&self, mut each: impl FnMut(Option<OfferIndex>, u32, usize) -> f64) -> Linear {
        let terms = match self {
            Block::Uniform { choices, rows, first, .. } => rows
                .iter()
                .enumerate()
                .map(|(i, r)| (first + i, each(r.offer.map(|o| choices.offers[o as usize]), r.n, i)))
                .collect(),
            Block::Values { .. } => Vec::new(),
            Block::Mixed { choices, cells, first, .. } => cells
                .iter()
                .enumerate()
                .map(|(i, c)| (first + i, each(Some(choices.offers[c.offer as usize]), 1, i)))
                .collect(),
            Block::Pool { patterns, first, .. } => {
                patterns.list.iter().enumerate().map(|(i, p)| (first + i, each(Some(p.offer), 1, i))).collect()
            }
        };
        Linear { terms, constant: 0.0 }
    }
}

/// The leaves of a uniform component at one of its rows.
pub(crate) struct RowPoint<'a> {
    pub component: ComponentId,
    pub choices: &'a Choices,
    pub row: Row,
    pub price: Price,
}

impl Point for RowPoint<'_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        match (self.row.offer, self.choices.columns.get(&slot)) {
            (Some(offer), Some(column)) if component == self.component => column[offer as usize],
            _ => f64::NAN,
        }
    }
    fn cardinality(&self, component: ComponentId) -> f64 {
        if component == self.component { f64::from(self.row.n) } else { f64::NAN }
    }
    fn cost(&self, component: Option<ComponentId>) -> f64 {
        let mine = component == Some(self.component);
        if mine { self.price.times(u64::from(self.row.n)).units() } else { f64::NAN }
    }
    fn paid(&self, parts: &[Option<ComponentId>]) -> f64 {
        if parts != [Some(self.component)] {
            return f64::NAN;
        }
        let covered = self.row.offer.and_then(|offer| self.choices.covered.get(offer as usize)).copied();
        self.price.units() * (f64::from(self.row.n) - covered.unwrap_or(0.0)).max(0.0)
    }
    fn nodes(&self, component: Option<ComponentId>) -> f64 {
        if component == Some(self.component) { f64::from(self.row.n) } else { f64::NAN }
    }
    fn fleet(&self, fleet: &FleetTerm) -> f64 {
        let counts = match &fleet.filter {
            Some(filter) if self.row.n > 0 => filter.evaluate(self),
            _ => 1.0,
        };
        if counts.is_nan() {
            return counts;
        }
        let n = if counts != 0.0 { f64::from(self.row.n) } else { 0.0 };
        match fleet.aggregate {
            Aggregate::Count => n,
            Aggregate::Sum if n == 0.0 => 0.0,
            Aggregate::Sum => n * fleet.body.evaluate(self),
            _ if n == 0.0 => f64::NAN,
            _ => fleet.body.evaluate(self),
        }
    }
}

/// One value of a free attribute, and nothing else.
pub(crate) struct ValuePoint {
    pub component: ComponentId,
    pub slot: Slot,
    pub value: f64,
}

impl Point for ValuePoint {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        if component == self.component && slot == self.slot { self.value } else { f64::NAN }
    }
}

impl<'a> Formulation<'a> {
    /// Adds the columns of a part and what ties them together.
    pub(super) fn add_block(
        &mut self,
        part: Part,
        patterns: Option<&'a Patterns>,
        cluster: &Cluster,
    ) -> Result<(), FormulateError> {
        match part {
            Part::Pool => {
                if let Some(patterns) = patterns {
                    self.add_pool(patterns);
                }
                Ok(())
            }
            Part::Attribute(component, slot) => self.add_values(component, slot, cluster),
            Part::Dedicated(component) => {
                let choices = &self.space.dedicated[component.index()];
                match self.snapshot.application[component].fleet {
                    Fleet::Uniform => self.add_uniform(component, choices, cluster),
                    Fleet::Mixed => {
                        self.add_mixed(component, choices);
                        Ok(())
                    }
                }
            }
        }
    }

    /// Every (offer, cardinality) row of a uniform component that the rules on this component alone allow.
    fn add_uniform(
        &mut self,
        component: ComponentId,
        choices: &'a Choices,
        cluster: &Cluster,
    ) -> Result<(), FormulateError> {
        let rows = self.uniform_rows(component, choices, cluster)?;
        let first = self.milp.columns();
        for _ in &rows {
            self.milp.add_column(0.0, 1.0, true);
        }
        if rows.is_empty() {
            self.contradiction = true;
        } else {
            self.milp.add_row(1.0, 1.0, (first..first + rows.len()).map(|c| (c, 1.0)));
            self.one_hot.push((first, rows.len()));
        }
        self.blocks.push(Block::Uniform { component, choices, rows, first });
        Ok(())
    }

    fn add_values(&mut self, component: ComponentId, slot: Slot, cluster: &Cluster) -> Result<(), FormulateError> {
        let values = self.free_values(component, slot, cluster)?;
        let first = self.milp.columns();
        for _ in &values {
            self.milp.add_column(0.0, 1.0, true);
        }
        if values.is_empty() {
            self.contradiction = true;
        } else {
            self.milp.add_row(1.0, 1.0, (first..first + values.len()).map(|c| (c, 1.0)));
            self.one_hot.push((first, values.len()));
        }
        self.blocks.push(Block::Values { component, slot, values, first });
        Ok(())
    }

    /// The values of a free attribute on which every constraint over it alone holds and every part of the objective
    /// over it alone has a value.
    pub(crate) fn free_values(
        &mut self,
        component: ComponentId,
        slot: Slot,
        cluster: &Cluster,
    ) -> Result<Vec<f64>, FormulateError> {
        let application = &self.snapshot.application;
        let Some(domain) = self.space.free.get(&(component, slot)) else { return Ok(Vec::new()) };
        if domain.count() > MOST_ROWS {
            let attribute = self.bound.slots.attribute(slot).name();
            return Err(FormulateError::TooManyRows {
                component: format!("{}.{attribute}", application[component].name),
                rows: domain.count(),
                limit: MOST_ROWS,
            });
        }
        let own = [Part::Attribute(component, slot)];
        let constraints = cluster.constraints.iter().map(|i| &self.bound.constraints[*i].term);
        let constraints: Vec<_> = constraints.filter(|t| parts_of(application, t) == own).collect();
        let is_own = |t: &&Term| parts_of(application, t).iter().all(|part| *part == own[0]);
        let objective: Vec<_> = cluster.objective.iter().filter(is_own).collect();
        let mut undefined = 0;
        let values = domain.iter().filter(|value| {
            let point = ValuePoint { component, slot, value: *value };
            let truths: Vec<f64> = constraints.iter().map(|t| t.evaluate(&point)).collect();
            let lacks = truths.iter().any(|x| x.is_nan()) || objective.iter().any(|t| t.evaluate(&point).is_nan());
            undefined += u64::from(lacks);
            !lacks && truths.iter().all(|x| *x != 0.0)
        });
        let values = values.collect();
        self.undefined_rows += undefined;
        Ok(values)
    }

    /// The rows of a uniform component on which every constraint over it alone holds and every part of the objective
    /// over it alone has a value.
    pub(crate) fn uniform_rows(
        &mut self,
        component: ComponentId,
        choices: &'a Choices,
        cluster: &Cluster,
    ) -> Result<Vec<Row>, FormulateError> {
        let application = &self.snapshot.application;
        let details = &application[component];
        let kinds = if details.is_free() { 1 } else { choices.offers.len() as u64 };
        let total = kinds * details.cardinality.count();
        if total > MOST_ROWS {
            return Err(FormulateError::TooManyRows {
                component: details.name.to_string(),
                rows: total,
                limit: MOST_ROWS,
            });
        }
        let own = [Part::Dedicated(component)];
        let constraints: Vec<_> = cluster
            .constraints
            .iter()
            .map(|i| &self.bound.constraints[*i].term)
            .filter(|t| parts_of(application, t) == own)
            .collect();
        // What looks at nothing has a value everywhere or nowhere.
        let is_own = |t: &&Term| parts_of(application, t).iter().all(|part| *part == own[0]);
        let objective: Vec<_> = cluster.objective.iter().filter(is_own).collect();
        let running = self.running_on(component);
        let division = UniformDivision::of(self.snapshot, component);
        let mut rows = Vec::new();
        if details.is_free() {
            rows.extend(details.cardinality.iter().map(|n| Row { offer: None, n }));
        } else if details.cardinality.contains(0) && (details.moveable || running.is_empty()) {
            rows.push(Row { offer: None, n: 0 });
        }
        for offer in 0..choices.offers.len() {
            let runs = running.iter().find(|(o, _)| *o == choices.offers[offer]).map_or(0, |(_, n)| *n);
            // Instances that must stay leave a uniform fleet only the offer that they are on.
            if !details.moveable && !running.is_empty() && (runs == 0 || running.len() > 1) {
                continue;
            }
            let least = if details.moveable { 1 } else { runs.max(1) };
            let details_of_offer = &self.snapshot.catalog[choices.offers[offer]];
            let fits = |n: u32| choices.exactly[offer].is_none_or(|k| k == n) && division.allows(details_of_offer, n);
            let allowed = details.cardinality.iter().filter(|n| *n >= least && *n <= choices.most[offer] && fits(*n));
            rows.extend(allowed.map(|n| Row { offer: Some(offer as u32), n }));
        }
        let before = rows.len();
        let mut undefined = 0;
        rows.retain(|row| {
            let price = row.offer.map_or(Price::ZERO, |o| self.snapshot.catalog[choices.offers[o as usize]].price);
            let point = RowPoint { component, choices, row: *row, price };
            let mut has_value = true;
            let mut check = |x: f64| {
                has_value &= !x.is_nan();
                x != 0.0 && !x.is_nan()
            };
            let holds = constraints.iter().all(|t| check(t.evaluate(&point)))
                && objective.iter().all(|t| !t.evaluate(&point).is_nan() || check(f64::NAN));
            undefined += u64::from(!has_value);
            holds
        });
        debug_assert!(rows.len() <= before);
        self.undefined_rows += undefined;
        Ok(rows)
    }

    /// The offers on which instances of a dedicated component run now, with their number.
    pub(crate) fn running_on(&self, component: ComponentId) -> Vec<(OfferIndex, u32)> {
        let mut running: Vec<(OfferIndex, u32)> = Vec::new();
        for group in self.snapshot.current.iter().flat_map(|c| &c.placement.groups) {
            let n: u32 = group.instances.iter().filter(|(c, _)| *c == component).map(|(_, n)| *n).sum();
            if n == 0 {
                continue;
            }
            let n = n.saturating_mul(group.count);
            match running.iter_mut().find(|(o, _)| *o == group.offer) {
                Some((_, sum)) => *sum = sum.saturating_add(n),
                None => running.push((group.offer, n)),
            }
        }
        running
    }

    fn add_mixed(&mut self, component: ComponentId, choices: &'a Choices) {
        let details = &self.snapshot.application[component];
        let by_zone = details.counts_zones();
        let most = f64::from(details.cardinality.max());
        let first = self.milp.columns();
        let mut cells = Vec::new();
        for (i, offer) in choices.offers.iter().enumerate() {
            let zones = self.snapshot.catalog[*offer].zones.len() as u16;
            let zones: Vec<Option<u16>> =
                if by_zone && zones > 0 { (0..zones).map(Some).collect() } else { vec![None] };
            for zone in zones {
                self.milp.add_column(0.0, most, true);
                cells.push(Cell { offer: i as u32, zone });
            }
        }
        self.blocks.push(Block::Mixed { component, choices, cells, first });
        self.bound_cardinality(component);
    }

    fn add_pool(&mut self, patterns: &'a Patterns) {
        let application = &self.snapshot.application;
        let shared = crate::pattern::shared_components(application);
        let first = self.milp.columns();
        for pattern in &patterns.list {
            let each = pattern.instances.iter().map(|(c, n)| (application[*c].cardinality.max(), *n));
            let most = match patterns.listing {
                Listing::Every => each.map(|(most, n)| most / n).min().unwrap_or(0),
                Listing::Maximal => each.map(|(most, n)| most.div_ceil(n)).max().unwrap_or(0),
            };
            self.milp.add_column(0.0, f64::from(most), true);
        }
        let cardinalities: Vec<(ComponentId, usize)> = match patterns.listing {
            Listing::Every => Vec::new(),
            Listing::Maximal => shared
                .iter()
                .map(|c| {
                    let range = &application[*c].cardinality;
                    (*c, self.milp.add_column(f64::from(range.min()), f64::from(range.max()), true))
                })
                .collect(),
        };
        self.blocks.push(Block::Pool { patterns, first, cardinalities: cardinalities.clone() });
        for (component, column) in cardinalities {
            // The nodes have room for at least the instances that are wanted.
            let mut room = self.room(component);
            room.terms.push((column, -1.0));
            self.row(room, 0.0, f64::INFINITY);
        }
        for component in shared {
            self.bound_cardinality(component);
        }
    }

    /// For how many instances of a shared component the nodes have room.
    fn room(&self, component: ComponentId) -> Linear {
        match self.block(Part::Pool) {
            Some(block @ Block::Pool { patterns, .. }) => {
                block.sum(|_, _, i| f64::from(patterns.list[i].count(component)))
            }
            _ => Linear::default(),
        }
    }

    /// The number of instances of a component.
    pub(crate) fn cardinality(&self, component: ComponentId) -> Linear {
        match self.block_of(component) {
            Some(Block::Pool { cardinalities, .. }) => match cardinalities.iter().find(|(c, _)| *c == component) {
                Some((_, column)) => Linear { terms: vec![(*column, 1.0)], constant: 0.0 },
                None => self.room(component),
            },
            Some(block) => block.sum(|_, n, _| f64::from(n)),
            None => Linear::default(),
        }
    }

    /// Holds the number of instances inside its allowed ranges.
    fn bound_cardinality(&mut self, component: ComponentId) {
        let ranges = self.snapshot.application[component].cardinality.ranges().to_vec();
        let cardinality = self.cardinality(component);
        if let [(low, high)] = ranges[..] {
            self.row(cardinality, f64::from(low), f64::from(high));
            return;
        }
        let first = self.milp.columns();
        for _ in &ranges {
            self.milp.add_column(0.0, 1.0, true);
        }
        self.one_hot.push((first, ranges.len()));
        self.milp.add_row(1.0, 1.0, (first..first + ranges.len()).map(|c| (c, 1.0)));
        let (mut above, mut below) = (cardinality.clone(), cardinality);
        for (i, (low, high)) in ranges.iter().enumerate() {
            above.terms.push((first + i, -f64::from(*low)));
            below.terms.push((first + i, -f64::from(*high)));
        }
        self.row(above, 0.0, f64::INFINITY);
        self.row(below, f64::NEG_INFINITY, 0.0);
    }

    fn offer(&self, offer: Option<OfferIndex>) -> Option<&Offer> {
        offer.map(|o| &self.snapshot.catalog[o])
    }

    /// The sum over all nodes of a block of a property of their offer.
    pub(crate) fn over_nodes(&self, block: &Block<'_>, property: impl Fn(&Offer) -> f64) -> Linear {
        block.sum(|offer, n, _| self.offer(offer).map_or(0.0, |o| f64::from(n) * property(o)))
    }

    /// The price of all nodes of a block, in currency units per hour.
    pub(crate) fn cost(&self, block: &Block<'_>) -> Linear {
        block.sum(|offer, n, _| self.offer(offer).map_or(0.0, |o| o.price.times(u64::from(n)).units()))
    }

    /// The placement that a solution of the program stands for.
    pub fn placement(&self, x: &[f64]) -> Placement {
        let (mut groups, mut settings) = (Vec::new(), Vec::new());
        for block in &self.blocks {
            match block {
                Block::Uniform { component, choices, rows, first } => {
                    let chosen = rows.iter().enumerate().find(|(i, _)| x[first + i] > 0.5).map(|(_, r)| *r);
                    if let Some(row) = chosen {
                        let part = self.uniform_placement(*component, choices, row);
                        groups.extend(part.groups);
                        settings.extend(part.settings);
                    }
                }
                Block::Values { component, slot, values, first } => {
                    let chosen = values.iter().enumerate().find(|(i, _)| x[first + i] > 0.5);
                    settings.extend(chosen.map(|(_, value)| self.setting(*component, *slot, *value)));
                }
                Block::Mixed { component, choices, cells, first } => {
                    for (i, cell) in cells.iter().enumerate() {
                        groups.push(NodeGroup {
                            offer: choices.offers[cell.offer as usize],
                            zone: cell.zone,
                            instances: vec![(*component, 1)],
                            count: x[first + i].round() as u32,
                        });
                    }
                }
                Block::Pool { patterns, first, cardinalities } => {
                    let mut pool: Vec<NodeGroup> = patterns
                        .list
                        .iter()
                        .enumerate()
                        .map(|(i, p)| NodeGroup {
                            offer: p.offer,
                            zone: p.zone,
                            instances: p.instances.clone(),
                            count: x[first + i].round() as u32,
                        })
                        .filter(|g| g.count > 0)
                        .collect();
                    for (component, column) in cardinalities {
                        trim(&mut pool, *component, x[*column].round() as u64);
                    }
                    groups.extend(pool);
                }
            }
        }
        let mut placement = Placement { groups, settings };
        placement.groups.retain(|g| !g.instances.is_empty());
        placement.normalize();
        placement
    }

    /// A free attribute with its value.
    pub(crate) fn setting(&self, component: ComponentId, slot: Slot, value: f64) -> Setting {
        let attribute = self.bound.slots.attribute(slot).clone();
        Setting { component, attribute, value: SettingValue(value) }
    }

    /// What a row of a uniform component stands for: nodes, or a number of instances without nodes.
    pub(crate) fn uniform_placement(&self, component: ComponentId, choices: &Choices, row: Row) -> Placement {
        if !self.snapshot.application[component].is_free() {
            return Placement::of(self.uniform_groups(component, choices, row));
        }
        let value = SettingValue(f64::from(row.n));
        let setting = Setting { component, attribute: Attribute::Cardinality, value };
        Placement { groups: Vec::new(), settings: vec![setting] }
    }

    /// The nodes of a row of a uniform component, over the zones in turn where a rule spreads by zone.
    pub(crate) fn uniform_groups(&self, component: ComponentId, choices: &Choices, row: Row) -> Vec<NodeGroup> {
        let Some(offer) = row.offer.map(|o| choices.offers[o as usize]) else { return Vec::new() };
        let by_zone = self.snapshot.application[component].counts_zones();
        let zones = self.snapshot.catalog[offer].zones.len() as u32;
        let group = |zone, count| NodeGroup { offer, zone, instances: vec![(component, 1)], count };
        if !by_zone || zones == 0 {
            return vec![group(None, row.n)];
        }
        (0..zones).map(|z| group(Some(z as u16), row.n / zones + u32::from(z < row.n % zones))).collect()
    }
}

/// Takes instances of a component off the nodes until `wanted` are left.
fn trim(pool: &mut Vec<NodeGroup>, component: ComponentId, wanted: u64) {
    let on = |g: &NodeGroup| g.instances.iter().find(|(c, _)| *c == component).map_or(0, |(_, n)| *n);
    let placed: u64 = pool.iter().map(|g| u64::from(on(g)) * u64::from(g.count)).sum();
    let mut surplus = placed.saturating_sub(wanted);
    let mut split: Vec<NodeGroup> = Vec::new();
    for group in pool.iter_mut() {
        let each = u64::from(on(group));
        if surplus == 0 || each == 0 {
            continue;
        }
        let without = |g: &NodeGroup, n: u32| {
            let mut instances = g.instances.clone();
            instances.iter_mut().filter(|(c, _)| *c == component).for_each(|(_, k)| *k = n);
            instances.retain(|(_, k)| *k > 0);
            instances
        };
        let whole = (surplus / each).min(u64::from(group.count)) as u32;
        if whole > 0 {
            split.push(NodeGroup { instances: without(group, 0), count: whole, ..group.clone() });
            group.count -= whole;
            surplus -= u64::from(whole) * each;
        }
        if surplus > 0 && group.count > 0 {
            let rest = (each - surplus.min(each)) as u32;
            split.push(NodeGroup { instances: without(group, rest), count: 1, ..group.clone() });
            group.count -= 1;
            surplus -= surplus.min(each);
        }
    }
    pool.extend(split);
    pool.retain(|g| g.count > 0);
}
