//! Rules on how the instances of a component are divided: their words, their limits, how far a placement is beyond one,
//! and the rule with its limit moved.

use cardinal_models::application::ComponentId;
use cardinal_models::division::{DivisionRule, Portion, Share};
use cardinal_models::document::SpreadBy;
use cardinal_models::offer::{Attribute, Purchase};
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::unit::Unit;
use rustc_hash::FxHashMap;

use super::limit::End;
use super::rule::place;
use crate::division::{Places, place_of_node};
use crate::space::place_of;

/// What the rule says.
pub(super) fn words(rule: &DivisionRule) -> String {
    match rule {
        DivisionRule::Skew { by, most } => format!("one {} has at most {most} more than another", place(*by)),
        DivisionRule::Places { by, least } => format!("at least {least} of: {}", place(*by)),
        DivisionRule::Largest { by, most } => format!("at most {most} in one {}", place(*by)),
        DivisionRule::Spot { most } => format!("at most {most} on spot offers"),
        DivisionRule::OnDemand { least } => format!("at least {least} on offers that are not spot"),
    }
}

/// The limit of a rule: its value, its end, its unit, and whether only whole numbers make sense.
pub(super) fn limit(rule: &DivisionRule) -> (f64, End, Option<Unit>, bool) {
    let share = Unit::of_attribute(&Attribute::InterruptionRate);
    let of = |portion: &Portion, end| match portion {
        Portion::Count(n) => (f64::from(*n), end, None, true),
        Portion::Share(s) => (s.fraction(), end, share, false),
    };
    match rule {
        DivisionRule::Skew { most, .. } => (f64::from(*most), End::High, None, true),
        DivisionRule::Places { least, .. } => (f64::from(*least), End::Low, None, true),
        DivisionRule::Largest { most, .. } => (most.fraction(), End::High, share, false),
        DivisionRule::Spot { most } => of(most, End::High),
        DivisionRule::OnDemand { least } => of(least, End::Low),
    }
}

/// The share that an upper limit at this number stands for; a little more than a number of millionths counts as it.
fn upper(x: f64) -> Share {
    Share::from_millionths((x.clamp(0.0, 1.0) * f64::from(Share::WHOLE) + 1e-3).floor() as u32)
}

fn lower(x: f64) -> Share {
    Share::from_millionths((x.clamp(0.0, 1.0) * f64::from(Share::WHOLE) - 1e-3).ceil().max(0.0) as u32)
}

/// The rule with its limit at another number; without it for an infinite one.
pub(super) fn moved(rule: &DivisionRule, to: f64) -> DivisionRule {
    if !to.is_finite() {
        return rule.emptied();
    }
    let whole = to.round().max(0.0) as u32;
    match *rule {
        DivisionRule::Skew { by, .. } => DivisionRule::Skew { by, most: whole },
        DivisionRule::Places { by, .. } => DivisionRule::Places { by, least: whole },
        DivisionRule::Largest { by, .. } => DivisionRule::Largest { by, most: upper(to) },
        DivisionRule::Spot { most: Portion::Count(_) } => DivisionRule::Spot { most: Portion::Count(whole) },
        DivisionRule::Spot { .. } => DivisionRule::Spot { most: Portion::Share(upper(to)) },
        DivisionRule::OnDemand { least: Portion::Count(_) } => DivisionRule::OnDemand { least: Portion::Count(whole) },
        DivisionRule::OnDemand { .. } => DivisionRule::OnDemand { least: Portion::Share(lower(to)) },
    }
}

/// The number that the limit would have to be for the placement to obey the rule.
pub(super) fn needed(snapshot: &Snapshot, placement: &Placement, id: ComponentId, rule: &DivisionRule) -> f64 {
    let all = placement.cardinality(id);
    let spot = || on_spot(snapshot, placement, id);
    let share_up = |n: u64| (n as f64 / all.max(1) as f64 * 1e6 - 1e-3).ceil() / 1e6;
    let share_down = |n: u64| (n as f64 / all.max(1) as f64 * 1e6 + 1e-3).floor() / 1e6;
    if all == 0 {
        return limit(rule).0;
    }
    match rule {
        DivisionRule::Skew { by, .. } => skew(snapshot, placement, id, *by) as f64,
        DivisionRule::Places { by, .. } => by_place(snapshot, placement, id, *by).len() as f64,
        DivisionRule::Largest { by, .. } => {
            share_up(by_place(snapshot, placement, id, *by).values().max().copied().unwrap_or(0))
        }
        DivisionRule::Spot { most: Portion::Count(_) } => spot() as f64,
        DivisionRule::Spot { .. } => share_up(spot()),
        DivisionRule::OnDemand { least: Portion::Count(_) } => (all - spot().min(all)) as f64,
        DivisionRule::OnDemand { .. } => share_down(all - spot().min(all)),
    }
}

/// Nodes with their instances of a component.
fn hosting(
    placement: &Placement,
    id: ComponentId,
) -> impl Iterator<Item = (&cardinal_models::placement::NodeGroup, u64)> {
    placement.groups.iter().filter_map(move |group| {
        let on_node: u64 = group.instances.iter().filter(|(c, _)| *c == id).map(|(_, n)| u64::from(*n)).sum();
        (on_node > 0).then_some((group, on_node * u64::from(group.count)))
    })
}

fn on_spot(snapshot: &Snapshot, placement: &Placement, id: ComponentId) -> u64 {
    let is_spot =
        |group: &cardinal_models::placement::NodeGroup| snapshot.catalog[group.offer].purchase == Purchase::Spot;
    hosting(placement, id).filter(|(group, _)| is_spot(group)).map(|(_, n)| n).sum()
}

fn by_place(snapshot: &Snapshot, placement: &Placement, id: ComponentId, by: SpreadBy) -> FxHashMap<String, u64> {
    let mut places: FxHashMap<String, u64> = FxHashMap::default();
    for (group, n) in hosting(placement, id) {
        *places.entry(place_of_node(by, &snapshot.catalog[group.offer], group.zone)).or_default() += n;
    }
    places
}

fn skew(snapshot: &Snapshot, placement: &Placement, id: ComponentId, by: SpreadBy) -> u64 {
    let counts = by_place(snapshot, placement, id, by);
    let regions: Vec<String> =
        hosting(placement, id).map(|(group, _)| place_of(SpreadBy::Region, &snapshot.catalog[group.offer])).collect();
    // The name of a zone begins with that of its region.
    let is_in = |zone: &str, region: &str| zone.strip_prefix(region).is_some_and(|rest| rest.starts_with('\u{1}'));
    let in_use = |group: &&Vec<String>| {
        by != SpreadBy::Zone || group.iter().any(|zone| regions.iter().any(|region| is_in(zone, region)))
    };
    let places = Places::of(snapshot, id, by);
    let count = |place: &String| counts.get(place).copied().unwrap_or(0);
    let fewest = places.groups.iter().filter(in_use).flatten().map(count).min().unwrap_or(0);
    counts.values().max().copied().unwrap_or(0).saturating_sub(fewest)
}
