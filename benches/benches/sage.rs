//! The SAGE benchmark: every instance, solved to proven optimality, against the published optimum and time.

use cardinal_benches::{application, catalog, corpus, median, middle_and_most, ms, snapshot};
use cardinal_solver::{Settings, solve};

fn main() -> Result<(), String> {
    let Some(corpus) = corpus() else {
        println!("the corpus is not there: skipped");
        return Ok(());
    };
    let published = std::fs::read_to_string(corpus.join("sage/published.csv")).map_err(|e| e.to_string())?;
    let mut times = Vec::new();
    let mut right = 0;
    println!(
        "| instance | offers | optimum | proven | time ms | reduce | formulate | solve | verify | published s | ratio |"
    );
    println!("| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for line in published.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [app, offers, price, seconds] = fields[..] else { continue };
        let model = application(&corpus.join(format!("sage/apps/{app}.json")))?;
        let offers_file = catalog(&[corpus.join(format!("sage/offers/offers_{offers}.json"))])?;
        let snapshot = snapshot(&model, &offers_file);
        let (time, outcome) = median(7, || solve(&snapshot, &Settings::default()));
        let outcome = outcome.map_err(|e| format!("{app} {offers}: {e}"))?;
        let cost = outcome.solution.as_ref().map_or(f64::NAN, |s| s.cost.units());
        let expected: f64 = price.parse().map_err(|_| format!("{price} is no number"))?;
        right += usize::from((cost - expected).abs() < 1e-6);
        let seconds: f64 = seconds.parse().map_err(|_| format!("{seconds} is no number"))?;
        let t = outcome.report.timing;
        println!(
            "| {app} | {offers} | {cost} | {} | {} | {} | {} | {} | {} | {seconds} | {:.0} |",
            outcome.status.as_str(),
            ms(time),
            ms(t.reduce),
            ms(t.formulate),
            ms(t.solve),
            ms(t.verify),
            seconds / time.as_secs_f64()
        );
        times.push(time);
    }
    let (median, most) = middle_and_most(&mut times);
    println!(
        "\n{right} of {} equal to the published optimum; median {} ms, most {} ms",
        times.len(),
        ms(median),
        ms(most)
    );
    Ok(())
}
