//! The centre of the forecast: the last value, corrected by how far it stands from its smoothed levels and by what
//! usually happens at this time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::season::Season;
use super::solve::Sums;

/// Gains of the smoothed levels, from the quickest to the slowest.
const GAINS: [f64; 4] = [0.5, 0.15, 0.05, 1.0 / 240.0];
/// The quick level that seasons are compared with.
const SEASON_LEVEL: usize = 1;
/// The level that says what is normal, for the guard against outages.
pub(super) const CALM_LEVEL: usize = 2;
/// One for the constant, one for each level, two for each season.
const FEATURES: usize = 1 + GAINS.len() + 4;
const MEMORY: f64 = 1.0 - 1.0 / 5760.0;
const RIDGE: f64 = 0.3;
const FIRST_FIT: usize = 120;
const FIT_EVERY: usize = 60;
/// No target may be farther from what was said than so many typical errors.
const CLIP: f64 = 6.0;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Mean {
    lead: usize,
    levels: Option<[f64; GAINS.len()]>,
    seasons: Vec<Season>,
    /// What is typical of each feature, for clipping it.
    sizes: [f64; FEATURES],
    sums: Sums,
    weights: [f64; FEATURES],
    /// Typical error.
    deviation: f64,
    /// Features and values of the last steps, the oldest first.
    past: VecDeque<([f64; FEATURES], f64)>,
    steps: usize,
    one_lead_ago: f64,
}

impl Mean {
    pub(super) fn new(lead: usize, day: usize) -> Self {
        let seasons = if day == 0 { Vec::new() } else { vec![Season::new(day, 0.35, 5), Season::new(7 * day, 0.5, 5)] };
        Mean {
            lead,
            levels: None,
            seasons,
            sizes: [0.0; FEATURES],
            sums: Sums::new(FEATURES, MEMORY),
            weights: [0.0; FEATURES],
            deviation: 0.05,
            past: VecDeque::new(),
            steps: 0,
            one_lead_ago: 0.0,
        }
    }

    /// Takes in the next value, and the error of what was said of it; without one nothing is learned.
    pub(super) fn observe(&mut self, y: f64, error: Option<f64>) {
        if let (Some(error), Some((features, then))) = (error, self.one_lead_back()) {
            let said = dot(&self.weights, &features);
            let reach = CLIP * self.deviation;
            self.sums.add(&features, (y - then).clamp(said - reach, said + reach));
            self.deviation += 0.002 * (error.abs().min(10.0 * self.deviation) - self.deviation);
        }
        self.one_lead_ago = self.one_lead_back().map_or(y, |(_, then)| then);
        let levels = self.levels.get_or_insert([y; GAINS.len()]);
        for (level, gain) in levels.iter_mut().zip(GAINS) {
            *level += gain * (y - *level);
        }
        for season in &mut self.seasons {
            season.observe(y);
        }
        self.steps += 1;
        if self.steps >= FIRST_FIT
            && self.steps.is_multiple_of(FIT_EVERY)
            && let Some(weights) = self.sums.ridge(RIDGE)
        {
            self.weights.copy_from_slice(&weights);
        }
        let features = self.features(y);
        self.past.push_back((features, y));
        if self.past.len() > self.lead {
            self.past.pop_front();
        }
    }

    /// The centre one lead ahead.
    pub(super) fn ahead(&self, y: f64) -> f64 {
        self.past.back().map_or(y, |(features, _)| y + dot(&self.weights, features))
    }

    /// The value of the step at which the last outcome was forecast.
    pub(super) fn level_one_lead_ago(&self) -> f64 {
        self.one_lead_back().map_or(self.one_lead_ago, |(_, then)| then)
    }

    /// The smoothed level that says what is normal.
    pub(super) fn calm(&self) -> Option<f64> {
        self.levels.map(|levels| levels[CALM_LEVEL])
    }

    fn one_lead_back(&self) -> Option<([f64; FEATURES], f64)> {
        (self.past.len() >= self.lead).then(|| self.past.front().copied()).flatten()
    }

    fn features(&mut self, y: f64) -> [f64; FEATURES] {
        let levels = self.levels.unwrap_or([y; GAINS.len()]);
        let mut features = [0.0; FEATURES];
        features[0] = 0.1;
        for (i, level) in levels.iter().enumerate() {
            features[1 + i] = level - y;
        }
        for (i, season) in self.seasons.iter().enumerate() {
            let at = 1 + GAINS.len() + 2 * i;
            if let (Some(then), Some(before)) = (season.one_period_before(self.lead), season.one_period_before(0)) {
                features[at] = then - before;
                features[at + 1] = then - levels[SEASON_LEVEL];
            }
        }
        for (feature, size) in features.iter_mut().zip(&mut self.sizes).skip(1) {
            *size += (feature.abs().min(1.0) - *size) / 1440.0;
            let most = 4.0 * *size + 0.01;
            *feature = feature.clamp(-most, most);
        }
        features
    }
}

fn dot(weights: &[f64], features: &[f64]) -> f64 {
    weights.iter().zip(features).map(|(w, f)| w * f).sum()
}
