//! A pool that only has to hold so many instances at least cost: components that are alike on a node are one item.
//!
//! What is left out here, rules on zones and small classes of instances that stay apart, makes a relaxation: its bound
//! holds for the whole, and its nodes are filled with actual instances by [`super::assign`], which heeds every rule.

use cardinal_models::application::{ComponentId, Demand};
use cardinal_models::formula::expr::BinaryOp;
use rustc_hash::FxHashMap;

use super::node::{Item, Mode, NodeModel, amounts, bins_of, without_dominated};
use super::probe::Probe;
use crate::bound::Part;
use crate::formulation::Cluster;
use crate::pattern::{NodeRules, shared_components};
use crate::program::Ground;
use crate::term::Term;

/// Classes of instances that stay apart are kept where they are at least this part of the largest.
const CLASS_SHARE: f64 = 0.25;
/// Where there are so few instances all are kept.
const FEW_INSTANCES: u64 = 300;
/// At most so many items.
const MOST_ITEMS: usize = 400;

/// The relaxed pool.
#[derive(Clone, Debug)]
pub(crate) struct Cover {
    pub model: NodeModel,
    /// By item: how many are wanted.
    pub demand: Vec<u32>,
    /// By item: its components with their numbers of instances.
    pub members: Vec<Vec<(ComponentId, u32)>>,
    /// By bin: the price in 1e-9 currency units per hour.
    pub prices: Vec<i64>,
    /// What one currency unit of cost loses in the objective.
    pub factor: f64,
    /// What the objective loses beside the cost.
    pub constant: f64,
}

/// The factor of the cost and the constant of a term that depends on the cost of the pool alone.
fn cost_of(term: &Term) -> Option<(f64, f64)> {
    match term {
        Term::Constant(x) => Some((0.0, *x)),
        Term::Cost(None) => Some((1.0, 0.0)),
        Term::Negate(x) => cost_of(x).map(|(a, b)| (-a, -b)),
        Term::Binary(BinaryOp::Multiply, a, b) => match (a.as_ref(), b.as_ref()) {
            (Term::Constant(c), x) | (x, Term::Constant(c)) => cost_of(x).map(|(a, b)| (a * c, b * c)),
            _ => None,
        },
        _ => None,
    }
}

/// Classes of components of which a node hosts at most one instance in all: each with its members, the largest first.
fn classes(ground: Ground<'_>, shared: &[ComponentId], wanted: &[u32]) -> Vec<Vec<usize>> {
    let application = &ground.snapshot.application;
    let rules = NodeRules::of(application, shared);
    let mut beside: Vec<Vec<usize>> = (0..shared.len()).map(|i| vec![i]).collect();
    for (a, b) in &rules.conflicts {
        beside[*a].push(*b);
        beside[*b].push(*a);
    }
    let mut twins: FxHashMap<Vec<usize>, Vec<usize>> = FxHashMap::default();
    for (i, list) in beside.iter_mut().enumerate() {
        let alone = application[shared[i]].per_node == Some(1);
        list.sort_unstable();
        if alone && wanted[i] > 0 {
            twins.entry(list.clone()).or_default().push(i);
        }
    }
    let size = |class: &Vec<usize>| class.iter().map(|i| u64::from(wanted[*i])).sum::<u64>();
    let mut classes: Vec<Vec<usize>> = twins.into_values().collect();
    classes.sort_by(|a, b| size(b).cmp(&size(a)).then_with(|| a.cmp(b)));
    classes.retain(|c| size(c) > 1);
    let largest = classes.first().map_or(0.0, |c| size(c) as f64);
    let are_few = wanted.iter().map(|n| u64::from(*n)).sum::<u64>() <= FEW_INSTANCES;
    classes.retain(|c| are_few || size(c) as f64 >= CLASS_SHARE * largest);
    classes
}

impl Cover {
    /// The relaxation of a cluster; `None` when it is about more than the cost of a pool.
    pub(crate) fn of(ground: Ground<'_>, cluster: &Cluster, wanted: &[u32]) -> Option<Cover> {
        let (application, catalog) = (&ground.snapshot.application, &ground.snapshot.catalog);
        // Where the objective has a value only on some placements the checker could not tell which.
        if ground.bound.constraints.iter().any(|c| c.index == usize::MAX) || application.pool_counts_places() {
            return None;
        }
        let (mut factor, mut constant) = (0.0, 0.0);
        for term in &cluster.objective {
            let (a, b) = cost_of(term)?;
            factor -= a;
            constant -= b;
        }
        let shared: Vec<ComponentId> =
            shared_components(application).into_iter().filter(|c| wanted[c.index()] > 0).collect();
        let all_move = shared.iter().all(|c| application[*c].moveable);
        let rules = NodeRules::of(application, &shared);
        if cluster.parts != [Part::Pool] || factor <= 0.0 || !all_move || !rules.closed_under_removal() {
            return None;
        }
        let numbers: Vec<u32> = shared.iter().map(|c| wanted[c.index()]).collect();
        let classes = classes(ground, &shared, &numbers);
        let mut class_of = vec![usize::MAX; shared.len()];
        for (number, class) in classes.iter().enumerate() {
            class.iter().for_each(|i| class_of[*i] = number);
        }
        // Components with equal keys are one item.
        let admits: Vec<Vec<bool>> =
            shared.iter().map(|c| ground.space.pool_admits.iter().map(|row| row[c.index()]).collect()).collect();
        let mut item_of: FxHashMap<(Demand, usize, &[bool]), usize> = FxHashMap::default();
        let mut items: Vec<Item> = Vec::new();
        let (mut members, mut demand, mut item_class) = (Vec::<Vec<(ComponentId, u32)>>::new(), Vec::new(), Vec::new());
        for (i, component) in shared.iter().enumerate() {
            let key = (application[*component].demand, class_of[i], admits[i].as_slice());
            let item = *item_of.entry(key).or_insert_with(|| {
                items.push(Item { components: vec![*component], demand: amounts(&application[*component].demand) });
                members.push(Vec::new());
                demand.push(0u32);
                item_class.push(class_of[i]);
                items.len() - 1
            });
            members[item].push((*component, numbers[i]));
            demand[item] = demand[item].saturating_add(numbers[i]);
        }
        if items.len() > MOST_ITEMS {
            return None;
        }
        let count = items.len();
        let in_class = |i: usize| item_class[i] != usize::MAX;
        let conflicts: Vec<Vec<usize>> = (0..count)
            .map(|a| (0..count).filter(|b| *b != a && in_class(a) && item_class[*b] == item_class[a]).collect())
            .collect();
        let mut cliques: Vec<Vec<usize>> = vec![Vec::new(); classes.len()];
        for item in 0..count {
            if in_class(item) { cliques[item_class[item]].push(item) } else { cliques.push(vec![item]) }
        }
        cliques.retain(|c| !c.is_empty());
        let limits: Vec<u32> = (0..count)
            .map(|i| {
                // A limit of its own is kept where the item is a single component.
                let own =
                    if let [(c, _)] = members[i][..] { application[c].per_node.unwrap_or(u32::MAX) } else { u32::MAX };
                demand[i].min(if in_class(i) { 1 } else { own })
            })
            .collect();
        let mut total = [0u64; super::node::RESOURCES];
        for (item, n) in items.iter().zip(&demand) {
            (0..total.len()).for_each(|r| {
                total[r] = total[r].saturating_add(item.demand[r].saturating_mul(u64::from(*n)));
            });
        }
        let bins =
            without_dominated(bins_of(ground.snapshot, ground.space, &items, &limits, &|_, _| String::new()), &total);
        if bins.is_empty() || items.is_empty() {
            return None;
        }
        let prices = bins.iter().map(|b| catalog[b.offer].price.nanos()).collect();
        let model = NodeModel { items, bins, conflicts, cliques, modes: vec![Mode::default()], closed: true };
        Some(Cover { model, demand, members, prices, factor, constant })
    }

    /// What 1e-9 currency units per hour lose in the objective.
    pub(crate) fn unit(&self) -> f64 {
        self.factor / cardinal_models::quantity::Price::SCALE as f64
    }

    /// The rows of the relaxation: of each item enough.
    pub(crate) fn probe(&self) -> Probe {
        let rows = self.demand.iter().map(|n| (f64::from(*n), f64::INFINITY)).collect();
        let costs: Vec<f64> = self.prices.iter().map(|p| *p as f64 * self.unit()).collect();
        Probe::of_cover(rows, &costs, self.model.items.len())
    }

    /// The price of a node that holds the counts on its cheapest bin, with the bin; `None` when none holds them.
    pub(crate) fn cheapest(&self, counts: &[u32]) -> Option<usize> {
        (0..self.model.bins.len()).find(|b| self.model.allows(&self.model.bins[*b], counts))
    }
}
