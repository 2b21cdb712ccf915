//! Terms as linear expressions, and truth values as rows.

use cardinal_models::application::ComponentId;
use cardinal_models::formula::expr::{Aggregate, BinaryOp};
use cardinal_models::formula::function::Function;
use cardinal_models::tolerance::TOLERANCE;

use super::blocks::{RowPoint, ValuePoint};
use super::conditional::outside;
use super::sided::Side;
use super::{Block, Encoded, FormulateError, Formulation, Linear, STRICT_CLEARANCE};
use crate::bound::{Part, parts_of};
use crate::decimal::divisor;
use crate::range;
use crate::space::Choices;
use crate::term::{FleetTerm, Point, Slot, Term, apply, binary, fold};

/// The attributes of one offer of a component, and nothing else.
pub(crate) struct OfferPoint<'a> {
    pub component: ComponentId,
    pub choices: &'a Choices,
    pub offer: usize,
}

impl Point for OfferPoint<'_> {
    fn attribute(&self, component: ComponentId, slot: Slot) -> f64 {
        match self.choices.columns.get(&slot) {
            Some(column) if component == self.component => column[self.offer],
            _ => f64::NAN,
        }
    }
}

/// The opposite of a truth value, with the negation moved inwards.
pub(super) fn negated(term: &Term) -> Term {
    let flip = |op: BinaryOp, a: &Term, b: &Term| binary(op, a.clone(), b.clone());
    match term {
        Term::Constant(x) => Term::Constant(if *x == 0.0 { 1.0 } else { 0.0 }),
        Term::Not(x) => x.as_ref().clone(),
        Term::Binary(op, a, b) => match op {
            BinaryOp::LessEqual => flip(BinaryOp::Greater, a, b),
            BinaryOp::Less => flip(BinaryOp::GreaterEqual, a, b),
            BinaryOp::GreaterEqual => flip(BinaryOp::Less, a, b),
            BinaryOp::Greater => flip(BinaryOp::LessEqual, a, b),
            BinaryOp::Equal => flip(BinaryOp::NotEqual, a, b),
            BinaryOp::NotEqual => flip(BinaryOp::Equal, a, b),
            BinaryOp::And => binary(BinaryOp::Or, negated(a), negated(b)),
            BinaryOp::Or => binary(BinaryOp::And, negated(a), negated(b)),
            BinaryOp::Implies => binary(BinaryOp::And, a.as_ref().clone(), negated(b)),
            BinaryOp::Xor => {
                let both = binary(BinaryOp::And, a.as_ref().clone(), b.as_ref().clone());
                binary(BinaryOp::Or, both, binary(BinaryOp::And, negated(a), negated(b)))
            }
            _ => Term::Not(Box::new(term.clone())),
        },
        Term::If(c, a, b) if a.is_truth() && b.is_truth() => {
            Term::If(c.clone(), Box::new(negated(a)), Box::new(negated(b)))
        }
        other => Term::Not(Box::new(other.clone())),
    }
}

/// `a op b` with the division by something of a known sign multiplied out, and the larger of several numbers written
/// as each of them.
fn unfold_comparison(op: BinaryOp, a: &Term, b: &Term, leaves: &impl range::Leaves) -> Option<Term> {
    let flipped = match op {
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::Greater => BinaryOp::Less,
        other => other,
    };
    match (a, b) {
        (Term::Constant(x), Term::Constant(y)) => return Some(Term::Constant(apply(op, *x, *y))),
        (Term::Constant(_), _) => return Some(binary(flipped, b.clone(), a.clone())),
        _ => {}
    }
    if let (Term::Binary(BinaryOp::Divide, n, d), Term::Constant(_)) = (a, b) {
        let divisor = range::range(d, leaves);
        let product = fold(binary(BinaryOp::Multiply, d.as_ref().clone(), b.clone()));
        if divisor.is_positive() {
            return Some(binary(op, n.as_ref().clone(), product));
        }
        if divisor.is_negative() {
            return Some(binary(flipped, n.as_ref().clone(), product));
        }
    }
    // max(x, y) <= z is x <= z and y <= z; max(x, y) >= z is x >= z or y >= z.
    if let Term::Call(function @ (Function::Max | Function::Min), args) = a {
        let is_max = *function == Function::Max;
        let joined = match op {
            BinaryOp::LessEqual | BinaryOp::Less => Some(if is_max { BinaryOp::And } else { BinaryOp::Or }),
            BinaryOp::GreaterEqual | BinaryOp::Greater => Some(if is_max { BinaryOp::Or } else { BinaryOp::And }),
            _ => None,
        }?;
        return args.iter().map(|x| binary(op, x.clone(), b.clone())).reduce(|x, y| binary(joined, x, y));
    }
    None
}

/// A linear expression over integer columns in whole steps: its terms with whole coefficients without a common divisor,
/// what one step is worth, and its constant in steps, which need not be whole.
pub(super) struct Steps {
    pub terms: Vec<(usize, f64)>,
    pub step: f64,
    pub constant: f64,
}

/// The expression in steps, if its coefficients are decimals of a few places.
pub(super) fn in_steps(linear: &Linear, is_whole: impl Fn(usize) -> bool) -> Option<Steps> {
    if linear.terms.is_empty() || linear.terms.iter().any(|(c, _)| !is_whole(*c)) {
        return None;
    }
    let fits = |step: &f64| {
        linear.terms.iter().all(|(_, x)| {
            let scaled = x / step;
            scaled.abs() < 1e9 && (scaled - scaled.round()).abs() < 1e-9 * scaled.abs().max(1.0)
        })
    };
    let step = [1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6].into_iter().find(fits)?;
    let common = linear.terms.iter().map(|(_, x)| (x / step).round().abs() as u64).fold(0, divisor);
    let step = step * common.max(1) as f64;
    let terms = linear.terms.iter().map(|(c, x)| (*c, (x / step).round())).collect();
    Some(Steps { terms, step, constant: linear.constant / step })
}

impl Formulation<'_> {
    /// A linear expression for a term.
    pub fn encode(&mut self, term: &Term) -> Result<Encoded, FormulateError> {
        let scaled = |mut e: Encoded, factor: f64| {
            let mut linear = Linear::default();
            linear.add(&e.linear, factor);
            e.linear = linear;
            e
        };
        match term {
            Term::Constant(x) => return Ok(Encoded { linear: Linear::constant(*x), undefined: Vec::new() }),
            Term::Negate(x) => return Ok(scaled(self.encode(x)?, -1.0)),
            _ => {}
        }
        let parts = parts_of(&self.snapshot.application, term);
        if let [Part::Dedicated(_) | Part::Attribute(..)] = parts[..]
            && let Some(encoded) = self.encode_rows(term, parts[0])
        {
            return Ok(encoded);
        }
        match term {
            Term::Binary(op @ (BinaryOp::Add | BinaryOp::Subtract), a, b) => {
                let (mut a, b) = (self.encode(a)?, self.encode(b)?);
                a.linear.add(&b.linear, if *op == BinaryOp::Add { 1.0 } else { -1.0 });
                a.undefined.extend(b.undefined);
                Ok(a)
            }
            Term::Binary(BinaryOp::Multiply, a, b) => match (a.as_ref(), b.as_ref()) {
                (Term::Constant(x), other) | (other, Term::Constant(x)) => Ok(scaled(self.encode(other)?, *x)),
                _ => self.tabulate(term),
            },
            Term::Binary(BinaryOp::Divide, a, b) => match b.as_ref() {
                Term::Constant(x) if *x != 0.0 => Ok(scaled(self.encode(a)?, 1.0 / x)),
                _ => self.tabulate(term),
            },
            Term::Call(Function::Sum, args) => {
                let mut sum = Encoded::default();
                for arg in args {
                    let encoded = self.encode(arg)?;
                    sum.linear.add(&encoded.linear, 1.0);
                    sum.undefined.extend(encoded.undefined);
                }
                Ok(sum)
            }
            Term::Call(Function::Number, args) if args.len() == 1 => self.encode(&args[0]),
            Term::Fleet(fleet) if matches!(fleet.aggregate, Aggregate::Sum | Aggregate::Count) => {
                let outside = outside(fleet);
                if !outside.is_empty() {
                    return self.encode_conditional(fleet, outside);
                }
                match self.encode_fleet(fleet) {
                    Some(encoded) => Ok(encoded),
                    None => self.tabulate(term),
                }
            }
            _ => match self.encode_leaf(term) {
                Some(encoded) => Ok(encoded),
                None => self.tabulate(term),
            },
        }
    }

    /// The table of a term over one uniform component.
    pub(crate) fn encode_rows(&self, term: &Term, part: Part) -> Option<Encoded> {
        let mut encoded = Encoded::default();
        let mut add = |column: usize, value: f64| match value.is_nan() {
            true => encoded.undefined.push(column),
            false => encoded.linear.terms.push((column, value)),
        };
        match self.block(part)? {
            Block::Uniform { component, choices, rows, first } => {
                for (i, row) in rows.iter().enumerate() {
                    let offer = row.offer.map(|o| &self.snapshot.catalog[choices.offers[o as usize]]);
                    let price = offer.map_or(cardinal_models::quantity::Price::ZERO, |o| o.price);
                    add(first + i, term.evaluate(&RowPoint { component: *component, choices, row: *row, price }));
                }
            }
            Block::Values { component, slot, values, first } => {
                for (i, value) in values.iter().enumerate() {
                    let point = ValuePoint { component: *component, slot: *slot, value: *value };
                    add(first + i, term.evaluate(&point));
                }
            }
            Block::Mixed { .. } | Block::Pool { .. } => return None,
        }
        Some(encoded)
    }

    /// A leaf of a mixed fleet or of the shared pool that is linear in the columns.
    fn encode_leaf(&self, term: &Term) -> Option<Encoded> {
        let linear = match term {
            Term::Cardinality(c) => self.cardinality(*c),
            Term::Nodes(part) => {
                let part = part.map_or(Part::Pool, Part::Dedicated);
                self.block(part).map_or_else(Linear::default, |b| self.over_nodes(b, |_| 1.0))
            }
            Term::Cost(part) => {
                let part = part.map_or(Part::Pool, Part::Dedicated);
                self.block(part).map_or_else(Linear::default, |b| self.cost(b))
            }
            Term::Paid(parts) => {
                let mut paid = Linear::default();
                for part in parts {
                    let block = self.block(part.map_or(Part::Pool, Part::Dedicated))?;
                    paid.add(&self.cost(block), 1.0);
                }
                paid.add(&self.covered, -1.0);
                paid
            }
            _ => return None,
        };
        Some(Encoded { linear, undefined: Vec::new() })
    }

    /// A sum or count over nodes that each count by their offer alone.
    pub(crate) fn encode_fleet(&self, fleet: &FleetTerm) -> Option<Encoded> {
        let value = |point: &OfferPoint<'_>| {
            let counts = fleet.filter.as_ref().map_or(1.0, |f| f.evaluate(point));
            match fleet.aggregate {
                _ if counts.is_nan() => counts,
                _ if counts == 0.0 => 0.0,
                Aggregate::Count => 1.0,
                _ => fleet.body.evaluate(point),
            }
        };
        match self.block_of(fleet.component)? {
            Block::Mixed { component, choices, cells, first } => {
                let mut encoded = Encoded::default();
                for (i, cell) in cells.iter().enumerate() {
                    let x = value(&OfferPoint { component: *component, choices, offer: cell.offer as usize });
                    match x.is_nan() {
                        true => encoded.undefined.push(first + i),
                        false => encoded.linear.terms.push((first + i, x)),
                    }
                }
                Some(encoded)
            }
            Block::Pool { .. } => {
                // What one instance demands is the same for all of them.
                let each = value(&OfferPoint { component: fleet.component, choices: &self.space.pool, offer: 0 });
                let mut linear = Linear::default();
                linear.add(&self.cardinality(fleet.component), if each.is_nan() { 0.0 } else { each });
                (!each.is_nan()).then_some(Encoded { linear, undefined: Vec::new() })
            }
            Block::Uniform { .. } | Block::Values { .. } => None,
        }
    }

    /// Rows that make a truth value hold, always or whenever the binary column `under` is 1.
    pub fn enforce(&mut self, term: &Term, under: Option<usize>) -> Result<(), FormulateError> {
        match term {
            Term::Constant(x) => {
                if *x == 0.0 {
                    self.forbid(under);
                }
                return Ok(());
            }
            Term::Binary(BinaryOp::And, a, b) => {
                self.enforce(a, under)?;
                return self.enforce(b, under);
            }
            _ => {}
        }
        let parts = parts_of(&self.snapshot.application, term);
        if let [part] = parts[..]
            && let Some(table) = self.encode_rows(term, part)
        {
            // Undefined rows count as false: they are not in the table.
            let mut linear = table.linear;
            linear.terms.extend(under.map(|d| (d, -1.0)));
            let least = if under.is_some() { 0.0 } else { 1.0 };
            self.row(linear, least, f64::INFINITY);
            return Ok(());
        }
        match term {
            Term::Not(x) => match negated(x) {
                still @ Term::Not(_) => self.enforce_table(&still, under),
                other => self.enforce(&other, under),
            },
            Term::Binary(BinaryOp::Or, a, b) => self.enforce_either(a, b, under),
            Term::Binary(BinaryOp::Implies, a, b) => self.enforce_either(&negated(a), b, under),
            Term::Binary(BinaryOp::Xor, a, b) => {
                let first = binary(BinaryOp::And, a.as_ref().clone(), negated(b));
                let second = binary(BinaryOp::And, negated(a), b.as_ref().clone());
                self.enforce_either(&first, &second, under)
            }
            Term::Binary(op, a, b) if op.is_comparison() => self.enforce_comparison(*op, a, b, under),
            Term::If(c, a, b) if a.is_truth() && b.is_truth() => {
                self.enforce_either(&negated(c), a, under)?;
                self.enforce_either(c, b, under)
            }
            _ => self.enforce_table(term, under),
        }
    }

    fn forbid(&mut self, under: Option<usize>) {
        match under {
            Some(column) => self.milp.upper[column] = 0.0,
            None => self.contradiction = true,
        }
    }

    /// At least one of two truth values holds. The first has a value, the second may have none where the first holds.
    fn enforce_either(&mut self, a: &Term, b: &Term, under: Option<usize>) -> Result<(), FormulateError> {
        self.require_value(a, under)?;
        let first = self.milp.add_column(0.0, 1.0, true);
        let second = self.milp.add_column(0.0, 1.0, true);
        let mut sum = vec![(first, 1.0), (second, 1.0)];
        sum.extend(under.map(|d| (d, -1.0)));
        let least = if under.is_some() { 0.0 } else { 1.0 };
        self.row(Linear { terms: sum, constant: 0.0 }, least, f64::INFINITY);
        self.enforce(a, Some(first))?;
        self.enforce(b, Some(second))
    }

    /// A truth value that is not a comparison of linear expressions, by its table.
    fn enforce_table(&mut self, term: &Term, under: Option<usize>) -> Result<(), FormulateError> {
        let encoded = self.tabulate(term)?;
        self.require_defined(&encoded.undefined, under);
        let mut linear = encoded.linear;
        linear.terms.extend(under.map(|d| (d, -1.0)));
        self.row(linear, if under.is_some() { 0.0 } else { 1.0 }, f64::INFINITY);
        Ok(())
    }

    /// Excludes the columns at which something has no value.
    pub(crate) fn require_defined(&mut self, undefined: &[usize], under: Option<usize>) {
        for column in undefined {
            match under {
                None if self.milp.lower[*column] > 0.0 => self.contradiction = true,
                None => self.milp.upper[*column] = 0.0,
                Some(d) => {
                    // x <= most (1 - d)
                    let most = self.milp.upper[*column].max(1.0);
                    let terms = vec![(*column, 1.0), (d, most)];
                    self.row(Linear { terms, constant: 0.0 }, f64::NEG_INFINITY, most);
                }
            }
        }
    }

    fn enforce_comparison(
        &mut self,
        op: BinaryOp,
        a: &Term,
        b: &Term,
        under: Option<usize>,
    ) -> Result<(), FormulateError> {
        if let Some(unfolded) = unfold_comparison(op, a, b, &self.space.ranges) {
            if matches!(unfolded, Term::Binary(BinaryOp::Or, ..)) {
                // Every argument of an extreme has a value, not only the one that decides.
                self.require_value(a, under)?;
                self.require_value(b, under)?;
            }
            return self.enforce(&unfolded, under);
        }
        if op == BinaryOp::NotEqual {
            let less = binary(BinaryOp::Less, a.clone(), b.clone());
            let greater = binary(BinaryOp::Greater, a.clone(), b.clone());
            return self.enforce_either(&less, &greater, under);
        }
        // A row that holds only under a condition needs bounds of what stands in it.
        let (above, below) = match op {
            BinaryOp::LessEqual | BinaryOp::Less if under.is_none() => (Side::Above, Side::Below),
            BinaryOp::GreaterEqual | BinaryOp::Greater if under.is_none() => (Side::Below, Side::Above),
            _ => (Side::Exact, Side::Exact),
        };
        let (mut left, right) = (self.encode_sided(a, above)?, self.encode_sided(b, below)?);
        let scale = left.linear.constant.abs().max(right.linear.constant.abs()).max(1.0);
        left.linear.add(&right.linear, -1.0);
        left.undefined.extend(right.undefined);
        self.require_defined(&left.undefined, under);
        left.linear.compact();
        let linear = left.linear;
        if let Some((smallest, largest)) = linear.too_wide() {
            return Err(FormulateError::TooWide { largest, smallest });
        }
        if let Some(steps) = in_steps(&linear, |c| self.is_whole(c)) {
            self.compare_steps(op, steps, scale, under);
            return Ok(());
        }
        self.is_delicate |= op == BinaryOp::Equal || under.is_some();
        // The tolerance of the evaluator at the size of the constant; a positive margin pulls the limit inwards.
        let slack = (TOLERANCE * 0.5 - self.margin) * scale;
        let strict = match op {
            BinaryOp::Less | BinaryOp::Greater => (STRICT_CLEARANCE + self.margin) * scale,
            _ => -slack,
        };
        if matches!(op, BinaryOp::LessEqual | BinaryOp::Less | BinaryOp::Equal) {
            let mut below = Linear::default();
            below.add(&linear, -1.0);
            self.at_least(below, if op == BinaryOp::Equal { -slack.abs() } else { strict }, under);
        }
        if matches!(op, BinaryOp::GreaterEqual | BinaryOp::Greater | BinaryOp::Equal) {
            self.at_least(linear, if op == BinaryOp::Equal { -slack.abs() } else { strict }, under);
        }
        Ok(())
    }

    /// `steps op 0` in whole numbers, which no tolerance of the engine can blur.
    fn compare_steps(&mut self, op: BinaryOp, steps: Steps, scale: f64, under: Option<usize>) {
        // The tolerance of the evaluator, in steps.
        let slack = TOLERANCE * (scale / steps.step).max(1.0);
        let zero = -steps.constant;
        // The whole numbers next to 0: equal to it when they are within the slack of each other.
        let (not_below, not_above) = ((zero - slack).ceil(), (zero + slack).floor());
        let sum = Linear { terms: steps.terms, constant: 0.0 };
        let (least, most) = match op {
            BinaryOp::GreaterEqual => (Some(not_below), None),
            BinaryOp::Greater => (Some(not_above + 1.0), None),
            BinaryOp::LessEqual => (None, Some(not_above)),
            BinaryOp::Less => (None, Some(not_below - 1.0)),
            _ if not_below > not_above => return self.forbid(under),
            _ => (Some(not_below), Some(not_above)),
        };
        if let Some(most) = most {
            let mut negative = Linear::default();
            negative.add(&sum, -1.0);
            self.at_least(negative, -most, under);
        }
        if let Some(least) = least {
            self.at_least(sum, least, under);
        }
    }

    /// `expression >= least`, always or when `under` is 1.
    fn at_least(&mut self, mut linear: Linear, least: f64, under: Option<usize>) {
        if let Some(column) = under {
            let (low, _) = self.bounds(&linear);
            if low >= least {
                return;
            }
            // expression >= least - (least - low) (1 - under)
            linear.terms.push((column, low - least));
            self.row(linear, low, f64::INFINITY);
            return;
        }
        self.row(linear, least, f64::INFINITY);
    }
}
