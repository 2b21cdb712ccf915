//! Webhooks: who wants to be told of events, and what is still to be delivered.
//!
//! Each event reaches each endpoint at least once. An endpoint remembers the last event that was turned into deliveries; a
//! delivery that is taken is hidden from other replicas for [`DELIVERY_MS_MAX`], and comes back when its process died.

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;

use crate::counter::Counter;
use crate::error::{Doing, StoreError};
use crate::events::EventRow;
use crate::keys::random_id;
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::{check_name, check_text, limit};

/// An endpoint that is told of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its identity.
    pub id: String,
    /// Where it is.
    pub url: String,
    /// The name of the secret that bodies are signed with.
    pub secret: String,
    /// Of which kinds of events; of all when there is no list.
    pub kinds: Option<Vec<String>>,
    /// Of which application; of all when there is none.
    pub application: Option<String>,
    /// When it was made.
    pub created_at: UnixMs,
    /// True while nothing is delivered to it.
    pub paused: bool,
}

/// An endpoint that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWebhook {
    /// Where it is.
    pub url: String,
    /// The name of the secret that bodies are signed with.
    pub secret: String,
    /// Of which kinds of events; of all when there is no list.
    pub kinds: Option<Vec<String>>,
    /// Of which application; of all when there is none.
    pub application: Option<String>,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To which endpoint.
    pub webhook: Webhook,
    /// What.
    pub event: EventRow,
    /// How often it was tried before.
    pub attempts: i64,
}

/// How a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryState {
    /// The number of the event.
    pub event: i64,
    /// `due`, `delivered` or `given-up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, when it is due.
    pub next_at: UnixMs,
    /// The HTTP status of the last answer.
    pub last_status: Option<i64>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// What came of a try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: String,
    /// When to try again; `None` to give up.
    pub retry_at: Option<UnixMs>,
}

/// A delivery that was taken and has not ended is tried again after this time, in milliseconds.
pub const DELIVERY_MS_MAX: u64 = 60_000;

/// The most events that are turned into deliveries at a time, for each endpoint.
const ENQUEUED_MAX: i64 = 500;

impl FromRow for Webhook {
    const TABLE: &'static str = "webhooks";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        let kinds = c.maybe_text("kinds")?.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Webhook {
            id: c.text("id")?,
            url: c.text("url")?,
            secret: c.text("secret")?,
            kinds: kinds.map_err(|_| StoreError::corrupt("column `kinds` of table `webhooks`"))?,
            application: c.maybe_text("application")?,
            created_at: c.time("created_at")?,
            paused: c.truth("paused")?,
        })
    }
}

impl FromRow for DeliveryState {
    const TABLE: &'static str = "deliveries";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(DeliveryState {
            event: c.int("event")?,
            state: c.text("state")?,
            attempts: c.int("attempts")?,
            next_at: c.time("next_at")?,
            last_status: c.maybe_int("last_status")?,
            last_error: c.maybe_text("last_error")?,
        })
    }
}

impl Store {
    /// Adds an endpoint. It is told of what happens from now on.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn add_webhook(&self, new: NewWebhook, now: UnixMs) -> Result<Webhook, StoreError> {
        let doing = "adding a webhook";
        check_name("the name of the secret", &new.secret)?;
        check_text("the address of the webhook", &new.url)?;
        let NewWebhook { url, secret, kinds, application } = new;
        let webhook = Webhook { id: random_id()?, url, secret, kinds, application, created_at: now, paused: false };
        let mut tx = self.begin(doing).await?;
        let seen = Counter::Event.last(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO webhooks (id, url, secret, kinds, application, created_at, paused, seen) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7)",
        )
        .bind(&webhook.id)
        .bind(&webhook.url)
        .bind(&webhook.secret)
        .bind(webhook.kinds.as_ref().map(|kinds| serde_json::json!(kinds).to_string()))
        .bind(webhook.application.as_deref())
        .bind(now.0)
        .bind(seen)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        tx.commit().await.doing(doing)?;
        Ok(webhook)
    }

    /// All endpoints, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = sqlx::query("SELECT * FROM webhooks ORDER BY created_at, id")
            .fetch_all(self.reader())
            .await
            .doing("listing webhooks")?;
        Webhook::from_rows(&rows)
    }

    /// Pauses an endpoint or goes on with it. What happened meanwhile is delivered then.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn pause_webhook(&self, id: &str, paused: bool) -> Result<(), StoreError> {
        let mut tx = self.begin("pausing a webhook").await?;
        let found = sqlx::query("UPDATE webhooks SET paused = $1 WHERE id = $2")
            .bind(i64::from(paused))
            .bind(id)
            .execute(&mut *tx)
            .await
            .doing("pausing a webhook")?;
        if found.rows_affected() == 0 {
            return Err(StoreError::not_found("webhook", id));
        }
        tx.commit().await.doing("pausing a webhook")
    }

    /// Takes an endpoint away with its deliveries.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), StoreError> {
        let mut tx = self.begin("deleting a webhook").await?;
        let found = sqlx::query("DELETE FROM webhooks WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await
            .doing("deleting a webhook")?;
        if found.rows_affected() == 0 {
            return Err(StoreError::not_found("webhook", id));
        }
        let deliveries = "DELETE FROM deliveries WHERE webhook = $1";
        sqlx::query(deliveries).bind(id).execute(&mut *tx).await.doing("deleting a webhook")?;
        tx.commit().await.doing("deleting a webhook")
    }

    /// Turns new events into deliveries; gives how many. Call it again while it gives some.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn enqueue_deliveries(&self, now: UnixMs) -> Result<u64, StoreError> {
        let last = self.last_event().await?;
        let waiting = sqlx::query("SELECT id FROM webhooks WHERE paused = 0 AND seen < $1 ORDER BY id")
            .bind(last)
            .fetch_all(self.reader())
            .await
            .doing("queueing deliveries")?;
        let mut count = 0;
        for row in &waiting {
            let id = Columns::new(Webhook::TABLE, row).text("id")?;
            let mut tx = self.begin("queueing deliveries").await?;
            count += enqueue(&mut tx, &id, now).await?;
            tx.commit().await.doing("queueing deliveries")?;
        }
        Ok(count)
    }

    /// Takes deliveries that are due, the earliest first. Each must be ended with [`Store::delivered`] or
    /// [`Store::delivery_failed`].
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn due_deliveries(&self, now: UnixMs, most: u32) -> Result<Vec<Delivery>, StoreError> {
        let doing = "taking deliveries";
        let mut tx = self.begin(doing).await?;
        let sql = format!(
            "SELECT d.webhook, d.event, d.attempts, d.next_at FROM deliveries d JOIN webhooks w ON w.id = d.webhook \
             WHERE d.state = 'due' AND d.next_at <= $1 AND w.paused = 0 ORDER BY d.next_at, d.event, d.webhook LIMIT $2{}",
            self.either("", " FOR UPDATE OF d SKIP LOCKED")
        );
        // The text depends on the kind of database alone.
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(now.0)
            .bind(i64::from(limit(most)))
            .fetch_all(&mut *tx)
            .await
            .doing(doing)?;
        let mut due = Vec::with_capacity(rows.len());
        for row in &rows {
            let columns = Columns::new(DeliveryState::TABLE, row);
            let (webhook, event) = (columns.text("webhook")?, columns.int("event")?);
            due.extend(take(&mut tx, &webhook, event, columns.int("attempts")?, now).await?);
        }
        tx.commit().await.doing(doing)?;
        Ok(due)
    }

    /// Notes that a delivery was accepted.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delivered(&self, webhook: &str, event: i64, status: u16) -> Result<(), StoreError> {
        self.end_delivery("delivered", webhook, event, None, Some(status), None).await
    }

    /// Notes that a delivery failed, and when it is tried again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn delivery_failed(&self, webhook: &str, event: i64, failure: &Failure) -> Result<(), StoreError> {
        let Failure { status, error, retry_at } = failure;
        let state = if retry_at.is_some() { "due" } else { "given-up" };
        let error = error.replace('\0', "");
        self.end_delivery(state, webhook, event, *retry_at, *status, Some(&error)).await
    }

    async fn end_delivery(
        &self,
        state: &'static str,
        webhook: &str,
        event: i64,
        next_at: Option<UnixMs>,
        status: Option<u16>,
        error: Option<&str>,
    ) -> Result<(), StoreError> {
        let doing = "ending a delivery";
        let mut tx = self.begin(doing).await?;
        sqlx::query(
            "UPDATE deliveries SET state = $1, attempts = attempts + 1, next_at = COALESCE($2, next_at), \
             last_status = $3, last_error = $4 WHERE webhook = $5 AND event = $6",
        )
        .bind(state)
        .bind(next_at.map(|t| t.0))
        .bind(status.map(i64::from))
        .bind(error)
        .bind(webhook)
        .bind(event)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        tx.commit().await.doing(doing)
    }

    /// The last deliveries of an endpoint, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deliveries(&self, webhook: &str, most: u32) -> Result<Vec<DeliveryState>, StoreError> {
        let rows = sqlx::query("SELECT * FROM deliveries WHERE webhook = $1 ORDER BY event DESC LIMIT $2")
            .bind(webhook)
            .bind(i64::from(limit(most)))
            .fetch_all(self.reader())
            .await
            .doing("listing deliveries")?;
        DeliveryState::from_rows(&rows)
    }
}

/// Turns the next events into deliveries to one endpoint, with its row locked.
async fn enqueue(tx: &mut AnyConnection, id: &str, now: UnixMs) -> Result<u64, StoreError> {
    let doing = "queueing deliveries";
    let row = sqlx::query("UPDATE webhooks SET seen = seen WHERE id = $1 RETURNING *")
        .bind(id)
        .fetch_optional(&mut *tx)
        .await
        .doing(doing)?;
    let Some(row) = row else { return Ok(0) };
    let seen = Columns::new(Webhook::TABLE, &row).int("seen")?;
    let webhook = Webhook::from_row(&row)?;
    let rows = sqlx::query("SELECT id, application, at, kind, body FROM events WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(seen)
        .bind(ENQUEUED_MAX)
        .fetch_all(&mut *tx)
        .await
        .doing(doing)?;
    let events = EventRow::from_rows(&rows)?;
    let Some(last) = events.last().map(|e| e.id) else { return Ok(0) };
    let mut count = 0;
    for event in events.iter().filter(|e| webhook.wants(e)) {
        sqlx::query(
            "INSERT INTO deliveries (webhook, event, state, attempts, next_at) VALUES ($1, $2, 'due', 0, $3) \
             ON CONFLICT (webhook, event) DO NOTHING",
        )
        .bind(id)
        .bind(event.id)
        .bind(now.0)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        count += 1;
    }
    sqlx::query("UPDATE webhooks SET seen = $1 WHERE id = $2").bind(last).bind(id).execute(tx).await.doing(doing)?;
    Ok(count)
}

impl Webhook {
    fn wants(&self, event: &EventRow) -> bool {
        let kind = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&event.event.kind));
        kind && (self.application.is_none() || self.application == event.event.application)
    }
}

/// Hides a delivery for a while and gives it with everything that it needs. One whose event was too old to be kept is
/// given up.
async fn take(
    tx: &mut AnyConnection,
    webhook: &str,
    event: i64,
    attempts: i64,
    now: UnixMs,
) -> Result<Option<Delivery>, StoreError> {
    let doing = "taking deliveries";
    let found = sqlx::query("SELECT id, application, at, kind, body FROM events WHERE id = $1")
        .bind(event)
        .fetch_optional(&mut *tx)
        .await
        .doing(doing)?;
    let (state, until) = if found.is_some() { ("due", now.plus_ms(DELIVERY_MS_MAX)) } else { ("given-up", now) };
    sqlx::query("UPDATE deliveries SET state = $1, next_at = $2 WHERE webhook = $3 AND event = $4")
        .bind(state)
        .bind(until.0)
        .bind(webhook)
        .bind(event)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
    let Some(found) = found else { return Ok(None) };
    let row = sqlx::query("SELECT * FROM webhooks WHERE id = $1").bind(webhook).fetch_one(tx).await.doing(doing)?;
    Ok(Some(Delivery { webhook: Webhook::from_row(&row)?, event: EventRow::from_row(&found)?, attempts }))
}
