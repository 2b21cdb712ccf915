//! The schema of the database, and how an older one becomes the present one.

use sqlx::AnyPool;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::error::StoreError;
use crate::url::Backend;

/// The steps in order, with what each does. A step that was released is never changed.
const STEPS: [(i64, &str, &str); 2] = [
    (1, "initial", include_str!("../migrations/0001_initial.sql")),
    (2, "glances", include_str!("../migrations/0002_glances.sql")),
];

/// The version of the schema that this program works with.
pub const SCHEMA_VERSION: i64 = STEPS[STEPS.len() - 1].0;

/// Takes the steps that were not taken yet. When several replicas start at once, one does so and the others find it done.
pub(crate) async fn bring_up_to_date(pool: &AnyPool, backend: Backend) -> Result<(), StoreError> {
    let steps = STEPS.iter().map(|(version, what, sql)| step(*version, what, sql, backend)).collect();
    let migrator = Migrator::with_migrations(steps);
    let mut done = migrator.run(pool).await;
    // PostgreSQL locks the database for this. On SQLite another process can have taken the step in between, which this
    // one finds when it looks again.
    if backend == Backend::Sqlite && matches!(done, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)))
    {
        done = migrator.run(pool).await;
    }
    done.map_err(|e| StoreError::from_migration(e, SCHEMA_VERSION))
}

/// The text of a step for a kind of database. Names are ordered by bytes everywhere, whatever the locale of a server.
fn step(version: i64, what: &'static str, sql: &str, backend: Backend) -> Migration {
    let sql = match backend {
        Backend::Sqlite => sql.replace("BYTEA", "BLOB"),
        Backend::Postgres => sql.replace(" TEXT", " TEXT COLLATE \"C\""),
    };
    Migration::new(version, what.into(), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false)
}
