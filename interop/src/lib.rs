//! Foreign formats to and from the models of Cardinal.
#![forbid(unsafe_code)]

pub mod catalog;
