//! Opening what is there, what is not, and what is something else.

use cardinal_store::{Backend, SCHEMA_VERSION, Store, StoreError, StoreOptions, StoreUrl};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

use crate::cluster;
use crate::site::{KEY, Site, block_on, lead, on_both, state, submit};

on_both!(
    a_database_of_a_newer_program_is_refused,
    a_database_of_an_older_program_is_brought_up_to_date,
    a_database_with_another_schema_is_refused,
    several_open_an_empty_database_one_after_the_other,
    who_open_an_empty_database_at_once_make_one_schema,
    a_store_gives_a_sign_of_life_until_it_is_closed,
);

async fn connect(site: &Site) -> AnyConnection {
    let address = match site.url.path() {
        Some(path) => format!("sqlite://{}", path.display()),
        None => {
            let name = site.url.to_string();
            cluster::cluster().unwrap().address(name.rsplit('/').next().unwrap())
        }
    };
    AnyConnection::connect(&address).await.unwrap()
}

/// Runs a statement past the store.
pub async fn execute(site: &Site, sql: &str) {
    let mut connection = connect(site).await;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The text that a statement gives past the store.
pub async fn fetch_text(site: &Site, sql: &'static str) -> String {
    let mut connection = connect(site).await;
    let row = sqlx::query(sql).fetch_one(&mut connection).await.unwrap();
    let text = row.get(0);
    connection.close().await.unwrap();
    text
}

async fn reopen(site: &Site) -> Result<Store, StoreError> {
    Store::open(&site.url, &Site::options(KEY)).await
}

async fn a_database_of_a_newer_program_is_refused(site: Site) {
    submit(&site.open().await, "crm").await;
    execute(&site, &format!("UPDATE _sqlx_migrations SET version = 99 WHERE version = {SCHEMA_VERSION}")).await;
    let error = reopen(&site).await.unwrap_err();
    assert!(matches!(error, StoreError::Version { found: 99, known: SCHEMA_VERSION }), "{error:?}");
    let words = error.to_string();
    assert!(words.contains("version 99") && words.contains("start the newer program"), "{words}");
    execute(&site, &format!("UPDATE _sqlx_migrations SET version = {SCHEMA_VERSION} WHERE version = 99")).await;
    reopen(&site).await.unwrap().application("crm").await.unwrap();
}

async fn a_database_of_an_older_program_is_brought_up_to_date(site: Site) {
    let store = site.open().await;
    submit(&store, "crm").await;
    let lease = lead(&store, &site, "r1").await;
    store.commit(&lease, site.now(), &state("one")).await.unwrap();
    store.close().await;
    for undo in ["DROP TABLE glances", "DROP TABLE probes", "DELETE FROM _sqlx_migrations WHERE version = 2"] {
        execute(&site, undo).await;
    }
    let store = reopen(&site).await.unwrap();
    assert_eq!(store.loop_state("crm").await.unwrap().as_deref(), Some("one"));
    assert_eq!(store.overview("crm").await.unwrap().glance, None);
    store.probe().await.unwrap();
}

async fn a_database_with_another_schema_is_refused(site: Site) {
    submit(&site.open().await, "crm").await;
    let other = if site.url.backend() == Backend::Sqlite { "x'00'" } else { "'\\x00'" };
    execute(&site, &format!("UPDATE _sqlx_migrations SET checksum = {other}")).await;
    let error = reopen(&site).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { .. }) && error.to_string().contains("backup"), "{error}");
}

async fn several_open_an_empty_database_one_after_the_other(site: Site) {
    let first = site.open().await;
    let second = site.open().await;
    submit(&first, "a").await;
    submit(&second, "b").await;
    for store in [&first, &second] {
        store.application("a").await.unwrap();
        store.application("b").await.unwrap();
    }
}

async fn a_store_gives_a_sign_of_life_until_it_is_closed(site: Site) {
    let store = site.open().await;
    store.ping().await.unwrap();
    assert_eq!(store.backend(), site.url.backend());
    store.close().await;
    let error = store.ping().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error}");
}

async fn who_open_an_empty_database_at_once_make_one_schema(site: Site) {
    let tries: Vec<_> = (0..6)
        .map(|i| {
            let url = site.url.clone();
            tokio::spawn(async move {
                let store = Store::open(&url, &Site::options(KEY)).await.unwrap();
                submit(&store, &format!("a{i}")).await;
            })
        })
        .collect();
    for one in tries {
        one.await.unwrap();
    }
    assert_eq!(site.open().await.last_event().await.unwrap(), 6);
}

#[test]
#[cfg(unix)]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("not there yet/ä ?#%41");
    let path = inner.join("cardinal.db");
    block_on(async {
        let store = Store::open(&StoreUrl::file(&path), &StoreOptions::default()).await.unwrap();
        submit(&store, "crm").await;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inner), 0o700);
        for ending in ["", "-wal", "-shm", ".key"] {
            let file = inner.join(format!("cardinal.db{ending}"));
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        store.close().await;
        assert!(!inner.join("cardinal.db-wal").exists(), "a closed file is complete by itself");
    });
}

#[test]
fn what_is_no_database_is_refused_with_the_mend() {
    let folder = tempfile::tempdir().unwrap();
    block_on(async {
        let text = folder.path().join("text.db");
        std::fs::write(&text, "This is a text that is long enough to be taken for a header. ".repeat(99)).unwrap();
        let error = Store::open(&StoreUrl::file(&text), &StoreOptions::default()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Corrupt { .. }), "{error:?}");

        let error = Store::open(&StoreUrl::file(folder.path()), &StoreOptions::default()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");

        let nowhere = format!("postgres://me:hunter2@localhost/x?host={}", folder.path().display());
        let options = StoreOptions { wait_ms_max: 200, ..StoreOptions::default() };
        let error = Store::open(&nowhere.parse().unwrap(), &options).await.unwrap_err();
        let words = format!("{error} {error:?}");
        assert!(matches!(&error, StoreError::Unavailable { .. }), "{words}");
        assert!(!words.contains("hunter2"), "{words}");
    });
}
