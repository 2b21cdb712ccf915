//! Prints how long catalogs take to read: `cargo run --release -p cardinal-interop --example catalog_times -- FILE...`

use std::time::Instant;

use cardinal_interop::catalog::{builtin, read_catalog};
use cardinal_models::diagnostic::Source;
use cardinal_models::location::lies_in;

const ROUNDS: usize = 9;

fn main() {
    println!("{:>10.2} ms  {:>8} offers  built-in", median(|| drop(builtin())), builtin().len());
    let mut total = 0.0;
    for path in std::env::args().skip(1) {
        let source = match std::fs::read_to_string(&path) {
            Ok(text) => Source::new(&path, text),
            Err(error) => {
                eprintln!("{path}: {error}");
                continue;
            }
        };
        match read_catalog(&source, None) {
            Ok((catalog, _)) => {
                let time = median(|| drop(read_catalog(&source, None)));
                total += time;
                println!("{time:>10.2} ms  {:>8} offers  {path}", catalog.len());
                for place in ["EU", "Germany", "eu-central-1", "eu-*"] {
                    let mut found = 0;
                    let time = median(|| found = catalog.offers().iter().filter(|o| lies_in(o, place)).count());
                    println!("{time:>10.2} ms  {found:>8} of them in {place}");
                }
            }
            Err(errors) => eprintln!("{path}: {errors}"),
        }
    }
    println!("{total:>10.2} ms  all files");
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
