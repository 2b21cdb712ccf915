//! Rows of a group that another open row beats in everything that the goals and constraints can see.

use rustc_hash::FxHashMap;

use super::graph::{Id, Op};
use super::instance::{Group, Instance};
use super::interval::Interval;

/// After so many comparisons the rest of a group is left as it is: the search stays right, only larger.
const MOST_COMPARISONS: usize = 20_000_000;

/// Which way a node should move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Direction {
    /// More may be better.
    pub up: bool,
    /// Less may be better.
    pub down: bool,
}

impl Direction {
    const BOTH: Direction = Direction { up: true, down: true };

    fn join(&mut self, other: Direction) {
        self.up |= other.up;
        self.down |= other.down;
    }

    fn flip(self) -> Self {
        Direction { up: self.down, down: self.up }
    }
}

/// The buffers of the search for dominated rows.
#[derive(Clone, Debug, Default)]
pub struct Dominance {
    /// What the tables allow each node to be.
    boxes: Vec<Interval>,
    nodes: Vec<Direction>,
    /// For each aggregate which way it should move.
    pub sums: Vec<Direction>,
}

impl Dominance {
    /// Finds for each aggregate which way it should move, from what the tables allow on the open rows: a choice of open
    /// rows that is no worse in every direction has goals that are no worse and keeps every constraint. Intervals that
    /// were narrowed by constraints would not do: the better choice may lie outside of them. Sums that the node of the
    /// search holds in `ranges` may only move inwards: what lies outside of them is looked at elsewhere, and there the
    /// choice that is dropped here could be what a better one is dropped for.
    pub fn look(&mut self, instance: &Instance, natural: &[Interval], ranges: &[Interval], partial: &[bool]) {
        let graph = &instance.graph;
        let Dominance { boxes, nodes, sums } = self;
        boxes.resize(graph.ops.len(), Interval::EMPTY);
        for (i, op) in graph.ops.iter().enumerate() {
            boxes[i] = graph.forward(*op, natural, boxes);
        }
        let of = |id: Id| boxes[id as usize];
        nodes.clear();
        nodes.resize(graph.ops.len(), Direction::default());
        instance.goals.iter().for_each(|id| nodes[*id as usize].up = true);
        for id in &instance.constraints {
            if !of(*id).holds() {
                nodes[*id as usize].up = true;
            } else if partial[*id as usize] {
                // It holds wherever it has a value.
                nodes[*id as usize] = Direction::BOTH;
            }
        }
        for (i, op) in graph.ops.iter().enumerate().rev() {
            let own = nodes[i];
            if own == Direction::default() {
                continue;
            }
            let mut give = |id: Id, d: Direction| nodes[id as usize].join(d);
            let signed = |x: Interval| {
                if x.low >= 0.0 {
                    own
                } else if x.high <= 0.0 {
                    own.flip()
                } else {
                    Direction::BOTH
                }
            };
            match *op {
                Op::Constant(_) | Op::Aggregate(_) => {}
                Op::Linear(_, first, count) => {
                    for (c, id) in graph.operands(first, count) {
                        give(*id, if *c >= 0.0 { own } else { own.flip() });
                    }
                }
                Op::Product(a, b) => {
                    give(a, signed(of(b)));
                    give(b, signed(of(a)));
                }
                Op::Power(a, p) => {
                    let x = of(a);
                    let (is_whole, is_even) = (p.fract() == 0.0, p % 2.0 == 0.0);
                    let rises = match (p > 0.0, x.low > 0.0 || (p > 0.0 && x.low >= 0.0), x.high < 0.0) {
                        (rises, true, _) => Some(rises),
                        // Odd powers rise on both sides of 0.
                        (true, ..) if is_whole && !is_even => Some(true),
                        (rises, _, true) if is_whole => Some(rises != is_even),
                        _ => None,
                    };
                    let d = match rises {
                        Some(true) => own,
                        Some(false) => own.flip(),
                        None => Direction::BOTH,
                    };
                    give(a, d);
                }
                Op::Exp(a) => give(a, if of(a).high < 700.0 { own } else { Direction::BOTH }),
                Op::Decay(a) => give(a, if of(a).size() < 700.0 { own } else { Direction::BOTH }),
                Op::Log(a) => give(a, if of(a).low > 0.0 || !own.down { own } else { Direction::BOTH }),
                Op::Abs(a) => give(a, signed(of(a))),
                Op::Min(a, b) | Op::Max(a, b) => {
                    let is_min = matches!(op, Op::Min(..));
                    let (x, y) = (of(a), of(b));
                    // The arm that is never taken does not matter, as long as it has a value.
                    let never = |own: Interval, other: Interval| {
                        if is_min { own.low >= other.high } else { own.high <= other.low }
                    };
                    let (first, second) = (never(x, y) && !never(y, x), never(y, x));
                    for (id, skipped) in [(a, first), (b, second)] {
                        if !skipped {
                            give(id, own);
                        } else if partial[id as usize] {
                            give(id, Direction::BOTH);
                        }
                    }
                }
                Op::And(a, b) | Op::Or(a, b) => {
                    if partial[b as usize] {
                        give(a, Direction::BOTH);
                        give(b, Direction::BOTH);
                    } else {
                        give(a, own);
                        give(b, own);
                    }
                }
                Op::If(c, a, b) => {
                    let condition = of(c);
                    if condition.holds() || condition.fails() {
                        give(if condition.holds() { a } else { b }, own);
                        if partial[c as usize] {
                            give(c, Direction::BOTH);
                        }
                    } else {
                        give(c, Direction::BOTH);
                        let d = if partial[a as usize] || partial[b as usize] { Direction::BOTH } else { own };
                        give(a, d);
                        give(b, d);
                    }
                }
                Op::AtMost(pair) => {
                    give(pair.difference, own.flip());
                    for side in [pair.left, pair.right] {
                        if partial[side as usize] {
                            give(side, Direction::BOTH);
                        }
                    }
                }
                Op::Equal(pair) => give(pair.difference, Direction::BOTH),
                Op::Call(function, a) => {
                    use cardinal_models::formula::function::Function;
                    let inside = of(a).low >= -1.0 && of(a).high <= 1.0;
                    let d = match function {
                        Function::Log2 | Function::Log10 if of(a).low > 0.0 || !own.down => own,
                        Function::Floor | Function::Ceil | Function::Round | Function::Sign | Function::Atan => own,
                        Function::Asin if inside => own,
                        Function::Acos if inside => own.flip(),
                        _ => Direction::BOTH,
                    };
                    give(a, d);
                }
                Op::Opaque(_, first, count) => {
                    for (_, id) in graph.operands(first, count) {
                        give(*id, Direction::BOTH);
                    }
                }
            }
        }
        sums.clear();
        sums.extend(instance.nodes.iter().zip(ranges).zip(natural).map(|((id, range), natural)| {
            let mut direction = nodes[*id as usize];
            direction.join(Direction { up: range.low > natural.low, down: range.high < natural.high });
            direction
        }));
    }

    /// The directions of a group as a number: what they have found dominated they need not look at again.
    pub fn signature(&self, group: &Group) -> u64 {
        let bits = |j: &u32| {
            let d = self.sums[*j as usize];
            u64::from(d.up) | u64::from(d.down) << 1
        };
        group.columns.iter().fold(1469598103934665603, |hash, j| (hash ^ bits(j)).wrapping_mul(1099511628211))
    }

    /// The rows of a domain that no other one of it dominates, ascending; of equals the first stays.
    pub fn undominated(&self, group: &Group, domain: &[u32]) -> Vec<u32> {
        // As the comparison sees them: first what must be equal, then what must not be larger.
        let columns: Vec<(usize, Direction)> =
            group.columns.iter().enumerate().map(|(c, j)| (c, self.sums[*j as usize])).collect();
        let exact: Vec<usize> = columns.iter().filter(|(_, d)| *d == Direction::BOTH).map(|(c, _)| *c).collect();
        let ordered: Vec<(usize, f64)> =
            columns.iter().filter(|(_, d)| d.up != d.down).map(|(c, d)| (*c, if d.up { -1.0 } else { 1.0 })).collect();
        let key = |k: u32| {
            let row = group.row(k);
            exact.iter().map(|c| (row[*c] + 0.0).to_bits()).collect::<Vec<u64>>()
        };
        let lacks = |k: u32| ordered.iter().any(|(c, _)| group.row(k)[*c].is_nan());
        let mut order: Vec<u32> = domain.iter().copied().filter(|k| !lacks(*k)).collect();
        order.sort_by(|a, b| {
            let (x, y) = (group.row(*a), group.row(*b));
            let pairs = ordered.iter().map(|(c, sign)| (sign * x[*c]).total_cmp(&(sign * y[*c])));
            pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.cmp(b))
        });
        // In this order a row can only be dominated by an earlier one.
        let mut kept: Vec<u32> = domain.iter().copied().filter(|k| lacks(*k)).collect();
        let mut fronts: FxHashMap<Vec<u64>, Vec<u32>> = FxHashMap::default();
        let mut comparisons = 0usize;
        for k in order {
            let front = fronts.entry(key(k)).or_default();
            let row = group.row(k);
            comparisons += front.len();
            let beaten = comparisons <= MOST_COMPARISONS
                && front.iter().any(|f| {
                    let other = group.row(*f);
                    ordered.iter().all(|(c, sign)| sign * other[*c] <= sign * row[*c])
                });
            if !beaten {
                front.push(k);
                kept.push(k);
            }
        }
        kept.sort_unstable();
        kept
    }
}
