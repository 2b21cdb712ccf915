//! The syntax tree of a formula: what is written, before any name is known. Its text form is a formula again.

use std::fmt::{self, Display, Formatter};

use crate::formula::RESERVED;
use crate::formula::expr::BinaryOp;
use crate::formula::lexer::is_identifier;
use crate::span::Span;
use crate::unit::{Unit, unit_word};

/// A name as it is written.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name without backticks.
    pub text: String,
    /// True in backticks: then it is never a word of the language.
    pub quoted: bool,
    /// Where it stands, relative to the formula.
    pub span: Span,
}

impl Name {
    /// A name that a program made, in backticks if it needs them.
    pub fn new(text: impl Into<String>) -> Name {
        let text = text.into();
        let quoted = !is_identifier(&text) || RESERVED.contains(&text.as_str()) || matches!(text.as_str(), "pi" | "e");
        Name { text, quoted, span: Span::NONE }
    }
}

/// Two names are equal wherever they stand.
impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.quoted == other.quoted
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "`{}`", self.text) } else { f.write_str(&self.text) }
    }
}

/// The unit of a literal.
#[derive(Clone, Debug, PartialEq)]
pub struct LiteralUnit {
    /// The unit.
    pub unit: Unit,
    /// The currency code that the literal names.
    pub currency: Option<&'static str>,
    /// The unit as it is written, without spaces.
    pub text: String,
}

/// A part of a formula.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is.
    pub kind: TreeKind,
    /// Where it stands, relative to the formula.
    pub span: Span,
    /// The number of levels, itself included.
    pub depth: u32,
}

/// Two trees are equal wherever they stand.
impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// The kinds of syntax tree.
#[derive(Clone, Debug, PartialEq)]
pub enum TreeKind {
    /// A number with an optional unit.
    Number(f64, Option<LiteralUnit>),
    /// `true` or `false`.
    Bool(bool),
    /// A text in quotes.
    Text(String),
    /// A metric, a constant, or a word such as `total_cost`.
    Name(Name),
    /// `component.attribute`
    Member(Name, Name),
    /// `component.labels.name`
    Label(Name, Name),
    /// `-x`
    Negate(Box<Tree>),
    /// `not x`
    Not(Box<Tree>),
    /// `a + b` and the like.
    Binary(BinaryOp, Box<Tree>, Box<Tree>),
    /// `a <= b < c`: two comparisons or more that share their inner operands.
    Chain(Box<Tree>, Vec<(BinaryOp, Tree)>),
    /// `function(a, b)`
    Call(Name, Vec<Tree>),
    /// `candidates.function(a)`
    Candidates(Name, Vec<Tree>),
}

impl Tree {
    /// A tree at a place.
    pub fn new(kind: TreeKind, span: Span) -> Tree {
        let mut tree = Tree { kind, span, depth: 0 };
        tree.depth = 1 + tree.children().iter().map(|child| child.depth).max().unwrap_or(0);
        tree
    }

    /// The trees directly inside this one.
    pub fn children(&self) -> Vec<&Tree> {
        match &self.kind {
            TreeKind::Number(..)
            | TreeKind::Bool(_)
            | TreeKind::Text(_)
            | TreeKind::Name(_)
            | TreeKind::Member(..)
            | TreeKind::Label(..) => Vec::new(),
            TreeKind::Negate(x) | TreeKind::Not(x) => vec![x],
            TreeKind::Binary(_, a, b) => vec![a, b],
            TreeKind::Chain(first, rest) => {
                std::iter::once(first.as_ref()).chain(rest.iter().map(|(_, t)| t)).collect()
            }
            TreeKind::Call(_, args) | TreeKind::Candidates(_, args) => args.iter().collect(),
        }
    }

    /// Calls `visit` on this tree and every one inside it, parents first.
    pub fn walk<'t>(&'t self, visit: &mut impl FnMut(&'t Tree)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}

/// How tightly an operator binds; a larger number binds tighter.
pub(super) mod level {
    pub const IMPLIES: u8 = 1;
    pub const OR: u8 = 2;
    pub const XOR: u8 = 3;
    pub const AND: u8 = 4;
    pub const NOT: u8 = 5;
    pub const COMPARE: u8 = 6;
    pub const ADD: u8 = 7;
    pub const MULTIPLY: u8 = 8;
    pub const UNARY: u8 = 9;
    pub const POWER: u8 = 10;
    pub const OPERAND: u8 = 11;
    /// Tighter than everything: always in brackets.
    pub const BRACKETS: u8 = 12;
}

/// How tightly an operator of two operands binds.
pub(super) fn level_of(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Implies => level::IMPLIES,
        BinaryOp::Or => level::OR,
        BinaryOp::Xor => level::XOR,
        BinaryOp::And => level::AND,
        BinaryOp::Add | BinaryOp::Subtract => level::ADD,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => level::MULTIPLY,
        BinaryOp::Power => level::POWER,
        _ => level::COMPARE,
    }
}

impl Display for Tree {
    /// The formula with no more brackets than needed.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_tree(self, 0, f)
    }
}

fn level_of_tree(tree: &Tree) -> u8 {
    match &tree.kind {
        TreeKind::Binary(op, ..) => level_of(*op),
        TreeKind::Chain(..) => level::COMPARE,
        TreeKind::Not(_) => level::NOT,
        TreeKind::Negate(_) => level::UNARY,
        // Before `^` a number with a unit needs brackets, elsewhere it is an operand.
        TreeKind::Number(_, Some(_)) => level::POWER,
        _ => level::OPERAND,
    }
}

/// True when the text of a tree that needs no brackets ends with a unit.
fn ends_with_unit(tree: &Tree) -> bool {
    match &tree.kind {
        TreeKind::Number(_, unit) => unit.is_some(),
        TreeKind::Negate(x) | TreeKind::Not(x) => ends_with_unit(x),
        TreeKind::Binary(_, _, last) => ends_with_unit(last),
        _ => false,
    }
}

/// True when the text of a tree that needs no brackets starts with a word that could belong to a unit before it.
fn starts_with_unit_word(tree: &Tree) -> bool {
    match &tree.kind {
        TreeKind::Name(name) => !name.quoted && unit_word(&name.text).is_some(),
        TreeKind::Binary(_, first, _) => starts_with_unit_word(first),
        _ => false,
    }
}

/// A number as it is written in formulas; very large and very small ones with an exponent.
fn write_number(value: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if value == 0.0 || (1e-5..1e16).contains(&value.abs()) { write!(f, "{value}") } else { write!(f, "{value:e}") }
}

fn write_tree(tree: &Tree, least: u8, f: &mut Formatter<'_>) -> fmt::Result {
    if level_of_tree(tree) < least {
        f.write_str("(")?;
        write_tree(tree, 0, f)?;
        return f.write_str(")");
    }
    match &tree.kind {
        TreeKind::Number(value, None) => write_number(*value, f),
        TreeKind::Number(value, Some(unit)) => {
            write_number(*value, f)?;
            write!(f, " {}", unit.text)
        }
        TreeKind::Bool(value) => write!(f, "{value}"),
        TreeKind::Text(text) if text.contains('"') => write!(f, "'{text}'"),
        TreeKind::Text(text) => write!(f, "\"{text}\""),
        TreeKind::Name(name) => write!(f, "{name}"),
        TreeKind::Member(component, attribute) => write!(f, "{component}.{attribute}"),
        TreeKind::Label(component, label) => write!(f, "{component}.labels.{label}"),
        TreeKind::Negate(x) => {
            f.write_str("-")?;
            write_tree(x, level::UNARY, f)
        }
        TreeKind::Not(x) => {
            f.write_str("not ")?;
            write_tree(x, level::NOT, f)
        }
        TreeKind::Binary(op, a, b) => write_binary(*op, a, b, f),
        TreeKind::Chain(first, rest) => {
            write_tree(first, level::ADD, f)?;
            for (op, operand) in rest {
                write!(f, " {} ", op.symbol())?;
                write_tree(operand, level::ADD, f)?;
            }
            Ok(())
        }
        TreeKind::Call(name, args) => write_call("", name, args, f),
        TreeKind::Candidates(name, args) => write_call("candidates.", name, args, f),
    }
}

fn write_binary(op: BinaryOp, a: &Tree, b: &Tree, f: &mut Formatter<'_>) -> fmt::Result {
    let own = level_of(op);
    let (left, mut right) = match op {
        // A power binds tighter than the sign before it, but its exponent may have a sign: -2^-3.
        BinaryOp::Power => (level::OPERAND, level::UNARY),
        BinaryOp::Implies => (own + 1, own),
        _ if op.is_comparison() => (level::ADD, level::ADD),
        _ => (own, own + 1),
    };
    // `(3 USD) / h` is not `3 USD/h`.
    if matches!(op, BinaryOp::Multiply | BinaryOp::Divide)
        && level_of_tree(a) >= left
        && ends_with_unit(a)
        && level_of_tree(b) >= right
        && starts_with_unit_word(b)
    {
        right = level::BRACKETS;
    }
    write_tree(a, left, f)?;
    write!(f, " {} ", op.symbol())?;
    write_tree(b, right, f)
}

fn write_call(prefix: &str, name: &Name, args: &[Tree], f: &mut Formatter<'_>) -> fmt::Result {
    write!(f, "{prefix}{name}(")?;
    for (i, argument) in args.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        write_tree(argument, 0, f)?;
    }
    f.write_str(")")
}
