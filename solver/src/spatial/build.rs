//! From the formulas of a sub-problem to a [`Model`]: an integer program of what is linear, and a graph over sums of its
//! columns of what is not.

use cardinal_models::application::ComponentId;
use cardinal_models::document::Fleet;
use cardinal_models::formula::expr::{Aggregate, BinaryOp};

use super::{Model, Sum};
use crate::bound::{Part, parts_of};
use crate::decimal::common_step;
use crate::formulation::conditional::outside;
use crate::formulation::encode::OfferPoint;
use crate::formulation::{Block, Cluster, Encoded, FormulateError, Formulation, Linear, MOST_COMBINATIONS};
use crate::nonlinear::graph::Op;
use crate::nonlinear::instance::trim;
use crate::nonlinear::{Expression, Problem};
use crate::program::{Ground, ProgramError};
use crate::term::{FleetTerm, Nothing, Point, Term};

/// Terms with at most so many combinations of values are tabulated: as part of the integer program they need no
/// branching.
const FEW_COMBINATIONS: usize = 60;
/// Sums of more steps than this have no step that rounding leaves intact.
const MOST_STEPS: f64 = 1e8;

/// The model of a cluster. The formulation holds its linear part, and turns a solution into a placement.
pub(super) fn build(
    formulation: &mut Formulation<'_>,
    ground: Ground<'_>,
    cluster: &Cluster,
) -> Result<Model, ProgramError> {
    let few = FEW_COMBINATIONS.min(ground.combinations);
    let mut builder = Builder { formulation, problem: Problem::new(), quantities: Vec::new(), fleets: Vec::new(), few };
    for index in &cluster.constraints {
        let constraint = &ground.bound.constraints[*index];
        builder.constraint(&constraint.term).map_err(|e| ProgramError::Formulate(Some(constraint.index), e))?;
    }
    let mut value = builder.problem.number(0.0);
    for term in &cluster.objective {
        let summand = builder.summand(term).map_err(|e| ProgramError::Formulate(None, e))?;
        value = builder.problem.add(&value, &summand, 1.0);
    }
    builder.problem.maximize(&value);
    builder.order_equals();
    Ok(builder.finish())
}

struct Builder<'f, 'a> {
    formulation: &'f mut Formulation<'a>,
    problem: Problem,
    /// What each quantity of the problem is.
    quantities: Vec<(Linear, Expression)>,
    /// Aggregates that have columns of their own.
    fleets: Vec<(FleetTerm, Expression)>,
    few: usize,
}

impl Builder<'_, '_> {
    /// Does something to the program with nonlinear terms tabulated up to a size.
    fn tabulating<T>(
        &mut self,
        combinations: usize,
        change: impl FnOnce(&mut Formulation<'_>) -> Result<T, FormulateError>,
    ) -> Result<T, FormulateError> {
        let before = std::mem::replace(&mut self.formulation.combinations, combinations);
        let result = self.formulation.attempt(|f| change(f));
        self.formulation.combinations = before;
        result
    }

    /// A constraint: rows of the program, or a truth value of the graph that must hold.
    fn constraint(&mut self, term: &Term) -> Result<(), FormulateError> {
        if self.tabulating(self.few, |f| f.enforce(term, None)).is_ok() {
            return Ok(());
        }
        let holds = self.expression(term)?;
        self.problem.require(&holds);
        Ok(())
    }

    /// A summand of the objective.
    fn summand(&mut self, term: &Term) -> Result<Expression, FormulateError> {
        match self.tabulating(self.few, |f| f.encode(term)) {
            Ok(encoded) => {
                self.formulation.require_defined(&encoded.undefined, None);
                Ok(self.quantity(&encoded.linear))
            }
            Err(_) => self.expression(term),
        }
    }

    /// Among placements of equal value the cheapest, then with the fewest nodes, then with the most nodes kept.
    fn order_equals(&mut self) {
        let (mut cost, mut few) = (Linear::default(), Linear::default());
        let (kept, most_kept) = self.formulation.kept_nodes();
        for block in &self.formulation.blocks {
            cost.add(&self.formulation.cost(block), -1.0);
            few.add(&self.formulation.over_nodes(block, |_| 1.0), -((most_kept + 1) as f64));
        }
        few.add(&kept, 1.0);
        for order in [cost, few] {
            let order = self.quantity(&order);
            self.problem.then_maximize(&order);
        }
    }

    fn finish(self) -> Model {
        let Builder { formulation, mut problem, quantities, .. } = self;
        let zero = problem.number(0.0);
        if problem.objective.is_none() {
            problem.maximize(&zero);
        }
        let goals: Vec<_> = problem.objective.iter().chain(&problem.ties).copied().collect();
        let (graph, constraints, goals) = trim(&problem.graph, &problem.constraints, &goals);
        let sum = |aggregate: &crate::nonlinear::graph::Aggregate| {
            let mut linear = Linear::default();
            for (number, factor) in &aggregate.tables {
                linear.add(&quantities[*number].0, factor[0]);
            }
            linear.compact();
            let is_whole = linear.terms.iter().all(|(c, _)| formulation.is_whole(*c));
            let step = if is_whole { common_step(linear.terms.iter().map(|(_, x)| *x)) } else { None };
            let (low, high) = formulation.bounds(&linear);
            let step = step.filter(|step| low.abs().max(high.abs()) / step <= MOST_STEPS).unwrap_or(0.0);
            Sum { linear, step }
        };
        let sums = graph.aggregates.iter().map(sum).collect();
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
        Model { milp: formulation.milp.clone(), graph, constraints, goals, sums, below }
    }

    /// An expression that is linear in the columns.
    fn quantity(&mut self, linear: &Linear) -> Expression {
        let mut own = linear.clone();
        own.compact();
        let constant = std::mem::take(&mut own.constant);
        if own.terms.is_empty() {
            return self.problem.number(constant);
        }
        let known = self.quantities.iter().find_map(|(known, e)| Some((multiple(&own, known)?, e.clone())));
        let expression = match known {
            Some((1.0, expression)) => expression,
            // One sum, however it is scaled: what is learnt of it holds for all its multiples.
            Some((factor, expression)) => self.problem.scale(&expression, factor),
            None => {
                let (number, expression) = self.problem.quantity();
                debug_assert_eq!(number, self.quantities.len());
                self.quantities.push((own, expression.clone()));
                expression
            }
        };
        let constant = self.problem.number(constant);
        self.problem.add(&expression, &constant, 1.0)
    }

    /// A linear expression that has no value where one of some columns is used.
    fn encoded(&mut self, encoded: &Encoded) -> Expression {
        let value = self.quantity(&encoded.linear);
        if encoded.undefined.is_empty() {
            return value;
        }
        let terms = encoded.undefined.iter().map(|column| (*column, 1.0)).collect();
        let lacks = self.quantity(&Linear { terms, constant: 0.0 });
        let (zero, undefined) = (self.problem.number(0.0), self.problem.number(f64::NAN));
        let has_value = self.problem.binary(BinaryOp::LessEqual, &lacks, &zero);
        self.problem.choose(&has_value, &value, &undefined)
    }

    fn expression(&mut self, term: &Term) -> Result<Expression, FormulateError> {
        match parts_of(&self.formulation.snapshot.application, term)[..] {
            [] => return Ok(self.problem.number(term.evaluate(&Nothing))),
            [part] => {
                // What a program cannot tell apart the graph can, as long as there is an operator to be taken apart.
                let is_leaf = term.children().is_empty();
                if let Some(table) = self.formulation.encode_rows(term, part)
                    && (is_leaf || table.linear.too_wide().is_none())
                {
                    return Ok(self.encoded(&table));
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
            Term::Cardinality(_) | Term::Cost(_) | Term::Nodes(_) | Term::Replicas(_) | Term::Grid(..) => {
                let encoded = self.formulation.encode(term)?;
                Ok(self.encoded(&encoded))
            }
            Term::Paid(_) => Err(FormulateError::NonlinearPaid),
            Term::Constant(_) | Term::Attribute(..) => Err(FormulateError::Entangled),
        }
    }

    fn fleet(&mut self, fleet: &FleetTerm) -> Result<Expression, FormulateError> {
        if let Some((_, known)) = self.fleets.iter().find(|(known, _)| known == fleet) {
            return Ok(known.clone());
        }
        let application = &self.formulation.snapshot.application;
        let is_uniform = matches!(self.formulation.block_of(fleet.component), Some(Block::Uniform { .. }));
        let outside = outside(fleet);
        let expression = match (is_uniform, outside.is_empty(), fleet.aggregate) {
            (true, ..) => {
                debug_assert_eq!(application[fleet.component].fleet, Fleet::Uniform);
                self.alike(fleet)?
            }
            (_, true, Aggregate::Sum | Aggregate::Count) => match self.formulation.encode_fleet(fleet) {
                Some(encoded) => self.encoded(&encoded),
                None => self.shared(fleet)?,
            },
            (_, true, _) => match self.formulation.block_of(fleet.component) {
                Some(Block::Mixed { .. }) => self.extreme(fleet),
                _ => self.shared(fleet)?,
            },
            (_, false, Aggregate::Sum | Aggregate::Count) => {
                let encoded = self.tabulating(MOST_COMBINATIONS, |f| f.encode_conditional(fleet, outside))?;
                self.encoded(&encoded)
            }
            _ => return Err(FormulateError::Entangled),
        };
        self.fleets.push((fleet.clone(), expression.clone()));
        Ok(expression)
    }

    /// What one node counts: its value, `None` where it does not count, NaN where it has no value.
    fn counted(fleet: &FleetTerm, point: &impl Point) -> Option<f64> {
        let counts = fleet.filter.as_ref().map_or(1.0, |f| f.evaluate(point));
        match counts {
            0.0 => None,
            x if x.is_nan() => Some(x),
            _ => Some(fleet.body.evaluate(point)),
        }
    }

    /// An aggregate over the nodes of a uniform component that looks at others: all its nodes are alike, so it is the
    /// value of one of them, times their number for a sum.
    fn alike(&mut self, fleet: &FleetTerm) -> Result<Expression, FormulateError> {
        let body = self.expression(&fleet.body)?;
        let filter = fleet.filter.as_ref().map(|f| self.expression(f)).transpose()?;
        let n = self.expression(&Term::Cardinality(fleet.component))?;
        let (zero, undefined) = (self.problem.number(0.0), self.problem.number(f64::NAN));
        let (each, none) = match fleet.aggregate {
            Aggregate::Count => (n.clone(), zero.clone()),
            Aggregate::Sum => (self.problem.binary(BinaryOp::Multiply, &n, &body), zero.clone()),
            _ => (body, undefined),
        };
        let counted = match filter {
            Some(filter) => self.problem.choose(&filter, &each, &none),
            None => each,
        };
        // Without nodes neither the filter nor the body is looked at.
        let some = self.problem.binary(BinaryOp::Greater, &n, &zero);
        Ok(self.problem.choose(&some, &counted, &none))
    }

    /// An aggregate over instances on shared nodes, whose demands are all the same number.
    fn shared(&mut self, fleet: &FleetTerm) -> Result<Expression, FormulateError> {
        let point = OfferPoint { component: ComponentId(u32::MAX), choices: &self.formulation.space.pool, offer: 0 };
        let each = Self::counted(fleet, &point);
        let n = self.expression(&Term::Cardinality(fleet.component))?;
        let (zero, undefined) = (self.problem.number(0.0), self.problem.number(f64::NAN));
        let (some, none) = match (fleet.aggregate, each) {
            (Aggregate::Sum | Aggregate::Count, None) => (zero.clone(), zero.clone()),
            (Aggregate::Count, Some(_)) => (n.clone(), zero.clone()),
            (Aggregate::Sum, Some(x)) if x.is_nan() => (undefined, zero.clone()),
            (Aggregate::Sum, Some(x)) => (self.problem.scale(&n, x), zero.clone()),
            (_, x) => (self.problem.number(x.unwrap_or(f64::NAN)), undefined),
        };
        let any = self.problem.binary(BinaryOp::Greater, &n, &zero);
        Ok(self.problem.choose(&any, &some, &none))
    }

    /// The largest or smallest value over the nodes of a mixed fleet: the least extreme one and its steps towards the
    /// most extreme one, each with a column that is 1 when some node is at least so extreme.
    fn extreme(&mut self, fleet: &FleetTerm) -> Expression {
        let Some(Block::Mixed { component, choices, cells, first }) = self.formulation.block_of(fleet.component) else {
            return self.problem.number(f64::NAN);
        };
        let sign = if fleet.aggregate == Aggregate::Min { -1.0 } else { 1.0 };
        let (mut valued, mut lacking): (Vec<(usize, f64)>, Vec<usize>) = (Vec::new(), Vec::new());
        for (i, cell) in cells.iter().enumerate() {
            let point = OfferPoint { component: *component, choices, offer: cell.offer as usize };
            match Self::counted(fleet, &point) {
                Some(x) if x.is_nan() => lacking.push(first + i),
                Some(x) => valued.push((first + i, sign * x)),
                None => {}
            }
        }
        let mut levels: Vec<f64> = valued.iter().map(|(_, x)| *x).collect();
        levels.sort_unstable_by(f64::total_cmp);
        levels.dedup();
        let Some(least) = levels.first().copied() else { return self.problem.number(f64::NAN) };
        let mut value = Linear::constant(sign * least);
        for pair in levels.windows(2) {
            let reached = self.formulation.milp.add_column(0.0, 1.0, true);
            value.terms.push((reached, sign * (pair[1] - pair[0])));
            let mut some = Linear { terms: vec![(reached, -1.0)], constant: 0.0 };
            for (column, _) in valued.iter().filter(|(_, x)| *x >= pair[1]) {
                some.terms.push((*column, 1.0));
                let most = self.formulation.milp.upper[*column].max(1.0);
                let terms = vec![(*column, 1.0), (reached, -most)];
                self.formulation.row(Linear { terms, constant: 0.0 }, f64::NEG_INFINITY, 0.0);
            }
            self.formulation.row(some, 0.0, f64::INFINITY);
        }
        let value = self.encoded(&Encoded { linear: value, undefined: lacking });
        let terms = valued.iter().map(|(column, _)| (*column, 1.0)).collect();
        let n = self.quantity(&Linear { terms, constant: 0.0 });
        let (zero, undefined) = (self.problem.number(0.0), self.problem.number(f64::NAN));
        let any = self.problem.binary(BinaryOp::Greater, &n, &zero);
        self.problem.choose(&any, &value, &undefined)
    }
}

/// The factor that makes one sum of another, when it is a multiple of it but for rounding.
fn multiple(own: &Linear, known: &Linear) -> Option<f64> {
    let ((_, first), (_, base)) = (own.terms.first()?, known.terms.first()?);
    let factor = first / base;
    let same = |((a, x), (b, y)): (&(usize, f64), &(usize, f64))| a == b && (x - factor * y).abs() <= 1e-15 * x.abs();
    (own.terms.len() == known.terms.len() && own.terms.iter().zip(&known.terms).all(same)).then_some(factor)
}

/// True when a part of the placement is a number of nodes or patterns, which is not one choice of several.
pub(super) fn is_counted(ground: Ground<'_>, part: &Part) -> bool {
    match part {
        Part::Dedicated(c) => ground.snapshot.application[*c].fleet == Fleet::Mixed,
        Part::Attribute(..) | Part::Data(_) => false,
        Part::Pool => true,
    }
}
