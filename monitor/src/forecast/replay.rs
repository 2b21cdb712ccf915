//! Policies against a recorded load: a fleet whose instances take time to start.
//!
//! One type of instance serves `capacity` units of load in a step; a step is in violation when the load is above `limit`
//! of what the serving instances can do. An instance that is ordered at the end of step t serves from step t + lead on and
//! costs from the step after the order. What is held beyond the wish ends at once, the youngest first.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::chooser::Chooser;
use super::headroom::{Budget, Headroom, Prices};
use super::threshold::Threshold;
use super::{Forecaster, Settings, count};

/// More instances than this are not looked at one by one.
const INSTANCES_MAX: u64 = 10_000_000;

/// The fleet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    /// Load that one instance serves in a step at full utilisation.
    pub capacity: f64,
    /// Utilisation above which a step is in violation, 0..1.
    pub limit: f64,
    /// Steps from an order until it serves; at least 1.
    pub lead: usize,
    /// The fewest instances.
    pub least: u64,
    /// Instances at the start.
    pub initial: u64,
}

/// What came of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Steps replayed.
    pub steps: u64,
    /// Instances times steps that were paid for.
    pub instance_steps: u64,
    /// Steps in violation.
    pub violations: u64,
    /// Steps at whose end something was ordered or ended.
    pub changes: u64,
    /// Instances that were started.
    pub starts: u64,
}

/// Who decides.
pub trait Policy {
    /// What to hold after a step, given its load, whether it was in violation, and the fleet.
    fn step(&mut self, load: f64, violated: bool, instances: &Instances) -> u64;
}

/// The instances of a fleet, serving and starting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Instances {
    serving: u64,
    /// How many will serve in the next step, in the one after it, ...
    starting: VecDeque<u64>,
    /// What came of it so far.
    pub course: Course,
}

impl Instances {
    /// A fleet at its start.
    pub fn new(fleet: &Fleet) -> Self {
        let starting = VecDeque::from(vec![0; fleet.lead.max(1)]);
        Instances { serving: fleet.initial.max(fleet.least), starting, course: Course::default() }
    }

    /// Serving and starting.
    pub fn held(&self) -> u64 {
        self.serving + self.starting.iter().sum::<u64>()
    }

    /// Serving.
    pub fn serving(&self) -> u64 {
        self.serving
    }

    /// Each instance is now so many.
    pub(super) fn convert(&mut self, ratio: f64) {
        let times = |n: u64| count(n as f64 * ratio - 1e-9);
        self.serving = times(self.serving);
        self.starting.iter_mut().for_each(|n| *n = times(*n));
    }

    /// A step passes under a load: tells whether it was in violation.
    pub fn pass(&mut self, load: f64, fleet: &Fleet) -> bool {
        if let Some(ready) = self.starting.pop_front() {
            self.serving += ready;
        }
        self.starting.push_back(0);
        let violated = load > fleet.limit * fleet.capacity * self.serving as f64;
        self.course.steps += 1;
        self.course.instance_steps = self.course.instance_steps.saturating_add(self.held());
        self.course.violations += u64::from(violated);
        violated
    }

    /// Orders or ends instances until so many are held.
    pub fn hold(&mut self, wanted: u64) {
        let held = self.held();
        if wanted == held {
            return;
        }
        self.course.changes += 1;
        if wanted > held {
            self.course.starts = self.course.starts.saturating_add(wanted - held);
            if let Some(last) = self.starting.back_mut() {
                *last += wanted - held;
            }
            return;
        }
        let mut surplus = held - wanted;
        for starting in self.starting.iter_mut().rev() {
            let ended = surplus.min(*starting);
            *starting -= ended;
            surplus -= ended;
        }
        self.serving -= surplus.min(self.serving);
    }
}

/// Runs a policy over a load.
pub fn replay(loads: &[f64], fleet: &Fleet, policy: &mut dyn Policy) -> Course {
    let mut instances = Instances::new(fleet);
    for load in loads {
        let violated = instances.pass(*load, fleet);
        let wanted = policy.step(*load, violated, &instances);
        instances.hold(wanted.max(fleet.least));
    }
    instances.course
}

/// The threshold rule.
#[derive(Clone, Debug)]
pub struct AtTarget {
    fleet: Fleet,
    rule: Threshold,
}

impl AtTarget {
    /// For a target of utilisation and a stabilisation in steps.
    pub fn new(fleet: Fleet, target: f64, stabilisation: usize) -> Self {
        AtTarget { fleet, rule: Threshold::new(target, stabilisation) }
    }
}

impl Policy for AtTarget {
    fn step(&mut self, load: f64, _: bool, instances: &Instances) -> u64 {
        self.rule.step(instances.serving(), instances.held(), load, self.fleet.capacity, self.fleet.least)
    }
}

/// How much a violation weighs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Weight {
    /// A price, in prices of one instance for one step.
    Price(f64),
    /// Whatever price keeps to this budget.
    Budget(Budget),
}

impl Weight {
    /// The price now.
    pub fn violation(&self) -> f64 {
        match self {
            Weight::Price(price) => *price,
            Weight::Budget(budget) => budget.violation(),
        }
    }
}

/// Forecasts and headroom.
#[derive(Clone, Debug)]
pub struct Foresight {
    fleet: Fleet,
    forecaster: Forecaster,
    headroom: Headroom,
    weight: Weight,
}

impl Foresight {
    /// For a fleet, with steps of `day` to a day.
    pub fn new(fleet: Fleet, day: usize, band: super::headroom::Band, weight: Weight) -> Self {
        let settings = Settings { lead: fleet.lead, offset: fleet.capacity, unit: fleet.capacity * fleet.limit, day };
        Foresight { fleet, forecaster: Forecaster::new(settings), headroom: Headroom::new(band, fleet.lead), weight }
    }
}

impl Policy for Foresight {
    fn step(&mut self, load: f64, violated: bool, instances: &Instances) -> u64 {
        let held = instances.held();
        if let Weight::Budget(budget) = &mut self.weight {
            budget.observe(violated);
        }
        self.forecaster.observe(Some(load));
        let unit = self.fleet.capacity * self.fleet.limit;
        let prices = Prices { unit, violation: self.weight.violation(), least: self.fleet.least };
        let calm = self.forecaster.calm();
        let Some(ahead) = self.forecaster.predict() else { return held };
        let needs = self.headroom.needs(&ahead, &prices);
        self.headroom.step(held, needs, load, calm, unit)
    }
}

/// The best of the policies in the shadow.
#[derive(Clone, Debug)]
pub struct Chosen {
    chooser: Chooser,
}

impl Chosen {
    /// Follows what the chooser says.
    pub fn new(chooser: Chooser) -> Self {
        Chosen { chooser }
    }
}

impl Policy for Chosen {
    fn step(&mut self, load: f64, _: bool, _: &Instances) -> u64 {
        self.chooser.step(Some(load))
    }
}

/// The instance steps that the load needs, if instances served the moment they were wanted: below every policy.
pub fn needed(loads: &[f64], fleet: &Fleet) -> u64 {
    needs(loads, fleet).sum()
}

/// The least instance steps without any violation, for who knows the load in advance: each instance is paid for while it
/// starts, and is kept through a lull that is not longer than a start. Of loads beyond ten million instances no more is
/// told than what is [`needed`].
pub fn hindsight(loads: &[f64], fleet: &Fleet) -> u64 {
    let most = needs(loads, fleet).max().unwrap_or(0);
    if most > INSTANCES_MAX {
        return needed(loads, fleet);
    }
    let most = most as usize;
    // The k-th instance is needed where the need is at least k: each has its own lulls.
    let mut last_needed: Vec<Option<usize>> = vec![None; most + 1];
    let (mut total, mut before) = (0, 0);
    for (t, need) in needs(loads, fleet).enumerate() {
        total += need;
        // What runs at the start is there already.
        for last in last_needed.iter().take(need as usize + 1).skip(before as usize + 1).flatten() {
            total += (t - last - 1).min(fleet.lead.saturating_sub(1)) as u64;
        }
        for last in last_needed.iter_mut().take(before as usize + 1).skip(need as usize + 1) {
            *last = t.checked_sub(1);
        }
        before = need;
    }
    total
}

fn needs(loads: &[f64], fleet: &Fleet) -> impl Iterator<Item = u64> {
    let unit = fleet.limit * fleet.capacity;
    loads.iter().map(move |x| count(x / unit).max(fleet.least))
}
