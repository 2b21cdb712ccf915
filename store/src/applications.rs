//! Applications: what people submitted, in every generation.

use cardinal_adapter::digest::Digest;
use cardinal_adapter::time::UnixMs;
use sqlx::AnyConnection;

use crate::counter::Counter;
use crate::error::{Clash, Doing, StoreError};
use crate::events::{NewEvent, append};
use crate::open::Store;
use crate::row::{Columns, FromRow};
use crate::words::{check_name, check_text, words};

words! {
    /// Where an application is in its life.
    Status {
        /// It is kept at its optimum.
        Active = "active",
        /// It is being taken down.
        Leaving = "leaving",
        /// It is gone; its history stays, and its name may be used again.
        Gone = "gone",
    }
}

/// A model that someone submits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewModel {
    /// The name of the application.
    pub application: String,
    /// The digest of the model.
    pub digest: Digest,
    /// Its format: `native`, `camel` and so on.
    pub format: String,
    /// The media type that it came with.
    pub media_type: String,
    /// The model as it came.
    pub text: String,
    /// Who submitted it.
    pub by: String,
    /// When.
    pub at: UnixMs,
}

/// An application as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// The number of its model, from 1; never falls, also when the name is used again.
    pub generation: i64,
    /// The digest of its model.
    pub digest: Digest,
    /// The format of its model.
    pub format: String,
    /// Where it is in its life.
    pub status: Status,
    /// Its settings, a JSON text.
    pub settings: String,
    /// When it was submitted.
    pub created_at: UnixMs,
    /// When it was changed last.
    pub updated_at: UnixMs,
}

/// A generation of the model of an application, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelVersion {
    /// The application.
    pub application: String,
    /// Its number.
    pub generation: i64,
    /// The digest of the model.
    pub digest: Digest,
    /// Its format.
    pub format: String,
    /// The media type that it came with.
    pub media_type: String,
    /// Who submitted it.
    pub by: String,
    /// When.
    pub at: UnixMs,
}

/// A generation of the model of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelText {
    /// What is known of it.
    pub version: ModelVersion,
    /// The model as it came.
    pub text: String,
}

/// Which part of a list ordered by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// After this name; from the beginning when there is none.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Which applications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub status: Option<Status>,
    /// With this in their name, in upper or lower case (of ASCII letters).
    pub name_contains: Option<String>,
}

pub(crate) const APPLICATION: &str = "application";

impl FromRow for Application {
    const TABLE: &'static str = "applications";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(Application {
            name: c.text("name")?,
            generation: c.int("generation")?,
            digest: c.digest("digest")?,
            format: c.text("format")?,
            status: c.word("status")?,
            settings: c.text("settings")?,
            created_at: c.time("created_at")?,
            updated_at: c.time("updated_at")?,
        })
    }
}

impl FromRow for ModelVersion {
    const TABLE: &'static str = "models";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(ModelVersion {
            application: c.text("application")?,
            generation: c.int("generation")?,
            digest: c.digest("digest")?,
            format: c.text("format")?,
            media_type: c.text("media_type")?,
            by: c.text("author")?,
            at: c.time("at")?,
        })
    }
}

impl FromRow for ModelText {
    const TABLE: &'static str = "models";

    fn from_columns(c: &Columns<'_>) -> Result<Self, StoreError> {
        Ok(ModelText { version: ModelVersion::from_columns(c)?, text: c.text("text")? })
    }
}

impl Store {
    /// Takes a new application in. Once this returns, the application survives every crash.
    ///
    /// The name of an application that is gone may be used again: generations go on, and the loop begins anew (see
    /// [`Store::former_loop_state`]). An event `submitted` tells of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the name is in use.
    pub async fn submit(&self, model: &NewModel, settings: &str) -> Result<Application, StoreError> {
        check_model(model, settings)?;
        let mut tx = self.begin("submitting an application").await?;
        let change = Counter::Change.take(&mut tx, 1).await?;
        let former = find(&mut tx, &model.application).await?;
        if former.as_ref().is_some_and(|f| f.status != Status::Gone) {
            return Err(StoreError::conflict(APPLICATION, &model.application, Clash::Exists));
        }
        let application = Application {
            name: model.application.clone(),
            generation: former.map_or(1, |f| f.generation + 1),
            digest: model.digest,
            format: model.format.clone(),
            status: Status::Active,
            settings: settings.to_owned(),
            created_at: model.at,
            updated_at: model.at,
        };
        write(&mut tx, &application, change).await?;
        write_model(&mut tx, model, application.generation).await?;
        begin_life(&mut tx, &model.application).await?;
        append(&mut tx, &[told("submitted", &application, &model.by)]).await?;
        tx.commit().await.doing("submitting an application")?;
        Ok(application)
    }

    /// Gives an application another model or other settings. An event `replaced` tells of it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none or it is gone; [`StoreError::Conflict`] when it is leaving, or when its
    /// generation is not the expected one, because someone else changed it.
    pub async fn replace(
        &self,
        model: &NewModel,
        settings: &str,
        expected_generation: Option<i64>,
    ) -> Result<Application, StoreError> {
        check_model(model, settings)?;
        let mut tx = self.begin("replacing a model").await?;
        let change = Counter::Change.take(&mut tx, 1).await?;
        let found = find(&mut tx, &model.application).await?.filter(|f| f.status != Status::Gone);
        let found = found.ok_or_else(|| StoreError::not_found(APPLICATION, &model.application))?;
        let clash = |clash| Err(StoreError::conflict(APPLICATION, &model.application, clash));
        if let Some(expected) = expected_generation.filter(|e| *e != found.generation) {
            return clash(Clash::Generation { expected, found: found.generation });
        }
        if found.status == Status::Leaving {
            return clash(Clash::Leaving);
        }
        let application = Application {
            generation: found.generation + 1,
            digest: model.digest,
            format: model.format.clone(),
            settings: settings.to_owned(),
            updated_at: model.at,
            ..found
        };
        write(&mut tx, &application, change).await?;
        write_model(&mut tx, model, application.generation).await?;
        append(&mut tx, &[told("replaced", &application, &model.by)]).await?;
        tx.commit().await.doing("replacing a model")?;
        Ok(application)
    }

    /// An application, also when it is gone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there never was one of this name.
    pub async fn application(&self, name: &str) -> Result<Application, StoreError> {
        let mut connection = self.reader().acquire().await.doing("reading an application")?;
        find(&mut connection, name).await?.ok_or_else(|| StoreError::not_found(APPLICATION, name))
    }

    /// The generations of the model of an application, the latest first.
    ///
    /// # Errors
    /// When the database cannot be read. A name that was never used has no models.
    pub async fn models(&self, name: &str) -> Result<Vec<ModelVersion>, StoreError> {
        let rows = sqlx::query(
            "SELECT application, generation, digest, format, media_type, author, at FROM models \
             WHERE application = $1 ORDER BY generation DESC",
        )
        .bind(name)
        .fetch_all(self.reader())
        .await
        .doing("listing models")?;
        ModelVersion::from_rows(&rows)
    }

    /// The model of a generation.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn model(&self, name: &str, generation: i64) -> Result<ModelText, StoreError> {
        let row = sqlx::query("SELECT * FROM models WHERE application = $1 AND generation = $2")
            .bind(name)
            .bind(generation)
            .fetch_optional(self.reader())
            .await
            .doing("reading a model")?;
        let row = row.ok_or_else(|| StoreError::lacking(name, format!("model of generation {generation}")))?;
        ModelText::from_row(&row)
    }

    /// A model by its digest, whoever submitted it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn model_by_digest(&self, digest: Digest) -> Result<ModelText, StoreError> {
        let row = sqlx::query("SELECT * FROM models WHERE digest = $1 ORDER BY at, application, generation LIMIT 1")
            .bind(digest.to_string())
            .fetch_optional(self.reader())
            .await
            .doing("reading a model")?;
        ModelText::from_row(&row.ok_or_else(|| StoreError::not_found("model", digest.to_string()))?)
    }

    /// Says where an application is in its life; an event with that word as its kind tells of it. What is gone has lost
    /// its lease, its metric values and its waiting orders; its history stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none, [`StoreError::Conflict`] when it is gone already.
    pub async fn set_status(&self, name: &str, status: Status, by: &str, at: UnixMs) -> Result<(), StoreError> {
        let mut tx = self.begin("changing the status of an application").await?;
        let change = Counter::Change.take(&mut tx, 1).await?;
        let found = find(&mut tx, name).await?.ok_or_else(|| StoreError::not_found(APPLICATION, name))?;
        if found.status == Status::Gone {
            return Err(StoreError::conflict(APPLICATION, name, Clash::Gone));
        }
        let application = Application { status, updated_at: at, ..found };
        turn(&mut tx, name, status, at, change).await?;
        append(&mut tx, &[told(status.word(), &application, by)]).await?;
        tx.commit().await.doing("changing the status of an application")
    }

    /// Lets go of an application without taking anything down: it is gone for Cardinal and runs on by itself.
    ///
    /// # Errors
    /// As [`Store::set_status`].
    pub async fn remove(&self, name: &str, by: &str, at: UnixMs) -> Result<(), StoreError> {
        self.set_status(name, Status::Gone, by, at).await
    }
}

/// Changes the status alone, as part of something larger.
pub(crate) async fn turn(
    tx: &mut AnyConnection,
    name: &str,
    status: Status,
    at: UnixMs,
    change: i64,
) -> Result<(), StoreError> {
    let doing = "changing the status of an application";
    sqlx::query("UPDATE applications SET status = $1, updated_at = $2, change = $3 WHERE name = $4")
        .bind(status.word())
        .bind(at.0)
        .bind(change)
        .bind(name)
        .execute(&mut *tx)
        .await
        .doing(doing)?;
    if status != Status::Gone {
        return Ok(());
    }
    let ends = [
        "UPDATE leases SET wanted = 0, holder = NULL, until_at = 0 WHERE application = $1",
        "DELETE FROM metrics WHERE application = $1",
        "DELETE FROM orders WHERE application = $1 AND taken_at IS NULL",
    ];
    for end in ends {
        sqlx::query(end).bind(name).execute(&mut *tx).await.doing(doing)?;
    }
    Ok(())
}

/// Makes room for a loop, and puts the state of an earlier one aside.
async fn begin_life(tx: &mut AnyConnection, name: &str) -> Result<(), StoreError> {
    let begins = [
        "INSERT INTO leases (application, wanted, holder, epoch, until_at, commits) VALUES ($1, 1, NULL, 0, 0, 0) \
         ON CONFLICT (application) DO UPDATE SET wanted = 1, holder = NULL, until_at = 0",
        "DELETE FROM metrics WHERE application = $1",
        "UPDATE loops SET former = COALESCE(state, former), state = NULL WHERE application = $1",
        "DELETE FROM glances WHERE application = $1",
    ];
    for begin in begins {
        sqlx::query(begin).bind(name).execute(&mut *tx).await.doing("submitting an application")?;
    }
    Ok(())
}

pub(crate) async fn find(on: &mut AnyConnection, name: &str) -> Result<Option<Application>, StoreError> {
    let row = sqlx::query("SELECT * FROM applications WHERE name = $1")
        .bind(name)
        .fetch_optional(on)
        .await
        .doing("reading an application")?;
    row.as_ref().map(Application::from_row).transpose()
}

async fn write(tx: &mut AnyConnection, application: &Application, change: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO applications (name, generation, digest, format, status, created_at, updated_at, change, settings) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO UPDATE SET generation = excluded.generation, \
         digest = excluded.digest, format = excluded.format, status = excluded.status, \
         created_at = excluded.created_at, updated_at = excluded.updated_at, change = excluded.change, \
         settings = excluded.settings",
    )
    .bind(&application.name)
    .bind(application.generation)
    .bind(application.digest.to_string())
    .bind(&application.format)
    .bind(application.status.word())
    .bind(application.created_at.0)
    .bind(application.updated_at.0)
    .bind(change)
    .bind(&application.settings)
    .execute(tx)
    .await
    .doing("writing an application")
    .map(drop)
}

async fn write_model(tx: &mut AnyConnection, model: &NewModel, generation: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO models (application, generation, digest, format, media_type, author, at, text) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&model.application)
    .bind(generation)
    .bind(model.digest.to_string())
    .bind(&model.format)
    .bind(&model.media_type)
    .bind(&model.by)
    .bind(model.at.0)
    .bind(&model.text)
    .execute(tx)
    .await
    .doing("writing a model")
    .map(drop)
}

fn told(kind: &str, application: &Application, by: &str) -> NewEvent {
    NewEvent {
        application: Some(application.name.clone()),
        at: application.updated_at,
        kind: kind.to_owned(),
        body: serde_json::json!({
            "event": kind,
            "by": by,
            "generation": application.generation,
            "model": application.digest,
        })
        .to_string(),
    }
}

fn check_model(model: &NewModel, settings: &str) -> Result<(), StoreError> {
    check_name("the name of the application", &model.application)?;
    check_text("the model", &model.text)?;
    check_text("the settings", settings)
}
