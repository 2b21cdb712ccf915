//! Plans and their journals.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::decisions::Before;
use crate::error::{Clash, Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow, Listed, one_more};
use crate::words::{check_text, limit};

/// A plan with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Its hash.
    pub hash: Digest,
    /// The application.
    pub application: String,
    /// The number of the decision that made it.
    pub decision: i64,
    /// When it was made.
    pub at: UnixMs,
    /// Where it is in its life: a word of the loop.
    pub status: String,
    /// When it came to its end; `None` as long as it has not.
    pub ended_at: Option<UnixMs>,
    /// The plan, a JSON text.
    pub text: String,
}

/// What became of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStatus {
    /// Its hash.
    pub plan: Digest,
    /// Where it is in its life: a word of the loop.
    pub status: String,
    /// When it came to its end; `None` as long as it has not.
    pub ended_at: Option<UnixMs>,
}

/// An entry of the journal of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// The plan.
    pub plan: Digest,
    /// The place of the entry in the journal, from 0.
    pub sequence: i64,
    /// The entry, a JSON text.
    pub entry: String,
}

impl FromRow for PlanRow {
    const TABLE: &'static str = "plans";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(PlanRow {
            hash: c.digest("hash")?,
            application: c.text("application")?,
            decision: c.int("decision")?,
            at: c.time("at")?,
            status: c.text("status")?,
            ended_at: c.maybe_time("ended_at")?,
            text: c.text("text")?,
        })
    }
}

impl Store {
    /// The plans of an application, the latest first; those alone with this status when it is given.
    ///
    /// # Errors
    /// When the database cannot be read. An unknown application has none.
    pub async fn plans(
        &self,
        application: &str,
        page: Before,
        status: Option<&str>,
    ) -> Result<Listed<PlanRow>, StoreError> {
        let limit = limit(page.limit);
        let rows = sqlx::query(
            "SELECT hash, application, decision, at, status, ended_at, text FROM plans WHERE application = $1 \
             AND decision < $2 AND ($3 IS NULL OR status = $3) ORDER BY decision DESC LIMIT $4",
        )
        .bind(application)
        .bind(page.number.unwrap_or(i64::MAX))
        .bind(status)
        .bind(one_more(limit))
        .fetch_all(self.reader())
        .await
        .doing("listing plans")?;
        Ok(Listed::of(PlanRow::from_rows(&rows)?, limit))
    }

    /// A plan by its hash.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, or it was too old to be kept.
    pub async fn plan(&self, hash: Digest) -> Result<PlanRow, StoreError> {
        let row = sqlx::query("SELECT * FROM plans WHERE hash = $1")
            .bind(hash.to_string())
            .fetch_optional(self.reader())
            .await
            .doing("reading a plan")?;
        PlanRow::from_row(&row.ok_or_else(|| StoreError::not_found("plan", hash.to_string()))?)
    }

    /// The entries of the journal of a plan, in their order.
    ///
    /// # Errors
    /// When the database cannot be read. [`StoreError::Corrupt`] when entries are missing: nothing may then be concluded
    /// from the rest.
    pub async fn journal(&self, plan: Digest) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("SELECT sequence, entry FROM journal WHERE plan = $1 ORDER BY sequence")
            .bind(plan.to_string())
            .fetch_all(self.reader())
            .await
            .doing("reading a journal")?;
        let mut entries = Vec::with_capacity(rows.len());
        for (expected, row) in (0..).zip(&rows) {
            let columns = Columns::new("journal", row);
            if columns.int("sequence")? != expected {
                return Err(StoreError::corrupt(format!("the journal of plan {plan}, entry {expected}")));
            }
            entries.push(columns.text("entry")?);
        }
        Ok(entries)
    }
}

/// Writes a plan as part of a step of the loop.
pub(crate) async fn write(tx: &mut AnyConnection, application: &str, row: &PlanRow) -> Result<(), StoreError> {
    check_text("the plan", &row.text)?;
    let PlanRow { hash, application: _, decision, at, status, ended_at, text } = row;
    let written = sqlx::query(
        "INSERT INTO plans (hash, application, decision, at, status, ended_at, text) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(hash.to_string())
    .bind(application)
    .bind(*decision)
    .bind(at.0)
    .bind(status)
    .bind(ended_at.map(|t| t.0))
    .bind(text)
    .execute(tx)
    .await
    .doing("writing a plan")?;
    match written.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::conflict("plan", hash.to_string(), Clash::Exists)),
    }
}

/// Notes what became of a plan.
pub(crate) async fn write_status(
    tx: &mut AnyConnection,
    application: &str,
    row: &PlanStatus,
) -> Result<(), StoreError> {
    let PlanStatus { plan, status, ended_at } = row;
    let written = sqlx::query("UPDATE plans SET status = $1, ended_at = $2 WHERE hash = $3 AND application = $4")
        .bind(status)
        .bind(ended_at.map(|t| t.0))
        .bind(plan.to_string())
        .bind(application)
        .execute(tx)
        .await
        .doing("writing what became of a plan")?;
    match written.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::not_found("plan", plan.to_string())),
    }
}

/// Writes an entry of a journal. An entry that is there already is never written over, and none may be left out.
pub(crate) async fn write_entry(tx: &mut AnyConnection, row: &JournalRow) -> Result<(), StoreError> {
    check_text("the entry of the journal", &row.entry)?;
    let JournalRow { plan, sequence, entry } = row;
    let name = || format!("{sequence} of plan {plan}");
    if *sequence < 0 {
        return Err(StoreError::invalid(format!("journal entry {}", name()), "its number must not be negative"));
    }
    let written = sqlx::query(
        "INSERT INTO journal (plan, sequence, entry) SELECT $1, $2, $3 WHERE $4 < 0 \
         OR EXISTS (SELECT 1 FROM journal WHERE plan = $1 AND sequence = $4) ON CONFLICT (plan, sequence) DO NOTHING",
    )
    .bind(plan.to_string())
    .bind(*sequence)
    .bind(entry)
    .bind(*sequence - 1)
    .execute(tx)
    .await
    .doing("writing a journal")?;
    match written.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::conflict("journal entry", name(), Clash::OutOfOrder)),
    }
}
