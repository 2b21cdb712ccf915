//! Verdicts over time: violations that last, that are over only when it is safe to say so, and patterns of them.
//!
//! A state machine for each rule, with time passed in. Whether a rule holds at a moment is the business of the language;
//! where nobody can say (a metric is missing), a verdict stays as it was.

use std::collections::{BTreeMap, BTreeSet};

use cardinal_models::application::{EventRule, Pattern, SloRule};
use serde::{Deserialize, Serialize};

/// Beginnings of violations that are remembered of each rule.
const ONSETS_MAX: usize = 100;

/// What is remembered of the rules of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// By name of the rule; those that hold and did not begin to be violated lately have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<String, Standing>,
}

/// How a rule stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    /// True when it counts as violated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    violated: bool,
    /// Since when it looks otherwise than it counts, in Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    /// When it began to be violated, ascending, as far as a pattern may ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    onsets: Vec<i64>,
}

/// What is seen of a rule at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// True when it holds; none when nobody can say.
    pub holds: Option<bool>,
    /// True when what must hold before a violation is over does; none when nobody can say.
    pub is_clear: Option<bool>,
}

impl Sight {
    /// A rule that says nothing of when its violation is over.
    pub fn of(holds: Option<bool>) -> Self {
        Sight { holds, is_clear: holds }
    }
}

impl Book {
    /// True when nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Judges a rule by what is seen of it now; true when it counts as violated. Without a rule it counts at once.
    pub fn judge(&mut self, name: &str, rule: Option<&SloRule>, sight: Sight, now_ms: i64) -> bool {
        let (lasts_ms, clear_ms) = rule.map_or((0, 0), |rule| (rule.lasts_ms, rule.clear_ms));
        let known = self.rules.get(name);
        if known.is_none() && sight.holds != Some(false) {
            return false;
        }
        let standing = self.rules.entry(name.to_owned()).or_default();
        let (looks_otherwise, wait_ms) = match (standing.violated, sight) {
            (false, Sight { holds: Some(holds), .. }) => (!holds, lasts_ms),
            (true, Sight { is_clear: Some(is_clear), .. }) => (is_clear, clear_ms),
            _ => return standing.violated,
        };
        if !looks_otherwise {
            standing.since = None;
            return standing.violated;
        }
        let since = *standing.since.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) >= i64::try_from(wait_ms).unwrap_or(i64::MAX) {
            standing.since = None;
            standing.violated = !standing.violated;
            if standing.violated {
                standing.onsets.push(now_ms);
            }
        }
        standing.violated
    }

    /// The names of the rules that do not hold and do not count as violated yet, because it has not lasted.
    pub fn pending(&self) -> BTreeSet<String> {
        let pending = self.rules.iter().filter(|(_, s)| !s.violated && s.since.is_some());
        pending.map(|(name, _)| name.clone()).collect()
    }

    /// Since when a rule has been violated, in Unix milliseconds.
    pub fn since(&self, name: &str) -> Option<i64> {
        let standing = self.rules.get(name).filter(|standing| standing.violated)?;
        standing.onsets.last().copied()
    }

    /// True when what a pattern asks for has happened within its time before now.
    pub fn happened(&self, event: &EventRule, now_ms: i64) -> bool {
        let within = i64::try_from(event.within_ms).unwrap_or(i64::MAX);
        let from = now_ms.saturating_sub(within);
        let onsets = |name: &str| {
            let all = self.rules.get(name).map_or(&[][..], |standing| standing.onsets.as_slice());
            all.iter().copied().filter(move |at| *at >= from && *at <= now_ms)
        };
        match &event.pattern {
            Pattern::All(names) => names.iter().all(|name| onsets(name).next().is_some()),
            Pattern::Any(names) => names.iter().any(|name| onsets(name).next().is_some()),
            Pattern::Repeats(name, times) => onsets(name).count() as u64 >= *times,
            Pattern::Sequence(names) => {
                // The earliest that comes after the one before leaves most room for those that follow.
                let mut after = i64::MIN;
                names.iter().all(|name| match onsets(name).find(|at| *at > after) {
                    Some(at) => {
                        after = at;
                        true
                    }
                    None => false,
                })
            }
        }
    }

    /// Forgets what no pattern and no rule asks for any more: rules that are gone, and beginnings before the longest time.
    pub fn forget(&mut self, is_rule: impl Fn(&str) -> bool, events: &[EventRule], now_ms: i64) {
        let longest = events.iter().map(|event| event.within_ms).max().unwrap_or(0);
        let from = now_ms.saturating_sub(i64::try_from(longest).unwrap_or(i64::MAX));
        self.rules.retain(|name, standing| {
            // The last beginning of a violation that goes on is its evidence.
            let last = standing.onsets.last().copied().filter(|_| standing.violated);
            let surplus = standing.onsets.len().saturating_sub(ONSETS_MAX);
            standing.onsets.drain(..surplus);
            standing.onsets.retain(|at| *at >= from || Some(*at) == last);
            is_rule(name) && (standing.violated || standing.since.is_some() || !standing.onsets.is_empty())
        });
    }

    /// When a verdict may change by time alone, in Unix milliseconds.
    pub fn next_ms(&self, rules: &[SloRule], events: &[EventRule], now_ms: i64) -> Option<i64> {
        let turns = self.rules.iter().filter_map(|(name, standing)| {
            let rule = rules.iter().find(|rule| *rule.name == **name)?;
            let wait_ms = if standing.violated { rule.clear_ms } else { rule.lasts_ms };
            Some(standing.since?.saturating_add(i64::try_from(wait_ms).unwrap_or(i64::MAX)))
        });
        let ends = events.iter().flat_map(|event| {
            let within = i64::try_from(event.within_ms).unwrap_or(i64::MAX);
            let all = self.rules.values().flat_map(|standing| &standing.onsets);
            all.map(move |at| at.saturating_add(within).saturating_add(1))
        });
        turns.chain(ends).filter(|at| *at > now_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cardinal_models::application::Severity;

    fn rule(lasts_ms: u64, clear_ms: u64) -> SloRule {
        SloRule { name: "slow".into(), lasts_ms, clear: None, clear_ms, severity: Severity::Warning }
    }

    fn judged(book: &mut Book, rule: &SloRule, sights: &[(i64, Option<bool>)]) -> Vec<bool> {
        sights.iter().map(|(at, holds)| book.judge("slow", Some(rule), Sight::of(*holds), *at)).collect()
    }

    #[test]
    fn a_violation_counts_once_it_has_lasted() {
        let (mut book, rule) = (Book::default(), rule(60, 0));
        let sights = [(0, Some(true)), (10, Some(false)), (60, Some(false)), (65, Some(true)), (70, Some(false))];
        assert_eq!(judged(&mut book, &rule, &sights), [false; 5]);
        assert_eq!(book.next_ms(std::slice::from_ref(&rule), &[], 70), Some(130));
        assert_eq!(book.pending().len(), 1);
        // Nobody can say: it goes on as it was.
        assert_eq!(judged(&mut book, &rule, &[(100, None), (130, Some(false))]), [false, true]);
        assert_eq!((book.since("slow"), book.pending().len()), (Some(130), 0));
        assert_eq!(judged(&mut book, &rule, &[(140, None), (150, Some(true))]), [true, false]);
    }

    #[test]
    fn a_violation_is_over_once_it_has_been_clear_for_long_enough() {
        let (mut book, rule) = (Book::default(), rule(0, 30));
        let see = |book: &mut Book, at, holds, is_clear| {
            book.judge("slow", Some(&rule), Sight { holds: Some(holds), is_clear: Some(is_clear) }, at)
        };
        assert!(see(&mut book, 0, false, false));
        // It holds, but not by as much as it should.
        assert!(see(&mut book, 10, true, false));
        assert!(see(&mut book, 20, true, true));
        assert!(see(&mut book, 40, true, false));
        assert!(see(&mut book, 50, true, true));
        assert!(!see(&mut book, 80, true, true));
    }

    #[test]
    fn patterns_are_found_within_their_time() {
        let mut book = Book::default();
        let mut begin = |name: &str, at: i64| {
            book.judge(name, None, Sight::of(Some(false)), at);
            book.judge(name, None, Sight::of(Some(true)), at + 1);
        };
        begin("full", 100);
        begin("slow", 150);
        begin("slow", 300);
        let event = |pattern, within_ms| EventRule { name: "e".into(), pattern, within_ms, severity: Severity::Info };
        let names = |all: &[&str]| all.iter().map(|name| (*name).into()).collect::<Vec<_>>();
        let both = event(Pattern::All(names(&["slow", "full"])), 100);
        assert!(book.happened(&both, 180) && !book.happened(&both, 201));
        let in_turn = event(Pattern::Sequence(names(&["full", "slow"])), 100);
        assert!(book.happened(&in_turn, 180));
        assert!(!book.happened(&event(Pattern::Sequence(names(&["slow", "full"])), 1000), 400));
        assert!(book.happened(&event(Pattern::Sequence(names(&["full", "slow", "slow"])), 1000), 400));
        let again = event(Pattern::Repeats("slow".into(), 2), 200);
        assert!(book.happened(&again, 320) && !book.happened(&again, 351));
        assert!(book.happened(&event(Pattern::Any(names(&["none", "full"])), 100), 200));
        // It is over by time alone.
        assert_eq!(book.next_ms(&[], std::slice::from_ref(&again), 320), Some(351));
        book.forget(|_| true, &[again], 340);
        assert_eq!(book.rules.len(), 1);
        book.forget(|_| true, &[], 10_000);
        assert_eq!(book, Book::default());
    }
}
