//! Pricing: the most valuable admissible load of one node, exactly or with an upper bound that holds.
//!
//! Depth-first branch and bound under a Lagrangian bound: for multipliers `l >= 0` of the resources no load is worth
//! more than `l . capacity + sum of u_i max(0, v_i - l . a_i)`, of items that never meet only the best. (Martello and
//! Toth, Knapsack Problems, 1990; Fisher, The Lagrangian relaxation method, Management Science 27, 1981.)

use super::node::{Bin, Mode, NodeModel, RESOURCES};

/// What pricing found for a bin.
#[derive(Clone, Debug, Default)]
pub(crate) struct Priced {
    /// No admissible load is worth more.
    pub upper: f64,
    /// Loads worth more than was asked for, with their value, the best last.
    pub found: Vec<(f64, Vec<u32>)>,
    /// Nodes of the search trees.
    pub steps: usize,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Loads worth no more than this are of no interest.
    pub threshold: f64,
    /// All values are whole multiples of this, so that bounds can be rounded; 0 when nothing is known.
    pub step: f64,
    /// Nodes of the search tree.
    pub nodes: usize,
    /// Multipliers are sought at length.
    pub thorough: bool,
}

/// An item as the search sees it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    item: usize,
    value: f64,
    /// Shares of the capacity.
    share: [f64; RESOURCES],
    /// At most so many.
    most: u32,
}

/// The search for one bin and mode.
struct Knapsack<'a> {
    model: &'a NodeModel,
    groups: Vec<Vec<Entry>>,
    /// The largest gain of the groups from each on.
    suffix: Vec<f64>,
    lambda: [f64; RESOURCES],
    reach: Reach,
    /// Relative room for rounding errors of the bound.
    slack: f64,
    blocked: Vec<u32>,
    counts: Vec<u32>,
    best: f64,
    open: f64,
    steps: usize,
    found: Vec<(f64, Vec<u32>)>,
    /// Every load above the threshold is wanted, at most so many.
    wanted: Option<usize>,
    only_maximal: bool,
    overflow: bool,
}

/// Multipliers of the bins, kept from one pricing to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Multipliers {
    of_bin: Vec<[f64; RESOURCES]>,
    /// Of the bin priced last, per unit of each resource.
    last: [f64; RESOURCES],
}

impl Multipliers {
    pub(crate) fn new(bins: usize) -> Self {
        Multipliers { of_bin: vec![[0.0; RESOURCES]; bins], last: [0.0; RESOURCES] }
    }

    /// Multipliers of a bin for each unit of an amount.
    pub(crate) fn of_amounts(&self, bin: usize, capacity: &[u64; RESOURCES]) -> [f64; RESOURCES] {
        let each =
            |r: usize| if capacity[r] < u64::MAX { self.of_bin[bin][r] / capacity[r].max(1) as f64 } else { 0.0 };
        std::array::from_fn(each)
    }

    /// Multipliers for a bin like those of the one before.
    fn like_last(&self, bin: &Bin) -> [f64; RESOURCES] {
        std::array::from_fn(|r| if bin.capacity[r] < u64::MAX { self.last[r] * bin.capacity[r] as f64 } else { 0.0 })
    }

    fn keep(&mut self, bin: usize, capacity: &[u64; RESOURCES], lambda: [f64; RESOURCES]) {
        self.of_bin[bin] = lambda;
        self.last = std::array::from_fn(|r| lambda[r] / capacity[r].max(1) as f64);
    }
}

/// The state of a bin before anything free is put on it.
struct Base {
    counts: Vec<u32>,
    value: f64,
    left: [u64; RESOURCES],
    most: Vec<u32>,
}

/// Puts what a mode requires on a bin; `None` when that is impossible.
fn base(model: &NodeModel, bin: &Bin, mode: &Mode, values: &[f64]) -> Option<Base> {
    let mut base = Base { counts: vec![0; values.len()], value: 0.0, left: bin.capacity, most: bin.most.clone() };
    for item in &mode.forbidden {
        base.most[*item] = 0;
    }
    for item in &mode.required {
        if base.most[*item] == 0 {
            return None;
        }
        base.most[*item] -= 1;
        base.counts[*item] = 1;
        base.value += values[*item];
        for r in 0..RESOURCES {
            base.left[r] = base.left[r].checked_sub(model.items[*item].demand[r])?;
        }
        for other in &model.conflicts[*item] {
            if base.counts[*other] > 0 {
                return None;
            }
            base.most[*other] = 0;
        }
    }
    Some(base)
}

impl<'a> Knapsack<'a> {
    fn new(model: &'a NodeModel, bin: &Bin, base: &Base, values: &[f64], reach: Reach, wanted: Option<usize>) -> Self {
        let entry = |item: usize| {
            let demand = &model.items[item].demand;
            let mut share = [0.0; RESOURCES];
            let mut most = u64::from(base.most[item]);
            for r in (0..RESOURCES).filter(|r| demand[*r] > 0) {
                // An unlimited resource is worth nothing.
                let is_limited = bin.capacity[r] < u64::MAX;
                share[r] = if is_limited { demand[r] as f64 / (base.left[r].max(1)) as f64 } else { 0.0 };
                most = most.min(base.left[r] / demand[r]);
            }
            Entry { item, value: values[item], share, most: most as u32 }
        };
        // Where every load is wanted the worthless items belong to it too, and where the node itself is worth something.
        let counts = |e: &Entry| e.most > 0 && (wanted.is_some() || e.value > 0.0 || reach.threshold < 0.0);
        let groups: Vec<Vec<Entry>> = model
            .cliques
            .iter()
            .map(|clique| clique.iter().map(|i| entry(*i)).filter(counts).collect::<Vec<_>>())
            .filter(|group| !group.is_empty())
            .collect();
        let size: f64 = groups.iter().flatten().map(|e| e.value.abs() * f64::from(e.most)).fold(0.0, f64::max);
        Knapsack {
            model,
            suffix: Vec::new(),
            groups,
            lambda: [0.0; RESOURCES],
            reach,
            slack: 1e-12 * (size + base.value.abs() + reach.threshold.abs()),
            blocked: vec![0; values.len()],
            counts: base.counts.clone(),
            best: reach.threshold,
            open: f64::NEG_INFINITY,
            steps: 0,
            found: Vec::new(),
            wanted,
            only_maximal: false,
            overflow: false,
        }
    }

    fn gain(&self, entry: &Entry, lambda: &[f64; RESOURCES]) -> f64 {
        let charge: f64 = (0..RESOURCES).map(|r| lambda[r] * entry.share[r]).sum();
        f64::from(entry.most) * (entry.value - charge).max(0.0)
    }

    /// The Lagrangian bound with everything free.
    fn bound_at(&self, lambda: &[f64; RESOURCES]) -> f64 {
        let gains = self.groups.iter().map(|g| g.iter().map(|e| self.gain(e, lambda)).fold(0.0, f64::max));
        lambda.iter().sum::<f64>() + gains.sum::<f64>()
    }

    /// Improves multipliers: the bound is convex, so searching along a few directions in turn goes far.
    fn improve(&mut self, start: [f64; RESOURCES]) -> f64 {
        let used: Vec<usize> =
            (0..RESOURCES).filter(|r| self.groups.iter().flatten().any(|e| e.share[*r] > 0.0)).collect();
        let total: f64 =
            self.groups.iter().map(|g| g.iter().map(|e| e.value * f64::from(e.most)).fold(0.0, f64::max)).sum();
        let mut lambda = start;
        (0..RESOURCES).filter(|r| !used.contains(r)).for_each(|r| lambda[r] = 0.0);
        let mut bound = self.bound_at(&lambda);
        let mut directions: Vec<[f64; RESOURCES]> = Vec::new();
        for r in &used {
            let mut one = [0.0; RESOURCES];
            one[*r] = 1.0;
            directions.push(one);
        }
        for pair in used.windows(2) {
            let mut trade = [0.0; RESOURCES];
            (trade[pair[0]], trade[pair[1]]) = (1.0, -1.0);
            directions.push(trade);
        }
        for _ in 0..3 {
            let before = bound;
            for direction in &directions {
                // Multipliers stay between 0 and the value of everything.
                let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
                for r in 0..RESOURCES {
                    match direction[r] {
                        d if d > 0.0 => (low, high) = (low.max(-lambda[r]), high.min(total - lambda[r])),
                        d if d < 0.0 => (low, high) = (low.max(lambda[r] - total), high.min(lambda[r])),
                        _ => {}
                    }
                }
                if high <= low {
                    continue;
                }
                let at = |t: f64| {
                    let mut moved = lambda;
                    (0..RESOURCES).for_each(|r| moved[r] = (lambda[r] + t * direction[r]).max(0.0));
                    moved
                };
                for _ in 0..28 {
                    let third = (high - low) / 3.0;
                    let (a, b) = (low + third, high - third);
                    if self.bound_at(&at(a)) <= self.bound_at(&at(b)) { high = b } else { low = a }
                }
                let moved = at((low + high) / 2.0);
                let value = self.bound_at(&moved);
                if value < bound {
                    (lambda, bound) = (moved, value);
                }
            }
            if bound > before - 1e-9 * before.abs() {
                break;
            }
        }
        self.lambda = lambda;
        bound
    }

    /// Moves multipliers one at a time to where the bound bends: its minimum lies there, and a bound that is off in the
    /// last digits cannot be rounded down.
    fn polish(&mut self) -> f64 {
        let mut lambda = self.lambda;
        let mut bound = self.bound_at(&lambda);
        for _ in 0..3 {
            let before = bound;
            for r in 0..RESOURCES {
                let mut bends = vec![0.0];
                for e in self.groups.iter().flatten().filter(|e| e.share[r] > 0.0) {
                    let others: f64 = (0..RESOURCES).filter(|o| *o != r).map(|o| lambda[o] * e.share[o]).sum();
                    bends.push(((e.value - others) / e.share[r]).max(0.0));
                }
                bends.sort_unstable_by(f64::total_cmp);
                bends.dedup();
                for bend in bends {
                    let mut moved = lambda;
                    moved[r] = bend;
                    let value = self.bound_at(&moved);
                    if value < bound {
                        (lambda, bound) = (moved, value);
                    }
                }
            }
            if bound >= before {
                break;
            }
        }
        self.lambda = lambda;
        bound
    }

    /// The smallest bound over the multipliers of the two scarcest resources, nearly: one nested in the other.
    fn improve_thoroughly(&mut self) -> f64 {
        let mut order: Vec<usize> = (0..RESOURCES).collect();
        let weight = |r: usize| self.groups.iter().flatten().map(|e| e.share[r] * f64::from(e.most)).sum::<f64>();
        order.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)));
        let (first, second) = (order[0], order[1]);
        let total: f64 =
            self.groups.iter().map(|g| g.iter().map(|e| e.value * f64::from(e.most)).fold(0.0, f64::max)).sum();
        let inner = |outer: f64| -> (f64, [f64; RESOURCES]) {
            let mut lambda = self.lambda;
            lambda[first] = outer;
            let (mut low, mut high) = (0.0, total);
            for _ in 0..32 {
                let third = (high - low) / 3.0;
                let mut at = |x: f64| {
                    lambda[second] = x;
                    self.bound_at(&lambda)
                };
                if at(low + third) <= at(high - third) { high -= third } else { low += third }
            }
            lambda[second] = (low + high) / 2.0;
            (self.bound_at(&lambda), lambda)
        };
        let (mut low, mut high) = (0.0, total);
        for _ in 0..32 {
            let third = (high - low) / 3.0;
            if inner(low + third).0 <= inner(high - third).0 { high -= third } else { low += third }
        }
        let (bound, lambda) = inner((low + high) / 2.0);
        let before = self.bound_at(&self.lambda);
        if bound < before {
            self.lambda = lambda;
        }
        self.polish()
    }

    fn sort(&mut self) {
        let lambda = self.lambda;
        let ratio = |e: &Entry| {
            let charge: f64 = (0..RESOURCES).map(|r| lambda[r] * e.share[r]).sum();
            if charge > 0.0 { e.value / charge } else { f64::INFINITY * e.value.signum() }
        };
        for group in &mut self.groups {
            group.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)).then_with(|| a.item.cmp(&b.item)));
        }
        // What excludes others decides first.
        self.groups.sort_by(|a, b| {
            let key = |g: &[Entry]| (g.len() == 1, -ratio(&g[0]), g[0].item);
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
        });
        self.suffix = vec![0.0; self.groups.len() + 1];
        for i in (0..self.groups.len()).rev() {
            let gain = self.groups[i].iter().map(|e| self.gain(e, &lambda)).fold(0.0, f64::max);
            self.suffix[i] = self.suffix[i + 1] + gain;
        }
    }

    fn rounded(&self, bound: f64) -> f64 {
        let bound = bound + self.slack;
        if self.reach.step > 0.0 { (bound / self.reach.step + 1e-6).floor() * self.reach.step } else { bound }
    }

    fn search(&mut self, at: usize, value: f64, left: [u64; RESOURCES], share: [f64; RESOURCES]) {
        let reserve: f64 = (0..RESOURCES).map(|r| self.lambda[r] * share[r]).sum();
        let bound = self.rounded(value + reserve + self.suffix[at]);
        match self.wanted {
            None if bound <= self.best + self.slack => return,
            Some(_) if bound < self.reach.threshold || self.overflow => return,
            _ => {}
        }
        self.steps += 1;
        if self.steps > self.reach.nodes {
            self.open = self.open.max(bound);
            self.overflow = true;
            return;
        }
        if at == self.groups.len() {
            self.leaf(value, &left);
            return;
        }
        for e in 0..self.groups[at].len() {
            let entry = self.groups[at][e];
            if self.blocked[entry.item] > 0 {
                continue;
            }
            let demand = self.model.items[entry.item].demand;
            let room = (0..RESOURCES).filter(|r| demand[*r] > 0).map(|r| left[r] / demand[r]);
            let most = room.fold(u64::from(entry.most), u64::min) as u32;
            if most == 0 {
                continue;
            }
            self.block(entry.item, true);
            for n in (1..=most).rev() {
                let (mut rest, mut rest_share) = (left, share);
                for r in 0..RESOURCES {
                    rest[r] -= demand[r] * u64::from(n);
                    rest_share[r] -= entry.share[r] * f64::from(n);
                }
                self.counts[entry.item] += n;
                self.search(at + 1, value + entry.value * f64::from(n), rest, rest_share);
                self.counts[entry.item] -= n;
            }
            self.block(entry.item, false);
        }
        self.search(at + 1, value, left, share);
    }

    fn block(&mut self, item: usize, on: bool) {
        for other in &self.model.conflicts[item] {
            if on { self.blocked[*other] += 1 } else { self.blocked[*other] -= 1 }
        }
    }

    fn leaf(&mut self, value: f64, left: &[u64; RESOURCES]) {
        if self.counts.iter().all(|n| *n == 0) {
            return;
        }
        match self.wanted {
            None if value > self.best => {
                self.best = value;
                self.found.push((value, self.counts.clone()));
            }
            None => {}
            Some(_) if value + self.slack < self.reach.threshold => {}
            Some(_) if self.only_maximal && self.can_grow(left) => {}
            Some(limit) => {
                self.overflow |= self.found.len() >= limit;
                self.found.push((value, self.counts.clone()));
            }
        }
    }

    fn can_grow(&self, left: &[u64; RESOURCES]) -> bool {
        self.groups.iter().flatten().any(|e| {
            let demand = &self.model.items[e.item].demand;
            self.blocked[e.item] == 0 && self.counts[e.item] < e.most && (0..RESOURCES).all(|r| demand[r] <= left[r])
        })
    }
}

/// The most valuable load of a bin. With no node of the search tree only the bound.
pub(crate) fn best(
    model: &NodeModel,
    bin: usize,
    values: &[f64],
    reach: Reach,
    multipliers: &mut Multipliers,
) -> Priced {
    let mut priced = Priced { upper: f64::NEG_INFINITY, found: Vec::new(), steps: 0 };
    for mode in &model.modes {
        let Some(base) = base(model, &model.bins[bin], mode, values) else { continue };
        let mut knapsack = Knapsack::new(model, &model.bins[bin], &base, values, reach, None);
        knapsack.best = knapsack.best.max(priced.found.last().map_or(f64::NEG_INFINITY, |f| f.0));
        // Multipliers of an earlier pricing are often good enough.
        knapsack.lambda = multipliers.of_bin[bin];
        let mut free = knapsack.bound_at(&knapsack.lambda);
        if knapsack.rounded(base.value + free) > knapsack.best && reach.thorough {
            knapsack.lambda = multipliers.like_last(&model.bins[bin]);
            free = free.min(knapsack.polish());
        }
        if knapsack.rounded(base.value + free) > knapsack.best {
            free = knapsack.improve(multipliers.of_bin[bin]);
        }
        if reach.thorough && knapsack.rounded(base.value + free) > knapsack.best {
            free = knapsack.improve_thoroughly();
        }
        let bound = knapsack.rounded(base.value + free);
        multipliers.keep(bin, &model.bins[bin].capacity, knapsack.lambda);
        if bound <= knapsack.best || reach.nodes == 0 {
            priced.upper = priced.upper.max(bound);
            continue;
        }
        knapsack.sort();
        let whole = std::array::from_fn(|_| 1.0);
        knapsack.search(0, base.value, base.left, whole);
        // Nothing above the best found or above what was left open.
        priced.upper = priced.upper.max(bound.min(knapsack.best.max(knapsack.open) + knapsack.slack));
        priced.steps += knapsack.steps;
        priced.found.extend(knapsack.found);
    }
    priced.found.sort_by(|a, b| a.0.total_cmp(&b.0));
    priced
}

/// Every load of a bin worth at least the threshold, at most so many; `None` when there are more or the search is cut
/// short. `only_maximal` leaves out loads to which something can be added.
pub(crate) fn all(
    model: &NodeModel,
    bin: usize,
    values: &[f64],
    reach: Reach,
    limit: usize,
    only_maximal: bool,
) -> (Vec<Vec<u32>>, bool) {
    let mut loads = Vec::new();
    let mut complete = true;
    for mode in &model.modes {
        let Some(base) = base(model, &model.bins[bin], mode, values) else { continue };
        let mut knapsack = Knapsack::new(model, &model.bins[bin], &base, values, reach, Some(limit));
        knapsack.only_maximal = only_maximal;
        knapsack.improve([0.0; RESOURCES]);
        knapsack.sort();
        let whole = std::array::from_fn(|_| 1.0);
        knapsack.search(0, base.value, base.left, whole);
        complete &= !knapsack.overflow;
        loads.extend(knapsack.found.into_iter().map(|(_, counts)| counts));
    }
    (loads, complete)
}
