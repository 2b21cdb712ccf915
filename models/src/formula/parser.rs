//! Tokens → syntax tree, by precedence climbing. Never panics, and never recurses deeper than its limits allow.

use crate::diagnostic::Diagnostic;
use crate::formula::expr::BinaryOp;
use crate::formula::lexer::{self, Token};
use crate::formula::tree::{LiteralUnit, Name, Tree, TreeKind, level, level_of};
use crate::span::Span;
use crate::unit::{Unit, unit_word, unknown_word};

/// The longest formula, in bytes.
pub const LENGTH_LIMIT: usize = 64 * 1024;

/// How deep brackets, signs and right operands may nest.
const NESTING_LIMIT: u32 = 200;

/// How many levels the tree of a formula may have. Longer than the nesting, because `1 + 2 + 3` has a level for each
/// operator; everything that walks a formula recurses at most a small multiple of this.
const DEPTH_LIMIT: u32 = 300;

/// Parses a formula. `is_name` tells whether a word is a name in scope: the words of a unit that follow an operator,
/// as in `4.50 USD/h`, belong to the number only when they are not. Places are relative to the text.
pub fn parse(text: &str, is_name: &dyn Fn(&str) -> bool) -> Result<Tree, Vec<Diagnostic>> {
    if text.len() > LENGTH_LIMIT {
        let message = format!("a formula is at most {LENGTH_LIMIT} bytes long, this one has {}", text.len());
        return Err(vec![Diagnostic::error(Span::new(0, text.len()), message)]);
    }
    let (tokens, mut findings) = lexer::tokens(text);
    if !findings.is_empty() {
        return Err(findings);
    }
    if text.trim().is_empty() {
        let finding = Diagnostic::error(Span::new(0, text.len()), "the formula is empty");
        return Err(vec![finding]);
    }
    let mut parser = Parser { text, tokens, at: 0, nesting: 0, is_name };
    let tree = parser.expression(0).and_then(|tree| parser.finish(tree));
    tree.map_err(|finding| {
        findings.push(finding);
        findings
    })
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token<'a>, Span)>,
    at: usize,
    nesting: u32,
    is_name: &'a dyn Fn(&str) -> bool,
}

type Parsed = Result<Tree, Diagnostic>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        self.ahead(0)
    }

    fn ahead(&self, by: usize) -> Token<'a> {
        self.tokens.get(self.at + by).map_or(Token::End, |(token, _)| *token)
    }

    fn span(&self) -> Span {
        let end = Span::new(self.text.len(), self.text.len());
        self.tokens.get(self.at).map_or(end, |(_, span)| *span)
    }

    fn bump(&mut self) -> Span {
        let span = self.span();
        self.at += 1;
        span
    }

    /// The current token as the user sees it.
    fn shown(&self) -> String {
        let span = self.span();
        match self.text.get(span.start as usize..span.end as usize) {
            Some(text) if !text.is_empty() => format!("`{text}`"),
            _ => "the end".to_owned(),
        }
    }

    fn node(&self, kind: TreeKind, span: Span) -> Parsed {
        let tree = Tree::new(kind, span);
        if tree.depth <= DEPTH_LIMIT {
            return Ok(tree);
        }
        let message = format!("the formula has more than {DEPTH_LIMIT} operations inside one another");
        Err(Diagnostic::error(span, message)
            .help("write a long sum as sum(a, b, ...), or move a part of the formula to a metric"))
    }

    fn finish(&self, tree: Tree) -> Parsed {
        let token = self.peek();
        if token == Token::End {
            return Ok(tree);
        }
        let finding = Diagnostic::error(self.span(), format!("{} is not expected here", self.shown()));
        Err(match token {
            Token::Close => finding.help("a `(` is missing before it, or it is one too many"),
            Token::Comma => finding.help("a comma separates the arguments of a function"),
            Token::Word(_) | Token::Quoted(_) | Token::Number(_) | Token::Text(_) | Token::Open => {
                finding.help("an operator is missing before it")
            }
            _ => finding,
        })
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expression(&mut self, least: u8) -> Parsed {
        self.nesting += 1;
        if self.nesting > NESTING_LIMIT {
            return Err(Diagnostic::error(self.span(), "the formula is nested too deeply")
                .help("move a part of the formula to a metric"));
        }
        let tree = self.operators(least);
        self.nesting -= 1;
        tree
    }

    fn operators(&mut self, least: u8) -> Parsed {
        let mut left = self.prefix(least)?;
        while let Some(op) = operator(self.peek()) {
            let own = level_of(op);
            if own < least {
                break;
            }
            if op.is_comparison() {
                left = self.comparison(left)?;
                continue;
            }
            self.bump();
            let right = self.expression(match op {
                BinaryOp::Power => level::UNARY,
                BinaryOp::Implies => own,
                _ => own + 1,
            })?;
            let span = left.span.to(right.span);
            left = self.node(TreeKind::Binary(op, Box::new(left), Box::new(right)), span)?;
        }
        Ok(left)
    }

    /// `first <= b < c ...`
    fn comparison(&mut self, first: Tree) -> Parsed {
        let mut rest: Vec<(BinaryOp, Tree)> = Vec::new();
        while let Some(op) = operator(self.peek()).filter(|op| op.is_comparison()) {
            self.bump();
            rest.push((op, self.expression(level::ADD)?));
        }
        let last = rest.last().map_or(first.span, |(_, tree)| tree.span);
        let span = first.span.to(last);
        if rest.len() == 1
            && let Some((op, right)) = rest.pop()
        {
            return self.node(TreeKind::Binary(op, Box::new(first), Box::new(right)), span);
        }
        // An inner operand stands in two comparisons. Were chains allowed inside it, each level would double the
        // formula.
        let inner = rest.len().saturating_sub(1);
        for (_, operand) in rest.iter().take(inner) {
            let mut nested = false;
            operand.walk(&mut |t| nested |= matches!(t.kind, TreeKind::Chain(..)));
            if nested {
                return Err(Diagnostic::error(operand.span, "a chain of comparisons stands inside another")
                    .help("write `a <= b and b <= c` for one of them"));
            }
        }
        self.node(TreeKind::Chain(Box::new(first), rest), span)
    }

    fn prefix(&mut self, least: u8) -> Parsed {
        match self.peek() {
            Token::Minus => {
                let start = self.bump();
                let operand = self.expression(level::UNARY)?;
                let span = start.to(operand.span);
                self.node(TreeKind::Negate(Box::new(operand)), span)
            }
            Token::Plus => {
                self.bump();
                self.expression(level::UNARY)
            }
            Token::Not => {
                let start = self.bump();
                let operand = self.expression(if least <= level::NOT { level::NOT } else { level::UNARY })?;
                let span = start.to(operand.span);
                self.node(TreeKind::Not(Box::new(operand)), span)
            }
            _ => self.operand(),
        }
    }

    fn operand(&mut self) -> Parsed {
        let span = self.span();
        match self.peek() {
            Token::Number(value) => {
                self.bump();
                self.literal(value, span)
            }
            Token::True | Token::False => {
                let value = self.peek() == Token::True;
                self.bump();
                self.node(TreeKind::Bool(value), span)
            }
            Token::Text(text) => {
                self.bump();
                self.node(TreeKind::Text(text.to_owned()), span)
            }
            Token::Open => {
                self.bump();
                let mut inner = self.expression(0)?;
                let end = self.close(span)?;
                inner.span = span.to(end);
                Ok(inner)
            }
            Token::And | Token::Or | Token::Xor | Token::Implies if self.ahead(1) == Token::Open => {
                let text = operator(self.peek()).map_or("", BinaryOp::symbol).to_owned();
                self.bump();
                self.call(Name { text, quoted: false, span })
            }
            Token::Word(_) | Token::Quoted(_) => {
                let name = self.name("a name")?;
                self.named(name)
            }
            Token::End => Err(Diagnostic::error(span, "the formula ends where an operand is expected")),
            _ => Err(Diagnostic::error(span, format!("{} stands where an operand is expected", self.shown()))),
        }
    }

    fn name(&mut self, what: &str) -> Result<Name, Diagnostic> {
        let (text, quoted) = match self.peek() {
            Token::Word(text) => (text, false),
            Token::Quoted(text) => (text, true),
            _ => return Err(Diagnostic::error(self.span(), format!("{what} is expected, not {}", self.shown()))),
        };
        let span = self.bump();
        Ok(Name { text: text.to_owned(), quoted, span })
    }

    /// What follows a name: a call, an attribute, or nothing.
    fn named(&mut self, name: Name) -> Parsed {
        match self.peek() {
            Token::Open => self.call(name),
            Token::Dot => {
                self.bump();
                let attribute = self.name("the name of an attribute")?;
                if !name.quoted && name.text == "candidates" && self.peek() == Token::Open {
                    let (args, end) = self.arguments()?;
                    let span = name.span.to(end);
                    return self.node(TreeKind::Candidates(attribute, args), span);
                }
                if !attribute.quoted && attribute.text == "labels" && self.peek() == Token::Dot {
                    self.bump();
                    let label = self.name("the name of a label")?;
                    let span = name.span.to(label.span);
                    return self.node(TreeKind::Label(name, label), span);
                }
                let span = name.span.to(attribute.span);
                self.node(TreeKind::Member(name, attribute), span)
            }
            _ => {
                let span = name.span;
                self.node(TreeKind::Name(name), span)
            }
        }
    }

    fn call(&mut self, name: Name) -> Parsed {
        let (args, end) = self.arguments()?;
        let span = name.span.to(end);
        self.node(TreeKind::Call(name, args), span)
    }

    /// `(a, b, ...)` and the place of its end.
    fn arguments(&mut self) -> Result<(Vec<Tree>, Span), Diagnostic> {
        let open = self.bump();
        let mut args = Vec::new();
        if self.peek() == Token::Close {
            return Ok((args, self.bump()));
        }
        loop {
            args.push(self.expression(0)?);
            if self.peek() != Token::Comma {
                return Ok((args, self.close(open)?));
            }
            self.bump();
        }
    }

    fn close(&mut self, open: Span) -> Result<Span, Diagnostic> {
        match self.peek() {
            Token::Close => Ok(self.bump()),
            Token::End => Err(Diagnostic::error(open, "this `(` is never closed")),
            _ => Err(Diagnostic::error(self.span(), format!("{} stands where `)` is expected", self.shown()))
                .help("an operator or a comma is missing before it, or `)`")),
        }
    }

    /// A number and the unit that follows it.
    fn literal(&mut self, value: f64, span: Span) -> Parsed {
        if self.peek() == Token::Percent && !starts_operand(self.ahead(1)) {
            let end = self.bump();
            let unit = LiteralUnit { unit: Unit::PERCENT, currency: None, text: "percent".to_owned() };
            return self.node(TreeKind::Number(value, Some(unit)), span.to(end));
        }
        let mut unit = match self.peek() {
            Token::Word(word) => {
                let Some(named) = unit_word(word) else {
                    let finding = Diagnostic::error(self.span(), unknown_word(word));
                    return Err(finding.help("put an operator between a number and a name"));
                };
                LiteralUnit { unit: named.unit, currency: named.currency, text: word.to_owned() }
            }
            // `300 1/s`
            Token::Number(one) if one == 1.0 && self.ahead(1) == Token::Slash && self.unit_follows(2).is_some() => {
                LiteralUnit { unit: Unit::RATIO, currency: None, text: "1".to_owned() }
            }
            _ => return self.node(TreeKind::Number(value, None), span),
        };
        let mut end = self.bump();
        while matches!(self.peek(), Token::Slash | Token::Star) {
            let divide = self.peek() == Token::Slash;
            let Some(word) = self.unit_follows(1) else { break };
            self.bump();
            end = self.bump();
            self.extend(&mut unit, word, divide).map_err(|message| Diagnostic::error(span.to(end), message))?;
        }
        if self.peek() == Token::Caret {
            let message = "it is not clear whether the power is of the number or of its unit";
            return Err(Diagnostic::error(span.to(end), message).help("put the number and its unit in brackets"));
        }
        self.node(TreeKind::Number(value, Some(unit)), span.to(end))
    }

    fn extend(&self, unit: &mut LiteralUnit, word: &str, divide: bool) -> Result<(), String> {
        let Some(named) = unit_word(word) else { return Err(unknown_word(word)) };
        let joined = if divide { unit.unit.over(named.unit) } else { unit.unit.times(named.unit) };
        unit.unit = joined.ok_or("the unit is out of range")?;
        if let (Some(a), Some(b)) = (unit.currency, named.currency)
            && a != b
        {
            return Err(format!("the unit names two currencies, {a} and {b}"));
        }
        unit.currency = unit.currency.or(named.currency);
        unit.text.push(if divide { '/' } else { '*' });
        unit.text.push_str(word);
        Ok(())
    }

    /// The word so many tokens ahead, if it is part of a unit: a unit word that is no name in scope and that nothing
    /// makes a call or a component.
    fn unit_follows(&self, by: usize) -> Option<&'a str> {
        match self.ahead(by) {
            Token::Word(word)
                if unit_word(word).is_some()
                    && !matches!(self.ahead(by + 1), Token::Open | Token::Dot)
                    && !(self.is_name)(word) =>
            {
                Some(word)
            }
            _ => None,
        }
    }
}

/// True for a token with which an operand may start, so that a `%` before it is an operator.
fn starts_operand(token: Token<'_>) -> bool {
    matches!(
        token,
        Token::Number(_)
            | Token::Word(_)
            | Token::Quoted(_)
            | Token::Text(_)
            | Token::True
            | Token::False
            | Token::Plus
            | Token::Minus
            | Token::Not
            | Token::Open
    )
}

fn operator(token: Token<'_>) -> Option<BinaryOp> {
    Some(match token {
        Token::Plus => BinaryOp::Add,
        Token::Minus => BinaryOp::Subtract,
        Token::Star => BinaryOp::Multiply,
        Token::Slash => BinaryOp::Divide,
        Token::Percent => BinaryOp::Remainder,
        Token::Caret => BinaryOp::Power,
        Token::LessEqual => BinaryOp::LessEqual,
        Token::Less => BinaryOp::Less,
        Token::GreaterEqual => BinaryOp::GreaterEqual,
        Token::Greater => BinaryOp::Greater,
        Token::Equal => BinaryOp::Equal,
        Token::NotEqual => BinaryOp::NotEqual,
        Token::And => BinaryOp::And,
        Token::Or => BinaryOp::Or,
        Token::Xor => BinaryOp::Xor,
        Token::Implies => BinaryOp::Implies,
        _ => return None,
    })
}
