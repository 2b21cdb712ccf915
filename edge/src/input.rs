//! What a question is made of, from texts: models, catalogs, routes, metric values, the running deployment, scenarios.

pub mod catalogs;
pub mod current;
pub mod metrics;
pub mod model;
pub mod network;
mod place;
pub mod question;
pub mod scenarios;
pub mod text;
