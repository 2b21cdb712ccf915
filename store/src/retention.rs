//! Forgetting what is too old.

use cardinal_adapter::time::UnixMs;

use crate::error::{Doing, StoreError};
use crate::idempotency::KEY_KEPT_MS;
use crate::open::Store;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Nothing that happened at this time or later is forgotten.
    pub before: UnixMs,
    /// The last decisions of each application are kept however old they are.
    pub decisions_min: i64,
}

/// How many rows were forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events; those that still have to be delivered stay.
    pub events: u64,
    /// Decisions; those of a plan that has not ended stay.
    pub decisions: u64,
    /// Plans with their journals; those of a decision that is kept stay.
    pub plans: u64,
    /// Orders that were taken.
    pub orders: u64,
    /// Idempotency keys, ended deliveries, tokens that are no longer good and replicas that are gone.
    pub others: u64,
}

const EVENTS: &str = "DELETE FROM events WHERE at < $1 \
    AND id NOT IN (SELECT event FROM deliveries WHERE state = 'due') \
    AND id <= (SELECT COALESCE(MIN(seen), 9223372036854775807) FROM webhooks WHERE paused = 0)";

const DECISIONS: &str = "DELETE FROM decisions WHERE at < $1 AND number <= \
    (SELECT MAX(d.number) FROM decisions d WHERE d.application = decisions.application) - $2 \
    AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.application = decisions.application \
    AND p.decision = decisions.number AND p.ended_at IS NULL)";

const JOURNALS: &str = "DELETE FROM journal WHERE plan IN (SELECT hash FROM plans WHERE ended_at < $1 AND NOT EXISTS \
    (SELECT 1 FROM decisions d WHERE d.application = plans.application AND d.number = plans.decision))";

const PLANS: &str = "DELETE FROM plans WHERE ended_at < $1 AND NOT EXISTS \
    (SELECT 1 FROM decisions d WHERE d.application = plans.application AND d.number = plans.decision)";

impl Store {
    /// Forgets what is too old, in steps that do not hold others up for long.
    ///
    /// # Errors
    /// When the database cannot be written; what was forgotten until then stays forgotten.
    pub async fn prune(&self, retention: Retention, now: UnixMs) -> Result<Pruned, StoreError> {
        let before = retention.before.0;
        let events = self.forget(EVENTS, &[before]).await?;
        let decisions = self.forget(DECISIONS, &[before, retention.decisions_min.max(1)]).await?;
        self.forget(JOURNALS, &[before]).await?;
        let plans = self.forget(PLANS, &[before]).await?;
        let orders = self.forget("DELETE FROM orders WHERE taken_at < $1", &[before]).await?;
        let keys_before = now.0.saturating_sub_unsigned(KEY_KEPT_MS);
        let others = self.forget("DELETE FROM idempotency WHERE begun_at <= $1", &[keys_before]).await?
            + self.forget("DELETE FROM deliveries WHERE state <> 'due' AND next_at < $1", &[before]).await?
            + self.forget("DELETE FROM tokens WHERE revoked_at < $1 OR expires_at < $1", &[before]).await?
            + self.forget("DELETE FROM replicas WHERE until_at < $1", &[before]).await?;
        Ok(Pruned { events, decisions, plans, orders, others })
    }

    async fn forget(&self, sql: &'static str, values: &[i64]) -> Result<u64, StoreError> {
        let doing = "forgetting what is too old";
        let mut tx = self.begin(doing).await?;
        let mut query = sqlx::query(sql);
        for value in values {
            query = query.bind(*value);
        }
        let done = query.execute(&mut *tx).await.doing(doing)?;
        tx.commit().await.doing(doing)?;
        Ok(done.rows_affected())
    }
}
