//! Leases: which replica leads which application, and until when.
//!
//! Each time an application changes hands its epoch rises; what a former holder still wants to write is refused, because
//! [`crate::Store::commit`] looks at holder, epoch and end in the transaction that it writes in. With PostgreSQL the
//! server's clock counts and the `now` of the caller does not; with SQLite the caller's does.

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::error::{Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::check_name;

/// The right to lead an application for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The application.
    pub application: String,
    /// Who leads it.
    pub holder: String,
    /// Rises each time the application changes hands.
    pub epoch: i64,
    /// Until when, by the clock of leases.
    pub until: UnixMs,
}

/// What a holder has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The leases that it still holds, by application.
    pub leases: Vec<Lease>,
    /// How many it should hold at most, so that all replicas that are alive have as many. It may give the rest back with
    /// [`Store::release_some`] when nothing is under way there.
    pub share: usize,
}

impl FromRow for Lease {
    const TABLE: &'static str = "leases";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(Lease {
            application: c.text("application")?,
            holder: c.text("holder")?,
            epoch: c.int("epoch")?,
            until: c.time("until_at")?,
        })
    }
}

const ACQUIRE_SQLITE: &str = "WITH free AS MATERIALIZED (SELECT application FROM leases WHERE wanted = 1 \
    AND until_at <= $1 ORDER BY until_at, application LIMIT $2) \
    UPDATE leases SET holder = $3, epoch = epoch + 1, until_at = $4 \
    WHERE application IN (SELECT application FROM free) RETURNING application, holder, epoch, until_at";

/// Rows that another replica is taking or writing under are passed over instead of waited for.
const ACQUIRE_POSTGRES: &str = "WITH free AS MATERIALIZED (SELECT application FROM leases WHERE wanted = 1 \
    AND until_at <= $1 ORDER BY until_at, application LIMIT $2 FOR UPDATE SKIP LOCKED) \
    UPDATE leases SET holder = $3, epoch = epoch + 1, until_at = $4 \
    WHERE application IN (SELECT application FROM free) RETURNING application, holder, epoch, until_at";

impl Store {
    /// Takes the lead of applications that nobody leads, or whose leader has not renewed its lease: at most `most`, and no
    /// more than this replica's share. `holder` names the replica's present run; a replica that starts anew takes another
    /// name.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn acquire(&self, holder: &str, now: UnixMs, ttl_ms: u64, most: usize) -> Result<Vec<Lease>, StoreError> {
        let doing = "acquiring leases";
        check_name("the name of the replica", holder)?;
        let mut tx = self.begin(doing).await?;
        let now = self.clock(&mut tx, now).await?;
        sign_on(&mut tx, holder, now.plus_ms(ttl_ms)).await?;
        let room = share(&mut tx, now).await?.saturating_sub(held(&mut tx, holder, now).await?.len()).min(most);
        let rows = sqlx::query(self.either(ACQUIRE_SQLITE, ACQUIRE_POSTGRES))
            .bind(now.0)
            .bind(i64::try_from(room).unwrap_or(i64::MAX))
            .bind(holder)
            .bind(now.plus_ms(ttl_ms).0)
            .fetch_all(&mut *tx)
            .await
            .doing(doing)?;
        let mut leases = Lease::from_rows(&rows)?;
        tx.commit().await.doing(doing)?;
        leases.sort_by(|a, b| a.application.cmp(&b.application));
        Ok(leases)
    }

    /// Prolongs all leases that the holder still has. One that has expired is lost, also when nobody has taken it yet.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn renew(&self, holder: &str, now: UnixMs, ttl_ms: u64) -> Result<Holding, StoreError> {
        let doing = "renewing leases";
        check_name("the name of the replica", holder)?;
        let mut tx = self.begin(doing).await?;
        let now = self.clock(&mut tx, now).await?;
        sign_on(&mut tx, holder, now.plus_ms(ttl_ms)).await?;
        sqlx::query("UPDATE leases SET until_at = $1 WHERE holder = $2 AND until_at > $3")
            .bind(now.plus_ms(ttl_ms).0)
            .bind(holder)
            .bind(now.0)
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        let holding = Holding { leases: held(&mut tx, holder, now).await?, share: share(&mut tx, now).await? };
        tx.commit().await.doing(doing)?;
        Ok(holding)
    }

    /// True when an application has no leader: the cheap question before [`Store::acquire`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn is_any_free(&self, now: UnixMs) -> Result<bool, StoreError> {
        let doing = "looking for free leases";
        let mut connection = self.reader().acquire().await.doing(doing)?;
        let now = self.clock(&mut connection, now).await?;
        sqlx::query("SELECT application FROM leases WHERE wanted = 1 AND until_at <= $1 LIMIT 1")
            .bind(now.0)
            .fetch_optional(&mut *connection)
            .await
            .doing(doing)
            .map(|row| row.is_some())
    }

    /// Gives all leases back, as when the replica stops: another one may take them at once.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn release(&self, holder: &str) -> Result<(), StoreError> {
        let doing = "giving leases back";
        let mut tx = self.begin(doing).await?;
        sqlx::query("DELETE FROM replicas WHERE holder = $1").bind(holder).execute(&mut *tx).await.doing(doing)?;
        sqlx::query("UPDATE leases SET holder = NULL, until_at = 0 WHERE holder = $1")
            .bind(holder)
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        tx.commit().await.doing(doing)
    }

    /// Gives some leases back; those that are lost already are passed over.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn release_some(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let doing = "giving leases back";
        let mut tx = self.begin(doing).await?;
        for lease in leases {
            sqlx::query(
                "UPDATE leases SET holder = NULL, until_at = 0 WHERE application = $1 AND holder = $2 AND epoch = $3",
            )
            .bind(&lease.application)
            .bind(&lease.holder)
            .bind(lease.epoch)
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        }
        tx.commit().await.doing(doing)
    }

    /// Who leads an application now, by the clock of leases.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn leader(&self, application: &str, now: UnixMs) -> Result<Option<Lease>, StoreError> {
        let doing = "reading a lease";
        let mut connection = self.reader().acquire().await.doing(doing)?;
        let now = self.clock(&mut connection, now).await?;
        let row = sqlx::query(
            "SELECT application, holder, epoch, until_at FROM leases WHERE application = $1 AND holder IS NOT NULL \
             AND until_at > $2",
        )
        .bind(application)
        .bind(now.0)
        .fetch_optional(&mut *connection)
        .await
        .doing(doing)?;
        row.as_ref().map(Lease::from_row).transpose()
    }

    /// Refuses whoever does not hold the lease, and keeps it from changing hands until the transaction ends.
    pub(crate) async fn fence(&self, tx: &mut AnyConnection, lease: &Lease, now: UnixMs) -> Result<(), StoreError> {
        let now = self.clock(tx, now).await?;
        let held = sqlx::query(
            "UPDATE leases SET commits = commits + 1 WHERE application = $1 AND holder = $2 AND epoch = $3 \
             AND until_at > $4",
        )
        .bind(&lease.application)
        .bind(&lease.holder)
        .bind(lease.epoch)
        .bind(now.0)
        .execute(tx)
        .await
        .doing("asking for the lease")?;
        if held.rows_affected() == 1 {
            return Ok(());
        }
        Err(StoreError::Fenced { application: lease.application.clone(), holder: lease.holder.clone() })
    }
}

/// Notes that a replica is alive.
async fn sign_on(tx: &mut AnyConnection, holder: &str, until: UnixMs) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO replicas (holder, until_at) VALUES ($1, $2) \
         ON CONFLICT (holder) DO UPDATE SET until_at = excluded.until_at",
    )
    .bind(holder)
    .bind(until.0)
    .execute(tx)
    .await
    .doing("signing on")
    .map(drop)
}

/// How many applications each replica that is alive should lead.
async fn share(tx: &mut AnyConnection, now: UnixMs) -> Result<usize, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM leases WHERE wanted = 1) AS wanted, \
         (SELECT COUNT(*) FROM replicas WHERE until_at > $1) AS alive",
    )
    .bind(now.0)
    .fetch_one(tx)
    .await
    .doing("sharing applications out")?;
    let columns = Columns::new("leases", &row);
    let number = |column| columns.int(column).map(|n| usize::try_from(n).unwrap_or(0));
    Ok(number("wanted")?.div_ceil(number("alive")?.max(1)))
}

async fn held(tx: &mut AnyConnection, holder: &str, now: UnixMs) -> Result<Vec<Lease>, StoreError> {
    let rows = sqlx::query(
        "SELECT application, holder, epoch, until_at FROM leases WHERE holder = $1 AND until_at > $2 ORDER BY application",
    )
    .bind(holder)
    .bind(now.0)
    .fetch_all(tx)
    .await
    .doing("reading leases")?;
    Lease::from_rows(&rows)
}
