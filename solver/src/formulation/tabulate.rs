//! Terms that are no sums of tables: tabulated over the values that their leaves can take together.
//!
//! For each part of the placement that a term looks at, a *marginal* lists the combinations of values that the part's
//! leaves can take, each with an indicator. A joint table over several parts has one column for each combination of
//! their marginals, tied to the indicators.

use std::collections::BTreeSet;

use cardinal_models::application::ComponentId;
use cardinal_models::formula::expr::Aggregate;
use rustc_hash::FxHashMap;

use super::blocks::RowPoint;
use super::conditional::outside;
use super::encode::OfferPoint;
use super::{Block, Encoded, FormulateError, Formulation, Linear};
use crate::bound::{Part, parts_of};
use crate::space::Choices;
use crate::term::{FleetTerm, Point, Slot, Term};

/// The combinations of values that some leaves of one part can take.
#[derive(Clone, Debug)]
pub(crate) struct Marginal {
    part: Part,
    pub(super) leaves: Vec<Term>,
    /// The values of the leaves, by combination.
    pub(super) values: Vec<Vec<f64>>,
    /// For each combination an expression that is 1 when it is taken and 0 otherwise.
    pub(super) indicators: Vec<Linear>,
}

/// Leaves with given values.
pub(super) struct Known<'a> {
    pub(super) leaves: &'a [&'a Term],
    pub(super) values: &'a [f64],
}

impl Known<'_> {
    fn find(&self, test: impl Fn(&Term) -> bool) -> f64 {
        self.leaves.iter().position(|l| test(l)).map_or(f64::NAN, |i| self.values[i])
    }
}

impl Point for Known<'_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        self.find(|l| matches!(l, Term::Attribute(c, s) if *c == component && *s == slot))
    }
    fn cardinality(&self, component: ComponentId) -> f64 {
        self.find(|l| matches!(l, Term::Cardinality(c) if *c == component))
    }
    fn cost(&self, component: Option<ComponentId>) -> f64 {
        self.find(|l| matches!(l, Term::Cost(c) if *c == component))
    }
    fn paid(&self, parts: &[Option<ComponentId>]) -> f64 {
        self.find(|l| matches!(l, Term::Paid(p) if p == parts))
    }
    fn nodes(&self, component: Option<ComponentId>) -> f64 {
        self.find(|l| matches!(l, Term::Nodes(c) if *c == component))
    }
    fn fleet(&self, fleet: &FleetTerm) -> f64 {
        self.find(|l| matches!(l, Term::Fleet(f) if f.as_ref() == fleet))
    }
}

/// A value as a key: equal but for the last bits, which depend on the order of summation.
fn key(x: f64) -> u64 {
    if x.is_nan() {
        return f64::NAN.to_bits();
    }
    if x == 0.0 || x.is_infinite() {
        return (x + 0.0).to_bits();
    }
    let scale = 10f64.powi(9 - x.abs().log10().ceil() as i32);
    (x * scale).round().to_bits() ^ (scale.to_bits().rotate_left(17))
}

fn keys(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| key(*x)).collect()
}

impl Formulation<'_> {
    /// Encodes a term by the table over the joint values of its leaves.
    pub(super) fn tabulate(&mut self, term: &Term) -> Result<Encoded, FormulateError> {
        let parts = parts_of(&self.snapshot.application, term);
        let mut leaves: Vec<&Term> = Vec::new();
        term.leaves(&mut |leaf| {
            if !leaves.contains(&leaf) {
                leaves.push(leaf);
            }
        });
        if leaves.iter().any(|leaf| matches!(leaf, Term::Paid(_)) && !self.is_table(leaf)) {
            return Err(FormulateError::NonlinearPaid);
        }
        if leaves.iter().any(|leaf| parts_of(&self.snapshot.application, leaf).len() > 1) {
            return Err(FormulateError::Entangled);
        }
        let mut chosen = Vec::new();
        let mut combinations = 1usize;
        for part in &parts {
            let own: Vec<Term> = leaves
                .iter()
                .filter(|l| parts_of(&self.snapshot.application, l).first() == Some(part))
                .map(|l| (*l).clone())
                .collect();
            let index = self.marginal(*part, own, &parts)?;
            combinations = combinations.saturating_mul(self.marginals[index].values.len());
            if combinations > self.combinations {
                return Err(self.too_many(&parts));
            }
            chosen.push(index);
        }
        Ok(self.join(term, &chosen, combinations))
    }

    fn too_many(&self, parts: &[Part]) -> FormulateError {
        let names: Vec<String> = parts
            .iter()
            .map(|p| match p {
                Part::Dedicated(c) => format!("`{}`", self.snapshot.application[*c].name),
                Part::Attribute(c, slot) => {
                    let attribute = self.bound.slots.attribute(*slot).name();
                    format!("`{}.{attribute}`", self.snapshot.application[*c].name)
                }
                Part::Pool => "the shared components".to_owned(),
            })
            .collect();
        FormulateError::Nonlinear { parts: names.join(", "), limit: self.combinations }
    }

    /// One column for each joint combination, tied to the indicators of the marginals.
    fn join(&mut self, term: &Term, chosen: &[usize], combinations: usize) -> Encoded {
        let marginals: Vec<Marginal> = chosen.iter().map(|i| self.marginals[*i].clone()).collect();
        let leaves: Vec<&Term> = marginals.iter().flat_map(|m| &m.leaves).collect();
        let mut encoded = Encoded::default();
        let mut members: Vec<Vec<Vec<usize>>> = marginals.iter().map(|m| vec![Vec::new(); m.values.len()]).collect();
        let first = self.milp.columns();
        for number in 0..combinations {
            let mut rest = number;
            let picks: Vec<usize> = marginals
                .iter()
                .map(|m| {
                    let pick = rest % m.values.len();
                    rest /= m.values.len();
                    pick
                })
                .collect();
            let values: Vec<f64> =
                marginals.iter().zip(&picks).flat_map(|(m, p)| m.values[*p].iter().copied()).collect();
            let value = term.evaluate(&Known { leaves: &leaves, values: &values });
            if marginals.is_empty() && value.is_nan() {
                // Undefined everywhere: a column that is always taken.
                encoded.undefined.push(self.milp.add_column(1.0, 1.0, true));
                continue;
            }
            if marginals.is_empty() {
                encoded.linear.constant = value;
                continue;
            }
            if let [marginal] = &marginals[..] {
                let indicator = &marginal.indicators[picks[0]];
                match value.is_nan() {
                    true => encoded.undefined.extend(indicator.terms.iter().map(|(c, _)| *c)),
                    false => encoded.linear.add(indicator, value),
                }
                continue;
            }
            // Whole by what it is tied to. The engine is faster without being told.
            let column = self.milp.add_column(0.0, 1.0, false);
            self.tied.insert(column);
            members.iter_mut().zip(&picks).for_each(|(m, p)| m[*p].push(column));
            match value.is_nan() {
                true => encoded.undefined.push(column),
                false => encoded.linear.terms.push((column, value)),
            }
        }
        if marginals.len() > 1 {
            self.one_hot.push((first, combinations));
            for (marginal, members) in marginals.iter().zip(members) {
                for (indicator, columns) in marginal.indicators.iter().zip(members) {
                    let mut row = Linear::default();
                    row.add(indicator, -1.0);
                    row.terms.extend(columns.into_iter().map(|c| (c, 1.0)));
                    self.row(row, 0.0, 0.0);
                }
            }
        }
        encoded
    }

    /// The marginal of some leaves of a part, made when it is new.
    pub(super) fn marginal(&mut self, part: Part, leaves: Vec<Term>, all: &[Part]) -> Result<usize, FormulateError> {
        if let Some(found) = self.marginals.iter().position(|m| m.part == part && m.leaves == leaves) {
            return Ok(found);
        }
        let marginal = match self.block(part) {
            Some(Block::Uniform { .. }) => self.uniform_marginal(part, leaves),
            Some(Block::Values { values, first, .. }) => Marginal {
                part,
                // Of one attribute there is one leaf.
                values: values.iter().map(|value| vec![*value; leaves.len()]).collect(),
                indicators: (0..values.len())
                    .map(|i| Linear { terms: vec![(first + i, 1.0)], constant: 0.0 })
                    .collect(),
                leaves,
            },
            Some(Block::Mixed { component, choices, .. }) => {
                let (component, choices) = (*component, *choices);
                self.mixed_marginal(component, choices, leaves).ok_or_else(|| self.too_many(all))?
            }
            Some(Block::Pool { .. }) => self.pool_marginal(leaves, all)?,
            None => Marginal { part, leaves, values: Vec::new(), indicators: Vec::new() },
        };
        self.marginals.push(marginal);
        Ok(self.marginals.len() - 1)
    }

    fn uniform_marginal(&self, part: Part, leaves: Vec<Term>) -> Marginal {
        let mut marginal = Marginal { part, leaves, values: Vec::new(), indicators: Vec::new() };
        let Some(Block::Uniform { component, choices, rows, first }) = self.block(part) else { return marginal };
        let mut seen: FxHashMap<Vec<u64>, usize> = FxHashMap::default();
        for (i, row) in rows.iter().enumerate() {
            let offer = row.offer.map(|o| &self.snapshot.catalog[choices.offers[o as usize]]);
            let price = offer.map_or(cardinal_models::quantity::Price::ZERO, |o| o.price);
            let point = RowPoint { component: *component, choices, row: *row, price };
            let values: Vec<f64> = marginal.leaves.iter().map(|l| l.evaluate(&point)).collect();
            let at = *seen.entry(keys(&values)).or_insert_with(|| {
                marginal.values.push(values);
                marginal.indicators.push(Linear::default());
                marginal.indicators.len() - 1
            });
            marginal.indicators[at].terms.push((first + i, 1.0));
        }
        marginal
    }

    /// The combinations of sums, counts and extremes that fleets of an allowed size can have, found by adding one node
    /// after another.
    fn mixed_marginal(&mut self, component: ComponentId, choices: &Choices, leaves: Vec<Term>) -> Option<Marginal> {
        let part = Part::Dedicated(component);
        let (kinds, contributions) = self.contributions(component, choices, &leaves)?;
        let cardinality = self.snapshot.application[component].cardinality.clone();
        let start: Vec<f64> = kinds.iter().map(|k| k.neutral()).collect();
        let mut distinct: Vec<&Vec<f64>> = Vec::new();
        let mut seen = BTreeSet::new();
        for contribution in &contributions {
            if seen.insert(keys(contribution)) {
                distinct.push(contribution);
            }
        }
        let mut level = vec![start.clone()];
        let mut reached: FxHashMap<Vec<u64>, Vec<f64>> = FxHashMap::default();
        if cardinality.contains(0) {
            reached.insert(keys(&start), start);
        }
        for n in 1..=cardinality.max() {
            let mut next: FxHashMap<Vec<u64>, Vec<f64>> = FxHashMap::default();
            for state in &level {
                for contribution in &distinct {
                    let pairs = kinds.iter().zip(state.iter().zip(contribution.iter()));
                    let grown: Vec<f64> = pairs.map(|(kind, (a, b))| kind.joined(*a, *b)).collect();
                    next.entry(keys(&grown)).or_insert(grown);
                }
                if next.len() > self.combinations {
                    return None;
                }
            }
            if cardinality.contains(n) {
                reached.extend(next.iter().map(|(k, v)| (k.clone(), v.clone())));
                if reached.len() > self.combinations {
                    return None;
                }
            }
            level = next.into_values().collect();
            level.sort_by(|a, b| ascending(a, b));
        }
        let mut states: Vec<Vec<f64>> = reached.into_values().collect();
        states.sort_by(|a, b| ascending(a, b));
        let indicators = self.mixed_indicators(component, &kinds, &states, &contributions);
        let values = states.into_iter().map(|state| values_of(&kinds, leaves.len(), state)).collect();
        Some(Marginal { part, leaves, values, indicators })
    }

    /// What is added up along a fleet for the leaves, first one thing for each leaf, and what one node of each cell adds
    /// to each; `None` when a leaf cannot be built up node by node.
    fn contributions(
        &self,
        component: ComponentId,
        choices: &Choices,
        leaves: &[Term],
    ) -> Option<(Vec<Tally>, Vec<Vec<f64>>)> {
        let Some(Block::Mixed { cells, .. }) = self.block(Part::Dedicated(component)) else { return None };
        let mut kinds: Vec<Tally> = leaves.iter().map(Tally::of).collect();
        let each = |cell: &super::Cell| {
            let point = OfferPoint { component, choices, offer: cell.offer as usize };
            let price = self.snapshot.catalog[choices.offers[cell.offer as usize]].price.units();
            leaves
                .iter()
                .zip(&kinds)
                .map(|(leaf, kind)| match leaf {
                    Term::Cardinality(_) | Term::Nodes(_) => Some(1.0),
                    Term::Cost(_) => Some(price),
                    Term::Fleet(f) if outside(f).is_empty() => {
                        let counts = f.filter.as_ref().map_or(1.0, |t| t.evaluate(&point));
                        Some(match f.aggregate {
                            _ if counts.is_nan() => counts,
                            _ if counts == 0.0 => kind.neutral(),
                            Aggregate::Count => 1.0,
                            _ => f.body.evaluate(&point),
                        })
                    }
                    _ => None,
                })
                .collect::<Option<Vec<f64>>>()
        };
        let mut contributions = cells.iter().map(each).collect::<Option<Vec<_>>>()?;
        // A leaf without a value on some node has none on the fleet: such nodes are counted apart.
        for leaf in 0..leaves.len() {
            if !contributions.iter().any(|c| c[leaf].is_nan()) {
                continue;
            }
            for contribution in &mut contributions {
                let lacks = contribution[leaf].is_nan();
                if lacks {
                    contribution[leaf] = kinds[leaf].neutral();
                }
                contribution.push(f64::from(u8::from(lacks)));
            }
            kinds.push(Tally::Lacking(leaf));
        }
        Some((kinds, contributions))
    }

    /// One binary column for each state, tied to the nodes that are bought.
    fn mixed_indicators(
        &mut self,
        component: ComponentId,
        kinds: &[Tally],
        states: &[Vec<f64>],
        contributions: &[Vec<f64>],
    ) -> Vec<Linear> {
        let Some(Block::Mixed { first, .. }) = self.block(Part::Dedicated(component)) else { return Vec::new() };
        let cells = *first;
        let most = f64::from(self.snapshot.application[component].cardinality.max());
        let column = self.one_of(states.len());
        for (j, kind) in kinds.iter().enumerate() {
            let is_min = match kind {
                Tally::Sum | Tally::Lacking(_) => {
                    let mut sum = Linear::default();
                    sum.terms.extend(states.iter().enumerate().map(|(t, v)| (column + t, v[j])));
                    sum.terms.extend(contributions.iter().enumerate().map(|(i, c)| (cells + i, -c[j])));
                    self.row(sum, 0.0, 0.0);
                    continue;
                }
                Tally::Min => true,
                Tally::Max => false,
            };
            // A node may be used only where the extreme is at least as extreme ...
            for (i, contribution) in contributions.iter().enumerate() {
                let at = contribution[j];
                if at == kind.neutral() {
                    continue;
                }
                let mut row = Linear { terms: vec![(cells + i, 1.0)], constant: 0.0 };
                let as_extreme = |v: &Vec<f64>| if is_min { v[j] <= at } else { v[j] >= at };
                let allowed = states.iter().enumerate().filter(|(_, v)| key(v[j]) == key(at) || as_extreme(v));
                row.terms.extend(allowed.map(|(t, _)| (column + t, -most)));
                self.row(row, f64::NEG_INFINITY, 0.0);
            }
            // ... and one node attains it.
            let mut extremes: Vec<u64> = states.iter().map(|v| v[j]).filter(|x| x.is_finite()).map(key).collect();
            extremes.sort_unstable();
            extremes.dedup();
            for extreme in extremes {
                let attaining = contributions.iter().enumerate().filter(|(_, c)| key(c[j]) == extreme);
                let mut row = Linear::default();
                row.terms.extend(attaining.map(|(i, _)| (cells + i, 1.0)));
                let claiming = states.iter().enumerate().filter(|(_, v)| key(v[j]) == extreme);
                row.terms.extend(claiming.map(|(t, _)| (column + t, -1.0)));
                self.row(row, 0.0, f64::INFINITY);
            }
        }
        (0..states.len()).map(|t| Linear { terms: vec![(column + t, 1.0)], constant: 0.0 }).collect()
    }

    /// Adds binary columns of which exactly one is 1.
    fn one_of(&mut self, length: usize) -> usize {
        let first = self.milp.columns();
        for _ in 0..length {
            self.milp.add_column(0.0, 1.0, true);
        }
        if length == 0 {
            self.contradiction = true;
        } else {
            self.milp.add_row(1.0, 1.0, (first..first + length).map(|c| (c, 1.0)));
            self.one_hot.push((first, length));
        }
        first
    }

    /// The combinations of numbers of instances of shared components.
    fn pool_marginal(&mut self, leaves: Vec<Term>, all: &[Part]) -> Result<Marginal, FormulateError> {
        let mut components: Vec<ComponentId> = Vec::new();
        for leaf in &leaves {
            match leaf {
                Term::Cardinality(c) => components.push(*c),
                Term::Fleet(f) if outside(f).is_empty() => {
                    components.push(f.component);
                }
                _ => return Err(FormulateError::NonlinearPool),
            }
        }
        components.sort_unstable();
        components.dedup();
        let mut grid: Vec<Vec<u32>> = vec![Vec::new()];
        for component in &components {
            let allowed = &self.snapshot.application[*component].cardinality;
            if allowed.count().saturating_mul(grid.len() as u64) > self.combinations as u64 {
                return Err(self.too_many(all));
            }
            grid = grid.iter().flat_map(|g| allowed.iter().map(|n| [g.as_slice(), &[n]].concat())).collect();
        }
        let column = self.one_of(grid.len());
        for (j, component) in components.iter().enumerate() {
            let mut row = Linear::default();
            row.add(&self.cardinality(*component), -1.0);
            row.terms.extend(grid.iter().enumerate().map(|(t, g)| (column + t, f64::from(g[j]))));
            self.row(row, 0.0, 0.0);
        }
        let point = OfferPoint { component: ComponentId(u32::MAX), choices: &self.space.pool, offer: 0 };
        let values = grid
            .iter()
            .map(|g| {
                let n_of =
                    |c: ComponentId| components.iter().position(|x| *x == c).map_or(f64::NAN, |j| f64::from(g[j]));
                leaves
                    .iter()
                    .map(|leaf| match leaf {
                        Term::Cardinality(c) => n_of(*c),
                        Term::Fleet(f) => {
                            let n = n_of(f.component);
                            let counts = f.filter.as_ref().map_or(1.0, |t| t.evaluate(&point));
                            let n = if counts == 0.0 { 0.0 } else { n };
                            match f.aggregate {
                                Aggregate::Count => n,
                                Aggregate::Sum if n == 0.0 => 0.0,
                                Aggregate::Sum => n * f.body.evaluate(&point),
                                _ if n == 0.0 => f64::NAN,
                                _ => f.body.evaluate(&point),
                            }
                        }
                        _ => f64::NAN,
                    })
                    .collect()
            })
            .collect();
        let indicators = (0..grid.len()).map(|t| Linear { terms: vec![(column + t, 1.0)], constant: 0.0 }).collect();
        Ok(Marginal { part: Part::Pool, leaves, values, indicators })
    }
}

/// What is followed along a fleet, node by node.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tally {
    Sum,
    Min,
    Max,
    /// The number of nodes on which the leaf with this number has no value.
    Lacking(usize),
}

impl Tally {
    fn of(leaf: &Term) -> Self {
        match leaf {
            Term::Fleet(f) if f.aggregate == Aggregate::Min => Tally::Min,
            Term::Fleet(f) if f.aggregate == Aggregate::Max => Tally::Max,
            _ => Tally::Sum,
        }
    }

    /// What changes nothing when it is joined. An extreme that is still neutral at the end is one over no nodes.
    fn neutral(self) -> f64 {
        match self {
            Tally::Sum | Tally::Lacking(_) => 0.0,
            Tally::Min => f64::INFINITY,
            Tally::Max => f64::NEG_INFINITY,
        }
    }

    fn joined(self, a: f64, b: f64) -> f64 {
        match self {
            Tally::Sum | Tally::Lacking(_) => a + b,
            Tally::Min => a.min(b),
            Tally::Max => a.max(b),
        }
    }
}

/// The values of the leaves in a state: none where a node lacks one or no node has one.
fn values_of(kinds: &[Tally], leaves: usize, mut state: Vec<f64>) -> Vec<f64> {
    for (j, kind) in kinds.iter().enumerate() {
        if let Tally::Lacking(leaf) = kind
            && state[j] > 0.0
        {
            state[*leaf] = f64::NAN;
        }
    }
    state.truncate(leaves);
    state.iter_mut().filter(|x| x.is_infinite()).for_each(|x| *x = f64::NAN);
    state
}

fn ascending(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    a.iter().zip(b).map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
}
