//! What the rows of a program see of a node, found by asking.
//!
//! Every row is an affine function of the counts on a node of given offer and zone. So the program built over the empty
//! node and the nodes with one item of each kind tells the coefficients of every node that could ever be thought of. The
//! program is built by [`Formulation`] as for a listed pool, so that a new kind of rule needs nothing here; that it is
//! affine is checked on loaded nodes.

use crate::engine::Milp;
use crate::engine::linear::Column;
use crate::formulation::{Block, Cluster, FormulateError, Formulation, Linear, Side};
use crate::packing::node::NodeModel;
use crate::pattern::{Listing, Pattern, Patterns};
use crate::program::Ground;

/// At most so many loaded nodes are compared with what the probes foretell.
const TESTED: usize = 120;

/// The rows of a program and what stands in them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// The bounds of the rows.
    pub rows: Vec<(f64, f64)>,
    /// The columns that count no nodes.
    pub others: Vec<Column>,
    /// Which of them are whole in every solution.
    pub whole: Vec<bool>,
    /// What is lost by the constant part of the objective.
    pub constant: f64,
    /// By bin: what an empty node adds.
    empty: Vec<Part>,
    /// By bin and item: what one more of it adds.
    unit: Vec<Vec<Part>>,
    /// True when no row can be satisfied.
    pub contradiction: bool,
    /// Rows of tables without a value.
    pub undefined: u64,
    is_cover: bool,
}

/// A part of a column.
#[derive(Clone, Debug, Default, PartialEq)]
struct Part {
    cost: f64,
    entries: Vec<(usize, f64)>,
}

impl Part {
    fn minus(&self, other: &Part) -> Part {
        let mut entries = self.entries.clone();
        for (row, x) in &other.entries {
            match entries.iter_mut().find(|(r, _)| r == row) {
                Some((_, y)) => *y -= x,
                None => entries.push((*row, -x)),
            }
        }
        entries.retain(|(_, x)| *x != 0.0);
        entries.sort_by_key(|(row, _)| *row);
        Part { cost: self.cost - other.cost, entries }
    }

    fn dot(&self, duals: &[f64]) -> f64 {
        self.entries.iter().map(|(row, x)| x * duals[*row]).sum()
    }
}

/// Why the rows cannot be foretold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ProbeError {
    /// The program cannot be formulated at all.
    Formulate(Option<usize>, FormulateError),
    /// A row is no affine function of the counts.
    NotAffine,
}

/// What the objective loses, as a linear expression over the columns of a formulation.
pub(crate) fn loss(formulation: &mut Formulation<'_>, cluster: &Cluster) -> Result<Linear, FormulateError> {
    let mut loss = Linear::default();
    for term in &cluster.objective {
        let encoded = formulation.encode_sided(term, Side::Below)?;
        formulation.require_defined(&encoded.undefined, None);
        loss.add(&encoded.linear, -1.0);
    }
    loss.compact();
    Ok(loss)
}

impl Probe {
    /// Probes the program of a cluster over the nodes of a model.
    pub(crate) fn of(
        ground: Ground<'_>,
        cluster: &Cluster,
        model: &NodeModel,
        listing: Listing,
        margin: f64,
    ) -> Result<Probe, ProbeError> {
        let items = model.items.len();
        let mut list: Vec<Pattern> = Vec::new();
        for bin in &model.bins {
            list.push(model.pattern(bin, &vec![0; items]));
            for item in 0..items {
                let mut counts = vec![0; items];
                counts[item] = 1;
                list.push(model.pattern(bin, &counts));
            }
        }
        let tested = tested(model);
        list.extend(tested.iter().map(|(bin, counts)| model.pattern(&model.bins[*bin], counts)));
        let length = list.len();
        let patterns = Patterns { list, listing };
        let Ground { snapshot, bound, space, combinations, .. } = ground;
        let patterns = Some(&patterns);
        let mut formulation = Formulation::build(snapshot, bound, space, patterns, cluster, margin, combinations)
            .map_err(|(index, e)| ProbeError::Formulate(index, e))?;
        let loss = loss(&mut formulation, cluster).map_err(|e| ProbeError::Formulate(None, e))?;
        let first =
            formulation.blocks.iter().find_map(|b| if let Block::Pool { first, .. } = b { Some(*first) } else { None });
        let first = first.unwrap_or(0);
        let undefined = formulation.undefined_rows;
        let contradiction = formulation.contradiction;
        let is_whole: Vec<bool> = (0..formulation.milp.columns()).map(|c| formulation.is_whole(c)).collect();
        let columns = columns(&formulation.milp, &loss);
        let mut probe = Probe {
            rows: formulation.milp.row_lower.iter().copied().zip(formulation.milp.row_upper.iter().copied()).collect(),
            constant: loss.constant,
            contradiction,
            undefined,
            ..Probe::default()
        };
        for (j, column) in columns.iter().enumerate().filter(|(j, _)| !(first..first + length).contains(j)) {
            probe.others.push(column.clone());
            probe.whole.push(is_whole[j]);
        }
        let part = |at: usize| Part { cost: columns[first + at].cost, entries: columns[first + at].entries.clone() };
        for bin in 0..model.bins.len() {
            let begin = bin * (items + 1);
            let empty = part(begin);
            let unit = (0..items).map(|i| {
                // A node that the program forbids altogether would not be foretold rightly.
                let is_closed = model.bins[bin].most[i] > 0 && columns[first + begin + 1 + i].upper <= 0.0;
                if is_closed { Err(ProbeError::NotAffine) } else { Ok(part(begin + 1 + i).minus(&empty)) }
            });
            let unit = unit.collect::<Result<Vec<_>, _>>()?;
            probe.empty.push(empty);
            probe.unit.push(unit);
        }
        for (i, (bin, counts)) in tested.iter().enumerate() {
            let real = part(model.bins.len() * (items + 1) + i);
            if !is_near(&probe.part(*bin, counts), &real) {
                return Err(ProbeError::NotAffine);
            }
        }
        Ok(probe)
    }

    /// The probe of a pool where a node costs its price and there is a row for each item, first to last.
    pub(crate) fn of_cover(rows: Vec<(f64, f64)>, costs: &[f64], items: usize) -> Probe {
        let empty = costs.iter().map(|cost| Part { cost: *cost, entries: Vec::new() }).collect();
        let units: Vec<Part> = (0..items).map(|i| Part { cost: 0.0, entries: vec![(i, 1.0)] }).collect();
        Probe { rows, empty, unit: vec![units; costs.len()], is_cover: true, ..Probe::default() }
    }

    fn part(&self, bin: usize, counts: &[u32]) -> Part {
        let mut dense: Vec<(usize, f64)> = self.empty[bin].entries.clone();
        let mut cost = self.empty[bin].cost;
        for (item, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let unit = &self.unit[bin][item];
            cost += unit.cost * f64::from(*n);
            for (row, x) in &unit.entries {
                match dense.iter_mut().find(|(r, _)| r == row) {
                    Some((_, sum)) => *sum += x * f64::from(*n),
                    None => dense.push((*row, x * f64::from(*n))),
                }
            }
        }
        dense.retain(|(_, x)| *x != 0.0);
        dense.sort_by_key(|(row, _)| *row);
        Part { cost, entries: dense }
    }

    /// The rows with the others at no cost.
    pub(crate) fn without_costs(&self) -> Probe {
        let others = self.others.iter().map(|c| Column { cost: 0.0, ..c.clone() }).collect();
        Probe { others, ..self.clone() }
    }

    /// The column of a node.
    pub(crate) fn column(&self, bin: usize, counts: &[u32]) -> Column {
        let Part { cost, entries } = self.part(bin, counts);
        Column { cost, lower: 0.0, upper: f64::INFINITY, entries }
    }

    /// What a node of the bin costs, at the duals, before anything is on it.
    pub(crate) fn fixed(&self, bin: usize, duals: &[f64]) -> f64 {
        self.empty[bin].cost - self.empty[bin].dot(duals)
    }

    /// The largest amount, up or down, that one more item of a kind adds to the loss of a node of the bin.
    pub(crate) fn worth_of_items(&self, bin: usize) -> f64 {
        self.unit[bin].iter().map(|part| part.cost.abs()).fold(0.0, f64::max)
    }

    /// The loss of an empty node of the bin.
    pub(crate) fn price(&self, bin: usize) -> f64 {
        self.empty[bin].cost
    }

    /// What each item is worth on the bin, at the duals.
    pub(crate) fn values(&self, bin: usize, duals: &[f64]) -> Vec<f64> {
        self.unit[bin].iter().map(|u| u.dot(duals) - u.cost).collect()
    }

    /// True when every item has a row of its own in which it counts alike on every node, and there is nothing else.
    pub(crate) fn is_cover(&self) -> bool {
        self.others.is_empty() && self.is_cover
    }

    /// True when only the node itself is paid for, not what is on it.
    pub(crate) fn pays_by_node(&self) -> bool {
        self.unit.iter().flatten().all(|u| u.cost == 0.0)
    }

    /// Every coefficient of the objective on a column that is whole, or `None` when one stands on a column that is not.
    pub(crate) fn whole_costs(&self) -> Option<Vec<f64>> {
        let others = self.others.iter().zip(&self.whole).filter(|(c, _)| c.cost != 0.0);
        let mut costs = Vec::new();
        for (column, whole) in others {
            if !whole {
                return None;
            }
            costs.push(column.cost);
        }
        costs.extend(self.empty.iter().map(|p| p.cost));
        costs.extend(self.unit.iter().flatten().map(|p| p.cost));
        costs.retain(|x| *x != 0.0);
        Some(costs)
    }
}

fn is_near(a: &Part, b: &Part) -> bool {
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs().max(y.abs()).max(1e-3);
    let difference = a.minus(b);
    let size = |row: usize| b.entries.iter().find(|(r, _)| *r == row).map_or(1.0, |(_, x)| x.abs().max(1.0));
    near(a.cost, b.cost) && difference.entries.iter().all(|(row, x)| x.abs() <= 1e-9 * size(*row))
}

/// Some loaded nodes: filled in turn beginning with different items.
fn tested(model: &NodeModel) -> Vec<(usize, Vec<u32>)> {
    let items = model.items.len();
    let stride = model.bins.len().div_ceil(TESTED / 2).max(1);
    let mut tested = Vec::new();
    for bin in (0..model.bins.len()).step_by(stride) {
        for start in [0, items / 2] {
            let mut counts = vec![0; items];
            for i in 0..items {
                let item = (start + i) % items.max(1);
                for _ in 0..3 {
                    counts[item] += 1;
                    if !model.allows(&model.bins[bin], &counts) && model.closed {
                        counts[item] -= 1;
                        break;
                    }
                }
            }
            tested.push((bin, counts));
        }
    }
    tested
}

/// The columns of a program, with a linear objective.
fn columns(milp: &Milp, objective: &Linear) -> Vec<Column> {
    let mut columns: Vec<Column> = (0..milp.columns())
        .map(|j| Column { cost: 0.0, lower: milp.lower[j], upper: milp.upper[j], entries: Vec::new() })
        .collect();
    for (column, x) in &objective.terms {
        columns[*column].cost += x;
    }
    for row in 0..milp.rows() {
        let begin = milp.row_start[row] as usize;
        let end = milp.row_start.get(row + 1).map_or(milp.index.len(), |e| *e as usize);
        for k in begin..end {
            columns[milp.index[k] as usize].entries.push((row, milp.value[k]));
        }
    }
    columns
}
