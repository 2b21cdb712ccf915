//! Random formulas over the names of a model.
//!
//! Numbers are taken without their units (`number(...)`) where they meet others, so that any may be combined with any.

use crate::draw::Draw;

/// How a component is hosted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nodes of its own, all on one offer.
    Uniform,
    /// Nodes of its own on any offers.
    Mixed,
    /// On shared nodes.
    Shared,
}

/// A component as formulas see it.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How it is hosted.
    pub kind: Kind,
    /// True when it may have no instances.
    pub may_be_empty: bool,
}

/// A number in a formula.
pub(crate) struct Quantity {
    pub(crate) text: String,
    /// A usual value, to compare with.
    pub(crate) scale: f64,
}

/// Makes formulas.
pub struct Formulas<'a> {
    /// Where choices come from.
    pub draw: &'a mut Draw,
    /// The components.
    pub components: &'a [Named],
    /// Metrics with a usual value.
    pub metrics: Vec<(String, f64)>,
    /// False: nothing that is nonlinear over several components.
    pub nonlinear: bool,
    /// True: most formulas mix several components nonlinearly.
    pub across: bool,
}

pub(crate) fn quantity(text: impl Into<String>, scale: f64) -> Quantity {
    Quantity { text: text.into(), scale }
}

impl Formulas<'_> {
    fn component(&mut self) -> Named {
        self.draw.pick(self.components)
    }

    fn of_kind(&mut self, kind: Kind) -> Option<Named> {
        let all: Vec<Named> = self.components.iter().filter(|c| c.kind == kind).cloned().collect();
        (!all.is_empty()).then(|| self.draw.pick(&all))
    }

    /// Something that depends on one component, and on it linearly where it is a fleet or shared.
    pub(crate) fn aggregate(&mut self, component: &Named) -> Quantity {
        let c = &component.name;
        let k = self.draw.pick(&[1, 2, 4]);
        let filter = match self.draw.number(0, 6) {
            0 => format!("{c}.region == \"R1\""),
            1 => format!("{c}.provider != \"gcp\""),
            2 => format!("{c}.labels.tier == \"gold\""),
            3 => format!("number({c}.price) < 0.2"),
            4 => format!("{c}.purchase == \"spot\" or {c}.cores >= {k}"),
            _ => format!("{c}.cores >= {k}"),
        };
        let each = match self.draw.number(0, 7) {
            0 => (format!("number({c}.memory) / 1024"), 4.0),
            1 => (format!("{c}.labels.speed"), 2.0),
            2 => (format!("number({c}.price)"), 0.2),
            3 => (format!("({c}.cores - 2)"), 1.0),
            4 => (format!("{c}.cores * {c}.gpus"), 1.0),
            5 => (format!("({c}.cores ^ 2)"), 9.0),
            _ => (format!("{c}.cores"), 3.0),
        };
        let (each, scale) = each;
        match component.kind {
            Kind::Uniform => match self.draw.number(0, 11) {
                0 | 1 => quantity(format!("{c}.cardinality"), 2.0),
                2 => quantity(format!("{c}.cardinality * {each}"), 2.0 * scale),
                3 => quantity(each, scale),
                4 => quantity(format!("sum({each})"), 2.0 * scale),
                5 => quantity(format!("count({c}, {filter})"), 2.0),
                6 => quantity(format!("{each} / {c}.cardinality"), scale),
                7 => quantity(format!("{c}.latitude"), 50.0),
                8 => quantity(format!("sum({each}, {filter})"), 2.0 * scale),
                9 => quantity(format!("mean({each})"), scale),
                10 => quantity(format!("number({c}.price) * {c}.cardinality"), 0.4),
                _ => quantity(format!("sum({c}.cores / {c}.cardinality)"), 3.0),
            },
            Kind::Mixed => match self.draw.number(0, 7) {
                0 | 1 => quantity(format!("{c}.cardinality"), 2.0),
                2 | 3 => quantity(format!("sum({each})"), 2.0 * scale),
                4 => quantity(format!("sum({each}, {filter})"), 2.0 * scale),
                5 => quantity(format!("count({c})"), 2.0),
                _ => quantity(format!("count({c}, {filter})"), 2.0),
            },
            Kind::Shared => match self.draw.number(0, 4) {
                0..=2 => quantity(format!("{c}.cardinality"), 2.0),
                3 => quantity(format!("{c}.cores * {c}.cardinality"), 3.0),
                _ => quantity(format!("sum(number({c}.memory)) / 1024"), 4.0),
            },
        }
    }

    /// Something over one component that is linear in no variables of a fleet.
    fn curved(&mut self, component: &Named) -> Quantity {
        let c = &component.name;
        let inner = self.aggregate(component);
        match self.draw.number(0, 13) {
            0 if component.kind != Kind::Shared => {
                let (word, what) =
                    (self.draw.pick(&["min", "max", "mean"]), self.draw.pick(&["cores", "labels.speed"]));
                quantity(format!("{word}({c}.{what})"), 3.0)
            }
            1 if component.kind != Kind::Shared => {
                let word = self.draw.pick(&["min", "max", "mean"]);
                quantity(format!("{word}({c}.cores, {c}.region == \"r0\")"), 3.0)
            }
            2 => quantity(format!("({}) ^ 2", inner.text), inner.scale * inner.scale),
            3 => quantity(format!("sqrt(abs({}))", inner.text), inner.scale.sqrt()),
            4 => quantity(format!("ln({} + 1)", inner.text), (inner.scale + 1.0).ln()),
            5 => quantity(format!("exp(-({}) / 2)", inner.text), 0.3),
            6 => quantity(format!("floor(({}) / 2) * 2", inner.text), inner.scale),
            7 => quantity(format!("({}) % 2", inner.text), 1.0),
            8 => quantity(format!("erlang_c({c}.cardinality, {})", self.load()), 0.5),
            9 => quantity(format!("mmc_response_time({}, 1.5, {c}.cardinality)", self.load()), 1.0),
            10 => quantity(format!("1 / ({})", inner.text), 1.0 / inner.scale),
            11 => {
                let other = self.aggregate(component);
                quantity(format!("({}) * ({})", inner.text, other.text), inner.scale * other.scale)
            }
            12 => {
                let other = self.aggregate(component);
                quantity(format!("({}) / ({})", inner.text, other.text), inner.scale / other.scale)
            }
            13 => {
                let condition = self.comparison(&inner);
                let other = self.aggregate(component);
                quantity(format!("if({condition}, {}, {})", inner.text, other.text), inner.scale)
            }
            _ => inner,
        }
    }

    pub(crate) fn load(&mut self) -> String {
        self.draw.pick(&["0.7", "1.2", "2.5", "load"]).to_owned()
    }

    /// A number that no placement changes.
    fn fixed(&mut self) -> Quantity {
        let c = self.component();
        let candidates_of = if c.kind == Kind::Shared { "cores" } else { "labels.speed" };
        let name = &c.name;
        match self.draw.number(0, 7) {
            0 => quantity(format!("number(candidates.min({name}.price))"), 0.1),
            1 => quantity(format!("candidates.max({name}.{candidates_of})"), 3.0),
            2 => quantity(format!("candidates.count({name})"), 3.0),
            3 => quantity(format!("current({name}.cardinality, 2)"), 2.0),
            4 => quantity("number(current(total_cost, 0.5))", 0.5),
            5 => quantity("load", 1.5),
            6 => quantity(format!("current({name}.cardinality, {name}.cardinality)"), 2.0),
            _ => quantity("1.5", 1.5),
        }
    }

    fn whole(&mut self) -> Quantity {
        match self.draw.number(0, 3) {
            0 => quantity("node_count", 3.0),
            1 => quantity("number(total_cost)", 0.8),
            2 if !self.metrics.is_empty() => {
                let all = self.metrics.clone();
                let (name, scale) = self.draw.pick(&all);
                quantity(name, scale)
            }
            _ => self.fixed(),
        }
    }

    fn linear(&mut self) -> Quantity {
        let component = self.component();
        let first = if self.draw.chance(20) { self.whole() } else { self.aggregate(&component) };
        if self.draw.chance(50) {
            return first;
        }
        let component = self.component();
        let second = self.aggregate(&component);
        match self.draw.number(0, 3) {
            0 => quantity(format!("2 * ({}) - {}", first.text, second.text), 2.0 * first.scale),
            1 => quantity(format!("{} - 0.5 * ({})", first.text, second.text), first.scale),
            _ => quantity(format!("{} + {}", first.text, second.text), first.scale + second.scale),
        }
    }

    fn number(&mut self) -> Quantity {
        if self.across && self.draw.chance(70) {
            return self.across();
        }
        let component = self.component();
        if self.draw.chance(65) {
            return self.linear();
        }
        if !self.nonlinear || self.draw.chance(65) {
            return self.curved(&component);
        }
        let (a, b) = (self.linear(), self.linear());
        match self.draw.number(0, 5) {
            0 => quantity(format!("({}) * ({})", a.text, b.text), a.scale * b.scale),
            1 => quantity(format!("({}) / ({})", a.text, b.text), a.scale / b.scale),
            2 => quantity(format!("min({}, {})", a.text, b.text), a.scale.min(b.scale)),
            3 => quantity(format!("max({}, {})", a.text, b.text), a.scale.max(b.scale)),
            4 => quantity(format!("abs({} - {})", a.text, b.text), 2.0),
            _ => {
                let condition = self.comparison(&a);
                quantity(format!("if({condition}, {}, {})", b.text, a.text), b.scale)
            }
        }
    }

    pub(crate) fn comparison(&mut self, a: &Quantity) -> String {
        let op = self.draw.pick(&["<=", "<=", "<=", ">=", ">=", ">=", "<", ">", "!=", "=="]);
        // Limits that leave something, mostly.
        let factor = match op {
            "<=" | "<" => self.draw.pick(&[0.5, 1.0, 1.5, 2.0, 3.0]),
            ">=" | ">" => self.draw.pick(&[0.1, 0.25, 0.5, 1.0, 1.5]),
            _ => 1.0,
        };
        let k = (a.scale * factor * 100.0).round() / 100.0;
        let k = if self.draw.chance(50) { k.ceil() } else { k };
        format!("{} {op} {k}", a.text)
    }

    /// A condition without logic.
    fn simple(&mut self) -> String {
        match self.draw.number(0, 11) {
            0 => {
                let word = self.draw.pick(&["region", "provider", "country", "machine_type"]);
                let texts = ["\"r0\"", "\"R1\"", "\"aws\"", "\"DE\"", "\"mt1\"", "\"gold\""];
                match (self.of_kind(Kind::Uniform), self.of_kind(Kind::Uniform)) {
                    (Some(a), Some(b)) if a.name != b.name => {
                        let op = self.draw.pick(&["==", "!="]);
                        format!("{}.{word} {op} {}.{word}", a.name, b.name)
                    }
                    (Some(a), _) => {
                        let (op, text) = (self.draw.pick(&["==", "!="]), self.draw.pick(&texts));
                        let word = if text.contains("gold") { "labels.tier" } else { word };
                        format!("{}.{word} {op} {text}", a.name)
                    }
                    _ => "true".to_owned(),
                }
            }
            1 => {
                let (a, b) = (self.linear(), self.linear());
                let op = self.draw.pick(&["<=", ">=", "<", ">", "==", "!="]);
                format!("{} {op} {}", a.text, b.text)
            }
            2 => {
                let a = self.number();
                format!("0 <= {} <= {}", a.text, (a.scale * 2.0).ceil())
            }
            3 => {
                let limit = self.draw.pick(&["0.5 USD/h", "1", "1.2 USD/h", "2 USD/h"]);
                format!("total_cost <= {limit}")
            }
            4 => match (self.of_kind(Kind::Mixed), self.of_kind(Kind::Uniform)) {
                (Some(m), Some(u)) => format!("count({0}, {0}.region == {1}.region) >= 1", m.name, u.name),
                _ => "node_count <= 5".to_owned(),
            },
            5 if self.nonlinear => {
                let (a, b) = (self.number(), self.number());
                let word = self.draw.pick(&["min", "max"]);
                let k = self.draw.pick(&[1.0, 2.0, 4.0]);
                let third = if self.draw.chance(30) { ", 2" } else { "" };
                let op = self.draw.pick(&["<=", ">="]);
                format!("{word}({}, {}{third}) {op} {k}", a.text, b.text)
            }
            _ => {
                let a = self.number();
                self.comparison(&a)
            }
        }
    }

    /// A condition.
    pub fn condition(&mut self) -> String {
        if self.draw.chance(65) {
            return self.simple();
        }
        let (a, b) = (self.simple(), self.simple());
        match self.draw.number(0, 7) {
            0 | 1 => format!("{a} or {b}"),
            2 => format!("{a} implies {b}"),
            3 => format!("not ({a})"),
            4 => format!("({a}) xor ({b})"),
            5 => format!("not ({a} and {b})"),
            6 => format!("if({a}, {b}, {})", self.simple()),
            _ => format!("{a} and ({b} or {})", self.simple()),
        }
    }

    /// An objective with its direction, `maximize` or `minimize`.
    pub fn utility(&mut self) -> (&'static str, String) {
        if self.across && self.draw.chance(80) {
            return self.across_utility();
        }
        let (a, b) = (self.number(), self.linear());
        let (a, b) = (a.text, b.text);
        let u = self.component();
        let own = match u.kind {
            Kind::Uniform => format!("1 / (number({0}.price) * {0}.cardinality)", u.name),
            _ => format!("ln({}.cardinality + 1)", u.name),
        };
        match self.draw.number(0, 17) {
            0 => ("minimize", "total_cost".to_owned()),
            1 => ("maximize", "1 / total_cost".to_owned()),
            2 => ("maximize", format!("{a} - 3 * ({b})")),
            3 => ("minimize", format!("{a} + 2 * ({b})")),
            4 => ("maximize", format!("{own} + {b}")),
            5 => ("maximize", own),
            6 if self.nonlinear => ("maximize", format!("({a}) * ({b})")),
            7 if self.nonlinear => ("minimize", format!("({a}) / ({b})")),
            8 if self.nonlinear => ("maximize", format!("min({a}, {b})")),
            9 => ("maximize", format!("100 * exp(-number(total_cost)) - {b}")),
            10 => ("minimize", format!("2 ^ (({b}) / 50) + 1")),
            11 => ("maximize", format!("atan({b}) / 3")),
            12 => ("minimize", format!("0 - sqrt(abs({a}))")),
            13 => ("maximize", "5".to_owned()),
            14 => ("minimize", "total_cost * 0.5 + node_count * 0.1 USD/h".to_owned()),
            15 => ("maximize", format!("10 - ln(number(total_cost) + 1) * {}", self.draw.number(1, 3))),
            16 if self.nonlinear => {
                let all: Vec<String> =
                    self.components.iter().map(|c| format!("({}.cardinality + 0.5)", c.name)).collect();
                ("maximize", format!("{} / (1 + number(total_cost))", all.join(" * ")))
            }
            _ => (self.draw.pick(&["maximize", "minimize"]), a),
        }
    }
}
