//! What commitments cover, as columns: how many nodes of each kind each of them covers.

use cardinal_models::catalog::OfferIndex;
use cardinal_models::commitment::Capacity;
use rustc_hash::FxHashMap;

use super::{Block, Formulation, Linear};
use crate::covered::covering;
use crate::term::Term;

/// Nodes that commitments cannot tell apart.
struct Kind {
    /// Any of their offers.
    offer: OfferIndex,
    /// The commitments that cover them, as indices.
    by: Vec<usize>,
    /// How many there are.
    nodes: Linear,
}

impl Formulation<'_> {
    /// Adds the columns and rows of what is covered. The cover is a choice of the program, which takes the best where
    /// paying less is never worse.
    pub(super) fn cover(&mut self) {
        let application = self.snapshot.application.clone();
        let kinds = self.kinds();
        // Whole nodes of whole capacities: then the best cover is whole too (a transportation problem).
        let is_whole = application.commitments.iter().all(|c| matches!(c.capacity, Capacity::Nodes(_)));
        let mut used = vec![Linear::default(); application.commitments.len()];
        for kind in kinds {
            let offer = &self.snapshot.catalog[kind.offer];
            let mut inside = Linear::default();
            inside.add(&kind.nodes, -1.0);
            for k in kind.by {
                let capacity = application.commitments[k].capacity;
                let taken = capacity.taken_by(offer) as f64 / capacity.scale();
                let most = capacity.total() as f64 / capacity.scale() / taken;
                let column = self.milp.add_column(0.0, most, is_whole);
                inside.terms.push((column, 1.0));
                used[k].terms.push((column, taken));
                self.covered.terms.push((column, offer.price.units()));
            }
            self.row(inside, f64::NEG_INFINITY, 0.0);
        }
        for (commitment, used) in application.commitments.iter().zip(used) {
            let capacity = commitment.capacity;
            self.row(used, f64::NEG_INFINITY, capacity.total() as f64 / capacity.scale());
        }
    }

    /// The kinds of node of all parts that commitments cover.
    fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = Vec::new();
        let mut known: FxHashMap<(Vec<usize>, i64, u64), usize> = FxHashMap::default();
        for block in &self.blocks {
            let mut offers = Vec::new();
            let nodes = block.sum(|offer, n, _| {
                offers.push(offer);
                f64::from(n)
            });
            for (offer, term) in offers.into_iter().zip(nodes.terms) {
                let Some(index) = offer else { continue };
                let details = &self.snapshot.catalog[index];
                let by: Vec<usize> = covering(&self.snapshot.application, details).map(|(k, _)| k).collect();
                if by.is_empty() || details.price.nanos() == 0 || term.1 == 0.0 {
                    continue;
                }
                let key = (by.clone(), details.price.nanos(), details.cores.0);
                let at = *known.entry(key).or_insert_with(|| {
                    kinds.push(Kind { offer: index, by, nodes: Linear::default() });
                    kinds.len() - 1
                });
                kinds[at].nodes.terms.push(term);
            }
        }
        kinds
    }

    /// True when the term is a table over one uniform component.
    pub(super) fn is_table(&self, term: &Term) -> bool {
        let parts = crate::bound::parts_of(&self.snapshot.application, term);
        matches!(&parts[..], [part] if matches!(self.block(*part), Some(Block::Uniform { .. })))
    }
}
