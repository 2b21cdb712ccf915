//! From a solution to a changed deployment.
//!
//! The [`diff`] says what would change, the [`gate`] whether that is worth it, the [`plan`] in which order it happens; the
//! plan linter judges plans without knowing how they are made. [`authorise`] asks policies whether a plan may begin. [`execute`] carries a plan out through a [`driver`], with a
//! [`journal`] that survives crashes. Nothing here reads a clock, draws randomness from
//! outside or does I/O: time is passed in as [`time::UnixMs`], so that a simulation, a service and a test of crashes
//! drive the same code.
#![forbid(unsafe_code)]

pub mod authorise;
pub mod deployment;
pub mod diff;
pub mod digest;
pub mod driver;
pub mod execute;
pub mod gate;
pub mod journal;
pub mod plan;
pub mod rules;
pub mod time;

#[cfg(test)]
mod fixtures;
