//! Loops at a glance: what lists show of them without reading their states.

use sqlx::AnyConnection;

use crate::applications::{APPLICATION, Application, Filter, Page, Status};
use crate::error::{Doing, StoreError};
use crate::open::Store;
use crate::row::{Columns, FromRow, Listed, one_more};
use crate::words::{check_text, contains, limit};

/// What lists show of a loop. Written together with its state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// What is under way, in a word.
    pub course: String,
    /// A person's pause, a JSON text.
    pub pause: Option<String>,
    /// The rules that what runs breaks, as was seen last.
    pub violated: Vec<String>,
}

/// An application with what lists show of its loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The application.
    pub application: Application,
    /// Its loop; `None` before the first state of it.
    pub glance: Option<Glance>,
    /// Why it cannot be looked after; `None` when it can, as far as is known.
    pub broken: Option<String>,
}

impl FromRow for Overview {
    const TABLE: &'static str = "glances";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        let violated = match c.maybe_text("violated")? {
            Some(text) => serde_json::from_str(&text).map_err(|_| c.damaged("violated"))?,
            None => Vec::new(),
        };
        let pause = c.maybe_text("pause")?;
        Ok(Overview {
            application: Application::from_columns(c)?,
            glance: c.maybe_text("course")?.map(|course| Glance { course, pause, violated }),
            broken: c.maybe_text("broken")?,
        })
    }
}

macro_rules! overview {
    ($where:literal) => {
        concat!(
            "SELECT a.name, a.generation, a.digest, a.format, a.status, a.created_at, a.updated_at, a.settings, ",
            "g.course, g.pause, g.violated, g.broken ",
            "FROM applications a LEFT JOIN glances g ON g.application = a.name ",
            $where
        )
    };
}

impl Store {
    /// Applications by name, each with its loop at a glance.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn applications(&self, page: &Page, filter: &Filter) -> Result<Listed<Overview>, StoreError> {
        let limit = limit(page.limit);
        let pattern = filter.name_contains.as_ref().map(|part| contains(part));
        let rows = sqlx::query(overview!(
            "WHERE ($1 IS NULL OR a.name > $1) AND ($2 IS NULL OR a.status = $2) \
             AND ($3 IS NULL OR lower(a.name) LIKE $3 ESCAPE '\\') ORDER BY a.name LIMIT $4"
        ))
        .bind(page.after.as_deref())
        .bind(filter.status.map(Status::word))
        .bind(pattern)
        .bind(one_more(limit))
        .fetch_all(self.reader())
        .await
        .doing("listing applications")?;
        Ok(Listed::of(Overview::from_rows(&rows)?, limit))
    }

    /// An application, also when it is gone, with its loop at a glance.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there never was one of this name.
    pub async fn overview(&self, name: &str) -> Result<Overview, StoreError> {
        let row = sqlx::query(overview!("WHERE a.name = $1"))
            .bind(name)
            .fetch_optional(self.reader())
            .await
            .doing("reading an application")?;
        row.as_ref().map(Overview::from_row).transpose()?.ok_or_else(|| StoreError::not_found(APPLICATION, name))
    }
}

/// Writes a loop at a glance; it can be looked after, whatever was wrong before.
pub(crate) async fn write(tx: &mut AnyConnection, application: &str, glance: &Glance) -> Result<(), StoreError> {
    let Glance { course, pause, violated } = glance;
    let violated =
        serde_json::to_string(violated).map_err(|e| StoreError::invalid("the broken rules", e.to_string()))?;
    for text in [Some(course), pause.as_ref(), Some(&violated)].into_iter().flatten() {
        check_text("what lists show of the loop", text)?;
    }
    sqlx::query(
        "INSERT INTO glances (application, course, pause, violated) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (application) DO UPDATE SET course = excluded.course, pause = excluded.pause, \
         violated = excluded.violated, broken = NULL",
    )
    .bind(application)
    .bind(course)
    .bind(pause.as_deref())
    .bind(violated)
    .execute(tx)
    .await
    .doing("writing what lists show of a loop")
    .map(drop)
}

/// Notes why an application cannot be looked after.
pub(crate) async fn write_broken(tx: &mut AnyConnection, application: &str, reason: &str) -> Result<(), StoreError> {
    check_text("the reason", reason)?;
    sqlx::query(
        "INSERT INTO glances (application, broken) VALUES ($1, $2) \
         ON CONFLICT (application) DO UPDATE SET broken = excluded.broken",
    )
    .bind(application)
    .bind(reason)
    .execute(tx)
    .await
    .doing("noting why an application cannot be looked after")
    .map(drop)
}
