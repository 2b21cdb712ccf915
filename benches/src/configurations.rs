//! Problems of the corpus in which every component chooses one row of a table of configurations.

use std::collections::HashMap;
use std::path::Path;

use cardinal_models::formula::expr::BinaryOp;
use cardinal_models::formula::function::Function;
use cardinal_solver::nonlinear::{Expression, Problem};

/// A problem with its known optimum.
pub struct Configurations {
    /// Its name.
    pub name: String,
    /// The problem.
    pub problem: Problem,
    /// The proven optimum.
    pub optimum: f64,
    /// The decimal logarithm of the number of combinations.
    pub combinations_log10: f64,
    /// The number of components.
    pub components: usize,
}

/// Every problem of a folder, in the order of their names.
///
/// # Errors
///
/// When a file cannot be read or is not of this form.
pub fn all(folder: &Path) -> Result<Vec<Configurations>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("cannot read {}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "json"));
    files.sort();
    files.iter().map(|f| read(f)).collect()
}

/// Reads one problem.
///
/// # Errors
///
/// When the file cannot be read or is not of this form.
pub fn read(path: &Path) -> Result<Configurations, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    parse(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// Reads one problem from its text.
///
/// # Errors
///
/// When the text is not of this form.
pub fn parse(text: &str) -> Result<Configurations, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let lacks = |what: &str| format!("`{what}` is missing or of the wrong type");
    let mut problem = Problem::new();
    let mut names: HashMap<String, Expression> = HashMap::new();
    let components = json["components"].as_array().ok_or_else(|| lacks("components"))?;
    let mut combinations_log10 = 0.0;
    for component in components {
        let name = component["name"].as_str().ok_or_else(|| lacks("name"))?;
        let configs = component["configs"].as_array().ok_or_else(|| lacks("configs"))?;
        let group = problem.group(configs.len());
        combinations_log10 += (configs.len() as f64).log10();
        for (at, attribute) in component["attrs"].as_array().ok_or_else(|| lacks("attrs"))?.iter().enumerate() {
            let attribute = attribute.as_str().ok_or_else(|| lacks("attrs"))?;
            let values: Option<Vec<f64>> = configs.iter().map(|row| row[at].as_f64()).collect();
            let table = problem.table(group, values.ok_or_else(|| lacks("configs"))?);
            names.insert(format!("{name}.{attribute}"), table);
        }
    }
    for constraint in json["constraints"].as_array().ok_or_else(|| lacks("constraints"))? {
        let text = constraint.as_str().ok_or_else(|| lacks("constraints"))?;
        let holds = formula(text, &names, &mut problem)?;
        problem.require(&holds);
    }
    let utility = formula(json["utility"].as_str().ok_or_else(|| lacks("utility"))?, &names, &mut problem)?;
    problem.maximize(&utility);
    Ok(Configurations {
        name: json["name"].as_str().unwrap_or_default().to_owned(),
        problem,
        optimum: json["optimum"].as_f64().ok_or_else(|| lacks("optimum"))?,
        combinations_log10,
        components: components.len(),
    })
}

fn formula(text: &str, names: &HashMap<String, Expression>, problem: &mut Problem) -> Result<Expression, String> {
    let mut reader = Reader { tokens: tokens(text)?, at: 0, names, problem };
    let expression = reader.either()?;
    if reader.at < reader.tokens.len() {
        return Err(format!("`{}` is left over in `{text}`", reader.tokens[reader.at]));
    }
    Ok(expression)
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let c = chars[at];
        let mut end = at + 1;
        if c.is_whitespace() {
            at = end;
            continue;
        }
        if c.is_ascii_digit() {
            while end < chars.len()
                && (chars[end].is_ascii_digit()
                    || chars[end] == '.'
                    || chars[end] == 'e'
                    || (matches!(chars[end], '-' | '+') && chars[end - 1] == 'e'))
            {
                end += 1;
            }
        } else if c.is_alphabetic() {
            while end < chars.len() && (chars[end].is_alphanumeric() || matches!(chars[end], '.' | '_')) {
                end += 1;
            }
        } else if end < chars.len() && matches!((c, chars[end]), ('*', '*') | ('<' | '>' | '=' | '!', '=')) {
            end += 1;
        } else if !"+-*/()<>,".contains(c) {
            return Err(format!("`{c}` is not expected in `{text}`"));
        }
        tokens.push(chars[at..end].iter().collect());
        at = end;
    }
    Ok(tokens)
}

/// Reads a formula in the spelling of the corpus.
struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    names: &'a HashMap<String, Expression>,
    problem: &'a mut Problem,
}

impl Reader<'_> {
    fn take(&mut self, token: &str) -> bool {
        let is = self.tokens.get(self.at).is_some_and(|t| t == token);
        self.at += usize::from(is);
        is
    }

    fn one_of(&mut self, tokens: &[(&str, BinaryOp)]) -> Option<BinaryOp> {
        tokens.iter().find(|(t, _)| self.take(t)).map(|(_, op)| *op)
    }

    fn either(&mut self) -> Result<Expression, String> {
        let mut left = self.both()?;
        while self.take("or") {
            let right = self.both()?;
            left = self.problem.binary(BinaryOp::Or, &left, &right);
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut left = self.opposite()?;
        while self.take("and") {
            let right = self.opposite()?;
            left = self.problem.binary(BinaryOp::And, &left, &right);
        }
        Ok(left)
    }

    fn opposite(&mut self) -> Result<Expression, String> {
        if self.take("not") {
            let inner = self.opposite()?;
            return Ok(self.problem.not(&inner));
        }
        let left = self.sum()?;
        let operators = [
            ("<=", BinaryOp::LessEqual),
            (">=", BinaryOp::GreaterEqual),
            ("<", BinaryOp::Less),
            (">", BinaryOp::Greater),
            ("==", BinaryOp::Equal),
            ("!=", BinaryOp::NotEqual),
        ];
        match self.one_of(&operators) {
            Some(op) => {
                let right = self.sum()?;
                Ok(self.problem.binary(op, &left, &right))
            }
            None => Ok(left),
        }
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while let Some(op) = self.one_of(&[("+", BinaryOp::Add), ("-", BinaryOp::Subtract)]) {
            let right = self.product()?;
            left = self.problem.binary(op, &left, &right);
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.signed()?;
        while let Some(op) = self.one_of(&[("*", BinaryOp::Multiply), ("/", BinaryOp::Divide)]) {
            let right = self.signed()?;
            left = self.problem.binary(op, &left, &right);
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, String> {
        if self.take("-") {
            let inner = self.signed()?;
            return Ok(self.problem.scale(&inner, -1.0));
        }
        let base = self.atom()?;
        if self.take("**") {
            let exponent = self.signed()?;
            return Ok(self.problem.binary(BinaryOp::Power, &base, &exponent));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            let inner = self.either()?;
            return self.take(")").then_some(inner).ok_or_else(|| "a `)` is missing".to_owned());
        }
        let token = self.tokens.get(self.at).cloned().ok_or_else(|| "the formula ends early".to_owned())?;
        self.at += 1;
        if let Ok(x) = token.parse::<f64>() {
            return Ok(self.problem.number(x));
        }
        if !self.take("(") {
            return self.names.get(&token).cloned().ok_or_else(|| format!("`{token}` is not known"));
        }
        let mut args = vec![self.either()?];
        while self.take(",") {
            args.push(self.either()?);
        }
        if !self.take(")") {
            return Err(format!("a `)` is missing after the arguments of `{token}`"));
        }
        match (token.as_str(), &args[..]) {
            ("ite", [c, a, b]) => Ok(self.problem.choose(c, a, b)),
            ("xor", [a, b]) => Ok(self.problem.binary(BinaryOp::Xor, a, b)),
            ("log", [x]) => Ok(self.problem.call(Function::Ln, std::slice::from_ref(x))),
            (name, args) => {
                let function = Function::named(name).ok_or_else(|| format!("`{name}` is no function"))?;
                Ok(self.problem.call(function, args))
            }
        }
    }
}
