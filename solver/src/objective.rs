//! The objective as a strictly rising function of a sum.
//!
//! A strictly monotone outer function does not change which placement is best, so it is peeled off: what is left to
//! maximise is a sum, of which each part can be treated on its own. A product of positive factors is a sum of their
//! logarithms.

use cardinal_models::application::Application;
use cardinal_models::document::Fleet;
use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;

use crate::bound::{Part, parts_of};
use crate::range::{Leaves, range};
use crate::term::{Term, binary, fold};

/// One step from the inner sum back to the objective.
#[derive(Clone, Debug, PartialEq)]
enum Outer {
    /// x + c
    Add(f64),
    /// x * c
    Scale(f64),
    /// c / x, of an x above 0 or below
    Reciprocal(f64, f64),
    /// x ^ c
    Power(f64),
    /// c ^ x
    Exponential(f64),
    /// f(x)
    Call(Function),
}

/// The objective taken apart: maximising `sign` times the sum of the terms maximises the objective.
#[derive(Clone, Debug)]
pub struct Objective {
    /// What is maximised: the sum of these, each already with its sign.
    pub terms: Vec<Term>,
    /// Conditions that make the peeled functions defined; they hold wherever the objective is defined.
    pub conditions: Vec<Term>,
    sign: f64,
    outer: Vec<Outer>,
}

impl Objective {
    /// True when a relative gap of the sum is a relative gap of the objective: nothing but factors was peeled.
    pub fn keeps_gaps(&self) -> bool {
        let scales = self.outer.iter().all(|o| matches!(o, Outer::Scale(_)));
        scales && self.terms.iter().all(|t| !matches!(t, Term::Constant(_)))
    }

    /// The value of the objective that belongs to a value of the sum of [`Objective::terms`].
    pub fn outer(&self, sum: f64) -> f64 {
        self.outer.iter().rev().fold(self.sign * sum, |x, step| match step {
            Outer::Add(c) => x + c,
            Outer::Scale(c) => x * c,
            // A bound on the wrong side of 0 is none.
            Outer::Reciprocal(c, side) => c / ((x * side).max(0.0) * side),
            // An odd power is of any number; a bound below 0 on what is never below 0 is 0.
            Outer::Power(c) if *c > 0.0 && c % 2.0 == 1.0 => x.powf(*c),
            Outer::Power(c) => x.max(0.0).powf(*c),
            Outer::Exponential(c) => c.powf(x),
            Outer::Call(f) => f.apply(&[x]).unwrap_or(f64::NAN),
        })
    }
}

/// True when a term is a table as it stands: it looks at one uniform component only.
fn is_table(application: &Application, term: &Term) -> bool {
    match parts_of(application, term)[..] {
        [] => true,
        [Part::Dedicated(c)] => application[c].fleet == Fleet::Uniform,
        [Part::Attribute(..) | Part::Data(_)] => true,
        _ => false,
    }
}

fn constant(term: &Term) -> Option<f64> {
    match term {
        Term::Constant(x) => Some(*x),
        _ => None,
    }
}

/// Takes an objective, which is to be maximised, apart.
pub fn take_apart(application: &Application, objective: &Term, leaves: &impl Leaves) -> Objective {
    let mut result = Objective { terms: Vec::new(), conditions: Vec::new(), sign: 1.0, outer: Vec::new() };
    let mut term = objective.clone();
    // A table is peeled too: an exponential spans more orders of magnitude than the engine can tell apart.
    while let Some(peeled) = peel(&term, leaves) {
        if peeled.condition.is_some() && is_table(application, &term) {
            break;
        }
        result.outer.push(peeled.step);
        result.conditions.extend(peeled.condition);
        if peeled.falls {
            result.sign = -result.sign;
        }
        term = peeled.inner;
    }
    if !is_table(application, &term)
        && let Some(logarithms) = as_logarithms(application, &term, leaves)
    {
        result.outer.push(Outer::Call(Function::Exp));
        term = logarithms;
    }
    summands(&term, result.sign, &mut result.terms);
    result
}

struct Peeled {
    step: Outer,
    inner: Term,
    falls: bool,
    condition: Option<Term>,
}

/// Peels one strictly monotone function off a term.
fn peel(term: &Term, leaves: &impl Leaves) -> Option<Peeled> {
    let peeled = |step, inner: &Term, falls| Some(Peeled { step, inner: inner.clone(), falls, condition: None });
    match term {
        Term::Negate(x) => peeled(Outer::Scale(-1.0), x, true),
        Term::Binary(op, a, b) => match (op, constant(a), constant(b)) {
            (BinaryOp::Add, Some(c), _) => peeled(Outer::Add(c), b, false),
            (BinaryOp::Add, _, Some(c)) => peeled(Outer::Add(c), a, false),
            (BinaryOp::Subtract, _, Some(c)) => peeled(Outer::Add(-c), a, false),
            (BinaryOp::Subtract, Some(c), _) => {
                let negative = Term::Negate(b.clone());
                peeled(Outer::Add(c), &negative, false)
            }
            (BinaryOp::Multiply, Some(c), _) if c != 0.0 => peeled(Outer::Scale(c), b, c < 0.0),
            (BinaryOp::Multiply, _, Some(c)) if c != 0.0 => peeled(Outer::Scale(c), a, c < 0.0),
            (BinaryOp::Divide, _, Some(c)) if c != 0.0 => peeled(Outer::Scale(1.0 / c), a, c < 0.0),
            (BinaryOp::Divide, Some(c), _) if c != 0.0 => {
                let inner = range(b, leaves);
                let touches = inner.low == 0.0 && inner.defined;
                let condition = touches.then(|| binary(BinaryOp::Greater, b.as_ref().clone(), Term::Constant(0.0)));
                (inner.is_positive() || inner.is_negative() || touches).then(|| Peeled {
                    step: Outer::Reciprocal(c, if inner.is_negative() { -1.0 } else { 1.0 }),
                    inner: b.as_ref().clone(),
                    falls: c > 0.0,
                    condition,
                })
            }
            (BinaryOp::Power, _, Some(c)) => {
                let inner = range(a, leaves);
                let odd = c > 0.0 && c % 2.0 == 1.0;
                let rises = c > 0.0 && (inner.is_nonnegative() || odd);
                let falls = c < 0.0 && inner.is_positive();
                (rises || falls).then(|| Peeled {
                    step: Outer::Power(c),
                    inner: a.as_ref().clone(),
                    falls,
                    condition: None,
                })
            }
            (BinaryOp::Power, Some(c), _) if c > 0.0 && c != 1.0 => peeled(Outer::Exponential(c), b, c < 1.0),
            _ => None,
        },
        Term::Call(function, args) => {
            let [x] = &args[..] else { return None };
            let inner = range(x, leaves);
            let strictly_rising = match function {
                Function::Exp => inner.high < 700.0,
                Function::Atan | Function::Radians | Function::Degrees | Function::Number => true,
                Function::Sqrt | Function::Abs => inner.is_nonnegative(),
                Function::Ln | Function::Log10 | Function::Log2 => inner.is_positive(),
                _ => false,
            };
            strictly_rising.then(|| Peeled {
                step: Outer::Call(*function),
                inner: x.clone(),
                falls: false,
                condition: None,
            })
        }
        _ => None,
    }
}

/// A product or quotient of positive factors, each a table of its own, as a sum of logarithms.
fn as_logarithms(application: &Application, term: &Term, leaves: &impl Leaves) -> Option<Term> {
    let mut factors = Vec::new();
    collect_factors(term, false, &mut factors);
    let all_tables = factors.iter().all(|(f, _)| is_table(application, f) && range(f, leaves).is_positive());
    if factors.len() < 2 || !all_tables {
        return None;
    }
    factors
        .into_iter()
        .map(|(factor, inverse)| {
            let logarithm = fold(Term::Call(Function::Ln, vec![factor]));
            if inverse { fold(Term::Negate(Box::new(logarithm))) } else { logarithm }
        })
        .reduce(|a, b| binary(BinaryOp::Add, a, b))
}

fn collect_factors(term: &Term, inverse: bool, factors: &mut Vec<(Term, bool)>) {
    match term {
        Term::Binary(BinaryOp::Multiply, a, b) => {
            collect_factors(a, inverse, factors);
            collect_factors(b, inverse, factors);
        }
        Term::Binary(BinaryOp::Divide, a, b) => {
            collect_factors(a, inverse, factors);
            collect_factors(b, !inverse, factors);
        }
        other => factors.push((other.clone(), inverse)),
    }
}

/// The summands of a term times a factor.
fn summands(term: &Term, factor: f64, out: &mut Vec<Term>) {
    match term {
        Term::Negate(x) => summands(x, -factor, out),
        Term::Binary(BinaryOp::Add, a, b) => {
            summands(a, factor, out);
            summands(b, factor, out);
        }
        Term::Binary(BinaryOp::Subtract, a, b) => {
            summands(a, factor, out);
            summands(b, -factor, out);
        }
        Term::Binary(BinaryOp::Multiply, a, b) => match (constant(a), constant(b)) {
            (Some(c), _) => summands(b, factor * c, out),
            (_, Some(c)) => summands(a, factor * c, out),
            _ => out.push(scaled(term, factor)),
        },
        Term::Binary(BinaryOp::Divide, a, b) => match constant(b) {
            Some(c) if c != 0.0 => summands(a, factor / c, out),
            _ => out.push(scaled(term, factor)),
        },
        Term::Call(Function::Sum, args) => args.iter().for_each(|a| summands(a, factor, out)),
        other => out.push(scaled(other, factor)),
    }
}

fn scaled(term: &Term, factor: f64) -> Term {
    if factor == 1.0 {
        return term.clone();
    }
    match term {
        Term::Constant(x) => Term::Constant(x * factor),
        other => binary(BinaryOp::Multiply, Term::Constant(factor), other.clone()),
    }
}
