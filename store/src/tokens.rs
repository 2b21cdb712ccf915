//! API tokens. The text of a token is shown once; the store keeps its SHA-256 alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cardinal_adapter::time::UnixMs;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Doing, StoreError};
use crate::keys::{Secret, fill_randomly, random_id};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::{check_name, words};

words! {
    /// What a token allows; each scope allows what those before it allow.
    Scope {
        /// Read.
        Viewer = "viewer",
        /// Also submit, change and order.
        Operator = "operator",
        /// Also tokens, secrets and catalogs.
        Admin = "admin",
    }
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its identity, which is not secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How its text begins, by which a person tells it from others.
    pub prefix: String,
    /// What it allows.
    pub scope: Scope,
    /// For which applications; for all when there is no list.
    pub applications: Option<Vec<String>>,
    /// When it was made.
    pub created_at: UnixMs,
    /// When it ends by itself.
    pub expires_at: Option<UnixMs>,
    /// When it was used last, to the minute.
    pub used_at: Option<UnixMs>,
    /// When it was revoked.
    pub revoked_at: Option<UnixMs>,
}

/// A token that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// For which applications; for all when there is no list.
    pub applications: Option<Vec<String>>,
    /// When it ends by itself.
    pub expires_at: Option<UnixMs>,
}

impl TokenInfo {
    /// True when the token is good for this application.
    pub fn covers(&self, application: &str) -> bool {
        self.applications.as_ref().is_none_or(|list| list.iter().any(|a| a == application))
    }

    /// True when it is neither revoked nor over.
    pub fn is_good(&self, now: UnixMs) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

const TAG: &str = "cdl_";
const RANDOM_BYTES: usize = 32;
/// The tag and 48 of the 256 random bits.
const PREFIX_CHARS: usize = 12;
const TEXT_CHARS: usize = 47;
const USED_EVERY_MS: i64 = 60_000;

impl FromRow for TokenInfo {
    const TABLE: &'static str = "tokens";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        let list = c.maybe_text("applications")?.map(|text| serde_json::from_str(&text)).transpose();
        Ok(TokenInfo {
            id: c.text("id")?,
            name: c.text("name")?,
            prefix: c.text("prefix")?,
            scope: c.word("scope")?,
            applications: list.map_err(|_| StoreError::corrupt("column `applications` of table `tokens`"))?,
            created_at: c.time("created_at")?,
            expires_at: c.maybe_time("expires_at")?,
            used_at: c.maybe_time("used_at")?,
            revoked_at: c.maybe_time("revoked_at")?,
        })
    }
}

impl Store {
    /// Makes a token, and gives its text this once.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn create_token(&self, new: NewToken, now: UnixMs) -> Result<(TokenInfo, Secret), StoreError> {
        check_name("the name of the token", &new.name)?;
        let mut random = Zeroizing::new([0; RANDOM_BYTES]);
        fill_randomly(random.as_mut())?;
        let text = Zeroizing::new(format!("{TAG}{}", URL_SAFE_NO_PAD.encode(random.as_ref())));
        let info = TokenInfo {
            id: random_id()?,
            name: new.name,
            prefix: text[..PREFIX_CHARS].to_owned(),
            scope: new.scope,
            applications: new.applications,
            created_at: now,
            expires_at: new.expires_at,
            used_at: None,
            revoked_at: None,
        };
        let mut tx = self.begin("making a token").await?;
        sqlx::query(
            "INSERT INTO tokens (id, name, prefix, hash, scope, applications, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&info.id)
        .bind(&info.name)
        .bind(&info.prefix)
        .bind(hash(&text))
        .bind(info.scope.word())
        .bind(info.applications.as_ref().map(|list| serde_json::json!(list).to_string()))
        .bind(now.0)
        .bind(info.expires_at.map(|t| t.0))
        .execute(&mut *tx)
        .await
        .doing("making a token")?;
        tx.commit().await.doing("making a token")?;
        Ok((info, Secret::new(text.as_bytes())))
    }

    /// The token with this text, when it is good.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn authenticate(&self, text: &str, now: UnixMs) -> Result<Option<TokenInfo>, StoreError> {
        if text.len() != TEXT_CHARS || !text.is_ascii() || !text.starts_with(TAG) {
            return Ok(None);
        }
        let rows = sqlx::query("SELECT * FROM tokens WHERE prefix = $1 AND revoked_at IS NULL")
            .bind(&text[..PREFIX_CHARS])
            .fetch_all(self.reader())
            .await
            .doing("looking a token up")?;
        let wanted = hash(text);
        for row in &rows {
            let known = Columns::new("tokens", row).bytes("hash")?;
            // In constant time, although what is compared are digests.
            if !bool::from(known.ct_eq(&wanted)) {
                continue;
            }
            let info = TokenInfo::from_row(row)?;
            if !info.is_good(now) {
                return Ok(None);
            }
            if info.used_at.is_none_or(|used| now.0 - used.0 >= USED_EVERY_MS) {
                // A disk that is full must not keep people out, who may be about to free it.
                let _ = self.note_use(&info.id, now).await;
            }
            return Ok(Some(info));
        }
        Ok(None)
    }

    async fn note_use(&self, id: &str, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.begin("noting the use of a token").await?;
        sqlx::query("UPDATE tokens SET used_at = $1 WHERE id = $2")
            .bind(now.0)
            .bind(id)
            .execute(&mut *tx)
            .await
            .doing("noting the use of a token")?;
        tx.commit().await.doing("noting the use of a token")
    }

    /// All tokens, also those that are no longer good, in the order in which they were made.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, name, prefix, scope, applications, created_at, expires_at, used_at, revoked_at FROM tokens \
             ORDER BY created_at, id",
        )
        .fetch_all(self.reader())
        .await
        .doing("listing tokens")?;
        TokenInfo::from_rows(&rows)
    }

    /// Makes a token useless at once. One that is revoked already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this identity.
    pub async fn revoke_token(&self, id: &str, now: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.begin("revoking a token").await?;
        let revoked = sqlx::query("UPDATE tokens SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2")
            .bind(now.0)
            .bind(id)
            .execute(&mut *tx)
            .await
            .doing("revoking a token")?;
        if revoked.rows_affected() == 0 {
            return Err(StoreError::not_found("token", id));
        }
        tx.commit().await.doing("revoking a token")
    }
}

/// A random text of 256 bits needs no slow hash.
fn hash(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}
