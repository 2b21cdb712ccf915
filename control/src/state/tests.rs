//! Policies and the loop: what is denied does not begin, whoever asks and however old the decision is.
#![allow(clippy::unwrap_used)]

use cardinal_adapter::authorise::{Authorisation, PolicyText, Zone};
use cardinal_adapter::gate::window::parse_instant;

use super::*;
use crate::decide::{InProcess, decide};
use crate::decision::Next;
use crate::settings::Mode;
use crate::simulate::tests::resources;

const MODEL: &str = "
application: shop
components:
  web: {cardinality: 2, requires: {cores: '>= 2'}, placement: {location: [DE], cloud: public}}
";
const HOURS: &str = include_str!("../../../examples/policies/working-hours.cedar");
/// A Monday in Berlin, an hour before and an hour after working hours begin.
const EARLY: &str = "2026-01-05T06:00:00Z";
const OPEN: &str = "2026-01-05T08:00:00Z";

fn at(text: &str) -> UnixMs {
    parse_instant(text).unwrap()
}

/// A loop that is judged by these policies, and its host.
struct Host {
    application: ApplicationLoop,
    resources: Resources,
    /// What the cloud shows.
    seen: Observation,
}

impl Host {
    fn new(mode: Mode, policies: &str) -> Self {
        let mut settings = LoopSettings { mode, ..LoopSettings::default() };
        settings.authorise = authorise(policies);
        let digest = Digest::of_bytes(b"");
        let application = ApplicationLoop::new("shop", digest, digest, settings, at(EARLY));
        Host { application, resources: resources(MODEL), seen: Observation::default() }
    }

    fn step(&mut self, now: UnixMs, event: Event) -> Step {
        self.application.step(now, &self.resources, event)
    }

    /// Looks, and gives what there is to decide then or a little later, when no more triggers are waited for.
    fn input(&mut self, now: UnixMs) -> Option<Arc<DecisionInput>> {
        [now, now.plus_s(6)].into_iter().find_map(|now| {
            let mut acts = self.step(now, Event::Wake).acts;
            acts.extend(self.step(now, Event::Observed(Box::new(self.seen.clone()))).acts);
            acts.into_iter().find_map(|act| match act {
                Act::Decide(input) => Some(input),
                _ => None,
            })
        })
    }

    fn decide(&mut self, now: UnixMs) -> Option<Decision> {
        let input = self.input(now)?;
        Some(decide(&input, &self.resources, &InProcess))
    }

    fn order(&mut self, now: UnixMs, by: &str, scope: Option<&str>, order: Order) -> Vec<Notice> {
        let scope = scope.map(str::to_owned);
        notices(self.step(now, Event::Person { by: by.to_owned(), scope, order }))
    }

    /// Decides and brings the decision back.
    fn conclude(&mut self, now: UnixMs) -> (Decision, Vec<Notice>) {
        let decision = self.decide(now).unwrap();
        let step = self.step(now, Event::Decided(Box::new(decision.clone())));
        (decision, notices(step))
    }
}

fn authorise(policies: &str) -> Authorisation {
    let text = PolicyText { name: "rules.cedar".to_owned(), text: policies.into() };
    Authorisation { time_zone: Zone::named("Europe/Berlin").unwrap(), policies: vec![text] }
}

fn notices(step: Step) -> Vec<Notice> {
    let notice = |write| match write {
        Write::Notice(notice) => Some(notice),
        _ => None,
    };
    step.writes.into_iter().filter_map(notice).collect()
}

fn began(notices: &[Notice]) -> bool {
    notices.iter().any(|n| matches!(n, Notice::PlanBegan { .. }))
}

fn denials(notices: &[Notice]) -> Vec<&str> {
    let denial = |n: &'_ Notice| matches!(n, Notice::PlanDenied { .. });
    notices
        .iter()
        .filter(|n| denial(n))
        .map(|n| if let Notice::PlanDenied { policies, .. } = n { policies[0].id.as_str() } else { "" })
        .collect()
}

#[test]
fn a_denied_plan_is_recorded_told_once_and_begins_when_the_policies_allow_it() {
    let mut host = Host::new(Mode::Automatic, HOURS);
    let (decision, told) = host.conclude(at(EARLY));
    assert!(decision.is_denied() && decision.passed() && decision.plan.is_some());
    assert_eq!(decision.next, Next::Nothing);
    assert!(decision.sentence.contains("`working-hours` of rules.cedar"), "{}", decision.sentence);
    assert!(decision.sentence.contains("the loop asks again by itself"), "{}", decision.sentence);
    assert!(!began(&told));
    assert_eq!(denials(&told), ["working-hours"]);
    assert_eq!(host.application.state().course, Course::Idle);
    // The next one says the same, and is not told again.
    let later = at(EARLY).plus_s(1800);
    let (again, told) = host.conclude(later);
    assert!(again.is_denied() && denials(&told).is_empty() && !began(&told));
    let (allowed, told) = host.conclude(at(OPEN));
    assert!(!allowed.is_denied() && allowed.ruling.is_some() && began(&told));
}

#[test]
fn a_stored_decision_is_denied_alike_when_it_is_made_again() {
    let mut host = Host::new(Mode::Automatic, HOURS);
    let input = host.input(at(EARLY)).unwrap();
    let first = decide(&input, &host.resources, &InProcess);
    let stored: DecisionInput = serde_json::from_str(&serde_json::to_string(&input).unwrap()).unwrap();
    let again = decide(&stored, &host.resources, &InProcess);
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&first).unwrap());
    assert!(first.is_denied());
    let mut free = stored;
    free.settings.authorise = Authorisation::default();
    let free = decide(&free, &host.resources, &InProcess);
    assert_eq!((free.ruling.is_none(), free.next), (true, Next::Apply));
}

#[test]
fn who_approves_is_judged_at_the_time_of_the_approval() {
    let rules = format!(
        "{HOURS}\n@id(\"not-viewers\") @advice(\"Ask an operator\")\n\
         forbid (principal is User, action == Action::\"approve\", resource) when {{ principal.scope == \"viewer\" }};"
    );
    let mut host = Host::new(Mode::Recommend, &rules);
    let (decision, told) = host.conclude(at(EARLY));
    // At night a plan may be proposed.
    assert_eq!(decision.next, Next::Approval, "{told:?}");
    let plan = decision.plan.unwrap().hash();
    let refusal = |told: &[Notice]| match told {
        [Notice::Refused { by, reason }] => (by.clone(), reason.clone()),
        _ => panic!("{told:?}"),
    };
    let early = host.order(at(EARLY).plus_s(60), "anna", Some("operator"), Order::Approve { plan });
    let (by, reason) = refusal(&early);
    assert!(by == "anna" && reason.contains("`working-hours` of rules.cedar"), "{reason}");
    assert!(matches!(host.application.state().course, Course::Proposed { .. }));
    // A minute before the next regular decision would take the proposal's place.
    let open = at("2026-01-05T07:00:00Z");
    host.application.state.regular_at = open.plus_s(3600);
    let viewer = host.order(open, "vera", Some("viewer"), Order::Approve { plan });
    assert!(refusal(&viewer).1.contains("not-viewers"), "{viewer:?}");
    let approved = host.order(open, "anna", Some("operator"), Order::Approve { plan });
    assert!(
        approved.iter().any(|n| matches!(n, Notice::PlanBegan { by: Some(by), .. } if by == "anna")),
        "{approved:?}"
    );
}

#[test]
fn a_decision_that_comes_back_after_hours_does_not_begin() {
    let mut host = Host::new(Mode::Automatic, HOURS);
    let decision = host.decide(at("2026-01-05T15:59:59Z")).unwrap();
    assert_eq!(decision.next, Next::Apply);
    let told = notices(host.step(at("2026-01-05T16:00:01Z"), Event::Decided(Box::new(decision))));
    assert!(!began(&told), "{told:?}");
    assert_eq!(denials(&told), ["working-hours"]);
    assert_eq!(host.application.state().course, Course::Idle);
}

#[test]
fn a_removal_is_judged_as_the_order_of_who_gave_it_also_later() {
    let rules = "@id(\"base\") permit (principal, action, resource);\n\
                 @id(\"only-anna\") forbid (principal, action == Action::\"undeploy\", resource)\n\
                 unless { principal == User::\"anna\" && context.time.hour >= 9 };";
    let mut host = Host::new(Mode::Automatic, rules);
    // Something must run that can be taken down: a node that nobody needs is enough.
    let plan = host.conclude(at(EARLY)).0.plan.unwrap();
    host.application.state.running = Arc::new(plan.content().target.clone());
    host.application.executor = None;
    host.application.state.course = Course::Idle;
    host.seen = observation(&host);
    host.order(at(EARLY), "anna", None, Order::Leave);
    let Course::Deciding { input } = host.application.state().course.clone() else { panic!("nothing is decided") };
    let decision = decide(&input, &host.resources, &InProcess);
    assert_eq!(decision.ruling.as_ref().unwrap().denied_by()[0].id, "only-anna");
    let _ = host.step(at(EARLY), Event::Decided(Box::new(decision)));
    assert!(host.application.state().leaving);
    let (decision, told) = host.conclude(at(OPEN));
    assert_eq!(decision.next, Next::Apply, "{}", decision.sentence);
    assert!(began(&told));
}

/// What the cloud shows when everything on record is there.
fn observation(host: &Host) -> Observation {
    let running = &host.application.state().running;
    let mut seen = Observation::default();
    for node in running.nodes.values() {
        seen.nodes.push(cardinal_adapter::driver::ObservedNode {
            id: node.id.clone(),
            offer: node.offer.clone(),
            phase: cardinal_adapter::deployment::NodePhase::Ready,
        });
        for (component, all) in &node.instances {
            seen.instances.extend(all.iter().map(|id| cardinal_adapter::driver::ObservedInstance {
                id: id.clone(),
                component: component.clone(),
                node: node.id.clone(),
                healthy: true,
                registered: true,
                parameters: Default::default(),
            }));
        }
    }
    seen
}
