//! What commands read from files: texts, configurations, catalogs, routes, everything that a question is made of, loads.

pub mod catalogs;
pub mod config;
pub mod files;
pub mod load;
pub mod model;
pub mod network;
pub mod policies;
pub mod question;
