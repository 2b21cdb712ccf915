//! What the benchmark drivers share: the corpus, loading, timing and tables.
#![forbid(unsafe_code)]

pub mod pods;

pub mod configurations;
pub mod families;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cardinal_interop::catalog::{merge, read_catalog};
use cardinal_interop::import_model;
use cardinal_models::application::Application;
use cardinal_models::catalog::Catalog;
use cardinal_models::diagnostic::Source;
use cardinal_models::resolve::resolve;
use cardinal_models::snapshot::Snapshot;

/// The folder of the benchmark corpus, beside the project or where `CARDINAL_CORPUS` says; `None` when it is not there.
pub fn corpus() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "where the corpus lies is known to the one who runs the benchmarks")]
    let path = std::env::var("CARDINAL_CORPUS")
        .map_or_else(|_| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus")), PathBuf::from);
    path.is_dir().then_some(path)
}

/// Reads a text file of the corpus or of the project.
pub fn source(path: &std::path::Path) -> Result<Source, String> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    Ok(Source::new(path.display().to_string(), text))
}

/// Loads a model of any format.
pub fn application(path: &std::path::Path) -> Result<Arc<Application>, String> {
    let imported = import_model(&source(path)?, None).map_err(|d| d.to_string())?;
    resolve(&imported.document).map(|(a, _)| Arc::new(a)).map_err(|d| d.to_string())
}

/// Loads and merges catalogs of any format.
pub fn catalog(paths: &[PathBuf]) -> Result<Arc<Catalog>, String> {
    let mut catalogs = Vec::new();
    for path in paths {
        catalogs.push(read_catalog(&source(path)?, None).map_err(|d| d.to_string())?.0);
    }
    merge(catalogs).map(|(c, _)| Arc::new(c)).map_err(|d| d.to_string())
}

/// A snapshot of a model and a catalog, with nothing measured and nothing running.
pub fn snapshot(application: &Arc<Application>, catalog: &Arc<Catalog>) -> Snapshot {
    Snapshot::new(application.clone(), catalog.clone())
}

/// The median time of several runs after one that is not counted, with the last result.
pub fn median<T>(runs: usize, mut run: impl FnMut() -> T) -> (Duration, T) {
    let mut result = run();
    let mut times: Vec<Duration> = (0..runs.max(1))
        .map(|_| {
            let begin = Instant::now();
            result = run();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2], result)
}

/// The middle and the largest of some times.
pub fn middle_and_most(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    match times {
        [] => (Duration::ZERO, Duration::ZERO),
        _ => (times[times.len() / 2], times[times.len() - 1]),
    }
}

/// A time in milliseconds with a sensible number of digits.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.1}") }
}
