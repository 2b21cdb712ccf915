//! What can go wrong with the store, in words that say the mend.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use sqlx::migrate::MigrateError;

use crate::write::CommitError;

/// What went wrong. The message says what to do; the cause, where there is one, is chained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is nothing of that name.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// An application has nothing like that.
    #[error("`{application}` has no {what}")]
    Lacking {
        /// The application.
        application: String,
        /// What, with its number.
        what: String,
    },
    /// What is there does not allow the change.
    #[error("{what} `{name}` {clash}")]
    Conflict {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// In which way.
        clash: Clash,
    },
    /// The lease is lost: another replica leads the application, or may do so at any moment.
    #[error(
        "`{holder}` does not hold the lease of application `{application}` any more: stop working on it and acquire it anew"
    )]
    Fenced {
        /// The application.
        application: String,
        /// Who thought that it holds the lease.
        holder: String,
    },
    /// The value cannot be stored.
    #[error("{what}: {why}")]
    Invalid {
        /// Which value.
        what: String,
        /// What is wrong with it, and what to write instead.
        why: String,
    },
    /// The database cannot be used now; nothing was changed by the call.
    #[error("{doing}: the database is not available: {mend}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What a person can do.
        mend: &'static str,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// What stands in the database is not what was written.
    #[error("{what} is damaged: restore the database from a backup, or report this if no disk failed")]
    Corrupt {
        /// What is damaged.
        what: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The database was written by a newer program.
    #[error(
        "the database has schema version {found}, this program knows versions up to {known}: start the newer program that \
         wrote it, or restore a backup that was made before the upgrade"
    )]
    Version {
        /// The version of the database.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// The key for secrets is missing or another one.
    #[error("{0}")]
    Key(String),
}

/// How a change clashes with what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clash {
    /// The name is in use.
    Exists,
    /// It was changed since it was read.
    Generation {
        /// The generation that the caller knows.
        expected: i64,
        /// The generation that is there.
        found: i64,
    },
    /// It is being taken down.
    Leaving,
    /// It is gone.
    Gone,
    /// Someone has taken it already.
    Taken,
    /// It is still needed.
    InUse,
    /// It is there already, or the one before it is not.
    OutOfOrder,
}

impl fmt::Display for Clash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clash::Exists => write!(f, "is there already: choose another name, or replace it"),
            Clash::Generation { expected, found } => write!(
                f,
                "has generation {found}, not {expected}: someone changed it; read it again and repeat the change on what it \
                 is now"
            ),
            Clash::Leaving => write!(f, "is being taken down: wait until it is gone, and submit it anew"),
            Clash::Gone => write!(f, "is gone: submit it anew"),
            Clash::Taken => write!(f, "was taken already"),
            Clash::OutOfOrder => {
                write!(f, "is there already, or the one before it is missing: read what is there first")
            }
            Clash::InUse => write!(f, "is in use: make another one current first"),
        }
    }
}

const DISK_FULL: &str = "the disk or the allowed size is full; free space, or raise the limit, and repeat the call";
const DISK: &str = "the disk does not read or write; look at the system log, at free space and at file size limits";
const BUSY: &str = "others are writing; repeat the call";
const READ_ONLY: &str = "it can only be read; check the owner and the rights of the file and its directory";
const CONNECTION: &str = "no connection; check that the server runs and that its address and credentials are right";
const OTHER: &str = "see the cause";

impl StoreError {
    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        StoreError::NotFound { what, name: name.into() }
    }

    pub(crate) fn lacking(application: &str, what: String) -> Self {
        StoreError::Lacking { application: application.to_owned(), what }
    }

    pub(crate) fn conflict(what: &'static str, name: impl Into<String>, clash: Clash) -> Self {
        StoreError::Conflict { what, name: name.into(), clash }
    }

    pub(crate) fn invalid(what: impl Into<String>, why: impl Into<String>) -> Self {
        StoreError::Invalid { what: what.into(), why: why.into() }
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        StoreError::Corrupt { what: what.into(), source: None }
    }

    fn from_sqlx(error: &CommitError, doing: &'static str) -> Self {
        let source = Some(Box::from(Arc::clone(error)));
        let kind = match &**error {
            sqlx::Error::Database(e) => kind_of(e.code().as_deref()),
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::Decode(_) => Kind::Damaged,
            sqlx::Error::PoolTimedOut => Kind::Away(BUSY),
            // Of those who write together, one has met with an error of the disk.
            sqlx::Error::Io(e) if e.kind() == std::io::ErrorKind::Other => Kind::Away(DISK),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Configuration(_) => Kind::Away(CONNECTION),
            _ => Kind::Away(OTHER),
        };
        match kind {
            Kind::Away(mend) => StoreError::Unavailable { doing, mend, source },
            Kind::Damaged => StoreError::Corrupt { what: "the database".to_owned(), source },
        }
    }

    pub(crate) fn from_migration(error: MigrateError, known: i64) -> Self {
        match error {
            MigrateError::VersionMissing(found) => StoreError::Version { found, known },
            MigrateError::VersionMismatch(version) => {
                StoreError::corrupt(format!("the record of schema version {version} in the database"))
            }
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => {
                StoreError::from_sqlx(&e.into(), "bringing the schema up to date")
            }
            other => StoreError::Unavailable {
                doing: "bringing the schema up to date",
                mend: OTHER,
                source: Some(other.into()),
            },
        }
    }

    pub(crate) fn from_io(error: std::io::Error, doing: &'static str) -> Self {
        let mend = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => DISK_FULL,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => READ_ONLY,
            _ => DISK,
        };
        StoreError::Unavailable { doing, mend, source: Some(error.into()) }
    }
}

enum Kind {
    Away(&'static str),
    Damaged,
}

/// What a code means. SQLSTATE has five characters; SQLite's (extended) result codes are numbers of at most four digits,
/// their low byte the primary code.
fn kind_of(code: Option<&str>) -> Kind {
    let code = code.unwrap_or("");
    if code.len() == 5 {
        return match code {
            "53100" => Kind::Away(DISK_FULL),
            "25006" => Kind::Away(READ_ONLY),
            "40001" | "40P01" | "55P03" => Kind::Away(BUSY),
            "XX001" | "XX002" => Kind::Damaged,
            _ if ["08", "28", "3D", "53", "57"].contains(&&code[..2]) => Kind::Away(CONNECTION),
            _ => Kind::Away(OTHER),
        };
    }
    match code.parse::<u32>().map(|c| c & 0xff) {
        Ok(13) => Kind::Away(DISK_FULL),
        Ok(10 | 14) => Kind::Away(DISK),
        Ok(5 | 6) => Kind::Away(BUSY),
        Ok(8) => Kind::Away(READ_ONLY),
        Ok(11 | 26) => Kind::Damaged,
        _ => Kind::Away(OTHER),
    }
}

/// Adds what was being done to an error of the database.
pub(crate) trait Doing<T> {
    fn doing(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|e| StoreError::from_sqlx(&e.into(), what))
    }
}

impl<T> Doing<T> for Result<T, CommitError> {
    fn doing(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|e| StoreError::from_sqlx(&e, what))
    }
}
