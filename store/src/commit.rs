//! One step of the loop of an application, durable as a whole or not at all; and what the loop reads when it starts.

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::applications::{Status, turn};
use crate::counter::Counter;
use crate::decisions::{self, DecisionRow};
use crate::error::{Clash, Doing, StoreError};
use crate::events::{NewEvent, append};
use crate::glances::{self, Glance};
use crate::leases::Lease;
use crate::open::Store;
use crate::plans::{self, JournalRow, PlanRow, PlanStatus};
use crate::row::Columns;
use crate::words::check_text;

/// What a step of the loop makes durable. Whatever names an application in it must name that of the lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// The state of the loop, a JSON text; the one before stays when there is none.
    pub state: Option<String>,
    /// What lists show of the loop, written with its state; then the application can be looked after again, whatever was
    /// wrong before.
    pub glance: Option<Glance>,
    /// Why the application cannot be looked after, when that is so.
    pub broken: Option<String>,
    /// Decisions that were made.
    pub decisions: Vec<DecisionRow>,
    /// Plans that were made.
    pub plans: Vec<PlanRow>,
    /// What became of plans.
    pub plan_statuses: Vec<PlanStatus>,
    /// Entries of the journals of plans, each after the one before it.
    pub journal: Vec<JournalRow>,
    /// What others want to know; the application is that of the lease.
    pub events: Vec<NewEvent>,
    /// The numbers of the orders that the step has taken.
    pub orders: Vec<i64>,
    /// The state of the embedded simulated cloud, a JSON text; the one before stays when there is none.
    pub cloud: Option<String>,
    /// Where the application now is in its life, when that changes.
    pub status: Option<Status>,
}

impl Store {
    /// Makes a step of the loop durable, and gives the number of its last event. All of it is written or nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] unless the lease still holds; [`StoreError::Conflict`] when an order was taken already or a
    /// decision, plan or entry of a journal is there already.
    pub async fn commit(&self, lease: &Lease, now: UnixMs, commit: &Commit) -> Result<Option<i64>, StoreError> {
        let doing = "making a step of the loop durable";
        let Commit { state, glance, broken, decisions, plans, plan_statuses, journal, events, orders, cloud, status } =
            commit;
        let application = lease.application.as_str();
        check_owner(application, commit)?;
        let mut tx = self.begin(doing).await?;
        let change = match status {
            Some(_) => Some(Counter::Change.take(&mut tx, 1).await?),
            None => None,
        };
        self.fence(&mut tx, lease, now).await?;
        if let Some(state) = state {
            STATE.write(&mut tx, application, state).await?;
        }
        if let Some(glance) = glance {
            glances::write(&mut tx, application, glance).await?;
        }
        if let Some(reason) = broken {
            glances::write_broken(&mut tx, application, reason).await?;
        }
        if let Some(cloud) = cloud {
            CLOUD.write(&mut tx, application, cloud).await?;
        }
        for decision in decisions {
            decisions::write(&mut tx, application, decision).await?;
        }
        for plan in plans {
            plans::write(&mut tx, application, plan).await?;
        }
        for entry in journal {
            plans::write_entry(&mut tx, entry).await?;
        }
        for plan in plan_statuses {
            plans::write_status(&mut tx, application, plan).await?;
        }
        for order in orders {
            take_order(&mut tx, application, *order, now).await?;
        }
        if let (Some(status), Some(change)) = (status, change) {
            turn(&mut tx, application, *status, now, change).await?;
        }
        let events: Vec<NewEvent> =
            events.iter().map(|e| NewEvent { application: Some(application.to_owned()), ..e.clone() }).collect();
        let last = append(&mut tx, &events).await?;
        tx.commit().await.doing(doing)?;
        Ok(last)
    }

    /// Makes the state of the embedded simulated cloud durable.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] unless the lease still holds.
    pub async fn set_cloud(&self, lease: &Lease, now: UnixMs, state: &str) -> Result<(), StoreError> {
        let mut tx = self.begin("keeping the state of a cloud").await?;
        self.fence(&mut tx, lease, now).await?;
        CLOUD.write(&mut tx, &lease.application, state).await?;
        tx.commit().await.doing("keeping the state of a cloud")
    }

    /// The state of the loop of an application; `None` when it has not begun.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn loop_state(&self, application: &str) -> Result<Option<String>, StoreError> {
        self.loop_column(application, "state").await
    }

    /// The last state of the loop that an application of this name had before it was gone. The numbers of decisions and the
    /// target go on from there, because the history of the name stays.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn former_loop_state(&self, application: &str) -> Result<Option<String>, StoreError> {
        self.loop_column(application, "former").await
    }

    async fn loop_column(&self, application: &str, column: &'static str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT state, former FROM loops WHERE application = $1")
            .bind(application)
            .fetch_optional(self.reader())
            .await
            .doing("reading the state of a loop")?;
        row.map_or(Ok(None), |row| Columns::new("loops", &row).maybe_text(column))
    }

    /// The state of the embedded simulated cloud of an application. It stays when the application is gone, as a cloud does.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn cloud(&self, application: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT state FROM clouds WHERE application = $1")
            .bind(application)
            .fetch_optional(self.reader())
            .await
            .doing("reading the state of a cloud")?;
        row.map(|row| Columns::new("clouds", &row).text("state")).transpose()
    }
}

/// A lease lets its holder write about one application.
fn check_owner(application: &str, commit: &Commit) -> Result<(), StoreError> {
    let named =
        commit.decisions.iter().map(|d| &d.summary.application).chain(commit.plans.iter().map(|p| &p.application));
    for name in named.chain(commit.events.iter().filter_map(|e| e.application.as_ref())) {
        if name != application {
            let why = format!("it names application `{name}`, and the lease is for `{application}`");
            return Err(StoreError::invalid("the step of the loop", why));
        }
    }
    Ok(())
}

/// A text that is kept for each application, the last one only.
struct Kept {
    what: &'static str,
    doing: &'static str,
    sql: &'static str,
}

const STATE: Kept = Kept {
    what: "the state of the loop",
    doing: "writing the state of a loop",
    sql: "INSERT INTO loops (application, state) VALUES ($1, $2) \
        ON CONFLICT (application) DO UPDATE SET state = excluded.state",
};

const CLOUD: Kept = Kept {
    what: "the state of the cloud",
    doing: "writing the state of a cloud",
    sql: "INSERT INTO clouds (application, state) VALUES ($1, $2) \
        ON CONFLICT (application) DO UPDATE SET state = excluded.state",
};

impl Kept {
    async fn write(&self, tx: &mut AnyConnection, application: &str, text: &str) -> Result<(), StoreError> {
        check_text(self.what, text)?;
        sqlx::query(self.sql).bind(application).bind(text).execute(tx).await.doing(self.doing).map(drop)
    }
}

async fn take_order(tx: &mut AnyConnection, application: &str, id: i64, now: UnixMs) -> Result<(), StoreError> {
    let taken = sqlx::query("UPDATE orders SET taken_at = $1 WHERE id = $2 AND application = $3 AND taken_at IS NULL")
        .bind(now.0)
        .bind(id)
        .bind(application)
        .execute(tx)
        .await
        .doing("taking an order")?;
    match taken.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::conflict("order", format!("{id} of {application}"), Clash::Taken)),
    }
}
