//! What only the whole can show.
//!
//! [`generate`] draws small models over the whole language, [`choices`] such with configurations and free attributes, [`oracle`] enumerates every placement of one and lets the
//! checker and the exact evaluator of `cardinal_models` judge them, [`mod@reference`] formulates linear models a second
//! time with an assignment of instances to offers, [`agreement`] says what the solver's answer must have in common with
//! the oracle's, [`laws`] changes models in ways whose effect is known, and [`cases`] runs a check over many seeds.
//!
//! Nothing here shares code with the solver: only its public answer is looked at.
#![forbid(unsafe_code)]

mod across;
pub mod agreement;
pub mod cases;
pub mod choices;
pub mod draw;
pub mod formulas;
pub mod generate;
pub mod laws;
pub mod mutation;
pub mod oracle;
pub mod reference;
mod several;
pub mod shrink;
pub mod world;
