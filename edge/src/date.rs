//! Dates as days since 1970-01-01. What today is, the caller says.

/// How many days before `today` a date `YYYY-MM-DD` lies; `None` when it is no date.
pub fn age_days(date: &str, today: i64) -> Option<i64> {
    let mut parts = date.get(..10)?.split('-');
    let year: i64 = parts.next()?.parse().ok()?;
    let month: i64 = parts.next()?.parse().ok()?;
    let day: i64 = parts.next()?.parse().ok()?;
    let is_date = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| today - days(year, month, day))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_days() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 12, 31), 20_088);
        assert_eq!(age_days("2024-02-28", days(2024, 3, 1)), Some(2));
        assert_eq!(age_days("2024-02-28T12:00:00Z", days(2024, 3, 1)), Some(2));
        assert_eq!(age_days("last week", 0), None);
        assert_eq!(age_days("2024-13-01", 0), None);
    }
}
