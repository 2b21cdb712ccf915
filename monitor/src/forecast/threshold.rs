//! The rule that everybody knows: keep utilisation at a target.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::count;

/// A threshold autoscaler as the horizontal one of Kubernetes is: up at once, down to the most that was wanted in the
/// stabilisation window, nothing while utilisation is within the tolerance of the target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Threshold {
    /// Utilisation to keep, of the capacity of an instance, in 0..1.
    pub target: f64,
    /// Part of the target within which nothing is done.
    pub tolerance: f64,
    /// Steps over which the greatest wish counts.
    pub stabilisation: usize,
    recent: VecDeque<u64>,
}

impl Threshold {
    /// A tolerance of 10 % and a stabilisation of so many steps.
    pub fn new(target: f64, stabilisation: usize) -> Self {
        Threshold { target, tolerance: 0.1, stabilisation: stabilisation.max(1), recent: VecDeque::new() }
    }

    /// What to hold after a step, given what serves, what is held (serving and starting together), and how much load
    /// one instance serves at full utilisation. Utilisation is that of what serves, as metrics report it.
    pub fn step(&mut self, serving: u64, held: u64, load: f64, capacity: f64, least: u64) -> u64 {
        let ratio = load / (capacity * serving.max(1) as f64) / self.target;
        let wish = if (ratio - 1.0).abs() <= self.tolerance { held } else { count(load / (capacity * self.target)) };
        let wish = wish.max(least);
        self.recent.push_back(wish);
        if self.recent.len() > self.stabilisation {
            self.recent.pop_front();
        }
        let most = self.recent.iter().copied().max().unwrap_or(wish);
        if wish > held { wish } else { most.min(held) }
    }
}
