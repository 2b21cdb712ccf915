//! The exact meaning of links: what their traffic costs and how long a round trip takes.
//!
//! The traffic of a link is that of all instances together. Between two components it is shared evenly: the part that
//! goes from region r to region s is the share of the sender's instances in r times the share of the receiver's in s. An
//! instance that talks to a data source uses the replica with the shortest round trip, among equals the cheapest. What
//! leaves a region is charged at the price from that region to the other.

use super::{Evaluated, EvaluationError, EvaluationErrorKind, Evaluator, Memo, View};
use crate::application::{ComponentId, DataId, End, Home, Link, LinkId};
use crate::network::{Connection, Place};
use crate::offer::Attribute;
use crate::placement::Placement;

/// What a link does on a placement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkUse {
    /// GB per hour from `from` to `to`.
    pub traffic: f64,
    /// GB per hour back.
    pub back: f64,
    /// Of both, how much goes from one region to another.
    pub crossing: f64,
    /// Currency units per hour.
    pub cost: f64,
    /// The longest round trip in milliseconds between instances that talk; 0 when none do, `None` when one is not known.
    pub latency_ms: Option<f64>,
}

/// The instances at one end of a link that are in one place.
struct Share {
    place: Place,
    /// Of all instances.
    part: f64,
}

/// What flows between two places.
struct Flow {
    from: Place,
    to: Place,
    part: f64,
}

impl Evaluator<'_> {
    /// What a link does on a placement.
    ///
    /// # Errors
    ///
    /// When the traffic has no value, or a price that is needed is not known.
    pub fn link(&self, id: LinkId, placement: &Placement) -> Result<LinkUse, EvaluationError> {
        let view = View { placement, vanished: &[], item: None, memo: &Memo::default(), depth: 0 };
        self.link_use(id, view)
    }

    /// What storing the replicas of a data source costs, in currency units per hour.
    ///
    /// # Errors
    ///
    /// When the placement does not say where they are.
    pub fn storage(&self, id: DataId, placement: &Placement) -> Result<f64, EvaluationError> {
        let view = View { placement, vanished: &[], item: None, memo: &Memo::default(), depth: 0 };
        let span = self.snapshot.application.data.get(id.index()).map_or_else(Default::default, |d| d.span);
        self.storage_cost(id, view).map_err(|kind| EvaluationError { span, kind })
    }

    pub(super) fn storage_cost(&self, id: DataId, view: View<'_>) -> Evaluated<f64> {
        let source =
            self.snapshot.application.data.get(id.index()).ok_or(EvaluationErrorKind::Unknown("data source"))?;
        let replicas = self.replicas(id, view)?;
        Ok(source.replica_cost() * replicas.len() as f64)
    }

    pub(super) fn link_use(&self, id: LinkId, view: View<'_>) -> Result<LinkUse, EvaluationError> {
        let application = &self.snapshot.application;
        let unknown = || EvaluationError { span: Default::default(), kind: EvaluationErrorKind::Unknown("link") };
        let link = application.links.get(id.index()).ok_or_else(unknown)?;
        let at = |kind| EvaluationError { span: link.span, kind };
        let mut amounts = [0.0; 2];
        for (amount, formula) in amounts.iter_mut().zip([&link.traffic, &link.back]) {
            *amount = self.number_of(formula, View { item: None, ..view })?;
            if *amount < 0.0 {
                return Err(EvaluationError {
                    span: formula.span,
                    kind: EvaluationErrorKind::Negative(link.name.clone()),
                });
            }
        }
        let [traffic, back] = amounts;
        let flows = self.flows(link, traffic, back, view).map_err(at)?;
        let mut used = LinkUse { traffic, back, latency_ms: Some(0.0), ..LinkUse::default() };
        for flow in &flows {
            let (there, home) = (self.between(&flow.from, &flow.to), self.between(&flow.to, &flow.from));
            used.latency_ms = used.latency_ms.zip(there.latency_ms).map(|(a, b)| a.max(b));
            if flow.from.name != flow.to.name {
                used.crossing += (traffic + back) * flow.part;
            }
            for (amount, connection, [a, b]) in
                [(traffic, there, [&flow.from, &flow.to]), (back, home, [&flow.to, &flow.from])]
            {
                if amount > 0.0 {
                    let unknown = || at(EvaluationErrorKind::UnknownPrice { from: a.name.clone(), to: b.name.clone() });
                    used.cost += amount * flow.part * connection.egress_per_gb.ok_or_else(unknown)?;
                }
            }
        }
        Ok(used)
    }

    /// The longest round trip of a link in milliseconds.
    pub(super) fn link_latency(&self, id: LinkId, view: View<'_>) -> Evaluated<f64> {
        let link = self.snapshot.application.links.get(id.index()).ok_or(EvaluationErrorKind::Unknown("link"))?;
        // Which replica is nearest may depend on what it costs.
        let amount = |formula| self.number_of(formula, View { item: None, ..view }).unwrap_or(0.0);
        let mut longest = 0.0f64;
        for flow in self.flows(link, amount(&link.traffic), amount(&link.back), view)? {
            let unknown =
                || EvaluationErrorKind::UnknownLatency { from: flow.from.name.clone(), to: flow.to.name.clone() };
            longest = longest.max(self.between(&flow.from, &flow.to).latency_ms.ok_or_else(unknown)?);
        }
        Ok(longest)
    }

    fn between(&self, from: &Place, to: &Place) -> Connection {
        self.snapshot.catalog.network.connection(from, to)
    }

    /// Which share of a link's traffic goes from where to where. None when an end has no instances.
    fn flows(&self, link: &Link, traffic: f64, back: f64, view: View<'_>) -> Evaluated<Vec<Flow>> {
        let mut flows = Vec::new();
        match (link.from, link.to) {
            (End::Component(a), End::Component(b)) => {
                let receivers = self.shares(b, view)?;
                for sender in self.shares(a, view)? {
                    flows.extend(receivers.iter().map(|receiver| Flow {
                        from: sender.place.clone(),
                        to: receiver.place.clone(),
                        part: sender.part * receiver.part,
                    }));
                }
            }
            (End::Component(c), End::Data(d)) => {
                let replicas = self.replicas(d, view)?;
                for share in self.shares(c, view)? {
                    let to = self.nearest(&share.place, &replicas, [traffic, back], d)?;
                    flows.push(Flow { from: share.place, to, part: share.part });
                }
            }
            (End::Data(d), End::Component(c)) => {
                let replicas = self.replicas(d, view)?;
                for share in self.shares(c, view)? {
                    let from = self.nearest(&share.place, &replicas, [back, traffic], d)?;
                    flows.push(Flow { from, to: share.place, part: share.part });
                }
            }
            (End::Data(_), End::Data(_)) => {
                return Err(EvaluationErrorKind::Unknown("component at an end of the link"));
            }
        }
        Ok(flows)
    }

    /// Where the instances of a component are.
    fn shares(&self, component: ComponentId, view: View<'_>) -> Evaluated<Vec<Share>> {
        let mut counts: Vec<(Place, u64)> = Vec::new();
        let mut total = 0u64;
        let on_node = |instances: &[(ComponentId, u32)]| -> u64 {
            instances.iter().filter(|(c, _)| *c == component).map(|(_, n)| u64::from(*n)).sum()
        };
        for group in &view.placement.groups {
            let n = on_node(&group.instances) * u64::from(group.count);
            if n == 0 {
                continue;
            }
            let offer = self.snapshot.catalog.offers().get(group.offer.0 as usize);
            let place = self.snapshot.catalog.place_of(offer.ok_or(EvaluationErrorKind::Unknown("offer"))?);
            total += n;
            match counts.iter_mut().find(|(known, _)| known.name == place.name) {
                Some((_, count)) => *count += n,
                None => counts.push((place, n)),
            }
        }
        if let Some(nodes) = view.vanished.iter().find(|v| v.count > 0 && on_node(&v.instances) > 0) {
            let (component, attribute) = (self.name(component), Attribute::Region);
            return Err(EvaluationErrorKind::MissingAttribute { component, attribute, offer: nodes.offer.clone() });
        }
        let share = |(place, n): (Place, u64)| Share { place, part: n as f64 / total as f64 };
        Ok(counts.into_iter().map(share).collect())
    }

    /// Where the replicas of a data source are, in the order of their names.
    fn replicas(&self, data: DataId, view: View<'_>) -> Evaluated<Vec<Place>> {
        let catalog = &self.snapshot.catalog;
        let source =
            self.snapshot.application.data.get(data.index()).ok_or(EvaluationErrorKind::Unknown("data source"))?;
        let mut places: Vec<Place> = match &source.home {
            Home::Fixed(_) => source.candidates(catalog),
            Home::Chosen { .. } => view.placement.replicas_of(data).map(|name| catalog.place(name)).collect(),
        };
        places.sort_by(|a, b| a.name.cmp(&b.name));
        if places.is_empty() {
            return Err(EvaluationErrorKind::NoReplica(source.name.clone()));
        }
        Ok(places)
    }

    /// The replica that instances in a place use: the one with the shortest round trip, then the cheapest for what goes
    /// to it and comes back, then the first by name.
    fn nearest(&self, place: &Place, replicas: &[Place], [to, back]: [f64; 2], data: DataId) -> Evaluated<Place> {
        let rank = |replica: &Place| {
            let (there, home) = (self.between(place, replica), self.between(replica, place));
            let charge =
                |gb: f64, c: Connection| if gb > 0.0 { gb * c.egress_per_gb.unwrap_or(f64::INFINITY) } else { 0.0 };
            (there.latency_ms.unwrap_or(f64::INFINITY), charge(to, there) + charge(back, home))
        };
        let ranked = replicas.iter().map(|replica| (rank(replica), replica));
        let best = ranked.min_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let name = || self.snapshot.application.data.get(data.index()).map_or_else(|| "?".into(), |d| d.name.clone());
        best.map(|(_, replica)| replica.clone()).ok_or_else(|| EvaluationErrorKind::NoReplica(name()))
    }
}
