//! Recurring spans of time: a cron expression says when they begin, in a time zone, and a duration how long they last.

use std::str::FromStr as _;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::time::UnixMs;

/// The longest that a window may last: 366 days.
pub const DURATION_S_MAX: u64 = 366 * 86_400;

/// A recurring span of time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "WindowText", into = "WindowText")]
pub struct Window {
    text: WindowText,
    cron: Box<Cron>,
    zone: TimeZone,
}

/// A window as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    /// When it begins: minute, hour, day of month, month, day of week.
    cron: String,
    /// How long it lasts, in seconds.
    duration_s: u64,
    /// An IANA time zone.
    #[serde(default = "utc")]
    time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// A window that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The cron expression cannot be read.
    #[error(
        "`{cron}` is no cron expression of five fields (minute, hour, day of month, month, day of week), such as \
         `0 8 * * MON-FRI`: {reason}"
    )]
    Cron {
        /// The expression.
        cron: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The time zone is unknown.
    #[error("`{0}` is no time zone of the IANA database, such as `Europe/Berlin`")]
    TimeZone(String),
    /// The duration is 0 or too long.
    #[error("a window lasts from 1 to {DURATION_S_MAX} seconds, not {0}")]
    Duration(u64),
}

impl Window {
    /// A window that begins as the cron expression of five fields says, in a time zone, and lasts so many seconds.
    ///
    /// # Errors
    /// When the expression, the zone or the duration makes no sense.
    pub fn new(cron: &str, duration_s: u64, time_zone: &str) -> Result<Self, WindowError> {
        WindowText { cron: cron.to_owned(), duration_s, time_zone: time_zone.to_owned() }.try_into()
    }

    /// When the window that is open at this moment ends; `None` when none is open. The first moment belongs to the
    /// window, the last does not.
    pub fn open_until(&self, now: UnixMs) -> Option<UnixMs> {
        let start = self.cron.find_previous_occurrence(&self.civil(now)?, true).ok()?;
        let end = UnixMs(start.timestamp().as_millisecond()).plus_s(self.text.duration_s);
        (now < end).then_some(end)
    }

    /// When the next window begins after this moment; `None` when never.
    pub fn next_start(&self, now: UnixMs) -> Option<UnixMs> {
        let start = self.cron.find_next_occurrence(&self.civil(now)?, false).ok()?;
        Some(UnixMs(start.timestamp().as_millisecond()))
    }

    fn civil(&self, now: UnixMs) -> Option<Zoned> {
        Some(Timestamp::from_millisecond(now.0).ok()?.to_zoned(self.zone.clone()))
    }
}

impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let WindowText { cron, duration_s, time_zone } = &self.text;
        write!(f, "`{cron}` {time_zone} for {duration_s} s")
    }
}

impl From<Window> for WindowText {
    fn from(window: Window) -> Self {
        window.text
    }
}

impl TryFrom<WindowText> for Window {
    type Error = WindowError;

    fn try_from(text: WindowText) -> Result<Self, WindowError> {
        if text.duration_s == 0 || text.duration_s > DURATION_S_MAX {
            return Err(WindowError::Duration(text.duration_s));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let wrong = |reason: String| WindowError::Cron { cron: text.cron.clone(), reason };
        if text.cron.len() > 200 {
            return Err(wrong("it is longer than 200 characters".to_owned()));
        }
        let cron = parser.parse(&text.cron).map_err(|e| wrong(e.to_string()))?;
        // The compiled-in zones, so that a decision replays the same on every machine.
        let zone = TimeZoneDatabase::bundled().get(&text.time_zone);
        let zone = zone.map_err(|_| WindowError::TimeZone(text.time_zone.clone()))?;
        Ok(Window { cron: Box::new(cron), zone, text })
    }
}

/// The Unix time of an instant in RFC 3339, for tests and messages.
///
/// # Errors
/// When the text is no such instant.
pub fn parse_instant(text: &str) -> Result<UnixMs, String> {
    Timestamp::from_str(text).map(|t| UnixMs(t.as_millisecond())).map_err(|e| e.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixMs {
        parse_instant(text).unwrap()
    }

    #[test]
    fn working_hours_follow_the_clock_on_the_wall() {
        let hours = Window::new("0 8 * * MON-FRI", 9 * 3600, "Europe/Berlin").unwrap();
        // A Monday in winter, UTC+1, and one in summer, UTC+2.
        for (open, shut) in
            [("2026-01-05T07:00:00Z", "2026-01-05T16:00:00Z"), ("2026-07-06T06:00:00Z", "2026-07-06T15:00:00Z")]
        {
            assert_eq!(hours.open_until(at(open)), Some(at(shut)));
            assert_eq!(hours.open_until(UnixMs(at(open).0 - 1)), None);
            assert_eq!(hours.open_until(UnixMs(at(shut).0 - 1)), Some(at(shut)));
            assert_eq!(hours.open_until(at(shut)), None);
        }
        // On Saturday the next one is on Monday.
        assert_eq!(hours.open_until(at("2026-01-10T10:00:00Z")), None);
        assert_eq!(hours.next_start(at("2026-01-10T10:00:00Z")), Some(at("2026-01-12T07:00:00Z")));
    }

    #[test]
    fn the_hour_that_a_clock_skips_or_repeats_is_survived() {
        let night = Window::new("30 2 * * *", 1800, "Europe/Berlin").unwrap();
        for hour in 0..72 {
            let now = at("2026-03-28T00:00:00Z").plus_s(hour * 3600);
            let next = night.next_start(now).unwrap();
            assert!(next > now && night.open_until(next).is_some());
            let now = at("2026-10-24T00:00:00Z").plus_s(hour * 3600);
            assert!(night.next_start(now).unwrap() > now);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_mend() {
        for (cron, duration, zone, hint) in [
            ("0 8 * *", 60, "UTC", "five fields"),
            ("0 0 8 * * *", 60, "UTC", "five fields"),
            ("61 8 * * *", 60, "UTC", "five fields"),
            ("0 8 * * *", 0, "UTC", "lasts from 1"),
            ("0 8 * * *", 60, "Mars/Olympus", "IANA"),
        ] {
            let error = Window::new(cron, duration, zone).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        }
        // The thirtieth of February never comes; looking for it ends.
        let never = Window::new("0 0 30 2 *", 60, "UTC").unwrap();
        assert_eq!(
            (never.open_until(at("2026-01-01T00:00:00Z")), never.next_start(at("2026-01-01T00:00:00Z"))),
            (None, None)
        );
        assert!(Window::new("0 8 * * *", 60, "CET").is_ok());
    }
}
