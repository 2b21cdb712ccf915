//! Runs the solves of a what-if on several threads, each on one.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cardinal_solver::Settings;

/// A stack that holds the evaluation of deep formulas.
const STACK_BYTES: usize = 64 << 20;

/// How the solves run.
#[derive(Clone)]
pub struct Crew<'w> {
    /// How many at a time.
    pub jobs: usize,
    /// The limits of one solve; its flag stops all of them.
    pub settings: Settings,
    /// When everything ends.
    pub deadline: Option<Instant>,
    /// When this is set, everything ends.
    pub cancel: Arc<AtomicBool>,
    /// Hears how many solves are done, of how many that are known.
    pub watch: &'w (dyn Fn(usize, usize) + Sync),
}

impl Crew<'_> {
    /// As many threads as asked for, or as there are processors.
    pub fn size(asked: Option<u16>) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        asked.map_or_else(all, usize::from)
    }

    /// True when no further solve may begin.
    pub fn is_over(&self) -> bool {
        self.cancel.load(Ordering::SeqCst) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn settings(&self) -> Settings {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = match (left, self.settings.time_limit) {
            (Some(left), Some(each)) => Some(left.min(each)),
            (left, each) => left.or(each),
        };
        Settings { time_limit: limit, ..self.settings.clone() }
    }

    /// Does all the work that a source hands out. `ask` gives the next task, `None` when there is none at the moment;
    /// `is_done` says whether there will be more; `solve` does one; `tell` takes the answer.
    pub fn run<S, T, A>(
        &self,
        work: S,
        ask: impl Fn(&mut S) -> Option<T> + Sync,
        is_done: impl Fn(&S) -> bool + Sync,
        solve: impl Fn(&T, &Settings) -> A + Sync,
        tell: impl Fn(&mut S, T, A) + Sync,
        progress: impl Fn(&S) -> (usize, usize) + Sync,
    ) -> S
    where
        S: Send,
        T: Send,
    {
        let shared = Mutex::new(work);
        let changed = Condvar::new();
        let one = || {
            let mut work = lock(&shared);
            loop {
                if self.is_over() || is_done(&work) {
                    changed.notify_all();
                    return;
                }
                let Some(task) = ask(&mut work) else {
                    // Others still work, and what they find may bring more.
                    let waited = changed.wait_timeout(work, Duration::from_millis(100));
                    work = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                };
                drop(work);
                let answer = solve(&task, &self.settings());
                work = lock(&shared);
                tell(&mut work, task, answer);
                let (done, total) = progress(&work);
                (self.watch)(done, total);
                changed.notify_all();
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.jobs {
                let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, one);
                // A system without room for another thread does the work on those it has.
                if spawned.is_err() {
                    break;
                }
            }
            one();
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock; a thread that panicked while it held it has printed why.
fn lock<S>(shared: &Mutex<S>) -> MutexGuard<'_, S> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
