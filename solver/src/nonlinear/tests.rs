//! The search against enumeration, on random expressions over the whole language.

use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;

use super::{Expression, Problem, Settings, solve};
use crate::engine::{Limits, RunStatus};
use crate::term::apply;

/// A small linear congruential generator: the same cases everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A formula that is evaluated here and built there.
enum Tree {
    Number(f64),
    Table(usize, Vec<f64>),
    Binary(BinaryOp, Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    If(Box<Tree>, Box<Tree>, Box<Tree>),
    Call(Function, Vec<Tree>),
}

impl Tree {
    fn number(draw: &mut Draw, sizes: &[usize], depth: u32) -> Tree {
        use BinaryOp::*;
        let both = |draw: &mut Draw, op| {
            let (a, b) = (Tree::number(draw, sizes, depth - 1), Tree::number(draw, sizes, depth - 1));
            Tree::Binary(op, Box::new(a), Box::new(b))
        };
        if depth == 0 || draw.below(6) == 0 {
            if draw.below(5) == 0 {
                return Tree::Number(draw.pick(&[-2.0, -1.0, 0.5, 1.0, 2.0, 3.0, 10.0]));
            }
            let group = draw.below(sizes.len() as u64) as usize;
            let values: &[f64] = match draw.below(6) {
                0 => &[0.125, 0.25, 0.375, 0.75],
                1 => &[-2.0, -1.0, 0.0, 1.0, 3.0],
                2 => &[0.0, 0.5, 1.0, f64::NAN],
                _ => &[1.0, 2.0, 3.0, 4.0, 5.0, 8.0],
            };
            return Tree::Table(group, (0..sizes[group]).map(|_| draw.pick(values)).collect());
        }
        match draw.below(16) {
            0..=3 => both(draw, Add),
            4 | 5 => both(draw, Subtract),
            6 | 7 => both(draw, Multiply),
            8 => both(draw, Divide),
            9 if draw.below(2) == 0 => both(draw, Power),
            9 => {
                // What jumps must not hang on how its operands are rounded: they are tables of exact numbers.
                let (a, b) = (Tree::number(draw, sizes, 0), Tree::number(draw, sizes, 0));
                Tree::Binary(Remainder, Box::new(a), Box::new(b))
            }
            10 => {
                let exponent = draw.pick(&[2.0, 3.0, 0.5, -1.0, -2.0, 1.5, -0.5, 0.0]);
                let base = Tree::number(draw, sizes, depth - 1);
                Tree::Binary(Power, Box::new(base), Box::new(Tree::Number(exponent)))
            }
            11 => {
                let condition = Tree::truth(draw, sizes, depth - 1);
                let (a, b) = (Tree::number(draw, sizes, depth - 1), Tree::number(draw, sizes, depth - 1));
                Tree::If(Box::new(condition), Box::new(a), Box::new(b))
            }
            12 => {
                let function = draw.pick(&[Function::Min, Function::Max, Function::Mean, Function::Sum]);
                Tree::Call(function, (0..2 + draw.below(2)).map(|_| Tree::number(draw, sizes, depth - 1)).collect())
            }
            13 => {
                let (function, arity) = draw.pick(&[
                    (Function::ErlangB, 2),
                    (Function::ErlangC, 2),
                    (Function::MmcResponseTime, 3),
                    (Function::MmcWaitingTime, 3),
                    (Function::Clamp, 3),
                    (Function::Log, 2),
                ]);
                Tree::Call(function, (0..arity).map(|_| Tree::number(draw, sizes, depth - 1)).collect())
            }
            _ => {
                let function = draw.pick(&[
                    Function::Abs,
                    Function::Sqrt,
                    Function::Exp,
                    Function::Ln,
                    Function::Log10,
                    Function::Log2,
                    Function::Sin,
                    Function::Cos,
                    Function::Tan,
                    Function::Asin,
                    Function::Acos,
                    Function::Atan,
                    Function::Floor,
                    Function::Ceil,
                    Function::Round,
                    Function::Sign,
                    Function::Radians,
                ]);
                Tree::Call(function, vec![Tree::number(draw, sizes, depth - 1)])
            }
        }
    }

    fn truth(draw: &mut Draw, sizes: &[usize], depth: u32) -> Tree {
        use BinaryOp::*;
        let depth = depth.max(1);
        if depth > 1 && draw.below(3) == 0 {
            let (a, b) = (Tree::truth(draw, sizes, depth - 1), Tree::truth(draw, sizes, depth - 1));
            return match draw.below(5) {
                0 => Tree::Not(Box::new(a)),
                _ => Tree::Binary(draw.pick(&[And, Or, Xor, Implies]), Box::new(a), Box::new(b)),
            };
        }
        let op = draw.pick(&[LessEqual, LessEqual, Less, GreaterEqual, GreaterEqual, Greater, Equal, NotEqual]);
        let a = Tree::number(draw, sizes, depth - 1);
        let b = if draw.below(2) == 0 {
            Tree::Number(draw.pick(&[0.0, 1.0, 4.0, 6.0, 10.0]))
        } else {
            Tree::number(draw, sizes, depth - 1)
        };
        Tree::Binary(op, Box::new(a), Box::new(b))
    }

    fn value(&self, choices: &[u32]) -> f64 {
        match self {
            Tree::Number(x) => *x,
            Tree::Table(group, values) => values[choices[*group] as usize],
            Tree::Not(a) => match a.value(choices) {
                x if x.is_nan() => x,
                x => f64::from(u8::from(x == 0.0)),
            },
            Tree::Binary(op, a, b) => {
                let a = a.value(choices);
                match op {
                    _ if a.is_nan() => return a,
                    BinaryOp::And if a == 0.0 => return 0.0,
                    BinaryOp::Or if a != 0.0 => return 1.0,
                    BinaryOp::Implies if a == 0.0 => return 1.0,
                    _ => {}
                }
                let b = b.value(choices);
                if b.is_nan() { b } else { apply(*op, a, b) }
            }
            Tree::If(c, a, b) => match c.value(choices) {
                x if x.is_nan() => x,
                0.0 => b.value(choices),
                _ => a.value(choices),
            },
            Tree::Call(function, args) => {
                let args: Vec<f64> = args.iter().map(|a| a.value(choices)).collect();
                if args.iter().any(|a| a.is_nan()) { f64::NAN } else { function.apply(&args).unwrap_or(f64::NAN) }
            }
        }
    }

    fn build(&self, problem: &mut Problem) -> Expression {
        match self {
            Tree::Number(x) => problem.number(*x),
            Tree::Table(group, values) => problem.table(*group, values.clone()),
            Tree::Not(a) => {
                let a = a.build(problem);
                problem.not(&a)
            }
            Tree::Binary(op, a, b) => {
                let (a, b) = (a.build(problem), b.build(problem));
                problem.binary(*op, &a, &b)
            }
            Tree::If(c, a, b) => {
                let (c, a, b) = (c.build(problem), a.build(problem), b.build(problem));
                problem.choose(&c, &a, &b)
            }
            Tree::Call(function, args) => {
                let args: Vec<Expression> = args.iter().map(|a| a.build(problem)).collect();
                problem.call(*function, &args)
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Tree::Number(x) => format!("{x}"),
            Tree::Table(group, values) => format!("t{group}{values:?}"),
            Tree::Not(a) => format!("not({})", a.shown()),
            Tree::Binary(op, a, b) => format!("({} {op:?} {})", a.shown(), b.shown()),
            Tree::If(c, a, b) => format!("if({}, {}, {})", c.shown(), a.shown(), b.shown()),
            Tree::Call(function, args) => {
                format!("{}({})", function.name(), args.iter().map(|a| a.shown()).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A random problem: groups, constraints, an objective, and what decides among equals.
struct Case {
    sizes: Vec<usize>,
    constraints: Vec<Tree>,
    objective: Tree,
    tie: Tree,
}

impl Case {
    fn new(seed: u64) -> Self {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9).wrapping_add(12345));
        for _ in 0..4 {
            draw.below(2);
        }
        let sizes: Vec<usize> = (0..2 + draw.below(3)).map(|_| 2 + draw.below(7) as usize).collect();
        let constraints = (0..draw.below(4)).map(|_| Tree::truth(&mut draw, &sizes, 3)).collect();
        let depth = 2 + draw.below(3) as u32;
        let objective = Tree::number(&mut draw, &sizes, depth);
        let group = draw.below(sizes.len() as u64) as usize;
        let tie = Tree::Table(group, (0..sizes[group]).map(|_| draw.below(3) as f64).collect());
        Case { sizes, constraints, objective, tie }
    }

    fn problem(&self) -> Problem {
        let mut problem = Problem::new();
        for size in &self.sizes {
            problem.group(*size);
        }
        for constraint in &self.constraints {
            let holds = constraint.build(&mut problem);
            problem.require(&holds);
        }
        let objective = self.objective.build(&mut problem);
        problem.maximize(&objective);
        let tie = self.tie.build(&mut problem);
        problem.then_maximize(&tie);
        problem
    }

    fn is_admissible(&self, choices: &[u32]) -> bool {
        let holds = |c: &Tree| {
            let x = c.value(choices);
            x != 0.0 && !x.is_nan()
        };
        self.constraints.iter().all(holds) && !self.objective.value(choices).is_nan()
    }

    /// The best objective, and the best tie-breaker among those within a tolerance.
    fn best(&self) -> Option<(f64, f64, f64)> {
        let mut all: Vec<(f64, f64)> = Vec::new();
        let mut choices = vec![0u32; self.sizes.len()];
        loop {
            if self.is_admissible(&choices) {
                all.push((self.objective.value(&choices), self.tie.value(&choices)));
            }
            let mut g = 0;
            while g < choices.len() {
                choices[g] += 1;
                if (choices[g] as usize) < self.sizes[g] {
                    break;
                }
                choices[g] = 0;
                g += 1;
            }
            if g == choices.len() {
                break;
            }
        }
        let best = all.iter().map(|(x, _)| *x).fold(f64::NEG_INFINITY, f64::max);
        let within = |by: f64| {
            let near = all.iter().filter(|(x, _)| *x >= best - by);
            near.map(|(_, t)| *t).fold(f64::NEG_INFINITY, f64::max)
        };
        (!all.is_empty()).then(|| (best, within(1e-13 * best.abs()), within(1e-8 * best.abs().max(1.0))))
    }

    fn shown(&self) -> String {
        let constraints: Vec<String> = self.constraints.iter().map(|c| c.shown()).collect();
        format!("groups {:?}\nmaximise {}\nsubject to {}", self.sizes, self.objective.shown(), constraints.join("\n  "))
    }
}

fn cases() -> u64 {
    #[allow(clippy::disallowed_methods)]
    std::env::var("CARDINAL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000)
}

#[test]
fn the_best_choice_is_that_of_enumeration() {
    let limits = Limits::default();
    let (mut solved, mut infeasible) = (0, 0);
    for seed in 0..cases() {
        let case = Case::new(seed);
        let problem = case.problem();
        let settings = Settings { limits: &limits, start: None, nodes: None, tie_nodes: 100_000 };
        let outcome = solve(&problem, &settings);
        let expected = case.best();
        let fail = |what: &str| panic!("seed {seed}: {what}: {outcome:?}, enumeration {expected:?}\n{}", case.shown());
        let Some((best, tie, loose)) = expected else {
            infeasible += 1;
            if outcome.status != RunStatus::Infeasible {
                fail("there is no admissible choice");
            }
            continue;
        };
        solved += 1;
        let Some(choices) = &outcome.choices else { return fail("a choice is not found") };
        if !case.is_admissible(choices) {
            fail("the choice is not admissible");
        }
        let value = case.objective.value(choices);
        let slack = 2e-9 * best.abs().max(1.0);
        if outcome.status != RunStatus::Optimal || value < best - slack || outcome.bound < best - slack {
            fail("the choice is not the best");
        }
        if (outcome.value - value).abs() > 1e-9 * value.abs().max(1.0) {
            fail("the value is wrong");
        }
        let order = case.tie.value(choices);
        if order < tie || order > loose {
            fail("the order among equals is wrong");
        }
    }
    assert!(solved * 3 > infeasible, "{solved} solved, {infeasible} infeasible");
}

#[test]
fn a_bound_is_never_better_than_the_optimum() {
    let limits = Limits::default();
    for seed in 0..cases() / 4 {
        let case = Case::new(seed);
        let Some((best, ..)) = case.best() else { continue };
        for nodes in [0, 1, 2, 3, 5, 9] {
            let settings = Settings { limits: &limits, start: None, nodes: Some(nodes), tie_nodes: 0 };
            let outcome = solve(&case.problem(), &settings);
            let slack = 2e-9 * best.abs().max(1.0);
            assert!(
                outcome.bound >= best - slack,
                "seed {seed}, {nodes} nodes: {outcome:?}, best {best}\n{}",
                case.shown()
            );
            assert!(
                outcome.status != RunStatus::Infeasible,
                "seed {seed}, {nodes} nodes: {outcome:?}\n{}",
                case.shown()
            );
        }
    }
}
