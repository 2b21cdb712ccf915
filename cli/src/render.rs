//! How findings and answers are shown.

pub mod conflict;
pub mod diagnostics;
pub mod front;
pub mod network;
pub mod numbers;
pub mod objectives;
pub mod offers;
pub mod service;
pub mod simulate;
pub mod style;
pub mod table;
pub mod traffic;
pub mod what_if;
pub mod why;
pub mod why_not;
