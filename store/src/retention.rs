//! Forgetting what is too old.

use cardinal_adapter::time::UnixMs;

use crate::error::{Doing, StoreError};
use crate::idempotency::KEY_KEPT_MS;
use crate::open::Store;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events, deliveries, metric values and tokens that were over before this time are forgotten.
    pub events_before: UnixMs,
    /// Decisions, plans and orders that were over before this time are forgotten.
    pub decisions_before: UnixMs,
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
    /// Values of metrics that were not renewed.
    pub metrics: u64,
    /// Idempotency keys, ended deliveries, tokens that are no longer good and replicas that are gone.
    pub others: u64,
}

/// So many rows are forgotten at once; others write in between.
const STEP: i64 = 500;

const EVENTS: &str = "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < $1 \
    AND id NOT IN (SELECT event FROM deliveries WHERE state = 'due') \
    AND id <= (SELECT COALESCE(MIN(seen), 9223372036854775807) FROM webhooks WHERE paused = 0) \
    ORDER BY at LIMIT $2)";

const DECISIONS: &str = "DELETE FROM decisions WHERE (application, number) IN (SELECT application, number \
    FROM decisions o WHERE at < $1 AND number <= \
    (SELECT MAX(d.number) FROM decisions d WHERE d.application = o.application) - $3 \
    AND NOT EXISTS (SELECT 1 FROM plans p WHERE p.application = o.application \
    AND p.decision = o.number AND p.ended_at IS NULL) ORDER BY at LIMIT $2)";

const JOURNALS: &str = "DELETE FROM journal WHERE plan IN (SELECT hash FROM plans WHERE ended_at < $1 AND NOT EXISTS \
    (SELECT 1 FROM decisions d WHERE d.application = plans.application AND d.number = plans.decision) \
    ORDER BY hash LIMIT $2)";

const PLANS: &str = "DELETE FROM plans WHERE hash IN (SELECT hash FROM plans WHERE ended_at < $1 AND NOT EXISTS \
    (SELECT 1 FROM decisions d WHERE d.application = plans.application AND d.number = plans.decision) \
    AND NOT EXISTS (SELECT 1 FROM journal j WHERE j.plan = plans.hash) ORDER BY hash LIMIT $2)";

const ORDERS: &str = "DELETE FROM orders WHERE id IN (SELECT id FROM orders WHERE taken_at < $1 ORDER BY id LIMIT $2)";

const METRICS: &str = "DELETE FROM metrics WHERE (application, name) IN (SELECT application, name FROM metrics \
    WHERE received_at < $1 ORDER BY received_at LIMIT $2)";

const KEYS: &str = "DELETE FROM idempotency WHERE (principal, key) IN (SELECT principal, key FROM idempotency \
    WHERE begun_at <= $1 ORDER BY begun_at LIMIT $2)";

const DELIVERIES: &str = "DELETE FROM deliveries WHERE (webhook, event) IN (SELECT webhook, event FROM deliveries \
    WHERE state <> 'due' AND next_at < $1 ORDER BY next_at LIMIT $2)";

impl Store {
    /// Forgets what is too old, in steps that do not hold others up for long.
    ///
    /// # Errors
    /// When the database cannot be written; what was forgotten until then stays forgotten.
    pub async fn prune(&self, retention: Retention, now: UnixMs) -> Result<Pruned, StoreError> {
        let (events_before, decisions_before) = (retention.events_before.0, retention.decisions_before.0);
        let events = self.forget(EVENTS, events_before, None).await?;
        let kept = Some(retention.decisions_min.max(1));
        let decisions = self.forget(DECISIONS, decisions_before, kept).await?;
        let plans = self.forget_plans(decisions_before).await?;
        let orders = self.forget(ORDERS, decisions_before, None).await?;
        let metrics = self.forget(METRICS, events_before, None).await?;
        let others = self.forget(KEYS, now.0.saturating_sub_unsigned(KEY_KEPT_MS), None).await?
            + self.forget(DELIVERIES, events_before, None).await?
            + self.step("DELETE FROM tokens WHERE revoked_at < $1 OR expires_at < $1", &[events_before]).await?
            + self.step("DELETE FROM replicas WHERE until_at < $1", &[events_before]).await?;
        Ok(Pruned { events, decisions, plans, orders, metrics, others })
    }

    /// Plans go after their journals, which can be long, so that no entry is left without its plan.
    async fn forget_plans(&self, before: i64) -> Result<u64, StoreError> {
        // Journals are taken by plan: a few plans at a time have many entries.
        const PLANS_AT_A_TIME: i64 = 20;
        let mut plans = 0;
        loop {
            let entries = self.step(JOURNALS, &[before, PLANS_AT_A_TIME]).await?;
            let gone = self.step(PLANS, &[before, PLANS_AT_A_TIME]).await?;
            plans += gone;
            if entries == 0 && gone == 0 {
                return Ok(plans);
            }
        }
    }

    /// Forgets step by step until nothing is left to forget.
    async fn forget(&self, sql: &'static str, before: i64, kept: Option<i64>) -> Result<u64, StoreError> {
        let values: Vec<i64> = [before, STEP].into_iter().chain(kept).collect();
        let mut all = 0;
        loop {
            let gone = self.step(sql, &values).await?;
            all += gone;
            if gone < STEP.unsigned_abs() {
                return Ok(all);
            }
        }
    }

    async fn step(&self, sql: &'static str, values: &[i64]) -> Result<u64, StoreError> {
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
