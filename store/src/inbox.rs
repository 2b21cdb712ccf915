//! What people ordered, until the leader of the application takes it; and what changed, for whoever looks regularly.

use cardinal_adapter::time::UnixMs;

use crate::counter::Counter;
use crate::error::{Clash, Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::check_text;

/// An order of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxRow {
    /// Its number; a later order has a larger one.
    pub id: i64,
    /// The application.
    pub application: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: UnixMs,
    /// What, a JSON text.
    pub order: String,
}

impl FromRow for InboxRow {
    const TABLE: &'static str = "orders";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(InboxRow {
            id: c.int("id")?,
            application: c.text("application")?,
            by: c.text("author")?,
            at: c.time("at")?,
            order: c.text("body")?,
        })
    }
}

impl Store {
    /// Leaves an order for whoever leads the application. It is carried out exactly once: [`Store::commit`] takes it in
    /// the transaction that makes its effect durable.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such application, [`StoreError::Conflict`] when it is gone.
    pub async fn order(&self, application: &str, by: &str, order: &str, at: UnixMs) -> Result<i64, StoreError> {
        check_text("the order", order)?;
        let doing = "leaving an order";
        let mut tx = self.begin(doing).await?;
        let id = Counter::Change.take(&mut tx, 1).await?;
        match crate::applications::find(&mut tx, application).await? {
            None => return Err(StoreError::not_found("application", application)),
            Some(found) if found.status == crate::Status::Gone => {
                return Err(StoreError::conflict("application", application, Clash::Gone));
            }
            Some(_) => {}
        }
        sqlx::query(
            "INSERT INTO orders (id, application, author, at, taken_at, body) VALUES ($1, $2, $3, $4, NULL, $5)",
        )
        .bind(id)
        .bind(application)
        .bind(by)
        .bind(at.0)
        .bind(order)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        tx.commit().await.doing(doing)?;
        Ok(id)
    }

    /// The orders of an application that nobody has taken yet, in the order in which they were given.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn orders(&self, application: &str) -> Result<Vec<InboxRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, application, author, at, body FROM orders WHERE application = $1 AND taken_at IS NULL ORDER BY id",
        )
        .bind(application)
        .fetch_all(self.reader())
        .await
        .doing("reading orders")?;
        InboxRow::from_rows(&rows)
    }

    /// The applications with a new order, model, setting or status after a number, by name, and the number to ask with
    /// next. The first time ask with 0. One may be given twice, none is left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn inbox_since(&self, change: i64) -> Result<(Vec<String>, i64), StoreError> {
        let last = Counter::Change.last(self.reader()).await?;
        if last == change {
            return Ok((Vec::new(), last));
        }
        let rows = sqlx::query(
            "SELECT name FROM applications WHERE change > $1 UNION SELECT application AS name FROM orders WHERE id > $1 \
             ORDER BY name",
        )
        .bind(change)
        .fetch_all(self.reader())
        .await
        .doing("looking for changes")?;
        let names = rows.iter().map(|row| Columns::new("applications", row).text("name")).collect::<Result<_, _>>()?;
        Ok((names, last))
    }
}
