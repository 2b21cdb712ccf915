//! Plans of random changes pass the linter and every interleaving; changed plans do not.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::lint::{Expectation, Finding, Rule, lint};
use super::*;
use crate::deployment::{Node, NodeId, NodePhase, WantedDeployment, WantedNode};
use crate::diff::StartupTimes;
use crate::fixtures::{node, offer, running, want, wanted};
use crate::rules::ComponentRules;

const COMPONENTS: [&str; 3] = ["a", "b", "c"];

/// Everything that a plan is made from.
#[derive(Clone, Debug)]
struct Case {
    running: RunningDeployment,
    wanted: WantedDeployment,
    rules: Rules,
    rolling: Rolling,
    head: TargetHead,
}

impl Case {
    fn new(running: RunningDeployment, wanted: WantedDeployment) -> Self {
        let head = TargetHead { generation: 1, ..TargetHead::default() };
        Case { running, wanted, rules: Rules::default(), rolling: Rolling::default(), head }
    }

    fn make(&self) -> Result<Plan, PlanError> {
        let startup = StartupTimes::default();
        let diff = Diff::between(&self.running, &self.wanted, &self.rules, &startup).unwrap();
        let request = PlanRequest {
            application: "app",
            running: &self.running,
            wanted: &self.wanted,
            rules: &self.rules,
            rolling: &self.rolling,
            head: &self.head,
            startup: &startup,
        };
        Plan::make(&request, diff).map(|(plan, _)| plan)
    }

    fn lint(&self, plan: &Plan) -> Vec<Finding> {
        let expectation = Expectation {
            application: "app",
            running: &self.running,
            wanted: &self.wanted,
            rules: &self.rules,
            rolling: &self.rolling,
            head: &self.head,
        };
        lint(plan, &expectation)
    }
}

fn needs(pairs: &[(&str, &str)]) -> Rules {
    let mut rules = Rules::default();
    for (component, needed) in pairs {
        let entry = rules.0.entry((*component).to_owned()).or_insert_with(ComponentRules::default);
        entry.needs.insert((*needed).to_owned());
    }
    rules
}

fn content() -> impl Strategy<Value = (usize, [u32; 3])> {
    (0..2_usize, prop::array::uniform3(0..3_u32))
}

fn amount(max: u32) -> impl Strategy<Value = Amount> {
    prop_oneof![(0..=max).prop_map(Amount::Count), (0..=100_u32).prop_map(Amount::Percent)]
}

fn case(nodes: usize) -> impl Strategy<Value = Case> {
    let fleet = || prop::collection::vec(content(), 0..=nodes);
    let phases = prop::collection::vec(0..6_u32, nodes);
    let links = prop::array::uniform3(any::<bool>());
    let parameters = prop::array::uniform2(0..2_u32);
    (fleet(), phases, fleet(), links, amount(2), amount(2), parameters).prop_map(
        |(old, phases, new, links, max_surge, max_unavailable, parameters)| {
            let build = |(kind, counts): &(usize, [u32; 3])| {
                let instances: Vec<_> = COMPONENTS.into_iter().zip(*counts).filter(|(_, n)| *n > 0).collect();
                want(&offer(["small", "big"][*kind], [0.1, 0.3][*kind]), &instances)
            };
            let nodes = old.iter().zip(phases).enumerate().map(|(i, (content, phase))| {
                let wish = build(content);
                let instances: Vec<_> = wish.instances.iter().map(|(c, n)| (c.as_str(), *n)).collect();
                let made = node(&format!("n{i}"), &wish.offer, if phase == 1 { &[] } else { &instances });
                let phase = [NodePhase::Lost, NodePhase::Creating].get(phase as usize).copied();
                Node { phase: phase.unwrap_or(NodePhase::Ready), ..made }
            });
            let mut case = Case::new(running(nodes.collect()), wanted(new.iter().map(build).collect()));
            let pairs = [("b", "a"), ("c", "b"), ("c", "a")];
            let pairs: Vec<_> = pairs.into_iter().zip(links).filter(|(_, on)| *on).map(|(pair, _)| pair).collect();
            case.rules = needs(&pairs);
            case.rolling = Rolling { max_surge, max_unavailable };
            let value = |n: u32| [("a".to_owned(), [("level".to_owned(), n.to_string())].into())].into();
            case.running.parameters = value(parameters[0]);
            case.wanted.parameters = value(parameters[1]);
            case
        },
    )
}

/// The numbers that must hold in the middle of a plan, for one state of begun and ended actions.
fn within_limits(case: &Case, plan: &Plan, begun: impl Fn(usize) -> bool, ended: impl Fn(usize) -> bool) -> bool {
    let before = case.running.surviving().cardinalities();
    let after = plan.content().target.cardinalities();
    COMPONENTS.iter().all(|component| {
        let before = before.get(*component).copied().unwrap_or(0);
        let bounds = case.rolling.bounds(before, after.get(*component).copied().unwrap_or(0));
        let (mut there, mut serving) = (before as i64, before as i64);
        for (i, action) in plan.actions().iter().enumerate() {
            if action.operation.instance().is_none_or(|(c, _)| c != *component) {
                continue;
            }
            match action.operation.kind() {
                ActionKind::StartInstance if begun(i) => there += 1,
                ActionKind::StopInstance if ended(i) => there -= 1,
                ActionKind::Register if ended(i) => serving += 1,
                ActionKind::Drain if begun(i) => serving -= 1,
                _ => {}
            }
        }
        there <= bounds.most as i64 && serving >= bounds.least as i64
    })
}

/// Runs the plan in an order drawn from the seed; actions overlap.
fn run_in_some_order(case: &Case, plan: &Plan, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let actions = plan.actions();
    let mut state = vec![0_u8; actions.len()];
    let mut world = World::at_rest(&case.running);
    loop {
        let ready = |i: usize| state[i] == 0 && actions[i].after.iter().all(|b| state[*b as usize] == 2);
        let choices: Vec<usize> = (0..actions.len()).filter(|i| state[*i] == 1 || ready(*i)).collect();
        let Some(i) = rng.choice(&choices).copied() else { break };
        state[i] += 1;
        if state[i] == 2 {
            world.apply(&actions[i].operation, plan.content().generation).unwrap();
        }
        assert!(within_limits(case, plan, |i| state[i] > 0, |i| state[i] == 2), "{plan:?} {state:?}");
    }
    assert!(state.iter().all(|s| *s == 2));
    assert_eq!(world.settled(plan.content().generation).nodes, plan.content().target.nodes);
}

/// True when no state that execution can reach is outside the limits, by visiting every one.
fn every_state_is_within_limits(case: &Case, plan: &Plan) -> bool {
    let actions = plan.actions();
    let mut seen = BTreeSet::from([(0_u32, 0_u32)]);
    let mut open = vec![(0_u32, 0_u32)];
    while let Some((begun, ended)) = open.pop() {
        if !within_limits(case, plan, |i| begun >> i & 1 == 1, |i| ended >> i & 1 == 1) {
            return false;
        }
        for (i, action) in actions.iter().enumerate() {
            let next = if begun >> i & 1 == 0 {
                action.after.iter().all(|b| ended >> b & 1 == 1).then_some((begun | 1 << i, ended))
            } else {
                (ended >> i & 1 == 0).then_some((begun, ended | 1 << i))
            };
            open.extend(next.filter(|state| seen.insert(*state)));
        }
    }
    true
}

fn has_room(case: &Case) -> bool {
    case.rolling.max_surge.of_rounded_up(1) > 0
}

/// One way to spoil a plan; `None` when it does not apply.
fn spoil(content: &PlanContent, kind: u32, pick: usize) -> Option<PlanContent> {
    let mut content = content.clone();
    let some = |n: usize| (n > 0).then(|| pick % n);
    match kind {
        0 => {
            // An action is forgotten; what waited for it waits for what it waited for.
            let i = some(content.actions.len())?;
            let gone = content.actions.remove(i);
            if gone.operation.kind() == ActionKind::Checkpoint {
                return None;
            }
            for action in &mut content.actions {
                if action.after.contains(&(i as u32)) {
                    action.after.extend(&gone.after);
                }
                action.after.retain(|b| *b != i as u32);
                action.after.iter_mut().filter(|b| **b > i as u32).for_each(|b| *b -= 1);
                action.after.sort_unstable();
                action.after.dedup();
            }
        }
        1 => {
            let action = content.actions.get(some(content.actions.len())?)?.clone();
            if action.operation.kind() == ActionKind::Checkpoint {
                return None;
            }
            content.actions.push(action);
        }
        2 => {
            let i = some(content.actions.len())?;
            match &mut content.actions[i].operation {
                Operation::CreateNode { offer, .. } => offer.id.push('x'),
                Operation::StartInstance { node, .. } | Operation::WaitReady { node } => *node = NodeId("x".to_owned()),
                Operation::StopInstance { instance, .. }
                | Operation::Drain { instance, .. }
                | Operation::WaitHealthy { instance, .. }
                | Operation::Register { instance, .. } => instance.0.push('x'),
                _ => return None,
            }
        }
        3 => content.generation = 1,
        4 => content.parent = Digest::of_bytes(b"other"),
        5 => content.rolling = Rolling { max_surge: Amount::Count(77), ..content.rolling },
        6 => {
            let id = content.target.nodes.keys().nth(some(content.target.nodes.len())?)?.clone();
            content.target.nodes.remove(&id);
        }
        7 => {
            let (i, j) = (some(content.actions.len())?, some(content.actions.len().saturating_sub(1))? + 1);
            if i == j || content.actions[i].operation == content.actions[j].operation {
                return None;
            }
            let waiting = |n: usize| {
                let waits = content.actions.iter().enumerate().filter(|(_, a)| a.after.contains(&(n as u32)));
                (content.actions[n].after.clone(), waits.map(|(w, _)| w).collect::<Vec<_>>())
            };
            if waiting(i) == waiting(j) {
                return None;
            }
            let operation = content.actions[i].operation.clone();
            content.actions[i].operation = std::mem::replace(&mut content.actions[j].operation, operation);
            let kinds = [&content.actions[i], &content.actions[j]].map(|a| a.operation.kind());
            // Two steps of one kind may well stand for each other.
            if kinds[0] == kinds[1] || kinds.contains(&ActionKind::Checkpoint) {
                return None;
            }
        }
        _ => content.application.push('x'),
    }
    Some(content)
}

proptest! {
    #![proptest_config(crate::fixtures::random_cases(600))]

    #[test]
    fn plans_pass_the_linter_and_any_order_of_execution(case in case(5), seed in any::<u64>()) {
        match case.make() {
            Ok(plan) => {
                let findings = case.lint(&plan);
                prop_assert!(findings.is_empty(), "{findings:#?}\n{plan:#?}");
                for i in 0..4 {
                    run_in_some_order(&case, &plan, seed.wrapping_add(i));
                }
                prop_assert_eq!(case.make().unwrap().hash(), plan.hash());
            }
            Err(PlanError::NoRoom { .. }) => prop_assert!(!has_room(&case)),
            Err(other) => prop_assert!(!has_room(&case), "{other}"),
        }
    }

    #[test]
    fn spoiled_plans_are_rejected(case in case(4), kind in 0..9_u32, pick in any::<usize>()) {
        let Ok(plan) = case.make() else { return Ok(()) };
        let Some(spoiled) = spoil(plan.content(), kind, pick) else { return Ok(()) };
        if spoiled.actions == plan.content().actions && kind < 3 { return Ok(()) }
        let spoiled = Plan::seal(spoiled);
        prop_assert!(!case.lint(&spoiled).is_empty(), "kind {kind} of {plan:#?}\nbecame {spoiled:#?}");
    }

    #[test]
    fn a_forgotten_edge_is_found_whenever_it_matters(case in case(2), pick in any::<usize>()) {
        let Ok(plan) = case.make() else { return Ok(()) };
        let edges: Vec<(usize, usize)> = plan.actions().iter().enumerate()
            .flat_map(|(i, a)| (0..a.after.len()).map(move |e| (i, e))).collect();
        if edges.is_empty() || plan.actions().len() > 14 { return Ok(()) }
        let (i, e) = edges[pick % edges.len()];
        let mut content = plan.content().clone();
        content.actions[i].after.remove(e);
        let spoiled = Plan::seal(content);
        let findings = case.lint(&spoiled);
        let limits = findings.iter().any(|f| matches!(f.rule, Rule::Surge | Rule::Availability));
        // Exact in both directions.
        prop_assert_eq!(every_state_is_within_limits(&case, &spoiled), !limits, "{:#?}\n{:#?}", findings, spoiled);
    }
}

/// True when the action comes after the other in every order.
fn comes_after(actions: &[Action], action: usize, other: usize) -> bool {
    actions[action].after.iter().any(|b| *b as usize == other || comes_after(actions, *b as usize, other))
}

#[test]
fn every_edge_that_no_other_edges_imply_is_needed() {
    let small = offer("small", 0.1);
    let case = Case {
        rules: needs(&[("b", "a")]),
        ..Case::new(
            running(vec![node("n0", &small, &[("a", 1)]), node("n1", &small, &[("b", 2)])]),
            wanted(vec![want(&offer("big", 0.2), &[("a", 1), ("b", 2)])]),
        )
    };
    let plan = case.make().unwrap();
    let mut edges = 0;
    for (i, action) in plan.actions().iter().enumerate() {
        for e in 0..action.after.len() {
            let mut content = plan.content().clone();
            let other = content.actions[i].after.remove(e);
            if comes_after(&content.actions, i, other as usize) {
                continue;
            }
            edges += 1;
            assert!(!case.lint(&Plan::seal(content)).is_empty(), "{i} {e} {plan:#?}");
        }
    }
    assert!(edges > 12);
}

#[test]
fn nodes_that_would_swap_instances_are_replaced() {
    let small = offer("small", 0.1);
    let now = running(vec![node("n0", &small, &[("a", 1), ("b", 3)]), node("n1", &small, &[("a", 3), ("b", 1)])]);
    let goal = wanted(vec![want(&small, &[("a", 2), ("c", 2)]), want(&small, &[("b", 2), ("c", 2)])]);
    let case = Case { rules: needs(&[("a", "c"), ("c", "b")]), ..Case::new(now, goal) };
    let plan = case.make().unwrap();
    assert!(case.lint(&plan).is_empty());
}

#[test]
fn a_circle_of_needs_and_missing_room_are_errors_that_say_so() {
    let small = offer("small", 0.1);
    let now = running(vec![node("n0", &small, &[("a", 1)])]);
    let goal = wanted(vec![want(&offer("big", 0.2), &[("a", 1)])]);
    let circle = Case { rules: needs(&[("a", "b"), ("b", "a")]), ..Case::new(now.clone(), goal.clone()) };
    assert_eq!(circle.make(), Err(PlanError::CyclicNeeds(vec!["a".to_owned(), "b".to_owned()])));
    let rolling = Rolling { max_surge: Amount::Count(0), max_unavailable: Amount::Count(0) };
    let stuck = Case { rolling, ..Case::new(now, goal) };
    assert_eq!(stuck.make(), Err(PlanError::NoRoom { component: "a".to_owned() }));
}

#[test]
fn a_plan_becomes_the_target_only_upon_its_parent() {
    let small = offer("small", 0.1);
    let case = Case::new(running(vec![]), wanted(vec![want(&small, &[("a", 1)])]));
    let plan = case.make().unwrap();
    let mut head = case.head.clone();
    head.adopt(&plan).unwrap();
    assert_eq!(head, TargetHead { generation: 2, plan: plan.hash() });
    let stale = head.clone().adopt(&plan).unwrap_err();
    assert!(stale.to_string().contains("decide again"), "{stale}");
}

#[test]
fn reading_a_plan_checks_its_hash() {
    let case = Case::new(running(vec![]), wanted(vec![want(&offer("small", 0.1), &[("a", 1)])]));
    let plan = case.make().unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let forged = text.replace("\"small\"", "\"giant\"");
    assert!(serde_json::from_str::<Plan>(&forged).unwrap_err().to_string().contains("hash"));
}

#[test]
fn a_plan_reads_as_people_know_it() {
    let (small, big) = (offer("small", 0.1), offer("big", 0.3));
    let mut now = running(vec![
        node("n0", &small, &[("a", 1)]),
        node("n1", &small, &[("b", 1)]),
        node("n2", &small, &[]),
        node("n3", &small, &[("c", 2)]),
        node("n4", &small, &[("c", 1)]),
    ]);
    now.nodes.get_mut(&"n4".into()).unwrap().phase = NodePhase::Lost;
    let goal = [want(&big, &[("a", 1)]), want(&small, &[("b", 2)]), want(&small, &[("c", 2)]), want(&big, &[("c", 1)])];
    let goal: Vec<WantedNode> = goal.into();
    let plan = Case::new(now, wanted(goal)).make().unwrap();
    let text = render::plan(&plan, "USD");
    let expected = "
  +   app-node-2-2  big  c
  ~   n1  small  b -> 2 x b
  -/+ n0 -> app-node-2-1  small -> big  a -> a
  -   n2  small  empty
  -   n4  small  lost, is cleared away
Cost: 0.40 -> 0.80 USD/h (+0.40, +100.0 %)
Nodes that start or drain cost 0.016944446 USD once.
1 to create, 1 to replace, 1 to remove; 18 actions.
";
    assert_eq!(text.split_once('\n').unwrap().1, &expected[1..], "{text}");
}
