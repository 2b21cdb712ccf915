//! The store on both of its databases: each test runs on SQLite in a directory of its own and on a PostgreSQL cluster that
//! this program starts for itself and that ends with it.
#![allow(clippy::unwrap_used)]

mod applications;
mod cluster;
mod commits;
mod crash;
mod damage;
mod documents;
mod events;
mod leases;
mod opening;
mod retention;
mod secrets;
mod site;
mod tokens;
mod webhooks;
