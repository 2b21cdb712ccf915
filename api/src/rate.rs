//! How often one token may ask: a bucket for each, filled at a steady rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cardinal_adapter::time::UnixMs;

/// So many tokens are remembered; full buckets are forgotten first, which changes nothing for them.
const CALLERS_MAX: usize = 10_000;

/// The buckets.
#[derive(Debug)]
pub struct Rate {
    per_s: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: UnixMs,
}

impl Rate {
    /// Requests per second in the long run, and how many may come at once.
    pub fn new(per_s: f64, burst: f64) -> Self {
        Rate { per_s, burst, buckets: Mutex::default() }
    }

    /// Counts a request. The error is the number of seconds to wait.
    pub fn take(&self, caller: &str, now: UnixMs) -> Result<(), u32> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| self.filled(*bucket, now).left < self.burst);
        }
        let full = Bucket { left: self.burst, at: now };
        let bucket = self.filled(buckets.get(caller).copied().unwrap_or(full), now);
        let (bucket, answer) = if bucket.left >= 1.0 {
            (Bucket { left: bucket.left - 1.0, ..bucket }, Ok(()))
        } else {
            (bucket, Err(((1.0 - bucket.left) / self.per_s).ceil() as u32))
        };
        buckets.insert(caller.to_owned(), bucket);
        answer
    }

    fn filled(&self, bucket: Bucket, now: UnixMs) -> Bucket {
        let more = now.ms_since(bucket.at) as f64 / 1000.0 * self.per_s;
        Bucket { left: (bucket.left + more).min(self.burst), at: now.max(bucket.at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::new(2.0, 3.0);
        for _ in 0..3 {
            assert_eq!(rate.take("a", UnixMs(0)), Ok(()));
        }
        assert_eq!(rate.take("a", UnixMs(0)), Err(1));
        assert_eq!(rate.take("b", UnixMs(0)), Ok(()));
        assert_eq!(rate.take("a", UnixMs(500)), Ok(()));
        assert_eq!(rate.take("a", UnixMs(500)), Err(1));
        // A clock that is set back gives nothing and takes nothing.
        assert_eq!(rate.take("a", UnixMs(0)), Err(1));
    }
}
