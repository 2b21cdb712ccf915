//! What each command does.

pub mod catalog;
pub mod check;
pub mod completions;
pub mod convert;
pub mod explain;
pub mod man;
pub mod pareto;
pub mod schema;
pub mod simulate;
pub mod solve;
pub mod solve_worker;
pub mod what_if;
