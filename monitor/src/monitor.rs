//! The samples of one application: what comes in, and what a decision sees of it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use cardinal_models::application::{Fold, Window};

use crate::arrival::{Arrival, Refusal, Taken, Tally};
use crate::counter::Counter;
use crate::labels::LABEL_BYTES_MAX;
use crate::plan::Plan;
use crate::series::{Addition, Kind, Series, Use};
use crate::stat::{Stat, across};
use crate::window::Samples;

/// The limits of one application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most series. Default: 10,000.
    pub series_max: usize,
    /// The most labels of a series. Default: 128.
    pub labels_max: usize,
    /// The most bytes of the labels of a series. Default: 8192.
    pub label_bytes_max: usize,
    /// So far in the future, in milliseconds, a point may be measured, because clocks differ. Default: 1 minute.
    pub ahead_ms: i64,
    /// A sample that no window holds counts for so long, in milliseconds, and so long a series without points is
    /// remembered. Default: 15 minutes.
    pub idle_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            series_max: 10_000,
            labels_max: 128,
            label_bytes_max: LABEL_BYTES_MAX,
            ahead_ms: 60_000,
            idle_ms: 900_000,
        }
    }
}

/// The value of a metric as its samples give it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The metric.
    pub name: Arc<str>,
    /// The value, in its unit.
    pub value: f64,
    /// When the latest of its samples was measured, in Unix milliseconds; of a tumbling window about the time of the
    /// reading, because nothing newer can be known: it changes every 10 seconds, or four times in the age a value may have.
    pub at_ms: i64,
    /// How many samples it is made of.
    pub samples: u64,
    /// True when samples came in for less than the length of the window.
    pub is_partial: bool,
    /// The values of the instances, nodes, zones and so on, by name; empty without `per`.
    pub groups: Vec<(Arc<str>, f64)>,
}

/// The samples of one application.
#[derive(Clone, Debug)]
pub struct Monitor {
    plan: Arc<Plan>,
    limits: Limits,
    metrics: Vec<Gathered>,
    series: Vec<Option<Series>>,
    free: Vec<usize>,
    by_key: HashMap<Box<str>, usize>,
    /// The key of the series that is looked for, kept to be written over.
    key: String,
    tally: Tally,
}

/// What was gathered for one metric.
#[derive(Clone, Debug, Default)]
struct Gathered {
    groups: Vec<Option<Group>>,
    by_name: HashMap<Arc<str>, usize>,
    /// When the earliest sample was measured.
    first_ms: Option<i64>,
    /// What its series consist of.
    kind: Option<Kind>,
    /// What the values of histograms are multiplied by: their buckets stay as they come.
    scale: Option<f64>,
}

/// The samples of one part of the deployment.
#[derive(Clone, Debug)]
struct Group {
    name: Arc<str>,
    samples: Samples,
    /// How many series belong to it.
    series: usize,
}

impl Monitor {
    /// Nothing gathered yet.
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let metrics = vec![Gathered::default(); plan.metrics.len()];
        Monitor {
            plan,
            limits,
            metrics,
            series: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            key: String::new(),
            tally: Tally::default(),
        }
    }

    /// What became of all points so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many series are followed.
    pub fn series(&self) -> usize {
        self.by_key.len()
    }

    /// Takes a point.
    ///
    /// # Errors
    /// Why it is not taken; nothing else changes then.
    pub fn take(&mut self, arrival: &Arrival<'_>, now_ms: i64) -> Result<Taken, Refusal> {
        let result = self.take_one(arrival, now_ms);
        self.tally.count(result);
        result
    }

    fn take_one(&mut self, arrival: &Arrival<'_>, now_ms: i64) -> Result<Taken, Refusal> {
        if !self.plan.asks_for(arrival.name) {
            return Ok(Taken::Unused);
        }
        if arrival.at_ms > now_ms.saturating_add(self.limits.ahead_ms) {
            return Err(Refusal::Future);
        }
        if arrival.labels.len() > self.limits.labels_max || arrival.labels.bytes() > self.limits.label_bytes_max {
            return Err(Refusal::Labels);
        }
        write_key(&mut self.key, arrival);
        let known = self.by_key.get(self.key.as_str()).copied();
        let Some(kind) = Kind::of(arrival) else {
            known.into_iter().for_each(|id| self.end(id));
            return Ok(if known.is_some() { Taken::Taken } else { Taken::Unused });
        };
        let id = match known {
            Some(id) => id,
            None => match self.begin(arrival, kind)? {
                Some(id) => id,
                None => return Ok(Taken::Unused),
            },
        };
        self.add(id, kind, arrival, now_ms)
    }

    /// A series ends until its next point.
    fn end(&mut self, id: usize) {
        let Some(series) = &self.series[id] else { return };
        for use_ in &series.uses {
            let group = self.metrics[use_.metric].groups[use_.group].as_mut();
            // Other series of the group go on.
            group.into_iter().filter(|g| g.series == 1).for_each(|g| g.samples.end());
        }
    }

    /// A new series; none when no metric takes it.
    fn begin(&mut self, arrival: &Arrival<'_>, kind: Kind) -> Result<Option<usize>, Refusal> {
        let plan = self.plan.clone();
        let (mut uses, mut scales) = (Vec::new(), Vec::new());
        for (metric, measured) in plan.takers(arrival) {
            let measure = &measured.measure;
            let by_number = matches!(measure.window, Window::SlidingSamples(_) | Window::TumblingSamples(_));
            let is_histogram = kind == Kind::Histogram;
            let cannot = is_histogram && (by_number || measure.fold == Fold::Last);
            if cannot || self.metrics[metric].kind.is_some_and(|known| known != kind) {
                return Err(Refusal::Kind);
            }
            let factor = match (is_histogram, measure.fold.is_of_counter()) {
                // What rises is the number of measurements.
                (true, true) => measured.factor(None)?,
                (true, false) => {
                    let scale = measured.factor(arrival.unit)?;
                    if self.metrics[metric].scale.is_some_and(|known| known != scale) {
                        return Err(Refusal::Unit);
                    }
                    scales.push((metric, scale));
                    1.0
                }
                (false, _) => measured.factor(arrival.unit)?,
            };
            let counter = if measure.fold.is_of_counter() { Counter::new(measure.window) } else { None };
            uses.push(Use { metric, group: 0, factor, counter, is_whole: measure.fold == Fold::Last });
        }
        if uses.is_empty() {
            return Ok(None);
        }
        if self.by_key.len() >= self.limits.series_max {
            return Err(Refusal::Series);
        }
        for (metric, scale) in scales {
            self.metrics[metric].scale = Some(scale);
        }
        for use_ in &mut uses {
            use_.group = self.group(use_.metric, plan.group(use_.metric, arrival));
            self.metrics[use_.metric].kind = Some(kind);
        }
        let series = Some(Series::new(kind, uses));
        let id = match self.free.pop() {
            Some(id) => {
                self.series[id] = series;
                id
            }
            None => {
                self.series.push(series);
                self.series.len() - 1
            }
        };
        self.by_key.insert(self.key.as_str().into(), id);
        Ok(Some(id))
    }

    /// The group with a name, with one more series.
    fn group(&mut self, metric: usize, name: &str) -> usize {
        let measure = &self.plan.metrics[metric].measure;
        let gathered = &mut self.metrics[metric];
        if let Some(at) = gathered.by_name.get(name) {
            gathered.groups[*at].iter_mut().for_each(|group| group.series += 1);
            return *at;
        }
        let name: Arc<str> = name.into();
        let group = Group { name: name.clone(), samples: Samples::new(measure.window, measure.fold), series: 1 };
        let at = match gathered.groups.iter().position(Option::is_none) {
            Some(at) => {
                gathered.groups[at] = Some(group);
                at
            }
            None => {
                gathered.groups.push(Some(group));
                gathered.groups.len() - 1
            }
        };
        gathered.by_name.insert(name, at);
        at
    }

    fn add(&mut self, id: usize, kind: Kind, arrival: &Arrival<'_>, now_ms: i64) -> Result<Taken, Refusal> {
        let Some(series) = &mut self.series[id] else { return Ok(Taken::Unused) };
        if series.kind() != kind {
            return Err(Refusal::Kind);
        }
        let reach = |use_: &Use| match self.plan.metrics[use_.metric].division {
            Some(division) => now_ms.saturating_sub(division.length_ms().saturating_mul(2)),
            None => now_ms.saturating_sub(self.limits.idle_ms),
        };
        let horizon_ms = series.uses.iter().map(reach).min().unwrap_or(now_ms);
        if arrival.at_ms < horizon_ms {
            return Err(Refusal::TooOld);
        }
        let (addition, begun) = series.take(arrival, horizon_ms)?;
        let mut result = Ok(Taken::Taken);
        for use_ in &mut series.uses {
            let gathered = &mut self.metrics[use_.metric];
            let Some(group) = &mut gathered.groups[use_.group] else { continue };
            if let Err(refusal) = enter(use_, &mut group.samples, arrival.at_ms, &addition, begun) {
                result = Err(refusal);
            }
            if addition != Addition::Repeated {
                gathered.first_ms = Some(gathered.first_ms.map_or(arrival.at_ms, |first| first.min(arrival.at_ms)));
            }
        }
        if addition == Addition::Repeated { Ok(Taken::Repeated) } else { result }
    }

    /// The values of the metrics that have enough samples, in the order of the model. What no window holds any more is
    /// forgotten.
    pub fn read(&mut self, now_ms: i64) -> Vec<Reading> {
        self.expire(now_ms);
        let plan = self.plan.clone();
        let mut rises: Vec<Vec<Parts>> =
            self.metrics.iter().map(|gathered| vec![Parts::default(); gathered.groups.len()]).collect();
        for use_ in self.series.iter().flatten().flat_map(|series| &series.uses) {
            let fold = plan.metrics[use_.metric].measure.fold;
            if let Some(rise) = use_.counter.as_ref().and_then(|counter| counter.read(now_ms))
                && let Some(value) = rise.value(fold)
            {
                rises[use_.metric][use_.group].add(value * use_.factor, rise.count, rise.newest_ms);
            }
        }
        let all = self.metrics.iter().zip(rises).enumerate();
        all.filter_map(|(metric, (gathered, rises))| read_one(&plan, metric, gathered, &rises, now_ms)).collect()
    }

    fn expire(&mut self, now_ms: i64) {
        let idle_ms = self.limits.idle_ms;
        for gathered in &mut self.metrics {
            for group in gathered.groups.iter_mut().flatten() {
                group.samples.expire(now_ms, idle_ms);
            }
        }
        let Monitor { series, metrics, by_key, free, plan, .. } = self;
        by_key.retain(|_, id| {
            let Some(known) = &mut series[*id] else { return false };
            known.uses.iter_mut().flat_map(|use_| &mut use_.counter).for_each(|counter| counter.expire(now_ms));
            // The last value is needed for the next increment as long as a window may hold that.
            let longest = known.uses.iter().filter_map(|use_| plan.metrics[use_.metric].division);
            let kept = longest.map(|division| division.length_ms() * 2).max().unwrap_or(0).max(idle_ms);
            if known.newest_ms().is_some_and(|at| at >= now_ms.saturating_sub(kept)) {
                return true;
            }
            for use_ in &known.uses {
                leave(&mut metrics[use_.metric], use_.group);
            }
            series[*id] = None;
            free.push(*id);
            false
        });
    }
}

/// A group loses a series; one without any is gone.
fn leave(gathered: &mut Gathered, at: usize) {
    let slot = &mut gathered.groups[at];
    let Some(group) = slot else { return };
    group.series = group.series.saturating_sub(1);
    if group.series == 0 {
        gathered.by_name.remove(&group.name);
        *slot = None;
    }
    if gathered.by_name.is_empty() {
        *gathered = Gathered::default();
    }
}

/// Puts what a point adds into the window of a metric.
fn enter(
    use_: &mut Use,
    samples: &mut Samples,
    at_ms: i64,
    addition: &Addition,
    begun: Option<i64>,
) -> Result<(), Refusal> {
    let whole = match addition {
        Addition::Repeated => return Ok(()),
        Addition::Number { whole, .. } | Addition::Histogram { whole, .. } => *whole,
    };
    if let Some(counter) = &mut use_.counter {
        if let Some(start) = begun {
            let before = match addition {
                Addition::Number { value: Some(value), .. } => whole - value,
                Addition::Histogram { new: Some(new), .. } => whole - new.count as f64,
                _ => 0.0,
            };
            // A start that is not after the samples of before tells nothing new.
            let _ = counter.add(start, before);
        }
        return counter.add(at_ms, whole);
    }
    match addition {
        Addition::Number { value, .. } => {
            let value = if use_.is_whole { Some(whole) } else { *value };
            if let Some(value) = value.map(|v| v * use_.factor).filter(|v| v.is_finite()) {
                samples.add(at_ms, value);
            }
            Ok(())
        }
        Addition::Histogram { new: Some(new), .. } => samples.add_histogram(at_ms, new),
        Addition::Histogram { new: None, .. } | Addition::Repeated => Ok(()),
    }
}

/// The rises of the counters of a group together.
#[derive(Clone, Debug, Default)]
struct Parts {
    sum: f64,
    count: u64,
    newest_ms: Option<i64>,
}

impl Parts {
    fn add(&mut self, value: f64, count: u64, newest_ms: i64) {
        self.sum += value;
        self.count = self.count.saturating_add(count);
        self.newest_ms = self.newest_ms.max(Some(newest_ms));
    }
}

fn read_one(plan: &Plan, metric: usize, gathered: &Gathered, rises: &[Parts], now_ms: i64) -> Option<Reading> {
    let measured = &plan.metrics[metric];
    let measure = &measured.measure;
    let (mut groups, mut samples, mut newest) = (Vec::new(), 0_u64, None);
    for (group, rise) in gathered.groups.iter().zip(rises) {
        let Some(group) = group else { continue };
        let (value, count, at) = if measure.fold.is_of_counter() {
            ((rise.count > 0).then_some(rise.sum), rise.count, rise.newest_ms)
        } else {
            let stat: Stat = group.samples.read(now_ms);
            let scale = gathered.scale.unwrap_or(1.0);
            (stat.value(measure.fold).filter(|_| stat.count > 0).map(|v| v * scale), stat.count, stat.newest_ms())
        };
        let Some(value) = value else { continue };
        groups.push((group.name.clone(), value));
        samples = samples.saturating_add(count);
        newest = newest.max(at);
    }
    let values: Vec<f64> = groups.iter().map(|(_, value)| *value).collect();
    let value = match values.as_slice() {
        [one] if measured.is_whole() => *one,
        all => across(measure.across, all)?,
    };
    if samples < measure.min_samples || !value.is_finite() {
        return None;
    }
    let is_partial = match measure.window {
        Window::Sliding(ms) => gathered.first_ms.is_none_or(|first| first > now_ms.saturating_sub(ms as i64)),
        Window::Tumbling(_) => measured.division.zip(gathered.first_ms).is_none_or(|(division, first)| {
            let (start, _) = division.range(now_ms);
            // The first sample comes an interval after the beginning; how long that is nobody knows.
            first > start.saturating_add(division.length_ms() / 10)
        }),
        Window::SlidingSamples(size) => samples < u64::from(size),
        Window::Latest | Window::TumblingSamples(_) => false,
    };
    let at_ms = match (measure.window, measured.division) {
        // Its value is that of now until the next window ends; a time that changed with each reading would be stored.
        (Window::Tumbling(_), Some(division)) => {
            division.range(now_ms).1.max(now_ms - now_ms.rem_euclid(measured.renew_ms))
        }
        _ => newest?,
    };
    if measured.is_whole() {
        groups.clear();
    }
    groups.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(Reading { name: measured.name.clone(), value, at_ms: at_ms.min(now_ms), samples, is_partial, groups })
}

/// Writes what tells a series from all others.
fn write_key(key: &mut String, arrival: &Arrival<'_>) {
    key.clear();
    key.push_str(arrival.name);
    for (name, value) in arrival.labels.iter() {
        // Lengths keep names and values apart whatever is in them.
        // Writing to a text cannot fail.
        let _ = write!(key, "\0{}:{name}\0{}:{value}", name.len(), value.len());
    }
}
