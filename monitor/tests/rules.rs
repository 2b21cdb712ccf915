//! What the specifications of OpenTelemetry and Prometheus say of single points, one test for each rule.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::load;
use cardinal_monitor::{
    Arrival, Exponential, Histogram, Labels, Limits, Monitor, Plan, Point, Refusal, Shape, Side, Stream, Taken,
};

const NOW: i64 = 1_700_000_400_000;
const SECOND: i64 = 1_000;

fn limited(metrics: &str, limits: Limits) -> Monitor {
    let model =
        format!("application: shop\ncomponents:\n  web: {{cardinality: 1..9}}\n  db: {{}}\nmetrics:\n{metrics}\n");
    let (application, ..) = load(&Source::new("model", model)).unwrap_or_else(|f| panic!("{f:?}"));
    Monitor::new(Arc::new(Plan::of(&application)), limits)
}

fn monitor(metrics: &str) -> Monitor {
    limited(metrics, Limits::default())
}

/// A point of `load` on instance a, so many seconds before now.
struct Sent {
    before_s: i64,
    stream: Stream,
    unit: Option<&'static str>,
    labels: Labels,
}

impl Sent {
    fn new(before_s: i64, stream: Stream) -> Self {
        Sent { before_s, stream, unit: None, labels: [("instance", "a")].into_iter().collect() }
    }

    fn to(&self, monitor: &mut Monitor, point: Point<'_>) -> Result<Taken, Refusal> {
        let Sent { before_s, stream, unit, labels } = self;
        let at_ms = NOW - before_s * SECOND;
        monitor.take(&Arrival { name: "load", labels, unit: *unit, at_ms, stream: *stream, point }, NOW)
    }
}

fn number(monitor: &mut Monitor, before_s: i64, value: f64, stream: Stream) -> Result<Taken, Refusal> {
    Sent::new(before_s, stream).to(monitor, Point::Number(value))
}

fn value(monitor: &mut Monitor, name: &str) -> Option<f64> {
    monitor.read(NOW).into_iter().find(|r| r.name.as_ref() == name).map(|r| r.value)
}

const fn cumulative(start_ms: i64) -> Stream {
    Stream::Cumulative { start_ms: Some(start_ms), is_monotonic: true }
}

const fn delta(start_ms: i64) -> Stream {
    Stream::Delta { start_ms: Some(start_ms), is_monotonic: true }
}

#[test]
fn samples_from_the_future_and_of_long_ago_are_refused() {
    let mut monitor = monitor("  load: {aggregate: mean, window: 1m}");
    assert_eq!(number(&mut monitor, -61, 1.0, Stream::Gauge), Err(Refusal::Future));
    assert_eq!(number(&mut monitor, 3600, 1.0, Stream::Gauge), Err(Refusal::TooOld));
    assert_eq!(number(&mut monitor, -59, 1.0, Stream::Gauge), Ok(Taken::Taken));
    // It counts once its time has come.
    assert_eq!(value(&mut monitor, "load"), None);
    assert_eq!(monitor.read(NOW + 60 * SECOND)[0].value, 1.0);
}

#[test]
fn nan_and_infinities_are_refused_and_the_stale_marker_ends_a_series() {
    let mut monitor = monitor("  load: {unit: ms}");
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(number(&mut monitor, 9, broken, Stream::Gauge), Err(Refusal::NotFinite));
    }
    number(&mut monitor, 8, 5.0, Stream::Gauge).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(5.0));
    assert_eq!(Sent::new(7, Stream::Gauge).to(&mut monitor, Point::Stale), Ok(Taken::Taken));
    assert_eq!(value(&mut monitor, "load"), None);
    number(&mut monitor, 6, 6.0, Stream::Gauge).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(6.0));
}

#[test]
fn the_same_sample_again_is_no_mistake_and_another_value_of_its_time_is_one() {
    let mut monitor = monitor("  load: {aggregate: sum, window: 1m}");
    number(&mut monitor, 9, 5.0, Stream::Gauge).unwrap();
    assert_eq!(number(&mut monitor, 9, 5.0, Stream::Gauge), Ok(Taken::Repeated));
    assert_eq!(number(&mut monitor, 9, 6.0, Stream::Gauge), Err(Refusal::Duplicate));
    number(&mut monitor, 8, 1.0, Stream::Gauge).unwrap();
    // Of an earlier point only its time is known.
    assert_eq!(number(&mut monitor, 9, 5.0, Stream::Gauge), Ok(Taken::Repeated));
    assert_eq!(value(&mut monitor, "load"), Some(6.0));
}

#[test]
fn a_late_sample_goes_where_it_belongs_unless_it_is_too_late_to_be_told_from_a_repetition() {
    let mut monitor = monitor("  load: {aggregate: count, window: 10m}");
    for before in (100..140).rev() {
        number(&mut monitor, before * 2, 1.0, Stream::Gauge).unwrap();
    }
    assert_eq!(number(&mut monitor, 201, 1.0, Stream::Gauge), Ok(Taken::Taken));
    assert_eq!(number(&mut monitor, 271, 1.0, Stream::Gauge), Err(Refusal::OutOfOrder));
    assert_eq!(value(&mut monitor, "load"), Some(41.0));
}

#[test]
fn sums_count_what_was_added_whatever_their_temporality() {
    let begin = NOW - 100 * SECOND;
    let mut by_delta = monitor("  load: {aggregate: sum, window: 5m}");
    let mut by_sum = monitor("  load: {aggregate: sum, window: 5m}");
    let (mut total, mut start) = (0.0, begin);
    for (i, added) in [3.0, 4.0, 5.0].into_iter().enumerate() {
        let before = 90 - i as i64 * 10;
        total += added;
        number(&mut by_delta, before, added, delta(start)).unwrap();
        number(&mut by_sum, before, total, cumulative(begin)).unwrap();
        start = NOW - before * SECOND;
    }
    assert_eq!(value(&mut by_delta, "load"), Some(12.0));
    assert_eq!(value(&mut by_sum, "load"), Some(12.0));
}

#[test]
fn a_sum_whose_start_is_not_known_counts_from_its_second_point() {
    let mut monitor = monitor("  load: {aggregate: sum, window: 5m}");
    let unknown = Stream::Cumulative { start_ms: None, is_monotonic: true };
    number(&mut monitor, 90, 1000.0, unknown).unwrap();
    assert_eq!(value(&mut monitor, "load"), None);
    number(&mut monitor, 80, 1007.0, unknown).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(7.0));
    // It begins anew: a fall.
    number(&mut monitor, 70, 2.0, unknown).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(9.0));
}

#[test]
fn a_later_start_is_a_reset_also_when_the_sum_is_larger() {
    let mut monitor =
        monitor("  load: {aggregate: sum, window: 5m}\n  up: {source: load, aggregate: increase, window: 5m}");
    number(&mut monitor, 200, 10.0, cumulative(NOW - 210 * SECOND)).unwrap();
    number(&mut monitor, 100, 50.0, cumulative(NOW - 150 * SECOND)).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(60.0));
}

#[test]
fn increments_that_overlap_are_refused() {
    let mut monitor = monitor("  load: {aggregate: sum, window: 5m}");
    number(&mut monitor, 80, 5.0, delta(NOW - 90 * SECOND)).unwrap();
    assert_eq!(number(&mut monitor, 70, 5.0, delta(NOW - 85 * SECOND)), Err(Refusal::OutOfOrder));
    assert_eq!(number(&mut monitor, 85, 5.0, delta(NOW - 90 * SECOND)), Err(Refusal::OutOfOrder));
}

#[test]
fn what_goes_up_and_down_is_a_gauge_in_either_temporality() {
    let mut monitor = monitor("  load: {aggregate: last}");
    let up_and_down = Stream::Delta { start_ms: Some(NOW - 90 * SECOND), is_monotonic: false };
    number(&mut monitor, 80, 5.0, up_and_down).unwrap();
    let next = Stream::Delta { start_ms: Some(NOW - 80 * SECOND), is_monotonic: false };
    number(&mut monitor, 70, -2.0, next).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(3.0));
}

#[test]
fn one_name_has_one_kind_of_values() {
    let mut monitor = monitor("  load: {aggregate: mean, window: 5m}");
    number(&mut monitor, 9, 5.0, Stream::Gauge).unwrap();
    assert_eq!(number(&mut monitor, 8, 5.0, delta(NOW - 9 * SECOND)), Err(Refusal::Kind));
    let mut other = Sent::new(8, cumulative(NOW - 9 * SECOND));
    other.labels.set("instance", "b");
    assert_eq!(other.to(&mut monitor, Point::Number(1.0)), Err(Refusal::Kind));
}

#[test]
fn units_are_converted_or_refused() {
    let mut monitor = monitor("  load: {unit: ms}");
    let mut sent = Sent::new(9, Stream::Gauge);
    sent.unit = Some("s");
    sent.to(&mut monitor, Point::Number(0.25)).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(250.0));
    let mut sent = Sent::new(8, Stream::Gauge);
    (sent.unit, sent.labels) = (Some("By"), [("instance", "b")].into_iter().collect());
    assert_eq!(sent.to(&mut monitor, Point::Number(1.0)), Err(Refusal::Unit));
}

#[test]
fn labels_choose_and_group() {
    let mut monitor =
        monitor("  load: {component: web, labels: {code: 5*}, aggregate: mean, window: 5m, per: zone, across: max}");
    let mut send = |pairs: &[(&str, &str)], value: f64| {
        let mut sent = Sent::new(9, Stream::Gauge);
        sent.labels = pairs.iter().copied().collect();
        sent.to(&mut monitor, Point::Number(value)).unwrap()
    };
    assert_eq!(send(&[("code", "200")], 100.0), Taken::Unused);
    assert_eq!(send(&[("code", "503"), ("component", "db")], 100.0), Taken::Unused);
    assert_eq!(send(&[("code", "503"), ("service.name", "db")], 100.0), Taken::Unused);
    // A service that is no component of the model says nothing of it.
    assert_eq!(send(&[("code", "503"), ("service.name", "shop"), ("zone", "a")], 3.0), Taken::Taken);
    assert_eq!(send(&[("code", "500"), ("component", "web"), ("zone", "a")], 5.0), Taken::Taken);
    assert_eq!(send(&[("code", "500"), ("component", "web"), ("zone", "b")], 2.0), Taken::Taken);
    let reading = &monitor.read(NOW)[0];
    assert_eq!((reading.value, reading.samples), (4.0, 3));
    let groups: Vec<(&str, f64)> = reading.groups.iter().map(|(name, value)| (name.as_ref(), *value)).collect();
    assert_eq!(groups, [("a", 4.0), ("b", 2.0)]);
}

#[test]
fn an_explosion_of_labels_is_bounded_and_passes() {
    let limits = Limits { series_max: 10, labels_max: 3, label_bytes_max: 100, ..Limits::default() };
    let mut monitor = limited("  load: {aggregate: mean, window: 1m}", limits);
    let send = |monitor: &mut Monitor, labels: Labels, before_s| {
        let sent = Sent { before_s, stream: Stream::Gauge, unit: None, labels };
        sent.to(monitor, Point::Number(1.0))
    };
    for i in 0..10 {
        assert_eq!(send(&mut monitor, [("id", i.to_string())].into_iter().collect(), 50), Ok(Taken::Taken));
    }
    assert_eq!(send(&mut monitor, [("id", "new")].into_iter().collect(), 50), Err(Refusal::Series));
    assert_eq!(send(&mut monitor, [("id", "3")].into_iter().collect(), 40), Ok(Taken::Taken));
    let many = (0..4).map(|i| (format!("l{i}"), "x")).collect();
    assert_eq!(send(&mut monitor, many, 40), Err(Refusal::Labels));
    let long = [("l", "x".repeat(100))].into_iter().collect();
    assert_eq!(send(&mut monitor, long, 40), Err(Refusal::Labels));
    assert_eq!(monitor.series(), 10);
    // Series that ended make room.
    assert!(monitor.read(NOW + 3_600_000).is_empty());
    assert_eq!(monitor.series(), 0);
}

#[test]
fn too_few_samples_are_no_value_and_a_window_that_is_not_filled_says_so() {
    let mut monitor = monitor("  load: {aggregate: mean, window: 1m, min_samples: 3}");
    number(&mut monitor, 59, 1.0, Stream::Gauge).unwrap();
    number(&mut monitor, 30, 1.0, Stream::Gauge).unwrap();
    assert!(monitor.read(NOW).is_empty());
    number(&mut monitor, 20, 1.0, Stream::Gauge).unwrap();
    assert!(monitor.read(NOW)[0].is_partial);
    for before in [10, 0, -10, -20] {
        number(&mut monitor, before, 2.0, Stream::Gauge).unwrap();
    }
    let later = &monitor.read(NOW + 20 * SECOND)[0];
    assert_eq!((later.is_partial, later.samples), (false, 6));
}

fn explicit(counts: &[u64]) -> Histogram {
    let shape = Shape::Explicit { bounds: vec![100.0, 200.0, 400.0], counts: counts.to_vec() };
    Histogram { count: counts.iter().sum(), sum: None, min: None, max: None, shape }
}

#[test]
fn histograms_give_percentiles_means_and_counts() {
    let mut monitor = monitor(
        "  p50: {source: load, aggregate: p50, window: 5m}\n  n: {source: load, aggregate: count, window: 5m}\n  \
         typical: {source: load, aggregate: mean, window: 5m}",
    );
    let begin = NOW - 200 * SECOND;
    let first = Histogram { sum: Some(1500.0), ..explicit(&[10, 0, 0, 0]) };
    let second = Histogram { sum: Some(6500.0), ..explicit(&[10, 20, 0, 0]) };
    Sent::new(90, cumulative(begin)).to(&mut monitor, Point::Histogram(&first)).unwrap();
    Sent::new(80, cumulative(begin)).to(&mut monitor, Point::Histogram(&second)).unwrap();
    // 10 up to 100, 20 up to 200: the 15th is a quarter into the second bucket.
    assert_eq!(value(&mut monitor, "p50"), Some(125.0));
    assert_eq!(value(&mut monitor, "n"), Some(30.0));
    assert!((value(&mut monitor, "typical").unwrap() - 6500.0 / 30.0).abs() < 1e-9);
    // Its process began anew.
    Sent::new(70, cumulative(NOW - 75 * SECOND)).to(&mut monitor, Point::Histogram(&first)).unwrap();
    assert_eq!(value(&mut monitor, "n"), Some(40.0));
}

#[test]
fn the_unit_of_histograms_is_converted_and_must_be_one() {
    let mut monitor = monitor("  load: {unit: ms, aggregate: p50, window: 5m}");
    let mut sent = Sent::new(90, delta(NOW - 100 * SECOND));
    sent.unit = Some("s");
    sent.to(&mut monitor, Point::Histogram(&explicit(&[0, 10, 0, 0]))).unwrap();
    assert_eq!(value(&mut monitor, "load"), Some(150_000.0));
    sent.unit = Some("ms");
    sent.labels.set("instance", "b");
    assert_eq!(sent.to(&mut monitor, Point::Histogram(&explicit(&[0, 10, 0, 0]))), Err(Refusal::Unit));
}

#[test]
fn exponential_histograms_are_merged_over_scales() {
    let mut monitor = monitor("  p50: {source: load, aggregate: p50, window: 5m}");
    let one = |scale: i32, index: i32, n: u64| {
        let positive: Side = [(index, n)].into_iter().collect();
        let shape = Shape::Exponential(Exponential { scale, positive, ..Exponential::default() });
        Histogram { count: n, sum: None, min: None, max: None, shape }
    };
    Sent::new(90, delta(NOW - 100 * SECOND)).to(&mut monitor, Point::Histogram(&one(1, 2, 8))).unwrap();
    Sent::new(80, delta(NOW - 90 * SECOND)).to(&mut monitor, Point::Histogram(&one(0, 1, 8))).unwrap();
    // Both are what is between 2 and 4.
    let middle = value(&mut monitor, "p50").unwrap();
    assert!((middle - 8_f64.sqrt()).abs() < 1e-9, "{middle}");
}

#[test]
fn a_histogram_that_contradicts_itself_is_refused() {
    let mut monitor = monitor("  load: {aggregate: p50, window: 5m}\n  ten: {source: other, window: 10 samples}");
    let mut send =
        |histogram: &Histogram| Sent::new(9, delta(NOW - 20 * SECOND)).to(&mut monitor, Point::Histogram(histogram));
    assert_eq!(send(&Histogram { count: 9, ..explicit(&[1, 2, 3, 4]) }), Err(Refusal::Histogram));
    let shape = Shape::Explicit { bounds: vec![2.0, 1.0], counts: vec![0, 0, 1] };
    assert_eq!(send(&Histogram { count: 1, shape, ..explicit(&[0; 4]) }), Err(Refusal::Histogram));
    let shape = Shape::Explicit { bounds: vec![1.0], counts: vec![u64::MAX, 1] };
    assert_eq!(send(&Histogram { count: 0, shape, ..explicit(&[0; 4]) }), Err(Refusal::Histogram));
    assert_eq!(send(&explicit(&[1, 2, 3, 4])), Ok(Taken::Taken));
}
