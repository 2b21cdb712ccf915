//! Linear programs that grow: the restricted master of column generation.
//!
//! A session keeps the engine's factorised basis between solves, so that a few new columns cost a few pivots.

use super::highs::Session;
use super::{Engine, EngineError, Limits, Milp, RunStatus};

/// A column to be added to a linear program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// Objective coefficient.
    pub cost: f64,
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// Rows with their coefficients, each row at most once.
    pub entries: Vec<(usize, f64)>,
}

/// The solution of a linear program.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearRun {
    /// How it ended.
    pub status: RunStatus,
    /// The value of the objective.
    pub objective: f64,
    /// The value of each column.
    pub values: Vec<f64>,
    /// The dual of each row: what the objective gains per unit of its right side.
    pub duals: Vec<f64>,
}

/// A linear program that is solved again and again with more columns.
pub struct LinearProgram {
    session: Session,
    columns: usize,
    rows: usize,
}

impl LinearProgram {
    /// The linear relaxation of a program.
    ///
    /// # Errors
    ///
    /// When the engine refuses the matrix.
    pub fn new(milp: &Milp) -> Result<Self, EngineError> {
        Ok(LinearProgram { session: Session::new(milp)?, columns: milp.columns(), rows: milp.rows() })
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Adds columns; the basis is kept.
    ///
    /// # Errors
    ///
    /// When the engine refuses them.
    pub fn add(&mut self, columns: &[Column]) -> Result<(), EngineError> {
        if columns.is_empty() {
            return Ok(());
        }
        debug_assert!(columns.iter().flat_map(|c| &c.entries).all(|(row, _)| *row < self.rows));
        self.session.add_columns(columns)?;
        self.columns += columns.len();
        Ok(())
    }

    /// Changes the bounds of a column.
    ///
    /// # Errors
    ///
    /// When the engine refuses them.
    pub fn bound(&mut self, column: usize, lower: f64, upper: f64) -> Result<(), EngineError> {
        debug_assert!(column < self.columns);
        self.session.bound(column, lower, upper)
    }

    /// Changes the objective coefficient of a column.
    ///
    /// # Errors
    ///
    /// When the engine refuses it.
    pub fn charge(&mut self, column: usize, cost: f64) -> Result<(), EngineError> {
        debug_assert!(column < self.columns);
        self.session.charge(column, cost)
    }

    /// Solves the program from the last basis.
    ///
    /// # Errors
    ///
    /// When the engine fails.
    pub fn solve(&mut self, limits: &Limits) -> Result<LinearRun, EngineError> {
        if limits.engine == Engine::Off {
            return Err(EngineError::SwitchedOff);
        }
        self.session.solve(limits, self.columns, self.rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// min 3a + 2b, a + b >= 4, a >= 1; then a column c = a + b at 1.5 each.
    #[test]
    fn columns_are_added_to_a_solved_program() {
        let mut milp = Milp::default();
        let (a, b) = (milp.add_column(0.0, 10.0, false), milp.add_column(0.0, 10.0, false));
        milp.cost = vec![3.0, 2.0];
        milp.add_row(4.0, f64::INFINITY, [(a, 1.0), (b, 1.0)]);
        milp.add_row(1.0, f64::INFINITY, [(a, 1.0)]);
        let mut program = LinearProgram::new(&milp).unwrap();
        let first = program.solve(&Limits::default()).unwrap();
        assert!((first.objective - 9.0).abs() < 1e-9, "{first:?}");
        assert!((first.duals[0] - 2.0).abs() < 1e-9 && (first.duals[1] - 1.0).abs() < 1e-9, "{first:?}");
        let c = Column { cost: 1.5, lower: 0.0, upper: 10.0, entries: vec![(0, 1.0), (1, 1.0)] };
        program.add(&[c]).unwrap();
        let second = program.solve(&Limits::default()).unwrap();
        assert!((second.objective - 6.0).abs() < 1e-9, "{second:?}");
        program.bound(0, 2.0, 10.0).unwrap();
        program.charge(2, 1.0).unwrap();
        let third = program.solve(&Limits::default()).unwrap();
        assert!((third.objective - 8.0).abs() < 1e-9, "{third:?}");
        assert_eq!(third.status, RunStatus::Optimal);
    }
}
