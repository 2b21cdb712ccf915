//! Secrets at rest: credentials of drivers, keys of webhooks. Encrypted with a [`crate::KeyRing`].

use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::error::{Doing, StoreError};
use crate::keys::{Sealed, Secret};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::check_name;

/// What is known of a secret without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// How often it was written.
    pub version: i64,
    /// Which key it is encrypted with.
    pub key_id: String,
    /// Who wrote it.
    pub by: String,
    /// When.
    pub at: UnixMs,
}

impl FromRow for SecretInfo {
    const TABLE: &'static str = "secrets";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(SecretInfo {
            name: c.text("name")?,
            version: c.int("version")?,
            key_id: c.text("key_id")?,
            by: c.text("author")?,
            at: c.time("at")?,
        })
    }
}

/// The largest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

impl Store {
    /// Keeps a secret under a name, in place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Key`] when there is no key to encrypt with.
    pub async fn put_secret(&self, name: &str, secret: &Secret, by: &str, at: UnixMs) -> Result<(), StoreError> {
        check_name("the name of the secret", name)?;
        if secret.expose().len() > SECRET_BYTES_MAX {
            return Err(StoreError::invalid("the secret", format!("at most {SECRET_BYTES_MAX} bytes can be kept")));
        }
        let mut tx = self.begin("keeping a secret").await?;
        let version = find(&mut tx, name).await?.map_or(1, |(info, _)| info.version + 1);
        let sealed = self.keys().seal(secret, &context(name, version))?;
        write(
            &mut tx,
            &SecretInfo { name: name.to_owned(), version, key_id: String::new(), by: by.to_owned(), at },
            &sealed,
        )
        .await?;
        tx.commit().await.doing("keeping a secret")
    }

    /// A secret.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Key`] when it was encrypted with a key that is not given,
    /// [`StoreError::Corrupt`] when it was tampered with.
    pub async fn secret(&self, name: &str) -> Result<Secret, StoreError> {
        let mut connection = self.reader().acquire().await.doing("reading a secret")?;
        let found = find(&mut connection, name).await?;
        let (info, sealed) = found.ok_or_else(|| StoreError::not_found("secret", name))?;
        self.keys().open(name, &sealed, &context(name, info.version))
    }

    /// The names and dates of all secrets, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn secrets(&self) -> Result<Vec<SecretInfo>, StoreError> {
        let rows = sqlx::query("SELECT name, version, key_id, author, at FROM secrets ORDER BY name")
            .fetch_all(self.reader())
            .await
            .doing("listing secrets")?;
        SecretInfo::from_rows(&rows)
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn delete_secret(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.begin("forgetting a secret").await?;
        let deleted = sqlx::query("DELETE FROM secrets WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await
            .doing("forgetting a secret")?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::not_found("secret", name));
        }
        tx.commit().await.doing("forgetting a secret")
    }

    /// Encrypts every secret with the first key that is not yet; gives how many. Afterwards the other keys can be taken
    /// away.
    ///
    /// # Errors
    /// As [`Store::secret`]; then nothing is changed.
    pub async fn reencrypt(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin("encrypting secrets anew").await?;
        let rows = sqlx::query("SELECT * FROM secrets ORDER BY name")
            .fetch_all(&mut *tx)
            .await
            .doing("encrypting secrets anew")?;
        let mut count = 0;
        for row in &rows {
            let (info, sealed) = read(&Columns::new(SecretInfo::TABLE, row))?;
            if self.keys().is_first(&sealed.key_id) {
                continue;
            }
            let context = context(&info.name, info.version);
            let secret = self.keys().open(&info.name, &sealed, &context)?;
            write(&mut tx, &info, &self.keys().seal(&secret, &context)?).await?;
            count += 1;
        }
        tx.commit().await.doing("encrypting secrets anew")?;
        Ok(count)
    }
}

/// Binds what is encrypted to its name and version, so that no row can stand in for another one.
fn context(name: &str, version: i64) -> String {
    format!("{version}/{name}")
}

fn read(columns: &Columns<'_>) -> Result<(SecretInfo, Sealed), StoreError> {
    let info = SecretInfo::from_columns(columns)?;
    let sealed =
        Sealed { key_id: info.key_id.clone(), nonce: columns.bytes("nonce")?, bytes: columns.bytes("sealed")? };
    Ok((info, sealed))
}

async fn find(on: &mut AnyConnection, name: &str) -> Result<Option<(SecretInfo, Sealed)>, StoreError> {
    let row = sqlx::query("SELECT * FROM secrets WHERE name = $1")
        .bind(name)
        .fetch_optional(on)
        .await
        .doing("reading a secret")?;
    row.map(|row| read(&Columns::new(SecretInfo::TABLE, &row))).transpose()
}

async fn write(tx: &mut AnyConnection, info: &SecretInfo, sealed: &Sealed) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO secrets (name, version, key_id, author, at, nonce, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (name) DO UPDATE SET version = excluded.version, key_id = excluded.key_id, \
         author = excluded.author, at = excluded.at, nonce = excluded.nonce, sealed = excluded.sealed",
    )
    .bind(&info.name)
    .bind(info.version)
    .bind(&sealed.key_id)
    .bind(&info.by)
    .bind(info.at.0)
    .bind(&sealed.nonce)
    .bind(&sealed.bytes)
    .execute(tx)
    .await
    .doing("keeping a secret")
    .map(drop)
}
