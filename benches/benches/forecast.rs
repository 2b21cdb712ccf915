//! Room for the load to come: forecasts and headroom against threshold autoscalers on recorded loads, as curves over each
//! one's setting. One type of instance; a minute is in violation above 85 % of what serves.

use cardinal_benches::corpus;
use cardinal_monitor::forecast::chooser::Chooser;
use cardinal_monitor::forecast::headroom::Band;
use cardinal_monitor::forecast::replay::{
    AtTarget, Chosen, Course, Fleet, Foresight, Weight, hindsight, needed, replay,
};

const DAY: usize = 1440;
const STABILISATION: usize = 5;
/// The targets whose violations are compared at.
const TARGETS: [f64; 7] = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8];
/// Prices of a violation, in prices of one instance for a minute.
const PRICES: [f64; 12] = [0.6, 1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];

fn main() {
    let Some(corpus) = corpus() else {
        println!("the corpus is not there: nothing is measured");
        return;
    };
    for (name, file, capacity) in [
        ("WorldCup98", "worldcup98_per_minute.csv", Some(1000.0)),
        // Fifteen instances at the mean, as noisy as small counts are.
        ("NASA", "nasa_per_minute.csv", None),
    ] {
        let loads = match read(&corpus.join("traces").join(file)) {
            Ok(loads) => loads,
            Err(error) => {
                println!("{error}");
                continue;
            }
        };
        let mean = loads.iter().sum::<f64>() / loads.len().max(1) as f64;
        let capacity = capacity.unwrap_or(mean / (15.0 * 0.85));
        for lead in [1, 2, 5] {
            let fleet = Fleet { capacity, limit: 0.85, lead, least: 2, initial: 2 };
            table(name, &loads, fleet);
        }
    }
}

fn read(path: &std::path::Path) -> Result<Vec<f64>, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let value = |line: &str| line.split(',').nth(1)?.trim().parse().ok();
    Ok(text.lines().skip(1).filter_map(value).collect())
}

fn hours(minutes: u64) -> f64 {
    minutes as f64 / 60.0
}

fn table(name: &str, loads: &[f64], fleet: Fleet) {
    println!("### {name}, {} minutes, start-up of {} min\n", loads.len(), fleet.lead);
    println!(
        "Needed {:.0} instance hours if machines served at once, {:.0} in hindsight with starts paid.\n",
        hours(needed(loads, &fleet)),
        hours(hindsight(loads, &fleet))
    );
    let threshold = |target: f64| replay(loads, &fleet, &mut AtTarget::new(fleet, target, STABILISATION));
    let foresight = |price: f64| {
        let weight = Weight::Price(price);
        replay(loads, &fleet, &mut Foresight::new(fleet, DAY, Band::default(), weight))
    };
    let chosen = |price: f64| replay(loads, &fleet, &mut Chosen::new(Chooser::new(fleet, DAY, price, 0.0)));
    println!("| way | setting | instance hours | minutes in violation | changes | starts |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    let row = |way: &str, setting: String, c: &Course| {
        let h = hours(c.instance_steps);
        println!("| {way} | {setting} | {h:.0} | {} | {} | {} |", c.violations, c.changes, c.starts);
    };
    let rules: Vec<(f64, Course)> = TARGETS.iter().map(|t| (*t, threshold(*t))).collect();
    rules.iter().for_each(|(t, c)| row("threshold", format!("{:.0} %", 100.0 * t), c));
    let curve: Vec<(f64, Course)> = PRICES.iter().map(|p| (*p, foresight(*p))).collect();
    curve.iter().for_each(|(p, c)| row("forecast", format!("{p}"), c));
    let followed: Vec<(f64, Course)> = PRICES.iter().map(|p| (*p, chosen(*p))).collect();
    followed.iter().for_each(|(p, c)| row("chooser", format!("{p}"), c));
    println!("\n| at the violations of | minutes | forecast, of its hours | chooser, of its hours |");
    println!("| --- | ---: | ---: | ---: |");
    for (target, rule) in rules.iter().filter(|(t, _)| [0.6, 0.7, 0.75].contains(t)) {
        let of = |curve: &[(f64, Course)]| {
            let at = hours_at(curve, rule.violations)?;
            Some(format!("{:.3}", at / hours(rule.instance_steps)))
        };
        let text = |x: Option<String>| x.unwrap_or_else(|| "not reached".to_owned());
        let (one, two) = (text(of(&curve)), text(of(&followed)));
        println!("| threshold {:.0} % | {} | {one} | {two} |", 100.0 * target, rule.violations);
    }
    println!();
}

/// Instance hours of a curve at a number of violations, interpolated over its logarithm between the cheapest settings.
fn hours_at(curve: &[(f64, Course)], violations: u64) -> Option<f64> {
    let mut points: Vec<(f64, f64)> =
        curve.iter().map(|(_, c)| ((c.violations as f64 + 1.0).ln(), hours(c.instance_steps))).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = (violations as f64 + 1.0).ln();
    let pair = points.windows(2).find(|w| w[0].0 <= at && at <= w[1].0 && w[1].0 > w[0].0)?;
    let part = (at - pair[0].0) / (pair[1].0 - pair[0].0);
    Some(pair[0].1 + part * (pair[1].1 - pair[0].1))
}
