//! The one place where the calendar is read: for the age of a catalog.

/// Days from 1970-01-01 to today, UTC.
#[allow(clippy::disallowed_methods, reason = "the edge of the program, which passes the date on")]
pub fn today() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs() / 86_400).unwrap_or(0)
}
