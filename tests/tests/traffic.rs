//! Links and data sources: the solver against enumeration, and what the checker rejects.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use cardinal_models::application::{End, LinkId};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::evaluate::Evaluator;
use cardinal_models::placement::Placement;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::verify::verify;
use cardinal_solver::{Settings, solve};
use cardinal_tests::agreement::{Refusal, compare};
use cardinal_tests::cases::each;
use cardinal_tests::draw::Draw;
use cardinal_tests::oracle::{Verdict, best};
use cardinal_tests::shrink::shrink;
use cardinal_tests::traffic::{Mix, replicas_changed, world};
use cardinal_tests::world::{World, shown};

#[derive(Debug, Default)]
struct Seen {
    infeasible: u64,
    undefined: u64,
    optimal: u64,
    too_large: u64,
    refused: BTreeMap<Refusal, u64>,
}

fn wrong(world: &World) -> Option<String> {
    let snapshot = world.snapshot();
    let verdict = best(&snapshot).ok()?;
    compare(&snapshot, &solve(&snapshot, &Settings::default()), &verdict).err()
}

fn agree(name: &str, cases: u64, mix: Mix) {
    let seen = Mutex::new(Seen::default());
    each(name, cases, |seed| {
        let world = world(seed, mix);
        let snapshot = world.snapshot();
        let Ok(verdict) = best(&snapshot) else {
            seen.lock().unwrap().too_large += 1;
            return Ok(());
        };
        let answer = solve(&snapshot, &Settings::default());
        let refused = compare(&snapshot, &answer, &verdict).map_err(|what| {
            let (small, why) = shrink(&world, wrong);
            format!("{what}\n{world}\nSmaller: {}\n{small}", why.unwrap_or_default())
        })?;
        let mut seen = seen.lock().unwrap();
        match (refused, verdict) {
            (Some(refusal), _) => *seen.refused.entry(refusal).or_default() += 1,
            (None, Verdict::Infeasible) => seen.infeasible += 1,
            (None, Verdict::Undefined(_)) => seen.undefined += 1,
            (None, Verdict::Best(_)) => seen.optimal += 1,
        }
        Ok(())
    });
    let seen = seen.into_inner().unwrap();
    println!("{seen:?}");
    let refused: u64 = seen.refused.values().sum();
    assert!(refused * 10 <= seen.optimal, "too many models are refused: {seen:?}");
    assert!(seen.too_large * 20 <= seen.optimal, "too many models are too large to be enumerated: {seen:?}");
    assert!(seen.infeasible > 0 && seen.optimal > 0, "{seen:?}");
}

#[test]
fn uniform_components_with_links_get_the_best_of_all_placements() {
    agree("links between uniform components", 4_000, Mix::Uniform);
}

#[test]
fn fleets_and_shared_nodes_with_links_get_the_best_of_all_placements() {
    agree("links of fleets and shared nodes", 3_000, Mix::Any);
}

/// The longest round trip of a link between components, instance by instance; `None` when some pair is not known.
fn longest_by_hand(snapshot: &Snapshot, placement: &Placement, link: usize) -> Option<f64> {
    let link = &snapshot.application.links[link];
    let (End::Component(a), End::Component(b)) = (link.from, link.to) else { return None };
    let at = |c| {
        let hosting = placement.groups.iter().filter(move |g| g.instances.iter().any(|(x, _)| *x == c));
        hosting.map(|g| &snapshot.catalog[g.offer])
    };
    let mut longest = 0.0f64;
    for x in at(a) {
        for y in at(b) {
            let (from, to) = (snapshot.catalog.place_of(x), snapshot.catalog.place_of(y));
            longest = longest.max(snapshot.catalog.network.connection(&from, &to).latency_ms?);
        }
    }
    Some(longest)
}

#[test]
fn a_placement_that_breaks_a_rule_about_data_or_latency_is_rejected() {
    let rejected: Mutex<BTreeMap<&str, u64>> = Mutex::default();
    each("mutations of places", 1_500, |seed| {
        let world = world(seed, if seed % 2 == 0 { Mix::Uniform } else { Mix::Any });
        let snapshot = world.snapshot();
        let Some(solution) = solve(&snapshot, &Settings::default()).ok().and_then(|outcome| outcome.solution) else {
            return Ok(());
        };
        let mut draw = Draw::new(!seed);
        let must_be_rejected = |changed: &Placement, why: &'static str| {
            if verify(&snapshot, changed).is_empty() {
                return Err(format!("accepted although {why}: {}\n{world}", shown(&snapshot, changed)));
            }
            *rejected.lock().unwrap().entry(why).or_default() += 1;
            Ok(())
        };
        for _ in 0..8 {
            if let Some((changed, why)) = replicas_changed(&snapshot, &solution.placement, &mut draw) {
                must_be_rejected(&changed, why)?;
            }
        }
        for _ in 0..12 {
            let mut changed = solution.placement.clone();
            if changed.groups.is_empty() {
                break;
            }
            let at = draw.number(0, changed.groups.len() as u32 - 1) as usize;
            changed.groups[at].offer = OfferIndex(draw.number(0, snapshot.catalog.len() as u32 - 1));
            changed.normalize();
            for (i, link) in snapshot.application.links.iter().enumerate() {
                let limit = link.latency_ms.unwrap_or(f64::INFINITY);
                if longest_by_hand(&snapshot, &changed, i).is_some_and(|ms| ms > limit + 1e-6) {
                    must_be_rejected(&changed, "a round trip is too long")?;
                }
            }
        }
        Ok(())
    });
    let rejected = rejected.into_inner().unwrap();
    println!("{rejected:?}");
    assert!(rejected.len() == 5, "some rules are never broken: {rejected:?}");
}

#[test]
fn what_a_link_costs_is_what_leaves_its_regions() {
    // Two thirds of the senders are beside the receiver, one third is elsewhere.
    let model = "application: a\ncomponents:\n  w: {cardinality: 3, fleet: mixed}\n  d: {}\nlinks:\n  l: {from: w, to: d, \
                 traffic: 30 GB/h, back: 6 GB/h, latency: 50 ms}\n";
    let mut world = World { model: model.to_owned(), ..World::default() };
    let near = cardinal_tests::world::plain_offer("near", 2, 4, 0.1);
    world.offers.push(near.clone());
    world.offers.push(cardinal_models::offer::Offer { id: "far".into(), region: "us".into(), ..near });
    let route = |from: &str, to: &str, ms, price| cardinal_models::network::Route {
        from: from.into(),
        to: to.into(),
        latency_ms: ms,
        egress_per_gb: price,
    };
    world.network = vec![route("us", "eu", Some(40.0), Some(0.09)), route("eu", "us", None, Some(0.02))];
    let snapshot = world.snapshot();
    let group = |offer, count, component: u32| cardinal_models::placement::NodeGroup {
        offer: OfferIndex(offer),
        zone: None,
        instances: vec![(cardinal_models::application::ComponentId(component), 1)],
        count,
    };
    let placement = Placement::of(vec![group(0, 2, 0), group(1, 1, 0), group(0, 1, 1)]);
    let used = Evaluator::new(&snapshot).link(LinkId(0), &placement).unwrap();
    assert!((used.cost - (10.0 * 0.09 + 2.0 * 0.02)).abs() < 1e-12, "{used:?}");
    assert!((used.crossing - 12.0).abs() < 1e-12 && used.latency_ms == Some(40.0), "{used:?}");
    assert!(verify(&snapshot, &placement).is_empty());
    let solution = solve(&snapshot, &Settings::default()).unwrap().solution.unwrap();
    assert_eq!(solution.cost.to_string(), "0.40");
}
