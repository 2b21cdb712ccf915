//! The values that leaves over the shared pool can take together: they depend on how many instances each component has,
//! and where a leaf looks at places, on how many it has in each.

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;
use cardinal_models::formula::expr::Aggregate;

use super::conditional::outside;
use super::encode::OfferPoint;
use super::tabulate::Marginal;
use super::{Block, FormulateError, Formulation, Linear};
use crate::bound::Part;
use crate::term::{FleetTerm, Point, Slot, Term};

/// An instance of a shared component in a place.
struct Placed<'a> {
    /// What formulas see of its demand.
    demand: OfferPoint<'a>,
    component: ComponentId,
    slot: Option<Slot>,
    place: f64,
}

impl Point for Placed<'_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        if component == self.component && self.slot == Some(slot) {
            self.place
        } else {
            self.demand.attribute(component, slot)
        }
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

/// A component whose instances are counted: at all, or in each of some places.
struct Counted {
    component: ComponentId,
    /// The places, one without a name where they do not matter.
    places: Vec<f64>,
}

impl Formulation<'_> {
    pub(super) fn pool_marginal(&mut self, leaves: Vec<Term>, all: &[Part]) -> Result<Marginal, FormulateError> {
        let counted = self.counted(&leaves)?;
        // A state is the numbers of instances of each component in each place, one after the other.
        let mut states: Vec<Vec<u32>> = vec![Vec::new()];
        for Counted { component, places } in &counted {
            let allowed = &self.snapshot.application[*component].cardinality;
            let mut own = Vec::new();
            let most = self.combinations / states.len();
            let listed = allowed.iter().try_for_each(|n| spread(n, places.len(), most, &mut Vec::new(), &mut own));
            listed.ok_or_else(|| self.too_many(all))?;
            states = states.iter().flat_map(|s| own.iter().map(|o| [s.as_slice(), o].concat())).collect();
        }
        let column = self.one_of(states.len());
        let mut position = 0;
        for Counted { component, places } in &counted {
            for place in places {
                let mut row = Linear::default();
                row.add(&self.instances_in(*component, *place), -1.0);
                row.terms.extend(states.iter().enumerate().map(|(t, s)| (column + t, f64::from(s[position]))));
                self.row(row, 0.0, 0.0);
                position += 1;
            }
        }
        let values = states.iter().map(|s| leaves.iter().map(|leaf| self.in_state(leaf, &counted, s)).collect());
        let values = values.collect();
        let indicators = (0..states.len()).map(|t| Linear { terms: vec![(column + t, 1.0)], constant: 0.0 }).collect();
        Ok(Marginal { part: Part::Pool, leaves, values, indicators })
    }

    /// The components that some leaves count.
    fn counted(&self, leaves: &[Term]) -> Result<Vec<Counted>, FormulateError> {
        let mut counted: Vec<(ComponentId, bool)> = Vec::new();
        for leaf in leaves {
            match leaf {
                Term::Cardinality(c) => counted.push((*c, false)),
                Term::Fleet(f) if outside(f).is_empty() => counted.push((f.component, self.looks_at_places(f))),
                _ => return Err(FormulateError::NonlinearPool),
            }
        }
        // Of two of one component the one that is counted by place stands first.
        counted.sort_by_key(|(c, placed)| (*c, !placed));
        counted.dedup_by_key(|(c, _)| *c);
        let places = self.pool_places();
        let of = |(component, placed): (ComponentId, bool)| {
            let places = if placed { places.clone() } else { vec![f64::NAN] };
            Counted { component, places }
        };
        Ok(counted.into_iter().map(of).collect())
    }

    /// The places of the nodes of the pool.
    fn pool_places(&self) -> Vec<f64> {
        let Some(Block::Pool { patterns, .. }) = self.block(Part::Pool) else { return Vec::new() };
        let mut places: Vec<f64> = patterns.list.iter().map(|p| self.place(p.offer)).collect();
        places.sort_unstable_by(f64::total_cmp);
        places.dedup();
        places
    }

    fn place(&self, offer: OfferIndex) -> f64 {
        self.bound.interner.number(&cardinal_models::network::name_of(&self.snapshot.catalog[offer]))
    }

    /// The number of instances of a component in a place, or anywhere.
    fn instances_in(&self, component: ComponentId, place: f64) -> Linear {
        match self.block(Part::Pool) {
            Some(block @ Block::Pool { patterns, .. }) if !place.is_nan() => block.sum(|offer, _, i| {
                let is_there = offer.is_some_and(|o| self.place(o) == place);
                if is_there { f64::from(patterns.list[i].count(component)) } else { 0.0 }
            }),
            _ => self.cardinality(component),
        }
    }

    /// The value of a leaf in a state.
    fn in_state(&self, leaf: &Term, counted: &[Counted], state: &[u32]) -> f64 {
        let component = match leaf {
            Term::Cardinality(c) => *c,
            Term::Fleet(f) => f.component,
            _ => return f64::NAN,
        };
        let mut begin = 0;
        let mut found: &[f64] = &[];
        for other in counted {
            if other.component == component {
                found = &other.places;
                break;
            }
            begin += other.places.len();
        }
        let numbers = found.iter().zip(&state[begin..]).map(|(place, n)| (*place, f64::from(*n)));
        let Term::Fleet(fleet) = leaf else { return numbers.map(|(_, n)| n).sum() };
        let slot = self.bound.slots.place();
        let mut values: Vec<(f64, f64)> = Vec::new();
        for (place, n) in numbers.filter(|(_, n)| *n > 0.0) {
            let demand = OfferPoint { component: ComponentId(u32::MAX), choices: &self.space.pool, offer: 0 };
            let point = Placed { demand, component, slot, place };
            let counts = fleet.filter.as_ref().map_or(1.0, |t| t.evaluate(&point));
            if counts.is_nan() {
                return counts;
            }
            if counts != 0.0 {
                let value = if fleet.aggregate == Aggregate::Count { 1.0 } else { fleet.body.evaluate(&point) };
                values.push((value, n));
            }
        }
        let extreme = |better: fn(f64, f64) -> f64| values.iter().map(|(x, _)| *x).reduce(better).unwrap_or(f64::NAN);
        match fleet.aggregate {
            _ if values.iter().any(|(x, _)| x.is_nan()) => f64::NAN,
            Aggregate::Count | Aggregate::Sum => values.iter().map(|(x, n)| x * n).sum(),
            Aggregate::Min => extreme(f64::min),
            Aggregate::Max => extreme(f64::max),
            Aggregate::Mean => f64::NAN,
        }
    }
}

/// Every way to put so many instances into so many places; `None` when there are more than `most` ways.
fn spread(n: u32, places: usize, most: usize, chosen: &mut Vec<u32>, found: &mut Vec<Vec<u32>>) -> Option<()> {
    if places <= 1 {
        if found.len() >= most || (places == 0 && n > 0) {
            return if places == 0 { Some(()) } else { None };
        }
        chosen.extend((places == 1).then_some(n));
        found.push(chosen.clone());
        chosen.truncate(chosen.len() - places);
        return Some(());
    }
    for here in 0..=n {
        chosen.push(here);
        spread(n - here, places - 1, most, chosen, found)?;
        chosen.pop();
    }
    Some(())
}
