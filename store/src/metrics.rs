//! Metric values: the last of each name of each application.

use std::collections::BTreeMap;

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;
use sqlx::AssertSqlSafe;

use crate::counter::Counter;
use crate::error::{Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::{check_name, check_text};

/// A metric value.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRow {
    /// The name of the metric.
    pub name: String,
    /// The value, in the unit of the metric; finite.
    pub value: f64,
    /// When it was measured.
    pub at: UnixMs,
    /// What else is known of it, a JSON text.
    pub labels: Option<String>,
}

/// A metric value with its application.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedMetric {
    /// The application.
    pub application: String,
    /// The value.
    pub metric: MetricRow,
    /// When it came in.
    pub received_at: UnixMs,
}

impl FromRow for MetricRow {
    const TABLE: &'static str = "metrics";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(MetricRow {
            name: c.text("name")?,
            value: c.real("value")?,
            at: c.time("at")?,
            labels: c.maybe_text("labels")?,
        })
    }
}

impl FromRow for ChangedMetric {
    const TABLE: &'static str = "metrics";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(ChangedMetric {
            application: c.text("application")?,
            metric: MetricRow::from_columns(c)?,
            received_at: c.time("received_at")?,
        })
    }
}

/// Rows are written in pieces of these sizes, so that few statements have to be prepared.
const PIECES: [usize; 3] = [64, 8, 1];

impl Store {
    /// Keeps metric values of an application. A value that is older than the one that is kept is passed over; of several
    /// with one name the latest counts. Gives how many were kept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such application or it is gone, [`StoreError::Invalid`] when a value is
    /// not finite or a name is none.
    pub async fn put_metrics(
        &self,
        application: &str,
        metrics: &[MetricRow],
        received_at: UnixMs,
    ) -> Result<u64, StoreError> {
        let doing = "keeping metric values";
        let mut latest: BTreeMap<&str, &MetricRow> = BTreeMap::new();
        for metric in metrics {
            check(metric)?;
            let known = latest.entry(&metric.name).or_insert(metric);
            if metric.at >= known.at {
                *known = metric;
            }
        }
        let mut tx = self.begin(doing).await?;
        let known = sqlx::query("SELECT name FROM applications WHERE name = $1 AND status <> 'gone'")
            .bind(application)
            .fetch_optional(&mut *tx)
            .await
            .doing(doing)?;
        if known.is_none() {
            return Err(StoreError::not_found("application", application));
        }
        // As late as can be, because others wait for it on a server.
        let change = Counter::Change.take(&mut tx, 1).await?;
        let mut rest: &[&MetricRow] = &latest.into_values().collect::<Vec<_>>();
        let mut kept = 0;
        for piece in PIECES {
            while rest.len() >= piece {
                let (now, later) = rest.split_at(piece);
                kept += upsert(&mut tx, application, now, received_at, change).await?;
                rest = later;
            }
        }
        tx.commit().await.doing(doing)?;
        Ok(kept)
    }

    /// The metric values of an application by name.
    ///
    /// # Errors
    /// When the database cannot be read. An unknown application has none.
    pub async fn metrics(&self, application: &str) -> Result<Vec<MetricRow>, StoreError> {
        let rows = sqlx::query("SELECT name, value, at, labels FROM metrics WHERE application = $1 ORDER BY name")
            .bind(application)
            .fetch_all(self.reader())
            .await
            .doing("reading metric values")?;
        MetricRow::from_rows(&rows)
    }

    /// The metric values of all applications that changed after a number, and the number to ask with next. The first time
    /// ask with 0. A value may be given twice, none is left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn metrics_since(&self, change: i64) -> Result<(Vec<ChangedMetric>, i64), StoreError> {
        let last = Counter::Change.last(self.reader()).await?;
        let rows = sqlx::query(
            "SELECT application, name, value, at, labels, received_at FROM metrics WHERE change > $1 \
             ORDER BY change, application, name",
        )
        .bind(change)
        .fetch_all(self.reader())
        .await
        .doing("reading metric values")?;
        Ok((ChangedMetric::from_rows(&rows)?, last))
    }
}

fn check(metric: &MetricRow) -> Result<(), StoreError> {
    check_name("the name of the metric", &metric.name)?;
    if let Some(labels) = &metric.labels {
        check_text("the labels of the metric", labels)?;
    }
    if metric.value.is_finite() {
        return Ok(());
    }
    Err(StoreError::invalid(format!("metric `{}`", metric.name), "the value is not finite; leave it out instead"))
}

async fn upsert(
    tx: &mut AnyConnection,
    application: &str,
    metrics: &[&MetricRow],
    received_at: UnixMs,
    change: i64,
) -> Result<u64, StoreError> {
    let places: Vec<String> = (0..metrics.len())
        .map(|i| format!("($1, ${}, ${}, ${}, $2, $3, ${})", 4 + 4 * i, 5 + 4 * i, 6 + 4 * i, 7 + 4 * i))
        .collect();
    let sql = format!(
        "INSERT INTO metrics (application, name, value, at, received_at, change, labels) VALUES {} \
         ON CONFLICT (application, name) DO UPDATE SET value = excluded.value, at = excluded.at, \
         received_at = excluded.received_at, change = excluded.change, labels = excluded.labels \
         WHERE excluded.at >= metrics.at",
        places.join(", ")
    );
    // The text depends on the number of rows alone.
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(application).bind(received_at.0).bind(change);
    for metric in metrics {
        query = query.bind(&metric.name).bind(metric.value).bind(metric.at.0).bind(metric.labels.as_deref());
    }
    Ok(query.execute(tx).await.doing("keeping metric values")?.rows_affected())
}
