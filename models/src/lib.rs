//! The language of Cardinal.
//!
//! This crate says what an application model, an offer, a placement and a formula *mean*: it parses, resolves, checks
//! units, evaluates formulas exactly on a placement and judges whether a placement obeys every rule. It does no I/O,
//! reads no clock and depends on no other room. The solver's answers are judged by [`verify`], which shares no code
//! with the solver's encoder.
//!
//! The layers, each with a type of its own:
//! text → [`document::ModelDocument`] (decoded, with places) → [`application::Application`] (names resolved, formulas
//! typed) → [`snapshot::Snapshot`] (with catalog, metric values and what runs now).
#![forbid(unsafe_code)]

pub mod admissible;
pub mod application;
pub mod catalog;
pub mod commitment;
pub mod decode;
pub mod diagnostic;
pub mod division;
pub mod document;
pub mod evaluate;
pub mod formula;
pub mod location;
pub mod offer;
pub mod placement;
pub mod quantity;
pub mod requirement;
pub mod resolve;
pub mod schema;
pub mod snapshot;
pub mod solution;
pub mod span;
pub mod tolerance;
pub mod unit;
pub mod verify;
pub mod worth;
pub mod write;

#[cfg(test)]
mod fixtures;
