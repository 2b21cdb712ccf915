//! The HTTP edge of the service: resources under `/v1`, authentication, events, jobs, webhooks, and the OpenAPI document
//! that is generated from the router.
//!
//! Everything goes through the store ([`cardinal_store`]): a model that is submitted, values of metrics, orders of people.
//! The loop is seen only through [`Loop::ping`], so that any replica can answer any request without leading anything.
//! What is solved here is solved by worker processes, and changes nothing.
//!
//! A route is added together with the scope that it needs ([`scope::Routes`]); one without does not compile.
//!
//! Deliberately absent: deciding, planning and acting, files, arguments and the clock, which are passed in.
#![forbid(unsafe_code)]

pub mod body;
mod brisk;
mod connection;
mod counters;
mod deliver;
mod documented;
mod gate;
mod idempotency;
pub mod jobs;
mod models;
mod oidc;
mod openapi;
mod options;
pub mod outbound;
pub mod page;
pub mod problem;
mod rate;
pub mod resources;
pub mod scope;
mod serve;
mod service;
mod settings;
mod tls;

pub use oidc::OidcOptions;
pub use openapi::router;
pub use options::{Options, Tls};
pub use serve::{ServeError, serve};
pub use service::{Loop, Parts, Service};
