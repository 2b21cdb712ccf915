//! Independent sub-problems: parts of the placement that no formula, rule or quota ties together are solved apart.

use cardinal_models::application::{ComponentId, Structure};
use cardinal_models::catalog::OfferIndex;
use cardinal_models::document::Hosting;
use cardinal_models::snapshot::Snapshot;

use crate::bound::{BoundModel, Part, part_of, parts_of};
use crate::formulation::Cluster;
use crate::space::Space;
use crate::term::Term;

/// Sets that can be joined (union-find).
struct Joined(Vec<usize>);

impl Joined {
    fn root(&mut self, i: usize) -> usize {
        let mut at = i;
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, members: &[usize]) {
        for pair in members.windows(2) {
            let (a, b) = (self.root(pair[0]), self.root(pair[1]));
            self.0[a.max(b)] = a.min(b);
        }
    }
}

/// The components that a rule on numbers of instances counts; empty for rules on single nodes.
pub(crate) fn counted(rule: &Structure) -> Vec<ComponentId> {
    match rule {
        Structure::Total { of, .. } | Structure::Alternatives(of) => of.clone(),
        Structure::Require { provider, consumer, .. } => vec![*provider, *consumer],
        Structure::Conflict { .. } | Structure::Colocate(_) | Structure::EveryNode { .. } => Vec::new(),
        // On zones of shared nodes: a matter of the pool alone, which the rule must stay with.
        Structure::Together(of) => of.clone(),
    }
}

/// Splits the model into independent sub-problems, in the order of their first part.
pub fn split(snapshot: &Snapshot, bound: &BoundModel, space: &Space, objective: &[Term]) -> Vec<Cluster> {
    let application = &snapshot.application;
    let mut parts: Vec<Part> =
        (0..application.components.len()).map(|i| part_of(application, ComponentId(i as u32))).collect();
    let terms = objective.iter().chain(bound.constraints.iter().map(|c| &c.term));
    parts.extend(terms.flat_map(|t| parts_of(application, t)).filter(|p| matches!(p, Part::Attribute(..))));
    parts.sort_unstable();
    parts.dedup();
    // Parts are sorted by component index; a cluster's columns should not depend on the order of the file.
    parts.sort_by(|a, b| part_name(snapshot, *a).cmp(part_name(snapshot, *b)));
    let number = |part: &Part| parts.iter().position(|p| p == part).unwrap_or(0);
    let numbers = |of: Vec<Part>| of.iter().map(number).collect::<Vec<_>>();
    let of_term = |t: &Term| numbers(parts_of(application, t));
    let of_rule =
        |rule: &Structure| numbers(counted(rule).into_iter().map(|c| part_of(application, c)).collect::<Vec<_>>());
    let of_quota = |index: usize| {
        let counts = |offer: &OfferIndex| space.quotas.of(*offer).contains(&index);
        let touched = parts.iter().filter(|part| match part {
            Part::Dedicated(c) => space.dedicated[c.index()].offers.iter().any(counts),
            Part::Attribute(..) => false,
            Part::Pool => space.pool.offers.iter().any(counts),
        });
        touched.map(number).collect::<Vec<_>>()
    };

    let mut joined = Joined((0..parts.len()).collect());
    let objective: Vec<(Vec<usize>, &Term)> = objective.iter().map(|t| (of_term(t), t)).collect();
    let constraints: Vec<Vec<usize>> = bound.constraints.iter().map(|c| of_term(&c.term)).collect();
    let rules: Vec<Vec<usize>> = application.structure.iter().map(|r| of_rule(&r.rule)).collect();
    let quotas: Vec<Vec<usize>> = (0..application.quotas.len()).map(of_quota).collect();
    // What one part leaves of a commitment, another takes.
    let covered: Vec<usize> = crate::covered::touched(snapshot)
        .into_iter()
        .map(|part| number(&part.map_or(Part::Pool, Part::Dedicated)))
        .collect();
    for members in objective.iter().map(|(m, _)| m).chain(&constraints).chain(&rules).chain(&quotas).chain([&covered]) {
        joined.join(members);
    }

    let mut clusters: Vec<Cluster> = Vec::new();
    let mut cluster_of = vec![usize::MAX; parts.len()];
    for (i, part) in parts.iter().enumerate() {
        let root = joined.root(i);
        if cluster_of[root] == usize::MAX {
            cluster_of[root] = clusters.len();
            clusters.push(Cluster::default());
        }
        cluster_of[i] = cluster_of[root];
        clusters[cluster_of[i]].parts.push(*part);
    }
    let place = |members: &[usize]| members.first().map_or(0, |m| cluster_of[*m]);
    if clusters.is_empty() {
        return clusters;
    }
    for (members, term) in objective {
        clusters[place(&members)].objective.push(term.clone());
    }
    for (i, members) in constraints.iter().enumerate() {
        clusters[place(members)].constraints.push(i);
    }
    for (i, members) in rules.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
        clusters[place(members)].structure.push(i);
    }
    for (i, members) in quotas.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
        clusters[place(members)].quotas.push(i);
    }
    if !covered.is_empty() {
        clusters[place(&covered)].is_covered = true;
    }
    clusters
}

/// The name by which parts are ordered.
fn part_name(snapshot: &Snapshot, part: Part) -> &str {
    match part {
        Part::Dedicated(c) | Part::Attribute(c, _) => &snapshot.application[c].name,
        Part::Pool => {
            let shared = snapshot.application.components.iter().filter(|c| c.hosting == Hosting::Shared);
            shared.map(|c| c.name.as_ref()).min().unwrap_or("")
        }
    }
}
