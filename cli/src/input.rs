//! What commands read from files: texts, catalogs, routes, everything that a question is made of, loads.

pub mod catalogs;
pub mod files;
pub mod load;
pub mod model;
pub mod network;
pub mod policies;
pub mod question;
