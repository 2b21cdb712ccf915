//! How volatile the load is now: the scale of the errors to expect.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::season::Season;
use super::solve::Sums;

const FEATURES: usize = 6;
const GAINS: [f64; 2] = [0.25, 1.0 / 45.0];
/// The weights that the regression is pulled to.
const PRIOR: [f64; FEATURES] = [0.2, 0.4, 0.2, 0.2, 0.2, 0.2];
const PULL: f64 = 5.0;
const MEMORY: f64 = 1.0 - 1.0 / 10080.0;
const FIRST_FIT: usize = 240;
const FIT_EVERY: usize = 60;
const SWEEPS: usize = 30;
const LEAST: f64 = 0.005;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Scale {
    lead: usize,
    /// The typical error over a long time.
    slow: f64,
    levels: [f64; GAINS.len()],
    seasons: Vec<Season>,
    sums: Sums,
    weights: Option<Vec<f64>>,
    past: VecDeque<([f64; FEATURES], f64)>,
    steps: usize,
    errors: usize,
}

impl Scale {
    pub(super) fn new(lead: usize, day: usize) -> Self {
        let seasons = match day {
            0 => Vec::new(),
            _ => {
                vec![Season::new(day, 0.35, 10), Season::new(7 * day, 0.5, 10), Season::new((day / 24).max(1), 0.05, 0)]
            }
        };
        Scale {
            lead,
            slow: 0.1,
            levels: [0.1; GAINS.len()],
            seasons,
            sums: Sums::new(FEATURES, MEMORY),
            weights: None,
            past: VecDeque::new(),
            steps: 0,
            errors: 0,
        }
    }

    /// Takes in the error of the last step; `None` when there is none.
    pub(super) fn observe(&mut self, error: Option<f64>) {
        // One burst must not inflate the headroom of a day.
        let clipped = error.map_or(self.slow, |e| e.abs().min(4.0 * self.slow));
        if error.is_some() {
            if let Some((features, slow)) = (self.past.len() >= self.lead).then(|| self.past.front()).flatten() {
                let scaled = features.map(|f| f / slow);
                self.sums.add(&scaled, clipped / slow);
            }
            let gain = (1.0 / 2880.0_f64).max(1.0 / (self.errors as f64 + 20.0));
            self.slow += gain * (clipped - self.slow);
            self.errors += 1;
            for (level, gain) in self.levels.iter_mut().zip(GAINS) {
                *level += gain * (clipped - *level);
            }
        }
        for season in &mut self.seasons {
            season.observe(clipped);
        }
        self.steps += 1;
        if self.steps >= FIRST_FIT && self.steps.is_multiple_of(FIT_EVERY) {
            self.weights = Some(self.sums.non_negative(&PRIOR, PULL, SWEEPS));
        }
        let features = self.features();
        self.past.push_back((features, self.slow));
        if self.past.len() > self.lead {
            self.past.pop_front();
        }
    }

    /// The scale one lead ahead, in logarithms; above 0.
    pub(super) fn ahead(&self) -> f64 {
        let features = self.past.back().map_or([self.slow; FEATURES], |(features, _)| *features);
        let said = match &self.weights {
            Some(weights) => weights.iter().zip(features).map(|(w, f)| w * f).sum(),
            None => features[1],
        };
        said.max(0.3 * self.slow).max(LEAST)
    }

    fn features(&self) -> [f64; FEATURES] {
        let mut features = [self.slow; FEATURES];
        features[..GAINS.len()].copy_from_slice(&self.levels);
        for (i, season) in self.seasons.iter().enumerate() {
            if let Some(usual) = season.one_period_before(self.lead) {
                features[3 + i] = usual;
            }
        }
        features
    }
}
