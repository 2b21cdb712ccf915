//! What monitoring stacks send, read point by point.
//!
//! A message is walked and never kept: whatever its size says it holds, memory goes to one point at a time. A message that
//! breaks off or is no message at all is [`Malformed`]; a point that means nothing is refused alone.

pub mod json;
pub mod otlp;
mod otlp_json;
mod packed;
pub mod remote_write;
mod wire;

pub use packed::{gunzip, unsnap};

use crate::arrival::{Arrival, Refusal, Taken};

/// A message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is larger than may be, or would be when unpacked.
    #[error("{what} is larger than {limit} bytes; send smaller batches")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// It is packed in a way that cannot be undone.
    #[error("the body is not {0}")]
    NotPacked(&'static str),
    /// It is no message of its kind.
    #[error("the body is no {message}: {reason}")]
    NoMessage {
        /// The kind.
        message: &'static str,
        /// Why.
        reason: String,
    },
}

impl Malformed {
    fn message(message: &'static str, reason: impl Into<String>) -> Self {
        Malformed::NoMessage { message, reason: reason.into() }
    }
}

/// Who takes the points of a message.
pub trait Sink {
    /// Takes a point.
    ///
    /// # Errors
    /// Why it is not taken.
    fn point(&mut self, arrival: &Arrival<'_>) -> Result<Taken, Refusal>;

    /// Counts a point that could not be made.
    fn refuse(&mut self, refusal: Refusal);
}

/// How many points of a message were accepted, whether a metric asks for them or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Numbers.
    pub samples: u64,
    /// Histograms.
    pub histograms: u64,
}
