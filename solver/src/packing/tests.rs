//! Pricing, bounds and plans against enumeration.
#![allow(clippy::unwrap_used)]

use cardinal_models::application::ComponentId;
use cardinal_models::catalog::OfferIndex;

use super::completion::Completion;
use super::cover::Cover;
use super::dive::DIVES;
use super::generate::Generator;
use super::node::{Bin, Item, Mode, NodeModel, RESOURCES};
use super::pricing::Reach;
use super::rounding::Plan;
use super::scale::{FINE_CELLS, Scale};
use crate::engine::Limits;

/// A stream of numbers that a seed determines (Park and Miller).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, most: u64) -> u64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 % (most + 1)
    }
}

/// Sizes without a common unit, in two or three resources; some items never meet.
fn random(seed: u64) -> (NodeModel, Vec<f64>) {
    let mut numbers = Numbers(seed * 7919 + 1);
    let (count, resources) = (2 + numbers.next(3) as usize, 2 + numbers.next(1) as usize);
    let mut demand = || -> [u64; RESOURCES] {
        std::array::from_fn(|r| match r {
            0 => 1 + numbers.next(40_000),
            r if r < resources => numbers.next(2) * numbers.next(30_000),
            _ => 0,
        })
    };
    let items: Vec<Item> = (0..count).map(|_| Item { components: Vec::new(), demand: demand() }).collect();
    let limit: Vec<u64> = (0..count).map(|_| 1 + numbers.next(3)).collect();
    let bins = (0..1 + numbers.next(3))
        .map(|k| {
            let capacity =
                std::array::from_fn(|r| if r < resources { 20_000 + numbers.next(70_000) } else { u64::MAX });
            let room = |i: &Item| (0..RESOURCES).filter(|r| i.demand[*r] > 0).map(|r| capacity[r] / i.demand[r]).min();
            let most = items.iter().zip(&limit).map(|(i, l)| room(i).map_or(*l, |n| n.min(*l)) as u32).collect();
            Bin { offer: OfferIndex(k as u32), zone: None, capacity, most, class: 0 }
        })
        .collect();
    let mut cliques: Vec<Vec<usize>> = Vec::new();
    for item in 0..count {
        match cliques.last_mut() {
            Some(last) if numbers.next(2) == 0 => last.push(item),
            _ => cliques.push(vec![item]),
        }
    }
    let mut conflicts = vec![Vec::new(); count];
    for clique in &cliques {
        clique.iter().for_each(|i| conflicts[*i] = clique.iter().copied().filter(|j| j != i).collect());
    }
    let values = (0..count).map(|_| numbers.next(1_000) as f64 / 7.0).collect();
    (NodeModel { items, bins, conflicts, cliques, modes: vec![Mode::default()], closed: true }, values)
}

/// Every admissible load of a bin.
fn loads(model: &NodeModel, bin: &Bin) -> Vec<Vec<u32>> {
    let mut all: Vec<Vec<u32>> = vec![Vec::new()];
    for most in &bin.most {
        all = all.iter().flat_map(|l| (0..=*most).map(|n| [&l[..], &[n]].concat())).collect();
    }
    all.retain(|counts| model.allows(bin, counts));
    all
}

fn value(counts: &[u32], values: &[f64]) -> f64 {
    counts.iter().zip(values).map(|(n, v)| f64::from(*n) * v).sum()
}

#[test]
fn searches_under_tables_find_the_best_load_and_their_bounds_hold() {
    let (mut searched, mut cut) = (0, 0);
    for seed in 0..1_500 {
        let (model, values) = random(seed);
        for scale in Scale::all(&model, 10 + seed as usize % 7 * 3_000) {
            for bin in scale.bins.clone() {
                let best = loads(&model, &model.bins[bin]).iter().map(|l| value(l, &values)).fold(0.0, f64::max);
                let Some(table) = Completion::of(&model, &scale, &values, &mut Vec::new()) else {
                    assert_eq!(best, 0.0, "seed {seed}");
                    continue;
                };
                let charge = [(seed % 5) as f64 * 1e-3, (seed % 3) as f64 * 1e-3, 1e-3, 0.0];
                let fine = Scale::fine(&model, bin, seed as usize % 2);
                let Some(finer) = table.finer(&fine, &values, charge, &mut Vec::new()) else {
                    assert_eq!(best, 0.0, "seed {seed}");
                    continue;
                };
                for threshold in [0.0, 0.7 * best] {
                    for (others, nodes) in [(vec![], 1 << 20), (vec![&finer], 1 << 20), (vec![&finer], 2), (vec![], 0)]
                    {
                        let reach = Reach { threshold, step: 0.0, nodes, thorough: false };
                        let priced = table.best(bin, &others, reach);
                        assert!(priced.upper >= best - 1e-9, "seed {seed}: {} is below {best}", priced.upper);
                        for (worth, counts) in &priced.found {
                            assert!(model.allows(&model.bins[bin], counts), "seed {seed}: {counts:?}");
                            assert!((worth - value(counts, &values)).abs() < 1e-9, "seed {seed}: {counts:?}");
                        }
                        let found = priced.found.last().map_or(threshold, |(worth, _)| *worth);
                        if nodes > 2 {
                            let near = 1e-5 * (1.0 + best);
                            assert!(
                                found >= best - near && priced.upper <= best + near,
                                "seed {seed}: {found}, {best}"
                            );
                            searched += 1;
                        }
                        cut += usize::from(priced.upper > best + 1e-3);
                    }
                }
            }
        }
    }
    assert!(searched > 5_000 && cut > 200, "{searched} searched, {cut} cut short");
}

/// Items that may all meet, on one large bin with GPUs.
fn wide(count: usize) -> NodeModel {
    let demand = |i: usize| [250 + i as u64 * 7, (1 << 28) + i as u64 * 4_099, 0, u64::from(i.is_multiple_of(3))];
    let items = (0..count).map(|i| Item { components: Vec::new(), demand: demand(i) }).collect();
    let capacity = [192_000, 768 << 30, u64::MAX, 8];
    let bin = Bin { offer: OfferIndex(0), zone: None, capacity, most: vec![3; count], class: 0 };
    let cliques = (0..count).map(|i| vec![i]).collect();
    let conflicts = vec![Vec::new(); count];
    NodeModel { items, bins: vec![bin], conflicts, cliques, modes: vec![Mode::default()], closed: true }
}

#[test]
fn fine_tables_stay_within_their_cells() {
    for count in [1, 40, 400, 5_000] {
        let model = wide(count);
        for r in 0..RESOURCES {
            let scale = Scale::fine(&model, 0, r);
            let size: usize = scale.steps.iter().product();
            assert!(size * (count + 1) <= FINE_CELLS, "{count} items, resource {r}: {:?}", scale.steps);
            assert_eq!(scale.is_fine(), r < 2, "{count} items, resource {r}: {:?}", scale.steps);
        }
    }
    assert!(Scale::fine(&wide(1), 0, 0).steps[0] > 12_000, "few items are counted as finely as ever");
    assert!(Scale::fine(&wide(400), 0, 1).steps[1] > 2_000, "many items are still counted finely");
    assert!(!Scale::fine(&wide(100_000), 0, 0).is_fine(), "too many items have no fine table");
}

/// A pool of a few instances over the bins of a model; larger bins are dearer.
fn cover(seed: u64) -> Option<Cover> {
    let (mut model, _) = random(seed);
    let mut numbers = Numbers(seed * 104_729 + 3);
    let mut prices: Vec<i64> =
        model.bins.iter().map(|b| (b.capacity[0] / 10_000 * 10 + numbers.next(9) + 1) as i64 * 1_000).collect();
    prices.sort_unstable();
    let demand: Vec<u32> = model.items.iter().map(|_| 1 + numbers.next(1) as u32).collect();
    for bin in &mut model.bins {
        bin.most.iter_mut().zip(&demand).for_each(|(most, n)| *most = (*most).min(*n));
        // A node has one of a class.
        let classes = model.cliques.iter().filter(|c| c.len() > 1);
        classes.flatten().for_each(|item| bin.most[*item] = bin.most[*item].min(1));
    }
    let is_placeable = (0..demand.len()).all(|i| model.bins.iter().any(|b| b.most[i] > 0));
    let members = demand.iter().enumerate().map(|(i, n)| vec![(ComponentId(i as u32), *n)]).collect();
    is_placeable.then_some(Cover { model, demand, members, prices, factor: 1.0, constant: 0.0 })
}

/// The least price, by putting every instance on each node that is there or on one more.
fn least(cover: &Cover, instances: &[usize], nodes: &mut Vec<Vec<u32>>) -> i64 {
    let Some((first, rest)) = instances.split_first() else {
        let price = |counts: &Vec<u32>| {
            let held = (0..cover.prices.len()).filter(|b| cover.model.allows(&cover.model.bins[*b], counts));
            held.map(|b| cover.prices[b]).min()
        };
        return nodes.iter().map(price).sum::<Option<i64>>().unwrap_or(i64::MAX);
    };
    let mut best = i64::MAX;
    for at in 0..nodes.len() {
        nodes[at][*first] += 1;
        best = best.min(least(cover, rest, nodes));
        nodes[at][*first] -= 1;
    }
    let mut alone = vec![0; cover.demand.len()];
    alone[*first] = 1;
    nodes.push(alone);
    best = best.min(least(cover, rest, nodes));
    nodes.pop();
    best
}

/// What is wrong with a plan.
fn wrong(cover: &Cover, plan: &Plan) -> Option<String> {
    let mut held = vec![0u32; cover.demand.len()];
    for ((bin, counts), n) in plan {
        if !cover.model.allows(&cover.model.bins[*bin], counts) {
            return Some(format!("{counts:?} is no node of {bin}"));
        }
        counts.iter().zip(&mut held).for_each(|(k, sum)| *sum += k * n);
    }
    (held != cover.demand).then(|| format!("{held:?} instead of {:?}", cover.demand))
}

#[test]
fn bounds_hold_and_dives_end_in_whole_plans() {
    let (mut judged, mut optimal) = (0, 0);
    for seed in 0..700 {
        let Some(cover) = cover(seed) else { continue };
        let instances: Vec<usize> =
            cover.demand.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i, *n as usize)).collect();
        if instances.len() > 7 {
            continue;
        }
        let best = least(&cover, &instances, &mut Vec::new());
        let (probe, limits) = (cover.probe(), Limits::default());
        let mut generator = Generator::new(&cover.model, &probe, &limits, instances.len() as f64);
        let mut root = generator.run(generator.start()).unwrap();
        generator.sharpen(&mut root);
        for bound in &generator.bounds {
            assert!(bound / cover.unit() <= best as f64 + 1e-3, "seed {seed}: {bound} is above {best}");
        }
        let known = (root.bound / cover.unit(), 1_000);
        let (plan, _) = cover.dive(&root, None, DIVES[seed as usize % DIVES.len()], known, &limits).unwrap();
        let plan = plan.unwrap();
        assert_eq!(wrong(&cover, &plan), None, "seed {seed}: dived");
        let price = cover.price(&plan);
        let plan = cover.polished(plan, &root.duals, None, known, &limits).unwrap();
        assert_eq!(wrong(&cover, &plan), None, "seed {seed}: polished");
        assert!(cover.price(&plan) <= price && cover.price(&plan) >= i128::from(best), "seed {seed}");
        (judged, optimal) = (judged + 1, optimal + usize::from(cover.price(&plan) == i128::from(best)));
    }
    assert!(judged > 100 && optimal * 10 >= judged * 9, "{optimal} of {judged} to the optimum");
}
