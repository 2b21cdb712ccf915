//! Links and data sources for people.

use cardinal_edge::answer::Answer;

use super::diagnostics::clean;
use super::numbers::{number, price};
use super::style::{DIM, lines, paint, table};
use super::table::{line, title};

/// What the cost is made of.
pub fn split(out: &mut String, answer: &Answer) {
    let Some(cost) = &answer.cost else { return };
    let parts = [("machines", cost.machines), ("egress", cost.egress), ("storage", cost.storage)];
    let parts: Vec<String> = parts.iter().map(|(name, x)| format!("{name} {}", price(*x))).collect();
    line(out, &paint(DIM, &format!("           {}", parts.join(" + "))));
}

/// The tables of data sources and of links.
pub fn sections(out: &mut String, answer: &Answer) {
    if !answer.data.is_empty() {
        title(out, "Data");
        let mut shown = table(&["Data source", "Regions", ">GB each", ">Storage/h", ">GB to move"]);
        for (name, data) in &answer.data {
            let moves = data.moves_gb.map_or_else(String::new, number);
            let regions: Vec<String> = data.regions.iter().map(|r| clean(r)).collect();
            shown.add_row([clean(name), regions.join(", "), number(data.size_gb), price(data.storage_per_hour), moves]);
        }
        out.push_str(&lines(&shown));
    }
    if !answer.egress.is_empty() {
        title(out, "Traffic");
        let headers = ["Link", "From", "To", ">GB/h", ">Between regions", ">Egress/h", ">Round trip ms", ">Allowed"];
        let mut shown = table(&headers);
        for link in &answer.egress {
            let ms = |x: Option<f64>, none: &str| x.map_or_else(|| none.to_owned(), |x| format!("{x:.1}"));
            shown.add_row([
                clean(&link.link),
                clean(&link.from),
                clean(&link.to),
                number(link.gb_per_hour),
                number(link.crossing_gb_per_hour),
                price(link.cost_per_hour),
                ms(link.latency_ms, "unknown"),
                link.latency_limit_ms.map_or_else(String::new, number),
            ]);
        }
        out.push_str(&lines(&shown));
    }
}
