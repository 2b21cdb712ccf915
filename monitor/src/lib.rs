//! From raw measurements to the values of metrics that a decision sees.
//!
//! What monitoring stacks send is read in [`ingest`] ([OpenTelemetry](ingest::otlp), [Prometheus](ingest::remote_write)
//! and plain [JSON](ingest::json)), one point after the other, without keeping the message. Each point is an
//! [`Arrival`]: the name and labels of its series, a time, a number or a histogram. The [`Monitor`] of an application
//! takes those that a metric of the model asks for: series are found again by name and labels, counters become
//! increments, samples go into the panes of [windows](window), and [`Monitor::read`] folds the panes into one value per
//! metric, with its time, its number of samples and whether its window was filled. What is computed from these is the
//! business of the language (`cardinal_models`). [`forecast`] says how much of a load to be ready for.
//!
//! Deliberately absent: clocks, threads, randomness, I/O and persistence. Times are Unix milliseconds and passed in; after
//! a restart windows fill anew, and values say so. The cost of a sample does not depend on how many there were before,
//! and memory is bounded by [`Limits`] and the panes of the windows.

#![forbid(unsafe_code)]

mod arrival;
mod buckets;
mod counter;
pub mod forecast;
pub mod ingest;
mod labels;
mod monitor;
mod plan;
mod series;
pub mod slo;
mod stat;
mod window;

pub use arrival::{Arrival, Point, Refusal, Stream, Taken, Tally};
pub use buckets::{Exponential, Histogram, Shape, Side};
pub use labels::Labels;
pub use monitor::{Limits, Monitor, Reading};
pub use plan::Plan;
