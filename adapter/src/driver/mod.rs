//! What carries actions out against a real or simulated cloud.
//!
//! # Writing a driver
//!
//! A driver has two functions. [`Driver::act`] is asked to carry one operation out; [`Driver::observe`] says what there
//! is. Everything else (order, retries, deadlines, undoing, surviving a crash) is done by the executor.
//!
//! 1. **Map the operations** of [`Operation`] to your system: creating a node is buying a machine under the given name,
//!    starting an instance is running the component's installation on it, and so on. Names are given: store them where
//!    you can find them again, such as in a tag of the machine. A system without a balancer answers `Done` to
//!    `Register` and `Drain`.
//! 2. **Answer at once.** Where the work takes longer, begin it and answer [`Progress::Pending`]; the same call with the
//!    same token comes again after the time you name, until you answer `Done`.
//! 3. **Be idempotent, twice over.** The same token again must not do the work again, because the executor repeats calls
//!    whose answer was lost. And an operation whose effect is there already is done: creating a node that exists under
//!    that name, deleting one that does not, starting an instance that runs. With the names given this comes by itself:
//!    look, and act only on a difference.
//! 4. **An undo replaces what is pending.** Registering an instance that is still draining ends the draining.
//! 5. **Say how it failed.** [`FaultClass`] decides whether the executor tries again.
//! 6. **Run [`conformance::check`]** against a test account: it exercises all of the above and says what is missing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::deployment::{InstanceId, NodeId, NodePhase, OfferSnapshot, Parameters};
use crate::digest::Digest;
use crate::plan::Operation;
use crate::time::UnixMs;

pub mod conformance;
pub mod drift;
pub mod simulated;
pub mod webhook;

/// Whether an action is done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Done.
    Do,
    /// Undone.
    Undo,
}

/// What makes a call the same call when it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Token {
    /// The hash of the plan.
    pub plan: Digest,
    /// The index of the action in it.
    pub action: u32,
    /// Whether it is done or undone.
    pub way: Way,
    /// Which of the operations that undo it; 0 when it is done.
    pub step: u8,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.way {
            Way::Do => write!(f, "{}-{}-do", self.plan, self.action),
            Way::Undo => write!(f, "{}-{}-undo-{}", self.plan, self.action, self.step),
        }
    }
}

/// One request to a driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The application whose plan it is.
    pub application: String,
    /// The same for every repetition of the same step.
    pub token: Token,
    /// The number of the attempt, from 1. Not part of the identity.
    pub attempt: u32,
    /// What is to be done.
    pub operation: Operation,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Progress {
    /// Its effect is there.
    Done,
    /// It was begun; ask again with the same call.
    Pending {
        /// After so many milliseconds.
        check_after_ms: u64,
    },
}

/// How a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultClass {
    /// It may succeed when it is tried again.
    Transient,
    /// No answer came: it may have been done or not. It is tried again with the same token.
    Unanswered,
    /// The provider has no machine of this type now. Another decision is needed.
    Capacity,
    /// A limit of the account stands against it. Another decision is needed.
    Quota,
    /// It will not succeed however often it is tried.
    Permanent,
    /// It was not done in time. Given by the executor.
    Deadline,
}

impl FaultClass {
    /// True when trying again may help.
    pub fn is_worth_retrying(self) -> bool {
        match self {
            FaultClass::Transient | FaultClass::Unanswered => true,
            FaultClass::Capacity | FaultClass::Quota | FaultClass::Permanent | FaultClass::Deadline => false,
        }
    }
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// How it failed.
    pub class: FaultClass,
    /// For people. Never holds a secret.
    pub message: String,
}

impl Fault {
    /// A fault of this class.
    pub fn new(class: FaultClass, message: impl Into<String>) -> Self {
        Fault { class, message: message.into() }
    }
}

/// A node that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedNode {
    /// Its name.
    pub id: NodeId,
    /// What it is.
    pub offer: OfferSnapshot,
    /// How far it is.
    pub phase: NodePhase,
}

/// An instance that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInstance {
    /// Its name.
    pub id: InstanceId,
    /// Of which component.
    pub component: String,
    /// Where.
    pub node: NodeId,
    /// True when it can serve.
    pub healthy: bool,
    /// True when the balancer sends requests to it.
    pub registered: bool,
    /// The configuration that it runs with.
    pub parameters: Parameters,
}

/// What there is of one application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When it was looked at, by the provider's clock.
    pub at: UnixMs,
    /// The nodes, ascending by name.
    pub nodes: Vec<ObservedNode>,
    /// The instances, ascending by name.
    pub instances: Vec<ObservedInstance>,
}

/// Carries operations out. See the module for how to write one.
pub trait Driver: Send + Sync {
    /// Carries an operation out, or says how far it is. Repeating a call does no harm.
    ///
    /// # Errors
    /// When it failed; the class says whether to try again.
    fn act(&self, now: UnixMs, call: &Call) -> Result<Progress, Fault>;

    /// What there is of an application. What is gone for good is not in it, what was lost may be, as
    /// [`NodePhase::Lost`].
    ///
    /// # Errors
    /// When it cannot be found out now.
    fn observe(&self, now: UnixMs, application: &str) -> Result<Observation, Fault>;
}
