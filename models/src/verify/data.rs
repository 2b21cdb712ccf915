//! The rules about data sources and links.

use std::collections::BTreeSet;

use super::{Check, Rule};
use crate::application::{DataId, Home, LinkId};
use crate::evaluate::Evaluator;

impl Check<'_> {
    /// Replicas are of data sources whose places are chosen.
    pub(super) fn known_data(&mut self) {
        for replica in &self.placement.replicas {
            let source = self.application.data.get(replica.data.index());
            if !source.is_some_and(|s| matches!(s.home, Home::Chosen { .. })) {
                let name = source.map_or_else(|| format!("data {}", replica.data.0), |s| s.name.to_string());
                let message = "the placement chooses a place for what has none to choose".to_owned();
                self.report(Rule::WellFormed, &name, message);
            }
        }
    }

    /// As many replicas as allowed, each in a place of its own where one may be.
    pub(super) fn data(&mut self) {
        for (i, source) in self.application.data.iter().enumerate() {
            let Home::Chosen { least, most, .. } = &source.home else { continue };
            let chosen: Vec<&str> = self.placement.replicas_of(DataId(i as u32)).map(AsRef::as_ref).collect();
            let distinct: BTreeSet<&str> = chosen.iter().copied().collect();
            let allowed: BTreeSet<String> =
                source.candidates(&self.snapshot.catalog).iter().map(|p| p.name.to_string()).collect();
            if chosen.len() < *least as usize || chosen.len() > *most as usize {
                let message = format!("it has {} replicas, allowed are {least} to {most}", chosen.len());
                self.report(Rule::Data, &source.name, message);
            }
            if distinct.len() < chosen.len() {
                self.report(Rule::Data, &source.name, "two replicas are in one place".to_owned());
            }
            for place in distinct.into_iter().filter(|place| !allowed.contains(*place)) {
                self.report(Rule::Data, &source.name, format!("a replica is in `{place}`, where none may be"));
            }
        }
    }

    /// What every link costs is known.
    pub(super) fn links(&mut self) {
        let evaluator = Evaluator::new(self.snapshot);
        for (i, link) in self.application.links.iter().enumerate() {
            if let Err(error) = evaluator.link(LinkId(i as u32), self.placement) {
                self.report(Rule::Link, &link.name, format!("what it costs has no value: {error}"));
            }
        }
    }
}
