//! The schema of the database, and how an older one becomes the present one.

use sqlx::AnyPool;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::error::StoreError;
use crate::url::Backend;

/// The steps in order, with what each does. A step that was released is never changed.
const STEPS: [(i64, &str, &str); 1] = [(1, "initial", include_str!("../migrations/0001_initial.sql"))];

/// The version of the schema that this program works with.
pub const SCHEMA_VERSION: i64 = STEPS[STEPS.len() - 1].0;

/// Takes the steps that were not taken yet. On PostgreSQL one replica does so while the others wait.
pub(crate) async fn bring_up_to_date(pool: &AnyPool, backend: Backend) -> Result<(), StoreError> {
    let steps = STEPS.iter().map(|(version, what, sql)| step(*version, what, sql, backend)).collect();
    Migrator::with_migrations(steps).run(pool).await.map_err(|e| StoreError::from_migration(e, SCHEMA_VERSION))
}

/// The text of a step for a kind of database. Names are ordered by bytes everywhere, whatever the locale of a server.
fn step(version: i64, what: &'static str, sql: &str, backend: Backend) -> Migration {
    let sql = match backend {
        Backend::Sqlite => sql.replace("BYTEA", "BLOB"),
        Backend::Postgres => sql.replace(" TEXT", " TEXT COLLATE \"C\""),
    };
    Migration::new(version, what.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
}
