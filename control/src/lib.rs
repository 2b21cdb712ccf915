//! The loop: observe, decide, compare, plan, act, record.
//!
//! [`decide`](fn@decide::decide) is a pure function from a [`DecisionInput`] to a [`Decision`]: it solves, scores what runs with the same
//! values, asks the gate, makes the plan and asks the policies. [`ApplicationLoop`] is the state machine around it, one for each application:
//! events come in, and what must be made durable and what must be done come out. Neither reads a clock, draws randomness
//! or does I/O, so that a service ([`host`]), a replay
//! and a [`simulation`](mod@simulate) drive the same code.
#![forbid(unsafe_code)]

mod authority;
pub mod capacity;
pub mod decide;
pub mod decision;
pub mod foresight;
pub mod host;
pub mod input;
pub mod metrics;
pub mod running;
pub mod settings;
pub mod simulate;
pub mod state;
pub mod trigger;

pub use decide::{Resources, Solver, decide};
pub use decision::{Answer, Decision, Next};
pub use input::DecisionInput;
pub use settings::{LoopSettings, Mode};
pub use state::{Act, ApplicationLoop, Event, LoopState, Step, Write};
pub use trigger::Trigger;
