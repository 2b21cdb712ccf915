//! What comes in and goes out at every edge of Cardinal, whether a command line, a service or a worker process stands
//! there: models, catalogs, metric values and deployments from texts ([`input`]), solves and what-ifs of them
//! ([`solve`], [`what_if`], [`front`]), and answers, reasons and findings as documents whose fields are a contract
//! ([`answer`], [`explanation`], [`finding`]).
//!
//! Deliberately absent: files, terminals, sockets, arguments, and today's date, which is passed in. A text comes with the
//! name that messages about it use.
#![forbid(unsafe_code)]

pub mod answer;
pub mod crew;
pub mod date;
pub mod explanation;
pub mod failure;
pub mod finding;
pub mod front;
pub mod input;
pub mod job;
pub mod solve;
pub mod what_if;
pub mod write;
