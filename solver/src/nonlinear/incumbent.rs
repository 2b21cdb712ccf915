//! The best choice found, how far a choice is from being admissible, and local search for better ones.

use super::graph::{Graph, Id, Op};
use super::instance::{Domains, Instance};
use super::propagate::Hold;

/// Random starts of the local search at the root.
const STARTS: u32 = 6;

/// The best choice found for one goal.
#[derive(Clone, Debug)]
pub struct Incumbent {
    /// Its goal; negative infinity while there is none.
    pub value: f64,
    /// A row of each group; empty while there is none.
    pub rows: Vec<u32>,
    sums: Vec<f64>,
    values: Vec<f64>,
    rest: Vec<f64>,
}

/// What a choice is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// What is maximised.
    pub goal: Id,
    /// Intervals that nodes must lie in.
    pub holds: &'a [Hold],
}

/// How far a choice is from being admissible, then its goal: smaller and larger is better.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score {
    shortfall: f64,
    goal: f64,
}

impl Score {
    /// Better by more than the order of summation can make of it.
    fn beats(self, other: Score) -> bool {
        let margin = 1e-12 * (self.shortfall + other.shortfall);
        if (self.shortfall - other.shortfall).abs() > margin {
            return self.shortfall < other.shortfall;
        }
        self.goal > other.goal + 1e-13 * (self.goal.abs() + other.goal.abs())
    }
}

/// What a truth value lacks to be what is wanted, on a rough scale; 0 when nothing.
fn shortfall(graph: &Graph, values: &[f64], id: Id, wanted: bool) -> f64 {
    let value = values[id as usize];
    if value.is_nan() {
        return 1e3;
    }
    if (value != 0.0) == wanted {
        return 0.0;
    }
    let of = |id: Id| values[id as usize];
    let least = 1e-6;
    match graph.ops[id as usize] {
        Op::AtMost(pair) => least + of(pair.difference).abs() / (1.0 + of(pair.left).abs().max(of(pair.right).abs())),
        Op::Equal(pair) if wanted => {
            least + of(pair.difference).abs() / (1.0 + of(pair.left).abs().max(of(pair.right).abs()))
        }
        Op::And(a, b) if wanted => shortfall(graph, values, a, true) + shortfall(graph, values, b, true),
        Op::Or(a, b) if !wanted => shortfall(graph, values, a, false) + shortfall(graph, values, b, false),
        Op::And(a, b) => shortfall(graph, values, a, false).min(shortfall(graph, values, b, false)),
        Op::Or(a, b) => shortfall(graph, values, a, true).min(shortfall(graph, values, b, true)),
        Op::Linear(1.0, first, 1) if graph.operands(first, 1)[0].0 == -1.0 => {
            shortfall(graph, values, graph.operands(first, 1)[0].1, !wanted)
        }
        _ => 1.0,
    }
}

impl Judge<'_> {
    /// The score of node values.
    fn score(&self, values: &[f64]) -> Score {
        let graph = &self.instance.graph;
        let mut lack: f64 = self.instance.constraints.iter().map(|id| shortfall(graph, values, *id, true)).sum();
        for (id, range) in self.holds {
            let x = values[*id as usize];
            if x.is_nan() {
                lack += 1e3;
            } else if x < range.low || x > range.high {
                lack += 1e-6 + (range.low - x).max(x - range.high) / (1.0 + x.abs());
            }
        }
        for id in &self.instance.goals {
            lack += if values[*id as usize].is_nan() { 1e3 } else { 0.0 };
        }
        Score { shortfall: lack, goal: values[self.goal as usize] }
    }
}

impl Incumbent {
    /// Nothing found yet.
    pub fn new(instance: &Instance) -> Self {
        Incumbent {
            value: f64::NEG_INFINITY,
            rows: Vec::new(),
            sums: vec![0.0; instance.nodes.len()],
            values: vec![0.0; instance.graph.ops.len()],
            rest: vec![0.0; instance.nodes.len()],
        }
    }

    fn score(&mut self, judge: &Judge<'_>, rows: &[u32]) -> Score {
        judge.instance.sums(rows, &mut self.sums);
        judge.instance.graph.evaluate(&self.sums, &mut self.values);
        judge.score(&self.values)
    }

    /// Takes a choice when it is admissible and better; its goal when it is admissible.
    pub fn offer(&mut self, judge: &Judge<'_>, rows: &[u32]) -> Option<f64> {
        let score = self.score(judge, rows);
        if score.shortfall > 0.0 {
            return None;
        }
        if score.goal > self.value {
            self.value = score.goal;
            self.rows.clear();
            self.rows.extend_from_slice(rows);
        }
        Some(score.goal)
    }

    /// Looks at every choice of small domains; the best goal among them, if any is admissible.
    pub fn enumerate(&mut self, judge: &Judge<'_>, domains: &Domains) -> Option<f64> {
        let mut at = vec![0usize; domains.len()];
        let mut rows: Vec<u32> = domains.iter().map(|d| d[0]).collect();
        let mut best: Option<f64> = None;
        loop {
            if let Some(value) = self.offer(judge, &rows) {
                best = Some(best.map_or(value, |b| b.max(value)));
            }
            let mut g = 0;
            loop {
                if g == domains.len() {
                    return best;
                }
                at[g] += 1;
                if at[g] < domains[g].len() {
                    rows[g] = domains[g][at[g]];
                    break;
                }
                at[g] = 0;
                rows[g] = domains[g][0];
                g += 1;
            }
        }
    }

    /// Changes one group after another to its best row until nothing improves; the end is offered.
    pub fn descend(&mut self, judge: &Judge<'_>, domains: &Domains, rows: &mut [u32], stop: &mut dyn FnMut() -> bool) {
        let mut score = self.score(judge, rows);
        let mut unchanged = 0;
        let mut g = 0;
        while unchanged < domains.len() && !stop() {
            unchanged += 1;
            if domains[g].len() > 1
                && let Some((row, better)) = self.best_among(judge, &domains[g], rows, g, score)
            {
                rows[g] = row;
                score = better;
                unchanged = 1;
            }
            g = (g + 1) % domains.len();
        }
        self.offer(judge, rows);
    }

    /// Local search from a few fixed pseudo-random starts.
    pub fn search(&mut self, judge: &Judge<'_>, domains: &Domains, stop: &mut dyn FnMut() -> bool) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..STARTS {
            let mut rows: Vec<u32> = domains
                .iter()
                .map(|d| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    d[(state % d.len() as u64) as usize]
                })
                .collect();
            self.descend(judge, domains, &mut rows, stop);
            if stop() {
                return;
            }
        }
    }

    /// Changes two groups at once, each to one of a few candidates, until nothing improves.
    pub fn exchange(
        &mut self,
        judge: &Judge<'_>,
        candidates: &[Vec<u32>],
        domains: &Domains,
        stop: &mut dyn FnMut() -> bool,
    ) {
        let mut rows = self.rows.clone();
        if rows.is_empty() {
            return;
        }
        let mut score = self.score(judge, &rows);
        let groups = candidates.len();
        let mut improved = true;
        while improved {
            improved = false;
            for a in 0..groups {
                for b in a + 1..groups {
                    if stop() {
                        return;
                    }
                    let before = (rows[a], rows[b]);
                    let mut best: Option<(u32, u32)> = None;
                    for x in &candidates[a] {
                        rows[a] = *x;
                        if let Some((y, better)) = self.best_among(judge, &candidates[b], &rows, b, score) {
                            score = better;
                            best = Some((*x, y));
                        }
                    }
                    (rows[a], rows[b]) = best.unwrap_or(before);
                    improved |= best.is_some();
                }
            }
            if improved {
                self.descend(judge, domains, &mut rows, stop);
                score = self.score(judge, &rows);
            }
        }
        self.offer(judge, &rows);
    }

    /// The best of some rows of one group with the others as they are, if it beats a score.
    fn best_among(
        &mut self,
        judge: &Judge<'_>,
        candidates: &[u32],
        rows: &[u32],
        g: usize,
        than: Score,
    ) -> Option<(u32, Score)> {
        let instance = judge.instance;
        self.rest.fill(0.0);
        for (group, row) in instance.groups.iter().zip(rows).enumerate().filter(|(i, _)| *i != g).map(|(_, x)| x) {
            for (j, x) in group.columns.iter().zip(group.row(*row)) {
                self.rest[*j as usize] += x;
            }
        }
        self.sums.copy_from_slice(&self.rest);
        let group = &instance.groups[g];
        let mut best: Option<(u32, Score)> = None;
        for k in candidates {
            for (j, x) in group.columns.iter().zip(group.row(*k)) {
                self.sums[*j as usize] = self.rest[*j as usize] + x;
            }
            instance.graph.evaluate(&self.sums, &mut self.values);
            let score = judge.score(&self.values);
            if score.beats(best.map_or(than, |(_, s)| s)) {
                best = Some((*k, score));
            }
        }
        best
    }
}
