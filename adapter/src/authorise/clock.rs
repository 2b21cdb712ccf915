//! The time as a clock on the wall shows it in a time zone.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use crate::time::UnixMs;

/// A time zone of the IANA database. The zones are those compiled in, so that a ruling replays the same everywhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

/// A time zone that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone of the IANA database, such as `Europe/Berlin`")]
pub struct UnknownZone(pub String);

impl Zone {
    /// The zone of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownZone(name.to_owned()))?;
        Ok(Zone { name: name.to_owned(), zone })
    }

    /// Its name, as it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time there; `None` for a moment before the year -9999 or after 9999.
    pub fn local(&self, at: UnixMs) -> Option<LocalTime> {
        let there = Timestamp::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone());
        Some(LocalTime {
            zone: self.name.clone(),
            year: there.year().into(),
            month: there.month().into(),
            day: there.day().into(),
            date: there.date().to_string(),
            weekday: there.weekday().to_monday_one_offset().into(),
            hour: there.hour().into(),
            minute_of_day: i64::from(there.hour()) * 60 + i64::from(there.minute()),
            unix_ms: at.0,
        })
    }
}

impl Default for Zone {
    fn default() -> Self {
        Zone { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        Zone::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name
    }
}

/// A moment as a clock on the wall shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LocalTime {
    /// The time zone.
    pub zone: String,
    /// The year.
    pub year: i64,
    /// The month, from 1.
    pub month: i64,
    /// The day of the month, from 1.
    pub day: i64,
    /// The date, as `2026-01-05`.
    pub date: String,
    /// The day of the week: 1 is Monday, 7 is Sunday.
    pub weekday: i64,
    /// The hour, 0 to 23.
    pub hour: i64,
    /// The minutes since 00:00, 0 to 1439.
    pub minute_of_day: i64,
    /// The moment itself.
    pub unix_ms: i64,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::gate::window::parse_instant;

    #[test]
    fn the_clock_on_the_wall_follows_summer_time() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let there = |text: &str| {
            let local = berlin.local(parse_instant(text).unwrap()).unwrap();
            (local.date, local.weekday, local.hour, local.minute_of_day)
        };
        assert_eq!(there("2026-01-05T06:59:59Z"), ("2026-01-05".to_owned(), 1, 7, 479));
        assert_eq!(there("2026-07-06T06:00:00Z"), ("2026-07-06".to_owned(), 1, 8, 480));
        // The last Sunday of March: 01:00 UTC is 03:00 there, and 02:30 does not exist.
        assert_eq!(there("2026-03-29T00:59:00Z"), ("2026-03-29".to_owned(), 7, 1, 119));
        assert_eq!(there("2026-03-29T01:00:00Z"), ("2026-03-29".to_owned(), 7, 3, 180));
        // Another day there than in Greenwich.
        assert_eq!(there("2026-01-04T23:30:00Z"), ("2026-01-05".to_owned(), 1, 0, 30));
    }

    #[test]
    fn a_zone_that_does_not_exist_is_refused_and_time_without_end_has_no_date() {
        assert_eq!(Zone::named("Mars/Olympus"), Err(UnknownZone("Mars/Olympus".to_owned())));
        assert!(serde_json::from_str::<Zone>("\"Mars/Olympus\"").is_err());
        assert_eq!(serde_json::from_str::<Zone>("\"CET\"").unwrap().name(), "CET");
        assert_eq!(Zone::default().local(UnixMs(i64::MAX)), None);
        assert_eq!(Zone::default().local(UnixMs(0)).unwrap().weekday, 4);
    }
}
