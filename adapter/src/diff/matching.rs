//! Which running node becomes which wanted node.
//!
//! A maximum-weight matching between nodes of equal offer and zone. The weight of a pair is what it saves from moving:
//! first instances that must not move, then instances, then the node itself. Identical pairs are matched first, which
//! loses nothing: with `min` as the overlap, for every x, y, z: min(x,y) + min(x,z) <= x + min(y,z). What is left is
//! matched by types of nodes, as a transportation problem solved by successive longest augmenting paths.

use std::collections::BTreeMap;

use crate::deployment::{Node, WantedNode};
use crate::rules::Rules;

/// Pairs of types above which the matching is greedy: paths through more would take seconds.
const EXACT_PAIRS_MAX: usize = 90_000;

/// The running nodes' partners.
pub(super) struct Matching {
    /// For each running node its wanted node, an index.
    pub(super) partner: Vec<Option<usize>>,
    /// True when no matching moves fewer instances.
    pub(super) proven: bool,
}

type Counts = BTreeMap<String, u32>;

/// How many instances two contents have in common.
pub(super) fn overlap(a: &Counts, b: &Counts) -> u64 {
    a.iter().map(|(component, n)| u64::from(*n.min(b.get(component).unwrap_or(&0)))).sum()
}

/// Nodes that are alike: zone, content, and the members' indices.
struct Kind {
    zone: Option<String>,
    counts: Counts,
    members: Vec<usize>,
}

/// A matching that moves the fewest instances and, among those, keeps the most nodes.
pub(super) fn fewest_moves(running: &[&Node], wanted: &[WantedNode], rules: &Rules) -> Matching {
    let mut by_offer: BTreeMap<&str, (Vec<Kind>, Vec<Kind>)> = BTreeMap::new();
    let running_kinds = kinds(running.iter().map(|n| (n.offer.id.as_str(), n.offer.zone.as_ref(), n.counts())));
    for (offer, kinds) in running_kinds {
        by_offer.entry(offer).or_default().0 = kinds;
    }
    for (offer, kinds) in
        kinds(wanted.iter().map(|n| (n.offer.id.as_str(), n.offer.zone.as_ref(), n.instances.clone())))
    {
        by_offer.entry(offer).or_default().1 = kinds;
    }

    let mut matching = Matching { partner: vec![None; running.len()], proven: true };
    let scale = Scale::of(running, wanted);
    for (mut left, mut right) in by_offer.into_values() {
        match_identical(&mut left, &mut right, &mut matching.partner);
        left.retain(|k| !k.members.is_empty());
        right.retain(|k| !k.members.is_empty());
        let weight = |l: &Kind, r: &Kind| {
            let fits = r.zone.is_none() || r.zone == l.zone;
            fits.then(|| scale.weight(&l.counts, &r.counts, rules))
        };
        let weights: Vec<Vec<Option<i128>>>;
        let flow = if left.len().saturating_mul(right.len()) <= EXACT_PAIRS_MAX {
            weights = left.iter().map(|l| right.iter().map(|r| weight(l, r)).collect()).collect();
            transport(&weights, &sizes(&left), &sizes(&right))
        } else {
            matching.proven = false;
            greedy(&left, &right, weight)
        };
        for (l, r, count) in flow {
            for _ in 0..count {
                if let (Some(node), Some(wish)) = (left[l].members.pop(), right[r].members.pop()) {
                    matching.partner[node] = Some(wish);
                }
            }
        }
    }
    matching
}

/// What a saved unmoveable instance, a saved instance and a kept node are worth, each more than all of the next.
struct Scale {
    unmoveable: i128,
    instance: i128,
}

impl Scale {
    fn of(running: &[&Node], wanted: &[WantedNode]) -> Self {
        let instances: u64 = running.iter().map(|n| n.instance_count()).sum();
        let instance = i128::from(wanted.len() as u64) + 1;
        Scale { unmoveable: (i128::from(instances) + 1) * instance + instance, instance }
    }

    fn weight(&self, a: &Counts, b: &Counts, rules: &Rules) -> i128 {
        let saved = a.iter().map(|(component, n)| {
            let saved = i128::from(*n.min(b.get(component).unwrap_or(&0)));
            saved * if rules.is_unmoveable(component) { self.unmoveable } else { self.instance }
        });
        saved.sum::<i128>() + 1
    }
}

/// Groups nodes by offer, zone and content; members are kept with the lowest index last, so that `pop` gives it first.
fn kinds<'a>(nodes: impl Iterator<Item = (&'a str, Option<&'a String>, Counts)>) -> BTreeMap<&'a str, Vec<Kind>> {
    let mut groups: BTreeMap<(&str, Option<&String>, Counts), Vec<usize>> = BTreeMap::new();
    for (i, (offer, zone, counts)) in nodes.enumerate() {
        groups.entry((offer, zone, counts)).or_default().push(i);
    }
    let mut kinds: BTreeMap<&str, Vec<Kind>> = BTreeMap::new();
    for ((offer, zone, counts), mut members) in groups {
        members.reverse();
        kinds.entry(offer).or_default().push(Kind { zone: zone.cloned(), counts, members });
    }
    kinds
}

fn sizes(kinds: &[Kind]) -> Vec<usize> {
    kinds.iter().map(|k| k.members.len()).collect()
}

/// Pairs nodes that are alike in zone and content.
fn match_identical(left: &mut [Kind], right: &mut [Kind], partner: &mut [Option<usize>]) {
    let place = |k: &Kind| (k.zone.clone(), k.counts.clone());
    let mut of_content: BTreeMap<_, usize> = BTreeMap::new();
    for (i, kind) in right.iter().enumerate() {
        of_content.insert(place(kind), i);
    }
    for l in left {
        let Some(r) = of_content.get(&place(l)).map(|i| &mut right[*i]) else { continue };
        while let (Some(_), Some(_)) = (l.members.last(), r.members.last()) {
            if let (Some(node), Some(wish)) = (l.members.pop(), r.members.pop()) {
                partner[node] = Some(wish);
            }
        }
    }
}

/// Each kind in turn takes the best partner that is left.
fn greedy(left: &[Kind], right: &[Kind], weight: impl Fn(&Kind, &Kind) -> Option<i128>) -> Vec<(usize, usize, usize)> {
    let mut free = sizes(right);
    let mut flow = Vec::new();
    for (l, kind) in left.iter().enumerate() {
        let mut open = kind.members.len();
        let mut ranked: Vec<(i128, usize)> =
            (0..right.len()).filter(|r| free[*r] > 0).filter_map(|r| Some((weight(kind, &right[r])?, r))).collect();
        ranked.sort_unstable_by_key(|(weight, r)| (std::cmp::Reverse(*weight), *r));
        for (_, r) in ranked {
            let count = open.min(free[r]);
            if count > 0 {
                flow.push((l, r, count));
                open -= count;
                free[r] -= count;
            }
        }
    }
    flow
}

/// A flow of greatest total weight from supplies to demands: `(from, to, amount)`. Weights are positive.
fn transport(weights: &[Vec<Option<i128>>], supply: &[usize], demand: &[usize]) -> Vec<(usize, usize, usize)> {
    let (mut supply, mut demand) = (supply.to_vec(), demand.to_vec());
    let mut flow = vec![vec![0_usize; demand.len()]; supply.len()];
    while let Some(path) = longest_path(weights, &flow, &supply, &demand) {
        // The path alternates left, right, left ... right.
        let first = path[0];
        let last = path[path.len() - 1];
        let returned = path[1..].chunks_exact(2).map(|pair| flow[pair[1]][pair[0]]).min().unwrap_or(usize::MAX);
        let amount = supply[first].min(demand[last]).min(returned);
        supply[first] -= amount;
        demand[last] -= amount;
        path.chunks_exact(2).for_each(|pair| flow[pair[0]][pair[1]] += amount);
        path[1..].chunks_exact(2).for_each(|pair| flow[pair[1]][pair[0]] -= amount);
    }
    let cells = flow.iter().enumerate().flat_map(|(l, row)| row.iter().enumerate().map(move |(r, n)| (l, r, *n)));
    cells.filter(|(.., n)| *n > 0).collect()
}

/// The augmenting path of greatest weight from free supply to free demand; `None` when none is above zero. Bellman-Ford:
/// the flow so far is the best of its size, so there is no cycle above zero.
fn longest_path(
    weights: &[Vec<Option<i128>>],
    flow: &[Vec<usize>],
    supply: &[usize],
    demand: &[usize],
) -> Option<Vec<usize>> {
    let mut to_left: Vec<Option<i128>> = supply.iter().map(|s| (*s > 0).then_some(0)).collect();
    let mut to_right: Vec<Option<i128>> = vec![None; demand.len()];
    let mut left_from: Vec<Option<usize>> = vec![None; supply.len()];
    let mut right_from: Vec<usize> = vec![0; demand.len()];
    let mut fresh: Vec<usize> = (0..supply.len()).filter(|l| supply[*l] > 0).collect();
    while !fresh.is_empty() {
        let mut better = vec![false; demand.len()];
        for l in fresh.drain(..) {
            let Some(so_far) = to_left[l] else { continue };
            for (r, weight) in weights[l].iter().enumerate() {
                let Some(length) = weight.map(|w| so_far + w) else { continue };
                if to_right[r].is_none_or(|best| length > best) {
                    to_right[r] = Some(length);
                    right_from[r] = l;
                    better[r] = true;
                }
            }
        }
        for r in (0..demand.len()).filter(|r| better[*r]) {
            let Some(so_far) = to_right[r] else { continue };
            for l in (0..supply.len()).filter(|l| flow[*l][r] > 0) {
                let Some(length) = weights[l][r].map(|w| so_far - w) else { continue };
                if to_left[l].is_none_or(|best| length > best) {
                    to_left[l] = Some(length);
                    left_from[l] = Some(r);
                    if !fresh.contains(&l) {
                        fresh.push(l);
                    }
                }
            }
        }
    }
    let ends = (0..demand.len()).rev().filter(|r| demand[*r] > 0).filter_map(|r| Some((to_right[r]?, r)));
    let (length, mut right) = ends.max_by_key(|(length, _)| *length)?;
    if length <= 0 {
        return None;
    }
    let mut path = vec![right];
    loop {
        let left = right_from[right];
        path.push(left);
        match left_from[left] {
            Some(previous) => {
                right = previous;
                path.push(right);
            }
            None => break,
        }
    }
    path.reverse();
    Some(path)
}
