//! SLOs over time: when a violation counts, what is told of it, and when it is over.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::decide::{InProcess, decide};
use crate::settings::Mode;
use crate::simulate::tests::resources;

const MODEL: &str = "
application: shop
components:
  web: {cardinality: 2, requires: {cores: '>= 2'}, placement: {location: [DE], cloud: public}}
metrics:
  rt: {unit: ms, default: 100}
  rt_s: rt / 1000
slo:
  fast: {formula: rt_s <= 0.2, for: 60s, clear: rt <= 150, clear_for: 30s, severity: critical}
  quiet: {formula: rt <= 180, severity: info}
events:
  again: {repeats: fast, times: 2, within: 1h}
";
const BEGIN: UnixMs = UnixMs(1_700_000_000_000);

/// A loop of something that runs, and what it is given.
struct Watched {
    application: ApplicationLoop,
    resources: Resources,
    now: UnixMs,
}

/// What a step told of violations, and whether a decision was begun because of it.
type Told = (Vec<Notice>, bool);

impl Watched {
    fn new() -> Self {
        let settings = LoopSettings { mode: Mode::Observe, every_ms: 86_400_000, ..LoopSettings::default() };
        let digest = Digest::of_bytes(b"");
        let application = ApplicationLoop::new("shop", digest, digest, settings, BEGIN);
        let mut watched = Watched { application, resources: resources(MODEL), now: BEGIN };
        let step = watched.step(0, Event::Wake);
        let Some(Act::Decide(input)) = step.acts.into_iter().find(|act| matches!(act, Act::Decide(_))) else {
            panic!("nothing is decided")
        };
        let decision = decide(&input, &watched.resources, &InProcess);
        let target = decision.plan.as_ref().unwrap().content().target.clone();
        let _ = watched.step(0, Event::Decided(Box::new(decision)));
        watched.application.state.running = Arc::new(target);
        watched
    }

    fn step(&mut self, seconds: u64, event: Event) -> Step {
        self.now = self.now.plus_s(seconds);
        self.application.step(self.now, &self.resources, event)
    }

    /// A value after so many seconds.
    fn value(&mut self, seconds: u64, rt: f64) -> Told {
        let at = self.now.plus_s(seconds);
        let step = self.step(seconds, Event::Metrics(vec![("rt".to_owned(), MetricReading::new(rt, at))]));
        self.told(step)
    }

    /// What a step told; a decision that it begins is made and brought back.
    fn told(&mut self, step: Step) -> Told {
        let mut decided = false;
        for act in step.acts {
            if let Act::Decide(input) = act {
                decided = true;
                let decision = decide(&input, &self.resources, &InProcess);
                let _ = self.step(0, Event::Decided(Box::new(decision)));
            }
        }
        let notices = step.writes.into_iter().filter_map(|write| match write {
            Write::Notice(notice @ (Notice::Violated { .. } | Notice::Restored { .. })) => Some(notice),
            _ => None,
        });
        (notices.collect(), decided)
    }
}

fn rules(told: &Told) -> Vec<&str> {
    let rules = told.0.iter().filter_map(|notice| match notice {
        Notice::Violated { rules, .. } => Some(rules),
        _ => None,
    });
    rules.flatten().map(String::as_str).collect()
}

#[test]
fn a_violation_that_lasts_is_told_with_its_evidence_and_asks_for_a_decision() {
    let mut watched = Watched::new();
    let told = watched.value(1, 190.0);
    assert_eq!((rules(&told), told.1), (vec!["quiet"], false), "what is only told asks for nothing");
    let told = watched.value(1, 250.0);
    assert_eq!((rules(&told), told.1), (vec![], false));
    let begun = watched.now;
    assert_eq!(watched.application.state().book.pending().into_iter().collect::<Vec<_>>(), ["fast"]);
    let told = watched.value(31, 260.0);
    assert!(rules(&told).is_empty());
    // It is looked at again when the time has come, also without a new value.
    let step = watched.step(1, Event::Wake);
    assert!(step.wake_at.unwrap() <= begun.plus_s(60));
    let step = watched.step(28, Event::Wake);
    let told = watched.told(step);
    assert_eq!((rules(&told), told.1), (vec!["fast"], true));
    let Notice::Violated { evidence, .. } = &told.0[0] else { panic!() };
    let Evidence { severity, formula, since, metrics, .. } = &evidence[0];
    assert_eq!((*severity, formula.as_deref(), *since), (Severity::Critical, Some("rt_s <= 0.2"), Some(watched.now)));
    let seen: Vec<(&str, Option<f64>)> = metrics.iter().map(|m| (m.name.as_str(), m.value)).collect();
    assert_eq!(seen, [("rt", Some(260.0)), ("rt_s", None)]);
}

#[test]
fn a_violation_is_over_when_it_is_clear_for_long_enough_and_comes_again_as_an_event() {
    let mut watched = Watched::new();
    let violate = |watched: &mut Watched| {
        let first = watched.value(1, 250.0);
        let second = watched.value(60, 250.0);
        rules(&first).into_iter().chain(rules(&second)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(violate(&mut watched), ["quiet", "fast"]);
    // It holds, but it is not clear.
    assert_eq!(watched.value(60, 160.0).0, []);
    assert!(watched.application.state().violated.contains("fast"));
    assert_eq!(watched.value(60, 140.0).0, []);
    assert_eq!(watched.value(29, 140.0).0, []);
    assert!(matches!(watched.value(1, 140.0).0[..], [Notice::Restored { .. }]));
    assert_eq!(violate(&mut watched), ["quiet", "again", "fast"]);
    let _ = watched.value(60, 140.0);
    assert_eq!(watched.value(30, 140.0).0, []);
    assert_eq!(watched.application.state().violated.iter().collect::<Vec<_>>(), ["again"]);
    // The first of the two is an hour ago.
    assert!(matches!(watched.value(3600, 140.0).0[..], [Notice::Restored { .. }]));
}

#[test]
fn what_is_remembered_of_violations_survives_a_restart() {
    let mut watched = Watched::new();
    let _ = watched.value(1, 250.0);
    let stored = serde_json::to_string(watched.application.state()).unwrap();
    watched.application = ApplicationLoop::recover(serde_json::from_str(&stored).unwrap(), &[]).unwrap();
    let step = watched.step(60, Event::Wake);
    assert_eq!(rules(&watched.told(step)), ["fast"]);
}
