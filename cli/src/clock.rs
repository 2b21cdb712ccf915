//! The one place where the clock is read: for the age of a catalog, and for the service.

use std::time::{SystemTime, UNIX_EPOCH};

use cardinal_adapter::time::UnixMs;

/// Days from 1970-01-01 to today, UTC.
pub fn today() -> i64 {
    now().0.div_euclid(86_400_000)
}

/// The time of the system.
#[allow(clippy::disallowed_methods, reason = "the edge of the program, which passes the time on")]
pub fn now() -> UnixMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
