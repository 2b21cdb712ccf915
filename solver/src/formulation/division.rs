//! How the instances of mixed fleets and of the shared pool are divided over places and between ways of buying. Uniform
//! fleets have no row that breaks such a rule.

use cardinal_models::application::ComponentId;
use cardinal_models::division::{DivisionRule, Portion, Share};
use cardinal_models::document::SpreadBy;
use cardinal_models::offer::{Offer, Purchase};
use rustc_hash::FxHashMap;

use super::{Block, Formulation, Linear};
use crate::division::{Places, place_of_node};

/// Instances by place, in the order in which the columns stand.
#[derive(Default)]
struct ByPlace {
    order: Vec<String>,
    counts: FxHashMap<String, Linear>,
}

impl ByPlace {
    fn count(&self, place: &str) -> Linear {
        self.counts.get(place).cloned().unwrap_or_default()
    }
}

impl Formulation<'_> {
    /// Adds the rows of every rule on how instances are divided.
    pub(super) fn add_divisions(&mut self) {
        let application = self.snapshot.application.clone();
        for (i, component) in application.components.iter().enumerate() {
            let id = ComponentId(i as u32);
            let is_counted = matches!(self.block_of(id), Some(Block::Mixed { .. } | Block::Pool { .. }));
            if !is_counted {
                continue;
            }
            for spread in &component.spread {
                let places = self.by_place(id, spread.by);
                for place in &places.order {
                    self.row(places.count(place), f64::NEG_INFINITY, f64::from(spread.at_most));
                }
            }
            for division in &component.divisions {
                self.divide(id, division.rule);
            }
        }
    }

    fn divide(&mut self, id: ComponentId, rule: DivisionRule) {
        match rule {
            DivisionRule::Skew { by, most } => self.limit_skew(id, by, most),
            DivisionRule::Places { by, least } => self.use_places(id, by, least),
            DivisionRule::Largest { by, most } => {
                let places = self.by_place(id, by);
                for place in &places.order {
                    self.at_most_share(id, places.count(place), most);
                }
            }
            DivisionRule::Spot { most } => {
                let spot = self.on_spot(id);
                match most {
                    Portion::Count(n) => self.row(spot, f64::NEG_INFINITY, f64::from(n)),
                    Portion::Share(share) => self.at_most_share(id, spot, share),
                }
            }
            DivisionRule::OnDemand { least } => {
                let mut firm = self.cardinality(id);
                firm.add(&self.on_spot(id), -1.0);
                match least {
                    Portion::Count(0) => {}
                    Portion::Count(n) => {
                        let present = self.present(id);
                        firm.add(&present, -f64::from(n));
                        self.row(firm, 0.0, f64::INFINITY);
                    }
                    Portion::Share(share) => {
                        // In whole numbers no share is blurred by the engine's tolerance.
                        let (part, of) = share.ratio();
                        let mut row = Linear::default();
                        row.add(&firm, f64::from(of));
                        row.add(&self.cardinality(id), -f64::from(part));
                        self.row(row, 0.0, f64::INFINITY);
                    }
                }
            }
        }
    }

    fn at_most_share(&mut self, id: ComponentId, counted: Linear, most: Share) {
        let (part, of) = most.ratio();
        let mut row = Linear::default();
        row.add(&counted, f64::from(of));
        row.add(&self.cardinality(id), -f64::from(part));
        self.row(row, f64::NEG_INFINITY, 0.0);
    }

    /// An expression that is 1 when the component has instances; 1 without a column where it always has.
    fn present(&mut self, id: ComponentId) -> Linear {
        if self.snapshot.application[id].cardinality.min() > 0 { Linear::constant(1.0) } else { self.presence(id) }
    }

    /// Instances in at least so many places.
    fn use_places(&mut self, id: ComponentId, by: SpreadBy, least: u32) {
        let places = self.by_place(id, by);
        let mut used = Linear::default();
        for place in &places.order {
            let column = self.milp.add_column(0.0, 1.0, true);
            let mut enough = places.count(place);
            enough.terms.push((column, -1.0));
            self.row(enough, 0.0, f64::INFINITY);
            used.terms.push((column, 1.0));
        }
        let present = self.present(id);
        used.add(&present, -f64::from(least));
        self.row(used, 0.0, f64::INFINITY);
    }

    /// A column lies between the counts of all places: at most `most` below each, and above none. The places of a group
    /// without instances are left out of it.
    fn limit_skew(&mut self, id: ComponentId, by: SpreadBy, most: u32) {
        let counts = self.by_place(id, by);
        let places = Places::of(self.snapshot, id, by);
        let all = f64::from(self.snapshot.application[id].cardinality.max());
        let fewest = self.milp.add_column(0.0, all, false);
        for group in &places.groups {
            let in_use = (places.groups.len() > 1).then(|| {
                let column = self.milp.add_column(0.0, 1.0, true);
                let mut inside = Linear { terms: vec![(column, -all)], constant: 0.0 };
                group.iter().for_each(|place| inside.add(&counts.count(place), 1.0));
                self.row(inside, f64::NEG_INFINITY, 0.0);
                column
            });
            for place in group {
                let mut above = counts.count(place);
                above.terms.push((fewest, -1.0));
                self.row(above.clone(), f64::NEG_INFINITY, f64::from(most.min(crate::division::MOST_SKEW)));
                // fewest <= count, where the group is in use
                if let Some(column) = in_use {
                    above.terms.push((column, -all));
                    above.constant += all;
                }
                self.row(above, 0.0, f64::INFINITY);
            }
        }
    }

    fn on_spot(&self, id: ComponentId) -> Linear {
        let mut spot = Linear::default();
        self.each_column(id, |offer, _, column, n| {
            if offer.purchase == Purchase::Spot {
                spot.terms.push((column, n));
            }
        });
        spot
    }

    fn by_place(&self, id: ComponentId, by: SpreadBy) -> ByPlace {
        let mut places = ByPlace::default();
        self.each_column(id, |offer, zone, column, n| {
            let place = place_of_node(by, offer, zone);
            if !places.counts.contains_key(&place) {
                places.order.push(place.clone());
            }
            places.counts.entry(place).or_default().terms.push((column, n));
        });
        places
    }

    /// Calls `visit` with the offer, the zone, the column and its number of instances of the component, for every
    /// column of a mixed fleet or the pool that has some.
    fn each_column(&self, id: ComponentId, mut visit: impl FnMut(&Offer, Option<u16>, usize, f64)) {
        match self.block_of(id) {
            Some(Block::Mixed { choices, cells, first, .. }) => {
                for (j, cell) in cells.iter().enumerate() {
                    let offer = &self.snapshot.catalog[choices.offers[cell.offer as usize]];
                    visit(offer, cell.zone, first + j, 1.0);
                }
            }
            Some(Block::Pool { patterns, first, .. }) => {
                for (j, pattern) in patterns.list.iter().enumerate() {
                    let n = pattern.count(id);
                    if n > 0 {
                        visit(&self.snapshot.catalog[pattern.offer], pattern.zone, first + j, f64::from(n));
                    }
                }
            }
            _ => {}
        }
    }
}
