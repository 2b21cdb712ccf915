//! Sweeps: one parameter over a range, or two over a grid, and the break points between the points of the grid.
//!
//! A sweep runs nothing. It says what to solve next ([`Sweep::ask`]) and is told the answer ([`Sweep::record`]), so that
//! its caller runs any number of solves at a time and may stop whenever it likes with what there is so far. The points
//! come coarse first: what is known after a part of the time covers the whole range.

use std::collections::VecDeque;

use super::Change;
use super::axis::Axis;
use super::choice::Choice;
use crate::selector::Misread;

/// The most points of a sweep.
pub const POINTS_MAX: usize = 1_000_000;
/// The most break points that are looked for.
pub const BREAKS_MAX: usize = 500;
/// A break point is sought between values until they differ by less than this, relative to the larger. It is well above
/// the tolerance of comparisons, so that a limit that stands in the model as a short number is found as that.
const EXACT: f64 = 1e-7;

/// A question that a sweep wants answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The value of each axis.
    pub values: Vec<f64>,
    /// What they change.
    pub changes: Vec<Change>,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A point of the grid.
    Grid(usize),
    /// Inside a bracket.
    Bracket(usize),
    /// The shortest number in a narrow bracket.
    Edge(usize),
}

/// Two values of the first axis with different decisions, and perhaps others in between.
#[derive(Clone, Debug)]
struct Bracket {
    line: usize,
    low: (f64, Choice),
    high: (f64, Choice),
}

/// Where the decision changes along the first axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Break {
    /// The index of the value of the second axis, 0 without one.
    pub line: usize,
    /// Where: the shortest number between two neighbours that were solved.
    pub at: f64,
    /// True when the new decision holds at that value, false when only beyond it.
    pub is_from: bool,
    /// The decision before.
    pub before: Choice,
    /// The decision from there on.
    pub after: Choice,
    /// True when it was narrowed down to the last digits.
    pub is_exact: bool,
}

/// A sweep on its way.
#[derive(Debug)]
pub struct Sweep {
    axes: Vec<Axis>,
    grid: Vec<Option<Choice>>,
    open: VecDeque<usize>,
    brackets: Vec<Bracket>,
    to_halve: VecDeque<usize>,
    edges: VecDeque<usize>,
    breaks: Vec<Break>,
    running: usize,
    tasks: usize,
    searched: Vec<bool>,
}

impl Sweep {
    /// A sweep over one or two axes.
    pub fn new(axes: Vec<Axis>) -> Result<Sweep, Misread> {
        let size = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(axis.values.len()));
        let size = size.filter(|n| *n <= POINTS_MAX).ok_or_else(|| {
            Misread::new(format!("the grid has more than {POINTS_MAX} points"), "give the ranges fewer steps")
        })?;
        if axes.is_empty() || axes.len() > 2 {
            return Err(Misread::new("a sweep has one or two parameters", "repeat `--sweep` at most once"));
        }
        if let [first, second] = axes.as_slice()
            && first.target == second.target
        {
            return Err(Misread::new("both sweeps change the same", "sweep two different parameters"));
        }
        let columns = axes[0].values.len();
        let lines = size / columns;
        let order = coarse_first(columns);
        let open = order.iter().flat_map(|column| (0..lines).map(move |line| line * columns + column)).collect();
        Ok(Sweep {
            axes,
            grid: vec![None; size],
            open,
            brackets: Vec::new(),
            to_halve: VecDeque::new(),
            edges: VecDeque::new(),
            breaks: Vec::new(),
            running: 0,
            tasks: 0,
            searched: vec![false; size],
        })
    }

    /// The axes.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// The next question, if there is one now. More may come once the answers that are awaited are recorded: see
    /// [`Sweep::is_done`].
    pub fn ask(&mut self) -> Option<Task> {
        let (values, place) = if let Some(index) = self.open.pop_front() {
            (self.values(index), Place::Grid(index))
        } else {
            let (place, value, line) = if let Some(bracket) = self.edges.pop_front() {
                let Bracket { line, low, high } = &self.brackets[bracket];
                (Place::Edge(bracket), shortest(low.0, high.0), *line)
            } else {
                let bracket = self.to_halve.pop_front()?;
                let Bracket { line, low, high } = &self.brackets[bracket];
                (Place::Bracket(bracket), self.middle(low.0, high.0), *line)
            };
            let mut values = vec![value];
            values.extend(self.axes.get(1).map(|axis| axis.values[line]));
            (values, place)
        };
        self.running += 1;
        self.tasks += 1;
        let changes = self.axes.iter().zip(&values).map(|(axis, value)| axis.change(*value)).collect();
        Some(Task { values, changes, place })
    }

    /// Takes the answer to a question.
    pub fn record(&mut self, task: &Task, choice: Choice) {
        self.running = self.running.saturating_sub(1);
        match task.place {
            Place::Grid(index) => {
                self.grid[index] = Some(choice);
                if self.open.is_empty() && self.grid.iter().all(Option::is_some) {
                    self.bracket_all();
                }
            }
            Place::Edge(index) => {
                let Bracket { line, low, high } = self.brackets[index].clone();
                // What is neither of the two is nothing but the tolerance of comparisons.
                let is_from = !choice.is_same_decision(&low.1);
                let after = high.1;
                self.breaks.push(Break { line, at: task.values[0], is_from, before: low.1, after, is_exact: true });
            }
            Place::Bracket(index) => {
                let value = task.values[0];
                let Bracket { line, low, high } = self.brackets[index].clone();
                let (below, above) = (choice.is_same_decision(&low.1), choice.is_same_decision(&high.1));
                if !choice.is_settled() {
                    // Nothing is known here: the break point stays where it was narrowed down to.
                    self.give_up(line, low, high);
                    return;
                }
                if below {
                    self.narrow(index, Bracket { line, low: (value, choice), high });
                } else if above {
                    self.narrow(index, Bracket { line, low, high: (value, choice) });
                } else {
                    // A third decision lies in between.
                    self.narrow(index, Bracket { line, low, high: (value, choice.clone()) });
                    if self.brackets.len() < BREAKS_MAX {
                        let next = self.brackets.len();
                        let upper = Bracket { line, low: (value, choice), high };
                        self.brackets.push(upper.clone());
                        self.narrow(next, upper);
                    }
                }
            }
        }
    }

    /// True when nothing is left to be asked and no answer is awaited.
    pub fn is_done(&self) -> bool {
        self.running == 0 && self.open.is_empty() && self.to_halve.is_empty() && self.edges.is_empty()
    }

    /// How many questions were asked, and how many there are at least.
    pub fn progress(&self) -> (usize, usize) {
        (self.tasks - self.running, self.tasks + self.open.len() + self.to_halve.len() + self.edges.len())
    }

    /// The values of the axes at a point of the grid.
    pub fn values(&self, index: usize) -> Vec<f64> {
        let columns = self.axes[0].values.len();
        let mut values = vec![self.axes[0].values[index % columns]];
        values.extend(self.axes.get(1).map(|axis| axis.values[index / columns]));
        values
    }

    /// The points of the grid, the first axis fastest; `None` where no answer is known.
    pub fn grid(&self) -> &[Option<Choice>] {
        &self.grid
    }

    /// The break points so far, by the second axis, then the first. Of a sweep that was stopped early they lie between
    /// the points that are known.
    pub fn breaks(&mut self) -> Vec<Break> {
        self.bracket_all();
        // What could not be narrowed down any more is still said.
        while let Some(index) = self.to_halve.pop_front().or_else(|| self.edges.pop_front()) {
            let Bracket { line, low, high } = self.brackets[index].clone();
            self.give_up(line, low, high);
        }
        let mut breaks = self.breaks.clone();
        breaks.sort_by(|a, b| a.line.cmp(&b.line).then_with(|| a.at.total_cmp(&b.at)));
        breaks
    }

    /// Opens a bracket wherever neighbours that are known decide differently.
    fn bracket_all(&mut self) {
        let columns = self.axes[0].values.len();
        for line in 0..self.grid.len() / columns {
            let mut last: Option<usize> = None;
            for column in 0..columns {
                let index = line * columns + column;
                let Some(here) = self.grid[index].clone().filter(Choice::is_settled) else { continue };
                if let Some(before) = last
                    && !self.searched[index]
                    && let Some(there) = self.grid[before].clone()
                    && !there.is_same_decision(&here)
                    && self.brackets.len() < BREAKS_MAX
                {
                    self.searched[index] = true;
                    let values = &self.axes[0].values;
                    let (low, high) = ((values[before % columns], there), (values[column], here));
                    let bracket = Bracket { line, low, high };
                    self.brackets.push(bracket.clone());
                    self.narrow(self.brackets.len() - 1, bracket);
                }
                last = Some(index);
            }
        }
    }

    fn narrow(&mut self, index: usize, bracket: Bracket) {
        let (low, high) = (bracket.low.0, bracket.high.0);
        let is_narrow = if self.axes[0].is_whole() {
            high - low <= 1.0
        } else {
            high - low <= EXACT * low.abs().max(high.abs()) || self.middle(low, high) <= low
        };
        let Bracket { line, low, high } = bracket.clone();
        self.brackets[index] = bracket;
        if !is_narrow {
            self.to_halve.push_back(index);
            return;
        }
        let at = if self.axes[0].is_whole() { high.0 } else { shortest(low.0, high.0) };
        if at == low.0 || at == high.0 {
            let is_from = at == high.0;
            self.breaks.push(Break { line, at, is_from, before: low.1, after: high.1, is_exact: true });
        } else {
            // What is decided at the number that people would write has to be asked.
            self.edges.push_back(index);
        }
    }

    /// The break point lies somewhere in between.
    fn give_up(&mut self, line: usize, low: (f64, Choice), high: (f64, Choice)) {
        let at = high.0;
        self.breaks.push(Break { line, at, is_from: true, before: low.1, after: high.1, is_exact: false });
    }

    fn middle(&self, low: f64, high: f64) -> f64 {
        let middle = if self.axes[0].is_log { (low * high).sqrt() } else { low + (high - low) / 2.0 };
        if self.axes[0].is_whole() { middle.floor() } else { middle }
    }
}

/// The indices below `n`, so that each further one lies in a gap as wide as any: the ends, the middle, the quarters ...
fn coarse_first(n: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(n);
    let mut seen = vec![false; n];
    let mut push = |i: usize, order: &mut Vec<usize>| {
        if !std::mem::replace(&mut seen[i], true) {
            order.push(i);
        }
    };
    let mut step = n.next_power_of_two().max(1);
    if n > 0 {
        push(0, &mut order);
        push(n - 1, &mut order);
    }
    while step > 0 {
        (0..n).step_by(step).for_each(|i| push(i, &mut order));
        step /= 2;
    }
    order
}

/// The number with the fewest digits in `[low, high]`.
fn shortest(low: f64, high: f64) -> f64 {
    let fits = |x: f64| x >= low && x <= high;
    (0..17)
        .find_map(|digits| {
            let scale = 10f64.powi(digits - high.abs().max(low.abs()).log10().ceil() as i32);
            let rounded = |x: f64| if scale >= 1.0 { x.round() / scale } else { (x.round() / scale).round() };
            let candidates = [(high * scale).floor(), (high * scale).ceil()];
            candidates.into_iter().map(rounded).find(|x| x.is_finite() && fits(*x))
        })
        .unwrap_or(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cardinal_models::quantity::Price;
    use cardinal_models::solution::Status;

    #[test]
    fn numbers_are_short() {
        assert_eq!(shortest(4309.99999, 4310.00002), 4310.0);
        assert_eq!(shortest(11.999_9, 12.000_1), 12.0);
        assert_eq!(shortest(0.123_449, 0.123_451), 0.12345);
        assert_eq!(shortest(-0.5, 0.4), 0.0);
        assert_eq!(shortest(99.9, 1000.0), 1000.0);
        assert_eq!(shortest(4.0, 4.0000004), 4.0);
    }

    #[test]
    fn the_ends_come_first() {
        assert_eq!(coarse_first(5), [0, 4, 2, 1, 3]);
        for n in [1, 2, 3, 7, 16, 100] {
            let mut order = coarse_first(n);
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
    }

    /// A decision that is a number, and costs it.
    fn decision(n: u64) -> Choice {
        let price = Price::from_nanos(n as i64);
        let mut choice = Choice { status: Some(Status::Optimal), cost: Some(price), ..Choice::failed(String::new()) };
        choice.nodes.insert(("offer".into(), Vec::new()), n);
        choice
    }

    #[test]
    fn break_points_are_found_wherever_they_are() {
        // Several between two neighbours of the grid, and one on a point of it.
        let steps = [0.75, 41.3, 42.0, 43.125, 60.0];
        let decide = |x: f64| decision(steps.iter().filter(|s| x >= **s).count() as u64);
        for text in ["x=0..100:6", "x=0.5..100:log:4", "x=0..100:101"] {
            let mut sweep = Sweep::new(vec![Axis::read(text).expect("it is an axis")]).expect("it is a sweep");
            while let Some(task) = sweep.ask() {
                let choice = decide(task.values[0]);
                sweep.record(&task, choice);
            }
            assert!(sweep.is_done());
            let breaks = sweep.breaks();
            assert_eq!(breaks.iter().map(|b| b.at).collect::<Vec<_>>(), steps, "{text}");
            assert!(breaks.iter().all(|b| b.is_exact && b.is_from));
        }
    }

    #[test]
    fn a_decision_may_change_beyond_a_value() {
        let mut sweep = Sweep::new(vec![Axis::read("x=0..100:6").expect("it is an axis")]).expect("it is a sweep");
        while let Some(task) = sweep.ask() {
            let choice = decision(u64::from(task.values[0] > 30.0 + 1e-8));
            sweep.record(&task, choice);
        }
        let breaks = sweep.breaks();
        assert_eq!(breaks.iter().map(|b| (b.at, b.is_from)).collect::<Vec<_>>(), [(30.0, false)]);
    }

    #[test]
    fn a_stopped_sweep_keeps_what_it_knows() {
        let mut sweep = Sweep::new(vec![Axis::read("x=0..100:101").expect("it is an axis")]).expect("it is a sweep");
        for _ in 0..5 {
            let task = sweep.ask().expect("there is more");
            let choice = decision(u64::from(task.values[0] > 30.0));
            sweep.record(&task, choice);
        }
        assert!(!sweep.is_done());
        assert_eq!(sweep.grid().iter().flatten().count(), 5);
        let breaks = sweep.breaks();
        assert_eq!(breaks.len(), 1);
        assert!(!breaks[0].is_exact && breaks[0].at > 30.0);
    }
}
