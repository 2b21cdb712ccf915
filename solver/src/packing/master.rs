//! The restricted master program: the rows of the probe over the nodes that have been thought of.

use rustc_hash::FxHashSet;

use super::probe::Probe;
use crate::engine::linear::{Column, LinearProgram, LinearRun};
use crate::engine::{EngineError, Limits, Milp};

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Aim {
    /// The loss; breaking a row costs this much per unit.
    Loss(f64),
    /// The breaking of rows alone.
    Repair,
}

/// A node that has been thought of: bin and counts.
pub(crate) type Load = (usize, Vec<u32>);

/// The master with its columns.
pub(crate) struct Master<'a> {
    probe: &'a Probe,
    program: LinearProgram,
    /// The first column of a node; before it the others and the columns that break rows.
    first: usize,
    pub loads: Vec<Load>,
    known: FxHashSet<Load>,
    aim: Aim,
    /// Objective coefficients are divided by this.
    pub unit: f64,
}

impl<'a> Master<'a> {
    /// A master without nodes.
    pub(crate) fn new(probe: &'a Probe, aim: Aim, unit: f64) -> Result<Self, EngineError> {
        let mut milp = Milp::default();
        let mut columns: Vec<Column> = probe.others.clone();
        let factor = if aim == Aim::Repair { 0.0 } else { 1.0 / unit };
        columns.iter_mut().for_each(|c| c.cost *= factor);
        let charge = match aim {
            Aim::Loss(charge) => charge / unit,
            Aim::Repair => 1.0,
        };
        for (row, (low, high)) in probe.rows.iter().enumerate() {
            let breaks = |x: f64| Column { cost: charge, lower: 0.0, upper: f64::INFINITY, entries: vec![(row, x)] };
            columns.extend(low.is_finite().then(|| breaks(1.0)));
            columns.extend(high.is_finite().then(|| breaks(-1.0)));
        }
        for (low, high) in &probe.rows {
            milp.add_row(*low, *high, []);
        }
        let mut program = LinearProgram::new(&milp)?;
        program.add(&columns)?;
        let first = columns.len();
        Ok(Master { probe, program, first, loads: Vec::new(), known: FxHashSet::default(), aim, unit })
    }

    /// Adds nodes that are not there yet; gives how many are new.
    pub(crate) fn add(&mut self, loads: impl IntoIterator<Item = Load>) -> Result<usize, EngineError> {
        let mut columns = Vec::new();
        for load in loads {
            if self.known.insert(load.clone()) {
                let mut column = self.probe.column(load.0, &load.1);
                column.cost = if self.aim == Aim::Repair { 0.0 } else { column.cost / self.unit };
                columns.push(column);
                self.loads.push(load);
            }
        }
        self.program.add(&columns)?;
        Ok(columns.len())
    }

    /// Solves the master; duals are in units of the objective again.
    pub(crate) fn solve(&mut self, limits: &Limits) -> Result<LinearRun, EngineError> {
        let mut run = self.program.solve(limits)?;
        if self.aim != Aim::Repair {
            run.objective *= self.unit;
            run.duals.iter_mut().for_each(|y| *y *= self.unit);
        }
        Ok(run)
    }

    /// How far rows are broken.
    pub(crate) fn broken(&self, run: &LinearRun) -> f64 {
        run.values[self.probe.others.len()..self.first].iter().map(|x| x.max(0.0)).sum()
    }

    /// How often each node is used.
    pub(crate) fn uses<'r>(&self, run: &'r LinearRun) -> &'r [f64] {
        &run.values[self.first..]
    }
}
