//! Solving one independent sub-problem: the best sum, and among equals the cheapest, with the fewest nodes, with the
//! most running nodes kept.

mod large;

use cardinal_models::application::{ComponentId, DataId};
use cardinal_models::placement::Placement;
use cardinal_models::quantity::Price;
use cardinal_models::snapshot::Snapshot;
use cardinal_models::tolerance;

use crate::bound::{BoundModel, Part, parts_of};
use crate::decimal::common_step;
use crate::engine::{self, Engine, EngineError, Limits, Presolve, Run, RunStatus};
use crate::formulation::{Block, Cluster, FormulateError, Formulation, Linear, Row, Side};
use crate::packing::Generation;
use crate::pattern::Patterns;
use crate::space::Space;
use crate::term::{Slot, Term};
use crate::{joint, spatial};

/// After so many nodes of the search tree the order among equals is left as it is. A limit in nodes and not in time
/// keeps the answer reproducible.
const TIE_NODES: u32 = 2_000;

/// Everything that a sub-problem is solved from.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Its formulas.
    pub bound: &'a BoundModel,
    /// Its offers.
    pub space: &'a Space,
    /// The node patterns of the shared pool, if there is one and they are listed; otherwise they are generated.
    pub patterns: Option<&'a Patterns>,
    /// Nonlinear terms over several parts are tabulated up to so many combinations of values.
    pub combinations: usize,
}

/// How a sub-problem is solved.
#[derive(Clone, Debug)]
pub struct Method {
    /// When to stop.
    pub limits: Limits,
    /// With or without the engine's presolve.
    pub presolve: Presolve,
    /// How far limits are pulled inwards, relative.
    pub margin: f64,
}

/// What became of a sub-problem.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub status: RunStatus,
    /// The best placement of its parts that was found.
    pub placement: Option<Placement>,
    /// An upper bound on the sum of the objective's terms.
    pub bound: f64,
    /// The sum of the objective's terms; NaN without a placement.
    pub value: f64,
    /// Seconds spent on building the program.
    pub formulate_s: f64,
    /// What it took.
    pub effort: Effort,
    /// How patterns were generated, where they were.
    pub generation: Option<Generation>,
}

/// The size of a sub-problem and the work that it took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effort {
    /// Columns of the integer program; 0 when none was needed.
    pub columns: usize,
    /// Rows of the integer program.
    pub rows: usize,
    /// Nodes of the search tree.
    pub nodes: u64,
    /// Choices that were left out because a formula has no value there.
    pub undefined: u64,
    /// True when the order among equal placements was not searched to the end.
    pub ties_open: bool,
}

impl Effort {
    /// Adds the effort of another sub-problem.
    pub(crate) fn merge(&mut self, other: &Effort) {
        self.columns = self.columns.max(other.columns);
        self.rows = self.rows.max(other.rows);
        self.nodes += other.nodes;
        self.undefined += other.undefined;
        self.ties_open |= other.ties_open;
    }
}

/// Why a sub-problem was not solved.
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramError {
    /// It cannot be formulated; the index of the constraint, or `None` for the objective or a component.
    Formulate(Option<usize>, FormulateError),
    /// The shared components can be packed in too many ways, and a rule is of a kind that generated patterns cannot take.
    TooManyPatterns,
    /// The engine failed.
    Engine(EngineError),
}

/// Solves a sub-problem.
pub fn solve(ground: Ground<'_>, cluster: &Cluster, method: &Method) -> Result<Answer, ProgramError> {
    if let ([Part::Dedicated(c)], true, true) =
        (&cluster.parts[..], cluster.structure.is_empty(), cluster.quotas.is_empty() && !cluster.is_covered)
        && ground.snapshot.application[*c].fleet == cardinal_models::document::Fleet::Uniform
    {
        return best_row(ground, cluster, *c).map_err(|e| ProgramError::Formulate(None, e));
    }
    if let ([Part::Data(data)], true) = (&cluster.parts[..], cluster.structure.is_empty()) {
        return Ok(best_set(ground, cluster, *data));
    }
    if let ([Part::Attribute(c, slot)], true) = (&cluster.parts[..], cluster.structure.is_empty()) {
        return best_value(ground, cluster, *c, *slot).map_err(|e| ProgramError::Formulate(None, e));
    }
    if cluster.parts.contains(&Part::Pool) && ground.patterns.is_none() {
        return crate::packing::solve(ground, cluster, method);
    }
    // The second attempt is a second opinion.
    if method.presolve == Presolve::Automatic
        && let Some(answer) = joint::solve(ground, cluster, method)?
    {
        return Ok(answer);
    }
    match solve_listed(ground, cluster, method) {
        // What is left to pay after commitments is a choice of this program alone.
        Err(ProgramError::Formulate(index, error))
            if error.is_about_tables() && joint::pays_together(ground, cluster) =>
        {
            Err(ProgramError::Formulate(index, error))
        }
        Err(ProgramError::Formulate(index, error)) if error.is_about_tables() => {
            if spatial::is_for(ground, cluster) {
                let mut answer = spatial::solve(ground, cluster, method)?;
                // Equals are put in order by list prices.
                answer.effort.ties_open |= cluster.is_covered;
                return Ok(answer);
            }
            let answer = joint::solve(ground, cluster, method)?;
            answer.ok_or(ProgramError::Formulate(index, error))
        }
        other => other,
    }
}

/// Solves a sub-problem over the patterns that are listed.
pub(crate) fn solve_listed(ground: Ground<'_>, cluster: &Cluster, method: &Method) -> Result<Answer, ProgramError> {
    let begin = std::time::Instant::now();
    let Ground { snapshot, bound, space, patterns, combinations } = ground;
    let mut formulation = Formulation::build(snapshot, bound, space, patterns, cluster, method.margin, combinations)
        .map_err(|(index, e)| ProgramError::Formulate(index, e))?;
    let mut value = Linear::default();
    for term in &cluster.objective {
        let encoded = formulation.encode_sided(term, Side::Below).map_err(|e| ProgramError::Formulate(None, e))?;
        formulation.require_defined(&encoded.undefined, None);
        value.add(&encoded.linear, 1.0);
    }
    value.compact();
    let formulate_s = begin.elapsed().as_secs_f64();
    if formulation.contradiction {
        let effort = Effort { undefined: formulation.undefined_rows, ..Effort::default() };
        return Ok(Answer {
            status: RunStatus::Infeasible,
            placement: None,
            bound: f64::NEG_INFINITY,
            value: f64::NAN,
            formulate_s,
            effort,
            generation: None,
        });
    }
    let mut spending = Linear::default();
    for term in &cluster.spending {
        let encoded = formulation.encode(term).map_err(|e| ProgramError::Formulate(None, e))?;
        formulation.require_defined(&encoded.undefined, None);
        spending.add(&encoded.linear, 1.0);
    }
    let mut answer = Stages::new(&mut formulation, value, &spending).run(method).map_err(ProgramError::Engine)?;
    answer.formulate_s = formulate_s;
    Ok(answer)
}

/// A single uniform component that nothing is tied to: the best row of its table.
fn best_row(ground: Ground<'_>, cluster: &Cluster, component: ComponentId) -> Result<Answer, FormulateError> {
    let begin = std::time::Instant::now();
    let choices = &ground.space.dedicated[component.index()];
    let mut formulation = Formulation::empty(ground.snapshot, ground.bound, ground.space);
    let rows = formulation.uniform_rows(component, choices, cluster)?;
    let effort = Effort { undefined: formulation.undefined_rows, ..Effort::default() };
    let running = formulation.running_on(component);
    let own: Vec<&Term> =
        cluster.objective.iter().filter(|t| !parts_of(&ground.snapshot.application, t).is_empty()).collect();
    let constant: f64 =
        cluster.objective.iter().filter_map(|t| if let Term::Constant(x) = t { Some(*x) } else { None }).sum();
    let score = |row: &Row| {
        let offer = row.offer.map(|o| choices.offers[o as usize]);
        let price = offer.map_or(Price::ZERO, |o| ground.snapshot.catalog[o].price);
        let point = crate::formulation::RowPoint { component, choices, row: *row, price };
        let value: f64 = own.iter().map(|t| t.evaluate(&point)).sum();
        let kept = running.iter().find(|(o, _)| Some(*o) == offer).map_or(0, |(_, n)| row.n.min(*n));
        let spent: f64 = cluster.spending.iter().map(|t| t.evaluate(&point)).sum();
        // Like prices, in nano-units: what differs by less is the same.
        let spent = Price::from_nanos((spent * Price::SCALE as f64).round() as i64);
        (value, price.times(u64::from(row.n)) + spent, row.n, std::cmp::Reverse(kept))
    };
    let scores: Vec<_> = rows.iter().map(score).collect();
    let best = scores.iter().map(|s| s.0).fold(f64::NEG_INFINITY, f64::max);
    // Rows stand in the stable order of their offers, so the first of equals is the stable choice.
    let chosen =
        rows.iter().zip(&scores).filter(|(_, s)| tolerance::at_most(best, s.0)).min_by_key(|(_, s)| (s.1, s.2, s.3));
    let formulate_s = begin.elapsed().as_secs_f64();
    Ok(match chosen {
        None => {
            let (bound, value) = (f64::NEG_INFINITY, f64::NAN);
            let status = RunStatus::Infeasible;
            Answer { status, placement: None, bound, value, formulate_s, effort, generation: None }
        }
        Some((row, _)) => {
            let mut placement = formulation.uniform_placement(component, choices, *row);
            placement.normalize();
            Answer {
                status: RunStatus::Optimal,
                placement: Some(placement),
                bound: best + constant,
                value: best + constant,
                formulate_s,
                effort,
                generation: None,
            }
        }
    })
}

/// A single free attribute that nothing is tied to: the best of its values.
fn best_value(
    ground: Ground<'_>,
    cluster: &Cluster,
    component: ComponentId,
    slot: Slot,
) -> Result<Answer, FormulateError> {
    let begin = std::time::Instant::now();
    let mut formulation = Formulation::empty(ground.snapshot, ground.bound, ground.space);
    let values = formulation.free_values(component, slot, cluster)?;
    let effort = Effort { undefined: formulation.undefined_rows, ..Effort::default() };
    let worth = |value: &f64| -> f64 {
        let point = crate::formulation::ValuePoint { component, slot, value: *value };
        cluster.objective.iter().map(|t| t.evaluate(&point)).sum()
    };
    let scores: Vec<f64> = values.iter().map(worth).collect();
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let chosen = values.iter().zip(&scores).find(|(_, score)| tolerance::at_most(best, **score));
    let formulate_s = begin.elapsed().as_secs_f64();
    Ok(match chosen {
        None => {
            let (bound, value) = (f64::NEG_INFINITY, f64::NAN);
            let status = RunStatus::Infeasible;
            Answer { status, placement: None, bound, value, formulate_s, effort, generation: None }
        }
        Some((value, _)) => Answer {
            status: RunStatus::Optimal,
            placement: Some(Placement {
                settings: vec![formulation.setting(component, slot, *value)],
                ..Placement::default()
            }),
            bound: best,
            value: best,
            formulate_s,
            effort,
            generation: None,
        },
    })
}

/// A single data source that nothing is tied to: the best of its sets of places.
fn best_set(ground: Ground<'_>, cluster: &Cluster, data: DataId) -> Answer {
    let begin = std::time::Instant::now();
    let formulation = Formulation::empty(ground.snapshot, ground.bound, ground.space);
    let sets = formulation.replica_sets(data, cluster);
    let score = |set: &u32| {
        let point = crate::formulation::ReplicaPoint { data, set: *set };
        let value: f64 = cluster.objective.iter().map(|t| t.evaluate(&point)).sum();
        let spent: f64 = cluster.spending.iter().map(|t| t.evaluate(&point)).sum();
        let spent = Price::from_nanos((spent * Price::SCALE as f64).round() as i64);
        (value, spent, std::cmp::Reverse(formulation.kept_replicas(data, *set)))
    };
    let scores: Vec<_> = sets.iter().map(score).collect();
    let best = scores.iter().map(|s| s.0).fold(f64::NEG_INFINITY, f64::max);
    let chosen =
        sets.iter().zip(&scores).filter(|(_, s)| tolerance::at_most(best, s.0)).min_by_key(|(_, s)| (s.1, s.2));
    let placement =
        chosen.map(|(set, _)| Placement { replicas: formulation.replica_set(data, *set), ..Placement::default() });
    let (status, bound) = match placement {
        Some(_) => (RunStatus::Optimal, best),
        None => (RunStatus::Infeasible, f64::NEG_INFINITY),
    };
    Answer {
        status,
        value: if placement.is_some() { best } else { f64::NAN },
        placement,
        bound,
        formulate_s: begin.elapsed().as_secs_f64(),
        effort: Effort::default(),
        generation: None,
    }
}

/// The objectives of a program, one after the other.
struct Stages<'f, 'a> {
    formulation: &'f mut Formulation<'a>,
    value: Linear,
    cost: Linear,
    nodes: Linear,
    effort: Effort,
}

/// A linear objective scaled so that the engine's absolute tolerances fit it.
struct Scaled {
    objective: Linear,
    /// What one unit of the engine's objective is worth.
    unit: f64,
    /// True when every value of the objective is a whole number of units.
    whole: bool,
    /// For an objective that is a single table: the values that its units number, ascending.
    values: Vec<f64>,
}

impl Scaled {
    /// The value of the objective at a number of units.
    fn value(&self, units: f64) -> f64 {
        let at = (units.max(0.0).round() as usize).min(self.values.len().saturating_sub(1));
        self.values.get(at).copied().unwrap_or(units * self.unit)
    }
}

impl<'f, 'a> Stages<'f, 'a> {
    /// `spending` is what is paid for beside nodes.
    fn new(formulation: &'f mut Formulation<'a>, value: Linear, spending: &Linear) -> Self {
        let (mut cost, mut nodes) = (spending.clone(), Linear::default());
        for block in &formulation.blocks {
            cost.add(&formulation.cost(block), 1.0);
            nodes.add(&formulation.over_nodes(block, |_| 1.0), 1.0);
        }
        cost.add(&formulation.covered, -1.0);
        cost.compact();
        nodes.compact();
        let effort = Effort { undefined: formulation.undefined_rows, ..Effort::default() };
        let stages = Stages { formulation, value, cost, nodes, effort };
        // A large program loses more columns by their reduced costs, and sooner.
        if !stages.is_large() {
            stages.formulation.drop_dominated(&stages.value, &stages.cost, &stages.nodes);
        }
        stages
    }

    fn run(mut self, method: &Method) -> Result<Answer, EngineError> {
        self.effort.columns = self.formulation.milp.columns();
        self.effort.rows = self.formulation.milp.rows();
        let mut loss = Linear::default();
        loss.add(&self.value, -1.0);
        let scaled = self.scale(&loss);
        let first = self.first(&scaled, method)?;
        let Some(values) = first.values else {
            let least = if scaled.values.is_empty() { first.bound * scaled.unit } else { f64::NEG_INFINITY };
            let bound = -(least + loss.constant);
            let (status, formulate_s) = (first.status, 0.0);
            let value = f64::NAN;
            let effort = self.effort;
            return Ok(Answer { status, placement: None, bound, value, formulate_s, effort, generation: None });
        };
        let lost = scaled.objective.value(&values);
        // The engine's bound, lifted to the next value that the objective can have.
        let floor = if scaled.whole { (first.bound - 1e-5).ceil() } else { first.bound };
        let value = scaled.value(lost) + loss.constant;
        let bound = -(scaled.value(floor.min(lost)) + loss.constant) + Self::blur(&scaled, value);
        // Within a gap there is no set of equals to choose from.
        let is_best = lost - floor <= if scaled.whole { 0.5 } else { 1e-6 * lost.abs().max(1.0) };
        let values = match first.status {
            RunStatus::Optimal if is_best || method.limits.relative_gap == 0.0 => {
                self.break_ties(values, &scaled, method)?
            }
            _ => values,
        };
        let placement = self.formulation.placement(&values);
        let (status, placement) = (first.status, Some(placement));
        let (value, formulate_s, effort) = (-value, 0.0, self.effort);
        Ok(Answer { status, placement, bound, value, formulate_s, effort, generation: None })
    }

    /// How far the engine's bound may be off: what its tolerances amount to, when that is a visible part of the value.
    /// Coefficients of very different sizes are not told apart, and a proof that overlooks them is none.
    fn blur(scaled: &Scaled, value: f64) -> f64 {
        let tolerance = if scaled.whole { 0.0 } else { 1e-6 * scaled.unit };
        if tolerance > 1e-6 * value.abs().max(0.01) { tolerance } else { 0.0 }
    }

    /// Among placements of equal value the cheapest, then with the fewest nodes, then with the most nodes kept.
    fn break_ties(&mut self, values: Vec<f64>, first: &Scaled, method: &Method) -> Result<Vec<f64>, EngineError> {
        let mut best = values;
        self.hold(first, &best);
        if !self.is_cost(first) {
            let cost = self.scale(&self.cost.clone());
            best = self.tie_stage(best, &cost, method)?;
            self.hold(&cost, &best);
        }
        let columns = self.formulation.milp.columns();
        let (kept, most_kept) = self.formulation.kept_nodes();
        best.resize(self.formulation.milp.columns(), 0.0);
        let mut order = Linear::default();
        order.add(&self.nodes, (most_kept + 1) as f64);
        order.add(&kept, -1.0);
        order.compact();
        let same_for_all =
            order.terms.windows(2).all(|w| w[0].1 == w[1].1) && self.nodes_are_fixed() && columns == best.len();
        if same_for_all {
            return Ok(best);
        }
        let whole = Scaled { objective: order, unit: 1.0, whole: true, values: Vec::new() };
        self.tie_stage(best, &whole, method)
    }

    /// True when the number of nodes is the same in every solution.
    fn nodes_are_fixed(&self) -> bool {
        let application = &self.formulation.snapshot.application;
        self.formulation.blocks.iter().all(|b| match b {
            Block::Uniform { component, .. } | Block::Mixed { component, .. } => {
                application[*component].cardinality.min() == application[*component].cardinality.max()
            }
            Block::Values { .. } | Block::Replicas { .. } => true,
            Block::Pool { .. } => false,
        })
    }

    /// True when the value is a falling function of the cost and of nothing else.
    fn is_cost(&self, first: &Scaled) -> bool {
        let (a, b) = (&first.objective.terms, &self.cost.terms);
        let ratio = match (a.first(), b.first()) {
            (Some((_, x)), Some((_, y))) if *y != 0.0 => x / y,
            _ => return a.is_empty() && b.is_empty(),
        };
        ratio > 0.0
            && a.len() == b.len()
            && a.iter().zip(b).all(|((i, x), (j, y))| i == j && (x - ratio * y).abs() <= 1e-12 * x.abs())
    }

    /// Adds the row that holds an objective at the value that it has.
    fn hold(&mut self, scaled: &Scaled, values: &[f64]) {
        let reached = scaled.objective.value(values);
        // The largest coefficient is 1e4. A slack that leaves a column less room than the engine's tolerance of 1e-9
        // makes its presolve answer "optimal" wrongly.
        let slack = if scaled.whole { 0.25 } else { 1e-9 * reached.abs() + 2e-5 };
        self.formulation.row(scaled.objective.clone(), f64::NEG_INFINITY, reached + slack);
    }

    fn tie_stage(&mut self, best: Vec<f64>, scaled: &Scaled, method: &Method) -> Result<Vec<f64>, EngineError> {
        let limits = Limits { nodes: Some(TIE_NODES), relative_gap: 0.0, ..method.limits.clone() };
        match self.stage(scaled, Some(&best), &limits, method) {
            Ok(Run { values: Some(values), status, .. }) => {
                self.effort.ties_open |= status != RunStatus::Optimal;
                Ok(values)
            }
            // The engine found nothing within its limits, or wrongly no solution: what is at hand is a solution.
            Ok(_) | Err(_) => {
                self.effort.ties_open = true;
                Ok(best)
            }
        }
    }

    /// The first stage: the objective itself.
    fn first(&mut self, scaled: &Scaled, method: &Method) -> Result<Run, EngineError> {
        match (method.limits.engine, self.is_large()) {
            (Engine::Off, _) => self.solve_without_engine(scaled, method),
            (Engine::On, true) => self.solve_large(scaled, method),
            (Engine::On, false) => self.stage(scaled, None, &method.limits, method),
        }
    }

    /// Makes an objective the program's.
    fn charge(&mut self, scaled: &Scaled) {
        let milp = &mut self.formulation.milp;
        milp.cost = vec![0.0; milp.columns()];
        for (column, x) in &scaled.objective.terms {
            milp.cost[*column] += x;
        }
    }

    fn stage(
        &mut self,
        scaled: &Scaled,
        start: Option<&[f64]>,
        limits: &Limits,
        method: &Method,
    ) -> Result<Run, EngineError> {
        self.charge(scaled);
        let milp = &self.formulation.milp;
        let limits = Limits { absolute_gap: if scaled.whole { 0.5 } else { 0.0 }, ..limits.clone() };
        let presolve = if self.formulation.is_delicate { Presolve::Off } else { method.presolve };
        let run = engine::run_open(milp, start, &limits, presolve)?;
        self.effort.nodes += run.nodes;
        Ok(run)
    }

    /// Scales an objective to be minimised: to whole numbers if its coefficients have a common step, else to a largest
    /// coefficient of a size that suits the engine's tolerances.
    fn scale(&self, linear: &Linear) -> Scaled {
        let mut objective = linear.clone();
        objective.compact();
        objective.constant = 0.0;
        let largest = objective.terms.iter().map(|(_, x)| x.abs()).fold(0.0, f64::max);
        let over_integers = objective.terms.iter().all(|(c, _)| self.formulation.is_whole(*c));
        let step = if over_integers { common_step(objective.terms.iter().map(|(_, x)| *x)) } else { None };
        let (unit, whole) = match step {
            Some(step) if largest / step <= 1e8 => (step, true),
            _ if largest > 0.0 => (largest / 1e4, false),
            _ => (1.0, true),
        };
        if !whole && let Some(ranked) = self.ranked(&objective) {
            return ranked;
        }
        for (_, x) in &mut objective.terms {
            *x = if whole { (*x / unit).round() } else { *x / unit };
        }
        Scaled { objective, unit, whole, values: Vec::new() }
    }

    /// An objective that is one table, of which exactly one entry is taken, by the ranks of its values: they are in the
    /// same order, and no sizes of values are too different to be told apart.
    fn ranked(&self, objective: &Linear) -> Option<Scaled> {
        let (first, _) = objective.terms.first()?;
        let (last, _) = objective.terms.last()?;
        let inside = |(begin, length): &&(usize, usize)| (*begin..begin + length).contains(first);
        let (begin, length) = *self.formulation.one_hot.iter().find(inside)?;
        if *last >= begin + length {
            return None;
        }
        let mut table = vec![0.0; length];
        objective.terms.iter().for_each(|(column, x)| table[column - begin] = *x);
        let mut values = table.clone();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup_by(|b, a| (*b - *a).abs() <= 1e-12 * b.abs().max(a.abs()));
        let rank = |x: f64| values.partition_point(|v| *v <= x).saturating_sub(1) as f64;
        let terms = table.iter().enumerate().map(|(i, x)| (begin + i, rank(*x))).filter(|(_, r)| *r > 0.0).collect();
        Some(Scaled { objective: Linear { terms, constant: 0.0 }, unit: 1.0, whole: true, values })
    }
}
