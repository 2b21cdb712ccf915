//! Idempotency keys: a request that is repeated gets the answer of the first time, and has its effect once.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;

use crate::error::{Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::check_name;

/// What is to be done with a request that carries a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Carry it out, and end with [`Store::idempotent_end`] or [`Store::idempotent_forget`].
    Fresh,
    /// Give this answer again.
    Replay(Answer),
    /// The first one is still being carried out.
    InFlight,
    /// The key was used with another request.
    Mismatch,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, as the caller writes them.
    pub headers: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A key is kept so long, in milliseconds.
pub const KEY_KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// A request that has had no answer for so long, in milliseconds, is not being carried out any more: its process died.
pub const IN_FLIGHT_MS_MAX: u64 = 5 * 60 * 1000;

struct Known {
    fingerprint: Digest,
    answer: Option<Answer>,
}

impl FromRow for Known {
    const TABLE: &'static str = "idempotency";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        let status = c.maybe_int("status")?.map(u16::try_from).transpose();
        let status = status.map_err(|_| StoreError::corrupt("column `status` of table `idempotency`"))?;
        let answer = match (status, c.maybe_text("headers")?, c.maybe_bytes("body")?) {
            (Some(status), Some(headers), Some(body)) => Some(Answer { status, headers, body }),
            _ => None,
        };
        Ok(Known { fingerprint: c.digest("fingerprint")?, answer })
    }
}

impl Store {
    /// Asks what to do with a request of a principal. The fingerprint is the digest of everything that makes requests
    /// differ: method, path and body.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn idempotent_begin(
        &self,
        key: &str,
        principal: &str,
        fingerprint: Digest,
        now: UnixMs,
    ) -> Result<Repeat, StoreError> {
        let doing = "looking an idempotency key up";
        check_name("the idempotency key", key)?;
        let mut tx = self.begin(doing).await?;
        let inserted = sqlx::query(
            "INSERT INTO idempotency (principal, key, fingerprint, begun_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (principal, key) DO UPDATE SET fingerprint = excluded.fingerprint, \
             begun_at = excluded.begun_at, status = NULL, headers = NULL, body = NULL \
             WHERE idempotency.begun_at <= $5 \
             OR (idempotency.status IS NULL AND idempotency.begun_at <= $6 \
                 AND idempotency.fingerprint = excluded.fingerprint)",
        )
        .bind(principal)
        .bind(key)
        .bind(fingerprint.to_string())
        .bind(now.0)
        .bind(now.0.saturating_sub_unsigned(KEY_KEPT_MS))
        .bind(now.0.saturating_sub_unsigned(IN_FLIGHT_MS_MAX))
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        if inserted.rows_affected() == 1 {
            tx.commit().await.doing(doing)?;
            return Ok(Repeat::Fresh);
        }
        let row = sqlx::query("SELECT * FROM idempotency WHERE principal = $1 AND key = $2")
            .bind(principal)
            .bind(key)
            .fetch_one(&mut *tx)
            .await
            .doing(doing)?;
        let known = Known::from_row(&row)?;
        Ok(match known.answer {
            _ if known.fingerprint != fingerprint => Repeat::Mismatch,
            Some(answer) => Repeat::Replay(answer),
            None => Repeat::InFlight,
        })
    }

    /// Keeps the answer to a request, to be given again.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn idempotent_end(&self, key: &str, principal: &str, answer: &Answer) -> Result<(), StoreError> {
        let doing = "keeping the answer of an idempotency key";
        let mut tx = self.begin(doing).await?;
        sqlx::query("UPDATE idempotency SET status = $1, headers = $2, body = $3 WHERE principal = $4 AND key = $5")
            .bind(i64::from(answer.status))
            .bind(&answer.headers)
            .bind(&answer.body)
            .bind(principal)
            .bind(key)
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        tx.commit().await.doing(doing)
    }

    /// Forgets a request that had no effect, so that it can be repeated with its key.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn idempotent_forget(&self, key: &str, principal: &str) -> Result<(), StoreError> {
        let doing = "forgetting an idempotency key";
        let mut tx = self.begin(doing).await?;
        sqlx::query("DELETE FROM idempotency WHERE principal = $1 AND key = $2 AND status IS NULL")
            .bind(principal)
            .bind(key)
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        tx.commit().await.doing(doing)
    }
}
