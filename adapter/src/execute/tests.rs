//! The executor against the simulated cloud: crashes at every write, every kind of fault at every kind of action.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::deployment::{NodePhase, WantedDeployment};
use crate::diff::{Diff, StartupTimes};
use crate::driver::Driver;
use crate::driver::drift::Drift;
use crate::driver::simulated::{CloudSettings, FaultRates, Injected, ScriptedFault, SimulatedCloud};
use crate::fixtures::{offer, random_cases, want, wanted};
use crate::plan::lint::{Expectation, lint};
use crate::plan::{ActionKind, Amount, PlanRequest, Rolling, TargetHead};
use crate::rules::{ComponentRules, Rules};

const APPLICATION: &str = "app";

/// Before or after which write of the journal the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Before(u64),
    After(u64),
}

/// What a service is to the executor: a journal, a driver, a clock.
struct Host {
    cloud: SimulatedCloud,
    head: TargetHead,
    rules: Rules,
    rolling: Rolling,
    policy: ExecutePolicy,
    now: UnixMs,
    /// Answers come twice.
    duplicates: bool,
    /// When nobody can go on, this is what a person says.
    choice: Choice,
    stuck_seen: Vec<StuckAction>,
    journal: Vec<Entry>,
}

impl Host {
    fn new(settings: CloudSettings) -> Self {
        let needs = ComponentRules { needs: ["db".to_owned()].into(), ..ComponentRules::default() };
        Host {
            cloud: SimulatedCloud::new(settings),
            head: TargetHead::default(),
            rules: Rules([("web".to_owned(), needs)].into()),
            rolling: Rolling { max_surge: Amount::Count(1), max_unavailable: Amount::Count(0) },
            policy: ExecutePolicy::default(),
            now: UnixMs(1_000_000),
            duplicates: false,
            choice: Choice::Retry,
            stuck_seen: Vec::new(),
            journal: Vec::new(),
        }
    }

    fn plan(&self, running: &RunningDeployment, wanted: &WantedDeployment) -> Plan {
        let startup = StartupTimes::default();
        let diff = Diff::between(running, wanted, &self.rules, &startup).unwrap();
        let (rules, rolling, head) = (&self.rules, &self.rolling, &self.head);
        let request =
            PlanRequest { application: APPLICATION, running, wanted, rules, rolling, head, startup: &startup };
        let (plan, _) = Plan::make(&request, diff).unwrap();
        let expectation = Expectation { application: APPLICATION, running, wanted, rules, rolling, head };
        assert_eq!(lint(&plan, &expectation), []);
        plan
    }

    /// Carries a plan out to its end; the process may end once on the way. `interfere` may send an event after the given
    /// number of events.
    fn run(
        &mut self,
        plan: &Plan,
        crash: Option<Crash>,
        interfere: Option<(usize, Event)>,
    ) -> (Ending, RunningDeployment) {
        self.head.adopt(plan).unwrap();
        self.journal.clear();
        let (mut crash, mut interfere) = (crash, interfere);
        let (mut executor, mut commands) = Executor::start(plan.clone(), self.policy, self.now);
        for turn in 0..100_000 {
            let mut answers = VecDeque::new();
            let mut wake = None;
            let mut ended = None;
            let mut crashed = false;
            for command in commands.drain(..) {
                match command {
                    Command::Record(entry) => {
                        if crash == Some(Crash::Before(entry.sequence)) {
                            crashed = true;
                            break;
                        }
                        crashed = crash == Some(Crash::After(entry.sequence));
                        self.journal.push(entry);
                        if crashed {
                            break;
                        }
                    }
                    Command::Call(call) => {
                        let result = self.cloud.act(self.now, &call);
                        let answer = Event::Answer { token: call.token, attempt: call.attempt, result };
                        if self.duplicates {
                            answers.push_back(answer.clone());
                        }
                        answers.push_back(answer);
                    }
                    Command::WakeAt(at) => wake = Some(at),
                    Command::Finished { ending, deployment } => ended = Some((ending, deployment)),
                }
            }
            if crashed {
                crash = None;
                self.now = self.now.plus_ms(1);
                // What the process knew is gone; the cloud goes through its stored state as well.
                let state = serde_json::to_string(&self.cloud.state()).unwrap();
                self.cloud = SimulatedCloud::restore(serde_json::from_str(&state).unwrap());
                let text = serde_json::to_string(&self.journal).unwrap();
                self.journal = serde_json::from_str(&text).unwrap();
                (executor, commands) = if self.journal.is_empty() {
                    Executor::start(plan.clone(), self.policy, self.now)
                } else {
                    let mut executor = Executor::recover(plan.clone(), self.policy, &self.journal).unwrap();
                    let commands = executor.step(self.now, Event::Wake);
                    (executor, commands)
                };
                continue;
            }
            if let Some(end) = ended {
                return end;
            }
            if let Some((_, event)) = interfere.take_if(|(at, _)| *at <= turn) {
                answers.push_front(event);
            }
            if !answers.is_empty() {
                for answer in answers {
                    commands.extend(executor.step(self.now, answer));
                }
            } else if let Some(first) = executor.stuck().first().cloned() {
                let action = first.action;
                self.stuck_seen.push(first);
                self.now = self.now.plus_ms(60_000);
                let by = "a person".to_owned();
                commands = executor.step(self.now, Event::Resolve { action, choice: self.choice, by });
            } else {
                let at = wake.expect("someone must say when to go on");
                assert!(at > self.now, "waking at once for nothing: {at:?}");
                self.now = at;
                commands = executor.step(self.now, Event::Wake);
            }
            // Who skips the way back of an instance takes its absence upon themselves.
            if self.stuck_seen.is_empty() || self.choice != Choice::Skip {
                self.check_availability(plan, executor.mode().0);
            }
        }
        panic!("the plan does not end: {:?}", self.journal.iter().rev().take(10).collect::<Vec<_>>());
    }

    /// What serves in the cloud never falls below the limit.
    fn check_availability(&self, plan: &Plan, mode: Mode) {
        let content = plan.content();
        let observation = self.cloud.observe(self.now, APPLICATION).unwrap();
        let before = content.before.surviving().cardinalities();
        let after = content.target.cardinalities();
        for (component, n) in &before {
            let bounds = self.rolling.bounds(*n, after.get(component).copied().unwrap_or(0));
            let serving =
                observation.instances.iter().filter(|i| i.component == *component && i.healthy && i.registered);
            let serving = serving.count() as u64;
            assert!(serving >= bounds.least, "{component} has {serving} serving, {mode:?}: {observation:?}");
        }
    }

    /// The world is as recorded, and no action was done twice.
    fn check_end(&self, deployment: &RunningDeployment) {
        let observation = self.cloud.observe(self.now, APPLICATION).unwrap();
        let drift = Drift::between(deployment, &observation);
        assert!(drift.is_none(), "{drift:?}\n{deployment:?}\n{observation:?}");
        let mut doings: BTreeMap<String, u32> = BTreeMap::new();
        for effect in self.cloud.effects() {
            *doings.entry(effect.token).or_insert(0) += 1;
        }
        assert!(doings.values().all(|n| *n == 1), "{doings:?}");
    }
}

/// A fleet in which every kind of action is needed to get from the first to the second, with one node lost in between.
fn first() -> WantedDeployment {
    let small = offer("small", 0.1);
    let mut first = wanted(vec![
        want(&small, &[("db", 1)]),
        want(&small, &[("web", 1)]),
        want(&small, &[("web", 1)]),
        want(&small, &[("log", 1), ("web", 1)]),
    ]);
    first.parameters = [("log".to_owned(), [("level".to_owned(), "info".to_owned())].into())].into();
    first
}

fn second() -> WantedDeployment {
    let (small, big) = (offer("small", 0.1), offer("big", 0.3));
    let mut second =
        wanted(vec![want(&big, &[("db", 1)]), want(&big, &[("web", 2)]), want(&small, &[("log", 1), ("web", 1)])]);
    second.parameters = [("log".to_owned(), [("level".to_owned(), "debug".to_owned())].into())].into();
    second
}

/// A host on which the first fleet runs, one of its nodes lost, and the plan to the second.
fn in_the_middle(settings: CloudSettings) -> (Host, Plan) {
    let mut host = Host::new(CloudSettings { script: Vec::new(), faults: FaultRates::default(), ..settings.clone() });
    let plan = host.plan(&RunningDeployment::default(), &first());
    let (ending, mut running) = host.run(&plan, None, None);
    assert_eq!(ending, Ending::Reached);
    host.check_end(&running);
    let lost = running.nodes.values_mut().find(|n| n.counts() == [("web".to_owned(), 1)].into()).unwrap();
    lost.phase = NodePhase::Lost;
    host.cloud.lose_node(host.now, &lost.id);
    for fault in settings.script {
        host.cloud.inject(fault);
    }
    let plan = host.plan(&running, &second());
    let kinds: Vec<ActionKind> = plan.actions().iter().map(|a| a.operation.kind()).collect();
    assert!(ActionKind::DRIVEN.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    (host, plan)
}

fn fault(kind: ActionKind, way: Way, injected: Injected, times: u32) -> ScriptedFault {
    ScriptedFault { kind, way, skip: 0, injected, times }
}

fn scripted(script: Vec<ScriptedFault>) -> CloudSettings {
    CloudSettings { script, ..CloudSettings::default() }
}

#[test]
fn a_plan_is_carried_out_and_what_was_there_is_gone() {
    let (mut host, plan) = in_the_middle(CloudSettings::default());
    let (ending, running) = host.run(&plan, None, None);
    assert_eq!(ending, Ending::Reached);
    assert_eq!(running, plan.content().target);
    host.check_end(&running);
    assert!(host.stuck_seen.is_empty());
}

/// Runs the plan once for every write of its journal, ending the process before it and after it.
fn crash_everywhere(script: &[ScriptedFault], expected: Ending) {
    let (mut host, plan) = in_the_middle(scripted(script.to_vec()));
    let (ending, _) = host.run(&plan, None, None);
    assert_eq!(ending, expected);
    let writes = host.journal.len() as u64;
    assert!(writes > 40);
    for index in 0..writes {
        for crash in [Crash::Before(index), Crash::After(index)] {
            let (mut host, plan) = in_the_middle(scripted(script.to_vec()));
            let (ending, running) = host.run(&plan, Some(crash), None);
            // A crash may use up a fault by repeating its call, so either end is right; half an end is not.
            assert!(matches!(ending, Ending::Reached | Ending::Unwound), "{crash:?}");
            assert!(ending == expected || !script.is_empty(), "{crash:?}: {ending:?}");
            host.check_end(&running);
            let end = if ending == Ending::Reached { &plan.content().target } else { &plan.content().before };
            assert_eq!(running.nodes, end.nodes, "{crash:?}");
        }
    }
}

#[test]
fn killed_at_every_write_a_plan_reaches_its_target() {
    crash_everywhere(&[], Ending::Reached);
}

#[test]
fn killed_at_every_write_an_unwinding_plan_leaves_what_was_there() {
    let refused = Injected::Before(FaultClass::Permanent);
    crash_everywhere(
        &[ScriptedFault { skip: 1, ..fault(ActionKind::DeleteNode, Way::Do, refused, 1000) }],
        Ending::Unwound,
    );
}

#[test]
fn every_kind_of_action_survives_every_kind_of_fault() {
    let retried = [
        (Injected::Before(FaultClass::Transient), 3),
        (Injected::After(FaultClass::Transient), 3),
        (Injected::AnswerLost, 3),
        (Injected::Repeated, 1000),
    ];
    for kind in ActionKind::DRIVEN {
        for (injected, times) in retried {
            let (mut host, plan) = in_the_middle(scripted(vec![fault(kind, Way::Do, injected, times)]));
            let (ending, running) = host.run(&plan, None, None);
            assert_eq!(ending, Ending::Reached, "{kind:?} {injected:?}");
            host.check_end(&running);
        }
        for class in [FaultClass::Permanent, FaultClass::Capacity, FaultClass::Quota] {
            for injected in [Injected::Before(class), Injected::After(class)] {
                let (mut host, plan) = in_the_middle(scripted(vec![fault(kind, Way::Do, injected, 1)]));
                let (ending, running) = host.run(&plan, None, None);
                assert_eq!(ending, Ending::Unwound, "{kind:?} {injected:?}");
                assert_eq!(running.nodes, plan.content().before.nodes);
                host.check_end(&running);
            }
        }
    }
}

/// The first deletion succeeds and the second is refused, so that the way back undoes everything, deletions too.
fn turns_late() -> ScriptedFault {
    ScriptedFault { skip: 1, ..fault(ActionKind::DeleteNode, Way::Do, Injected::Before(FaultClass::Permanent), 1000) }
}

#[test]
fn every_kind_of_undo_survives_every_kind_of_fault() {
    let mut undone = 0;
    for kind in ActionKind::DRIVEN {
        for injected in [
            Injected::Before(FaultClass::Transient),
            Injected::After(FaultClass::Transient),
            Injected::AnswerLost,
            Injected::Repeated,
        ] {
            let script = vec![turns_late(), fault(kind, Way::Undo, injected, 3)];
            let (mut host, plan) = in_the_middle(scripted(script));
            let (ending, running) = host.run(&plan, None, None);
            assert_eq!(ending, Ending::Unwound, "{kind:?} {injected:?}");
            assert_eq!(running.nodes, plan.content().before.nodes);
            host.check_end(&running);
            assert!(host.stuck_seen.is_empty());
            let attempts = |e: &&Entry| matches!(e.record, Record::Ended { way: Way::Undo, fault: Some(_), .. });
            undone += host.journal.iter().filter(attempts).count();
        }
    }
    assert!(undone > 40, "only {undone} undos went wrong");
}

#[test]
fn an_undo_that_fails_for_good_is_stuck_until_a_person_speaks() {
    for kind in [
        ActionKind::DeleteNode,
        ActionKind::CreateNode,
        ActionKind::StopInstance,
        ActionKind::StartInstance,
        ActionKind::Register,
        ActionKind::Drain,
        ActionKind::ChangeParameters,
    ] {
        for choice in [Choice::Retry, Choice::Skip, Choice::Unwind, Choice::Accept] {
            let refused = fault(kind, Way::Undo, Injected::Before(FaultClass::Permanent), 30);
            let (mut host, plan) = in_the_middle(scripted(vec![turns_late(), refused]));
            host.choice = choice;
            let (ending, running) = host.run(&plan, None, None);
            assert!(!host.stuck_seen.is_empty(), "{kind:?} {choice:?} {ending:?}");
            let first = &host.stuck_seen[0];
            assert_eq!((first.operation.kind(), first.fault.class), (kind, FaultClass::Permanent));
            match choice {
                Choice::Accept => assert_eq!(ending, Ending::Accepted),
                Choice::Skip => assert_eq!(ending, Ending::Unwound),
                Choice::Retry | Choice::Unwind => {
                    assert_eq!(ending, Ending::Unwound);
                    assert_eq!(running.nodes, plan.content().before.nodes);
                    host.check_end(&running);
                }
            }
        }
    }
}

#[test]
fn asked_instead_of_unwinding_a_person_can_go_either_way() {
    let refused = fault(ActionKind::StartInstance, Way::Do, Injected::Before(FaultClass::Permanent), 1);
    for (choice, expected) in
        [(Choice::Retry, Ending::Reached), (Choice::Unwind, Ending::Unwound), (Choice::Accept, Ending::Accepted)]
    {
        let (mut host, plan) = in_the_middle(scripted(vec![refused]));
        host.policy.on_failure = OnFailure::Ask;
        host.choice = choice;
        let (ending, running) = host.run(&plan, None, None);
        assert_eq!((ending, host.stuck_seen.len()), (expected, 1));
        host.check_end(&running);
    }
    // Skipped, after a person has done it by hand: here the call had its effect and only said that it failed.
    let done = fault(ActionKind::StartInstance, Way::Do, Injected::After(FaultClass::Permanent), 1);
    let (mut host, plan) = in_the_middle(scripted(vec![done]));
    (host.policy.on_failure, host.choice) = (OnFailure::Ask, Choice::Skip);
    let (ending, running) = host.run(&plan, None, None);
    assert_eq!(ending, Ending::Reached);
    host.check_end(&running);
}

#[test]
fn a_plan_superseded_at_any_time_ends_with_nothing_half_done_and_the_next_goes_on_from_there() {
    let (mut host, plan) = in_the_middle(CloudSettings::default());
    let _ = host.run(&plan, None, None);
    let mut endings = BTreeMap::new();
    for turn in 0..60 {
        let (mut host, plan) = in_the_middle(CloudSettings::default());
        let event = Event::Supersede { reason: "the load fell".to_owned() };
        let (ending, running) = host.run(&plan, None, Some((turn, event)));
        *endings.entry(ending).or_insert(0) += 1;
        host.check_end(&running);
        assert_eq!(running.generation, plan.content().generation);
        // Back to the first fleet, from wherever that is.
        let next = host.plan(&running, &first());
        let (ending, running) = host.run(&next, None, None);
        assert_eq!(ending, Ending::Reached);
        assert_eq!(running.cardinalities(), first().cardinalities());
        host.check_end(&running);
    }
    assert!(endings[&Ending::Superseded] > 5, "{endings:?}");
}

#[test]
fn a_person_can_turn_a_plan_round_at_any_time() {
    for turn in 0..60 {
        let (mut host, plan) = in_the_middle(CloudSettings::default());
        let event = Event::Unwind { reason: "a person asked".to_owned() };
        let (ending, running) = host.run(&plan, None, Some((turn, event)));
        host.check_end(&running);
        assert!(matches!(ending, Ending::Unwound | Ending::Reached));
    }
}

#[test]
fn what_takes_too_long_is_given_up() {
    let (mut host, plan) = in_the_middle(CloudSettings::default());
    host.policy.wait_ready_ms_max = 10_000;
    let (ending, running) = host.run(&plan, None, None);
    assert_eq!(ending, Ending::Unwound);
    host.check_end(&running);
    let (mut host, plan) = in_the_middle(CloudSettings::default());
    host.policy.plan_ms_max = 90_000;
    let (ending, running) = host.run(&plan, None, None);
    assert_eq!(ending, Ending::Unwound);
    host.check_end(&running);
}

#[test]
fn a_journal_of_another_plan_or_with_a_gap_is_refused() {
    let (mut host, plan) = in_the_middle(CloudSettings::default());
    let _ = host.run(&plan, None, None);
    let recover =
        |journal: &[Entry]| Executor::recover(plan.clone(), ExecutePolicy::default(), journal).map(|e| e.ending());
    assert_eq!(recover(&host.journal), Ok(Some(Ending::Reached)));
    assert!(matches!(recover(&host.journal[1..]), Err(JournalError::NotAdopted(_))));
    assert!(matches!(recover(&[]), Err(JournalError::NotAdopted(_))));
    let mut gap = host.journal.clone();
    gap.remove(5);
    assert_eq!(recover(&gap), Err(JournalError::Gap { expected: 5, found: 6 }));
    let mut twice = host.journal.clone();
    let (again, count) = (twice[2].clone(), twice.len() as u64);
    twice.push(Entry { sequence: count, ..again.clone() });
    assert_eq!(recover(&twice), Err(JournalError::AfterEnd(count)));
    let strange = Record::Begun { action: 9999, way: Way::Do, step: 0, attempt: 1 };
    let strange = Entry { sequence: 1, record: strange, ..again };
    assert_eq!(recover(&[host.journal[0].clone(), strange]), Err(JournalError::NoAction { sequence: 1, action: 9999 }));
}

fn fleet() -> impl Strategy<Value = WantedDeployment> {
    let node = (0..2_usize, prop::array::uniform3(0..3_u32));
    let level = 0..2_u32;
    (prop::collection::vec(node, 0..4), level).prop_map(|(nodes, level)| {
        let nodes = nodes.into_iter().map(|(kind, counts)| {
            let instances: Vec<_> = ["db", "log", "web"].into_iter().zip(counts).filter(|(_, n)| *n > 0).collect();
            want(&offer(["small", "big"][kind], [0.1, 0.3][kind]), &instances)
        });
        let mut fleet = wanted(nodes.collect());
        fleet.parameters = [("log".to_owned(), [("level".to_owned(), level.to_string())].into())].into();
        fleet
    })
}

proptest! {
    #![proptest_config(random_cases(300))]

    /// Whatever goes wrong, and wherever the process ends: the target or what was before, and nothing else.
    #[test]
    fn any_change_under_any_faults_ends_whole(
        fleets in (fleet(), fleet()), seed in any::<u64>(),
        rates in (0.0..0.3_f64, 0.0..0.2_f64, 0.0..0.3_f64, 0.0..0.1_f64, 0.0..0.3_f64),
        crash in (0..120_u64, any::<bool>()), duplicates in any::<bool>(), supersede in prop::option::of(0..80_usize),
        parallel_max in 1..8_u32,
    ) {
        let mut host = Host::new(CloudSettings { seed, ..CloudSettings::default() });
        let plan = host.plan(&RunningDeployment::default(), &fleets.0);
        let (_, running) = host.run(&plan, None, None);
        let mut state = serde_json::to_value(host.cloud.state()).unwrap();
        let (before_effect, after_effect, answer_lost, capacity, slow) = rates;
        let faults = FaultRates { before_effect, after_effect, answer_lost, capacity, slow };
        state["settings"]["faults"] = serde_json::to_value(faults).unwrap();
        host.cloud = SimulatedCloud::restore(serde_json::from_value(state).unwrap());
        host.duplicates = duplicates;
        host.policy.parallel_max = parallel_max;
        let plan = host.plan(&running, &fleets.1);
        let crash = if crash.1 { Crash::Before(crash.0) } else { Crash::After(crash.0) };
        let supersede = supersede.map(|turn| (turn, Event::Supersede { reason: "another".to_owned() }));
        let superseded = supersede.is_some();
        let (ending, end) = host.run(&plan, Some(crash), supersede);
        match ending {
            Ending::Reached => prop_assert_eq!(&end, &plan.content().target),
            Ending::Unwound => prop_assert_eq!(&end.nodes, &plan.content().before.nodes),
            Ending::Superseded => prop_assert!(superseded),
            Ending::Accepted => prop_assert!(false, "nobody accepted anything"),
        }
        host.check_end(&end);
    }
}
