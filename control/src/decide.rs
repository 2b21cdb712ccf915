//! One decision: solve, judge what runs with the same values, ask the gate, make the plan, have it checked, ask the
//! policies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cardinal_adapter::authorise::{Deed, Occasion};
use cardinal_adapter::deployment::WantedDeployment;
use cardinal_adapter::diff::Diff;
use cardinal_adapter::gate::{
    Cause, Conclusion, GateInput, Judgement, RunningScore, Sense, judge, shape_of_running, shape_of_wanted,
};
use cardinal_adapter::plan::lint::{Expectation, lint};
use cardinal_adapter::plan::{Plan, PlanRequest};
use cardinal_adapter::rules::Rules;
use cardinal_models::application::{Application, Metric};
use cardinal_models::catalog::Catalog;
use cardinal_models::placement::{DeployedComponent, DeployedData, DeployedNodes, Deployment, NodeGroup, Placement};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Solution, Status};
use cardinal_solver::explain::{Conflict, explain_infeasible};
use cardinal_solver::{Outcome, Settings, SolveError, solve};

use crate::authority::grounds;
use crate::decision::{Answer, ConflictingRule, Decision, Held, Next, Solved};
use crate::input::DecisionInput;
use crate::metrics::{Quality, SeenMetric, WhenStale, see};
use crate::running;
use crate::settings::{LoopSettings, Mode};

/// The longest look for the rules of a conflict.
const CONFLICT_TIME: Duration = Duration::from_secs(2);

/// What the digests of an input stand for.
#[derive(Clone, Debug)]
pub struct Resources {
    /// The model.
    pub application: Arc<Application>,
    /// The offers.
    pub catalog: Arc<Catalog>,
}

/// What finds placements. A service solves in a process of its own, a simulation in this one.
pub trait Solver {
    /// The best placement, or why there is none to be had.
    ///
    /// # Errors
    /// When the model cannot be solved, in words for its author.
    fn solve(&self, snapshot: &Snapshot, settings: &Settings) -> Result<Outcome, String>;

    /// Which rules exclude each other where there is no placement.
    fn conflict(&self, snapshot: &Snapshot, settings: &Settings) -> Conflict {
        explain_infeasible(snapshot, settings)
    }
}

/// Solves in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct InProcess;

impl Solver for InProcess {
    fn solve(&self, snapshot: &Snapshot, settings: &Settings) -> Result<Outcome, String> {
        solve(snapshot, settings).map_err(|error| match &error {
            SolveError::Missing(missing) => {
                let what: Vec<String> = missing.iter().map(ToString::to_string).collect();
                format!("{error}: {}", what.join("; "))
            }
            SolveError::Undefined(reason) => format!("{error}: {reason}"),
            _ => error.to_string(),
        })
    }
}

/// The decision on an input. The same input gives the same decision, unless the solver is stopped by its time limit.
pub fn decide(input: &DecisionInput, resources: &Resources, solver: &dyn Solver) -> Decision {
    let saw = see(&resources.application, &input.readings, &input.settings.metrics, input.at);
    let snapshot = snapshot(input, resources, &saw);
    let mut draft = Draft {
        input,
        application: &resources.application,
        decision: Decision {
            application: input.application.clone(),
            number: input.number,
            at: input.at,
            triggers: input.triggers.clone(),
            input: input.digest(),
            saw,
            running: running::score(&snapshot).map(|mut score| {
                // What has not lasted is no reason to change anything yet.
                score.violated.retain(|name| !input.pending.contains(name));
                score
            }),
            answer: Answer::Unknown,
            figures: None,
            verdict: None,
            history: input.history.clone(),
            plan: None,
            ruling: None,
            held: None,
            next: Next::Nothing,
            sentence: String::new(),
        },
    };
    if input.is_leaving() {
        draft.leave();
    } else {
        draft.solve(&snapshot, solver);
    }
    draft.decision
}

/// The snapshot that the solver sees: offers that are unavailable and do not run are left out.
fn snapshot(input: &DecisionInput, resources: &Resources, saw: &[SeenMetric]) -> Snapshot {
    let catalog = if input.unavailable.is_empty() {
        resources.catalog.clone()
    } else {
        let runs = |id: &str| input.running.nodes.values().any(|n| n.offer.id == id);
        let whole = &resources.catalog;
        let mut rest = Catalog::new(whole.currency.clone(), whole.date.clone(), whole.source.clone());
        let there = whole.offers().iter().filter(|o| !input.unavailable.contains(o.id.as_ref()) || runs(&o.id));
        there.for_each(|offer| drop(rest.insert(offer.clone())));
        Arc::new(rest)
    };
    let mut snapshot = Snapshot::new(resources.application.clone(), catalog);
    for (slot, seen) in snapshot.metrics.iter_mut().zip(saw) {
        *slot = seen.value;
    }
    snapshot.current = running::current(&input.running, &resources.application, &snapshot.catalog);
    snapshot
}

/// A decision while it is made.
struct Draft<'a> {
    input: &'a DecisionInput,
    application: &'a Application,
    decision: Decision,
}

impl Draft<'_> {
    fn solve(&mut self, snapshot: &Snapshot, solver: &dyn Solver) {
        let settings = &self.input.settings;
        let refused = |(seen, metric): (&SeenMetric, &Metric)| {
            let is_old = seen.quality == Quality::Missing && seen.age_ms.is_some();
            (is_old && settings.metrics.of(metric).then == WhenStale::Refuse).then(|| seen.name.clone())
        };
        let metrics: Vec<String> =
            self.decision.saw.iter().zip(&self.application.metrics).filter_map(refused).collect();
        if !metrics.is_empty() {
            self.decision.sentence = format!("No decision: the values of {} are too old.", metrics.join(", "));
            self.decision.answer = Answer::Refused { metrics };
            return;
        }
        let limits = Settings {
            time_limit: Some(Duration::from_millis(settings.solve.time_limit_ms)),
            gap: settings.solve.gap,
            ..Settings::default()
        };
        let outcome = match solver.solve(snapshot, &limits) {
            Ok(outcome) => outcome,
            Err(message) => {
                let why = message.lines().next().unwrap_or_default().trim_end_matches('.');
                self.decision.sentence = format!("No decision: {why}.");
                self.decision.answer = Answer::Failed { message };
                return;
            }
        };
        match (&outcome.solution, outcome.status) {
            (Some(solution), _) => {
                self.decision.answer = Answer::Solved(solved(snapshot, &outcome, solution));
                self.compare(snapshot, solution);
            }
            (None, Status::Infeasible) => self.conflict(snapshot, solver, &limits),
            (None, _) => {
                self.decision.sentence = "The time was over before a placement was found.".to_owned();
                self.decision.answer = Answer::Unknown;
            }
        }
    }

    /// There is no placement: which rules exclude each other.
    fn conflict(&mut self, snapshot: &Snapshot, solver: &dyn Solver, limits: &Settings) {
        let limits =
            Settings { time_limit: limits.time_limit.map(|t| t.min(CONFLICT_TIME)), gap: 0.0, ..limits.clone() };
        let (rules, minimal) = match solver.conflict(snapshot, &limits) {
            Conflict::NoOffer { requirements, .. } => (requirements.iter().map(|r| r.rule).collect(), true),
            Conflict::Rules { rules, is_minimal, .. } => (rules, is_minimal),
            Conflict::Inherent | Conflict::Unknown => (Vec::new(), false),
        };
        let application = self.application;
        let conflict: Vec<ConflictingRule> = rules
            .into_iter()
            .map(|rule| ConflictingRule {
                name: rule.name(application),
                kind: rule.kind(application).to_owned(),
                text: rule.text(application),
            })
            .collect();
        let told: Vec<String> = conflict.iter().map(|rule| format!("{} ({})", rule.name, rule.text)).collect();
        self.decision.sentence = match told.as_slice() {
            [] => "No placement keeps all rules; what runs stays as it is.".to_owned(),
            [one] => format!("No placement keeps {one}; what runs stays as it is."),
            [first @ .., last] => {
                let first = first.join(", ");
                format!("No placement keeps {first} and {last} together; what runs stays as it is.")
            }
        };
        self.decision.answer = Answer::Infeasible { conflict, minimal };
    }

    /// What runs against what would be best.
    fn compare(&mut self, snapshot: &Snapshot, solution: &Solution) {
        // Before the placement is written out node by node: a plan takes tens of kilobytes for each.
        if let Some(held) = too_large(&solution.placement, &self.input.settings) {
            self.decision.sentence = held.to_string();
            self.decision.held = Some(held);
            return;
        }
        let wanted = WantedDeployment::from_placement(&solution.placement, self.application, &snapshot.catalog);
        let mut wanted = match wanted {
            Ok(wanted) => wanted,
            Err(error) => return self.fail(error.to_string()),
        };
        wanted.parameters = running::parameters(&solution.placement, self.application);
        self.weigh(&wanted, solution.utility);
    }

    /// Everything is taken down.
    fn leave(&mut self) {
        self.decision.answer = Answer::Leaving;
        // The gate does not ask a person who orders whether it pays.
        self.weigh(&WantedDeployment::default(), 0.0);
    }

    fn fail(&mut self, message: String) {
        self.decision.sentence = format!("Nothing is changed: {message}.");
        self.decision.next = Next::Nothing;
        self.decision.plan = None;
    }

    fn weigh(&mut self, wanted: &WantedDeployment, candidate: f64) {
        let DecisionInput { running, settings, history, .. } = self.input;
        let rules = if self.input.is_leaving() { Rules::default() } else { Rules::of(self.application) };
        let diff = match Diff::between(running, wanted, &rules, &settings.startup) {
            Ok(diff) => diff,
            Err(error) => return self.fail(error.to_string()),
        };
        let leaving = RunningScore { value: Some(0.0), violated: Vec::new() };
        let score = if self.input.is_leaving() { Some(&leaving) } else { self.decision.running.as_ref() };
        let Judgement { verdict, history } = judge(&GateInput {
            sense: Sense::from(self.application.objective.direction),
            cause: if self.input.is_ordered() { Cause::Person } else { Cause::Loop },
            running: score,
            candidate,
            figures: &diff.figures,
            from: shape_of_running(running),
            to: shape_of_wanted(wanted),
            policy: &settings.gate,
            history,
            now: self.input.at,
        });
        self.decision.sentence = verdict.sentence();
        self.decision.history = history;
        self.decision.figures = Some(diff.figures.clone());
        let passed = verdict.conclusion == Conclusion::Apply;
        let small = verdict.small;
        self.decision.verdict = Some(verdict);
        if passed {
            self.plan(wanted, &rules, diff, small);
        }
    }

    fn plan(&mut self, wanted: &WantedDeployment, rules: &Rules, diff: Diff, small: bool) {
        let DecisionInput { application, running, head, settings, .. } = self.input;
        let request = PlanRequest {
            application,
            running,
            wanted,
            rules,
            rolling: &settings.rolling,
            head,
            startup: &settings.startup,
        };
        let (plan, diff) = match Plan::make(&request, diff) {
            Ok(made) => made,
            Err(error) => return self.fail(error.to_string()),
        };
        let expectation = Expectation { application, running, wanted, rules, rolling: &settings.rolling, head };
        if let Some(finding) = lint(&plan, &expectation).first() {
            return self.fail(format!("the plan was refused by the linter: {}", finding.message));
        }
        self.decision.figures = Some(diff.figures);
        let next = match (settings.mode, self.input.paused) {
            // Who orders the removal has approved it.
            _ if self.input.is_leaving() => Next::Apply,
            (_, true) | (Mode::Observe, _) => Next::Nothing,
            (Mode::Recommend, _) => Next::Approval,
            (Mode::AutomaticSmall, _) if !small => Next::Approval,
            (Mode::AutomaticSmall | Mode::Automatic, _) => Next::Apply,
        };
        self.authorise(&plan, next);
        if next == Next::Nothing {
            let held = if self.input.paused { Held::Pause } else { Held::Observe };
            self.decision.sentence = format!("{} {held}", self.decision.sentence);
            self.decision.held = Some(held);
        }
        self.decision.plan = Some(plan);
    }

    /// A plan that the policies deny is recorded and not acted upon.
    fn authorise(&mut self, plan: &Plan, next: Next) {
        let deed = match next {
            Next::Apply if self.input.is_leaving() => Deed::Undeploy,
            Next::Apply => Deed::Apply,
            Next::Approval | Next::Nothing => Deed::Propose,
        };
        let occasion = Occasion {
            at: self.input.at,
            asker: self.input.asker(),
            deed,
            mode: self.input.settings.mode.as_str().to_owned(),
            grounds: grounds(self.input, self.decision.verdict.as_ref()),
        };
        let ruling = self.input.settings.authorise.judge(plan, &occasion);
        let denied = ruling.as_ref().filter(|r| !r.allowed);
        if let Some(ruling) = denied {
            self.decision.sentence = format!("{} {}", self.decision.sentence, ruling.sentence());
        }
        self.decision.next = if denied.is_some() { Next::Nothing } else { next };
        self.decision.ruling = ruling;
    }
}

/// What speaks against a placement of this size, if anything does.
fn too_large(placement: &Placement, settings: &LoopSettings) -> Option<Held> {
    let count = |of: &NodeGroup| u64::from(of.count);
    let nodes = placement.groups.iter().map(count).fold(0, u64::saturating_add);
    let of_group = |group: &NodeGroup| {
        let each = group.instances.iter().map(|(_, n)| u64::from(*n)).fold(0, u64::saturating_add);
        count(group).saturating_mul(each)
    };
    let instances = placement.groups.iter().map(of_group).fold(0, u64::saturating_add);
    let LoopSettings { nodes_max, instances_max, .. } = *settings;
    let fits = nodes <= nodes_max && instances <= instances_max;
    (!fits).then_some(Held::Size { nodes, nodes_max, instances, instances_max })
}

fn solved(snapshot: &Snapshot, outcome: &Outcome, solution: &Solution) -> Solved {
    let application = &snapshot.application;
    let all = application.components.iter().zip(0_u32..);
    let cardinalities = all.map(|(c, id)| {
        (c.name.to_string(), solution.placement.cardinality(cardinal_models::application::ComponentId(id)))
    });
    let name_of = |index: &usize| application.constraints.get(*index).map(|c| c.name.to_string());
    Solved {
        proven: outcome.status == Status::Optimal,
        utility: solution.utility,
        bound: Some(solution.bound).filter(|x| x.is_finite()),
        gap: Some(solution.gap).filter(|x| x.is_finite()),
        cost_nanos: solution.cost.nanos(),
        cardinalities: cardinalities.collect(),
        placement: by_name(snapshot, &solution.placement),
        violated_slos: outcome.report.violated_slos.iter().filter_map(name_of).collect(),
    }
}

/// The placement by names, so that it outlives the catalog.
fn by_name(snapshot: &Snapshot, placement: &Placement) -> Deployment {
    let application = &snapshot.application;
    let nodes = placement.groups.iter().map(|group| {
        let offer = &snapshot.catalog[group.offer];
        let instances = group.instances.iter().map(|(c, n)| (application[*c].name.to_string(), *n));
        DeployedNodes {
            offer: offer.id.to_string(),
            zone: group.zone.and_then(|z| offer.zones.get(usize::from(z))).map(ToString::to_string),
            count: group.count,
            price: Some(offer.price.units()),
            instances: instances.collect(),
        }
    });
    let mut components: BTreeMap<String, DeployedComponent> = BTreeMap::new();
    for setting in &placement.settings {
        let component = components.entry(application[setting.component].name.to_string()).or_default();
        component.cardinality = placement.cardinality(setting.component);
        if setting.attribute != cardinal_models::offer::Attribute::Cardinality {
            component.attributes.insert(setting.attribute.name().to_owned(), setting.value.0);
        }
    }
    let mut data: BTreeMap<String, DeployedData> = BTreeMap::new();
    for replica in &placement.replicas {
        let source = application.data[replica.data.index()].name.to_string();
        data.entry(source).or_default().regions.push(replica.place.to_string());
    }
    Deployment { nodes: nodes.collect(), components, data }
}

#[cfg(test)]
mod tests;
