//! Tables over the places of two parts of the placement, and the sets of places of data sources.
//!
//! Each part has an indicator for every place that it can be in. A column for each pair of places, whose sums over either
//! side are the indicators of the other, is the linear description of their products. (The reformulation-linearization
//! technique: Adams and Sherali, A tight linearization and an algorithm for zero-one quadratic programming problems,
//! Management Science 32, 1986.)

use std::sync::Arc;

use cardinal_models::application::{ComponentId, DataId};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::placement::Replica;

use super::blocks::ReplicaPoint;
use super::tabulate::Known;
use super::{Block, Cluster, Encoded, FormulateError, Formulation, Linear};
use crate::bound::{Part, parts_of};
use crate::term::{FleetTerm, Grid, Point, Slot, Term, apply};

/// At most so many pairs of places of one link.
const MOST_PAIRS: usize = 200_000;

/// The columns of the pairs of two keys.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    rows: Term,
    columns: Term,
    first: usize,
}

/// The attributes of a shared node for the place of an instance on it.
pub(super) struct PoolPoint<'f, 'a> {
    pub formulation: &'f Formulation<'a>,
    pub component: ComponentId,
    pub offer: OfferIndex,
}

impl Point for PoolPoint<'_, '_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        let bound = self.formulation.bound;
        if component != self.component || !bound.slots.is_place(slot) {
            return f64::NAN;
        }
        bound.slots.value(slot, &self.formulation.snapshot.catalog[self.offer], &bound.interner)
    }
    fn cardinality(&self, _: ComponentId) -> f64 {
        f64::NAN
    }
    fn cost(&self, _: Option<ComponentId>) -> f64 {
        f64::NAN
    }
    fn nodes(&self, _: Option<ComponentId>) -> f64 {
        f64::NAN
    }
    fn fleet(&self, _: &FleetTerm) -> f64 {
        f64::NAN
    }
}

/// A shared node, and known values of everything else.
pub(super) struct Beside<'f, 'a> {
    pub pool: PoolPoint<'f, 'a>,
    pub known: Known<'f>,
}

impl Point for Beside<'_, '_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        if component == self.pool.component {
            self.pool.attribute(component, slot)
        } else {
            self.known.attribute(component, slot)
        }
    }
    fn cardinality(&self, component: ComponentId) -> f64 {
        self.known.cardinality(component)
    }
    fn cost(&self, component: Option<ComponentId>) -> f64 {
        self.known.cost(component)
    }
    fn nodes(&self, component: Option<ComponentId>) -> f64 {
        self.known.nodes(component)
    }
    fn fleet(&self, fleet: &FleetTerm) -> f64 {
        self.known.fleet(fleet)
    }
    fn replicas(&self, data: DataId) -> f64 {
        self.known.replicas(data)
    }
}

impl Formulation<'_> {
    /// True when an aggregate over instances on shared nodes looks at the places of the nodes.
    pub(super) fn looks_at_places(&self, fleet: &FleetTerm) -> bool {
        let mut found = false;
        for term in std::iter::once(&fleet.body).chain(&fleet.filter) {
            term.leaves(&mut |leaf| {
                found |= matches!(leaf, Term::Attribute(c, slot)
                    if *c == fleet.component && self.bound.slots.is_place(*slot));
            });
        }
        found
    }

    /// The marginals of two keys that belong to a part each of which exactly one choice is taken.
    fn keys(&mut self, rows: &Term, columns: &Term) -> Result<Option<[usize; 2]>, FormulateError> {
        let application = &self.snapshot.application;
        let (a, b) = (parts_of(application, rows), parts_of(application, columns));
        let ([a], [b]) = (&a[..], &b[..]) else { return Ok(None) };
        let is_choice = |part: &Part| {
            matches!(self.block(*part), Some(Block::Uniform { .. } | Block::Values { .. } | Block::Replicas { .. }))
        };
        if a == b || !is_choice(a) || !is_choice(b) {
            return Ok(None);
        }
        let both = [*a, *b];
        let first = self.marginal(*a, vec![rows.clone()], &both)?;
        let second = self.marginal(*b, vec![columns.clone()], &both)?;
        if self.marginals[first].values.len() * self.marginals[second].values.len() > MOST_PAIRS {
            return Err(self.too_many(&both));
        }
        Ok(Some([first, second]))
    }

    /// The columns of the pairs of two keys, made when they are new.
    fn pairs(&mut self, rows: &Term, columns: &Term, marginals: [usize; 2]) -> usize {
        if let Some(known) = self.pairs.iter().find(|p| p.rows == *rows && p.columns == *columns) {
            return known.first;
        }
        let [a, b] = marginals.map(|m| self.marginals[m].clone());
        let (n, m) = (a.values.len(), b.values.len());
        let first = self.milp.columns();
        for _ in 0..n * m {
            // Whole by what it is tied to.
            let column = self.milp.add_column(0.0, 1.0, false);
            self.tied.insert(column);
        }
        self.one_hot.push((first, n * m));
        let mut tie = |indicator: &Linear, members: &mut dyn Iterator<Item = usize>| {
            let mut row = Linear::default();
            row.add(indicator, -1.0);
            row.terms.extend(members.map(|c| (c, 1.0)));
            self.row(row, 0.0, 0.0);
        };
        for (i, indicator) in a.indicators.iter().enumerate() {
            tie(indicator, &mut (0..m).map(|j| first + i * m + j));
        }
        for (j, indicator) in b.indicators.iter().enumerate() {
            tie(indicator, &mut (0..n).map(|i| first + i * m + j));
        }
        self.pairs.push(Pairs { rows: rows.clone(), columns: columns.clone(), first });
        first
    }

    /// A table over two keys as a linear expression; `None` when its keys are of another kind.
    pub(super) fn encode_pairs(
        &mut self,
        grid: &Arc<Grid>,
        rows: &Term,
        columns: &Term,
    ) -> Result<Option<Encoded>, FormulateError> {
        let Some(marginals) = self.keys(rows, columns)? else { return Ok(None) };
        let entries = self.entries(grid, marginals);
        // A table of one value is that value.
        if let Some(same) = entries.first().copied().filter(|first| entries.iter().all(|x| x == first)) {
            return Ok(Some(Encoded { linear: Linear::constant(same), undefined: Vec::new() }));
        }
        let first = self.pairs(rows, columns, marginals);
        let mut encoded = Encoded::default();
        for (i, x) in entries.into_iter().enumerate() {
            match x.is_nan() {
                true => encoded.undefined.push(first + i),
                false if x == 0.0 => {}
                false => encoded.linear.terms.push((first + i, x)),
            }
        }
        Ok(Some(encoded))
    }

    fn entries(&self, grid: &Grid, [a, b]: [usize; 2]) -> Vec<f64> {
        let (a, b) = (&self.marginals[a].values, &self.marginals[b].values);
        a.iter().flat_map(|x| b.iter().map(|y| grid.at(x[0], y[0]))).collect()
    }

    /// Excludes the pairs of places on which a comparison of a table with a number does not hold; false when its keys
    /// are of another kind.
    pub(super) fn forbid_pairs(
        &mut self,
        op: BinaryOp,
        (grid, rows, columns): (&Arc<Grid>, &Term, &Term),
        limit: f64,
    ) -> Result<bool, FormulateError> {
        let Some(marginals) = self.keys(rows, columns)? else { return Ok(false) };
        let entries = self.entries(grid, marginals);
        let forbidden: Vec<usize> =
            (0..entries.len()).filter(|i| entries[*i].is_nan() || apply(op, entries[*i], limit) == 0.0).collect();
        if forbidden.is_empty() {
            return Ok(true);
        }
        if forbidden.len() == entries.len() {
            self.contradiction = true;
            return Ok(true);
        }
        let first = self.pairs(rows, columns, marginals);
        forbidden.into_iter().for_each(|i| self.milp.upper[first + i] = 0.0);
        Ok(true)
    }

    /// The sets of places of a data source on which every constraint over it alone holds and the objective has a value.
    pub(crate) fn replica_sets(&self, data: DataId, cluster: &Cluster) -> Vec<u32> {
        let application = &self.snapshot.application;
        let own = [Part::Data(data)];
        let is_own = |t: &&Term| parts_of(application, t) == own;
        let constraints = cluster.constraints.iter().map(|i| &self.bound.constraints[*i].term);
        let constraints: Vec<&Term> = constraints.filter(is_own).collect();
        let values: Vec<&Term> = cluster.objective.iter().chain(&cluster.spending).filter(is_own).collect();
        let count = self.bound.replicas.get(data.index()).map_or(0, Vec::len) as u32;
        let holds = |set: &u32| {
            let point = ReplicaPoint { data, set: *set };
            let truths = constraints.iter().map(|t| t.evaluate(&point));
            truths.into_iter().all(|x| x != 0.0 && !x.is_nan()) && values.iter().all(|t| !t.evaluate(&point).is_nan())
        };
        (0..count).filter(holds).collect()
    }

    /// Adds the columns of a data source.
    pub(super) fn add_replicas(&mut self, data: DataId, cluster: &Cluster) {
        let sets = self.replica_sets(data, cluster);
        let first = self.milp.columns();
        for _ in &sets {
            self.milp.add_column(0.0, 1.0, true);
        }
        if sets.is_empty() {
            self.contradiction = true;
        } else {
            self.milp.add_row(1.0, 1.0, (first..first + sets.len()).map(|c| (c, 1.0)));
            self.one_hot.push((first, sets.len()));
        }
        self.blocks.push(Block::Replicas { data, sets, first });
    }

    /// The replicas of a set.
    pub(crate) fn replica_set(&self, data: DataId, set: u32) -> Vec<Replica> {
        let names = self.bound.replicas.get(data.index()).and_then(|sets| sets.get(set as usize));
        names.into_iter().flatten().map(|place| Replica { data, place: place.clone() }).collect()
    }

    /// How many replicas of a set are where replicas are now.
    pub(crate) fn kept_replicas(&self, data: DataId, set: u32) -> u32 {
        let Some(current) = &self.snapshot.current else { return 0 };
        let wanted = self.replica_set(data, set);
        wanted.iter().filter(|r| current.placement.replicas.contains(r)).count() as u32
    }
}
