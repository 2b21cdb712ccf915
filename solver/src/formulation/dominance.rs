//! Rows of a uniform component that another row beats in everything that the program can see are switched off: in the
//! objective, in every row that they stand in, in cost, in nodes and in running nodes kept.

use rustc_hash::FxHashMap;

use super::{Block, Formulation, Linear};

/// After so many comparisons the rest of a block is left as it is: the program stays right, only larger.
const MOST_COMPARISONS: usize = 20_000_000;

/// How a program row judges a column: a smaller coefficient is better, a larger one, or neither.
#[derive(Clone, Copy, PartialEq)]
enum Sense {
    Smaller,
    Larger,
    Exact,
}

impl Formulation<'_> {
    /// Switches off dominated columns of uniform blocks. `value` is what is maximised; `cost` and `nodes` decide among
    /// equals, and after them how much of what runs is kept.
    pub(crate) fn drop_dominated(&mut self, value: &Linear, cost: &Linear, nodes: &Linear) {
        for at in 0..self.blocks.len() {
            let Block::Uniform { component, choices, rows, first } = &self.blocks[at] else { continue };
            let (first, length) = (*first, rows.len());
            if length < 3 {
                continue;
            }
            let running = self.running_on(*component);
            let mut vectors: Vec<Vec<f64>> = rows
                .iter()
                .map(|row| {
                    let offer = row.offer.map(|o| choices.offers[o as usize]);
                    let kept = running.iter().find(|(o, _)| Some(*o) == offer).map_or(0, |(_, n)| row.n.min(*n));
                    vec![-f64::from(kept)]
                })
                .collect();
            for (expression, sign) in [(value, -1.0), (cost, 1.0), (nodes, 1.0)] {
                let mut coefficients = vec![0.0; length];
                for (column, x) in &expression.terms {
                    if (first..first + length).contains(column) {
                        coefficients[column - first] += sign * x;
                    }
                }
                vectors.iter_mut().zip(coefficients).for_each(|(v, x)| v.push(x));
            }
            let mut keys: Vec<Vec<u64>> = vec![Vec::new(); length];
            self.see_rows(first, length, &mut vectors, &mut keys);
            // A column that is switched off already beats nothing.
            let open: Vec<usize> = (0..length).filter(|j| self.milp.upper[first + j] > 0.0).collect();
            for column in dominated(open, &vectors, &keys) {
                self.milp.upper[first + column] = 0.0;
            }
        }
    }

    /// Adds to each column of a block what the rows of the program see of it.
    fn see_rows(&self, first: usize, length: usize, vectors: &mut [Vec<f64>], keys: &mut [Vec<u64>]) {
        let milp = &self.milp;
        for i in 0..milp.rows() {
            let begin = milp.row_start[i] as usize;
            let end = milp.row_start.get(i + 1).map_or(milp.index.len(), |e| *e as usize);
            let inside = |c: i32| (first..first + length).contains(&(c as usize));
            if !milp.index[begin..end].iter().any(|c| inside(*c)) {
                continue;
            }
            let is_choice = end - begin == length && milp.row_lower[i] == 1.0 && milp.row_upper[i] == 1.0;
            if is_choice && milp.value[begin..end].iter().all(|x| *x == 1.0) {
                continue;
            }
            let sense = match (milp.row_lower[i].is_infinite(), milp.row_upper[i].is_infinite()) {
                (true, _) => Sense::Smaller,
                (_, true) => Sense::Larger,
                _ => Sense::Exact,
            };
            let mut coefficients = vec![0.0; length];
            for k in begin..end {
                if inside(milp.index[k]) {
                    coefficients[milp.index[k] as usize - first] += milp.value[k];
                }
            }
            for (j, x) in coefficients.into_iter().enumerate() {
                match sense {
                    Sense::Smaller => vectors[j].push(x),
                    Sense::Larger => vectors[j].push(-x),
                    Sense::Exact => keys[j].push(x.to_bits()),
                }
            }
        }
    }
}

/// Those of some positions that another of them with an equal key dominates; of equals the first stays.
fn dominated(mut order: Vec<usize>, vectors: &[Vec<f64>], keys: &[Vec<u64>]) -> Vec<usize> {
    let mut fronts: FxHashMap<&[u64], Vec<usize>> = FxHashMap::default();
    // In lexicographic order a position can only be dominated by an earlier one.
    order.sort_by(|a, b| {
        let pairs = vectors[*a].iter().zip(&vectors[*b]).map(|(x, y)| x.total_cmp(y));
        pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.cmp(b))
    });
    let (mut dropped, mut comparisons) = (Vec::new(), 0);
    for at in order {
        let front = fronts.entry(keys[at].as_slice()).or_default();
        comparisons += front.len();
        if comparisons > MOST_COMPARISONS {
            break;
        }
        if front.iter().any(|f| vectors[*f].iter().zip(&vectors[at]).all(|(x, y)| x <= y)) {
            dropped.push(at);
        } else {
            front.push(at);
        }
    }
    dropped
}
