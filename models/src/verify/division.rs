//! Instances counted by place and by way of buying.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Rule, hosts, on_node, place_of};
use crate::admissible::admits;
use crate::application::{Component, ComponentId};
use crate::division::DivisionRule;
use crate::document::SpreadBy;
use crate::offer::Purchase;

/// A place: provider, region and zone, or what else tells places of a kind apart.
type Place<'a> = (&'a str, &'a str, &'a str);

/// The instances of a component by place.
struct Counts<'a> {
    /// Those of which the place is known.
    known: BTreeMap<Place<'a>, u64>,
    /// The most that each place may have: instances in zones that are not told may all be in one, whichever it is.
    most: BTreeMap<Place<'a>, u64>,
}

fn shown(place: Place<'_>) -> String {
    let (a, b, c) = place;
    let words: Vec<&str> = [a, b, c].into_iter().filter(|word| !word.is_empty()).collect();
    words.join("/")
}

impl<'a> Check<'a> {
    fn by_place(&self, id: ComponentId, by: SpreadBy) -> Counts<'a> {
        let mut known: BTreeMap<Place<'a>, u64> = BTreeMap::new();
        let mut anywhere: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for group in self.groups().filter(|group| hosts(group, id)) {
            let offer = self.offer(group.offer);
            let number = on_node(group, id) * u64::from(group.count);
            if by == SpreadBy::Zone && group.zone.is_none() && !offer.zones.is_empty() {
                *anywhere.entry((&offer.provider, &offer.region)).or_default() += number;
            } else {
                *known.entry(place_of(group, offer, by)).or_default() += number;
            }
        }
        let mut most = known.clone();
        for ((provider, region), number) in anywhere {
            let zones = most.range_mut((provider, region, "\u{1}")..);
            let same = zones.take_while(|((p, r, _), _)| (*p, *r) == (provider, region));
            if same.map(|(_, known)| *known += number).count() == 0 {
                most.insert((provider, region, "a zone that is not told"), number);
            }
        }
        Counts { known, most }
    }

    pub(super) fn spread(&mut self, id: ComponentId, component: &Component) {
        for rule in &component.spread {
            for (place, number) in self.by_place(id, rule.by).most {
                if number > u64::from(rule.at_most) {
                    let message = format!("{number} instances are in {}, allowed are {}", shown(place), rule.at_most);
                    self.report(Rule::Spread, &component.name, message);
                }
            }
        }
    }

    pub(super) fn divisions(&mut self, id: ComponentId, component: &Component) {
        let all = self.placement.cardinality(id);
        if all == 0 {
            return;
        }
        for division in &component.divisions {
            let (rule, wrong) = match division.rule {
                DivisionRule::Skew { by, most } => (Rule::Skew, self.skewed(id, component, by, most)),
                DivisionRule::Places { by, least } => {
                    let places = self.by_place(id, by).most.len();
                    let wrong = (places as u64) < u64::from(least);
                    let message = || format!("its instances are in {places} of what should be at least {least}");
                    (Rule::Diversify, wrong.then(message))
                }
                DivisionRule::Largest { by, most } => {
                    let counts = self.by_place(id, by);
                    let over = |n: u64| u128::from(n) * 1_000_000 > u128::from(all) * u128::from(most.millionths());
                    let largest = counts.most.into_iter().find(|(_, n)| over(*n));
                    let message =
                        |(place, n)| format!("{n} of {all} instances are in {}, allowed are {most}", shown(place));
                    (Rule::Diversify, largest.map(message))
                }
                DivisionRule::Spot { most } => {
                    let spot = self.on_spot(id);
                    let message = || format!("{spot} of {all} instances are on spot offers, allowed are {most}");
                    (Rule::Purchase, (spot > most.most_of(all)).then(message))
                }
                DivisionRule::OnDemand { least } => {
                    let firm = all - self.on_spot(id);
                    let message = || {
                        format!("{firm} of {all} instances are on offers that are not spot, at least {least} should")
                    };
                    (Rule::Purchase, (firm < least.least_of(all)).then(message))
                }
            };
            if let Some(message) = wrong {
                self.report(rule, &component.name, message);
            }
        }
    }

    fn on_spot(&self, id: ComponentId) -> u64 {
        let spot = self.groups().filter(|group| self.offer(group.offer).purchase == Purchase::Spot);
        spot.map(|group| on_node(group, id) * u64::from(group.count)).sum()
    }

    /// How the place with the most instances and that with the fewest differ too much.
    fn skewed(&self, id: ComponentId, component: &Component, by: SpreadBy, most: u32) -> Option<String> {
        let counts = self.by_place(id, by);
        let regions: BTreeSet<(&str, &str)> =
            counts.most.keys().map(|(provider, region, _)| (*provider, *region)).collect();
        let mut places: BTreeSet<Place<'a>> = BTreeSet::new();
        for offer in self.snapshot.catalog.offers() {
            let is_near = by != SpreadBy::Zone || regions.contains(&(offer.provider.as_ref(), offer.region.as_ref()));
            if !is_near || !admits(self.application, component, offer) {
                continue;
            }
            match by {
                SpreadBy::Zone if !offer.zones.is_empty() => places
                    .extend(offer.zones.iter().map(|z| (offer.provider.as_ref(), offer.region.as_ref(), z.as_ref()))),
                _ => drop(places.insert(super::place_of_node(None, offer, by))),
            }
        }
        let fewest = places.iter().map(|place| (counts.known.get(place).copied().unwrap_or(0), *place)).min()?;
        let largest = counts.most.iter().map(|(place, n)| (*n, *place)).max()?;
        (largest.0.saturating_sub(fewest.0) > u64::from(most)).then(|| {
            let ((high, there), (low, here)) = (largest, fewest);
            format!("{high} instances are in {} and {low} in {}, which may differ by {most}", shown(there), shown(here))
        })
    }
}
