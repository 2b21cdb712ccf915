//! Random small models whose components have configurations and free attributes, beside ones that run on offers.

use crate::draw::Draw;
use crate::generate::offer;
use crate::several::softened;
use crate::world::World;

/// What formulas can say about a component.
struct Known {
    /// Numbers.
    numbers: Vec<String>,
    /// Conditions on texts.
    conditions: Vec<String>,
}

/// A random world of a seed, of up to `most` components.
pub fn world(seed: u64, most: u32) -> World {
    let mut draw = Draw::new(seed);
    let draw = &mut draw;
    let offers = (0..draw.number(2, 4) as usize).map(|i| offer(draw, i)).collect();
    let mut text = "application: random\ncomponents:\n".to_owned();
    let mut known = Known { numbers: Vec::new(), conditions: Vec::new() };
    let count = draw.number(1, most);
    for name in ["a", "b", "c", "d"].iter().take(count as usize) {
        match draw.number(0, 5) {
            0..=2 => configured(draw, name, &mut text, &mut known),
            3 | 4 => free(draw, name, &mut text, &mut known),
            _ => on_offers(draw, name, &mut text, &mut known),
        }
    }
    let constraints = draw.pick(&[0, 1, 1, 2, 3]);
    if constraints > 0 {
        text.push_str("constraints:\n");
    }
    for i in 0..constraints {
        let condition = condition(draw, &known, 2);
        text.push_str(&format!("  c{i}: '{condition}'\n"));
    }
    if draw.chance(15) {
        let names: Vec<&str> = ["a", "b", "c", "d"].into_iter().take(count as usize).collect();
        let most = draw.number(1, 6);
        text.push_str(&format!("structure:\n  s: {{at_most: {most}, of: [{}]}}\n", names.join(", ")));
    }
    if draw.chance(15) {
        let limit = draw.pick(&["nodes: 4", "cores: 9", "cost: 0.9 USD/h"]);
        text.push_str(&format!("quotas:\n  q: {{{limit}}}\n"));
    }
    if draw.chance(85) {
        let word = draw.pick(&["maximize", "minimize"]);
        let formula = number(draw, &known, 3);
        text.push_str(&format!("utility: {{{word}: '{formula}'}}\n"));
    }
    let text = softened(&text, &mut Draw::new(seed ^ 0x50f7), |draw| {
        (draw.pick(&["maximize", "minimize"]), number(draw, &known, 3))
    });
    World { model: text, offers, metrics: Vec::new(), current: None }
}

fn configured(draw: &mut Draw, name: &str, text: &mut String, known: &mut Known) {
    text.push_str(&format!("  {name}:\n"));
    let with_count = draw.chance(60);
    if !with_count || draw.chance(20) {
        let cardinality = draw.pick(&["1..3", "0..2", "2", "[1, 3]"]);
        text.push_str(&format!("    cardinality: {cardinality}\n"));
    }
    let rows = draw.number(3, 5);
    // In each of the ranges above there is a row.
    let counts = [1, 2, 3, 1, 2];
    let price = |draw: &mut Draw| draw.pick(&["0.05", "0.1", "0.1", "0.25", "0.4"]);
    let cores = |draw: &mut Draw| draw.pick(&["1", "2", "2", "4", "8"]);
    let latency = |draw: &mut Draw| draw.pick(&["3", "5", "8", "8", "-1"]);
    let tier = |draw: &mut Draw| draw.pick(&["gold", "silver"]);
    if draw.chance(50) {
        text.push_str("    configurations:\n");
        for i in 0..rows {
            let mut cells =
                vec![format!("name: n{i}"), format!("price: {}", price(draw)), format!("cores: {}", cores(draw))];
            if with_count {
                cells.push(format!("cardinality: {}", counts[i as usize]));
            }
            // Of some configurations the latency is not known.
            if i == 0 || draw.chance(90) {
                cells.push(format!("latency: {}", latency(draw)));
            }
            cells.push(format!("tier: {}", tier(draw)));
            text.push_str(&format!("      - {{{}}}\n", cells.join(", ")));
        }
    } else {
        let count = if with_count { ", cardinality" } else { "" };
        text.push_str(&format!(
            "    configurations:\n      columns: [price, cores, latency, tier{count}]\n      rows:\n"
        ));
        for i in 0..rows {
            let count = if with_count { format!(", {}", counts[i as usize]) } else { String::new() };
            let (price, cores, latency, tier) = (price(draw), cores(draw), latency(draw), tier(draw));
            text.push_str(&format!("        - [{price}, {cores}, {latency}, {tier}{count}]\n"));
        }
    }
    for what in ["cores", "latency", "cardinality"] {
        known.numbers.push(format!("{name}.{what}"));
    }
    known.numbers.push(format!("number({name}.price)"));
    known.numbers.push(format!("{name}.cores * {name}.cardinality"));
    known.numbers.push(format!("number(candidates.min({name}.price))"));
    known.numbers.push(format!("sum({name}.latency)"));
    known.conditions.push(format!("{name}.tier == \"gold\""));
}

fn free(draw: &mut Draw, name: &str, text: &mut String, known: &mut Known) {
    let cardinality = draw.pick(&["1", "1..3", "0..2"]);
    let x = draw.pick(&["1..4", "[-2, 0, 3]", "[1..3, 2.5]", "-1..1"]);
    let y = draw.pick(&["[1, 10, 100]", "0..3", "7", "[0.5, 1.5]"]);
    text.push_str(&format!("  {name}:\n    cardinality: {cardinality}\n    attributes: {{x: {x}, y: {y}}}\n"));
    for what in ["x", "y", "cardinality", "x", "y"] {
        known.numbers.push(format!("{name}.{what}"));
    }
}

fn on_offers(draw: &mut Draw, name: &str, text: &mut String, known: &mut Known) {
    let cardinality = draw.pick(&["1", "1..2", "0..2"]);
    text.push_str(&format!(
        "  {name}:\n    cardinality: {cardinality}\n    placement: {{purchase: [spot, on-demand]}}\n"
    ));
    known.numbers.push(format!("{name}.cardinality"));
    known.numbers.push(format!("{name}.cores"));
    known.conditions.push(format!("{name}.region == \"r0\""));
}

/// A number over several components.
fn number(draw: &mut Draw, known: &Known, depth: u32) -> String {
    if depth == 0 {
        return match draw.number(0, 7) {
            0 => draw.pick(&["2", "0.5", "3"]).to_owned(),
            1 => "number(total_cost)".to_owned(),
            _ => draw.pick(&known.numbers),
        };
    }
    let part = |draw: &mut Draw| number(draw, known, depth - 1);
    match draw.number(0, 13) {
        0..=3 => format!("({} + {})", part(draw), part(draw)),
        4 => format!("({} - {})", part(draw), part(draw)),
        5 | 6 => format!("({}) * ({})", part(draw), part(draw)),
        7 => format!("({}) / ({} + 5)", part(draw), part(draw)),
        8 => format!("abs({})", part(draw)),
        9 => format!("{}({}, {})", draw.pick(&["min", "max"]), part(draw), part(draw)),
        10 => format!("sqrt({})", part(draw)),
        // A steep function of a steep one flattens what is different.
        11 => format!("1 / exp((({}) / 4)^2)", number(draw, known, 0)),
        12 => format!("if({}, {}, {})", condition(draw, known, 0), part(draw), part(draw)),
        _ => format!("ln(1 + abs({}))", part(draw)),
    }
}

fn condition(draw: &mut Draw, known: &Known, depth: u32) -> String {
    if depth > 0 && draw.chance(40) {
        let (a, b) = (condition(draw, known, depth - 1), condition(draw, known, depth - 1));
        let op = draw.pick(&["and", "or", "or", "xor", "implies"]);
        return if draw.chance(20) { format!("not ({a} {op} {b})") } else { format!("(({a}) {op} ({b}))") };
    }
    if !known.conditions.is_empty() && draw.chance(15) {
        return draw.pick(&known.conditions);
    }
    let op = draw.pick(&["<=", "<=", ">=", ">=", "<", ">", "==", "!="]);
    let limit = draw.pick(&["0", "1", "2", "3", "5", "8"]);
    let side = number(draw, known, 1);
    if draw.chance(25) { format!("{side} {op} {}", number(draw, known, 1)) } else { format!("{side} {op} {limit}") }
}
