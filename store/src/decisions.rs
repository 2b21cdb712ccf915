//! Decisions: what was concluded, why, and from what.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::error::{Clash, Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow, Listed, one_more};
use crate::words::{check_text, limit};

/// A decision at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionSummary {
    /// The application.
    pub application: String,
    /// Its number, from 1.
    pub number: i64,
    /// When.
    pub at: UnixMs,
    /// The digest of what was concluded.
    pub digest: Digest,
    /// The digest of the model.
    pub model: Digest,
    /// The digest of the catalog.
    pub catalog: Digest,
    /// What happens next: `nothing`, `approval`, `apply`.
    pub next: String,
    /// True when no placement is better by more than the gap that was asked for.
    pub proven: bool,
    /// All of it in one sentence.
    pub sentence: String,
}

/// A decision with everything that it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// At a glance.
    pub summary: DecisionSummary,
    /// Its input, a JSON text.
    pub input: String,
    /// What was concluded, a JSON text.
    pub decision: String,
}

/// Which decisions or plans of an application, the latest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Of decisions with smaller numbers; from the latest when there is none.
    pub number: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl FromRow for DecisionSummary {
    const TABLE: &'static str = "decisions";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(DecisionSummary {
            application: c.text("application")?,
            number: c.int("number")?,
            at: c.time("at")?,
            digest: c.digest("digest")?,
            model: c.digest("model")?,
            catalog: c.digest("catalog")?,
            next: c.text("next")?,
            proven: c.truth("proven")?,
            sentence: c.text("sentence")?,
        })
    }
}

impl FromRow for DecisionRow {
    const TABLE: &'static str = "decisions";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(DecisionRow {
            summary: DecisionSummary::from_columns(c)?,
            input: c.text("input")?,
            decision: c.text("decision")?,
        })
    }
}

impl Store {
    /// The decisions of an application, the latest first; those alone that lead to `next` when it is given.
    ///
    /// # Errors
    /// When the database cannot be read. An unknown application has none.
    pub async fn decisions(
        &self,
        application: &str,
        page: Before,
        next: Option<&str>,
    ) -> Result<Listed<DecisionSummary>, StoreError> {
        let limit = limit(page.limit);
        let rows = sqlx::query(
            "SELECT application, number, at, digest, model, catalog, next, proven, sentence FROM decisions \
             WHERE application = $1 AND number < $2 AND ($3 IS NULL OR next = $3) ORDER BY number DESC LIMIT $4",
        )
        .bind(application)
        .bind(page.number.unwrap_or(i64::MAX))
        .bind(next)
        .bind(one_more(limit))
        .fetch_all(self.reader())
        .await
        .doing("listing decisions")?;
        Ok(Listed::of(DecisionSummary::from_rows(&rows)?, limit))
    }

    /// A decision with its input.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, or it was too old to be kept.
    pub async fn decision(&self, application: &str, number: i64) -> Result<DecisionRow, StoreError> {
        let row = sqlx::query("SELECT * FROM decisions WHERE application = $1 AND number = $2")
            .bind(application)
            .bind(number)
            .fetch_optional(self.reader())
            .await
            .doing("reading a decision")?;
        let row = row.ok_or_else(|| StoreError::lacking(application, format!("decision {number}")))?;
        DecisionRow::from_row(&row)
    }
}

/// Writes a decision as part of a step of the loop.
pub(crate) async fn write(tx: &mut AnyConnection, application: &str, row: &DecisionRow) -> Result<(), StoreError> {
    check_text("the input of the decision", &row.input)?;
    check_text("the decision", &row.decision)?;
    let DecisionSummary { application: _, number, at, digest, model, catalog, next, proven, sentence } = &row.summary;
    let written = sqlx::query(
        "INSERT INTO decisions (application, number, at, digest, model, catalog, next, proven, sentence, input, decision) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (application, number) DO NOTHING",
    )
    .bind(application)
    .bind(*number)
    .bind(at.0)
    .bind(digest.to_string())
    .bind(model.to_string())
    .bind(catalog.to_string())
    .bind(next)
    .bind(i64::from(*proven))
    .bind(sentence)
    .bind(&row.input)
    .bind(&row.decision)
    .execute(tx)
    .await
    .doing("writing a decision")?;
    match written.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::conflict("decision", format!("{number} of {application}"), Clash::Exists)),
    }
}
