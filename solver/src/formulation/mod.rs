//! The integer program of one independent sub-problem.
//!
//! Whatever depends on one uniform component alone is a table over its (offer, cardinality) rows, however nonlinear its
//! formula, and a table is linear in the one-hot variables of the rows. Mixed fleets count nodes per offer, the shared
//! pool counts patterns. A term over several of these that is not a sum is tabulated over the values that its leaves can
//! take ([`tabulate`]).

mod blocks;
pub(crate) mod conditional;
mod covered;
mod defined;
mod division;
mod dominance;
pub(crate) mod encode;
mod rules;
mod sided;
mod tabulate;

pub use blocks::{Block, Cell, Row};
pub(crate) use blocks::{RowPoint, ValuePoint};
pub(crate) use sided::Side;

use cardinal_models::application::ComponentId;
use cardinal_models::snapshot::Snapshot;
use rustc_hash::FxHashSet;

use crate::bound::{BoundModel, Part};
use crate::engine::Milp;
use crate::pattern::Patterns;
use crate::space::Space;
use crate::term::Term;

/// A linear expression over the columns of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Linear {
    /// Columns with their coefficients; a column may stand more than once.
    pub terms: Vec<(usize, f64)>,
    /// The constant part.
    pub constant: f64,
}

impl Linear {
    /// A constant.
    pub fn constant(value: f64) -> Self {
        Linear { terms: Vec::new(), constant: value }
    }

    /// Adds a multiple of another expression.
    pub fn add(&mut self, other: &Linear, factor: f64) {
        self.terms.extend(other.terms.iter().map(|(c, x)| (*c, x * factor)));
        self.constant += other.constant * factor;
    }

    /// Joins repeated columns; the columns ascend afterwards.
    pub fn compact(&mut self) {
        self.terms.sort_by_key(|(c, _)| *c);
        self.terms.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 += later.1;
            }
            same
        });
        self.terms.retain(|(_, x)| *x != 0.0);
    }

    /// The smallest and largest absolute coefficient other than 0, when the largest is so large that the engine's
    /// tolerance on it is a visible part of the smallest.
    pub(crate) fn too_wide(&self) -> Option<(f64, f64)> {
        let sizes = || self.terms.iter().map(|(_, x)| x.abs()).filter(|x| *x > 0.0);
        let (least, most) = (sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max));
        (most > 1e9 && most > 1e3 * least).then_some((least, most))
    }

    /// The value at a point.
    pub fn value(&self, x: &[f64]) -> f64 {
        self.constant + self.terms.iter().map(|(c, a)| a * x[*c]).sum::<f64>()
    }
}

/// A linear expression that stands for a term, and the columns at which the term has no value.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    /// The value of the term.
    pub linear: Linear,
    /// Columns that must be 0 wherever the term is used.
    pub undefined: Vec<usize>,
}

/// Why a model cannot be formulated exactly.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FormulateError {
    /// A term over several components has too many combinations of values.
    #[error("it is nonlinear across {parts} and has more than {limit} combinations of values")]
    Nonlinear {
        /// The components, for people.
        parts: String,
        /// The largest number that is tabulated.
        limit: usize,
    },
    /// A term over the cost or the number of nodes of the shared pool is nonlinear.
    #[error("it is nonlinear in the cost or number of shared nodes")]
    NonlinearPool,
    /// A formula is nonlinear in what is paid, and commitments cover nodes of several components or a mixed fleet.
    #[error("it is nonlinear in `total_cost`, of which commitments cover a part")]
    NonlinearPaid,
    /// Something gets better when the total cost rises.
    #[error("it may get better as `total_cost` rises, of which commitments cover a part")]
    RisingPaid,
    /// An aggregate looks at more than its own nodes and one other part of the placement.
    #[error("an aggregate over the nodes of one component depends on more than one other component")]
    Entangled,
    /// A comparison of values of which the largest drown the tolerance of the smallest.
    #[error("it compares values up to {largest:e} with values down to {smallest:e}, which no program tells apart")]
    TooWide {
        /// The largest absolute value.
        largest: f64,
        /// The smallest absolute value other than 0.
        smallest: f64,
    },
    /// A component has too many offers times cardinalities, or values of an attribute.
    #[error("`{component}` has {rows} choices of offer and cardinality, or values, more than {limit}")]
    TooManyRows {
        /// The component.
        component: String,
        /// How many it has.
        rows: u64,
        /// How many there may be.
        limit: u64,
    },
}

impl FormulateError {
    /// True when the integer program of tables cannot state a formula that a branch and bound may be able to.
    pub(crate) fn is_about_tables(&self) -> bool {
        match self {
            FormulateError::Nonlinear { .. }
            | FormulateError::NonlinearPool
            | FormulateError::Entangled
            | FormulateError::TooWide { .. } => true,
            FormulateError::NonlinearPaid | FormulateError::RisingPaid | FormulateError::TooManyRows { .. } => false,
        }
    }
}

/// The largest number of (offer, cardinality) rows of a uniform component.
pub const MOST_ROWS: u64 = 2_000_000;
/// The largest number of combinations that a nonlinear term is tabulated over.
pub const MOST_COMBINATIONS: usize = 30_000;

/// How far real values are kept clear of a strict limit, relative to the limit and at least this.
pub(crate) const STRICT_CLEARANCE: f64 = 1e-6;

/// What a sub-problem is made of.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Its parts of the placement.
    pub parts: Vec<Part>,
    /// What is maximised: the sum of these.
    pub objective: Vec<Term>,
    /// Constraints, as indices into [`BoundModel::constraints`].
    pub constraints: Vec<usize>,
    /// Structural rules on numbers of instances, as indices into the application's.
    pub structure: Vec<usize>,
    /// Quotas, as indices into the application's.
    pub quotas: Vec<usize>,
    /// True when commitments may cover its nodes; of one sub-problem at most.
    pub is_covered: bool,
}

/// The program of a cluster under construction.
pub struct Formulation<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) bound: &'a BoundModel,
    pub(crate) space: &'a Space,
    /// The program; its cost is set by the caller.
    pub milp: Milp,
    /// The parts with their columns.
    pub blocks: Vec<Block<'a>>,
    /// Runs of columns of which exactly one is 1: first column and length.
    pub(crate) one_hot: Vec<(usize, usize)>,
    /// Columns that are whole in every solution although the engine takes them as continuous.
    pub(crate) tied: FxHashSet<usize>,
    /// True when a row can never be satisfied.
    pub contradiction: bool,
    /// True when a comparison of real values is an equality or holds only under a condition. The engine's presolve was
    /// seen to cut solutions off there and to call what is left optimal.
    pub(crate) is_delicate: bool,
    /// Rows that were left out because a formula has no value there.
    pub undefined_rows: u64,
    /// How far strict and rounded comparisons are pulled inwards, relative; raised when the checker refuses an answer.
    pub(crate) margin: f64,
    pub(crate) marginals: Vec<tabulate::Marginal>,
    /// What commitments take off the price of the nodes, in currency units per hour.
    pub(crate) covered: Linear,
    /// The largest number of combinations that a nonlinear term is tabulated over.
    pub(crate) combinations: usize,
}

impl<'a> Formulation<'a> {
    /// Builds the program of a cluster: columns, cardinalities, constraints, structure, quotas, spread. The objective
    /// is left to the caller.
    pub fn build(
        snapshot: &'a Snapshot,
        bound: &'a BoundModel,
        space: &'a Space,
        patterns: Option<&'a Patterns>,
        cluster: &Cluster,
        margin: f64,
        combinations: usize,
    ) -> Result<Self, (Option<usize>, FormulateError)> {
        let mut formulation = Formulation { margin, combinations, ..Formulation::empty(snapshot, bound, space) };
        for part in &cluster.parts {
            formulation.add_block(*part, patterns, cluster).map_err(|e| (None, e))?;
        }
        if cluster.is_covered {
            formulation.cover();
        }
        for index in &cluster.constraints {
            let constraint = &bound.constraints[*index];
            formulation.enforce(&constraint.term, None).map_err(|e| (Some(constraint.index), e))?;
        }
        formulation.add_structure(&cluster.structure);
        formulation.add_quotas(&cluster.quotas);
        formulation.add_divisions();
        formulation.keep_unmoveable();
        Ok(formulation)
    }

    /// The program of a cluster without the constraints over several of its parts: columns, structure and quotas.
    pub(crate) fn frame(
        snapshot: &'a Snapshot,
        bound: &'a BoundModel,
        space: &'a Space,
        patterns: Option<&'a Patterns>,
        cluster: &Cluster,
    ) -> Result<Self, FormulateError> {
        let mut formulation = Formulation::empty(snapshot, bound, space);
        for part in &cluster.parts {
            formulation.add_block(*part, patterns, cluster)?;
        }
        formulation.add_structure(&cluster.structure);
        formulation.add_quotas(&cluster.quotas);
        formulation.add_divisions();
        formulation.keep_unmoveable();
        Ok(formulation)
    }

    /// A program without columns.
    pub(crate) fn empty(snapshot: &'a Snapshot, bound: &'a BoundModel, space: &'a Space) -> Self {
        Formulation {
            snapshot,
            bound,
            space,
            milp: Milp::default(),
            blocks: Vec::new(),
            one_hot: Vec::new(),
            tied: FxHashSet::default(),
            contradiction: false,
            is_delicate: false,
            undefined_rows: 0,
            margin: 0.0,
            marginals: Vec::new(),
            covered: Linear::default(),
            combinations: MOST_COMBINATIONS,
        }
    }

    /// Does something to the program, or nothing when it fails.
    pub(crate) fn attempt<T, E>(&mut self, change: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let milp = self.milp.clone();
        let tied = self.tied.clone();
        let (one_hot, marginals) = (self.one_hot.len(), self.marginals.len());
        let (contradiction, is_delicate) = (self.contradiction, self.is_delicate);
        let result = change(self);
        if result.is_err() {
            self.milp = milp;
            self.tied = tied;
            self.one_hot.truncate(one_hot);
            self.marginals.truncate(marginals);
            (self.contradiction, self.is_delicate) = (contradiction, is_delicate);
        }
        result
    }

    /// The block of a component: its own, or the pool.
    pub(crate) fn block_of(&self, component: ComponentId) -> Option<&Block<'a>> {
        let part = crate::bound::part_of(&self.snapshot.application, component);
        self.block(part)
    }

    pub(crate) fn block(&self, part: Part) -> Option<&Block<'a>> {
        self.blocks.iter().find(|b| b.part() == part)
    }

    /// True when the column has a whole value in every solution.
    pub(crate) fn is_whole(&self, column: usize) -> bool {
        self.milp.integer[column] || self.tied.contains(&column)
    }

    /// Adds a row for `low <= expression <= high`.
    pub(crate) fn row(&mut self, mut linear: Linear, low: f64, high: f64) {
        linear.compact();
        let (low, high) = (low - linear.constant, high - linear.constant);
        if linear.terms.is_empty() {
            let slack = 1e-9;
            if low > slack || high < -slack {
                self.contradiction = true;
            }
            return;
        }
        // Engines refuse very large coefficients and leave out very small ones.
        let largest = linear.terms.iter().map(|(_, x)| x.abs()).fold(0.0, f64::max);
        let factor = if (1e-5..1e9).contains(&largest) || !largest.is_finite() { 1.0 } else { 1.0 / largest };
        self.milp.add_row(low * factor, high * factor, linear.terms.into_iter().map(|(c, x)| (c, x * factor)));
    }

    /// The smallest and largest value of an expression, from the bounds of its columns and what is one-hot.
    pub(crate) fn bounds(&self, linear: &Linear) -> (f64, f64) {
        let mut compact = linear.clone();
        compact.compact();
        let (mut low, mut high) = (compact.constant, compact.constant);
        let mut at = 0;
        while at < compact.terms.len() {
            let column = compact.terms[at].0;
            let run = self.one_hot.iter().find(|(first, length)| (*first..first + length).contains(&column));
            if let Some((first, length)) = run {
                let end = at + compact.terms[at..].iter().take_while(|(c, _)| *c < first + length).count();
                let inside = &compact.terms[at..end];
                // A column of the run that does not stand in the expression counts 0.
                let zero = if inside.len() < *length { Some(0.0) } else { None };
                let values = || inside.iter().map(|(_, x)| *x).chain(zero);
                low += values().fold(f64::INFINITY, f64::min);
                high += values().fold(f64::NEG_INFINITY, f64::max);
                at = end;
            } else {
                let x = compact.terms[at].1;
                let ends = [x * self.milp.lower[column], x * self.milp.upper[column]];
                low += ends[0].min(ends[1]);
                high += ends[0].max(ends[1]);
                at += 1;
            }
        }
        (low, high)
    }
}
