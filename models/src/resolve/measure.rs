//! How the samples of a metric become one value: aggregates, windows, groups.

use std::sync::Arc;

use super::Resolver;
use crate::application::{Ageing, Fold, Measure, Window};
use crate::diagnostic::{Diagnostic, did_you_mean};
use crate::document::{AGGREGATES, Level, MetricProperties, Scalar};
use crate::requirement::{self, Currency};
use crate::span::Spanned;

/// The window of an aggregate that needs one and has none, in milliseconds.
const WINDOW_MS: u64 = 300_000;
/// The most labels of a metric, and values of a label.
const LABELS_MAX: usize = 64;

impl Resolver<'_> {
    /// How the samples of a measured metric become one value. What is wrong is reported and replaced by a default.
    pub(super) fn measure(&mut self, path: &str, full: &MetricProperties) -> Measure {
        let given = full.aggregate.as_ref().and_then(|word| self.fold(&format!("{path}.aggregate"), word));
        let window = full.window.as_ref().and_then(|w| {
            let read = window(w);
            self.keep(&format!("{path}.window"), read)
        });
        let fold = given.unwrap_or(if window.is_some() { Fold::Mean } else { Fold::Last });
        let default = if fold == Fold::Last { Window::Latest } else { Window::Sliding(WINDOW_MS) };
        let mut window = window.unwrap_or(default);
        if fold.is_of_counter() && window.ms().is_none() {
            let at = full.window.as_ref().map_or(crate::span::Span::NONE, |w| w.span);
            let message = format!("`{fold}` needs a window by time");
            self.report(&format!("{path}.window"), Diagnostic::error(at, message).help("write it like `5m`"));
            window = Window::Sliding(WINDOW_MS);
        }
        let across = full.across.as_ref().and_then(|word| {
            let path = format!("{path}.across");
            let fold = self.fold(&path, word)?;
            if fold.is_of_counter() {
                let finding = Diagnostic::error(word.span, format!("`{fold}` is of the samples of a counter"));
                self.report(&path, finding.help("write `aggregate: rate` and here how the rates become one, as `sum`"));
                return None;
            }
            Some(fold)
        });
        let per = full.per.unwrap_or(Level::Global);
        if let (Some(word), Level::Global) = (&full.across, per) {
            let finding = Diagnostic::warning(word.span, "`across` has no effect: all samples are aggregated together");
            self.report(&format!("{path}.across"), finding.help("write `per: instance` beside it, or remove it"));
        }
        let min_samples = full.min_samples.as_ref().and_then(|n| {
            let read = requirement::whole(n, 1);
            self.keep(&format!("{path}.min_samples"), read)
        });
        Measure {
            source: full.source.as_ref().map(|s| Arc::from(s.value.as_str())),
            labels: self.label_tests(path, full),
            fold,
            window,
            per,
            across: across.unwrap_or(fold.across()),
            min_samples: min_samples.unwrap_or(1),
        }
    }

    /// When the value is too old.
    pub(super) fn ageing(&mut self, path: &str, full: &MetricProperties) -> Ageing {
        let mut ms = |key: &str, value: Option<&Spanned<Scalar>>| {
            let seconds = requirement::amount(value?, requirement::Measure::Duration, &Currency::default());
            self.keep(&format!("{path}.{key}"), seconds).map(|s| (s * 1000.0) as u64)
        };
        Ageing {
            max_age_ms: ms("max_age", full.max_age.as_ref()),
            hold_ms: ms("hold", full.hold.as_ref()),
            then: full.when_stale,
        }
    }

    fn label_tests(&mut self, path: &str, full: &MetricProperties) -> Vec<(Arc<str>, Vec<Arc<str>>)> {
        let mut tests = Vec::new();
        for (name, values) in full.labels.iter() {
            let at = format!("{path}.labels.{}", name.value);
            if tests.len() >= LABELS_MAX || values.values().len() > LABELS_MAX {
                self.report(&at, Diagnostic::error(name.span, format!("more than {LABELS_MAX} labels or values")));
                break;
            }
            let words = values.values().iter().map(|v| Arc::from(v.value.to_string())).collect();
            tests.push((Arc::from(name.value.as_str()), words));
        }
        tests
    }

    fn fold(&mut self, path: &str, aggregate: &Spanned<String>) -> Option<Fold> {
        let word = aggregate.value.as_str();
        if let Some(fold) = Fold::named(word) {
            return Some(fold);
        }
        let meant = match word {
            "avg" | "average" => Some("mean"),
            "median" => Some("p50"),
            "minimum" => Some("min"),
            "maximum" => Some("max"),
            "std" | "std_dev" => Some("stddev"),
            _ => did_you_mean(word, AGGREGATES),
        };
        let list = AGGREGATES.map(|a| format!("`{a}`")).join(", ");
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`? Known are {list} and percentiles such as `p95`"),
            None => format!("known are {list} and percentiles such as `p95`"),
        };
        self.report(path, Diagnostic::error(aggregate.span, format!("unknown aggregate `{word}`")).help(help));
        None
    }
}

/// A window: `5m`, `100 samples`, `tumbling 1h`, `tumbling 100 samples`.
fn window(written: &Spanned<Scalar>) -> Result<Window, Diagnostic> {
    let wrong = |message: String| {
        Diagnostic::error(written.span, message).help("write it like `5m`, `100 samples` or `tumbling 1h`")
    };
    let text = match &written.value {
        Scalar::Text(text) => text.trim(),
        _ => return time(written).map(Window::Sliding),
    };
    let (text, tumbles) = match text.strip_prefix("tumbling") {
        Some(rest) if rest.starts_with(' ') => (rest.trim(), true),
        _ => (text, false),
    };
    if let Some(number) = text.strip_suffix("samples").or_else(|| text.strip_suffix("sample")) {
        let samples = number.trim().parse::<u32>().ok().filter(|n| (1..=Window::SAMPLES_MAX).contains(n));
        let most = Window::SAMPLES_MAX;
        let samples =
            samples.ok_or_else(|| wrong(format!("a window has 1 to {most} samples, not `{}`", number.trim())))?;
        return Ok(if tumbles { Window::TumblingSamples(samples) } else { Window::SlidingSamples(samples) });
    }
    let ms = time(&Spanned::new(Scalar::Text(text.to_owned()), written.span))?;
    Ok(if tumbles { Window::Tumbling(ms) } else { Window::Sliding(ms) })
}

fn time(written: &Spanned<Scalar>) -> Result<u64, Diagnostic> {
    let seconds = requirement::amount(written, requirement::Measure::Duration, &Currency::default())?;
    let ms = seconds * 1000.0;
    if ms == 0.0 {
        return Err(Diagnostic::error(written.span, "the window is empty").help("write it like `5m`"));
    }
    // The comparison refuses NaN too; what passes is a whole number of milliseconds that a u64 holds.
    if !(ms >= 1.0 && ms <= Window::MS_MAX as f64) {
        let message = "a window is at least 1 ms and at most 35 days long";
        return Err(Diagnostic::error(written.span, message).help("write it like `5m`"));
    }
    Ok(ms as u64)
}
