//! Windows and aggregates against a naive recomputation over all samples that were sent: any order, gaps, repeated
//! samples, resets of counters.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_monitor::{Arrival, Labels, Limits, Monitor, Plan, Point, Reading, Refusal, Stream, Taken};
use proptest::collection::vec;
use proptest::prelude::*;

/// A time at which panes of all lengths used here end.
const NOW: i64 = 1_700_000_400_000;

fn monitor(metrics: &str) -> Monitor {
    let model = format!("application: shop\ncomponents:\n  web: {{cardinality: 1..9}}\nmetrics:\n{metrics}\n");
    let (application, ..) = load(&Source::new("model", model)).unwrap_or_else(|f| panic!("{f:?}"));
    Monitor::new(Arc::new(Plan::of(&application)), Limits::default())
}

fn send(monitor: &mut Monitor, instance: &str, at_ms: i64, value: f64, stream: Stream) -> Result<Taken, Refusal> {
    let labels: Labels = [("instance", instance)].into_iter().collect();
    let point = Point::Number(value);
    monitor.take(&Arrival { name: "load", labels: &labels, unit: None, at_ms, stream, point }, NOW)
}

fn gauge(monitor: &mut Monitor, instance: &str, at_ms: i64, value: f64) -> Result<Taken, Refusal> {
    send(monitor, instance, at_ms, value, Stream::Gauge)
}

fn read(monitor: &mut Monitor) -> BTreeMap<String, Reading> {
    monitor.read(NOW).into_iter().map(|reading| (reading.name.to_string(), reading)).collect()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

const FOLDS: &str = "
  load_mean: {source: load, aggregate: mean, window: 5m}
  load_sum: {source: load, aggregate: sum, window: 5m}
  load_min: {source: load, aggregate: min, window: 5m}
  load_max: {source: load, aggregate: max, window: 5m}
  load_count: {source: load, aggregate: count, window: 5m}
  load_stddev: {source: load, aggregate: stddev, window: 5m}
  p90: {source: load, aggregate: p90, window: 5m}
  last: {source: load}
  hour: {source: load, aggregate: mean, window: tumbling 1m}
  busiest: {source: load, aggregate: mean, window: 5m, per: instance, across: max}
  ten: {source: load, aggregate: mean, window: 10 samples}
";

/// Samples: which instance, how many milliseconds before now, the value.
fn samples() -> impl Strategy<Value = Vec<(u8, i64, f64)>> {
    vec((0..3_u8, 0..600_000_i64, -1e6..1e6_f64), 1..120)
}

/// What the windows should hold: of several samples of an instance at one time the first.
fn distinct(samples: &[(u8, i64, f64)], from: i64, upto: i64) -> Vec<(u8, i64, f64)> {
    let mut kept: BTreeMap<(u8, i64), f64> = BTreeMap::new();
    for (instance, before, value) in samples {
        let at = NOW - before;
        if at > from && at <= upto {
            kept.entry((*instance, at)).or_insert(*value);
        }
    }
    kept.into_iter().map(|((instance, at), value)| (instance, at, value)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folds_equal_those_of_all_samples(samples in samples()) {
        let mut monitor = monitor(FOLDS);
        // What is so late that it cannot be told from a repetition is refused; here it is left out of both sides.
        let mut sent = Vec::new();
        for (instance, before, value) in samples {
            match gauge(&mut monitor, &instance.to_string(), NOW - before, value) {
                Ok(Taken::Taken) => sent.push((instance, before, value)),
                Ok(_) | Err(Refusal::Duplicate | Refusal::OutOfOrder) => {}
                Err(refusal) => prop_assert!(false, "{refusal:?}"),
            }
        }
        let read = read(&mut monitor);
        let window = distinct(&sent, NOW - 300_000, NOW);
        let values: Vec<f64> = window.iter().map(|(_, _, v)| *v).collect();
        let get = |name: &str| read.get(name).map(|r| r.value);
        if values.is_empty() {
            prop_assert_eq!(get("load_mean"), None);
            return Ok(());
        }
        let mean_of_all = mean(&values);
        prop_assert!(near(get("load_mean").unwrap(), mean_of_all));
        prop_assert!(near(get("load_sum").unwrap(), values.iter().sum()));
        prop_assert_eq!(get("load_min").unwrap(), values.iter().copied().fold(f64::INFINITY, f64::min));
        prop_assert_eq!(get("load_max").unwrap(), values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        prop_assert_eq!(get("load_count").unwrap(), values.len() as f64);
        prop_assert_eq!(read["load_mean"].samples, values.len() as u64);
        let deviation = (values.iter().map(|v| (v - mean_of_all).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        prop_assert!((get("load_stddev").unwrap() - deviation).abs() <= 1e-9 * 1e6);
        // The sketch promises half a percent of the value at the rank below or above.
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = 0.9 * (sorted.len() - 1) as f64;
        let (low, high) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
        let p90 = get("p90").unwrap();
        prop_assert!(p90 >= low - low.abs() * 0.0051 && p90 <= high + high.abs() * 0.0051, "{low} {p90} {high}");
        let newest = window.iter().map(|(_, at, _)| *at).max().unwrap();
        prop_assert_eq!(read["load_mean"].at_ms, newest);
        let busiest = (0..3).filter_map(|instance| {
            let own: Vec<f64> = window.iter().filter(|(i, ..)| *i == instance).map(|(_, _, v)| *v).collect();
            (!own.is_empty()).then(|| mean(&own))
        });
        let busiest = busiest.fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(near(get("busiest").unwrap(), busiest));
        // The last complete minute before now is that which ends at the pane before.
        let minute = distinct(&sent, NOW - 120_000, NOW - 60_000);
        let minute: Vec<f64> = minute.iter().map(|(_, _, v)| *v).collect();
        match get("hour") {
            Some(value) => prop_assert!(near(value, mean(&minute))),
            None => prop_assert!(minute.is_empty()),
        }
    }

    #[test]
    fn rates_equal_those_of_all_samples(steps in vec((0.0..50.0_f64, any::<bool>()), 2..60), gap in 1..6_i64) {
        let mut monitor = monitor(
            "  speed: {source: load, aggregate: rate, window: 5m}\n  up: {source: load, aggregate: increase, window: 5m}");
        let (mut value, mut counted) = (0.0, Vec::new());
        for (i, (step, is_reset)) in steps.iter().enumerate() {
            value = if *is_reset && i % 7 == 3 { *step } else { value + step };
            let at = NOW - (steps.len() - 1 - i) as i64 * gap * 1000;
            counted.push((at, value));
        }
        for (at, value) in &counted {
            send(&mut monitor, "a", *at, *value, Stream::Unknown).unwrap();
            // A sender that repeats itself changes nothing.
            prop_assert_eq!(send(&mut monitor, "a", *at, *value, Stream::Unknown), Ok(Taken::Repeated));
        }
        let window: Vec<(i64, f64)> = counted.into_iter().filter(|(at, _)| *at > NOW - 300_000).collect();
        let read = read(&mut monitor);
        match naive_rate(&window, 300.0) {
            Some(rate) => {
                prop_assert!(near(read["speed"].value, rate), "{} {rate}", read["speed"].value);
                prop_assert!(near(read["up"].value, rate * 300.0));
            }
            None => prop_assert!(!read.contains_key("speed")),
        }
    }

    #[test]
    fn the_last_samples_by_number_are_those_of_the_latest_times(values in vec(-1e3..1e3_f64, 1..40)) {
        let mut monitor = monitor(
            "  ten: {source: load, aggregate: mean, window: 10 samples}\n  tens: {source: load, aggregate: sum, window: tumbling 10 samples}");
        let mut order: Vec<usize> = (0..values.len()).collect();
        // Neighbours come in the wrong order.
        order.chunks_exact_mut(2).for_each(<[usize]>::reverse);
        for i in order {
            gauge(&mut monitor, "a", NOW - (values.len() - i) as i64 * 1000, values[i]).unwrap();
        }
        let read = read(&mut monitor);
        let last = &values[values.len().saturating_sub(10)..];
        prop_assert!(near(read["ten"].value, mean(last)));
        prop_assert_eq!(read["ten"].is_partial, values.len() < 10);
        prop_assert_eq!(read.contains_key("tens"), values.len() >= 10);
    }
}

#[test]
fn a_tumbling_window_is_of_now_without_changing_at_each_reading() {
    let mut monitor = monitor(
        "  slow: {source: load, aggregate: mean, window: tumbling 1h}\n  quick: {source: load, aggregate: mean, window: tumbling 1h, max_age: 4s}",
    );
    let end = NOW - NOW.rem_euclid(3_600_000);
    gauge(&mut monitor, "a", end - 1000, 5.0).unwrap();
    let mut times = |name: &str, oldest: i64, upto: i64| {
        let mut times = Vec::new();
        for now in (1..=upto).map(|s| end + s * 1000) {
            let reading = monitor.read(now).into_iter().find(|r| &*r.name == name).unwrap();
            assert!(reading.value == 5.0 && (0..oldest).contains(&(now - reading.at_ms)), "{now} {reading:?}");
            times.push(reading.at_ms - end);
        }
        times.dedup();
        times
    };
    assert_eq!(times("slow", 10_000, 25), [0, 10_000, 20_000]);
    assert_eq!(times("quick", 1000, 3), [1000, 2000, 3000]);
}

/// `rate` as the documentation of Prometheus has it, from all samples.
fn naive_rate(window: &[(i64, f64)], range: f64) -> Option<f64> {
    let (first, last) = (window.first()?, window.last()?);
    let sampled = (last.0 - first.0) as f64 / 1000.0;
    if window.len() < 2 || sampled <= 0.0 {
        return None;
    }
    let rise: f64 = window.windows(2).map(|w| if w[1].1 >= w[0].1 { w[1].1 - w[0].1 } else { w[1].1 }).sum();
    let apart = sampled / (window.len() - 1) as f64;
    let reach = |gap: f64| if gap >= apart * 1.1 { apart / 2.0 } else { gap };
    let mut before = reach((first.0 - (NOW - 300_000)) as f64 / 1000.0);
    if rise > 0.0 && first.1 >= 0.0 {
        before = before.min(sampled * first.1 / rise);
    }
    let after = reach((NOW - last.0) as f64 / 1000.0);
    Some(rise * (sampled + before + after) / sampled / range)
}
