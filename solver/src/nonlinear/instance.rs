//! A problem made ready to be searched: a trimmed graph, and for each group a matrix of what its choices add to the
//! aggregates.

use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::graph::{Graph, Id, Op};

/// One group of choices, of which exactly one is taken.
#[derive(Clone, Debug)]
pub struct Group {
    /// The aggregates that it adds to.
    pub columns: Vec<u32>,
    /// What each row adds to each column, row after row.
    pub matrix: Vec<f64>,
    /// The first of the original choices that each row stands for.
    pub choices: Vec<u32>,
    /// The row of each original choice that is allowed.
    pub row_of: FxHashMap<u32, u32>,
}

impl Group {
    /// What a row adds to its columns.
    pub fn row(&self, row: u32) -> &[f64] {
        let width = self.columns.len();
        &self.matrix[row as usize * width..(row as usize + 1) * width]
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.choices.len()
    }
}

/// The rows of each group that are still open, ascending.
pub type Domains = Vec<Rc<[u32]>>;

/// A problem made ready.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The expressions.
    pub graph: Graph,
    /// The groups.
    pub groups: Vec<Group>,
    /// The node of each aggregate.
    pub nodes: Vec<Id>,
    /// For each aggregate its groups, each with the column there.
    pub members: Vec<Vec<(usize, usize)>>,
    /// For each aggregate whether some table entry has no value.
    pub lacks: Vec<bool>,
    /// Truth values that must hold.
    pub constraints: Vec<Id>,
    /// What is maximised, then what decides among equals, in order.
    pub goals: Vec<Id>,
    /// Classes of groups that are exchangeable: their rows are the same.
    pub classes: Vec<Vec<usize>>,
    /// For each node the aggregates below it.
    pub below: Vec<Vec<u32>>,
}

impl Instance {
    /// Makes a problem ready. `allowed` are the choices of each group that its own constraints leave.
    pub fn new(graph: &Graph, allowed: &[Vec<u32>], constraints: &[Id], goals: &[Id]) -> Self {
        let (graph, constraints, goals) = trim(graph, constraints, goals);
        let mut nodes = vec![0; graph.aggregates.len()];
        for (i, op) in graph.ops.iter().enumerate() {
            if let Op::Aggregate(j) = op {
                nodes[*j as usize] = i as Id;
            }
        }
        let groups: Vec<Group> = allowed.iter().enumerate().map(|(g, choices)| group(&graph, g, choices)).collect();
        let mut members = vec![Vec::new(); graph.aggregates.len()];
        for (g, group) in groups.iter().enumerate() {
            for (c, j) in group.columns.iter().enumerate() {
                members[*j as usize].push((g, c));
            }
        }
        let mut below: Vec<Vec<u32>> = Vec::new();
        for op in &graph.ops {
            let mut own: Vec<u32> = Vec::new();
            if let Op::Aggregate(j) = op {
                own.push(*j);
            }
            graph.children(*op, |id| own.extend(&below[id as usize]));
            own.sort_unstable();
            own.dedup();
            below.push(own);
        }
        let classes = classes(&groups);
        let lacks = (0..members.len())
            .map(|j| {
                members[j].iter().any(|(g, c): &(usize, usize)| {
                    let group = &groups[*g];
                    group.matrix.iter().skip(*c).step_by(group.columns.len()).any(|x| x.is_nan())
                })
            })
            .collect();
        Instance { graph, groups, nodes, members, lacks, constraints, goals, classes, below }
    }

    /// Every row of every group.
    pub fn domains(&self) -> Domains {
        self.groups.iter().map(|g| (0..g.rows() as u32).collect()).collect()
    }

    /// The sums of an assignment of rows.
    pub fn sums(&self, rows: &[u32], sums: &mut [f64]) {
        sums.fill(0.0);
        for (group, row) in self.groups.iter().zip(rows) {
            for (j, x) in group.columns.iter().zip(group.row(*row)) {
                sums[*j as usize] += x;
            }
        }
    }
}

/// The graph of what is looked at alone.
pub(crate) fn trim(graph: &Graph, constraints: &[Id], goals: &[Id]) -> (Graph, Vec<Id>, Vec<Id>) {
    let mut wanted = vec![false; graph.ops.len()];
    constraints.iter().chain(goals).for_each(|id| wanted[*id as usize] = true);
    for (i, op) in graph.ops.iter().enumerate().rev() {
        if wanted[i] {
            graph.children(*op, |id| wanted[id as usize] = true);
        }
    }
    let mut number = vec![0; graph.ops.len()];
    let mut trimmed = Graph::default();
    for (i, op) in graph.ops.iter().enumerate().filter(|(i, _)| wanted[*i]) {
        let of = |id: Id| number[id as usize];
        let mut run = |first: u32, count: u32| {
            let at = trimmed.terms.len() as u32;
            let operands = graph.operands(first, count).iter().map(|(c, id)| (*c, of(*id)));
            trimmed.terms.extend(operands);
            at
        };
        let op = match *op {
            Op::Constant(x) => Op::Constant(x),
            Op::Aggregate(j) => {
                trimmed.aggregates.push(graph.aggregates[j as usize].clone());
                Op::Aggregate(trimmed.aggregates.len() as u32 - 1)
            }
            Op::Linear(constant, first, count) => Op::Linear(constant, run(first, count), count),
            Op::Opaque(function, first, count) => Op::Opaque(function, run(first, count), count),
            other => other.renumbered(of),
        };
        number[i] = trimmed.ops.len() as Id;
        trimmed.ops.push(op);
    }
    let renumber = |ids: &[Id]| ids.iter().map(|id| number[*id as usize]).collect::<Vec<_>>();
    let (mut constraints, goals) = (renumber(constraints), renumber(goals));
    constraints.sort_unstable();
    constraints.dedup();
    (trimmed, constraints, goals)
}

/// A value as a key: equal but for the last bits.
fn key(x: f64) -> u64 {
    if x.is_nan() || x == 0.0 {
        return (x + 0.0).abs().to_bits();
    }
    let scale = 10f64.powi(11 - x.abs().log10().ceil() as i32);
    if scale.is_finite() && scale > 0.0 {
        (x * scale).round().to_bits() ^ scale.to_bits().rotate_left(13)
    } else {
        x.to_bits()
    }
}

/// The matrix of a group; choices that add the same are one row.
fn group(graph: &Graph, number: usize, choices: &[u32]) -> Group {
    let tables: Vec<(u32, &[f64])> = graph
        .aggregates
        .iter()
        .enumerate()
        .filter_map(|(j, a)| a.tables.iter().find(|(g, _)| *g == number).map(|(_, table)| (j as u32, table.as_ref())))
        .collect();
    let mut seen: FxHashMap<Vec<u64>, u32> = FxHashMap::default();
    let mut rows: Vec<u32> = Vec::new();
    let mut first_of: Vec<(u32, u32)> = Vec::with_capacity(choices.len());
    for choice in choices {
        let keys = tables.iter().map(|(_, t)| key(t[*choice as usize])).collect();
        let first = *seen.entry(keys).or_insert(*choice);
        first_of.push((*choice, first));
        if first == *choice {
            rows.push(*choice);
        }
    }
    // Rows ascend by what they add, so that an order of exchangeable groups is one of sums.
    rows.sort_by(|a, b| {
        let pairs = tables.iter().map(|(_, t)| t[*a as usize].total_cmp(&t[*b as usize]));
        pairs.into_iter().find(|o| o.is_ne()).unwrap_or_else(|| a.cmp(b))
    });
    let matrix = rows.iter().flat_map(|row| tables.iter().map(|(_, t)| t[*row as usize])).collect();
    let place: FxHashMap<u32, u32> = rows.iter().enumerate().map(|(row, choice)| (*choice, row as u32)).collect();
    let row_of = first_of.into_iter().map(|(choice, first)| (choice, place[&first])).collect();
    Group { columns: tables.iter().map(|(j, _)| *j).collect(), matrix, choices: rows, row_of }
}

/// Groups whose rows are the same, in order.
fn classes(groups: &[Group]) -> Vec<Vec<usize>> {
    let mut by_rows: FxHashMap<(&[u32], Vec<u64>), Vec<usize>> = FxHashMap::default();
    for (g, group) in groups.iter().enumerate().filter(|(_, g)| !g.columns.is_empty() && g.rows() > 1) {
        let bits = group.matrix.iter().map(|x| x.to_bits()).collect();
        by_rows.entry((group.columns.as_slice(), bits)).or_default().push(g);
    }
    let mut classes: Vec<Vec<usize>> = by_rows.into_values().filter(|c| c.len() > 1).collect();
    classes.sort();
    classes
}
