//! What commands read: files, models, catalogs, metric values, the running deployment.

pub mod catalogs;
pub mod current;
pub mod files;
pub mod load;
pub mod metrics;
pub mod model;
pub mod network;
pub mod policies;
pub mod question;
