//! Events: everything that happened, numbered in the order in which it became visible.

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;

use crate::counter::Counter;
use crate::error::{Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::{check_text, limit};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The application that it concerns; `None` when it concerns all.
    pub application: Option<String>,
    /// When.
    pub at: UnixMs,
    /// Its kind, in kebab case.
    pub kind: String,
    /// What is known of it, a JSON text.
    pub body: String,
}

/// Something that happened, with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its number. Whoever has seen an event has seen all with smaller numbers, or can read them.
    pub id: i64,
    /// What happened.
    pub event: NewEvent,
}

/// The most kinds that a reader of events can name.
pub const KINDS_MAX: usize = 64;

impl FromRow for EventRow {
    const TABLE: &'static str = "events";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        let event = NewEvent {
            application: c.maybe_text("application")?,
            at: c.time("at")?,
            kind: c.text("kind")?,
            body: c.text("body")?,
        };
        Ok(EventRow { id: c.int("id")?, event })
    }
}

impl Store {
    /// Tells of something that happens outside of a loop; gives the number of the last event.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn announce(&self, events: &[NewEvent]) -> Result<Option<i64>, StoreError> {
        let mut tx = self.begin("telling of an event").await?;
        let last = append(&mut tx, events).await?;
        tx.commit().await.doing("telling of an event")?;
        Ok(last)
    }

    /// Events after a number, ascending: of one application or all, of these kinds or, when none are named, all.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when more than [`KINDS_MAX`] kinds are named.
    pub async fn events_after(
        &self,
        id: i64,
        application: Option<&str>,
        kinds: &[&str],
        most: u32,
    ) -> Result<Vec<EventRow>, StoreError> {
        if kinds.len() > KINDS_MAX {
            return Err(StoreError::invalid("the kinds of events", format!("at most {KINDS_MAX} can be named")));
        }
        let places: Vec<String> = (0..kinds.len()).map(|i| format!("${}", i + 4)).collect();
        let kind = if kinds.is_empty() { String::new() } else { format!(" AND kind IN ({})", places.join(", ")) };
        let whose = if application.is_some() { " AND application = $3" } else { " AND ($3 IS NULL)" };
        let sql = format!(
            "SELECT id, application, at, kind, body FROM events WHERE id > $1{whose}{kind} ORDER BY id LIMIT $2"
        );
        // The text depends on the number of kinds alone.
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(i64::from(limit(most))).bind(application);
        for kind in kinds {
            query = query.bind(*kind);
        }
        let rows = query.fetch_all(self.reader()).await.doing("reading events")?;
        EventRow::from_rows(&rows)
    }

    /// The number of the last event; 0 when there was none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        Counter::Event.last(self.reader()).await
    }
}

/// Numbers and writes events as the last step of a transaction; gives the number of the last one.
pub(crate) async fn append(tx: &mut AnyConnection, events: &[NewEvent]) -> Result<Option<i64>, StoreError> {
    if events.is_empty() {
        return Ok(None);
    }
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let last = Counter::Event.take(tx, count).await?;
    for (id, event) in (last - count + 1..).zip(events) {
        check_text("the body of the event", &event.body)?;
        sqlx::query("INSERT INTO events (id, application, at, kind, body) VALUES ($1, $2, $3, $4, $5)")
            .bind(id)
            .bind(event.application.as_deref())
            .bind(event.at.0)
            .bind(&event.kind)
            .bind(&event.body)
            .execute(&mut *tx)
            .await
            .doing("writing an event")?;
    }
    Ok(Some(last))
}
