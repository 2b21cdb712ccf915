//! From a snapshot to a verified solution.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use cardinal_models::application::{Application, ComponentId, DataId, Direction, Home};
use cardinal_models::cost::cost;
use cardinal_models::document::{Fleet, Hosting};
use cardinal_models::evaluate::{EvaluationError, Evaluator};
use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::offer::Attribute;
use cardinal_models::placement::{Placement, Replica, Setting, SettingValue};
use cardinal_models::snapshot::Snapshot;
use cardinal_models::solution::{Reached, Solution, Status};
use cardinal_models::tolerance;
use cardinal_models::verify::{Violation, verify, verify_utility};

use crate::bound::{BoundModel, SPENDING, bind};
use crate::cluster::split;
use crate::covered;
use crate::engine::canary::CanaryError;
use crate::engine::{Engine, EngineError, Limits, Presolve, RunStatus};
use crate::formulation::{FormulateError, MOST_COMBINATIONS};
use crate::objective::{Objective, take_apart};
use crate::packing::Generation;
use crate::pattern::{self, Patterns};
use crate::program::{self, Answer, Effort, Ground, Method, ProgramError};
use crate::range::range;
use crate::space::{Space, explore};
use crate::term::Term;
use crate::wide::{self, Wide};

/// How to solve.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The longest time to take; the best found by then is the answer.
    pub time_limit: Option<Duration>,
    /// Stop when the proven relative gap is at most this; 0 for the optimum.
    pub gap: f64,
    /// Stop when this becomes true.
    pub cancel: Option<Arc<AtomicBool>>,
    /// How the patterns of shared nodes are found.
    pub packing: Packing,
    /// How formulas that mix fleets or shared nodes nonlinearly are solved.
    pub nonlinear: Nonlinear,
    /// Whether the integer programming engine is used: off to see what remains when it fails.
    pub engine: Engine,
}

/// How formulas that mix fleets or shared nodes nonlinearly are solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nonlinear {
    /// Tabulated over the values that they can take together where these are few, otherwise by branch and bound.
    #[default]
    Automatic,
    /// Always by branch and bound: for comparison, tables are faster where they are possible.
    Spatial,
}

/// How the patterns of shared nodes are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Listed where there are few enough, otherwise generated.
    #[default]
    Automatic,
    /// Always generated: for comparison, listing is faster where it is possible.
    Generated,
}

/// How long each step took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timing {
    /// Finding and reducing what can be chosen from.
    pub reduce: Duration,
    /// Building the programs.
    pub formulate: Duration,
    /// Solving them.
    pub solve: Duration,
    /// Checking the answer.
    pub verify: Duration,
}

/// What a component could choose from.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduction {
    /// The component.
    pub component: ComponentId,
    /// Offers that satisfy its requirements.
    pub admissible: usize,
    /// Offers that were left after the dominated ones were dropped; for shared components those of the pool.
    pub kept: usize,
}

/// What was done to find a solution, and what was seen on the way.
#[must_use = "the report says what was seen on the way: undefined values, open ties, a second attempt"]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How long each step took.
    pub timing: Timing,
    /// By component.
    pub reductions: Vec<Reduction>,
    /// Decimal logarithm of the number of raw combinations of offers and cardinalities.
    pub combinations_log10: f64,
    /// The number of node patterns of the shared pool.
    pub patterns: usize,
    /// The number of independent sub-problems.
    pub clusters: usize,
    /// The size of the largest integer program and the work of all.
    pub effort: Effort,
    /// True when the first answer was refused by the engine's checks or the checker and a second one was made.
    pub second_attempt: bool,
    /// True when the engine failed, or was off, and the answer is what this crate's own search found.
    pub without_engine: bool,
    /// True when the running deployment is better than what was found in time, and is the answer.
    pub kept_current: bool,
    /// How the patterns of shared nodes were generated, where they were.
    pub generation: Option<Generation>,
    /// SLOs that do not depend on the placement and do not hold now, as indices into the constraints.
    pub violated_slos: Vec<usize>,
    /// SLOs that do not depend on the placement and whose metrics have no value.
    pub unjudged_slos: Vec<usize>,
}

/// What the solver says.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How far it is proven.
    pub status: Status,
    /// The verified solution, if there is one.
    pub solution: Option<Solution>,
    /// How it was found.
    pub report: Report,
}

/// Why there is no outcome.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SolveError {
    /// Values that the formulas need are missing.
    #[error("{} value(s) that the formulas need are missing", .0.len())]
    Missing(Vec<EvaluationError>),
    /// The objective has no value on any admissible placement; one of the reasons.
    #[error("the objective has no value on any admissible placement")]
    Undefined(EvaluationError),
    /// A formula is of a kind that cannot be solved exactly.
    #[error("cannot solve exactly: {error}")]
    Unsupported {
        /// The constraint, as an index into the application's, or `None` for an objective or a component.
        constraint: Option<usize>,
        /// The objective, in their order, when it is none of the constraints.
        objective: usize,
        /// Why.
        error: FormulateError,
    },
    /// There are more node patterns of the shared pool than can be listed.
    #[error("the shared components can be packed in more than {} ways on one node", pattern::MOST_PATTERNS)]
    TooManyPatterns,
    /// The engine gives wrong answers on known models.
    #[error("the integer programming engine cannot be trusted")]
    Canary(#[from] CanaryError),
    /// The engine failed twice.
    #[error("the integer programming engine failed")]
    Engine(#[source] EngineError),
    /// The checker refuses the answer of the engine, twice.
    #[error("the answer of the engine breaks the model: {}", .0.iter().map(|v| v.message.as_str()).collect::<Vec<_>>().join("; "))]
    Rejected(Vec<Violation>),
}

/// Runs the canaries once in the life of the process.
fn check_engine() -> Result<(), CanaryError> {
    static CANARY: std::sync::OnceLock<Result<(), CanaryError>> = std::sync::OnceLock::new();
    CANARY.get_or_init(crate::engine::canary::sing).clone()
}

/// Finds the best placement of a snapshot, with proof; with several objectives, the best in their order.
///
/// Two equal snapshots with equal settings give the same answer, unless the time limit or a cancellation ends the
/// search. The solution has passed `cardinal_models::verify`.
pub fn solve(snapshot: &Snapshot, settings: &Settings) -> Result<Outcome, SolveError> {
    let deadline = settings.time_limit.map(|t| Instant::now() + t);
    if settings.engine == Engine::On {
        check_engine()?;
    }
    match snapshot.application.later.is_empty() {
        true => solve_first(snapshot, settings, deadline),
        false => crate::ranked::solve(snapshot, settings, deadline),
    }
}

/// Finds the best placement for the first objective.
pub(crate) fn solve_first(
    snapshot: &Snapshot,
    settings: &Settings,
    deadline: Option<Instant>,
) -> Result<Outcome, SolveError> {
    let begin = Instant::now();
    let evaluator = Evaluator::new(snapshot);
    let mut bound = bind(snapshot, &evaluator).map_err(SolveError::Missing)?;
    let mut space = explore(snapshot, &bound);
    if drop_certain(&mut bound, &space) {
        space = explore(snapshot, &bound);
    }
    let wide = wide::split(&snapshot.application, &mut bound, &mut space);
    let mut report = Report {
        violated_slos: bound.violated_slos.clone(),
        unjudged_slos: bound.unjudged_slos.clone(),
        ..Report::default()
    };
    describe(snapshot, &space, &mut report);
    let patterns = list_patterns(snapshot, &space, settings.packing);
    report.patterns = patterns.as_ref().map_or(0, |p| p.list.len());
    report.timing.reduce = begin.elapsed();
    if !bound.broken.is_empty() {
        return Ok(Outcome { status: Status::Infeasible, solution: None, report });
    }
    let objective = take_apart(&snapshot.application, &bound.objective, &space.ranges);
    let conditions = objective.conditions.iter().cloned();
    bound.constraints.extend(conditions.map(|term| crate::bound::BoundConstraint { index: usize::MAX, term }));
    covered::check(snapshot, &bound, &objective, &space.ranges)?;
    let search = Search {
        snapshot,
        settings,
        evaluator: &evaluator,
        bound: &bound,
        space: &space,
        patterns: patterns.as_ref(),
        objective: &objective,
        wide: &wide,
        deadline,
    };
    let outcome = search.run(report)?;
    if outcome.status == Status::Infeasible {
        search.blame_the_objective()?;
    }
    Ok(outcome)
}

/// Drops the conditions `x == x` where `x` always has a value: they only ask for that. True when there were any.
fn drop_certain(bound: &mut BoundModel, space: &Space) -> bool {
    let before = bound.constraints.len();
    bound.constraints.retain(|constraint| match &constraint.term {
        Term::Binary(BinaryOp::Equal, a, b) => a != b || !range(a, &space.ranges).defined,
        _ => true,
    });
    bound.constraints.len() < before
}

/// The patterns of the pool; `None` when there is no pool, or when they are to be generated.
fn list_patterns(snapshot: &Snapshot, space: &Space, packing: Packing) -> Option<Patterns> {
    let has_pool = snapshot.application.components.iter().any(|c| c.hosting == Hosting::Shared);
    if !has_pool || packing == Packing::Generated {
        return None;
    }
    pattern::list(snapshot, space).ok()
}

/// Fills in what the components could choose from.
fn describe(snapshot: &Snapshot, space: &Space, report: &mut Report) {
    for (i, component) in snapshot.application.components.iter().enumerate() {
        if component.is_free() {
            let values = component.attributes().iter().map(|free| (free.domain.count() as f64).log10());
            report.combinations_log10 += values.sum::<f64>() + (component.cardinality.count() as f64).log10();
            continue;
        }
        let choices = &space.dedicated[i];
        let kept = if component.hosting == Hosting::Shared { space.pool.offers.len() } else { choices.offers.len() };
        report.reductions.push(Reduction { component: ComponentId(i as u32), admissible: choices.admissible, kept });
        let offers = choices.admissible as f64;
        let ways = match (component.hosting, component.fleet) {
            // Shared instances: at least the choice of how many.
            (Hosting::Shared, _) => (component.cardinality.count() as f64).log10(),
            (_, Fleet::Uniform) => (offers * component.cardinality.count() as f64).log10(),
            (_, Fleet::Mixed) => multisets_log10(offers, f64::from(component.cardinality.max())),
        };
        report.combinations_log10 += if ways.is_finite() { ways } else { 0.0 };
    }
}

/// Decimal logarithm of the number of multisets of `k` out of `n` kinds, `C(n + k - 1, k)`.
fn multisets_log10(n: f64, k: f64) -> f64 {
    (1..=k.min(1e5) as u64).map(|i| ((n + k - i as f64) / i as f64).max(1.0).log10()).sum()
}

struct Search<'a> {
    snapshot: &'a Snapshot,
    settings: &'a Settings,
    evaluator: &'a Evaluator<'a>,
    bound: &'a BoundModel,
    space: &'a Space,
    patterns: Option<&'a Patterns>,
    objective: &'a Objective,
    wide: &'a [Wide],
    deadline: Option<Instant>,
}

/// The answers of all sub-problems together.
struct Together {
    status: RunStatus,
    placement: Option<Placement>,
    /// Upper bound on the sum of the objective's terms.
    bound: f64,
}

impl Search<'_> {
    fn run(&self, mut report: Report) -> Result<Outcome, SolveError> {
        let gap = if self.objective.keeps_gaps() { self.settings.gap } else { 0.0 };
        let limits = Limits {
            deadline: self.deadline,
            cancel: self.settings.cancel.clone(),
            relative_gap: gap,
            ..Limits::default()
        };
        let exact = Limits { relative_gap: 0.0, ..limits.clone() };
        let first = Method { limits, presolve: Presolve::Automatic, margin: 0.0 };
        // A failure of the engine or an answer that the checker refuses is tried once more, without presolve and with
        // every limit pulled inwards by more than the engine's tolerance.
        let second = Method { limits: exact.clone(), presolve: Presolve::Off, margin: 1e-7 };
        let third = Method { limits: exact, ..first.clone() };
        if self.settings.engine == Engine::Off {
            return self.without_engine(&third, report, SolveError::Engine(EngineError::SwitchedOff));
        }
        let mut last_refusal = None;
        let last = third.clone();
        let methods = if gap > 0.0 { vec![first, third, second] } else { vec![first, second] };
        for method in methods {
            report.second_attempt = last_refusal.is_some();
            let together = match self.attempt(&method, &mut report) {
                Ok(together) => together,
                Err(ProgramError::Formulate(constraint, error)) => {
                    let constraint = constraint.filter(|i| *i < SPENDING);
                    return Err(SolveError::Unsupported { constraint, objective: 0, error });
                }
                Err(ProgramError::TooManyPatterns) => return Err(SolveError::TooManyPatterns),
                Err(ProgramError::Engine(error)) => {
                    last_refusal = Some(SolveError::Engine(error));
                    continue;
                }
            };
            let begin = Instant::now();
            let violations = together.placement.as_ref().map_or_else(Vec::new, |p| verify(self.snapshot, p));
            report.timing.verify += begin.elapsed();
            if violations.is_empty() {
                let outcome = self.conclude(together, report.clone())?;
                // Gaps of sub-problems whose values have different signs do not add up to a gap of the whole.
                let too_wide = outcome.solution.as_ref().is_some_and(|s| s.gap > self.settings.gap.max(1e-9));
                if too_wide && outcome.status == Status::Optimal && method.limits.relative_gap > 0.0 {
                    continue;
                }
                return Ok(outcome);
            }
            last_refusal = Some(SolveError::Rejected(violations));
        }
        let refusal = last_refusal.unwrap_or(SolveError::Engine(EngineError::Failed(0)));
        self.without_engine(&last, report, refusal)
    }

    /// The net under a failing engine: what the methods of this crate find by themselves; otherwise the failure stands.
    fn without_engine(&self, method: &Method, mut report: Report, failure: SolveError) -> Result<Outcome, SolveError> {
        let limits = Limits { engine: Engine::Off, ..method.limits.clone() };
        let together = match self.attempt(&Method { limits, ..method.clone() }, &mut report) {
            Ok(together) => together,
            Err(ProgramError::Formulate(constraint, error)) => {
                let constraint = constraint.filter(|i| *i != usize::MAX);
                return Err(SolveError::Unsupported { constraint, objective: 0, error });
            }
            Err(ProgramError::TooManyPatterns) => return Err(SolveError::TooManyPatterns),
            Err(ProgramError::Engine(_)) => return Err(failure),
        };
        let Some(placement) = &together.placement else {
            let is_proven = together.status == RunStatus::Infeasible;
            return if is_proven { self.conclude(together, report) } else { Err(failure) };
        };
        if !verify(self.snapshot, placement).is_empty() {
            return Err(failure);
        }
        report.without_engine = true;
        self.conclude(together, report)
    }

    fn attempt(&self, method: &Method, report: &mut Report) -> Result<Together, ProgramError> {
        let clusters = split(self.snapshot, self.bound, self.space, &self.objective.terms);
        report.clusters = clusters.len();
        let combinations = match self.settings.nonlinear {
            Nonlinear::Automatic => MOST_COMBINATIONS,
            Nonlinear::Spatial => 0,
        };
        let Search { snapshot, bound, space, patterns, .. } = *self;
        let ground = Ground { snapshot, bound, space, patterns, combinations };
        let mut together = Together { status: RunStatus::Optimal, placement: Some(Placement::default()), bound: 0.0 };
        for cluster in &clusters {
            let begin = Instant::now();
            let answer = program::solve(ground, cluster, method)?;
            let formulate = Duration::from_secs_f64(answer.formulate_s).min(begin.elapsed());
            report.timing.formulate += formulate;
            report.timing.solve += begin.elapsed().saturating_sub(formulate);
            merge_effort(&mut report.effort, &answer);
            if let Some(generation) = answer.generation {
                report.patterns = generation.generated;
                report.generation = Some(generation);
            }
            together.bound += answer.bound;
            match (answer.status, answer.placement) {
                (RunStatus::Infeasible, _) => {
                    return Ok(Together { status: RunStatus::Infeasible, placement: None, bound: f64::NEG_INFINITY });
                }
                (status, Some(part)) => {
                    if let Some(whole) = &mut together.placement {
                        whole.groups.extend(part.groups);
                        whole.settings.extend(part.settings);
                        whole.replicas.extend(part.replicas);
                    }
                    if status == RunStatus::Limit {
                        together.status = RunStatus::Limit;
                    }
                }
                (_, None) => {
                    together.status = RunStatus::Limit;
                    together.placement = None;
                }
            }
        }
        if let Some(placement) = &mut together.placement {
            wide::join(self.wide, &self.bound.slots, placement);
            choose_unseen(&self.snapshot.application, placement);
            self.place_unseen(placement);
            placement.normalize();
        }
        Ok(together)
    }

    /// Data sources that no formula looks at stay where they are, or take the first of the smallest sets of places.
    fn place_unseen(&self, placement: &mut Placement) {
        for (i, source) in self.snapshot.application.data.iter().enumerate() {
            let data = DataId(i as u32);
            let is_open = matches!(source.home, Home::Chosen { .. }) && placement.replicas_of(data).next().is_none();
            let sets = self.bound.replicas.get(i).filter(|_| is_open);
            let running: Vec<Arc<str>> =
                self.snapshot.current.iter().flat_map(|now| now.placement.replicas_of(data)).cloned().collect();
            let chosen = sets.and_then(|sets| sets.iter().find(|set| **set == running).or(sets.first()));
            let replicas = chosen.into_iter().flatten().map(|place| Replica { data, place: place.clone() });
            placement.replicas.extend(replicas);
        }
    }

    /// The exact value of the objective, as the model states it.
    fn utility(&self, placement: &Placement) -> Option<f64> {
        self.evaluator.number(&self.snapshot.application.objective.formula, placement).ok()
    }

    fn is_better(&self, a: f64, b: f64) -> bool {
        match self.snapshot.application.objective.direction {
            Direction::Maximize => a > b,
            Direction::Minimize => a < b,
        }
    }

    fn conclude(&self, together: Together, mut report: Report) -> Result<Outcome, SolveError> {
        if together.status == RunStatus::Infeasible {
            return Ok(Outcome { status: Status::Infeasible, solution: None, report });
        }
        let found = match together.placement {
            None => None,
            Some(placement) => {
                let formula = &self.snapshot.application.objective.formula;
                let utility = self.evaluator.number(formula, &placement).map_err(SolveError::Undefined)?;
                Some((placement, utility))
            }
        };
        let running = if together.status == RunStatus::Limit { self.running() } else { None };
        let best = match (found, running) {
            (Some((_, u)), Some((current, value))) if self.is_better(value, u) => {
                report.kept_current = true;
                Some((current, value))
            }
            (None, Some(current)) => {
                report.kept_current = true;
                Some(current)
            }
            (found, _) => found,
        };
        let Some((placement, utility)) = best else {
            return Ok(Outcome { status: Status::Unknown, solution: None, report });
        };
        // No value lies outside of the objective's range: an engine's tolerance leaves no gap to a bill of nothing.
        let most = range(&self.bound.objective, &self.space.ranges).high;
        let outer = self.objective.outer(together.bound).min(most);
        let bound = match self.snapshot.application.objective.direction {
            Direction::Maximize => outer,
            Direction::Minimize => -outer,
        };
        // The objective that is maximised was bound as a number that rises with the value; a bound that lies on the
        // wrong side of a verified value by rounding is that value.
        let bound = if !bound.is_finite() || self.is_better(utility, bound) || tolerance::equal(utility, bound) {
            if bound.is_finite() || together.status == RunStatus::Optimal {
                utility
            } else {
                // Nothing is proven: every value is still possible, whatever the outer function made of that.
                match self.snapshot.application.objective.direction {
                    Direction::Maximize => f64::INFINITY,
                    Direction::Minimize => f64::NEG_INFINITY,
                }
            }
        } else {
            bound
        };
        let gap = if bound.is_finite() { (bound - utility).abs() / utility.abs().max(1e-9) } else { f64::INFINITY };
        // An optimum of the engine whose bound is blurred by its tolerances is none.
        let proven = gap <= if together.status == RunStatus::Optimal { 1e-6 } else { 0.0 } || gap <= self.settings.gap;
        let status = if proven { Status::Optimal } else { Status::Feasible };
        if let Some(violation) = verify_utility(self.snapshot, &placement, utility) {
            return Err(SolveError::Rejected(vec![violation]));
        }
        let cost = cost(self.snapshot, &placement).map_err(SolveError::Undefined)?.total();
        let objectives = vec![Reached { value: utility, best: utility, bound, gap, limit: utility }];
        Ok(Outcome { status, solution: Some(Solution { placement, utility, bound, gap, objectives, cost }), report })
    }

    /// The running deployment, if it is an admissible placement with a value.
    fn running(&self) -> Option<(Placement, f64)> {
        let current = self.snapshot.current.as_ref()?;
        if !current.vanished.is_empty() || !verify(self.snapshot, &current.placement).is_empty() {
            return None;
        }
        let utility = self.utility(&current.placement)?;
        Some((current.placement.clone(), utility))
    }

    /// Tells a model that has no placement from one whose objective has no value on any of them.
    fn blame_the_objective(&self) -> Result<(), SolveError> {
        let mut plain = self.bound.clone();
        plain.objective = Term::Constant(0.0);
        plain.constraints.retain(|c| c.index != usize::MAX);
        let objective = take_apart(&self.snapshot.application, &plain.objective, &self.space.ranges);
        let limits = Limits { deadline: self.deadline, cancel: self.settings.cancel.clone(), ..Limits::default() };
        let method = Method { limits, presolve: Presolve::Automatic, margin: 0.0 };
        let search = Search { bound: &plain, objective: &objective, ..*self };
        let Ok(Together { placement: Some(placement), .. }) = search.attempt(&method, &mut Report::default()) else {
            return Ok(());
        };
        match self.evaluator.number(&self.snapshot.application.objective.formula, &placement) {
            Err(error) => Err(SolveError::Undefined(error)),
            Ok(_) => Ok(()),
        }
    }
}

/// Free attributes that no formula looks at take their smallest value.
fn choose_unseen(application: &Application, placement: &mut Placement) {
    for (i, component) in application.components.iter().enumerate() {
        let id = ComponentId(i as u32);
        let chosen: Vec<Attribute> =
            placement.settings.iter().filter(|s| s.component == id).map(|s| s.attribute.clone()).collect();
        for free in component.attributes().iter().filter(|free| !chosen.contains(&free.attribute)) {
            let (attribute, value) = (free.attribute.clone(), SettingValue(free.domain.min()));
            placement.settings.push(Setting { component: id, attribute, value });
        }
    }
}

fn merge_effort(total: &mut Effort, answer: &Answer) {
    total.merge(&answer.effort);
}
