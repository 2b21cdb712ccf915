//! What each operation does in a simulated cloud. An operation whose effect is there already is done.

use crate::deployment::{InstanceId, NodeId, OfferSnapshot, Parameters};
use crate::diff::{Money, StartupTime};
use crate::driver::{Call, Fault, FaultClass, Progress};
use crate::plan::{ActionKind, Operation};
use crate::time::UnixMs;
use cardinal_models::offer::Purchase;

use super::{CloudState, Effect, SimulatedInstance, SimulatedNode};

impl CloudState {
    pub(super) fn perform(&mut self, call: &Call, token: &str, number: u64) -> Result<Progress, Fault> {
        let slow = if self.chance(self.settings.faults.slow, "slow", token, number) { 3.0 } else { 1.0 };
        match &call.operation {
            Operation::CreateNode { node, offer } => self.create(call, token, node, offer, slow),
            Operation::WaitReady { node } => match self.nodes.get(node) {
                Some(found) if found.lost => Err(Fault::new(FaultClass::Permanent, format!("node {node} is lost"))),
                Some(found) => Ok(self.reached(found.ready_at)),
                None => Err(Fault::new(FaultClass::Permanent, format!("there is no node {node}"))),
            },
            Operation::StartInstance { node, component, instance, parameters } => {
                self.start(call, token, (node, component, instance, parameters), slow)
            }
            Operation::WaitHealthy { instance, .. } => match self.instances.get(instance) {
                Some(found) => Ok(self.reached(found.healthy_at)),
                None => Err(Fault::new(FaultClass::Permanent, format!("there is no instance {instance}"))),
            },
            Operation::Register { instance, .. } => self.register(token, instance),
            Operation::Drain { instance, .. } => Ok(self.drain(token, instance, slow)),
            Operation::StopInstance { instance, .. } => {
                if self.instances.remove(instance).is_some() {
                    self.record(token, ActionKind::StopInstance, &instance.0);
                }
                Ok(Progress::Done)
            }
            Operation::DeleteNode { node, .. } => Ok(self.delete(token, ActionKind::DeleteNode, node)),
            Operation::ClearNode { node } => Ok(self.delete(token, ActionKind::ClearNode, node)),
            Operation::ChangeParameters { instance, after, .. } => match self.instances.get_mut(instance) {
                Some(found) if found.parameters == *after => Ok(Progress::Done),
                Some(found) => {
                    found.parameters = after.clone();
                    self.record(token, ActionKind::ChangeParameters, &instance.0);
                    Ok(Progress::Done)
                }
                None => Err(Fault::new(FaultClass::Permanent, format!("there is no instance {instance}"))),
            },
            Operation::Checkpoint { .. } => Ok(Progress::Done),
        }
    }

    fn record(&mut self, token: &str, kind: ActionKind, object: &str) {
        let (at, token, object) = (self.now, token.to_owned(), object.to_owned());
        self.effects.push(Effect { at, token, kind, object });
    }

    fn reached(&self, at: UnixMs) -> Progress {
        if at <= self.now { Progress::Done } else { Progress::Pending { check_after_ms: at.ms_since(self.now) } }
    }

    fn create(
        &mut self,
        call: &Call,
        token: &str,
        node: &NodeId,
        offer: &OfferSnapshot,
        slow: f64,
    ) -> Result<Progress, Fault> {
        if self.nodes.contains_key(node) {
            return Ok(Progress::Done);
        }
        self.keep_quota(offer)?;
        // A machine type has its own mean, and each node differs from it by up to a tenth.
        let mean = self.draw("machine", &offer.machine_type, 0);
        let own = 0.9 + 0.2 * self.draw("startup", &node.0, 0);
        let ready_at = self.now.plus_ms(self.span(self.settings.startup, mean, slow * own));
        let rate = self.settings.reclaims_per_hour * self.settings.speed.max(f64::MIN_POSITIVE);
        let reclaimed_at = (offer.purchase == Purchase::Spot && rate > 0.0).then(|| {
            // The life of a spot node is exponential: minus the logarithm of a number in (0, 1].
            let hours = -(1.0 - self.draw("reclaim", &node.0, 0)).ln() / rate;
            self.now.plus_ms((hours * 3_600_000.0) as u64)
        });
        let (application, offer, asked) = (call.application.clone(), offer.clone(), self.now);
        let made = SimulatedNode { application, offer, asked, ready_at, reclaimed_at, lost: false };
        self.nodes.insert(node.clone(), made);
        self.record(token, ActionKind::CreateNode, &node.0);
        Ok(Progress::Done)
    }

    fn keep_quota(&self, offer: &OfferSnapshot) -> Result<(), Fault> {
        let Some(quota) = self.settings.quotas.get(&offer.region) else { return Ok(()) };
        let there = || self.nodes.values().filter(|n| !n.lost && n.offer.region == offer.region);
        let nodes = there().count() as u64 + 1;
        let cores = there().map(|n| n.offer.cores.0).sum::<u64>() + offer.cores.0;
        let over = quota.nodes.is_some_and(|most| nodes > most) || quota.cores_milli.is_some_and(|most| cores > most);
        if over {
            return Err(Fault::new(FaultClass::Quota, format!("the quota of region {} is used up", offer.region)));
        }
        Ok(())
    }

    fn start(
        &mut self,
        call: &Call,
        token: &str,
        what: (&NodeId, &String, &InstanceId, &Parameters),
        slow: f64,
    ) -> Result<Progress, Fault> {
        let (node, component, instance, parameters) = what;
        if self.instances.contains_key(instance) {
            return Ok(Progress::Done);
        }
        let ready = self.nodes.get(node).is_some_and(|n| !n.lost && n.ready_at <= self.now);
        if !ready {
            return Err(Fault::new(FaultClass::Permanent, format!("node {node} cannot host an instance")));
        }
        let position = self.draw("instance", &instance.0, 0);
        let healthy_at = self.now.plus_ms(self.span(self.settings.instance_startup, position, slow));
        let started = SimulatedInstance {
            application: call.application.clone(),
            component: component.clone(),
            node: node.clone(),
            healthy_at,
            registered: false,
            drained_at: None,
            parameters: parameters.clone(),
        };
        self.instances.insert(instance.clone(), started);
        self.record(token, ActionKind::StartInstance, &instance.0);
        Ok(Progress::Done)
    }

    fn register(&mut self, token: &str, instance: &InstanceId) -> Result<Progress, Fault> {
        let now = self.now;
        match self.instances.get_mut(instance) {
            Some(found) if found.registered => Ok(Progress::Done),
            Some(found) if found.healthy_at <= now => {
                found.registered = true;
                found.drained_at = None;
                self.record(token, ActionKind::Register, &instance.0);
                Ok(Progress::Done)
            }
            Some(_) => Err(Fault::new(FaultClass::Transient, format!("instance {instance} is not healthy yet"))),
            None => Err(Fault::new(FaultClass::Permanent, format!("there is no instance {instance}"))),
        }
    }

    /// The balancer sends no more requests at once; it takes a while until those under way have ended.
    fn drain(&mut self, token: &str, instance: &InstanceId, slow: f64) -> Progress {
        let range: StartupTime = self.settings.drain;
        let takes = self.span(range, self.draw("drain", &instance.0, 0), slow);
        let now = self.now;
        let Some(found) = self.instances.get_mut(instance) else { return Progress::Done };
        if found.registered {
            found.registered = false;
            found.drained_at = Some(now.plus_ms(takes));
            self.record(token, ActionKind::Drain, &instance.0);
            return self.reached(now.plus_ms(takes));
        }
        let drained_at = found.drained_at.unwrap_or(now);
        self.reached(drained_at)
    }

    /// A node that goes takes its instances along.
    fn delete(&mut self, token: &str, kind: ActionKind, node: &NodeId) -> Progress {
        if let Some(gone) = self.nodes.remove(node) {
            self.paid = self.paid + Money::of(gone.offer.price, self.now.ms_since(gone.asked));
            self.instances.retain(|_, i| i.node != *node);
            self.record(token, kind, &node.0);
        }
        Progress::Done
    }
}
