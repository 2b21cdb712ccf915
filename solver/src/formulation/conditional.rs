//! Aggregates whose body or filter looks at more than the nodes that they go over.
//!
//! `count(worker, worker.region == db.region)` depends on two components, but for each region that `db` may be in it is
//! an ordinary count. The values that decide are those of a marginal of one part of the placement; the aggregate is the
//! one of the combination that is taken, by the exact linear description of a product of a binary and a bounded
//! expression. (McCormick, Computability of global solutions to factorable nonconvex programs, 1976.)

use cardinal_models::application::ComponentId;
use cardinal_models::formula::expr::Aggregate;

use super::tabulate::Known;
use super::{Block, Encoded, FormulateError, Formulation, Linear};
use crate::bound::parts_of;
use crate::space::Choices;
use crate::term::{FleetTerm, Point, Slot, Term};

/// The attributes of one offer of a component, and known values of everything else.
struct Item<'a> {
    component: ComponentId,
    /// The choices of the component with the offer in turn; `None` for instances on shared nodes.
    offer: Option<(&'a Choices, usize)>,
    known: Known<'a>,
}

impl Point for Item<'_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        match self.offer {
            Some((choices, offer)) if component == self.component => {
                choices.columns.get(&slot).map_or(f64::NAN, |column| column[offer])
            }
            _ => self.known.attribute(component, slot),
        }
    }
    fn cardinality(&self, component: ComponentId) -> f64 {
        self.known.cardinality(component)
    }
    fn cost(&self, component: Option<ComponentId>) -> f64 {
        self.known.cost(component)
    }
    fn paid(&self, parts: &[Option<ComponentId>]) -> f64 {
        self.known.paid(parts)
    }
    fn nodes(&self, component: Option<ComponentId>) -> f64 {
        self.known.nodes(component)
    }
    fn fleet(&self, fleet: &FleetTerm) -> f64 {
        self.known.fleet(fleet)
    }
}

/// What the body and the filter of an aggregate look at besides the attributes of its own nodes.
pub(crate) fn outside(fleet: &FleetTerm) -> Vec<Term> {
    let mut outside: Vec<Term> = Vec::new();
    for term in std::iter::once(&fleet.body).chain(&fleet.filter) {
        term.leaves(&mut |leaf| {
            let own = matches!(leaf, Term::Attribute(c, _) if *c == fleet.component);
            if !own && !outside.contains(leaf) {
                outside.push(leaf.clone());
            }
        });
    }
    outside
}

impl Formulation<'_> {
    /// A sum or count over nodes of which each counts by what `outside` is.
    pub(crate) fn encode_conditional(
        &mut self,
        fleet: &FleetTerm,
        outside: Vec<Term>,
    ) -> Result<Encoded, FormulateError> {
        let application = &self.snapshot.application;
        let mut parts: Vec<_> = outside.iter().flat_map(|leaf| parts_of(application, leaf)).collect();
        parts.sort_unstable();
        parts.dedup();
        let [part] = parts[..] else { return Err(FormulateError::Entangled) };
        let index = self.marginal(part, outside, &parts)?;
        let marginal = self.marginals[index].clone();
        let leaves: Vec<&Term> = marginal.leaves.iter().collect();
        let mut encoded = Encoded::default();
        for (values, indicator) in marginal.values.iter().zip(&marginal.indicators) {
            let (linear, undefined) = self.fleet_under(fleet, &leaves, values)?;
            if !undefined.is_empty() {
                // 1 when the combination is taken and a node without a value is used: x <= most (1 - indicator + lacks)
                let lacks = self.milp.add_column(0.0, 1.0, true);
                for column in undefined {
                    let most = self.milp.upper[column].max(1.0);
                    let mut row = Linear { terms: vec![(column, 1.0), (lacks, -most)], constant: 0.0 };
                    row.add(indicator, most);
                    self.row(row, f64::NEG_INFINITY, most);
                }
                encoded.undefined.push(lacks);
            }
            let (low, high) = self.bounds(&linear);
            if low == 0.0 && high == 0.0 {
                continue;
            }
            let whole = linear.terms.iter().all(|(c, x)| self.is_whole(*c) && x.fract() == 0.0);
            let column = self.milp.add_column(low.min(0.0), high.max(0.0), whole);
            let result = Linear { terms: vec![(column, 1.0)], constant: 0.0 };
            // 0 where the indicator is 0 ...
            for (end, at_least) in [(high, false), (low, true)] {
                let mut row = result.clone();
                row.add(indicator, -end);
                let (from, to) = if at_least { (0.0, f64::INFINITY) } else { (f64::NEG_INFINITY, 0.0) };
                self.row(row, from, to);
            }
            // ... and the aggregate where it is 1.
            for (end, at_least) in [(low, false), (high, true)] {
                let mut row = result.clone();
                row.add(&linear, -1.0);
                row.add(indicator, -end);
                let (from, to) = if at_least { (-end, f64::INFINITY) } else { (f64::NEG_INFINITY, -end) };
                self.row(row, from, to);
            }
            encoded.linear.terms.push((column, 1.0));
        }
        Ok(encoded)
    }

    /// The aggregate with known values of what it looks at outside, and the columns at which it has none.
    fn fleet_under(
        &self,
        fleet: &FleetTerm,
        leaves: &[&Term],
        values: &[f64],
    ) -> Result<(Linear, Vec<usize>), FormulateError> {
        let each = |offer: Option<(&Choices, usize)>| {
            let item = Item { component: fleet.component, offer, known: Known { leaves, values } };
            let counts = fleet.filter.as_ref().map_or(1.0, |f| f.evaluate(&item));
            match fleet.aggregate {
                _ if counts.is_nan() => counts,
                _ if counts == 0.0 => 0.0,
                Aggregate::Count => 1.0,
                _ => fleet.body.evaluate(&item),
            }
        };
        let (mut linear, mut undefined) = (Linear::default(), Vec::new());
        let mut add = |column: usize, n: f64, x: f64| match x.is_nan() {
            true if n > 0.0 => undefined.push(column),
            true => {}
            false => linear.terms.push((column, n * x)),
        };
        match self.block_of(fleet.component) {
            Some(Block::Mixed { choices, cells, first, .. }) => {
                for (i, cell) in cells.iter().enumerate() {
                    add(first + i, 1.0, each(Some((*choices, cell.offer as usize))));
                }
            }
            Some(Block::Uniform { choices, rows, first, .. }) => {
                for (i, row) in rows.iter().enumerate() {
                    if let Some(offer) = row.offer {
                        add(first + i, f64::from(row.n), each(Some((*choices, offer as usize))));
                    }
                }
            }
            Some(Block::Pool { .. }) => {
                let x = each(None);
                let cardinality = self.cardinality(fleet.component);
                for (column, n) in &cardinality.terms {
                    add(*column, *n, x);
                }
            }
            Some(Block::Values { .. }) | None => return Err(FormulateError::Entangled),
        }
        linear.compact();
        Ok((linear, undefined))
    }
}
