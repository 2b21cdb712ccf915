//! Catalogs: sets of offers as they were uploaded, and which of them counts now.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;

use crate::counter::Counter;
use crate::error::{Clash, Doing, StoreError};
use crate::events::{NewEvent, append};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::check_text;

/// What is known of a catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    /// The digest of its text.
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Its format.
    pub format: String,
    /// How many offers it holds.
    pub offers: i64,
    /// Who uploaded it.
    pub by: String,
    /// When.
    pub at: UnixMs,
}

/// The catalog that counts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentCatalog {
    /// Its digest.
    pub digest: Digest,
    /// A number that rises with each change of the current catalog.
    pub change: i64,
}

const CATALOG: &str = "catalog";

impl FromRow for Catalog {
    const TABLE: &'static str = "catalogs";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(Catalog {
            digest: c.digest("digest")?,
            name: c.text("name")?,
            format: c.text("format")?,
            offers: c.int("offers")?,
            by: c.text("author")?,
            at: c.time("at")?,
        })
    }
}

impl Store {
    /// Keeps a catalog. One that is there already (by its digest) stays as it is.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn put_catalog(&self, catalog: &Catalog, text: &[u8]) -> Result<(), StoreError> {
        check_text("the name of the catalog", &catalog.name)?;
        let mut tx = self.begin("keeping a catalog").await?;
        sqlx::query(
            "INSERT INTO catalogs (digest, name, format, offers, author, at, text) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (digest) DO NOTHING",
        )
        .bind(catalog.digest.to_string())
        .bind(&catalog.name)
        .bind(&catalog.format)
        .bind(catalog.offers)
        .bind(&catalog.by)
        .bind(catalog.at.0)
        .bind(text)
        .execute(&mut *tx)
        .await
        .doing("keeping a catalog")?;
        tx.commit().await.doing("keeping a catalog")
    }

    /// All catalogs, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn catalogs(&self) -> Result<Vec<Catalog>, StoreError> {
        let rows =
            sqlx::query("SELECT digest, name, format, offers, author, at FROM catalogs ORDER BY at DESC, digest")
                .fetch_all(self.reader())
                .await
                .doing("listing catalogs")?;
        Catalog::from_rows(&rows)
    }

    /// What is known of a catalog, and its text.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn catalog(&self, digest: Digest) -> Result<(Catalog, Vec<u8>), StoreError> {
        let row = sqlx::query("SELECT * FROM catalogs WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(self.reader())
            .await
            .doing("reading a catalog")?;
        let row = row.ok_or_else(|| StoreError::not_found(CATALOG, digest.to_string()))?;
        Ok((Catalog::from_row(&row)?, Columns::new(Catalog::TABLE, &row).bytes("text")?))
    }

    /// Makes a catalog the one that counts; an event `catalog` tells of it, when it was another one before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn make_current(&self, digest: Digest, by: &str, at: UnixMs) -> Result<CurrentCatalog, StoreError> {
        let doing = "making a catalog current";
        let mut tx = self.begin(doing).await?;
        let change = Counter::Change.take(&mut tx, 1).await?;
        let known = sqlx::query("SELECT digest FROM catalogs WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(&mut *tx)
            .await
            .doing(doing)?;
        if known.is_none() {
            return Err(StoreError::not_found(CATALOG, digest.to_string()));
        }
        let changed = sqlx::query(
            "INSERT INTO catalog_in_use (slot, digest, change) VALUES (1, $1, $2) ON CONFLICT (slot) DO UPDATE SET \
             digest = excluded.digest, change = excluded.change WHERE catalog_in_use.digest <> excluded.digest",
        )
        .bind(digest.to_string())
        .bind(change)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
        if changed.rows_affected() > 0 {
            let body = serde_json::json!({"event": "catalog", "by": by, "catalog": digest}).to_string();
            append(&mut tx, &[NewEvent { application: None, at, kind: "catalog".to_owned(), body }]).await?;
        }
        tx.commit().await.doing(doing)?;
        let current = self.current_catalog().await?;
        current.ok_or_else(|| StoreError::corrupt("the table `catalog_in_use`"))
    }

    /// The catalog that counts now; `None` when none was ever made current.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn current_catalog(&self) -> Result<Option<CurrentCatalog>, StoreError> {
        let row = sqlx::query("SELECT digest, change FROM catalog_in_use WHERE slot = 1")
            .fetch_optional(self.reader())
            .await
            .doing("reading which catalog is current")?;
        row.map(|row| {
            let c = Columns::new("catalog_in_use", &row);
            Ok(CurrentCatalog { digest: c.digest("digest")?, change: c.int("change")? })
        })
        .transpose()
    }

    /// Forgets a catalog. Decisions that were made with it can then no longer be replayed from the store alone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Conflict`] when it is the current one.
    pub async fn delete_catalog(&self, digest: Digest) -> Result<(), StoreError> {
        let doing = "forgetting a catalog";
        let mut tx = self.begin(doing).await?;
        // Nobody can make it current in between.
        Counter::Change.take(&mut tx, 1).await?;
        let current = sqlx::query("SELECT digest FROM catalog_in_use WHERE digest = $1")
            .bind(digest.to_string())
            .fetch_optional(&mut *tx)
            .await
            .doing(doing)?;
        if current.is_some() {
            return Err(StoreError::conflict(CATALOG, digest.to_string(), Clash::InUse));
        }
        let deleted = sqlx::query("DELETE FROM catalogs WHERE digest = $1")
            .bind(digest.to_string())
            .execute(&mut *tx)
            .await
            .doing(doing)?;
        if deleted.rows_affected() == 0 {
            return Err(StoreError::not_found(CATALOG, digest.to_string()));
        }
        tx.commit().await.doing(doing)
    }
}
