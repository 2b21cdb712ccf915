//! Small least-squares problems that forget.

use serde::{Deserialize, Serialize};

/// The sums of a regression with decaying weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sums {
    size: usize,
    decay: f64,
    squares: Vec<f64>,
    products: Vec<f64>,
}

impl Sums {
    pub(super) fn new(size: usize, decay: f64) -> Self {
        Sums { size, decay, squares: vec![0.0; size * size], products: vec![0.0; size] }
    }

    /// One more observation: the features and the target.
    pub(super) fn add(&mut self, features: &[f64], target: f64) {
        for i in 0..self.size {
            for j in 0..self.size {
                let cell = &mut self.squares[i * self.size + j];
                *cell = self.decay * *cell + features[i] * features[j];
            }
            self.products[i] = self.decay * self.products[i] + target * features[i];
        }
    }

    /// The weights of the ridge regression: `(A + ridge I)⁻¹ b`, by Cholesky.
    pub(super) fn ridge(&self, ridge: f64) -> Option<Vec<f64>> {
        let n = self.size;
        let mut lower = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..=i {
                let mut sum = self.squares[i * n + j] + if i == j { ridge } else { 0.0 };
                for k in 0..j {
                    sum -= lower[i * n + k] * lower[j * n + k];
                }
                if i != j {
                    lower[i * n + j] = sum / lower[j * n + j];
                } else if sum > 0.0 {
                    lower[i * n + i] = sum.sqrt();
                } else {
                    return None;
                }
            }
        }
        let mut x = self.products.clone();
        for i in 0..n {
            for k in 0..i {
                x[i] -= lower[i * n + k] * x[k];
            }
            x[i] /= lower[i * n + i];
        }
        for i in (0..n).rev() {
            for k in i + 1..n {
                x[i] -= lower[k * n + i] * x[k];
            }
            x[i] /= lower[i * n + i];
        }
        x.iter().all(|w| w.is_finite()).then_some(x)
    }

    /// Non-negative weights, pulled towards `prior` with strength `pull`: coordinate descent.
    pub(super) fn non_negative(&self, prior: &[f64], pull: f64, sweeps: usize) -> Vec<f64> {
        let n = self.size;
        let mut weights = prior.to_vec();
        for _ in 0..sweeps {
            for i in 0..n {
                let others: f64 = (0..n).filter(|j| *j != i).map(|j| self.squares[i * n + j] * weights[j]).sum();
                let rest = self.products[i] + pull * prior[i] - others;
                weights[i] = (rest / (self.squares[i * n + i] + pull)).max(0.0);
            }
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regressions_find_what_made_the_data() {
        let (mut sums, mut random) = (Sums::new(3, 1.0), fastrand::Rng::with_seed(7));
        for _ in 0..500 {
            let f = [random.f64(), random.f64() - 0.5, random.f64()];
            sums.add(&f, 2.0 * f[0] - 3.0 * f[1]);
        }
        let free = sums.ridge(1e-9).unwrap_or_default();
        for (found, made) in free.iter().zip([2.0, -3.0, 0.0]) {
            assert!((found - made).abs() < 1e-6, "{free:?}");
        }
        let bounded = sums.non_negative(&[0.0; 3], 1e-9, 200);
        assert!(bounded[0] > 1.0 && bounded[1] == 0.0, "{bounded:?}");
    }

    #[test]
    fn old_data_is_forgotten() {
        let mut sums = Sums::new(1, 0.9);
        for _ in 0..200 {
            sums.add(&[1.0], 5.0);
        }
        for _ in 0..200 {
            sums.add(&[1.0], 1.0);
        }
        let weights = sums.ridge(0.0).unwrap_or_default();
        assert!((weights[0] - 1.0).abs() < 1e-6, "{weights:?}");
    }
}
