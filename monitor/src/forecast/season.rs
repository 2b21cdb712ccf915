//! What a value usually is at this time of a day or a week.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// A smoothed profile over one period.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Season {
    period: usize,
    /// How much of a new period goes into the profile.
    gain: f64,
    /// Steps on each side that are averaged.
    half_width: usize,
    /// By position in the period; NaN is written as nothing.
    profile: Vec<Option<f64>>,
    recent: VecDeque<f64>,
    steps: usize,
}

impl Season {
    pub(super) fn new(period: usize, gain: f64, half_width: usize) -> Self {
        Season { period, gain, half_width, profile: vec![None; period], recent: VecDeque::new(), steps: 0 }
    }

    /// Takes in the value of the next step.
    pub(super) fn observe(&mut self, value: f64) {
        let width = 2 * self.half_width + 1;
        self.recent.push_back(value);
        if self.recent.len() > width {
            self.recent.pop_front();
        }
        self.steps += 1;
        // The window is centred: the step that it speaks of is half a width ago.
        let Some(centre) = self.steps.checked_sub(1 + self.half_width) else { return };
        if self.recent.len() < width {
            return;
        }
        let mean = self.recent.iter().sum::<f64>() / width as f64;
        let slot = &mut self.profile[centre % self.period];
        *slot = Some(slot.map_or(mean, |old| self.gain * mean + (1.0 - self.gain) * old));
    }

    /// What it was one period before the step that is `ahead` after the last one.
    pub(super) fn one_period_before(&self, ahead: usize) -> Option<f64> {
        // The slot must not have been overwritten yet by the period that is now under way.
        if self.steps == 0 || self.steps - 1 + ahead < self.period || ahead + self.half_width >= self.period {
            return None;
        }
        self.profile[(self.steps - 1 + ahead) % self.period]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_comes_back_after_one_period() {
        let mut season = Season::new(10, 0.5, 1);
        for i in 0..10 {
            season.observe((i * i) as f64);
            assert_eq!(season.one_period_before(0), None);
        }
        // The last step is 9; two ahead is step 11, one period before it step 1: the mean of 0, 1, 4.
        let usual = season.one_period_before(2);
        assert!(usual.is_some_and(|x| (x - 5.0 / 3.0).abs() < 1e-12), "{usual:?}");
        assert_eq!(season.one_period_before(9), None, "too far ahead to be told apart");
    }
}
