//! Time as the adapter sees it: Unix milliseconds that the caller passes in.

use serde::{Deserialize, Serialize};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// This moment and so many milliseconds; saturates.
    pub fn plus_ms(self, ms: u64) -> Self {
        UnixMs(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// This moment and so many seconds; saturates.
    pub fn plus_s(self, s: u64) -> Self {
        self.plus_ms(s.saturating_mul(1000))
    }

    /// The milliseconds since an earlier moment; 0 when that moment is later, as after a clock was set back.
    pub fn ms_since(self, earlier: UnixMs) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_gives_no_time_and_ends_do_not_overflow() {
        assert_eq!(UnixMs(5).ms_since(UnixMs(9)), 0);
        assert_eq!(UnixMs(i64::MAX).ms_since(UnixMs(i64::MIN)), i64::MAX as u64);
        assert_eq!(UnixMs(i64::MAX).plus_s(u64::MAX), UnixMs(i64::MAX));
    }
}
