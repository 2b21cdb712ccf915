//! Numbers that only rise, in the order in which what they number becomes visible.
//!
//! A number is taken by updating a row, which stays locked until the transaction ends: whoever sees a number sees
//! everything that was numbered before it. To keep transactions from waiting for each other in a circle, `change` is
//! taken before anything else is locked, and `event` after everything else.

use sqlx::AnyConnection;

use crate::error::{Doing, StoreError};
use crate::row::Columns;

/// What is numbered.
#[derive(Clone, Copy)]
pub(crate) enum Counter {
    /// Changes of what the loop works with: applications, orders, metric values, the current catalog.
    Change,
    /// Events.
    Event,
}

impl Counter {
    fn name(self) -> &'static str {
        match self {
            Counter::Change => "change",
            Counter::Event => "event",
        }
    }

    /// Takes the next `count` numbers and gives the last of them.
    pub(crate) async fn take(self, on: &mut AnyConnection, count: i64) -> Result<i64, StoreError> {
        let row = sqlx::query("UPDATE counters SET value = value + $1 WHERE name = $2 RETURNING value")
            .bind(count)
            .bind(self.name())
            .fetch_one(on)
            .await
            .doing("numbering a change")?;
        Columns::new("counters", &row).int("value")
    }

    /// The last number that was taken.
    pub(crate) async fn last<'e, E>(self, on: E) -> Result<i64, StoreError>
    where
        E: sqlx::Executor<'e, Database = sqlx::Any>,
    {
        let row = sqlx::query("SELECT value FROM counters WHERE name = $1")
            .bind(self.name())
            .fetch_one(on)
            .await
            .doing("reading the number of the last change")?;
        Columns::new("counters", &row).int("value")
    }
}
