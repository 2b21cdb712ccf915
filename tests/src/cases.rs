//! Runs a check over many seeds and reports those on which it fails.
//!
//! `CARDINAL_SEED=17` runs the case of that seed alone, `CARDINAL_CASES=100000` sets how many seeds are run. Seeds are
//! consecutive numbers, so that a run without either is the same everywhere.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most failures that are shown.
const SHOWN: usize = 5;
/// Threads that share the cases; a solve runs on one.
const THREADS: usize = 2;
/// The stack of each: a debug build evaluates deep formulas in large frames.
const STACK_BYTES: usize = 64 << 20;

#[allow(clippy::disallowed_methods)]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} must be a whole number, not `{text}`"),
    }
}

/// Runs the check for `default_cases` seeds, or as the environment asks. A check gives what is wrong.
///
/// # Panics
///
/// When the check fails or panics on any seed; the message shows the seeds and what the checks said.
pub fn each(name: &str, default_cases: u64, check: impl Fn(u64) -> Result<(), String> + Sync) {
    let seeds = match setting("CARDINAL_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("CARDINAL_CASES").unwrap_or(default_cases),
    };
    let next = AtomicU64::new(seeds.start);
    let failures: Mutex<Vec<(u64, String)>> = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| check(seed))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
                Err(format!("it panics: {}", text.unwrap_or_default()))
            });
            if let Err(message) = outcome {
                failures.lock().expect("no check holds the lock").push((seed, message));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            spawned.expect("threads can be started");
        }
    });
    let mut failures = failures.into_inner().expect("no check holds the lock");
    failures.sort();
    if failures.is_empty() {
        return;
    }
    let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
    let shown: Vec<String> =
        failures.iter().take(SHOWN).map(|(seed, what)| format!("CARDINAL_SEED={seed}\n{what}")).collect();
    panic!("{name}: {} cases fail, seeds {seeds:?}\n\n{}", failures.len(), shown.join("\n\n"));
}
