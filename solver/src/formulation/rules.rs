//! Structural rules on numbers of instances, quotas, and instances that stay.

use cardinal_models::application::{ComponentId, Quota, Structure};
use cardinal_models::document::SpreadBy;
use cardinal_models::offer::Offer;

use super::{Block, Formulation, Linear};
use crate::bound::Part;
use crate::division::place_of_node;

impl Formulation<'_> {
    pub(super) fn add_structure(&mut self, rules: &[usize]) {
        for index in rules {
            let rule = self.snapshot.application.structure[*index].rule.clone();
            match rule {
                Structure::Total { of, low, high } => {
                    let mut total = Linear::default();
                    of.iter().for_each(|c| total.add(&self.cardinality(*c), 1.0));
                    let high = if high == u64::MAX { f64::INFINITY } else { high as f64 };
                    self.row(total, low as f64, high);
                }
                Structure::Require { provider, count, consumer, per } => {
                    // per n(provider) >= count n(consumer)
                    let mut balance = Linear::default();
                    balance.add(&self.cardinality(provider), per as f64);
                    balance.add(&self.cardinality(consumer), -(count as f64));
                    self.row(balance, 0.0, f64::INFINITY);
                }
                Structure::Alternatives(components) => {
                    let mut present = Linear::default();
                    for component in components {
                        let indicator = self.presence(component);
                        present.add(&indicator, 1.0);
                    }
                    self.row(present, 1.0, 1.0);
                }
                Structure::Together(components) => self.keep_together(&components),
                // Rules about single nodes are built into the patterns.
                Structure::Conflict { .. } | Structure::Colocate(_) | Structure::EveryNode { .. } => {}
            }
        }
    }

    /// All instances of some shared components in one zone, which a column for each zone chooses.
    fn keep_together(&mut self, components: &[ComponentId]) {
        let Some(Block::Pool { patterns, first, .. }) = self.block(Part::Pool) else { return };
        let mut places: Vec<(String, Linear)> = Vec::new();
        for (j, pattern) in patterns.list.iter().enumerate() {
            let n: u32 = components.iter().map(|c| pattern.count(*c)).sum();
            if n == 0 {
                continue;
            }
            let place = place_of_node(SpreadBy::Zone, &self.snapshot.catalog[pattern.offer], pattern.zone);
            let term = (first + j, f64::from(n));
            match places.iter_mut().find(|(name, _)| *name == place) {
                Some((_, linear)) => linear.terms.push(term),
                None => places.push((place, Linear { terms: vec![term], constant: 0.0 })),
            }
        }
        let most: f64 = components.iter().map(|c| f64::from(self.snapshot.application[*c].cardinality.max())).sum();
        let mut chosen = Linear::default();
        for (_, mut linear) in places {
            let column = self.milp.add_column(0.0, 1.0, true);
            chosen.terms.push((column, 1.0));
            linear.terms.push((column, -most));
            self.row(linear, f64::NEG_INFINITY, 0.0);
        }
        self.row(chosen, f64::NEG_INFINITY, 1.0);
    }

    /// An expression that is 1 when the component has instances and 0 otherwise.
    pub(super) fn presence(&mut self, component: ComponentId) -> Linear {
        if let Some(Block::Uniform { rows, first, .. }) = self.block_of(component) {
            let present = rows.iter().enumerate().filter(|(_, r)| r.n > 0).map(|(i, _)| (first + i, 1.0));
            return Linear { terms: present.collect(), constant: 0.0 };
        }
        let most = f64::from(self.snapshot.application[component].cardinality.max());
        let column = self.milp.add_column(0.0, 1.0, true);
        let cardinality = self.cardinality(component);
        let (mut some, mut none) = (cardinality.clone(), cardinality);
        some.terms.push((column, -1.0));
        none.terms.push((column, -most));
        self.row(some, 0.0, f64::INFINITY);
        self.row(none, f64::NEG_INFINITY, 0.0);
        Linear { terms: vec![(column, 1.0)], constant: 0.0 }
    }

    pub(super) fn add_quotas(&mut self, quotas: &[usize]) {
        let application = self.snapshot.application.clone();
        let limits: Vec<(usize, f64, Measure)> = quotas
            .iter()
            .flat_map(|index| limits(&application.quotas[*index]).map(|(most, m)| (*index, most, m)))
            .collect();
        let mut used = vec![Linear::default(); limits.len()];
        // One look at each column: there may be millions of columns and hundreds of quotas, and few count an offer.
        for block in &self.blocks {
            let (first, _) = block.columns();
            block.each(|offer, nodes, at| {
                let Some(offer) = offer else { return };
                let node = &self.snapshot.catalog[offer];
                for quota in self.space.quotas.of(offer) {
                    let begin = limits.partition_point(|(index, ..)| index < quota);
                    let own = limits[begin..].iter().take_while(|(index, ..)| index == quota);
                    for (used, (_, _, measure)) in used[begin..].iter_mut().zip(own) {
                        let each = match measure {
                            Measure::Nodes(property) => property(node),
                            Measure::Instances => f64::from(instances_on(block, at)),
                        };
                        used.terms.push((first + at, f64::from(nodes) * each));
                    }
                }
            });
        }
        for (used, (_, most, _)) in used.into_iter().zip(limits) {
            self.row(used, f64::NEG_INFINITY, most);
        }
    }

    /// Instances of components that must not be moved stay on the offers that they are on.
    pub(super) fn keep_unmoveable(&mut self) {
        let application = self.snapshot.application.clone();
        for (i, component) in application.components.iter().enumerate() {
            let id = ComponentId(i as u32);
            if component.moveable {
                continue;
            }
            for (offer, running) in self.running_on(id) {
                let stays = match self.block_of(id) {
                    Some(block @ Block::Mixed { .. }) => {
                        block.sum(|o, n, _| if o == Some(offer) { f64::from(n) } else { 0.0 })
                    }
                    Some(block @ Block::Pool { patterns, .. }) => {
                        block.sum(|o, _, j| if o == Some(offer) { f64::from(patterns.list[j].count(id)) } else { 0.0 })
                    }
                    // The rows of a uniform component already say so.
                    _ => continue,
                };
                self.row(stays, f64::from(running), f64::INFINITY);
            }
        }
    }

    /// How many of the running nodes are kept: an expression that, when maximised, counts them. It may add columns.
    pub(crate) fn kept_nodes(&mut self) -> (Linear, u64) {
        let Some(current) = &self.snapshot.current else { return (Linear::default(), 0) };
        let groups = current.placement.groups.clone();
        let (mut kept, mut most) = (Linear::default(), 0u64);
        for at in 0..self.blocks.len() {
            // Running nodes of this block with the expression that counts the equal ones wanted.
            let mut pairs: Vec<(u32, Linear)> = Vec::new();
            match &self.blocks[at] {
                block @ Block::Uniform { component, .. } => {
                    let running = self.running_on(*component);
                    let on = |o| running.iter().find(|(x, _)| Some(*x) == o).map_or(0, |(_, n)| *n);
                    kept.add(&block.sum(|o, n, _| f64::from(n.min(on(o)))), 1.0);
                    most += running.iter().map(|(_, n)| u64::from(*n)).sum::<u64>();
                }
                block @ Block::Mixed { component, .. } => {
                    for (offer, n) in self.running_on(*component) {
                        pairs.push((n, block.sum(|o, k, _| if o == Some(offer) { f64::from(k) } else { 0.0 })));
                    }
                }
                block @ Block::Pool { patterns, cardinalities, .. } if cardinalities.is_empty() => {
                    for group in &groups {
                        let same = block.sum(|o, _, j| {
                            let p = &patterns.list[j];
                            f64::from(u8::from(o == Some(group.offer) && p.instances == group.instances))
                        });
                        pairs.push((group.count, same));
                    }
                }
                Block::Pool { .. } | Block::Values { .. } => {}
            }
            for (running, mut wanted) in pairs {
                wanted.compact();
                if wanted.terms.is_empty() {
                    continue;
                }
                let column = self.milp.add_column(0.0, f64::from(running), true);
                wanted.terms.push((column, -1.0));
                self.row(wanted, 0.0, f64::INFINITY);
                kept.terms.push((column, 1.0));
                most += u64::from(running);
            }
        }
        (kept, most)
    }

    /// True when the part of the placement is in this program.
    pub fn has(&self, part: Part) -> bool {
        self.block(part).is_some()
    }
}

/// What a quota counts.
#[derive(Clone, Copy)]
enum Measure {
    /// The sum of this over the nodes.
    Nodes(fn(&Offer) -> f64),
    /// The instances on the nodes.
    Instances,
}

/// The limits of a quota, each with what it counts.
fn limits(quota: &Quota) -> impl Iterator<Item = (f64, Measure)> {
    let all = [
        quota.nodes.map(|most| (most as f64, Measure::Nodes(|_| 1.0))),
        quota.cores.map(|most| (most.count(), Measure::Nodes(|o| o.cores.count()))),
        quota.memory.map(|most| (most.mib(), Measure::Nodes(|o| o.memory.mib()))),
        quota.gpus.map(|most| (most as f64, Measure::Nodes(|o| f64::from(o.gpus)))),
        quota.cost.map(|most| (most.units(), Measure::Nodes(|o| o.price.units()))),
        quota.instances.map(|most| (most as f64, Measure::Instances)),
    ];
    all.into_iter().flatten()
}

/// The number of instances on one node of a column. Every pattern of the pool is listed where this is asked for.
fn instances_on(block: &Block<'_>, at: usize) -> u32 {
    match block {
        Block::Pool { patterns, .. } => patterns.list[at].instances.iter().map(|(_, n)| *n).sum(),
        _ => 1,
    }
}
