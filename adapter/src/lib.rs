//! From a solution to a changed deployment.
//!
//! The [`gate`] tells whether a solution is worth applying, the [`diff`] what would change, the [`plan`] in which order;
//! the plan linter judges plans without knowing how they are made. Nothing here reads a clock, draws randomness from
//! outside or does I/O: time is passed in as [`time::UnixMs`], so that a simulation, a service and a test of crashes
//! drive the same code.
#![forbid(unsafe_code)]

pub mod deployment;
pub mod diff;
pub mod digest;
pub mod gate;
pub mod plan;
pub mod rules;
pub mod time;

#[cfg(test)]
mod fixtures;
