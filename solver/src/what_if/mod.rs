//! What-if: the answer to a changed question, without touching the model.
//!
//! A [`Scenario`] is a list of [`Change`]s to a [`Question`]. [`Question::with`] applies it and gives another question;
//! [`Question::solve`] gives the [`Choice`], a small record of the answer that can be compared with others. A
//! [`sweep::Sweep`] says which points of a range to solve next, and finds the break points between them. Nothing here
//! does I/O or starts threads: whoever calls it runs the solves where it likes.

pub mod amount;
mod apply;
pub mod axis;
pub mod choice;
mod commitment;
mod division;
pub mod file;
pub mod metric;
pub mod sweep;

use cardinal_models::document::ModelDocument;
use cardinal_models::snapshot::Snapshot;

use crate::selector::{Misread, Selector};
use crate::solve::{Settings, solve};
use amount::Amount;
use choice::Choice;

/// What is asked: a snapshot with the document of its model, which a scenario may change.
#[derive(Clone, Debug)]
pub struct Question {
    /// What the model says.
    pub document: ModelDocument,
    /// The input of the solver.
    pub snapshot: Snapshot,
}

/// A named list of changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// The changes, applied in their order.
    pub changes: Vec<Change>,
}

/// One change of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The value of a metric or a constant, such as a weight of the utility.
    Set(String, Amount),
    /// The prices of some offers.
    Price(Selector, Amount),
    /// Some offers are gone. Nodes that run on them have vanished.
    Without(Selector),
    /// Only these offers are left.
    Only(Selector),
    /// The limit that a constraint, an SLO, the budget or a quota sets, how much a commitment covers, or `spot of web` and
    /// the like; `NAME.nodes` for one of several of a quota, `NAME.penalty` for what a unit of violation of a soft
    /// constraint costs.
    Limit(String, Amount),
    /// The numbers of instances that a component may have, as models write them.
    Cardinality(String, String),
    /// A constraint, SLO, structural rule, quota or commitment goes, or `spot of web` and the like.
    Drop(String),
    /// A constraint by name, added or in place of the one of that name.
    Constraint(String, String),
    /// What is best: `true` to maximise the formula.
    Utility(Goal, String),
}

/// Which way an objective goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The larger the better.
    Maximize,
    /// The smaller the better.
    Minimize,
}

impl Question {
    /// The question with changes applied. Everything that they do not touch is shared, not copied.
    pub fn with(&self, changes: &[Change]) -> Result<Question, Misread> {
        apply::apply(self, changes)
    }

    /// The answer as a record that can be compared.
    pub fn solve(&self, settings: &Settings) -> Choice {
        match solve(&self.snapshot, settings) {
            Ok(outcome) => Choice::of(&self.snapshot, &outcome),
            Err(error) => Choice::failed(error.to_string()),
        }
    }
}
