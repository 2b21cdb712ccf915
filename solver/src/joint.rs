//! Sub-problems of uniform components and free attributes whose formulas mix them nonlinearly, by the branch and bound of
//! [`crate::nonlinear`].
//!
//! Each component is a group of choices, its (offer, cardinality) rows, and so is each free attribute with its values.
//! Rules that are linear over the rows (totals, requirements, quotas) are taken from the [`Formulation`], so that they are
//! stated once.

use cardinal_models::application::{Application, ComponentId};
use cardinal_models::document::Fleet;
use cardinal_models::formula::expr::{Aggregate, BinaryOp};
use cardinal_models::formula::function::Function;
use cardinal_models::offer::Attribute;
use cardinal_models::placement::Placement;
use cardinal_models::quantity::Price;

use crate::bound::{Part, parts_of};
use crate::engine::RunStatus;
use crate::formulation::{Block, Cluster, FormulateError, Formulation, Linear, Row, RowPoint, ValuePoint};
use crate::nonlinear::{self, Expression, Problem};
use crate::program::{Answer, Effort, Ground, Method, ProgramError};
use crate::term::{FleetTerm, Nothing, Term};

/// At most so many nodes for each order among equals. A limit in nodes and not in time keeps the answer reproducible.
const TIE_NODES: u64 = 20_000;

/// Linear problems with at most so many combinations are not worth an integer program.
const FEW: f64 = 1e4;
/// With more, before any choice is excluded, sums are known to be too many without being built.
const MANY: f64 = 1e12;

/// Solves a sub-problem by branch and bound; `None` when it has parts that are no uniform components, or nothing that is
/// nonlinear over several.
pub fn solve(ground: Ground<'_>, cluster: &Cluster, method: &Method) -> Result<Option<Answer>, ProgramError> {
    let begin = std::time::Instant::now();
    let application = &ground.snapshot.application;
    let is_uniform = |part: &Part| match part {
        Part::Dedicated(c) => application[*c].fleet == Fleet::Uniform,
        Part::Attribute(..) => true,
        Part::Pool => false,
    };
    if cluster.parts.len() < 2 || !cluster.parts.iter().all(is_uniform) || !mixes(ground, cluster) {
        return Ok(None);
    }
    if pays_together(ground, cluster) {
        return Ok(None);
    }
    let Ground { snapshot, bound, space, .. } = ground;
    let formulation =
        Formulation::frame(snapshot, bound, space, None, cluster).map_err(|e| ProgramError::Formulate(None, e))?;
    let effort = Effort { undefined: formulation.undefined_rows, ..Effort::default() };
    if formulation.contradiction {
        return Ok(Some(nothing(effort, begin.elapsed().as_secs_f64())));
    }
    let mut builder = Builder { formulation: &formulation, problem: Problem::new() };
    builder.build(ground, cluster)?;
    let problem = builder.problem;
    let choices: f64 = problem.sizes().iter().map(|n| *n as f64).product();
    if choices > FEW && !problem.is_wide() && (problem.is_linear() || has_linear_losses(ground, &formulation, cluster)?)
    {
        return Ok(None);
    }
    let formulate_s = begin.elapsed().as_secs_f64();
    let settings = nonlinear::Settings {
        limits: &method.limits,
        start: running(&formulation),
        nodes: method.limits.nodes.map(u64::from),
        tie_nodes: TIE_NODES,
    };
    let outcome = nonlinear::solve(&problem, &settings);
    let effort = Effort {
        columns: problem.sizes().iter().sum(),
        nodes: outcome.nodes,
        undefined: effort.undefined + problem.undefined,
        // Equals are put in order by list prices.
        ties_open: outcome.ties_open || cluster.is_covered,
        ..effort
    };
    let placement = outcome.choices.as_ref().map(|choices| placement(&formulation, choices));
    Ok(Some(Answer {
        status: outcome.status,
        bound: outcome.bound,
        value: if placement.is_some() { outcome.value } else { f64::NAN },
        placement,
        formulate_s,
        effort,
        generation: None,
    }))
}

fn nothing(effort: Effort, formulate_s: f64) -> Answer {
    let (status, bound, value) = (RunStatus::Infeasible, f64::NEG_INFINITY, f64::NAN);
    Answer { status, placement: None, bound, value, formulate_s, effort, generation: None }
}

/// True when some formula looks at several components other than by a sum or a comparison of sums: the cheap look before
/// anything is built.
fn mixes(ground: Ground<'_>, cluster: &Cluster) -> bool {
    let application = &ground.snapshot.application;
    let is_large = combinations(ground, cluster) > MANY;
    let several = |term: &Term| parts_of(application, term).len() > 1 && !(is_large && is_sum(application, term));
    let constraints = cluster.constraints.iter().map(|i| &ground.bound.constraints[*i].term);
    cluster.objective.iter().chain(constraints).any(several)
}

/// True when a formula looks at what is paid for several components after commitments, which is no sum of tables.
pub(crate) fn pays_together(ground: Ground<'_>, cluster: &Cluster) -> bool {
    let constraints = cluster.constraints.iter().map(|i| &ground.bound.constraints[*i].term);
    let is_table = |parts: &[Option<ComponentId>]| match parts {
        [Some(c)] => ground.snapshot.application[*c].fleet == Fleet::Uniform,
        _ => false,
    };
    let mut found = false;
    for term in cluster.objective.iter().chain(constraints) {
        term.leaves(&mut |leaf| found |= matches!(leaf, Term::Paid(parts) if !is_table(parts)));
    }
    found
}

/// What the integer program takes as a column that is at least each of these, when a term is maximised: the losses of soft
/// constraints, `-c max(0, x)` and `-c abs(x)`.
fn lost(term: &Term) -> Option<&[Term]> {
    let (falls, inner) = match term {
        Term::Negate(x) => (true, x.as_ref()),
        Term::Binary(BinaryOp::Multiply, c, x) => match c.as_ref() {
            Term::Constant(c) => (*c < 0.0, x.as_ref()),
            _ => return None,
        },
        other => (false, other),
    };
    match inner {
        Term::Call(Function::Max | Function::Abs, args) if falls => Some(args),
        Term::Call(Function::Min, args) if !falls => Some(args),
        _ => None,
    }
}

/// True when nothing but losses keeps the sub-problem from being linear.
fn has_linear_losses(
    ground: Ground<'_>,
    formulation: &Formulation<'_>,
    cluster: &Cluster,
) -> Result<bool, ProgramError> {
    if !cluster.objective.iter().any(|term| lost(term).is_some()) {
        return Ok(false);
    }
    let parts = |term: &Term| lost(term).map_or_else(|| vec![term.clone()], <[Term]>::to_vec);
    let linear = Cluster { objective: cluster.objective.iter().flat_map(parts).collect(), ..cluster.clone() };
    let mut builder = Builder { formulation, problem: Problem::new() };
    builder.build(ground, &linear)?;
    Ok(builder.problem.is_linear())
}

/// The number of combinations of offers and cardinalities, before any is excluded.
fn combinations(ground: Ground<'_>, cluster: &Cluster) -> f64 {
    let choices = cluster.parts.iter().map(|part| match part {
        Part::Dedicated(c) => {
            let kinds = ground.space.dedicated[c.index()].offers.len().max(1);
            kinds as f64 * ground.snapshot.application[*c].cardinality.count() as f64
        }
        Part::Attribute(..) | Part::Pool => 1.0,
    });
    choices.product()
}

/// True for what is certainly a sum of terms over one part each, or a comparison of such sums that is no equality.
fn is_sum(application: &Application, term: &Term) -> bool {
    let is_constant = |t: &Term| matches!(t, Term::Constant(_));
    match term {
        _ if parts_of(application, term).len() < 2 => true,
        Term::Negate(x) => is_sum(application, x),
        Term::Binary(
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::LessEqual
            | BinaryOp::Less
            | BinaryOp::GreaterEqual
            | BinaryOp::Greater,
            a,
            b,
        ) => is_sum(application, a) && is_sum(application, b),
        Term::Binary(BinaryOp::Multiply, a, b) => {
            (is_constant(a) && is_sum(application, b)) || (is_constant(b) && is_sum(application, a))
        }
        Term::Binary(BinaryOp::Divide, a, b) => is_constant(b) && is_sum(application, a),
        Term::Call(Function::Sum, args) => args.iter().all(|arg| is_sum(application, arg)),
        Term::Call(Function::Number, args) => args.len() == 1 && is_sum(application, &args[0]),
        _ => false,
    }
}

struct Builder<'f, 'a> {
    formulation: &'f Formulation<'a>,
    problem: Problem,
}

impl Builder<'_, '_> {
    fn build(&mut self, ground: Ground<'_>, cluster: &Cluster) -> Result<(), ProgramError> {
        for block in &self.formulation.blocks {
            if let Some((_, length)) = choices_of(block) {
                self.problem.group(length);
            }
        }
        for index in &cluster.constraints {
            let constraint = &ground.bound.constraints[*index];
            let holds =
                self.expression(&constraint.term).map_err(|e| ProgramError::Formulate(Some(constraint.index), e))?;
            self.problem.require(&holds);
        }
        self.take_rows();
        let mut value = self.problem.number(0.0);
        for term in &cluster.objective {
            let summand = self.expression(term).map_err(|e| ProgramError::Formulate(None, e))?;
            value = self.problem.add(&value, &summand, 1.0);
        }
        self.problem.maximize(&value);
        self.order_equals();
        Ok(())
    }

    /// Among placements of equal value the cheapest, then with the fewest nodes, then with the most nodes kept.
    fn order_equals(&mut self) {
        let (mut cost, mut nodes) = (Linear::default(), Linear::default());
        let (mut kept, mut most_kept) = (Linear::default(), 0u64);
        for block in &self.formulation.blocks {
            cost.add(&self.formulation.cost(block), 1.0);
            nodes.add(&self.formulation.over_nodes(block, |_| 1.0), 1.0);
            if let Block::Uniform { component, .. } = block {
                let running = self.formulation.running_on(*component);
                let on = |o| running.iter().find(|(x, _)| Some(*x) == o).map_or(0, |(_, n)| *n);
                kept.add(&block.sum(|o, n, _| f64::from(n.min(on(o)))), 1.0);
                most_kept += running.iter().map(|(_, n)| u64::from(*n)).sum::<u64>();
            }
        }
        let cost = self.linear(&cost);
        let cheap = self.problem.scale(&cost, -1.0);
        self.problem.then_maximize(&cheap);
        let (nodes, kept) = (self.linear(&nodes), self.linear(&kept));
        let few = self.problem.add(&kept, &nodes, -((most_kept + 1) as f64));
        self.problem.then_maximize(&few);
    }

    /// The rows of the frame other than that exactly one choice of each group is taken.
    fn take_rows(&mut self) {
        let milp = &self.formulation.milp;
        for i in 0..milp.rows() {
            let begin = milp.row_start[i] as usize;
            let end = milp.row_start.get(i + 1).map_or(milp.index.len(), |e| *e as usize);
            let first = milp.index.get(begin).map_or(usize::MAX, |c| *c as usize);
            let is_choice = self.formulation.one_hot.contains(&(first, end - begin))
                && milp.row_lower[i] == 1.0
                && milp.row_upper[i] == 1.0
                && milp.value[begin..end].iter().all(|x| *x == 1.0);
            if is_choice {
                continue;
            }
            let terms = (begin..end).map(|k| (milp.index[k] as usize, milp.value[k])).collect();
            let sum = self.linear(&Linear { terms, constant: 0.0 });
            for (side, op) in [(milp.row_lower[i], BinaryOp::GreaterEqual), (milp.row_upper[i], BinaryOp::LessEqual)] {
                if side.is_finite() {
                    let side = self.problem.number(side);
                    let holds = self.problem.binary(op, &sum, &side);
                    self.problem.require(&holds);
                }
            }
        }
    }

    /// A linear expression over the columns of the frame, which are the rows of the components.
    fn linear(&self, linear: &Linear) -> Expression {
        let mut sum = self.problem.number(linear.constant);
        for (g, block) in self.formulation.blocks.iter().enumerate() {
            let Some((first, length)) = choices_of(block) else { continue };
            let mut table = vec![0.0; length];
            for (column, x) in &linear.terms {
                if (first..first + length).contains(column) {
                    table[column - first] += x;
                }
            }
            sum = self.problem.add(&sum, &self.problem.table(g, table), 1.0);
        }
        sum
    }

    /// The table of a term over one component or free attribute.
    fn table(&self, term: &Term, part: Part) -> Option<Expression> {
        let g = self.formulation.blocks.iter().position(|b| b.part() == part)?;
        let values = match &self.formulation.blocks[g] {
            Block::Uniform { component, choices, rows, .. } => {
                let at = |row: &Row| {
                    let offer = row.offer.map(|o| &self.formulation.snapshot.catalog[choices.offers[o as usize]]);
                    let price = offer.map_or(Price::ZERO, |o| o.price);
                    term.evaluate(&RowPoint { component: *component, choices, row: *row, price })
                };
                rows.iter().map(at).collect()
            }
            Block::Values { component, slot, values, .. } => {
                let at = |x: &f64| term.evaluate(&ValuePoint { component: *component, slot: *slot, value: *x });
                values.iter().map(at).collect()
            }
            Block::Mixed { .. } | Block::Pool { .. } => return None,
        };
        Some(self.problem.table(g, values))
    }

    fn expression(&mut self, term: &Term) -> Result<Expression, FormulateError> {
        match parts_of(&self.formulation.snapshot.application, term)[..] {
            [] => return Ok(self.problem.number(term.evaluate(&Nothing))),
            [part] => {
                if let Some(table) = self.table(term, part) {
                    return Ok(table);
                }
            }
            _ => {}
        }
        match term {
            Term::Negate(x) => {
                let x = self.expression(x)?;
                Ok(self.problem.scale(&x, -1.0))
            }
            Term::Not(x) => {
                let x = self.expression(x)?;
                Ok(self.problem.not(&x))
            }
            Term::Binary(op, a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                Ok(self.problem.binary(*op, &a, &b))
            }
            Term::If(c, a, b) => {
                let (c, a, b) = (self.expression(c)?, self.expression(a)?, self.expression(b)?);
                Ok(self.problem.choose(&c, &a, &b))
            }
            Term::Call(function, args) => {
                let args = args.iter().map(|a| self.expression(a)).collect::<Result<Vec<_>, _>>()?;
                Ok(self.problem.call(*function, &args))
            }
            Term::Fleet(fleet) => self.fleet(fleet),
            _ => Err(FormulateError::Entangled),
        }
    }

    /// An aggregate over the nodes of one component that looks at others: all nodes of a uniform component are alike, so
    /// it is the value of one of them, times their number for a sum.
    fn fleet(&mut self, fleet: &FleetTerm) -> Result<Expression, FormulateError> {
        let n = self.expression(&Term::Cardinality(fleet.component))?;
        let body = self.expression(&fleet.body)?;
        let (zero, undefined) = (self.problem.number(0.0), self.problem.number(f64::NAN));
        let (each, none) = match fleet.aggregate {
            Aggregate::Count => (n.clone(), zero),
            Aggregate::Sum => (self.problem.binary(BinaryOp::Multiply, &n, &body), zero),
            _ => (body, undefined),
        };
        let counted = match &fleet.filter {
            Some(filter) => {
                let filter = self.expression(filter)?;
                self.problem.choose(&filter, &each, &none)
            }
            None => each,
        };
        // Without nodes neither the filter nor the body is looked at.
        let zero = self.problem.number(0.0);
        let some = self.problem.binary(BinaryOp::Greater, &n, &zero);
        Ok(self.problem.choose(&some, &counted, &none))
    }
}

/// The rows of the running deployment, when every component runs as one of its rows.
fn running(formulation: &Formulation<'_>) -> Option<Vec<u32>> {
    formulation.snapshot.current.as_ref()?;
    let row_of = |block: &Block<'_>| {
        let set = |component: ComponentId, attribute: &Attribute| {
            formulation.snapshot.current.as_ref().and_then(|now| now.placement.setting(component, attribute))
        };
        let (component, choices, rows) = match block {
            Block::Uniform { component, choices, rows, .. } => (component, choices, rows),
            Block::Values { component, slot, values, .. } => {
                let now = set(*component, formulation.bound.slots.attribute(*slot))?;
                return values.iter().position(|value| *value == now).map(|at| at as u32);
            }
            Block::Mixed { .. } | Block::Pool { .. } => return None,
        };
        if formulation.snapshot.application[*component].is_free() {
            let now = set(*component, &Attribute::Cardinality)?;
            return rows.iter().position(|r| f64::from(r.n) == now).map(|row| row as u32);
        }
        let running = formulation.running_on(*component);
        let at = match running[..] {
            [] => rows.iter().position(|r| r.n == 0),
            [(offer, n)] => {
                rows.iter().position(|r| r.n == n && r.offer.map(|o| choices.offers[o as usize]) == Some(offer))
            }
            _ => None,
        };
        at.map(|row| row as u32)
    };
    formulation.blocks.iter().map(row_of).collect()
}

/// The first column and the number of choices of a part of which exactly one is taken.
fn choices_of(block: &Block<'_>) -> Option<(usize, usize)> {
    match block {
        Block::Uniform { rows, first, .. } => Some((*first, rows.len())),
        Block::Values { values, first, .. } => Some((*first, values.len())),
        Block::Mixed { .. } | Block::Pool { .. } => None,
    }
}

fn placement(formulation: &Formulation<'_>, choices: &[u32]) -> Placement {
    let mut x = vec![0.0; formulation.milp.columns()];
    for ((first, _), choice) in formulation.blocks.iter().filter_map(choices_of).zip(choices) {
        x[first + *choice as usize] = 1.0;
    }
    formulation.placement(&x)
}
