//! Opening the database: its file or server, its connections, its schema.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use cardinal_adapter::time::UnixMs;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Row};

use crate::error::{Doing, StoreError};
use crate::keys::KeyRing;
use crate::schema;
use crate::url::{Backend, StoreUrl};
use crate::write::{Writer, Writing};

/// How the store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The most connections at a time: to the server, or for reading an SQLite file, which has one more for writing.
    pub connections_max: u32,
    /// How long a call waits for a connection or for others who write, in milliseconds.
    pub wait_ms_max: u64,
    /// How large an SQLite file may grow, in bytes; beside it stands a log of a few MiB. No limit but the disk when there
    /// is none.
    pub size_bytes_max: Option<u64>,
    /// The keys that secrets are encrypted with.
    pub keys: Keys,
}

/// Where the keys for secrets come from.
#[derive(Clone, Debug)]
pub enum Keys {
    /// These, the first of which encrypts.
    Given(KeyRing),
    /// A file beside the SQLite file, made with a new key when it is not there. A server has no such place: secrets cannot
    /// be stored there without a key that is given, because each replica would make its own.
    Beside,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { connections_max: 8, wait_ms_max: 10_000, size_bytes_max: None, keys: Keys::Beside }
    }
}

/// The database of a service. A clone is the same database.
#[derive(Clone)]
pub struct Store(Arc<Opened>);

struct Opened {
    url: StoreUrl,
    read: AnyPool,
    write: Writer,
    keys: KeyRing,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.0.url)
    }
}

impl Store {
    /// Opens the database, makes it where it is an SQLite file that is not there yet (readable by its owner alone), and
    /// brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without a file or a server that can be used, [`StoreError::Version`] when a newer
    /// program wrote it, [`StoreError::Corrupt`] when it is no database of Cardinal, [`StoreError::Key`] when the key file
    /// cannot be read.
    pub async fn open(url: &StoreUrl, options: &StoreOptions) -> Result<Store, StoreError> {
        install_drivers();
        let (address, keys) = match url.path() {
            Some(path) => {
                let path = prepare_file(path)?;
                let keys = match &options.keys {
                    Keys::Given(ring) => ring.clone(),
                    Keys::Beside => KeyRing::kept_in(&beside(&path, ".key"))?,
                };
                (sqlite_address(&path)?, keys)
            }
            None => {
                let keys = match &options.keys {
                    Keys::Given(ring) => ring.clone(),
                    Keys::Beside => KeyRing::default(),
                };
                (url.server().unwrap_or_default().to_owned(), keys)
            }
        };
        let (read, write) = match url.backend() {
            Backend::Sqlite => {
                // The one who writes comes first: it turns the log on, which those who only read cannot.
                let write = connect(&address, 1, options, sqlite_settings(options, false)).await?;
                schema::bring_up_to_date(&write, url.backend()).await?;
                let read = connect(&address, options.connections_max, options, sqlite_settings(options, true)).await?;
                (read, Writer::to_file(write, options.wait_ms_max))
            }
            Backend::Postgres => {
                let settings = vec![format!("SET lock_timeout = {}", options.wait_ms_max)];
                let pool = connect(&address, options.connections_max, options, settings).await?;
                schema::bring_up_to_date(&pool, url.backend()).await?;
                (pool.clone(), Writer::Server(pool))
            }
        };
        Ok(Store(Arc::new(Opened { url: url.clone(), read, write, keys })))
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it gives none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT name FROM counters")
            .fetch_all(self.reader())
            .await
            .doing("asking for a sign of life")
            .map(drop)
    }

    /// Writes something durably and takes it away again, as much as a small step of the loop.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database can only be read, or its disk or allowed size is full.
    pub async fn probe(&self) -> Result<(), StoreError> {
        // More than a page, so that a file that may not grow shows it.
        const FILLER_BYTES: usize = 64 << 10;
        let doing = "writing a probe";
        let mut tx = self.begin(doing).await?;
        sqlx::query("INSERT INTO probes (filler) VALUES ($1)")
            .bind(vec![0_u8; FILLER_BYTES])
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        sqlx::query("DELETE FROM probes").execute(&mut *tx).await.doing(doing)?;
        tx.commit().await.doing(doing)
    }

    /// The kind of the database.
    pub fn backend(&self) -> Backend {
        self.0.url.backend()
    }

    /// Ends all connections once the calls under way are done. An SQLite file is then complete without its log.
    pub async fn close(&self) {
        self.0.read.close().await;
        self.0.write.close().await;
    }

    pub(crate) fn reader(&self) -> &AnyPool {
        &self.0.read
    }

    pub(crate) fn keys(&self) -> &KeyRing {
        &self.0.keys
    }

    /// Begins to write.
    pub(crate) async fn begin(&self, doing: &'static str) -> Result<Writing, StoreError> {
        self.0.write.begin().await.doing(doing)
    }

    /// The text for this kind of database.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self.backend() {
            Backend::Sqlite => sqlite,
            Backend::Postgres => postgres,
        }
    }

    /// The time that leases go by: the server's where there is one, because the clocks of replicas differ.
    pub(crate) async fn clock(&self, on: &mut AnyConnection, now: UnixMs) -> Result<UnixMs, StoreError> {
        if self.backend() == Backend::Sqlite {
            return Ok(now);
        }
        let row = sqlx::query("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now")
            .fetch_one(on)
            .await
            .doing("reading the clock")?;
        row.try_get("now").map(UnixMs).doing("reading the clock")
    }
}

fn install_drivers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(sqlx::any::install_default_drivers);
}

async fn connect(
    address: &str,
    most: u32,
    options: &StoreOptions,
    settings: Vec<String>,
) -> Result<AnyPool, StoreError> {
    // A pool would try again until its time is over, and then not say why.
    let mut first = AnyConnection::connect(address).await.doing("opening the database")?;
    set(&mut first, &settings).await.doing("opening the database")?;
    first.close().await.doing("opening the database")?;
    let settings = Arc::new(settings);
    AnyPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_millis(options.wait_ms_max))
        .after_connect(move |connection, _| {
            let settings = Arc::clone(&settings);
            Box::pin(async move { set(connection, &settings).await })
        })
        .connect(address)
        .await
        .doing("opening the database")
}

async fn set(connection: &mut AnyConnection, settings: &[String]) -> Result<(), sqlx::Error> {
    for setting in settings {
        sqlx::raw_sql(AssertSqlSafe(setting.clone())).execute(&mut *connection).await?;
    }
    Ok(())
}

/// `synchronous=FULL` makes a commit durable before it is acknowledged.
fn sqlite_settings(options: &StoreOptions, read_only: bool) -> Vec<String> {
    // The size of a page is SQLite's own since 2016, and that of every file made here.
    const PAGE_BYTES: u64 = 4096;
    let mut settings = vec![format!("PRAGMA busy_timeout = {}", options.wait_ms_max)];
    if read_only {
        settings.push("PRAGMA query_only = ON".to_owned());
        return settings;
    }
    settings.push("PRAGMA journal_mode = WAL".to_owned());
    settings.push("PRAGMA synchronous = FULL".to_owned());
    settings.push("PRAGMA wal_autocheckpoint = 1000".to_owned());
    settings.push("PRAGMA journal_size_limit = 67108864".to_owned());
    if let Some(bytes) = options.size_bytes_max {
        settings.push(format!("PRAGMA max_page_count = {}", (bytes / PAGE_BYTES).max(1)));
    }
    settings
}

/// Makes the file and its directories where they are not there, and gives its path without links.
fn prepare_file(path: &Path) -> Result<PathBuf, StoreError> {
    let doing = "making the database file";
    let failed = |e| StoreError::from_io(e, doing);
    let path = std::path::absolute(path).map_err(failed)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(StoreError::invalid("the address of the database", "a file is needed, not a directory"));
    };
    make_folder(folder).map_err(failed)?;
    let path = folder.canonicalize().map_err(failed)?.join(name);
    make_file(&path).map_err(failed)?;
    Ok(path)
}

#[cfg(unix)]
fn make_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn make_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)
}

/// Makes the file with the rights that SQLite will give its log too. A file that is there is not opened: closing it would
/// take away the locks that SQLite holds on it in this process.
fn make_file(path: &Path) -> std::io::Result<()> {
    let mut how = fs::OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    match how.open(path) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The address of a file. Everything that means something in an address is escaped.
fn sqlite_address(path: &Path) -> Result<String, StoreError> {
    let Some(path) = path.to_str() else {
        return Err(StoreError::invalid("the path of the database", "it is no UTF-8; choose another one"));
    };
    let mut address = String::from("sqlite://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address.push_str("?mode=rw");
    Ok(address)
}
