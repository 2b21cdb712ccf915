//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ::url::Url;

use crate::error::StoreError;

/// The kind of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Embedded, in a file; for one replica.
    Sqlite,
    /// A server; for several replicas.
    Postgres,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Backend::Sqlite => "SQLite",
            Backend::Postgres => "PostgreSQL",
        })
    }
}

/// Where the database is: `sqlite:PATH`, a path alone, or `postgres://USER:PASSWORD@HOST/DATABASE`. Shown without the
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Server(Url),
}

impl StoreUrl {
    /// An SQLite database in a file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        StoreUrl(Place::File(path.into()))
    }

    /// Which kind of database it is.
    pub fn backend(&self) -> Backend {
        match self.0 {
            Place::File(_) => Backend::Sqlite,
            Place::Server(_) => Backend::Postgres,
        }
    }

    /// The file of an SQLite database.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// The whole address with its password, for connecting alone.
    pub(crate) fn server(&self) -> Option<&str> {
        match &self.0 {
            Place::File(_) => None,
            Place::Server(url) => Some(url.as_str()),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| StoreError::invalid("the address of the database", why);
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let url =
                Url::parse(text).map_err(|e| wrong(&format!("{e}; signs like @ : / in a password are written %XX")))?;
            return Ok(StoreUrl(Place::Server(url)));
        }
        let path = match text.strip_prefix("sqlite:") {
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
            None if text.contains("://") => {
                return Err(wrong("only `sqlite:PATH`, a path, or `postgres://USER@HOST/DATABASE` can be used"));
            }
            None => text,
        };
        if path.is_empty() || path == ":memory:" {
            return Err(wrong("a file is needed, because what is stored must survive; write `sqlite:PATH`"));
        }
        Ok(StoreUrl(Place::File(PathBuf::from(path))))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match &self.0 {
            Place::File(path) => return write!(f, "sqlite:{}", path.display()),
            Place::Server(url) => url,
        };
        // Parameters may hold a password too.
        write!(f, "{}://", url.scheme())?;
        if !url.username().is_empty() {
            write!(f, "{}@", url.username())?;
        }
        f.write_str(url.host_str().unwrap_or(""))?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
        f.write_str(url.path())
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recognised_and_shown_without_its_password() {
        for text in ["sqlite:/var/lib/x.db", "sqlite:///var/lib/x.db", "/var/lib/x.db"] {
            let url: StoreUrl = text.parse().unwrap();
            assert_eq!(url.path(), Some(Path::new("/var/lib/x.db")), "{text}");
        }
        let url: StoreUrl = "postgres://me:p%40ss:word@db.example/cardinal?password=hidden".parse().unwrap();
        assert_eq!(url.backend(), Backend::Postgres);
        assert_eq!(url.to_string(), "postgres://me@db.example/cardinal");
        assert!(!format!("{url:?}").contains("word"));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_mend() {
        for text in ["", "sqlite:", "sqlite::memory:", "mysql://x/y"] {
            let error = text.parse::<StoreUrl>().unwrap_err().to_string();
            assert!(error.contains("sqlite:PATH"), "{text}: {error}");
        }
    }
}
