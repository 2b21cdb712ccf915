//! Solving in a process of its own.
//!
//! A solve runs for as long as it likes inside an engine that nobody can interrupt for certain, and a crash of the
//! engine takes its process along. Here the process is one that can be spared: the parent ([`Worker`], [`Pool`]) starts
//! it, gives it a [`Job`], follows what it says, and ends it when it is over its time or its memory; what goes wrong is a
//! [`Failure`] of that job alone, with the best answer that was known by then. The child's side is [`serve`].
//!
//! Between them go lines of JSON ([`wire`]): requests on the child's standard input, messages on its standard output.
//! The child ends when its standard input does, so that it never outlives its parent.
//!
//! Deliberately absent: what a model means and how it is solved. A job holds texts, an answer is text; the child hands
//! both to whoever calls [`serve`].
#![forbid(unsafe_code)]

mod confine;
mod line;
mod parent;
mod pool;
mod serve;
pub mod wire;

pub use confine::{ConfineError, confine};
pub use parent::{Cause, Failure, Program, StartError, Watch, Worker};
pub use pool::Pool;
pub use serve::{Desk, serve};
pub use wire::{Answer, CatalogText, Form, Job, Phase, Purpose, Text};
