//! Large programs of choices under few linking rows: a bound, a solution and far fewer columns before the engine sees
//! them ([`crate::linked`]).

use rustc_hash::FxHashMap;

use super::{Method, Scaled, Stages};
use crate::engine::{self, EngineError, Limits, Run, RunStatus};
use crate::linked::Linked;

/// The engine is quick enough below.
const COLUMNS_MIN: usize = 5_000;
/// Of each group that the relaxation leaves undecided so many columns of least reduced cost are tried first.
const FIRST_COLUMNS: usize = 12;
/// Nodes of the search tree for these.
const FIRST_NODES: u32 = 100;

/// What is known of a program before the engine runs.
struct Start {
    /// No solution has a smaller objective.
    bound: f64,
    /// A solution with its objective.
    best: Option<(Vec<f64>, f64)>,
    /// What taking each column adds to the bound at least.
    reduced: Vec<f64>,
    /// What the linear relaxation takes of each column.
    shares: FxHashMap<usize, f64>,
}

impl Start {
    fn values(&self) -> Option<&[f64]> {
        self.best.as_ref().map(|(values, _)| values.as_slice())
    }

    /// Takes a solution that is better.
    fn improve(&mut self, values: Option<Vec<f64>>, objective: impl Fn(&[f64]) -> f64) {
        let Some(values) = values else { return };
        let value = objective(&values);
        if self.best.as_ref().is_none_or(|(_, known)| value < *known) {
            self.best = Some((values, value));
        }
    }

    /// The objective that is close enough to the bound.
    fn target(&self, limits: &Limits, whole: bool) -> f64 {
        let by_gap = limits.relative_gap / (1.0 + limits.relative_gap) * self.bound.abs();
        self.bound + by_gap.max(1e-9 * self.bound.abs()).max(if whole { 1.0 - 1e-5 } else { 0.0 })
    }

    /// The end of the search, when the solution is as close to the bound as it has to be.
    fn end(&self, limits: &Limits, whole: bool) -> Option<Run> {
        let (values, value) = self.best.as_ref()?;
        (*value <= self.target(limits, whole)).then(|| Run {
            status: RunStatus::Optimal,
            values: Some(values.clone()),
            bound: self.bound.min(*value),
            nodes: 0,
        })
    }
}

impl Stages<'_, '_> {
    /// True for a program that [`Stages::solve_large`] is made for.
    pub(super) fn is_large(&self) -> bool {
        let covered: usize = self.formulation.one_hot.iter().map(|(_, length)| length).sum();
        self.formulation.milp.columns() >= COLUMNS_MIN && covered == self.formulation.milp.columns()
    }

    /// Solves a large program: by multipliers, then where the linear relaxation is undecided, then over all columns
    /// that a better solution may have. The others are closed, for the stages that follow too.
    pub(super) fn solve_large(&mut self, scaled: &Scaled, method: &Method) -> Result<Run, EngineError> {
        let Some(mut start) = self.approach(scaled, method) else {
            return self.stage(scaled, None, &method.limits, method);
        };
        if let Some(end) = start.end(&method.limits, scaled.whole) {
            return Ok(end);
        }
        let target = Some(start.target(&method.limits, scaled.whole));
        self.try_undecided(&mut start, scaled, method, target);
        if let Some(end) = start.end(&method.limits, scaled.whole) {
            return Ok(end);
        }
        self.close(&start);
        let limits = Limits { target, ..method.limits.clone() };
        let mut run = self.stage(scaled, start.values(), &limits, method)?;
        start.improve(run.values.take(), |x| scaled.objective.value(x));
        if let Some(end) = start.end(&method.limits, scaled.whole) {
            return Ok(Run { nodes: run.nodes, ..end });
        }
        let Some((values, value)) = start.best else { return Ok(run) };
        // Where columns are closed, the engine's bound is on better solutions alone.
        Ok(Run { bound: run.bound.max(start.bound).min(value), values: Some(values), ..run })
    }

    /// The best that is found by multipliers alone.
    pub(super) fn solve_without_engine(&mut self, scaled: &Scaled, method: &Method) -> Result<Run, EngineError> {
        let start = self.approach(scaled, method).ok_or(EngineError::SwitchedOff)?;
        let end = start.end(&method.limits, scaled.whole);
        let open = Run {
            status: RunStatus::Limit,
            bound: start.best.as_ref().map_or(start.bound, |(_, value)| start.bound.min(*value)),
            values: start.best.map(|(values, _)| values),
            nodes: 0,
        };
        Ok(end.unwrap_or(open))
    }

    /// A bound and a solution by multipliers; `None` for programs of another kind.
    fn approach(&mut self, scaled: &Scaled, method: &Method) -> Option<Start> {
        self.charge(scaled);
        let linked = Linked::of(&self.formulation.milp, &self.formulation.one_hot)?;
        let limits = Limits { absolute_gap: if scaled.whole { 0.5 } else { 0.0 }, ..method.limits.clone() };
        let found = linked.solve(&limits)?;
        let shares = found.shares.into_iter().collect();
        let mut start = Start { bound: found.bound, best: None, reduced: found.reduced, shares };
        if let Some((choice, _)) = &found.best {
            let mut values = vec![0.0; self.formulation.milp.columns()];
            choice.iter().for_each(|column| values[*column] = 1.0);
            // The program itself is the judge; tolerances may differ.
            if engine::check(&self.formulation.milp, &mut values).is_ok() {
                start.improve(Some(values), |x| scaled.objective.value(x));
            }
        }
        self.close(&start);
        Some(start)
    }

    /// Closes the columns that no solution as good as the best known one has.
    fn close(&mut self, start: &Start) {
        let Some((_, value)) = &start.best else { return };
        let most = value + 1e-6 * value.abs().max(1.0);
        for (upper, reduced) in self.formulation.milp.upper.iter_mut().zip(&start.reduced) {
            if start.bound + reduced > most {
                *upper = 0.0;
            }
        }
    }

    /// Looks for a better solution where the relaxation and the best known one do not agree (Danna, Rothberg and Le Pape
    /// 2005, "Exploring relaxation induced neighborhoods").
    fn try_undecided(&mut self, start: &mut Start, scaled: &Scaled, method: &Method, target: Option<f64>) {
        let all = self.formulation.milp.upper.clone();
        for (first, length) in self.formulation.one_hot.clone() {
            let mut order: Vec<usize> = (first..first + length).filter(|column| all[*column] > 0.0).collect();
            order.sort_by(|a, b| start.reduced[*a].total_cmp(&start.reduced[*b]));
            let share = |column: &usize| start.shares.get(column).copied().unwrap_or(0.0);
            let is_taken = |column: &usize| start.values().is_some_and(|x| x[*column] > 0.5);
            let is_decided = order.iter().any(|column| share(column) > 0.999 && is_taken(column));
            let first_columns = if is_decided { 0 } else { FIRST_COLUMNS };
            let rest = order.into_iter().skip(first_columns).filter(|column| !is_taken(column) && share(column) < 1e-6);
            rest.for_each(|column| self.formulation.milp.upper[column] = 0.0);
        }
        let limits = Limits { nodes: Some(FIRST_NODES), target, ..method.limits.clone() };
        let run = self.stage(scaled, start.values(), &limits, method);
        self.formulation.milp.upper = all;
        // What the engine cannot do here is left to what follows.
        if let Ok(run) = run {
            start.improve(run.values, |x| scaled.objective.value(x));
        }
    }
}
