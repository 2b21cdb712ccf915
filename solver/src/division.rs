//! How the instances of a component are divided over places and between ways of buying, as the encodings see it.

use cardinal_models::admissible::admissible;
use cardinal_models::application::{Component, ComponentId};
use cardinal_models::division::{DivisionRule, Portion};
use cardinal_models::document::SpreadBy;
use cardinal_models::offer::{Offer, Purchase};
use cardinal_models::snapshot::Snapshot;
use rustc_hash::FxHashMap;

use crate::space::place_of;

/// A difference that no two counts have: a larger one limits nothing.
pub(crate) const MOST_SKEW: u32 = cardinal_models::application::Cardinality::LIMIT;

/// A name for the place of a node; by zone, one zone of the offer's region.
pub(crate) fn place_of_node(by: SpreadBy, offer: &Offer, zone: Option<u16>) -> String {
    match by {
        SpreadBy::Zone => {
            let zone = zone.and_then(|z| offer.zones.get(usize::from(z))).map_or("", |z| z.as_ref());
            format!("{}\u{1}{}\u{1}{zone}", offer.provider, offer.region)
        }
        other => place_of(other, offer),
    }
}

/// What the rules on how the component's instances are divided can tell of an offer.
pub(crate) fn told_apart(component: &Component, offer: &Offer) -> impl Iterator<Item = String> {
    let mut told: Vec<String> = component.counted_by().map(|by| place_of(by, offer)).collect();
    told.extend(component.counts_spot().then(|| format!("spot {}", offer.purchase == Purchase::Spot)));
    told.into_iter()
}

/// The places of one kind where a component may have instances.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Places that are compared with each other only where the component has instances in them: the zones of a region,
    /// or all places of any other kind. In the order of the catalog.
    pub groups: Vec<Vec<String>>,
}

impl Places {
    /// The places of a kind over all offers that may host the component.
    pub(crate) fn of(snapshot: &Snapshot, component: ComponentId, by: SpreadBy) -> Places {
        let mut places = Places::default();
        let mut group_of: FxHashMap<String, usize> = FxHashMap::default();
        let mut known: FxHashMap<String, ()> = FxHashMap::default();
        for index in admissible(&snapshot.application, &snapshot.catalog, component) {
            let offer = &snapshot.catalog[index];
            let region = if by == SpreadBy::Zone { place_of(SpreadBy::Region, offer) } else { String::new() };
            let group = *group_of.entry(region).or_insert_with(|| {
                places.groups.push(Vec::new());
                places.groups.len() - 1
            });
            let zones = if by == SpreadBy::Zone { offer.zones.len() as u16 } else { 0 };
            let told: Vec<Option<u16>> = if zones > 0 { (0..zones).map(Some).collect() } else { vec![None] };
            for zone in told {
                let place = place_of_node(by, offer, zone);
                if known.insert(place.clone(), ()).is_none() {
                    places.groups[group].push(place);
                }
            }
        }
        places
    }

    /// How many places there are in the group of a place.
    fn beside(&self, place: &str) -> usize {
        self.groups.iter().find(|group| group.iter().any(|p| p == place)).map_or(1, Vec::len)
    }
}

/// The rules on how a uniform fleet is divided: all of it is on one offer, over its zones as evenly as can be.
pub(crate) struct UniformDivision<'a> {
    component: &'a Component,
    /// For each rule on skew its places.
    places: Vec<(SpreadBy, Places)>,
}

impl<'a> UniformDivision<'a> {
    /// The rules of a component.
    pub(crate) fn of(snapshot: &'a Snapshot, component: ComponentId) -> Self {
        let details = &snapshot.application[component];
        let mut places: Vec<(SpreadBy, Places)> = Vec::new();
        for division in &details.divisions {
            if let DivisionRule::Skew { by, .. } = division.rule
                && places.iter().all(|(known, _)| *known != by)
            {
                places.push((by, Places::of(snapshot, component, by)));
            }
        }
        UniformDivision { component: details, places }
    }

    /// True when so many instances may be on the offer.
    pub(crate) fn allows(&self, offer: &Offer, n: u32) -> bool {
        n == 0 || self.component.divisions.iter().all(|d| self.holds(&d.rule, offer, n))
    }

    fn holds(&self, rule: &DivisionRule, offer: &Offer, n: u32) -> bool {
        // The places that the instances are in, and how many are in the fullest and in the emptiest.
        let over = |by: SpreadBy| if by == SpreadBy::Zone { offer.zones.len().max(1) as u32 } else { 1 };
        let is_spot = offer.purchase == Purchase::Spot;
        let all = u64::from(n);
        match *rule {
            DivisionRule::Skew { by, most } => {
                let zone = (!offer.zones.is_empty()).then_some(0);
                let beside = self
                    .places
                    .iter()
                    .find(|(known, _)| *known == by)
                    .map_or(1, |(_, places)| places.beside(&place_of_node(by, offer, zone)));
                let fewest = if beside > over(by) as usize { 0 } else { n / over(by) };
                n.div_ceil(over(by)) - fewest <= most
            }
            DivisionRule::Places { by, least } => n.min(over(by)) >= least,
            DivisionRule::Largest { by, most } => {
                let most = Portion::Share(most).most_of(all);
                u64::from(n.div_ceil(over(by))) <= most
            }
            DivisionRule::Spot { most } => !is_spot || all <= most.most_of(all),
            DivisionRule::OnDemand { least } => (if is_spot { 0 } else { all }) >= least.least_of(all),
        }
    }
}
