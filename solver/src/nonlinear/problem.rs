//! A problem under construction: groups of choices, expressions over them, what must hold and what is maximised.
//!
//! An expression is a sum of tables, one for each group, plus multiples of nonlinear nodes. Whatever looks at one group
//! alone is a table at once, however nonlinear; a sum of tables stays one; only what is neither becomes a node of the
//! graph.

use std::collections::BTreeMap;
use std::rc::Rc;

use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;

use super::graph::{Graph, Id, Op, Opaque, Pair};
use crate::term::apply;

/// An expression of a [`Problem`]: a constant, a table for each group, and multiples of nodes. NaN is "no value".
#[derive(Clone, Debug, Default)]
pub struct Expression {
    constant: f64,
    tables: BTreeMap<usize, Rc<Vec<f64>>>,
    nodes: Vec<(f64, Id)>,
}

/// What is to be solved: one choice of each group, such that every constraint holds, with the largest objective.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    sizes: Vec<usize>,
    /// Groups that are quantities: their one table entry is a factor.
    is_quantity: Vec<bool>,
    forbidden: Vec<Vec<bool>>,
    /// Choices that were left out because a constraint of their group alone has no value there.
    pub undefined: u64,
    pub(crate) graph: Graph,
    pub(crate) constraints: Vec<Id>,
    pub(crate) objective: Option<Id>,
    pub(crate) ties: Vec<Id>,
}

impl Problem {
    /// A problem without groups.
    pub fn new() -> Self {
        Problem::default()
    }

    /// Adds a group with so many choices and gives its number.
    pub fn group(&mut self, choices: usize) -> usize {
        self.sizes.push(choices);
        self.is_quantity.push(false);
        self.forbidden.push(vec![false; choices]);
        self.sizes.len() - 1
    }

    /// Adds a quantity: a number about which the problem knows nothing, and its number among the groups. Sums of
    /// quantities and their multiples are aggregates. Problems with quantities are not for [`super::solve`].
    pub(crate) fn quantity(&mut self) -> (usize, Expression) {
        let number = self.group(1);
        self.is_quantity[number] = true;
        let tables = BTreeMap::from([(number, Rc::new(vec![1.0]))]);
        (number, Expression { tables, ..Expression::default() })
    }

    /// The number of choices of each group.
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// True when the objective is a sum of tables and constraints are logic over comparisons of such sums: a problem for
    /// integer programming.
    pub fn is_linear(&self) -> bool {
        let mut used = vec![false; self.graph.ops.len()];
        let mut in_values = vec![false; self.graph.ops.len()];
        self.constraints.iter().for_each(|id| used[*id as usize] = true);
        self.objective.iter().for_each(|id| in_values[*id as usize] = true);
        for (i, op) in self.graph.ops.iter().enumerate().rev() {
            let (logic, value) = (used[i], in_values[i]);
            if !logic && !value {
                continue;
            }
            let is_truth = |id: Id| self.graph.is_truth(id);
            match *op {
                Op::AtMost(pair) | Op::Equal(pair) if !value => {
                    for id in [pair.difference, pair.left, pair.right] {
                        in_values[id as usize] = true;
                    }
                }
                Op::And(..) | Op::Or(..) if !value => self.graph.children(*op, |id| used[id as usize] = true),
                Op::Abs(a) if !value && is_truth(i as Id) => used[a as usize] = true,
                op if op.is_linear() => self
                    .graph
                    .children(op, |id| if value { in_values[id as usize] = true } else { used[id as usize] = true }),
                _ => return false,
            }
        }
        true
    }

    /// True when some sum adds values of such different sizes that an integer program would lose the smaller ones.
    pub fn is_wide(&self) -> bool {
        let is_wide = |aggregate: &super::graph::Aggregate| {
            let values = aggregate.tables.iter().flat_map(|(_, table)| table.iter().map(|x| x.abs()));
            let sizes = || values.clone().filter(|x| *x > 0.0);
            let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
            most > 1e9 && most > 1e3 * least
        };
        self.graph.aggregates.iter().any(is_wide)
    }

    /// The choices of each group that its own constraints leave.
    pub(super) fn allowed(&self) -> Vec<Vec<u32>> {
        let open = |f: &Vec<bool>| (0..f.len() as u32).filter(|k| !f[*k as usize]).collect();
        self.forbidden.iter().map(open).collect()
    }

    /// A number.
    pub fn number(&self, x: f64) -> Expression {
        Expression { constant: x, ..Expression::default() }
    }

    /// A value for each choice of a group; NaN where there is none.
    pub fn table(&self, group: usize, values: Vec<f64>) -> Expression {
        debug_assert_eq!(values.len(), self.sizes[group]);
        let mut tables = BTreeMap::new();
        let first = values.first().copied().unwrap_or(0.0);
        if !first.is_nan() && values.iter().all(|x| *x == first) {
            return self.number(first);
        }
        tables.insert(group, Rc::new(values));
        Expression { tables, ..Expression::default() }
    }

    /// A constraint on the choices: the expression, a truth value, must hold.
    pub fn require(&mut self, holds: &Expression) {
        if let Some((group, values)) = self.single(holds) {
            let forbidden = &mut self.forbidden[group];
            for (k, x) in values.iter().enumerate().filter(|(_, x)| **x == 0.0 || x.is_nan()) {
                self.undefined += u64::from(x.is_nan() && !forbidden[k]);
                forbidden[k] = true;
            }
            return;
        }
        let id = self.node_of(holds);
        self.split(id);
    }

    /// Both sides of a conjunction must hold on their own.
    fn split(&mut self, id: Id) {
        match self.graph.ops[id as usize] {
            Op::And(a, b) => {
                self.split(a);
                self.split(b);
            }
            Op::Constant(1.0) => {}
            _ => self.constraints.push(id),
        }
    }

    /// What is maximised.
    pub fn maximize(&mut self, objective: &Expression) {
        self.objective = Some(self.node_of(objective));
    }

    /// What is maximised among choices of equal objective, after what was given before.
    pub fn then_maximize(&mut self, objective: &Expression) {
        let id = self.node_of(objective);
        self.ties.push(id);
    }

    /// A group and its values when the expression looks at one group alone.
    fn single(&self, x: &Expression) -> Option<(usize, Vec<f64>)> {
        if !x.nodes.is_empty() || x.tables.len() != 1 {
            return None;
        }
        let (group, table) = x.tables.iter().next().filter(|(group, _)| !self.is_quantity[**group])?;
        Some((*group, table.iter().map(|v| v + x.constant).collect()))
    }

    fn constant(&self, x: &Expression) -> Option<f64> {
        (x.nodes.is_empty() && x.tables.is_empty()).then_some(x.constant)
    }

    /// `a + factor * b`
    pub fn add(&self, a: &Expression, b: &Expression, factor: f64) -> Expression {
        let mut sum = a.clone();
        sum.constant += factor * b.constant;
        for (group, table) in &b.tables {
            let values: Vec<f64> = match sum.tables.get(group) {
                Some(own) => own.iter().zip(table.iter()).map(|(x, y)| x + factor * y).collect(),
                None => table.iter().map(|y| factor * y).collect(),
            };
            let first = values.first().copied().unwrap_or(0.0);
            let is_fixed = !self.is_quantity[*group] || first == 0.0;
            if is_fixed && !first.is_nan() && values.iter().all(|x| *x == first) {
                sum.constant += first;
                sum.tables.remove(group);
            } else {
                sum.tables.insert(*group, Rc::new(values));
            }
        }
        for (coefficient, id) in &b.nodes {
            match sum.nodes.binary_search_by_key(id, |(_, i)| *i) {
                // A node whose coefficient becomes 0 stays: it must have a value.
                Ok(at) => sum.nodes[at].0 += factor * coefficient,
                Err(at) => sum.nodes.insert(at, (factor * coefficient, *id)),
            }
        }
        sum
    }

    /// A multiple.
    pub fn scale(&self, a: &Expression, factor: f64) -> Expression {
        self.add(&self.number(0.0), a, factor)
    }

    fn node_expression(&self, id: Id) -> Expression {
        Expression { nodes: vec![(1.0, id)], ..Expression::default() }
    }

    /// The node of an expression.
    pub(crate) fn node_of(&mut self, x: &Expression) -> Id {
        let mut terms = x.nodes.clone();
        if !x.tables.is_empty() {
            let tables: Vec<(usize, Rc<Vec<f64>>)> = x.tables.iter().map(|(g, t)| (*g, t.clone())).collect();
            let (factor, id) = match &tables[..] {
                // Multiples of one quantity share its node.
                [(group, factor)] if self.is_quantity[*group] => {
                    (factor[0], self.graph.aggregate(&[(*group, Rc::new(vec![1.0]))]).1)
                }
                _ => self.graph.aggregate(&tables),
            };
            match terms.binary_search_by_key(&id, |(_, i)| *i) {
                Ok(at) => terms[at].0 += factor,
                Err(at) => terms.insert(at, (factor, id)),
            }
        }
        self.graph.linear(x.constant, &terms)
    }

    /// The group that all expressions look at and nothing else, with their values at each of its choices, by `f`.
    fn tabulated(&self, args: &[&Expression], f: impl Fn(&[f64]) -> f64) -> Option<Expression> {
        let mut group = None;
        for x in args {
            if !x.nodes.is_empty() || x.tables.len() > 1 {
                return None;
            }
            if let Some(g) = x.tables.keys().next() {
                if self.is_quantity[*g] || group.is_some_and(|known| known != *g) {
                    return None;
                }
                group = Some(*g);
            }
        }
        let mut point = vec![0.0; args.len()];
        let Some(group) = group else {
            point.iter_mut().zip(args).for_each(|(p, x)| *p = x.constant);
            return Some(self.number(f(&point)));
        };
        let values = (0..self.sizes[group])
            .map(|k| {
                for (p, x) in point.iter_mut().zip(args) {
                    *p = x.constant + x.tables.get(&group).map_or(0.0, |t| t[k]);
                }
                f(&point)
            })
            .collect();
        Some(self.table(group, values))
    }

    fn unary(&mut self, a: &Expression, op: impl Fn(Id) -> Op) -> Expression {
        let a = self.node_of(a);
        let id = self.graph.node(op(a));
        self.node_expression(id)
    }

    /// `not a`
    pub fn not(&mut self, a: &Expression) -> Expression {
        let of = |x: &[f64]| if x[0].is_nan() { x[0] } else { f64::from(u8::from(x[0] == 0.0)) };
        if let Some(table) = self.tabulated(&[a], of) {
            return table;
        }
        self.add(&self.number(1.0), a, -1.0)
    }

    /// An operator.
    pub fn binary(&mut self, op: BinaryOp, a: &Expression, b: &Expression) -> Expression {
        let pointwise = |x: &[f64]| match op {
            _ if x[0].is_nan() => x[0],
            BinaryOp::And if x[0] == 0.0 => 0.0,
            BinaryOp::Or | BinaryOp::Implies if (x[0] != 0.0) == (op == BinaryOp::Or) => 1.0,
            _ if x[1].is_nan() => x[1],
            _ => apply(op, x[0], x[1]),
        };
        if let Some(table) = self.tabulated(&[a, b], pointwise) {
            return table;
        }
        match op {
            BinaryOp::Add => self.add(a, b, 1.0),
            BinaryOp::Subtract => self.add(a, b, -1.0),
            BinaryOp::Multiply => self.product(a, b),
            BinaryOp::Divide => {
                let inverse = self.power(b, -1.0);
                self.product(a, &inverse)
            }
            BinaryOp::Power => match (self.constant(a), self.constant(b)) {
                (_, Some(p)) => self.power(a, p),
                (Some(base), _) if base > 0.0 => {
                    let exponent = self.scale(b, base.ln());
                    self.exp(&exponent)
                }
                _ => self.opaque(Opaque::Power, &[a, b]),
            },
            BinaryOp::Remainder => self.opaque(Opaque::Remainder, &[a, b]),
            BinaryOp::LessEqual => self.compare(a, b, Op::AtMost),
            BinaryOp::GreaterEqual => self.compare(b, a, Op::AtMost),
            BinaryOp::Less => {
                let reverse = self.compare(b, a, Op::AtMost);
                self.not(&reverse)
            }
            BinaryOp::Greater => {
                let reverse = self.compare(a, b, Op::AtMost);
                self.not(&reverse)
            }
            BinaryOp::Equal => self.compare(a, b, Op::Equal),
            BinaryOp::NotEqual => {
                let equal = self.compare(a, b, Op::Equal);
                self.not(&equal)
            }
            BinaryOp::And => self.pair(a, b, Op::And),
            BinaryOp::Or => self.pair(a, b, Op::Or),
            BinaryOp::Implies => {
                let not = self.not(a);
                self.pair(&not, b, Op::Or)
            }
            BinaryOp::Xor => {
                let difference = self.add(a, b, -1.0);
                self.unary(&difference, Op::Abs)
            }
        }
    }

    fn pair(&mut self, a: &Expression, b: &Expression, op: fn(Id, Id) -> Op) -> Expression {
        // What decides alone needs no node.
        match (self.constant(a), op(0, 0)) {
            (Some(x), Op::And(..)) if !x.is_nan() => return if x == 0.0 { self.number(0.0) } else { b.clone() },
            (Some(x), Op::Or(..)) if !x.is_nan() => return if x == 0.0 { b.clone() } else { self.number(1.0) },
            _ => {}
        }
        let (a, b) = (self.node_of(a), self.node_of(b));
        let id = self.graph.node(op(a, b));
        self.node_expression(id)
    }

    /// The smaller or larger of two.
    fn extreme(&mut self, a: &Expression, b: &Expression, largest: bool) -> Expression {
        let pointwise = |x: &[f64]| match largest {
            _ if x[0].is_nan() || x[1].is_nan() => f64::NAN,
            true => x[0].max(x[1]),
            false => x[0].min(x[1]),
        };
        if let Some(table) = self.tabulated(&[a, b], pointwise) {
            return table;
        }
        let (a, b) = (self.node_of(a), self.node_of(b));
        let (a, b) = (a.min(b), a.max(b));
        let id = if a == b { a } else { self.graph.node(if largest { Op::Max(a, b) } else { Op::Min(a, b) }) };
        self.node_expression(id)
    }

    fn compare(&mut self, a: &Expression, b: &Expression, op: fn(Pair) -> Op) -> Expression {
        let difference = self.add(a, b, -1.0);
        let (difference, left, right) = (self.node_of(&difference), self.node_of(a), self.node_of(b));
        let id = self.graph.node(op(Pair { difference, left, right }));
        self.node_expression(id)
    }

    fn product(&mut self, a: &Expression, b: &Expression) -> Expression {
        match (self.constant(a), self.constant(b)) {
            (Some(x), _) if x.is_finite() => return self.scale(b, x),
            (_, Some(x)) if x.is_finite() => return self.scale(a, x),
            _ => {}
        }
        // A factor in front of a single node stays in front, so that equal products are one node.
        let (x, a) = self.factored(a);
        let (y, b) = self.factored(b);
        let (a, b) = (a.min(b), a.max(b));
        let id = self.graph.node(if a == b { Op::Power(a, 2.0) } else { Op::Product(a, b) });
        let product = self.node_expression(id);
        self.scale(&product, x * y)
    }

    /// A node and the factor in front of it.
    fn factored(&mut self, x: &Expression) -> (f64, Id) {
        let id = self.node_of(x);
        match self.graph.ops[id as usize] {
            Op::Linear(0.0, first, 1) => self.graph.terms[first as usize],
            _ => (1.0, id),
        }
    }

    fn power(&mut self, a: &Expression, p: f64) -> Expression {
        if let Some(table) =
            self.tabulated(&[a], |x| if x[0].is_nan() { x[0] } else { apply(BinaryOp::Power, x[0], p) })
        {
            return table;
        }
        if p == 1.0 {
            return a.clone();
        }
        if p == 0.0 {
            // 1 wherever the base has a value.
            return self.add(&self.number(1.0), a, 0.0);
        }
        if p.is_nan() {
            return self.number(p);
        }
        let node = self.node_of(a);
        if p == -1.0
            && let Op::Exp(inner) = self.graph.ops[node as usize]
        {
            // 1 / exp(x) is exp(-x), as long as exp(x) has a value.
            let inner = self.node_expression(inner);
            let negative = self.scale(&inner, -1.0);
            return self.unary(&negative, Op::Decay);
        }
        let (factor, id) = self.factored(a);
        if p.fract() == 0.0 || factor > 0.0 {
            let power = self.graph.node(Op::Power(id, p));
            let power = self.node_expression(power);
            return self.scale(&power, factor.powf(p));
        }
        self.unary(a, |a| Op::Power(a, p))
    }

    fn exp(&mut self, a: &Expression) -> Expression {
        match self.tabulated(&[a], |x| if x[0].exp().is_finite() { x[0].exp() } else { f64::NAN }) {
            Some(table) => table,
            None => self.unary(a, Op::Exp),
        }
    }

    fn opaque(&mut self, function: Opaque, args: &[&Expression]) -> Expression {
        if let Some(table) = self.tabulated(args, |x| function.apply(x)) {
            return table;
        }
        let ids: Vec<Id> = args.iter().map(|x| self.node_of(x)).collect();
        let id = self.graph.opaque(function, &ids);
        self.node_expression(id)
    }

    /// `if(c, a, b)`; the condition is a truth value, 0 or 1.
    pub fn choose(&mut self, c: &Expression, a: &Expression, b: &Expression) -> Expression {
        let pointwise = |x: &[f64]| match x[0] {
            c if c.is_nan() => c,
            0.0 => x[2],
            _ => x[1],
        };
        if let Some(table) = self.tabulated(&[c, a, b], pointwise) {
            return table;
        }
        match (self.constant(c), self.constant(a), self.constant(b)) {
            (Some(0.0), ..) => return b.clone(),
            (Some(c), ..) if !c.is_nan() => return a.clone(),
            // Constant arms: linear in the condition.
            (_, Some(x), Some(y)) if x.is_finite() && y.is_finite() => return self.add(&self.number(y), c, x - y),
            _ => {}
        }
        let (c, a, b) = (self.node_of(c), self.node_of(a), self.node_of(b));
        let id = self.graph.node(Op::If(c, a, b));
        self.node_expression(id)
    }

    /// A function.
    pub fn call(&mut self, function: Function, args: &[Expression]) -> Expression {
        let borrowed: Vec<&Expression> = args.iter().collect();
        let pointwise = |x: &[f64]| {
            if x.iter().any(|v| v.is_nan()) { f64::NAN } else { function.apply(x).unwrap_or(f64::NAN) }
        };
        if let Some(table) = self.tabulated(&borrowed, pointwise) {
            return table;
        }
        let sum = |problem: &Self| args.iter().fold(problem.number(0.0), |sum, x| problem.add(&sum, x, 1.0));
        match (function, args) {
            (Function::Number, [x]) => x.clone(),
            (Function::Radians, [x]) => self.scale(x, 1f64.to_radians()),
            (Function::Degrees, [x]) => self.scale(x, 1f64.to_degrees()),
            (Function::Sum, _) => sum(self),
            (Function::Mean, _) => {
                let sum = sum(self);
                self.scale(&sum, 1.0 / args.len() as f64)
            }
            (Function::Min | Function::Max, [first, rest @ ..]) => {
                rest.iter().fold(first.clone(), |x, y| self.extreme(&x, y, function == Function::Max))
            }
            (Function::Abs, [x]) => {
                let (factor, id) = self.factored(x);
                let id = self.graph.node(Op::Abs(id));
                let size = self.node_expression(id);
                self.scale(&size, factor.abs())
            }
            (Function::Sqrt, [x]) => self.power(x, 0.5),
            (Function::Exp, [x]) => self.exp(x),
            (Function::Ln, [x]) => self.unary(x, Op::Log),
            (Function::Log, [base, x]) => match self.constant(base) {
                Some(base) if base > 0.0 && base != 1.0 => {
                    let log = self.unary(x, Op::Log);
                    self.scale(&log, base.ln().recip())
                }
                _ => self.opaque(Opaque::Call(function), &borrowed),
            },
            (Function::Clamp, [x, low, high]) => match (self.constant(low), self.constant(high)) {
                (Some(l), Some(h)) if l <= h => {
                    let at_most = self.extreme(x, high, false);
                    self.extreme(&at_most, low, true)
                }
                _ => self.opaque(Opaque::Call(function), &borrowed),
            },
            (_, [x]) => self.unary(x, |a| Op::Call(function, a)),
            _ => self.opaque(Opaque::Call(function), &borrowed),
        }
    }
}
