//! What each command does.

pub mod catalog;
pub mod check;
pub mod completions;
pub mod config;
pub mod convert;
pub mod database;
pub mod explain;
pub mod man;
pub mod pareto;
pub mod replay;
pub mod schema;
pub mod serve;
pub mod service;
pub mod simulate;
pub mod solve;
pub mod solve_worker;
pub mod token;
pub mod what_if;
