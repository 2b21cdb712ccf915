//! The solver: from a snapshot to the proven best placement.
//!
//! The steps, each a module: bind the formulas ([`bound`], [`term`]), find and reduce what can be chosen from
//! ([`space`], [`range`]), list or generate what shared nodes can host
//! ([`pattern`], [`packing`]), take the objective apart ([`objective`]), split
//! the model into independent sub-problems ([`cluster`]), formulate and solve each ([`formulation`], [`program`],
//! [`engine`]), put the answers together and have them checked by `cardinal_models::verify` ([`mod@solve`]). Several
//! objectives are solved one after the other (`ranked`).
//!
//! Deliberately absent: I/O, threads, randomness, and the wall clock except for the deadline.

pub mod bound;
pub mod cluster;
mod covered;
pub mod decimal;
mod division;
pub mod engine;
pub mod explain;
pub mod formulation;
mod joint;
pub mod linked;
pub mod nonlinear;
pub mod objective;
pub mod packing;
pub mod pareto;
pub mod pattern;
pub mod program;
pub mod range;
mod ranked;
pub mod selector;
pub mod sieve;
mod solve;
pub mod space;
mod spatial;
pub mod term;
pub mod what_if;
pub mod wide;

pub use solve::{Nonlinear, Outcome, Packing, Reduction, Report, Settings, SolveError, Timing, solve};
