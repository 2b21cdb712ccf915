//! The diff on small fleets, and the matching against exhaustive enumeration.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fixtures::{node, offer, running, want, wanted};
use crate::rules::ComponentRules;

fn diff(running: &RunningDeployment, wanted: &WantedDeployment) -> Diff {
    Diff::between(running, wanted, &Rules::default(), &StartupTimes::default()).unwrap()
}

#[test]
fn nothing_changes_when_the_wanted_is_what_runs() {
    let small = offer("small", 0.1);
    let now = running(vec![node("a", &small, &[("web", 1)]), node("b", &small, &[("web", 1)])]);
    let diff = diff(&now, &wanted(vec![want(&small, &[("web", 1)]), want(&small, &[("web", 1)])]));
    assert!(diff.is_empty(), "{diff:?}");
    assert_eq!(diff.kept.len(), 2);
    assert_eq!(diff.figures.share(), 0.0);
}

#[test]
fn a_change_of_size_is_a_replacement_and_is_paid_for_twice_while_it_lasts() {
    let (small, big) = (offer("small", 0.36), offer("big", 0.72));
    let now = running(vec![node("a", &small, &[("web", 1)]), node("b", &small, &[("db", 1)])]);
    let diff = diff(&now, &wanted(vec![want(&big, &[("web", 1)]), want(&small, &[("db", 1)])]));
    assert_eq!(diff.replaced, [Replacement { old: "a".into(), new: 0 }]);
    let figures = &diff.figures;
    assert_eq!((figures.nodes_replaced, figures.instances_moved, figures.instances_stopped), (1, 1, 1));
    assert_eq!(figures.share(), 0.5);
    // The new node for 100 s of starting and the old one for 10 s of draining.
    assert_eq!(figures.double_running, Money(20_000_000 + 1_000_000));
}

#[test]
fn scaling_in_stops_without_moving_and_a_lost_node_is_cleared_away() {
    let small = offer("small", 0.1);
    let mut now = running(vec![node("a", &small, &[("web", 1)]), node("b", &small, &[("web", 1)])]);
    let one = wanted(vec![want(&small, &[("web", 1)])]);
    let change = diff(&now, &one);
    assert_eq!(change.deleted, ["b".into()]);
    assert_eq!((change.figures.instances_moved, change.figures.components_shrunk), (0, 1));
    now.nodes.get_mut(&"a".into()).unwrap().phase = NodePhase::Lost;
    let change = diff(&now, &one);
    assert_eq!((change.lost, change.kept), (vec!["a".into()], vec!["b".into()]));
    assert_eq!(change.figures.instances_stopped, 0);
}

#[test]
fn a_wanted_zone_must_be_met_and_an_open_one_fits_all() {
    let open = offer("small", 0.1);
    let in_zone = |zone: &str| OfferSnapshot { zone: Some(zone.to_owned()), ..open.clone() };
    let now = running(vec![node("a", &in_zone("1"), &[("web", 1)]), node("b", &in_zone("2"), &[("web", 1)])]);
    // The open wish must not take the node that the other one needs.
    let change = diff(&now, &wanted(vec![want(&open, &[("web", 1)]), want(&in_zone("1"), &[("web", 1)])]));
    assert_eq!(change.kept.len(), 2);
    let change = diff(&now, &wanted(vec![want(&in_zone("3"), &[("web", 1)]), want(&in_zone("1"), &[("web", 1)])]));
    assert_eq!((change.kept.len(), change.figures.nodes_created), (1, 1));
}

#[test]
fn what_must_not_move_decides_the_matching_or_is_refused() {
    let small = offer("small", 0.1);
    let rules = ComponentRules { unmoveable: true, ..ComponentRules::default() };
    let rules = Rules([("db".to_owned(), rules)].into());
    let now = running(vec![node("a", &small, &[("db", 1), ("web", 3)]), node("b", &small, &[("web", 1)])]);
    let goal = wanted(vec![want(&small, &[("db", 1), ("web", 1)]), want(&small, &[("web", 3)])]);
    let change = Diff::between(&now, &goal, &rules, &StartupTimes::default()).unwrap();
    assert!(change.stops(&now).all(|(component, ..)| component == "web"));
    let elsewhere = wanted(vec![want(&offer("big", 0.2), &[("db", 1)])]);
    let refused = Diff::between(&now, &elsewhere, &rules, &StartupTimes::default()).unwrap_err();
    assert!(refused.to_string().contains("db is not moveable"), "{refused}");
    // Stopping for good is no move.
    assert!(Diff::between(&now, &wanted(vec![]), &rules, &StartupTimes::default()).is_ok());
}

/// The most instances that any matching keeps in place, and the most nodes among those, by trying all.
fn best_by_enumeration(running: &[&Node], wanted: &[WantedNode], used: &mut Vec<bool>) -> (u64, u64) {
    let Some((first, rest)) = running.split_first() else { return (0, 0) };
    let mut best = best_by_enumeration(rest, wanted, used);
    for i in 0..wanted.len() {
        let fits = wanted[i].offer.zone.is_none() || wanted[i].offer.zone == first.offer.zone;
        if used[i] || !fits || first.offer.id != wanted[i].offer.id {
            continue;
        }
        used[i] = true;
        let (kept, nodes) = best_by_enumeration(rest, wanted, used);
        used[i] = false;
        best = best.max((kept + matching::overlap(&first.counts(), &wanted[i].instances), nodes + 1));
    }
    best
}

fn content() -> impl Strategy<Value = (usize, Option<usize>, [u32; 3])> {
    (0..2_usize, prop::option::of(0..2_usize), prop::array::uniform3(0..3_u32))
}

fn build(kind: &(usize, Option<usize>, [u32; 3])) -> WantedNode {
    let offer = OfferSnapshot { zone: kind.1.map(|z| z.to_string()), ..offer(["small", "big"][kind.0], 0.1) };
    let instances = ["a", "b", "c"].iter().zip(kind.2).filter(|(_, n)| *n > 0);
    WantedNode { offer, instances: instances.map(|(c, n)| ((*c).to_owned(), n)).collect() }
}

use crate::deployment::OfferSnapshot;

proptest! {
    #![proptest_config(crate::fixtures::random_cases(400))]

    #[test]
    fn no_matching_moves_fewer_instances(
        old in prop::collection::vec(content(), 0..6),
        new in prop::collection::vec(content(), 0..6),
    ) {
        let nodes: Vec<Node> = old.iter().enumerate().map(|(i, kind)| {
            let wish = build(kind);
            let instances: Vec<(&str, u32)> = wish.instances.iter().map(|(c, n)| (c.as_str(), *n)).collect();
            node(&format!("n{i}"), &wish.offer, &instances)
        }).collect();
        let now = running(nodes);
        let goal = wanted(new.iter().map(build).collect());
        let change = diff(&now, &goal);
        let alive: Vec<&Node> = now.nodes.values().collect();
        let (kept, nodes) = best_by_enumeration(&alive, &goal.nodes, &mut vec![false; goal.nodes.len()]);
        prop_assert!(change.figures.fewest_moves_proven);
        prop_assert_eq!(now.instance_count() - change.figures.instances_stopped, kept);
        prop_assert_eq!((change.kept.len() + change.changed.len()) as u64, nodes);
        let again = diff(&now, &goal);
        prop_assert_eq!(change, again);
    }
}
