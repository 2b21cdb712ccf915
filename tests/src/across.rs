//! Random formulas that mix several components nonlinearly.

use crate::formulas::{Formulas, Kind, Quantity, quantity};

impl Formulas<'_> {
    /// The sum of something over some components.
    fn sum_of_some(&mut self) -> Quantity {
        let all: Vec<String> = self.components.iter().map(|c| c.name.clone()).collect();
        let chosen = self.draw.some(&all);
        let what = self.draw.number(0, 3);
        let mut parts = Vec::new();
        for name in &chosen {
            let component = self.components.iter().find(|c| c.name == *name).cloned();
            let part = match (what, component) {
                (0, _) => format!("{name}.cardinality"),
                (1, Some(c)) => self.aggregate(&c).text,
                _ => format!("sum({name}.cores)"),
            };
            parts.push(if self.draw.chance(20) { format!("0.5 * ({part})") } else { format!("({part})") });
        }
        let each = if what == 0 { 2.0 } else { 5.0 };
        quantity(format!("({})", parts.join(" + ")), each * chosen.len() as f64)
    }

    /// A number that no sum over the components gives.
    pub(crate) fn across(&mut self) -> Quantity {
        let (a, b) = (self.sum_of_some(), self.sum_of_some());
        let (x, y) = (&a.text, &b.text);
        let k = self.draw.pick(&[1.0, 2.0, 3.0, 4.0, 6.0]);
        match self.draw.number(0, 21) {
            0 | 1 => quantity(format!("20 / {x}"), 20.0 / a.scale),
            2 | 3 => quantity(format!("{x} / {y}"), a.scale / b.scale),
            4 => quantity(format!("1 / exp((({k} - {x}) / 2) ^ 2)"), 0.3),
            5 => quantity(format!("exp(0 - ({x} - {k}) ^ 2 / 40)"), 0.3),
            6 | 7 => quantity(format!("{x} * {y}"), a.scale * b.scale),
            8 => quantity(format!("min({x}, {y}, {k})"), a.scale.min(k)),
            9 => quantity(format!("max({x} / 2, {y})"), b.scale),
            10 => {
                let condition = self.comparison(&b);
                let other = self.sum_of_some();
                quantity(format!("if({condition}, {x}, {} / 2)", other.text), a.scale)
            }
            11 => quantity(format!("erlang_c({}, {})", self.servers(), self.load()), 0.4),
            12 => quantity(format!("mmc_response_time({}, 1.5, {})", self.load(), self.servers()), 0.8),
            13 => quantity(format!("mmc_waiting_time({y}, 3, {})", self.servers()), 0.2),
            14 if self.components.iter().all(|c| c.kind == Kind::Uniform) => {
                let (from, to) =
                    (self.components[0].name.clone(), self.components[self.components.len() - 1].name.clone());
                let (p, q) = (format!("rad({from}.latitude)"), format!("rad({to}.latitude)"));
                let cosine = format!("sin({p}) * sin({q}) + cos({p}) * cos({q})");
                quantity(format!("acos(min(1, {cosine}))"), 0.1)
            }
            15 => quantity(format!("acos({x} / 8 - 1)"), 1.5),
            16 => quantity(format!("ln({x} - {k})"), 1.0),
            17 => quantity(format!("sqrt({x} - {y})"), 1.0),
            18 => quantity(format!("abs({x} - {k} * {y})"), a.scale),
            19 => quantity(format!("{x} ^ 1.5"), a.scale.powf(1.5)),
            20 => quantity(format!("{y} * {k} / number(total_cost)"), 10.0),
            _ => quantity(format!("2 ^ ({x} / 8) - ({y} - {k}) ^ 2"), 2.0),
        }
    }

    /// The number of instances of some components together.
    fn servers(&mut self) -> String {
        let all: Vec<String> = self.components.iter().map(|c| format!("{}.cardinality", c.name)).collect();
        self.draw.some(&all).join(" + ")
    }

    /// A sum of what no sum gives, with the cost.
    pub(crate) fn across_utility(&mut self) -> (&'static str, String) {
        let (a, b) = (self.across().text, self.across().text);
        let k = self.draw.pick(&["0.5", "2", "3.7"]);
        match self.draw.number(0, 5) {
            0 => ("minimize", a),
            1 => ("maximize", format!("{k} * ({a}) - {b}")),
            2 => ("minimize", format!("{a} + {k} * ({b})")),
            3 => ("maximize", format!("{a} - {k} * number(total_cost)")),
            4 => ("maximize", format!("{k} / number(total_cost) + {a}")),
            _ => ("maximize", a),
        }
    }
}
