//! Which actions come before which in every order that the edges allow.

use crate::plan::Action;

/// Answers questions about ancestors.
pub(super) struct Reach<'a> {
    actions: &'a [Action],
}

/// For each asked action the asked ancestors that it has, as a set of positions in the list of asked ancestors.
pub(super) struct Rows {
    words: usize,
    bits: Vec<u64>,
}

impl Rows {
    /// True when the action at `row` comes after the ancestor at `column` in every order.
    pub(super) fn has(&self, row: usize, column: usize) -> bool {
        self.bits[row * self.words + column / 64] >> (column % 64) & 1 == 1
    }

    /// The ancestors of the action at `row`, ascending.
    pub(super) fn ones(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let words = &self.bits[row * self.words..(row + 1) * self.words];
        words
            .iter()
            .enumerate()
            .flat_map(|(w, word)| (0..64).filter(move |b| word >> b & 1 == 1).map(move |b| w * 64 + b))
    }
}

impl<'a> Reach<'a> {
    pub(super) fn new(actions: &'a [Action]) -> Self {
        Reach { actions }
    }

    /// Which of `ancestors` must be done before each of `rows` begins. An action is no ancestor of itself. Sixty-four
    /// ancestors are followed at a time, so the memory stays linear in the size of the plan.
    pub(super) fn rows(&self, rows: &[usize], ancestors: &[usize]) -> Rows {
        let words = ancestors.len().div_ceil(64).max(1);
        let mut bits = vec![0; rows.len() * words];
        let mut seen = vec![0_u64; self.actions.len()];
        let mut own = vec![0_u64; self.actions.len()];
        for (word, chunk) in ancestors.chunks(64).enumerate() {
            let first = chunk.iter().copied().min().unwrap_or(0);
            chunk.iter().enumerate().for_each(|(bit, action)| own[*action] |= 1 << bit);
            for i in first..self.actions.len() {
                let after = &self.actions[i].after;
                seen[i] =
                    after.iter().map(|b| *b as usize).filter(|b| *b >= first).fold(0, |s, b| s | seen[b] | own[b]);
            }
            for (row, action) in rows.iter().enumerate().filter(|(_, action)| **action >= first) {
                bits[row * words + word] = seen[*action];
            }
            chunk.iter().for_each(|action| own[*action] = 0);
            seen[first..].fill(0);
        }
        Rows { words, bits }
    }

    /// Those of the pairs `(ancestor, action)` in which the action does not come after the ancestor in every order.
    pub(super) fn missing(&self, pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let waits = |before: usize, action: usize| self.actions[action].after.binary_search(&(before as u32)).is_ok();
        let mut open: Vec<(usize, usize)> =
            pairs.iter().copied().filter(|(before, action)| !waits(*before, *action)).collect();
        open.sort_unstable();
        let mut missing = Vec::new();
        let mut ancestors: Vec<usize> = open.iter().map(|p| p.0).collect();
        ancestors.dedup();
        for chunk in ancestors.chunks(64) {
            let (low, high) = (chunk[0], chunk[chunk.len() - 1]);
            let asked = &open[open.partition_point(|p| p.0 < low)..open.partition_point(|p| p.0 <= high)];
            let rows: Vec<usize> = asked.iter().map(|p| p.1).collect();
            let found = self.rows(&rows, chunk);
            for (row, pair) in asked.iter().enumerate() {
                let column = chunk.binary_search(&pair.0).unwrap_or(0);
                if !found.has(row, column) {
                    missing.push(*pair);
                }
            }
        }
        missing
    }
}
