//! What any driver must do, as a suite that any driver can run.
//!
//! The suite buys one node of the given offer, works on it, and gives it back; it costs what the offer costs for as long
//! as that takes. Time is the caller's: against a real cloud `wait` sleeps and gives the time, in a simulation it adds.

use super::{Call, Driver, Fault, Observation, Progress, Token, Way};
use crate::deployment::{InstanceId, NodeId, NodePhase, OfferSnapshot, Parameters};
use crate::digest::Digest;
use crate::plan::Operation;
use crate::time::UnixMs;

/// The most times that one call is repeated until it is done.
const CHECKS_MAX: u32 = 10_000;

/// What the suite found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// What the driver does right.
    pub passed: Vec<String>,
    /// What it does wrong, and what it should do.
    pub failed: Vec<String>,
}

/// Runs the suite. `wait` lets so many milliseconds pass and gives the time then.
pub fn check(driver: &dyn Driver, offer: &OfferSnapshot, wait: &mut dyn FnMut(u64) -> UnixMs) -> Report {
    let application = "conformance".to_owned();
    let mut suite = Suite { driver, wait, application, report: Report::default(), calls: 0 };
    suite.run(offer);
    suite.report
}

struct Suite<'a> {
    driver: &'a dyn Driver,
    wait: &'a mut dyn FnMut(u64) -> UnixMs,
    application: String,
    report: Report,
    calls: u32,
}

impl Suite<'_> {
    fn run(&mut self, offer: &OfferSnapshot) {
        let node = NodeId("conformance-node-1".to_owned());
        let (component, instance) = ("probe".to_owned(), InstanceId("conformance-probe-1".to_owned()));
        let old: Parameters = [("level".to_owned(), "1".to_owned())].into();
        let new: Parameters = [("level".to_owned(), "2".to_owned())].into();
        let create = Operation::CreateNode { node: node.clone(), offer: offer.clone() };
        let delete = Operation::DeleteNode { node: node.clone(), offer: offer.clone() };
        let start = Operation::StartInstance {
            node: node.clone(),
            component: component.clone(),
            instance: instance.clone(),
            parameters: old.clone(),
        };
        let stop = Operation::StopInstance {
            node: node.clone(),
            component: component.clone(),
            instance: instance.clone(),
            parameters: old.clone(),
        };
        let healthy = Operation::WaitHealthy { component: component.clone(), instance: instance.clone() };
        let register = Operation::Register { component: component.clone(), instance: instance.clone() };
        let drain = Operation::Drain { component: component.clone(), instance: instance.clone() };
        let change =
            Operation::ChangeParameters { component, instance: instance.clone(), before: old, after: new.clone() };
        let nodes = |n: usize| move |o: &Observation| o.nodes.len() == n;
        let serves = {
            let instance = instance.clone();
            move |want: bool| {
                let instance = instance.clone();
                move |o: &Observation| o.instances.iter().any(|i| i.id == instance && i.registered == want)
            }
        };
        let gone = |o: &Observation| o.instances.is_empty();

        self.see("there is nothing before", nodes(0));
        self.done("deleting a node that does not exist is done", &delete);
        self.done("stopping an instance that does not run is done", &stop);
        self.twice("creating a node", &create);
        self.see("a created node is there, once", nodes(1));
        self.done("creating a node that exists, with another token, is done", &create);
        self.see("and there is still one", nodes(1));
        self.twice("waiting until a node is ready", &Operation::WaitReady { node: node.clone() });
        self.see("the node is ready then", |o| o.nodes.iter().all(|n| n.phase == NodePhase::Ready));
        self.twice("starting an instance", &start);
        self.done("starting an instance that runs, with another token, is done", &start);
        self.see("the instance runs, once", |o| o.instances.len() == 1);
        self.twice("waiting until an instance is healthy", &healthy);
        self.see("the instance is healthy then", |o| o.instances.iter().all(|i| i.healthy));
        self.twice("registering an instance", &register);
        self.see("the instance is registered then", serves(true));
        self.twice("changing the configuration", &change);
        self.see("the instance runs with the new configuration", |o| o.instances.iter().all(|i| i.parameters == new));
        self.begin("a drain that is undone at once", &drain);
        self.done("registering an instance that drains ends the draining", &register);
        self.see("the instance is registered again", serves(true));
        self.twice("draining an instance", &drain);
        self.see("the instance is not registered then", serves(false));
        self.twice("stopping an instance", &stop);
        self.see("no instance runs then", gone);
        self.done("starting it again on the same node is done", &start);
        self.done("and stopping it again", &stop);
        self.see("no instance runs at the end", gone);
        self.twice("deleting a node", &delete);
        self.see("no node is left", nodes(0));
        let other = std::mem::replace(&mut self.application, "conformance-other".to_owned());
        self.see("another application sees nothing of it", nodes(0));
        self.application = other;
    }

    fn note(&mut self, what: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.report.passed.push(what.to_owned()),
            Err(why) => self.report.failed.push(format!("{what}: {why}")),
        }
    }

    fn see(&mut self, what: &str, holds: impl Fn(&Observation) -> bool) {
        let now = (self.wait)(0);
        let outcome = match self.driver.observe(now, &self.application) {
            Ok(observation) if holds(&observation) => Ok(()),
            Ok(observation) => Err(format!("it observes {observation:?}")),
            Err(fault) => Err(format!("observing failed: {fault}")),
        };
        self.note(what, outcome);
    }

    /// A new call with a token of its own.
    fn call(&mut self, operation: &Operation) -> Call {
        self.calls += 1;
        let plan = Digest::of_bytes(b"conformance");
        let token = Token { plan, action: self.calls, way: Way::Do, step: 0 };
        Call { application: self.application.clone(), token, attempt: 1, operation: operation.clone() }
    }

    fn until_done(&mut self, call: &Call) -> Result<(), Fault> {
        let mut now = (self.wait)(0);
        for attempt in 1..=CHECKS_MAX {
            match self.driver.act(now, &Call { attempt, ..call.clone() }) {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Pending { check_after_ms }) => now = (self.wait)(check_after_ms.max(1)),
                Err(fault) if fault.class.is_worth_retrying() => now = (self.wait)(1000),
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::new(super::FaultClass::Deadline, format!("not done after {CHECKS_MAX} checks")))
    }

    fn done(&mut self, what: &str, operation: &Operation) {
        let call = self.call(operation);
        let outcome = self.until_done(&call).map_err(|fault| format!("it failed: {fault}"));
        self.note(what, outcome);
    }

    fn begin(&mut self, what: &str, operation: &Operation) {
        let call = self.call(operation);
        let mut answer = self.driver.act((self.wait)(0), &call);
        for attempt in 2..=CHECKS_MAX {
            if !answer.as_ref().is_err_and(|fault| fault.class.is_worth_retrying()) {
                break;
            }
            answer = self.driver.act((self.wait)(1000), &Call { attempt, ..call.clone() });
        }
        self.note(what, answer.map(|_| ()).map_err(|fault| format!("it failed: {fault}")));
    }

    /// Done, and the same call again changes nothing.
    fn twice(&mut self, what: &str, operation: &Operation) {
        let call = self.call(operation);
        let first = self.until_done(&call).map_err(|fault| format!("it failed: {fault}"));
        self.note(what, first);
        let before = self.driver.observe((self.wait)(0), &self.application);
        let again = self.driver.act((self.wait)(0), &Call { attempt: 2, ..call });
        let after = self.driver.observe((self.wait)(0), &self.application);
        let same = match (again, before, after) {
            (Ok(Progress::Done), Ok(before), Ok(after)) => {
                let unchanged = before.nodes == after.nodes && before.instances == after.instances;
                unchanged.then_some(()).ok_or_else(|| format!("it became {after:?}"))
            }
            (again, ..) => Err(format!("it answers {again:?} or cannot be observed")),
        };
        self.note(&format!("{what} with the same token again changes nothing"), same);
    }
}
