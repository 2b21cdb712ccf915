//! Workers that are kept for the next job, so that it does not wait for a process to start.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::parent::{Cause, Failure, Program, Watch, Worker};
use crate::wire::{Answer, Job};

/// After so many jobs a worker makes room for a new one, and what it has hoarded goes with it.
const JOBS_MAX: u32 = 100;

/// Workers for jobs from any number of threads. A worker that failed is never used again.
#[derive(Debug)]
pub struct Pool {
    program: Program,
    idle_max: usize,
    idle: Mutex<Vec<(Worker, u32)>>,
}

impl Pool {
    /// A pool that keeps at most so many idle workers. None is started before the first job.
    pub fn new(program: Program, idle_max: usize) -> Self {
        Pool { program, idle_max, idle: Mutex::default() }
    }

    /// Starts workers until so many are idle, as many as the pool keeps at most.
    pub fn warm_up(&self, count: usize) -> Result<(), Failure> {
        while self.idle_count() < count.min(self.idle_max) {
            let worker = self.start()?;
            self.keep(worker, 0);
        }
        Ok(())
    }

    /// The number of workers that wait for a job.
    pub fn idle_count(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Has a job done; see [`Worker::solve`]. A worker that has died in its sleep is replaced.
    pub fn solve(
        &self,
        job: &Job,
        wall: Option<Duration>,
        cancel: &AtomicBool,
        watch: &mut dyn Watch,
    ) -> Result<Answer, Failure> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let alive = kept.and_then(|(mut worker, done)| worker.is_alive().then_some((worker, done)));
        let (mut worker, done) = match alive {
            Some(kept) => kept,
            None => (self.start()?, 0),
        };
        let answer = worker.solve(job, wall, cancel, watch)?;
        self.keep(worker, done + 1);
        Ok(answer)
    }

    fn start(&self) -> Result<Worker, Failure> {
        Worker::start(&self.program).map_err(|error| Failure { cause: Cause::Start(error), incumbent: None })
    }

    fn keep(&self, worker: Worker, done: u32) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if done < JOBS_MAX && idle.len() < self.idle_max {
            idle.push((worker, done));
        }
    }
}
